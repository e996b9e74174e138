/* What ride/ride.h promises, through that header and Arrow's own structs: the trainers' own margins from rows of any layout, the same bits for any number of
 * threads, no allocation once reserved, and every misuse a result with a text. Arrow arrays are in ride_arrow_test.c. */
#include "api/arrow.h"
#include "ride/ride.h"
#include "tests/support/alloc_count.h"

#include <criterion/criterion.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INPUTS = 4, ROWS = 60, OUTPUTS_MAX = 3, MANY = 20011 };

static ride_context *context_of(uint32_t threads) {
    const ride_context_options options = {.struct_bytes = sizeof options, .threads = threads};
    ride_context *context = NULL;
    cr_assert_eq(ride_context_create(&options, &context), RIDE_RESULT_OK);
    return context;
}

static const char *golden(const char *name, const char *suffix) {
    static char path[512];
    const char *top = getenv("RIDE_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/tests/golden/models/%s.%s", top != NULL ? top : ".", name, suffix);
    return path;
}

static ride_predictor *loaded(ride_context *context, const char *name, const char *suffix) {
    ride_predictor *model = NULL;
    cr_assert_eq(ride_load(context, golden(name, suffix), NULL, &model), RIDE_RESULT_OK, "%s",
                 ride_context_error(context));
    cr_assert_str_eq(ride_context_error(context), "");
    return model;
}

/* The golden rows and the trainer's margins. */
static void rows_of(const char *name, uint32_t outputs, double *x, double *margins) {
    char line[1024];
    FILE *file = fopen(golden(name, "csv"), "r");
    cr_assert(file != NULL && fgets(line, sizeof line, file) != NULL);
    for (uint32_t r = 0; r < ROWS; r++) {
        cr_assert_not_null(fgets(line, sizeof line, file));
        char *at = line;
        for (uint32_t i = 0; i < INPUTS + outputs; i++) {
            const char *cell = strsep(&at, ",\n");
            const double value = *cell != '\0' ? strtod(cell, NULL) : (double)NAN;
            if (i < INPUTS) x[r * INPUTS + i] = value;
            else margins[r * outputs + i - INPUTS] = value;
        }
    }
    fclose(file);
}

/* What XGBoost wrote has nine digits, which is enough for a float's bits and not for a double's. */
static void expect_margins(const char *name, uint32_t outputs, ride_number number, const void *got,
                           const double *want) {
    for (uint32_t i = 0; i < ROWS * outputs; i++) {
        const double value = number == RIDE_NUMBER_F32 ? (double)((const float *)got)[i] : ((const double *)got)[i];
        const int same = strncmp(name, "xgboost", 7) == 0 || number == RIDE_NUMBER_F32 ? (float)value == (float)want[i]
                                                                                       : value == want[i];
        cr_assert(same, "%s, result %u: %.17g, the trainer's %.17g", name, i, value, want[i]);
    }
}

static void check_layouts(const char *name, const char *suffix, uint32_t outputs) {
    static double x[ROWS * INPUTS], want[ROWS * OUTPUTS_MAX], spread[4 * ROWS * INPUTS], got[ROWS * OUTPUTS_MAX],
        whys[2][ROWS * OUTPUTS_MAX * (INPUTS + 1)];
    ride_context *context = context_of(1);
    ride_predictor *model = loaded(context, name, suffix);
    rows_of(name, outputs, x, want);
    cr_assert_eq(ride_inputs_count(model), INPUTS);
    cr_assert_eq(ride_outputs_count(model), outputs);
    const ride_number own = ride_input_number(model);
    const ride_matrix plain = {x, RIDE_NUMBER_F64, INPUTS, ROWS, INPUTS, 1};
    const ride_explanation why = {whys[0], RIDE_NUMBER_F64}, again = {whys[1], RIDE_NUMBER_F64};
    cr_assert_eq(ride_explain(context, model, &plain, &why), RIDE_RESULT_OK, "%s", ride_context_error(context));
    const struct {
        int64_t row_stride, column_stride;
    } layouts[] = {{INPUTS, 1}, {1, ROWS}, {INPUTS + 3, 1}, {-INPUTS, 1}, {2, -2 * ROWS}, {2 * INPUTS, 2}};
    for (size_t l = 0; l < sizeof layouts / sizeof *layouts; l++)
        for (int number = own; number <= RIDE_NUMBER_F64; number++) { /* floats would change LightGBM's rows */
            const int64_t rs = layouts[l].row_stride, cs = layouts[l].column_stride;
            const int64_t first = (rs < 0 ? -rs * (ROWS - 1) : 0) + (cs < 0 ? -cs * (INPUTS - 1) : 0);
            for (uint32_t r = 0; r < ROWS; r++)
                for (uint32_t i = 0; i < INPUTS; i++) {
                    const int64_t at = first + r * rs + i * cs;
                    if (number == RIDE_NUMBER_F32) ((float *)spread)[at] = (float)x[r * INPUTS + i];
                    else spread[at] = x[r * INPUTS + i];
                }
            const void *values = number == RIDE_NUMBER_F32 ? (void *)((float *)spread + first) : spread + first;
            const ride_matrix matrix = {values, (ride_number)number, INPUTS, ROWS, rs, cs};
            for (int out = RIDE_NUMBER_F32; out <= RIDE_NUMBER_F64; out++) {
                memset(got, 0x5a, sizeof got);
                const ride_scores scores = {.margins = got, .number = (ride_number)out};
                cr_assert_eq(ride_predict(context, model, &matrix, &scores), RIDE_RESULT_OK, "%s",
                             ride_context_error(context));
                expect_margins(name, outputs, (ride_number)out, got, want);
            }
            memset(whys[1], 0x5a, sizeof whys[1]);
            cr_assert_eq(ride_explain(context, model, &matrix, &again), RIDE_RESULT_OK);
            cr_assert_arr_eq(whys[1], whys[0], ROWS * outputs * (INPUTS + 1) * sizeof(double));
        }
    ride_unload(model);
    ride_context_destroy(context);
}

Test(ride_api, margins_are_the_trainers_whatever_the_layout) {
    check_layouts("xgboost-3.2.0-plain", "json", 1);
    check_layouts("xgboost-2.1.4-dart", "ubj", 1);
    check_layouts("xgboost-3.2.0-multi", "json", 3);
    check_layouts("lightgbm-4.6.0-plain", "txt", 1);
    check_layouts("lightgbm-4.6.0-multi", "txt", 3);
}

static void expect_said(ride_context *context, ride_result got, ride_result want, const char *text) {
    cr_assert_eq(got, want, "%d: %s", (int)got, ride_context_error(context));
    cr_assert_not_null(strstr(ride_context_error(context), text), "`%s` lacks `%s`", ride_context_error(context), text);
}

/* That the values are the definition's is tests/integration/test_explanations.py's matter. */
Test(ride_api, another_way_of_explaining_is_prepared) {
    enum { EACH = INPUTS + 1, VALUES = ROWS * EACH };
    static double x[ROWS * INPUTS], margins[ROWS], phi[4][VALUES];
    const char *name = "xgboost-3.2.0-plain";
    ride_context *context = context_of(1), *three = context_of(3);
    ride_predictor *model = loaded(context, name, "json");
    ride_explain_way *ways[3] = {NULL, NULL, NULL}, *none = (void *)x;
    rows_of(name, 1, x, margins);
    const ride_matrix rows = {x, RIDE_NUMBER_F64, INPUTS, ROWS, INPUTS, 1},
                      some = {x, RIDE_NUMBER_F64, INPUTS, 9, INPUTS, 1};
    const ride_explain_options small = {.struct_bytes = sizeof small, .bytes_max = 1},
                               against = {.struct_bytes = sizeof against, .background = &some};
    const ride_explain_options *options[] = {NULL, &small, &against};
    cr_assert_eq(ride_explain(context, model, &rows, &(ride_explanation){phi[3], RIDE_NUMBER_F64}), RIDE_RESULT_OK);
    for (int w = 0; w < 3; w++) {
        cr_assert_eq(ride_explain_prepare(context, model, options[w], &ways[w]), RIDE_RESULT_OK, "%s",
                     ride_context_error(context));
        const ride_explanation out = {phi[w], RIDE_NUMBER_F64};
        cr_assert_eq(ride_explain_by(three, ways[w], &rows, &out), RIDE_RESULT_OK, "%s", ride_context_error(three));
        for (uint32_t r = 0; r < ROWS; r++) {
            double sum = 0.0;
            for (uint32_t i = 0; i < EACH; i++) sum += phi[w][r * EACH + i];
            cr_assert_float_eq(sum, margins[r], 3e-6, "way %d, row %u: %.9g, margin %.9g", w, r, sum, margins[r]);
        }
    }
    cr_assert_arr_eq(phi[0], phi[3], sizeof phi[0]);
    for (uint32_t i = 0; i < VALUES; i++) cr_assert_float_eq(phi[1][i], phi[0][i], 1e-6);
    cr_assert_gt(fabs(phi[2][INPUTS] - phi[0][INPUTS]), 1e-3, "the background changes nothing");
    const ride_explanation out = {phi[0], RIDE_NUMBER_F64};
    cr_assert_eq(ride_explain_prepare(NULL, model, NULL, &none), RIDE_RESULT_ARGUMENT);
    cr_assert_null(none);
    cr_assert_eq(ride_explain_by(NULL, ways[0], &rows, &out), RIDE_RESULT_ARGUMENT);
    expect_said(context, ride_explain_prepare(context, NULL, NULL, &none), RIDE_RESULT_ARGUMENT, "NULL");
    expect_said(context, ride_explain_prepare(context, model, NULL, NULL), RIDE_RESULT_ARGUMENT, "NULL");
    expect_said(context, ride_explain_by(context, NULL, &rows, &out), RIDE_RESULT_ARGUMENT, "NULL");
    expect_said(context, ride_explain_by(context, ways[0], &rows, NULL), RIDE_RESULT_ARGUMENT, "NULL");
    expect_said(context, ride_explain_prepare(context, model, &(ride_explain_options){.struct_bytes = 2}, &none),
                RIDE_RESULT_ARGUMENT, "struct_bytes");
    ride_matrix wrong = some;
    const ride_explain_options refused = {.struct_bytes = sizeof refused, .background = &wrong};
    wrong.columns_count = 3;
    expect_said(context, ride_explain_prepare(context, model, &refused, &none), RIDE_RESULT_ARGUMENT, "3 columns");
    wrong = some, wrong.rows_count = 0;
    expect_said(context, ride_explain_prepare(context, model, &refused, &none), RIDE_RESULT_UNSUPPORTED,
                "0 background rows");
    wrong.rows_count = 4097; /* refused before they are read */
    expect_said(context, ride_explain_prepare(context, model, &refused, &none), RIDE_RESULT_UNSUPPORTED,
                "4097 background rows");
    for (int w = 0; w < 3; w++) ride_explain_release(ways[w]);
    ride_explain_release(NULL);
    ride_unload(model);
    ride_context_destroy(context);
    ride_context_destroy(three);
}

/* Golden rows, again and again, each time another one first. */
static float *many_rows(const char *name, uint32_t outputs) {
    static double x[ROWS * INPUTS], margins[ROWS * OUTPUTS_MAX];
    float *rows = malloc((size_t)MANY * INPUTS * sizeof *rows);
    rows_of(name, outputs, x, margins);
    for (uint32_t r = 0; r < MANY; r++)
        for (uint32_t i = 0; i < INPUTS; i++)
            rows[(size_t)r * INPUTS + i] = (float)x[(r * 7 + r / ROWS) % ROWS * INPUTS + i];
    return rows;
}

Test(ride_api, the_number_of_threads_and_of_rows_changes_no_bit) {
    const char *name = "xgboost-3.2.0-multi";
    float *rows = many_rows(name, 3), *want = malloc(2 * MANY * 3 * sizeof *want),
          *got = malloc(2 * MANY * 3 * sizeof *got);
    for (uint32_t threads = 1; threads <= 5; threads += 2) {
        ride_context *context = context_of(threads);
        ride_predictor *model = loaded(context, name, "json");
        for (int round = 0; round < (threads > 1 ? 30 : 1); round++) {
            float *to = threads == 1 ? want : got;
            memset(to, 0, 2 * MANY * 3 * sizeof *to);
            const ride_matrix matrix = {rows, RIDE_NUMBER_F32, INPUTS, MANY, INPUTS, 1};
            const ride_scores out = {to, to + (size_t)MANY * 3, RIDE_NUMBER_F32};
            cr_assert_eq(ride_predict(context, model, &matrix, &out), RIDE_RESULT_OK);
            cr_assert_arr_eq(to, want, 2 * MANY * 3 * sizeof *to);
        }
        for (uint32_t count = 1; count < MANY; count = count * 3 + 1) { /* the last rows of all */
            const size_t first = MANY - count;
            const ride_matrix matrix = {rows + first * INPUTS, RIDE_NUMBER_F32, INPUTS, count, INPUTS, 1};
            const ride_scores out = {.answers = got, .number = RIDE_NUMBER_F32};
            cr_assert_eq(ride_predict(context, model, &matrix, &out), RIDE_RESULT_OK);
            cr_assert_arr_eq(got, want + (MANY + first) * 3, count * 3 * sizeof *got);
        }
        ride_unload(model);
        ride_context_destroy(context);
    }
    free(rows);
    free(want);
    free(got);
}

typedef struct caller {
    pthread_t thread;
    const ride_predictor *model;
    const float *rows;
    float *out;
} caller;

static void *call(void *argument) {
    const caller *c = argument;
    ride_context *context = context_of(2);
    for (int i = 0; i < 20; i++) {
        const ride_matrix matrix = {c->rows, RIDE_NUMBER_F32, INPUTS, MANY, INPUTS, 1};
        const ride_scores out = {.margins = c->out, .number = RIDE_NUMBER_F32};
        if (ride_predict(context, c->model, &matrix, &out) != RIDE_RESULT_OK) break;
    }
    ride_context_destroy(context);
    return NULL;
}

Test(ride_api, one_predictor_serves_several_contexts_at_once) {
    enum { CALLERS = 3 };
    const char *name = "xgboost-3.2.0-plain";
    ride_context *context = context_of(0);
    ride_predictor *model = loaded(context, name, "json");
    float *rows = many_rows(name, 1), *want = malloc(MANY * sizeof *want);
    const ride_matrix matrix = {rows, RIDE_NUMBER_F32, INPUTS, MANY, INPUTS, 1};
    const ride_scores out = {.margins = want, .number = RIDE_NUMBER_F32};
    caller callers[CALLERS];
    cr_assert_eq(ride_predict(context, model, &matrix, &out), RIDE_RESULT_OK);
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (caller){.model = model, .rows = rows, .out = calloc(MANY, sizeof(float))};
        cr_assert_eq(pthread_create(&callers[i].thread, NULL, call, &callers[i]), 0);
    }
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
        cr_assert_arr_eq(callers[i].out, want, MANY * sizeof *want);
        free(callers[i].out);
    }
    free(rows);
    free(want);
    ride_unload(model);
    ride_context_destroy(context);
}

Test(ride_api, nothing_is_allocated_once_it_is_reserved) {
    if (!ALLOC_COUNT_WORKS) cr_skip_test("a sanitizer has its own malloc");
    const char *name = "xgboost-3.2.0-plain";
    ride_context *context = context_of(2);
    ride_predictor *model = loaded(context, name, "json");
    float *rows = many_rows(name, 1), *got = malloc(2 * MANY * sizeof *got);
    const ride_matrix matrix = {rows, RIDE_NUMBER_F32, INPUTS, MANY, INPUTS, 1};
    const ride_scores out = {got, got + MANY, RIDE_NUMBER_F32};
    memset(got, 0, 2 * MANY * sizeof *got);
    const void *none[] = {NULL}, *buffers[] = {NULL, rows}; /* the same numbers as four equal columns */
    struct ArrowArray column = {.length = MANY, .n_buffers = 2, .buffers = buffers};
    struct ArrowArray *columns[INPUTS] = {&column, &column, &column, &column};
    const struct ArrowArray array = {
        .length = MANY, .n_buffers = 1, .buffers = none, .n_children = INPUTS, .children = columns};
    struct ArrowSchema fields[INPUTS], *children[INPUTS];
    for (uint32_t i = 0; i < INPUTS; i++) {
        fields[i] = (struct ArrowSchema){.format = "f", .name = ride_input_name(model, i)};
        children[i] = &fields[i];
    }
    const struct ArrowSchema schema = {.format = "+s", .n_children = INPUTS, .children = children};
    cr_assert_eq(ride_reserve(context, model), RIDE_RESULT_OK);
    alloc_count_begin();
    ride_result result = RIDE_RESULT_OK;
    for (int i = 0; i < 5 && result == RIDE_RESULT_OK; i++) {
        result = ride_predict(context, model, &matrix, &out);
        if (result == RIDE_RESULT_OK) result = ride_predict_arrow(context, model, &array, &schema, &out);
    }
    const alloc_count count = alloc_count_end();
    cr_assert_eq(result, RIDE_RESULT_OK);
    cr_assert_eq(count.allocations + count.maps, 0, "%llu allocations", (unsigned long long)count.allocations);
    free(rows);
    free(got);
    ride_unload(model);
    ride_context_destroy(context);
}

Test(ride_api, explaining_allocates_nothing_after_the_first_time) {
    if (!ALLOC_COUNT_WORKS) cr_skip_test("a sanitizer has its own malloc");
    static const char *const names[] = {"xgboost-3.2.0-multi.json",   "../ensembles/mean.yaml",
                                        "../ensembles/stacking.yaml", "../ensembles/cascade.yaml",
                                        "../ensembles/net.json",      "../sklearn/1.9.1-voting.json"};
    enum { SOME = 300 };
    for (size_t m = 0; m < sizeof names / sizeof *names; m++) {
        ride_context *context = context_of(2);
        ride_predictor *model = NULL;
        ride_explain_way *way = NULL;
        char path[512];
        snprintf(path, sizeof path, "%s", golden(names[m], ""));
        path[strlen(path) - 1] = '\0'; /* the dot before no ending */
        cr_assert_eq(ride_load(context, path, NULL, &model), RIDE_RESULT_OK, "%s", ride_context_error(context));
        float *rows = many_rows("xgboost-3.2.0-plain", 1);
        double *got = malloc((size_t)SOME * OUTPUTS_MAX * (INPUTS + 1) * sizeof *got);
        const ride_matrix matrix = {rows, RIDE_NUMBER_F32, INPUTS, SOME, INPUTS, 1},
                          background = {rows, RIDE_NUMBER_F32, INPUTS, 5, INPUTS, 1};
        const ride_explain_options options = {.struct_bytes = sizeof options, .background = &background};
        const ride_explanation out = {got, RIDE_NUMBER_F64};
        cr_assert_eq(ride_explain_prepare(context, model, &options, &way), RIDE_RESULT_OK, "%s: %s", path,
                     ride_context_error(context));
        cr_assert_eq(ride_explain(context, model, &matrix, &out), RIDE_RESULT_OK, "%s: %s", path,
                     ride_context_error(context));
        cr_assert_eq(ride_explain_by(context, way, &matrix, &out), RIDE_RESULT_OK);
        alloc_count_begin();
        const ride_result a = ride_explain(context, model, &matrix, &out),
                          b = ride_explain_by(context, way, &matrix, &out);
        const alloc_count count = alloc_count_end();
        cr_assert(a == RIDE_RESULT_OK && b == RIDE_RESULT_OK);
        cr_assert_eq(count.allocations + count.maps, 0, "%s: %llu allocations", path,
                     (unsigned long long)count.allocations);
        free(rows);
        free(got);
        ride_explain_release(way);
        ride_unload(model);
        ride_context_destroy(context);
    }
}

/* That they are the trainers' values is tests/unit/shap_test.c's and the Python test's matter. */
Test(ride_api, explanations_add_up_and_no_division_changes_a_bit) {
    enum { EACH = 3 * (INPUTS + 1) };
    const char *name = "xgboost-3.2.0-multi";
    float *rows = many_rows(name, 3);
    double *want = malloc((size_t)MANY * EACH * sizeof *want), *got = malloc((size_t)MANY * EACH * sizeof *got),
           *margins = malloc((size_t)MANY * 3 * sizeof *margins);
    const ride_matrix matrix = {rows, RIDE_NUMBER_F32, INPUTS, MANY, INPUTS, 1};
    ride_context *context = context_of(1), *three = context_of(3);
    ride_predictor *model = loaded(context, name, "json");
    const ride_scores out = {.margins = margins, .number = RIDE_NUMBER_F64};
    const ride_explanation whole = {want, RIDE_NUMBER_F64}, again = {got, RIDE_NUMBER_F64};
    cr_assert_eq(ride_predict(context, model, &matrix, &out), RIDE_RESULT_OK);
    cr_assert_eq(ride_explain(context, model, &matrix, &whole), RIDE_RESULT_OK, "%s", ride_context_error(context));
    for (uint32_t r = 0; r < MANY; r++)
        for (uint32_t o = 0; o < 3; o++) {
            double sum = 0;
            for (uint32_t i = 0; i <= INPUTS; i++) sum += want[(size_t)r * EACH + o * (INPUTS + 1) + i];
            cr_assert_float_eq(sum, margins[(size_t)r * 3 + o], 3e-6, "row %u: %.9g, margin %.9g", r, sum,
                               margins[(size_t)r * 3 + o]);
        }
    cr_assert_eq(ride_explain(three, model, &matrix, &again), RIDE_RESULT_OK);
    cr_assert_arr_eq(got, want, (size_t)MANY * EACH * sizeof *got);
    for (uint32_t first = 0, count = 1; first < MANY; first += count, count = count * 2 + 1) {
        if (count > MANY - first) count = MANY - first;
        const ride_matrix part = {rows + (size_t)first * INPUTS, RIDE_NUMBER_F32, INPUTS, count, INPUTS, 1};
        const ride_explanation to = {got, RIDE_NUMBER_F64};
        cr_assert_eq(ride_explain(context, model, &part, &to), RIDE_RESULT_OK);
        cr_assert_arr_eq(got, want + (size_t)first * EACH, (size_t)count * EACH * sizeof *got);
    }
    const ride_explanation floats = {got, RIDE_NUMBER_F32};
    cr_assert_eq(ride_explain(three, model, &matrix, &floats), RIDE_RESULT_OK);
    for (size_t i = 0; i < (size_t)MANY * EACH; i++) cr_assert_eq(((float *)got)[i], (float)want[i]);
    ride_unload(model);
    ride_context_destroy(context);
    ride_context_destroy(three);
    free(rows);
    free(want);
    free(got);
    free(margins);
}

Test(ride_api, a_model_tells_what_it_is) {
    ride_context *context = context_of(1);
    ride_predictor *model = loaded(context, "xgboost-3.2.0-plain", "json");
    cr_assert_eq(ride_input_number(model), RIDE_NUMBER_F32);
    cr_assert_eq(ride_output_number(model), RIDE_NUMBER_F32);
    cr_assert_str_eq(ride_input_name(model, 0), "amount");
    cr_assert_str_eq(ride_input_name(model, 3), "kind");
    cr_assert_null(ride_input_name(model, 4));
    cr_assert_eq(ride_input_find(model, "gap"), 2);
    cr_assert_eq(ride_input_find(model, "ga"), -1);
    cr_assert_eq(ride_input_find(model, "gaps"), -1);
    cr_assert_eq(ride_input_find(model, ""), -1);
    cr_assert_eq(ride_input_find(model, NULL), -1);
    cr_assert_eq(ride_input_categories_count(model, 0), 0);
    cr_assert_null(ride_input_category(model, 0, 0));
    cr_assert_not_null(strstr(ride_info(model), "\"format\":\"xgboost\""));
    ride_unload(model);
    model = loaded(context, "lightgbm-4.6.0-plain", "txt");
    cr_assert_eq(ride_input_number(model), RIDE_NUMBER_F64);
    cr_assert_eq(ride_output_number(model), RIDE_NUMBER_F64);
    cr_assert(ride_input_is_category(model, 3) && !ride_input_is_category(model, 0) &&
              !ride_input_is_category(model, 9));
    ride_unload(model);
    ride_context_destroy(context);
    cr_assert_str_eq(ride_result_text(RIDE_RESULT_MODEL), "bad model");
    cr_assert_str_eq(ride_result_text((ride_result)99), "unknown result");
}

Test(ride_api, a_model_that_is_none_is_said_with_all_findings) {
    ride_context *context = context_of(1);
    ride_predictor *model = (ride_predictor *)context;
    static const char two[] = "{\"learner\":{\"objective\":{\"name\":\"reg:nothing\"},\"gradient_booster\":3}}";
    cr_assert_eq(ride_load(NULL, "/nowhere/model.json", NULL, &model), RIDE_RESULT_ARGUMENT);
    cr_assert_null(model);
    model = (ride_predictor *)context;
    expect_said(context, ride_load(context, "/nowhere/model.json", NULL, &model), RIDE_RESULT_NO_FILE,
                "/nowhere/model.json");
    cr_assert_null(model);
    expect_said(context, ride_load(context, "/", NULL, &model), RIDE_RESULT_NO_FILE, "regular");
    expect_said(context, ride_load_memory(context, "nonsense", 8, "bytes", NULL, &model), RIDE_RESULT_MODEL, "bytes");
    expect_said(context, ride_load_memory(context, "", 0, "bytes", NULL, &model), RIDE_RESULT_MODEL, "empty");
    expect_said(context, ride_load_memory(context, two, sizeof two - 1, "two", NULL, &model), RIDE_RESULT_MODEL, "\n");
    ride_load_options few = {.struct_bytes = sizeof few, .trees_max = 2};
    expect_said(context, ride_load(context, golden("xgboost-3.2.0-plain", "json"), &few, &model), RIDE_RESULT_MODEL,
                "tree");
    cr_assert_null(model);
    char manifest[600];
    snprintf(manifest, sizeof manifest, "ensemble: 1\ncombine: mean\nmembers:\n  - {model: %s}\n",
             golden("xgboost-3.2.0-plain", "json"));
    expect_said(context, ride_load_memory(context, manifest, strlen(manifest), "bytes", NULL, &model),
                RIDE_RESULT_MODEL, "bytes:4:13: a manifest from memory opens no file");
    char pipe_path[] = "/tmp/ride-api-XXXXXX/pipe", *slash = strrchr(pipe_path, '/');
    *slash = '\0';
    cr_assert_not_null(mkdtemp(pipe_path));
    *slash = '/';
    cr_assert_eq(mkfifo(pipe_path, 0600), 0);
    alarm(20); /* an open that waits for a writer ends the test */
    expect_said(context, ride_load(context, pipe_path, NULL, &model), RIDE_RESULT_NO_FILE, "regular");
    alarm(0);
    unlink(pipe_path);
    *slash = '\0';
    rmdir(pipe_path);
    few.trees_max = 0;
    cr_assert_eq(ride_load(context, golden("xgboost-3.2.0-plain", "json"), &few, &model), RIDE_RESULT_OK);
    cr_assert_str_eq(ride_context_error(context), "");
    ride_unload(model);
    ride_unload(NULL);
    ride_context_destroy(context);
    ride_context_destroy(NULL);
}

Test(ride_api, options_of_another_version_are_met) {
    struct {
        ride_load_options known;
        uint64_t later[4];
    } newer = {.known = {.struct_bytes = sizeof newer}};
    ride_context *context = context_of(1), *other = NULL;
    ride_predictor *model = NULL;
    const char *path = golden("xgboost-3.2.0-plain", "json");
    cr_assert_eq(ride_load(context, path, &newer.known, &model), RIDE_RESULT_OK, "what is zero asks for nothing");
    ride_unload(model);
    newer.later[2] = 1;
    expect_said(context, ride_load(context, path, &newer.known, &model), RIDE_RESULT_UNSUPPORTED, "option");
    const ride_load_options older = {.struct_bytes = offsetof(ride_load_options, bytes_max), .bytes_max = 1};
    cr_assert_eq(ride_load(context, path, &older, &model), RIDE_RESULT_OK,
                 "what lies behind an older struct is not read");
    ride_unload(model);
    expect_said(context, ride_load(context, path, &(ride_load_options){.bytes_max = 5}, &model), RIDE_RESULT_ARGUMENT,
                "struct_bytes");
    ride_context_destroy(context);
    cr_assert_eq(ride_context_create(&(ride_context_options){.struct_bytes = sizeof(ride_context_options),
                                                             .threads = 5000},
                                     &other),
                 RIDE_RESULT_ARGUMENT);
    cr_assert_null(other);
    cr_assert_eq(ride_context_create(NULL, NULL), RIDE_RESULT_ARGUMENT);
    cr_assert_eq(ride_context_create(NULL, &other), RIDE_RESULT_OK);
    ride_context_destroy(other);
}

Test(ride_api, a_wrong_call_is_said_and_writes_nothing) {
    ride_context *context = context_of(1);
    ride_predictor *model = loaded(context, "xgboost-3.2.0-plain", "json");
    _Alignas(16) float x[2 * INPUTS] = {0}, got[4] = {-1, -1, -1, -1};
    const ride_matrix fine = {x, RIDE_NUMBER_F32, INPUTS, 2, INPUTS, 1};
    const ride_scores out = {.answers = got, .number = RIDE_NUMBER_F32};
    ride_matrix m;
    cr_assert_eq(ride_predict(NULL, model, &fine, &out), RIDE_RESULT_ARGUMENT);
    cr_assert_eq(ride_explain(NULL, model, &fine, NULL), RIDE_RESULT_ARGUMENT);
    cr_assert_eq(ride_reserve(NULL, model), RIDE_RESULT_ARGUMENT);
    expect_said(context, ride_predict(context, NULL, &fine, &out), RIDE_RESULT_ARGUMENT, "NULL");
    expect_said(context, ride_predict(context, model, NULL, &out), RIDE_RESULT_ARGUMENT, "NULL");
    expect_said(context, ride_predict(context, model, &fine, NULL), RIDE_RESULT_ARGUMENT, "neither");
    expect_said(context, ride_predict(context, model, &fine, &(ride_scores){.number = RIDE_NUMBER_F32}),
                RIDE_RESULT_ARGUMENT, "neither");
    expect_said(context, ride_predict(context, model, &fine, &(ride_scores){.answers = got}), RIDE_RESULT_ARGUMENT,
                "number");
    expect_said(context,
                ride_predict(context, model, &fine,
                             &(ride_scores){.answers = (char *)got + 2, .number = RIDE_NUMBER_F32}),
                RIDE_RESULT_ARGUMENT, "aligned");
    m = fine, m.columns_count = 3;
    expect_said(context, ride_predict(context, model, &m, &out), RIDE_RESULT_ARGUMENT, "3 columns, the model 4 inputs");
    m = fine, m.number = (ride_number)7;
    expect_said(context, ride_predict(context, model, &m, &out), RIDE_RESULT_ARGUMENT, "number");
    m = fine, m.values = (char *)x + 1;
    expect_said(context, ride_predict(context, model, &m, &out), RIDE_RESULT_ARGUMENT, "aligned");
    m = fine, m.values = NULL;
    expect_said(context, ride_predict(context, model, &m, &out), RIDE_RESULT_ARGUMENT, "NULL");
    m = fine, m.row_stride = INT64_MIN;
    expect_said(context, ride_predict(context, model, &m, &out), RIDE_RESULT_ARGUMENT, "larger");
    m = fine, m.rows_count = UINT64_MAX / 2;
    expect_said(context, ride_predict(context, model, &m, &out), RIDE_RESULT_ARGUMENT, "m");
    cr_assert(got[0] == -1 && got[1] == -1 && got[2] == -1);
    m = fine, m.rows_count = 0, m.values = NULL;
    cr_assert_eq(ride_predict(context, model, &m, &out), RIDE_RESULT_OK, "no rows are no fault");
    cr_assert_eq(got[0], -1);
    cr_assert_eq(ride_predict(context, model, &fine, &out), RIDE_RESULT_OK);
    cr_assert(got[0] != -1 && got[1] != -1 && got[2] == -1);
    cr_assert_str_eq(ride_context_error(context), "");
    ride_unload(model);
    ride_context_destroy(context);
}
