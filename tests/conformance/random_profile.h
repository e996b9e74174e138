/* tests/conformance/random_profile.h: a random profile for a random plan: columns over its vector and scores, numbers and
 * categories, edges that the plans' values fall on, from none to as many as a column may have. */
#ifndef RIDE_TESTS_RANDOM_PROFILE_H
#define RIDE_TESTS_RANDOM_PROFILE_H
#include "kernels/layout/profile.h"
#include "random_plan.h"

#include <stdlib.h>

enum { PROFILE_COLUMNS_MAX = PLAN_VECTOR_MAX + 2 };

typedef struct random_profile {
    ride_profile_header header;
    ride_profile_column columns[PROFILE_COLUMNS_MAX];
    double edges[PROFILE_COLUMNS_MAX * RIDE_PROFILE_EDGES_MAX];
    uint8_t coarse[PROFILE_COLUMNS_MAX * RIDE_PROFILE_EDGES_MAX];
    uint64_t counts[PROFILE_COLUMNS_MAX * (RIDE_PROFILE_EDGES_MAX + 3)];
} random_profile;

static inline void random_profile_column(rnd *r, random_profile *p, ride_profile_source source, uint32_t index) {
    static const double firsts[] = {-3, 0, 0, 1, -0.7, 0.01, 1522540800000000.0}, steps[] = {1, 1, 0.5, 0.01, 37, 3e9};
    ride_profile_header *h = &p->header;
    ride_profile_column *c = &p->columns[h->columns_count++];
    const uint32_t sizes[] = {0, 1, 2, 1 + rnd_below(r, 8), 9, rnd_below(r, 64), 255, RIDE_PROFILE_EDGES_MAX};
    *c = (ride_profile_column){.source = source,
                               .index = index,
                               .kind = rnd_one_in(r, 3) ? RIDE_PROFILE_CATEGORY : RIDE_PROFILE_NUMBER,
                               .edges_first = h->edges_count,
                               .edges_count = RND_PICK(r, sizes),
                               .cells_first = h->cells_count,
                               .mean = NAN,
                               .std_pop = NAN};
    double edge = RND_PICK(r, firsts);
    const double step = RND_PICK(r, steps);
    const int even = rnd_one_in(r, 2);
    for (uint32_t i = 0; i < c->edges_count; i++) {
        p->edges[h->edges_count] = edge;
        p->coarse[h->edges_count++] = (uint8_t)(c->kind == RIDE_PROFILE_NUMBER && rnd_one_in(r, 20));
        const double next = edge + (even ? step : step * (1 + rnd_below(r, 3)));
        edge = next > edge ? next : nextafter(edge, (double)INFINITY);
    }
    c->cells_count = RIDE_PROFILE_CELL_BINS + c->edges_count + (c->kind == RIDE_PROFILE_NUMBER);
    h->cells_count += c->cells_count;
    p->counts[c->cells_first] =
        h->rows_count; /* a reference of missing values only: what it holds does not matter here */
}

/* Adds a profile's sections for most plans that have a vector. */
static inline void random_profile_add(const random_plan *plan, ride_bundle_builder *builder) {
    rnd random = {plan->seed ^ 0x70726f66696c65}, *r = &random;
    if (plan->vector_count == 0 || rnd_one_in(r, 8)) return;
    random_profile *p = calloc(1, sizeof *p);
    RIDE_ASSERT(p != NULL);
    p->header = (ride_profile_header){.profile_version = RIDE_PROFILE_VERSION, .rows_count = rnd_below(r, 1000)};
    for (uint32_t i = 0; i < plan->vector_count; i++)
        if (!rnd_one_in(r, 3)) random_profile_column(r, p, RIDE_PROFILE_VECTOR, i);
    if (plan->has_forest && rnd_one_in(r, 2)) random_profile_column(r, p, RIDE_PROFILE_MARGIN, 0);
    if (plan->has_forest && !rnd_one_in(r, 3)) random_profile_column(r, p, RIDE_PROFILE_PROBABILITY, 0);
    memcpy(p->header.spec_hash, &plan->seed, sizeof plan->seed);
    if (plan->has_forest) memcpy(p->header.model_hash, &p->header.profile_version, sizeof p->header.profile_version);
    const struct {
        ride_section section;
        const void *data;
        uint64_t bytes;
    } sections[] = {{RIDE_SECTION_PROFILE, &p->header, sizeof p->header},
                    {RIDE_SECTION_PROFILE_COLUMNS, p->columns, p->header.columns_count * sizeof *p->columns},
                    {RIDE_SECTION_PROFILE_EDGES, p->edges, p->header.edges_count * sizeof *p->edges},
                    {RIDE_SECTION_PROFILE_COARSE, p->coarse, p->header.edges_count},
                    {RIDE_SECTION_PROFILE_COUNTS, p->counts, p->header.cells_count * sizeof *p->counts}};
    ride_error err = {0};
    for (size_t i = 0; i < sizeof sections / sizeof *sections && p->header.columns_count > 0; i++)
        RIDE_ASSERT(ride_bundle_builder_add(builder, sections[i].section, sections[i].data, sections[i].bytes, &err) ==
                    RIDE_OK);
    free(p);
}

#endif
