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

#endif
