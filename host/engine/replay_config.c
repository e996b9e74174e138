/* engine/replay_config.c: see replay_config.h. */
#include "engine/replay_config.h"

#include "engine/service_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct port {
    ride_kafka_options kafka;
    ride_kafka_source sources[RIDE_SOURCES_MAX + 1];
    uint32_t sources_count;
} port;

typedef struct wiring {
    port inputs, results;
    ride_kafka_pair raw[RIDE_CONFIG_RAW_MAX];
    ride_service_input service_inputs[RIDE_SOURCES_MAX + 1];
    char events[RIDE_NAME_BYTES]; /* source of what came by HTTP */
    char journal[RIDE_SERVICE_PATH_BYTES];
} wiring;

static ride_status open_reader(void *context, const ride_feed_events *events, ride_waker *waker, ride_feed **out,
                               ride_error *err) {
    port *p = context;
    p->kafka.waker = waker;
    return ride_kafka_feed_open(&p->kafka, events, out, err);
}

static ride_status refuse(const ride_config *c, const char *advice, const char *what, ride_error *err) {
    ride_fail(err, RIDE_E_CONFIG, "%s", what);
    ride_error_where(err, "%s", c->path);
    ride_error_advice(err, "%s", advice);
    return RIDE_E_CONFIG;
}

/* What HTTP wrote is events of the spec's source of events, which may be a topic's too. */
static ride_status wire_http_log(wiring *w, const ride_config *c, const ride_run_options *run, ride_service_options *o,
                                 ride_diagnostics *findings) {
    ride_spec *spec = NULL;
    if (c->http.log_topic == NULL) return RIDE_OK;
    RIDE_TRY(ride_spec_load(run->spec_path, &spec, findings));
    snprintf(w->events, sizeof w->events, "%s", spec->sources[spec->source_events].name);
    ride_spec_destroy(spec);
    uint32_t i = 0;
    while (i < o->inputs_count && strcmp(w->service_inputs[i].source, w->events) != 0) i++;
    if (i == o->inputs_count)
        w->service_inputs[o->inputs_count++] = (ride_service_input){w->events, RIDE_FORMAT_NDJSON};
    w->inputs.sources[w->inputs.sources_count++] =
        (ride_kafka_source){.source = w->events, .topic = c->http.log_topic, .is_json = true};
    return RIDE_OK;
}

static ride_status wire(wiring *w, const ride_config *c, const ride_run_options *run, const char *journal,
                        ride_waker *waker, ride_service_options *o, ride_diagnostics *findings, ride_error *err) {
    *o = (ride_service_options){.run = *run,
                                .inputs = w->service_inputs,
                                .targets_format = c->decisions.format,
                                .journal_path = journal != NULL ? journal : ride_service_journal(c, w->journal),
                                .drain_timeout_ns = (uint64_t)c->runtime.drain_timeout_us * 1000,
                                .waker = waker};
    for (uint32_t i = 0; i < c->inputs_count; i++) {
        const ride_config_input *in = &c->inputs[i];
        if (in->topic == NULL) continue;
        w->service_inputs[o->inputs_count++] =
            (ride_service_input){in->source, in->format != 0 ? in->format : RIDE_FORMAT_NDJSON};
        o->partition_keyed = o->partition_keyed || in->partition_key != NULL;
        w->inputs.sources[w->inputs.sources_count++] = (ride_kafka_source){.source = in->source, .topic = in->topic};
    }
    RIDE_TRY(wire_http_log(w, c, run, o, findings));
    if (w->inputs.sources_count == 0)
        return refuse(c, "inputs: {NAME: {topic: TOPIC}}", "no input is a topic: there is no log to read", err);
    if (o->journal_path == NULL)
        return refuse(c, "journal.path, state.dir or --journal PATH", "there is no arrival journal", err);
    ride_service_kafka(c, w->inputs.sources, w->inputs.sources_count, w->raw, &w->inputs.kafka);
    w->inputs.kafka.reader = true;
    o->feeds[0].open = open_reader;
    o->feeds[0].context = &w->inputs;
    o->feeds_count = 1;
    if (c->decisions.topic != NULL) {
        w->results.sources[0] = (ride_kafka_source){.source = "decisions", .topic = c->decisions.topic};
        w->results.sources_count = 1;
    }
    ride_service_kafka(c, w->results.sources, w->results.sources_count, w->raw, &w->results.kafka);
    w->results.kafka.reader = true;
    w->results.kafka.group = NULL;
    /* What a run writes is not written here. */
    o->run.output_path = o->run.alerts_path = o->run.rejects_path = o->run.late_path = o->run.drift_path =
        o->run.summary_path = NULL;
    o->run.profile_path = NULL;
    o->run.inputs_count = 0;
    o->run.progress = NULL;
    return RIDE_OK;
}

ride_status ride_verify_config(const ride_config *c, const ride_run_options *run, const char *journal,
                               ride_waker *waker, ride_verify_options *options, ride_verify_report *report,
                               ride_diagnostics *findings, ride_error *err) {
    wiring *w = calloc(1, sizeof *w);
    memset(report, 0, sizeof *report);
    if (w == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a verification");
    ride_status st = wire(w, c, run, journal, waker, &options->service, findings, err);
    if (st == RIDE_OK && c->decisions.topic == NULL)
        st = refuse(c, "outputs: {decisions: {topic: TOPIC}}", "decisions go to no topic: there is nothing to compare",
                    err);
    options->results_open = open_reader;
    options->results_context = &w->results;
    if (st == RIDE_OK) st = ride_verify_log(options, report, findings, err);
    free(w);
    return st;
}

ride_status ride_replay_config(const ride_config *c, const ride_run_options *run, const char *journal,
                               ride_waker *waker, ride_replay_options *options, ride_replay_answer *answer,
                               ride_diagnostics *findings, ride_error *err) {
    wiring *w = calloc(1, sizeof *w);
    memset(answer, 0, sizeof *answer);
    if (w == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a replay");
    ride_status st = wire(w, c, run, journal, waker, &options->service, findings, err);
    if (st == RIDE_OK && c->decisions.topic == NULL && options->at == NULL)
        st = refuse(c, "--at TOPIC/PARTITION/OFFSET", "decisions go to no topic: an event id cannot be looked up there",
                    err);
    if (c->decisions.topic != NULL) {
        options->results_open = open_reader;
        options->results_context = &w->results;
    }
    if (st == RIDE_OK) st = ride_replay_event(options, answer, findings, err);
    free(w);
    return st;
}
