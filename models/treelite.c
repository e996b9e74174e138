/* models/treelite.c: a checkpoint is numbers one after the other, little-endian and without padding; a list is its length (8 bytes), then its entries.
 * First version, types and what is the same for all trees, then each tree as lists with an entry for each node.
 *
 * What the form does not say (treelite's GTIL, its reference predictor, does): a test that is true takes the left child, NaN the default one; a category is
 * the number truncated, and a negative one is in no list; sums begin at 0, have the leaves in tree order in the model's type, are divided by the number
 * of trees where the model is an average, and the base scores come last. Those are doubles: in a model of floats they are rounded first here, so such
 * a margin is the predictor's or the float beside it. */
#include "models/treelite.h"

#include "models/rules.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { UINT32 = 1, FLOAT32 = 2, FLOAT64 = 3 };     /* treelite's TypeInfo */
enum { LEAF = 0, NUMERICAL = 1, CATEGORICAL = 2 }; /* TreeNodeType */
enum {
    VERSION_BYTES = 12,
    MAJOR = 4,
    NO_CHILD = -1,
    ALL = -1,
    NAME_MAX = 40
}; /* ALL: a tree gives to each class, or target */

typedef struct list {
    const uint8_t *at;
    uint64_t count;
} list;

typedef struct cursor {
    ride_model_reader *reader;
    ride_arena *values;
    const uint8_t *at, *end;
    bool is_cut;
    uint32_t leaf_bytes; /* of a number of the model: 4 or 8 */
    int32_t targets;
    uint32_t classes; /* the most of a target */
    list target_ids, class_ids;
    uint64_t trees;
    ride_rule_weight *weights; /* of the tree under way */
    uint64_t weights_count, weights_room;
    uint32_t skipped; /* outputs before the first one that is kept: of two classes the second */
} cursor;

/* The lists of one tree. */
typedef struct tree {
    char place[32];
    uint32_t nodes_count;
    list kind, left, right, input, default_left, leaf, threshold, op, list_right, vector, vector_begin, vector_end,
        categories, categories_begin, categories_end, data_count, has_data_count, hessian, has_hessian;
} tree;

/* ---- numbers ---- */

static uint64_t bits_at(const uint8_t *at, uint32_t bytes) {
    uint64_t value = 0;
    for (uint32_t i = 0; i < bytes; i++) value |= (uint64_t)at[i] << (8 * i);
    return value;
}
static double real_at(const uint8_t *at, uint32_t bytes) {
    const uint64_t bits = bits_at(at, bytes);
    const uint32_t half = (uint32_t)bits;
    double whole;
    float single;
    memcpy(&whole, &bits, sizeof whole);
    memcpy(&single, &half, sizeof single);
    return bytes == 8 ? whole : single;
}
static int32_t i32_of(list l, uint64_t i) { return (int32_t)bits_at(l.at + 4 * i, 4); }
static uint64_t u64_of(list l, uint64_t i) { return bits_at(l.at + 8 * i, 8); }
static bool flag_of(list l, uint64_t i) { return l.at[i] != 0; }
static double real_of(const cursor *c, list l, uint64_t i) { return real_at(l.at + c->leaf_bytes * i, c->leaf_bytes); }

static const uint8_t *take(cursor *c, uint64_t bytes) {
    if (c->is_cut || bytes > (uint64_t)(c->end - c->at)) {
        c->is_cut = true;
        return NULL;
    }
    const uint8_t *at = c->at;
    c->at += bytes;
    return at;
}
static uint64_t take_bits(cursor *c, uint32_t bytes) {
    const uint8_t *at = take(c, bytes);
    return at != NULL ? bits_at(at, bytes) : 0;
}
static list take_list(cursor *c, uint32_t entry_bytes) {
    const uint64_t count = take_bits(c, 8);
    if (count > UINT32_MAX) c->is_cut = true;
    const uint8_t *at = take(c, count * entry_bytes);
    return (list){at, at != NULL ? count : 0};
}

static ride_status cut_short(const cursor *c) {
    return ride_model_finding(c->reader, "the file seems cut short", "no whole checkpoint of treelite");
}

bool ride_treelite_recognises(const void *data, size_t bytes) {
    const uint8_t *at = data;
    return bytes >= VERSION_BYTES + 2 && bits_at(at, 4) >= 1 && bits_at(at, 4) < 32 && bits_at(at + 4, 4) < 100 &&
           bits_at(at + 8, 4) < 1000 && at[VERSION_BYTES] >= UINT32 && at[VERSION_BYTES] <= FLOAT64 &&
           at[VERSION_BYTES + 1] >= UINT32 && at[VERSION_BYTES + 1] <= FLOAT64;
}

/* ---- head ---- */

typedef struct processor {
    const char *name;
    ride_forest_link of_floats, of_doubles; /* 0: not supported */
    bool has_alpha;
} processor;
static const processor processors[] = {
    {"identity", RIDE_FOREST_LINK_NONE, RIDE_FOREST_LINK_NONE, false},
    {"identity_multiclass", RIDE_FOREST_LINK_NONE, RIDE_FOREST_LINK_NONE, false},
    {"sigmoid", RIDE_FOREST_LINK_SIGMOID, RIDE_FOREST_LINK_LOGISTIC, true},
    {"multiclass_ova", RIDE_FOREST_LINK_SIGMOID, RIDE_FOREST_LINK_LOGISTIC, true},
    {"softmax", RIDE_FOREST_LINK_SOFTMAX, RIDE_FOREST_LINK_SOFTMAX, false},
    {"hinge", RIDE_FOREST_LINK_STEP, RIDE_FOREST_LINK_STEP, false},
    {"exponential", RIDE_FOREST_LINK_EXP, RIDE_FOREST_LINK_EXP, false},
    {"signed_square", 0, RIDE_FOREST_LINK_SIGNED_SQUARE, false},
    {"logarithm_one_plus_exp", 0, RIDE_FOREST_LINK_SOFTPLUS, false},
    {"exponential_standard_ratio", 0, RIDE_FOREST_LINK_ISOLATION, false},
};

static ride_status read_processor(cursor *c, list name, double alpha, double ratio) {
    ride_model *model = c->reader->model;
    const bool is_double = model->sum_number == RIDE_FOREST_F64;
    const int shown = (int)(name.count < NAME_MAX ? name.count : NAME_MAX);
    const processor *found = NULL;
    for (size_t i = 0; i < sizeof processors / sizeof *processors; i++)
        if (name.count == strlen(processors[i].name) && memcmp(name.at, processors[i].name, name.count) == 0)
            found = &processors[i];
    model->link = found == NULL ? 0 : is_double ? found->of_doubles : found->of_floats;
    if (model->link == 0 || (found->has_alpha && !is_double && alpha != 1.0))
        return ride_model_finding(c->reader, "identity, sigmoid, softmax, multiclass_ova … are",
                                  "postprocessor `%.*s` is not supported%s", shown,
                                  name.at != NULL ? (const char *)name.at : "",
                                  found != NULL ? " for floats, or with its factor" : "");
    if (model->link == RIDE_FOREST_LINK_LOGISTIC) model->link_scale = alpha;
    if (model->link == RIDE_FOREST_LINK_ISOLATION) model->link_scale = ratio;
    if (model->link_scale != 0.0 && (!isfinite(model->link_scale) || model->link_scale < 0.0))
        return ride_model_finding(c->reader, NULL, "sigmoid_alpha or ratio_c: %g", model->link_scale);
    if (model->link_scale == 0.0 &&
        (model->link == RIDE_FOREST_LINK_LOGISTIC || model->link == RIDE_FOREST_LINK_ISOLATION))
        return ride_model_finding(c->reader, NULL, "sigmoid_alpha or ratio_c: 0");
    snprintf(model->objective, sizeof model->objective, "%.*s", shown, (const char *)name.at);
    return RIDE_OK;
}

/* Outputs: classes of one target, or targets of one class. Two classes that are answered each by itself give one: the second. */
static ride_status read_outputs(cursor *c, list classes, list base_scores) {
    ride_model *model = c->reader->model;
    c->classes = 1;
    if (c->targets < 1 || c->targets > RIDE_FOREST_OUTPUTS_MAX || classes.count != (uint64_t)c->targets)
        return ride_model_finding(c->reader, NULL, "num_target: %d, and num_class has %llu entries", c->targets,
                                  (unsigned long long)classes.count);
    for (uint64_t i = 0; i < classes.count; i++) {
        const int32_t count = i32_of(classes, i);
        if (count < 1 || count > RIDE_FOREST_OUTPUTS_MAX || (count > 1 && c->targets > 1))
            return ride_model_finding(c->reader, NULL, "num_class: %d classes of %d targets are not supported", count,
                                      c->targets);
        c->classes = (uint32_t)count;
    }
    const uint32_t all = (uint32_t)c->targets * c->classes;
    if (base_scores.count != all)
        return ride_model_finding(c->reader, NULL, "base_scores: %llu for %u outputs",
                                  (unsigned long long)base_scores.count, all);
    c->skipped = c->classes == 2 && model->link != RIDE_FOREST_LINK_SOFTMAX;
    model->outputs_count = all - c->skipped;
    model->base_margins = ride_arena_new(model->arena, double, model->outputs_count);
    model->base_scores = ride_arena_new(model->arena, double, model->outputs_count);
    if (model->base_margins == NULL || model->base_scores == NULL)
        return ride_model_finding(c->reader, NULL, "no memory for %u outputs", model->outputs_count);
    for (uint32_t i = 0; i < model->outputs_count; i++) {
        const double base = real_at(base_scores.at + 8 * (size_t)(i + c->skipped), 8);
        model->base_scores[i] = base;
        model->base_margins[i] = model->sum_number == RIDE_FOREST_F32 ? (double)(float)base : base;
        if (!isfinite(model->base_margins[i])) return ride_model_finding(c->reader, NULL, "base_scores: %g", base);
        model->base_last |= model->base_margins[i] != 0.0;
    }
    return RIDE_OK;
}

/* Trees that give to an output. */
static ride_status read_average(cursor *c) {
    ride_model *model = c->reader->model;
    uint64_t count = 0;
    if (model->base_last) return ride_model_finding(c->reader, NULL, "an average with base scores is not supported");
    for (uint32_t output = c->skipped; output < model->outputs_count + c->skipped; output++) {
        uint64_t here = 0;
        const int32_t target = (int32_t)(output / c->classes), class_id = (int32_t)(output % c->classes);
        for (uint64_t t = 0; t < c->trees; t++)
            here += (i32_of(c->target_ids, t) == ALL || i32_of(c->target_ids, t) == target) &&
                    (i32_of(c->class_ids, t) == ALL || i32_of(c->class_ids, t) == class_id);
        if (output > c->skipped && here != count)
            return ride_model_finding(c->reader, NULL, "an average of another number of trees for each output");
        count = here;
    }
    if (count > 1) model->mean_of = (uint32_t)count;
    return RIDE_OK;
}

static ride_status read_types(cursor *c) {
    ride_model *model = c->reader->model;
    const uint32_t major = (uint32_t)take_bits(c, 4), minor = (uint32_t)take_bits(c, 4),
                   patch = (uint32_t)take_bits(c, 4);
    const uint32_t thresholds = (uint32_t)take_bits(c, 1), leaves = (uint32_t)take_bits(c, 1);
    snprintf(model->written_by, sizeof model->written_by, "%u.%u.%u", major, minor, patch);
    if (major != MAJOR)
        return ride_model_finding(c->reader, "load it with treelite 4 and serialize it again",
                                  "a checkpoint of treelite %s; 4 is read", model->written_by);
    if (thresholds != leaves || thresholds == UINT32)
        return ride_model_finding(c->reader, NULL, "thresholds and leaves of other types than floats or doubles");
    model->input_number = model->sum_number = thresholds == FLOAT64 ? RIDE_FOREST_F64 : RIDE_FOREST_F32;
    c->leaf_bytes = thresholds == FLOAT64 ? 8 : 4;
    return RIDE_OK;
}

static ride_status read_head(cursor *c) {
    ride_model *model = c->reader->model;
    RIDE_TRY(read_types(c));
    c->trees = take_bits(c, 8);
    const int32_t inputs = (int32_t)take_bits(c, 4);
    take(c, 1); /* task_type: what it is for; the arithmetic is told by the others */
    const bool is_average = take_bits(c, 1) != 0;
    c->targets = (int32_t)take_bits(c, 4);
    const list classes = take_list(c, 4);
    take_list(c, 4); /* leaf_vector_shape: the trees say it too */
    c->target_ids = take_list(c, 4);
    c->class_ids = take_list(c, 4);
    const list postprocessor = take_list(c, 1);
    const uint8_t *factors = take(c, 8);
    const list base_scores = take_list(c, 8);
    take_list(c, 1); /* attributes */
    const int32_t optional = (int32_t)take_bits(c, 4);
    if (c->is_cut) return cut_short(c);
    if (optional != 0) return ride_model_finding(c->reader, NULL, "%d fields of a later treelite", optional);
    if (c->trees == 0 || c->target_ids.count != c->trees || c->class_ids.count != c->trees)
        return ride_model_finding(c->reader, NULL,
                                  "num_tree: %llu, and target_id and class_id have %llu and %llu entries",
                                  (unsigned long long)c->trees, (unsigned long long)c->target_ids.count,
                                  (unsigned long long)c->class_ids.count);
    if (inputs < 1 || inputs > RIDE_FOREST_INPUTS_MAX || (uint64_t)inputs > 64 * model->file_bytes)
        return ride_model_finding(c->reader, NULL, "num_feature: %d", inputs);
    model->inputs_count = (uint32_t)inputs;
    model->inputs = ride_arena_new(model->arena, ride_model_input, model->inputs_count);
    if (model->inputs == NULL) return ride_model_finding(c->reader, NULL, "no memory for %d inputs", inputs);
    RIDE_TRY(read_processor(c, postprocessor, real_at(factors, 4), real_at(factors + 4, 4)));
    RIDE_TRY(read_outputs(c, classes, base_scores));
    return is_average ? read_average(c) : RIDE_OK;
}

/* ---- trees ---- */

static ride_status take_tree(cursor *c, uint64_t index, tree *t) {
    const int32_t count = (int32_t)take_bits(c, 4);
    take(c, 1); /* has_categorical_split */
    snprintf(t->place, sizeof t->place, "tree %llu", (unsigned long long)index);
    t->nodes_count = (uint32_t)count;
    t->kind = take_list(c, 1);
    t->left = take_list(c, 4);
    t->right = take_list(c, 4);
    t->input = take_list(c, 4);
    t->default_left = take_list(c, 1);
    t->leaf = take_list(c, c->leaf_bytes);
    t->threshold = take_list(c, c->leaf_bytes);
    t->op = take_list(c, 1);
    t->list_right = take_list(c, 1);
    t->vector = take_list(c, c->leaf_bytes);
    t->vector_begin = take_list(c, 8);
    t->vector_end = take_list(c, 8);
    t->categories = take_list(c, 4);
    t->categories_begin = take_list(c, 8);
    t->categories_end = take_list(c, 8);
    t->data_count = take_list(c, 8);
    t->has_data_count = take_list(c, 1);
    t->hessian = take_list(c, 8);
    t->has_hessian = take_list(c, 1);
    take_list(c, 8); /* gain */
    take_list(c, 1);
    const int32_t optional = (int32_t)take_bits(c, 4), optional_nodes = (int32_t)take_bits(c, 4);
    if (c->is_cut) return cut_short(c);
    const list whole[] = {t->kind,          t->left,         t->right,      t->input,
                          t->default_left,  t->leaf,         t->threshold,  t->op,
                          t->list_right,    t->vector_begin, t->vector_end, t->categories_begin,
                          t->categories_end};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (count < 1 || whole[i].count != (uint64_t)count)
            return ride_model_finding(c->reader, NULL, "%s: num_nodes is %d, and list %zu has %llu entries", t->place,
                                      count, i, (unsigned long long)whole[i].count);
    if (optional != 0 || optional_nodes != 0)
        return ride_model_finding(c->reader, NULL, "%s: fields of a later treelite", t->place);
    return RIDE_OK;
}

static ride_status bad(const cursor *c, const tree *t, uint32_t node, const char *what) {
    return ride_model_finding(c->reader, NULL, "%s: node %u: %s", t->place, node, what);
}

/* [begin, end) of a list of `count`. */
static bool range_of(list begins, list ends, uint32_t i, uint64_t count, uint64_t *begin, uint32_t *length) {
    const uint64_t end = u64_of(ends, i);
    *begin = u64_of(begins, i);
    if (*begin > end || end > count) return false;
    *length = (uint32_t)(end - *begin);
    return true;
}

/* What the leaf gives to each output; the file's order is targets, then classes. */
static ride_status read_leaf(cursor *c, const tree *t, uint64_t tree_index, uint32_t i, ride_rule_node *node) {
    const int32_t target = i32_of(c->target_ids, tree_index), class_id = i32_of(c->class_ids, tree_index);
    const uint32_t targets = target == ALL ? (uint32_t)c->targets : 1, classes = class_id == ALL ? c->classes : 1;
    uint64_t begin;
    uint32_t length;
    if (target < ALL || target >= c->targets || class_id < ALL || class_id >= (int32_t)c->classes)
        return bad(c, t, i, "target_id or class_id of the tree is none");
    if (!range_of(t->vector_begin, t->vector_end, i, t->vector.count, &begin, &length))
        return bad(c, t, i, "a leaf vector that is not there");
    if (length != targets * classes && (length != 0 || targets * classes != 1))
        return bad(c, t, i, "a leaf vector of another length than its outputs");
    if (c->weights_room - c->weights_count < (uint64_t)targets * classes + 1)
        return bad(c, t, i, "leaf vectors that overlap");
    node->rule = RIDE_RULE_LEAF;
    node->first = (uint32_t)c->weights_count;
    for (uint32_t k = 0; k < targets * classes; k++) {
        const uint32_t output = (target == ALL ? k / classes : (uint32_t)target) * c->classes +
                                (class_id == ALL ? k % classes : (uint32_t)class_id);
        if (output < c->skipped) continue;
        c->weights[c->weights_count++] =
            (ride_rule_weight){length == 0 ? real_of(c, t->leaf, i) : real_of(c, t->vector, begin + k),
                               output - c->skipped};
    }
    if (c->weights_count == node->first) /* all of it is for the class that is left out */
        c->weights[c->weights_count++] = (ride_rule_weight){0.0, 0};
    node->count = (uint32_t)c->weights_count - node->first;
    return RIDE_OK;
}

static int compare_members(const void *a, const void *b) {
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static ride_status read_set(cursor *c, const tree *t, uint32_t i, ride_rule_node *node) {
    ride_model *model = c->reader->model;
    uint64_t begin;
    uint32_t length;
    if (!range_of(t->categories_begin, t->categories_end, i, t->categories.count, &begin, &length))
        return bad(c, t, i, "a list of categories that is not there");
    ride_model_set *set = &model->sets[model->sets_count];
    uint32_t *members = &model->set_members[model->set_members_count];
    *set = (ride_model_set){.members_first = model->set_members_count};
    for (uint32_t k = 0; k < length; k++) {
        members[k] = (uint32_t)bits_at(t->categories.at + 4 * (begin + k), 4);
        if (members[k] >= RIDE_FOREST_CATEGORY_MAX) return bad(c, t, i, "a category code beyond 2^24");
    }
    qsort(members, length, sizeof *members, compare_members);
    for (uint32_t k = 0; k < length; k++)
        if (k == 0 || members[k] != members[set->members_count - 1]) members[set->members_count++] = members[k];
    model->set_members_count += set->members_count;
    node->rule = RIDE_RULE_SET;
    node->first = model->sets_count++;
    node->input |= flag_of(t->list_right, i) ? 0 : RIDE_NODE_SET_LEFT;
    model->inputs[node->input & RIDE_NODE_INPUT_MASK].is_category = true;
    return RIDE_OK;
}

static ride_status read_node(cursor *c, const tree *t, uint64_t tree_index, uint32_t i, ride_rule_node *node) {
    static const ride_rule rules[] = {RIDE_RULE_LEAF,       RIDE_RULE_EQUAL,   RIDE_RULE_LESS,
                                      RIDE_RULE_LESS_EQUAL, RIDE_RULE_GREATER, RIDE_RULE_GREATER_EQUAL};
    const int32_t left = i32_of(t->left, i), right = i32_of(t->right, i), input = i32_of(t->input, i);
    const uint8_t op = t->op.at[i];
    if (t->data_count.count == t->nodes_count && t->has_data_count.count == t->nodes_count &&
        flag_of(t->has_data_count, i))
        node->cover = (double)u64_of(t->data_count, i);
    else if (t->hessian.count == t->nodes_count && t->has_hessian.count == t->nodes_count && flag_of(t->has_hessian, i))
        node->cover = real_at(t->hessian.at + 8 * (size_t)i, 8);
    if (!(node->cover >= 0.0 && isfinite(node->cover))) return bad(c, t, i, "a count of rows that is none");
    if (left == NO_CHILD) return read_leaf(c, t, tree_index, i, node);
    if (left < 0 || right < 0) return bad(c, t, i, "a child that is not there");
    if (input < 0 || input >= (int32_t)c->reader->model->inputs_count)
        return bad(c, t, i, "split_index names no feature");
    node->input = (uint32_t)input;
    node->yes = (uint32_t)left;
    node->no = (uint32_t)right;
    node->missing_yes = flag_of(t->default_left, i);
    if (t->kind.at[i] == CATEGORICAL) return read_set(c, t, i, node);
    if (t->kind.at[i] != NUMERICAL || op == 0 || op >= sizeof rules / sizeof *rules)
        return bad(c, t, i, "a test of a kind that is not known");
    node->rule = rules[op];
    node->value = real_of(c, t->threshold, i);
    return RIDE_OK;
}

static ride_status add_tree(cursor *c, const tree *t, uint64_t index, ride_rules *rules, ride_rule_node *nodes) {
    c->weights_count = 0;
    memset(nodes, 0, t->nodes_count * sizeof *nodes);
    for (uint32_t i = 0; i < t->nodes_count; i++) RIDE_TRY(read_node(c, t, index, i, &nodes[i]));
    const ride_rule_tree out = {
        .place = t->place, .nodes = nodes, .nodes_count = t->nodes_count, .weights = c->weights, .weight = 1.0};
    return ride_rules_add(rules, &out);
}

/* Twice over the trees: how much there is, then what. */
static ride_status read_trees(cursor *c, ride_rules *rules) {
    ride_model *model = c->reader->model;
    const uint8_t *begin = c->at;
    uint64_t nodes_most = 0, sets = 0, members = 0;
    tree t;
    for (uint64_t i = 0; i < c->trees; i++) {
        RIDE_TRY(take_tree(c, i, &t));
        if (t.nodes_count > nodes_most) nodes_most = t.nodes_count;
        if (2 * (uint64_t)t.nodes_count + t.vector.count > c->weights_room)
            c->weights_room = 2 * (uint64_t)t.nodes_count + t.vector.count;
        for (uint32_t n = 0; n < t.nodes_count; n++) {
            uint64_t first;
            uint32_t length = 0;
            if (i32_of(t.left, n) == NO_CHILD || t.kind.at[n] != CATEGORICAL) continue;
            if (!range_of(t.categories_begin, t.categories_end, n, t.categories.count, &first, &length))
                return bad(c, &t, n, "a list of categories that is not there");
            sets++;
            members += length;
        }
    }
    if (c->at != c->end) return ride_model_finding(c->reader, NULL, "bytes behind the last tree");
    if (members > c->reader->model->file_bytes)
        return ride_model_finding(c->reader, NULL, "lists of categories that overlap");
    ride_rule_node *nodes = ride_arena_new(c->values, ride_rule_node, nodes_most);
    c->weights = ride_arena_new(c->values, ride_rule_weight, c->weights_room);
    model->sets = ride_arena_new(model->arena, ride_model_set, sets + 1);
    model->set_members = ride_arena_new(model->arena, uint32_t, members + 1);
    if (nodes == NULL || c->weights == NULL || model->sets == NULL || model->set_members == NULL)
        return ride_model_finding(c->reader, NULL, "no memory for %llu nodes", (unsigned long long)nodes_most);
    c->at = begin;
    for (uint64_t i = 0; i < c->trees; i++) {
        RIDE_TRY(take_tree(c, i, &t));
        RIDE_TRY(add_tree(c, &t, i, rules, nodes));
    }
    return ride_rules_finish(rules);
}

ride_status ride_treelite_read(ride_model_reader *reader, const void *data, size_t bytes, ride_arena *values) {
    ride_model *model = reader->model;
    ride_rules *rules = NULL;
    cursor c = {.reader = reader, .values = values, .at = data, .end = (const uint8_t *)data + bytes};
    snprintf(model->format, sizeof model->format, "treelite");
    snprintf(model->encoding, sizeof model->encoding, "checkpoint");
    snprintf(model->booster, sizeof model->booster, "trees");
    if (reader->options->best_iteration)
        return ride_model_finding(reader, "import the iterations that are wanted",
                                  "a checkpoint does not say which iteration was the best");
    ride_status st = read_head(&c);
    if (st == RIDE_OK) st = ride_rules_create(reader, &rules);
    if (st == RIDE_OK) st = read_trees(&c, rules);
    ride_rules_destroy(rules);
    return st == RIDE_OK ? ride_diagnostics_status(reader->findings) : st;
}
