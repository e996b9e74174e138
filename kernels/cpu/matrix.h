/* kernels/cpu/matrix.h: rows of a matrix through a model (rows_shape and rows_score of ride/backend.h). */
#ifndef RIDE_KERNELS_CPU_MATRIX_H
#define RIDE_KERNELS_CPU_MATRIX_H
#include "kernels/cpu/score.h"
#include "ride/backend.h"

void ride_cpu_matrix_shape(const ride_cpu_model *model, ride_rows_shape *out);
/* Allocates nothing; any number of threads, each with scratch of its own, 64-byte aligned. */
void ride_cpu_matrix_score(const ride_cpu_model *model, const ride_rows *rows, void *scratch);

#endif
