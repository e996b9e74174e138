/* `ride verify --config`, without its words: what was published is compared with what the log and the journal give, and each way to be wrong is found
 * for what it is. */
#include "../support/log_case.h"
#include "engine/verify_log.h"
#include "state/journal.h"

#include <criterion/criterion.h>

typedef struct told {
    ride_verify_finding first; /* its texts are not kept */
    char field[RECORD_DIFF_BYTES], a[RECORD_DIFF_BYTES];
    uint32_t count;
} told;

static void tell(void *context, const ride_verify_finding *finding) {
    told *t = context;
    if (t->count++ > 0) return;
    t->first = *finding;
    snprintf(t->field, sizeof t->field, "%s", finding->diff.field);
    snprintf(t->a, sizeof t->a, "%s", finding->diff.a);
}

static ride_verify_report report;

static ride_status verify(log_case *c, const char *backend, told *t) {
    ride_verify_options options = {.service = c->options,
                                   .results_open = fake_results_open,
                                   .results_context = &c->results,
                                   .context = t,
                                   .tell = tell};
    log_case_calm(c);
    memset(t, 0, sizeof *t);
    ride_verify_report_free(&report);
    options.service.run.backend = backend;
    options.service.run.batch_rows_max = 333;
    ride_diagnostics_init(&c->run.findings);
    return ride_verify_log(&options, &report, &c->run.findings, &c->run.err);
}

/* Served with crashes, so that there are repeats. */
static void serve(log_case *c, uint32_t partitions, uint32_t events) {
    cr_assert(log_case_begin(c, partitions, events));
    c->log.burst_max = 40;
    c->log.full_every = 60;
    for (uint64_t seed = 1; seed < 5; seed++) {
        ride_status st = log_case_serve(c, seed, 200 * seed);
        cr_assert(st == RIDE_E_IO || st == RIDE_INTERRUPTED, "%s", c->run.err.what);
    }
    cr_assert_eq(log_case_serve(c, 9, 0), RIDE_INTERRUPTED, "%s", c->run.err.what);
}

static fake_result *result_of(log_case *c, uint32_t partition, int64_t offset) {
    for (uint64_t i = 0; i < c->log.results_count; i++) {
        fake_result *r = &c->log.results[i];
        if (r->target == RIDE_TARGET_DECISIONS && r->partition == partition && r->offset == offset) return r;
    }
    cr_assert(false, "no result of %u/%lld", partition, (long long)offset);
    return NULL;
}

Test(verify_log, what_was_served_is_equal_by_both_backends, .timeout = 120) {
    static log_case c;
    told t;
    serve(&c, 3, 1200);
    cr_assert_eq(verify(&c, "reference", &t), RIDE_OK, "%s", c.run.err.what);
    cr_assert_eq(t.count, 0, "%s", t.field);
    cr_assert(ride_verify_is_clean(&report));
    cr_assert_eq(report.equal, 1200);
    cr_assert_eq(report.computed, 1200);
    cr_assert_eq(report.events, 1200);
    cr_assert_gt(report.copies, 10, "no repeats: nothing was hit");
    cr_assert_eq(report.results, 1200 + report.copies);
    cr_assert_eq(report.on_the_way + report.unjudged + report.aged_out + report.later, 0);
    cr_assert_eq(verify(&c, "cpu", &t), RIDE_OK, "%s", c.run.err.what);
    cr_assert(ride_verify_is_clean(&report) && report.equal == 1200);
    log_case_end(&c);
}

Test(verify_log, a_changed_byte_is_found_with_its_field, .timeout = 120) {
    static log_case c;
    told t;
    serve(&c, 2, 600);
    for (uint64_t i = 0; i < c.log.results_count; i++) { /* every copy: they agree with each other */
        fake_result *r = &c.log.results[i];
        if (r->target != RIDE_TARGET_DECISIONS || r->partition != 1 || r->offset != 77) continue;
        char *margin = r->value; /* the fourth cell */
        for (int comma = 0; comma < 3; margin++) comma += *margin == ',';
        *margin = *margin == '9' ? '8' : '9';
    }
    cr_assert_eq(verify(&c, "reference", &t), RIDE_OK, "%s", c.run.err.what);
    cr_assert_eq(t.count, 1);
    cr_assert_eq(t.first.kind, RIDE_VERIFY_DIFFERS);
    cr_assert_str_eq(t.field, "margin");
    cr_assert_eq(t.first.partition, 1);
    cr_assert_eq(t.first.offset, 77);
    cr_assert_eq(report.found[RIDE_VERIFY_DIFFERS], 1);
    cr_assert_eq(report.equal, 599);
    cr_assert_not(ride_verify_is_clean(&report));
    log_case_end(&c);
}

Test(verify_log, headers_and_keys_count_too, .timeout = 120) {
    static log_case c;
    told t;
    serve(&c, 1, 300);
    result_of(&c, 0, 10)->key[0] ^= 1;
    for (uint32_t i = 0; i < FAKE_HEADERS_MAX; i++)
        if (strcmp(result_of(&c, 0, 20)->headers[i].name, "event_id") == 0)
            strcpy(result_of(&c, 0, 20)->headers[i].value, "4711");
    cr_assert_eq(verify(&c, "cpu", &t), RIDE_OK, "%s", c.run.err.what);
    cr_assert_eq(report.found[RIDE_VERIFY_DIFFERS], 2);
    cr_assert_eq(report.equal, 298);
    log_case_end(&c);
}

Test(verify_log, missing_invented_and_unequal_copies_are_told_apart, .timeout = 120) {
    static log_case c;
    told t;
    serve(&c, 2, 600);
    const uint64_t before = c.log.results_count;
    for (uint64_t i = 0; i < before; i++) { /* all copies of one go */
        fake_result *r = &c.log.results[i];
        if (r->target == RIDE_TARGET_DECISIONS && r->partition == 0 && r->offset == 5) r->target = RIDE_TARGETS;
    }
    cr_assert_eq(verify(&c, "cpu", &t), RIDE_OK);
    cr_assert_eq(report.found[RIDE_VERIFY_MISSING], 1);
    cr_assert(t.first.kind == RIDE_VERIFY_MISSING && t.first.partition == 0 && t.first.offset == 5);

    fake_result *of = result_of(&c, 1, 7); /* a copy that is not equal */
    fake_result copy = *of;
    copy.value = strdup(of->value);
    copy.key = strdup(of->key);
    copy.value[0] ^= 1;
    c.log.results = realloc(c.log.results, (before + 8) * sizeof *c.log.results);
    c.log.results_room = before + 8;
    c.log.results[c.log.results_count++] = copy;
    copy = *result_of(&c, 1, 7); /* one of a message that never was */
    copy.value = strdup(copy.value);
    copy.key = strdup(copy.key);
    for (uint32_t i = 0; i < copy.headers_count; i++)
        if (strcmp(copy.headers[i].name, "source_offset") == 0) strcpy(copy.headers[i].value, "123456");
    c.log.results[c.log.results_count++] = copy;
    copy.value = strdup(copy.value); /* and one that does not say */
    copy.key = strdup(copy.key);
    copy.headers_count = 0;
    c.log.results[c.log.results_count++] = copy;
    cr_assert_eq(verify(&c, "cpu", &t), RIDE_OK);
    cr_assert_eq(report.found[RIDE_VERIFY_MISSING], 1);
    cr_assert_eq(report.found[RIDE_VERIFY_COPY_DIFFERS], 1);
    cr_assert_eq(report.found[RIDE_VERIFY_INVENTED], 2);
    cr_assert_eq(report.found[RIDE_VERIFY_DIFFERS], 0);
    log_case_end(&c);
}

Test(verify_log, what_is_not_committed_is_on_its_way, .timeout = 120) {
    static log_case c;
    told t;
    serve(&c, 1, 300);
    c.log.committed[0] = 290;
    for (uint64_t i = 0; i < c.log.results_count; i++)
        if (c.log.results[i].offset >= 295) c.log.results[i].target = RIDE_TARGETS;
    cr_assert_eq(verify(&c, "cpu", &t), RIDE_OK);
    cr_assert_eq(report.on_the_way, 5);
    cr_assert_eq(report.equal, 295);
    cr_assert(ride_verify_is_clean(&report));
    log_case_end(&c);
}

Test(verify_log, results_of_another_model_are_told_as_such, .timeout = 120) {
    static log_case c;
    told t;
    serve(&c, 1, 200);
    c.options.run.model_path = NULL;
    c.options.run.rules_count = 0; /* they read the score */
    cr_assert_eq(verify(&c, "cpu", &t), RIDE_OK, "%s", c.run.err.what);
    cr_assert_eq(report.found[RIDE_VERIFY_OTHER_MODEL], 200);
    cr_assert_eq(report.found[RIDE_VERIFY_DIFFERS], 0);
    log_case_end(&c);
}

/* Short windows, no model: what they hold can be outlived. */
static void use_spec_with(log_case *c, char spec[256], const char *sources, const char *features) {
    snprintf(spec, 256, "%s/short.yaml", c->run.folder);
    FILE *to = fopen(spec, "w");
    fprintf(to,
            "version: 1\n"
            "sources:\n"
            "  tx:\n"
            "    format: csv\n"
            "    event_time: {field: ts, unit: ms}\n"
            "    event_id: tx_id\n"
            "    fields: {tx_id: u64, ts: {type: timestamp, unit: ms}, card: string, terminal: u64,\n"
            "             amount: {type: decimal, scale: 2}, currency: string, mcc: u16, channel: string, country: "
            "string,\n"
            "             lat: {type: f64, nullable: true}, lon: {type: f64, nullable: true}, is_fraud: bool}\n"
            "%s"
            "entities: {card: {keys: [card]}, terminal: {keys: [terminal]}}\n"
            "features:\n%s"
            "vector: [\"card_*\", \"terminal_*\"]\n",
            sources, features);
    fclose(to);
    c->options.run.spec_path = spec;
    c->options.run.model_path = NULL;
    c->options.run.rules_count = 0;
}

static void use_spec(log_case *c, char spec[256], const char *features) { use_spec_with(c, spec, "", features); }

/* The golden stream spans 17 days, windows 37: with its begin gone, nothing can be exact. With short windows what is behind them is. */
Test(verify_log, a_log_that_lost_its_begin_says_from_where_it_is_exact, .timeout = 120) {
    static log_case c;
    static char spec[256];
    told t;
    serve(&c, 2, 1200);
    c.log.begins[0] = 200;
    cr_assert_eq(verify(&c, "cpu", &t), RIDE_OK, "%s", c.run.err.what);
    cr_assert_eq(report.computed, 0);
    cr_assert_eq(report.unjudged, 1200);
    cr_assert_eq(report.streams[0].exact_from, report.streams[0].end);
    cr_assert(ride_verify_is_clean(&report), "nothing could be judged, so nothing is amiss");
    log_case_end(&c);

    cr_assert(log_case_begin(&c, 2, 1200));
    use_spec(&c, spec,
             "  - {entity: card, column: amount, agg: [count, mean], windows: [1d]}\n"
             "  - {entity: terminal, column: amount, agg: [count, sum], windows: [2d]}\n");
    c.log.burst_max = 40;
    cr_assert_eq(log_case_serve(&c, 5, 0), RIDE_INTERRUPTED, "%s", c.run.err.what);
    c.log.begins[0] = 100;
    c.log.begins[1] = 40;
    cr_assert_eq(verify(&c, "reference", &t), RIDE_OK, "%s", c.run.err.what);
    cr_assert(ride_verify_is_clean(&report), "%s: %s", t.field, t.a);
    cr_assert_gt(report.streams[0].exact_from, 100);
    cr_assert_lt(report.streams[0].exact_from, report.streams[0].end);
    cr_assert_gt(report.equal, 300);
    cr_assert_eq(report.equal + report.unjudged, 1200);
    cr_assert_eq(report.events, 1200 - 140, "a run that is cut is read from where it begins");
    log_case_end(&c);
}

Test(verify_log, results_that_have_aged_out_are_not_missing, .timeout = 120) {
    static log_case c;
    told t;
    serve(&c, 2, 600);
    c.results.begin = (int64_t)c.log.results_count * 2 / 3;
    cr_assert_eq(verify(&c, "cpu", &t), RIDE_OK);
    cr_assert(report.is_cut);
    cr_assert_eq(report.found[RIDE_VERIFY_MISSING], 0);
    cr_assert_gt(report.aged_out, 0);
    cr_assert_eq(report.equal + report.aged_out, 600);
    log_case_end(&c);
}

Test(verify_log, a_journal_of_another_spec_or_topic_is_refused, .timeout = 120) {
    static log_case c;
    told t;
    serve(&c, 1, 100);
    char spec[512];
    snprintf(spec, sizeof spec, "%s", c.run.spec);
    c.log.topic = "others";
    cr_assert_eq(verify(&c, "cpu", &t), RIDE_E_CONFIG);
    cr_assert_not_null(strstr(c.run.err.what, "events/0"), "%s", c.run.err.what);
    c.log.topic = "events";
    uint8_t other[32] = {0xab, 0xcd};
    ride_journal *journal = NULL;
    unlink(c.journal);
    cr_assert_eq(ride_journal_open(c.journal, other, false, false, &journal, &c.run.err), RIDE_OK);
    ride_journal_close(journal);
    cr_assert_eq(verify(&c, "cpu", &t), RIDE_E_VERSION);
    cr_assert_not_null(strstr(c.run.err.what, "abcd0000"), "%s", c.run.err.what);
    unlink(c.journal);
    cr_assert_eq(verify(&c, "cpu", &t), RIDE_E_NO_INPUT);
    log_case_end(&c);
}

/* A chain of events goes back further than any window: after a restart it must go on where it was. */
Test(verify_log, since_first_outlives_a_restart, .timeout = 120) {
    static log_case c;
    static char spec[256];
    told t;
    cr_assert(log_case_begin(&c, 2, UINT32_MAX));
    use_spec(&c, spec,
             "  - {entity: card, agg: [since_first]}\n"
             "  - {entity: terminal, agg: [count], windows: [2d]}\n"
             "  - {entity: card, agg: [count], windows: [2d]}\n");
    c.options.run.batch_rows_max = 64;
    c.log.burst_max = 40;
    for (uint64_t seed = 1; seed < 5; seed++) {
        ride_status st = log_case_serve(&c, seed, 900);
        cr_assert(st == RIDE_E_IO || st == RIDE_INTERRUPTED, "%s", c.run.err.what);
    }
    cr_assert_eq(log_case_serve(&c, 9, 0), RIDE_INTERRUPTED, "%s", c.run.err.what);
    cr_assert_eq(verify(&c, "reference", &t), RIDE_OK, "%s", c.run.err.what);
    cr_assert(ride_verify_is_clean(&report), "%s: %s", t.field, t.a);
    cr_assert_eq(report.equal, 3027);
    log_case_end(&c);
}

/* Labels come by a topic of their own, some of them before their events are met: they wait, also over a restart. */
Test(verify_log, labels_that_waited_over_a_restart_are_there, .timeout = 120) {
    static log_case c;
    static char spec[256], text[3027][48];
    told t;
    uint32_t count = 0;
    cr_assert(log_case_begin(&c, 2, UINT32_MAX));
    use_spec_with(
        &c, spec,
        "  chargebacks:\n"
        "    format: csv\n"
        "    event_time: {field: reported_at, unit: ms}\n"
        "    fields: {tx_id: u64, reported_at: {type: timestamp, unit: ms}, is_fraud: bool}\n"
        "    labels: {source: tx, key: tx_id, value: is_fraud}\n",
        "  - {entity: card, agg: [risk], windows: [2d], labels: arrival, empty: 0}\n"
        "  - {entity: terminal, agg: [count, risk], windows: [1d, 2d], delay: 1d, labels: arrival, empty: 0}\n");
    c.log.partitions = 3;
    c.log.other_first = 2;
    c.log.other_source = c.log.other_topic = "chargebacks";
    c.log.committed[2] = RIDE_OFFSET_NONE;
    for (const char *line = strchr(c.events, '\n') + 1; *line != '\0'; line = strchr(line, '\n') + 1) {
        unsigned long long id = 0, ts = 0;
        if (sscanf(line, "%llu,%llu", &id, &ts) != 2 || id % 3 != 0) continue;
        snprintf(text[count], sizeof text[0], "%llu,%llu,1", id, ts + 3600000 * (1 + id % 20));
        fake_append(&c.log, 2, NULL, 0, text[count], (uint32_t)strlen(text[count]));
        count++;
    }
    ride_service_input inputs[2] = {c.input, {.source = "chargebacks", .format = RIDE_FORMAT_CSV}};
    c.options.inputs = inputs;
    c.options.inputs_count = 2;
    c.options.run.batch_rows_max = 64;
    c.log.burst_max = 40;
    for (uint64_t seed = 1; seed < 5; seed++) {
        ride_status st = log_case_serve(&c, seed, 700);
        cr_assert(st == RIDE_E_IO || st == RIDE_INTERRUPTED, "%s", c.run.err.what);
    }
    cr_assert_eq(log_case_serve(&c, 9, 0), RIDE_INTERRUPTED, "%s", c.run.err.what);
    cr_assert_eq(verify(&c, "reference", &t), RIDE_OK, "%s", c.run.err.what);
    cr_assert(ride_verify_is_clean(&report), "%s: %s", t.field, t.a);
    cr_assert_eq(report.equal, 3027);
    cr_assert_eq(report.events, 3027 + count, "labels too");
    log_case_end(&c);
}
