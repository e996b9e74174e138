/* io/binary.c: the decoder of the binary record. A file whose framing is damaged cannot be read on (nothing marks where a row
 * begins), so that is a failure of the input with the record's number; a value that the field may not have is a
 * rejected row as in the other formats. */
#include "io/binary.h"

#include "io/decoder_internal.h"

#include <stdlib.h>
#include <string.h>

typedef struct wire_column {
    uint32_t type, place;
    int32_t validity; /* bit, or -1: never null but as NaN */
    int32_t scale;
    const char *name; /* in the header's copy */
    uint32_t name_bytes, texts_count;
    uint32_t texts_offset; /* CATEGORY: of its first text in the header */
    uint32_t string;       /* STRING: how many strings lie before it */
} wire_column;

typedef struct binary {
    uint8_t *header; /* copy of the file's */
    ride_binary_header head;
    wire_column *columns;
    uint32_t string_places[RIDE_FIELDS_MAX * 4 + 1];  /* of each string column, in their order */
    uint32_t strings_offset[RIDE_FIELDS_MAX * 4 + 1]; /* of each string in the record being read */
    int32_t *codes;                                   /* CATEGORY → the field's code, by step; see codes_first */
    uint32_t codes_first[RIDE_FIELDS_MAX + 1];
} binary;
enum { STRINGS_MAX = RIDE_FIELDS_MAX * 4 };

static uint16_t load16(const uint8_t *p) {
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
static uint32_t load32(const uint8_t *p) {
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
static uint64_t load64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static void binary_close(ride_decoder *decoder) {
    binary *state = decoder->format_data;
    if (state == NULL) return;
    free(state->header);
    free(state->columns);
    free(state->codes);
    free(state);
}

static ride_status fail_header(const ride_decoder *decoder, ride_status st, const char *why, ride_error *err) {
    ride_fail(err, st, "the binary header cannot be read: %s", why);
    ride_error_where(err, "%s", decoder->source->path);
    return st;
}

/* Makes `bytes` unread bytes of the header available. */
static ride_status need(ride_decoder *decoder, size_t bytes, ride_error *err) {
    ride_source *source = decoder->source;
    while (ride_source_unread(source) < bytes) {
        if (source->at_end) return fail_header(decoder, RIDE_E_CORRUPT, "the file ends within it", err);
        ride_status st = ride_source_fill(source, err);
        if (st == RIDE_FULL) return fail_header(decoder, RIDE_E_CORRUPT, "it is longer than the limit", err);
        RIDE_TRY(st);
    }
    return RIDE_OK;
}

/* Reads the column at *at of the header; false when it does not fit there. */
static bool parse_column(binary *state, size_t *at, wire_column *out, uint32_t *row_at, uint32_t *nullables) {
    size_t end = state->head.header_bytes;
    if (end - *at < RIDE_BINARY_COLUMN_BYTES) return false;
    const uint8_t *p = state->header + *at;
    *out = (wire_column){.type = p[0], .validity = -1, .scale = load16(p + 2), .place = load32(p + 4)};
    uint32_t bytes = ride_binary_type_bytes(out->type);
    out->name_bytes = load16(p + 8);
    out->texts_count = load16(p + 10);
    if (bytes == 0 || p[1] > RIDE_BINARY_NULLABLE || out->scale > 18 || out->place != *row_at) return false;
    if (p[1] == RIDE_BINARY_NULLABLE) out->validity = (int32_t)(*nullables)++;
    *row_at += bytes;
    *at += RIDE_BINARY_COLUMN_BYTES;
    if (end - *at < out->name_bytes) return false;
    out->name = (const char *)state->header + *at;
    *at += out->name_bytes;
    out->texts_offset = (uint32_t)*at;
    for (uint32_t i = 0; i < out->texts_count; i++) {
        if (end - *at < 2) return false;
        size_t text = load16(state->header + *at);
        *at += 2;
        if (end - *at < text) return false;
        *at += text;
    }
    return true;
}

static ride_status parse_columns(ride_decoder *decoder, ride_error *err) {
    binary *state = decoder->format_data;
    const ride_binary_header *head = &state->head;
    state->columns = calloc(head->columns_count, sizeof *state->columns);
    if (state->columns == NULL)
        return ride_fail(err, RIDE_E_MEMORY, "no memory for the header of %s", decoder->source->path);
    size_t at = RIDE_BINARY_HEADER_BYTES;
    uint32_t row_at = head->validity_bytes, nullables = 0, strings = 0;
    for (uint32_t i = 0; i < head->columns_count; i++) {
        wire_column *column = &state->columns[i];
        if (!parse_column(state, &at, column, &row_at, &nullables))
            return fail_header(decoder, RIDE_E_CORRUPT, "a column is damaged", err);
        if (column->type != RIDE_FIELD_STRING) continue;
        if (strings == STRINGS_MAX) return fail_header(decoder, RIDE_E_UNSUPPORTED, "it has too many strings", err);
        column->string = strings;
        state->string_places[strings++] = column->place;
    }
    if (row_at != head->row_bytes || strings != head->strings_count || (nullables + 7) / 8 != head->validity_bytes)
        return fail_header(decoder, RIDE_E_CORRUPT, "its columns do not make its rows", err);
    return RIDE_OK;
}

static bool is_integer(uint32_t type) { return type >= RIDE_FIELD_U8 && type <= RIDE_FIELD_I64; }

/* Can a value of the column be read as the step wants it? */
static bool matches(const ride_step *step, const wire_column *column) {
    switch (step->type) {
    case RIDE_FIELD_F32: return column->type == RIDE_FIELD_F32;
    case RIDE_FIELD_F64: return column->type == RIDE_FIELD_F32 || column->type == RIDE_FIELD_F64;
    case RIDE_FIELD_BOOL: return column->type == RIDE_FIELD_BOOL || is_integer(column->type);
    case RIDE_FIELD_DECIMAL: return column->type == RIDE_FIELD_DECIMAL && column->scale <= step->field->scale;
    case RIDE_FIELD_STRING: return column->type == RIDE_FIELD_STRING;
    case RIDE_FIELD_CATEGORY: return column->type == RIDE_FIELD_STRING || column->type == RIDE_FIELD_CATEGORY;
    case RIDE_FIELD_TIMESTAMP:
        return column->type == RIDE_FIELD_TIMESTAMP || column->type == RIDE_FIELD_STRING ||
               (is_integer(column->type) && step->unit != RIDE_UNIT_ISO8601);
    default: return is_integer(column->type);
    }
}

static ride_status match_columns(ride_decoder *decoder, ride_error *err) {
    binary *state = decoder->format_data;
    char missing[96] = "", present[96] = "";
    uint32_t missing_count = 0, codes_count = 0;
    for (uint32_t i = 0; i < decoder->steps_count; i++) {
        ride_step *step = &decoder->steps[i];
        size_t bytes = strlen(step->field->name);
        uint32_t c = 0;
        while (c < state->head.columns_count &&
               (state->columns[c].name_bytes != bytes || memcmp(state->columns[c].name, step->field->name, bytes) != 0))
            c++;
        if (c == state->head.columns_count) {
            missing_count++;
            ride_list_add(missing, sizeof missing, step->field->name, bytes);
            continue;
        }
        if (!matches(step, &state->columns[c])) {
            ride_fail(err, RIDE_E_DATA, "the column %s has another type than the spec declares", step->field->name);
            ride_error_where(err, "%s", decoder->source->path);
            return RIDE_E_DATA;
        }
        step->position = c;
        state->codes_first[i] = codes_count;
        codes_count += state->columns[c].texts_count;
    }
    if (missing_count > 0) {
        for (uint32_t c = 0; c < state->head.columns_count; c++)
            ride_list_add(present, sizeof present, state->columns[c].name, state->columns[c].name_bytes);
        ride_fail(err, RIDE_E_DATA, "the header lacks %s; it has %s", missing, present);
        ride_error_where(err, "%s", decoder->source->path);
        return RIDE_E_DATA;
    }
    state->codes = calloc(codes_count + 1, sizeof *state->codes);
    if (state->codes == NULL)
        return ride_fail(err, RIDE_E_MEMORY, "no memory for the header of %s", decoder->source->path);
    for (uint32_t i = 0; i < decoder->steps_count; i++) {
        const ride_step *step = &decoder->steps[i];
        const wire_column *column = &state->columns[step->position];
        const uint8_t *text = state->header + column->texts_offset;
        for (uint32_t k = 0; k < column->texts_count && step->type == RIDE_FIELD_CATEGORY; k++) {
            ride_value value = {0};
            ride_reject_reason reason =
                ride_value_read(step, &decoder->zone, (const char *)text + 2, load16(text), &value);
            state->codes[state->codes_first[i] + k] = reason == RIDE_REJECT_NONE ? (int32_t)value.i : -1;
            text += 2 + load16(text);
        }
    }
    return RIDE_OK;
}

static ride_status binary_open(ride_decoder *decoder, ride_error *err) {
    ride_source *source = decoder->source;
    binary *state = calloc(1, sizeof *state);
    decoder->format_data = state;
    if (state == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the decoder of %s", source->path);
    if (source->at_end && ride_source_unread(source) == 0) {
        ride_fail(err, RIDE_E_DATA, "the input is empty");
        ride_error_where(err, "%s", source->path);
        return RIDE_E_DATA;
    }
    RIDE_TRY(need(decoder, RIDE_BINARY_HEADER_BYTES, err));
    const uint8_t *p = source->data + source->begin;
    if (memcmp(p, RIDE_BINARY_MAGIC, RIDE_BINARY_MAGIC_BYTES) != 0)
        return fail_header(decoder, RIDE_E_DATA, "this is no binary record file", err);
    if (load32(p + 8) != RIDE_BINARY_VERSION)
        return fail_header(decoder, RIDE_E_VERSION, "it is of another version", err);
    state->head = (ride_binary_header){.header_bytes = load32(p + 12),
                                       .schema_hash = load64(p + 16),
                                       .columns_count = load32(p + 24),
                                       .row_bytes = load32(p + 28),
                                       .validity_bytes = load32(p + 32),
                                       .strings_count = load32(p + 36)};
    const ride_binary_header *head = &state->head;
    if (head->header_bytes < RIDE_BINARY_HEADER_BYTES || head->header_bytes > RIDE_BINARY_HEADER_BYTES_MAX ||
        head->columns_count > head->header_bytes / RIDE_BINARY_COLUMN_BYTES || head->columns_count == 0 ||
        head->validity_bytes > head->columns_count)
        return fail_header(decoder, RIDE_E_CORRUPT, "its sizes are impossible", err);
    RIDE_TRY(need(decoder, head->header_bytes, err));
    state->header = malloc(head->header_bytes);
    if (state->header == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the header of %s", source->path);
    memcpy(state->header, source->data + source->begin, head->header_bytes);
    if (ride_binary_hash(state->header + RIDE_BINARY_HASHED_FROM, head->header_bytes - RIDE_BINARY_HASHED_FROM) !=
        head->schema_hash)
        return fail_header(decoder, RIDE_E_CORRUPT, "its hash is wrong", err);
    RIDE_TRY(parse_columns(decoder, err));
    RIDE_TRY(match_columns(decoder, err));
    if (head->row_bytes > source->record_bytes_max)
        return fail_header(decoder, RIDE_E_UNSUPPORTED, "a row is longer than the limit", err);
    ride_source_consume(source, head->header_bytes);
    return RIDE_OK;
}

/* The columns of a message: the declared fields, one after another. */
static ride_status binary_open_records(ride_decoder *decoder, ride_error *err) {
    const ride_source_spec *spec = decoder->spec;
    binary *state = calloc(1, sizeof *state);
    decoder->format_data = state;
    if (state != NULL) state->columns = calloc(spec->fields_count, sizeof *state->columns);
    uint32_t codes_count = 0, nullables = 0;
    for (uint32_t i = 0; i < decoder->steps_count; i++) codes_count += decoder->steps[i].field->categories_count;
    if (state != NULL) state->codes = calloc(codes_count + 1, sizeof *state->codes);
    if (state == NULL || state->columns == NULL || state->codes == NULL)
        return ride_fail(err, RIDE_E_MEMORY, "no memory for the decoder of %s", decoder->source->path);
    for (uint32_t i = 0; i < spec->fields_count; i++) {
        const ride_field *field = &spec->fields[i];
        bool real = field->type == RIDE_FIELD_F32 || field->type == RIDE_FIELD_F64;
        state->columns[i] = (wire_column){.type = field->type,
                                          .scale = field->type == RIDE_FIELD_DECIMAL ? field->scale : 0,
                                          .validity = field->nullable && !real ? (int32_t)nullables++ : -1,
                                          .texts_count = field->categories_count};
    }
    uint32_t at = (nullables + 7) / 8, strings = 0;
    for (uint32_t i = 0; i < spec->fields_count; i++) {
        wire_column *column = &state->columns[i];
        column->place = at;
        at += ride_binary_type_bytes(column->type);
        if (column->type != RIDE_FIELD_STRING) continue;
        column->string = strings;
        state->string_places[strings++] = column->place;
    }
    codes_count = 0;
    for (uint32_t i = 0; i < decoder->steps_count; i++) {
        state->codes_first[i] = codes_count;
        for (uint32_t k = 0; k < decoder->steps[i].field->categories_count; k++)
            state->codes[codes_count++] = (int32_t)k;
    }
    state->head = (ride_binary_header){.columns_count = spec->fields_count,
                                       .row_bytes = at,
                                       .validity_bytes = (nullables + 7) / 8,
                                       .strings_count = strings};
    if (at > decoder->source->record_bytes_max)
        return ride_fail(err, RIDE_E_UNSUPPORTED, "a binary record of %s takes %u bytes, more than the limit of %zu",
                         decoder->source->path, at, decoder->source->record_bytes_max);
    return RIDE_OK;
}

/* An integer of any width: as int64, or as uint64 with *is_u64 when only that holds it. */
static int64_t load_integer(const uint8_t *p, uint32_t type, bool *too_big) {
    *too_big = false;
    switch (type) {
    case RIDE_FIELD_U8: return p[0];
    case RIDE_FIELD_I8: return (int8_t)p[0];
    case RIDE_FIELD_U16: return load16(p);
    case RIDE_FIELD_I16: return (int16_t)load16(p);
    case RIDE_FIELD_U32: return load32(p);
    case RIDE_FIELD_I32: return (int32_t)load32(p);
    case RIDE_FIELD_U64: *too_big = load64(p) > INT64_MAX; return (int64_t)load64(p);
    default: return (int64_t)load64(p);
    }
}

static ride_reject_reason read_decimal(const ride_step *step, const wire_column *column, const uint8_t *p,
                                       ride_value *out) {
    out->i = (int64_t)load64(p);
    for (int32_t scale = column->scale; scale < step->field->scale; scale++)
        if (__builtin_mul_overflow(out->i, INT64_C(10), &out->i)) return RIDE_REJECT_OUT_OF_RANGE;
    return ride_value_check(step, out);
}

static ride_reject_reason read_value(const ride_decoder *decoder, uint32_t step_index, const uint8_t *row,
                                     ride_value *out) {
    const binary *state = decoder->format_data;
    const ride_step *step = &decoder->steps[step_index];
    const wire_column *column = &state->columns[step->position];
    const uint8_t *p = row + column->place;
    out->is_null = column->validity >= 0 && !ride_bit_get(row, (uint32_t)column->validity);
    if (!out->is_null && (column->type == RIDE_FIELD_F32 || column->type == RIDE_FIELD_F64)) {
        float narrow;
        memcpy(&narrow, p, sizeof narrow);
        if (column->type == RIDE_FIELD_F32) out->f = narrow;
        else memcpy(&out->f, p, sizeof out->f);
        out->is_null = out->f != out->f && step->nullable;
        if (!out->is_null) return ride_value_check(step, out);
    }
    if (out->is_null) return step->nullable ? RIDE_REJECT_NONE : RIDE_REJECT_MISSING_VALUE;
    switch (column->type) {
    case RIDE_FIELD_STRING:
        return ride_value_read(step, &decoder->zone, (const char *)row + state->strings_offset[column->string],
                               load32(p), out);
    case RIDE_FIELD_CATEGORY: {
        uint32_t code = load32(p);
        out->i = code < column->texts_count ? state->codes[state->codes_first[step_index] + code] : -1;
        return out->i < 0 ? RIDE_REJECT_UNKNOWN_CATEGORY : ride_value_check(step, out);
    }
    case RIDE_FIELD_DECIMAL: return read_decimal(step, column, p, out);
    case RIDE_FIELD_TIMESTAMP: out->i = (int64_t)load64(p); return ride_value_check(step, out);
    case RIDE_FIELD_BOOL: out->i = p[0]; return p[0] > 1 ? RIDE_REJECT_NOT_BOOL : ride_value_check(step, out);
    default: break;
    }
    bool too_big;
    out->i = load_integer(p, column->type, &too_big);
    if (step->type == RIDE_FIELD_U64) {
        if (!too_big && out->i < 0 && column->type != RIDE_FIELD_U64) return RIDE_REJECT_OUT_OF_RANGE;
        return ride_value_check(step, out); /* the same bits */
    }
    if (too_big) return step->type == RIDE_FIELD_TIMESTAMP ? RIDE_REJECT_TIME_OUT_OF_RANGE : RIDE_REJECT_OUT_OF_RANGE;
    if (step->type == RIDE_FIELD_TIMESTAMP) {
        ride_reject_reason reason = ride_time_from_units(step->unit, out->i, &out->i);
        if (reason != RIDE_REJECT_NONE) return reason;
    }
    if (step->type == RIDE_FIELD_BOOL && (out->i < 0 || out->i > 1)) return RIDE_REJECT_NOT_BOOL;
    return ride_value_check(step, out);
}

/* The length of the whole record at `row`, of which `room` bytes are there; 0 when more are needed to tell. */
static uint64_t record_bytes(binary *state, const uint8_t *row, size_t room) {
    uint64_t bytes = state->head.row_bytes;
    if (room < bytes) return 0;
    for (uint32_t i = 0; i < state->head.strings_count; i++) {
        state->strings_offset[i] = (uint32_t)bytes;
        bytes += load32(row + state->string_places[i]);
        if (bytes > UINT32_MAX) return UINT32_MAX;
    }
    return bytes;
}

static ride_status fail_record(const ride_decoder *decoder, const char *why, ride_error *err) {
    ride_fail(err, RIDE_E_CORRUPT, "the binary input %s", why);
    ride_error_where(err, "%s, record %llu, byte %llu", decoder->source->path, (unsigned long long)decoder->line,
                     (unsigned long long)decoder->source->begin_offset);
    return RIDE_E_CORRUPT;
}

/* Appends the row, or refuses it (RIDE_PUT_REFUSED, with the reason). */
static ride_put take_row(ride_decoder *decoder, ride_batch *batch, int64_t time_stop_us, ride_row_origin *origins,
                         const uint8_t *row, uint64_t bytes, ride_reject_reason *reason) {
    const binary *state = decoder->format_data;
    const ride_step *step = NULL;
    *reason = RIDE_REJECT_NONE;
    for (uint32_t i = 0; i < decoder->steps_count && *reason == RIDE_REJECT_NONE; i++) {
        step = &decoder->steps[i];
        *reason = read_value(decoder, i, row, &decoder->values[i]);
    }
    if (*reason == RIDE_REJECT_NONE) {
        ride_put put = ride_decoder_put(decoder, batch, time_stop_us, origins, row, bytes);
        if (put != RIDE_PUT_REFUSED) return put;
        *reason = RIDE_REJECT_STRING_TOO_LONG;
        step = NULL;
    }
    /* a record's bytes say nothing to a reader of dead letters */
    ride_decoder_refuse(decoder, *reason, step != NULL ? state->columns[step->position].place + 1 : 0,
                        step != NULL ? step->field : NULL, "", 0, true);
    return RIDE_PUT_REFUSED;
}

static ride_status binary_decode(ride_decoder *decoder, ride_batch *batch, uint32_t rows_max, int64_t time_stop_us,
                                 ride_row_origin *origins, ride_error *err) {
    binary *state = decoder->format_data;
    ride_source *source = decoder->source;
    rows_max = ride_decoder_room(batch, rows_max);
    uint32_t rows_before = batch->rows_count, rows_end = rows_before + rows_max;
    while (batch->rows_count < rows_end) {
        size_t unread = ride_source_unread(source);
        const uint8_t *row = source->data + source->begin;
        uint64_t bytes = record_bytes(state, row, unread);
        if (bytes > source->record_bytes_max)
            return fail_record(decoder, "has a record that is longer than the limit", err);
        if (bytes == 0 || bytes > unread) {
            if (source->at_end && unread == 0) return RIDE_END;
            if (source->at_end) return fail_record(decoder, "ends within a record", err);
            if (source->is_stream && batch->rows_count > rows_before) return RIDE_OK;
            RIDE_TRY(ride_source_fill(source, err));
            continue;
        }
        ride_reject_reason reason;
        ride_put put = take_row(decoder, batch, time_stop_us, origins, row, bytes, &reason);
        if (put == RIDE_PUT_HELD || put == RIDE_PUT_FULL) return RIDE_OK;
        ride_source_consume(source, bytes);
        decoder->line++;
    }
    return source->at_end && ride_source_unread(source) == 0 ? RIDE_END : RIDE_OK;
}

static ride_put binary_record(ride_decoder *decoder, ride_batch *batch, ride_reject_reason *reason) {
    const uint8_t *row = decoder->source->data + decoder->source->begin;
    size_t bytes = ride_source_unread(decoder->source);
    if (record_bytes(decoder->format_data, row, bytes) == bytes)
        return take_row(decoder, batch, INT64_MAX, NULL, row, bytes, reason);
    *reason = RIDE_REJECT_BAD_RECORD;
    ride_decoder_refuse(decoder, *reason, 0, NULL, "", 0, true);
    return RIDE_PUT_REFUSED;
}

const ride_decoder_ops ride_decoder_binary = {"binary",      binary_open,         binary_close,
                                              binary_decode, binary_open_records, binary_record};
