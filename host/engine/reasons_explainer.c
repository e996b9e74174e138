/* engine/reasons_explainer.c: see the header. The background is a CSV file with the vector's columns, of which rows are taken evenly from begin to end:
 * it is read twice, first to be counted. */
#include "engine/reasons_explainer.h"

#include "backend/registry.h"
#include "base/log.h"
#include "engine/engine.h"
#include "engine/row_lines.h"
#include "kernels/layout/forest.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

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

/* ---- what a row takes ---- */

enum { TIMED_ROWS = 16, TIMED_US = 20000, SLOW_US = 100, LARGE_BYTES = 1 << 20 };

static double now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* Numbers from 1 to 100 on both sides of 0. */
static void row_make(double *x, uint32_t count, uint32_t row) {
    uint64_t random = row + 1;
    for (uint32_t i = 0; i < count; i++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        x[i] = ((double)(random >> 33) / (1 << 30) - 1.0) * (row % 3 == 0 ? 1.0 : row % 3 == 1 ? 10.0 : 100.0);
    }
}

/* The mean of some rows, one by one, as a decision's row is explained. */
static void time_rows(reasons_explainer *e, const background *b, uint32_t outputs) {
    const uint64_t scratch_bytes = (e->scratch_bytes + 63) / 64 * 64;
    void *scratch = aligned_alloc(64, scratch_bytes + 64);
    double *made = calloc(e->inputs_count + 1, sizeof *made),
           *phi = calloc(((size_t)e->inputs_count + 1) * outputs, sizeof *phi);
    double begin = 0.0, took = 0.0;
    uint32_t count = 0;
    for (uint32_t k = 0; scratch != NULL && made != NULL && phi != NULL && k <= TIMED_ROWS && took < TIMED_US; k++) {
        const bool is_there = b->rows.rows_count > 0;
        if (!is_there) row_make(made, e->inputs_count, k);
        const ride_rows row = {.values = is_there ? b->values + k % b->rows.rows_count * e->inputs_count : made,
                               .type = RIDE_TYPE_F64,
                               .out_type = RIDE_TYPE_F64,
                               .rows_count = 1,
                               .row_stride = e->inputs_count,
                               .column_stride = 1,
                               .margins = phi};
        const double from = now_us();
        if (k < 2) begin = from; /* the first finds everything cold, and counts where there is no other */
        if (e->ops->rows_explain(e->explainer, &row, scratch) != RIDE_OK) break;
        took = now_us() - begin;
        count = k < 2 ? 1 : k;
        e->row_us = took / count;
    }
    free(scratch);
    free(made);
    free(phi);
}

static void tell(const reasons_explainer *e, double made_us) {
    ride_explainer_figures figures = {0};
    if (e->ops->explainer_tell != NULL) e->ops->explainer_tell(e->explainer, &figures);
    if (e->row_us > SLOW_US)
        ride_log_warn("a row of this model takes long to explain: docs/explanations.md", ride_log_f64("us", e->row_us),
                      ride_log_u64("bytes", figures.bytes), ride_log_f64("made_in_s", made_us / 1e6));
    else if (made_us > 1e6)
        ride_log_info("what explains the model is made", ride_log_f64("us_a_row", e->row_us),
                      ride_log_u64("bytes", figures.bytes), ride_log_f64("made_in_s", made_us / 1e6));
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
    const double begin = now_us();
    if (bundle->image_bytes > LARGE_BYTES)
        ride_log_info("what explains the model is being made, which takes some seconds of a large one",
                      ride_log_text("background", options->background != NULL ? options->background : "none"));
    if (options->background != NULL) st = background_read(options->background, spec, out, &rows, err);
    if (rows.rows.rows_count > 0) explain.background = &rows.rows;
    if (st == RIDE_OK)
        st = cannot(options, out->ops->explainer_create(program, &explain, &out->explainer, &out->scratch_bytes, err),
                    err);
    const double made_us = now_us() - begin;
    if (st == RIDE_OK) time_rows(out, &rows, shape.outputs_count);
    if (st == RIDE_OK) tell(out, made_us);
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
                               double *row_us, ride_error *err) {
    reasons_explainer explainer;
    const ride_status st = reasons_explainer_open(options, spec, bundle, NULL, NULL, &explainer, err);
    *row_us = explainer.row_us;
    reasons_explainer_close(&explainer);
    return st;
}
