/* scheduler/batcher.h: when a batch closes. It holds no rows and knows no device: it is told how many rows wait, since when, and
 * whether a device would take them, and answers "now, so many" or "ask again at t".
 *
 * Policies are rows of a table, so that one that learns (a latency bound held by a cost model) fits in behind the same calls:
 *   greedy  whatever waits goes as soon as a device is free: a delay would buy device time, never latency. Batches grow by themselves
 *           with the load: what arrives while a batch runs is the next one. A row waits no longer than the batch in progress.
 *   fixed   a batch goes when it is full, or when its oldest row is delay_ns_max old: larger batches, less device time per row. A
 *           row waits no longer than delay_ns_max and then the batch in progress.
 * Both bounds count from when a row was let into the batch. Who fills batches lets in no more than rows_count_max rows; what waits
 * before that is admission's.
 *
 * Time is what the caller says it is, so a virtual clock tests it. Plain data, no allocation; one batcher per thread. */
#ifndef RIDE_SCHEDULER_BATCHER_H
#define RIDE_SCHEDULER_BATCHER_H
#include <stdbool.h>
#include <stdint.h>

#define RIDE_BATCHER_NEVER UINT64_MAX

typedef enum ride_batcher_policy { RIDE_BATCHER_GREEDY = 1, RIDE_BATCHER_FIXED } ride_batcher_policy;

typedef struct ride_batcher_options {
    ride_batcher_policy policy;
    uint32_t rows_count_max; /* of a batch, at least 1 */
    uint64_t delay_ns_max;   /* of `fixed`; 0: a batch goes with the first look at it */
} ride_batcher_options;

/* What there is at this moment. */
typedef struct ride_batcher_view {
    uint64_t now_ns;
    uint32_t rows_count; /* that wait */
    uint64_t oldest_ns;  /* when the first of them was let in; not read when rows_count is 0 */
    bool device_free;    /* a batch given now would be taken */
} ride_batcher_view;

/* Why a batch closed. */
typedef enum ride_batcher_reason {
    RIDE_BATCHER_FULL = 1, /* rows_count_max rows */
    RIDE_BATCHER_AGE,      /* its oldest row waited delay_ns_max */
    RIDE_BATCHER_IDLE,     /* a device was free */
    RIDE_BATCHER_FLUSH,    /* ride_batcher_flush: the end, or a revoked stream */
    RIDE_BATCHER_REASONS,
} ride_batcher_reason;

typedef struct ride_batcher_step {
    uint32_t rows_count; /* > 0: close a batch of the so many oldest rows now; 0: wait */
    uint64_t
        wait_until_ns; /* when waiting: ask again then at the latest, or when rows or a device come; RIDE_BATCHER_NEVER: only then */
} ride_batcher_step;

typedef struct ride_batcher ride_batcher;

/* A policy. state: RIDE_BATCHER_STATE_WORDS words that are the policy's own. */
enum { RIDE_BATCHER_STATE_WORDS = 8 };
typedef struct ride_batcher_ops {
    const char *name;
    ride_batcher_step (*step)(ride_batcher *batcher, const ride_batcher_view *view, ride_batcher_reason *reason);
    void (*done)(ride_batcher *batcher, uint32_t rows_count, uint64_t took_ns); /* NULL: learns nothing */
} ride_batcher_ops;

struct ride_batcher {
    const ride_batcher_ops *ops;
    ride_batcher_options options;
    uint64_t closed[RIDE_BATCHER_REASONS]; /* batches by reason, for metrics */
    uint64_t state[RIDE_BATCHER_STATE_WORDS];
};

void ride_batcher_init(ride_batcher *batcher, const ride_batcher_options *options);
/* Other options from now on: a reload. What was learned and counted stays. */
void ride_batcher_set(ride_batcher *batcher, const ride_batcher_options *options);
ride_batcher_step ride_batcher_next(ride_batcher *batcher, const ride_batcher_view *view);
/* Everything that waits goes as soon as a device is free, whatever the policy: at most rows_count_max rows a call. */
ride_batcher_step ride_batcher_flush(ride_batcher *batcher, const ride_batcher_view *view);
/* A batch of so many rows came back, took_ns after it was given. */
void ride_batcher_done(ride_batcher *batcher, uint32_t rows_count, uint64_t took_ns);

#endif
