/* bench/bench_shap.c: explanations of rows (kernels/cpu/shap.h), one thread.
 *
 *   bench_shap --model FILE [--rows FILE] [--contributions FILE] [--rows-count N] [--repeats N] [--isa N]
 *
 * Rows are floats, row-major, read from a file or made up near thresholds. Contributions are a trainer's, floats, [row][inputs + 1], to be compared with. For
 * each batch size: µs a row, the least and the median of samples of one call (of 16 rows where
 * batches are smaller), in the thread's own time. First: the same bits by each batch size and by the plain loops, and
 * what the values add up to against the margin in doubles. */
#include "base/clock.h"
#include "bench/tool.h"
#include "kernels/cpu/shap.h"
#include "kernels/row/tree.h"
#include "models/ir.h"
#include "models/score.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void rows_make(const ride_forest *forest, float *x, size_t rows) {
    const ride_forest_header *h = forest->header;
    uint64_t state = 88172645463325252u;
    memset(x, 0, rows * h->inputs_count * sizeof *x);
    for (size_t r = 0; r < rows; r++)
        for (uint32_t k = 0; k < 4 * h->inputs_count; k++) {
            const ride_forest_node *node = &forest->nodes[draw(&state) % h->nodes_count];
            if (node->input & (RIDE_NODE_LEAF | RIDE_NODE_SET)) continue;
            const double away = (double)(int64_t)(draw(&state) % 2001) - 1000.0;
            x[r * h->inputs_count + (node->input & RIDE_NODE_INPUT_MASK)] =
                (float)(node->u.threshold * (1.0 + away / 1000.0));
        }
}

static float *file_read(const char *path, size_t count) {
    float *numbers = need(malloc(count * sizeof *numbers));
    FILE *file = fopen(path, "rb");
    if (file == NULL || fread(numbers, sizeof *numbers, count, file) != count) die("a file is missing or too short");
    fclose(file);
    return numbers;
}

typedef struct bench {
    const ride_forest *forest;
    ride_shap *shap;
    void *scratch;
    float *x;
    double *phi;
    size_t rows, each;
} bench;

static void run(const bench *b, size_t batch) {
    const size_t inputs = b->forest->header->inputs_count;
    for (size_t r = 0; r < b->rows; r += batch) {
        const ride_cpu_matrix matrix = {b->x + r * inputs, RIDE_FOREST_F32, inputs, 1};
        ride_shap_rows(b->shap, b->scratch, &matrix, b->rows - r < batch ? b->rows - r : batch, b->phi + r * b->each);
    }
}

/* Of this thread alone: what others take from it is not counted, as far as the machine goes. */
static uint64_t cpu_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* µs a row of some calls at a time, so few that other work on the machine leaves some samples alone. Returns how many. */
static size_t measure(const bench *b, size_t batch, int repeats, double *times) {
    const size_t inputs = b->forest->header->inputs_count, rows = batch < 16 ? 16 : batch;
    size_t samples = 0;
    for (int k = 0; k < repeats; k++)
        for (size_t r = 0; r + rows <= b->rows; r += rows) {
            const uint64_t begin_ns = cpu_now_ns();
            for (size_t i = r; i < r + rows; i += batch) {
                const ride_cpu_matrix matrix = {b->x + i * inputs, RIDE_FOREST_F32, inputs, 1};
                ride_shap_rows(b->shap, b->scratch, &matrix, batch, b->phi + i * b->each);
            }
            times[samples++] = (double)(cpu_now_ns() - begin_ns) / 1e3 / (double)rows;
        }
    return samples;
}

static int compare_doubles(const void *a, const void *b) {
    const double l = *(const double *)a, r = *(const double *)b;
    return (l > r) - (l < r);
}

static void bench_open(bench *b, ride_cpu_isa isa) {
    ride_error err;
    const uint64_t begin_ns = ride_clock_now_ns(ride_clock_real());
    if (ride_shap_create(b->forest, NULL, isa, &b->shap, &err) != RIDE_OK) die(err.what);
    const uint64_t took_ns = ride_clock_now_ns(ride_clock_real()) - begin_ns;
    ride_shap_info info;
    ride_shap_describe(b->shap, &info);
    b->scratch = need(aligned_alloc(64, ride_shap_scratch_bytes(b->shap)));
    printf("instruction set %d: %u conditions, %u groups, %u tables, %u deep leaves (%u inputs), %.1f MB, %.1f MB "
           "scratch, made in %.2f s\n",
           (int)isa, info.conditions, info.groups, info.tables, info.deep_leaves, info.inputs_most,
           (double)info.bytes / 1e6, (double)ride_shap_scratch_bytes(b->shap) / 1e6, (double)took_ns / 1e9);
}

static void bench_close(bench *b) {
    free(b->scratch);
    ride_shap_destroy(b->shap);
}

/* Values against the margin in doubles, and against the trainer's. */
static void check(const bench *b, const float *said) {
    const ride_forest_header *h = b->forest->header;
    double additivity = 0.0, farthest = 0.0, relative = 0.0;
    double *x = need(malloc(((size_t)h->inputs_count + 1) * sizeof *x));
    for (size_t r = 0; r < b->rows; r++) {
        double sum = 0.0, margin = b->forest->base_margins[0], greatest = 0.0, most = 0.0;
        for (uint32_t i = 0; i < h->inputs_count; i++)
            x[i] = ride_forest_input((double)b->x[r * h->inputs_count + i], h->input_number);
        for (uint32_t t = 0; t < h->trees_count; t++)
            if (b->forest->trees[t].output == 0)
                margin +=
                    ride_tree_row(b->forest->nodes + b->forest->trees[t].nodes_first, b->forest->category_words, x, 1);
        for (uint32_t i = 0; i <= h->inputs_count; i++) {
            const double phi = b->phi[r * b->each + i];
            sum += phi;
            if (said == NULL) continue;
            const double they = (double)said[r * b->each + i];
            most = fmax(most, fabs(phi - they));
            if (i < h->inputs_count) greatest = fmax(greatest, fabs(they));
        }
        additivity = fmax(additivity, fabs(sum - margin));
        farthest = fmax(farthest, most);
        if (greatest > 0.0) relative = fmax(relative, most / greatest);
    }
    printf("values add up to the margin within %.2e", additivity);
    if (said != NULL) printf("; from the trainer's %.2e, %.2e of the row's greatest", farthest, relative);
    printf("\n");
    free(x);
}

int main(int count, char **words) {
    const char *file = NULL, *rows_file = NULL, *said_file = NULL;
    int repeats = 15;
    ride_cpu_isa isa = ride_cpu_isa_best();
    bench b = {.rows = 4096};
    for (int i = 1; i + 1 < count; i += 2) {
        if (strcmp(words[i], "--model") == 0) file = words[i + 1];
        else if (strcmp(words[i], "--rows") == 0) rows_file = words[i + 1];
        else if (strcmp(words[i], "--contributions") == 0) said_file = words[i + 1];
        else if (strcmp(words[i], "--rows-count") == 0) b.rows = strtoul(words[i + 1], NULL, 10);
        else if (strcmp(words[i], "--isa") == 0) isa = (ride_cpu_isa)strtoul(words[i + 1], NULL, 10);
        else if (strcmp(words[i], "--repeats") == 0) repeats = (int)strtoul(words[i + 1], NULL, 10);
        else die("options are --model, --rows, --contributions, --rows-count, --repeats, --isa");
    }
    if (!ride_cpu_isa_has(isa)) die("the machine has not this instruction set");
    if (file == NULL || b.rows < 1024 || repeats < 1)
        die("--model FILE is missing, or fewer than 1,024 rows, or no repeats");
    ride_diagnostics findings;
    ride_model *model = NULL;
    ride_model_scorer *scorer = NULL;
    ride_diagnostics_init(&findings);
    if (ride_model_load(file, NULL, &model, &findings) != RIDE_OK ||
        ride_model_scorer_create(model, &scorer, &findings) != RIDE_OK)
        die(findings.count > 0 ? findings.items[0].message : "the model cannot be read");
    b.forest = ride_model_scorer_forest(scorer);
    const ride_forest_header *h = b.forest->header;
    b.each = (size_t)h->outputs_count * (h->inputs_count + 1);
    const size_t cells = b.rows * h->inputs_count;
    if (rows_file != NULL) b.x = file_read(rows_file, cells);
    else rows_make(b.forest, b.x = need(malloc((cells + 1) * sizeof *b.x)), b.rows);
    float *said = said_file != NULL ? file_read(said_file, b.rows * b.each) : NULL;
    double *plain = need(malloc(b.rows * b.each * sizeof *plain)),
           *times = need(malloc((size_t)repeats * b.rows * sizeof *times));
    printf("%u trees, %u nodes, depth %u, %u inputs, %u outputs, %zu rows\n", h->trees_count, h->nodes_count,
           h->depth_max, h->inputs_count, h->outputs_count, b.rows);
    b.phi = plain;
    bench_open(&b, RIDE_CPU_PORTABLE);
    const uint64_t begin_ns = ride_clock_now_ns(ride_clock_real());
    run(&b, b.rows);
    printf("plain loops %9.2f us/row\n",
           (double)(ride_clock_now_ns(ride_clock_real()) - begin_ns) / 1e3 / (double)b.rows);
    bench_close(&b);
    b.phi = need(malloc(b.rows * b.each * sizeof *b.phi));
    bench_open(&b, isa);
    static const size_t batches[] = {1024, 256, 100, 64, 16, 8, 4, 1};
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        memset(b.phi, 0xff, b.rows * b.each * sizeof *b.phi);
        run(&b, batches[i]);
        if (memcmp(b.phi, plain, b.rows * b.each * sizeof *b.phi) != 0) die("the ways differ");
        const size_t samples = measure(&b, batches[i], repeats, times);
        qsort(times, samples, sizeof *times, compare_doubles);
        printf("batch %4zu  %9.3f us/row  median %9.3f\n", batches[i], times[0], times[samples / 2]);
        fflush(stdout);
    }
    check(&b, said);
    bench_close(&b);
    free(b.phi);
    free(plain);
    free(times);
    free(said);
    free(b.x);
    ride_model_scorer_destroy(scorer);
    ride_model_destroy(model);
    ride_diagnostics_free(&findings);
    return 0;
}
