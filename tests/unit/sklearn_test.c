/* Models of scikit-learn: what scikit-learn 1.4, 1.7 and 1.9 themselves said (tests/golden/sklearn/make.py), and what damaged files do. */
#include "models/score.h"
#include "tests/support/alloc_peak.h"
#include "tests/support/model_bytes.h"
#include "tests/support/slurp.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 40, INPUTS = 4, OUTPUTS_MAX = 3, COLUMNS_MAX = INPUTS + 2 * OUTPUTS_MAX };
static const char *const versions[] = {"1.4.2", "1.7.2", "1.9.1"};

typedef struct golden {
    const char *tag;
    uint32_t outputs;
    double margin_bound, answer_bound; /* relative; 0: to the bit; margins below 0: scikit-learn's are not ours */
} golden;

enum { ULPS = 2 };
#define TWO_ULPS (ULPS * 0x1p-52)

static const golden goldens[] = {
    {"tree", 1, 0, 0},
    {"forest", 1, 0, 0},
    {"forest-three", 3, 0, 0},
    {"extra", 1, 0, 0},
    {"regress", 2, 0, 0},
    {"boost", 1, 0, TWO_ULPS},
    {"boost-exp", 1, 0, TWO_ULPS},
    {"boost-three", 3, 0, TWO_ULPS},
    {"boost-huber", 1, 0, 0},
    {"hist", 1, 0, TWO_ULPS},
    {"hist-plain", 1, 0, TWO_ULPS},
    {"hist-three", 3, 0, TWO_ULPS},
    {"isolation", 1, 0, 1e-7},
    {"isolation-columns", 1, 0, 1e-7},
    {"logistic", 1, 1e-12, 1e-12},
    {"logistic-three", 3, 1e-12, 1e-12},
    {"one-against-rest", 3, -1, 1e-12},
    {"columns", 1, 1e-12, 1e-12},
    {"svm", 1, 1e-12, 1e-12},
    {"linear", 1, 1e-12, 1e-12},
    {"poisson", 1, 1e-12, 1e-12},
    {"discriminant", 3, 1e-12, 1e-12},
    {"mlp", 1, 1e-12, 1e-12},
    {"mlp-three", 3, 1e-12, 1e-12},
    {"mlp-deep", 1, 1e-12, 1e-12},
    {"scaled-forest", 1, 0, 0},
    {"voting", 3, -1, 1e-12},
    {"bagging", 1, -1, TWO_ULPS},
    {"platt", 1, -1, 1e-12},
    {"isotonic", 1, -1, TWO_ULPS},
    {"stack", 1, -1, 1e-12},
};

static char *slurp_golden(const char *version, const char *tag, const char *ending, size_t *bytes) {
    char path[512];
    const char *top = getenv("RIDE_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/tests/golden/sklearn/%s-%s.%s", top != NULL ? top : ".", version, tag, ending);
    return slurp(path, bytes);
}

/* Rows of a golden CSV (empty = NaN); in *columns how many there are. */
static void read_rows(char *text, double x[ROWS][COLUMNS_MAX], uint32_t *columns, bool *has_margins) {
    char *line = text, *head = strsep(&line, "\n");
    *has_margins = strstr(head, "margin0") != NULL;
    *columns = 1;
    for (; *head != '\0'; head++) *columns += *head == ',';
    cr_assert_leq(*columns, COLUMNS_MAX);
    for (uint32_t r = 0; r < ROWS; r++) {
        char *row = strsep(&line, "\n");
        for (uint32_t k = 0; k < *columns; k++) {
            char *cell = strsep(&row, ",");
            x[r][k] = *cell != '\0' ? strtod(cell, NULL) : (double)NAN;
        }
    }
    cr_assert_str_empty(line);
}

static void check_near(double got, double want, double bound, const char *what, const golden *g, uint32_t row) {
    cr_assert(got == want || fabs(got - want) <= bound * fabs(want), "%s row %u %s: %.17g, scikit-learn %.17g", g->tag,
              row, what, got, want);
}

static ride_ensemble *load(const char *text, size_t bytes, ride_model_scorer **scorer, const char *what) {
    ride_diagnostics findings;
    ride_ensemble *ensemble = NULL;
    ride_diagnostics_init(&findings);
    cr_assert_eq(ride_ensemble_parse("m", text, bytes, NULL, &ensemble, &findings), RIDE_OK, "%s: %s", what,
                 findings.count > 0 ? findings.items[0].message : "");
    cr_assert_eq(ride_ensemble_scorer_create(ensemble, scorer, &findings), RIDE_OK, "%s: %s", what,
                 findings.count > 0 ? findings.items[0].message : "");
    ride_diagnostics_free(&findings);
    return ensemble;
}

static void check_golden(const char *version, const golden *g) {
    static double x[ROWS][COLUMNS_MAX];
    double got[OUTPUTS_MAX];
    size_t bytes, csv_bytes;
    uint32_t columns;
    bool has_margins;
    char *text = slurp_golden(version, g->tag, "json", &bytes), *csv = slurp_golden(version, g->tag, "csv", &csv_bytes);
    ride_model_scorer *scorer = NULL;
    ride_ensemble *ensemble = load(text, bytes, &scorer, g->tag);
    const ride_model *model = ensemble->members[0].model;
    cr_assert_eq(ensemble->outputs_count, g->outputs);
    cr_assert_eq(ensemble->inputs_count, INPUTS);
    cr_assert_str_eq(model->format, "sklearn");
    cr_assert_str_eq(model->written_by, version);
    read_rows(csv, x, &columns, &has_margins);
    cr_assert_eq(columns, INPUTS + g->outputs * (has_margins ? 2 : 1));
    for (uint32_t r = 0; r < ROWS; r++) {
        const double *want = &x[r][INPUTS];
        if (has_margins) {
            ride_model_score_row(scorer, x[r], true, got);
            if (g->margin_bound >= 0)
                for (uint32_t k = 0; k < g->outputs; k++) check_near(got[k], want[k], g->margin_bound, "margin", g, r);
            want += g->outputs;
        }
        ride_model_score_row(scorer, x[r], false, got);
        for (uint32_t k = 0; k < g->outputs; k++) check_near(got[k], want[k], g->answer_bound, "answer", g, r);
    }
    ride_model_scorer_destroy(scorer);
    ride_ensemble_destroy(ensemble);
    free(text);
    free(csv);
}

Test(sklearn, what_scikit_learn_says) {
    for (size_t v = 0; v < sizeof versions / sizeof *versions; v++)
        for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++) check_golden(versions[v], &goldens[i]);
}

Test(sklearn, every_truncation_is_refused) {
    size_t bytes;
    char why[256], *text = slurp_golden("1.9.1", "hist", "json", &bytes);
    cr_assert_eq(try_bytes(text, bytes, why), RIDE_OK, "%s", why);
    const size_t end = (size_t)(strrchr(text, '}') - text);
    for (size_t n = 0; n <= end; n += 1 + n / 200) cr_assert_eq(try_bytes(text, n, why), RIDE_E_MODEL, "%zu bytes", n);
    free(text);
}

/* x0 <= 0.5 ? (x1 in {1, 3} ? 1 : 2) : 4 */
static const char small[] =
    "{\"format\":\"ride-sklearn\",\"version\":1,\"library\":\"scikit-learn 1.9.1\",\"estimator\":\"E\",\"features\":2,"
    "\"names\":[\"a\",\"b\"],\"kind\":\"hist_gradient_boosting\",\"outputs\":1,\"base\":[0],\"link\":\"logistic\","
    "\"link_scale\":1,\"categories\":[{\"feature\":1,\"codes\":[0,1,2,3],\"names\":null}],\"trees\":[{\"output\":0,"
    "\"left\":[1,2,-1,-1,-1],\"right\":[4,3,-1,-1,-1],\"feature\":[0,1,0,0,0],\"threshold\":[0.5,0,0,0,0],"
    "\"missing_left\":[1,0,0,0,0],\"cover\":[9,5,2,3,4],\"value\":[0,0,1,2,4],\"set\":[-1,0,-1,-1,-1],"
    "\"set_left\":[0,1,0,0,0],\"sets\":[[1,3]]}]}";

Test(sklearn, what_is_wrong_is_named) {
    char why[256];
    cr_assert_eq(try_bytes(small, strlen(small), why), RIDE_OK, "%s", why);
    refuse(small, "ride-sklearn", "ride", "not a model");
    refuse(small, "\"version\":1", "\"version\":2", "version: 2");
    refuse(small, "\"version\":1", "\"version\":\"1\"", "version");
    refuse(small, "\"features\":2", "\"features\":1000000000", "features");
    refuse(small, "\"features\":2", "\"features\":3", "names: 2 for 3");
    refuse(small, "[\"a\",\"b\"]", "[\"a\",\"a\"]", "twice");
    refuse(small, "[\"a\",\"b\"]", "[\"a\",1]", "names[1]");
    refuse(small, "hist_gradient_boosting", "magic", "`magic` is not supported");
    refuse(small, "\"outputs\":1", "\"outputs\":100000", "outputs");
    refuse(small, "\"outputs\":1", "\"outputs\":2", "base");
    refuse(small, "\"base\":[0]", "\"base\":[NaN]", "base[0]");
    refuse(small, "\"base\":[0]", "\"base\":[\"0\"]", "base[0]");
    refuse(small, "logistic", "magic", "link");
    refuse(small, "logistic", "softmax", "softmax of one output");
    refuse(small, "\"link_scale\":1", "\"link_scale\":0", "link_scale");
    refuse(small, "\"feature\":1", "\"feature\":2", "feature");
    refuse(small, "\"names\":null", "\"names\":[1]", "categories[0].names[0]");
    refuse(small, "\"trees\":[{", "\"trees\":[{}, {", "trees[0].left");
    refuse(small, "\"trees\"", "\"tree\"", "trees: none");
    refuse(small, "\"output\":0", "\"output\":1", "output");
    refuse(small, "[1,2,-1", "[0,2,-1", "reached twice");
    refuse(small, "[1,2,-1", "[5,2,-1", "not there");
    refuse(small, "[1,2,-1", "[4,2,-1", "reached twice");
    refuse(small, "[1,2,-1", "[-1,2,-1", "not there");
    refuse(small, "[1,2,-1", "[2.5,2,-1", "not there");
    refuse(small, "[1,2,-1,-1,-1]", "[1,2,-1,-1]", "5 entries for 4 nodes");
    refuse(small, "[0,1,0,0,0]", "[2,1,0,0,0]", "feature[0]");
    refuse(small, "[0.5,0,0,0,0]", "[NaN,0,0,0,0]", "threshold[0]");
    refuse(small, "[1,0,0,0,0]", "[2,0,0,0,0]", "missing_left[0]");
    refuse(small, "[9,5,2,3,4]", "[9,-5,2,3,4]", "cover[1]");
    refuse(small, "[0,0,1,2,4]", "[0,0,Infinity,2,4]", "value[2]");
    refuse(small, "[-1,0,-1,-1,-1]", "[-1,1,-1,-1,-1]", "set[1]");
    refuse(small, "\"set_left\"", "\"set_to\"", "set_left");
    refuse(small, "[[1,3]]", "[[3,1]]", "sets[0]");
    refuse(small, "[[1,3]]", "[[1,99999999]]", "sets[0]");
    refuse(small, "[[1,3]]", "[[-1]]", "sets[0]");
}

/* By the rules that docs/models-sklearn.md states. */
Test(sklearn, categories_and_missing_values_go_where_the_node_says) {
    ride_model_scorer *scorer = NULL;
    ride_ensemble *ensemble = load(small, strlen(small), &scorer, "small");
    const ride_model *model = ensemble->members[0].model;
    const double nan = (double)NAN;
    const double cases[][3] = {{0.5, 1, 1},   {0.5, 3, 1},  {0.5, 0, 2},
                               {0.5, nan, 2}, {0.5, -1, 2}, {0.5, 1e9, 2},
                               {nan, 3, 1},   {0.51, 1, 4}, {0.5000000000000001, 1, 4}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double out;
        ride_model_score_row(scorer, cases[i], true, &out);
        cr_assert_eq(out, cases[i][2], "case %zu: %g", i, out);
    }
    cr_assert_eq(model->nodes[0].cover, 9.0);
    cr_assert(model->inputs[1].is_category && !model->inputs[0].is_category);
    ride_model_scorer_destroy(scorer);
    ride_ensemble_destroy(ensemble);
}

/* A forest's inputs are floats, its thresholds doubles: 0.1 as a float is above 0.1, 0.3 as a float (0.300000011…) is what is tested. */
Test(sklearn, floats_are_tested_against_doubles) {
    static const char one[] = "{\"format\":\"ride-sklearn\",\"version\":1,\"features\":1,\"names\":null,\"kind\":"
                              "\"forest\",\"outputs\":2,\"trees\":[{\"left\":[1,-1,-1],"
                              "\"right\":[2,-1,-1],\"feature\":[0,0,0],\"threshold\":[0.1,0,0],\"missing_left\":[1,0,0]"
                              ",\"value\":[0,0,1,10,2,20]},{\"left\":[-1],"
                              "\"right\":[-1],\"feature\":[0],\"threshold\":[0],\"value\":[4,8]}]}";
    const float above = 0.1f, below = nextafterf(above, 0.0f);
    const double cases[][2] = {{0.1, 2},         {below, 1},
                               {above, 2},       {(double)below + 1e-10, 1},
                               {(double)NAN, 1}, {(double)INFINITY, 2},
                               {-1e300, 1}};
    ride_model_scorer *scorer = NULL;
    ride_ensemble *ensemble = load(one, strlen(one), &scorer, "one");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double out[2];
        ride_model_score_row(scorer, cases[i], false, out);
        cr_assert_eq(out[0], (cases[i][1] + 4) / 2, "case %zu: %g", i, out[0]);
        cr_assert_eq(out[1], (10 * cases[i][1] + 8) / 2, "case %zu: %g", i, out[1]);
    }
    cr_assert_eq(ensemble->members[0].model->trees_count, 4);
    cr_assert_eq(ensemble->members[0].model->trees_in_file, 2);
    ride_model_scorer_destroy(scorer);
    ride_ensemble_destroy(ensemble);
}

/* A tree of one split of 3 and 1 rows of 4: paths of 1 + c(3) and 1; c(2) = 1, c(3) = 2 (ln 2 + 0.5772…) - 4 / 3. */
Test(sklearn, paths_are_whole_numbers_of_a_millionth) {
    static const char one[] = "{\"format\":\"ride-sklearn\",\"version\":1,\"features\":1,\"names\":null,\"kind\":"
                              "\"isolation_forest\",\"max_samples\":4,\"trees\":[{\"left\":[1,-1,-1],"
                              "\"right\":[2,-1,-1],\"feature\":[0,0,0],\"threshold\":[0.5,0,0],\"samples\":[4,3,1]},{"
                              "\"left\":[-1],\"right\":[-1],\"feature\":[0],\"threshold\":[0],"
                              "\"samples\":[2]}]}";
    const double x = 0, c3 = 2 * (log(2) + 0.57721566490153286) - 4.0 / 3,
                 c4 = 2 * (log(3) + 0.57721566490153286) - 1.5;
    double margin, answer;
    ride_model_scorer *scorer = NULL;
    ride_ensemble *ensemble = load(one, strlen(one), &scorer, "one");
    ride_model_score_row(scorer, &x, true, &margin);
    ride_model_score_row(scorer, &x, false, &answer);
    cr_assert_eq(margin, nearbyint((1 + c3) * 1048576) + 1048576);
    cr_assert(fabs(answer - exp2(-(1 + c3 + 1) / 2 / c4)) < 1e-7, "%.17g", answer);
    ride_model_scorer_destroy(scorer);
    ride_ensemble_destroy(ensemble);
}

static const char several[] =
    "{\"format\":\"ride-sklearn\",\"version\":1,\"features\":2,\"names\":null,\"kind\":\"ensemble\",\"combine\":"
    "\"stack\","
    "\"members\":[{\"name\":\"a\",\"calibration\":{\"kind\":\"platt\",\"of\":\"margin\",\"a\":-1,\"b\":0},\"kind\":"
    "\"network\","
    "\"outputs\":1,\"steps\":[{\"kind\":\"dense\",\"outputs\":1,\"weights\":[1,2],\"bias\":[3]}]},{\"name\":\"b\","
    "\"weight\":2,"
    "\"calibration\":{\"kind\":\"curve\",\"of\":\"answer\",\"x\":[0,1],\"y\":[0,10]},\"kind\":\"network\",\"outputs\":"
    "1,\"steps\":"
    "[{\"kind\":\"select\",\"columns\":[1]}]}],\"stacker\":{\"name\":\"s\",\"features\":2,\"kind\":\"network\","
    "\"outputs\":1,"
    "\"steps\":[{\"kind\":\"dense\",\"outputs\":1,\"weights\":[100,1],\"activation\":\"relu\"}]}}";

Test(sklearn, what_is_wrong_with_an_ensemble_is_named) {
    char why[256];
    cr_assert_eq(try_bytes(several, strlen(several), why), RIDE_OK, "%s", why);
    refuse(several, "\"stack\"", "\"magic\"", "combine");
    refuse(several, "\"members\"", "\"member\"", "members: 0");
    refuse(several, "\"name\":\"a\"", "\"name\":\"\"", "members[0].name");
    refuse(several, "\"name\":\"a\"", "\"name\":\"b\"", "twice");
    refuse(several, "\"weight\":2", "\"weight\":0", "members[1].weight");
    refuse(several, "\"platt\"", "\"magic\"", "members[0].calibration.kind");
    refuse(several, "\"of\":\"margin\"", "\"of\":\"it\"", "members[0].calibration.of");
    refuse(several, "\"a\":-1", "\"a\":NaN", "a and b");
    refuse(several, "\"y\":[0,10]", "\"y\":[0]", "2 x and 1 y");
    refuse(several, "\"x\":[0,1]", "\"x\":[1,0]", "below the one before it");
    refuse(several, "\"x\":[0,1]", "\"x\":[0,\"1\"]", "calibration.x[1]");
    refuse(several, "[1,2],\"bias\"", "[1],\"bias\"", "steps[0].weights");
    refuse(several, "\"columns\":[1]", "\"columns\":[2]", "columns[0]");
    refuse(several, "\"columns\":[1]", "\"columns\":[1,1]", "they end with 2 values");
    refuse(several, "\"stacker\":{", "\"stack\":{", "stacker.name");
    refuse(several, "\"relu\"", "\"magic\"", "steps[0].activation");
    refuse(several, "\"kind\":\"network\"", "\"kind\":\"ensemble\"", "`ensemble` is not supported");
    ride_diagnostics findings;
    ride_model *model;
    ride_diagnostics_init(&findings);
    cr_assert_eq(ride_model_parse("m", several, strlen(several), NULL, &model, &findings), RIDE_E_MODEL);
    cr_assert_not_null(strstr(findings.items[0].message, "an ensemble of several models"));
    ride_diagnostics_free(&findings);
}

Test(sklearn, members_are_calibrated_and_stacked) {
    ride_model_scorer *scorer = NULL;
    ride_ensemble *ensemble = load(several, strlen(several), &scorer, "several");
    const double x[2] = {1, 0.25}, a = 1.0 / (1.0 + exp(-(3 + 1 + 2 * 0.25)));
    double out;
    ride_model_score_row(scorer, x, false, &out);
    cr_assert(fabs(out - (100 * a + 2.5)) < 1e-12, "%.17g", out);
    ride_model_scorer_destroy(scorer);
    ride_ensemble_destroy(ensemble);
}

/* An ensemble of as many members as may be, over so many columns; `more` goes into each member. Its load holds what one model of that size may. */
static ride_status try_members(uint32_t columns, const char *more, char why[256]) {
    char *text = malloc(512 + (size_t)RIDE_MEMBERS_MAX * (128 + strlen(more)));
    cr_assert_not_null(text);
    int at =
        sprintf(text,
                "{\"format\":\"ride-sklearn\",\"version\":1,\"features\":%u,\"kind\":\"ensemble\",\"combine\":\"mean\","
                "\"members\":[",
                columns);
    for (uint32_t m = 0; m < RIDE_MEMBERS_MAX; m++)
        at += sprintf(text + at, "%s{\"name\":\"m%u\",\"outputs\":1,%s}", m > 0 ? "," : "", m, more);
    at += sprintf(text + at, "]}");
    alloc_peak_begin();
    const ride_status st = try_bytes(text, (size_t)at, why);
    const uint64_t peak = alloc_peak_end();
    cr_assert(peak <= 256 * (uint64_t)at + (8 << 20), "%d bytes hold %llu of memory", at, (unsigned long long)peak);
    free(text);
    return st;
}

Test(sklearn, members_hold_no_more_memory_together_than_one_model) {
    static const char column[] = "\"kind\":\"network\",\"steps\":[{\"kind\":\"select\",\"columns\":[0]}]";
    static const char coded[] = "\"categories\":[{\"feature\":0}],\"kind\":\"network\",\"steps\":[{\"kind\":"
                                "\"select\",\"columns\":[0]}]";
    char why[256];
    cr_assert_eq(try_members(1000, column, why), RIDE_OK, "%s", why);
    cr_assert_eq(try_members(100, coded, why), RIDE_OK, "%s", why);
    cr_assert_eq(try_members(60000, coded, why), RIDE_E_MODEL);
    cr_assert_not_null(strstr(why, "no memory for "), "%s", why);
}

/* Members share names; which columns are categories is each one's own. */
Test(sklearn, a_category_of_one_member_is_none_of_the_others) {
    static const char *const orders[][2] = {{"\"categories\":[{\"feature\":0,\"names\":[\"x\",\"y\"]}],", ""},
                                            {"", "\"categories\":[{\"feature\":0,\"names\":[\"x\",\"y\"]}],"}};
    for (int k = 0; k < 2; k++) {
        char text[1024];
        ride_ensemble *ensemble = NULL;
        ride_diagnostics findings;
        ride_diagnostics_init(&findings);
        snprintf(text, sizeof text,
                 "{\"format\":\"ride-sklearn\",\"version\":1,\"features\":1,\"names\":[\"c\"],\"kind\":\"ensemble\","
                 "\"combine\":"
                 "\"mean\",\"members\":[{\"name\":\"a\",%s\"kind\":\"network\",\"steps\":[{\"kind\":\"select\","
                 "\"columns\":[0]}]},"
                 "{\"name\":\"b\",%s\"kind\":\"network\",\"steps\":[{\"kind\":\"select\",\"columns\":[0]}]}]}",
                 orders[k][0], orders[k][1]);
        cr_assert_eq(ride_ensemble_parse("m", text, strlen(text), NULL, &ensemble, &findings), RIDE_OK);
        for (int m = 0; m < 2; m++) {
            const ride_model_input *input = &ensemble->members[m].model->inputs[0];
            cr_assert_str_eq(input->name, "c");
            cr_assert_eq(input->is_category, m == k);
            cr_assert_eq(input->categories_count, m == k ? 2 : 0);
        }
        cr_assert(ensemble->inputs[0].is_category && ensemble->inputs[0].categories_count == 2);
        ride_ensemble_destroy(ensemble);
    }
}

/* A leaf with the links that `ride model convert` numbers; those that need doubles are refused of floats here, not first when the model is compiled. */
Test(sklearn, a_plain_model_of_floats_has_no_link_of_doubles) {
    char text[1024], why[256];
    for (uint32_t link = RIDE_FOREST_LINK_NONE; link < RIDE_FOREST_LINKS; link++)
        for (int is_double = 0; is_double < 2; is_double++) {
            const bool scaled = link == RIDE_FOREST_LINK_LOGISTIC || link == RIDE_FOREST_LINK_ISOLATION;
            const bool of_doubles =
                scaled || link == RIDE_FOREST_LINK_SIGNED_SQUARE || link == RIDE_FOREST_LINK_SOFTPLUS;
            snprintf(
                text, sizeof text,
                "{\"format\":\"ride-model\",\"version\":1,\"features\":1,\"kind\":\"plain\",\"outputs\":1,\"base\":[0],"
                "\"input_number\":\"f32\",\"sum_number\":\"%s\",\"link\":%u,\"link_scale\":%d,\"mean_of\":0,"
                "\"aggregate\":0,\"base_last\":0,\"trees_in_file\":1,\"sets\":[],\"trees\":[{\"output\":0,"
                "\"weight\":1,\"input\":[%u],\"left\":[0],\"right\":[0],\"set\":[0],\"value\":[1],\"cover\":[0]}]}",
                is_double ? "f64" : "f32", link, scaled, (unsigned)RIDE_NODE_LEAF);
            const ride_status st = try_bytes(text, strlen(text), why);
            cr_assert_eq(st == RIDE_OK, is_double || !of_doubles, "link %u, %d: %s", link, is_double, why);
            if (st != RIDE_OK) cr_assert_not_null(strstr(why, "link: of doubles only"), "%s", why);
        }
}

/* x0 < 0.5 ? 0.25 : 1.5, as lines of no terms. */
static const char lines[] =
    "{\"format\":\"ride-model\",\"version\":1,\"features\":1,\"kind\":\"plain\",\"outputs\":1,\"base\":[0],"
    "\"input_number\":\"f64\",\"sum_number\":\"f64\",\"link\":1,\"link_scale\":0,\"mean_of\":0,\"aggregate\":0,"
    "\"base_last\":0,\"trees_in_file\":1,\"sets\":[],\"lines\":[{\"constant\":0.25,\"inputs\":[],\"coefficients\":[]},"
    "{\"constant\":1.5,\"inputs\":[],\"coefficients\":[]}],\"trees\":[{\"output\":0,\"weight\":1,"
    "\"input\":[0,16777216,16777216],\"left\":[1,0,0],\"right\":[2,0,0],\"set\":[0,1,2],\"value\":[0.5,7,8],"
    "\"cover\":[2,1,1]}]}";

Test(sklearn, lines_are_each_of_one_leaf_and_may_have_no_terms) {
    ride_model_scorer *scorer = NULL;
    ride_ensemble *ensemble = load(lines, strlen(lines), &scorer, "lines");
    for (int i = 0; i < 2; i++) {
        const double x = i;
        double out;
        ride_model_score_row(scorer, &x, true, &out);
        cr_assert_eq(out, i == 0 ? 0.25 : 1.5);
    }
    ride_model_scorer_destroy(scorer);
    ride_ensemble_destroy(ensemble);
    refuse(lines, "[0,1,2]", "[0,1,0]", "lines: 2, and leaves name only the first 1");
    refuse(lines, "[0,1,2]", "[0,0,0]", "lines: 2, and leaves name only the first 0");
    refuse(lines, "[0,1,2]", "[0,2,1]", "the next line is 1");
    refuse(lines, "[0,1,2]", "[0,1,3]", "the next line is 2");
    refuse(lines, "\"weight\":1", "\"weight\":2", "trees[0].weight");
}
