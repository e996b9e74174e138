/* Reason codes: the greatest shares by sorting, and a linear model's shares by definition. */
#include "kernels/row/reasons.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

enum { INPUTS = 40, MOST = 8 };

static uint64_t draw(uint64_t *state) {
    *state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
    return *state;
}

static int compare(const void *a, const void *b) {
    const ride_reason *l = a, *r = b;
    if (fabs(l->share) != fabs(r->share)) return fabs(l->share) > fabs(r->share) ? -1 : 1;
    return (l->input > r->input) - (l->input < r->input);
}

Test(reasons, are_the_greatest_shares_in_order) {
    uint64_t state = 7;
    for (int round = 0; round < 3000; round++) {
        double phi[2 * INPUTS];
        ride_reason all[INPUTS], got[MOST];
        const uint32_t inputs = (uint32_t)(draw(&state) % INPUTS), most = 1 + (uint32_t)(draw(&state) % MOST);
        const ride_reason_side side = (ride_reason_side)(draw(&state) % 3);
        const uint32_t stride = 1 + (uint32_t)(draw(&state) % 2);
        uint32_t count = 0;
        for (uint32_t i = 0; i < inputs; i++) {
            const uint64_t kind = draw(&state) % 20;
            const double share =
                kind == 0 ? (double)NAN : ((double)(draw(&state) % 13) - 6.0) / 4.0; /* many equals, zeros */
            phi[i * stride] = share;
            if (fabs(share) > 0.0 && !(side == RIDE_REASON_RAISE && share < 0.0) &&
                !(side == RIDE_REASON_LOWER && share > 0.0))
                all[count++] = (ride_reason){share, i};
        }
        qsort(all, count, sizeof *all, compare);
        const uint32_t want = count < most ? count : most;
        cr_assert_eq(ride_reasons_row(phi, stride, inputs, side, most, got), want);
        for (uint32_t i = 0; i < want; i++) {
            cr_assert_eq(got[i].input, all[i].input);
            cr_assert_eq(got[i].share, all[i].share);
        }
    }
}

Test(reasons, of_no_room_there_are_none) {
    const double phi[2] = {1.0, -2.0};
    cr_assert_eq(ride_reasons_row(phi, 1, 2, RIDE_REASON_BOTH, 0, NULL), 0);
}

Test(reasons, shares_of_a_linear_model_are_shapleys) {
    enum { N = 4 };
    const double weights[N] = {0.5, -2.0, 0.25, 3.0}, means[N] = {1.0, 2.0, -4.0, 0.5}, x[N] = {3.0, 1.5, 8.0, -1.0};
    double phi[N + 1], values[1 << N];
    for (uint32_t set = 0; set < 1u << N; set++) {
        values[set] = 0.75;
        for (uint32_t i = 0; i < N; i++) values[set] += weights[i] * (set >> i & 1 ? x[i] : means[i]);
    }
    ride_linear_shares_row(weights, means, 0.75, x, 1, N, phi);
    cr_assert_float_eq(phi[N], values[0], 1e-12);
    for (uint32_t i = 0; i < N; i++) {
        static const double of_size[N] = {1.0 / 4, 1.0 / 12, 1.0 / 12, 1.0 / 4};
        double want = 0.0;
        for (uint32_t set = 0; set < 1u << N; set++)
            if ((set >> i & 1) == 0) want += of_size[__builtin_popcount(set)] * (values[set | 1u << i] - values[set]);
        cr_assert_float_eq(phi[i], want, 1e-12);
    }
}
