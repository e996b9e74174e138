/* kernels/cpu/conditions_avx2.c: a threshold against 64 values at a time. CMakeLists.txt gives this file the compiler's options, isa.c tells
 * where it may run. */
#if defined(__x86_64__)
#include "kernels/cpu/conditions_internal.h"

#include <immintrin.h>

enum { WORD_ROWS = 64 };

static inline void run_f32(const float *x, const float *thresholds, uint32_t count, bool right, uint32_t words,
                           uint64_t *out, uint32_t stride) {
    for (uint32_t k = 0; k < count; k++, out += stride) {
        const __m256 t = _mm256_set1_ps(thresholds[k]);
        for (uint32_t w = 0; w < words; w++) {
            uint64_t bits = 0;
#pragma GCC unroll 8
            for (uint32_t g = 0; g < 8; g++) {
                const __m256 v = _mm256_load_ps(x + (size_t)WORD_ROWS * w + 8 * (size_t)g);
                const __m256 passed = right ? _mm256_cmp_ps(v, t, _CMP_NLT_UQ) : _mm256_cmp_ps(v, t, _CMP_GE_OQ);
                bits |= (uint64_t)(uint32_t)_mm256_movemask_ps(passed) << (8 * g);
            }
            out[w] = bits;
        }
    }
}

static inline void run_f64(const double *x, const double *thresholds, uint32_t count, bool right, uint32_t words,
                           uint64_t *out, uint32_t stride) {
    for (uint32_t k = 0; k < count; k++, out += stride) {
        const __m256d t = _mm256_set1_pd(thresholds[k]);
        for (uint32_t w = 0; w < words; w++) {
            uint64_t bits = 0;
#pragma GCC unroll 16
            for (uint32_t g = 0; g < 16; g++) {
                const __m256d v = _mm256_load_pd(x + (size_t)WORD_ROWS * w + 4 * (size_t)g);
                const __m256d passed = right ? _mm256_cmp_pd(v, t, _CMP_NLT_UQ) : _mm256_cmp_pd(v, t, _CMP_GE_OQ);
                bits |= (uint64_t)(uint32_t)_mm256_movemask_pd(passed) << (4 * g);
            }
            out[w] = bits;
        }
    }
}

void conditions_run_f32_avx2(const float *x, const float *thresholds, uint32_t count, bool nan_right, uint32_t words,
                             uint64_t *out, uint32_t stride) {
    if (nan_right) run_f32(x, thresholds, count, true, words, out, stride);
    else run_f32(x, thresholds, count, false, words, out, stride);
}

void conditions_run_f64_avx2(const double *x, const double *thresholds, uint32_t count, bool nan_right, uint32_t words,
                             uint64_t *out, uint32_t stride) {
    if (nan_right) run_f64(x, thresholds, count, true, words, out, stride);
    else run_f64(x, thresholds, count, false, words, out, stride);
}
#endif
