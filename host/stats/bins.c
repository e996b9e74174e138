/* stats/bins.c: PSI, Jensen–Shannon, L∞ and chi-square from two rows of counts. What is small is computed as small: where the two
 * shares are nearly equal, their logarithms' difference and the divergence are taken from the difference of the shares, not as
 * the difference of two large numbers. */
#include "stats/bins.h"

#include "stats/distributions.h"

#include <math.h>
#include <string.h>

static const long double share_min = 1e-4L; /* what a share of zero counts as in PSI */

void ride_bins_begin(ride_bins *bins, uint64_t n_ref, uint64_t n_cur) {
    memset(bins, 0, sizeof *bins);
    bins->n_ref = (long double)n_ref;
    bins->n_cur = (long double)n_cur;
}

/* ½ ((1 + r) ln(1 + r) + (1 - r) ln(1 - r)) = Σ r^2k / (2k (2k - 1)), 0 <= r <= 1. */
static long double divergence(long double r) {
    if (r >= 1) return 0.693147180559945309417232121458176568L;
    if (r > 0.25L) return ((1 + r) * log1pl(r) + (1 - r) * log1pl(-r)) / 2;
    long double sum = 0, power = 1;
    for (int k = 1; k <= 16; k++) {
        power *= r * r;
        sum += power / (2 * k * (2 * k - 1));
    }
    return sum;
}

void ride_bins_add(ride_bins *bins, uint64_t ref, uint64_t cur) {
    bins->count++;
    if (ref == 0 && cur == 0) return; /* adds nothing to any of them */
    bins->used++;
    long double a = (long double)ref, b = (long double)cur, p = a / bins->n_ref, q = b / bins->n_cur;
    long double cross = b * bins->n_ref - a * bins->n_cur; /* exact below 2^64: the sign and size of q - p */
    long double gap = fabsl(cross) / (bins->n_ref * bins->n_cur);
    if (gap > bins->l_infinity) bins->l_infinity = gap;
    bins->js += (p + q) / 2 * divergence(gap / (p + q));
    bins->chi2 += cross * cross / (bins->n_ref * bins->n_cur * (a + b));
    if (ref == 0) p = share_min;
    if (cur == 0) q = share_min;
    if (ref == 0 || cur == 0) bins->psi += (q - p) * logl(q / p);
    else
        bins->psi += gap * log1pl(gap / (cross > 0 ? p : q)); /* (q - p) ln(q/p) is the same with the sides exchanged */
}

void ride_bins_finish(const ride_bins *bins, ride_drift *out) {
    out->bins = bins->count;
    out->dof = bins->used - 1;
    out->psi = (double)bins->psi;
    out->js_distance = (double)sqrtl(bins->js);
    out->l_infinity = (double)bins->l_infinity;
    out->chi2 = (double)bins->chi2;
    out->chi2_pvalue = ride_chi2_sf(out->chi2, out->dof);
}

void ride_drift_begin(ride_drift *out, uint64_t n_ref, uint64_t missing_ref, uint64_t n_cur, uint64_t missing,
                      bool is_category, uint64_t new_count) {
    uint64_t rows = n_cur + missing;
    *out = (ride_drift){
        .n_ref = n_ref,
        .n_cur = n_cur,
        .missing_ref = missing_ref,
        .missing = missing,
        .psi = NAN,
        .js_distance = NAN,
        .l_infinity = NAN,
        .ks = NAN,
        .ks_pvalue = NAN,
        .ks_error = NAN,
        .wasserstein = NAN,
        .wasserstein_normed = NAN,
        .wasserstein_error = NAN,
        .chi2 = NAN,
        .chi2_pvalue = NAN,
        .missing_rate = rows > 0 ? (double)missing / (double)rows : NAN,
        .new_category_rate = rows > 0 && is_category ? (double)new_count / (double)rows : NAN,
    };
}
