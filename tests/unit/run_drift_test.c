/* Drift of whole runs: the same for any batch size and when a run is cut and resumed; gaps, bounds, intervals that never end; profile
 * files that are damaged or of something else. */
#include "engine/drift.h"
#include "engine/profile.h"
#include "tests/support/run_case.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stddef.h>

#define HOURS(n) ((int64_t)(n)*3600 * 1000000)

static run_case cases[2];

typedef struct drift_case {
    char profile[128], lines[128];
} drift_case;
static drift_case files[2];

/* Not inlined: with the case's index known to be variable, gcc 12 suspects that its members overlap. */
__attribute__((noinline)) static void begin_case(run_case *c) { cr_assert(run_case_begin(c)); }

/* A run over the golden stream with drift against the stream itself. */
static void begin(int which, int64_t interval_us) {
    run_case *c = &cases[which];
    ride_profile_built built;
    begin_case(c);
    snprintf(files[which].profile, sizeof files[which].profile, "%s/golden.profile", c->folder);
    snprintf(files[which].lines, sizeof files[which].lines, "%s/drift.ndjson", c->folder);
    const ride_profile_build_options build = {.run = &c->options,
                                              .output_path = files[which].profile,
                                              .from_us = INT64_MIN,
                                              .to_us = INT64_MAX};
    ride_diagnostics_init(&c->findings);
    cr_assert_eq(ride_profile_build(&build, &built, &c->findings, &c->err), RIDE_OK, "%s", c->err.what);
    cr_assert(built.rows_count == 3000 && built.columns_count == 41); /* 39 of the vector, margin, probability */
    c->options.profile_path = files[which].profile;
    c->options.drift_path = files[which].lines;
    c->options.drift_interval_us = interval_us;
}

static char *file_text(const char *path) {
    size_t bytes = 0;
    char *text = run_case_file(path, &bytes);
    cr_assert_not_null(text);
    return text;
}
/* The summary's member, without the profile's path, which is another in each folder. */
static char *summary_text(const run_case *c) {
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);
    ride_drift_put(to, c->summary.drift);
    fclose(to);
    char *rest = strstr(text, "\"profile_hash\"");
    cr_assert_not_null(rest);
    memmove(text, rest, strlen(rest) + 1);
    return text;
}
static void same_drift(int a, int b, const char *what) {
    char *texts[] = {file_text(files[a].lines), file_text(files[b].lines), summary_text(&cases[a]),
                     summary_text(&cases[b])};
    cr_assert_str_eq(texts[0], texts[1], "%s: other lines", what);
    cr_assert_str_eq(texts[2], texts[3], "%s: another summary", what);
    for (int i = 0; i < 4; i++) free(texts[i]);
}

/* What holds of every report: rows add up, intervals follow each other on the grid, and what is empty is null. */
static void check_report(const run_case *c, uint64_t rows_expected) {
    const ride_run_drift *r = c->summary.drift;
    uint64_t rows = 0;
    cr_assert_gt(r->intervals_count, 0);
    for (uint32_t i = 0; i < r->intervals_count; i++) {
        const ride_run_drift_interval *interval = &r->intervals[i];
        rows += interval->rows;
        cr_assert(interval->from_us % r->interval_us == 0 && interval->to_us % r->interval_us == 0);
        cr_assert(interval->rows == 0 || interval->to_us - interval->from_us == r->interval_us);
        if (i > 0) cr_assert_eq(interval->from_us, r->intervals[i - 1].to_us);
        if (i > 0 && interval->rows == 0) cr_assert_gt(r->intervals[i - 1].rows, 0, "two empty records in a row");
        cr_assert_eq(interval->is_open, i + 1 == r->intervals_count);
        for (uint32_t k = 0; k < r->columns_count; k++) {
            const ride_drift *d = &interval->columns[k];
            cr_assert_eq(d->n_cur + d->missing, interval->rows, "column %u of interval %u", k, i);
            cr_assert(interval->rows > 0 ? d->n_cur == 0 || d->psi >= 0 : isnan(d->psi) && isnan(d->missing_rate));
        }
    }
    if (r->intervals_dropped == 0) cr_assert_eq(rows, rows_expected);
}

Test(run_drift, the_same_for_any_batch_size) {
    static const uint32_t sizes[] = {1, 7, 300, 5000};
    begin(0, HOURS(6));
    cases[0].options.batch_rows_max = 1024;
    cr_assert_eq(run_case_run(&cases[0]), RIDE_OK, "%s", cases[0].err.what);
    check_report(&cases[0], 3000);
    cr_assert_gt(cases[0].summary.drift->intervals_count, 50);
    for (int i = 0; i < 4; i++) {
        begin(1, HOURS(6));
        cases[1].options.batch_rows_max = sizes[i];
        cr_assert_eq(run_case_run(&cases[1]), RIDE_OK);
        same_drift(0, 1, "batches");
        run_case_end(&cases[1]);
    }
    run_case_end(&cases[0]);
}

/* Also with more intervals than are kept: 16 days of half hours. */
Test(run_drift, cut_and_resumed_gives_the_same_drift) {
    static const int64_t lengths_us[] = {HOURS(6), HOURS(24), HOURS(1) / 2};
    static const uint64_t cuts[] = {97, 400, 1500};
    for (int l = 0; l < 3; l++) {
        begin(0, lengths_us[l]);
        cases[0].options.state_dir = cases[0].state;
        cr_assert_eq(run_case_run(&cases[0]), RIDE_OK);
        check_report(&cases[0], 3000);
        cr_assert_eq(cases[0].summary.drift->intervals_dropped > 0, l == 2);
        for (int i = l == 2 ? 1 : 0; i < 3; i++) {
            begin(1, lengths_us[l]);
            run_case *cut = &cases[1];
            cut->options.state_dir = cut->state;
            cut->options.batch_rows_max = i == 0 ? 7 : 100;
            cut->stop_after = cuts[i];
            int runs = 1;
            for (ride_status st; (st = run_case_run(cut)) != RIDE_OK; runs++) cr_assert_eq(st, RIDE_INTERRUPTED);
            cr_assert_gt(runs, 1);
            same_drift(0, 1, "resumed");
            run_case_end(cut);
        }
        run_case_end(&cases[0]);
    }
}

Test(run_drift, another_profile_or_interval_begins_anew) {
    begin(0, HOURS(24));
    run_case *c = &cases[0];
    c->options.state_dir = c->state;
    c->options.batch_rows_max = 100;
    c->stop_after = 1500;
    cr_assert_eq(run_case_run(c), RIDE_INTERRUPTED);
    cr_assert_gt(c->summary.drift->intervals_count, 2);
    const uint64_t before = c->summary.accepted;
    c->options.drift_interval_us = HOURS(12);
    c->stop_after = 0;
    cr_assert_eq(run_case_run(c), RIDE_OK);
    check_report(c, c->summary.accepted - before);
    run_case_end(c);
}

Test(run_drift, an_interval_that_never_ends_is_told_as_open) {
    begin(0, INT64_C(366) * HOURS(24));
    run_case *c = &cases[0];
    cr_assert_eq(run_case_run(c), RIDE_OK);
    check_report(c, 3000);
    const ride_run_drift *r = c->summary.drift;
    cr_assert(r->intervals_count == 1 && r->intervals[0].is_open && r->intervals[0].rows == 3000 && r->latest == 0);
    for (uint32_t i = 0; i < r->columns_count; i++) /* the stream against itself */
        cr_assert(r->intervals[0].columns[i].psi == 0 && r->intervals[0].columns[i].l_infinity == 0, "%s", r->names[i]);
    for (uint32_t i = 0; i < r->cells_count; i++) cr_assert_eq(r->latest_cells[i], r->profile.counts[i]);
    char *lines = file_text(files[0].lines);
    cr_assert_eq(strncmp(lines, "{\"feature\": \"amount\", \"from\": \"20", 33), 0, "%.60s", lines);
    free(lines);
    run_case_end(c);
}

Test(run_drift, nothing_read_gives_no_interval) {
    begin(0, HOURS(24));
    run_case *c = &cases[0];
    char empty[128];
    snprintf(empty, sizeof empty, "%s/empty.csv", c->folder);
    FILE *file = fopen(empty, "w");
    fputs("tx_id,ts,card,terminal,amount,currency,mcc,channel,country,lat,lon,is_fraud\n", file);
    fclose(file);
    c->input.path = empty;
    cr_assert_eq(run_case_run(c), RIDE_OK, "%s", c->err.what);
    cr_assert(c->summary.drift->intervals_count == 0 && c->summary.drift->latest == UINT32_MAX);
    char *text = summary_text(c);
    cr_assert_not_null(strstr(text, "\"intervals\": [],"));
    cr_assert_not_null(strstr(text, "\"histograms\": null}"));
    free(text);
    /* and no rows are no profile */
    ride_profile_built built;
    char none[128];
    snprintf(none, sizeof none, "%s/none.profile", c->folder);
    const ride_profile_build_options build = {.run = &c->options,
                                              .output_path = none,
                                              .from_us = INT64_MIN,
                                              .to_us = INT64_MAX};
    cr_assert_eq(ride_profile_build(&build, &built, &c->findings, &c->err), RIDE_E_DATA);
    cr_assert_not_null(strstr(c->err.what, "no rows"));
    cr_assert_neq(access(none, F_OK), 0, "nothing is written");
    run_case_end(c);
}

/* Runs the case and says whether it was refused with these words, in the error or in some finding. */
static bool refused(run_case *c, ride_status status, const char *words) {
    const ride_status st = run_case_run(c);
    bool said = strstr(c->err.what, words) != NULL;
    for (uint32_t i = 0; i < c->findings.count; i++) said = said || strstr(c->findings.items[i].message, words) != NULL;
    const uint32_t findings = c->findings.count;
    if (st != status || !said)
        printf("%s: %s; %u findings, first: %s\n", ride_status_name(st), c->err.what, findings,
               findings > 0 ? c->findings.items[0].message : "");
    ride_diagnostics_free(&c->findings);
    return st == status && said;
}

Test(run_drift, a_profile_of_something_else_is_refused) {
    begin(0, HOURS(24));
    run_case *c = &cases[0];
    snprintf(c->model, sizeof c->model, "%s/examples/card-fraud/model/model.json", run_case_top());
    cr_assert(refused(c, RIDE_E_CONFIG, "scores of another model"));
    c->options.model_path = NULL;
    c->options.rules_count = 0;
    cr_assert(refused(c, RIDE_E_CONFIG, "no model is given"));
    snprintf(c->spec, sizeof c->spec, "%s/tests/golden/card-fraud/windows.yaml", run_case_top());
    cr_assert(refused(c, RIDE_E_CONFIG, "missing from the profile: "));
    cr_assert(refused(c, RIDE_E_CONFIG, "in the profile only: hour, "));
    cr_assert(refused(c, RIDE_E_CONFIG, "the spec's vector ("));
    cr_assert(refused(c, RIDE_E_CONFIG, "the profile's vector (39): amount, hour, "));
    cr_assert(refused(c, RIDE_E_CONFIG, "entry 1 is hour in the profile and "));
    c->options.profile_path = "nowhere.profile";
    cr_assert(refused(c, RIDE_E_NO_INPUT, "cannot be read"));
    c->options.profile_path = c->model;
    cr_assert(refused(c, RIDE_E_CORRUPT, ""));
    c->options.profile_path = NULL;
    cr_assert(refused(c, RIDE_E_CONFIG, "there is no profile"));
    run_case_end(c);
}

/* One flipped bit in every 61st byte and every length: the whole file is checked before anything is believed. */
Test(run_drift, no_flip_and_no_cut_of_a_profile_is_believed) {
    begin(0, HOURS(24));
    size_t bytes = 0;
    char *good = run_case_file(files[0].profile, &bytes), path[128];
    snprintf(path, sizeof path, "%s/bad.profile", cases[0].folder);
    for (size_t at = 0; at < bytes; at += 61) {
        for (int cut = 0; cut < 2; cut++) {
            FILE *file = fopen(path, "wb");
            good[at] ^= (char)(cut ? 0 : 16);
            cr_assert_eq(fwrite(good, 1, cut ? at : bytes, file), cut ? at : bytes);
            good[at] ^= (char)(cut ? 0 : 16);
            fclose(file);
            ride_profile_file opened;
            ride_error err = {0};
            const ride_status st = ride_profile_file_open(path, &opened, &err);
            const bool in_hashes = !cut && at >= offsetof(ride_bundle_header, spec_hash) &&
                                   at < sizeof(ride_bundle_header); /* a profile has its own, which count */
            const bool reserved =
                !cut && at >= offsetof(ride_bundle_header, reserved) && at < offsetof(ride_bundle_header, reserved) + 4;
            cr_assert(st != RIDE_OK || in_hashes || reserved, "byte %zu, %s", at, cut ? "cut" : "flipped");
            if (st != RIDE_OK) cr_assert(err.what[0] != '\0' && strstr(err.where, "bad.profile") != NULL);
            ride_profile_file_close(&opened);
        }
    }
    free(good);
    run_case_end(&cases[0]);
}
