/* serve/score_body.c: from a body to the events in it. Lines are cut here and read by the engine, one by one; an array is checked as a whole,
 * since its ends are known in no other way; a single event is not looked at. */
#include "serve/score_internal.h"

#include <string.h>

static bool add(ride_score *s, size_t offset, size_t bytes) {
    if (s->ranges_count > s->request_events_max) return false; /* one too many is kept, to be told */
    s->ranges[s->ranges_count++] = (score_range){(uint32_t)offset, (uint32_t)bytes};
    return true;
}

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static bool check_count(ride_score *s, ride_http_request *request) {
    if (s->ranges_count > s->request_events_max)
        ride_http_error(request, 413, "too_many_events", NULL, "a request may have %u events", s->request_events_max);
    else if (s->ranges_count == 0) ride_http_error(request, 400, "no_event", NULL, "there is no event in the body");
    else return true;
    return false;
}

static bool read_lines(ride_score *s, const char *body, size_t bytes) {
    for (size_t at = 0, end; at < bytes; at = end + 1) {
        const char *line_end = memchr(body + at, '\n', bytes - at);
        end = line_end != NULL ? (size_t)(line_end - body) : bytes;
        size_t from = at, to = end;
        while (from < to && is_space(body[from])) from++;
        while (to > from && is_space(body[to - 1])) to--;
        if (from < to && !add(s, from, to - from)) return false;
    }
    return true;
}

static bool on_element(void *context, const ride_json_piece *piece) {
    return add(context, piece->offset, piece->bytes);
}

static bool bad_json(ride_http_request *request, ride_json_result result) {
    ride_http_error(request, 400, result == RIDE_JSON_BAD_UTF8 ? "invalid_utf8" : "bad_json", NULL,
                    result == RIDE_JSON_BAD_UTF8 ? "the body is not UTF-8" : "the body is not JSON");
    return false;
}

static bool read_json(ride_score *s, ride_http_request *request, const char *body, size_t bytes, ride_job_form *form) {
    size_t from = 0;
    while (from < bytes && is_space(body[from])) from++;
    while (bytes > from && is_space(body[bytes - 1])) bytes--;
    *form = from < bytes && body[from] == '[' ? RIDE_JOB_ARRAY : RIDE_JOB_SINGLE;
    if (*form == RIDE_JOB_SINGLE) {
        if (from < bytes) add(s, from, bytes - from);
        return true;
    }
    ride_json_result result = ride_json_elements(s->parser, body, bytes, on_element, s);
    return result == RIDE_JSON_OK || result == RIDE_JSON_STOPPED || bad_json(request, result);
}

bool score_body_read(ride_score *s, ride_http_request *request, ride_job_form *form) {
    size_t bytes;
    const char *body = ride_http_body(request, &bytes), *coding = ride_http_header(request, "Content-Encoding");
    s->ranges_count = 0;
    if (coding != NULL && strcmp(coding, "identity") != 0) {
        ride_http_error(request, 415, "content_encoding", NULL,
                        "bodies are taken as they are, without Content-Encoding");
        return false;
    }
    if (ride_http_is_type(request, "application/x-ndjson") || ride_http_is_type(request, "application/jsonl") ||
        ride_http_is_type(request, "application/ndjson")) {
        *form = RIDE_JOB_LINES;
        read_lines(s, body, bytes);
    } else if (ride_http_is_type(request, "application/json") || ride_http_header(request, "Content-Type") == NULL) {
        if (!read_json(s, request, body, bytes, form)) return false;
    } else {
        ride_http_set(request, "Accept", "application/json, application/x-ndjson");
        ride_http_error(request, 415, "content_type", NULL, "send application/json or application/x-ndjson");
        return false;
    }
    return check_count(s, request);
}
