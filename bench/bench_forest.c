/* bench/bench_forest.c: trees over rows, one thread, by each way that this machine has (kernels/cpu/forest.h), from a row-major matrix.
 *
 *   bench_forest --model FILE [--rows N] [--repeats N] [--double] [--batch N] [--missing PERCENT] [--isa 0…4]
 *
 * Rows are made up: a value lies near a threshold of its input, so that both sides of every test are met. For each batch size: ns per row of
 * each way, the least of the repeats, and the way that would be chosen. The ways take turns, so that a disturbance meets all of them. First all
 * ways must give the bits of the obvious loop. Values are floats, with --double doubles that are none. Prints a line per size. */
#include "bench/tool.h"
#include "kernels/cpu/forest.h"
#include "kernels/row/tree.h"
#include "models/ir.h"
#include "models/score.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct bench {
    const ride_forest *forest;
    ride_cpu_forest *engine;
    uint32_t rows_count;
    double *x; /* row-major */
    float *floats;
    bool doubles;
    void *scratch;
    double *margins;
} bench;

static void rows_make(bench *b, uint32_t missing) {
    const ride_forest_header *h = b->forest->header;
    uint64_t state = 88172645463325252u;
    for (uint32_t r = 0; r < b->rows_count; r++) {
        double *x = b->x + (size_t)r * h->inputs_count;
        for (uint32_t i = 0; i < h->inputs_count; i++) x[i] = 0.0;
        for (uint32_t k = 0; k < 4 * h->inputs_count; k++) {
            const ride_forest_node *node = &b->forest->nodes[draw(&state) % h->nodes_count];
            if (node->input & RIDE_NODE_LEAF) continue;
            const double away = (double)(int64_t)(draw(&state) % 2001) - 1000.0;
            const uint32_t input = node->input & RIDE_NODE_INPUT_MASK;
            if (node->input & RIDE_NODE_SET) x[input] = (double)(draw(&state) % (node->u.set.words_count * 32 + 1));
            else x[input] = node->u.threshold * (1.0 + away / 1000.0);
        }
        for (uint32_t i = 0; i < h->inputs_count; i++) {
            if (draw(&state) % 100 < missing) x[i] = (double)NAN;
            b->floats[(size_t)r * h->inputs_count + i] = (float)x[i];
            if (!b->doubles) x[i] = (double)(float)x[i];
        }
    }
}

static void run(const bench *b, uint32_t batch, double *margins) {
    const ride_forest_header *h = b->forest->header;
    for (uint32_t r = 0; r + batch <= b->rows_count; r += batch) {
        const size_t at = (size_t)r * h->inputs_count;
        const ride_cpu_matrix matrix = {b->doubles ? (const void *)(b->x + at) : (const void *)(b->floats + at),
                                        b->doubles ? RIDE_FOREST_F64 : RIDE_FOREST_F32, h->inputs_count, 1};
        ride_cpu_forest_matrix(b->engine, b->scratch, &matrix, batch, margins + (size_t)r * h->outputs_count);
    }
}

static void check(const bench *b) {
    const ride_forest_header *h = b->forest->header;
    double *row = need(malloc(((size_t)h->inputs_count + h->outputs_count) * sizeof *row)),
           *want = row + h->inputs_count;
    for (int way = 0; way < RIDE_CPU_WAYS; way++) {
        if (!ride_cpu_forest_has(b->engine, (ride_cpu_way)way)) continue;
        ride_cpu_forest_force(b->engine, (ride_cpu_way)way);
        run(b, b->rows_count, b->margins);
        for (uint32_t r = 0; r < b->rows_count; r++) {
            for (uint32_t i = 0; i < h->inputs_count; i++)
                row[i] = ride_forest_input(b->x[(size_t)r * h->inputs_count + i], h->input_number);
            ride_forest_row(b->forest, row, 1, want);
            if (memcmp(want, b->margins + (size_t)r * h->outputs_count, h->outputs_count * sizeof *want) != 0) {
                fprintf(stderr, "row %u by %s: %.17g, not %.17g\n", r, ride_cpu_way_name((ride_cpu_way)way),
                        b->margins[(size_t)r * h->outputs_count], want[0]);
                die("the ways differ");
            }
        }
    }
    free(row);
}

/* Of this thread's processor: what others take of it meanwhile does not count. */
static double clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void measure(bench *b, uint32_t batch, int repeats) {
    double least[RIDE_CPU_WAYS];
    const double rows = (double)(b->rows_count / batch * batch);
    for (int way = 0; way < RIDE_CPU_WAYS; way++) least[way] = 1e300;
    for (int i = 0; i < repeats; i++)
        for (int way = 1; way < RIDE_CPU_WAYS; way++) {
            if (!ride_cpu_forest_has(b->engine, (ride_cpu_way)way)) continue;
            ride_cpu_forest_force(b->engine, (ride_cpu_way)way);
            const double begin_ns = clock_ns();
            run(b, batch, b->margins);
            const double took = (clock_ns() - begin_ns) / rows;
            if (took < least[way]) least[way] = took;
        }
    ride_cpu_forest_force(b->engine, RIDE_CPU_WAY_CHOSEN);
    printf("batch %5u", batch);
    for (int way = 1; way < RIDE_CPU_WAYS; way++)
        if (ride_cpu_forest_has(b->engine, (ride_cpu_way)way))
            printf("  %s %9.1f ns/row", ride_cpu_way_name((ride_cpu_way)way), least[way]);
    const uint32_t block = batch < RIDE_CPU_FOREST_ROWS ? batch : RIDE_CPU_FOREST_ROWS;
    printf("  chosen: %s\n", ride_cpu_way_name(ride_cpu_forest_way(b->engine, block)));
    fflush(stdout);
}

int main(int count, char **words) {
    const char *file = NULL;
    int repeats = 15;
    uint32_t only = 0, missing = 0;
    ride_cpu_isa isa = ride_cpu_isa_best();
    bench b = {.rows_count = 65536};
    for (int i = 1; i < count; i++) {
        const char *value = i + 1 < count ? words[i + 1] : "0";
        if (strcmp(words[i], "--double") == 0) b.doubles = true;
        else if (strcmp(words[i], "--model") == 0) file = value, i++;
        else if (strcmp(words[i], "--rows") == 0) b.rows_count = (uint32_t)strtoul(value, NULL, 10), i++;
        else if (strcmp(words[i], "--batch") == 0) only = (uint32_t)strtoul(value, NULL, 10), i++;
        else if (strcmp(words[i], "--missing") == 0) missing = (uint32_t)strtoul(value, NULL, 10), i++;
        else if (strcmp(words[i], "--isa") == 0) isa = (ride_cpu_isa)strtoul(value, NULL, 10), i++;
        else if (strcmp(words[i], "--repeats") == 0) repeats = (int)strtoul(value, NULL, 10), i++;
        else die("options are --model, --rows, --repeats, --double, --batch, --missing, --isa");
    }
    if (file == NULL) die("--model FILE is missing");
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
    if (!ride_cpu_isa_has(isa)) die("this machine has no such instructions");
    const double begin_ns = clock_ns();
    if (ride_cpu_forest_create(b.forest, isa, &b.engine, &err) != RIDE_OK) die(err.what);
    const double create_ms = (clock_ns() - begin_ns) / 1e6;
    const size_t doubles = (size_t)b.rows_count * h->inputs_count;
    b.x = need(malloc(doubles * sizeof *b.x + 64));
    b.floats = need(malloc(doubles * sizeof *b.floats + 64));
    b.scratch = need(aligned_alloc(64, (ride_cpu_forest_scratch_bytes(b.engine) + 63) / 64 * 64));
    b.margins = need(malloc((size_t)b.rows_count * h->outputs_count * sizeof(double)));
    rows_make(&b, missing);
    check(&b);
    printf("%u trees, %u nodes, depth %u, %u inputs, %u outputs; made in %.1f ms\n", h->trees_count, h->nodes_count,
           h->depth_max, h->inputs_count, h->outputs_count, create_ms);
    ride_cpu_forest_report report;
    ride_cpu_forest_force(b.engine, RIDE_CPU_WAY_CHOSEN);
    ride_cpu_forest_describe(b.engine, &report);
    printf("%.1f MiB; %s; estimated", (double)report.bytes / (1 << 20), report.why);
    for (int i = 0; i < RIDE_CPU_FOREST_TOLD; i++)
        printf(" %u: %s %.0f ns/row%s", report.sizes[i].rows_count, ride_cpu_way_name(report.sizes[i].way),
               report.sizes[i].ns_per_row, i + 1 < RIDE_CPU_FOREST_TOLD ? "," : "\n");
    static const uint32_t batches[] = {1, 2, 4, 8, 16, 32, 64, 128, 200, 256, 512, 1024, 65536};
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++)
        if (only != 0 ? batches[i] == only : batches[i] <= b.rows_count) measure(&b, batches[i], repeats);
    free(b.margins);
    free(b.scratch);
    free(b.floats);
    free(b.x);
    ride_cpu_forest_destroy(b.engine);
    ride_model_scorer_destroy(scorer);
    ride_model_destroy(model);
    ride_diagnostics_free(&findings);
    return 0;
}
