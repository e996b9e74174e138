/* kernels/cpu/forest_lanes.c: sixteen walks at a time: of sixteen rows down one tree or, where rows are few, of one row down sixteen trees. A
 * step is a chain of two loads, a comparison and an add; the other fifteen take theirs meanwhile, also where a node lies in the second cache. A walk that has
 * arrived stays: its leaf asks an input that every row has and that is below everything. No branch depends on the data but "all have arrived".
 *
 * Other tests than x < threshold become inputs of their own, made once for each row: 0 or 1 for a category set, NaN where zero is missing too.
 *
 * The nodes of a tree lie depth first, siblings side by side, the larger side's children next to their parent; a block's rows go down a tree
 * before the next tree, so that a tree comes from memory once. */
#include "kernels/cpu/forest_lanes.h"

#include "kernels/row/tree.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    LANES = 16,
    RIGHT_BITS = 20, /* of the right child's number in its tree; the next bit: a missing value goes right */
    INPUT_BITS = 11, /* then the input's */
    STEPS = 4,       /* between looks at who has arrived */
};
static const uint32_t RIGHT_MASK = (1u << RIGHT_BITS) - 1, INPUT_MASK = (1u << INPUT_BITS) - 1;
enum { INPUT_SHIFT = RIGHT_BITS + 1 };

typedef struct lane_node {
    union {
        float threshold; /* x >= threshold goes right */
        float leaf;      /* of float sums */
        uint32_t at;     /* of double sums: in leaves */
    } u;
    uint32_t
        word; /* right child, the left one is before it (a leaf: the next, so that it is its own left child); missing right; input */
} lane_node;

/* An input that is made. What is missing is NaN here too. */
typedef enum ask_kind {
    ASK_ZERO,    /* the value itself; zero is missing */
    ASK_MISSING, /* zero, which is below the threshold */
    ASK_SET,     /* 1 for what goes right, 0 for what goes left */
} ask_kind;

typedef struct lane_ask {
    ask_kind kind;
    uint32_t x, bits; /* of the node, as far as they say what is asked */
    ride_forest_set set;
} lane_ask;

typedef struct lane_tree {
    uint32_t first, count, depth, output;
    uint32_t leaves_first, leaves_count; /* of double sums */
} lane_tree;

struct forest_lanes {
    uint32_t inputs_count, asks_count, stride, trees_count, outputs_count, nodes_count, leaves_count;
    ride_forest_header header;
    double *base_margins;
    lane_tree *trees;
    lane_node *nodes;
    double *leaves; /* of double sums */
    lane_ask *asks;
    uint32_t *words; /* of the sets */
};

/* ---- inputs that are made ---- */

typedef struct asking {
    lane_ask ask;
    uint32_t node;
    const uint32_t *words;
} asking;

static int compare_asks(const void *a, const void *b) {
    const asking *l = a, *r = b;
    if (l->ask.x != r->ask.x) return l->ask.x < r->ask.x ? -1 : 1;
    if (l->ask.kind != r->ask.kind) return l->ask.kind < r->ask.kind ? -1 : 1;
    if (l->ask.bits != r->ask.bits) return l->ask.bits < r->ask.bits ? -1 : 1;
    if (l->ask.set.words_count != r->ask.set.words_count)
        return l->ask.set.words_count < r->ask.set.words_count ? -1 : 1;
    const size_t bytes = l->ask.set.words_count * sizeof *l->words;
    return bytes > 0 ? memcmp(l->words + l->ask.set.words_first, r->words + r->ask.set.words_first, bytes) : 0;
}

static bool is_special(const ride_forest_node *node) {
    return (node->input & (RIDE_NODE_SET | RIDE_NODE_ZERO_MISSING | RIDE_NODE_ONLY_MISSING)) != 0;
}

static lane_ask ask_of(const ride_forest_node *node, uint32_t x) {
    const uint32_t bits = node->input;
    if (bits & RIDE_NODE_SET)
        return (lane_ask){ASK_SET, x, bits & (RIDE_NODE_SET_LEFT | RIDE_NODE_SET_FROM_MINUS_1), node->u.set};
    return (
        lane_ask){(bits & RIDE_NODE_ONLY_MISSING) ? ASK_MISSING : ASK_ZERO, x, bits & RIDE_NODE_ZERO_MISSING, {0, 0}};
}

/* The asks of a forest, each once; input_of: of each node that has one, its number behind the tested inputs. False: no memory. */
static bool asks_make(forest_lanes *f, const ride_forest *forest, const uint32_t *x_of, uint32_t *input_of) {
    const ride_forest_header *h = forest->header;
    uint32_t count = 0;
    for (uint32_t i = 0; i < h->nodes_count; i++) count += is_special(&forest->nodes[i]);
    asking *all = malloc(((size_t)count + 1) * sizeof *all);
    f->asks = malloc(((size_t)count + 1) * sizeof *f->asks);
    f->words = malloc(((size_t)h->category_words_count + 1) * sizeof *f->words);
    const bool ok = all != NULL && f->asks != NULL && f->words != NULL;
    if (ok) {
        uint32_t at = 0;
        if (h->category_words_count > 0)
            memcpy(f->words, forest->category_words, h->category_words_count * sizeof *f->words);
        for (uint32_t i = 0; i < h->nodes_count; i++) {
            const ride_forest_node *node = &forest->nodes[i];
            if (!is_special(node)) continue;
            all[at++] = (asking){ask_of(node, x_of[node->input & RIDE_NODE_INPUT_MASK]), i, f->words};
        }
        qsort(all, count, sizeof *all, compare_asks);
        for (uint32_t i = 0; i < count; i++) {
            if (i == 0 || compare_asks(&all[i], &all[i - 1]) != 0) f->asks[f->asks_count++] = all[i].ask;
            input_of[all[i].node] = f->inputs_count + f->asks_count - 1;
        }
    }
    free(all);
    return ok;
}

static float ask_value(const forest_lanes *f, const lane_ask *ask, float x) {
    const bool is_zero = (ask->bits & RIDE_NODE_ZERO_MISSING) && ride_forest_is_zero((double)x);
    if (x != x || is_zero) return NAN;
    if (ask->kind == ASK_ZERO) return x;
    if (ask->kind == ASK_MISSING) return 0.0f;
    const uint32_t is_member = ride_forest_member(f->words, ask->set, ask->bits, (double)x);
    return is_member == ((ask->bits & RIDE_NODE_SET_LEFT) != 0) ? 0.0f : 1.0f;
}

/* ---- making ---- */

typedef struct layer {
    const ride_forest_node *nodes;
    const uint32_t *x_of, *input_of; /* the second: of the tree's nodes that ask for made inputs */
    lane_node *out;
    uint32_t *sizes; /* nodes below each node, itself too */
    double *leaves;
    uint32_t leaves_count, tail, last; /* last: the input below everything */
    bool is_float;
} layer;

static bool is_leaf(const ride_forest_node *node) { return (node->input & RIDE_NODE_LEAF) != 0; }

/* Deep trees: a stack of the caller's. */
typedef struct pending {
    uint32_t node, at;
} pending;

static void tree_lay(layer *l, uint32_t nodes_count, pending *stack) {
    for (uint32_t i = nodes_count; i-- > 0;)
        l->sizes[i] = is_leaf(&l->nodes[i]) ? 1 : 1 + l->sizes[l->nodes[i].left] + l->sizes[l->nodes[i].left + 1];
    uint32_t depth = 0;
    stack[depth++] = (pending){0, 0};
    l->tail = 1;
    while (depth > 0) {
        const pending next = stack[--depth];
        const ride_forest_node *node = &l->nodes[next.node];
        lane_node *out = &l->out[next.at];
        if (is_leaf(node)) {
            out->word = (next.at + 1) | l->last << INPUT_SHIFT;
            if (l->is_float) out->u.leaf = (float)node->u.leaf;
            else {
                out->u.at = l->leaves_count;
                l->leaves[l->leaves_count++] = node->u.leaf;
            }
            continue;
        }
        const uint32_t left = node->left, at = l->tail;
        const bool asks = is_special(node);
        const uint32_t input = asks ? l->input_of[next.node] : l->x_of[node->input & RIDE_NODE_INPUT_MASK];
        if (node->input & RIDE_NODE_SET) out->u.threshold = 0.5f;
        else out->u.threshold = (node->input & RIDE_NODE_ONLY_MISSING) ? INFINITY : (float)node->u.threshold;
        out->word = (at + 1) | input << INPUT_SHIFT | ((node->input & RIDE_NODE_DEFAULT_LEFT) ? 0 : 1u << RIGHT_BITS);
        l->tail += 2;
        const bool left_first = l->sizes[left] >= l->sizes[left + 1];
        stack[depth++] = left_first ? (pending){left + 1, at + 1} : (pending){left, at};
        stack[depth++] = left_first ? (pending){left, at} : (pending){left + 1, at + 1};
    }
}

static bool is_suited(const ride_forest *forest, uint32_t inputs_count) {
    const ride_forest_header *h = forest->header;
    if (h->aggregate != RIDE_FOREST_SUM || inputs_count > INPUT_MASK) return false;
    for (uint32_t t = 0; t < h->trees_count; t++)
        if (forest->trees[t].nodes_count > RIGHT_MASK) return false;
    for (uint32_t i = 0; i < h->nodes_count; i++) {
        const ride_forest_node *node = &forest->nodes[i];
        if (!is_leaf(node) && !(node->input & (RIDE_NODE_SET | RIDE_NODE_ONLY_MISSING)) &&
            (double)(float)node->u.threshold != node->u.threshold)
            return false;
    }
    return true;
}

static ride_status no_memory(const ride_forest *forest, ride_error *err) {
    return ride_fail(err, RIDE_E_MEMORY, "no memory for walking %u nodes", forest->header->nodes_count);
}

static ride_status make(forest_lanes *f, const ride_forest *forest, const uint32_t *x_of, const uint32_t *input_of,
                        ride_error *err) {
    const ride_forest_header *h = forest->header;
    uint32_t most = 0;
    for (uint32_t t = 0; t < h->trees_count; t++)
        if (forest->trees[t].nodes_count > most) most = forest->trees[t].nodes_count;
    layer l = {.x_of = x_of, .last = f->stride - 1, .is_float = h->sum_number == RIDE_FOREST_F32};
    pending *stack = malloc(((size_t)most + 2) * sizeof *stack);
    l.sizes = malloc(((size_t)most + 1) * sizeof *l.sizes);
    l.leaves = f->leaves = malloc(((size_t)h->nodes_count / 2 + h->trees_count + 1) * sizeof *f->leaves);
    f->base_margins = malloc(h->outputs_count * sizeof *f->base_margins);
    f->trees = malloc(h->trees_count * sizeof *f->trees);
    f->nodes = aligned_alloc(64, ((size_t)h->nodes_count * sizeof *f->nodes + 64) / 64 * 64);
    const bool ok = stack != NULL && l.sizes != NULL && l.leaves != NULL && f->base_margins != NULL &&
                    f->trees != NULL && f->nodes != NULL;
    if (ok) memcpy(f->base_margins, forest->base_margins, h->outputs_count * sizeof *f->base_margins);
    for (uint32_t t = 0; ok && t < h->trees_count; t++) {
        const ride_forest_tree *tree = &forest->trees[t];
        l.nodes = forest->nodes + tree->nodes_first;
        l.out = f->nodes + tree->nodes_first;
        l.input_of = input_of + tree->nodes_first;
        const uint32_t leaves_first = l.leaves_count;
        tree_lay(&l, tree->nodes_count, stack);
        f->trees[t] = (lane_tree){.first = tree->nodes_first,
                                  .count = tree->nodes_count,
                                  .depth = tree->depth,
                                  .output = tree->output,
                                  .leaves_first = leaves_first,
                                  .leaves_count = l.leaves_count - leaves_first};
    }
    f->leaves_count = l.leaves_count;
    free(stack);
    free(l.sizes);
    return ok ? RIDE_OK : no_memory(forest, err);
}

ride_status forest_lanes_create(const ride_forest *forest, const uint32_t *inputs, uint32_t inputs_count,
                                forest_lanes **out, ride_error *err) {
    const ride_forest_header *h = forest->header;
    *out = NULL;
    if (!is_suited(forest, inputs_count)) return RIDE_OK;
    forest_lanes *f = calloc(1, sizeof *f);
    uint32_t *x_of = calloc((size_t)h->inputs_count + 1, sizeof *x_of);
    uint32_t *input_of = calloc((size_t)h->nodes_count + 1, sizeof *input_of);
    bool fits = false;
    ride_status st = f != NULL && x_of != NULL && input_of != NULL ? RIDE_OK : no_memory(forest, err);
    if (st == RIDE_OK) {
        for (uint32_t i = 0; i < inputs_count; i++) x_of[inputs[i]] = i;
        f->header = *h;
        f->inputs_count = inputs_count;
        f->trees_count = h->trees_count;
        f->outputs_count = h->outputs_count;
        f->nodes_count = h->nodes_count;
        if (!asks_make(f, forest, x_of, input_of)) st = no_memory(forest, err);
        f->stride = inputs_count + f->asks_count + 1;
        fits = f->stride <= INPUT_MASK + 1;
        if (st == RIDE_OK && fits) st = make(f, forest, x_of, input_of, err);
    }
    free(x_of);
    free(input_of);
    if (st == RIDE_OK && fits) *out = f;
    else forest_lanes_destroy(f);
    return st;
}

void forest_lanes_destroy(forest_lanes *f) {
    if (f == NULL) return;
    free(f->base_margins);
    free(f->trees);
    free(f->nodes);
    free(f->leaves);
    free(f->asks);
    free(f->words);
    free(f);
}

size_t forest_lanes_bytes(const forest_lanes *f) {
    return sizeof *f + f->nodes_count * sizeof *f->nodes + f->leaves_count * sizeof *f->leaves +
           f->trees_count * sizeof *f->trees + f->asks_count * sizeof *f->asks +
           f->header.category_words_count * sizeof *f->words;
}

uint32_t forest_lanes_stride(const forest_lanes *f) { return f->stride; }
uint32_t forest_lanes_outputs(const forest_lanes *f) { return f->outputs_count; }
uint32_t forest_lanes_left(const forest_lanes *f, uint32_t tree, uint32_t node) {
    return (f->nodes[f->trees[tree].first + node].word & RIGHT_MASK) - 1;
}

/* ---- walking ---- */

static inline uint32_t step(const lane_node *nodes, const float *x, bool has_nan, uint32_t at) {
    const lane_node *node = &nodes[at];
    const float value = x[node->word >> INPUT_SHIFT];
    uint32_t next = node->word & RIGHT_MASK;
    next -= value < node->u.threshold;
    if (has_nan) next -= (uint32_t)(value != value) & ~(node->word >> RIGHT_BITS);
    return next;
}

/* Lane i walks from nodes[i] + at[i] with x[i]; until all have arrived. */
static inline __attribute__((always_inline)) void walk(const lane_node *const nodes[LANES], const float *const x[LANES],
                                                       uint32_t depth, bool has_nan, uint32_t at[LANES]) {
    for (uint32_t level = 0; level < depth; level += STEPS) {
        uint32_t moved = 0;
        for (int s = 0; s < STEPS - 1; s++) {
#pragma GCC unroll 16
            for (int i = 0; i < LANES; i++) at[i] = step(nodes[i], x[i], has_nan, at[i]);
        }
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++) {
            const uint32_t next = step(nodes[i], x[i], has_nan, at[i]);
            moved |= next ^ at[i];
            at[i] = next;
        }
        if (moved == 0) break;
    }
}

static inline double leaf_of(const forest_lanes *f, const lane_node *node) {
    return f->header.sum_number == RIDE_FOREST_F32 ? (double)node->u.leaf : f->leaves[node->u.at];
}

/* A part of the next tree comes nearer while sixteen rows walk; few rows meet only little of it. */
enum { LINE = 64, FETCH_ROWS = 256, FETCH_LINES = 64 };
static inline void fetch_lines(const uint8_t *from, size_t bytes, uint32_t part, uint32_t parts) {
    const size_t lines = (bytes / LINE + parts - 1) / parts;
    if (lines > FETCH_LINES) return;
    for (size_t i = part * lines; i < (part + 1) * lines && i * LINE < bytes; i++)
        __builtin_prefetch(from + i * LINE, 0, 2);
}
static inline void fetch_part(const forest_lanes *f, const lane_tree *tree, uint32_t row, uint32_t rows_count) {
    const uint32_t part = row / LANES, parts = rows_count / LANES;
    fetch_lines((const uint8_t *)(f->nodes + tree->first), tree->count * sizeof(lane_node), part, parts);
    fetch_lines((const uint8_t *)(f->leaves + tree->leaves_first), tree->leaves_count * sizeof(double), part, parts);
}

/* Sixteen rows down one tree; rows behind the last are the first one again. */
static inline __attribute__((always_inline)) void rows_walk(const forest_lanes *f, const lane_tree *tree,
                                                            const float *x, uint32_t rows_count, bool has_nan,
                                                            double *margins) {
    const uint32_t stride = f->stride, outputs = f->outputs_count;
    const bool fetches = rows_count >= FETCH_ROWS && tree + 1 < f->trees + f->trees_count;
    for (uint32_t r = 0; r < rows_count; r += LANES) {
        if (fetches) fetch_part(f, &tree[1], r, rows_count);
        const lane_node *nodes[LANES];
        const float *rows[LANES];
        uint32_t at[LANES];
        for (uint32_t i = 0; i < LANES; i++) {
            nodes[i] = f->nodes + tree->first;
            rows[i] = x + (size_t)(r + i < rows_count ? r + i : r) * stride;
            at[i] = 0;
        }
        walk(nodes, rows, tree->depth, has_nan, at);
        double *sum = margins + (size_t)r * outputs + tree->output;
        for (uint32_t i = 0; i < LANES && r + i < rows_count; i++, sum += outputs)
            *sum = ride_forest_add(*sum, leaf_of(f, &nodes[i][at[i]]), f->header.sum_number);
    }
}

/* One row down sixteen trees. */
static inline __attribute__((always_inline)) void trees_walk(const forest_lanes *f, const float *x, bool has_nan,
                                                             double *margins) {
    for (uint32_t t = 0; t < f->trees_count; t += LANES) {
        const lane_node *nodes[LANES];
        const float *rows[LANES];
        uint32_t at[LANES], depth = 0;
        for (uint32_t i = 0; i < LANES; i++) {
            const lane_tree *tree = &f->trees[t + i < f->trees_count ? t + i : t];
            nodes[i] = f->nodes + tree->first;
            rows[i] = x;
            at[i] = 0;
            if (tree->depth > depth) depth = tree->depth;
        }
        walk(nodes, rows, depth, has_nan, at);
        for (uint32_t i = 0; i < LANES && t + i < f->trees_count; i++) {
            double *sum = &margins[f->trees[t + i].output];
            *sum = ride_forest_add(*sum, leaf_of(f, &nodes[i][at[i]]), f->header.sum_number);
        }
    }
}

static __attribute__((noinline)) void walk_plain(const forest_lanes *f, const float *x, uint32_t rows_count,
                                                 double *margins) {
    if (rows_count < LANES)
        for (uint32_t r = 0; r < rows_count; r++)
            trees_walk(f, x + (size_t)r * f->stride, false, margins + (size_t)r * f->outputs_count);
    else
        for (uint32_t t = 0; t < f->trees_count; t++) rows_walk(f, &f->trees[t], x, rows_count, false, margins);
}

static __attribute__((noinline)) void walk_missing(const forest_lanes *f, const float *x, uint32_t rows_count,
                                                   double *margins) {
    if (rows_count < LANES)
        for (uint32_t r = 0; r < rows_count; r++)
            trees_walk(f, x + (size_t)r * f->stride, true, margins + (size_t)r * f->outputs_count);
    else
        for (uint32_t t = 0; t < f->trees_count; t++) rows_walk(f, &f->trees[t], x, rows_count, true, margins);
}

/* Sixteen rows from where they begin; rows behind the last are the first one again. */
static inline __attribute__((always_inline)) void rows_from(const forest_lanes *f, const lane_tree *tree,
                                                            const float *x, uint32_t rows_count, bool has_nan,
                                                            const forest_lanes_start *start, double *margins) {
    const lane_node *nodes = f->nodes + tree->first;
    const bool fetches = start->all >= FETCH_ROWS && tree + 1 < f->trees + f->trees_count;
    for (uint32_t k = 0; k < rows_count; k += LANES) {
        if (fetches) fetch_part(f, &tree[1], start->done + k, start->all);
        const float *rows[LANES];
        uint32_t at[LANES], row[LANES];
#pragma GCC unroll 16
        for (uint32_t i = 0; i < LANES; i++) {
            const uint32_t from = k + i < rows_count ? k + i : k;
            row[i] = start->rows[from];
            rows[i] = x + (size_t)row[i] * f->stride;
            at[i] = start->nodes[start->numbers[from]];
        }
        for (uint32_t level = start->levels[start->numbers[k]]; level > 0; level--) {
#pragma GCC unroll 16
            for (int i = 0; i < LANES; i++) at[i] = step(nodes, rows[i], has_nan, at[i]);
        }
        for (uint32_t i = 0; i < LANES && k + i < rows_count; i++) {
            double *sum = &margins[(size_t)row[i] * f->outputs_count + tree->output];
            *sum = ride_forest_add(*sum, leaf_of(f, &nodes[at[i]]), f->header.sum_number);
        }
    }
}

static __attribute__((noinline)) void from_plain(const forest_lanes *f, const lane_tree *tree, const float *x,
                                                 uint32_t rows_count, const forest_lanes_start *start,
                                                 double *margins) {
    rows_from(f, tree, x, rows_count, false, start, margins);
}
static __attribute__((noinline)) void from_missing(const forest_lanes *f, const lane_tree *tree, const float *x,
                                                   uint32_t rows_count, const forest_lanes_start *start,
                                                   double *margins) {
    rows_from(f, tree, x, rows_count, true, start, margins);
}

void forest_lanes_from(const forest_lanes *f, uint32_t tree, const float *x, uint32_t rows_count, bool has_nan,
                       const forest_lanes_start *start, double *margins) {
    (has_nan ? from_missing : from_plain)(f, &f->trees[tree], x, rows_count, start, margins);
}

bool forest_lanes_begin(const forest_lanes *f, float *x, uint32_t rows_count, double *margins) {
    const uint32_t stride = f->stride, outputs = f->outputs_count;
    bool has_nan = false;
    for (uint32_t r = 0; r < rows_count; r++) {
        float *row = x + (size_t)r * stride, nan = 0;
        for (uint32_t i = 0; i < f->asks_count; i++)
            row[f->inputs_count + i] = ask_value(f, &f->asks[i], row[f->asks[i].x]);
        row[stride - 1] = -INFINITY;
        for (uint32_t i = 0; i < stride - 1; i++) nan += row[i] * 0.0f; /* of infinities too */
        has_nan |= nan != nan;
        for (uint32_t o = 0; o < outputs; o++)
            margins[(size_t)r * outputs + o] = ride_forest_begin(&f->header, f->base_margins[o]);
    }
    return has_nan;
}

void forest_lanes_end(const forest_lanes *f, uint32_t rows_count, double *margins) {
    for (size_t i = 0; i < (size_t)rows_count * f->outputs_count; i++)
        margins[i] = ride_forest_end(&f->header, margins[i], f->base_margins[i % f->outputs_count]);
}

void forest_lanes_rows(const forest_lanes *f, float *x, uint32_t rows_count, double *margins) {
    const bool has_nan = forest_lanes_begin(f, x, rows_count, margins);
    (has_nan ? walk_missing : walk_plain)(f, x, rows_count, margins);
    forest_lanes_end(f, rows_count, margins);
}
