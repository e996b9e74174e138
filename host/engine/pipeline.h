/* engine/pipeline.h: the parts of one run; private to host/engine. */
#ifndef RIDE_ENGINE_PIPELINE_H
#define RIDE_ENGINE_PIPELINE_H
#include "backend/registry.h"
#include "engine/engine.h"
#include "features/keys.h"
#include "io/decoder.h"
#include "io/encoder.h"
#include "io/reject.h"
#include "state/idmap.h"
#include "state/snapshot.h"

enum { ARENA_BYTES = 16 << 20, GROUP_ROWS_MAX = 65536, MODELS_KNOWN_MAX = 64, RULES_KNOWN_MAX = 2 * RIDE_RULES_MAX };
#define RULE_NONE           UINT32_MAX
#define ANSWERED_BY_EARLIER (UINT32_C(1) << 31)

/* What is remembered of an event for its labels. */
typedef struct known_event {
    uint64_t null_keys;
    uint64_t sequence;                              /* its arrival number */
    uint8_t is_event, pending_label, pending_value; /* a label that came before its event waits */
    uint8_t reserved[5];
    ride_key128 keys[]; /* by entity */
} known_event;

/* How an event ended: a row of the engine's own tiles, and what dedup keeps with an id for repeated answers. */
typedef struct verdict {
    uint64_t sequence; /* row of the run that it belongs to */
    double margin, probability;
    uint32_t rule;    /* index into rule_names, RULE_NONE = none */
    uint8_t decision; /* ride_decision */
    uint8_t approx, late;
    uint8_t model; /* index into models_known, MODELS_KNOWN_MAX = none */
} verdict;

/* Columns of the engine's own tiles, beside the input and output tiles of a batch. */
enum {
    VERDICT_MARGIN = 0,
    VERDICT_PROBABILITY,
    VERDICT_DECISION,
    VERDICT_RULE,
    VERDICT_END,
    VERDICT_APPROX,
    VERDICT_LATE,
    VERDICT_MODEL,
    VERDICT_COLUMNS,
};

/* Ends of a row that is written. */
enum { END_SCORED = 0, END_DEGRADED, END_DUPLICATE, ENDS };

enum { PREFIX_BYTES = 4096 };
typedef struct input {
    uint8_t prefix[PREFIX_BYTES]; /* how the input begins: a resumed run must find the same */
    uint32_t prefix_bytes;
    ride_source *source;
    ride_decoder *decoder;
    const ride_source_spec *spec;
    const char *path;
    bool is_labels, at_end;
} input;

/* One of the run's outputs. */
typedef struct output {
    ride_sink *sink;
    ride_encoder *encoder; /* NULL for the dead letters and drift */
    const char *path;      /* NULL = this output is not there */
    uint64_t offset;       /* where it ended, once closed */
} output;
enum { OUTPUT_MAIN = 0, OUTPUT_LATE, OUTPUT_REJECTS, OUTPUT_DRIFT, OUTPUT_ALERTS, OUTPUTS };

/* Running mean and squared deviations of the vector's entries, for "what stands out" (alerts.c). */
typedef struct moments {
    double mean, squares;
    uint64_t count;
} moments;

typedef struct pipeline {
    const ride_run_options *options;
    ride_run_summary *summary;
    ride_spec *spec;
    const ride_source_spec *events;
    uint8_t *image;
    ride_bundle bundle;
    ride_tile_layout in_layout, out_layout, label_layout, verdict_layout;
    ride_key_plan keys;
    input inputs[RIDE_SOURCES_MAX];
    uint32_t inputs_count;
    ride_batch *batch, *label_batch;
    uint8_t *in_tiles; /* the batch's, from the backend */
    uint8_t *out_tiles, *verdict_tiles;
    uint8_t *reason_tiles;   /* NULL without reasons */
    struct reasons *reasons; /* reasons.h; NULL: none are wanted */
    uint32_t *
        answered_by; /* per row of the batch, of a duplicate: the row that it repeats (of a batch before that has no verdicts
                            * yet: how many rows before this batch, with ANSWERED_BY_EARLIER), or UINT32_MAX: filled already */
    uint32_t duplicates_in_batch;
    uint64_t batch_start_ns;
    bool counted;            /* the batch's own work counts it for drift */
    struct overlap *overlap; /* NULL: one batch is in hand at a time (overlap.h) */
    uint64_t
        unanswered_from; /* arrival number from which on the verdicts of batches before are not with their ids yet; UINT64_MAX: all are */
    verdict *
        recent; /* the last rows' verdicts by arrival number, recent_mask + 1 of them, where several batches are on their way
                      * (service_pipe.h): whoever makes verdicts has them here, and whoever stamps puts them with the ids later. NULL: neither */
    uint64_t recent_mask;
    ride_idmap *dedup, *labels;
    uint64_t labels_waiting; /* labels that came before their event, or whose event never came */
    /* The clock: of one stream its greatest event time; of several the least of theirs (state/journal.h). A row moves it by
     * clock = max(clock, min(floor, stream = max(stream, time))). Of files, which are merged by time, the floor is INT64_MAX. */
    int64_t clock_us, stream_us, floor_us;
    int64_t reached_us; /* the greatest clock so far: clock_us, but where each stream has its own */
    bool many_clocks;   /* each has (service.h: partition_keyed); then, as of the batch's begin, the least of theirs: */
    int64_t least_us;
    ride_backend_services services;
    const ride_backend_ops *ops;
    ride_device *device;
    ride_program_dev *program;
    struct shards *shards; /* window state, and who computes (shards.h) */
    uint32_t stages;
    output outputs[OUTPUTS];
    uint32_t *rows; /* scratch: rows to write */
    uint64_t sequence;
    /* decisions */
    const char *rule_names[RULES_KNOWN_MAX]; /* this run's rules (borrowed), then older ones of kept verdicts (owned) */
    uint32_t rules_known;
    char model_hashes[MODELS_KNOWN_MAX][65]; /* this run's model, and those whose verdicts came with the saved state */
    const char *models_known[MODELS_KNOWN_MAX];
    uint32_t models_count, model_now;
    char spec_hash_text[65];
    char key_names[RIDE_KEYS_MAX][RIDE_NAME_BYTES + 8]; /* of the record's key columns */
    char reason_names[RIDE_REASONS_TOP_MAX][3][24];     /* likewise of its reasons */
    /* observations */
    moments *vector_moments;
    double *alert_vectors; /* [RIDE_ALERTS_MAX][features_count] */
    ride_histogram interval_ns;
    uint64_t start_ns, interval_start_ns;
    double interval_seconds;
    struct drift *drift; /* NULL without a profile */
    bool no_drift;       /* rows that are read again were counted the first time */
    bool no_reasons;     /* rows that are read again and go nowhere: their reasons are nobody's */
    bool no_scores;      /* rows that are read again, whose verdicts nobody will ask for: features only */
    bool by_message;     /* rows come from feeds (service.h): there are no inputs */
    /* saved state */
    ride_snapshot_dir *snapshots;
} pipeline;

/* What of the pipeline is a batch's: who has several takes one up, and puts it down again. */
typedef struct hand {
    ride_batch *batch;
    uint8_t *in_tiles, *out_tiles, *verdict_tiles, *reason_tiles;
    uint32_t *answered_by, duplicates_in_batch;
    uint64_t sequence, start_ns;
    bool counted;
} hand;
static inline hand hand_of(const pipeline *p) {
    return (hand){.batch = p->batch,
                  .in_tiles = p->in_tiles,
                  .out_tiles = p->out_tiles,
                  .verdict_tiles = p->verdict_tiles,
                  .reason_tiles = p->reason_tiles,
                  .answered_by = p->answered_by,
                  .duplicates_in_batch = p->duplicates_in_batch,
                  .sequence = p->sequence,
                  .start_ns = p->batch_start_ns,
                  .counted = p->counted};
}
static inline void hand_take(pipeline *p, const hand *h) {
    p->batch = h->batch;
    p->in_tiles = h->in_tiles;
    p->out_tiles = h->out_tiles;
    p->verdict_tiles = h->verdict_tiles;
    p->reason_tiles = h->reason_tiles;
    p->answered_by = h->answered_by;
    p->duplicates_in_batch = h->duplicates_in_batch;
    p->sequence = h->sequence;
    p->batch_start_ns = h->start_ns;
    p->counted = h->counted;
}

ride_status pipeline_open(pipeline *p, ride_diagnostics *findings, ride_error *err);
/* Flushes and closes the outputs and then, when `keep`, saves the state; frees everything in any case. */
ride_status pipeline_close(pipeline *p, bool keep, ride_error *err);
/* Window state, ids of events and labels as at a first start. */
ride_status pipeline_reset_state(pipeline *p, ride_error *err);
/* Hands a work without windows to the backend and waits for it; a failure says what it was. */
ride_status pipeline_submit(pipeline *p, const ride_work *work, ride_error *err);
/* Features, scores, rules and counts of the batch: begun, ended, or both; both also settles its drift. */
void pipeline_begin(pipeline *p);
ride_status pipeline_end(pipeline *p, ride_error *err);
ride_status pipeline_compute(pipeline *p, ride_error *err);
/* Drift, verdicts, alerts and outputs of a computed batch. */
ride_status pipeline_write(pipeline *p, ride_error *err);
/* After a batch: progress. true: the run is to stop. */
bool pipeline_told(pipeline *p);
/* Room of the batch that p holds: tiles in and out (open.c). close: of its verdicts and reasons too. */
ride_status pipeline_batch_open(pipeline *p, ride_error *err);
void pipeline_batch_close(pipeline *p);
/* Reads the next rows into the batch, labels among them, and stamps them. RIDE_END when the inputs are at their end. */
ride_status pipeline_read(pipeline *p, ride_error *err);
/* Stamps rows [first, batch->rows_count): keys, duplicates, watermark. */
ride_status pipeline_stamp(pipeline *p, uint32_t first, ride_error *err);
/* In order: event_time: flags the last row of each group of one timestamp. The batch ends with a whole group.
 * Returns the events of the largest. */
uint32_t pipeline_mark_groups(pipeline *p);
/* A decoded label row → a row of the event batch. */
ride_status pipeline_label(pipeline *p, const ride_source_spec *source, uint32_t row, ride_error *err);

/* outputs.c: the outputs with their columns; resumed ones go on at their offset. */
ride_status outputs_open(pipeline *p, ride_error *err);
ride_status outputs_write(pipeline *p);
/* What a record's encoder reads. */
static inline void outputs_sets(const pipeline *p, ride_encoder_set sets[RIDE_ENCODER_SETS_MAX]) {
    sets[0] = (ride_encoder_set){p->batch->tiles, p->batch->arena};
    sets[1] = (ride_encoder_set){p->out_tiles, NULL};
    sets[2] = (ride_encoder_set){p->verdict_tiles, NULL};
    sets[3] = (ride_encoder_set){p->reason_tiles, NULL};
}
/* An encoder of single records, as OUTPUT_MAIN or OUTPUT_LATE have them. */
ride_status outputs_record_encoder(pipeline *p, bool late, ride_format format, ride_encoder **out, ride_error *err);
/* The decision record with the vector behind it, as NDJSON: fields_count members are the record's. sensitive: names of columns that are not for
 * everybody, each ended by a zero, and a zero; the caller frees them. */
ride_status outputs_whole_encoder(pipeline *p, ride_encoder **out, uint32_t *fields_count, char **sensitive,
                                  ride_error *err);
/* The names of such a record's columns, each ended by a zero: how many; NULL and 0 when memory is out. The caller frees them. */
uint32_t outputs_record_names(pipeline *p, char **names);
ride_status outputs_close(pipeline *p, ride_error *err);

/* verdicts.c: from the backend's output tiles to ends, decisions and what duplicates are answered with. */
ride_status verdicts_open(pipeline *p, ride_error *err);
ride_status verdicts_batch_open(pipeline *p, ride_error *err); /* room of the batch that p holds */
void verdicts_make(pipeline *p);
/* Leaves each event's verdict with its id, unless a later event has taken the id over. Where `recent` is kept it is whoever stamps who
 * calls this, when the batch is done; else verdicts_make does. */
void verdicts_remember(pipeline *p);
verdict verdict_read(const pipeline *p, uint32_t row);
void verdicts_close(pipeline *p);
/* Of a duplicate row, while it is stamped: `known` is what dedup has of the id. */
void verdict_repeat(pipeline *p, uint32_t row, const verdict *known);
void verdict_write(pipeline *p, uint32_t row, const verdict *v, uint32_t end);

/* observe.c: timeline; alerts.c: the highest scores and what stands out. */
void observe_start(pipeline *p);
void observe_batch(pipeline *p, uint64_t batch_ns, uint64_t now_ns);
void observe_end(pipeline *p, uint64_t now_ns);
ride_status alerts_open(pipeline *p, ride_error *err);
void alerts_batch(pipeline *p);
void alerts_end(pipeline *p);

/* drift.c: counts by the profile, cut into intervals. Without a profile they do nothing. */
ride_status drift_open(pipeline *p, ride_error *err);
void drift_close(pipeline *p);
/* All of the batch is of the interval that is open: it may be counted with its scores. */
bool drift_takes_batch(const pipeline *p);
/* After the batch: counts it where its own work did not (`counted`), and ends the intervals that it ends. */
ride_status drift_batch(pipeline *p, bool counted, ride_error *err);
/* Compares what it ended, tells and writes it: before the batch is written. */
ride_status drift_settle(pipeline *p, ride_error *err);
/* At a clean end, before the outputs close: the open interval as far as it came. */
ride_status drift_finish(pipeline *p, ride_error *err);
ride_status drift_save(const pipeline *p, ride_snapshot_writer *writer);
ride_status drift_load(pipeline *p, ride_snapshot_reader *reader); /* RIDE_E_CORRUPT: it does not fit together */

/* resume.c: what a run saves at a clean end and a later one goes on from. */
ride_status resume_load(pipeline *p, ride_error *err);
ride_status resume_save(pipeline *p, ride_error *err);

/* Rows of tiles, as every file here reads them. */
static inline uint8_t *batch_tile(const pipeline *p, uint32_t row) {
    return ride_batch_tile(p->batch, row / RIDE_TILE_ROWS);
}
static inline int64_t *row_time(const pipeline *p, uint32_t row, uint32_t column) {
    return (int64_t *)ride_tile_values(&p->in_layout, batch_tile(p, row), column) + row % RIDE_TILE_ROWS;
}
static inline uint32_t *row_flags(const pipeline *p, uint32_t row) {
    return (uint32_t *)ride_tile_values(&p->in_layout, batch_tile(p, row), RIDE_COLUMN_FLAGS) + row % RIDE_TILE_ROWS;
}
static inline uint8_t *out_tile(const pipeline *p, uint32_t row) {
    return p->out_tiles + (size_t)(row / RIDE_TILE_ROWS) * p->out_layout.tile_bytes;
}
static inline uint8_t *verdict_tile(const pipeline *p, uint32_t row) {
    return p->verdict_tiles + (size_t)(row / RIDE_TILE_ROWS) * p->verdict_layout.tile_bytes;
}
static inline uint32_t known_event_bytes(const pipeline *p) {
    return (uint32_t)(sizeof(known_event) + p->spec->entities_count * sizeof(ride_key128));
}
/* The event's id, when the spec has one and it is not null. */
bool event_identity(const pipeline *p, uint32_t row, ride_key128 *id);

#endif
