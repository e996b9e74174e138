/* kernels/cpu/planes_narrow.h: 64 rows a block, a plane is a word. Included by the files of the instruction sets, which say how 64 values are
 * compared with one and how the leaves of 64 rows are added:
 *
 *   PLANES_NARROW                the kernel's name
 *   at_or_above(x, t), missing(x)   a bit for each of 64 floats
 *   sums_begin, sums_add, sums_end  the sums of 64 rows */
#ifndef RIDE_KERNELS_CPU_PLANES_NARROW_H
#define RIDE_KERNELS_CPU_PLANES_NARROW_H
#include "kernels/cpu/planes_internal.h"

#ifdef PLANES_NARROW

static void conditions(const ride_planes *p, uint64_t *planes, const float *x) {
    for (uint32_t c = 0; c < p->columns_count; c++) {
        const planes_column *column = &p->columns[c];
        const float *values = x + (size_t)column->x * RIDE_PLANES_ROWS;
        const float *thresholds = p->thresholds + column->thresholds_first;
        const uint64_t nan = missing(values), right = column->nan_right ? nan : 0;
        uint64_t *out = planes + column->plane_first;
        for (uint32_t k = 0; k < column->thresholds_count; k++) out[k] = at_or_above(values, thresholds[k]) | right;
        for (uint32_t i = 0; i < column->others_count; i++) {
            const planes_other *other = &p->others[column->others_first + i];
            planes[other->plane] = out[other->threshold] ^ nan;
        }
    }
}

void PLANES_NARROW(const ride_planes *p, uint64_t *planes, const float *x, uint32_t rows_count, double *margins) {
    planes[PLANE_LEFT] = 0;
    planes[PLANE_RIGHT] = UINT64_MAX;
    conditions(p, planes, x);
    uint64_t *results = planes + p->planes_count;
    sums s;
    sums_begin(&s, p->base);
    for (uint32_t t = 0; t < p->trees_count; t++) {
        const planes_tree *tree = &p->trees[t];
        const planes_op *ops = p->ops + tree->ops_first;
        for (uint32_t i = 0; i < tree->ops_count; i++) {
            const uint64_t left = planes[ops[i].left];
            results[i] = left ^ (planes[ops[i].test] & (left ^ planes[ops[i].right]));
        }
        uint64_t bits[PLANES_BITS];
        for (uint32_t b = 0; b < PLANES_BITS; b++) bits[b] = planes[tree->bits[b]];
        sums_add(&s, bits, p->leaves[t].values);
    }
    float out[RIDE_PLANES_NARROW_ROWS];
    sums_end(&s, out);
    for (uint32_t r = 0; r < rows_count; r++) margins[r] = (double)out[r];
}
#endif

#endif
