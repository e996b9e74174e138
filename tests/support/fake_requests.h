/* support/fake_requests.h: requests as a feed, and a writer into a fake log, for tests of requests by way of a log. Reports of the writer come late, it is full now
 * and then, it fails, and it fails although the message is there. A request's text is its message's value: the pointer says which it is. */
#ifndef RIDE_TESTS_FAKE_REQUESTS_H
#define RIDE_TESTS_FAKE_REQUESTS_H
#include "fake_log.h"

typedef struct fake_request {
    const char *text;
    uint32_t bytes;
    ride_wait wait;
    bool polled, released, lost; /* lost: its process ended before it was answered */
    uint32_t answers;
    ride_status status;
    char reason[32];
    char *record; /* NULL: none */
} fake_request;

typedef struct fake_requests {
    fake_request *items;
    uint32_t count, next;
    uint32_t at_once_max; /* polled and not released; 0 = no bound */
    uint64_t left;        /* not polled, or waiting for their answer */
    uint32_t waiting, open;
    fake_log *log; /* whose chance is used */
    ride_waker *waker;
    const ride_feed_events *events;
    bool assigned;
} fake_requests;

typedef struct fake_requests_feed {
    ride_feed base;
    fake_requests *of;
} fake_requests_feed;

static inline ride_status fake_requests_poll(ride_feed *feed, uint32_t stream, ride_message *out, uint32_t max,
                                             uint32_t *count, ride_error *err) {
    fake_requests *r = ((fake_requests_feed *)feed)->of;
    (void)stream;
    *count = 0;
    if (!r->assigned) {
        ride_stream_info info = {.source = "tx", .topic = "http", .is_json = true, .committed = RIDE_OFFSET_NONE};
        r->assigned = true;
        return r->events->assigned(r->events->context, &info, 1, err);
    }
    uint32_t n = (uint32_t)(fake_random(r->log) % 24);
    for (; n > 0 && *count < max && r->next < r->count; n--) {
        if (r->at_once_max != 0 && r->waiting >= r->at_once_max) break;
        fake_request *q = &r->items[r->next];
        out[(*count)++] = (ride_message){.value = q->text,
                                         .value_bytes = q->bytes,
                                         .offset = r->next++,
                                         .arrival_us = INT64_MIN,
                                         .polled_ns = 7,
                                         .wait = q->wait,
                                         .handle = q};
        q->polled = true;
        r->waiting++;
    }
    return RIDE_OK;
}

static inline void fake_requests_answer(ride_feed *feed, const ride_message *message, const ride_answer *answer) {
    fake_request *q = message->handle;
    (void)feed;
    if (q->released || ++q->answers != 1) abort();
    q->status = answer->status;
    snprintf(q->reason, sizeof q->reason, "%s", answer->reason != NULL ? answer->reason : "");
    if (answer->text != NULL) q->record = strndup(answer->text, answer->text_bytes);
}

static inline void fake_requests_release(ride_feed *feed, ride_message *messages, uint32_t count) {
    fake_requests *r = ((fake_requests_feed *)feed)->of;
    for (uint32_t i = 0; i < count; i++) {
        fake_request *q = messages[i].handle;
        if (q->answers != 1 || q->released) abort(); /* each is answered, then released once */
        q->released = true;
        r->waiting--;
        r->left--;
    }
}

/* What is still out there is lost with its process. */
static inline void fake_requests_close(ride_feed *feed) {
    fake_requests *r = ((fake_requests_feed *)feed)->of;
    if (r->waiting != 0) abort(); /* everybody has an answer */
    r->open--;
    free(feed);
}

static inline ride_status fake_requests_open(void *context, const ride_feed_events *events, ride_waker *waker,
                                             ride_feed **out, ride_error *err) {
    static const ride_feed_ops ops = {.name = "requests",
                                      .poll = fake_requests_poll,
                                      .release = fake_requests_release,
                                      .answer = fake_requests_answer,
                                      .close = fake_requests_close};
    fake_requests_feed *f = calloc(1, sizeof *f);
    if (f == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory");
    f->base.ops = &ops;
    f->of = context;
    f->of->events = events;
    f->of->waker = waker;
    f->of->assigned = false;
    f->of->open++;
    *out = &f->base;
    return RIDE_OK;
}

/* ---- the writer ---- */

typedef struct fake_report {
    uint64_t ticket;
    ride_status status;
} fake_report;

typedef struct fake_writer {
    fake_log *log;
    uint32_t full_every, fail_every, hide_every; /* of sends, by chance; hide: it is there, and reported as failed */
    bool is_full, is_silent;                     /* nothing is taken; nothing is reported */
    ride_status status;                          /* of each report, unless by chance */
    const char *why;
    ride_outlet_events events;
    fake_report reports[FAKE_PENDING_MAX];
    uint64_t first, next, keys; /* reports; events with a key */
} fake_writer;

typedef struct fake_writer_outlet {
    ride_outlet base;
    fake_writer *of;
} fake_writer_outlet;

static inline ride_status fake_writer_send(ride_outlet *outlet, const ride_result *result, ride_error *err) {
    fake_writer *w = ((fake_writer_outlet *)outlet)->of;
    fake_log *log = w->log;
    if (fake_crashed(log)) return ride_fail(err, RIDE_E_IO, "crash");
    if (w->is_full || fake_chance(log, w->full_every) || w->next - w->first == FAKE_PENDING_MAX) return RIDE_FULL;
    const bool fails = w->status != RIDE_OK || fake_chance(log, w->fail_every);
    const bool hides = !fails && fake_chance(log, w->hide_every);
    w->reports[w->next++ % FAKE_PENDING_MAX] = (fake_report){result->ticket, w->status != RIDE_OK ? w->status
                                                                             : fails || hides     ? RIDE_E_UNAVAILABLE
                                                                                                  : RIDE_OK};
    if (fails) return RIDE_OK;
    const uint32_t first = log->other_first, count = log->partitions - first;
    uint32_t hash = 2166136261u;
    for (uint32_t i = 0; i < result->key_bytes; i++) hash = (hash ^ ((const uint8_t *)result->key)[i]) * 16777619u;
    const uint32_t p = first + (result->key != NULL ? hash : (uint32_t)fake_random(log)) % count;
    w->keys += result->key != NULL;
    fake_append(log, p, NULL, 0, result->value, result->value_bytes);
    char text[64];
    snprintf(log->messages[p][log->counts[p] - 1].token, 64, "%s", fake_header(result, "ride_request", text));
    return RIDE_OK;
}

static inline ride_status fake_writer_poll(ride_outlet *outlet, ride_error *err) {
    fake_writer *w = ((fake_writer_outlet *)outlet)->of;
    (void)err;
    for (uint64_t n = fake_random(w->log) % 48; n > 0 && w->first < w->next && !w->is_silent; n--) {
        const fake_report report = w->reports[w->first++ % FAKE_PENDING_MAX];
        w->events.delivered(w->events.context, report.ticket, report.status, w->why != NULL ? w->why : "refused");
    }
    return RIDE_OK;
}

static inline ride_status fake_writer_flush(ride_outlet *outlet, uint64_t timeout_ns, ride_error *err) {
    fake_writer *w = ((fake_writer_outlet *)outlet)->of;
    (void)timeout_ns;
    while (w->first < w->next && !w->is_silent) fake_writer_poll(outlet, err);
    return w->first == w->next ? RIDE_OK : RIDE_PENDING;
}

static inline void fake_writer_close(ride_outlet *outlet) { free(outlet); }

static inline ride_status fake_writer_open(void *context, const ride_outlet_events *events, ride_waker *waker,
                                           ride_outlet **out, ride_error *err) {
    static const ride_outlet_ops ops = {.name = "writer",
                                        .send = fake_writer_send,
                                        .poll = fake_writer_poll,
                                        .flush = fake_writer_flush,
                                        .close = fake_writer_close};
    fake_writer_outlet *o = calloc(1, sizeof *o);
    (void)waker;
    if (o == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory");
    o->base.ops = &ops;
    o->of = context;
    o->of->events = *events;
    o->of->first = o->of->next = 0;
    *out = &o->base;
    return RIDE_OK;
}

#endif
