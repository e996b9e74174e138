/* tests/conformance/ensemble_case.h: a random ensemble, its bundle, rows of a matrix for it and what kernels/row/ensemble.h says of them. */
#ifndef RIDE_TESTS_ENSEMBLE_CASE_H
#define RIDE_TESTS_ENSEMBLE_CASE_H
#include "random_ensemble.h" /* before the type `outputs` */

#include "backends.h"

enum { ENSEMBLE_OUTPUTS_MAX = 4 };

typedef struct ensemble_case {
    random_ensemble *ensemble;
    uint8_t *image;
    ride_bundle bundle;
    uint32_t inputs_count, outputs_count, members_count, rows_count;
    double *x, *margins, *answers, *members;
    float *floats;
} ensemble_case;

static inline double ensemble_value(rnd *r) {
    static const double odd[] = {NAN, NAN, INFINITY, -INFINITY, -0.0, 5e-324, 1e-40, 1e39, 3.0, 0.25, -0.5, 1e-9};
    if (rnd_one_in(r, 12)) return RND_PICK(r, odd);
    if (rnd_one_in(r, 3)) return (double)rnd_below(r, 6);
    return ((double)rnd_below(r, 2000000) - 1000000.0) / 300000.0;
}

static inline void ensemble_case_expect(ensemble_case *c) {
    ride_error err = {0};
    ride_ensemble_view view;
    ride_ensemble_parts parts;
    CHECK(ride_ensemble_open(&c->bundle, &view, &err) == RIDE_OK, "%s", err.what);
    ride_member_view *room = calloc(ride_ensemble_parts_count(&view), sizeof *room);
    ride_ensemble_parts_of(&c->bundle, &view, room, &parts);
    double *scratch = calloc(ride_ensemble_row_scratch(&parts) + 1, sizeof *scratch);
    for (uint32_t i = 0; i < c->rows_count; i++) {
        ride_ensemble_row(&parts, c->x + (size_t)i * c->inputs_count, scratch,
                          c->margins + (size_t)i * c->outputs_count, c->answers + (size_t)i * c->outputs_count);
        memcpy(c->members + (size_t)i * c->members_count, scratch, c->members_count * sizeof *scratch);
    }
    free(scratch);
    free(room);
}

static inline ensemble_case *ensemble_case_make(uint64_t seed) {
    rnd random = {seed * 11 + 5}, *r = &random;
    ensemble_case *c = calloc(1, sizeof *c);
    ride_bundle_builder *builder = NULL;
    ride_error err = {0};
    uint64_t bytes = 0;
    static const uint32_t counts[] = {1, 2, 15, 16, 17, 63, 64, 65, 200, 511, 512, 513, 1100};
    RIDE_ASSERT(c != NULL);
    c->inputs_count = 1 + rnd_below(r, ENSEMBLE_INPUTS_MAX);
    c->ensemble = random_ensemble_make(seed, c->inputs_count, ENSEMBLE_OUTPUTS_MAX);
    c->outputs_count = c->ensemble->header.outputs_count;
    c->members_count = c->ensemble->header.answers_count;
    c->rows_count = RND_PICK(r, counts);
    RIDE_ASSERT(ride_bundle_builder_create(&builder, &err) == RIDE_OK);
    random_ensemble_add(c->ensemble, builder);
    RIDE_ASSERT(ride_bundle_builder_build(builder, &c->image, &bytes, &err) == RIDE_OK);
    CHECK(ride_bundle_open(c->image, bytes, &c->bundle, &err) == RIDE_OK, "%s", err.what);
    ride_bundle_builder_destroy(builder);
    const size_t cells = (size_t)c->rows_count * c->inputs_count, results = (size_t)c->rows_count * c->outputs_count;
    c->x = calloc(cells, sizeof *c->x);
    c->floats = calloc(cells, sizeof *c->floats);
    c->margins = calloc(results, sizeof *c->margins);
    c->answers = calloc(results, sizeof *c->answers);
    c->members = calloc((size_t)c->rows_count * c->members_count, sizeof *c->members);
    const int as_floats = rnd_one_in(r, 2);
    for (size_t i = 0; i < cells; i++) {
        c->x[i] = ensemble_value(r);
        c->floats[i] = (float)c->x[i];
        if (as_floats) c->x[i] = (double)c->floats[i];
    }
    if (!as_floats) free(c->floats), c->floats = NULL;
    ensemble_case_expect(c);
    return c;
}

static inline void ensemble_case_free(ensemble_case *c) {
    random_ensemble_free(c->ensemble);
    ride_bundle_image_free(c->image);
    free(c->x);
    free(c->floats);
    free(c->margins);
    free(c->answers);
    free(c->members);
    free(c);
}

#endif
