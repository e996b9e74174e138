/* bench/bench_rows.c: any model, a manifest of several too, over rows of a matrix, one thread, through the backend as the library and `ride score` use it.
 *
 *   bench_rows --model FILE [--rows N] [--repeats N] [--isa 0…4]
 *
 * Rows are made up: floats around zero, one in sixteen a whole number. For each batch size: ns per row, the least of the repeats; and the greatest
 * difference of an answer from the reference backend's, which must be 0. */
#include "backend/registry.h"
#include "base/clock.h"
#include "bench/tool.h"
#include "kernels/cpu/isa.h"
#include "models/rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static ride_model_rows *rows_of(const ride_ensemble *model, ride_backend_entry_fn entry) {
    static ride_diagnostics findings;
    static ride_backend_services services;
    ride_error err = {0};
    ride_model_rows *scorer = NULL;
    ride_device *device = NULL;
    ride_diagnostics_init(&findings);
    ride_backend_services_init(&services, ride_clock_real());
    const ride_backend_ops *ops = entry(RIDE_BACKEND_ABI, &services, &err);
    if (ops == NULL || ops->device_open(0, &device, &err) != RIDE_OK) die(err.what);
    if (ride_model_rows_create(model, ops, device, &scorer, &findings) != RIDE_OK) die(findings.items[0].message);
    return scorer;
}

int main(int argc, char **argv) {
    const char *path = NULL;
    uint64_t rows_count = 65536, repeats = 20;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--model") == 0) path = argv[i + 1];
        else if (strcmp(argv[i], "--rows") == 0) rows_count = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--repeats") == 0) repeats = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--isa") == 0) ride_cpu_isa_limit((ride_cpu_isa)atoi(argv[i + 1]));
        else die("an unknown option");
    }
    static ride_diagnostics findings;
    ride_ensemble *model = NULL;
    ride_diagnostics_init(&findings);
    if (path == NULL || rows_count == 0) die("--model FILE");
    if (ride_ensemble_load(path, NULL, &model, &findings) != RIDE_OK) die(findings.items[0].message);
    ride_model_rows *fast = rows_of(model, ride_backend_cpu), *slow = rows_of(model, ride_backend_reference);
    const ride_rows_shape *shape = ride_model_rows_shape(fast);
    const size_t values = rows_count * shape->columns_count, results = rows_count * shape->outputs_count;
    float *x = need(malloc(values * sizeof *x));
    double *got = need(malloc(results * sizeof *got)), *want = need(malloc(results * sizeof *want));
    void *scratch = need(ride_model_rows_scratch(fast)), *other = need(ride_model_rows_scratch(slow));
    uint64_t state = 88172645463325252u;
    for (size_t i = 0; i < values; i++) {
        const uint64_t bits = draw(&state);
        x[i] = bits % 16 == 0 ? (float)(bits >> 8 & 7) : (float)((double)(int64_t)bits * 0x1p-62);
    }
    ride_rows rows = {.values = x,
                      .type = RIDE_TYPE_F32,
                      .out_type = RIDE_TYPE_F64,
                      .row_stride = shape->columns_count,
                      .column_stride = 1};
    static const uint64_t batches[] = {1, 8, 64, 512, 1024, 65536};
    for (size_t b = 0; b < sizeof batches / sizeof *batches && batches[b] <= rows_count; b++) {
        double least = INFINITY;
        for (uint64_t k = 0; k < repeats; k++) {
            const uint64_t all = batches[b] < 64 ? batches[b] * 512 : rows_count, begin = now_ns();
            for (uint64_t first = 0; first < all && first < rows_count; first += rows.rows_count) {
                rows.rows_count = rows_count - first < batches[b] ? rows_count - first : batches[b];
                rows.values = x + first * shape->columns_count;
                rows.answers = got + first * shape->outputs_count;
                ride_model_rows_score(fast, &rows, scratch);
            }
            const double ns = (double)(now_ns() - begin) / (double)(all < rows_count ? all : rows_count);
            if (ns < least) least = ns;
        }
        printf("%s: %6llu rows at once: %9.1f ns a row\n", path, (unsigned long long)batches[b], least);
    }
    rows.values = x;
    rows.rows_count = rows_count < 4096 ? rows_count : 4096;
    rows.answers = want;
    ride_model_rows_score(slow, &rows, other);
    if (memcmp(got, want, rows.rows_count * shape->outputs_count * sizeof *got) != 0)
        die("not the reference's answers");
    printf("the reference's answers, to the bit\n");
    return 0;
}
