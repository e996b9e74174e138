/* stats/chi2.c: the tail of the chi-square distribution: the regularised upper incomplete gamma function Q(a, x) at
 * a = dof / 2, x = chi2 / 2.
 *
 * dof is an integer, so Q has a finite form without cancellation: Q(a, x) = Q(a - 1, x) + x^(a-1) e^-x / Γ(a), down to
 * Q(0, x) = 0 or Q(1/2, x) = erfc(√x) (DLMF 8.8.2, 8.4.6). All terms are positive and fall from the first on where x >= a, so the tail keeps
 * its relative precision down to the smallest double. Below that the series of P (DLMF 8.11.4), of which Q = 1 - P is not small. */
#include "stats/distributions.h"

#include <math.h>

static const long double tiny = 1e-22L; /* of a sum: what cannot change it */

double ride_chi2_sf(double chi2, uint32_t dof) {
    long double a = dof / 2.0L, x = chi2 / 2.0L, sum = 0;
    if (isnan(chi2)) return NAN;
    if (dof == 0 || x <= 0) return 1;
    if (isinf(chi2)) return 0;
    int sign; /* lgammal would write a global */
    long double term = expl((a - 1) * logl(x) - x - lgammal_r(a, &sign));
    if (x < a) {
        term *= x / a;
        for (uint64_t i = 1; term > tiny * sum; i++) {
            sum += term;
            term *= x / (a + i);
        }
        return sum < 1 ? (double)(1 - sum) : 0;
    }
    for (uint32_t i = 0; i < dof / 2 && term > tiny * sum; i++) { /* ⌊a⌋ terms */
        sum += term;
        term *= (a - 1 - i) / x;
    }
    if (dof % 2 == 1) sum += erfcl(sqrtl(x));
    return (double)sum;
}
