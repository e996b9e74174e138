/* serve/score.h: events by HTTP, as a feed of the engine's (base/feed.h), answered in the same batches as the stream:
 *
 *   POST /v1/score    one event (application/json), an array of them, or lines (application/x-ndjson); CloudEvents 1.0: structured
 *                     (application/cloudevents+json), batch (application/cloudevents-batch+json), binary (ce-* headers).
 *                     200 with the decision records in the form and order of the request. A rejected event: 422 with reason and
 *                     field (400 where it is no JSON) for a single one, an object {"error","reason","field"} in its place else.
 *   POST /v1/events   the same bodies; 202 {"accepted":n} when all are in the queue, nobody waits for the answers; with is_logged when
 *                     each was answered: who polls says with RIDE_OK that the log has it, else 422 or 503
 *   POST /v2/models/NAME[/versions/V]/infer, GET /v2…   see infer.h
 *
 * All or nothing at the door: 429 with Retry-After when the queue has no room for all events of a request (events or bytes), 503
 * with the reason while what scores need is not ready (ready.h) or the engine goes down, 413, 415, 400.
 * Idempotency-Key: the same key with the same body gives the stored answer's bytes (see idempotency.h); with another body 422; while the first
 * is being answered 409. Repeated event ids are the engine's matter, with or without a key.
 *
 * An event's text is borrowed from the body: the engine's messages point into it until they are released. The feed has one stream, whose offsets
 * count the events of this process. */
#ifndef RIDE_SERVE_SCORE_H
#define RIDE_SERVE_SCORE_H
#include "base/clock.h"
#include "base/feed.h"
#include "base/waker.h"
#include "serve/infer.h"
#include "serve/ready.h"
#include "serve/server.h"

typedef struct ride_score_options {
    const char *source; /* of the spec, whose events these are; borrowed until close */
    uint32_t
        queue_events_max; /* accepted and not released; 0 = 65,536. Their bytes are bounded by the server's memory */
    uint32_t request_events_max;   /* 0 = 10,000 */
    uint32_t answer_bytes_max;     /* what a record's text usually needs; a longer one takes more memory; 0 = 512 */
    bool is_logged;                /* events of /v1/events are answered too: messages with RIDE_WAIT_TAKEN */
    ride_ready *ready;             /* NULL: always ready */
    uint32_t idempotency_entries;  /* answers kept by key; 0 = 4,096 */
    size_t idempotency_bytes;      /* of all of them; 0 = 8 MiB */
    uint64_t idempotency_ns;       /* how long; 0 = 10 min */
    const ride_infer_model *model; /* NULL: no /v2; borrowed until the server's stop */
    ride_feed_events events;
    const ride_clock *clock; /* NULL: the real one */
} ride_score_options;

/* Adds its routes to the server and takes requests at once (503 until `ready` says so). waker: wakes the engine; outlives the feed.
 * close answers everything that is queued with 503; the server outlives the feed, and answers 503 from then on. */
ride_status ride_score_feed_open(ride_server *server, const ride_score_options *options, ride_waker *waker,
                                 ride_feed **out, ride_error *err);

/* Events accepted and not released, and the bound: for ride_queue_rows. Any thread. */
uint64_t ride_score_queue(const ride_feed *feed, uint64_t *max);

#endif
