/* kernels/reference/rows.c: rows of a matrix, one by one, with the functions of kernels/row as they are. */
#include "kernels/reference/state.h"
#include "kernels/row/link.h"
#include "kernels/row/tree.h"

ride_status ref_rows_shape(const ride_program_dev *program, ride_rows_shape *out, ride_error *err) {
    if (!program->has_forest) return ride_fail(err, RIDE_E_MODEL, "the bundle has no model");
    const ride_forest_header *h = program->forest.header;
    *out = (ride_rows_shape){.columns_count = h->inputs_count,
                             .outputs_count = h->outputs_count,
                             .in_type = h->input_number == RIDE_FOREST_F32 ? RIDE_TYPE_F32 : RIDE_TYPE_F64,
                             .out_type = h->sum_number == RIDE_FOREST_F32 ? RIDE_TYPE_F32 : RIDE_TYPE_F64,
                             .scratch_bytes = ((uint64_t)h->inputs_count + h->outputs_count) * sizeof(double)};
    return RIDE_OK;
}

static double value_at(const ride_rows *rows, uint64_t row, uint32_t column) {
    const int64_t place = (int64_t)row * rows->row_stride + (int64_t)column * rows->column_stride;
    return rows->type == RIDE_TYPE_F32 ? (double)((const float *)rows->values)[place]
                                       : ((const double *)rows->values)[place];
}

static void put(void *out, uint32_t type, uint64_t place, double value) {
    if (out == NULL) return;
    if (type == RIDE_TYPE_F32) ((float *)out)[place] = (float)value;
    else ((double *)out)[place] = value;
}

ride_status ref_rows_score(const ride_program_dev *program, const ride_rows *rows, void *scratch) {
    const ride_forest *forest = &program->forest;
    const ride_forest_header *h = forest->header;
    double *inputs = scratch, *sums = inputs + h->inputs_count;
    for (uint64_t r = 0; r < rows->rows_count; r++) {
        for (uint32_t i = 0; i < h->inputs_count; i++)
            inputs[i] = ride_forest_input(value_at(rows, r, i), h->input_number);
        ride_forest_row(forest, inputs, 1, sums);
        for (uint32_t o = 0; o < h->outputs_count; o++)
            put(rows->margins, rows->out_type, r * h->outputs_count + o, sums[o]);
        ride_link_row(sums, h);
        for (uint32_t o = 0; o < h->outputs_count; o++)
            put(rows->answers, rows->out_type, r * h->outputs_count + o, sums[o]);
    }
    return RIDE_OK;
}
