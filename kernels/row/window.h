/* kernels/row/window.h: from the exact integers of a window to the double that leaves the engine, and from the time of an
 * event to the threshold of an edge. Single source for every backend: C17, C++17 and CUDA; no allocation, no globals.
 *
 * Every result is one division of two exact integers, rounded once to nearest even, so it does not depend on the order of
 * the events, on the batch or on the machine. Where numerator and denominator both fit in 53 bits that is one double
 * division; a backend may inline that case (ride_ratio_is_plain says when) and must call these functions otherwise.
 *
 * Integers: sums are int64 minor units, modulo 2^64 (the spec bounds them at load); sums of squares are unsigned 128 bit.
 * Null is the canonical NaN. `scale` is 0 … 18; pass 0 for a column that is not a decimal. */
#ifndef RIDE_KERNELS_ROW_WINDOW_H
#define RIDE_KERNELS_ROW_WINDOW_H
#include "base/hd.h"
#include "kernels/layout/plan.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

__extension__ typedef unsigned __int128 ride_u128;
__extension__ typedef __int128 ride_i128;

/* The one NaN that stands for null: equal bytes on every backend. */
RIDE_HD static inline double ride_null_f64(void) {
    const uint64_t bits = 0x7ff8000000000000u;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Number of significant bits: 0 for 0, 64 for 2^63. */
RIDE_HD static inline int ride_bits_u64(uint64_t x) {
#if defined(__CUDA_ARCH__)
    return 64 - __clzll((long long)x);
#else
    return x == 0 ? 0 : 64 - __builtin_clzll(x);
#endif
}
RIDE_HD static inline int ride_bits_u128(ride_u128 x) {
    return (x >> 64) != 0 ? 64 + ride_bits_u64((uint64_t)(x >> 64)) : ride_bits_u64((uint64_t)x);
}

/* x * 2^exponent, exact: for -1000 < exponent < 900 and an x between 1 and 2^64. */
RIDE_HD static inline double ride_scale2_f64(double x, int exponent) {
    const uint64_t bits = (uint64_t)(1023 + exponent) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return x * power;
}

/* 10^exponent for 0 … 19. */
RIDE_HD static inline uint64_t ride_pow10_u64(int32_t exponent) {
    uint64_t power = 1;
    for (int32_t i = 0; i < exponent; i++) power *= 10;
    return power;
}

/* True when both convert to double exactly, so that one double division is the correctly rounded quotient. */
RIDE_HD static inline int ride_ratio_is_plain(ride_u128 numerator, ride_u128 denominator) {
    const ride_u128 limit = (ride_u128)1 << 53;
    return numerator <= limit && denominator <= limit;
}

/* An unsigned integer of 256 bits, least significant word first: wide enough for n * Σx² and n (n - 1) 10^(2 scale). */
typedef struct ride_u256 {
    uint64_t word[4];
} ride_u256;

RIDE_HD static inline ride_u256 ride_u256_from(ride_u128 x) {
    ride_u256 r = {{(uint64_t)x, (uint64_t)(x >> 64), 0, 0}};
    return r;
}
/* x * factor modulo 2^256. */
RIDE_HD static inline ride_u256 ride_u256_mul(ride_u256 x, uint64_t factor) {
    ride_u256 r;
    uint64_t carry = 0;
    for (int i = 0; i < 4; i++) {
        const ride_u128 product = (ride_u128)x.word[i] * factor + carry;
        r.word[i] = (uint64_t)product;
        carry = (uint64_t)(product >> 64);
    }
    return r;
}
RIDE_HD static inline int ride_u256_less(ride_u256 a, ride_u256 b) {
    for (int i = 3; i >= 0; i--)
        if (a.word[i] != b.word[i]) return a.word[i] < b.word[i];
    return 0;
}
/* a - b, where a >= b. */
RIDE_HD static inline ride_u256 ride_u256_sub(ride_u256 a, ride_u256 b) {
    ride_u256 r;
    uint64_t borrow = 0;
    for (int i = 0; i < 4; i++) {
        const uint64_t part = a.word[i] - b.word[i];
        r.word[i] = part - borrow;
        borrow = (uint64_t)((a.word[i] < b.word[i]) | (part < borrow));
    }
    return r;
}
/* 2 x + bit modulo 2^256. */
RIDE_HD static inline ride_u256 ride_u256_push(ride_u256 x, uint64_t bit) {
    ride_u256 r;
    for (int i = 0; i < 4; i++) {
        r.word[i] = x.word[i] << 1 | bit;
        bit = x.word[i] >> 63;
    }
    return r;
}
RIDE_HD static inline int ride_u256_bits(ride_u256 x) {
    for (int i = 3; i >= 0; i--)
        if (x.word[i] != 0) return 64 * i + ride_bits_u64(x.word[i]);
    return 0;
}

/* numerator / denominator for any two, rounded once; denominator != 0 and below 2^255. Long division, bit by bit:
 * for sums that no longer fit in the words of the fast forms. Quotient bits past the 64th only set the sticky bit. */
RIDE_HD static inline double ride_ratio_u256(ride_u256 numerator, ride_u256 denominator) {
    const ride_u256 zero = {{0, 0, 0, 0}};
    ride_u256 rest = zero;
    uint64_t quotient = 0;
    int position = ride_u256_bits(numerator);
    if (position == 0) return 0.0;
    while ((quotient >> 63) == 0) { /* ends: the numerator is not zero, so a quotient bit comes */
        position--;
        const uint64_t bit =
            position >= 0 ? numerator.word[position / 64] >> (position % 64) & 1 : 0; /* below the point: zeros */
        rest = ride_u256_push(rest, bit);
        quotient <<= 1;
        if (!ride_u256_less(rest, denominator)) {
            rest = ride_u256_sub(rest, denominator);
            quotient |= 1;
        }
    }
    int sticky = ride_u256_less(zero, rest);
    for (int i = 0; i < position && !sticky; i++) sticky = (int)(numerator.word[i / 64] >> (i % 64) & 1);
    return ride_scale2_f64((double)(quotient | (uint64_t)sticky), position);
}

/* numerator / denominator, rounded once; denominator != 0. */
RIDE_HD static inline double ride_ratio_u128(ride_u128 numerator, ride_u128 denominator) {
    if (RIDE_LIKELY(ride_ratio_is_plain(numerator, denominator)))
        return (double)(uint64_t)numerator / (double)(uint64_t)denominator;
    if (numerator == 0) return 0.0;
    if ((denominator >> 64) != 0) return ride_ratio_u256(ride_u256_from(numerator), ride_u256_from(denominator));
    /* Scale the numerator so that the quotient has 63 or 64 bits: more than a double holds, so the remainder only
     * matters as a sticky last bit, and the conversion of the quotient is the one rounding. */
    const int shift = 63 - (ride_bits_u128(numerator) - ride_bits_u64((uint64_t)denominator));
    ride_u128 scaled = shift >= 0 ? numerator << shift : numerator >> -shift;
    uint64_t sticky = shift < 0 && (scaled << -shift) != numerator;
    const uint64_t quotient = (uint64_t)(scaled / denominator);
    sticky |= scaled % denominator != 0;
    return ride_scale2_f64((double)(quotient | sticky), -shift);
}

RIDE_HD static inline uint64_t ride_magnitude_i64(int64_t x) { return x < 0 ? 0 - (uint64_t)x : (uint64_t)x; }

/* A decimal in its major unit: minor / 10^scale. */
RIDE_HD static inline double ride_decimal_to_f64(int64_t minor, int32_t scale) {
    const double value = ride_ratio_u128(ride_magnitude_i64(minor), ride_pow10_u64(scale));
    return minor < 0 ? -value : value;
}

/* Microseconds as seconds. */
RIDE_HD static inline double ride_seconds(int64_t us) { return ride_decimal_to_f64(us, 6); }

/* Σ / (n 10^scale); null for n = 0. */
RIDE_HD static inline double ride_window_mean(uint64_t n, int64_t sum, int32_t scale) {
    if (n == 0) return ride_null_f64();
    const double value = ride_ratio_u128(ride_magnitude_i64(sum), (ride_u128)n * ride_pow10_u64(scale));
    return sum < 0 ? -value : value;
}

/* (n Σx² - (Σx)²) / (n (n - 1) 10^(2 scale)), or over n² when `population`. Null for n < 2 (n = 0 when population), and
 * for sums that overflowed (they give a negative numerator). */
RIDE_HD static inline double ride_window_var(uint64_t n, int64_t sum, ride_u128 sumsq, int32_t scale, int population) {
    if (population ? n == 0 : n < 2) return ride_null_f64();
    const uint64_t n_other = population ? n : n - 1, power = ride_pow10_u64(scale);
    const ride_u128 square = (ride_u128)ride_magnitude_i64(sum) * ride_magnitude_i64(sum);
    if (RIDE_LIKELY((n >> 24) == 0 && (sumsq >> 104) == 0 && scale <= 6)) { /* denominator < 2^48 10^12 < 2^128 */
        const ride_u128 product = sumsq * n;
        if (product < square) return ride_null_f64();
        return ride_ratio_u128(product - square, (ride_u128)(n * n_other) * (power * power));
    }
    const ride_u256 product = ride_u256_mul(ride_u256_from(sumsq), n);
    if (ride_u256_less(product, ride_u256_from(square))) return ride_null_f64();
    const ride_u256 denominator =
        ride_u256_mul(ride_u256_mul(ride_u256_from((ride_u128)n * n_other), power), power); /* < 2^128 10^36 < 2^248 */
    return ride_ratio_u256(ride_u256_sub(product, ride_u256_from(square)), denominator);
}

/* The square root of the variance (itself rounded once: IEEE square roots are exact to the last bit everywhere). */
RIDE_HD static inline double ride_window_std(uint64_t n, int64_t sum, ride_u128 sumsq, int32_t scale, int population) {
    const double var = ride_window_var(n, sum, sumsq, scale, population);
    return var == var ? sqrt(var) : var;
}

/* labels / n; null for n = 0. */
RIDE_HD static inline double ride_window_risk(uint64_t n, uint64_t labels) {
    return n == 0 ? ride_null_f64() : ride_ratio_u128(labels, n);
}

/* What leaves for an aggregate: null below min_count events, then `empty` in place of null. n is the number of events of
 * the window that have the aggregate's column and condition. */
RIDE_HD static inline double ride_window_finish(const ride_plan_aggregate *aggregate, uint64_t n, double value) {
    if (n < aggregate->min_count) value = ride_null_f64();
    if (value == value) return value;
    return aggregate->has_empty ? aggregate->empty : ride_null_f64();
}

/* An aggregate that is made of sums over its window: n events, Σx, Σx² (of those that its op needs). */
RIDE_HD static inline double ride_window_of_sums(const ride_plan_aggregate *aggregate, uint64_t n, int64_t sum,
                                                 ride_u128 sumsq) {
    const int32_t scale = aggregate->is_decimal ? aggregate->scale : 0;
    double value = ride_null_f64();
    switch (aggregate->op) {
    case RIDE_AGG_COUNT: value = (double)n; break;
    case RIDE_AGG_SUM: value = ride_decimal_to_f64(sum, scale); break;
    case RIDE_AGG_MEAN: value = ride_window_mean(n, sum, scale); break;
    case RIDE_AGG_RISK: value = ride_window_risk(n, (uint64_t)sum); break;
    case RIDE_AGG_VAR:
    case RIDE_AGG_VAR_POP: value = ride_window_var(n, sum, sumsq, scale, aggregate->op == RIDE_AGG_VAR_POP); break;
    case RIDE_AGG_STD:
    case RIDE_AGG_STD_POP: value = ride_window_std(n, sum, sumsq, scale, aggregate->op == RIDE_AGG_STD_POP); break;
    default: break;
    }
    return ride_window_finish(aggregate, n, value);
}

/* a - b that stops at the ends of int64 instead of wrapping: thresholds of hostile or extreme times stay ordered. */
RIDE_HD static inline int64_t ride_time_sub(int64_t a, int64_t b) {
    if (b > 0 && a < INT64_MIN + b) return INT64_MIN;
    if (b < 0 && a > INT64_MAX + b) return INT64_MAX;
    return a - b;
}

/* How many transitions of the zone have happened at a UTC time. */
RIDE_HD static inline uint32_t ride_zone_past(const ride_plan_zone *zone, uint32_t transitions_count, int64_t utc_us) {
    uint32_t lo = 0, hi = transitions_count;
    while (lo < hi) {
        const uint32_t middle = lo + (hi - lo) / 2;
        if (zone[middle].utc_us <= utc_us) lo = middle + 1;
        else hi = middle;
    }
    return lo;
}

/* Start of the period that contains a UTC time, by the clock on the wall of the zone, as UTC. Periods count from the epoch's
 * local midnight; whole weeks from a Monday. A start that the wall clock skips is the moment of the change; when the clock
 * goes back, a period that began before the change goes on. So the start is never after the time and never moves back. */
RIDE_HD static inline int64_t ride_period_start(int64_t utc_us, int64_t period_us, const ride_plan_zone *zone,
                                                uint32_t transitions_count) {
    const int64_t day_us = 86400000000, week_us = 7 * day_us;
    const int64_t monday = period_us % week_us == 0 ? 3 * day_us : 0; /* the epoch was a Thursday */
    for (uint32_t past = ride_zone_past(zone, transitions_count, utc_us);; past--) {
        const int64_t offset = past == 0 ? 0 : zone[past - 1].offset_us;
        const int64_t local = ride_time_sub(ride_time_sub(utc_us, -offset), -monday);
        int64_t rest = local % period_us;
        if (rest < 0) rest += period_us;
        const int64_t start_local = ride_time_sub(ride_time_sub(local, rest), monday);
        const int64_t start = ride_time_sub(start_local, offset);
        if (past < 2 || start >= zone[past - 1].utc_us) return start;
        const int64_t change_us = zone[past - 1].utc_us; /* it began before the clock was changed */
        if (start_local >= ride_time_sub(change_us, -zone[past - 2].offset_us)) return change_us;
        utc_us = change_us - 1;
    }
}

/* The threshold T of an edge for the event time t: an entry has passed the edge iff its time <= T. */
RIDE_HD static inline int64_t ride_edge_threshold(const ride_plan_edge *edge, int64_t t, const ride_plan_zone *zone,
                                                  uint32_t transitions_count) {
    if (edge->kind == RIDE_EDGE_OFFSET) return ride_time_sub(t, edge->offset_us);
    const int64_t shifted = ride_time_sub(t, edge->shift_us);
    return ride_time_sub(ride_period_start(shifted, edge->period_us, zone, transitions_count), edge->offset_us);
}

#endif
