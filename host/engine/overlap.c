/* engine/overlap.c: see overlap.h. */
#include "engine/overlap.h"

#include "base/assert.h"
#include "base/clock.h"
#include "engine/reasons.h"
#include "engine/shards.h"

#include <stdlib.h>

struct overlap {
    hand other;
    bool computing;     /* the other is with the shards, or done by them, and not written */
    ride_status failed; /* of overlap_wait, for the next read to tell */
    ride_error failure;
};

/* The other batch is the pipeline's. */
static void change(pipeline *p) {
    const hand mine = hand_of(p);
    hand_take(p, &p->overlap->other);
    p->overlap->other = mine;
}

ride_status overlap_open(pipeline *p, ride_error *err) {
    struct overlap *o = calloc(1, sizeof *o);
    if (o == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a second batch");
    p->overlap = o;
    change(p);
    ride_status st = pipeline_batch_open(p, err);
    if (st == RIDE_OK) st = verdicts_batch_open(p, err);
    if (st == RIDE_OK) st = reasons_batch_open(p, err);
    change(p);
    return st;
}

void overlap_close(pipeline *p) {
    if (p->overlap == NULL) return;
    change(p);
    pipeline_batch_close(p);
    change(p);
    free(p->overlap);
    p->overlap = NULL;
}

/* Duplicates in this batch of events in the other, which has its verdicts now. */
static void repeats_answer(pipeline *p) {
    for (uint32_t row = 0; p->duplicates_in_batch > 0 && row < p->batch->rows_count; row++) {
        if (!(*row_flags(p, row) & RIDE_ROW_SKIP) || !(p->answered_by[row] & ANSWERED_BY_EARLIER)) continue;
        if (p->answered_by[row] == UINT32_MAX) continue;
        const uint32_t first = p->overlap->other.batch->rows_count - (p->answered_by[row] & ~ANSWERED_BY_EARLIER);
        change(p);
        const verdict known = verdict_read(p, first);
        change(p);
        verdict_write(p, row, &known, END_DUPLICATE);
        p->answered_by[row] = UINT32_MAX;
    }
}

/* The other batch is computed and counted. */
static ride_status other_end(pipeline *p, ride_error *err) {
    change(p);
    const ride_status st = pipeline_end(p, err);
    change(p);
    return st;
}

static ride_status other_write(pipeline *p, ride_error *err) {
    change(p);
    const ride_status st = pipeline_write(p, err);
    change(p);
    repeats_answer(p);
    p->unanswered_from = UINT64_MAX;
    p->overlap->computing = false;
    return st;
}

static ride_status other_finish(pipeline *p, ride_error *err) {
    if (!p->overlap->computing) return RIDE_OK;
    RIDE_TRY(other_end(p, err));
    return other_write(p, err);
}

/* In the midst of a read, before the first row of this batch. */
void overlap_wait(pipeline *p) {
    struct overlap *o = p->overlap;
    RIDE_ASSERT(!o->computing || p->batch->rows_count == 0);
    if (o->failed == RIDE_OK) o->failed = other_finish(p, &o->failure);
}

/* This batch goes to the shards; while they begin, the other is written, and will be the next that is read. */
static ride_status pass_on(pipeline *p, ride_error *err) {
    struct overlap *o = p->overlap;
    const bool before = o->computing;
    if (before) RIDE_TRY(other_end(p, err)); /* also: its counts are complete before the next are added */
    pipeline_begin(p);
    if (before) RIDE_TRY(other_write(p, err));
    shards_help(p);
    p->unanswered_from = p->sequence;
    const uint64_t next = p->sequence + p->batch->rows_count;
    o->computing = true;
    change(p);
    p->sequence = next;
    return RIDE_OK;
}

ride_status overlap_run(pipeline *p, ride_error *err) {
    struct overlap *o = p->overlap;
    for (;;) {
        p->batch_start_ns = ride_clock_now_ns(ride_clock_real());
        const ride_status st = pipeline_read(p, err);
        if (o->failed != RIDE_OK) {
            *err = o->failure;
            return o->failed;
        }
        if (st != RIDE_OK) {
            ride_error failure;
            const ride_status finished = other_finish(p, &failure);
            if (finished != RIDE_OK) *err = failure;
            return finished != RIDE_OK ? finished : st;
        }
        if (p->batch->rows_count > 0) RIDE_TRY(pass_on(p, err));
        if (!pipeline_told(p)) continue;
        RIDE_TRY(other_finish(p, err));
        return RIDE_INTERRUPTED;
    }
}
