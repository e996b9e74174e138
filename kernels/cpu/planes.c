/* kernels/cpu/planes.c: the conditions of a forest, each once, sorted into columns; and which kernel is used. */
#include "kernels/cpu/planes_internal.h"

#include "base/assert.h"

#include <math.h>
#include <string.h>

#if !defined(__x86_64__) /* no machine has them: ride_planes_create says so */
void planes_narrow(const ride_planes *p, uint64_t *planes, const float *x, uint32_t stride, uint32_t rows_count,
                   double *margins) {
    (void)p, (void)planes, (void)x, (void)stride, (void)rows_count, (void)margins;
}
void planes_wide(const ride_planes *p, void *scratch, const float *x, uint32_t stride, uint32_t rows_count,
                 double *margins) {
    (void)p, (void)scratch, (void)x, (void)stride, (void)rows_count, (void)margins;
}
size_t planes_wide_scratch_bytes(const ride_planes *p) { return (void)p, 0; }
void planes_wide_prepare(ride_planes *p) { (void)p; }
void planes_wide_avx2(const ride_planes *p, void *scratch, const float *x, uint32_t stride, uint32_t rows_count,
                      double *margins) {
    (void)p, (void)scratch, (void)x, (void)stride, (void)rows_count, (void)margins;
}
size_t planes_wide_avx2_scratch_bytes(const ride_planes *p) { return (void)p, 0; }
void planes_wide_avx2_prepare(ride_planes *p) { (void)p; }
#endif

static bool has_narrow(const ride_planes *p) { return p->isa >= RIDE_CPU_AVX512; }
static bool has_wide_avx512(const ride_planes *p) { return p->isa >= RIDE_CPU_AVX512_BYTES; }
static bool has_wide_avx2(const ride_planes *p) { return p->isa == RIDE_CPU_AVX2; }

bool ride_planes_has(const ride_planes *p, ride_planes_way way) {
    return way == RIDE_PLANES_WIDE ? has_wide_avx512(p) || has_wide_avx2(p)
                                   : way == RIDE_PLANES_NARROW && has_narrow(p);
}

/* One inner node. */
typedef struct condition {
    float threshold;
    uint32_t input, node;
    bool nan_right;
} condition;

static int compare(const void *a, const void *b) {
    const condition *l = a, *r = b;
    if (l->input != r->input) return l->input < r->input ? -1 : 1;
    if (l->threshold != r->threshold) return l->threshold < r->threshold ? -1 : 1;
    return (int)l->nan_right - (int)r->nan_right;
}

static bool is_float(double x) { return (double)(float)x == x; }

static bool is_suited(const ride_forest *forest) {
    const ride_forest_header *h = forest->header;
    if (h->outputs_count != 1 || h->input_number != RIDE_FOREST_F32 || h->sum_number != RIDE_FOREST_F32) return false;
    if ((h->flags & RIDE_FOREST_BASE_LAST) != 0) return false;
    if (h->category_words_count > 0 || h->trees_count == 0 || !is_float(forest->base_margins[0])) return false;
    for (uint32_t t = 0; t < h->trees_count; t++)
        if (forest->trees[t].nodes_count > 2 * RIDE_PLANES_LEAVES_MAX - 1) return false;
    for (uint32_t i = 0; i < h->nodes_count; i++) {
        const ride_forest_node *node = &forest->nodes[i];
        if (node->input & (RIDE_NODE_SET | RIDE_NODE_ZERO_MISSING | RIDE_NODE_ONLY_MISSING)) return false;
        if (!is_float((node->input & RIDE_NODE_LEAF) ? node->u.leaf : node->u.threshold)) return false;
    }
    return true;
}

static void *lines(size_t bytes) { return aligned_alloc(64, (bytes + 64) / 64 * 64); }

/* A run of sorted conditions of one input, with at most 255 thresholds, becomes a column. Returns its end. */
static uint32_t column_make(ride_planes *p, const condition *all, uint32_t at, uint32_t count, uint32_t *plane_of) {
    planes_column *column = &p->columns[p->columns_count++];
    uint32_t rights = 0, end = at;
    *column = (planes_column){.x = p->inputs_count - 1,
                              .thresholds_first = p->thresholds_count,
                              .plane_first = p->planes_count,
                              .others_first = p->others_count};
    for (; end < count && all[end].input == all[at].input; end++) {
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
    return end;
}

static ride_status columns_make(ride_planes *p, const ride_forest *forest, uint32_t *plane_of, ride_error *err) {
    const ride_forest_header *h = forest->header;
    condition *all = malloc((h->nodes_count + 1) * sizeof *all);
    uint32_t count = 0;
    if (all == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for %u conditions", h->nodes_count);
    for (uint32_t i = 0; i < h->nodes_count; i++) {
        const ride_forest_node *node = &forest->nodes[i];
        if (node->input & RIDE_NODE_LEAF) continue;
        all[count++] = (condition){(float)node->u.threshold, node->input & RIDE_NODE_INPUT_MASK, i,
                                   (node->input & RIDE_NODE_DEFAULT_LEFT) == 0};
    }
    qsort(all, count, sizeof *all, compare);
    const size_t most = (size_t)count + 1;
    p->inputs = malloc(most * sizeof *p->inputs);
    p->columns = malloc(most * sizeof *p->columns);
    p->others = malloc(most * sizeof *p->others);
    p->thresholds = malloc(most * sizeof *p->thresholds);
    if (p->inputs == NULL || p->columns == NULL || p->others == NULL || p->thresholds == NULL) {
        free(all);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for %u conditions", count);
    }
    p->planes_count = PLANE_FIRST;
    for (uint32_t at = 0; at < count;) {
        if (at == 0 || all[at].input != all[at - 1].input) p->inputs[p->inputs_count++] = all[at].input;
        at = column_make(p, all, at, count, plane_of);
    }
    free(all);
    return RIDE_OK;
}

static ride_status make(ride_planes *p, const ride_forest *forest, ride_error *err) {
    uint32_t *plane_of = calloc(forest->header->nodes_count + 1, sizeof *plane_of);
    ride_status st = plane_of != NULL ? columns_make(p, forest, plane_of, err)
                                      : ride_fail(err, RIDE_E_MEMORY, "no memory for a forest's planes");
    if (st == RIDE_OK && p->planes_count <= RIDE_PLANES_MAX) {
        p->trees_count = forest->header->trees_count;
        p->leaves = lines(p->trees_count * sizeof *p->leaves);
        p->pivots = lines((size_t)p->columns_count * PLANES_PIVOTS * sizeof *p->pivots);
        if (p->leaves == NULL || p->pivots == NULL)
            st = ride_fail(err, RIDE_E_MEMORY, "no memory for a forest's leaves");
        if (st == RIDE_OK) st = planes_trees_make(p, forest, plane_of, err);
        if (st == RIDE_OK && has_wide_avx512(p)) planes_wide_prepare(p);
        if (st == RIDE_OK && has_wide_avx2(p)) planes_wide_avx2_prepare(p);
    }
    free(plane_of);
    return st;
}

ride_status ride_planes_create(const ride_forest *forest, ride_cpu_isa isa, ride_planes **out, ride_error *err) {
    *out = NULL;
    if (isa < RIDE_CPU_AVX2 || !is_suited(forest)) return RIDE_OK;
    ride_planes *p = calloc(1, sizeof *p);
    if (p == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a forest's planes");
    p->isa = isa;
    p->base = (float)forest->base_margins[0];
    for (uint32_t t = 0; t < forest->header->trees_count; t++) p->walk_steps += forest->trees[t].depth;
    ride_status st = make(p, forest, err);
    if (st == RIDE_OK && p->planes_count <= RIDE_PLANES_MAX) {
        *out = p;
        return RIDE_OK;
    }
    ride_planes_destroy(p);
    return st;
}

void ride_planes_destroy(ride_planes *p) {
    if (p == NULL) return;
    free(p->inputs);
    free(p->columns);
    free(p->others);
    free(p->thresholds);
    free(p->pivots);
    free(p->trees);
    free(p->ops);
    free(p->heaps);
    free(p->leaves);
    free(p);
}

uint32_t ride_planes_inputs(const ride_planes *p, const uint32_t **inputs) {
    *inputs = p->inputs;
    return p->inputs_count;
}

size_t ride_planes_scratch_bytes(const ride_planes *p) {
    size_t most = 0;
    if (has_narrow(p)) most = (size_t)(p->planes_count + p->ops_most) * sizeof(uint64_t);
    const size_t wide = has_wide_avx512(p) ? planes_wide_scratch_bytes(p)
                        : has_wide_avx2(p) ? planes_wide_avx2_scratch_bytes(p)
                                           : 0;
    return ((most > wide ? most : wide) + 63) / 64 * 64;
}

/* ---- costs: cycles, as measured on Zen 4 with AVX-512 and on Zen 3 without; bench/bench_forest.c prints them again ---- */

static uint64_t heaps_of(const ride_planes *p) { return p->heaps_count / (PLANES_HEAP + 1); }

/* Selections of the trees that the wide kernels run as lists. */
static uint64_t list_ops(const ride_planes *p) {
    const uint64_t of_heaps = heaps_of(p) * 57;
    return p->ops_count - (of_heaps < p->ops_count ? of_heaps : p->ops_count);
}

static uint64_t walk_cost(const ride_planes *p, uint32_t rows_count) {
    const uint64_t row_steps = (uint64_t)p->walk_steps * rows_count;
    return row_steps * (rows_count < 8 ? 12 : has_narrow(p) ? 5 : 8);
}

static uint64_t narrow_cost(const ride_planes *p, uint32_t rows_count) {
    const uint64_t blocks = (rows_count + RIDE_PLANES_NARROW_ROWS - 1) / RIDE_PLANES_NARROW_ROWS;
    return blocks * ((uint64_t)p->planes_count * 6 + (uint64_t)p->ops_count * 3 + (uint64_t)p->trees_count * 40);
}

static uint64_t wide_avx512_cost(const ride_planes *p) {
    return (uint64_t)p->columns_count * 1000 + (uint64_t)p->planes_count * 3 + heaps_of(p) * 125 +
           (uint64_t)p->trees_count * 100 + list_ops(p) * 5;
}

/* Ranks and sums are made for the groups of 32 rows that there are, the rest for whole blocks. The more planes, the farther away they lie. */
static uint64_t wide_avx2_cost(const ride_planes *p, uint32_t rows_count) {
    const uint64_t blocks = (rows_count + RIDE_PLANES_AVX2_ROWS - 1) / RIDE_PLANES_AVX2_ROWS;
    const uint64_t block = (uint64_t)p->columns_count * 150 + (uint64_t)p->planes_count * 2 +
                           heaps_of(p) * (80 + p->planes_count / 128) + (uint64_t)p->trees_count * 25 + list_ops(p) * 4;
    const uint64_t groups = (rows_count + 31) / 32;
    return blocks * block + groups * ((uint64_t)p->columns_count * 96 + (uint64_t)p->trees_count * 16);
}

ride_planes_way ride_planes_choose(const ride_planes *p, uint32_t rows_count) {
    const uint64_t walk = walk_cost(p, rows_count), narrow = has_narrow(p) ? narrow_cost(p, rows_count) : UINT64_MAX,
                   wide = has_wide_avx512(p) ? wide_avx512_cost(p)
                          : has_wide_avx2(p) ? wide_avx2_cost(p, rows_count)
                                             : UINT64_MAX;
    if (walk <= narrow && walk <= wide) return RIDE_PLANES_NONE;
    return wide < narrow ? RIDE_PLANES_WIDE : RIDE_PLANES_NARROW;
}

/* ---- rows ---- */

static uint32_t rows_of_block(uint32_t rows_left, uint32_t most) { return rows_left < most ? rows_left : most; }

static void narrow_rows(const ride_planes *p, void *scratch, const float *x, uint32_t stride, uint32_t rows_count,
                        double *margins) {
    RIDE_ASSERT(has_narrow(p));
    for (uint32_t r = 0; r < rows_count; r += RIDE_PLANES_NARROW_ROWS)
        planes_narrow(p, scratch, x + r, stride, rows_of_block(rows_count - r, RIDE_PLANES_NARROW_ROWS), margins + r);
}

static void wide_rows(const ride_planes *p, void *scratch, const float *x, uint32_t stride, uint32_t rows_count,
                      double *margins) {
    RIDE_ASSERT(has_wide_avx512(p) || has_wide_avx2(p));
    if (has_wide_avx512(p)) planes_wide(p, scratch, x, stride, rows_count, margins);
    else
        for (uint32_t r = 0; r < rows_count; r += RIDE_PLANES_AVX2_ROWS)
            planes_wide_avx2(p, scratch, x + r, stride, rows_of_block(rows_count - r, RIDE_PLANES_AVX2_ROWS),
                             margins + r);
}

void ride_planes_rows(const ride_planes *p, ride_planes_way way, void *scratch, const float *x, uint32_t stride,
                      uint32_t rows_count, double *margins) {
    RIDE_ASSERT(rows_count > 0 && rows_count <= RIDE_PLANES_ROWS && way != RIDE_PLANES_NONE);
    (way == RIDE_PLANES_WIDE ? wide_rows : narrow_rows)(p, scratch, x, stride, rows_count, margins);
}
