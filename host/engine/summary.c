/* engine/summary.c: see docs/run-summary.md, which names every member. */
#include "engine/summary.h"

#include "engine/drift.h"
#include "io/encoder.h"
#include "io/sink.h"
#include "io/time_text.h"
#include "lib/hash.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *ride_decision_text(ride_decision decision) {
    static const char *const texts[RIDE_DECISIONS] = {"approve", "review", "decline"};
    return (uint32_t)decision < RIDE_DECISIONS ? texts[decision] : "?";
}

static void put_string(FILE *to, const char *text) {
    size_t bytes = strlen(text);
    char *quoted = malloc(6 * bytes + 2);
    if (quoted != NULL) fwrite(quoted, 1, ride_json_quote(text, bytes, quoted), to);
    else fputs("null", to);
    free(quoted);
}

static void put_real(FILE *to, double value) {
    if (isfinite(value)) fprintf(to, "%.17g", value);
    else fputs("null", to);
}

static void put_hash(FILE *to, const char *name, const uint8_t *hash, bool there) {
    char text[65];
    if (there) fprintf(to, ", \"%s\": \"%s\"", name, ride_hex(hash, 32, text));
    else fprintf(to, ", \"%s\": null", name);
}

/* The processor's name as Linux tells it. */
static void put_machine(FILE *to) {
    char line[512], name[256] = "unknown";
    FILE *info = fopen("/proc/cpuinfo", "r");
    while (info != NULL && fgets(line, sizeof line, info) != NULL)
        if (sscanf(line, "model name : %255[^\n]", name) == 1) break;
    if (info != NULL) fclose(info);
    fputs(", \"machine\": {\"cpu\": ", to);
    put_string(to, name);
    fprintf(to, ", \"cores\": %ld}", sysconf(_SC_NPROCESSORS_ONLN));
}

static void put_alert(FILE *to, const ride_run_summary *s, const ride_alert *alert, const ride_summary_facts *facts) {
    fputs("{\"event_id\": ", to);
    if (alert->id_is_integer && alert->event_id[0] != '\0' && alert->event_id[0] != '*') fputs(alert->event_id, to);
    else put_string(to, alert->event_id);
    fputs(", \"key\": ", to);
    put_string(to, alert->key);
    fprintf(to, ", \"time_ms\": %" PRId64 ", \"probability\": ", alert->time_us / 1000);
    put_real(to, alert->probability);
    fprintf(to, ", \"decision\": \"%s\", \"rule\": ", ride_decision_text(alert->decision));
    put_string(to, alert->rule < facts->rules_count ? facts->rule_ids[alert->rule] : "");
    fputs(", \"features\": [", to);
    for (uint32_t f = 0; f < alert->features_count; f++) {
        fprintf(to, "%s{\"name\": ", f > 0 ? ", " : "");
        put_string(to, s->vector_names[alert->features[f].vector_index]);
        fputs(", \"value\": ", to);
        put_real(to, alert->features[f].value);
        fputs(", \"deviations\": ", to);
        put_real(to, alert->features[f].deviations);
        fputc('}', to);
    }
    if (s->has_reasons) fputs("], \"reasons\": [", to);
    for (uint32_t k = 0; k < alert->reasons_count; k++) {
        const uint32_t v = alert->reasons[k].vector_index;
        fprintf(to, "%s{\"input\": ", k > 0 ? ", " : "");
        put_string(to, s->vector_names[v]);
        fputs(", \"share\": ", to);
        put_real(to, alert->reasons[k].share);
        if (s->reason_texts != NULL) {
            fputs(", \"text\": ", to);
            put_string(to, s->reason_texts[v]);
        }
        fputc('}', to);
    }
    fputs("]}", to);
}

static void put_lists(FILE *to, const ride_run_summary *s, const ride_summary_facts *facts) {
    fputs(",\n \"rules\": [", to);
    for (uint32_t r = 0; r < facts->rules_count; r++) {
        fprintf(to, "%s\n  {\"id\": ", r > 0 ? "," : "");
        put_string(to, facts->rule_ids[r]);
        fprintf(to, ", \"decision\": \"%s\", \"count\": %" PRIu64 "}", ride_decision_text(facts->rule_decisions[r]),
                s->rules[r]);
    }
    fputs("],\n \"timeline\": [", to);
    for (uint32_t i = 0; i < s->timeline_count; i++)
        fprintf(to, "%s\n  {\"t\": %.3f, \"events\": %" PRIu64 ", \"p50_us\": %.1f, \"p99_us\": %.1f}",
                i > 0 ? "," : "", s->timeline[i].seconds, s->timeline[i].events, s->timeline[i].p50_us,
                s->timeline[i].p99_us);
    fputs("],\n \"alerts\": [", to);
    for (uint32_t i = 0; i < s->alerts_count; i++) {
        fputs(i > 0 ? ",\n  " : "\n  ", to);
        put_alert(to, s, &s->alerts[i], facts);
    }
    fputs("]}\n", to);
}

static void put_all(FILE *to, const ride_run_summary *s, const ride_summary_facts *facts) {
    static const struct {
        const char *name;
        double q;
    } quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}};
    char started[RIDE_TIME_BYTES + 1];
    double seconds = (double)(s->elapsed_ns - s->setup_ns) / 1e9;
    uint64_t events = s->received - s->resumed_events;
    started[ride_time_to_iso8601(facts->started_us, started)] = '\0';
    fprintf(to, "{\"version\": 1, \"program\": \"%s\", \"started\": \"%s\", \"interrupted\": %s, \"config\": ",
            facts->program, started, facts->interrupted ? "true" : "false");
    put_string(to, facts->config);
    fprintf(to, ",\n \"backend\": \"%s\"", s->backend);
    put_machine(to);
    put_hash(to, "spec_hash", s->spec_hash, true);
    put_hash(to, "model_hash", s->model_hash, s->has_model);
    fprintf(to, ", \"features_count\": %u,\n \"elapsed_s\": %.6f, \"setup_s\": %.6f, \"events_per_s\": %.1f",
            s->features_count, seconds, (double)s->setup_ns / 1e9, seconds > 0 ? (double)events / seconds : 0.0);
    fprintf(to,
            ",\n \"events\": {\"received\": %" PRIu64 ", \"scored\": %" PRIu64
            ", \"degraded\": 0, \"duplicate\": %" PRIu64 ", \"rejected\": %" PRIu64 ", \"shed\": 0, \"late\": %" PRIu64
            ", \"resumed\": %" PRIu64 "}",
            s->received, s->accepted, s->duplicates, s->rejected, s->late, s->resumed_events);
    fprintf(to, ", \"labels\": {\"found\": %" PRIu64 ", \"unknown\": %" PRIu64 ", \"rejected\": %" PRIu64 "}",
            s->labels, s->labels_unknown, s->labels_rejected);
    fputs(",\n \"latency_us\": {", to);
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++)
        fprintf(to, "\"%s\": %.1f, ", quantiles[i].name,
                (double)ride_histogram_quantile(&s->batch_ns, quantiles[i].q) / 1e3);
    fprintf(to, "\"max\": %.1f}", (double)s->batch_ns.max / 1e3);
    fputs(",\n \"decisions\": {", to);
    for (uint32_t d = 0; d < RIDE_DECISIONS; d++)
        fprintf(to, "%s\"%s\": %" PRIu64, d > 0 ? ", " : "", ride_decision_text((ride_decision)d), s->decisions[d]);
    fputc('}', to);
    if (s->has_reasons) fprintf(to, ",\n \"explained\": %" PRIu64, s->explained);
    if (s->drift != NULL) {
        fputs(",\n \"drift\": ", to);
        ride_drift_put(to, s->drift);
    }
    put_lists(to, s, facts);
}

ride_status ride_summary_write(const ride_run_summary *summary, const ride_summary_facts *facts, const char *path,
                               ride_error *err) {
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);
    if (to == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the summary");
    put_all(to, summary, facts);
    if (fclose(to) != 0) {
        free(text);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for the summary");
    }
    ride_sink *sink = NULL;
    ride_status st = ride_sink_open(path, NULL, &sink, err);
    if (st == RIDE_OK) {
        ride_sink_write(sink, text, bytes);
        st = ride_sink_close(sink, err);
    }
    free(text);
    return st;
}
