/* kernels/cpu/planes_wide_avx512.h: the wide kernel with AVX-512 F, VL, BW, DQ, VBMI and GFNI, included three times: a plane is a register of 512 rows
 * (planes_wide_avx512.c), of 256 (planes_half_avx512.c) or of 128 (planes_slim_avx512.c). CMakeLists.txt gives those files the compiler's options, isa.c tells where they may run. They say
 * before:
 *
 *   ROWS                of a block
 *   plane               its register
 *   plane_ternary(a, b, c, imm)
 *   slice(bytes, bits)  GROUPS registers of 64 bytes, one for each row → planes of their 8 bits
 *   places6_make, places8_make (planes_wide.h)
 *   KERNEL(name)        planes_wide… or planes_slim…
 *   ORDER, PLACES       of ride_planes: the row of a sum, the place of a row
 *
 *   ranks    rank(x) = how many thresholds of the column are <= x, so x >= threshold k is rank > k: a search over 255 thresholds that lie in
 *            sixteen registers
 *   sets     a category's byte of the set's table by one permutation, its bit by one test
 *   slice    ranks of a byte each → 8 planes, one for each bit
 *   planes   rank > 16 h + l is (high > h) or (high >= h and low > l): thermometers of the two digits, then one operation a plane
 *   trees    selections down to six or eight planes of the leaf's place
 *   places   back to a byte a row
 *   leaves   the parts of the leaf from tables in registers; the sums stay in registers for some trees
 *
 * Slicing and its reverse order the rows as the instructions like it. Every plane has the same order, so nobody minds until the
 * sums come out; prepare learns the order by sending the numbers of the rows through the same steps. */
#if defined(KERNEL)
static inline plane select_plane(plane test, plane right, plane left) { return plane_ternary(test, right, left, 0xca); }
static inline plane or_and(plane a, plane b, plane c) { return plane_ternary(a, b, c, 0xf8); } /* a | (b & c) */

/* ---- ranks ---- */

enum { PIVOTS = 256, LANES = 16 };

/* The 255 thresholds (padded with +infinity) in buckets of eight, as tables of 32 in pairs of registers. LAST: the greatest of each
 * bucket, for the search of the bucket. Within it: the 4th; then the 2nd or the 6th; then the 1st, 3rd, 5th or 7th. */
enum { LAST = 0, FOURTH = 2, SECOND = 4, SIXTH = 6, FIRST = 8, THIRD = 10, FIFTH = 12, SEVENTH = 14, REGISTERS = 16 };
typedef struct searcher {
    __m512 of[REGISTERS];
} searcher;

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

static inline __m512 values_of(const float *x, uint32_t group, uint32_t i) {
    return _mm512_load_ps(x + GROUP * (size_t)group + LANES * (size_t)i);
}

static inline __mmask16 missing_of(__m512 v, bool zero_missing) {
    const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    return zero_missing ? nan | _mm512_cmp_ps_mask(_mm512_abs_ps(v), _mm512_set1_ps(1e-35f), _CMP_LE_OQ) : nan;
}

/* Ranks of a column, missing values as told. True: there are some. */
static inline __mmask16 ranks_make(const float *pivots, const float *x, uint32_t groups, bool nan_right,
                                   bool zero_missing, __m512i ranks[GROUPS]) {
    searcher s;
    searcher_load(&s, pivots);
    const __m512i nan_rank = _mm512_set1_epi32(nan_right ? PLANES_RANKS : 0);
    __mmask16 any = 0;
    for (uint32_t g = 0; g < groups; g++) {
        __m512i of[4];
        for (uint32_t i = 0; i < 4; i++) {
            const __m512 v = values_of(x, g, i);
            const __mmask16 missing = missing_of(v, zero_missing);
            of[i] = _mm512_mask_mov_epi32(rank16(&s, v), missing, nan_rank);
            any |= missing;
        }
        ranks[g] = pack(of[0], of[1], of[2], of[3]);
    }
    return any;
}

static inline void missing_make(const float *x, uint32_t groups, bool zero_missing, __m512i missing[GROUPS]) {
    for (uint32_t g = 0; g < groups; g++) {
        __m512i of[4];
        for (uint32_t i = 0; i < 4; i++)
            of[i] = _mm512_maskz_set1_epi32(missing_of(values_of(x, g, i), zero_missing), 1);
        missing[g] = pack(of[0], of[1], of[2], of[3]);
    }
}

#define PLANES_WIDE
#include "kernels/cpu/planes_wide.h"

/* ---- conditions ---- */

static void column_run(const ride_planes *p, uint32_t c, plane *planes, const float *values, uint32_t groups) {
    const planes_column *column = &p->columns[c];
    const float *pivots = p->pivots + (size_t)c * PIVOTS;
    __m512i bytes[GROUPS];
    plane bits[8], *out = planes + column->plane_first, nan = {0};
    for (uint32_t g = groups; g < GROUPS; g++) bytes[g] = _mm512_setzero_si512();
    const __mmask16 any = column->zero_missing ? ranks_make(pivots, values, groups, column->nan_right, true, bytes)
                                               : ranks_make(pivots, values, groups, column->nan_right, false, bytes);
    slice(bytes, bits);
    planes_make(bits, column->thresholds_count, out);
    if (column->others_count == 0) return;
    if (any) {
        missing_make(values, groups, column->zero_missing, bytes);
        slice(bytes, bits);
        nan = bits[0];
    }
    for (uint32_t i = 0; i < column->others_count; i++) {
        const planes_other *other = &p->others[column->others_first + i];
        planes[other->plane] = nan;
        if (other->threshold != PLANES_ALONE) planes[other->plane] ^= out[other->threshold];
    }
}

/* Of each row the byte of a set's table and the bit in it. */
static inline void codes_make(const float *x, uint32_t groups, bool from_minus_1, __m512i at[GROUPS],
                              __m512i bit[GROUPS]) {
    const __m512i powers = _mm512_set1_epi64((long long)0x8040201008040201);
    const __m512 end = _mm512_set1_ps(8.0f * PLANES_SET_NONE);
    for (uint32_t g = 0; g < groups; g++) {
        __m512i bytes[4], bits[4];
        for (uint32_t i = 0; i < 4; i++) {
            const __m512 v = values_of(x, g, i), low = _mm512_set1_ps(from_minus_1 ? -1.0f : 0.0f);
            const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
            const __mmask16 in =
                _mm512_cmp_ps_mask(v, end, _CMP_LT_OQ) &
                (from_minus_1 ? _mm512_cmp_ps_mask(v, low, _CMP_GT_OQ) : _mm512_cmp_ps_mask(v, low, _CMP_GE_OQ));
            __m512i code =
                _mm512_mask_mov_epi32(_mm512_set1_epi32(8 * PLANES_SET_NONE), in, _mm512_maskz_cvttps_epi32(in, v));
            code = _mm512_mask_mov_epi32(code, nan, _mm512_set1_epi32(8 * PLANES_SET_MISSING));
            bytes[i] = _mm512_srli_epi32(code, 3);
            bits[i] = _mm512_and_si512(code, _mm512_set1_epi32(7));
        }
        at[g] = pack(bytes[0], bytes[1], bytes[2], bytes[3]);
        bit[g] = _mm512_shuffle_epi8(powers, pack(bits[0], bits[1], bits[2], bits[3]));
    }
}

static void sets_run(const ride_planes *p, const planes_codes *codes, plane *planes, const float *values,
                     uint32_t groups) {
    __m512i at[GROUPS], bit[GROUPS], bytes[GROUPS];
    codes_make(values, groups, codes->from_minus_1, at, bit);
    for (uint32_t first = 0; first < codes->sets_count; first += 8) {
        const uint32_t left = codes->sets_count - first, count = left < 8 ? left : 8;
        plane bits[8];
        for (uint32_t g = 0; g < GROUPS; g++) bytes[g] = _mm512_setzero_si512();
        for (uint32_t s = 0; s < count; s++) {
            const __m512i table = _mm512_load_si512(p->sets[codes->sets_first + first + s]);
            const __m512i one = _mm512_set1_epi8((char)(1 << s));
            for (uint32_t g = 0; g < groups; g++) {
                const __mmask64 right = _mm512_test_epi8_mask(_mm512_permutexvar_epi8(at[g], table), bit[g]);
                bytes[g] = _mm512_mask_add_epi8(bytes[g], right, bytes[g], one);
            }
        }
        slice(bytes, bits);
        plane *out = planes + p->sets_plane + codes->sets_first + first;
        for (uint32_t s = 0; s < count; s++) out[s] = bits[s];
    }
}

/* ---- leaves ---- */

/* What is added at once, so that the sums stay in registers: 16 of them. */
enum {
    FLOAT_GROUPS = GROUPS < 4 ? GROUPS : 4,
    DOUBLE_GROUPS = 2,
};

/* 16-bit parts of the leaves at 64 places: a place's six low bits are all that the look-up reads, so the bytes of even rows are looked up where they
 * are, those of odd ones after a shift. */
static inline __m512i part_at(const uint16_t *part, __m512i places) {
    return _mm512_permutex2var_epi16(_mm512_load_si512(part), places, _mm512_load_si512(part + 32));
}

/* One byte of the leaves at 64 places of 7 or 8 bits. */
static inline __m512i byte_at(const uint8_t *table, bool eight, __m512i places) {
    const __m512i low = _mm512_permutex2var_epi8(_mm512_load_si512(table), places, _mm512_load_si512(table + 64));
    if (!eight) return low;
    const __m512i high =
        _mm512_permutex2var_epi8(_mm512_load_si512(table + 128), places, _mm512_load_si512(table + 192));
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(places), low, high);
}

/* Bytes of even rows before those of odd ones: then the values come out in the order of the parts'. */
static inline __m512i evens_first(__m512i places) {
    return _mm512_shuffle_epi8(places, _mm512_broadcast_i32x4(
                                           _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15)));
}

/* 32-bit values of 64 rows. */
static inline __attribute__((always_inline)) void words_at(const uint8_t *tables, uint32_t bits, __m512i places,
                                                           __m512i out[4]) {
    if (bits == 6) {
        const uint16_t *parts = (const void *)tables;
        const __m512i odd = _mm512_srli_epi16(places, 8);
        const __m512i le = part_at(parts, places), he = part_at(parts + 64, places), lo = part_at(parts, odd),
                      ho = part_at(parts + 64, odd);
        out[0] = _mm512_unpacklo_epi16(le, he);
        out[1] = _mm512_unpackhi_epi16(le, he);
        out[2] = _mm512_unpacklo_epi16(lo, ho);
        out[3] = _mm512_unpackhi_epi16(lo, ho);
        return;
    }
    const bool eight = bits == 8;
    const size_t table = (size_t)1 << bits;
    places = evens_first(places);
    const __m512i b0 = byte_at(tables, eight, places), b1 = byte_at(tables + table, eight, places),
                  b2 = byte_at(tables + 2 * table, eight, places), b3 = byte_at(tables + 3 * table, eight, places);
    const __m512i le = _mm512_unpacklo_epi8(b0, b1), lo = _mm512_unpackhi_epi8(b0, b1),
                  he = _mm512_unpacklo_epi8(b2, b3), ho = _mm512_unpackhi_epi8(b2, b3);
    out[0] = _mm512_unpacklo_epi16(le, he);
    out[1] = _mm512_unpackhi_epi16(le, he);
    out[2] = _mm512_unpacklo_epi16(lo, ho);
    out[3] = _mm512_unpackhi_epi16(lo, ho);
}

/* 64-bit values of 32 rows of four 16-bit parts each. */
static inline void doubles_join(const __m512i part[4], __m512i out[4]) {
    const __m512i low0 = _mm512_unpacklo_epi16(part[0], part[1]), low1 = _mm512_unpackhi_epi16(part[0], part[1]),
                  high0 = _mm512_unpacklo_epi16(part[2], part[3]), high1 = _mm512_unpackhi_epi16(part[2], part[3]);
    out[0] = _mm512_unpacklo_epi32(low0, high0);
    out[1] = _mm512_unpackhi_epi32(low0, high0);
    out[2] = _mm512_unpacklo_epi32(low1, high1);
    out[3] = _mm512_unpackhi_epi32(low1, high1);
}

/* 64-bit values of 64 rows. */
static inline __attribute__((always_inline)) void doubles_at(const uint8_t *tables, uint32_t bits, __m512i places,
                                                             __m512i out[8]) {
    __m512i even[4], odd[4];
    if (bits == 6) {
        const uint16_t *parts = (const void *)tables;
        const __m512i shifted = _mm512_srli_epi16(places, 8);
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++) {
            even[k] = part_at(parts + 64 * (size_t)k, places);
            odd[k] = part_at(parts + 64 * (size_t)k, shifted);
        }
    } else {
        const bool eight = bits == 8;
        const size_t table = (size_t)1 << bits;
        places = evens_first(places);
#pragma GCC unroll 4
        for (size_t k = 0; k < 4; k++) {
            const __m512i low = byte_at(tables + 2 * k * table, eight, places),
                          high = byte_at(tables + (2 * k + 1) * table, eight, places);
            even[k] = _mm512_unpacklo_epi8(low, high);
            odd[k] = _mm512_unpackhi_epi8(low, high);
        }
    }
    doubles_join(even, out);
    doubles_join(odd, out + 4);
}

/* Adds the leaves of a group's trees to the sums, which are of ROWS floats, doubles or int32. */
static inline __attribute__((always_inline)) void leaves_add(const planes_group *group, uint32_t bits, planes_sum kind,
                                                             const uint8_t *leaves, const uint8_t *places, void *sums) {
    const uint32_t groups = kind == PLANES_F64 ? DOUBLE_GROUPS : FLOAT_GROUPS, values = kind == PLANES_F64 ? 8 : 4;
    const size_t tree_bytes = (size_t)(kind == PLANES_F64 ? 8 : 4) << bits;
    for (uint32_t first = 0; first < GROUPS; first += groups) {
        __m512i sum[16];
        __m512i *at = (__m512i *)sums + (size_t)first * values;
#pragma GCC unroll 16
        for (uint32_t i = 0; i < groups * values; i++) sum[i] = _mm512_load_si512(at + i);
        for (uint32_t t = 0; t < group->trees_count; t++) {
            const uint8_t *rows = places + (size_t)t * ROWS + GROUP * (size_t)first, *tables = leaves + t * tree_bytes;
#pragma GCC unroll 4
            for (uint32_t g = 0; g < groups; g++) {
                const __m512i place = _mm512_load_si512(rows + GROUP * (size_t)g);
                __m512i of[8];
                if (kind == PLANES_F64) doubles_at(tables, bits, place, of);
                else words_at(tables, bits, place, of);
#pragma GCC unroll 8
                for (uint32_t i = 0; i < values; i++) {
                    __m512i *s = &sum[g * values + i];
                    if (kind == PLANES_F64)
                        *s = _mm512_castpd_si512(_mm512_add_pd(_mm512_castsi512_pd(*s), _mm512_castsi512_pd(of[i])));
                    else if (kind == PLANES_F32)
                        *s = _mm512_castps_si512(_mm512_add_ps(_mm512_castsi512_ps(*s), _mm512_castsi512_ps(of[i])));
                    else *s = _mm512_add_epi32(*s, of[i]);
                }
            }
        }
#pragma GCC unroll 16
        for (uint32_t i = 0; i < groups * values; i++) _mm512_store_si512(at + i, sum[i]);
    }
}

#include "kernels/cpu/planes_adders.h"

/* ---- the kernel ---- */

#define SUM_ROW(p, i) (p)->ORDER[i]
#include "kernels/cpu/planes_kernel.h"

void KERNEL()(const ride_planes *p, void *scratch, const float *x, uint32_t stride, uint32_t rows_count,
              double *margins) {
    uint8_t *places = scratch;
    void *sums = places + PLACES_BYTES;
    plane *planes = (void *)(places + PLACES_BYTES + SUMS_BYTES);
    conditions(p, planes, x, stride, (rows_count + GROUP - 1) / GROUP);
    for (uint32_t o = 0; o < p->outputs_count; o++) {
        const planes_output *output = &p->outputs[o];
        sums_begin(p->sum, output->base, sums);
        for (uint32_t g = 0; g < output->groups_count; g++) {
            const planes_group *group = &p->groups[output->groups_first + g];
            for (uint32_t i = 0; i < group->trees_count; i++)
                tree_run(p, &p->trees[group->trees_first + i], planes, group->bits > 6, places + (size_t)i * ROWS);
            adder_of(p->sum, group->bits)(group, p->leaves + group->leaves_first, places, sums);
        }
        sums_end(p, output, sums, rows_count, margins + o);
    }
}

/* Row numbers bit by bit as ranks of 0 or 255, sliced, made a place of 0 or 1, and added with leaves of 0 and that bit. */
static void order_learn(planes_sum kind, uint16_t row_of[ROWS], uint16_t place_of[ROWS]) {
    uint16_t row_at[ROWS] = {0}; /* of each place */
    _Alignas(64) uint8_t sums[SUMS_BYTES], tables[512] = {0};
    sums_begin(kind, 0, sums);
    for (uint32_t bit = 1; bit < ROWS; bit *= 2) {
        _Alignas(64) uint8_t places[ROWS];
        const planes_group group = {.trees_count = 1};
        const float value = (float)bit;
        const double wide = (double)bit;
        uint64_t word = bit;
        uint32_t narrow;
        memcpy(&narrow, &value, sizeof narrow);
        if (kind == PLANES_F32) word = narrow;
        if (kind == PLANES_F64) memcpy(&word, &wide, sizeof word);
        for (uint32_t part = 0; part < 4; part++) {
            const uint16_t half = (uint16_t)(word >> (16 * part));
            memcpy(tables + 128 * (size_t)part + 2, &half, sizeof half);
        }
        __m512i bytes[GROUPS];
        plane bits[8], place[PLANES_BITS];
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
        for (int b = 0; b < PLANES_BITS; b++) place[b] = b == PLANES_BITS - 1 ? bits[0] : (plane){0};
        places6_make(place + 2, places);
        adder_of(kind, 6)(&group, tables, places, sums);
        for (uint32_t i = 0; i < ROWS; i++) row_at[i] |= (uint16_t)((places[i] & 1) * bit);
    }
    for (uint32_t i = 0; i < ROWS; i++) place_of[row_at[i]] = (uint16_t)i;
    for (uint32_t i = 0; i < ROWS; i++) {
        if (kind == PLANES_F64) row_of[i] = (uint16_t)((const double *)(const void *)sums)[i];
        else if (kind == PLANES_F32) row_of[i] = (uint16_t)((const float *)(const void *)sums)[i];
        else row_of[i] = (uint16_t)((const int32_t *)(const void *)sums)[i];
    }
}

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

void KERNEL(_prepare)(ride_planes *p) {
    for (uint32_t c = 0; c < p->columns_count; c++)
        pivots_make(p->thresholds + p->columns[c].thresholds_first, p->columns[c].thresholds_count,
                    p->pivots + (size_t)c * PIVOTS);
    order_learn(p->sum, p->ORDER, p->PLACES);
}
#endif
