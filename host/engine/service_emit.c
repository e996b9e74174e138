/* engine/service_emit.c: the rows of a batch → results: a message to each target that wants it, with the event's key and headers that
 * say where it came from and what decided; and the answer of who waits. */
#include "engine/service_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEADERS = 6, HEADER_KEEP = 24 };

ride_status service_emit_open(service *s, ride_error *err) {
    pipeline *p = &s->p;
    const ride_format format = s->options->targets_format != 0 ? s->options->targets_format : RIDE_FORMAT_NDJSON;
    bool waits = false;
    for (uint32_t i = 0; i < s->feeds_count; i++) waits = waits || s->feeds[i]->ops->answer != NULL;
    s->record = malloc(RECORD_BYTES_MAX);
    if (s->record == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a result");
    if (s->options->targets[RIDE_TARGET_DECISIONS] || s->options->targets[RIDE_TARGET_ALERTS])
        RIDE_TRY(outputs_record_encoder(p, false, format, &s->decision_encoder, err));
    if (s->options->targets[RIDE_TARGET_LATE]) RIDE_TRY(outputs_record_encoder(p, true, format, &s->late_encoder, err));
    if (waits) RIDE_TRY(outputs_record_encoder(p, false, RIDE_FORMAT_NDJSON, &s->answer_encoder, err));
    return RIDE_OK;
}

void service_emit_close(service *s) {
    ride_encoder_close(s->decision_encoder);
    ride_encoder_close(s->late_encoder);
    ride_encoder_close(s->answer_encoder);
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
static uint32_t headers_make(service *s, uint32_t row, ride_header out[HEADERS], char keep[2][HEADER_KEEP]) {
    const pipeline *p = &s->p;
    const service_stream *stream = &s->streams[s->rows[row].stream];
    const char *id = NULL;
    const uint32_t id_bytes = id_text(p, row, keep[0], &id), model = verdict_u32(p, row, VERDICT_MODEL);
    const uint32_t offset_bytes = (uint32_t)snprintf(keep[1], HEADER_KEEP, "%" PRId64, s->rows[row].offset);
    uint32_t count = 0;
    if (id_bytes > 0) out[count++] = (ride_header){"event_id", id, id_bytes};
    out[count++] = (ride_header){"source_topic", stream->topic, (uint32_t)strlen(stream->topic)};
    out[count++] = (ride_header){"source_partition", stream->partition_text, (uint32_t)strlen(stream->partition_text)};
    out[count++] = (ride_header){"source_offset", keep[1], offset_bytes};
    if (model < p->models_count) out[count++] = (ride_header){"model_hash", p->models_known[model], 64};
    out[count++] = (ride_header){"spec_hash", p->spec_hash_text, 64};
    return count;
}

/* Into s->record. */
static ride_status encode(service *s, ride_encoder *encoder, const ride_encoder_set *sets, uint32_t row, size_t *bytes,
                          ride_error *err) {
    ride_status st = ride_encoder_row(encoder, sets, row, s->record, RECORD_BYTES_MAX, bytes);
    if (st == RIDE_FULL) st = ride_fail(err, RIDE_E_UNSUPPORTED, "a result of more than %d bytes", RECORD_BYTES_MAX);
    return st;
}

static ride_status row_send(service *s, const ride_encoder_set *sets, uint32_t row, ride_error *err) {
    const pipeline *p = &s->p;
    const uint32_t flags = *row_flags(p, row);
    ride_header headers[HEADERS];
    char keep[2][HEADER_KEEP];
    const uint32_t headers_count = headers_make(s, row, headers, keep);
    const bool alert = s->options->targets[RIDE_TARGET_ALERTS] &&
                       verdict_u32(p, row, VERDICT_DECISION) != RIDE_DECISION_APPROVE &&
                       verdict_u32(p, row, VERDICT_END) != END_DUPLICATE;
    size_t bytes = 0;
    if (s->options->targets[RIDE_TARGET_DECISIONS] || alert)
        RIDE_TRY(encode(s, s->decision_encoder, sets, row, &bytes, err));
    if (s->options->targets[RIDE_TARGET_DECISIONS])
        RIDE_TRY(window_send(s, RIDE_TARGET_DECISIONS, &s->rows[row], s->record, bytes, headers, headers_count, err));
    if (alert)
        RIDE_TRY(window_send(s, RIDE_TARGET_ALERTS, &s->rows[row], s->record, bytes, headers, headers_count, err));
    if (s->late_encoder == NULL || (flags & (RIDE_ROW_SKIP | RIDE_ROW_ENTERS))) return RIDE_OK;
    RIDE_TRY(encode(s, s->late_encoder, sets, row, &bytes, err));
    return window_send(s, RIDE_TARGET_LATE, &s->rows[row], s->record, bytes, headers, headers_count, err);
}

static ride_status row_answer(service *s, const ride_encoder_set *sets, uint32_t row, ride_error *err) {
    const uint32_t held = s->rows[row].held;
    ride_feed *feed = s->feeds[s->held_feed[held]];
    size_t bytes = 0;
    RIDE_TRY(encode(s, s->answer_encoder, sets, row, &bytes, err));
    const ride_answer how = {.status = RIDE_OK, .text = s->record, .text_bytes = (uint32_t)bytes};
    feed->ops->answer(feed, &s->held[held], &how);
    feed->ops->release(feed, &s->held[held], 1);
    s->held[held].handle = NULL;
    return RIDE_OK;
}

ride_status service_emit(service *s, ride_error *err) {
    pipeline *p = &s->p;
    const ride_encoder_set sets[RIDE_ENCODER_SETS_MAX] = {{p->batch->tiles, p->batch->arena},
                                                          {p->out_tiles, NULL},
                                                          {p->verdict_tiles, NULL}};
    const bool sends = s->decision_encoder != NULL || s->late_encoder != NULL;
    const ride_replay *tap = s->options->replay_of;
    for (uint32_t row = 0; row < p->batch->rows_count; row++) {
        if (*row_flags(p, row) & RIDE_ROW_LABEL) continue;
        if (tap != NULL && tap->row != NULL) {
            const service_stream *stream = &s->streams[s->rows[row].stream];
            tap->row(tap->context, p, row, stream->topic, stream->partition, s->rows[row].offset);
        }
        if (sends) RIDE_TRY(row_send(s, sets, row, err));
        if (s->rows[row].held != HELD_NONE) RIDE_TRY(row_answer(s, sets, row, err));
    }
    s->held_count = 0;
    ride_status st = outputs_write(p);
    return st == RIDE_OK ? st : ride_fail(err, st, "the output cannot be written");
}
