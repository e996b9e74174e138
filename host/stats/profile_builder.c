/* stats/profile_builder.c: samples → the profile sections of a bundle (kernels/layout/profile.h). */
#include "base/assert.h"
#include "stats/drift.h"
#include "stats/samples.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CELLS_MAX = RIDE_PROFILE_CELL_BINS + RIDE_PROFILE_EDGES_MAX + 1 };

typedef struct built {
    ride_profile_column column; /* its places are set by finish */
    char *name;
    double edges[RIDE_PROFILE_EDGES_MAX];
    uint8_t coarse[RIDE_PROFILE_EDGES_MAX];
    uint64_t counts[CELLS_MAX];
} built;

struct ride_profile_builder {
    built *columns[RIDE_PROFILE_COLUMNS_MAX];
    uint32_t columns_count, edges_count, cells_count;
    uint64_t rows_count;
};

ride_status ride_profile_builder_create(ride_profile_builder **out, ride_error *err) {
    *out = calloc(1, sizeof **out);
    return *out != NULL ? RIDE_OK : ride_fail(err, RIDE_E_MEMORY, "no memory for a profile");
}

void ride_profile_builder_destroy(ride_profile_builder *builder) {
    if (builder == NULL) return;
    for (uint32_t i = 0; i < builder->columns_count; i++) {
        free(builder->columns[i]->name);
        free(builder->columns[i]);
    }
    free(builder);
}

static void put_edge(built *b, double edge, bool is_coarse) {
    uint32_t *count = &b->column.edges_count;
    if (!isfinite(edge)) return;
    edge += 0.0; /* one zero */
    if (*count > 0 && edge <= b->edges[*count - 1]) {
        b->coarse[*count - 1] |= is_coarse;
        return;
    }
    RIDE_ASSERT(*count < RIDE_PROFILE_EDGES_MAX);
    b->edges[*count] = edge;
    b->coarse[(*count)++] = is_coarse;
}

/* The quantiles. One that comes more than once is a frequent value, and the least value is where the reference begins: both get an
 * edge right below, so that they have a cell of their own. That is at most 252 edges: the least value brings two, each further
 * quantile one, or two in place of at least two. */
static void number_edges(built *b, const double *sorted, uint64_t count) {
    for (uint32_t i = 0, end; i <= RIDE_QUANTILES && count > 0; i = end) {
        double edge = ride_samples_quantile(sorted, count, i);
        bool is_coarse = false;
        for (end = i; end <= RIDE_QUANTILES && ride_samples_quantile(sorted, count, end) == edge; end++)
            is_coarse |= end % RIDE_DECILE_STEP == 0 && end > 0 && end < RIDE_QUANTILES;
        if (i == 0 || end - i > 1) put_edge(b, nextafter(edge, -INFINITY), false);
        put_edge(b, edge, is_coarse);
    }
    uint64_t below = 0;
    for (uint32_t i = 0; i <= b->column.edges_count; i++) {
        uint64_t up_to = i < b->column.edges_count ? ride_samples_up_to(sorted, count, b->edges[i]) : count;
        b->counts[RIDE_PROFILE_CELL_BINS + i] = up_to - below;
        below = up_to;
    }
    b->column.cells_count = RIDE_PROFILE_CELL_BINS + b->column.edges_count + 1;
}

static ride_status category_values(built *b, const double *sorted, uint64_t count, ride_error *err) {
    for (uint64_t i = 0; i < count;) {
        uint64_t end = ride_samples_up_to(sorted, count, sorted[i]);
        if (b->column.edges_count == RIDE_PROFILE_EDGES_MAX || !isfinite(sorted[i])) {
            ride_fail(err, RIDE_E_DATA,
                      isfinite(sorted[i]) ? "%s has more than %d different values: no category"
                                          : "%s has an infinite value: no category",
                      b->name, RIDE_PROFILE_EDGES_MAX);
            ride_error_advice(err, "profile it as a number, or leave it out");
            return RIDE_E_DATA;
        }
        b->counts[RIDE_PROFILE_CELL_BINS + b->column.edges_count] = end - i;
        put_edge(b, sorted[i], false);
        i = end;
    }
    b->column.cells_count = RIDE_PROFILE_CELL_BINS + b->column.edges_count;
    return RIDE_OK;
}

ride_status ride_profile_builder_column(ride_profile_builder *builder, ride_profile_source source, uint32_t index,
                                        ride_profile_kind kind, const char *name, double *values, uint64_t rows_count,
                                        ride_error *err) {
    RIDE_ASSERT(builder->columns_count == 0 || rows_count == builder->rows_count);
    if (builder->columns_count == RIDE_PROFILE_COLUMNS_MAX)
        return ride_fail(err, RIDE_E_DATA, "a profile has at most %d columns", RIDE_PROFILE_COLUMNS_MAX);
    built *b = calloc(1, sizeof *b);
    if (b != NULL) b->name = strdup(name);
    if (b == NULL || b->name == NULL) {
        free(b);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for the profile of %s", name);
    }
    b->column = (ride_profile_column){.source = source, .index = index, .kind = kind};
    uint64_t count = 0;
    ride_status st = ride_samples_sort(values, rows_count, &count, err);
    if (st == RIDE_OK) {
        b->counts[RIDE_PROFILE_CELL_MISSING] = rows_count - count;
        ride_samples_moments(values, count, &b->column.mean, &b->column.std_pop);
        if (kind == RIDE_PROFILE_NUMBER) number_edges(b, values, count);
        else st = category_values(b, values, count, err);
    }
    if (st != RIDE_OK) {
        free(b->name);
        free(b);
        return st;
    }
    builder->columns[builder->columns_count++] = b;
    builder->rows_count = rows_count;
    builder->edges_count += b->column.edges_count;
    builder->cells_count += b->column.cells_count;
    return RIDE_OK;
}

typedef struct sections {
    ride_profile_column *columns;
    double *edges;
    uint8_t *coarse;
    uint64_t *counts;
} sections;

static ride_status add(const sections *s, const ride_profile_header *header, ride_bundle_builder *bundle,
                       ride_error *err) {
    RIDE_TRY(ride_bundle_builder_add(bundle, RIDE_SECTION_PROFILE, header, sizeof *header, err));
    RIDE_TRY(ride_bundle_builder_add(bundle, RIDE_SECTION_PROFILE_COLUMNS, s->columns,
                                     header->columns_count * sizeof *s->columns, err));
    RIDE_TRY(ride_bundle_builder_add(bundle, RIDE_SECTION_PROFILE_EDGES, s->edges,
                                     header->edges_count * sizeof *s->edges, err));
    RIDE_TRY(ride_bundle_builder_add(bundle, RIDE_SECTION_PROFILE_COARSE, s->coarse, header->edges_count, err));
    return ride_bundle_builder_add(bundle, RIDE_SECTION_PROFILE_COUNTS, s->counts,
                                   header->cells_count * sizeof *s->counts, err);
}

ride_status ride_profile_builder_finish(ride_profile_builder *builder, const uint8_t spec_hash[32],
                                        const uint8_t model_hash[32], ride_bundle_builder *bundle, ride_error *err) {
    RIDE_ASSERT(builder->columns_count > 0);
    ride_profile_header header = {.profile_version = RIDE_PROFILE_VERSION,
                                  .columns_count = builder->columns_count,
                                  .edges_count = builder->edges_count,
                                  .cells_count = builder->cells_count,
                                  .rows_count = builder->rows_count};
    if (spec_hash != NULL) memcpy(header.spec_hash, spec_hash, sizeof header.spec_hash);
    if (model_hash != NULL) memcpy(header.model_hash, model_hash, sizeof header.model_hash);
    sections s = {.columns = calloc(header.columns_count, sizeof *s.columns),
                  .edges = calloc(header.edges_count + 1, sizeof *s.edges),
                  .coarse = calloc(header.edges_count + 1, sizeof *s.coarse),
                  .counts = calloc(header.cells_count, sizeof *s.counts)};
    ride_status st = s.columns != NULL && s.edges != NULL && s.coarse != NULL && s.counts != NULL
                         ? RIDE_OK
                         : ride_fail(err, RIDE_E_MEMORY, "no memory for a profile");
    uint32_t edges_first = 0, cells_first = 0;
    for (uint32_t i = 0; st == RIDE_OK && i < header.columns_count; i++) {
        const built *b = builder->columns[i];
        ride_profile_column *column = &s.columns[i];
        *column = b->column;
        column->edges_first = edges_first;
        column->cells_first = cells_first;
        memcpy(s.edges + edges_first, b->edges, column->edges_count * sizeof *b->edges);
        memcpy(s.coarse + edges_first, b->coarse, column->edges_count);
        memcpy(s.counts + cells_first, b->counts, column->cells_count * sizeof *b->counts);
        edges_first += column->edges_count;
        cells_first += column->cells_count;
        st = ride_bundle_builder_string(bundle, b->name, &column->name_offset, err);
    }
    if (st == RIDE_OK) st = add(&s, &header, bundle, err);
    free(s.columns);
    free(s.edges);
    free(s.coarse);
    free(s.counts);
    return st;
}
