/* api/explain.c: why rows have their margins, divided between the members of the context's team. */
#include "api/api.h"

#include <stdlib.h>

enum { EXPLAIN_PIECE_ROWS = 256 }; /* a row takes some microseconds */

struct ride_explain_way {
    const ride_predictor *predictor;
    ride_explainer *explainer;
    uint64_t scratch_bytes;
};

static ride_rows rows_of(const ride_matrix *m) {
    return (ride_rows){.values = m->values,
                       .type = api_type(m->number),
                       .rows_count = m->rows_count,
                       .row_stride = m->row_stride,
                       .column_stride = m->column_stride};
}

typedef struct job {
    ride_context *context;
    const ride_predictor *predictor;
    const ride_explainer *explainer;
    ride_rows rows;
    uint64_t values; /* of a row */
} job;

static ride_status explain_piece(void *context, uint32_t member, uint64_t first, uint64_t count) {
    const job *j = context;
    ride_rows piece = j->rows;
    piece.rows_count = count;
    piece.values =
        (const uint8_t *)piece.values + (int64_t)first * piece.row_stride * (int64_t)ride_type_bytes(piece.type);
    piece.margins = (uint8_t *)piece.margins + first * j->values * ride_type_bytes(piece.out_type);
    return ride_model_rows_explain(j->predictor->rows, j->explainer, &piece, j->context->desks[member].scratch);
}

/* What the caller gave, into a job without explainer. */
static ride_result job_make(ride_context *context, const ride_predictor *predictor, const ride_matrix *rows,
                            const ride_explanation *out, job *j) {
    uint64_t bytes;
    if (rows == NULL || out == NULL || out->values == NULL)
        return api_fail(context, RIDE_RESULT_ARGUMENT, "a pointer is NULL");
    const ride_result result = api_matrix(context, predictor, rows);
    if (result != RIDE_RESULT_OK) return result;
    if (!api_known(out->number) || !api_aligned(out->values, out->number))
        return api_fail(context, RIDE_RESULT_ARGUMENT, "the explanation is neither F32 nor F64, or not aligned");
    *j = (job){.context = context,
               .predictor = predictor,
               .rows = rows_of(rows),
               .values = ((uint64_t)predictor->shape.columns_count + 1) * predictor->shape.outputs_count};
    if (__builtin_mul_overflow(rows->rows_count, j->values * sizeof(double), &bytes) || bytes > INT64_MAX)
        return api_fail(context, RIDE_RESULT_ARGUMENT, "%llu rows are more than memory can hold",
                        (unsigned long long)rows->rows_count);
    j->rows.out_type = api_type(out->number);
    j->rows.margins = out->values;
    return RIDE_RESULT_OK;
}

static ride_result job_run(job *j, uint64_t scratch_bytes) {
    ride_context *context = j->context;
    if (!api_grow(context, scratch_bytes)) return api_fail(context, RIDE_RESULT_MEMORY, "no memory to work in");
    const ride_status st = team_run(context->team, j->rows.rows_count, EXPLAIN_PIECE_ROWS, explain_piece, j);
    return st == RIDE_OK ? RIDE_RESULT_OK : api_fail(context, api_result(st), "the rows cannot be explained");
}

ride_result ride_explain(ride_context *context, const ride_predictor *predictor, const ride_matrix *rows,
                         const ride_explanation *out) {
    ride_error err = {0};
    uint64_t scratch_bytes = 0;
    job j;
    if (context == NULL) return RIDE_RESULT_ARGUMENT;
    api_begin(context);
    if (predictor == NULL) return api_fail(context, RIDE_RESULT_ARGUMENT, "a pointer is NULL");
    const ride_result result = job_make(context, predictor, rows, out, &j);
    if (result != RIDE_RESULT_OK) return result;
    if (ride_model_rows_explainer(predictor->rows, &j.explainer, &scratch_bytes, &err) != RIDE_OK)
        return api_fail_error(context, &err);
    return job_run(&j, scratch_bytes);
}

ride_result ride_explain_prepare(ride_context *context, const ride_predictor *predictor,
                                 const ride_explain_options *options, ride_explain_way **out) {
    ride_explain_options known;
    ride_error err = {0};
    ride_rows background;
    if (out != NULL) *out = NULL;
    if (context == NULL) return RIDE_RESULT_ARGUMENT;
    api_begin(context);
    if (predictor == NULL || out == NULL) return api_fail(context, RIDE_RESULT_ARGUMENT, "a pointer is NULL");
    ride_result result = api_options(context, options, &known, sizeof known);
    if (result == RIDE_RESULT_OK && known.background != NULL) result = api_matrix(context, predictor, known.background);
    if (result != RIDE_RESULT_OK) return result;
    ride_explainer_options by = {.struct_bytes = sizeof by, .bytes_max = known.bytes_max};
    if (known.background != NULL) {
        background = rows_of(known.background);
        by.background = &background;
    }
    ride_explain_way *way = calloc(1, sizeof *way);
    if (way == NULL) return api_fail(context, RIDE_RESULT_MEMORY, "no memory for an explainer");
    way->predictor = predictor;
    if (ride_model_rows_explainer_create(predictor->rows, &by, &way->explainer, &way->scratch_bytes, &err) != RIDE_OK) {
        free(way);
        return api_fail_error(context, &err);
    }
    *out = way;
    return RIDE_RESULT_OK;
}

void ride_explain_release(ride_explain_way *way) {
    if (way == NULL) return;
    ride_model_rows_explainer_destroy(way->predictor->rows, way->explainer);
    free(way);
}

ride_result ride_explain_by(ride_context *context, const ride_explain_way *way, const ride_matrix *rows,
                            const ride_explanation *out) {
    job j;
    if (context == NULL) return RIDE_RESULT_ARGUMENT;
    api_begin(context);
    if (way == NULL) return api_fail(context, RIDE_RESULT_ARGUMENT, "a pointer is NULL");
    const ride_result result = job_make(context, way->predictor, rows, out, &j);
    if (result != RIDE_RESULT_OK) return result;
    j.explainer = way->explainer;
    return job_run(&j, way->scratch_bytes);
}
