/* kernels/cuda/state.cu: a state is one allocation on its device. How much: what the plan expects its keys to need, half of what
 * the device has left (of a part of the vnodes: its share of either), or the limit that was given; less than the keys need is refused with
 * the arithmetic. */
#include "kernels/cuda/host.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/launch.h"

#include <stdlib.h>
#include <string.h>

enum { COUNT_THREADS = 256 };

extern "C" __global__ void ride_state_count(const ride_cuda_program *program, ride_cuda_pool *pool,
                                            unsigned long long *out) {
    const uint32_t e = blockIdx.x;
    const ride_cuda_entity *entity = &program->entities[e];
    const ride_cuda_table *table = &pool->tables[e];
    unsigned long long keys = 0, entries = 0;
    for (uint32_t i = threadIdx.x; i < table->keys_used; i += blockDim.x) {
        const ride_cuda_key *key = ride_cuda_key_at(pool, entity, table, i);
        if (!key->is_used) continue;
        keys++;
        entries += key->count;
    }
    atomicAdd(&out[2 * e], keys);
    atomicAdd(&out[2 * e + 1], entries);
}

static uint64_t lines_of(uint64_t bytes) { return (bytes + RIDE_CUDA_LINE_BYTES - 1) / RIDE_CUDA_LINE_BYTES; }

static uint64_t keys_expected(const ride_cuda_entity *entity, const ride_state_options *options) {
    const uint64_t share = entity->plan->expected_keys < UINT64_MAX / RIDE_VNODES
                               ? entity->plan->expected_keys * options->vnodes_count / RIDE_VNODES
                               : entity->plan->expected_keys;
    const uint64_t keys = options->reserve_keys != 0 ? options->reserve_keys : share;
    const uint64_t least = RIDE_CUDA_CHUNK_KEYS, most = UINT64_C(1) << 40; /* bytes of 64 entities fit in 64 bits */
    return keys < least ? least : keys < most ? keys : most;
}

static uint32_t slots_for(uint64_t keys) {
    uint32_t slots = 1024;
    while (slots < 2 * keys && slots < (UINT32_C(1) << 31)) slots *= 2;
    return slots;
}

/* Of one key with a few entries. */
static uint64_t key_bytes(const ride_cuda_entity *entity) {
    const uint32_t ring = ride_cuda_class_of((uint64_t)RIDE_CUDA_RING_ENTRIES_MIN * entity->entry_words * 8);
    return entity->key_bytes + ((uint64_t)RIDE_CUDA_LINE_BYTES << ring);
}

static uint64_t entity_bytes(const ride_cuda_entity *entity, const ride_state_options *options) {
    const uint64_t keys = keys_expected(entity, options);
    const uint64_t slots = (uint64_t)RIDE_CUDA_LINE_BYTES << ride_cuda_slots_class(slots_for(keys));
    return keys * key_bytes(entity) + slots + 4 * RIDE_CUDA_CHUNKS_MAX +
           ride_cuda_chunk_lines(entity) * RIDE_CUDA_LINE_BYTES;
}

static ride_status too_small(const ride_program_dev *program, const ride_state_options *options, uint64_t need,
                             uint64_t room, const char *room_of, ride_error *err) {
    const ride_plan_header *plan = program->bundle.plan;
    uint32_t largest = 0;
    for (uint32_t e = 1; e < plan->entities_count; e++)
        if (entity_bytes(&program->entities[e], options) > entity_bytes(&program->entities[largest], options))
            largest = e;
    const ride_cuda_entity *entity = &program->entities[largest];
    ride_fail(err, RIDE_E_MEMORY, "the state needs %.1f MB (%s: %llu keys x %llu bytes), %s %.1f MB",
              (double)need / 1e6, ride_bundle_string(&program->bundle, entity->plan->name_offset),
              (unsigned long long)keys_expected(entity, options),
              (unsigned long long)(entity_bytes(entity, options) / keys_expected(entity, options)), room_of,
              (double)room / 1e6);
    ride_error_advice(err, "lower expected_keys, or use another device");
    return RIDE_E_MEMORY;
}

static ride_status keys_check(const ride_state *state, ride_error *err) {
    const ride_program_dev *program = state->program;
    const uint64_t most = (uint64_t)RIDE_CUDA_CHUNKS_MAX * RIDE_CUDA_CHUNK_KEYS;
    for (uint32_t e = 0; e < program->bundle.plan->entities_count; e++) {
        const ride_cuda_entity *entity = &program->entities[e];
        const uint64_t keys = keys_expected(entity, &state->options);
        if (keys <= most) continue;
        ride_fail(err, RIDE_E_UNSUPPORTED, "%s expects %llu keys, the cuda backend holds %llu of an entity",
                  ride_bundle_string(&program->bundle, entity->plan->name_offset), (unsigned long long)keys,
                  (unsigned long long)most);
        ride_error_advice(err, "lower expected_keys, or use the cpu backend");
        return RIDE_E_UNSUPPORTED;
    }
    return RIDE_OK;
}

static ride_status pool_size(ride_state *state, ride_error *err) {
    const ride_program_dev *program = state->program;
    const ride_state_options *options = &state->options;
    size_t free_bytes = 0, total = 0;
    uint64_t need = sizeof(ride_cuda_pool) + RIDE_CUDA_LINE_BYTES;
    for (uint32_t e = 0; e < program->bundle.plan->entities_count; e++)
        need += entity_bytes(&program->entities[e], options);
    RIDE_TRY(ride_cuda_told(program->device, cudaMemGetInfo(&free_bytes, &total),
                            "the GPU does not tell its free memory", err));
    const uint64_t half = free_bytes / 2 / RIDE_VNODES * options->vnodes_count; /* of a part: its share of it */
    uint64_t bytes = need > half ? need : half;
    const uint64_t limit = options->memory_bytes_max;
    if (limit != 0 && limit < need) return too_small(program, options, need, limit, "the limit is", err);
    if (limit != 0 && limit <= free_bytes) bytes = limit; /* one that is beyond the GPU's is none */
    if (bytes > free_bytes) return too_small(program, options, need, free_bytes, "the GPU has free", err);
    RIDE_TRY(keys_check(state, err));
    const uint64_t most = (uint64_t)UINT32_MAX * RIDE_CUDA_LINE_BYTES;
    state->pool_bytes = bytes < most ? bytes / RIDE_CUDA_LINE_BYTES * RIDE_CUDA_LINE_BYTES : most;
    return RIDE_OK;
}

/* Control block, directories, empty slots. */
static ride_status pool_fill(ride_state *state, ride_error *err) {
    const ride_program_dev *program = state->program;
    ride_device *device = program->device;
    ride_cuda_pool *pool = (ride_cuda_pool *)calloc(1, sizeof *pool);
    if (pool == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a state");
    ride_status st = RIDE_OK;
    pool->lines_max = state->pool_bytes / RIDE_CUDA_LINE_BYTES;
    pool->lines_used = lines_of(sizeof *pool);
    pool->clock_us = pool->clock_before_us = INT64_MIN;
    pool->entities_count = program->bundle.plan->entities_count;
    for (uint32_t e = 0; e < pool->entities_count && st == RIDE_OK; e++) {
        ride_cuda_table *table = &pool->tables[e];
        table->slots_count = slots_for(keys_expected(&program->entities[e], &state->options));
        const uint32_t slots_class = ride_cuda_slots_class(table->slots_count);
        table->slots = (uint32_t)pool->lines_used;
        pool->lines_used += UINT64_C(1) << slots_class;
        table->directory = (uint32_t)pool->lines_used;
        pool->lines_used += lines_of(4 * RIDE_CUDA_CHUNKS_MAX);
        if (pool->lines_used > pool->lines_max)
            st = too_small(program, &state->options, pool->lines_used * RIDE_CUDA_LINE_BYTES, state->pool_bytes,
                           "the limit is", err);
        const size_t bytes = (size_t)RIDE_CUDA_LINE_BYTES << slots_class;
        uint8_t *slots = ride_cuda_line(state->pool, table->slots);
        const ride_cuda_block head = {0, slots_class, 0};
        if (st == RIDE_OK) st = ride_cuda_clear(device, slots, bytes, "a state could not be cleared", err);
        if (st == RIDE_OK) st = ride_cuda_put(device, slots, &head, sizeof head, "a state could not be made", err);
    }
    if (st == RIDE_OK) st = ride_cuda_put(device, state->pool, pool, sizeof *pool, "a state could not be made", err);
    free(pool);
    return st;
}

ride_status ride_cuda_state_create(ride_device *device, const ride_program_dev *program,
                                   const ride_state_options *options, ride_state **out, ride_error *err) {
    RIDE_TRY(ride_cuda_use(device, err));
    ride_state *state = (ride_state *)calloc(1, sizeof *state);
    if (state == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a state");
    state->program = program;
    state->options = *options;
    ride_status st = pool_size(state, err);
    if (st == RIDE_OK)
        st = ride_cuda_told(device, cudaMalloc((void **)&state->pool, state->pool_bytes), "no GPU memory for a state",
                            err);
    if (st == RIDE_OK) st = pool_fill(state, err);
    if (st != RIDE_OK) {
        ride_cuda_state_destroy(state);
        return st;
    }
    *out = state;
    return RIDE_OK;
}

void ride_cuda_state_destroy(ride_state *state) {
    if (state == NULL) return;
    ride_cuda_free(state->program->device, state->pool);
    free(state);
}

static cudaError_t stats_read(const ride_state *state, ride_cuda_pool *pool, unsigned long long *counts,
                              unsigned long long *on_device) {
    const size_t bytes = 2 * RIDE_CUDA_ENTITIES_MAX * sizeof *counts;
    const uint32_t entities = state->program->bundle.plan->entities_count;
    cudaError_t code = cudaMemset(on_device, 0, bytes);
    if (code == cudaSuccess && entities > 0)
        code = ride_cuda_launch(NULL, "ride_state_count", ride_state_count, (uint64_t)entities * COUNT_THREADS, 1,
                                COUNT_THREADS, state->program->view, state->pool, on_device);
    if (code == cudaSuccess) code = cudaMemcpy(counts, on_device, bytes, cudaMemcpyDeviceToHost);
    if (code == cudaSuccess) code = cudaMemcpy(pool, state->pool, sizeof *pool, cudaMemcpyDeviceToHost);
    return code;
}

void ride_cuda_state_stats(const ride_state *state, ride_state_stats *out) {
    unsigned long long counts[2 * RIDE_CUDA_ENTITIES_MAX], *on_device = NULL;
    ride_device *device = state->program->device;
    memset(out, 0, sizeof *out);
    ride_cuda_pool *pool = (ride_cuda_pool *)malloc(sizeof *pool);
    if (pool == NULL || ride_cuda_use(device, NULL) != RIDE_OK) {
        free(pool);
        return;
    }
    cudaError_t code = cudaMalloc((void **)&on_device, sizeof counts);
    if (code == cudaSuccess) code = stats_read(state, pool, counts, on_device);
    if (ride_cuda_told(device, code, "a state could not be counted", NULL) == RIDE_OK) {
        for (uint32_t e = 0; e < pool->entities_count; e++) {
            out->keys += counts[2 * e];
            out->entries += counts[2 * e + 1];
        }
        out->bytes = (pool->lines_used - pool->lines_free) * RIDE_CUDA_LINE_BYTES;
        out->evicted_entries = pool->evicted_entries;
        out->late_inserts = pool->late_inserts;
    }
    ride_cuda_free(device, on_device);
    free(pool);
}
