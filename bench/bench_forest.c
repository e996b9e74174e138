/* bench/bench_forest.c: trees over rows, one thread, by each way that this machine has: walked (kernels/cpu/score.c) and by condition planes
 * (kernels/cpu/planes.h).
 *
 *   bench_forest --model FILE [--rows N] [--repeats N]
 *
 * Rows are made up: a value lies near a threshold of its input, so that both sides of every test are met. For each batch size: ns per row of
 * each way, the least of the repeats, and the way that would be chosen. First all ways must give the same bits. Prints a line per size. */
#include "base/clock.h"
#include "kernels/cpu/planes.h"
#include "kernels/cpu/score.h"
#include "kernels/row/tree.h"
#include "models/ir.h"
#include "models/score.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAYS = 3 };
static const char *const way_names[WAYS] = {"walk", "narrow", "wide"};

typedef struct bench {
    const ride_forest *forest;
    ride_planes *planes;
    const uint32_t *inputs;
    uint32_t inputs_count, rows_count;
    double *x;      /* row-major */
    float *columns; /* blocks of RIDE_PLANES_ROWS, each input after the other */
    void *scratch;
    double *margins[WAYS];
} bench;

static void die(const char *what) {
    fprintf(stderr, "bench_forest: %s\n", what);
    exit(1);
}

static void *need(void *memory) {
    if (memory == NULL) die("no memory");
    return memory;
}

static uint64_t draw(uint64_t *state) {
    *state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
    return *state;
}

static void rows_make(bench *b) {
    const ride_forest_header *h = b->forest->header;
    uint64_t state = 88172645463325252u;
    for (uint32_t r = 0; r < b->rows_count; r++)
        for (uint32_t i = 0; i < h->inputs_count; i++) b->x[(size_t)r * h->inputs_count + i] = 0.0;
    for (uint32_t r = 0; r < b->rows_count; r++) {
        for (uint32_t k = 0; k < 4 * h->inputs_count; k++) {
            const ride_forest_node *node = &b->forest->nodes[draw(&state) % h->nodes_count];
            if (node->input & (RIDE_NODE_LEAF | RIDE_NODE_SET)) continue;
            const double away = (double)(int64_t)(draw(&state) % 2001) - 1000.0;
            const double value = node->u.threshold * (1.0 + away / 1000.0);
            b->x[(size_t)r * h->inputs_count + (node->input & RIDE_NODE_INPUT_MASK)] =
                ride_forest_input(value, h->input_number);
        }
    }
    for (uint32_t r = 0; b->planes != NULL && r < b->rows_count; r++)
        for (uint32_t i = 0; i < b->inputs_count; i++)
            b->columns[((size_t)(r / RIDE_PLANES_ROWS) * b->inputs_count + i) * RIDE_PLANES_ROWS +
                       r % RIDE_PLANES_ROWS] = (float)b->x[(size_t)r * h->inputs_count + b->inputs[i]];
}

/* All rows in batches of `batch`, which start at block boundaries where they are larger than one. */
static void run(const bench *b, int way, uint32_t batch) {
    const uint32_t stride = b->forest->header->inputs_count;
    const uint32_t step = batch < RIDE_PLANES_ROWS ? batch : RIDE_PLANES_ROWS;
    for (uint32_t r = 0; r + step <= b->rows_count; r += RIDE_PLANES_ROWS) {
        double *out = b->margins[way] + r;
        const float *block = b->columns + (size_t)(r / RIDE_PLANES_ROWS) * b->inputs_count * RIDE_PLANES_ROWS;
        if (way == 0) ride_cpu_forest_rows(b->forest, b->x + (size_t)r * stride, stride, step, out);
        else
            ride_planes_rows(b->planes, way == 1 ? RIDE_PLANES_NARROW : RIDE_PLANES_WIDE, b->scratch, block, step, out);
    }
}

static double measure(const bench *b, int way, uint32_t batch, int repeats) {
    const uint32_t step = batch < RIDE_PLANES_ROWS ? batch : RIDE_PLANES_ROWS;
    const double rows = (double)(b->rows_count / RIDE_PLANES_ROWS) * step;
    double least = 1e300;
    for (int i = 0; i < repeats; i++) {
        const uint64_t begin_ns = ride_clock_now_ns(ride_clock_real());
        run(b, way, batch);
        const double took = (double)(ride_clock_now_ns(ride_clock_real()) - begin_ns) / rows;
        if (took < least) least = took;
    }
    return least;
}

int main(int count, char **words) {
    const char *file = NULL;
    int repeats = 15;
    bench b = {.rows_count = 65536};
    for (int i = 1; i + 1 < count; i += 2) {
        if (strcmp(words[i], "--model") == 0) file = words[i + 1];
        else if (strcmp(words[i], "--rows") == 0) b.rows_count = (uint32_t)strtoul(words[i + 1], NULL, 10);
        else if (strcmp(words[i], "--repeats") == 0) repeats = (int)strtoul(words[i + 1], NULL, 10);
        else die("options are --model, --rows, --repeats");
    }
    if (file == NULL) die("--model FILE is missing");
    b.rows_count = (b.rows_count + RIDE_PLANES_ROWS - 1) / RIDE_PLANES_ROWS * RIDE_PLANES_ROWS;
    ride_diagnostics findings;
    ride_model *model = NULL;
    ride_model_scorer *scorer = NULL;
    ride_error err;
    ride_diagnostics_init(&findings);
    if (ride_model_load(file, NULL, &model, &findings) != RIDE_OK ||
        ride_model_scorer_create(model, &scorer, &findings) != RIDE_OK)
        die(findings.count > 0 ? findings.items[0].message : "the model cannot be read");
    b.forest = ride_model_scorer_forest(scorer);
    const ride_forest_header *h = b.forest->header;
    const ride_cpu_isa isa = ride_cpu_isa_best();
    if (ride_planes_create(b.forest, isa, &b.planes, &err) != RIDE_OK) die(err.what);
    const size_t doubles = (size_t)b.rows_count * h->outputs_count;
    b.x = need(malloc((size_t)b.rows_count * h->inputs_count * sizeof *b.x));
    if (b.planes != NULL) {
        b.inputs_count = ride_planes_inputs(b.planes, &b.inputs);
        b.columns = need(aligned_alloc(64, ((size_t)b.inputs_count * b.rows_count + 16) * sizeof *b.columns));
        b.scratch = need(aligned_alloc(64, ride_planes_scratch_bytes(b.planes)));
    }
    for (int w = 0; w < WAYS; w++) b.margins[w] = need(malloc(doubles * sizeof(double)));
    rows_make(&b);
    const bool has[WAYS] = {true, b.planes != NULL && isa >= RIDE_CPU_AVX512,
                            b.planes != NULL && isa != RIDE_CPU_AVX512};
    for (int w = 0; w < WAYS; w++) {
        if (!has[w]) continue;
        run(&b, w, RIDE_PLANES_ROWS);
        if (memcmp(b.margins[w], b.margins[0], doubles * sizeof(double)) != 0) die("the ways differ");
    }
    printf("%u trees, %u nodes, depth %u, %u inputs\n", h->trees_count, h->nodes_count, h->depth_max, h->inputs_count);
    static const uint32_t batches[] = {1, 2, 4, 8, 16, 32, 64, 128, 200, 256, 512};
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        printf("batch %4u", batches[i]);
        for (int w = 0; w < WAYS; w++)
            if (has[w]) printf("  %s %9.1f ns/row", way_names[w], measure(&b, w, batches[i], repeats));
        printf("  chosen %s\n", way_names[b.planes != NULL ? ride_planes_choose(b.planes, batches[i]) : 0]);
    }
    for (int w = 0; w < WAYS; w++) free(b.margins[w]);
    free(b.scratch);
    free(b.columns);
    free(b.x);
    ride_planes_destroy(b.planes);
    ride_model_scorer_destroy(scorer);
    ride_model_destroy(model);
    ride_diagnostics_free(&findings);
    return 0;
}
