/* support/log_case.h: the golden card-fraud stream served from a log in memory, and what was published of it, for tests of what is computed
 * again from there. */
#ifndef RIDE_TESTS_LOG_CASE_H
#define RIDE_TESTS_LOG_CASE_H
#include "engine/service.h"
#include "fake_log.h"
#include "fake_results.h"
#include "run_case.h"

typedef struct log_case {
    run_case run; /* paths and options */
    fake_log log;
    fake_results results;
    char journal[160];
    char *events; /* the golden stream's text, cut into messages */
    ride_waker waker;
    ride_service_input input;
    ride_service_options options;
} log_case;

/* Events of one card are of one partition. */
static inline bool log_case_fill(log_case *c, uint32_t partitions, uint32_t events_max) {
    size_t bytes = 0;
    c->events = run_case_file(c->run.events, &bytes);
    if (c->events == NULL) return false;
    c->log = (fake_log){.source = "tx", .topic = "events", .partitions = partitions};
    for (uint32_t p = 0; p < partitions; p++) c->log.committed[p] = RIDE_OFFSET_NONE;
    uint32_t count = 0;
    for (char *line = strchr(c->events, '\n') + 1; *line != '\0' && count < events_max; count++) {
        char *end = strchr(line, '\n');
        char *card = strchr(strchr(line, ',') + 1, ',') + 1, *card_end = strchr(card, ',');
        uint32_t hash = 2166136261u;
        for (const char *at = card; at < card_end; at++) hash = (hash ^ (uint8_t)*at) * 16777619u;
        fake_append(&c->log, hash % partitions, card, (uint32_t)(card_end - card), line, (uint32_t)(end - line));
        line = end + 1;
    }
    return true;
}

static inline bool log_case_begin(log_case *c, uint32_t partitions, uint32_t events_max) {
    memset(c, 0, sizeof *c);
    if (!run_case_begin(&c->run) || !log_case_fill(c, partitions, events_max)) return false;
    if (ride_waker_open(&c->waker, NULL) != RIDE_OK) return false;
    snprintf(c->journal, sizeof c->journal, "%s/journal.ride", c->run.folder);
    c->log.stop = &c->run.stop;
    c->results.log = &c->log;
    c->input = (ride_service_input){.source = "tx", .format = RIDE_FORMAT_CSV};
    c->options = (ride_service_options){.run = c->run.options,
                                        .inputs = &c->input,
                                        .inputs_count = 1,
                                        .feeds_count = 1,
                                        .targets_format = RIDE_FORMAT_CSV,
                                        .journal_path = c->journal,
                                        .drain_timeout_ns = UINT64_C(30000000000),
                                        .waker = &c->waker};
    c->options.feeds[0].open = fake_feed_open;
    c->options.feeds[0].context = &c->log;
    ride_run_options *run = &c->options.run;
    run->inputs_count = 0;
    run->output_path = run->rejects_path = run->late_path = NULL;
    run->progress = NULL;
    return true;
}

/* The first result of a message, or NULL. */
static inline const fake_result *log_case_first_of(const fake_log *log, uint32_t partition, int64_t offset) {
    for (uint64_t i = 0; i < log->results_count; i++) {
        const fake_result *r = &log->results[i];
        if (r->target == RIDE_TARGET_DECISIONS && r->partition == partition && r->offset == offset) return r;
    }
    return NULL;
}

static inline void log_case_end(log_case *c) {
    fake_log_free(&c->log);
    free(c->events);
    ride_waker_close(&c->waker);
    run_case_end(&c->run);
}

/* Serves the log to its end, or to a crash after so many calls: RIDE_INTERRUPTED, or RIDE_E_IO. */
static inline ride_status log_case_serve(log_case *c, uint64_t seed, uint64_t crash_after) {
    run_case *r = &c->run;
    ride_service_options options = c->options;
    ride_run_summary_free(&r->summary);
    ride_diagnostics_init(&r->findings);
    r->stop = 0;
    c->log.random = seed;
    c->log.calls = 0;
    c->log.crash_after = crash_after;
    c->log.stop_at_end = crash_after == 0;
    options.outlet_open = fake_outlet_open;
    options.outlet_context = &c->log;
    for (int t = 0; t < RIDE_TARGETS; t++) options.targets[t] = true;
    return ride_service_run(&options, &r->summary, &r->findings, &r->err);
}

/* What a reader has of the log: nothing of the above happens any more. */
static inline void log_case_calm(log_case *c) {
    c->run.stop = 0;
    c->log.crash_after = 0;
    c->log.full_every = c->log.rebalance_every = c->log.burst_max = 0;
    c->log.stop_at_end = false;
}

#endif
