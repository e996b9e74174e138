/* io/kafka_internal.h: what kafka_*.c share; the one home of librdkafka.
 *
 * kafka_client is one client of librdkafka (a consumer, a producer, or the short-lived one that asks for topics at open) with what
 * it has told: how many brokers are connected, why nothing works, what is final. librdkafka's callbacks run within its poll
 * functions, on the engine's thread, but for its log. */
#ifndef RIDE_IO_KAFKA_INTERNAL_H
#define RIDE_IO_KAFKA_INTERNAL_H
#include "base/clock.h"
#include "io/kafka.h"
#include "lib/json.h"

#include <librdkafka/rdkafka.h>

enum { KAFKA_WHY_BYTES = 256, KAFKA_BROKERS_MAX = 64, KAFKA_UNKNOWN_TOPIC_ID = 100 /* newer versions name it */ };

typedef enum kafka_role { KAFKA_FEED = 1, KAFKA_OUTLET, KAFKA_PROBE } kafka_role;

typedef struct kafka_client {
    const ride_kafka_options *options;
    kafka_role role;
    rd_kafka_t *rk;
    /* Health. */
    uint32_t brokers_up;       /* at the last statistics */
    bool was_up;               /* some broker was connected once: a refusal is then no slip of the configuration */
    bool down;                 /* all brokers are away */
    char why[KAFKA_WHY_BYTES]; /* the last reason for a connection that failed */
    ride_status failed;        /* final, and told by every later call */
    ride_error failure;
    bool told, told_ready;
    char told_why[KAFKA_WHY_BYTES];
    /* Statistics. */
    ride_json_parser *json;
    char *stats;
    size_t stats_bytes_max;
    uint64_t stats_count;
    ride_metric *metric_up, *metric_queue, *metric_queue_max;
    struct {
        char name[128];
        ride_metric *rtt;
    } brokers[KAFKA_BROKERS_MAX];
    uint32_t brokers_count;
} kafka_client;

/* kafka_conf.c: the options as librdkafka's. partitions: of all topics, for the share of each in the bound; 0 = not known. */
ride_status kafka_conf(const ride_kafka_options *options, kafka_role role, uint32_t partitions, rd_kafka_conf_t **out,
                       ride_error *err);

/* Of queue_bytes, for each partition; 0 partitions = not known. */
uint64_t kafka_share_bytes(const ride_kafka_options *options, uint32_t partitions);

/* kafka_client.c. conf moves to the client; on failure nothing is left. */
ride_status kafka_client_open(kafka_client *client, const ride_kafka_options *options, kafka_role role,
                              rd_kafka_conf_t *conf, ride_error *err);
void kafka_client_close(kafka_client *client, int destroy_flags);
/* Takes note of an error of librdkafka: of a connection, a topic (NULL: none), the client. Returns what client->failed is now. */
ride_status kafka_client_error(kafka_client *client, rd_kafka_resp_err_t code, const char *topic, const char *reason);
/* A final failure, kept for later calls. */
ride_status kafka_client_fail(kafka_client *client, ride_status status, const char *advice, const char *format, ...)
    RIDE_PRINTF(4, 5);
/* The kept failure into *err. */
ride_status kafka_client_failure(const kafka_client *client, ride_error *err);
/* Calls health when it differs from what was told last. trouble: of its owner, NULL or "" = none. */
void kafka_client_tell(kafka_client *client, const char *trouble, void (*health)(void *, bool, const char *),
                       void *context);
/* Whoever puts something into the empty queue wakes; NULL: nobody. */
void kafka_wake_by(rd_kafka_queue_t *queue, ride_waker *waker);
/* An error in words: what, and what to do about it ("" = nothing known). Returns whether it lasts until somebody mends it. */
bool kafka_words(const ride_kafka_options *options, rd_kafka_resp_err_t code, const char *topic, const char *reason,
                 char *what, size_t what_bytes, char *advice, size_t advice_bytes);

/* kafka_probe.c: asks a broker for the topics; no topic is made by asking. *partitions: of all topics together, 0 when no broker answered in time,
 * which is no failure (`client`'s down and why then say what is known). */
ride_status kafka_probe(const ride_kafka_options *options, const char *const *topics, uint32_t topics_count,
                        uint32_t *partitions, kafka_client *client, ride_error *err);

static inline uint64_t kafka_now_ns(void) { return ride_clock_now_ns(ride_clock_real()); }
/* What is left until the deadline, as librdkafka takes it. */
static inline int kafka_left_ms(uint64_t deadline_ns) {
    uint64_t now = kafka_now_ns();
    return now >= deadline_ns ? 0 : (int)((deadline_ns - now + 999999) / 1000000);
}

#endif
