/* kernels/row/profile.h: which cell of a profile's column (kernels/layout/profile.h) a value is counted in. Single source for
 * every backend: C17, C++17 and CUDA. */
#ifndef RIDE_KERNELS_ROW_PROFILE_H
#define RIDE_KERNELS_ROW_PROFILE_H
#include "base/hd.h"
#include "kernels/layout/profile.h"

/* How many of the ascending edges are less than x: for x = edge[i] that is i, so a bin includes its upper edge. */
RIDE_HD static inline uint32_t ride_profile_edges_below(const double *edges, uint32_t count, double x) {
    uint32_t lo = 0, hi = count;
    while (lo < hi) {
        const uint32_t middle = lo + (hi - lo) / 2;
        if (edges[middle] < x) lo = middle + 1;
        else hi = middle;
    }
    return lo;
}

/* The cell of x within the column, counted from its cells_first. edges: the column's first. */
RIDE_HD static inline uint32_t ride_profile_cell(const ride_profile_column *column, const double *edges, double x) {
    if (x != x) return RIDE_PROFILE_CELL_MISSING;
    const uint32_t below = ride_profile_edges_below(edges, column->edges_count, x);
    if (column->kind == RIDE_PROFILE_NUMBER) return RIDE_PROFILE_CELL_BINS + below;
    if (below == column->edges_count || edges[below] != x) return RIDE_PROFILE_CELL_NEW;
    return RIDE_PROFILE_CELL_BINS + below;
}

#endif
