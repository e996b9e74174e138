/* kernels/cpu/quadrature.c: roots of Legendre's polynomials by halving. */
#include "kernels/cpu/quadrature.h"

#include "base/assert.h"

#include <stdbool.h>

/* Legendre's polynomial of degree n at x, and the one before. */
static double legendre(uint32_t n, double x, double *before) {
    double last = 1.0, now = x;
    for (uint32_t k = 2; k <= n; k++) {
        const double next = ((2.0 * k - 1.0) * x * now - (k - 1.0) * last) / k;
        last = now;
        now = next;
    }
    *before = last;
    return now;
}

/* The roots of a degree lie between those of the degree before: halving finds them with nothing but sums and products, the same everywhere. */
static double root_between(uint32_t n, double low, double high) {
    double before;
    const bool rises = legendre(n, high, &before) > 0.0;
    for (int i = 0; i < 64; i++) {
        const double middle = 0.5 * (low + high);
        if ((legendre(n, middle, &before) > 0.0) == rises) high = middle;
        else low = middle;
    }
    return 0.5 * (low + high);
}

void ride_quadratures(uint32_t points_most, double *nodes, double *weights) {
    double roots[RIDE_QUADRATURE_MAX + 1];
    RIDE_ASSERT(points_most <= RIDE_QUADRATURE_MAX);
    for (uint32_t n = 1; n <= points_most; n++) {
        double last = -1.0;
        for (uint32_t i = 0; i < n; i++) {
            const double low = last, high = i + 1 < n ? roots[i] : 1.0;
            last = high;
            roots[i] = root_between(n, low, high);
            double before;
            legendre(n, roots[i], &before);
            const double x = roots[i], slope = n * before; /* (1 - x^2) times the derivative, since x is a root */
            nodes[ride_quadrature_first(n) + i] = 0.5 * (1.0 + x);
            weights[ride_quadrature_first(n) + i] = (1.0 - x * x) / (slope * slope);
        }
    }
}
