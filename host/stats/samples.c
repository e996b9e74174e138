/* stats/samples.c: sorting and quantiles. A column has millions of values, and a radix sort of their bits is some five times as fast as
 * comparing; the bits of a double, with the sign bit turned over (and all bits of negative ones), are in its order. */
#include "stats/samples.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DIGIT_BITS = 11, DIGITS = 6, BUCKETS = 1 << DIGIT_BITS, INSERTION_MAX = 64 };

static uint64_t to_key(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static double from_key(uint64_t key) {
    uint64_t bits = key >> 63 ? key ^ UINT64_C(1) << 63 : ~key;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void insertion_sort(double *values, uint64_t count) {
    for (uint64_t i = 1; i < count; i++) {
        double value = values[i];
        uint64_t at = i;
        for (; at > 0 && values[at - 1] > value; at--) values[at] = values[at - 1];
        values[at] = value;
    }
}

static ride_status radix_sort(double *values, uint64_t count, ride_error *err) {
    uint64_t *from = malloc(count * sizeof *from), *to = malloc(count * sizeof *to);
    uint64_t(*starts)[BUCKETS] = calloc(DIGITS, sizeof *starts);
    ride_status st = RIDE_OK;
    if (from == NULL || to == NULL || starts == NULL) {
        st = ride_fail(err, RIDE_E_MEMORY, "no memory to sort %llu values", (unsigned long long)count);
        goto done;
    }
    for (uint64_t i = 0; i < count; i++) {
        from[i] = to_key(values[i]);
        for (uint32_t d = 0; d < DIGITS; d++) starts[d][from[i] >> d * DIGIT_BITS & (BUCKETS - 1)]++;
    }
    for (uint32_t d = 0; d < DIGITS; d++) {
        uint64_t *start = starts[d], sum = 0;
        if (start[from[0] >> d * DIGIT_BITS & (BUCKETS - 1)] == count) continue; /* one digit in all keys */
        for (uint32_t b = 0; b < BUCKETS; b++) {
            uint64_t in_bucket = start[b];
            start[b] = sum;
            sum += in_bucket;
        }
        for (uint64_t i = 0; i < count; i++) to[start[from[i] >> d * DIGIT_BITS & (BUCKETS - 1)]++] = from[i];
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    for (uint64_t i = 0; i < count; i++) values[i] = from_key(from[i]);
done:
    free(from);
    free(to);
    free(starts);
    return st;
}

ride_status ride_samples_sort(double *values, uint64_t count, uint64_t *out_count, ride_error *err) {
    uint64_t kept = 0;
    for (uint64_t i = 0; i < count; i++)
        if (!isnan(values[i])) values[kept++] = values[i];
    *out_count = kept;
    if (kept > INSERTION_MAX) return radix_sort(values, kept, err);
    insertion_sort(values, kept);
    return RIDE_OK;
}

void ride_samples_moments(const double *sorted, uint64_t count, double *mean, double *std_pop) {
    *mean = *std_pop = NAN;
    if (count == 0 || isinf(sorted[0]) || isinf(sorted[count - 1])) return;
    long double sum = 0, squares = 0;
    for (uint64_t i = 0; i < count; i++) sum += sorted[i];
    long double centre = sum / (long double)count;
    for (uint64_t i = 0; i < count; i++) squares += (sorted[i] - centre) * (sorted[i] - centre);
    bool constant = sorted[0] == sorted[count - 1];
    double std = constant ? 0 : (double)sqrtl(squares / (long double)count);
    *mean = constant ? sorted[0] : (double)centre;
    *std_pop = isfinite(std) ? std : NAN; /* values near the largest double */
}

uint64_t ride_samples_up_to(const double *sorted, uint64_t count, double x) {
    uint64_t lo = 0, hi = count;
    while (lo < hi) {
        uint64_t middle = lo + (hi - lo) / 2;
        if (sorted[middle] <= x) lo = middle + 1;
        else hi = middle;
    }
    return lo;
}

double ride_samples_quantile(const double *sorted, uint64_t count, uint32_t i) {
    double at = (double)(count - 1) * ((double)i / RIDE_QUANTILES), whole = floor(at), part = at - whole;
    uint64_t below = (uint64_t)whole, above = below + 1 < count ? below + 1 : count - 1;
    double a = sorted[below], b = sorted[above], width = b - a;
    if (a == b) return a;
    if (!isfinite(width)) return part == 0 ? a : a * (1 - part) + b * part; /* numpy overflows here */
    return part >= 0.5 ? b - width * (1 - part) : a + width * part;
}

uint32_t ride_samples_deciles(const double *sorted, uint64_t count, double edges[9]) {
    uint32_t kept = 0;
    for (uint32_t i = RIDE_DECILE_STEP; i < RIDE_QUANTILES && count > 0; i += RIDE_DECILE_STEP) {
        double edge = ride_samples_quantile(sorted, count, i);
        if (isfinite(edge) && (kept == 0 || edge > edges[kept - 1])) edges[kept++] = edge;
    }
    return kept;
}
