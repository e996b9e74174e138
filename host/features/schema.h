/* features/schema.h: what an event of a source looks like, as the spec declares it. Written by the spec parser, read by
 * the decoders of io/, the key stage and the outputs. Plain data; immutable after the parse. */
#ifndef RIDE_FEATURES_SCHEMA_H
#define RIDE_FEATURES_SCHEMA_H
#include "base/tile.h"

#include <stdbool.h>

enum { RIDE_NAME_BYTES = 64, RIDE_FIELDS_MAX = 256, RIDE_KEYS_MAX = 8, RIDE_ENTITIES_MAX = 32, RIDE_SOURCES_MAX = 8 };

typedef enum ride_field_type {
    RIDE_FIELD_U8 = 1,
    RIDE_FIELD_U16,
    RIDE_FIELD_U32,
    RIDE_FIELD_U64,
    RIDE_FIELD_I8,
    RIDE_FIELD_I16,
    RIDE_FIELD_I32,
    RIDE_FIELD_I64,
    RIDE_FIELD_F32,
    RIDE_FIELD_F64,
    RIDE_FIELD_BOOL,
    RIDE_FIELD_DECIMAL,
    RIDE_FIELD_STRING,
    RIDE_FIELD_TIMESTAMP,
    RIDE_FIELD_CATEGORY, /* a closed set of strings; the column holds the code 0, 1, … as I64 */
} ride_field_type;

typedef enum ride_time_unit {
    RIDE_UNIT_S = 1,
    RIDE_UNIT_MS,
    RIDE_UNIT_US,
    RIDE_UNIT_NS,
    RIDE_UNIT_ISO8601
} ride_time_unit;

typedef enum ride_format {
    RIDE_FORMAT_CSV = 1,
    RIDE_FORMAT_NDJSON,
    RIDE_FORMAT_BINARY
} ride_format; /* spec word `json` = NDJSON */

#ifndef RIDE_COLUMN_NONE
#define RIDE_COLUMN_NONE UINT32_MAX /* ride_field.column: read and checked, but not stored */
#endif

typedef struct ride_field {
    char name[RIDE_NAME_BYTES];
    uint32_t type; /* ride_field_type */
    /* Column of the tile the source is decoded into. Event source: the plan's input tile. Label source: a tile of its own, the
     * system columns and then its fields in order. RIDE_COLUMN_NONE: a hidden event time, which is in RIDE_COLUMN_TIME. */
    uint32_t column;
    ride_type tile_type;   /* its type there */
    int32_t scale;         /* DECIMAL: digits after the point, 0 … 18 */
    bool nullable;         /* a missing or empty value is null, else it is a rejected row */
    bool rounding_error;   /* DECIMAL: refuse input that is not exact at the scale; else round half away from zero */
    bool sensitive;        /* redacted in logs and dead letters */
    bool hidden;           /* not listed under `fields`: the event id, event time or label needs it */
    bool has_min, has_max; /* domain, inclusive, outside is a rejected row: as declared, or as exact sums need it */
    int64_t min, max;      /* in the tile's units; not for F32 and F64 */
    double min_real, max_real;     /* F32, F64 */
    ride_time_unit unit;           /* TIMESTAMP */
    const char *const *categories; /* CATEGORY: borrowed from the spec */
    uint32_t categories_count;
} ride_field;

typedef enum ride_order { RIDE_ORDER_ARRIVAL = 1, RIDE_ORDER_EVENT_TIME } ride_order;
typedef enum ride_late { RIDE_LATE_SIDE_OUTPUT = 1, RIDE_LATE_DROP_FROM_SIDE } ride_late; /* `side_output` | `none` */

/* One source of events, or of labels. */
typedef struct ride_source_spec {
    char name[RIDE_NAME_BYTES];
    char topic[256]; /* "" when not given */
    ride_format format;
    ride_field fields[RIDE_FIELDS_MAX];
    uint32_t fields_count;
    int32_t
        field_time; /* event_time.field: index into fields (a hidden TIMESTAMP field is added when the spec does not list it) */
    ride_time_unit time_unit;
    int64_t zone_offset_us; /* for naive times when `zone` is a fixed offset; ride_spec.zone_table serves every zone */
    int32_t field_id;       /* event_id, or -1 */
    int32_t field_label;    /* label inside the event, or -1 */
    int64_t dedup_us;       /* 0 = off */
    int64_t max_future_us;  /* 0 = off */
    int64_t bound_us, allowed_lateness_us;
    ride_order order;
    ride_late late;
    /* A label source (labels: {source, key, value}): which event source, the field with the event's id, the field with the label. */
    bool is_labels;
    uint32_t labels_source; /* index of the event source */
    int32_t field_label_key, field_label_value;
} ride_source_spec;

typedef struct ride_entity_spec {
    char name[RIDE_NAME_BYTES];
    uint32_t keys[RIDE_KEYS_MAX]; /* field indexes of the event source */
    uint32_t keys_count;
    uint32_t key_column; /* KEY128 column of the input tile; null when one of the keys is null */
} ride_entity_spec;

/* A KEY128 column of the input tile, behind all others, with the keyed hash (lib/hash.h) of a string field of the event source;
 * null where the field is null. The engine fills it. */
typedef struct ride_hash_column {
    uint32_t field, column;
} ride_hash_column;

#endif
