/* io/kafka_outlet.c: an idempotent producer as an outlet. See kafka.h.
 *
 * A result is copied into librdkafka's queue, which sends it, again and again where needed, in order and once (the producer is idempotent), with no
 * limit of time: a broker that is away fills the queue, and a full queue is RIDE_FULL. The ticket goes along as the message's
 * opaque and comes back with its report. */
#include "io/kafka_internal.h"

#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REFUSED_MAX = 256 };

typedef struct refused {
    uint64_t ticket;
    uint32_t target;
    rd_kafka_resp_err_t code;
} refused;

typedef struct kafka_outlet {
    ride_outlet base;
    kafka_client client;
    ride_kafka_options options;
    ride_outlet_events events;
    rd_kafka_topic_t **topics; /* one for each target */
    const char **names;
    ride_metric **delivered, **failed;
    uint32_t topics_count;
    uint64_t sent, told; /* their difference waits for its report */
    uint64_t waiting_max;
    refused refused[REFUSED_MAX]; /* without being sent (too large): told by the next poll, as the rule is */
    uint32_t refused_count;
    char trouble[KAFKA_WHY_BYTES]; /* of the last result that failed, or that has no topic now */
    bool is_missing;               /* the latter */
    bool closing;
} kafka_outlet;

static uint32_t target_of(const kafka_outlet *outlet, const rd_kafka_topic_t *topic) {
    uint32_t i = 0;
    while (i + 1 < outlet->topics_count && outlet->topics[i] != topic) i++;
    return i;
}

static void tell(kafka_outlet *outlet, uint64_t ticket, uint32_t target, rd_kafka_resp_err_t code) {
    outlet->told++;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        ride_metric_add(outlet->delivered[target], 1);
        outlet->events.delivered(outlet->events.context, ticket, RIDE_OK, "");
        return;
    }
    char what[KAFKA_WHY_BYTES], advice[64];
    kafka_words(&outlet->options, code, outlet->names[target], NULL, what, sizeof what, advice, sizeof advice);
    ride_metric_add(outlet->failed[target], 1);
    if (outlet->options.outlet_timeout_ns == 0)
        snprintf(outlet->trouble, sizeof outlet->trouble, "a result was refused: %.200s", what);
    ride_status status = code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || code == RD_KAFKA_RESP_ERR_INVALID_RECORD ||
                                 code == RD_KAFKA_RESP_ERR_INVALID_MSG
                             ? RIDE_E_DATA
                             : RIDE_E_UNAVAILABLE;
    outlet->events.delivered(outlet->events.context, ticket, status, what);
}

static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque) {
    (void)rk;
    kafka_outlet *outlet = (kafka_outlet *)((char *)opaque - offsetof(kafka_outlet, client));
    if (outlet->closing) return;
    uint32_t target = target_of(outlet, message->rkt);
    if (message->err == RD_KAFKA_RESP_ERR__FATAL) kafka_client_error(&outlet->client, message->err, NULL, NULL);
    tell(outlet, (uint64_t)(uintptr_t)message->_private, target, message->err);
}

static ride_status refuse(kafka_outlet *outlet, const ride_result *result, rd_kafka_resp_err_t code) {
    outlet->sent++;
    outlet->refused[outlet->refused_count++] =
        (refused){.ticket = result->ticket, .target = result->target, .code = code};
    if (outlet->options.waker != NULL) ride_waker_wake(outlet->options.waker);
    return RIDE_OK;
}

static ride_status outlet_send(ride_outlet *base, const ride_result *result, ride_error *err) {
    kafka_outlet *outlet = (kafka_outlet *)base;
    RIDE_ASSERT(result->target < outlet->topics_count);
    if (outlet->client.failed != RIDE_OK) return kafka_client_failure(&outlet->client, err);
    /* librdkafka would say the same, after the headers were made. */
    if (outlet->sent - outlet->told >= outlet->waiting_max || outlet->refused_count == REFUSED_MAX) return RIDE_FULL;
    rd_kafka_headers_t *headers = NULL;
    if (result->headers_count > 0) {
        headers = rd_kafka_headers_new(result->headers_count);
        for (uint32_t i = 0; i < result->headers_count; i++)
            rd_kafka_header_add(headers, result->headers[i].name, -1, result->headers[i].value,
                                result->headers[i].value_bytes);
    }
    /* librdkafka's pointers are not const; with F_COPY it only reads. */
    rd_kafka_vu_t parts[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = outlet->topics[result->target]},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)(uintptr_t)result->value, result->value_bytes}},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)(uintptr_t)result->key, result->key_bytes}},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = (void *)(uintptr_t)result->ticket},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
    };
    rd_kafka_error_t *error = rd_kafka_produceva(outlet->client.rk, parts, headers != NULL ? 6 : 5);
    if (error == NULL) {
        outlet->sent++;
        if (outlet->is_missing) outlet->trouble[0] = '\0';
        outlet->is_missing = false;
        return RIDE_OK;
    }
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    if (headers != NULL) rd_kafka_headers_destroy(headers);
    switch (code) {
    case RD_KAFKA_RESP_ERR__QUEUE_FULL: return RIDE_FULL;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART: /* it vanished, or is being made anew: waited for, as a broker is */
        if (outlet->options.outlet_timeout_ns != 0) return refuse(outlet, result, code);
        snprintf(outlet->trouble, sizeof outlet->trouble, "the topic %.100s is not there",
                 outlet->names[result->target]);
        outlet->is_missing = true;
        return RIDE_FULL;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE: return refuse(outlet, result, code);
    case RD_KAFKA_RESP_ERR__FATAL: kafka_client_error(&outlet->client, code, NULL, NULL); break;
    default:
        kafka_client_fail(&outlet->client, RIDE_E_UNAVAILABLE, "", "cannot send to %.60s: %s",
                          outlet->names[result->target], rd_kafka_err2str(code));
    }
    return kafka_client_failure(&outlet->client, err);
}

static ride_status serve(kafka_outlet *outlet, ride_error *err) {
    for (uint32_t i = 0; i < outlet->refused_count; i++)
        tell(outlet, outlet->refused[i].ticket, outlet->refused[i].target, outlet->refused[i].code);
    outlet->refused_count = 0;
    kafka_client_tell(&outlet->client, outlet->trouble, outlet->events.health, outlet->events.context);
    return kafka_client_failure(&outlet->client, err);
}

static ride_status outlet_poll(ride_outlet *base, ride_error *err) {
    kafka_outlet *outlet = (kafka_outlet *)base;
    rd_kafka_poll(outlet->client.rk, 0);
    return serve(outlet, err);
}

static ride_status outlet_flush(ride_outlet *base, uint64_t timeout_ns, ride_error *err) {
    kafka_outlet *outlet = (kafka_outlet *)base;
    uint64_t deadline = kafka_now_ns() + timeout_ns;
    RIDE_TRY(serve(outlet, err));
    while (outlet->told != outlet->sent) {
        int left = kafka_left_ms(deadline);
        rd_kafka_flush(outlet->client.rk, left < 100 ? left : 100); /* a failure is seen in time */
        RIDE_TRY(serve(outlet, err));
        if (left == 0 && outlet->told != outlet->sent) return RIDE_PENDING;
    }
    return RIDE_OK;
}

static void outlet_close(ride_outlet *base) {
    kafka_outlet *outlet = (kafka_outlet *)base;
    outlet->closing = true;
    if (outlet->client.rk != NULL) {
        rd_kafka_purge(outlet->client.rk,
                       RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
        rd_kafka_poll(outlet->client.rk, 0);
    }
    for (uint32_t i = 0; i < outlet->topics_count; i++) {
        if (outlet->topics[i] != NULL) rd_kafka_topic_destroy(outlet->topics[i]);
        ride_metrics_remove(outlet->options.metrics, outlet->delivered[i]);
        ride_metrics_remove(outlet->options.metrics, outlet->failed[i]);
    }
    kafka_client_close(&outlet->client, 0);
    free(outlet->topics);
    free(outlet->names);
    free(outlet->delivered);
    free(outlet->failed);
    free(outlet);
}

static const ride_outlet_ops outlet_ops = {
    .name = "kafka", .send = outlet_send, .poll = outlet_poll, .flush = outlet_flush, .close = outlet_close};

static ride_status open_client(kafka_outlet *outlet, ride_error *err) {
    kafka_client probe = {0};
    uint32_t partitions = 0;
    RIDE_TRY(kafka_probe(&outlet->options, outlet->names, outlet->topics_count, &partitions, &probe, err));
    rd_kafka_conf_t *conf = NULL;
    RIDE_TRY(kafka_conf(&outlet->options, KAFKA_OUTLET, partitions, &conf, err));
    char text[32] = "";
    size_t bytes = sizeof text;
    rd_kafka_conf_get(conf, "queue.buffering.max.messages", text, &bytes); /* raw may have changed it */
    outlet->waiting_max = strtoull(text, NULL, 10);
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    RIDE_TRY(kafka_client_open(&outlet->client, &outlet->options, KAFKA_OUTLET, conf, err));
    outlet->client.down = probe.down;
    outlet->client.was_up = partitions > 0;
    memcpy(outlet->client.why, probe.why, sizeof probe.why);
    for (uint32_t i = 0; i < outlet->topics_count; i++) {
        char labels[RIDE_TOPIC_BYTES + 32] = "";
        outlet->topics[i] = rd_kafka_topic_new(outlet->client.rk, outlet->names[i], NULL);
        if (outlet->topics[i] == NULL)
            return ride_fail(err, RIDE_E_CONFIG, "kafka: no topic %.60s: %s", outlet->names[i],
                             rd_kafka_err2str(rd_kafka_last_error()));
        ride_metrics_label(labels, sizeof labels, "topic", outlet->names[i]);
        outlet->delivered[i] = ride_metrics_series(outlet->options.metrics, RIDE_METRIC_PRODUCED, labels);
        outlet->failed[i] = ride_metrics_series(outlet->options.metrics, RIDE_METRIC_PRODUCE_FAILED, labels);
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_get_main(outlet->client.rk);
    kafka_wake_by(queue, outlet->options.waker);
    rd_kafka_queue_destroy(queue);
    return RIDE_OK;
}

ride_status ride_kafka_outlet_open(const ride_kafka_options *options, const char *const *topics, uint32_t topics_count,
                                   const ride_outlet_events *events, ride_outlet **out, ride_error *err) {
    *out = NULL;
    if (options->brokers == NULL || options->brokers[0] == '\0' || topics_count == 0)
        return ride_fail(err, RIDE_E_CONFIG, "kafka: brokers and a topic are needed");
    kafka_outlet *outlet = calloc(1, sizeof *outlet);
    if (outlet == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the Kafka outlet");
    outlet->base.ops = &outlet_ops;
    outlet->options = *options;
    outlet->events = *events;
    outlet->topics = calloc(topics_count, sizeof *outlet->topics);
    outlet->names = calloc(topics_count, sizeof *outlet->names);
    outlet->delivered = calloc(topics_count, sizeof *outlet->delivered);
    outlet->failed = calloc(topics_count, sizeof *outlet->failed);
    ride_status st = RIDE_OK;
    if (outlet->topics == NULL || outlet->names == NULL || outlet->delivered == NULL || outlet->failed == NULL) {
        st = ride_fail(err, RIDE_E_MEMORY, "no memory for the Kafka outlet");
    } else {
        outlet->topics_count = topics_count;
        for (uint32_t i = 0; i < topics_count; i++) outlet->names[i] = topics[i];
        st = open_client(outlet, err);
    }
    if (st != RIDE_OK) {
        outlet_close(&outlet->base);
        return st;
    }
    *out = &outlet->base;
    return RIDE_OK;
}
