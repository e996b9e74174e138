/* serve/score_internal.h: the score endpoints' own structures; only serve/score*.c and infer*.c know them. */
#ifndef RIDE_SERVE_SCORE_INTERNAL_H
#define RIDE_SERVE_SCORE_INTERNAL_H
#include "base/ring.h"
#include "serve/body.h"
#include "serve/idempotency.h"
#include "serve/job.h"
#include "serve/score.h"
#include "serve/tensors.h"

enum { SCORE_ROUTES_MAX = 16 };

typedef struct ride_score {
    ride_feed feed; /* first: what the engine has */
    ride_server *server;
    ride_blocks *blocks;
    ride_ready *ready;
    const ride_clock *clock;
    uint32_t queue_events_max, request_events_max, answer_bytes_max;
    bool is_logged;
    ride_spsc *queue;           /* of jobs; as many as events are allowed, so it is never full */
    _Atomic uint64_t in_flight; /* events accepted and not released */
    /* the server's thread */
    ride_waker *waker;
    bool is_closed, pushed;
    uint64_t next_offset;
    ride_json_parser *parser;
    ride_body_range *ranges; /* request_events_max of them: where the events of a body are */
    uint32_t ranges_count;
    ride_idempotency *kept;
    const ride_infer_model *model; /* NULL: no inference protocol */
    char *model_text;              /* its metadata */
    size_t model_bytes;
    ride_infer_request *infer; /* the one being read */
    ride_http_route routes[SCORE_ROUTES_MAX];
    /* the engine's thread */
    ride_feed_events events;
    const char *source;
    ride_job *current;  /* polled in part */
    ride_job *released; /* its last released_count releases are not told yet */
    uint32_t released_count;
    uint32_t stream;
    bool is_assigned;
    uint32_t in_hand, together;   /* events polled and not released; so many came since there was none */
    uint64_t polled_ns, began_ns; /* the last poll; the first event of those together */
    bool is_often;                /* that was soon after the one before */
    bool helps, watches;          /* we serve too; the engine's next wait ends when there is something to serve */
} ride_score;

/* score_body.c: the events of a request's body, as score->ranges of it, and the form of the answer. false: it was refused and
 * answered. */
bool score_body_read(ride_score *score, ride_http_request *request, ride_job_form *form);

/* score.c: what is asked before the body is looked at. false: answered. */
bool score_door(ride_score *score, ride_http_request *request);
/* A job for `count` events, when the queue has room for them. NULL: answered. */
ride_job *score_job(ride_score *score, ride_http_request *request, uint32_t count, uint32_t answer_bytes);
/* Into the queue. request: who waits, NULL: nobody. */
void score_push(ride_score *score, ride_job *job, ride_http_request *request);
/* Waits for the job's answers; reply is called, in the server's thread, when they are there. */
void score_wait(ride_job *job, ride_http_request *request, ride_http_handler reply);

/* score_once.c: requests with a key. begin: false: answered from what was kept, or refused; else *slot goes to end, when the request has its
 * answer: it is kept where it may be. SCORE_NO_SLOT: nothing is to be done. json_bytes: see ride_kept. */
#define SCORE_NO_SLOT UINT32_MAX
bool score_once_begin(ride_score *score, ride_http_request *request, uint32_t *slot);
void score_once_end(ride_score *score, ride_http_request *request, uint32_t slot, size_t json_bytes);

/* infer.c: the routes of the protocol, behind those that are there. */
ride_status score_infer_open(ride_score *score, uint32_t *routes_count, ride_error *err);
void score_infer_close(ride_score *score);

/* infer_reply.c: what is written of a row, and the whole answer. */
typedef struct infer_row {
    double margin, probability;               /* NaN: null */
    ride_body_range decision, rule, event_id; /* JSON scalars of texts; 0 bytes: none */
    ride_body_range reasons;                  /* JSON of any kind, likewise */
} infer_row;
typedef struct infer_reply {
    const ride_infer_model *model;
    const char *body; /* of the request: its id is there */
    uint32_t id_offset, id_bytes;
    ride_output outputs[RIDE_INFER_OUTPUTS_MAX];
    bool outputs_binary[RIDE_INFER_OUTPUTS_MAX];
    uint32_t outputs_count, rows_count;
    const infer_row *rows;
    const char *texts;
} infer_reply;
/* Writes the answer into room of the request's; body is read before it is given up for it. Replies; returns the bytes of JSON that stand before
 * binary tensors, 0 where there are none. */
#define SCORE_JSON_BYTES "Inference-Header-Content-Length"
void score_infer_set(ride_http_request *request, size_t json_bytes); /* says so in the answer's head */
size_t score_infer_reply(ride_score *score, ride_http_request *request, const infer_reply *reply);

#endif
