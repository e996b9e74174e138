/* models/flatbuffer.c: offsets followed with care. A table begins with the (signed) way back to its list of fields, which begins with its own size;
 * an entry of it is where in the table that field is, 0 = not there. */
#include "models/flatbuffer.h"

#include <string.h>

static bool has(ride_flat *flat, uint64_t at, uint64_t bytes) {
    if (at <= flat->bytes && bytes <= flat->bytes - at) return true;
    flat->is_bad = true;
    return false;
}

static uint32_t u32_of(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}
static uint16_t u16_of(const uint8_t *at) { return (uint16_t)(at[0] | at[1] << 8); }

/* Where an offset that lies at `at` points to; 0 = outside. */
static uint32_t follow(ride_flat *flat, uint64_t at) {
    if (!has(flat, at, 4)) return 0;
    const uint64_t to = at + u32_of(flat->data + at);
    return has(flat, to, 4) ? (uint32_t)to : 0;
}

/* Where a field of a table lies, when it has `bytes` there; 0 = absent or outside. */
static uint64_t find(ride_flat *flat, ride_flat_table table, uint32_t field, uint32_t bytes) {
    if (table == 0 || !has(flat, table, 4)) return 0;
    const int64_t list = (int64_t)table - (int32_t)u32_of(flat->data + table);
    if (list < 0 || !has(flat, (uint64_t)list, 4)) {
        flat->is_bad = true;
        return 0;
    }
    const uint64_t entry = 4 + 2 * (uint64_t)field;
    if (entry + 2 > u16_of(flat->data + list)) return 0; /* written by a version without it */
    if (!has(flat, (uint64_t)list + entry, 2)) return 0;
    const uint16_t offset = u16_of(flat->data + list + entry);
    return offset != 0 && has(flat, (uint64_t)table + offset, bytes) ? (uint64_t)table + offset : 0;
}

static ride_flat_vector vector_from(ride_flat *flat, uint32_t at, uint32_t element_bytes) {
    ride_flat_vector vector = {0};
    if (at == 0) return vector;
    const uint32_t count = u32_of(flat->data + at);
    if (!has(flat, (uint64_t)at + 4, (uint64_t)count * element_bytes)) return vector;
    return (ride_flat_vector){.at = flat->data + at + 4, .count = count};
}

ride_flat_table ride_flat_root(ride_flat *flat) { return follow(flat, 0); }

ride_flat_table ride_flat_get_table(ride_flat *flat, ride_flat_table table, uint32_t field) {
    const uint64_t at = find(flat, table, field, 4);
    return at != 0 ? follow(flat, at) : 0;
}

int32_t ride_flat_get_i32(ride_flat *flat, ride_flat_table table, uint32_t field, int32_t otherwise) {
    const uint64_t at = find(flat, table, field, 4);
    return at != 0 ? (int32_t)u32_of(flat->data + at) : otherwise;
}

uint8_t ride_flat_get_u8(ride_flat *flat, ride_flat_table table, uint32_t field, uint8_t otherwise) {
    const uint64_t at = find(flat, table, field, 1);
    return at != 0 ? flat->data[at] : otherwise;
}

double ride_flat_get_f64(ride_flat *flat, ride_flat_table table, uint32_t field, double otherwise) {
    const uint64_t at = find(flat, table, field, 8);
    return at != 0 ? ride_flat_f64_at((ride_flat_vector){.at = flat->data + at, .count = 1}, 0) : otherwise;
}

ride_flat_vector ride_flat_get_vector(ride_flat *flat, ride_flat_table table, uint32_t field, uint32_t element_bytes) {
    const uint64_t at = find(flat, table, field, 4);
    return vector_from(flat, at != 0 ? follow(flat, at) : 0, element_bytes);
}

int32_t ride_flat_i32_at(ride_flat_vector vector, uint32_t i) { return (int32_t)u32_of(vector.at + 4 * (size_t)i); }
uint16_t ride_flat_u16_at(ride_flat_vector vector, uint32_t i) { return u16_of(vector.at + 2 * (size_t)i); }

float ride_flat_f32_at(ride_flat_vector vector, uint32_t i) {
    const uint32_t bits = u32_of(vector.at + 4 * (size_t)i);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

double ride_flat_f64_at(ride_flat_vector vector, uint32_t i) {
    const uint8_t *at = vector.at + 8 * (size_t)i;
    const uint64_t bits = u32_of(at) | (uint64_t)u32_of(at + 4) << 32;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

ride_flat_table ride_flat_table_at(ride_flat *flat, ride_flat_vector vector, uint32_t i) {
    return follow(flat, (uint64_t)(vector.at - flat->data) + 4 * (uint64_t)i);
}

ride_flat_vector ride_flat_text_at(ride_flat *flat, ride_flat_vector vector, uint32_t i) {
    return vector_from(flat, ride_flat_table_at(flat, vector, i), 1);
}
