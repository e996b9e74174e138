/* io/kafka_client.c: one client of librdkafka, what it says about itself, and the words for it. */
#include "io/kafka_internal.h"

#include "base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *ride_kafka_version(void) {
    static char text[48];
    snprintf(text, sizeof text, "librdkafka %s", rd_kafka_version_str());
    return text;
}

/* --- words ----------------------------------------------------------------------------------------------------------- */

/* Kafka 4 refuses the SCRAM of librdkafka before 2.6.1, whatever the password; nothing in its answer tells the two apart. */
static void login_words(const ride_kafka_options *o, const char *reason, char *what, size_t what_bytes) {
    const char *user = o->sasl_user != NULL ? o->sasl_user : "nobody";
    const char *mechanism = o->sasl_mechanism != NULL ? o->sasl_mechanism : "?";
    const char *told = strstr(reason, "SASL authentication error: ");
    if (strstr(reason, "invalid credentials") == NULL)
        snprintf(what, what_bytes, "the broker refuses the login of %s by %s: %s", user, mechanism,
                 told != NULL ? told + 27 : reason);
    else if (strncasecmp(mechanism, "SCRAM", 5) == 0 && rd_kafka_version() < 0x02060100)
        snprintf(what, what_bytes,
                 "the broker refuses the login of %s by %s (Kafka 4 needs librdkafka 2.6.1 for it, this is %s)", user,
                 mechanism, rd_kafka_version_str());
    else snprintf(what, what_bytes, "the broker refuses the login of %s by %s", user, mechanism);
}

bool kafka_words(const ride_kafka_options *o, rd_kafka_resp_err_t code, const char *topic, const char *reason,
                 char *what, size_t what_bytes, char *advice, size_t advice_bytes) {
    const char *name = topic != NULL ? topic : "?";
    char plain[KAFKA_WHY_BYTES];
    snprintf(plain, sizeof plain, "%s", reason != NULL ? reason : rd_kafka_err2str(code));
    plain[strcspn(plain, "\n")] = '\0';
    char *times =
        strstr(plain,
               " (after "); /* "…ms in state CONNECT, 3 identical error(s) suppressed)": another text each time */
    if (times != NULL) *times = '\0';
    const char *address = strstr(plain, "/bootstrap: "); /* of the brokers, which is told anyway */
    reason = address != NULL ? address + 12 : plain;
    advice[0] = '\0';
    switch ((int)code) {
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case KAFKA_UNKNOWN_TOPIC_ID:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        snprintf(what, what_bytes, "the topic %s is not there", name);
        snprintf(advice, advice_bytes, "create the topic");
        return false;
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
        snprintf(what, what_bytes, "%s is no name of a topic", name);
        snprintf(advice, advice_bytes, "check the topics");
        return true;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        snprintf(what, what_bytes, "no right to use the topic %s", name);
        snprintf(advice, advice_bytes, "grant READ, or WRITE, and DESCRIBE on it");
        return true;
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
        snprintf(what, what_bytes, "no right to use the group %s", o->group != NULL ? o->group : "?");
        snprintf(advice, advice_bytes, "grant READ on the group");
        return true;
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        snprintf(what, what_bytes, "no right to write idempotently");
        snprintf(advice, advice_bytes, "grant IDEMPOTENT_WRITE on the cluster");
        return true;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
        login_words(o, reason, what, what_bytes);
        snprintf(advice, advice_bytes, "check kafka.sasl: user and password_file");
        return true;
    case RD_KAFKA_RESP_ERR__SSL:
        if (strstr(reason, "certificate verify failed") != NULL) {
            snprintf(what, what_bytes, "the broker's certificate is signed by no CA of %s, or not for its address",
                     o->ca != NULL ? o->ca : "this system");
            snprintf(advice, advice_bytes, "check kafka.ca");
        } else if (strstr(reason, "alert") != NULL &&
                   (strstr(reason, "certificate") != NULL || strstr(reason, "unknown ca") != NULL)) {
            snprintf(what, what_bytes, "the broker refuses our certificate: %s", reason);
            snprintf(advice, advice_bytes, "check kafka.certificate and kafka.key");
        } else { /* a broker that ends during the handshake looks like this too */
            snprintf(what, what_bytes, "no TLS with the broker: %s", reason);
            snprintf(advice, advice_bytes, "check kafka.security and the port");
            return false;
        }
        return true;
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        snprintf(what, what_bytes, "no broker at %s answers", o->brokers);
        return false;
    case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED:
        snprintf(what, what_bytes, "the engine did not poll for too long and lost its partitions");
        return false;
    case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
        snprintf(what, what_bytes, "the group %s has members that share out partitions another way",
                 o->group != NULL ? o->group : "?");
        snprintf(advice, advice_bytes, "one partition.assignment.strategy for all");
        return false;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        snprintf(what, what_bytes, "too large for the topic %s", name);
        snprintf(advice, advice_bytes, "raise the topic's max.message.bytes");
        return false;
    default: snprintf(what, what_bytes, "%s", reason); return false;
    }
}

/* --- errors and health ----------------------------------------------------------------------------------------------- */

ride_status kafka_client_fail(kafka_client *client, ride_status status, const char *advice, const char *format, ...) {
    if (client->failed != RIDE_OK) return client->failed; /* the first is the cause */
    char what[sizeof client->failure.what];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    client->failed = ride_fail(&client->failure, status, "kafka: %s", what);
    if (advice[0] != '\0') ride_error_advice(&client->failure, "%s", advice);
    ride_error_where(&client->failure, "%s", client->options->brokers);
    return status;
}

ride_status kafka_client_failure(const kafka_client *client, ride_error *err) {
    if (client->failed != RIDE_OK && err != NULL) *err = client->failure;
    return client->failed;
}

/* With TLS 1.3 a broker refuses a certificate after the handshake, which is then told as a connection that broke. */
static bool is_tls(rd_kafka_resp_err_t code, const char *reason) {
    return code == RD_KAFKA_RESP_ERR__TRANSPORT && reason != NULL && strstr(reason, "SSL routines") != NULL;
}

ride_status kafka_client_error(kafka_client *client, rd_kafka_resp_err_t code, const char *topic, const char *reason) {
    if (is_tls(code, reason)) code = RD_KAFKA_RESP_ERR__SSL;
    char what[KAFKA_WHY_BYTES], advice[64], fatal[KAFKA_WHY_BYTES];
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        rd_kafka_resp_err_t cause = rd_kafka_fatal_error(client->rk, fatal, sizeof fatal);
        return kafka_client_fail(client, RIDE_E_UNAVAILABLE, "start again", "librdkafka gave up: %s: %s",
                                 rd_kafka_err2name(cause), fatal);
    }
    bool lasts = kafka_words(client->options, code, topic, reason, what, sizeof what, advice, sizeof advice);
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        if (!client->down) {
            client->down = true;
            client->brokers_up = 0;
            ride_metric_set(client->metric_up, 0);
        }
        return client->failed;
    }
    /* A refusal after all was well is a change on the other side, perhaps a broker that has not read its users yet: it is tried on. */
    bool connection = code == RD_KAFKA_RESP_ERR__AUTHENTICATION || code == RD_KAFKA_RESP_ERR__SSL;
    if (lasts && !(connection && client->was_up))
        return kafka_client_fail(client, RIDE_E_UNAVAILABLE, advice, "%s", what);
    snprintf(client->why, sizeof client->why, "%s", what);
    return client->failed;
}

void kafka_client_tell(kafka_client *client, const char *trouble, void (*health)(void *, bool, const char *),
                       void *context) {
    char down[KAFKA_WHY_BYTES];
    snprintf(down, sizeof down, "no broker at %.80s answers%s%.150s", client->options->brokers,
             client->why[0] != '\0' ? ": " : "", client->why);
    const char *why = client->failed != RIDE_OK ? client->failure.what
                      : client->down            ? down
                      : trouble != NULL         ? trouble
                                                : "";
    bool ready = why[0] == '\0';
    if (client->told && client->told_ready == ready && strcmp(client->told_why, why) == 0) return;
    client->told = true;
    client->told_ready = ready;
    snprintf(client->told_why, sizeof client->told_why, "%s", why);
    if (health != NULL) health(context, ready, client->told_why);
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque) {
    (void)rk;
    kafka_client_error(opaque, (rd_kafka_resp_err_t)code, NULL, reason);
}

/* Within poll (log.queue). What fails is told as health; some of it, such as a port of another kind, comes by the log only. */
static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text) {
    kafka_client *client = rd_kafka_opaque(rk);
    const char *told = strstr(text, "]: "); /* behind the name of the thread */
    told = told != NULL ? told + 3 : text;
    if (strcmp(facility, "FAIL") == 0 && client->why[0] == '\0')
        kafka_client_error(client, RD_KAFKA_RESP_ERR__TRANSPORT, NULL, told);
    if (level > 4 || strcmp(facility, "CONFWARN") == 0 || strcmp(facility, "FAIL") == 0)
        ride_log_debug("kafka", ride_log_text("client", rd_kafka_name(rk)), ride_log_text("text", told));
    else
        ride_log_warn("kafka", ride_log_text("client", rd_kafka_name(rk)), ride_log_text("about", facility),
                      ride_log_text("text", told));
}

/* --- statistics ------------------------------------------------------------------------------------------------------- */

typedef struct broker_reading {
    kafka_client *client;
    char name[128];
    bool is_broker, is_up, in_rtt;
    double rtt_s;
    uint32_t up;
} broker_reading;

static const char *client_label(const kafka_client *client) {
    return client->role == KAFKA_OUTLET ? "producer" : "consumer";
}
static const char *queue_label(const kafka_client *client) {
    if (client->role != KAFKA_OUTLET) return "messages";
    return client->options->outlet_at_once ? "http_log" : "results";
}

static void tell_broker(broker_reading *r) {
    kafka_client *client = r->client;
    if (r->name[0] == '\0' || !r->is_broker) return;
    r->up += r->is_up;
    uint32_t i = 0;
    while (i < client->brokers_count && strcmp(client->brokers[i].name, r->name) != 0) i++;
    if (i == KAFKA_BROKERS_MAX) return;
    if (i == client->brokers_count) {
        char labels[256] = "";
        ride_metrics_label(labels, sizeof labels, "client", client_label(client));
        ride_metrics_label(labels, sizeof labels, "broker", r->name);
        snprintf(client->brokers[i].name, sizeof client->brokers[i].name, "%s", r->name);
        client->brokers[i].rtt = ride_metrics_series(client->options->metrics, RIDE_METRIC_BROKER_RTT, labels);
        client->brokers_count++;
    }
    ride_metric_set(client->brokers[i].rtt, r->rtt_s);
}

static bool is_key(const ride_json_member *m, const char *key) {
    return m->key != NULL && m->key_bytes == strlen(key) && memcmp(m->key, key, m->key_bytes) == 0;
}

static double number_of(const ride_json_member *m) {
    char text[32];
    snprintf(text, sizeof text, "%.*s", (int)m->bytes, m->text);
    return strtod(text, NULL);
}

/* "brokers": {"host:port/id": {"nodeid": 1, "source": "learned", "state": "UP", "rtt": {"p99": 812, …}, …}, …} */
static void on_member(void *context, unsigned depth, const ride_json_member *m) {
    broker_reading *r = context;
    if (depth == 1) {
        tell_broker(r);
        *r = (broker_reading){.client = r->client, .up = r->up, .is_broker = true};
        snprintf(r->name, sizeof r->name, "%.*s", (int)m->key_bytes, m->key);
    } else if (depth == 2) {
        r->in_rtt = is_key(m, "rtt");
        if (is_key(m, "nodeid") && m->type == RIDE_JSON_NUMBER && m->text[0] == '-')
            r->is_broker = false; /* a bootstrap address */
        if (is_key(m, "source") && m->bytes == 7 && memcmp(m->text, "logical", 7) == 0) r->is_broker = false;
        if (is_key(m, "state")) r->is_up = m->bytes == 2 && memcmp(m->text, "UP", 2) == 0;
    } else if (depth == 3 && r->in_rtt && is_key(m, "p99") && m->type == RIDE_JSON_NUMBER) {
        r->rtt_s = number_of(m) * 1e-6;
    }
}

/* Of the statistics only the brokers are read: the rest grows with the partitions, and their figures are at hand here. */
/* The number behind a member's name; 0: there is none. *rest: what follows, NULL = nothing. */
static uint64_t number_behind(const char *json, size_t bytes, const char *name, const char **rest) {
    const char *at = memmem(json, bytes, name, strlen(name));
    *rest = at != NULL ? at + strlen(name) : NULL;
    return at != NULL ? strtoull(*rest, NULL, 10) : 0;
}

/* Bytes that wait in the client: results that are not acknowledged, or messages that are not taken. */
static void tell_queue(const kafka_client *client, const char *json, size_t bytes) {
    const char *end = json + bytes, *rest;
    uint64_t sum = 0;
    if (client->role == KAFKA_OUTLET) {
        ride_metric_set(client->metric_queue, (double)number_behind(json, bytes, "\"msg_size\":", &rest));
        ride_metric_set(client->metric_queue_max, (double)number_behind(json, bytes, "\"msg_size_max\":", &rest));
        return;
    }
    for (rest = json; rest != NULL;) sum += number_behind(rest, (size_t)(end - rest), "\"fetchq_size\":", &rest);
    ride_metric_set(client->metric_queue, (double)sum);
}

static int on_stats(rd_kafka_t *rk, char *json, size_t json_bytes, void *opaque) {
    kafka_client *client = opaque;
    (void)rk;
    client->stats_count++;
    tell_queue(client, json, json_bytes);
    const char *begin = memmem(json, json_bytes, "\"brokers\":{", 11);
    if (begin == NULL) return 0;
    begin += 10;
    const char *end = memmem(begin, json_bytes - (size_t)(begin - json), "\"topics\":{", 10);
    if (end == NULL) return 0;
    while (end > begin && end[-1] != '}') end--;
    size_t bytes = (size_t)(end - begin);
    if (bytes + RIDE_JSON_PADDING > client->stats_bytes_max) {
        /* The first time, and when brokers joined: not on the path of events. */
        ride_json_parser_destroy(client->json);
        free(client->stats);
        client->json = NULL;
        client->stats_bytes_max = 2 * bytes + RIDE_JSON_PADDING + 16384;
        client->stats = malloc(client->stats_bytes_max);
        if (client->stats == NULL || ride_json_parser_create(client->stats_bytes_max, &client->json, NULL) != RIDE_OK) {
            free(client->stats);
            client->stats = NULL;
            client->stats_bytes_max = 0;
            return 0;
        }
    }
    memcpy(client->stats, begin, bytes);
    memset(client->stats + bytes, 0, RIDE_JSON_PADDING);
    broker_reading r = {.client = client};
    if (ride_json_walk(client->json, client->stats, bytes, on_member, &r) != RIDE_JSON_OK) return 0;
    tell_broker(&r);
    client->brokers_up = r.up;
    ride_metric_set(client->metric_up, r.up);
    if (r.up > 0) {
        client->was_up = true;
        client->down = false;
        client->why[0] = '\0';
    }
    return 0;
}

void kafka_wake_by(rd_kafka_queue_t *queue, ride_waker *waker) {
    const uint64_t one = 1;
    rd_kafka_queue_io_event_enable(queue, waker != NULL ? waker->fd : -1, &one, sizeof one);
}

/* --- open and close --------------------------------------------------------------------------------------------------- */

ride_status kafka_client_open(kafka_client *client, const ride_kafka_options *options, kafka_role role,
                              rd_kafka_conf_t *conf, ride_error *err) {
    char why[512], labels[64] = "";
    client->options = options;
    client->role = role;
    rd_kafka_conf_set_opaque(conf, client);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_log_cb(conf, on_log);
    if (role != KAFKA_PROBE) {
        rd_kafka_conf_set_stats_cb(conf, on_stats);
        ride_metrics_label(labels, sizeof labels, "client", client_label(client));
        client->metric_up = ride_metrics_series(options->metrics, RIDE_METRIC_BROKERS_UP, labels);
        labels[0] = '\0';
        ride_metrics_label(labels, sizeof labels, "queue", queue_label(client));
        client->metric_queue = ride_metrics_series(options->metrics, RIDE_METRIC_QUEUE_BYTES, labels);
        client->metric_queue_max = ride_metrics_series(options->metrics, RIDE_METRIC_QUEUE_BYTES_MAX, labels);
        if (role == KAFKA_FEED)
            ride_metric_set(client->metric_queue_max,
                            options->queue_bytes != 0 ? (double)options->queue_bytes : (double)(64 << 20));
    }
    client->rk = rd_kafka_new(role == KAFKA_OUTLET ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, conf, why, sizeof why);
    if (client->rk != NULL) {
        rd_kafka_set_log_queue(client->rk, NULL);
        return RIDE_OK;
    }
    rd_kafka_conf_destroy(conf);
    ride_fail(err, RIDE_E_CONFIG, "kafka: %s", why);
    ride_error_advice(err, "check kafka");
    return RIDE_E_CONFIG;
}

void kafka_client_close(kafka_client *client, int destroy_flags) {
    if (client->rk != NULL) rd_kafka_destroy_flags(client->rk, destroy_flags);
    client->rk = NULL;
    for (uint32_t i = 0; i < client->brokers_count; i++)
        ride_metrics_remove(client->options->metrics, client->brokers[i].rtt);
    ride_metric *const told[] = {client->metric_up, client->metric_queue, client->metric_queue_max};
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        if (told[i] != NULL) ride_metrics_remove(client->options->metrics, told[i]);
    ride_json_parser_destroy(client->json);
    free(client->stats);
}
