/* models/onnx_trees.c: TreeEnsembleRegressor and TreeEnsembleClassifier: lists with an entry for each node of all trees, and lists with
 * an entry for each weight of a leaf.
 *
 * What the form does not say, ONNX Runtime does (its sources and what 1.2x gives): thresholds, leaves and sums are doubles when the input is, else
 * floats; the first node listed of a tree is its root; a sum begins at 0, has the leaves in tree order, and the base value comes
 * last; an average is divided before that. Several weights of a leaf are added in their order.
 *
 * Classifiers of two classes. With weights for the first class only (gradient boosting) there is one sum: LOGISTIC makes it [1 - p, p], any other
 * transform [-s, s], or [1 - s, s] when no weight is negative. With weights for both, each class has its sum, and a sum that no leaf of a row gave to
 * counts as not there. RIDE's model gives one output, that of the second class: a decision needs one. */
#include "models/onnx_ensemble.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- head ---- */

ride_status ride_onnx_transform(const onnx_ensemble *e, onnx_transform *out) {
    static const char *const names[ONNX_TRANSFORMS] = {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"};
    const ride_message text = ride_onnx_text(e->node, "post_transform");
    *out = ONNX_NONE;
    if (text.at == NULL) return RIDE_OK;
    for (int i = 0; i < ONNX_TRANSFORMS; i++)
        if (ride_message_is(text, names[i])) {
            *out = (onnx_transform)i;
            return RIDE_OK;
        }
    return ride_onnx_finding(e->file, e->node, "NONE, SOFTMAX, LOGISTIC, SOFTMAX_ZERO and PROBIT are",
                             "post_transform: not known");
}

static ride_status set_outputs(const onnx_ensemble *e, uint32_t outputs) {
    ride_model *model = e->file->reader->model;
    model->outputs_count = outputs;
    model->base_margins = ride_arena_new(model->arena, double, outputs);
    model->base_scores = ride_arena_new(model->arena, double, outputs);
    if (model->base_margins == NULL || model->base_scores == NULL)
        return ride_onnx_finding(e->file, e->node, NULL, "no memory for %u outputs", outputs);
    return RIDE_OK;
}

static ride_status set_base(const onnx_ensemble *e, uint32_t output, double value) {
    ride_model *model = e->file->reader->model;
    if (!isfinite(value)) return ride_onnx_finding(e->file, e->node, NULL, "base_values: %g", value);
    model->base_margins[output] = model->base_scores[output] = value;
    model->base_last |= value != 0.0;
    return RIDE_OK;
}

static ride_forest_link link_of(onnx_transform transform) {
    static const ride_forest_link links[ONNX_TRANSFORMS] = {
        [ONNX_NONE] = RIDE_FOREST_LINK_NONE,
        [ONNX_SOFTMAX] = RIDE_FOREST_LINK_SOFTMAX,
        [ONNX_LOGISTIC] = RIDE_FOREST_LINK_LOGISTIC_FOLDED,
        [ONNX_SOFTMAX_ZERO] = RIDE_FOREST_LINK_SOFTMAX_ZERO,
        [ONNX_PROBIT] = RIDE_FOREST_LINK_PROBIT,
    };
    return links[transform];
}

ride_status ride_onnx_targets(const onnx_ensemble *e, int64_t targets, onnx_aggregate aggregate,
                              onnx_transform transform, const onnx_reals *base) {
    ride_model *model = e->file->reader->model;
    if (targets < 1 || targets > RIDE_FOREST_OUTPUTS_MAX)
        return ride_onnx_finding(e->file, e->node, NULL, "n_targets: a whole number from 1 to %d was expected",
                                 RIDE_FOREST_OUTPUTS_MAX);
    RIDE_TRY(set_outputs(e, (uint32_t)targets));
    model->aggregate = aggregate == ONNX_MIN   ? RIDE_FOREST_MIN
                       : aggregate == ONNX_MAX ? RIDE_FOREST_MAX
                                               : RIDE_FOREST_SUM;
    model->base_last = model->aggregate != RIDE_FOREST_SUM;
    /* ONNX Runtime has no other transform of one target. */
    if (targets == 1 && transform != ONNX_PROBIT) transform = ONNX_NONE;
    model->link = link_of(transform);
    if (base == NULL || base->count == 0) return RIDE_OK;
    if (base->count != targets)
        return ride_onnx_finding(e->file, e->node, NULL, "base_values: %u for %u targets", base->count,
                                 (unsigned)targets);
    for (uint32_t i = 0; i < base->count; i++) RIDE_TRY(set_base(e, i, base->at[i]));
    if (aggregate == ONNX_AVERAGE && model->base_last)
        return ride_onnx_finding(e->file, e->node, "put the base value into the leaves",
                                 "base_values behind an average are not supported");
    return RIDE_OK;
}

ride_status ride_onnx_average(const onnx_ensemble *e, onnx_aggregate aggregate) {
    ride_model *model = e->file->reader->model;
    if (aggregate != ONNX_AVERAGE || model->trees_in_file < 2) return RIDE_OK;
    model->mean_of = model->trees_in_file;
    return RIDE_OK;
}

/* ---- the lists ---- */

typedef struct key {
    int64_t tree, node;
    uint32_t index;
} key;

typedef struct lists {
    onnx_ints tree_ids, node_ids, features, yes, no, tracks;
    onnx_texts modes;
    onnx_reals values;
    onnx_ints weight_trees, weight_nodes, weight_outputs;
    onnx_reals weights, base;
    /* Where tree and node are: numbers that are places, as exporters write them, are no keys to sort. */
    bool is_dense;
    uint32_t *runs; /* first node of each tree, and the end */
    uint32_t runs_count;
    key *keys; /* of the nodes, by tree and node */
    ride_rule_node *nodes;
    ride_rule_weight *leaves;  /* by node; a zero behind them */
    const uint32_t *output_of; /* of each class or target; SKIP: its weights are left out */
} lists;

static const uint32_t SKIP = UINT32_MAX;

/* The list under its name, or as a tensor. */
static ride_status reals_of(const onnx_ensemble *e, const char *name, onnx_reals *out) {
    char tensor[64];
    onnx_reals other;
    snprintf(tensor, sizeof tensor, "%s_as_tensor", name);
    RIDE_TRY(ride_onnx_floats(e->file, e->node, name, out));
    RIDE_TRY(ride_onnx_tensor_reals(e->file, e->node, tensor, &other));
    if (out->count > 0 && other.count > 0)
        return ride_onnx_finding(e->file, e->node, NULL, "%s and %s at once", name, tensor);
    if (other.count > 0) *out = other;
    if (out->count > 0 && out->type == ONNX_DOUBLE && e->file->reader->model->input_number != RIDE_FOREST_F64)
        return ride_onnx_finding(e->file, e->node, "convert it with double inputs",
                                 "%s: doubles, where the input is a tensor of floats", tensor);
    return RIDE_OK;
}

static ride_status read_lists(const onnx_ensemble *e, bool is_classifier, lists *l) {
    const onnx_file *file = e->file;
    const onnx_node *node = e->node;
    RIDE_TRY(ride_onnx_ints(file, node, "nodes_treeids", &l->tree_ids));
    RIDE_TRY(ride_onnx_ints(file, node, "nodes_nodeids", &l->node_ids));
    RIDE_TRY(ride_onnx_ints(file, node, "nodes_featureids", &l->features));
    RIDE_TRY(ride_onnx_ints(file, node, "nodes_truenodeids", &l->yes));
    RIDE_TRY(ride_onnx_ints(file, node, "nodes_falsenodeids", &l->no));
    RIDE_TRY(ride_onnx_ints(file, node, "nodes_missing_value_tracks_true", &l->tracks));
    RIDE_TRY(ride_onnx_texts(file, node, "nodes_modes", &l->modes));
    RIDE_TRY(reals_of(e, "nodes_values", &l->values));
    RIDE_TRY(ride_onnx_ints(file, node, is_classifier ? "class_treeids" : "target_treeids", &l->weight_trees));
    RIDE_TRY(ride_onnx_ints(file, node, is_classifier ? "class_nodeids" : "target_nodeids", &l->weight_nodes));
    RIDE_TRY(ride_onnx_ints(file, node, is_classifier ? "class_ids" : "target_ids", &l->weight_outputs));
    RIDE_TRY(reals_of(e, is_classifier ? "class_weights" : "target_weights", &l->weights));
    RIDE_TRY(reals_of(e, "base_values", &l->base));
    const uint32_t count = l->tree_ids.count;
    const struct {
        const char *name;
        uint32_t count;
    } others[] = {{"nodes_nodeids", l->node_ids.count},
                  {"nodes_featureids", l->features.count},
                  {"nodes_truenodeids", l->yes.count},
                  {"nodes_falsenodeids", l->no.count},
                  {"nodes_modes", l->modes.count},
                  {"nodes_values", l->values.count},
                  {"nodes_missing_value_tracks_true", l->tracks.count > 0 ? l->tracks.count : count}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i].count != count)
            return ride_onnx_finding(file, node, NULL, "%s: %u entries for %u nodes", others[i].name, others[i].count,
                                     count);
    if (l->weights.count != l->weight_trees.count || l->weights.count != l->weight_nodes.count ||
        l->weights.count != l->weight_outputs.count)
        return ride_onnx_finding(file, node, NULL, "the lists of weights differ in length");
    return RIDE_OK;
}

static int compare_keys(const void *a, const void *b) {
    const key *x = a, *y = b;
    if (x->tree != y->tree) return x->tree < y->tree ? -1 : 1;
    return (x->node > y->node) - (x->node < y->node);
}

static bool find_node(const lists *l, int64_t tree, int64_t node, uint32_t *out) {
    if (l->is_dense) { /* place by place, tree 0 first */
        if (tree < 0 || tree >= l->runs_count) return false;
        const uint32_t first = l->runs[tree], end = l->runs[tree + 1];
        *out = first + (uint32_t)node;
        return node >= 0 && node < end - first;
    }
    const key what = {.tree = tree, .node = node};
    const key *found = bsearch(&what, l->keys, l->tree_ids.count, sizeof *l->keys, compare_keys);
    if (found != NULL) *out = found->index;
    return found != NULL;
}

/* Are trees numbered 0, 1 … and the nodes of each 0, 1 …, all in order? */
static ride_status try_dense(const onnx_ensemble *e, lists *l) {
    const uint32_t count = l->tree_ids.count;
    l->runs = ride_arena_new(e->file->values, uint32_t, (size_t)count + 1);
    if (l->runs == NULL) return ride_onnx_finding(e->file, e->node, NULL, "no memory for %u nodes", count);
    for (uint32_t i = 0; i < count; i++) {
        const bool is_first = i == 0 || l->tree_ids.at[i] != l->tree_ids.at[i - 1];
        if (is_first) l->runs[l->runs_count++] = i;
        if (l->tree_ids.at[i] != l->runs_count - 1 || l->node_ids.at[i] != i - l->runs[l->runs_count - 1])
            return RIDE_OK;
    }
    l->runs[l->runs_count] = count;
    l->is_dense = true;
    return RIDE_OK;
}

static ride_status sort_nodes(const onnx_ensemble *e, lists *l) {
    const uint32_t count = l->tree_ids.count;
    uint32_t runs = 0, trees = 0;
    RIDE_TRY(try_dense(e, l));
    if (l->is_dense) return RIDE_OK;
    l->keys = ride_arena_new(e->file->values, key, (size_t)count + 1);
    if (l->keys == NULL) return ride_onnx_finding(e->file, e->node, NULL, "no memory for %u nodes", count);
    for (uint32_t i = 0; i < count; i++) {
        l->keys[i] = (key){l->tree_ids.at[i], l->node_ids.at[i], i};
        runs += i == 0 || l->tree_ids.at[i] != l->tree_ids.at[i - 1];
    }
    qsort(l->keys, count, sizeof *l->keys, compare_keys);
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0 && compare_keys(&l->keys[i - 1], &l->keys[i]) == 0)
            return ride_onnx_finding(e->file, e->node, NULL, "tree %lld has two nodes %lld", (long long)l->keys[i].tree,
                                     (long long)l->keys[i].node);
        trees += i == 0 || l->keys[i].tree != l->keys[i - 1].tree;
    }
    if (runs != trees) return ride_onnx_finding(e->file, e->node, NULL, "the nodes of a tree do not stand together");
    return RIDE_OK;
}

/* ---- nodes ---- */

static ride_status read_mode(const onnx_ensemble *e, const lists *l, uint32_t i, ride_rule *out) {
    static const char *const names[] = {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE",
                                        "BRANCH_GT",  "BRANCH_EQ", "BRANCH_NEQ"};
    const ride_message mode = l->modes.at[i];
    *out = RIDE_RULE_LEAF;
    if (ride_message_is(mode, "LEAF")) return RIDE_OK;
    for (int k = ONNX_LEQ; k <= ONNX_NEQ; k++)
        if (ride_message_is(mode, names[k])) {
            *out = ride_onnx_rule((onnx_mode)k);
            return RIDE_OK;
        }
    return ride_onnx_finding(e->file, e->node, NULL, "nodes_modes: `%.*s` is not known",
                             (int)(ride_message_bytes(mode) < 40 ? ride_message_bytes(mode) : 40),
                             mode.at != NULL ? (const char *)mode.at : "");
}

/* first: of the tree's nodes; children are counted from it. */
static ride_status read_node(const onnx_ensemble *e, const lists *l, uint32_t first, uint32_t i) {
    ride_rule_node *node = &l->nodes[i];
    const int64_t tree = l->tree_ids.at[i];
    uint32_t yes, no;
    RIDE_TRY(read_mode(e, l, i, &node->rule));
    if (node->rule == RIDE_RULE_LEAF) return RIDE_OK;
    if (l->features.at[i] < 0 || l->features.at[i] >= RIDE_FOREST_INPUTS_MAX)
        return ride_onnx_finding(e->file, e->node, NULL, "nodes_featureids: %lld", (long long)l->features.at[i]);
    if (!find_node(l, tree, l->yes.at[i], &yes) || !find_node(l, tree, l->no.at[i], &no))
        return ride_onnx_finding(e->file, e->node, NULL, "tree %lld, node %lld: a child that is not there",
                                 (long long)tree, (long long)l->node_ids.at[i]);
    node->value = l->values.at[i];
    node->input = (uint32_t)l->features.at[i];
    node->yes = yes - first;
    node->no = no - first;
    node->missing_yes = node->rule == RIDE_RULE_NOT_EQUAL || (l->tracks.count > 0 && l->tracks.at[i] == 1);
    return RIDE_OK;
}

/* The weights, ordered by node. */
static ride_status read_weights(const onnx_ensemble *e, lists *l, uint32_t classes) {
    const uint32_t count = l->weights.count, nodes = l->tree_ids.count;
    uint32_t *node_of = ride_arena_new(e->file->values, uint32_t, (size_t)count + 1);
    uint32_t at = 0;
    l->leaves = ride_arena_new(e->file->values, ride_rule_weight, (size_t)count + 1);
    if (node_of == NULL || l->leaves == NULL)
        return ride_onnx_finding(e->file, e->node, NULL, "no memory for %u weights", count);
    for (uint32_t i = 0; i < count; i++) {
        if (!find_node(l, l->weight_trees.at[i], l->weight_nodes.at[i], &node_of[i]))
            return ride_onnx_finding(e->file, e->node, NULL, "a weight for node %lld of tree %lld, which is not there",
                                     (long long)l->weight_nodes.at[i], (long long)l->weight_trees.at[i]);
        if (l->weight_outputs.at[i] < 0 || l->weight_outputs.at[i] >= classes)
            return ride_onnx_finding(e->file, e->node, NULL, "a weight for target or class %lld of %u",
                                     (long long)l->weight_outputs.at[i], classes);
        l->nodes[node_of[i]].count++;
    }
    for (uint32_t i = 0; i < nodes; i++) {
        ride_rule_node *node = &l->nodes[i];
        if (node->rule == RIDE_RULE_LEAF && node->count == 0)
            return ride_onnx_finding(e->file, e->node, NULL, "tree %lld, node %lld: a leaf without a weight",
                                     (long long)l->tree_ids.at[i], (long long)l->node_ids.at[i]);
        node->first = at;
        at += node->count;
        node->count = 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        ride_rule_node *node = &l->nodes[node_of[i]];
        const uint32_t output = l->output_of[l->weight_outputs.at[i]];
        if (output != SKIP) l->leaves[node->first + node->count++] = (ride_rule_weight){l->weights.at[i], output};
    }
    for (uint32_t i = 0; i < nodes; i++) /* all left out: it gives 0 */
        if (l->nodes[i].count == 0) l->nodes[i].first = count, l->nodes[i].count = 1;
    return RIDE_OK;
}

static ride_status read_nodes(const onnx_ensemble *e, lists *l, uint32_t classes) {
    const uint32_t count = l->tree_ids.count;
    if (count == 0) return ride_onnx_finding(e->file, e->node, NULL, "no nodes");
    l->nodes = ride_arena_new(e->file->values, ride_rule_node, count);
    if (l->nodes == NULL) return ride_onnx_finding(e->file, e->node, NULL, "no memory for %u nodes", count);
    for (uint32_t i = 0, first = 0; i < count; i++) {
        if (l->tree_ids.at[i] != l->tree_ids.at[first]) first = i;
        RIDE_TRY(read_node(e, l, first, i));
    }
    RIDE_TRY(read_weights(e, l, classes));
    for (uint32_t first = 0, end; first < count; first = end) {
        char place[40];
        for (end = first + 1; end < count && l->tree_ids.at[end] == l->tree_ids.at[first];) end++;
        snprintf(place, sizeof place, "tree %lld", (long long)l->tree_ids.at[first]);
        const ride_rule_tree tree = {.place = place,
                                     .nodes = &l->nodes[first],
                                     .nodes_count = end - first,
                                     .weights = l->leaves,
                                     .may_share = true,
                                     .weight = 1.0};
        RIDE_TRY(ride_rules_add(e->rules, &tree));
    }
    return ride_rules_finish(e->rules);
}

/* ---- classes ---- */

/* Has each row's sum of the output a leaf in it? Without one, ONNX Runtime leaves its base value out, or takes the first of two classes for
 * the second. A tree whose leaves all have one settles it. */
static bool is_certain(const lists *l, int64_t output) {
    const uint32_t count = l->tree_ids.count;
    uint32_t *weights = calloc((size_t)count + 1, sizeof *weights), node;
    bool certain = false;
    for (uint32_t i = 0; i < l->weights.count && weights != NULL; i++)
        if (l->weight_outputs.at[i] == output && find_node(l, l->weight_trees.at[i], l->weight_nodes.at[i], &node))
            weights[node]++;
    for (uint32_t first = 0, end; first < count && weights != NULL && !certain; first = end) {
        certain = true;
        for (end = first; end < count && l->tree_ids.at[end] == l->tree_ids.at[first]; end++)
            certain = certain && (weights[end] > 0 || !ride_message_is(l->modes.at[end], "LEAF"));
    }
    free(weights);
    return certain;
}

static ride_status two_classes(const onnx_ensemble *e, lists *l, onnx_transform transform, bool *is_pair,
                               bool *is_second) {
    static const uint32_t only[2] = {0, 0}, second[2] = {SKIP, 0}, both[2] = {0, 1};
    ride_model *model = e->file->reader->model;
    bool has[2] = {false, false};
    for (uint32_t i = 0; i < l->weights.count; i++)
        if (l->weight_outputs.at[i] == 0 || l->weight_outputs.at[i] == 1) has[l->weight_outputs.at[i]] = true;
    if (l->base.count > 1)
        return ride_onnx_finding(e->file, e->node, "put the base value into the leaves of one tree",
                                 "two base_values for two classes, of which ONNX Runtime makes something else");
    if (!has[1]) { /* one sum */
        RIDE_TRY(set_outputs(e, 1));
        if (transform == ONNX_PROBIT)
            return ride_onnx_finding(e->file, e->node, NULL,
                                     "PROBIT of one sum for two classes: the second is not defined");
        model->link = transform == ONNX_LOGISTIC ? RIDE_FOREST_LINK_LOGISTIC_FOLDED : RIDE_FOREST_LINK_NONE;
        *is_pair = model->link != RIDE_FOREST_LINK_NONE;
        *is_second = !*is_pair;
        l->output_of = only;
        return l->base.count == 1 ? set_base(e, 0, l->base.at[0]) : RIDE_OK;
    }
    if (!is_certain(l, 1))
        return ride_onnx_finding(e->file, e->node, "write a weight, be it 0, for each class in each leaf",
                                 "leaves without a weight for the second class");
    model->link = link_of(transform);
    *is_second = transform == ONNX_NONE || transform == ONNX_LOGISTIC || transform == ONNX_PROBIT;
    l->output_of = *is_second ? second : both;
    RIDE_TRY(set_outputs(e, *is_second ? 1 : 2));
    /* ONNX Runtime gives it to the first class, and to none that has no weights. */
    return l->base.count == 1 && !*is_second && has[0] ? set_base(e, 0, l->base.at[0]) : RIDE_OK;
}

static ride_status read_classes(const onnx_ensemble *e, lists *l, onnx_transform transform, uint32_t *classes,
                                bool *is_pair, bool *is_second) {
    onnx_ints numbers;
    onnx_texts texts;
    RIDE_TRY(ride_onnx_ints(e->file, e->node, "classlabels_int64s", &numbers));
    RIDE_TRY(ride_onnx_texts(e->file, e->node, "classlabels_strings", &texts));
    *classes = texts.count > 0 ? texts.count : numbers.count;
    if (*classes == 0 || *classes > RIDE_FOREST_OUTPUTS_MAX)
        return ride_onnx_finding(e->file, e->node, NULL, "%u class labels, from 1 to %d were expected", *classes,
                                 RIDE_FOREST_OUTPUTS_MAX);
    if (*classes == 2) return two_classes(e, l, transform, is_pair, is_second);
    uint32_t *same = ride_arena_new(e->file->values, uint32_t, *classes);
    if (same == NULL) return ride_onnx_finding(e->file, e->node, NULL, "no memory for %u classes", *classes);
    for (uint32_t i = 0; i < *classes; i++) same[i] = i;
    l->output_of = same;
    return ride_onnx_targets(e, *classes, ONNX_SUM, transform, &l->base);
}

static ride_status read_regression(const onnx_ensemble *e, lists *l, onnx_transform transform,
                                   onnx_aggregate *aggregate, uint32_t *targets) {
    static const char *const names[ONNX_AGGREGATES] = {"AVERAGE", "SUM", "MIN", "MAX"};
    const ride_message text = ride_onnx_text(e->node, "aggregate_function");
    int64_t count, known = text.at == NULL ? ONNX_SUM : -1;
    for (int i = 0; i < ONNX_AGGREGATES; i++)
        if (ride_message_is(text, names[i])) known = i;
    if (known < 0) return ride_onnx_finding(e->file, e->node, NULL, "aggregate_function: not known");
    *aggregate = (onnx_aggregate)known;
    RIDE_TRY(ride_onnx_int(e->file, e->node, "n_targets", 0, &count));
    RIDE_TRY(ride_onnx_targets(e, count, *aggregate, transform, &l->base));
    *targets = (uint32_t)count;
    uint32_t *same = ride_arena_new(e->file->values, uint32_t, *targets);
    if (same == NULL) return ride_onnx_finding(e->file, e->node, NULL, "no memory for %u targets", *targets);
    for (uint32_t i = 0; i < *targets; i++) {
        same[i] = i;
        if (*targets > 1 && e->file->reader->model->base_margins[i] != 0.0 && !is_certain(l, i))
            return ride_onnx_finding(e->file, e->node, "write a weight, be it 0, for each target in each leaf",
                                     "a base value for target %u, and leaves without a weight for it", i);
    }
    l->output_of = same;
    return RIDE_OK;
}

static ride_status read_ensemble(onnx_ensemble *e, bool *is_pair, bool *is_second) {
    const bool is_classifier = ride_message_is(e->node->op, "TreeEnsembleClassifier");
    onnx_transform transform;
    onnx_aggregate aggregate = ONNX_SUM;
    uint32_t classes = 0;
    lists l = {0};
    RIDE_TRY(ride_onnx_transform(e, &transform));
    RIDE_TRY(read_lists(e, is_classifier, &l));
    RIDE_TRY(sort_nodes(e, &l));
    if (is_classifier) RIDE_TRY(read_classes(e, &l, transform, &classes, is_pair, is_second));
    else RIDE_TRY(read_regression(e, &l, transform, &aggregate, &classes));
    RIDE_TRY(ride_rules_create(e->file->reader, &e->rules));
    RIDE_TRY(read_nodes(e, &l, classes));
    return ride_onnx_average(e, aggregate);
}

ride_status ride_onnx_read_trees(const onnx_file *file, const onnx_node *node, ride_forest_number number, bool *is_pair,
                                 bool *is_second) {
    onnx_ensemble e = {.file = file, .node = node};
    file->reader->model->input_number = file->reader->model->sum_number = number;
    *is_pair = *is_second = false;
    const ride_status st = ride_message_is(node->op, "TreeEnsemble") ? ride_onnx_read_ensemble5(&e)
                                                                     : read_ensemble(&e, is_pair, is_second);
    ride_rules_destroy(e.rules);
    return st;
}

ride_status ride_onnx_trees_width(const onnx_file *file, const onnx_node *node, uint32_t *out) {
    onnx_ints features;
    int64_t greatest = 0;
    RIDE_TRY(ride_onnx_ints(file, node, "nodes_featureids", &features));
    for (uint32_t i = 0; i < features.count; i++)
        if (features.at[i] > greatest) greatest = features.at[i];
    if (greatest >= RIDE_FOREST_INPUTS_MAX)
        return ride_onnx_finding(file, node, NULL, "nodes_featureids: %lld", (long long)greatest);
    *out = (uint32_t)greatest + 1;
    return RIDE_OK;
}
