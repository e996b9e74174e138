/* kernels/cpu/scratch.h: a caller's scratch memory divided into parts that begin at lines. */
#ifndef RIDE_KERNELS_CPU_SCRATCH_H
#define RIDE_KERNELS_CPU_SCRATCH_H
#include <stddef.h>
#include <stdint.h>

static inline size_t ride_whole_lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

/* The next part of so many bytes; *used grows. base: where the scratch begins; NULL: only how much it takes is asked, and the part is NULL. */
static inline void *ride_scratch_take(size_t *used, uint8_t *base, size_t bytes) {
    uint8_t *at = base != NULL ? base + *used : NULL;
    *used += ride_whole_lines(bytes);
    return at;
}

#endif
