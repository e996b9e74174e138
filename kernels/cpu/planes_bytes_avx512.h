/* kernels/cpu/planes_bytes_avx512.h: bytes to bits and back, for the kernels with AVX-512. Private. */
#ifndef RIDE_KERNELS_CPU_PLANES_BYTES_AVX512_H
#define RIDE_KERNELS_CPU_PLANES_BYTES_AVX512_H
#include "kernels/cpu/planes_internal.h"

#if defined(__AVX512BW__) && defined(__GFNI__)
#include <immintrin.h>

/* Bits of bytes: in each group of 8 bytes, byte k of the result has bit k of all eight (the eight rows in reverse). */
static inline __m512i turn8(__m512i bytes) {
    return _mm512_gf2p8affine_epi64_epi8(_mm512_set1_epi64((long long)0x8040201008040201), bytes, 0);
}

/* Brings the bytes of one bit together: word k has bit k of all 64 rows. */
#define BYTES_OF(k) k, 8 + k, 16 + k, 24 + k, 32 + k, 40 + k, 48 + k, 56 + k
static const uint8_t gather_order[64] = {BYTES_OF(0), BYTES_OF(1), BYTES_OF(2), BYTES_OF(3),
                                         BYTES_OF(4), BYTES_OF(5), BYTES_OF(6), BYTES_OF(7)};
#undef BYTES_OF
#endif

#endif
