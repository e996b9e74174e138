/* engine/service_metrics.c: what a service counts. */
#include "engine/reasons.h"
#include "engine/service_internal.h"
#include "engine/shards.h"

#include "base/version.h"
#include "lib/hash.h"

#include <stdio.h>

enum { STATS_EVERY_MS = 1000 };

static ride_metric *series(service *s, ride_metric_family family, const char *name, const char *value) {
    char labels[RIDE_TOPIC_BYTES + 64] = "";
    if (name != NULL) ride_metrics_label(labels, sizeof labels, name, value);
    return ride_metrics_series(s->options->metrics, family, labels);
}

/* What runs: a series whose value says nothing. */
static void tell_build(service *s) {
    const ride_run_summary *summary = s->p.summary;
    char labels[RIDE_METRIC_LABELS_BYTES] = "", hash[65];
    ride_metrics_label(labels, sizeof labels, "version", RIDE_VERSION);
    ride_metrics_label(labels, sizeof labels, "backend", summary->backend);
    ride_metrics_label(labels, sizeof labels, "spec_hash", ride_hex(summary->spec_hash, 32, hash));
    ride_metrics_label(labels, sizeof labels, "model_hash",
                       summary->has_model ? ride_hex(summary->model_hash, 32, hash) : "");
    ride_metric_set(ride_metrics_series(s->options->metrics, RIDE_METRIC_BUILD_INFO, labels), 1);
}

void service_metrics_open(service *s) {
    static const char *const ends[] = {"scored", "degraded", "duplicate", "rejected", "shed"},
                             *const decisions[] = {"approve", "review", "decline"},
                             *const labels[] = {"applied", "waiting", "rejected"},
                             *const stages[] = {"queue", "read", "journal", "compute", "encode", "deliver"};
    service_metrics *m = &s->m;
    for (int i = 0; i < 5; i++) m->ends[i] = series(s, RIDE_METRIC_EVENTS, "end", ends[i]);
    for (int i = 0; i < RIDE_DECISIONS; i++)
        m->decisions[i] = series(s, RIDE_METRIC_DECISIONS, "decision", decisions[i]);
    m->explained = series(s, RIDE_METRIC_EXPLAINED, NULL, NULL);
    for (int i = 0; i < 3; i++) m->labels[i] = series(s, RIDE_METRIC_LABELS, "end", labels[i]);
    for (int i = 0; i < 6; i++) m->stages[i] = series(s, RIDE_METRIC_STAGE_SECONDS, "stage", stages[i]);
    for (int i = 0; i < 2; i++) m->late[i] = series(s, RIDE_METRIC_LATE, "entered", i == 1 ? "true" : "false");
    for (int i = 0; i < RIDE_REJECT_COUNT; i++)
        m->rejected[i] = series(s, RIDE_METRIC_REJECTED, "reason", ride_reject_word((ride_reject_reason)i));
    m->in_flight = series(s, RIDE_METRIC_IN_FLIGHT, NULL, NULL);
    m->batch_rows = series(s, RIDE_METRIC_BATCH_ROWS, NULL, NULL);
    m->latency = series(s, RIDE_METRIC_LATENCY_SECONDS, NULL, NULL);
    m->delivery = series(s, RIDE_METRIC_DELIVERY_SECONDS, NULL, NULL);
    m->keys = series(s, RIDE_METRIC_STATE_KEYS, NULL, NULL);
    m->entries = series(s, RIDE_METRIC_STATE_ENTRIES, NULL, NULL);
    m->bytes = series(s, RIDE_METRIC_STATE_BYTES, NULL, NULL);
    m->clock = series(s, RIDE_METRIC_CLOCK_SECONDS, NULL, NULL);
    m->replay_events = series(s, RIDE_METRIC_REPLAY_EVENTS, NULL, NULL);
    m->replay_ratio = series(s, RIDE_METRIC_REPLAY_RATIO, NULL, NULL);
    m->journal_runs = series(s, RIDE_METRIC_JOURNAL_RUNS, NULL, NULL);
    m->window_rows = series(s, RIDE_METRIC_QUEUE_ROWS, "queue", "results");
    m->window_rows_max = series(s, RIDE_METRIC_QUEUE_ROWS_MAX, "queue", "results");
    for (uint32_t i = 0; i < s->inputs_count; i++)
        s->inputs[i].received = series(s, RIDE_METRIC_RECEIVED, "source", s->inputs[i].spec->name);
    tell_build(s);
}

void service_metrics_batch(const service *s, const pipeline *p, const service_batch *b) {
    uint64_t ends[2] = {0}, decisions[RIDE_DECISIONS] = {0}, late[2] = {0}, labels = 0, explained = 0;
    for (uint32_t row = 0; row < p->batch->rows_count; row++) {
        const uint32_t flags = *row_flags(p, row);
        if (flags & RIDE_ROW_LABEL) {
            labels++;
            continue;
        }
        ends[(flags & RIDE_ROW_SKIP) != 0]++;
        if (flags & RIDE_ROW_SKIP) continue;
        late[1] += (flags & RIDE_ROW_LATE) && (flags & RIDE_ROW_ENTERS);
        late[0] += (flags & RIDE_ROW_LATE) && !(flags & RIDE_ROW_ENTERS);
        decisions[((const uint32_t *)ride_tile_values(&p->verdict_layout, verdict_tile(p, row),
                                                      VERDICT_DECISION))[row % RIDE_TILE_ROWS]]++;
    }
    for (uint32_t i = 0; i < s->inputs_count; i++) ride_metric_add(s->inputs[i].received, b->taken[i]);
    ride_metric_add(s->m.ends[3], b->rejected);
    ride_metric_add(s->m.ends[0], ends[0]);
    ride_metric_add(s->m.ends[2], ends[1]);
    for (int i = 0; i < RIDE_DECISIONS; i++) ride_metric_add(s->m.decisions[i], decisions[i]);
    for (uint32_t i = 0; i < RIDE_DECISIONS; i++) explained += reasons_wants(p, i) ? decisions[i] : 0;
    ride_metric_add(s->m.explained, explained);
    for (int i = 0; i < 2; i++) ride_metric_add(s->m.late[i], late[i]);
    ride_metric_add(s->m.labels[0], labels);
    ride_metric_observe(s->m.batch_rows, p->batch->rows_count);
    const int64_t clock_us = p->many_clocks ? b->least_us : b->clock_us;
    if (clock_us > INT64_MIN / 2 && clock_us != INT64_MAX) ride_metric_set(s->m.clock, (double)clock_us / 1e6);
}

void service_metrics_state(service *s, const pipeline *p, uint64_t *told_ns) {
    const uint64_t now_ns = service_now();
    ride_state_stats state;
    if (now_ns - *told_ns < (uint64_t)STATS_EVERY_MS * 1000000) return;
    *told_ns = now_ns;
    shards_stats(p, &state);
    ride_metric_set(s->m.keys, (double)state.keys);
    ride_metric_set(s->m.entries, (double)state.entries);
    ride_metric_set(s->m.bytes, (double)state.bytes);
}
