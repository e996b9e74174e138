/* Reasons of a service over a log in memory: its results are those of a run over the file, repeats after crashes have the same bytes, and `ride verify`
 * and `ride replay` compute them again.
 * ride-test: timeout=300 */
#include "../support/log_check.h"
#include "engine/replay_event.h"
#include "engine/verify_log.h"

#include <criterion/criterion.h>

static void want(ride_run_options *o, ride_reasons_when when) {
    static const ride_reason_text texts[] = {{"card_*", "use of the card"}, {"amount", "how much"}};
    o->reasons =
        (ride_reasons_options){.when = when, .top = 3, .side = RIDE_REASON_RAISE, .texts = texts, .texts_count = 2};
    o->format = RIDE_FORMAT_NDJSON;
}

static void begin(log_case *c, uint32_t partitions, uint32_t events_max, bool pipelined, ride_reasons_when when) {
    cr_assert(log_case_begin(c, partitions, events_max));
    want(&c->options.run, when);
    c->options.run.pipelined = pipelined;
    c->options.targets_format = RIDE_FORMAT_NDJSON;
}

static void results_are_the_bytes_of_a_run_over_the_file(bool pipelined) {
    static log_case c;
    uint64_t alerts = 0, explained = 0;
    begin(&c, 1, UINT32_MAX, pipelined, RIDE_REASONS_ALERTS);
    want(&c.run.options, RIDE_REASONS_ALERTS);
    cr_assert_eq(run_case_run(&c.run), RIDE_OK);
    size_t bytes = 0;
    char *file = run_case_file(c.run.output, &bytes), *line = file;
    c.options.run.vector = true;
    cr_assert_eq(log_case_serve(&c, 7, 0), RIDE_INTERRUPTED, "%s", c.run.err.what);
    for (uint64_t i = 0; i < c.log.results_count; i++) {
        const fake_result *result = &c.log.results[i];
        const bool has = strstr(result->value, "\"reasons\":[{\"input\":\"") != NULL;
        if (result->target == RIDE_TARGET_ALERTS) alerts += has;
        if (result->target != RIDE_TARGET_DECISIONS) continue;
        cr_assert_eq(strncmp(line, result->value, result->bytes), 0, "%s\n%.300s", result->value, line);
        cr_assert_eq(line[result->bytes], '\n');
        line += result->bytes + 1;
        explained += has;
    }
    cr_assert_eq(*line, '\0', "all of the file");
    cr_assert(alerts > 100 && alerts == explained, "%llu, %llu", (unsigned long long)alerts,
              (unsigned long long)explained);
    free(file);
    log_case_end(&c);
}

static void repeats_are_equal_over_crashes(bool pipelined) {
    static log_case c;
    begin(&c, 3, 1500, pipelined, RIDE_REASONS_ALL);
    c.log.burst_max = 40;
    c.log.full_every = 50;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        c.options.run.shards = 1 + (uint32_t)(seed % 3);
        c.options.run.batch_rows_max = seed % 2 == 0 ? 1 : 100;
        const ride_status st = log_case_serve(&c, seed, seed < 6 ? 200 * seed : 0);
        cr_assert(st == RIDE_INTERRUPTED || (st == RIDE_E_IO && seed < 6), "%s", c.run.err.what);
    }
    cr_assert_gt(check_results(&c.log, "reasons"), 10, "no repeats: nothing was hit");
    log_case_end(&c);
}

Test(service_reasons, results_are_the_bytes_of_a_run_over_the_file) {
    results_are_the_bytes_of_a_run_over_the_file(false);
}
Test(service_reasons_pipelined, results_are_the_bytes_of_a_run_over_the_file) {
    results_are_the_bytes_of_a_run_over_the_file(true);
}
Test(service_reasons, repeats_are_equal_over_crashes) { repeats_are_equal_over_crashes(false); }
Test(service_reasons_pipelined, repeats_are_equal_over_crashes) { repeats_are_equal_over_crashes(true); }

/* ---- computed again ---- */

static char field[RECORD_DIFF_BYTES];
static uint32_t findings_count;

static void tell(void *context, const ride_verify_finding *finding) {
    (void)context;
    if (findings_count++ == 0) snprintf(field, sizeof field, "%s", finding->diff.field);
}

static ride_status verify(log_case *c, const char *backend, ride_verify_report *report) {
    ride_verify_options options = {.service = c->options,
                                   .results_open = fake_results_open,
                                   .results_context = &c->results,
                                   .tell = tell};
    log_case_calm(c);
    findings_count = 0;
    ride_verify_report_free(report);
    options.service.run.backend = backend;
    options.service.run.batch_rows_max = 333;
    ride_diagnostics_init(&c->run.findings);
    return ride_verify_log(&options, report, &c->run.findings, &c->run.err);
}

Test(service_reasons, verify_computes_them_again_and_finds_a_changed_one) {
    static log_case c;
    static ride_verify_report report;
    begin(&c, 2, 900, false, RIDE_REASONS_ALERTS);
    cr_assert_eq(log_case_serve(&c, 5, 0), RIDE_INTERRUPTED, "%s", c.run.err.what);
    cr_assert_eq(verify(&c, "cpu", &report), RIDE_OK, "%s", c.run.err.what);
    cr_assert(ride_verify_is_clean(&report) && report.equal == 900);
    cr_assert_eq(verify(&c, "reference", &report), RIDE_OK, "%s", c.run.err.what);
    cr_assert(ride_verify_is_clean(&report) && report.equal == 900);
    char *share = NULL;
    for (uint64_t i = 0; i < c.log.results_count && share == NULL; i++)
        if (c.log.results[i].target == RIDE_TARGET_DECISIONS) share = strstr(c.log.results[i].value, "\"share\":");
    cr_assert_not_null(share);
    share += strlen("\"share\":0.");
    *share = *share == '7' ? '8' : '7';
    cr_assert_eq(verify(&c, "reference", &report), RIDE_OK, "%s", c.run.err.what);
    cr_assert(findings_count == 1 && strcmp(field, "reasons") == 0, "%u: %s", findings_count, field);
    ride_verify_report_free(&report);
    log_case_end(&c);
}

Test(service_reasons, replay_has_them_in_the_record) {
    static log_case c;
    static ride_replay_answer answer;
    begin(&c, 1, 700, false, RIDE_REASONS_ALERTS);
    cr_assert_eq(log_case_serve(&c, 5, 0), RIDE_INTERRUPTED, "%s", c.run.err.what);
    ride_replay_place at = {.topic = "events", .offset = -1};
    for (uint64_t i = 300; i < c.log.results_count && at.offset < 0; i++)
        if (c.log.results[i].target == RIDE_TARGET_ALERTS) at.offset = c.log.results[i].offset;
    const ride_replay_options options = {.service = c.options,
                                         .results_open = fake_results_open,
                                         .results_context = &c.results,
                                         .at = &at};
    log_case_calm(&c);
    ride_diagnostics_init(&c.run.findings);
    cr_assert_eq(ride_replay_event(&options, &answer, &c.run.findings, &c.run.err), RIDE_OK, "%s", c.run.err.what);
    cr_assert(answer.is_equal && answer.is_exact, "%s", answer.diff.field);
    const char *text = answer.record, *end = text + strlen(text);
    record_member m;
    uint32_t count = 0, reasons_at = UINT32_MAX;
    for (; record_member_next(&text, end, &m); count++)
        if (m.name_bytes == 7 && memcmp(m.name, "reasons", 7) == 0) {
            reasons_at = count;
            cr_assert_eq(strncmp(m.value, "[{\"input\":\"", 11), 0);
            cr_assert_eq(m.value[m.value_bytes - 1], ']');
        }
    cr_assert_eq(reasons_at, answer.fields_count - 1, "they end the record, before the vector");
    cr_assert_eq(count, answer.fields_count + c.run.summary.features_count);
    ride_replay_answer_free(&answer);
    log_case_end(&c);
}
