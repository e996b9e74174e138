/* kernels/cuda/pool.h: the memory of one state on a device: one allocation, cut into blocks of 64-byte lines.
 *
 * A block has a power of two of lines (its class) and begins with a head of 16 bytes that is the pool's. Blocks are taken by
 * many threads at once: from the free list of the class, else from the unused end. A block that is given back goes to another
 * list, and only `ride_state_begin`, in front of every batch, moves those over: within a kernel a list is either taken from or given to,
 * so that a compare-and-swap on its head is enough (no ABA). Links are only touched by atomics.
 *
 * Everything inside is named by line number, so the whole pool can be copied to the host, read, changed and copied back. */
#ifndef RIDE_KERNELS_CUDA_POOL_H
#define RIDE_KERNELS_CUDA_POOL_H
#include "base/error.h"
#include "kernels/cuda/cuda.h"
#include "kernels/row/window.h"

enum {
    RIDE_CUDA_LINE_BYTES = 64,
    RIDE_CUDA_CLASSES = 32,
    RIDE_CUDA_BLOCK_HEAD = 16,
    RIDE_CUDA_CHUNK_KEYS = 1024,   /* keys are laid out in chunks of so many records */
    RIDE_CUDA_CHUNKS_MAX = 1 << 16 /* of one entity */
};

typedef struct ride_cuda_block {
    uint32_t next; /* of a list: line, 0 = end */
    uint32_t block_class;
    uint64_t reserved;
} ride_cuda_block;

/* Keys of one entity. Slots are 8 bytes: 0 empty, RIDE_CUDA_SLOT_GONE removed, a claim by a row of the running batch (top bit,
 * row), else the upper half of the key's hash (31 bits) and index + 1. */
typedef struct ride_cuda_table {
    uint32_t slots;        /* block */
    uint32_t slots_count;  /* power of two */
    uint32_t slots_filled; /* not empty: keys and removed ones */
    uint32_t keys_used;    /* indexes given out so far */
    uint32_t keys_free;    /* head of the free ones: index + 1 */
    uint32_t keys_free_count;
    uint32_t chunks_count;
    uint32_t sweep_at;
    uint32_t directory; /* lines: uint32_t[RIDE_CUDA_CHUNKS_MAX], the line of each chunk */
    uint32_t reserved;
} ride_cuda_table;

enum { RIDE_CUDA_ENTITIES_MAX = 64 };

/* At the beginning of the pool. */
typedef struct ride_cuda_pool {
    unsigned long long lines_used; /* may pass lines_max when the memory is out */
    uint64_t lines_max;
    uint32_t free_head[RIDE_CUDA_CLASSES];
    uint32_t returned_head[RIDE_CUDA_CLASSES], returned_tail[RIDE_CUDA_CLASSES];
    unsigned long long lines_free; /* in the lists */
    long long clock_us;            /* greatest clock of a row so far, or what the host says of many; INT64_MIN: none */
    long long clock_before_us;     /* the same in front of the running batch */
    unsigned long long evicted_entries, late_inserts;
    uint32_t failed; /* ride_status: RIDE_E_MEMORY once a block could not be taken; nothing is worked after it */
    uint32_t entities_count;
    uint32_t sweep_count; /* keys that a sweep looked at last */
    uint32_t reserved;
    ride_cuda_table tables[RIDE_CUDA_ENTITIES_MAX];
} ride_cuda_pool;

static const uint64_t RIDE_CUDA_SLOT_GONE = 0x00000000ffffffffull;
static const uint64_t RIDE_CUDA_SLOT_CLAIM = 0x8000000000000000ull;

RIDE_HD static inline uint8_t *ride_cuda_line(ride_cuda_pool *pool, uint64_t line) {
    return (uint8_t *)pool + line * RIDE_CUDA_LINE_BYTES;
}
RIDE_HD static inline const uint8_t *ride_cuda_line(const ride_cuda_pool *pool, uint64_t line) {
    return (const uint8_t *)pool + line * RIDE_CUDA_LINE_BYTES;
}
RIDE_HD static inline uint64_t *ride_cuda_slots(ride_cuda_pool *pool, const ride_cuda_table *table) {
    return (uint64_t *)(ride_cuda_line(pool, table->slots) + RIDE_CUDA_LINE_BYTES);
}
/* The first slot of a key, from the upper half of its slot (31 bits of its hash). Mixed once more: keys that are multiples of a large
 * power of two differ in the upper of those bits only. */
RIDE_HD static inline uint32_t ride_cuda_slot_first(uint64_t slot, uint32_t slots_count) {
    const uint32_t mixed = (uint32_t)(slot >> 32) * 0x9e3779b1u; /* 2^32 / golden ratio */
    return (mixed ^ mixed >> 15) & (slots_count - 1);
}
/* Smallest class whose block holds so many bytes beside its head. */
RIDE_HD static inline uint32_t ride_cuda_class_of(uint64_t bytes) {
    uint32_t block_class = 0;
    while (((uint64_t)RIDE_CUDA_LINE_BYTES << block_class) - RIDE_CUDA_BLOCK_HEAD < bytes) block_class++;
    return block_class;
}
/* Lines of a table's slots: a line for the head, then 8 bytes per slot. */
RIDE_HD static inline uint32_t ride_cuda_slots_class(uint32_t slots_count) {
    return ride_cuda_class_of((uint64_t)slots_count * 8 + RIDE_CUDA_LINE_BYTES);
}

/* ---- device only ---- */

/* Whether the state has failed, in a kernel whose own threads may find that the memory is out. */
__device__ static inline bool ride_cuda_failed(ride_cuda_pool *pool) { return atomicOr(&pool->failed, 0u) != RIDE_OK; }

/* `lines` from the unused end; 0 when there are none: the state has failed then. */
__device__ static inline uint32_t ride_cuda_take_lines(ride_cuda_pool *pool, uint64_t lines) {
    const unsigned long long at = atomicAdd(&pool->lines_used, (unsigned long long)lines);
    if (at + lines <= pool->lines_max) return (uint32_t)at;
    atomicExch(&pool->failed, (uint32_t)RIDE_E_MEMORY);
    return 0;
}

/* Takes the head of a list of blocks. */
__device__ static inline uint32_t ride_cuda_pop(ride_cuda_pool *pool, uint32_t *head) {
    uint32_t line = atomicOr(head, 0u);
    while (line != 0) {
        ride_cuda_block *block = (ride_cuda_block *)ride_cuda_line(pool, line);
        const uint32_t next = atomicOr(&block->next, 0u), found = atomicCAS(head, line, next);
        if (found == line) return line;
        line = found;
    }
    return 0;
}

/* A block of the class; 0 when there is none: the state has failed then. */
__device__ static inline uint32_t ride_cuda_take(ride_cuda_pool *pool, uint32_t block_class) {
    if (block_class >= RIDE_CUDA_CLASSES) {
        atomicExch(&pool->failed, (uint32_t)RIDE_E_MEMORY);
        return 0;
    }
    uint32_t line = ride_cuda_pop(pool, &pool->free_head[block_class]);
    if (line != 0) {
        atomicAdd(&pool->lines_free, 0ull - (1ull << block_class));
        return line;
    }
    line = ride_cuda_take_lines(pool, UINT64_C(1) << block_class);
    if (line != 0) ((ride_cuda_block *)ride_cuda_line(pool, line))->block_class = block_class;
    return line;
}

/* Usable from the next batch on. line 0: nothing. */
__device__ static inline void ride_cuda_give(ride_cuda_pool *pool, uint32_t line) {
    if (line == 0) return;
    ride_cuda_block *block = (ride_cuda_block *)ride_cuda_line(pool, line);
    const uint32_t block_class = block->block_class;
    uint32_t head = atomicOr(&pool->returned_head[block_class], 0u), found;
    for (;;) {
        atomicExch(&block->next, head);
        __threadfence();
        found = atomicCAS(&pool->returned_head[block_class], head, line);
        if (found == head) break;
        head = found;
    }
    if (head == 0) atomicExch(&pool->returned_tail[block_class], line);
    atomicAdd(&pool->lines_free, 1ull << block_class);
}

#endif
