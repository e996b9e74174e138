/* support/steady_service.h: a service over a log in memory that holds the stream of steady_stream.h, for plain programs. */
#ifndef RIDE_TESTS_STEADY_SERVICE_H
#define RIDE_TESTS_STEADY_SERVICE_H
#include "engine/service.h"
#include "fake_log.h"
#include "small_model.h"
#include "steady_stream.h"

typedef struct steady_service {
    uint32_t events, partitions; /* partitions of the events; labels have one more */
    ride_format format;          /* of the events */
    bool labels;                 /* from a topic of their own */
    bool keyed;                  /* a clock for each partition, and one entity */
    /* what `begin` makes of it */
    fake_log log; /* its results are not kept */
    char *texts, (*keys)[16];
    volatile sig_atomic_t stop; /* set when all was read */
    ride_waker waker;
    ride_metrics *metrics;
    ride_service_input inputs[2];
    ride_service_options options; /* may be changed before the run */
    ride_run_summary summary;
    ride_diagnostics findings;
    ride_error err;
} steady_service;

/* Cards are spread over the partitions. All are read in step: the first labels are for events that never were, so that each is behind its event. */
static inline bool steady_service_fill(steady_service *s) {
    const bool is_json = s->format == RIDE_FORMAT_NDJSON;
    char *text = s->texts = malloc((size_t)(s->events + s->events / 20 + 1) * STEADY_EVENT_BYTES);
    s->keys = malloc(STEADY_CARDS * sizeof *s->keys);
    if (s->texts == NULL || s->keys == NULL) return false;
    s->log = (fake_log){.source = "tx",
                        .topic = "events",
                        .partitions = s->partitions + s->labels,
                        .other_first = s->labels ? s->partitions : 0,
                        .other_source = "backs",
                        .other_topic = "labels",
                        .in_step = true,
                        .forgets = true,
                        .random = 11,
                        .deliver_max = FAKE_PENDING_MAX,
                        .stop_at_end = true,
                        .stop = &s->stop};
    for (uint32_t p = 0; p < s->log.partitions; p++) s->log.committed[p] = RIDE_OFFSET_NONE;
    for (uint32_t i = 0, card; i < s->events; i++, text += STEADY_EVENT_BYTES) {
        const uint32_t bytes = steady_event(i, is_json, text, &card);
        const int key_bytes = snprintf(s->keys[card], sizeof *s->keys, "card-%u", card);
        fake_append(&s->log, card % s->partitions, s->keys[card], (uint32_t)key_bytes, text, bytes);
    }
    for (uint32_t i = 0; i < s->events && s->labels; i += 20, text += STEADY_EVENT_BYTES) {
        const uint32_t of = i >= STEADY_LABEL_S ? i - STEADY_LABEL_S : s->events + i;
        fake_append(&s->log, s->partitions, NULL, 0, text, steady_label(of, s->events, true, text));
    }
    return true;
}

/* Into the current folder: spec.yaml, model.txt, journal, phase. The first five members are the caller's. */
static inline bool steady_service_begin(steady_service *s) {
    const char *words = s->format == RIDE_FORMAT_NDJSON ? "json" : "csv";
    s->stop = 0;
    if (!steady_service_fill(s) || !steady_spec_write("spec.yaml", words, s->labels, !s->keyed)) return false;
    if (!small_model_write("model.txt", "ratio", "web_1h")) return false;
    if (ride_waker_open(&s->waker, NULL) != RIDE_OK || ride_metrics_create(&s->metrics, NULL) != RIDE_OK) return false;
    remove("journal");
    s->inputs[0] = (ride_service_input){"tx", s->format};
    s->inputs[1] = (ride_service_input){"backs", RIDE_FORMAT_NDJSON};
    s->options = (ride_service_options){.run = {.spec_path = "spec.yaml",
                                                .model_path = "model.txt",
                                                .rules = steady_rules,
                                                .rules_count = 2,
                                                .vector = true,
                                                .reasons = {.when = RIDE_REASONS_ALERTS},
                                                .stop = &s->stop},
                                        .inputs = s->inputs,
                                        .inputs_count = s->labels ? 2 : 1,
                                        .feeds = {{fake_feed_open, &s->log}},
                                        .feeds_count = 1,
                                        .outlet_open = fake_outlet_open,
                                        .outlet_context = &s->log,
                                        .targets = {true, true, true, true},
                                        .targets_format = s->format,
                                        .journal_path = "journal",
                                        .phase_path = "phase",
                                        .partition_keyed = s->keyed,
                                        .drain_timeout_ns = UINT64_C(30000000000),
                                        .waker = &s->waker,
                                        .metrics = s->metrics};
    return true;
}

/* True when it ended as it should: all was read, worked and stored. Else it says why not. */
static inline bool steady_service_run(steady_service *s) {
    char text[512];
    memset(&s->err, 0, sizeof s->err);
    ride_diagnostics_init(&s->findings);
    const ride_status st = ride_service_run(&s->options, &s->summary, &s->findings, &s->err);
    for (uint32_t i = 0; i < s->findings.count; i++) fprintf(stderr, "%s\n", s->findings.items[i].message);
    if (st != RIDE_INTERRUPTED) fprintf(stderr, "%s\n", ride_error_text(&s->err, text, sizeof text));
    bool good = st == RIDE_INTERRUPTED;
    for (uint32_t p = 0; p < s->log.partitions; p++) {
        if (s->log.committed[p] == s->log.counts[p]) continue;
        good = false;
        fprintf(stderr, "of partition %u %lld of %lld are stored\n", p, (long long)s->log.committed[p],
                (long long)s->log.counts[p]);
    }
    return good;
}

static inline void steady_service_end(steady_service *s) {
    ride_run_summary_free(&s->summary);
    ride_metrics_destroy(s->metrics);
    ride_waker_close(&s->waker);
    fake_log_free(&s->log);
    free(s->texts);
    free(s->keys);
}

#endif
