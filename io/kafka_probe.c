/* io/kafka_probe.c: are the topics there? Asked at open, by a client of its own: a consumer, since asking as a producer makes topics on
 * brokers that allow it, and since the bound of the feed's queues, an option of the consumer, needs the number of partitions. */
#include "io/kafka_internal.h"

#include <stdlib.h>
#include <string.h>

#define FRESH_NS UINT64_C(2000000000) /* a topic made just now may not be known to every broker */

static const rd_kafka_metadata_topic_t *find(const rd_kafka_metadata_t *metadata, const char *topic) {
    for (int i = 0; i < metadata->topic_cnt; i++)
        if (strcmp(metadata->topics[i].topic, topic) == 0) return &metadata->topics[i];
    return NULL;
}

/* RIDE_PENDING: a topic is not known, which may change. */
static ride_status look(const ride_kafka_options *options, const rd_kafka_metadata_t *metadata,
                        const char *const *topics, uint32_t topics_count, uint32_t *partitions, ride_error *err) {
    char what[KAFKA_WHY_BYTES], advice[64];
    *partitions = 0;
    for (uint32_t i = 0; i < topics_count; i++) {
        const rd_kafka_metadata_topic_t *found = find(metadata, topics[i]);
        rd_kafka_resp_err_t code = found != NULL ? found->err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) {
            bool twice = false;
            for (uint32_t k = 0; k < i; k++) twice = twice || strcmp(topics[k], topics[i]) == 0;
            if (!twice) *partitions += found != NULL ? (uint32_t)found->partition_cnt : 0;
            continue;
        }
        bool lasts =
            kafka_words(options, code, topics[i], rd_kafka_err2str(code), what, sizeof what, advice, sizeof advice);
        ride_fail(err, code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ? RIDE_E_NO_INPUT : RIDE_E_UNAVAILABLE,
                  "kafka: %s", what);
        ride_error_advice(err, "%s", advice);
        ride_error_where(err, "%s", options->brokers);
        return lasts ? RIDE_E_UNAVAILABLE : RIDE_PENDING;
    }
    return RIDE_OK;
}

ride_status kafka_probe(const ride_kafka_options *options, const char *const *topics, uint32_t topics_count,
                        uint32_t *partitions, kafka_client *client, ride_error *err) {
    rd_kafka_conf_t *conf = NULL;
    *partitions = 0;
    RIDE_TRY(kafka_conf(options, KAFKA_PROBE, 0, &conf, err));
    RIDE_TRY(kafka_client_open(client, options, KAFKA_PROBE, conf, err));
    ride_status st = RIDE_OK;
    rd_kafka_topic_t **handles = calloc(topics_count, sizeof *handles);
    if (handles == NULL) {
        st = ride_fail(err, RIDE_E_MEMORY, "no memory for %u topics", topics_count);
        goto close_client;
    }
    for (uint32_t i = 0; i < topics_count; i++) /* those that are known locally are asked for */
        handles[i] = rd_kafka_topic_new(client->rk, topics[i], NULL);
    uint64_t begin = kafka_now_ns(), deadline = begin + RIDE_KAFKA_OPEN_NS;
    for (;;) {
        const rd_kafka_metadata_t *metadata = NULL;
        int left = kafka_left_ms(deadline);
        rd_kafka_resp_err_t code = rd_kafka_metadata(client->rk, 0, NULL, &metadata, left < 200 ? left : 200);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            st = look(options, metadata, topics, topics_count, partitions, err);
            rd_kafka_metadata_destroy(metadata);
            client->down = false;
            if (st != RIDE_PENDING) break;
            if (kafka_now_ns() - begin > FRESH_NS) {
                st = err != NULL ? err->status : RIDE_E_NO_INPUT;
                break;
            }
        }
        rd_kafka_poll(client->rk, code == RD_KAFKA_RESP_ERR_NO_ERROR ? 100 : 0); /* errors: into client */
        if (client->down) rd_kafka_poll(client->rk, 50);                         /* the reason may come after it */
        st = kafka_client_failure(client, err);
        if (st != RIDE_OK) break;
        if (client->down) break; /* nobody is there: the feed waits for them */
        if (kafka_left_ms(deadline) == 0) {
            kafka_client_error(client, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, NULL, NULL);
            break;
        }
    }
    for (uint32_t i = 0; i < topics_count; i++)
        if (handles[i] != NULL) rd_kafka_topic_destroy(handles[i]);
    free(handles);
close_client:
    kafka_client_close(client, 0);
    return st;
}
