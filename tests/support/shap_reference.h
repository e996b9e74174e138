/* tests/support/shap_reference.h: Shapley values of a forest, slowly. By definition: the value of a set of inputs is what the trees give when only
 * those are known, and an input's value is what it adds to a set, averaged over all orders. And by Lundberg's recursion (Algorithm 2 of
 * "Consistent individualized feature attribution for tree ensembles"), for trees of more inputs than sets can be counted of. */
#ifndef RIDE_TESTS_SUPPORT_SHAP_REFERENCE_H
#define RIDE_TESTS_SUPPORT_SHAP_REFERENCE_H
#include "kernels/row/tree.h"

#include <stdlib.h>
#include <string.h>

/* What a tree gives when the inputs in `known` are the row's. Not known: both ways, as the training rows went; or with a background row, its way. */
static inline double shap_known(const ride_forest *f, const ride_forest_tree *tree, uint32_t i, const double *x,
                                const double *background, uint64_t known) {
    const ride_forest_node *node = &f->nodes[tree->nodes_first + i];
    if (node->input & RIDE_NODE_LEAF) return node->u.leaf;
    const uint32_t input = node->input & RIDE_NODE_INPUT_MASK;
    const double *row = known >> input & 1 ? x : background;
    if (row != NULL)
        return shap_known(f, tree, ride_forest_child(node, f->category_words, row[input]), x, background, known);
    const double *covers = f->covers + tree->nodes_first;
    const double left = shap_known(f, tree, node->left, x, background, known),
                 right = shap_known(f, tree, node->left + 1, x, background, known);
    if (covers[i] == 0.0) return 0.5 * left + 0.5 * right;
    return covers[node->left] / covers[i] * left + covers[node->left + 1] / covers[i] * right;
}

/* Of one output, by definition: inputs_count values and the expected margin. Up to 16 inputs. x and background are as ride_forest_input gives them;
 * background_rows 0: path dependent. */
static inline void shap_by_definition(const ride_forest *f, uint32_t output, const double *x, const double *background,
                                      uint32_t background_rows, double *phi) {
    const uint32_t inputs = f->header->inputs_count, sets = 1u << inputs,
                   backs = background_rows > 0 ? background_rows : 1;
    double *values = calloc(sets, sizeof *values), weights[17];
    weights[0] = 1.0 / inputs; /* s! (inputs - s - 1)! / inputs! */
    for (uint32_t s = 1; s < inputs; s++) weights[s] = weights[s - 1] * s / (inputs - s);
    for (uint32_t set = 0; set < sets; set++) {
        values[set] = f->base_margins[output];
        for (uint32_t t = 0; t < f->header->trees_count; t++)
            for (uint32_t b = 0; b < backs && f->trees[t].output == output; b++)
                values[set] +=
                    shap_known(f, &f->trees[t], 0, x, background_rows > 0 ? background + b * inputs : NULL, set) /
                    backs;
    }
    for (uint32_t i = 0; i < inputs; i++) {
        phi[i] = 0.0;
        for (uint32_t set = 0; set < sets; set++)
            if ((set >> i & 1) == 0) phi[i] += weights[__builtin_popcount(set)] * (values[set | 1u << i] - values[set]);
    }
    phi[inputs] = values[0];
    free(values);
}

/* ---- the recursion ---- */

typedef struct shap_step {
    uint32_t input;
    double zero, one, weight;
} shap_step;

static inline void shap_extend(shap_step *path, uint32_t length, double zero, double one, uint32_t input) {
    path[length] = (shap_step){input, zero, one, length == 0 ? 1.0 : 0.0};
    for (uint32_t i = length; i-- > 0;) {
        path[i + 1].weight += one * path[i].weight * (i + 1) / (length + 1);
        path[i].weight = zero * path[i].weight * (length - i) / (length + 1);
    }
}

static inline void shap_unwind(shap_step *path, uint32_t length, uint32_t at) {
    const double one = path[at].one, zero = path[at].zero;
    double next = path[length].weight;
    for (uint32_t i = length; i-- > 0;) {
        if (one != 0.0) {
            const double weight = path[i].weight;
            path[i].weight = next * (length + 1) / ((i + 1) * one);
            next = weight - path[i].weight * zero * (length - i) / (length + 1);
        } else path[i].weight = path[i].weight * (length + 1) / (zero * (length - i));
    }
    for (uint32_t i = at; i < length; i++) {
        path[i].input = path[i + 1].input;
        path[i].zero = path[i + 1].zero;
        path[i].one = path[i + 1].one;
    }
}

/* path: what is known so far, `length` steps after the first, which is nobody's. */
static inline void shap_recurse(const ride_forest *f, const ride_forest_tree *tree, uint32_t i, const double *x,
                                const shap_step *before, uint32_t length, double zero, double one, uint32_t input,
                                double *phi) {
    shap_step *path = malloc((length + 2) * sizeof *path);
    const ride_forest_node *node = &f->nodes[tree->nodes_first + i];
    memcpy(path, before, length * sizeof *path);
    shap_extend(path, length, zero, one, input);
    if (node->input & RIDE_NODE_LEAF) {
        for (uint32_t k = 1; k <= length; k++) {
            shap_step *rest = malloc((length + 1) * sizeof *rest);
            double weight = 0.0;
            memcpy(rest, path, (length + 1) * sizeof *rest);
            shap_unwind(rest, length, k);
            for (uint32_t s = 0; s < length; s++) weight += rest[s].weight;
            phi[path[k].input] += weight * (path[k].one - path[k].zero) * node->u.leaf;
            free(rest);
        }
        free(path);
        return;
    }
    const uint32_t tested = node->input & RIDE_NODE_INPUT_MASK;
    const uint32_t hot = ride_forest_child(node, f->category_words, x[tested]);
    double zero_so_far = 1.0, one_so_far = 1.0;
    uint32_t k = 1;
    while (k <= length && path[k].input != tested) k++;
    if (k <= length) {
        zero_so_far = path[k].zero;
        one_so_far = path[k].one;
        shap_unwind(path, length, k);
        length--;
    }
    const double *covers = f->covers + tree->nodes_first;
    for (uint32_t child = node->left; child < node->left + 2; child++) {
        const double share = covers[i] == 0.0 ? 0.5 : covers[child] / covers[i];
        shap_recurse(f, tree, child, x, path, length + 1, zero_so_far * share, child == hot ? one_so_far : 0.0, tested,
                     phi);
    }
    free(path);
}

/* The same by the recursion; no share of a node may be 0. */
static inline void shap_by_recursion(const ride_forest *f, uint32_t output, const double *x, double *phi) {
    const uint32_t inputs = f->header->inputs_count;
    for (uint32_t i = 0; i < inputs; i++) phi[i] = 0.0;
    phi[inputs] = f->base_margins[output];
    for (uint32_t t = 0; t < f->header->trees_count; t++) {
        if (f->trees[t].output != output) continue;
        shap_step nobody[1];
        shap_recurse(f, &f->trees[t], 0, x, nobody, 0, 1.0, 1.0, UINT32_MAX, phi);
        phi[inputs] += shap_known(f, &f->trees[t], 0, x, NULL, 0);
    }
}

#endif
