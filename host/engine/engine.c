/* engine/engine.c: the loop of a run. */
#include "engine/engine.h"

#include "base/clock.h"
#include "engine/drift.h"
#include "engine/overlap.h"
#include "engine/pipeline.h"
#include "engine/shards.h"

#include <stdlib.h>
#include <string.h>

static ride_status told(const pipeline *p, ride_status st, ride_error *err) {
    if (st == RIDE_E_MEMORY) {
        ride_fail(err, st, "the window state has outgrown its memory after %llu events",
                  (unsigned long long)p->sequence);
        ride_error_advice(err, "see `ride features explain`");
    } else if (st != RIDE_OK) ride_fail(err, st, "the backend `%s` failed: %s", p->ops->name, ride_status_text(st));
    return st;
}

ride_status pipeline_submit(pipeline *p, const ride_work *work, ride_error *err) {
    return told(p, shards_submit(p, work), err);
}

/* What has expired for every stream: also for one whose first row is in this batch. */
static int64_t expire_of(const pipeline *p) {
    int64_t least_us = p->least_us;
    for (uint32_t row = 0; row < p->batch->rows_count; row++)
        if (*row_time(p, row, RIDE_COLUMN_CLOCK) < least_us) least_us = *row_time(p, row, RIDE_COLUMN_CLOCK);
    return least_us;
}

void pipeline_begin(pipeline *p) {
    p->counted = drift_takes_batch(p);
    const uint32_t stages = p->no_scores ? p->stages & ~(uint32_t)(RIDE_STAGE_SCORE | RIDE_STAGE_RULES) : p->stages;
    const ride_work work = {.stages = stages | (p->counted ? RIDE_STAGE_PROFILE : 0),
                            .rows_count = p->batch->rows_count,
                            .many_clocks = p->many_clocks,
                            .expire_us = p->many_clocks ? expire_of(p) : 0,
                            .in_tiles = p->batch->tiles,
                            .out_tiles = p->out_tiles,
                            .arena = p->batch->arena,
                            .arena_bytes = p->batch->arena_bytes};
    shards_begin(p, &work);
}

ride_status pipeline_end(pipeline *p, ride_error *err) {
    RIDE_TRY(told(p, shards_end(p), err));
    return drift_batch(p, p->counted, err);
}

ride_status pipeline_compute(pipeline *p, ride_error *err) {
    pipeline_begin(p);
    RIDE_TRY(pipeline_end(p, err));
    return drift_settle(p, err);
}

ride_status pipeline_write(pipeline *p, ride_error *err) {
    RIDE_TRY(drift_settle(p, err));
    verdicts_make(p);
    alerts_batch(p);
    const ride_status st = outputs_write(p);
    if (st != RIDE_OK) return ride_fail(err, st, "the output cannot be written"); /* close tells the cause */
    const uint64_t now_ns = ride_clock_now_ns(ride_clock_real());
    observe_batch(p, now_ns - p->batch_start_ns, now_ns);
    return RIDE_OK;
}

static void bytes_count(pipeline *p) {
    uint64_t done = 0, total = 0;
    bool known = true;
    for (uint32_t i = 0; i < p->inputs_count; i++) {
        uint64_t bytes, of;
        ride_source_progress(p->inputs[i].source, &bytes, &of);
        done += bytes;
        total += of;
        known = known && of > 0;
    }
    p->summary->bytes_done = done;
    p->summary->bytes_total = known ? total : 0;
}

bool pipeline_told(pipeline *p) {
    bytes_count(p);
    if (p->options->progress != NULL) p->options->progress(p->options->progress_context, p->summary);
    return p->options->stop != NULL && *p->options->stop;
}

static ride_status run_batches(pipeline *p, ride_error *err) {
    for (;;) {
        p->batch_start_ns = ride_clock_now_ns(ride_clock_real());
        RIDE_TRY(pipeline_read(p, err));
        if (p->batch->rows_count > 0) {
            RIDE_TRY(pipeline_compute(p, err));
            RIDE_TRY(pipeline_write(p, err));
            p->sequence += p->batch->rows_count;
        }
        if (pipeline_told(p)) return RIDE_INTERRUPTED;
    }
}

ride_status ride_run(const ride_run_options *given, ride_run_summary *out, ride_diagnostics *findings,
                     ride_error *err) {
    ride_run_options options = *given;
    if (options.batch_rows_max == 0) options.batch_rows_max = 1024;
    if (options.format == 0) options.format = RIDE_FORMAT_CSV;
    memset(out, 0, sizeof *out);
    ride_histogram_init(&out->batch_ns);
    pipeline *p = calloc(1, sizeof *p);
    if (p == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a run");
    p->options = &options;
    p->summary = out;
    uint64_t opened_ns = ride_clock_now_ns(ride_clock_real());
    ride_status st = pipeline_open(p, findings, err);
    if (st == RIDE_OK && options.shards > 1 && !options.one_batch) st = overlap_open(p, err);
    if (st == RIDE_OK) st = shards_bind_caller(p, err);
    const bool opened =
        st == RIDE_OK; /* before that there is nothing to keep: a stop leaves the saved state as it is */
    observe_start(p);
    out->setup_ns = p->start_ns - opened_ns;
    if (st == RIDE_OK) st = p->overlap != NULL ? overlap_run(p, err) : run_batches(p, err);
    if (st == RIDE_END) st = RIDE_OK;
    observe_end(p, ride_clock_now_ns(ride_clock_real()));
    ride_error failure;
    ride_status closed = pipeline_close(p, opened && (st == RIDE_OK || st == RIDE_INTERRUPTED), &failure);
    bool told = st == RIDE_OK || st == RIDE_INTERRUPTED || st == RIDE_E_IO; /* the close knows why a write failed */
    if (closed != RIDE_OK && told) st = closed, *err = failure;
    out->elapsed_ns = ride_clock_now_ns(ride_clock_real()) - opened_ns;
    free(p);
    return st;
}

void ride_run_summary_free(ride_run_summary *summary) {
    free(summary->vector_names);
    summary->vector_names = NULL;
    free(summary->reason_texts);
    summary->reason_texts = NULL;
    ride_run_drift_destroy(summary->drift);
    summary->drift = NULL;
}
