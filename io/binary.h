/* io/binary.h: the binary record as it lies in a file (docs/binary.md): a header that names and types the columns, then rows of
 * a fixed size, each followed by the bytes of its strings. Little-endian, packed. No blocks: the bytes do not depend on how the
 * rows were batched, and a run can be cut behind any row. Internal to io. */
#ifndef RIDE_IO_BINARY_H
#define RIDE_IO_BINARY_H
#include "features/schema.h"

#define RIDE_BINARY_MAGIC "RIDEROWS"

enum {
    RIDE_BINARY_VERSION = 1,
    RIDE_BINARY_MAGIC_BYTES = 8,
    RIDE_BINARY_HASHED_FROM = 24,  /* the schema hash covers the header from here to its end */
    RIDE_BINARY_HEADER_BYTES = 40, /* up to the first column */
    RIDE_BINARY_HEADER_BYTES_MAX = 1 << 20,
    RIDE_BINARY_COLUMN_BYTES = 12, /* before its name */
    RIDE_BINARY_NULLABLE = 1,      /* column flag: it has a validity bit */
    RIDE_BINARY_TYPE_HASH = 32,    /* 128-bit hash; the other types are ride_field_type */
};

typedef struct ride_binary_header {
    uint32_t header_bytes;
    uint64_t schema_hash;
    uint32_t columns_count;
    uint32_t row_bytes;      /* the fixed part of a row */
    uint32_t validity_bytes; /* at its start: one bit for each nullable column, in their order */
    uint32_t strings_count;
} ride_binary_header;

/* Bytes of a value in the fixed part; 0 for an unknown type. A string is its length there. */
static inline uint32_t ride_binary_type_bytes(uint32_t type) {
    switch (type) {
    case RIDE_FIELD_U8:
    case RIDE_FIELD_I8:
    case RIDE_FIELD_BOOL: return 1;
    case RIDE_FIELD_U16:
    case RIDE_FIELD_I16: return 2;
    case RIDE_FIELD_U32:
    case RIDE_FIELD_I32:
    case RIDE_FIELD_F32:
    case RIDE_FIELD_STRING:
    case RIDE_FIELD_CATEGORY: return 4;
    case RIDE_FIELD_U64:
    case RIDE_FIELD_I64:
    case RIDE_FIELD_F64:
    case RIDE_FIELD_DECIMAL:
    case RIDE_FIELD_TIMESTAMP: return 8;
    case RIDE_BINARY_TYPE_HASH: return 16;
    default: return 0;
    }
}

/* FNV-1a, 64 bit. */
static inline uint64_t ride_binary_hash(const uint8_t *bytes, size_t count) {
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < count; i++) hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
    return hash;
}

#endif
