/* engine/service_answer.c: the answers of a batch's requests, what is counted of it, and its room again. By who reads, whose the feeds are. */
#include "engine/service_internal.h"

#include <stdlib.h>

ride_status service_answer_open(service *s, ride_error *err) {
    bool waits = false;
    for (uint32_t i = 0; i < s->feeds_count; i++) waits = waits || s->feeds[i]->ops->answer != NULL;
    if (!waits) return RIDE_OK;
    s->answer = malloc(RECORD_BYTES_MAX);
    if (s->answer == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for an answer");
    return outputs_record_encoder(&s->p, false, RIDE_FORMAT_NDJSON, &s->answer_encoder, err);
}

void service_answer_close(service *s) {
    ride_encoder_close(s->answer_encoder);
    free(s->answer);
}

static void answer(service *s, service_batch *b, uint32_t held, const ride_answer *how) {
    if (held == HELD_NONE) return; /* a message of a log among requests */
    ride_feed *feed = s->feeds[b->held_feed[held]];
    feed->ops->answer(feed, &b->held[held], how);
    feed->ops->release(feed, &b->held[held], 1);
    b->held[held].handle = NULL;
}

static void answer_letter(service *s, service_batch *b, const service_letter *letter) {
    const ride_answer how = {.status = RIDE_E_DATA, .reason = ride_reject_word(letter->reason), .field = letter->field};
    answer(s, b, letter->held, &how);
}

/* In the order in which they came. */
static ride_status answer_all(service *s, const pipeline *p, service_batch *b, ride_error *err) {
    uint32_t letter = 0;
    for (uint32_t row = 0; row < p->batch->rows_count; row++) {
        for (; letter < b->letters_count && b->letters[letter].row <= row; letter++)
            answer_letter(s, b, &b->letters[letter]);
        if (b->rows[row].held == HELD_NONE || (*row_flags(p, row) & RIDE_ROW_LABEL)) continue;
        size_t bytes = 0;
        RIDE_TRY(service_encode(s->answer_encoder, p, row, s->answer, &bytes, err));
        const ride_answer how = {.status = RIDE_OK, .text = s->answer, .text_bytes = (uint32_t)bytes};
        answer(s, b, b->rows[row].held, &how);
    }
    for (; letter < b->letters_count; letter++) answer_letter(s, b, &b->letters[letter]);
    b->held_count = 0;
    return RIDE_OK;
}

ride_status service_answer(service *s, service_batch *b, ride_error *err) {
    if (b->held_count == 0) return RIDE_OK;
    RIDE_TRY(answer_all(s, &s->p, b, err));
    b->end_ns = service_now();
    b->is_answered = true;
    return RIDE_OK;
}

/* Rows from `row` on that came to this process at one moment, which messages of one poll and events of one request did. */
static uint32_t rows_of_one_moment(const pipeline *p, const service_batch *b, uint32_t row) {
    uint32_t end = row + 1;
    while (end < p->batch->rows_count && b->rows[end].polled_ns == b->rows[row].polled_ns &&
           !(*row_flags(p, end) & RIDE_ROW_LABEL))
        end++;
    return end - row;
}

/* Of each row: from its bytes to the batch, in the batch, and then with all of them. The sum is its latency. What a batch waits for
 * the next stage is that stage's. */
static void observe(const service *s, const pipeline *p, const service_batch *b) {
    uint64_t rows = 0;
    for (uint32_t row = 0, count = 1; row < p->batch->rows_count; row += count) {
        const uint64_t polled_ns = b->rows[row].polled_ns;
        count = 1;
        if (polled_ns == 0 || (*row_flags(p, row) & RIDE_ROW_LABEL)) continue;
        count = rows_of_one_moment(p, b, row);
        const uint64_t taken_ns = b->first_ns > polled_ns ? b->first_ns : polled_ns;
        ride_metric_observe_n(s->m.stages[STAGE_QUEUE], taken_ns - polled_ns, count);
        ride_metric_observe_n(s->m.stages[STAGE_READ], b->begin_ns > taken_ns ? b->begin_ns - taken_ns : 0, count);
        ride_metric_observe_n(s->m.latency, b->end_ns > polled_ns ? b->end_ns - polled_ns : 0, count);
        rows += count;
    }
    ride_metric_observe_n(s->m.stages[STAGE_JOURNAL], b->journal_ns - b->begin_ns, rows);
    ride_metric_observe_n(s->m.stages[STAGE_COMPUTE], b->compute_ns - b->journal_ns, rows);
    ride_metric_observe_n(s->m.stages[STAGE_ENCODE], b->end_ns - b->compute_ns, rows);
    service_metrics_batch(s, p, b);
}

ride_status service_done(service *s, service_batch *b, ride_error *err) {
    pipeline *p = &s->p;
    RIDE_TRY(service_answer(s, b, err));
    observe(s, p, b);
    observe_batch(p, b->end_ns - b->first_ns, b->end_ns);
    batch_empty(b);
    ride_batch_clear(p->batch);
    p->duplicates_in_batch = 0;
    return RIDE_OK;
}
