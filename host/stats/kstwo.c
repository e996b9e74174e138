/* stats/kstwo.c: the exact distribution of the two-sided Kolmogorov–Smirnov statistic D_n.
 *
 * Which method for which n and d follows R. Simard and P. L'Ecuyer, "Computing the Two-Sided Kolmogorov-Smirnov
 * Distribution", J. Stat. Software 39(11), 2011, as scipy's kstwo does, so that its p-values come out:
 *   - d near its ends: Ruben and Gambino's closed forms
 *   - d large (n d² > 4, from n = 141 on >= 2.2): twice the one-sided tail, whose overlap is then below the precision
 *   - d small: the matrix of Durbin as Marsaglia, Tsang and Wang compute it ("Evaluating Kolmogorov's Distribution",
 *     J. Stat. Software 8(18), 2003). scipy takes Pomeranz' recursion for a part of this; both are exact, and in the numbers used
 *     here the matrix is precise enough for all of it
 *   - else the expansion of W. Pelz and I. J. Good, J. Royal Stat. Soc. B 38(2), 1976
 * Above n = 10^6 the one-sided tail is Maag and Dicaire's approximation, because it is scipy's.
 *
 * long double has 64 bits of mantissa (or more) where it matters: n d² times a rounding error of d shows in the tail. Where it is only a
 * double the deep tail loses two digits. */
#include "stats/distributions.h"

#include <math.h>
#include <string.h>

enum {
    SMALL_N = 140,
    MATRIX_N = 100000,
    ROWS_MAX = 128, /* of the matrix: 2 ceil(n d) - 1 with n d <= √(140 * 4) or <= (1.4² * 10^5)^(1/3) */
    SUM_TERMS = 1024,
    SUM_N = 1000000,
};
static const double exponent_max = 745.2; /* e to the minus this is less than half the smallest double */

/* log(m! / (√(2πm) (m/e)^m)), Stirling's series (DLMF 5.11.1) from 16 on. */
static long double stirling_rest(long double m) {
    if (m < 16) {
        long double log_factorial = 0;
        for (int i = 2; i <= (int)m; i++) log_factorial += logl(i);
        return log_factorial - (m + 0.5L) * logl(m) + m - 0.918938533204672741780329736405617640L;
    }
    long double r = 1 / (m * m);
    return (1 / 12.0L -
            r * (1 / 360.0L -
                 r * (1 / 1260.0L -
                      r * (1 / 1680.0L -
                           r * (1 / 1188.0L - r * (691 / 360360.0L - r * (1 / 156.0L - r * (3617 / 122400.0L)))))))) /
           m;
}

/* P(D_n+ > d) = Σ_v x / (x + v/n) · binomial(v; n, x + v/n) with x = d (Smirnov; Birnbaum and Tingey 1951), every term as the saddle point form of
 * C. Loader ("Fast and Accurate Computation of Binomial Probabilities", 2000), so that nothing large cancels.
 *
 * For large n the terms are the values of a smooth function that vanishes with all its derivatives at both ends; such a sum does
 * not change when only every s-th term is taken s times (Euler–Maclaurin). With 1,024 terms left what is lost is below e^-100 of it. */
static long double smirnov(uint64_t n, double d) {
    const uint64_t step = n > 2 * SUM_TERMS ? n / SUM_TERMS : 1;
    const long double count = (long double)n, x = d, y = count * x, rest = stirling_rest(count);
    long double sum = expl(count * log1pl(-x)); /* v = 0 */
    for (uint64_t at = step; at < n; at += step) {
        const long double v = (long double)at, w = (long double)(n - at);
        if (w <= y) break;
        long double exponent = rest - stirling_rest(v) - stirling_rest(w) + v * log1pl(y / v) + w * log1pl(-y / w);
        sum += expl(exponent) * sqrtl(count / (2 * 3.14159265358979323846264338327950288L * v * w)) * y / (y + v);
    }
    return sum * (long double)step;
}

static double one_sided_twice(uint64_t n, double d) {
    double c = 2.0 * (double)n * d * d;
    if (c > exponent_max) return 0;
    if (n > SUM_N) {
        double t = 6.0 * (double)n * d + 1;
        return 2 * exp(-(t * t) / 18.0 / (double)n);
    }
    return (double)(2 * smirnov(n, d));
}

typedef struct matrix {
    long double at[ROWS_MAX][ROWS_MAX];
    int exponent; /* all of it times 2 to this */
} matrix;

static void fill_matrix(matrix *h, int m, long double rest) {
    memset(h, 0, sizeof *h);
    long double inverse_factorial[ROWS_MAX + 1] = {1};
    for (int i = 1; i <= m; i++) inverse_factorial[i] = inverse_factorial[i - 1] / i;
    for (int i = 0; i < m; i++)
        for (int j = 0; j <= i + 1 && j < m; j++) h->at[i][j] = inverse_factorial[i - j + 1];
    for (int i = 0; i < m; i++) {
        long double less = powl(rest, i + 1) * inverse_factorial[i + 1];
        h->at[i][0] -= less;
        h->at[m - 1][m - 1 - i] -= less;
    }
    if (rest > 0.5L) h->at[m - 1][0] += powl(2 * rest - 1, m) * inverse_factorial[m];
}

/* from · from into to. Nothing is negative, so nothing cancels. */
static void square(const matrix *from, matrix *to, int m) {
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < m; j++) to->at[i][j] = 0;
        for (int k = 0; k < m; k++) {
            const long double factor = from->at[i][k];
            if (factor == 0) continue;
            for (int j = 0; j < m; j++) to->at[i][j] += factor * from->at[k][j];
        }
    }
    int exponent;
    frexpl(to->at[m / 2][m / 2], &exponent);
    for (int i = 0; i < m; i++)
        for (int j = 0; j < m; j++) to->at[i][j] = ldexpl(to->at[i][j], -exponent);
    to->exponent = 2 * from->exponent + exponent;
}

/* P(D_n < d) = n!/n^n · (H^n)[k][k], k = ceil(n d). Only row k of the power is wanted: a vector goes through H, H², H⁴ … */
static long double durbin(uint64_t n, double d) {
    matrix power[2];
    long double y = (long double)n * d, row[ROWS_MAX] = {0}, next[ROWS_MAX];
    int k = (int)ceill(y), m = 2 * k - 1, exponent = 0, which = 0;
    fill_matrix(&power[0], m, k - y);
    row[k - 1] = 1;
    for (uint64_t bits = n; bits != 0; bits >>= 1) {
        const matrix *h = &power[which];
        if (bits & 1) {
            for (int j = 0; j < m; j++) next[j] = 0;
            for (int i = 0; i < m; i++)
                for (int j = 0; j < m; j++) next[j] += row[i] * h->at[i][j];
            int shift;
            frexpl(next[k - 1], &shift);
            for (int j = 0; j < m; j++) row[j] = ldexpl(next[j], -shift);
            exponent += h->exponent + shift;
        }
        if (bits > 1) square(h, &power[which ^ 1], m);
        which ^= 1;
    }
    long double p = row[k - 1];
    for (uint64_t i = 1; i <= n; i++) {
        p *= (long double)i / (long double)n;
        if (p >= 0x1p-1000L) continue;
        p *= 0x1p1000L;
        exponent -= 1000;
    }
    return ldexpl(p, exponent);
}

/* P(D_n <= d) ≈ Σ K_i(z) n^(-i/2), z = d √n. The odd sums run over m = 1, 3, 5 …, the others over k = 1, 2, 3 … */
static long double pelz_good(long double n, long double d) {
    const long double pi2 = 9.86960440108935861883449099987615114L, root = 2.50662827463100050241576528481104525L;
    const long double z2 = n * d * d, z = sqrtl(z2), z4 = z2 * z2, z6 = z4 * z2;
    long double k0 = 0, k1 = 0, k2 = 0, k3 = 0, k2_even = 0, k3_even = 0;
    for (int k = 1; k <= 24; k++) {
        long double m2 = (2 * k - 1.0L) * (2 * k - 1.0L), m4 = m2 * m2, odd = expl(-pi2 / 8 / z2 * m2);
        k0 += odd;
        k1 += odd * (pi2 / 4 * m2 - z2);
        k2 += odd * (6 * z6 + 2 * z4 + (2 * z4 - 5 * z2) * pi2 / 4 * m2 + pi2 * pi2 * (1 - 2 * z2) / 16 * m4);
        k3 += odd * (-30 * z6 - 90 * z4 * z4 + pi2 * (135 * z4 - 96 * z6) / 4 * m2 +
                     pi2 * pi2 * (212 * z4 - 60 * z2) / 16 * m4 + pi2 * pi2 * pi2 * (5 - 30 * z2) / 64 * m4 * m2);
        long double kk = (long double)k * k, even = expl(-pi2 / 2 / z2 * kk);
        k2_even += even * kk;
        k3_even += even * kk * (3 * z2 - pi2 * kk);
    }
    k0 *= root / z;
    k1 *= root / (6 * z4);
    k2 = k2 * root / (72 * z6 * z) - k2_even * pi2 * root / (36 * z2 * z);
    k3 = k3 * root / (6480 * z6 * z4) + k3_even * pi2 * root / (216 * z6);
    return k0 + k1 / sqrtl(n) + k2 / n + k3 / (n * sqrtl(n));
}

static double clipped(long double p) { return p <= 0 ? 0 : p >= 1 ? 1 : (double)p; }

double ride_kstwo_sf(double d, uint64_t n) {
    const double count = (double)n, t = count * d, c = t * d;
    if (n == 0 || isnan(d)) return NAN;
    if (d >= 1) return 0;
    if (t <= 0.5) return 1;
    if (t <= 1) { /* P(D_n < d) = n! ((2 n d - 1) / n)^n; from n = 141 on it is nothing beside 1 */
        long double p = 1;
        for (uint64_t i = 1; i <= n && p > 0x1p-80L; i++) p *= (long double)i / n * (2 * (long double)n * d - 1);
        return clipped(1 - p);
    }
    if (t >= count - 1) return clipped(2 * powl(1 - (long double)d, n));
    if (d >= 0.5) return clipped(one_sided_twice(n, d));
    if (n <= SMALL_N) return clipped(c <= 4 ? 1 - durbin(n, d) : one_sided_twice(n, d));
    if (c >= 370) return 0;
    if (c >= 2.2) return clipped(one_sided_twice(n, d));
    if (c < 0.002) return 1; /* P(D_n < d) is then below e^-600 */
    if (n <= MATRIX_N && count * pow(d, 1.5) <= 1.4) return clipped(1 - durbin(n, d));
    return clipped(1 - pelz_good((long double)n, d));
}
