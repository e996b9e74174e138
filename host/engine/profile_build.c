/* engine/profile_build.c: the run whose end is a profile: features and scores of the events, kept column by column, and then
 * the builder of host/stats. Whole columns are needed: quantiles come from the sorted values. */
#include "engine/pipeline.h"
#include "engine/profile.h"
#include "io/sink.h"
#include "kernels/row/vector.h"
#include "stats/drift.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct collected {
    const char *name;
    ride_profile_source source;
    ride_profile_kind kind;
    uint32_t index;
    bool is_out; /* read from the output tile, else from the input tile */
    uint32_t column;
    double divisor;
    double *values;
} collected;

typedef struct build {
    const ride_profile_build_options *options;
    pipeline *p;
    collected columns[RIDE_TILE_COLUMNS_MAX + 2];
    uint32_t columns_count;
    uint64_t rows_count, rows_max; /* of values */
} build;

/* A closed set of values, by the spec: a field with categories, or a bool. */
static ride_profile_kind kind_of(const pipeline *p, const ride_plan_vector *entry) {
    for (uint32_t f = 0; f < p->events->fields_count && !entry->is_feature; f++) {
        const ride_field *field = &p->events->fields[f];
        if (field->column == entry->index && (field->type == RIDE_FIELD_CATEGORY || field->type == RIDE_FIELD_BOOL))
            return RIDE_PROFILE_CATEGORY;
    }
    return RIDE_PROFILE_NUMBER;
}

static void columns_make(build *b) {
    const pipeline *p = b->p;
    const ride_plan_vector *vector = ride_bundle_array(&p->bundle, RIDE_SECTION_VECTOR, ride_plan_vector);
    const ride_plan_column *columns = ride_bundle_array(&p->bundle, RIDE_SECTION_COLUMNS, ride_plan_column);
    for (uint32_t v = 0; v < p->spec->vector_count; v++) {
        const bool is_decimal = !vector[v].is_feature && columns[vector[v].index].type == RIDE_TYPE_DECIMAL;
        b->columns[b->columns_count++] =
            (collected){.name = p->spec->vector_names[v],
                        .source = RIDE_PROFILE_VECTOR,
                        .kind = kind_of(p, &vector[v]),
                        .index = v,
                        .is_out = vector[v].is_feature,
                        .column = vector[v].index,
                        .divisor = is_decimal ? ride_vector_divisor(columns[vector[v].index].scale) : 1.0};
    }
    if (!p->summary->has_model) return;
    const uint32_t features = p->bundle.plan->features_count;
    b->columns[b->columns_count++] = (collected){.name = "margin",
                                                 .source = RIDE_PROFILE_MARGIN,
                                                 .kind = RIDE_PROFILE_NUMBER,
                                                 .is_out = true,
                                                 .column = features + RIDE_OUT_MARGIN,
                                                 .divisor = 1.0};
    b->columns[b->columns_count++] = (collected){.name = "probability",
                                                 .source = RIDE_PROFILE_PROBABILITY,
                                                 .kind = RIDE_PROFILE_NUMBER,
                                                 .is_out = true,
                                                 .column = features + RIDE_OUT_PROBABILITY,
                                                 .divisor = 1.0};
}

static ride_status columns_grow(build *b, uint64_t rows_more, ride_error *err) {
    if (b->rows_count + rows_more <= b->rows_max) return RIDE_OK;
    const uint64_t rows_max = 2 * b->rows_max + rows_more + 65536;
    for (uint32_t i = 0; i < b->columns_count; i++) {
        double *values = realloc(b->columns[i].values, rows_max * sizeof *values);
        if (values == NULL) {
            ride_fail(err, RIDE_E_MEMORY, "no memory for %llu rows of %u columns", (unsigned long long)rows_max,
                      b->columns_count);
            ride_error_advice(err, "--from and --to take fewer rows");
            return RIDE_E_MEMORY;
        }
        b->columns[i].values = values;
    }
    b->rows_max = rows_max;
    return RIDE_OK;
}

static double value_of(const pipeline *p, const collected *c, uint32_t row) {
    const ride_tile_layout *layout = c->is_out ? &p->out_layout : &p->in_layout;
    const uint8_t *tile = c->is_out ? out_tile(p, row) : batch_tile(p, row);
    const uint32_t r = row % RIDE_TILE_ROWS;
    if (!ride_valid(ride_tile_validity_const(layout, tile, c->column), r)) return NAN;
    return ride_vector_value(ride_tile_values_const(layout, tile, c->column), layout->columns[c->column].type, r,
                             c->divisor);
}

static ride_status collect(build *b, ride_error *err) {
    const pipeline *p = b->p;
    RIDE_TRY(columns_grow(b, p->batch->rows_count, err));
    for (uint32_t row = 0; row < p->batch->rows_count; row++) {
        const int64_t time_us = *row_time(p, row, RIDE_COLUMN_TIME);
        if ((*row_flags(p, row) & (RIDE_ROW_LABEL | RIDE_ROW_SKIP)) != 0 || time_us < b->options->from_us ||
            time_us >= b->options->to_us)
            continue;
        for (uint32_t i = 0; i < b->columns_count; i++)
            b->columns[i].values[b->rows_count] = value_of(p, &b->columns[i], row);
        b->rows_count++;
    }
    return RIDE_OK;
}

static ride_status read_all(build *b, ride_error *err) {
    pipeline *p = b->p;
    for (;;) {
        ride_status st = pipeline_read(p, err);
        if (st == RIDE_END) return RIDE_OK;
        if (st != RIDE_OK) return st;
        if (p->batch->rows_count > 0) {
            RIDE_TRY(pipeline_compute(p, err));
            RIDE_TRY(collect(b, err));
            p->sequence += p->batch->rows_count;
        }
        if (p->options->progress != NULL) p->options->progress(p->options->progress_context, p->summary);
        if (p->options->stop != NULL && *p->options->stop) return RIDE_INTERRUPTED;
    }
}

/* The columns' values are used up: sorted in place. */
static ride_status image_make(build *b, uint8_t **image, uint64_t *bytes, ride_error *err) {
    ride_profile_builder *builder = NULL;
    ride_bundle_builder *bundle = NULL;
    const uint8_t *spec_hash = b->p->summary->spec_hash, *model_hash = b->p->summary->model_hash;
    ride_status st = ride_profile_builder_create(&builder, err);
    if (st == RIDE_OK) st = ride_bundle_builder_create(&bundle, err);
    for (uint32_t i = 0; i < b->columns_count && st == RIDE_OK; i++) {
        const collected *c = &b->columns[i];
        st = ride_profile_builder_column(builder, c->source, c->index, c->kind, c->name, c->values, b->rows_count, err);
    }
    if (st == RIDE_OK) st = ride_profile_builder_finish(builder, spec_hash, model_hash, bundle, err);
    if (st == RIDE_OK) {
        ride_bundle_builder_hashes(bundle, spec_hash, model_hash);
        st = ride_bundle_builder_build(bundle, image, bytes, err);
    }
    ride_bundle_builder_destroy(bundle);
    ride_profile_builder_destroy(builder);
    return st;
}

static ride_status write_file(const char *path, const uint8_t *image, uint64_t bytes, ride_error *err) {
    ride_sink *sink = NULL;
    RIDE_TRY(ride_sink_open(path, NULL, &sink, err));
    ride_sink_write(sink, image, bytes); /* a failure is told by the close */
    return ride_sink_close(sink, err);
}

static ride_status finish(build *b, ride_profile_built *out, ride_error *err) {
    uint8_t *image = NULL;
    if (b->rows_count == 0) {
        ride_fail(err, RIDE_E_DATA, "a profile of no rows: %llu were read",
                  (unsigned long long)b->p->summary->received);
        ride_error_advice(err, "see --from, --to and the input");
        return RIDE_E_DATA;
    }
    ride_status st = image_make(b, &image, &out->bytes, err);
    if (st == RIDE_OK) st = write_file(b->options->output_path, image, out->bytes, err);
    ride_bundle_image_free(image);
    return st;
}

ride_status ride_profile_build(const ride_profile_build_options *options, ride_profile_built *out,
                               ride_diagnostics *findings, ride_error *err) {
    ride_run_options run = *options->run;
    run.record = RIDE_RECORD_FEATURES;
    run.output_path = run.rejects_path = run.late_path = run.drift_path = run.profile_path = run.state_dir = NULL;
    run.rules_count = 0;
    if (run.batch_rows_max == 0) run.batch_rows_max = 1024;
    memset(out, 0, sizeof *out);
    build *b = calloc(1, sizeof *b);
    pipeline *p = calloc(1, sizeof *p);
    ride_run_summary *summary = calloc(1, sizeof *summary);
    ride_status st = RIDE_OK;
    if (b == NULL || p == NULL || summary == NULL) st = ride_fail(err, RIDE_E_MEMORY, "no memory for a run");
    else {
        *b = (build){.options = options, .p = p};
        p->options = &run;
        p->summary = summary;
        st = pipeline_open(p, findings, err);
        if (st == RIDE_OK) columns_make(b);
        if (st == RIDE_OK && b->columns_count == 0)
            st = ride_fail(err, RIDE_E_CONFIG, "the spec has no `vector`, and there is no model: nothing to profile");
        if (st == RIDE_OK) st = read_all(b, err);
        if (st == RIDE_OK) st = finish(b, out, err);
        out->rows_count = b->rows_count;
        out->rows_read = summary->received;
        out->columns_count = b->columns_count;
        pipeline_close(p, false, NULL);
    }
    for (uint32_t i = 0; b != NULL && i < b->columns_count; i++) free(b->columns[i].values);
    if (summary != NULL) ride_run_summary_free(summary);
    free(summary);
    free(p);
    free(b);
    return st;
}
