/* Names of a decision record's columns: each is taken for event ids and, with `vector: true`, for entries of the vector. */
#include "config/config.h"
#include "tests/support/decision_table.h"

#include <criterion/criterion.h>

static run_case cases[1];
static ride_diagnostics findings;

static ride_config *config_of(const char *reasons, const char *outputs) {
    char text[1024];
    ride_config *config = NULL;
    snprintf(text, sizeof text,
             "spec: f.yaml\nmodel: m.json\ninputs: {tx: tx.csv}\noutputs: {decisions: {path: d.csv%s}\nreasons: %s\n",
             outputs, reasons);
    ride_diagnostics_free(&findings);
    cr_assert_eq(ride_config_parse("run.yaml", text, strlen(text), NULL, 0, NULL, &config, &findings), RIDE_OK,
                 "%s: %s", text, findings.count > 0 ? findings.items[0].message : "");
    return config;
}

static ride_spec *spec_of(const char *id, const char *entry, const char *keys) {
    char text[1024];
    ride_spec *spec = NULL;
    const int bytes =
        snprintf(text, sizeof text,
                 "version: 1\nzone: UTC\nsources:\n  tx:\n    format: csv\n    event_time: {field: ts, unit: ms}\n    "
                 "event_id: %s\n"
                 "    fields: {%s: u64, ts: {type: timestamp, unit: ms}, card: string, shop: string, %s: f64}\n"
                 "entities:\n  card: {keys: [%s], horizon: 1d}\nfeatures:\n"
                 "  - {entity: card, agg: [count], windows: [1h]}\nvector: [%s, card_count_1h]\n",
                 id, id, entry, keys, entry);
    ride_diagnostics_free(&findings);
    cr_assert_eq(ride_spec_parse("f.yaml", text, (size_t)bytes, &spec, &findings), RIDE_OK, "%s: %s", text,
                 findings.count > 0 ? findings.items[0].message : "");
    return spec;
}

/* Findings of a configuration and a spec with these names. */
static uint32_t count_of(const ride_config *config, const char *id, const char *entry, const char *keys) {
    ride_spec *spec = spec_of(id, entry, keys);
    const ride_status st = ride_config_check_record(config, spec, &findings);
    cr_assert_eq(st, findings.count > 0 ? RIDE_E_CONFIG : RIDE_OK);
    ride_spec_destroy(spec);
    return findings.count;
}

/* Every column of the file but the id's and the vector's cannot be the name of either. */
static uint32_t check_header(const ride_config *config, const char *path, const char *id) {
    table t = {0};
    uint32_t taken = 0;
    ride_spec *real = NULL;
    ride_diagnostics_free(&findings);
    cr_assert_eq(ride_spec_load(cases[0].spec, &real, &findings), RIDE_OK);
    table_open(&t, path);
    for (uint32_t i = 0; i < t.names_count; i++) {
        bool is_own = strcmp(t.names[i], id) == 0;
        for (uint32_t v = 0; v < real->vector_count; v++)
            is_own = is_own || strcmp(t.names[i], real->vector_names[v]) == 0;
        if (is_own) continue;
        cr_assert_eq(count_of(config, t.names[i], "amount", "card"), 1, "event id `%s`", t.names[i]);
        cr_assert_not_null(strstr(findings.items[0].message, t.names[i]));
        cr_assert_eq(count_of(config, "tx_id", t.names[i], "card"), 1, "entry `%s`", t.names[i]);
        cr_assert_not_null(strstr(findings.items[0].message, "outputs.decisions.vector"));
        taken++;
    }
    ride_spec_destroy(real);
    free(t.text);
    return taken;
}

Test(config_record, every_column_of_a_real_record_is_taken) {
    static const ride_reason_text texts[] = {{"amount", "how much"}};
    run_case *c = &cases[0];
    cr_assert(run_case_begin(c));
    c->options.vector = true;
    c->options.reasons = (ride_reasons_options){.when = RIDE_REASONS_ALL, .top = 2, .texts = texts, .texts_count = 1};
    cr_assert_eq(run_case_run(c), RIDE_OK);
    ride_config *config =
        config_of("{when: all, top: 2, texts: {amount: how much}}", ", vector: true}, late: late.csv");
    cr_assert_eq(check_header(config, c->output, "tx_id"), 11 + 2 * 3);
    cr_assert_eq(check_header(config, c->late, "tx_id"), 11 + 2 * 3 + 2);
    cr_assert_eq(count_of(config, "reasons", "amount", "card"), 1); /* the list of NDJSON */
    ride_config_destroy(config);
    run_case_end(c);
}

Test(config_record, what_is_no_column_is_free) {
    ride_config *config = config_of("none", "}");
    static const char *const free_names[] = {"reasons", "reason_1", "reason_1_share", "reason",
                                             "clock",   "key_card", "tx_id"};
    for (size_t i = 0; i < sizeof free_names / sizeof *free_names; i++)
        cr_assert_eq(count_of(config, free_names[i], "margin", "card"), 0, "%s",
                     free_names[i]); /* no vector is written */
    cr_assert_eq(count_of(config, "key", "amount", "card"), 1);
    cr_assert_str_eq(findings.items[0].file, "run.yaml");
    cr_assert_str_eq(findings.items[0].advice, "give the field another name in the spec");
    cr_assert_eq(count_of(config, "key", "amount", "card, shop"), 0);
    cr_assert_eq(count_of(config, "key_shop", "amount", "card, shop"), 1);
    ride_config_destroy(config);
    config = config_of("{when: all, top: 2}", "}");
    cr_assert_eq(count_of(config, "reason_2_share", "amount", "card"), 1);
    cr_assert_eq(count_of(config, "reason_3_share", "amount", "card"), 0);
    cr_assert_eq(count_of(config, "reason_1_text", "amount", "card"), 0); /* none are given */
    ride_config_destroy(config);
}
