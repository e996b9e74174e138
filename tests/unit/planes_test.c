/* Condition planes against the obvious walk, bit for bit: forests of every shape that they take, with the values that decide. */
#include "kernels/cpu/planes.h"
#include "kernels/row/tree.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TREES_MAX = 40, NODES_MAX = TREES_MAX * 127, INPUTS_MAX = 12, THRESHOLDS_MAX = 700 };

typedef struct wood {
    ride_forest forest;
    ride_forest_header header;
    double base;
    ride_forest_tree trees[TREES_MAX];
    ride_forest_node nodes[NODES_MAX];
    float thresholds[INPUTS_MAX][THRESHOLDS_MAX];
    uint32_t thresholds_count[INPUTS_MAX];
    uint64_t random;
} wood;

static uint64_t draw(wood *w) {
    w->random ^= w->random >> 12, w->random ^= w->random << 25, w->random ^= w->random >> 27;
    return w->random * UINT64_C(0x2545f4914f6cdd1d);
}
static uint32_t below(wood *w, uint32_t n) { return (uint32_t)((draw(w) >> 33) % n); }

static float odd_float(wood *w) {
    static const float odd[] = {0.0f, -0.0f, INFINITY, -INFINITY, 1e-42f, -1e-42f, 3.4e38f, -3.4e38f, 1.0f, -1.0f};
    if (below(w, 8) == 0) return odd[below(w, sizeof odd / sizeof *odd)];
    return ((float)below(w, 200000) - 100000) / 77.0f;
}

/* Grows breadth first: children of the k-th inner node are 2k+1 and 2k+2. shape 0: full; 1: any; 2: a vine. */
static void grow(wood *w, uint32_t number, uint32_t leaves_max, uint32_t shape, uint32_t missing) {
    ride_forest_tree *tree = &w->trees[number];
    const uint32_t first = number == 0 ? 0 : w->trees[number - 1].nodes_first + w->trees[number - 1].nodes_count;
    ride_forest_node *nodes = w->nodes + first;
    uint32_t depth[127] = {0}, tail = 1, inner = 0;
    *tree = (ride_forest_tree){.nodes_first = first};
    for (uint32_t i = 0; i < tail; i++) {
        const bool last_of_level = i + 1 == tail || depth[i + 1] != depth[i];
        bool splits = inner + 1 < leaves_max;
        if (shape == 1 && !(last_of_level && tail == i + 1)) splits = splits && below(w, 3) != 0;
        if (shape == 2) splits = splits && last_of_level;
        if (depth[i] > tree->depth) tree->depth = depth[i];
        if (!splits) {
            nodes[i] = (ride_forest_node){.u.leaf = (double)odd_float(w), .input = RIDE_NODE_LEAF};
            if (!isfinite(nodes[i].u.leaf)) nodes[i].u.leaf = 1.25;
            continue;
        }
        const uint32_t input = below(w, w->header.inputs_count);
        const uint32_t left = missing == 2 ? below(w, 2) : missing;
        nodes[i] = (ride_forest_node){.u.threshold = (double)w->thresholds[input][below(w, w->thresholds_count[input])],
                                      .input = input | (left ? RIDE_NODE_DEFAULT_LEFT : 0),
                                      .left = tail};
        inner++;
        depth[tail] = depth[tail + 1] = depth[i] + 1;
        tail += 2;
    }
    tree->nodes_count = tail;
    w->header.nodes_count = first + tail;
}

static wood *plant(uint64_t seed) {
    wood *w = calloc(1, sizeof *w);
    cr_assert_not_null(w);
    w->random = seed * 2 + 1;
    for (int i = 0; i < 4; i++) draw(w);
    const uint32_t trees = 1 + below(w, TREES_MAX), inputs = 1 + below(w, INPUTS_MAX), missing = below(w, 3);
    w->header = (ride_forest_header){.forest_version = RIDE_FOREST_VERSION,
                                     .forests_count = 1,
                                     .trees_count = trees,
                                     .inputs_count = inputs,
                                     .outputs_count = 1,
                                     .input_number = RIDE_FOREST_F32,
                                     .sum_number = RIDE_FOREST_F32,
                                     .link = RIDE_FOREST_LINK_NONE};
    for (uint32_t i = 0; i < inputs; i++) {
        const uint32_t most = below(w, 3) == 0 ? THRESHOLDS_MAX : 20;
        w->thresholds_count[i] = 1 + below(w, most);
        for (uint32_t k = 0; k < w->thresholds_count[i]; k++) w->thresholds[i][k] = odd_float(w);
    }
    const uint32_t shape = below(w, 4);
    for (uint32_t t = 0; t < trees; t++)
        grow(w, t, 1 + below(w, RIDE_PLANES_LEAVES_MAX), shape < 3 ? shape : below(w, 3), missing);
    if (below(w, 2)) grow(w, trees - 1, RIDE_PLANES_LEAVES_MAX, 0, missing);
    for (uint32_t t = 0; t < trees; t++)
        if (w->trees[t].depth > w->header.depth_max) w->header.depth_max = w->trees[t].depth;
    w->base = (double)odd_float(w);
    if (!isfinite(w->base)) w->base = 0.5;
    w->forest = (ride_forest){&w->header, &w->base, w->trees, w->nodes, NULL, NULL};
    return w;
}

/* What decides: thresholds, their neighbours, missing values. */
static float value(wood *w, uint32_t input) {
    const float t = w->thresholds[input][below(w, w->thresholds_count[input])];
    switch (below(w, 8)) {
    case 0: return NAN;
    case 1: return nextafterf(t, INFINITY);
    case 2: return nextafterf(t, -INFINITY);
    case 3: return odd_float(w);
    case 4: return -NAN;
    default: return t;
    }
}

static void compare(wood *w, const ride_planes *planes, ride_planes_way way, uint32_t rows_count, const float *rows,
                    const double *want) {
    const uint32_t *inputs, count = ride_planes_inputs(planes, &inputs);
    float *x = aligned_alloc(64, (count + 1) * RIDE_PLANES_ROWS * sizeof *x);
    void *scratch = aligned_alloc(64, ride_planes_scratch_bytes(planes));
    double *margins = malloc(rows_count * sizeof *margins); /* exact: a sanitizer sees one too many */
    cr_assert(x != NULL && scratch != NULL && margins != NULL);
    for (uint32_t i = 0; i < (count + 1) * RIDE_PLANES_ROWS; i++) x[i] = NAN;
    memset(scratch, 0x5a, ride_planes_scratch_bytes(planes));
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t r = 0; r < rows_count; r++) x[i * RIDE_PLANES_ROWS + r] = rows[r * INPUTS_MAX + inputs[i]];
    ride_planes_rows(planes, way, scratch, x, RIDE_PLANES_ROWS, rows_count, margins);
    for (uint32_t r = 0; r < rows_count; r++)
        cr_assert(memcmp(&margins[r], &want[r], sizeof *want) == 0, "way %d, %u trees, row %u of %u: %.9g, not %.9g",
                  way, w->header.trees_count, r, rows_count, margins[r], want[r]);
    free(x);
    free(scratch);
    free(margins);
}

/* Rows that the wood makes, in blocks of the sizes; NULL: of every size. */
static void check_sizes(wood *w, ride_cpu_isa isa, ride_planes_way way, const uint32_t *sizes, size_t sizes_count) {
    static float rows[RIDE_PLANES_ROWS * INPUTS_MAX];
    static double want[RIDE_PLANES_ROWS];
    ride_planes *planes = NULL;
    ride_error err;
    cr_assert_eq(ride_planes_create(&w->forest, isa, &planes, &err), RIDE_OK);
    cr_assert_not_null(planes);
    for (uint32_t r = 0; r < RIDE_PLANES_ROWS; r++) {
        double x[INPUTS_MAX];
        for (uint32_t i = 0; i < w->header.inputs_count; i++) x[i] = (double)(rows[r * INPUTS_MAX + i] = value(w, i));
        ride_forest_row(&w->forest, x, 1, &want[r]);
    }
    for (size_t s = 0; s < (sizes != NULL ? sizes_count : RIDE_PLANES_ROWS); s++)
        compare(w, planes, way, sizes != NULL ? sizes[s] : (uint32_t)s + 1, rows, want);
    ride_planes_destroy(planes);
}

/* A forest over one input that asks for each of `count` thresholds: a full tree searches 63 of them, so that the leaf is the rank.
 * both: every tree twice, and the second sends missing values the other way. */
static wood *rank_forest(uint64_t seed, uint32_t count, bool both) {
    wood *w = calloc(1, sizeof *w);
    cr_assert_not_null(w);
    w->random = seed * 2 + 1;
    for (int i = 0; i < 4; i++) draw(w);
    const uint32_t spans = (count + 62) / 63, trees = both ? 2 * spans : spans;
    w->header = (ride_forest_header){.forest_version = RIDE_FOREST_VERSION,
                                     .forests_count = 1,
                                     .trees_count = trees,
                                     .nodes_count = trees * 127,
                                     .inputs_count = 1,
                                     .outputs_count = 1,
                                     .depth_max = 6,
                                     .input_number = RIDE_FOREST_F32,
                                     .sum_number = RIDE_FOREST_F32,
                                     .link = RIDE_FOREST_LINK_NONE};
    w->thresholds_count[0] = count;
    float at = below(w, 2) ? -(float)below(w, 100) : -INFINITY; /* some begin with -infinity, most have a zero */
    for (uint32_t k = 0; k < count; k++) {
        w->thresholds[0][k] = at;
        const float next = at + (float)(1 + below(w, 3)) / 4;
        at = at == -INFINITY ? -3.4e38f : at == -3.4e38f ? -1e-42f : at < 0 && next > 0 ? 0 : next;
    }
    for (uint32_t t = 0; t < trees; t++) {
        ride_forest_node *nodes = w->nodes + 127 * (size_t)t;
        const uint32_t first = t % spans * 63;
        w->trees[t] = (ride_forest_tree){.nodes_first = 127 * t, .nodes_count = 127, .depth = 6};
        for (uint32_t i = 0, level = 1, depth = 0; i < 127; i++) {
            if (i == 2 * level - 1) level *= 2, depth++;
            if (depth == 6) {
                nodes[i] =
                    (ride_forest_node){.u.leaf = (double)(float)(t * 64 + i - 63 + 1) / 8, .input = RIDE_NODE_LEAF};
                continue;
            }
            const uint32_t k = first + (2 * (i - (level - 1)) + 1) * (32 / level) - 1;
            const bool left = (k % 3 == seed % 3) != (t >= spans);
            nodes[i] = (ride_forest_node){.u.threshold = (double)w->thresholds[0][k < count ? k : count - 1],
                                          .input = left ? RIDE_NODE_DEFAULT_LEFT : 0,
                                          .left = 2 * i + 1};
        }
    }
    w->forest = (ride_forest){&w->header, &w->base, w->trees, w->nodes, NULL, NULL};
    return w;
}

typedef struct variant {
    ride_cpu_isa isa;
    ride_planes_way way;
    const char *needs;
} variant;
static const variant wide_avx2 = {RIDE_CPU_AVX2, RIDE_PLANES_WIDE, "AVX2"},
                     narrow_avx512 = {RIDE_CPU_AVX512, RIDE_PLANES_NARROW, "AVX-512"},
                     wide_avx512 = {RIDE_CPU_AVX512_BYTES, RIDE_PLANES_WIDE, "AVX-512 with VBMI and GFNI"};

static void check_all(variant v) {
    if (ride_cpu_isa_best() < v.isa) cr_skip_test("this machine has no %s", v.needs);
    const uint32_t sizes[] = {1, 7, 64, 65, 255, 256, 257, 511, RIDE_PLANES_ROWS};
    for (uint64_t seed = 1; seed <= 300; seed++) {
        wood *w = plant(seed);
        check_sizes(w, v.isa, v.way, sizes, sizeof sizes / sizeof *sizes);
        free(w);
    }
    for (uint64_t seed = 301; seed <= 306; seed++) {
        wood *w = plant(seed);
        check_sizes(w, v.isa, v.way, NULL, 0);
        free(w);
    }
    static const uint32_t counts[] = {1,   2,   3,   7,   8,   9,   15,  16,  17,  31,
                                      32,  33,  40,  63,  64,  65,  96,  127, 128, 129,
                                      200, 247, 254, 255, 256, 257, 509, 510, 511, THRESHOLDS_MAX};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (uint64_t seed = 0; seed < 6; seed++) {
            wood *w = rank_forest(seed, counts[c], seed % 2 == 0);
            for (int again = 0; again < 8; again++) check_sizes(w, v.isa, v.way, &sizes[8], 1);
            free(w);
        }
}

Test(planes, wide_avx2) { check_all(wide_avx2); }
Test(planes, narrow_avx512) { check_all(narrow_avx512); }
Test(planes, wide_avx512) { check_all(wide_avx512); }

static void need_avx2(void) {
    if (ride_cpu_isa_best() < RIDE_CPU_AVX2) cr_skip_test("this machine has no AVX2");
}

static bool takes(const wood *w) {
    ride_planes *planes = NULL;
    ride_error err;
    cr_assert_eq(ride_planes_create(&w->forest, RIDE_CPU_AVX2, &planes, &err), RIDE_OK);
    const bool taken = planes != NULL;
    ride_planes_destroy(planes);
    return taken;
}

Test(planes, what_they_do_not_take_is_left_to_the_walk) {
    need_avx2();
    wood *w = plant(3);
    cr_assert(takes(w));
    w->header.sum_number = RIDE_FOREST_F64;
    cr_assert(!takes(w));
    w->header.sum_number = RIDE_FOREST_F32;
    w->header.outputs_count = 2;
    cr_assert(!takes(w));
    w->header.outputs_count = 1;
    w->nodes[0].u.threshold = 0.1; /* no float */
    cr_assert(!takes(w));
    free(w);
}

Test(planes, few_rows_are_walked_and_many_are_not) {
    need_avx2();
    wood *w = plant(11);
    ride_planes *planes = NULL;
    ride_error err;
    cr_assert_eq(ride_planes_create(&w->forest, ride_cpu_isa_best(), &planes, &err), RIDE_OK);
    cr_assert_not_null(planes);
    cr_assert_eq(ride_planes_choose(planes, 1), RIDE_PLANES_NONE);
    cr_assert_neq(ride_planes_choose(planes, RIDE_PLANES_ROWS), RIDE_PLANES_NONE);
    ride_planes_destroy(planes);
    free(w);
}
