/* kernels/cpu/matrix.c: block by block: margins and answers by the engine, then to where the caller wants them. */
#include "kernels/cpu/matrix.h"

#include "kernels/cpu/forest_turn.h"
#include "kernels/cpu/link.h"
#include "kernels/cpu/scratch.h"
#include "kernels/row/ensemble.h"

static ride_type type_of(uint32_t number) { return number == RIDE_FOREST_F32 ? RIDE_TYPE_F32 : RIDE_TYPE_F64; }

/* Scratch: the engine's; of an ensemble the block's columns; then the block's margins, of an ensemble its answers. */
static size_t engine_bytes(const ride_cpu_model *model) {
    return ride_whole_lines(model->engine != NULL ? ride_cpu_forest_scratch_bytes(model->engine)
                                                  : ride_cpu_ensemble_scratch_bytes(model->ensemble));
}
static size_t columns_bytes(const ride_cpu_model *model) {
    const uint32_t *entries;
    return (size_t)ride_cpu_ensemble_entries(model->ensemble, &entries) * RIDE_CPU_FOREST_ROWS * sizeof(double);
}

/* Rows of a call of a forest's engine, whose margins stay near: some of its blocks, so that it can fetch the next one and walk deep trees with
 * several together. */
static uint32_t forest_rows(const ride_forest_header *h) {
    enum { VALUES = 4096 };
    const uint32_t blocks = VALUES / h->outputs_count / RIDE_CPU_FOREST_ROWS;
    return blocks > 1 ? blocks * RIDE_CPU_FOREST_ROWS : RIDE_CPU_FOREST_ROWS;
}

void ride_cpu_matrix_shape(const ride_cpu_model *model, ride_rows_shape *out) {
    const size_t result = (size_t)RIDE_CPU_FOREST_ROWS * sizeof(double);
    if (model->engine != NULL) {
        const ride_forest_header *h = model->forest.header;
        *out = (ride_rows_shape){.columns_count = h->inputs_count,
                                 .outputs_count = h->outputs_count,
                                 .in_type = type_of(h->input_number),
                                 .out_type = type_of(h->sum_number),
                                 .scratch_bytes =
                                     engine_bytes(model) + forest_rows(h) * h->outputs_count * sizeof(double)};
        return;
    }
    const ride_ensemble_parts *parts = ride_cpu_ensemble_parts(model->ensemble);
    const ride_ensemble_header *h = parts->view.header;
    *out =
        (ride_rows_shape){.columns_count = h->inputs_count,
                          .outputs_count = h->outputs_count,
                          .in_type = type_of(ride_ensemble_in_number(parts)),
                          .out_type = type_of(ride_ensemble_out_number(parts)),
                          .scratch_bytes = engine_bytes(model) + columns_bytes(model) + 2 * h->outputs_count * result,
                          .members_count = h->answers_count};
}

static void put(void *out, uint32_t type, uint64_t place, const double *values, size_t count) {
    if (out == NULL) return;
    if (type == RIDE_TYPE_F32)
        for (size_t i = 0; i < count; i++) ((float *)out)[place + i] = (float)values[i];
    else
        for (size_t i = 0; i < count; i++) ((double *)out)[place + i] = values[i];
}

static void ensemble_score(const ride_cpu_model *model, const ride_rows *rows, uint8_t *scratch) {
    const size_t outputs = ride_cpu_ensemble_parts(model->ensemble)->view.header->outputs_count;
    double *x = (double *)(void *)(scratch + engine_bytes(model));
    double *margins = (double *)(void *)((uint8_t *)x + columns_bytes(model));
    double *answers = margins + RIDE_CPU_FOREST_ROWS * outputs;
    for (uint64_t first = 0; first < rows->rows_count; first += RIDE_CPU_FOREST_ROWS) {
        const uint64_t left = rows->rows_count - first;
        const size_t count = left < RIDE_CPU_FOREST_ROWS ? (size_t)left : RIDE_CPU_FOREST_ROWS;
        const ride_cpu_matrix block = ride_cpu_matrix_of(rows, first);
        const ride_cpu_columns columns = ride_cpu_ensemble_turn(model->ensemble, &block, 0, count, x);
        forest_rows_fetch(&block, count, (size_t)(left - count));
        ride_cpu_ensemble_columns(model->ensemble, scratch, &columns, (uint32_t)count, margins, answers);
        put(rows->margins, rows->out_type, first * outputs, margins, count * outputs);
        put(rows->answers, rows->out_type, first * outputs, answers, count * outputs);
        if (rows->members == NULL) continue;
        const size_t members = ride_cpu_ensemble_parts(model->ensemble)->view.header->answers_count;
        put(rows->members, rows->out_type, first * members, ride_cpu_ensemble_answers(model->ensemble, scratch),
            count * members);
    }
}

void ride_cpu_matrix_score(const ride_cpu_model *model, const ride_rows *rows, void *scratch) {
    if (model->engine == NULL) {
        ensemble_score(model, rows, scratch);
        return;
    }
    const ride_forest_header *h = model->forest.header;
    const size_t outputs = h->outputs_count;
    const ride_link link = ride_link_of(h);
    double *sums = (double *)(void *)((uint8_t *)scratch + engine_bytes(model));
    const uint32_t step = forest_rows(h);
    for (uint64_t first = 0; first < rows->rows_count; first += step) {
        const uint64_t left = rows->rows_count - first;
        const size_t count = left < step ? (size_t)left : step;
        const ride_cpu_matrix block = ride_cpu_matrix_of(rows, first);
        ride_cpu_forest_matrix(model->engine, scratch, &block, count, sums);
        put(rows->margins, rows->out_type, first * outputs, sums, count * outputs);
        if (rows->answers == NULL) continue;
        ride_cpu_link_rows(model->isa, &link, sums, (uint32_t)count);
        put(rows->answers, rows->out_type, first * outputs, sums, count * outputs);
    }
}

/* ---- why ---- */

static uint64_t values_of(const ride_explainer *explainer) { /* of a row */
    return ((uint64_t)ride_cpu_explain_inputs(explainer) + 1) * ride_cpu_explain_outputs(explainer);
}

static uint32_t block_rows(uint64_t values) {
    enum { ROWS_MOST = 1024, ROWS_LEAST = 64, VALUES = 1 << 18 };
    const uint64_t rows = VALUES / values;
    return rows > ROWS_MOST ? ROWS_MOST : rows < ROWS_LEAST ? ROWS_LEAST : (uint32_t)rows;
}

uint64_t ride_cpu_matrix_explain_bytes(const ride_explainer *explainer) {
    const uint64_t values = values_of(explainer);
    return ride_whole_lines(ride_cpu_explain_scratch_bytes(explainer)) + block_rows(values) * values * sizeof(double);
}

void ride_cpu_matrix_explain(const ride_explainer *explainer, const ride_rows *rows, void *scratch) {
    const uint64_t values = values_of(explainer);
    const uint32_t step = block_rows(values);
    double *phi = (double *)((uint8_t *)scratch + ride_whole_lines(ride_cpu_explain_scratch_bytes(explainer)));
    for (uint64_t first = 0; first < rows->rows_count; first += step) {
        const size_t count = rows->rows_count - first < step ? (size_t)(rows->rows_count - first) : step;
        const ride_cpu_matrix block = ride_cpu_matrix_of(rows, first);
        ride_cpu_explain_rows(explainer, scratch, &block, count, phi);
        put(rows->margins, rows->out_type, first * values, phi, count * values);
    }
}
