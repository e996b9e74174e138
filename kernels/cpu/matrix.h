/* kernels/cpu/matrix.h: rows of a matrix through a model (rows_shape, rows_score and rows_explain of ride/backend.h). */
#ifndef RIDE_KERNELS_CPU_MATRIX_H
#define RIDE_KERNELS_CPU_MATRIX_H
#include "kernels/cpu/score.h"
#include "ride/backend.h"

void ride_cpu_matrix_shape(const ride_cpu_model *model, ride_rows_shape *out);
/* Allocates nothing; any number of threads, each with scratch of its own, 64-byte aligned. */
void ride_cpu_matrix_score(const ride_cpu_model *model, const ride_rows *rows, void *scratch);

/* The forest is not kept. */
ride_status ride_cpu_explainer_create(const ride_forest *forest, ride_cpu_isa isa, ride_explainer **out,
                                      uint64_t *scratch_bytes, ride_error *err);
void ride_cpu_explainer_destroy(ride_explainer *explainer); /* NULL is fine */
void ride_cpu_explainer_tell(const ride_explainer *explainer, ride_explainer_figures *out);
void ride_cpu_matrix_explain(const ride_explainer *explainer, const ride_rows *rows, void *scratch);

#endif
