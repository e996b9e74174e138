/* engine/service_batch.c: the room of a batch of a service, beside the pipeline's tiles. */
#include "engine/service_internal.h"

#include <stdlib.h>

ride_status batch_open(service *s, service_batch *b, ride_error *err) {
    const uint32_t rows = ride_batch_rows_count_max(s->p.batch);
    b->rows = calloc(rows, sizeof *b->rows);
    b->held = calloc(rows + BATCH_LETTERS_MAX, sizeof *b->held);
    b->held_feed = calloc(rows + BATCH_LETTERS_MAX, sizeof *b->held_feed);
    b->letters_text = malloc(BATCH_LETTERS_BYTES);
    if (b->rows == NULL || b->held == NULL || b->held_feed == NULL || b->letters_text == NULL)
        return ride_fail(err, RIDE_E_MEMORY, "no memory for a batch of a service");
    return RIDE_OK;
}

void batch_close(service_batch *b) {
    free(b->rows);
    free(b->held);
    free(b->held_feed);
    free(b->letters_text);
}

void batch_empty(service_batch *b) {
    b->runs_count = 0;
    b->held_count = 0;
    b->letters_count = b->letters_bytes = 0;
    b->rejected = 0;
    b->is_answered = false;
    for (uint32_t i = 0; i < RIDE_SOURCES_MAX; i++) b->taken[i] = 0;
}

uint64_t batch_taken(const service_batch *b) {
    uint64_t taken = 0;
    for (uint32_t i = 0; i < RIDE_SOURCES_MAX; i++) taken += b->taken[i];
    return taken;
}

void batch_answer_held(service *s, service_batch *b) {
    static const ride_answer away = {.status = RIDE_E_UNAVAILABLE, .reason = "stopping"};
    for (uint32_t i = 0; i < b->held_count; i++) {
        ride_feed *feed = s->feeds[b->held_feed[i]];
        if (b->held[i].handle == NULL) continue;
        feed->ops->answer(feed, &b->held[i], &away);
        feed->ops->release(feed, &b->held[i], 1);
    }
    b->held_count = 0;
}
