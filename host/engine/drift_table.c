/* engine/drift_table.c: see drift_table.h. */
#include "engine/drift_table.h"

#include "base/number.h"
#include "kernels/layout/profile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_FIRST = 4096, PROGRESS_ROWS = 16384 };

/* Splits a line into cells; quotes are taken off into `quoted`, which is as long as a line can be. Returns how many cells there are, of
 * which the first cells_max are in `cells`; 0: quotes that do not match. */
static uint32_t split(ride_text line, ride_text *cells, uint32_t cells_max, char *quoted) {
    const char *at = line.at, *end = line.at + line.bytes;
    uint32_t count = 0;
    for (;;) {
        ride_text cell = {at, 0};
        if (at < end && *at == '"') {
            char *to = quoted;
            cell.at = to;
            for (at++;; at++) {
                const char *quote = memchr(at, '"', (size_t)(end - at));
                if (quote == NULL) return 0;
                memcpy(to, at, (size_t)(quote - at));
                to += quote - at;
                at = quote + 1;
                if (at == end || *at != '"') break;
                *to++ = '"'; /* a double one stands for one */
            }
            cell.bytes = (size_t)(to - cell.at);
            quoted = to;
            if (at < end && *at != ',') return 0;
        } else {
            const char *comma = memchr(at, ',', (size_t)(end - at));
            at = comma != NULL ? comma : end;
            cell.bytes = (size_t)(at - cell.at);
        }
        if (count < cells_max) cells[count] = cell;
        count++;
        if (at == end) return count;
        at++;
    }
}

static ride_status read_header(ride_drift_tables *t, ride_drift_side *side, ride_error *err) {
    ride_text line;
    bool more;
    RIDE_TRY(ride_lines_next(&side->lines, &line, &more, err));
    if (!more) {
        ride_fail(err, RIDE_E_DATA, "the input is empty");
        ride_error_where(err, "%s", side->lines.source->path);
        return RIDE_E_DATA;
    }
    if (line.bytes >= 3 && memcmp(line.at, "\xEF\xBB\xBF", 3) == 0) line = (ride_text){line.at + 3, line.bytes - 3};
    uint32_t count = split(line, t->cells, RIDE_DRIFT_COLUMNS_MAX, t->quoted);
    if (count == 0) return ride_lines_bad(&side->lines, "quotes of the header do not match", line, err);
    if (count > RIDE_DRIFT_COLUMNS_MAX) return ride_lines_bad(&side->lines, "too many columns", line, err);
    side->names = ride_arena_new(t->arena, const char *, count);
    side->at = ride_arena_new(t->arena, ride_drift_column *, count);
    ride_words *seen = NULL;
    ride_status st = side->names != NULL && side->at != NULL ? ride_words_create(&seen, err)
                                                             : ride_fail(err, RIDE_E_MEMORY, "no memory for a header");
    for (uint32_t i = 0, number; st == RIDE_OK && i < count; i++) {
        side->names[i] = ride_arena_text(t->arena, t->cells[i].at, t->cells[i].bytes);
        if (side->names[i] == NULL) st = ride_fail(err, RIDE_E_MEMORY, "no memory for a header");
        else st = ride_words_number(seen, t->cells[i], &number, err);
        if (st == RIDE_OK && number != i) st = ride_lines_bad(&side->lines, "a column twice", t->cells[i], err);
    }
    side->names_count = count;
    ride_words_destroy(seen);
    return st;
}

ride_status ride_drift_tables_open(ride_drift_tables *t, const char *const paths[RIDE_DRIFT_SIDES], ride_error *err) {
    RIDE_TRY(ride_arena_create(1 << 16, 0, &t->arena, err));
    t->quoted = malloc(RIDE_LINE_BYTES_MAX + RIDE_SOURCE_CHUNK_BYTES);
    t->cells = malloc(RIDE_DRIFT_COLUMNS_MAX * sizeof *t->cells);
    if (t->quoted == NULL || t->cells == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a line");
    for (uint32_t s = 0; s < RIDE_DRIFT_SIDES; s++) {
        RIDE_TRY(ride_source_open(paths[s], 0, &t->sides[s].lines.source, err));
        RIDE_TRY(read_header(t, &t->sides[s], err));
    }
    return RIDE_OK;
}

static void leave_out(ride_drift_column *column) {
    column->is_left_out = true;
    for (uint32_t s = 0; s < RIDE_DRIFT_SIDES; s++) {
        free(column->values[s]);
        column->values[s] = NULL;
    }
}

static ride_status put_word(ride_drift_column *column, ride_text text, double *out, ride_error *err) {
    uint32_t number;
    RIDE_TRY(ride_words_number(column->words, text, &number, err));
    *out = number;
    if (!column->is_asked && ride_words_count(column->words) > RIDE_PROFILE_EDGES_MAX) leave_out(column);
    return RIDE_OK;
}

static ride_status put_number_word(ride_drift_column *column, double number, double *out, ride_error *err) {
    char text[RIDE_NUMBER_BYTES];
    size_t bytes;
    if (isinf(number)) bytes = (size_t)(stpcpy(text, number < 0 ? "-inf" : "inf") - text);
    else bytes = ride_double_to_text(number + 0.0, text);
    return put_word(column, (ride_text){text, bytes}, out, err);
}

/* What was numbers so far becomes text, in both files. */
static ride_status turn_to_text(ride_drift_tables *t, ride_drift_column *column, ride_error *err) {
    RIDE_TRY(ride_words_create(&column->words, err));
    for (uint32_t s = 0; s < RIDE_DRIFT_SIDES; s++)
        for (uint64_t row = 0; row < t->sides[s].rows_count && !column->is_left_out; row++) {
            double number = column->values[s][row];
            if (!isnan(number)) RIDE_TRY(put_number_word(column, number, &column->values[s][row], err));
            if (column->is_left_out) break;
        }
    return RIDE_OK;
}

static bool read_number(ride_text cell, double *out) {
    while (cell.bytes > 0 && (*cell.at == ' ' || *cell.at == '\t')) cell.at++, cell.bytes--;
    while (cell.bytes > 0 && (cell.at[cell.bytes - 1] == ' ' || cell.at[cell.bytes - 1] == '\t')) cell.bytes--;
    if (cell.bytes == 0 || ride_text_is(cell, "NaN") || ride_text_is(cell, "nan")) *out = NAN;
    else if (ride_text_is(cell, "inf")) *out = INFINITY;
    else if (ride_text_is(cell, "-inf")) *out = -INFINITY;
    else return ride_text_to_double(cell.at, cell.bytes, out);
    return true;
}

static ride_status put_cell(ride_drift_tables *t, uint32_t s, ride_drift_column *column, ride_text cell,
                            ride_error *err) {
    uint64_t row = t->sides[s].rows_count;
    double number, value;
    bool is_number = read_number(cell, &number);
    if (!is_number && column->words == NULL) RIDE_TRY(turn_to_text(t, column, err));
    if (column->is_left_out) return RIDE_OK;
    if (is_number && (column->words == NULL || isnan(number))) value = number;
    else if (is_number) RIDE_TRY(put_number_word(column, number, &value, err));
    else RIDE_TRY(put_word(column, cell, &value, err));
    if (!column->is_left_out) column->values[s][row] = value;
    return RIDE_OK;
}

static ride_status make_room(ride_drift_tables *t, uint32_t s, ride_error *err) {
    ride_drift_side *side = &t->sides[s];
    if (side->rows_count < side->rows_max) return RIDE_OK;
    uint64_t rows_max = side->rows_max == 0 ? ROWS_FIRST : side->rows_max + side->rows_max / 2;
    for (uint32_t i = 0; i < t->columns_count; i++) {
        if (t->columns[i].is_left_out) continue;
        double *more = realloc(t->columns[i].values[s], rows_max * sizeof *more);
        if (more == NULL) {
            ride_fail(err, RIDE_E_MEMORY, "no memory for %llu rows of %u columns", (unsigned long long)rows_max,
                      t->columns_count);
            ride_error_advice(err, "compare fewer columns at a time: --columns");
            return RIDE_E_MEMORY;
        }
        t->columns[i].values[s] = more;
    }
    side->rows_max = rows_max;
    return RIDE_OK;
}

static void tell(const ride_drift_tables *t, const ride_drift_side *side) {
    uint64_t done, total;
    if (t->progress == NULL) return;
    ride_source_progress(side->lines.source, &done, &total);
    t->progress(t->progress_context, side->lines.source->path, done, total);
}

static ride_status read_rows(ride_drift_tables *t, uint32_t s, ride_error *err) {
    ride_drift_side *side = &t->sides[s];
    for (;;) {
        ride_text line;
        bool more;
        RIDE_TRY(ride_lines_next(&side->lines, &line, &more, err));
        if (!more) break;
        if (line.bytes == 0 && side->names_count > 1) continue; /* with one column an empty line is a missing value */
        uint32_t count = split(line, t->cells, side->names_count, t->quoted);
        if (count == 0) return ride_lines_bad(&side->lines, "quotes do not match", line, err);
        if (count != side->names_count) {
            ride_lines_bad(&side->lines,
                           count < side->names_count ? "fewer cells than the header has"
                                                     : "more cells than the header has",
                           line, err);
            ride_error_advice(err, "the header has %u, this line %u", side->names_count, count);
            return RIDE_E_DATA;
        }
        RIDE_TRY(make_room(t, s, err));
        for (uint32_t i = 0; i < count; i++)
            if (side->at[i] != NULL && !side->at[i]->is_left_out)
                RIDE_TRY(put_cell(t, s, side->at[i], t->cells[i], err));
        side->rows_count++;
        if (side->rows_count % PROGRESS_ROWS == 0) tell(t, side);
    }
    if (side->rows_count > 0) return RIDE_OK;
    ride_fail(err, RIDE_E_DATA, "there is a header and no row");
    ride_error_where(err, "%s", side->lines.source->path);
    return RIDE_E_DATA;
}

ride_status ride_drift_tables_read(ride_drift_tables *t, ride_error *err) {
    for (uint32_t s = 0; s < RIDE_DRIFT_SIDES; s++) {
        for (uint32_t i = 0; i < t->columns_count; i++) t->sides[s].at[t->columns[i].position[s]] = &t->columns[i];
        RIDE_TRY(read_rows(t, s, err));
    }
    return RIDE_OK;
}

void ride_drift_tables_close(ride_drift_tables *t) {
    for (uint32_t i = 0; i < t->columns_count; i++) {
        leave_out(&t->columns[i]);
        ride_words_destroy(t->columns[i].words);
    }
    for (uint32_t s = 0; s < RIDE_DRIFT_SIDES; s++) ride_source_close(t->sides[s].lines.source);
    free(t->columns);
    free(t->cells);
    free(t->quoted);
    ride_arena_destroy(t->arena);
    memset(t, 0, sizeof *t);
}
