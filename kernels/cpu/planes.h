/* kernels/cpu/planes.h: a forest compiled for the CPU's fast scorers. Trees that are trained on histograms ask few different
 * questions: "is input f at or above t" occurs in many trees, and its answer for a block of rows is one plane of bits, made
 * once; so is a category test. A tree is then a short list of selections between planes that ends in the six to eight bits of its leaf's
 * place, for all rows of the block at once, without a branch; the leaves are looked up in a table and added in tree order.
 *
 * Results are those of kernels/row/tree.h, bit for bit, by construction: a plane holds the outcome of the same comparison.
 *
 *   wide    a plane is one register or its cache line: values become ranks among their thresholds by searches in registers, ranks are cut
 *           into bits, and each plane costs an instruction or two and one store (planes_wide.h)
 *             AVX-512 with VBMI and GFNI: 512 rows a block, or 256, or 128 (planes_wide_avx512.h)
 *             AVX2, and AVX-512 without those: 256 rows a block, of which groups of 32 that are not there cost less (planes_wide_avx2.c)
 *             NEON: 128 rows a block, in groups of 16 (planes_wide_neon.c)
 *   narrow  AVX-512: 64 rows a block, a plane is a word, made by comparing 64 values (planes_narrow_avx512.c)
 *
 * For forests whose thresholds are floats (forest_fold.h makes them so), with at most 256 leaves a tree and sets of at most 480 categories. */
#ifndef RIDE_KERNELS_CPU_PLANES_H
#define RIDE_KERNELS_CPU_PLANES_H
#include "base/error.h"
#include "kernels/cpu/isa.h"
#include "kernels/layout/forest.h"

#include <stdbool.h>

enum {
    RIDE_PLANES_LEAVES_MAX = 256,
    RIDE_PLANES_ROWS = 512,        /* of a call, and of a wide block with AVX-512 */
    RIDE_PLANES_AVX2_ROWS = 256,   /* of a wide block with AVX2 */
    RIDE_PLANES_NEON_ROWS = 128,   /* and with NEON */
    RIDE_PLANES_NARROW_ROWS = 64,  /* of a narrow one */
    RIDE_PLANES_BYTES = 768 << 10, /* of a block's planes at most, so that they stay in the second cache */
};

typedef enum ride_planes_way {
    RIDE_PLANES_ROW = 0, /* each row by itself, all conditions of a tree at once (planes_row.c) */
    RIDE_PLANES_NARROW,
    RIDE_PLANES_SLIM, /* wide, 128 rows a block */
    RIDE_PLANES_HALF, /* 256 */
    RIDE_PLANES_WIDE,
    RIDE_PLANES_WAYS,
} ride_planes_way;

typedef struct ride_planes ride_planes; /* immutable after create: any number of threads */

/* inputs: the tested ones, ascending: the columns of x. *out NULL with RIDE_OK: the forest is not of that kind, or the machine (isa) has no variant; *why says it, static text. Nothing
 * is kept. places: NULL, or room for a byte of each node: of a leaf its place in its tree (ride_planes_places). The caller owns *out. */
ride_status ride_planes_create(const ride_forest *forest, const uint32_t *inputs, uint32_t inputs_count,
                               ride_cpu_isa isa, uint8_t *places, ride_planes **out, const char **why, ride_error *err);
void ride_planes_destroy(ride_planes *planes); /* NULL is fine */

/* Bytes of scratch that one thread needs, 64-byte aligned. */
size_t ride_planes_scratch_bytes(const ride_planes *planes);

bool ride_planes_has(const ride_planes *planes, ride_planes_way way);

/* Cycles that so many rows would take, by counting operations. */
uint64_t ride_planes_cost(const ride_planes *planes, ride_planes_way way, uint32_t rows_count);

/* Margins of 1 … RIDE_PLANES_ROWS rows: row-major, outputs_count a row. x: for each tested input `stride` floats, 64-byte aligned; stride is a
 * multiple of 64, and what lies behind rows_count, up to such a multiple, may be anything that was written. The way must be one that it
 * has. Allocates nothing. */
void ride_planes_rows(const ride_planes *planes, ride_planes_way way, void *scratch, const float *x, uint32_t stride,
                      uint32_t rows_count, double *margins);

/* Which leaves rows come to, instead of their sums, by one of the ways SLIM, HALF and WIDE; for forests of one output. Rows: as above, at most ride_planes_block
 * of them, which is how many a block of the way has. places: trees_count blocks of bytes; the result says where a row's byte is in each. */
const uint16_t *ride_planes_places(const ride_planes *planes, ride_planes_way way, void *scratch, const float *x,
                                   uint32_t stride, uint32_t rows_count, uint8_t *places);
uint32_t ride_planes_block(const ride_planes *planes, ride_planes_way way);

/* One row: its tested inputs one after the other. It must have RIDE_PLANES_ROW. */
void ride_planes_row(const ride_planes *planes, const float *x, double *margins);

/* For reports. */
typedef struct ride_planes_figures {
    uint32_t conditions, selections, heap_planes, leaf_bits;
    size_t bytes;
} ride_planes_figures;
ride_planes_figures ride_planes_tell(const ride_planes *planes);

#endif
