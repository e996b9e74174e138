/* The encoders: texts and bytes to the letter, and that what they write reads back the same in every format. */
#include "io/encoder.h"
#include "io/reject.h"
#include "tests/support/io_case.h"

#include <criterion/criterion.h>
#include <math.h>

static io_case c;
static ride_error err;
static char memory[1 << 22];

static void setup(void) { case_begin(&c, true); }
static void teardown(void) { case_end(&c); }
TestSuite(encoder, .init = setup, .fini = teardown);

/* Decodes CSV text and encodes its rows in the format, rows_each at a time; returns the bytes written. */
static size_t convert(const char *text, ride_format format, uint32_t rows_each) {
    ride_source *source;
    ride_decoder *decoder;
    ride_sink *sink;
    ride_encoder *encoder;
    ride_encoder_column columns[RIDE_FIELDS_MAX];
    ride_decoder_options decode = {.spec = &c.spec, .format = RIDE_FORMAT_CSV};
    ride_encoder_options encode = {.format = format,
                                   .columns = columns,
                                   .columns_count = case_columns(&c, columns),
                                   .layouts = {&c.layout}};
    cr_assert_eq(ride_source_open_memory("case", text, strlen(text), 0, &source, &err), RIDE_OK);
    cr_assert_eq(ride_decoder_open(&decode, source, &decoder, &err), RIDE_OK, "%s", err.what);
    cr_assert_eq(ride_sink_open_memory(memory, sizeof memory, &sink, &err), RIDE_OK);
    cr_assert_eq(ride_encoder_open(&encode, sink, &encoder, &err), RIDE_OK, "%s", err.what);
    ride_status st = RIDE_OK;
    while (st == RIDE_OK) {
        ride_batch_clear(c.batch);
        st = ride_decoder_decode(decoder, c.batch, rows_each, INT64_MAX, NULL, &err);
        ride_encoder_set set = {c.batch->tiles, c.batch->arena};
        cr_assert_eq(ride_encoder_write(encoder, &set, NULL, 0, c.batch->rows_count), RIDE_OK);
    }
    cr_assert_eq(st, RIDE_END);
    cr_assert_eq(ride_decoder_get_stats(decoder)->rejected, 0);
    ride_encoder_close(encoder);
    ride_decoder_close(decoder);
    ride_source_close(source);
    size_t bytes = ride_sink_offset(sink);
    cr_assert_eq(ride_sink_close(sink, &err), RIDE_OK);
    memory[bytes] = '\0';
    return bytes;
}

#define ROWS                                                                                                           \
    "1,2018-04-01T00:00:31Z,596,57.16,0,a,chip,1.5,-3,4111\n"                                                          \
    "2,1969-12-31T23:59:59.500Z,0,7,1,\"a,\"\"b\"\"\n\tc\",,0.1,-128,\n"                                               \
    "18446744073709551615,9999-12-31T23:59:59.999999Z,4294967295,0.05,1,\"\",online,-1e-300,,\xC3\xA9\n"

Test(encoder, csv_writes_what_csv_read) {
    convert(CASE_HEADER ROWS, RIDE_FORMAT_CSV, 100);
    cr_expect_str_eq(memory, CASE_HEADER ROWS);
}
Test(encoder, ndjson_to_the_letter) {
    convert(CASE_HEADER ROWS, RIDE_FORMAT_NDJSON, 2);
    cr_expect_str_eq(memory,
                     "{\"id\":1,\"t\":\"2018-04-01T00:00:31Z\",\"customer\":596,\"amount\":57.16,\"fraud\":false,"
                     "\"note\":\"a\",\"kind\":\"chip\","
                     "\"score\":1.5,\"level\":-3,\"card\":\"4111\"}\n"
                     "{\"id\":2,\"t\":\"1969-12-31T23:59:59.500Z\",\"customer\":0,\"amount\":7,\"fraud\":true,\"note\":"
                     "\"a,\\\"b\\\"\\n\\tc\","
                     "\"kind\":null,\"score\":0.1,\"level\":-128,\"card\":null}\n"
                     "{\"id\":18446744073709551615,\"t\":\"9999-12-31T23:59:59.999999Z\",\"customer\":4294967295,"
                     "\"amount\":0.05,\"fraud\":true,"
                     "\"note\":\"\",\"kind\":\"online\",\"score\":-1e-300,\"level\":null,\"card\":\"\xC3\xA9\"}\n");
}

Test(encoder, every_format_reads_back_the_same_however_it_was_cut) {
    char *text = case_random_csv(2000), *want, *got;
    case_run run = {.format = RIDE_FORMAT_CSV};
    ride_decoder_stats stats;
    cr_assert_eq(case_decode(&c, &run, text, strlen(text), &want, &stats, &err), RIDE_END);
    cr_assert_eq(stats.accepted, 2000);
    for (ride_format format = RIDE_FORMAT_CSV; format <= RIDE_FORMAT_BINARY; format++) {
        static char first[sizeof memory];
        size_t bytes = convert(text, format, 1000);
        memcpy(first, memory, bytes);
        for (uint32_t each = 1; each < 600; each += 97) {
            cr_expect_eq(convert(text, format, each), bytes);
            cr_expect(memcmp(first, memory, bytes) == 0);
        }
        run.format = format;
        cr_assert_eq(case_decode(&c, &run, first, bytes, &got, &stats, &err), RIDE_END, "format %d: %s", format,
                     err.what);
        cr_expect_eq(stats.accepted, 2000);
        cr_expect(strcmp(want, got) == 0, "format %d", format);
        free(got);
    }
    free(want);
    free(text);
}
Test(encoder, a_binary_file_that_is_cut_or_damaged_says_so) {
    char *got;
    case_run run = {.format = RIDE_FORMAT_BINARY};
    size_t bytes = convert(CASE_HEADER ROWS, RIDE_FORMAT_BINARY, 10);
    char *copy = malloc(bytes);
    for (size_t cut = 0; cut < bytes; cut++) {
        memcpy(copy, memory, cut);
        ride_status st = case_decode(&c, &run, copy, cut, &got, NULL, &err);
        cr_expect(st == RIDE_E_CORRUPT || (cut == 0 && st == RIDE_E_DATA) || st == RIDE_END, "cut at %zu: %d", cut, st);
        free(got);
    }
    for (size_t at = 0; at < 40; at++) {
        memcpy(copy, memory, bytes);
        copy[at] ^= 0x40;
        ride_status st = case_decode(&c, &run, copy, bytes, &got, NULL, &err);
        cr_expect(st != RIDE_END && st != RIDE_OK, "byte %zu", at);
        free(got);
    }
    free(copy);
}
Test(encoder, picks_rows_and_writes_constants_hashes_and_texts) {
    static ride_tile_layout layout;
    ride_tile_layout_begin(&layout);
    uint32_t value = ride_tile_layout_add(&layout, RIDE_TYPE_F64, 0),
             key = ride_tile_layout_add(&layout, RIDE_TYPE_KEY128, 1);
    uint32_t rule = ride_tile_layout_add(&layout, RIDE_TYPE_U32, 0);
    ride_tile_layout_finish(&layout);
    ride_batch *batch;
    cr_assert_eq(ride_batch_create(&layout, 600, 0, &batch, &err), RIDE_OK);
    for (uint32_t row = 0; row < 600; row++) {
        void *tile = ride_batch_tile(batch, row / 256);
        ((double *)ride_tile_values(&layout, tile, value))[row % 256] = row == 300   ? NAN
                                                                        : row == 301 ? -0.0
                                                                        : row == 599 ? 1e7
                                                                                     : row / 4.0;
        ((ride_key128 *)ride_tile_values(&layout, tile, key))[row % 256] = (ride_key128){row, 0xABCD};
        ride_bit_put(ride_tile_validity(&layout, tile, key), row % 256, row != 301);
        ((uint32_t *)ride_tile_values(&layout, tile, rule))[row % 256] = row % 3;
    }
    static const char *const rules[] = {"block", "a,b"};
    const ride_encoder_column columns[] = {
        {.name = "v", .column = 0},
        {.name = "k", .column = key, .encoding = RIDE_ENCODING_HEX},
        {.name = "rule", .column = rule, .encoding = RIDE_ENCODING_TEXTS, .texts = rules, .texts_count = 2},
        {.name = "model", .set = RIDE_ENCODER_CONSTANT, .constant = "f00d"},
        {.name = "none", .set = RIDE_ENCODER_CONSTANT}};
    ride_encoder_options options = {.format = RIDE_FORMAT_CSV,
                                    .columns = columns,
                                    .columns_count = 5,
                                    .layouts = {&layout}};
    ride_sink *sink;
    ride_encoder *encoder;
    cr_assert_eq(ride_sink_open_memory(memory, sizeof memory, &sink, &err), RIDE_OK);
    cr_assert_eq(ride_encoder_open(&options, sink, &encoder, &err), RIDE_OK);
    const uint32_t rows[] = {599, 300, 301, 3};
    ride_encoder_set set = {batch->tiles, NULL};
    cr_expect_eq(ride_encoder_write(encoder, &set, rows, 0, 4), RIDE_OK);
    memory[ride_sink_offset(sink)] = '\0';
    ride_encoder_close(encoder);
    cr_expect_eq(ride_sink_close(sink, &err), RIDE_OK);
    cr_expect_str_eq(memory, "v,k,rule,model,none\n"
                             "10000000,000000000000abcd0000000000000257,,f00d,\n"
                             ",000000000000abcd000000000000012c,block,f00d,\n"
                             "-0,,\"a,b\",f00d,\n"
                             "0.75,000000000000abcd0000000000000003,block,f00d,\n");
    ride_batch_destroy(batch);
}
Test(encoder, a_full_sink_is_a_named_failure) {
    ride_sink *sink;
    cr_assert_eq(ride_sink_open_memory(memory, 10, &sink, &err), RIDE_OK);
    ride_sink_write(sink, "12345678901", 11);
    cr_expect_eq(ride_sink_flush(sink, &err), RIDE_E_IO);
    cr_expect(strstr(err.what, "the disk is full") != NULL, "%s", err.what);
    cr_expect_null(ride_sink_reserve(sink, 1));
    cr_expect_eq(ride_sink_close(sink, &err), RIDE_E_IO);
    cr_assert_eq(ride_sink_open("/dev/full", NULL, &sink, &err), RIDE_OK);
    ride_sink_write(sink, "x", 1);
    cr_expect_eq(ride_sink_close(sink, &err), RIDE_E_IO);
    cr_expect(strstr(err.what, "the disk is full") != NULL, "%s", err.what);
}

static char letters[1 << 16];
static size_t letters_bytes;
static void on_reject(void *context, const ride_reject *reject) {
    (void)context;
    letters_bytes = ride_reject_format(reject, letters);
    letters[letters_bytes] = '\0';
}
static void refuse(const char *text, ride_format format) {
    ride_source *source;
    ride_decoder *decoder;
    ride_decoder_options options = {.spec = &c.spec, .format = format, .on_reject = on_reject};
    letters[0] = '\0';
    cr_assert_eq(ride_source_open_memory("tx.csv", text, strlen(text), 0, &source, &err), RIDE_OK);
    cr_assert_eq(ride_decoder_open(&options, source, &decoder, &err), RIDE_OK);
    ride_batch_clear(c.batch);
    cr_expect_eq(ride_decoder_decode(decoder, c.batch, 10, INT64_MAX, NULL, &err), RIDE_END);
    ride_decoder_close(decoder);
    ride_source_close(source);
}
Test(encoder, dead_letters_hide_what_is_sensitive) {
    refuse(CASE_HEADER "7,2018-04-01 00:00:31,596,-3.10,0,\"a\"\"\",chip,1.5,-3,4111222233334444\n", RIDE_FORMAT_CSV);
    cr_expect_str_eq(letters, "{\"reason\":\"below_min\",\"text\":\"below the declared "
                              "minimum\",\"file\":\"tx.csv\",\"line\":2,\"column\":27,"
                              "\"field\":\"amount\",\"original\":\"7,2018-04-01 "
                              "00:00:31,596,-3.10,0,\\\"a\\\"\\\"\\\",chip,1.5,-3,***\",\"cut\":false}");
    refuse(CASE_HEADER "7,2018-04-01 00:00:31,596,4111222233334444\n", RIDE_FORMAT_CSV);
    cr_expect_str_eq(
        letters,
        "{\"reason\":\"too_few_fields\",\"text\":\"fewer fields than the header has\",\"file\":\"tx.csv\",\"line\":2,"
        "\"column\":null,\"field\":null,\"original\":\"***\",\"cut\":false}");
    refuse(
        "{\"card\": \"4111\", \"id\": \"x\", \"t\":\"2018-04-01 00:00:31\",\"customer\":1,\"amount\":1,\"fraud\":0}\n",
        RIDE_FORMAT_NDJSON);
    cr_expect(strstr(letters, "\"original\":\"{\\\"card\\\": ***, \\\"id\\\": \\\"x\\\"") != NULL, "%s", letters);
    refuse("{\"card\": \"4111\", \"id\": 1,}\n", RIDE_FORMAT_NDJSON);
    cr_expect(strstr(letters, "\"original\":\"***\"") != NULL, "%s", letters);
}

/* One byte after the other, as the formats say it. */
static size_t json_slowly(const char *text, size_t bytes, char *to) {
    char *at = to;
    *at++ = '"';
    for (size_t i = 0; i < bytes; i++) {
        const uint8_t byte = (uint8_t)text[i];
        if (byte == '"' || byte == '\\') at += sprintf(at, "\\%c", byte);
        else if (byte == '\n' || byte == '\r' || byte == '\t')
            at += sprintf(at, "\\%c", byte == '\n' ? 'n' : byte == '\r' ? 'r' : 't');
        else if (byte < 0x20) at += sprintf(at, "\\u%04x", byte);
        else *at++ = (char)byte;
    }
    *at++ = '"';
    return (size_t)(at - to);
}
static size_t csv_slowly(const char *text, size_t bytes, char *to) {
    bool quotes = bytes == 0;
    char *at = to;
    for (size_t i = 0; i < bytes; i++) quotes = quotes || strchr(",\"\n\r", text[i] != 0 ? text[i] : 'x') != NULL;
    if (quotes) *at++ = '"';
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '"') *at++ = '"';
        *at++ = text[i];
    }
    if (quotes) *at++ = '"';
    return (size_t)(at - to);
}

Test(encoder, any_byte_at_any_place_of_a_text_is_escaped_as_it_must_be) {
    char text[40], quoted[6 * sizeof text + 2], slowly[6 * sizeof text + 8];
    for (size_t bytes = 0; bytes <= sizeof text; bytes++)
        for (size_t at = 0; at < (bytes > 0 ? bytes : 1); at++)
            for (int byte = 0; byte < 256; byte++) {
                for (size_t i = 0; i < bytes; i++) text[i] = (char)(i % 3 == 0 ? 0x7f + i : 'a' + i % 26);
                if (bytes > 0) text[at] = (char)byte;
                size_t n = ride_json_quote(text, bytes, quoted);
                cr_assert(n == json_slowly(text, bytes, slowly) && memcmp(quoted, slowly, n) == 0, "%zu %zu %d", bytes,
                          at, byte);
                n = ride_csv_quote(text, bytes, quoted);
                cr_assert(n == csv_slowly(text, bytes, slowly) && memcmp(quoted, slowly, n) == 0, "%zu %zu %d", bytes,
                          at, byte);
            }
}
