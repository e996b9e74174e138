/* base/histogram.c: merging and reading of histograms. */
#include "base/histogram.h"

#include <math.h>
#include <string.h>

void ride_histogram_init(ride_histogram *histogram) {
    memset(histogram, 0, sizeof *histogram);
    histogram->min = UINT64_MAX;
}

void ride_histogram_merge(ride_histogram *into, const ride_histogram *from) {
    into->count += from->count;
    into->sum += from->sum;
    if (from->min < into->min) into->min = from->min;
    if (from->max > into->max) into->max = from->max;
    for (uint32_t i = 0; i < RIDE_HISTOGRAM_BUCKETS; i++) into->buckets[i] += from->buckets[i];
}

static uint64_t bucket_middle(uint32_t bucket) {
    if (bucket < 2u << RIDE_HISTOGRAM_BITS) return bucket;
    uint32_t shift = (bucket >> RIDE_HISTOGRAM_BITS) - 1;
    uint64_t low = (uint64_t)(bucket - (shift << RIDE_HISTOGRAM_BITS)) << shift;
    return low + ((uint64_t)1 << shift) / 2;
}

uint64_t ride_histogram_quantile(const ride_histogram *histogram, double q) {
    if (histogram->count == 0) return 0;
    if (!(q > 0)) return histogram->min;
    if (q >= 1) return histogram->max;
    uint64_t rank = (uint64_t)ceil(q * (double)histogram->count), seen = 0; /* 1 … count */
    uint32_t bucket = 0;
    for (; bucket < RIDE_HISTOGRAM_BUCKETS - 1; bucket++) {
        seen += histogram->buckets[bucket];
        if (seen >= rank) break;
    }
    uint64_t value = bucket_middle(bucket);
    if (value < histogram->min) return histogram->min;
    return value > histogram->max ? histogram->max : value;
}

double ride_histogram_mean(const ride_histogram *histogram) {
    return histogram->count > 0 ? (double)histogram->sum / (double)histogram->count : 0;
}
