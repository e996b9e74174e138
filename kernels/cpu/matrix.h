/* kernels/cpu/matrix.h: rows of a matrix through a model (rows_shape, rows_score and rows_explain of ride/backend.h). */
#ifndef RIDE_KERNELS_CPU_MATRIX_H
#define RIDE_KERNELS_CPU_MATRIX_H
#include "kernels/cpu/explain.h"

void ride_cpu_matrix_shape(const ride_cpu_model *model, ride_rows_shape *out);
/* Allocates nothing; any number of threads, each with scratch of its own, 64-byte aligned. */
void ride_cpu_matrix_score(const ride_cpu_model *model, const ride_rows *rows, void *scratch);

/* Rows from `first` on as the engines take them. */
static inline ride_cpu_matrix ride_cpu_matrix_of(const ride_rows *rows, uint64_t first) {
    const int64_t row_bytes = rows->row_stride * (int64_t)ride_type_bytes(rows->type);
    return (ride_cpu_matrix){.x = (const uint8_t *)rows->values + (int64_t)first * row_bytes,
                             .number = rows->type == RIDE_TYPE_F32 ? RIDE_FOREST_F32 : RIDE_FOREST_F64,
                             .row_stride = rows->row_stride,
                             .column_stride = rows->column_stride};
}

/* Likewise through an explainer, to rows->margins. */
uint64_t ride_cpu_matrix_explain_bytes(const ride_explainer *explainer); /* of scratch */
void ride_cpu_matrix_explain(const ride_explainer *explainer, const ride_rows *rows, void *scratch);

#endif
