/* kernels/cpu/planes_wide_avx2.c: 256 rows a block, a plane is a register. CMakeLists.txt gives this file the compiler's options, isa.c tells where
 * it may run.
 *
 *   ranks    rank(x) = how many thresholds of the column are <= x, so x >= threshold k is rank > k. Few thresholds are counted; many lie in
 *            buckets of eight: the bucket by a search in registers for eight rows at once, the place in it by one comparison of the
 *            whole bucket for each row
 *   turn     256 ranks of a byte each → 8 planes, one for each bit
 *   planes   planes_wide.h
 *   trees    selections down to six planes of the leaf's place (planes_wide.h)
 *   places   back to a byte a row, by the same turn
 *   leaves   the four bytes of the leaf from tables of sixteen in registers; the sums stay in registers for some trees
 *
 * The turn is its own reverse, so a group of 32 rows stays together: groups that a block has not are neither ranked nor summed. */
#if defined(__x86_64__)
#include "kernels/cpu/planes_internal.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

enum {
    LANES = 8,
    GROUP = 32, /* rows of a register of bytes */
    GROUPS = RIDE_PLANES_AVX2_ROWS / GROUP,
    PLANE_BYTES = RIDE_PLANES_AVX2_ROWS / 8,
    BUCKET = 8,
    COUNTED = 20, /* thresholds that are counted rather than searched */
    HEAP = 32,    /* of a column's pivots: the last thresholds of the buckets, in the order of the search */
    PIVOTS = HEAP + 256,
};
typedef __m256i plane;

static inline plane select_plane(plane test, plane right, plane left) {
    return (test & right) | _mm256_andnot_si256(test, left);
}
static inline plane or_and(plane a, plane b, plane c) { return a | (b & c); }

/* ---- ranks ---- */

/* Levels of the search among the buckets of so many thresholds: 3 to 5. */
static uint32_t levels_of(uint32_t count) {
    uint32_t levels = 3;
    while ((uint32_t)BUCKET << levels < count) levels++;
    return levels;
}

/* In the heap: nodes 1 … 2^levels - 1, the children of i are 2 i and 2 i + 1. Behind the last threshold nothing is passed. */
static void pivots_make(const float *thresholds, uint32_t count, float out[PIVOTS]) {
    const uint32_t buckets = 1u << levels_of(count);
    float *all = out + HEAP;
    for (uint32_t i = 0; i < PIVOTS; i++) out[i] = NAN;
    memcpy(all, thresholds, count * sizeof *all);
    for (uint32_t level = 1; level < buckets; level *= 2)
        for (uint32_t i = 0; i < level; i++) {
            const uint32_t step = buckets / level;
            out[level + i] = all[BUCKET * (i * step + step / 2) - 1];
        }
}

static inline __m256i is_passed(__m256 threshold, __m256 x) {
    return _mm256_castps_si256(_mm256_cmp_ps(x, threshold, _CMP_GE_OQ));
}

/* Four registers of numbers below 256 → a byte for each row, in their order. */
static inline __m256i pack(__m256i a, __m256i b, __m256i c, __m256i d) {
    const __m256i bytes = _mm256_packus_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
    return _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

static inline __m256i count_ranks(const float *thresholds, uint32_t count, const float *x) {
    __m256 v[4];
    __m256i passed[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) v[i] = _mm256_load_ps(x + LANES * i), passed[i] = _mm256_setzero_si256();
#pragma GCC unroll 4
    for (uint32_t k = 0; k < count; k++) {
        const __m256 t = _mm256_broadcast_ss(thresholds + k);
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) passed[i] = _mm256_sub_epi32(passed[i], is_passed(t, v[i]));
    }
    return pack(passed[0], passed[1], passed[2], passed[3]);
}

/* The pivots of a search, in registers: a permutation whose table is in memory takes twice as long. */
typedef struct searcher {
    __m256 first, second, third, fours, eights, sixteens[2];
} searcher;

static inline __m256 kept(__m256 v) {
    __asm__("" : "+x"(v));
    return v;
}

static inline void searcher_load(searcher *s, const float *heap) {
    s->first = _mm256_broadcast_ss(heap + 1);
    s->second = _mm256_broadcast_ss(heap + 2);
    s->third = _mm256_broadcast_ss(heap + 3);
    s->fours = _mm256_broadcast_ps((const __m128 *)(heap + 4));
    s->eights = kept(_mm256_load_ps(heap + 8));
    s->sixteens[0] = kept(_mm256_load_ps(heap + 16));
    s->sixteens[1] = kept(_mm256_load_ps(heap + 24));
}

/* Where the byte of `test` has its highest bit, that of `yes`. */
static inline __m256 choose(__m256i test, __m256 yes, __m256 no) {
    return _mm256_castsi256_ps(_mm256_blendv_epi8(_mm256_castps_si256(no), _mm256_castps_si256(yes), test));
}

/* One level down, to the right where the pivot is passed. */
static inline __m256i descend(__m256i at, __m256 pivot, __m256 x) {
    return _mm256_sub_epi32(_mm256_add_epi32(at, at), is_passed(pivot, x));
}

/* Eight times the bucket of each of 8 rows: its first threshold. */
static inline __m256i buckets_find(const searcher *s, uint32_t levels, __m256 x) {
    const __m256i right = is_passed(s->first, x);
    __m256i at = _mm256_sub_epi32(_mm256_setzero_si256(), right);
    at = descend(at, choose(right, s->third, s->second), x);
    at = descend(at, _mm256_permutevar_ps(s->fours, at), x);
    if (levels > 3) at = descend(at, _mm256_permutevar8x32_ps(s->eights, at), x);
    if (levels > 4) {
        const __m256 low = _mm256_permutevar8x32_ps(s->sixteens[0], at),
                     high = _mm256_permutevar8x32_ps(s->sixteens[1], at);
        const __m256i is_high = _mm256_cmpgt_epi32(at, _mm256_set1_epi32(7));
        at = descend(at, choose(is_high, high, low), x);
    }
    return _mm256_slli_epi32(at, 3);
}

/* The ranks of 8 rows whose buckets are known: each row meets the whole of its bucket. */
static inline __m256i ranks_find(const float *thresholds, const uint32_t *first, const float *x) {
    __m256i passed[LANES];
#pragma GCC unroll 8
    for (int i = 0; i < LANES; i++)
        passed[i] = is_passed(_mm256_load_ps(thresholds + first[i]), _mm256_broadcast_ss(x + i));
    const __m256i rows03 = _mm256_packs_epi16(_mm256_packs_epi32(passed[0], passed[1]),
                                              _mm256_packs_epi32(passed[2], passed[3])),
                  rows47 = _mm256_packs_epi16(_mm256_packs_epi32(passed[4], passed[5]),
                                              _mm256_packs_epi32(passed[6], passed[7]));
    const __m256i fours =
        _mm256_add_epi8(_mm256_permute2x128_si256(rows03, rows47, 0x20),
                        _mm256_permute2x128_si256(rows03, rows47, 0x31)); /* of each row, to be added */
    const __m256i twos = _mm256_maddubs_epi16(_mm256_set1_epi8(1), fours);
    return _mm256_sub_epi32(_mm256_load_si256((const __m256i *)first), _mm256_madd_epi16(twos, _mm256_set1_epi16(1)));
}

static inline void search_ranks(const float *pivots, uint32_t levels, const float *x, uint32_t groups, plane *ranks) {
    uint32_t first[RIDE_PLANES_AVX2_ROWS] __attribute__((aligned(32)));
    searcher s;
    searcher_load(&s, pivots);
    for (uint32_t r = 0; r < GROUP * groups; r += LANES)
        _mm256_store_si256((__m256i *)(first + r), buckets_find(&s, levels, _mm256_load_ps(x + r)));
    for (uint32_t g = 0; g < groups; g++) {
        __m256i of[4];
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            const size_t row = GROUP * (size_t)g + LANES * (size_t)i;
            of[i] = ranks_find(pivots + HEAP, first + row, x + row);
        }
        ranks[g] = pack(of[0], of[1], of[2], of[3]);
    }
}

static void ranks_make(const float *pivots, uint32_t count, const float *x, uint32_t groups, plane ranks[GROUPS]) {
    switch (count > COUNTED ? levels_of(count) : 0) {
    case 0:
        for (uint32_t g = 0; g < groups; g++) ranks[g] = count_ranks(pivots + HEAP, count, x + GROUP * (size_t)g);
        break;
    case 3: search_ranks(pivots, 3, x, groups, ranks); break;
    case 4: search_ranks(pivots, 4, x, groups, ranks); break;
    default: search_ranks(pivots, 5, x, groups, ranks); break;
    }
}

static inline __m256i nans_of(const float *x) {
    __m256i nan[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        const __m256 v = _mm256_load_ps(x + LANES * i);
        nan[i] = _mm256_srli_epi32(_mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q)), 24);
    }
    return pack(nan[0], nan[1], nan[2], nan[3]);
}

/* ---- turns ---- */

/* Registers i and j of a turn: bits that belong to the other change places. */
#define TURN(i, j, shift, mask)                                                                                        \
    do {                                                                                                               \
        const __m256i change = (_mm256_srli_epi16(v[i], shift) ^ v[j]) & _mm256_set1_epi8(mask);                       \
        v[j] ^= change;                                                                                                \
        v[i] ^= _mm256_slli_epi16(change, shift);                                                                      \
    } while (0)

/* Bit k of register j and bit j of register k change places, in every byte. */
static inline void turn(plane v[8]) {
    TURN(0, 1, 1, 0x55);
    TURN(2, 3, 1, 0x55);
    TURN(4, 5, 1, 0x55);
    TURN(6, 7, 1, 0x55);
    TURN(0, 2, 2, 0x33);
    TURN(1, 3, 2, 0x33);
    TURN(4, 6, 2, 0x33);
    TURN(5, 7, 2, 0x33);
    TURN(0, 4, 4, 0x0f);
    TURN(1, 5, 4, 0x0f);
    TURN(2, 6, 4, 0x0f);
    TURN(3, 7, 4, 0x0f);
}

/* Six planes of the leaf's place → a byte for each row. */
static inline void places_make(const plane b[PLANES_BITS], uint8_t *out) {
    plane v[8] = {b[5], b[4], b[3], b[2], b[1], b[0], _mm256_setzero_si256(), _mm256_setzero_si256()};
    turn(v);
#pragma GCC unroll 8
    for (int g = 0; g < GROUPS; g++) _mm256_store_si256((__m256i *)(out + GROUP * (size_t)g), v[g]);
}

#define PLANES_WIDE
#include "kernels/cpu/planes_wide.h"

static void conditions(const ride_planes *p, plane *planes, const float *x, uint32_t stride, uint32_t groups) {
    for (uint32_t c = 0; c < p->columns_count; c++) {
        const planes_column *column = &p->columns[c];
        const float *values = x + (size_t)column->x * stride;
        plane bits[GROUPS], *out = planes + column->plane_first, nan = _mm256_setzero_si256();
        for (uint32_t g = groups; g < GROUPS; g++) bits[g] = _mm256_setzero_si256();
        ranks_make(p->pivots + (size_t)c * PIVOTS, column->thresholds_count, values, groups, bits);
        turn(bits);
        if (column->nan_right || column->others_count > 0)
            for (uint32_t g = 0; g < groups; g++)
                nan |= nans_of(values + GROUP * (size_t)g) & _mm256_set1_epi8((char)(1 << g));
        for (uint32_t b = 0; b < 8 && column->nan_right; b++) bits[b] |= nan;
        planes_make(bits, column->thresholds_count, out);
        for (uint32_t i = 0; i < column->others_count; i++) {
            const planes_other *other = &p->others[column->others_first + i];
            planes[other->plane] = out[other->threshold] ^ nan;
        }
    }
}

/* ---- leaves ---- */

/* One byte of the leaves at 32 places: from four tables of sixteen; bits 4 and 5 of a place, shifted to the top of their byte, choose. */
static inline __m256i look_up(const uint8_t table[RIDE_PLANES_LEAVES_MAX], __m256i place) {
    const __m256i bit4 = _mm256_slli_epi16(place, 3), bit5 = _mm256_slli_epi16(place, 2);
    __m256i of[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        of[i] =
            _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)(table + 16 * i))), place);
    return _mm256_blendv_epi8(_mm256_blendv_epi8(of[0], of[1], bit4), _mm256_blendv_epi8(of[2], of[3], bit4), bit5);
}

/* Adds the leaves of `count` trees to the sums of a group. Of 32 rows register q has those 4 q … 4 q + 3 of either half. */
static inline void leaves_add(const planes_leaves *leaves, uint32_t count, const uint8_t *places, __m256 sums[4]) {
    __m256 s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3];
    for (uint32_t t = 0; t < count; t++, places += RIDE_PLANES_AVX2_ROWS, leaves++) {
        const __m256i place = _mm256_load_si256((const __m256i *)places);
        const __m256i b0 = look_up(leaves->bytes[0], place), b1 = look_up(leaves->bytes[1], place),
                      b2 = look_up(leaves->bytes[2], place), b3 = look_up(leaves->bytes[3], place);
        const __m256i l0 = _mm256_unpacklo_epi8(b0, b1), h0 = _mm256_unpackhi_epi8(b0, b1),
                      l1 = _mm256_unpacklo_epi8(b2, b3), h1 = _mm256_unpackhi_epi8(b2, b3);
        s0 = _mm256_add_ps(s0, _mm256_castsi256_ps(_mm256_unpacklo_epi16(l0, l1)));
        s1 = _mm256_add_ps(s1, _mm256_castsi256_ps(_mm256_unpackhi_epi16(l0, l1)));
        s2 = _mm256_add_ps(s2, _mm256_castsi256_ps(_mm256_unpacklo_epi16(h0, h1)));
        s3 = _mm256_add_ps(s3, _mm256_castsi256_ps(_mm256_unpackhi_epi16(h0, h1)));
    }
    sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;
}

/* ---- the kernel ---- */

enum { TREES_AT_ONCE = 8, PLACES_BYTES = TREES_AT_ONCE * RIDE_PLANES_AVX2_ROWS, SUMS = RIDE_PLANES_AVX2_ROWS / LANES };

size_t planes_wide_avx2_scratch_bytes(const ride_planes *p) {
    return PLACES_BYTES + (size_t)(p->planes_count + p->ops_most) * PLANE_BYTES;
}

static void margins_write(const __m256 sums[SUMS], uint32_t rows_count, double *margins) {
    for (uint32_t i = 0; i < SUMS; i++) {
        float of[LANES];
        const uint32_t first = i / 4 * GROUP + i % 4 * 4;
        _mm256_storeu_ps(of, sums[i]);
        for (uint32_t k = 0; k < LANES; k++) {
            const uint32_t row = first + k % 4 + k / 4 * (GROUP / 2);
            if (row < rows_count) margins[row] = (double)of[k];
        }
    }
}

void planes_wide_avx2(const ride_planes *p, void *scratch, const float *x, uint32_t stride, uint32_t rows_count,
                      double *margins) {
    const uint32_t groups = (rows_count + GROUP - 1) / GROUP;
    uint8_t *places = scratch;
    plane *planes = (void *)(places + PLACES_BYTES);
    __m256 sums[SUMS];
    planes[PLANE_LEFT] = _mm256_setzero_si256();
    planes[PLANE_RIGHT] = _mm256_set1_epi8(-1);
    conditions(p, planes, x, stride, groups);
    for (uint32_t i = 0; i < SUMS; i++) sums[i] = _mm256_set1_ps(p->base);
    for (uint32_t t = 0; t < p->trees_count; t += TREES_AT_ONCE) {
        const uint32_t left = p->trees_count - t, count = left < TREES_AT_ONCE ? left : TREES_AT_ONCE;
        for (uint32_t i = 0; i < count; i++) {
            const planes_tree tree = p->trees[t + i]; /* a copy: for the compiler a plane that is written could be it */
            uint8_t *out = places + (size_t)i * RIDE_PLANES_AVX2_ROWS;
            if (tree.heap_first != UINT32_MAX) heap_run(p->heaps + tree.heap_first, planes, out);
            else list_run(p, &tree, planes, out);
        }
        for (uint32_t g = 0; g < groups; g++)
            leaves_add(p->leaves + t, count, places + GROUP * (size_t)g, sums + 4 * (size_t)g);
    }
    margins_write(sums, rows_count, margins);
}

static void bytes_make(planes_leaves *leaves) {
    for (uint32_t i = 0; i < RIDE_PLANES_LEAVES_MAX; i++) {
        uint32_t word;
        memcpy(&word, &leaves->values[i], sizeof word);
        for (uint32_t b = 0; b < sizeof word; b++) leaves->bytes[b][i] = (uint8_t)(word >> (8 * b));
    }
}

void planes_wide_avx2_prepare(ride_planes *p) {
    for (uint32_t t = 0; t < p->trees_count; t++) bytes_make(&p->leaves[t]);
    for (uint32_t c = 0; c < p->columns_count; c++)
        pivots_make(p->thresholds + p->columns[c].thresholds_first, p->columns[c].thresholds_count,
                    p->pivots + (size_t)c * PIVOTS);
}
#endif
