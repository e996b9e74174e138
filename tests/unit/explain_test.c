/* The parts of explanations: mean gradients of all kinds of steps against differences of the plain walk, and what becomes of shares. How whole models are explained:
 * tests/conformance/explanations_test.c and tests/integration/test_explanations.py. */
#include "kernels/cpu/explain_internal.h"
#include "kernels/row/network.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 40, STEPS = 8, NUMBERS = STEPS * (WIDTH + 1) * WIDTH };

typedef struct net {
    ride_network_header header;
    ride_network_step steps[STEPS];
    double numbers[NUMBERS];
    uint32_t columns[STEPS * WIDTH];
    ride_network view;
    uint64_t random;
} net;

static double draw(net *n) { /* -1 … 1 */
    n->random = n->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(int64_t)n->random / 9223372036854775808.0;
}
static uint32_t below(net *n, uint32_t count) { return (uint32_t)((draw(n) * 0.5 + 0.5) * 0.999999 * count); }

static void step_add(net *n, uint32_t kind, uint32_t activation, uint32_t outputs) {
    ride_network_header *h = &n->header;
    ride_network_step *step = &n->steps[h->steps_count++];
    *step =
        (ride_network_step){.kind = kind,
                            .number = RIDE_FOREST_F64,
                            .activation = activation,
                            .inputs = h->outputs_count,
                            .outputs = kind == RIDE_STEP_DENSE || kind == RIDE_STEP_SELECT ? outputs : h->outputs_count,
                            .has_b = kind != RIDE_STEP_IMPUTE && kind != RIDE_STEP_SELECT,
                            .a_first = h->numbers_count,
                            .columns_first = h->columns_count};
    const uint64_t a = ride_step_a_count(step), b = ride_step_b_count(step);
    step->b_first = step->a_first + (uint32_t)a;
    for (uint64_t i = 0; i < a + b; i++) {
        const double x = draw(n);
        n->numbers[h->numbers_count++] = kind == RIDE_STEP_DENSE ? x : x < 0.0 ? x - 0.5 : x + 0.5;
    }
    for (uint32_t o = 0; kind == RIDE_STEP_SELECT && o < outputs; o++)
        n->columns[h->columns_count++] = below(n, step->inputs);
    h->outputs_count = step->outputs;
}

static net *net_make(uint64_t seed, uint32_t inputs) {
    net *n = calloc(1, sizeof *n);
    cr_assert_not_null(n);
    n->random = seed * 77 + 1;
    n->header = (ride_network_header){.inputs_count = inputs, .outputs_count = inputs, .number = RIDE_FOREST_F64};
    n->view = (ride_network){.header = &n->header, .steps = n->steps, .numbers = n->numbers, .columns = n->columns};
    return n;
}

static void walk(const net *n, const double *x, double *out) {
    double rooms[2][WIDTH];
    memcpy(rooms[0], x, n->header.inputs_count * sizeof *x);
    memcpy(out, ride_network_row(&n->view, rooms[0], rooms[1]), n->header.outputs_count * sizeof *out);
}

/* The gradient of a row, with the sum of each output's shares beside what they should be. Returns the greatest error as part of the shares' sizes. */
static double mean_gradient(const net *n, const double *base, const double *z, double *out) {
    const uint32_t inputs = n->header.inputs_count;
    explain_gradient *g = NULL;
    ride_error err = {0};
    double from[WIDTH], to[WIDTH], worst = 0.0;
    cr_assert_eq(explain_gradient_create(&n->view, 0, inputs, base, &g, &err), RIDE_OK, "%s", err.what);
    const size_t bytes = explain_gradient_scratch_bytes(g);
    void *scratch = aligned_alloc(64, bytes + 64);
    memset(scratch, 0x5a, bytes);
    explain_gradient_row(g, scratch, z, out);
    walk(n, base, from);
    walk(n, z, to);
    for (uint32_t o = 0; o < n->header.outputs_count; o++) {
        double sum = 0.0, size = fabs(from[o]) + fabs(to[o]);
        for (uint32_t i = 0; i < inputs; i++) {
            sum += out[o * inputs + i] * (z[i] - base[i]);
            size += fabs(out[o * inputs + i] * (z[i] - base[i]));
        }
        const double error = size > 0.0 ? fabs(to[o] - from[o] - sum) / size : 0.0;
        if (error > worst) worst = error;
    }
    free(scratch);
    explain_gradient_destroy(g);
    return worst;
}

static double worst_of_layers(uint32_t activation, double scale) {
    double base[WIDTH], z[WIDTH], out[WIDTH * WIDTH], worst = 0.0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        net *n = net_make(seed, 16);
        step_add(n, RIDE_STEP_SHIFT_DIVIDE, 0, 0);
        for (int layer = 0; layer < 3; layer++) step_add(n, RIDE_STEP_DENSE, activation, layer == 1 ? 40 : 24);
        step_add(n, RIDE_STEP_DENSE, RIDE_ACTIVATION_NONE, 2);
        for (int i = 0; i < 16; i++) {
            base[i] = draw(n);
            z[i] = scale * draw(n);
        }
        const double error = mean_gradient(n, base, z, out);
        if (error > worst) worst = error;
        free(n);
    }
    return worst;
}

/* docs/explanations.md states these. */
Test(explain, shares_of_layers_add_up) {
    cr_assert_lt(worst_of_layers(RIDE_ACTIVATION_NONE, 3.0), 1e-12);
    cr_assert_lt(worst_of_layers(RIDE_ACTIVATION_RELU, 3.0), 1e-12, "%g", worst_of_layers(RIDE_ACTIVATION_RELU, 3.0));
    cr_assert_lt(worst_of_layers(RIDE_ACTIVATION_TANH, 1.0), 1e-8, "%g", worst_of_layers(RIDE_ACTIVATION_TANH, 1.0));
    cr_assert_lt(worst_of_layers(RIDE_ACTIVATION_SIGMOID, 2.0), 1e-8, "%g",
                 worst_of_layers(RIDE_ACTIVATION_SIGMOID, 2.0));
}

/* Rows far from the baseline: all that bends is in a small part of the way. */
Test(explain, shares_of_outliers_add_up) {
    for (double scale = 10.0; scale <= 1000.0; scale *= 10.0) {
        const double tanh_error = worst_of_layers(RIDE_ACTIVATION_TANH, scale),
                     sigmoid_error = worst_of_layers(RIDE_ACTIVATION_SIGMOID, scale);
        cr_assert_lt(tanh_error, 1e-7, "tanh, %g: %g", scale, tanh_error);
        cr_assert_lt(sigmoid_error, 1e-7, "sigmoid, %g: %g", scale, sigmoid_error);
    }
}

/* By differences at many points of the way. */
static void slow_gradient(const net *n, const double *base, const double *z, double *out) {
    enum { POINTS = 4000 };
    const uint32_t inputs = n->header.inputs_count, outputs = n->header.outputs_count;
    double x[WIDTH], high[WIDTH], low[WIDTH];
    memset(out, 0, (size_t)inputs * outputs * sizeof *out);
    for (int p = 0; p < POINTS; p++)
        for (uint32_t i = 0; i < inputs; i++) {
            for (uint32_t k = 0; k < inputs; k++) x[k] = base[k] + (p + 0.5) / POINTS * (z[k] - base[k]);
            const double at = x[i];
            x[i] = at + 1e-6;
            walk(n, x, high);
            x[i] = at - 1e-6;
            walk(n, x, low);
            for (uint32_t o = 0; o < outputs; o++) out[o * inputs + i] += (high[o] - low[o]) / 2e-6 / POINTS;
        }
}

Test(explain, gradients_of_all_steps_are_those_of_differences) {
    uint32_t tried[RIDE_STEPS] = {0}, activated[RIDE_ACTIVATIONS] = {0};
    double base[WIDTH], z[WIDTH], got[WIDTH * WIDTH], want[WIDTH * WIDTH];
    for (uint64_t seed = 1; seed <= 120; seed++) {
        net *n = net_make(seed, 2 + (uint32_t)seed % 4);
        for (uint32_t s = 0; s < 1 + seed % 4; s++) {
            const uint32_t any = 1 + below(n, RIDE_STEPS - 1), activation = below(n, RIDE_ACTIVATIONS);
            const uint32_t kind = any == RIDE_STEP_NORMALIZE_TOP ? RIDE_STEP_DENSE : any; /* it is refused */
            step_add(n, kind, kind == RIDE_STEP_DENSE ? activation : 0, 2 + below(n, 4));
            tried[kind]++;
            if (kind == RIDE_STEP_DENSE) activated[activation]++;
        }
        const uint32_t inputs = n->header.inputs_count;
        for (uint32_t i = 0; i < inputs; i++) {
            base[i] = 0.5 + 0.4 * draw(n); /* of one sign: a norm's slope does not jump on the way */
            z[i] = 1.0 + 0.5 * draw(n);
        }
        mean_gradient(n, base, z, got);
        slow_gradient(n, base, z, want);
        double greatest = 0.01;
        for (uint32_t i = 0; i < inputs * n->header.outputs_count; i++)
            if (fabs(want[i]) > greatest) greatest = fabs(want[i]);
        for (uint32_t i = 0; i < inputs * n->header.outputs_count; i++)
            cr_assert_float_eq(got[i], want[i], 0.02 * greatest, "seed %llu, number %u: %.9g, by differences %.9g",
                               (unsigned long long)seed, i, got[i], want[i]);
        free(n);
    }
    for (uint32_t k = 1; k < RIDE_STEPS; k++)
        cr_assert(tried[k] > 5 || k == RIDE_STEP_NORMALIZE_TOP, "step %u: %u times", k, tried[k]);
    for (uint32_t k = 0; k < RIDE_ACTIVATIONS; k++) cr_assert_gt(activated[k], 0, "activation %u", k);
}

Test(explain, a_network_that_is_too_large_is_refused) {
    double base[WIDTH] = {0};
    explain_gradient *g = NULL;
    ride_error err = {0};
    net *n = net_make(1, 16);
    step_add(n, RIDE_STEP_DENSE, RIDE_ACTIVATION_TANH, 4);
    n->header.outputs_count = 1u << 31; /* nothing is read */
    cr_assert_eq(explain_gradient_create(&n->view, 0, 16, base, &g, &err), RIDE_E_UNSUPPORTED);
    cr_assert(g == NULL && strstr(err.what, "too large") != NULL, "%s", err.what);
    n->header.outputs_count = 4;
    n->steps[0].outputs = 1u << 24;
    cr_assert_eq(explain_gradient_create(&n->view, 0, 16, base, &g, &err), RIDE_E_UNSUPPORTED);
    free(n);
}

static double squared(const void *context, double x) {
    (void)context;
    return x * x;
}
static double sum_of(const double *x, uint32_t count) {
    double sum = 0.0;
    for (uint32_t i = 0; i < count; i++) sum += x[i];
    return sum;
}

Test(explain, shares_of_a_function_add_up_and_keep_their_proportions) {
    const double phi[] = {2.0, -0.5, 0.0, 0.25}, none[4] = {0}, cancel[] = {1.0, -1.0, 0.5, -0.499};
    double out[4], expected = 3.0, m = expected + sum_of(phi, 4);
    explain_rescale(phi, 4, expected, m * m - 9.0, squared, NULL, out);
    cr_assert_float_eq(sum_of(out, 4), m * m - 9.0, 1e-14);
    for (int i = 0; i < 4; i++) cr_assert_float_eq(out[i], phi[i] * (m + 3.0), 1e-14); /* (m^2 - 9) / (m - 3) */
    m = expected + sum_of(cancel, 4);
    explain_rescale(cancel, 4, expected, m * m - 9.0, squared, NULL, out);
    cr_assert_float_eq(sum_of(out, 4), m * m - 9.0, 1e-14);
    for (int i = 0; i < 4; i++) cr_assert_float_eq(out[i], cancel[i] * 6.0, 1e-4); /* the slope at 3 */
    explain_rescale(none, 4, expected, 0.0, squared, NULL, out);
    for (int i = 0; i < 4; i++) cr_assert_eq(out[i], 0.0);
    explain_rescale(none, 4, expected, 1.0, squared, NULL, out);
    for (int i = 0; i < 4; i++) cr_assert_eq(out[i], 0.25);
    const double unknown[] = {1.0, (double)NAN, 0.0, 2.0};
    explain_rescale(unknown, 4, expected, 1.0, squared, NULL, out); /* its link makes a number of it */
    for (int i = 0; i < 4; i++) cr_assert_eq(out[i], 0.25);
    explain_rescale(phi, 4, expected, (double)NAN, squared, NULL, out);
    for (int i = 0; i < 4; i++) cr_assert(isnan(out[i]));
    explain_rescale(cancel, 4, expected, (double)NAN, squared, NULL, out);
    for (int i = 0; i < 4; i++) cr_assert(isnan(out[i]));
}

Test(explain, shares_pass_through_the_last_model) {
    const double shares[] = {0.3, -0.1, 0.2}, no_number[] = {(double)NAN, 0.1, 0.2}, none[3] = {0};
    const uint32_t to[] = {4, 0, 4};
    double out[5] = {0};
    explain_pass(shares, 3, 2.0, 0.8, to, out);
    cr_assert_float_eq(out[4], 1.0, 1e-15);
    cr_assert_float_eq(out[0], -0.2, 1e-15);
    memset(out, 0, sizeof out);
    explain_pass(shares, 3, 2.0, 1.4, to, out); /* 0.6 is missing: by sizes 3, 1, 2 */
    cr_assert_float_eq(out[4], 1.0 + 0.5, 1e-15);
    cr_assert_float_eq(out[0], -0.2 + 0.1, 1e-15);
    memset(out, 0, sizeof out);
    explain_pass(no_number, 3, 0.0, 0.6, to, out);
    cr_assert_float_eq(sum_of(out, 5), 0.6, 1e-15);
    memset(out, 0, sizeof out);
    explain_pass(none, 3, 5.0, 0.3, to, out);
    cr_assert_float_eq(sum_of(out, 5), 0.3, 1e-15);
    explain_pass(shares, 3, 2.0, (double)NAN, to, out);
    cr_assert(isnan(out[0]) && isnan(out[4]));
}
