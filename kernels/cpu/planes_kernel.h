/* kernels/cpu/planes_kernel.h: what all wide kernels have besides their trees and leaves. Included behind those by the files of the instruction sets, which say
 * before
 *
 *   KERNEL(name), ROWS, GROUP, plane   as in planes_wide_avx512.h and planes_turned.h
 *   column_run, sets_run               a column's planes, and those of its category sets
 *   SUM_ROW(p, i)                      the row of sum i */
#ifndef RIDE_KERNELS_CPU_PLANES_KERNEL_H
#define RIDE_KERNELS_CPU_PLANES_KERNEL_H
#include "kernels/cpu/planes_internal.h"

#if defined(KERNEL)
enum { PLACES_BYTES = PLANES_TREES_AT_ONCE * ROWS, SUMS_BYTES = ROWS * sizeof(double) };

size_t KERNEL(_scratch_bytes)(const ride_planes *p) {
    return PLACES_BYTES + SUMS_BYTES + (size_t)(p->planes_count + p->ops_most) * sizeof(plane);
}

static void conditions(const ride_planes *p, plane *planes, const float *x, uint32_t stride, uint32_t groups) {
    planes[PLANE_LEFT] = (plane){0};
    planes[PLANE_RIGHT] = ~(plane){0};
    for (uint32_t c = 0; c < p->columns_count; c++)
        column_run(p, c, planes, x + (size_t)p->columns[c].x * stride, groups);
    for (uint32_t c = 0; c < p->codes_count; c++)
        sets_run(p, &p->codes[c], planes, x + (size_t)p->codes[c].x * stride, groups);
}

static void sums_begin(planes_sum kind, double base, void *sums) {
    for (uint32_t i = 0; i < ROWS; i++) {
        if (kind == PLANES_F64) ((double *)sums)[i] = base;
        else if (kind == PLANES_F32) ((float *)sums)[i] = (float)base;
        else ((int32_t *)sums)[i] = 0;
    }
}

static void sums_end(const ride_planes *p, const planes_output *output, const void *sums, uint32_t rows_count,
                     double *margins) {
    for (uint32_t i = 0; i < ROWS; i++) {
        const uint32_t row = SUM_ROW(p, i);
        if (row >= rows_count) continue;
        const double sum = p->sum == PLANES_F64   ? ((const double *)sums)[i]
                           : p->sum == PLANES_F32 ? (double)((const float *)sums)[i]
                                                  : (double)((const int32_t *)sums)[i];
        margins[(size_t)row * p->outputs_count] = planes_margin(p, output, sum);
    }
}

void KERNEL(_places)(const ride_planes *p, void *scratch, const float *x, uint32_t stride, uint32_t rows_count,
                     uint8_t *places) {
    conditions(p, scratch, x, stride, (rows_count + GROUP - 1) / GROUP);
    for (uint32_t t = 0; t < p->trees_count; t++)
        tree_run(p, &p->trees[t], scratch, p->bits_most > 6, places + (size_t)t * ROWS);
}
#endif

#endif
