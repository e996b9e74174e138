/* kernels/cpu/profile.c: one column of a tile at a time: its values as doubles without the rows that are no events, the number of
 * edges below each, and the cells that follow from it. The loops are in profile_loops.h. */
#include "kernels/cpu/profile.h"

#include "base/assert.h"
#include "kernels/row/vector.h"
#include "ride/backend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PROFILE_TABLE ride_cpu_profile_loops
#include "kernels/cpu/profile_loops.h"

typedef struct column {
    uint32_t is_out; /* read from the output tile, else from the input tile */
    uint32_t type;   /* ride_type */
    uint32_t values_offset, validity_offset;
    double divisor;
    uint32_t is_category, edges_count, cells_first;
    const double *edges;      /* in the bundle */
    const profile_tree *tree; /* NULL: few edges */
} column;

struct ride_cpu_profile {
    const profile_loops *loops;
    uint32_t flags_offset; /* of the input tile */
    uint32_t columns_count, cells_count;
    column *columns;
    profile_tree *trees;
};

static const profile_loops *loops_of(ride_cpu_isa isa) {
#if defined(__x86_64__)
    if (isa >= RIDE_CPU_AVX512) return &ride_cpu_profile_loops_avx512;
    if (isa >= RIDE_CPU_AVX2) return &ride_cpu_profile_loops_avx2;
#endif
    (void)isa;
    return &ride_cpu_profile_loops;
}

static void tree_fill(profile_tree *tree, const double *edges, uint32_t count) {
    for (uint32_t i = 0; i < PROFILE_EDGES_PADDED; i++) tree->edges[i] = i < count ? edges[i] : INFINITY;
    for (uint32_t leaf = 0; leaf < PROFILE_LEAF; leaf++)
        tree->last[leaf] = tree->edges[leaf * PROFILE_LEAF + PROFILE_LEAF - 1];
}

static column column_of(const ride_bundle *bundle, const ride_profile *profile, uint32_t index,
                        const ride_tile_layout *in, const ride_tile_layout *out) {
    const ride_profile_column *from = &profile->columns[index];
    const ride_plan_vector *vector = ride_bundle_array(bundle, RIDE_SECTION_VECTOR, ride_plan_vector);
    const ride_plan_column *columns = ride_bundle_array(bundle, RIDE_SECTION_COLUMNS, ride_plan_column);
    uint32_t features_count = bundle->plan->features_count, at = features_count + RIDE_OUT_PROBABILITY;
    bool is_out = true;
    if (from->source == RIDE_PROFILE_MARGIN) at = features_count + RIDE_OUT_MARGIN;
    if (from->source == RIDE_PROFILE_VECTOR) is_out = vector[from->index].is_feature, at = vector[from->index].index;
    const ride_tile_column *tile = is_out ? &out->columns[at] : &in->columns[at];
    return (column){
        .is_out = is_out,
        .type = tile->type,
        .values_offset = tile->values_offset,
        .validity_offset = tile->validity_offset,
        .divisor = tile->type == RIDE_TYPE_DECIMAL ? ride_vector_divisor(columns[at].scale) : 1.0,
        .is_category = from->kind == RIDE_PROFILE_CATEGORY,
        .edges_count = from->edges_count,
        .cells_first = from->cells_first,
        .edges = profile->edges + from->edges_first,
    };
}

ride_status ride_cpu_profile_create(const ride_bundle *bundle, const ride_tile_layout *in, const ride_tile_layout *out,
                                    ride_cpu_isa isa, ride_cpu_profile **out_profile, ride_error *err) {
    ride_profile profile;
    RIDE_ASSERT(bundle->plan != NULL);
    RIDE_TRY(ride_profile_open(bundle, &profile, err));
    const uint32_t count = profile.header->columns_count;
    ride_cpu_profile *made = calloc(1, sizeof *made);
    if (made != NULL) {
        made->columns = calloc(count + 1, sizeof *made->columns);
        made->trees = aligned_alloc(64, (count + 1) * ((sizeof *made->trees + 63) / 64 * 64));
    }
    if (made == NULL || made->columns == NULL || made->trees == NULL) {
        ride_cpu_profile_destroy(made);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for a profile of %u columns", count);
    }
    made->loops = loops_of(isa);
    made->flags_offset = in->columns[RIDE_COLUMN_FLAGS].values_offset;
    made->columns_count = count;
    made->cells_count = profile.header->cells_count;
    for (uint32_t i = 0; i < count; i++) {
        made->columns[i] = column_of(bundle, &profile, i, in, out);
        if (!made->columns[i].is_category && made->columns[i].edges_count <= PROFILE_FEW_EDGES) continue;
        tree_fill(&made->trees[i], made->columns[i].edges, made->columns[i].edges_count);
        made->columns[i].tree = &made->trees[i];
    }
    *out_profile = made;
    return RIDE_OK;
}

void ride_cpu_profile_destroy(ride_cpu_profile *profile) {
    if (profile == NULL) return;
    free(profile->columns);
    free(profile->trees);
    free(profile);
}

uint32_t ride_cpu_profile_cells_count(const ride_cpu_profile *profile) { return profile->cells_count; }

/* The rows that are events: how many, and which; *all when nobody is left out. */
static uint32_t events_list(const uint32_t *flags, uint32_t rows_count, uint8_t *rows, bool *all) {
    uint32_t n = 0, seen = 0;
    for (uint32_t row = 0; row < rows_count; row++) seen |= flags[row];
    *all = (seen & (RIDE_ROW_LABEL | RIDE_ROW_SKIP)) == 0;
    if (*all) return rows_count;
    for (uint32_t row = 0; row < rows_count; row++) {
        rows[n] = (uint8_t)row;
        n += (flags[row] & (RIDE_ROW_LABEL | RIDE_ROW_SKIP)) == 0;
    }
    return n;
}

/* The column's values of the events, in `room` or where they lie. */
static const double *values_of(const column *c, const uint8_t *tile, const uint8_t *rows, bool all, uint32_t n,
                               double *room) {
    const void *values = tile + c->values_offset;
    const uint8_t *validity = c->validity_offset != 0 ? tile + c->validity_offset : NULL;
    const uint32_t type = c->type;
    const double divisor = c->divisor;
    if (all && type == RIDE_TYPE_F64 && validity == NULL) return values; /* most: features and scores */
    if (all && type == RIDE_TYPE_DECIMAL) {
        for (uint32_t i = 0; i < n; i++) room[i] = (double)((const int64_t *)values)[i] / divisor;
    } else {
        for (uint32_t i = 0; i < n; i++) room[i] = ride_vector_value(values, type, all ? i : rows[i], divisor);
    }
    if (validity != NULL)
        for (uint32_t i = 0; i < n; i++)
            if (!ride_bit_get(validity, all ? i : rows[i])) room[i] = NAN;
    return room;
}

static uint32_t missing_count(const double *x, uint32_t n) {
    uint64_t count = 0;
    for (uint32_t i = 0; i < n; i++) count += x[i] != x[i];
    return (uint32_t)count;
}

/* Bin i holds what is above edge i - 1 and not above edge i. */
static void count_few(const ride_cpu_profile *profile, const column *c, const double *x, uint32_t n, uint32_t missing,
                      uint64_t *bins) {
    uint32_t above_edge[PROFILE_FEW_EDGES], above_before = n - missing;
    profile->loops->above(c->edges, c->edges_count, x, n, above_edge);
    for (uint32_t e = 0; e < c->edges_count; e++) {
        bins[e] += above_before - above_edge[e];
        above_before = above_edge[e];
    }
    bins[c->edges_count] += above_before;
}

static void count_categories(const column *c, const double *x, uint32_t n, const uint16_t *below, uint64_t *cells) {
    for (uint32_t i = 0; i < n; i++) {
        if (x[i] != x[i]) continue;
        const bool known = below[i] < c->edges_count && c->edges[below[i]] == x[i];
        cells[known ? RIDE_PROFILE_CELL_BINS + below[i] : RIDE_PROFILE_CELL_NEW]++;
    }
}

void ride_cpu_profile_tile(const ride_cpu_profile *profile, const void *in_tile, const void *out_tile,
                           uint32_t rows_count, uint64_t *all_cells) {
    uint8_t rows[RIDE_TILE_ROWS];
    double room[RIDE_TILE_ROWS];
    uint16_t below[RIDE_TILE_ROWS];
    bool all;
    RIDE_ASSERT(rows_count <= RIDE_TILE_ROWS);
    const uint32_t n =
        events_list((const void *)((const uint8_t *)in_tile + profile->flags_offset), rows_count, rows, &all);
    for (uint32_t i = 0; i < profile->columns_count; i++) {
        const column *c = &profile->columns[i];
        uint64_t *cells = all_cells + c->cells_first, *bins = cells + RIDE_PROFILE_CELL_BINS;
        const double *x = values_of(c, c->is_out ? out_tile : in_tile, rows, all, n, room);
        const uint32_t missing = missing_count(x, n);
        cells[RIDE_PROFILE_CELL_MISSING] += missing;
        if (c->tree == NULL) {
            count_few(profile, c, x, n, missing, bins);
            continue;
        }
        profile->loops->search(c->tree, c->edges_count, x, n, below);
        if (c->is_category) {
            count_categories(c, x, n, below, cells);
            continue;
        }
        for (uint32_t r = 0; r < n; r++) bins[below[r]]++;
        bins[0] -= missing; /* nothing is below a NaN */
    }
}
