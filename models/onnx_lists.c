/* models/onnx_lists.c: see onnx_lists.h. */
#include "models/onnx_lists.h"

#include <stdlib.h>

/* ---- opening ---- */

static ride_status open_reals(const onnx_ensemble *e, const char *name, onnx_cursor *out) {
    RIDE_TRY(ride_onnx_reals_cursor(e->file, e->node, name, out));
    if (out->count > 0 && out->type == ONNX_DOUBLE && e->file->reader->model->input_number != RIDE_FOREST_F64)
        return ride_onnx_finding(e->file, e->node, "convert it with double inputs",
                                 "%s: doubles, where the input is a tensor of floats", name);
    return RIDE_OK;
}

static const char *const names[2][ONNX_LISTS_OF_INTS] = {
    {"nodes_treeids", "nodes_nodeids", "nodes_featureids", "nodes_truenodeids", "nodes_falsenodeids",
     "nodes_missing_value_tracks_true", "target_treeids", "target_nodeids", "target_ids"},
    {"nodes_treeids", "nodes_nodeids", "nodes_featureids", "nodes_truenodeids", "nodes_falsenodeids",
     "nodes_missing_value_tracks_true", "class_treeids", "class_nodeids", "class_ids"}};

static ride_status open_cursors(onnx_lists *l, bool is_classifier) {
    const onnx_ensemble *e = l->e;
    for (int k = 0; k < ONNX_LISTS_OF_INTS; k++)
        RIDE_TRY(ride_onnx_ints_cursor(e->file, e->node, names[is_classifier][k], &l->front.ints[k]));
    RIDE_TRY(ride_onnx_texts_cursor(e->file, e->node, "nodes_modes", &l->front.modes));
    RIDE_TRY(open_reals(e, "nodes_values", &l->front.values));
    return open_reals(e, is_classifier ? "class_weights" : "target_weights", &l->front.weights);
}

static ride_status compare_lengths(onnx_lists *l) {
    const onnx_ensemble *e = l->e;
    const uint32_t count = l->all_nodes = l->front.ints[ONNX_LIST_TREE].count;
    l->all_weights = l->front.weights.count;
    for (int k = 0; k < ONNX_LISTS_OF_NODES; k++)
        if (l->front.ints[k].count != count && (k != ONNX_LIST_TRACKS || l->front.ints[k].count > 0))
            return ride_onnx_finding(e->file, e->node, NULL, "%s: %u entries for %u nodes", names[0][k],
                                     l->front.ints[k].count, count);
    if (l->front.modes.count != count || l->front.values.count != count)
        return ride_onnx_finding(e->file, e->node, NULL, "%s: %u entries for %u nodes",
                                 l->front.modes.count != count ? "nodes_modes" : "nodes_values",
                                 l->front.modes.count != count ? l->front.modes.count : l->front.values.count, count);
    for (int k = ONNX_LIST_WEIGHT_TREE; k < ONNX_LISTS_OF_INTS; k++)
        if (l->front.ints[k].count != l->all_weights)
            return ride_onnx_finding(e->file, e->node, NULL, "the lists of weights differ in length");
    return count > 0 ? RIDE_OK : ride_onnx_finding(e->file, e->node, NULL, "no nodes");
}

/* ---- the order ---- */

/* nodes_first, when trees and their nodes are numbered as they stand. */
static bool nodes_have_order(onnx_lists *l) {
    ride_values trees = l->front.ints[ONNX_LIST_TREE].values, nodes = l->front.ints[ONNX_LIST_NODE].values;
    uint64_t tree, node;
    for (uint32_t i = 0; i < l->all_nodes && ride_values_next(&trees, &tree) && ride_values_next(&nodes, &node); i++) {
        if (tree == l->trees_count) l->nodes_first[l->trees_count++] = i;
        if (l->trees_count == 0 || tree != l->trees_count - 1 || node != i - l->nodes_first[tree]) return false;
    }
    l->nodes_first[l->trees_count] = l->all_nodes;
    return true;
}

/* weights_end, when they stand in the order of their trees. */
static bool weights_have_order(onnx_lists *l) {
    ride_values trees = l->front.ints[ONNX_LIST_WEIGHT_TREE].values;
    uint64_t tree;
    uint32_t at = 0;
    for (uint32_t i = 0; i < l->all_weights && ride_values_next(&trees, &tree); i++) {
        if (tree < at || tree >= l->trees_count) return false;
        while (at < tree) l->weights_end[at++] = i;
    }
    while (at < l->trees_count) l->weights_end[at++] = l->all_weights;
    return true;
}

static ride_status find_order(onnx_lists *l) {
    ride_values trees = l->front.ints[ONNX_LIST_TREE].values;
    uint64_t tree, last = 0;
    size_t runs = 0;
    for (uint32_t i = 0; i < l->all_nodes && ride_values_next(&trees, &tree); i++, last = tree)
        runs += i == 0 || tree != last;
    l->nodes_first = ride_arena_new(l->e->file->values, uint32_t, runs + 1);
    l->weights_end = ride_arena_new(l->e->file->values, uint32_t, runs + 1);
    if (l->nodes_first == NULL || l->weights_end == NULL)
        return ride_onnx_finding(l->e->file, l->e->node, NULL, "no memory for %zu trees", runs);
    l->has_order = nodes_have_order(l) && weights_have_order(l);
    return RIDE_OK;
}

/* ---- windows ---- */

static ride_status make_room(onnx_lists *l) {
    ride_arena *arena = l->e->file->values;
    size_t nodes = l->has_order ? 0 : l->all_nodes, weights = l->has_order ? 0 : l->all_weights;
    for (uint32_t t = 0; l->has_order && t < l->trees_count; t++) {
        const uint32_t of_tree = l->nodes_first[t + 1] - l->nodes_first[t],
                       weights_of_tree = l->weights_end[t] - (t > 0 ? l->weights_end[t - 1] : 0);
        if (of_tree > nodes) nodes = of_tree;
        if (weights_of_tree > weights) weights = weights_of_tree;
    }
    bool ok = true;
    l->nodes_most = (uint32_t)nodes;
    l->weights_most = (uint32_t)weights;
    for (int k = 0; k < ONNX_LISTS_OF_INTS; k++) {
        if (k == ONNX_LIST_TRACKS && l->front.ints[k].count == 0) continue;
        l->ints[k] = ride_arena_new(arena, int64_t, (k < ONNX_LISTS_OF_NODES ? nodes : weights) + 1);
        ok = ok && l->ints[k] != NULL;
    }
    l->modes = ride_arena_new(arena, ride_message, nodes + 1);
    l->values = ride_arena_new(arena, double, nodes + 1);
    l->weights = ride_arena_new(arena, double, weights + 1);
    if (!l->has_order) l->keys = ride_arena_new(arena, onnx_key, nodes + 1);
    ok = ok && l->modes != NULL && l->values != NULL && l->weights != NULL && (l->has_order || l->keys != NULL);
    return ok ? RIDE_OK : ride_onnx_finding(l->e->file, l->e->node, NULL, "no memory for %zu nodes", nodes);
}

static int compare_keys(const void *a, const void *b) {
    const onnx_key *x = a, *y = b;
    if (x->tree != y->tree) return x->tree < y->tree ? -1 : 1;
    return (x->node > y->node) - (x->node < y->node);
}

static ride_status sort_nodes(onnx_lists *l) {
    const int64_t *trees = l->ints[ONNX_LIST_TREE];
    uint32_t runs = 0, count = 0;
    for (uint32_t i = 0; i < l->nodes_count; i++) {
        l->keys[i] = (onnx_key){trees[i], l->ints[ONNX_LIST_NODE][i], i};
        runs += i == 0 || trees[i] != trees[i - 1];
    }
    qsort(l->keys, l->nodes_count, sizeof *l->keys, compare_keys);
    for (uint32_t i = 0; i < l->nodes_count; i++) {
        if (i > 0 && compare_keys(&l->keys[i - 1], &l->keys[i]) == 0)
            return ride_onnx_finding(l->e->file, l->e->node, NULL, "tree %lld has two nodes %lld",
                                     (long long)l->keys[i].tree, (long long)l->keys[i].node);
        count += i == 0 || l->keys[i].tree != l->keys[i - 1].tree;
    }
    return runs == count ? RIDE_OK
                         : ride_onnx_finding(l->e->file, l->e->node, NULL, "the nodes of a tree do not stand together");
}

bool ride_onnx_lists_find(const onnx_lists *l, int64_t tree, int64_t node, uint32_t *out) {
    if (l->has_order) {
        *out = (uint32_t)node;
        return tree == (int64_t)l->window - 1 && node >= 0 && node < l->nodes_count;
    }
    const onnx_key what = {.tree = tree, .node = node};
    const onnx_key *found = bsearch(&what, l->keys, l->nodes_count, sizeof *l->keys, compare_keys);
    if (found != NULL) *out = found->index;
    return found != NULL;
}

void ride_onnx_lists_rewind(onnx_lists *l) { l->window = 0; }

static bool take_ints(onnx_cursor *from, int64_t *to, uint32_t count) {
    uint64_t bits;
    for (uint32_t i = 0; i < count; i++) {
        if (!ride_values_next(&from->values, &bits)) return false;
        to[i] = (int64_t)bits;
    }
    return true;
}

static bool take_reals(onnx_cursor *from, double *to, uint32_t count) {
    uint64_t bits;
    for (uint32_t i = 0; i < count; i++) {
        if (!ride_values_next(&from->values, &bits)) return false;
        to[i] = ride_onnx_real_of(bits, from->type);
    }
    return true;
}

ride_status ride_onnx_lists_next(onnx_lists *l, bool *more) {
    const uint32_t w = l->window, windows = l->has_order ? l->trees_count : 1;
    *more = w < windows;
    if (!*more) return RIDE_OK;
    if (w == 0) l->now = l->front;
    l->nodes_count = l->has_order ? l->nodes_first[w + 1] - l->nodes_first[w] : l->all_nodes;
    l->weights_count = l->has_order ? l->weights_end[w] - (w > 0 ? l->weights_end[w - 1] : 0) : l->all_weights;
    l->window++;
    bool ok = take_reals(&l->now.values, l->values, l->nodes_count) &&
              take_reals(&l->now.weights, l->weights, l->weights_count);
    for (int k = 0; k < ONNX_LISTS_OF_INTS && ok; k++)
        if (l->ints[k] != NULL)
            ok = take_ints(&l->now.ints[k], l->ints[k], k < ONNX_LISTS_OF_NODES ? l->nodes_count : l->weights_count);
    for (uint32_t i = 0; i < l->nodes_count && ok; i++) ok = ride_onnx_texts_next(&l->now.modes, &l->modes[i]);
    if (!ok) return ride_onnx_finding(l->e->file, l->e->node, NULL, "a list is damaged");
    return l->has_order ? RIDE_OK : sort_nodes(l);
}

ride_status ride_onnx_lists_open(const onnx_ensemble *e, bool is_classifier, onnx_lists *l) {
    *l = (onnx_lists){.e = e};
    RIDE_TRY(open_cursors(l, is_classifier));
    RIDE_TRY(compare_lengths(l));
    RIDE_TRY(ride_onnx_reals(e->file, e->node, "base_values", &l->base));
    RIDE_TRY(find_order(l));
    return make_room(l);
}
