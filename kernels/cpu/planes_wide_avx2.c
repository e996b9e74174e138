/* kernels/cpu/planes_wide_avx2.c: 256 rows a block, a plane is a register (planes_turned.h). CMakeLists.txt gives this file the compiler's options,
 * isa.c tells where it may run. Few thresholds of a column are counted; many lie in buckets of eight: the bucket by a search in registers for
 * eight rows at once, the place in it by one comparison of the whole bucket for each row. Leaves come from tables of sixteen bytes in registers. */
#if defined(__x86_64__)
#include "kernels/cpu/planes_internal.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

enum {
    LANES = 8,
    GROUP = 32, /* rows of a register of bytes */
    ROWS = RIDE_PLANES_AVX2_ROWS,
    GROUPS = ROWS / GROUP,
    BUCKET = 8,
    COUNTED = 20, /* thresholds that are counted rather than searched */
    HEAP = 32,    /* of a column's pivots: the last thresholds of the buckets, in the order of the search */
};
typedef __m256i plane;
#define KERNEL(name)  planes_wide_avx2##name
#define SPREAD8(bits) _mm256_set1_epi8((char)(bits))
#define RIGHT8(v, by) _mm256_srli_epi16(v, by)
#define LEFT8(v, by)  _mm256_slli_epi16(v, by)
#define EQUAL8(a, b)  _mm256_cmpeq_epi8(a, b)
#define LOAD8(from)   _mm256_load_si256((const __m256i *)(from))
#define STORE8(to, v) _mm256_store_si256((__m256i *)(to), v)

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
static void pivots_make(const float *thresholds, uint32_t count, float out[PLANES_PIVOTS]) {
    const uint32_t buckets = 1u << levels_of(count);
    float *all = out + HEAP;
    for (uint32_t i = 0; i < PLANES_PIVOTS; i++) out[i] = NAN;
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
    uint32_t first[ROWS] __attribute__((aligned(32)));
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

static inline __m256i missing_of(const float *x, bool zero_missing) {
    __m256i nan[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        const __m256 v = _mm256_load_ps(x + LANES * i);
        __m256 is = _mm256_cmp_ps(v, v, _CMP_UNORD_Q);
        if (zero_missing) {
            const __m256 size = _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v);
            is = _mm256_or_ps(is, _mm256_cmp_ps(size, _mm256_set1_ps(1e-35f), _CMP_LE_OQ));
        }
        nan[i] = _mm256_srli_epi32(_mm256_castps_si256(is), 24);
    }
    return pack(nan[0], nan[1], nan[2], nan[3]);
}

/* ---- leaves ---- */

/* Sixteen bytes of a table at places whose low four bits are read. */
static inline __m256i sixteen_at(const uint8_t *table, __m256i place) {
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)table)),
                               place & _mm256_set1_epi8(15));
}

/* One byte of a table of 16 × quarters at 32 places; bits 4 to 7 of a place, shifted to the top of their byte, choose. */
static inline __attribute__((always_inline)) __m256i table_at(const uint8_t *table, uint32_t sixteens, __m256i place) {
    const __m256i bit4 = _mm256_slli_epi16(place, 3), bit5 = _mm256_slli_epi16(place, 2),
                  bit6 = _mm256_slli_epi16(place, 1);
    __m256i of[4];
#pragma GCC unroll 4
    for (uint32_t f = 0; f < sixteens / 4; f++) {
        const uint8_t *four = table + 64 * (size_t)f;
        const __m256i low = _mm256_blendv_epi8(sixteen_at(four, place), sixteen_at(four + 16, place), bit4),
                      high = _mm256_blendv_epi8(sixteen_at(four + 32, place), sixteen_at(four + 48, place), bit4);
        of[f] = _mm256_blendv_epi8(low, high, bit5);
    }
    if (sixteens == 4) return of[0];
    const __m256i first = _mm256_blendv_epi8(of[0], of[1], bit6);
    if (sixteens == 8) return first;
    return _mm256_blendv_epi8(first, _mm256_blendv_epi8(of[2], of[3], bit6), place);
}

/* Adds the leaves of a group's trees to the sums of 32 rows. Floats: register q has rows 4 q … 4 q + 3 of either half; doubles: 2 q, 2 q + 1. */
static inline __attribute__((always_inline)) void leaves_add(const planes_group *group, uint32_t bits, planes_sum kind,
                                                             const uint8_t *leaves, const uint8_t *places,
                                                             __m256i *sums) {
    const uint32_t values = kind == PLANES_F64 ? 8 : 4, bytes = values, sixteens = 1u << (bits - 4);
    __m256i sum[8];
#pragma GCC unroll 8
    for (uint32_t i = 0; i < values; i++) sum[i] = sums[i];
    for (uint32_t t = 0; t < group->trees_count; t++) {
        const __m256i place = _mm256_load_si256((const __m256i *)(places + (size_t)t * ROWS));
        const uint8_t *tables = leaves + ((size_t)t * bytes << bits);
        __m256i pair[2][4], of[8];
#pragma GCC unroll 4
        for (uint32_t k = 0; k < bytes / 2; k++) {
            const __m256i low = table_at(tables + ((size_t)(2 * k) << bits), sixteens, place),
                          high = table_at(tables + ((size_t)(2 * k + 1) << bits), sixteens, place);
            pair[0][k] = _mm256_unpacklo_epi8(low, high);
            pair[1][k] = _mm256_unpackhi_epi8(low, high);
        }
#pragma GCC unroll 2
        for (uint32_t half = 0; half < 2; half++) {
            const __m256i low0 = _mm256_unpacklo_epi16(pair[half][0], pair[half][1]),
                          low1 = _mm256_unpackhi_epi16(pair[half][0], pair[half][1]);
            if (kind != PLANES_F64) {
                of[2 * half] = low0;
                of[2 * half + 1] = low1;
                continue;
            }
            const __m256i high0 = _mm256_unpacklo_epi16(pair[half][2], pair[half][3]),
                          high1 = _mm256_unpackhi_epi16(pair[half][2], pair[half][3]);
            of[4 * half] = _mm256_unpacklo_epi32(low0, high0);
            of[4 * half + 1] = _mm256_unpackhi_epi32(low0, high0);
            of[4 * half + 2] = _mm256_unpacklo_epi32(low1, high1);
            of[4 * half + 3] = _mm256_unpackhi_epi32(low1, high1);
        }
#pragma GCC unroll 8
        for (uint32_t i = 0; i < values; i++) {
            if (kind == PLANES_F64)
                sum[i] = _mm256_castpd_si256(_mm256_add_pd(_mm256_castsi256_pd(sum[i]), _mm256_castsi256_pd(of[i])));
            else if (kind == PLANES_F32)
                sum[i] = _mm256_castps_si256(_mm256_add_ps(_mm256_castsi256_ps(sum[i]), _mm256_castsi256_ps(of[i])));
            else sum[i] = _mm256_add_epi32(sum[i], of[i]);
        }
    }
#pragma GCC unroll 8
    for (uint32_t i = 0; i < values; i++) sums[i] = sum[i];
}

/* Of 32 rows either half of a register has those of its half. */
static inline uint32_t sum_row(uint32_t at, bool is_double) {
    const uint32_t half = is_double ? 2 : 4; /* values of half a register */
    const uint32_t in = at % GROUP, reg = in / (2 * half), k = in % (2 * half);
    return at / GROUP * GROUP + k / half * (GROUP / 2) + reg * half + k % half;
}

#include "kernels/cpu/planes_turned.h"

void planes_wide_avx2_prepare(ride_planes *p) {
    for (uint32_t c = 0; c < p->columns_count; c++)
        pivots_make(p->thresholds + p->columns[c].thresholds_first, p->columns[c].thresholds_count,
                    p->pivots + (size_t)c * PLANES_PIVOTS);
    for (uint32_t r = 0; r < ROWS; r++) p->place_of[r] = (uint16_t)r;
}
#endif
