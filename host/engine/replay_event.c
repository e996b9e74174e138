/* engine/replay_event.c: see replay_event.h. */
#include "engine/replay_event.h"

#include "base/clock.h"
#include "engine/pipeline.h"
#include "engine/published.h"
#include "engine/take_outlet.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD_BYTES = 1 << 20, PROGRESS_EVERY = 65536 };

typedef struct replaying {
    const ride_replay_options *o;
    ride_replay_answer *answer;
    uint8_t spec_hash[32];
    uint64_t results_read;
    int64_t log_begin; /* of the message's stream; -1: there is no such stream */
    char headers[PUBLISHED_HEADERS_BYTES];
    ride_replay replay;
    char *names; /* of the record's columns */
    uint32_t names_count;
    ride_status failed;
} replaying;

static bool place_is(const ride_replay_place *place, const log_place *other) {
    return place->partition == other->partition && place->offset == other->offset &&
           strlen(place->topic) == other->topic_bytes && memcmp(place->topic, other->topic, other->topic_bytes) == 0;
}

/* ---- what is published of it ---- */

static char *copy_of(const void *from, uint32_t bytes) {
    char *to = malloc((size_t)bytes + 1);
    if (to == NULL) return NULL;
    if (bytes > 0) memcpy(to, from, bytes);
    to[bytes] = '\0';
    return to;
}

static published_result as_published(const ride_replay_result *r) {
    return (published_result){.partition = r->partition,
                              .offset = r->offset,
                              .key = r->key,
                              .key_bytes = r->key_bytes,
                              .value = r->value,
                              .value_bytes = r->value_bytes,
                              .headers = r->headers,
                              .headers_bytes = r->headers_bytes};
}

static ride_status keep(replaying *r, const log_place *of, const published_result *result, int64_t arrival_us,
                        ride_error *err) {
    ride_replay_answer *a = r->answer;
    for (uint32_t i = 0; i < a->results_count; i++) {
        ride_replay_result *known = &a->results[i];
        if (!place_is(&known->of, of)) continue;
        const published_result first = as_published(known);
        known->copies++;
        known->copies_differing += published_compare(&first, result) != PUBLISHED_EQUAL;
        return RIDE_OK;
    }
    a->more_places = a->more_places || a->results_count == RIDE_REPLAY_PLACES_MAX;
    if (a->results_count == RIDE_REPLAY_PLACES_MAX || of->topic_bytes >= RIDE_TOPIC_BYTES) return RIDE_OK;
    ride_replay_result *kept = &a->results[a->results_count++];
    *kept = (ride_replay_result){.of = {.partition = of->partition, .offset = of->offset},
                                 .arrival_us = arrival_us,
                                 .partition = result->partition,
                                 .offset = result->offset,
                                 .copies = 1,
                                 .value_bytes = result->value_bytes,
                                 .key_bytes = result->key != NULL ? result->key_bytes : 0,
                                 .headers_bytes = result->headers_bytes,
                                 .value = copy_of(result->value, result->value_bytes),
                                 .headers = copy_of(result->headers, result->headers_bytes),
                                 .key = result->key != NULL ? copy_of(result->key, result->key_bytes) : NULL};
    memcpy(kept->of.topic, of->topic, of->topic_bytes);
    if (kept->value == NULL || kept->headers == NULL || (result->key != NULL && kept->key == NULL))
        return ride_fail(err, RIDE_E_MEMORY, "no memory for a result");
    return RIDE_OK;
}

static bool is_wanted(const replaying *r, const ride_header *headers, uint32_t headers_count, const log_place *place) {
    if (r->o->at != NULL) return place_is(r->o->at, place);
    const ride_header *id = log_header(headers, headers_count, "event_id");
    return id != NULL && id->value_bytes == strlen(r->o->event_id) &&
           memcmp(id->value, r->o->event_id, id->value_bytes) == 0;
}

static ride_status on_result(void *context, const ride_stream_info *info, const ride_message *message,
                             const ride_header *headers, uint32_t headers_count, ride_error *err) {
    replaying *r = context;
    log_place place;
    if (++r->results_read % PROGRESS_EVERY == 0 && r->o->progress != NULL)
        r->o->progress(r->o->context, "results read", r->results_read, -1);
    if (!log_place_of(headers, headers_count, &place) || !is_wanted(r, headers, headers_count, &place)) return RIDE_OK;
    published_result result = {.partition = info->partition,
                               .offset = message->offset,
                               .key = message->key,
                               .key_bytes = message->key_bytes,
                               .value = message->value,
                               .value_bytes = message->value != NULL ? message->value_bytes : 0,
                               .headers = r->headers};
    if (!published_headers(headers, headers_count, r->headers, sizeof r->headers, &result.headers_bytes))
        return RIDE_OK;
    return keep(r, &place, &result, message->arrival_us, err);
}

static int by_arrival(const void *a, const void *b) {
    const ride_replay_result *x = a, *y = b;
    return x->arrival_us < y->arrival_us ? -1 : x->arrival_us > y->arrival_us;
}

static ride_status look_at_results(replaying *r, ride_error *err) {
    ride_replay_answer *a = r->answer;
    const log_reader reader = {.open = r->o->results_open,
                               .open_context = r->o->results_context,
                               .waker = r->o->service.waker,
                               .stop = r->o->service.run.stop,
                               .context = r,
                               .message = on_result};
    if (r->o->results_open != NULL) RIDE_TRY(log_read(&reader, err));
    qsort(a->results, a->results_count, sizeof a->results[0], by_arrival);
    if (r->o->at != NULL) a->place = *r->o->at;
    else if (a->results_count > 0) a->place = a->results[0].of;
    else {
        ride_fail(err, RIDE_E_NO_INPUT, "no result has the event id `%.100s` (%" PRIu64 " were looked at)",
                  r->o->event_id, r->results_read);
        ride_error_advice(err, "rejected ones have none: --at TOPIC/PARTITION/OFFSET");
        return RIDE_E_NO_INPUT;
    }
    return RIDE_OK;
}

/* ---- the log and the journal ---- */

static ride_status on_input_stream(void *context, const ride_stream_info *info, ride_error *err) {
    replaying *r = context;
    (void)err;
    if (info->partition == r->answer->place.partition && strcmp(info->topic, r->answer->place.topic) == 0)
        r->log_begin = info->log_begin;
    return RIDE_OK;
}

static ride_status look_at_inputs(replaying *r, ride_error *err) {
    const ride_service_options *o = &r->o->service;
    const ride_replay_place *place = &r->answer->place;
    for (uint32_t i = 0; i < o->feeds_count; i++) {
        const log_reader reader = {.open = o->feeds[i].open,
                                   .open_context = o->feeds[i].context,
                                   .waker = o->waker,
                                   .stop = o->run.stop,
                                   .context = r,
                                   .stream = on_input_stream};
        RIDE_TRY(log_read(&reader, err));
    }
    if (r->log_begin < 0)
        return ride_fail(err, RIDE_E_NO_INPUT, "%.100s/%d is no partition of an input", place->topic,
                         (int)place->partition);
    if (r->log_begin <= place->offset) return RIDE_OK;
    ride_fail(err, RIDE_E_DATA, "the log no longer has %.100s/%d/%" PRId64 ": it begins at %" PRId64, place->topic,
              (int)place->partition, place->offset, r->log_begin);
    ride_error_advice(err, "the topic's retention decides how far back one can go");
    return RIDE_E_DATA;
}

static ride_status look_at_journal(replaying *r, ride_error *err) {
    const ride_replay_place *place = &r->answer->place;
    ride_journal *journal = NULL;
    ride_journal_run run;
    RIDE_TRY(ride_journal_open(r->o->service.journal_path, r->spec_hash, false, true, &journal, err));
    ride_status st = RIDE_OK;
    bool met = false;
    for (uint64_t at = 0; !met && (st = ride_journal_read(journal, &at, &run, err)) == RIDE_OK;) {
        const ride_journal_stream *stream = ride_journal_stream_at(journal, run.stream);
        met = stream->partition == place->partition && strcmp(stream->topic, place->topic) == 0 &&
              place->offset >= run.offset_first && place->offset <= run.offset_last;
    }
    if (st == RIDE_END) {
        st = ride_fail(err, RIDE_E_NO_INPUT, "the arrival journal has not met %.100s/%d/%" PRId64, place->topic,
                       (int)place->partition, place->offset);
        ride_error_where(err, "%s", ride_journal_path(journal));
        ride_error_advice(err, "is it the journal of the run that decided?");
    }
    ride_journal_close(journal);
    return st;
}

/* ---- the computation ---- */

static void on_stream(void *context, const ride_replay_stream *told) {
    replaying *r = context;
    ride_replay_answer *a = r->answer;
    if (told->partition != a->place.partition || strcmp(told->topic, a->place.topic) != 0) return;
    a->log_begin = told->log_begin;
    a->exact_from = told->exact_from;
    a->is_exact = a->place.offset >= told->exact_from;
}

static ride_status encode(replaying *r, pipeline *p, uint32_t row) {
    ride_encoder_set sets[RIDE_ENCODER_SETS_MAX];
    ride_error err;
    ride_encoder *encoder = NULL;
    size_t bytes = 0;
    ride_replay_answer *a = r->answer;
    outputs_sets(p, sets);
    RIDE_TRY(outputs_whole_encoder(p, &encoder, &a->fields_count, &a->sensitive, &err));
    free(a->record);
    a->record = malloc(RECORD_BYTES + 1);
    ride_status st =
        a->record != NULL ? ride_encoder_row(encoder, sets, row, a->record, RECORD_BYTES, &bytes) : RIDE_E_MEMORY;
    if (a->record != NULL) a->record[st == RIDE_OK ? bytes : 0] = '\0';
    ride_encoder_close(encoder);
    return st;
}

static void on_row(void *context, struct pipeline *p, uint32_t row, const char *topic, int32_t partition,
                   int64_t offset) {
    replaying *r = context;
    const log_place place = {topic, (uint32_t)strlen(topic), partition, offset};
    if (!place_is(&r->answer->place, &place) || r->answer->record != NULL) return;
    r->failed = encode(r, p, row);
    r->names_count = outputs_record_names(p, &r->names);
}

static void on_progress(void *context, uint64_t events, double done) {
    const replaying *r = context;
    if (r->o->progress != NULL) r->o->progress(r->o->context, "events read", events, done);
}

static void compare(replaying *r, const published_result *computed) {
    ride_replay_answer *a = r->answer;
    const ride_format format = r->o->service.targets_format != 0 ? r->o->service.targets_format : RIDE_FORMAT_NDJSON;
    if (a->results_count == 0) return;
    const published_result first = as_published(&a->results[0]);
    const published_part part = published_compare(&first, computed);
    a->is_equal = part == PUBLISHED_EQUAL;
    if (part == PUBLISHED_VALUE)
        record_diff_find(format, r->names, r->names_count, first.value, first.value_bytes, computed->value,
                         computed->value_bytes, &a->diff);
    else if (part == PUBLISHED_HEADERS) published_headers_diff(&first, computed, &a->diff);
    else if (part == PUBLISHED_KEY) snprintf(a->diff.field, sizeof a->diff.field, "key of the message");
}

static ride_status take(void *context, const ride_result *result, ride_error *err) {
    replaying *r = context;
    log_place place;
    (void)err;
    if (!log_place_of(result->headers, result->headers_count, &place) || !place_is(&r->answer->place, &place))
        return RIDE_OK;
    if (result->target == RIDE_TARGET_REJECTS) {
        const ride_header *reason = log_header(result->headers, result->headers_count, "reason");
        if (reason != NULL)
            snprintf(r->answer->reason, sizeof r->answer->reason, "%.*s", (int)reason->value_bytes,
                     (const char *)reason->value);
        return RIDE_OK;
    }
    published_result computed = {.key = result->key,
                                 .key_bytes = result->key_bytes,
                                 .value = result->value,
                                 .value_bytes = result->value_bytes,
                                 .headers = r->headers};
    if (published_headers(result->headers, result->headers_count, r->headers, sizeof r->headers,
                          &computed.headers_bytes))
        compare(r, &computed);
    return RIDE_OK;
}

static ride_status compute(replaying *r, ride_diagnostics *findings, ride_error *err) {
    static ride_run_summary summary; /* large, and one replay at a time */
    ride_replay_answer *a = r->answer;
    ride_service_options o = r->o->service;
    r->replay = (ride_replay){.topic = a->place.topic,
                              .partition = a->place.partition,
                              .offset = a->place.offset,
                              .context = r,
                              .stream = on_stream,
                              .row = on_row,
                              .progress = on_progress};
    take_outlet_options outlet = {.name = "replay", .take = take, .context = r};
    o.outlet_open = take_outlet_open;
    o.outlet_context = &outlet;
    memset(o.targets, 0, sizeof o.targets);
    o.targets[RIDE_TARGET_DECISIONS] = o.targets[RIDE_TARGET_REJECTS] = true;
    o.replay = true;
    o.replay_of = &r->replay;
    ride_status st = ride_service_run(&o, &summary, findings, err);
    memcpy(a->spec_hash, summary.spec_hash, sizeof a->spec_hash);
    memcpy(a->model_hash, summary.model_hash, sizeof a->model_hash);
    a->has_model = summary.has_model;
    a->events = r->replay.events;
    a->requests = r->replay.requests;
    a->changed = r->replay.changed;
    ride_run_summary_free(&summary);
    if (st == RIDE_OK && r->failed != RIDE_OK) return ride_fail(err, r->failed, "the decision record cannot be made");
    return st;
}

ride_status ride_replay_event(const ride_replay_options *options, ride_replay_answer *answer,
                              ride_diagnostics *findings, ride_error *err) {
    const uint64_t began_ns = ride_clock_now_ns(ride_clock_real());
    ride_spec *spec = NULL;
    memset(answer, 0, sizeof *answer);
    replaying *r = calloc(1, sizeof *r);
    if (r == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a replay");
    *r = (replaying){.o = options, .answer = answer, .log_begin = -1};
    ride_status st = ride_spec_load(options->service.run.spec_path, &spec, findings);
    if (st == RIDE_OK) memcpy(r->spec_hash, spec->hash, sizeof r->spec_hash);
    ride_spec_destroy(spec);
    if (st == RIDE_OK) st = look_at_results(r, err);
    if (st == RIDE_OK) st = look_at_inputs(r, err);
    if (st == RIDE_OK) st = look_at_journal(r, err);
    if (st == RIDE_OK) st = compute(r, findings, err);
    free(r->names);
    free(r);
    answer->seconds = (double)(ride_clock_now_ns(ride_clock_real()) - began_ns) / 1e9;
    return st;
}

void ride_replay_answer_free(ride_replay_answer *a) {
    for (uint32_t i = 0; i < a->results_count; i++) {
        free(a->results[i].value);
        free(a->results[i].key);
        free(a->results[i].headers);
    }
    free(a->record);
    free(a->sensitive);
    memset(a, 0, sizeof *a);
}
