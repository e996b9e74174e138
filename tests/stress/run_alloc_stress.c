/* After start the data path allocates nothing: whole runs (decode, keys, dedup, late, labels, features, rules, outputs, dead letters)
 * over a stream whose keys, ids and labels have reached a steady number, counted from a third of it to nearly its end. What
 * grows by doubling (the map of ids, the table of keys, label patches) has grown by then, and must not grow again. */
#include "base/log.h"
#include "engine/drift.h"
#include "engine/profile.h"
#include "tests/support/small_model.h"
#include "tests/support/steady_alloc.h"
#include "tests/support/steady_stream.h"
#define CHECK_NOW now
#include "tests/support/check_exit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EVENTS = STEADY_EVENTS };
static const char *now = "start";

typedef struct stream {
    const char *name, *format; /* of the events */
    const char *compressor;    /* command, or NULL */
    bool labels;               /* from a source of their own, else within the event */
    bool drift;                /* against the stream itself, by the hour */
    ride_run_options run;      /* what differs: record, rules, output format, model */
} stream;

static const ride_reason_text texts[] = {{"web_*", "in the net"}};

static const stream streams[] = {
    {.name = "csv", .format = "csv"},
    {.name = "csv.gz", .format = "csv", .compressor = "gzip -1"},
    {.name = "csv.zst", .format = "csv", .compressor = "zstd -q --rm"},
    {.name = "json", .format = "json", .run = {.format = RIDE_FORMAT_NDJSON}},
    {.name = "labels", .format = "csv", .labels = true, .run = {.format = RIDE_FORMAT_BINARY}},
    {.name = "decisions",
     .format = "csv",
     .run = {.record = RIDE_RECORD_DECISION, .vector = true, .rules = steady_rules, .rules_count = 2}},
    {.name = "decisions and labels",
     .format = "json",
     .labels = true,
     .run = {.record = RIDE_RECORD_DECISION, .rules = steady_rules, .rules_count = 2}},
    {.name = "drift", .format = "csv", .labels = true, .drift = true, .run = {.record = RIDE_RECORD_DECISION}},
    {.name = "reasons",
     .format = "json",
     .run = {.record = RIDE_RECORD_DECISION,
             .format = RIDE_FORMAT_NDJSON,
             .model_path = "model.txt",
             .reasons = {.when = RIDE_REASONS_ALL, .texts = texts, .texts_count = 1}}},
    {.name = "reasons of alerts, two shards",
     .format = "csv",
     .run = {.record = RIDE_RECORD_DECISION,
             .shards = 2,
             .model_path = "model.txt",
             .rules = steady_rules,
             .rules_count = 2,
             .reasons = {.when = RIDE_REASONS_ALERTS, .side = RIDE_REASON_RAISE}}},
    {.name = "three shards",
     .format = "csv",
     .labels = true,
     .drift = true,
     .run = {.record = RIDE_RECORD_DECISION, .shards = 3, .rules = steady_rules, .rules_count = 2}},
};

static void write_events(const char *path, bool is_json) {
    char text[STEADY_EVENT_BYTES];
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    if (!is_json) fputs("id,ts,card,shop,amount,kind,fraud\n", file);
    for (uint32_t i = 0, card; i < EVENTS; i++) {
        steady_event(i, is_json, text, &card);
        fprintf(file, "%s\n", text);
    }
    CHECK(fclose(file) == 0);
}

static void write_labels(const char *path) {
    char text[STEADY_EVENT_BYTES];
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    fputs("id,ts,fraud\n", file);
    for (uint32_t i = 0; i < EVENTS; i += 20) {
        steady_label(i, EVENTS, false, text);
        fprintf(file, "%s\n", text);
    }
    CHECK(fclose(file) == 0);
}

static void watch(void *context, const ride_run_summary *so_far) {
    (void)context;
    steady_alloc_watch(so_far->received);
}

static ride_run_summary summary;
static ride_diagnostics findings;

static bool run_stream(const stream *s) {
    char events[32], command[64];
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
    CHECK(small_model_write("model.txt", "ratio", "web_1h"));
    CHECK(steady_spec_write("spec.yaml", s->format, s->labels, true));
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
    steady_alloc_begin();
    ride_status st = ride_run(&options, &summary, &findings, &err);
    CHECK(st != RIDE_OK || !s->drift || summary.drift->intervals_count == (EVENTS + 3599) / 3600 ||
          summary.drift->intervals_count == (EVENTS + 3599) / 3600 + 1);
    ride_run_summary_free(&summary);
    if (findings.count > 0) fprintf(stderr, "%s\n", findings.items[0].message);
    else if (st != RIDE_OK) fprintf(stderr, "%s\n", err.what);
    CHECK(st == RIDE_OK && steady_alloc_is_done());
    CHECK((s->run.reasons.when != RIDE_REASONS_NONE) == (summary.explained > EVENTS / 100));
    /* the stream had everything it should have */
    CHECK(summary.received == EVENTS && summary.received == summary.accepted + summary.rejected + summary.duplicates);
    CHECK(summary.rejected > 100 && summary.duplicates > 1000 && summary.late > 2000 && summary.too_late > 100);

    CHECK(!s->labels || (summary.labels > EVENTS / 25 && summary.labels_unknown > 100));
    if (!steady_alloc_is_nothing(s->name, "")) return false;
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
