/* models/catboost.c: CatBoost's JSON (save_model with format="json"). Borders are floats and leaves doubles, written so that they read back. */
#include "models/catboost.h"
#include "models/tree.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* One float feature, by its index among them. */
typedef struct float_feature {
    uint32_t input;
    bool is_there, nan_right;
} float_feature;

typedef struct json_reading {
    catboost c;
    const ride_value *document, *floats, *categories;
    float_feature *features; /* float features */
    uint32_t features_count;
    uint32_t *inputs_of_categories; /* flat index by index among the categorical; UINT32_MAX = none */
    ride_model_walk walk;
    char place[32];
} json_reading;

bool ride_catboost_recognises(const ride_value *document) {
    return ride_value_get(document, "oblivious_trees") != NULL ||
           (ride_value_get(document, "trees") != NULL && ride_value_get(document, "features_info") != NULL);
}

static ride_status read_index(json_reading *r, const ride_value *object, const char *place, const char *key,
                              uint32_t *out) {
    int64_t value;
    *out = 0;
    if (!ride_value_i64(ride_value_get(object, key), &value) || value < 0 || value >= RIDE_FOREST_INPUTS_MAX)
        return ride_model_finding(r->c.reader, NULL, "%s.%s: an index was expected", place, key);
    *out = (uint32_t)value;
    return RIDE_OK;
}

/* ---- features ---- */

/* How many inputs there are: the flat indexes count all features. They are all in the file, so its size bounds them. */
static ride_status count_inputs(json_reading *r, uint32_t *inputs) {
    static const char *const kinds[] = {"float_features", "categorical_features"};
    uint32_t all = 0, index;
    *inputs = 0;
    for (int k = 0; k < 2; k++) {
        const ride_value *list = k == 0 ? r->floats : r->categories;
        for (uint32_t i = 0; i < ride_value_length(list); i++, all++) {
            char place[64];
            snprintf(place, sizeof place, "features_info.%s[%u]", kinds[k], i);
            RIDE_TRY(read_index(r, ride_value_at(list, i), place, "flat_feature_index", &index));
            if (index >= *inputs) *inputs = index + 1;
            RIDE_TRY(read_index(r, ride_value_at(list, i), place, "feature_index", &index));
        }
    }
    if (*inputs > all + 1024) /* some may be left out, not nearly all */
        return ride_model_finding(r->c.reader, NULL, "features_info: %u features, the greatest has index %u", all,
                                  *inputs - 1);
    return RIDE_OK;
}

static ride_status name_input(json_reading *r, const ride_value *feature, uint32_t input) {
    const ride_value *name = ride_value_get(feature, "feature_name");
    if (name == NULL) name = ride_value_get(feature, "feature_id");
    if (r->c.reader->model->inputs[input].name != NULL)
        return ride_model_finding(r->c.reader, NULL, "features_info: flat_feature_index %u twice", input);
    return name == NULL || name->kind != RIDE_VALUE_STRING
               ? RIDE_OK
               : ride_catboost_name(&r->c, input, name->u.text, name->count);
}

static ride_status read_floats(json_reading *r) {
    for (uint32_t i = 0; i < ride_value_length(r->floats); i++) {
        const ride_value *feature = ride_value_at(r->floats, i), *nan = ride_value_get(feature, "nan_value_treatment");
        uint32_t index, input;
        int64_t has_nans = 0;
        RIDE_TRY(read_index(r, feature, "features_info.float_features", "feature_index", &index));
        RIDE_TRY(read_index(r, feature, "features_info.float_features", "flat_feature_index", &input));
        if (index >= r->features_count || r->features[index].is_there)
            return ride_model_finding(r->c.reader, NULL, "features_info.float_features[%u]: feature_index %u", i,
                                      index);
        ride_value_i64(ride_value_get(feature, "has_nans"), &has_nans);
        r->features[index] = (float_feature){.input = input,
                                             .is_there = true,
                                             .nan_right = has_nans == 1 && ride_value_is(nan, "AsTrue")};
        RIDE_TRY(name_input(r, feature, input));
    }
    return RIDE_OK;
}

static ride_status read_categories(json_reading *r) {
    const uint32_t count = ride_value_length(r->categories);
    for (uint32_t i = 0; i < count; i++) r->inputs_of_categories[i] = UINT32_MAX;
    for (uint32_t i = 0; i < count; i++) {
        const ride_value *feature = ride_value_at(r->categories, i), *values = ride_value_get(feature, "values");
        uint32_t index, input;
        RIDE_TRY(read_index(r, feature, "features_info.categorical_features", "feature_index", &index));
        RIDE_TRY(read_index(r, feature, "features_info.categorical_features", "flat_feature_index", &input));
        if (index >= count || r->inputs_of_categories[index] != UINT32_MAX)
            return ride_model_finding(r->c.reader, NULL, "features_info.categorical_features[%u]: feature_index %u", i,
                                      index);
        r->inputs_of_categories[index] = input;
        RIDE_TRY(name_input(r, feature, input));
        r->c.reader->model->inputs[input].is_category = true;
        for (uint32_t k = 0; k < ride_value_length(values); k++) {
            int64_t hash;
            if (!ride_value_i64_at(values, k, &hash) || hash < INT32_MIN || hash > UINT32_MAX)
                return ride_model_finding(r->c.reader, NULL,
                                          "features_info.categorical_features[%u].values[%u]: a hash was expected", i,
                                          k);
            r->c.values[r->c.values_count++] = (catboost_value){.hash = (int32_t)(uint32_t)hash, .input = input};
        }
    }
    return RIDE_OK;
}

static ride_status read_texts(json_reading *r, const ride_value *list) {
    for (uint32_t i = 0; i < ride_value_length(list); i++) {
        const ride_value *entry = ride_value_at(list, i), *text = ride_value_get(entry, "value");
        int64_t hash;
        if (!ride_value_i64(ride_value_get(entry, "hash"), &hash) || hash < INT32_MIN || hash > UINT32_MAX ||
            text == NULL || text->kind != RIDE_VALUE_STRING)
            return ride_model_finding(r->c.reader, NULL,
                                      "features_info.cat_features_hash[%u]: a hash and a string were expected", i);
        r->c.texts[r->c.texts_count++] =
            (catboost_text){.hash = (int32_t)(uint32_t)hash, .bytes = text->count, .at = text->u.text};
    }
    return RIDE_OK;
}

static ride_status read_features(json_reading *r) {
    const ride_value *info = ride_value_get(r->document, "features_info"),
                     *texts = ride_value_get(info, "cat_features_hash");
    static const char *const refused[][2] = {
        {"ctrs", "statistics of categories (CTR): train with one_hot_max_size above the number of categories, or "
                 "without cat_features"},
        {"text_features", "text features: leave them out"},
        {"embedding_features", "embeddings: leave them out"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (ride_value_length(ride_value_get(info, refused[i][0])) > 0)
            return ride_model_finding(r->c.reader, NULL, "features_info.%s: not supported are %s", refused[i][0],
                                      refused[i][1]);
    uint32_t values = 0;
    for (uint32_t i = 0; i < ride_value_length(r->categories); i++)
        values += ride_value_length(ride_value_get(ride_value_at(r->categories, i), "values"));
    r->features_count = r->c.reader->model->inputs_count; /* an index among the float features is below it */
    r->features = calloc(r->features_count, sizeof *r->features);
    r->inputs_of_categories = malloc(((size_t)ride_value_length(r->categories) + 1) * sizeof *r->inputs_of_categories);
    r->c.values = malloc(((size_t)values + 1) * sizeof *r->c.values);
    r->c.texts = malloc(((size_t)ride_value_length(texts) + 1) * sizeof *r->c.texts);
    if (r->features == NULL || r->inputs_of_categories == NULL || r->c.values == NULL || r->c.texts == NULL)
        return ride_model_finding(r->c.reader, NULL, "features_info: no memory");
    RIDE_TRY(read_floats(r));
    RIDE_TRY(read_categories(r));
    RIDE_TRY(ride_catboost_names(&r->c));
    RIDE_TRY(read_texts(r, texts));
    return ride_catboost_codes(&r->c);
}

/* ---- trees ---- */

static ride_status read_test(json_reading *r, const ride_value *split, ride_model_node *out) {
    const ride_value *type = ride_value_get(split, "split_type");
    uint32_t index;
    if (ride_value_is(type, "FloatFeature")) {
        float border;
        RIDE_TRY(read_index(r, split, r->place, "float_feature_index", &index));
        if (index >= r->features_count || !r->features[index].is_there)
            return ride_model_finding(r->c.reader, NULL, "%s: there is no float feature %u", r->place, index);
        if (!ride_value_float(ride_value_get(split, "border"), &border))
            return ride_model_finding(r->c.reader, NULL, "%s.border: a number was expected", r->place);
        return ride_catboost_float_test(&r->c, r->place, r->features[index].input, border, r->features[index].nan_right,
                                        out);
    }
    if (ride_value_is(type, "OneHotFeature")) {
        int64_t hash;
        RIDE_TRY(read_index(r, split, r->place, "cat_feature_index", &index));
        if (index >= ride_value_length(r->categories))
            return ride_model_finding(r->c.reader, NULL, "%s: there is no categorical feature %u", r->place, index);
        if (!ride_value_i64(ride_value_get(split, "value"), &hash) || hash < INT32_MIN || hash > UINT32_MAX)
            return ride_model_finding(r->c.reader, NULL, "%s.value: a hash was expected", r->place);
        return ride_catboost_value_test(&r->c, r->place, r->inputs_of_categories[index], (int32_t)(uint32_t)hash, out);
    }
    if (type == NULL || type->kind != RIDE_VALUE_STRING)
        return ride_model_finding(r->c.reader, NULL, "%s.split_type: a string was expected", r->place);
    return ride_model_finding(r->c.reader, "FloatFeature and OneHotFeature are",
                              "%s.split_type: `%.*s` is not supported", r->place,
                              (int)(type->count < 60 ? type->count : 60), type->u.text);
}

static ride_status read_oblivious(json_reading *r, const ride_value *tree, double *numbers) {
    const ride_value *splits = ride_value_get(tree, "splits"), *leaves = ride_value_get(tree, "leaf_values"),
                     *weights = ride_value_get(tree, "leaf_weights");
    ride_model_node tests[CATBOOST_DEPTH_MAX];
    const uint32_t depth = ride_value_length(splits), count = (1u << depth) * r->c.dimension;
    if (ride_value_length(weights) != 1u << depth) weights = NULL;
    for (uint32_t i = 0; i < depth; i++) RIDE_TRY(read_test(r, ride_value_at(splits, i), &tests[i]));
    for (uint32_t i = 0; i < count; i++)
        if (!ride_value_double_at(leaves, i, &numbers[i]))
            return ride_model_finding(r->c.reader, NULL, "%s.leaf_values[%u]: a number was expected", r->place, i);
    for (uint32_t i = 0; weights != NULL && i < 1u << depth; i++)
        if (!ride_value_double_at(weights, i, &numbers[count + i]))
            return ride_model_finding(r->c.reader, NULL, "%s.leaf_weights[%u]: a number was expected", r->place, i);
    return ride_catboost_oblivious(&r->c, tests, depth, numbers, weights != NULL ? numbers + count : NULL);
}

static ride_status read_oblivious_trees(json_reading *r, const ride_value *trees) {
    const uint32_t count = ride_value_length(trees);
    uint64_t nodes = 0, most = 0;
    for (uint32_t i = 0; i < count; i++) {
        const ride_value *tree = ride_value_at(trees, i);
        const uint32_t depth = ride_value_length(ride_value_get(tree, "splits")),
                       leaves = ride_value_length(ride_value_get(tree, "leaf_values"));
        if (depth > CATBOOST_DEPTH_MAX || leaves != (uint64_t)r->c.dimension << depth)
            return ride_model_finding(r->c.reader, NULL, "oblivious_trees[%u]: %u tests and %u values", i, depth,
                                      leaves);
        nodes += (2u << depth) - 1;
        if ((uint64_t)leaves + (1u << depth) > most) most = (uint64_t)leaves + (1u << depth);
    }
    RIDE_TRY(ride_catboost_reserve(&r->c, count, nodes));
    double *numbers = malloc(most * sizeof *numbers);
    if (numbers == NULL) return ride_model_finding(r->c.reader, NULL, "no memory for a tree");
    ride_status st = RIDE_OK;
    for (uint32_t i = 0; i < count && st == RIDE_OK; i++) {
        snprintf(r->place, sizeof r->place, "oblivious_trees[%u]", i);
        st = read_oblivious(r, ride_value_at(trees, i), numbers);
    }
    free(numbers);
    return st;
}

/* ---- trees of any form: {"split", "left", "right"} or {"value", "weight"} ---- */

static uint64_t count_nodes(const ride_value *node) {
    if (ride_value_get(node, "split") == NULL) return 1;
    return 1 + count_nodes(ride_value_get(node, "left")) + count_nodes(ride_value_get(node, "right"));
}

/* A leaf's values: a number, or a list of them. */
static uint32_t values_of(const ride_value *value) {
    double number;
    return ride_value_double(value, &number) ? 1 : ride_value_length(value);
}

/* Nodes are numbered as they are met; a document's depth bounds the recursion. nodes: of output 0, the others `count` further on. */
static ride_status read_node(json_reading *r, const ride_value *value, ride_model_node *nodes, uint32_t count,
                             uint32_t *next) {
    const uint32_t at = (*next)++;
    const ride_value *split = ride_value_get(value, "split"), *leaf = ride_value_get(value, "value");
    ride_model_node *node = &nodes[at];
    if (split != NULL) {
        RIDE_TRY(read_test(r, split, node));
        node->left = *next;
        RIDE_TRY(read_node(r, ride_value_get(value, "left"), nodes, count, next));
        node->right = *next;
        RIDE_TRY(read_node(r, ride_value_get(value, "right"), nodes, count, next));
        node->cover = nodes[node->left].cover + nodes[node->right].cover;
        for (uint32_t k = 1; k < r->c.dimension; k++) nodes[k * count + at] = *node;
        return RIDE_OK;
    }
    double weight = 0.0;
    ride_value_double(ride_value_get(value, "weight"), &weight);
    if (values_of(leaf) != r->c.dimension)
        return ride_model_finding(r->c.reader, NULL, "%s: a leaf with %u values", r->place, values_of(leaf));
    for (uint32_t k = 0; k < r->c.dimension; k++) {
        ride_model_node *to = &nodes[k * count + at];
        *to = (ride_model_node){.input = RIDE_NODE_LEAF, .cover = weight};
        if (!(ride_value_length(leaf) > 0 ? ride_value_double_at(leaf, k, &to->value)
                                          : ride_value_double(leaf, &to->value)) ||
            !isfinite(to->value) || !isfinite(weight) || weight < 0.0)
            return ride_model_finding(r->c.reader, NULL, "%s: a leaf without a finite value", r->place);
    }
    return RIDE_OK;
}

static ride_status read_trees(json_reading *r, const ride_value *trees) {
    ride_model *model = r->c.reader->model;
    const uint32_t count = ride_value_length(trees);
    uint64_t nodes = 0, most = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t one = count_nodes(ride_value_at(trees, i));
        nodes += one;
        if (one > most) most = one;
    }
    RIDE_TRY(ride_catboost_reserve(&r->c, count, nodes));
    RIDE_TRY(ride_model_walk_create(r->c.reader, (uint32_t)most, &r->walk));
    for (uint32_t i = 0; i < count; i++) {
        const ride_value *tree = ride_value_at(trees, i);
        const uint32_t size = (uint32_t)count_nodes(tree);
        uint32_t next = 0;
        snprintf(r->place, sizeof r->place, "trees[%u]", i);
        ride_model_node *first = &model->nodes[model->nodes_count];
        RIDE_TRY(read_node(r, tree, first, size, &next));
        for (uint32_t k = 0; k < r->c.dimension; k++)
            RIDE_TRY(ride_model_walk_tree(r->c.reader, r->place, first + k * size, size, &r->walk));
        ride_catboost_add_tree(&r->c, size);
    }
    return RIDE_OK;
}

/* ---- all ---- */

/* Values of a leaf, as the first tree says. */
static uint32_t find_dimension(const ride_value *oblivious, const ride_value *trees) {
    if (ride_value_length(oblivious) > 0) {
        const ride_value *tree = ride_value_at(oblivious, 0);
        const uint32_t depth = ride_value_length(ride_value_get(tree, "splits"));
        return depth <= CATBOOST_DEPTH_MAX ? ride_value_length(ride_value_get(tree, "leaf_values")) >> depth : 0;
    }
    const ride_value *node = ride_value_at(trees, 0);
    while (ride_value_get(node, "split") != NULL) node = ride_value_get(node, "left");
    return values_of(ride_value_get(node, "value"));
}

static ride_status read_bias(json_reading *r) {
    const ride_value *pair = ride_value_get(r->document, "scale_and_bias"), *biases = ride_value_at(pair, 1);
    const uint32_t count = ride_value_length(biases);
    double scale = 1.0, bias[RIDE_FOREST_OUTPUTS_MAX];
    if (pair == NULL) return RIDE_OK;
    if (ride_value_length(pair) != 2 || !ride_value_double_at(pair, 0, &scale) || count > RIDE_FOREST_OUTPUTS_MAX)
        return ride_model_finding(r->c.reader, NULL, "scale_and_bias: a scale and biases were expected");
    if (ride_value_double(biases, &bias[0])) return ride_catboost_bias(&r->c, scale, bias, 1);
    for (uint32_t i = 0; i < count; i++)
        if (!ride_value_double_at(biases, i, &bias[i]))
            return ride_model_finding(r->c.reader, NULL, "scale_and_bias[1][%u]: a number was expected", i);
    return ride_catboost_bias(&r->c, scale, bias, count);
}

static ride_status read_all(json_reading *r) {
    const ride_value *info = ride_value_get(r->document, "model_info"),
                     *loss = ride_value_get(ride_value_get(ride_value_get(info, "params"), "loss_function"), "type");
    const ride_value *oblivious = ride_value_get(r->document, "oblivious_trees"),
                     *trees = ride_value_get(r->document, "trees");
    ride_model *model = r->c.reader->model;
    uint32_t inputs;
    r->floats = ride_value_get(ride_value_get(r->document, "features_info"), "float_features");
    r->categories = ride_value_get(ride_value_get(r->document, "features_info"), "categorical_features");
    RIDE_TRY(count_inputs(r, &inputs));
    RIDE_TRY(ride_catboost_begin(&r->c, inputs, find_dimension(oblivious, trees)));
    snprintf(model->booster, sizeof model->booster, "%s", oblivious != NULL ? "oblivious" : "trees");
    const bool has_loss = loss != NULL && loss->kind == RIDE_VALUE_STRING;
    RIDE_TRY(ride_catboost_loss(&r->c, has_loss ? loss->u.text : "", has_loss ? loss->count : 0));
    RIDE_TRY(read_bias(r));
    RIDE_TRY(read_features(r));
    return oblivious != NULL ? read_oblivious_trees(r, oblivious) : read_trees(r, trees);
}

ride_status ride_catboost_read(ride_model_reader *reader, const ride_value *document) {
    json_reading r = {.c.reader = reader, .document = document};
    ride_status st = read_all(&r);
    free(r.features);
    free(r.inputs_of_categories);
    free(r.c.values);
    free(r.c.texts);
    ride_model_walk_destroy(&r.walk);
    return st == RIDE_OK ? ride_diagnostics_status(reader->findings) : st;
}
