/* engine/stamp.c: what the engine knows of a row before any feature: keys, duplicate, watermark, late, its labels. Decided by
 * event times in arrival order only, so a replay decides the same. */
#include "base/assert.h"
#include "engine/pipeline.h"

#include <string.h>

bool event_identity(const pipeline *p, uint32_t row, ride_key128 *id) {
    if (p->events->field_id < 0) return false;
    return ride_key_of_value(&p->events->fields[p->events->field_id], &p->in_layout, batch_tile(p, row),
                             row % RIDE_TILE_ROWS, p->batch->arena, id);
}

/* Label rows carry the keys and the arrival number of the event they are about. */
static void label_row_write(pipeline *p, int64_t event_us, int64_t known_us, const known_event *event, bool value) {
    uint32_t row = p->batch->rows_count;
    ride_batch_set_rows(p->batch, row + 1, p->sequence);
    uint8_t *tile = batch_tile(p, row);
    *row_time(p, row, RIDE_COLUMN_TIME) = event_us;
    *row_time(p, row, RIDE_COLUMN_CLOCK) = known_us;
    *row_flags(p, row) = RIDE_ROW_LABEL;
    for (uint32_t e = 0; e < p->spec->entities_count; e++) {
        uint32_t column = p->spec->entities[e].key_column;
        ((ride_key128 *)ride_tile_values(&p->in_layout, tile, column))[row % RIDE_TILE_ROWS] = event->keys[e];
        uint8_t *validity = ride_tile_validity(&p->in_layout, tile, column);
        if (validity != NULL) ride_bit_put(validity, row % RIDE_TILE_ROWS, !(event->null_keys >> e & 1));
    }
    ((uint8_t *)ride_tile_values(&p->in_layout, tile, (uint32_t)p->spec->column_label))[row % RIDE_TILE_ROWS] = value;
    ((uint64_t *)ride_tile_values(&p->in_layout, tile, p->spec->column_sequence))[row % RIDE_TILE_ROWS] =
        event->sequence;
    p->summary->labels++;
}

ride_status pipeline_label(pipeline *p, const ride_source_spec *source, uint32_t row, ride_error *err) {
    const uint8_t *tile = ride_batch_tile(p->label_batch, row / RIDE_TILE_ROWS);
    uint32_t r = row % RIDE_TILE_ROWS;
    ride_key128 id, value;
    int64_t known_us = ((const int64_t *)ride_tile_values_const(&p->label_layout, tile, RIDE_COLUMN_TIME))[r],
            event_us = 0;
    bool valid = ride_key_of_value(&source->fields[source->field_label_key], &p->label_layout, tile, r,
                                   p->label_batch->arena, &id);
    if (!valid || !ride_key_of_value(&source->fields[source->field_label_value], &p->label_layout, tile, r,
                                     p->label_batch->arena, &value)) {
        p->summary->labels_rejected++; /* a null names no event, or says nothing of it */
        return RIDE_OK;
    }
    known_event *event = ride_idmap_find(p->labels, id, known_us, p->clock_us, &event_us);
    if (event != NULL && event->is_event) {
        label_row_write(p, event_us, known_us, event, value.lo != 0);
        return RIDE_OK;
    }
    p->summary->labels_unknown += event == NULL;
    p->labels_waiting += event == NULL;
    event = ride_idmap_put(p->labels, id, known_us, p->clock_us);
    if (event == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for labels that wait for their events");
    event->pending_label = 1;
    event->pending_value = value.lo != 0;
    return RIDE_OK;
}

/* Remembers the event for its labels; tells a label that was there first, and since when that was known. */
static ride_status remember(pipeline *p, uint32_t row, ride_key128 id, int64_t t, bool *pending, bool *value,
                            int64_t *known_us, ride_error *err) {
    const known_event *before = ride_idmap_find(p->labels, id, t, p->clock_us, known_us);
    *pending = before != NULL && before->pending_label;
    *value = *pending && before->pending_value != 0;
    known_event *event = ride_idmap_put(p->labels, id, t, p->clock_us);
    if (event == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the events that labels may come for");
    const uint8_t *tile = batch_tile(p, row);
    event->is_event = 1;
    event->sequence = p->sequence + row;
    for (uint32_t e = 0; e < p->spec->entities_count; e++) {
        uint32_t column = p->spec->entities[e].key_column;
        event->keys[e] =
            ((const ride_key128 *)ride_tile_values_const(&p->in_layout, tile, column))[row % RIDE_TILE_ROWS];
        if (!ride_valid(ride_tile_validity_const(&p->in_layout, tile, column), row % RIDE_TILE_ROWS))
            event->null_keys |= UINT64_C(1) << e;
    }
    return RIDE_OK;
}

/* The clock with an event of that time. */
static int64_t clock_with(const pipeline *p, int64_t t) {
    int64_t stream_us = t > p->stream_us ? t : p->stream_us;
    int64_t reached = stream_us < p->floor_us ? stream_us : p->floor_us;
    return reached > p->clock_us ? reached : p->clock_us;
}

/* An event's id, read some rows ahead so that its places in the maps are on their way when they are asked for. */
typedef struct known_id {
    ride_key128 id;
    bool is_there;
} known_id;
enum { IDS_AHEAD = 8 };

static known_id id_ahead(const pipeline *p, uint32_t row) {
    known_id known;
    known.is_there = event_identity(p, row, &known.id);
    if (known.is_there && p->dedup != NULL) ride_idmap_prefetch(p->dedup, known.id);
    if (known.is_there && p->labels != NULL) ride_idmap_prefetch(p->labels, known.id);
    return known;
}

static ride_status stamp_row(pipeline *p, uint32_t row, const known_id *id, ride_error *err) {
    int64_t t = *row_time(p, row, RIDE_COLUMN_TIME);
    if (p->dedup != NULL && id->is_there) {
        int64_t clock_us = clock_with(p, t);
        const verdict *known = ride_idmap_find(p->dedup, id->id, t, clock_us, NULL);
        if (known != NULL) {
            *row_flags(p, row) = RIDE_ROW_SKIP;
            *row_time(p, row, RIDE_COLUMN_CLOCK) = p->clock_us;
            p->summary->duplicates++;
            if (p->verdict_tiles != NULL) verdict_repeat(p, row, known);
            return RIDE_OK;
        }
        verdict *mine = ride_idmap_put(p->dedup, id->id, t, clock_us);
        if (mine == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the ids of the dedup horizon");
        if (p->verdict_tiles != NULL) mine->sequence = p->sequence + row;
    }
    p->clock_us = clock_with(p, t);
    if (t > p->stream_us) p->stream_us = t;
    int64_t watermark = p->clock_us - p->events->bound_us;
    uint32_t flags = t < watermark ? RIDE_ROW_LATE : 0;
    if (t >= watermark - p->events->allowed_lateness_us) flags |= RIDE_ROW_ENTERS;
    else p->summary->too_late++;
    p->summary->late += t < watermark;
    p->summary->accepted++;
    *row_flags(p, row) = flags;
    *row_time(p, row, RIDE_COLUMN_CLOCK) = p->clock_us;
    return RIDE_OK;
}

static ride_status stamp_rows(pipeline *p, uint32_t first, ride_error *err) {
    uint32_t end = p->batch->rows_count;
    ride_keys_fill(&p->keys, p->batch, first, end - first);
    if (p->dedup == NULL && p->labels == NULL) { /* the plain case, tile by tile */
        int64_t clock = p->clock_us, stream = p->stream_us, floor = p->floor_us, bound = p->events->bound_us,
                lateness = p->events->allowed_lateness_us;
        uint64_t late = 0, too_late = 0;
        for (uint32_t row = first; row < end;) {
            uint32_t n = RIDE_TILE_ROWS - row % RIDE_TILE_ROWS;
            if (n > end - row) n = end - row;
            const int64_t *t = row_time(p, row, RIDE_COLUMN_TIME);
            int64_t *clocks = row_time(p, row, RIDE_COLUMN_CLOCK);
            uint32_t *flags = row_flags(p, row);
            for (uint32_t i = 0; i < n; i++) {
                stream = t[i] > stream ? t[i] : stream;
                int64_t reached = stream < floor ? stream : floor;
                clock = reached > clock ? reached : clock;
                bool is_late = t[i] < clock - bound, is_too_late = t[i] < clock - bound - lateness;
                clocks[i] = clock;
                flags[i] = (is_late ? RIDE_ROW_LATE : 0) | (is_too_late ? 0 : RIDE_ROW_ENTERS);
                late += is_late;
                too_late += is_too_late;
            }
            row += n;
        }
        p->clock_us = clock;
        p->stream_us = stream;
        p->summary->late += late;
        p->summary->too_late += too_late;
        p->summary->accepted += end - first;
        return RIDE_OK;
    }
    known_id ahead[IDS_AHEAD];
    for (uint32_t row = first; row < end && row < first + IDS_AHEAD; row++) ahead[row % IDS_AHEAD] = id_ahead(p, row);
    for (uint32_t row = first; row < end; row++) {
        const known_id id = ahead[row % IDS_AHEAD];
        if (row + IDS_AHEAD < end) ahead[row % IDS_AHEAD] = id_ahead(p, row + IDS_AHEAD);
        RIDE_TRY(stamp_row(p, row, &id, err));
        bool pending = false, value = false;
        int64_t known_us = 0;
        if (p->labels == NULL || !(*row_flags(p, row) & RIDE_ROW_ENTERS) || !id.is_there) continue;
        RIDE_TRY(remember(p, row, id.id, *row_time(p, row, RIDE_COLUMN_TIME), &pending, &value, &known_us, err));
        if (pending) { /* pipeline_read decodes row by row while labels wait: this one follows its event at once */
            RIDE_ASSERT(row + 1 == end && p->batch->rows_count < ride_batch_rows_count_max(p->batch));
            const known_event *event =
                ride_idmap_find(p->labels, id.id, *row_time(p, row, RIDE_COLUMN_TIME), p->clock_us, NULL);
            label_row_write(p, *row_time(p, row, RIDE_COLUMN_TIME), known_us, event, value);
            p->labels_waiting--;
            p->summary->labels_unknown--;
        }
    }
    return RIDE_OK;
}

ride_status pipeline_stamp(pipeline *p, uint32_t first, ride_error *err) {
    RIDE_TRY(stamp_rows(p, first, err));
    if (p->clock_us > p->reached_us) p->reached_us = p->clock_us; /* within a stretch it never goes back */
    return RIDE_OK;
}

uint32_t pipeline_mark_groups(pipeline *p) {
    uint32_t last = UINT32_MAX, rows = 0, rows_most = 0;
    for (uint32_t row = 0; row < p->batch->rows_count; row++) {
        if (*row_flags(p, row) & RIDE_ROW_LABEL) continue;
        if (last != UINT32_MAX && *row_time(p, last, RIDE_COLUMN_TIME) != *row_time(p, row, RIDE_COLUMN_TIME)) {
            *row_flags(p, last) |= RIDE_ROW_PEERS;
            rows = 0;
        }
        rows_most = ++rows > rows_most ? rows : rows_most;
        last = row;
    }
    if (last != UINT32_MAX) *row_flags(p, last) |= RIDE_ROW_PEERS;
    return rows_most;
}
