/* base/histogram.h: latency histogram with the HDR layout: 128 equal buckets per power of two, so any value up to
 * 2^42 - 1 (73 minutes in ns) is known to within 1/256 of itself (half a bucket; values below 256 exactly); greater ones count as that maximum.
 *
 * Fixed size (36 KiB), no allocation, record is a few instructions. One writer at a time: give each thread its own and merge. */
#ifndef RIDE_BASE_HISTOGRAM_H
#define RIDE_BASE_HISTOGRAM_H
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    RIDE_HISTOGRAM_BITS = 7, /* 2^7 buckets per power of two */
    RIDE_HISTOGRAM_VALUE_BITS = 42,
    RIDE_HISTOGRAM_BUCKETS = (RIDE_HISTOGRAM_VALUE_BITS - RIDE_HISTOGRAM_BITS + 1) << RIDE_HISTOGRAM_BITS,
};

typedef struct ride_histogram {
    uint64_t count, sum, min, max; /* exact; min is UINT64_MAX and max 0 while empty */
    uint64_t buckets[RIDE_HISTOGRAM_BUCKETS];
} ride_histogram;

void ride_histogram_init(ride_histogram *histogram);

/* Bucket of a value: the first 256 hold one value each, then 128 per power of two. */
static inline uint32_t ride_histogram_bucket(uint64_t value) {
    if (value >> RIDE_HISTOGRAM_VALUE_BITS != 0) return RIDE_HISTOGRAM_BUCKETS - 1;
    if (value < 1u << RIDE_HISTOGRAM_BITS) return (uint32_t)value;
    uint32_t shift = 63u - (uint32_t)__builtin_clzll(value) - RIDE_HISTOGRAM_BITS;
    return (shift << RIDE_HISTOGRAM_BITS) + (uint32_t)(value >> shift);
}
/* Adds `count` times `value`. */
static inline void ride_histogram_record_n(ride_histogram *histogram, uint64_t value, uint64_t count) {
    if (count == 0) return;
    histogram->buckets[ride_histogram_bucket(value)] += count;
    histogram->count += count;
    histogram->sum += value * count;
    if (value < histogram->min) histogram->min = value;
    if (value > histogram->max) histogram->max = value;
}
static inline void ride_histogram_record(ride_histogram *histogram, uint64_t value) {
    ride_histogram_record_n(histogram, value, 1);
}

/* Adds all of `from` to `into`. */
void ride_histogram_merge(ride_histogram *into, const ride_histogram *from);
/* The value that at least the share q (0 … 1) of all values do not exceed: the middle of its bucket, never outside
 * min … max. 0 when empty. */
uint64_t ride_histogram_quantile(const ride_histogram *histogram, double q);
double ride_histogram_mean(const ride_histogram *histogram); /* 0 when empty */

#ifdef __cplusplus
}
#endif
#endif
