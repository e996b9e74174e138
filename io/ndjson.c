/* io/ndjson.c: the NDJSON decoder: one object a line, or a message. There are two readings of an object: one at a glance (ndjson_glance.c), which knows
 * nothing but what is good, and the careful one here (lib/json.h, value.h), which says what is wrong, and where: the values of all fields are
 * collected first and read after the object has proved whole. Tests hold the two equal. */
#include "io/ndjson_internal.h"

#include <stdlib.h>
#include <string.h>

static uint32_t slot_of(const char *name, size_t bytes) {
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < bytes; i++) hash = (hash ^ (uint8_t)name[i]) * 16777619u;
    return hash % NDJSON_SLOTS;
}

uint32_t ride_ndjson_field(const ndjson *state, const char *name, size_t bytes) {
    for (uint32_t slot = slot_of(name, bytes);; slot = (slot + 1) % NDJSON_SLOTS) {
        if (state->slots[slot] == 0) return RIDE_FIELDS_MAX;
        const uint32_t index = state->slots[slot] - 1u;
        const char *declared = state->spec->fields[index].name;
        if (strlen(declared) == bytes && memcmp(declared, name, bytes) == 0) return index;
    }
}

static void on_member(void *context, const ride_json_member *member) {
    ndjson *state = context;
    uint32_t field = ride_ndjson_field(state, member->key, member->key_bytes);
    state->unsure |= state->has_sensitive && member->type == RIDE_JSON_NESTED; /* {"data":{"card": … */
    if (field == RIDE_FIELDS_MAX) return;
    if (state->seen[field] && state->twice == RIDE_FIELDS_MAX) {
        state->twice = field;
        state->twice_offset = member->offset;
    }
    state->unsure |= state->spec->fields[field].sensitive && state->seen[field];
    state->seen[field] = true;
    state->found[field] = *member;
}

static void ndjson_close(ride_decoder *decoder) {
    ndjson *state = decoder->format_data;
    if (state == NULL) return;
    ride_json_parser_destroy(state->parser);
    free(state);
}

static ride_status ndjson_open_records(ride_decoder *decoder, ride_error *err) {
    ride_source *source = decoder->source;
    ndjson *state = calloc(1, sizeof *state);
    decoder->format_data = state;
    if (state == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the decoder of %s", source->path);
    state->spec = decoder->spec;
    state->has_sensitive = decoder->has_sensitive;
    for (uint32_t i = 0; i < decoder->spec->fields_count; i++) {
        const char *name = decoder->spec->fields[i].name;
        uint32_t slot = slot_of(name, strlen(name));
        while (state->slots[slot] != 0) slot = (slot + 1) % NDJSON_SLOTS;
        state->slots[slot] = (uint16_t)(i + 1);
    }
    for (uint32_t i = decoder->steps_count; i-- > 0;) state->step_of[decoder->steps[i].position] = i;
    return ride_json_parser_create(source->record_bytes_max, &state->parser, err);
}

static ride_status ndjson_open(ride_decoder *decoder, ride_error *err) {
    ride_source *source = decoder->source;
    RIDE_TRY(ndjson_open_records(decoder, err));
    while (ride_source_unread(source) < 3 && !source->at_end) RIDE_TRY(ride_source_fill(source, err));
    if (ride_source_unread(source) >= 3 && memcmp(source->data + source->begin, "\xEF\xBB\xBF", 3) == 0)
        ride_source_consume(source, 3);
    if (ride_source_unread(source) == 0) {
        ride_fail(err, RIDE_E_DATA, "the input is empty");
        ride_error_where(err, "%s", source->path);
        return RIDE_E_DATA;
    }
    return RIDE_OK;
}

bool ride_ndjson_fits(const ride_step *step, ride_json_type type) {
    bool textual = step->type == RIDE_FIELD_STRING || step->type == RIDE_FIELD_CATEGORY ||
                   (step->type == RIDE_FIELD_TIMESTAMP && step->unit == RIDE_UNIT_ISO8601);
    switch (type) {
    case RIDE_JSON_STRING: return true;
    case RIDE_JSON_NUMBER: return !textual;
    case RIDE_JSON_BOOL: return step->type == RIDE_FIELD_BOOL;
    default: return false;
    }
}

static ride_reject_reason read_step(const ndjson *state, const ride_decoder *decoder, const ride_step *step,
                                    ride_value *value) {
    const ride_json_member *member = &state->found[step->position];
    bool seen = state->seen[step->position];
    value->is_null = !seen || member->type == RIDE_JSON_NULL;
    if (value->is_null)
        return step->nullable ? RIDE_REJECT_NONE : seen ? RIDE_REJECT_MISSING_VALUE : RIDE_REJECT_MISSING_FIELD;
    if (!ride_ndjson_fits(step, member->type)) return RIDE_REJECT_WRONG_TYPE;
    return ride_value_read(step, &decoder->zone, member->text, member->bytes, value);
}

/* Spans of the sensitive values, in the order of the text. */
static void mark_sensitive(ride_decoder *decoder) {
    const ndjson *state = decoder->format_data;
    decoder->spans_count = 0;
    for (uint32_t i = 0; i < decoder->spec->fields_count; i++) {
        if (!decoder->spec->fields[i].sensitive || !state->seen[i]) continue;
        ride_span span = {state->found[i].offset, state->found[i].raw_bytes};
        uint32_t at = decoder->spans_count++;
        for (; at > 0 && decoder->spans[at - 1].offset > span.offset; at--) decoder->spans[at] = decoder->spans[at - 1];
        decoder->spans[at] = span;
    }
}

static void begin_object(ndjson *state) {
    memset(state->seen, 0, state->spec->fields_count * sizeof state->seen[0]);
    state->twice = RIDE_FIELDS_MAX;
    state->unsure = false;
}

static ride_reject_reason read_object(ride_decoder *decoder, const char *text, size_t bytes, uint32_t *column,
                                      const ride_field **field, bool *whole) {
    ndjson *state = decoder->format_data;
    *whole = false;
    begin_object(state);
    switch (ride_json_object(state->parser, text, bytes, on_member, state)) {
    case RIDE_JSON_OK: break;
    case RIDE_JSON_BAD_UTF8: return RIDE_REJECT_INVALID_UTF8;
    default: return RIDE_REJECT_BAD_JSON;
    }
    for (uint32_t i = 0; decoder->has_sensitive && i < decoder->spec->fields_count;
         i++) /* a missing one may be there by another name */
        state->unsure |= decoder->spec->fields[i].sensitive && !state->seen[i];
    *whole = !state->unsure;
    if (state->twice != RIDE_FIELDS_MAX) {
        *field = &decoder->spec->fields[state->twice];
        *column = state->twice_offset + 1;
        return RIDE_REJECT_DUPLICATE_FIELD;
    }
    for (uint32_t i = 0; i < decoder->steps_count; i++) {
        const ride_step *step = &decoder->steps[i];
        ride_reject_reason reason = read_step(state, decoder, step, &decoder->values[i]);
        if (reason == RIDE_REJECT_NONE) continue;
        *field = step->field;
        *column = state->seen[step->position] ? state->found[step->position].offset + 1 : 0;
        return reason;
    }
    return RIDE_REJECT_NONE;
}

static bool is_blank(const char *text, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r' && text[i] != '\n') return false;
    return true;
}

/* Appends the object, or refuses it (RIDE_PUT_REFUSED, with the reason). */
static ride_put take_object(ride_decoder *decoder, ride_batch *batch, int64_t time_stop_us, ride_row_origin *origins,
                            const char *text, size_t bytes, ride_reject_reason *reason) {
    uint32_t column = 0;
    const ride_field *field = NULL;
    bool whole;
    if (!decoder->options.portable_only && ride_ndjson_glance(decoder, decoder->format_data, text, bytes)) {
        ride_put put = ride_decoder_put(decoder, batch, time_stop_us, origins, text, bytes);
        if (put != RIDE_PUT_REFUSED) return put;
    }
    *reason = read_object(decoder, text, bytes, &column, &field, &whole);
    if (*reason == RIDE_REJECT_NONE) {
        ride_put put = ride_decoder_put(decoder, batch, time_stop_us, origins, text, bytes);
        if (put != RIDE_PUT_REFUSED) return put;
        *reason = RIDE_REJECT_STRING_TOO_LONG;
    }
    if (whole) mark_sensitive(decoder);
    ride_decoder_refuse(decoder, *reason, column, field, text, bytes, !whole);
    return RIDE_PUT_REFUSED;
}

static ride_status ndjson_decode(ride_decoder *decoder, ride_batch *batch, uint32_t rows_max, int64_t time_stop_us,
                                 ride_row_origin *origins, ride_error *err) {
    ride_source *source = decoder->source;
    rows_max = ride_decoder_room(batch, rows_max);
    uint32_t rows_before = batch->rows_count, rows_end = rows_before + rows_max;
    while (batch->rows_count < rows_end) {
        const char *text = (const char *)source->data + source->begin;
        size_t unread = ride_source_unread(source);
        size_t most = unread < source->record_bytes_max + 1 ? unread : source->record_bytes_max + 1;
        const char *feed = unread > 0 ? memchr(text, '\n', most) : NULL;
        bool may_fill = !source->is_stream || batch->rows_count == rows_before; /* never waits with rows to give */
        if (feed == NULL && !source->at_end && unread <= source->record_bytes_max) {
            if (!may_fill) return RIDE_OK;
            RIDE_TRY(ride_source_fill(source, err));
            continue;
        }
        if (unread == 0) return RIDE_END;
        decoder->spans_count = 0;
        if (feed == NULL && unread > source->record_bytes_max) {
            ride_decoder_refuse(decoder, RIDE_REJECT_OVERLONG_LINE, 0, NULL, text, most, true);
            ride_status st = ride_decoder_drop_line(decoder, may_fill, err);
            if (st != RIDE_OK) return st == RIDE_PENDING ? RIDE_OK : st;
            continue;
        }
        size_t bytes = feed != NULL ? (size_t)(feed - text) : unread, consumed = bytes + (feed != NULL);
        if (bytes > 0 && text[bytes - 1] == '\r') bytes--;
        if (is_blank(text, bytes)) {
            decoder->stats.blank_lines++;
        } else {
            ride_reject_reason reason;
            ride_put put = take_object(decoder, batch, time_stop_us, origins, text, bytes, &reason);
            if (put == RIDE_PUT_HELD || put == RIDE_PUT_FULL) return RIDE_OK;
        }
        ride_source_consume(source, consumed);
        decoder->line++;
    }
    return source->at_end && ride_source_unread(source) == 0 ? RIDE_END : RIDE_OK;
}

static ride_put ndjson_record(ride_decoder *decoder, ride_batch *batch, ride_reject_reason *reason) {
    ride_source *source = decoder->source;
    const char *text = (const char *)source->data + source->begin;
    size_t bytes = ride_source_unread(source);
    if (!is_blank(text, bytes)) return take_object(decoder, batch, INT64_MAX, NULL, text, bytes, reason);
    *reason = RIDE_REJECT_EMPTY;
    ride_decoder_refuse(decoder, *reason, 0, NULL, text, bytes, false);
    return RIDE_PUT_REFUSED;
}

const ride_decoder_ops ride_decoder_ndjson = {"ndjson",      ndjson_open,         ndjson_close,
                                              ndjson_decode, ndjson_open_records, ndjson_record};
