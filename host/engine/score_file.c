/* engine/score_file.c: lines of CSV or libsvm → a block of rows of doubles → the model → lines. What was read before a bad row is written. */
#include "engine/score_file.h"

#include "backend/registry.h"
#include "base/number.h"
#include "engine/lines.h"
#include "io/sink.h"
#include "models/rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_TEXT_MAX = 40, BLOCK_ROWS_MAX = 512, BLOCK_VALUES_MAX = 1 << 20 };

typedef struct job {
    const ride_ensemble *model;
    ride_model_rows *scorer;
    void *scratch;
    ride_lines lines;
    ride_sink *sink;
    ride_error *err;
    uint64_t rows;
    uint32_t *column_input; /* CSV: input of each column, UINT32_MAX = ignored */
    uint32_t columns_count;
    uint32_t block_rows_max, block_rows; /* rows that were read and not yet scored */
    double *block, *out;
    double *row; /* the next one, within the block */
    bool raw, members;
} job;

static ride_status bad(job *j, const char *what, ride_text part) {
    return ride_lines_bad(&j->lines, what, part, j->err);
}

static ride_status next_line(job *j, ride_text *line, bool *more) {
    return ride_lines_next(&j->lines, line, more, j->err);
}

/* The next cell of a CSV line; quotes round a whole cell are taken off. false when the line is used up. */
static bool next_cell(ride_text *rest, bool *last, ride_text *cell) {
    if (*last) return false;
    const char *comma = NULL, *end = rest->at + rest->bytes;
    const char *from = rest->at;
    if (rest->bytes > 1 && *from == '"') {
        const char *quote = memchr(from + 1, '"', rest->bytes - 1);
        if (quote != NULL) from = quote;
    }
    comma = memchr(from, ',', (size_t)(end - from));
    *last = comma == NULL;
    if (comma == NULL) comma = end;
    *cell = (ride_text){rest->at, (size_t)(comma - rest->at)};
    if (!*last) *rest = (ride_text){comma + 1, (size_t)(end - comma - 1)};
    if (cell->bytes >= 2 && cell->at[0] == '"' && cell->at[cell->bytes - 1] == '"') {
        cell->at++;
        cell->bytes -= 2;
    }
    return true;
}

static ride_status read_value(job *j, ride_text cell, const ride_model_input *input, double *out) {
    if (cell.bytes == 0 || ride_text_is(cell, "NaN") || ride_text_is(cell, "nan")) {
        *out = NAN;
        return RIDE_OK;
    }
    for (uint32_t i = 0; input->categories != NULL && i < input->categories_count; i++)
        if (ride_text_is(cell, input->categories[i])) {
            *out = i;
            return RIDE_OK;
        }
    if (input->categories != NULL) return bad(j, "a category that the model never saw", cell);
    if (ride_text_to_double(cell.at, cell.bytes, out)) return RIDE_OK;
    return bad(j, "a number was expected", cell);
}

static ride_status read_header(job *j, ride_text line) {
    const ride_ensemble *model = j->model;
    ride_text rest = line, cell;
    bool last = false;
    uint32_t count = 1, found = 0, column = 0;
    for (size_t i = 0; i < line.bytes; i++) count += line.at[i] == ',';
    j->column_input = malloc(count * sizeof *j->column_input);
    bool *seen = calloc(model->inputs_count + 1, sizeof *seen);
    if (j->column_input == NULL || seen == NULL) {
        free(seen);
        return ride_fail(j->err, RIDE_E_MEMORY, "no memory for %u columns", count);
    }
    ride_status st = RIDE_OK;
    while (st == RIDE_OK && next_cell(&rest, &last, &cell)) {
        uint32_t input = UINT32_MAX;
        if (!model->has_names && column < model->inputs_count) input = column;
        for (uint32_t i = 0; model->has_names && i < model->inputs_count; i++)
            if (ride_text_is(cell, model->inputs[i].name)) input = i;
        j->column_input[column++] = input;
        if (input == UINT32_MAX) continue;
        if (seen[input]) st = bad(j, "a column twice", cell);
        seen[input] = true;
        found++;
    }
    j->columns_count = column;
    if (st == RIDE_OK && !model->has_names && column != model->inputs_count)
        st = bad(j, "the model has no names and another number of columns; header", line);
    for (uint32_t i = 0; st == RIDE_OK && i < model->inputs_count; i++)
        if (!seen[i]) {
            st = bad(j, "the header lacks features of the model; header", line);
            ride_error_advice(j->err, "%u lacking, first `%.24s`", model->inputs_count - found, model->inputs[i].name);
        }
    free(seen);
    return st;
}

static ride_status read_csv_row(job *j, ride_text line) {
    ride_text rest = line, cell;
    bool last = false;
    uint32_t column = 0;
    while (next_cell(&rest, &last, &cell)) {
        if (column == j->columns_count) return bad(j, "more cells than the header has", line);
        uint32_t input = j->column_input[column++];
        if (input != UINT32_MAX) RIDE_TRY(read_value(j, cell, &j->model->inputs[input], &j->row[input]));
    }
    return column == j->columns_count ? RIDE_OK : bad(j, "fewer cells than the header has", line);
}

static bool next_word(ride_text *rest, ride_text *word) {
    const char *at = rest->at, *end = at + rest->bytes;
    while (at < end && (*at == ' ' || *at == '\t')) at++;
    word->at = at;
    while (at < end && *at != ' ' && *at != '\t') at++;
    word->bytes = (size_t)(at - word->at);
    *rest = (ride_text){at, (size_t)(end - at)};
    return word->bytes > 0;
}

static ride_status read_libsvm_row(job *j, ride_text line) {
    ride_text rest = line, word;
    double number;
    for (uint32_t i = 0; i < j->model->inputs_count; i++) j->row[i] = NAN;
    if (!next_word(&rest, &word) || !ride_text_to_double(word.at, word.bytes, &number))
        return bad(j, "a label was expected", line);
    while (next_word(&rest, &word)) {
        const char *colon = memchr(word.at, ':', word.bytes);
        uint64_t index;
        if (colon == NULL) return bad(j, "index:value was expected", word);
        ride_text left = {word.at, (size_t)(colon - word.at)}, right = {colon + 1, word.bytes - left.bytes - 1};
        if (ride_text_is(left, "qid")) continue;
        if (!ride_text_to_u64(left.at, left.bytes, &index) || index >= j->model->inputs_count)
            return bad(j, "no input of the model", word);
        if (ride_text_is(right, "nan") || ride_text_is(right, "NaN")) continue; /* missing, as when absent */
        if (!ride_text_to_double(right.at, right.bytes, &j->row[index])) return bad(j, "a number was expected", word);
    }
    return RIDE_OK;
}

static ride_status write_block(job *j) {
    const ride_rows_shape *shape = ride_model_rows_shape(j->scorer);
    const ride_rows rows = {.values = j->block,
                            .type = RIDE_TYPE_F64,
                            .out_type = RIDE_TYPE_F64,
                            .rows_count = j->block_rows,
                            .row_stride = j->model->inputs_count,
                            .column_stride = 1,
                            .margins = j->raw ? j->out : NULL,
                            .answers = j->raw ? NULL : j->out,
                            .members = j->members ? j->out + (size_t)j->block_rows * shape->outputs_count : NULL};
    const char *format = shape->out_type == RIDE_TYPE_F32 ? "%.9g" : "%.17g";
    const double *out = j->out, *member = rows.members;
    const uint32_t columns = shape->outputs_count + (j->members ? shape->members_count : 0);
    if (j->block_rows == 0) return RIDE_OK;
    const ride_status st = ride_model_rows_score(j->scorer, &rows, j->scratch);
    if (st != RIDE_OK) return ride_fail(j->err, st, "the rows cannot be scored");
    for (uint32_t r = 0; r < j->block_rows; r++, j->rows++)
        for (uint32_t i = 0; i < columns; i++) {
            char number[NUMBER_TEXT_MAX];
            const bool is_member = i >= shape->outputs_count;
            const double value = is_member ? *member++ : *out++;
            int bytes = is_member && isnan(value) ? 0 : snprintf(number, sizeof number, format, value);
            number[bytes++] = i + 1 < columns ? ',' : '\n';
            RIDE_TRY(ride_sink_write(j->sink, number, (size_t)bytes));
        }
    j->block_rows = 0;
    j->row = j->block;
    return RIDE_OK;
}

static ride_status row_is_read(job *j) {
    j->row += j->model->inputs_count;
    return ++j->block_rows == j->block_rows_max ? write_block(j) : RIDE_OK;
}

static bool looks_libsvm(ride_text line) {
    ride_text rest = line, word;
    double number;
    return memchr(line.at, ',', line.bytes) == NULL && next_word(&rest, &word) &&
           ride_text_to_double(word.at, word.bytes, &number);
}

static ride_status score_rows(job *j) {
    ride_text line;
    bool more, libsvm;
    RIDE_TRY(next_line(j, &line, &more));
    if (!more) {
        ride_status st = ride_fail(j->err, RIDE_E_DATA, "the input is empty");
        ride_error_where(j->err, "%s", j->lines.source->path);
        return st;
    }
    libsvm = looks_libsvm(line);
    if (!libsvm) {
        RIDE_TRY(read_header(j, line));
        RIDE_TRY(next_line(j, &line, &more));
    }
    while (more) {
        if (line.bytes > 0 || (!libsvm && j->columns_count == 1)) { /* one column: an empty line is a missing value */
            RIDE_TRY(libsvm ? read_libsvm_row(j, line) : read_csv_row(j, line));
            RIDE_TRY(row_is_read(j));
        }
        RIDE_TRY(next_line(j, &line, &more));
    }
    return RIDE_OK;
}

static ride_status job_open(job *j, ride_diagnostics *findings) {
    const uint32_t inputs_count = j->model->inputs_count > 0 ? j->model->inputs_count : 1;
    j->block_rows_max = BLOCK_VALUES_MAX / inputs_count;
    if (j->block_rows_max > BLOCK_ROWS_MAX) j->block_rows_max = BLOCK_ROWS_MAX;
    if (j->block_rows_max == 0) j->block_rows_max = 1;
    const ride_backend_ops *ops;
    ride_device *device;
    RIDE_TRY(ride_backend_here(&ops, &device, j->err));
    RIDE_TRY(ride_model_rows_create(j->model, ops, device, &j->scorer, findings));
    j->scratch = ride_model_rows_scratch(j->scorer);
    j->block = calloc((size_t)j->block_rows_max * inputs_count, sizeof *j->block);
    const ride_rows_shape *shape = ride_model_rows_shape(j->scorer);
    j->out = calloc((size_t)j->block_rows_max * (shape->outputs_count + shape->members_count), sizeof *j->out);
    j->row = j->block;
    return j->scratch != NULL && j->block != NULL && j->out != NULL
               ? RIDE_OK
               : ride_fail(j->err, RIDE_E_MEMORY, "no memory for %u rows", j->block_rows_max);
}

ride_status ride_score_file(const ride_ensemble *model, const char *input_path, const char *output_path, bool raw,
                            bool members, uint64_t *rows, ride_error *err) {
    ride_error local; /* somebody must hold the reason while the sink closes */
    memset(&local, 0, sizeof local);
    job j = {.model = model, .raw = raw, .members = members, .err = &local};
    ride_diagnostics *findings = calloc(1, sizeof *findings);
    ride_status st = findings != NULL ? job_open(&j, findings) : ride_fail(&local, RIDE_E_MEMORY, "no memory for rows");
    if (st != RIDE_OK && findings != NULL && findings->count > 0) ride_diagnostics_error(findings, &local);
    if (st == RIDE_OK) st = ride_source_open(input_path, 0, &j.lines.source, &local);
    if (st == RIDE_OK) st = ride_sink_open(output_path, NULL, &j.sink, &local);
    if (st == RIDE_OK) {
        st = score_rows(&j);
        ride_error writing = {0}, reading = local;
        j.err = &writing;
        const ride_status written = st == RIDE_OK || st == RIDE_E_DATA ? write_block(&j) : RIDE_OK;
        local = reading;
        if (written != RIDE_OK) {
            st = written;
            local = writing;
        }
    }
    if (j.sink != NULL) {
        ride_error closing;
        ride_status closed = ride_sink_close(j.sink, &closing);
        if (closed != RIDE_OK && (st == RIDE_OK || closed == st)) { /* a write that failed is told by the close */
            st = closed;
            local = closing;
        }
    }
    if (rows != NULL) *rows = j.rows;
    if (st != RIDE_OK && err != NULL) *err = local;
    ride_source_close(j.lines.source);
    ride_model_rows_destroy(j.scorer);
    if (findings != NULL) ride_diagnostics_free(findings);
    free(findings);
    free(j.column_input);
    free(j.scratch);
    free(j.block);
    free(j.out);
    return st;
}
