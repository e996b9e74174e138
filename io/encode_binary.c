/* io/encode_binary.c: the binary record (docs/binary.md). Without strings, rows of one size are written column by column into
 * the sink's buffer; with strings, row by row. */
#include "base/assert.h"
#include "io/binary.h"
#include "io/encoder_internal.h"

#include <stdlib.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum { DOUBLES_ROWS = 16 /* whose bytes are in the nearest cache while their columns are written */ };

static uint32_t wire_type(const ride_out_column *column) {
    if (column->cell == RIDE_CELL_CONSTANT || column->cell == RIDE_CELL_TEXTS) return RIDE_FIELD_CATEGORY;
    if (column->column.field_type != 0 && column->column.field_type != RIDE_FIELD_CATEGORY)
        return column->column.field_type;
    switch (column->type) {
    case RIDE_TYPE_BOOL: return RIDE_FIELD_BOOL;
    case RIDE_TYPE_I64: return RIDE_FIELD_I64;
    case RIDE_TYPE_U64: return RIDE_FIELD_U64;
    case RIDE_TYPE_F64: return RIDE_FIELD_F64;
    case RIDE_TYPE_DECIMAL: return RIDE_FIELD_DECIMAL;
    case RIDE_TYPE_TIMESTAMP: return RIDE_FIELD_TIMESTAMP;
    case RIDE_TYPE_STRING: return RIDE_FIELD_STRING;
    case RIDE_TYPE_U32: return RIDE_FIELD_U32;
    case RIDE_TYPE_F32: return RIDE_FIELD_F32;
    default: return RIDE_BINARY_TYPE_HASH;
    }
}

/* Can the tile's type be written as that? Ours to get right. */
static bool writable(uint32_t type, uint32_t wire) {
    switch (wire) {
    case RIDE_FIELD_F32: return type == RIDE_TYPE_F64 || type == RIDE_TYPE_F32;
    case RIDE_FIELD_F64: return type == RIDE_TYPE_F64;
    case RIDE_FIELD_BOOL: return type == RIDE_TYPE_BOOL;
    case RIDE_FIELD_DECIMAL: return type == RIDE_TYPE_DECIMAL;
    case RIDE_FIELD_STRING: return type == RIDE_TYPE_STRING;
    case RIDE_FIELD_TIMESTAMP: return type == RIDE_TYPE_TIMESTAMP;
    case RIDE_BINARY_TYPE_HASH: return type == RIDE_TYPE_KEY128;
    case RIDE_FIELD_CATEGORY: return true;
    default: return type == RIDE_TYPE_I64 || type == RIDE_TYPE_U64 || type == RIDE_TYPE_U32;
    }
}

static bool has_bit(const ride_encoder *encoder, const ride_out_column *column) {
    if (column->cell == RIDE_CELL_TEXTS) return true; /* a value beyond the texts is null */
    if (column->cell == RIDE_CELL_CONSTANT) return column->column.constant == NULL;
    bool nullable = encoder->layouts[column->column.set]->columns[column->column.column].validity_offset != 0;
    return nullable && column->wire_type != RIDE_FIELD_F64 && column->wire_type != RIDE_FIELD_F32;
}

static void texts_of(const ride_out_column *column, const char *const **texts, uint32_t *count) {
    *texts = column->column.texts;
    *count = column->cell == RIDE_CELL_TEXTS ? column->column.texts_count : 0;
    if (column->cell == RIDE_CELL_CONSTANT && column->column.constant != NULL) {
        *texts = &column->column.constant;
        *count = 1;
    }
}

static void store(uint8_t **to, uint64_t value, size_t bytes) {
    memcpy(*to, &value, bytes); /* little-endian */
    *to += bytes;
}

static ride_status write_header(ride_encoder *encoder, uint32_t strings, ride_error *err) {
    size_t bytes = RIDE_BINARY_HEADER_BYTES;
    const char *const *texts;
    uint32_t texts_count;
    for (uint32_t i = 0; i < encoder->columns_count; i++) {
        const ride_out_column *column = &encoder->columns[i];
        texts_of(column, &texts, &texts_count);
        bytes += RIDE_BINARY_COLUMN_BYTES + strlen(column->column.name);
        for (uint32_t k = 0; k < texts_count; k++) bytes += 2 + strlen(texts[k]);
        RIDE_ASSERT(strlen(column->column.name) <= UINT16_MAX && texts_count <= UINT16_MAX);
    }
    bytes = (bytes + 7) / 8 * 8;
    if (bytes > RIDE_BINARY_HEADER_BYTES_MAX)
        return ride_fail(err, RIDE_E_UNSUPPORTED, "the header of the binary output would be %zu bytes", bytes);
    uint8_t *header = calloc(1, bytes), *to = header;
    if (header == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for an encoder");
    memcpy(to, RIDE_BINARY_MAGIC, RIDE_BINARY_MAGIC_BYTES);
    to += RIDE_BINARY_MAGIC_BYTES;
    store(&to, RIDE_BINARY_VERSION, 4);
    store(&to, bytes, 4);
    to += 8; /* the hash */
    store(&to, encoder->columns_count, 4);
    store(&to, encoder->wire_row_bytes, 4);
    store(&to, encoder->wire_validity_bytes, 4);
    store(&to, strings, 4);
    for (uint32_t i = 0; i < encoder->columns_count; i++) {
        const ride_out_column *column = &encoder->columns[i];
        size_t name = strlen(column->column.name);
        texts_of(column, &texts, &texts_count);
        store(&to, column->wire_type, 1);
        store(&to, column->wire_validity >= 0 ? RIDE_BINARY_NULLABLE : 0, 1);
        store(&to, column->wire_type == RIDE_FIELD_DECIMAL ? (uint64_t)column->column.scale : 0, 2);
        store(&to, column->wire_place, 4);
        store(&to, name, 2);
        store(&to, texts_count, 2);
        memcpy(to, column->column.name, name);
        to += name;
        for (uint32_t k = 0; k < texts_count; k++) {
            size_t text = strlen(texts[k]);
            store(&to, text, 2);
            memcpy(to, texts[k], text);
            to += text;
        }
    }
    uint64_t hash = ride_binary_hash(header + RIDE_BINARY_HASHED_FROM, bytes - RIDE_BINARY_HASHED_FROM);
    memcpy(header + RIDE_BINARY_HASHED_FROM - sizeof hash, &hash, sizeof hash);
    ride_status st = ride_sink_write(encoder->sink, header, bytes);
    free(header);
    if (st != RIDE_OK) ride_sink_flush(encoder->sink, err);
    return st;
}

ride_status ride_encode_binary_open(ride_encoder *encoder, bool no_header, ride_error *err) {
    uint32_t nullables = 0, strings = 0;
    for (uint32_t i = 0; i < encoder->columns_count; i++) {
        ride_out_column *column = &encoder->columns[i];
        column->wire_type = wire_type(column);
        RIDE_ASSERT(column->cell == RIDE_CELL_CONSTANT || writable(column->type, column->wire_type));
        column->wire_validity = has_bit(encoder, column) ? (int32_t)nullables++ : -1;
        strings += column->wire_type == RIDE_FIELD_STRING;
    }
    encoder->wire_validity_bytes = (nullables + 7) / 8;
    encoder->wire_row_bytes = encoder->wire_validity_bytes;
    for (uint32_t i = 0; i < encoder->columns_count; i++) {
        encoder->columns[i].wire_place = encoder->wire_row_bytes;
        encoder->wire_row_bytes += ride_binary_type_bytes(encoder->columns[i].wire_type);
    }
    return no_header ? RIDE_OK : write_header(encoder, strings, err);
}

#define PUT_ALL(TYPE, EXPRESSION)                                                                                      \
    do {                                                                                                               \
        for (uint32_t i = 0; i < rows_count; i++, to += stride) {                                                      \
            const uint32_t row = rows[i];                                                                              \
            TYPE value = (TYPE)(EXPRESSION);                                                                           \
            memcpy(to, &value, sizeof value);                                                                          \
        }                                                                                                              \
        return;                                                                                                        \
    } while (0)

static uint64_t integer(const ride_out_column *column, uint32_t row) {
    return column->type == RIDE_TYPE_U32 ? ((const uint32_t *)column->values)[row]
                                         : ((const uint64_t *)column->values)[row];
}
static double canonical(double value) { return value == value ? value : __builtin_nan(""); }

/* A column's values of all rows, without regard to nulls but for NaN. */
static void put_values(const ride_out_column *column, const uint8_t *rows, uint32_t rows_count, uint8_t *to,
                       size_t stride) {
    const void *values = column->values;
    switch (column->wire_type) {
    case RIDE_FIELD_BOOL: PUT_ALL(uint8_t, ((const uint8_t *)values)[row] != 0);
    case RIDE_FIELD_U8:
    case RIDE_FIELD_I8: PUT_ALL(uint8_t, integer(column, row));
    case RIDE_FIELD_U16:
    case RIDE_FIELD_I16: PUT_ALL(uint16_t, integer(column, row));
    case RIDE_FIELD_U32:
    case RIDE_FIELD_I32: PUT_ALL(uint32_t, integer(column, row));
    case RIDE_FIELD_U64:
    case RIDE_FIELD_I64: PUT_ALL(uint64_t, integer(column, row));
    case RIDE_FIELD_DECIMAL:
    case RIDE_FIELD_TIMESTAMP: PUT_ALL(int64_t, ((const int64_t *)values)[row]);
    case RIDE_FIELD_F64:
        PUT_ALL(double, canonical(ride_cell_valid(column, row) ? ((const double *)values)[row] : __builtin_nan("")));
    case RIDE_FIELD_F32:
        if (column->type == RIDE_TYPE_F32)
            PUT_ALL(float,
                    canonical(ride_cell_valid(column, row) ? (double)((const float *)values)[row] : __builtin_nan("")));
        PUT_ALL(float, canonical(ride_cell_valid(column, row) ? ((const double *)values)[row] : __builtin_nan("")));
    case RIDE_BINARY_TYPE_HASH: PUT_ALL(ride_key128, ((const ride_key128 *)values)[row]);
    case RIDE_FIELD_STRING: PUT_ALL(uint32_t, ((const ride_slice *)values)[row].bytes);
    default: /* a category */
        if (column->cell == RIDE_CELL_CONSTANT) PUT_ALL(uint32_t, row * 0);
        if (column->type == RIDE_TYPE_BOOL) PUT_ALL(uint32_t, ((const uint8_t *)values)[row]);
        PUT_ALL(uint32_t, integer(column, row));
    }
}

/* Sets the validity bits, and zeroes what is null. */
static void put_validity(const ride_out_column *column, const uint8_t *rows, uint32_t rows_count, uint8_t *first,
                         size_t stride) {
    for (uint32_t i = 0; i < rows_count; i++, first += stride) {
        bool valid = column->cell != RIDE_CELL_CONSTANT && ride_cell_valid(column, rows[i]);
        if (valid && column->cell == RIDE_CELL_TEXTS) valid = ride_cell_text(column, rows[i]) != NULL;
        if (valid) ride_bit_set(first, (uint32_t)column->wire_validity);
        else memset(first + column->wire_place, 0, ride_binary_type_bytes(column->wire_type));
    }
}

/* Doubles of rows that lie side by side, two columns and two rows at once where the machine can: the one common case. NaN is
 * made canonical as above. Returns how many columns from c on were written. */
static uint32_t put_doubles(const ride_encoder *encoder, uint32_t c, uint32_t row_first, uint32_t rows_count,
                            uint8_t *to, size_t stride) {
    uint32_t end = c;
    while (end < encoder->columns_count && encoder->columns[end].wire_type == RIDE_FIELD_F64 &&
           encoder->columns[end].type == RIDE_TYPE_F64 && encoder->columns[end].validity == NULL &&
           encoder->columns[end].wire_validity < 0)
        end++;
    if (end - c < 2) return 0;
    for (uint32_t first = 0; first < rows_count; first += DOUBLES_ROWS) {
        uint32_t n = rows_count - first < DOUBLES_ROWS ? rows_count - first : DOUBLES_ROWS;
        for (uint32_t k = c; k < end; k += 2) {
            if (k + 1 == end) k--; /* an odd last one is written together with the one before, again */
            const double *a = (const double *)encoder->columns[k].values + row_first + first,
                         *b = (const double *)encoder->columns[k + 1].values + row_first + first;
            uint8_t *at = to + first * stride + encoder->columns[k].wire_place;
            uint32_t i = 0;
#if defined(__SSE2__)
            const __m128d null = _mm_set1_pd(__builtin_nan(""));
            for (; i + 2 <= n; i += 2, at += 2 * stride) {
                __m128d x = _mm_loadu_pd(a + i), y = _mm_loadu_pd(b + i);
                __m128d x_is = _mm_cmpord_pd(x, x), y_is = _mm_cmpord_pd(y, y);
                x = _mm_or_pd(_mm_and_pd(x_is, x), _mm_andnot_pd(x_is, null));
                y = _mm_or_pd(_mm_and_pd(y_is, y), _mm_andnot_pd(y_is, null));
                _mm_storeu_pd((double *)(void *)at, _mm_unpacklo_pd(x, y));
                _mm_storeu_pd((double *)(void *)(at + stride), _mm_unpackhi_pd(x, y));
            }
#endif
            for (; i < n; i++, at += stride) {
                double both[2] = {canonical(a[i]), canonical(b[i])};
                memcpy(at, both, sizeof both);
            }
        }
    }
    return end - c;
}

static bool side_by_side(const uint8_t *rows, uint32_t rows_count) {
    uint32_t others = 0;
    for (uint32_t i = 0; i < rows_count; i++) others |= rows[i] ^ (rows[0] + i);
    return others == 0;
}

static void put_rows(const ride_encoder *encoder, const uint8_t *rows, uint32_t rows_count, uint8_t *to) {
    size_t stride = encoder->wire_row_bytes;
    if (encoder->wire_validity_bytes > 0)
        for (uint32_t i = 0; i < rows_count; i++) memset(to + i * stride, 0, encoder->wire_validity_bytes);
    bool dense = side_by_side(rows, rows_count);
    for (uint32_t c = 0; c < encoder->columns_count; c++) {
        const ride_out_column *column = &encoder->columns[c];
        uint32_t doubles = dense ? put_doubles(encoder, c, rows[0], rows_count, to, stride) : 0;
        if (doubles > 0) {
            c += doubles - 1;
            continue;
        }
        put_values(column, rows, rows_count, to + column->wire_place, stride);
        if (column->wire_validity >= 0) put_validity(column, rows, rows_count, to, stride);
    }
}

ride_status ride_encode_binary(ride_encoder *encoder, const uint8_t *rows, uint32_t rows_count) {
    ride_sink *sink = encoder->sink;
    uint32_t most = encoder->has_strings ? 1 : (uint32_t)(sink->buffer_bytes / encoder->wire_row_bytes);
    while (rows_count > 0) {
        uint32_t count = rows_count < most ? rows_count : most;
        uint8_t *to = ride_sink_reserve(sink, (size_t)count * encoder->wire_row_bytes);
        if (to == NULL) return sink->failed;
        put_rows(encoder, rows, count, to);
        ride_sink_commit(sink, (size_t)count * encoder->wire_row_bytes);
        for (uint32_t c = 0; encoder->has_strings && c < encoder->columns_count; c++) {
            const ride_out_column *column = &encoder->columns[c];
            if (column->cell != RIDE_CELL_STRING || !ride_cell_valid(column, rows[0])) continue;
            const ride_slice *slice = &((const ride_slice *)column->values)[rows[0]];
            if (slice->bytes > 0) RIDE_TRY(ride_sink_write(sink, column->arena + slice->offset, slice->bytes));
        }
        rows += count;
        rows_count -= count;
    }
    return RIDE_OK;
}
