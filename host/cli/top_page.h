/* cli/top_page.h: a page of /metrics taken apart: the families of base/metrics_list.h, summed over one label each. What is foreign
 * or malformed is passed over: a newer program may say more. */
#ifndef RIDE_CLI_TOP_PAGE_H
#define RIDE_CLI_TOP_PAGE_H
#include "base/metrics.h"

enum { TOP_ITEMS_MAX = 64, TOP_NAME_BYTES = 64, TOP_BOUNDS_MAX = 40, TOP_HISTOGRAMS_MAX = 32 };

/* One value of the label ("" where the family has none). Names are cut to their room, control characters are `?`. */
typedef struct top_item {
    char name[TOP_NAME_BYTES];
    double value;    /* of all its series together: their sum, of round trips the greatest */
    uint32_t series; /* partitions of a topic */
} top_item;

typedef struct top_list {
    top_item items[TOP_ITEMS_MAX]; /* in the order of the page; past the room all is in the last one, "others" */
    uint32_t count;
} top_list;

typedef struct top_histogram {
    ride_metric_family family;
    char name[TOP_NAME_BYTES];
    double bounds[TOP_BOUNDS_MAX],
        counts[TOP_BOUNDS_MAX]; /* not over the bound, as the page has them; the last is +Inf */
    double sum;
    uint32_t bounds_count;
} top_histogram;

typedef struct top_page {
    char version[TOP_NAME_BYTES], backend[TOP_NAME_BYTES], spec_hash[TOP_NAME_BYTES], model_hash[TOP_NAME_BYTES];
    top_list lists[RIDE_METRIC_FAMILIES]; /* of counters and gauges */
    top_histogram histograms[TOP_HISTOGRAMS_MAX];
    uint32_t histograms_count;
    uint32_t families_count; /* of ours that it had: 0 = this is no page of RIDE */
} top_page;

void top_page_read(const char *text, top_page *page);
/* 0 when there is none. */
double top_page_value(const top_page *page, ride_metric_family family, const char *name);
double top_page_sum(const top_page *page, ride_metric_family family); /* over the names */
const top_histogram *top_page_histogram(const top_page *page, ride_metric_family family, const char *name);

/* What happened between two pages, per counter: the difference, or all of it when the counter began anew. */
double top_delta(double before, double after);
/* Quantile of what a histogram observed between two pages, linear within its bucket; before NULL = since the start. NAN when it
 * observed nothing, infinity when it lies over the last bound. */
double top_quantile(const top_histogram *before, const top_histogram *after, double q);
double top_mean(const top_histogram *before, const top_histogram *after);
double top_observed(const top_histogram *before, const top_histogram *after);

#endif
