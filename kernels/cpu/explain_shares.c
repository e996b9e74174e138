/* kernels/cpu/explain_shares.c: shares of a margin become shares of a function of it. */
#include "kernels/cpu/explain_internal.h"

#include <math.h>

/* Shares that nearly cancel each other say nothing by their sum. */
enum { SIZES_PER_SUM = 64 };

typedef struct measure {
    double sum, size;
} measure;

static measure measure_of(const double *shares, uint32_t count) {
    measure m = {0};
    for (uint32_t i = 0; i < count; i++) {
        m.sum += shares[i];
        m.size += fabs(shares[i]);
    }
    return m;
}

/* The part of a rest that share i takes: by its size; where no share has one, all the same. */
static double part_of(double rest, double share, const measure *m, uint32_t count) {
    if (rest == 0.0) return 0.0;
    return m->size > 0.0 ? rest * (fabs(share) / m->size) : rest / count;
}

void explain_spread(double *shares, uint32_t count, double rest) {
    const measure m = measure_of(shares, count);
    for (uint32_t i = 0; i < count; i++) shares[i] += part_of(rest, shares[i], &m, count);
}

void explain_rescale(const double *phi, uint32_t count, double expected, double change, explain_fn fn,
                     const void *context, double *out) {
    const measure m = measure_of(phi, count);
    if (!isfinite(m.size)) { /* no bound, or a number that a link made of none: what is left is what became of it */
        for (uint32_t i = 0; i < count; i++) out[i] = change / count;
        return;
    }
    if (fabs(m.sum) * SIZES_PER_SUM > m.size) { /* the mean slope from the expected margin to the row's */
        for (uint32_t i = 0; i < count; i++) out[i] = phi[i] * (change / m.sum);
        return;
    }
    const double step = m.size / SIZES_PER_SUM;
    double slope = step > 0.0 ? (fn(context, expected + step) - fn(context, expected - step)) / (2.0 * step) : 0.0;
    if (!isfinite(slope)) slope = 0.0; /* some links end */
    const double rest = change - slope * m.sum;
    for (uint32_t i = 0; i < count; i++) out[i] = slope * phi[i] + part_of(rest, phi[i], &m, count);
}

void explain_divide(const double *shares, uint32_t count, double total, const uint32_t *to, double *out) {
    const measure m = measure_of(shares, count);
    if (!isfinite(m.size))
        for (uint32_t i = 0; i < count; i++) out[to[i]] += total / count;
    else if (fabs(m.sum) * SIZES_PER_SUM > m.size)
        for (uint32_t i = 0; i < count; i++) out[to[i]] += shares[i] * (total / m.sum);
    else
        for (uint32_t i = 0; i < count; i++) out[to[i]] += part_of(total, shares[i], &m, count);
}

void explain_pass(const double *shares, uint32_t count, double slope, double total, const uint32_t *to, double *out) {
    measure m = measure_of(shares, count);
    if (!isfinite(m.size) && !isnan(total)) { /* what is no number was replaced by one */
        for (uint32_t i = 0; i < count; i++) out[to[i]] += total / count;
        return;
    }
    const double rest = total - slope * m.sum;
    for (uint32_t i = 0; i < count; i++) out[to[i]] += slope * shares[i] + part_of(rest, shares[i], &m, count);
}
