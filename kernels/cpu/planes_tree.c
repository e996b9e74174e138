/* kernels/cpu/planes_tree.c: a tree becomes a list of selections and a heap.
 *
 * Heap. A row's place has a bit for each level of a heap of planes: the first level has one plane, whose bit chooses one of the two of the
 * second, and so on; a kernel runs this in registers with one load a plane. A tree no deeper than the levels is such a heap. Any other tree becomes one: at
 * each place of the heap there is a piece of the tree, and its plane cuts the piece in two that both fit below. A piece is cut by the
 * condition of its root, or between a deeper node's leaves and all others, by the plane "comes to that node": the conditions on the way there,
 * which are selections in the list.
 *
 * List. Where that does not go, or costs more: each leaf gets a place; bit b of a row's place is a plane, and that plane follows from the tree: at a
 * leaf it is the leaf's bit, at an inner node a selection between its two sides by the node's condition. Where both sides have
 * the same plane there is nothing to do (all levels of an oblivious tree), and where the left is all 0 and the right all 1 the condition itself
 * is the plane; so the number of selections depends on how the leaves are placed. */
#include "kernels/cpu/planes_internal.h"

#include "base/assert.h"

#include <string.h>

enum {
    NODES_MAX = 2 * RIDE_PLANES_LEAVES_MAX - 1,
    OPS_MAX = RIDE_PLANES_LEAVES_MAX * PLANES_BITS,
    HEAP_MOST = 1 << PLANES_BITS,
    LEVELS_MIN = 4, /* that the kernels have */
    OP_COSTS = 3,   /* in planes of a heap */
    BIT_COSTS = 32, /* a larger table of leaves */
    NONE = 0xffff,
};

/* A tree that is cut while its heap is built. */
typedef struct piece_node {
    uint32_t plane;
    uint16_t left, right, up; /* NONE */
    uint16_t leaves;
} piece_node;

typedef struct maker {
    const ride_forest_node *nodes;
    const uint32_t *plane_of;
    uint32_t result_first; /* plane of the first selection */
    uint32_t ops_count, heap_count;
    uint8_t places[NODES_MAX];
    uint32_t bits[PLANES_BITS];
    piece_node pieces[NODES_MAX];
    planes_op ops[OPS_MAX];
    uint32_t heap[HEAP_MOST];
    double slack, weight; /* of a cut, see cut_choose */
} maker;

static bool is_leaf(const ride_forest_node *node) { return (node->input & RIDE_NODE_LEAF) != 0; }

static uint32_t leaves_of(const ride_forest_node *nodes, uint32_t node) {
    if (is_leaf(&nodes[node])) return 1;
    return leaves_of(nodes, nodes[node].left) + leaves_of(nodes, nodes[node].left + 1);
}

static uint32_t op_add(maker *m, uint32_t test, uint32_t right, uint32_t left) {
    RIDE_ASSERT(m->ops_count < OPS_MAX);
    m->ops[m->ops_count] = (planes_op){test, right, left};
    return m->result_first + m->ops_count++;
}

/* ---- heaps ---- */

static void pieces_make(maker *m, uint32_t nodes_count) {
    for (uint32_t i = 0; i < nodes_count; i++)
        m->pieces[i] = (piece_node){.plane = m->plane_of[i], .left = NONE, .right = NONE, .up = NONE, .leaves = 1};
    for (uint32_t i = 0; i < nodes_count; i++) {
        if (is_leaf(&m->nodes[i])) continue;
        const uint16_t left = (uint16_t)m->nodes[i].left;
        m->pieces[i].left = left;
        m->pieces[i].right = (uint16_t)(left + 1);
        m->pieces[left].up = m->pieces[left + 1].up = (uint16_t)i;
    }
    for (uint32_t i = nodes_count; i-- > 0;) /* children lie behind their parent */
        if (m->pieces[i].left != NONE)
            m->pieces[i].leaves =
                (uint16_t)(m->pieces[m->pieces[i].left].leaves + m->pieces[m->pieces[i].right].leaves);
}

typedef struct cut {
    uint16_t node;
    uint32_t depth;
    double cost;
} cut;

/* The best node below `at` to cut at: both parts must have at most `most` leaves; a deep node costs selections, and a part that is nearly
 * full leaves no choice further down. */
static void cut_choose(const maker *m, uint16_t at, uint32_t depth, uint32_t all, uint32_t most, cut *best) {
    const piece_node *n = &m->pieces[at];
    const uint32_t larger = n->leaves > all - n->leaves ? n->leaves : all - n->leaves;
    if (depth > 0 && larger <= most) {
        const double full = (double)larger / most;
        const double cost = OP_COSTS * (double)(depth - 1) + (full > m->slack ? m->weight * (full - m->slack) : 0.0);
        if (cost < best->cost) *best = (cut){at, depth, cost};
    }
    if (n->left == NONE || n->leaves + most < all) return; /* below it are even fewer */
    cut_choose(m, n->left, depth + 1, all, most, best);
    cut_choose(m, n->right, depth + 1, all, most, best);
}

/* "Comes to v" where v is a right child, else "does not": no plane is ever needed the other way round. */
static uint32_t reach_make(maker *m, uint16_t v) {
    uint16_t at = m->pieces[v].up;
    const bool is_right = m->pieces[at].right == v;
    const uint32_t off = is_right ? PLANE_LEFT : PLANE_RIGHT;
    uint32_t plane = m->pieces[at].plane;
    for (uint16_t up = m->pieces[at].up; up != NONE; at = up, up = m->pieces[up].up)
        plane = m->pieces[up].right == at ? op_add(m, m->pieces[up].plane, plane, off)
                                          : op_add(m, m->pieces[up].plane, off, plane);
    return plane;
}

/* Takes v out of its piece: its sibling stands where its parent was. */
static void piece_cut(maker *m, uint16_t v) {
    piece_node *n = m->pieces;
    const uint16_t parent = n[v].up, sibling = n[parent].left == v ? n[parent].right : n[parent].left,
                   up = n[parent].up;
    RIDE_ASSERT(up != NONE);
    if (n[up].left == parent) n[up].left = sibling;
    else n[up].right = sibling;
    n[sibling].up = up;
    n[v].up = NONE;
    for (uint16_t a = up; a != NONE; a = n[a].up) n[a].leaves = (uint16_t)(n[a].leaves - n[v].leaves);
}

/* The planes of the leaves' numbers below a node of a piece: as list() does, counted from left to right. */
static void piece_list(maker *m, uint16_t at, uint32_t levels, uint32_t place, uint32_t *next,
                       uint32_t bits[PLANES_BITS]) {
    const piece_node *n = &m->pieces[at];
    if (n->left == NONE) {
        for (uint32_t b = 0; b < levels; b++) bits[b] = *next >> (levels - 1 - b) & 1 ? PLANE_RIGHT : PLANE_LEFT;
        m->places[at] = (uint8_t)((place << levels) + (*next)++);
        return;
    }
    uint32_t left[PLANES_BITS], right[PLANES_BITS];
    piece_list(m, n->left, levels, place, next, left);
    piece_list(m, n->right, levels, place, next, right);
    for (uint32_t b = 0; b < levels; b++) {
        if (left[b] == right[b]) bits[b] = left[b];
        else if (left[b] == PLANE_LEFT && right[b] == PLANE_RIGHT) bits[b] = n->plane;
        else bits[b] = op_add(m, n->plane, right[b], left[b]);
    }
}

/* A piece that no cut halves well enough: its bits by selections, each level of its heap one of them. */
static void piece_fill(maker *m, uint16_t root, uint32_t at, uint32_t levels, uint32_t place) {
    uint32_t bits[PLANES_BITS], next = 0;
    piece_list(m, root, levels, place, &next, bits);
    for (uint32_t level = 0; level < levels; level++)
        for (uint32_t i = 0; i < 1u << level; i++) m->heap[((at + 1) << level) - 1 + i] = bits[level];
}

/* The heap under position `at` for a piece; place: the bits so far. False: it does not fit. */
static bool heap_build(maker *m, uint16_t root, uint32_t at, uint32_t levels, uint32_t place) {
    piece_node *n = m->pieces;
    if (n[root].left == NONE) { /* where no plane is, every row goes left */
        m->places[root] = (uint8_t)(place << levels);
        return true;
    }
    if (levels == 0 || n[root].leaves > 1u << levels) return false;
    cut best = {NONE, 0, 1e300};
    cut_choose(m, root, 0, n[root].leaves, 1u << (levels - 1), &best);
    if (best.node == NONE) {
        piece_fill(m, root, at, levels, place);
        return true;
    }
    uint16_t left, right;
    if (best.depth == 1) {
        left = n[root].left, right = n[root].right;
        m->heap[at] = n[root].plane;
        n[left].up = n[right].up = NONE;
    } else {
        const bool is_right = n[n[best.node].up].right == best.node;
        m->heap[at] = reach_make(m, best.node);
        piece_cut(m, best.node);
        left = is_right ? root : best.node, right = is_right ? best.node : root;
    }
    return heap_build(m, left, 2 * at + 1, levels - 1, 2 * place) &&
           heap_build(m, right, 2 * at + 2, levels - 1, 2 * place + 1);
}

/* ---- lists ---- */

/* One after the other. */
static uint32_t place_tight(maker *m, uint32_t node, uint32_t at) {
    if (is_leaf(&m->nodes[node])) {
        m->places[node] = (uint8_t)at;
        return at + 1;
    }
    at = place_tight(m, m->nodes[node].left, at);
    return place_tight(m, m->nodes[node].left + 1, at);
}

/* The larger side first, the smaller at a multiple of the power of two that holds it: their high bits then differ by the condition
 * alone. Returns the end, which may be beyond the table. */
static uint32_t place_aligned(maker *m, uint32_t node, uint32_t at) {
    if (is_leaf(&m->nodes[node])) {
        m->places[node] = (uint8_t)at;
        return at + 1;
    }
    uint32_t first = m->nodes[node].left, second = first + 1;
    if (leaves_of(m->nodes, second) > leaves_of(m->nodes, first)) first = second, second = m->nodes[node].left;
    uint32_t room = 1;
    while (room < leaves_of(m->nodes, second)) room *= 2;
    at = place_aligned(m, first, at);
    return place_aligned(m, second, (at + room - 1) / room * room);
}

/* By the path: the levels of an oblivious tree are its bits. */
static void place_path(maker *m, uint32_t node, uint32_t path, uint32_t left_over) {
    if (is_leaf(&m->nodes[node])) {
        m->places[node] = (uint8_t)(path << left_over);
        return;
    }
    place_path(m, m->nodes[node].left, 2 * path, left_over - 1);
    place_path(m, m->nodes[node].left + 1, 2 * path + 1, left_over - 1);
}

static void list(maker *m, uint32_t node, uint32_t bits[PLANES_BITS]) {
    if (is_leaf(&m->nodes[node])) {
        for (uint32_t b = 0; b < PLANES_BITS; b++)
            bits[b] = (m->places[node] >> (PLANES_BITS - 1 - b)) & 1 ? PLANE_RIGHT : PLANE_LEFT;
        return;
    }
    uint32_t left[PLANES_BITS], right[PLANES_BITS];
    list(m, m->nodes[node].left, left);
    list(m, m->nodes[node].left + 1, right);
    for (uint32_t b = 0; b < PLANES_BITS; b++) {
        const uint32_t test = m->plane_of[node];
        if (left[b] == right[b]) bits[b] = left[b];
        else if (left[b] == PLANE_LEFT && right[b] == PLANE_RIGHT) bits[b] = test;
        else bits[b] = op_add(m, test, right[b], left[b]);
    }
}

/* ---- one tree ---- */

enum { BY_PATH, BY_TIGHT, BY_ALIGNED, BY_HEAP };
typedef struct trial {
    int by;
    uint32_t levels; /* of a heap */
    uint32_t bits;   /* of the places */
    double slack, weight, cost;
} trial;

/* Bits that the places of the leaves need, at least six. */
static uint32_t place_bits(const maker *m, uint32_t nodes_count) {
    uint32_t bits = 6;
    for (uint32_t i = 0; i < nodes_count; i++)
        while (is_leaf(&m->nodes[i]) && m->places[i] >> bits != 0) bits++;
    return bits;
}

/* Makes the tree in the maker in one of the ways. False: not possible. */
static bool try(maker *m, const ride_forest_tree *tree, uint32_t leaves, trial *t) {
    m->ops_count = 0;
    if (t->by == BY_HEAP) {
        m->slack = t->slack;
        m->weight = t->weight;
        memset(m->heap, 0, sizeof m->heap);
        pieces_make(m, tree->nodes_count);
        if (!heap_build(m, 0, 0, t->levels, 0)) return false;
        t->cost = (double)(1u << t->levels) + OP_COSTS * (double)m->ops_count;
    } else {
        if (t->by == BY_PATH) place_path(m, 0, 0, tree->depth <= 6 ? 6 : PLANES_BITS);
        else if (t->by == BY_TIGHT) place_tight(m, 0, 0);
        else if (place_aligned(m, 0, 0) > (leaves <= 64 ? 64 : 256)) return false;
        list(m, 0, m->bits);
        t->cost = OP_COSTS * (double)m->ops_count;
    }
    t->bits = place_bits(m, tree->nodes_count);
    t->cost += BIT_COSTS * (double)(t->bits - 6);
    return true;
}

static void better(maker *m, const ride_forest_tree *tree, uint32_t leaves, trial next, trial *best) {
    if (try(m, tree, leaves, &next) && next.cost < best->cost) *best = next;
}

static double tree_make(maker *m, planes_tree *out, const ride_forest_tree *tree) {
    static const double slacks[] = {0.5, 0.6, 0.75, 0.9, 1.0};
    const uint32_t leaves = (tree->nodes_count + 1) / 2;
    trial best = {.cost = 1e300};
    if (tree->depth <= PLANES_BITS) better(m, tree, leaves, (trial){.by = BY_PATH}, &best);
    better(m, tree, leaves, (trial){.by = BY_TIGHT}, &best);
    better(m, tree, leaves, (trial){.by = BY_ALIGNED}, &best);
    for (uint32_t levels = LEVELS_MIN; levels <= PLANES_BITS; levels++) {
        if (leaves > 1u << levels || (double)(1u << levels) >= best.cost) continue;
        for (size_t s = 0; s < sizeof slacks / sizeof *slacks; s++)
            for (double weight = 8; weight <= 128; weight *= 4)
                better(m, tree, leaves, (trial){.by = BY_HEAP, .levels = levels, .slack = slacks[s], .weight = weight},
                       &best);
    }
    const bool made = try(m, tree, leaves, &best);
    RIDE_ASSERT(made);
    *out = (planes_tree){.ops_count = m->ops_count,
                         .place_bits = best.bits,
                         .levels = best.by == BY_HEAP ? best.levels : 0};
    if (best.by != BY_HEAP) memcpy(out->bits, m->bits, sizeof out->bits);
    return best.cost;
}

/* ---- all trees ---- */

static bool room_for(void **array, uint32_t have, uint32_t more, uint32_t *room, size_t entry) {
    if (have + more <= *room) return true;
    const uint32_t most = 2 * (have + more);
    void *larger = realloc(*array, most * entry);
    if (larger == NULL) return false;
    *array = larger;
    *room = most;
    return true;
}

ride_status planes_trees_make(ride_planes *p, const ride_forest *forest, const uint32_t *order,
                              const uint32_t *plane_of, uint8_t *places, ride_error *err) {
    maker *m = calloc(1, sizeof *m);
    uint32_t ops_room = 0, heaps_room = 0;
    double cost = 0;
    p->trees = calloc((size_t)p->trees_count + 1, sizeof *p->trees);
    bool ok = m != NULL && p->trees != NULL;
    for (uint32_t t = 0; ok && t < p->trees_count; t++) {
        const ride_forest_tree *tree = &forest->trees[order[t]];
        planes_tree *out = &p->trees[t];
        m->nodes = forest->nodes + tree->nodes_first;
        m->plane_of = plane_of + tree->nodes_first;
        m->result_first = p->planes_count;
        cost += tree_make(m, out, tree);
        const uint32_t heap_count = out->levels > 0 ? 1u << out->levels : 0;
        ok = room_for((void **)&p->ops, p->ops_count, out->ops_count, &ops_room, sizeof *p->ops) &&
             room_for((void **)&p->heaps, p->heaps_count, heap_count, &heaps_room, sizeof *p->heaps);
        if (!ok) break;
        out->ops_first = p->ops_count;
        out->heap_first = p->heaps_count;
        if (out->ops_count > 0) memcpy(p->ops + p->ops_count, m->ops, out->ops_count * sizeof *p->ops);
        if (heap_count > 0) memcpy(p->heaps + p->heaps_count, m->heap, heap_count * sizeof *p->heaps);
        memcpy(places + tree->nodes_first, m->places, tree->nodes_count);
        p->ops_count += out->ops_count;
        p->heaps_count += heap_count;
        if (out->ops_count > p->ops_most) p->ops_most = out->ops_count;
    }
    free(m);
    p->tree_costs = cost;
    return ok ? RIDE_OK : ride_fail(err, RIDE_E_MEMORY, "no memory for the lists of %u trees", p->trees_count);
}
