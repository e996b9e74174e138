/* kernels/cpu/shap_deep.c: leaves whose values are computed for each row: at each point of the quadrature the product of all inputs' factors
 * (shap_weights.c), of which an input's own is divided out again, in a constant. Everything is done in doubles, for each row alike, in the order
 * that is written here: so the vector kernel has the same bits. */
#include "kernels/cpu/shap_internal.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

enum { FACTORS = 64 };

/* ---- making ---- */

static bool grow(void **all, uint32_t *room, uint32_t needed, size_t bytes) {
    if (needed <= *room) return true;
    const uint32_t more = needed + (*room > 0 ? needed / 2 : 0) + 256;
    void *grown = realloc(*all, (size_t)more * bytes);
    if (grown == NULL) return false;
    *all = grown;
    *room = more;
    return true;
}

static int compare_masks(const void *a, const void *b) {
    const uint64_t l = ((const shap_mask *)a)->inputs, r = ((const shap_mask *)b)->inputs;
    return (l > r) - (l < r);
}

/* Which inputs of the leaf each background row satisfies; equal ones made one. */
static bool masks_make(shap_maker *m, shap_deep *leaf) {
    ride_shap *s = m->shap;
    if (!grow((void **)&s->masks, &m->masks_room, s->masks_count + m->background_rows, sizeof *s->masks)) return false;
    shap_mask *masks = s->masks + s->masks_count;
    for (uint32_t r = 0; r < m->background_rows; r++) {
        const shap_edge *edge = s->edges + leaf->edges_first;
        masks[r] = (shap_mask){0, 1.0 / (double)m->background_rows};
        for (uint32_t j = 0; j < leaf->inputs_count; j++) {
            bool satisfied = true;
            for (uint32_t e = 0; e < s->deep_inputs[leaf->inputs_first + j].edges_count; e++, edge++) {
                const uint64_t word = shap_background_word(m, edge->plane, r / SHAP_WORD);
                satisfied = satisfied && ((word >> (r % SHAP_WORD) & 1) != 0) != edge->inverted;
            }
            masks[r].inputs |= (uint64_t)satisfied << j;
        }
    }
    qsort(masks, m->background_rows, sizeof *masks, compare_masks);
    uint32_t count = 0;
    for (uint32_t r = 0, same = 0; r < m->background_rows; r++) {
        same = r > 0 && masks[r].inputs == masks[r - 1].inputs ? same + 1 : 1;
        if (r + 1 < m->background_rows && masks[r + 1].inputs == masks[r].inputs) continue;
        masks[count].inputs = masks[r].inputs;
        masks[count++].share = (double)same / (double)m->background_rows;
    }
    leaf->masks_first = s->masks_count;
    leaf->masks_count = count;
    s->masks_count += count;
    return true;
}

static bool leaf_make(shap_maker *m, const ride_forest_tree *tree, uint32_t node, uint32_t *way) {
    ride_shap *s = m->shap;
    const ride_forest_node *nodes = m->forest->nodes + tree->nodes_first;
    const uint32_t length = shap_climb(m, tree, node, way);
    if (!grow((void **)&s->deep, &m->deep_room, s->deep_count + 1, sizeof *s->deep) ||
        !grow((void **)&s->deep_inputs, &m->deep_inputs_room, s->deep_inputs_count + length, sizeof *s->deep_inputs) ||
        !grow((void **)&s->edges, &m->edges_room, s->edges_count + length, sizeof *s->edges))
        return false;
    shap_deep *leaf = &s->deep[s->deep_count++];
    *leaf =
        (shap_deep){.value = nodes[node].u.leaf, .inputs_first = s->deep_inputs_count, .edges_first = s->edges_count};
    for (uint32_t i = 0, from = 0; i < length; from = way[i++]) {
        const uint32_t slot = m->slot_of[nodes[from].input & RIDE_NODE_INPUT_MASK];
        uint32_t j = leaf->inputs_first;
        while (j < s->deep_inputs_count && s->deep_inputs[j].slot != slot) j++;
        if (j == s->deep_inputs_count) s->deep_inputs[s->deep_inputs_count++] = (shap_deep_input){1.0, slot, 0};
        s->deep_inputs[j].z *= shap_share(m->forest, tree, from, way[i]);
    }
    leaf->inputs_count = s->deep_inputs_count - leaf->inputs_first;
    leaf->points = (leaf->inputs_count + 1) / 2;
    for (uint32_t j = 0; j < leaf->inputs_count; j++) {
        shap_deep_input *input = &s->deep_inputs[leaf->inputs_first + j];
        for (uint32_t i = 0, from = 0; i < length; from = way[i++]) {
            if (m->slot_of[nodes[from].input & RIDE_NODE_INPUT_MASK] != input->slot) continue;
            s->edges[s->edges_count++] =
                (shap_edge){1 + m->of_node[tree->nodes_first + from], way[i] == nodes[from].left};
            input->edges_count++;
        }
    }
    if (leaf->inputs_count > s->deep_inputs_most) s->deep_inputs_most = leaf->inputs_count;
    return m->background == NULL || masks_make(m, leaf);
}

static bool below_make(shap_maker *m, const ride_forest_tree *tree, uint32_t node, uint32_t *way) {
    const ride_forest_node *at = &m->forest->nodes[tree->nodes_first + node];
    if (at->input & RIDE_NODE_LEAF) return leaf_make(m, tree, node, way);
    return below_make(m, tree, at->left, way) && below_make(m, tree, at->left + 1, way);
}

/* For all deep leaves at once, at most: rooms that grow are there twice while they do. */
static bool rooms_make(shap_maker *m) {
    ride_shap *s = m->shap;
    uint64_t leaves = 0, inputs = 0, tests = 0;
    for (uint32_t i = 0; i < m->cuts_count; i++) {
        if (!m->cuts[i].is_deep) continue;
        leaves += m->cuts[i].leaves_count;
        inputs += (uint64_t)m->cuts[i].leaves_count * m->cuts[i].inputs_count;
        tests += (uint64_t)m->cuts[i].leaves_count * shap_cut_tests(m, &m->cuts[i]);
    }
    if (tests > UINT32_MAX / 2) return true; /* beyond any bound, most likely: as they come */
    return grow((void **)&s->deep, &m->deep_room, (uint32_t)leaves, sizeof *s->deep) &&
           grow((void **)&s->deep_inputs, &m->deep_inputs_room, (uint32_t)inputs, sizeof *s->deep_inputs) &&
           grow((void **)&s->edges, &m->edges_room, (uint32_t)tests, sizeof *s->edges);
}

ride_status shap_deep_make(shap_maker *m, uint32_t output, ride_error *err) {
    ride_shap *s = m->shap;
    bool ok = output > 0 || rooms_make(m);
    s->outputs[output].deep_first = s->deep_count;
    for (uint32_t i = m->cuts_first[output]; ok && i < m->cuts_first[output + 1]; i++) {
        if (!m->cuts[i].is_deep) continue;
        const ride_forest_tree *tree = &m->forest->trees[m->cuts[i].tree];
        uint32_t *way = malloc(((size_t)tree->depth + 1) * sizeof *way);
        ok = way != NULL && below_make(m, tree, m->cuts[i].root, way);
        free(way);
        if (ok)
            RIDE_TRY(shap_bound_check(m, 0, err)); /* long paths, or many background rows, could ask for any amount */
    }
    s->outputs[output].deep_count = s->deep_count - s->outputs[output].deep_first;
    return ok ? RIDE_OK : ride_fail(err, RIDE_E_MEMORY, "no memory for %u deep leaves", s->deep_count);
}

/* ---- rows ---- */

size_t shap_deep_room(const ride_shap *s) {
    const size_t inputs = s->deep_inputs_most, points = (inputs + 1) / 2;
    return (4 * inputs * points + SHAP_DEEP_ROWS * points) * sizeof(double) + inputs * sizeof(uint64_t) + 128;
}

/* Where z is 0, so is the factor of what is not satisfied, and its gain. */
shap_terms shap_terms_make(const ride_shap *s, const shap_deep *leaf, void *room) {
    const shap_deep_input *inputs = s->deep_inputs + leaf->inputs_first;
    const uint32_t n = leaf->points;
    const double *nodes = s->nodes + ride_quadrature_first(n);
    const size_t each = (size_t)s->deep_inputs_most * ((s->deep_inputs_most + 1) / 2);
    double *numbers = (double *)room + SHAP_DEEP_ROWS * (size_t)((s->deep_inputs_most + 1) / 2);
    const shap_terms t = {{numbers, numbers + each}, {numbers + 2 * each, numbers + 3 * each}, room};
    for (uint32_t j = 0; j < leaf->inputs_count; j++) {
        const double z = inputs[j].z, in = leaf->value * (1.0 - z), out = leaf->value * z;
        for (uint32_t q = 0; q < n; q++) {
            const size_t at = (size_t)j * n + q;
            t.factors[0][at] = z - z * nodes[q];
            t.factors[1][at] = z + (1.0 - z) * nodes[q];
            t.gains[0][at] = z > 0.0 ? -(out / t.factors[0][at]) : 0.0;
            t.gains[1][at] = in / t.factors[1][at];
        }
    }
    return t;
}

void shap_satisfied_make(const ride_shap *s, const shap_deep *leaf, const uint64_t *planes, uint32_t stride,
                         uint32_t word, uint64_t *satisfied) {
    const shap_edge *edge = s->edges + leaf->edges_first;
    for (uint32_t j = 0; j < leaf->inputs_count; j++) {
        satisfied[j] = ~UINT64_C(0);
        for (uint32_t e = 0; e < s->deep_inputs[leaf->inputs_first + j].edges_count; e++, edge++) {
            const uint64_t bits = planes[(size_t)edge->plane * stride + word];
            satisfied[j] &= edge->inverted ? ~bits : bits;
        }
    }
}

static void leaf_rows(const ride_shap *s, const shap_deep *leaf, const shap_terms *t, const uint64_t *satisfied,
                      uint32_t rows_count, size_t stride, double *values) {
    const shap_deep_input *inputs = s->deep_inputs + leaf->inputs_first;
    const double *weights = s->weights + ride_quadrature_first(leaf->points);
    const uint32_t n = leaf->points;
    double *products = t->products;
    for (uint32_t row = 0; row < rows_count; row++) {
        for (uint32_t q = 0; q < n; q++) products[q] = weights[q];
        for (uint32_t j = 0; j < leaf->inputs_count; j++) {
            const double *factors = t->factors[satisfied[j] >> row & 1] + (size_t)j * n;
            for (uint32_t q = 0; q < n; q++) products[q] = products[q] * factors[q];
        }
        for (uint32_t j = 0; j < leaf->inputs_count; j++) {
            const double *gains = t->gains[satisfied[j] >> row & 1] + (size_t)j * n;
            double sum = 0.0;
            for (uint32_t q = 0; q < n; q++) sum = sum + products[q] * gains[q];
            double *value = &values[inputs[j].slot * stride + row];
            *value = *value + sum;
        }
    }
}

static void leaf_rows_background(const ride_shap *s, const shap_deep *leaf, const uint64_t *satisfied,
                                 uint32_t rows_count, size_t stride, double *values) {
    const shap_deep_input *inputs = s->deep_inputs + leaf->inputs_first;
    const uint64_t all = ~UINT64_C(0) >> (64 - leaf->inputs_count);
    for (uint32_t row = 0; row < rows_count; row++) {
        uint64_t mine = 0;
        for (uint32_t j = 0; j < leaf->inputs_count; j++) mine |= (satisfied[j] >> row & 1) << j;
        for (uint32_t k = 0; k < leaf->masks_count; k++) {
            const shap_mask *mask = &s->masks[leaf->masks_first + k];
            if ((mine | mask->inputs) != all) continue;
            const uint64_t only = mine & ~mask->inputs, others = mask->inputs & ~mine;
            const uint32_t u = (uint32_t)__builtin_popcountll(only), w = (uint32_t)__builtin_popcountll(others);
            const double value = leaf->value * mask->share;
            for (uint64_t bits = only; bits != 0; bits &= bits - 1)
                values[inputs[__builtin_ctzll(bits)].slot * stride + row] += value * s->factors[(u - 1) * FACTORS + w];
            for (uint64_t bits = others; bits != 0; bits &= bits - 1)
                values[inputs[__builtin_ctzll(bits)].slot * stride + row] -= value * s->factors[u * FACTORS + w - 1];
        }
    }
}

void shap_deep_plain(const ride_shap *s, const shap_output *output, const uint64_t *planes, uint32_t rows_count,
                     uint32_t stride, void *room, double *values) {
    const size_t row_stride = (size_t)stride * SHAP_WORD;
    for (uint32_t d = output->deep_first; d < output->deep_first + output->deep_count; d++) {
        const shap_terms terms = shap_terms_make(s, &s->deep[d], room);
        uint64_t *satisfied = shap_satisfied_room(s, room);
        for (uint32_t row = 0; row < rows_count; row += SHAP_WORD) {
            const uint32_t left = rows_count - row, rows = left < SHAP_WORD ? left : SHAP_WORD;
            shap_satisfied_make(s, &s->deep[d], planes, stride, row / SHAP_WORD, satisfied);
            if (s->has_background) leaf_rows_background(s, &s->deep[d], satisfied, rows, row_stride, values + row);
            else leaf_rows(s, &s->deep[d], &terms, satisfied, rows, row_stride, values + row);
        }
    }
}
