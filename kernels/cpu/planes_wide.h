/* kernels/cpu/planes_wide.h: what the wide kernels share, over planes that are registers: from the bits of ranks to planes, and a tree down
 * to the places of its leaves. Included by the files of the instruction sets, which say before
 *
 *   plane                             the register
 *   select_plane(test, right, left)   where `test` has a bit that of `right`, else that of `left`
 *   or_and(a, b, c)                   a | (b & c)
 *   places6_make(b, out), places8_make(b, out)   six or eight planes of the leaf's place, the highest bit first, become a byte for each
 *                                     row, of which the low six bits are read where there are six */
#ifndef RIDE_KERNELS_CPU_PLANES_WIDE_H
#define RIDE_KERNELS_CPU_PLANES_WIDE_H
#include "kernels/cpu/planes_internal.h"

#ifdef PLANES_WIDE

/* above[i]: digit > i, for a digit of four planes, i = 0 … 14. */
static inline void thermometer(plane b3, plane b2, plane b1, plane b0, plane above[15]) {
    const plane some = b1 | b0, both = b1 & b0;
    const plane seven[7] = {b2 | some, b2 | b1, b2 | both, b2, b2 & some, b2 & b1, b2 & both};
    for (int i = 0; i < 7; i++) {
        above[i] = b3 | seven[i];
        above[8 + i] = b3 & seven[i];
    }
    above[7] = b3;
}

/* out[k]: rank > k, for k < count. */
static inline void planes_make(const plane bits[8], uint32_t count, plane *out) {
    plane low[15], high[15];
    thermometer(bits[3], bits[2], bits[1], bits[0], low);
    thermometer(bits[7], bits[6], bits[5], bits[4], high);
    plane at_least = ~(plane){0};
    for (uint32_t h = 0; 16 * h < count; h++) {
        const plane above = h < 15 ? high[h] : (plane){0};
        const uint32_t left = count - 16 * h;
        plane *to = out + 16 * (size_t)h;
        if (left >= 16) {
#pragma GCC unroll 15
            for (int l = 0; l < 15; l++) to[l] = or_and(above, at_least, low[l]);
            to[15] = above;
        } else
            for (uint32_t l = 0; l < left; l++) to[l] = or_and(above, at_least, low[l]);
        at_least = above;
    }
}

/* The plane that a row meets at a level, among those of a heap's level under node `at`: the bits of the levels above select. */
#define HEAP_0(at)         planes[heap[at]]
#define HEAP_1(at, stride) select_plane(b[0], planes[heap[(at) + (stride)]], planes[heap[at]])
#define HEAP_2(at, stride) select_plane(b[1], HEAP_1((at) + (stride) / 2, stride), HEAP_1(at, stride))
#define HEAP_3(at, stride) select_plane(b[2], HEAP_2((at) + (stride) / 4, stride), HEAP_2(at, stride))
#define HEAP_4(at, stride) select_plane(b[3], HEAP_3((at) + (stride) / 8, stride), HEAP_3(at, stride))
#define HEAP_5(at, stride) select_plane(b[4], HEAP_4((at) + (stride) / 16, stride), HEAP_4(at, stride))
#define HEAP_6(at, stride) select_plane(b[5], HEAP_5((at) + (stride) / 32, stride), HEAP_5(at, stride))
#define HEAP_7(at, stride) select_plane(b[6], HEAP_6((at) + (stride) / 64, stride), HEAP_6(at, stride))

/* Hundreds of loads in one expression: with the checks of a sanitizer around each they take minutes to compile. What they read was checked when
 * the forest was made. */
#define UNCHECKED __attribute__((no_sanitize("undefined", "address")))

/* levels: a constant wherever it is called. Bits that the place has besides are zero. */
static inline __attribute__((always_inline)) UNCHECKED void heap_run(uint32_t levels, const uint32_t *heap,
                                                                     const plane *planes, bool eight, uint8_t *out) {
    plane b[PLANES_BITS], place[PLANES_BITS];
    b[0] = HEAP_0(0);
    b[1] = HEAP_1(1, 1);
    b[2] = HEAP_2(3, 2);
    b[3] = HEAP_3(7, 4);
    if (levels > 4) b[4] = HEAP_4(15, 8);
    if (levels > 5) b[5] = HEAP_5(31, 16);
    if (levels > 6) b[6] = HEAP_6(63, 32);
    if (levels > 7) b[7] = HEAP_7(127, 64);
#pragma GCC unroll 8
    for (uint32_t i = 0; i < PLANES_BITS; i++)
        place[i] = i + levels >= PLANES_BITS ? b[i + levels - PLANES_BITS] : (plane){0};
    if (eight) places8_make(place, out);
    else places6_make(place + 2, out);
}

/* noinline: each its own registers. eight: the group's places have more than six bits. */
static __attribute__((noinline)) UNCHECKED void heap_run_4(const uint32_t *heap, const plane *planes, bool eight,
                                                           uint8_t *out) {
    heap_run(4, heap, planes, eight, out);
}
static __attribute__((noinline)) UNCHECKED void heap_run_5(const uint32_t *heap, const plane *planes, bool eight,
                                                           uint8_t *out) {
    heap_run(5, heap, planes, eight, out);
}
static __attribute__((noinline)) UNCHECKED void heap_run_6(const uint32_t *heap, const plane *planes, bool eight,
                                                           uint8_t *out) {
    heap_run(6, heap, planes, eight, out);
}
static __attribute__((noinline)) UNCHECKED void heap_run_7(const uint32_t *heap, const plane *planes, uint8_t *out) {
    heap_run(7, heap, planes, true, out);
}
static __attribute__((noinline)) UNCHECKED void heap_run_8(const uint32_t *heap, const plane *planes, uint8_t *out) {
    heap_run(8, heap, planes, true, out);
}

static inline void tree_run(const ride_planes *p, const planes_tree *tree, plane *planes, bool eight, uint8_t *out) {
    const planes_op *ops = p->ops + tree->ops_first;
    plane *results = planes + p->planes_count;
    const uint32_t count = tree->ops_count, levels = tree->levels;
    const uint32_t *heap = p->heaps + tree->heap_first;
    for (uint32_t i = 0; i < count; i++)
        results[i] = select_plane(planes[ops[i].test], planes[ops[i].right], planes[ops[i].left]);
    switch (levels) {
    case 4: heap_run_4(heap, planes, eight, out); break;
    case 5: heap_run_5(heap, planes, eight, out); break;
    case 6: heap_run_6(heap, planes, eight, out); break;
    case 7: heap_run_7(heap, planes, out); break;
    case 8: heap_run_8(heap, planes, out); break;
    default: {
        plane b[PLANES_BITS];
        for (uint32_t i = 0; i < PLANES_BITS; i++) b[i] = planes[tree->bits[i]];
        if (eight) places8_make(b, out);
        else places6_make(b + 2, out);
    }
    }
}
#endif

#endif
