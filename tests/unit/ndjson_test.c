/* The two readings of an NDJSON object, at a glance and with care, give the same rows and the same refusals, over streams in which
 * order, white space, members and values change from line to line; and at a glance takes what it is there for. */
#include "io/ndjson_internal.h"
#include "tests/support/io_case.h"

#include <criterion/criterion.h>

enum { LINES = 4000, LINE_BYTES = 2048, VALUES = 26 };

static const struct {
    const char *name, *values[VALUES]; /* the first three are good */
} members[] = {
    {"id",
     {"1",
      "42",
      "99999999",
      "123456789012345",
      "1234567890123456",
      "18446744073709551615",
      "18446744073709551616",
      "-1",
      "-0",
      "01",
      "1.0",
      "1e3",
      "\"7\"",
      "\"x\"",
      "null",
      "true",
      "",
      "0",
      "00",
      "\"\"",
      "12345678"}},
    {"t",
     {"\"2018-04-01T00:00:31Z\"",
      "\"2018-04-02 23:59:59\"",
      "\"2018-04-02T01:02:03.25Z\"",
      "\"2018-04-02T01:02:03.123456\"",
      "\"2018-04-02T01:02:03.1234567Z\"",
      "\"2018-04-02\"",
      "\"2018-02-30T00:00:00Z\"",
      "\"2018-04-01T24:00:00Z\"",
      "\"2018-04-01T00:00:31+02:00\"",
      "\"2018-04-01T00:0x:31Z\"",
      "\"2018-04-01x00:00:31Z\"",
      "\"2018-04-01T00:00:31z\"",
      "1522540831",
      "null",
      "\"2018-04-01T00:00:31\\u005a\"",
      "\"2018-04-01T00:00\"",
      "\"2018-04-01T00:00:60Z\"",
      "\"\"",
      "\"0001-01-01T00:00:00Z\"",
      "\"2018-04-01T00:00:31",
      "\"2018-04-01T00:00:31.Z\""}},
    {"customer",
     {"5", "4294967295", "0", "4294967296", "-1", "5.0", "\"5\"", "5 ", "1E1", "[5]", "null", "99999999999999999999"}},
    {"amount", {"1.25",        "10000000.5",
                "-2.5",        "0.1",
                "12345678.25", "123456789012345678.25",
                "1.",          ".5",
                "1.005",       "1.00000000",
                "00.5",        "-",
                "-.5",         "1e-2",
                "\"3.5\"",     "NaN",
                "null",        "1.2.3",
                "7",           "-0.01",
                "1.2x",        "9223372036854775807"}},
    {"fraud", {"true", "false", "1", "0", "\"true\"", "tru", "truee", "nul", "null", "FALSE", "\"1\"", "2", "{}"}},
    {"note",
     {"\"a note\"", "\"\"", "null",
      "\"\xC3\xBC"
      "ber den Wolken\"",
      "\"esc \\\" \\u00e9\"", "\"bad \xFF\"", "\"\xED\xA0\x80\"", "\"tab\t\"", "\"\x7F\"", "\"half \xC3\"",
      "\"sieben\xC3\xA4\"", "\"acht....\xC3\xA4\"", "5", "true", "\"open", "[1,2]", "\"\\ud800\""}},
    {"kind",
     {"\"chip\"", "\"online\"", "null", "\"chi\"", "\"chips\"", "\"\"", "\"swip\\u0065\"", "1", "\"\xC3\xBC\""}},
    {"score", {"0.5", "1e300", "-1e-300", "1e999", "0", "-0", "\"0.25\"", "\"inf\"", "null", "1e", "0x10", "5"}},
    {"level", {"7", "-128", "127", "128", "-129", "\"7\"", "null"}},
    {"card", {"\"4111222233334444\"", "null", "\"41\\u0031\"", "{\"n\":\"4111\"}", "4111"}},
    {"other",
     {"1", "\"text\"", "null", "{\"a\":[1,{\"b\":2}]}", "[]", "tru", "\"\\n\"", "\"\xC3\xA9\"", "01", "\"\xC3\""}},
    {"a_name_that_is_longer_than_what_is_remembered_before_a_value_of_a_member", {"1", "\"text\"", "null"}},
    {"\\u0069d", {"1", "2", "3"}},
};
enum { MEMBERS = sizeof members / sizeof *members };

static uint64_t state = 1;
static uint32_t below(uint32_t n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((state >> 33) % n);
}
static const char *space(bool wide) {
    static const char *const spaces[] = {" ", "\t", "  ", "\r", " \t "};
    return wide && below(3) == 0 ? spaces[below(5)] : "";
}

/* A line: mostly the order of the line before, mostly good. */
static size_t line_make(uint8_t order[MEMBERS], char *to) {
    if (below(6) == 0) {
        const uint32_t a = below(MEMBERS), b = below(MEMBERS);
        const uint8_t was = order[a];
        order[a] = order[b];
        order[b] = was;
    }
    const bool wide = below(8) == 0, some = below(3) == 0;
    const uint32_t bad = below(4) == 0 ? order[below(MEMBERS)] : MEMBERS;
    char *at = to;
    at += sprintf(at, "%s{", space(wide));
    bool first = true;
    for (uint32_t i = 0; i < MEMBERS; i++) {
        const uint32_t m = order[i];
        if (m >= 5 && m < 10 && some && below(2) == 0) continue;
        if (m >= 10 && below(5) != 0) continue;
        if (m < 5 && below(60) == 0) continue;
        uint32_t count = 0;
        while (count < VALUES && members[m].values[count] != NULL) count++;
        for (uint32_t times = below(120) == 0 ? 2 : 1; times > 0; times--) {
            const char *separator = below(300) == 0 ? ":" : ",";
            at += sprintf(at, "%s%s\"%s\"%s:%s", first ? "" : separator, space(wide), members[m].name, space(wide),
                          space(wide));
            at += sprintf(at, "%s%s", members[m].values[below(m == bad ? count : 3)], space(wide));
            first = false;
        }
    }
    static const char *const ends[] = {"", ",", "}", "}}", "} x", "]"};
    at += sprintf(at, "%s%s\n", below(40) == 0 ? ends[below(6)] : "}", "");
    return (size_t)(at - to);
}

static char *stream_make(uint64_t seed, size_t *bytes) {
    char *text = malloc((size_t)LINES * LINE_BYTES);
    uint8_t order[MEMBERS];
    for (uint8_t i = 0; i < MEMBERS; i++) order[i] = i;
    state = seed;
    *bytes = 0;
    for (uint32_t i = 0; i < LINES; i++) *bytes += line_make(order, text + *bytes);
    return text;
}

static io_case glance, care;

Test(ndjson, at_a_glance_and_with_care_are_alike) {
    case_begin(&glance, true);
    case_begin(&care, true);
    for (uint64_t seed = 1; seed <= 40; seed++) {
        size_t bytes;
        char *text = stream_make(seed, &bytes), *a, *b;
        case_run run = {.format = RIDE_FORMAT_NDJSON};
        ride_decoder_stats stats, portable;
        cr_assert_eq(case_decode(&glance, &run, text, bytes, &a, &stats, NULL), RIDE_END);
        run.portable_only = true;
        cr_assert_eq(case_decode(&care, &run, text, bytes, &b, &portable, NULL), RIDE_END);
        cr_expect_str_eq(a, b, "seed %d", (int)seed);
        cr_expect_str_eq(glance.log, care.log, "seed %d", (int)seed);
        cr_expect(stats.accepted == portable.accepted && stats.rejected == portable.rejected);
        cr_expect(stats.accepted > LINES / 4 && stats.rejected > LINES / 8, "%d good, %d bad", (int)stats.accepted,
                  (int)stats.rejected);
        free(text);
        free(a);
        free(b);
    }
    case_end(&glance);
    case_end(&care);
}

/* Every text cut at every place, behind a whole one, with the rest of it still in the padding. */
Test(ndjson, what_stands_behind_the_end_is_not_read_as_text) {
    static const char whole[] = "{\"id\":123456789,\"t\":\"2018-04-01T00:00:31Z\",\"customer\":5961234,\"amount\":57."
                                "16,\"fraud\":false,\"note\":\"some "
                                "text\",\"kind\":\"chip\",\"score\":0.5,\"level\":-7,\"card\":null}";
    static char row[1 << 17];
    case_begin(&glance, true);
    ride_decoder *decoder = case_records(&glance, RIDE_FORMAT_NDJSON, 0);
    for (size_t n = sizeof whole - 1; n > 0; n--) {
        cr_assert_eq(case_record(&glance, decoder, whole, sizeof whole - 1, 1, row, sizeof row), RIDE_OK);
        const bool all = n == sizeof whole - 1;
        cr_expect_eq(case_record(&glance, decoder, whole, n, 1, row, sizeof row), all ? RIDE_OK : RIDE_E_DATA, "%zu",
                     n);
    }
    ride_decoder_close(decoder);
    case_end(&glance);
}

static bool taken(ride_decoder *decoder, const char *object) {
    char padded[LINE_BYTES + RIDE_JSON_PADDING] = {0};
    strcpy(padded, object);
    return ride_ndjson_glance(decoder, decoder->format_data, padded, strlen(object));
}

/* The test above would pass if nothing were ever read at a glance. */
Test(ndjson, the_glance_takes_what_senders_send) {
    case_begin(&glance, true);
    ride_decoder *decoder = case_records(&glance, RIDE_FORMAT_NDJSON, 0);
#define REST "\"t\":\"2018-04-01T00:00:31Z\",\"customer\":596,\"amount\":57.16,\"fraud\":false"
    static const char *const good[] = {
        "{\"id\":1," REST "}",
        " { \"id\" : 1 , " REST "}\r",
        "{\"id\":1," REST "}",
        "{\"id\": 1," REST "}",
        "{" REST
        ",\"id\":1,\"note\":\"\xC3\xBC\",\"kind\":\"chip\",\"score\":1e3,\"level\":-7,\"other\":\"x\",\"card\":null}",
        "{\"id\":\"123456789012345678\"," REST "}",
    };
    static const char *const not [] = {
        "{\"id\":1," REST,
        "{\"id\":1," REST "}}",
        "{\"id\":1,\"id\":1," REST "}",
        "{" REST "}",
        "{\"id\":01," REST "}",
        "{\"id\":1;" REST "}",
        "[\"id\":1," REST "}",
        "{\"id\":1," REST ",}",
        "{,\"id\":1," REST "}",
        "{\"id\":1.5," REST "}",
        "{\"id\":-1," REST "}",
        "{\"id\":1 1," REST "}",
        "{\"id\":1," REST ",\"other\":{}}",
    };
    for (size_t twice = 0; twice < 2; twice++) {
        for (size_t i = 0; i < sizeof good / sizeof *good; i++) cr_expect(taken(decoder, good[i]), "%s", good[i]);
        for (size_t i = 0; i < sizeof not / sizeof *not ; i++) cr_expect(!taken(decoder, not [i]), "%s", not [i]);
    }
    ride_decoder_close(decoder);
    case_end(&glance);
}
