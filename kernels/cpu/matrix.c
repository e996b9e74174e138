/* kernels/cpu/matrix.c: block by block: margins by the forest engine, then margins and answers to where the caller wants them. */
#include "kernels/cpu/matrix.h"

#include "kernels/row/link.h"

/* Scratch: the engine's, then a block's margins. */
static size_t engine_bytes(const ride_cpu_forest *engine) {
    return (ride_cpu_forest_scratch_bytes(engine) + 63) / 64 * 64;
}

void ride_cpu_matrix_shape(const ride_forest *forest, const ride_cpu_forest *engine, ride_rows_shape *out) {
    const ride_forest_header *h = forest->header;
    *out = (ride_rows_shape){.columns_count = h->inputs_count,
                             .outputs_count = h->outputs_count,
                             .in_type = h->input_number == RIDE_FOREST_F32 ? RIDE_TYPE_F32 : RIDE_TYPE_F64,
                             .out_type = h->sum_number == RIDE_FOREST_F32 ? RIDE_TYPE_F32 : RIDE_TYPE_F64,
                             .scratch_bytes = engine_bytes(engine) +
                                              (uint64_t)RIDE_CPU_FOREST_ROWS * h->outputs_count * sizeof(double)};
}

static void put(void *out, uint32_t type, uint64_t place, const double *values, size_t count) {
    if (type == RIDE_TYPE_F32)
        for (size_t i = 0; i < count; i++) ((float *)out)[place + i] = (float)values[i];
    else
        for (size_t i = 0; i < count; i++) ((double *)out)[place + i] = values[i];
}

void ride_cpu_matrix_score(const ride_forest *forest, const ride_cpu_forest *engine, const ride_rows *rows,
                           void *scratch) {
    const ride_forest_header *h = forest->header;
    const size_t outputs = h->outputs_count, size = ride_type_bytes(rows->type);
    double *sums = (double *)((uint8_t *)scratch + engine_bytes(engine));
    ride_cpu_matrix block = {.number = rows->type == RIDE_TYPE_F32 ? RIDE_FOREST_F32 : RIDE_FOREST_F64,
                             .row_stride = rows->row_stride,
                             .column_stride = rows->column_stride};
    for (uint64_t first = 0; first < rows->rows_count; first += RIDE_CPU_FOREST_ROWS) {
        const uint64_t left = rows->rows_count - first;
        const size_t count = left < RIDE_CPU_FOREST_ROWS ? (size_t)left : RIDE_CPU_FOREST_ROWS;
        block.x = (const uint8_t *)rows->values + (int64_t)first * rows->row_stride * (int64_t)size;
        ride_cpu_forest_matrix(engine, scratch, &block, count, sums);
        if (rows->margins != NULL) put(rows->margins, rows->out_type, first * outputs, sums, count * outputs);
        if (rows->answers == NULL) continue;
        for (size_t r = 0; r < count; r++) ride_link_row(sums + r * outputs, h);
        put(rows->answers, rows->out_type, first * outputs, sums, count * outputs);
    }
}
