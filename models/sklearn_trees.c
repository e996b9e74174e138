/* models/sklearn_trees.c: the trees of scikit-learn's models: lists with one entry per node; a leaf has left = right = -1.
 *
 * A tree of a forest may serve several outputs, with so many values in each node: it becomes one tree for each. A test `x <= threshold` of a
 * float is `x < the least float above the threshold`, of a double `x < the next double`. */
#include "models/sklearn.h"
#include "models/tree.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct tree_lists {
    char place[32];
    const ride_value *tree, *left, *right, *feature, *threshold, *missing_left, *cover, *value, *samples, *set,
        *set_left;
    uint32_t nodes_count;
    uint32_t sets_first, sets_count; /* in the model's */
} tree_lists;

typedef struct reading {
    ride_model_reader *reader;
    sklearn_trees kind;
    uint32_t copies;   /* trees of the model for each of the file */
    uint32_t features; /* that a test may name: what the steps give */
    double weight;
    ride_model_walk walk;
} reading;

static ride_status find_list(reading *r, tree_lists *t, const char *key, bool optional, uint64_t each,
                             const ride_value **out) {
    *out = ride_value_get(t->tree, key);
    if (optional && *out == NULL) return RIDE_OK;
    if (ride_value_length(*out) == t->nodes_count * each) return RIDE_OK;
    return ride_model_finding(r->reader, NULL, "%s.%s: %u entries for %u nodes", t->place, key, ride_value_length(*out),
                              t->nodes_count);
}

/* Members ascend in the file, so that equal ones and order need no sort. */
static ride_status read_sets(reading *r, tree_lists *t) {
    ride_model *model = r->reader->model;
    const ride_value *sets = ride_value_get(t->tree, "sets");
    t->sets_first = model->sets_count;
    t->sets_count = r->kind == SKLEARN_HIST ? ride_value_length(sets) : 0;
    for (uint32_t k = 0; k < t->sets_count; k++) {
        const ride_value *members = ride_value_at(sets, k);
        ride_model_set *set = &model->sets[model->sets_count++];
        *set = (ride_model_set){.members_first = model->set_members_count, .members_count = ride_value_length(members)};
        for (int64_t i = 0, last = -1, code; i < set->members_count; i++, last = code) {
            if (!ride_value_i64_at(members, (uint32_t)i, &code) || code <= last || code >= RIDE_FOREST_CATEGORY_MAX)
                return ride_model_finding(r->reader, NULL, "%s.sets[%u]: ascending codes below %d were expected",
                                          t->place, k, RIDE_FOREST_CATEGORY_MAX);
            model->set_members[model->set_members_count++] = (uint32_t)code;
        }
    }
    return RIDE_OK;
}

static float least_float_above(double x) {
    float f = (float)x;
    return (double)f <= x ? nextafterf(f, INFINITY) : f;
}

static bool flag_at(const ride_value *list, uint32_t i, int64_t *out) {
    *out = 0;
    return list == NULL || (ride_value_i64_at(list, i, out) && (*out == 0 || *out == 1));
}

static ride_status read_test(reading *r, tree_lists *t, uint32_t i, ride_model_node *node) {
    ride_model *model = r->reader->model;
    int64_t feature, missing_left, set = -1, set_left;
    double threshold;
    if (!ride_value_i64_at(t->feature, i, &feature) || feature < 0 || feature >= r->features)
        return ride_model_finding(r->reader, NULL, "%s.feature[%u]: none of the %u", t->place, i, r->features);
    if (!flag_at(t->missing_left, i, &missing_left))
        return ride_model_finding(r->reader, NULL, "%s.missing_left[%u]: 0 or 1 was expected", t->place, i);
    if (t->set != NULL && (!ride_value_i64_at(t->set, i, &set) || set < -1 || set >= t->sets_count))
        return ride_model_finding(r->reader, NULL, "%s.set[%u]: none of the %u sets", t->place, i, t->sets_count);
    node->input = (uint32_t)feature | (missing_left ? RIDE_NODE_DEFAULT_LEFT : 0);
    if (set >= 0) {
        if (!flag_at(t->set_left, i, &set_left))
            return ride_model_finding(r->reader, NULL, "%s.set_left[%u]: 0 or 1 was expected", t->place, i);
        node->input |= RIDE_NODE_SET | (set_left ? RIDE_NODE_SET_LEFT : 0);
        node->set = t->sets_first + (uint32_t)set;
        if (model->steps_count == 0) model->inputs[feature].is_category = true;
        return RIDE_OK;
    }
    if (!ride_value_double_at(t->threshold, i, &threshold) || isnan(threshold))
        return ride_model_finding(r->reader, NULL, "%s.threshold[%u]: a number was expected", t->place, i);
    if (threshold == (double)INFINITY) node->input |= RIDE_NODE_ONLY_MISSING; /* infinity itself goes left */
    node->value =
        model->input_number == RIDE_FOREST_F32 ? (double)least_float_above(threshold) : nextafter(threshold, INFINITY);
    return RIDE_OK;
}

static ride_status read_node(reading *r, tree_lists *t, uint32_t i, ride_model_node *node) {
    int64_t left, right;
    if (!ride_value_i64_at(t->left, i, &left) || !ride_value_i64_at(t->right, i, &right) || left < -1 || right < -1 ||
        left >= t->nodes_count || right >= t->nodes_count || (left < 0) != (right < 0))
        return ride_model_finding(r->reader, NULL, "%s: node %u has a child that is not there", t->place, i);
    if (t->cover != NULL &&
        (!ride_value_double_at(t->cover, i, &node->cover) || !isfinite(node->cover) || node->cover < 0.0))
        return ride_model_finding(r->reader, NULL, "%s.cover[%u]: a number from 0 was expected", t->place, i);
    if (left < 0) {
        node->input = RIDE_NODE_LEAF;
        return RIDE_OK;
    }
    node->left = (uint32_t)left;
    node->right = (uint32_t)right;
    return read_test(r, t, i, node);
}

/* The fixed-point path length of an isolation tree's leaf: edges to it, and those that its samples would have needed. */
static ride_status read_path(reading *r, tree_lists *t, uint32_t i, double *out) {
    int64_t samples;
    if (!ride_value_i64_at(t->samples, i, &samples) || samples < 0 || samples > INT32_MAX)
        return ride_model_finding(r->reader, NULL, "%s.samples[%u]: a number of rows was expected", t->place, i);
    *out = nearbyint(((double)r->walk.depth[i] + ride_sklearn_path_length((double)samples)) * r->weight);
    return RIDE_OK;
}

static ride_status read_leaves(reading *r, tree_lists *t, ride_model_node *nodes) {
    for (uint32_t i = 0; i < t->nodes_count; i++) {
        if ((nodes[i].input & RIDE_NODE_LEAF) == 0 || r->walk.depth[i] == ride_model_walk_none) continue;
        if (r->kind == SKLEARN_ISOLATION) {
            RIDE_TRY(read_path(r, t, i, &nodes[i].value));
            continue;
        }
        for (uint32_t k = 0; k < r->copies; k++) {
            double *value = &nodes[k * t->nodes_count + i].value;
            if (!ride_value_double_at(t->value, i * r->copies + k, value) || !isfinite(*value))
                return ride_model_finding(r->reader, NULL, "%s.value[%u]: a finite number was expected", t->place,
                                          i * r->copies + k);
        }
    }
    return RIDE_OK;
}

static ride_status find_lists(reading *r, tree_lists *t) {
    RIDE_TRY(find_list(r, t, "right", false, 1, &t->right));
    RIDE_TRY(find_list(r, t, "feature", false, 1, &t->feature));
    RIDE_TRY(find_list(r, t, "threshold", false, 1, &t->threshold));
    RIDE_TRY(find_list(r, t, "missing_left", true, 1, &t->missing_left));
    RIDE_TRY(find_list(r, t, "cover", true, 1, &t->cover));
    if (r->kind == SKLEARN_ISOLATION) return find_list(r, t, "samples", false, 1, &t->samples);
    RIDE_TRY(find_list(r, t, "value", false, r->copies, &t->value));
    if (r->kind != SKLEARN_HIST) return RIDE_OK;
    RIDE_TRY(find_list(r, t, "set", true, 1, &t->set));
    return find_list(r, t, "set_left", t->set == NULL, 1, &t->set_left);
}

static ride_status read_tree(reading *r, tree_lists *t, ride_model_node *nodes) {
    RIDE_TRY(find_lists(r, t));
    RIDE_TRY(read_sets(r, t));
    for (uint32_t i = 0; i < t->nodes_count; i++) RIDE_TRY(read_node(r, t, i, &nodes[i]));
    RIDE_TRY(ride_model_walk_tree(r->reader, t->place, nodes, t->nodes_count, &r->walk));
    for (uint32_t k = 1; k < r->copies; k++) memcpy(nodes + k * t->nodes_count, nodes, t->nodes_count * sizeof *nodes);
    return read_leaves(r, t, nodes);
}

/* First pass: how much there is, so that every array of the model is allocated once. */
static ride_status count_all(reading *r, const ride_value *trees, uint32_t count, uint32_t *nodes_most) {
    ride_model *model = r->reader->model;
    uint64_t nodes = 0, sets = 0, members = 0;
    *nodes_most = 0;
    for (uint32_t i = 0; i < count; i++) {
        const ride_value *tree = ride_value_at(trees, i), *lists = ride_value_get(tree, "sets");
        const uint32_t length = ride_value_length(ride_value_get(tree, "left"));
        if (length == 0) return ride_model_finding(r->reader, NULL, "trees[%u].left is missing or empty", i);
        if (length > *nodes_most) *nodes_most = length;
        nodes += (uint64_t)length * r->copies;
        sets += ride_value_length(lists);
        for (uint32_t k = 0; k < ride_value_length(lists); k++) members += ride_value_length(ride_value_at(lists, k));
    }
    if (nodes > r->reader->options->nodes_max)
        return ride_model_finding(r->reader, RIDE_RAISE, "trees: %llu nodes, at most %u", (unsigned long long)nodes,
                                  r->reader->options->nodes_max);
    model->trees = ride_arena_new(model->arena, ride_model_tree, model->trees_count);
    model->nodes = ride_model_nodes(r->reader, nodes);
    model->sets = ride_arena_new(model->arena, ride_model_set, sets + 1);
    model->set_members = ride_arena_new(model->arena, uint32_t, members + 1);
    if (model->trees == NULL || model->nodes == NULL || model->sets == NULL || model->set_members == NULL)
        return ride_model_finding(r->reader, NULL, "trees: no memory for %llu nodes", (unsigned long long)nodes);
    return RIDE_OK;
}

static ride_status read_all(reading *r, const ride_value *trees, uint32_t count) {
    ride_model *model = r->reader->model;
    for (uint32_t i = 0; i < count; i++) {
        tree_lists t = {.tree = ride_value_at(trees, i)};
        uint32_t output = 0;
        snprintf(t.place, sizeof t.place, "trees[%u]", i);
        t.left = ride_value_get(t.tree, "left");
        t.nodes_count = ride_value_length(t.left);
        if (r->copies == 1 && (r->kind == SKLEARN_BOOSTING || r->kind == SKLEARN_HIST))
            RIDE_TRY(ride_sklearn_count(r->reader, t.tree, "output", 0, 0, (int64_t)model->outputs_count - 1, &output));
        ride_model_node *nodes = &model->nodes[model->nodes_count];
        RIDE_TRY(read_tree(r, &t, nodes));
        for (uint32_t k = 0; k < r->copies; k++) {
            model->trees[i * r->copies + k] = (ride_model_tree){
                .nodes_first = model->nodes_count,
                .nodes_count = t.nodes_count,
                .output = output + k,
                .weight = r->kind == SKLEARN_BOOSTING ? r->weight : 1.0,
            };
            model->nodes_count += t.nodes_count;
        }
    }
    return RIDE_OK;
}

ride_status ride_sklearn_read_trees(ride_model_reader *reader, const ride_value *member, sklearn_trees kind,
                                    double weight) {
    ride_model *model = reader->model;
    const ride_value *trees = ride_value_get(member, "trees");
    const uint32_t count = ride_value_length(trees);
    reading r = {.reader = reader, .kind = kind, .weight = weight, .copies = 1, .features = model->inputs_count};
    uint32_t nodes_most;
    if (kind == SKLEARN_FOREST) r.copies = model->outputs_count;
    if (model->steps_count > 0) r.features = model->steps[model->steps_count - 1].outputs;
    if (count == 0) return ride_model_finding(reader, NULL, "trees: none");
    if ((uint64_t)count * r.copies > reader->options->trees_max)
        return ride_model_finding(reader, RIDE_RAISE, "trees: %llu, at most %u", (unsigned long long)count * r.copies,
                                  reader->options->trees_max);
    model->trees_in_file = count;
    model->trees_count = count * r.copies;
    RIDE_TRY(count_all(&r, trees, count, &nodes_most));
    ride_status st = ride_model_walk_create(reader, nodes_most, &r.walk);
    if (st == RIDE_OK) st = read_all(&r, trees, count);
    ride_model_walk_destroy(&r.walk);
    return st;
}
