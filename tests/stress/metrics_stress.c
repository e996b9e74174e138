/* Writers, streams that come and go, and a reader at once: nothing lost, every page whole. Run under TSan too. */
#include "base/metrics.h"
#include "tests/support/check_exit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { ROUNDS = 20000 };
#else
enum { ROUNDS = 200000 };
#endif
enum { WRITERS = 3 };

static ride_metrics *metrics;
static _Atomic int writing = WRITERS;

/* Each writer shares two series with the others and has a stream's gauge of its own, which it takes and gives back. */
static void *writer(void *argument) {
    int number = (int)(intptr_t)argument;
    char labels[64] = "", text[16];
    ride_metric *scored = ride_metrics_series(metrics, RIDE_METRIC_EVENTS, "end=\"scored\"");
    ride_metric *stage = ride_metrics_series(metrics, RIDE_METRIC_STAGE_SECONDS, "stage=\"compute\"");
    snprintf(text, sizeof text, "%d", number);
    ride_metrics_label(labels, sizeof labels, "topic", "tx");
    ride_metrics_label(labels, sizeof labels, "partition", text);
    ride_metric *lag = ride_metrics_series(metrics, RIDE_METRIC_LAG, labels);
    for (int i = 0; i < ROUNDS; i++) {
        ride_metric_add(scored, 2);
        ride_metric_observe_n(stage, (uint64_t)i * 100, 3);
        ride_metric_set(lag, (double)i);
        if (i % 64 != 0) continue;
        ride_metrics_remove(metrics, lag);
        lag = ride_metrics_series(metrics, RIDE_METRIC_LAG, labels);
        CHECK(lag != NULL);
    }
    ride_metrics_remove(metrics, lag);
    atomic_fetch_sub(&writing, 1);
    return NULL;
}

/* A count that only grows, and a histogram whose last bucket is its count. */
static void check(const char *text, uint64_t *scored_before) {
    const char *at = strstr(text, "\nride_events_total{end=\"scored\"} ");
    if (at != NULL) {
        uint64_t scored = strtoull(strchr(at, ' '), NULL, 10);
        CHECK(scored >= *scored_before && scored % 2 == 0);
        *scored_before = scored;
    }
    at = strstr(text, "ride_stage_seconds_bucket{stage=\"compute\",le=\"+Inf\"} ");
    if (at == NULL) return;
    uint64_t all = strtoull(strchr(at, ' '), NULL, 10);
    at = strstr(at, "ride_stage_seconds_count{stage=\"compute\"} ");
    CHECK(at != NULL && strtoull(strchr(at, ' '), NULL, 10) == all);
}

int main(void) {
    pthread_t threads[WRITERS];
    uint64_t scored = 0, pages = 0;
    CHECK(ride_metrics_create(&metrics, NULL) == RIDE_OK);
    ride_metrics_watch_process(metrics);
    for (int i = 0; i < WRITERS; i++) CHECK(pthread_create(&threads[i], NULL, writer, (void *)(intptr_t)i) == 0);
    bool more;
    do { /* once more when all have ended */
        more = atomic_load(&writing) > 0;
        char *text = NULL;
        size_t bytes = 0;
        CHECK(ride_metrics_render(metrics, &text, &bytes, NULL) == RIDE_OK);
        CHECK(bytes > 0 && text[bytes - 1] == '\n' && strlen(text) == bytes);
        check(text, &scored);
        free(text);
        pages++;
    } while (more);
    for (int i = 0; i < WRITERS; i++) pthread_join(threads[i], NULL);
    CHECK(scored == (uint64_t)WRITERS * ROUNDS * 2);
    ride_metric *stage = ride_metrics_series(metrics, RIDE_METRIC_STAGE_SECONDS, "stage=\"compute\"");
    CHECK(ride_metric_count(stage) == (uint64_t)WRITERS * ROUNDS * 3);
    ride_metrics_destroy(metrics);
    printf("%d writers, %llu pages read meanwhile\n", WRITERS, (unsigned long long)pages);
    return 0;
}
