/* kernels/layout/profile.c: a profile from a file is not trusted. What passes may be counted into and compared without further tests. */
#include "kernels/layout/profile.h"

#include <math.h>
#include <string.h>

RIDE_STATIC_ASSERT(sizeof(ride_profile_header) == 96, "the header is written as it is");

#define BAD(...) return ride_fail(err, RIDE_E_CORRUPT, "profile: " __VA_ARGS__)

static ride_status check_header(const ride_bundle *bundle, const ride_profile_header *h, ride_error *err) {
    const struct {
        ride_section section;
        uint64_t bytes;
        const char *name;
    } tables[] = {
        {RIDE_SECTION_PROFILE_COLUMNS, h->columns_count * (uint64_t)sizeof(ride_profile_column), "columns"},
        {RIDE_SECTION_PROFILE_EDGES, h->edges_count * (uint64_t)sizeof(double), "edges"},
        {RIDE_SECTION_PROFILE_COARSE, h->edges_count, "coarse marks"},
        {RIDE_SECTION_PROFILE_COUNTS, h->cells_count * (uint64_t)sizeof(uint64_t), "counts"},
    };
    if (h->profile_version != RIDE_PROFILE_VERSION) {
        ride_fail(err, RIDE_E_VERSION, "profile version %u, this program reads %d", h->profile_version,
                  RIDE_PROFILE_VERSION);
        ride_error_advice(err, "compile the bundle again with `ride compile`");
        return RIDE_E_VERSION;
    }
    if (h->columns_count == 0 || h->columns_count > RIDE_PROFILE_COLUMNS_MAX) BAD("%u columns", h->columns_count);
    for (uint32_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        if (bundle->sections[tables[i].section] == NULL || bundle->sections_bytes[tables[i].section] != tables[i].bytes)
            BAD("its %s are cut short or too long", tables[i].name);
    if (h->reserved[0] != 0 || h->reserved[1] != 0) BAD("a reserved word is set");
    return RIDE_OK;
}

static ride_status check_source(const ride_bundle *bundle, const ride_profile *p, uint32_t i, ride_error *err) {
    static const uint8_t no_model[32];
    const ride_profile_column *c = &p->columns[i];
    if (c->source < RIDE_PROFILE_VECTOR || c->source > RIDE_PROFILE_PROBABILITY)
        BAD("column %u: unknown source %u", i, c->source);
    if (c->source == RIDE_PROFILE_VECTOR) {
        if (bundle->plan != NULL && c->index >= bundle->plan->vector_count)
            BAD("column %u is entry %u of a vector of %u", i, c->index, bundle->plan->vector_count);
    } else {
        if (c->index != 0) BAD("column %u: a score with index %u", i, c->index);
        if (memcmp(p->header->model_hash, no_model, sizeof no_model) == 0) BAD("column %u: a score without a model", i);
    }
    for (uint32_t other = 0; other < i; other++)
        if (p->columns[other].source == c->source && p->columns[other].index == c->index)
            BAD("columns %u and %u are the same", other, i);
    if (c->kind != RIDE_PROFILE_NUMBER && c->kind != RIDE_PROFILE_CATEGORY)
        BAD("column %u: unknown kind %u", i, c->kind);
    if (c->name_offset >= bundle->sections_bytes[RIDE_SECTION_STRINGS])
        BAD("column %u: its name lies outside the names", i);
    return RIDE_OK;
}

static ride_status check_cells(const ride_profile *p, uint32_t i, uint32_t edges_first, uint32_t cells_first,
                               ride_error *err) {
    const ride_profile_column *c = &p->columns[i];
    const bool is_number = c->kind == RIDE_PROFILE_NUMBER;
    if (c->edges_first != edges_first || c->edges_count > RIDE_PROFILE_EDGES_MAX ||
        c->edges_count > p->header->edges_count - edges_first)
        BAD("column %u has edges %u + %u of %u", i, c->edges_first, c->edges_count, p->header->edges_count);
    if (c->cells_first != cells_first || c->cells_count != RIDE_PROFILE_CELL_BINS + c->edges_count + is_number ||
        c->cells_count > p->header->cells_count - cells_first)
        BAD("column %u has cells %u + %u of %u", i, c->cells_first, c->cells_count, p->header->cells_count);
    const double *edges = p->edges + edges_first;
    for (uint32_t e = 0; e < c->edges_count; e++) {
        if (!isfinite(edges[e]) || (e > 0 && edges[e] <= edges[e - 1])) BAD("column %u: edge %u is out of order", i, e);
        if (p->coarse[edges_first + e] > is_number)
            BAD("column %u: edge %u has mark %u", i, e, p->coarse[edges_first + e]);
    }
    const uint64_t *counts = p->counts + cells_first;
    uint64_t left = p->header->rows_count;
    for (uint32_t k = 0; k < c->cells_count; k++) {
        if (counts[k] > left) BAD("column %u counts more than its rows", i);
        left -= counts[k];
    }
    if (left != 0) BAD("column %u counts fewer than its rows", i);
    if (counts[RIDE_PROFILE_CELL_NEW] != 0) BAD("column %u: the reference has no new categories", i);
    if (isinf(c->mean) || isinf(c->std_pop) || c->std_pop < 0)
        BAD("column %u: mean %g, deviation %g", i, c->mean, c->std_pop);
    return RIDE_OK;
}

ride_status ride_profile_open(const ride_bundle *bundle, ride_profile *out, ride_error *err) {
    memset(out, 0, sizeof *out);
    const ride_profile_header *h = bundle->sections[RIDE_SECTION_PROFILE];
    if (h == NULL) return ride_fail(err, RIDE_E_MODEL, "the bundle holds no profile");
    if (bundle->sections_bytes[RIDE_SECTION_PROFILE] != sizeof *h) BAD("its header is cut short or too long");
    RIDE_TRY(check_header(bundle, h, err));
    ride_profile profile = {
        .header = h,
        .columns = ride_bundle_array(bundle, RIDE_SECTION_PROFILE_COLUMNS, ride_profile_column),
        .edges = ride_bundle_array(bundle, RIDE_SECTION_PROFILE_EDGES, double),
        .coarse = ride_bundle_array(bundle, RIDE_SECTION_PROFILE_COARSE, uint8_t),
        .counts = ride_bundle_array(bundle, RIDE_SECTION_PROFILE_COUNTS, uint64_t),
    };
    uint32_t edges = 0, cells = 0;
    for (uint32_t i = 0; i < h->columns_count; i++) {
        RIDE_TRY(check_source(bundle, &profile, i, err));
        RIDE_TRY(check_cells(&profile, i, edges, cells, err));
        edges += profile.columns[i].edges_count;
        cells += profile.columns[i].cells_count;
    }
    if (edges != h->edges_count || cells != h->cells_count)
        BAD("its columns hold %u of %u edges, %u of %u cells", edges, h->edges_count, cells, h->cells_count);
    *out = profile;
    return RIDE_OK;
}
