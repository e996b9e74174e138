/* kernels/cpu/forest_crown.c: trees cut off below their first levels become planes; what was cut off there says where a walk begins. */
#include "kernels/cpu/forest_crown.h"

#include "base/assert.h"
#include "kernels/cpu/planes.h"
#include "kernels/cpu/scratch.h"

#include <stdlib.h>
#include <string.h>

enum {
    LEVELS = 6,               /* of the crown */
    PLACES_BYTES = 256 << 10, /* of all blocks of a call */
    LEAVES = 1 << LEVELS,
    NODES = 2 << LEVELS,        /* of a crown's tree at most, and one */
    DEEP = LEVELS + 3,          /* levels from which on a forest's trees are worth it */
    TREES_MOST = 256,           /* of a group: the planes of more would seldom fit */
    TREES_LEAST = 32,           /* of a group that is divided for its planes to fit */
    PLACES = 1 << (LEVELS + 2), /* numbers that a place may have */
};

/* What rows that came to a place do next. Places get numbers, those with the most levels below them first: rows in their order arrive together, and
 * rows of one place walk among the same nodes. */
typedef struct crown_tree {
    uint8_t number_of[PLACES];
    uint32_t nodes[LEAVES];  /* of lanes, by number */
    uint16_t levels[LEAVES]; /* below it */
} crown_tree;

/* Trees whose planes are made together. */
typedef struct crown_group {
    uint32_t trees_first, trees_count;
    ride_planes *planes;
    crown_tree *trees;
} crown_group;

struct forest_crown {
    const forest_lanes *lanes;
    uint32_t groups_count, trees_count, steps;
    size_t planes_bytes; /* the greatest scratch */
    crown_group *groups; /* room for one of each TREES_LEAST / 2 trees */
};

/* A forest of trees that end where the crown does. from: of each of its nodes that of lanes. */
typedef struct cut_forest {
    ride_forest forest;
    ride_forest_header header;
    double base;
    ride_forest_tree *trees;
    ride_forest_node *nodes;
    uint32_t *from, *levels; /* the second: below it */
    uint8_t *places;
    uint16_t *heights; /* of a tree's nodes */
} cut_forest;

static bool is_leaf(const ride_forest_node *node) { return (node->input & RIDE_NODE_LEAF) != 0; }

/* Breadth first, as the forest's own trees are. */
static void tree_cut(cut_forest *to, uint32_t t, const ride_forest *forest, uint32_t number,
                     const forest_lanes *lanes) {
    struct {
        uint32_t node, depth;
    } of[NODES];
    const ride_forest_node *nodes = forest->nodes + forest->trees[number].nodes_first;
    ride_forest_tree *tree = &to->trees[t];
    for (uint32_t i = forest->trees[number].nodes_count; i-- > 0;) { /* children lie behind their parent */
        const uint16_t *below = &to->heights[nodes[i].left];
        to->heights[i] = is_leaf(&nodes[i]) ? 0 : (uint16_t)(1 + (below[0] > below[1] ? below[0] : below[1]));
    }
    *tree = (ride_forest_tree){.nodes_first = to->header.nodes_count};
    ride_forest_node *out = to->nodes + tree->nodes_first;
    uint32_t *from = to->from + tree->nodes_first, tail = 1;
    of[0].node = of[0].depth = from[0] = 0;
    for (uint32_t i = 0; i < tail; i++) {
        const ride_forest_node *node = &nodes[of[i].node];
        tree->depth = of[i].depth;
        if (is_leaf(node) || of[i].depth == LEVELS) {
            out[i] = (ride_forest_node){.input = RIDE_NODE_LEAF};
            to->levels[tree->nodes_first + i] = to->heights[of[i].node];
            continue;
        }
        const uint32_t left = forest_lanes_left(lanes, number, from[i]);
        out[i] = *node;
        out[i].left = tail;
        for (uint32_t k = 0; k < 2; k++, tail++) {
            of[tail].node = node->left + k;
            of[tail].depth = of[i].depth + 1;
            from[tail] = left + k;
        }
    }
    tree->nodes_count = tail;
    to->header.nodes_count += tail;
}

static void cut_close(cut_forest *c) {
    free(c->trees);
    free(c->nodes);
    free(c->from);
    free(c->levels);
    free(c->places);
    free(c->heights);
}

static bool cut_open(cut_forest *c, const ride_forest *forest, uint32_t first, uint32_t count,
                     const forest_lanes *lanes) {
    uint32_t most = 0;
    for (uint32_t t = first; t < first + count; t++)
        if (forest->trees[t].nodes_count > most) most = forest->trees[t].nodes_count;
    memset(c, 0, sizeof *c);
    c->header = *forest->header;
    c->header.trees_count = count;
    c->header.nodes_count = 0;
    c->header.outputs_count = 1;
    c->header.flags = 0;
    c->header.sum_number = RIDE_FOREST_F64;
    c->trees = malloc(count * sizeof *c->trees);
    c->nodes = malloc((size_t)count * NODES * sizeof *c->nodes);
    c->from = malloc((size_t)count * NODES * sizeof *c->from);
    c->levels = malloc((size_t)count * NODES * sizeof *c->levels);
    c->places = calloc((size_t)count * NODES, 1);
    c->heights = malloc((size_t)most * sizeof *c->heights);
    if (c->trees == NULL || c->nodes == NULL || c->from == NULL || c->levels == NULL || c->places == NULL ||
        c->heights == NULL)
        return false;
    for (uint32_t t = 0; t < count; t++) tree_cut(c, t, forest, first + t, lanes);
    c->forest = (ride_forest){.header = &c->header,
                              .base_margins = &c->base,
                              .trees = c->trees,
                              .nodes = c->nodes,
                              .category_words = forest->category_words};
    return true;
}

/* Levels that are left below the crown's ends, of the deepest tree part of each tree. */
static uint32_t steps_left(const ride_forest *forest) {
    uint32_t steps = 0;
    for (uint32_t t = 0; t < forest->header->trees_count; t++)
        steps += forest->trees[t].depth > LEVELS ? forest->trees[t].depth - LEVELS : 0;
    return steps;
}

static ride_status no_memory(ride_error *err) {
    return ride_fail(err, RIDE_E_MEMORY, "no memory for a forest's crown");
}

/* Numbers for the leaves of a tree: by the levels below them, the greatest first. */
static void tree_number(const cut_forest *cut, uint32_t t, uint32_t place_bits, crown_tree *out) {
    const uint32_t first = cut->trees[t].nodes_first, end = first + cut->trees[t].nodes_count;
    uint32_t count = 0, nodes[LEAVES];
    for (uint32_t i = first; i < end; i++) {
        if (!is_leaf(&cut->nodes[i])) continue;
        uint32_t at = count++;
        for (; at > 0 && cut->levels[nodes[at - 1]] < cut->levels[i]; at--) nodes[at] = nodes[at - 1];
        nodes[at] = i;
    }
    for (uint32_t n = 0; n < count; n++) {
        out->nodes[n] = cut->from[nodes[n]];
        out->levels[n] = (uint16_t)cut->levels[nodes[n]];
        for (uint32_t p = cut->places[nodes[n]]; p < PLACES; p += 1u << place_bits) /* higher bits mean nothing */
            out->number_of[p] = (uint8_t)n;
    }
}

/* A group, or its halves. *suited is set to false when there are no planes for it. */
static ride_status group_make(forest_crown *c, const ride_forest *forest, uint32_t first, uint32_t count,
                              const uint32_t *inputs, uint32_t inputs_count, ride_cpu_isa isa, bool *suited,
                              ride_error *err) {
    cut_forest cut;
    const char *why;
    ride_planes *planes = NULL;
    if (!cut_open(&cut, forest, first, count, c->lanes)) {
        cut_close(&cut);
        return no_memory(err);
    }
    ride_status st = ride_planes_create(&cut.forest, inputs, inputs_count, isa, cut.places, &planes, &why, err);
    const bool fits = planes != NULL && ride_planes_has(planes, RIDE_PLANES_WIDE);
    if (st == RIDE_OK && !fits && count >= 2 * TREES_LEAST) {
        ride_planes_destroy(planes);
        cut_close(&cut);
        RIDE_TRY(group_make(c, forest, first, count / 2, inputs, inputs_count, isa, suited, err));
        return *suited
                   ? group_make(c, forest, first + count / 2, count - count / 2, inputs, inputs_count, isa, suited, err)
                   : RIDE_OK;
    }
    *suited = fits;
    if (st == RIDE_OK && fits) {
        crown_group *g = &c->groups[c->groups_count++];
        *g = (crown_group){first, count, planes, calloc(count, sizeof *g->trees)};
        planes = NULL;
        if (g->trees == NULL) st = no_memory(err);
        for (uint32_t t = 0; g->trees != NULL && t < count; t++)
            tree_number(&cut, t, ride_planes_tell(g->planes).leaf_bits, &g->trees[t]);
        const size_t bytes = ride_planes_scratch_bytes(g->planes);
        if (bytes > c->planes_bytes) c->planes_bytes = bytes;
    }
    ride_planes_destroy(planes);
    cut_close(&cut);
    return st;
}

ride_status forest_crown_create(const ride_forest *forest, const uint32_t *inputs, uint32_t inputs_count,
                                ride_cpu_isa isa, const forest_lanes *lanes, forest_crown **out, ride_error *err) {
    const ride_forest_header *h = forest->header;
    bool suited = false;
    *out = NULL;
    if (lanes == NULL || h->trees_count == 0 || h->depth_max < DEEP) return RIDE_OK;
    forest_crown *c = calloc(1, sizeof *c);
    if (c == NULL) return no_memory(err);
    c->lanes = lanes;
    c->trees_count = h->trees_count;
    c->steps = steps_left(forest);
    c->groups = calloc(2 * (size_t)h->trees_count / TREES_LEAST + h->trees_count / TREES_MOST + 2, sizeof *c->groups);
    ride_status st = c->groups != NULL ? RIDE_OK : no_memory(err);
    for (uint32_t t = 0; t < h->trees_count && st == RIDE_OK; t += TREES_MOST) {
        const uint32_t left = h->trees_count - t;
        st = group_make(c, forest, t, left < TREES_MOST ? left : TREES_MOST, inputs, inputs_count, isa, &suited, err);
        if (!suited) break;
    }
    if (st == RIDE_OK && suited) *out = c;
    else forest_crown_destroy(c);
    return st;
}

void forest_crown_destroy(forest_crown *c) {
    if (c == NULL) return;
    for (uint32_t g = 0; g < c->groups_count; g++) {
        ride_planes_destroy(c->groups[g].planes);
        free(c->groups[g].trees);
    }
    free(c->groups);
    free(c);
}

size_t forest_crown_bytes(const forest_crown *c) {
    size_t bytes = sizeof *c;
    for (uint32_t g = 0; g < c->groups_count; g++)
        bytes += sizeof c->groups[g] + ride_planes_tell(c->groups[g].planes).bytes +
                 c->groups[g].trees_count * sizeof *c->groups[g].trees;
    return bytes;
}

/* Scratch: where a row's place is, of each block and group; the places of each block, tree by tree; the planes'. */
typedef const uint16_t *place_list;
static size_t lists_bytes(const forest_crown *c) {
    return ride_whole_lines((size_t)forest_crown_blocks(c) * c->groups_count * sizeof(place_list));
}
static size_t block_bytes(const forest_crown *c) { return (size_t)c->trees_count * RIDE_PLANES_ROWS; }

uint32_t forest_crown_blocks(const forest_crown *c) {
    const size_t blocks = PLACES_BYTES / block_bytes(c);
    return blocks < 1 ? 1 : blocks > RIDE_CROWN_BLOCKS ? RIDE_CROWN_BLOCKS : (uint32_t)blocks;
}

size_t forest_crown_scratch_bytes(const forest_crown *c) {
    return lists_bytes(c) + forest_crown_blocks(c) * block_bytes(c) + c->planes_bytes;
}

/* The cheapest way of a group's planes for so many rows. */
static ride_planes_way way_of(const ride_planes *planes, uint32_t rows_count, uint64_t *cost) {
    ride_planes_way best = RIDE_PLANES_WIDE;
    *cost = ride_planes_cost(planes, best, rows_count);
    for (ride_planes_way way = RIDE_PLANES_SLIM; way < RIDE_PLANES_WIDE; way++) {
        if (!ride_planes_has(planes, way)) continue;
        const uint64_t one = ride_planes_cost(planes, way, rows_count);
        if (one < *cost) best = way, *cost = one;
    }
    return best;
}

double forest_crown_cost(const forest_crown *c, uint32_t rows_count) {
    uint64_t sum = 0;
    for (uint32_t g = 0; g < c->groups_count; g++) {
        uint64_t cost;
        way_of(c->groups[g].planes, rows_count, &cost);
        sum += cost;
    }
    return (double)sum;
}

uint32_t forest_crown_steps(const forest_crown *c) { return c->steps; }

void forest_crown_places(const forest_crown *c, void *scratch, uint32_t block, const float *x, uint32_t stride,
                         uint32_t rows_count) {
    RIDE_ASSERT(block < forest_crown_blocks(c) && rows_count > 0 && rows_count <= RIDE_PLANES_ROWS);
    place_list *lists = (place_list *)scratch + (size_t)block * c->groups_count;
    uint8_t *places = (uint8_t *)scratch + lists_bytes(c) + block * block_bytes(c);
    uint8_t *rest = (uint8_t *)scratch + lists_bytes(c) + forest_crown_blocks(c) * block_bytes(c);
    for (uint32_t i = 0; i < c->groups_count; i++) {
        const crown_group *g = &c->groups[i];
        uint64_t cost;
        const ride_planes_way way = way_of(g->planes, rows_count, &cost);
        const uint32_t step = ride_planes_block(g->planes, way);
        for (uint32_t r = 0; r < rows_count; r += step)
            lists[i] =
                ride_planes_places(g->planes, way, rest, x + r, stride, rows_count - r < step ? rows_count - r : step,
                                   places + (size_t)g->trees_first * RIDE_PLANES_ROWS + r * g->trees_count);
    }
}

/* The numbers of the places that the rows of a block came to. */
static void rows_number(const crown_group *g, uint32_t t, const uint8_t *places, place_list place_of,
                        uint32_t rows_count, uint8_t *numbers) {
    uint64_t cost;
    const uint32_t step = ride_planes_block(g->planes, way_of(g->planes, rows_count, &cost));
    const uint8_t *number_of = g->trees[t].number_of;
    for (uint32_t first = 0; first < rows_count; first += step) {
        const uint8_t *at = places + (size_t)first * g->trees_count + (size_t)t * step;
        for (uint32_t r = first; r < rows_count && r < first + step; r++)
            numbers[r] = number_of[at[place_of[r - first]]];
    }
}

/* Rows by number, a counting sort. */
static void rows_order(const uint8_t *numbers, uint32_t rows_count, uint16_t *rows, uint8_t *sorted) {
    uint16_t next[LEAVES + 1] = {0};
    for (uint32_t r = 0; r < rows_count; r++) next[numbers[r] + 1]++;
    for (uint32_t n = 1; n <= LEAVES; n++) next[n] = (uint16_t)(next[n] + next[n - 1]);
    for (uint32_t r = 0; r < rows_count; r++) {
        const uint32_t at = next[numbers[r]]++;
        rows[at] = (uint16_t)r;
        sorted[at] = numbers[r];
    }
}

void forest_crown_walk(const forest_crown *c, const void *scratch, float *rows, uint32_t rows_count, double *margins) {
    RIDE_ASSERT(rows_count > 0 && rows_count <= forest_crown_blocks(c) * RIDE_PLANES_ROWS);
    uint16_t order[RIDE_PLANES_ROWS];
    uint8_t numbers[RIDE_PLANES_ROWS], sorted[RIDE_PLANES_ROWS];
    const place_list *lists = scratch;
    const uint8_t *places = (const uint8_t *)scratch + lists_bytes(c);
    const uint32_t stride = forest_lanes_stride(c->lanes), outputs = forest_lanes_outputs(c->lanes);
    const bool has_nan = forest_lanes_begin(c->lanes, rows, rows_count, margins);
    for (uint32_t i = 0; i < c->groups_count; i++) {
        const crown_group *g = &c->groups[i];
        for (uint32_t t = 0; t < g->trees_count; t++)
            for (uint32_t r = 0; r < rows_count; r += RIDE_PLANES_ROWS) {
                const uint32_t block = r / RIDE_PLANES_ROWS;
                const uint32_t count = rows_count - r < RIDE_PLANES_ROWS ? rows_count - r : RIDE_PLANES_ROWS;
                rows_number(g, t, places + block * block_bytes(c) + (size_t)g->trees_first * RIDE_PLANES_ROWS,
                            lists[(size_t)block * c->groups_count + i], count, numbers);
                rows_order(numbers, count, order, sorted);
                const forest_lanes_start start = {order, sorted, g->trees[t].nodes, g->trees[t].levels, r, rows_count};
                forest_lanes_from(c->lanes, g->trees_first + t, rows + (size_t)r * stride, count, has_nan, &start,
                                  margins + (size_t)r * outputs);
            }
    }
    forest_lanes_end(c->lanes, rows_count, margins);
}
