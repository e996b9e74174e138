/* kernels/cpu/forest.h: the CPU's forest engine: margins of many rows by the fastest way that the forest, the machine and the number of rows
 * allow. Every way gives the bits of kernels/row/tree.h.
 *
 *   planes  questions that occur in many trees are asked once for a block of rows (planes.h)
 *   row     a row by itself, all questions of a tree at once (planes_row.c)
 *   crown   the top of deep trees by planes, the rest by walks (forest_crown.h)
 *   walk    several rows down one tree at a time, so that their memory waits overlap (forest_walk.c)
 *
 * Rows come as columns (the engine's tiles) or as a matrix of any strides (the library, services, benches). */
#ifndef RIDE_KERNELS_CPU_FOREST_H
#define RIDE_KERNELS_CPU_FOREST_H
#include "base/error.h"
#include "kernels/cpu/isa.h"
#include "kernels/layout/forest.h"

#include <stdbool.h>

enum {
    RIDE_CPU_FOREST_ROWS = 512,  /* of a call by columns, at most */
    RIDE_CPU_FOREST_STRIDE = 64, /* a column begins at a multiple of so many values */
};

typedef struct ride_cpu_forest ride_cpu_forest; /* immutable after create: any number of threads */

/* The forest's arrays, which lie in its bundle's image, are borrowed and must outlive it; the view itself is copied. The caller owns *out. */
ride_status ride_cpu_forest_create(const ride_forest *forest, ride_cpu_isa isa, ride_cpu_forest **out, ride_error *err);
void ride_cpu_forest_destroy(ride_cpu_forest *forest); /* NULL is fine */

/* Ways of scoring. CHOSEN: the fastest for the number of rows. */
typedef enum ride_cpu_way {
    RIDE_CPU_WAY_CHOSEN = 0,
    RIDE_CPU_WAY_WALK,   /* every forest and machine has it */
    RIDE_CPU_WAY_ROW,    /* each row by itself, all conditions of a tree at once: AVX-512 with VBMI, AVX2, NEON */
    RIDE_CPU_WAY_NARROW, /* planes of 64 rows */
    RIDE_CPU_WAY_SLIM,   /* planes of 128 rows */
    RIDE_CPU_WAY_HALF,   /* planes of 256 rows, with AVX-512 */
    RIDE_CPU_WAY_WIDE,   /* planes of a register */
    RIDE_CPU_WAY_CROWN,  /* the first levels of deep trees by planes, then walks */
    RIDE_CPU_WAYS,
} ride_cpu_way;
const char *ride_cpu_way_name(ride_cpu_way way);
bool ride_cpu_forest_has(const ride_cpu_forest *forest, ride_cpu_way way);
/* The way that a call with so many rows goes. */
ride_cpu_way ride_cpu_forest_way(const ride_cpu_forest *forest, uint32_t rows_count);
/* From now on this way only, which the forest must have; for tests and measurements, before other threads score. */
void ride_cpu_forest_force(ride_cpu_forest *forest, ride_cpu_way way);

/* For reports: which ways are chosen, why, and what it takes: estimates from a measurement of about a millisecond at create. */
enum { RIDE_CPU_FOREST_TOLD = 4 };
typedef struct ride_cpu_forest_report {
    size_t bytes; /* of memory, the bundle's image left out */
    char why[160];
    struct {
        uint32_t rows_count; /* of a call */
        ride_cpu_way way;
        double ns_per_row;
    } sizes[RIDE_CPU_FOREST_TOLD];
} ride_cpu_forest_report;
void ride_cpu_forest_describe(const ride_cpu_forest *forest, ride_cpu_forest_report *out);

/* The inputs that are tested at all, or are in a leaf's terms, ascending: the columns of x. Returns how many. */
uint32_t ride_cpu_forest_inputs(const ride_cpu_forest *forest, const uint32_t **inputs);

/* Bytes of scratch that one thread needs: 64-byte aligned memory of the caller, for calls of any size. */
size_t ride_cpu_forest_scratch_bytes(const ride_cpu_forest *forest);

/* Values of some rows, a column after the other: value of tested input i in row r is x[i * stride + r], NaN = missing. x is 64-byte aligned and
 * stride a multiple of RIDE_CPU_FOREST_STRIDE; what lies behind the rows of a column, up to such a multiple, is read and means nothing. */
typedef struct ride_cpu_columns {
    const void *x;
    ride_forest_number
        number; /* float or double. Floats for a forest whose inputs are floats; either for one of doubles */
    uint32_t stride;
} ride_cpu_columns;

/* Margins of 1 … RIDE_CPU_FOREST_ROWS rows: row-major, outputs_count a row, in the forest's sum type. Allocates nothing. */
void ride_cpu_forest_columns(const ride_cpu_forest *forest, void *scratch, const ride_cpu_columns *columns,
                             uint32_t rows_count, double *margins);

/* Rows as a caller has them: value of input i in row r is x[r * row_stride + i * column_stride], strides in values, NaN = missing. No alignment
 * beyond the type's own. */
typedef struct ride_cpu_matrix {
    const void *x;
    ride_forest_number number;           /* float or double; rounded to floats where the forest's inputs are floats */
    ptrdiff_t row_stride, column_stride; /* of either sign */
} ride_cpu_matrix;

/* The same of any number of rows. */
void ride_cpu_forest_matrix(const ride_cpu_forest *forest, void *scratch, const ride_cpu_matrix *matrix,
                            size_t rows_count, double *margins);

#endif
