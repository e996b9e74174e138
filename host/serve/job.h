/* serve/job.h: one request's events on their way through the engine, and their answers: made by the server's thread, handed to the engine's
 * through a ring, handed back by a wake. The events are pieces of one text (the body, or what was made of it).
 *
 * Memory is the server's blocks: one for the job, its events and, in the common case, all answers (answer_bytes_max each is kept
 * for them); the text's. A job is freed when its request is over and the engine has released every event of it. */
#ifndef RIDE_SERVE_JOB_H
#define RIDE_SERVE_JOB_H
#include "base/feed.h"
#include "serve/blocks.h"
#include "serve/server.h"

#include <stdatomic.h>

typedef struct ride_job ride_job;

typedef struct ride_job_event {
    ride_job *job;
    uint32_t offset, bytes; /* of its text */
    uint32_t answer_at, answer_bytes;
    ride_status status; /* RIDE_PENDING until it is answered */
    bool is_bad_json;   /* rejected because it is no JSON at all */
} ride_job_event;

/* What stands around the records of the answers. */
typedef enum ride_job_form {
    RIDE_JOB_SINGLE,
    RIDE_JOB_LINES, /* NDJSON */
    RIDE_JOB_ARRAY,
    RIDE_JOB_SILENT,  /* nobody waits for its records */
    RIDE_JOB_TENSORS, /* records are read again, see infer.h */
} ride_job_form;

struct ride_job {
    ride_blocks *blocks;
    ride_http_request *request; /* who is woken by the last answer; NULL: nobody */
    void *owner;                /* of the request's kind: score.h */
    uint32_t slot;              /* of its key: score_once.c */
    char *text;                 /* its block */
    ride_job_form form;
    uint32_t events_count;
    uint64_t first_offset, began_ns;
    int64_t arrival_us;
    atomic_uint holds; /* events not released, and the request */
    /* the engine's thread */
    uint32_t polled, unanswered;
    bool is_in_order; /* the answers were appended in the order of the events */
    uint32_t last_answered;
    char *answers; /* within the job's block, or a block of its own */
    size_t answers_used, answers_room;
    char *answers_block; /* NULL: within */
    char *reply_block;   /* answers in their order, where they did not come in it */
    ride_job_event events[];
};

/* Room for `events_max` events with answer_bytes_max each. NULL: no memory now. The events are added by ride_job_add. */
ride_job *ride_job_create(ride_blocks *blocks, uint32_t events_max, uint32_t answer_bytes_max);
static inline void ride_job_add(ride_job *job, size_t offset, size_t bytes) {
    job->events[job->events_count++] =
        (ride_job_event){.job = job, .offset = (uint32_t)offset, .bytes = (uint32_t)bytes, .status = RIDE_PENDING};
}
/* Before the hand-over: the request holds the job, and every event. */
void ride_job_seal(ride_job *job, ride_http_request *request);
/* One of those that hold it lets go. */
void ride_job_drop(ride_job *job, uint32_t holds);

/* The engine's thread: takes the answer of one event. true: it was the last. */
bool ride_job_answer(ride_job_event *event, const ride_answer *answer);
/* After the last answer, once: the answers as one text in the form of the job, the job's. NULL: no memory for it. */
const char *ride_job_text(ride_job *job, size_t *bytes);
/* The answer of one event, not terminated. */
static inline const char *ride_job_record(const ride_job *job, uint32_t i, size_t *bytes) {
    *bytes = job->events[i].answer_bytes;
    return job->answers + job->events[i].answer_at;
}

#endif
