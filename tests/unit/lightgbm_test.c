/* LightGBM's text: raw scores that LightGBM 3.3, 4.1 and 4.6 gave (tests/golden/models/make_lightgbm.py), and what damaged files do. */
#include "kernels/cpu/forest.h"
#include "models/score.h"
#include "tests/support/model_bytes.h"
#include "tests/support/slurp.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_MAX = 100, INPUTS = 4, OUTPUTS_MAX = 3 };
static const char *const versions[] = {"3.3.5", "4.1.0", "4.6.0"};

static char *golden(const char *version, const char *tag, const char *ending, size_t *bytes) {
    char path[512];
    const char *top = getenv("RIDE_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/tests/golden/models/lightgbm-%s-%s.%s", top != NULL ? top : ".", version, tag,
             ending);
    return slurp(path, bytes);
}

/* Rows of a golden CSV: inputs (empty = NaN), then margins. */
static uint32_t read_rows(char *text, uint32_t outputs, double *x, double *margins) {
    uint32_t rows = 0;
    for (char *line = strchr(text, '\n') + 1; *line != '\0' && rows < ROWS_MAX; rows++) {
        char *next = strchr(line, '\n') + 1;
        for (uint32_t k = 0; k < INPUTS + outputs; k++) {
            char *cell = strsep(&line, ",\n");
            const double value = *cell != '\0' ? strtod(cell, NULL) : (double)NAN;
            if (k < INPUTS) x[rows * INPUTS + k] = value;
            else margins[rows * outputs + k - INPUTS] = value;
        }
        line = next;
    }
    return rows;
}

static void check_golden(const char *version, const char *tag, uint32_t outputs) {
    static double x[ROWS_MAX * INPUTS], want[ROWS_MAX * OUTPUTS_MAX], block[ROWS_MAX * OUTPUTS_MAX];
    double got[OUTPUTS_MAX];
    size_t bytes, csv_bytes;
    char *text = golden(version, tag, "txt", &bytes), *csv = golden(version, tag, "csv", &csv_bytes);
    ride_diagnostics findings;
    ride_model *model = NULL;
    ride_model_scorer *scorer = NULL;
    ride_diagnostics_init(&findings);
    cr_assert_eq(ride_model_parse("m", text, bytes, NULL, &model, &findings), RIDE_OK, "%s %s: %s", version, tag,
                 findings.count > 0 ? findings.items[0].message : "");
    cr_assert_eq(model->outputs_count, outputs);
    cr_assert_str_eq(model->format, "lightgbm");
    cr_assert(model->inputs[3].is_category && !model->inputs[0].is_category);
    cr_assert_eq(ride_model_scorer_create(model, &scorer, &findings), RIDE_OK);
    const uint32_t rows = read_rows(csv, outputs, x, want);
    cr_assert_eq(rows, 60);
    for (uint32_t r = 0; r < rows; r++) {
        ride_model_score_row(scorer, &x[r * INPUTS], true, got);
        for (uint32_t k = 0; k < outputs; k++)
            cr_assert_eq(got[k], want[r * outputs + k], "%s %s row %u output %u: %.17g, LightGBM %.17g", version, tag,
                         r, k, got[k], want[r * outputs + k]);
    }
    ride_cpu_forest *forest = NULL;
    ride_error err;
    cr_assert_eq(ride_cpu_forest_create(ride_model_scorer_forest(scorer), ride_cpu_isa_best(), &forest, &err), RIDE_OK);
    void *scratch = aligned_alloc(64, (ride_cpu_forest_scratch_bytes(forest) + 63) / 64 * 64);
    cr_assert_not_null(scratch);
    for (uint32_t count = 1; count <= rows; count += 13) { /* the CPU's block scorer */
        const ride_cpu_matrix matrix = {x, RIDE_FOREST_F64, INPUTS, 1};
        ride_cpu_forest_matrix(forest, scratch, &matrix, count, block);
        for (uint32_t i = 0; i < count * outputs; i++) cr_assert_eq(block[i], want[i]);
    }
    free(scratch);
    ride_cpu_forest_destroy(forest);
    ride_model_scorer_destroy(scorer);
    ride_model_destroy(model);
    ride_diagnostics_free(&findings);
    free(text);
    free(csv);
}

Test(lightgbm, raw_scores_are_those_of_lightgbm_bit_for_bit) {
    for (size_t v = 0; v < sizeof versions / sizeof *versions; v++) {
        check_golden(versions[v], "binary", 1);
        check_golden(versions[v], "zero", 1);
        check_golden(versions[v], "forest", 1);
        check_golden(versions[v], "plain", 1);
        check_golden(versions[v], "linear", 1);
        check_golden(versions[v], "multi", 3);
    }
}

/* Each node's rows are those of its children; `count` came to the first root. */
static void check_covers(const ride_model *model, double count) {
    ride_diagnostics findings;
    ride_model_scorer *scorer = NULL;
    ride_diagnostics_init(&findings);
    cr_assert_eq(ride_model_scorer_create(model, &scorer, &findings), RIDE_OK);
    const ride_forest *forest = ride_model_scorer_forest(scorer);
    cr_assert_not_null(forest->covers);
    cr_assert_eq(forest->covers[0], count);
    for (uint32_t t = 0; t < forest->header->trees_count; t++) {
        const double *covers = forest->covers + forest->trees[t].nodes_first;
        for (uint32_t i = 0; i < forest->trees[t].nodes_count; i++) {
            const ride_forest_node *node = &forest->nodes[forest->trees[t].nodes_first + i];
            if ((node->input & RIDE_NODE_LEAF) == 0)
                cr_assert_eq(covers[i], covers[node->left] + covers[node->left + 1]);
        }
    }
    ride_model_scorer_destroy(scorer);
}

Test(lightgbm, covers_are_the_training_rows_of_each_node) {
    size_t bytes;
    char *text = golden("4.6.0", "binary", "txt", &bytes);
    for (int turn = 0; turn < 2; turn++) {
        ride_diagnostics findings;
        ride_model *model = NULL;
        ride_diagnostics_init(&findings);
        cr_assert_eq(ride_model_parse("m", text, bytes, NULL, &model, &findings), RIDE_OK);
        if (turn == 0) check_covers(model, 800.0);
        else {
            ride_model_scorer *scorer = NULL;
            cr_assert_eq(ride_model_scorer_create(model, &scorer, &findings), RIDE_OK);
            cr_assert_null(ride_model_scorer_forest(scorer)->covers, "one tree does not say");
            ride_model_scorer_destroy(scorer);
        }
        ride_model_destroy(model);
        memcpy(strstr(strstr(text, "Tree=2"), "leaf_count"), "leaf_other", 10);
    }
    free(text);
}

Test(lightgbm, every_truncation_before_the_end_of_trees_is_refused) {
    size_t bytes;
    char why[256], *text = golden("4.6.0", "zero", "txt", &bytes);
    cr_assert_eq(try_bytes(text, bytes, why), RIDE_OK);
    const size_t end = (size_t)(strstr(text, "end of trees") - text);
    for (size_t n = 0; n < end; n += 1 + n / 200) cr_assert_eq(try_bytes(text, n, why), RIDE_E_MODEL, "%zu bytes", n);
    free(text);
}

static const char small[] =
    "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=1\n"
    "objective=binary sigmoid:1\nfeature_names=a b\nfeature_infos=[0:1] 2:0:1\ntree_sizes=1\n\n"
    "Tree=0\nnum_leaves=3\nnum_cat=1\nsplit_feature=0 1\nthreshold=0.5 0\ndecision_type=2 1\n"
    "left_child=1 -1\nright_child=-2 -3\nleaf_value=1 2 3\ncat_boundaries=0 1\ncat_threshold=5\n"
    "is_linear=0\nshrinkage=1\n\n\nend of trees\n\npandas_categorical:[[\"x\", \"y\", \"z\"]]\n";

Test(lightgbm, what_is_wrong_is_named) {
    char why[256];
    cr_assert_eq(try_bytes(small, strlen(small), why), RIDE_OK, "%s", why);
    refuse_after(small, "tree", "version=v4", "version=v9", "version");
    refuse_after(small, "tree", "num_class=1", "num_class=x", "num_class");
    refuse_after(small, "tree", "num_class=1", "num_class=100000", "num_class");
    refuse_after(small, "tree", "iteration=1", "iteration=2", "whole iterations");
    refuse_after(small, "tree", "idx=1", "idx=7", "2 names for 8 features");
    refuse_after(small, "tree", "idx=1", "idx=2000000000", "max_feature_idx");
    refuse_after(small, "tree", "=a b", "=a a", "twice");
    refuse_after(small, "tree", "binary", "magic", "`magic` is not supported");
    refuse_after(small, "tree", "sigmoid:1", "sigmoid:-1", "sigmoid");
    refuse_after(small, "tree", "binary", "multiclass", "one class");
    refuse_after(small, "Tree=0", "num_leaves=3", "num_leaves=1000000000", "num_leaves");
    refuse_after(small, "Tree=0", "num_leaves=3", "num_leaves=4", "leaf_value");
    refuse_after(small, "Tree=0", "num_leaves=3", "num_leaves=-3", "num_leaves");
    refuse_after(small, "Tree=0", "feature=0 1", "feature=0 2", "split_feature");
    refuse_after(small, "Tree=0", "feature=0 1", "feature=0", "cut short");
    refuse_after(small, "Tree=0", "feature=0 1", "feature=0 1 1", "longer");
    refuse_after(small, "Tree=0", "threshold=0.5", "threshold=nan", "threshold");
    refuse_after(small, "Tree=0", "threshold=0.5 0", "threshold=0.5 1", "no set");
    refuse_after(small, "Tree=0", "threshold=0.5 0", "threshold=0.5 0.5", "no set");
    refuse_after(small, "Tree=0", "threshold=0.5 0\ndecision_type=2 1", "threshold=0 0\ndecision_type=1 1", "no set");
    refuse_after(small, "Tree=0", "type=2 1", "type=12 1", "decision_type");
    refuse_after(small, "Tree=0", "left_child=1 -1", "left_child=0 -1", "twice");
    refuse_after(small, "Tree=0", "left_child=1 -1", "left_child=1 -3", "twice");
    refuse_after(small, "Tree=0", "left_child=1 -1", "left_child=5 -1", "not there");
    refuse_after(small, "Tree=0", "left_child=1 -1", "left_child=1 -4", "not there");
    refuse_after(small, "Tree=0", "left_child=1 -1", "left_child=1 -9223372036854775808", "not there");
    refuse_after(small, "Tree=0", "leaf_value=1", "leaf_value=inf", "finite");
    refuse_after(small, "Tree=0", "boundaries=0 1", "boundaries=0 2", "cat_threshold");
    refuse_after(small, "Tree=0", "boundaries=0 1", "boundaries=1 1", "begin at 0");
    refuse_after(small, "Tree=0", "boundaries=0 1", "boundaries=0 99999999", "too large");
    refuse_after(small, "Tree=0", "cat_threshold=5", "cat_threshold=5 5", "more words");
    refuse_after(small, "Tree=0", "cat_threshold=5", "cat_threshold=-5", "32 bits");
    refuse_after(small, "Tree=0", "is_linear=0", "is_linear=2", "neither 0 nor 1");
    refuse_after(small, "Tree=0", "is_linear=0", "is_linear=1", "leaf_const");
    refuse_after(small, "Tree=0", "end of trees", "and so on", "`end of trees` is missing");
    refuse_after(small, "pandas", "[[", "[[], [", "which are whose");
    refuse_after(small, "pandas", "\"y\"", "1.5", "neither a string");
}

#define LINES                                                                                                          \
    "is_linear=1\nleaf_const=0.1 20 30\nnum_features=2 0 1\nleaf_features=0 1   1  \nleaf_coeff=0.7 0.3   -2  \n"

Test(lightgbm, what_is_wrong_with_linear_leaves_is_named) {
    char why[256], *linear = text_with(small, "Tree=0", "is_linear=0\n", LINES);
    cr_assert_eq(try_bytes(linear, strlen(linear), why), RIDE_OK, "%s", why);
    refuse_after(linear, "Tree=0", "leaf_const=0.1", "leaf_const=nan", "leaf_const");
    refuse_after(linear, "Tree=0", "leaf_const=0.1", "leaf_const=1 0.1", "longer");
    refuse_after(linear, "Tree=0", "leaf_const=0.1 20", "leaf_const=0.1", "leaf_const");
    refuse_after(linear, "Tree=0", "num_features=2 0 1", "num_features=2 0", "num_features");
    refuse_after(linear, "Tree=0", "num_features=2 0 1", "num_features=2 0 3", "num_features");
    refuse_after(linear, "Tree=0", "num_features=2 0 1", "num_features=2 0 2", "leaf_features");
    refuse_after(linear, "Tree=0", "num_features=2 0 1", "num_features=2 0 0", "longer");
    refuse_after(linear, "Tree=0", "num_features=2 0 1", "num_features=-2 0 1", "num_features");
    refuse_after(linear, "Tree=0", "leaf_features=0 1", "leaf_features=0 2", "leaf_features");
    refuse_after(linear, "Tree=0", "leaf_features=0 1", "leaf_features=0 -1", "leaf_features");
    refuse_after(linear, "Tree=0", "leaf_coeff=0.7", "leaf_coeff=inf", "leaf_coeff");
    refuse_after(linear, "Tree=0", "leaf_coeff=0.7 0.3", "leaf_coeff=0.7", "leaf_coeff");
    refuse_after(linear, "Tree=0", "leaf_coeff=0.7", "leaf_other=0.7", "leaf_coeff");
    free(linear);
}

static double score(const char *text, double a, double b) {
    ride_diagnostics findings;
    ride_model *model = NULL;
    ride_model_scorer *scorer = NULL;
    const double row[2] = {a, b};
    double out = 0;
    ride_diagnostics_init(&findings);
    cr_assert_eq(ride_model_parse("m", text, strlen(text), NULL, &model, &findings), RIDE_OK);
    cr_assert_eq(ride_model_scorer_create(model, &scorer, &findings), RIDE_OK);
    ride_model_score_row(scorer, row, true, &out);
    ride_model_scorer_destroy(scorer);
    ride_model_destroy(model);
    return out;
}

/* By the rules that the head of lightgbm_trees.c states, not by the program. */
/* Until 2.2.2 the leaves of an average were answers already, and the file does not say so. */
Test(lightgbm, an_average_of_a_time_that_is_not_known_is_refused) {
    char why[256], *old = text_with(small, "tree", "version=v4", "version=v2\naverage_output");
    cr_assert_eq(try_bytes(old, strlen(old), why), RIDE_E_MODEL);
    cr_assert_not_null(strstr(why, "2.2.2"), "%s", why);
    char *plain = text_with(old, "tree", "binary sigmoid:1", "regression");
    cr_assert_eq(try_bytes(plain, strlen(plain), why), RIDE_OK, "%s", why);
    free(plain);
    free(old);
}

Test(lightgbm, what_is_missing_goes_where_the_node_says) {
    const double inf = (double)INFINITY, nan = (double)NAN;
    cr_assert_eq(score(small, 0.5, 0), 1); /* x <= threshold, 0 is a member of 101b */
    cr_assert_eq(score(small, 0.5, 1), 3);
    cr_assert_eq(score(small, 0.5, 2.9), 1);
    cr_assert_eq(score(small, 0.5, -0.9), 1); /* truncated to 0 */
    cr_assert_eq(score(small, 0.5, -1), 3);
    cr_assert_eq(score(small, 0.5, nan), 3);
    cr_assert_eq(score(small, 0.5, 1e300), 3);
    cr_assert_eq(score(small, 0.50000000000000011, 0), 2);
    cr_assert_eq(score(small, nan, 0), 1); /* nothing is missing: NaN is 0, and 0 <= 0.5 */
    char *nan_right = text_with(small, "Tree=0", "type=2 1", "type=8 1"),
         *zero_right = text_with(small, "Tree=0", "type=2 1", "type=4 1");
    char *all_left = text_with(nan_right, "Tree=0", "threshold=0.5", "threshold=inf");
    cr_assert_eq(score(nan_right, nan, 0), 2);
    cr_assert_eq(score(nan_right, 0, 0), 1);
    cr_assert_eq(score(zero_right, 0, 0), 2);
    cr_assert_eq(score(zero_right, -1e-35, 0), 2);
    cr_assert_eq(score(zero_right, 1.1e-35, 0), 1);
    cr_assert_eq(score(zero_right, nan, 0), 2);
    cr_assert_eq(score(all_left, inf, 0), 1);
    cr_assert_eq(score(all_left, nan, 0), 2);
    free(nan_right);
    free(zero_right);
    free(all_left);
}

Test(lightgbm, linear_leaves_multiply_what_is_not_missing) {
    const double inf = (double)INFINITY, nan = (double)NAN;
    char *linear = text_with(small, "Tree=0", "is_linear=0\n", LINES);
    const double first = 0.7 * 0.25, then = 0.1 + first;
    cr_assert_eq(score(linear, 0.25, 2), then + 0.3 * 2.0);
    cr_assert_eq(score(linear, nan, 0), 1, "a term's input is missing: the leaf's own value");
    cr_assert_eq(score(linear, 1, nan), 20, "no terms: the constant, whatever is missing");
    cr_assert_eq(score(linear, 0.5, 1), 30 - 2.0);
    cr_assert_eq(score(linear, 0.5, nan), 3);
    cr_assert_eq(score(linear, -inf, 0), -inf);
    cr_assert_eq(score(linear, 1e-36, 0), 0.1, "what LightGBM's reader makes zero");
    free(linear);
}
