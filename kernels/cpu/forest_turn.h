/* kernels/cpu/forest_turn.h: rows of a matrix whose values of a row lie side by side → columns of floats, sixteen by sixteen in registers. Private to the
 * engine; for machines with AVX-512. */
#ifndef RIDE_KERNELS_CPU_FOREST_TURN_H
#define RIDE_KERNELS_CPU_FOREST_TURN_H
#include "kernels/cpu/forest.h"
#include "kernels/cpu/forest_fold.h"

/* Columns x, RIDE_CPU_FOREST_ROWS apart, of the tested inputs in rows first … first + rows_count - 1, and up to the next multiple of
 * RIDE_CPU_FOREST_STRIDE copies of the last one. m->column_stride is 1. fold: of a matrix of doubles whose forest's inputs are doubles; no input is ranked;
 * NULL: doubles are rounded to the nearest float. */
void forest_turn_avx512(const uint32_t *inputs, uint32_t inputs_count, const ride_cpu_matrix *m,
                        const forest_fold *fold, size_t first, uint32_t rows_count, float *x);

/* The rows from `first` on, at most a block of those `behind`, come nearer while others are at work. */
static inline void forest_rows_fetch(const ride_cpu_matrix *m, size_t first, size_t behind) {
    enum { LINE = 64 };
    if (m->column_stride != 1 || m->row_stride <= 0) return;
    const size_t row = (size_t)m->row_stride * (m->number == RIDE_FOREST_F32 ? sizeof(float) : sizeof(double));
    const size_t count = behind < RIDE_CPU_FOREST_ROWS ? behind : RIDE_CPU_FOREST_ROWS;
    const uint8_t *from = (const uint8_t *)m->x + first * row;
    for (size_t i = 0; i < count * row; i += LINE) __builtin_prefetch(from + i, 0, 2);
}

#endif
