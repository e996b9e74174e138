/* base/metrics.c: the registry of series and what is done to one. Writers touch atomics only; the lock guards the lists. */
#include "base/metrics_internal.h"

#include "base/assert.h"
#include "base/utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const ride_metric_about metric_families[RIDE_METRIC_FAMILIES] = {
#define FAMILY(id, name, kind, labels, text) {name, kind, labels, text},
    RIDE_METRIC_LIST(FAMILY)
#undef FAMILY
};

const ride_metric_about *ride_metrics_about(ride_metric_family family) {
    RIDE_ASSERT(family < RIDE_METRIC_FAMILIES);
    return &metric_families[family];
}

const char *ride_metric_kind_text(ride_metric_kind kind) {
    switch (kind) {
    case RIDE_COUNTER:
    case RIDE_COUNTER_SECONDS: return "counter";
    case RIDE_GAUGE: return "gauge";
    case RIDE_HISTOGRAM_SECONDS:
    case RIDE_HISTOGRAM_COUNT: break;
    }
    return "histogram";
}

static bool is_histogram(ride_metric_kind kind) {
    return kind == RIDE_HISTOGRAM_SECONDS || kind == RIDE_HISTOGRAM_COUNT;
}

static const uint64_t powers[METRIC_DECADES + 2] = {1,           10,           100,          1000,      10000,
                                                    100000,      1000000,      10000000,     100000000, 1000000000,
                                                    10000000000, 100000000000, 1000000000000};

uint32_t metric_bucket(uint64_t value) {
    if (value <= 10) return (uint32_t)value;
    if (value > RIDE_METRIC_VALUE_MAX) value = RIDE_METRIC_VALUE_MAX;
    uint64_t below = value - 1;
    uint32_t bits = 64 - (uint32_t)__builtin_clzll(below), decade = bits * 1233 >> 12; /* bits * log10(2) */
    decade -= below < powers[decade]; /* 10^decade < value <= 10^(decade+1) */
    return 11 + 90 * (decade - 1) + (uint32_t)(below / powers[decade - 1]) - 10;
}

uint64_t metric_bucket_high(uint32_t bucket) {
    if (bucket <= 10) return bucket;
    uint32_t decade = (bucket - 11) / 90, step = (bucket - 11) % 90;
    return (11 + step) * powers[decade];
}

static void free_metric(ride_metric *metric) {
    if (metric != NULL) free(metric->histogram);
    free(metric);
}

ride_status ride_metrics_create(ride_metrics **out, ride_error *err) {
    ride_metrics *metrics = calloc(1, sizeof *metrics);
    if (metrics == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the metrics");
    if (pthread_mutex_init(&metrics->lock, NULL) != 0) {
        free(metrics);
        return ride_fail(err, RIDE_E_MEMORY, "no lock for the metrics");
    }
    metrics->dropped = ride_metrics_series(metrics, RIDE_METRIC_SERIES_DROPPED, "");
    if (metrics->dropped == NULL) {
        ride_metrics_destroy(metrics);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for the metrics");
    }
    *out = metrics;
    return RIDE_OK;
}

void ride_metrics_destroy(ride_metrics *metrics) {
    if (metrics == NULL) return;
    for (uint32_t f = 0; f < RIDE_METRIC_FAMILIES; f++) {
        for (uint32_t i = 0; i < metrics->families[f].count; i++) free_metric(metrics->families[f].items[i]);
        free(metrics->families[f].items);
    }
    pthread_mutex_destroy(&metrics->lock);
    free(metrics);
}

/* Where the series of these labels stands, or would stand. */
static bool find(const metric_series *series, const char *labels, uint32_t *place) {
    uint32_t low = 0, high = series->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(series->items[middle]->labels, labels);
        if (order == 0) {
            *place = middle;
            return true;
        }
        if (order < 0) low = middle + 1;
        else high = middle;
    }
    *place = low;
    return false;
}

static ride_metric *new_metric(ride_metric_family family, const char *labels) {
    size_t bytes = strlen(labels) + 1;
    ride_metric_kind kind = metric_families[family].kind;
    ride_metric *metric = calloc(1, sizeof *metric + bytes);
    if (metric == NULL) return NULL;
    metric->family = family;
    metric->kind = kind;
    memcpy(metric->labels, labels, bytes);
    if (!is_histogram(kind)) return metric;
    metric->histogram = calloc(1, sizeof *metric->histogram);
    if (metric->histogram != NULL) return metric;
    free(metric);
    return NULL;
}

static ride_metric *insert(metric_series *series, uint32_t place, ride_metric_family family, const char *labels) {
    uint32_t most = is_histogram(metric_families[family].kind) ? RIDE_METRIC_HISTOGRAMS_MAX : RIDE_METRIC_SERIES_MAX;
    if (series->count == most || strlen(labels) >= RIDE_METRIC_LABELS_BYTES) return NULL;
    if (series->count == series->room) {
        uint32_t room = series->room == 0 ? 8 : series->room * 2;
        ride_metric **items = realloc(series->items, room * sizeof(ride_metric *));
        if (items == NULL) return NULL;
        series->items = items;
        series->room = room;
    }
    ride_metric *metric = new_metric(family, labels);
    if (metric == NULL) return NULL;
    memmove(series->items + place + 1, series->items + place, (series->count - place) * sizeof(ride_metric *));
    series->items[place] = metric;
    series->count++;
    return metric;
}

ride_metric *ride_metrics_series(ride_metrics *metrics, ride_metric_family family, const char *labels) {
    if (metrics == NULL) return NULL;
    RIDE_ASSERT(family < RIDE_METRIC_FAMILIES);
    metric_series *series = &metrics->families[family];
    uint32_t place;
    pthread_mutex_lock(&metrics->lock);
    ride_metric *metric = find(series, labels, &place) ? series->items[place] : insert(series, place, family, labels);
    if (metric != NULL) metric->users++;
    pthread_mutex_unlock(&metrics->lock);
    if (metric == NULL) ride_metric_add(metrics->dropped, 1);
    return metric;
}

void ride_metrics_remove(ride_metrics *metrics, ride_metric *metric) {
    if (metrics == NULL || metric == NULL) return;
    metric_series *series = &metrics->families[metric->family];
    uint32_t place;
    pthread_mutex_lock(&metrics->lock);
    RIDE_ASSERT(metric->users > 0);
    bool last = --metric->users == 0;
    if (last) {
        bool found = find(series, metric->labels, &place);
        RIDE_ASSERT(found && series->items[place] == metric);
        series->count--;
        memmove(series->items + place, series->items + place + 1, (series->count - place) * sizeof(ride_metric *));
    }
    pthread_mutex_unlock(&metrics->lock);
    if (last) free_metric(metric);
}

void ride_metrics_label(char *text, size_t text_bytes_max, const char *name, const char *value) {
    size_t at = strlen(text), name_bytes = strlen(name);
    if (at + name_bytes + 5 > text_bytes_max) return; /* , = two quotes and the end */
    if (at > 0) text[at++] = ',';
    memcpy(text + at, name, name_bytes);
    at += name_bytes;
    text[at++] = '=';
    text[at++] = '"';
    while (*value != '\0') {
        size_t bytes = ride_utf8_bytes(value);
        const char *put = value;
        size_t put_bytes = bytes;
        if (bytes == 0) put = "\xef\xbf\xbd", put_bytes = 3;
        else if (*value == '"') put = "\\\"", put_bytes = 2;
        else if (*value == '\\') put = "\\\\", put_bytes = 2;
        else if (*value == '\n') put = "\\n", put_bytes = 2;
        if (at + put_bytes + 2 > text_bytes_max) break; /* the quote and the end */
        memcpy(text + at, put, put_bytes);
        at += put_bytes;
        value += bytes > 0 ? bytes : 1;
    }
    text[at++] = '"';
    text[at] = '\0';
}

void ride_metric_add(ride_metric *metric, uint64_t count) {
    if (metric == NULL) return;
    RIDE_ASSERT(metric->kind == RIDE_COUNTER || metric->kind == RIDE_COUNTER_SECONDS);
    atomic_fetch_add_explicit(&metric->value, count, memory_order_relaxed);
}

void ride_metric_set_total(ride_metric *metric, uint64_t count) {
    if (metric == NULL) return;
    RIDE_ASSERT(metric->kind == RIDE_COUNTER || metric->kind == RIDE_COUNTER_SECONDS);
    atomic_store_explicit(&metric->value, count, memory_order_relaxed);
}

void ride_metric_set(ride_metric *metric, double value) {
    if (metric == NULL) return;
    RIDE_ASSERT(metric->kind == RIDE_GAUGE);
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    atomic_store_explicit(&metric->value, bits, memory_order_relaxed);
}

double ride_metric_value(const ride_metric *metric) {
    if (metric == NULL) return 0;
    RIDE_ASSERT(metric->kind == RIDE_GAUGE);
    uint64_t bits = atomic_load_explicit(&metric->value, memory_order_relaxed);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

void ride_metric_observe(ride_metric *metric, uint64_t value) { ride_metric_observe_n(metric, value, 1); }

void ride_metric_observe_n(ride_metric *metric, uint64_t value, uint64_t count) {
    if (metric == NULL || count == 0) return;
    RIDE_ASSERT(metric->histogram != NULL);
    if (value > RIDE_METRIC_VALUE_MAX) value = RIDE_METRIC_VALUE_MAX;
    atomic_fetch_add_explicit(&metric->histogram->buckets[metric_bucket(value)], count, memory_order_relaxed);
    atomic_fetch_add_explicit(&metric->histogram->sum, value * count, memory_order_relaxed);
}

uint64_t ride_metric_count(const ride_metric *metric) {
    if (metric == NULL) return 0;
    RIDE_ASSERT(metric->kind != RIDE_GAUGE);
    if (metric->histogram == NULL) return atomic_load_explicit(&metric->value, memory_order_relaxed);
    uint64_t count = 0;
    for (uint32_t b = 0; b < METRIC_BUCKETS; b++)
        count += atomic_load_explicit(&metric->histogram->buckets[b], memory_order_relaxed);
    return count;
}

double ride_metric_quantile(const ride_metric *metric, double q) {
    uint64_t count = ride_metric_count(metric), seen = 0;
    if (count == 0) return 0;
    RIDE_ASSERT(metric->histogram != NULL);
    double rank = q > 0 ? ceil(q * (double)count) : 1; /* 1 … count */
    uint32_t bucket = 0;
    for (; bucket < METRIC_BUCKETS - 1; bucket++) {
        seen += atomic_load_explicit(&metric->histogram->buckets[bucket], memory_order_relaxed);
        if ((double)seen >= rank) break;
    }
    double high = (double)metric_bucket_high(bucket);
    double low = bucket > 10 ? (double)metric_bucket_high(bucket - 1) + 1 : high;
    return (low + high) / 2 / (metric->kind == RIDE_HISTOGRAM_SECONDS ? 1e9 : 1);
}
