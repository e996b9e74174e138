/* engine/service_fill.c: messages → rows of the batch in hand, each with where it came from. A stretch of messages of one stream is a run:
 * what the clock is at its start is fixed there, met now (by the other streams) or in a rebuild (by the journal). */
#include "engine/service_pipe.h"

#include "base/assert.h"

#include <string.h>

ride_status service_poll(service *s, uint32_t feed, uint32_t stream, uint32_t messages_max, ride_error *err) {
    RIDE_ASSERT(s->chunk_at == s->chunk_count);
    if (s->pipe != NULL) RIDE_TRY(pipe_collect(s, err));
    s->chunk_at = s->chunk_count = 0;
    s->chunk_feed = feed;
    const uint64_t assignments = s->assignments;
    ride_status st =
        s->feeds[feed]->ops->poll(s->feeds[feed], stream, s->chunk,
                                  messages_max < CHUNK_MESSAGES ? messages_max : CHUNK_MESSAGES, &s->chunk_count, err);
    RIDE_ASSERT(s->chunk_count == 0 || s->assignments == assignments);
    return st;
}

static void answer(service *s, uint32_t feed, const ride_message *message, const ride_answer *how) {
    ride_message copy = *message; /* of the chunk, which is looked at again */
    s->feeds[feed]->ops->answer(s->feeds[feed], &copy, how);
    s->feeds[feed]->ops->release(s->feeds[feed], &copy, 1);
}
static const ride_answer away = {.status = RIDE_E_UNAVAILABLE, .reason = "stopping"};

/* Those whose senders wait are released one by one, with their answers; what was not worked is answered here. */
void service_release(service *s) {
    for (uint32_t i = 0, n = 1; i < s->chunk_count; i += n, n = 1) {
        if (service_waits(&s->chunk[i])) {
            if (i >= s->chunk_at) answer(s, s->chunk_feed, &s->chunk[i], &away);
            continue;
        }
        while (i + n < s->chunk_count && !service_waits(&s->chunk[i + n])) n++;
        s->feeds[s->chunk_feed]->ops->release(s->feeds[s->chunk_feed], &s->chunk[i], n);
    }
    s->chunk_at = s->chunk_count = 0;
}

static uint32_t hold(service_batch *b, uint32_t feed, const ride_message *message) {
    b->held_feed[b->held_count] = feed;
    b->held[b->held_count] = *message;
    return b->held_count++;
}

/* A message that is no event: to the dead letters, and to who waits for its answer, when the batch is sent. */
void service_reject(void *context, const ride_reject *reject) {
    service *s = context;
    service_batch *b = s->b;
    const uint32_t feed = s->streams[s->decoding].feed;
    const bool waits = service_waits(s->decoding_message),
               is_written = s->options->targets[RIDE_TARGET_REJECTS] || s->p.outputs[OUTPUT_REJECTS].sink != NULL;
    if (b->silent) {
        if (waits) answer(s, feed, s->decoding_message, &away);
        return;
    }
    ride_metric_add(s->m.rejected[reject->reason < RIDE_REJECT_COUNT ? reject->reason : RIDE_REJECT_COUNT], 1);
    if (!waits && !is_written) return;
    RIDE_ASSERT(b->letters_count < BATCH_LETTERS_MAX &&
                BATCH_LETTERS_BYTES - b->letters_bytes >= RIDE_REJECT_RECORD_BYTES_MAX); /* service_batch_full */
    service_letter *letter = &b->letters[b->letters_count++];
    *letter = (service_letter){.row = s->p.batch->rows_count,
                               .stream = s->decoding,
                               .held = waits ? hold(b, feed, s->decoding_message) : HELD_NONE,
                               .text_offset = b->letters_bytes,
                               .offset = s->decoding_message->offset,
                               .reason = reject->reason,
                               .field = reject->field};
    if (is_written) letter->text_bytes = (uint32_t)ride_reject_format(reject, b->letters_text + b->letters_bytes);
    b->letters_bytes += letter->text_bytes;
}

bool service_batch_full(const service *s) {
    const service_batch *b = s->b;
    /* the batch has a tile more than it is asked for: a label that waited follows its event at once */
    return s->p.batch->rows_count >= s->tuning.batch_rows_max || b->runs_count == BATCH_RUNS_MAX ||
           b->letters_count == BATCH_LETTERS_MAX ||
           BATCH_LETTERS_BYTES - b->letters_bytes < RIDE_REJECT_RECORD_BYTES_MAX;
}

static void run_begin(service *s, service_stream *stream, uint32_t number, const ride_message *message,
                      const ride_journal_run *told) {
    pipeline *p = &s->p;
    service_batch *b = s->b;
    b->run_streams[b->runs_count] = number;
    ride_journal_run *run = &b->runs[b->runs_count++];
    const int64_t none_us = INT64_MIN / 2;
    *run = (ride_journal_run){.stream = stream->journal,
                              .offset_first = message->offset,
                              .offset_last = message->offset,
                              .clock_us = p->clock_us,
                              .floor_us = streams_floor(s, number),
                              .stream_us = stream->max_us > none_us ? stream->max_us : none_us,
                              .newest_us = s->newest_us};
    if (s->options->partition_keyed) run->clock_us = stream->own_clock_us, run->floor_us = INT64_MAX;
    stream->waiting_us = INT64_MIN;
    if (told != NULL) { /* as it was met then */
        run->clock_us = told->clock_us;
        run->floor_us = told->floor_us;
        run->stream_us = told->stream_us;
    }
    p->clock_us = run->clock_us;
    p->floor_us = run->floor_us;
    p->stream_us = run->stream_us;
}

/* Rows from `first` on belong to the run at hand: keys, duplicates, watermark. */
static ride_status stamp(service *s, uint32_t first, ride_error *err) {
    pipeline *p = &s->p;
    if (p->batch->rows_count == first) return RIDE_OK;
    ride_batch_set_rows(p->batch, p->batch->rows_count, p->sequence);
    const uint32_t end = p->batch->rows_count;
    RIDE_TRY(pipeline_stamp(p, first, err));
    for (uint32_t row = end; row < p->batch->rows_count; row++) { /* a label that waited for the last of them */
        s->b->rows[row] = s->b->rows[end - 1];
        s->b->rows[row].held = HELD_NONE;
    }
    return RIDE_OK;
}

static void run_end(service *s, uint32_t number) {
    service_stream *stream = &s->streams[number];
    ride_journal_run *run = &s->b->runs[s->b->runs_count - 1];
    if (!s->inputs[stream->input].spec->is_labels) {
        if (s->p.stream_us > INT64_MIN / 2) stream->max_us = s->p.stream_us;
        if (stream->max_us > s->newest_us) s->newest_us = stream->max_us;
        stream->own_clock_us = s->p.clock_us;
    }
    run->stream_end_us = s->inputs[stream->input].spec->is_labels ? stream->waiting_us : stream->max_us;
}

/* Too far ahead of when it was put into the log: one such stamp would make all others late. */
static bool too_far_ahead(const service *s, const service_input *in, const ride_message *message, uint32_t row) {
    return in->spec->max_future_us > 0 && message->arrival_us != INT64_MIN &&
           *row_time(&s->p, row, RIDE_COLUMN_TIME) - message->arrival_us > in->spec->max_future_us;
}

/* What a result repeats of its event as text: id and keys. More of it would make results that no log takes. */
static bool repeats_too_much(const service *s, uint32_t row) {
    const pipeline *p = &s->p;
    const ride_entity_spec *first = p->spec->entities_count > 0 ? &p->spec->entities[0] : NULL;
    const uint32_t count = first != NULL ? first->keys_count : 0;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i <= count; i++) {
        const int32_t at = i < count ? (int32_t)first->keys[i] : p->events->field_id;
        const ride_field *field = at >= 0 ? &p->events->fields[at] : NULL;
        if (field == NULL || field->tile_type != RIDE_TYPE_STRING || field->column == RIDE_COLUMN_NONE) continue;
        const ride_slice *slices = ride_tile_values_const(&p->in_layout, batch_tile(p, row), field->column);
        bytes += slices[row % RIDE_TILE_ROWS].bytes;
    }
    return bytes > REPEATED_BYTES_MAX;
}

/* Of a row that was read and is not taken after all, or of a message that was not read at all. */
static void refuse(service *s, const service_stream *stream, const ride_message *message, ride_reject_reason reason) {
    const ride_reject reject = {.reason = reason,
                                .line = (uint64_t)message->offset,
                                .file = stream->topic,
                                .raw = message->value,
                                .raw_bytes = message->value_bytes,
                                .redact_all = true};
    service_reject(s, &reject);
}

static ride_status take_event(service *s, service_input *in, service_stream *stream, ride_message *message,
                              ride_error *err) {
    pipeline *p = &s->p;
    const uint32_t row = p->batch->rows_count;
    const uint32_t key_bytes = message->key != NULL ? message->key_bytes : 0;
    ride_reject_reason reason = RIDE_REJECT_NONE;
    const bool has_room = key_bytes <= p->batch->arena_bytes_max - p->batch->arena_bytes;
    if (!has_room && key_bytes <= MESSAGE_BYTES_MAX) return RIDE_FULL;
    const uint32_t arena_bytes = p->batch->arena_bytes;
    ride_status st = RIDE_E_DATA;
    if (key_bytes > MESSAGE_BYTES_MAX) refuse(s, stream, message, RIDE_REJECT_OVERLONG_LINE);
    else {
        if (key_bytes > 0) memcpy(p->batch->arena + arena_bytes, message->key, key_bytes);
        p->batch->arena_bytes += key_bytes;
        ride_decoder *decoder = stream->is_json ? in->decoder_json : in->decoder;
        st = ride_decoder_record(decoder, p->batch, message->value, message->value_bytes, (uint64_t)message->offset,
                                 &reason);
    }
    const bool ahead = st == RIDE_OK && too_far_ahead(s, in, message, row);
    if (ahead || (st == RIDE_OK && repeats_too_much(s, row))) {
        p->batch->rows_count = row;
        refuse(s, stream, message, ahead ? RIDE_REJECT_TOO_FAR_AHEAD : RIDE_REJECT_STRING_TOO_LONG);
        st = RIDE_E_DATA;
    }
    if (st != RIDE_OK) p->batch->arena_bytes = arena_bytes;
    if (st != RIDE_OK && st != RIDE_E_DATA)
        return st == RIDE_FULL ? st : ride_fail(err, st, "a message cannot be decoded");
    p->summary->received++;
    s->b->taken[in - s->inputs]++; /* counted when the batch is done */
    if (st == RIDE_E_DATA) {
        p->summary->rejected++;
        s->b->rejected++;
        return RIDE_OK;
    }
    s->b->rows[row] = (service_row){.stream = message->stream,
                                    .key_offset = arena_bytes,
                                    .key_bytes = message->key != NULL ? key_bytes : UINT32_MAX,
                                    .held = HELD_NONE,
                                    .offset = message->offset,
                                    .polled_ns = message->polled_ns};
    if (service_waits(message)) s->b->rows[row].held = hold(s->b, stream->feed, message);
    return RIDE_OK;
}

static ride_status take_label(service *s, service_input *in, service_stream *stream, ride_message *message,
                              ride_error *err) {
    pipeline *p = &s->p;
    ride_reject_reason reason = RIDE_REJECT_NONE;
    ride_batch_clear(p->label_batch);
    ride_status st = ride_decoder_record(in->decoder, p->label_batch, message->value, message->value_bytes,
                                         (uint64_t)message->offset, &reason);
    if (st == RIDE_E_DATA) {
        p->summary->labels_rejected++;
        return RIDE_OK;
    }
    if (st != RIDE_OK) return ride_fail(err, st, "a label cannot be decoded");
    const uint32_t row = p->batch->rows_count;
    ride_batch_set_rows(p->label_batch, 1, 0);
    const uint64_t waiting = p->labels_waiting;
    RIDE_TRY(pipeline_label(p, in->spec, 0, err));
    const int64_t *known_us =
        ride_tile_values_const(&p->label_layout, ride_batch_tile(p->label_batch, 0), RIDE_COLUMN_TIME);
    if (p->labels_waiting > waiting && *known_us > stream->waiting_us) stream->waiting_us = *known_us;
    if (p->batch->rows_count > row)
        s->b->rows[row] = (service_row){.stream = message->stream,
                                        .key_bytes = UINT32_MAX,
                                        .held = HELD_NONE,
                                        .offset = message->offset,
                                        .polled_ns = message->polled_ns};
    return RIDE_OK;
}

/* What the batch is of: rows that go out, or rows that are read again. */
static void batch_begin(service *s, bool silent) {
    service_count_into(s, silent);
    s->b->silent = silent;
    s->b->first_ns = service_now();
    if (s->p.many_clocks) s->p.least_us = streams_least(s);
    if (s->p.many_clocks && s->p.dedup != NULL) ride_idmap_hold(s->p.dedup, s->p.least_us);
}

static bool run_goes_on(const service *s, uint32_t number, const ride_journal_run *told) {
    const service_batch *b = s->b;
    if (b->runs_count == 0) return false;
    const ride_journal_run *last = &b->runs[b->runs_count - 1];
    if (told != NULL) return false;
    return b->run_streams[b->runs_count - 1] == number && last->messages > 0 &&
           (s->options->partition_keyed || last->floor_us == streams_floor(s, number));
}

ride_status service_take(service *s, const ride_journal_run *told, ride_error *err) {
    pipeline *p = &s->p;
    service_batch *b = s->b;
    bool in_run = false;
    uint32_t first = p->batch->rows_count; /* not stamped from here on */
    ride_status st = RIDE_OK;
    while (s->chunk_at < s->chunk_count) {
        ride_message *message = &s->chunk[s->chunk_at];
        const uint32_t number = message->stream;
        service_stream *stream = &s->streams[number];
        if (!stream->used) { /* it went away */
            if (service_waits(message)) answer(s, stream->feed, message, &away);
            s->chunk_at++;
            continue;
        }
        const bool silent = stream->is_log && message->offset < stream->emit_from;
        if (b->runs_count > 0 && silent != b->silent) break;
        if (service_batch_full(s)) break;
        if (b->runs_count == 0) batch_begin(s, silent);
        if (!in_run || s->decoding != number) {
            if (in_run) {
                RIDE_TRY(stamp(s, first, err));
                run_end(s, s->decoding);
                first = p->batch->rows_count;
            }
            if (!run_goes_on(s, number, told)) run_begin(s, stream, number, message, told);
            in_run = true;
        }
        s->decoding = number;
        s->decoding_message = message;
        service_input *in = &s->inputs[stream->input];
        if (in->spec->is_labels) {
            RIDE_TRY(stamp(s, first, err));
            st = take_label(s, in, stream, message, err);
            first = p->batch->rows_count;
        } else st = take_event(s, in, stream, message, err);
        if (st == RIDE_FULL) break;
        s->chunk_at++; /* it is the batch's, or was answered: whatever comes now, it is not met again */
        if (st != RIDE_OK) return st;
        if (!in->spec->is_labels && p->labels_waiting > 0) { /* its label may be there: it follows at once */
            RIDE_TRY(stamp(s, first, err));
            first = p->batch->rows_count;
        }
        ride_journal_run *run = &b->runs[b->runs_count - 1];
        run->messages++;
        run->offset_last = message->offset;
        stream->next = message->offset + 1;
        stream->active = stream->is_log;
    }
    if (in_run) {
        RIDE_TRY(stamp(s, first, err));
        run_end(s, s->decoding);
        if (!b->silent) ride_metric_set(s->m.in_flight, (double)(s->in_flight + batch_taken(b)));
        if (b->runs[b->runs_count - 1].messages == 0) b->runs_count--; /* its first message found no room */
    }
    return RIDE_OK;
}

ride_status service_fill(service *s, ride_error *err) {
    while (!service_batch_full(s)) {
        if (s->chunk_at < s->chunk_count) {
            const uint32_t before = s->chunk_at;
            RIDE_TRY(service_take(s, NULL, err));
            if (s->chunk_at < s->chunk_count) {
                RIDE_ASSERT(s->chunk_at > before || s->b->runs_count > 0);
                return RIDE_OK; /* the rest is the next batch's */
            }
        }
        service_release(s);
        for (uint32_t i = 0; i < s->feeds_count && s->chunk_count == 0; i++) {
            RIDE_TRY(service_poll(s, s->feed_turn, RIDE_STREAM_ANY, CHUNK_MESSAGES, err));
            if (s->chunk_count == 0) service_release(s);
            s->feed_turn = (s->feed_turn + 1) % s->feeds_count;
        }
        if (s->chunk_count == 0 || s->must_rebuild) return RIDE_OK;
    }
    return RIDE_OK;
}
