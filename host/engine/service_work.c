/* engine/service_work.c: a batch through the stages: journal, compute, results. Inline the caller does them one after the other; in a
 * pipeline (service_pipe.h) the caller does the first, and all of them for what is read again. */
#include "engine/service_pipe.h"
#include "engine/shards.h"

#include "base/assert.h"

static ride_status failed(const service *s, ride_error *err) {
    if (s->failed != RIDE_OK && err != NULL) *err = s->failure;
    return s->failed;
}

/* Read again, and too old for a repeat of any of its events to be answered from it when results go out again. */
static bool scores_are_idle(const service *s) {
    const pipeline *p = &s->p;
    if (p->dedup == NULL) return true;
    if (p->many_clocks) return false; /* the events of a stream that is behind are old too */
    const int64_t keep_us = p->events->dedup_us + p->events->bound_us + p->events->allowed_lateness_us;
    return s->resume_clock_us > INT64_MIN / 2 && s->newest_us < s->resume_clock_us - keep_us;
}

ride_status service_compute(service *s, pipeline *p, service_batch *b, ride_error *err) {
    if (p->batch->rows_count > 0) {
        ride_batch_set_rows(p->batch, p->batch->rows_count, p->sequence);
        p->no_drift = p->no_reasons = b->silent;
        p->no_scores = !b->is_scored;
        RIDE_TRY(pipeline_compute(p, err));
        verdicts_make(p);
        if (!b->silent) alerts_batch(p);
    }
    b->compute_ns = service_now();
    phase_set(s, PHASE_SCORED);
    return RIDE_OK;
}

void service_count_into(service *s, bool silent) {
    ride_run_summary *into = silent ? s->aside[0] : s->counted;
    into->labels_unknown = s->p.summary->labels_unknown;
    s->p.summary = into;
}

static void empty(service *s, service_batch *b) {
    ride_batch_clear(s->p.batch);
    s->p.duplicates_in_batch = 0;
    batch_empty(b);
}

void service_silent_done(service *s, service_batch *b) {
    batch_answer_held(s, b); /* nobody waits for what is read again; if somebody did, for ever */
    empty(s, b);
    if (!s->in_rebuild) service_state_ready(s);
}

static ride_status through(service *s, ride_error *err) {
    service_batch *b = s->b;
    const uint32_t rows = s->p.batch->rows_count;
    RIDE_TRY(service_compute(s, &s->p, b, err));
    if (b->silent) {
        service_silent_done(s, b);
    } else {
        RIDE_TRY(service_answer(s, b, err));
        RIDE_TRY(service_emit(s, &s->p, b, err));
        RIDE_TRY(service_done(s, b, err));
        ride_metric_set(s->m.in_flight, 0);
    }
    s->p.sequence += rows;
    return window_advance(s, err);
}

ride_status service_work(service *s, ride_error *err) {
    service_batch *b = s->b;
    RIDE_TRY(failed(s, err));
    if (b->runs_count == 0) return RIDE_OK;
    b->begin_ns = service_now();
    phase_set(s, PHASE_CONSUMED);
    if (s->journal != NULL && !s->journalled) { /* before any result of it: a restart must meet them in this order */
        RIDE_TRY(ride_journal_append(s->journal, b->runs, b->runs_count, err));
        ride_metric_add(s->m.journal_runs, b->runs_count);
    }
    b->journal_ns = service_now();
    b->clock_us = s->p.clock_us;
    b->reached_us = s->p.reached_us;
    b->least_us = s->p.least_us;
    b->is_scored = !b->silent || !scores_are_idle(s);
    b->in_rebuild = s->in_rebuild;
    const ride_status st = s->pipe == NULL ? through(s, err) : pipe_pass(s, err);
    service_count_into(s, false);
    return st;
}

void service_drop(service *s) {
    if (s->b->runs_count == 0) return;
    batch_answer_held(s, s->b);
    s->p.sequence += s->p.batch->rows_count;
    empty(s, s->b); /* no progress */
    service_count_into(s, false);
}

bool service_is_settled(const service *s) { return s->pipe == NULL || pipe_is_empty(s->pipe); }

ride_status service_settle(service *s, ride_error *err) { return s->pipe == NULL ? RIDE_OK : pipe_settle(s, err); }

ride_status service_drain(service *s, uint64_t timeout_ns, ride_error *err) {
    return s->pipe == NULL ? window_drain(s, timeout_ns, err) : pipe_drain(s, timeout_ns, err);
}

void service_wait(service *s, uint64_t timeout_ns) {
    if (s->pipe == NULL) ride_waker_wait(s->options->waker, timeout_ns);
    else pipe_wait(s, timeout_ns);
}
