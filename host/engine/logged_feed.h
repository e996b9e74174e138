/* engine/logged_feed.h: requests by way of a log, so that they outlive the process: a feed of requests (HTTP's), a writer of one topic and the feed of the
 * log, as one feed of the engine's (base/feed.h).
 *
 * A request's event is written to the topic first, and comes back as a message of the log like any other: with an offset, in the journal, read again at a
 * restart. A header of the message (LOGGED_HEADER) names this process and the request; where that still waits when its message is polled, the message
 * carries it along (RIDE_WAIT_RESULT) and the engine's answer is the request's. What other processes wrote, or this one before it was started again, is scored
 * all the same and answered to nobody.
 *
 * Answers made here:
 *   RIDE_WAIT_TAKEN   RIDE_OK when the writer says that the log has it
 *   not_logged        (RIDE_E_UNAVAILABLE) the log did not take it in log_timeout, or refused it; it may be there all the same
 *   logged            (RIDE_E_UNAVAILABLE) the log has it, so it will be scored, but there is no result within answer_timeout, or before the close
 *   too_large         (RIDE_E_DATA) for the log
 *   stopping          (RIDE_E_UNAVAILABLE) it was not written
 *
 * Bounds: waiting_max requests wait at once; their texts stay with the feed of requests. Nothing is allocated after open.
 * Threads: as base/feed.h says. */
#ifndef RIDE_ENGINE_LOGGED_FEED_H
#define RIDE_ENGINE_LOGGED_FEED_H
#include "base/clock.h"
#include "engine/service.h"

#define LOGGED_HEADER "ride_request"
enum { LOGGED_WAITING_MAX = 1 << 20 };
#define LOGGED_TIMEOUT_NS UINT64_C(10000000000)
#define LOGGED_ANSWER_NS  UINT64_C(30000000000)

typedef struct logged_feed_options {
    const char *topic; /* all strings are borrowed until close */
    const char
        *key; /* member of an event that is its message's key: so events of one value stay in their order; NULL: none */
    ride_feed_open_fn requests_open;
    void *requests_context;
    ride_feed_open_fn log_open; /* with headers; the topic is among its own */
    void *log_context;
    ride_outlet_open_fn writer_open; /* its target 0 is the topic */
    void *writer_context;
    uint32_t waiting_max; /* as many as the feed of requests gives out, at most LOGGED_WAITING_MAX */
    uint64_t log_timeout_ns, answer_timeout_ns;                 /* 0 = the above; since the request was polled */
    const ride_clock *clock;                                    /* NULL: the real one */
    void (*health)(void *context, bool ready, const char *why); /* of the way through the log; may be NULL */
    void *health_context;
} logged_feed_options;

ride_status logged_feed_open(const logged_feed_options *options, const ride_feed_events *events, ride_waker *waker,
                             ride_feed **out, ride_error *err);

#endif
