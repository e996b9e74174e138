/* engine/logged_feed.c: see the header. Waiting requests are in a table, named by slot and a number that is never used again, so that what comes late
 * (a report, a message) finds out that nobody waits any more; and in a list in the order in which they were taken, whose end has not been sent yet. */
#include "engine/logged_feed.h"

#include "base/assert.h"
#include "config/budget.h"
#include "engine/service_internal.h"
#include "lib/json.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    TAKE = 256, /* requests polled at once, and those that may wait for room of the writer */
    SLOT_BITS = 20,
    ID_BYTES = 16,
    TOKEN_BYTES = 2 * ID_BYTES + 1 + 20 + 1,
    KEY_BYTES_MAX = 256,
    WHY_BYTES = 192,
};
static_assert(LOGGED_WAITING_MAX <= 1 << SLOT_BITS, "a slot is a part of a ticket");
#define NONE        UINT32_MAX
#define LOOK_NS     UINT64_C(100000000)  /* between two looks for requests that waited too long */
#define DISTRUST_NS UINT64_C(5000000000) /* not ready for so long after a failure: then the next request tries it */
#define FLUSH_NS    UINT64_C(1000000000) /* at close, for reports of what was sent */

typedef enum stage { QUEUED, SENT, LOGGED, READ } stage;

typedef struct waiting {
    ride_message request; /* of the feed of requests */
    void *read;           /* the handle of its message of the log, from READ on: the engine has it */
    uint64_t number;      /* 0: free */
    uint64_t taken_ns;
    uint32_t next, prev;
    stage stage;
} waiting;

static_assert(sizeof(waiting) <= RIDE_BUDGET_HTTP_WAIT_BYTES, "what `ride config check` counts");

typedef struct logged_feed {
    ride_feed base;
    logged_feed_options options;
    ride_feed_events events, log_events, requests_events; /* the engine's, and what the parts have */
    ride_feed *requests, *log;
    ride_outlet *writer;
    const ride_clock *clock;
    waiting *table;
    uint32_t free, first, last; /* of the free ones; of those that wait, oldest first */
    uint32_t unsent;            /* the first of the list that is QUEUED, and all behind it are */
    uint32_t count, queued;
    uint64_t next_number, looked_ns;
    char id[2 * ID_BYTES + 1];
    bool is_topic[RIDE_STREAMS_MAX]; /* by the engine's number of a stream */
    ride_json_parser *parser;        /* NULL: no key */
    char key[KEY_BYTES_MAX];
    uint32_t key_bytes;
    ride_message taken[TAKE];
    bool settles;
    /* health */
    bool writer_ready, told, told_ready;
    uint64_t failed_ns; /* the last failure of the log, 0: none since it took something */
    char writer_why[WHY_BYTES], failed_why[WHY_BYTES], told_why[WHY_BYTES];
} logged_feed;

static uint64_t now_of(const logged_feed *f) { return ride_clock_now_ns(f->clock); }

/* ---- the table ---- */

static uint64_t ticket_of(const logged_feed *f, const waiting *w) {
    return w->number << SLOT_BITS | (uint64_t)(w - f->table);
}

static waiting *find(const logged_feed *f, uint64_t ticket) { /* NULL: nobody waits any more */
    const uint64_t slot = ticket & ((UINT64_C(1) << SLOT_BITS) - 1), number = ticket >> SLOT_BITS;
    if (slot >= f->options.waiting_max || number == 0) return NULL;
    waiting *w = &f->table[slot];
    return w->number == number ? w : NULL;
}

static void add(logged_feed *f, const ride_message *request, uint64_t now_ns) {
    const uint32_t at = f->free;
    RIDE_ASSERT(at != NONE);
    waiting *w = &f->table[at];
    f->free = w->next;
    *w = (waiting){.request = *request,
                   .number = f->next_number++,
                   .taken_ns = now_ns,
                   .next = NONE,
                   .prev = f->last,
                   .stage = QUEUED};
    if (f->last != NONE) f->table[f->last].next = at;
    else f->first = at;
    f->last = at;
    if (f->unsent == NONE) f->unsent = at;
    f->count++;
    f->queued++;
}

static void forget(logged_feed *f, waiting *w) {
    const uint32_t at = (uint32_t)(w - f->table);
    if (f->unsent == at) f->unsent = w->next;
    if (w->prev != NONE) f->table[w->prev].next = w->next;
    else f->first = w->next;
    if (w->next != NONE) f->table[w->next].prev = w->prev;
    else f->last = w->prev;
    f->queued -= w->stage == QUEUED;
    f->count--;
    w->number = 0;
    w->next = f->free;
    f->free = at;
}

/* Answers it here. */
static void end(logged_feed *f, waiting *w, const ride_answer *how) {
    RIDE_ASSERT(w->stage != READ);
    f->requests->ops->answer(f->requests, &w->request, how);
    f->requests->ops->release(f->requests, &w->request, 1);
    forget(f, w);
}

static void end_unavailable(logged_feed *f, waiting *w, const char *reason, const char *why) {
    const ride_answer how = {.status = RIDE_E_UNAVAILABLE, .reason = reason, .why = why};
    end(f, w, &how);
}
static const char not_in_time[] = "the log did not take the event in time; it may be there all the same",
                  no_result[] = "the event is in the log and will be scored: there was no result in time";

/* ---- health ---- */

static void tell(logged_feed *f) {
    if (f->failed_ns != 0 && now_of(f) - f->failed_ns > DISTRUST_NS) f->failed_ns = 0;
    const bool ready = f->writer_ready && f->failed_ns == 0 && !f->settles;
    const char *why = f->settles          ? "stopping"
                      : !f->writer_ready  ? f->writer_why
                      : f->failed_ns != 0 ? f->failed_why
                                          : "";
    if (f->told && f->told_ready == ready && strcmp(f->told_why, why) == 0) return;
    f->told = true;
    f->told_ready = ready;
    snprintf(f->told_why, sizeof f->told_why, "%s", why);
    if (f->options.health != NULL) f->options.health(f->options.health_context, ready, ready ? NULL : why);
}

static void failed(logged_feed *f, const char *why) {
    f->failed_ns = now_of(f);
    snprintf(f->failed_why, sizeof f->failed_why, "the log does not take events: %s", why);
}

static void on_health(void *context, bool ready, const char *why) {
    logged_feed *f = context;
    f->writer_ready = ready;
    snprintf(f->writer_why, sizeof f->writer_why, "%s", ready || why == NULL ? "" : why);
}

/* ---- requests → the log ---- */

static void on_delivered(void *context, uint64_t ticket, ride_status status, const char *why) {
    logged_feed *f = context;
    waiting *w = find(f, ticket);
    if (status == RIDE_OK) f->failed_ns = 0;
    else if (status != RIDE_E_DATA) failed(f, why);
    if (w == NULL || w->stage == READ) return; /* nobody waits, or it was met: it is there */
    if (status == RIDE_OK && w->request.wait == RIDE_WAIT_TAKEN) {
        const ride_answer taken = {.status = RIDE_OK};
        end(f, w, &taken);
    } else if (status == RIDE_OK) w->stage = LOGGED;
    else if (status == RIDE_E_DATA) {
        const ride_answer large = {.status = RIDE_E_DATA, .reason = "too_large", .why = why};
        end(f, w, &large);
    } else end_unavailable(f, w, "not_logged", f->failed_why);
}

static void on_member(void *context, const ride_json_member *m) {
    logged_feed *f = context;
    if (m->text == NULL || m->type == RIDE_JSON_NULL || m->bytes > KEY_BYTES_MAX ||
        m->key_bytes != strlen(f->options.key) || memcmp(m->key, f->options.key, m->key_bytes) != 0)
        return;
    memcpy(f->key, m->text, m->bytes);
    f->key_bytes = m->bytes;
}

/* An event that cannot be read has none: it is rejected when it comes back. */
static const void *key_of(logged_feed *f, const ride_message *request) {
    f->key_bytes = 0;
    if (f->parser == NULL || request->value_bytes > MESSAGE_BYTES_MAX) return NULL;
    if (ride_json_object(f->parser, request->value, request->value_bytes, on_member, f) != RIDE_JSON_OK ||
        f->key_bytes == 0) {
        f->key_bytes = 0;
        return NULL;
    }
    return f->key;
}

static ride_status send(logged_feed *f, ride_error *err) {
    while (f->unsent != NONE) {
        const uint32_t at = f->unsent;
        waiting *w = &f->table[at];
        char token[TOKEN_BYTES];
        const int bytes = snprintf(token, sizeof token, "%s-%" PRIu64, f->id, ticket_of(f, w));
        const ride_header header = {LOGGED_HEADER, token, (uint32_t)bytes};
        const void *key = key_of(f, &w->request);
        const ride_result event = {.key = key,
                                   .key_bytes = f->key_bytes,
                                   .value = w->request.value,
                                   .value_bytes = w->request.value_bytes,
                                   .headers = &header,
                                   .headers_count = 1,
                                   .ticket = ticket_of(f, w)};
        w->stage = SENT; /* before: its end may be told within the send */
        f->queued--;
        f->unsent = w->next;
        const ride_status st = f->writer->ops->send(f->writer, &event, err);
        if (st == RIDE_OK) continue;
        w->stage = QUEUED;
        f->queued++;
        f->unsent = at;
        return st == RIDE_FULL ? RIDE_OK : st;
    }
    return RIDE_OK;
}

static ride_status take(logged_feed *f, ride_error *err) {
    uint32_t room = f->options.waiting_max - f->count, count = 0;
    if (room > TAKE - f->queued) room = TAKE - f->queued;
    if (room == 0 || f->settles) return RIDE_OK;
    RIDE_TRY(f->requests->ops->poll(f->requests, RIDE_STREAM_ANY, f->taken, room, &count, err));
    const uint64_t now_ns = now_of(f);
    for (uint32_t i = 0; i < count; i++) add(f, &f->taken[i], now_ns);
    return RIDE_OK;
}

/* ---- the log → who waits ---- */

static void attach(logged_feed *f, ride_message *message) {
    ride_header headers[4];
    char text[24];
    const uint32_t count = f->log->ops->headers(f->log, message, headers, 4);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t id_bytes = 2 * ID_BYTES + 1, bytes = headers[i].value_bytes;
        const char *value = headers[i].value;
        if (strcmp(headers[i].name, LOGGED_HEADER) != 0 || bytes <= id_bytes || bytes - id_bytes >= sizeof text ||
            memcmp(value, f->id, id_bytes - 1) != 0 || value[id_bytes - 1] != '-')
            continue;
        snprintf(text, sizeof text, "%.*s", (int)(bytes - id_bytes), value + id_bytes);
        waiting *w = find(f, strtoull(text, NULL, 10));
        if (w == NULL || w->stage == READ || w->stage == QUEUED || w->request.wait != RIDE_WAIT_RESULT) return;
        w->stage = READ;
        w->read = message->handle;
        message->handle = w;
        message->wait = RIDE_WAIT_RESULT;
        message->polled_ns = w->request.polled_ns;
        return;
    }
}

static void look_for_late(logged_feed *f) {
    const uint64_t now_ns = now_of(f);
    if (now_ns - f->looked_ns < LOOK_NS) return;
    f->looked_ns = now_ns;
    for (uint32_t at = f->first, next; at != NONE; at = next) {
        waiting *w = &f->table[at];
        const uint64_t waited_ns = now_ns - w->taken_ns;
        next = w->next;
        if (waited_ns < f->options.log_timeout_ns) return; /* the others are younger */
        const bool is_late = w->stage == QUEUED || (w->stage != READ && waited_ns >= f->options.answer_timeout_ns);
        if (!is_late) continue;
        if (w->stage == LOGGED) end_unavailable(f, w, "logged", no_result);
        else {
            failed(f, "it did not answer in time");
            end_unavailable(f, w, "not_logged", not_in_time);
        }
    }
}

/* ---- as a feed ---- */

static ride_status feed_poll(ride_feed *base, uint32_t stream, ride_message *messages, uint32_t messages_max,
                             uint32_t *count, ride_error *err) {
    logged_feed *f = (logged_feed *)base;
    *count = 0;
    RIDE_TRY(f->writer->ops->poll(f->writer, err));
    RIDE_TRY(take(f, err));
    RIDE_TRY(send(f, err));
    look_for_late(f);
    tell(f);
    RIDE_TRY(f->log->ops->poll(f->log, stream, messages, messages_max, count, err));
    for (uint32_t i = 0; i < *count && f->count > 0; i++)
        if (f->is_topic[messages[i].stream]) attach(f, &messages[i]);
    return RIDE_OK;
}

static waiting *waiting_of(const ride_message *message) {
    return message->wait == RIDE_WAIT_RESULT ? message->handle : NULL;
}
static ride_message read_of(const ride_message *message) { /* as the log gave it */
    ride_message read = *message;
    if (waiting_of(message) != NULL) read.handle = waiting_of(message)->read;
    return read;
}

static void feed_answer(ride_feed *base, const ride_message *message, const ride_answer *answer) {
    logged_feed *f = (logged_feed *)base;
    const ride_answer later = {.status = RIDE_E_UNAVAILABLE, .reason = "logged", .why = no_result};
    f->requests->ops->answer(f->requests, &waiting_of(message)->request,
                             answer->status == RIDE_E_UNAVAILABLE ? &later : answer);
}

static void feed_release(ride_feed *base, ride_message *messages, uint32_t count) {
    logged_feed *f = (logged_feed *)base;
    for (uint32_t i = 0, n = 1; i < count; i += n, n = 1) {
        waiting *w = waiting_of(&messages[i]);
        if (w == NULL) {
            while (i + n < count && waiting_of(&messages[i + n]) == NULL) n++;
            f->log->ops->release(f->log, &messages[i], n);
            continue;
        }
        ride_message read = read_of(&messages[i]);
        f->log->ops->release(f->log, &read, 1);
        f->requests->ops->release(f->requests, &w->request, 1);
        forget(f, w);
    }
}

static uint32_t feed_headers(ride_feed *base, const ride_message *message, ride_header *headers, uint32_t headers_max) {
    logged_feed *f = (logged_feed *)base;
    const ride_message read = read_of(message);
    return f->log->ops->headers(f->log, &read, headers, headers_max);
}

static void feed_store(ride_feed *base, uint32_t stream, int64_t next) {
    logged_feed *f = (logged_feed *)base;
    f->log->ops->store(f->log, stream, next);
}

static ride_status feed_commit(ride_feed *base, uint64_t timeout_ns, ride_error *err) {
    logged_feed *f = (logged_feed *)base;
    return f->log->ops->commit(f->log, timeout_ns, err);
}

static bool feed_settle(ride_feed *base) {
    logged_feed *f = (logged_feed *)base;
    f->settles = true;
    tell(f);
    return f->count > 0;
}

static void feed_close(ride_feed *base) {
    logged_feed *f = (logged_feed *)base;
    if (f->writer != NULL && f->count > 0) f->writer->ops->flush(f->writer, FLUSH_NS, NULL);
    while (f->first != NONE) {
        waiting *w = &f->table[f->first];
        if (w->stage == QUEUED) end_unavailable(f, w, "stopping", "the engine is going down");
        else if (w->stage == LOGGED) end_unavailable(f, w, "logged", no_result);
        else end_unavailable(f, w, "not_logged", not_in_time);
    }
    if (f->requests != NULL) f->requests->ops->close(f->requests);
    if (f->log != NULL) f->log->ops->close(f->log);
    if (f->writer != NULL) f->writer->ops->close(f->writer);
    ride_json_parser_destroy(f->parser);
    free(f->table);
    free(f);
}

static const ride_feed_ops ops = {.name = "kafka",
                                  .poll = feed_poll,
                                  .release = feed_release,
                                  .headers = feed_headers,
                                  .answer = feed_answer,
                                  .store = feed_store,
                                  .commit = feed_commit,
                                  .settle = feed_settle,
                                  .close = feed_close};

/* ---- what the parts tell ---- */

static ride_status log_assigned(void *context, ride_stream_info *streams, uint32_t count, ride_error *err) {
    logged_feed *f = context;
    RIDE_TRY(f->events.assigned(f->events.context, streams, count, err));
    for (uint32_t i = 0; i < count; i++)
        f->is_topic[streams[i].stream] = strcmp(streams[i].topic, f->options.topic) == 0;
    return RIDE_OK;
}
static void log_revoked(void *context, const uint32_t *streams, uint32_t count, bool lost) {
    logged_feed *f = context;
    f->events.revoked(f->events.context, streams, count, lost);
}
static void log_at_end(void *context, uint32_t stream) {
    logged_feed *f = context;
    f->events.at_end(f->events.context, stream);
}
static void log_health(void *context, bool ready, const char *why) {
    logged_feed *f = context;
    f->events.health(f->events.context, ready, why);
}
static void log_topic_health(void *context, const char *topic, bool ready, const char *why) {
    logged_feed *f = context;
    if (f->events.topic_health != NULL) f->events.topic_health(f->events.context, topic, ready, why);
}
/* The engine has no stream of requests: it has the log's. */
static ride_status requests_assigned(void *context, ride_stream_info *streams, uint32_t count, ride_error *err) {
    (void)context;
    (void)err;
    for (uint32_t i = 0; i < count; i++) streams[i].stream = i;
    return RIDE_OK;
}

static ride_status open_parts(logged_feed *f, ride_waker *waker, ride_error *err) {
    const logged_feed_options *o = &f->options;
    const ride_outlet_events writer = {.context = f, .delivered = on_delivered, .health = on_health};
    unsigned char id[ID_BYTES];
    f->log_events = (ride_feed_events){f, log_assigned, log_revoked, log_at_end, log_health, log_topic_health};
    f->requests_events = (ride_feed_events){.context = f, .assigned = requests_assigned};
    if (getrandom(id, sizeof id, 0) != (ssize_t)sizeof id)
        return ride_fail(err, RIDE_E_INTERNAL, "the system gives no random numbers");
    for (int i = 0; i < ID_BYTES; i++) snprintf(f->id + 2 * (size_t)i, 3, "%02x", id[i]);
    f->table = calloc(o->waiting_max, sizeof *f->table);
    if (f->table == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for %u waiting requests", o->waiting_max);
    for (uint32_t i = o->waiting_max; i-- > 0; f->free = i) f->table[i].next = f->free;
    if (o->key != NULL) RIDE_TRY(ride_json_parser_create(MESSAGE_BYTES_MAX, &f->parser, err));
    RIDE_TRY(o->log_open(o->log_context, &f->log_events, waker, &f->log, err));
    RIDE_TRY(o->writer_open(o->writer_context, &writer, waker, &f->writer, err));
    return o->requests_open(o->requests_context, &f->requests_events, waker, &f->requests,
                            err); /* last: now they come */
}

ride_status logged_feed_open(const logged_feed_options *options, const ride_feed_events *events, ride_waker *waker,
                             ride_feed **out, ride_error *err) {
    RIDE_ASSERT(options->waiting_max > 0 && options->waiting_max <= LOGGED_WAITING_MAX);
    logged_feed *f = calloc(1, sizeof *f);
    if (f == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for requests by way of a log");
    f->base.ops = &ops;
    f->options = *options;
    f->events = *events;
    f->clock = options->clock != NULL ? options->clock : ride_clock_real();
    if (f->options.log_timeout_ns == 0) f->options.log_timeout_ns = LOGGED_TIMEOUT_NS;
    if (f->options.answer_timeout_ns == 0) f->options.answer_timeout_ns = LOGGED_ANSWER_NS;
    f->free = f->first = f->last = f->unsent = NONE;
    f->next_number = 1;
    f->writer_ready = true;
    const ride_status st = open_parts(f, waker, err);
    if (st != RIDE_OK) {
        feed_close(&f->base);
        return st;
    }
    *out = &f->base;
    return RIDE_OK;
}
