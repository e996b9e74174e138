/* kernels/cpu/profile_internal.h: a profile's column as the counting loops see it, and the loops' variants. Private. */
#ifndef RIDE_KERNELS_CPU_PROFILE_INTERNAL_H
#define RIDE_KERNELS_CPU_PROFILE_INTERNAL_H
#include "kernels/cpu/profile.h"

enum {
    PROFILE_LEAF = 16,     /* edges that are compared at once */
    PROFILE_FEW_EDGES = 8, /* up to so many, each edge is compared with all rows */
    PROFILE_LEAVES_MAX = RIDE_PROFILE_EDGES_MAX / PROFILE_LEAF,
    /* behind the last leaf one more of padding: where a value beyond every edge is looked up */
    PROFILE_EDGES_PADDED = RIDE_PROFILE_EDGES_MAX + PROFILE_LEAF,
};

/* Edges of a column with many: sixteen leaves of sixteen, padded with +infinity, which no value passes. */
typedef struct profile_tree {
    double last[PROFILE_LEAF];          /* of each leaf; +infinity behind the last one */
    double edges[PROFILE_EDGES_PADDED]; /* ascending */
} profile_tree;

/* How many edges are below each of n values; NaN gives 0. Writes up to the next multiple of 8. */
typedef void profile_search_fn(const profile_tree *tree, uint32_t edges_count, const double *x, uint32_t n,
                               uint16_t *below);
/* above[e] = how many of n values are above edge e, for edges_count edges. */
typedef void profile_above_fn(const double *edges, uint32_t edges_count, const double *x, uint32_t n, uint32_t *above);

typedef struct profile_loops {
    profile_search_fn *search;
    profile_above_fn *above;
} profile_loops;

extern const profile_loops ride_cpu_profile_loops, ride_cpu_profile_loops_avx2, ride_cpu_profile_loops_avx512;

#endif
