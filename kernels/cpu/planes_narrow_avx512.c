/* kernels/cpu/planes_narrow_avx512.c: planes_narrow.h for AVX-512: CMakeLists.txt gives this file the compiler's options, isa.c tells where
 * it may run. */
#if defined(__x86_64__)
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

#define PLANES_NARROW planes_narrow_avx512
#include "kernels/cpu/planes_narrow.h"
#endif
