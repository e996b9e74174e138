/* scheduler/batcher.c: see the header. A step is the same for the same view: nothing is remembered between looks but counters. */
#include "scheduler/batcher.h"
#include "base/assert.h"

#include <stddef.h>

static const ride_batcher_step wait = {0, RIDE_BATCHER_NEVER};

static ride_batcher_step close_now(const ride_batcher *batcher, const ride_batcher_view *view) {
    uint32_t most = batcher->options.rows_count_max;
    return (ride_batcher_step){.rows_count = view->rows_count < most ? view->rows_count : most};
}

static bool full(const ride_batcher *batcher, const ride_batcher_view *view) {
    return view->rows_count >= batcher->options.rows_count_max;
}

static ride_batcher_step greedy_step(ride_batcher *batcher, const ride_batcher_view *view,
                                     ride_batcher_reason *reason) {
    *reason = full(batcher, view) ? RIDE_BATCHER_FULL : RIDE_BATCHER_IDLE;
    return close_now(batcher, view);
}

static ride_batcher_step fixed_step(ride_batcher *batcher, const ride_batcher_view *view, ride_batcher_reason *reason) {
    uint64_t due_ns;
    *reason = full(batcher, view) ? RIDE_BATCHER_FULL : RIDE_BATCHER_AGE;
    if (__builtin_add_overflow(view->oldest_ns, batcher->options.delay_ns_max, &due_ns)) due_ns = RIDE_BATCHER_NEVER;
    if (full(batcher, view) || view->now_ns >= due_ns) return close_now(batcher, view);
    return (ride_batcher_step){.wait_until_ns = due_ns};
}

static const ride_batcher_ops policies[] = {
    [RIDE_BATCHER_GREEDY] = {"greedy", greedy_step, NULL},
    [RIDE_BATCHER_FIXED] = {"fixed", fixed_step, NULL},
};

void ride_batcher_set(ride_batcher *batcher, const ride_batcher_options *options) {
    RIDE_ASSERT(options->policy >= RIDE_BATCHER_GREEDY && options->policy <= RIDE_BATCHER_FIXED);
    RIDE_ASSERT(options->rows_count_max > 0);
    batcher->ops = &policies[options->policy];
    batcher->options = *options;
}

void ride_batcher_init(ride_batcher *batcher, const ride_batcher_options *options) {
    *batcher = (ride_batcher){0};
    ride_batcher_set(batcher, options);
}

ride_batcher_step ride_batcher_next(ride_batcher *batcher, const ride_batcher_view *view) {
    ride_batcher_reason reason = RIDE_BATCHER_IDLE;
    if (view->rows_count == 0 || !view->device_free) return wait; /* a row or a device will wake the caller */
    ride_batcher_step step = batcher->ops->step(batcher, view, &reason);
    RIDE_ASSERT(step.rows_count <= view->rows_count && step.rows_count <= batcher->options.rows_count_max);
    batcher->closed[reason] += step.rows_count > 0;
    return step;
}

ride_batcher_step ride_batcher_flush(ride_batcher *batcher, const ride_batcher_view *view) {
    if (view->rows_count == 0 || !view->device_free) return wait;
    batcher->closed[RIDE_BATCHER_FLUSH]++;
    return close_now(batcher, view);
}

void ride_batcher_done(ride_batcher *batcher, uint32_t rows_count, uint64_t took_ns) {
    if (batcher->ops->done != NULL) batcher->ops->done(batcher, rows_count, took_ns);
}
