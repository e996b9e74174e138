/* engine/golden_file.c: blocks of rows through the engine, and what it gives beside what was expected. */
#include "engine/golden_file.h"

#include "backend/registry.h"
#include "base/number.h"
#include "engine/made_rows.h"
#include "engine/row_lines.h"
#include "io/sink.h"
#include "models/rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_ROWS_MAX = 512, BLOCK_VALUES_MAX = 1 << 20 };

/* A model made ready, and a block of rows with what came of them. */
typedef struct block {
    const ride_ensemble *model;
    ride_model_rows *scorer;
    void *scratch;
    uint32_t rows_max, rows, outputs_count;
    double *values, *expected; /* expected: margins, then answers, of each row */
    double *margins, *answers;
    uint64_t *lines;
} block;

static ride_status block_open(block *b, const ride_ensemble *model, ride_error *err) {
    const ride_backend_ops *ops;
    ride_device *device;
    ride_diagnostics *findings = calloc(1, sizeof *findings);
    const uint32_t inputs = model->inputs_count > 0 ? model->inputs_count : 1, outputs = model->outputs_count;
    *b = (block){.model = model, .rows_max = BLOCK_VALUES_MAX / inputs, .outputs_count = outputs};
    if (b->rows_max > BLOCK_ROWS_MAX) b->rows_max = BLOCK_ROWS_MAX;
    if (b->rows_max == 0) b->rows_max = 1;
    ride_status st = findings != NULL ? ride_backend_here(&ops, &device, err) : RIDE_E_MEMORY;
    if (st == RIDE_OK) {
        ride_diagnostics_init(findings);
        st = ride_model_rows_create(model, ops, device, &b->scorer, findings);
        if (st != RIDE_OK) ride_diagnostics_error(findings, err);
        ride_diagnostics_free(findings);
    }
    free(findings);
    if (st == RIDE_OK) {
        b->scratch = ride_model_rows_scratch(b->scorer);
        b->values = calloc((size_t)b->rows_max * inputs, sizeof *b->values);
        b->expected = calloc((size_t)b->rows_max * outputs * 2, sizeof *b->expected);
        b->margins = calloc((size_t)b->rows_max * outputs, sizeof *b->margins);
        b->answers = calloc((size_t)b->rows_max * outputs, sizeof *b->answers);
        b->lines = calloc(b->rows_max, sizeof *b->lines);
        if (b->scratch == NULL || b->values == NULL || b->expected == NULL || b->margins == NULL ||
            b->answers == NULL || b->lines == NULL)
            st = RIDE_E_MEMORY;
    }
    return st == RIDE_E_MEMORY ? ride_fail(err, st, "no memory for %u rows", b->rows_max) : st;
}

static void block_close(block *b) {
    ride_model_rows_destroy(b->scorer);
    free(b->scratch);
    free(b->values);
    free(b->expected);
    free(b->margins);
    free(b->answers);
    free(b->lines);
}

static ride_status block_score(block *b, ride_error *err) {
    const ride_rows rows = {.values = b->values,
                            .type = RIDE_TYPE_F64,
                            .out_type = RIDE_TYPE_F64,
                            .rows_count = b->rows,
                            .row_stride = b->model->inputs_count,
                            .column_stride = 1,
                            .margins = b->margins,
                            .answers = b->answers};
    if (b->rows == 0) return RIDE_OK;
    const ride_status st = ride_model_rows_score(b->scorer, &rows, b->scratch);
    return st == RIDE_OK ? st : ride_fail(err, st, "the rows cannot be scored");
}

/* ---- check ---- */

/* Numbers in their order as whole numbers, so that neighbours differ by one; both zeros are 0. */
static int64_t order_of(double value, bool is_float) {
    if (is_float) {
        const float f = (float)value;
        int32_t bits;
        memcpy(&bits, &f, sizeof bits);
        return bits < 0 ? (int64_t)INT32_MIN - bits : bits;
    }
    int64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits < 0 ? INT64_MIN - bits : bits;
}

static uint64_t ulps_between(double a, double b, bool is_float) {
    if (isnan(a) || isnan(b)) return isnan(a) && isnan(b) ? 0 : UINT64_MAX;
    const int64_t x = order_of(a, is_float), y = order_of(b, is_float);
    return x > y ? (uint64_t)x - (uint64_t)y : (uint64_t)y - (uint64_t)x;
}

static void compare(const block *b, const ride_golden_options *options, bool is_answer, ride_golden_result *out) {
    const double *found = is_answer ? b->answers : b->margins;
    for (uint32_t r = 0; r < b->rows; r++)
        for (uint32_t o = 0; o < b->outputs_count; o++, found++) {
            const double given = b->expected[((size_t)2 * r + is_answer) * b->outputs_count + o];
            const double expected = out->is_float ? (double)(float)given : given; /* texts of floats are short */
            if (isnan(expected)) continue;
            const uint64_t ulps = ulps_between(*found, expected, out->is_float);
            const double size = fabs(expected) > 1.0 ? fabs(expected) : 1.0;
            const double difference =
                *found == expected ? 0.0 : fabs(*found - expected) / size; /* infinities are equal too */
            uint64_t *most = is_answer ? &out->answer_ulps : &out->margin_ulps;
            ++*(is_answer ? &out->answers : &out->margins);
            if (ulps > *most) *most = ulps;
            if (!(difference <= out->difference)) out->difference = difference;
            const bool is_good = options->bound > 0.0
                                     ? difference <= options->bound
                                     : ulps <= (is_answer ? options->answer_ulps : options->margin_ulps);
            if (is_good) continue;
            if (out->misses < RIDE_GOLDEN_SHOWN)
                out->shown[out->misses] = (ride_golden_miss){b->lines[r], o, is_answer, expected, *found};
            out->misses++;
        }
}

static ride_status check_block(block *b, const ride_golden_options *options, ride_golden_result *out, ride_error *err) {
    RIDE_TRY(block_score(b, err));
    compare(b, options, false, out);
    compare(b, options, true, out);
    out->rows += b->rows;
    b->rows = 0;
    return RIDE_OK;
}

static ride_status check_rows(block *b, ride_row_lines *lines, const ride_golden_options *options,
                              ride_golden_result *out, ride_error *err) {
    bool more = true;
    while (more) {
        RIDE_TRY(ride_row_lines_next(lines, b->values + (size_t)b->rows * b->model->inputs_count,
                                     b->expected + (size_t)2 * b->rows * b->outputs_count, &more, err));
        if (more) b->lines[b->rows++] = lines->lines.line;
        if (b->rows == b->rows_max || !more) RIDE_TRY(check_block(b, options, out, err));
    }
    if (out->margins + out->answers > 0) return RIDE_OK;
    ride_status st = ride_fail(err, RIDE_E_DATA, "nothing to compare: no margin or answer in it");
    ride_error_where(err, "%s", lines->lines.source->path);
    ride_error_advice(err, "columns margin0 … or answer0 …");
    return st;
}

ride_status ride_golden_check(const ride_ensemble *model, const char *path, const ride_golden_options *options,
                              ride_golden_result *out, ride_error *err) {
    block b;
    ride_row_lines lines = {0};
    memset(out, 0, sizeof *out);
    ride_status st = block_open(&b, model, err);
    if (st == RIDE_OK) {
        out->is_float = ride_model_rows_shape(b.scorer)->out_type == RIDE_TYPE_F32;
        st = ride_row_lines_open(path, model, true, &lines, err);
    }
    if (st == RIDE_OK) st = check_rows(&b, &lines, options, out, err);
    ride_row_lines_close(&lines);
    block_close(&b);
    return st;
}

/* ---- write ---- */

static ride_status put_number(ride_sink *sink, double value, bool is_float, char end) {
    char text[RIDE_NUMBER_BYTES + 1];
    size_t bytes = !isfinite(value) ? 0
                   : is_float       ? ride_float_to_text((float)value, text)
                                    : ride_double_to_text(value, text);
    text[bytes++] = end;
    return ride_sink_write(sink, text, bytes);
}

static ride_status put_text(ride_sink *sink, const char *text, char end) {
    const bool quoted = strpbrk(text, ", ") != NULL || *text == '\0';
    if (quoted) RIDE_TRY(ride_sink_write(sink, "\"", 1));
    RIDE_TRY(ride_sink_write(sink, text, strlen(text)));
    if (quoted) RIDE_TRY(ride_sink_write(sink, "\"", 1));
    return ride_sink_write(sink, &end, 1);
}

static ride_status put_header(const block *b, ride_sink *sink) {
    char name[32];
    for (uint32_t i = 0; i < b->model->inputs_count; i++) {
        snprintf(name, sizeof name, "x%u", i);
        RIDE_TRY(put_text(sink, b->model->has_names ? b->model->inputs[i].name : name, ','));
    }
    for (uint32_t k = 0; k < 2 * b->outputs_count; k++) {
        const bool is_answer = k >= b->outputs_count;
        snprintf(name, sizeof name, "%s%u", is_answer ? "answer" : "margin", is_answer ? k - b->outputs_count : k);
        RIDE_TRY(put_text(sink, name, k + 1 < 2 * b->outputs_count ? ',' : '\n'));
    }
    return RIDE_OK;
}

static ride_status put_rows(block *b, ride_sink *sink, ride_error *err) {
    const uint32_t outputs = b->outputs_count;
    const bool is_float = ride_model_rows_shape(b->scorer)->out_type == RIDE_TYPE_F32;
    RIDE_TRY(block_score(b, err));
    for (uint32_t r = 0; r < b->rows; r++) {
        const double *row = b->values + (size_t)r * b->model->inputs_count;
        for (uint32_t i = 0; i < b->model->inputs_count; i++) {
            const ride_model_input *input = &b->model->inputs[i];
            if (input->categories != NULL && row[i] >= 0.0 && row[i] < input->categories_count)
                RIDE_TRY(put_text(sink, input->categories[(uint32_t)row[i]], ','));
            else RIDE_TRY(put_number(sink, row[i], false, ','));
        }
        for (uint32_t k = 0; k < 2 * outputs; k++) {
            const double value = k < outputs ? b->margins[r * outputs + k] : b->answers[r * outputs + k - outputs];
            RIDE_TRY(put_number(sink, value, is_float, k + 1 < 2 * outputs ? ',' : '\n'));
        }
    }
    b->rows = 0;
    return RIDE_OK;
}

/* The next row of the file, or a made one. */
static ride_status next_row(block *b, ride_row_lines *lines, ride_made_rows *made, uint64_t left, bool *more,
                            ride_error *err) {
    double *row = b->values + (size_t)b->rows * b->model->inputs_count;
    if (made == NULL) return ride_row_lines_next(lines, row, NULL, more, err);
    *more = left > 0;
    if (*more) ride_made_rows_next(made, row);
    return RIDE_OK;
}

static ride_status write_rows(block *b, ride_row_lines *lines, ride_made_rows *made, uint64_t rows_count,
                              ride_sink *sink, uint64_t *rows, ride_error *err) {
    bool more = true;
    RIDE_TRY(put_header(b, sink));
    while (more) {
        RIDE_TRY(next_row(b, lines, made, rows_count - *rows, &more, err));
        if (more) b->rows++, ++*rows;
        if (b->rows == b->rows_max || !more) RIDE_TRY(put_rows(b, sink, err));
    }
    return RIDE_OK;
}

ride_status ride_golden_write(const ride_ensemble *model, const char *input_path, uint64_t rows_count, const char *path,
                              uint64_t *rows, ride_error *err) {
    block b;
    ride_row_lines lines = {0};
    ride_made_rows *made = NULL;
    ride_sink *sink = NULL;
    uint64_t written = 0;
    ride_status st = block_open(&b, model, err);
    if (st == RIDE_OK && input_path != NULL)
        st = ride_row_lines_open(input_path, model, true, &lines, err); /* a golden file too */
    if (st == RIDE_OK && input_path == NULL && (made = ride_made_rows_create(model)) == NULL)
        st = ride_fail(err, RIDE_E_MEMORY, "no memory for %u inputs", model->inputs_count);
    if (st == RIDE_OK) st = ride_sink_open(path, NULL, &sink, err);
    if (st == RIDE_OK) st = write_rows(&b, &lines, made, rows_count, sink, &written, err);
    if (sink != NULL) { /* a write that failed is told by the close */
        ride_error closing;
        const ride_status closed = ride_sink_close(sink, &closing);
        if (closed != RIDE_OK && (st == RIDE_OK || st == closed)) *err = closing, st = closed;
    }
    if (rows != NULL) *rows = written;
    ride_made_rows_destroy(made);
    ride_row_lines_close(&lines);
    block_close(&b);
    return st;
}
