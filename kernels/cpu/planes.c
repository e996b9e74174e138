/* kernels/cpu/planes.c: the conditions of a forest, each once, sorted into columns and sets; and what the kernels cost. */
#include "kernels/cpu/planes_internal.h"

#include "base/assert.h"

#include <math.h>
#include <string.h>

/* Kernels that no machine of this architecture has: is_usable says so. */
#define NO_KERNEL(name)                                                                                                \
    void name(const ride_planes *p, void *scratch, const float *x, uint32_t stride, uint32_t rows_count,               \
              double *margins) {                                                                                       \
        (void)p, (void)scratch, (void)x, (void)stride, (void)rows_count, (void)margins;                                \
    }                                                                                                                  \
    void name##_places(const ride_planes *p, void *scratch, const float *x, uint32_t stride, uint32_t rows_count,      \
                       uint8_t *places) {                                                                              \
        (void)p, (void)scratch, (void)x, (void)stride, (void)rows_count, (void)places;                                 \
    }                                                                                                                  \
    size_t name##_scratch_bytes(const ride_planes *p) { return (void)p, 0; }                                           \
    void name##_prepare(ride_planes *p) { (void)p; }
#if !defined(__x86_64__)
NO_KERNEL(planes_narrow)
NO_KERNEL(planes_wide)
NO_KERNEL(planes_half)
NO_KERNEL(planes_slim)
NO_KERNEL(planes_wide_avx2)
#endif
#if !defined(__aarch64__)
NO_KERNEL(planes_wide_neon)
#endif

/* Conditions whose planes stay in the second cache: 768 KiB of them. */
static bool fits(const ride_planes *p, uint32_t rows) {
    return (uint64_t)p->planes_count * rows / 8 <= RIDE_PLANES_BYTES;
}
enum { PLANES_MOST = RIDE_PLANES_BYTES / (PLANES_SLIM_ROWS / 8) };

static bool has_narrow(const ride_planes *p) { return p->isa >= RIDE_CPU_AVX512 && p->bits_most == 6; }
static bool has_slim(const ride_planes *p) { return p->isa >= RIDE_CPU_AVX512_BYTES; }
static bool has_half(const ride_planes *p) { return has_slim(p) && fits(p, PLANES_HALF_ROWS); }
static bool has_wide_avx512(const ride_planes *p) { return has_slim(p) && fits(p, RIDE_PLANES_ROWS); }
static bool has_wide_avx2(const ride_planes *p) {
    return (p->isa == RIDE_CPU_AVX2 || p->isa == RIDE_CPU_AVX512) && fits(p, RIDE_PLANES_AVX2_ROWS);
}
static bool has_wide_neon(const ride_planes *p) { return p->isa == RIDE_CPU_NEON; }

/* The wide kernel, if there is one. */
typedef struct wide_kernel {
    planes_kernel *run;
    planes_placer *place;
    uint32_t rows;
    size_t (*scratch_bytes)(const ride_planes *p);
} wide_kernel;
static wide_kernel wide_of(const ride_planes *p) {
    if (has_wide_avx512(p))
        return (wide_kernel){planes_wide, planes_wide_places, RIDE_PLANES_ROWS, planes_wide_scratch_bytes};
    if (has_wide_avx2(p))
        return (wide_kernel){planes_wide_avx2, planes_wide_avx2_places, RIDE_PLANES_AVX2_ROWS,
                             planes_wide_avx2_scratch_bytes};
    if (has_wide_neon(p))
        return (wide_kernel){planes_wide_neon, planes_wide_neon_places, RIDE_PLANES_NEON_ROWS,
                             planes_wide_neon_scratch_bytes};
    return (wide_kernel){NULL, NULL, 0, NULL};
}

bool ride_planes_has(const ride_planes *p, ride_planes_way way) {
    switch (way) {
    case RIDE_PLANES_WIDE: return wide_of(p).run != NULL;
    case RIDE_PLANES_HALF: return has_half(p);
    case RIDE_PLANES_SLIM: return has_slim(p);
    case RIDE_PLANES_ROW: return p->row != NULL;
    default: return has_narrow(p);
    }
}

/* ---- what is suited ---- */

static bool is_float(double x) { return (double)(float)x == x; }

static const char *node_unsuited(const ride_forest *forest, const ride_forest_node *node) {
    if (node->input & RIDE_NODE_LEAF)
        return forest->header->sum_number == RIDE_FOREST_F64 || is_float(node->u.leaf) ? NULL : "a leaf is no float";
    if (node->input & RIDE_NODE_SET)
        return node->u.set.words_count <= PLANES_SET_WORDS ? NULL : "a category set of more than 480 categories";
    return (node->input & RIDE_NODE_ONLY_MISSING) || is_float(node->u.threshold) ? NULL : "a threshold is no float";
}

/* What keeps a forest from planes; NULL = nothing. */
static const char *unsuited(const ride_forest *forest) {
    const ride_forest_header *h = forest->header;
    const char *why = NULL;
    if (h->trees_count == 0 || h->aggregate != RIDE_FOREST_SUM) return "its leaves are not added";
    for (uint32_t o = 0; o < h->outputs_count; o++)
        if (h->sum_number == RIDE_FOREST_F32 && !is_float(forest->base_margins[o])) return "a base margin is no float";
    for (uint32_t t = 0; t < h->trees_count; t++)
        if (forest->trees[t].nodes_count > 2 * RIDE_PLANES_LEAVES_MAX - 1) return "a tree of more than 256 leaves";
    for (uint32_t i = 0; i < h->nodes_count && why == NULL; i++) why = node_unsuited(forest, &forest->nodes[i]);
    return why;
}

/* Whole leaves, whose sums of any trees fit: isolation forests. */
static planes_sum sum_of(const ride_forest *forest) {
    const ride_forest_header *h = forest->header;
    if (h->sum_number == RIDE_FOREST_F32) return PLANES_F32;
    double total = 0;
    for (uint32_t t = 0; t < h->trees_count; t++) {
        double most = 0;
        for (uint32_t i = 0; i < forest->trees[t].nodes_count; i++) {
            const ride_forest_node *node = &forest->nodes[forest->trees[t].nodes_first + i];
            if ((node->input & RIDE_NODE_LEAF) == 0) continue;
            if (node->u.leaf != nearbyint(node->u.leaf) || (node->u.leaf == 0 && signbit(node->u.leaf)))
                return PLANES_F64;
            if (fabs(node->u.leaf) > most) most = fabs(node->u.leaf);
        }
        total += most;
    }
    for (uint32_t o = 0; o < h->outputs_count && (h->flags & RIDE_FOREST_BASE_LAST) == 0; o++)
        if (forest->base_margins[o] != 0 || signbit(forest->base_margins[o])) return PLANES_F64;
    return total < 2147483647.0 ? PLANES_WHOLE : PLANES_F64;
}

/* ---- conditions ---- */

/* One numeric inner node. */
typedef struct condition {
    float threshold; /* +infinity, and alone: asks only whether the value is missing */
    uint32_t x, node;
    bool nan_right, zero_missing, alone;
} condition;

static int compare(const void *a, const void *b) {
    const condition *l = a, *r = b;
    if (l->x != r->x) return l->x < r->x ? -1 : 1;
    if (l->zero_missing != r->zero_missing) return (int)l->zero_missing - (int)r->zero_missing;
    if (l->alone != r->alone) return (int)l->alone - (int)r->alone;
    if (l->threshold != r->threshold) return l->threshold < r->threshold ? -1 : 1;
    return (int)l->nan_right - (int)r->nan_right;
}

/* A category test: its table says all. */
typedef struct category_test {
    uint32_t x, from_minus_1, node;
    uint8_t table[PLANES_SET_BYTES];
} category_test;

static int compare_tests(const void *a, const void *b) {
    const category_test *l = a, *r = b;
    if (l->x != r->x) return l->x < r->x ? -1 : 1;
    if (l->from_minus_1 != r->from_minus_1) return (int)l->from_minus_1 - (int)r->from_minus_1;
    return memcmp(l->table, r->table, sizeof l->table);
}

static void table_make(const ride_forest *forest, const ride_forest_node *node, uint8_t table[PLANES_SET_BYTES]) {
    const bool member_right = (node->input & RIDE_NODE_SET_LEFT) == 0;
    memset(table, member_right ? 0 : 0xff, PLANES_SET_BYTES);
    for (uint32_t c = 0; c < 32 * node->u.set.words_count; c++)
        if (forest->category_words[node->u.set.words_first + c / 32] >> (c % 32) & 1) {
            const uint8_t bit = (uint8_t)(1u << (c % 8));
            table[c / 8] = (uint8_t)(member_right ? table[c / 8] | bit : table[c / 8] & ~bit);
        }
    table[PLANES_SET_MISSING] = (node->input & RIDE_NODE_DEFAULT_LEFT) ? 0 : 0xff;
}

static void *lines(size_t bytes) { return aligned_alloc(64, (bytes + 64) / 64 * 64); }

static bool is_same_column(const condition *a, const condition *b) {
    return a->x == b->x && a->zero_missing == b->zero_missing;
}

/* A run of sorted conditions of one input, with at most 255 thresholds, becomes a column. Returns its end. */
static uint32_t column_make(ride_planes *p, const condition *all, uint32_t at, uint32_t count, uint32_t *plane_of) {
    planes_column *column = &p->columns[p->columns_count++];
    uint32_t rights = 0, end = at;
    *column = (planes_column){.x = all[at].x,
                              .thresholds_first = p->thresholds_count,
                              .plane_first = p->planes_count,
                              .others_first = p->others_count,
                              .zero_missing = all[at].zero_missing};
    for (; end < count && is_same_column(&all[end], &all[at]) && !all[end].alone; end++) {
        const bool same = end > at && all[end].threshold == all[end - 1].threshold;
        if (!same && column->thresholds_count == PLANES_RANKS) break;
        if (!same) p->thresholds[column->thresholds_first + column->thresholds_count++] = all[end].threshold;
        rights += all[end].nan_right;
    }
    p->thresholds_count += column->thresholds_count;
    p->planes_count += column->thresholds_count;
    column->nan_right = 2 * rights > end - at;
    for (uint32_t i = at, k = 0; i < end; i++) {
        if (i > at && all[i].threshold != all[i - 1].threshold) k++;
        if (all[i].nan_right == column->nan_right) {
            plane_of[all[i].node] = column->plane_first + k;
            continue;
        }
        const planes_other *last = &p->others[p->others_count - (column->others_count > 0)];
        if (column->others_count == 0 || last->threshold != k) {
            p->others[p->others_count++] = (planes_other){k, p->planes_count++};
            column->others_count++;
        }
        plane_of[all[i].node] = p->others[p->others_count - 1].plane;
    }
    for (uint32_t alone = PLANE_LEFT; end < count && is_same_column(&all[end], &all[at]) && all[end].alone; end++) {
        if (!all[end].nan_right) { /* everything goes left */
            plane_of[all[end].node] = PLANE_LEFT;
            continue;
        }
        if (alone == PLANE_LEFT) {
            alone = p->planes_count++;
            p->others[p->others_count++] = (planes_other){PLANES_ALONE, alone};
            column->others_count++;
        }
        plane_of[all[end].node] = alone;
    }
    return end;
}

static void sets_make(ride_planes *p, const category_test *all, uint32_t count, uint32_t *plane_of) {
    p->sets_plane = p->planes_count;
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || all[i].x != all[i - 1].x || all[i].from_minus_1 != all[i - 1].from_minus_1)
            p->codes[p->codes_count++] =
                (planes_codes){.x = all[i].x, .from_minus_1 = all[i].from_minus_1, .sets_first = p->sets_count};
        if (i == 0 || compare_tests(&all[i], &all[i - 1]) != 0) {
            memcpy(p->sets[p->sets_count++], all[i].table, PLANES_SET_BYTES);
            p->codes[p->codes_count - 1].sets_count++;
        }
        plane_of[all[i].node] = p->sets_plane + p->sets_count - 1;
    }
    p->planes_count += p->sets_count;
}

static ride_status conditions_make(ride_planes *p, const ride_forest *forest, const uint32_t *x_of, uint32_t *plane_of,
                                   ride_error *err) {
    const ride_forest_header *h = forest->header;
    uint32_t count = 0, tests_count = 0, tests_most = 0;
    for (uint32_t i = 0; i < h->nodes_count; i++) tests_most += (forest->nodes[i].input & RIDE_NODE_SET) != 0;
    condition *all = malloc(((size_t)h->nodes_count + 1) * sizeof *all);
    category_test *tests = malloc(((size_t)tests_most + 1) * sizeof *tests);
    const size_t most = (size_t)h->nodes_count / 2 + 1;
    p->columns = malloc(most * sizeof *p->columns);
    p->others = malloc(most * sizeof *p->others);
    p->codes = malloc(((size_t)tests_most + 1) * sizeof *p->codes);
    p->sets = lines(((size_t)tests_most + 1) * sizeof *p->sets);
    p->thresholds = malloc(most * sizeof *p->thresholds);
    if (all == NULL || tests == NULL || p->columns == NULL || p->others == NULL || p->codes == NULL ||
        p->sets == NULL || p->thresholds == NULL) {
        free(all);
        free(tests);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for the conditions of %u nodes", h->nodes_count);
    }
    for (uint32_t i = 0; i < h->nodes_count; i++) {
        const ride_forest_node *node = &forest->nodes[i];
        if (node->input & RIDE_NODE_LEAF) continue;
        const uint32_t x = x_of[node->input & RIDE_NODE_INPUT_MASK];
        if (node->input & RIDE_NODE_SET) {
            category_test *test = &tests[tests_count++];
            *test = (category_test){.x = x, .from_minus_1 = (node->input & RIDE_NODE_SET_FROM_MINUS_1) != 0, .node = i};
            table_make(forest, node, test->table);
            continue;
        }
        const bool alone = (node->input & RIDE_NODE_ONLY_MISSING) != 0;
        all[count++] = (condition){.threshold = alone ? INFINITY : (float)node->u.threshold,
                                   .x = x,
                                   .node = i,
                                   .nan_right = (node->input & RIDE_NODE_DEFAULT_LEFT) == 0,
                                   .zero_missing = (node->input & RIDE_NODE_ZERO_MISSING) != 0,
                                   .alone = alone};
    }
    qsort(all, count, sizeof *all, compare);
    qsort(tests, tests_count, sizeof *tests, compare_tests);
    p->planes_count = PLANE_FIRST;
    for (uint32_t at = 0; at < count;) at = column_make(p, all, at, count, plane_of);
    sets_make(p, tests, tests_count, plane_of);
    free(all);
    free(tests);
    return RIDE_OK;
}

/* ---- making ---- */

/* Trees by output, those of one in their own order. */
static void order_make(ride_planes *p, const ride_forest *forest, uint32_t *order) {
    for (uint32_t o = 0; o < p->outputs_count; o++) {
        p->outputs[o].base = p->base_last ? 0.0 : forest->base_margins[o];
        p->outputs[o].last = forest->base_margins[o];
        for (uint32_t t = 0; t < forest->header->trees_count; t++)
            if (forest->trees[t].output == o) order[p->trees_count++] = t, p->outputs[o].trees_count++;
    }
}

static ride_status finish(ride_planes *p, const ride_forest *forest, const uint32_t *plane_of, uint8_t *places_out,
                          ride_error *err) {
    uint32_t *order = malloc(forest->header->trees_count * sizeof *order);
    uint8_t *places = calloc(forest->header->nodes_count, 1);
    p->outputs_count = forest->header->outputs_count;
    p->outputs = calloc(p->outputs_count, sizeof *p->outputs);
    p->pivots = lines((size_t)p->columns_count * PLANES_PIVOTS * sizeof *p->pivots);
    ride_status st = order != NULL && places != NULL && p->outputs != NULL && p->pivots != NULL
                         ? RIDE_OK
                         : ride_fail(err, RIDE_E_MEMORY, "no memory for a forest's planes");
    if (st == RIDE_OK) {
        order_make(p, forest, order);
        st = planes_trees_make(p, forest, order, plane_of, places, err);
    }
    if (st == RIDE_OK) st = planes_leaves_make(p, forest, order, places, err);
    if (st == RIDE_OK) st = planes_row_make(p, forest, order, plane_of, err);
    if (st == RIDE_OK && has_slim(p)) planes_wide_prepare(p), planes_half_prepare(p), planes_slim_prepare(p);
    if (st == RIDE_OK && has_wide_avx2(p)) planes_wide_avx2_prepare(p);
    if (st == RIDE_OK && has_wide_neon(p)) planes_wide_neon_prepare(p);
    if (st == RIDE_OK && places_out != NULL) memcpy(places_out, places, forest->header->nodes_count);
    free(order);
    free(places);
    return st;
}

static bool is_usable(const ride_planes *p) { return wide_of(p).run != NULL || has_slim(p) || has_narrow(p); }

ride_status ride_planes_create(const ride_forest *forest, const uint32_t *inputs, uint32_t inputs_count,
                               ride_cpu_isa isa, uint8_t *places, ride_planes **out, const char **why,
                               ride_error *err) {
    const ride_forest_header *h = forest->header;
    *out = NULL;
    *why = isa == RIDE_CPU_PORTABLE ? "the machine has neither AVX2 nor NEON" : unsuited(forest);
    if (*why != NULL) return RIDE_OK;
    ride_planes *p = calloc(1, sizeof *p);
    uint32_t *plane_of = calloc((size_t)h->nodes_count + 1, sizeof *plane_of);
    uint32_t *x_of = calloc((size_t)h->inputs_count + 1, sizeof *x_of);
    ride_status st = p != NULL && plane_of != NULL && x_of != NULL
                         ? RIDE_OK
                         : ride_fail(err, RIDE_E_MEMORY, "no memory for a forest's planes");
    if (st == RIDE_OK) {
        for (uint32_t i = 0; i < inputs_count; i++) x_of[inputs[i]] = i;
        p->isa = isa;
        p->inputs_count = inputs_count;
        p->sum = sum_of(forest);
        p->base_last = (h->flags & RIDE_FOREST_BASE_LAST) != 0;
        st = conditions_make(p, forest, x_of, plane_of, err);
    }
    const bool fits = st == RIDE_OK && p->planes_count <= PLANES_MOST;
    if (fits) st = finish(p, forest, plane_of, places, err);
    free(plane_of);
    free(x_of);
    if (st == RIDE_OK && fits && is_usable(p)) {
        *out = p;
        return RIDE_OK;
    }
    *why = fits ? "the machine has no variant for its trees" : "more conditions than fit the second cache";
    ride_planes_destroy(p);
    return st;
}

void ride_planes_destroy(ride_planes *p) {
    if (p == NULL) return;
    free(p->columns);
    free(p->others);
    free(p->codes);
    free(p->sets);
    free(p->thresholds);
    free(p->pivots);
    free(p->trees);
    free(p->ops);
    free(p->heaps);
    free(p->leaves);
    free(p->byte_leaves);
    free(p->groups);
    free(p->outputs);
    planes_row_destroy(p->row);
    free(p);
}

size_t ride_planes_scratch_bytes(const ride_planes *p) {
    size_t most = p->inputs_count * sizeof(float);
    const size_t narrow = has_narrow(p) ? planes_narrow_scratch_bytes(p) : 0;
    const wide_kernel kernel = wide_of(p);
    const size_t wide = kernel.run != NULL ? kernel.scratch_bytes(p)
                        : has_half(p)      ? planes_half_scratch_bytes(p)
                        : has_slim(p)      ? planes_slim_scratch_bytes(p)
                                           : 0;
    if (narrow > most) most = narrow;
    if (wide > most) most = wide;
    return (most + 63) / 64 * 64;
}

ride_planes_figures ride_planes_tell(const ride_planes *p) {
    return (ride_planes_figures){
        .conditions = p->planes_count - PLANE_FIRST,
        .selections = p->ops_count,
        .heap_planes = p->heaps_count,
        .leaf_bits = p->bits_most,
        .bytes = sizeof *p + p->columns_count * sizeof *p->columns + p->others_count * sizeof *p->others +
                 p->codes_count * sizeof *p->codes + p->sets_count * sizeof *p->sets +
                 p->thresholds_count * sizeof *p->thresholds + p->columns_count * sizeof *p->pivots * PLANES_PIVOTS +
                 p->trees_count * sizeof *p->trees + p->ops_count * sizeof *p->ops + p->heaps_count * sizeof *p->heaps +
                 p->leaves_bytes * (p->byte_leaves != NULL ? 2 : 1) + p->groups_count * sizeof *p->groups +
                 (p->row != NULL ? sizeof *p->row + p->row->bytes : 0),
    };
}

/* ---- costs: cycles, as measured on Zen 5 with AVX-512 and on Zen 3 without; bench/bench_forest.c prints them again ---- */

static uint64_t leaf_cost(const ride_planes *p) { return (p->sum == PLANES_F64 ? 2u : 1u) * (p->bits_most - 5u); }

uint64_t ride_planes_cost(const ride_planes *p, ride_planes_way way, uint32_t rows_count) {
    const uint64_t columns = p->columns_count + p->codes_count, planes = p->planes_count, trees = p->trees_count,
                   tree_planes = (uint64_t)p->tree_costs;
    if (way == RIDE_PLANES_ROW)
        return rows_count * (columns * (p->isa < RIDE_CPU_AVX512_BYTES ? 12 : 8) + p->sets_count + p->row->count);
    if (way == RIDE_PLANES_NARROW) {
        const uint64_t blocks = (rows_count + RIDE_PLANES_NARROW_ROWS - 1) / RIDE_PLANES_NARROW_ROWS;
        return blocks * (planes * 6 + tree_planes * 3 + trees * (uint64_t)(p->sum == PLANES_F64 ? 80 : 40));
    }
    if (way == RIDE_PLANES_SLIM) {
        const uint64_t blocks = (rows_count + PLANES_SLIM_ROWS - 1) / PLANES_SLIM_ROWS;
        return blocks * (columns * 250 + planes * 3 / 2 + tree_planes + trees * (20 + 20 * leaf_cost(p)));
    }
    if (way == RIDE_PLANES_HALF) {
        const uint64_t blocks = (rows_count + PLANES_HALF_ROWS - 1) / PLANES_HALF_ROWS, groups = (rows_count + 63) / 64;
        return groups * columns * 90 +
               blocks * (columns * 200 + planes * 5 / 3 + tree_planes * 4 / 3 + trees * (20 + 28 * leaf_cost(p)));
    }
    if (has_wide_avx512(p)) {
        const uint64_t groups = (rows_count + 63) / 64;
        return columns * (300 + 90 * groups) + planes * 5 / 2 + tree_planes * 9 / 5 + trees * (30 + 50 * leaf_cost(p));
    }
    if (has_wide_neon(p)) { /* as with AVX2, with registers of half the size: counted, not measured */
        const uint64_t blocks = (rows_count + RIDE_PLANES_NEON_ROWS - 1) / RIDE_PLANES_NEON_ROWS;
        const uint64_t groups = (rows_count + 15) / 16;
        return blocks * (columns * 100 + planes * 2 + tree_planes + trees * 25) +
               groups * (columns * 120 + trees * 12 * leaf_cost(p));
    }
    /* Ranks and sums are made for the groups of 32 rows that there are, the rest for whole blocks. The more planes, the farther away they lie. */
    const uint64_t blocks = (rows_count + RIDE_PLANES_AVX2_ROWS - 1) / RIDE_PLANES_AVX2_ROWS;
    const uint64_t block = columns * 150 + planes * 2 + tree_planes * (130 + planes / 64) / 100 + trees * 25;
    const uint64_t groups = (rows_count + 31) / 32;
    return blocks * block + groups * (columns * 96 + trees * 16 * leaf_cost(p));
}

/* ---- rows ---- */

static void rows_run(const ride_planes *p, float *row, const float *x, uint32_t stride, uint32_t rows_count,
                     double *margins) {
    for (uint32_t r = 0; r < rows_count; r++, margins += p->outputs_count) {
        for (uint32_t i = 0; i < p->inputs_count; i++) row[i] = x[(size_t)i * stride + r];
        p->row->run(p, row, margins);
    }
}

void ride_planes_row(const ride_planes *p, const float *x, double *margins) {
    RIDE_ASSERT(p->row != NULL);
    p->row->run(p, x, margins);
}

uint32_t ride_planes_block(const ride_planes *p, ride_planes_way way) {
    if (way == RIDE_PLANES_NARROW) return RIDE_PLANES_NARROW_ROWS;
    if (way == RIDE_PLANES_SLIM) return PLANES_SLIM_ROWS;
    if (way == RIDE_PLANES_HALF) return PLANES_HALF_ROWS;
    return wide_of(p).rows;
}

const uint16_t *ride_planes_places(const ride_planes *p, ride_planes_way way, void *scratch, const float *x,
                                   uint32_t stride, uint32_t rows_count, uint8_t *places) {
    RIDE_ASSERT(rows_count > 0 && rows_count <= ride_planes_block(p, way) && ride_planes_has(p, way));
    RIDE_ASSERT(way >= RIDE_PLANES_SLIM && p->outputs_count == 1);
    planes_placer *placer = wide_of(p).place;
    if (way == RIDE_PLANES_HALF) placer = planes_half_places;
    if (way == RIDE_PLANES_SLIM) placer = planes_slim_places;
    placer(p, scratch, x, stride, rows_count, places);
    return way == RIDE_PLANES_HALF ? p->place_of_half : way == RIDE_PLANES_SLIM ? p->place_of_slim : p->place_of;
}

void ride_planes_rows(const ride_planes *p, ride_planes_way way, void *scratch, const float *x, uint32_t stride,
                      uint32_t rows_count, double *margins) {
    RIDE_ASSERT(rows_count > 0 && rows_count <= RIDE_PLANES_ROWS && ride_planes_has(p, way));
    if (way == RIDE_PLANES_ROW) {
        rows_run(p, scratch, x, stride, rows_count, margins);
        return;
    }
    planes_kernel *kernel = wide_of(p).run;
    const uint32_t block = ride_planes_block(p, way);
    if (way == RIDE_PLANES_NARROW) kernel = planes_narrow;
    if (way == RIDE_PLANES_HALF) kernel = planes_half;
    if (way == RIDE_PLANES_SLIM) kernel = planes_slim;
    for (uint32_t r = 0; r < rows_count; r += block)
        kernel(p, scratch, x + r, stride, rows_count - r < block ? rows_count - r : block,
               margins + (size_t)r * p->outputs_count);
}
