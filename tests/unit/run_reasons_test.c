/* Reasons of decisions in whole runs: they are what the explainer says of each row, in the operator's words; only where they are asked for; and the
 * same bytes for any batch size, number of shards and cut. */
#include "backend/registry.h"
#include "features/reasons.h"
#include "models/compile.h"
#include "models/rows.h"
#include "state/snapshot.h"
#include "tests/support/decision_table.h"
#include "tests/support/run_case.h"
#include "tests/support/shap_reference.h"
#include "tests/support/small_model.h"

#include <criterion/criterion.h>
#include <math.h>

static run_case cases[2];

enum { TOP = 4 };

/* ---- what explains, apart from any run ---- */

typedef struct explained {
    ride_ensemble *model;
    ride_model_rows *rows;
    const ride_explainer *explainer;
    void *scratch;
    uint32_t inputs_count;
    double x[COLUMNS_MAX], phi[COLUMNS_MAX];
} explained;

static void explained_open(explained *e, const char *path) {
    const ride_backend_ops *ops;
    ride_device *device;
    ride_diagnostics findings;
    ride_error err;
    uint64_t bytes;
    ride_diagnostics_init(&findings);
    cr_assert_eq(ride_ensemble_load(path, NULL, &e->model, &findings), RIDE_OK);
    cr_assert_eq(ride_backend_here(&ops, &device, &err), RIDE_OK);
    cr_assert_eq(ride_model_rows_create(e->model, ops, device, &e->rows, &findings), RIDE_OK);
    cr_assert_eq(ride_model_rows_explainer(e->rows, &e->explainer, &bytes, &err), RIDE_OK);
    e->scratch = aligned_alloc(64, (bytes / 64 + 1) * 64);
    e->inputs_count = e->model->inputs_count;
    cr_assert(e->model->has_names && e->inputs_count < COLUMNS_MAX);
}

static void explained_close(explained *e) {
    ride_model_rows_destroy(e->rows);
    ride_ensemble_destroy(e->model);
    free(e->scratch);
}

/* The greatest shares of a line whose vector is there. */
static uint32_t explain(explained *e, const table *t, ride_reason_side side, uint32_t most, ride_reason *out) {
    for (uint32_t i = 0; i < e->inputs_count; i++) {
        const char *text = cell(t, e->model->inputs[i].name);
        e->x[i] = *text != '\0' ? strtod(text, NULL) : NAN;
    }
    const ride_rows row = {.values = e->x,
                           .type = RIDE_TYPE_F64,
                           .out_type = RIDE_TYPE_F64,
                           .rows_count = 1,
                           .row_stride = e->inputs_count,
                           .column_stride = 1,
                           .margins = e->phi};
    cr_assert_eq(ride_model_rows_explain(e->rows, e->explainer, &row, e->scratch), RIDE_OK);
    return ride_reasons_row(e->phi, 1, e->inputs_count, side, most, out);
}

static void begin(run_case *c, ride_reasons_when when, ride_reason_side side) {
    cr_assert(run_case_begin(c));
    c->options.reasons = (ride_reasons_options){.when = when, .top = TOP, .side = side};
}

static void run(run_case *c) {
    const ride_status st = run_case_run(c);
    cr_assert_eq(st, RIDE_OK, "%s", c->findings.count > 0 ? c->findings.items[0].message : c->err.what);
}

/* Checks every line against the explainer; returns how many have a reason. */
static uint32_t check_lines(const run_case *c, ride_reasons_when when, ride_reason_side side) {
    table t = {0};
    explained e = {0};
    uint32_t rows = 0, with = 0;
    table_open(&t, c->output);
    explained_open(&e, c->model);
    while (table_next(&t)) {
        ride_reason want[TOP];
        const bool is_repeat = strcmp(cell(&t, "end"), "duplicate") == 0;
        const bool wanted = !is_repeat && (when == RIDE_REASONS_ALL || strcmp(cell(&t, "decision"), "approve") != 0);
        const uint32_t count = wanted ? explain(&e, &t, side, TOP, want) : 0;
        double sum = 0;
        for (uint32_t k = 0; k < TOP; k++) {
            const char *name = reason_cell(&t, k, ""), *share = reason_cell(&t, k, "_share");
            if (k >= count) {
                cr_assert(*name == '\0' && *share == '\0', "row %u: %s", rows, name);
                continue;
            }
            cr_assert_str_eq(name, e.model->inputs[want[k].input].name, "row %u", rows);
            cr_assert(strtod(share, NULL) == want[k].share, "row %u: %s, not %.17g", rows, share, want[k].share);
            cr_assert(k == 0 || fabs(want[k].share) <= fabs(want[k - 1].share));
            cr_assert(side == RIDE_REASON_BOTH || want[k].share > 0);
        }
        for (uint32_t i = 0; wanted && i <= e.inputs_count; i++) sum += e.phi[i];
        cr_assert(!wanted || fabs(sum - strtod(cell(&t, "margin"), NULL)) < 1e-5, "row %u: shares add up to %g", rows,
                  sum);
        with += count > 0;
        rows++;
    }
    cr_assert_gt(rows, 3000);
    explained_close(&e);
    free(t.text);
    return with;
}

Test(run_reasons, are_what_the_explainer_says_of_each_row) {
    run_case *c = &cases[0];
    begin(c, RIDE_REASONS_ALL, RIDE_REASON_BOTH);
    run(c);
    cr_assert_eq(check_lines(c, RIDE_REASONS_ALL, RIDE_REASON_BOTH), 3000);
    cr_assert_eq(c->summary.explained, 3000);
    cr_assert(c->summary.has_reasons);
    run_case_end(c);
}

/* Lundberg's recursion in doubles, over the forest as it was compiled. */
Test(run_reasons, are_the_greatest_shares_of_the_slow_recursion) {
    run_case *c = &cases[0];
    table t = {0};
    explained e = {0};
    ride_bundle bundle;
    ride_forest forest;
    uint8_t *image;
    uint64_t bytes;
    begin(c, RIDE_REASONS_ALL, RIDE_REASON_BOTH);
    run(c);
    table_open(&t, c->output);
    explained_open(&e, c->model);
    cr_assert_eq(ride_ensemble_image(e.model, &image, &bytes, &c->findings), RIDE_OK);
    cr_assert_eq(ride_bundle_open(image, bytes, &bundle, &c->err), RIDE_OK);
    cr_assert_eq(ride_forest_open(&bundle, 0, &forest, &c->err), RIDE_OK);
    for (uint32_t row = 0; row < 400 && table_next(&t); row++) {
        double phi[COLUMNS_MAX], greatest = 0;
        if (strcmp(cell(&t, "end"), "scored") != 0) continue;
        for (uint32_t i = 0; i < e.inputs_count; i++) {
            const char *text = cell(&t, e.model->inputs[i].name);
            e.x[i] = *text != '\0' ? (double)strtof(text, NULL) : NAN;
        }
        shap_by_recursion(&forest, 0, e.x, phi);
        for (uint32_t i = 0; i < e.inputs_count; i++) greatest = fmax(greatest, fabs(phi[i]));
        for (uint32_t k = 0; k < TOP; k++) {
            uint32_t input = 0, greater = 0;
            while (strcmp(e.model->inputs[input].name, reason_cell(&t, k, "")) != 0) input++;
            for (uint32_t i = 0; i < e.inputs_count; i++) greater += fabs(phi[i]) > fabs(phi[input]) + 1e-5 * greatest;
            cr_assert_leq(greater, k, "row %u: reason %u", row, k + 1);
            cr_assert_float_eq(strtod(reason_cell(&t, k, "_share"), NULL), phi[input], 1e-5 * greatest, "row %u", row);
        }
    }
    ride_bundle_image_free(image);
    explained_close(&e);
    free(t.text);
    run_case_end(c);
}

/* Inputs of an ensemble are the vector's entries, those of its members in another order. */
Test(run_reasons, of_an_ensemble_are_of_the_answer_that_decides) {
    static const char *const combines[] = {"mean", "logit_mean"};
    run_case *c = &cases[0];
    for (size_t i = 0; i < 2; i++) {
        char path[128], *boosted;
        begin(c, RIDE_REASONS_ALERTS, RIDE_REASON_BOTH);
        snprintf(path, sizeof path, "%s/small.txt", c->folder);
        cr_assert(small_model_write(path, "card_count_1h", "amount"));
        snprintf(path, sizeof path, "%s/ensemble.yaml", c->folder);
        FILE *to = fopen(path, "w");
        cr_assert(to != NULL && (boosted = realpath(c->model, NULL)) != NULL);
        fprintf(to, "ensemble: 1\ncombine: %s\nmembers:\n  - {model: small.txt}\n  - {model: %s, weight: 3}\n",
                combines[i], boosted);
        free(boosted);
        cr_assert_eq(fclose(to), 0);
        snprintf(c->model, sizeof c->model, "%s", path);
        run(c);
        cr_assert_gt(check_lines(c, RIDE_REASONS_ALERTS, RIDE_REASON_BOTH), 100);
        run_case_end(c);
    }
}

Test(run_reasons, of_a_model_whose_inputs_are_few_and_in_another_order) {
    run_case *c = &cases[0];
    begin(c, RIDE_REASONS_ALL, RIDE_REASON_BOTH);
    snprintf(c->model, sizeof c->model, "%s/small.txt", c->folder);
    cr_assert(small_model_write(c->model, "card_count_1h", "amount")); /* which is before it in the vector */
    run(c);
    cr_assert_gt(check_lines(c, RIDE_REASONS_ALL, RIDE_REASON_BOTH), 2000);
    run_case_end(c);
}

Test(run_reasons, of_alerts_only_alerts_are_explained) {
    run_case *c = &cases[0];
    begin(c, RIDE_REASONS_ALERTS, RIDE_REASON_RAISE);
    run(c);
    const uint64_t alerts = c->summary.decisions[RIDE_DECISION_REVIEW] + c->summary.decisions[RIDE_DECISION_DECLINE];
    const uint32_t with = check_lines(c, RIDE_REASONS_ALERTS, RIDE_REASON_RAISE);
    cr_assert(with > 100 && with <= alerts && with < 2900, "%u of %llu", with, (unsigned long long)alerts);
    cr_assert_eq(c->summary.explained, alerts);
    for (uint32_t i = 0; i < c->summary.alerts_count; i++) {
        const ride_alert *a = &c->summary.alerts[i];
        cr_assert_gt(a->reasons_count, 0);
        for (uint32_t k = 0; k < a->reasons_count; k++)
            cr_assert(a->reasons[k].share > 0 && a->reasons[k].vector_index < c->summary.features_count);
    }
    run_case_end(c);
}

Test(run_reasons, without_them_nothing_is_there) {
    run_case *c = &cases[0];
    begin(c, RIDE_REASONS_NONE, RIDE_REASON_BOTH);
    run(c);
    table t = {0};
    table_open(&t, c->output);
    for (uint32_t i = 0; i < t.names_count; i++) cr_assert_neq(strncmp(t.names[i], "reason", 6), 0);
    free(t.text);
    cr_assert(c->summary.explained == 0 && !c->summary.has_reasons && c->summary.alerts[0].reasons_count == 0);
    run_case_end(c);
}

static void same_output(const run_case *a, const run_case *b, const char *what) {
    size_t a_bytes = 0, b_bytes = 0;
    char *x = run_case_file(a->output, &a_bytes), *y = run_case_file(b->output, &b_bytes);
    cr_assert(x != NULL && y != NULL && a_bytes > 100000);
    cr_assert(a_bytes == b_bytes && memcmp(x, y, a_bytes) == 0, "%s", what);
    free(x);
    free(y);
}

Test(run_reasons, are_the_same_for_any_batch_size_and_number_of_shards) {
    static const uint32_t sizes[] = {1, 7, 256, 4096}, shards[] = {1, 2, 4};
    run_case *one = &cases[0], *two = &cases[1];
    for (int when = RIDE_REASONS_ALERTS; when <= RIDE_REASONS_ALL; when++) {
        begin(one, (ride_reasons_when)when, RIDE_REASON_BOTH);
        one->options.format = RIDE_FORMAT_NDJSON;
        run(one);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (size_t k = 0; k < sizeof shards / sizeof *shards; k++) {
                char what[64];
                begin(two, (ride_reasons_when)when, RIDE_REASON_BOTH);
                two->options.format = RIDE_FORMAT_NDJSON;
                two->options.batch_rows_max = sizes[i];
                two->options.shards = shards[k];
                run(two);
                snprintf(what, sizeof what, "batches of %u, %u shards", sizes[i], shards[k]);
                same_output(one, two, what);
                run_case_end(two);
            }
        run_case_end(one);
    }
}

Test(run_reasons, are_the_same_from_every_backend) {
    run_case *one = &cases[0], *two = &cases[1];
    begin(one, RIDE_REASONS_ALL, RIDE_REASON_BOTH);
    begin(two, RIDE_REASONS_ALL, RIDE_REASON_BOTH);
    two->options.backend = "reference";
    run(one);
    run(two);
    same_output(one, two, "the reference backend");
    run_case_end(one);
    run_case_end(two);
}

Test(run_reasons, a_run_cut_anywhere_goes_on_with_them_and_not_with_others) {
    run_case *whole = &cases[0], *parts = &cases[1];
    begin(whole, RIDE_REASONS_ALERTS, RIDE_REASON_RAISE);
    begin(parts, RIDE_REASONS_ALERTS, RIDE_REASON_RAISE);
    run(whole);
    parts->options.state_dir = parts->state;
    parts->options.batch_rows_max = 100;
    parts->stop_after = 1300;
    cr_assert_eq(run_case_run(parts), RIDE_INTERRUPTED);
    parts->options.reasons.top = TOP + 1;
    cr_assert_eq(run_case_run(parts), RIDE_E_CONFIG);
    cr_assert_not_null(strstr(parts->err.what, "output format"), "%s", parts->err.what);
    parts->options.reasons.top = TOP;
    parts->stop_after = 0;
    run(parts);
    same_output(whole, parts, "cut");
    cr_assert(whole->summary.explained > 0 && parts->summary.explained == whole->summary.explained);
    run_case_end(whole);
    run_case_end(parts);
}

/* A new generation of the saved state without the last bytes of a section. */
static void state_shorten(const char *folder, uint32_t section, size_t bytes) {
    enum { SECTIONS = 7, BYTES_MAX = 8 << 20 };
    ride_snapshot_dir *dir;
    ride_snapshot_reader *from;
    ride_snapshot_writer *to;
    ride_error err;
    char *held = malloc(BYTES_MAX);
    cr_assert_eq(ride_snapshot_dir_open(folder, &dir, &err), RIDE_OK);
    cr_assert_eq(ride_snapshot_load(dir, &from, &err), RIDE_OK);
    cr_assert_eq(ride_snapshot_begin(dir, &to, &err), RIDE_OK);
    for (uint32_t s = 1; s <= SECTIONS; s++) {
        size_t count = 0;
        cr_assert_eq(ride_snapshot_section(from, s), RIDE_OK);
        while (count < BYTES_MAX && ride_snapshot_read(from, held + count, 1) == RIDE_OK) count++;
        cr_assert(count < BYTES_MAX && (s != section || count > bytes));
        ride_snapshot_start(to, s);
        cr_assert_eq(ride_snapshot_write(to, held, s == section ? count - bytes : count), RIDE_OK);
    }
    cr_assert_eq(ride_snapshot_commit(to, &err), RIDE_OK);
    ride_snapshot_reader_close(from);
    ride_snapshot_dir_close(dir);
    free(held);
}

Test(run_reasons, a_state_from_before_they_were_counted_is_gone_on_from) {
    run_case *whole = &cases[0], *parts = &cases[1];
    begin(whole, RIDE_REASONS_ALERTS, RIDE_REASON_RAISE);
    begin(parts, RIDE_REASONS_ALERTS, RIDE_REASON_RAISE);
    run(whole);
    parts->options.state_dir = parts->state;
    parts->options.batch_rows_max = 100;
    parts->stop_after = 1300;
    cr_assert_eq(run_case_run(parts), RIDE_INTERRUPTED);
    const uint64_t first = parts->summary.explained;
    state_shorten(parts->state, 1, sizeof first);
    parts->stop_after = 0;
    run(parts);
    same_output(whole, parts, "cut");
    cr_assert(first > 0 && parts->summary.explained == whole->summary.explained - first);
    run_case_end(whole);
    run_case_end(parts);
}

/* Are two inputs told together? */
static bool is_one(const explained *e, const ride_reasons_options *o, uint32_t i, uint32_t k) {
    const char *one = ride_reason_text_of(o, e->model->inputs[i].name),
               *two = ride_reason_text_of(o, e->model->inputs[k].name);
    return i == k || (one != NULL && two != NULL && strcmp(one, two) == 0);
}

static double together(const explained *e, const ride_reasons_options *o, uint32_t i) {
    double sum = 0;
    for (uint32_t k = 0; k < e->inputs_count; k++) sum += is_one(e, o, i, k) ? e->phi[k] : 0;
    return sum;
}

/* Reason k of a line, which the explainer has explained: a text's shares added, by the input that has most of them, and k texts have more. */
static void check_told(const explained *e, const ride_reasons_options *o, const table *t, uint32_t k) {
    const char *name = reason_cell(t, k, "");
    uint32_t input = 0, more = 0;
    while (input < e->inputs_count && strcmp(e->model->inputs[input].name, name) != 0) input++;
    cr_assert_lt(input, e->inputs_count, "reason %u: `%s`", k + 1, name);
    const double share = together(e, o, input), sign = share < 0 ? -1 : 1;
    cr_assert(strtod(reason_cell(t, k, "_share"), NULL) == share, "%s %.17g", name, share);
    for (uint32_t i = 0; i < e->inputs_count; i++) {
        uint32_t first = 0;
        while (!is_one(e, o, first, i)) first++;
        more += first == i && fabs(together(e, o, i)) > fabs(share);
        cr_assert(!is_one(e, o, input, i) || sign * e->phi[i] <= sign * e->phi[input]);
    }
    cr_assert_eq(more, k, "%u texts have more than reason %u, %s", more, k + 1, name);
}

Test(run_reasons, with_one_text_are_one_reason) {
    static const ride_reason_text texts[] = {{"card_*", "use of the card"},
                                             {"amount", "use of the card"},
                                             {"terminal_*", "the terminal"}};
    run_case *c = &cases[0];
    table t = {0};
    explained e = {0};
    uint32_t rows = 0, several = 0;
    begin(c, RIDE_REASONS_ALL, RIDE_REASON_BOTH);
    c->options.reasons.texts = texts;
    c->options.reasons.texts_count = 3;
    run(c);
    table_open(&t, c->output);
    explained_open(&e, c->model);
    while (table_next(&t)) {
        ride_reason plain[TOP];
        if (strcmp(cell(&t, "end"), "scored") != 0) continue;
        explain(&e, &t, RIDE_REASON_BOTH, TOP, plain);
        for (uint32_t k = 0; k < TOP && *reason_cell(&t, k, "") != '\0'; k++)
            check_told(&e, &c->options.reasons, &t, k);
        const char *one = reason_cell(&t, 0, "_text"), *two = reason_cell(&t, 1, "_text");
        cr_assert(strcmp(one, two) != 0, "%s twice", one);
        several += strtod(reason_cell(&t, 0, "_share"), NULL) != plain[0].share;
        rows++;
    }
    cr_assert(rows == 3000 && several > 1000, "%u of %u", several, rows);
    explained_close(&e);
    free(t.text);
    run_case_end(c);
}

Test(run_reasons, are_told_in_the_operators_words) {
    static const ride_reason_text texts[] = {{"card_*", "use of the card"}, {"amount", "how \"much\""}, {"*", "other"}};
    run_case *c = &cases[0];
    begin(c, RIDE_REASONS_ALL, RIDE_REASON_BOTH);
    c->options.reasons.texts = texts;
    c->options.reasons.texts_count = 3;
    run(c);
    uint32_t cards = 0, amounts = 0, others = 0;
    table t = {0};
    table_open(&t, c->output);
    while (table_next(&t))
        for (uint32_t k = 0; k < TOP; k++) {
            const char *name = reason_cell(&t, k, ""), *text = reason_cell(&t, k, "_text");
            if (*name == '\0') cr_assert_str_empty(text);
            else if (strncmp(name, "card_", 5) == 0) cards += strcmp(text, "use of the card") == 0;
            else if (strcmp(name, "amount") == 0)
                amounts += strcmp(text, "\"how \"\"much\"\"\"") == 0 || strcmp(text, "how \"much\"") == 0;
            else others += strcmp(text, "other") == 0;
        }
    cr_assert(cards > 100 && amounts > 100 && others > 100, "%u %u %u", cards, amounts, others);
    free(t.text);
    cr_assert_not_null(c->summary.reason_texts);
    c->options.format = RIDE_FORMAT_NDJSON;
    c->options.vector = false;
    run(c);
    size_t bytes;
    char *json = run_case_file(c->output, &bytes);
    cr_assert_not_null(strstr(json, "\"reasons\":[{\"input\":\""));
    cr_assert_not_null(strstr(json, "\"text\":\"how \\\"much\\\"\"}"));
    cr_assert_not_null(strstr(json, "\"end\":\"duplicate\""));
    cr_assert_not_null(strstr(json, "\"reasons\":[]"));
    cr_assert_null(strstr(json, "reason_1"));
    free(json);
    run_case_end(c);
}

Test(run_reasons, the_exact_name_wins_then_the_first_pattern) {
    static const ride_reason_text texts[] = {{"card_*", "first"}, {"*_1h", "second"}, {"card_sum_1h", "exact"}};
    const ride_reasons_options o = {.texts = texts, .texts_count = 3};
    cr_assert_str_eq(ride_reason_text_of(&o, "card_sum_1h"), "exact");
    cr_assert_str_eq(ride_reason_text_of(&o, "card_count_1h"), "first");
    cr_assert_str_eq(ride_reason_text_of(&o, "shop_1h"), "second");
    cr_assert_null(ride_reason_text_of(&o, "shop_1hour"));
    cr_assert(ride_reason_fits("*", "") && ride_reason_fits("a*b*c", "axxbyyc") && ride_reason_fits("**a", "aba"));
    cr_assert(!ride_reason_fits("a*b*c", "axxbyy") && !ride_reason_fits("", "a") && !ride_reason_fits("card", "card_"));
    cr_assert(ride_reason_fits("*ab", "aab") && !ride_reason_fits("a*", "ba"));
}
