/* engine/reasons_explainer.c: see the header. The background is a CSV file with the vector's columns, of which rows are taken evenly from begin to end:
 * it is read twice, first to be counted. */
#include "engine/reasons_explainer.h"

#include "backend/registry.h"
#include "engine/engine.h"
#include "engine/row_lines.h"
#include "kernels/layout/forest.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { BACKGROUND_ROWS = 1024 };

/* Column i of a matrix is input i of a plain forest, or entry i of the vector. */
static ride_status entries_make(const ride_bundle *bundle, reasons_explainer *e, ride_error *err) {
    const uint32_t *inputs = NULL;
    ride_forest forest;
    if (!ride_bundle_has_ensemble(bundle)) {
        RIDE_TRY(ride_forest_open(bundle, 0, &forest, err));
        inputs = forest.inputs;
    }
    e->entries = calloc(e->inputs_count + 1, sizeof *e->entries);
    if (e->entries == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for %u inputs", e->inputs_count);
    for (uint32_t i = 0; i < e->inputs_count; i++) e->entries[i] = inputs != NULL ? inputs[i] : i;
    return RIDE_OK;
}

/* ---- background ---- */

typedef struct background {
    ride_rows rows;
    double *values;    /* rows of the model's inputs */
    double *vector;    /* a row of the file */
    ride_ensemble own; /* the vector as the inputs of a file's rows */
    ride_model_input *inputs;
} background;

static ride_status vector_as_inputs(const ride_spec *spec, background *b, ride_error *err) {
    ride_model_source *sources = ride_vector_sources(spec);
    b->inputs = calloc(spec->vector_count + 1, sizeof *b->inputs);
    b->vector = calloc(spec->vector_count + 1, sizeof *b->vector);
    for (uint32_t v = 0; sources != NULL && b->inputs != NULL && v < spec->vector_count; v++)
        b->inputs[v] = (ride_model_input){.name = sources[v].name,
                                          .categories = sources[v].categories,
                                          .categories_count = sources[v].categories_count};
    const bool good = sources != NULL && b->inputs != NULL && b->vector != NULL;
    free(sources);
    b->own = (ride_ensemble){.inputs = b->inputs, .inputs_count = spec->vector_count, .has_names = true};
    return good ? RIDE_OK : ride_fail(err, RIDE_E_MEMORY, "no memory for background rows");
}

/* All rows of the file are read; every one whose turn it is, of `of` rows, is kept. of 0: none, they are counted. */
static ride_status rows_read(const char *path, const reasons_explainer *e, background *b, uint64_t of, uint64_t *count,
                             ride_error *err) {
    ride_row_lines lines;
    bool more = true;
    uint64_t row = 0, kept = 0;
    ride_status st = ride_row_lines_open(path, &b->own, false, &lines, err);
    while (st == RIDE_OK && more) {
        st = ride_row_lines_next(&lines, b->vector, NULL, &more, err);
        if (st != RIDE_OK || !more) break;
        if (kept < b->rows.rows_count && row == kept * of / b->rows.rows_count) {
            for (uint32_t i = 0; i < e->inputs_count; i++)
                b->values[kept * e->inputs_count + i] = b->vector[e->entries[i]];
            kept++;
        }
        row++;
    }
    ride_row_lines_close(&lines);
    *count = row;
    return st;
}

static ride_status background_read(const char *path, const ride_spec *spec, const reasons_explainer *e, background *b,
                                   ride_error *err) {
    uint64_t count = 0, again = 0;
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) {
        ride_fail(err, RIDE_E_DATA, "it is read twice, and is no plain file");
        ride_error_where(err, "%s", path);
        ride_error_advice(err, "write the rows to a file");
        return RIDE_E_DATA;
    }
    RIDE_TRY(vector_as_inputs(spec, b, err));
    RIDE_TRY(rows_read(path, e, b, 0, &count, err));
    if (count == 0) {
        ride_fail(err, RIDE_E_DATA, "the file has no rows");
        ride_error_where(err, "%s", path);
        return RIDE_E_DATA;
    }
    b->rows = (ride_rows){.type = RIDE_TYPE_F64,
                          .rows_count = count < BACKGROUND_ROWS ? count : BACKGROUND_ROWS,
                          .row_stride = e->inputs_count,
                          .column_stride = 1};
    b->rows.values = b->values = calloc((size_t)b->rows.rows_count * e->inputs_count + 1, sizeof *b->values);
    if (b->values == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for background rows");
    RIDE_TRY(rows_read(path, e, b, count, &again, err));
    return again == count ? RIDE_OK : ride_fail(err, RIDE_E_IO, "%.200s changes while it is read", path);
}

static void background_close(background *b) {
    free(b->values);
    free(b->vector);
    free(b->inputs);
}

/* ---- explainer ---- */

/* The explainer's own advice is about what a configuration cannot say, but it knows whether background rows would do. */
static ride_status cannot(const ride_reasons_options *options, ride_status st, ride_error *err) {
    if (st != RIDE_E_UNSUPPORTED) return st;
    const bool is_large = strstr(err->advice, "more memory") != NULL;
    const bool helps = options->background == NULL && strstr(err->advice, "background rows") != NULL;
    ride_error_where(err, "reasons.when");
    ride_error_advice(err, is_large ? "raise `reasons.memory`, or set `reasons: none`"
                           : helps  ? "give it `reasons.background`, or set `reasons: none`"
                                    : "set `reasons: none`; docs/explanations.md has the limits");
    return st;
}

ride_status reasons_explainer_open(const ride_reasons_options *options, const ride_spec *spec,
                                   const ride_bundle *bundle, const ride_backend_ops *ops,
                                   const ride_program_dev *program, reasons_explainer *out, ride_error *err) {
    ride_explainer_options explain = {.struct_bytes = sizeof explain, .bytes_max = options->memory_bytes};
    ride_rows_shape shape;
    *out = (reasons_explainer){.ops = ops};
    if (ops == NULL || ops->explainer_create == NULL) {
        ride_device *device;
        RIDE_TRY(ride_backend_here(&out->ops, &device, err));
        RIDE_TRY(out->ops->program_upload(device, bundle, &out->program, err));
        program = out->program;
    }
    RIDE_TRY(out->ops->rows_shape(program, &shape, err));
    out->inputs_count = shape.columns_count;
    RIDE_TRY(entries_make(bundle, out, err));
    RIDE_TRY(cannot(options, reasons_sense_open(bundle, &out->sense, err), err));
    background rows = {.values = NULL};
    ride_status st = RIDE_OK;
    if (options->background != NULL) st = background_read(options->background, spec, out, &rows, err);
    if (rows.rows.rows_count > 0) explain.background = &rows.rows;
    if (st == RIDE_OK)
        st = cannot(options, out->ops->explainer_create(program, &explain, &out->explainer, &out->scratch_bytes, err),
                    err);
    background_close(&rows);
    return st;
}

void reasons_explainer_close(reasons_explainer *e) {
    if (e->explainer != NULL) e->ops->explainer_destroy(e->explainer);
    if (e->program != NULL) e->ops->program_release(e->program);
    free(e->entries);
    reasons_sense_close(&e->sense);
    *e = (reasons_explainer){.ops = NULL};
}

ride_status ride_reasons_check(const ride_spec *spec, const ride_bundle *bundle, const ride_reasons_options *options,
                               ride_error *err) {
    reasons_explainer explainer;
    const ride_status st = reasons_explainer_open(options, spec, bundle, NULL, NULL, &explainer, err);
    reasons_explainer_close(&explainer);
    return st;
}
