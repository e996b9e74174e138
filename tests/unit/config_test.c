/* What config/config.h promises: layers, places, all findings at once, units, paths, origins, texts, and hostile input. */
#include "config/config_internal.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define NEEDED "spec: f.yaml\ninputs: {tx: tx.csv}\noutputs: {decisions: d.csv}\n"

static ride_diagnostics findings;

static ride_status parse_all(const char *path, const char *text, const char *const *sets, uint32_t sets_count,
                             const char *const *environment, ride_config **out) {
    ride_diagnostics_free(&findings);
    ride_status st = ride_config_parse(path, text, strlen(text), sets, sets_count, environment, out, &findings);
    cr_assert_eq(st == RIDE_OK, *out != NULL);
    cr_assert_eq(st == RIDE_OK, findings.count == 0, "%s", findings.count > 0 ? findings.items[0].message : "");
    return st;
}

static ride_config *load(const char *text) {
    ride_config *config = NULL;
    cr_assert_eq(parse_all("run.yaml", text, NULL, 0, NULL, &config), RIDE_OK, "%s: %s", text,
                 findings.count > 0 ? findings.items[0].message : "");
    return config;
}

static ride_config *load_set(const char *text, const char *set) {
    ride_config *config = NULL;
    cr_assert_eq(parse_all("run.yaml", text, &set, 1, NULL, &config), RIDE_OK, "--set %s: %s", set,
                 findings.count > 0 ? findings.items[0].message : "");
    return config;
}

/* The index-th finding is "file:line:column: message", as far as given, with that advice ("" = none). */
static void told(uint32_t index, const char *expected, const char *advice) {
    char got[1400];
    cr_assert_lt(index, findings.count, "only %u findings, not: %s", findings.count, expected);
    const ride_diagnostic *d = &findings.items[index];
    snprintf(got, sizeof got, "%s:%u:%u: %s", d->file, d->line, d->column, d->message);
    cr_assert_eq(strncmp(got, expected, strlen(expected)), 0, "expected %s\n     got %s", expected, got);
    cr_assert_str_eq(d->advice != NULL ? d->advice : "", advice);
}

static void refuse(const char *text, const char *expected, const char *advice) {
    ride_config *config = NULL;
    cr_assert_eq(parse_all("r.yaml", text, NULL, 0, NULL, &config), RIDE_E_CONFIG, "accepted: %s", text);
    cr_assert_eq(findings.count, 1, "%u findings for %s, second: %s", findings.count, text, findings.items[1].message);
    told(0, expected, advice);
}

static void refuse_set(const char *set, const char *expected, const char *advice) {
    ride_config *config = NULL;
    cr_assert_eq(parse_all("r.yaml", NEEDED, &set, 1, NULL, &config), RIDE_E_CONFIG, "accepted: %s", set);
    cr_assert_eq(findings.count, 1, "%u findings for %s", findings.count, set);
    told(0, expected, advice);
}

Test(config, defaults_hold_where_nothing_is_given) {
    ride_config *c = load(NEEDED);
    cr_assert_str_eq(c->spec, "f.yaml");
    cr_assert_null(c->model);
    cr_assert_not(c->model_best_iteration);
    cr_assert_eq(c->rules_count, 0);
    cr_assert_eq(c->inputs_count, 1);
    cr_assert_str_eq(c->inputs[0].source, "tx");
    cr_assert_str_eq(c->inputs[0].path, "tx.csv");
    cr_assert_eq(c->inputs[0].format, 0);
    cr_assert_eq(c->decisions.format, RIDE_FORMAT_CSV);
    cr_assert_not(c->decisions.vector);
    cr_assert(c->rejects == NULL && c->late == NULL && c->summary == NULL && c->state_dir == NULL);
    cr_assert_str_eq(c->backend, "auto");
    cr_assert_null(c->backend_path);
    cr_assert_eq(c->backend_memory, 0);
    cr_assert(c->drift == NULL && c->drift_profile == NULL);
    cr_assert_eq(c->drift_interval_us, INT64_C(86400) * 1000000);
    cr_assert_eq(c->drift_psi_alert, 250000);
    cr_assert_eq(c->max_batch, 1024);
    cr_assert_eq(c->log_level, RIDE_LOG_INFO);
    cr_assert_eq(c->log_format, RIDE_LOG_AUTO);
    ride_config_destroy(c);
}

Test(config, every_option_reaches_its_field) {
    ride_config *c = load("spec: {path: f.yaml}\nmodel: {path: m.json, best_iteration: true}\n"
                          "rules:\n  - {id: a, when: \"amount > 1\", decision: review}\n"
                          "  - id: b\n    when: true\n    decision: decline\n"
                          "inputs:\n  tx: {path: tx.bin, format: binary}\n  labels: {path: '-', format: ndjson}\n"
                          "outputs:\n  decisions: {path: d.bin, format: binary, vector: true}\n"
                          "  rejects: {path: r}\n  late: {path: l}\n  summary: {path: s}\n  drift: {path: n}\n"
                          "drift: {profile: p, interval: 7d, psi_alert: 1.5}\n"
                          "backend: {name: fake, path: lib, memory: 8GiB}\nstate: {dir: st}\n"
                          "scheduler: {max_batch: 1_000}\nlog: {level: warn, format: json}\n");
    cr_assert_str_eq(c->model, "m.json");
    cr_assert(c->model_best_iteration);
    cr_assert_eq(c->rules_count, 2);
    cr_assert_str_eq(c->rules[0].id, "a");
    cr_assert_str_eq(c->rules[0].when, "amount > 1");
    cr_assert_eq(c->rules[0].decision, RIDE_DECISION_REVIEW);
    cr_assert_str_eq(c->rules[0].file, "run.yaml");
    cr_assert(c->rules[0].line == 4 && c->rules[0].column == 20, "%u:%u", c->rules[0].line, c->rules[0].column);
    cr_assert(c->rules[1].line == 6 && c->rules[1].column == 11);
    cr_assert_eq(c->rules[1].decision, RIDE_DECISION_DECLINE);
    cr_assert_eq(c->inputs_count, 2);
    cr_assert_eq(c->inputs[0].format, RIDE_FORMAT_BINARY);
    cr_assert_str_eq(c->inputs[1].path, "-");
    cr_assert_eq(c->inputs[1].format, RIDE_FORMAT_NDJSON);
    cr_assert_eq(c->decisions.format, RIDE_FORMAT_BINARY);
    cr_assert(c->decisions.vector);
    cr_assert_str_eq(c->rejects, "r");
    cr_assert_str_eq(c->late, "l");
    cr_assert_str_eq(c->summary, "s");
    cr_assert_str_eq(c->drift, "n");
    cr_assert_str_eq(c->drift_profile, "p");
    cr_assert_eq(c->drift_interval_us, INT64_C(7) * 86400 * 1000000);
    cr_assert_eq(c->drift_psi_alert, 1500000);
    cr_assert_str_eq(c->backend, "fake");
    cr_assert_str_eq(c->backend_path, "lib");
    cr_assert_eq(c->backend_memory, UINT64_C(8) << 30);
    cr_assert_str_eq(c->state_dir, "st");
    cr_assert_eq(c->max_batch, 1000);
    cr_assert_eq(c->log_level, RIDE_LOG_WARN);
    cr_assert_eq(c->log_format, RIDE_LOG_JSON);
    ride_config_destroy(c);
}

Test(config, a_plain_value_stands_for_the_main_member) {
    ride_config *c = load(NEEDED "backend: cpu\nmodel: m.json\nstate: keep\n");
    cr_assert_str_eq(c->backend, "cpu");
    cr_assert_str_eq(c->model, "m.json");
    cr_assert_str_eq(c->state_dir, "keep");
    cr_assert_str_eq(c->decisions.path, "d.csv");
    ride_config_destroy(c);
    c = load_set(NEEDED, "backend=reference");
    cr_assert_str_eq(c->backend, "reference");
    ride_config_destroy(c);
}

Test(config, set_beats_environment_beats_file_beats_default) {
    const char *text = NEEDED "scheduler: {max_batch: 1}\n", *set = "scheduler.max_batch=3";
    const char *environment[] = {"HOME=/root", "RIDE__SCHEDULER__MAX_BATCH=2", NULL};
    const char *const *const environments[] = {NULL, NULL, environment, environment};
    for (uint32_t layer = 0; layer < 4; layer++) {
        ride_config *c = NULL;
        cr_assert_eq(parse_all("run.yaml", layer == 0 ? NEEDED : text, &set, layer == 3, environments[layer], &c),
                     RIDE_OK);
        cr_assert_eq(c->max_batch, layer == 0 ? 1024 : layer);
        ride_config_origin origin = ride_config_origin_of(c, "scheduler.max_batch");
        static const char *const names[] = {"default", "run.yaml", "environment", "--set"};
        cr_assert_eq(origin.layer, layer);
        cr_assert_str_eq(origin.name, names[layer]);
        cr_assert_eq(origin.line, layer == 1 ? 4 : 0);
        cr_assert_eq(origin.column, layer == 1 ? 24 : 0);
        ride_config_destroy(c);
    }
    const char *sets[] = {"scheduler.max_batch=3", "scheduler.max_batch=4"}; /* the last of them */
    ride_config *c = NULL;
    cr_assert_eq(parse_all("run.yaml", text, sets, 2, environment, &c), RIDE_OK);
    cr_assert_eq(c->max_batch, 4);
    ride_config_destroy(c);
}

Test(config, inputs_and_outputs_can_be_set_and_unset) {
    ride_config *c = NULL;
    const char *sets[] = {"inputs.tx.path=-",   "inputs.labels=l.csv",      "inputs.a.b.path=ab",
                          "outputs.late.path=", "outputs.decisions.path=x", "outputs.rejects=r"};
    const char *environment[] = {"RIDE__INPUTS__LABELS__FORMAT=ndjson", "RIDE__OUTPUTS__SUMMARY__PATH=s.json", NULL};
    cr_assert_eq(parse_all("run.yaml", "spec: f\ninputs: {tx: t}\noutputs: {late: old, decisions: d}\n", sets, 6,
                           environment, &c),
                 RIDE_OK, "%s", findings.items[0].message);
    cr_assert_eq(c->inputs_count, 3);
    cr_assert_str_eq(c->inputs[0].path, "-");
    cr_assert_str_eq(c->inputs[1].source, "labels");
    cr_assert_eq(c->inputs[1].format, RIDE_FORMAT_NDJSON);
    cr_assert_str_eq(c->inputs[2].source, "a.b");
    cr_assert_null(c->late);
    cr_assert_str_eq(c->decisions.path, "x");
    cr_assert_str_eq(c->rejects, "r");
    cr_assert_str_eq(c->summary, "s.json");
    ride_config_destroy(c);
    c = load_set(NEEDED "scheduler: {max_batch: 5}\n", "scheduler.max_batch=");
    cr_assert_eq(c->max_batch, 1024, "an empty value gives the default back");
    ride_config_destroy(c);
    c = load_set("spec: f\ninputs: {Tx: t, b: {path: x, format: csv}}\noutputs: {decisions: d}\n", "inputs.b.path=y");
    cr_assert_eq(c->inputs_count, 2);
    ride_config_destroy(c);
    const char *case_of_file[] = {"RIDE__INPUTS__TX=other", NULL};
    cr_assert_eq(parse_all("run.yaml", "spec: f\ninputs: {Tx: t}\noutputs: {decisions: d}\n", NULL, 0, case_of_file,
                           &c),
                 RIDE_OK);
    cr_assert_eq(c->inputs_count, 1);
    cr_assert_str_eq(c->inputs[0].path, "other");
    ride_config_destroy(c);
}

Test(config, paths_are_relative_to_what_names_them) {
    ride_config *c = NULL;
    const char *set = "outputs.rejects.path=r", *environment[] = {"RIDE__STATE__DIR=st", NULL};
    cr_assert_eq(
        parse_all("conf/run.yaml",
                  "spec: f.yaml\ninputs: {tx: '-'}\noutputs: {decisions: /abs, late: ../l}\nbackend: {path: p}\n", &set,
                  1, environment, &c),
        RIDE_OK);
    cr_assert_str_eq(c->path, "conf/run.yaml");
    cr_assert_str_eq(c->spec, "conf/f.yaml");
    cr_assert_str_eq(c->inputs[0].path, "-");
    cr_assert_str_eq(c->decisions.path, "/abs");
    cr_assert_str_eq(c->late, "conf/../l");
    cr_assert_str_eq(c->rejects, "r");
    cr_assert_str_eq(c->state_dir, "st");
    cr_assert_str_eq(c->backend_path, "conf/p");
    cr_assert_str_eq(c->backend, "auto");
    ride_config_destroy(c);
    cr_assert_eq(parse_all("/run.yaml", NEEDED, NULL, 0, NULL, &c), RIDE_OK);
    cr_assert_str_eq(c->spec, "/f.yaml");
    ride_config_destroy(c);
}

Test(config, all_findings_come_at_once_with_their_places) {
    ride_config *c = NULL;
    const char *text = "modle: m.json\nrules:\n  - {id: a, when: x, decision: deny}\n  - {id: a, decision: review}\n"
                       "inputs: {tx: {format: cvs}}\nscheduler:\n  max_batch: 0\n  slo: 2ms\n",
               *sets[] = {"log.level=loud", "nothing=1"}, *environment[] = {"RIDE__BACKEND__MEMORY=8GB", NULL};
    cr_assert_eq(parse_all("r.yaml", text, sets, 2, environment, &c), RIDE_E_CONFIG);
    told(0, "r.yaml:1:1: unknown key `modle` in the configuration", "did you mean `model`?");
    told(1, "r.yaml:3:32: `decision` of rule 1 must be approve | review | decline, not `deny`", "");
    told(2, "r.yaml:4:5: rule 2 has no `when`", "");
    told(3, "r.yaml:4:10: two rules have the id `a` (first at line 3)", "");
    told(4, "r.yaml:5:23: `inputs.tx.format` must be csv | ndjson | binary, not `cvs`", "did you mean `csv`?");
    told(5, "r.yaml:7:14: `scheduler.max_batch` must lie in 1 … 1048576, not 0", "");
    told(6, "r.yaml:8:8: `scheduler.slo` is not supported yet",
         "the scheduler does not hold a latency bound yet; batches close at scheduler.max_batch");
    told(7, "environment:0:0: `backend.memory` must be a size with its unit", "did you mean `8GiB`?");
    told(8, "--set:0:0: `log.level` must be debug | info | warn | error | off, not `loud`", "");
    told(9, "--set:0:0: unknown key `nothing`", "");
    told(10, "r.yaml:0:0: `spec` is missing", "spec: FILE");
    told(11, "r.yaml:5:23: `inputs.tx.path` is missing", "or its `topic`");
    told(12, "r.yaml:0:0: `outputs.decisions.path` is missing", "outputs: {decisions: FILE}");
    cr_assert_eq(findings.count, 13);
}

Test(config, unknown_keys_tell_what_was_meant) {
    refuse(NEEDED "scheduler: {max_bach: 1}\n", "r.yaml:4:13: unknown key `max_bach` in `scheduler`",
           "did you mean `max_batch`?");
    refuse(NEEDED "max_batch: 1\n", "r.yaml:4:1: unknown key `max_batch` in the configuration",
           "did you mean `scheduler.max_batch`?");
    refuse(NEEDED "scheduler.max_batch: 1\n", "r.yaml:4:1: unknown key `scheduler.max_batch`",
           "did you mean `scheduler.max_batch`?");
    refuse(NEEDED "rules[].id: 1\n", "r.yaml:4:1: unknown key `rules[].id`", "did you mean `rules[].id`?");
    refuse(NEEDED "rules[]: {id: a}\n", "r.yaml:4:1: unknown key `rules[]`", "did you mean `rules`?");
    refuse(NEEDED "model: {path.x: a}\n", "r.yaml:4:9: unknown key `path.x` in `model`", "did you mean `path`?");
    refuse(NEEDED "rulez: []\n", "r.yaml:4:1: unknown key `rulez`", "did you mean `rules`?");
    refuse("spec: f\ninputs: {tx: {pth: x, path: y}}\noutputs: {decisions: d}\n",
           "r.yaml:2:15: unknown key `pth` in `inputs.tx`", "did you mean `path`?");
    refuse(NEEDED "rules: [{id: a, when: x, decision: review, wen: y}]\n", "r.yaml:4:44: unknown key `wen` in rule 1",
           "did you mean `when`?");
    refuse_set("scheduler.max_bach=1", "--set:0:0: unknown key `scheduler.max_bach`",
               "did you mean `scheduler.max_batch`?");
    refuse_set("inputs.tx.frmat=csv", "--set:0:0: unknown key `inputs.tx.frmat`", "did you mean `inputs.tx.format`?");
    refuse_set("rules=x", "--set:0:0: `rules`: rules are given in the file only", "");
    refuse_set("rules[].id=x", "--set:0:0: `rules[].id`: rules are given in the file only", "");
    refuse_set("scheduler=1", "--set:0:0: `scheduler` is a group of options", "");
    ride_config *c = NULL;
    const char *environment[] = {"RIDE__SCHEDULER__MAX_BACH=1", NULL};
    cr_assert_eq(parse_all("r.yaml", NEEDED, NULL, 0, environment, &c), RIDE_E_CONFIG);
    told(0, "environment:0:0: unknown key `RIDE__SCHEDULER__MAX_BACH`", "did you mean `RIDE__SCHEDULER__MAX_BATCH`?");
}

Test(config, what_is_not_built_says_so) {
    static const char *const given[] = {"slo: 2ms", "safety: 90%", "buckets: [256, 512]", "on_overload: reject",
                                        "cpu_gpu_split: auto"};
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        char text[256], expected[128], name[32];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(given[i], ":"), given[i]);
        snprintf(text, sizeof text, NEEDED "scheduler: {%s}\n", given[i]);
        snprintf(expected, sizeof expected, "r.yaml:4:%zu: `scheduler.%s` is not supported yet", 15 + strlen(name),
                 name);
        ride_config *c = NULL;
        cr_assert_eq(parse_all("r.yaml", text, NULL, 0, NULL, &c), RIDE_E_CONFIG);
        cr_assert_eq(findings.count, 1);
        char row[64];
        snprintf(row, sizeof row, "scheduler.%s", name);
        told(0, expected, config_find_option(row)->unavailable);
    }
    ride_config *c = NULL;
    const char *set = "scheduler.slo=2";
    cr_assert_eq(parse_all("r.yaml", NEEDED, &set, 1, NULL, &c), RIDE_E_CONFIG);
    told(0, "--set:0:0: `scheduler.slo` is not supported yet", config_find_option("scheduler.slo")->unavailable);
    told(1, "--set:0:0: `scheduler.slo` must be a duration with its unit", "");
}

Test(config, required_members_and_doubled_files_are_told) {
    refuse("spec: f\ninputs: {tx: {format: csv}, l: x}\noutputs: {decisions: d}\n",
           "r.yaml:2:23: `inputs.tx.path` is missing", "or its `topic`");
    refuse("spec: f\ninputs: {tx: d}\noutputs:\n  decisions: d\n",
           "r.yaml:4:14: `outputs.decisions.path` and `inputs.tx.path` are the same: d", "");
    refuse("spec: f\ninputs: {tx: t}\noutputs:\n  decisions: '-'\n  late: '-'\n",
           "r.yaml:5:9: `outputs.decisions.path` and `outputs.late.path` are the same: the standard stream", "");
    ride_config_destroy(load("spec: f\ninputs: {tx: '-'}\noutputs: {decisions: '-'}\n"));
    refuse("spec: f\ninputs: {tx: '-', b: '-'}\noutputs: {decisions: d}\n", "r.yaml:2:22: ", "");
    ride_config *c = NULL;
    cr_assert_eq(parse_all("r.yaml", "", NULL, 0, NULL, &c), RIDE_E_CONFIG);
    cr_assert_eq(findings.count, 3);
    told(1, "r.yaml:0:0: `inputs` is missing", "inputs: {SOURCE: FILE}, by the names of the spec's sources");
    const char *sets[] = {"spec=f", "inputs.tx=t", "outputs.decisions=d"}; /* an empty file can be filled by --set */
    cr_assert_eq(parse_all("r.yaml", "", sets, 3, NULL, &c), RIDE_OK);
    ride_config_destroy(c);
    cr_assert_eq(parse_all("r.yaml", NEEDED, (const char *[]){"scheduler.max_batch"}, 1, NULL, &c), RIDE_E_USAGE);
    told(0, "--set:0:0: `scheduler.max_batch` is no key=value", "--set scheduler.max_batch=8192");
    ride_diagnostics_free(&findings);
    cr_assert_eq(ride_config_load("/nonexistent/r.yaml", NULL, 0, NULL, &c, &findings), RIDE_E_NO_INPUT);
    cr_assert_eq(findings.count, 1);
}

static void value(config_type type, const char *text, int64_t expected) { /* -1: refused */
    const config_option option = {.key = "k", .type = type, .max = UINT64_MAX};
    config_value got = {0};
    config_fault wrong;
    bool good = config_value_read(&option, text, false, &got, &wrong);
    cr_assert_eq(good, expected >= 0, "%s", text);
    if (good) cr_assert_eq((int64_t)got.number, expected, "%s gave %lld", text, (long long)got.number);
}

Test(config, values_have_units) {
    value(CONFIG_SIZE, "512B", 512);
    value(CONFIG_SIZE, "64KiB", 64 << 10);
    value(CONFIG_SIZE, "1_024MiB", INT64_C(1) << 30);
    value(CONFIG_SIZE, "8TiB", INT64_C(8) << 40);
    static const char *const no_sizes[] = {"8", "8GB", "8 GiB", "GiB", "-1KiB", "1.5GiB", "8gib", "", "8GiBx", "_8B"};
    for (size_t i = 0; i < sizeof no_sizes / sizeof no_sizes[0]; i++) value(CONFIG_SIZE, no_sizes[i], -1);
    value(CONFIG_DURATION, "2ms", 2000);
    value(CONFIG_DURATION, "1h", INT64_C(3600000000));
    static const char *const no_durations[] = {"2", "2 ms", "ms", "-2ms", "2msx", ""};
    for (size_t i = 0; i < sizeof no_durations / sizeof no_durations[0]; i++)
        value(CONFIG_DURATION, no_durations[i], -1);
    value(CONFIG_SHARE, "90%", 900000);
    value(CONFIG_SHARE, "0.5%", 5000);
    value(CONFIG_SHARE, "99.9999%", 999999);
    value(CONFIG_SHARE, "100%", 1000000);
    value(CONFIG_DECIMAL, "0.25", 250000);
    value(CONFIG_DECIMAL, "12", 12000000);
    value(CONFIG_DECIMAL, "0.000001", 1);
    static const char *const no_decimals[] = {"25%", "-1", ".5", "1.", "1e3", "a", "", "99999999999999999999"};
    for (size_t i = 0; i < sizeof no_decimals / sizeof no_decimals[0]; i++) value(CONFIG_DECIMAL, no_decimals[i], -1);
    static const char *const no_shares[] = {"90", "0.9", "101%", "%", "-1%", "9.%", "1e1%"};
    for (size_t i = 0; i < sizeof no_shares / sizeof no_shares[0]; i++) value(CONFIG_SHARE, no_shares[i], -1);
    value(CONFIG_COUNT, "1_000", 1000);
    value(CONFIG_COUNT, "0", 0);
    static const char *const no_counts[] = {"", "x", "1.5", "0x10", "1__0", "_1", "1_", "1e3", "+1", "-1"};
    for (size_t i = 0; i < sizeof no_counts / sizeof no_counts[0]; i++) value(CONFIG_COUNT, no_counts[i], -1);
    value(CONFIG_BOOL, "true", 1);
    value(CONFIG_BOOL, "yes", -1);
    refuse(NEEDED "scheduler: {max_batch: '8'}\n", "r.yaml:4:24: `scheduler.max_batch` must be an integer", "");
    refuse(NEEDED "scheduler: {max_batch: -0x1}\n", "r.yaml:4:24: `scheduler.max_batch` must be an integer", "");
    refuse(NEEDED "scheduler: {max_batch: -5}\n", "r.yaml:4:24: `scheduler.max_batch` must lie in 1 … 1048576", "");
    refuse(NEEDED "scheduler: {max_batch: 1048577}\n", "r.yaml:4:24: `scheduler.max_batch` must lie in", "");
    refuse(NEEDED "scheduler: {max_batch: 99999999999999999999999}\n", "r.yaml:4:24: `scheduler.max_batch` must lie",
           "");
    refuse(NEEDED "backend: {memory: 99999999999999999999TiB}\n",
           "r.yaml:4:19: `backend.memory` must lie in 1MiB … 1024TiB, not 99999999999999999999TiB", "");
    refuse(NEEDED "backend: {memory: 1KiB}\n", "r.yaml:4:19: `backend.memory` must lie in", "");
}

Test(config, hostile_input_is_refused_not_believed) {
    char *text = malloc(200000);
    refuse("[1, 2]\n", "r.yaml:1:1: the configuration must be a mapping, not a list", "");
    refuse("spec: [a]\ninputs: {tx: t}\noutputs: {decisions: d}\n", "r.yaml:1:7: `spec` must be a mapping, not a list",
           "");
    refuse("spec: ''\ninputs: {tx: t}\noutputs: {decisions: d}\n", "r.yaml:1:7: `spec.path` is empty", "");
    refuse("spec: f\ninputs: {tx: [t]}\noutputs: {decisions: d}\n", "r.yaml:2:14: `inputs.tx` must be a mapping", "");
    refuse("spec: f\ninputs: {tx: t}\noutputs: [d]\n", "r.yaml:3:10: `outputs` must be a mapping, not a list", "");
    refuse(NEEDED "log: loud\n", "r.yaml:4:6: `log` must be a mapping, not a value", "");
    refuse(NEEDED "log: {level: {a: b}}\n", "r.yaml:4:14: `log.level` must be a value, not a mapping", "");
    refuse(NEEDED "rules: {id: a}\n", "r.yaml:4:8: `rules` must be a list, not a mapping", "");
    refuse(NEEDED "rules: [7]\n", "r.yaml:4:9: rule 1 must be a mapping, not a value", "");
    refuse(NEEDED "rules: [{id: a, when: ' ', decision: review}]\n", "r.yaml:4:23: `when` of rule 1 is empty", "");
    refuse(NEEDED "rules: [{id: '', when: x, decision: review}]\n", "r.yaml:4:14: `id` of rule 1 is empty", "");
    refuse(NEEDED "state: \"a\\tb\"\n", "r.yaml:4:8: `state.dir` holds a control character", "");
    refuse(NEEDED "state: ''\n", "r.yaml:4:8: `state.dir` is empty", "");
    refuse("spec: f\ninputs: {tx: t, \"a*b\": x}\noutputs: {decisions: d}\n",
           "r.yaml:2:17: `a*b` is no name of a source", "");
    refuse("spec: f\ninputs: {a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7, h: 8, i: 9}\noutputs: {decisions: d}\n",
           "r.yaml:2:61: `inputs` has more than 8 sources", "");
    size_t used = (size_t)sprintf(text, NEEDED "state: ");
    memset(text + used, 'x', 5000);
    strcpy(text + used + 5000, "\n");
    refuse(text, "r.yaml:4:8: `state.dir` is longer than 4095 bytes", "");
    used = (size_t)sprintf(text, NEEDED "rules:\n");
    for (int i = 0; i < RIDE_CONFIG_RULES_MAX + 1; i++)
        used += (size_t)sprintf(text + used, "  - {id: r%d, when: x, decision: review}\n", i);
    refuse(text, "r.yaml:5:3: 1025 rules, at most 1024", "");
    memset(text, 'k', 1000);
    strcpy(text + 1000, "=1");
    refuse_set(text, "--set:0:0: unknown key `kkk", "");
    char variable[1100] = "RIDE__";
    strcat(variable, text);
    const char *environment[] = {variable, "RIDE__", "RIDE__=", "RIDE__A", NULL};
    ride_config *c = NULL;
    cr_assert_eq(parse_all("r.yaml", NEEDED, NULL, 0, environment, &c), RIDE_E_CONFIG);
    cr_assert_eq(findings.count, 2);
    free(text);
}

Test(config, show_loads_again_and_tells_origins) {
    ride_config *c = NULL, *again = NULL;
    ride_error err;
    char *shown = NULL, *second = NULL;
    const char *set = "scheduler.max_batch=77", *environment[] = {"RIDE__LOG__LEVEL=debug", NULL};
    cr_assert_eq(
        parse_all("dir/r.yaml",
                  "spec: f.yaml\nrules: [{id: \"x: y\", when: \"channel == 'a\\\\\\\"b'\", decision: decline}]\n"
                  "inputs: {\"odd: name\": t, tx: {path: 'null', format: csv}}\n"
                  "outputs: {decisions: 'a # b'}\nbackend: {memory: 1536MiB}\n",
                  &set, 1, environment, &c),
        RIDE_OK, "%s", findings.items[0].message);
    cr_assert_eq(ride_config_show(c, true, &shown, &err), RIDE_OK);
    cr_assert(strstr(shown, "  max_batch: 77  # --set\n") != NULL, "%s", shown);
    cr_assert(strstr(shown, "  level: debug  # environment\n") != NULL);
    cr_assert(strstr(shown, "  memory: 1536MiB  # dir/r.yaml:5:19\n") != NULL);
    cr_assert(strstr(shown, "  path: dir/f.yaml  # dir/r.yaml:1:7\n") != NULL);
    cr_assert(strstr(shown, "  best_iteration: false  # default\n") != NULL);
    cr_assert(strstr(shown, "# dir/r.yaml:2:29\n") != NULL, "%s", shown);
    cr_assert_eq(parse_all("again.yaml", shown, NULL, 0, NULL, &again), RIDE_OK, "%s\n%s", shown,
                 findings.items[0].message);
    cr_assert_str_eq(again->rules[0].when, c->rules[0].when);
    cr_assert_str_eq(again->rules[0].id, "x: y");
    cr_assert_str_eq(again->inputs[0].source, "odd: name");
    cr_assert_str_eq(again->inputs[1].path, "dir/null");
    cr_assert_str_eq(again->decisions.path, "dir/a # b");
    free(shown);
    cr_assert_eq(ride_config_show(c, false, &shown, &err), RIDE_OK);
    cr_assert_eq(ride_config_show(again, false, &second, &err), RIDE_OK);
    cr_assert_str_eq(second, shown);
    free(shown);
    free(second);
    ride_config_destroy(c);
    ride_config_destroy(again);
}

Test(config, explain_tells_an_option_or_a_group) {
    char *text = NULL;
    ride_error err;
    cr_assert_eq(ride_config_explain("scheduler.max_batch", &text, &err), RIDE_OK);
    cr_assert(strstr(text, "count of rows, 1 … 1048576") != NULL, "%s", text);
    cr_assert(strstr(text, "RIDE__SCHEDULER__MAX_BATCH") != NULL);
    free(text);
    cr_assert_eq(ride_config_explain("outputs", &text, &err), RIDE_OK);
    cr_assert(strstr(text, "outputs.decisions.vector") != NULL);
    free(text);
    cr_assert_eq(ride_config_explain("inputs.tx.path", &text, &err), RIDE_OK);
    cr_assert(strstr(text, "--set inputs.tx.path=VALUE") != NULL);
    free(text);
    cr_assert_eq(ride_config_explain("scheduler.slo", &text, &err), RIDE_OK);
    cr_assert(strstr(text, "not supported yet") != NULL);
    free(text);
    cr_assert_eq(ride_config_explain("rules", &text, &err), RIDE_OK);
    cr_assert(strstr(text, "rules[].when") != NULL);
    free(text);
    cr_assert_eq(ride_config_explain("scheduler.max_bach", &text, &err), RIDE_E_USAGE);
    cr_assert_str_eq(err.advice, "did you mean `scheduler.max_batch`?");
    cr_assert_null(text);
}

Test(config, reference_and_schema_hold_every_row) {
    char *reference = NULL, *schema = NULL;
    ride_error err;
    cr_assert_eq(ride_config_reference(&reference, &err), RIDE_OK);
    cr_assert_eq(ride_config_schema(&schema, &err), RIDE_OK);
    for (uint32_t i = 0; i < config_options_count; i++) {
        char cell[256];
        snprintf(cell, sizeof cell, "| `%s` |", config_options[i].key);
        cr_assert(strstr(reference, cell) != NULL, "%s", cell);
        if (config_open_group(config_options[i].key) != NULL) continue; /* any name */
        snprintf(cell, sizeof cell, "\"%s\": {", config_last_name(config_options[i].key));
        cr_assert(strstr(schema, cell) != NULL, "%s", cell);
    }
    free(reference);
    free(schema);
}

Test(config, keys_are_what_set_takes) {
    const char *key, *const *words;
    uint32_t count = 0;
    bool inputs = false, raw = false, texts = false, unavailable = false;
    for (; (key = ride_config_key(count, &words)) != NULL; count++) {
        inputs = inputs || strcmp(key, "inputs.") == 0;
        raw = raw || strcmp(key, "kafka.raw.") == 0;
        texts = texts || strcmp(key, "reasons.texts.") == 0;
        unavailable = unavailable || strcmp(key, "scheduler.slo") == 0;
        if (strcmp(key, "outputs.decisions.format") == 0) cr_assert_str_eq(words[1], "ndjson");
        if (strcmp(key, "outputs.decisions.vector") == 0) cr_assert_str_eq(words[0], "true");
        if (strcmp(key, "spec.path") == 0) cr_assert_null(words);
    }
    cr_assert(inputs && raw && texts && !unavailable);
    cr_assert_gt(count, 15);
}
