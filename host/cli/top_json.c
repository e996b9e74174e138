/* cli/top_json.c: the view of `ride top` as one line of JSON: totals, rates and quantiles, for scripts. What is not known is null. */
#include "base/number.h"
#include "cli/top_text.h"
#include "io/encoder.h"
#include "io/time_text.h"

#include <math.h>
#include <string.h>

static void put_string(FILE *to, const char *text) {
    char quoted[TOP_NAME_BYTES * 6 + 2];
    fwrite(quoted, 1, ride_json_quote(text, strlen(text), quoted), to);
}

static void put_number(FILE *to, double value) {
    char number[RIDE_NUMBER_BYTES];
    if (isfinite(value)) fwrite(number, 1, ride_double_to_text(value, number), to);
    else fputs("null", to);
}

static void put_member(FILE *to, bool first, const char *name, double value) {
    fprintf(to, "%s\"%s\":", first ? "" : ",", name);
    put_number(to, value);
}

/* ,"decisions":{"approve":{"total":1,"rate":1},…} */
static void put_counters(FILE *to, const top_view *view, const char *title, ride_metric_family family) {
    const top_list *list = &view->after->lists[family];
    fprintf(to, ",\"%s\":{", title);
    for (uint32_t i = 0; i < list->count; i++) {
        if (i > 0) fputc(',', to);
        put_string(to, list->items[i].name);
        fputs(":{", to);
        put_member(to, true, "total", list->items[i].value);
        put_member(to, false, "rate", top_rate(view, family, list->items[i].name));
        fputc('}', to);
    }
    fputc('}', to);
}

static void put_gauges(FILE *to, const top_view *view, const char *title, ride_metric_family family) {
    const top_list *list = &view->after->lists[family];
    fprintf(to, ",\"%s\":{", title);
    for (uint32_t i = 0; i < list->count; i++) {
        if (i > 0) fputc(',', to);
        put_string(to, list->items[i].name);
        fputc(':', to);
        put_number(to, list->items[i].value);
    }
    fputc('}', to);
}

/* {"to":"sink","rate":…,"mean":…,"p50":…}; each name of the family in turn. */
static void put_histograms(FILE *to, const top_view *view, ride_metric_family family, const char *title, bool *first) {
    for (uint32_t i = 0; i < view->after->histograms_count; i++) {
        const top_histogram *after = &view->after->histograms[i];
        if (after->family != family) continue;
        const top_histogram *before = top_page_histogram(view->before, family, after->name);
        if (!*first) fputc(',', to);
        *first = false;
        put_string(to, title != NULL ? title : after->name);
        fputs(":{", to);
        put_member(to, true, "rate", top_observed(before, after) / view->seconds);
        put_member(to, false, "mean", top_mean(before, after));
        put_member(to, false, "p50", top_quantile(before, after, 0.5));
        put_member(to, false, "p90", top_quantile(before, after, 0.9));
        put_member(to, false, "p99", top_quantile(before, after, 0.99));
        put_member(to, false, "p999", top_quantile(before, after, 0.999));
        fputc('}', to);
    }
}

static void put_queue_members(FILE *to, const top_view *view) {
    const top_list *list = &view->after->lists[RIDE_METRIC_QUEUE_ROWS];
    fputs(",\"queues\":{", to);
    for (uint32_t i = 0; i < list->count; i++) {
        const char *name = list->items[i].name;
        if (i > 0) fputc(',', to);
        put_string(to, name);
        fputs(":{", to);
        put_member(to, true, "rows", list->items[i].value);
        put_member(to, false, "rows_max", top_page_value(view->after, RIDE_METRIC_QUEUE_ROWS_MAX, name));
        put_member(to, false, "bytes", top_page_value(view->after, RIDE_METRIC_QUEUE_BYTES, name));
        put_member(to, false, "bytes_max", top_page_value(view->after, RIDE_METRIC_QUEUE_BYTES_MAX, name));
        fputc('}', to);
    }
    fputc('}', to);
}

static void put_lag_members(FILE *to, const top_view *view) {
    const top_list *list = &view->after->lists[RIDE_METRIC_LAG];
    fputs(",\"lag\":{", to);
    for (uint32_t i = 0; i < list->count; i++) {
        const char *name = list->items[i].name;
        if (i > 0) fputc(',', to);
        put_string(to, name);
        fputs(":{", to);
        put_member(to, true, "messages", list->items[i].value);
        put_member(to, false, "partitions", list->items[i].series);
        put_member(to, false, "rate",
                   (list->items[i].value - top_page_value(view->before, RIDE_METRIC_LAG, name)) / view->seconds);
        fputc('}', to);
    }
    fputc('}', to);
}

static void put_about(FILE *to, const top_view *view) {
    char time[RIDE_TIME_BYTES], parts[256];
    size_t bytes = ride_time_to_iso8601((int64_t)(view->now * 1e6), time);
    int ready = top_ready(view->after, parts, sizeof parts);
    fprintf(to, "{\"time\":\"%.*s\"", (int)bytes, time);
    put_member(to, false, "seconds", view->seconds);
    fprintf(to, ",\"ready\":%s,\"not_ready\":", ready == 1 ? "true" : ready == 0 ? "false" : "null");
    char quoted[sizeof parts * 6 + 2];
    fwrite(quoted, 1, ride_json_quote(parts, strlen(parts), quoted), to);
    fputs(",\"version\":", to);
    put_string(to, view->after->version);
    fputs(",\"backend\":", to);
    put_string(to, view->after->backend);
    fputs(",\"spec_hash\":", to);
    put_string(to, view->after->spec_hash);
    fputs(",\"model_hash\":", to);
    put_string(to, view->after->model_hash);
}

void top_json(const top_view *view, FILE *to) {
    static const ride_metric_family state[] = {RIDE_METRIC_STATE_KEYS, RIDE_METRIC_STATE_ENTRIES,
                                               RIDE_METRIC_STATE_BYTES};
    static const char *const state_names[] = {"keys", "entries", "bytes"};
    const top_page *page = view->after;
    bool first = true;
    put_about(to, view);
    put_counters(to, view, "received", RIDE_METRIC_RECEIVED);
    put_counters(to, view, "ended", RIDE_METRIC_EVENTS);
    put_member(to, false, "in_flight", top_page_value(page, RIDE_METRIC_IN_FLIGHT, ""));
    put_counters(to, view, "decisions", RIDE_METRIC_DECISIONS);
    put_counters(to, view, "rejected", RIDE_METRIC_REJECTED);
    put_counters(to, view, "late", RIDE_METRIC_LATE);
    put_counters(to, view, "labels", RIDE_METRIC_LABELS);
    fputs(",\"latency_seconds\":{", to);
    put_histograms(to, view, RIDE_METRIC_STAGE_SECONDS, NULL, &first);
    put_histograms(to, view, RIDE_METRIC_LATENCY_SECONDS, "to_sink", &first);
    put_histograms(to, view, RIDE_METRIC_DELIVERY_SECONDS, "acknowledged", &first);
    fputs("}", to);
    put_queue_members(to, view);
    put_lag_members(to, view);
    put_gauges(to, view, "brokers_up", RIDE_METRIC_BROKERS_UP);
    put_counters(to, view, "delivered", RIDE_METRIC_PRODUCED);
    put_counters(to, view, "delivery_failed", RIDE_METRIC_PRODUCE_FAILED);
    put_counters(to, view, "rebalances", RIDE_METRIC_REBALANCES);
    put_counters(to, view, "http_requests", RIDE_METRIC_HTTP_REQUESTS);
    first = true;
    fputs(",\"http_seconds\":{", to);
    put_histograms(to, view, RIDE_METRIC_HTTP_SECONDS, NULL, &first);
    fputs("}", to);
    put_gauges(to, view, "http_connections", RIDE_METRIC_HTTP_CONNECTIONS);
    fputs(",\"state\":{", to);
    for (int i = 0; i < 3; i++) put_member(to, i == 0, state_names[i], top_page_value(page, state[i], ""));
    fputs("},\"process\":{", to);
    put_member(to, true, "cpu_ratio", top_rate(view, RIDE_METRIC_CPU_SECONDS, ""));
    put_member(to, false, "resident_bytes", top_page_value(page, RIDE_METRIC_RESIDENT_BYTES, ""));
    put_member(to, false, "open_fds", top_page_value(page, RIDE_METRIC_OPEN_FDS, ""));
    put_member(to, false, "log_lines_lost", top_page_value(page, RIDE_METRIC_LOG_LOST, ""));
    fputs("}}\n", to);
}
