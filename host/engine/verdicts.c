/* engine/verdicts.c: what becomes of each row, after the backend is done with the batch: margin, probability, decision and how it
 * ended, in tiles of the engine's own beside the batch's. A duplicate repeats the verdict that its first event got: from an earlier
 * batch it is with the id in the dedup map, from this batch it is copied once that event has its own. So a verdict does not
 * depend on where batches are cut. With two batches in hand (overlap.h) the first event may also be in the one before, which has no
 * verdicts yet while this one is read. */
#include "base/assert.h"
#include "engine/pipeline.h"
#include "engine/reasons.h"
#include "lib/hash.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

RIDE_STATIC_ASSERT(sizeof(verdict) == 32, "kept with every id of the dedup horizon, and in saved states");

ride_status verdicts_batch_open(pipeline *p, ride_error *err) {
    if (p->options->record != RIDE_RECORD_DECISION) return RIDE_OK;
    size_t bytes = (size_t)p->batch->tiles_count_max * p->verdict_layout.tile_bytes;
    p->verdict_tiles = aligned_alloc(RIDE_TILE_ALIGN, bytes);
    p->answered_by = calloc(ride_batch_rows_count_max(p->batch), sizeof *p->answered_by);
    if (p->verdict_tiles == NULL || p->answered_by == NULL)
        return ride_fail(err, RIDE_E_MEMORY, "no memory for the decisions of a batch");
    memset(p->verdict_tiles, 0, bytes);
    return RIDE_OK;
}

ride_status verdicts_open(pipeline *p, ride_error *err) {
    static const ride_type types[VERDICT_COLUMNS] = {
        [VERDICT_MARGIN] = RIDE_TYPE_F64, [VERDICT_PROBABILITY] = RIDE_TYPE_F64, [VERDICT_DECISION] = RIDE_TYPE_U32,
        [VERDICT_RULE] = RIDE_TYPE_U32,   [VERDICT_END] = RIDE_TYPE_U32,         [VERDICT_APPROX] = RIDE_TYPE_BOOL,
        [VERDICT_LATE] = RIDE_TYPE_BOOL,  [VERDICT_MODEL] = RIDE_TYPE_U32,
    };
    if (p->options->record != RIDE_RECORD_DECISION) return RIDE_OK;
    ride_tile_layout_begin(&p->verdict_layout);
    for (uint32_t c = 0; c < VERDICT_COLUMNS; c++) ride_tile_layout_add(&p->verdict_layout, types[c], 0);
    ride_tile_layout_finish(&p->verdict_layout);
    RIDE_TRY(verdicts_batch_open(p, err));
    for (uint32_t i = 0; i < p->options->rules_count; i++) p->rule_names[i] = p->options->rules[i].id;
    p->rules_known = p->options->rules_count;
    for (uint32_t i = 0; i < MODELS_KNOWN_MAX; i++) p->models_known[i] = p->model_hashes[i];
    p->model_now = MODELS_KNOWN_MAX;
    if (p->summary->has_model) {
        p->model_now = 0;
        p->models_count = 1;
        ride_hex(p->summary->model_hash, sizeof p->summary->model_hash, p->model_hashes[0]);
    }
    return RIDE_OK;
}

void verdicts_close(pipeline *p) {
    for (uint32_t i = p->options->rules_count; i < p->rules_known; i++) free((char *)p->rule_names[i]);
}

static void *column(const pipeline *p, uint32_t row, uint32_t c) {
    return ride_tile_values(&p->verdict_layout, verdict_tile(p, row), c);
}

void verdict_write(pipeline *p, uint32_t row, const verdict *v, uint32_t end) {
    uint32_t r = row % RIDE_TILE_ROWS;
    ((double *)column(p, row, VERDICT_MARGIN))[r] = v->margin;
    ((double *)column(p, row, VERDICT_PROBABILITY))[r] = v->probability;
    ((uint32_t *)column(p, row, VERDICT_DECISION))[r] = v->decision;
    ((uint32_t *)column(p, row, VERDICT_RULE))[r] = v->rule;
    ((uint32_t *)column(p, row, VERDICT_END))[r] = end;
    ((uint8_t *)column(p, row, VERDICT_APPROX))[r] = v->approx;
    ((uint8_t *)column(p, row, VERDICT_LATE))[r] = v->late;
    ((uint32_t *)column(p, row, VERDICT_MODEL))[r] = v->model;
}

verdict verdict_read(const pipeline *p, uint32_t row) {
    uint32_t r = row % RIDE_TILE_ROWS;
    return (verdict){.sequence = p->sequence + row,
                     .margin = ((const double *)column(p, row, VERDICT_MARGIN))[r],
                     .probability = ((const double *)column(p, row, VERDICT_PROBABILITY))[r],
                     .rule = ((const uint32_t *)column(p, row, VERDICT_RULE))[r],
                     .decision = (uint8_t)((const uint32_t *)column(p, row, VERDICT_DECISION))[r],
                     .approx = ((const uint8_t *)column(p, row, VERDICT_APPROX))[r],
                     .late = ((const uint8_t *)column(p, row, VERDICT_LATE))[r],
                     .model = (uint8_t)((const uint32_t *)column(p, row, VERDICT_MODEL))[r]};
}

void verdict_repeat(pipeline *p, uint32_t row, const verdict *known) {
    p->duplicates_in_batch++;
    p->answered_by[row] = UINT32_MAX;
    if (known->sequence >= p->sequence) p->answered_by[row] = (uint32_t)(known->sequence - p->sequence);
    else if (known->sequence >= p->unanswered_from)
        p->answered_by[row] = (uint32_t)(p->sequence - known->sequence) | ANSWERED_BY_EARLIER;
    else verdict_write(p, row, known, END_DUPLICATE);
}

static const void *out_values(const pipeline *p, const uint8_t *tile, uint32_t which) {
    return ride_tile_values_const(&p->out_layout, tile, p->bundle.plan->features_count + which);
}

/* The rows of one tile, as if none were a duplicate or a label: those are put right afterwards, or never read. */
static void tile_make(pipeline *p, uint32_t first, uint32_t rows_count) {
    const uint8_t *out = out_tile(p, first);
    const uint32_t *flags = row_flags(p, first), *ruled = out_values(p, out, RIDE_OUT_RULE),
                   *out_flags = out_values(p, out, RIDE_OUT_FLAGS);
    double *margin = column(p, first, VERDICT_MARGIN), *probability = column(p, first, VERDICT_PROBABILITY);
    uint32_t *decision = column(p, first, VERDICT_DECISION), *rule = column(p, first, VERDICT_RULE),
             *end = column(p, first, VERDICT_END), *model = column(p, first, VERDICT_MODEL);
    uint8_t *approx = column(p, first, VERDICT_APPROX), *late = column(p, first, VERDICT_LATE);
    uint32_t rules_count = p->options->rules_count;
    for (uint32_t r = 0; r < rows_count; r++) {
        if (flags[r] & RIDE_ROW_SKIP) continue; /* may have its verdict already */
        rule[r] = (p->stages & RIDE_STAGE_RULES) && ruled[r] < rules_count ? ruled[r] : RULE_NONE;
        decision[r] = rule[r] < rules_count ? p->options->rules[rule[r]].decision : RIDE_DECISION_APPROVE;
        end[r] = END_SCORED;
        model[r] = p->model_now;
        approx[r] = (out_flags[r] & RIDE_OUT_APPROX) != 0;
        late[r] = (flags[r] & RIDE_ROW_LATE) != 0;
        margin[r] = p->summary->has_model ? ((const double *)out_values(p, out, RIDE_OUT_MARGIN))[r] : NAN;
        probability[r] = p->summary->has_model ? ((const double *)out_values(p, out, RIDE_OUT_PROBABILITY))[r] : NAN;
        if (flags[r] & RIDE_ROW_LABEL) continue;
        p->summary->decisions[decision[r]]++;
        p->summary->explained += reasons_wants(p, decision[r]);
        if (rule[r] < rules_count) p->summary->rules[rule[r]]++;
    }
}

/* Duplicates have no features. */
static void features_blank(pipeline *p, uint32_t row) {
    for (uint32_t f = 0; f < p->bundle.plan->features_count; f++)
        ((double *)ride_tile_values(&p->out_layout, out_tile(p, row), f))[row % RIDE_TILE_ROWS] = NAN;
}

static void duplicates_answer(pipeline *p) {
    for (uint32_t row = 0; row < p->batch->rows_count; row++) {
        if (!(*row_flags(p, row) & RIDE_ROW_SKIP)) continue;
        features_blank(p, row);
        if (p->answered_by[row] == UINT32_MAX) continue;
        const uint32_t before = p->answered_by[row] & ~ANSWERED_BY_EARLIER;
        const verdict first = before == p->answered_by[row] ? verdict_read(p, before)
                                                            : p->recent[(p->sequence - before) & p->recent_mask];
        verdict_write(p, row, &first, END_DUPLICATE);
    }
}

void verdicts_remember(pipeline *p) {
    for (uint32_t row = 0; row < p->batch->rows_count; row++) {
        ride_key128 id;
        if ((*row_flags(p, row) & (RIDE_ROW_SKIP | RIDE_ROW_LABEL)) || !event_identity(p, row, &id)) continue;
        const int64_t clock_us = *row_time(p, row, RIDE_COLUMN_CLOCK);
        verdict *kept = ride_idmap_find(p->dedup, id, *row_time(p, row, RIDE_COLUMN_TIME), clock_us, NULL);
        if (kept != NULL && kept->sequence == p->sequence + row) *kept = verdict_read(p, row);
    }
}

void verdicts_make(pipeline *p) {
    if (p->verdict_tiles == NULL) return;
    for (uint32_t row = 0; row < p->batch->rows_count; row += RIDE_TILE_ROWS) {
        uint32_t left = p->batch->rows_count - row;
        tile_make(p, row, left < RIDE_TILE_ROWS ? left : RIDE_TILE_ROWS);
    }
    if (p->duplicates_in_batch > 0) duplicates_answer(p);
    if (p->recent == NULL && p->dedup != NULL) verdicts_remember(p);
    for (uint32_t row = 0; p->recent != NULL && row < p->batch->rows_count; row++)
        p->recent[(p->sequence + row) & p->recent_mask] = verdict_read(p, row);
}
