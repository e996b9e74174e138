/* kernels/cpu/forest_crown.h: the top of deep trees by planes (planes.h), the rest by walks (forest_lanes.h). Deep trees have too many leaves for planes, but
 * their first six levels are trees of 64 leaves, which planes take for 512 rows at once; a row's walk begins at the node that it came to. A third
 * of the steps of a tree that is twenty deep are saved so. Private to the engine. */
#ifndef RIDE_KERNELS_CPU_FOREST_CROWN_H
#define RIDE_KERNELS_CPU_FOREST_CROWN_H
#include "base/error.h"
#include "kernels/cpu/forest_lanes.h"
#include "kernels/cpu/isa.h"

typedef struct forest_crown forest_crown; /* immutable after create */

/* For a forest whose thresholds are floats (forest_fold.h); inputs: the tested ones, ascending. lanes: made of the same forest; borrowed, must outlive it. *out
 * NULL with RIDE_OK: its trees are not deep, or the machine has no planes for them. The caller owns *out. */
ride_status forest_crown_create(const ride_forest *forest, const uint32_t *inputs, uint32_t inputs_count,
                                ride_cpu_isa isa, const forest_lanes *lanes, forest_crown **out, ride_error *err);
void forest_crown_destroy(forest_crown *crown); /* NULL is fine */
size_t forest_crown_bytes(const forest_crown *crown);
/* Bytes of scratch that one thread needs, 64-byte aligned. */
size_t forest_crown_scratch_bytes(const forest_crown *crown);
/* Cycles of the planes of so many rows, by counting operations; and levels of all trees that are left to walk. */
double forest_crown_cost(const forest_crown *crown, uint32_t rows_count);
uint32_t forest_crown_steps(const forest_crown *crown);

/* Blocks of RIDE_CPU_FOREST_ROWS rows that are walked together at most: the more, the seldomer the trees come from memory. */
enum { RIDE_CROWN_BLOCKS = 4 };
uint32_t forest_crown_blocks(const forest_crown *crown);

/* First the places of each block, into the scratch. x: the tested inputs of its rows as columns, as ride_planes_rows has them. All but the last block
 * are whole. Allocates nothing. */
void forest_crown_places(const forest_crown *crown, void *scratch, uint32_t block, const float *x, uint32_t stride,
                         uint32_t rows_count);
/* Then the margins of the rows of all blocks, row-major, outputs_count a row. rows: as forest_lanes_rows has them. */
void forest_crown_walk(const forest_crown *crown, const void *scratch, float *rows, uint32_t rows_count,
                       double *margins);

#endif
