/* soak_load: a steady load of card-fraud events for tests/long/soak.py, faster and more even than a script could make it.
 *
 *   soak_load BROKERS TOPIC RATE FIRST   sends RATE events a second (0: as many as it can) until SIGTERM, the first with the number FIRST; prints a line
 *                                        "NEXT ACKNOWLEDGED EVENT_TIME_MS" ten times a second, and the last one when all are acknowledged
 *
 * Cards and terminals come round, and events are STEP_MS of event time apart whatever the rate: a window then always holds as many. */
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STEP_MS = 8000, CARDS = 20000, TERMINALS = 9973, FAIL_MS = 60000 };
static const int64_t BEGIN_MS = INT64_C(946684800000); /* the year 2000 */

static volatile sig_atomic_t stopped;
static uint64_t acknowledged;

static void on_signal(int number) {
    (void)number;
    stopped = 1;
}

static void fail(const char *what, const char *why) {
    fprintf(stderr, "soak_load: %s: %s\n", what, why);
    exit(1);
}

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void on_acknowledged(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque) {
    (void)kafka, (void)opaque;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) fail("an event was not taken", rd_kafka_err2str(message->err));
    acknowledged++;
}

static void tell(uint64_t next) {
    printf("%" PRIu64 " %" PRIu64 " %" PRId64 "\n", next, acknowledged, BEGIN_MS + (int64_t)next * STEP_MS);
    fflush(stdout);
}

int main(int argc, char **argv) {
    static const char *const options[] = {"enable.idempotence",
                                          "true",
                                          "message.timeout.ms",
                                          "0",
                                          "linger.ms",
                                          "2",
                                          "queue.buffering.max.messages",
                                          "20000",
                                          NULL};
    char why[512], key[32], value[512];
    if (argc != 5) fail("usage", "soak_load BROKERS TOPIC RATE FIRST");
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", argv[1], NULL, 0);
    for (int i = 0; options[i] != NULL; i += 2)
        if (rd_kafka_conf_set(conf, options[i], options[i + 1], why, sizeof why) != RD_KAFKA_CONF_OK)
            fail(options[i], why);
    rd_kafka_conf_set_dr_msg_cb(conf, on_acknowledged);
    rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (kafka == NULL) fail("client", why);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(kafka, argv[2], NULL);
    signal(SIGTERM, on_signal);
    signal(SIGPIPE, SIG_DFL);
    const double rate = atof(argv[3]), began_s = now_s();
    const uint64_t first = strtoull(argv[4], NULL, 10);
    uint64_t next = first;
    for (double told_s = 0; !stopped; next++) {
        double at_s = now_s();
        while (rate > 0 && (at_s - began_s) * rate < (double)(next - first) && !stopped) {
            rd_kafka_poll(kafka, 1);
            at_s = now_s();
        }
        if (at_s - told_s > 0.1) {
            told_s = at_s;
            tell(next);
        }
        const int key_bytes = snprintf(key, sizeof key, "4000%08" PRIu64, next % CARDS);
        const int bytes = snprintf(value, sizeof value,
                                   "{\"tx_id\":%" PRIu64 ",\"ts\":%" PRId64 ",\"card\":\"%s\",\"terminal\":%" PRIu64
                                   ",\"amount\":%" PRIu64
                                   ".50,\"currency\":\"EUR\",\"mcc\":5411,\"channel\":\"%s\",\"country\":\"DE\","
                                   "\"lat\":52.5,\"lon\":13.4,\"is_fraud\":%s}",
                                   next, BEGIN_MS + (int64_t)next * STEP_MS, key, next % TERMINALS, 1 + next * 7 % 200,
                                   next % 3 == 0 ? "ecom" : "pos", next % 500 == 0 ? "true" : "false");
        while (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, value, (size_t)bytes, key,
                                (size_t)key_bytes, NULL) != 0) {
            if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
                fail(argv[2], rd_kafka_err2str(rd_kafka_last_error()));
            rd_kafka_poll(kafka, 10);
        }
        if (next % 64 == 0) rd_kafka_poll(kafka, 0);
    }
    while (rd_kafka_outq_len(kafka) > 0) rd_kafka_flush(kafka, FAIL_MS);
    tell(next);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(kafka);
    return acknowledged == next - first ? 0 : 1;
}
