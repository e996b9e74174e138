/* kernels/cpu/forest_internal.h: what forest.c has made and its ways of scoring read. Private. */
#ifndef RIDE_KERNELS_CPU_FOREST_INTERNAL_H
#define RIDE_KERNELS_CPU_FOREST_INTERNAL_H
#include "kernels/cpu/forest.h"
#include "kernels/cpu/forest_crown.h"
#include "kernels/cpu/forest_fold.h"
#include "kernels/cpu/forest_lanes.h"
#include "kernels/cpu/planes.h"

enum { FOREST_SIZES = 3 }; /* numbers of rows that are timed */

struct ride_cpu_forest {
    ride_forest forest;
    ride_cpu_isa isa;
    forest_fold *fold;                                /* of a forest whose inputs are doubles, where it can be folded */
    forest_lanes *lanes;                              /* NULL: walked as it is (forest_walk.c) */
    ride_planes *planes;                              /* NULL: walked */
    forest_crown *crown;                              /* NULL: its trees are not deep */
    uint32_t steps;                                   /* of a row down all trees, about */
    double terms;                                     /* of the leaves that a row comes to, about */
    const char *why;                                  /* there are no planes; static text */
    double ns_per_count[RIDE_CPU_WAYS][FOREST_SIZES]; /* forest_time.c */
    ride_cpu_way forced;                              /* CHOSEN: none */
    bool plain; /* no tree has tests but x < threshold, and the leaves are added to the base margin */
    uint32_t inputs_count;
    uint32_t *inputs; /* tested ones, ascending */
};

/* Cycles of so many rows, by counting operations. */
double forest_count(const ride_cpu_forest *forest, ride_cpu_way way, uint32_t rows_count);

/* forest_time.c: measures; and what so many rows would take. */
void forest_time(ride_cpu_forest *forest);
double forest_estimate_ns(const ride_cpu_forest *forest, ride_cpu_way way, uint32_t rows_count);

enum { FOREST_WALK_ROWS = 64 }; /* that are turned to rows at once */

/* forest_walk.c. x: row-major, `stride` doubles a row, as ride_forest_input gave them; sums row-major, outputs_count a row. */
bool forest_is_plain(const ride_forest *forest);
void forest_walk(const ride_cpu_forest *forest, const double *x, uint32_t stride, uint32_t rows_count, double *sums);

#endif
