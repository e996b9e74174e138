/* Log lines: what a person sees, what a machine reads, and that nobody's text can forge either. */
#include "base/log.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static ride_clock_virtual clock_virtual;
static int ends[2];
static char text[1 << 16];

static void setup(ride_log_format format, ride_log_level level) {
    ride_clock_virtual_init(&clock_virtual, 1700000000123456); /* 2023-11-14 22:13:20.123456 */
    cr_assert_eq(pipe2(ends, O_NONBLOCK), 0);
    ride_log_setup(
        &(ride_log_options){.level_min = level, .format = format, .fd = ends[1], .clock = &clock_virtual.clock});
}
static const char *said(void) {
    ssize_t n = read(ends[0], text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

Test(log, json_line_has_time_level_message_and_typed_fields) {
    setup(RIDE_LOG_AUTO, RIDE_LOG_DEBUG); /* a pipe is no terminal */
    ride_log_info("batch done", ride_log_u64("rows", 256), ride_log_i64("lag", -3), ride_log_f64("share", 0.1),
                  ride_log_bool("last", true), ride_log_text("file", "a b\"c"), ride_log_text("none", NULL));
    cr_assert_str_eq(
        said(), "{\"@timestamp\":\"2023-11-14T22:13:20.123456Z\",\"log.level\":\"info\",\"message\":\"batch done\","
                "\"ecs.version\":\"8.11.0\",\"service.name\":\"ride\",\"ride.rows\":256,\"ride.lag\":-3,"
                "\"ride.share\":0.1,\"ride.last\":true,\"ride.file\":\"a b\\\"c\",\"ride.none\":null}\n");
}

Test(log, human_line_is_plain_without_a_terminal) {
    setup(RIDE_LOG_HUMAN, RIDE_LOG_INFO);
    ride_log_warn("backend passed over", ride_log_text("name", "cuda"), ride_log_text("why", "no driver"));
    cr_assert_str_eq(said(), "22:13:20.123 warn  backend passed over name=cuda why=\"no driver\"\n");
}

Test(log, levels_filter_and_fields_of_a_silent_line_are_not_computed) {
    setup(RIDE_LOG_JSON, RIDE_LOG_WARN);
    int computed = 0;
    ride_log_info("quiet", ride_log_i64("n", ++computed));
    cr_assert_str_empty(said());
    cr_assert_eq(computed, 0);
    ride_log_set_level(RIDE_LOG_DEBUG);
    ride_log_debug("heard");
    cr_assert(strstr(said(), "\"log.level\":\"debug\",\"message\":\"heard\",") != NULL);
    ride_log_level level = RIDE_LOG_OFF;
    cr_assert(ride_log_level_parse("error", &level) && level == RIDE_LOG_ERROR);
    cr_assert(!ride_log_level_parse("loud", &level));
}

Test(log, foreign_text_cannot_forge_a_line) {
    setup(RIDE_LOG_HUMAN, RIDE_LOG_INFO);
    ride_log_info("row", ride_log_text("id", "x\n22:13:20.123 error  forged\033[31m\x7f"));
    cr_assert_str_eq(said(), "22:13:20.123 info  row id=\"x\\u000a22:13:20.123 error  forged\\u001b[31m\\u007f\"\n");
    setup(RIDE_LOG_JSON, RIDE_LOG_INFO);
    /* good two, three and four byte characters; a lone continuation, an overlong slash, a surrogate, a cut character, C1 */
    ride_log_info("utf",
                  ride_log_text("t",
                                "\xc3\xa9\xe2\x82\xac\xf0\x9f\x92\xb3|\x80|\xc0\xaf|\xed\xa0\x80|\xc2\x85|\xe2\x82"));
    const char *line = strstr(said(), "\"ride.t\":");
    cr_assert_str_eq(line,
                     "\"ride.t\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x92\xb3|\\ufffd|\\ufffd\\ufffd|\\ufffd\\ufffd\\ufffd|"
                     "\\u0085|\\ufffd\\ufffd\"}\n");
}

Test(log, long_lines_are_cut_and_stay_well_formed) {
    static char wide[5000];
    for (int bytes = 900; bytes < 2100; bytes++) { /* every place of the cut: in the message, in a field, behind it */
        memset(wide, '\n', (size_t)bytes);         /* six bytes each once escaped */
        wide[bytes] = '\0';
        if (bytes % 2) memset(wide, 'w', (size_t)bytes);
        setup(RIDE_LOG_JSON, RIDE_LOG_INFO);
        ride_log_info(bytes % 3 ? wide : "m", ride_log_text("a", wide + bytes / 2), ride_log_text("b", wide));
        const char *line = said();
        size_t length = strlen(line);
        cr_assert(length > 0 && length <= RIDE_LOG_LINE_BYTES && line[length - 1] == '\n' && line[length - 2] == '}');
        size_t quotes = 0;
        for (const char *at = line; *at; at++) quotes += *at == '"';
        cr_assert_eq(quotes % 2, 0, "%d: %s", bytes, line);
        cr_assert(strstr(line, "w\"}") != NULL || strstr(line, "\\u000a\"}") != NULL ||
                  strstr(line, ",\"ride.cut\":true}"));
        close(ends[0]);
        close(ends[1]);
    }
}

Test(log, a_sink_that_fails_is_counted_and_changes_no_errno) {
    setup(RIDE_LOG_JSON, RIDE_LOG_INFO);
    close(ends[1]);
    errno = 7;
    unsigned long before = ride_log_lost();
    ride_log_info("into nothing");
    cr_assert_eq(ride_log_lost(), before + 1);
    cr_assert_eq(errno, 7);
}

Test(log, a_card_number_is_never_shown) {
    static const struct {
        const char *text, *shown;
        bool quoted; /* as a field's value */
    } cases[] = {
        {"4111111111111111", "************1111", false},            /* Visa */
        {"card=5555555555554444,", "card=************4444,", true}, /* Mastercard */
        {"amex 378282246310005.", "amex ***********0005.", true},   /* 15 digits */
        {"4222222222222", "*********2222", false},                  /* 13 digits */
        {"6304000000000000000", "***************0000", false},      /* 19 digits */
        {"4111 1111-1111 1111 x", "**** ****-**** 1111 x", true},   /* as people write it */
        {"4111111111111111,5555555555554444", "************1111,************4444", false},
        {"4111111111111112", "4111111111111112", false},   /* another check digit */
        {"1411111111111111", "1411111111111111", false},   /* no card begins with 1 */
        {"411111111111", "411111111111", false},           /* too short */
        {"a4111111111111111", "a4111111111111111", false}, /* part of a hash */
        {"4111111111111111f", "4111111111111111f", false},
        {"41111111111111110000", "41111111111111110000", false}, /* 20 digits */
        {"4111  1111 1111 1111", "4111  1111 1111 1111", true},  /* a table */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char expected[160];
        const char *quote = cases[i].quoted ? "\"" : "";
        setup(RIDE_LOG_HUMAN, RIDE_LOG_INFO);
        ride_log_info("m", ride_log_text("t", cases[i].text));
        ride_log_write(RIDE_LOG_INFO, cases[i].text, NULL);
        snprintf(expected, sizeof expected, "22:13:20.123 info  m t=%s%s%s\n22:13:20.123 info  %s\n", quote,
                 cases[i].shown, quote, cases[i].shown);
        cr_assert_str_eq(said(), expected);
        close(ends[0]);
        close(ends[1]);
    }
}

Test(log, repeats_of_a_message_are_held_back_and_counted) {
    setup(RIDE_LOG_HUMAN, RIDE_LOG_INFO);
    ride_log_setup(&(ride_log_options){.level_min = RIDE_LOG_INFO,
                                       .format = RIDE_LOG_HUMAN,
                                       .fd = ends[1],
                                       .clock = &clock_virtual.clock,
                                       .repeats_max = 3});
    uint64_t held_before = ride_log_held();
    for (int i = 0; i < 10; i++)
        ride_log_warn("broker away", ride_log_i64("try", i)); /* fields do not make it another */
    ride_log_info("broker away");                             /* another level does */
    ride_log_warn("something else");
    cr_assert_str_eq(said(), "22:13:20.123 warn  broker away try=0\n22:13:20.123 warn  broker away try=1\n"
                             "22:13:20.123 warn  broker away try=2\n22:13:20.123 info  broker away\n"
                             "22:13:20.123 warn  something else\n");
    cr_assert_eq(ride_log_held() - held_before, 7);
    ride_clock_virtual_advance(&clock_virtual, RIDE_LOG_WINDOW_NS - 1);
    ride_log_warn("broker away");
    cr_assert_str_empty(said());
    ride_clock_virtual_advance(&clock_virtual, 1);
    for (int i = 0; i < 5; i++) ride_log_warn("broker away", ride_log_i64("try", i));
    cr_assert_str_eq(said(), "22:13:30.123 warn  broker away held=8 try=0\n22:13:30.123 warn  broker away try=1\n"
                             "22:13:30.123 warn  broker away try=2\n");
    ride_log_tell_held(); /* at the end what was not told is told */
    cr_assert_str_eq(said(), "22:13:30.123 warn  lines of messages that came too often were held back held=2\n");
    ride_log_tell_held();
    cr_assert_str_empty(said());
    cr_assert_eq(ride_log_held() - held_before, 10);
}
