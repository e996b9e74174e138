/* kernels/cpu/planes_internal.h: the compiled form that planes.c makes and the kernels read. Private. */
#ifndef RIDE_KERNELS_CPU_PLANES_INTERNAL_H
#define RIDE_KERNELS_CPU_PLANES_INTERNAL_H
#include "kernels/cpu/planes.h"

#include <stdbool.h>
#include <stdlib.h>

enum {
    PLANES_BITS = 6,    /* of a leaf's place */
    PLANES_RANKS = 255, /* thresholds of a column at most: a rank is a byte */
    PLANES_HEAP = 63,   /* inner nodes of a tree that is full to depth 6 */
    PLANES_OPS_MAX = PLANES_HEAP * PLANES_BITS,
    PLANE_LEFT = 0,  /* no row goes right */
    PLANE_RIGHT = 1, /* every row does */
    PLANE_FIRST = 2, /* of the conditions */
    PLANES_TREES_AT_ONCE = 4,
    PLANES_PIVOTS = 256 + 32, /* floats of a column at most, for the search of either wide kernel */
};

/* Up to 255 thresholds of one input, ascending. Plane plane_first + k: x >= threshold k, the bit of "goes right". */
typedef struct planes_column {
    uint32_t x; /* index among the tested inputs */
    uint32_t thresholds_first, thresholds_count;
    uint32_t plane_first;
    uint32_t others_first,
        others_count; /* conditions that send a missing value the other way, with planes of their own */
    bool nan_right;   /* where the planes of the column send a missing value */
} planes_column;

typedef struct planes_other {
    uint32_t threshold, plane; /* of the column */
} planes_other;

/* A plane selected from two: where `test` has a bit, that of `right`, else that of `left`. */
typedef struct planes_op {
    uint32_t test, right, left;
} planes_op;

typedef struct planes_tree {
    uint32_t ops_first, ops_count;
    uint32_t bits[PLANES_BITS]; /* planes of the leaf's place, the highest bit first */
    uint32_t heap_first;        /* in heaps, UINT32_MAX = the wide kernel runs the list */
} planes_tree;

typedef struct planes_leaves {
    float values[RIDE_PLANES_LEAVES_MAX];
    union { /* what the wide kernel looks up */
        struct {
            uint16_t low[RIDE_PLANES_LEAVES_MAX], high[RIDE_PLANES_LEAVES_MAX]; /* halves of the values: AVX-512 */
        };
        uint8_t bytes[sizeof(float)][RIDE_PLANES_LEAVES_MAX]; /* quarters of the values, the lowest first: AVX2 */
    };
} planes_leaves;

struct ride_planes {
    ride_cpu_isa isa;
    float base;
    uint32_t inputs_count, columns_count, trees_count, ops_count, others_count, thresholds_count, heaps_count;
    uint32_t planes_count; /* with the two constants; the results of a tree's list lie behind them */
    uint32_t ops_most;     /* of one tree */
    uint32_t walk_steps;   /* levels of all trees: what walking costs */
    uint32_t *inputs;
    planes_column *columns;
    planes_other *others;
    float *thresholds;
    float *pivots; /* of each column: its thresholds in the order of the wide kernel's search; 64-byte aligned */
    planes_tree *trees;
    planes_op *ops;
    uint32_t *heaps;                   /* of each full tree 63 planes in heap order, then 0 */
    planes_leaves *leaves;             /* 64-byte aligned */
    uint16_t row_of[RIDE_PLANES_ROWS]; /* of a sum of the wide kernel with AVX-512 */
};

/* planes_tree.c: the lists, heaps and leaves of all trees. plane_of: the plane of each node of the forest. */
ride_status planes_trees_make(ride_planes *p, const ride_forest *forest, const uint32_t *plane_of, ride_error *err);

/* The kernels, for the rows of a block at most. planes, scratch: planes_count + ops_most words, or what the kernel says. prepare: what it
 * needs of a forest besides: pivots, row_of, bytes of leaves. */
void planes_narrow(const ride_planes *p, uint64_t *planes, const float *x, uint32_t stride, uint32_t rows_count,
                   double *margins);

void planes_wide_avx2(const ride_planes *p, void *scratch, const float *x, uint32_t stride, uint32_t rows_count,
                      double *margins);
size_t planes_wide_avx2_scratch_bytes(const ride_planes *p);
void planes_wide_avx2_prepare(ride_planes *p);

void planes_wide(const ride_planes *p, void *scratch, const float *x, uint32_t stride, uint32_t rows_count,
                 double *margins);
size_t planes_wide_scratch_bytes(const ride_planes *p);
void planes_wide_prepare(ride_planes *p);

#endif
