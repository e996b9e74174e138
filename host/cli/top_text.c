/* cli/top_text.c: the sections of the view, most important first. What has a fixed height is placed first; stages, queues and topics
 * share the lines that are left, and say how many more there are. */
#include "cli/top_text.h"

#include "base/number.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

enum { CELL = 24 };
typedef enum style { PLAIN, HEAD, GOOD, WARN, BAD, DIM } style;

typedef struct writer {
    const top_view *view;
    const char *line_end;
    char *text;
    size_t bytes;
    uint32_t column, line;
} writer;

static void put_raw(writer *to, const char *text, size_t bytes) {
    bool full = to->view->lines > 0 && to->line >= to->view->lines;
    if (full || to->bytes + bytes >= TOP_TEXT_BYTES) return;
    memcpy(to->text + to->bytes, text, bytes);
    to->bytes += bytes;
}

/* Text in a style. What goes over the last column is cut there and marked, so that half a number is not taken for one. Columns are
 * counted in characters. */
static void put(writer *to, style how, const char *format, ...) RIDE_PRINTF(3, 4);
static void put(writer *to, style how, const char *format, ...) {
    static const char *const codes[] = {"", "\033[1m", "\033[32m", "\033[33m", "\033[31m", "\033[2m"};
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    uint32_t room = to->view->columns - to->column, wide = 0;
    size_t end = 0, marked = 0; /* bytes that go into all columns, and into all but the last */
    for (; text[end] != '\0'; end++) {
        if (((unsigned char)text[end] & 0xc0) == 0x80) continue;
        if (wide + 1 == room) marked = end;
        if (wide == room) break;
        wide++;
    }
    if (room == 0 || end == 0) return;
    bool cut = text[end] != '\0', coloured = to->view->colour && how != PLAIN;
    if (coloured) put_raw(to, codes[how], strlen(codes[how]));
    put_raw(to, text, cut ? marked : end);
    if (cut) put_raw(to, "…", strlen("…"));
    if (coloured) put_raw(to, "\033[0m", 4);
    to->column += wide;
}

static void end_line(writer *to) {
    while (to->bytes > 0 && to->text[to->bytes - 1] == ' ') to->bytes--; /* of cells that stayed empty */
    put_raw(to, to->line_end, strlen(to->line_end));
    to->column = 0;
    to->line++;
}

/* "12,345" below ten million, then "12.3 M", "1.2 G" */
static const char *count_text(double value, char *text) {
    char digits[CELL];
    if (isnan(value)) return strcpy(text, "-");
    if (value >= 1e10 || value <= -1e10) snprintf(text, CELL, "%.1f G", value / 1e9);
    else if (value >= 1e7 || value <= -1e7) snprintf(text, CELL, "%.1f M", value / 1e6);
    else if (value != 0 && fabs(value) < 9.95 && value != floor(value)) snprintf(text, CELL, "%.1f", value);
    else {
        int count = snprintf(digits, sizeof digits, "%.0f", fabs(value)), at = 0;
        if (value < -0.5) text[at++] = '-';
        for (int i = 0; i < count; i++) {
            if (i > 0 && (count - i) % 3 == 0) text[at++] = ',';
            text[at++] = digits[i];
        }
        text[at] = '\0';
    }
    return text;
}

static const char *bytes_text(double value, char *text) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    int unit = 0;
    while (value >= 1024 && unit < 4) value /= 1024, unit++;
    snprintf(text, CELL, unit == 0 || value >= 100 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return text;
}

static const char *time_text(double seconds, char *text) {
    if (isnan(seconds)) return strcpy(text, "-");
    if (isinf(seconds)) return strcpy(text, "over");
    if (seconds < 1e-3) snprintf(text, CELL, "%.*f us", seconds < 1e-5 ? 1 : 0, seconds * 1e6);
    else if (seconds < 1) snprintf(text, CELL, "%.*f ms", seconds < 1e-1 ? 1 : 0, seconds * 1e3);
    else if (seconds < 120) snprintf(text, CELL, "%.*f s", seconds < 10 ? 2 : 0, seconds);
    else if (seconds < 7200) snprintf(text, CELL, "%.0f min", seconds / 60);
    else if (seconds < 172800) snprintf(text, CELL, "%.0f h", seconds / 3600);
    else snprintf(text, CELL, "%.0f d", seconds / 86400);
    return text;
}

double top_rate(const top_view *view, ride_metric_family family, const char *name) {
    double before = top_page_value(view->before, family, name), after = top_page_value(view->after, family, name);
    return top_delta(before, after) / view->seconds;
}
static double rate_sum(const top_view *view, ride_metric_family family) {
    double sum = 0;
    for (uint32_t i = 0; i < view->after->lists[family].count; i++)
        sum += top_rate(view, family, view->after->lists[family].items[i].name);
    return sum;
}
static const top_list *list_of(const top_view *view, ride_metric_family family) { return &view->after->lists[family]; }

int top_ready(const top_page *page, char *parts, size_t parts_bytes_max) {
    const top_list *list = &page->lists[RIDE_METRIC_READY];
    int ready = list->count > 0 ? 1 : -1;
    parts[0] = '\0';
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->items[i].value > 0) continue;
        ready = 0;
        if (strcmp(list->items[i].name, "all") == 0) continue;
        size_t used = strlen(parts);
        snprintf(parts + used, parts_bytes_max - used, "%s%s", used > 0 ? ", " : "", list->items[i].name);
    }
    return ready;
}

static void put_head(writer *to) {
    const top_view *view = to->view;
    char parts[256], cell[CELL];
    int ready = top_ready(view->after, parts, sizeof parts);
    put(to, HEAD, "ride%s%s", view->after->version[0] != '\0' ? " " : "", view->after->version);
    put(to, PLAIN, " at %s  ", view->address);
    if (view->trouble != NULL) put(to, BAD, "%s", view->trouble);
    else if (ready == 1) put(to, GOOD, "ready");
    else if (ready == 0) put(to, BAD, "NOT READY%s%s", parts[0] != '\0' ? ": " : "", parts);
    else put(to, WARN, "readiness is not told");
    double started = top_page_value(view->after, RIDE_METRIC_START_SECONDS, "");
    if (started > 0) put(to, PLAIN, "  up %s", time_text(fmax(view->now - started, 0), cell));
    if (view->after->backend[0] != '\0') put(to, DIM, "  %s", view->after->backend);
    if (view->after->spec_hash[0] != '\0') put(to, DIM, "  spec %.8s", view->after->spec_hash);
    if (view->after->model_hash[0] != '\0') put(to, DIM, "  model %.8s", view->after->model_hash);
    end_line(to);
    double replay = top_page_value(view->after, RIDE_METRIC_REPLAY_RATIO, "");
    if (list_of(view, RIDE_METRIC_REPLAY_RATIO)->count > 0 && replay < 1) {
        put(to, WARN, "rebuilding the window state: %.1f %%, %s events/s", replay * 100,
            count_text(top_rate(view, RIDE_METRIC_REPLAY_EVENTS, ""), cell));
        end_line(to);
    }
}

static void put_events(writer *to) {
    static const char *const ends[] = {"scored", "degraded", "duplicate", "rejected", "shed"};
    const top_view *view = to->view;
    char cell[CELL];
    put(to, HEAD, "%-10s%10s", "events", "received");
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) put(to, HEAD, " %9s", ends[i]);
    put(to, HEAD, " %9s", "in flight");
    end_line(to);
    put(to, PLAIN, "%-10s%10s", "per second", count_text(rate_sum(view, RIDE_METRIC_RECEIVED), cell));
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        double now = top_rate(view, RIDE_METRIC_EVENTS, ends[i]);
        put(to, now > 0 && i > 2 ? i == 4 ? BAD : WARN : PLAIN, " %9s", count_text(now, cell));
    }
    put(to, PLAIN, " %9s", count_text(top_page_value(view->after, RIDE_METRIC_IN_FLIGHT, ""), cell));
    end_line(to);
    put(to, PLAIN, "%-10s%10s", "in all", count_text(top_page_sum(view->after, RIDE_METRIC_RECEIVED), cell));
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        put(to, PLAIN, " %9s", count_text(top_page_value(view->after, RIDE_METRIC_EVENTS, ends[i]), cell));
    end_line(to);
}

/* "approve 12,000 (97.5 %)  review …": a family's rates, the greatest first, as many as the line holds. */
static void put_rates(writer *to, const char *title, ride_metric_family family, bool shares, style how) {
    const top_list *list = list_of(to->view, family);
    bool shown[TOP_ITEMS_MAX] = {false}, none = true;
    char cell[CELL];
    double all = rate_sum(to->view, family);
    put(to, HEAD, "%-11s", title);
    for (uint32_t n = 0; n < list->count; n++) {
        uint32_t best = TOP_ITEMS_MAX;
        for (uint32_t i = 0; i < list->count; i++) {
            if (shown[i]) continue;
            if (best == TOP_ITEMS_MAX ||
                top_rate(to->view, family, list->items[i].name) > top_rate(to->view, family, list->items[best].name))
                best = i;
        }
        shown[best] = true;
        if (list->items[best].value <= 0) continue; /* every reason has a series from the start */
        double now = top_rate(to->view, family, list->items[best].name);
        put(to, PLAIN, none ? " " : ",  ");
        put(to, now > 0 ? how : PLAIN, "%s %s", list->items[best].name, count_text(now, cell));
        if (shares && all > 0) put(to, DIM, " (%.3g %%)", now / all * 100);
        none = false;
    }
    if (none) put(to, DIM, " none yet");
    end_line(to);
}

static void put_drops(writer *to) {
    const top_view *view = to->view;
    char cell[CELL];
    put(to, HEAD, "%-11s", "dropped/s");
    double shed = top_rate(view, RIDE_METRIC_EVENTS, "shed"), late = top_rate(view, RIDE_METRIC_LATE, "false");
    double refused = rate_sum(view, RIDE_METRIC_PRODUCE_FAILED),
           lines = top_page_sum(view->after, RIDE_METRIC_LOG_LOST);
    double series = top_page_sum(view->after, RIDE_METRIC_SERIES_DROPPED);
    put(to, shed > 0 ? BAD : PLAIN, " shed %s, ", count_text(shed, cell));
    put(to, late > 0 ? WARN : PLAIN, "too late %s, ", count_text(late, cell));
    put(to, refused > 0 ? BAD : PLAIN, "refused by the log %s", count_text(refused, cell));
    if (lines > 0) put(to, WARN, ", log lines lost: %s", count_text(lines, cell));
    if (series > 0) put(to, WARN, ", series without room: %s", count_text(series, cell));
    end_line(to);
}

static void put_latency_line(writer *to, const char *title, ride_metric_family family, const char *name) {
    static const double quantiles[] = {0.5, 0.9, 0.99, 0.999};
    const top_histogram *before = top_page_histogram(to->view->before, family, name);
    const top_histogram *after = top_page_histogram(to->view->after, family, name);
    char cell[CELL];
    put(to, PLAIN, "%-16.16s", title);
    for (int q = 0; q < 4; q++) put(to, PLAIN, " %9s", time_text(top_quantile(before, after, quantiles[q]), cell));
    put(to, PLAIN, " %9s", time_text(top_mean(before, after), cell));
    put(to, PLAIN, " %10s", count_text(top_observed(before, after) / to->view->seconds, cell));
    end_line(to);
}

static void put_more(writer *to, uint32_t count) {
    put(to, DIM, "  … and %u more", count);
    end_line(to);
}

/* One that clients ask: not what probes and this very program ask. */
static bool is_used_endpoint(const top_histogram *one) {
    static const char *const ours[] = {"metrics", "healthz", "readyz"};
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        if (strcmp(one->name, ours[i]) == 0) return false;
    return one->family == RIDE_METRIC_HTTP_SECONDS && top_observed(NULL, one) > 0;
}

/* The stages in the order in which an event goes through them, others behind; at most `most` lines. */
static void put_stages(writer *to, uint32_t most) {
    static const char *const order[] = {"queue", "read", "journal", "compute", "encode", "deliver"};
    enum { ORDER = sizeof order / sizeof order[0] };
    const top_page *page = to->view->after;
    const top_histogram *stages[TOP_HISTOGRAMS_MAX];
    uint32_t count = 0;
    for (uint32_t place = 0; place <= ORDER; place++)
        for (uint32_t i = 0; i < page->histograms_count; i++) {
            const top_histogram *one = &page->histograms[i];
            uint32_t at = 0;
            while (at < ORDER && strcmp(order[at], one->name) != 0) at++;
            if (one->family == RIDE_METRIC_STAGE_SECONDS && at == place) stages[count++] = one;
        }
    for (uint32_t i = 0; i < page->histograms_count; i++)
        if (is_used_endpoint(&page->histograms[i])) stages[count++] = &page->histograms[i];
    for (uint32_t i = 0; i < count && most > 0; i++) {
        char title[TOP_NAME_BYTES + 8];
        if (count > most && i + 1 == most) {
            put_more(to, count - i);
            return;
        }
        snprintf(title, sizeof title, "  %s", stages[i]->name);
        put_latency_line(to, title, stages[i]->family, stages[i]->name);
    }
}

static void put_latency(writer *to, uint32_t stages_max) {
    put(to, HEAD, "%-16s %9s %9s %9s %9s %9s %10s", "latency", "p50", "p90", "p99", "p99.9", "mean", "per second");
    end_line(to);
    put_stages(to, stages_max);
    put_latency_line(to, "  to the sink", RIDE_METRIC_LATENCY_SECONDS, "");
    if (top_page_histogram(to->view->after, RIDE_METRIC_DELIVERY_SECONDS, "") != NULL)
        put_latency_line(to, "  acknowledged", RIDE_METRIC_DELIVERY_SECONDS, "");
}

static void put_bar(writer *to, double share) {
    char bar[13] = "............";
    for (int i = 0; i < 12; i++)
        if (share * 12 > i + 0.001) bar[i] = '#';
    put(to, share >= 0.9 ? BAD : share >= 0.5 ? WARN : GOOD, " [%s]", bar);
    put(to, PLAIN, " %3.0f %%", fmin(share, 9.99) * 100);
}

static void put_queues(writer *to, uint32_t most) {
    const top_page *page = to->view->after;
    const top_list *rows = list_of(to->view, RIDE_METRIC_QUEUE_ROWS);
    char a[CELL], b[CELL], c[CELL];
    if (rows->count == 0 || most < 2) return;
    put(to, HEAD, "%-16s %20s %19s %20s", "queue", "fill", "events, of", "bytes, of");
    end_line(to);
    for (uint32_t i = 0; i < rows->count; i++) {
        if (i + 2 == most && rows->count > most - 1) {
            put_more(to, rows->count - i);
            return;
        }
        const char *name = rows->items[i].name;
        double full = top_page_value(page, RIDE_METRIC_QUEUE_ROWS_MAX, name),
               size = top_page_value(page, RIDE_METRIC_QUEUE_BYTES, name);
        double size_max = top_page_value(page, RIDE_METRIC_QUEUE_BYTES_MAX, name);
        double share = full > 0 ? rows->items[i].value / full : 0;
        if (size_max > 0) share = fmax(share, size / size_max);
        put(to, PLAIN, "  %-14s", name);
        put_bar(to, share);
        count_text(rows->items[i].value, a);
        put(to, PLAIN, " %9s %9s", a, full > 0 ? count_text(full, b) : "-");
        put(to, PLAIN, " %10s %9s", bytes_text(size, a), size_max > 0 ? bytes_text(size_max, c) : "-");
        end_line(to);
    }
}

static void put_lag(writer *to, uint32_t most) {
    const top_list *lag = list_of(to->view, RIDE_METRIC_LAG);
    char a[CELL], b[CELL];
    if (lag->count == 0 || most < 2) return;
    put(to, HEAD, "%-16s %12s %12s %16s %12s", "lag of topic", "messages", "change/s", "caught up in", "partitions");
    end_line(to);
    for (uint32_t i = 0; i < lag->count; i++) {
        if (i + 2 == most && lag->count > most - 1) {
            put_more(to, lag->count - i);
            return;
        }
        const top_item *topic = &lag->items[i];
        double change =
            (topic->value - top_page_value(to->view->before, RIDE_METRIC_LAG, topic->name)) / to->view->seconds;
        char when[CELL] = "-";
        if (topic->value <= 0) strcpy(when, "now");
        else if (change < -0.5) time_text(topic->value / -change, when);
        else if (change > 0.5) strcpy(when, "falls behind");
        put(to, PLAIN, "  %-14s", topic->name);
        put(to, PLAIN, " %12s %12s", count_text(topic->value, a), count_text(change, b));
        put(to, change > 0.5 ? WARN : PLAIN, " %16s", when);
        put(to, PLAIN, " %12u", topic->series);
        end_line(to);
    }
}

static void put_kafka(writer *to) {
    const top_view *view = to->view;
    const top_list *brokers = list_of(view, RIDE_METRIC_BROKERS_UP), *trips = list_of(view, RIDE_METRIC_BROKER_RTT);
    char a[CELL], b[CELL];
    put(to, HEAD, "%-11s", "kafka");
    put(to, PLAIN, " brokers up:");
    for (uint32_t i = 0; i < brokers->count; i++)
        put(to, brokers->items[i].value > 0 ? PLAIN : BAD, " %s %s,", brokers->items[i].name,
            count_text(brokers->items[i].value, a));
    put(to, PLAIN, " delivered/s %s, rebalances %s", count_text(rate_sum(view, RIDE_METRIC_PRODUCED), a),
        count_text(top_page_sum(view->after, RIDE_METRIC_REBALANCES), b));
    double slowest = NAN;
    for (uint32_t i = 0; i < trips->count; i++) slowest = fmax(slowest, trips->items[i].value); /* of NaN the other */
    if (slowest > 0) put(to, PLAIN, ", round trip %s", time_text(slowest, a));
    end_line(to);
}

static void put_http(writer *to) {
    const top_view *view = to->view;
    const top_list *codes = &view->after->lists[RIDE_METRIC_HTTP_REQUESTS];
    char cell[CELL];
    put(to, HEAD, "%-11s", "http");
    put(to, PLAIN, " requests/s");
    for (uint32_t i = 0; i < codes->count; i++) {
        if (codes->items[i].value <= 0) continue;
        double now = top_rate(view, RIDE_METRIC_HTTP_REQUESTS, codes->items[i].name);
        put(to, now > 0 && codes->items[i].name[0] >= '4' ? WARN : PLAIN, " %s: %s,", codes->items[i].name,
            count_text(now, cell));
    }
    put(to, PLAIN, " connections %s", count_text(top_page_sum(view->after, RIDE_METRIC_HTTP_CONNECTIONS), cell));
    end_line(to);
}

static void put_process(writer *to) {
    const top_view *view = to->view;
    char a[CELL], b[CELL], c[CELL];
    put(to, HEAD, "%-11s", "process");
    put(to, PLAIN, " cpu %.0f %%, memory %s, files %s", top_rate(view, RIDE_METRIC_CPU_SECONDS, "") * 100,
        bytes_text(top_page_value(view->after, RIDE_METRIC_RESIDENT_BYTES, ""), a),
        count_text(top_page_value(view->after, RIDE_METRIC_OPEN_FDS, ""), b));
    if (list_of(view, RIDE_METRIC_STATE_KEYS)->count > 0)
        put(to, PLAIN, "; windows: %s, %s keys, %s events",
            bytes_text(top_page_value(view->after, RIDE_METRIC_STATE_BYTES, ""), c),
            count_text(top_page_value(view->after, RIDE_METRIC_STATE_KEYS, ""), a),
            count_text(top_page_value(view->after, RIDE_METRIC_STATE_ENTRIES, ""), b));
    end_line(to);
}

size_t top_text(const top_view *view, const char *line_end, char *text) {
    writer to = {.view = view, .line_end = line_end, .text = text};
    const top_page *page = view->after;
    bool kafka = page->lists[RIDE_METRIC_BROKERS_UP].count > 0 || page->lists[RIDE_METRIC_PRODUCED].count > 0;
    bool http = top_page_sum(page, RIDE_METRIC_HTTP_REQUESTS) > 0;
    bool acknowledged = top_page_histogram(page, RIDE_METRIC_DELIVERY_SECONDS, "") != NULL;
    uint32_t stages = 0;
    for (uint32_t i = 0; i < page->histograms_count; i++)
        stages += page->histograms[i].family == RIDE_METRIC_STAGE_SECONDS || is_used_endpoint(&page->histograms[i]);
    uint32_t queues = page->lists[RIDE_METRIC_QUEUE_ROWS].count, topics = page->lists[RIDE_METRIC_LAG].count;
    queues += queues > 0, topics += topics > 0; /* their heads */
    put_head(&to);
    put_events(&to);
    put_rates(&to, "decisions/s", RIDE_METRIC_DECISIONS, true, PLAIN);
    put_rates(&to, "rejected/s", RIDE_METRIC_REJECTED, false, WARN);
    put_drops(&to);
    uint32_t fixed = to.line + 2 + acknowledged + kafka + http + 1; /* and the heads of latency, process */
    uint32_t left = view->lines == 0 ? UINT32_MAX : view->lines > fixed ? view->lines - fixed : 0;
    if (left < stages + queues + topics) { /* lag before queues before stages */
        topics = topics < left / 3 + 1 ? topics : left / 3 + 1;
        uint32_t rest = left - (topics < left ? topics : left);
        queues = queues < rest / 2 + 1 ? queues : rest / 2 + 1;
        stages = rest > queues ? rest - queues : 0;
    }
    put_latency(&to, stages);
    put_queues(&to, queues);
    put_lag(&to, topics);
    if (kafka) put_kafka(&to);
    if (http) put_http(&to);
    put_process(&to);
    return to.bytes;
}
