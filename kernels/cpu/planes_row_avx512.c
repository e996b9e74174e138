/* kernels/cpu/planes_row_avx512.c: one row (planes_row.c). CMakeLists.txt gives this file the compiler's options, isa.c tells where it may run. A tree is
 * a dozen or two of operations that depend on nothing but the codes; only the adds, in tree order, wait for each other. */
#if defined(__x86_64__)
#include "kernels/cpu/planes_internal.h"

#include <immintrin.h>
#include <string.h>

/* Sixteens that are passed as a whole, then thresholds of the next one. NaN passes none. */
static inline uint32_t rank_of(const float *ranks, float x) {
    const __m512 v = _mm512_set1_ps(x);
    uint32_t first = (uint32_t)__builtin_popcount(_mm512_cmp_ps_mask(_mm512_load_ps(ranks), v, _CMP_LE_OQ));
    if (first > 15) first = 15;
    const uint32_t rank =
        16 * first + (uint32_t)__builtin_popcount(
                         _mm512_cmp_ps_mask(_mm512_load_ps(ranks + 16 + 16 * (size_t)first), v, _CMP_LE_OQ));
    return rank < PLANES_RANKS ? rank : PLANES_RANKS;
}

static bool is_missing(float x, bool zero_missing) { return x != x || (zero_missing && x >= -1e-35f && x <= 1e-35f); }

static uint32_t code_of(float x, bool from_minus_1) {
    if (x != x) return 8 * PLANES_SET_MISSING;
    if (from_minus_1 && x > -1.0f && x < 0.0f) return 0;
    return x >= 0.0f && x < 8.0f * PLANES_SET_NONE ? (uint32_t)x : 8 * PLANES_SET_NONE;
}

static void codes_find(const ride_planes *p, const float *x, uint8_t *codes) {
    const planes_row *row = p->row;
    for (uint32_t c = 0; c < p->columns_count; c++) {
        const planes_column *column = &p->columns[c];
        const float v = x[column->x];
        const uint32_t rank = rank_of(row->ranks + (size_t)c * PLANES_ROW_RANKS, v);
        const uint8_t missing = column->nan_right ? 255 : 0;
        codes[c] = is_missing(v, column->zero_missing) ? missing : (uint8_t)rank;
    }
    uint8_t *extra = codes + p->columns_count;
    for (uint32_t e = 0; e < row->extras_count; e++) {
        const planes_column *column = &p->columns[row->extras[e].column];
        const bool missing = is_missing(x[column->x], column->zero_missing);
        if (row->extras[e].alone) extra[e] = missing ? 255 : 0;
        else extra[e] = missing ? (column->nan_right ? 0 : 255) : codes[row->extras[e].column];
    }
    uint8_t *sets = extra + row->extras_count;
    for (uint32_t c = 0; c < p->codes_count; c++) {
        const planes_codes *of = &p->codes[c];
        const uint32_t code = code_of(x[of->x], of->from_minus_1);
        for (uint32_t s = of->sets_first; s < of->sets_first + of->sets_count; s++)
            sets[s] = p->sets[s][code / 8] >> (code % 8) & 1 ? 255 : 0;
    }
}

typedef struct code_table {
    __m512i of[4];
} code_table;

/* Codes at 64 places; more: above 128 of them. */
static inline __m512i codes_at(const code_table *t, bool more, __m512i at) {
    const __m512i low = _mm512_permutex2var_epi8(t->of[0], at, t->of[1]);
    if (!more) return low;
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(at), low, _mm512_permutex2var_epi8(t->of[2], at, t->of[3]));
}

static inline uint64_t rights_of(const code_table *t, bool more, const uint8_t *tree) {
    return _mm512_cmpgt_epu8_mask(codes_at(t, more, _mm512_load_si512(tree)), _mm512_load_si512(tree + 64));
}
static inline uint32_t rights_of_small(const code_table *t, bool more, const uint8_t *tree) {
    const __m512i both = _mm512_load_si512(tree); /* codes, then what they are compared with */
    const __m256i codes = _mm512_castsi512_si256(codes_at(t, more, both));
    return _mm256_cmpgt_epu8_mask(codes, _mm512_extracti64x4_epi64(both, 1));
}

/* Down a heap: bit i - 1 is the condition at place i. */
static inline uint32_t heap_place(uint64_t rights) {
    uint64_t at = 1;
#pragma GCC unroll 6
    for (int level = 0; level < 6; level++) at = 2 * at + (rights >> (at - 1) & 1);
    return (uint32_t)(at - 64);
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

static inline __attribute__((always_inline)) const uint8_t *
tree_leaf(const code_table *codes, bool more, planes_row_kind kind, size_t value, const uint8_t *tree) {
    if (kind == PLANES_ROW_HEAP) return tree + 128 + value * heap_place(rights_of(codes, more, tree));
    if (kind == PLANES_ROW_SMALL)
        return tree + 192 + value * small_place(rights_of_small(codes, more, tree), tree + 64);
    return tree + 640 + value * large_place(rights_of(codes, more, tree), tree + 128);
}

static inline __attribute__((always_inline)) void trees_run(const ride_planes *p, planes_sum sum, bool more,
                                                            const code_table *codes, double *margins) {
    const size_t value = sum == PLANES_F64 ? 8 : 4;
    const uint8_t *tree = p->row->trees;
    const uint8_t *kinds = p->row->kinds;
    uint32_t t = 0;
    for (uint32_t o = 0; o < p->outputs_count; o++) {
        const planes_output *output = &p->outputs[o];
        double doubles = output->base;
        float floats = (float)output->base;
        int32_t whole = 0;
        for (const uint32_t end = t + output->trees_count; t < end; t++) {
            const planes_row_kind kind = (planes_row_kind)kinds[t];
            const uint8_t *leaf = tree_leaf(codes, more, kind, value, tree);
            if (sum == PLANES_F64) {
                double add;
                memcpy(&add, leaf, sizeof add);
                doubles += add;
            } else if (sum == PLANES_F32) {
                float add;
                memcpy(&add, leaf, sizeof add);
                floats += add;
            } else {
                int32_t add;
                memcpy(&add, leaf, sizeof add);
                whole += add;
            }
            tree += kind == PLANES_ROW_HEAP    ? 128 + 64 * value
                    : kind == PLANES_ROW_SMALL ? 192 + 32 * value
                                               : 640 + 64 * value;
        }
        margins[o] = planes_margin(p, output,
                                   sum == PLANES_F64   ? doubles
                                   : sum == PLANES_F32 ? (double)floats
                                                       : (double)whole);
    }
}

void planes_row_run(const ride_planes *p, const float *x, double *margins) {
    _Alignas(64) uint8_t bytes[256];
    code_table codes;
    const bool more = p->row->codes_count > 128;
    codes_find(p, x, bytes);
    for (uint32_t i = 0; i < 4; i++) codes.of[i] = _mm512_load_si512(bytes + 64 * (size_t)i);
    if (more) {
        if (p->sum == PLANES_F64) trees_run(p, PLANES_F64, true, &codes, margins);
        else if (p->sum == PLANES_F32) trees_run(p, PLANES_F32, true, &codes, margins);
        else trees_run(p, PLANES_WHOLE, true, &codes, margins);
        return;
    }
    if (p->sum == PLANES_F64) trees_run(p, PLANES_F64, false, &codes, margins);
    else if (p->sum == PLANES_F32) trees_run(p, PLANES_F32, false, &codes, margins);
    else trees_run(p, PLANES_WHOLE, false, &codes, margins);
}
#endif
