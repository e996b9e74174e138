/* After start the data path of a service allocates nothing: poll, decode, journal, windows, rules, results, acknowledgements, stored places,
 * over a log in memory whose keys, ids and labels have reached a steady number, counted from a third of it to nearly its end, all threads and
 * libraries. With a real broker and HTTP beside: tests/long/soak.sh. */
#include "base/log.h"
#include "engine/service.h"
#include "tests/support/alloc_count.h"
#include "tests/support/fake_log.h"
#include "tests/support/steady_stream.h"

#include <unistd.h>

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, now->name, #condition);                             \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

enum { EVENTS = 300000, COUNT_FROM = EVENTS / 3, COUNT_TO = EVENTS - EVENTS / 50 };

typedef struct stream {
    const char *name;
    ride_format format;
    uint32_t partitions; /* of the events */
    bool labels;         /* from a topic of their own, else within the event */
    bool keyed;          /* a clock for each partition */
    uint32_t shards, batch_rows, full_every, burst;
    uint64_t delay_ns;
} stream;
static const stream streams[] = {
    {.name = "one partition", .format = RIDE_FORMAT_CSV, .partitions = 1, .shards = 1, .batch_rows = 1024},
    {.name = "row by row", .format = RIDE_FORMAT_NDJSON, .partitions = 2, .shards = 1, .batch_rows = 1, .burst = 40},
    {.name = "labels and two shards, a full outlet",
     .format = RIDE_FORMAT_NDJSON,
     .partitions = 3,
     .labels = true,
     .shards = 2,
     .batch_rows = 1024,
     .full_every = 2000,
     .burst = 200},
    {.name = "a clock for each partition, batches that wait",
     .format = RIDE_FORMAT_CSV,
     .partitions = 4,
     .keyed = true,
     .shards = 2,
     .batch_rows = 256,
     .burst = 100,
     .delay_ns = 100000},
};
static const stream *now;

static const ride_rule_spec rules[] = {
    {.id = "much",
     .when = "amount > 50 and ratio > 2",
     .decision = RIDE_DECISION_DECLINE,
     .file = "t",
     .line = 1,
     .column = 1},
    {.id = "web", .when = "web_1h > 3", .decision = RIDE_DECISION_REVIEW, .file = "t", .line = 2, .column = 1},
};

static fake_log feed_log;
static ride_run_summary summary;
static ride_diagnostics findings;
static alloc_count counted;
static int counting; /* 0 not yet, 1 now, 2 done */

static void watch(fake_log *log) {
    (void)log;
    if (counting == 0 && summary.received >= COUNT_FROM) {
        counting = 1;
        alloc_count_begin();
    } else if (counting == 1 && summary.received >= COUNT_TO) {
        counted = alloc_count_end();
        counting = 2;
    }
}

/* Cards are spread over the partitions; labels are those of a topic with one. */
static char *fill(const stream *s, volatile sig_atomic_t *stop) {
    const uint32_t partitions = s->partitions + s->labels;
    char *texts = malloc((size_t)(EVENTS + EVENTS / 20) * STEADY_EVENT_BYTES), *text = texts;
    static char keys[STEADY_CARDS][16];
    CHECK(texts != NULL);
    feed_log = (fake_log){.source = "tx",
                          .topic = "events",
                          .partitions = partitions,
                          .other_first = s->labels ? s->partitions : 0,
                          .other_source = "backs",
                          .other_topic = "labels",
                          .in_step = true,
                          .forgets = true,
                          .random = 11,
                          .full_every = s->full_every,
                          .burst_max = s->burst,
                          .deliver_max = 4096,
                          .stop_at_end = true,
                          .stop = stop,
                          .script = watch};
    for (uint32_t p = 0; p < partitions; p++) feed_log.committed[p] = RIDE_OFFSET_NONE;
    for (uint32_t i = 0, card; i < EVENTS; i++, text += STEADY_EVENT_BYTES) {
        const uint32_t bytes = steady_event(i, s->format == RIDE_FORMAT_NDJSON, text, &card);
        const int key_bytes = snprintf(keys[card], sizeof keys[card], "card-%u", card);
        fake_append(&feed_log, card % s->partitions, keys[card], (uint32_t)key_bytes, text, bytes);
    }
    /* read in step: the first are for events that never were, so that each is behind its event */
    for (uint32_t i = 0; i < EVENTS && s->labels; i += 20, text += STEADY_EVENT_BYTES) {
        const uint32_t of = i >= STEADY_LABEL_S ? i - STEADY_LABEL_S : EVENTS + i;
        fake_append(&feed_log, s->partitions, NULL, 0, text, steady_label(of, EVENTS, true, text));
    }
    return texts;
}

static bool serve(const stream *s) {
    volatile sig_atomic_t stop = 0;
    ride_waker waker;
    ride_metrics *metrics;
    ride_error err = {0};
    now = s;
    char *texts = fill(s, &stop);
    CHECK(steady_spec_write("spec.yaml", s->format == RIDE_FORMAT_NDJSON ? "json" : "csv", s->labels, !s->keyed));
    CHECK(ride_waker_open(&waker, NULL) == RIDE_OK && ride_metrics_create(&metrics, NULL) == RIDE_OK);
    const ride_service_input inputs[] = {{"tx", s->format}, {"backs", RIDE_FORMAT_NDJSON}};
    ride_service_options options = {.run = {.spec_path = "spec.yaml",
                                            .rules = rules,
                                            .rules_count = 2,
                                            .vector = true,
                                            .shards = s->shards,
                                            .batch_rows_max = s->batch_rows,
                                            .stop = &stop},
                                    .inputs = inputs,
                                    .inputs_count = s->labels ? 2 : 1,
                                    .feeds = {{fake_feed_open, &feed_log}},
                                    .feeds_count = 1,
                                    .outlet_open = fake_outlet_open,
                                    .outlet_context = &feed_log,
                                    .targets = {true, true, true, true},
                                    .targets_format = s->format,
                                    .journal_path = "journal",
                                    .phase_path = "phase",
                                    .partition_keyed = s->keyed,
                                    .drain_timeout_ns = UINT64_C(30000000000),
                                    .batch_delay_ns = s->delay_ns,
                                    .waker = &waker,
                                    .metrics = metrics};
    counting = 0;
    ride_diagnostics_init(&findings);
    const ride_status st = ride_service_run(&options, &summary, &findings, &err);
    if (findings.count > 0) fprintf(stderr, "%s\n", findings.items[0].message);
    else if (st != RIDE_INTERRUPTED) fprintf(stderr, "%s\n", err.what);
    CHECK(st == RIDE_INTERRUPTED && counting == 2);
    /* the stream had everything it should have, and all of it went through */
    CHECK(summary.received == EVENTS && feed_log.results_count > EVENTS);
    CHECK(summary.rejected > 100 && summary.duplicates > 1000 && summary.late > 2000 && summary.too_late > 100);
    CHECK(!s->labels || (summary.labels > EVENTS / 25 && summary.labels_unknown > 100));
    for (uint32_t p = 0; p < feed_log.partitions; p++) CHECK(feed_log.committed[p] == feed_log.counts[p]);
    ride_run_summary_free(&summary);
    ride_metrics_destroy(metrics);
    ride_waker_close(&waker);
    fake_log_free(&feed_log);
    free(texts);
    CHECK(remove("journal") == 0);
    if (counted.allocations == 0 && counted.maps == 0 && counted.frees == 0) return true;
    fprintf(stderr,
            "%s: %llu allocations, %llu maps, %llu frees, %llu bytes in the steady stream (RIDE_ALLOC_TRAP=1 tells the "
            "first)\n",
            s->name, (unsigned long long)counted.allocations, (unsigned long long)counted.maps,
            (unsigned long long)counted.frees, (unsigned long long)counted.bytes);
    return false;
}

int main(void) {
    if (!ALLOC_COUNT_WORKS) {
        puts("skipped: sanitizers have their own malloc, which cannot be counted");
        return 77;
    }
    char folder[] = "/tmp/ride_alloc_XXXXXX", command[64];
    ride_log_set_level(RIDE_LOG_ERROR);
    now = streams;
    CHECK(mkdtemp(folder) != NULL && chdir(folder) == 0);
    bool good = true;
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++) good = serve(&streams[i]) && good;
    CHECK(chdir("/") == 0);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0) puts("the test's folder stays");
    if (good) puts("ok");
    return !good;
}
