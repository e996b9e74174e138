/* models/catboost_cbm.c: CatBoost's own binary form: "CBM1", the size of its core, the core (a flatbuffer), then parts that only statistics of
 * categories and texts need. Field numbers are those of CatBoost's schema (model.fbs, features.fbs), which only grows.
 *
 * A test is a number that counts borders of all float features in their order, then values of all one-hot features. A tree that is not
 * oblivious is a list of nodes, each with the way to its left and right child; where one of the two is 0, the node itself is that leaf. */
#include "models/catboost.h"
#include "models/flatbuffer.h"
#include "models/tree.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum core_field { CORE_TREES = 1, CORE_INFO = 2 };
enum trees_field {
    TREES_DIMENSION = 0,
    TREES_SPLITS,
    TREES_SIZES,
    TREES_STARTS,
    TREES_CATEGORIES,
    TREES_FLOATS,
    TREES_ONE_HOTS,
    TREES_CTRS,
    TREES_LEAVES,
    TREES_WEIGHTS,
    TREES_STEPS,
    TREES_LEAF_OF_NODE,
    TREES_TEXTS,
    TREES_ESTIMATED,
    TREES_SCALE,
    TREES_BIAS,
    TREES_BIASES,
    TREES_EMBEDDINGS = 18,
};
enum float_field { FLOAT_HAS_NANS = 0, FLOAT_FLAT_INDEX = 2, FLOAT_BORDERS, FLOAT_NAME, FLOAT_NAN };
enum category_field { CATEGORY_INDEX = 0, CATEGORY_FLAT_INDEX, CATEGORY_NAME };
enum one_hot_field { ONE_HOT_INDEX = 0, ONE_HOT_VALUES, ONE_HOT_TEXTS };
enum { NAN_AS_TRUE = 2, HEAD_BYTES = 8 };
static const char magic[4] = {'C', 'B', 'M', '1'};

typedef struct cbm {
    catboost c;
    ride_flat flat;
    ride_flat_table trees;
    ride_flat_vector floats, categories, one_hots;
    ride_model_node *tests;
    uint32_t tests_count;
    uint32_t *inputs_of_categories; /* flat index by index among the categorical */
    ride_flat_vector splits, sizes, starts, leaves, weights, steps, leaf_of_node;
    double *numbers; /* of one tree */
    ride_model_walk walk;
} cbm;

bool ride_catboost_is_cbm(const void *data, size_t bytes) { return bytes >= 4 && memcmp(data, magic, 4) == 0; }

static ride_status damaged(cbm *r) {
    return ride_model_finding(r->c.reader, "save it again", "the model's core is damaged: an offset points outside");
}

/* ---- features ---- */

static ride_status read_index(cbm *r, ride_flat_table table, uint32_t field, const char *what, uint32_t below,
                              uint32_t *out) {
    const int32_t index = ride_flat_get_i32(&r->flat, table, field, -1);
    *out = (uint32_t)index;
    if (index >= 0 && (uint32_t)index < below) return RIDE_OK;
    return ride_model_finding(r->c.reader, NULL, "%s: the index %d", what, index);
}

static ride_status name_input(cbm *r, ride_flat_table table, uint32_t field, uint32_t input) {
    const ride_flat_vector name = ride_flat_get_vector(&r->flat, table, field, 1);
    if (r->c.reader->model->inputs[input].name != NULL)
        return ride_model_finding(r->c.reader, NULL, "two features have the index %u", input);
    return ride_catboost_name(&r->c, input, (const char *)name.at, name.count);
}

/* How many inputs, borders and values there are. Several tables may name one list, so the sum is held to what the file has room for. */
static ride_status count_features(cbm *r, uint32_t *inputs) {
    const uint32_t all = r->floats.count + r->categories.count;
    uint64_t borders = 0, values = 0, texts = 0;
    uint32_t index;
    *inputs = 0;
    for (uint32_t i = 0; i < r->floats.count; i++) {
        const ride_flat_table table = ride_flat_table_at(&r->flat, r->floats, i);
        RIDE_TRY(read_index(r, table, FLOAT_FLAT_INDEX, "a float feature", all + 1024, &index));
        if (index >= *inputs) *inputs = index + 1;
        borders += ride_flat_get_vector(&r->flat, table, FLOAT_BORDERS, 4).count;
    }
    for (uint32_t i = 0; i < r->categories.count; i++) {
        RIDE_TRY(read_index(r, ride_flat_table_at(&r->flat, r->categories, i), CATEGORY_FLAT_INDEX,
                            "a categorical feature", all + 1024, &index));
        if (index >= *inputs) *inputs = index + 1;
    }
    for (uint32_t i = 0; i < r->one_hots.count; i++) {
        const ride_flat_table table = ride_flat_table_at(&r->flat, r->one_hots, i);
        values += ride_flat_get_vector(&r->flat, table, ONE_HOT_VALUES, 4).count;
        texts += ride_flat_get_vector(&r->flat, table, ONE_HOT_TEXTS, 4).count;
    }
    if (r->flat.is_bad || borders + values + texts > r->flat.bytes / 4) return damaged(r);
    r->tests = malloc((borders + values + 1) * sizeof *r->tests);
    r->c.values = malloc((values + 1) * sizeof *r->c.values);
    r->c.texts = malloc((texts + 1) * sizeof *r->c.texts);
    r->inputs_of_categories = calloc((size_t)r->categories.count + 1, sizeof *r->inputs_of_categories);
    if (r->inputs_of_categories == NULL || r->tests == NULL || r->c.values == NULL || r->c.texts == NULL)
        return ride_model_finding(r->c.reader, NULL, "no memory for %llu tests",
                                  (unsigned long long)(borders + values));
    return RIDE_OK;
}

static ride_status read_floats(cbm *r) {
    for (uint32_t i = 0; i < r->floats.count; i++) {
        const ride_flat_table table = ride_flat_table_at(&r->flat, r->floats, i);
        const uint32_t input = (uint32_t)ride_flat_get_i32(&r->flat, table, FLOAT_FLAT_INDEX, 0);
        const ride_flat_vector borders = ride_flat_get_vector(&r->flat, table, FLOAT_BORDERS, 4);
        const bool nan_right = ride_flat_get_u8(&r->flat, table, FLOAT_HAS_NANS, 0) != 0 &&
                               ride_flat_get_u8(&r->flat, table, FLOAT_NAN, 0) == NAN_AS_TRUE;
        RIDE_TRY(name_input(r, table, FLOAT_NAME, input));
        for (uint32_t k = 0; k < borders.count; k++)
            RIDE_TRY(ride_catboost_float_test(&r->c, "a float feature", input, ride_flat_f32_at(borders, k), nan_right,
                                              &r->tests[r->tests_count++]));
    }
    return RIDE_OK;
}

static ride_status read_categories(cbm *r) {
    for (uint32_t i = 0; i < r->categories.count; i++) {
        const ride_flat_table table = ride_flat_table_at(&r->flat, r->categories, i);
        const uint32_t input = (uint32_t)ride_flat_get_i32(&r->flat, table, CATEGORY_FLAT_INDEX, 0);
        uint32_t index;
        RIDE_TRY(read_index(r, table, CATEGORY_INDEX, "a categorical feature", r->categories.count, &index));
        RIDE_TRY(name_input(r, table, CATEGORY_NAME, input));
        r->inputs_of_categories[index] = input;
        r->c.reader->model->inputs[input].is_category = true;
    }
    return RIDE_OK;
}

/* Two rounds: all values first, because their codes are needed for the tests. */
static ride_status read_one_hots(cbm *r) {
    uint64_t text_bytes = 0;
    for (int round = 0; round < 2; round++) {
        if (round == 1) RIDE_TRY(ride_catboost_codes(&r->c));
        for (uint32_t i = 0; i < r->one_hots.count; i++) {
            const ride_flat_table table = ride_flat_table_at(&r->flat, r->one_hots, i);
            const ride_flat_vector values = ride_flat_get_vector(&r->flat, table, ONE_HOT_VALUES, 4),
                                   texts = ride_flat_get_vector(&r->flat, table, ONE_HOT_TEXTS, 4);
            uint32_t index;
            RIDE_TRY(read_index(r, table, ONE_HOT_INDEX, "a one-hot feature", r->categories.count, &index));
            const uint32_t input = r->inputs_of_categories[index];
            for (uint32_t k = 0; k < values.count; k++) {
                const int32_t hash = ride_flat_i32_at(values, k);
                if (round == 1) {
                    RIDE_TRY(
                        ride_catboost_value_test(&r->c, "a one-hot feature", input, hash, &r->tests[r->tests_count++]));
                    continue;
                }
                r->c.values[r->c.values_count++] = (catboost_value){.hash = hash, .input = input};
                if (k >= texts.count) continue;
                const ride_flat_vector text = ride_flat_text_at(&r->flat, texts, k);
                text_bytes += text.count; /* each has its own bytes */
                if (text_bytes > r->flat.bytes)
                    return ride_model_finding(r->c.reader, "save it again", "texts of categories that overlap");
                r->c.texts[r->c.texts_count++] = (catboost_text){.hash = hash,
                                                                 .bytes = text.count,
                                                                 .at = text.count > 0 ? (const char *)text.at : ""};
            }
        }
    }
    return RIDE_OK;
}

static ride_status read_features(cbm *r) {
    static const struct {
        enum trees_field field;
        const char *what;
    } refused[] = {
        {TREES_CTRS, "statistics of categories (CTR): train with one_hot_max_size above the number of categories, or "
                     "without cat_features"},
        {TREES_TEXTS, "text features: leave them out"},
        {TREES_ESTIMATED, "features made of texts or embeddings: leave them out"},
        {TREES_EMBEDDINGS, "embeddings: leave them out"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (ride_flat_get_vector(&r->flat, r->trees, refused[i].field, 4).count > 0)
            return ride_model_finding(r->c.reader, NULL, "not supported are %s", refused[i].what);
    RIDE_TRY(read_floats(r));
    RIDE_TRY(read_categories(r));
    RIDE_TRY(ride_catboost_names(&r->c));
    RIDE_TRY(read_one_hots(r));
    return r->flat.is_bad ? damaged(r) : RIDE_OK;
}

/* ---- head ---- */

static bool text_is(ride_flat_vector text, const char *what) {
    return text.count == strlen(what) && memcmp(text.at, what, text.count) == 0;
}

/* The loss function stands in the parameters, which are a JSON text in a list of texts. */
static ride_status read_loss(cbm *r, ride_flat_table core, ride_arena *values) {
    const ride_flat_vector list = ride_flat_get_vector(&r->flat, core, CORE_INFO, 4);
    for (uint32_t i = 0; i < list.count; i++) {
        const ride_flat_table pair = ride_flat_table_at(&r->flat, list, i);
        const ride_flat_vector text = ride_flat_get_vector(&r->flat, pair, 1, 1);
        ride_value document;
        ride_error err;
        size_t offset;
        if (!text_is(ride_flat_get_vector(&r->flat, pair, 0, 1), "params")) continue;
        if (text.count == 0) return ride_model_finding(r->c.reader, NULL, "the model's parameters are empty");
        if (ride_document_json(text.at, text.count, values, NULL, &document, &offset, &err) != RIDE_OK)
            return ride_model_finding(r->c.reader, NULL, "the model's parameters: %s", err.what);
        const ride_value *type = ride_value_get(ride_value_get(&document, "loss_function"), "type");
        if (type == NULL || type->kind != RIDE_VALUE_STRING)
            return ride_model_finding(r->c.reader, NULL, "the model's parameters name no loss function");
        return ride_catboost_loss(&r->c, type->u.text, type->count);
    }
    return ride_catboost_loss(&r->c, "", 0);
}

static ride_status read_bias(cbm *r) {
    const ride_flat_vector list = ride_flat_get_vector(&r->flat, r->trees, TREES_BIASES, 8);
    const double scale = ride_flat_get_f64(&r->flat, r->trees, TREES_SCALE, 1.0);
    double bias[RIDE_FOREST_OUTPUTS_MAX] = {ride_flat_get_f64(&r->flat, r->trees, TREES_BIAS, 0.0)};
    if (list.count == 0) return ride_catboost_bias(&r->c, scale, bias, 1);
    if (list.count > RIDE_FOREST_OUTPUTS_MAX)
        return ride_model_finding(r->c.reader, NULL, "%u biases for %u outputs", list.count, r->c.dimension);
    for (uint32_t i = 0; i < list.count; i++) bias[i] = ride_flat_f64_at(list, i);
    return ride_catboost_bias(&r->c, scale, bias, list.count);
}

/* ---- trees ---- */

static ride_status find_test(cbm *r, uint32_t tree, int64_t split, const ride_model_node **out) {
    *out = NULL;
    if (split < 0 || split >= r->splits.count)
        return ride_model_finding(r->c.reader, NULL, "tree %u: a test that is not there", tree);
    const int32_t test = ride_flat_i32_at(r->splits, (uint32_t)split);
    if (test < 0 || (uint32_t)test >= r->tests_count)
        return ride_model_finding(r->c.reader, NULL, "tree %u: test %d of %u", tree, test, r->tests_count);
    *out = &r->tests[test];
    return RIDE_OK;
}

static ride_status read_oblivious(cbm *r, uint32_t tree, uint64_t *first_leaf) {
    const uint32_t depth = (uint32_t)ride_flat_i32_at(r->sizes, tree), leaves = 1u << depth;
    const uint64_t values = (uint64_t)leaves * r->c.dimension, first_weight = *first_leaf / r->c.dimension;
    ride_model_node tests[CATBOOST_DEPTH_MAX];
    for (uint32_t k = 0; k < depth; k++) {
        const ride_model_node *test;
        RIDE_TRY(find_test(r, tree, (int64_t)ride_flat_i32_at(r->starts, tree) + k, &test));
        tests[k] = *test;
    }
    if (*first_leaf + values > r->leaves.count)
        return ride_model_finding(r->c.reader, NULL, "tree %u: the leaves end before it", tree);
    for (uint32_t i = 0; i < values; i++) r->numbers[i] = ride_flat_f64_at(r->leaves, (uint32_t)(*first_leaf + i));
    const bool has_weights = first_weight + leaves <= r->weights.count;
    for (uint32_t i = 0; has_weights && i < leaves; i++)
        r->numbers[values + i] = ride_flat_f64_at(r->weights, (uint32_t)(first_weight + i));
    *first_leaf += values;
    return ride_catboost_oblivious(&r->c, tests, depth, r->numbers, has_weights ? r->numbers + values : NULL);
}

static ride_status read_oblivious_trees(cbm *r) {
    uint64_t nodes = 0;
    uint32_t deepest = 0;
    for (uint32_t i = 0; i < r->sizes.count; i++) {
        const int32_t depth = ride_flat_i32_at(r->sizes, i);
        if (depth < 0 || depth > CATBOOST_DEPTH_MAX)
            return ride_model_finding(r->c.reader, NULL, "tree %u: a depth of %d", i, depth);
        nodes += (2u << depth) - 1;
        if ((uint32_t)depth > deepest) deepest = (uint32_t)depth;
    }
    if (nodes / 2 > r->leaves.count) return ride_model_finding(r->c.reader, NULL, "the leaves end before the trees");
    RIDE_TRY(ride_catboost_reserve(&r->c, r->sizes.count, nodes));
    r->numbers = malloc(((size_t)(r->c.dimension + 1) << deepest) * sizeof *r->numbers);
    if (r->numbers == NULL) return ride_model_finding(r->c.reader, NULL, "no memory for a tree");
    uint64_t first_leaf = 0;
    for (uint32_t i = 0; i < r->sizes.count; i++) RIDE_TRY(read_oblivious(r, i, &first_leaf));
    return RIDE_OK;
}

/* ---- trees that are not oblivious ---- */

static uint32_t step(const cbm *r, uint64_t node, int side) {
    return ride_flat_u16_at(r->steps, 2 * (uint32_t)node + (uint32_t)side);
}

static ride_status read_leaf(cbm *r, uint32_t tree, uint64_t node, ride_model_node *to, uint32_t stride) {
    const uint32_t first = (uint32_t)ride_flat_i32_at(r->leaf_of_node, (uint32_t)node);
    const uint32_t weight = first / r->c.dimension;
    if ((uint64_t)first + r->c.dimension > r->leaves.count)
        return ride_model_finding(r->c.reader, NULL, "tree %u: a leaf that is not there", tree);
    for (uint32_t k = 0; k < r->c.dimension; k++) {
        const double value = ride_flat_f64_at(r->leaves, first + k),
                     cover = weight < r->weights.count ? ride_flat_f64_at(r->weights, weight) : 0.0;
        if (!isfinite(value) || !isfinite(cover) || cover < 0.0)
            return ride_model_finding(r->c.reader, NULL, "tree %u: a leaf that is not finite", tree);
        to[k * stride] = (ride_model_node){.value = value, .cover = cover, .input = RIDE_NODE_LEAF};
    }
    return RIDE_OK;
}

/* Covers from the leaves up: a child stands behind its parent. Of nodes that the root does not reach nothing was checked. */
static void add_covers(ride_model_node *nodes, uint32_t size, const ride_model_walk *walk) {
    for (uint32_t i = size; i-- > 0;)
        if ((nodes[i].input & RIDE_NODE_LEAF) == 0 && walk->depth[i] != ride_model_walk_none)
            nodes[i].cover = nodes[nodes[i].left].cover + nodes[nodes[i].right].cover;
}

/* size: nodes of the file; those that are a leaf and a test at once have their leaf behind all others. */
static ride_status read_tree(cbm *r, uint32_t tree, uint32_t size, uint32_t all) {
    ride_model *model = r->c.reader->model;
    ride_model_node *nodes = &model->nodes[model->nodes_count];
    const uint64_t start = (uint64_t)(uint32_t)ride_flat_i32_at(r->starts, tree);
    uint32_t more = size;
    for (uint32_t i = 0; i < size; i++) {
        const uint32_t left = step(r, start + i, 0), right = step(r, start + i, 1);
        const ride_model_node *test;
        if (left == 0 && right == 0) {
            RIDE_TRY(read_leaf(r, tree, start + i, &nodes[i], all));
            continue;
        }
        RIDE_TRY(find_test(r, tree, (int64_t)(start + i), &test));
        nodes[i] = *test;
        if (left == 0 || right == 0) RIDE_TRY(read_leaf(r, tree, start + i, &nodes[more], all));
        nodes[i].left = left != 0 ? i + left : more;
        nodes[i].right = right != 0 ? i + right : more;
        more += left == 0 || right == 0;
        for (uint32_t k = 1; k < r->c.dimension; k++) nodes[k * all + i] = nodes[i];
    }
    for (uint32_t k = 0; k < r->c.dimension; k++) {
        char place[32];
        snprintf(place, sizeof place, "tree %u", tree);
        RIDE_TRY(ride_model_walk_tree(r->c.reader, place, &nodes[k * all], all, &r->walk));
        add_covers(&nodes[k * all], all, &r->walk);
    }
    ride_catboost_add_tree(&r->c, all);
    return RIDE_OK;
}

/* Nodes of a tree in the model; 0 and a finding when its place is none. */
static uint32_t count_nodes(cbm *r, uint32_t tree) {
    const int32_t size = ride_flat_i32_at(r->sizes, tree), start = ride_flat_i32_at(r->starts, tree);
    const uint32_t have = r->steps.count;
    if (size <= 0 || start < 0 || (uint32_t)start > have || (uint32_t)size > have - (uint32_t)start) {
        ride_model_finding(r->c.reader, NULL, "tree %u: nodes %d + %d of %u", tree, start, size, have);
        return 0;
    }
    uint32_t all = (uint32_t)size;
    for (uint32_t i = 0; i < (uint32_t)size; i++)
        all += (step(r, (uint64_t)start + i, 0) == 0) != (step(r, (uint64_t)start + i, 1) == 0);
    return all;
}

static ride_status read_trees(cbm *r) {
    uint64_t nodes = 0;
    uint32_t most = 0;
    if (r->leaf_of_node.count != r->steps.count || r->splits.count != r->steps.count)
        return ride_model_finding(r->c.reader, NULL, "%u nodes, %u tests, %u leaves of nodes", r->steps.count,
                                  r->splits.count, r->leaf_of_node.count);
    for (uint32_t i = 0; i < r->sizes.count; i++) {
        const uint32_t all = count_nodes(r, i);
        if (all == 0) return RIDE_E_MODEL;
        nodes += all;
        if (nodes > 2 * (uint64_t)r->steps.count) /* each tree has its own */
            return ride_model_finding(r->c.reader, NULL, "tree %u: its nodes are another tree's", i);
        if (all > most) most = all;
    }
    RIDE_TRY(ride_catboost_reserve(&r->c, r->sizes.count, nodes));
    RIDE_TRY(ride_model_walk_create(r->c.reader, most, &r->walk));
    for (uint32_t i = 0; i < r->sizes.count; i++)
        RIDE_TRY(read_tree(r, i, (uint32_t)ride_flat_i32_at(r->sizes, i), count_nodes(r, i)));
    return RIDE_OK;
}

/* ---- all ---- */

static ride_status read_core(cbm *r, ride_arena *values) {
    const ride_flat_table core = ride_flat_root(&r->flat);
    ride_model *model = r->c.reader->model;
    uint32_t inputs;
    r->trees = ride_flat_get_table(&r->flat, core, CORE_TREES);
    r->floats = ride_flat_get_vector(&r->flat, r->trees, TREES_FLOATS, 4);
    r->categories = ride_flat_get_vector(&r->flat, r->trees, TREES_CATEGORIES, 4);
    r->one_hots = ride_flat_get_vector(&r->flat, r->trees, TREES_ONE_HOTS, 4);
    r->splits = ride_flat_get_vector(&r->flat, r->trees, TREES_SPLITS, 4);
    r->sizes = ride_flat_get_vector(&r->flat, r->trees, TREES_SIZES, 4);
    r->starts = ride_flat_get_vector(&r->flat, r->trees, TREES_STARTS, 4);
    r->leaves = ride_flat_get_vector(&r->flat, r->trees, TREES_LEAVES, 8);
    r->weights = ride_flat_get_vector(&r->flat, r->trees, TREES_WEIGHTS, 8);
    r->steps = ride_flat_get_vector(&r->flat, r->trees, TREES_STEPS, 4);
    r->leaf_of_node = ride_flat_get_vector(&r->flat, r->trees, TREES_LEAF_OF_NODE, 4);
    if (r->flat.is_bad || r->trees == 0) return damaged(r);
    if (r->starts.count != r->sizes.count)
        return ride_model_finding(r->c.reader, NULL, "%u trees with %u places", r->sizes.count, r->starts.count);
    RIDE_TRY(count_features(r, &inputs));
    const int32_t dimension = ride_flat_get_i32(&r->flat, r->trees, TREES_DIMENSION, 0);
    RIDE_TRY(ride_catboost_begin(&r->c, inputs, dimension > 0 ? (uint32_t)dimension : 0));
    snprintf(model->encoding, sizeof model->encoding, "cbm");
    snprintf(model->booster, sizeof model->booster, "%s", r->steps.count == 0 ? "oblivious" : "trees");
    RIDE_TRY(read_loss(r, core, values));
    RIDE_TRY(read_bias(r));
    RIDE_TRY(read_features(r));
    return r->steps.count == 0 ? read_oblivious_trees(r) : read_trees(r);
}

ride_status ride_catboost_read_cbm(ride_model_reader *reader, const void *data, size_t bytes, ride_arena *values) {
    const uint8_t *head = data;
    if (bytes < HEAD_BYTES) return ride_model_finding(reader, "the file seems cut short", "%zu bytes", bytes);
    const uint32_t size =
        (uint32_t)head[4] | (uint32_t)head[5] << 8 | (uint32_t)head[6] << 16 | (uint32_t)head[7] << 24;
    if (size > bytes - HEAD_BYTES || size > INT32_MAX)
        return ride_model_finding(reader, "the file seems cut short", "the model's core has %u bytes, the file %zu",
                                  size, bytes);
    cbm r = {.c.reader = reader, .flat = {.data = head + HEAD_BYTES, .bytes = size}};
    ride_status st = read_core(&r, values);
    if (st == RIDE_OK && r.flat.is_bad) st = damaged(&r);
    free(r.tests);
    free(r.inputs_of_categories);
    free(r.numbers);
    free(r.c.values);
    free(r.c.texts);
    ride_model_walk_destroy(&r.walk);
    return st == RIDE_OK ? ride_diagnostics_status(reader->findings) : st;
}
