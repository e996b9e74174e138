/* kernels/cuda/keys.cu: the key of each row, for all entities at once (y = entity).
 *
 * Keys lie in an open-addressing table. New ones are made in steps, each a kernel, so that no thread waits for another: rows
 * that enter with an unseen key claim a slot with their own number (rows of one key meet at the same claim, since a claim says where its key
 * can be read), then each claim becomes a record, then all rows look again. */
#include "kernels/cuda/kernels.h"

__device__ static uint64_t slot_tag(uint64_t hash) { return hash >> 33 << 32; } /* 31 bits */
__device__ static uint32_t slot_first(uint64_t hash, uint32_t slots_count) {
    return ride_cuda_slot_first(slot_tag(hash), slots_count);
}

/* Index of the key, or RIDE_CUDA_NO_KEY. */
__device__ static uint32_t key_search(ride_cuda_pool *pool, const ride_cuda_entity *entity,
                                      const ride_cuda_table *table, ride_key128 key) {
    const uint64_t hash = ride_key_hash(key), tag = slot_tag(hash);
    const uint64_t *slots = ride_cuda_slots(pool, table);
    for (uint32_t at = slot_first(hash, table->slots_count);; at = (at + 1) & (table->slots_count - 1)) {
        const uint64_t slot = slots[at];
        if (slot == 0) return RIDE_CUDA_NO_KEY;
        if (slot == RIDE_CUDA_SLOT_GONE || (slot & 0xffffffff00000000ull) != tag) continue;
        const uint32_t index = (uint32_t)slot - 1;
        if (ride_key_equal(ride_cuda_key_at(pool, entity, table, index)->key, key)) return index;
    }
}

/* What is known of the row's key so far. */
__device__ static uint32_t row_search(const ride_cuda_batch *batch, uint32_t e, uint32_t row, uint32_t flags) {
    const ride_cuda_entity *entity = &batch->program->entities[e];
    ride_key128 key;
    const bool has_key = ride_cuda_key_of(batch, entity, row, &key) != 0;
    if ((has_key ? ride_key_vnode(key) : 0) - batch->vnode_first >= batch->vnodes_count) return RIDE_CUDA_KEY_OTHER;
    if ((flags & RIDE_ROW_SKIP) != 0 || !has_key) return RIDE_CUDA_NO_KEY;
    const uint32_t index = key_search(batch->pool, entity, &batch->pool->tables[e], key);
    if (index != RIDE_CUDA_NO_KEY) return index;
    const bool enters = (flags & (RIDE_ROW_ENTERS | RIDE_ROW_LABEL)) == RIDE_ROW_ENTERS;
    return enters ? RIDE_CUDA_KEY_NEW : RIDE_CUDA_KEY_UNSEEN;
}

extern "C" __global__ void ride_keys_find(ride_cuda_batch batch) {
    const uint32_t row = ride_cuda_thread(), e = blockIdx.y;
    if (row >= batch.rows_count || batch.pool->failed != RIDE_OK) return;
    batch.slots[ride_cuda_cell(&batch, e, row)] = row_search(&batch, e, row, ride_cuda_flags(&batch, row));
}

extern "C" __global__ void ride_keys_claim(ride_cuda_batch batch) {
    const uint32_t row = ride_cuda_thread(), e = blockIdx.y;
    if (row >= batch.rows_count || batch.pool->failed != RIDE_OK) return;
    batch.claims[ride_cuda_cell(&batch, e, row)] = RIDE_CUDA_NO_KEY;
    if (batch.slots[ride_cuda_cell(&batch, e, row)] != RIDE_CUDA_KEY_NEW) return;
    const ride_cuda_entity *entity = &batch.program->entities[e];
    ride_cuda_table *table = &batch.pool->tables[e];
    unsigned long long *slots = (unsigned long long *)ride_cuda_slots(batch.pool, table);
    ride_key128 key;
    ride_cuda_key_of(&batch, entity, row, &key);
    uint32_t at = slot_first(ride_key_hash(key), table->slots_count);
    for (;; at = (at + 1) & (table->slots_count - 1)) {
        const unsigned long long found = atomicCAS(&slots[at], 0ull, RIDE_CUDA_SLOT_CLAIM | row);
        if (found == 0) break; /* ours */
        if ((found & RIDE_CUDA_SLOT_CLAIM) == 0) continue;
        ride_key128 other;
        ride_cuda_key_of(&batch, entity, (uint32_t)found, &other);
        if (ride_key_equal(key, other)) return;
    }
    batch.claims[ride_cuda_cell(&batch, e, row)] = at;
    atomicAdd(&table->slots_filled, 1u);
}

/* Index of a free record; RIDE_CUDA_NO_KEY: the memory is out. */
__device__ static uint32_t record_take(ride_cuda_pool *pool, const ride_cuda_entity *entity, ride_cuda_table *table) {
    uint32_t head = atomicOr(&table->keys_free, 0u);
    while (head != 0) {
        ride_cuda_key *key = ride_cuda_key_at(pool, entity, table, head - 1);
        const uint32_t next = atomicOr(&key->next_free, 0u), found = atomicCAS(&table->keys_free, head, next);
        if (found == head) {
            atomicSub(&table->keys_free_count, 1u);
            return head - 1;
        }
        head = found;
    }
    const uint32_t index = atomicAdd(&table->keys_used, 1u);
    return index < table->chunks_count * RIDE_CUDA_CHUNK_KEYS ? index : RIDE_CUDA_NO_KEY;
}

extern "C" __global__ void ride_keys_make(ride_cuda_batch batch) {
    const uint32_t row = ride_cuda_thread(), e = blockIdx.y;
    if (row >= batch.rows_count) return;
    const uint32_t at = batch.claims[ride_cuda_cell(&batch, e, row)];
    if (at == RIDE_CUDA_NO_KEY || ride_cuda_failed(batch.pool)) return;
    const ride_cuda_entity *entity = &batch.program->entities[e];
    ride_cuda_table *table = &batch.pool->tables[e];
    const uint32_t index = record_take(batch.pool, entity, table);
    if (index == RIDE_CUDA_NO_KEY) { /* cannot be: room was made for a key per row */
        atomicExch(&batch.pool->failed, (uint32_t)RIDE_E_MEMORY);
        return;
    }
    ride_cuda_key *key = ride_cuda_key_at(batch.pool, entity, table, index);
    ride_key128 value;
    ride_cuda_key_of(&batch, entity, row, &value);
    key->key = value;
    key->last_us = INT64_MIN;
    key->ring = key->ring_entries = key->first = key->count = 0;
    key->notes = key->notes_count = 0;
    key->is_used = 1;
    key->slot = at;
    for (uint32_t w = 0; w < entity->sums_count; w++) ride_cuda_totals(entity, key)[w] = 0;
    for (uint32_t c = 0; c < entity->chains_count; c++) {
        ride_cuda_chains(entity, key)[c].last_us = INT64_MIN;
        ride_cuda_chains(entity, key)[c].start_us = INT64_MIN;
    }
    ride_cuda_slots(batch.pool, table)[at] = slot_tag(ride_key_hash(value)) | (index + 1);
}

/* Rows whose key was not there look again: a row before them may have made it. */
extern "C" __global__ void ride_keys_resolve(ride_cuda_batch batch) {
    const uint32_t row = ride_cuda_thread(), e = blockIdx.y;
    if (row >= batch.rows_count || batch.pool->failed != RIDE_OK) return;
    uint32_t *slot = &batch.slots[ride_cuda_cell(&batch, e, row)];
    if (*slot != RIDE_CUDA_KEY_NEW && *slot != RIDE_CUDA_KEY_UNSEEN) return;
    *slot = row_search(&batch, e, row, ride_cuda_flags(&batch, row));
    if (*slot == RIDE_CUDA_KEY_UNSEEN) *slot = RIDE_CUDA_NO_KEY;
}

/* Keys that have nothing left that anybody may read give their memory back. */
extern "C" __global__ void ride_keys_sweep(ride_cuda_batch batch) {
    const uint32_t i = ride_cuda_thread(), e = blockIdx.y;
    ride_cuda_pool *pool = batch.pool;
    ride_cuda_table *table = &pool->tables[e];
    if (i == 0 && e == 0) pool->sweep_count = batch.sweep_count;
    const uint32_t index = table->sweep_at + i;
    if (i >= batch.sweep_count || index >= table->keys_used || pool->failed != RIDE_OK) return;
    if (index >= table->chunks_count * RIDE_CUDA_CHUNK_KEYS) return;
    const ride_cuda_entity *entity = &batch.program->entities[e];
    ride_cuda_key *key = ride_cuda_key_at(pool, entity, table, index);
    if (!key->is_used) return;
    if (key->last_us >= ride_time_sub(pool->clock_us, entity->plan->retention_us)) return;
    ride_cuda_slots(pool, table)[key->slot] = RIDE_CUDA_SLOT_GONE;
    ride_cuda_give(pool, key->ring);
    ride_cuda_give(pool, key->notes);
    atomicAdd(&pool->evicted_entries, (unsigned long long)key->count);
    key->is_used = 0;
    uint32_t head = atomicOr(&table->keys_free, 0u), found;
    for (;;) {
        atomicExch(&key->next_free, head);
        __threadfence();
        found = atomicCAS(&table->keys_free, head, index + 1);
        if (found == head) break;
        head = found;
    }
    atomicAdd(&table->keys_free_count, 1u);
}
