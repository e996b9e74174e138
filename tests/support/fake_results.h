/* support/fake_results.h: the results that a fake log has, as a topic of one partition: what a reader of the results topic is given. A result's
 * offset is its index. */
#ifndef RIDE_TESTS_FAKE_RESULTS_H
#define RIDE_TESTS_FAKE_RESULTS_H
#include "fake_log.h"

typedef struct fake_results {
    const fake_log *log;
    int64_t begin; /* what is before is gone */
} fake_results;

typedef struct fake_results_feed {
    ride_feed base;
    const fake_results *of;
    ride_waker *waker;
    const ride_feed_events *events;
    int64_t next;
    uint32_t stream;
    bool assigned;
} fake_results_feed;

static inline ride_status fake_results_poll(ride_feed *feed, uint32_t stream, ride_message *out, uint32_t max,
                                            uint32_t *count, ride_error *err) {
    fake_results_feed *f = (fake_results_feed *)feed;
    const fake_log *log = f->of->log;
    (void)stream;
    *count = 0;
    ride_waker_wake(f->waker);
    if (!f->assigned) {
        ride_stream_info info = {.source = "decisions",
                                 .topic = "decisions",
                                 .partitions_count = 1,
                                 .is_log = true,
                                 .committed = RIDE_OFFSET_NONE,
                                 .log_begin = f->of->begin,
                                 .log_end = (int64_t)log->results_count,
                                 .start = f->of->begin};
        RIDE_TRY(f->events->assigned(f->events->context, &info, 1, err));
        f->next = info.start;
        f->stream = info.stream;
        f->assigned = true;
        return RIDE_OK;
    }
    for (; *count < max && f->next < (int64_t)log->results_count; f->next++) {
        const fake_result *r = &log->results[f->next];
        if (r->target != 0) continue; /* gaps are allowed */
        out[(*count)++] = (ride_message){.value = r->value,
                                         .value_bytes = r->bytes,
                                         .key = r->key,
                                         .key_bytes = r->key_bytes,
                                         .stream = f->stream,
                                         .offset = f->next,
                                         .arrival_us = f->next};
    }
    if (*count == 0) f->events->at_end(f->events->context, f->stream);
    return RIDE_OK;
}

static inline void fake_results_release(ride_feed *feed, ride_message *messages, uint32_t count) {
    (void)feed;
    memset(messages, 0xAA, count * sizeof *messages);
}

static inline uint32_t fake_results_headers(ride_feed *feed, const ride_message *message, ride_header *out,
                                            uint32_t max) {
    const fake_result *r = &((fake_results_feed *)feed)->of->log->results[message->offset];
    uint32_t count = r->headers_count < max ? r->headers_count : max;
    for (uint32_t i = 0; i < count; i++)
        out[i] = (ride_header){r->headers[i].name, r->headers[i].value, (uint32_t)strlen(r->headers[i].value)};
    return count;
}

static inline void fake_results_close(ride_feed *feed) { free(feed); }

static inline ride_status fake_results_open(void *context, const ride_feed_events *events, ride_waker *waker,
                                            ride_feed **out, ride_error *err) {
    static const ride_feed_ops ops = {.name = "results",
                                      .poll = fake_results_poll,
                                      .release = fake_results_release,
                                      .headers = fake_results_headers,
                                      .close = fake_results_close};
    fake_results_feed *f = calloc(1, sizeof *f);
    if (f == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory");
    f->base.ops = &ops;
    f->of = context;
    f->waker = waker;
    f->events = events;
    *out = &f->base;
    return RIDE_OK;
}

#endif
