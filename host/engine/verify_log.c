/* engine/verify_log.c: see verify_log.h. In this order, so that what goes on meanwhile is never taken for a fault: the journal's end, what is committed,
 * the results that are there, and then the computation; what is newer than the first of these is not judged. */
#include "engine/verify_log.h"

#include "base/clock.h"
#include "engine/verify_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROGRESS_EVERY = 65536, SEEN_MAX = 1 << 24 };

/* ---- findings ---- */

void verify_found(verifying *v, ride_verify_finding *finding) {
    v->report->found[finding->kind]++;
    if (v->o->tell != NULL) v->o->tell(v->o->context, finding);
}

void verify_progress(const verifying *v, const char *what, uint64_t n, double done) {
    if (v->o->progress != NULL) v->o->progress(v->o->context, what, n, done);
}

void verify_diff_texts(record_diff *diff, const char *field, const char *a, const char *b) {
    snprintf(diff->field, sizeof diff->field, "%s", field);
    snprintf(diff->a, sizeof diff->a, "%s", a != NULL ? a : "nothing");
    snprintf(diff->b, sizeof diff->b, "%s", b != NULL ? b : "nothing");
}

void verify_diff(const verifying *v, published_part part, const published_result *a, const published_result *b,
                 record_diff *diff) {
    const ride_format format = v->o->service.targets_format != 0 ? v->o->service.targets_format : RIDE_FORMAT_NDJSON;
    if (part == PUBLISHED_VALUE)
        record_diff_find(format, v->names, v->names_count, a->value, a->value_bytes, b->value, b->value_bytes, diff);
    else if (part == PUBLISHED_HEADERS) published_headers_diff(a, b, diff);
    else verify_diff_texts(diff, "key of the message", "not shown", "not shown");
}

/* ---- before: the journal's streams, what is committed, the results ---- */

static ride_status journal_open(verifying *v, ride_journal **out, ride_error *err) {
    return ride_journal_open(v->o->service.journal_path, v->spec_hash, false, true, out, err);
}

static ride_status look_at_journal(verifying *v, ride_error *err) {
    ride_journal *journal = NULL;
    RIDE_TRY(journal_open(v, &journal, err));
    const uint32_t count = ride_journal_streams(journal);
    v->streams = calloc(count + 1, sizeof *v->streams);
    v->judged = calloc(count + 1, sizeof *v->judged);
    v->aged_end = calloc(count + 1, sizeof *v->aged_end);
    v->report->streams = v->streams;
    v->report->streams_count = v->streams_count = count;
    v->report->runs = ride_journal_runs(journal);
    ride_status st = v->streams != NULL && v->judged != NULL && v->aged_end != NULL
                         ? published_open(journal, &v->results, err)
                         : ride_fail(err, RIDE_E_MEMORY, "no memory for %u streams", count);
    for (uint32_t i = 0; i < count && st == RIDE_OK; i++) {
        const ride_journal_stream *told = ride_journal_stream_at(journal, i);
        ride_verify_stream *stream = &v->streams[i];
        *stream = (ride_verify_stream){.partition = told->partition,
                                       .first = told->offset_first,
                                       .end = told->is_log && told->has_runs ? told->offset_end : told->offset_first,
                                       .log_begin = -1};
        snprintf(stream->topic, sizeof stream->topic, "%s", told->topic);
        v->aged_end[i] = INT64_MIN;
    }
    ride_journal_close(journal);
    return st;
}

static ride_status on_input_stream(void *context, const ride_stream_info *info, ride_error *err) {
    verifying *v = context;
    (void)err;
    const uint32_t number = published_stream(v->results, info->topic, (uint32_t)strlen(info->topic), info->partition);
    if (number == UINT32_MAX) return RIDE_OK;
    v->streams[number].log_begin = info->log_begin;
    v->streams[number].has_committed = info->committed >= 0;
    v->streams[number].owed_end = info->committed;
    return RIDE_OK;
}

static ride_status look_at_inputs(verifying *v, ride_error *err) {
    const ride_service_options *o = &v->o->service;
    for (uint32_t i = 0; i < o->feeds_count; i++) {
        const log_reader reader = {.open = o->feeds[i].open,
                                   .open_context = o->feeds[i].context,
                                   .waker = o->waker,
                                   .stop = o->run.stop,
                                   .context = v,
                                   .stream = on_input_stream};
        RIDE_TRY(log_read(&reader, err));
    }
    for (uint32_t i = 0; i < v->streams_count; i++) {
        const ride_verify_stream *s = &v->streams[i];
        if (s->end == s->first || s->log_begin >= 0) continue;
        ride_fail(err, RIDE_E_CONFIG, "the arrival journal has messages of %.100s/%d, which is no input", s->topic,
                  (int)s->partition);
        ride_error_where(err, "%s", o->journal_path);
        ride_error_advice(err, "is it this one's journal? were partitions taken away?");
        return RIDE_E_CONFIG;
    }
    return RIDE_OK;
}

static ride_status on_result_stream(void *context, const ride_stream_info *info, ride_error *err) {
    verifying *v = context;
    bool *cut = realloc(v->cut, (info->stream + 1) * sizeof *cut);
    if (cut == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the partitions of the results");
    v->cut = cut;
    cut[info->stream] = info->log_begin > 0;
    v->report->is_cut = v->report->is_cut || info->log_begin > 0;
    v->results_partitions = info->stream + 1;
    return RIDE_OK;
}

/* The first message of each stream that a partition without its begin still has a result of. */
static void note_first(verifying *v, uint32_t partition, uint32_t stream, int64_t offset) {
    const uint64_t room = (uint64_t)v->results_partitions * v->streams_count;
    if (v->seen_first == NULL && !v->seen_overflow) {
        if (room <= SEEN_MAX) v->seen_first = malloc(room * sizeof *v->seen_first);
        v->seen_overflow = v->seen_first == NULL; /* then all of it may have aged out */
        for (uint64_t i = 0; i < room && v->seen_first != NULL; i++) v->seen_first[i] = INT64_MAX;
    }
    if (v->seen_first == NULL) return;
    int64_t *first = &v->seen_first[(uint64_t)partition * v->streams_count + stream];
    if (offset < *first) *first = offset;
}

static ride_status on_result(void *context, const ride_stream_info *info, const ride_message *message,
                             const ride_header *headers, uint32_t headers_count, ride_error *err) {
    verifying *v = context;
    published_added what;
    published_result first;
    log_place place = {0};
    char topic[RIDE_TOPIC_BYTES];
    RIDE_TRY(published_add(v->results, message, info->partition, headers, headers_count, &what, &place, &first, err));
    if (++v->report->results % PROGRESS_EVERY == 0) verify_progress(v, "results read", v->report->results, -1);
    v->report->copies += what == PUBLISHED_COPY || what == PUBLISHED_OTHER;
    v->report->later += what == PUBLISHED_LATER;
    if (what == PUBLISHED_FIRST && v->cut[info->stream])
        note_first(v, info->stream, published_stream(v->results, place.topic, place.topic_bytes, place.partition),
                   place.offset);
    if (what == PUBLISHED_FIRST || what == PUBLISHED_COPY || what == PUBLISHED_LATER) return RIDE_OK;
    snprintf(topic, sizeof topic, "%.*s", (int)place.topic_bytes, place.topic != NULL ? place.topic : "");
    ride_verify_finding finding = {.kind = what == PUBLISHED_OTHER ? RIDE_VERIFY_COPY_DIFFERS : RIDE_VERIFY_INVENTED,
                                   .topic = what != PUBLISHED_ANONYMOUS ? topic : NULL,
                                   .partition = place.partition,
                                   .offset = place.offset,
                                   .result_partition = info->partition,
                                   .result_offset = message->offset};
    if (what == PUBLISHED_OTHER) {
        uint32_t bytes = 0;
        published_headers(headers, headers_count, v->headers, PUBLISHED_HEADERS_BYTES, &bytes);
        const published_result copy = {.key = message->key,
                                       .key_bytes = message->key_bytes,
                                       .value = message->value,
                                       .value_bytes = message->value != NULL ? message->value_bytes : 0,
                                       .headers = v->headers,
                                       .headers_bytes = bytes};
        verify_diff(v, published_compare(&copy, &first), &copy, &first, &finding.diff);
    }
    verify_found(v, &finding);
    return RIDE_OK;
}

static ride_status look_at_results(verifying *v, ride_error *err) {
    const log_reader reader = {.open = v->o->results_open,
                               .open_context = v->o->results_context,
                               .waker = v->o->service.waker,
                               .stop = v->o->service.run.stop,
                               .context = v,
                               .stream = on_result_stream,
                               .message = on_result};
    RIDE_TRY(log_read(&reader, err));
    v->report->bytes = published_bytes(v->results);
    for (uint32_t i = 0; i < v->streams_count; i++) {
        if (!v->streams[i].has_committed) v->streams[i].owed_end = published_last(v->results, i);
        for (uint32_t p = 0; p < v->results_partitions; p++) {
            if (!v->cut[p]) continue;
            const int64_t first = v->seen_first != NULL ? v->seen_first[(uint64_t)p * v->streams_count + i] : INT64_MAX;
            if (first > v->aged_end[i]) v->aged_end[i] = first;
        }
    }
    return RIDE_OK;
}

/* Results of messages behind the journal's end: it has gone on since, or they are invented. */
static ride_status look_at_later(verifying *v, ride_error *err) {
    ride_journal *journal = NULL;
    if (v->report->later == 0) return RIDE_OK;
    RIDE_TRY(journal_open(v, &journal, err));
    for (uint32_t i = 0; i < v->streams_count; i++) {
        const int64_t latest = published_latest(v->results, i);
        if (latest < ride_journal_stream_at(journal, i)->offset_end) continue;
        ride_verify_finding finding = {.kind = RIDE_VERIFY_INVENTED,
                                       .topic = v->streams[i].topic,
                                       .partition = v->streams[i].partition,
                                       .offset = latest,
                                       .result_partition = -1};
        verify_found(v, &finding);
    }
    ride_journal_close(journal);
    return RIDE_OK;
}

ride_status ride_verify_log(const ride_verify_options *options, ride_verify_report *report, ride_diagnostics *findings,
                            ride_error *err) {
    const uint64_t began_ns = ride_clock_now_ns(ride_clock_real());
    verifying v = {.o = options, .report = report};
    ride_spec *spec = NULL;
    memset(report, 0, sizeof *report);
    RIDE_TRY(ride_spec_load(options->service.run.spec_path, &spec, findings));
    memcpy(v.spec_hash, spec->hash, sizeof v.spec_hash);
    ride_spec_destroy(spec);
    v.headers = malloc(PUBLISHED_HEADERS_BYTES);
    ride_status st =
        v.headers != NULL ? look_at_journal(&v, err) : ride_fail(err, RIDE_E_MEMORY, "no memory for a verification");
    if (st == RIDE_OK) st = look_at_inputs(&v, err);
    if (st == RIDE_OK) st = look_at_results(&v, err);
    if (st == RIDE_OK) st = look_at_later(&v, err);
    if (st == RIDE_OK) st = verify_compute(&v, findings, err);
    published_close(v.results);
    free(v.judged);
    free(v.aged_end);
    free(v.cut);
    free(v.seen_first);
    free(v.names);
    free(v.headers);
    report->seconds = (double)(ride_clock_now_ns(ride_clock_real()) - began_ns) / 1e9;
    return st;
}

void ride_verify_report_free(ride_verify_report *report) {
    free(report->streams);
    report->streams = NULL;
    report->streams_count = 0;
}

bool ride_verify_is_clean(const ride_verify_report *report) {
    for (int kind = 0; kind < RIDE_VERIFY_KINDS; kind++)
        if (report->found[kind] > 0) return false;
    return report->changed == 0;
}
