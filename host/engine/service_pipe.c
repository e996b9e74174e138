/* engine/service_pipe.c: see service_pipe.h. */
#include "engine/service_pipe.h"

#include "base/assert.h"
#include "base/ring.h"
#include "engine/reasons.h"
#include "engine/shards.h"
#include "engine/state_desk.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* A waker, and whether anybody sleeps at it: a wake of a thread that is awake costs one atomic step. Feeds, outlets and signals wake
 * it without asking. */
typedef struct bell {
    alignas(RIDE_CACHE_LINE) _Atomic bool asleep;
    ride_waker *waker;
} bell;

typedef struct stage {
    service_pipe *pipe;
    bell bell;
    ride_waker waker;
    ride_spsc *in; /* of service_batch */
    pipeline p;
    pthread_t thread;
    bool has_thread;
} stage;

struct service_pipe {
    service *s;
    service_batch batches[PIPE_BATCHES];
    service_batch blank; /* a batch of nothing: in hand while none is free, and what a drain is asked with */
    service_batch *free[PIPE_BATCHES];
    uint32_t batches_count, free_count;
    uint64_t passed, returned;
    bell reader; /* of who reads */
    ride_spsc *back;
    stage compute, send;
    cpu_set_t cpus; /* who reads may run there without being bound */
    bool is_bound;
    _Atomic bool stop;
    _Atomic uint32_t failing, failed; /* somebody writes the failure; ride_status of it, when it is written */
    ride_error failure;
};

/* ---- bells ---- */

static void bell_ring(bell *b) {
    if (atomic_exchange(&b->asleep, false)) ride_waker_wake(b->waker);
}

/* Returns at once when `ready` holds after the bell would be heard. */
static void bell_wait(bell *b, bool (*ready)(void *context), void *context, uint64_t timeout_ns) {
    atomic_exchange(&b->asleep, true);
    if (!ready(context)) ride_waker_wait(b->waker, timeout_ns);
    atomic_exchange(&b->asleep, false);
}

static void fail(service_pipe *pipe, ride_status status, const ride_error *err) {
    uint32_t none = 0;
    if (!atomic_compare_exchange_strong(&pipe->failing, &none, 1)) return;
    pipe->failure = *err;
    atomic_store(&pipe->failed, (uint32_t)status);
    bell_ring(&pipe->reader);
}

bool pipe_is_stopping(const service_pipe *pipe) { return atomic_load(&pipe->stop); }

void pipe_tell(service_pipe *pipe) { bell_ring(&pipe->reader); }

/* ---- the stages ---- */

static bool stage_has(void *context) {
    const stage *at = context;
    return ride_spsc_count(at->in) > 0 || atomic_load(&at->pipe->stop);
}

static void stage_pass(ride_spsc *to, service_batch *b, bell *whose) {
    RIDE_ASSERT(ride_spsc_push(to, b)); /* as many places as batches */
    bell_ring(whose);
}

static ride_status compute(service *s, pipeline *p, service_batch *b, ride_error *err) {
    hand_take(p, &b->hand);
    p->clock_us = b->clock_us;
    p->reached_us = b->reached_us;
    p->least_us = b->least_us;
    p->summary = b->silent ? s->aside[1] : s->counted;
    RIDE_TRY(service_compute(s, p, b, err));
    b->hand = hand_of(p);
    service_beat(s);
    return RIDE_OK;
}

static void *compute_main(void *context) {
    stage *me = context;
    service_pipe *pipe = me->pipe;
    service *s = pipe->s;
    ride_error err;
    uint64_t told_ns = 0;
    ride_status st = shards_bind_caller(&me->p, &err);
    while (st == RIDE_OK && !pipe_is_stopping(pipe)) {
        service_batch *b = ride_spsc_pop(me->in);
        if (b == NULL) {
            bell_wait(&me->bell, stage_has, me, (uint64_t)IDLE_WAIT_MS * 1000000);
            continue;
        }
        if (!b->asks_drain) {
            st = compute(s, &me->p, b, &err);
            if (st != RIDE_OK) break;
            state_desk_serve(s->options->desk, b->in_rebuild ? NULL : &me->p, SERVICE_REBUILDING);
            service_metrics_state(s, &me->p, &told_ns);
        }
        stage_pass(pipe->send.in, b, &pipe->send.bell);
    }
    if (st != RIDE_OK) fail(pipe, st, &err);
    return NULL;
}

/* One batch, or a look at what has arrived. */
static ride_status send_step(stage *me, service *s, ride_error *err) {
    service_pipe *pipe = me->pipe;
    service_batch *b = ride_spsc_pop(me->in);
    if (b == NULL) {
        if (s->outlet != NULL) RIDE_TRY(window_advance(s, err));
        bell_wait(&me->bell, stage_has, me, (uint64_t)IDLE_WAIT_MS * 1000000);
        return RIDE_OK;
    }
    if (b->asks_drain) {
        b->drained = window_drain(s, b->drain_ns, &b->failure);
        if (b->drained != RIDE_OK && b->drained != RIDE_PENDING) {
            *err = b->failure;
            return b->drained;
        }
    } else if (!b->silent) {
        hand_take(&me->p, &b->hand);
        RIDE_TRY(service_emit(s, &me->p, b, err));
        service_beat(s);
    }
    if (s->outlet == NULL) RIDE_TRY(window_advance(s, err)); /* before: it is the reader's then */
    stage_pass(pipe->back, b, &pipe->reader);
    return s->outlet != NULL ? window_advance(s, err) : RIDE_OK;
}

static ride_status bind_to(const service *s, uint32_t which, const char *who, ride_error *err) {
    const int cpu = s->options->run.stage_cpus != NULL ? s->options->run.stage_cpus[which] : -1;
    cpu_set_t set;
    CPU_ZERO(&set);
    if (cpu < 0) return RIDE_OK;
    if (cpu < CPU_SETSIZE) CPU_SET((size_t)cpu, &set);
    const int code = pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    if (code == 0) return RIDE_OK;
    ride_fail(err, RIDE_E_CONFIG, "the thread that %s cannot be bound to cpu %d: %s", who, cpu, strerror(code));
    ride_error_advice(err, "`ride topology` tells which cpus this process may use");
    return RIDE_E_CONFIG;
}

static void *send_main(void *context) {
    stage *me = context;
    ride_error err;
    ride_status st = bind_to(me->pipe->s, 1, "sends", &err);
    while (st == RIDE_OK && !pipe_is_stopping(me->pipe)) st = send_step(me, me->pipe->s, &err);
    if (st != RIDE_OK) fail(me->pipe, st, &err);
    return NULL;
}

/* ---- who reads ---- */

bool pipe_is_empty(const service_pipe *pipe) { return pipe->passed == pipe->returned; }
bool pipe_is_free(const service_pipe *pipe) { return pipe->passed - pipe->returned < PIPE_BATCHES_GREEDY; }

/* A batch was sent, or was silent, and s->p has it: its verdicts to the ids, its requests their answers. */
static ride_status over(service *s, service_batch *b, ride_error *err) {
    if (s->p.dedup != NULL) verdicts_remember(&s->p);
    if (!b->silent) return service_done(s, b, err);
    service_silent_done(s, b);
    return RIDE_OK;
}

static ride_status take_back(service *s, service_batch *b, ride_error *err) {
    service_pipe *pipe = s->pipe;
    const uint64_t behind = b->hand.sequence + b->hand.batch->rows_count, events = b->silent ? 0 : batch_taken(b);
    const hand mine = hand_of(&s->p);
    ride_run_summary *summary = s->p.summary;
    hand_take(&s->p, &b->hand);
    s->p.summary = b->silent ? s->aside[0] : s->counted;
    s->silent_passed -= b->silent;
    const ride_status st = over(s, b, err);
    s->p.summary = summary;
    b->hand = hand_of(&s->p);
    hand_take(&s->p, &mine);
    pipe->returned++;
    s->in_flight -= events;
    s->p.unanswered_from = pipe_is_empty(pipe) ? UINT64_MAX : behind; /* in order: it was the oldest */
    pipe->free[pipe->free_count++] = b;
    return st;
}

ride_status pipe_collect(service *s, ride_error *err) {
    service_pipe *pipe = s->pipe;
    const uint64_t before = pipe->returned;
    for (service_batch *b; (b = ride_spsc_pop(pipe->back)) != NULL;) {
        if (b->asks_drain) b->asks_drain = false;
        else RIDE_TRY(take_back(s, b, err));
    }
    if (pipe->returned != before)
        ride_metric_set(s->m.in_flight, (double)(s->in_flight + (s->b->silent ? 0 : batch_taken(s->b))));
    const uint64_t stored = atomic_load(&s->window_stored);
    window_store(s);
    /* it may wait for the room, and not at its bell */
    if (atomic_load(&s->window_stored) != stored && atomic_load(&s->window_next) - stored == WINDOW_SLOTS)
        ride_waker_wake(&pipe->send.waker);
    const ride_status st = (ride_status)atomic_load(&pipe->failed);
    if (st != RIDE_OK) *err = pipe->failure;
    return st;
}

static bool reader_has(void *context) {
    const service *s = context;
    return ride_spsc_count(s->pipe->back) > 0 || atomic_load(&s->pipe->failed) != RIDE_OK ||
           atomic_load(&s->window_first) != atomic_load(&s->window_stored);
}

void pipe_wait(service *s, uint64_t timeout_ns) { bell_wait(&s->pipe->reader, reader_has, s, timeout_ns); }

/* Of a wait for other stages: the stop is seen, and tells them how long they may take. */
static ride_status turn(service *s, ride_error *err) {
    RIDE_TRY(pipe_collect(s, err));
    (void)service_stopped(s);
    return RIDE_OK;
}

ride_status pipe_settle(service *s, ride_error *err) {
    for (;;) {
        RIDE_TRY(turn(s, err));
        if (pipe_is_empty(s->pipe)) return RIDE_OK;
        pipe_wait(s, (uint64_t)IDLE_WAIT_MS * 1000000);
    }
}

ride_status pipe_drain(service *s, uint64_t timeout_ns, ride_error *err) {
    service_batch *ask = &s->pipe->blank;
    RIDE_TRY(pipe_settle(s, err));
    ask->asks_drain = true;
    ask->drain_ns = timeout_ns;
    stage_pass(s->pipe->compute.in, ask, &s->pipe->compute.bell);
    for (;;) {
        RIDE_TRY(turn(s, err));
        if (!ask->asks_drain) break;
        pipe_wait(s, (uint64_t)IDLE_WAIT_MS * 1000000);
    }
    if (ask->drained != RIDE_OK) *err = ask->failure;
    return ask->drained;
}

/* The batch in hand is an empty one; waits until there is. */
static ride_status next_in_hand(service *s, ride_error *err) {
    service_pipe *pipe = s->pipe;
    for (;;) {
        RIDE_TRY(turn(s, err));
        if (pipe->free_count > 0) break;
        pipe_wait(s, (uint64_t)IDLE_WAIT_MS * 1000000);
    }
    const uint64_t sequence = s->p.sequence;
    s->b = pipe->free[--pipe->free_count];
    hand_take(&s->p, &s->b->hand);
    s->p.sequence = sequence;
    return RIDE_OK;
}

/* Nothing is on its way, so what the other stages have is ours, but for an outlet. */
static ride_status compute_here(service *s, service_batch *b, ride_error *err) {
    RIDE_TRY(compute(s, &s->pipe->compute.p, b, err));
    hand_take(&s->p, &b->hand);
    return b->silent ? RIDE_OK : service_answer(s, b, err);
}

static ride_status send_here(service *s, service_batch *b, ride_error *err) {
    const uint64_t behind = s->p.sequence + s->p.batch->rows_count;
    if (!b->silent) RIDE_TRY(service_emit(s, &s->p, b, err));
    if (s->outlet == NULL) RIDE_TRY(window_advance(s, err));
    /* nobody else does before the next poll, and a chunk may be more batches than the window has slots */
    window_store(s);
    RIDE_TRY(over(s, b, err));
    s->p.sequence = behind;
    ride_metric_set(s->m.in_flight, 0);
    return RIDE_OK;
}

ride_status pipe_pass(service *s, ride_error *err) {
    service_pipe *pipe = s->pipe;
    service_batch *b = s->b;
    const bool here = pipe_is_empty(pipe) && s->p.batch->rows_count <= PIPE_ROWS_HERE;
    b->hand = hand_of(&s->p);
    if (here) RIDE_TRY(compute_here(s, b, err));
    if (here && (s->outlet == NULL || b->silent)) return send_here(s, b, err);
    if (pipe_is_empty(pipe)) s->p.unanswered_from = b->hand.sequence;
    s->p.sequence += s->p.batch->rows_count;
    if (!b->silent) s->in_flight += batch_taken(b);
    s->silent_passed += b->silent;
    pipe->passed++;
    s->b = &pipe->blank;
    if (here) stage_pass(pipe->send.in, b, &pipe->send.bell); /* nobody else has anything for it now */
    else stage_pass(pipe->compute.in, b, &pipe->compute.bell);
    return next_in_hand(s, err);
}

/* ---- life ---- */

static ride_status stage_open(service_pipe *pipe, stage *at, ride_error *err) {
    at->pipe = pipe;
    at->bell.waker = &at->waker;
    RIDE_TRY(ride_waker_open(&at->waker, err));
    return ride_spsc_create(2 * PIPE_BATCHES, &at->in, err);
}

/* Room of the batches beside the first, which is the pipeline's. */
static ride_status batches_open(service *s, ride_error *err) {
    service_pipe *pipe = s->pipe;
    const hand first = hand_of(&s->p);
    ride_status st = RIDE_OK;
    for (uint32_t i = 1; i < PIPE_BATCHES && st == RIDE_OK; i++) {
        service_batch *b = &pipe->batches[i];
        const hand none = {.sequence = 0};
        st = batch_open(s, b, err);
        hand_take(&s->p, &none);
        if (st == RIDE_OK) st = pipeline_batch_open(&s->p, err);
        if (st == RIDE_OK) st = verdicts_batch_open(&s->p, err);
        if (st == RIDE_OK) st = reasons_batch_open(&s->p, err);
        b->hand = hand_of(&s->p);
        pipe->batches_count = i + 1;
        pipe->free[pipe->free_count++] = b;
        hand_take(&s->p, &first);
    }
    return st;
}

static ride_status recent_open(service *s, ride_error *err) {
    const uint64_t rows = (uint64_t)PIPE_BATCHES * ride_batch_rows_count_max(s->p.batch);
    uint64_t room = 1;
    if (s->p.dedup == NULL) return RIDE_OK;
    while (room < rows) room *= 2;
    verdict *recent = calloc(room, sizeof *recent);
    if (recent == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the verdicts of batches on their way");
    s->pipe->compute.p.recent = recent;
    s->pipe->compute.p.recent_mask = room - 1;
    return RIDE_OK;
}

ride_status pipe_open(service *s, ride_error *err) {
    service_pipe *pipe =
        aligned_alloc(RIDE_CACHE_LINE, (sizeof *pipe + RIDE_CACHE_LINE - 1) / RIDE_CACHE_LINE * RIDE_CACHE_LINE);
    if (pipe == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the stages of a service");
    memset(pipe, 0, sizeof *pipe);
    s->pipe = pipe;
    pipe->s = s;
    pipe->reader.waker = s->options->waker;
    pipe->compute.waker.fd = pipe->send.waker.fd = -1;
    pipe->batches_count = 1;
    RIDE_TRY(ride_spsc_create(2 * PIPE_BATCHES, &pipe->back, err));
    RIDE_TRY(stage_open(pipe, &pipe->compute, err));
    RIDE_TRY(stage_open(pipe, &pipe->send, err));
    s->outlet_waker = &pipe->send.waker;
    RIDE_TRY(batch_open(s, &pipe->batches[0], err));
    s->b = &pipe->batches[0];
    s->b->hand = hand_of(&s->p);
    return batches_open(s, err);
}

/* Signals are the caller's. */
static ride_status thread_start(stage *at, void *(*main)(void *), const char *name, ride_error *err) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int code = pthread_create(&at->thread, NULL, main, at);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code != 0) return ride_fail(err, RIDE_E_UNAVAILABLE, "no thread for %s: %s", name, strerror(code));
    at->has_thread = true;
    pthread_setname_np(at->thread, name);
    return RIDE_OK;
}

ride_status pipe_start(service *s, ride_error *err) {
    service_pipe *pipe = s->pipe;
    pipe->compute.p = pipe->send.p = s->p;
    pipe->compute.p.dedup = pipe->compute.p.labels = NULL; /* of who reads, and made anew by a rebuild */
    pipe->send.p.dedup = pipe->send.p.labels = NULL;
    pipe->send.p.outputs[OUTPUT_DRIFT].sink = NULL; /* who computes writes it, and tells its failure */
    RIDE_TRY(recent_open(s, err));
    RIDE_TRY(thread_start(&pipe->compute, compute_main, "ride-compute", err));
    RIDE_TRY(thread_start(&pipe->send, send_main, "ride-send", err));
    pipe->is_bound = pthread_getaffinity_np(pthread_self(), sizeof pipe->cpus, &pipe->cpus) == 0;
    return bind_to(s, 0, "reads", err);
}

void pipe_stop(service *s) {
    service_pipe *pipe = s->pipe;
    stage *const stages[] = {&pipe->compute, &pipe->send};
    atomic_store(&pipe->stop, true);
    for (int i = 0; i < 2; i++) {
        if (!stages[i]->has_thread) continue;
        ride_waker_wake(&stages[i]->waker);
        pthread_join(stages[i]->thread, NULL);
        stages[i]->has_thread = false;
    }
    if (pipe->is_bound) (void)pthread_setaffinity_np(pthread_self(), sizeof pipe->cpus, &pipe->cpus);
    pipe->is_bound = false;
}

void pipe_answer_held(service *s) {
    for (uint32_t i = 0; i < s->pipe->batches_count; i++) batch_answer_held(s, &s->pipe->batches[i]);
}

static void stage_close(stage *at) {
    ride_waker_close(&at->waker);
    ride_spsc_destroy(at->in);
}

void pipe_close(service *s) {
    service_pipe *pipe = s->pipe;
    for (uint32_t i = 0; i < pipe->batches_count; i++) {
        service_batch *b = &pipe->batches[i];
        if (b->hand.batch != s->p.batch) { /* that one is the pipeline's to close */
            const hand mine = hand_of(&s->p);
            hand_take(&s->p, &b->hand);
            pipeline_batch_close(&s->p);
            hand_take(&s->p, &mine);
        }
        batch_close(b);
    }
    free(pipe->compute.p.recent);
    stage_close(&pipe->compute);
    stage_close(&pipe->send);
    ride_spsc_destroy(pipe->back);
    free(pipe);
    s->pipe = NULL;
}
