/* models/catboost_build.c: from CatBoost's parts to the IR.
 *
 * What the files' form does not say (CatBoost's own sources and predictions do): values and borders are floats, and what is above a border
 * has bit 1; NaN is below all, or above all where the feature had NaN in training with nan_mode Max; leaves are doubles, added from 0 in tree order, the bias
 * last. A one-hot test holds the lower half of CityHash64 of the category's text; of a whole number its digits. */
#include "models/catboost.h"

#include "base/assert.h"
#include "base/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBERS_HASHED = 1000000 }; /* digits of these are tried where a file has hashes only */

ride_status ride_catboost_begin(catboost *c, uint32_t inputs_count, uint32_t dimension) {
    ride_model *model = c->reader->model;
    snprintf(model->format, sizeof model->format, "catboost");
    model->input_number = RIDE_FOREST_F32;
    model->sum_number = RIDE_FOREST_F64;
    model->base_last = true;
    if (c->reader->options->best_iteration)
        return ride_model_finding(c->reader, "train it with use_best_model, which drops the others",
                                  "a model of CatBoost does not say which iteration was the best");
    if (inputs_count == 0 || inputs_count > RIDE_FOREST_INPUTS_MAX)
        return ride_model_finding(c->reader, NULL, "%u features", inputs_count);
    if (dimension == 0 || dimension > RIDE_FOREST_OUTPUTS_MAX)
        return ride_model_finding(c->reader, NULL, "leaves with %u values", dimension);
    c->dimension = model->outputs_count = dimension;
    model->inputs_count = inputs_count;
    model->inputs = ride_arena_new(model->arena, ride_model_input, inputs_count);
    model->base_margins = ride_arena_new(model->arena, double, dimension);
    model->base_scores = ride_arena_new(model->arena, double, dimension);
    if (model->inputs == NULL || model->base_margins == NULL || model->base_scores == NULL)
        return ride_model_finding(c->reader, NULL, "no memory for %u features", inputs_count);
    return RIDE_OK;
}

/* ---- names, loss, bias ---- */

ride_status ride_catboost_name(catboost *c, uint32_t input, const char *text, size_t bytes) {
    RIDE_ASSERT(input < c->reader->model->inputs_count);
    if (bytes == 0) return RIDE_OK;
    if (memchr(text, 0, bytes) != NULL)
        return ride_model_finding(c->reader, NULL, "feature %u: a zero byte in its name", input);
    const char *name = ride_arena_text(c->reader->model->arena, text, bytes);
    if (name == NULL) return ride_model_finding(c->reader, NULL, "no memory for names");
    c->reader->model->inputs[input].name = name;
    return RIDE_OK;
}

ride_status ride_catboost_names(catboost *c) {
    ride_model *model = c->reader->model;
    uint32_t named = 0, given = 0;
    for (uint32_t i = 0; i < model->inputs_count; i++) {
        char plain[16];
        snprintf(plain, sizeof plain, "%u", i);
        named += model->inputs[i].name != NULL;
        given += model->inputs[i].name != NULL && strcmp(model->inputs[i].name, plain) != 0;
    }
    model->has_names = named == model->inputs_count && given > 0; /* 0, 1, 2 … are CatBoost's own */
    if (model->has_names) return ride_model_check_names(c->reader, "features_info");
    for (uint32_t i = 0; i < model->inputs_count; i++) model->inputs[i].name = NULL;
    return RIDE_OK;
}

ride_status ride_catboost_loss(catboost *c, const char *name, size_t bytes) {
    static const struct {
        const char *name;
        ride_forest_link link;
    } links[] = {
        {"Logloss", RIDE_FOREST_LINK_LOGISTIC},      {"CrossEntropy", RIDE_FOREST_LINK_LOGISTIC},
        {"MultiClass", RIDE_FOREST_LINK_SOFTMAX},    {"MultiClassOneVsAll", RIDE_FOREST_LINK_LOGISTIC},
        {"MultiLogloss", RIDE_FOREST_LINK_LOGISTIC}, {"MultiCrossEntropy", RIDE_FOREST_LINK_LOGISTIC},
        {"Poisson", RIDE_FOREST_LINK_EXP},           {"Tweedie", RIDE_FOREST_LINK_EXP},
    }; /* all others: the margin is the answer */
    ride_model *model = c->reader->model;
    model->link = RIDE_FOREST_LINK_NONE;
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        if (strlen(links[i].name) == bytes && memcmp(links[i].name, name, bytes) == 0) model->link = links[i].link;
    if (model->link == RIDE_FOREST_LINK_LOGISTIC) model->link_scale = 1.0;
    snprintf(model->objective, sizeof model->objective, "%.*s", (int)(bytes < 47 ? bytes : 47), name);
    if (memchr(name, 0, bytes) != NULL || (model->link == RIDE_FOREST_LINK_SOFTMAX && model->outputs_count < 2))
        return ride_model_finding(c->reader, NULL, "the loss function %s with %u outputs", model->objective,
                                  model->outputs_count);
    return RIDE_OK;
}

ride_status ride_catboost_bias(catboost *c, double scale, const double *biases, uint32_t count) {
    ride_model *model = c->reader->model;
    if (scale != 1.0)
        return ride_model_finding(c->reader, "set it with set_scale_and_bias(1, …), or train again",
                                  "a scale of the answer that is not 1");
    if (count != 0 && count != 1 && count != model->outputs_count)
        return ride_model_finding(c->reader, NULL, "%u biases for %u outputs", count, model->outputs_count);
    for (uint32_t i = 0; count != 0 && i < model->outputs_count; i++) {
        const double bias = biases[count == 1 ? 0 : i];
        if (!isfinite(bias)) return ride_model_finding(c->reader, NULL, "a bias that is not finite");
        model->base_margins[i] = model->base_scores[i] = bias;
    }
    return RIDE_OK;
}

/* ---- categories ---- */

/* The lower half of CityHash64 (version 1, Pike and Alakuijala) of up to eight bytes. */
static uint32_t city_hash(const char *text, uint32_t bytes) {
    static const uint64_t k2 = 0x9ae16a3b2f90404f, k3 = 0xc949d7c7509e6557, mul = 0x9ddfea08eb382d69;
    const uint8_t *s = (const uint8_t *)text;
    if (bytes >= 4) {
        uint32_t first, last;
        memcpy(&first, s, 4);
        memcpy(&last, s + bytes - 4, 4);
        const uint64_t u = bytes + ((uint64_t)first << 3), v = last;
        uint64_t a = (u ^ v) * mul;
        a ^= a >> 47;
        uint64_t b = (v ^ a) * mul;
        b ^= b >> 47;
        return (uint32_t)(b * mul);
    }
    const uint64_t y = s[0] + ((uint32_t)s[bytes >> 1] << 8), z = bytes + ((uint32_t)s[bytes - 1] << 2);
    const uint64_t mixed = y * k2 ^ z * k3;
    return (uint32_t)((mixed ^ mixed >> 47) * k2);
}

static int compare_values(const void *a, const void *b) {
    const catboost_value *x = a, *y = b;
    if (x->input != y->input) return x->input < y->input ? -1 : 1;
    return (x->hash > y->hash) - (x->hash < y->hash);
}

static catboost_value *find_value(const catboost *c, uint32_t input, int32_t hash) {
    const catboost_value key = {.hash = hash, .input = input};
    return bsearch(&key, c->values, c->values_count, sizeof key, compare_values);
}

static int compare_hashes(const void *a, const void *b) {
    const catboost_value *x = *(catboost_value *const *)a, *y = *(catboost_value *const *)b;
    return (x->hash > y->hash) - (x->hash < y->hash);
}

/* Where the first of the hashes that are not below this one is. */
static uint32_t lower_bound(catboost_value *const *sorted, uint32_t count, int32_t hash) {
    uint32_t low = 0;
    for (uint32_t high = count; low < high;) {
        const uint32_t middle = low + (high - low) / 2;
        if (sorted[middle]->hash < hash) low = middle + 1;
        else high = middle;
    }
    return low;
}

/* The numbers whose hashes the values are. */
static ride_status search_codes(catboost *c) {
    uint32_t missing = c->values_count;
    catboost_value **sorted = malloc(c->values_count * sizeof *sorted);
    if (sorted == NULL) return ride_model_finding(c->reader, NULL, "no memory for categories");
    for (uint32_t i = 0; i < c->values_count; i++) sorted[i] = &c->values[i];
    qsort(sorted, c->values_count, sizeof *sorted, compare_hashes);
    for (uint32_t number = 0; number < NUMBERS_HASHED && missing > 0; number++) {
        char text[RIDE_NUMBER_BYTES];
        const int32_t hash = (int32_t)city_hash(text, (uint32_t)ride_u64_to_text(number, text));
        for (uint32_t i = lower_bound(sorted, c->values_count, hash);
             i < c->values_count && sorted[i]->hash == hash && sorted[i]->code == UINT32_MAX; i++, missing--)
            sorted[i]->code = number;
    }
    free(sorted);
    if (missing == 0) return RIDE_OK;
    return ride_model_finding(c->reader, "save it with pool=…, which writes the texts of the categories",
                              "%u categories whose texts are not in the file, and which are no whole numbers", missing);
}

static int compare_texts(const void *a, const void *b) {
    const catboost_text *x = a, *y = b;
    return (x->hash > y->hash) - (x->hash < y->hash);
}

/* A whole number as a trainer writes it: no sign, no zeros before it. */
static bool is_code(const catboost_text *text, uint32_t *code) {
    uint64_t number;
    if (text->bytes == 0 || text->bytes > 8 || (text->at[0] == '0' && text->bytes > 1) ||
        !ride_text_to_u64(text->at, text->bytes, &number) || number >= RIDE_FOREST_CATEGORY_MAX)
        return false;
    *code = (uint32_t)number;
    return true;
}

/* Texts by place, for all features whose categories are no numbers. */
static const char *const *name_texts(catboost *c) {
    ride_arena *arena = c->reader->model->arena;
    const char **names = ride_arena_new(arena, const char *, c->texts_count);
    for (uint32_t i = 0; names != NULL && i < c->texts_count; i++)
        if ((names[i] = ride_arena_text(arena, c->texts[i].at, c->texts[i].bytes)) == NULL) return NULL;
    return names;
}

static ride_status check_texts(catboost *c) {
    qsort(c->texts, c->texts_count, sizeof *c->texts, compare_texts);
    for (uint32_t i = 0; i < c->texts_count; i++) {
        if (memchr(c->texts[i].at, 0, c->texts[i].bytes) != NULL)
            return ride_model_finding(c->reader, NULL, "a category with a zero byte in its text");
        if (i > 0 && compare_texts(&c->texts[i - 1], &c->texts[i]) == 0)
            return ride_model_finding(c->reader, NULL, "two categories with the hash %d", c->texts[i].hash);
    }
    return RIDE_OK;
}

static ride_status look_up(catboost *c) {
    ride_model *model = c->reader->model;
    const char *const *names = NULL;
    RIDE_TRY(check_texts(c));
    for (uint32_t first = 0, next; first < c->values_count; first = next) {
        const uint32_t input = c->values[first].input;
        bool numbers = true;
        for (next = first; next < c->values_count && c->values[next].input == input; next++) {
            const catboost_text key = {.hash = c->values[next].hash};
            const catboost_text *text = bsearch(&key, c->texts, c->texts_count, sizeof key, compare_texts);
            if (text == NULL)
                return ride_model_finding(c->reader, NULL, "feature %u: the text of category %d is not in the file",
                                          input, key.hash);
            numbers = numbers && is_code(text, &c->values[next].code);
        }
        if (numbers) continue;
        if (names == NULL && (names = name_texts(c)) == NULL)
            return ride_model_finding(c->reader, NULL, "no memory for categories");
        model->inputs[input].categories = names;
        model->inputs[input].categories_count = c->texts_count;
        for (uint32_t i = first; i < next; i++) {
            const catboost_text key = {.hash = c->values[i].hash};
            const catboost_text *text = bsearch(&key, c->texts, c->texts_count, sizeof key, compare_texts);
            c->values[i].code = (uint32_t)(text - c->texts);
        }
    }
    return RIDE_OK;
}

ride_status ride_catboost_codes(catboost *c) {
    if (c->values_count == 0) return RIDE_OK;
    qsort(c->values, c->values_count, sizeof *c->values, compare_values);
    for (uint32_t i = 0; i < c->values_count; i++) {
        if (i > 0 && compare_values(&c->values[i - 1], &c->values[i]) == 0)
            return ride_model_finding(c->reader, NULL, "feature %u: a category twice", c->values[i].input);
        c->values[i].code = UINT32_MAX;
    }
    return c->texts_count > 0 ? look_up(c) : search_codes(c);
}

/* ---- trees ---- */

ride_status ride_catboost_reserve(catboost *c, uint32_t trees_count, uint64_t nodes_count) {
    ride_model *model = c->reader->model;
    const ride_model_options *options = c->reader->options;
    if (trees_count == 0) return ride_model_finding(c->reader, NULL, "no trees");
    if ((uint64_t)trees_count * c->dimension > options->trees_max)
        return ride_model_finding(c->reader, RIDE_RAISE, "%llu trees, at most %u",
                                  (unsigned long long)trees_count * c->dimension, options->trees_max);
    if (nodes_count * c->dimension > options->nodes_max)
        return ride_model_finding(c->reader, RIDE_RAISE, "%llu nodes, at most %u",
                                  (unsigned long long)nodes_count * c->dimension, options->nodes_max);
    model->trees_in_file = trees_count;
    model->trees = ride_arena_new(model->arena, ride_model_tree, trees_count * c->dimension);
    model->nodes = ride_model_nodes(c->reader, nodes_count * c->dimension);
    model->sets = ride_arena_new(model->arena, ride_model_set, c->values_count + 1);
    model->set_members = ride_arena_new(model->arena, uint32_t, c->values_count + 1);
    if (model->trees == NULL || model->nodes == NULL || model->sets == NULL || model->set_members == NULL)
        return ride_model_finding(c->reader, NULL, "no memory for %llu nodes", (unsigned long long)nodes_count);
    for (uint32_t i = 0; i < c->values_count; i++) {
        model->set_members[i] = c->values[i].code;
        model->sets[i] = (ride_model_set){.members_first = i, .members_count = 1};
        model->inputs[c->values[i].input].is_category = true;
    }
    model->sets_count = model->set_members_count = c->values_count;
    return RIDE_OK;
}

ride_status ride_catboost_float_test(catboost *c, const char *place, uint32_t input, float border, bool nan_right,
                                     ride_model_node *out) {
    if (isnan(border)) return ride_model_finding(c->reader, NULL, "%s: a border is no number", place);
    *out = (ride_model_node){.value = (double)nextafterf(border, INFINITY),
                             .input = input | (nan_right ? 0 : RIDE_NODE_DEFAULT_LEFT)};
    if (isinf(border) && border > 0.0f) out->input |= RIDE_NODE_ONLY_MISSING; /* infinity itself goes left */
    return RIDE_OK;
}

ride_status ride_catboost_value_test(catboost *c, const char *place, uint32_t input, int32_t hash,
                                     ride_model_node *out) {
    const catboost_value *value = find_value(c, input, hash);
    if (value == NULL)
        return ride_model_finding(c->reader, NULL, "%s: a test for a category that feature %u has not", place, input);
    *out = (ride_model_node){.input = input | RIDE_NODE_SET | RIDE_NODE_DEFAULT_LEFT,
                             .set = (uint32_t)(value - c->values)};
    return RIDE_OK;
}

void ride_catboost_add_tree(catboost *c, uint32_t count) {
    ride_model *model = c->reader->model;
    for (uint32_t k = 0; k < c->dimension; k++) {
        model->trees[model->trees_count++] =
            (ride_model_tree){.nodes_first = model->nodes_count, .nodes_count = count, .output = k, .weight = 1.0};
        model->nodes_count += count;
    }
}

/* Nodes as in a heap: the children of i are 2i + 1 and 2i + 2. The last test is at the root, so that leaves are in their own order. */
ride_status ride_catboost_oblivious(catboost *c, const ride_model_node *tests, uint32_t depth, const double *leaves,
                                    const double *weights) {
    ride_model *model = c->reader->model;
    const uint32_t inner = (1u << depth) - 1, count = 2 * inner + 1;
    for (uint32_t k = 0; k < c->dimension; k++) {
        ride_model_node *nodes = &model->nodes[model->nodes_count + k * count];
        for (uint32_t level = 0, i = 0; level < depth; level++)
            for (uint32_t end = (2u << level) - 1; i < end; i++) {
                nodes[i] = tests[depth - 1 - level];
                nodes[i].left = 2 * i + 1;
                nodes[i].right = 2 * i + 2;
            }
        for (uint32_t leaf = 0; leaf <= inner; leaf++) {
            const double value = leaves[leaf * c->dimension + k], cover = weights != NULL ? weights[leaf] : 0.0;
            if (!isfinite(value) || !isfinite(cover) || cover < 0.0)
                return ride_model_finding(c->reader, NULL, "tree %u: a leaf that is not finite",
                                          model->trees_count / c->dimension);
            nodes[inner + leaf] = (ride_model_node){.value = value, .cover = cover, .input = RIDE_NODE_LEAF};
        }
        for (uint32_t i = inner; i-- > 0;) nodes[i].cover = nodes[2 * i + 1].cover + nodes[2 * i + 2].cover;
    }
    model->leaves_count += (inner + 1) * c->dimension;
    if (depth > model->depth_max) model->depth_max = depth;
    ride_catboost_add_tree(c, count);
    return RIDE_OK;
}
