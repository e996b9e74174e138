/* kernels/cpu/planes_narrow_avx2.c: planes_narrow.h for AVX2: CMakeLists.txt gives this file the compiler's options, isa.c tells where it
 * may run. */
#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>

enum { LANES = 8, GROUPS = 8 };

static inline uint64_t at_or_above(const float *x, float threshold) {
    const __m256 t = _mm256_set1_ps(threshold);
    uint64_t bits = 0;
    for (int g = 0; g < GROUPS; g++) {
        const __m256 above = _mm256_cmp_ps(_mm256_load_ps(x + LANES * g), t, _CMP_GE_OQ);
        bits |= (uint64_t)(uint32_t)_mm256_movemask_ps(above) << (LANES * g);
    }
    return bits;
}

static inline uint64_t missing(const float *x) {
    uint64_t bits = 0;
    for (int g = 0; g < GROUPS; g++) {
        const __m256 v = _mm256_load_ps(x + LANES * g);
        bits |= (uint64_t)(uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(v, v, _CMP_UNORD_Q)) << (LANES * g);
    }
    return bits;
}

typedef struct sums {
    __m256 of[GROUPS];
} sums;

static inline void sums_begin(sums *s, float base) {
    for (int g = 0; g < GROUPS; g++) s->of[g] = _mm256_set1_ps(base);
}

/* Eight rows at a time: bit r of plane b goes to bit 5 - b of byte r. */
static inline void sums_add(sums *s, const uint64_t bits[6], const float *leaves) {
    for (int g = 0; g < GROUPS; g++) {
        uint64_t places = 0;
        for (int b = 0; b < 6; b++)
            places |= _pdep_u64(bits[b] >> (LANES * g), UINT64_C(0x0101010101010101) << (5 - b));
        const __m256i index = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)places));
        s->of[g] = _mm256_add_ps(s->of[g], _mm256_i32gather_ps(leaves, index, sizeof *leaves));
    }
}

static inline void sums_end(const sums *s, float *out) {
    for (int g = 0; g < GROUPS; g++) _mm256_storeu_ps(out + LANES * g, s->of[g]);
}

#define PLANES_NARROW planes_narrow_avx2
#include "kernels/cpu/planes_narrow.h"
#endif
