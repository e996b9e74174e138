/* engine/service_window.c: results on their way, batch by batch. A batch is done when everything it sent is acknowledged and all
 * before it are done; then, and only then, the places it read to are stored. This is the one place that stores. */
#include "engine/service_pipe.h"

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
    RIDE_ASSERT(ticket >= atomic_load(&s->window_first) && ticket < atomic_load(&s->window_next) &&
                slot->outstanding > 0);
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

void window_store(service *s) {
    const uint64_t first = atomic_load(&s->window_first);
    uint64_t at = atomic_load_explicit(&s->window_stored, memory_order_relaxed);
    for (; at < first; at++) store(s, slot_of(s, at));
    atomic_store(&s->window_stored, at);
}

ride_status window_advance(service *s, ride_error *err) {
    if (s->outlet != NULL) RIDE_TRY(s->outlet->ops->poll(s->outlet, err));
    if (s->delivery_failed != RIDE_OK) return ride_fail(err, s->delivery_failed, "%s", s->delivery_why);
    const uint64_t before = s->window_first, next = s->window_next;
    uint64_t rows = 0, first = before;
    for (; first < next; first++) {
        window_slot *slot = slot_of(s, first);
        if (!slot->is_closed || slot->outstanding > 0) break;
        phase_set(s, PHASE_DELIVERED);
        const uint64_t now_ns = service_now();
        ride_metric_observe_n(s->m.stages[STAGE_DELIVER], now_ns - slot->sent_ns, slot->rows);
        ride_metric_observe_n(s->m.delivery, now_ns - slot->polled_ns, slot->rows);
        atomic_store(&s->window_first, first + 1);
    }
    for (uint64_t i = first; i < next; i++) rows += slot_of(s, i)->rows;
    ride_metric_set(s->m.window_rows, (double)rows);
    if (s->pipe == NULL) window_store(s);
    else if (first != before) pipe_tell(s->pipe);
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
              (unsigned long long)results, (unsigned long long)batches,
              (double)atomic_load(&s->drain_timeout_ns) / 1e9);
    if (first != NULL) {
        const service_stream *stream = &s->streams[first->progress[0].stream];
        ride_error_where(err, "%s/%d before offset %lld", stream->topic, (int)stream->partition,
                         (long long)first->progress[0].next);
    }
    ride_error_advice(err, "their events will be worked again at the next start");
    return RIDE_PENDING;
}

ride_status window_begin(service *s, const service_batch *b, ride_error *err) {
    while (s->window_next - s->window_stored == WINDOW_SLOTS) {
        RIDE_TRY(window_advance(s, err));
        if (s->window_next - s->window_stored < WINDOW_SLOTS) break;
        if (service_drain_left_ns(s) == 0) return window_pending(s, err);
        service_beat(s);
        ride_waker_wait(s->outlet_waker, FULL_WAIT_NS);
    }
    window_slot *slot = slot_of(s, s->window_next);
    slot->outstanding = 0;
    slot->is_closed = false;
    slot->rows = 0;
    slot->progress_count = 0;
    slot->polled_ns = b->first_ns;
    atomic_fetch_add(&s->window_next, 1);
    return RIDE_OK;
}

void window_end(service *s, const service_batch *b, uint32_t rows_count) {
    window_slot *slot = slot_of(s, s->window_next - 1);
    for (uint32_t r = 0; r < b->runs_count; r++) {
        uint32_t stream = b->run_streams[r], i = 0;
        while (i < slot->progress_count && slot->progress[i].stream != stream) i++;
        if (i == slot->progress_count) slot->progress_count++;
        slot->progress[i].stream = stream;
        slot->progress[i].next = b->runs[r].offset_last + 1;
    }
    for (uint32_t row = 0; row < rows_count; row++)
        if (b->rows[row].polled_ns != 0 && b->rows[row].polled_ns < slot->polled_ns)
            slot->polled_ns = b->rows[row].polled_ns;
    slot->rows = rows_count;
    slot->sent_ns = b->is_answered ? service_now() : b->end_ns; /* one stage begins where the other ends */
    slot->is_closed = true;
}

ride_status window_send(service *s, const ride_result *given, ride_error *err) {
    ride_result result = *given;
    result.ticket = s->window_next - 1;
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
        ride_waker_wait(s->outlet_waker, FULL_WAIT_NS);
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
