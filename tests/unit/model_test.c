/* Models: margins against files and values that XGBoost 1.7, 2.1, 3.0 and 3.2 wrote themselves (tests/golden/models), and what a
 * damaged or hostile file does. */
#include "base/number.h"
#include "kernels/cpu/forest.h"
#include "kernels/row/tree.h"
#include "models/compile.h"
#include "models/info.h"
#include "models/score.h"
#include "tests/support/model_bytes.h"
#include "tests/support/slurp.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_MAX = 100, INPUTS = 4, OUTPUTS_MAX = 3 };
static const char *const versions[] = {"1.7.6", "2.1.4", "3.0.5", "3.2.0"};

static const char *golden(const char *version, const char *tag, const char *ending) {
    static char path[2][512];
    static int turn;
    const char *top = getenv("RIDE_SOURCE_DIR");
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/tests/golden/models/xgboost-%s-%s.%s", top != NULL ? top : ".", version,
             tag, ending);
    return path[turn];
}

/* Rows of a golden CSV: inputs (empty = NaN), then margins. */
static uint32_t read_rows(const char *path, uint32_t outputs, double *x, double *margins) {
    char line[512];
    uint32_t rows = 0;
    FILE *file = fopen(path, "r");
    cr_assert(file != NULL && fgets(line, sizeof line, file) != NULL, "%s", path);
    while (fgets(line, sizeof line, file) != NULL && rows < ROWS_MAX) {
        char *at = line;
        for (uint32_t k = 0; k < INPUTS + outputs; k++) {
            char *cell = strsep(&at, ",\n");
            double value = *cell != '\0' ? strtod(cell, NULL) : NAN;
            if (k < INPUTS) x[rows * INPUTS + k] = value;
            else margins[rows * outputs + k - INPUTS] = value;
        }
        rows++;
    }
    fclose(file);
    return rows;
}

static void check_golden(const char *version, const char *tag, const char *ending, uint32_t outputs) {
    static double x[ROWS_MAX * INPUTS], want[ROWS_MAX * OUTPUTS_MAX], block[ROWS_MAX * OUTPUTS_MAX];
    ride_diagnostics findings;
    ride_model *model = NULL;
    ride_model_scorer *scorer = NULL;
    double got[OUTPUTS_MAX];
    ride_diagnostics_init(&findings);
    cr_assert_eq(ride_model_load(golden(version, tag, ending), NULL, &model, &findings), RIDE_OK, "%s %s: %s", version,
                 tag, findings.count > 0 ? findings.items[0].message : "");
    cr_assert_eq(model->outputs_count, outputs);
    cr_assert_eq(ride_model_scorer_create(model, &scorer, &findings), RIDE_OK);
    uint32_t rows = read_rows(golden(version, tag, "csv"), outputs, x, want);
    cr_assert_eq(rows, 60);
    for (uint32_t r = 0; r < rows; r++) {
        ride_model_score_row(scorer, &x[r * INPUTS], true, got);
        for (uint32_t k = 0; k < outputs; k++)
            cr_assert_eq(got[k], (double)(float)want[r * outputs + k], "%s %s row %u output %u: %.9g, XGBoost %.9g",
                         version, tag, r, k, got[k], want[r * outputs + k]);
    }
    /* The CPU's block scorer: the same bits, also for a part of a block. */
    ride_cpu_forest *forest = NULL;
    ride_error err;
    cr_assert_eq(ride_cpu_forest_create(ride_model_scorer_forest(scorer), ride_cpu_isa_best(), &forest, &err), RIDE_OK);
    void *scratch = aligned_alloc(64, (ride_cpu_forest_scratch_bytes(forest) + 63) / 64 * 64);
    cr_assert_not_null(scratch);
    for (uint32_t count = 1; count <= rows; count += 13) {
        const ride_cpu_matrix matrix = {x, RIDE_FOREST_F64, INPUTS, 1};
        ride_cpu_forest_matrix(forest, scratch, &matrix, count, block);
        for (uint32_t i = 0; i < count * outputs; i++) cr_assert_eq(block[i], (double)(float)want[i]);
    }
    free(scratch);
    ride_cpu_forest_destroy(forest);
    ride_model_scorer_destroy(scorer);
    ride_model_destroy(model);
    ride_diagnostics_free(&findings);
}

Test(model, margins_are_those_of_xgboost_bit_for_bit) {
    for (size_t v = 0; v < 4; v++) {
        check_golden(versions[v], "plain", "json", 1);
        check_golden(versions[v], "dart", "json", 1);
        check_golden(versions[v], "dart", "ubj", 1);
        check_golden(versions[v], "multi", "json", 3);
    }
    for (size_t v = 2; v < 4; v++) { /* leaves of several values, in base_weights and in leaf_weights */
        check_golden(versions[v], "vector-multi", "json", 3);
        check_golden(versions[v], "vector-multi", "ubj", 3);
    }
}

Test(model, covers_are_the_sums_of_second_derivatives) {
    for (size_t v = 0; v < sizeof versions / sizeof *versions; v++) {
        ride_diagnostics findings;
        ride_model *model = NULL;
        ride_model_scorer *scorer = NULL;
        ride_diagnostics_init(&findings);
        cr_assert_eq(ride_model_load(golden(versions[v], "plain", "json"), NULL, &model, &findings), RIDE_OK);
        cr_assert_eq(ride_model_scorer_create(model, &scorer, &findings), RIDE_OK);
        const ride_forest *forest = ride_model_scorer_forest(scorer);
        cr_assert_not_null(forest->covers);
        for (uint32_t t = 0; t < forest->header->trees_count; t++) {
            const double *covers = forest->covers + forest->trees[t].nodes_first;
            for (uint32_t i = 0; i < forest->trees[t].nodes_count; i++) {
                const ride_forest_node *node = &forest->nodes[forest->trees[t].nodes_first + i];
                cr_assert_gt(covers[i], 0.0);
                if ((node->input & RIDE_NODE_LEAF) == 0)
                    cr_assert_float_eq(covers[i], covers[node->left] + covers[node->left + 1], 1e-5 * covers[i]);
            }
        }
        ride_model_scorer_destroy(scorer);
        ride_model_destroy(model);
    }
}

Test(model, every_truncation_is_refused) {
    static const char *const endings[] = {"json", "ubj"};
    for (int e = 0; e < 2; e++) {
        size_t bytes;
        char why[256], *data = slurp(golden("3.2.0", "dart", endings[e]), &bytes);
        cr_assert_eq(try_bytes(data, bytes, why), RIDE_OK);
        for (size_t n = 0; n < bytes; n++) cr_assert_eq(try_bytes(data, n, why), RIDE_E_MODEL, "%zu bytes", n);
        free(data);
    }
}

Test(model, a_changed_byte_never_crashes) {
    size_t bytes;
    char why[256], *data = slurp(golden("3.2.0", "dart", "json"), &bytes);
    static const char with[] = "09-]}\",.eN";
    for (size_t n = 0; n < bytes; n++) {
        char was = data[n];
        data[n] = with[n % (sizeof with - 1)];
        try_bytes(data, bytes, why);
        data[n] = was;
    }
    free(data);
}

/* The first `what` replaced by as many bytes. */
static void refuse_vector(const char *version, const char *what, const char *by) {
    size_t bytes;
    char why[256], *data = slurp(golden(version, "vector-multi", "json"), &bytes), *at = strstr(data, what);
    cr_assert(at != NULL && strlen(what) == strlen(by), "%s", what);
    memcpy(at, by, strlen(by));
    cr_assert_eq(try_bytes(data, bytes, why), RIDE_E_MODEL, "%s: %s → %s", version, what, by);
    free(data);
}

Test(model, leaves_of_several_values_must_fit_the_outputs) {
    for (size_t v = 2; v < 4; v++) {
        refuse_vector(versions[v], "\"size_leaf_vector\":\"3\"", "\"size_leaf_vector\":\"4\"");
        refuse_vector(versions[v], "\"size_leaf_vector\":\"3\"", "\"size_leaf_vector\":\"1\""); /* one tree only */
        refuse_vector(versions[v], "\"size_leaf_vector\":\"3\"", "\"size_leaf_vector\":\"x\"");
        refuse_vector(versions[v], v == 2 ? "\"base_weights\"" : "\"leaf_weights\"",
                      v == 2 ? "\"base_heights\"" : "\"leaf_heights\"");
    }
}

Test(model, names_meet_the_vector_in_any_order_and_a_mismatch_lists_both_sides) {
    ride_diagnostics findings;
    ride_model *model = NULL;
    ride_error err;
    ride_diagnostics_init(&findings);
    cr_assert_eq(ride_model_load(golden("3.2.0", "plain", "json"), NULL, &model, &findings), RIDE_OK);
    const ride_model_source good[] = {
        {.name = "kind"}, {.name = "extra"}, {.name = "gap"}, {.name = "amount"}, {.name = "age"}};
    const ride_model_source bad[] = {{.name = "kind"}, {.name = "gaps"}, {.name = "amount"}, {.name = "age"}};
    ride_bundle_builder *builder = NULL;
    cr_assert_eq(ride_bundle_builder_create(&builder, &err), RIDE_OK);
    cr_assert_eq(ride_model_to_bundle(model, good, 5, builder, &findings), RIDE_OK);
    ride_bundle_builder_destroy(builder);
    cr_assert_eq(ride_bundle_builder_create(&builder, &err), RIDE_OK);
    cr_assert_eq(ride_model_to_bundle(model, bad, 4, builder, &findings), RIDE_E_MODEL);
    cr_assert_not_null(strstr(findings.items[0].message, "amount, age, gap, kind"));
    cr_assert_not_null(strstr(findings.items[0].message, "kind, gaps, amount, age"));
    ride_bundle_builder_destroy(builder);
    ride_model_destroy(model);
    ride_diagnostics_free(&findings);
}

Test(model, info_tells_what_the_file_holds) {
    ride_diagnostics findings;
    ride_model *model = NULL;
    ride_diagnostics_init(&findings);
    cr_assert_eq(ride_model_load(golden("1.7.6", "dart", "json"), NULL, &model, &findings), RIDE_OK);
    char *json = ride_model_info(model, RIDE_INFO_JSON), *text = ride_model_info(model, RIDE_INFO_TEXT);
    cr_assert(json != NULL && text != NULL);
    cr_assert_not_null(strstr(json, "\"written_by\":\"1.7.6\",\"booster\":\"dart\",\"objective\":\"binary:logistic\""));
    cr_assert_not_null(strstr(json, "{\"name\":\"kind\",\"category\":true}]}"));
    cr_assert_not_null(strstr(text, "amount, age, gap, kind\n"));
    free(json);
    free(text);
    ride_model_destroy(model);
}

Test(model, best_iteration_is_an_option_and_all_trees_the_default) {
    size_t bytes;
    char *data = slurp(golden("1.7.6", "plain", "json"), &bytes);
    data[bytes] = '\0';
    char *at = strstr(data, "\"best_iteration\":\"3\"");
    cr_assert_not_null(at);
    at[18] = '1';
    for (int option = 0; option < 2; option++) {
        ride_diagnostics findings;
        ride_model *model = NULL;
        ride_model_options options = {.best_iteration = option == 1};
        ride_diagnostics_init(&findings);
        cr_assert_eq(ride_model_parse("m", data, bytes, &options, &model, &findings), RIDE_OK);
        cr_assert_eq(model->trees_count, option == 1 ? 2 : 4);
        cr_assert_eq(model->best_iteration, 1);
        ride_model_destroy(model);
    }
    free(data);
}
