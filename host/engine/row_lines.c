/* engine/row_lines.c: CSV or libsvm → a row of doubles, missing values NaN. */
#include "engine/row_lines.h"

#include "base/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ride_status bad(ride_row_lines *j, const char *what, ride_text part, ride_error *err) {
    return ride_lines_bad(&j->lines, what, part, err);
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

static ride_status read_value(ride_row_lines *j, ride_text cell, const ride_model_input *input, double *out,
                              ride_error *err) {
    if (cell.bytes == 0 || ride_text_is(cell, "NaN") || ride_text_is(cell, "nan")) {
        *out = NAN;
        return RIDE_OK;
    }
    for (uint32_t i = 0; input->categories != NULL && i < input->categories_count; i++)
        if (ride_text_is(cell, input->categories[i])) {
            *out = i;
            return RIDE_OK;
        }
    if (input->categories != NULL) return bad(j, "a category that the model never saw", cell, err);
    if (ride_text_to_double(cell.at, cell.bytes, out)) return RIDE_OK;
    return bad(j, "a number was expected", cell, err);
}

/* Which expected result a column is: "margin", "margin0" … are 0 …, "answer", "answer0" … come behind. UINT32_MAX: none. */
static uint32_t expected_of(const ride_row_lines *j, ride_text cell) {
    static const char *const words[] = {"margin", "answer"};
    char name[32];
    for (uint32_t k = 0; j->wants_expected && k < 2; k++)
        for (uint32_t o = 0; o < j->model->outputs_count; o++) {
            snprintf(name, sizeof name, "%s%u", words[k], o);
            if (ride_text_is(cell, name) || (j->model->outputs_count == 1 && ride_text_is(cell, words[k])))
                return k * j->model->outputs_count + o;
        }
    return UINT32_MAX;
}

static ride_status read_header(ride_row_lines *j, ride_text line, ride_error *err) {
    const ride_ensemble *model = j->model;
    ride_text rest = line, cell;
    bool last = false;
    uint32_t count = 1, found = 0, column = 0;
    for (size_t i = 0; i < line.bytes; i++) count += line.at[i] == ',';
    j->column_input = malloc(count * sizeof *j->column_input);
    bool *seen = calloc(model->inputs_count + 1, sizeof *seen);
    if (j->column_input == NULL || seen == NULL) {
        free(seen);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for %u columns", count);
    }
    ride_status st = RIDE_OK;
    while (st == RIDE_OK && next_cell(&rest, &last, &cell)) {
        uint32_t input = UINT32_MAX;
        if (!model->has_names && column < model->inputs_count) input = column;
        for (uint32_t i = 0; model->has_names && i < model->inputs_count; i++)
            if (ride_text_is(cell, model->inputs[i].name)) input = i;
        const uint32_t expected = input == UINT32_MAX ? expected_of(j, cell) : UINT32_MAX;
        if (expected != UINT32_MAX) {
            j->has_margins |= expected < model->outputs_count;
            j->has_answers |= expected >= model->outputs_count;
            j->expected_count++;
            input = model->inputs_count + expected;
        }
        j->column_input[column++] = input;
        if (input == UINT32_MAX || expected != UINT32_MAX) continue;
        if (seen[input]) st = bad(j, "a column twice", cell, err);
        seen[input] = true;
        found++;
    }
    j->columns_count = column;
    if (st == RIDE_OK && !model->has_names && column - j->expected_count != model->inputs_count)
        st = bad(j, "the model has no names and another number of columns; header", line, err);
    for (uint32_t i = 0; st == RIDE_OK && i < model->inputs_count; i++)
        if (!seen[i]) {
            st = bad(j, "the header lacks features of the model; header", line, err);
            ride_error_advice(err, "%u lacking, first `%.24s`", model->inputs_count - found, model->inputs[i].name);
        }
    free(seen);
    return st;
}

static ride_status read_csv_row(ride_row_lines *j, ride_text line, double *row, double *expected, ride_error *err) {
    ride_text rest = line, cell;
    bool last = false;
    uint32_t column = 0;
    while (next_cell(&rest, &last, &cell)) {
        if (column == j->columns_count) return bad(j, "more cells than the header has", line, err);
        uint32_t input = j->column_input[column++];
        static const ride_model_input number;
        if (input == UINT32_MAX) continue;
        const bool is_input = input < j->model->inputs_count;
        if (!is_input && expected == NULL) continue;
        RIDE_TRY(read_value(j, cell, is_input ? &j->model->inputs[input] : &number,
                            is_input ? &row[input] : &expected[input - j->model->inputs_count], err));
    }
    return column == j->columns_count ? RIDE_OK : bad(j, "fewer cells than the header has", line, err);
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

static ride_status read_libsvm_row(ride_row_lines *j, ride_text line, double *row, ride_error *err) {
    ride_text rest = line, word;
    double number;
    for (uint32_t i = 0; i < j->model->inputs_count; i++) row[i] = NAN;
    if (!next_word(&rest, &word) || !ride_text_to_double(word.at, word.bytes, &number))
        return bad(j, "a label was expected", line, err);
    while (next_word(&rest, &word)) {
        const char *colon = memchr(word.at, ':', word.bytes);
        uint64_t index;
        if (colon == NULL) return bad(j, "index:value was expected", word, err);
        ride_text left = {word.at, (size_t)(colon - word.at)}, right = {colon + 1, word.bytes - left.bytes - 1};
        if (ride_text_is(left, "qid")) continue;
        if (!ride_text_to_u64(left.at, left.bytes, &index) || index >= j->model->inputs_count)
            return bad(j, "no input of the model", word, err);
        if (ride_text_is(right, "nan") || ride_text_is(right, "NaN")) continue; /* missing, as when absent */
        if (!ride_text_to_double(right.at, right.bytes, &row[index])) return bad(j, "a number was expected", word, err);
    }
    return RIDE_OK;
}

static bool looks_libsvm(ride_text line) {
    ride_text rest = line, word;
    double number;
    return memchr(line.at, ',', line.bytes) == NULL && next_word(&rest, &word) &&
           ride_text_to_double(word.at, word.bytes, &number);
}

ride_status ride_row_lines_open(const char *path, const ride_ensemble *model, bool wants_expected, ride_row_lines *out,
                                ride_error *err) {
    *out = (ride_row_lines){.model = model, .wants_expected = wants_expected};
    return ride_source_open(path, 0, &out->lines.source, err);
}

void ride_row_lines_close(ride_row_lines *j) {
    ride_source_close(j->lines.source);
    free(j->column_input);
    *j = (ride_row_lines){0};
}

static ride_status begin(ride_row_lines *j, ride_text *line, bool *more, ride_error *err) {
    j->begun = true;
    if (!*more) {
        ride_status st = ride_fail(err, RIDE_E_DATA, "the input is empty");
        ride_error_where(err, "%s", j->lines.source->path);
        return st;
    }
    j->libsvm = looks_libsvm(*line);
    if (j->libsvm) return RIDE_OK;
    RIDE_TRY(read_header(j, *line, err));
    return ride_lines_next(&j->lines, line, more, err);
}

ride_status ride_row_lines_next(ride_row_lines *j, double *row, double *expected, bool *more, ride_error *err) {
    ride_text line;
    RIDE_TRY(ride_lines_next(&j->lines, &line, more, err));
    if (!j->begun) RIDE_TRY(begin(j, &line, more, err));
    /* one column: an empty line is a missing value */
    while (*more && line.bytes == 0 && (j->libsvm || j->columns_count != 1))
        RIDE_TRY(ride_lines_next(&j->lines, &line, more, err));
    if (!*more) return RIDE_OK;
    for (uint32_t i = 0; expected != NULL && i < 2 * j->model->outputs_count; i++) expected[i] = NAN;
    return j->libsvm ? read_libsvm_row(j, line, row, err) : read_csv_row(j, line, row, expected, err);
}
