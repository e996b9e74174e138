/* kernels/cpu/score.c: the plain walk: one tree at a time over a block's rows, eight rows abreast. A tree of depth 6 is 2 KB and stays in the
 * nearest cache for the whole tile; a step is a chain of two loads, a comparison and an add, about 15 cycles of waiting in
 * which the other seven rows take theirs. No branch depends on the data but the one that ends a walk. */
#include "kernels/cpu/score.h"

#include "base/assert.h"
#include "kernels/cpu/planes.h"
#include "kernels/row/link.h"
#include "kernels/row/tree.h"
#include "kernels/row/vector.h"
#include "ride/backend.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_ABREAST = 8 };

/* Where one input comes from. */
typedef struct source {
    uint32_t is_feature;                     /* column of the output tile, else of the input tile */
    uint32_t type;                           /* ride_type */
    uint32_t values_offset, validity_offset; /* as in ride_tile_column */
    double divisor;
} source;

struct ride_cpu_scorer {
    ride_forest forest;
    ride_planes *planes; /* NULL: walked */
    bool plain;          /* no tree has tests that walk_abreast has not */
    uint32_t in_tile_bytes, out_tile_bytes;
    uint32_t margin_offset, probability_offset; /* of the output tile */
    source sources[];                           /* inputs_count */
};

/* Tests that walk_abreast has not. Looks at every node. */
static int has_more(const ride_forest *forest, const ride_forest_tree *tree) {
    for (uint32_t i = 0; i < tree->nodes_count; i++)
        if (forest->nodes[tree->nodes_first + i].input &
            (RIDE_NODE_SET | RIDE_NODE_ZERO_MISSING | RIDE_NODE_ONLY_MISSING))
            return 1;
    return 0;
}

static bool is_plain(const ride_forest *forest) {
    for (uint32_t t = 0; t < forest->header->trees_count; t++)
        if (has_more(forest, &forest->trees[t])) return false;
    return true;
}

ride_status ride_cpu_scorer_create(const ride_bundle *bundle, const ride_tile_layout *in, const ride_tile_layout *out,
                                   ride_cpu_isa isa, ride_cpu_scorer **out_scorer, ride_error *err) {
    ride_forest forest;
    *out_scorer = NULL;
    RIDE_TRY(ride_forest_open(bundle, &forest, err));
    const ride_plan_header *plan = bundle->plan;
    if (plan == NULL) return ride_fail(err, RIDE_E_MODEL, "the bundle has a model but no plan");
    if (forest.header->outputs_count != 1)
        return ride_fail(err, RIDE_E_UNSUPPORTED, "a model with %u outputs: a decision needs one",
                         forest.header->outputs_count);
    uint32_t inputs_count = forest.header->inputs_count;
    ride_cpu_scorer *scorer = calloc(1, sizeof *scorer + inputs_count * sizeof scorer->sources[0]);
    if (scorer == NULL) return ride_fail(err, RIDE_E_MEMORY, "scorer for %u inputs", inputs_count);
    scorer->forest = forest;
    scorer->plain = is_plain(&forest);
    scorer->in_tile_bytes = in->tile_bytes;
    scorer->out_tile_bytes = out->tile_bytes;
    scorer->margin_offset = out->columns[plan->features_count + RIDE_OUT_MARGIN].values_offset;
    scorer->probability_offset = out->columns[plan->features_count + RIDE_OUT_PROBABILITY].values_offset;
    const ride_plan_vector *vector = ride_bundle_array(bundle, RIDE_SECTION_VECTOR, ride_plan_vector);
    const ride_plan_column *columns = ride_bundle_array(bundle, RIDE_SECTION_COLUMNS, ride_plan_column);
    for (uint32_t i = 0; i < inputs_count; i++) {
        const ride_plan_vector *entry = &vector[forest.inputs[i]];
        const ride_tile_column *column = entry->is_feature ? &out->columns[entry->index] : &in->columns[entry->index];
        if (!ride_vector_type_ok(column->type)) {
            free(scorer);
            return ride_fail(err, RIDE_E_MODEL, "model input %u is a column without a number", i);
        }
        scorer->sources[i] = (source){
            .is_feature = entry->is_feature,
            .type = column->type,
            .values_offset = column->values_offset,
            .validity_offset = column->validity_offset,
            .divisor = column->type == RIDE_TYPE_DECIMAL ? ride_vector_divisor(columns[entry->index].scale) : 1.0,
        };
    }
    ride_status st = ride_planes_create(&forest, isa, &scorer->planes, err);
    if (st != RIDE_OK) {
        free(scorer);
        return st;
    }
    *out_scorer = scorer;
    return RIDE_OK;
}

void ride_cpu_scorer_destroy(ride_cpu_scorer *scorer) {
    if (scorer == NULL) return;
    ride_planes_destroy(scorer->planes);
    free(scorer);
}

RIDE_STATIC_ASSERT((int)RIDE_CPU_SCORE_ROWS == (int)RIDE_PLANES_ROWS, "a block of planes is one of tiles");

/* x of the planes: floats, a column after the other. */
static size_t columns_bytes(const ride_cpu_scorer *scorer) {
    const uint32_t *inputs;
    return (size_t)ride_planes_inputs(scorer->planes, &inputs) * RIDE_PLANES_ROWS * sizeof(float);
}

size_t ride_cpu_scorer_scratch_bytes(const ride_cpu_scorer *scorer) {
    const size_t walk = (size_t)RIDE_TILE_ROWS * scorer->forest.header->inputs_count * sizeof(double);
    if (scorer->planes == NULL) return walk;
    const size_t planes = columns_bytes(scorer) + ride_planes_scratch_bytes(scorer->planes);
    return planes > walk ? planes : walk;
}

/* Eight rows down one tree of plain tests: depth steps for all, a row that has arrived stays where it is. */
static inline void walk_abreast(const ride_forest_node *nodes, uint32_t depth, const double *x, uint32_t stride,
                                double *leaves) {
    const ride_forest_node *at[ROWS_ABREAST];
    for (int i = 0; i < ROWS_ABREAST; i++) at[i] = nodes;
    for (uint32_t level = 0; level < depth; level++) {
        for (int i = 0; i < ROWS_ABREAST; i++) {
            const ride_forest_node *node = at[i];
            double value = x[(size_t)i * stride + (node->input & RIDE_NODE_INPUT_MASK)];
            uint32_t left = (uint32_t)(value < node->u.threshold) |
                            ((uint32_t)(value != value) & ((node->input / RIDE_NODE_DEFAULT_LEFT) & 1));
            const ride_forest_node *child = nodes + node->left + 1 - left;
            at[i] = (node->input & RIDE_NODE_LEAF) ? node : child;
        }
    }
    for (int i = 0; i < ROWS_ABREAST; i++) leaves[i] = at[i]->u.leaf;
}

/* plain: no tree has more. */
static void forest_rows(const ride_forest *forest, bool plain, const double *x, uint32_t stride, uint32_t rows_count,
                        double *sums) {
    const ride_forest_header *h = forest->header;
    uint32_t outputs = h->outputs_count;
    for (uint32_t r = 0; r < rows_count; r++)
        memcpy(sums + (size_t)r * outputs, forest->base_margins, outputs * sizeof *sums);
    for (uint32_t t = 0; t < h->trees_count; t++) {
        const ride_forest_tree *tree = &forest->trees[t];
        const ride_forest_node *nodes = forest->nodes + tree->nodes_first;
        double *sum = sums + tree->output;
        /* A tree much deeper than its size is a vine: most rows leave it early, so walk it row by row. */
        int abreast = rows_count >= ROWS_ABREAST && tree->depth <= 16 && (plain || !has_more(forest, tree));
        uint32_t r = 0;
        for (; abreast && r + ROWS_ABREAST <= rows_count; r += ROWS_ABREAST) {
            double leaves[ROWS_ABREAST];
            walk_abreast(nodes, tree->depth, x + (size_t)r * stride, stride, leaves);
            for (uint32_t i = 0; i < ROWS_ABREAST; i++) {
                double *s = &sum[(size_t)(r + i) * outputs];
                *s = ride_forest_add(*s, leaves[i], h->sum_number);
            }
        }
        for (; r < rows_count; r++) {
            double *s = &sum[(size_t)r * outputs];
            *s = ride_forest_add(*s, ride_tree_row(nodes, forest->category_words, x + (size_t)r * stride, 1),
                                 h->sum_number);
        }
    }
}

void ride_cpu_forest_rows(const ride_forest *forest, const double *x, uint32_t stride, uint32_t rows_count,
                          double *sums) {
    forest_rows(forest, false, x, stride, rows_count, sums);
}

/* Gathers one input of all rows into the row-major block. */
static void gather(const source *from, const uint8_t *tile, uint32_t rows_count, uint32_t number, double *x,
                   uint32_t stride) {
    const void *values = tile + from->values_offset;
    const uint8_t *validity = from->validity_offset != 0 ? tile + from->validity_offset : NULL;
    const double missing = (double)__builtin_nanf("");
    if (from->type == RIDE_TYPE_F64 && validity == NULL) { /* every feature */
        const double *column = values;
        for (uint32_t r = 0; r < rows_count; r++) x[(size_t)r * stride] = ride_forest_input(column[r], number);
        return;
    }
    for (uint32_t r = 0; r < rows_count; r++)
        x[(size_t)r * stride] = ride_valid(validity, r)
                                    ? ride_forest_input(ride_vector_value(values, from->type, r, from->divisor), number)
                                    : missing;
}

static void walk_tile(const ride_cpu_scorer *scorer, void *scratch, const uint8_t *in_tile, uint8_t *out_tile,
                      uint32_t rows_count) {
    const ride_forest_header *h = scorer->forest.header;
    double *x = scratch;
    for (uint32_t i = 0; i < h->inputs_count; i++) {
        const source *from = &scorer->sources[i];
        gather(from, from->is_feature ? out_tile : in_tile, rows_count, h->input_number, x + i, h->inputs_count);
    }
    forest_rows(&scorer->forest, scorer->plain, x, h->inputs_count, rows_count,
                (void *)(out_tile + scorer->margin_offset));
}

/* One input of a tile's rows as floats. */
static void gather_floats(const source *from, const uint8_t *tile, uint32_t rows_count, float *x) {
    const void *values = tile + from->values_offset;
    const uint8_t *validity = from->validity_offset != 0 ? tile + from->validity_offset : NULL;
    if (from->type == RIDE_TYPE_F64 && validity == NULL) {
        const double *column = values;
        for (uint32_t r = 0; r < rows_count; r++) x[r] = (float)column[r];
        return;
    }
    for (uint32_t r = 0; r < rows_count; r++)
        x[r] = ride_valid(validity, r) ? (float)ride_vector_value(values, from->type, r, from->divisor)
                                       : __builtin_nanf("");
}

static void planes_tiles(const ride_cpu_scorer *scorer, ride_planes_way way, void *scratch, const uint8_t *in_tiles,
                         uint8_t *out_tiles, uint32_t rows_count) {
    double margins[RIDE_PLANES_ROWS];
    const uint32_t *inputs, inputs_count = ride_planes_inputs(scorer->planes, &inputs);
    float *x = scratch;
    for (uint32_t i = 0; i < inputs_count; i++) {
        const source *from = &scorer->sources[inputs[i]];
        const uint8_t *tile = from->is_feature ? out_tiles : in_tiles;
        float *column = x + (size_t)i * RIDE_PLANES_ROWS;
        for (uint32_t r = 0; r < rows_count; r += RIDE_TILE_ROWS) {
            gather_floats(from, tile, rows_count - r < RIDE_TILE_ROWS ? rows_count - r : RIDE_TILE_ROWS, column + r);
            tile += from->is_feature ? scorer->out_tile_bytes : scorer->in_tile_bytes;
        }
        for (uint32_t r = rows_count; r % RIDE_PLANES_NARROW_ROWS != 0; r++) column[r] = 0;
    }
    ride_planes_rows(scorer->planes, way, (uint8_t *)scratch + columns_bytes(scorer), x, rows_count, margins);
    for (uint32_t r = 0; r < rows_count; r += RIDE_TILE_ROWS, out_tiles += scorer->out_tile_bytes)
        memcpy(out_tiles + scorer->margin_offset, margins + r,
               (rows_count - r < RIDE_TILE_ROWS ? rows_count - r : RIDE_TILE_ROWS) * sizeof *margins);
}

void ride_cpu_score_tiles(const ride_cpu_scorer *scorer, void *scratch, const uint8_t *in_tiles, uint8_t *out_tiles,
                          uint32_t rows_count) {
    RIDE_ASSERT(rows_count <= RIDE_CPU_SCORE_ROWS);
    const ride_forest_header *h = scorer->forest.header;
    const ride_planes_way way =
        scorer->planes != NULL && rows_count > 0 ? ride_planes_choose(scorer->planes, rows_count) : RIDE_PLANES_NONE;
    if (way != RIDE_PLANES_NONE) planes_tiles(scorer, way, scratch, in_tiles, out_tiles, rows_count);
    for (uint32_t first = 0; first < rows_count; first += RIDE_TILE_ROWS) {
        const uint32_t rows = rows_count - first < RIDE_TILE_ROWS ? rows_count - first : RIDE_TILE_ROWS;
        if (way == RIDE_PLANES_NONE) walk_tile(scorer, scratch, in_tiles, out_tiles, rows);
        const double *margins = (const void *)(out_tiles + scorer->margin_offset);
        double *probabilities = (void *)(out_tiles + scorer->probability_offset);
        for (uint32_t r = 0; r < rows; r++) {
            probabilities[r] = margins[r];
            ride_link_row(&probabilities[r], h);
        }
        in_tiles += scorer->in_tile_bytes;
        out_tiles += scorer->out_tile_bytes;
    }
}
