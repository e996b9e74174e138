/* Networks: activations against the C library's of long doubles, steps against what each kind says in words, curves against numpy's interp. */
#include "kernels/row/ensemble.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* Distance of y from the exact value in units of the last place of the nearest double. */
static double ulps(double y, long double exact) {
    const double nearest = (double)exact;
    const double place = nextafter(fabs(nearest), INFINITY) - fabs(nearest);
    return (double)(fabsl((long double)y - exact) / (long double)place);
}

Test(network, activations_are_within_two_units_of_the_last_place) {
    double worst_tanh = 0.0, worst_sigmoid = 0.0;
    for (int i = -200000; i <= 200000; i++) {
        const double x = i * 1.0001e-4;
        const double t = ulps(ride_activation_tanh(x), tanhl((long double)x));
        const double s = ulps(ride_activation_sigmoid(x), 1.0L / (1.0L + expl(-(long double)x)));
        if (t > worst_tanh) worst_tanh = t;
        if (s > worst_sigmoid) worst_sigmoid = s;
    }
    cr_assert_lt(worst_tanh, 2.0, "tanh: %g", worst_tanh);
    cr_assert_lt(worst_sigmoid, 2.0, "sigmoid: %g", worst_sigmoid);
    static const double small[] = {5e-324, 1e-310, 1e-100, 1e-9, 1e-3};
    for (size_t i = 0; i < sizeof small / sizeof *small; i++)
        cr_assert_lt(ulps(ride_activation_tanh(small[i]), tanhl((long double)small[i])), 2.0);
    cr_assert_eq(ride_activation_tanh(1e9), 1.0);
    cr_assert_eq(ride_activation_tanh(-INFINITY), -1.0);
    cr_assert(signbit(ride_activation_tanh(-0.0)) && ride_activation_tanh(-0.0) == 0.0);
    cr_assert_eq(ride_activation_sigmoid(INFINITY), 1.0);
    cr_assert_eq(ride_activation_sigmoid(-INFINITY), 0.0);
    cr_assert(isnan(ride_activation_tanh(NAN)) && isnan(ride_activation_sigmoid(NAN)));
}

/* One step over three numbers. */
static void run(ride_network_step step, const double *numbers, const uint32_t *columns, const double *x, double *y) {
    const ride_network network = {.numbers = numbers, .columns = columns};
    double row[3];
    memcpy(row, x, sizeof row);
    step.inputs = 3;
    if (step.outputs == 0) step.outputs = 3;
    ride_step_row(&network, &step, row, y);
}

Test(network, each_step_does_what_its_name_says) {
    const double numbers[8] = {1.0, 2.0, 4.0, 0.5, 3.0, 8.0, 0.25, -1.0}, x[3] = {3.0, NAN, -2.0};
    const uint32_t columns[2] = {2, 0}, f64 = RIDE_FOREST_F64, f32 = RIDE_FOREST_F32;
    double y[3];
    run((ride_network_step){.kind = RIDE_STEP_IMPUTE, .number = f64}, numbers, NULL, x, y);
    cr_assert(y[0] == 3.0 && y[1] == 2.0 && y[2] == -2.0);
    run((ride_network_step){.kind = RIDE_STEP_IMPUTE, .number = f64, .has_b = 1, .b_first = 4}, numbers, NULL, x, y);
    cr_assert(y[0] == 1.0 && y[1] == 2.0 && y[2] == -2.0);
    run((ride_network_step){.kind = RIDE_STEP_SHIFT_SCALE, .number = f64, .b_first = 3}, numbers, NULL, x, y);
    cr_assert(y[0] == 1.0 && isnan(y[1]) && y[2] == -48.0);
    run((ride_network_step){.kind = RIDE_STEP_SHIFT_DIVIDE, .number = f64, .b_first = 3}, numbers, NULL, x, y);
    cr_assert(y[0] == 4.0 && isnan(y[1]) && y[2] == -0.75);
    run((ride_network_step){.kind = RIDE_STEP_SCALE_SHIFT, .number = f64, .b_first = 3}, numbers, NULL, x, y);
    cr_assert(y[0] == 3.5 && isnan(y[1]) && y[2] == 0.0);
    run((ride_network_step){.kind = RIDE_STEP_SELECT, .number = f64, .outputs = 2}, numbers, columns, x, y);
    cr_assert(y[0] == -2.0 && y[1] == 3.0);
    const double row[3] = {3.0, 0.0, -4.0}, zeros[3] = {0.0, -0.0, 0.0};
    run((ride_network_step){.kind = RIDE_STEP_NORMALIZE_MAX, .number = f64}, NULL, NULL, row, y);
    cr_assert(y[0] == 0.75 && y[2] == -1.0);
    run((ride_network_step){.kind = RIDE_STEP_NORMALIZE_TOP, .number = f64}, NULL, NULL, row, y);
    cr_assert(y[0] == 1.0 && y[1] == 0.0 && y[2] == -4.0 / 3.0);
    const double below[3] = {-2.0, NAN, -4.0}, at_zero[3] = {-2.0, 0.0, -4.0};
    run((ride_network_step){.kind = RIDE_STEP_NORMALIZE_TOP, .number = f32}, NULL, NULL, below, y);
    cr_assert(y[0] == 1.0 && isnan(y[1]) && y[2] == 2.0);
    run((ride_network_step){.kind = RIDE_STEP_NORMALIZE_TOP, .number = f32}, NULL, NULL, at_zero, y);
    cr_assert(y[0] == -2.0 && y[1] == 0.0 && y[2] == -4.0);
    run((ride_network_step){.kind = RIDE_STEP_NORMALIZE_L1, .number = f64}, NULL, NULL, row, y);
    cr_assert(y[0] == 3.0 / 7.0 && y[2] == -4.0 / 7.0);
    run((ride_network_step){.kind = RIDE_STEP_NORMALIZE_L2, .number = f32}, NULL, NULL, row, y);
    cr_assert(y[0] == (double)0.6f && y[2] == (double)-0.8f);
    run((ride_network_step){.kind = RIDE_STEP_NORMALIZE_L2, .number = f64}, NULL, NULL, zeros, y);
    cr_assert(y[0] == 0.0 && y[2] == 0.0);
    run((ride_network_step){.kind = RIDE_STEP_DENSE, .number = f64, .outputs = 2, .has_b = 1, .b_first = 6}, numbers,
        NULL, row, y);
    cr_assert(y[0] == 0.25 + 3.0 - 16.0 && y[1] == -1.0 + 1.5 - 32.0);
    run((ride_network_step){.kind = RIDE_STEP_DENSE, .number = f32, .outputs = 2, .activation = RIDE_ACTIVATION_RELU},
        numbers, NULL, row, y);
    cr_assert(y[0] == 0.0 && y[1] == 0.0);
    run((ride_network_step){.kind = RIDE_STEP_DENSE,
                            .number = f64,
                            .outputs = 2,
                            .activation = RIDE_ACTIVATION_SOFTMAX},
        numbers, NULL, row, y);
    cr_assert_float_eq(y[0], 1.0 / (1.0 + exp(-17.5)), 1e-15); /* -13 and -30.5 */
}

Test(network, a_layer_rounds_once_a_step) {
    /* (1 + e)(1 - e) - 1 = -e^2: fused it is that, rounded in between it is 0. */
    const double e = 0x1p-40, a[2] = {-1.0, 1.0 + e}, x[2] = {1.0, 1.0 - e};
    cr_assert_eq(ride_dense_row(a, 0.0, x, 2, RIDE_FOREST_F64), -e * e);
    const double f = 0x1p-18, b[2] = {-1.0, 1.0 + f}, z[2] = {1.0, 1.0 - f};
    cr_assert_eq(ride_dense_row(b, 0.0, z, 2, RIDE_FOREST_F32), -f * f);
}

/* numpy.interp(x, [0, 1, 1, 3], [0.5, 0.25, 0.75, 1.0]) of numpy 2.2 */
Test(network, a_curve_is_numpys_interpolation) {
    const double points[8] = {0.0, 1.0, 1.0, 3.0, 0.5, 0.25, 0.75, 1.0};
    static const double pairs[][2] = {{-1.0, 0.5},   {0.0, 0.5},    {0.25, 0.4375}, {1.0, 0.75},
                                      {1.5, 0.8125}, {2.9, 0.9875}, {3.0, 1.0},     {9.0, 1.0}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        cr_assert_eq(ride_curve_row(points, 4, pairs[i][0]), pairs[i][1], "%g", pairs[i][0]);
    cr_assert(isnan(ride_curve_row(points, 4, NAN)));
    cr_assert_eq(ride_curve_row(points + 3, 1, -5.0), 0.5); /* one point: level */
}
