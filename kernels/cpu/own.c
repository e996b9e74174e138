/* kernels/cpu/own.c: see own.h. */
#include "kernels/cpu/own.h"

#include "base/assert.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* ---- what an entity needs ---- */

static void column_add(ride_cpu_own_entity *e, const ride_tile_layout *layout, int32_t column) {
    if (column < 0) return;
    for (uint32_t i = 0; i < e->columns_count; i++)
        if (e->columns[i].column == (uint32_t)column) return;
    e->columns[e->columns_count++] =
        (ride_cpu_own_column){(uint32_t)column, ride_type_bytes(layout->columns[column].type)};
}

static void condition_add(ride_cpu_own_entity *e, int32_t condition) {
    if (condition < 0) return;
    for (uint32_t i = 0; i < e->conditions_count; i++)
        if (e->conditions[i] == (uint32_t)condition) return;
    e->conditions[e->conditions_count++] = (uint32_t)condition;
}

static ride_status entity_make(ride_cpu_own_entity *e, const ride_cpu_entity *entity, const ride_tile_layout *layout,
                               ride_error *err) {
    const ride_plan_header *plan = entity->bundle->plan;
    const uint32_t lanes_count = entity->layout.lanes_count;
    e->columns = calloc(lanes_count + 6, sizeof *e->columns);
    e->conditions = calloc(lanes_count + 1, sizeof *e->conditions);
    if (e->columns == NULL || e->conditions == NULL)
        return ride_fail(err, RIDE_E_MEMORY, "no memory for the rows of an entity");
    column_add(e, layout, RIDE_COLUMN_TIME);
    column_add(e, layout, RIDE_COLUMN_CLOCK);
    column_add(e, layout, RIDE_COLUMN_FLAGS);
    column_add(e, layout, (int32_t)entity->plan->key_column);
    for (uint32_t l = 0; l < lanes_count; l++) {
        column_add(e, layout, entity->lanes[l].column);
        condition_add(e, entity->lanes[l].condition);
        if (entity->lanes[l].kind == RIDE_LANE_LABEL) column_add(e, layout, plan->column_label);
    }
    if (entity->labels_from_source) column_add(e, layout, (int32_t)plan->column_sequence);
    return RIDE_OK;
}

static void *tile_alloc(const ride_tile_layout *layout) {
    void *tile = aligned_alloc(RIDE_TILE_ALIGN, layout->tile_bytes);
    if (tile != NULL) memset(tile, 0, layout->tile_bytes);
    return tile;
}

ride_status ride_cpu_own_create(const ride_bundle *bundle, const ride_state_options *options,
                                const ride_cpu_entity *entities, const ride_tile_layout *in_layout,
                                const ride_tile_layout *out_layout, ride_cpu_own **out, ride_error *err) {
    ride_status st = RIDE_OK;
    const ride_plan_header *plan = bundle->plan;
    ride_cpu_own *own = calloc(1, sizeof *own);
    if (own == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the rows of a part");
    own->vnode_first = options->vnode_first;
    own->vnodes_count = options->vnodes_count;
    own->in_layout = in_layout;
    own->out_layout = out_layout;
    own->conditions_all = plan->conditions_count;
    own->clock_us = INT64_MIN;
    own->entities = calloc(plan->entities_count + 1, sizeof *own->entities);
    own->in_tile = tile_alloc(in_layout);
    own->out_tile = tile_alloc(out_layout);
    own->conditions = calloc(plan->conditions_count + 1, sizeof *own->conditions);
    if (own->entities == NULL || own->in_tile == NULL || own->out_tile == NULL || own->conditions == NULL) {
        st = ride_fail(err, RIDE_E_MEMORY, "no memory for the rows of a part");
        goto fail;
    }
    for (uint32_t e = 0; e < plan->entities_count; e++) {
        own->entities_count = e + 1;
        RIDE_TRY_GOTO(st, entity_make(&own->entities[e], &entities[e], in_layout, err), fail);
    }
    *out = own;
    return RIDE_OK;
fail:
    ride_cpu_own_destroy(own);
    return st;
}

void ride_cpu_own_destroy(ride_cpu_own *own) {
    if (own == NULL) return;
    for (uint32_t e = 0; e < own->entities_count; e++) {
        free(own->entities[e].columns);
        free(own->entities[e].conditions);
    }
    free(own->entities);
    free(own->in_tile);
    free(own->out_tile);
    free(own->conditions);
    free(own);
}

/* ---- lists ---- */

static const uint8_t *in_tile_of(const ride_cpu_own *own, const ride_work *work, uint32_t row) {
    return work->in_tiles + (uint64_t)(row / RIDE_TILE_ROWS) * own->in_layout->tile_bytes;
}

void ride_cpu_own_chunk(ride_cpu_own *own, const ride_work *work, uint32_t begin, uint32_t end) {
    RIDE_ASSERT(end - begin <= RIDE_CHUNK_ROWS);
    int64_t clock_us = own->clock_us;
    own->chunk_first = begin;
    for (uint32_t row = begin; row < end;) {
        const uint8_t *tile = in_tile_of(own, work, row);
        const int64_t *clocks = ride_tile_values_const(own->in_layout, tile, RIDE_COLUMN_CLOCK);
        const uint32_t *flags = ride_tile_values_const(own->in_layout, tile, RIDE_COLUMN_FLAGS);
        for (uint32_t r = row % RIDE_TILE_ROWS; r < RIDE_TILE_ROWS && row < end; r++, row++) {
            const int64_t clock = flags[r] & RIDE_ROW_LABEL ? INT64_MIN : clocks[r];
            clock_us = clock > clock_us ? clock : clock_us;
            own->seen_us[row - begin] = clock_us;
        }
    }
    own->clock_us = clock_us;
}

uint32_t ride_cpu_own_list(ride_cpu_own *own, const ride_cpu_entity *entity, const ride_work *work, uint32_t begin,
                           uint32_t end) {
    const uint32_t column = entity->plan->key_column, first = own->vnode_first, count = own->vnodes_count;
    /* a label of a key means something only where a lane counts labels */
    const uint32_t never = RIDE_ROW_SKIP | (entity->labels_from_source ? 0 : RIDE_ROW_LABEL);
    uint32_t listed = 0;
    for (uint32_t row = begin; row < end;) {
        const uint8_t *tile = in_tile_of(own, work, row);
        const ride_key128 *keys = ride_tile_values_const(own->in_layout, tile, column);
        const uint8_t *validity = ride_tile_validity_const(own->in_layout, tile, column);
        const uint32_t *flags = ride_tile_values_const(own->in_layout, tile, RIDE_COLUMN_FLAGS);
        uint32_t r = row % RIDE_TILE_ROWS, rows = RIDE_TILE_ROWS - r;
        if (rows > end - row) rows = end - row;
        if (validity == NULL)
            for (uint32_t last = r + rows; r < last; r++, row++) {
                own->list[listed] = row;
                listed += (ride_key_vnode(keys[r]) - first < count) & ((flags[r] & never) == 0);
            }
        else
            for (uint32_t last = r + rows; r < last; r++, row++) {
                const uint32_t vnode = ride_bit_get(validity, r) ? ride_key_vnode(keys[r]) : 0;
                own->list[listed] = row;
                listed += (vnode - first < count) & ((flags[r] & never) == 0);
            }
    }
    return listed;
}

/* ---- there and back ---- */

/* Where the rows of a block are. */
typedef struct places {
    const uint8_t *tile[RIDE_BLOCK_ROWS];
    uint32_t at[RIDE_BLOCK_ROWS];
    uint32_t count;
} places;

static void values_gather(const places *from, uint8_t *to, uint32_t offset, uint32_t value_bytes) {
    const uint32_t n = from->count;
    switch (value_bytes) {
    case 1:
        for (uint32_t k = 0; k < n; k++) to[k] = from->tile[k][offset + from->at[k]];
        break;
    case 4:
        for (uint32_t k = 0; k < n; k++)
            ((uint32_t *)(void *)to)[k] = ((const uint32_t *)(const void *)(from->tile[k] + offset))[from->at[k]];
        break;
    case 8:
        for (uint32_t k = 0; k < n; k++)
            ((uint64_t *)(void *)to)[k] = ((const uint64_t *)(const void *)(from->tile[k] + offset))[from->at[k]];
        break;
    default:
        RIDE_ASSERT(value_bytes == sizeof(ride_key128));
        for (uint32_t k = 0; k < n; k++)
            ((ride_key128 *)(void *)to)[k] = ((const ride_key128 *)(const void *)(from->tile[k] + offset))[from->at[k]];
    }
}

/* 64 bits of a bitmap that begins at a multiple of 64 rows. */
static void bits_put(uint8_t *bitmap, uint32_t first, uint64_t bits) { memcpy(bitmap + first / 8, &bits, sizeof bits); }

static uint64_t validity_gather(const places *from, uint32_t offset) {
    uint64_t bits = 0;
    for (uint32_t k = 0; k < from->count; k++)
        bits |= (uint64_t)(unsigned)ride_bit_get(from->tile[k] + offset, from->at[k]) << k;
    return bits;
}

void ride_cpu_own_gather(ride_cpu_own *own, uint32_t entity_index, const ride_work *work, const uint32_t *rows,
                         uint32_t rows_count, uint32_t number, ride_cpu_conditions conditions, ride_cpu_block *block) {
    const ride_cpu_own_entity *e = &own->entities[entity_index];
    const uint32_t first = number * RIDE_BLOCK_ROWS % RIDE_TILE_ROWS;
    places from;
    from.count = rows_count;
    for (uint32_t k = 0; k < rows_count; k++) {
        from.tile[k] = in_tile_of(own, work, rows[k]);
        from.at[k] = rows[k] % RIDE_TILE_ROWS;
        own->sequence[first + k] = ride_tile_head_const(from.tile[k])->sequence_first + from.at[k];
        own->seen_gathered[first + k] = own->seen_us[rows[k] - own->chunk_first];
    }
    for (uint32_t c = 0; c < e->columns_count; c++) {
        const uint32_t column = e->columns[c].column, value_bytes = e->columns[c].value_bytes;
        uint8_t *values = ride_tile_values(own->in_layout, own->in_tile, column);
        values_gather(&from, values + first * value_bytes, own->in_layout->columns[column].values_offset, value_bytes);
        uint8_t *validity = ride_tile_validity(own->in_layout, own->in_tile, column);
        if (validity != NULL)
            bits_put(validity, first, validity_gather(&from, own->in_layout->columns[column].validity_offset));
    }
    for (uint32_t c = 0; c < e->conditions_count; c++) {
        uint64_t bits = 0;
        for (uint32_t k = 0; k < rows_count; k++) {
            const uint32_t tile = rows[k] / RIDE_TILE_ROWS % RIDE_CHUNK_TILES;
            const uint8_t *bitmap = conditions[tile * own->conditions_all + e->conditions[c]];
            bits |= (uint64_t)(unsigned)ride_bit_get(bitmap, from.at[k]) << k;
        }
        bits_put(own->conditions[e->conditions[c]], first, bits);
    }
    *block = (ride_cpu_block){.in_tile = own->in_tile,
                              .out_tile = own->out_tile,
                              .row_first = first,
                              .rows_count = rows_count,
                              .gathered = rows};
}

void ride_cpu_own_point(const ride_cpu_own *own, const ride_cpu_block *block, ride_cpu_rows *rows) {
    rows->sequence = own->sequence + block->row_first;
    rows->seen_us = own->seen_gathered + block->row_first;
}

void ride_cpu_own_scatter(const ride_cpu_own *own, const ride_cpu_entity *entity, const ride_work *work,
                          const ride_cpu_block *block, const ride_cpu_rows *rows) {
    uint8_t *to[RIDE_BLOCK_ROWS]; /* of a row's cell in a column of doubles that begins at the tile's start */
    for (uint32_t k = 0; k < block->rows_count; k++)
        to[k] = work->out_tiles + (uint64_t)(block->gathered[k] / RIDE_TILE_ROWS) * own->out_layout->tile_bytes +
                block->gathered[k] % RIDE_TILE_ROWS * sizeof(double);
    for (uint32_t a = 0; a < entity->aggregates_count; a++) {
        const ride_plan_aggregate *plan = entity->aggregates[a].plan;
        if ((plan->peers != 0) != rows->is_peers) continue;
        const uint32_t offset = own->out_layout->columns[plan->feature].values_offset;
        const double *from = rows->features[a];
        for (uint32_t k = 0; k < block->rows_count; k++) memcpy(to[k] + offset, &from[k], sizeof from[k]);
    }
    const uint32_t flags =
        own->out_layout->columns[entity->bundle->plan->features_count + RIDE_OUT_FLAGS].values_offset;
    for (uint64_t approx = rows->approx; approx != 0; approx &= approx - 1) { /* other states may flag the same row */
        const uint32_t row = block->gathered[__builtin_ctzll(approx)];
        uint8_t *tile = work->out_tiles + (uint64_t)(row / RIDE_TILE_ROWS) * own->out_layout->tile_bytes;
        _Atomic uint32_t *cell = (_Atomic uint32_t *)(void *)(tile + flags) + row % RIDE_TILE_ROWS;
        atomic_fetch_or_explicit(cell, RIDE_OUT_APPROX, memory_order_relaxed);
    }
}
