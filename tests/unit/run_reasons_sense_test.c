/* Reasons of models whose answer falls as the margin rises: a share above 0 is what raises the answer. */
#include "engine/engine.h"
#include "tests/support/decision_table.h"
#include "tests/support/small_model.h"

#include <math.h>

static run_case cases[2];

enum { TOP = 2 }; /* as many inputs as these models have: all shares of a row are there */

/* Two trees of one test each: large amounts, and cards seen often, end early. 16 rows came to each, 13 and 3, and 14 and 2 to its leaves. */
static const char isolation[] =
    "{\"format\":\"ride-sklearn\",\"version\":1,\"library\":\"scikit-learn "
    "1.7.2\",\"features\":2,\"names\":[\"amount\",\"card_count_1h\"],"
    "\"estimator\":\"IsolationForest\",\"kind\":\"isolation_forest\",\"max_samples\":16,\"offset\":-0.5,\"steps\":[],"
    "\"trees\":["
    "{\"left\":[1,-1,-1],\"right\":[2,-1,-1],\"feature\":[0,0,0],\"threshold\":[50,0,0],\"missing_left\":[1,0,0],"
    "\"cover\":"
    "[16,13,3],\"samples\":[16,13,3]},"
    "{\"left\":[1,-1,-1],\"right\":[2,-1,-1],\"feature\":[1,0,0],\"threshold\":[1.5,0,0],\"missing_left\":[1,0,0],"
    "\"cover\":[16,14,2],\"samples\":[16,14,2]}]}";

/* How long a search for a value that is not among n others is. */
static double path_length(double n) {
    if (n <= 1) return 0;
    return n == 2 ? 1 : 2 * (log(n - 1) + 0.57721566490153286) - 2 * (n - 1) / n;
}

static void file_write(const run_case *c, const char *name, const char *text) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", c->folder, name);
    FILE *to = fopen(path, "w");
    cr_assert(to != NULL && fputs(text, to) >= 0 && fclose(to) == 0);
}

/* A case with isolation.json and small.txt in its folder, and `text` as the ensemble that is its model. */
static void begin(run_case *c, const char *text) {
    char path[128];
    cr_assert(run_case_begin(c));
    c->options.reasons = (ride_reasons_options){.when = RIDE_REASONS_ALL, .top = TOP, .side = RIDE_REASON_BOTH};
    c->options.rules_count = 0;
    file_write(c, "isolation.json", isolation);
    snprintf(path, sizeof path, "%s/small.txt", c->folder);
    cr_assert(small_model_write(path, "card_count_1h", "amount"));
    snprintf(c->model, sizeof c->model, "%s/%s", c->folder, text != NULL ? "ensemble.yaml" : "isolation.json");
    if (text != NULL) file_write(c, "ensemble.yaml", text);
}

static void run(run_case *c) {
    const ride_status st = run_case_run(c);
    cr_assert_eq(st, RIDE_OK, "%s", c->findings.count > 0 ? c->findings.items[0].message : c->err.what);
}

/* The share of an input; 0: it is no reason. */
static double share_of(const table *t, const char *input) {
    for (uint32_t k = 0; k < TOP; k++)
        if (strcmp(reason_cell(t, k, ""), input) == 0) return strtod(reason_cell(t, k, "_share"), NULL);
    return 0;
}

static double number(const table *t, const char *name) {
    const char *text = cell(t, name);
    return *text != '\0' ? strtod(text, NULL) : NAN;
}

/* Of a row: half of what its leaf's path is shorter than the mean of all that came to the tree. */
static double isolation_share(double x, double threshold, double low, double high) {
    const double mean = (low * path_length(low) + high * path_length(high)) / (low + high);
    return (mean - path_length(x > threshold ? high : low)) / 2;
}

static void check_isolation(const table *t) {
    const double amount = isolation_share(number(t, "amount"), 50, 13, 3),
                 count = isolation_share(number(t, "card_count_1h"), 1.5, 14, 2);
    cr_assert_float_eq(share_of(t, "amount"), amount, 1e-5, "%s: %g, not %g", cell(t, "amount"), share_of(t, "amount"),
                       amount);
    cr_assert_float_eq(share_of(t, "card_count_1h"), count, 1e-5);
    cr_assert_eq(number(t, "amount") > 50, share_of(t, "amount") > 0); /* it is stranger */
}

Test(run_reasons_sense, of_an_isolation_forest_are_what_makes_a_row_stranger) {
    run_case *c = &cases[0];
    begin(c, NULL);
    run(c);
    table t = {0};
    uint32_t rows = 0, large = 0;
    table_open(&t, c->output);
    while (table_next(&t)) {
        if (strcmp(cell(&t, "end"), "scored") != 0) continue;
        check_isolation(&t);
        large += number(&t, "amount") > 50;
        rows++;
    }
    cr_assert(rows == 3000 && large > 100 && large < 2900, "%u of %u", large, rows);
    free(t.text);
    run_case_end(c);
}

Test(run_reasons_sense, with_one_side_only_what_raises_the_anomaly_is_one) {
    run_case *c = &cases[0];
    begin(c, NULL);
    c->options.reasons.side = RIDE_REASON_RAISE;
    run(c);
    table t = {0};
    uint32_t with = 0;
    table_open(&t, c->output);
    while (table_next(&t)) {
        if (strcmp(cell(&t, "end"), "scored") != 0) continue;
        cr_assert_eq(share_of(&t, "amount") > 0, number(&t, "amount") > 50);
        cr_assert_eq(share_of(&t, "card_count_1h") > 0, number(&t, "card_count_1h") > 1.5);
        cr_assert(share_of(&t, "amount") >= 0 && share_of(&t, "card_count_1h") >= 0);
        with += share_of(&t, "amount") > 0;
    }
    cr_assert_gt(with, 100);
    free(t.text);
    run_case_end(c);
}

static void both_end(const table *t) {
    free(t[0].text);
    free(t[1].text);
    run_case_end(&cases[0]);
    run_case_end(&cases[1]);
}

/* The same model twice, otherwise calibrated: the shares of `two` are `sign` times those of `one`. */
static void check_turned(const char *model, const char *one, const char *two, double sign) {
    const char *const calibrations[] = {one, two};
    table t[2] = {{0}, {0}};
    uint32_t rows = 0, with = 0;
    for (size_t i = 0; i < 2; i++) {
        char text[512];
        snprintf(text, sizeof text, "ensemble: 1\nmembers:\n  - {model: %s%s%s}\n", model,
                 calibrations[i] != NULL ? ", calibration: " : "", calibrations[i] != NULL ? calibrations[i] : "");
        begin(&cases[i], text);
        run(&cases[i]);
        table_open(&t[i], cases[i].output);
    }
    while (table_next(&t[0]) && table_next(&t[1])) {
        static const char *const inputs[] = {"amount", "card_count_1h"};
        for (size_t i = 0; i < 2; i++) {
            cr_assert(share_of(&t[1], inputs[i]) == sign * share_of(&t[0], inputs[i]), "%s %s", model, two);
            with += share_of(&t[0], inputs[i]) > 0;
        }
        rows++;
    }
    cr_assert(rows > 3000 && with > 100);
    both_end(t);
}

Test(run_reasons_sense, turn_where_a_calibration_falls) {
    check_turned("small.txt", NULL, "{platt: {a: -2, b: 1}, of: margin}", 1);
    check_turned("small.txt", NULL, "{platt: {a: 2, b: 1}, of: margin}", -1);
    check_turned("small.txt", NULL, "{platt: {a: 2, b: 1}, of: answer}", -1);
    check_turned("small.txt", NULL, "{isotonic: {x: [0.1, 0.4, 0.9], y: [0, 0.5, 0.5]}, of: answer}", 1);
    check_turned("small.txt", NULL, "{isotonic: {x: [0.1, 0.4, 0.9], y: [1, 1, 0]}, of: answer}", -1);
    check_turned("isolation.json", NULL, "{platt: {a: -20, b: 11}, of: answer}", 1); /* the anomaly is there already */
    check_turned("isolation.json", NULL, "{platt: {a: 20, b: 11}, of: answer}", -1);
    check_turned("isolation.json", NULL, "{platt: {a: 1.0e-6, b: -11}, of: margin}",
                 1); /* of the path: falls with it */
    check_turned("isolation.json", NULL, "{platt: {a: -1.0e-6, b: -11}, of: margin}", -1);
}

Test(run_reasons_sense, turn_by_the_calibration_of_the_result_of_several) {
    static const char form[] =
        "ensemble: 1\ncombine: mean\nmembers:\n  - {model: small.txt}\n  - {model: isolation.json}\n%s";
    static const char *const ends[] = {"", "calibration: {platt: {a: 3, b: 0}}\n"};
    table t[2] = {{0}, {0}};
    uint32_t with = 0;
    for (size_t i = 0; i < 2; i++) {
        char text[512];
        snprintf(text, sizeof text, form, ends[i]);
        begin(&cases[i], text);
        run(&cases[i]);
        table_open(&t[i], cases[i].output);
    }
    while (table_next(&t[0]) && table_next(&t[1])) {
        cr_assert(share_of(&t[1], "amount") == -share_of(&t[0], "amount"));
        with += share_of(&t[0], "amount") > 0;
    }
    cr_assert_gt(with, 100);
    both_end(t);
}

/* The boosted member has its margins for shares, the other its path. */
Test(run_reasons_sense, of_a_segment_are_turned_by_the_member_that_answered) {
    run_case *c = &cases[0];
    begin(c,
          "ensemble: 1\ncombine: segment\nmembers:\n  - {model: small.txt, calibration: {platt: {a: 1, b: 0}, of: "
          "margin}}\n"
          "  - {model: isolation.json}\nsegment: {input: card_count_1h, values: {2: small}, otherwise: isolation}\n");
    run(c);
    table t = {0};
    uint32_t small = 0, others = 0;
    table_open(&t, c->output);
    while (table_next(&t)) {
        if (strcmp(cell(&t, "end"), "scored") != 0) continue;
        if (number(&t, "card_count_1h") != 2) {
            check_isolation(&t);
            others++;
            continue;
        }
        const double sum = share_of(&t, "amount") + share_of(&t, "card_count_1h"),
                     expected = (30 * -1.0 + 40 * 0.5 + 20 * 0.75) / 90;
        cr_assert_float_eq(expected - sum, number(&t, "margin"), 1e-5);
        small++;
    }
    cr_assert(small > 50 && others > 1000, "%u, %u", small, others);
    free(t.text);
    run_case_end(c);
}

static void check_refused(const char *text, const char *why) {
    run_case *c = &cases[0];
    begin(c, text);
    cr_assert_eq(run_case_run(c), RIDE_E_UNSUPPORTED, "%s", text);
    cr_assert_not_null(strstr(c->err.what, why), "%s", c->err.what);
    cr_assert_str_eq(c->err.where, "reasons.when");
    cr_assert_not_null(strstr(c->err.advice, "reasons: none"), "%s", c->err.advice);
    c->options.reasons.when = RIDE_REASONS_NONE;
    run(c); /* which is no fault of the model */
    run_case_end(c);
}

Test(run_reasons_sense, a_calibration_without_a_direction_is_refused_by_name) {
    check_refused("ensemble: 1\nmembers:\n  - {model: small.txt, calibration: {platt: {a: 0, b: 1}, of: margin}}\n",
                  "the same answer");
    check_refused(
        "ensemble: 1\nmembers:\n  - {model: small.txt, calibration: {isotonic: {x: [0.1, 0.9], y: [0.5, 0.5]}}}\n",
        "the same answer");
    check_refused("ensemble: 1\ncombine: segment\nmembers:\n  - {model: isolation.json}\n"
                  "  - {model: small.txt, calibration: {isotonic: {x: [0.1, 0.5, 0.9], y: [0, 1, 0]}}}\n"
                  "segment: {input: card_count_1h, values: {2: small}, otherwise: isolation}\n",
                  "member small: its isotonic calibration rises and falls");
}
