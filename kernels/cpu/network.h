/* kernels/cpu/network.h: the CPU's engine for networks (kernels/layout/network.h): many rows through the steps at once. Lanes are rows and weights are
 * broadcast, so each row has the bits of kernels/row/network.h: 16 floats or 8 doubles a register with AVX-512, half of it with AVX2, a quarter with NEON. */
#ifndef RIDE_KERNELS_CPU_NETWORK_H
#define RIDE_KERNELS_CPU_NETWORK_H
#include "base/error.h"
#include "kernels/cpu/forest.h"
#include "kernels/layout/network.h"

typedef struct ride_cpu_network ride_cpu_network; /* immutable after create: any number of threads */

/* The view is copied and its weights are laid out anew; nothing is borrowed but the header. The caller owns *out. */
ride_status ride_cpu_network_create(const ride_network *network, ride_cpu_isa isa, ride_cpu_network **out,
                                    ride_error *err);
void ride_cpu_network_destroy(ride_cpu_network *network); /* NULL is fine */

/* Bytes of scratch that one thread needs: 64-byte aligned memory of the caller. */
size_t ride_cpu_network_scratch_bytes(const ride_cpu_network *network);

/* Up to RIDE_CPU_FOREST_ROWS rows. in: input i is column which[i] (NULL: i) as ride_cpu_columns has it, floats or doubles; what lies behind the rows
 * is not read. out: output o of row r is out[o * out_stride + r]. Allocates nothing. */
void ride_cpu_network_columns(const ride_cpu_network *network, void *scratch, const ride_cpu_columns *in,
                              const uint32_t *which, uint32_t rows_count, double *out, uint32_t out_stride);

#endif
