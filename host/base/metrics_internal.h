/* base/metrics_internal.h: what the metrics' files share: series, their lists, and the buckets of a histogram.
 *
 * Buckets are linear within a power of ten: 0 … 10 one each, then 90 for each (10^d, 10^(d+1)], each 10^(d-1) wide and closed above.
 * So every number of two digits times a power of ten is an edge, and the bounds that are rendered (1, 2.5, 5) are exact. */
#ifndef RIDE_BASE_METRICS_INTERNAL_H
#define RIDE_BASE_METRICS_INTERNAL_H
#include "base/metrics.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    METRIC_DECADES = 11, /* 10 … 10^12 */
    METRIC_BUCKETS = 11 + 90 * METRIC_DECADES,
};
/* What is read from the system when somebody asks. */
enum {
    METRIC_RESIDENT,
    METRIC_CPU,
    METRIC_FDS,
    METRIC_FDS_MAX,
    METRIC_START,
    METRIC_LOG_LOST,
    METRIC_LOG_HELD,
    METRIC_PROCESS
};

typedef struct metric_histogram {
    _Atomic uint64_t sum;
    _Atomic uint64_t buckets[METRIC_BUCKETS];
} metric_histogram;

struct ride_metric {
    ride_metric_family family;
    ride_metric_kind kind;
    uint32_t users;              /* under the lock */
    _Atomic uint64_t value;      /* of a counter; of a gauge the bits of its double */
    metric_histogram *histogram; /* NULL: none */
    char labels[];
};

typedef struct metric_series {
    ride_metric **items; /* by labels, ascending */
    uint32_t count, room;
} metric_series;

struct ride_metrics {
    pthread_mutex_t lock; /* of the lists; what series hold is atomic */
    metric_series families[RIDE_METRIC_FAMILIES];
    ride_metric *dropped;
    ride_metric *process[METRIC_PROCESS]; /* written before watches_process is */
    _Atomic bool watches_process;
};

extern const ride_metric_about metric_families[RIDE_METRIC_FAMILIES];
uint32_t metric_bucket(uint64_t value);
uint64_t metric_bucket_high(uint32_t bucket); /* the greatest value in it */
void metrics_read_process(ride_metrics *metrics);

#endif
