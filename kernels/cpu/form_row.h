/* kernels/cpu/form_row.h: one row's work, as every machine does it; form_vector.h does the plain ones of a block together. */
#ifndef RIDE_KERNELS_CPU_FORM_ROW_H
#define RIDE_KERNELS_CPU_FORM_ROW_H
#include "kernels/cpu/form_finish.h"
#include "kernels/cpu/rows.h"

/* ---- the row loop ---- */

/* Bit per stored edge whose entry the threshold has passed. */
static inline uint64_t edges_passed(const WORD *word, const WORD *threshold, uint32_t edges) {
    uint64_t passed = 0;
    for (uint32_t e = 0; e < edges; e++) passed |= (uint64_t)(word[e] <= threshold[e]) << e;
    return passed;
}

static inline bool is_plain(const ride_cpu_entity *entity, const ride_cpu_rows *rows, uint32_t row,
                            const ride_record *record) {
    int64_t t = rows->time_us[row];
    if (!(rows->flags[row] & RIDE_ROW_ENTERS) || t < record->last_us) return false;
    if (entity->labels_from_source && t == record->last_us) return false;
    if (record->patches != 0 && entity->notes[record->patches - 1].known_us > t) return false;
    return ride_time_sub(t, entity->need_us) >= ride_time_sub(rows->clock_us[row], entity->retention_us);
}

RIDE_INLINE void row_plain(ride_cpu_entity *entity, ride_cpu_rows *rows, uint32_t row, ride_record *record,
                           const uint32_t shift, const uint32_t words, const uint32_t edges) {
    const WORD *threshold = (const WORD *)rows->threshold + (uint64_t)row * edges;
    WORD *word = record_words(record, entity->layout.offset_word),
         *prefix = record_words(record, entity->layout.offset_prefix);
    const WORD *total = record_words(record, entity->layout.offset_total);
    const uint32_t *position = record_positions(entity, record);
    for (uint64_t passed = edges_passed(word, threshold, edges); passed != 0; passed &= passed - 1) {
        uint32_t e = (uint32_t)__builtin_ctzll(passed);
        edge_move(entity, record, e, threshold[e], shift, words);
    }
    WORD *raw = (WORD *)rows->raw + row;
    for (uint32_t e = 0; e < edges; e++) raw[e * RIDE_BLOCK_ROWS] = (WORD)position[e];
    raw[edges * RIDE_BLOCK_ROWS] = (WORD)record->n;
    for (uint32_t w = 0; w < words; w++) {
        raw += (edges + 1) * RIDE_BLOCK_ROWS;
        for (uint32_t e = 0; e < edges; e++) raw[e * RIDE_BLOCK_ROWS] = prefix[w * edges + e];
        raw[edges * RIDE_BLOCK_ROWS] = total[w];
    }
    if (entity->any_scan) scan_all(entity, rows, row, record, false, -1, record);
    WORD time_word = ((const WORD *)rows->time_word)[row];
    for (uint32_t e = 0; e < edges; e++)
        word[e] = word[e] == WORD_END ? time_word : word[e]; /* an edge at the end meets the entry */
    own_words_write(entity, record, rows, row);
    chain_extend(entity, record, rows->time_us[row]);
    record->last_us = rows->time_us[row];
    slot_fill(entity, record, time_word, (const WORD *)rows->own + row, RIDE_BLOCK_ROWS, shift, words);
}

static inline void row_other(ride_cpu_entity *entity, ride_cpu_rows *rows, uint32_t row, ride_record *record) {
    if (rows->flags[row] & RIDE_ROW_LABEL) {
        if (record != NULL && entity->labels_from_source) label_apply(entity, rows, row, record);
        return;
    }
    if (rows->flags[row] & RIDE_ROW_SKIP) return;
    int64_t cut = ride_time_sub(rows->clock_us[row], entity->retention_us);
    if ((rows->has_key >> row & 1) && ride_time_sub(rows->time_us[row], entity->need_us) < cut)
        rows->approx |= UINT64_C(1) << row;
    if (record == NULL) {
        raw_zero(entity, rows, row);
        if (entity->any_scan) scan_all(entity, rows, row, NULL, false, -1, NULL);
        return;
    }
    raw_search(entity, rows, row, record);
    if (entity->any_scan) scan_all(entity, rows, row, record, false, -1, NULL);
    if (!(rows->flags[row] & RIDE_ROW_ENTERS) || rows->time_us[row] <= cut) return; /* or is gone at once */
    if (entity->labels_from_source) tie_add(entity, rows, row, record);
    if (rows->time_us[row] < record->last_us) {
        insert_late(entity, rows, row, record);
        return;
    }
    own_words_write(entity, record, rows, row);
    chain_extend(entity, record, rows->time_us[row]);
    record->last_us = rows->time_us[row];
    slot_fill(entity, record, ((const WORD *)rows->time_word)[row], (const WORD *)rows->own + row, RIDE_BLOCK_ROWS,
              SHIFT, WORDS);
    edges_refresh(entity, record);
}

RIDE_INLINE void rows_apply(ride_cpu_entity *entity, ride_cpu_rows *rows, const uint32_t shift, const uint32_t words,
                            const uint32_t edges) {
    for (uint32_t row = 0; row < rows->rows_count; row++) {
        ride_record *record = rows->record[row] == RIDE_NO_RECORD ? NULL : ride_cpu_record(entity, rows->record[row]);
        if (!(rows->flags[row] & RIDE_ROW_LABEL) && rows->clock_us[row] > entity->clock_us)
            entity->clock_us = rows->clock_us[row];
        if (rows->seen_us != NULL && rows->seen_us[row] > entity->clock_us) entity->clock_us = rows->seen_us[row];
        if (RIDE_LIKELY(record != NULL && is_plain(entity, rows, row, record)))
            row_plain(entity, rows, row, record, shift, words, edges);
        else row_other(entity, rows, row, record);
    }
}

/* A record found by tag may be another key's. */
RIDE_INLINE ride_record *record_checked(ride_cpu_entity *entity, ride_cpu_rows *rows, uint32_t row) {
    ride_record *record = ride_cpu_record(entity, rows->record[row]);
    if (RIDE_LIKELY(ride_key_equal(record->key, rows->keys[row]))) return record;
    rows->record[row] = ride_cpu_entity_find_exact(entity, rows->keys[row], ride_key_hash(rows->keys[row]));
    return rows->record[row] == RIDE_NO_RECORD ? NULL : ride_cpu_record(entity, rows->record[row]);
}

#endif
