/* serve/body.c: see body.h. Lines are cut here and read by the engine, one by one; an array is checked as a whole, since its
 * ends are known in no other way; a single event is not looked at. */
#include "serve/body.h"

#include "serve/cloudevent.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct cutting {
    ride_body_range *ranges;
    uint32_t max, count;
    bool too_many;
} cutting;

bool ride_body_fail(ride_body_fault *fault, uint32_t code, const char *reason, const char *field, const char *format,
                    ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(fault->text, sizeof fault->text, format, args);
    va_end(args);
    fault->code = code;
    fault->reason = reason;
    fault->field = field;
    return false;
}

bool ride_body_fail_json(ride_body_fault *fault, ride_json_result result) {
    if (result == RIDE_JSON_BAD_UTF8) return ride_body_fail(fault, 400, "invalid_utf8", NULL, "the body is not UTF-8");
    return ride_body_fail(fault, 400, "bad_json", NULL, "%s",
                          result == RIDE_JSON_NOT_OBJECT  ? "an object was expected"
                          : result == RIDE_JSON_NOT_ARRAY ? "an array was expected"
                                                          : "this is not JSON, or nested too deep");
}

static bool add(cutting *c, size_t offset, size_t bytes) {
    if (c->count == c->max) {
        c->too_many = true;
        return false;
    }
    c->ranges[c->count++] = (ride_body_range){(uint32_t)offset, (uint32_t)bytes};
    return true;
}

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/* Without the white space around it; false: there is nothing else. */
static bool trim(const char *body, size_t *from, size_t *to) {
    while (*from < *to && is_space(body[*from])) ++*from;
    while (*to > *from && is_space(body[*to - 1])) --*to;
    return *from < *to;
}

static void cut_lines(cutting *c, const char *body, size_t bytes) {
    for (size_t at = 0, end; at < bytes; at = end + 1) {
        const char *line_end = memchr(body + at, '\n', bytes - at);
        end = line_end != NULL ? (size_t)(line_end - body) : bytes;
        size_t from = at, to = end;
        if (trim(body, &from, &to) && !add(c, from, to - from)) return;
    }
}

static bool on_element(void *context, const ride_json_piece *piece) {
    return add(context, piece->offset, piece->bytes);
}

static bool cut_array(ride_json_parser *parser, cutting *c, const char *body, size_t bytes, ride_body_fault *fault) {
    ride_json_result result = ride_json_elements(parser, body, bytes, on_element, c);
    return result == RIDE_JSON_OK || result == RIDE_JSON_STOPPED || ride_body_fail_json(fault, result);
}

/* The envelopes are replaced by what is in them. */
static bool open_envelopes(ride_json_parser *parser, cutting *c, char *body, ride_body_fault *fault) {
    for (uint32_t i = 0; i < c->count; i++) {
        ride_body_range *range = &c->ranges[i];
        uint32_t offset = range->offset;
        if (!ride_cloudevent_open(parser, body + offset, range->bytes, range, fault)) return false;
        range->offset += offset;
    }
    return true;
}

bool ride_body_cut(ride_json_parser *parser, ride_body_kind kind, char *body, size_t bytes, ride_body_range *ranges,
                   uint32_t ranges_max, uint32_t *count, bool *is_array, ride_body_fault *fault) {
    cutting c = {.ranges = ranges, .max = ranges_max};
    size_t from = 0, to = bytes;
    bool any = trim(body, &from, &to), good = true;
    *is_array = kind == RIDE_BODY_CLOUD_BATCH || (kind == RIDE_BODY_JSON && any && body[from] == '[');
    if (kind == RIDE_BODY_LINES) cut_lines(&c, body, bytes);
    else if (*is_array && any) good = cut_array(parser, &c, body, bytes, fault);
    else if (any) add(&c, from, to - from);
    if (!good) return false;
    if (c.too_many)
        return ride_body_fail(fault, 413, "too_many_events", NULL, "a request may have %u events", ranges_max);
    if (c.count == 0) return ride_body_fail(fault, 400, "no_event", NULL, "there is no event in the body");
    *count = c.count;
    return (kind != RIDE_BODY_CLOUD && kind != RIDE_BODY_CLOUD_BATCH) || open_envelopes(parser, &c, body, fault);
}
