/* base/metrics.h: what the process counts and measures, for /metrics, `ride top` and the summary of a service.
 *
 * A family (name, kind, labels, text) is a row of metrics_list.h; a series is one family with one set of label values. Series are
 * made at start, or when a stream is assigned (rare; takes a lock and allocates); after that adding and setting are relaxed atomics: any
 * thread, no lock, no allocation. Counting per batch is what they are for. Reading (render) is any thread's, while others write:
 * each number is whole, numbers of one moment may be a few events apart. Within a histogram _count is the sum of its
 * buckets; _sum may be some observations ahead or behind.
 *
 * Names: `ride_` prefix, base units (seconds, bytes, ratio), `_total` on counters; docs/metrics.md is made from the list. No label
 * ever holds a key of an entity or anything else of an event. */
#ifndef RIDE_BASE_METRICS_H
#define RIDE_BASE_METRICS_H
#include "base/error.h"
#include "base/metrics_list.h"

#include <stdbool.h>

typedef enum ride_metric_kind {
    RIDE_COUNTER = 1,
    RIDE_COUNTER_SECONDS, /* adds up ns, is shown in seconds */
    RIDE_GAUGE,
    RIDE_HISTOGRAM_SECONDS, /* observes ns, is shown in seconds */
    RIDE_HISTOGRAM_COUNT
} ride_metric_kind;

typedef enum ride_metric_family {
#define RIDE_METRIC_ENUM(id, name, kind, labels, text) RIDE_METRIC_##id,
    RIDE_METRIC_LIST(RIDE_METRIC_ENUM)
#undef RIDE_METRIC_ENUM
        RIDE_METRIC_FAMILIES,
} ride_metric_family;

typedef struct ride_metric_about {
    const char *name;
    ride_metric_kind kind;
    const char *labels; /* "topic, partition"; "" = none */
    const char *text;
} ride_metric_about;

typedef struct ride_metrics ride_metrics;
typedef struct ride_metric ride_metric; /* one series */

enum {
    RIDE_METRIC_SERIES_MAX = 8192,   /* of a family: two gauges for each stream that may be assigned */
    RIDE_METRIC_HISTOGRAMS_MAX = 64, /* of a family of histograms (8 KiB each) */
    RIDE_METRIC_LABELS_BYTES = 1024, /* of a series' labels, room enough for two long values */
};
/* A histogram knows a value to within 1/10 of its leading digit (1.0, 1.1 … 9.9 times a power of ten) and exactly whether it is over
 * one of the bounds that are rendered; greater ones than this count as this: 1,000 s. */
#define RIDE_METRIC_VALUE_MAX UINT64_C(1000000000000)

ride_status ride_metrics_create(ride_metrics **out, ride_error *err);
void ride_metrics_destroy(ride_metrics *metrics); /* NULL is fine */
const ride_metric_about *ride_metrics_about(ride_metric_family family);
const char *ride_metric_kind_text(ride_metric_kind kind); /* "counter", "gauge", "histogram" */
/* Bounds of the buckets that a histogram is rendered with, ascending, in ns or as numbers. */
const uint64_t *ride_metric_bounds(ride_metric_kind kind, uint32_t *count);

/* The series of these labels, made when there is none: `topic="tx",partition="0"`, values escaped by ride_metrics_label; "" = none.
 * Asked for twice it is the same one. NULL when memory is out or there are too many series (it then counts as
 * ride_metrics_dropped_series_total): writing to NULL does nothing. metrics NULL gives NULL. */
ride_metric *ride_metrics_series(ride_metrics *metrics, ride_metric_family family, const char *labels);
/* Gives the series back, once for each time it was asked for; the last takes it out of the rendering: a stream that went away. NULL is fine. */
void ride_metrics_remove(ride_metrics *metrics, ride_metric *metric);
/* `name="value"` with the value escaped (what is no UTF-8 as U+FFFD), appended to text (a string of at most text_bytes_max bytes) behind
 * a comma where needed. A value that does not fit is cut, a label of which not even the name fits is left out. */
void ride_metrics_label(char *text, size_t text_bytes_max, const char *name, const char *value);

void ride_metric_add(ride_metric *metric, uint64_t count);       /* counter; ns for _SECONDS */
void ride_metric_set_total(ride_metric *metric, uint64_t count); /* counter that another library counts */
void ride_metric_set(ride_metric *metric, double value);         /* gauge */
void ride_metric_observe(ride_metric *metric, uint64_t value);   /* histogram: ns for _SECONDS, a number for _COUNT */
void ride_metric_observe_n(ride_metric *metric, uint64_t value, uint64_t count);
uint64_t ride_metric_count(const ride_metric *metric); /* of a counter, or observations of a histogram; 0 of NULL */
double ride_metric_value(const ride_metric *metric);   /* of a gauge; 0 of NULL */
/* Of a histogram, in its unit (seconds, or the number): the middle of the bucket. 0 when empty. */
double ride_metric_quantile(const ride_metric *metric, double q);

/* At start, once: from now on rendering reads the process_* families and what the log lost and held back. */
void ride_metrics_watch_process(ride_metrics *metrics);
/* The text exposition format 0.0.4, families in the order of the list, their series by labels; families without series are left
 * out. The caller frees *text with free(). */
ride_status ride_metrics_render(ride_metrics *metrics, char **text, size_t *bytes, ride_error *err);

#endif
