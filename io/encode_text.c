/* io/encode_text.c: CSV and NDJSON rows. A row is written cell by cell straight into the sink's buffer, for which its room was
 * reserved once; only a string too long for that room goes through the sink in pieces.
 *
 * Doubles are the cost of it all. Most features are small counts and flags: whole numbers below 1,000 are copied from a
 * table. What else came lately is looked up by its bits; the rest is base/number.h's. */
#include "io/encoder_internal.h"

#include "base/number.h"
#include "io/time_text.h"

#include <math.h>
#include <string.h>

static const char hex_digits[16] = "0123456789abcdef";

/* Bytes that make CSV quote a text, and JSON escape one. */
static inline bool csv_special(uint8_t c) { return c == ',' || c == '"' || c == '\n' || c == '\r'; }
static inline bool json_special(uint8_t c) { return c < 0x20 || c == '"' || c == '\\'; }

/* Eight bytes at once: is there any like that? (Which one cannot be told from it.) */
#define EACH_BYTE UINT64_C(0x0101010101010101)
static inline uint64_t any_below(uint64_t eight, uint8_t c) {
    return (eight - EACH_BYTE * c) & ~eight & EACH_BYTE * 0x80;
}
static inline uint64_t any_is(uint64_t eight, uint8_t c) { return any_below(eight ^ EACH_BYTE * c, 1); }
static inline bool json_any_special(const char *text) {
    uint64_t eight;
    memcpy(&eight, text, sizeof eight);
    return (any_below(eight, 0x20) | any_is(eight, '"') | any_is(eight, '\\')) != 0;
}
static inline bool csv_any_special(const char *text) {
    uint64_t eight;
    memcpy(&eight, text, sizeof eight);
    return (any_is(eight, ',') | any_is(eight, '"') | any_is(eight, '\n') | any_is(eight, '\r')) != 0;
}

static char *json_escape_byte(uint8_t c, char *to) {
    if (!json_special(c)) {
        *to++ = (char)c;
        return to;
    }
    *to++ = '\\';
    switch (c) {
    case '"':
    case '\\': *to++ = (char)c; return to;
    case '\n': *to++ = 'n'; return to;
    case '\r': *to++ = 'r'; return to;
    case '\t': *to++ = 't'; return to;
    default:
        memcpy(to, "u00", 3);
        to[3] = hex_digits[c >> 4];
        to[4] = hex_digits[c & 15];
        return to + 5;
    }
}

/* Text within quotes, as JSON escapes it; without the quotes. */
static char *json_escape(const char *text, size_t bytes, char *to) {
    for (size_t i = 0; i < bytes;) {
        if (bytes - i >= 8 && !json_any_special(text + i)) {
            memcpy(to, text + i, 8);
            i += 8;
            to += 8;
            continue;
        }
        for (size_t end = bytes - i < 8 ? bytes : i + 8; i < end; i++) to = json_escape_byte((uint8_t)text[i], to);
    }
    return to;
}
static char *csv_escape(const char *text, size_t bytes, char *to) {
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '"') *to++ = '"';
        *to++ = text[i];
    }
    return to;
}
static bool csv_needs_quotes(const char *text, size_t bytes) {
    size_t i = 0;
    for (; bytes - i >= 8; i += 8)
        if (csv_any_special(text + i)) return true;
    for (; i < bytes; i++)
        if (csv_special((uint8_t)text[i])) return true;
    return bytes == 0; /* nothing at all is null */
}

size_t ride_csv_quote(const char *text, size_t bytes, char *to) {
    if (!csv_needs_quotes(text, bytes)) {
        memcpy(to, text, bytes);
        return bytes;
    }
    char *at = to;
    *at++ = '"';
    at = csv_escape(text, bytes, at);
    *at++ = '"';
    return (size_t)(at - to);
}
size_t ride_json_quote(const char *text, size_t bytes, char *to) {
    char *at = to;
    *at++ = '"';
    at = json_escape(text, bytes, at);
    *at++ = '"';
    return (size_t)(at - to);
}

void ride_encode_text_open(ride_encoder *encoder) {
    for (uint32_t i = 0; i < RIDE_WHOLES; i++) {
        char text[RIDE_NUMBER_BYTES];
        size_t bytes = ride_u64_to_text(i, text);
        memcpy(encoder->wholes[i].text, text, bytes);
        encoder->wholes[i].bytes = (uint8_t)bytes;
    }
}

static inline char *put_whole(const ride_encoder *encoder, char *to, uint32_t value) {
    memcpy(to, &encoder->wholes[value], 4); /* one byte too many: it is overwritten */
    return to + encoder->wholes[value].bytes;
}

static char *put_other_double(ride_encoder *encoder, double value, uint64_t bits, char *to) {
    if (value > -1 && value < 1) { /* a share: the same few come again and again; averages hardly do */
        ride_double_text *known = &encoder->doubles[bits * UINT64_C(0x9E3779B97F4A7C15) >> (64 - RIDE_DOUBLES_LOG)];
        if (known->bits == bits && known->bytes != 0) {
            memcpy(to, known->text, sizeof known->text);
            return to + known->bytes;
        }
        size_t bytes = ride_double_to_text(value, to);
        if (bytes <= sizeof known->text) {
            known->bits = bits;
            known->bytes = (uint8_t)bytes;
            memcpy(known->text, to, bytes);
        }
        return to + bytes;
    }
    if (isinf(value)) {
        memcpy(to, "-inf", 4);
        return value < 0 ? to + 4 : (char *)memcpy(to, "inf", 3) + 3;
    }
    return to + ride_double_to_text(value, to);
}

/* Not NaN. */
RIDE_INLINE char *put_double(ride_encoder *encoder, double value, char *to) {
    uint64_t bits, whole_bits;
    memcpy(&bits, &value, sizeof bits);
    if (value >= 0 && value < RIDE_WHOLES) {
        uint32_t whole = (uint32_t)value;
        double back = whole;
        memcpy(&whole_bits, &back, sizeof whole_bits);
        if (whole_bits == bits) return put_whole(encoder, to, whole); /* not so for -0 */
    }
    return put_other_double(encoder, value, bits, to);
}

static inline char *put_u64(const ride_encoder *encoder, uint64_t value, char *to) {
    return value < RIDE_WHOLES ? put_whole(encoder, to, (uint32_t)value) : to + ride_u64_to_text(value, to);
}

static char *put_hex(uint64_t value, char *to) {
    for (int shift = 60; shift >= 0; shift -= 4) *to++ = hex_digits[value >> shift & 15];
    return to;
}

static char *put_time(int64_t value, ride_time_unit unit, bool json, char *to) {
    switch (unit) {
    case RIDE_UNIT_ISO8601:
        if (json) *to++ = '"';
        to += ride_time_to_iso8601(value, to);
        if (json) *to++ = '"';
        return to;
    case RIDE_UNIT_S: return to + ride_i64_to_text(value / 1000000 - (value % 1000000 < 0), to);
    case RIDE_UNIT_MS: return to + ride_i64_to_text(value / 1000 - (value % 1000 < 0), to);
    default: break;
    }
    to += ride_i64_to_text(value, to);
    if (unit == RIDE_UNIT_NS && value != 0) { /* as text it cannot overflow */
        memcpy(to, "000", 3);
        to += 3;
    }
    return to;
}

/* A string for which no room was reserved: what is written so far is handed over, then the string in pieces, then room
 * for the rest of the row is reserved anew. NULL when the sink has failed. */
static char *put_long_string(ride_encoder *encoder, const char *text, size_t bytes, bool json, char *row, char *to) {
    ride_sink *sink = encoder->sink;
    bool quotes = json || csv_needs_quotes(text, bytes);
    if (quotes) *to++ = '"';
    ride_sink_commit(sink, (size_t)(to - row));
    while (bytes > 0) {
        size_t piece = bytes < RIDE_STRING_ROOM ? bytes : RIDE_STRING_ROOM;
        char *from = (char *)ride_sink_reserve(sink, 6 * RIDE_STRING_ROOM), *end;
        if (from == NULL) return NULL;
        if (json) end = json_escape(text, piece, from);
        else if (quotes) end = csv_escape(text, piece, from);
        else end = (char *)memcpy(from, text, piece) + piece;
        ride_sink_commit(sink, (size_t)(end - from));
        text += piece;
        bytes -= piece;
    }
    char *again = (char *)ride_sink_reserve(sink, encoder->row_room);
    if (again == NULL) return NULL;
    if (quotes) *again++ = '"';
    return again;
}

/* One cell that is not null. *row is where the row's unhanded bytes begin. NULL when the sink has failed. */
static inline char *put_cell(ride_encoder *encoder, const ride_out_column *column, uint32_t row_index, bool json,
                             char **row, char *to) {
    switch (column->cell) {
    case RIDE_CELL_F64: return put_double(encoder, ((const double *)column->values)[row_index], to);
    case RIDE_CELL_U64: return put_u64(encoder, ((const uint64_t *)column->values)[row_index], to);
    case RIDE_CELL_U32: return put_u64(encoder, ((const uint32_t *)column->values)[row_index], to);
    case RIDE_CELL_I64: {
        int64_t value = ((const int64_t *)column->values)[row_index];
        return value >= 0 ? put_u64(encoder, (uint64_t)value, to) : to + ride_i64_to_text(value, to);
    }
    case RIDE_CELL_BOOL: {
        bool value = ((const uint8_t *)column->values)[row_index] != 0;
        if (!json) {
            *to = value ? '1' : '0';
            return to + 1;
        }
        memcpy(to, value ? "true" : "false", 5);
        return to + (value ? 4 : 5);
    }
    case RIDE_CELL_DECIMAL:
        return to +
               ride_decimal_to_text(((const int64_t *)column->values)[row_index], (uint32_t)column->column.scale, to);
    case RIDE_CELL_TIME: return put_time(((const int64_t *)column->values)[row_index], column->column.unit, json, to);
    case RIDE_CELL_F32: return to + ride_float_to_text(((const float *)column->values)[row_index], to);
    case RIDE_CELL_HASH: {
        const ride_key128 *key = &((const ride_key128 *)column->values)[row_index];
        if (json) *to++ = '"';
        to = put_hex(key->lo, put_hex(key->hi, to));
        if (json) *to++ = '"';
        return to;
    }
    case RIDE_CELL_HEX:
        if (json) *to++ = '"';
        to = put_hex(((const uint64_t *)column->values)[row_index], to);
        if (json) *to++ = '"';
        return to;
    case RIDE_CELL_TEXTS: {
        const char *text = ride_cell_text(column, row_index);
        return to + (json ? ride_json_quote(text, strlen(text), to) : ride_csv_quote(text, strlen(text), to));
    }
    case RIDE_CELL_STRING: {
        const ride_slice *slice = &((const ride_slice *)column->values)[row_index];
        const char *text = slice->bytes > 0 ? column->arena + slice->offset : "";
        if (slice->bytes > RIDE_STRING_ROOM) {
            to = put_long_string(encoder, text, slice->bytes, json, *row, to);
            if (to != NULL) *row = (char *)encoder->sink->buffer + encoder->sink->used;
            return to;
        }
        return to + (json ? ride_json_quote(text, slice->bytes, to) : ride_csv_quote(text, slice->bytes, to));
    }
    default: memcpy(to, column->constant, column->constant_bytes); return to + column->constant_bytes;
    }
}

/* A NaN is null; JSON has no infinity either. */
static inline bool cell_is_null(const ride_out_column *column, uint32_t row, bool json) {
    if (!ride_cell_valid(column, row)) return true;
    double value;
    switch (column->cell) {
    case RIDE_CELL_F64: value = ((const double *)column->values)[row]; break;
    case RIDE_CELL_F32: value = ((const float *)column->values)[row]; break;
    case RIDE_CELL_TEXTS: return ride_cell_text(column, row) == NULL;
    default: return false;
    }
    return isnan(value) || (json && isinf(value));
}

ride_status ride_encode_csv(ride_encoder *encoder, const uint8_t *rows, uint32_t rows_count) {
    for (uint32_t i = 0; i < rows_count; i++) {
        char *row = (char *)ride_sink_reserve(encoder->sink, encoder->row_room), *to = row;
        if (row == NULL) return encoder->sink->failed;
        for (uint32_t c = 0; c < encoder->columns_count; c++) {
            const ride_out_column *column = &encoder->columns[c];
            if (column->cell == RIDE_CELL_F64 && column->validity == NULL && encoder->columns_count > 1) {
                double value = ((const double *)column->values)[rows[i]]; /* most cells of most outputs */
                if (RIDE_LIKELY(value == value)) to = put_double(encoder, value, to);
            } else if (!cell_is_null(column, rows[i], false)) {
                to = put_cell(encoder, column, rows[i], false, &row, to);
                if (to == NULL) return encoder->sink->failed;
            } else if (encoder->columns_count == 1) { /* a blank line is no row */
                *to++ = '"';
                *to++ = '"';
            }
            *to++ = ',';
        }
        to[-1] = '\n';
        ride_sink_commit(encoder->sink, (size_t)(to - row));
    }
    return RIDE_OK;
}

/* A member and its value. NULL when the sink has failed. */
static inline char *put_member(ride_encoder *encoder, const ride_out_column *column, uint32_t row_index, char **row,
                               char *to) {
    memcpy(to, column->key, column->key_bytes);
    to += column->key_bytes;
    if (!cell_is_null(column, row_index, true)) return put_cell(encoder, column, row_index, true, row, to);
    memcpy(to, "null", 4);
    return to + 4;
}

/* The list that the column begins. */
static char *put_list(ride_encoder *encoder, const ride_out_column *columns, uint32_t row_index, char **row, char *to) {
    bool any = false;
    memcpy(to, columns->list_key, columns->list_key_bytes);
    to += columns->list_key_bytes;
    for (uint32_t c = 0; c < columns->list_columns; c += columns->item_columns) {
        if (cell_is_null(&columns[c], row_index, true)) continue;
        if (any) *to++ = ',';
        any = true;
        for (uint32_t i = 0; i < columns->item_columns; i++) {
            to = put_member(encoder, &columns[c + i], row_index, row, to);
            if (to == NULL) return NULL;
        }
        *to++ = '}';
    }
    *to++ = ']';
    return to;
}

ride_status ride_encode_ndjson(ride_encoder *encoder, const uint8_t *rows, uint32_t rows_count) {
    for (uint32_t i = 0; i < rows_count; i++) {
        char *row = (char *)ride_sink_reserve(encoder->sink, encoder->row_room), *to = row;
        if (row == NULL) return encoder->sink->failed;
        for (uint32_t c = 0; c < encoder->columns_count; c++) {
            const ride_out_column *column = &encoder->columns[c];
            if (column->list_columns > 0) {
                to = put_list(encoder, column, rows[i], &row, to);
                c += column->list_columns - 1;
            } else to = put_member(encoder, column, rows[i], &row, to);
            if (to == NULL) return encoder->sink->failed;
        }
        *to++ = '}';
        *to++ = '\n';
        ride_sink_commit(encoder->sink, (size_t)(to - row));
    }
    return RIDE_OK;
}

ride_status ride_encode_csv_header(ride_encoder *encoder) {
    for (uint32_t c = 0; c < encoder->columns_count; c++) {
        RIDE_TRY(ride_sink_write(encoder->sink, encoder->columns[c].key, encoder->columns[c].key_bytes));
        RIDE_TRY(ride_sink_write(encoder->sink, c + 1 < encoder->columns_count ? "," : "\n", 1));
    }
    return RIDE_OK;
}
