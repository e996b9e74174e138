/* engine/service.h: RIDE as a long-lived process: messages from feeds (Kafka topics, HTTP requests), through the same pipeline as a run
 * over files, results to outlets (topics) and to whoever waits for an answer.
 *
 * Promise (docs/guarantees.md): at least once. A message's offset is stored when its results have been acknowledged; results of a stream go
 * out in the order of its messages; the order in which streams were met is in the arrival journal before any result of it goes out
 * (state/journal.h), so a restart rebuilds the same window state and repeats unacknowledged results with the same bytes.
 *
 * Threads: the calling thread is the engine. With run.pipelined it has the feeds, and two more compute and send; the bytes are the same.
 * Everything is sized at start; a feed that is not polled is the back-pressure.
 *
 * Life: compile, journal, feeds → (streams are assigned) → rebuild from the log, silent → serve → stop: no more messages, what is in
 * hand is finished, deliveries are waited for, offsets stored, groups left. */
#ifndef RIDE_ENGINE_SERVICE_H
#define RIDE_ENGINE_SERVICE_H
#include "base/feed.h"
#include "base/metrics.h"
#include "base/waker.h"
#include "engine/engine.h"

#include <stdatomic.h>

/* One source of the spec, fed by messages. */
typedef struct ride_service_input {
    const char *source; /* of the spec */
    ride_format format; /* of a message; 0 = as the spec says */
} ride_service_input;

/* How feeds and outlets are made: Kafka's and HTTP's by service_open.c, others by tests. They are opened when everything else is. */
typedef ride_status (*ride_feed_open_fn)(void *context, const ride_feed_events *events, ride_waker *waker,
                                         ride_feed **out, ride_error *err);
typedef ride_status (*ride_outlet_open_fn)(void *context, const ride_outlet_events *events, ride_waker *waker,
                                           ride_outlet **out, ride_error *err);

/* What goes out by message: the outlet's targets, in this order. */
typedef enum ride_target {
    RIDE_TARGET_DECISIONS = 0,
    RIDE_TARGET_ALERTS,  /* decisions that are not approve, again */
    RIDE_TARGET_LATE,    /* events too late for the windows */
    RIDE_TARGET_REJECTS, /* dead letters */
    RIDE_TARGETS,
} ride_target;

enum { RIDE_FEEDS_MAX = 4 };

/* What there is of one stream of the log for a replay. */
typedef struct ride_replay_stream {
    const char *topic;
    int32_t partition;
    int64_t first, end; /* what the journal has of it */
    int64_t log_begin;  /* messages before are no longer in the log */
    int64_t
        exact_from; /* results from here on are as they were; before, an event that is gone may have been in a window */
} ride_replay_stream;

struct pipeline;
/* More of a replay (ride_service_options.replay). Hooks may be NULL; they are called by the thread of the run. */
typedef struct ride_replay {
    /* Of one message: what comes before is silent, from where its windows begin, and the end is that of its run. NULL: all of the journal. */
    const char *topic;
    int32_t partition;
    int64_t offset;
    void *context;
    void (*stream)(void *context, const ride_replay_stream *stream); /* each, before anything is computed */
    /* A row that is about to be sent. */
    void (*row)(void *context, struct pipeline *p, uint32_t row, const char *topic, int32_t partition, int64_t offset);
    void (*progress)(void *context, uint64_t events, double done); /* now and then; done: 0 … 1 */
    /* How it went. */
    uint64_t events;   /* read from the log */
    uint64_t requests; /* of the journal: they are in no log, so windows lack them */
    uint64_t changed;  /* runs whose events are not what the journal says of them: the log or the journal was changed */
} ride_replay;

/* Readiness, told whenever it changes: part is "model", "state", "kafka", "kafka:TOPIC" of each topic that is read, "http", "results". Any engine
 * thread. */
#define SERVICE_TOPIC_PART "kafka:%s"
typedef void (*ride_ready_fn)(void *context, const char *part, bool ready, const char *why);

/* What may change while it serves. */
typedef struct ride_service_tuning {
    uint32_t batch_rows_max; /* 1 … as at the start */
    uint64_t
        batch_delay_ns; /* how long a batch that is not full waits for more (scheduler.policy fixed); 0: it goes at once */
    uint64_t drain_timeout_ns; /* how long a stop waits for results to arrive */
} ride_service_tuning;

typedef struct ride_service_options {
    ride_run_options run; /* inputs_count 0; output_path … may be NULL; stop is looked at whenever the waker wakes */
    const ride_service_input *inputs;
    uint32_t inputs_count;
    struct {
        ride_feed_open_fn open;
        void *context;
    } feeds[RIDE_FEEDS_MAX];
    uint32_t feeds_count;
    ride_outlet_open_fn outlet_open; /* NULL: no results by message */
    void *outlet_context;
    bool targets[RIDE_TARGETS]; /* which the outlet has */
    ride_format targets_format; /* of decisions, alerts and late; 0 = NDJSON */
    const char *journal_path; /* NULL: nothing is journalled: streams of requests only, or one stream and no restart */
    bool journal_sync;
    const char *phase_path; /* file that says what the process was at when it ended, or NULL */
    bool
        partition_keyed; /* every entity is keyed by what the streams are partitioned by: each stream has a clock of its own, and the
                           * streams may be shared with other processes */
    uint64_t drain_timeout_ns, batch_delay_ns; /* as ride_service_tuning at the start */
    /* Set *reload (a signal handler does) and wake: then `reloaded` is called between two batches, on the engine's thread, and changes of
     * the tuning what it likes. reload may be NULL. */
    volatile sig_atomic_t *reload;
    void (*reloaded)(void *context, ride_service_tuning *tuning);
    void *reloaded_context;
    ride_waker *waker;     /* made by the caller, so that its signal handler can wake who reads */
    ride_metrics *metrics; /* may be NULL */
    ride_ready_fn ready;   /* may be NULL */
    void *ready_context;
    struct state_desk *desk; /* questions about the window state (state_desk.h); may be NULL. Closed at the end */
    _Atomic uint64_t *heartbeat_ns; /* set at every turn of the loop; may be NULL */
    /* Replay (`ride replay`, `ride verify`): from the journal's first run, everything is emitted, the end of the journal is the end. */
    bool replay;
    ride_replay *replay_of; /* may be NULL: all of it */
} ride_service_options;

/* RIDE_INTERRUPTED after *run.stop: everything taken was answered, delivered and stored. RIDE_PENDING: the drain took longer than its
 * timeout; the error says what was not acknowledged, which will be worked again. RIDE_OK: a replay came to its end. *out as ride_run. */
ride_status ride_service_run(const ride_service_options *options, ride_run_summary *out, ride_diagnostics *findings,
                             ride_error *err);

#endif
