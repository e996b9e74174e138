/* engine/read.c: the inputs, merged by (event time, order given): rows of the event source and label rows in one batch. */
#include "engine/pipeline.h"

static ride_status decode(pipeline *p, input *in, ride_batch *batch, uint32_t rows_max, int64_t stop_us,
                          ride_error *err) {
    uint64_t rejected = ride_decoder_get_stats(in->decoder)->rejected, before = batch->rows_count;
    ride_status st = ride_decoder_decode(in->decoder, batch, rows_max, stop_us, NULL, err);
    rejected = ride_decoder_get_stats(in->decoder)->rejected - rejected;
    if (!in->is_labels) p->summary->received += batch->rows_count - before + rejected, p->summary->rejected += rejected;
    else p->summary->labels_rejected += rejected;
    if (st == RIDE_END) in->at_end = true;
    /* a failure behind good rows is told again by the next call */
    return st == RIDE_END || batch->rows_count > before ? RIDE_OK : st;
}

/* Time of the input's next row; INT64_MAX at its end. RIDE_FULL: the batch has no room to look at it. */
static ride_status head_time(pipeline *p, input *in, int64_t *out, ride_error *err) {
    ride_batch *batch = in->is_labels ? p->label_batch : p->batch;
    *out = INT64_MAX;
    while (!in->at_end && !ride_decoder_held(in->decoder, out)) {
        if (batch->rows_count == ride_batch_rows_count_max(batch)) return RIDE_FULL;
        RIDE_TRY(decode(p, in, batch, 1, INT64_MIN, err));
    }
    return RIDE_OK;
}

static ride_status read_labels(pipeline *p, input *in, int64_t stop_us, uint32_t room, ride_error *err) {
    ride_batch_clear(p->label_batch);
    RIDE_TRY(decode(p, in, p->label_batch, room < RIDE_TILE_ROWS ? room : RIDE_TILE_ROWS, stop_us, err));
    for (uint32_t row = 0; row < p->label_batch->rows_count; row++) RIDE_TRY(pipeline_label(p, in->spec, row, err));
    ride_batch_clear(p->label_batch); /* the next look at this input needs room */
    return RIDE_OK;
}

/* Without labels the rows come straight from the one input; rows were stamped up to `first`. */
static ride_status read_events(pipeline *p, input *in, uint32_t rows_max, int64_t stop_us, ride_error *err) {
    uint32_t first = p->batch->rows_count;
    RIDE_TRY(decode(p, in, p->batch, rows_max, stop_us, err));
    ride_batch_set_rows(p->batch, p->batch->rows_count, p->sequence);
    return pipeline_stamp(p, first, err);
}

static ride_status group_too_large(ride_error *err) {
    ride_fail(err, RIDE_E_UNSUPPORTED, "one timestamp with more than %d events, or %d MiB of their strings",
              GROUP_ROWS_MAX, ARENA_BYTES / 2 >> 20);
    ride_error_advice(err, "use ties: arrival or exclude");
    return RIDE_E_UNSUPPORTED;
}

/* A group of one timestamp is not divided between batches: reads on while the next event has the time of the last. Every
 * label that is due before has been read by then. */
static ride_status finish_group(pipeline *p, ride_error *err) {
    uint32_t room = ride_batch_rows_count_max(p->batch);
    input *in = NULL;
    p->batch->arena_bytes_max = ARENA_BYTES;
    for (uint32_t i = 0; i < p->inputs_count; i++)
        if (!p->inputs[i].is_labels) in = &p->inputs[i];
    for (uint32_t last = p->batch->rows_count; in != NULL && last > 0;) {
        if (*row_flags(p, --last) & RIDE_ROW_LABEL) continue;
        int64_t next_us, time_us = *row_time(p, last, RIDE_COLUMN_TIME);
        in->source->dont_wait = false;
        in->source->dont_stop = true; /* of a file; a pipe that is waited for can be left, and ends the group */
        ride_status st = head_time(p, in, &next_us, err);
        if (st != RIDE_FULL && (st != RIDE_OK || in->at_end || next_us != time_us))
            break; /* a failure is told again by the next read */
        uint32_t rows_before = p->batch->rows_count;
        if (st == RIDE_OK && rows_before + 2 <= room) /* one more for the label that may follow */
            RIDE_TRY(read_events(p, in, p->labels_waiting > 0 ? 1 : room - 1 - rows_before, time_us, err));
        if (p->batch->rows_count == rows_before) return group_too_large(err);
        last = p->batch->rows_count;
    }
    if (in != NULL) in->source->dont_stop = false;
    return pipeline_mark_groups(p) <= GROUP_ROWS_MAX ? RIDE_OK
                                                     : group_too_large(err); /* whatever the batch has room for */
}

/* The one input. Labels may wait all the same, from a run before: row by row then, as ever. */
static ride_status read_one(pipeline *p, input *in, uint32_t rows_max, ride_error *err) {
    while (p->labels_waiting > 0 && p->batch->rows_count < rows_max && !in->at_end) {
        uint32_t first = p->batch->rows_count;
        in->source->dont_wait = first > 0;
        ride_status st = read_events(p, in, 1, INT64_MAX, err);
        if (st != RIDE_OK && first == 0) return st;
        if (st != RIDE_OK || p->batch->rows_count == first) return RIDE_OK; /* waiting, full, or a failure told again */
    }
    in->source->dont_wait = p->batch->rows_count > 0;
    uint32_t first = p->batch->rows_count;
    if (first == rows_max || in->at_end) return RIDE_OK;
    ride_status st = read_events(p, in, rows_max - first, INT64_MAX, err);
    return first > 0 ? RIDE_OK : st;
}

ride_status pipeline_read(pipeline *p, ride_error *err) {
    uint32_t rows_max = p->options->batch_rows_max;
    ride_batch_clear(p->batch);
    p->batch->arena_bytes_max =
        p->spec->has_peers ? ARENA_BYTES / 2 : ARENA_BYTES; /* the rest finishes the last group */
    p->duplicates_in_batch = 0;
    if (p->inputs_count == 1) {
        if (p->inputs[0].at_end) return RIDE_END;
        RIDE_TRY(read_one(p, &p->inputs[0], rows_max, err));
        return p->spec->has_peers ? finish_group(p, err) : RIDE_OK;
    }
    while (p->batch->rows_count < rows_max) {
        int64_t best_us = INT64_MAX, other_us = INT64_MAX;
        input *best = NULL;
        ride_status st = RIDE_OK;
        for (uint32_t i = 0; i < p->inputs_count && st == RIDE_OK; i++) {
            int64_t t;
            p->inputs[i].source->dont_wait = p->batch->rows_count > 0;
            st = head_time(p, &p->inputs[i], &t, err);
            if (st != RIDE_OK) break;
            if (p->inputs[i].at_end) continue;
            if (best == NULL || t < best_us) {
                if (best != NULL) other_us = best_us - (best < &p->inputs[i] ? 1 : 0);
                best = &p->inputs[i];
                best_us = t;
            } else if (t < other_us) other_us = t;
        }
        if (st == RIDE_OK && best == NULL) st = RIDE_END;
        if (st != RIDE_OK && p->batch->rows_count == 0) return st;
        if (st != RIDE_OK) break; /* rows first, then waiting, or the failure again */
        /* up to the other's head; an equal time goes to the input that was named first */
        int64_t stop_us = other_us == INT64_MAX ? INT64_MAX : other_us > best_us ? other_us - 1 : best_us;
        uint32_t room = rows_max - p->batch->rows_count;
        if (best->is_labels) RIDE_TRY(read_labels(p, best, stop_us, room, err));
        /* while labels wait, row by row: a label must follow its event at once, whatever the batch size */
        else {
            uint32_t first = p->batch->rows_count;
            RIDE_TRY(read_events(p, best, p->labels_waiting > 0 ? 1 : room, stop_us, err));
            if (first > 0 && p->batch->rows_count == first) break; /* no room for the row's strings in this batch */
        }
    }
    return p->spec->has_peers ? finish_group(p, err) : RIDE_OK;
}
