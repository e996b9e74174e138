/* kernels/cpu/ensemble.h: the CPU's engine for ensembles (kernels/layout/ensemble.h): each member by its fast engine over a block of rows, whose
 * columns are gathered once for all of them; a cascade's and a segment's members see only the rows that need them. The bits are those of
 * kernels/row/ensemble.h. */
#ifndef RIDE_KERNELS_CPU_ENSEMBLE_H
#define RIDE_KERNELS_CPU_ENSEMBLE_H
#include "base/error.h"
#include "kernels/cpu/forest.h"
#include "kernels/layout/ensemble.h"

typedef struct ride_cpu_ensemble ride_cpu_ensemble; /* immutable after create: any number of threads */

/* Opens the bundle's ensemble. The bundle is borrowed and must outlive it. The caller owns *out. */
ride_status ride_cpu_ensemble_create(const ride_bundle *bundle, ride_cpu_isa isa, ride_cpu_ensemble **out,
                                     ride_error *err);
void ride_cpu_ensemble_destroy(ride_cpu_ensemble *ensemble); /* NULL is fine */
const ride_ensemble_parts *ride_cpu_ensemble_parts(const ride_cpu_ensemble *ensemble);
const char *ride_cpu_ensemble_name(const ride_cpu_ensemble *ensemble, uint32_t member); /* as its manifest calls it */
/* The engine of a member's forest, the stacker last; NULL: it has none. */
const ride_cpu_forest *ride_cpu_ensemble_forest(const ride_cpu_ensemble *ensemble, uint32_t member);
/* The engine of the forest that its trees and other members' are together, for many rows (joint.h); NULL: they are not. */
const ride_cpu_forest *ride_cpu_ensemble_joint(const ride_cpu_ensemble *ensemble, uint32_t member);

/* The entries of the vector, or columns of a row, that members read, ascending: the columns of x. Returns how many. */
uint32_t ride_cpu_ensemble_entries(const ride_cpu_ensemble *ensemble, const uint32_t **entries);

/* Bytes of scratch that one thread needs: 64-byte aligned memory of the caller. */
size_t ride_cpu_ensemble_scratch_bytes(const ride_cpu_ensemble *ensemble);

/* 1 … RIDE_CPU_FOREST_ROWS rows: entry i is column i, floats or doubles, whose stride is RIDE_CPU_FOREST_ROWS; what lies behind the rows, up to
 * a multiple of RIDE_CPU_FOREST_STRIDE, is read and means nothing. margins and answers row-major,
 * outputs_count a row. Allocates nothing. */
void ride_cpu_ensemble_columns(const ride_cpu_ensemble *ensemble, void *scratch, const ride_cpu_columns *columns,
                               uint32_t rows_count, double *margins, double *answers);
/* The members' answers of the rows scored last with this scratch: row-major, answers_count a row, one member after the other, calibrated; NaN where a
 * member was not asked. */
const double *ride_cpu_ensemble_answers(const ride_cpu_ensemble *ensemble, const void *scratch);
/* Likewise their margins, which mean nothing where a member was not asked. */
const double *ride_cpu_ensemble_margins(const ride_cpu_ensemble *ensemble, const void *scratch);

/* `count` rows of a matrix from `first` on as such columns, numbers of the matrix's kind, at x: RIDE_CPU_FOREST_ROWS numbers for each entry. */
ride_cpu_columns ride_cpu_ensemble_turn(const ride_cpu_ensemble *ensemble, const ride_cpu_matrix *matrix, size_t first,
                                        size_t count, void *x);

#endif
