/* kernels/cpu/planes_wide_neon.c: AArch64: 128 rows a block, a plane is a register (planes_turned.h). Few thresholds of a column are counted; many lie in
 * sixteens: the sixteen by the thresholds that end one, for four rows at once, the place in it by comparing all of it with each row. Leaves come from tables of
 * 64 bytes in four registers, which one instruction reads. */
#if defined(__aarch64__)
#include "kernels/cpu/planes_internal.h"

#include <arm_neon.h>
#include <math.h>
#include <string.h>

enum {
    LANES = 4,
    GROUP = 16, /* rows of a register of bytes */
    ROWS = RIDE_PLANES_NEON_ROWS,
    GROUPS = ROWS / GROUP,
    SIXTEEN = 16,
    COUNTED = 32, /* thresholds that are counted rather than searched */
};
typedef uint8x16_t plane;
#define KERNEL(name)  planes_wide_neon##name
#define SPREAD8(bits) vdupq_n_u8((uint8_t)(bits))
#define RIGHT8(v, by) vshrq_n_u8(v, by)
#define LEFT8(v, by)  vshlq_n_u8(v, by)
#define EQUAL8(a, b)  vceqq_u8(a, b)
#define LOAD8(from)   vld1q_u8(from)
#define STORE8(to, v) vst1q_u8(to, v)

static inline plane select_plane(plane test, plane right, plane left) { return vbslq_u8(test, right, left); }
static inline plane or_and(plane a, plane b, plane c) { return a | (b & c); }

/* ---- ranks ---- */

/* Four registers of numbers below 256 → a byte for each row, in their order. */
static inline plane pack(uint32x4_t a, uint32x4_t b, uint32x4_t c, uint32x4_t d) {
    return vuzp1q_u8(vreinterpretq_u8_u16(vuzp1q_u16(vreinterpretq_u16_u32(a), vreinterpretq_u16_u32(b))),
                     vreinterpretq_u8_u16(vuzp1q_u16(vreinterpretq_u16_u32(c), vreinterpretq_u16_u32(d))));
}

/* How many of `count` numbers each of sixteen rows is at or above. */
static inline void count_passed(const float *numbers, uint32_t count, const float *x, uint32x4_t passed[4]) {
    float32x4_t v[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) v[i] = vld1q_f32(x + LANES * i), passed[i] = vdupq_n_u32(0);
    for (uint32_t k = 0; k < count; k++) {
        const float32x4_t t = vld1q_dup_f32(numbers + k);
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) passed[i] = vsubq_u32(passed[i], vcgeq_f32(v[i], t));
    }
}

static inline uint8_t rank_find(const float *sixteen, uint32_t first, float x) {
    const float32x4_t v = vdupq_n_f32(x);
    const uint32x4_t low = vaddq_u32(vcgeq_f32(v, vld1q_f32(sixteen)), vcgeq_f32(v, vld1q_f32(sixteen + LANES))),
                     high = vaddq_u32(vcgeq_f32(v, vld1q_f32(sixteen + 2 * LANES)),
                                      vcgeq_f32(v, vld1q_f32(sixteen + 3 * LANES)));
    return (uint8_t)(first - vaddvq_u32(vaddq_u32(low, high)));
}

/* Pivots: the last thresholds of the sixteens, then all. */
static void ranks_make(const float *pivots, uint32_t count, const float *x, uint32_t groups, plane ranks[GROUPS]) {
    const float *all = pivots + SIXTEEN;
    for (uint32_t g = 0; g < groups; g++, x += GROUP) {
        uint32x4_t passed[4];
        if (count <= COUNTED) {
            count_passed(all, count, x, passed);
            ranks[g] = pack(passed[0], passed[1], passed[2], passed[3]);
            continue;
        }
        uint32_t sixteens[GROUP];
        uint8_t rank[GROUP];
        count_passed(pivots, count / SIXTEEN, x, passed);
        for (int i = 0; i < 4; i++) vst1q_u32(sixteens + LANES * i, passed[i]);
#pragma GCC unroll 16
        for (int i = 0; i < GROUP; i++)
            rank[i] = rank_find(all + SIXTEEN * (size_t)sixteens[i], SIXTEEN * sixteens[i], x[i]);
        ranks[g] = vld1q_u8(rank);
    }
}

static inline plane missing_of(const float *x, bool zero_missing) {
    uint32x4_t missing[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        const float32x4_t v = vld1q_f32(x + LANES * i);
        missing[i] = vmvnq_u32(vceqq_f32(v, v));
        if (zero_missing) missing[i] = vorrq_u32(missing[i], vcaleq_f32(v, vdupq_n_f32(1e-35f)));
    }
    return pack(missing[0], missing[1], missing[2], missing[3]);
}

/* ---- leaves ---- */

/* Places beyond a table leave what is there. */
static inline plane sixty_four_at(plane before, const uint8_t *table, plane place) {
    return vqtbx4q_u8(before, vld1q_u8_x4(table), place);
}

static inline __attribute__((always_inline)) plane table_at(const uint8_t *table, uint32_t sixteens, plane place) {
    plane of = vqtbl4q_u8(vld1q_u8_x4(table), place);
    if (sixteens > 4) of = sixty_four_at(of, table + 64, place - 64);
    if (sixteens > 8) of = sixty_four_at(of, table + 128, place - 128);
    if (sixteens > 8) of = sixty_four_at(of, table + 192, place - 192);
    return of;
}

static inline plane zip_low16(plane a, plane b) {
    return vreinterpretq_u8_u16(vzip1q_u16(vreinterpretq_u16_u8(a), vreinterpretq_u16_u8(b)));
}
static inline plane zip_high16(plane a, plane b) {
    return vreinterpretq_u8_u16(vzip2q_u16(vreinterpretq_u16_u8(a), vreinterpretq_u16_u8(b)));
}
static inline plane zip_low32(plane a, plane b) {
    return vreinterpretq_u8_u32(vzip1q_u32(vreinterpretq_u32_u8(a), vreinterpretq_u32_u8(b)));
}
static inline plane zip_high32(plane a, plane b) {
    return vreinterpretq_u8_u32(vzip2q_u32(vreinterpretq_u32_u8(a), vreinterpretq_u32_u8(b)));
}

static inline plane sum_add(planes_sum kind, plane sum, plane leaf) {
    if (kind == PLANES_F64)
        return vreinterpretq_u8_f64(vaddq_f64(vreinterpretq_f64_u8(sum), vreinterpretq_f64_u8(leaf)));
    if (kind == PLANES_F32)
        return vreinterpretq_u8_f32(vaddq_f32(vreinterpretq_f32_u8(sum), vreinterpretq_f32_u8(leaf)));
    return vreinterpretq_u8_u32(vaddq_u32(vreinterpretq_u32_u8(sum), vreinterpretq_u32_u8(leaf)));
}

/* Adds the leaves of a group's trees to the sums of 16 rows, which lie in their order. */
static inline __attribute__((always_inline)) void leaves_add(const planes_group *group, uint32_t bits, planes_sum kind,
                                                             const uint8_t *leaves, const uint8_t *places,
                                                             uint8_t *sums) {
    const uint32_t values = kind == PLANES_F64 ? 8 : 4, bytes = values, sixteens = 1u << (bits - 4);
    plane sum[8];
#pragma GCC unroll 8
    for (uint32_t i = 0; i < values; i++) sum[i] = vld1q_u8(sums + 16 * i);
    for (uint32_t t = 0; t < group->trees_count; t++) {
        const plane place = vld1q_u8(places + (size_t)t * ROWS);
        const uint8_t *tables = leaves + ((size_t)t * bytes << bits);
        plane pair[2][4], of[8];
#pragma GCC unroll 4
        for (uint32_t k = 0; k < bytes / 2; k++) {
            const plane low = table_at(tables + ((size_t)(2 * k) << bits), sixteens, place),
                        high = table_at(tables + ((size_t)(2 * k + 1) << bits), sixteens, place);
            pair[0][k] = vzip1q_u8(low, high);
            pair[1][k] = vzip2q_u8(low, high);
        }
#pragma GCC unroll 2
        for (uint32_t half = 0; half < 2; half++) {
            const plane low0 = zip_low16(pair[half][0], pair[half][1]), low1 = zip_high16(pair[half][0], pair[half][1]);
            if (kind != PLANES_F64) {
                of[2 * half] = low0;
                of[2 * half + 1] = low1;
                continue;
            }
            const plane high0 = zip_low16(pair[half][2], pair[half][3]),
                        high1 = zip_high16(pair[half][2], pair[half][3]);
            of[4 * half] = zip_low32(low0, high0);
            of[4 * half + 1] = zip_high32(low0, high0);
            of[4 * half + 2] = zip_low32(low1, high1);
            of[4 * half + 3] = zip_high32(low1, high1);
        }
#pragma GCC unroll 8
        for (uint32_t i = 0; i < values; i++) sum[i] = sum_add(kind, sum[i], of[i]);
    }
#pragma GCC unroll 8
    for (uint32_t i = 0; i < values; i++) vst1q_u8(sums + 16 * i, sum[i]);
}

static inline uint32_t sum_row(uint32_t at, bool is_double) {
    (void)is_double;
    return at;
}

#include "kernels/cpu/planes_turned.h"

/* Behind the last threshold nothing is passed. */
void planes_wide_neon_prepare(ride_planes *p) {
    for (uint32_t c = 0; c < p->columns_count; c++) {
        const planes_column *column = &p->columns[c];
        float *last = p->pivots + (size_t)c * PLANES_PIVOTS, *all = last + SIXTEEN;
        for (uint32_t i = 0; i < PLANES_PIVOTS; i++) last[i] = NAN;
        memcpy(all, p->thresholds + column->thresholds_first, column->thresholds_count * sizeof *all);
        for (uint32_t i = 0; i < SIXTEEN; i++) last[i] = all[SIXTEEN * i + SIXTEEN - 1];
    }
    for (uint32_t r = 0; r < ROWS; r++) p->place_of[r] = (uint16_t)r;
}
#endif
