/* kernels/cpu/planes_narrow_avx512.c: 64 rows a block, a plane is a word. CMakeLists.txt gives this file the compiler's options, isa.c tells
 * where it may run. */
#if defined(__x86_64__)
#include "kernels/cpu/planes_internal.h"

#include <immintrin.h>
#include <stdint.h>

enum { LANES = 16, GROUPS = 4 };

static inline uint64_t at_or_above(const float *x, float threshold) {
    const __m512 t = _mm512_set1_ps(threshold);
    uint64_t bits = 0;
    for (int g = 0; g < GROUPS; g++)
        bits |= (uint64_t)_mm512_cmp_ps_mask(_mm512_load_ps(x + LANES * g), t, _CMP_GE_OQ) << (LANES * g);
    return bits;
}

static inline uint64_t missing(const float *x) {
    uint64_t bits = 0;
    for (int g = 0; g < GROUPS; g++) {
        const __m512 v = _mm512_load_ps(x + LANES * g);
        bits |= (uint64_t)_mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q) << (LANES * g);
    }
    return bits;
}

typedef struct sums {
    __m512 of[GROUPS];
} sums;

static inline void sums_begin(sums *s, float base) {
    for (int g = 0; g < GROUPS; g++) s->of[g] = _mm512_set1_ps(base);
}

/* The table of 64 leaves is four registers: the low five bits of a place choose in a pair of them, the sixth the pair. */
static inline void sums_add(sums *s, const uint64_t bits[6], const float *leaves) {
    __m512i places = _mm512_setzero_si512();
    for (int b = 0; b < 6; b++)
        places = _mm512_mask_add_epi8(places, bits[b], places, _mm512_set1_epi8((char)(1 << (5 - b))));
    const __m512 l0 = _mm512_load_ps(leaves), l1 = _mm512_load_ps(leaves + 16), l2 = _mm512_load_ps(leaves + 32),
                 l3 = _mm512_load_ps(leaves + 48);
    const __m128i rows[GROUPS] = {_mm512_castsi512_si128(places), _mm512_extracti32x4_epi32(places, 1),
                                  _mm512_extracti32x4_epi32(places, 2), _mm512_extracti32x4_epi32(places, 3)};
    for (int g = 0; g < GROUPS; g++) {
        const __m512i index = _mm512_cvtepu8_epi32(rows[g]);
        const __m512 below = _mm512_permutex2var_ps(l0, index, l1), above = _mm512_permutex2var_ps(l2, index, l3);
        s->of[g] = _mm512_add_ps(s->of[g], _mm512_mask_blend_ps((__mmask16)(bits[0] >> (LANES * g)), below, above));
    }
}

static inline void sums_end(const sums *s, float *out) {
    for (int g = 0; g < GROUPS; g++) _mm512_storeu_ps(out + LANES * g, s->of[g]);
}

/* ---- the kernel ---- */

static void conditions(const ride_planes *p, uint64_t *planes, const float *x, uint32_t stride) {
    for (uint32_t c = 0; c < p->columns_count; c++) {
        const planes_column *column = &p->columns[c];
        const float *values = x + (size_t)column->x * stride;
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

void planes_narrow(const ride_planes *p, uint64_t *planes, const float *x, uint32_t stride, uint32_t rows_count,
                   double *margins) {
    planes[PLANE_LEFT] = 0;
    planes[PLANE_RIGHT] = UINT64_MAX;
    conditions(p, planes, x, stride);
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
