/* engine/service_emit.c: the rows of a batch → results: a message to each target that wants it, with the event's key and headers that
 * say where it came from and what decided. */
#include "engine/service_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADERS = 6, LETTER_HEADERS = 4, HEADER_KEEP = 24 };

ride_status service_emit_open(service *s, ride_error *err) {
    pipeline *p = &s->p;
    const ride_format format = s->options->targets_format != 0 ? s->options->targets_format : RIDE_FORMAT_NDJSON;
    s->record = malloc(RECORD_BYTES_MAX);
    if (s->record == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a result");
    if (s->options->targets[RIDE_TARGET_DECISIONS] || s->options->targets[RIDE_TARGET_ALERTS])
        RIDE_TRY(outputs_record_encoder(p, false, format, &s->decision_encoder, err));
    if (s->options->targets[RIDE_TARGET_LATE]) RIDE_TRY(outputs_record_encoder(p, true, format, &s->late_encoder, err));
    return RIDE_OK;
}

void service_emit_close(service *s) {
    ride_encoder_close(s->decision_encoder);
    ride_encoder_close(s->late_encoder);
    free(s->record);
}

/* The event's id as text: digits, or the string itself. Returns its bytes; 0 = there is none. */
static uint32_t id_text(const pipeline *p, uint32_t row, char digits[HEADER_KEEP], const char **text) {
    if (p->events->field_id < 0) return 0;
    const ride_field *field = &p->events->fields[p->events->field_id];
    const uint8_t *tile = batch_tile(p, row);
    const uint32_t r = row % RIDE_TILE_ROWS;
    if (!ride_valid(ride_tile_validity_const(&p->in_layout, tile, field->column), r)) return 0;
    const void *values = ride_tile_values_const(&p->in_layout, tile, field->column);
    *text = digits;
    switch (field->tile_type) {
    case RIDE_TYPE_STRING:
        *text = p->batch->arena + ((const ride_slice *)values)[r].offset;
        return ((const ride_slice *)values)[r].bytes;
    case RIDE_TYPE_U64: return (uint32_t)snprintf(digits, HEADER_KEEP, "%" PRIu64, ((const uint64_t *)values)[r]);
    case RIDE_TYPE_I64: return (uint32_t)snprintf(digits, HEADER_KEEP, "%" PRId64, ((const int64_t *)values)[r]);
    default: return 0;
    }
}

static uint32_t verdict_u32(const pipeline *p, uint32_t row, uint32_t column) {
    return ((const uint32_t *)ride_tile_values(&p->verdict_layout, verdict_tile(p, row), column))[row % RIDE_TILE_ROWS];
}

/* Headers of the row's result: {event_id, source_topic, source_partition, source_offset, model_hash, spec_hash}. */
static uint32_t headers_make(const service *s, const pipeline *p, const service_batch *b, uint32_t row,
                             ride_header out[HEADERS], char keep[2][HEADER_KEEP]) {
    const service_stream *stream = &s->streams[b->rows[row].stream];
    const char *id = NULL;
    const uint32_t id_bytes = id_text(p, row, keep[0], &id), model = verdict_u32(p, row, VERDICT_MODEL);
    const uint32_t offset_bytes = (uint32_t)snprintf(keep[1], HEADER_KEEP, "%" PRId64, b->rows[row].offset);
    uint32_t count = 0;
    if (id_bytes > 0) out[count++] = (ride_header){"event_id", id, id_bytes};
    out[count++] = (ride_header){"source_topic", stream->topic, (uint32_t)strlen(stream->topic)};
    out[count++] = (ride_header){"source_partition", stream->partition_text, (uint32_t)strlen(stream->partition_text)};
    out[count++] = (ride_header){"source_offset", keep[1], offset_bytes};
    if (model < p->models_count) out[count++] = (ride_header){"model_hash", p->models_known[model], 64};
    out[count++] = (ride_header){"spec_hash", p->spec_hash_text, 64};
    return count;
}

ride_status service_encode(ride_encoder *encoder, const pipeline *p, uint32_t row, char *record, size_t *bytes,
                           ride_error *err) {
    ride_encoder_set sets[RIDE_ENCODER_SETS_MAX];
    outputs_sets(p, sets);
    ride_status st = ride_encoder_row(encoder, sets, row, record, RECORD_BYTES_MAX, bytes);
    if (st == RIDE_FULL) st = ride_fail(err, RIDE_E_UNSUPPORTED, "a result of more than %d bytes", RECORD_BYTES_MAX);
    return st;
}

static ride_status row_send(service *s, const pipeline *p, const service_batch *b, uint32_t row, ride_error *err) {
    const uint32_t flags = *row_flags(p, row);
    const service_row *from = &b->rows[row];
    ride_header headers[HEADERS];
    char keep[2][HEADER_KEEP];
    const bool has_key = from->key_bytes != UINT32_MAX;
    ride_result result = {.key = has_key ? p->batch->arena + from->key_offset : NULL,
                          .key_bytes = has_key ? from->key_bytes : 0,
                          .value = s->record,
                          .headers = headers,
                          .headers_count = headers_make(s, p, b, row, headers, keep)};
    const bool alert = s->options->targets[RIDE_TARGET_ALERTS] &&
                       verdict_u32(p, row, VERDICT_DECISION) != RIDE_DECISION_APPROVE &&
                       verdict_u32(p, row, VERDICT_END) != END_DUPLICATE;
    size_t bytes = 0;
    if (s->options->targets[RIDE_TARGET_DECISIONS] || alert)
        RIDE_TRY(service_encode(s->decision_encoder, p, row, s->record, &bytes, err));
    result.value_bytes = (uint32_t)bytes;
    result.target = RIDE_TARGET_DECISIONS;
    if (s->options->targets[RIDE_TARGET_DECISIONS]) RIDE_TRY(window_send(s, &result, err));
    result.target = RIDE_TARGET_ALERTS;
    if (alert) RIDE_TRY(window_send(s, &result, err));
    if (s->late_encoder == NULL || (flags & (RIDE_ROW_SKIP | RIDE_ROW_ENTERS))) return RIDE_OK;
    RIDE_TRY(service_encode(s->late_encoder, p, row, s->record, &bytes, err));
    result.value_bytes = (uint32_t)bytes;
    result.target = RIDE_TARGET_LATE;
    return window_send(s, &result, err);
}

/* A failed file stays failed, and its next write tells it. */
static void letter_to_file(ride_sink *sink, const char *text, uint32_t bytes) {
    char *to = (char *)ride_sink_reserve(sink, bytes + 1);
    if (to == NULL) return;
    memcpy(to, text, bytes);
    to[bytes] = '\n';
    ride_sink_commit(sink, bytes + 1);
}

static ride_status letter_send(service *s, const pipeline *p, const service_batch *b, const service_letter *letter,
                               ride_error *err) {
    const service_stream *stream = &s->streams[letter->stream];
    const char *text = b->letters_text + letter->text_offset, *reason = ride_reject_word(letter->reason);
    char offset[HEADER_KEEP];
    snprintf(offset, sizeof offset, "%" PRId64, letter->offset);
    const ride_header headers[LETTER_HEADERS] = {
        {"source_topic", stream->topic, (uint32_t)strlen(stream->topic)},
        {"source_partition", stream->partition_text, (uint32_t)strlen(stream->partition_text)},
        {"source_offset", offset, (uint32_t)strlen(offset)},
        {"reason", reason, (uint32_t)strlen(reason)},
    };
    const ride_result result = {.target = RIDE_TARGET_REJECTS,
                                .value = text,
                                .value_bytes = letter->text_bytes,
                                .headers = headers,
                                .headers_count = LETTER_HEADERS};
    if (p->outputs[OUTPUT_REJECTS].sink != NULL)
        letter_to_file(p->outputs[OUTPUT_REJECTS].sink, text, letter->text_bytes);
    return s->options->targets[RIDE_TARGET_REJECTS] ? window_send(s, &result, err) : RIDE_OK;
}

static ride_status rows_send(service *s, pipeline *p, const service_batch *b, ride_error *err) {
    const bool sends = s->decision_encoder != NULL || s->late_encoder != NULL;
    const ride_replay *tap = s->options->replay_of;
    uint32_t letter = 0;
    for (uint32_t row = 0; row < p->batch->rows_count; row++) {
        for (; letter < b->letters_count && b->letters[letter].row <= row; letter++)
            RIDE_TRY(letter_send(s, p, b, &b->letters[letter], err));
        if (*row_flags(p, row) & RIDE_ROW_LABEL) continue;
        if (tap != NULL && tap->row != NULL) {
            const service_stream *stream = &s->streams[b->rows[row].stream];
            tap->row(tap->context, p, row, stream->topic, stream->partition, b->rows[row].offset);
        }
        if (sends) RIDE_TRY(row_send(s, p, b, row, err));
    }
    for (; letter < b->letters_count; letter++) RIDE_TRY(letter_send(s, p, b, &b->letters[letter], err));
    ride_status st = outputs_write(p);
    return st == RIDE_OK ? st : ride_fail(err, st, "the output cannot be written");
}

ride_status service_emit(service *s, pipeline *p, service_batch *b, ride_error *err) {
    RIDE_TRY(window_begin(s, b, err));
    RIDE_TRY(rows_send(s, p, b, err));
    if (!b->is_answered) b->end_ns = service_now();
    window_end(s, b, p->batch->rows_count);
    phase_set(s, PHASE_PRODUCED);
    return RIDE_OK;
}
