/* kernels/cpu/planes_wide_avx512.c: 512 rows a block, a plane is a register of 64 bytes (planes_wide_avx512.h). */
#if defined(__x86_64__)
#include "kernels/cpu/planes_bytes_avx512.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

enum { ROWS = RIDE_PLANES_ROWS, GROUP = 64, GROUPS = ROWS / GROUP };
typedef __m512i plane;
#define plane_ternary _mm512_ternarylogic_epi64
#define KERNEL(name)  planes_wide##name
#define ORDER         row_of
#define PLACES        place_of

static inline void slice(const __m512i bytes[GROUPS], plane bits[8]) {
    const __m512i gather = _mm512_loadu_si512(gather_order);
    __m512i a[8], b[8];
    for (int g = 0; g < 8; g++)
        a[g] = _mm512_permutexvar_epi8(gather, turn8(bytes[g])); /* word k: bit k of the group */
    for (int g = 0; g < 8; g += 2) {
        b[g] = _mm512_unpacklo_epi64(a[g], a[g + 1]);     /* even bits of both */
        b[g + 1] = _mm512_unpackhi_epi64(a[g], a[g + 1]); /* odd bits */
    }
    for (int odd = 0; odd < 2; odd++) { /* bits 0, 4 and 2, 6 of four groups; then of all eight */
        const __m512i low04 = _mm512_shuffle_i64x2(b[odd], b[2 + odd], 0x88),
                      low26 = _mm512_shuffle_i64x2(b[odd], b[2 + odd], 0xdd);
        const __m512i high04 = _mm512_shuffle_i64x2(b[4 + odd], b[6 + odd], 0x88),
                      high26 = _mm512_shuffle_i64x2(b[4 + odd], b[6 + odd], 0xdd);
        bits[odd] = _mm512_shuffle_i64x2(low04, high04, 0x88);
        bits[4 + odd] = _mm512_shuffle_i64x2(low04, high04, 0xdd);
        bits[2 + odd] = _mm512_shuffle_i64x2(low26, high26, 0x88);
        bits[6 + odd] = _mm512_shuffle_i64x2(low26, high26, 0xdd);
    }
}

/* A group of 8 bytes for turn8 is the bytes of two planes, or two that nobody reads, then those of six planes. */
static inline __attribute__((always_inline)) void places_make(const __m512i w0[2], const plane b[6], uint8_t *out) {
    const __m512i w1[2] = {_mm512_unpacklo_epi8(b[0], b[1]), _mm512_unpackhi_epi8(b[0], b[1])};
    const __m512i w2[2] = {_mm512_unpacklo_epi8(b[2], b[3]), _mm512_unpackhi_epi8(b[2], b[3])};
    const __m512i w3[2] = {_mm512_unpacklo_epi8(b[4], b[5]), _mm512_unpackhi_epi8(b[4], b[5])};
#pragma GCC unroll 2
    for (int half = 0; half < 2; half++) {
        const __m512i first = w0 != NULL ? w0[half] : w1[half];
        const __m512i low01 = _mm512_unpacklo_epi16(first, w1[half]), high01 = _mm512_unpackhi_epi16(first, w1[half]);
        const __m512i low23 = _mm512_unpacklo_epi16(w2[half], w3[half]),
                      high23 = _mm512_unpackhi_epi16(w2[half], w3[half]);
        uint8_t *to = out + 4 * GROUP * half;
        _mm512_store_si512(to, turn8(_mm512_unpacklo_epi32(low01, low23)));
        _mm512_store_si512(to + GROUP, turn8(_mm512_unpackhi_epi32(low01, low23)));
        _mm512_store_si512(to + 2 * GROUP, turn8(_mm512_unpacklo_epi32(high01, high23)));
        _mm512_store_si512(to + 3 * GROUP, turn8(_mm512_unpackhi_epi32(high01, high23)));
    }
}
static inline void places6_make(const plane b[6], uint8_t *out) { places_make(NULL, b, out); }
static inline void places8_make(const plane b[8], uint8_t *out) {
    const __m512i w0[2] = {_mm512_unpacklo_epi8(b[0], b[1]), _mm512_unpackhi_epi8(b[0], b[1])};
    places_make(w0, b + 2, out);
}

#include "kernels/cpu/planes_wide_avx512.h"
#endif
