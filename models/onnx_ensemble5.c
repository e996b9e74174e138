/* models/onnx_ensemble5.c: TreeEnsemble of ai.onnx.ml 5: one list with an entry for each test of all trees, one for each leaf; a child is a
 * test or a leaf, as the lists nodes_trueleafs and nodes_falseleafs say. Roots are named. The sets of BRANCH_MEMBER stand in one list, in the order
 * of the tests, with NaN between them. There are no base values. A leaf may be named by several tests: it is a number, no subtree.
 *
 * ONNX Runtime compares with the members where they are few and small (at most 30 of them, from 0 to 30). With others it truncates the value first,
 * and so does this. */
#include "models/onnx_ensemble.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct lists5 {
    onnx_ints features, yes, no, yes_is_leaf, no_is_leaf, tracks, modes, roots, leaf_outputs;
    onnx_reals splits, members, weights;
    uint32_t *first_member, *members_count; /* by test */
    uint32_t *set_of;                       /* by test: a set of the model, or none */
    bool *is_whole;                         /* by test: the value is truncated */
    double *sorted;                         /* members, each set ascending and distinct */
    ride_rule_weight *leaves;
    bool *is_used; /* a test belongs to one tree, once */
    ride_rule_node *nodes;
    uint32_t *test_of; /* of each node of the tree under way */
} lists5;

static ride_status reals5(const onnx_ensemble *e, const char *name, onnx_reals *out) {
    RIDE_TRY(ride_onnx_tensor_reals(e->file, e->node, name, out));
    if (out->count > 0 && out->type == ONNX_DOUBLE && e->file->reader->model->input_number != RIDE_FOREST_F64)
        return ride_onnx_finding(e->file, e->node, "convert it with double inputs",
                                 "%s: doubles, where the input is a tensor of floats", name);
    return RIDE_OK;
}

static ride_status read_lists(const onnx_ensemble *e, lists5 *l) {
    const onnx_file *file = e->file;
    const onnx_node *node = e->node;
    RIDE_TRY(ride_onnx_ints(file, node, "nodes_featureids", &l->features));
    RIDE_TRY(ride_onnx_ints(file, node, "nodes_truenodeids", &l->yes));
    RIDE_TRY(ride_onnx_ints(file, node, "nodes_falsenodeids", &l->no));
    RIDE_TRY(ride_onnx_ints(file, node, "nodes_trueleafs", &l->yes_is_leaf));
    RIDE_TRY(ride_onnx_ints(file, node, "nodes_falseleafs", &l->no_is_leaf));
    RIDE_TRY(ride_onnx_ints(file, node, "nodes_missing_value_tracks_true", &l->tracks));
    RIDE_TRY(ride_onnx_ints(file, node, "tree_roots", &l->roots));
    RIDE_TRY(ride_onnx_ints(file, node, "leaf_targetids", &l->leaf_outputs));
    RIDE_TRY(ride_onnx_tensor_ints(file, node, "nodes_modes", &l->modes));
    RIDE_TRY(reals5(e, "nodes_splits", &l->splits));
    RIDE_TRY(reals5(e, "leaf_weights", &l->weights));
    RIDE_TRY(reals5(e, "membership_values", &l->members));
    const uint32_t count = l->features.count;
    const struct {
        const char *name;
        uint32_t count;
    } others[] = {{"nodes_truenodeids", l->yes.count},
                  {"nodes_falsenodeids", l->no.count},
                  {"nodes_trueleafs", l->yes_is_leaf.count},
                  {"nodes_falseleafs", l->no_is_leaf.count},
                  {"nodes_modes", l->modes.count},
                  {"nodes_splits", l->splits.count},
                  {"nodes_missing_value_tracks_true", l->tracks.count > 0 ? l->tracks.count : count}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i].count != count)
            return ride_onnx_finding(file, node, NULL, "%s: %u entries for %u nodes", others[i].name, others[i].count,
                                     count);
    if (l->weights.count != l->leaf_outputs.count)
        return ride_onnx_finding(file, node, NULL, "leaf_targetids: %u entries for %u leaf_weights",
                                 l->leaf_outputs.count, l->weights.count);
    if (count == 0 || l->roots.count == 0) return ride_onnx_finding(file, node, NULL, "no trees");
    return RIDE_OK;
}

/* Are these members more than ONNX Runtime compares with one by one? */
static bool is_big(const double *members, uint32_t count, uint32_t given) {
    return given >= 31 || members[0] < 0.0 || members[count - 1] > 30.0;
}

/* A set of the model where a bit for each number up to the last is no waste; false: too far apart, negative, or no code. */
static bool add_set(const onnx_ensemble *e, const double *members, uint32_t count, uint32_t *set) {
    ride_model *model = e->file->reader->model;
    const double last = members[count - 1];
    if (members[0] < 0.0 || last > 64.0 * count + 4096.0 || last >= RIDE_FOREST_CATEGORY_MAX) return false;
    *set = model->sets_count;
    model->sets[model->sets_count++] = (ride_model_set){model->set_members_count, count};
    for (uint32_t k = 0; k < count; k++) model->set_members[model->set_members_count++] = (uint32_t)members[k];
    return true;
}

static int compare_numbers(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static ride_status read_members(const onnx_ensemble *e, lists5 *l) {
    ride_model *model = e->file->reader->model;
    const uint32_t count = l->features.count;
    uint32_t at = 0;
    l->first_member = ride_arena_new(e->file->values, uint32_t, count);
    l->members_count = ride_arena_new(e->file->values, uint32_t, count);
    l->sorted = ride_arena_new(e->file->values, double, (size_t)l->members.count + 1);
    l->set_of = ride_arena_new(e->file->values, uint32_t, count);
    l->is_whole = ride_arena_new(e->file->values, bool, count);
    model->sets = ride_arena_new(model->arena, ride_model_set, (size_t)l->members.count + 1);
    model->set_members = ride_arena_new(model->arena, uint32_t, (size_t)l->members.count + 1);
    if (l->first_member == NULL || l->members_count == NULL || l->sorted == NULL || l->set_of == NULL ||
        l->is_whole == NULL || model->sets == NULL || model->set_members == NULL)
        return ride_onnx_finding(e->file, e->node, NULL, "no memory for %u members", l->members.count);
    for (uint32_t i = 0; i < count; i++) {
        if (l->modes.at[i] != ONNX_MEMBER) continue;
        double *to = l->sorted + at;
        uint32_t have = 0, distinct = 0;
        l->first_member[i] = at;
        for (; at < l->members.count && !isnan(l->members.at[at]); at++) to[have++] = l->members.at[at];
        if (have == 0)
            return ride_onnx_finding(e->file, e->node, NULL, "node %u: BRANCH_MEMBER without membership_values", i);
        at++; /* the NaN */
        qsort(to, have, sizeof *to, compare_numbers);
        for (uint32_t k = 0; k < have; k++)
            if (k == 0 || to[k] != to[distinct - 1]) to[distinct++] = to[k];
        l->members_count[i] = distinct;
        l->set_of[i] = UINT32_MAX;
        if (!is_big(to, distinct, have)) continue;
        for (uint32_t k = 0; k < distinct; k++)
            if (to[k] != trunc(to[k]) || fabs(to[k]) > INT32_MAX)
                return ride_onnx_finding(e->file, e->node, "and ONNX Runtime refuses it",
                                         "node %u: %g among many members or large ones is no whole number", i, to[k]);
        l->is_whole[i] = true;
        add_set(e, to, distinct, &l->set_of[i]);
    }
    if (at < l->members.count)
        return ride_onnx_finding(e->file, e->node, NULL, "membership_values: more sets than tests of BRANCH_MEMBER");
    return RIDE_OK;
}

static ride_status read_leaves(const onnx_ensemble *e, lists5 *l) {
    l->leaves = ride_arena_new(e->file->values, ride_rule_weight, (size_t)l->weights.count + 1);
    if (l->leaves == NULL)
        return ride_onnx_finding(e->file, e->node, NULL, "no memory for %u leaves", l->weights.count);
    for (uint32_t i = 0; i < l->weights.count; i++) {
        if (l->leaf_outputs.at[i] < 0 || l->leaf_outputs.at[i] >= e->file->reader->model->outputs_count)
            return ride_onnx_finding(e->file, e->node, NULL, "leaf_targetids: no target %lld",
                                     (long long)l->leaf_outputs.at[i]);
        l->leaves[i] = (ride_rule_weight){l->weights.at[i], (uint32_t)l->leaf_outputs.at[i]};
    }
    return RIDE_OK;
}

static ride_status fill_test(const onnx_ensemble *e, const lists5 *l, uint32_t i, ride_rule_node *to) {
    const int64_t mode = l->modes.at[i];
    if (mode < 0 || mode >= ONNX_MODES)
        return ride_onnx_finding(e->file, e->node, NULL, "nodes_modes: %lld", (long long)mode);
    if (l->features.at[i] < 0 || l->features.at[i] >= RIDE_FOREST_INPUTS_MAX)
        return ride_onnx_finding(e->file, e->node, NULL, "nodes_featureids: %lld", (long long)l->features.at[i]);
    *to = (ride_rule_node){.rule = ride_onnx_rule((onnx_mode)mode),
                           .value = l->splits.at[i],
                           .input = (uint32_t)l->features.at[i],
                           .first = l->first_member[i],
                           .count = l->members_count[i],
                           .missing_yes = mode == ONNX_NEQ || (l->tracks.count > 0 && l->tracks.at[i] == 1)};
    if (to->rule != RIDE_RULE_MEMBER || !l->is_whole[i]) return RIDE_OK;
    to->rule = RIDE_RULE_WHOLE;
    if (l->set_of[i] == UINT32_MAX) return RIDE_OK;
    to->rule = RIDE_RULE_SET;
    to->input |= RIDE_NODE_SET_LEFT | RIDE_NODE_SET_FROM_MINUS_1;
    to->first = l->set_of[i];
    return RIDE_OK;
}

/* Breadth first: tests get their numbers in the tree as they are met. */
static ride_status read_tree(const onnx_ensemble *e, lists5 *l, uint32_t index) {
    const int64_t tests = l->features.count, leaves = l->weights.count, root = l->roots.at[index];
    uint32_t tail = 1;
    char place[40];
    snprintf(place, sizeof place, "tree %u", index);
    if (root < 0 || root >= tests || l->is_used[root])
        return ride_onnx_finding(e->file, e->node, NULL, "tree_roots: %lld is no root of its own", (long long)root);
    l->is_used[root] = true;
    l->test_of[0] = (uint32_t)root;
    for (uint32_t head = 0; head < tail; head++) {
        ride_rule_node *node = &l->nodes[head];
        const uint32_t test = l->test_of[head];
        if (test == UINT32_MAX) continue; /* a leaf */
        RIDE_TRY(fill_test(e, l, test, node));
        for (int side = 0; side < 2; side++) {
            const bool is_leaf = (side ? l->no_is_leaf.at[test] : l->yes_is_leaf.at[test]) != 0;
            const int64_t child = side ? l->no.at[test] : l->yes.at[test];
            if (child < 0 || child >= (is_leaf ? leaves : tests))
                return ride_onnx_finding(e->file, e->node, NULL, "%s: node %u: a child that is not there", place, test);
            if (!is_leaf && l->is_used[child])
                return ride_onnx_finding(e->file, e->node, NULL,
                                         "%s: node %lld is reached twice (a cycle, or two parents)", place,
                                         (long long)child);
            if (!is_leaf) l->is_used[child] = true;
            if (side) node->no = tail;
            else node->yes = tail;
            l->test_of[tail] = is_leaf ? UINT32_MAX : (uint32_t)child;
            if (is_leaf)
                l->nodes[tail] = (ride_rule_node){.rule = RIDE_RULE_LEAF, .first = (uint32_t)child, .count = 1};
            tail++;
        }
    }
    const ride_rule_tree tree = {.place = place,
                                 .nodes = l->nodes,
                                 .nodes_count = tail,
                                 .weights = l->leaves,
                                 .members = l->sorted,
                                 .weight = 1.0};
    return ride_rules_add(e->rules, &tree);
}

ride_status ride_onnx_read_ensemble5(onnx_ensemble *e) {
    int64_t targets, aggregate, transform;
    lists5 l = {0};
    RIDE_TRY(ride_onnx_int(e->file, e->node, "n_targets", 0, &targets));
    RIDE_TRY(ride_onnx_int(e->file, e->node, "aggregate_function", ONNX_SUM, &aggregate));
    RIDE_TRY(ride_onnx_int(e->file, e->node, "post_transform", ONNX_NONE, &transform));
    if (aggregate < 0 || aggregate >= ONNX_AGGREGATES || transform < 0 || transform >= ONNX_TRANSFORMS)
        return ride_onnx_finding(e->file, e->node, NULL, "aggregate_function or post_transform: not known");
    if (transform == ONNX_SOFTMAX || transform == ONNX_LOGISTIC)
        return ride_onnx_finding(
            e->file, e->node, "export it with 0, and a Softmax or Sigmoid behind it",
            "post_transform %d: SOFTMAX is 1 and LOGISTIC 2 by the standard, and the other way round "
            "for ONNX Runtime",
            (int)transform);
    RIDE_TRY(ride_onnx_targets(e, targets, (onnx_aggregate)aggregate, (onnx_transform)transform, NULL));
    RIDE_TRY(read_lists(e, &l));
    RIDE_TRY(read_members(e, &l));
    RIDE_TRY(read_leaves(e, &l));
    const size_t tests = l.features.count, nodes = 2 * tests + 1;
    l.is_used = ride_arena_new(e->file->values, bool, tests);
    l.nodes = ride_arena_new(e->file->values, ride_rule_node, nodes);
    l.test_of = ride_arena_new(e->file->values, uint32_t, nodes);
    if (l.is_used == NULL || l.nodes == NULL || l.test_of == NULL)
        return ride_onnx_finding(e->file, e->node, NULL, "no memory for %zu nodes", nodes);
    RIDE_TRY(ride_rules_create(e->file->reader, &e->rules));
    for (uint32_t i = 0; i < l.roots.count; i++) RIDE_TRY(read_tree(e, &l, i));
    RIDE_TRY(ride_rules_finish(e->rules));
    return ride_onnx_average(e, (onnx_aggregate)aggregate);
}
