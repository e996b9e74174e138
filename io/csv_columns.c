/* io/csv_columns.c: column functions that need no SIMD, and the careful reading of one field that all others fall back to;
 * with the plain splitter they are the portable way, complete on any processor. */
#include "io/csv.h"
#include "io/time_text.h"

#include <string.h>

bool ride_csv_date(ride_csv_block *block, const uint8_t *text) {
    int64_t local_us, offset_us;
    bool has_offset;
    if (text[10] != ' ' && text[10] != 'T') return false;
    if (!ride_time_from_iso8601((const char *)text, 10, &local_us, &has_offset, &offset_us)) return false;
    memcpy(block->date_text, text, 11);
    block->date_us = local_us;
    return true;
}

/* Stores into the block's column, which is the step's, or scratch when the step stores nothing. */
bool ride_csv_field(ride_csv_block *block, uint32_t row) {
    const ride_step *step = block->step;
    uint32_t bytes;
    const char *text = (const char *)ride_csv_text(block, row, &bytes);
    ride_value value = {.is_null = bytes == 0};
    if (!value.is_null) block->reason = ride_value_read(step, &block->decoder->zone, text, bytes, &value);
    else block->reason = step->nullable ? RIDE_REJECT_NONE : RIDE_REJECT_MISSING_VALUE;
    if (block->reason != RIDE_REJECT_NONE) return false;
    if (value.is_null) value.i = 0;
    if (block->validity != NULL) ride_bit_put(block->validity, block->row_first + row, !value.is_null);
    switch (step->type) {
    case RIDE_FIELD_BOOL: ((uint8_t *)block->values)[row] = (uint8_t)value.i; break;
    case RIDE_FIELD_STRING: {
        ride_slice slice = {block->batch->arena_bytes, value.is_null ? 0 : value.s.bytes};
        if (step->column == RIDE_COLUMN_NONE) slice.bytes = 0;
        if (slice.bytes > block->batch->arena_bytes_max - slice.offset) {
            block->arena_full = true;
            return false;
        }
        if (slice.bytes > 0) memcpy(block->batch->arena + slice.offset, text, slice.bytes);
        block->batch->arena_bytes += slice.bytes;
        ((ride_slice *)block->values)[row] = slice;
        break;
    }
    default: ((int64_t *)block->values)[row] = value.i; break; /* u64 and double by their bits */
    }
    return true;
}

uint32_t ride_csv_column_other(ride_csv_block *block, uint32_t rows_count) {
    for (uint32_t row = 0; row < rows_count; row++)
        if (!ride_csv_field(block, row)) return row;
    return rows_count;
}

/* Short ASCII strings are copied as two vectors' worth where the arena has that room; the rest goes the careful way. */
uint32_t ride_csv_column_string(ride_csv_block *block, uint32_t rows_count) {
    ride_batch *batch = block->batch;
    if (block->step->column == RIDE_COLUMN_NONE) return ride_csv_column_other(block, rows_count);
    for (uint32_t row = 0; row < rows_count; row++) {
        uint32_t bytes;
        const uint8_t *text = ride_csv_text(block, row, &bytes);
        uint64_t word[2];
        memcpy(word, text, sizeof word);
        uint64_t keep0 = bytes >= 8 ? ~UINT64_C(0) : (UINT64_C(1) << 8 * bytes) - 1;
        uint64_t keep1 = bytes <= 8 ? 0 : bytes >= 16 ? ~UINT64_C(0) : (UINT64_C(1) << 8 * (bytes - 8)) - 1;
        bool plain = (((word[0] & keep0) | (word[1] & keep1)) & UINT64_C(0x8080808080808080)) == 0;
        if (bytes - 1 >= 16 || !plain || batch->arena_bytes_max - batch->arena_bytes < 16) {
            if (!ride_csv_field(block, row)) return row;
            continue;
        }
        memcpy(batch->arena + batch->arena_bytes, word, sizeof word);
        ((ride_slice *)block->values)[row] = (ride_slice){batch->arena_bytes, bytes};
        batch->arena_bytes += bytes;
    }
    return rows_count;
}

static uint32_t column_integer(ride_csv_block *block, uint32_t rows_count) {
    int64_t *values = block->values;
    int64_t lo = block->step->lo, hi = block->step->hi;
    for (uint32_t row = 0; row < rows_count; row++) {
        uint32_t bytes;
        const uint8_t *text = ride_csv_text(block, row, &bytes);
        uint64_t value = 0;
        unsigned wrong = bytes - 1 >= 18;
        for (uint32_t i = 0; i < bytes && !wrong; i++) {
            unsigned digit = (unsigned)text[i] - '0';
            wrong = digit > 9;
            value = value * 10 + digit;
        }
        if (RIDE_LIKELY(!wrong && (int64_t)value >= lo && (int64_t)value <= hi)) values[row] = (int64_t)value;
        else if (!ride_csv_field(block, row)) return row;
    }
    return rows_count;
}

static uint32_t column_boolean(ride_csv_block *block, uint32_t rows_count) {
    uint8_t *values = block->values;
    if (block->step->lo > 0 || block->step->hi < 1) return ride_csv_column_other(block, rows_count);
    for (uint32_t row = 0; row < rows_count; row++) {
        uint32_t bytes;
        const uint8_t *text = ride_csv_text(block, row, &bytes);
        if (RIDE_LIKELY(bytes == 1 && (*text & 0xFE) == '0')) values[row] = *text & 1;
        else if (!ride_csv_field(block, row)) return row;
    }
    return rows_count;
}

static uint32_t split(const uint8_t *text, size_t begin, size_t limit, uint32_t rows_max, uint32_t fields,
                      size_t record_bytes_max, ride_csv_shape *shapes, uint32_t *bounds, uint32_t *ends) {
    (void)shapes;
    uint32_t rows = 0;
    while (rows < rows_max) {
        uint32_t found = 0;
        size_t at = begin;
        bounds[0] = (uint32_t)begin - 1;
        for (; at < limit && text[at] != '\n'; at++) {
            if (text[at] == '"') return rows;
            if (text[at] != ',') continue;
            if (++found == fields) return rows;
            bounds[found] = (uint32_t)at;
        }
        if (at == limit || found != fields - 1 || at - begin > record_bytes_max || at == begin) return rows;
        uint32_t cr = text[at - 1] == '\r';
        if (cr && at - begin == 1) return rows; /* a blank line */
        bounds[fields] = (uint32_t)at - cr;
        ends[rows++] = (uint32_t)at;
        bounds += fields + 1;
        begin = at + 1;
    }
    return rows;
}

const ride_csv_kernels *ride_csv_kernels_portable(void) {
    static const ride_csv_kernels kernels = {
        .split = split,
        .integer = column_integer,
        .decimal = ride_csv_column_other,
        .time_iso8601 = ride_csv_column_other,
        .boolean = column_boolean,
        .string = ride_csv_column_string,
        .other = ride_csv_column_other,
    };
    return &kernels;
}
