/* Sources: compressed inputs by their first bytes, damage with its place, and the NDJSON decoder over them. */
#include "tests/support/io_case.h"

#include <criterion/criterion.h>
#include <unistd.h>

static ride_error err;

/* Reads a whole source in memory; returns the last status. */
static ride_status read_all(const void *bytes, size_t count, char *out, size_t *got) {
    ride_source *source;
    *got = 0;
    ride_status st = ride_source_open_memory("case", bytes, count, 0, &source, &err);
    if (st != RIDE_OK) return st;
    while (st == RIDE_OK) {
        memcpy(out + *got, source->data + source->begin, ride_source_unread(source));
        *got += ride_source_unread(source);
        ride_source_consume(source, ride_source_unread(source));
        if (source->at_end) break;
        st = ride_source_fill(source, &err);
    }
    ride_source_close(source);
    return st;
}

/* A gzip member of stored blocks (RFC 1951, 1952), made by hand: no deflate is needed for that. */
static size_t gzip_member(const char *text, size_t bytes, uint8_t *to) {
    uint8_t *at = to;
    memcpy(at, "\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
    at += 10;
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < bytes; i++) {
        crc ^= (uint8_t)text[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    for (size_t done = 0; done < bytes;) {
        uint16_t piece = (uint16_t)(bytes - done < 50000 ? bytes - done : 50000), inverse = (uint16_t)~piece;
        *at++ = done + piece == bytes;
        memcpy(at, &piece, 2);
        memcpy(at + 2, &inverse, 2);
        memcpy(at + 4, text + done, piece);
        at += 4 + piece;
        done += piece;
    }
    uint32_t tail[2] = {~crc, (uint32_t)bytes};
    memcpy(at, tail, 8);
    return (size_t)(at + 8 - to);
}

Test(source, gzip_is_told_by_its_first_bytes_and_may_have_members_and_be_truncated) {
    static char text[300000], out[700000];
    static uint8_t packed[700000];
    for (size_t i = 0; i < sizeof text; i++) text[i] = (char)('a' + i * i % 23);
    size_t bytes = 0, got;
    for (int member = 0; member < 2; member++) bytes += gzip_member(text, sizeof text, packed + bytes);
    cr_expect_eq(read_all(packed, bytes, out, &got), RIDE_OK, "%s", err.what);
    cr_expect_eq(got, 2 * sizeof text);
    cr_expect(memcmp(out, text, sizeof text) == 0 && memcmp(out + sizeof text, text, sizeof text) == 0);
    cr_expect_eq(read_all(packed, bytes - 5, out, &got), RIDE_E_CORRUPT);
    cr_expect(strstr(err.what, "gzip input is truncated") != NULL, "%s", err.what);
    packed[bytes - 6] ^= 1; /* within the checksum */
    cr_expect_eq(read_all(packed, bytes, out, &got), RIDE_E_CORRUPT);
    cr_expect(strstr(err.what, "damaged") != NULL, "%s", err.what);
}
Test(source, no_such_file_and_a_directory_are_named) {
    ride_source *source;
    cr_expect_eq(ride_source_open("/nonexistent/tx.csv", 0, &source, &err), RIDE_E_NO_INPUT);
    cr_expect(strstr(err.what, "No such file") != NULL);
    cr_expect_eq(ride_source_open("/tmp", 0, &source, &err), RIDE_E_NO_INPUT);
    cr_expect_str_eq(err.what, "the input is a directory");
}

static io_case c;
static char *rows;
static ride_decoder_stats stats;
static void expect(const char *text, const char *want, const char *log) {
    case_run run = {.format = RIDE_FORMAT_NDJSON};
    free(rows);
    cr_assert_eq(case_decode(&c, &run, text, strlen(text), &rows, &stats, &err), RIDE_END, "%s", err.what);
    cr_expect_str_eq(rows, want, "got\n%s", rows);
    cr_expect_str_eq(c.log, log, "got %s", c.log);
}
static void setup(void) { case_begin(&c, true); }
static void teardown(void) {
    free(rows);
    case_end(&c);
}
TestSuite(ndjson, .init = setup, .fini = teardown);

#define GOOD "{\"id\":1,\"t\":\"2018-04-01T00:00:31Z\",\"customer\":596,\"amount\":85.64999999999999,\"fraud\":false"
#define WANT "1522540831000000|1|1522540831000000|596|8565|0|-|-|-|-|-\n"

Test(ndjson, reads_exact_decimals_escapes_and_passes_over_unknown_members) {
    expect(GOOD "}\n\n" GOOD ",\"x\":[1,{\"y\":null}],\"note\":\"a\\u00e9\\n\",\"score\":1e2,\"customer_\":2}\r\n" GOOD
                "}",
           WANT "1522540831000000|1|1522540831000000|596|8565|0|a\xC3\xA9\n|-|0x1.9p+6|-|-\n" WANT, "");
    expect("{\"fraud\":1,\"amount\":\"5.5\",\"customer\":\"7\",\"t\":\"2018-04-01 00:00:31\",\"id\":\"9\"}",
           "1522540831000000|9|1522540831000000|7|550|1|-|-|-|-|-\n", "");
}
Test(ndjson, hostile_lines_have_a_reason) {
    static const struct {
        const char *line, *log;
    } cases[] = {
        {"[1]", "1:bad_json:0:;"},
        {"{", "1:bad_json:0:;"},
        {"12", "1:bad_json:0:;"},
        {"nonsense", "1:bad_json:0:;"},
        {GOOD "} x", "1:bad_json:0:;"},
        {GOOD "}{}", "1:bad_json:0:;"},
        {GOOD ",\"x\":tru}", "1:bad_json:0:;"},
        {GOOD ",\"x\":01}", "1:bad_json:0:;"},
        {GOOD ",\"x\":[1,]}", "1:bad_json:0:;"},
        {GOOD ",\"x\":\"\xFF\"}", "1:invalid_utf8:0:;"},
        {GOOD ",\"note\":5}", "1:wrong_type:99:note;"},
        {GOOD ",\"note\":{}}", "1:wrong_type:99:note;"},
        {GOOD ",\"id\":2}", "1:duplicate_field:97:id;"},
        {"{\"id\":1}", "1:missing_field:0:t;"},
        {"{\"id\":null}", "1:missing_value:7:id;"},
        {"{\"id\":1.0}", "1:not_an_integer:7:id;"},
        {"{\"id\":NaN}", "1:bad_json:0:;"},
    };
    char text[512];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text, "%s\n" GOOD "}\n", cases[i].line);
        expect(text, WANT, cases[i].log);
    }
}

/* A pipe that is read as a file by its name, with a stop. */
typedef struct waiting_pipe {
    int ends[2];
    volatile sig_atomic_t stop;
    unsigned idle;
    ride_source *source;
} waiting_pipe;

static void on_idle(void *context) {
    waiting_pipe *p = context;
    p->idle++;
    p->stop = 1; /* nobody else would end the wait */
}
static void pipe_write(waiting_pipe *p, const char *text) {
    cr_assert_eq(write(p->ends[1], text, strlen(text)), (ssize_t)strlen(text));
}
static void pipe_begin(waiting_pipe *p, const char *text) {
    char path[32];
    *p = (waiting_pipe){.idle = 0};
    cr_assert_eq(pipe(p->ends), 0);
    pipe_write(p, text);
    snprintf(path, sizeof path, "/dev/fd/%d", p->ends[0]);
    const ride_source_wait wait = {&p->stop, on_idle, p};
    cr_assert_eq(ride_source_open_waiting(path, 4096, &wait, &p->source, &err), RIDE_OK, "%s", err.what);
}

Test(ndjson, a_stop_ends_a_wait_and_loses_nothing) {
    waiting_pipe p;
    ride_decoder *decoder;
    static char overlong[6001];
    memset(overlong, 'x', sizeof overlong - 1);
    pipe_begin(&p, GOOD "}\n" GOOD);
    const ride_decoder_options options = {.spec = &c.spec,
                                          .format = RIDE_FORMAT_NDJSON,
                                          .on_reject = case_on_reject,
                                          .reject_context = &c};
    cr_assert_eq(ride_decoder_open(&options, p.source, &decoder, &err), RIDE_OK);
    ride_batch_clear(c.batch);
    cr_expect_eq(ride_decoder_decode(decoder, c.batch, 10, INT64_MAX, NULL, &err), RIDE_OK); /* what is there */
    cr_expect_eq(c.batch->rows_count, 1);
    cr_expect_eq(p.idle, 0);
    p.source->dont_wait = true;
    cr_expect_eq(ride_decoder_decode(decoder, c.batch, 10, INT64_MAX, NULL, &err), RIDE_PENDING);
    cr_expect_eq(p.idle, 0);
    p.source->dont_wait = false;
    cr_expect_eq(ride_decoder_decode(decoder, c.batch, 10, INT64_MAX, NULL, &err), RIDE_INTERRUPTED);
    cr_expect_eq(p.idle, 1);
    cr_expect_eq(ride_decoder_decode(decoder, c.batch, 10, INT64_MAX, NULL, &err), RIDE_INTERRUPTED);

    /* in the middle of an overlong line, which is told once and dropped to its end */
    p.stop = 0;
    pipe_write(&p, "}\n");
    pipe_write(&p, overlong);
    cr_expect_eq(ride_decoder_decode(decoder, c.batch, 10, INT64_MAX, NULL, &err), RIDE_OK);
    uint64_t line_begin = ride_decoder_position(decoder).offset;
    cr_expect_eq(ride_decoder_decode(decoder, c.batch, 10, INT64_MAX, NULL, &err), RIDE_INTERRUPTED);
    cr_expect_eq(ride_decoder_position(decoder).offset, line_begin);
    cr_expect_eq(ride_decoder_position(decoder).line, 3);
    p.stop = 0;
    pipe_write(&p, "xxx\n" GOOD "}\n");
    close(p.ends[1]);
    ride_status st = RIDE_OK;
    while (st == RIDE_OK) st = ride_decoder_decode(decoder, c.batch, 10, INT64_MAX, NULL, &err);
    cr_expect_eq(st, RIDE_END, "%s", err.what);
    cr_expect_eq(c.batch->rows_count, 3);
    cr_expect_str_eq(c.log, "3:overlong_line:0:;", "got %s", c.log);
    ride_decoder_close(decoder);
    ride_source_close(p.source);
    close(p.ends[0]);
}
