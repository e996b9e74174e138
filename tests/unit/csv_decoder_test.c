/* The CSV decoder: values, refusals with their places, and that the fast way and the careful way are one. */
#include "tests/support/io_case.h"

#include <criterion/criterion.h>

static io_case c;
static char *rows;
static ride_decoder_stats stats;
static ride_error err;

static void setup(void) { case_begin(&c, true); }
static void teardown(void) {
    free(rows);
    case_end(&c);
}
TestSuite(csv, .init = setup, .fini = teardown);

#define HEADER "id,t,customer,amount,fraud,note,kind,score,level,card\n"
#define ROW1   "1,2018-04-01 00:00:31,596,57.16,0,a,chip,1.5,-3,4111\n"

static ride_status decode_text(const char *text, bool portable) {
    free(rows);
    case_run run = {.format = RIDE_FORMAT_CSV, .portable_only = portable};
    return case_decode(&c, &run, text, strlen(text), &rows, &stats, &err);
}
static void expect(const char *text, const char *want_rows, const char *want_log) {
    for (int portable = 0; portable < 2; portable++) {
        cr_assert_eq(decode_text(text, portable), RIDE_END, "%s", err.what);
        cr_expect_str_eq(rows, want_rows, "portable %d: got\n%s", portable, rows);
        cr_expect_str_eq(c.log, want_log, "portable %d: got %s", portable, c.log);
    }
}
#define R1 "1522540831000000|1|1522540831000000|596|5716|0|a|0|0x1.8p+0|-3|4111\n"

Test(csv, reads_every_kind_of_field) { expect(HEADER ROW1, R1, ""); }
Test(csv, needs_no_line_end_at_the_end) {
    expect(HEADER "1,2018-04-01 00:00:31,596,57.16,0,a,chip,1.5,-3,4111", R1, "");
}
Test(csv, takes_crlf_and_a_byte_order_mark_and_blank_lines) {
    expect("\xEF\xBB\xBFid,t,customer,amount,fraud,note,kind,score,level,card\r\n\r\n"
           "1,2018-04-01 00:00:31,596,57.16,0,a,chip,1.5,-3,4111\r\n\n",
           R1, "");
    cr_expect_eq(stats.blank_lines, 2);
}
Test(csv, takes_fields_in_any_order_and_passes_over_unknown_columns) {
    expect("x,card,level,score,kind,note,fraud,amount,customer,t,id,y\n"
           "??,4111,-3,1.5,chip,a,0,57.16,596,2018-04-01T00:00:31,1,\n"
           "\"?\",\"4111\",\"-3\",\"1.5\",\"chip\",\"a\",\"0\",\"57.16\",\"596\",\"2018-04-01T00:00:31\",\"1\",\n",
           R1 R1, "");
}
Test(csv, empty_is_null_where_it_may_be) {
    expect(HEADER "1,2018-04-01 00:00:31,596,57.16,0,,,,,\n"
                  "2,2018-04-01 00:00:31,,57.16,0,,,,,\n"
                  "3,2018-04-01 00:00:31,1,57.16,0,\"\",,,,\n",
           "1522540831000000|1|1522540831000000|596|5716|0|-|-|-|-|-\n"
           "1522540831000000|3|1522540831000000|1|5716|0||-|-|-|-\n",
           "3:missing_value:23:customer;");
}
Test(csv, quotes_as_rfc_4180_has_them) {
    expect(HEADER "1,\"2018-04-01 00:00:31\",596,57.16,0,\"a,\"\"b\"\"\nc\",\"chip\",1.5,-3,\"4111\"\n" ROW1,
           "1522540831000000|1|1522540831000000|596|5716|0|a,\"b\"\nc|0|0x1.8p+0|-3|4111\n" R1, "");
}
Test(csv, a_quote_that_is_not_closed_costs_its_line_only) {
    expect(HEADER "1,2018-04-01 00:00:31,596,57.16,0,\"a,chip,1.5,-3,4111\n" ROW1, R1, "2:bad_quotes:0:;");
    expect(HEADER "1,2018-04-01 00:00:31,596,57.16,0,\"a\"x,chip,1.5,-3,4111\n" ROW1, R1, "2:bad_quotes:0:;");
    expect(HEADER "1,2018-04-01 00:00:31,596,57.16,0,a\"x,chip,1.5,-3,4111\n" ROW1, R1, "2:bad_quotes:0:;");
}
Test(csv, decimals_are_exact_and_round_half_away_from_zero) {
    static const struct {
        const char *text;
        long long want;
    } cases[] = {{"85.64999999999999", 8565},
                 {"0.005", 1},
                 {"0.0049999", 0},
                 {"146.0", 14600},
                 {"7", 700},
                 {".5", 50},
                 {"5.", 500},
                 {"1e3", 100000},
                 {"1.2345E2", 12345},
                 {"123456e-4", 1235},
                 {"0.014999999999999999999999999999999", 1},
                 {"000000000000000000000000000000001.5", 150},
                 {"92233720368547758.07", 9223372036854775807LL},
                 {"-0", 0},
                 {"1234567890123.45", 123456789012345LL},
                 {"99999999999999.99", 9999999999999999LL},
                 {"0e999999999999", 0}};
    char text[512], want[256];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text, HEADER "1,2018-04-01 00:00:31,596,%s,0,a,chip,1.5,-3,4111\n", cases[i].text);
        snprintf(want, sizeof want, "1522540831000000|1|1522540831000000|596|%lld|0|a|0|0x1.8p+0|-3|4111\n",
                 cases[i].want);
        expect(text, want, "");
    }
}
Test(csv, hostile_rows_have_a_reason_and_a_place) {
    static const struct {
        const char *row, *log;
    } cases[] = {
        {"1,2018-04-01 00:00:31,596,57.16,0,a,chip,1.5,-3", "2:too_few_fields:0:;"},
        {"1,2018-04-01 00:00:31,596,57.16,0,a,chip,1.5,-3,4111,x", "2:too_many_fields:0:;"},
        {"x,2018-04-01 00:00:31,596,57.16,0,a,chip,1.5,-3,4111", "2:not_an_integer:1:id;"},
        {"18446744073709551616,2018-04-01 00:00:31,596,57.16,0,a,chip,1.5,-3,4111", "2:out_of_range:1:id;"},
        {"-1,2018-04-01 00:00:31,596,57.16,0,a,chip,1.5,-3,4111", "2:out_of_range:1:id;"},
        {"1,2018-02-29 00:00:31,596,57.16,0,a,chip,1.5,-3,4111", "2:not_a_timestamp:3:t;"},
        {"1,2018-04-01 24:00:00,596,57.16,0,a,chip,1.5,-3,4111", "2:not_a_timestamp:3:t;"},
        {"1,2018-04-01 00:60:00,596,57.16,0,a,chip,1.5,-3,4111", "2:not_a_timestamp:3:t;"},
        {"1,2018-04-01x00:00:00,596,57.16,0,a,chip,1.5,-3,4111", "2:not_a_timestamp:3:t;"},
        {"1,0000-04-01 00:00:00,596,57.16,0,a,chip,1.5,-3,4111", "2:time_out_of_range:3:t;"},
        {"1,2018-04-01 00:00:31,4294967296,57.16,0,a,chip,1.5,-3,4111", "2:out_of_range:23:customer;"},
        {"1,2018-04-01 00:00:31,5.0,57.16,0,a,chip,1.5,-3,4111", "2:not_an_integer:23:customer;"},
        {"1,2018-04-01 00:00:31, 5,57.16,0,a,chip,1.5,-3,4111", "2:not_an_integer:23:customer;"},
        {"1,2018-04-01 00:00:31,596,-0.01,0,a,chip,1.5,-3,4111", "2:below_min:27:amount;"},
        {"1,2018-04-01 00:00:31,596,NaN,0,a,chip,1.5,-3,4111", "2:not_finite:27:amount;"},
        {"1,2018-04-01 00:00:31,596,-inf,0,a,chip,1.5,-3,4111", "2:not_finite:27:amount;"},
        {"1,2018-04-01 00:00:31,596,0x10,0,a,chip,1.5,-3,4111", "2:not_a_number:27:amount;"},
        {"1,2018-04-01 00:00:31,596,1.2.3,0,a,chip,1.5,-3,4111", "2:not_a_number:27:amount;"},
        {"1,2018-04-01 00:00:31,596,.,0,a,chip,1.5,-3,4111", "2:not_a_number:27:amount;"},
        {"1,2018-04-01 00:00:31,596,1e99,0,a,chip,1.5,-3,4111", "2:out_of_range:27:amount;"},
        {"1,2018-04-01 00:00:31,596,5,2,a,chip,1.5,-3,4111", "2:not_a_bool:29:fraud;"},
        {"1,2018-04-01 00:00:31,596,5,1,\xFF,chip,1.5,-3,4111", "2:invalid_utf8:31:note;"},
        {"1,2018-04-01 00:00:31,596,5,1,\xED\xA0\x80,chip,1.5,-3,4111", "2:invalid_utf8:31:note;"},
        {"1,2018-04-01 00:00:31,596,5,1,a,radio,1.5,-3,4111", "2:unknown_category:33:kind;"},
        {"1,2018-04-01 00:00:31,596,5,1,a,chip,1e999,-3,4111", "2:out_of_range:38:score;"},
        {"1,2018-04-01 00:00:31,596,5,1,a,chip,nan,-3,4111", "2:not_finite:38:score;"},
        {"1,2018-04-01 00:00:31,596,5,1,a,chip,1.5,-129,4111", "2:out_of_range:42:level;"},
    };
    char text[512];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text, HEADER "%s\n" ROW1, cases[i].row);
        expect(text, R1, cases[i].log);
        cr_expect_eq(stats.rejected, 1);
        cr_expect_eq(stats.accepted, 1);
    }
}
Test(csv, times_with_fractions_and_zones) {
    expect(HEADER "1,2018-04-01T00:00:31.123456789Z,1,1,1,,,,,\n"
                  "2,2018-04-01 02:00:31+02:00,1,1,1,,,,,\n"
                  "3,1969-12-31 23:59:59.5,1,1,1,,,,,\n"
                  "4,2018-04-01,1,1,true,,,,,\n",
           "1522540831123456|1|1522540831123456|1|100|1|-|-|-|-|-\n"
           "1522540831000000|2|1522540831000000|1|100|1|-|-|-|-|-\n"
           "-500000|3|-500000|1|100|1|-|-|-|-|-\n"
           "1522540800000000|4|1522540800000000|1|100|1|-|-|-|-|-\n",
           "");
}
Test(csv, an_overlong_line_is_dropped_and_the_next_one_read) {
    size_t bytes = 3u << 20;
    char *text = malloc(bytes + 4096);
    size_t n = (size_t)sprintf(text, HEADER ROW1);
    memset(text + n, 'x', bytes);
    strcpy(text + n + bytes, "\n" ROW1);
    expect(text, R1 R1, "3:overlong_line:0:;");
    free(text);
}
Test(csv, headers_that_will_not_do_are_named) {
    cr_expect_eq(decode_text("", false), RIDE_E_DATA);
    cr_expect_str_eq(err.what, "the input is empty");
    cr_expect_eq(decode_text("1,2018-04-01 00:00:31,596,57.16,0\n", false), RIDE_E_DATA);
    cr_expect(strstr(err.what, "no header line") != NULL);
    cr_expect_eq(decode_text("id,t,customer,amount,fraud,note,kind,score\n", false), RIDE_E_DATA);
    cr_expect(strstr(err.what, "lacks level, card; it has id, t, customer") != NULL, "%s", err.what);
    cr_expect_eq(decode_text("id,id,t,customer,amount,fraud,note,kind,score,level,card\n", false), RIDE_E_DATA);
    cr_expect(strstr(err.what, "id twice") != NULL, "%s", err.what);
}

/* A stream with every kind of trouble, long enough for many blocks and window fills. */
static char *make_stream(size_t rows_count, size_t *bytes) {
    char *text = malloc(rows_count * 160 + 1024);
    size_t n = (size_t)sprintf(text, HEADER);
    uint32_t state = 12345;
    for (size_t i = 0; i < rows_count; i++) {
        state = state * 1664525u + 1013904223u;
        uint32_t r = state >> 8;
        char amount[32];
        if (r % 37 == 0) snprintf(amount, sizeof amount, "%u.%015u", r % 1000, r);
        else snprintf(amount, sizeof amount, "%u.%02u", r % 300, r / 7 % 100);
        const char *note = r % 11 == 0   ? "\"q,\"\"x\""
                           : r % 13 == 0 ? ""
                           : r % 17 == 0 ? "\xC3\xA9t\xC3\xA9 longer than sixteen bytes"
                                         : "ab";
        n += (size_t)sprintf(text + n, "%zu,2018-%02u-%02u %02u:%02u:%02u,%u,%s,%u,%s,%s,%g,%d,%u%s", i, r % 12 + 1,
                             r / 3 % 31 + 1, r / 5 % 24, r / 11 % 60, r / 13 % 60, r % 5000, amount, r / 31 % 2, note,
                             r % 5 == 0 ? "" : case_categories[r % 3], r % 9 == 0 ? 0.1 * r : r % 100,
                             (int)(r % 200) - 100, r,
                             r % 101 == 0 ? ",extra\n"
                             : r % 7 == 0 ? "\r\n"
                                          : "\n");
    }
    *bytes = n;
    return text;
}
Test(csv, the_fast_way_and_the_careful_way_agree_however_it_is_cut) {
    size_t bytes;
    char *text = make_stream(20000, &bytes), *first = NULL, *first_log = NULL;
    static const case_run runs[] = {{.portable_only = true}, {.rows_max = 0},
                                    {.rows_max = 1},         {.rows_max = 7},
                                    {.rows_max = 256},       {.rows_max = 1000, .record_bytes_max = 200}};
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        char *got;
        cr_assert_eq(case_decode(&c, &runs[i], text, bytes, &got, &stats, &err), RIDE_END);
        if (first == NULL) {
            first = got;
            first_log = strdup(c.log);
            cr_assert(stats.accepted > 15000 && stats.rejected > 500);
            continue;
        }
        cr_expect(strcmp(first, got) == 0, "run %zu", i);
        cr_expect_str_eq(first_log, c.log, "run %zu", i);
        free(got);
    }
    free(first);
    free(first_log);
    free(text);
}
Test(csv, goes_on_at_a_saved_position_and_holds_rows_back_by_time) {
    size_t bytes;
    char *text = make_stream(3000, &bytes);
    case_run run = {0};
    cr_assert_eq(case_decode(&c, &run, text, bytes, &rows, &stats, &err), RIDE_END);
    char *got = calloc(1, strlen(rows) + 1024);
    size_t used = 0;
    ride_position position = {0};
    ride_status st = RIDE_OK;
    int64_t stop = INT64_MIN, held = 0;
    uint32_t opens = 0, holds = 0;
    while (st == RIDE_OK) { /* a new decoder for each piece, as new processes would */
        ride_source *source;
        ride_decoder *decoder;
        ride_decoder_options options = {.spec = &c.spec, .format = RIDE_FORMAT_CSV};
        cr_assert_eq(ride_source_open_memory("case", text, bytes, 0, &source, &err), RIDE_OK);
        cr_assert_eq(ride_decoder_open(&options, source, &decoder, &err), RIDE_OK);
        if (opens++ > 0) cr_assert_eq(ride_decoder_resume(decoder, position, &err), RIDE_OK);
        for (int calls = 0; calls < 50 && st == RIDE_OK; calls++) {
            ride_batch_clear(c.batch);
            st = ride_decoder_decode(decoder, c.batch, 100, stop, NULL, &err);
            for (uint32_t row = 0; row < c.batch->rows_count; row++) {
                used += case_row_text(&c, c.batch, row, got + used, 512);
                got[used++] = '\n';
            }
            if (ride_decoder_held(decoder, &held)) {
                cr_assert(held > stop);
                holds++;
            }
            stop = c.batch->rows_count == 0 ? held : INT64_MIN;
        }
        position = ride_decoder_position(decoder);
        ride_decoder_close(decoder);
        ride_source_close(source);
    }
    got[used] = '\0';
    cr_expect_eq(st, RIDE_END);
    cr_expect(opens > 3 && holds > 100);
    cr_expect(strcmp(got, rows) == 0);
    free(got);
    free(text);
}
