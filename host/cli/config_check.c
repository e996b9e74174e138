/* cli/config_check.c: see the header. Each step tells what it finds and the next one goes on, as far as it can without the
 * one before: a bad model hides no bad rule. Nothing is written, no input is read, no state is opened. */
#include "cli/config_check.h"
#include "backend/registry.h"
#include "cli/cli.h"
#include "cli/config_read.h"
#include "engine/budget.h"
#include "engine/placed.h"
#include "engine/profile.h"
#include "features/explain.h"
#include "kernels/layout/program.h"
#include "models/compile.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct check {
    const ride_config *config;
    ride_diagnostics findings; /* of the step at hand */
    int code;                  /* of the first finding */
    ride_spec *spec;           /* NULL = bad */
    ride_ensemble *model;      /* NULL = none, or bad */
    uint8_t *image;            /* spec, rules, model and profile compiled; NULL = bad */
    ride_bundle bundle;
    double row_us; /* to explain a row; 0 = none is */
} check;

/* Tells what the step found. */
static void told(check *c, ride_status st) {
    int code = cli_findings(&c->findings);
    if (code == 0) code = ride_status_exit_code(st);
    if (c->code == 0) c->code = code;
}

/* key: the option at fault; NULL: the file as a whole. */
static void fault(check *c, ride_status status, const char *key, const char *advice, const char *format, ...)
    RIDE_PRINTF(5, 6);
static void fault(check *c, ride_status status, const char *key, const char *advice, const char *format, ...) {
    ride_config_origin at = {RIDE_CONFIG_FILE, c->config->path, 0, 0};
    if (key != NULL) at = ride_config_origin_of(c->config, key);
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    ride_diagnose(&c->findings, status, at.name, at.line, at.column, advice, "%s", message);
}

/* A file that an option names must be there and readable. */
static void check_read_file(check *c, const char *key, const char *path) {
    if (path != NULL && access(path, R_OK) != 0)
        fault(c, RIDE_E_NO_INPUT, key, NULL, "`%s`: %.300s cannot be read", key, path);
}

static void check_read_files(check *c) {
    const ride_config *config = c->config;
    check_read_file(c, "reasons.background", config->reasons.background);
    check_read_file(c, "kafka.ca", config->kafka.ca);
    check_read_file(c, "kafka.certificate", config->kafka.certificate);
    check_read_file(c, "kafka.key", config->kafka.key);
    check_read_file(c, "kafka.key_password_file", config->kafka.key_password_file);
    check_read_file(c, "kafka.sasl.password_file", config->kafka.sasl.password_file);
    check_read_file(c, "http.certificate", config->http.certificate);
    check_read_file(c, "http.key", config->http.key);
    check_read_file(c, "http.token_file", config->http.token_file);
}

static void input_key(const ride_config_input *input, char key[RIDE_NAME_BYTES + 16]) {
    snprintf(key, RIDE_NAME_BYTES + 16, "inputs.%s.%s", input->source, input->topic != NULL ? "topic" : "path");
}

static void check_input_files(check *c) {
    for (uint32_t i = 0; i < c->config->inputs_count; i++) {
        const ride_config_input *input = &c->config->inputs[i];
        char key[RIDE_NAME_BYTES + 16];
        if (input->path == NULL) continue;
        input_key(input, key);
        if (strcmp(input->path, "-") != 0 && access(input->path, R_OK) != 0)
            fault(c, RIDE_E_NO_INPUT, key, NULL, "`%s`: %.300s cannot be read", key, input->path);
    }
}

/* The folder is what can be checked without making the file. */
static void check_output_file(check *c, const char *key, const char *path) {
    char folder[4096];
    struct stat there;
    if (path == NULL || strcmp(path, "-") == 0) return;
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash != NULL ? (int)(slash - path) + 1 : 1, slash != NULL ? path : ".");
    bool is_folder = stat(path, &there) == 0 && S_ISDIR(there.st_mode);
    if (is_folder || (access(path, W_OK) != 0 && access(folder, W_OK) != 0))
        fault(c, RIDE_E_IO, key, NULL, "`%s`: %.300s cannot be made", key, path);
}

static void check_files(check *c) {
    const ride_config *config = c->config;
    check_input_files(c);
    check_output_file(c, "outputs.decisions.path", config->decisions.path);
    check_output_file(c, "outputs.alerts.path", config->alerts.path);
    check_output_file(c, "outputs.rejects.path", config->rejects);
    check_output_file(c, "outputs.late.path", config->late);
    check_output_file(c, "outputs.summary.path", config->summary);
    check_output_file(c, "outputs.drift.path", config->drift);
    check_read_files(c);
    told(c, RIDE_OK);
}

static void check_backend(check *c) {
    ride_backend_services services;
    const ride_backend_ops *ops = NULL;
    ride_error err = {.status = RIDE_OK};
    ride_backend_services_init(&services, ride_clock_real());
    ride_log_set_level(RIDE_LOG_OFF); /* what is passed over is no matter of the configuration */
    if (ride_backend_select(c->config->backend, c->config->backend_path, &services, &ops, NULL, &err) == RIDE_OK)
        return;
    fault(c, err.status, "backend.name", err.advice[0] != '\0' ? err.advice : NULL, "`backend.name`: %s", err.what);
    told(c, RIDE_OK);
}

/* The names on both sides: inputs of the configuration, sources of the spec. */
static void check_sources(check *c) {
    const ride_spec *spec = c->spec;
    const char *names[RIDE_SOURCES_MAX];
    bool events = false;
    for (uint32_t s = 0; s < spec->sources_count; s++) names[s] = spec->sources[s].name;
    for (uint32_t i = 0; i < c->config->inputs_count; i++) {
        const char *source = c->config->inputs[i].source;
        char key[RIDE_NAME_BYTES + 16], advice[RIDE_NAME_BYTES + 32];
        bool known = false;
        for (uint32_t s = 0; s < spec->sources_count; s++) known = known || strcmp(names[s], source) == 0;
        events = events || strcmp(source, names[spec->source_events]) == 0;
        if (known) continue;
        const char *near = ride_nearest(source, names, spec->sources_count);
        input_key(&c->config->inputs[i], key);
        snprintf(advice, sizeof advice, "did you mean `%s`?", near != NULL ? near : names[spec->source_events]);
        fault(c, RIDE_E_CONFIG, key, advice, "the spec has no source `%s`", source);
    }
    if (!events && c->config->http.listen == NULL) /* else they come by HTTP */
        fault(c, RIDE_E_CONFIG, NULL, NULL, "`inputs` lacks `%s`, the spec's source of events",
              names[spec->source_events]);
    told(c, RIDE_OK);
}

/* What a rule compares with a score that nobody computes is never true. */
static void check_scores(check *c) {
    const ride_plan_rule *rules = ride_bundle_array(&c->bundle, RIDE_SECTION_RULES, ride_plan_rule);
    const ride_program *programs = ride_bundle_array(&c->bundle, RIDE_SECTION_PROGRAMS, ride_program);
    for (uint32_t i = 0; i < c->config->rules_count && c->config->model == NULL; i++) {
        const ride_rule_spec *rule = &c->config->rules[i];
        if ((programs[rules[i].program].reads & RIDE_PROGRAM_READS_SCORE) == 0) continue;
        ride_diagnose(&c->findings, RIDE_E_CONFIG, rule->file, rule->line, rule->column, "model: FILE",
                      "rule `%.80s` reads a score, and there is no model", rule->id);
    }
}

/* Reasons of a model that cannot be explained. */
static void check_reasons(check *c) {
    ride_error err = {.status = RIDE_OK};
    const char *file = c->config->reasons.background;
    if (c->config->reasons.when == RIDE_REASONS_NONE || c->model == NULL) return;
    if (file != NULL && access(file, R_OK) != 0) return; /* told already */
    const ride_status st = ride_reasons_check(c->spec, &c->bundle, &c->config->reasons, &c->row_us, &err);
    if (st == RIDE_OK) return;
    const char *key = st == RIDE_E_UNSUPPORTED || file == NULL ? "reasons.when" : "reasons.background";
    const bool is_placed = err.where[0] != '\0' && strcmp(err.where, key) != 0; /* in the background file */
    fault(c, RIDE_E_CONFIG, key, err.advice[0] != '\0' ? err.advice : NULL, "`%s`: %s%s%s", key, err.what,
          is_placed ? " at " : "", is_placed ? err.where : "");
}

static ride_status add_model(check *c, ride_bundle_builder *builder) {
    ride_model_source *vector = ride_vector_sources(c->spec);
    if (vector == NULL) return RIDE_E_MEMORY;
    ride_status st = ride_ensemble_to_bundle(c->model, vector, c->spec->vector_count, builder, &c->findings);
    free(vector);
    return st;
}

static ride_status add_profile(check *c, ride_bundle_builder *builder) {
    const char *path = c->config->drift_profile;
    ride_error err = {.status = RIDE_OK};
    if (path == NULL) return RIDE_OK;
    ride_status st =
        ride_profile_add(path, c->spec, c->model != NULL ? c->model->hash : NULL, builder, &c->findings, &err);
    if (st != RIDE_OK && c->findings.count == 0)
        fault(c, st, "drift.profile", err.advice, "`drift.profile`: %.300s: %s", path, err.what);
    told(c, st);
    return st;
}

static void compile(check *c) {
    ride_bundle_builder *builder = NULL;
    ride_error err = {.status = RIDE_OK};
    uint64_t bytes = 0;
    ride_status st = ride_bundle_builder_create(&builder, &err);
    if (st == RIDE_OK) {
        st = ride_spec_to_bundle(c->spec, c->config->rules, c->config->rules_count, builder, &c->findings);
        told(c, st);
        ride_status model = c->model != NULL ? add_model(c, builder) : RIDE_OK;
        told(c, model);
        if (st == RIDE_OK) st = model;
        if (st == RIDE_OK) st = add_profile(c, builder);
    }
    if (st == RIDE_OK) st = ride_bundle_builder_build(builder, &c->image, &bytes, &err);
    if (st == RIDE_OK) st = ride_bundle_open(c->image, bytes, &c->bundle, &err);
    ride_bundle_builder_destroy(builder);
    if (st == RIDE_OK) check_scores(c);
    if (st == RIDE_OK) check_reasons(c);
    else if (c->code == 0) c->code = cli_failed("config check", &err);
    told(c, RIDE_OK);
}

static void put_item(const char *what, uint64_t events, const char *bytes, const char *note) {
    char count[32] = "";
    if (events > 0) snprintf(count, sizeof count, "%" PRIu64, events);
    printf("  %-34s %10s %12s%s%s\n", what, count, bytes, *note != '\0' ? "  " : "", note);
}

/* Window state of each entity. */
static void print_state(const check *c) {
    ride_explain_entity entities[RIDE_ENTITIES_MAX];
    ride_error err = {.status = RIDE_OK};
    if (ride_explain_memory(c->spec, entities, &err) != RIDE_OK) return;
    for (uint32_t e = 0; e < c->spec->entities_count; e++) {
        char what[RIDE_NAME_BYTES + 32], note[64], bytes[32];
        snprintf(what, sizeof what, "window state of %s", c->spec->entities[e].name);
        snprintf(note, sizeof note, "%" PRIu64 " keys of %" PRIu64 " events", entities[e].expected_keys,
                 entities[e].events_per_key);
        if (entities[e].expected_keys == 0) put_item(what, 0, "not bounded", "the entity has no expected_keys");
        else put_item(what, 0, ride_budget_text(entities[e].total_bytes_max, bytes, sizeof bytes), note);
    }
}

/* Every bound, and their sum. */
static void print_memory(const check *c) {
    ride_budget budget;
    ride_budget_facts facts;
    ride_error err = {.status = RIDE_OK};
    char bytes[32];
    ride_budget_facts_of(c->spec, &c->bundle, 0, ride_placed_is_pipelined(c->config), &facts);
    ride_status st = ride_budget_at_start(c->config, &facts, &budget, &err);
    printf("at most:%-30s %6s %12s\n", "", "events", "memory");
    print_state(c);
    for (uint32_t i = 0; i < budget.count; i++) {
        const ride_budget_item *item = &budget.items[i];
        bool ids = !item->is_bounded && item->key[0] == '\0';
        put_item(item->name, item->events,
                 item->is_bounded || item->is_expected ? ride_budget_text(item->bytes, bytes, sizeof bytes)
                                                       : "not bounded",
                 ids                 ? "as many as come within the horizon of the spec"
                 : item->is_expected ? "expected, not bounded: set backend.memory"
                                     : item->key);
    }
    put_item("in all", 0, ride_budget_text(budget.bytes, bytes, sizeof bytes),
             budget.is_bounded ? "" : "and more, where it is not bounded");
    if (c->config->backend_memory != 0 && facts.state_bytes > c->config->backend_memory)
        puts("backend.memory is less than the keys that the spec expects need");
    if (c->row_us > 0.0) printf("explaining a row takes %.3g µs here\n", c->row_us);
    if (st != RIDE_OK) printf("more than this machine has: %s\n", err.what);
}

int cli_config_check(const ride_config *config) {
    static check c;
    c = (check){.config = config};
    ride_diagnostics_init(&c.findings);
    check_files(&c);
    check_backend(&c);
    told(&c, ride_spec_load(config->spec, &c.spec, &c.findings));
    if (config->model != NULL) {
        const ride_model_options options = cli_config_model(config);
        told(&c, ride_ensemble_load(config->model, &options, &c.model, &c.findings));
    }
    if (c.spec != NULL) {
        check_sources(&c);
        told(&c, ride_config_check_partitions(config, c.spec, &c.findings));
        told(&c, ride_config_check_reasons(config, c.spec, &c.findings));
        told(&c, ride_config_check_record(config, c.spec, &c.findings));
        compile(&c);
    }
    if (c.code == 0 && c.spec != NULL) {
        puts("the configuration is good");
        print_memory(&c);
        c.code = cli_print("");
    }
    ride_bundle_image_free(c.image);
    ride_ensemble_destroy(c.model);
    ride_spec_destroy(c.spec);
    return c.code;
}
