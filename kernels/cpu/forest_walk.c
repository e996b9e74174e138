/* kernels/cpu/forest_walk.c: the plain walk: one tree at a time over a block's rows, eight rows abreast. A tree of depth 6 is 2 KB and stays in
 * the nearest cache for the whole block; a step is a chain of two loads, a comparison and an add, about 15 cycles of waiting in which the other
 * seven rows take theirs. No branch depends on the data but the one that ends a walk. */
#include "kernels/cpu/forest_internal.h"

#include "kernels/row/tree.h"

enum { ROWS_ABREAST = 8, DEPTH_ABREAST = 16 };

static bool has_more(const ride_forest *forest, const ride_forest_tree *tree) {
    for (uint32_t i = 0; i < tree->nodes_count; i++)
        if (forest->nodes[tree->nodes_first + i].input &
            (RIDE_NODE_SET | RIDE_NODE_ZERO_MISSING | RIDE_NODE_ONLY_MISSING))
            return true;
    return false;
}

bool forest_is_plain(const ride_forest *forest) {
    if (forest->header->aggregate != RIDE_FOREST_SUM || forest->lines != NULL)
        return false; /* nor sums, nor plain leaves */
    for (uint32_t t = 0; t < forest->header->trees_count; t++)
        if (has_more(forest, &forest->trees[t])) return false;
    return true;
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

void forest_walk(const ride_cpu_forest *f, const double *x, uint32_t stride, uint32_t rows_count, double *sums) {
    const ride_forest *forest = &f->forest;
    const ride_forest_header *h = forest->header;
    const uint32_t outputs = h->outputs_count;
    if (!f->plain) {
        for (uint32_t r = 0; r < rows_count; r++)
            ride_forest_row(forest, x + (size_t)r * stride, 1, sums + (size_t)r * outputs);
        return;
    }
    for (uint32_t r = 0; r < rows_count; r++)
        for (uint32_t o = 0; o < outputs; o++)
            sums[(size_t)r * outputs + o] = ride_forest_begin(h, forest->base_margins[o]);
    for (uint32_t t = 0; t < h->trees_count; t++) {
        const ride_forest_tree *tree = &forest->trees[t];
        const ride_forest_node *nodes = forest->nodes + tree->nodes_first;
        double *sum = sums + tree->output;
        /* A tree much deeper than its size is a vine: most rows leave it early, so walk it row by row. */
        uint32_t r = 0;
        for (; tree->depth <= DEPTH_ABREAST && r + ROWS_ABREAST <= rows_count; r += ROWS_ABREAST) {
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
    for (uint32_t r = 0; r < rows_count; r++)
        for (uint32_t o = 0; o < outputs; o++) {
            double *s = &sums[(size_t)r * outputs + o];
            *s = ride_forest_end(h, *s, forest->base_margins[o]);
        }
}
