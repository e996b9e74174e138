/* api/predict.c: rows of a matrix, divided between the members of the context's team. A row's results do not depend on the rows beside it, so
 * neither do they on the division. */
#include "api/arrow_columns.h"

#include <stdlib.h>
#include <string.h>

static bool grow(void **memory, uint64_t *have, uint64_t bytes) {
    if (bytes <= *have) return true;
    if (bytes > SIZE_MAX - 128) return false;
    void *more = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (more == NULL) return false;
    memset(more, 0, bytes); /* touched now */
    free(*memory);
    *memory = more;
    *have = bytes;
    return true;
}

uint32_t api_block_rows(const ride_predictor *p) {
    enum { BLOCK_VALUES = 1 << 20, ROWS_LEAST = 8 };
    const uint32_t rows = BLOCK_VALUES / (p->shape.columns_count + 1);
    return rows > API_BLOCK_ROWS ? API_BLOCK_ROWS : rows < ROWS_LEAST ? ROWS_LEAST : rows;
}

bool api_grow(ride_context *context, uint64_t bytes) {
    for (uint32_t i = 0; i < team_members(context->team); i++)
        if (!grow(&context->desks[i].scratch, &context->desks[i].scratch_bytes, bytes)) return false;
    return true;
}

ride_result api_reserve(ride_context *context, const ride_predictor *p, bool with_block) {
    const uint64_t block_bytes = with_block ? (uint64_t)api_block_rows(p) * p->shape.columns_count * sizeof(double) : 0;
    if (with_block && !arrow_columns_reserve(context, p->shape.columns_count))
        return api_fail(context, RIDE_RESULT_MEMORY, "no memory for %u columns", p->shape.columns_count);
    for (uint32_t i = 0; i < team_members(context->team); i++) {
        api_desk *desk = &context->desks[i];
        if (!grow(&desk->scratch, &desk->scratch_bytes, p->shape.scratch_bytes + 64) ||
            !grow(&desk->block, &desk->block_bytes, block_bytes))
            return api_fail(context, RIDE_RESULT_MEMORY, "no memory to work in for thread %u", i + 1);
    }
    return RIDE_RESULT_OK;
}

bool api_known(ride_number number) { return number == RIDE_NUMBER_F32 || number == RIDE_NUMBER_F64; }
static size_t number_bytes(ride_number number) { return number == RIDE_NUMBER_F32 ? sizeof(float) : sizeof(double); }
uint32_t api_type(ride_number number) { return number == RIDE_NUMBER_F32 ? RIDE_TYPE_F32 : RIDE_TYPE_F64; }
bool api_aligned(const void *at, ride_number number) { return (uintptr_t)at % number_bytes(number) == 0; }

ride_result api_results(ride_context *context, const ride_predictor *p, const ride_scores *out, uint64_t rows_count,
                        ride_rows *rows) {
    uint64_t bytes;
    if (out == NULL || (out->margins == NULL && out->answers == NULL))
        return api_fail(context, RIDE_RESULT_ARGUMENT, "neither margins nor answers are wanted");
    if (!api_known(out->number))
        return api_fail(context, RIDE_RESULT_ARGUMENT, "the results' number is %d, neither F32 nor F64",
                        (int)out->number);
    if (!api_aligned(out->margins, out->number) || !api_aligned(out->answers, out->number))
        return api_fail(context, RIDE_RESULT_ARGUMENT, "the results are not aligned");
    if (__builtin_mul_overflow(rows_count, (uint64_t)p->shape.outputs_count * sizeof(double), &bytes) ||
        bytes > INT64_MAX)
        return api_fail(context, RIDE_RESULT_ARGUMENT, "%llu rows are more than memory can hold",
                        (unsigned long long)rows_count);
    rows->out_type = api_type(out->number);
    rows->rows_count = rows_count;
    rows->margins = out->margins;
    rows->answers = out->answers;
    return RIDE_RESULT_OK;
}

void api_results_from(ride_rows *rows, const ride_predictor *p, uint64_t first) {
    const size_t at = first * p->shape.outputs_count * ride_type_bytes(rows->out_type);
    if (rows->margins != NULL) rows->margins = (uint8_t *)rows->margins + at;
    if (rows->answers != NULL) rows->answers = (uint8_t *)rows->answers + at;
}

typedef struct job {
    ride_context *context;
    const ride_predictor *predictor;
    ride_rows rows;
} job;

static ride_status score_piece(void *context, uint32_t member, uint64_t first, uint64_t count) {
    const job *j = context;
    ride_rows piece = j->rows;
    piece.rows_count = count;
    piece.values =
        (const uint8_t *)piece.values + (int64_t)first * piece.row_stride * (int64_t)ride_type_bytes(piece.type);
    api_results_from(&piece, j->predictor, first);
    return ride_model_rows_score(j->predictor->rows, &piece, j->context->desks[member].scratch);
}

/* Is |stride| * (count - 1) elements a distance that memory can have? */
static bool reaches(int64_t stride, uint64_t count) {
    const uint64_t size = stride < 0 ? -(uint64_t)stride : (uint64_t)stride;
    uint64_t elements;
    return count <= 1 || (!__builtin_mul_overflow(size, count - 1, &elements) && elements <= INT64_MAX / 32);
}

ride_result api_matrix(ride_context *context, const ride_predictor *p, const ride_matrix *m) {
    if (!api_known(m->number))
        return api_fail(context, RIDE_RESULT_ARGUMENT, "the matrix's number is %d, neither F32 nor F64",
                        (int)m->number);
    if (m->columns_count != p->shape.columns_count)
        return api_fail(context, RIDE_RESULT_ARGUMENT, "the matrix has %u columns, the model %u inputs",
                        m->columns_count, p->shape.columns_count);
    if (m->rows_count == 0) return RIDE_RESULT_OK;
    if (m->values == NULL || !api_aligned(m->values, m->number))
        return api_fail(context, RIDE_RESULT_ARGUMENT, "the matrix's values are NULL or not aligned");
    if (!reaches(m->row_stride, m->rows_count) || !reaches(m->column_stride, m->columns_count))
        return api_fail(context, RIDE_RESULT_ARGUMENT, "the matrix is larger than memory can be");
    return RIDE_RESULT_OK;
}

ride_result ride_reserve(ride_context *context, const ride_predictor *predictor) {
    if (context == NULL) return RIDE_RESULT_ARGUMENT;
    api_begin(context);
    if (predictor == NULL) return api_fail(context, RIDE_RESULT_ARGUMENT, "the predictor is NULL");
    return api_reserve(context, predictor, true);
}

ride_result ride_predict(ride_context *context, const ride_predictor *predictor, const ride_matrix *rows,
                         const ride_scores *out) {
    if (context == NULL) return RIDE_RESULT_ARGUMENT;
    api_begin(context);
    if (predictor == NULL || rows == NULL) return api_fail(context, RIDE_RESULT_ARGUMENT, "a pointer is NULL");
    job j = {.context = context, .predictor = predictor};
    ride_result result = api_matrix(context, predictor, rows);
    if (result == RIDE_RESULT_OK) result = api_results(context, predictor, out, rows->rows_count, &j.rows);
    if (result == RIDE_RESULT_OK) result = api_reserve(context, predictor, false);
    if (result != RIDE_RESULT_OK) return result;
    j.rows.values = rows->values;
    j.rows.type = api_type(rows->number);
    j.rows.row_stride = rows->row_stride;
    j.rows.column_stride = rows->column_stride;
    const ride_status st = team_run(context->team, rows->rows_count, API_PIECE_ROWS, score_piece, &j);
    return st == RIDE_OK ? RIDE_RESULT_OK : api_fail(context, api_result(st), "the rows cannot be scored");
}
