/* kernels/cpu/conditions.h: the questions that a forest asks, each once, and their answers for a block of rows as bits. "Is input f at or above
 * t" occurs in many trees; here it is one condition with a number, and bit r of its plane says whether row r goes right there.
 *
 * All kinds of tests are taken: numbers (floats or doubles), zero as missing, only what is missing, categories. Planes are in the order of the
 * rows. The answers are those of kernels/row/tree.h. */
#ifndef RIDE_KERNELS_CPU_CONDITIONS_H
#define RIDE_KERNELS_CPU_CONDITIONS_H
#include "base/error.h"
#include "kernels/cpu/forest.h"
#include "kernels/cpu/isa.h"
#include "kernels/layout/forest.h"

enum { RIDE_CONDITIONS_ROWS = 512 }; /* of a call at most */

typedef struct ride_conditions ride_conditions; /* immutable after create: any number of threads */

/* of_node: room for nodes_count of the forest; the condition of each inner node. Nothing of the forest is kept. The caller owns *out. */
ride_status ride_conditions_create(const ride_forest *forest, ride_cpu_isa isa, uint32_t *of_node,
                                   ride_conditions **out, ride_error *err);
void ride_conditions_destroy(ride_conditions *conditions); /* NULL is fine */

uint32_t ride_conditions_count(const ride_conditions *conditions);
size_t ride_conditions_bytes(const ride_conditions *conditions); /* of memory that it holds */

/* Bytes of scratch that one thread needs, 64-byte aligned. */
size_t ride_conditions_scratch_bytes(const ride_conditions *conditions);

/* Bit r % 64 of planes[k * stride + r / 64]: does row row_first + r go right at condition k? r < rows_count <= RIDE_CONDITIONS_ROWS; the bits
 * behind, up to a whole word, are set to anything. stride: words of a plane. Allocates nothing. */
void ride_conditions_planes(const ride_conditions *conditions, void *scratch, const ride_cpu_matrix *matrix,
                            size_t row_first, uint32_t rows_count, uint64_t *planes, uint32_t stride);

/* The same of a single row: bits[k] 0 or 1. */
void ride_conditions_row(const ride_conditions *conditions, const ride_cpu_matrix *matrix, size_t row, uint8_t *bits);

#endif
