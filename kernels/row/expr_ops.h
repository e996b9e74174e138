/* kernels/row/expr_ops.h: what each operation of an expression program means for one row (integers and doubles; logic and
 * null handling are in expr.h). Shared by the row interpreter and by every backend's own loops.
 *
 * Integer operations report through *good whether the result fits; a result that does not fit is null and its value 0. */
#ifndef RIDE_KERNELS_ROW_EXPR_OPS_H
#define RIDE_KERNELS_ROW_EXPR_OPS_H
#include "kernels/row/calendar.h"
#include "kernels/row/math.h"

/* 10^n for n in 0 … 18. */
RIDE_HD RIDE_INLINE int64_t ride_power_of_ten(uint32_t n) {
    int64_t p = 1;
    for (uint32_t i = 0; i < n; i++) p *= 10;
    return p;
}

RIDE_HD RIDE_INLINE int64_t ride_add_i64_row(int64_t a, int64_t b, uint8_t *good) {
    uint64_t r = (uint64_t)a + (uint64_t)b;
    *good = (uint8_t)(((~((uint64_t)a ^ (uint64_t)b) & ((uint64_t)a ^ r)) >> 63) ^ 1);
    return (int64_t)r;
}
RIDE_HD RIDE_INLINE int64_t ride_sub_i64_row(int64_t a, int64_t b, uint8_t *good) {
    uint64_t r = (uint64_t)a - (uint64_t)b;
    *good = (uint8_t)(((((uint64_t)a ^ (uint64_t)b) & ((uint64_t)a ^ r)) >> 63) ^ 1);
    return (int64_t)r;
}
RIDE_HD RIDE_INLINE int64_t ride_mul_i64_row(int64_t a, int64_t b, uint8_t *good) {
#if defined(__GNUC__) && !defined(__CUDACC__)
    int64_t r;
    *good = !__builtin_mul_overflow(a, b, &r);
    return r;
#else
    __int128 r = (__int128)a * b;
    *good = r == (int64_t)r;
    return (int64_t)(uint64_t)r;
#endif
}
/* Remainder with the sign of a; INT64_MIN % -1 is 0. */
RIDE_HD RIDE_INLINE int64_t ride_mod_i64_row(int64_t a, int64_t b, uint8_t *good) {
    *good = b != 0;
    int64_t d = b == 0 || b == -1 ? 1 : b;
    return a % d;
}
RIDE_HD RIDE_INLINE uint64_t ride_mod_u64_row(uint64_t a, uint64_t b, uint8_t *good) {
    *good = b != 0;
    return a % (b == 0 ? 1 : b);
}
RIDE_HD RIDE_INLINE int64_t ride_neg_i64_row(int64_t a, uint8_t *good) {
    *good = a != INT64_MIN;
    return (int64_t)(0 - (uint64_t)a);
}
RIDE_HD RIDE_INLINE int64_t ride_abs_i64_row(int64_t a, uint8_t *good) {
    *good = a != INT64_MIN;
    return a < 0 ? (int64_t)(0 - (uint64_t)a) : a;
}
/* A decimal to a whole number; p = 10^scale. */
RIDE_HD RIDE_INLINE int64_t ride_floor_i64_row(int64_t a, int64_t p) { return ride_floor_div(a, p); }
RIDE_HD RIDE_INLINE int64_t ride_ceil_i64_row(int64_t a, int64_t p) {
    int64_t q = a / p;
    return q + (a % p > 0);
}
RIDE_HD RIDE_INLINE int64_t ride_round_i64_row(int64_t a, int64_t p) {
    int64_t q = a / p, r = a % p, m = r < 0 ? -r : r;
    return m >= p - m ? (r < 0 ? q - 1 : q + 1) : q; /* p = 1: m = 0 < 1 */
}

RIDE_HD RIDE_INLINE double ride_f64_of_i64_row(int64_t a, double p) { return (double)a / p; }

RIDE_HD RIDE_INLINE double ride_min_f64_row(double a, double b) {
    double r = a < b ? a : b; /* b when either is null */
    return a == a ? r : a;
}
RIDE_HD RIDE_INLINE double ride_max_f64_row(double a, double b) {
    double r = a > b ? a : b;
    return a == a ? r : a;
}

/* A u64 against an i64, by value. */
RIDE_HD RIDE_INLINE uint8_t ride_eq_u64_i64_row(uint64_t a, int64_t b) { return (b >= 0) & (a == (uint64_t)b); }
RIDE_HD RIDE_INLINE uint8_t ride_lt_u64_i64_row(uint64_t a, int64_t b) { return (b >= 0) & (a < (uint64_t)b); }
RIDE_HD RIDE_INLINE uint8_t ride_le_u64_i64_row(uint64_t a, int64_t b) { return (b >= 0) & (a <= (uint64_t)b); }

#endif
