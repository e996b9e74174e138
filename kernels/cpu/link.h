/* kernels/cpu/link.h: answers of many rows from their margins: the bits of kernels/row/link.h, several rows a register. */
#ifndef RIDE_KERNELS_CPU_LINK_H
#define RIDE_KERNELS_CPU_LINK_H
#include "kernels/cpu/isa.h"
#include "kernels/row/link.h"

/* In place: rows_count * link->outputs_count margins, row by row, become answers. Any thread; allocates nothing. */
void ride_cpu_link_rows(ride_cpu_isa isa, const ride_link *link, double *values, uint32_t rows_count);

/* The loops as each instruction set has them. */
void link_rows_portable(const ride_link *link, double *values, uint32_t rows_count);
void link_rows_avx2(const ride_link *link, double *values, uint32_t rows_count);
void link_rows_avx512(const ride_link *link, double *values, uint32_t rows_count);

#endif
