/* kernels/cpu/planes_row_avx2.c: one row (planes_row_run.h) with AVX2: codes are permuted by sixteens. CMakeLists.txt gives this file the compiler's
 * options, isa.c tells where it may run. */
#if defined(__x86_64__)
#include "kernels/cpu/planes_internal.h"

#include <immintrin.h>
#include <string.h>

#define KERNEL(name) planes_row_avx2##name
#define SIXTEENS     2

static inline uint32_t sixteen_passed(const float *sixteen, __m256 x) {
    const uint32_t low = (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(_mm256_load_ps(sixteen), x, _CMP_LE_OQ)),
                   high = (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(_mm256_load_ps(sixteen + 8), x, _CMP_LE_OQ));
    return (uint32_t)__builtin_popcount(low | high << 8);
}

/* Sixteens that are passed as a whole, then thresholds of the next one. NaN passes none. */
static inline uint32_t rank_of(const float *ranks, float x) {
    const __m256 v = _mm256_set1_ps(x);
    uint32_t first = sixteen_passed(ranks, v);
    if (first > 15) first = 15;
    return 16 * first + sixteen_passed(ranks + 16 + 16 * (size_t)first, v);
}

typedef struct code_table {
    __m256i of[16]; /* sixteen codes, twice */
} code_table;

static inline code_table codes_load(const uint8_t *bytes) {
    code_table t;
    for (int i = 0; i < 16; i++)
        t.of[i] = _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)(bytes + 16 * (size_t)i)));
    return t;
}

/* Codes at 32 places; `at` has the low four bits of them. The next bits, each shifted to the top of its byte, choose among the sixteens. */
static inline __m256i of_2(const __m256i *t, __m256i at, __m256i place) {
    return _mm256_blendv_epi8(_mm256_shuffle_epi8(t[0], at), _mm256_shuffle_epi8(t[1], at),
                              _mm256_slli_epi16(place, 3));
}
static inline __m256i of_4(const __m256i *t, __m256i at, __m256i place) {
    return _mm256_blendv_epi8(of_2(t, at, place), of_2(t + 2, at, place), _mm256_slli_epi16(place, 2));
}
static inline __m256i of_8(const __m256i *t, __m256i at, __m256i place) {
    return _mm256_blendv_epi8(of_4(t, at, place), of_4(t + 4, at, place), _mm256_slli_epi16(place, 1));
}
static inline __m256i codes_at(const code_table *t, uint32_t sixteens, __m256i place) {
    const __m256i at = place & _mm256_set1_epi8(15);
    if (sixteens == 2) return of_2(t->of, at, place);
    if (sixteens == 4) return of_4(t->of, at, place);
    if (sixteens == 8) return of_8(t->of, at, place);
    return _mm256_blendv_epi8(of_8(t->of, at, place), of_8(t->of + 8, at, place), place);
}

/* Conditions of 32 places: bit k is "code above". */
static inline uint32_t rights_of_32(const code_table *t, uint32_t sixteens, const uint8_t *codes,
                                    const uint8_t *above) {
    const __m256i at = codes_at(t, sixteens, _mm256_load_si256((const __m256i *)codes));
    const __m256i by = _mm256_subs_epu8(at, _mm256_load_si256((const __m256i *)above));
    return ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(by, _mm256_setzero_si256()));
}
static inline uint64_t rights_of(const code_table *t, uint32_t sixteens, const uint8_t *tree) {
    return rights_of_32(t, sixteens, tree, tree + 64) | (uint64_t)rights_of_32(t, sixteens, tree + 32, tree + 96) << 32;
}
static inline uint32_t rights_of_small(const code_table *t, uint32_t sixteens, const uint8_t *tree) {
    return rights_of_32(t, sixteens, tree, tree + 32);
}

/* A mask is loaded where its bit, shifted to the sign, is set. */
static inline uint32_t small_place(uint32_t rights, const uint8_t *masks) {
    const __m256i bits = _mm256_set1_epi32((int)rights);
    __m256i up = _mm256_setr_epi32(31, 30, 29, 28, 27, 26, 25, 24), all = _mm256_setzero_si256();
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++, up = _mm256_sub_epi32(up, _mm256_set1_epi32(8)))
        all |= _mm256_maskload_epi32((const int *)(const void *)(masks + 32 * (size_t)i), _mm256_sllv_epi32(bits, up));
    const __m128i four = _mm_or_si128(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
    const __m128i two = _mm_or_si128(four, _mm_unpackhi_epi64(four, four));
    const uint64_t pair = (uint64_t)_mm_cvtsi128_si64(two);
    return (uint32_t)__builtin_ctz(~(uint32_t)(pair | pair >> 32));
}

static inline uint32_t large_place(uint64_t rights, const uint8_t *masks) {
    const __m256i bits = _mm256_set1_epi64x((long long)rights);
    __m256i up = _mm256_setr_epi64x(63, 62, 61, 60), all = _mm256_setzero_si256(), more = _mm256_setzero_si256();
#pragma GCC unroll 8
    for (int i = 0; i < 16; i += 2, up = _mm256_sub_epi64(up, _mm256_set1_epi64x(8))) {
        const long long *at = (const void *)(masks + 32 * (size_t)i);
        all |= _mm256_maskload_epi64(at, _mm256_sllv_epi64(bits, up));
        more |= _mm256_maskload_epi64(at + 4, _mm256_sllv_epi64(bits, _mm256_sub_epi64(up, _mm256_set1_epi64x(4))));
    }
    all |= more;
    const __m128i two = _mm_or_si128(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
    return (uint32_t)__builtin_ctzll(~(uint64_t)(_mm_cvtsi128_si64(two) | _mm_extract_epi64(two, 1)));
}

#include "kernels/cpu/planes_row_run.h"
#endif
