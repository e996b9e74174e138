/* kernels/cpu/form_body.h: the row loop of an entity, and its entries as values for rewriting and saving. Included once per
 * form by form_narrow.c and form_wide.c. */
#ifndef RIDE_KERNELS_CPU_FORM_BODY_H
#define RIDE_KERNELS_CPU_FORM_BODY_H
#include "kernels/cpu/form_row.h"
#include "kernels/cpu/form_vector.h"
#include "kernels/cpu/rows.h"

/* ---- the row loop ---- */

RIDE_INLINE void rows_apply(ride_cpu_entity *entity, ride_cpu_rows *rows, const uint32_t shift, const uint32_t words,
                            const uint32_t edges) {
    for (uint32_t row = 0; row < rows->rows_count; row++) {
        ride_record *record = rows->record[row] == RIDE_NO_RECORD ? NULL : ride_cpu_record(entity, rows->record[row]);
        if (!(rows->flags[row] & RIDE_ROW_LABEL) && rows->clock_us[row] > entity->clock_us)
            entity->clock_us = rows->clock_us[row];
        if (RIDE_LIKELY(record != NULL && is_plain(entity, rows, row, record)))
            row_plain(entity, rows, row, record, shift, words, edges);
        else row_other(entity, rows, row, record);
    }
}

/* Reads peers aggregates of rows whose whole group is in state. */
static inline void peers(ride_cpu_entity *entity, ride_cpu_rows *rows) {
    for (uint32_t row = 0; row < rows->rows_count; row++) {
        if (rows->flags[row] & (RIDE_ROW_LABEL | RIDE_ROW_SKIP)) continue;
        ride_record *record = rows->record[row] == RIDE_NO_RECORD ? NULL : ride_cpu_record(entity, rows->record[row]);
        if (record != NULL) raw_search(entity, rows, row, record);
        else raw_zero(entity, rows, row);
        scan_all(entity, rows, row, record, true);
    }
}

static inline void prefetch(ride_cpu_entity *entity, ride_cpu_rows *rows) {
#ifdef FORM_VECTOR
#define CALL(shift, words, edges) return vector_prefetch(entity, rows, (vector_shape){shift, words, edges})
    VECTOR_SHAPES(CALL);
#undef CALL
#endif
    for (uint32_t row = 0; row < rows->rows_count; row++) {
        if (rows->record[row] == RIDE_NO_RECORD) continue;
        const ride_record *record = record_checked(entity, rows, row);
        if (record == NULL || record->ring == 0) continue;
        const WORD *word = record_words(record, entity->layout.offset_word);
        const uint32_t *position = record_positions(entity, record);
        uint32_t newest = record->n >> SHIFT;
        __builtin_prefetch(block_at(entity, record, newest), 1);
        for (uint64_t passed = edges_passed(word, (const WORD *)rows->threshold + (uint64_t)row * EDGES, EDGES);
             passed != 0; passed &= passed - 1) {
            uint32_t block = (position[__builtin_ctzll(passed)] + 1) >> SHIFT;
            if (block != newest) __builtin_prefetch(block_at(entity, record, block));
        }
    }
}

/* The common shapes get their own copy of the loop, with the shape known to the compiler. */
static inline void apply(ride_cpu_entity *entity, ride_cpu_rows *rows, ride_cpu_rows *ahead) {
#ifdef FORM_VECTOR
    uint64_t all = rows->rows_count == 64 ? UINT64_MAX : (UINT64_C(1) << rows->rows_count) - 1;
    if (!entity->any_scan && rows->is_event == all) {
#define CALL(shift, words, edges) return vector_apply(entity, rows, ahead, (vector_shape){shift, words, edges})
        VECTOR_SHAPES(CALL);
#undef CALL
    }
#endif
    if (ahead != NULL) prefetch(entity, ahead);
    if (EDGES == 4 && WORDS == 1 && SHIFT == FORM_SHIFT_1) rows_apply(entity, rows, FORM_SHIFT_1, 1, 4);
    else if (EDGES == 4 && WORDS == 0 && SHIFT == FORM_SHIFT_0) rows_apply(entity, rows, FORM_SHIFT_0, 0, 4);
    else if (EDGES == 4 && WORDS == 2 && SHIFT == FORM_SHIFT_2) rows_apply(entity, rows, FORM_SHIFT_2, 2, 4);
    else if (EDGES == 8 && WORDS == 1 && SHIFT == FORM_SHIFT_1) rows_apply(entity, rows, FORM_SHIFT_1, 1, 8);
    else rows_apply(entity, rows, SHIFT, WORDS, EDGES);
}

/* Do the rows fit narrow words? Times in whole seconds between 1978 and 2106; and no window's sum can leave 31 bits: the
 * largest value times what any window can hold by the end of this block. */
static inline bool fits(ride_cpu_entity *entity, const ride_cpu_rows *rows) {
    if (sizeof(WORD) == 8) return true;
    const WORD *time_word = rows->time_word;
    uint64_t outside = 0;
    for (uint32_t row = 0; row < rows->rows_count; row++) {
        uint64_t seconds = (uint32_t)((UWORD)time_word[row] + (UINT32_C(1) << 31));
        uint64_t differs = (seconds * 1000000) ^ (uint64_t)rows->time_us[row];
        uint64_t is_outside = (differs != 0) | (seconds < UINT32_C(1) << 28) | (seconds >= UINT32_MAX - 1);
        outside |= is_outside & ((rows->flags[row] & RIDE_ROW_SKIP) == 0);
    }
    if (outside) return false;
    int64_t largest = entity->largest;
    for (uint32_t l = 0; l < entity->layout.lanes_count; l++) {
        if (entity->lanes[l].kind != RIDE_LANE_SUM) continue;
        const int64_t *value = rows->sum_value + l * RIDE_BLOCK_ROWS;
        for (uint32_t row = 0; row < rows->rows_count; row++) {
            int64_t magnitude = value[row] < 0 ? -(value[row] + (value[row] == INT64_MIN)) : value[row];
            largest = magnitude > largest ? magnitude : largest;
        }
    }
    entity->largest = largest;
    uint64_t entries = (uint64_t)entity->live_max + RIDE_BLOCK_ROWS + 32;
    return largest < RIDE_NARROW_LIMIT && entries * (uint64_t)largest < RIDE_NARROW_LIMIT;
}

static inline void words(const ride_cpu_entity *entity, ride_cpu_rows *rows) {
    if (sizeof(WORD) == 8) {
        rows->key_word_bits = 0; /* in words of the other size */
        ride_cpu_rows_words_wide(rows, entity);
        return;
    }
    WORD *restrict key_word = rows->key_word;
    if (rows->key_word_bits != rows->has_key) {
        for (uint32_t row = 0; row < RIDE_BLOCK_ROWS; row++) key_word[row] = (WORD)(rows->has_key >> row & 1);
        rows->key_word_bits = rows->has_key;
    }
    for (uint32_t l = 0; l < entity->layout.lanes_count; l++) {
        WORD *restrict own = (WORD *)rows->own + entity->layout.lane_word[l] * RIDE_BLOCK_ROWS;
        const int64_t *restrict value = rows->sum_value + l * RIDE_BLOCK_ROWS;
        if (RIDE_LIKELY(rows->rows_count == RIDE_BLOCK_ROWS))
            for (uint32_t row = 0; row < RIDE_BLOCK_ROWS; row++) own[row] = (WORD)value[row];
        else
            for (uint32_t row = 0; row < rows->rows_count; row++) own[row] = (WORD)value[row];
    }
}

static inline void thresholds(const ride_cpu_entity *entity, ride_cpu_rows *rows) {
#ifdef FORM_VECTOR
    if (vector_thresholds(entity, rows)) return;
#endif
    WORD *threshold = rows->threshold, *time_word = rows->time_word;
    uint32_t n = rows->rows_count;
    for (uint32_t row = 0; row < n; row++) time_word[row] = time_to_word(rows->time_us[row]);
    for (uint32_t e = entity->layout.edges_count; e < EDGES; e++)
        for (uint32_t row = 0; row < n; row++) threshold[row * EDGES + e] = WORD_NONE; /* a padding edge never moves */
    for (uint32_t p = 0; p < entity->plan->edges_count; p++) {
        int32_t slot = entity->layout.edge_slot[p];
        const ride_plan_edge *edge = &entity->edges[p];
        if (slot < 0) continue;
        if (edge->kind == RIDE_EDGE_OFFSET && WORD_IS_LINEAR) {
            WORD offset = OFFSET_TO_WORD(edge->offset_us);
            for (uint32_t row = 0; row < n; row++) threshold[row * EDGES + (uint32_t)slot] = time_word[row] - offset;
        } else {
            for (uint32_t row = 0; row < n; row++)
                threshold[row * EDGES + (uint32_t)slot] =
                    time_to_word(ride_edge_threshold(edge, rows->time_us[row], entity->zone, entity->zone_count));
        }
    }
}

/* ---- whole entries, for rewriting and saving ---- */

static inline void entry_read(const ride_cpu_entity *entity, const ride_record *record, uint32_t position,
                              int64_t *time_us, int64_t *added, int64_t *own) {
    const WORD *slot = block_at(entity, record, position >> SHIFT) + (position & ((1u << SHIFT) - 1));
    *time_us = word_to_time(slot[0]);
    for (uint32_t w = 0; w < WORDS; w++) {
        UWORD before = (UWORD)slot[(1 + w) << SHIFT], after = (UWORD)prefix_at(entity, record, position + 1, w);
        added[w] = (int64_t)(WORD)(after - before);
        if (sizeof(WORD) == 8 && w > 0 && entity->word_is_low[w - 1]) { /* upper half: take the borrow of the lower */
            UWORD low_before = (UWORD)slot[w << SHIFT],
                  low_after = (UWORD)prefix_at(entity, record, position + 1, w - 1);
            added[w] -= low_after < low_before;
        }
    }
    for (uint32_t w = 0; w < entity->layout.own_words; w++) own[w] = (int64_t)slot[(1 + WORDS + w) << SHIFT];
}

static inline void entry_append(ride_cpu_entity *entity, ride_record *record, int64_t time_us, const int64_t *added,
                                const int64_t *own) {
    WORD words[RIDE_WORDS_MAX];
    WORD *block = block_at(entity, record, record->n >> SHIFT);
    for (uint32_t w = 0; w < WORDS; w++) words[w] = (WORD)added[w];
    for (uint32_t w = 0; w < entity->layout.own_words; w++)
        block[((1 + WORDS + w) << SHIFT) + (record->n & ((1u << SHIFT) - 1))] = (WORD)own[w];
    slot_fill(entity, record, time_to_word(time_us), words, 1, SHIFT, WORDS);
}

const ride_cpu_form FORM_TABLE = {
    .record_init = record_init,
    .thresholds = thresholds,
    .prefetch = prefetch,
    .fits = fits,
    .words = words,
    .apply = apply,
    .finish = finish,
    .peers = peers,
    .entry_read = entry_read,
    .entry_append = entry_append,
    .edges_refresh = edges_refresh,
};

#endif
