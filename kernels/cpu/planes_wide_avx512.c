/* kernels/cpu/planes_wide_avx512.c: 512 rows a block, a plane is a register. CMakeLists.txt gives this file the compiler's options (AVX-512
 * F, VL, BW, DQ, VBMI and GFNI), isa.c tells where it may run.
 *
 *   ranks    rank(x) = how many thresholds of the column are <= x, so x >= threshold k is rank > k: a search over 255 thresholds that lie in
 *            sixteen registers
 *   slice    512 ranks of a byte each → 8 planes, one for each bit
 *   planes   rank > 16 h + l is (high > h) or (high >= h and low > l): thermometers of the two digits, then one operation a plane
 *   trees    selections down to six planes of the leaf's place
 *   places   back to a byte a row
 *   leaves   the two halves of the leaf from tables in registers; the sums stay in registers for four trees
 *
 * Slicing and its reverse order the rows as the instructions like it. Every plane has the same order, so nobody minds until the
 * sums come out; planes_wide_prepare learns the order by sending the numbers of the rows through the same steps. */
#if defined(__x86_64__)
#include "kernels/cpu/planes_internal.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

enum {
    GROUP = 64, /* rows of a register of bytes */
    GROUPS = RIDE_PLANES_ROWS / GROUP,
    PLANE_BYTES = RIDE_PLANES_ROWS / 8,
    PIVOTS = 256,
    LANES = 16,
};
typedef __m512i plane;

static inline plane select_plane(plane test, plane right, plane left) {
    return _mm512_ternarylogic_epi64(test, right, left, 0xca);
}
static inline plane or_and(plane a, plane b, plane c) {
    return _mm512_ternarylogic_epi64(a, b, c, 0xf8);
} /* a | (b & c) */

/* ---- ranks ---- */

/* The 255 thresholds (padded with +infinity) in buckets of eight, as tables of 32 in pairs of registers. LAST: the greatest of each
 * bucket, for the search of the bucket. Within it: the 4th; then the 2nd or the 6th; then the 1st, 3rd, 5th or 7th. */
enum { LAST = 0, FOURTH = 2, SECOND = 4, SIXTH = 6, FIRST = 8, THIRD = 10, FIFTH = 12, SEVENTH = 14, REGISTERS = 16 };
typedef struct searcher {
    __m512 of[REGISTERS];
} searcher;

static void pivots_make(const float *thresholds, uint32_t count, float out[PIVOTS]) {
    float all[PIVOTS];
    for (uint32_t i = 0; i < PIVOTS; i++) all[i] = i < count ? thresholds[i] : INFINITY;
    for (uint32_t bucket = 0; bucket < 32; bucket++) {
        const float *of = all + 8 * (size_t)bucket;
        out[bucket] = of[7];
        out[32 + bucket] = of[3];
        out[64 + bucket] = of[1];
        out[96 + bucket] = of[5];
        for (uint32_t i = 0; i < 4; i++) out[128 + 32 * i + bucket] = of[2 * (size_t)i];
    }
}

static inline void searcher_load(searcher *s, const float *pivots) {
#pragma GCC unroll 16
    for (uint32_t i = 0; i < REGISTERS; i++) s->of[i] = _mm512_load_ps(pivots + LANES * (size_t)i);
}

static inline __m512 look_up(const searcher *s, int table, __m512i at) {
    return _mm512_permutex2var_ps(s->of[table], at, s->of[table + 1]);
}
static inline __mmask16 is_passed(__m512 threshold, __m512 x) { return _mm512_cmp_ps_mask(threshold, x, _CMP_LE_OQ); }

static inline __m512i rank16(const searcher *s, __m512 x) {
    __m512i at = _mm512_setzero_si512();
#pragma GCC unroll 5
    for (int step = 16; step > 0; step /= 2) {
        const __mmask16 passed = is_passed(look_up(s, LAST, _mm512_or_si512(at, _mm512_set1_epi32(step - 1))), x);
        at = _mm512_mask_or_epi32(at, passed, at, _mm512_set1_epi32(step));
    }
    const __mmask16 four = is_passed(look_up(s, FOURTH, at), x);
    const __mmask16 two = is_passed(_mm512_mask_blend_ps(four, look_up(s, SECOND, at), look_up(s, SIXTH, at)), x);
    const __m512 low = _mm512_mask_blend_ps(two, look_up(s, FIRST, at), look_up(s, THIRD, at)),
                 high = _mm512_mask_blend_ps(two, look_up(s, FIFTH, at), look_up(s, SEVENTH, at));
    const __mmask16 one = is_passed(_mm512_mask_blend_ps(four, low, high), x);
    at = _mm512_slli_epi32(at, 3);
    at = _mm512_mask_or_epi32(at, four, at, _mm512_set1_epi32(4));
    at = _mm512_mask_or_epi32(at, two, at, _mm512_set1_epi32(2));
    return _mm512_mask_or_epi32(at, one, at, _mm512_set1_epi32(1));
}

/* Four registers of 16 small numbers → one of 64 bytes: byte 4 j + s is row 16 s + j of the group. */
static inline __m512i pack(__m512i a, __m512i b, __m512i c, __m512i d) {
    const __m512i abc = _mm512_ternarylogic_epi64(a, _mm512_slli_epi32(b, 8), _mm512_slli_epi32(c, 16), 0xfe);
    return _mm512_or_si512(abc, _mm512_slli_epi32(d, 24));
}

/* Ranks of a column, missing values as told; *nans: bits of the missing ones, in the order of pack as far as a register goes. */
static inline __mmask16 ranks_make(const float *pivots, const float *x, uint32_t groups, bool nan_right,
                                   __m512i ranks[GROUPS]) {
    searcher s;
    searcher_load(&s, pivots);
    const __m512i nan_rank = _mm512_set1_epi32(nan_right ? PLANES_RANKS : 0);
    __mmask16 any = 0;
    for (uint32_t g = 0; g < groups; g++) {
        __m512i of[4];
        for (uint32_t i = 0; i < 4; i++) {
            const __m512 v = _mm512_load_ps(x + GROUP * (size_t)g + LANES * (size_t)i);
            const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
            of[i] = _mm512_mask_mov_epi32(rank16(&s, v), nan, nan_rank);
            any |= nan;
        }
        ranks[g] = pack(of[0], of[1], of[2], of[3]);
    }
    return any;
}

static inline void nans_make(const float *x, uint32_t groups, __m512i nans[GROUPS]) {
    for (uint32_t g = 0; g < groups; g++) {
        __m512i of[4];
        for (uint32_t i = 0; i < 4; i++) {
            const __m512 v = _mm512_load_ps(x + GROUP * (size_t)g + LANES * (size_t)i);
            of[i] = _mm512_maskz_set1_epi32(_mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), 1);
        }
        nans[g] = pack(of[0], of[1], of[2], of[3]);
    }
}

/* ---- slices ---- */

/* Bits of bytes: in each group of 8 bytes, byte k of the result has bit k of all eight (the eight rows in reverse). */
static inline __m512i turn8(__m512i bytes) {
    return _mm512_gf2p8affine_epi64_epi8(_mm512_set1_epi64((long long)0x8040201008040201), bytes, 0);
}

/* 8 registers of 64 bytes → planes of their 8 bits. */
static inline void slice(const __m512i bytes[GROUPS], plane bits[8]) {
    uint8_t order[GROUP];
    for (int k = 0; k < 8; k++)
        for (int i = 0; i < 8; i++) order[8 * k + i] = (uint8_t)(8 * i + k);
    const __m512i gather = _mm512_loadu_si512(order);
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

/* Six planes of the leaf's place → a byte for each row. A group of 8 bytes for turn8 is two bytes that nobody reads, then the planes'. */
static inline void places_make(const plane b[PLANES_BITS], uint8_t *out) {
    const __m512i w1[2] = {_mm512_unpacklo_epi8(b[0], b[1]), _mm512_unpackhi_epi8(b[0], b[1])};
    const __m512i w2[2] = {_mm512_unpacklo_epi8(b[2], b[3]), _mm512_unpackhi_epi8(b[2], b[3])};
    const __m512i w3[2] = {_mm512_unpacklo_epi8(b[4], b[5]), _mm512_unpackhi_epi8(b[4], b[5])};
#pragma GCC unroll 2
    for (int half = 0; half < 2; half++) {
        const __m512i low01 = _mm512_unpacklo_epi16(w1[half], w1[half]),
                      high01 = _mm512_unpackhi_epi16(w1[half], w1[half]);
        const __m512i low23 = _mm512_unpacklo_epi16(w2[half], w3[half]),
                      high23 = _mm512_unpackhi_epi16(w2[half], w3[half]);
        uint8_t *to = out + 4 * GROUP * half;
        _mm512_store_si512(to, turn8(_mm512_unpacklo_epi32(low01, low23)));
        _mm512_store_si512(to + GROUP, turn8(_mm512_unpackhi_epi32(low01, low23)));
        _mm512_store_si512(to + 2 * GROUP, turn8(_mm512_unpacklo_epi32(high01, high23)));
        _mm512_store_si512(to + 3 * GROUP, turn8(_mm512_unpackhi_epi32(high01, high23)));
    }
}

#define PLANES_WIDE
#include "kernels/cpu/planes_wide.h"

static void conditions(const ride_planes *p, plane *planes, const float *x, uint32_t stride, uint32_t groups) {
    __m512i bytes[GROUPS];
    for (uint32_t g = groups; g < GROUPS; g++) bytes[g] = _mm512_setzero_si512();
    for (uint32_t c = 0; c < p->columns_count; c++) {
        const planes_column *column = &p->columns[c];
        const float *values = x + (size_t)column->x * stride;
        plane bits[8], *out = planes + column->plane_first;
        const __mmask16 any = ranks_make(p->pivots + (size_t)c * PIVOTS, values, groups, column->nan_right, bytes);
        slice(bytes, bits);
        planes_make(bits, column->thresholds_count, out);
        if (column->others_count == 0) continue;
        plane nan = _mm512_setzero_si512();
        if (any) {
            nans_make(values, groups, bytes);
            slice(bytes, bits);
            nan = bits[0];
        }
        for (uint32_t i = 0; i < column->others_count; i++) {
            const planes_other *other = &p->others[column->others_first + i];
            planes[other->plane] = _mm512_xor_si512(out[other->threshold], nan);
        }
    }
}

/* ---- leaves ---- */

/* Adds the leaves of `count` trees to the sums. A place's six low bits are all that the look-up reads, so the bytes of even rows are looked up
 * where they are, those of odd ones after a shift; low and high halves of the leaves are put together again. */
static inline void leaves_add(const planes_leaves *leaves, uint32_t count, const uint8_t *places, float *sums) {
    for (int half = 0; half < 2; half++) {
        __m512 sum[16];
        float *at = sums + 256 * (size_t)half;
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) sum[i] = _mm512_load_ps(at + LANES * (size_t)i);
        for (uint32_t t = 0; t < count; t++) {
            const __m512i l0 = _mm512_load_si512(leaves[t].low), l1 = _mm512_load_si512(leaves[t].low + 32),
                          h0 = _mm512_load_si512(leaves[t].high), h1 = _mm512_load_si512(leaves[t].high + 32);
            const uint8_t *rows = places + (size_t)t * RIDE_PLANES_ROWS + 256 * (size_t)half;
#pragma GCC unroll 4
            for (int g = 0; g < 4; g++) {
                const __m512i even = _mm512_load_si512(rows + GROUP * (size_t)g), odd = _mm512_srli_epi16(even, 8);
                const __m512i le = _mm512_permutex2var_epi16(l0, even, l1),
                              he = _mm512_permutex2var_epi16(h0, even, h1);
                const __m512i lo = _mm512_permutex2var_epi16(l0, odd, l1), ho = _mm512_permutex2var_epi16(h0, odd, h1);
                sum[4 * g] = _mm512_add_ps(sum[4 * g], _mm512_castsi512_ps(_mm512_unpacklo_epi16(le, he)));
                sum[4 * g + 1] = _mm512_add_ps(sum[4 * g + 1], _mm512_castsi512_ps(_mm512_unpackhi_epi16(le, he)));
                sum[4 * g + 2] = _mm512_add_ps(sum[4 * g + 2], _mm512_castsi512_ps(_mm512_unpacklo_epi16(lo, ho)));
                sum[4 * g + 3] = _mm512_add_ps(sum[4 * g + 3], _mm512_castsi512_ps(_mm512_unpackhi_epi16(lo, ho)));
            }
        }
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) _mm512_store_ps(at + LANES * (size_t)i, sum[i]);
    }
}

/* ---- the kernel ---- */

enum { PLACES_BYTES = PLANES_TREES_AT_ONCE * RIDE_PLANES_ROWS, SUMS_BYTES = RIDE_PLANES_ROWS * sizeof(float) };

size_t planes_wide_scratch_bytes(const ride_planes *p) {
    return PLACES_BYTES + SUMS_BYTES + (size_t)(p->planes_count + p->ops_most) * PLANE_BYTES;
}

void planes_wide(const ride_planes *p, void *scratch, const float *x, uint32_t stride, uint32_t rows_count,
                 double *margins) {
    uint8_t *places = scratch;
    float *sums = (void *)(places + PLACES_BYTES);
    plane *planes = (void *)(places + PLACES_BYTES + SUMS_BYTES);
    planes[PLANE_LEFT] = _mm512_setzero_si512();
    planes[PLANE_RIGHT] = _mm512_set1_epi8(-1);
    conditions(p, planes, x, stride, (rows_count + GROUP - 1) / GROUP);
    for (uint32_t i = 0; i < RIDE_PLANES_ROWS; i++) sums[i] = p->base;
    for (uint32_t t = 0; t < p->trees_count; t += PLANES_TREES_AT_ONCE) {
        const uint32_t left = p->trees_count - t, count = left < PLANES_TREES_AT_ONCE ? left : PLANES_TREES_AT_ONCE;
        for (uint32_t i = 0; i < count; i++) {
            const planes_tree *tree = &p->trees[t + i];
            uint8_t *out = places + (size_t)i * RIDE_PLANES_ROWS;
            if (tree->heap_first != UINT32_MAX) heap_run(p->heaps + tree->heap_first, planes, out);
            else list_run(p, tree, planes, out);
        }
        leaves_add(p->leaves + t, count, places, sums);
    }
    for (uint32_t i = 0; i < RIDE_PLANES_ROWS; i++)
        if (p->row_of[i] < rows_count) margins[p->row_of[i]] = (double)sums[i];
}

/* Row numbers bit by bit as ranks of 0 or 255, sliced, made a place of 0 or 1, and added with leaves of 0 and that bit. */
static void order_learn(uint16_t row_of[RIDE_PLANES_ROWS]) {
    _Alignas(64) float sums[RIDE_PLANES_ROWS] = {0};
    for (uint32_t bit = 1; bit < RIDE_PLANES_ROWS; bit *= 2) {
        _Alignas(64) uint8_t places[RIDE_PLANES_ROWS];
        _Alignas(64) planes_leaves leaves;
        const float value = (float)bit;
        uint32_t word;
        __m512i bytes[GROUPS];
        plane bits[8], place[PLANES_BITS];
        memcpy(&word, &value, sizeof word);
        memset(&leaves, 0, sizeof leaves);
        leaves.low[1] = (uint16_t)word;
        leaves.high[1] = (uint16_t)(word >> 16);
        for (uint32_t g = 0; g < GROUPS; g++) {
            __m512i of[4];
            for (uint32_t i = 0; i < 4; i++) {
                const __m512i first = _mm512_set1_epi32((int)(GROUP * g + LANES * i));
                const __m512i row =
                    _mm512_add_epi32(first, _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
                of[i] = _mm512_maskz_set1_epi32(_mm512_test_epi32_mask(row, _mm512_set1_epi32((int)bit)), PLANES_RANKS);
            }
            bytes[g] = pack(of[0], of[1], of[2], of[3]);
        }
        slice(bytes, bits);
        for (int b = 0; b < PLANES_BITS; b++) place[b] = b == PLANES_BITS - 1 ? bits[0] : _mm512_setzero_si512();
        places_make(place, places);
        leaves_add(&leaves, 1, places, sums);
    }
    for (uint32_t i = 0; i < RIDE_PLANES_ROWS; i++) row_of[i] = (uint16_t)sums[i];
}

void planes_wide_prepare(ride_planes *p) {
    for (uint32_t c = 0; c < p->columns_count; c++)
        pivots_make(p->thresholds + p->columns[c].thresholds_first, p->columns[c].thresholds_count,
                    p->pivots + (size_t)c * PIVOTS);
    order_learn(p->row_of);
}
#endif
