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
#include "models/onnx_lists.h"

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

/* What a window of the lists becomes. */
typedef struct trees {
    onnx_lists lists;
    ride_rule_node *nodes;
    uint32_t *node_of;         /* of each weight */
    ride_rule_weight *leaves;  /* by node; a zero behind them */
    uint32_t *met;             /* room for a number of each node */
    const uint32_t *output_of; /* of each class or target; SKIP: its weights are left out */
    uint8_t *given;            /* of each class or target: GIVEN, CERTAIN */
} trees;

static const uint32_t SKIP = UINT32_MAX;
enum {
    GIVEN = 1,   /* some leaf has a weight for it */
    CERTAIN = 2, /* all leaves of some tree have one */
    ASKED = 4,   /* does it matter whether it is certain? */
};

/* ---- nodes ---- */

static ride_status read_mode(const onnx_ensemble *e, const onnx_lists *l, uint32_t i, ride_rule *out) {
    static const char *const names[] = {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE",
                                        "BRANCH_GT",  "BRANCH_EQ", "BRANCH_NEQ"};
    const ride_message mode = l->modes[i];
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
static ride_status read_node(const onnx_ensemble *e, const trees *t, uint32_t first, uint32_t i) {
    const onnx_lists *l = &t->lists;
    ride_rule_node *node = &t->nodes[i];
    const int64_t tree = l->ints[ONNX_LIST_TREE][i], feature = l->ints[ONNX_LIST_FEATURE][i];
    uint32_t yes, no;
    *node = (ride_rule_node){0};
    RIDE_TRY(read_mode(e, l, i, &node->rule));
    if (node->rule == RIDE_RULE_LEAF) return RIDE_OK;
    if (feature < 0 || feature >= RIDE_FOREST_INPUTS_MAX)
        return ride_onnx_finding(e->file, e->node, NULL, "nodes_featureids: %lld", (long long)feature);
    if (!ride_onnx_lists_find(l, tree, l->ints[ONNX_LIST_YES][i], &yes) ||
        !ride_onnx_lists_find(l, tree, l->ints[ONNX_LIST_NO][i], &no))
        return ride_onnx_finding(e->file, e->node, NULL, "tree %lld, node %lld: a child that is not there",
                                 (long long)tree, (long long)l->ints[ONNX_LIST_NODE][i]);
    const int64_t *tracks = l->ints[ONNX_LIST_TRACKS];
    node->value = l->values[i];
    node->input = (uint32_t)feature;
    node->yes = yes - first;
    node->no = no - first;
    node->missing_yes = node->rule == RIDE_RULE_NOT_EQUAL || (tracks != NULL && tracks[i] == 1);
    return RIDE_OK;
}

/* The weights, ordered by node. */
static ride_status read_weights(const onnx_ensemble *e, trees *t, uint32_t classes) {
    const onnx_lists *l = &t->lists;
    const int64_t *of_tree = l->ints[ONNX_LIST_WEIGHT_TREE], *of_node = l->ints[ONNX_LIST_WEIGHT_NODE],
                  *outputs = l->ints[ONNX_LIST_WEIGHT_OUTPUT];
    const uint32_t count = l->weights_count;
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!ride_onnx_lists_find(l, of_tree[i], of_node[i], &t->node_of[i]))
            return ride_onnx_finding(e->file, e->node, NULL, "a weight for node %lld of tree %lld, which is not there",
                                     (long long)of_node[i], (long long)of_tree[i]);
        if (outputs[i] < 0 || outputs[i] >= classes)
            return ride_onnx_finding(e->file, e->node, NULL, "a weight for target or class %lld of %u",
                                     (long long)outputs[i], classes);
        t->nodes[t->node_of[i]].count++;
    }
    for (uint32_t i = 0; i < l->nodes_count; i++) {
        ride_rule_node *node = &t->nodes[i];
        if (node->rule == RIDE_RULE_LEAF && node->count == 0)
            return ride_onnx_finding(e->file, e->node, NULL, "tree %lld, node %lld: a leaf without a weight",
                                     (long long)l->ints[ONNX_LIST_TREE][i], (long long)l->ints[ONNX_LIST_NODE][i]);
        node->first = at;
        at += node->count;
        node->count = 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        ride_rule_node *node = &t->nodes[t->node_of[i]];
        const uint32_t output = t->output_of[outputs[i]];
        if (output != SKIP) t->leaves[node->first + node->count++] = (ride_rule_weight){l->weights[i], output};
    }
    t->leaves[count] = (ride_rule_weight){0};
    for (uint32_t i = 0; i < l->nodes_count; i++) /* all left out: it gives 0 */
        if (t->nodes[i].count == 0) t->nodes[i].first = count, t->nodes[i].count = 1;
    return RIDE_OK;
}

static uint32_t tree_end(const onnx_lists *l, uint32_t first) {
    const int64_t *tree = l->ints[ONNX_LIST_TREE];
    uint32_t end = first + 1;
    while (end < l->nodes_count && tree[end] == tree[first]) end++;
    return end;
}

static ride_status add_window(const onnx_ensemble *e, trees *t, uint32_t classes) {
    const onnx_lists *l = &t->lists;
    for (uint32_t first = 0, end; first < l->nodes_count; first = end) {
        end = tree_end(l, first);
        for (uint32_t i = first; i < end; i++) RIDE_TRY(read_node(e, t, first, i));
    }
    RIDE_TRY(read_weights(e, t, classes));
    for (uint32_t first = 0, end; first < l->nodes_count; first = end) {
        char place[40];
        end = tree_end(l, first);
        snprintf(place, sizeof place, "tree %lld", (long long)l->ints[ONNX_LIST_TREE][first]);
        const ride_rule_tree tree = {.place = place,
                                     .nodes = &t->nodes[first],
                                     .nodes_count = end - first,
                                     .weights = t->leaves,
                                     .may_share = true,
                                     .weight = 1.0};
        RIDE_TRY(ride_rules_add(e->rules, &tree));
    }
    return RIDE_OK;
}

static ride_status add_trees(const onnx_ensemble *e, trees *t, uint32_t classes) {
    bool more;
    ride_onnx_lists_rewind(&t->lists);
    for (;;) {
        RIDE_TRY(ride_onnx_lists_next(&t->lists, &more));
        if (!more) return ride_rules_finish(e->rules);
        ride_load_tell(e->file->reader->options->watch, "reading trees", t->lists.window, t->lists.trees_count);
        RIDE_TRY(add_window(e, t, classes));
    }
}

/* ---- classes ---- */

/* Has each row's sum of the output a leaf in it? Without one, ONNX Runtime leaves its base value out, or takes the first of two classes for
 * the second. A tree whose leaves all have one settles it. */
static void survey_output(trees *t, uint32_t output) {
    const onnx_lists *l = &t->lists;
    uint32_t *met = t->met, node;
    memset(met, 0, l->nodes_count * sizeof *met);
    for (uint32_t i = 0; i < l->weights_count; i++)
        if (l->ints[ONNX_LIST_WEIGHT_OUTPUT][i] == output &&
            ride_onnx_lists_find(l, l->ints[ONNX_LIST_WEIGHT_TREE][i], l->ints[ONNX_LIST_WEIGHT_NODE][i], &node))
            met[node] = 1;
    for (uint32_t first = 0, end; first < l->nodes_count; first = end) {
        bool certain = true;
        end = tree_end(l, first);
        for (uint32_t i = first; i < end && certain; i++) certain = met[i] || !ride_message_is(l->modes[i], "LEAF");
        if (certain) t->given[output] |= CERTAIN;
    }
}

/* Which classes or targets do the leaves give to, and where it was ASKED, for certain? */
static ride_status survey(trees *t, uint32_t classes) {
    onnx_lists *l = &t->lists;
    bool more;
    ride_onnx_lists_rewind(l);
    for (;;) {
        RIDE_TRY(ride_onnx_lists_next(l, &more));
        if (!more) return RIDE_OK;
        for (uint32_t i = 0; i < l->weights_count; i++) {
            const int64_t output = l->ints[ONNX_LIST_WEIGHT_OUTPUT][i];
            if (output >= 0 && output < classes) t->given[output] |= GIVEN; /* others are refused when they are read */
        }
        for (uint32_t k = 0; k < classes; k++)
            if ((t->given[k] & (ASKED | CERTAIN)) == ASKED) survey_output(t, k);
    }
}

/* Room for what a window becomes, and for so many classes or targets. */
static ride_status make_room(const onnx_ensemble *e, trees *t, uint32_t classes) {
    ride_arena *arena = e->file->values;
    uint32_t *same = ride_arena_new(arena, uint32_t, classes);
    const size_t nodes = t->lists.nodes_most, weights = t->lists.weights_most;
    t->nodes = ride_arena_new(arena, ride_rule_node, nodes + 1);
    t->met = ride_arena_new(arena, uint32_t, nodes + 1);
    t->node_of = ride_arena_new(arena, uint32_t, weights + 1);
    t->leaves = ride_arena_new(arena, ride_rule_weight, weights + 1);
    t->given = ride_arena_new(arena, uint8_t, classes);
    if (same == NULL || t->nodes == NULL || t->met == NULL || t->node_of == NULL || t->leaves == NULL ||
        t->given == NULL)
        return ride_onnx_finding(e->file, e->node, NULL, "no memory for trees of %zu nodes", nodes);
    for (uint32_t i = 0; i < classes; i++) same[i] = i;
    t->output_of = same;
    return RIDE_OK;
}

static ride_status two_classes(const onnx_ensemble *e, trees *t, onnx_transform transform, bool *is_pair,
                               bool *is_second) {
    static const uint32_t only[2] = {0, 0}, second[2] = {SKIP, 0}, both[2] = {0, 1};
    ride_model *model = e->file->reader->model;
    const onnx_lists *l = &t->lists;
    t->given[1] = ASKED;
    RIDE_TRY(survey(t, 2));
    if (l->base.count > 1)
        return ride_onnx_finding(e->file, e->node, "put the base value into the leaves of one tree",
                                 "two base_values for two classes, of which ONNX Runtime makes something else");
    if ((t->given[1] & GIVEN) == 0) { /* one sum */
        RIDE_TRY(set_outputs(e, 1));
        if (transform == ONNX_PROBIT)
            return ride_onnx_finding(e->file, e->node, NULL,
                                     "PROBIT of one sum for two classes: the second is not defined");
        model->link = transform == ONNX_LOGISTIC ? RIDE_FOREST_LINK_LOGISTIC_FOLDED : RIDE_FOREST_LINK_NONE;
        *is_pair = model->link != RIDE_FOREST_LINK_NONE;
        *is_second = !*is_pair;
        t->output_of = only;
        return l->base.count == 1 ? set_base(e, 0, l->base.at[0]) : RIDE_OK;
    }
    if ((t->given[1] & CERTAIN) == 0)
        return ride_onnx_finding(e->file, e->node, "write a weight, be it 0, for each class in each leaf",
                                 "leaves without a weight for the second class");
    model->link = link_of(transform);
    *is_second = transform == ONNX_NONE || transform == ONNX_LOGISTIC || transform == ONNX_PROBIT;
    t->output_of = *is_second ? second : both;
    RIDE_TRY(set_outputs(e, *is_second ? 1 : 2));
    /* ONNX Runtime gives it to the first class, and to none that has no weights. */
    return l->base.count == 1 && !*is_second && (t->given[0] & GIVEN) != 0 ? set_base(e, 0, l->base.at[0]) : RIDE_OK;
}

static ride_status read_classes(const onnx_ensemble *e, trees *t, onnx_transform transform, uint32_t *classes,
                                bool *is_pair, bool *is_second) {
    onnx_ints numbers;
    onnx_texts texts;
    RIDE_TRY(ride_onnx_ints(e->file, e->node, "classlabels_int64s", &numbers));
    RIDE_TRY(ride_onnx_texts(e->file, e->node, "classlabels_strings", &texts));
    *classes = texts.count > 0 ? texts.count : numbers.count;
    if (*classes == 0 || *classes > RIDE_FOREST_OUTPUTS_MAX)
        return ride_onnx_finding(e->file, e->node, NULL, "%u class labels, from 1 to %d were expected", *classes,
                                 RIDE_FOREST_OUTPUTS_MAX);
    RIDE_TRY(make_room(e, t, *classes));
    if (*classes == 2) return two_classes(e, t, transform, is_pair, is_second);
    return ride_onnx_targets(e, *classes, ONNX_SUM, transform, &t->lists.base);
}

static ride_status read_regression(const onnx_ensemble *e, trees *t, onnx_transform transform,
                                   onnx_aggregate *aggregate, uint32_t *targets) {
    static const char *const names[ONNX_AGGREGATES] = {"AVERAGE", "SUM", "MIN", "MAX"};
    const ride_message text = ride_onnx_text(e->node, "aggregate_function");
    int64_t count, known = text.at == NULL ? ONNX_SUM : -1;
    for (int i = 0; i < ONNX_AGGREGATES; i++)
        if (ride_message_is(text, names[i])) known = i;
    if (known < 0) return ride_onnx_finding(e->file, e->node, NULL, "aggregate_function: not known");
    *aggregate = (onnx_aggregate)known;
    RIDE_TRY(ride_onnx_int(e->file, e->node, "n_targets", 0, &count));
    RIDE_TRY(ride_onnx_targets(e, count, *aggregate, transform, &t->lists.base));
    *targets = (uint32_t)count;
    RIDE_TRY(make_room(e, t, *targets));
    const double *base = e->file->reader->model->base_margins;
    bool asked = false;
    for (uint32_t i = 0; i<*targets && * targets> 1; i++)
        if (base[i] != 0.0) t->given[i] = ASKED, asked = true;
    if (asked) RIDE_TRY(survey(t, *targets));
    for (uint32_t i = 0; i < *targets; i++)
        if ((t->given[i] & (ASKED | CERTAIN)) == ASKED)
            return ride_onnx_finding(e->file, e->node, "write a weight, be it 0, for each target in each leaf",
                                     "a base value for target %u, and leaves without a weight for it", i);
    return RIDE_OK;
}

static ride_status read_ensemble(onnx_ensemble *e, bool *is_pair, bool *is_second) {
    const bool is_classifier = ride_message_is(e->node->op, "TreeEnsembleClassifier");
    onnx_transform transform;
    onnx_aggregate aggregate = ONNX_SUM;
    uint32_t classes = 0;
    trees t = {0};
    RIDE_TRY(ride_onnx_transform(e, &transform));
    RIDE_TRY(ride_onnx_lists_open(e, is_classifier, &t.lists));
    if (is_classifier) RIDE_TRY(read_classes(e, &t, transform, &classes, is_pair, is_second));
    else RIDE_TRY(read_regression(e, &t, transform, &aggregate, &classes));
    RIDE_TRY(ride_rules_create(e->file->reader, &e->rules));
    RIDE_TRY(add_trees(e, &t, classes));
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
    onnx_cursor features;
    uint64_t feature;
    int64_t greatest = 0;
    RIDE_TRY(ride_onnx_ints_cursor(file, node, "nodes_featureids", &features));
    while (ride_values_next(&features.values, &feature))
        if ((int64_t)feature > greatest) greatest = (int64_t)feature;
    if (greatest >= RIDE_FOREST_INPUTS_MAX)
        return ride_onnx_finding(file, node, NULL, "nodes_featureids: %lld", (long long)greatest);
    *out = (uint32_t)greatest + 1;
    return RIDE_OK;
}
