/* CatBoost's JSON and cbm: raw values that CatBoost 1.2 and 1.2.10 gave (tests/golden/catboost/make.py), and what damaged files do. */
#include "models/compile.h"
#include "models/flatbuffer.h"
#include "models/score.h"
#include "tests/support/model_bytes.h"
#include "tests/support/slurp.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 40, INPUTS = 4, OUTPUTS_MAX = 3 };
static const char *const versions[] = {"1.2", "1.2.10"};
static const struct {
    const char *tag;
    uint32_t outputs;
    bool json_only;
} goldens[] = {{"plain", 1, false},     {"deep", 1, false},     {"max", 1, false},  {"kinds", 1, false},
               {"three", 3, false},     {"poisson", 1, false},  {"texts", 1, true}, /* cbm has no texts */
               {"depthwise", 1, false}, {"lossguide", 3, false}};

static char *slurp_golden(const char *version, const char *tag, const char *ending, size_t *bytes) {
    char path[512];
    const char *top = getenv("RIDE_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/tests/golden/catboost/%s-%s.%s", top != NULL ? top : ".", version, tag, ending);
    return slurp(path, bytes);
}

static ride_model *load(const char *data, size_t bytes, ride_model_scorer **scorer, const char *what) {
    ride_diagnostics findings;
    ride_model *model = NULL;
    ride_diagnostics_init(&findings);
    cr_assert_eq(ride_model_parse("m", data, bytes, NULL, &model, &findings), RIDE_OK, "%s: %s", what,
                 findings.count > 0 ? findings.items[0].message : "");
    cr_assert_eq(ride_model_scorer_create(model, scorer, &findings), RIDE_OK, "%s: %s", what,
                 findings.count > 0 ? findings.items[0].message : "");
    ride_diagnostics_free(&findings);
    return model;
}

/* The code of the text "kn"; of one that the model never saw one that it has not. */
static double code_of(const ride_model_input *input, double n) {
    char text[16];
    snprintf(text, sizeof text, "k%d", (int)n);
    for (uint32_t i = 0; i < input->categories_count; i++)
        if (strcmp(input->categories[i], text) == 0) return i;
    return input->categories_count;
}

static void check_golden(const char *version, const char *tag, const char *ending, uint32_t outputs) {
    size_t bytes, csv_bytes;
    char *data = slurp_golden(version, tag, ending, &bytes), *csv = slurp_golden(version, tag, "csv", &csv_bytes);
    ride_model_scorer *scorer = NULL;
    ride_model *model = load(data, bytes, &scorer, tag);
    cr_assert_eq(model->outputs_count, outputs);
    cr_assert_eq(model->inputs_count, INPUTS);
    cr_assert_str_eq(model->inputs[2].name, "gap");
    char *line = csv;
    strsep(&line, "\n");
    for (uint32_t r = 0; r < ROWS; r++) {
        double x[INPUTS + 2 * OUTPUTS_MAX], got[OUTPUTS_MAX];
        char *row = strsep(&line, "\n");
        for (uint32_t k = 0; k < INPUTS + 2 * outputs; k++) {
            char *cell = strsep(&row, ",");
            x[k] = *cell != '\0' ? strtod(cell, NULL) : (double)NAN;
        }
        if (model->inputs[3].categories != NULL) x[3] = code_of(&model->inputs[3], x[3]);
        ride_model_score_row(scorer, x, true, got);
        for (uint32_t k = 0; k < outputs; k++)
            cr_assert_eq(got[k], x[INPUTS + k], "%s %s row %u: %.17g, CatBoost %.17g", tag, ending, r, got[k],
                         x[INPUTS + k]);
        ride_model_score_row(scorer, x, false, got);
        for (uint32_t k = 0; k < outputs; k++) {
            const double want = x[INPUTS + outputs + k];
            cr_assert(fabs(got[k] - want) <= 1e-14 * want || got[k] == want,
                      "%s %s row %u: answer %.17g, CatBoost %.17g", tag, ending, r, got[k], want);
        }
    }
    ride_model_scorer_destroy(scorer);
    ride_model_destroy(model);
    free(data);
    free(csv);
}

Test(catboost, raw_values_are_those_of_catboost_bit_for_bit) {
    for (size_t v = 0; v < sizeof versions / sizeof *versions; v++)
        for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++) {
            check_golden(versions[v], goldens[i].tag, "json", goldens[i].outputs);
            if (!goldens[i].json_only) check_golden(versions[v], goldens[i].tag, "cbm", goldens[i].outputs);
        }
}

Test(catboost, every_truncation_is_refused) {
    static const char *const endings[] = {"json", "cbm"};
    for (int k = 0; k < 2; k++) {
        size_t bytes;
        char why[256], *data = slurp_golden("1.2.10", "kinds", endings[k], &bytes);
        cr_assert_eq(try_bytes(data, bytes, why), RIDE_OK, "%s", why);
        const size_t end =
            k == 0 ? (size_t)(strrchr(data, '}') - data) : bytes - 16; /* parts without content follow the core */
        for (size_t n = 0; n <= end; n += 1 + n / 200)
            cr_assert_eq(try_bytes(data, n, why), RIDE_E_MODEL, "%zu bytes", n);
        free(data);
    }
}

/* Offsets, counts and sizes that are wrong: refused, or another model. Never a crash. */
Test(catboost, no_byte_of_a_core_can_harm) {
    static const char *const tags[] = {"kinds", "lossguide"};
    uint32_t refused = 0;
    for (int t = 0; t < 2; t++) {
        size_t bytes;
        char why[256], *data = slurp_golden("1.2.10", tags[t], "cbm", &bytes);
        for (size_t i = 0; i < bytes; i += i < 64 || i > 6000 ? 1 : 13) { /* texts in between */
            const char was = data[i];
            static const unsigned char flips[] = {0x01, 0x80, 0xff};
            for (size_t f = 0; f < sizeof flips; f++) {
                data[i] = (char)(was ^ (char)flips[f]);
                refused += try_bytes(data, bytes, why) != RIDE_OK;
            }
            data[i] = was;
        }
        free(data);
    }
    cr_assert_gt(refused, 500);
}

/* Numbers of trees in the core of the "lossguide" golden file, to be written to; the fields are those of CatBoost's schema. */
static unsigned char *field_of(char *data, size_t bytes, uint32_t field, uint32_t element_bytes) {
    ride_flat flat = {.data = (const uint8_t *)data + 8, .bytes = bytes - 8};
    const ride_flat_table trees = ride_flat_get_table(&flat, ride_flat_root(&flat), 1);
    const ride_flat_vector vector = ride_flat_get_vector(&flat, trees, field, element_bytes);
    cr_assert(!flat.is_bad && vector.count > 8, "field %u", field);
    return (unsigned char *)data + (vector.at - (const uint8_t *)data);
}

/* The first tree's root is made a leaf, so that no node below is reached, and the ways of these lead far outside. */
Test(catboost, nodes_that_no_way_leads_to_are_not_followed) {
    size_t bytes;
    char why[256], *data = slurp_golden("1.2.10", "lossguide", "cbm", &bytes);
    unsigned char *steps = field_of(data, bytes, 10, 4), *leaf_of_node = field_of(data, bytes, 11, 4);
    cr_assert(steps[0] + steps[1] != 0, "the first node is a test");
    memset(steps, 0, 4);
    memset(leaf_of_node, 0, 4);
    memset(steps + 4, 0xff, 4);
    cr_assert_eq(try_bytes(data, bytes, why), RIDE_OK, "%s", why);
    free(data);
}

static unsigned char *put(unsigned char *at, uint32_t value, int bytes) {
    for (int i = 0; i < bytes; i++) *at++ = (unsigned char)(value >> 8 * i);
    return at;
}

/* The one-hot feature of the "kinds" golden file, with other values and a list of as many texts, which all lie at one place: behind the core
 * come the table's fields (the list that names them, then their offsets), the values, the list of texts, and the text. */
static char *overlap_texts(uint32_t text_bytes, size_t *bytes) {
    enum { TEXTS = 4, MORE = 10 + 2 + 8 + 4 + 4 * TEXTS + 4 + 4 * TEXTS + 4 };
    size_t had;
    char *data = slurp_golden("1.2.10", "kinds", "cbm", &had);
    ride_flat flat = {.data = (const uint8_t *)data + 8};
    for (int i = 0; i < 4; i++) flat.bytes |= (size_t)(unsigned char)data[4 + i] << 8 * i;
    const ride_flat_table trees = ride_flat_get_table(&flat, ride_flat_root(&flat), 1);
    const ride_flat_table table = ride_flat_table_at(&flat, ride_flat_get_vector(&flat, trees, 6, 4), 0);
    const uint32_t end = ((uint32_t)flat.bytes + 3) / 4 * 4, fields = end + 12, index_at = end - table;
    cr_assert(!flat.is_bad && index_at < 60000);
    *bytes = 8 + end + MORE + 4 + text_bytes;
    unsigned char *made = calloc(*bytes + 4, 1);
    cr_assert_not_null(made);
    memcpy(made, data, 8 + flat.bytes);
    put(made + 4, (uint32_t)*bytes - 8, 4);
    put(made + 8 + table, table - end, 4); /* the way back to the list of fields */
    unsigned char *at = put(made + 8 + end, 10, 2);
    at = put(at, UINT16_MAX, 2);
    at = put(at, fields - table, 2);
    at = put(at, fields - table + 4, 2);
    at = put(at, fields - table + 8, 2);
    at = put(put(at, 0, 2), 0, 4); /* and the first category */
    at = put(at, 8, 4);            /* from here to the values, and to the texts */
    at = put(at, 8 + 4 * TEXTS, 4);
    at = put(at, TEXTS, 4);
    for (uint32_t i = 0; i < TEXTS; i++) at = put(at, 1000 + i, 4);
    at = put(at, TEXTS, 4);
    for (uint32_t i = 0; i < TEXTS; i++) at = put(at, 4 * (TEXTS - i), 4);
    at = put(at, text_bytes, 4);
    memset(at, 'x', text_bytes);
    free(data);
    return (char *)made;
}

Test(catboost, texts_of_categories_have_bytes_of_their_own) {
    size_t bytes;
    char why[256], *few = overlap_texts(8, &bytes);
    cr_assert_eq(try_bytes(few, bytes, why), RIDE_OK, "%s", why);
    char *many = overlap_texts(100000, &bytes);
    cr_assert_eq(try_bytes(many, bytes, why), RIDE_E_MODEL);
    cr_assert_not_null(strstr(why, "overlap"), "%s", why);
    free(few);
    free(many);
}

/* bit 0: x0 > 0.5; bit 1: x1 is "3" */
static const char small[] =
    "{\"features_info\":{\"float_features\":[{\"feature_index\":0,\"flat_feature_index\":0,\"has_nans\":true,"
    "\"nan_value_treatment\":\"AsTrue\",\"feature_id\":\"a\"}],\"categorical_features\":[{\"feature_index\":0,"
    "\"flat_feature_index\":1,\"values\":[593172586],\"feature_id\":\"b\"}],\"cat_features_hash\":[{\"hash\":593172586,"
    "\"value\":\"3\"}]},\"model_info\":{\"params\":{\"loss_function\":{\"type\":\"Logloss\"}}},\"oblivious_trees\":"
    "[{\"leaf_values\":[1,2,3,4],\"leaf_weights\":[5,6,7,8],\"splits\":[{\"split_type\":\"FloatFeature\",\"border\":0."
    "5,"
    "\"float_feature_index\":0},{\"split_type\":\"OneHotFeature\",\"cat_feature_index\":0,\"value\":593172586}]}],"
    "\"scale_and_bias\":[1,[0]]}";

Test(catboost, what_is_wrong_is_named) {
    char why[256];
    cr_assert_eq(try_bytes(small, strlen(small), why), RIDE_OK, "%s", why);
    refuse(small, "\"flat_feature_index\":1", "\"flat_feature_index\":0", "twice");
    refuse(small, "\"flat_feature_index\":1", "\"flat_feature_index\":1000000", "the greatest has index");
    refuse(small, "\"flat_feature_index\":1", "\"flat_feature_index\":-1", "an index was expected");
    refuse(small, "{\"feature_index\":0", "{\"feature_index\":7", "feature_index 7");
    refuse(small, "\"b\"", "\"a\"", "twice");
    refuse(small, "[593172586]", "[\"3\"]", "a hash");
    refuse(small, "[593172586]", "[593172586,593172586]", "a category twice");
    refuse(small, "[593172586]", "[1]", "the text of category 1");
    refuse(small, "\"hash\":593172586", "\"hash\":1", "the text of category 593172586");
    refuse(small, "\"cat_features_hash\"", "\"ctrs\"", "CTR");
    refuse(small, "\"cat_features_hash\"", "\"text_features\"", "text features");
    refuse(small, "\"Logloss\"", "\"MultiClass\"", "MultiClass with 1 outputs");
    refuse(small, "[1,2,3,4]", "[1,2,3,4,5]", "2 tests and 5 values");
    refuse(small, "[1,2,3,4]", "[1,2,3,\"4\"]", "leaf_values[3]");
    refuse(small, "[1,2,3,4]", "[1,2,NaN,4]", "not finite");
    refuse(small, "\"FloatFeature\"", "\"OnlineCtr\"", "`OnlineCtr` is not supported");
    refuse(small, "\"FloatFeature\"", "7", "split_type");
    refuse(small, "\"border\":0.5", "\"border\":NaN", "a border");
    refuse(small, "\"border\":0.5", "\"border\":\"x\"", "border");
    refuse(small, "\"float_feature_index\":0", "\"float_feature_index\":1", "no float feature 1");
    refuse(small, "\"cat_feature_index\":0", "\"cat_feature_index\":1", "no categorical feature 1");
    refuse(small, "\"value\":593172586}]}]", "\"value\":5}]}]", "a test for a category");
    refuse(small, "[1,[0]]", "[2,[0]]", "a scale");
    refuse(small, "[1,[0]]", "[1,[0,0]]", "2 biases for 1");
    refuse(small, "[1,[0]]", "[1,[NaN]]", "a bias");
    refuse(small, "[1,[0]]", "[1]", "scale_and_bias");
    refuse(small, "\"splits\":[", "\"splits\":[1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,", "leaves with 0");
    refuse(small, "\"oblivious_trees\":[", "\"oblivious_trees\":[],\"more\":[", "leaves with 0");
}

Test(catboost, bits_are_in_the_order_of_the_tests) {
    ride_model_scorer *scorer = NULL;
    ride_model *model = load(small, strlen(small), &scorer, "small");
    const double nan = (double)NAN;
    const double cases[][3] = {{0.5, 0, 1}, {0.50000006, 0, 2}, {0.5, 3, 3},        {1, 3, 4},
                               {nan, 3, 4}, {nan, nan, 2},      {0.500000001, 3, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double out;
        ride_model_score_row(scorer, cases[i], true, &out);
        cr_assert_eq(out, cases[i][2], "case %zu: %g", i, out);
    }
    cr_assert_eq(model->nodes[0].cover, 26.0);
    cr_assert_eq(model->nodes[1].cover, 11.0);
    ride_model_scorer_destroy(scorer);
    ride_model_destroy(model);
}

/* Codes of six digits make long sets. Nodes that ask for the same category share one: 3,000 of their own would be 225 MB. */
Test(catboost, trees_that_ask_for_one_category_share_its_set) {
    enum { TREES = 1500 };
    const char *begin = strstr(small, "[{\"leaf_values\"") + 1, *end = strstr(begin, "],\"scale_and_bias\"");
    const size_t head = (size_t)(begin - small), tree = (size_t)(end - begin);
    char *text = malloc(strlen(small) + (TREES - 1) * (tree + 1) + 1), *at = text;
    cr_assert_not_null(text);
    at += sprintf(at, "%.*s", (int)head, small);
    for (int i = 0; i < TREES; i++) at += sprintf(at, "%s%.*s", i > 0 ? "," : "", (int)tree, begin);
    strcpy(at, end);
    char *model_text = text_with(text, "", "\"value\":\"3\"", "\"value\":\"600000\"");
    ride_model_scorer *scorer = NULL;
    ride_model *model = load(model_text, strlen(model_text), &scorer, "long sets");
    const double cases[][3] = {{0.5, 600000, 3}, {1, 600000, 4}, {1, 3, 2}, {0.5, 599999, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double out;
        ride_model_score_row(scorer, cases[i], true, &out);
        cr_assert_eq(out, TREES * cases[i][2], "case %zu: %g", i, out);
    }
    ride_model_scorer_destroy(scorer);
    ride_model_destroy(model);
    free(text);
    free(model_text);
}

/* Each of the vector's categories among the model's: in pairs these were 10^10 comparisons, far beyond the limit of time. */
Test(catboost, many_categories_meet_in_any_order, .timeout = 20) {
    enum { CATEGORIES = 150000 };
    const char *list = strstr(small, "[{\"hash\""), *rest = strstr(list, "]");
    char *text = malloc(strlen(small) + 40 * (size_t)CATEGORIES), *at = text;
    char(*texts)[8] = calloc(CATEGORIES, sizeof *texts);
    const char **names = calloc(CATEGORIES, sizeof *names);
    cr_assert(text != NULL && texts != NULL && names != NULL);
    at += sprintf(at, "%.*s[{\"hash\":593172586,\"value\":\"k0\"}", (int)(list - small), small);
    for (uint32_t i = 0; i < CATEGORIES; i++) {
        sprintf(texts[i], "k%u", i);
        names[(i + 7) % CATEGORIES] = texts[i]; /* the model's codes are by hash: its k0 is the last */
        if (i > 0) at += sprintf(at, ",{\"hash\":%u,\"value\":\"k%u\"}", i, i);
    }
    strcpy(at, rest);
    const ride_model_source vector[] = {{.name = "b", .categories = names, .categories_count = CATEGORIES},
                                        {.name = "a"}};
    ride_model_scorer *scorer = NULL;
    ride_model *model = load(text, strlen(text), &scorer, "many");
    ride_bundle_builder *builder = NULL;
    ride_diagnostics findings;
    ride_bundle bundle;
    ride_forest forest;
    ride_error err;
    uint8_t *image;
    uint64_t image_bytes;
    ride_diagnostics_init(&findings);
    cr_assert_eq(model->inputs[1].categories_count, CATEGORIES);
    cr_assert_eq(ride_bundle_builder_create(&builder, &err), RIDE_OK);
    cr_assert_eq(ride_model_to_bundle(model, vector, 2, builder, &findings), RIDE_OK, "%s",
                 findings.count > 0 ? findings.items[0].message : "");
    cr_assert_eq(ride_bundle_builder_build(builder, &image, &image_bytes, &err), RIDE_OK, "%s", err.what);
    cr_assert_eq(ride_bundle_open(image, image_bytes, &bundle, &err), RIDE_OK, "%s", err.what);
    ride_forest_view(&bundle, 0, &forest); /* there is no plan beside it, which a check would ask for */
    cr_assert_eq(forest.header->category_words_count, 1);
    cr_assert_eq(forest.category_words[0], 1u << 7);
    ride_bundle_image_free(image);
    ride_bundle_builder_destroy(builder);
    ride_diagnostics_free(&findings);
    ride_model_scorer_destroy(scorer);
    ride_model_destroy(model);
    free(text);
    free(texts);
    free(names);
}
