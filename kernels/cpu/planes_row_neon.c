/* kernels/cpu/planes_row_neon.c: AArch64: one row (planes_row_run.h); one instruction reads a table of 64 codes at sixteen places. */
#if defined(__aarch64__)
#include "kernels/cpu/planes_internal.h"

#include <arm_neon.h>
#include <string.h>

#define KERNEL(name) planes_row_neon##name
#define SIXTEENS     4

static inline uint32_t sixteen_passed(const float *sixteen, float32x4_t x) {
    const uint32x4_t low = vaddq_u32(vcleq_f32(vld1q_f32(sixteen), x), vcleq_f32(vld1q_f32(sixteen + 4), x)),
                     high = vaddq_u32(vcleq_f32(vld1q_f32(sixteen + 8), x), vcleq_f32(vld1q_f32(sixteen + 12), x));
    return 0u - vaddvq_u32(vaddq_u32(low, high));
}

/* Sixteens that are passed as a whole, then thresholds of the next one. NaN passes none. */
static inline uint32_t rank_of(const float *ranks, float x) {
    const float32x4_t v = vdupq_n_f32(x);
    uint32_t first = sixteen_passed(ranks, v);
    if (first > 15) first = 15;
    return 16 * first + sixteen_passed(ranks + 16 + 16 * (size_t)first, v);
}

typedef struct code_table {
    uint8x16x4_t of[4];
} code_table;

static inline code_table codes_load(const uint8_t *bytes) {
    return (code_table){
        {vld1q_u8_x4(bytes), vld1q_u8_x4(bytes + 64), vld1q_u8_x4(bytes + 128), vld1q_u8_x4(bytes + 192)}};
}

/* Codes at sixteen places; places beyond a table leave what is there. */
static inline uint8x16_t codes_at(const code_table *t, uint32_t sixteens, uint8x16_t place) {
    uint8x16_t of = vqtbl4q_u8(t->of[0], place);
    if (sixteens > 4) of = vqtbx4q_u8(of, t->of[1], place - 64);
    if (sixteens > 8) of = vqtbx4q_u8(of, t->of[2], place - 128);
    if (sixteens > 8) of = vqtbx4q_u8(of, t->of[3], place - 192);
    return of;
}

/* "Code above" at sixteen places: of each byte the bit that is its place in eight. */
static inline uint8x16_t sixteen_rights(const code_table *t, uint32_t sixteens, const uint8_t *codes,
                                        const uint8_t *above) {
    const uint8x16_t bit = vreinterpretq_u8_u64(vdupq_n_u64(UINT64_C(0x8040201008040201)));
    return vcgtq_u8(codes_at(t, sixteens, vld1q_u8(codes)), vld1q_u8(above)) & bit;
}
static inline uint64_t rights_of(const code_table *t, uint32_t sixteens, const uint8_t *tree) {
    const uint8x16_t a = sixteen_rights(t, sixteens, tree, tree + 64),
                     b = sixteen_rights(t, sixteens, tree + 16, tree + 80),
                     c = sixteen_rights(t, sixteens, tree + 32, tree + 96),
                     d = sixteen_rights(t, sixteens, tree + 48, tree + 112);
    const uint8x16_t pairs = vpaddq_u8(vpaddq_u8(a, b), vpaddq_u8(c, d));
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(pairs, pairs)), 0);
}
static inline uint32_t rights_of_small(const code_table *t, uint32_t sixteens, const uint8_t *tree) {
    const uint8x16_t a = sixteen_rights(t, sixteens, tree, tree + 32),
                     b = sixteen_rights(t, sixteens, tree + 16, tree + 48);
    const uint8x16_t pairs = vpaddq_u8(a, b), four = vpaddq_u8(pairs, pairs);
    return vgetq_lane_u32(vreinterpretq_u32_u8(vpaddq_u8(four, four)), 0);
}

/* A mask counts where its bit is set. */
static inline uint32_t small_place(uint32_t rights, const uint8_t *masks) {
    static const uint32_t first[4] = {1, 2, 4, 8};
    const uint32_t *at = (const void *)masks;
    const uint32x4_t bits = vdupq_n_u32(rights);
    uint32x4_t bit = vld1q_u32(first), all = vdupq_n_u32(0);
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++, bit = vshlq_n_u32(bit, 4)) all |= vtstq_u32(bits, bit) & vld1q_u32(at + 4 * (size_t)i);
    const uint64x2_t pair = vreinterpretq_u64_u32(all);
    const uint64_t two = vgetq_lane_u64(pair, 0) | vgetq_lane_u64(pair, 1);
    return (uint32_t)__builtin_ctz(~(uint32_t)(two | two >> 32));
}

static inline uint32_t large_place(uint64_t rights, const uint8_t *masks) {
    static const uint64_t first[2] = {1, 2};
    const uint64_t *at = (const void *)masks;
    const uint64x2_t bits = vdupq_n_u64(rights);
    uint64x2_t bit = vld1q_u64(first), all = vdupq_n_u64(0);
#pragma GCC unroll 32
    for (int i = 0; i < 32; i++, bit = vshlq_n_u64(bit, 2)) all |= vtstq_u64(bits, bit) & vld1q_u64(at + 2 * (size_t)i);
    return (uint32_t)__builtin_ctzll(~(vgetq_lane_u64(all, 0) | vgetq_lane_u64(all, 1)));
}

#include "kernels/cpu/planes_row_run.h"
#endif
