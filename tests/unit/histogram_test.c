/* The histogram against sorted samples. */
#include "base/histogram.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

static uint64_t random_state = 42;
static uint64_t random_next(void) { /* xorshift64 */
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}
static int ascending(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

Test(histogram, buckets_are_in_order_without_gaps) {
    uint32_t last = 0;
    for (uint64_t value = 0; value < 1 << 20; value++) {
        uint32_t bucket = ride_histogram_bucket(value);
        cr_assert(bucket == last || bucket == last + 1);
        last = bucket;
    }
    cr_assert_eq(ride_histogram_bucket(((uint64_t)1 << RIDE_HISTOGRAM_VALUE_BITS) - 1), RIDE_HISTOGRAM_BUCKETS - 1);
    cr_assert_eq(ride_histogram_bucket(UINT64_MAX), RIDE_HISTOGRAM_BUCKETS - 1);
}

Test(histogram, quantiles_are_within_the_stated_error) {
    enum { COUNT = 100000 };
    static uint64_t values[COUNT];
    static ride_histogram all, parts[3];
    ride_histogram_init(&all);
    for (int i = 0; i < 3; i++) ride_histogram_init(&parts[i]);
    for (int i = 0; i < COUNT; i++) {
        values[i] = random_next() >> (22 + random_next() % 42); /* all magnitudes */
        ride_histogram_record(&parts[i % 3], values[i]);
    }
    for (int i = 0; i < 3; i++) ride_histogram_merge(&all, &parts[i]);
    qsort(values, COUNT, sizeof values[0], ascending);
    double sum = 0;
    for (int i = 0; i < COUNT; i++) sum += (double)values[i];
    cr_assert_float_eq(ride_histogram_mean(&all), sum / COUNT, sum / COUNT * 1e-9);
    cr_assert_eq(all.count, COUNT);
    for (int i = 0; i <= 1000; i++) {
        double q = i / 1000.0;
        int rank = (int)ceil(q * COUNT);
        uint64_t exact = values[rank > 0 ? rank - 1 : 0], told = ride_histogram_quantile(&all, q);
        cr_assert_leq(fabs((double)told - (double)exact), (double)exact / 256, "q %g: %lu for %lu", q, told, exact);
    }
}

Test(histogram, edges_empty_one_value_and_too_great) {
    static ride_histogram h;
    ride_histogram_init(&h);
    cr_assert_eq(ride_histogram_quantile(&h, 0.5), 0);
    cr_assert_eq(ride_histogram_mean(&h), 0);
    ride_histogram_record(&h, 1000003);
    for (double q = 0; q <= 1; q += 0.25) cr_assert_eq(ride_histogram_quantile(&h, q), 1000003);
    ride_histogram_record_n(&h, UINT64_MAX / 4, 3);
    cr_assert_eq(ride_histogram_quantile(&h, 1), UINT64_MAX / 4);
    cr_assert_geq(ride_histogram_quantile(&h, 0.5), ((uint64_t)1 << RIDE_HISTOGRAM_VALUE_BITS) / 256 * 255);
    ride_histogram_record_n(&h, 5, 0);
    cr_assert_eq(h.count, 4);
    cr_assert_eq(h.min, 1000003);
}
