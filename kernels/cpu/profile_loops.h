/* kernels/cpu/profile_loops.h: the two loops of counting, compiled once for every machine, once for AVX2 and once for AVX-512 (the
 * including file says which by PROFILE_TABLE and its compiler options). Only comparisons of doubles: every variant gives the
 * same counts.
 *
 * Many edges: a search with branches would miss at every other one, since the edges are quantiles. So every value is compared with
 * the last edges of all sixteen leaves at once and then with the sixteen edges of its leaf; the number of edges below is the
 * answer in both. Without wide registers it is a search in steps that all rows take together. */
#ifndef RIDE_KERNELS_CPU_PROFILE_LOOPS_H
#define RIDE_KERNELS_CPU_PROFILE_LOOPS_H
#include "kernels/cpu/profile_internal.h"

#include <string.h>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
/* How many of sixteen are less than x. */
static inline uint32_t below16(const double *edges, double x) {
    const __m512d value = _mm512_set1_pd(x);
    const uint32_t low = _mm512_cmp_pd_mask(_mm512_loadu_pd(edges), value, _CMP_LT_OQ),
                   high = _mm512_cmp_pd_mask(_mm512_loadu_pd(edges + 8), value, _CMP_LT_OQ);
    return (uint32_t)__builtin_popcount(low | high << 8);
}
#elif defined(__AVX2__)
static inline __m256i less4(const double *edges, __m256d value) {
    return _mm256_castpd_si256(_mm256_cmp_pd(_mm256_loadu_pd(edges), value, _CMP_LT_OQ));
}
/* The order within the packed masks is not that of the edges; their number is. */
static inline uint32_t below16(const double *edges, double x) {
    const __m256d value = _mm256_set1_pd(x);
    const __m256i low = _mm256_packs_epi32(less4(edges, value), less4(edges + 4, value)),
                  high = _mm256_packs_epi32(less4(edges + 8, value), less4(edges + 12, value));
    return (uint32_t)__builtin_popcount((uint32_t)_mm256_movemask_epi8(_mm256_packs_epi16(low, high))) / 2;
}
#endif

static void search(const profile_tree *tree, uint32_t edges_count, const double *x, uint32_t n, uint16_t *below) {
#if defined(__AVX2__)
    (void)edges_count;
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t leaf = below16(tree->last, x[i]) * PROFILE_LEAF;
        below[i] = (uint16_t)(leaf + below16(tree->edges + leaf, x[i]));
    }
#else
    /* Step by step for all rows: the rows of a step do not wait for each other, and its comparison is a number, not a branch. */
    memset(below, 0, n * sizeof *below);
    uint32_t left = edges_count;
    for (; left > 1; left -= left / 2) {
        const uint32_t half = left / 2;
        for (uint32_t i = 0; i < n; i++)
            below[i] = (uint16_t)(below[i] + half * (uint32_t)(tree->edges[below[i] + half - 1] < x[i]));
    }
    for (uint32_t i = 0; i < n; i++) below[i] = (uint16_t)(below[i] + (tree->edges[below[i]] < x[i]));
#endif
}

static void above(const double *edges, uint32_t edges_count, const double *x, uint32_t n, uint32_t *out) {
    for (uint32_t e = 0; e < edges_count; e++) {
        uint64_t count = 0; /* as wide as the values, so that the comparisons' masks are subtracted as they are */
        for (uint32_t i = 0; i < n; i++) count += x[i] > edges[e];
        out[e] = (uint32_t)count;
    }
}

const profile_loops PROFILE_TABLE = {.search = search, .above = above};

#endif
