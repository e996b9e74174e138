/* kernels/cpu/slab.c */
#include "kernels/cpu/slab.h"

#include "base/assert.h"
#include "base/huge.h"

#include <string.h>

ride_status ride_slab_create(ride_slab *slab, uint64_t bytes_max, uint32_t block_lines, ride_error *err) {
    memset(slab, 0, sizeof *slab);
    slab->lines_max = bytes_max / RIDE_STATE_LINE_BYTES;
    if (slab->lines_max > UINT32_MAX) slab->lines_max = UINT32_MAX;
    slab->block_lines = block_lines;
    slab->lines_used = 1;
    return ride_huge_alloc(slab->lines_max * RIDE_STATE_LINE_BYTES, (void **)&slab->base, err);
}

void ride_slab_destroy(ride_slab *slab) {
    ride_huge_free(slab->base, slab->lines_max * RIDE_STATE_LINE_BYTES);
    slab->base = NULL;
}

uint32_t ride_slab_take(ride_slab *slab, uint32_t ring_class) {
    RIDE_ASSERT(ring_class < RIDE_SLAB_CLASSES);
    uint64_t lines = (uint64_t)ride_state_ring_blocks(ring_class) * slab->block_lines;
    uint32_t line = slab->free_head[ring_class];
    if (line != 0) {
        memcpy(&slab->free_head[ring_class], slab->base + (uint64_t)line * RIDE_STATE_LINE_BYTES, sizeof line);
        slab->lines_free -= lines;
        return line;
    }
    if (slab->lines_used + lines > slab->lines_max) return 0;
    line = (uint32_t)slab->lines_used;
    slab->lines_used += lines;
    return line;
}

void ride_slab_give(ride_slab *slab, uint32_t line, uint32_t ring_class) {
    if (line == 0) return;
    memcpy(slab->base + (uint64_t)line * RIDE_STATE_LINE_BYTES, &slab->free_head[ring_class], sizeof line);
    slab->free_head[ring_class] = line;
    slab->lines_free += (uint64_t)ride_state_ring_blocks(ring_class) * slab->block_lines;
}
