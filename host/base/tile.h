/* base/tile.h: the tile, the one thing that passes between stages.
 *
 * A tile holds up to 256 rows, column by column (AoSoA): a 128-byte header, then each column's values, each
 * column 128-byte aligned, then the validity bitmaps (Arrow's bit order: row r is bit r % 8 of byte r / 8; 1 = valid) of the
 * columns that can be null, 32 bytes each. A tile is one contiguous piece of memory without pointers, so it can be
 * copied to a device, written to a file or exported to Arrow as it is. All tiles of one layout have the same size.
 *
 * The layout is computed once from the list of columns and never changes while the pipeline runs.
 * Plain C17 and C++17; the kernels include it. */
#ifndef RIDE_BASE_TILE_H
#define RIDE_BASE_TILE_H
#include "base/hd.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    RIDE_TILE_ROWS = 256,
    RIDE_TILE_ALIGN = 128,
    RIDE_TILE_HEADER_BYTES = 128,
    RIDE_TILE_VALIDITY_BYTES = RIDE_TILE_ROWS / 8,
    RIDE_TILE_COLUMNS_MAX = 1024,
};

/* Value types of a column. Integers narrower than 64 bits are widened when decoded; a decimal is an i64 in minor
 * units (its scale is in the schema); a timestamp is i64 microseconds since the epoch. */
typedef enum ride_type {
    RIDE_TYPE_BOOL = 1,      /* uint8_t, 0 or 1 */
    RIDE_TYPE_I64 = 2,       /* int64_t: i8 … i64, u8 … u32 */
    RIDE_TYPE_U64 = 3,       /* uint64_t: u64 */
    RIDE_TYPE_F64 = 4,       /* double: f32, f64, every feature */
    RIDE_TYPE_DECIMAL = 5,   /* int64_t minor units */
    RIDE_TYPE_TIMESTAMP = 6, /* int64_t microseconds since the epoch */
    RIDE_TYPE_STRING = 7,    /* ride_slice into the batch's byte arena */
    RIDE_TYPE_KEY128 = 8,    /* ride_key128: keyed hash, or the integer itself */
    RIDE_TYPE_U32 = 9,       /* uint32_t: flags, codes, rule numbers */
    RIDE_TYPE_F32 = 10,      /* float: margins of float models */
} ride_type;

typedef struct ride_slice {
    uint32_t offset; /* into ride_batch.arena */
    uint32_t bytes;
} ride_slice;

typedef struct ride_key128 {
    uint64_t lo, hi;
} ride_key128;

typedef struct ride_tile_header {
    uint64_t sequence_first; /* arrival number of row 0; row r has sequence_first + r */
    uint32_t rows_count;     /* 0 … 256; only the last tile of a batch may be partial */
    uint32_t flags;          /* 0 for now */
    int64_t admit_ns_min;    /* earliest monotonic admit time of its rows */
    uint8_t reserved[RIDE_TILE_HEADER_BYTES - 24];
} ride_tile_header;
RIDE_STATIC_ASSERT(sizeof(ride_tile_header) == RIDE_TILE_HEADER_BYTES, "the header is one aligned line pair");

typedef struct ride_tile_column {
    uint32_t type;            /* ride_type */
    uint32_t values_offset;   /* bytes from the start of the tile; 128-byte aligned */
    uint32_t validity_offset; /* bytes from the start of the tile; 0 = never null */
    uint32_t reserved;
} ride_tile_column;

typedef struct ride_tile_layout {
    uint32_t columns_count;
    uint32_t tile_bytes; /* multiple of 128 */
    ride_tile_column columns[RIDE_TILE_COLUMNS_MAX];
} ride_tile_layout;

/* Bytes of one value of `type`; 0 for an unknown type. */
RIDE_HD static inline uint32_t ride_type_bytes(uint32_t type) {
    switch (type) {
    case RIDE_TYPE_BOOL: return 1;
    case RIDE_TYPE_U32:
    case RIDE_TYPE_F32: return 4;
    case RIDE_TYPE_I64:
    case RIDE_TYPE_U64:
    case RIDE_TYPE_F64:
    case RIDE_TYPE_DECIMAL:
    case RIDE_TYPE_TIMESTAMP:
    case RIDE_TYPE_STRING: return 8;
    case RIDE_TYPE_KEY128: return 16;
    default: return 0;
    }
}

/* Start an empty layout; add columns in order; each add returns the column's index. After the last add, `finish`
 * places the validity bitmaps and fixes tile_bytes. Programming errors (too many columns, unknown type) assert. */
void ride_tile_layout_begin(ride_tile_layout *layout);
uint32_t ride_tile_layout_add(ride_tile_layout *layout, ride_type type, int nullable);
void ride_tile_layout_finish(ride_tile_layout *layout);

RIDE_HD static inline ride_tile_header *ride_tile_head(void *tile) { return (ride_tile_header *)tile; }
RIDE_HD static inline const ride_tile_header *ride_tile_head_const(const void *tile) {
    return (const ride_tile_header *)tile;
}
/* Start of a column's values: 256 of them, of which rows_count are meaningful. */
RIDE_HD static inline void *ride_tile_values(const ride_tile_layout *layout, void *tile, uint32_t column) {
    return (uint8_t *)tile + layout->columns[column].values_offset;
}
RIDE_HD static inline const void *ride_tile_values_const(const ride_tile_layout *layout, const void *tile,
                                                         uint32_t column) {
    return (const uint8_t *)tile + layout->columns[column].values_offset;
}
/* The column's 32-byte validity bitmap, or NULL when the column is never null. */
RIDE_HD static inline uint8_t *ride_tile_validity(const ride_tile_layout *layout, void *tile, uint32_t column) {
    uint32_t offset = layout->columns[column].validity_offset;
    return offset != 0 ? (uint8_t *)tile + offset : NULL;
}
RIDE_HD static inline const uint8_t *ride_tile_validity_const(const ride_tile_layout *layout, const void *tile,
                                                              uint32_t column) {
    uint32_t offset = layout->columns[column].validity_offset;
    return offset != 0 ? (const uint8_t *)tile + offset : NULL;
}
RIDE_HD static inline int ride_bit_get(const uint8_t *bits, uint32_t row) { return (bits[row >> 3] >> (row & 7)) & 1; }
RIDE_HD static inline void ride_bit_set(uint8_t *bits, uint32_t row) { bits[row >> 3] |= (uint8_t)(1u << (row & 7)); }
RIDE_HD static inline void ride_bit_clear(uint8_t *bits, uint32_t row) {
    bits[row >> 3] &= (uint8_t) ~(1u << (row & 7));
}
RIDE_HD static inline void ride_bit_put(uint8_t *bits, uint32_t row, int value) {
    if (value) ride_bit_set(bits, row);
    else ride_bit_clear(bits, row);
}
/* A null bitmap reads as all valid. */
RIDE_HD static inline int ride_valid(const uint8_t *bits, uint32_t row) {
    return bits == NULL || ride_bit_get(bits, row);
}

#ifdef __cplusplus
}
#endif

#endif
