/* io/kafka.h: topics in and topics out, by librdkafka.
 *
 * ride_kafka_feed_open: a member of a consumer group as a feed (base/feed.h): a stream is a partition. ride_kafka_outlet_open: an idempotent
 *   producer as an outlet. Both find their words for what can go wrong (docs/kafka.md has the table of options and of messages).
 *
 * Offsets are kept here and nowhere else: where a stream starts is resolved before it is read (what the group has committed, else as
 *   `start` says) and told to the engine, which may move it; what the engine stores is committed every second, and at once by
 *   commit, before a partition is given away, and by close. A committed offset that the log no longer has is a failure, never a jump.
 *
 * A reader (options.reader) joins no group: it has all partitions of its topics, whoever else has them, from their begin unless the engine
 *   moves the start, and stores nothing. It is told what the group has committed, when a group is named.
 *
 * Bounds: what was fetched and not polled takes queue_bytes of values and keys, shared out among all partitions of the topics (at most
 *   twice that while an answer of a broker is read in; librdkafka keeps about 350 bytes more for each message). What was sent and is
 *   not acknowledged: outlet_messages and outlet_bytes. `raw` overrides.
 *
 * Waits: open asks a broker for the topics, for at most RIDE_KAFKA_OPEN_NS; with none there it goes on and tells so as health. An
 *   assignment asks for offsets within poll, at most one second a try. Nothing else waits that does not say so. poll must be called at least
 *   every max.poll.interval.ms (5 minutes) for the member to keep its partitions, with messages_max 0 when there is no room.
 *
 * Threads: one, the engine's, as base/feed.h says. librdkafka's own threads write to the waker only. */
#ifndef RIDE_IO_KAFKA_H
#define RIDE_IO_KAFKA_H
#include "base/feed.h"
#include "base/metrics.h"
#include "base/waker.h"

#define RIDE_KAFKA_OPEN_NS UINT64_C(5000000000)

typedef struct ride_kafka_pair {
    const char *name, *value;
} ride_kafka_pair;

typedef struct ride_kafka_source {
    const char *source; /* of the spec */
    const char *topic;
    bool is_json;     /* see ride_stream_info */
    bool is_earliest; /* begun at its begin, whatever start_latest says */
} ride_kafka_source;

/* All strings are borrowed until close. NULL or 0: the default. */
typedef struct ride_kafka_options {
    const char *brokers;   /* "host:port,host:port" */
    const char *group;     /* feed only; of a reader, the group whose offsets it is told, or NULL */
    const char *client_id; /* "ride" */
    bool start_latest;     /* of partitions without a committed offset: at their end, not at their begin */
    bool eager;            /* each assignment is a whole one: partitions never come while others stay */
    bool reader;           /* feed: no member of the group, so that nobody who is loses anything by it: see above */
    const ride_kafka_source *sources;
    uint32_t sources_count;
    const char *security;                                   /* plaintext (default), ssl, sasl_plaintext, sasl_ssl */
    const char *ca, *certificate, *key, *key_password_file; /* PEM files */
    const char *sasl_mechanism, *sasl_user, *sasl_password_file;
    const ride_kafka_pair *raw; /* any option of librdkafka but those that would break what is promised above */
    uint32_t raw_count;
    uint64_t queue_bytes;     /* 64 MiB */
    uint64_t outlet_bytes;    /* 64 MiB */
    uint32_t outlet_messages; /* 200,000 */
    /* How long the outlet tries to send a message, which then has failed and may have arrived all the same; 0: without a limit. A
     * failure is then that message's alone and does not change the outlet's health; without a limit, one that fails is a loss. */
    uint64_t outlet_timeout_ns;
    bool outlet_at_once;   /* nothing waits for more to be sent with it */
    ride_metrics *metrics; /* may be NULL */
    ride_waker *waker;     /* may be NULL: somebody who polls without sleeping */
} ride_kafka_options;

/* RIDE_E_CONFIG: an option is wrong; RIDE_E_NO_INPUT: a topic is not there; RIDE_E_UNAVAILABLE: the broker refuses us;
 * RIDE_E_UNSUPPORTED: this build has no Kafka. */
ride_status ride_kafka_feed_open(const ride_kafka_options *options, const ride_feed_events *events, ride_feed **out,
                                 ride_error *err);
/* topics: of ride_result.target, borrowed until close; one may be there twice. */
ride_status ride_kafka_outlet_open(const ride_kafka_options *options, const char *const *topics, uint32_t topics_count,
                                   const ride_outlet_events *events, ride_outlet **out, ride_error *err);
/* "librdkafka 2.0.2", or "no Kafka in this build": for `ride doctor` and the log. */
const char *ride_kafka_version(void);

#endif
