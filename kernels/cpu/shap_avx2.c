/* kernels/cpu/shap_avx2.c: 32 rows at a time. CMakeLists.txt gives this file the compiler's options, isa.c tells where it may run.
 *
 * A look-up of 128 bytes is eight of 16, by the pattern's low four bits, between which the other three choose. Digits are summed one
 * after the other, so that what a pass needs is in registers; how, is said in shap_avx512.c. */
#if defined(__x86_64__)
#include "kernels/cpu/shap_internal.h"

#include <immintrin.h>

enum { ROWS = 32 };

/* Bit r of a word → byte r: 0 or 255. */
static inline __m256i spread(uint32_t bits) {
    const __m256i byte_of = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303),
                  bit_of = _mm256_set1_epi64x((long long)0x8040201008040201);
    const __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32((int)bits), byte_of);
    return _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit_of), bit_of);
}

void shap_indices_avx2(const ride_shap *s, const shap_segment *segment, const uint64_t *planes, uint32_t words,
                       uint32_t stride, uint8_t *indices) {
    for (uint32_t g = 0; g < segment->groups_count; g++) {
        const shap_group *group = &s->groups[segment->groups_first + g];
        const uint32_t count = group->bits < SHAP_INDEX_BITS ? group->bits : SHAP_INDEX_BITS;
        for (uint32_t half = 0; half < 2 * words; half++) {
            __m256i index = _mm256_setzero_si256();
            for (uint32_t b = 0; b < count; b++) {
                const uint64_t word = planes[(size_t)group->planes[b] * stride + half / 2];
                const __m256i on = spread((uint32_t)(half % 2 ? word >> ROWS : word));
                index = _mm256_or_si256(index, _mm256_and_si256(on, _mm256_set1_epi8((char)(1 << b))));
            }
            _mm256_store_si256((__m256i *)(indices + (size_t)g * stride * SHAP_WORD + (size_t)half * ROWS), index);
        }
    }
}

/* ---- look-ups ---- */

/* A pattern's low four bits, and the others each as the highest bit of the byte. */
typedef struct split {
    __m256i low, b4, b5, b6;
} split;

static inline split split_make(__m256i index) {
    const split s = {_mm256_and_si256(index, _mm256_set1_epi8(15)), _mm256_slli_epi16(index, 3),
                     _mm256_slli_epi16(index, 2), _mm256_slli_epi16(index, 1)};
    return s;
}

static inline __m256i look_up16(const uint8_t *table, const split *s) {
    return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)table)), s->low);
}

static inline __m256i look_up64(const uint8_t *table, const split *s) {
    const __m256i low = _mm256_blendv_epi8(look_up16(table, s), look_up16(table + 16, s), s->b4),
                  high = _mm256_blendv_epi8(look_up16(table + 32, s), look_up16(table + 48, s), s->b4);
    return _mm256_blendv_epi8(low, high, s->b5);
}

static inline __m256i look_up128(const uint8_t *table, const split *s) {
    return _mm256_blendv_epi8(look_up64(table, s), look_up64(table + 64, s), s->b6);
}

/* ---- sums ---- */

typedef struct digit {
    __m256i both, high;
} digit;

static inline void digit_add(digit *d, __m256i found) {
    d->both = _mm256_add_epi16(d->both, found);
    d->high = _mm256_add_epi16(d->high, _mm256_srli_epi16(found, 8));
}

static inline __m256i index_load(const uint8_t *indices, uint32_t entry, uint32_t stride) {
    return _mm256_load_si256((const __m256i *)(indices + (size_t)entry * stride * SHAP_WORD));
}

/* A digit of a wide table: the bits beyond the index choose between parts, two at a time until one is left. */
static inline __m256i look_up_wide(const shap_group *group, const uint8_t *table, const split *s,
                                   const uint64_t *planes, uint32_t stride, uint32_t shift) {
    __m256i found[1 << (SHAP_BITS - SHAP_INDEX_BITS)];
    uint32_t parts = 1u << (group->bits - SHAP_INDEX_BITS);
    for (uint32_t i = 0; i < parts; i++) found[i] = look_up128(table + (size_t)i * 2 * SHAP_TABLE_UNIT, s);
    for (uint32_t b = SHAP_INDEX_BITS; parts > 1; b++) {
        const __m256i on = spread((uint32_t)(planes[(size_t)group->planes[b] * stride] >> shift));
        parts /= 2;
        for (uint32_t i = 0; i < parts; i++) found[i] = _mm256_blendv_epi8(found[2 * i], found[2 * i + 1], on);
    }
    return found[0];
}

/* One digit of a list for 32 rows: sums[0] of even rows, sums[1] of odd ones. planes: the word of the rows, of which they are the bits from shift on. */
static inline void digit_sum(const ride_shap *s, const shap_segment *segment, const shap_list *list, int d,
                             const uint64_t *planes, uint32_t shift, const uint8_t *indices, uint32_t stride,
                             uint16_t sums[2][ROWS / 2]) {
    digit sum = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    const uint8_t *table = s->tables + (uint64_t)list->table_first * SHAP_TABLE_UNIT;
    const uint16_t *entry = s->entries + list->entries_first, *small_end = entry + list->small_count,
                   *large_end = small_end + list->large_count, *end = large_end + list->wide_count;
    for (; entry < small_end; entry++, table += SHAP_TABLE_UNIT) {
        const split at = split_make(index_load(indices, *entry, stride));
        digit_add(&sum, look_up64(table + SHAP_SMALL * (size_t)d, &at));
    }
    for (; entry < large_end; entry++, table += 2 * SHAP_TABLE_UNIT) {
        const split at = split_make(index_load(indices, *entry, stride));
        digit_add(&sum, look_up128(table + SHAP_LARGE * (size_t)d, &at));
    }
    for (; entry < end; entry++) {
        const shap_group *group = &s->groups[segment->groups_first + *entry];
        const split at = split_make(index_load(indices, *entry, stride));
        digit_add(&sum, look_up_wide(group, table + SHAP_LARGE * (size_t)d, &at, planes, stride, shift));
        table += (size_t)(2 * SHAP_TABLE_UNIT) << (group->bits - SHAP_INDEX_BITS);
    }
    _mm256_store_si256((__m256i *)sums[0], _mm256_sub_epi16(sum.both, _mm256_slli_epi16(sum.high, 8)));
    _mm256_store_si256((__m256i *)sums[1], sum.high);
}

void shap_sums_avx2(const ride_shap *s, const shap_segment *segment, const uint64_t *planes, const uint8_t *indices,
                    uint32_t words, uint32_t stride, uint64_t *sums) {
    for (uint32_t i = 0; i < segment->lists_count; i++) {
        const shap_list *list = &s->lists[segment->lists_first + i];
        for (uint32_t half = 0; half < 2 * words; half++) {
            _Alignas(32) uint16_t digits[SHAP_DIGITS][2][ROWS / 2];
            uint64_t *to = sums + (size_t)list->slot * stride * SHAP_WORD + (size_t)half * ROWS;
            for (int d = 0; d < SHAP_DIGITS; d++)
                digit_sum(s, segment, list, d, planes + half / 2, half % 2 * ROWS, indices + (size_t)half * ROWS,
                          stride, digits[d]);
            for (uint32_t r = 0; r < ROWS; r++) {
                const uint32_t odd = r & 1, at = r / 2;
                const uint32_t sum =
                    digits[0][odd][at] + ((uint32_t)digits[1][odd][at] << 8) + ((uint32_t)digits[2][odd][at] << 16);
                to[r] += (uint64_t)sum << segment->shift;
            }
        }
    }
}
#endif
