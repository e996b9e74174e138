/* io/value.h: the text of one field → its value, with care and a named reason: what CSV and NDJSON share, and what the
 * fast ways of CSV fall back to. Pure functions but for the zone callback; internal to io. */
#ifndef RIDE_IO_VALUE_H
#define RIDE_IO_VALUE_H
#include "io/decoder.h"

/* One step of a column program: which field, read how, stored where. */
typedef struct ride_step {
    const ride_field *field;
    uint32_t type; /* ride_field_type it is read as; TIMESTAMP for a number or string that is also the event time */
    ride_time_unit unit;  /* TIMESTAMP */
    uint32_t position;    /* CSV: field of a line; binary: column of a record; NDJSON: index of the field in the spec */
    uint32_t column;      /* of the tile, or RIDE_COLUMN_NONE */
    uint32_t column_also; /* RIDE_COLUMN_TIME when this step gives the event time and column is another one */
    bool is_time;         /* gives the event time: never null */
    bool nullable;
    int64_t lo, hi; /* what the type and the declared domain allow, for values that are int64 (inclusive) */
} ride_step;

/* Local wall-clock times → UTC. */
typedef struct ride_zone_rule {
    int64_t (*local_to_utc)(const void *zone, int64_t local_us); /* NULL: subtract offset_us */
    const void *zone;
    int64_t offset_us;
} ride_zone_rule;

typedef struct ride_value {
    bool is_null;
    union {
        int64_t i; /* integers, bool, decimal, timestamp, category */
        uint64_t u;
        double f;
        struct {
            const char *text;
            uint32_t bytes;
        } s;
    };
} ride_value;

/* Fills lo and hi from the field. */
void ride_step_bounds(ride_step *step);
/* Reads a text that is not null. Returns RIDE_REJECT_NONE and the value, or the reason. */
ride_reject_reason ride_value_read(const ride_step *step, const ride_zone_rule *zone, const char *text, size_t bytes,
                                   ride_value *out);
/* Checks that were made on the text already for a value that came as a number (binary): range and domain. */
ride_reject_reason ride_value_check(const ride_step *step, const ride_value *value);
/* A number of the timestamp's unit → µs. */
ride_reject_reason ride_time_from_units(ride_time_unit unit, int64_t units, int64_t *out_us);
/* value / 10^k at the step's scale from decimal text; exact, see decoder.h. */
ride_reject_reason ride_decimal_read(const char *text, size_t bytes, int32_t scale, bool refuse_inexact, int64_t *out);
bool ride_utf8_valid(const char *text, size_t bytes);

#endif
