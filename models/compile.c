/* models/compile.c: the compiler from models to the layouts of forest.h, network.h and ensemble.h. One plain forest is laid as such; everything else
 * as an ensemble, of one member if need be. */
#include "models/compile.h"

#include "base/number.h"
#include "models/compile_internal.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ride_status ride_compile_no_memory(ride_compiler *c) {
    return ride_diagnose(c->findings, RIDE_E_MEMORY, NULL, 0, 0, NULL, "no memory to compile the model");
}

ride_status ride_compile_fault(ride_compiler *c, const char *advice, const char *format, ...) {
    const bool is_one = c->member != NULL && (c->ensemble->is_manifest || c->ensemble->combine != RIDE_COMBINE_ONE);
    const uint32_t line = is_one ? c->member->line : 0, column = is_one ? c->member->column : 0;
    char text[1400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return ride_diagnose(c->findings, RIDE_E_MODEL, is_one ? c->ensemble->path : NULL, line, column, advice,
                         "%s%.60s%s%s", is_one ? "member `" : "", is_one ? c->member->name : "", is_one ? "`: " : "",
                         text);
}

bool ride_compile_reserve(ride_compile_part *part, uint64_t bytes) {
    if (bytes <= part->bytes_max - part->bytes) return true;
    const uint64_t bytes_max = part->bytes + bytes;
    uint8_t *grown = realloc(part->data, bytes_max);
    if (grown == NULL) return false;
    part->data = grown;
    part->bytes_max = bytes_max;
    return true;
}

void *ride_compile_add(ride_compile_part *part, uint64_t bytes) {
    const bool fits = bytes <= part->bytes_max - part->bytes;
    if (!fits && !ride_compile_reserve(part, bytes + part->bytes + 64)) return NULL; /* twice as much, at least */
    uint8_t *at = part->data + part->bytes;
    memset(at, 0, bytes);
    part->bytes += bytes;
    return at;
}

/* Points of a curve into the ensemble's numbers. */
static ride_status add_points(ride_compiler *c, const double *x, const double *y, uint32_t count,
                              ride_calibration *out) {
    out->kind = RIDE_CALIBRATION_CURVE;
    out->first = (uint32_t)(c->parts[RIDE_SECTION_ENSEMBLE_NUMBERS].bytes / sizeof(double));
    out->points_count = count;
    double *to = RIDE_COMPILE_ADD(c, ENSEMBLE_NUMBERS, double, 2 * (uint64_t)count);
    if (to == NULL) return ride_compile_no_memory(c);
    for (uint32_t i = 0; i < count; i++) {
        to[i] = x[i];
        to[count + i] = y != NULL ? y[i] : count > 1 ? (double)i / (double)(count - 1) : 0.5;
        if (!isfinite(to[i]) || !isfinite(to[count + i]) || (i > 0 && to[i] < to[i - 1]))
            return ride_compile_fault(c, NULL, "point %u (%g, %g) is not a number, or below the one before it", i,
                                      to[i], to[count + i]);
    }
    return RIDE_OK;
}

static ride_status add_calibration(ride_compiler *c, const ride_model_calibration *from, ride_calibration *out) {
    *out = (ride_calibration){.kind = from->kind};
    if (from->kind == RIDE_CALIBRATION_NONE) return RIDE_OK;
    if (from->kind == RIDE_CALIBRATION_CURVE) RIDE_TRY(add_points(c, from->x, from->y, from->points_count, out));
    else if (!isfinite(from->a) || !isfinite(from->b))
        return ride_compile_fault(c, NULL, "a calibration with a = %g, b = %g", from->a, from->b);
    else {
        out->a = from->a;
        out->b = from->b;
    }
    out->of_margin = from->of_margin;
    return RIDE_OK;
}

/* The parts of one member, and its entry when the ensemble has such. */
static ride_status add_member(ride_compiler *c, const ride_model_member *member, ride_ensemble_member *out,
                              ride_bundle_builder *builder) {
    const ride_model *model = member->model;
    ride_error err;
    c->member = member;
    if (model->trees_count == 0 && model->steps_count == 0)
        return ride_compile_fault(c, NULL, "a model of no trees and no steps");
    c->inputs = calloc(model->inputs_count + 1, sizeof *c->inputs);
    c->codes = calloc(model->inputs_count + 1, sizeof *c->codes);
    ride_status st = c->inputs != NULL && c->codes != NULL ? RIDE_OK : ride_compile_no_memory(c);
    out->network = out->forest = RIDE_NO_PART;
    out->weight = member->weight;
    out->threshold = member->threshold;
    if (st == RIDE_OK) st = ride_compile_match(c);
    if (st == RIDE_OK && model->steps_count > 0) {
        out->network = c->networks_count;
        st = ride_compile_network(c);
    }
    if (st == RIDE_OK && model->trees_count > 0) {
        out->forest = c->forests_count;
        st = ride_compile_forest(c);
    }
    if (st == RIDE_OK) st = add_calibration(c, &member->calibration, &out->calibration);
    if (st == RIDE_OK && c->ensemble->combine == RIDE_COMBINE_RANK_MEAN && !c->is_stacker)
        st = add_points(c, member->quantiles, NULL, member->quantiles_count, &out->rank);
    if (st == RIDE_OK && ride_bundle_builder_string(builder, member->name, &out->name_offset, &err) != RIDE_OK)
        st = ride_diagnose(c->findings, err.status, NULL, 0, 0, NULL, "%s", err.what);
    for (uint32_t i = 0; c->codes != NULL && i < model->inputs_count; i++) free(c->codes[i]);
    free(c->codes);
    free(c->inputs);
    c->codes = NULL;
    c->inputs = NULL;
    if (!c->is_stacker) c->answers_count += model->outputs_count;
    return st;
}

typedef struct valued {
    double value, member;
} valued;
static int compare_valued(const void *a, const void *b) {
    const double x = ((const valued *)a)->value, y = ((const valued *)b)->value;
    return x < y ? -1 : x > y;
}

static ride_status segment_value(ride_compiler *c, const ride_model_segment *segment, uint32_t entry, double *out) {
    const ride_model_source *source = &c->vector[entry];
    uint32_t k = RIDE_COMPILE_NONE;
    if (source->categories != NULL)
        RIDE_TRY(ride_compile_find_name(c, source->categories, source->categories_count, segment->value, &k));
    *out = k;
    if (k != RIDE_COMPILE_NONE) return RIDE_OK;
    if (source->categories == NULL && ride_text_to_double(segment->value, strlen(segment->value), out) &&
        isfinite(*out))
        return RIDE_OK;
    return ride_diagnose(c->findings, RIDE_E_MODEL, c->ensemble->path, segment->line, segment->column, NULL,
                         source->categories != NULL ? "`%.80s` is no category of `%.80s`"
                                                    : "`%.80s` is no number, which values of `%.80s` are",
                         segment->value, source->name);
}

static ride_status add_segments(ride_compiler *c, ride_ensemble_header *h) {
    const ride_ensemble *ensemble = c->ensemble;
    const uint32_t count = ensemble->segments_count, entry = ride_compile_entry(c, ensemble->segment_input);
    if (entry == RIDE_COMPILE_NONE)
        return ride_diagnose(c->findings, RIDE_E_MODEL, ensemble->path, 0, 0, "name it in `vector`",
                             "the vector has no `%.80s`, whose value chooses the member", ensemble->segment_input);
    valued *sorted = calloc(count + 1, sizeof *sorted);
    ride_status st = sorted != NULL ? RIDE_OK : ride_compile_no_memory(c);
    for (uint32_t i = 0; sorted != NULL && i < count; i++) {
        ride_status one = segment_value(c, &ensemble->segments[i], entry, &sorted[i].value);
        if (st == RIDE_OK) st = one;
        sorted[i].member = ensemble->segments[i].member;
    }
    double *to = st == RIDE_OK ? RIDE_COMPILE_ADD(c, ENSEMBLE_NUMBERS, double, 2 * (uint64_t)count) : NULL;
    if (st == RIDE_OK && to == NULL) st = ride_compile_no_memory(c);
    if (st == RIDE_OK) {
        qsort(sorted, count, sizeof *sorted, compare_valued);
        h->segment_input = entry;
        h->segments_first = (uint32_t)(c->parts[RIDE_SECTION_ENSEMBLE_NUMBERS].bytes / sizeof(double)) - 2 * count;
        h->segments_count = count;
        h->segment_otherwise = ensemble->segment_otherwise;
    }
    for (uint32_t i = 0; st == RIDE_OK && i < count; i++) {
        to[i] = sorted[i].value;
        to[count + i] = sorted[i].member;
        if (i > 0 && sorted[i].value == sorted[i - 1].value)
            st = ride_diagnose(c->findings, RIDE_E_MODEL, ensemble->path, 0, 0, NULL, "%.17g of `%.80s` twice",
                               sorted[i].value, ensemble->segment_input);
    }
    free(sorted);
    return st;
}

static ride_status add_header(ride_compiler *c) {
    const ride_ensemble *ensemble = c->ensemble;
    ride_ensemble_header h = {
        .ensemble_version = RIDE_ENSEMBLE_VERSION,
        .members_count = ensemble->members_count,
        .has_stacker = ensemble->has_stacker,
        .combine = ensemble->combine,
        .inputs_count = c->vector_count,
        .outputs_count = ensemble->outputs_count,
        .answers_count = c->answers_count,
        .low = ensemble->low,
        .high = ensemble->high,
    };
    c->member = NULL;
    if (c->answers_count > RIDE_ANSWERS_MAX)
        return ride_compile_fault(c, NULL, "the members have %u outputs together, at most %d", c->answers_count,
                                  RIDE_ANSWERS_MAX);
    for (uint32_t m = ensemble->combine == RIDE_COMBINE_CASCADE; m < ensemble->members_count; m++)
        h.weights_sum += ensemble->members[m].weight;
    RIDE_TRY(add_calibration(c, &ensemble->calibration, &h.calibration));
    if (ensemble->combine == RIDE_COMBINE_SEGMENT) RIDE_TRY(add_segments(c, &h));
    h.numbers_count = (uint32_t)(c->parts[RIDE_SECTION_ENSEMBLE_NUMBERS].bytes / sizeof(double));
    ride_ensemble_header *to = RIDE_COMPILE_ADD(c, ENSEMBLE, ride_ensemble_header, 1);
    if (to == NULL) return ride_compile_no_memory(c);
    *to = h;
    return RIDE_OK;
}

/* Headers say how many there are; the base margins follow those of the forests. */
static ride_status finish_headers(ride_compiler *c) {
    for (uint32_t i = 0; i < c->forests_count; i++)
        RIDE_COMPILE_AT(c, FOREST, ride_forest_header, i)->forests_count = c->forests_count;
    for (uint32_t i = 0; i < c->networks_count; i++)
        RIDE_COMPILE_AT(c, NETWORK, ride_network_header, i)->networks_count = c->networks_count;
    if (c->base_margins.bytes == 0) return RIDE_OK;
    void *margins = ride_compile_add(&c->parts[RIDE_SECTION_FOREST], c->base_margins.bytes);
    if (margins == NULL) return ride_compile_no_memory(c);
    memcpy(margins, c->base_margins.data, c->base_margins.bytes);
    return RIDE_OK;
}

static ride_status compile(ride_compiler *c, bool is_plain, ride_bundle_builder *builder) {
    const ride_ensemble *ensemble = c->ensemble;
    const uint32_t count = ensemble->members_count + ensemble->has_stacker;
    if (c->has_plan && ensemble->outputs_count != 1)
        return ride_compile_fault(c, "a decision needs a model with one output", "the model has %u outputs (%s)",
                                  ensemble->outputs_count, ensemble->members[0].model->objective);
    ride_status st = RIDE_OK;
    for (uint32_t m = 0; m < count; m++) {
        ride_ensemble_member entry = {0};
        c->is_stacker = m == ensemble->members_count;
        ride_status one = add_member(c, &ensemble->members[m], &entry, builder);
        if (st == RIDE_OK) st = one; /* all members' findings are told */
        ride_ensemble_member *to = RIDE_COMPILE_ADD(c, ENSEMBLE_MEMBERS, ride_ensemble_member, 1);
        if (to == NULL) return ride_compile_no_memory(c);
        *to = entry;
    }
    RIDE_TRY(st);
    if (is_plain) c->parts[RIDE_SECTION_ENSEMBLE_MEMBERS].bytes = 0;
    else RIDE_TRY(add_header(c));
    RIDE_TRY(finish_headers(c));
    for (uint32_t s = 1; s < RIDE_SECTION_LIMIT; s++) {
        if (c->parts[s].bytes == 0) continue;
        ride_bundle_builder_take(builder, s, c->parts[s].data, c->parts[s].bytes);
        c->parts[s].data = NULL;
    }
    return RIDE_OK;
}

/* Nothing that a bundle of one forest could not hold. */
static bool is_plain_forest(const ride_ensemble *ensemble) {
    const ride_model_member *only = &ensemble->members[0];
    return ensemble->combine == RIDE_COMBINE_ONE && only->model->steps_count == 0 &&
           only->calibration.kind == RIDE_CALIBRATION_NONE && ensemble->calibration.kind == RIDE_CALIBRATION_NONE;
}

ride_status ride_ensemble_to_bundle(const ride_ensemble *ensemble, const ride_model_source *vector,
                                    uint32_t vector_count, ride_bundle_builder *builder, ride_diagnostics *findings) {
    ride_compiler c = {.ensemble = ensemble,
                       .vector = vector,
                       .vector_count = vector_count,
                       .has_plan = vector != NULL,
                       .findings = findings};
    const bool is_plain = is_plain_forest(ensemble);
    ride_model_source *own = NULL;
    ride_status st = RIDE_OK;
    if (vector == NULL && !is_plain) { /* the ensemble's own inputs take its place */
        own = calloc(ensemble->inputs_count + 1, sizeof *own);
        if (own == NULL) st = ride_compile_no_memory(&c);
        for (uint32_t i = 0; own != NULL && i < ensemble->inputs_count; i++)
            own[i] = (ride_model_source){ensemble->inputs[i].name, ensemble->inputs[i].categories,
                                         ensemble->inputs[i].categories_count};
        c.vector = own;
        c.vector_count = ensemble->inputs_count;
    }
    if (st == RIDE_OK) st = compile(&c, is_plain, builder);
    for (uint32_t s = 0; s < RIDE_SECTION_LIMIT; s++) free(c.parts[s].data);
    free(c.base_margins.data);
    free(c.names);
    free(own);
    return st;
}

/* A model as an ensemble of one that owns nothing. */
static ride_ensemble one_of(const ride_model *model, ride_model_member *member) {
    *member = (ride_model_member){.name = "model", .model = (ride_model *)model, .weight = 1.0};
    ride_ensemble one = {.combine = RIDE_COMBINE_ONE,
                         .members = member,
                         .members_count = 1,
                         .inputs = model->inputs,
                         .inputs_count = model->inputs_count,
                         .has_names = model->has_names,
                         .outputs_count = model->outputs_count};
    memcpy(one.hash, model->hash, sizeof one.hash);
    return one;
}

ride_status ride_model_to_bundle(const ride_model *model, const ride_model_source *vector, uint32_t vector_count,
                                 ride_bundle_builder *builder, ride_diagnostics *findings) {
    ride_model_member member;
    const ride_ensemble one = one_of(model, &member);
    return ride_ensemble_to_bundle(&one, vector, vector_count, builder, findings);
}

ride_status ride_ensemble_image(const ride_ensemble *ensemble, uint8_t **image, uint64_t *image_bytes,
                                ride_diagnostics *findings) {
    ride_bundle_builder *builder = NULL;
    ride_error err = {0};
    *image = NULL;
    ride_status st = ride_bundle_builder_create(&builder, &err);
    if (st != RIDE_OK) return ride_diagnose(findings, st, NULL, 0, 0, NULL, "%s", err.what);
    st = ride_ensemble_to_bundle(ensemble, NULL, 0, builder, findings);
    if (st == RIDE_OK) {
        ride_bundle_builder_hashes(builder, NULL, ensemble->hash);
        st = ride_bundle_builder_build(builder, image, image_bytes, &err);
        if (st != RIDE_OK) ride_diagnose(findings, st, NULL, 0, 0, NULL, "%s", err.what);
    }
    ride_bundle_builder_destroy(builder);
    return st;
}

ride_status ride_model_image(const ride_model *model, uint8_t **image, uint64_t *image_bytes,
                             ride_diagnostics *findings) {
    ride_model_member member;
    const ride_ensemble one = one_of(model, &member);
    return ride_ensemble_image(&one, image, image_bytes, findings);
}
