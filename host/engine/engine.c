/* engine/engine.c: the loop of a run. */
#include "engine/engine.h"

#include "base/clock.h"
#include "engine/pipeline.h"

#include <stdlib.h>
#include <string.h>

static ride_status compute(pipeline *p, ride_error *err) {
    ride_ticket ticket;
    ride_work work = {.stages = RIDE_STAGE_FEATURES,
                      .rows_count = p->batch->rows_count,
                      .in_tiles = p->batch->tiles,
                      .out_tiles = p->out_tiles,
                      .arena = p->batch->arena,
                      .arena_bytes = p->batch->arena_bytes};
    ride_status st = p->ops->submit(p->queue, p->program, p->state, &work, &ticket);
    if (st == RIDE_OK) st = p->ops->wait(p->queue, ticket, UINT64_MAX);
    if (st == RIDE_E_MEMORY) {
        ride_fail(err, st, "the window state has outgrown its memory after %llu events",
                  (unsigned long long)p->sequence);
        ride_error_advice(err, "see `ride features explain`");
    } else if (st != RIDE_OK) ride_fail(err, st, "the backend `%s` failed: %s", p->ops->name, ride_status_text(st));
    return st;
}

/* Rows whose flags, masked, are as wanted. */
static uint32_t select_rows(pipeline *p, uint32_t mask, uint32_t wanted) {
    uint32_t count = 0;
    for (uint32_t row = 0; row < p->batch->rows_count; row++) {
        const uint32_t *flags =
            ride_tile_values(&p->in_layout, ride_batch_tile(p->batch, row / RIDE_TILE_ROWS), RIDE_COLUMN_FLAGS);
        if ((flags[row % RIDE_TILE_ROWS] & mask) == wanted) p->rows[count++] = row;
    }
    return count;
}

static ride_status write_rows(pipeline *p) {
    ride_encoder_set sets[RIDE_ENCODER_SETS_MAX] = {{p->batch->tiles, p->batch->arena}, {p->out_tiles, NULL}};
    uint32_t count = select_rows(p, RIDE_ROW_SKIP | RIDE_ROW_LABEL, 0);
    ride_status st = count == p->batch->rows_count ? ride_encoder_write(p->encoder, sets, NULL, 0, count)
                                                   : ride_encoder_write(p->encoder, sets, p->rows, 0, count);
    if (st != RIDE_OK || p->late_encoder == NULL) return st;
    count = select_rows(p, RIDE_ROW_SKIP | RIDE_ROW_LABEL | RIDE_ROW_ENTERS, 0);
    return ride_encoder_write(p->late_encoder, sets, p->rows, 0, count);
}

static ride_status run_batches(pipeline *p, ride_error *err) {
    const ride_clock *clock = ride_clock_real();
    for (;;) {
        uint64_t start_ns = ride_clock_now_ns(clock);
        ride_status st = pipeline_read(p, err);
        if (st == RIDE_END) return RIDE_OK;
        if (st != RIDE_OK) return st;
        if (p->batch->rows_count > 0) {
            RIDE_TRY(compute(p, err));
            p->sequence += p->batch->rows_count;
            st = write_rows(p);
            if (st != RIDE_OK) return ride_fail(err, st, "the output cannot be written"); /* close tells the cause */
            ride_histogram_record(&p->summary->batch_ns, ride_clock_now_ns(clock) - start_ns);
        }
        if (p->options->progress != NULL) p->options->progress(p->options->progress_context, p->summary);
        if (p->options->stop != NULL && *p->options->stop) return RIDE_INTERRUPTED;
    }
}

ride_status ride_features_run(const ride_features_options *given, ride_features_summary *out,
                              ride_diagnostics *findings, ride_error *err) {
    ride_features_options options = *given;
    if (options.batch_rows_max == 0) options.batch_rows_max = 1024;
    if (options.format == 0) options.format = RIDE_FORMAT_CSV;
    pipeline *p = calloc(1, sizeof *p);
    if (p == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a run");
    memset(out, 0, sizeof *out);
    ride_histogram_init(&out->batch_ns);
    p->options = &options;
    p->summary = out;
    uint64_t start_ns = ride_clock_now_ns(ride_clock_real());
    ride_status st = pipeline_open(p, findings, err);
    if (st == RIDE_OK && p->spec->has_peers) { /* a group of one timestamp must not be divided between batches */
        st = ride_fail(err, RIDE_E_UNSUPPORTED,
                       "`ties: peers` in `order: event_time` is not supported yet by `features run`");
        ride_error_advice(err, "use ties: arrival or exclude");
    }
    if (st == RIDE_OK) st = run_batches(p, err);
    ride_error failure;
    ride_status closed = pipeline_close(p, &failure);
    if (closed != RIDE_OK && (st == RIDE_OK || st == RIDE_E_IO)) st = closed, *err = failure;
    out->elapsed_ns = ride_clock_now_ns(ride_clock_real()) - start_ns;
    free(p);
    return st;
}
