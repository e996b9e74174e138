/* kernels/cpu/forest_turn_avx512.c: CMakeLists.txt gives this file the compiler's options, isa.c tells where it may run. */
#if defined(__x86_64__)
#include "kernels/cpu/forest_turn.h"

#include <immintrin.h>

enum { SIDE = 16 };

/* Of up to sixteen doubles of a row: the floats that forest_fold_doubles gives. All but a few are the next lower float, if they are none. */
static inline __m512 folded(const forest_fold *fold, const uint32_t *inputs, __mmask16 some, const double *from) {
    const __m512d a = _mm512_maskz_loadu_pd((__mmask8)some, from),
                  b = _mm512_maskz_loadu_pd((__mmask8)(some >> 8), from + 8);
    const __m512 low =
        _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvt_roundpd_ps(a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)),
                           _mm512_cvt_roundpd_ps(b, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC), 1);
    const __m512 high =
        _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvt_roundpd_ps(a, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)),
                           _mm512_cvt_roundpd_ps(b, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC), 1);
    const __mmask16 between = _mm512_cmp_ps_mask(low, high, _CMP_NEQ_OQ);
    if (between == 0) return low;
    const __m512i bits = _mm512_castps_si512(_mm512_add_ps(high, _mm512_setzero_ps()));
    const __m512i place =
        _mm512_srli_epi32(_mm512_mullo_epi32(bits, _mm512_set1_epi32((int)FOREST_FOLD_FACTOR)), FOREST_FOLD_SHIFT);
    _Alignas(64) uint32_t filters[SIDE] = {0};
    for (uint32_t i = 0; i < SIDE && some >> i != 0; i++) filters[i] = forest_fold_filter(fold, inputs[i]);
    const __m512i at = _mm512_add_epi32(_mm512_load_si512(filters), _mm512_srli_epi32(place, 5));
    const __m512i words =
        _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), between, at, forest_fold_filters(fold), 4);
    const __m512i bit = _mm512_srlv_epi32(words, _mm512_and_si512(place, _mm512_set1_epi32(31)));
    uint32_t doubtful = between & _mm512_test_epi32_mask(bit, _mm512_set1_epi32(1));
    if (doubtful == 0) return low;
    _Alignas(64) float values[SIDE];
    _mm512_store_ps(values, low);
    for (; doubtful != 0; doubtful &= doubtful - 1) {
        const uint32_t i = (uint32_t)__builtin_ctz(doubtful);
        forest_fold_doubles(fold, inputs[i], &from[i], 1, &values[i]);
    }
    return _mm512_load_ps(values);
}

static inline __m512 taken(const ride_cpu_matrix *m, const forest_fold *fold, const uint32_t *inputs, __mmask16 some,
                           size_t row) {
    const ptrdiff_t at = (ptrdiff_t)row * m->row_stride + (ptrdiff_t)inputs[0];
    if (m->number == RIDE_FOREST_F32) return _mm512_maskz_loadu_ps(some, (const float *)m->x + at);
    const double *from = (const double *)m->x + at;
    if (fold != NULL) return folded(fold, inputs, some, from);
    const __m256 low = _mm512_cvtpd_ps(_mm512_maskz_loadu_pd((__mmask8)some, from)),
                 high = _mm512_cvtpd_ps(_mm512_maskz_loadu_pd((__mmask8)(some >> 8), from + 8));
    return _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
}

/* Sixteen registers of sixteen: values k of all become register k. */
static inline void turn(__m512 v[SIDE]) {
    __m512 a[SIDE], b[SIDE];
#pragma GCC unroll 8
    for (int i = 0; i < SIDE; i += 2) { /* pairs of rows */
        a[i] = _mm512_unpacklo_ps(v[i], v[i + 1]);
        a[i + 1] = _mm512_unpackhi_ps(v[i], v[i + 1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < SIDE; i += 4) { /* of four rows: values 4 l + k in lane l of b[i + k] */
        b[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(a[i]), _mm512_castps_pd(a[i + 2])));
        b[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(a[i]), _mm512_castps_pd(a[i + 2])));
        b[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(a[i + 1]), _mm512_castps_pd(a[i + 3])));
        b[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(a[i + 1]), _mm512_castps_pd(a[i + 3])));
    }
#pragma GCC unroll 4
    for (int k = 0; k < 4; k++) {
        const __m512 low02 = _mm512_shuffle_f32x4(b[k], b[4 + k], 0x88),
                     low13 = _mm512_shuffle_f32x4(b[k], b[4 + k], 0xdd);
        const __m512 high02 = _mm512_shuffle_f32x4(b[8 + k], b[12 + k], 0x88),
                     high13 = _mm512_shuffle_f32x4(b[8 + k], b[12 + k], 0xdd);
        v[k] = _mm512_shuffle_f32x4(low02, high02, 0x88);
        v[8 + k] = _mm512_shuffle_f32x4(low02, high02, 0xdd);
        v[4 + k] = _mm512_shuffle_f32x4(low13, high13, 0x88);
        v[12 + k] = _mm512_shuffle_f32x4(low13, high13, 0xdd);
    }
}

void forest_turn_avx512(const uint32_t *inputs, uint32_t inputs_count, const ride_cpu_matrix *m,
                        const forest_fold *fold, size_t first, uint32_t rows_count, float *x) {
    const uint32_t end = (rows_count + RIDE_CPU_FOREST_STRIDE - 1) / RIDE_CPU_FOREST_STRIDE * RIDE_CPU_FOREST_STRIDE;
    for (uint32_t r = 0; r < end; r += SIDE)
        for (uint32_t i = 0, count; i < inputs_count; i += count) {
            for (count = 1; count < SIDE && i + count < inputs_count && inputs[i + count] == inputs[i] + count;)
                count++;
            const __mmask16 some = (__mmask16)((1u << count) - 1);
            __m512 v[SIDE];
#pragma GCC unroll 16
            for (uint32_t k = 0; k < SIDE; k++)
                v[k] = taken(m, fold, inputs + i, some, first + (r + k < rows_count ? r + k : rows_count - 1));
            turn(v);
            float *to = x + (size_t)i * RIDE_CPU_FOREST_ROWS + r;
#pragma GCC unroll 16
            for (uint32_t k = 0; k < SIDE; k++)
                if (k < count) _mm512_store_ps(to + (size_t)k * RIDE_CPU_FOREST_ROWS, v[k]);
        }
}
#endif
