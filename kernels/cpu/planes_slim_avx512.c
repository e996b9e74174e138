/* kernels/cpu/planes_slim_avx512.c: 128 rows a block, a plane is a register of 16 bytes (planes_wide_avx512.h): a block costs a fourth of one of
 * 512 rows, and its planes lie nearer. */
#if defined(__x86_64__)
#include "kernels/cpu/planes_bytes_avx512.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

enum { ROWS = PLANES_SLIM_ROWS, GROUP = 64, GROUPS = ROWS / GROUP };
typedef __m128i plane;
#define plane_ternary _mm_ternarylogic_epi64
#define KERNEL(name)  planes_slim##name
#define ORDER         row_of_slim
#define PLACES        place_of_slim

static inline void slice(const __m512i bytes[GROUPS], plane bits[8]) {
    const __m512i gather = _mm512_loadu_si512(gather_order);
    const __m512i a = _mm512_permutexvar_epi8(gather, turn8(bytes[0])),
                  b = _mm512_permutexvar_epi8(gather, turn8(bytes[1])); /* word k: bit k of the group */
    const __m512i even = _mm512_unpacklo_epi64(a, b), odd = _mm512_unpackhi_epi64(a, b);
    bits[0] = _mm512_castsi512_si128(even);
    bits[1] = _mm512_castsi512_si128(odd);
    bits[2] = _mm512_extracti32x4_epi32(even, 1);
    bits[3] = _mm512_extracti32x4_epi32(odd, 1);
    bits[4] = _mm512_extracti32x4_epi32(even, 2);
    bits[5] = _mm512_extracti32x4_epi32(odd, 2);
    bits[6] = _mm512_extracti32x4_epi32(even, 3);
    bits[7] = _mm512_extracti32x4_epi32(odd, 3);
}

/* Planes as four registers' lanes; byte i of a group of 8 for turn8 is of plane i, byte g of it in group g. */
#define PLANES_AT(g) g, 16 + g, 32 + g, 48 + g, 64 + g, 80 + g, 96 + g, 112 + g
static const uint8_t turn_order[2][GROUP] = {{PLANES_AT(0), PLANES_AT(1), PLANES_AT(2), PLANES_AT(3), PLANES_AT(4),
                                              PLANES_AT(5), PLANES_AT(6), PLANES_AT(7)},
                                             {PLANES_AT(8), PLANES_AT(9), PLANES_AT(10), PLANES_AT(11), PLANES_AT(12),
                                              PLANES_AT(13), PLANES_AT(14), PLANES_AT(15)}};
static inline void places_turn(__m512i high4, __m512i low4, uint8_t *out) {
    for (int half = 0; half < 2; half++)
        _mm512_store_si512(out + GROUP * half,
                           turn8(_mm512_permutex2var_epi8(high4, _mm512_loadu_si512(turn_order[half]), low4)));
}

static inline __m512i four(plane a, plane b, plane c, plane d) {
    const __m256i ab = _mm256_inserti128_si256(_mm256_castsi128_si256(a), b, 1),
                  cd = _mm256_inserti128_si256(_mm256_castsi128_si256(c), d, 1);
    return _mm512_inserti64x4(_mm512_castsi256_si512(ab), cd, 1);
}
static inline void places8_make(const plane b[8], uint8_t *out) {
    places_turn(four(b[0], b[1], b[2], b[3]), four(b[4], b[5], b[6], b[7]), out);
}
static inline void places6_make(const plane b[6], uint8_t *out) {
    const __m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(b[0]), b[1], 1);
    places_turn(_mm512_inserti64x4(_mm512_castsi256_si512(high), high, 1), four(b[2], b[3], b[4], b[5]), out);
}

#include "kernels/cpu/planes_wide_avx512.h"
#endif
