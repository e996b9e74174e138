/* The registry: what is counted is what is rendered, and what is rendered is the exposition format. */
#include "base/metrics.h"
#include "base/metrics_internal.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static ride_metrics *metrics;
static char *page;

static void setup(void) { cr_assert_eq(ride_metrics_create(&metrics, NULL), RIDE_OK); }
static void teardown(void) {
    free(page);
    page = NULL;
    ride_metrics_destroy(metrics);
}
TestSuite(metrics, .init = setup, .fini = teardown);

static const char *rendered(void) {
    size_t bytes = 0;
    free(page);
    cr_assert_eq(ride_metrics_render(metrics, &page, &bytes, NULL), RIDE_OK);
    cr_assert_eq(strlen(page), bytes);
    return page;
}
static bool says(const char *line) {
    const char *at = strstr(rendered(), line);
    return at != NULL && (at == page || at[-1] == '\n') && at[strlen(line)] == '\n';
}

Test(metrics, the_list_is_what_a_scraper_accepts) {
    for (uint32_t f = 0; f < RIDE_METRIC_FAMILIES; f++) {
        const ride_metric_about *about = ride_metrics_about((ride_metric_family)f);
        size_t name = strspn(about->name, "abcdefghijklmnopqrstuvwxyz_"), bytes = strlen(about->name);
        cr_assert(about->name[name] == '\0' && bytes < 64, "%s", about->name);
        cr_assert(strncmp(about->name, "ride_", 5) == 0 || strncmp(about->name, "process_", 8) == 0);
        bool total = bytes > 6 && strcmp(about->name + bytes - 6, "_total") == 0;
        cr_assert_eq(total, strcmp(ride_metric_kind_text(about->kind), "counter") == 0, "%s", about->name);
        cr_assert(strpbrk(about->text, "\\\n") == NULL && about->text[0] != '\0', "%s: needs no escape", about->name);
        cr_assert_eq(about->labels[strspn(about->labels, "abcdefghijklmnopqrstuvwxyz_, ")], '\0', "%s", about->name);
        cr_assert(strstr(about->labels, "le,") == NULL, "%s", about->name);
        for (uint32_t g = 0; g < f; g++) cr_assert_str_neq(about->name, ride_metrics_about(g)->name);
    }
}

Test(metrics, an_empty_registry_says_that_no_series_was_dropped) {
    cr_assert_str_eq(rendered(), "# HELP ride_metrics_dropped_series_total Series that there was no room for\n"
                                 "# TYPE ride_metrics_dropped_series_total counter\n"
                                 "ride_metrics_dropped_series_total 0\n");
}

Test(metrics, counters_and_gauges_are_rendered_with_their_labels_in_order) {
    ride_metric *scored = ride_metrics_series(metrics, RIDE_METRIC_EVENTS, "end=\"scored\"");
    ride_metric *shed = ride_metrics_series(metrics, RIDE_METRIC_EVENTS, "end=\"shed\"");
    ride_metric *duplicate = ride_metrics_series(metrics, RIDE_METRIC_EVENTS, "end=\"duplicate\"");
    ride_metric *flight = ride_metrics_series(metrics, RIDE_METRIC_IN_FLIGHT, "");
    ride_metric_add(scored, 40);
    ride_metric_add(scored, 2);
    ride_metric_set_total(duplicate, UINT64_MAX);
    ride_metric_set(flight, 0.1);
    const char *at = strstr(rendered(), "# HELP ride_events_total ");
    const char *samples = strchr(strchr(at, '\n') + 1, '\n') + 1;
    const char *expected = "ride_events_total{end=\"duplicate\"} 18446744073709551615\n"
                           "ride_events_total{end=\"scored\"} 42\n"
                           "ride_events_total{end=\"shed\"} 0\n"
                           "# HELP ride_events_in_flight ";
    cr_assert_eq(strncmp(samples, expected, strlen(expected)), 0, "%s", samples);
    cr_assert(says("# TYPE ride_events_total counter") && says("# TYPE ride_events_in_flight gauge"));
    cr_assert(says("ride_events_in_flight 0.1"));
    cr_assert_eq(ride_metric_count(scored), 42);
    ride_metric_set(flight, NAN);
    cr_assert(says("ride_events_in_flight NaN"));
    ride_metric_set(flight, -INFINITY);
    cr_assert(says("ride_events_in_flight -Inf"));
    ride_metric_set(flight, 1e300);
    cr_assert_eq(ride_metric_value(flight), 1e300);
    ride_metric_add(shed, 0);
}

Test(metrics, the_same_labels_are_the_same_series_until_each_was_given_back) {
    const char *labels = "topic=\"tx\",partition=\"0\"";
    ride_metric *one = ride_metrics_series(metrics, RIDE_METRIC_LAG, labels);
    ride_metric *two = ride_metrics_series(metrics, RIDE_METRIC_LAG, labels);
    cr_assert_eq(one, two);
    ride_metric_set(one, 7);
    ride_metrics_remove(metrics, two);
    cr_assert(says("ride_kafka_lag_messages{topic=\"tx\",partition=\"0\"} 7"));
    ride_metrics_remove(metrics, one);
    cr_assert(strstr(rendered(), "ride_kafka_lag") == NULL, "a family without series is left out");
    ride_metric *again = ride_metrics_series(metrics, RIDE_METRIC_LAG, labels);
    cr_assert_eq(ride_metric_value(again), 0, "it starts again");
}

Test(metrics, null_is_a_registry_and_a_series_that_do_nothing) {
    ride_metric *none = ride_metrics_series(NULL, RIDE_METRIC_EVENTS, "");
    cr_assert_null(none);
    ride_metric_add(none, 1);
    ride_metric_set(none, 1);
    ride_metric_set_total(none, 1);
    ride_metric_observe(none, 1);
    cr_assert(ride_metric_count(none) == 0 && ride_metric_quantile(none, 0.5) == 0 && ride_metric_value(none) == 0);
    ride_metrics_remove(metrics, none);
    ride_metrics_remove(NULL, none);
    ride_metrics_watch_process(NULL);
    ride_metrics_destroy(NULL);
}

Test(metrics, series_without_room_are_counted) {
    char labels[64];
    for (int i = 0; i < RIDE_METRIC_HISTOGRAMS_MAX + 3; i++) {
        snprintf(labels, sizeof labels, "endpoint=\"%d\"", i);
        ride_metric *metric = ride_metrics_series(metrics, RIDE_METRIC_HTTP_SECONDS, labels);
        cr_assert_eq(metric == NULL, i >= RIDE_METRIC_HISTOGRAMS_MAX);
    }
    for (int i = 0; i < RIDE_METRIC_SERIES_MAX + 2; i++) {
        snprintf(labels, sizeof labels, "topic=\"t\",partition=\"%d\"", i);
        cr_assert_eq(ride_metrics_series(metrics, RIDE_METRIC_LAG, labels) == NULL, i >= RIDE_METRIC_SERIES_MAX);
    }
    static char wide[RIDE_METRIC_LABELS_BYTES + 1];
    memset(wide, 'x', RIDE_METRIC_LABELS_BYTES);
    cr_assert_null(ride_metrics_series(metrics, RIDE_METRIC_READY, wide));
    cr_assert(says("ride_metrics_dropped_series_total 6"));
}

Test(metrics, a_bucket_holds_what_is_over_the_one_before_and_not_over_its_own_bound) {
    cr_assert_eq(metric_bucket(0), 0);
    cr_assert_eq(metric_bucket(UINT64_MAX), METRIC_BUCKETS - 1);
    cr_assert_eq(metric_bucket_high(METRIC_BUCKETS - 1), RIDE_METRIC_VALUE_MAX);
    for (uint32_t bucket = 1; bucket < METRIC_BUCKETS; bucket++) {
        uint64_t low = metric_bucket_high(bucket - 1), high = metric_bucket_high(bucket);
        cr_assert(low < high);
        cr_assert_eq(metric_bucket(low), bucket - 1);
        cr_assert_eq(metric_bucket(low + 1), bucket, "%" PRIu64, low + 1);
        cr_assert_eq(metric_bucket(high), bucket, "%" PRIu64, high);
        cr_assert_leq(high - low, bucket > 10 ? high / 10 : 1, "%" PRIu64, high);
    }
}

/* Every rendered bucket of random values against plain counting. */
Test(metrics, rendered_buckets_are_exact) {
    enum { VALUES = 20000 };
    static uint64_t values[VALUES];
    ride_metric *metric = ride_metrics_series(metrics, RIDE_METRIC_STAGE_SECONDS, "stage=\"compute\"");
    uint64_t random = 88172645463325252, sum = 0;
    for (int i = 0; i < VALUES; i++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        values[i] = (random >> 8) % RIDE_METRIC_VALUE_MAX >> random % 40;
        if (i < 64) values[i] = i % 2 ? 2500 * (uint64_t)i : 1000;
        sum += values[i];
        ride_metric_observe(metric, values[i]);
    }
    const char *at = rendered();
    const char *mark = "ride_stage_seconds_bucket{stage=\"compute\",le=\"";
    int buckets = 0;
    while ((at = strstr(at, mark)) != NULL) {
        at += strlen(mark);
        char *end;
        double bound = strtod(at, &end) * 1e9;
        uint64_t told = strtoull(strchr(end, ' '), NULL, 10), counted = 0;
        for (int i = 0; i < VALUES; i++) counted += isinf(bound) || values[i] <= (uint64_t)llround(bound);
        cr_assert_eq(told, counted, "le %g: %" PRIu64 " told, %" PRIu64 " counted", bound, told, counted);
        buckets++;
    }
    cr_assert_eq(buckets, 24);
    char line[128];
    snprintf(line, sizeof line, "ride_stage_seconds_count{stage=\"compute\"} %d", VALUES);
    cr_assert(says(line));
    const char *told_sum = strstr(page, "ride_stage_seconds_sum{stage=\"compute\"} ");
    cr_assert_float_eq(strtod(strchr(told_sum, ' '), NULL), (double)sum / 1e9, 1e-3);
    cr_assert_eq(ride_metric_count(metric), VALUES);
}

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

Test(metrics, quantiles_are_within_a_bucket_of_the_sorted_ones) {
    enum { VALUES = 5000 };
    static uint64_t values[VALUES];
    ride_metric *times = ride_metrics_series(metrics, RIDE_METRIC_LATENCY_SECONDS, "");
    ride_metric *rows = ride_metrics_series(metrics, RIDE_METRIC_BATCH_ROWS, "");
    cr_assert_eq(ride_metric_quantile(times, 0.5), 0);
    uint64_t random = 42;
    for (int i = 0; i < VALUES; i++) {
        random = random * 6364136223846793005 + 1442695040888963407;
        values[i] = (random >> 33) % 900000 + 11;
        ride_metric_observe(times, values[i]);
    }
    qsort(values, VALUES, sizeof values[0], by_value);
    for (int percent = 0; percent <= 100; percent++) {
        int rank = (int)ceil(percent / 100.0 * VALUES);
        double expected = (double)values[rank > 0 ? rank - 1 : 0],
               told = ride_metric_quantile(times, percent / 100.0) * 1e9;
        cr_assert(fabs(told - expected) <= expected * 0.06 + 1, "p%d: %g, not %g", percent, told, expected);
    }
    ride_metric_observe_n(rows, 1, 99);
    ride_metric_observe_n(rows, 4096, 1);
    cr_assert_eq(ride_metric_quantile(rows, 0.99), 1, "small numbers are exact");
    cr_assert_float_eq(ride_metric_quantile(rows, 1), 4050.5, 0.01);
    cr_assert(says("ride_batch_rows_bucket{le=\"2000\"} 99") && says("ride_batch_rows_bucket{le=\"5000\"} 100"));
    cr_assert(says("ride_batch_rows_sum 4195") && says("ride_batch_rows_count 100"));
    ride_metric_observe_n(rows, 5, 0);
    cr_assert_eq(ride_metric_count(rows), 100);
}

Test(metrics, labels_are_escaped_and_cut_whole) {
    char text[64] = "";
    ride_metrics_label(text, sizeof text, "topic", "a\"b\\c\nd\xff");
    cr_assert_str_eq(text, "topic=\"a\\\"b\\\\c\\nd\xef\xbf\xbd\"");
    ride_metrics_label(text, sizeof text, "partition", "3");
    cr_assert_str_eq(text, "topic=\"a\\\"b\\\\c\\nd\xef\xbf\xbd\",partition=\"3\"");
    for (size_t room = 1; room < 40; room++) { /* never overrun, never half an escape or half a character */
        char small[64], *end = small + room;
        memset(small, 'Z', sizeof small);
        small[0] = '\0';
        ride_metrics_label(small, room, "k", "\"\"\xc3\xa9\xe2\x82\xac\"\\\\x\"\"\"");
        cr_assert_eq(*end, 'Z');
        size_t bytes = strlen(small);
        cr_assert_lt(bytes, room);
        if (room < 6) cr_assert_eq(bytes, 0);
        if (bytes == 0) continue;
        cr_assert(strncmp(small, "k=\"", 3) == 0 && small[bytes - 1] == '"');
        size_t at = 3;
        for (; at < bytes - 1; at += small[at] == '\\' ? 2 : 1) cr_assert_neq(small[at], '"');
        cr_assert_eq(at, bytes - 1);
    }
}

Test(metrics, the_process_is_read_from_the_system) {
    ride_metrics_watch_process(metrics);
    rendered();
    const char *at = strstr(page, "\nprocess_resident_memory_bytes ");
    cr_assert(at != NULL && strtod(strchr(at + 1, ' '), NULL) > 1e5);
    at = strstr(page, "\nprocess_start_time_seconds ");
    double started = strtod(strchr(at + 1, ' '), NULL), now = (double)time(NULL);
    cr_assert(started > now - 600 && started < now + 2, "%f, now %f", started, now);
    at = strstr(page, "\nprocess_open_fds ");
    cr_assert(at != NULL && strtod(strchr(at + 1, ' '), NULL) >= 3);
    cr_assert(strstr(page, "\nprocess_cpu_seconds_total ") != NULL && strstr(page, "\nprocess_max_fds ") != NULL);
}
