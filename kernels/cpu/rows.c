/* kernels/cpu/rows.c: see rows.h. */
#include "kernels/cpu/rows.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

static void *block_array(size_t words) { return aligned_alloc(64, (words + 1) * RIDE_BLOCK_ROWS * sizeof(int64_t)); }

ride_status ride_cpu_rows_create(ride_cpu_rows *rows, const ride_cpu_entity *entity, ride_error *err) {
    const ride_state_layout *layout = &entity->layout;
    size_t edges = layout->edges_padded + 1, words = layout->cumulative_words;
    memset(rows, 0, sizeof *rows);
    rows->present = calloc(layout->lanes_count + 1, sizeof *rows->present);
    rows->valid = calloc(layout->lanes_count + 1, sizeof *rows->valid);
    rows->own = block_array(words);
    rows->sum_value = block_array(layout->lanes_count);
    rows->own_value = block_array(layout->own_words);
    rows->threshold = block_array(edges);
    rows->time_word = block_array(1);
    rows->key_word = block_array(1);
    rows->raw = block_array((1 + words) * edges);
    rows->notes = block_array((1 + words) * edges);
    rows->features = calloc(entity->aggregates_count + 1, sizeof *rows->features);
    if (rows->present == NULL || rows->valid == NULL || rows->own == NULL || rows->sum_value == NULL ||
        rows->own_value == NULL || rows->threshold == NULL || rows->time_word == NULL || rows->key_word == NULL ||
        rows->raw == NULL || rows->notes == NULL || rows->features == NULL) {
        ride_cpu_rows_destroy(rows);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for the work arrays of an entity");
    }
    /* rows past the end of a short block are computed and thrown away: they must not be uninitialised */
    memset(rows->own, 0, (words + 1) * RIDE_BLOCK_ROWS * sizeof(int64_t));
    memset(rows->key_word, 0, 2 * RIDE_BLOCK_ROWS * sizeof(int64_t));
    memset(rows->raw, 0, ((1 + words) * edges + 1) * RIDE_BLOCK_ROWS * sizeof(int64_t));
    memset(rows->notes, 0, ((1 + words) * edges + 1) * RIDE_BLOCK_ROWS * sizeof(int64_t));
    return RIDE_OK;
}

void ride_cpu_rows_destroy(ride_cpu_rows *rows) {
    free(rows->present);
    free(rows->valid);
    free(rows->own);
    free(rows->sum_value);
    free(rows->own_value);
    free(rows->threshold);
    free(rows->time_word);
    free(rows->key_word);
    free(rows->raw);
    free(rows->notes);
    free(rows->features);
    memset(rows, 0, sizeof *rows);
}

/* Bits first … first + count - 1 of a tile's bitmap, count <= 64; NULL = all ones. */
static uint64_t bits_at(const uint8_t *bitmap, uint32_t first, uint32_t count) {
    uint64_t mask = count == 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1, bits = 0;
    if (bitmap == NULL) return mask;
    uint32_t byte = first / 8, shift = first % 8;
    uint32_t bytes = RIDE_TILE_VALIDITY_BYTES - byte < 8 ? RIDE_TILE_VALIDITY_BYTES - byte : 8;
    memcpy(&bits, bitmap + byte, bytes);
    bits >>= shift;
    if (shift > 0 && byte + 8 < RIDE_TILE_VALIDITY_BYTES) bits |= (uint64_t)bitmap[byte + 8] << (64 - shift);
    return bits & mask;
}

void ride_cpu_rows_point(ride_cpu_rows *rows, const ride_cpu_entity *entity, const ride_tile_layout *in_layout,
                         const ride_cpu_block *block) {
    uint32_t first = block->row_first;
    rows->rows_count = block->rows_count;
    rows->sequence_first = ride_tile_head_const(block->in_tile)->sequence_first + first;
    rows->time_us = (const int64_t *)ride_tile_values_const(in_layout, block->in_tile, RIDE_COLUMN_TIME) + first;
    rows->clock_us = (const int64_t *)ride_tile_values_const(in_layout, block->in_tile, RIDE_COLUMN_CLOCK) + first;
    rows->flags = (const uint32_t *)ride_tile_values_const(in_layout, block->in_tile, RIDE_COLUMN_FLAGS) + first;
    rows->keys =
        (const ride_key128 *)ride_tile_values_const(in_layout, block->in_tile, entity->plan->key_column) + first;
    rows->has_key = bits_at(ride_tile_validity_const(in_layout, block->in_tile, entity->plan->key_column), first,
                            block->rows_count);
    uint32_t none = 0;
    for (uint32_t row = 0; row < block->rows_count; row++) none |= rows->flags[row] & (RIDE_ROW_SKIP | RIDE_ROW_LABEL);
    rows->is_event = block->rows_count == 64 ? UINT64_MAX : (UINT64_C(1) << block->rows_count) - 1;
    if (none != 0)
        for (uint32_t row = 0; row < block->rows_count; row++)
            if (rows->flags[row] & (RIDE_ROW_SKIP | RIDE_ROW_LABEL)) rows->is_event &= ~(UINT64_C(1) << row);
}

/* The column's values as int64; a U64 keeps its bits. */
static void values_load(int64_t *out, const ride_tile_layout *in_layout, const ride_cpu_block *block, uint32_t column) {
    const void *values = ride_tile_values_const(in_layout, block->in_tile, column);
    if (in_layout->columns[column].type == RIDE_TYPE_BOOL) {
        const uint8_t *from = (const uint8_t *)values + block->row_first;
        for (uint32_t row = 0; row < block->rows_count; row++) out[row] = from[row];
    } else {
        RIDE_ASSERT(ride_type_bytes(in_layout->columns[column].type) == 8);
        memcpy(out, (const int64_t *)values + block->row_first, block->rows_count * sizeof *out);
    }
}

/* Rows of an F64 column that hold a number: NaN is null. */
static uint64_t numbers_at(const ride_tile_layout *in_layout, const ride_cpu_block *block, uint32_t column) {
    const double *values = (const double *)ride_tile_values_const(in_layout, block->in_tile, column) + block->row_first;
    uint64_t bits = 0;
    for (uint32_t row = 0; row < block->rows_count; row++) bits |= (uint64_t)(values[row] == values[row]) << row;
    return bits;
}

static void mask_values(int64_t *values, uint64_t keep, uint32_t rows_count) {
    if (keep == (rows_count == 64 ? UINT64_MAX : (UINT64_C(1) << rows_count) - 1)) return;
    for (uint32_t row = 0; row < rows_count; row++) values[row] = keep >> row & 1 ? values[row] : 0;
}

static void hash_load(int64_t *lo, int64_t *hi, const ride_tile_layout *in_layout, const ride_cpu_block *block,
                      uint32_t column) {
    if (in_layout->columns[column].type == RIDE_TYPE_KEY128) {
        const ride_key128 *keys =
            (const ride_key128 *)ride_tile_values_const(in_layout, block->in_tile, column) + block->row_first;
        for (uint32_t row = 0; row < block->rows_count; row++)
            lo[row] = (int64_t)keys[row].lo, hi[row] = (int64_t)keys[row].hi;
    } else {
        values_load(lo, in_layout, block, column);
        memset(hi, 0, block->rows_count * sizeof *hi);
    }
}

void ride_cpu_rows_fill(ride_cpu_rows *rows, const ride_cpu_entity *entity, const ride_tile_layout *in_layout,
                        const ride_cpu_block *block, uint8_t (*conditions)[RIDE_TILE_VALIDITY_BYTES]) {
    uint32_t n = block->rows_count, first = block->row_first;
    int32_t label_column = entity->bundle->plan->column_label;
    rows->has_key &= rows->is_event;
    rows->approx = 0;
    for (uint32_t l = 0; l < entity->layout.lanes_count; l++) {
        const ride_plan_lane *lane = &entity->lanes[l];
        uint64_t valid = rows->is_event;
        if (lane->column >= 0)
            valid &= bits_at(ride_tile_validity_const(in_layout, block->in_tile, (uint32_t)lane->column), first, n);
        if (lane->column >= 0 && in_layout->columns[lane->column].type == RIDE_TYPE_F64)
            valid &= numbers_at(in_layout, block, (uint32_t)lane->column);
        rows->valid[l] = valid;
        uint64_t present = rows->has_key & valid;
        if (lane->condition >= 0) present &= bits_at(conditions[lane->condition], first, n);
        rows->present[l] = present;
        int64_t *value = rows->sum_value + l * RIDE_BLOCK_ROWS,
                *own = rows->own_value + entity->layout.lane_word[l] * RIDE_BLOCK_ROWS;
        switch (lane->kind) {
        case RIDE_LANE_SUM:
        case RIDE_LANE_SUMSQ:
            values_load(value, in_layout, block, (uint32_t)lane->column);
            mask_values(value, present, n);
            break;
        case RIDE_LANE_COUNT:
            for (uint32_t row = 0; row < n; row++) value[row] = (int64_t)(present >> row & 1);
            break;
        case RIDE_LANE_LABEL:
            memset(value, 0, n * sizeof *value);
            if (entity->bundle->plan->label_kind != RIDE_LABEL_IN_EVENT) break;
            present &= bits_at(ride_tile_validity_const(in_layout, block->in_tile, (uint32_t)label_column), first, n);
            values_load(value, in_layout, block, (uint32_t)label_column);
            mask_values(value, present, n);
            break;
        case RIDE_LANE_VALUE:
            values_load(own, in_layout, block, (uint32_t)lane->column);
            mask_values(own, present, n);
            break;
        case RIDE_LANE_HASH:
            hash_load(own, own + RIDE_BLOCK_ROWS, in_layout, block, (uint32_t)lane->column);
            mask_values(own, valid, n); /* first_seen asks for the value whether the event itself counts or not */
            mask_values(own + RIDE_BLOCK_ROWS, valid, n);
            break;
        default: break;
        }
    }
    if (entity->layout.presence_word >= 0) {
        int64_t *presence = rows->own_value + entity->layout.presence_word * RIDE_BLOCK_ROWS;
        for (uint32_t row = 0; row < n; row++) {
            uint64_t bits = 0;
            for (uint32_t l = 0; l < entity->layout.lanes_count; l++) bits |= (rows->present[l] >> row & 1) << l;
            presence[row] = (int64_t)bits;
        }
    }
    if (!entity->labels_from_source) return;
    uint32_t about = entity->bundle->plan->column_sequence;
    rows->about = (const uint64_t *)ride_tile_values_const(in_layout, block->in_tile, about) + first;
    values_load(rows->label, in_layout, block, (uint32_t)label_column);
    mask_values(rows->label,
                bits_at(ride_tile_validity_const(in_layout, block->in_tile, (uint32_t)label_column), first, n), n);
}

void ride_cpu_rows_words_wide(ride_cpu_rows *rows, const ride_cpu_entity *entity) {
    uint32_t n = rows->rows_count;
    int64_t *own = rows->own, *key_word = rows->key_word;
    for (uint32_t row = 0; row < n; row++) key_word[row] = (int64_t)(rows->has_key >> row & 1);
    for (uint32_t l = 0; l < entity->layout.lanes_count; l++) {
        const int64_t *value = rows->sum_value + l * RIDE_BLOCK_ROWS;
        if (entity->layout.lane_is_own[l]) continue;
        int64_t *to = own + entity->layout.lane_word[l] * RIDE_BLOCK_ROWS;
        if (entity->lanes[l].kind != RIDE_LANE_SUMSQ) {
            memcpy(to, value, n * sizeof *to);
            continue;
        }
        bool is_u64 = entity->lanes[l].is_u64 != 0;
        for (uint32_t row = 0; row < n; row++) {
            uint64_t magnitude = is_u64 ? (uint64_t)value[row] : ride_magnitude_i64(value[row]);
            ride_u128 square = (ride_u128)magnitude * magnitude;
            to[row] = (int64_t)(uint64_t)square;
            to[RIDE_BLOCK_ROWS + row] = (int64_t)(uint64_t)(square >> 64);
        }
    }
}
