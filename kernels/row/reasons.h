/* kernels/row/reasons.h: from the shares of a row's inputs in its margin to the few that count: reason codes. And the shares themselves where the
 * model is a sum of weights; those of forests are kernels/cpu/shap.h. */
#ifndef RIDE_KERNELS_ROW_REASONS_H
#define RIDE_KERNELS_ROW_REASONS_H
#include "base/hd.h"

#include <stddef.h>
#include <stdint.h>

/* Which inputs can be a reason. */
typedef enum ride_reason_side {
    RIDE_REASON_BOTH = 0,  /* those that move the answer most, either way */
    RIDE_REASON_RAISE = 1, /* those with shares above 0, which raise it: why a payment looks like fraud */
    RIDE_REASON_LOWER = 2, /* those that lower it: why not */
} ride_reason_side;

typedef struct ride_reason {
    double share; /* its sign says which way */
    uint32_t input;
} ride_reason;

/* The greatest shares of inputs 0 … inputs_count - 1, share of input i at phi[i * stride], greatest first, the lower input first of equals. What is 0, or no number, is no
 * reason. out: room for `most`. Returns how many there are. */
RIDE_HD static inline uint32_t ride_reasons_row(const double *phi, uint32_t stride, uint32_t inputs_count,
                                                ride_reason_side side, uint32_t most, ride_reason *out) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < inputs_count; i++) {
        const double share = phi[(size_t)i * stride], size = share < 0.0 ? -share : share;
        if (!(size > 0.0) || (side == RIDE_REASON_RAISE && share < 0.0) || (side == RIDE_REASON_LOWER && share > 0.0))
            continue;
        uint32_t at = count;
        while (at > 0 && (out[at - 1].share < 0.0 ? -out[at - 1].share : out[at - 1].share) < size) at--;
        if (at == most) continue;
        if (count < most) count++;
        for (uint32_t k = count - 1; k > at; k--) out[k] = out[k - 1];
        out[at].share = share;
        out[at].input = i;
    }
    return count;
}

/* Inputs that are one reason: input i belongs to leader[i], the first of its group. sums: each group's shares at its leader, 0 at its others. named: at
 * each leader the input that moves the answer most in the direction of the sum, the first of equals. */
RIDE_HD static inline void ride_reasons_group_row(const double *phi, const uint32_t *leader, uint32_t inputs_count,
                                                  double *sums, uint32_t *named) {
    for (uint32_t i = 0; i < inputs_count; i++) {
        sums[i] = 0.0;
        named[i] = i;
    }
    for (uint32_t i = 0; i < inputs_count; i++) sums[leader[i]] += phi[i];
    for (uint32_t i = 0; i < inputs_count; i++) {
        const uint32_t to = leader[i], most = named[to];
        if (sums[to] < 0.0 ? phi[i] < phi[most] : phi[i] > phi[most]) named[to] = i;
    }
}

/* Shares of a linear margin, sum of weights[i] * x[i * stride] + intercept, against a row of means: exact Shapley values for inputs that are
 * independent of each other. phi: inputs_count shares, and last the margin of the means. All products and sums are done in the order of the inputs. */
RIDE_HD static inline void ride_linear_shares_row(const double *weights, const double *means, double intercept,
                                                  const double *x, uint32_t stride, uint32_t inputs_count,
                                                  double *phi) {
    double expected = intercept;
    for (uint32_t i = 0; i < inputs_count; i++) {
        expected += weights[i] * means[i];
        phi[i] = weights[i] * (x[(size_t)i * stride] - means[i]);
    }
    phi[inputs_count] = expected;
}

#endif
