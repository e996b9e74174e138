/* kernels/row/tree.h: what one tree gives for one row, how a row's trees add up, and the way from margin to probability. One
 * source for every backend (C17, C++17, CUDA); loops over rows and trees are the backends' own.
 *
 * Inputs. The vector is double; a float trainer (XGBoost) saw float(x), rounded to nearest even, and tested
 * float(x) < t. So a float model's input is rounded once, here, to nearest even, and everything after it is exact: the test of a
 * double that holds a float against a double that holds a float is the float test. (Folding the rounding into the
 * threshold, the least double that rounds to t or above, would decide the same.) A value beyond the floats' range becomes an
 * infinity, which is on the same side of every finite threshold.
 *
 * Sums. Begin with the base margin, add the leaves in tree order, in the model's own type, no FMA: the trainer's bits. Where the header says
 * so the base margin comes last, and the least or greatest leaf takes the place of the sum.
 *
 * Linear leaves. As LightGBM computes them: constant + coefficient * x, term by term, no FMA, each step rounded; where an x is NaN the leaf's own
 * value, whatever the other terms are. What its reader makes 0 is 0 here, too. */
#ifndef RIDE_KERNELS_ROW_TREE_H
#define RIDE_KERNELS_ROW_TREE_H
#include "base/hd.h"
#include "kernels/layout/forest.h"
#include "kernels/row/math.h"

/* The value that the tests see. number: ride_forest_header.input_number. */
RIDE_HD static inline double ride_forest_input(double x, uint32_t number) {
    return number == RIDE_FOREST_F32 ? (double)(float)x : x;
}

/* sum + leaf in the sum type. */
RIDE_HD static inline double ride_forest_add(double sum, double leaf, uint32_t number) {
    return number == RIDE_FOREST_F32 ? (double)((float)sum + (float)leaf) : sum + leaf;
}

/* Is x missing at a node where zero is? LightGBM compares a double with this float. */
RIDE_HD static inline int ride_forest_is_zero(double x) { return x >= -(double)1e-35f && x <= (double)1e-35f; }

/* Is x, truncated, a member of the set? NaN, negative and beyond the set: no. bits: of the node. */
RIDE_HD static inline uint32_t ride_forest_member(const uint32_t *words, ride_forest_set set, uint32_t bits, double x) {
    if ((bits & RIDE_NODE_SET_FROM_MINUS_1) && x > -1.0 && x < 0.0) x = 0.0;
    if (!(x >= 0.0 && x < (double)set.words_count * 32.0)) return 0;
    uint32_t category = (uint32_t)x;
    return (words[set.words_first + (category >> 5)] >> (category & 31)) & 1;
}

/* The child of an inner node, counted from the tree's first node. x: the node's input, as ride_forest_input gave it. */
RIDE_HD static inline uint32_t ride_forest_child(const ride_forest_node *node, const uint32_t *category_words,
                                                 double x) {
    uint32_t left;
    const int is_missing = x != x || ((node->input & RIDE_NODE_ZERO_MISSING) != 0 && ride_forest_is_zero(x));
    if (is_missing) left = (node->input & RIDE_NODE_DEFAULT_LEFT) != 0;
    else if ((node->input & RIDE_NODE_ONLY_MISSING) != 0) left = 1;
    else if ((node->input & RIDE_NODE_SET) == 0) left = x < node->u.threshold;
    else
        left = ride_forest_member(category_words, node->u.set, node->input, x) ==
               ((node->input & RIDE_NODE_SET_LEFT) != 0);
    return node->left + 1 - left;
}

/* The leaf that a row reaches. nodes: the tree's first node; x: the row's inputs, x[input * stride]. */
RIDE_HD static inline const ride_forest_node *
ride_tree_leaf(const ride_forest_node *nodes, const uint32_t *category_words, const double *x, uint32_t stride) {
    const ride_forest_node *node = nodes;
    while ((node->input & RIDE_NODE_LEAF) == 0)
        node =
            nodes + ride_forest_child(node, category_words, x[(size_t)(node->input & RIDE_NODE_INPUT_MASK) * stride]);
    return node;
}
/* Its value, of a forest without lines. */
RIDE_HD static inline double ride_tree_row(const ride_forest_node *nodes, const uint32_t *category_words,
                                           const double *x, uint32_t stride) {
    return ride_tree_leaf(nodes, category_words, x, stride)->u.leaf;
}

/* What a leaf gives for a row. */
RIDE_HD static inline double ride_leaf_row(const ride_forest *forest, const ride_forest_node *leaf, const double *x,
                                           uint32_t stride) {
    if (leaf->left == 0) return leaf->u.leaf;
    const ride_forest_line *line = &forest->lines[leaf->left - 1];
    double sum = line->constant;
    for (uint32_t i = 0; i < line->terms_count; i++) {
        const ride_forest_term *term = &forest->terms[line->terms_first + i];
        const double value = x[(size_t)term->input * stride];
        if (value != value) return leaf->u.leaf;
        sum += term->coefficient * (ride_forest_is_zero(value) ? 0.0 : value);
    }
    return sum;
}

/* A row's sum before, at and after its leaves. Before: the base margin, or what stands for "no leaf yet". */
RIDE_HD static inline double ride_forest_begin(const ride_forest_header *h, double base_margin) {
    if (h->aggregate != RIDE_FOREST_SUM) return (double)__builtin_nanf("");
    return (h->flags & RIDE_FOREST_BASE_LAST) != 0 ? 0.0 : base_margin;
}
RIDE_HD static inline double ride_forest_take(const ride_forest_header *h, double sum, double leaf) {
    if (h->aggregate == RIDE_FOREST_SUM) return ride_forest_add(sum, leaf, h->sum_number);
    if (h->aggregate == RIDE_FOREST_MIN) return sum <= leaf ? sum : leaf;
    return sum >= leaf ? sum : leaf;
}
RIDE_HD static inline double ride_forest_end(const ride_forest_header *h, double sum, double base_margin) {
    if (h->lines_count > 0 && sum != sum) return ride_f64_null(); /* of infinities: one NaN on every machine */
    if ((h->flags & RIDE_FOREST_BASE_LAST) == 0) return sum;
    return ride_forest_add(h->aggregate != RIDE_FOREST_SUM && sum != sum ? 0.0 : sum, base_margin, h->sum_number);
}

/* Margins of one row: sums[outputs_count] = base margins + leaves. */
RIDE_HD static inline void ride_forest_row(const ride_forest *forest, const double *x, uint32_t stride, double *sums) {
    const ride_forest_header *h = forest->header;
    for (uint32_t i = 0; i < h->outputs_count; i++) sums[i] = ride_forest_begin(h, forest->base_margins[i]);
    for (uint32_t t = 0; t < h->trees_count; t++) {
        const ride_forest_tree *tree = &forest->trees[t];
        const ride_forest_node *leaf =
            ride_tree_leaf(forest->nodes + tree->nodes_first, forest->category_words, x, stride);
        sums[tree->output] = ride_forest_take(h, sums[tree->output], ride_leaf_row(forest, leaf, x, stride));
    }
    for (uint32_t i = 0; i < h->outputs_count; i++) sums[i] = ride_forest_end(h, sums[i], forest->base_margins[i]);
}

#endif
