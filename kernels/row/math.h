/* kernels/row/math.h: our own exp, log, pow and rounding, the same bits on every backend.
 *
 * Nothing here calls a math library: libraries differ between machines, and a threshold on a probability must not flip
 * between a CPU and a GPU. Only IEEE double + - * / and integer operations are used, in a fixed order; build with
 * contraction off (-ffp-contract=off, --fmad=false). Most functions have no branch, so a loop over rows vectorises.
 *
 * Errors, measured by tests/unit/math_test.c against correctly rounded values: exp, log and pow are below 0.7 ulp (a subnormal
 * result of exp or pow: below 1 ulp), the rest are exact. A power that is a representable number comes out exact. */
#ifndef RIDE_KERNELS_ROW_MATH_H
#define RIDE_KERNELS_ROW_MATH_H
#include "base/hd.h"

#include <stdint.h>
#include <string.h>
#if defined(__SSE2__) && !defined(__CUDACC__)
#include <emmintrin.h>
#else
#include <math.h>
#endif

#define RIDE_NAN_BITS UINT64_C(0x7ff8000000000000)

RIDE_HD RIDE_INLINE double ride_f64_of_bits(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
RIDE_HD RIDE_INLINE uint64_t ride_bits_of_f64(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}
/* The one NaN that means null. */
RIDE_HD RIDE_INLINE double ride_f64_null(void) { return ride_f64_of_bits(RIDE_NAN_BITS); }
/* Anything not finite becomes null. */
RIDE_HD RIDE_INLINE double ride_f64_settle(double x) { return x - x == 0.0 ? x : ride_f64_null(); }
RIDE_HD RIDE_INLINE double ride_f64_abs(double x) {
    return ride_f64_of_bits(ride_bits_of_f64(x) & UINT64_C(0x7fffffffffffffff));
}
RIDE_HD RIDE_INLINE double ride_f64_copysign(double magnitude, double sign) {
    return ride_f64_of_bits((ride_bits_of_f64(magnitude) & UINT64_C(0x7fffffffffffffff)) |
                            (ride_bits_of_f64(sign) & UINT64_C(0x8000000000000000)));
}

/* IEEE square root (correctly rounded everywhere); NaN for a negative number. The instruction itself: the C function would also
 * set errno. */
RIDE_HD RIDE_INLINE double ride_sqrt_row(double x) {
#if defined(__SSE2__) && !defined(__CUDACC__)
    return _mm_cvtsd_f64(_mm_sqrt_sd(_mm_setzero_pd(), _mm_set_sd(x)));
#else
    return sqrt(x);
#endif
}

/* To an integer. Adding and taking away 2^52 rounds |x| < 2^52 to the nearest integer, ties to even; then correct. */
RIDE_HD RIDE_INLINE double ride_nearest_row(double magnitude) { return (magnitude + 0x1p52) - 0x1p52; }
RIDE_HD RIDE_INLINE double ride_floor_row(double x) {
    double a = ride_f64_abs(x), t = ride_f64_copysign(ride_nearest_row(a), x);
    double below = t - 1.0, r = t > x ? below : t;
    return a < 0x1p52 ? r : x; /* NaN: x */
}
RIDE_HD RIDE_INLINE double ride_ceil_row(double x) { return -ride_floor_row(-x); }
RIDE_HD RIDE_INLINE double ride_round_row(double x) { /* half away from zero */
    double a = ride_f64_abs(x), t = ride_nearest_row(a), up = t + 1.0;
    double r = a - t >= 0.5 ? up : t; /* a tie that went down to even */
    return a < 0x1p52 ? ride_f64_copysign(r, x) : x;
}

/* x - y * trunc(x / y), exact; sign of x; NaN when y is 0 or a side is not finite. Long division 11 bits at a time: at most
 * 190 steps. */
RIDE_HD static inline double ride_fmod_row(double x, double y) {
    uint64_t bx = ride_bits_of_f64(ride_f64_abs(x)), by = ride_bits_of_f64(ride_f64_abs(y));
    if (bx >= UINT64_C(0x7ff0000000000000) || by >= UINT64_C(0x7ff0000000000000) || by == 0) return ride_f64_null();
    if (bx < by) return x;
    int ex = (int)(bx >> 52), ey = (int)(by >> 52);
    uint64_t mx = bx & ((UINT64_C(1) << 52) - 1), my = by & ((UINT64_C(1) << 52) - 1);
    if (ex > 0) mx |= UINT64_C(1) << 52;
    else ex = 1;
    if (ey > 0) my |= UINT64_C(1) << 52;
    else ey = 1;
    int steps = ex - ey;
    mx %= my;
    while (steps > 0 && mx != 0) {
        int shift = steps < 11 ? steps : 11;
        mx = (mx << shift) % my;
        steps -= shift;
    }
    /* mx * 2^(ey - 1075) is representable: it is below y and a multiple of y's last place. */
    double r = (double)mx;
    int e = ey - 1075; /* -1074 … 971 */
    if (e < -1000) r = r * 0x1p-1000 * ride_f64_of_bits((uint64_t)(e + 1000 + 1023) << 52);
    else if (e > 900) r = r * 0x1p900 * ride_f64_of_bits((uint64_t)(e - 900 + 1023) << 52);
    else r = r * ride_f64_of_bits((uint64_t)(e + 1023) << 52);
    return ride_f64_copysign(r, x);
}

/* ln 2 in two parts; the first has 42 bits, so that a whole number below 2^11 times it is exact. */
#define RIDE_LN2_HI 0x1.62e42fefa38p-1
#define RIDE_LN2_LO 0x1.ef35793c7673p-45

/* e^(x + low), |low| <= 2^-50 * (1 + |x|); x in [-746, 710] or NaN. Reduced to |r| <= ln 2 / 2, then the Taylor sum to r^13, then scaled by 2^k
 * in two steps so that subnormal results are rounded once. */
RIDE_HD RIDE_INLINE double ride_exp_core(double x, double low) {
    double shifted = x * 0x1.71547652b82fep+0 + 0x1.8p52; /* the last bits hold k = round(x / ln 2) */
    double k = shifted - 0x1.8p52;
    uint64_t biased = ride_bits_of_f64(shifted) - ride_bits_of_f64(0x1.8p52) + 2048;
    double high = x - k * RIDE_LN2_HI; /* exact */
    double rest = low - k * RIDE_LN2_LO;
    double r = high + rest, c = (high - r) + rest;
    double q = 1.0 / 6227020800.0;
    q = q * r + 1.0 / 479001600.0;
    q = q * r + 1.0 / 39916800.0;
    q = q * r + 1.0 / 3628800.0;
    q = q * r + 1.0 / 362880.0;
    q = q * r + 1.0 / 40320.0;
    q = q * r + 1.0 / 5040.0;
    q = q * r + 1.0 / 720.0;
    q = q * r + 1.0 / 120.0;
    q = q * r + 1.0 / 24.0;
    q = q * r + 1.0 / 6.0;
    q = q * r + 0.5;
    double one = 1.0 + r, lost = r - (one - 1.0);
    double y = one + (lost + (q * (r * r) + (c + c * r)));
    uint64_t half = (biased & 0xfff) >> 1, other = (biased & 0xfff) - half;
    return y * ride_f64_of_bits((half - 1) << 52) * ride_f64_of_bits((other - 1) << 52);
}

/* e^x: 0 below -746, infinity above 710, NaN for NaN. */
RIDE_HD RIDE_INLINE double ride_exp_row(double x) {
    x = x < -746.0 ? -746.0 : x;
    x = x > 710.0 ? 710.0 : x;
    return ride_exp_core(x, 0.0);
}

/* A product and what its rounding lost (Dekker; |a|, |b| < 2^990). */
RIDE_HD RIDE_INLINE double ride_product_row(double a, double b, double *lost) {
    double p = a * b, ca = 134217729.0 * a, cb = 134217729.0 * b;
    double ah = ca - (ca - a), al = a - ah, bh = cb - (cb - b), bl = b - bh;
    *lost = ((ah * bh - p) + ah * bl + al * bh) + al * bl;
    return p;
}

/* The common part of the logarithms: x = 2^k * (1 + f), s = f / (2 + f) in two parts, |s| < 0.1716. x > 0 and finite. */
RIDE_HD RIDE_INLINE double ride_log_reduce(double x, double *k, double *s_low) {
    int tiny = x < 0x1p-1022;
    double scaled = x * 0x1p54;
    x = tiny ? scaled : x;
    const uint64_t root = UINT64_C(0x3fe6a09e667f3bcd); /* sqrt(1/2) */
    uint64_t bits = ride_bits_of_f64(x);
    uint64_t biased = (bits + (UINT64_C(0x3ff0000000000000) - root)) >> 52; /* k + 1023 */
    double m = ride_f64_of_bits(bits - (biased << 52) + UINT64_C(0x3ff0000000000000));
    double whole = ride_f64_of_bits(biased | UINT64_C(0x4330000000000000)) - 0x1p52;
    double bias = tiny ? 1077.0 : 1023.0;
    *k = whole - bias;
    double f = m - 1.0, d = 2.0 + f, d_low = f - (d - 2.0);
    double s = f / d, lost, p = ride_product_row(s, d, &lost);
    *s_low = (((f - p) - lost) - s * d_low) / d;
    return s;
}

/* Natural logarithm; NaN for x <= 0, for NaN and for infinity (nothing of ours is infinite). */
RIDE_HD RIDE_INLINE double ride_log_row(double x) {
    int good = x > 0.0 && x <= 0x1.fffffffffffffp+1023;
    double k, s_low, s = ride_log_reduce(good ? x : 1.0, &k, &s_low), z = s * s;
    double q = 2.0 / 23.0; /* 2 atanh(s) = 2s + s * (2/3 z + 2/5 z^2 + …) */
    q = q * z + 2.0 / 21.0;
    q = q * z + 2.0 / 19.0;
    q = q * z + 2.0 / 17.0;
    q = q * z + 2.0 / 15.0;
    q = q * z + 2.0 / 13.0;
    q = q * z + 2.0 / 11.0;
    q = q * z + 2.0 / 9.0;
    q = q * z + 2.0 / 7.0;
    q = q * z + 2.0 / 5.0;
    q = q * z + 2.0 / 3.0;
    double big = k * RIDE_LN2_HI, twice = 2.0 * s, high = big + twice, lost = twice - (high - big);
    double y = high + (lost + ((2.0 * s_low + s * (q * z)) + k * RIDE_LN2_LO));
    return good ? y : ride_f64_null();
}

/* x^y for x > 0 finite: e^(y * log x) with log x and the product in two doubles (about 2^-66). */
RIDE_HD RIDE_INLINE double ride_pow_positive(double x, double y) {
    double k, sl, s = ride_log_reduce(x, &k, &sl), lost;
    double z = ride_product_row(s, s, &lost), zl = lost + 2.0 * s * sl;
    double t = 1.0 / 25.0; /* atanh(s) / s = 1 + z/3 + z^2/5 + z^3 * (1/7 + z/9 + …) */
    t = t * z + 1.0 / 23.0;
    t = t * z + 1.0 / 21.0;
    t = t * z + 1.0 / 19.0;
    t = t * z + 1.0 / 17.0;
    t = t * z + 1.0 / 15.0;
    t = t * z + 1.0 / 13.0;
    t = t * z + 1.0 / 11.0;
    t = t * z + 1.0 / 9.0;
    t = t * z + 1.0 / 7.0;
    /* v = z * (1/3 + z/5) in two parts; 1/3 and 1/5 are given with what they lost. */
    double w = ride_product_row(z, 0x1.999999999999ap-3, &lost), wl = lost + (zl * 0.2 + z * -0x1.999999999999ap-57);
    double u = 0x1.5555555555555p-2 + w;
    double ul = (w - (u - 0x1.5555555555555p-2)) + (wl + 0x1.5555555555555p-56);
    double v = ride_product_row(z, u, &lost), vl = lost + (zl * u + z * ul) + z * z * z * t;
    double g = 1.0 + v, gl = (v - (g - 1.0)) + vl;
    double a = ride_product_row(2.0 * s, g, &lost), al = lost + 2.0 * (sl * g + s * gl);
    double big = k * RIDE_LN2_HI, high = big + a, high_lost = a - (high - big);
    double low = high_lost + (al + k * RIDE_LN2_LO);
    double l = high + low, ll = low - (l - high);
    y = y > 0x1p66 ? 0x1p66 : y; /* beyond, the result is 0, 1 or infinite all the same */
    y = y < -0x1p66 ? -0x1p66 : y;
    double e = ride_product_row(y, l, &lost), el = lost + y * ll;
    el = e < -746.0 ? 0.0 : el;
    el = e > 710.0 ? 0.0 : el;
    e = e < -746.0 ? -746.0 : e;
    e = e > 710.0 ? 710.0 : e;
    return ride_exp_core(e, el);
}

/* x^y as C says for finite numbers: x^0 = 1; 0^y = 0 for y > 0, infinite for y < 0; a negative x needs a whole y, else NaN. */
RIDE_HD static inline double ride_pow_row(double x, double y) {
    if (x != x || y != y) return ride_f64_null();
    if (y == 0.0) return 1.0;
    if (x == 0.0) return y > 0.0 ? 0.0 : ride_f64_of_bits(UINT64_C(0x7ff0000000000000));
    if (x > 0.0) return ride_pow_positive(x, y);
    if (ride_floor_row(y) != y) return ride_f64_null();
    double half = y * 0.5, r = ride_pow_positive(-x, y); /* from 2^53 on every y is even */
    return ride_f64_abs(y) < 0x1p53 && ride_floor_row(half) != half ? -r : r;
}

#endif
