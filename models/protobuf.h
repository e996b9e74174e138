/* models/protobuf.h: Protocol Buffers' wire form, read in place. Internal to models/.
 *
 * A reader of our own because the ordinary ones build every message and every string of a file as an object before anybody looks at
 * it, and a model file comes from a stranger: here a message is a stretch of the file, a field is looked at where it lies, and nothing is
 * allocated. All lengths are checked against the stretch that holds them, so what a file claims is bounded by its size. Groups
 * (wire types 3 and 4, long out of use) are refused as damage.
 *
 * Reading never fails by itself: a field that is cut short ends the message, and `is_bad` says so. Any thread. */
#ifndef RIDE_MODELS_PROTOBUF_H
#define RIDE_MODELS_PROTOBUF_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A message, or what is left of it. Not owned. */
typedef struct ride_message {
    const uint8_t *at, *end;
    bool is_bad; /* cut short, or no message at all */
} ride_message;

typedef enum ride_wire { RIDE_WIRE_VARINT = 0, RIDE_WIRE_64 = 1, RIDE_WIRE_BYTES = 2, RIDE_WIRE_32 = 5 } ride_wire;

typedef struct ride_field {
    uint32_t number;
    ride_wire wire;
    uint64_t value;     /* of VARINT, 64 and 32: the bits */
    ride_message bytes; /* of BYTES */
} ride_field;

static inline ride_message ride_message_of(const void *data, size_t bytes) {
    const uint8_t *at = (const uint8_t *)data;
    return (ride_message){.at = at, .end = at + bytes};
}
static inline size_t ride_message_bytes(ride_message m) { return m.at == NULL ? 0 : (size_t)(m.end - m.at); }

/* The next field; false at the end (or when is_bad was set). */
bool ride_message_next(ride_message *rest, ride_field *out);
/* The next field of that number; false: none is left. */
bool ride_message_find(ride_message *rest, uint32_t number, ride_field *out);

/* The last field of a number, as a whole number or as bytes; `missing` (an empty message) when there is none. */
int64_t ride_message_i64(ride_message m, uint32_t number, int64_t missing);
ride_message ride_message_bytes_of(ride_message m, uint32_t number);
bool ride_message_has(ride_message m, uint32_t number);
/* Are the bytes this text? */
bool ride_message_is(ride_message m, const char *text);

/* The values of a repeated number, packed or not, one after the other. Begins with the message that holds it. */
typedef struct ride_values {
    ride_message rest, packed;
    uint32_t number;
    ride_wire wire; /* what one value is: VARINT, 32 or 64 */
} ride_values;
static inline ride_values ride_values_of(ride_message m, uint32_t number, ride_wire wire) {
    return (ride_values){.rest = m, .number = number, .wire = wire};
}
/* The next value's bits; false at the end. A value of another wire type sets rest.is_bad. */
bool ride_values_next(ride_values *values, uint64_t *out);
/* How many there are. */
uint64_t ride_values_count(ride_values values);

#endif
