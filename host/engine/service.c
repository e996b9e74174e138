/* engine/service.c: the loop of a service and its life. */
#include "engine/service.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "engine/drift.h"
#include "engine/service_pipe.h"
#include "engine/shards.h"
#include "engine/state_desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMMIT_MS_MIN = 500, COMMIT_MS_MAX = 5000 };

uint64_t service_now(void) { return ride_clock_now_ns(ride_clock_real()); }

bool service_stopped(service *s) {
    const bool stopped = s->options->run.stop != NULL && __atomic_load_n(s->options->run.stop, __ATOMIC_RELAXED);
    if (stopped && atomic_load(&s->stopped_ns) == 0) atomic_store(&s->stopped_ns, service_now());
    return stopped;
}

uint64_t service_drain_left_ns(service *s) {
    if (s->pipe == NULL) (void)service_stopped(s);
    else if (pipe_is_stopping(s->pipe)) return 0;
    const uint64_t stopped_ns = atomic_load(&s->stopped_ns), timeout_ns = atomic_load(&s->drain_timeout_ns);
    if (stopped_ns == 0) return UINT64_MAX;
    const uint64_t gone_ns = service_now() - stopped_ns;
    return gone_ns < timeout_ns ? timeout_ns - gone_ns : 0;
}

void service_fail(service *s, ride_status status, const ride_error *err) {
    service_drop(s);
    if (s->failed != RIDE_OK) return;
    s->failed = status;
    s->failure = *err;
}

void service_beat(service *s) {
    if (s->options->heartbeat_ns != NULL) atomic_store(s->options->heartbeat_ns, service_now());
}

void service_ready(service *s, const char *part, bool ready, const char *why) {
    if (s->options->ready != NULL) s->options->ready(s->options->ready_context, part, ready, why);
}

void service_state_ready(service *s) {
    bool ready = !s->must_rebuild && !s->in_rebuild && !s->is_partial && s->silent_passed == 0;
    ready = ready && !(s->b->silent && s->b->runs_count > 0);
    for (uint32_t i = 0; i < s->streams_count; i++) { /* what is read again beyond the end of the journal */
        const service_stream *stream = &s->streams[i];
        if (stream->used && stream->is_log && stream->active && stream->next < stream->emit_from) ready = false;
    }
    for (uint32_t i = 0; i < s->feeds_count; i++)
        ready = ready && (s->feeds[i]->ops->store == NULL || s->feed_assigned[i]);
    if (ready) service_ready(s, "state", true, NULL);
}

/* ---- the loop ---- */

/* Of the window state too where nobody else has it. */
static void statistics(service *s) {
    if (service_is_settled(s)) service_metrics_state(s, &s->p, &s->told_ns);
    ride_metric_set_total(s->m.labels[1], s->counted->labels_unknown);
    ride_metric_set_total(s->m.labels[2], s->counted->labels_rejected);
}

/* While others of the group have what is needed here: only the group is listened to. */
static ride_status wait_whole(service *s, ride_error *err) {
    for (uint32_t i = 0; i < s->feeds_count; i++) {
        service_release(s);
        RIDE_TRY(service_poll(s, i, RIDE_STREAM_ANY, 0, err));
    }
    service_wait(s, (uint64_t)IDLE_WAIT_MS * 1000000);
    return RIDE_OK;
}

/* How long the batch in hand may wait for more; 0: it goes now. */
static uint64_t wait_ns(service *s) {
    const uint64_t look_ns = (uint64_t)IDLE_WAIT_MS * 1000000, now_ns = service_now();
    if (s->b->runs_count == 0) return look_ns;
    const uint32_t rows = s->p.batch->rows_count > 0 ? s->p.batch->rows_count : 1; /* rejected ones alone go on too */
    const ride_batcher_view view = {.now_ns = now_ns,
                                    .rows_count = rows,
                                    .oldest_ns = s->b->first_ns,
                                    .device_free = s->pipe == NULL || pipe_is_free(s->pipe)};
    const ride_batcher_step step = ride_batcher_next(&s->batcher, &view);
    if (step.rows_count > 0) return 0;
    const uint64_t left_ns = step.wait_until_ns > now_ns ? step.wait_until_ns - now_ns : 1;
    return left_ns < look_ns ? left_ns : look_ns;
}

static void idle(service *s) {
    if (!service_is_settled(s)) return;
    phase_set(s, PHASE_IDLE);
    for (int i = 0; i < OUTPUTS; i++)
        if (s->p.outputs[i].sink != NULL)
            ride_sink_flush(s->p.outputs[i].sink, NULL); /* its next write tells a failure */
}

static void batcher_init(service *s) {
    ride_batcher_init(&s->batcher, &(ride_batcher_options){.policy = s->tuning.batch_delay_ns > 0 ? RIDE_BATCHER_FIXED
                                                                                                  : RIDE_BATCHER_GREEDY,
                                                           .rows_count_max = s->tuning.batch_rows_max,
                                                           .delay_ns_max = s->tuning.batch_delay_ns});
}

/* The rooms are as large as at the start: that is what a batch may be at most. */
static void reload(service *s) {
    const ride_service_options *o = s->options;
    if (o->reload == NULL || !*o->reload) return;
    *o->reload = 0;
    o->reloaded(o->reloaded_context, &s->tuning);
    RIDE_ASSERT(s->tuning.batch_rows_max > 0 && s->tuning.batch_rows_max <= o->run.batch_rows_max);
    atomic_store(&s->drain_timeout_ns, s->tuning.drain_timeout_ns);
    batcher_init(s);
}

/* What was taken before the assignment changed belongs into the windows of before. */
static ride_status wait_or_rebuild(service *s, ride_error *err) {
    RIDE_TRY(service_work(s, err));
    RIDE_TRY(service_settle(s, err));
    state_desk_serve(s->options->desk, NULL, "the window state is not there yet");
    return s->is_partial ? wait_whole(s, err) : rebuild_run(s, err);
}

/* Fills the batch in hand, and works it when it is its time. */
static ride_status step(service *s, ride_error *err) {
    if (service_is_settled(s)) state_desk_serve(s->options->desk, &s->p, NULL);
    const uint64_t assignments = s->assignments;
    RIDE_TRY(service_fill(s, err));
    if (s->assignments != assignments)
        return RIDE_OK; /* what it waited for within the poll may have taken the feed's wake */
    const uint64_t wait = service_batch_full(s) || s->chunk_at < s->chunk_count ? 0 : wait_ns(s);
    if (s->b->runs_count > 0 && wait == 0) return service_work(s, err);
    if (s->pipe == NULL) RIDE_TRY(window_advance(s, err));
    if (s->b->runs_count == 0) idle(s);
    service_wait(s, wait);
    return RIDE_OK;
}

/* After a stop: requests of which the log has the event are answered, as long as that is a matter of moments. */
static bool settles(service *s) {
    if (s->must_rebuild || s->is_partial || service_drain_left_ns(s) <= s->tuning.drain_timeout_ns / 2) return false;
    bool more = false;
    for (uint32_t i = 0; i < s->feeds_count; i++)
        if (s->feeds[i]->ops->settle != NULL) more = s->feeds[i]->ops->settle(s->feeds[i]) || more;
    return more;
}

static ride_status serve(service *s, ride_error *err) {
    uint64_t told_ns = 0;
    while (!service_stopped(s) || settles(s)) {
        if (s->failed != RIDE_OK) {
            *err = s->failure;
            return s->failed;
        }
        reload(s);
        if (service_is_settled(s)) service_beat(s); /* else those who have the batches do */
        if (s->is_partial || s->must_rebuild) {
            const bool rebuilds = !s->is_partial;
            RIDE_TRY(wait_or_rebuild(s, err));
            if (rebuilds && s->options->replay && !s->must_rebuild) return RIDE_OK;
            continue;
        }
        RIDE_TRY(step(s, err));
        const uint64_t now_ns = service_now();
        if (now_ns - told_ns < (uint64_t)IDLE_WAIT_MS * 1000000) continue;
        told_ns = now_ns;
        statistics(s);
    }
    return RIDE_INTERRUPTED;
}

/* What was taken is finished and stored. */
static ride_status drain(service *s, ride_error *err) {
    const uint64_t began_ns = service_now(), ms = 1000000;
    for (uint32_t i = 0; i < s->feeds_count; i++) service_ready(s, s->feeds[i]->ops->name, false, "stopping");
    RIDE_TRY(service_work(s, err));
    RIDE_TRY(service_settle(s, err));
    service_release(s);
    RIDE_TRY(service_drain(s, service_drain_left_ns(s), err));
    for (uint32_t i = 0; i < s->feeds_count; i++) {
        uint64_t left_ns = service_drain_left_ns(s);
        if (left_ns > COMMIT_MS_MAX * ms) left_ns = COMMIT_MS_MAX * ms;
        if (left_ns < COMMIT_MS_MIN * ms) left_ns = COMMIT_MS_MIN * ms; /* a broker that is there needs less */
        if (s->feeds[i]->ops->commit != NULL) RIDE_TRY(s->feeds[i]->ops->commit(s->feeds[i], left_ns, err));
    }
    ride_log_info("drained", ride_log_f64("seconds", (double)(service_now() - began_ns) / 1e9));
    return RIDE_OK;
}

/* ---- open and close ---- */

static ride_status open_input(service *s, const ride_service_input *option, ride_error *err) {
    service_input *in = &s->inputs[s->inputs_count];
    for (uint32_t i = 0; i < s->p.spec->sources_count; i++)
        if (strcmp(option->source, s->p.spec->sources[i].name) == 0) in->spec = &s->p.spec->sources[i];
    if (in->spec == NULL) {
        ride_fail(err, RIDE_E_CONFIG, "the spec has no source `%s`", option->source);
        ride_error_advice(err, "its sources are named under `sources:`");
        return RIDE_E_CONFIG;
    }
    ride_decoder_options decoder = {.spec = in->spec,
                                    .format = option->format,
                                    .local_to_utc = ride_zone_local_to_utc,
                                    .zone = &s->p.spec->zone_table,
                                    .on_reject = service_reject,
                                    .reject_context = s};
    s->inputs_count++;
    RIDE_TRY(ride_decoder_open_records(&decoder, option->source, MESSAGE_BYTES_MAX, &in->decoder, err));
    decoder.format = RIDE_FORMAT_NDJSON;
    return ride_decoder_open_records(&decoder, option->source, MESSAGE_BYTES_MAX, &in->decoder_json, err);
}

static ride_status open_rooms(service *s, ride_error *err) {
    s->streams = calloc(RIDE_STREAMS_MAX, sizeof *s->streams);
    for (int i = 0; i < 2; i++) {
        s->aside[i] = malloc(sizeof *s->aside[i]);
        if (s->aside[i] != NULL) *s->aside[i] = *s->counted;
    }
    if (s->streams == NULL || s->aside[0] == NULL || s->aside[1] == NULL)
        return ride_fail(err, RIDE_E_MEMORY, "no memory for a service");
    s->outlet_waker = s->options->waker;
    RIDE_TRY(window_open(s, err));
    /* a replay tells of each row, and its reader is one thread */
    if (s->options->run.pipelined && !s->options->replay) return pipe_open(s, err);
    s->b = calloc(1, sizeof *s->b);
    return s->b != NULL ? batch_open(s, s->b, err) : ride_fail(err, RIDE_E_MEMORY, "no memory for a service");
}

static void feed_health(void *context, bool ready, const char *why) {
    feed_context *c = context;
    service_ready(c->s, c->s->feeds[c->feed] != NULL ? c->s->feeds[c->feed]->ops->name : "source", ready, why);
}
static void topic_health(void *context, const char *topic, bool ready, const char *why) {
    char part[RIDE_TOPIC_BYTES + 8];
    snprintf(part, sizeof part, SERVICE_TOPIC_PART, topic);
    service_ready(((feed_context *)context)->s, part, ready, why);
}
static void outlet_health(void *context, bool ready, const char *why) { service_ready(context, "results", ready, why); }

static ride_status open_ports(service *s, ride_error *err) {
    const ride_service_options *o = s->options;
    const ride_outlet_events outlet = {.context = s, .delivered = window_delivered, .health = outlet_health};
    if (o->outlet_open != NULL) RIDE_TRY(o->outlet_open(o->outlet_context, &outlet, s->outlet_waker, &s->outlet, err));
    for (uint32_t i = 0; i < o->feeds_count; i++) {
        s->contexts[i] = (feed_context){s, i};
        s->events[i] = (ride_feed_events){.context = &s->contexts[i],
                                          .assigned = streams_assigned,
                                          .revoked = streams_revoked,
                                          .at_end = streams_at_end,
                                          .health = feed_health,
                                          .topic_health = topic_health};
        RIDE_TRY(o->feeds[i].open(o->feeds[i].context, &s->events[i], o->waker, &s->feeds[i], err));
        s->feeds_count++;
    }
    return RIDE_OK;
}

static ride_status service_open(service *s, ride_diagnostics *findings, ride_error *err) {
    const ride_service_options *o = s->options;
    s->p.by_message = true;
    s->p.many_clocks = o->partition_keyed;
    s->newest_us = INT64_MIN;
    RIDE_TRY(pipeline_open(&s->p, findings, err));
    for (uint32_t i = 0; i < o->inputs_count; i++) RIDE_TRY(open_input(s, &o->inputs[i], err));
    service_metrics_open(s); /* each input's too */
    RIDE_TRY(open_rooms(s, err));
    batcher_init(s);
    if (o->journal_path != NULL)
        RIDE_TRY(ride_journal_open(o->journal_path, s->p.spec->hash, o->journal_sync, o->replay, &s->journal, err));
    RIDE_TRY(phase_open(s, err));
    RIDE_TRY(open_ports(s, err));
    RIDE_TRY(service_emit_open(s, err));
    RIDE_TRY(service_answer_open(s, err));
    RIDE_TRY(s->pipe != NULL ? pipe_start(s, err) : shards_bind_caller(&s->p, err));
    service_ready(s, "model", true, NULL);
    service_state_ready(s);
    return RIDE_OK;
}

static void service_close(service *s) {
    if (s->pipe != NULL) pipe_stop(s);
    state_desk_close(s->options->desk);
    if (s->feeds_count > 0) service_release(s);
    if (s->pipe != NULL) pipe_answer_held(s);
    else if (s->b != NULL) batch_answer_held(s, s->b);
    for (uint32_t i = s->feeds_count; i-- > 0;) s->feeds[i]->ops->close(s->feeds[i]);
    if (s->outlet != NULL) s->outlet->ops->close(s->outlet);
    service_emit_close(s);
    service_answer_close(s);
    for (uint32_t i = 0; i < s->inputs_count; i++) {
        ride_decoder_close(s->inputs[i].decoder);
        ride_decoder_close(s->inputs[i].decoder_json);
    }
    ride_journal_close(s->journal);
    phase_close(s);
    window_close(s);
    if (s->pipe != NULL) pipe_close(s);
    else if (s->b != NULL) {
        batch_close(s->b);
        free(s->b);
    }
    free(s->streams);
    free(s->aside[0]);
    free(s->aside[1]);
}

ride_status ride_service_run(const ride_service_options *given, ride_run_summary *out, ride_diagnostics *findings,
                             ride_error *err) {
    ride_service_options options = *given;
    if (options.run.batch_rows_max == 0) options.run.batch_rows_max = 1024;
    if (options.run.format == 0) options.run.format = RIDE_FORMAT_NDJSON;
    options.run.record = RIDE_RECORD_DECISION;
    options.run.state_dir = NULL; /* the log is what a restart goes on from */
    memset(out, 0, sizeof *out);
    ride_histogram_init(&out->batch_ns);
    service *s = calloc(1, sizeof *s);
    if (s == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a service");
    const uint64_t opened_ns = service_now();
    s->options = &options;
    s->tuning = (ride_service_tuning){options.run.batch_rows_max, options.batch_delay_ns, options.drain_timeout_ns};
    atomic_store(&s->drain_timeout_ns, options.drain_timeout_ns);
    s->p.options = &options.run;
    s->p.summary = s->counted = out;
    ride_status st = service_open(s, findings, err);
    const bool opened = st == RIDE_OK;
    observe_start(&s->p);
    out->setup_ns = s->p.start_ns - opened_ns;
    if (st == RIDE_OK) st = serve(s, err);
    service_count_into(s, false); /* an error may have come with a silent batch in hand */
    observe_end(&s->p, service_now());
    if (st == RIDE_INTERRUPTED || (st == RIDE_OK && options.replay)) {
        ride_status drained = drain(s, err);
        if (drained != RIDE_OK) st = drained;
    }
    service_close(s);
    ride_error failure;
    ride_status closed = pipeline_close(&s->p, opened && (st == RIDE_OK || st == RIDE_INTERRUPTED), &failure);
    if (closed != RIDE_OK && (st == RIDE_OK || st == RIDE_INTERRUPTED || st == RIDE_E_IO)) st = closed, *err = failure;
    out->elapsed_ns = service_now() - opened_ns;
    free(s);
    return st;
}
