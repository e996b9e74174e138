/* kernels/cpu/planes_tree.c: a tree becomes a list of selections. Each leaf gets a place from 0 to 63; bit b of a row's place is a plane, and
 * that plane follows from the tree: at a leaf it is the leaf's bit, at an inner node a selection between its two sides by the node's
 * condition. Where both sides have the same plane there is nothing to do, and where the left is all 0 and the right all 1 the condition
 * itself is the plane; so the number of selections depends on how the leaves are placed. */
#include "kernels/cpu/planes_internal.h"

#include "base/assert.h"

#include <string.h>

enum { NODES_MAX = 2 * RIDE_PLANES_LEAVES_MAX - 1, HEAP_DEPTH = 6, HEAP_PAYS = 24 /* selections */ };

typedef struct place {
    uint8_t of[NODES_MAX]; /* each leaf */
} place;

typedef struct lister {
    const ride_forest_node *nodes;
    const uint32_t *plane_of;
    const place *places;
    planes_op *ops;
    uint32_t ops_count, result_first;
} lister;

static uint32_t leaves_of(const ride_forest_node *nodes, uint32_t node) {
    if (nodes[node].input & RIDE_NODE_LEAF) return 1;
    return leaves_of(nodes, nodes[node].left) + leaves_of(nodes, nodes[node].left + 1);
}

/* One after the other. */
static uint32_t place_tight(const ride_forest_node *nodes, uint32_t node, uint32_t at, place *out) {
    if (nodes[node].input & RIDE_NODE_LEAF) {
        out->of[node] = (uint8_t)at;
        return at + 1;
    }
    at = place_tight(nodes, nodes[node].left, at, out);
    return place_tight(nodes, nodes[node].left + 1, at, out);
}

/* The larger side first, the smaller at a multiple of the power of two that holds it: their high bits then differ by the condition
 * alone. Returns the end, which may be beyond the table. */
static uint32_t place_aligned(const ride_forest_node *nodes, uint32_t node, uint32_t at, place *out) {
    if (nodes[node].input & RIDE_NODE_LEAF) {
        out->of[node] = (uint8_t)at;
        return at + 1;
    }
    uint32_t first = nodes[node].left, second = first + 1;
    if (leaves_of(nodes, second) > leaves_of(nodes, first)) first = second, second = nodes[node].left;
    uint32_t room = 1;
    while (room < leaves_of(nodes, second)) room *= 2;
    at = place_aligned(nodes, first, at, out);
    return place_aligned(nodes, second, (at + room - 1) / room * room, out);
}

/* By the path: what a full tree of depth 6 has. */
static void place_path(const ride_forest_node *nodes, uint32_t node, uint32_t path, uint32_t depth, place *out) {
    if (nodes[node].input & RIDE_NODE_LEAF) {
        out->of[node] = (uint8_t)(path << (HEAP_DEPTH - depth));
        return;
    }
    place_path(nodes, nodes[node].left, 2 * path, depth + 1, out);
    place_path(nodes, nodes[node].left + 1, 2 * path + 1, depth + 1, out);
}

static void list(lister *l, uint32_t node, uint32_t bits[PLANES_BITS]) {
    const ride_forest_node *n = &l->nodes[node];
    if (n->input & RIDE_NODE_LEAF) {
        for (uint32_t b = 0; b < PLANES_BITS; b++)
            bits[b] = (l->places->of[node] >> (PLANES_BITS - 1 - b)) & 1 ? PLANE_RIGHT : PLANE_LEFT;
        return;
    }
    uint32_t left[PLANES_BITS], right[PLANES_BITS];
    list(l, n->left, left);
    list(l, n->left + 1, right);
    for (uint32_t b = 0; b < PLANES_BITS; b++) {
        const uint32_t test = l->plane_of[node];
        if (left[b] == right[b]) bits[b] = left[b];
        else if (left[b] == PLANE_LEFT && right[b] == PLANE_RIGHT) bits[b] = test;
        else {
            RIDE_ASSERT(l->ops_count < PLANES_OPS_MAX);
            bits[b] = l->result_first + l->ops_count;
            l->ops[l->ops_count++] = (planes_op){test, right[b], left[b]};
        }
    }
}

/* Positions of the heap under an inner node of the tree; under a leaf every row goes left. */
static void heap_fill(const ride_forest_node *nodes, const uint32_t *plane_of, uint32_t node, uint32_t at,
                      uint32_t heap[PLANES_HEAP + 1]) {
    if (at >= PLANES_HEAP || (nodes[node].input & RIDE_NODE_LEAF)) return;
    heap[at] = plane_of[node];
    heap_fill(nodes, plane_of, nodes[node].left, 2 * at + 1, heap);
    heap_fill(nodes, plane_of, nodes[node].left + 1, 2 * at + 2, heap);
}

static void leaves_fill(const ride_forest_node *nodes, uint32_t nodes_count, const place *places, planes_leaves *out) {
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < nodes_count; i++) {
        if ((nodes[i].input & RIDE_NODE_LEAF) == 0) continue;
        const float value = (float)nodes[i].u.leaf;
        uint32_t word;
        memcpy(&word, &value, sizeof word);
        out->values[places->of[i]] = value;
        out->low[places->of[i]] = (uint16_t)word;
        out->high[places->of[i]] = (uint16_t)(word >> 16);
    }
}

/* The lists of a placement. */
static lister try_place(const ride_planes *p, const ride_forest_node *nodes, const uint32_t *plane_of,
                        const place *places, planes_op *ops, uint32_t bits[PLANES_BITS]) {
    lister l = {.nodes = nodes, .plane_of = plane_of, .places = places, .ops = ops, .result_first = p->planes_count};
    list(&l, 0, bits);
    return l;
}

static void tree_make(ride_planes *p, const ride_forest *forest, uint32_t number, const uint32_t *plane_of) {
    const ride_forest_tree *tree = &forest->trees[number];
    const ride_forest_node *nodes = forest->nodes + tree->nodes_first;
    planes_tree *out = &p->trees[number];
    place places[3];
    uint32_t ways = 0, best = 0, best_count = UINT32_MAX;
    const bool has_path = tree->depth <= HEAP_DEPTH;
    plane_of += tree->nodes_first;
    if (has_path) place_path(nodes, 0, 0, 0, &places[ways++]);
    place_tight(nodes, 0, 0, &places[ways++]);
    if (place_aligned(nodes, 0, 0, &places[ways]) <= RIDE_PLANES_LEAVES_MAX) ways++;
    for (uint32_t w = 0; w < ways; w++) {
        const lister l = try_place(p, nodes, plane_of, &places[w], p->ops + p->ops_count, out->bits);
        if (l.ops_count < best_count) best = w, best_count = l.ops_count;
    }
    out->heap_first = UINT32_MAX;
    if (has_path &&
        best_count > HEAP_PAYS) { /* the wide kernel keeps a full tree in registers: fewer loads, no stores */
        best = 0;
        out->heap_first = p->heaps_count;
        memset(p->heaps + p->heaps_count, 0, (PLANES_HEAP + 1) * sizeof *p->heaps);
        heap_fill(nodes, plane_of, 0, 0, p->heaps + p->heaps_count);
        p->heaps_count += PLANES_HEAP + 1;
    }
    const lister l = try_place(p, nodes, plane_of, &places[best], p->ops + p->ops_count, out->bits);
    out->ops_first = p->ops_count;
    out->ops_count = l.ops_count;
    p->ops_count += l.ops_count;
    if (l.ops_count > p->ops_most) p->ops_most = l.ops_count;
    leaves_fill(nodes, tree->nodes_count, &places[best], &p->leaves[number]);
}

ride_status planes_trees_make(ride_planes *p, const ride_forest *forest, const uint32_t *plane_of, ride_error *err) {
    const size_t trees = forest->header->trees_count;
    p->trees = calloc(trees, sizeof *p->trees);
    p->ops = calloc(trees * PLANES_OPS_MAX, sizeof *p->ops);
    p->heaps = calloc(trees * (PLANES_HEAP + 1), sizeof *p->heaps);
    if (p->trees == NULL || p->ops == NULL || p->heaps == NULL)
        return ride_fail(err, RIDE_E_MEMORY, "no memory for the lists of %u trees", forest->header->trees_count);
    for (uint32_t t = 0; t < forest->header->trees_count; t++) tree_make(p, forest, t, plane_of);
    planes_op *less = realloc(p->ops, ((size_t)p->ops_count + 1) * sizeof *less);
    if (less != NULL) p->ops = less;
    return RIDE_OK;
}
