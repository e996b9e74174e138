/* engine/service_window.c: results on their way, batch by batch. A batch is done when everything it sent is acknowledged and all
 * before it are done; then, and only then, the places it read to are stored. This is the one place that stores. */
#include "engine/service_internal.h"

#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FULL_WAIT_NS = 10 * 1000000 };

static window_slot *slot_of(service *s, uint64_t number) { return &s->window[number % WINDOW_SLOTS]; }

ride_status window_open(service *s, ride_error *err) {
    s->window = calloc(WINDOW_SLOTS, sizeof *s->window);
    if (s->window == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for results on their way");
    ride_metric_set(s->m.window_rows_max, (double)WINDOW_SLOTS * s->p.options->batch_rows_max);
    return RIDE_OK;
}

void window_close(service *s) { free(s->window); }

void window_delivered(void *context, uint64_t ticket, ride_status status, const char *why) {
    service *s = context;
    window_slot *slot = slot_of(s, ticket);
    RIDE_ASSERT(ticket >= s->window_first && ticket < s->window_next && slot->outstanding > 0);
    slot->outstanding--;
    if (status == RIDE_OK || s->delivery_failed != RIDE_OK) return;
    s->delivery_failed = status; /* nothing behind it may be stored */
    snprintf(s->delivery_why, sizeof s->delivery_why, "a result cannot be delivered: %s", why);
}

static void store(service *s, const window_slot *slot) {
    for (uint32_t i = 0; i < slot->progress_count; i++) {
        const service_stream *stream = &s->streams[slot->progress[i].stream];
        ride_feed *feed = s->feeds[stream->feed];
        if (stream->used && stream->is_log && feed->ops->store != NULL)
            feed->ops->store(feed, slot->progress[i].stream, slot->progress[i].next);
    }
}

ride_status window_advance(service *s, ride_error *err) {
    if (s->outlet != NULL) RIDE_TRY(s->outlet->ops->poll(s->outlet, err));
    if (s->delivery_failed != RIDE_OK) return ride_fail(err, s->delivery_failed, "%s", s->delivery_why);
    uint64_t rows = 0;
    for (; s->window_first < s->window_next; s->window_first++) {
        window_slot *slot = slot_of(s, s->window_first);
        if (!slot->is_closed || slot->outstanding > 0) break;
        phase_set(s, PHASE_DELIVERED);
        const uint64_t now_ns = service_now();
        ride_metric_observe_n(s->m.stages[STAGE_DELIVER], now_ns - slot->sent_ns, slot->rows);
        ride_metric_observe_n(s->m.delivery, now_ns - slot->polled_ns, slot->rows);
        store(s, slot);
    }
    for (uint64_t i = s->window_first; i < s->window_next; i++) rows += slot_of(s, i)->rows;
    ride_metric_set(s->m.window_rows, (double)rows);
    return RIDE_OK;
}

ride_status window_pending(const service *s, ride_error *err) {
    uint64_t results = 0, batches = s->window_next - s->window_first;
    const window_slot *first = NULL; /* that has a place */
    for (uint64_t i = s->window_first; i < s->window_next; i++) {
        const window_slot *slot = &s->window[i % WINDOW_SLOTS];
        results += slot->outstanding;
        if (first == NULL && slot->is_closed && slot->progress_count > 0) first = slot;
    }
    ride_fail(err, RIDE_PENDING, "%llu results of %llu batches were not acknowledged within %.1f s",
              (unsigned long long)results, (unsigned long long)batches, (double)s->tuning.drain_timeout_ns / 1e9);
    if (first != NULL) {
        const service_stream *stream = &s->streams[first->progress[0].stream];
        ride_error_where(err, "%s/%d before offset %lld", stream->topic, (int)stream->partition,
                         (long long)first->progress[0].next);
    }
    ride_error_advice(err, "their events will be worked again at the next start");
    return RIDE_PENDING;
}

ride_status window_begin(service *s, ride_error *err) {
    while (s->window_next - s->window_first == WINDOW_SLOTS) {
        RIDE_TRY(window_advance(s, err));
        if (s->window_next - s->window_first < WINDOW_SLOTS) break;
        if (service_drain_left_ns(s) == 0) return window_pending(s, err);
        service_beat(s);
        ride_waker_wait(s->options->waker, FULL_WAIT_NS);
    }
    window_slot *slot = slot_of(s, s->window_next++);
    slot->outstanding = 0;
    slot->is_closed = false;
    slot->rows = 0;
    slot->progress_count = 0;
    slot->polled_ns = service_now();
    return RIDE_OK;
}

void window_end(service *s) {
    window_slot *slot = slot_of(s, s->window_next - 1);
    for (uint32_t r = 0; r < s->runs_count; r++) {
        uint32_t stream = s->run_streams[r], i = 0;
        while (i < slot->progress_count && slot->progress[i].stream != stream) i++;
        if (i == slot->progress_count) slot->progress_count++;
        slot->progress[i].stream = stream;
        slot->progress[i].next = s->runs[r].offset_last + 1;
    }
    for (uint32_t row = 0; row < s->p.batch->rows_count; row++)
        if (s->rows[row].polled_ns != 0 && s->rows[row].polled_ns < slot->polled_ns)
            slot->polled_ns = s->rows[row].polled_ns;
    slot->rows = s->p.batch->rows_count;
    slot->sent_ns = service_now();
    slot->is_closed = true;
}

ride_status window_send(service *s, ride_target target, const service_row *row, const void *value, size_t bytes,
                        const ride_header *headers, uint32_t headers_count, ride_error *err) {
    const ride_result result = {.target = target,
                                .key = row->key_bytes != UINT32_MAX ? s->p.batch->arena + row->key_offset : NULL,
                                .key_bytes = row->key_bytes != UINT32_MAX ? row->key_bytes : 0,
                                .value = value,
                                .value_bytes = (uint32_t)bytes,
                                .headers = headers,
                                .headers_count = headers_count,
                                .ticket = s->window_next - 1};
    window_slot *slot = slot_of(s, result.ticket);
    slot->outstanding++; /* before: it may be told within the send */
    for (;;) {
        ride_status st = s->outlet->ops->send(s->outlet, &result, err);
        if (st == RIDE_OK) return RIDE_OK;
        if (st != RIDE_FULL || service_drain_left_ns(s) == 0) {
            slot->outstanding--;
            return st == RIDE_FULL ? window_pending(s, err) : st;
        }
        st = window_advance(s, err);
        if (st != RIDE_OK) {
            slot->outstanding--;
            return st;
        }
        service_beat(s);
        ride_waker_wait(s->options->waker, FULL_WAIT_NS);
    }
}

ride_status window_drain(service *s, uint64_t timeout_ns, ride_error *err) {
    const uint64_t began_ns = service_now();
    for (;;) {
        RIDE_TRY(window_advance(s, err));
        if (s->window_first == s->window_next) return RIDE_OK;
        const uint64_t gone_ns = service_now() - began_ns;
        if (gone_ns >= timeout_ns || service_drain_left_ns(s) == 0) return window_pending(s, err);
        const uint64_t left_ns = timeout_ns - gone_ns;
        if (s->outlet != NULL) {
            ride_status st = s->outlet->ops->flush(s->outlet, left_ns < 100000000 ? left_ns : 100000000, err);
            if (st != RIDE_OK && st != RIDE_PENDING) return st;
        }
    }
}
