/* engine/service_internal.h: the parts of a service; private to host/engine. */
#ifndef RIDE_ENGINE_SERVICE_INTERNAL_H
#define RIDE_ENGINE_SERVICE_INTERNAL_H
#include "engine/pipeline.h"
#include "engine/service.h"
#include "scheduler/batcher.h"
#include "state/journal.h"

enum {
    CHUNK_MESSAGES = 256,       /* polled at once */
    BATCH_RUNS_MAX = 1024,      /* runs of a batch: changes between streams */
    WINDOW_SLOTS = 64,          /* batches whose results are on their way; a power of two */
    RECORD_BYTES_MAX = 1 << 20, /* of a result */
    MESSAGE_BYTES_MAX = 1 << 20,
    REPEATED_BYTES_MAX = 1 << 16, /* of an event in its result, before quoting */
    IDLE_WAIT_MS = 100,           /* a service with nothing to do looks around this often */
};
#define HELD_NONE UINT32_MAX

typedef struct service_stream {
    bool used; /* assigned to this process */
    bool is_log;
    bool is_json;
    bool active;  /* holds the clock back: assigned, and not at the end of its log */
    bool is_warm; /* window state has all of its events before `next` */
    uint32_t feed, input;
    uint32_t journal;          /* its number there; UINT32_MAX = not journalled */
    uint32_t partitions_count; /* of its topic; 0 = not known */
    char topic[RIDE_TOPIC_BYTES];
    int32_t partition;
    int64_t max_us; /* greatest event time; INT64_MIN = none yet, and of labels always */
    int64_t
        waiting_us; /* of labels: the greatest time at which one of the run at hand became known that waits for its event */
    int64_t own_clock_us; /* partition_keyed: its clock */
    int64_t next;         /* offset behind the last message met */
    int64_t emit_from;    /* messages before are read again: silent */
    char offset_text[24];
    char partition_text[12];
} service_stream;

typedef struct service_input {
    const ride_source_spec *spec;
    ride_decoder *decoder; /* of the input's format; what is or was a request is JSON */
    ride_decoder *decoder_json;
    ride_metric *received;
    uint64_t taken; /* events of the batch in hand, rejected ones too */
} service_input;

/* Where a row of the batch came from. */
typedef struct service_row {
    uint32_t stream;
    uint32_t key_offset, key_bytes; /* in the batch's arena; bytes UINT32_MAX = no key */
    uint32_t held;                  /* request that waits for it: index into service.held, or HELD_NONE */
    int64_t offset;
    uint64_t polled_ns;
} service_row;

/* A batch whose results are on their way. */
typedef struct window_slot {
    uint64_t outstanding; /* results sent and not acknowledged */
    bool is_closed;       /* all of its results were sent */
    uint64_t polled_ns;   /* of its oldest row */
    uint64_t sent_ns;     /* when the last of them was sent */
    uint32_t rows;
    uint32_t progress_count;
    struct {
        uint32_t stream;
        int64_t next;
    } progress[BATCH_RUNS_MAX];
} window_slot;

/* What the process is at, in a file that outlives it (service_phase.c). */
typedef struct service_phase service_phase;
typedef enum phase { PHASE_IDLE = 0, PHASE_CONSUMED, PHASE_SCORED, PHASE_PRODUCED, PHASE_DELIVERED, PHASES } phase;

typedef struct service_metrics {
    ride_metric *ends[5], *in_flight, *late[2], *rejected[RIDE_REJECT_COUNT + 1], *decisions[RIDE_DECISIONS],
        *labels[3];
    ride_metric *batch_rows, *stages[6], *latency, *delivery, *keys, *entries, *bytes, *clock, *replay_events,
        *replay_ratio, *journal_runs, *window_rows, *window_rows_max;
} service_metrics;
enum { STAGE_QUEUE = 0, STAGE_READ, STAGE_JOURNAL, STAGE_COMPUTE, STAGE_ENCODE, STAGE_DELIVER };

typedef struct service service;
typedef struct feed_context { /* what a feed's callbacks get */
    service *s;
    uint32_t feed;
} feed_context;

struct service {
    const ride_service_options *options;
    ride_service_tuning tuning;
    uint64_t stopped_ns; /* when the stop was seen, 0 = not yet: drain_timeout counts from there */
    pipeline p;
    ride_feed *feeds[RIDE_FEEDS_MAX];
    uint32_t feeds_count, feed_turn;
    ride_outlet *outlet;
    service_input inputs[RIDE_SOURCES_MAX];
    uint32_t inputs_count;
    service_stream *streams; /* [RIDE_STREAMS_MAX] */
    uint32_t streams_count;
    bool polling; /* within a feed's poll: its callbacks come now */
    /* messages polled and not yet taken */
    ride_message chunk[CHUNK_MESSAGES];
    uint32_t chunk_count, chunk_at, chunk_feed;
    /* the batch in hand */
    service_row *rows;
    ride_message *held; /* requests that wait for an answer */
    uint32_t *held_feed;
    uint32_t held_count;
    uint64_t batch_rejected; /* of the batch in hand */
    ride_journal_run runs[BATCH_RUNS_MAX];
    uint32_t run_streams[BATCH_RUNS_MAX]; /* the service's number of each run's stream */
    uint32_t runs_count;
    bool silent;       /* its rows are read again: nothing goes out */
    bool journalled;   /* its runs are in the journal already */
    uint64_t first_ns; /* when its first message was taken */
    int64_t newest_us; /* greatest event time of all streams */
    uint32_t decoding; /* stream of the message at hand, for on_reject */
    const ride_message *decoding_message;
    ride_run_summary *kept; /* the counters before a silent batch */
    /* results */
    ride_encoder *decision_encoder, *late_encoder, *answer_encoder;
    char *record;
    window_slot *window;
    uint64_t window_first, window_next; /* slots in use: [first, next) */
    ride_status failed;                 /* of a callback (service_fail) */
    ride_error failure;
    ride_status delivery_failed;
    char delivery_why[256];
    /* journal and rebuild */
    ride_journal *journal;
    uint64_t assignments; /* changes of the assignment so far */
    bool must_rebuild, in_rebuild, rebuild_journal;
    bool is_partial, was_whole; /* other members have partitions that this one needs; it had all of them before */
    uint64_t rebuild_place, replayed, skipped_messages;
    int64_t resume_clock_us; /* the clock where results go out again */
    ride_batcher batcher;
    bool feed_assigned[RIDE_FEEDS_MAX];
    service_metrics m;
    service_phase *phase_file;
    feed_context contexts[RIDE_FEEDS_MAX];
    ride_feed_events events[RIDE_FEEDS_MAX];
};

uint64_t service_now(void);
bool service_stopped(service *s);
/* Within a callback, which cannot fail: the service ends with this error as soon as it can. The batch in hand is left. */
void service_fail(service *s, ride_status status, const ride_error *err);
/* What is left of the drain's time; UINT64_MAX while nothing stops. */
uint64_t service_drain_left_ns(service *s);
void service_ready(service *s, const char *part, bool ready, const char *why);
/* The window state is there when every log has given its streams and nothing is to be rebuilt. */
void service_state_ready(service *s);

/* service_fill.c: messages → rows. Fills the batch with what is at hand; RIDE_OK also when there is nothing. */
ride_status service_fill(service *s, ride_error *err);
/* Takes the messages of the chunk from chunk_at on, as many as the batch has room for; `run` is what the journal says of them in a
 * rebuild, NULL when they are met now. */
ride_status service_take(service *s, const ride_journal_run *run, ride_error *err);
bool service_batch_full(const service *s);
/* Its sender waits for the result. */
static inline bool service_waits(const ride_message *message) { return message->wait == RIDE_WAIT_RESULT; }
ride_status service_poll(service *s, uint32_t feed, uint32_t stream, uint32_t messages_max, ride_error *err);
void service_release(service *s);
/* That, and the rows in hand too: what nobody will work is answered. */
/* The requests of the batch in hand are answered: not worked. */
void service_answer_held(service *s);
/* Events of the batch in hand. */
uint64_t service_taken(const service *s);
/* The loop turns: also told where it waits for others, or reads again. */
void service_beat(service *s);
void service_give_up(service *s);
void service_reject(void *context, const ride_reject *reject); /* of the decoders */

/* service.c: journal → compute → results of the batch in hand, and empties it. */
ride_status service_work(service *s, ride_error *err);
void service_drop(service *s); /* empties it: nothing of it goes out or is stored */

/* service_emit.c: the batch's rows → results. */
ride_status service_emit_open(service *s, ride_error *err);
ride_status service_emit(service *s, ride_error *err);
void service_emit_close(service *s);

/* service_window.c: results on their way; offsets are stored from here and nowhere else. */
ride_status window_open(service *s, ride_error *err);
ride_status window_send(service *s, ride_target target, const service_row *row, const void *value, size_t bytes,
                        const ride_header *headers, uint32_t headers_count, ride_error *err);
/* The slot that the batch in hand belongs to; waits for room. */
ride_status window_begin(service *s, ride_error *err);
void window_end(service *s);
ride_status window_advance(service *s, ride_error *err); /* tells what has arrived, and stores it */
ride_status window_drain(service *s, uint64_t timeout_ns, ride_error *err);
/* RIDE_PENDING, with what is not acknowledged in words. */
ride_status window_pending(const service *s, ride_error *err);
void window_close(service *s);
void window_delivered(void *context, uint64_t ticket, ride_status status, const char *why);

/* service_streams.c: assignment and clocks. */
ride_status streams_assigned(void *context, ride_stream_info *infos, uint32_t count, ride_error *err);
void streams_revoked(void *context, const uint32_t *streams, uint32_t count, bool lost);
void streams_at_end(void *context, uint32_t stream);
int64_t streams_floor(const service *s, uint32_t stream);
/* partition_keyed: the least clock of all streams that have one; INT64_MAX = none has. What they have is gone for nobody who may come. */
int64_t streams_least(const service *s);

/* service_rebuild.c: the window state from the log, along the journal. */
ride_status rebuild_plan(service *s, ride_stream_info *infos, uint32_t count, ride_error *err);
ride_status rebuild_run(service *s, ride_error *err);
ride_status rebuild_reset(service *s, ride_error *err);

/* service_metrics.c */
void service_metrics_open(service *s);
void service_metrics_batch(service *s);

/* service_phase.c */
ride_status phase_open(service *s, ride_error *err);
void phase_set(service *s, phase now);
void phase_close(service *s);

#endif
