/* kernels/cpu/shap_avx512.c: 64 rows at a time. CMakeLists.txt gives this file the compiler's options, isa.c tells where it may run.
 *
 * Patterns: the bits of 8 planes become bytes by 8 x 8 transposes. Look-up: a table of 128 bytes is two registers and one permute; an entry has
 * three bytes, so three tables. Sums: a register of bytes is taken as 16-bit numbers A = low + 256 high; the sums of A, modulo 2^16, and of
 * high tell those of low, for 256 entries at most, which is what a segment has. So an entry of 64 rows costs 12 instructions. A wide table is several, between which the bits beyond the seventh choose.
 *
 * The sums of a segment come out as even rows, then odd ones, of each 64. */
#if defined(__x86_64__)
#include "kernels/cpu/shap_internal.h"

#include <immintrin.h>

enum { AT_ONCE = 3 }; /* words whose sums are in registers */

/* ---- patterns ---- */

/* Byte r of 8 planes' words: the pattern of row r. words: plane b in 64 bits b. */
static inline __m512i patterns_of(__m512i words, __m512i gather) {
    const __m512i by_row = _mm512_permutexvar_epi8(gather, words); /* 8 rows of all planes, the last plane first */
    return _mm512_gf2p8affine_epi64_epi8(_mm512_set1_epi64((long long)0x8040201008040201), by_row, 0);
}

static inline __m512i gather_make(void) {
    uint8_t order[64];
    for (int rows = 0; rows < 8; rows++)
        for (int b = 0; b < 8; b++) order[8 * rows + 7 - b] = (uint8_t)(8 * b + rows);
    return _mm512_loadu_si512(order);
}

/* 8 registers of 8 words → the first words of all, the second … */
static inline void turn_words(const __m512i in[8], __m512i out[8]) {
    __m512i pairs[8];
    for (int b = 0; b < 8; b += 2) {
        pairs[b] = _mm512_unpacklo_epi64(in[b], in[b + 1]);
        pairs[b + 1] = _mm512_unpackhi_epi64(in[b], in[b + 1]);
    }
    for (int odd = 0; odd < 2; odd++) {
        const __m512i low04 = _mm512_shuffle_i64x2(pairs[odd], pairs[2 + odd], 0x88),
                      low26 = _mm512_shuffle_i64x2(pairs[odd], pairs[2 + odd], 0xdd);
        const __m512i high04 = _mm512_shuffle_i64x2(pairs[4 + odd], pairs[6 + odd], 0x88),
                      high26 = _mm512_shuffle_i64x2(pairs[4 + odd], pairs[6 + odd], 0xdd);
        out[odd] = _mm512_shuffle_i64x2(low04, high04, 0x88);
        out[4 + odd] = _mm512_shuffle_i64x2(low04, high04, 0xdd);
        out[2 + odd] = _mm512_shuffle_i64x2(low26, high26, 0x88);
        out[6 + odd] = _mm512_shuffle_i64x2(low26, high26, 0xdd);
    }
}

void shap_indices_avx512(const ride_shap *s, const shap_segment *segment, const uint64_t *planes, uint32_t words,
                         uint32_t stride, uint8_t *indices) {
    const __m512i gather = gather_make();
    for (uint32_t g = 0; g < segment->groups_count; g++) {
        const shap_group *group = &s->groups[segment->groups_first + g];
        const uint64_t *of[8];
        uint8_t *to = indices + (size_t)g * stride * SHAP_WORD;
        for (uint32_t b = 0; b < SHAP_INDEX_BITS; b++) of[b] = planes + (size_t)group->planes[b] * stride;
        of[7] = planes; /* zeros */
        uint32_t w = 0;
        for (; w + 8 <= words; w += 8) {
            __m512i lines[8], turned[8];
#pragma GCC unroll 8
            for (int b = 0; b < 8; b++) lines[b] = _mm512_loadu_si512(of[b] + w);
            turn_words(lines, turned);
#pragma GCC unroll 8
            for (int k = 0; k < 8; k++)
                _mm512_store_si512(to + (size_t)SHAP_WORD * (w + (uint32_t)k), patterns_of(turned[k], gather));
        }
        for (; w < words; w++) {
            const __m512i at =
                _mm512_setr_epi64((long long)of[0][w], (long long)of[1][w], (long long)of[2][w], (long long)of[3][w],
                                  (long long)of[4][w], (long long)of[5][w], (long long)of[6][w], 0);
            _mm512_store_si512(to + (size_t)SHAP_WORD * w, patterns_of(at, gather));
        }
    }
}

/* ---- sums ---- */

typedef struct digits {
    __m512i both[SHAP_DIGITS], high[SHAP_DIGITS];
} digits;

static inline __m512i widen16(__m256i d0, __m256i d1, __m256i d2) {
    const __m512i low = _mm512_cvtepu16_epi32(d0), middle = _mm512_slli_epi32(_mm512_cvtepu16_epi32(d1), 8),
                  top = _mm512_slli_epi32(_mm512_cvtepu16_epi32(d2), 16);
    return _mm512_add_epi32(_mm512_add_epi32(low, middle), top);
}

/* 16 sums of 32 bits, shifted to the common scale, into 64 bits. */
static inline void add16(__m512i sums, __m128i shift, uint64_t *to) {
    const __m512i low = _mm512_cvtepu32_epi64(_mm512_castsi512_si256(sums)),
                  high = _mm512_cvtepu32_epi64(_mm512_extracti64x4_epi64(sums, 1));
    _mm512_store_si512(to, _mm512_add_epi64(_mm512_load_si512(to), _mm512_sll_epi64(low, shift)));
    _mm512_store_si512(to + 8, _mm512_add_epi64(_mm512_load_si512(to + 8), _mm512_sll_epi64(high, shift)));
}

static inline void digits_add(const digits *d, __m128i shift, uint64_t *to) {
    __m512i even[SHAP_DIGITS];
    for (int i = 0; i < SHAP_DIGITS; i++) even[i] = _mm512_sub_epi16(d->both[i], _mm512_slli_epi16(d->high[i], 8));
    add16(widen16(_mm512_castsi512_si256(even[0]), _mm512_castsi512_si256(even[1]), _mm512_castsi512_si256(even[2])),
          shift, to);
    add16(widen16(_mm512_extracti64x4_epi64(even[0], 1), _mm512_extracti64x4_epi64(even[1], 1),
                  _mm512_extracti64x4_epi64(even[2], 1)),
          shift, to + 16);
    add16(widen16(_mm512_castsi512_si256(d->high[0]), _mm512_castsi512_si256(d->high[1]),
                  _mm512_castsi512_si256(d->high[2])),
          shift, to + 32);
    add16(widen16(_mm512_extracti64x4_epi64(d->high[0], 1), _mm512_extracti64x4_epi64(d->high[1], 1),
                  _mm512_extracti64x4_epi64(d->high[2], 1)),
          shift, to + 48);
}

static inline void digit_add(digits *d, int i, __m512i found) {
    d->both[i] = _mm512_add_epi16(d->both[i], found);
    d->high[i] = _mm512_add_epi16(d->high[i], _mm512_srli_epi16(found, 8));
}

/* The compiler would rather load a table again for each word. */
#define KEEP(a, b, c) __asm__("" : "+v"(a), "+v"(b), "+v"(c))

static inline __m512i look_up(__m512i low, __m512i high, __m512i index) {
    return _mm512_permutex2var_epi8(low, index, high);
}

/* Adds the entries of a table of 128 << more patterns, more = 1, 2 or 3: its parts lie 2 units from each other, and the bits beyond the index say which
 * counts. Four parts of a digit are in registers at a time. */
static inline __attribute__((always_inline)) void wide_add(digits *d, const uint8_t *table, const uint8_t *index,
                                                           int more, int count, const uint64_t *const *bits) {
    const size_t part = (size_t)2 * SHAP_TABLE_UNIT;
#pragma GCC unroll 3
    for (int i = 0; i < SHAP_DIGITS; i++) {
        __m512i found[AT_ONCE];
#pragma GCC unroll 2
        for (int half = 0; half < 2; half++) {
            if (half > 0 && more < 3) continue;
            const uint8_t *from = table + (size_t)half * 4 * part + (size_t)i * SHAP_LARGE;
            __m512i t[8] = {0};
#pragma GCC unroll 4
            for (int k = 0; k < 4; k++) {
                if (k >= 2 && more == 1) continue;
                t[2 * k] = _mm512_load_si512(from + (size_t)k * part);
                t[2 * k + 1] = _mm512_load_si512(from + (size_t)k * part + 64);
            }
#pragma GCC unroll 3
            for (int u = 0; u < count; u++) {
                const __m512i at = _mm512_load_si512(index + SHAP_WORD * (size_t)u);
                __m512i f = _mm512_mask_blend_epi8(bits[0][u], look_up(t[0], t[1], at), look_up(t[2], t[3], at));
                if (more > 1) {
                    const __m512i above =
                        _mm512_mask_blend_epi8(bits[0][u], look_up(t[4], t[5], at), look_up(t[6], t[7], at));
                    f = _mm512_mask_blend_epi8(bits[1][u], f, above);
                }
                found[u] = half == 0 ? f : _mm512_mask_blend_epi8(bits[2][u], found[u], f);
            }
        }
#pragma GCC unroll 3
        for (int u = 0; u < count; u++) digit_add(&d[u], i, found[u]);
    }
}

/* One list over `count` words of 64 rows, count a constant. planes: from the first of the words on. */
static inline __attribute__((always_inline)) void list_sum(const ride_shap *s, const shap_segment *segment,
                                                           const shap_list *list, const uint64_t *planes,
                                                           const uint8_t *indices, uint32_t stride, int count,
                                                           uint64_t *to) {
    digits d[AT_ONCE];
#pragma GCC unroll 3
    for (int u = 0; u < count; u++)
        for (int i = 0; i < SHAP_DIGITS; i++) d[u].both[i] = d[u].high[i] = _mm512_setzero_si512();
    const uint8_t *table = s->tables + (uint64_t)list->table_first * SHAP_TABLE_UNIT;
    const uint16_t *entry = s->entries + list->entries_first, *small_end = entry + list->small_count,
                   *large_end = small_end + list->large_count, *end = large_end + list->wide_count;
    for (; entry < small_end; entry++, table += SHAP_TABLE_UNIT) {
        const uint8_t *at = indices + (size_t)*entry * stride * SHAP_WORD;
        __m512i t0 = _mm512_load_si512(table), t1 = _mm512_load_si512(table + 64), t2 = _mm512_load_si512(table + 128);
        KEEP(t0, t1, t2);
#pragma GCC unroll 3
        for (int u = 0; u < count; u++) {
            const __m512i index = _mm512_load_si512(at + SHAP_WORD * (size_t)u);
            digit_add(&d[u], 0, _mm512_permutexvar_epi8(index, t0));
            digit_add(&d[u], 1, _mm512_permutexvar_epi8(index, t1));
            digit_add(&d[u], 2, _mm512_permutexvar_epi8(index, t2));
        }
    }
    for (; entry < large_end; entry++, table += 2 * SHAP_TABLE_UNIT) {
        const uint8_t *at = indices + (size_t)*entry * stride * SHAP_WORD;
        __m512i t0 = _mm512_load_si512(table), t1 = _mm512_load_si512(table + 64), t2 = _mm512_load_si512(table + 128),
                t3 = _mm512_load_si512(table + 192), t4 = _mm512_load_si512(table + 256),
                t5 = _mm512_load_si512(table + 320);
        KEEP(t0, t1, t2);
        KEEP(t3, t4, t5);
#pragma GCC unroll 3
        for (int u = 0; u < count; u++) {
            const __m512i index = _mm512_load_si512(at + SHAP_WORD * (size_t)u);
            digit_add(&d[u], 0, _mm512_permutex2var_epi8(t0, index, t1));
            digit_add(&d[u], 1, _mm512_permutex2var_epi8(t2, index, t3));
            digit_add(&d[u], 2, _mm512_permutex2var_epi8(t4, index, t5));
        }
    }
    for (; entry < end; entry++) {
        const shap_group *group = &s->groups[segment->groups_first + *entry];
        const uint8_t *at = indices + (size_t)*entry * stride * SHAP_WORD;
        const uint64_t *bits[SHAP_BITS - SHAP_INDEX_BITS];
        for (int b = 0; b < SHAP_BITS - SHAP_INDEX_BITS; b++)
            bits[b] = planes + (size_t)group->planes[SHAP_INDEX_BITS + b] * stride;
        if (group->bits == 8) wide_add(d, table, at, 1, count, bits);
        else if (group->bits == 9) wide_add(d, table, at, 2, count, bits);
        else wide_add(d, table, at, 3, count, bits);
        table += (size_t)(2 * SHAP_TABLE_UNIT) << (group->bits - SHAP_INDEX_BITS);
    }
    const __m128i shift = _mm_cvtsi32_si128((int)segment->shift);
#pragma GCC unroll 3
    for (int u = 0; u < count; u++) digits_add(&d[u], shift, to + SHAP_WORD * (size_t)u);
}

void shap_sums_avx512(const ride_shap *s, const shap_segment *segment, const uint64_t *planes, const uint8_t *indices,
                      uint32_t words, uint32_t stride, uint64_t *sums) {
    for (uint32_t i = 0; i < segment->lists_count; i++) {
        const shap_list *list = &s->lists[segment->lists_first + i];
        uint64_t *to = sums + (size_t)list->slot * stride * SHAP_WORD;
        uint32_t w = 0;
#define PASS(count)                                                                                                    \
    list_sum(s, segment, list, planes + w, indices + (size_t)w * SHAP_WORD, stride, count, to + (size_t)w * SHAP_WORD)
        for (; w + 4 <= words || w + 3 == words; w += 3) PASS(3);
        for (; w + 2 <= words; w += 2) PASS(2);
        for (; w < words; w++) PASS(1);
    }
}

/* ---- one row ---- */

/* 3-byte entries → numbers, of which as many as a group has are then spread over the slots. */
static inline __m512i entries_of(const uint8_t *line) {
    const __m256i place = _mm256_setr_epi8(0, 1, 2, 0, 3, 4, 5, 0, 6, 7, 8, 0, 9, 10, 11, 0, 12, 13, 14, 0, 15, 16, 17,
                                           0, 18, 19, 20, 0, 21, 22, 23, 0);
    const __m256i bytes = _mm256_loadu_si256((const __m256i *)line);
    return _mm512_castsi256_si512(_mm256_maskz_permutexvar_epi8(0x77777777, place, bytes));
}

void shap_lines_avx512(const shap_call *calls, const uint32_t (*slots)[SHAP_BITS], uint32_t groups_count,
                       const uint8_t *const *lines, uint32_t parts[32]) {
    enum { ENTRIES = 8 }; /* of a register */
    __m512i low = _mm512_loadu_si512(parts), high = _mm512_loadu_si512(parts + 16);
    for (uint32_t g = 0; g < groups_count; g++) {
        const uint32_t set = calls[g].slots_set, below = (uint32_t)__builtin_popcount(set & 0xffff);
        if (calls[g].inputs_count > ENTRIES) {
            uint32_t some[32] = {0};
            for (uint32_t j = 0; j < calls[g].inputs_count; j++) some[slots[g][j]] = shap_entry(lines[g], j);
            low = _mm512_add_epi32(low, _mm512_loadu_si512(some));
            high = _mm512_add_epi32(high, _mm512_loadu_si512(some + 16));
            continue;
        }
        low = _mm512_add_epi32(low, _mm512_maskz_expand_epi32((__mmask16)set, entries_of(lines[g])));
        high = _mm512_add_epi32(high, _mm512_maskz_expand_epi32((__mmask16)(set >> 16),
                                                                entries_of(lines[g] + 3 * (size_t)below)));
    }
    _mm512_storeu_si512(parts, low);
    _mm512_storeu_si512(parts + 16, high);
}

/* ---- deep leaves: shap_deep.c, a row a lane ---- */

enum { LANES = 8, VECTORS = SHAP_DEEP_ROWS / LANES };

static inline __m512d choose(__mmask8 satisfied, const double *out, const double *in) {
    return _mm512_mask_blend_pd(satisfied, _mm512_set1_pd(*out), _mm512_set1_pd(*in));
}

/* 32 rows. */
static inline void leaf_rows(const ride_shap *s, const shap_deep *leaf, const shap_terms *t, const uint64_t *satisfied,
                             uint32_t row, size_t stride, double *values) {
    const shap_deep_input *inputs = s->deep_inputs + leaf->inputs_first;
    const uint32_t count = leaf->inputs_count, n = leaf->points;
    const double *weights = s->weights + ride_quadrature_first(n);
    for (uint32_t q = 0; q < n; q++) {
        __m512d product[VECTORS];
        for (int u = 0; u < VECTORS; u++) product[u] = _mm512_set1_pd(weights[q]);
        for (uint32_t j = 0; j < count; j++) {
            const size_t at = (size_t)j * n + q;
            const uint64_t bits = satisfied[j] >> row;
#pragma GCC unroll 4
            for (int u = 0; u < VECTORS; u++)
                product[u] = _mm512_mul_pd(product[u], choose((__mmask8)(bits >> (LANES * u)), t->factors[0] + at,
                                                              t->factors[1] + at));
        }
        for (int u = 0; u < VECTORS; u++)
            _mm512_store_pd(t->products + (size_t)SHAP_DEEP_ROWS * q + LANES * (size_t)u, product[u]);
    }
    for (uint32_t j = 0; j < count; j++) {
        __m512d sum[VECTORS];
        const uint64_t bits = satisfied[j] >> row;
        for (int u = 0; u < VECTORS; u++) sum[u] = _mm512_setzero_pd();
        for (uint32_t q = 0; q < n; q++) {
            const size_t at = (size_t)j * n + q;
#pragma GCC unroll 4
            for (int u = 0; u < VECTORS; u++) {
                const __m512d product = _mm512_load_pd(t->products + (size_t)SHAP_DEEP_ROWS * q + LANES * (size_t)u);
                const __m512d gain = choose((__mmask8)(bits >> (LANES * u)), t->gains[0] + at, t->gains[1] + at);
                sum[u] = _mm512_add_pd(sum[u], _mm512_mul_pd(product, gain));
            }
        }
        double *to = values + inputs[j].slot * stride + row;
        for (int u = 0; u < VECTORS; u++)
            _mm512_store_pd(to + LANES * u, _mm512_add_pd(_mm512_load_pd(to + LANES * u), sum[u]));
    }
}

void shap_deep_avx512(const ride_shap *s, const shap_output *output, const uint64_t *planes, uint32_t rows_count,
                      uint32_t stride, void *room, double *values) {
    const size_t row_stride = (size_t)stride * SHAP_WORD;
    uint64_t *satisfied = shap_satisfied_room(s, room);
    for (uint32_t d = output->deep_first; d < output->deep_first + output->deep_count; d++) {
        const shap_deep *leaf = &s->deep[d];
        const shap_terms terms = shap_terms_make(s, leaf, room);
        for (uint32_t row = 0; row < rows_count; row += SHAP_WORD) {
            shap_satisfied_make(s, leaf, planes, stride, row / SHAP_WORD, satisfied);
            for (uint32_t part = 0; part < SHAP_WORD && row + part < rows_count; part += SHAP_DEEP_ROWS)
                leaf_rows(s, leaf, &terms, satisfied, part, row_stride, values + row);
        }
    }
}
#endif
