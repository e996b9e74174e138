/* Explanations of forests: against Shapley's definition, against the recursion that everybody uses, with the same bits by every way. */
#include "kernels/cpu/shap.h"
#include "models/score.h"
#include "tests/support/shap_reference.h"
#include "tests/support/shap_wood.h"

#include <criterion/criterion.h>
#include <malloc.h>
#include <stdio.h>

enum { ROWS_MAX = 1500 };

/* Values by ride_shap of rows in batches of `batch`. */
static double *explain(const ride_forest *f, const ride_shap_options *options, ride_cpu_isa isa, const double *x,
                       uint32_t rows, uint32_t batch, ride_shap_info *info) {
    const size_t inputs = f->header->inputs_count, each = (inputs + 1) * f->header->outputs_count;
    ride_shap *shap = NULL;
    ride_error err = {0};
    cr_assert_eq(ride_shap_create(f, options, isa, &shap, &err), RIDE_OK, "%s", err.what);
    double *phi = malloc(rows * each * sizeof *phi); /* exact: a sanitizer sees one too many */
    const size_t bytes = ride_shap_scratch_bytes(shap);
    void *scratch = aligned_alloc(64, bytes);
    cr_assert(phi != NULL && scratch != NULL);
    memset(scratch, 0x5a, bytes);
    for (uint32_t r = 0; r < rows; r += batch) {
        const ride_cpu_matrix matrix = {x + r * inputs, RIDE_FOREST_F64, inputs, 1};
        ride_shap_rows(shap, scratch, &matrix, rows - r < batch ? rows - r : batch, phi + r * each);
    }
    if (info != NULL) ride_shap_describe(shap, info);
    free(scratch);
    ride_shap_destroy(shap);
    return phi;
}

static double *rows_make(wood *w, uint32_t rows) {
    double *x = malloc(rows * w->header.inputs_count * sizeof *x);
    cr_assert_not_null(x);
    for (uint32_t i = 0; i < rows * w->header.inputs_count; i++) x[i] = wood_value(w, i % w->header.inputs_count);
    return x;
}

static double margin(const wood *w, uint32_t output, const double *x) {
    double sum = w->base[output];
    for (uint32_t t = 0; t < w->header.trees_count; t++)
        if (w->trees[t].output == output) sum += ride_tree_row(w->nodes + w->trees[t].nodes_first, w->words, x, 1);
    return sum;
}

/* phi of all rows against the slow values of some; and their sums against the margin. */
static void compare(const wood *w, const double *x, uint32_t rows, const double *phi, const double *background,
                    uint32_t background_rows, double close, const char *what) {
    const uint32_t inputs = w->header.inputs_count, outputs = w->header.outputs_count;
    double want[WOOD_INPUTS + 1];
    for (uint32_t r = 0; r < rows; r++)
        for (uint32_t o = 0; o < outputs; o++) {
            const double *got = phi + (r * outputs + o) * (inputs + 1);
            double sum = 0.0;
            for (uint32_t i = 0; i <= inputs; i++) sum += got[i];
            cr_assert_float_eq(sum, margin(w, o, x + r * inputs), close, "%s: row %u: values add up to %.9g, not %.9g",
                               what, r, sum, margin(w, o, x + r * inputs));
            if (inputs <= 10) shap_by_definition(&w->forest, o, x + r * inputs, background, background_rows, want);
            else shap_by_recursion(&w->forest, o, x + r * inputs, want);
            for (uint32_t i = 0; i <= inputs; i++)
                cr_assert_float_eq(got[i], want[i], close, "%s: row %u output %u input %u: %.9g, not %.9g", what, r, o,
                                   i, got[i], want[i]);
        }
}

/* All ways of one forest: each instruction set, several batches, tables and none. */
static void check(uint64_t seed, const wood_wish *wish, uint32_t rows, uint32_t exact_rows, uint32_t background_rows,
                  uint64_t bytes_max, double close) {
    static const uint32_t batches[] = {ROWS_MAX, 1, 5, 63, 64, 65, 200, 512, 1024};
    char what[96];
    wood *w = wood_plant(seed, wish);
    double *x = rows_make(w, rows), *background = background_rows > 0 ? rows_make(w, background_rows) : NULL;
    const ride_cpu_matrix matrix = {background, RIDE_FOREST_F64, wish->inputs, 1};
    const ride_shap_options options = {bytes_max, background_rows > 0 ? &matrix : NULL, background_rows};
    const size_t each = (size_t)(wish->inputs + 1) * wish->outputs * sizeof(double);
    double *plain = explain(&w->forest, &options, RIDE_CPU_PORTABLE, x, rows, ROWS_MAX, NULL);
    snprintf(what, sizeof what, "seed %llu, %llu bytes, %u background rows", (unsigned long long)seed,
             (unsigned long long)bytes_max, background_rows);
    compare(w, x, exact_rows, plain, background, background_rows, close, what);
    for (ride_cpu_isa isa = RIDE_CPU_PORTABLE; isa < RIDE_CPU_ISAS; isa++)
        for (size_t b = 0; b < sizeof batches / sizeof *batches; b++) {
            if (!ride_cpu_isa_has(isa) || rows * (size_t)16 < batches[b] || (batches[b] == 1 && rows > 200)) continue;
            double *got = explain(&w->forest, &options, isa, x, rows, batches[b], NULL);
            for (uint32_t r = 0; r < rows; r++)
                cr_assert_arr_eq((const char *)got + r * each, (const char *)plain + r * each, each,
                                 "%s: other bits in row %u, batches of %u, instruction set %d", what, r, batches[b],
                                 isa);
            free(got);
        }
    free(plain);
    free(x);
    free(background);
    free(w);
}

static wood_wish wish_of(uint64_t seed) {
    return (wood_wish){.trees = 1 + (uint32_t)seed % 7,
                       .inputs = 1 + (uint32_t)seed % 9,
                       .outputs = 1 + (uint32_t)(seed / 3) % 3,
                       .leaves_max = 1 + (uint32_t)(seed * 5) % 40,
                       .depth_max = 1 + (uint32_t)seed % 12,
                       .number = seed % 2 ? RIDE_FOREST_F32 : RIDE_FOREST_F64,
                       .plain = seed % 4 == 0,
                       .zeros = seed % 5 == 0,
                       .vines = seed % 3 == 0,
                       .leaf = 0.5};
}

Test(shap, small_forests_are_explained_as_the_definition_says) {
    for (uint64_t seed = 1; seed <= 200; seed++) {
        const wood_wish wish = wish_of(seed);
        check(seed, &wish, 70, 40, 0, 0, 3e-7);
    }
}

Test(shap, leaves_without_tables_too) {
    for (uint64_t seed = 1; seed <= 60; seed++) {
        const wood_wish wish = wish_of(seed);
        check(seed, &wish, 70, 20, 0, 1, 1e-12);    /* no table at all */
        check(seed, &wish, 70, 20, 0, 40000, 3e-7); /* some */
    }
}

static wood_wish large_wish(uint64_t seed) {
    return (wood_wish){.trees = WOOD_TREES,
                       .inputs = 12 + (uint32_t)(seed * 7) % 50,
                       .outputs = seed % 3 == 0 ? 2 : 1,
                       .leaves_max = seed % 2 ? 64 : 31,
                       .depth_max = seed % 2 ? 6 : 20,
                       .number = seed % 2 ? RIDE_FOREST_F32 : RIDE_FOREST_F64,
                       .plain = seed % 4 != 0,
                       .vines = seed % 4 == 2,
                       .leaf = 0.2};
}

/* A bound of everything: what is held is within it, also as the C library counts, more leaves are deep, and the values are the same. */
Test(shap, a_bound_is_of_all_that_is_held) {
    for (uint32_t background_rows = 0; background_rows <= 60; background_rows += 60) {
        wood_wish wish = large_wish(2);
        wood *w = wood_plant(2, &wish);
        double *x = rows_make(w, 64), *background = rows_make(w, 60);
        const ride_cpu_matrix matrix = {background, RIDE_FOREST_F64, wish.inputs, 1};
        ride_shap_options options = {.background = background_rows > 0 ? &matrix : NULL,
                                     .background_rows = background_rows};
        ride_shap_info free_info, info;
        ride_shap *shap;
        ride_error err = {0};
        cr_assert_eq(ride_shap_create(&w->forest, &options, RIDE_CPU_PORTABLE, &shap, &err), RIDE_OK, "%s", err.what);
        ride_shap_describe(shap, &free_info);
        ride_shap_destroy(shap);
        double *want = explain(&w->forest, &options, RIDE_CPU_PORTABLE, x, 64, 64, NULL);
        options.whole_bytes_max = background_rows > 0 ? free_info.bytes + 400000 : free_info.bytes * 9 / 10;
        const size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
        cr_assert_eq(ride_shap_create(&w->forest, &options, RIDE_CPU_PORTABLE, &shap, &err), RIDE_OK, "%s", err.what);
        const size_t held = mallinfo2().uordblks + mallinfo2().hblkhd - before;
        ride_shap_describe(shap, &info);
        cr_assert(info.bytes <= options.whole_bytes_max, "%llu bytes of %llu", (unsigned long long)info.bytes,
                  (unsigned long long)options.whole_bytes_max);
        cr_assert(held <= info.bytes + (128 << 10), "%zu bytes held, %llu told", held, (unsigned long long)info.bytes);
        cr_assert(background_rows > 0 || info.deep_leaves > free_info.deep_leaves);
        ride_shap_destroy(shap);
        double *got = explain(&w->forest, &options, RIDE_CPU_PORTABLE, x, 64, 64, NULL);
        for (size_t i = 0; i < (size_t)64 * (wish.inputs + 1) * wish.outputs; i++)
            cr_assert_float_eq(got[i], want[i], 3e-6);
        options.whole_bytes_max = 20000; /* less than there is a way for */
        cr_assert_eq(ride_shap_create(&w->forest, &options, RIDE_CPU_PORTABLE, &shap, &err), RIDE_E_UNSUPPORTED);
        cr_assert(strstr(err.what, "the bound") != NULL && strstr(err.advice, "allow more memory") != NULL);
        free(got);
        free(want);
        free(x);
        free(background);
        free(w);
    }
}

Test(shap, a_background_takes_the_place_of_covers) {
    for (uint64_t seed = 1; seed <= 60; seed++) {
        const wood_wish wish = wish_of(seed);
        const uint32_t background_rows = 1 + (uint32_t)(seed * 7) % 90;
        check(seed, &wish, 66, 3, background_rows, 0, 3e-7);
        check(seed, &wish, 66, 3, background_rows, 1, 1e-12);
    }
}

Test(shap, the_recursion_is_the_definition) {
    double a[WOOD_INPUTS + 1], b[WOOD_INPUTS + 1];
    for (uint64_t seed = 1; seed <= 40; seed++) {
        wood_wish wish = wish_of(seed);
        wish.zeros = false;
        wood *w = wood_plant(seed, &wish);
        double *x = rows_make(w, 5);
        for (uint32_t r = 0; r < 5; r++) {
            shap_by_definition(&w->forest, 0, x + r * wish.inputs, NULL, 0, a);
            shap_by_recursion(&w->forest, 0, x + r * wish.inputs, b);
            for (uint32_t i = 0; i <= wish.inputs; i++) cr_assert_float_eq(a[i], b[i], 1e-11);
        }
        free(x);
        free(w);
    }
}

Test(shap, large_forests_are_explained_as_the_recursion_says) {
    for (uint64_t seed = 1; seed <= 24; seed++) {
        const wood_wish wish = large_wish(seed);
        check(seed, &wish, seed <= 4 ? ROWS_MAX : 130, 30, 0, 0, 3e-6);
    }
}

/* ---- what trainers say ---- */

enum { GOLDEN_ROWS = 60, GOLDEN_INPUTS = 4, CELLS_MAX = 32 };

static FILE *golden_open(const char *name, const char *ending) {
    char path[512];
    const char *top = getenv("RIDE_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/tests/golden/models/%s%s", top != NULL ? top : ".", name, ending);
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file, "%s", path);
    return file;
}

/* Numbers of the next line, an empty cell NaN. Returns how many. */
static uint32_t next_line(FILE *file, double cells[CELLS_MAX]) {
    char line[2048], *at = line;
    uint32_t count = 0;
    if (fgets(line, sizeof line, file) == NULL) return 0;
    while (at != NULL && count < CELLS_MAX) {
        const char *cell = strsep(&at, ",\n");
        if (at == NULL) break;
        cells[count++] = *cell != '\0' ? strtod(cell, NULL) : (double)NAN;
    }
    return count;
}

static void check_golden(const char *name, const char *model_ending, uint32_t outputs) {
    static double x[GOLDEN_ROWS * GOLDEN_INPUTS], want[GOLDEN_ROWS * 3 * (GOLDEN_INPUTS + 1)];
    const uint32_t each = outputs * (GOLDEN_INPUTS + 1);
    double cells[CELLS_MAX];
    char path[512];
    const char *top = getenv("RIDE_SOURCE_DIR");
    FILE *rows = golden_open(name, ".csv"), *values = golden_open(name, ".shap.csv");
    cr_assert_gt(next_line(rows, cells), 0); /* the header */
    for (uint32_t r = 0; r < GOLDEN_ROWS; r++) {
        cr_assert_eq(next_line(rows, cells), GOLDEN_INPUTS + outputs);
        memcpy(x + r * GOLDEN_INPUTS, cells, GOLDEN_INPUTS * sizeof *x);
        cr_assert_eq(next_line(values, cells), each);
        memcpy(want + r * each, cells, each * sizeof *want);
    }
    fclose(rows);
    fclose(values);
    snprintf(path, sizeof path, "%s/tests/golden/models/%s%s", top != NULL ? top : ".", name, model_ending);
    ride_diagnostics findings;
    ride_model *model = NULL;
    ride_model_scorer *scorer = NULL;
    ride_diagnostics_init(&findings);
    cr_assert_eq(ride_model_load(path, NULL, &model, &findings), RIDE_OK);
    cr_assert_eq(ride_model_scorer_create(model, &scorer, &findings), RIDE_OK);
    const ride_forest *forest = ride_model_scorer_forest(scorer);
    double *got = explain(forest, NULL, ride_cpu_isa_best(), x, GOLDEN_ROWS, GOLDEN_ROWS, NULL);
    for (uint32_t r = 0; r < GOLDEN_ROWS; r++)
        for (uint32_t o = 0; o < outputs; o++) {
            const double *a = got + r * each + o * (GOLDEN_INPUTS + 1), *b = want + r * each + o * (GOLDEN_INPUTS + 1);
            double greatest = 0.0;
            for (uint32_t i = 0; i < GOLDEN_INPUTS; i++) greatest = fabs(b[i]) > greatest ? fabs(b[i]) : greatest;
            for (uint32_t i = 0; i <= GOLDEN_INPUTS; i++)
                cr_assert_float_eq(a[i], b[i], 1e-5 * greatest, "%s row %u output %u input %u: %.9g, the trainer %.9g",
                                   name, r, o, i, a[i], b[i]);
        }
    free(got);
    ride_model_scorer_destroy(scorer);
    ride_model_destroy(model);
    ride_diagnostics_free(&findings);
}

Test(shap, values_are_those_of_xgboost) {
    check_golden("xgboost-3.2.0-plain", ".json", 1);
    check_golden("xgboost-3.2.0-multi", ".json", 3);
    check_golden("xgboost-3.2.0-dart", ".json", 1);
}

Test(shap, values_are_those_of_lightgbm) {
    check_golden("lightgbm-4.6.0-binary", ".txt", 1);
    check_golden("lightgbm-4.6.0-zero", ".txt", 1);
    check_golden("lightgbm-4.6.0-forest", ".txt", 1);
    check_golden("lightgbm-4.6.0-multi", ".txt", 3);
    check_golden("lightgbm-4.6.0-plain", ".txt", 1);
}

Test(shap, what_cannot_be_explained_is_refused) {
    const wood_wish wish = {
        .trees = 2, .inputs = 3, .outputs = 1, .leaves_max = 8, .depth_max = 4, .number = RIDE_FOREST_F64, .leaf = 1.0};
    const ride_shap_options many = {.background_rows = RIDE_SHAP_BACKGROUND_MAX + 1};
    ride_shap *shap;
    ride_error err;
    wood *w = wood_plant(1, &wish);
    cr_assert_eq(ride_shap_create(&w->forest, &many, RIDE_CPU_PORTABLE, &shap, &err), RIDE_E_UNSUPPORTED);
    w->header.aggregate = RIDE_FOREST_MAX;
    cr_assert_eq(ride_shap_create(&w->forest, NULL, RIDE_CPU_PORTABLE, &shap, &err), RIDE_E_UNSUPPORTED);
    w->header.aggregate = RIDE_FOREST_SUM;
    w->forest.covers = NULL;
    cr_assert_eq(ride_shap_create(&w->forest, NULL, RIDE_CPU_PORTABLE, &shap, &err), RIDE_E_UNSUPPORTED);
    cr_assert_null(shap);
    w->forest.covers = w->covers;
    for (uint32_t i = 0; i < w->header.nodes_count; i++)
        if (w->nodes[i].input & RIDE_NODE_LEAF) w->nodes[i].u.leaf = 1.7e308;
    cr_assert_eq(ride_shap_create(&w->forest, NULL, RIDE_CPU_PORTABLE, &shap, &err), RIDE_E_UNSUPPORTED);
    free(w);
}
