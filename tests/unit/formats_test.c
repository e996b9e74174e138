/* Models of ONNX, treelite and XGBoost's other objectives: what ONNX Runtime, treelite's own predictor and XGBoost said (tests/golden/onnx/make_onnx.py,
 * tests/golden/treelite/make_treelite.py, tests/golden/xgboost/make_xgboost.py). */
#include "models/score.h"
#include "tests/support/slurp.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 50, INPUTS = 4, OUTPUTS_MAX = 3, COLUMNS_MAX = INPUTS + 2 * OUTPUTS_MAX };

typedef struct golden {
    const char *tag;
    uint32_t outputs;
    enum { EXACT, MEAN, NETWORK } margins; /* to the bit; the file has means and RIDE sums; the file has none */
    double bound;                          /* of answers, relative; 0: to the bit */
} golden;

#define TWO_ULPS_F32 0x1p-22 /* at most; a number's last place is 2^-24 to 2^-23 of it */
#define TWO_ULPS_F64 0x1p-51
#define OF_A_NETWORK 2e-6

static const golden of_onnx[] = {
    {"forest", 1, EXACT, 0},
    {"forest3", 3, EXACT, 0},
    {"extra2", 2, EXACT, 0},
    {"boosted", 1, EXACT, TWO_ULPS_F32},
    {"boosted3", 3, EXACT, TWO_ULPS_F32},
    {"boosted_number", 1, EXACT, 0},
    {"lightgbm", 1, EXACT, TWO_ULPS_F32},
    {"xgboost", 1, EXACT, TWO_ULPS_F32},
    {"rules", 1, EXACT, 0},
    {"least", 1, EXACT, 0},
    {"greatest", 1, EXACT, 0},
    {"average", 1, MEAN, 0},
    {"probit", 1, EXACT, 1e-5}, /* differences of floats that cancel */
    {"zero3", 3, EXACT, TWO_ULPS_F32},
    {"logistic_trees3", 3, EXACT, TWO_ULPS_F32},
    {"doubles3", 3, EXACT, 0},
    {"members3", 3, EXACT, 0},
    {"scaled_forest", 1, EXACT, 0},
    {"columns_forest", 1, EXACT, 0},
    {"columns", 1, NETWORK, OF_A_NETWORK},
    {"logistic", 1, NETWORK, OF_A_NETWORK},
    {"logistic3", 3, NETWORK, OF_A_NETWORK},
    {"pipeline", 1, NETWORK, OF_A_NETWORK},
    {"ridge", 1, NETWORK, OF_A_NETWORK},
    {"mlp", 1, NETWORK, OF_A_NETWORK},
    {"mlp3", 3, NETWORK, OF_A_NETWORK},
    {"mlp_number", 1, NETWORK, OF_A_NETWORK},
};

static const golden of_treelite[] = {
    {"forest_two_classes", 1, MEAN, 0},
    {"forest3", 3, MEAN, 0},
    {"extra2", 2, MEAN, 0},
    {"boosted", 1, EXACT, TWO_ULPS_F64},
    {"isolation", 1, MEAN, TWO_ULPS_F64},
    {"lightgbm", 1, EXACT, TWO_ULPS_F64},
    {"lightgbm3", 3, EXACT, TWO_ULPS_F64},
    {"lightgbm_counts", 1, EXACT, TWO_ULPS_F64},
    {"xgboost", 1, EXACT, TWO_ULPS_F32},
    {"xgboost3", 3, EXACT, TWO_ULPS_F32},
};

static const golden of_xgboost[] = {
    {"poisson", 1, EXACT, TWO_ULPS_F32},
    {"gamma", 1, EXACT, TWO_ULPS_F32},
    {"tweedie", 1, EXACT, TWO_ULPS_F32},
    {"cox", 1, EXACT, TWO_ULPS_F32},
    {"aft", 1, EXACT, TWO_ULPS_F32},
    {"rank", 1, EXACT, 0},
    {"absolute", 1, EXACT, 0},
    {"hinge", 1, EXACT, 0},
    {"huber", 1, EXACT, 0},
    {"logs", 1, EXACT, 0},
    {"quantile2", 2, EXACT, 0},
    {"softmax3", 3, EXACT, TWO_ULPS_F32},
    {"linear", 1, NETWORK, OF_A_NETWORK},
    {"linear3", 3, NETWORK, OF_A_NETWORK},
};

static char *slurp_golden(const char *folder, const char *tag, const char *ending, size_t *bytes) {
    char path[512];
    const char *top = getenv("RIDE_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/tests/golden/%s/%s.%s", top != NULL ? top : ".", folder, tag, ending);
    return slurp(path, bytes);
}

/* Rows of a golden CSV, after its head; empty = NaN. */
static void read_rows(char *text, double x[ROWS][COLUMNS_MAX], uint32_t columns) {
    char *line = text;
    const char *head = strsep(&line, "\n");
    uint32_t commas = 0;
    for (; *head != '\0'; head++) commas += *head == ',';
    cr_assert_eq(commas + 1, columns);
    for (uint32_t r = 0; r < ROWS; r++) {
        char *row = strsep(&line, "\n");
        for (uint32_t k = 0; k < columns; k++) {
            const char *cell = strsep(&row, ",");
            x[r][k] = *cell != '\0' ? strtod(cell, NULL) : (double)NAN;
        }
    }
    cr_assert_str_empty(line);
}

/* A sum of doubles may have been written as a float. */
static bool is_same(double got, double want) {
    return got == want || (double)(float)got == want || (isnan(got) && isnan(want));
}

static void check_golden(const char *folder, const char *ending, const golden *g) {
    static double rows[ROWS][COLUMNS_MAX];
    double got[OUTPUTS_MAX];
    size_t bytes, csv_bytes;
    char *text = slurp_golden(folder, g->tag, ending, &bytes), *csv = slurp_golden(folder, g->tag, "csv", &csv_bytes);
    const uint32_t margins = g->margins == NETWORK ? 0 : g->outputs;
    ride_diagnostics findings;
    ride_model *model = NULL;
    ride_model_scorer *scorer = NULL;
    ride_diagnostics_init(&findings);
    cr_assert_eq(ride_model_parse(g->tag, text, bytes, NULL, &model, &findings), RIDE_OK, "%s: %s", g->tag,
                 findings.count > 0 ? findings.items[0].message : "");
    cr_assert_eq(ride_model_scorer_create(model, &scorer, &findings), RIDE_OK, "%s: %s", g->tag,
                 findings.count > 0 ? findings.items[0].message : "");
    cr_assert_str_eq(model->format, folder);
    cr_assert_eq(model->outputs_count, g->outputs, "%s", g->tag);
    cr_assert_eq(model->inputs_count, INPUTS, "%s", g->tag);
    read_rows(csv, rows, INPUTS + margins + g->outputs);
    for (uint32_t r = 0; r < ROWS; r++) {
        ride_model_score_row(scorer, rows[r], true, got);
        for (uint32_t k = 0; k < margins && g->margins == EXACT; k++)
            cr_assert(is_same(got[k], rows[r][INPUTS + k]), "%s row %u margin %u: %.17g, not %.17g", g->tag, r, k,
                      got[k], rows[r][INPUTS + k]);
        ride_model_score_row(scorer, rows[r], false, got);
        for (uint32_t k = 0; k < g->outputs; k++) {
            const double want = rows[r][INPUTS + margins + k];
            const double scale = g->margins == NETWORK ? fmax(fabs(want), 1.0) : fabs(want);
            cr_assert(is_same(got[k], want) || fabs(got[k] - want) <= g->bound * scale,
                      "%s row %u answer %u: %.17g, not %.17g", g->tag, r, k, got[k], want);
        }
    }
    ride_model_scorer_destroy(scorer);
    ride_model_destroy(model);
    ride_diagnostics_free(&findings);
    free(text);
    free(csv);
}

Test(formats, onnx_has_the_margins_of_onnx_runtime) {
    for (size_t i = 0; i < sizeof of_onnx / sizeof *of_onnx; i++) check_golden("onnx", "onnx", &of_onnx[i]);
}

Test(formats, treelite_has_the_margins_of_its_predictor) {
    for (size_t i = 0; i < sizeof of_treelite / sizeof *of_treelite; i++)
        check_golden("treelite", "checkpoint", &of_treelite[i]);
}

Test(formats, xgboost_has_the_margins_of_every_objective) {
    for (size_t i = 0; i < sizeof of_xgboost / sizeof *of_xgboost; i++) check_golden("xgboost", "json", &of_xgboost[i]);
}

/* The first `what` replaced. */
static void refuse(const char *tag, const char *what, const char *by, const char *message) {
    size_t bytes;
    char *text = slurp_golden("xgboost", tag, "json", &bytes), *at = strstr(text, what);
    ride_diagnostics findings;
    ride_model *model = NULL;
    cr_assert_not_null(at, "%s", what);
    char *bad = malloc(bytes + strlen(by) + 1);
    cr_assert_not_null(bad);
    sprintf(bad, "%.*s%s%s", (int)(at - text), text, by, at + strlen(what));
    ride_diagnostics_init(&findings);
    cr_assert_eq(ride_model_parse(tag, bad, strlen(bad), NULL, &model, &findings), RIDE_E_MODEL, "%s", by);
    cr_assert_not_null(strstr(findings.items[0].message, message), "%s: %s", by, findings.items[0].message);
    ride_diagnostics_free(&findings);
    free(bad);
    free(text);
}

Test(formats, what_is_wrong_with_a_linear_model_or_a_mean_is_named) {
    refuse("linear", "\"weights\":[", "\"weights\":[1,", "6 entries for 4 inputs and 1 outputs");
    refuse("linear", "\"weights\":[", "\"weights\":[\"x\",", "entries");
    refuse("linear", "\"weights\"", "\"height\"", "0 entries");
    refuse("linear", "\"num_feature\":\"4\"", "\"num_feature\":\"0\"", "0 inputs");
    refuse("cox", "\"base_score\":\"[", "\"base_score\":\"[-", "is not above 0");
    refuse("rank", "rank:ndcg", "rank:beauty", "`rank:beauty` is not supported");
}
