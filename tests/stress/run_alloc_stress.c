/* After start the data path allocates nothing: whole runs (decode, keys, dedup, late, labels, features, rules, outputs, dead letters)
 * over a stream whose keys, ids and labels have reached a steady number, counted from a third of it to nearly its end. What
 * grows by doubling (the map of ids, the table of keys, label patches) has grown by then, and must not grow again. */
#include "base/log.h"
#include "engine/drift.h"
#include "engine/profile.h"
#include "tests/support/alloc_count.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, now, #condition);                                   \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

/* One event a second: of 300,000 the windows, the horizon of the ids and the delay of labels see two hours. */
enum { EVENTS = 300000, COUNT_FROM = EVENTS / 3, COUNT_TO = EVENTS - EVENTS / 50 };
static const char *now = "start";

static const char spec_form[] =
    "version: 1\n"
    "sources:\n"
    "  tx:\n"
    "    format: %s\n"
    "    event_time: {field: ts, unit: s}\n"
    "    event_id: id\n"
    "    dedup: 2h\n"
    "    %s\n"
    "    watermark: {bound: 30s, allowed_lateness: 10m}\n"
    "    fields: {id: u64, ts: {type: timestamp, unit: s}, card: string, shop: u32, amount: {type: decimal, scale: 2, "
    "min: "
    "0, max: 100000}, kind: {type: string, category: [chip, web]}, fraud: bool}\n"
    "%s"
    "entities:\n"
    "  card: {keys: [card], horizon: 2h, expected_keys: 2000}\n"
    "  shop: {keys: [shop], horizon: 2h, expected_keys: 200}\n"
    "features:\n"
    "  - {entity: card, column: amount, agg: [count, sum, mean, std, min, max, last], windows: [10m, 1h]}\n"
    "  - {entity: card, column: shop, agg: [distinct, first_seen], windows: [1h]}\n"
    "  - {entity: card, agg: [since_last, since_first]}\n"
    "  - {name: web_1h, entity: card, agg: [count], windows: [1h], where: \"kind == 'web'\"}\n"
    "  - {entity: shop, agg: [count, risk], windows: [1h], delay: 30m, labels: fixed}\n"
    "  - {name: ratio, expr: \"amount / coalesce(card_amount_mean_1h, 1)\"}\n";
static const char labels_form[] = "  backs:\n"
                                  "    format: csv\n"
                                  "    event_time: {field: ts, unit: s}\n"
                                  "    labels: {source: tx, key: id, value: fraud}\n"
                                  "    fields: {id: u64, fraud: bool}\n";

typedef struct stream {
    const char *name, *format; /* of the events */
    const char *compressor;    /* command, or NULL */
    bool labels;               /* from a source of their own, else within the event */
    bool drift;                /* against the stream itself, by the hour */
    ride_run_options run;      /* what differs: record, rules, output format, model */
} stream;

static const ride_rule_spec rules[] = {
    {.id = "much",
     .when = "amount > 50 and ratio > 2",
     .decision = RIDE_DECISION_DECLINE,
     .file = "t",
     .line = 1,
     .column = 1},
    {.id = "web", .when = "web_1h > 3", .decision = RIDE_DECISION_REVIEW, .file = "t", .line = 2, .column = 1},
};
static const stream streams[] = {
    {.name = "csv", .format = "csv"},
    {.name = "csv.gz", .format = "csv", .compressor = "gzip -1"},
    {.name = "csv.zst", .format = "csv", .compressor = "zstd -q --rm"},
    {.name = "json", .format = "json", .run = {.format = RIDE_FORMAT_NDJSON}},
    {.name = "labels", .format = "csv", .labels = true, .run = {.format = RIDE_FORMAT_BINARY}},
    {.name = "decisions",
     .format = "csv",
     .run = {.record = RIDE_RECORD_DECISION, .vector = true, .rules = rules, .rules_count = 2}},
    {.name = "decisions and labels",
     .format = "json",
     .labels = true,
     .run = {.record = RIDE_RECORD_DECISION, .rules = rules, .rules_count = 2}},
    {.name = "drift", .format = "csv", .labels = true, .drift = true, .run = {.record = RIDE_RECORD_DECISION}},
    {.name = "three shards",
     .format = "csv",
     .labels = true,
     .drift = true,
     .run = {.record = RIDE_RECORD_DECISION, .shards = 3, .rules = rules, .rules_count = 2}},
};

static uint32_t random_below(uint32_t below) {
    static uint64_t state = 1;
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((state >> 33) % below);
}

static void write_events(const char *path, bool is_json) {
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    if (!is_json) fputs("id,ts,card,shop,amount,kind,fraud\n", file);
    for (uint32_t i = 0; i < EVENTS; i++) {
        uint32_t chance = random_below(1000), id = chance < 10 && i > 100 ? i - random_below(100) : i; /* 1 % twice */
        uint32_t back = chance >= 10 && chance < 30 ? random_below(600) : chance == 30 ? 4000 : 0; /* late, too late */
        const char *bad = chance == 31 ? "x" : "";                                                 /* no number */
        uint32_t ts = 1767225600u + i - (back < i ? back : 0), cents = random_below(10000);
        const char *form = is_json ? "{\"id\":%u,\"ts\":%u,\"card\":\"card-%u\",\"shop\":%u,\"amount\":\"%u.%02u%s\","
                                     "\"kind\":\"%s\",\"fraud\":%u}\n"
                                   : "%u,%u,card-%u,%u,%u.%02u%s,%s,%u\n";
        fprintf(file, form, id, ts, random_below(500), random_below(50), cents / 100, cents % 100, bad,
                random_below(2) ? "web" : "chip", random_below(50) == 0);
    }
    CHECK(fclose(file) == 0);
}

/* A label 40 minutes after every twentieth event; some for events that never were, some just before their event. */
static void write_labels(const char *path) {
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    fputs("id,ts,fraud\n", file);
    for (uint32_t i = 0; i < EVENTS; i += 20)
        fprintf(file, "%u,%u,%u\n", i % 400 == 0 ? i + EVENTS : i, 1767225600u + i + 2400, i % 3 == 0);
    CHECK(fclose(file) == 0);
}

static alloc_count counted;
static int counting; /* 0 not yet, 1 now, 2 done */
static void watch(void *context, const ride_run_summary *so_far) {
    (void)context;
    if (counting == 0 && so_far->received >= COUNT_FROM) {
        counting = 1;
        alloc_count_begin();
    } else if (counting == 1 && so_far->received >= COUNT_TO) {
        counted = alloc_count_end();
        counting = 2;
    }
}

static ride_run_summary summary;
static ride_diagnostics findings;

static bool run_stream(const stream *s) {
    char events[32], command[64], text[4096];
    now = s->name;
    snprintf(events, sizeof events, "events");
    bool is_json = strcmp(s->format, "json") == 0;
    write_events(events, is_json);
    if (s->compressor != NULL) {
        snprintf(command, sizeof command, "%s %s", s->compressor, events);
        if (system(command) != 0) return false;
        snprintf(events, sizeof events, "events%s", strrchr(s->name, '.'));
    }
    if (s->labels) write_labels("labels");
    snprintf(text, sizeof text, spec_form, s->format, s->labels ? "" : "label: fraud", s->labels ? labels_form : "");
    FILE *file = fopen("spec.yaml", "w");
    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
    const ride_input_option inputs[] = {{.path = events}, {.name = "backs", .path = "labels"}};
    ride_run_options options = s->run;
    options.spec_path = "spec.yaml";
    options.inputs = inputs;
    options.inputs_count = s->labels ? 2 : 1;
    options.output_path = "out";
    options.rejects_path = "rejects";
    options.late_path = "late";
    options.batch_rows_max = 1000;
    ride_error err;
    ride_diagnostics_init(&findings);
    if (s->drift) {
        ride_profile_built built;
        const ride_profile_build_options build = {.run = &options,
                                                  .output_path = "profile",
                                                  .from_us = INT64_MIN,
                                                  .to_us = INT64_MAX};
        CHECK(ride_profile_build(&build, &built, &findings, &err) == RIDE_OK);
        options.profile_path = "profile";
        options.drift_path = "drift";
        options.drift_interval_us = INT64_C(3600) * 1000000;
    }
    options.progress = watch;
    counting = 0;
    ride_status st = ride_run(&options, &summary, &findings, &err);
    CHECK(st != RIDE_OK || !s->drift || summary.drift->intervals_count == (EVENTS + 3599) / 3600 ||
          summary.drift->intervals_count == (EVENTS + 3599) / 3600 + 1);
    ride_run_summary_free(&summary);
    if (findings.count > 0) fprintf(stderr, "%s\n", findings.items[0].message);
    else if (st != RIDE_OK) fprintf(stderr, "%s\n", err.what);
    CHECK(st == RIDE_OK && counting == 2);
    /* the stream had everything it should have */
    CHECK(summary.received == EVENTS && summary.received == summary.accepted + summary.rejected + summary.duplicates);
    CHECK(summary.rejected > 100 && summary.duplicates > 1000 && summary.late > 2000 && summary.too_late > 100);

    CHECK(!s->labels || (summary.labels > EVENTS / 25 && summary.labels_unknown > 100));
    if (counted.allocations != 0 || counted.maps != 0 || counted.frees != 0) {
        fprintf(stderr,
                "%s: %llu allocations, %llu maps, %llu frees, %llu bytes in the steady stream (RIDE_ALLOC_TRAP=1 tells "
                "the first)\n",
                s->name, (unsigned long long)counted.allocations, (unsigned long long)counted.maps,
                (unsigned long long)counted.frees, (unsigned long long)counted.bytes);
        return false;
    }
    unlink(events);
    return true;
}

int main(void) {
    if (!ALLOC_COUNT_WORKS) {
        puts("skipped: sanitizers have their own malloc, which cannot be counted");
        return 77;
    }
    char folder[] = "/tmp/ride_alloc_XXXXXX", command[64];
    ride_log_set_level(RIDE_LOG_ERROR);
    CHECK(mkdtemp(folder) != NULL && chdir(folder) == 0);
    bool good = true;
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++) good = run_stream(&streams[i]) && good;
    CHECK(chdir("/") == 0);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0) puts("the test's folder stays");
    if (good) puts("ok");
    return !good;
}
