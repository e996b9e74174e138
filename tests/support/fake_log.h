/* support/fake_log.h: a log in memory with a feed over it and an outlet into it, for tests of the service: partitions are met in an order
 * that a seed decides, results are acknowledged late, the outlet is full now and then, streams are revoked and given back, and
 * everything ends at once after a number of calls (a crash), after which the log is as a broker would have it. While it serves, it allocates
 * nothing where its results are not kept. Feed and outlet may be called by two threads: the outlet has chances of its own, and what both
 * touch is atomic. */
#ifndef RIDE_TESTS_FAKE_LOG_H
#define RIDE_TESTS_FAKE_LOG_H
#include "base/clock.h"
#include "base/feed.h"
#include "base/waker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FAKE_PARTITIONS_MAX = 8, FAKE_PENDING_MAX = 4096, FAKE_HEADERS_MAX = 8 };

typedef struct fake_message {
    const char *key, *value;
    uint32_t key_bytes, value_bytes;
    int64_t arrival_us;
    char token[64]; /* its header `ride_request`; "": it has none */
} fake_message;

typedef struct fake_result {
    uint32_t target, partition; /* of its source */
    int64_t offset;
    uint32_t bytes, key_bytes, headers_count;
    char *value, *key; /* key NULL: none */
    struct {
        char name[24], value[80];
    } headers[FAKE_HEADERS_MAX];
} fake_result;

typedef enum fake_rebalance { FAKE_STAYS, FAKE_REVOKED, FAKE_LOST } fake_rebalance;

typedef struct fake_log {
    const char *source, *topic;
    fake_message *messages[FAKE_PARTITIONS_MAX];
    int64_t counts[FAKE_PARTITIONS_MAX];
    int64_t begins[FAKE_PARTITIONS_MAX]; /* what is before is gone */
    uint32_t partitions;
    uint32_t others; /* bit p: partition p is another member's */
    bool in_turn;    /* a partition is read to its end before the next one begins */
    bool in_step;    /* the one that is furthest behind is read next, so they end together */
    /* From this partition on they are of another topic; 0 = none is. Its source is given with it. */
    uint32_t other_first;
    const char *other_source, *other_topic;
    bool other_is_json;
    int64_t committed[FAKE_PARTITIONS_MAX]; /* as the broker has it */
    fake_result *results;                   /* in the order of their arrival */
    uint64_t results_count, results_room;
    bool forgets; /* results are counted and not kept */
    /* how the next run goes */
    void (*script)(
        struct fake_log *log); /* before each poll: may change what follows here, and order a rebalance; may be NULL */
    fake_rebalance rebalance_next;
    uint64_t random;
    uint64_t crash_after;     /* calls; 0 = never */
    uint32_t full_every;      /* of sends, by chance; 0 = never */
    uint32_t rebalance_every; /* of polls, by chance; 0 = never */
    uint32_t burst_max;       /* messages of one poll, 0 = as many as asked for */
    uint32_t deliver_max;     /* results acknowledged in one look at the outlet, by chance; 0 = 512 */
    bool stop_at_end;         /* sets *stop when everything was polled, */
    const uint64_t *also;     /* and this is 0; NULL: nothing else */
    bool is_away;             /* nothing is acknowledged any more, */
    uint64_t polls_left;      /* and after so many looks at the outlet *stop is set; 0 = never */
    volatile sig_atomic_t *stop;
    _Atomic uint64_t calls;
    uint64_t rebalances;
    uint64_t polls_at_end; /* in a row: there was nothing left to be polled */
} fake_log;

static inline uint64_t fake_random_of(uint64_t *random) {
    uint64_t z = (*random += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}
static inline uint64_t fake_random(fake_log *log) { return fake_random_of(&log->random); }
static inline bool fake_chance(fake_log *log, uint32_t every) { return every != 0 && fake_random(log) % every == 0; }

/* Counts a call; true when everything ends here. */
static inline bool fake_crashed(fake_log *log) { return ++log->calls >= log->crash_after && log->crash_after != 0; }

static inline void fake_append(fake_log *log, uint32_t partition, const char *key, uint32_t key_bytes,
                               const char *value, uint32_t value_bytes) {
    int64_t n = log->counts[partition];
    if ((n & (n - 1)) == 0)
        log->messages[partition] =
            realloc(log->messages[partition], (size_t)(n == 0 ? 1 : 2 * n) * sizeof(fake_message));
    log->messages[partition][log->counts[partition]++] = (fake_message){
        .key = key, .value = value, .key_bytes = key_bytes, .value_bytes = value_bytes, .arrival_us = INT64_MIN};
}

/* ---- the feed ---- */

typedef struct fake_feed {
    ride_feed base;
    fake_log *log;
    ride_waker *waker;
    const ride_feed_events *events;
    int64_t next[FAKE_PARTITIONS_MAX], stored[FAKE_PARTITIONS_MAX];
    uint32_t streams[FAKE_PARTITIONS_MAX];
    bool end_told[FAKE_PARTITIONS_MAX], assigned;
} fake_feed;

static inline bool fake_is_mine(const fake_log *log, uint32_t p) { return (log->others >> p & 1) == 0; }

static inline ride_status fake_assign(fake_feed *f, ride_error *err) {
    ride_stream_info infos[FAKE_PARTITIONS_MAX];
    fake_log *log = f->log;
    uint32_t count = 0;
    memset(infos, 0, sizeof infos);
    for (uint32_t p = 0; p < log->partitions; p++) {
        if (!fake_is_mine(log, p)) continue;
        const bool other = log->other_first != 0 && p >= log->other_first;
        const uint32_t events = log->other_first != 0 ? log->other_first : log->partitions;
        ride_stream_info *info = &infos[count++];
        *info = (ride_stream_info){.source = other ? log->other_source : log->source,
                                   .partition = (int32_t)p,
                                   .partitions_count = other ? log->partitions - log->other_first : events,
                                   .is_log = true,
                                   .is_json = other && log->other_is_json,
                                   .committed = log->committed[p],
                                   .log_begin = log->begins[p],
                                   .log_end = log->counts[p],
                                   .start = log->committed[p] >= 0 ? log->committed[p] : log->begins[p]};
        snprintf(info->topic, sizeof info->topic, "%s", other ? log->other_topic : log->topic);
    }
    RIDE_TRY(f->events->assigned(f->events->context, infos, count, err));
    for (uint32_t p = 0; p < log->partitions; p++) {
        f->next[p] = log->counts[p]; /* another's: nothing is left of it */
        f->streams[p] = RIDE_STREAM_ANY - 1;
        f->stored[p] = log->committed[p];
        f->end_told[p] = true;
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t p = (uint32_t)infos[i].partition;
        f->next[p] = infos[i].start;
        f->streams[p] = infos[i].stream;
        f->end_told[p] = false;
    }
    f->assigned = true;
    return RIDE_OK;
}

static inline void fake_commit_now(fake_feed *f) {
    for (uint32_t p = 0; p < f->log->partitions; p++) f->log->committed[p] = f->stored[p];
}

static inline ride_status fake_poll(ride_feed *feed, uint32_t stream, ride_message *out, uint32_t max, uint32_t *count,
                                    ride_error *err) {
    fake_feed *f = (fake_feed *)feed;
    fake_log *log = f->log;
    *count = 0;
    ride_waker_wake(f->waker); /* there may be more at once */
    if (log->script != NULL) log->script(log);
    if (fake_crashed(log)) return ride_fail(err, RIDE_E_IO, "crash");
    if (!f->assigned) return fake_assign(f, err);
    if (log->rebalance_next == FAKE_STAYS && fake_chance(log, log->rebalance_every))
        log->rebalance_next = fake_random(log) % 4 == 0 ? FAKE_LOST : FAKE_REVOKED;
    if (log->rebalance_next != FAKE_STAYS) {
        const bool lost = log->rebalance_next == FAKE_LOST;
        log->rebalance_next = FAKE_STAYS;
        f->assigned = false;
        uint32_t mine[FAKE_PARTITIONS_MAX], count_mine = 0;
        for (uint32_t p = 0; p < log->partitions; p++)
            if (f->streams[p] < RIDE_STREAMS_MAX) mine[count_mine++] = f->streams[p];
        f->events->revoked(f->events->context, mine, count_mine, lost);
        if (!lost) fake_commit_now(f);
        log->rebalances++;
        return fake_assign(f, err);
    }
    if (fake_chance(log, 8)) fake_commit_now(f);
    uint32_t p = (uint32_t)(fake_random(log) % log->partitions);
    for (uint32_t i = log->partitions; i-- > 0 && log->in_turn;)
        if (f->next[i] < log->counts[i]) p = i;
    for (uint32_t i = 0; i < log->partitions && log->in_step; i++)
        if (f->next[i] * log->counts[p] < f->next[p] * log->counts[i]) p = i;
    for (uint32_t i = 0; i < log->partitions; i++)
        if (stream != RIDE_STREAM_ANY && f->streams[i] == stream) p = i;
    int64_t left = fake_is_mine(log, p) ? log->counts[p] - f->next[p] : 0;
    if (left == 0 && !f->end_told[p]) {
        f->end_told[p] = true;
        f->events->at_end(f->events->context, f->streams[p]);
    }
    bool all = true;
    for (uint32_t i = 0; i < log->partitions; i++) all = all && (!fake_is_mine(log, i) || f->next[i] == log->counts[i]);
    if (all && log->stop_at_end && (log->also == NULL || *log->also == 0)) *log->stop = 1;
    log->polls_at_end = all ? log->polls_at_end + 1 : 0;
    if (log->burst_max > 0 && max > log->burst_max) max = (uint32_t)(fake_random(log) % log->burst_max) + 1;
    for (; *count < max && left > 0; left--, (*count)++) {
        const fake_message *m = &log->messages[p][f->next[p]];
        out[*count] = (ride_message){.value = m->value,
                                     .key = m->key,
                                     .value_bytes = m->value_bytes,
                                     .key_bytes = m->key_bytes,
                                     .stream = f->streams[p],
                                     .offset = f->next[p]++,
                                     .arrival_us = m->arrival_us,
                                     .polled_ns = 1};
    }
    return RIDE_OK;
}

static inline void fake_release(ride_feed *feed, ride_message *messages, uint32_t count) {
    (void)feed;
    memset(messages, 0xAA, count * sizeof *messages); /* whoever still uses them finds nothing */
}

static inline uint32_t fake_headers(ride_feed *feed, const ride_message *message, ride_header *out, uint32_t max) {
    fake_feed *f = (fake_feed *)feed;
    for (uint32_t p = 0; p < f->log->partitions; p++) {
        if (f->streams[p] != message->stream || max == 0) continue;
        const char *token = f->log->messages[p][message->offset].token;
        if (token[0] == '\0') return 0;
        out[0] = (ride_header){"ride_request", token, (uint32_t)strlen(token)};
        return 1;
    }
    return 0;
}

static inline void fake_store(ride_feed *feed, uint32_t stream, int64_t next) {
    fake_feed *f = (fake_feed *)feed;
    for (uint32_t p = 0; p < f->log->partitions; p++)
        if (f->streams[p] == stream) f->stored[p] = next;
}

static inline ride_status fake_commit(ride_feed *feed, uint64_t timeout_ns, ride_error *err) {
    (void)timeout_ns;
    (void)err;
    fake_commit_now((fake_feed *)feed);
    return RIDE_OK;
}

static inline void fake_feed_close(ride_feed *feed) { free(feed); }

static inline ride_status fake_feed_open(void *context, const ride_feed_events *events, ride_waker *waker,
                                         ride_feed **out, ride_error *err) {
    static const ride_feed_ops ops = {.name = "fake",
                                      .poll = fake_poll,
                                      .release = fake_release,
                                      .headers = fake_headers,
                                      .store = fake_store,
                                      .commit = fake_commit,
                                      .close = fake_feed_close};
    fake_feed *f = calloc(1, sizeof *f);
    if (f == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory");
    f->waker = waker;
    f->base.ops = &ops;
    f->log = context;
    f->events = events;
    *out = &f->base;
    return RIDE_OK;
}

/* ---- the outlet ---- */

typedef struct fake_outlet {
    ride_outlet base;
    fake_log *log;
    ride_waker *waker;
    ride_outlet_events events;
    uint64_t random, pending[FAKE_PENDING_MAX], pending_first, pending_next;
} fake_outlet;

static inline const char *fake_header(const ride_result *result, const char *name, char text[64]) {
    text[0] = '\0';
    for (uint32_t i = 0; i < result->headers_count; i++)
        if (strcmp(result->headers[i].name, name) == 0)
            snprintf(text, 64, "%.*s", (int)result->headers[i].value_bytes, (const char *)result->headers[i].value);
    return text;
}

static inline ride_status fake_send(ride_outlet *outlet, const ride_result *result, ride_error *err) {
    fake_outlet *o = (fake_outlet *)outlet;
    fake_log *log = o->log;
    char text[64];
    if (fake_crashed(log)) return ride_fail(err, RIDE_E_IO, "crash");
    if ((log->full_every != 0 && fake_random_of(&o->random) % log->full_every == 0) ||
        o->pending_next - o->pending_first == FAKE_PENDING_MAX) {
        ride_waker_wake(o->waker); /* there may be room at once */
        return RIDE_FULL;
    }
    o->pending[o->pending_next++ % FAKE_PENDING_MAX] = result->ticket;
    if (log->forgets) {
        log->results_count++;
        return RIDE_OK;
    }
    if (log->results_count == log->results_room) {
        log->results_room = log->results_room == 0 ? 1024 : 2 * log->results_room;
        log->results = realloc(log->results, log->results_room * sizeof *log->results);
    }
    fake_result *r = &log->results[log->results_count++];
    *r =
        (fake_result){.target = result->target, .bytes = result->value_bytes, .value = malloc(result->value_bytes + 1)};
    memcpy(r->value, result->value, result->value_bytes);
    r->value[result->value_bytes] = '\0';
    if (result->key != NULL) {
        r->key = malloc(result->key_bytes + 1);
        memcpy(r->key, result->key, result->key_bytes);
        r->key[result->key_bytes] = '\0';
        r->key_bytes = result->key_bytes;
    }
    for (uint32_t i = 0; i < result->headers_count && i < FAKE_HEADERS_MAX; i++, r->headers_count++) {
        snprintf(r->headers[i].name, sizeof r->headers[i].name, "%s", result->headers[i].name);
        snprintf(r->headers[i].value, sizeof r->headers[i].value, "%.*s", (int)result->headers[i].value_bytes,
                 (const char *)result->headers[i].value);
    }
    r->partition = (uint32_t)atoi(fake_header(result, "source_partition", text));
    r->offset = atoll(fake_header(result, "source_offset", text));
    return RIDE_OK;
}

static inline void fake_deliver(fake_outlet *o, uint64_t count) {
    for (; count > 0 && o->pending_first < o->pending_next; count--) {
        uint64_t ticket = o->pending[o->pending_first++ % FAKE_PENDING_MAX];
        o->events.delivered(o->events.context, ticket, RIDE_OK, NULL);
    }
}

static inline ride_status fake_outlet_poll(ride_outlet *outlet, ride_error *err) {
    fake_outlet *o = (fake_outlet *)outlet;
    (void)err;
    const uint32_t most = o->log->deliver_max != 0 ? o->log->deliver_max : 512;
    if (!o->log->is_away) fake_deliver(o, fake_random_of(&o->random) % most);
    if (o->log->polls_left > 0 && --o->log->polls_left == 0) __atomic_store_n(o->log->stop, 1, __ATOMIC_RELAXED);
    return RIDE_OK;
}

static inline ride_status fake_flush(ride_outlet *outlet, uint64_t timeout_ns, ride_error *err) {
    fake_outlet *o = (fake_outlet *)outlet;
    (void)err;
    if (!o->log->is_away) fake_deliver(o, UINT64_MAX);
    else ride_clock_sleep_until_ns(ride_clock_real(), ride_clock_now_ns(ride_clock_real()) + timeout_ns);
    return o->log->is_away ? RIDE_PENDING : RIDE_OK;
}

static inline void fake_outlet_close(ride_outlet *outlet) { free(outlet); }

static inline ride_status fake_outlet_open(void *context, const ride_outlet_events *events, ride_waker *waker,
                                           ride_outlet **out, ride_error *err) {
    static const ride_outlet_ops ops = {
        .name = "fake", .send = fake_send, .poll = fake_outlet_poll, .flush = fake_flush, .close = fake_outlet_close};
    fake_outlet *o = calloc(1, sizeof *o);
    if (o == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory");
    o->base.ops = &ops;
    o->log = context;
    o->waker = waker;
    o->random = ~o->log->random;
    o->events = *events;
    *out = &o->base;
    return RIDE_OK;
}

static inline void fake_results_free(fake_log *log) {
    for (uint64_t i = 0; i < log->results_count && !log->forgets; i++) {
        free(log->results[i].value);
        free(log->results[i].key);
    }
    free(log->results);
    log->results = NULL;
    log->results_count = log->results_room = 0;
}

static inline void fake_log_free(fake_log *log) {
    fake_results_free(log);
    for (uint32_t p = 0; p < log->partitions; p++) free(log->messages[p]);
}

#endif
