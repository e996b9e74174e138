/* serve/score.c: the feed of HTTP requests: the door, the queue to the engine, the way back. See score.h.
 *
 * Two threads: the server's makes jobs and sends replies, the engine's polls, answers and releases. They share the queue, the count
 * of events in flight and, one after the other, each job. While the engine has little to do its thread does the server's work too (help);
 * the lock of a turn orders the two. A close is done between two turns of the server, so no request is
 * between the two. */
#include "serve/score_internal.h"

#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HELP_EVENTS_MAX = 256,
    HELP_NS_MAX = 500000,
    OFTEN_NS_MAX = 2000000
}; /* OFTEN: as long as a helper is waited for */

/* ---- the thread that serves ---- */
static void retry(ride_http_request *request) { ride_http_set(request, "Retry-After", "1"); }

bool score_door(ride_score *s, ride_http_request *request) {
    char why[RIDE_READY_NAME_BYTES + RIDE_READY_WHY_BYTES];
    if (s->is_closed) {
        retry(request);
        ride_http_error(request, 503, "stopping", NULL, "the engine is going down");
        return false;
    }
    if (s->ready != NULL && !ride_ready_scores(s->ready, why)) {
        retry(request);
        ride_http_error(request, 503, "not_ready", NULL, "%s", why);
        return false;
    }
    return true;
}

ride_job *score_job(ride_score *s, ride_http_request *request, uint32_t count, uint32_t answer_bytes) {
    if (atomic_load_explicit(&s->in_flight, memory_order_relaxed) + count > s->queue_events_max) {
        retry(request);
        ride_http_error(request, 429, "queue_full", NULL, "the queue has no room for %u events: try again", count);
        return NULL;
    }
    ride_job *job = ride_job_create(s->blocks, count, answer_bytes);
    if (job == NULL) {
        retry(request);
        ride_http_error(request, 429, "no_memory", NULL, "the memory of requests is taken: try again");
    }
    return job;
}

void score_push(ride_score *s, ride_job *job, ride_http_request *request) {
    job->first_offset = s->next_offset;
    job->began_ns = ride_http_began_ns(request);
    job->arrival_us = ride_clock_wall_us(s->clock);
    s->next_offset += job->events_count;
    atomic_fetch_add_explicit(&s->in_flight, job->events_count, memory_order_relaxed);
    ride_job_seal(job, job->form == RIDE_JOB_SILENT && !s->is_logged ? NULL : request);
    s->pushed = true;
    RIDE_ASSERT(ride_spsc_push(s->queue, job));
}

/* After a turn of the server: one wake for all that it took. */
static void after_turn(void *context) {
    ride_score *s = context;
    if (!s->pushed) return;
    s->pushed = false;
    ride_waker_wake(s->waker);
}

static void request_over(void *context, ride_http_request *request) {
    ride_job *job = context;
    (void)request;
    ride_job_drop(job, 1);
}

static void reply_single(ride_job *job, ride_http_request *request) {
    const ride_job_event *event = &job->events[0];
    size_t bytes;
    const char *text = ride_job_record(job, 0, &bytes);
    uint32_t code = event->status == RIDE_OK              ? 200
                    : event->status == RIDE_E_UNAVAILABLE ? 503
                    : event->status != RIDE_E_DATA        ? 500
                    : event->is_bad_json                  ? 400
                                                          : 422;
    if (code == 503) retry(request);
    ride_http_reply(request, code, "application/json", text, bytes);
}

static void reply(void *context, ride_http_request *request) {
    ride_job *job = context;
    uint32_t away = 0;
    for (uint32_t i = 0; i < job->events_count; i++) away += job->events[i].status == RIDE_E_UNAVAILABLE;
    if (job->form == RIDE_JOB_SINGLE) {
        reply_single(job, request);
    } else if (away == job->events_count) { /* for the same reason, mostly */
        size_t bytes;
        const char *text = ride_job_record(job, 0, &bytes);
        retry(request);
        ride_http_reply(request, 503, "application/json", text, bytes);
    } else {
        size_t bytes;
        const char *text = ride_job_text(job, &bytes);
        if (text == NULL) {
            ride_http_error(request, 500, "no_memory", NULL, "scored, but there was no memory for the answer");
        } else {
            ride_http_reply(request, 200, job->form == RIDE_JOB_ARRAY ? "application/json" : "application/x-ndjson",
                            text, bytes);
        }
    }
}

static void reply_score(void *context, ride_http_request *request) {
    ride_job *job = context;
    reply(job, request);
    score_once_end(job->owner, request, job->slot, 0);
}

static void reply_accepted(ride_http_request *request, uint32_t count) {
    char text[48];
    int bytes = snprintf(text, sizeof text, "{\"accepted\":%u}", count);
    ride_http_reply_copy(request, 202, "application/json", text, (size_t)bytes);
}

/* Of /v1/events, when the log has answered for each. */
static void reply_logged(void *context, ride_http_request *request) {
    ride_job *job = context;
    uint32_t lacks = 0, rejected = UINT32_MAX;
    for (uint32_t i = 0; i < job->events_count; i++) {
        lacks += job->events[i].status != RIDE_OK;
        if (rejected == UINT32_MAX && job->events[i].status == RIDE_E_DATA) rejected = i;
    }
    if (lacks == 0) reply_accepted(request, job->events_count);
    else if (rejected != UINT32_MAX)
        ride_http_error(request, 422, "too_large", NULL,
                        "event %u of %u is too large for the log; %u of them are not in it", rejected + 1,
                        job->events_count, lacks);
    else {
        retry(request);
        ride_http_error(request, 503, "not_logged", NULL, "of %u events, %u were not acknowledged by the log",
                        job->events_count, lacks);
    }
    score_once_end(job->owner, request, job->slot, 0);
}

void score_wait(ride_job *job, ride_http_request *request, ride_http_handler answered) {
    ride_http_on_end(request, request_over, job);
    ride_http_wait(request, answered, job);
}

/* true: it waits. */
static bool take(ride_score *s, ride_http_request *request, bool silent, uint32_t slot) {
    ride_job_form form = RIDE_JOB_SINGLE;
    if (!score_body_read(s, request, &form)) return false;
    ride_job *job = score_job(s, request, s->ranges_count, silent ? 0 : s->answer_bytes_max);
    if (job == NULL) return false;
    for (uint32_t i = 0; i < s->ranges_count; i++) ride_job_add(job, s->ranges[i].offset, s->ranges[i].bytes);
    job->form = silent ? RIDE_JOB_SILENT : form;
    job->text = ride_http_take_body(request);
    job->owner = s;
    job->slot = slot;
    uint32_t count = job->events_count;
    score_push(s, job, request);
    if (silent && !s->is_logged) {
        reply_accepted(request, count);
        return false;
    }
    score_wait(job, request, silent ? reply_logged : reply_score);
    return true;
}

static void post(ride_score *s, ride_http_request *request, bool silent) {
    uint32_t slot = SCORE_NO_SLOT;
    if (!score_door(s, request) || !score_once_begin(s, request, &slot)) return;
    if (!take(s, request, silent, slot)) score_once_end(s, request, slot, 0);
}
static void post_score(void *context, ride_http_request *request) { post(context, request, false); }
static void post_events(void *context, ride_http_request *request) { post(context, request, true); }

/* ---- the engine's thread ---- */
static ride_status assign(ride_score *s, ride_error *err) {
    ride_stream_info info = {.source = s->source,
                             .partition = 0,
                             .is_log = false,
                             .is_json = true,
                             .committed = RIDE_OFFSET_NONE,
                             .log_begin = -1,
                             .log_end = -1,
                             .start = 0};
    snprintf(info.topic, sizeof info.topic, "http");
    RIDE_TRY(s->events.assigned(s->events.context, &info, 1, err));
    s->stream = info.stream;
    s->is_assigned = true;
    if (s->events.health != NULL) s->events.health(s->events.context, true, NULL);
    return RIDE_OK;
}

/* Releases of one job that come one by one are told together: with its last answers, when another's come, or at the next poll. */
static void drop_released(ride_score *s) {
    if (s->released_count == 0) return;
    atomic_fetch_sub_explicit(&s->in_flight, s->released_count, memory_order_relaxed);
    ride_job_drop(s->released, s->released_count);
    s->released_count = 0;
}

/* While batches are small and come one after the other, handing requests over costs more than working them: then we serve too,
 * before we look into the queue. */
static ride_served help(ride_score *s) {
    const uint64_t gone_ns = ride_clock_now_ns(s->clock) - s->polled_ns;
    const bool worked = s->is_often && s->together > 0 && s->together < HELP_EVENTS_MAX && gone_ns < HELP_NS_MAX;
    const bool waited = s->watches && s->waker->watch < 0 && gone_ns < OFTEN_NS_MAX;
    return (worked && s->in_hand == 0) || waited ? ride_serve_help(s->server) : RIDE_SERVED_NOT;
}

/* Who serves until the next poll: we, also when the engine waits, or the server's thread. */
static void help_on(ride_score *s, ride_served served, uint32_t count) {
    s->polled_ns = ride_clock_now_ns(s->clock);
    if (served != RIDE_SERVED_NOT) s->helps = true;
    if (served == RIDE_SERVED_NOT ? s->in_hand == 0 : served == RIDE_SERVED_MORE && count == 0) {
        s->helps = false;
        ride_serve_help_end(s->server);
    }
    s->watches = s->helps && count == 0;
    s->waker->watch = s->watches ? ride_serve_fd(s->server) : -1;
    if (s->in_hand == 0) s->together = 0;
    if (s->in_hand == 0 && count > 0) {
        s->is_often = s->polled_ns - s->began_ns < OFTEN_NS_MAX;
        s->began_ns = s->polled_ns;
    }
    s->together += count;
    s->in_hand += count;
}

static ride_status score_poll(ride_feed *feed, uint32_t stream, ride_message *messages, uint32_t messages_max,
                              uint32_t *count, ride_error *err) {
    ride_score *s = (ride_score *)(void *)feed;
    *count = 0;
    drop_released(s);
    if (!s->is_assigned) {
        ride_waker_wake(s->waker); /* requests may be there already: the next poll brings them */
        return assign(s, err);
    }
    if (stream != RIDE_STREAM_ANY && stream != s->stream) return RIDE_OK;
    const ride_served served = messages_max > 0 ? help(s) : RIDE_SERVED_NOT;
    while (*count < messages_max) {
        ride_job *job = s->current != NULL ? s->current : ride_spsc_pop(s->queue);
        if (job == NULL) break;
        uint32_t left = job->events_count - job->polled, room = messages_max - *count, n = left < room ? left : room;
        const ride_wait wait = job->form == RIDE_JOB_SILENT ? RIDE_WAIT_TAKEN : RIDE_WAIT_RESULT;
        for (uint32_t i = 0; i < n; i++) {
            ride_job_event *event = &job->events[job->polled + i];
            messages[(*count)++] = (ride_message){.value = job->text + event->offset,
                                                  .value_bytes = event->bytes,
                                                  .stream = s->stream,
                                                  .offset = (int64_t)(job->first_offset + job->polled + i),
                                                  .arrival_us = job->arrival_us,
                                                  .polled_ns = job->began_ns,
                                                  .wait = wait,
                                                  .handle = event};
        }
        job->polled += n;
        s->current = n < left ? job : NULL;
    }
    help_on(s, served, *count);
    return RIDE_OK;
}

static void score_answer(ride_feed *feed, const ride_message *message, const ride_answer *answer) {
    ride_score *s = (ride_score *)(void *)feed;
    ride_job_event *event = message->handle;
    ride_http_request *request = event->job->request;
    if (!ride_job_answer(event, answer)) return;
    drop_released(s); /* who has its answer finds the room that it had */
    if (request != NULL) ride_http_wake(request);
}

static void score_release(ride_feed *feed, ride_message *messages, uint32_t count) {
    ride_score *s = (ride_score *)(void *)feed;
    s->in_hand -= count;
    for (uint32_t i = 0, n; i < count; i += n) {
        ride_job *job = ((ride_job_event *)messages[i].handle)->job;
        for (n = 1; i + n < count && ((ride_job_event *)messages[i + n].handle)->job == job;) n++;
        if (job != s->released) drop_released(s);
        s->released = job;
        s->released_count += n;
        if (job->unanswered == 0) drop_released(s);
    }
}

/* Between two turns of the server: what nobody will poll is answered. */
static void close_door(void *context) {
    ride_score *s = context;
    const ride_answer away = {.status = RIDE_E_UNAVAILABLE, .reason = "stopping"};
    s->is_closed = true;
    for (ride_job *job; (job = s->current != NULL ? s->current : ride_spsc_pop(s->queue)) != NULL; s->current = NULL) {
        uint32_t left = job->events_count - job->polled;
        bool last = false;
        for (uint32_t i = job->polled; i < job->events_count; i++) last = ride_job_answer(&job->events[i], &away);
        atomic_fetch_sub_explicit(&s->in_flight, left, memory_order_relaxed);
        if (last && job->request != NULL) ride_http_wake(job->request);
        ride_job_drop(job, left);
    }
    ride_serve_after(s->server, NULL, NULL);
    RIDE_ASSERT(atomic_load(&s->in_flight) == 0); /* what was polled has been answered and released: base/feed.h */
}

static void score_close(ride_feed *feed) {
    ride_score *s = (ride_score *)(void *)feed;
    s->waker->watch = -1;
    drop_released(s);
    ride_serve_help_end(s->server);
    ride_serve_call(s->server, close_door, s); /* the rest is freed with the server, which may ask us until then */
}

static void destroy(void *context) {
    ride_score *s = context;
    ride_spsc_destroy(s->queue);
    ride_json_parser_destroy(s->parser);
    ride_idempotency_destroy(s->kept);
    score_infer_close(s);
    free(s->ranges);
    free(s);
}

static const ride_feed_ops ops = {
    .name = "http", .poll = score_poll, .release = score_release, .answer = score_answer, .close = score_close};

uint64_t ride_score_queue(const ride_feed *feed, uint64_t *max) {
    const ride_score *s = (const ride_score *)(const void *)feed;
    *max = s->queue_events_max;
    return atomic_load_explicit(&s->in_flight, memory_order_relaxed);
}

static ride_status set_up(ride_score *s, const ride_score_options *o, ride_error *err) {
    uint32_t jobs = 2, entries = o->idempotency_entries != 0 ? o->idempotency_entries : 4096;
    size_t bytes = o->idempotency_bytes != 0 ? o->idempotency_bytes : (size_t)8 << 20;
    uint64_t keep_ns = o->idempotency_ns != 0 ? o->idempotency_ns : UINT64_C(600000000000);
    RIDE_TRY(ride_idempotency_create(entries, bytes, keep_ns, &s->kept, err));
    while (jobs < s->queue_events_max) jobs *= 2;
    RIDE_TRY(ride_spsc_create(jobs, &s->queue, err));
    RIDE_TRY(ride_json_parser_create(ride_serve_body_bytes_max(s->server), &s->parser, err));
    s->ranges = calloc(s->request_events_max, sizeof *s->ranges);
    if (s->ranges == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the events of a request");
    s->routes[0] = (ride_http_route){"POST", "/v1/score", "score", post_score, s, false};
    s->routes[1] = (ride_http_route){"POST", "/v1/events", "events", post_events, s, false};
    uint32_t routes_count = 2;
    if (s->model != NULL) RIDE_TRY(score_infer_open(s, &routes_count, err));
    ride_serve_after(s->server, after_turn, s);
    return ride_serve_routes(s->server, s->routes, routes_count, err);
}

ride_status ride_score_feed_open(ride_server *server, const ride_score_options *o, ride_waker *waker, ride_feed **out,
                                 ride_error *err) {
    ride_score *s = calloc(1, sizeof *s);
    if (s == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the score endpoints");
    s->feed.ops = &ops;
    s->server = server;
    s->blocks = ride_serve_blocks(server);
    s->ready = o->ready;
    s->clock = o->clock != NULL ? o->clock : ride_clock_real();
    s->waker = waker;
    s->events = o->events;
    s->source = o->source;
    s->model = o->model;
    s->is_logged = o->is_logged;
    s->queue_events_max = o->queue_events_max != 0 ? o->queue_events_max : 65536;
    s->request_events_max = o->request_events_max != 0 ? o->request_events_max : 10000;
    s->answer_bytes_max = o->answer_bytes_max != 0 ? o->answer_bytes_max : 512;
    ride_status st = set_up(s, o, err);
    if (st != RIDE_OK) {
        ride_serve_after(server, NULL, NULL);
        destroy(s);
        return st;
    }
    ride_serve_own(server, destroy, s);
    *out = &s->feed;
    return RIDE_OK;
}
