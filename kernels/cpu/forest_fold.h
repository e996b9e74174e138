/* kernels/cpu/forest_fold.h: a forest whose inputs are doubles as one whose inputs are floats, exactly. Private to the engine.
 *
 * A double between two neighbouring floats may become the lower one, unless a threshold lies between that and the double: then the upper
 * one. So every test of the forest gives the same, and all the fast ways know floats only. Where two thresholds of an input lie between the
 * same floats (times in seconds, say), the input's values become their ranks among its thresholds instead. */
#ifndef RIDE_KERNELS_CPU_FOREST_FOLD_H
#define RIDE_KERNELS_CPU_FOREST_FOLD_H
#include "base/error.h"
#include "kernels/layout/forest.h"

#include <stdbool.h>

typedef struct forest_fold forest_fold; /* immutable after create */

/* *nodes: a copy of the forest's with thresholds that are floats, to be freed by the caller. Both NULL with RIDE_OK where an input is asked in ways that do
 * not go together. The caller owns *out. */
ride_status forest_fold_create(const ride_forest *forest, forest_fold **out, ride_forest_node **nodes, ride_error *err);
void forest_fold_destroy(forest_fold *fold); /* NULL is fine */

/* Values of one input, NaN stays. */
void forest_fold_doubles(const forest_fold *fold, uint32_t input, const double *x, uint32_t count, float *y);
/* The same in place for values that are floats: nothing to do where the input is not ranked. */
void forest_fold_floats(const forest_fold *fold, uint32_t input, float *y, uint32_t count);

/* Whether there is such an input. */
bool forest_fold_is_ranked(const forest_fold *fold);

/* For loops over many inputs: bit (bits of the upper float × FACTOR) >> SHIFT of an input's filter says whether a threshold may lie between the
 * two. filters: all, words of 32 bits; filter: the input's first word. */
enum { FOREST_FOLD_SHIFT = 32 - 12 };
#define FOREST_FOLD_FACTOR UINT32_C(2654435769)
const uint32_t *forest_fold_filters(const forest_fold *fold);
uint32_t forest_fold_filter(const forest_fold *fold, uint32_t input);

size_t forest_fold_bytes(const forest_fold *fold); /* of memory */

#endif
