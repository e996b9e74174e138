/* kernels/cpu/planes_row_avx512.c: one row (planes_row_run.h) with AVX-512 F, VL, BW, DQ and VBMI: 64 conditions are one permutation of the codes and one
 * comparison. CMakeLists.txt gives this file the compiler's options, isa.c tells where it may run. */
#if defined(__x86_64__)
#include "kernels/cpu/planes_internal.h"

#include <immintrin.h>
#include <string.h>

#define KERNEL(name) planes_row_avx512##name
#define SIXTEENS     8

/* Sixteens that are passed as a whole, then thresholds of the next one. NaN passes none. */
static inline uint32_t rank_of(const float *ranks, float x) {
    const __m512 v = _mm512_set1_ps(x);
    uint32_t first = (uint32_t)__builtin_popcount(_mm512_cmp_ps_mask(_mm512_load_ps(ranks), v, _CMP_LE_OQ));
    if (first > 15) first = 15;
    return 16 * first + (uint32_t)__builtin_popcount(
                            _mm512_cmp_ps_mask(_mm512_load_ps(ranks + 16 + 16 * (size_t)first), v, _CMP_LE_OQ));
}

typedef struct code_table {
    __m512i of[4];
} code_table;

static inline code_table codes_load(const uint8_t *bytes) {
    return (code_table){{_mm512_load_si512(bytes), _mm512_load_si512(bytes + 64), _mm512_load_si512(bytes + 128),
                         _mm512_load_si512(bytes + 192)}};
}

/* Codes at 64 places. */
static inline __m512i codes_at(const code_table *t, uint32_t sixteens, __m512i at) {
    const __m512i low = _mm512_permutex2var_epi8(t->of[0], at, t->of[1]);
    if (sixteens <= 8) return low;
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(at), low, _mm512_permutex2var_epi8(t->of[2], at, t->of[3]));
}

static inline uint64_t rights_of(const code_table *t, uint32_t sixteens, const uint8_t *tree) {
    return _mm512_cmpgt_epu8_mask(codes_at(t, sixteens, _mm512_load_si512(tree)), _mm512_load_si512(tree + 64));
}
static inline uint32_t rights_of_small(const code_table *t, uint32_t sixteens, const uint8_t *tree) {
    const __m512i both = _mm512_load_si512(tree); /* codes, then what they are compared with */
    const __m256i codes = _mm512_castsi512_si256(codes_at(t, sixteens, both));
    return _mm256_cmpgt_epu8_mask(codes, _mm512_extracti64x4_epi64(both, 1));
}

static inline uint32_t small_place(uint32_t rights, const uint8_t *masks) {
    const __m512i low = _mm512_maskz_loadu_epi32((__mmask16)rights, masks),
                  all = _mm512_mask_or_epi32(low, (__mmask16)(rights >> 16), low, _mm512_load_si512(masks + 64));
    const __m256i eight = _mm256_or_si256(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
    const __m128i four = _mm_or_si128(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    const __m128i two = _mm_or_si128(four, _mm_unpackhi_epi64(four, four));
    const uint64_t pair = (uint64_t)_mm_cvtsi128_si64(two);
    return (uint32_t)__builtin_ctz(~(uint32_t)(pair | pair >> 32));
}

static inline uint32_t large_place(uint64_t rights, const uint8_t *masks) {
    __m512i all = _mm512_setzero_si512();
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        all = _mm512_mask_or_epi64(all, (__mmask8)(rights >> (8 * i)), all, _mm512_load_si512(masks + 64 * (size_t)i));
    const __m256i four = _mm256_or_si256(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
    const __m128i two = _mm_or_si128(_mm256_castsi256_si128(four), _mm256_extracti128_si256(four, 1));
    return (uint32_t)__builtin_ctzll(~(uint64_t)(_mm_cvtsi128_si64(two) | _mm_extract_epi64(two, 1)));
}

#include "kernels/cpu/planes_row_run.h"
#endif
