/* base/metrics.h: what the process counts and measures, for /metrics, `ride top` and the summary of a service.
 *
 * A family (name, kind, text) is a row of metrics_list.h; a series is one family with one set of labels. Series are made at start, or when a
 * stream is assigned (rare; takes a lock and allocates); after that adding and setting is one relaxed atomic, from the one thread
 * that owns the series. Reading (render) is any thread's, while others write: each number is whole, numbers of one moment may be
 * a few events apart.
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
    RIDE_GAUGE,
    RIDE_HISTOGRAM_SECONDS,
    RIDE_HISTOGRAM_COUNT
} ride_metric_kind;

typedef enum ride_metric_family {
#define RIDE_METRIC_ENUM(id, name, kind, text) RIDE_METRIC_##id,
    RIDE_METRIC_LIST(RIDE_METRIC_ENUM)
#undef RIDE_METRIC_ENUM
        RIDE_METRIC_FAMILIES,
} ride_metric_family;

typedef struct ride_metrics ride_metrics;
typedef struct ride_metric ride_metric; /* one series */

ride_status ride_metrics_create(ride_metrics **out, ride_error *err);
void ride_metrics_destroy(ride_metrics *metrics); /* NULL is fine */

/* The series of these labels, made when there is none: `topic="tx",partition="0"`, values escaped by ride_metrics_label; "" = none.
 * NULL when memory is out or there are too many series (it then counts itself as ride_metrics_dropped_series_total): writing to NULL does
 * nothing. metrics NULL gives NULL. */
ride_metric *ride_metrics_series(ride_metrics *metrics, ride_metric_family family, const char *labels);
/* Takes the series out of the rendering: a stream that went away. */
void ride_metrics_remove(ride_metrics *metrics, ride_metric *metric);
/* `name="value"` with the value escaped, appended to text (a string of at most text_bytes_max bytes) behind a comma where needed. */
void ride_metrics_label(char *text, size_t text_bytes_max, const char *name, const char *value);

void ride_metric_add(ride_metric *metric, uint64_t count);       /* counter */
void ride_metric_set(ride_metric *metric, double value);         /* gauge */
void ride_metric_set_total(ride_metric *metric, uint64_t count); /* counter that another library counts */
void ride_metric_observe(ride_metric *metric, uint64_t value);   /* histogram: ns for _SECONDS, a number for _COUNT */
void ride_metric_observe_n(ride_metric *metric, uint64_t value, uint64_t count);
uint64_t ride_metric_count(const ride_metric *metric); /* of a counter, or observations of a histogram */
double ride_metric_quantile(const ride_metric *metric,
                            double q); /* of a histogram, in its unit (seconds, or the number) */

/* The text exposition format 0.0.4, families in the order of the list. The caller frees *text with free(). */
ride_status ride_metrics_render(ride_metrics *metrics, char **text, size_t *bytes, ride_error *err);

#endif
