/* engine/verify_compute.c: the results come out of a replay here, into an outlet that compares them with those that were published. */
#include "engine/pipeline.h"
#include "engine/take_outlet.h"
#include "engine/verify_internal.h"

#include <stdlib.h>
#include <string.h>

static void judge(verifying *v, uint32_t stream, int64_t offset, const published_result *computed,
                  const published_result *first) {
    const published_part part = published_compare(first, computed);
    v->report->computed++;
    if (part == PUBLISHED_EQUAL) {
        v->report->equal++;
        return;
    }
    ride_verify_finding finding = {.kind = RIDE_VERIFY_DIFFERS,
                                   .topic = v->streams[stream].topic,
                                   .partition = v->streams[stream].partition,
                                   .offset = offset,
                                   .result_partition = first->partition,
                                   .result_offset = first->offset};
    const char *theirs = published_header(first->headers, first->headers_bytes, "model_hash"),
               *ours = published_header(computed->headers, computed->headers_bytes, "model_hash");
    if ((theirs == NULL) != (ours == NULL) || (ours != NULL && strcmp(theirs, ours) != 0)) {
        finding.kind = RIDE_VERIFY_OTHER_MODEL;
        verify_diff_texts(&finding.diff, "header model_hash", theirs, ours);
    } else verify_diff(v, part, first, computed, &finding.diff);
    verify_found(v, &finding);
}

static void not_there(verifying *v, uint32_t stream, int64_t offset) {
    const ride_verify_stream *s = &v->streams[stream];
    if (offset >= s->owed_end) {
        v->report->on_the_way++;
        return;
    }
    if (offset < v->aged_end[stream]) {
        v->report->aged_out++;
        return;
    }
    v->report->computed++;
    ride_verify_finding finding = {.kind = RIDE_VERIFY_MISSING,
                                   .topic = s->topic,
                                   .partition = s->partition,
                                   .offset = offset,
                                   .result_partition = -1};
    verify_found(v, &finding);
}

static ride_status take(void *context, const ride_result *result, ride_error *err) {
    verifying *v = context;
    log_place place;
    published_result computed = {.key = result->key,
                                 .key_bytes = result->key_bytes,
                                 .value = result->value,
                                 .value_bytes = result->value_bytes,
                                 .headers = v->headers},
                     first;
    if (!log_place_of(result->headers, result->headers_count, &place) ||
        !published_headers(result->headers, result->headers_count, v->headers, PUBLISHED_HEADERS_BYTES,
                           &computed.headers_bytes))
        return ride_fail(err, RIDE_E_INTERNAL, "a result does not say of which message it is");
    const uint32_t stream = published_stream(v->results, place.topic, place.topic_bytes, place.partition);
    if (stream == UINT32_MAX || place.offset >= published_end(v->results, stream)) return RIDE_OK; /* came later */
    const ride_status st = published_take(v->results, stream, place.offset, &first, err);
    if (st != RIDE_OK && st != RIDE_PENDING) return st;
    if (place.offset < v->streams[stream].exact_from) v->report->unjudged++;
    else if (st == RIDE_PENDING) not_there(v, stream, place.offset);
    else judge(v, stream, place.offset, &computed, &first);
    return RIDE_OK;
}

static void on_replay_stream(void *context, const ride_replay_stream *told) {
    verifying *v = context;
    const uint32_t i = published_stream(v->results, told->topic, (uint32_t)strlen(told->topic), told->partition);
    if (i == UINT32_MAX) return;
    v->judged[i] = true;
    v->streams[i].log_begin = told->log_begin;
    v->streams[i].exact_from = told->exact_from;
}

static void on_row(void *context, struct pipeline *p, uint32_t row, const char *topic, int32_t partition,
                   int64_t offset) {
    verifying *v = context;
    (void)row;
    (void)topic;
    (void)partition;
    (void)offset;
    if (v->names == NULL) v->names_count = outputs_record_names(p, &v->names);
}

static void on_progress(void *context, uint64_t events, double done) {
    verify_progress(context, "events computed", events, done);
}

/* What is left in the topic and was not computed. */
static void look_at_rest(verifying *v) {
    for (uint32_t i = 0; i < v->streams_count; i++) {
        const ride_verify_stream *s = &v->streams[i];
        for (int64_t offset = s->first; published_unseen(v->results, i, &offset) == RIDE_OK; offset++) {
            if (!v->judged[i] || offset < s->log_begin) {
                v->report->unjudged++;
                continue;
            }
            ride_verify_finding finding = {.kind = RIDE_VERIFY_INVENTED,
                                           .topic = s->topic,
                                           .partition = s->partition,
                                           .offset = offset,
                                           .result_partition = -1};
            verify_found(v, &finding);
        }
    }
}

ride_status verify_compute(verifying *v, ride_diagnostics *findings, ride_error *err) {
    static ride_run_summary summary; /* large, and one verification at a time */
    ride_service_options o = v->o->service;
    v->replay = (ride_replay){.context = v, .stream = on_replay_stream, .row = on_row, .progress = on_progress};
    take_outlet_options outlet = {.name = "verify", .take = take, .context = v};
    o.outlet_open = take_outlet_open;
    o.outlet_context = &outlet;
    memset(o.targets, 0, sizeof o.targets);
    o.targets[RIDE_TARGET_DECISIONS] = true;
    o.replay = true;
    o.replay_of = &v->replay;
    ride_status st = ride_service_run(&o, &summary, findings, err);
    ride_run_summary_free(&summary);
    v->report->events = v->replay.events;
    v->report->requests = v->replay.requests;
    v->report->changed = v->replay.changed;
    if (st == RIDE_OK) look_at_rest(v);
    return st;
}
