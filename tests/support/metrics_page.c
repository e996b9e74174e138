/* The real registry with the traffic of a made-up service: every family has its series. For each line on standard input it lets a second
 * of traffic pass and writes the page: its length in bytes on a line, then the page. A line may be:
 *   tick           1,000 events: 960 scored, 20 duplicate, 15 rejected, 5 shed
 *   not-ready      from now on the model and the source tx are not ready
 *   quiet          from now on nothing comes in
 *   topics N       from now on there are N more topics with lag
 * What it counts is fixed, so that tests know the rates. */
#include "base/metrics.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ride_metrics *metrics;
static bool ready = true, quiet;
static int topics, seconds;

/* label names and values in turn, NULL ends them */
static ride_metric *series(ride_metric_family family, ...) {
    char labels[RIDE_METRIC_LABELS_BYTES] = "";
    va_list args;
    va_start(args, family);
    for (const char *name; (name = va_arg(args, const char *)) != NULL;)
        ride_metrics_label(labels, sizeof labels, name, va_arg(args, const char *));
    va_end(args);
    return ride_metrics_series(metrics, family, labels);
}

static void times(ride_metric *metric, uint64_t ns, uint64_t count) { /* 9 of 10 as told, the tenth ten times as long */
    ride_metric_observe_n(metric, ns, count - count / 10);
    ride_metric_observe_n(metric, ns * 10, count / 10);
}

static void second(uint64_t events) {
    static const struct {
        const char *name;
        uint64_t ns;
    } stages[] = {{"queue", 200000},  {"read", 20000},  {"journal", 4000},
                  {"compute", 60000}, {"encode", 9000}, {"deliver", 3000000}};
    ride_metric_add(series(RIDE_METRIC_RECEIVED, "source", "tx", NULL), events);
    ride_metric_add(series(RIDE_METRIC_EVENTS, "end", "scored", NULL), events * 96 / 100);
    ride_metric_add(series(RIDE_METRIC_EVENTS, "end", "degraded", NULL), 0);
    ride_metric_add(series(RIDE_METRIC_EVENTS, "end", "duplicate", NULL), events * 2 / 100);
    ride_metric_add(series(RIDE_METRIC_EVENTS, "end", "rejected", NULL), events * 15 / 1000);
    ride_metric_add(series(RIDE_METRIC_EVENTS, "end", "shed", NULL), events * 5 / 1000);
    ride_metric_add(series(RIDE_METRIC_LATE, "entered", "true", NULL), events / 100);
    ride_metric_add(series(RIDE_METRIC_LATE, "entered", "false", NULL), events / 500);
    ride_metric_add(series(RIDE_METRIC_REJECTED, "reason", "bad_json", NULL), events / 100);
    ride_metric_add(series(RIDE_METRIC_REJECTED, "reason", "below_min", NULL), events / 200);
    ride_metric_add(series(RIDE_METRIC_DECISIONS, "decision", "approve", NULL), events * 9 / 10);
    ride_metric_add(series(RIDE_METRIC_DECISIONS, "decision", "review", NULL), events * 4 / 100);
    ride_metric_add(series(RIDE_METRIC_DECISIONS, "decision", "decline", NULL), events * 2 / 100);
    ride_metric_add(series(RIDE_METRIC_EXPLAINED, NULL), events * 6 / 100);
    ride_metric_add(series(RIDE_METRIC_LABELS, "end", "applied", NULL), events / 100);
    ride_metric_observe_n(series(RIDE_METRIC_BATCH_ROWS, NULL), 50, events / 50);
    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++)
        times(series(RIDE_METRIC_STAGE_SECONDS, "stage", stages[i].name, NULL), stages[i].ns, events);
    times(series(RIDE_METRIC_LATENCY_SECONDS, NULL), 293000, events);
    times(series(RIDE_METRIC_DELIVERY_SECONDS, NULL), 3293000, events);
    ride_metric_add(series(RIDE_METRIC_PRODUCED, "topic", "decisions", NULL), events * 98 / 100);
    ride_metric_add(series(RIDE_METRIC_PRODUCE_FAILED, "topic", "decisions", NULL), 0);
    ride_metric_add(series(RIDE_METRIC_JOURNAL_RUNS, NULL), events / 50);
    ride_metric_add(series(RIDE_METRIC_HTTP_REQUESTS, "endpoint", "/v1/score", "code", "200", NULL), events / 10);
    ride_metric_add(series(RIDE_METRIC_HTTP_REQUESTS, "endpoint", "/v1/score", "code", "429", NULL), events / 100);
    ride_metric_add(series(RIDE_METRIC_HTTP_REQUESTS, "endpoint", "/v1/events", "code", "202", NULL), events / 100);
    times(series(RIDE_METRIC_HTTP_SECONDS, "endpoint", "/v1/score", NULL), 800000, events / 10);
}

static void gauges(void) {
    static const char *const parts[] = {"all", "model", "state", "http", "tx"};
    for (int i = 0; i < 5; i++) {
        bool part = ready || i == 2 || i == 3;
        ride_metric_set(series(RIDE_METRIC_READY, "part", parts[i], NULL), part);
    }
    ride_metric_set(series(RIDE_METRIC_BUILD_INFO, "version", "0.1.0", "backend", "cpu", "spec_hash",
                           "1a2b3c4d5e6f7081", "model_hash", "91a2b3c4d5e6f708", NULL),
                    1);
    ride_metric_set(series(RIDE_METRIC_IN_FLIGHT, NULL), 128);
    ride_metric_set(series(RIDE_METRIC_QUEUE_ROWS, "queue", "ingest", NULL), 1024);
    ride_metric_set(series(RIDE_METRIC_QUEUE_ROWS_MAX, "queue", "ingest", NULL), 8192);
    ride_metric_set(series(RIDE_METRIC_QUEUE_BYTES, "queue", "ingest", NULL), 300000);
    ride_metric_set(series(RIDE_METRIC_QUEUE_BYTES_MAX, "queue", "ingest", NULL), 16777216);
    ride_metric_set(series(RIDE_METRIC_QUEUE_ROWS, "queue", "emit", NULL), 7900);
    ride_metric_set(series(RIDE_METRIC_QUEUE_ROWS_MAX, "queue", "emit", NULL), 8192);
    ride_metric_set(series(RIDE_METRIC_QUEUE_BYTES, "queue", "emit", NULL), 4000000);
    ride_metric_set(series(RIDE_METRIC_QUEUE_BYTES_MAX, "queue", "emit", NULL), 16777216);
    ride_metric_set(series(RIDE_METRIC_STATE_KEYS, NULL), 50000);
    ride_metric_set(series(RIDE_METRIC_STATE_ENTRIES, NULL), 2000000);
    ride_metric_set(series(RIDE_METRIC_STATE_BYTES, NULL), 128e6);
    ride_metric_set(series(RIDE_METRIC_CLOCK_SECONDS, NULL), 1764450000.0 + seconds);
    ride_metric_set(series(RIDE_METRIC_REPLAY_RATIO, NULL), 1);
    ride_metric_add(series(RIDE_METRIC_REPLAY_EVENTS, NULL), 0);
    for (int partition = 0; partition < 4; partition++) {
        char number[16];
        snprintf(number, sizeof number, "%d", partition);
        ride_metric_set(series(RIDE_METRIC_LAG, "topic", "tx", "partition", number, NULL), 10000.0 - 100.0 * seconds);
        ride_metric_set(series(RIDE_METRIC_STORED, "topic", "tx", "partition", number, NULL), 250.0 * seconds);
    }
    for (int topic = 0; topic < topics; topic++) {
        char name[32];
        snprintf(name, sizeof name, "more-%02d", topic);
        ride_metric_set(series(RIDE_METRIC_LAG, "topic", name, "partition", "0", NULL), 100.0 * seconds);
    }
    ride_metric_add(series(RIDE_METRIC_REBALANCES, "kind", "assign", NULL), seconds == 1);
    ride_metric_set(series(RIDE_METRIC_BROKERS_UP, "client", "consumer", NULL), 3);
    ride_metric_set(series(RIDE_METRIC_BROKERS_UP, "client", "producer", NULL), 3);
    ride_metric_set(series(RIDE_METRIC_BROKER_RTT, "client", "consumer", "broker", "127.0.0.1:9092/1", NULL), 0.004);
    ride_metric_set(series(RIDE_METRIC_HTTP_CONNECTIONS, "listener", "data", NULL), 16);
    ride_metric_set(series(RIDE_METRIC_HTTP_CONNECTIONS, "listener", "admin", NULL), 1);
    ride_metric_add(series(RIDE_METRIC_RELOADS, "end", "applied", NULL), 0);
    ride_metric_add(series(RIDE_METRIC_RELOADS, "end", "refused", NULL), 0);
}

int main(void) {
    char line[64];
    if (ride_metrics_create(&metrics, NULL) != RIDE_OK) return 1;
    ride_metrics_watch_process(metrics);
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (strncmp(line, "not-ready", 9) == 0) ready = false;
        if (strncmp(line, "quiet", 5) == 0) quiet = true;
        if (strncmp(line, "topics ", 7) == 0) topics = atoi(line + 7);
        seconds++;
        second(quiet ? 0 : 1000);
        gauges();
        char *text = NULL;
        size_t bytes = 0;
        if (ride_metrics_render(metrics, &text, &bytes, NULL) != RIDE_OK) return 1;
        printf("%zu\n", bytes);
        fwrite(text, 1, bytes, stdout);
        fflush(stdout);
        free(text);
    }
    ride_metrics_destroy(metrics);
    return 0;
}
