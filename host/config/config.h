/* config/config.h: the configuration of a run, read from YAML, the environment and --set by one option table.
 *
 * Precedence: default < file < environment (RIDE__SCHEDULER__MAX_BATCH=8192) < --set scheduler.max_batch=8192. Every value is
 * checked; all findings are told at once, with file:line:column (or "environment", "--set") and "did you mean".
 *
 *     spec: features.yaml                      # or spec: {path: …}
 *     model: {path: model.json, best_iteration: false}
 *     rules:                                   # in order; the first that holds decides; none holds: approve
 *       - {id: high-score, when: "probability >= 0.9", decision: decline}
 *     inputs: {tx: {path: tx.csv.zst}, chargebacks: {path: labels.csv}}    # by source of the spec
 *     outputs:
 *       decisions: {path: decisions.csv, format: csv, vector: false}
 *       rejects: {path: rejects.ndjson}
 *       late: {path: late.csv}
 *       summary: {path: summary.json}
 *       drift: {path: drift.ndjson}
 *     backend: {name: auto, path: "", memory: 8GiB}                        # or backend: cpu
 *     drift: {profile: model.profile, interval: 1d, psi_alert: 0.25}
 *     state: {dir: state}
 *     scheduler: {max_batch: 1024}
 *     log: {level: info, format: auto}
 *
 * In place of a mapping the value of its main member may stand, in the file and with --set: `backend: cpu` is
 * `backend: {name: cpu}`, `inputs: {tx: FILE}` names a path. An empty value (`--set outputs.late.path=`) unsets.
 *
 * Relative paths of the file are relative to the file's folder; those of the environment and of --set to the working folder.
 * `-` is the standard input or output. A config owns all its strings; immutable after load; then any thread. */
#ifndef RIDE_CONFIG_CONFIG_H
#define RIDE_CONFIG_CONFIG_H
#include "base/error.h"
#include "base/log.h"
#include "features/schema.h"
#include "features/spec.h"

enum { RIDE_CONFIG_RULES_MAX = 1024 };

typedef struct ride_config_input {
    const char *source; /* name of a source of the spec */
    const char *path;   /* resolved */
    ride_format format; /* 0 = as the spec says */
} ride_config_input;

typedef struct ride_config {
    const char *path;  /* of the file, as given */
    const char *spec;  /* resolved path; never NULL after a good load */
    const char *model; /* resolved path, NULL = no model: rules alone decide */
    bool model_best_iteration;
    ride_rule_spec *rules; /* `file`, `line` and `column` place the text of `when` */
    uint32_t rules_count;
    ride_config_input inputs[RIDE_SOURCES_MAX];
    uint32_t inputs_count;
    struct {
        const char *path; /* NULL = none */
        ride_format format;
        bool vector; /* the features behind the decision */
    } decisions;
    const char *rejects; /* paths, NULL = none */
    const char *late;
    const char *summary;
    const char *drift;
    const char *backend;       /* "auto", "cpu", … */
    const char *backend_path;  /* folder or plugin file, NULL = none */
    uint64_t backend_memory;   /* bytes of window state, 0 = no bound but the machine */
    const char *drift_profile; /* NULL = drift is not looked at */
    int64_t drift_interval_us;
    uint32_t drift_psi_alert; /* millionths */
    const char *state_dir;    /* NULL = nothing is kept */
    uint32_t max_batch;       /* rows per batch */
    ride_log_level log_level;
    ride_log_format log_format;
    void *private_data; /* origins and strings: config.c's own */
} ride_config;

/* Reads and checks. sets: "key=value" texts of --set, in order. environment: as environ, NULL = none. On any finding *out is NULL
 * and the status RIDE_E_CONFIG (RIDE_E_NO_INPUT when the file cannot be read, RIDE_E_USAGE for a --set without `=`). */
ride_status ride_config_load(const char *path, const char *const *sets, uint32_t sets_count,
                             const char *const *environment, ride_config **out, ride_diagnostics *findings);
/* The same with the file's text given; `path` is for messages and for relative paths. For tests and fuzzing. */
ride_status ride_config_parse(const char *path, const char *text, size_t text_bytes, const char *const *sets,
                              uint32_t sets_count, const char *const *environment, ride_config **out,
                              ride_diagnostics *findings);
void ride_config_destroy(ride_config *config); /* NULL is fine */

/* Where an option's value comes from: to place a finding that only a later step can make. */
typedef enum ride_config_layer {
    RIDE_CONFIG_DEFAULT = 0,
    RIDE_CONFIG_FILE,
    RIDE_CONFIG_ENVIRONMENT,
    RIDE_CONFIG_SET,
} ride_config_layer;
typedef struct ride_config_origin {
    ride_config_layer layer;
    const char *name;      /* for ride_diagnose's `file`: the file's path, "environment", "--set" or "default" */
    uint32_t line, column; /* 0 but for the file */
} ride_config_origin;
/* key: "scheduler.max_batch", "inputs.tx.path". A key that is no option, or has no value, is a default. Borrowed from config. */
ride_config_origin ride_config_origin_of(const ride_config *config, const char *key);
/* The index-th key as --set takes it, NULL past the last: "outputs.late.path"; "inputs." where the source's name follows. Options
 * that are not supported yet are left out. *words: what it can be, ended by NULL; NULL = anything. */
const char *ride_config_key(uint32_t index, const char *const **words);

/* Texts for `ride config`. The caller frees *out_text with free(). */
/* Every option with its value as YAML; with_origin: a comment says where each comes from (default, file:line, environment, --set). */
ride_status ride_config_show(const ride_config *config, bool with_origin, char **out_text, ride_error *err);
/* What one option is: type, unit, bounds, default, text. key: "scheduler.max_batch" or a group; RIDE_E_USAGE with "did you mean". */
ride_status ride_config_explain(const char *key, char **out_text, ride_error *err);
ride_status ride_config_schema(char **out_text, ride_error *err);    /* JSON Schema (draft 2020-12) */
ride_status ride_config_reference(char **out_text, ride_error *err); /* docs/CONFIGURATION.md */

#endif
