/* engine/log_read.c: see log_read.h. */
#include "engine/log_read.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGES = 256, LOOK_MS = 100, NUMBER_BYTES = 24 };
#define SILENCE_NS UINT64_C(30000000000)

typedef struct reading {
    const log_reader *reader;
    ride_stream_info *infos;
    int64_t *next;
    bool *ended;
    uint32_t count;
    bool assigned;
    char why[256]; /* nothing comes */
} reading;

static ride_status on_assigned(void *context, ride_stream_info *infos, uint32_t count, ride_error *err) {
    reading *r = context;
    const uint32_t all = r->count + count;
    ride_stream_info *kept = realloc(r->infos, (all + 1) * sizeof *kept);
    if (kept != NULL) r->infos = kept;
    int64_t *next = realloc(r->next, (all + 1) * sizeof *next);
    if (next != NULL) r->next = next;
    bool *ended = realloc(r->ended, (all + 1) * sizeof *ended);
    if (ended != NULL) r->ended = ended;
    if (kept == NULL || next == NULL || ended == NULL)
        return ride_fail(err, RIDE_E_MEMORY, "no memory for %u partitions", all);
    for (uint32_t i = 0; i < count; i++) {
        infos[i].stream = r->count;
        infos[i].start = r->reader->message != NULL ? infos[i].log_begin : infos[i].log_end;
        r->infos[r->count] = infos[i];
        r->next[r->count] = infos[i].start;
        r->ended[r->count++] = false;
        if (r->reader->stream != NULL) RIDE_TRY(r->reader->stream(r->reader->context, &infos[i], err));
    }
    r->assigned = true;
    return RIDE_OK;
}

static void on_revoked(void *context, const uint32_t *streams, uint32_t count, bool lost) {
    (void)context;
    (void)streams;
    (void)count;
    (void)lost;
}

static void on_end(void *context, uint32_t stream) { ((reading *)context)->ended[stream] = true; }

static void on_health(void *context, bool ready, const char *why) {
    reading *r = context;
    snprintf(r->why, sizeof r->why, "%s", ready || why == NULL ? "" : why);
}

static bool is_whole(const reading *r) {
    if (!r->assigned) return false;
    for (uint32_t i = 0; i < r->count && r->reader->message != NULL; i++)
        if (!r->ended[i] && r->next[i] < r->infos[i].log_end) return false;
    return true;
}

static ride_status take(reading *r, ride_feed *feed, const ride_message *messages, uint32_t count, ride_error *err) {
    for (uint32_t i = 0; i < count; i++) {
        const ride_message *m = &messages[i];
        ride_header headers[LOG_HEADERS_MAX];
        r->next[m->stream] = m->offset + 1;
        if (m->offset >= r->infos[m->stream].log_end) continue;
        const uint32_t headers_count =
            feed->ops->headers != NULL ? feed->ops->headers(feed, m, headers, LOG_HEADERS_MAX) : 0;
        ride_status st = r->reader->message(r->reader->context, &r->infos[m->stream], m, headers, headers_count, err);
        if (st != RIDE_OK) return st;
    }
    return RIDE_OK;
}

static ride_status read_on(reading *r, ride_feed *feed, ride_error *err) {
    const ride_clock *clock = ride_clock_real();
    const log_reader *reader = r->reader;
    uint64_t heard_ns = ride_clock_now_ns(clock);
    ride_message messages[MESSAGES];
    while (!is_whole(r)) {
        uint32_t count = 0;
        if (reader->stop != NULL && *reader->stop) return RIDE_INTERRUPTED;
        const bool assigned = r->assigned;
        RIDE_TRY(feed->ops->poll(feed, RIDE_STREAM_ANY, messages, reader->message != NULL ? MESSAGES : 0, &count, err));
        ride_status st = take(r, feed, messages, count, err);
        feed->ops->release(feed, messages, count);
        if (st != RIDE_OK) return st == RIDE_END ? RIDE_OK : st;
        const uint64_t now_ns = ride_clock_now_ns(clock);
        if (count > 0 || r->assigned != assigned) heard_ns = now_ns;
        else if (now_ns - heard_ns > SILENCE_NS)
            return ride_fail(err, RIDE_E_UNAVAILABLE, "%s", r->why[0] != '\0' ? r->why : "the log does not answer");
        if (count == 0 && !is_whole(r)) ride_waker_wait(reader->waker, (uint64_t)LOOK_MS * 1000000);
    }
    return RIDE_OK;
}

ride_status log_read(const log_reader *reader, ride_error *err) {
    reading r = {.reader = reader};
    const ride_feed_events events = {
        .context = &r, .assigned = on_assigned, .revoked = on_revoked, .at_end = on_end, .health = on_health};
    ride_feed *feed = NULL;
    RIDE_TRY(reader->open(reader->open_context, &events, reader->waker, &feed, err));
    ride_status st = read_on(&r, feed, err);
    feed->ops->close(feed);
    free(r.infos);
    free(r.next);
    free(r.ended);
    return st;
}

const ride_header *log_header(const ride_header *headers, uint32_t headers_count, const char *name) {
    for (uint32_t i = 0; i < headers_count; i++)
        if (strcmp(headers[i].name, name) == 0) return &headers[i];
    return NULL;
}

static bool number_of(const ride_header *header, int64_t max, int64_t *out) {
    char text[NUMBER_BYTES], *end;
    if (header == NULL || header->value_bytes == 0 || header->value_bytes >= sizeof text) return false;
    memcpy(text, header->value, header->value_bytes);
    text[header->value_bytes] = '\0';
    if (text[0] < '0' || text[0] > '9') return false;
    *out = strtoll(text, &end, 10);
    return *end == '\0' && *out < max;
}

bool log_place_of(const ride_header *headers, uint32_t headers_count, log_place *out) {
    const ride_header *topic = log_header(headers, headers_count, "source_topic");
    int64_t partition = 0;
    if (topic == NULL || topic->value == NULL ||
        !number_of(log_header(headers, headers_count, "source_partition"), INT32_MAX, &partition) ||
        !number_of(log_header(headers, headers_count, "source_offset"), INT64_MAX, &out->offset))
        return false;
    out->topic = topic->value;
    out->topic_bytes = topic->value_bytes;
    out->partition = (int32_t)partition;
    return true;
}
