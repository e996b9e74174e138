/* kernels/cpu/planes_half_avx512.c: 256 rows a block, a plane is a register of 32 bytes (planes_wide_avx512.h): for as many rows, and for more conditions than
 * stay near in blocks of 512. */
#if defined(__x86_64__)
#include "kernels/cpu/planes_bytes_avx512.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

enum { ROWS = PLANES_HALF_ROWS, GROUP = 64, GROUPS = ROWS / GROUP };
typedef __m256i plane;
#define plane_ternary _mm256_ternarylogic_epi64
#define KERNEL(name)  planes_half##name
#define ORDER         row_of_half
#define PLACES        place_of_half

/* Lanes of two pairs of groups → the planes of two bits. */
static inline void bits_put(__m512i first, __m512i second, plane *low, plane *next, plane *third, plane *high) {
    const __m512i a = _mm512_permutex2var_epi64(first, _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), second),
                  b = _mm512_permutex2var_epi64(first, _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15), second);
    *low = _mm512_castsi512_si256(a);
    *next = _mm512_extracti64x4_epi64(a, 1);
    *third = _mm512_castsi512_si256(b);
    *high = _mm512_extracti64x4_epi64(b, 1);
}

static inline void slice(const __m512i bytes[GROUPS], plane bits[8]) {
    const __m512i gather = _mm512_loadu_si512(gather_order);
    __m512i a[GROUPS];
    for (int g = 0; g < GROUPS; g++)
        a[g] = _mm512_permutexvar_epi8(gather, turn8(bytes[g])); /* word k: bit k of the group */
    bits_put(_mm512_unpacklo_epi64(a[0], a[1]), _mm512_unpacklo_epi64(a[2], a[3]), &bits[0], &bits[2], &bits[4],
             &bits[6]);
    bits_put(_mm512_unpackhi_epi64(a[0], a[1]), _mm512_unpackhi_epi64(a[2], a[3]), &bits[1], &bits[3], &bits[5],
             &bits[7]);
}

/* Bytes m of four planes that lie in two registers, and of two planes twice. */
#define FOUR_AT(m) m, 32 + m, 64 + m, 96 + m
#define TWO_AT(m)  m, 32 + m, m, 32 + m
#define SIXTEEN(f, m)                                                                                                  \
    f(m), f(m + 1), f(m + 2), f(m + 3), f(m + 4), f(m + 5), f(m + 6), f(m + 7), f(m + 8), f(m + 9), f(m + 10),         \
        f(m + 11), f(m + 12), f(m + 13), f(m + 14), f(m + 15)
static const uint8_t four_order[2][GROUP] = {{SIXTEEN(FOUR_AT, 0)}, {SIXTEEN(FOUR_AT, 16)}};
static const uint8_t two_order[2][GROUP] = {{SIXTEEN(TWO_AT, 0)}, {SIXTEEN(TWO_AT, 16)}};

static inline __m512i two(plane a, plane b) { return _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1); }

static inline __m512i fours_of(__m512i ab, __m512i cd, int half) {
    return _mm512_permutex2var_epi8(ab, _mm512_loadu_si512(four_order[half]), cd);
}

/* A group of 8 bytes for turn8: of the first four planes, then of the others. */
static inline void places_put(__m512i first, __m512i last, uint8_t *out) {
    _mm512_store_si512(out, turn8(_mm512_unpacklo_epi32(first, last)));
    _mm512_store_si512(out + GROUP, turn8(_mm512_unpackhi_epi32(first, last)));
}
static inline void places8_make(const plane b[8], uint8_t *out) {
    const __m512i ab = two(b[0], b[1]), cd = two(b[2], b[3]), ef = two(b[4], b[5]), gh = two(b[6], b[7]);
    for (int half = 0; half < 2; half++)
        places_put(fours_of(ab, cd, half), fours_of(ef, gh, half), out + 2 * GROUP * half);
}
static inline void places6_make(const plane b[6], uint8_t *out) {
    const __m512i ab = two(b[0], b[1]), cd = two(b[2], b[3]), ef = two(b[4], b[5]);
    for (int half = 0; half < 2; half++)
        places_put(_mm512_permutexvar_epi8(_mm512_loadu_si512(two_order[half]), ab), fours_of(cd, ef, half),
                   out + 2 * GROUP * half);
}

#include "kernels/cpu/planes_wide_avx512.h"
#endif
