/* kernels/cpu/planes_narrow_avx512.c: 64 rows a block, a plane is a word. CMakeLists.txt gives this file the compiler's options, isa.c tells
 * where it may run. */
#if defined(__x86_64__)
#include "kernels/cpu/planes_internal.h"

#include <immintrin.h>
#include <stdint.h>

enum { LANES = 16, GROUPS = 4 };

static inline uint64_t at_or_above(const float *x, float threshold) {
    const __m512 t = _mm512_set1_ps(threshold);
    uint64_t bits = 0;
    for (int g = 0; g < GROUPS; g++)
        bits |= (uint64_t)_mm512_cmp_ps_mask(_mm512_load_ps(x + LANES * g), t, _CMP_GE_OQ) << (LANES * g);
    return bits;
}

static inline uint64_t missing(const float *x, bool zero_missing) {
    uint64_t bits = 0;
    for (int g = 0; g < GROUPS; g++) {
        const __m512 v = _mm512_load_ps(x + LANES * g);
        __mmask16 is = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
        if (zero_missing) is |= _mm512_cmp_ps_mask(_mm512_abs_ps(v), _mm512_set1_ps(1e-35f), _CMP_LE_OQ);
        bits |= (uint64_t)is << (LANES * g);
    }
    return bits;
}

/* ---- conditions ---- */

static void columns_run(const ride_planes *p, uint64_t *planes, const float *x, uint32_t stride) {
    for (uint32_t c = 0; c < p->columns_count; c++) {
        const planes_column *column = &p->columns[c];
        const float *values = x + (size_t)column->x * stride;
        const float *thresholds = p->thresholds + column->thresholds_first;
        const uint64_t nan = missing(values, column->zero_missing), right = column->nan_right ? nan : 0, known = ~nan;
        uint64_t *out = planes + column->plane_first;
        for (uint32_t k = 0; k < column->thresholds_count; k++)
            out[k] = (at_or_above(values, thresholds[k]) & known) | right;
        for (uint32_t i = 0; i < column->others_count; i++) {
            const planes_other *other = &p->others[column->others_first + i];
            planes[other->plane] = other->threshold == PLANES_ALONE ? nan : out[other->threshold] ^ nan;
        }
    }
}

static void sets_run(const ride_planes *p, uint64_t *planes, const float *x, uint32_t stride) {
    for (uint32_t c = 0; c < p->codes_count; c++) {
        const planes_codes *codes = &p->codes[c];
        uint32_t code[RIDE_PLANES_NARROW_ROWS];
        for (uint32_t r = 0; r < RIDE_PLANES_NARROW_ROWS; r++)
            code[r] = planes_code(x[(size_t)codes->x * stride + r], codes->from_minus_1);
        for (uint32_t s = codes->sets_first; s < codes->sets_first + codes->sets_count; s++) {
            uint64_t right = 0;
            for (uint32_t r = 0; r < RIDE_PLANES_NARROW_ROWS; r++)
                right |= (uint64_t)(p->sets[s][code[r] / 8] >> (code[r] % 8) & 1) << r;
            planes[p->sets_plane + s] = right;
        }
    }
}

/* ---- trees ---- */

static uint64_t select_word(uint64_t test, uint64_t right, uint64_t left) { return left ^ (test & (left ^ right)); }

/* The levels of a heap from the bottom: a pair of planes of a level becomes one by the bit of the level above, once that is known; so from the
 * top, each level folded as often as it is deep. */
static void heap_run(const uint32_t *heap, uint32_t levels, const uint64_t *planes, uint64_t bits[6]) {
    for (uint32_t i = 0; i < 6 - levels; i++) bits[i] = 0;
    uint64_t *b = bits + (6 - levels);
    for (uint32_t level = 0; level < levels; level++) {
        uint64_t row[32];
        uint32_t count = 1u << level;
        for (uint32_t i = 0; i < count; i++) row[i] = planes[heap[count - 1 + i]];
        for (uint32_t above = 0; above < level; above++) {
            count /= 2;
            for (uint32_t i = 0; i < count; i++) row[i] = select_word(b[above], row[i + count], row[i]);
        }
        b[level] = row[0];
    }
}

static void tree_run(const ride_planes *p, const planes_tree *tree, uint64_t *planes, uint64_t bits[6]) {
    const planes_op *ops = p->ops + tree->ops_first;
    uint64_t *results = planes + p->planes_count;
    for (uint32_t i = 0; i < tree->ops_count; i++)
        results[i] = select_word(planes[ops[i].test], planes[ops[i].right], planes[ops[i].left]);
    if (tree->levels > 0) heap_run(p->heaps + tree->heap_first, tree->levels, planes, bits);
    else
        for (uint32_t b = 0; b < 6; b++) bits[b] = planes[tree->bits[b + PLANES_BITS - 6]];
}

/* ---- leaves ---- */

/* Sixteen-bit parts of 32 rows' leaves, whose places are words; the tables as in planes_group. */
static inline __m512i part_at(const uint16_t *part, __m512i places) {
    return _mm512_permutex2var_epi16(_mm512_load_si512(part), places, _mm512_load_si512(part + 32));
}

typedef union sums {
    double doubles[RIDE_PLANES_NARROW_ROWS];
    float floats[RIDE_PLANES_NARROW_ROWS];
    int32_t whole[RIDE_PLANES_NARROW_ROWS];
    __m512i of[8];
} sums;

/* Parts come out interleaved: value k of a register of 32 rows is of the row row_of(k) below. */
static inline void sums_add(sums *s, planes_sum kind, const uint64_t bits[6], const uint8_t *tables) {
    const uint16_t *parts = (const void *)tables;
    __m512i places = _mm512_setzero_si512();
    for (int b = 0; b < 6; b++)
        places = _mm512_mask_add_epi8(places, bits[b], places, _mm512_set1_epi8((char)(1 << (5 - b))));
    const __m512i halves[2] = {_mm512_cvtepu8_epi16(_mm512_castsi512_si256(places)),
                               _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(places, 1))};
    for (int h = 0; h < 2; h++) {
        const __m512i p0 = part_at(parts, halves[h]), p1 = part_at(parts + 64, halves[h]);
        const __m512i low0 = _mm512_unpacklo_epi16(p0, p1), low1 = _mm512_unpackhi_epi16(p0, p1);
        if (kind == PLANES_F64) {
            const __m512i p2 = part_at(parts + 128, halves[h]), p3 = part_at(parts + 192, halves[h]);
            const __m512i high0 = _mm512_unpacklo_epi16(p2, p3), high1 = _mm512_unpackhi_epi16(p2, p3);
            const __m512i of[4] = {_mm512_unpacklo_epi32(low0, high0), _mm512_unpackhi_epi32(low0, high0),
                                   _mm512_unpacklo_epi32(low1, high1), _mm512_unpackhi_epi32(low1, high1)};
            for (int i = 0; i < 4; i++)
                s->of[4 * h + i] = _mm512_castpd_si512(
                    _mm512_add_pd(_mm512_castsi512_pd(s->of[4 * h + i]), _mm512_castsi512_pd(of[i])));
            continue;
        }
        const __m512i of[2] = {low0, low1};
        for (int i = 0; i < 2; i++) {
            __m512i *at = &s->of[2 * h + i];
            *at = kind == PLANES_WHOLE
                      ? _mm512_add_epi32(*at, of[i])
                      : _mm512_castps_si512(_mm512_add_ps(_mm512_castsi512_ps(*at), _mm512_castsi512_ps(of[i])));
        }
    }
}

/* In a lane of 16 bytes there are 8 rows: registers share them by pairs or fours. */
static uint32_t double_row(uint32_t i) { /* register 4 h + q, lane l, k of 2: row 32 h + 8 l + 2 q + k */
    return i / 32 * 32 + i / 2 % 4 * 8 + i / 8 % 4 * 2 + i % 2;
}
static uint32_t float_row(uint32_t i) { /* register 2 h + q, lane l, k of 4: row 32 h + 8 l + 4 q + k */
    return i / 32 * 32 + i / 4 % 4 * 8 + i / 16 % 2 * 4 + i % 4;
}

/* ---- the kernel ---- */

size_t planes_narrow_scratch_bytes(const ride_planes *p) {
    return (size_t)(p->planes_count + p->ops_most) * sizeof(uint64_t);
}

void planes_narrow(const ride_planes *p, void *scratch, const float *x, uint32_t stride, uint32_t rows_count,
                   double *margins) {
    uint64_t *planes = scratch;
    planes[PLANE_LEFT] = 0;
    planes[PLANE_RIGHT] = UINT64_MAX;
    columns_run(p, planes, x, stride);
    sets_run(p, planes, x, stride);
    for (uint32_t o = 0; o < p->outputs_count; o++) {
        const planes_output *output = &p->outputs[o];
        sums s;
        for (uint32_t i = 0; i < RIDE_PLANES_NARROW_ROWS; i++) {
            if (p->sum == PLANES_F64) s.doubles[i] = output->base;
            else if (p->sum == PLANES_F32) s.floats[i] = (float)output->base;
            else s.whole[i] = 0;
        }
        for (uint32_t g = 0; g < output->groups_count; g++) {
            const planes_group *group = &p->groups[output->groups_first + g];
            for (uint32_t i = 0; i < group->trees_count; i++) {
                const uint8_t *tables = p->leaves + group->leaves_first + (size_t)i * group->tree_bytes;
                uint64_t bits[6];
                tree_run(p, &p->trees[group->trees_first + i], planes, bits);
                if (p->sum == PLANES_F64) sums_add(&s, PLANES_F64, bits, tables);
                else if (p->sum == PLANES_F32) sums_add(&s, PLANES_F32, bits, tables);
                else sums_add(&s, PLANES_WHOLE, bits, tables);
            }
        }
        for (uint32_t i = 0; i < RIDE_PLANES_NARROW_ROWS; i++) {
            const uint32_t row = p->sum == PLANES_F64 ? double_row(i) : float_row(i);
            if (row >= rows_count) continue;
            const double sum = p->sum == PLANES_F64   ? s.doubles[i]
                               : p->sum == PLANES_F32 ? (double)s.floats[i]
                                                      : (double)s.whole[i];
            margins[(size_t)row * p->outputs_count + o] = planes_margin(p, output, sum);
        }
    }
}
#endif
