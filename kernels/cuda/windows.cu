/* kernels/cuda/windows.cu: the windows of a batch: all rows of a key by one thread, in order of arrival, so every kind of row
 * (late ones, labels, ties) means what it means one after the other. y = entity.
 *
 * Rows come sorted by key. A busy key is worked by one thread alone: plain, and as slow as its rows are many. */
#include "kernels/cuda/enter.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/window.h"

/* Writes the aggregates of one event, those with peers or those without. */
__device__ static void aggregates_write(const ride_cuda_batch *batch, const ride_cuda_reader *r, uint32_t row,
                                        bool peers) {
    const ride_cuda_program *p = batch->program;
    const ride_cuda_entity *entity = r->row.entity;
    uint8_t *out = ride_cuda_out_tile(batch, row);
    uint32_t overflow = 0;
    for (uint32_t i = 0; i < entity->plan->aggregates_count; i++) {
        const ride_plan_aggregate *a = &entity->aggregates[i];
        if ((a->peers != 0) != peers) continue;
        ((double *)ride_tile_values(p->out, out, a->feature))[r->row.row] = ride_cuda_aggregate(r, a, &overflow);
    }
    const bool old = ride_time_sub(r->row.time_us, entity->plan->need_us) < r->row.cut_us;
    if (overflow || (r->row.has_key && entity->plan->aggregates_count > 0 && old))
        atomicOr(&((uint32_t *)ride_tile_values(p->out, out, p->plan->features_count + RIDE_OUT_FLAGS))[r->row.row],
                 (uint32_t)RIDE_OUT_APPROX);
}

__device__ static void reader_open(ride_cuda_reader *r, const ride_cuda_batch *batch, const ride_cuda_entity *entity,
                                   uint32_t row, ride_cuda_key *key, int64_t own_at) {
    r->pool = batch->pool;
    r->row = ride_cuda_row_make(batch, entity, row);
    r->key = key;
    r->own_at = own_at;
}

/* One row of the key (NULL: of none): reads, then enters. Returns 1 when it entered. */
__device__ static uint32_t row_work(const ride_cuda_batch *batch, const ride_cuda_entity *entity, uint32_t row,
                                    ride_cuda_key *key) {
    ride_cuda_reader r;
    reader_open(&r, batch, entity, row, key, -1);
    if ((r.row.flags & RIDE_ROW_SKIP) != 0) return 0;
    if ((r.row.flags & RIDE_ROW_LABEL) != 0) {
        if (key != NULL) ride_cuda_label(batch->pool, &r.row, key);
        return 0;
    }
    ride_cuda_reader_find(&r);
    aggregates_write(batch, &r, row, false);
    if (key == NULL || (r.row.flags & RIDE_ROW_ENTERS) == 0 || r.row.time_us <= r.row.cut_us) return 0;
    ride_cuda_enter(batch->pool, &r.row, key);
    return 1;
}

/* What peers windows of a row read, now that its whole group is in state. own_at: position of its entry, -1 = it has none. */
__device__ static void row_peers(const ride_cuda_batch *batch, const ride_cuda_entity *entity, uint32_t row,
                                 ride_cuda_key *key, int64_t own_at) {
    ride_cuda_reader r;
    reader_open(&r, batch, entity, row, key, own_at);
    if ((r.row.flags & (RIDE_ROW_SKIP | RIDE_ROW_LABEL)) != 0) return;
    ride_cuda_reader_find(&r);
    aggregates_write(batch, &r, row, true);
}

__device__ static bool row_enters(const ride_cuda_batch *batch, const ride_cuda_entity *entity, uint32_t row) {
    const uint32_t flags = ride_cuda_flags(batch, row);
    return (flags & (RIDE_ROW_ENTERS | RIDE_ROW_LABEL | RIDE_ROW_SKIP)) == RIDE_ROW_ENTERS &&
           ride_cuda_time(batch, row, RIDE_COLUMN_TIME) >
               ride_time_sub(ride_cuda_time(batch, row, RIDE_COLUMN_CLOCK), entity->plan->retention_us);
}

/* The rows [first, end) of the sorted list: one key's, one timestamp group's, all in state. Those that entered are the newest entries of
 * that time, in their order. */
__device__ static void group_peers(const ride_cuda_batch *batch, const ride_cuda_entity *entity,
                                   const uint32_t *sorted_rows, uint32_t first, uint32_t end, uint32_t entered,
                                   ride_cuda_key *key) {
    for (uint32_t i = first; i < end; i++) {
        const uint32_t row = sorted_rows[i];
        int64_t own_at = -1;
        if (key != NULL && row_enters(batch, entity, row)) {
            const int64_t time_us = ride_cuda_time(batch, row, RIDE_COLUMN_TIME);
            own_at = (int64_t)ride_cuda_passed(batch->pool, entity, key, time_us) - entered--;
        }
        row_peers(batch, entity, row, key, own_at);
    }
}

extern "C" __global__ void ride_windows_apply(ride_cuda_batch batch) {
    const uint32_t i = ride_cuda_thread(), e = blockIdx.y;
    if (i >= batch.rows_count) return;
    const ride_cuda_entity *entity = &batch.program->entities[e];
    const uint32_t *slots = batch.sorted_slots + (uint64_t)e * batch.rows_max,
                   *rows = batch.sorted_rows + (uint64_t)e * batch.rows_max;
    const uint32_t slot = slots[i];
    if (slot == RIDE_CUDA_KEY_OTHER) return;
    if (slot != RIDE_CUDA_NO_KEY && i > 0 && slots[i - 1] == slot) return; /* another thread's */
    if (ride_cuda_failed(batch.pool)) return;
    if (slot == RIDE_CUDA_NO_KEY) {
        row_work(&batch, entity, rows[i], NULL);
        if (entity->any_peers) row_peers(&batch, entity, rows[i], NULL, -1);
        return;
    }
    ride_cuda_key *key = ride_cuda_key_at(batch.pool, entity, &batch.pool->tables[e], slot);
    for (uint32_t next = i; next < batch.rows_count && slots[next] == slot;) {
        const uint32_t first = next, group = entity->any_peers ? batch.groups[rows[first]] : 0;
        uint32_t entered = 0;
        for (; next < batch.rows_count && slots[next] == slot; next++) {
            if (entity->any_peers && batch.groups[rows[next]] != group) break;
            entered += row_work(&batch, entity, rows[next], key);
        }
        if (entity->any_peers) group_peers(&batch, entity, rows, first, next, entered, key);
    }
}
