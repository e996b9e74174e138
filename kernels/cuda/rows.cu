/* kernels/cuda/rows.cu: what happens in front of the keys: memory that was given back, room for new keys, and what a row says
 * about itself. */
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/run.h"
#include "ride/backend.h"

enum { PREPARE_THREADS = 256 };

/* Moves the blocks that were given back to the lists that are taken from; the sweep goes on where it stopped. */
extern "C" __global__ void ride_state_begin(ride_cuda_batch batch) {
    ride_cuda_pool *pool = batch.pool;
    const uint32_t c = threadIdx.x;
    if (c < RIDE_CUDA_CLASSES && pool->returned_head[c] != 0) {
        ride_cuda_block *tail = (ride_cuda_block *)ride_cuda_line(pool, pool->returned_tail[c]);
        tail->next = pool->free_head[c];
        pool->free_head[c] = pool->returned_head[c];
        pool->returned_head[c] = pool->returned_tail[c] = 0;
    }
    if (c < pool->entities_count) {
        ride_cuda_table *table = &pool->tables[c];
        const uint64_t next = (uint64_t)table->sweep_at + pool->sweep_count;
        table->sweep_at = next < table->keys_used ? (uint32_t)next : 0;
    }
    if (c == 0 && batch.many_clocks) pool->clock_us = batch.expire_us;
    if (c == 0) pool->clock_before_us = pool->clock_us;
}

/* A table's slots written anew into a bigger block, without the removed ones. All threads of the block. */
__device__ static void slots_rewrite(ride_cuda_pool *pool, const ride_cuda_entity *entity, ride_cuda_table *table,
                                     uint32_t slots_count, uint32_t block_line) {
    uint64_t *to = (uint64_t *)(ride_cuda_line(pool, block_line) + RIDE_CUDA_LINE_BYTES);
    const uint64_t *from = ride_cuda_slots(pool, table);
    for (uint32_t i = threadIdx.x; i < slots_count; i += blockDim.x) to[i] = 0;
    __syncthreads();
    for (uint32_t i = threadIdx.x; i < table->slots_count; i += blockDim.x) {
        const uint64_t slot = from[i];
        if (slot == 0 || slot == RIDE_CUDA_SLOT_GONE) continue;
        uint32_t at = ride_cuda_slot_first(slot, slots_count);
        while (atomicCAS((unsigned long long *)&to[at], 0ull, (unsigned long long)slot) != 0)
            at = (at + 1) & (slots_count - 1);
        ride_cuda_key_at(pool, entity, table, (uint32_t)slot - 1)->slot = at;
    }
    __syncthreads();
}

/* As many keys may come as the batch has rows: their records and slots are there before the first is looked for. */
extern "C" __global__ void ride_state_prepare(ride_cuda_batch batch) {
    __shared__ uint32_t slots_count, block_line;
    ride_cuda_pool *pool = batch.pool;
    ride_cuda_table *table = &pool->tables[blockIdx.x];
    const ride_cuda_entity *entity = &batch.program->entities[blockIdx.x];
    if (threadIdx.x == 0) {
        uint32_t *directory = (uint32_t *)ride_cuda_line(pool, table->directory);
        while ((uint64_t)table->chunks_count * RIDE_CUDA_CHUNK_KEYS <
                   (uint64_t)table->keys_used - table->keys_free_count + batch.rows_count &&
               !ride_cuda_failed(pool)) {
            const uint32_t chunk = table->chunks_count < RIDE_CUDA_CHUNKS_MAX
                                       ? ride_cuda_take_lines(pool, ride_cuda_chunk_lines(entity))
                                       : 0;
            if (chunk == 0) atomicExch(&pool->failed, (uint32_t)RIDE_E_MEMORY);
            else directory[table->chunks_count++] = chunk;
        }
        const uint64_t keys = (uint64_t)table->keys_used - table->keys_free_count + batch.rows_count;
        slots_count = 0;
        block_line = 0;
        if (2 * ((uint64_t)table->slots_filled + batch.rows_count) > table->slots_count && !ride_cuda_failed(pool)) {
            slots_count = 1024;
            while (slots_count < 4 * keys) slots_count *= 2;
            block_line = ride_cuda_take(pool, ride_cuda_slots_class(slots_count));
        }
    }
    __syncthreads();
    if (block_line == 0) return;
    slots_rewrite(pool, entity, table, slots_count, block_line);
    if (threadIdx.x != 0) return;
    ride_cuda_give(pool, table->slots);
    table->slots = block_line;
    table->slots_count = slots_count;
    table->slots_filled = table->keys_used - table->keys_free_count;
}

extern "C" __global__ void ride_rows_begin(ride_cuda_batch batch) {
    const uint32_t row = ride_cuda_thread(), tile_row = row % RIDE_TILE_ROWS;
    if (row >= batch.rows_count) return;
    const ride_cuda_program *p = batch.program;
    uint8_t *out = ride_cuda_out_tile(&batch, row);
    if (tile_row == 0) *ride_tile_head(out) = *ride_tile_head_const(ride_cuda_in_tile(&batch, row));
    batch.rows[row] = row;
    if (batch.pool == NULL) return;
    if (batch.vnodes_count == RIDE_VNODES) /* a part's are added to those of the others */
        ((uint32_t *)ride_tile_values(p->out, out, p->plan->features_count + RIDE_OUT_FLAGS))[tile_row] = 0;
    const uint32_t flags = ride_cuda_flags(&batch, row);
    if ((flags & RIDE_ROW_LABEL) == 0 && !batch.many_clocks)
        atomicMax(&batch.pool->clock_us, (long long)ride_cuda_time(&batch, row, RIDE_COLUMN_CLOCK));
    if ((flags & (RIDE_ROW_LABEL | RIDE_ROW_SKIP)) != 0) return;
    uint64_t *conditions = batch.conditions + (uint64_t)row * batch.conditions_words;
    for (uint32_t w = 0; w < batch.conditions_words; w++) conditions[w] = 0;
    for (uint32_t c = 0; c < p->plan->conditions_count; c++) {
        if (ride_expr_is_true(ride_cuda_run(&batch, &p->programs[p->conditions[c].program], row)))
            conditions[c / 64] |= UINT64_C(1) << (c % 64);
    }
}

enum { GROUP_THREADS = 256 };

/* A group ends with a row flagged PEERS; each thread counts the ends of a piece, then numbers its rows. */
extern "C" __global__ void ride_rows_group(ride_cuda_batch batch) {
    __shared__ uint32_t ends[GROUP_THREADS];
    const uint32_t piece = (batch.rows_count + GROUP_THREADS - 1) / GROUP_THREADS, first = threadIdx.x * piece;
    const uint32_t end = first + piece < batch.rows_count ? first + piece : batch.rows_count;
    uint32_t count = 0;
    for (uint32_t row = first; row < end; row++) count += (ride_cuda_flags(&batch, row) & RIDE_ROW_PEERS) != 0;
    ends[threadIdx.x] = count;
    __syncthreads();
    uint32_t group = 0;
    for (uint32_t t = 0; t < threadIdx.x; t++) group += ends[t];
    for (uint32_t row = first; row < end; row++) {
        batch.groups[row] = group;
        group += (ride_cuda_flags(&batch, row) & RIDE_ROW_PEERS) != 0;
    }
}
