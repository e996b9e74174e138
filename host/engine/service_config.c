/* engine/service_config.c: see service_config.h. */
#include "engine/service_config.h"

#include "base/log.h"
#include "config/budget.h"
#include "engine/logged_feed.h"
#include "engine/service_infer.h"
#include "engine/state_http.h"
#include "io/kafka.h"
#include "serve/admin.h"
#include "serve/score.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { STOP_GRACE_MS = 2000 };

/* What the ports of one service share. */
typedef struct wiring {
    const ride_config *config; /* of the start */
    const ride_service_process *process;
    ride_metric *reloads[2]; /* applied, refused */
    ride_metrics *metrics;
    ride_ready *ready;
    ride_server *http, *admin;
    ride_admin admin_endpoints;
    state_http state;
    state_desk *desk;
    _Atomic uint64_t heartbeat_ns;
    ride_kafka_options kafka;
    ride_kafka_source sources[RIDE_SOURCES_MAX + 1];
    uint32_t sources_count;
    const char *topics[RIDE_TARGETS];
    service_infer *infer; /* NULL: no HTTP scores */
    ride_score_options score;
    ride_kafka_options log; /* of http.log_topic's writer */
    logged_feed_options logged;
} wiring;

static void on_ready(void *context, const char *part, bool ready, const char *why) {
    wiring *w = context;
    if (!ride_ready_set(w->ready, part, ready, why)) return;
    if (strncmp(part, "kafka:", 6) == 0) return; /* what is wrong is told once, by the part of all topics */
    if (ready) ride_log_info("ready", ride_log_text("part", part));
    else ride_log_warn("not ready", ride_log_text("part", part), ride_log_text("why", why));
}

/* ---- ports ---- */

static ride_status open_kafka_feed(void *context, const ride_feed_events *events, ride_waker *waker, ride_feed **out,
                                   ride_error *err) {
    wiring *w = context;
    w->kafka.waker = waker;
    return ride_kafka_feed_open(&w->kafka, events, out, err);
}

static ride_status open_kafka_outlet(void *context, const ride_outlet_events *events, ride_waker *waker,
                                     ride_outlet **out, ride_error *err) {
    wiring *w = context;
    w->kafka.waker = waker;
    return ride_kafka_outlet_open(&w->kafka, w->topics, RIDE_TARGETS, events, out, err);
}

/* What a record usually needs; 0: what it does without reasons. */
static uint32_t answer_bytes(const ride_config *c) {
    enum { RECORD_BYTES = 512, REASON_BYTES = 128 };
    return c->reasons.when == RIDE_REASONS_NONE ? 0 : RECORD_BYTES + c->reasons.top * REASON_BYTES;
}

static ride_status open_http(void *context, const ride_feed_events *events, ride_waker *waker, ride_feed **out,
                             ride_error *err) {
    wiring *w = context;
    const ride_config *c = w->config;
    const ride_serve_options serve = {.name = "http",
                                      .listen = c->http.listen,
                                      .certificate_path = c->http.certificate,
                                      .key_path = c->http.key,
                                      .token_path = c->http.token_file,
                                      .header_bytes_max = c->http.header_max,
                                      .body_bytes_max = c->http.body_max,
                                      .memory_bytes_max = c->http.memory,
                                      .connections_max = c->http.connections_max,
                                      .idle_timeout_ns = (uint64_t)c->http.idle_timeout_us * 1000,
                                      .metrics = w->metrics};
    RIDE_TRY(ride_serve_start(&serve, &w->http, err));
    w->score = (ride_score_options){.source = service_infer_source(w->infer),
                                    .queue_events_max = c->http.queue,
                                    .answer_bytes_max = answer_bytes(c),
                                    .is_logged = c->http.log_topic != NULL,
                                    .ready = w->ready,
                                    .model = service_infer_model(w->infer),
                                    .events = *events};
    RIDE_TRY(ride_score_feed_open(w->http, &w->score, waker, out, err));
    ride_log_info("HTTP scores", ride_log_text("listen", ride_serve_address(w->http)));
    ride_ready_set(w->ready, "http", true, NULL);
    return RIDE_OK;
}

static ride_status open_log_writer(void *context, const ride_outlet_events *events, ride_waker *waker,
                                   ride_outlet **out, ride_error *err) {
    wiring *w = context;
    w->log = w->kafka;
    w->log.waker = waker;
    w->log.outlet_bytes = RIDE_BUDGET_HTTP_LOG_MIB * RIDE_BUDGET_MIB;
    w->log.outlet_messages = w->config->http.queue;
    w->log.outlet_timeout_ns = LOGGED_TIMEOUT_NS;
    w->log.outlet_at_once = true; /* somebody waits */
    return ride_kafka_outlet_open(&w->log, &w->config->http.log_topic, 1, events, out, err);
}

static void on_log_health(void *context, bool ready, const char *why) { on_ready(context, "http", ready, why); }

/* Kafka's topics and HTTP as one feed. */
static ride_status open_logged(void *context, const ride_feed_events *events, ride_waker *waker, ride_feed **out,
                               ride_error *err) {
    wiring *w = context;
    w->logged = (logged_feed_options){.topic = w->config->http.log_topic,
                                      .key = service_infer_key(w->infer),
                                      .requests_open = open_http,
                                      .requests_context = w,
                                      .log_open = open_kafka_feed,
                                      .log_context = w,
                                      .writer_open = open_log_writer,
                                      .writer_context = w,
                                      .waiting_max = w->config->http.queue,
                                      .health = on_log_health,
                                      .health_context = w};
    ride_log_info("HTTP events go through a topic", ride_log_text("topic", w->logged.topic),
                  ride_log_text("key", w->logged.key != NULL ? w->logged.key : ""));
    return logged_feed_open(&w->logged, events, waker, out, err);
}

static ride_status open_admin(wiring *w, ride_error *err) {
    const char *listen = w->config->admin.listen;
    const ride_serve_options serve = {.name = "admin",
                                      .listen = listen != NULL ? listen : RIDE_ADMIN_LISTEN,
                                      .metrics = w->metrics};
    ride_status st = ride_serve_start(&serve, &w->admin, err);
    if (st != RIDE_OK && listen == NULL) {
        char text[512];
        ride_log_warn("there is no admin listener: set admin.listen",
                      ride_log_text("why", ride_error_text(err, text, sizeof text)));
        return RIDE_OK;
    }
    RIDE_TRY(st);
    const ride_admin_options options = {.ready = w->ready, .metrics = w->metrics, .heartbeat_ns = &w->heartbeat_ns};
    RIDE_TRY(ride_admin_open(&w->admin_endpoints, &options, w->admin, err));
    RIDE_TRY(state_http_open(&w->state, w->desk, w->admin, err));
    ride_log_info("metrics and health", ride_log_text("listen", ride_serve_address(w->admin)));
    return RIDE_OK;
}

/* ---- reload ---- */

static uint64_t delay_ns(const ride_config *c) {
    return c->policy == RIDE_CONFIG_FIXED ? (uint64_t)c->max_delay_us * 1000 : 0;
}

/* Nothing is taken before all of it is known to be good; the tokens come last of what can fail. */
static ride_status check_next(wiring *w, ride_config **out, ride_diagnostics *findings) {
    ride_error err;
    RIDE_TRY(w->process->load(w->process->load_context, out, findings));
    RIDE_TRY(ride_config_reload_check(w->config, *out, findings));
    if (w->http == NULL || ride_serve_reload(w->http, &err) == RIDE_OK) return RIDE_OK;
    return ride_diagnose(findings, err.status, err.where, 0, 0, NULL, "`http.token_file`: %s", err.what);
}

static void tell_refused(const ride_diagnostics *findings) {
    for (uint32_t i = 0; i < findings->count; i++) {
        const ride_diagnostic *d = &findings->items[i];
        ride_log_error("the new configuration is not taken", ride_log_text("why", d->message),
                       ride_log_text("where", d->file != NULL ? d->file : ""), ride_log_u64("line", d->line),
                       ride_log_text("advice", d->advice != NULL ? d->advice : ""));
    }
}

static void on_reload(void *context, ride_service_tuning *tuning) {
    wiring *w = context;
    ride_config *next = NULL;
    ride_diagnostics *findings = calloc(1, sizeof *findings);
    if (findings == NULL) return;
    ride_diagnostics_init(findings);
    if (check_next(w, &next, findings) == RIDE_OK) {
        *tuning =
            (ride_service_tuning){next->max_batch, delay_ns(next), (uint64_t)next->runtime.drain_timeout_us * 1000};
        ride_log_info("the new configuration is taken", ride_log_u64("max_batch", next->max_batch),
                      ride_log_f64("max_delay_seconds", (double)tuning->batch_delay_ns / 1e9),
                      ride_log_f64("drain_timeout_seconds", (double)tuning->drain_timeout_ns / 1e9));
        ride_log_set_level(next->log_level);
        ride_metric_add(w->reloads[0], 1);
    } else {
        tell_refused(findings);
        ride_metric_add(w->reloads[1], 1);
    }
    ride_config_destroy(next);
    ride_diagnostics_free(findings);
    free(findings);
}

/* ---- from the configuration ---- */

static const char *security_word(const ride_config *c) {
    static const char *const words[] = {NULL, "plaintext", "ssl", "sasl_plaintext", "sasl_ssl"};
    return words[c->kafka.security];
}
static const char *mechanism_word(const ride_config *c) {
    static const char *const words[] = {NULL, "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};
    return words[c->kafka.sasl.mechanism];
}

void ride_service_kafka(const ride_config *c, const ride_kafka_source *sources, uint32_t sources_count,
                        ride_kafka_pair *raw, ride_kafka_options *out) {
    for (uint32_t i = 0; i < c->kafka.raw_count; i++)
        raw[i] = (ride_kafka_pair){c->kafka.raw[i].name, c->kafka.raw[i].value};
    *out = (ride_kafka_options){.brokers = c->kafka.brokers,
                                .group = c->kafka.group,
                                .client_id = c->kafka.client_id,
                                .start_latest = c->kafka.start == RIDE_CONFIG_LATEST,
                                .sources = sources,
                                .sources_count = sources_count,
                                .security = security_word(c),
                                .ca = c->kafka.ca,
                                .certificate = c->kafka.certificate,
                                .key = c->kafka.key,
                                .key_password_file = c->kafka.key_password_file,
                                .sasl_mechanism = mechanism_word(c),
                                .sasl_user = c->kafka.sasl.user,
                                .sasl_password_file = c->kafka.sasl.password_file,
                                .raw = raw,
                                .raw_count = c->kafka.raw_count,
                                .queue_bytes = RIDE_BUDGET_FETCH_MIB * RIDE_BUDGET_MIB,
                                .outlet_bytes = RIDE_BUDGET_OUTLET_MIB * RIDE_BUDGET_MIB,
                                .outlet_messages = RIDE_BUDGET_OUTLET_RESULTS};
}

const char *ride_service_journal(const ride_config *c, char path[RIDE_SERVICE_PATH_BYTES]) {
    if (c->journal.path != NULL) return c->journal.path;
    if (c->state_dir == NULL) return NULL;
    snprintf(path, RIDE_SERVICE_PATH_BYTES, "%s/journal.ride", c->state_dir);
    return path;
}

static bool wire_targets(wiring *w, ride_service_options *o) {
    const ride_config *c = w->config;
    const char *const topics[RIDE_TARGETS] = {[RIDE_TARGET_DECISIONS] = c->decisions.topic,
                                              [RIDE_TARGET_ALERTS] = c->alerts.topic,
                                              [RIDE_TARGET_LATE] = c->late_topic,
                                              [RIDE_TARGET_REJECTS] = c->rejects_topic};
    const char *any = NULL;
    for (int t = 0; t < RIDE_TARGETS; t++)
        if ((o->targets[t] = topics[t] != NULL)) any = topics[t];
    for (int t = 0; t < RIDE_TARGETS; t++)
        w->topics[t] = topics[t] != NULL ? topics[t] : any; /* one that is not used */
    return any != NULL;
}

static void wire_feed(ride_service_options *o, ride_feed_open_fn open, wiring *w) {
    o->feeds[o->feeds_count].open = open;
    o->feeds[o->feeds_count++].context = w;
}

static ride_status wire_parts(wiring *w, const ride_service_options *o, ride_error *err) {
    RIDE_TRY(ride_ready_add(w->ready, "model", true, "it is being loaded", err));
    RIDE_TRY(ride_ready_add(w->ready, "state", true, "no stream is assigned yet", err));
    if (w->sources_count > 0) RIDE_TRY(ride_ready_add(w->ready, "kafka", false, "not connected yet", err));
    for (uint32_t i = 0; i < w->sources_count; i++) {
        char part[RIDE_READY_NAME_BYTES];
        snprintf(part, sizeof part, SERVICE_TOPIC_PART, w->sources[i].topic);
        RIDE_TRY(ride_ready_add(w->ready, part, false, "not connected yet", err));
    }
    if (w->infer != NULL) /* with a log, it is ready when that takes events */
        RIDE_TRY(ride_ready_add(w->ready, "http", w->config->http.log_topic != NULL, "not listening yet", err));
    return o->outlet_open != NULL ? ride_ready_add(w->ready, "results", true, "not connected yet", err) : RIDE_OK;
}

static ride_status make_folder(const char *path, ride_error *err) {
    if (mkdir(path, 0700) == 0 || errno == EEXIST) return RIDE_OK;
    ride_fail(err, RIDE_E_IO, "cannot make the folder for the state: %s", strerror(errno));
    ride_error_where(err, "%s", path);
    ride_error_advice(err, "its parent folder must be there");
    return RIDE_E_IO;
}

/* librdkafka allocates each fetched block, a megabyte of it, and frees it when its last message is read: memory that goes back to the system each
 * time is faulted in page by page the next (a tenth of the time of a topic that is read). What is kept is bounded by what may be fetched. */
static void keep_freed_memory(void) {
#if defined(__GLIBC__)
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 256 << 20);
#endif
}

static ride_status run(wiring *w, const ride_run_options *given, ride_run_summary *out, ride_diagnostics *findings,
                       ride_error *err) {
    const ride_config *c = w->config;
    char journal[RIDE_SERVICE_PATH_BYTES], phase[RIDE_SERVICE_PATH_BYTES];
    ride_service_input inputs[RIDE_SOURCES_MAX + 1];
    ride_kafka_pair *raw = calloc(c->kafka.raw_count + 1, sizeof *raw);
    ride_service_options o = {.run = *given,
                              .inputs = inputs,
                              .targets_format = c->decisions.format,
                              .journal_sync = c->journal.sync,
                              .drain_timeout_ns = (uint64_t)c->runtime.drain_timeout_us * 1000,
                              .batch_delay_ns = delay_ns(c),
                              .reload = w->process->reload,
                              .reloaded = on_reload,
                              .reloaded_context = w,
                              .waker = w->process->waker,
                              .metrics = w->metrics,
                              .ready = on_ready,
                              .ready_context = w,
                              .desk = w->desk,
                              .heartbeat_ns = &w->heartbeat_ns};
    if (raw == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a service");
    for (uint32_t i = 0; i < c->inputs_count; i++) {
        const ride_config_input *in = &c->inputs[i];
        inputs[o.inputs_count++] = (ride_service_input){in->source, in->format != 0 ? in->format : RIDE_FORMAT_NDJSON};
        w->sources[w->sources_count++] = (ride_kafka_source){.source = in->source, .topic = in->topic};
        o.partition_keyed = o.partition_keyed || in->partition_key != NULL; /* it fits the spec: ride_placed_apply */
    }
    ride_status st = RIDE_OK;
    if (c->http.listen != NULL) {
        st = service_infer_create(given, c->http.model_name, &w->infer, findings, err);
        const char *source = st == RIDE_OK ? service_infer_source(w->infer) : "";
        uint32_t i = 0;
        while (i < o.inputs_count && strcmp(inputs[i].source, source) != 0) i++;
        if (i == o.inputs_count) inputs[o.inputs_count++] = (ride_service_input){source, RIDE_FORMAT_NDJSON};
        if (c->http.log_topic != NULL)
            w->sources[w->sources_count++] =
                (ride_kafka_source){.source = source, .topic = c->http.log_topic, .is_json = true, .is_earliest = true};
    }
    ride_service_kafka(c, w->sources, w->sources_count, raw, &w->kafka);
    w->kafka.metrics = w->metrics;
    w->kafka.eager = o.partition_keyed; /* a rebuild asks all streams where they start */
    if (wire_targets(w, &o)) {
        o.outlet_open = open_kafka_outlet;
        o.outlet_context = w;
    }
    const bool logged = w->infer != NULL && c->http.log_topic != NULL;
    if (logged) wire_feed(&o, open_logged, w);
    if (!logged && w->sources_count > 0) wire_feed(&o, open_kafka_feed, w);
    if (!logged && w->infer != NULL) wire_feed(&o, open_http, w);
    if (c->state_dir != NULL) {
        if (st == RIDE_OK) st = make_folder(c->state_dir, err);
        snprintf(phase, sizeof phase, "%s/phase", c->state_dir);
        o.phase_path = phase;
    }
    if (w->sources_count > 0 || c->journal.path != NULL) o.journal_path = ride_service_journal(c, journal);
    if (st == RIDE_OK) st = wire_parts(w, &o, err);
    if (st == RIDE_OK) st = open_admin(w, err);
    if (st == RIDE_OK) st = ride_service_run(&o, out, findings, err);
    free(raw);
    return st;
}

ride_status ride_service_run_config(const ride_config *config, const ride_run_options *given,
                                    const ride_service_process *process, ride_run_summary *out,
                                    ride_diagnostics *findings, ride_error *err) {
    wiring *w = calloc(1, sizeof *w);
    if (w == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a service");
    w->config = config;
    w->process = process;
    keep_freed_memory();
    ride_status st = ride_metrics_create(&w->metrics, err);
    if (st == RIDE_OK) ride_metrics_watch_process(w->metrics);
    if (st == RIDE_OK) w->reloads[0] = ride_metrics_series(w->metrics, RIDE_METRIC_RELOADS, "end=\"applied\"");
    if (st == RIDE_OK) w->reloads[1] = ride_metrics_series(w->metrics, RIDE_METRIC_RELOADS, "end=\"refused\"");
    if (st == RIDE_OK) st = ride_ready_create(w->metrics, &w->ready, err);
    if (st == RIDE_OK) st = state_desk_create(process->waker, &w->desk, err);
    if (st == RIDE_OK) st = run(w, given, out, findings, err);
    state_desk_close(w->desk); /* nobody waits any more */
    ride_serve_stop(w->http, (uint64_t)STOP_GRACE_MS * 1000000);
    ride_serve_stop(w->admin, (uint64_t)STOP_GRACE_MS * 1000000);
    service_infer_destroy(w->infer);
    state_desk_destroy(w->desk);
    ride_ready_destroy(w->ready);
    ride_metrics_destroy(w->metrics);
    free(w);
    return st;
}
