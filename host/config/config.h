/* config/config.h: the configuration of a run or a service, read from YAML, the environment and --set by one option table.
 *
 * Precedence: default < file < environment (RIDE__SCHEDULER__MAX_BATCH=8192) < --set scheduler.max_batch=8192. Every value is
 * checked; all findings are told at once, with file:line:column (or "environment", "--set") and "did you mean".
 *
 *     spec: features.yaml                      # or spec: {path: …}
 *     model: {path: model.json, best_iteration: false}
 *     rules:                                   # in order; the first that holds decides; none holds: approve
 *       - {id: high-score, when: "probability >= 0.9", decision: decline}
 *     reasons: {when: alerts, top: 3, texts: {card_*: "use of the card"}}    # or reasons: alerts
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
 *     scheduler: {max_batch: 1024, policy: greedy}
 *     log: {level: info, format: auto}
 *
 * A run reads files and ends with them. What reads or writes a topic of Kafka, or listens for HTTP, is a service:
 *
 *     inputs: {tx: {topic: transactions}}
 *     outputs: {decisions: {topic: decisions}, alerts: {topic: alerts}, rejects: {topic: rejects}, late: {topic: late}}
 *     kafka: {brokers: "b1:9092,b2:9092", group: ride, security: sasl_ssl, ca: ca.pem,
 *             sasl: {mechanism: scram-sha-512, user: ride, password_file: secret}, raw: {fetch.wait.max.ms: 5}}
 *     http: {listen: "127.0.0.1:8080"}
 *     admin: {listen: "127.0.0.1:9090"}
 *     runtime: {shards: 2, drain_timeout: 30s}
 *     journal: {path: journal.ride}
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
#include "features/reasons.h"
#include "features/schema.h"
#include "features/spec.h"

enum {
    RIDE_CONFIG_RULES_MAX = 1024,
    RIDE_CONFIG_RAW_MAX = 64,
    RIDE_CONFIG_TEXTS_MAX = 256,
    RIDE_CONFIG_SHARDS_MAX = 64
};

typedef struct ride_config_input {
    const char *source; /* name of a source of the spec */
    const char *path;   /* resolved; exactly one of path and topic is not NULL */
    const char *topic;
    ride_format format;        /* 0 = as the spec says; of a topic never 0 */
    const char *partition_key; /* field that the topic is partitioned by; NULL = not said */
} ride_config_input;

typedef enum ride_config_start { RIDE_CONFIG_EARLIEST = 1, RIDE_CONFIG_LATEST } ride_config_start;
typedef enum ride_config_security {
    RIDE_CONFIG_PLAINTEXT = 1,
    RIDE_CONFIG_SSL,
    RIDE_CONFIG_SASL_PLAINTEXT,
    RIDE_CONFIG_SASL_SSL,
} ride_config_security;
typedef enum ride_config_mechanism {
    RIDE_CONFIG_PLAIN = 1,
    RIDE_CONFIG_SCRAM_SHA_256,
    RIDE_CONFIG_SCRAM_SHA_512,
} ride_config_mechanism;
typedef enum ride_config_mode { RIDE_CONFIG_AUTO = 1, RIDE_CONFIG_INLINE, RIDE_CONFIG_PIPELINE } ride_config_mode;
typedef enum ride_config_policy { RIDE_CONFIG_GREEDY = 1, RIDE_CONFIG_FIXED } ride_config_policy;

/* An option that is passed to librdkafka as it is. */
typedef struct ride_config_raw {
    const char *name, *value;
} ride_config_raw;

typedef struct ride_config {
    const char *path;  /* of the file, as given */
    const char *spec;  /* resolved path; never NULL after a good load */
    const char *model; /* resolved path, NULL = no model: rules alone decide */
    bool model_best_iteration;
    uint64_t model_bytes_max; /* of the file */
    uint32_t model_trees_max, model_nodes_max;
    ride_rule_spec *rules; /* `file`, `line` and `column` place the text of `when` */
    uint32_t rules_count;
    ride_reasons_options reasons;
    ride_config_input inputs[RIDE_SOURCES_MAX];
    uint32_t inputs_count;
    struct {
        const char *path; /* one of the two, or both NULL = none */
        const char *topic;
        ride_format format;
        bool vector; /* the features behind the decision */
    } decisions;
    struct {
        const char *path, *topic; /* decisions that are not approve */
    } alerts;
    const char *rejects; /* paths, NULL = none */
    const char *rejects_topic;
    const char *late;
    const char *late_topic;
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
    ride_config_policy policy;
    int64_t max_delay_us; /* of `fixed` */
    struct {
        const char *brokers; /* HOST:PORT,…; never NULL when a topic is used */
        const char *group, *client_id;
        ride_config_start start;
        ride_config_security security;
        const char *ca, *certificate, *key, *key_password_file; /* paths, NULL = none */
        struct {
            ride_config_mechanism mechanism; /* 0 = none: security is not sasl_… */
            const char *user, *password_file;
        } sasl;
        const ride_config_raw *raw;
        uint32_t raw_count;
    } kafka;
    struct {
        const char *listen;                         /* HOST:PORT, NULL = off */
        const char *certificate, *key, *token_file; /* paths, NULL = none */
        const char *log_topic;                      /* NULL: events are in no log */
        uint64_t body_max, header_max, memory;      /* bytes */
        uint32_t connections_max, queue;            /* queue: events */
        int64_t idle_timeout_us;
        const char *model_name;
    } http;
    struct {
        const char *listen; /* NULL = not set */
    } admin;
    struct {
        ride_config_mode mode;
        uint32_t shards; /* 0 = as many as the machine carries */
        int64_t drain_timeout_us;
    } runtime;
    struct {
        const char *path; /* not set: STATE_DIR/journal.ride; NULL: none */
        bool sync;
    } journal;
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
/* Does it read or write a topic, or listen for HTTP? Else it is a run over files. */
bool ride_config_is_service(const ride_config *config);
/* May `next` take the place of what runs, without a restart? A finding for every option that differs from `begun` and does not change
 * while a run goes on; RIDE_E_CONFIG when there is one: then nothing of `next` may be taken. begun: the configuration that the process
 * started with, not the last one taken, since rooms were sized by it. Files that options name are not looked into. */
ride_status ride_config_reload_check(const ride_config *begun, const ride_config *next, ride_diagnostics *findings);

/* inputs.SOURCE.partition_key, NULL = not said. */
const char *ride_config_partition_key(const ride_config *config, const char *source);
/* Does the partition key fit the spec: is every window over events of one partition? A finding for each entity that does not fit. */
ride_status ride_config_check_partitions(const ride_config *config, const ride_spec *spec, ride_diagnostics *findings);
/* Is each of `reasons.texts` about an entry of the vector? A finding for each that is not. */
ride_status ride_config_check_reasons(const ride_config *config, const ride_spec *spec, ride_diagnostics *findings);

/* Are the names of a decision record's columns different from each other? A finding for the event id, and with `outputs.decisions.vector` for each entry of the
 * vector, that has the name of another column. */
ride_status ride_config_check_record(const ride_config *config, const ride_spec *spec, ride_diagnostics *findings);

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
/* The word that a word option has ("sasl_ssl" of "kafka.security"), NULL when it has none; key as in the reference. */
const char *ride_config_word(const ride_config *config, const char *key);
/* The index-th key as --set takes it, NULL past the last: "outputs.late.path"; "inputs.", "kafka.raw." and "reasons.texts." where a name follows. Options
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
