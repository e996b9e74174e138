/* engine/engine.h: the pipeline on one thread: bytes → decoder → keys → stamp → backend → verdict → encoder. With several shards the
 * backend's part is done by as many threads together (shards.h), and changes nothing but the time it takes.
 *
 * `ride run` and `ride features run` are the same run with another record at its end: a decision, or the features alone.
 * Everything is sized and allocated when a run starts; a batch is decoded, stamped (watermark, late, duplicate), computed and
 * written before the next one is read, so order is input order and memory is bounded. Output bytes depend on the events only,
 * never on batch sizes. One run per call; not reentrant for one output. */
#ifndef RIDE_ENGINE_ENGINE_H
#define RIDE_ENGINE_ENGINE_H
#include "base/error.h"
#include "base/histogram.h"
#include "features/reasons.h"
#include "features/schema.h"
#include "features/spec.h"
#include "models/compile.h"

#include <signal.h>

typedef struct ride_input_option {
    const char *name;   /* source of the spec; NULL = its source of events */
    const char *path;   /* "-" = standard input */
    ride_format format; /* 0 = as the spec says */
} ride_input_option;

/* What goes out for an event. */
typedef enum ride_record {
    RIDE_RECORD_FEATURES = 0, /* event id, vector; duplicates give no row */
    RIDE_RECORD_DECISION =
        1, /* docs/run.md: the decision with its hashes; a duplicate is answered with the stored verdict */
} ride_record;

enum {
    RIDE_RULES_MAX = 1024,
    RIDE_ALERTS_MAX = 10,
    RIDE_ALERT_FEATURES_MAX = 5,
    RIDE_ALERT_REASONS_MAX = 5,
    RIDE_TIMELINE_MAX = 1024,
    RIDE_SHARDS_MAX = 64,
    RIDE_DECISIONS = 3,
};

/* A point of the run's course. */
typedef struct ride_timeline_point {
    double seconds;        /* since the run began */
    uint64_t events;       /* received so far, by this process */
    double p50_us, p99_us; /* batch latency since the point before */
} ride_timeline_point;

/* One of the highest probabilities that were not approved, and the features that are furthest from their mean over the run, in
 * standard deviations (mean and deviation from every 64th event). */
typedef struct ride_alert {
    char event_id[RIDE_NAME_BYTES],
        key[RIDE_NAME_BYTES]; /* as text, cut; all but the end is *** where the spec says `sensitive` */
    bool id_is_integer;
    int64_t time_us;
    uint64_t sequence;
    double probability; /* NaN without a model */
    ride_decision decision;
    uint32_t rule; /* index; rules_count = none */
    uint32_t features_count;
    struct {
        uint32_t vector_index;
        double value, deviations;
    } features[RIDE_ALERT_FEATURES_MAX];
    uint32_t reasons_count;
    struct {
        uint32_t vector_index;
        double share;                  /* of the margin */
    } reasons[RIDE_ALERT_REASONS_MAX]; /* the greatest first; where the options ask for reasons */
} ride_alert;

/* Counts go on across a resume; elapsed_ns, bytes_*, batch_ns, timeline and alerts are this process's. */
typedef struct ride_run_summary {
    uint64_t received; /* rows seen: accepted + rejected + duplicates */
    uint64_t accepted; /* rows with features, scored where there is a model */
    uint64_t rejected, duplicates;
    uint64_t late;     /* accepted with a time below the watermark … */
    uint64_t too_late; /* … of which not entered into windows */
    uint64_t labels;   /* label rows that found their event */
    uint64_t labels_unknown;
    uint64_t labels_rejected;           /* label rows that could not be read; not among rejected, which counts events */
    uint64_t decisions[RIDE_DECISIONS]; /* of accepted rows, by ride_decision */
    uint64_t rules[RIDE_RULES_MAX];     /* accepted rows decided by each rule */
    uint64_t bytes_done, bytes_total;   /* of the input files as they are on disk; total 0 = unknown (a pipe) */
    uint64_t elapsed_ns;
    uint64_t setup_ns;       /* of it, before the first byte was read */
    uint64_t resumed_events; /* received by the runs before, from state_dir */
    ride_histogram batch_ns; /* decode to written, per batch */
    ride_timeline_point timeline[RIDE_TIMELINE_MAX];
    uint32_t timeline_count;
    ride_alert alerts[RIDE_ALERTS_MAX]; /* highest first */
    uint32_t alerts_count;
    uint32_t features_count; /* length of the vector */
    uint8_t spec_hash[32], model_hash[32];
    bool has_model;
    char backend[32];
    char (*vector_names)[RIDE_NAME_BYTES * 4];      /* [features_count]; ride_run_summary_free frees it */
    char (*reason_texts)[RIDE_REASON_TEXT_MAX + 1]; /* likewise: the operator's texts; NULL: none were given */
    uint64_t explained;                             /* accepted rows whose reasons were looked for */
    bool has_reasons;
    struct ride_run_drift *drift; /* engine/drift.h; NULL without a profile; likewise */
} ride_run_summary;

/* Where the buffers of batches come from that the backend asks its host for: zeroed, 4 KiB aligned, NULL = none left. */
typedef struct ride_host_memory {
    void *context;
    void *(*alloc)(void *context, uint64_t bytes);
    void (*free)(void *context, void *memory);
} ride_host_memory;

/* May it run? Asked once, when spec, rules, model and profile are compiled and nothing is sized yet. Findings go to `findings`. */
typedef ride_status (*ride_admit_fn)(void *context, const ride_spec *spec, const ride_bundle *bundle,
                                     ride_diagnostics *findings, ride_error *err);

typedef struct ride_run_options {
    const char *spec_path;
    const char *model_path; /* NULL = rules alone decide */
    ride_model_options model_load;
    const char *profile_path;    /* reference of drift (engine/profile.h), NULL = no drift */
    int64_t drift_interval_us;   /* 0 = 1 day */
    double drift_psi_alert;      /* 0 = 0.25 */
    const ride_rule_spec *rules; /* borrowed */
    uint32_t rules_count;        /* <= RIDE_RULES_MAX */
    const ride_input_option *inputs;
    uint32_t inputs_count;
    ride_reasons_options reasons; /* DECISION: borrowed texts */
    ride_record record;
    bool vector;              /* DECISION: the vector behind the decision */
    const char *output_path;  /* "-" = standard output */
    const char *alerts_path;  /* DECISION: decisions that are not approve, once more; NULL = none */
    const char *rejects_path; /* dead letters, NULL = counted only */
    const char *late_path;    /* rows too late for the windows, NULL = none */
    const char *drift_path;   /* drift of each interval, one JSON line per column, NULL = none */
    ride_format format;       /* of the outputs; 0 = CSV */
    uint32_t batch_rows_max;  /* 0 = 1024: tiles in and out stay in the second-level cache */
    const char *backend;      /* NULL = "cpu" */
    const char *backend_path; /* folder or plugin, may be NULL */
    uint64_t backend_memory;  /* bytes of window state; 0 = the machine's */
    uint32_t shards;          /* threads that compute a batch together, this one among them; 0 = 1 */
    const int *shard_cpus;    /* [shards] cpu that each is bound to, -1 = none; NULL = none of them */
    bool one_batch;           /* with several shards: a batch is written before the next one is read */
    bool pipelined;           /* of a service: reading, computing and sending on threads of their own (service.h) */
    const int *stage_cpus;    /* [2] of it: who reads and who sends, as shard_cpus */
    const ride_host_memory *memory; /* NULL = the C library's */
    ride_admit_fn admit;            /* may be NULL */
    void *admit_context;
    const char *config_path, *summary_path; /* may be NULL: files of the caller that no output may overwrite */
    const char *state_dir;       /* resume from it, and save into it at a clean end or stop; NULL = neither */
    volatile sig_atomic_t *stop; /* set it and the run ends after the batch; may be NULL */
    void (*progress)(void *context, const ride_run_summary *so_far); /* after each batch; may be NULL */
    void *progress_context;
} ride_run_options;

/* RIDE_OK at the end of the inputs, RIDE_INTERRUPTED after *stop: both are clean, everything read is written and state is saved.
 * Findings about the spec, the rules and the model go to `findings`, everything else to *err. *out is filled as far as the run
 * came; free it in any case. */
ride_status ride_run(const ride_run_options *options, ride_run_summary *out, ride_diagnostics *findings,
                     ride_error *err);
void ride_run_summary_free(ride_run_summary *summary);

/* The spec, and what is given of model, rules and profile, as one bundle image for `ride compile` and backends: freed with
 * ride_bundle_image_free. *spec (may be NULL) is the caller's. */
ride_status ride_compile(const ride_run_options *options, ride_spec **spec, uint8_t **image, uint64_t *image_bytes,
                         ride_diagnostics *findings, ride_error *err);
/* Can the model of a compiled bundle be explained, so that decisions can have reasons? RIDE_E_UNSUPPORTED and why not. Takes as long as a start
 * with reasons. *row_us: microseconds of one row, measured. */
ride_status ride_reasons_check(const ride_spec *spec, const ride_bundle *bundle, const ride_reasons_options *options,
                               double *row_us, ride_error *err);
/* The vector's entries with the names of their categories, as the model's compiler takes them. The caller frees the list; NULL
 * when memory is out. */
ride_model_source *ride_vector_sources(const ride_spec *spec);

#endif
