/* The CPU's engine for networks with every instruction set of this machine: fused multiply-adds are the C library's, bit for bit, also where a sum lies in the
 * middle of two numbers, cancels, is denormal or overflows. (Whole networks: conformance/ensembles_test.) */
#include "kernels/cpu/network.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUTPUTS = 6, ROWS = 70, LAYERS = 3000 };

static uint64_t state = 88172645463325252u;
static uint64_t draw(void) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state;
}

static double any_number(bool is_float) {
    static const double odd[] = {0.0,      -0.0,           1.0,       -1.0,      0x1p-149, -0x1p-149,
                                 0x1p-126, 0x1.fffffep127, 0x1p-1074, 0x1.fp1023};
    const uint64_t bits = draw();
    const uint32_t word = (uint32_t)bits;
    double x;
    float f;
    memcpy(&x, &bits, sizeof x);
    memcpy(&f, &word, sizeof f);
    if (draw() % 8 == 0) return odd[draw() % (is_float ? 8 : sizeof odd / sizeof *odd)];
    if (draw() % 2) return (double)((int64_t)(bits >> 32) % 4096) * (is_float ? 0x1p-30 : 0x1p-60);
    return is_float ? (double)f : x;
}
static double finite_number(bool is_float) {
    double x = any_number(is_float);
    while (!isfinite(x)) x = any_number(is_float);
    return x;
}

/* What decides for a product: a third number that cancels it, is in the middle of the next ones, or far away. */
static double third(double a, double b, bool is_float) {
    const double product = a * b;
    double c = finite_number(is_float);
    switch (draw() % 5) {
    case 0: c = -product; break;
    case 1: c = -product * (is_float ? 0x1p24 : 0x1p53) * (double)(1 + draw() % 3); break;
    case 2: c = product * (is_float ? 0x1p-25 : 0x1p-54) * (double)(1 + draw() % 3); break;
    case 3: c = nextafter(product, c); break;
    default: break;
    }
    if (is_float) c = (double)(float)c;
    return isfinite(c) ? c : 1.0;
}

static double fused(double a, double b, double c, bool is_float) {
    return is_float ? (double)fmaf((float)a, (float)b, (float)c) : fma(a, b, c);
}

static void layers_try(ride_cpu_isa isa, bool is_float) {
    const uint32_t number = is_float ? RIDE_FOREST_F32 : RIDE_FOREST_F64;
    const ride_network_header header = {.network_version = RIDE_NETWORK_VERSION,
                                        .networks_count = 1,
                                        .inputs_count = 1,
                                        .outputs_count = OUTPUTS,
                                        .steps_count = 1,
                                        .numbers_count = 2 * OUTPUTS,
                                        .width_max = OUTPUTS,
                                        .number = number};
    const ride_network_step step = {
        .kind = RIDE_STEP_DENSE, .number = number, .inputs = 1, .outputs = OUTPUTS, .has_b = 1, .b_first = OUTPUTS};
    double numbers[2 * OUTPUTS], out[OUTPUTS * 128];
    _Alignas(64) double x[128] = {0};
    const ride_network network = {.header = &header, .steps = &step, .numbers = numbers};
    const ride_cpu_columns in = {x, RIDE_FOREST_F64, 128};
    ride_error err;
    for (uint32_t layer = 0; layer < LAYERS; layer++) {
        for (uint32_t o = 0; o < OUTPUTS; o++) numbers[o] = finite_number(is_float);
        for (uint32_t r = 0; r < ROWS; r++) x[r] = any_number(is_float);
        for (uint32_t o = 0; o < OUTPUTS; o++) numbers[OUTPUTS + o] = third(numbers[o], x[draw() % ROWS], is_float);
        ride_cpu_network *n = NULL;
        cr_assert_eq(ride_cpu_network_create(&network, isa, &n, &err), RIDE_OK);
        void *scratch = aligned_alloc(64, (ride_cpu_network_scratch_bytes(n) + 63) / 64 * 64);
        cr_assert_not_null(scratch);
        ride_cpu_network_columns(n, scratch, &in, NULL, ROWS, out, 128);
        for (uint32_t o = 0; o < OUTPUTS; o++)
            for (uint32_t r = 0; r < ROWS; r++) {
                const double want = fused(numbers[o], x[r], numbers[OUTPUTS + o], is_float), got = out[o * 128 + r];
                cr_assert((isnan(want) && isnan(got)) || memcmp(&want, &got, sizeof want) == 0,
                          "%s: %a * %a + %a is %a, not %a", ride_cpu_isa_name(isa), numbers[o], x[r],
                          numbers[OUTPUTS + o], want, got);
            }
        free(scratch);
        ride_cpu_network_destroy(n);
    }
}

Test(cpu_network, a_layer_is_a_chain_of_fused_multiply_adds) {
    for (ride_cpu_isa isa = RIDE_CPU_PORTABLE; isa < RIDE_CPU_ISAS; isa++) {
        if (!ride_cpu_isa_has(isa)) {
            fprintf(stderr, "%s skipped: this machine has no %s\n", ride_cpu_isa_name(isa), ride_cpu_isa_name(isa));
            continue;
        }
        layers_try(isa, true);
        layers_try(isa, false);
    }
}
