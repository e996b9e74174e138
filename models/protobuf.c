/* models/protobuf.c: the wire form: a field is a varint of number * 8 + wire type, then a varint, 8 bytes, a length and bytes, or 4 bytes. */
#include "models/protobuf.h"

#include <string.h>

static bool bad(ride_message *m) {
    m->is_bad = true;
    m->at = m->end;
    return false;
}

static bool varint(ride_message *m, uint64_t *out) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && m->at < m->end; shift += 7) {
        const uint8_t byte = *m->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = value;
            return true;
        }
    }
    return bad(m);
}

/* Little-endian, as the wire has it and so have the machines that this is built for; written out, so that it does not matter. */
static bool fixed(ride_message *m, unsigned bytes, uint64_t *out) {
    if ((size_t)(m->end - m->at) < bytes) return bad(m);
    *out = 0;
    for (unsigned i = 0; i < bytes; i++) *out |= (uint64_t)m->at[i] << (8 * i);
    m->at += bytes;
    return true;
}

static bool value_of(ride_message *m, ride_wire wire, uint64_t *out) {
    if (wire == RIDE_WIRE_VARINT) return varint(m, out);
    return fixed(m, wire == RIDE_WIRE_64 ? 8 : 4, out);
}

bool ride_message_next(ride_message *rest, ride_field *out) {
    uint64_t key, length;
    if (rest->is_bad || rest->at == rest->end || !varint(rest, &key)) return false;
    if (key >> 3 == 0 || key >> 3 > UINT32_MAX >> 3) return bad(rest);
    *out = (ride_field){.number = (uint32_t)(key >> 3), .wire = (ride_wire)(key & 7)};
    switch (out->wire) {
    case RIDE_WIRE_VARINT:
    case RIDE_WIRE_64:
    case RIDE_WIRE_32: return value_of(rest, out->wire, &out->value);
    case RIDE_WIRE_BYTES:
        if (!varint(rest, &length) || length > (uint64_t)(rest->end - rest->at)) return bad(rest);
        out->bytes = ride_message_of(rest->at, (size_t)length);
        rest->at += length;
        return true;
    default: return bad(rest);
    }
}

bool ride_message_find(ride_message *rest, uint32_t number, ride_field *out) {
    while (ride_message_next(rest, out))
        if (out->number == number) return true;
    return false;
}

int64_t ride_message_i64(ride_message m, uint32_t number, int64_t missing) {
    ride_field field;
    while (ride_message_find(&m, number, &field))
        if (field.wire == RIDE_WIRE_VARINT) missing = (int64_t)field.value;
    return missing;
}

ride_message ride_message_bytes_of(ride_message m, uint32_t number) {
    ride_message found = {0};
    ride_field field;
    while (ride_message_find(&m, number, &field))
        if (field.wire == RIDE_WIRE_BYTES) found = field.bytes;
    return found;
}

bool ride_message_has(ride_message m, uint32_t number) {
    ride_field field;
    return ride_message_find(&m, number, &field);
}

bool ride_message_is(ride_message m, const char *text) {
    const size_t bytes = strlen(text);
    return ride_message_bytes(m) == bytes && (bytes == 0 || memcmp(m.at, text, bytes) == 0);
}

bool ride_values_next(ride_values *values, uint64_t *out) {
    ride_field field;
    for (;;) {
        if (values->packed.at != values->packed.end) {
            if (value_of(&values->packed, values->wire, out)) return true;
            return bad(&values->rest);
        }
        if (!ride_message_find(&values->rest, values->number, &field)) return false;
        if (field.wire == values->wire) {
            *out = field.value;
            return true;
        }
        if (field.wire != RIDE_WIRE_BYTES) return bad(&values->rest);
        values->packed = field.bytes;
    }
}

uint64_t ride_values_count(ride_values values) {
    uint64_t count = 0, value;
    while (ride_values_next(&values, &value)) count++;
    return count;
}
