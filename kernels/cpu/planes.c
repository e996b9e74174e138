/* kernels/cpu/planes.c: the conditions of a forest, each once, sorted into columns; and which kernel is used. */
#include "kernels/cpu/planes_internal.h"

#include "base/assert.h"

#include <math.h>
#include <string.h>

#if !defined(__x86_64__) /* no machine has them: ride_planes_create says so */
void planes_narrow_avx2(const ride_planes *p, uint64_t *planes, const float *x, uint32_t rows_count, double *margins) {
    (void)p, (void)planes, (void)x, (void)rows_count, (void)margins;
}
void planes_narrow_avx512(const ride_planes *p, uint64_t *planes, const float *x, uint32_t rows_count,
                          double *margins) {
    (void)p, (void)planes, (void)x, (void)rows_count, (void)margins;
}
void planes_wide(const ride_planes *p, void *scratch, const float *x, uint32_t rows_count, double *margins) {
    (void)p, (void)scratch, (void)x, (void)rows_count, (void)margins;
}
size_t planes_wide_scratch_bytes(const ride_planes *p) { return (void)p, 0; }
void planes_wide_prepare(ride_planes *p) { (void)p; }
#endif

static bool has_wide(const ride_planes *p) { return p->isa >= RIDE_CPU_AVX512_BYTES; }

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
        p->pivots = lines((size_t)p->columns_count * 256 * sizeof *p->pivots);
        if (p->leaves == NULL || p->pivots == NULL)
            st = ride_fail(err, RIDE_E_MEMORY, "no memory for a forest's leaves");
        if (st == RIDE_OK) st = planes_trees_make(p, forest, plane_of, err);
        if (st == RIDE_OK && has_wide(p)) planes_wide_prepare(p);
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

static size_t narrow_bytes(const ride_planes *p) { return (size_t)(p->planes_count + p->ops_most) * sizeof(uint64_t); }

size_t ride_planes_scratch_bytes(const ride_planes *p) {
    const size_t narrow = narrow_bytes(p), wide = has_wide(p) ? planes_wide_scratch_bytes(p) : 0;
    return ((narrow > wide ? narrow : wide) + 63) / 64 * 64;
}

/* Cycles, as measured on Zen 4: bench/bench_forest.c prints them again. */
ride_planes_way ride_planes_choose(const ride_planes *p, uint32_t rows_count) {
    const bool has_avx512 = p->isa >= RIDE_CPU_AVX512;
    const uint64_t conditions = p->planes_count;
    const uint64_t blocks = (rows_count + RIDE_PLANES_NARROW_ROWS - 1) / RIDE_PLANES_NARROW_ROWS;
    const uint64_t walk =
        (uint64_t)p->walk_steps * (rows_count < 8 ? 12 * (uint64_t)rows_count : 5 * (uint64_t)rows_count);
    const uint64_t narrow = blocks * (conditions * (has_avx512 ? 6 : 12) + (uint64_t)p->ops_count * 3 +
                                      (uint64_t)p->trees_count * (has_avx512 ? 40 : 160));
    const uint64_t heaps = p->heaps_count / (PLANES_HEAP + 1);
    uint64_t wide = UINT64_MAX;
    if (has_wide(p))
        wide = (uint64_t)p->columns_count * 1000 + conditions * 3 + heaps * 125 + (uint64_t)p->trees_count * 100 +
               (p->ops_count - (heaps * 57 < p->ops_count ? heaps * 57 : p->ops_count)) * 5;
    if (walk <= narrow && walk <= wide) return RIDE_PLANES_NONE;
    return wide < narrow ? RIDE_PLANES_WIDE : RIDE_PLANES_NARROW;
}

void ride_planes_rows(const ride_planes *p, ride_planes_way way, void *scratch, const float *x, uint32_t rows_count,
                      double *margins) {
    RIDE_ASSERT(rows_count > 0 && rows_count <= RIDE_PLANES_ROWS && way != RIDE_PLANES_NONE);
    if (way == RIDE_PLANES_WIDE) {
        RIDE_ASSERT(has_wide(p));
        planes_wide(p, scratch, x, rows_count, margins);
        return;
    }
    for (uint32_t r = 0; r < rows_count; r += RIDE_PLANES_NARROW_ROWS) {
        const uint32_t left = rows_count - r, rows = left < RIDE_PLANES_NARROW_ROWS ? left : RIDE_PLANES_NARROW_ROWS;
        (p->isa >= RIDE_CPU_AVX512 ? planes_narrow_avx512 : planes_narrow_avx2)(p, scratch, x + r, rows, margins + r);
    }
}
