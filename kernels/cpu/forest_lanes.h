/* kernels/cpu/forest_lanes.h: a forest as nodes of 8 bytes, for walking in lanes. Private to the engine. Any machine. */
#ifndef RIDE_KERNELS_CPU_FOREST_LANES_H
#define RIDE_KERNELS_CPU_FOREST_LANES_H
#include "base/error.h"
#include "kernels/layout/forest.h"

#include <stdbool.h>

typedef struct forest_lanes forest_lanes; /* immutable after create */

/* For forests whose thresholds are floats (forest_fold.h); inputs: the tested ones, ascending. *out NULL with RIDE_OK: leaves are not summed, or there are
 * more nodes, inputs and different category sets than the form holds. Nothing is kept. The caller owns *out. */
ride_status forest_lanes_create(const ride_forest *forest, const uint32_t *inputs, uint32_t inputs_count,
                                forest_lanes **out, ride_error *err);
void forest_lanes_destroy(forest_lanes *lanes); /* NULL is fine */
size_t forest_lanes_bytes(const forest_lanes *lanes);

/* Floats from one row to the next: the tested inputs, and some that forest_lanes_rows writes. */
uint32_t forest_lanes_stride(const forest_lanes *lanes);

/* Margins of rows_count rows, row-major, outputs_count a row. x: row-major, forest_lanes_stride floats a row. Allocates nothing. */
void forest_lanes_rows(const forest_lanes *lanes, float *x, uint32_t rows_count, double *margins);

/* The same tree by tree, for forest_crown.c. begin: what the form wants of the rows besides, and where the sums begin; true: a value is
 * missing. from: a tree's leaves are added: row start->rows[k] begins at node start->nodes[n], n = start->numbers[k], and arrives after start->levels[n] steps at
 * most; levels do not rise with k. end: what is added last. */
typedef struct forest_lanes_start {
    const uint16_t *rows;
    const uint8_t *numbers;
    const uint32_t *nodes;
    const uint16_t *levels;
    uint32_t done, all; /* rows of the tree before these, and all together: the next tree is fetched meanwhile */
} forest_lanes_start;
bool forest_lanes_begin(const forest_lanes *lanes, float *x, uint32_t rows_count, double *margins);
void forest_lanes_from(const forest_lanes *lanes, uint32_t tree, const float *x, uint32_t rows_count, bool has_nan,
                       const forest_lanes_start *start, double *margins);
void forest_lanes_end(const forest_lanes *lanes, uint32_t rows_count, double *margins);
/* The left child of a tree's node, which is no leaf; the right one is the next. */
uint32_t forest_lanes_left(const forest_lanes *lanes, uint32_t tree, uint32_t node);
uint32_t forest_lanes_outputs(const forest_lanes *lanes);

#endif
