/* io/csv_avx2.c: the splitter and the column functions of numbers and times with AVX2 (and what comes with it: BMI, POPCNT).
 *
 * The splitter looks at 64 bytes at once and turns commas, quotes and line feeds into three bit masks. It starts anew at each
 * row, so a row of up to 64 bytes costs one look and has no branch that depends on the lengths of its fields. Numbers are
 * read as the 16 bytes that end with the field: what lies before it is masked off, and three multiply-adds make the
 * value, whatever its length. The chain from row to row is only the place of the next line feed, so the rows overlap. */
#include "io/csv.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#define AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))

/* 16 bytes from keep_last + n keep the last n bytes of a vector. */
static const uint8_t keep_last[32] = {0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
                                      0,    0,    0,    0,    0,    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                      0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

AVX2 static inline uint64_t mask64(__m256i lo, __m256i hi, __m256i byte) {
    uint32_t a = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(lo, byte));
    uint32_t b = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(hi, byte));
    return a | (uint64_t)b << 32;
}

/* Rows of one file have few shapes: the places of the commas of a mask that was met before are looked up, eight bytes of
 * them, which is a quarter of the work of taking the bits out one by one. */
AVX2 static inline void put_places(ride_csv_shape *shapes, uint64_t commas, uint32_t at, uint32_t *to) {
    ride_csv_shape *shape = &shapes[commas * UINT64_C(0x9E3779B97F4A7C15) >> (64 - RIDE_CSV_SHAPES_LOG)];
    if (RIDE_UNLIKELY(shape->commas != commas)) {
        uint64_t rest = commas;
        for (int k = 0; k < 8; k++, rest = _blsr_u64(rest)) shape->places[k] = (uint8_t)_tzcnt_u64(rest);
        shape->commas = commas;
    }
    __m256i places = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)shape->places));
    _mm256_storeu_si256((__m256i *)to, _mm256_add_epi32(places, _mm256_set1_epi32((int32_t)at)));
}

AVX2 static uint32_t split(const uint8_t *text, size_t begin, size_t limit, uint32_t rows_max, uint32_t fields,
                           size_t record_bytes_max, ride_csv_shape *shapes, uint32_t *bounds, uint32_t *ends) {
    const __m256i comma = _mm256_set1_epi8(','), quote = _mm256_set1_epi8('"'), feed = _mm256_set1_epi8('\n');
    for (uint32_t rows = 0; rows < rows_max; rows++) {
        uint32_t found = 0;
        size_t at = begin, end;
        bounds[0] = (uint32_t)begin - 1;
        for (;;) {
            __m256i lo = _mm256_loadu_si256((const __m256i *)(text + at));
            __m256i hi = _mm256_loadu_si256((const __m256i *)(text + at + 32));
            uint64_t commas = mask64(lo, hi, comma), quotes = mask64(lo, hi, quote), feeds = mask64(lo, hi, feed);
            uint64_t within = feeds != 0 ? _blsmsk_u64(feeds) : ~UINT64_C(0);
            commas &= within;
            uint32_t count = (uint32_t)__builtin_popcountll(commas);
            if (RIDE_UNLIKELY((quotes & within) != 0 || found + count >= fields)) return rows;
            uint32_t *to = bounds + 1 + found;
            if (RIDE_LIKELY(count <= 8)) put_places(shapes, commas, (uint32_t)at, to);
            else
                for (; commas != 0; commas = _blsr_u64(commas)) *to++ = (uint32_t)at + (uint32_t)_tzcnt_u64(commas);
            found += count;
            if (RIDE_LIKELY(feeds != 0)) {
                end = at + (size_t)_tzcnt_u64(feeds);
                break;
            }
            at += 64;
            if (at >= limit) return rows;
        }
        uint32_t cr = text[end - 1] == '\r';
        if (RIDE_UNLIKELY(end >= limit || found != fields - 1 || end - begin > record_bytes_max || end - begin <= cr))
            return rows;
        bounds[fields] = (uint32_t)end - cr;
        ends[rows] = (uint32_t)end;
        bounds += fields + 1;
        begin = end + 1;
    }
    return rows_max;
}

/* Sixteen values 0 … 9, the most significant first, to a number. */
AVX2 static inline uint64_t number16(__m128i digits) {
    const __m128i tens = _mm_set1_epi16(1 << 8 | 10), hundreds = _mm_set1_epi32(1 << 16 | 100);
    const __m128i myriads = _mm_set1_epi32(1 << 16 | 10000);
    __m128i v = _mm_madd_epi16(_mm_maddubs_epi16(digits, tens), hundreds); /* four times four digits */
    v = _mm_madd_epi16(_mm_packus_epi32(v, v), myriads);                   /* two times eight digits */
    uint64_t halves = (uint64_t)_mm_cvtsi128_si64(v);
    return (halves & UINT32_MAX) * UINT64_C(100000000) + (halves >> 32);
}
AVX2 static inline bool all_digits(__m128i values) {
    __m128i over = _mm_subs_epu8(values, _mm_set1_epi8(9));
    return _mm_testz_si128(over, over);
}

AVX2 static uint32_t column_integer(ride_csv_block *block, uint32_t rows_count) {
    int64_t *values = block->values;
    const int64_t lo = block->step->lo, hi = block->step->hi;
    const __m128i zero = _mm_set1_epi8('0');
    const uint8_t *text = block->text;
    const uint32_t *bound = block->bounds + block->step->position;
    const uint32_t stride = block->stride;
    for (uint32_t row = 0; row < rows_count; row++, bound += stride) {
        uint32_t bytes = bound[1] - bound[0] - 1;
        if (RIDE_LIKELY(bytes - 1 < 16)) {
            __m128i v = _mm_loadu_si128((const __m128i *)(text + bound[1] - 16));
            v = _mm_and_si128(_mm_sub_epi8(v, zero), _mm_loadu_si128((const __m128i *)(keep_last + bytes)));
            int64_t value = (int64_t)number16(v);
            if (RIDE_LIKELY(all_digits(v) && value >= lo && value <= hi)) {
                values[row] = value;
                continue;
            }
        }
        if (!ride_csv_field(block, row)) return row;
    }
    return rows_count;
}

/* close_gap[p] moves the bytes before place p one place on, over p; the last row moves none (no point). */
static const uint8_t close_gap[17][16] = {
    {0x80, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {0x80, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {0x80, 0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {0x80, 0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {0x80, 0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {0x80, 0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {0x80, 0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {0x80, 0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15},
    {0x80, 0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15},
    {0x80, 0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15},
    {0x80, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15},
    {0x80, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15},
    {0x80, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15},
    {0x80, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15},
    {0x80, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15},
    {0x80, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14},
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
};

/* The point is cut out of the digits, and the whole is scaled by how many came after it; more of them than the scale has
 * is the careful way, which rounds. */
AVX2 static uint32_t column_decimal(ride_csv_block *block, uint32_t rows_count) {
    int64_t *values = block->values;
    const int64_t lo = block->step->lo, hi = block->step->hi;
    const int32_t scale = block->step->field->scale;
    const __m128i zero = _mm_set1_epi8('0'), dot = _mm_set1_epi8('.');
    const uint8_t *text = block->text;
    const uint32_t *bound = block->bounds + block->step->position;
    const uint32_t stride = block->stride;
    uint64_t power[17]; /* power[p]: for a point at place p */
    uint64_t ten = 1;
    for (int32_t digits = scale; digits > 15; digits--) ten *= 10;
    for (int32_t place = 0; place < 17; place++) power[place] = 0;
    for (int32_t digits = scale < 15 ? scale : 15; digits >= 0; digits--, ten *= 10) power[15 - digits] = ten;
    power[16] = power[15];                                                              /* no point */
    const uint32_t bytes_max = scale <= 2 ? 16 : scale < 17 ? 18 - (uint32_t)scale : 1; /* no product overflows */
    for (uint32_t row = 0; row < rows_count; row++, bound += stride) {
        uint32_t bytes = bound[1] - bound[0] - 1;
        if (RIDE_LIKELY(bytes - 1 < bytes_max)) {
            __m128i v = _mm_loadu_si128((const __m128i *)(text + bound[1] - 16));
            __m128i keep = _mm_loadu_si128((const __m128i *)(keep_last + bytes));
            __m128i point = _mm_and_si128(_mm_cmpeq_epi8(v, dot), keep);
            uint32_t place = (uint32_t)__builtin_ctz((uint32_t)_mm_movemask_epi8(point) | 1u << 16);
            v = _mm_and_si128(_mm_sub_epi8(v, zero), keep);
            v = _mm_shuffle_epi8(v, _mm_loadu_si128((const __m128i *)close_gap[place]));
            int64_t value = (int64_t)(number16(v) * power[place]);
            /* a second point is no digit; a point alone has no digit */
            if (RIDE_LIKELY(all_digits(v) && power[place] != 0 && bytes > (place < 16) && value >= lo && value <= hi)) {
                values[row] = value;
                continue;
            }
        }
        if (!ride_csv_field(block, row)) return row;
    }
    return rows_count;
}

/* "2018-04-01 00:00:31": the date is mostly the one of the row before; the time is eight bytes of fixed places. */
AVX2 static uint32_t column_time(ride_csv_block *block, uint32_t rows_count) {
    int64_t *values = block->values;
    const int64_t lo = block->step->lo, hi = block->step->hi;
    const ride_zone_rule *zone = &block->decoder->zone;
    const uint32_t *bound = block->bounds + block->step->position;
    for (uint32_t row = 0; row < rows_count; row++, bound += block->stride) {
        const uint8_t *text = block->text + (bound[0] + 1);
        uint64_t time;
        memcpy(&time, text + 11, sizeof time);
        time ^= UINT64_C(0x30303A30303A3030); /* digits to 0 … 9, colons to 0 */
        uint64_t over = (time | (time + UINT64_C(0x767A7F767A7F767D))) & UINT64_C(0x8080808080808080);
        uint64_t pairs = time * 10 + (time >> 8); /* bytes 0, 3, 6: hours, minutes, seconds */
        uint32_t hours = pairs & 0xFF, minutes = pairs >> 24 & 0xFF, seconds = pairs >> 48 & 0xFF;
        __m128i same =
            _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)text), _mm_loadu_si128((const __m128i *)block->date_text));
        bool known = (~_mm_movemask_epi8(same) & 0x7FF) == 0;
        if (RIDE_LIKELY(bound[1] - bound[0] == 20 && over == 0 && hours < 24 &&
                        (known || ride_csv_date(block, text)))) {
            int64_t local = block->date_us + (int64_t)(hours * 3600 + minutes * 60 + seconds) * 1000000;
            int64_t value =
                zone->local_to_utc != NULL ? zone->local_to_utc(zone->zone, local) : local - zone->offset_us;
            if (RIDE_LIKELY(value >= lo && value <= hi)) {
                values[row] = value;
                continue;
            }
        }
        if (!ride_csv_field(block, row)) return row;
    }
    return rows_count;
}

const ride_csv_kernels *ride_csv_kernels_avx2(void) {
    static ride_csv_kernels kernels;
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi") || !__builtin_cpu_supports("bmi2") ||
        !__builtin_cpu_supports("popcnt"))
        return NULL;
    kernels = *ride_csv_kernels_portable();
    kernels.split = split;
    kernels.integer = column_integer;
    kernels.decimal = column_decimal;
    kernels.time_iso8601 = column_time;
    return &kernels;
}
#else
const ride_csv_kernels *ride_csv_kernels_avx2(void) { return NULL; }
#endif
