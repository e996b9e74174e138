/* kernels/cpu/forest_time.c: what the counted costs are worth on this machine: each way scores made-up rows some times when a forest is made, within a
 * millisecond or so (a large forest once). A way's cost is then its count times what it took for a count; a disturbed measurement may not turn the counts over. */
#include "kernels/cpu/forest_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TRIES = 3, PAYS = 4 /* ways whose count is so many times the least are not tried */ };
static const uint32_t sizes[FOREST_SIZES] = {1, 64, RIDE_CPU_FOREST_ROWS};
static const double USUAL_NS = 0.25; /* of a cycle */
static const double BUDGET_NS = 1e6,
                    FIRST_NS = 2e7; /* that each way is tried again, or once: a large forest takes longer */

static double clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Rows near the thresholds of the forest, so that both sides of tests are met. */
static void values_make(const ride_cpu_forest *f, float *x) {
    const ride_forest *forest = &f->forest;
    uint64_t random = 88172645463325252u;
    uint32_t *x_of = calloc((size_t)forest->header->inputs_count + 1, sizeof *x_of);
    memset(x, 0, (size_t)f->inputs_count * RIDE_CPU_FOREST_ROWS * sizeof *x);
    for (uint32_t i = 0; x_of != NULL && i < f->inputs_count; i++) x_of[f->inputs[i]] = i;
    for (size_t i = 0; x_of != NULL && i < (size_t)2 * f->inputs_count * RIDE_CPU_FOREST_ROWS; i++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        const ride_forest_node *node = &forest->nodes[random % forest->header->nodes_count];
        if (node->input & RIDE_NODE_LEAF) continue;
        const double value = (node->input & RIDE_NODE_SET) ? (double)(random >> 60) : node->u.threshold;
        x[(size_t)x_of[node->input & RIDE_NODE_INPUT_MASK] * RIDE_CPU_FOREST_ROWS +
          (random >> 32) % RIDE_CPU_FOREST_ROWS] = (float)(value * (0.9 + (double)(random >> 50) / 80000.0));
    }
    free(x_of);
}

void forest_time(ride_cpu_forest *f) {
    for (uint32_t s = 0; s < FOREST_SIZES; s++)
        for (int way = 0; way < RIDE_CPU_WAYS; way++) f->ns_per_count[way][s] = USUAL_NS;
    if (f->planes == NULL && f->crown == NULL) return; /* there is nothing to choose */
    const size_t values = (size_t)f->inputs_count * RIDE_CPU_FOREST_ROWS;
    float *x = aligned_alloc(64, (values + 16) / 16 * 16 * sizeof *x);
    void *scratch = aligned_alloc(64, (ride_cpu_forest_scratch_bytes(f) + 63) / 64 * 64);
    double *margins = malloc((size_t)RIDE_CPU_FOREST_ROWS * f->forest.header->outputs_count * sizeof *margins);
    if (x == NULL || scratch == NULL || margins == NULL) goto end;
    values_make(f, x);
    const ride_cpu_columns columns = {x, RIDE_FOREST_F32, RIDE_CPU_FOREST_ROWS};
    const double begin_ns = clock_ns();
    for (uint32_t s = FOREST_SIZES; s-- > 0;) {
        double least = 1e300, took[RIDE_CPU_WAYS];
        bool tried_all = true;
        for (ride_cpu_way way = RIDE_CPU_WAY_WALK; way < RIDE_CPU_WAYS; way++) {
            took[way] = 1e300;
            if (ride_cpu_forest_has(f, way) && forest_count(f, way, sizes[s]) < least)
                least = forest_count(f, way, sizes[s]);
        }
        for (int i = 0; i < TRIES; i++) /* the ways take turns: what disturbs one disturbs all */
            for (ride_cpu_way way = RIDE_CPU_WAY_WALK; way < RIDE_CPU_WAYS; way++) {
                if (!ride_cpu_forest_has(f, way) || forest_count(f, way, sizes[s]) > PAYS * least) continue;
                const bool in_time = clock_ns() - begin_ns < (i == 0 ? FIRST_NS : BUDGET_NS);
                tried_all = tried_all && (i > 0 || in_time);
                if (!in_time) continue;
                f->forced = way;
                const double from_ns = clock_ns();
                ride_cpu_forest_columns(f, scratch, &columns, sizes[s], margins);
                const double one = clock_ns() - from_ns;
                if (one < took[way]) took[way] = one;
            }
        for (ride_cpu_way way = RIDE_CPU_WAY_WALK; way < RIDE_CPU_WAYS && tried_all; way++)
            if (took[way] < 1e300) f->ns_per_count[way][s] = took[way] / forest_count(f, way, sizes[s]);
    }
    f->forced = RIDE_CPU_WAY_CHOSEN;
end:
    free(x);
    free(scratch);
    free(margins);
}

double forest_estimate_ns(const ride_cpu_forest *f, ride_cpu_way way, uint32_t rows_count) {
    const uint32_t s = rows_count < 8 ? 0 : rows_count <= 192 ? 1 : 2;
    double each = f->ns_per_count[way][s];
    if (each < USUAL_NS / 2) each = USUAL_NS / 2;
    if (each > USUAL_NS * 2) each = USUAL_NS * 2;
    return each * forest_count(f, way, rows_count);
}

/* ---- for reports ---- */

void ride_cpu_forest_describe(const ride_cpu_forest *f, ride_cpu_forest_report *out) {
    memset(out, 0, sizeof *out);
    out->bytes = sizeof *f + f->inputs_count * sizeof *f->inputs;
    if (f->fold != NULL) out->bytes += forest_fold_bytes(f->fold);
    if (f->lanes != NULL) out->bytes += forest_lanes_bytes(f->lanes);
    if (f->crown != NULL) out->bytes += forest_crown_bytes(f->crown);
    if (f->planes != NULL) {
        const ride_planes_figures figures = ride_planes_tell(f->planes);
        out->bytes += figures.bytes;
        snprintf(out->why, sizeof out->why,
                 "%u different conditions in %u nodes, %u selections, leaf tables of %u bits", figures.conditions,
                 f->forest.header->nodes_count, figures.selections, figures.leaf_bits);
    } else
        snprintf(out->why, sizeof out->why, "no planes%s: %s", f->crown != NULL ? " but for the first levels" : "",
                 f->why != NULL ? f->why : "?");
    static const uint32_t told[RIDE_CPU_FOREST_TOLD] = {1, 16, 64, RIDE_CPU_FOREST_ROWS};
    for (uint32_t i = 0; i < RIDE_CPU_FOREST_TOLD; i++) {
        const ride_cpu_way way = ride_cpu_forest_way(f, told[i]);
        out->sizes[i].rows_count = told[i];
        out->sizes[i].way = way;
        out->sizes[i].ns_per_row = forest_estimate_ns(f, way, told[i]) / told[i];
    }
}
