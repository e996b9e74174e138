/* tests/support/shap_wood.h: forests made up for explanations: every kind of test, covers, several outputs; and rows that decide. */
#ifndef RIDE_TESTS_SUPPORT_SHAP_WOOD_H
#define RIDE_TESTS_SUPPORT_SHAP_WOOD_H
#include "kernels/row/tree.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum { WOOD_TREES = 24, WOOD_NODES = 16384, WOOD_WORDS = 64, WOOD_THRESHOLDS = 12, WOOD_INPUTS = 64, WOOD_OUTPUTS = 4 };

typedef struct wood_wish {
    uint32_t trees, inputs, outputs, leaves_max, depth_max;
    ride_forest_number number;
    bool plain;  /* no test but x < threshold */
    bool zeros;  /* some covers are 0 */
    bool vines;  /* one path goes deep */
    double leaf; /* leaves are up to this */
} wood_wish;

typedef struct wood {
    ride_forest forest;
    ride_forest_header header;
    double base[WOOD_OUTPUTS];
    ride_forest_tree trees[WOOD_TREES];
    ride_forest_node nodes[WOOD_NODES];
    double covers[WOOD_NODES];
    uint32_t words[WOOD_WORDS];
    double thresholds[WOOD_INPUTS][WOOD_THRESHOLDS];
    uint64_t random;
} wood;

static inline uint64_t wood_draw(wood *w) {
    w->random ^= w->random >> 12, w->random ^= w->random << 25, w->random ^= w->random >> 27;
    return w->random * UINT64_C(0x2545f4914f6cdd1d);
}
static inline uint32_t wood_below(wood *w, uint32_t n) { return (uint32_t)((wood_draw(w) >> 33) % n); }
static inline double wood_unit(wood *w) { return (double)(wood_draw(w) >> 11) / 9007199254740992.0; }

static inline double wood_number(wood *w, double x) { return ride_forest_input(x, w->header.input_number); }

static inline ride_forest_node wood_test(wood *w, const wood_wish *wish, uint32_t left) {
    const uint32_t input = wood_below(w, wish->inputs), bits = input | (wood_below(w, 2) ? RIDE_NODE_DEFAULT_LEFT : 0);
    ride_forest_node node = {.u.threshold = w->thresholds[input][wood_below(w, WOOD_THRESHOLDS)],
                             .input = bits,
                             .left = left};
    const uint32_t kind = wish->plain ? 0 : wood_below(w, 8);
    if (kind == 1) {
        const uint32_t words = wood_below(w, 4);
        node.u.set = (ride_forest_set){wood_below(w, WOOD_WORDS - 4), words};
        node.input |= RIDE_NODE_SET | (wood_below(w, 2) ? RIDE_NODE_SET_LEFT : 0) |
                      (wood_below(w, 2) ? RIDE_NODE_SET_FROM_MINUS_1 : 0);
    }
    if (kind == 2 || kind == 3) node.input |= RIDE_NODE_ZERO_MISSING;
    if (kind == 3 || kind == 4) node.input |= RIDE_NODE_ONLY_MISSING;
    return node;
}

static inline void wood_grow(wood *w, const wood_wish *wish, uint32_t number) {
    ride_forest_tree *tree = &w->trees[number];
    const uint32_t first = number == 0 ? 0 : w->trees[number - 1].nodes_first + w->trees[number - 1].nodes_count;
    ride_forest_node *nodes = w->nodes + first;
    double *covers = w->covers + first;
    uint32_t depth[2048] = {0}, tail = 1, inner = 0;
    *tree = (ride_forest_tree){.nodes_first = first, .output = wood_below(w, wish->outputs)};
    covers[0] = 1000.0;
    for (uint32_t i = 0; i < tail; i++) {
        const bool last = i + 1 == tail;
        bool splits = inner + 1 < wish->leaves_max && depth[i] < wish->depth_max;
        if (wish->vines) splits = splits && (last || wood_below(w, 6) == 0);
        else if (!last) splits = splits && wood_below(w, 5) != 0;
        if (depth[i] > tree->depth) tree->depth = depth[i];
        if (!splits) {
            const double leaf = (wood_unit(w) - 0.4) * wish->leaf;
            nodes[i] =
                (ride_forest_node){.u.leaf = w->header.sum_number == RIDE_FOREST_F32 ? (double)(float)leaf : leaf,
                                   .input = RIDE_NODE_LEAF};
            continue;
        }
        nodes[i] = wood_test(w, wish, tail);
        const double share =
            wish->zeros && wood_below(w, 6) == 0 ? (double)wood_below(w, 2) : 0.02 + 0.96 * wood_unit(w);
        covers[tail] = covers[i] * share;
        covers[tail + 1] = covers[i] - covers[tail];
        depth[tail] = depth[tail + 1] = depth[i] + 1;
        inner++;
        tail += 2;
    }
    tree->nodes_count = tail;
    w->header.nodes_count = first + tail;
}

/* The caller frees it. */
static inline wood *wood_plant(uint64_t seed, const wood_wish *wish) {
    wood *w = calloc(1, sizeof *w);
    if (w == NULL) abort();
    w->random = seed * 2 + 1;
    for (int i = 0; i < 4; i++) wood_draw(w);
    w->header = (ride_forest_header){.forest_version = RIDE_FOREST_VERSION,
                                     .trees_count = wish->trees,
                                     .inputs_count = wish->inputs,
                                     .outputs_count = wish->outputs,
                                     .category_words_count = WOOD_WORDS,
                                     .input_number = wish->number,
                                     .sum_number = wish->number,
                                     .link = RIDE_FOREST_LINK_NONE};
    for (uint32_t i = 0; i < wish->inputs; i++)
        for (uint32_t k = 0; k < WOOD_THRESHOLDS; k++)
            w->thresholds[i][k] = k == 0 ? 0.0 : wood_number(w, (wood_unit(w) - 0.3) * 60.0);
    for (uint32_t i = 0; i < WOOD_WORDS; i++) w->words[i] = (uint32_t)wood_draw(w);
    for (uint32_t t = 0; t < wish->trees; t++) {
        wood_grow(w, wish, t);
        if (w->trees[t].depth > w->header.depth_max) w->header.depth_max = w->trees[t].depth;
    }
    for (uint32_t o = 0; o < wish->outputs; o++) w->base[o] = wood_number(w, wood_unit(w));
    w->forest = (ride_forest){&w->header, w->base, w->trees, w->nodes, w->words, NULL, w->covers};
    return w;
}

/* A value that decides: a threshold, its neighbours, nothing, a category. */
static inline double wood_value(wood *w, uint32_t input) {
    const double t = w->thresholds[input][wood_below(w, WOOD_THRESHOLDS)];
    switch (wood_below(w, 10)) {
    case 0: return (double)NAN;
    case 1:
        return wood_number(w, w->header.input_number == RIDE_FOREST_F32 ? (double)nextafterf((float)t, -INFINITY)
                                                                        : nextafter(t, (double)-INFINITY));
    case 2: return 0.0;
    case 3: return wood_number(w, 1e-36);
    case 4: return (double)wood_below(w, 100);
    case 5: return wood_number(w, -0.5);
    default: return t;
    }
}

#endif
