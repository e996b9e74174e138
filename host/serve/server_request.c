/* serve/server_request.c: a request as its handler sees it: what came, and the answer. */
#include "serve/server_internal.h"

#include "base/assert.h"
#include "lib/json.h"
#include "serve/json_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { BODY_BYTES_FIRST = 16 * 1024 }; /* a longer body gets memory as it comes, not as it says */

void serve_request_reset(ride_http_request *r) {
    ride_blocks_give(r->server->blocks, r->body);
    free(r->text_malloced);
    r->began = r->handled = r->waits = r->is_woken = r->lingers = r->is_orphan = false;
    r->method = r->path = r->type = r->text = NULL;
    r->route = NULL;
    r->body = r->text_malloced = NULL;
    r->body_bytes = r->body_room = r->discarded_bytes = r->text_bytes = 0;
    r->code = r->headers_count = 0;
    r->woken = r->ended = NULL;
}

static bool body_room(ride_http_request *r, size_t bytes) {
    size_t needs = bytes + RIDE_JSON_PADDING + 1;
    if (needs <= r->body_room) return true;
    if (r->body == NULL) {
        size_t said =
            r->expected_bytes < BODY_BYTES_FIRST ? r->expected_bytes + RIDE_JSON_PADDING + 1 : BODY_BYTES_FIRST;
        r->body = ride_blocks_take(r->server->blocks, needs > said ? needs : said, &r->body_room);
        return r->body != NULL;
    }
    char *larger = ride_blocks_grow(r->server->blocks, r->body, r->body_bytes, needs, &r->body_room);
    if (larger != NULL) r->body = larger;
    return larger != NULL;
}

void serve_body_add(ride_http_request *r, const char *data, size_t bytes) {
    if (r->code == 0 && bytes > r->server->body_bytes_max - r->body_bytes) {
        ride_http_error(r, 413, "body_too_large", NULL, "a body may have %zu bytes", r->server->body_bytes_max);
    } else if (r->code == 0 && !body_room(r, r->body_bytes + bytes)) {
        ride_http_set(r, "Retry-After", "1");
        ride_http_error(r, 429, "no_memory", NULL, "the memory of requests is taken: try again");
    }
    if (r->code != 0) {
        r->discarded_bytes += bytes;
        return;
    }
    memcpy(r->body + r->body_bytes, data, bytes);
    r->body_bytes += bytes;
    memset(r->body + r->body_bytes, 0, RIDE_JSON_PADDING + 1);
}

const char *ride_http_method(const ride_http_request *r) { return r->method; }
const char *ride_http_path(const ride_http_request *r) { return r->path; }
uint64_t ride_http_began_ns(const ride_http_request *r) { return r->began_ns; }
const char *ride_http_header(const ride_http_request *r, const char *name) { return serve_header(r, name); }

const char *ride_http_param(const ride_http_request *r, uint32_t i, size_t *bytes) {
    RIDE_ASSERT(i < RIDE_HTTP_PARAMS_MAX);
    *bytes = r->params[i].bytes;
    return r->params[i].text;
}

bool ride_http_is_type(const ride_http_request *r, const char *type) {
    const char *said = r->connection != NULL ? r->known[SERVE_CONTENT_TYPE] : NULL;
    size_t bytes = strlen(type);
    if (said == NULL || strncasecmp(said, type, bytes) != 0) return false;
    said += bytes;
    while (*said == ' ' || *said == '\t') said++;
    return *said == '\0' || *said == ';';
}

char *ride_http_body(const ride_http_request *r, size_t *bytes) {
    static char empty[RIDE_JSON_PADDING + 1];
    *bytes = r->body_bytes;
    return r->body != NULL ? r->body : empty;
}

char *ride_http_take_body(ride_http_request *r) {
    char *body = r->body;
    r->body = NULL;
    r->body_room = 0;
    return body;
}

void ride_http_set(ride_http_request *r, const char *name, const char *value) {
    RIDE_ASSERT(r->headers_count < SERVE_HEADERS_MAX);
    serve_text *header = &r->headers[r->headers_count++];
    header->name = name;
    int n = snprintf(header->value, sizeof header->value, "%s", value);
    RIDE_ASSERT(n >= 0 && (size_t)n < sizeof header->value);
}

typedef struct query_find {
    const char *name, *value;
} query_find;
static void find_query(void *context, const char *name, const char *value) {
    query_find *q = context;
    if (q->value == NULL && strcmp(name, q->name) == 0) q->value = value;
}
const char *ride_http_query(const ride_http_request *r, const char *name) {
    query_find q = {.name = name};
    serve_query(r, find_query, &q);
    return q.value;
}
void ride_http_query_all(const ride_http_request *r, void (*each)(void *context, const char *name, const char *value),
                         void *context) {
    serve_query(r, each, context);
}

void ride_http_reply(ride_http_request *r, uint32_t code, const char *type, const char *text, size_t bytes) {
    RIDE_ASSERT(r->code == 0 && code != 0); /* one answer */
    r->code = code;
    r->type = type;
    r->text = text;
    r->text_bytes = bytes;
}

char *ride_http_room(ride_http_request *r, size_t bytes) {
    char *room = ride_blocks_take(r->server->blocks, bytes, NULL);
    if (room != NULL) ride_http_own(r, room);
    return room;
}

void ride_http_own(ride_http_request *r, char *block) {
    ride_blocks_give(r->server->blocks, r->body);
    r->body = block;
    r->body_bytes = 0;
}

void ride_http_reply_copy(ride_http_request *r, uint32_t code, const char *type, const char *text, size_t bytes) {
    RIDE_ASSERT(bytes <= sizeof r->own);
    memcpy(r->own, text, bytes);
    ride_http_reply(r, code, type, r->own, bytes);
}

void ride_http_reply_malloced(ride_http_request *r, uint32_t code, const char *type, char *text, size_t bytes) {
    ride_http_reply(r, code, type, text, bytes);
    r->text_malloced = text;
}

uint32_t ride_http_answer(const ride_http_request *r, const char **type, const char **text, size_t *bytes) {
    *type = r->type;
    *text = r->text;
    *bytes = r->text_bytes;
    return r->code;
}

void ride_http_error(ride_http_request *r, uint32_t code, const char *reason, const char *field, const char *format,
                     ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t at = ride_json_write_error(r->own, sizeof r->own, text, reason, field);
    ride_http_reply(r, code, "application/json", r->own, at);
}

void ride_http_wait(ride_http_request *r, ride_http_handler woken, void *context) {
    RIDE_ASSERT(r->code == 0 && !r->waits);
    r->waits = true;
    r->woken = woken;
    r->woken_context = context;
}

void ride_http_on_end(ride_http_request *r, ride_http_handler ended, void *context) {
    RIDE_ASSERT(r->ended == NULL);
    r->ended = ended;
    r->ended_context = context;
}

void ride_http_wake(ride_http_request *r) {
    ride_server *s = r->server; /* r may be over as soon as it is in the list */
    ride_http_request *first = atomic_load_explicit(&s->woken, memory_order_relaxed);
    do r->woken_next = first;
    while (!atomic_compare_exchange_weak(&s->woken, &first, r));
    if (!atomic_load(&s->helped)) serve_wake(s); /* who ends the help looks at the list behind that */
}
