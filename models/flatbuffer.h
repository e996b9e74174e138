/* models/flatbuffer.h: a flatbuffer read in place. Not a general library: no schema and no verifier, every access is checked against the
 * buffer instead, and a caller goes through tables that it knows. Nothing is allocated, so what a file claims costs nothing; but several tables may
 * name one vector, so a caller bounds what it adds up. Little-endian, unaligned. Internal to models/. */
#ifndef RIDE_MODELS_FLATBUFFER_H
#define RIDE_MODELS_FLATBUFFER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ride_flat {
    const uint8_t *data;
    size_t bytes; /* below 2 GiB */
    bool is_bad;  /* something pointed outside; what was read is then 0 or empty */
} ride_flat;

/* 0 is no table: every getter gives its default. */
typedef uint32_t ride_flat_table;

typedef struct ride_flat_vector {
    const uint8_t *at; /* first element */
    uint32_t count;
} ride_flat_vector;

ride_flat_table ride_flat_root(ride_flat *flat);
ride_flat_table ride_flat_get_table(ride_flat *flat, ride_flat_table table, uint32_t field);
int32_t ride_flat_get_i32(ride_flat *flat, ride_flat_table table, uint32_t field, int32_t otherwise);
uint8_t ride_flat_get_u8(ride_flat *flat, ride_flat_table table, uint32_t field, uint8_t otherwise);
double ride_flat_get_f64(ride_flat *flat, ride_flat_table table, uint32_t field, double otherwise);
/* A vector of elements of that size; strings are vectors of bytes. Absent: empty. */
ride_flat_vector ride_flat_get_vector(ride_flat *flat, ride_flat_table table, uint32_t field, uint32_t element_bytes);

/* Elements; i is below the count. */
int32_t ride_flat_i32_at(ride_flat_vector vector, uint32_t i);
uint16_t ride_flat_u16_at(ride_flat_vector vector, uint32_t i);
float ride_flat_f32_at(ride_flat_vector vector, uint32_t i);
double ride_flat_f64_at(ride_flat_vector vector, uint32_t i);
/* Of a vector of tables or strings, whose elements have 4 bytes. */
ride_flat_table ride_flat_table_at(ride_flat *flat, ride_flat_vector vector, uint32_t i);
ride_flat_vector ride_flat_text_at(ride_flat *flat, ride_flat_vector vector, uint32_t i);

#endif
