/* kernels/reference/rows.c: rows of a matrix, one by one, with the functions of kernels/row as they are. */
#include "kernels/reference/state.h"
#include "kernels/row/ensemble.h"

static ride_type type_of(uint32_t number) { return number == RIDE_FOREST_F32 ? RIDE_TYPE_F32 : RIDE_TYPE_F64; }

ride_status ref_rows_shape(const ride_program_dev *program, ride_rows_shape *out, ride_error *err) {
    if (!program->has_model) return ride_fail(err, RIDE_E_MODEL, "the bundle has no model");
    if (program->members != NULL) {
        const ride_ensemble_header *h = program->ensemble.view.header;
        const uint64_t numbers =
            h->inputs_count + ride_ensemble_row_scratch(&program->ensemble) + 2 * (uint64_t)h->outputs_count;
        *out = (ride_rows_shape){.columns_count = h->inputs_count,
                                 .outputs_count = h->outputs_count,
                                 .in_type = type_of(ride_ensemble_in_number(&program->ensemble)),
                                 .out_type = type_of(ride_ensemble_out_number(&program->ensemble)),
                                 .scratch_bytes = numbers * sizeof(double),
                                 .members_count = h->answers_count};
        return RIDE_OK;
    }
    const ride_forest_header *h = program->forest.header;
    *out = (ride_rows_shape){.columns_count = h->inputs_count,
                             .outputs_count = h->outputs_count,
                             .in_type = type_of(h->input_number),
                             .out_type = type_of(h->sum_number),
                             .scratch_bytes = ((uint64_t)h->inputs_count + 2 * h->outputs_count) * sizeof(double)};
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

static void score_row(const ride_program_dev *program, double *inputs, double *scratch, double *margins,
                      double *answers) {
    if (program->members != NULL) {
        ride_ensemble_row(&program->ensemble, inputs, scratch, margins, answers);
        return;
    }
    const ride_forest_header *h = program->forest.header;
    for (uint32_t i = 0; i < h->inputs_count; i++) inputs[i] = ride_forest_input(inputs[i], h->input_number);
    ride_forest_row(&program->forest, inputs, 1, margins);
    for (uint32_t o = 0; o < h->outputs_count; o++) answers[o] = margins[o];
    ride_link_row(answers, h);
}

ride_status ref_rows_score(const ride_program_dev *program, const ride_rows *rows, void *scratch) {
    const bool is_ensemble = program->members != NULL;
    const uint32_t inputs_count =
        is_ensemble ? program->ensemble.view.header->inputs_count : program->forest.header->inputs_count;
    const uint32_t outputs =
        is_ensemble ? program->ensemble.view.header->outputs_count : program->forest.header->outputs_count;
    double *inputs = scratch, *margins = inputs + inputs_count, *answers = margins + outputs, *rest = answers + outputs;
    for (uint64_t r = 0; r < rows->rows_count; r++) {
        for (uint32_t i = 0; i < inputs_count; i++) inputs[i] = value_at(rows, r, i);
        score_row(program, inputs, rest, margins, answers);
        for (uint32_t o = 0; o < outputs; o++) {
            put(rows->margins, rows->out_type, r * outputs + o, margins[o]);
            put(rows->answers, rows->out_type, r * outputs + o, answers[o]);
        }
        const uint32_t members = is_ensemble ? program->ensemble.view.header->answers_count : 0;
        for (uint32_t m = 0; m < members; m++) put(rows->members, rows->out_type, r * members + m, rest[m]);
    }
    return RIDE_OK;
}
