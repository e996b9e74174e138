/* kernels/cpu/form_vector.h: the row loop of the narrow form in passes over a block, for AVX2 and AVX-512.
 *
 * A row's work as one function is a chain of branches that depend on the data: how many window edges have expired, whether
 * the entry fills its line. Here a block goes through passes without such branches. First the (row, edge) pairs that
 * have expired are listed: four or eight edges are one comparison. Then the listed edges move: the new place in a line of
 * sorted times is the number of times that have passed, again one comparison, and the few edges that leave their line stay on the
 * list for another round. Then every row notes its edges and appends its entry. Last, lines that are full are followed by new ones.
 *
 * Only the first row of a key in a block takes part, and only when it is plain (form_body.h). All others wait and are done
 * after it one by one, in their order, by the loop of every machine: so a key's rows keep their order, and keys do
 * not see each other.
 *
 * Included by form_body.h when FORM_VECTOR is defined; what is here must give the same bytes as what is there. */
#ifndef RIDE_KERNELS_CPU_FORM_VECTOR_H
#define RIDE_KERNELS_CPU_FORM_VECTOR_H
#include "kernels/cpu/form_row.h"

#include <immintrin.h>

enum { VECTOR_EDGES_MAX = 8 };

/* A shape of records and lines, known to the compiler: one line per block. */
typedef struct vector_shape {
    uint32_t shift, words, edges;
} vector_shape;

RIDE_INLINE __m128i load4(const void *at) { return _mm_loadu_si128((const __m128i *)at); }
RIDE_INLINE void store4(void *at, __m128i v) { _mm_storeu_si128((__m128i *)at, v); }

/* Bit per lane: a <= b. */
RIDE_INLINE uint32_t lanes_le(__m128i a, __m128i b) {
#if defined(__AVX512VL__)
    return _mm_cmple_epi32_mask(a, b);
#else
    return (uint32_t)_mm_movemask_ps(_mm_castsi128_ps(_mm_cmpgt_epi32(a, b))) ^ 15;
#endif
}

#if !defined(__AVX512VL__)
/* pack_lanes[mask]: bytes of the lanes whose bit is set, moved to the front. */
static const uint8_t pack_lanes[16][16] = {
#define LANE(i) 4 * (i), 4 * (i) + 1, 4 * (i) + 2, 4 * (i) + 3
#define PACK(a, b, c, d)                                                                                               \
    { LANE(a), LANE(b), LANE(c), LANE(d) }
    PACK(0, 0, 0, 0), PACK(0, 0, 0, 0), PACK(1, 0, 0, 0), PACK(0, 1, 0, 0), PACK(2, 0, 0, 0), PACK(0, 2, 0, 0),
    PACK(1, 2, 0, 0), PACK(0, 1, 2, 0), PACK(3, 0, 0, 0), PACK(0, 3, 0, 0), PACK(1, 3, 0, 0), PACK(0, 1, 3, 0),
    PACK(2, 3, 0, 0), PACK(0, 2, 3, 0), PACK(1, 2, 3, 0), PACK(0, 1, 2, 3),
#undef PACK
#undef LANE
};
#endif

/* How many of a line's times the threshold has passed. */
RIDE_INLINE uint32_t times_passed(const WORD *line, WORD threshold, const uint32_t shift) {
    if (shift == 2) return (uint32_t)__builtin_popcount(lanes_le(load4(line), _mm_set1_epi32(threshold)));
    uint32_t passed = 0;
    for (uint32_t i = 0; i < 1u << shift; i += 8) {
        __m256i times = _mm256_loadu_si256((const __m256i *)(line + i)), bound = _mm256_set1_epi32(threshold);
#if defined(__AVX512VL__)
        passed += (uint32_t)__builtin_popcount(_mm256_cmple_epi32_mask(times, bound));
#else
        passed += 8 - (uint32_t)__builtin_popcount(
                          (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(times, bound))));
#endif
    }
    return passed;
}

/* Records of these shapes: a head of one line, then edge words, prefixes, positions, totals (state_layout.c). */
RIDE_INLINE uint32_t shape_record_bytes(const vector_shape s) {
    uint32_t bytes = RIDE_STATE_RECORD_HEAD_BYTES + s.edges * 4 * (2 + s.words) + 4 * s.words;
    return (bytes + RIDE_STATE_LINE_BYTES - 1) / RIDE_STATE_LINE_BYTES * RIDE_STATE_LINE_BYTES;
}
RIDE_INLINE ride_record *shape_record(uint8_t *records, uint32_t index, const vector_shape s) {
    return (ride_record *)(records + (uint64_t)index * shape_record_bytes(s));
}
RIDE_INLINE WORD *shape_word(ride_record *record) { return (WORD *)(record + 1); }
RIDE_INLINE WORD *shape_prefix(ride_record *record, const vector_shape s) { return shape_word(record) + s.edges; }
RIDE_INLINE uint32_t *shape_position(ride_record *record, const vector_shape s) {
    return (uint32_t *)(shape_word(record) + s.edges * (1 + s.words));
}
RIDE_INLINE WORD *shape_total(ride_record *record, const vector_shape s) {
    return shape_word(record) + s.edges * (2 + s.words);
}
RIDE_INLINE WORD *shape_line(uint8_t *slab, const ride_record *record, uint32_t block) {
    uint32_t i = block - record->base_block, j = i - record->ring_blocks;
    return (WORD *)(slab + ((uint64_t)record->ring + (i < j ? i : j)) * RIDE_STATE_LINE_BYTES);
}

/* Edges that have expired, and where the entry after theirs lies. */
typedef struct vector_list {
    uint32_t items[RIDE_BLOCK_ROWS * VECTOR_EDGES_MAX + 8]; /* row * edges + edge */
    uint32_t lines[RIDE_BLOCK_ROWS * VECTOR_EDGES_MAX + 8]; /* line of the slab */
    uint32_t blocks[RIDE_BLOCK_ROWS * VECTOR_EDGES_MAX + 8];
    uint32_t count;
} vector_list;

/* Per lane: the block of the entry after the edge's, and its line. */
RIDE_INLINE __m128i lanes_block(const uint32_t *position, const vector_shape s) {
    return _mm_srli_epi32(_mm_sub_epi32(load4(position), _mm_set1_epi32(-1)), (int)s.shift);
}
RIDE_INLINE __m128i lanes_line(const ride_record *record, __m128i block) {
    __m128i i = _mm_sub_epi32(block, _mm_set1_epi32((int)record->base_block));
    i = _mm_min_epu32(i, _mm_sub_epi32(i, _mm_set1_epi32((int)record->ring_blocks)));
    return _mm_add_epi32(i, _mm_set1_epi32((int)record->ring));
}

/* Stores four lanes, those whose bit is set first. */
RIDE_INLINE void pack4(uint32_t *to, __m128i lanes, uint32_t bits) {
#if defined(__AVX512VL__)
    store4(to, _mm_maskz_compress_epi32((__mmask8)bits, lanes));
#else
    store4(to, _mm_shuffle_epi8(lanes, load4(pack_lanes[bits])));
#endif
}

RIDE_INLINE void list_add(vector_list *list, ride_record *record, const WORD *threshold, uint32_t row, uint32_t keep,
                          const vector_shape s) {
    for (uint32_t e = 0; e < s.edges; e += 4) {
        uint32_t passed = lanes_le(load4(shape_word(record) + e), load4(threshold + e)) & keep;
        __m128i block = lanes_block(shape_position(record, s) + e, s);
        pack4(list->items + list->count,
              _mm_add_epi32(_mm_set1_epi32((int)(row * s.edges + e)), _mm_set_epi32(3, 2, 1, 0)), passed);
        pack4(list->lines + list->count, lanes_line(record, block), passed);
        pack4(list->blocks + list->count, block, passed);
        list->count += (uint32_t)__builtin_popcount(passed);
    }
}

/* The listed edges move on. */
RIDE_INLINE void vector_move(const ride_cpu_entity *entity, const ride_cpu_rows *rows, vector_list *list,
                             const vector_shape s) {
    const uint32_t mask = (1u << s.shift) - 1;
    uint8_t *slab = entity->slab.base;
    const WORD *thresholds = rows->threshold;
    ride_record *const *at = rows->at;
    while (list->count > 0) {
        uint32_t left = 0;
        for (uint32_t k = 0; k < list->count; k++) {
            uint32_t item = list->items[k], e = item % s.edges, block = list->blocks[k];
            const WORD *line = (const WORD *)(slab + (uint64_t)list->lines[k] * RIDE_STATE_LINE_BYTES);
            ride_record *record = at[item / s.edges];
            uint32_t passed = times_passed(line, thresholds[item], s.shift), over = passed >> s.shift,
                     slot = passed & mask;
            list->items[left] = item;
            left += over; /* all of the line has passed: another round, from the next one on */
            shape_position(record, s)[e] = (block << s.shift) + passed;
            shape_word(record)[e] = line[slot];
            for (uint32_t w = 0; w < s.words; w++)
                shape_prefix(record, s)[w * s.edges + e] = line[((1 + w) << s.shift) + slot];
        }
        list->count = left;
        for (uint32_t k = 0; k < left; k++) {
            uint32_t item = list->items[k];
            ride_record *record = at[item / s.edges];
            uint32_t block = shape_position(record, s)[item % s.edges] >> s.shift;
            const uint8_t *line = (const uint8_t *)shape_line(slab, record, block);
            __builtin_prefetch(line);
            list->lines[k] = (uint32_t)((uint64_t)(line - slab) / RIDE_STATE_LINE_BYTES);
            list->blocks[k] = block;
        }
    }
}

/* What a block's rows noted row by row, to raw, which has it column by column. Rows that have not been noted yet get something,
 * which is written over when they are done. */
RIDE_INLINE void transpose_into(WORD *columns, const WORD *notes, uint32_t row, const uint32_t edges) {
    for (uint32_t e = 0; e < edges; e += 4) {
        const WORD *from = notes + row * edges + e;
        __m128i a = load4(from), b = load4(from + edges), c = load4(from + 2 * edges), d = load4(from + 3 * edges);
        __m128i ab_lo = _mm_unpacklo_epi32(a, b), ab_hi = _mm_unpackhi_epi32(a, b), cd_lo = _mm_unpacklo_epi32(c, d),
                cd_hi = _mm_unpackhi_epi32(c, d);
        WORD *to = columns + e * RIDE_BLOCK_ROWS + row;
        store4(to, _mm_unpacklo_epi64(ab_lo, cd_lo));
        store4(to + RIDE_BLOCK_ROWS, _mm_unpackhi_epi64(ab_lo, cd_lo));
        store4(to + 2 * RIDE_BLOCK_ROWS, _mm_unpacklo_epi64(ab_hi, cd_hi));
        store4(to + 3 * RIDE_BLOCK_ROWS, _mm_unpackhi_epi64(ab_hi, cd_hi));
    }
}

RIDE_INLINE void notes_to_raw(ride_cpu_rows *rows, const vector_shape s) {
    WORD *raw = rows->raw;
    const WORD *notes = rows->notes;
    for (uint32_t w = 0; w <= s.words; w++)
        for (uint32_t row = 0; row < rows->rows_count; row += 4)
            transpose_into(raw + w * (s.edges + 1) * RIDE_BLOCK_ROWS, notes + w * s.edges * RIDE_BLOCK_ROWS, row,
                           s.edges);
}

/* block_open for what happens nearly always: the ring has room, or has it when what expired is dropped. */
RIDE_INLINE void vector_open(ride_cpu_entity *entity, ride_record *record, const vector_shape s) {
    if ((record->n >> s.shift) - (record->first >> s.shift) >= record->ring_blocks) drop_expired(entity, record);
    uint32_t live = record->n - record->first, kept = (record->n >> s.shift) - (record->first >> s.shift);
    if (RIDE_UNLIKELY(kept >= record->ring_blocks || record->n >= UINT32_C(1) << 31)) {
        block_open(entity, record);
        return;
    }
    if (live > entity->live_max) entity->live_max = live;
    if ((record->first >> s.shift) - record->base_block >= record->ring_blocks)
        record->base_block += record->ring_blocks;
    WORD *line = shape_line(entity->slab.base, record, record->n >> s.shift);
    const WORD *total = shape_total(record, s);
    record->newest = (uint32_t)((uint64_t)((uint8_t *)line - entity->slab.base) / RIDE_STATE_LINE_BYTES);
    for (uint32_t j = 0; j < 1u << s.shift; j++) line[j] = WORD_END;
    for (uint32_t w = 0; w < s.words; w++) line[(1 + w) << s.shift] = total[w];
}

/* The plain first rows of their keys, listed in act: note the edges, append the entry. */
RIDE_INLINE void vector_enter(ride_cpu_entity *entity, ride_cpu_rows *rows, const uint8_t *act, uint32_t act_count,
                              int64_t clock_us, const vector_shape s) {
    WORD nowhere[1];
    uint8_t opened[RIDE_BLOCK_ROWS];
    uint32_t opened_count = 0;
    const uint32_t mask = (1u << s.shift) - 1, plane = (s.edges + 1) * RIDE_BLOCK_ROWS;
    const WORD *time_words = rows->time_word, *own = rows->own;
    WORD *restrict raw = rows->raw, *restrict notes = rows->notes;
    uint8_t *slab = entity->slab.base;
    for (uint32_t k = 0; k < act_count; k++) {
        const uint32_t row = act[k];
        ride_record *record = rows->at[row];
        const uint32_t n = record->n, next = (n + 1) & mask;
        const WORD time_word = time_words[row];
        WORD *line = (WORD *)(slab + (uint64_t)record->newest * RIDE_STATE_LINE_BYTES), *total = shape_total(record, s),
             *word = shape_word(record);
        const uint32_t *position = shape_position(record, s);
        const WORD *prefix = shape_prefix(record, s);
        for (uint32_t e = 0; e < s.edges; e += 4) {
            store4(notes + row * s.edges + e, load4(position + e));
            for (uint32_t w = 0; w < s.words; w++)
                store4(notes + ((1 + w) * RIDE_BLOCK_ROWS + row) * s.edges + e, load4(prefix + w * s.edges + e));
            __m128i old = load4(word + e); /* an edge at the end meets the entry */
            store4(word + e,
                   _mm_blendv_epi8(old, _mm_set1_epi32(time_word), _mm_cmpeq_epi32(old, _mm_set1_epi32(WORD_END))));
        }
        raw[s.edges * RIDE_BLOCK_ROWS + row] = (WORD)n;
        line[n & mask] = time_word;
        for (uint32_t w = 0; w < s.words; w++) {
            WORD before = total[w], after = (WORD)((UWORD)before + (UWORD)own[w * RIDE_BLOCK_ROWS + row]);
            raw[(1 + w) * plane + s.edges * RIDE_BLOCK_ROWS + row] = before;
            total[w] = after;
            *(next == 0 ? nowhere : &line[((1 + w) << s.shift) + next]) = after;
        }
        record->n = n + 1;
        record->last_us = rows->time_us[row];
        opened[opened_count] = (uint8_t)row;
        opened_count += next == 0;
    }
    notes_to_raw(rows, s);
    for (uint32_t k = 0; k < opened_count; k++) { /* what has expired is asked as of the row */
        int64_t at_us = rows->clock_us[opened[k]];
        entity->clock_us = at_us > clock_us ? at_us : clock_us;
        vector_open(entity, rows->at[opened[k]], s);
    }
}

/* Lines that a row will read and write: the newest entry's, and of edges that will move the next entry's. */
RIDE_INLINE void vector_prefetch_row(ride_cpu_entity *entity, ride_cpu_rows *rows, uint32_t row, const vector_shape s) {
    const uint8_t *slab = entity->slab.base;
    const WORD *threshold = (const WORD *)rows->threshold + row * s.edges;
    rows->at[row] = NULL;
    if (RIDE_UNLIKELY(rows->record[row] == RIDE_NO_RECORD)) return;
    ride_record *record = shape_record(entity->records, rows->record[row], s);
    __m128i differ = _mm_xor_si128(load4(&record->key), load4(&rows->keys[row]));
    if (RIDE_UNLIKELY(!_mm_testz_si128(differ, differ))) {
        record = record_checked(entity, rows, row);
        if (record == NULL) return;
    }
    rows->at[row] = record;
    __builtin_prefetch(slab + (uint64_t)record->newest * RIDE_STATE_LINE_BYTES, 1);
    for (uint32_t e = 0; e < s.edges; e += 4) {
        __m128i at = lanes_line(record, lanes_block(shape_position(record, s) + e, s));
        __m128i stays = _mm_cmpgt_epi32(load4(shape_word(record) + e), load4(threshold + e));
        at = _mm_andnot_si128(stays, at); /* line 0 is nobody's, and always near */
        uint64_t a = (uint64_t)_mm_cvtsi128_si64(at), b = (uint64_t)_mm_extract_epi64(at, 1);
        __builtin_prefetch(slab + (a & UINT32_MAX) * RIDE_STATE_LINE_BYTES);
        __builtin_prefetch(slab + (a >> 32) * RIDE_STATE_LINE_BYTES);
        __builtin_prefetch(slab + (b & UINT32_MAX) * RIDE_STATE_LINE_BYTES);
        __builtin_prefetch(slab + (b >> 32) * RIDE_STATE_LINE_BYTES);
    }
}

RIDE_INLINE void vector_prefetch(ride_cpu_entity *entity, ride_cpu_rows *rows, const vector_shape s) {
    for (uint32_t row = 0; row < rows->rows_count; row++) vector_prefetch_row(entity, rows, row, s);
}

/* Further behind its clock than what is kept beyond the longest window. */
RIDE_INLINE bool row_is_old(int64_t clock_us, int64_t time_us, uint64_t slack_us) {
    return (clock_us > time_us) & ((uint64_t)clock_us - (uint64_t)time_us > slack_us);
}

RIDE_INLINE void vector_apply(ride_cpu_entity *entity, ride_cpu_rows *rows, ride_cpu_rows *ahead,
                              const vector_shape s) {
    vector_list list;
    uint8_t act[RIDE_BLOCK_ROWS], wait[RIDE_BLOCK_ROWS];
    uint32_t act_count = 0, wait_count = 0;
    const uint16_t epoch = ++entity->block_epoch;
    const uint32_t rows_count = rows->rows_count;
    const int64_t clock_us = entity->clock_us;
    const uint64_t slack_us = (uint64_t)entity->retention_us - (uint64_t)entity->need_us;
    const WORD *threshold = rows->threshold;
    const bool ties_count = entity->labels_from_source; /* an event at the newest one's time is noted: not plain */
    const int64_t *time_us = rows->time_us, *clocks_us = rows->clock_us;
    int64_t newest_us = clock_us;
    uint64_t irregular = 0; /* a row that does not enter, or so late that something it may ask for has expired */
    for (uint32_t row = 0; row < rows_count; row++) {
        irregular |= ((rows->flags[row] & RIDE_ROW_ENTERS) == 0) | row_is_old(clocks_us[row], time_us[row], slack_us);
        newest_us = clocks_us[row] > newest_us ? clocks_us[row] : newest_us;
    }
    list.count = 0;
    const uint32_t ahead_count = ahead != NULL ? ahead->rows_count : 0;
    for (uint32_t row = rows_count; row < ahead_count; row++) vector_prefetch_row(entity, ahead, row, s);
    for (uint32_t row = 0; row < rows_count; row++) {
        ride_record *record = rows->at[row];
        if (row < ahead_count) vector_prefetch_row(entity, ahead, row, s); /* memory works while the list is made */
        if (RIDE_UNLIKELY(record == NULL)) {
            wait[wait_count++] = (uint8_t)row;
            continue;
        }
        bool plain = (record->epoch != epoch) & (time_us[row] >= record->last_us) &
                     !(ties_count & (time_us[row] == record->last_us));
        if (RIDE_UNLIKELY(irregular))
            plain =
                plain && (rows->flags[row] & RIDE_ROW_ENTERS) && !row_is_old(clocks_us[row], time_us[row], slack_us);
        if (RIDE_UNLIKELY(record->patches != 0)) plain = plain && is_plain(entity, rows, row, record);
        record->epoch = epoch;
        act[act_count] = (uint8_t)row;
        act_count += plain;
        wait[wait_count] = (uint8_t)row;
        wait_count += !plain;
        list_add(&list, record, threshold + row * s.edges, row, 0 - (uint32_t)plain, s);
    }
    vector_move(entity, rows, &list, s);
    vector_enter(entity, rows, act, act_count, clock_us, s);
    for (uint32_t k = 0; k < wait_count; k++) {
        uint32_t row = wait[k];
        ride_record *record = rows->at[row];
        entity->clock_us = rows->clock_us[row] > clock_us ? rows->clock_us[row] : clock_us;
        if (record != NULL && is_plain(entity, rows, row, record))
            row_plain(entity, rows, row, record, s.shift, s.words, s.edges);
        else row_other(entity, rows, row, record);
    }
    entity->clock_us = newest_us;
}

/* time_to_word of every row. The quotient of a double division cannot reach the next whole second: below 2^32 s it is at
 * least 10^-6 away, and rounding moves it by 2.4 * 10^-7 at most; later times and inexact ones stop at the same bound. */
RIDE_INLINE void time_words(const int64_t *time_us, uint32_t rows_count, WORD *out) {
#if defined(__AVX512DQ__)
    for (uint32_t row = 0; row < rows_count; row++) {
        double quotient = (double)time_us[row] / 1e6;
        int64_t seconds = (int64_t)quotient;
        seconds = seconds < (int64_t)UINT32_MAX - 1 ? seconds : (int64_t)UINT32_MAX - 1;
        out[row] = time_us[row] < 0 ? WORD_NONE : (int32_t)(seconds - (INT64_C(1) << 31));
    }
#else
    for (uint32_t row = 0; row < rows_count; row++) out[row] = time_to_word(time_us[row]);
#endif
}

/* Thresholds of edges that stand a fixed time behind the event; false: there are others. */
static inline bool vector_thresholds(const ride_cpu_entity *entity, ride_cpu_rows *rows) {
    const uint32_t edges = EDGES;
    WORD offset[VECTOR_EDGES_MAX] = {0}, none[VECTOR_EDGES_MAX];
    if (edges > VECTOR_EDGES_MAX) return false;
    for (uint32_t e = 0; e < edges; e++) none[e] = WORD_NONE; /* a padding edge never moves */
    for (uint32_t p = 0; p < entity->plan->edges_count; p++) {
        int32_t slot = entity->layout.edge_slot[p];
        if (slot < 0) continue;
        if (entity->edges[p].kind != RIDE_EDGE_OFFSET) return false;
        offset[slot] = OFFSET_TO_WORD(entity->edges[p].offset_us);
        none[slot] = 0;
    }
    WORD *threshold = rows->threshold, *time_word = rows->time_word;
    time_words(rows->time_us, rows->rows_count, time_word);
    for (uint32_t row = 0; row < rows->rows_count; row++) {
        WORD word = time_word[row];
        for (uint32_t e = 0; e < edges; e += 4) {
            __m128i minimum = load4(none + e), all = _mm_sub_epi32(_mm_set1_epi32(word), load4(offset + e));
            all = _mm_blendv_epi8(all, minimum, _mm_cmpeq_epi32(minimum, _mm_set1_epi32(WORD_NONE)));
            store4(threshold + row * edges + e, all);
        }
    }
    return true;
}

/* Which shapes have a copy, and whether the block is one that the passes may take: no labels, nothing that reads entries. */
#define VECTOR_SHAPES(CALL)                                                                                            \
    do {                                                                                                               \
        if (EDGES == 4 && WORDS == 1 && SHIFT == FORM_SHIFT_1) CALL(FORM_SHIFT_1, 1, 4);                               \
        if (EDGES == 4 && WORDS == 0 && SHIFT == FORM_SHIFT_0) CALL(FORM_SHIFT_0, 0, 4);                               \
        if (EDGES == 4 && WORDS == 2 && SHIFT == FORM_SHIFT_2) CALL(FORM_SHIFT_2, 2, 4);                               \
        if (EDGES == 8 && WORDS == 1 && SHIFT == FORM_SHIFT_1) CALL(FORM_SHIFT_1, 1, 8);                               \
        if (EDGES == 8 && WORDS == 2 && SHIFT == FORM_SHIFT_2) CALL(FORM_SHIFT_2, 2, 8);                               \
    } while (0)

#endif
