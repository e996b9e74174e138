/* base/log.c: lines are made on the caller's stack and leave in one write(2). The settings change only at start, but the
 * level, which an administrator may change while the engine runs, and is atomic. */
#include "base/log.h"

#include "base/log_repeats.h"
#include "base/number.h"
#include "base/pan.h"
#include "base/utf8.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = {"debug", "info", "warn", "error", "off"};
static _Atomic int level_min_now = RIDE_LOG_INFO;
static _Atomic unsigned long lines_lost;
static struct {
    ride_log_format format; /* RIDE_LOG_AUTO = not asked yet */
    bool colour;
    int fd;
    const ride_clock *clock;
    uint32_t repeats_max;
} sink = {.fd = STDERR_FILENO};

bool ride_log_enabled(ride_log_level level) {
    return (int)level >= atomic_load_explicit(&level_min_now, memory_order_relaxed);
}
void ride_log_set_level(ride_log_level level_min) { atomic_store(&level_min_now, (int)level_min); }
unsigned long ride_log_lost(void) { return atomic_load(&lines_lost); }
uint64_t ride_log_held(void) { return ride_log_repeats_total(); }

bool ride_log_level_parse(const char *word, ride_log_level *out) {
    for (int i = 0; i <= RIDE_LOG_OFF; i++) {
        if (strcmp(word, level_names[i]) != 0) continue;
        *out = (ride_log_level)i;
        return true;
    }
    return false;
}

void ride_log_setup(const ride_log_options *options) {
    const char *no_color = getenv("NO_COLOR");
    bool terminal = isatty(options->fd) != 0;
    sink.fd = options->fd;
    sink.clock = options->clock;
    sink.repeats_max = options->repeats_max;
    sink.format = options->format != RIDE_LOG_AUTO ? options->format : terminal ? RIDE_LOG_HUMAN : RIDE_LOG_JSON;
    sink.colour = terminal && (no_color == NULL || no_color[0] == '\0');
    ride_log_set_level(options->level_min);
}

/* A line in the making. `bytes` never passes `limit`; once a piece did not fit, `cut` is set. */
typedef struct line {
    char text[RIDE_LOG_LINE_BYTES];
    size_t bytes, limit;
    bool cut;
} line;

static void put(line *to, const char *text, size_t bytes) {
    if (to->cut || bytes > to->limit - to->bytes) {
        to->cut = true; /* nothing behind a piece that did not fit */
        return;
    }
    memcpy(to->text + to->bytes, text, bytes);
    to->bytes += bytes;
}
static void put_text(line *to, const char *text) { put(to, text, strlen(text)); }

/* Bytes of the character at text that may stand as it is, 0 when there is none: no control character, C1 included. */
static size_t character_bytes(const char *text) {
    const unsigned char *c = (const unsigned char *)text;
    if (c[0] < 0x20 || c[0] == 0x7f || (c[0] == 0xc2 && c[1] < 0xa0)) return 0;
    return ride_utf8_bytes(text);
}

/* A card number as stars and its last four digits; its blanks and dashes stay. */
static void put_masked(line *to, const char *pan, size_t bytes) {
    size_t digits = 0;
    for (size_t i = 0; i < bytes; i++) digits += pan[i] >= '0' && pan[i] <= '9';
    for (size_t i = 0; i < bytes; i++) {
        bool digit = pan[i] >= '0' && pan[i] <= '9';
        put(to, digit && digits > 4 ? "*" : pan + i, 1);
        digits -= digit;
    }
}

/* The inside of a JSON string; human lines use the same escapes. A byte that is no UTF-8 becomes U+FFFD. */
static void put_escaped(line *to, const char *text) {
    const unsigned char *begin = (const unsigned char *)text;
    for (const unsigned char *at = begin; *at != '\0' && !to->cut;) {
        size_t bytes = ride_pan_bytes((const char *)at, at == begin ? '\0' : (char)at[-1]);
        if (bytes > 0) {
            put_masked(to, (const char *)at, bytes);
            at += bytes;
            continue;
        }
        bytes = character_bytes((const char *)at);
        char escape[8];
        if (*at == '"' || *at == '\\') {
            put(to, (const char[]){'\\', (char)*at}, 2);
        } else if (bytes > 0) {
            put(to, (const char *)at, bytes);
        } else if (*at >= 0x80 && !(at[0] == 0xc2 && (at[1] & 0xc0) == 0x80)) {
            put_text(to, "\\ufffd");
        } else if (*at == 0xc2) {
            bytes = 2;
            put(to, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", at[1]));
        } else {
            put(to, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", *at));
        }
        at += bytes > 0 ? bytes : 1;
    }
}

/* Human values go without quotes when nothing in them could be misread. */
static bool is_plain(const char *text) {
    size_t plain = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+.,:/@%()[]");
    return plain > 0 && text[plain] == '\0';
}

static void put_value(line *to, const ride_log_field *field, bool json) {
    char number[RIDE_NUMBER_BYTES];
    switch (field->kind) {
    case RIDE_LOG_I64: put(to, number, ride_i64_to_text(field->value.i64, number)); return;
    case RIDE_LOG_U64: put(to, number, ride_u64_to_text(field->value.u64, number)); return;
    case RIDE_LOG_BOOL: put_text(to, field->value.boolean ? "true" : "false"); return;
    case RIDE_LOG_F64:
        if (isfinite(field->value.f64)) put(to, number, ride_double_to_text(field->value.f64, number));
        else put_text(to, "null"); /* JSON has no NaN */
        return;
    default: break;
    }
    const char *text = field->value.text;
    if (text == NULL) {
        put_text(to, "null");
    } else if (!json && is_plain(text)) {
        put_escaped(to, text);
    } else {
        put(to, "\"", 1);
        put_escaped(to, text);
        put(to, "\"", 1);
    }
}

static void put_time(line *to, int64_t wall_us, bool json) {
    time_t seconds = (time_t)(wall_us / 1000000);
    long fraction = (long)(wall_us % 1000000);
    if (fraction < 0) fraction += 1000000, seconds -= 1;
    struct tm utc;
    char text[48];
    if (gmtime_r(&seconds, &utc) == NULL) return;
    size_t bytes = strftime(text, sizeof text, json ? "%Y-%m-%dT%H:%M:%S" : "%H:%M:%S", &utc);
    bytes += (size_t)snprintf(text + bytes, sizeof text - bytes, json ? ".%06ldZ" : ".%03ld",
                              json ? fraction : fraction / 1000);
    put(to, text, bytes);
}

/* A field that does not fit is taken back whole, so that what stays is well-formed. */
static void put_field(line *to, const ride_log_field *field, bool json) {
    size_t before = to->bytes;
    put_text(to, json ? ",\"ride." : " ");
    put_text(to, field->key);
    put_text(to, json ? "\":" : "=");
    put_value(to, field, json);
    if (to->cut) to->bytes = before;
}

static void put_line_human(line *to, ride_log_level level, const char *message, int64_t wall_us) {
    static const char *const colours[] = {"\033[2m", "\033[32m", "\033[33m", "\033[31m"};
    put_time(to, wall_us, false);
    put_text(to, " ");
    if (sink.colour) put_text(to, colours[level]);
    put_text(to, level_names[level]);
    put(to, "      ", 6 - strlen(level_names[level]));
    if (sink.colour) put_text(to, "\033[0m");
    put_escaped(to, message);
}

static void put_line_json(line *to, ride_log_level level, const char *message, int64_t wall_us) {
    put_text(to, "{\"@timestamp\":\"");
    put_time(to, wall_us, true);
    put_text(to, "\",\"log.level\":\"");
    put_text(to, level_names[level]);
    put_text(to, "\",\"message\":\"");
    put_escaped(to, message); /* the caller closes the string: this may be cut */
}

static void write_line(const line *from) {
    size_t done = 0;
    while (done < from->bytes) {
        ssize_t n = write(sink.fd, from->text + done, from->bytes - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            atomic_fetch_add(&lines_lost, 1);
            return;
        }
        done += (size_t)n;
    }
}

static const ride_clock *clock_now(void) { return sink.clock != NULL ? sink.clock : ride_clock_real(); }

/* held: lines like it that are told with this one; 0 = none. */
static void write_one(ride_log_level level, const char *message, const ride_log_field *fields, uint64_t held) {
    bool json = sink.format == RIDE_LOG_AUTO ? !isatty(sink.fd) : sink.format == RIDE_LOG_JSON;
    int64_t wall_us = ride_clock_wall_us(clock_now());
    line text;
    text.bytes = 0;
    text.cut = false;
    text.limit = RIDE_LOG_LINE_BYTES / 2; /* the message leaves room for fields */
    if (json) put_line_json(&text, level, message, wall_us);
    else put_line_human(&text, level, message, wall_us);
    bool cut = text.cut;
    text.cut = false;
    static const char json_cut[] = ",\"ride.cut\":true", human_cut[] = " cut=true";
    text.limit = RIDE_LOG_LINE_BYTES - sizeof json_cut - 2; /* and the end of the line */
    if (json) put_text(&text, "\",\"ecs.version\":\"8.11.0\",\"service.name\":\"ride\"");
    const ride_log_field held_field = ride_log_u64("held", held);
    if (held > 0) put_field(&text, &held_field, json);
    for (; fields != NULL && fields->kind != RIDE_LOG_NONE && !text.cut; fields++) put_field(&text, fields, json);
    cut = cut || text.cut;
    text.cut = false;
    text.limit = RIDE_LOG_LINE_BYTES;
    if (cut) put_text(&text, json ? json_cut : human_cut);
    put_text(&text, json ? "}\n" : "\n");
    write_line(&text);
}

void ride_log_write(ride_log_level level, const char *message, const ride_log_field *fields) {
    if (level >= RIDE_LOG_OFF || !ride_log_enabled(level)) return;
    int errno_before = errno;
    uint64_t held = 0;
    if (sink.repeats_max == 0 || ride_log_repeats_admit(level, message, ride_clock_now_ns(clock_now()),
                                                        sink.repeats_max, RIDE_LOG_WINDOW_NS, &held))
        write_one(level, message, fields, held);
    errno = errno_before;
}

void ride_log_tell_held(void) {
    uint64_t held = ride_log_repeats_take();
    if (held > 0 && ride_log_enabled(RIDE_LOG_WARN))
        write_one(RIDE_LOG_WARN, "lines of messages that came too often were held back", NULL, held);
}
