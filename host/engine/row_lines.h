/* engine/row_lines.h: rows of a text file for a model: what `ride score` and `ride model check` read.
 *
 * CSV: a header line with names; a model with names takes its columns by name (others are ignored), one without needs exactly its number of
 * columns. Empty, NaN and nan are missing; a category may be given by its name where the model has names. libsvm (told by a first line whose
 * first word is a number and that has no comma): label, then index:value from index 0 on; absent is missing; `qid:` is skipped. */
#ifndef RIDE_ENGINE_ROW_LINES_H
#define RIDE_ENGINE_ROW_LINES_H
#include "engine/lines.h"
#include "models/ensemble.h"

typedef struct ride_row_lines {
    const ride_ensemble *model; /* borrowed */
    ride_lines lines;
    bool wants_expected, begun, libsvm;
    bool has_margins, has_answers; /* expected ones, known after the first row */
    uint32_t
        *column_input; /* CSV: input of each column, inputs_count + k for an expected result, UINT32_MAX = ignored */
    uint32_t columns_count, expected_count;
} ride_row_lines;

/* wants_expected: the columns margin0 …, answer0 … (margin and answer too where there is one output) that are no inputs are results. Close it in
 * either case. RIDE_E_NO_INPUT, RIDE_E_IO. */
ride_status ride_row_lines_open(const char *path, const ride_ensemble *model, bool wants_expected, ride_row_lines *out,
                                ride_error *err);
void ride_row_lines_close(ride_row_lines *rows);

/* The next row: inputs_count values. expected: NULL, or room for outputs_count margins and as many answers, NaN where the file has none. *more is false when
 * there is none left. RIDE_E_DATA with its line for a bad one. */
ride_status ride_row_lines_next(ride_row_lines *rows, double *row, double *expected, bool *more, ride_error *err);

#endif
