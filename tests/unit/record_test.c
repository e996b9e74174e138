/* Single messages: that they are decoded and encoded as files are, row by row, and that whatever is no event is refused by name. */
#include "io/reject.h"
#include "tests/support/io_case.h"

#include <criterion/criterion.h>

enum { ROWS = 3000, ROOM = 1 << 17 };

static io_case c, streamed;
static ride_error err;
static char row[ROOM];

static void setup(void) {
    case_begin(&c, true);
    case_begin(&streamed, true);
}
static void teardown(void) {
    case_end(&c);
    case_end(&streamed);
}
TestSuite(record, .init = setup, .fini = teardown);

#define T    "\"t\":\"2018-04-01T00:00:31Z\""
#define GOOD "{\"id\":1," T ",\"customer\":596,\"amount\":57.16,\"fraud\":false}"
#define R1   "1522540831000000|1|1522540831000000|596|5716|0|-|-|-|-|-\n"

static void expect_bytes(ride_format format, const void *bytes, size_t count, const char *want) {
    static const uint64_t number = 77;
    ride_decoder *decoder = case_records(&c, format, 0);
    ride_status st = case_record(&c, decoder, bytes, count, number, row, sizeof row);
    cr_expect_str_eq(st == RIDE_OK ? row : c.log, want, "format %d, '%.*s': got %s%s", format,
                     count < 200 ? (int)count : 200, (const char *)bytes, row, c.log);
    const ride_decoder_stats *stats = ride_decoder_get_stats(decoder);
    cr_expect_eq(stats->accepted, st == RIDE_OK);
    cr_expect_eq(stats->rejected, st == RIDE_E_DATA);
    ride_decoder_close(decoder);
}
static void expect(ride_format format, const char *text, const char *want) {
    expect_bytes(format, text, strlen(text), want);
}

Test(record, json_may_have_any_white_space) {
    expect(RIDE_FORMAT_NDJSON, GOOD, R1);
    expect(RIDE_FORMAT_NDJSON, " \t\r\n" GOOD "\n\n ", R1);
    expect(RIDE_FORMAT_NDJSON,
           "{\n\t\"amount\" :\n57.16 , \"fraud\"\r\n:false,\"customer\":596, " T
           " ,\n \"id\":1, \"other\": {\"a\":\n[1]}}",
           R1);
}
Test(record, json_that_is_no_event_is_refused_by_name) {
    static const struct {
        const char *text, *log;
    } cases[] = {
        {" ", "77:empty:0:;"},
        {"\r\n\t \n", "77:empty:0:;"},
        {"null", "77:bad_json:0:;"},
        {"17", "77:bad_json:0:;"},
        {"\"x\"", "77:bad_json:0:;"},
        {"[" GOOD "]", "77:bad_json:0:;"},
        {"hello, world", "77:bad_json:0:;"},
        {"{", "77:bad_json:0:;"},
        {GOOD GOOD, "77:bad_json:0:;"},
        {GOOD "\n" GOOD, "77:bad_json:0:;"},
        {GOOD ",", "77:bad_json:0:;"},
        {GOOD "x", "77:bad_json:0:;"},
        {"\xEF\xBB\xBF" GOOD, "77:bad_json:0:;"},
        {"{\"id\":1,}", "77:bad_json:0:;"},
        {"{\"id\":01}", "77:bad_json:0:;"},
        {"{\"id\":1 \"t\":2}", "77:bad_json:0:;"},
        {"{'id':1}", "77:bad_json:0:;"},
        {"{\"id\":\"a\nb\"}", "77:bad_json:0:;"},
        {"{\"id\":\"\\ud800\"}", "77:bad_json:0:;"},
        {"{\"id\":\"\\x\"}", "77:bad_json:0:;"},
        {"{\"note\":\"\xFF\"}", "77:invalid_utf8:0:;"},
        {"{\"note\":\"\xED\xA0\x80\"}", "77:invalid_utf8:0:;"},
        {"{\"id\":1,\"id\":1," T ",\"customer\":596,\"amount\":57.16,\"fraud\":false}", "77:duplicate_field:14:id;"},
        {"{\"id\":1,\"\\u0069d\":1}", "77:duplicate_field:19:id;"},
        {"{}", "77:missing_field:0:id;"},
        {"{\"id\":null}", "77:missing_value:7:id;"},
        {"{\"id\":1.5}", "77:not_an_integer:7:id;"},
        {"{\"id\":{}}", "77:wrong_type:7:id;"},
        {"{\"id\":1," T ",\"customer\":596,\"amount\":-1,\"fraud\":false}", "77:below_min:60:amount;"},
        {"{\"id\":1," T ",\"customer\":596,\"amount\":1e400,\"fraud\":false}", "77:out_of_range:60:amount;"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) expect(RIDE_FORMAT_NDJSON, cases[i].text, cases[i].log);
    static const char zero_within[] = "{\"id\":1\0}", zero_behind[] = GOOD "\0", zero_in_text[] = "{\"note\":\"a\0b\"}";
    expect_bytes(RIDE_FORMAT_NDJSON, zero_within, sizeof zero_within - 1, "77:bad_json:0:;");
    expect_bytes(RIDE_FORMAT_NDJSON, zero_behind, sizeof zero_behind - 1, "77:bad_json:0:;");
    expect_bytes(RIDE_FORMAT_NDJSON, zero_in_text, sizeof zero_in_text - 1, "77:bad_json:0:;");
}
Test(record, deep_nesting_is_refused_and_not_followed) {
    for (size_t depth = 10; depth < 500000; depth *= 10) {
        char *text = malloc(2 * depth + 200);
        size_t n = (size_t)sprintf(text, "{\"x\":");
        memset(text + n, '[', depth);
        memset(text + n + depth, ']', depth);
        n += 2 * depth;
        n += (size_t)sprintf(text + n, ",%s", GOOD + 1);
        expect_bytes(RIDE_FORMAT_NDJSON, text, n, depth == 10 ? R1 : "77:bad_json:0:;");
        free(text);
    }
}
Test(record, no_value_and_too_much_are_refused_in_every_format) {
    size_t bytes = 2u << 20;
    char *text = malloc(bytes);
    memset(text, 'x', bytes);
    for (ride_format format = RIDE_FORMAT_CSV; format <= RIDE_FORMAT_BINARY; format++) {
        expect_bytes(format, NULL, 0, "77:empty:0:;");
        expect_bytes(format, "", 0, "77:empty:0:;");
        expect_bytes(format, text, bytes, "77:overlong_line:0:;");
        expect_bytes(format, text, RIDE_LINE_BYTES_MAX + 1, "77:overlong_line:0:;");
    }
    memset(text, ' ', bytes);
    memcpy(text, GOOD, strlen(GOOD));
    expect_bytes(RIDE_FORMAT_NDJSON, text, RIDE_LINE_BYTES_MAX, R1); /* as long as may be */
    free(text);
}
Test(record, csv_is_one_record_in_the_declared_order) {
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"1,2018-04-01T00:00:31Z,596,57.16,0,,,,,", R1},
        {"1,2018-04-01T00:00:31Z,596,57.16,0,,,,,\n", R1},
        {"1,2018-04-01T00:00:31Z,596,57.16,0,,,,,\r\n", R1},
        {"\"1\",2018-04-01T00:00:31Z,596,57.16,0,,,,,", R1},
        {"1,2018-04-01T00:00:31Z,596,57.16,0,\"a\n,\"\"b\",,,,",
         "1522540831000000|1|1522540831000000|596|5716|0|a\n,\"b|-|-|-|-\n"},
        {"\n", "77:empty:0:;"},
        {"\r\n", "77:empty:0:;"},
        {"1,2018-04-01T00:00:31Z,596,57.16,0,,,,,\n\n", "77:many_records:0:;"},
        {"1,2018-04-01T00:00:31Z,596,57.16,0,,,,,\n2", "77:many_records:0:;"},
        {"\n1,2018-04-01T00:00:31Z,596,57.16,0,,,,,", "77:many_records:0:;"},
        {"id,t,customer,amount,fraud,note,kind,score,level,card", "77:not_an_integer:1:id;"},
        {"1,2018-04-01T00:00:31Z,596,57.16,0,,,,", "77:too_few_fields:0:;"},
        {"1,2018-04-01T00:00:31Z,596,57.16,0,,,,,,", "77:too_many_fields:0:;"},
        {"1,2018-04-01T00:00:31Z,596,57.16,0,\"a,,,,", "77:bad_quotes:0:;"},
        {"1,2018-04-01T00:00:31Z,596,57.16,0,\"a\"b,,,,", "77:bad_quotes:0:;"},
        {"1,2018-04-01T00:00:31Z,596,-57.16,0,,,,,", "77:below_min:28:amount;"},
        {"1,2018-04-01T00:00:31Z,596,57.16,0,\xC3,,,,", "77:invalid_utf8:36:note;"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) expect(RIDE_FORMAT_CSV, cases[i].text, cases[i].want);
    static const char zero[] = "1\0,2018-04-01T00:00:31Z,596,57.16,0,,,,,";
    expect_bytes(RIDE_FORMAT_CSV, zero, sizeof zero - 1, "77:not_an_integer:1:id;");
}

/* docs/binary.md to the letter: validity of note, kind, level and card, then id, t, customer, amount, fraud, length of
 * note, kind, score, level, length of card, and the strings. */
static const uint8_t binary_row[] = {0x0F, 1,    0,    0,    0,    0, 0, 0,    0,    0xC0, 0xAD, 0xC2, 0x8F, 0xBF,
                                     0x68, 0x05, 0,    0x54, 0x02, 0, 0, 0x54, 0x16, 0,    0,    0,    0,    0,
                                     0,    1,    2,    0,    0,    0, 1, 0,    0,    0,    0,    0,    0,    0,
                                     0,    0,    0xF8, 0x3F, 0xFD, 3, 0, 0,    0,    'h',  'i',  '4',  '1',  '1'};
Test(record, binary_is_one_row_without_a_header) {
    int64_t time = INT64_C(1522540831000000);
    uint8_t good[sizeof binary_row], copy[sizeof good + 1];
    memcpy(good, binary_row, sizeof good);
    memcpy(good + 9, &time, sizeof time);
    expect_bytes(RIDE_FORMAT_BINARY, good, sizeof good,
                 "1522540831000000|1|1522540831000000|596|5716|1|hi|1|0x1.8p+0|-3|411\n");
    for (size_t cut = 1; cut < sizeof good; cut++) expect_bytes(RIDE_FORMAT_BINARY, good, cut, "77:bad_record:0:;");
    memcpy(copy, good, sizeof good);
    copy[sizeof good] = 0;
    expect_bytes(RIDE_FORMAT_BINARY, copy, sizeof copy, "77:bad_record:0:;");
    memset(copy + 30, 0xFF, 4); /* a string of 4 GiB */
    expect_bytes(RIDE_FORMAT_BINARY, copy, sizeof good, "77:bad_record:0:;");
    memcpy(copy, good, sizeof good);
    copy[29] = 2;
    expect_bytes(RIDE_FORMAT_BINARY, copy, sizeof good, "77:not_a_bool:30:fraud;");
    memcpy(copy, good, sizeof good);
    copy[34] = 3;
    expect_bytes(RIDE_FORMAT_BINARY, copy, sizeof good, "77:unknown_category:35:kind;");
    memcpy(copy, good, sizeof good);
    copy[sizeof good - 1] = 0xFF;
    expect_bytes(RIDE_FORMAT_BINARY, copy, sizeof good, "77:invalid_utf8:48:card;");
    memcpy(copy, good, sizeof good);
    memset(copy + 38, 0xFF, 8); /* NaN is null */
    expect_bytes(RIDE_FORMAT_BINARY, copy, sizeof good,
                 "1522540831000000|1|1522540831000000|596|5716|1|hi|1|-|-3|411\n");
}

/* Random events through both ways: the rows of a file are, one by one, the messages. */
Test(record, messages_are_what_the_rows_of_a_file_are) {
    char *text = case_random_csv(ROWS), *want;
    static char memory[4 << 20], message[1 << 16];
    ride_encoder_column columns[RIDE_FIELDS_MAX];
    uint32_t columns_count = case_columns(&c, columns);
    for (ride_format format = RIDE_FORMAT_CSV; format <= RIDE_FORMAT_BINARY; format++) {
        ride_source *source;
        ride_decoder *decoder, *records = case_records(&c, format, 0);
        ride_sink *sink;
        ride_encoder *encoder, *single;
        ride_decoder_options decode = {.spec = &streamed.spec, .format = RIDE_FORMAT_CSV};
        ride_encoder_options encode = {.format = format,
                                       .columns = columns,
                                       .columns_count = columns_count,
                                       .layouts = {&c.layout}};
        cr_assert_eq(ride_source_open_memory("case", text, strlen(text), 0, &source, &err), RIDE_OK);
        cr_assert_eq(ride_decoder_open(&decode, source, &decoder, &err), RIDE_OK);
        cr_assert_eq(ride_sink_open_memory(memory, sizeof memory, &sink, &err), RIDE_OK);
        encode.no_header = true;
        cr_assert_eq(ride_encoder_open(&encode, sink, &encoder, &err), RIDE_OK);
        encode.no_header = false;
        cr_assert_eq(ride_encoder_open_records(&encode, &single, &err), RIDE_OK);
        ride_status st = RIDE_OK;
        uint64_t rows_count = 0, at = 0;
        want = malloc(ROOM);
        while (st == RIDE_OK) {
            ride_batch_clear(streamed.batch);
            st = ride_decoder_decode(decoder, streamed.batch, 700, INT64_MAX, NULL, &err);
            ride_encoder_set set = {streamed.batch->tiles, streamed.batch->arena};
            cr_assert_eq(ride_encoder_write(encoder, &set, NULL, 0, streamed.batch->rows_count), RIDE_OK);
            cr_assert_eq(ride_sink_flush(sink, &err), RIDE_OK);
            for (uint32_t i = 0; i < streamed.batch->rows_count; i++, rows_count++) {
                size_t bytes = 0;
                cr_assert_eq(ride_encoder_row(single, &set, i, message, sizeof message, &bytes), RIDE_OK);
                cr_assert(memcmp(memory + at, message, bytes) == 0, "row %" PRIu64 " of format %d", rows_count, format);
                at += bytes;
                if (format != RIDE_FORMAT_BINARY) cr_assert_eq(memory[at++], '\n');
                size_t n = case_row_text(&streamed, streamed.batch, i, want, ROOM - 2);
                memcpy(want + n, "\n", 2);
                st =
                    case_record(&c, records, message, bytes, rows_count, row, sizeof row) == RIDE_OK ? st : RIDE_E_DATA;
                cr_assert_str_eq(row, want, "row %" PRIu64 " of format %d: %s", rows_count, format, c.log);
            }
        }
        cr_expect_eq(st, RIDE_END);
        cr_expect_eq(rows_count, ROWS);
        cr_expect_eq(at, ride_sink_offset(sink));
        ride_encoder_close(encoder);
        ride_encoder_close(single);
        ride_decoder_close(decoder);
        ride_decoder_close(records);
        ride_source_close(source);
        cr_expect_eq(ride_sink_close(sink, &err), RIDE_OK);
        free(want);
    }
    free(text);
}

Test(record, a_full_batch_takes_nothing) {
    ride_batch *small;
    ride_reject_reason reason;
    ride_decoder *decoder = case_records(&c, RIDE_FORMAT_NDJSON, 0);
    cr_assert_eq(ride_batch_create(&c.layout, 256, 100, &small, &err), RIDE_OK);
    static const char with_note[] = "{\"note\":\"0123456789012345678901234567890123456789\",\"id\":1," T
                                    ",\"customer\":596,\"amount\":57.16,\"fraud\":false}";
    for (int i = 0; i < 2; i++)
        cr_expect_eq(ride_decoder_record(decoder, small, with_note, sizeof with_note - 1, 1, &reason), RIDE_OK);
    cr_expect_eq(ride_decoder_record(decoder, small, with_note, sizeof with_note - 1, 1, &reason), RIDE_FULL);
    cr_expect_eq(reason, RIDE_REJECT_NONE);
    cr_expect_eq(small->rows_count, 2);
    cr_expect_eq(small->arena_bytes, 80);
    for (int i = 2; i < 256; i++)
        cr_expect_eq(ride_decoder_record(decoder, small, GOOD, strlen(GOOD), 1, &reason), RIDE_OK);
    cr_expect_eq(ride_decoder_record(decoder, small, GOOD, strlen(GOOD), 1, &reason), RIDE_FULL);
    cr_expect_eq(ride_decoder_record(decoder, small, NULL, 0, 1, &reason), RIDE_FULL);
    ride_batch_clear(small);
    cr_expect_eq(ride_decoder_record(decoder, small, with_note, sizeof with_note - 1, 1, &reason), RIDE_OK);
    char long_note[400];
    int n = snprintf(long_note, sizeof long_note, "{\"note\":\"%0101d\",%s", 0, GOOD + 1);
    cr_expect_eq(ride_decoder_record(decoder, small, long_note, (size_t)n, 9, &reason), RIDE_E_DATA);
    cr_expect_eq(reason, RIDE_REJECT_STRING_TOO_LONG); /* fits no batch */
    cr_expect_str_eq(c.log, "9:string_too_long:0:;");
    const ride_decoder_stats *stats = ride_decoder_get_stats(decoder);
    cr_expect_eq(stats->accepted, 257);
    cr_expect_eq(stats->rejected, 1);
    ride_decoder_close(decoder);
    ride_batch_destroy(small);
}

Test(record, an_encoded_row_needs_its_room) {
    char *text = case_random_csv(50), message[4096], again[4096];
    case_run run = {.format = RIDE_FORMAT_CSV};
    ride_decoder_stats stats;
    char *rows;
    cr_assert_eq(case_decode(&c, &run, text, strlen(text), &rows, &stats, &err), RIDE_END);
    ride_encoder_column columns[RIDE_FIELDS_MAX];
    uint32_t columns_count = case_columns(&c, columns);
    ride_encoder_set set = {c.batch->tiles, c.batch->arena};
    for (ride_format format = RIDE_FORMAT_CSV; format <= RIDE_FORMAT_BINARY; format++) {
        ride_encoder *encoder;
        ride_encoder_options encode = {.format = format,
                                       .columns = columns,
                                       .columns_count = columns_count,
                                       .layouts = {&c.layout}};
        cr_assert_eq(ride_encoder_open_records(&encode, &encoder, &err), RIDE_OK);
        for (uint32_t i = 0; i < c.batch->rows_count; i++) {
            size_t bytes = 0, other = 0;
            cr_assert_eq(ride_encoder_row(encoder, &set, i, message, sizeof message, &bytes), RIDE_OK);
            cr_expect(bytes <= ride_encoder_row_bytes_max(encoder, 512));
            memset(again, '#', sizeof again);
            for (size_t room = 0; room < bytes; room += 1 + bytes / 7) {
                cr_expect_eq(ride_encoder_row(encoder, &set, i, again, room, &other), RIDE_FULL);
                cr_expect_eq(again[room], '#');
            }
            cr_expect_eq(ride_encoder_row(encoder, &set, i, again, bytes, &other), RIDE_OK);
            cr_expect_eq(other, bytes);
            cr_expect(memcmp(message, again, bytes) == 0 && again[bytes] == '#');
        }
        ride_encoder_close(encoder);
    }
    free(rows);
    free(text);
}

static char letter[RIDE_REJECT_RECORD_BYTES_MAX + 1];
static void on_reject(void *context, const ride_reject *reject) {
    (void)context;
    letter[ride_reject_format(reject, letter)] = '\0';
}
static const char *letter_of(ride_format format, const char *text) {
    ride_reject_reason reason;
    ride_decoder *decoder;
    ride_decoder_options options = {.spec = &c.spec, .format = format, .on_reject = on_reject};
    cr_assert_eq(ride_decoder_open_records(&options, "payments", 0, &decoder, &err), RIDE_OK);
    cr_expect_eq(ride_decoder_record(decoder, c.batch, text, strlen(text), 12, &reason), RIDE_E_DATA);
    ride_decoder_close(decoder);
    return letter;
}
Test(record, dead_letters_name_the_message_and_hide_what_is_sensitive) {
    cr_expect_str_eq(letter_of(RIDE_FORMAT_NDJSON, "{\"card\": \"4111222233334444\",\n \"id\": \"x\"}"),
                     "{\"reason\":\"not_an_integer\",\"text\":\"not an integer\",\"file\":\"payments\",\"line\":12,"
                     "\"column\":37,\"field\":\"id\",\"original\":\"{\\\"card\\\": ***,\\u000a \\\"id\\\": "
                     "\\\"x\\\"}\",\"cut\":false}");
    static const char *const hidden[] = {"{\"card\": \"4111222233334444\", \"id\": 1,}", "\"4111222233334444\"",
                                         "{\"data\": {\"card\": \"4111222233334444\"}}"};
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        cr_expect(strstr(letter_of(RIDE_FORMAT_NDJSON, hidden[i]), "\"original\":\"***\"") != NULL, "%s", letter);
    cr_expect(strstr(letter_of(RIDE_FORMAT_CSV, "x,2018-04-01T00:00:31Z,596,57.16,0,,,,,4111222233334444\n"),
                     "\"original\":\"x,2018-04-01T00:00:31Z,596,57.16,0,,,,,***\"") != NULL,
              "%s", letter);
    cr_expect(strstr(letter_of(RIDE_FORMAT_CSV, "1,2\n4111222233334444"), "\"original\":\"***\"") != NULL, "%s",
              letter);
    cr_expect(strstr(letter_of(RIDE_FORMAT_BINARY, "4111222233334444"), "4111") == NULL, "%s", letter);
    cr_expect(strstr(letter_of(RIDE_FORMAT_NDJSON, ""), "\"original\":\"\"") != NULL, "%s", letter);
}
