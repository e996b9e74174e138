/* engine/service_internal.h: the parts of a service; private to host/engine. */
#ifndef RIDE_ENGINE_SERVICE_INTERNAL_H
#define RIDE_ENGINE_SERVICE_INTERNAL_H
#include "engine/pipeline.h"
#include "engine/service.h"
#include "scheduler/batcher.h"
#include "state/journal.h"

#include <stdatomic.h>

enum {
    CHUNK_MESSAGES = 256,       /* polled at once */
    BATCH_RUNS_MAX = 1024,      /* runs of a batch: changes between streams */
    WINDOW_SLOTS = 64,          /* batches whose results are on their way; a power of two */
    RECORD_BYTES_MAX = 1 << 20, /* of a result */
    MESSAGE_BYTES_MAX = 1 << 20,
    REPEATED_BYTES_MAX = 1 << 16, /* of an event in its result, before quoting */
    IDLE_WAIT_MS = 100,           /* a service with nothing to do looks around this often */
    BATCH_LETTERS_MAX = 1024,     /* rejected messages of a batch that are told, */
    BATCH_LETTERS_BYTES = 1 << 18 /* and their text; a batch without room for one more goes */
};
#define HELD_NONE          UINT32_MAX
#define SERVICE_REBUILDING "the window state is being rebuilt from the log"

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
} service_input;

/* Where a row of the batch came from. */
typedef struct service_row {
    uint32_t stream;
    uint32_t key_offset, key_bytes; /* in the batch's arena; bytes UINT32_MAX = no key */
    uint32_t held;                  /* request that waits for it: index into service.held, or HELD_NONE */
    int64_t offset;
    uint64_t polled_ns;
} service_row;

/* A message that was rejected: to the dead letters, and to who waits for its answer, in its turn among the rows. */
typedef struct service_letter {
    uint32_t row; /* the rows before it came before it */
    uint32_t stream;
    uint32_t held; /* as service_row.held */
    uint32_t text_offset, text_bytes;
    int64_t offset;
    ride_reject_reason reason;
    const char *field;
} service_letter;

/* A batch and all that its stages have to know of it. It belongs to one stage at a time. */
typedef struct service_batch {
    hand hand; /* with it: nobody's, or on its way (service_pipe.h). In hand it is the pipeline's of its stage */
    service_row *rows;
    ride_message *held; /* requests that wait for an answer; handle NULL: it has it */
    uint32_t *held_feed;
    uint32_t held_count;
    service_letter letters[BATCH_LETTERS_MAX];
    char *letters_text;
    uint32_t letters_count, letters_bytes;
    uint64_t taken[RIDE_SOURCES_MAX]; /* events of each input, rejected ones too */
    uint64_t rejected;
    ride_journal_run runs[BATCH_RUNS_MAX];
    uint32_t run_streams[BATCH_RUNS_MAX]; /* the service's number of each run's stream */
    uint32_t runs_count;
    bool silent;                            /* its rows are read again: nothing goes out, */
    bool is_scored;                         /* but somebody may ask for their verdicts */
    bool in_rebuild;                        /* before the window state is whole */
    bool is_answered;                       /* its requests have their answers */
    int64_t clock_us, reached_us, least_us; /* of the pipeline behind its last row */
    /* when its first message was taken, it was full, was journalled, computed and sent */
    uint64_t first_ns, begin_ns, journal_ns, compute_ns, end_ns;
    /* No batch but a question to who sends: wait until everything is acknowledged, so long. The answer is drained and failure. */
    bool asks_drain;
    uint64_t drain_ns;
    ride_status drained;
    ride_error failure;
} service_batch;

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
        *explained, *labels[3];
    ride_metric *batch_rows, *stages[6], *latency, *delivery, *keys, *entries, *bytes, *clock, *replay_events,
        *replay_ratio, *journal_runs, *window_rows, *window_rows_max;
} service_metrics;
enum { STAGE_QUEUE = 0, STAGE_READ, STAGE_JOURNAL, STAGE_COMPUTE, STAGE_ENCODE, STAGE_DELIVER };

typedef struct service service;
typedef struct service_pipe service_pipe;
typedef struct feed_context { /* what a feed's callbacks get */
    service *s;
    uint32_t feed;
} feed_context;

struct service {
    const ride_service_options *options;
    ride_service_tuning tuning;
    /* When the stop was seen, 0 = not yet: the drain's time counts from there. Any stage. */
    _Atomic uint64_t stopped_ns, drain_timeout_ns;
    pipeline p;         /* of who reads; inline, of everybody */
    service_pipe *pipe; /* NULL: inline */
    service_batch *b;   /* the batch in hand, of who reads */
    ride_feed *feeds[RIDE_FEEDS_MAX];
    uint32_t feeds_count, feed_turn;
    ride_outlet *outlet;
    service_input inputs[RIDE_SOURCES_MAX];
    uint32_t inputs_count;
    service_stream *streams; /* [RIDE_STREAMS_MAX] */
    uint32_t streams_count;
    /* messages polled and not yet taken */
    ride_message chunk[CHUNK_MESSAGES];
    uint32_t chunk_count, chunk_at, chunk_feed;
    bool journalled;   /* its runs are in the journal already */
    int64_t newest_us; /* greatest event time of all streams */
    uint32_t decoding; /* stream of the message at hand, for on_reject */
    const ride_message *decoding_message;
    ride_run_summary *counted;  /* what the run counts, */
    ride_run_summary *aside[2]; /* and where what silent batches count goes: of who reads, of who computes */
    uint64_t in_flight;         /* events of batches that are on their way through the stages */
    uint32_t silent_passed;     /* silent batches that are */
    uint64_t told_ns;           /* statistics were */
    ride_encoder *answer_encoder;
    char *answer;
    /* results: of who sends */
    ride_encoder *decision_encoder, *late_encoder;
    char *record;
    window_slot *window;
    /* Slots: on their way [first, next), acknowledged and not stored [stored, first). Who sends moves the first two, who reads the last. */
    _Atomic uint64_t window_stored, window_first, window_next;
    ride_waker *outlet_waker;
    ride_status delivery_failed;
    char delivery_why[256];
    /* of a callback (service_fail) */
    ride_status failed;
    ride_error failure;
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
bool service_stopped(service *s); /* of who reads */
/* Within a callback, which cannot fail: the service ends with this error as soon as it can. The batch in hand is left. */
void service_fail(service *s, ride_status status, const ride_error *err);
/* What is left of the drain's time; UINT64_MAX while nothing stops. */
uint64_t service_drain_left_ns(service *s);
void service_ready(service *s, const char *part, bool ready, const char *why);
/* The window state is there when every log has given its streams and nothing is to be rebuilt. */
void service_state_ready(service *s);
/* The loop turns: also told where it waits for others, or reads again. */
void service_beat(service *s);
/* Until the waker wakes, or a batch is done. Who reads waits with nothing else. */
void service_wait(service *s, uint64_t timeout_ns);

/* service_batch.c */
ride_status batch_open(service *s, service_batch *b, ride_error *err); /* the pipeline's own room is there */
void batch_close(service_batch *b);
void batch_empty(service_batch *b);
uint64_t batch_taken(const service_batch *b); /* events */
/* What nobody will work any more is answered: its requests wait. */
void batch_answer_held(service *s, service_batch *b);

/* service_fill.c: messages → rows. Fills the batch with what is at hand; RIDE_OK also when there is nothing. */
ride_status service_fill(service *s, ride_error *err);
/* Takes the messages of the chunk from chunk_at on, as many as the batch has room for; `run` is what the journal says of them in a
 * rebuild, NULL when they are met now. */
ride_status service_take(service *s, const ride_journal_run *run, ride_error *err);
bool service_batch_full(const service *s);
/* Its sender waits for the result. */
static inline bool service_waits(const ride_message *message) { return message->wait == RIDE_WAIT_RESULT; }
ride_status service_poll(service *s, uint32_t feed, uint32_t stream, uint32_t messages_max, ride_error *err);
/* Requests of the chunk that were not taken are answered. */
void service_release(service *s);
void service_reject(void *context, const ride_reject *reject); /* of the decoders */

/* service_work.c: the batch in hand through the stages. Inline: one after the other. Else they are begun, and the batch in hand is another. */
ride_status service_work(service *s, ride_error *err);
void service_drop(service *s); /* empties it: nothing of it goes out or is stored */
/* A silent batch is computed: the room is empty again. */
void service_silent_done(service *s, service_batch *b);
/* The batch that comes to be filled is silent, or not: what is counted of it. How many labels wait goes on. */
void service_count_into(service *s, bool silent);
/* Nothing is on its way through the stages when it returns: who reads has all to itself. */
ride_status service_settle(service *s, ride_error *err);
bool service_is_settled(const service *s);
/* That, and everything is acknowledged and stored; RIDE_PENDING: not within the timeout. */
ride_status service_drain(service *s, uint64_t timeout_ns, ride_error *err);
/* The middle stage: features, scores, decisions of the batch that p has. */
ride_status service_compute(service *s, pipeline *p, service_batch *b, ride_error *err);

/* service_emit.c: the last stage: the rows of the batch that p has → results. */
ride_status service_emit_open(service *s, ride_error *err);
ride_status service_emit(service *s, pipeline *p, service_batch *b, ride_error *err);
void service_emit_close(service *s);
/* A row as a record; at most RECORD_BYTES_MAX of it. */
ride_status service_encode(ride_encoder *encoder, const pipeline *p, uint32_t row, char *record, size_t *bytes,
                           ride_error *err);

/* service_answer.c: of the batch that s->p has, once it is computed: its requests are answered; and sent: it is counted and empty. */
ride_status service_answer_open(service *s, ride_error *err);
ride_status service_answer(service *s, service_batch *b, ride_error *err);
ride_status service_done(service *s, service_batch *b, ride_error *err);
void service_answer_close(service *s);

/* service_window.c: results on their way; offsets are stored from here and nowhere else. */
ride_status window_open(service *s, ride_error *err);
ride_status window_send(service *s, const ride_result *result,
                        ride_error *err); /* of the batch begun last; its ticket is set here */
/* A slot for a batch; waits for room. */
ride_status window_begin(service *s, const service_batch *b, ride_error *err);
void window_end(service *s, const service_batch *b, uint32_t rows_count);
ride_status window_advance(service *s, ride_error *err); /* tells what has arrived, */
void window_store(service *s);                           /* and who reads stores it */
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
void service_metrics_batch(const service *s, const pipeline *p, const service_batch *b); /* it went out */
void service_metrics_state(service *s, const pipeline *p, uint64_t *told_ns); /* of the window state, once a second */

/* service_phase.c */
ride_status phase_open(service *s, ride_error *err);
void phase_set(service *s, phase now);
void phase_close(service *s);

#endif
