/* kernels/cpu/link.c: which loops, and those that every machine has. */
#define LINK_ROWS link_rows_portable
#include "kernels/cpu/link_loops.h"

void ride_cpu_link_rows(ride_cpu_isa isa, const ride_link *link, double *values, uint32_t rows_count) {
    if (isa >= RIDE_CPU_AVX512) link_rows_avx512(link, values, rows_count);
    else if (isa >= RIDE_CPU_AVX2) link_rows_avx2(link, values, rows_count);
    else link_rows_portable(link, values, rows_count);
}

#if !defined(__x86_64__)
void link_rows_avx2(const ride_link *link, double *values, uint32_t rows_count) {
    link_rows_portable(link, values, rows_count);
}
void link_rows_avx512(const ride_link *link, double *values, uint32_t rows_count) {
    link_rows_portable(link, values, rows_count);
}
#endif
