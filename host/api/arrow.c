/* api/arrow.c: an Arrow array of rows → blocks of columns → rows_score. Each column that the model wants is looked at once a call (its type, where
 * its values are, what a dictionary's entries mean); then each member of the team turns blocks of rows into columns of its own.
 *
 * A value goes to the model's own input type in one rounding, as the trainers do it: an int64 becomes a float at once, not by way of a double. */
#include "api/arrow.h"
#include "api/arrow_columns.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

typedef struct job {
    ride_context *context;
    const ride_predictor *predictor;
    const struct ArrowArray *array;
    const uint8_t *validity; /* of whole rows, or NULL */
    ride_rows rows;
    _Atomic uint64_t bad; /* row << 32 | input + 1 of an unknown category; rows beyond 2^32 are told as the last such */
} job;

static ride_status score_block(job *j, api_desk *desk, uint64_t first, uint32_t count, uint32_t stride) {
    const ride_rows_shape *shape = &j->predictor->shape;
    const size_t size = ride_type_bytes(shape->in_type);
    for (uint32_t i = 0; i < shape->columns_count; i++) {
        uint32_t row;
        void *to = (uint8_t *)desk->block + (size_t)i * stride * size;
        if (arrow_column_read(&j->context->columns[i], j->validity, j->array->offset, first, count, shape->in_type, to,
                              &row))
            continue;
        const uint64_t at = first + row < UINT32_MAX ? first + row : UINT32_MAX;
        atomic_store(&j->bad, at << 32 | (i + 1));
        return RIDE_E_DATA;
    }
    ride_rows block = j->rows;
    block.values = desk->block;
    block.rows_count = count;
    block.row_stride = 1;
    block.column_stride = stride;
    api_results_from(&block, j->predictor, first);
    return ride_model_rows_score(j->predictor->rows, &block, desk->scratch);
}

static ride_status score_piece(void *context, uint32_t member, uint64_t first, uint64_t count) {
    job *j = context;
    const uint32_t stride = api_block_rows(j->predictor);
    for (uint64_t at = first; at < first + count; at += stride) {
        const uint64_t left = first + count - at;
        RIDE_TRY(score_block(j, &j->context->desks[member], at, left < stride ? (uint32_t)left : stride, stride));
    }
    return RIDE_OK;
}

static ride_result check_array(ride_context *context, const struct ArrowArray *array,
                               const struct ArrowSchema *schema) {
    if (schema->format == NULL || strcmp(schema->format, "+s") != 0)
        return api_fail(context, RIDE_RESULT_ARGUMENT,
                        "the Arrow array is no struct array (a record batch), but `%.20s`",
                        schema->format != NULL ? schema->format : "");
    int64_t end;
    if (array->length < 0 || array->offset < 0 || __builtin_add_overflow(array->offset, array->length, &end) ||
        array->n_children != schema->n_children || array->n_children < 0 || array->n_children > UINT32_MAX ||
        (array->n_children > 0 && (array->children == NULL || schema->children == NULL)))
        return api_fail(context, RIDE_RESULT_ARGUMENT, "the Arrow array is not well formed");
    return RIDE_RESULT_OK;
}

static ride_result column_of(ride_context *context, const ride_predictor *p, const struct ArrowArray *array,
                             const struct ArrowSchema *schema, uint32_t child, uint32_t input) {
    if (array->children[child] == NULL || schema->children[child] == NULL)
        return api_fail(context, RIDE_RESULT_ARGUMENT, "column %u of the Arrow array is NULL", child);
    if (context->columns[input].is_there)
        return api_fail(context, RIDE_RESULT_ARGUMENT, "the column `%.80s` is there twice", p->inputs[input].name);
    return arrow_column_open(context, &p->inputs[input], array->children[child], schema->children[child],
                             array->offset + array->length, &context->columns[input]);
}

/* Which column is which input. */
static ride_result columns_find(ride_context *context, const ride_predictor *p, const struct ArrowArray *array,
                                const struct ArrowSchema *schema) {
    const uint32_t count = p->shape.columns_count, children = (uint32_t)array->n_children;
    if (p->names_sorted == NULL) {
        if (children != count)
            return api_fail(context, RIDE_RESULT_ARGUMENT,
                            "the Arrow array has %u columns, the model %u inputs without names", children, count);
        for (uint32_t i = 0; i < count; i++) {
            const ride_result result = column_of(context, p, array, schema, i, i);
            if (result != RIDE_RESULT_OK) return result;
        }
        return RIDE_RESULT_OK;
    }
    for (uint32_t i = 0; i < children; i++) {
        const char *name = schema->children[i] != NULL ? schema->children[i]->name : NULL;
        const int64_t input = name != NULL ? api_find(p->names_sorted, count, name, strlen(name)) : -1;
        if (input < 0) continue;
        const ride_result result = column_of(context, p, array, schema, i, (uint32_t)input);
        if (result != RIDE_RESULT_OK) return result;
    }
    uint32_t missing = 0, first = 0;
    for (uint32_t i = count; i-- > 0;)
        if (!context->columns[i].is_there) missing++, first = i;
    return missing == 0
               ? RIDE_RESULT_OK
               : api_fail(context, RIDE_RESULT_ARGUMENT, "%u of the model's %u inputs have no column, first `%.80s`",
                          missing, count, p->inputs[first].name);
}

static ride_result columns_open(ride_context *context, const ride_predictor *p, const struct ArrowArray *array,
                                const struct ArrowSchema *schema) {
    for (uint32_t i = 0; i < context->columns_max; i++) context->columns[i].is_there = false;
    return columns_find(context, p, array, schema);
}

static ride_result told(job *j, ride_status st) {
    const uint64_t bad = atomic_load(&j->bad);
    if (st == RIDE_OK) return RIDE_RESULT_OK;
    if (bad == 0) return api_fail(j->context, api_result(st), "the rows cannot be scored");
    const uint32_t input = (uint32_t)bad - 1;
    const char *name = j->predictor->inputs[input].name;
    return api_fail(j->context, RIDE_RESULT_DATA, "row %llu: a category of input %u%s%.80s%s that the model never saw",
                    (unsigned long long)(bad >> 32), input, name != NULL ? " (`" : "", name != NULL ? name : "",
                    name != NULL ? "`)" : "");
}

ride_result ride_predict_arrow(ride_context *context, const ride_predictor *predictor, const struct ArrowArray *array,
                               const struct ArrowSchema *schema, const ride_scores *out) {
    if (context == NULL) return RIDE_RESULT_ARGUMENT;
    api_begin(context);
    if (predictor == NULL || array == NULL || schema == NULL)
        return api_fail(context, RIDE_RESULT_ARGUMENT, "a pointer is NULL");
    job j = {.context = context, .predictor = predictor, .array = array};
    ride_result result = check_array(context, array, schema);
    if (result == RIDE_RESULT_OK) result = api_reserve(context, predictor, true);
    if (result == RIDE_RESULT_OK) result = columns_open(context, predictor, array, schema);
    if (result == RIDE_RESULT_OK) result = api_results(context, predictor, out, (uint64_t)array->length, &j.rows);
    if (result != RIDE_RESULT_OK) return result;
    if (array->null_count != 0 && array->n_buffers > 0 && array->buffers != NULL) j.validity = array->buffers[0];
    j.rows.type = predictor->shape.in_type;
    return told(&j, team_run(context->team, (uint64_t)array->length, API_PIECE_ROWS, score_piece, &j));
}
