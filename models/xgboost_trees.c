/* models/xgboost_trees.c: the trees of an XGBoost model. Each tree is a set of arrays, one entry per node; a leaf is a node whose
 * left child is -1, and its value lies in `split_conditions`. Pruned nodes stay in the arrays, so only what the root reaches
 * is checked and kept.
 *
 * A tree whose leaves have a value for each output (multi_output_tree) becomes one tree for each. Until 3.0 those values lie in
 * `base_weights`, node by node; from 3.1 on in `leaf_weights`, leaf by leaf, and a leaf's right child is its number there. */
#include "base/number.h"
#include "models/xgboost.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CATEGORICAL = 1, TELL_TREES = 64 };
static const uint32_t none = UINT32_MAX;

/* The arrays of one tree, and scratch for its walk. */
typedef struct tree_arrays {
    char place[96];
    const ride_value *left, *right, *conditions, *indices, *default_left, *split_type, *hessians;
    const ride_value *leaf_weights, *base_weights; /* of several values a leaf */
    uint32_t nodes_count;
    uint32_t copies;       /* values of a leaf, and trees of the model for each of the file */
    uint32_t *set_of_node; /* index into the model's sets, or none */
    uint32_t *queue, *depth;
    bool *reached;
} tree_arrays;

static ride_status find_array(ride_model_reader *reader, const ride_value *tree, tree_arrays *t, const char *key,
                              bool optional, const ride_value **out) {
    *out = ride_value_get(tree, key);
    uint32_t length = ride_value_length(*out);
    if (optional && length == 0) {
        *out = NULL;
        return RIDE_OK;
    }
    if (length == t->nodes_count) return RIDE_OK;
    return ride_model_finding(reader, NULL, "%s.%s: %u entries for %u nodes", t->place, key, length, t->nodes_count);
}

static int compare_members(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The category sets: node categories_nodes[k] has the members categories[segments[k] …, sizes[k] of them]. Members go right. */
static ride_status read_sets(ride_model_reader *reader, const ride_value *tree, tree_arrays *t) {
    ride_model *model = reader->model;
    const ride_value *nodes = ride_value_get(tree, "categories_nodes"), *members = ride_value_get(tree, "categories");
    const ride_value *segments = ride_value_get(tree, "categories_segments"),
                     *sizes = ride_value_get(tree, "categories_sizes");
    uint32_t count = ride_value_length(nodes), members_count = ride_value_length(members);
    if (ride_value_length(segments) != count || ride_value_length(sizes) != count)
        return ride_model_finding(reader, NULL, "%s: categories_nodes, _segments and _sizes differ in length",
                                  t->place);
    uint64_t used = 0;
    for (uint32_t k = 0; k < count; k++) {
        int64_t node, first, size, member;
        if (!ride_value_i64_at(nodes, k, &node) || node < 0 || node >= t->nodes_count || t->set_of_node[node] != none)
            return ride_model_finding(reader, NULL, "%s.categories_nodes[%u]: no node, or one that was named before",
                                      t->place, k);
        if (!ride_value_i64_at(segments, k, &first) || !ride_value_i64_at(sizes, k, &size) || first < 0 || size < 0 ||
            first > members_count || size > members_count - first || (used += (uint64_t)size) > members_count)
            return ride_model_finding(reader, NULL, "%s.categories_segments[%u]: beyond `categories`", t->place, k);
        ride_model_set *set = &model->sets[model->sets_count];
        set->members_first = model->set_members_count;
        uint32_t *to = &model->set_members[set->members_first];
        for (int64_t i = 0; i < size; i++) {
            if (!ride_value_i64_at(members, (uint32_t)(first + i), &member) || member < 0 ||
                member >= RIDE_FOREST_CATEGORY_MAX)
                return ride_model_finding(reader, NULL, "%s.categories[%lld]: no category code", t->place,
                                          (long long)(first + i));
            to[i] = (uint32_t)member;
        }
        qsort(to, (size_t)size, sizeof *to, compare_members);
        for (int64_t i = 0; i < size; i++)
            if (i == 0 || to[i] != to[set->members_count - 1]) to[set->members_count++] = to[i];
        model->set_members_count += set->members_count;
        t->set_of_node[node] = model->sets_count++;
    }
    return RIDE_OK;
}

static ride_status read_leaf(ride_model_reader *reader, tree_arrays *t, uint32_t i, int64_t right,
                             ride_model_node *nodes) {
    for (uint32_t k = 0; k < t->copies; k++) {
        const int64_t at = (t->leaf_weights != NULL ? right : i) * (int64_t)t->copies + k;
        const ride_value *from = t->copies == 1            ? t->conditions
                                 : t->leaf_weights != NULL ? t->leaf_weights
                                                           : t->base_weights;
        float value;
        if (at < 0 || at > UINT32_MAX || !ride_value_float_at(from, (uint32_t)at, &value) || !isfinite(value))
            return ride_model_finding(reader, NULL, "%s: leaf %u without a finite value", t->place, i);
        nodes[k * t->nodes_count + i] = (ride_model_node){.input = RIDE_NODE_LEAF, .value = value};
    }
    return RIDE_OK;
}

static ride_status read_split(ride_model_reader *reader, tree_arrays *t, uint32_t i, ride_model_node *node) {
    ride_model *model = reader->model;
    int64_t input, default_left, type = 0;
    float threshold;
    if (!ride_value_i64_at(t->indices, i, &input) || input < 0 || input >= model->inputs_count)
        return ride_model_finding(reader, NULL, "%s.split_indices[%u]: no input of the model's %u", t->place, i,
                                  model->inputs_count);
    if (!ride_value_i64_at(t->default_left, i, &default_left) || default_left < 0 || default_left > 1)
        return ride_model_finding(reader, NULL, "%s.default_left[%u]: 0 or 1 was expected", t->place, i);
    if (t->split_type != NULL && (!ride_value_i64_at(t->split_type, i, &type) || type < 0 || type > CATEGORICAL))
        return ride_model_finding(reader, NULL, "%s.split_type[%u]: 0 or 1 was expected", t->place, i);
    node->input = (uint32_t)input | (default_left ? RIDE_NODE_DEFAULT_LEFT : 0);
    if (type == CATEGORICAL) {
        if (t->set_of_node[i] == none)
            return ride_model_finding(reader, NULL, "%s: node %u is categorical and has no categories", t->place, i);
        node->input |= RIDE_NODE_SET;
        node->set = t->set_of_node[i];
        model->inputs[input].is_category = true;
        return RIDE_OK;
    }
    if (!ride_value_float_at(t->conditions, i, &threshold) || isnan(threshold))
        return ride_model_finding(reader, NULL, "%s.split_conditions[%u]: a test without a threshold", t->place, i);
    node->value = threshold;
    return RIDE_OK;
}

/* Breadth first from the root: every node at most once, so cycles and shared subtrees end it. */
static ride_status walk(ride_model_reader *reader, tree_arrays *t, ride_model_node *nodes) {
    ride_model *model = reader->model;
    uint32_t head = 0, tail = 0;
    t->queue[tail] = 0;
    t->depth[tail++] = 0;
    t->reached[0] = true;
    while (head < tail) {
        uint32_t i = t->queue[head], depth = t->depth[head];
        int64_t child[2];
        head++;
        if (!ride_value_i64_at(t->left, i, &child[0]) || !ride_value_i64_at(t->right, i, &child[1]))
            return ride_model_finding(reader, NULL, "%s: node %u has a child that is no number", t->place, i);
        if (child[0] == -1 && (child[1] == -1 || t->leaf_weights != NULL)) {
            RIDE_TRY(read_leaf(reader, t, i, child[1], nodes));
            model->leaves_count++;
            if (depth > model->depth_max) model->depth_max = depth;
            continue;
        }
        if (depth == RIDE_FOREST_DEPTH_MAX)
            return ride_model_finding(reader, NULL, "%s is more than %d deep", t->place, RIDE_FOREST_DEPTH_MAX);
        RIDE_TRY(read_split(reader, t, i, &nodes[i]));
        for (int side = 0; side < 2; side++) {
            if (child[side] <= 0 || child[side] >= t->nodes_count)
                return ride_model_finding(reader, NULL, "%s.%s_children[%u]: there is no node %lld", t->place,
                                          side ? "right" : "left", i, (long long)child[side]);
            if (t->reached[child[side]])
                return ride_model_finding(reader, NULL, "%s: node %lld is reached twice (a cycle, or two parents)",
                                          t->place, (long long)child[side]);
            t->reached[child[side]] = true;
            t->queue[tail] = (uint32_t)child[side];
            t->depth[tail++] = depth + 1;
        }
        nodes[i].left = (uint32_t)child[0];
        nodes[i].right = (uint32_t)child[1];
    }
    model->nodes_unreachable += t->nodes_count - tail;
    return RIDE_OK;
}

/* What is no weight (a loss of one's own may have negative second derivatives) leaves the tree without covers. */
static void read_covers(const tree_arrays *t, ride_model_node *nodes) {
    bool ok = t->hessians != NULL;
    for (uint32_t i = 0; ok && i < t->nodes_count; i++) {
        float cover;
        ok = !t->reached[i] || (ride_value_float_at(t->hessians, i, &cover) && cover >= 0.0f && isfinite(cover));
        if (ok && t->reached[i]) nodes[i].cover = cover;
    }
    for (uint32_t i = 0; !ok && i < t->nodes_count; i++) nodes[i].cover = 0.0;
}

/* Values of a leaf; 0: no number of them. */
static uint32_t leaf_size(const ride_value *tree) {
    const ride_value *size = ride_value_get(ride_value_get(tree, "tree_param"), "size_leaf_vector");
    int64_t value = 1;
    const bool ok = size == NULL                      ? true
                    : size->kind == RIDE_VALUE_STRING ? ride_text_to_i64(size->u.text, size->count, &value)
                                                      : ride_value_i64(size, &value);
    if (!ok || value < 0 || value > RIDE_FOREST_OUTPUTS_MAX) return 0;
    return value == 0 ? 1 : (uint32_t)value;
}

static ride_status read_tree(ride_model_reader *reader, const ride_value *tree, tree_arrays *t,
                             ride_model_node *nodes) {
    if (leaf_size(tree) != t->copies)
        return ride_model_finding(reader, NULL,
                                  "%s.tree_param.size_leaf_vector: leaves with %u values, those before %u", t->place,
                                  leaf_size(tree), t->copies);
    t->leaf_weights = t->copies > 1 ? ride_value_get(tree, "leaf_weights") : NULL;
    t->base_weights = ride_value_get(tree, "base_weights");
    RIDE_TRY(find_array(reader, tree, t, "right_children", false, &t->right));
    RIDE_TRY(find_array(reader, tree, t, "split_conditions", false, &t->conditions));
    RIDE_TRY(find_array(reader, tree, t, "split_indices", false, &t->indices));
    RIDE_TRY(find_array(reader, tree, t, "default_left", false, &t->default_left));
    RIDE_TRY(find_array(reader, tree, t, "split_type", true, &t->split_type));
    RIDE_TRY(find_array(reader, tree, t, "sum_hessian", true, &t->hessians));
    for (uint32_t i = 0; i < t->nodes_count; i++) {
        t->set_of_node[i] = none;
        t->reached[i] = false;
    }
    RIDE_TRY(read_sets(reader, tree, t));
    RIDE_TRY(walk(reader, t, nodes));
    read_covers(t, nodes);
    for (uint32_t k = 1; k < t->copies; k++)
        for (uint32_t i = 0; i < t->nodes_count; i++) {
            ride_model_node *copy = &nodes[k * t->nodes_count + i];
            const double value = nodes[i].input & RIDE_NODE_LEAF ? copy->value : nodes[i].value;
            *copy = nodes[i];
            copy->value = value;
        }
    return RIDE_OK;
}

/* First pass: how much there is, so that every array of the model is allocated once. */
static ride_status count_all(ride_model_reader *reader, const ride_value *trees, const char *place, uint32_t copies,
                             uint32_t *nodes_most) {
    ride_model *model = reader->model;
    uint64_t nodes = 0, sets = 0, members = 0;
    *nodes_most = 0;
    for (uint32_t i = 0; i < model->trees_in_file; i++) {
        const ride_value *tree = ride_value_at(trees, i);
        uint32_t count = ride_value_length(ride_value_get(tree, "left_children"));
        if (count == 0)
            return ride_model_finding(reader, NULL, "%s.trees[%u].left_children is missing or empty", place, i);
        if (count > *nodes_most) *nodes_most = count;
        nodes += (uint64_t)count * copies;
        sets += ride_value_length(ride_value_get(tree, "categories_nodes"));
        members += ride_value_length(ride_value_get(tree, "categories"));
    }
    if (nodes > reader->options->nodes_max)
        return ride_model_finding(reader, RIDE_RAISE, "%s.trees: %llu nodes, at most %u", place,
                                  (unsigned long long)nodes, reader->options->nodes_max);
    model->trees = ride_arena_new(model->arena, ride_model_tree, model->trees_in_file * copies);
    model->nodes = ride_model_nodes(reader, nodes);
    model->sets = ride_arena_new(model->arena, ride_model_set, sets);
    model->set_members = ride_arena_new(model->arena, uint32_t, members);
    if (model->trees == NULL || model->nodes == NULL || (sets > 0 && model->sets == NULL) ||
        (members > 0 && model->set_members == NULL))
        return ride_model_finding(reader, NULL, "no memory for %llu nodes", (unsigned long long)nodes);
    return RIDE_OK;
}

static ride_status read_head(ride_model_reader *reader, const ride_value *model_value, const ride_value *weights,
                             uint32_t i, const char *place, ride_model_tree *tree) {
    int64_t output;
    float weight = 1.0f;
    if (!ride_value_i64_at(ride_value_get(model_value, "tree_info"), i, &output) || output < 0 ||
        output >= reader->model->outputs_count)
        return ride_model_finding(reader, NULL, "%s.tree_info[%u]: no output of the model's %u", place, i,
                                  reader->model->outputs_count);
    if (weights != NULL && (!ride_value_float_at(weights, i, &weight) || !isfinite(weight)))
        return ride_model_finding(reader, NULL, "weight_drop[%u]: no finite number", i);
    tree->output = (uint32_t)output;
    tree->weight = weight;
    return RIDE_OK;
}

static ride_status read_all(ride_model_reader *reader, const ride_value *model_value, const ride_value *weights,
                            const char *place, tree_arrays *t) {
    ride_model *model = reader->model;
    const ride_value *trees = ride_value_get(model_value, "trees");
    ride_status first = RIDE_OK;
    for (uint32_t i = 0; i < model->trees_in_file; i++) {
        const ride_value *tree = ride_value_at(trees, i);
        snprintf(t->place, sizeof t->place, "%s.trees[%u]", place, i);
        if (i % TELL_TREES == 0) ride_load_tell(reader->options->watch, "reading trees", i, model->trees_in_file);
        t->left = ride_value_get(tree, "left_children");
        t->nodes_count = ride_value_length(t->left);
        ride_model_tree one = {.nodes_count = t->nodes_count};
        ride_status st = read_head(reader, model_value, weights, i, place, &one);
        if (st == RIDE_OK) st = read_tree(reader, tree, t, &model->nodes[model->nodes_count]);
        if (first == RIDE_OK) first = st;
        for (uint32_t k = 0; k < t->copies; k++, model->nodes_count += t->nodes_count) {
            one.nodes_first = model->nodes_count;
            if (t->copies > 1) one.output = k;
            model->trees[i * t->copies + k] = one;
        }
    }
    return first;
}

ride_status ride_xgboost_read_trees(ride_model_reader *reader, const ride_value *model_value, const ride_value *weights,
                                    const char *place) {
    ride_model *model = reader->model;
    const ride_value *trees = ride_value_get(model_value, "trees");
    uint32_t count = ride_value_length(trees), nodes_most;
    uint32_t infos = ride_value_length(ride_value_get(model_value, "tree_info"));
    if (count == 0) return ride_model_finding(reader, NULL, "%s.trees: no trees", place);
    if (infos != count)
        return ride_model_finding(reader, NULL, "%s.tree_info: %u entries for %u trees", place, infos, count);
    if (weights != NULL && ride_value_length(weights) != count)
        return ride_model_finding(reader, NULL, "weight_drop: %u entries for %u trees", ride_value_length(weights),
                                  count);
    tree_arrays t = {.copies = leaf_size(ride_value_at(trees, 0))};
    if (t.copies != 1 && t.copies != model->outputs_count)
        return ride_model_finding(reader, NULL, "%s.trees[0]: leaves with %u values, and the model has %u outputs",
                                  place, t.copies, model->outputs_count);
    if ((uint64_t)count * t.copies > reader->options->trees_max)
        return ride_model_finding(reader, RIDE_RAISE, "%s.trees: %llu trees, at most %u", place,
                                  (unsigned long long)count * t.copies, reader->options->trees_max);
    model->trees_in_file = count;
    model->trees_count = count * t.copies;
    RIDE_TRY(count_all(reader, trees, place, t.copies, &nodes_most));
    const size_t room = (size_t)nodes_most + 1; /* a model without trees needs none, and malloc(0) may be NULL */
    t.set_of_node = malloc(room * sizeof *t.set_of_node);
    t.queue = malloc(room * sizeof *t.queue);
    t.depth = malloc(room * sizeof *t.depth);
    t.reached = malloc(room * sizeof *t.reached);
    ride_status st = t.set_of_node != NULL && t.queue != NULL && t.depth != NULL && t.reached != NULL
                         ? read_all(reader, model_value, weights, place, &t)
                         : ride_model_finding(reader, NULL, "no memory for a tree of %u nodes", nodes_most);
    free(t.set_of_node);
    free(t.queue);
    free(t.depth);
    free(t.reached);
    return st;
}
