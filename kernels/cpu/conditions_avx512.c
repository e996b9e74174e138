/* kernels/cpu/conditions_avx512.c: a threshold against 64 values at a time. CMakeLists.txt gives this file the compiler's options, isa.c tells
 * where it may run. */
#if defined(__x86_64__)
#include "kernels/cpu/conditions_internal.h"

#include <immintrin.h>

enum { WORD_ROWS = 64 };

/* right: also what is missing. */
static inline __mmask16 passed16(const float *x, __m512 threshold, bool right) {
    const __m512 v = _mm512_load_ps(x);
    return right ? _mm512_cmp_ps_mask(v, threshold, _CMP_NLT_UQ) : _mm512_cmp_ps_mask(v, threshold, _CMP_GE_OQ);
}
static inline __mmask8 passed8(const double *x, __m512d threshold, bool right) {
    const __m512d v = _mm512_load_pd(x);
    return right ? _mm512_cmp_pd_mask(v, threshold, _CMP_NLT_UQ) : _mm512_cmp_pd_mask(v, threshold, _CMP_GE_OQ);
}

static inline void run_f32(const float *x, const float *thresholds, uint32_t count, bool right, uint32_t words,
                           uint64_t *out, uint32_t stride) {
    for (uint32_t k = 0; k < count; k++, out += stride) {
        const __m512 t = _mm512_set1_ps(thresholds[k]);
        for (uint32_t w = 0; w < words; w++) {
            const float *at = x + (size_t)WORD_ROWS * w;
            const __mmask32 low = _mm512_kunpackw(passed16(at + 16, t, right), passed16(at, t, right)),
                            high = _mm512_kunpackw(passed16(at + 48, t, right), passed16(at + 32, t, right));
            out[w] = _mm512_kunpackd(high, low);
        }
    }
}

static inline void run_f64(const double *x, const double *thresholds, uint32_t count, bool right, uint32_t words,
                           uint64_t *out, uint32_t stride) {
    for (uint32_t k = 0; k < count; k++, out += stride) {
        const __m512d t = _mm512_set1_pd(thresholds[k]);
        for (uint32_t w = 0; w < words; w++) {
            const double *at = x + (size_t)WORD_ROWS * w;
            uint64_t bits = 0;
#pragma GCC unroll 8
            for (int g = 0; g < 8; g++) bits |= (uint64_t)passed8(at + 8 * (size_t)g, t, right) << (8 * g);
            out[w] = bits;
        }
    }
}

void conditions_run_f32_avx512(const float *x, const float *thresholds, uint32_t count, bool nan_right, uint32_t words,
                               uint64_t *out, uint32_t stride) {
    if (nan_right) run_f32(x, thresholds, count, true, words, out, stride);
    else run_f32(x, thresholds, count, false, words, out, stride);
}

void conditions_run_f64_avx512(const double *x, const double *thresholds, uint32_t count, bool nan_right,
                               uint32_t words, uint64_t *out, uint32_t stride) {
    if (nan_right) run_f64(x, thresholds, count, true, words, out, stride);
    else run_f64(x, thresholds, count, false, words, out, stride);
}
#endif
