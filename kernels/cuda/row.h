/* kernels/cuda/row.h: a program and a batch as the kernels see them, and what one row says about itself. Device code. */
#ifndef RIDE_KERNELS_CUDA_ROW_H
#define RIDE_KERNELS_CUDA_ROW_H
#include "kernels/cuda/entity.h"
#include "kernels/layout/ensemble.h"
#include "kernels/layout/profile.h"
#include "kernels/layout/program.h"
#include "kernels/row/key.h"

/* A bundle on a device: everything here, and what it points to, lies in the device's memory. */
typedef struct ride_cuda_program {
    const ride_plan_header *plan;
    const ride_plan_column *columns;
    const ride_plan_condition *conditions;
    const ride_plan_expression *expressions;
    const ride_plan_vector *vector;
    const ride_plan_zone *zone;
    const ride_plan_rule *rules;
    const ride_program *programs;
    const ride_instruction *code;
    const ride_constant *constants;
    const ride_tile_layout *in, *out;
    const ride_cuda_entity *entities;
    ride_forest forest; /* header NULL = none */
    ride_profile profile;
} ride_cuda_program;

/* One batch on its way through the kernels. Arrays per row are the queue's; [entity][row] with rows_max rows each. */
typedef struct ride_cuda_batch {
    const ride_cuda_program *program;
    ride_cuda_pool *pool; /* NULL without WINDOWS */
    const uint8_t *in;
    uint8_t *out;
    uint32_t rows_count, rows_max;
    uint32_t *slots;  /* index of the key, or RIDE_CUDA_NO_KEY … */
    uint32_t *claims; /* slot of the table that the row claimed, or RIDE_CUDA_NO_KEY */
    uint32_t *rows;   /* 0 1 2 …: what is sorted along with the slots */
    uint32_t *sorted_slots, *sorted_rows;
    uint32_t *groups;     /* number of the row's timestamp group (plans with peers) */
    uint64_t *conditions; /* [row][conditions_words] */
    uint32_t conditions_words;
    uint32_t sweep_count; /* keys per entity to look at for expiry */
    uint32_t many_clocks; /* as ride_work */
    int64_t expire_us;
    double *inputs; /* [model input][rows_max] */
    double *sums;   /* [row][outputs] */
    unsigned long long *counts;
    uint32_t vnode_first, vnodes_count; /* the state's */
} ride_cuda_batch;

enum : uint32_t {
    RIDE_CUDA_NO_KEY = UINT32_MAX,     /* nothing in state and nothing will be */
    RIDE_CUDA_KEY_UNSEEN = 0xfffffffe, /* not in state yet; a row before it in the batch may make it */
    RIDE_CUDA_KEY_NEW = 0xfffffffd,    /* not in state yet; this row enters */
    RIDE_CUDA_KEY_OTHER = 0xfffffffc,  /* of a vnode that is not the state's: the row is passed over */
    RIDE_CUDA_KEYS_MAX = 0xfffffff0,
};

/* Place of a row in an array [entity][row]. */
__device__ static inline uint64_t ride_cuda_cell(const ride_cuda_batch *batch, uint32_t e, uint32_t row) {
    return (uint64_t)e * batch->rows_max + row;
}

__device__ static inline uint32_t ride_cuda_thread(void) { return blockIdx.x * blockDim.x + threadIdx.x; }

/* One row of a batch for one entity. */
typedef struct ride_cuda_row {
    const ride_cuda_program *program;
    const ride_cuda_entity *entity;
    const uint8_t *tile;
    uint32_t row; /* in the tile */
    uint32_t flags, has_key;
    const uint64_t *conditions;
    int64_t time_us, clock_us, cut_us; /* cut: entries up to it are gone for this row */
    uint64_t sequence;
} ride_cuda_row;

__device__ static inline const uint8_t *ride_cuda_in_tile(const ride_cuda_batch *batch, uint32_t row) {
    return batch->in + (uint64_t)(row / RIDE_TILE_ROWS) * batch->program->in->tile_bytes;
}
__device__ static inline uint8_t *ride_cuda_out_tile(const ride_cuda_batch *batch, uint32_t row) {
    return batch->out + (uint64_t)(row / RIDE_TILE_ROWS) * batch->program->out->tile_bytes;
}
__device__ static inline uint32_t ride_cuda_flags(const ride_cuda_batch *batch, uint32_t row) {
    return ((const uint32_t *)ride_tile_values_const(batch->program->in, ride_cuda_in_tile(batch, row),
                                                     RIDE_COLUMN_FLAGS))[row % RIDE_TILE_ROWS];
}
__device__ static inline int64_t ride_cuda_time(const ride_cuda_batch *batch, uint32_t row, uint32_t column) {
    return ((const int64_t *)ride_tile_values_const(batch->program->in, ride_cuda_in_tile(batch, row),
                                                    column))[row % RIDE_TILE_ROWS];
}
/* The row's key of an entity; 0 when it is null. */
__device__ static inline uint32_t ride_cuda_key_of(const ride_cuda_batch *batch, const ride_cuda_entity *entity,
                                                   uint32_t row, ride_key128 *key) {
    const ride_tile_layout *in = batch->program->in;
    const uint8_t *tile = ride_cuda_in_tile(batch, row);
    const uint32_t column = entity->plan->key_column;
    *key = ((const ride_key128 *)ride_tile_values_const(in, tile, column))[row % RIDE_TILE_ROWS];
    return (uint32_t)ride_valid(ride_tile_validity_const(in, tile, column), row % RIDE_TILE_ROWS);
}

/* ---- values of a row ---- */

__device__ static inline int64_t ride_cuda_column_i64(const ride_cuda_row *r, uint32_t column) {
    const ride_tile_layout *in = r->program->in;
    const void *values = ride_tile_values_const(in, r->tile, column);
    if (in->columns[column].type == RIDE_TYPE_BOOL) return ((const uint8_t *)values)[r->row];
    return ((const int64_t *)values)[r->row];
}
__device__ static inline uint32_t ride_cuda_column_valid(const ride_cuda_row *r, uint32_t column) {
    return (uint32_t)ride_valid(ride_tile_validity_const(r->program->in, r->tile, column), r->row);
}

/* The lane's column is not null (a NaN is null). */
__device__ static inline uint32_t ride_cuda_lane_valid(const ride_cuda_row *r, const ride_plan_lane *lane) {
    if (lane->column < 0) return 1;
    const uint32_t column = (uint32_t)lane->column;
    if (!ride_cuda_column_valid(r, column)) return 0;
    if (r->program->in->columns[column].type != RIDE_TYPE_F64) return 1;
    const double x = ((const double *)ride_tile_values_const(r->program->in, r->tile, column))[r->row];
    return x == x;
}
/* The event counts for the lane. */
__device__ static inline uint32_t ride_cuda_lane_present(const ride_cuda_row *r, const ride_plan_lane *lane) {
    if (!r->has_key || !ride_cuda_lane_valid(r, lane)) return 0;
    return lane->condition < 0 || (r->conditions[lane->condition / 64] >> (lane->condition % 64) & 1) != 0;
}

/* What the event adds to the words of a lane of sums. */
__device__ static inline void ride_cuda_lane_adds(const ride_cuda_row *r, uint32_t l, uint64_t out[3]) {
    const ride_plan_lane *lane = &r->entity->lanes[l];
    out[0] = out[1] = out[2] = 0;
    if (!ride_cuda_lane_present(r, lane)) return;
    if (lane->kind == RIDE_LANE_COUNT) out[0] = 1;
    else if (lane->kind == RIDE_LANE_SUM) {
        const int64_t value = ride_cuda_column_i64(r, (uint32_t)lane->column);
        out[0] = (uint64_t)value;
        out[1] = value < 0 ? UINT64_MAX : 0;
    } else if (lane->kind == RIDE_LANE_SUMSQ) {
        const int64_t value = ride_cuda_column_i64(r, (uint32_t)lane->column);
        const uint64_t magnitude = lane->is_u64 ? (uint64_t)value : ride_magnitude_i64(value);
        const ride_u128 square = (ride_u128)magnitude * magnitude;
        out[0] = (uint64_t)square;
        out[1] = (uint64_t)(square >> 64);
    } else if (lane->kind == RIDE_LANE_LABEL && r->program->plan->label_kind == RIDE_LABEL_IN_EVENT) {
        const uint32_t column = (uint32_t)r->program->plan->column_label;
        out[0] = ride_cuda_column_valid(r, column) && ride_cuda_column_i64(r, column) != 0;
    }
}

/* Own words of a lane of values: VALUE is 0 where the event does not count; an identity is there whether it counts or not. */
__device__ static inline void ride_cuda_lane_own(const ride_cuda_row *r, const ride_plan_lane *lane, uint64_t out[2]) {
    out[0] = out[1] = 0;
    if (lane->column < 0) return;
    const uint32_t column = (uint32_t)lane->column;
    if (lane->kind == RIDE_LANE_VALUE && ride_cuda_lane_present(r, lane))
        out[0] = (uint64_t)ride_cuda_column_i64(r, column);
    else if (lane->kind == RIDE_LANE_HASH && ride_cuda_lane_valid(r, lane)) {
        if (r->program->in->columns[column].type == RIDE_TYPE_KEY128) {
            const ride_key128 key =
                ((const ride_key128 *)ride_tile_values_const(r->program->in, r->tile, column))[r->row];
            out[0] = key.lo;
            out[1] = key.hi;
        } else out[0] = (uint64_t)ride_cuda_column_i64(r, column);
    }
}

/* Row `row` of the batch, for one entity. */
__device__ static inline ride_cuda_row ride_cuda_row_make(const ride_cuda_batch *batch, const ride_cuda_entity *entity,
                                                          uint32_t row) {
    ride_cuda_row r;
    ride_key128 key;
    r.program = batch->program;
    r.entity = entity;
    r.tile = ride_cuda_in_tile(batch, row);
    r.row = row % RIDE_TILE_ROWS;
    r.flags = ride_cuda_flags(batch, row);
    r.has_key = ride_cuda_key_of(batch, entity, row, &key);
    r.conditions = batch->conditions + (uint64_t)row * batch->conditions_words;
    r.time_us = ride_cuda_time(batch, row, RIDE_COLUMN_TIME);
    r.clock_us = ride_cuda_time(batch, row, RIDE_COLUMN_CLOCK);
    r.cut_us = ride_time_sub(r.clock_us, entity->plan->retention_us);
    r.sequence = ride_tile_head_const(r.tile)->sequence_first + r.row;
    return r;
}

#endif
