/* base/metrics_render.c: the registry as text. Series are read under the lock, so that none goes away meanwhile; who asks for a
 * series then waits some microseconds per kilobyte. */
#include "base/metrics_internal.h"

#include "base/number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The bounds (`le`) of the buckets: one set for times, one for numbers. All of them are edges of ours. */
static const uint64_t bounds_ns[] = {1000,       2500,       5000,       10000,       25000,      50000,
                                     100000,     250000,     500000,     1000000,     2500000,    5000000,
                                     10000000,   25000000,   50000000,   100000000,   250000000,  500000000,
                                     1000000000, 2500000000, 5000000000, 10000000000, 30000000000};
static const uint64_t bounds_rows[] = {1,    2,    5,    10,    20,    50,    100,    200,    500,
                                       1000, 2000, 5000, 10000, 20000, 50000, 100000, 1000000};
enum { BOUNDS_NS = sizeof bounds_ns / sizeof bounds_ns[0], BOUNDS_ROWS = sizeof bounds_rows / sizeof bounds_rows[0] };

const uint64_t *ride_metric_bounds(ride_metric_kind kind, uint32_t *count) {
    *count = kind == RIDE_HISTOGRAM_SECONDS ? BOUNDS_NS : BOUNDS_ROWS;
    return kind == RIDE_HISTOGRAM_SECONDS ? bounds_ns : bounds_rows;
}

typedef struct page {
    char *text;
    size_t bytes, room;
    bool failed; /* no memory: nothing is written from then on */
} page;

static void put(page *to, const char *text, size_t bytes) {
    if (to->failed) return;
    if (to->bytes + bytes >= to->room) {
        size_t room = to->room == 0 ? 1 << 15 : to->room * 2;
        while (to->bytes + bytes >= room) room *= 2;
        char *grown = realloc(to->text, room);
        if (grown == NULL) {
            to->failed = true;
            return;
        }
        to->text = grown;
        to->room = room;
    }
    memcpy(to->text + to->bytes, text, bytes);
    to->bytes += bytes;
    to->text[to->bytes] = '\0';
}
static void put_text(page *to, const char *text) { put(to, text, strlen(text)); }

static void put_u64(page *to, uint64_t value) {
    char number[RIDE_NUMBER_BYTES];
    put(to, number, ride_u64_to_text(value, number));
}
static void put_seconds(page *to, uint64_t ns) {
    char number[RIDE_NUMBER_BYTES];
    put(to, number, ride_decimal_to_text(ns > INT64_MAX ? INT64_MAX : (int64_t)ns, 9, number));
}
static void put_double(page *to, double value) {
    char number[RIDE_NUMBER_BYTES];
    if (isnan(value)) put_text(to, "NaN");
    else if (isinf(value)) put_text(to, value > 0 ? "+Inf" : "-Inf");
    else put(to, number, ride_double_to_text(value, number));
}

static void put_head(page *to, const ride_metric_about *about) {
    put_text(to, "# HELP ");
    put_text(to, about->name);
    put_text(to, " ");
    put_text(to, about->text); /* a literal: a test holds it free of what would be escaped */
    put_text(to, "\n# TYPE ");
    put_text(to, about->name);
    put_text(to, " ");
    put_text(to, ride_metric_kind_text(about->kind));
    put_text(to, "\n");
}

static void put_name(page *to, const ride_metric *metric, const char *suffix) {
    put_text(to, metric_families[metric->family].name);
    put_text(to, suffix);
    if (metric->labels[0] == '\0') {
        put_text(to, " ");
        return;
    }
    put_text(to, "{");
    put_text(to, metric->labels);
    put_text(to, "} ");
}

static void put_bucket(page *to, const ride_metric *metric, uint64_t bound, bool seconds, uint64_t count) {
    put_text(to, metric_families[metric->family].name);
    put_text(to, "_bucket{");
    put_text(to, metric->labels);
    put_text(to, metric->labels[0] != '\0' ? ",le=\"" : "le=\"");
    if (bound == UINT64_MAX) put_text(to, "+Inf");
    else if (seconds) put_seconds(to, bound);
    else put_u64(to, bound);
    put_text(to, "\"} ");
    put_u64(to, count);
    put_text(to, "\n");
}

static void put_histogram(page *to, const ride_metric *metric) {
    bool seconds = metric->kind == RIDE_HISTOGRAM_SECONDS;
    uint32_t bounds_count, bucket = 0;
    const uint64_t *bounds = ride_metric_bounds(metric->kind, &bounds_count);
    uint64_t count = 0;
    for (uint32_t i = 0; i <= bounds_count; i++) {
        uint64_t bound = i < bounds_count ? bounds[i] : UINT64_MAX;
        for (uint32_t end = i < bounds_count ? metric_bucket(bound) + 1 : METRIC_BUCKETS; bucket < end; bucket++)
            count += atomic_load_explicit(&metric->histogram->buckets[bucket], memory_order_relaxed);
        put_bucket(to, metric, bound, seconds, count);
    }
    put_name(to, metric, "_sum");
    uint64_t sum = atomic_load_explicit(&metric->histogram->sum, memory_order_relaxed);
    if (seconds) put_seconds(to, sum);
    else put_u64(to, sum);
    put_text(to, "\n");
    put_name(to, metric, "_count");
    put_u64(to, count);
    put_text(to, "\n");
}

static void put_metric(page *to, const ride_metric *metric) {
    if (metric->histogram != NULL) {
        put_histogram(to, metric);
        return;
    }
    put_name(to, metric, "");
    uint64_t value = atomic_load_explicit(&metric->value, memory_order_relaxed);
    if (metric->kind == RIDE_GAUGE) put_double(to, ride_metric_value(metric));
    else if (metric->kind == RIDE_COUNTER_SECONDS) put_seconds(to, value);
    else put_u64(to, value);
    put_text(to, "\n");
}

ride_status ride_metrics_render(ride_metrics *metrics, char **text, size_t *bytes, ride_error *err) {
    page to = {0};
    metrics_read_process(metrics);
    pthread_mutex_lock(&metrics->lock);
    for (uint32_t f = 0; f < RIDE_METRIC_FAMILIES; f++) {
        const metric_series *series = &metrics->families[f];
        if (series->count > 0) put_head(&to, &metric_families[f]);
        for (uint32_t i = 0; i < series->count; i++) put_metric(&to, series->items[i]);
    }
    pthread_mutex_unlock(&metrics->lock);
    if (to.failed) {
        free(to.text);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for the text of the metrics");
    }
    *text = to.text; /* never empty: there is always the count of dropped series */
    *bytes = to.bytes;
    return RIDE_OK;
}
