/* kernels/cpu/slab.h: 64-byte lines for the rings, in runs of the ring classes, with a free list per class.
 *
 * Address space is reserved at create and touched as it is used, so growth is page faults, never a call to an allocator.
 * Not thread safe: a slab belongs to one entity of one state. */
#ifndef RIDE_KERNELS_CPU_SLAB_H
#define RIDE_KERNELS_CPU_SLAB_H
#include "base/error.h"
#include "kernels/layout/state_layout.h"

enum { RIDE_SLAB_CLASSES = 128 };

typedef struct ride_slab {
    uint8_t *base; /* line i is at base + 64 i; line 0 is never given out, so 0 means none */
    uint64_t lines_max, lines_used, lines_free;
    uint32_t block_lines;                  /* lines per block */
    uint32_t free_head[RIDE_SLAB_CLASSES]; /* a free run's first word is the next free run */
} ride_slab;

ride_status ride_slab_create(ride_slab *slab, uint64_t bytes_max, uint32_t block_lines, ride_error *err);
void ride_slab_destroy(ride_slab *slab);
/* First line of a run for a ring class; 0 when the slab is full. */
uint32_t ride_slab_take(ride_slab *slab, uint32_t ring_class);
void ride_slab_give(ride_slab *slab, uint32_t line, uint32_t ring_class);
/* Bytes in use by rings. */
static inline uint64_t ride_slab_bytes(const ride_slab *slab) {
    return (slab->lines_used - slab->lines_free) * RIDE_STATE_LINE_BYTES;
}

#endif
