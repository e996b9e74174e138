/* engine/score_file.c: lines of CSV or libsvm → a block of rows of doubles → the model → lines. What was read before a bad row is written. */
#include "engine/score_file.h"

#include "backend/registry.h"
#include "engine/row_lines.h"
#include "io/sink.h"
#include "models/rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_TEXT_MAX = 40, BLOCK_ROWS_MAX = 512, BLOCK_VALUES_MAX = 1 << 20 };

typedef struct job {
    ride_ensemble *model;
    ride_model_rows *scorer;
    void *scratch;
    ride_row_lines lines;
    ride_sink *sink;
    ride_error *err;
    uint64_t rows;
    uint32_t block_rows_max, block_rows; /* rows that were read and not yet scored */
    double *block, *out;
    double *row; /* the next one, within the block */
    bool raw, members;
} job;

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

static ride_status score_rows(job *j) {
    bool more = true;
    while (more) {
        RIDE_TRY(ride_row_lines_next(&j->lines, j->row, NULL, &more, j->err));
        if (more) RIDE_TRY(row_is_read(j));
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
    RIDE_TRY(ride_model_rows_create_last(j->model, ops, device, &j->scorer, findings));
    j->scratch = ride_model_rows_scratch(j->scorer);
    j->block = calloc((size_t)j->block_rows_max * inputs_count, sizeof *j->block);
    const ride_rows_shape *shape = ride_model_rows_shape(j->scorer);
    j->out = calloc((size_t)j->block_rows_max * (shape->outputs_count + shape->members_count), sizeof *j->out);
    j->row = j->block;
    return j->scratch != NULL && j->block != NULL && j->out != NULL
               ? RIDE_OK
               : ride_fail(j->err, RIDE_E_MEMORY, "no memory for %u rows", j->block_rows_max);
}

ride_status ride_score_file(ride_ensemble *model, const char *input_path, const char *output_path, bool raw,
                            bool members, uint64_t *rows, ride_error *err) {
    ride_error local; /* somebody must hold the reason while the sink closes */
    memset(&local, 0, sizeof local);
    job j = {.model = model, .raw = raw, .members = members, .err = &local};
    ride_diagnostics *findings = calloc(1, sizeof *findings);
    ride_status st = findings != NULL ? job_open(&j, findings) : ride_fail(&local, RIDE_E_MEMORY, "no memory for rows");
    if (st != RIDE_OK && findings != NULL && findings->count > 0) ride_diagnostics_error(findings, &local);
    if (st == RIDE_OK) st = ride_row_lines_open(input_path, model, false, &j.lines, &local);
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
    ride_row_lines_close(&j.lines);
    ride_model_rows_destroy(j.scorer);
    if (findings != NULL) ride_diagnostics_free(findings);
    free(findings);
    free(j.scratch);
    free(j.block);
    free(j.out);
    return st;
}
