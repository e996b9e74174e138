/* io/kafka_feed.h: the parts of the feed: kafka_feed.c polls and stores, kafka_assign.c takes and gives partitions. */
#ifndef RIDE_IO_KAFKA_FEED_H
#define RIDE_IO_KAFKA_FEED_H
#include "io/kafka_internal.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

enum { KAFKA_TAKE = 512, KAFKA_NO_SLOT = 0xffff };

/* A partition of ours. Its messages have a queue of their own, so that one stream can be read while others wait. */
typedef struct kafka_stream {
    rd_kafka_queue_t *queue;
    uint32_t stream; /* the engine's number */
    uint32_t source; /* of the options */
    int32_t partition;
    bool was_full;  /* its queue was, and has not been halved since */
    bool end_seen;  /* its end was read, and will be told once what came before it was polled */
    int64_t next;   /* smallest offset that may come out now: anything before it is of another time */
    int64_t stored; /* by the engine; RIDE_OFFSET_NONE = nothing yet */
    int64_t given;  /* what of it librdkafka has for its next commit */
    int64_t sent;   /* what of it was committed by us */
    ride_metric *metric_lag, *metric_stored;
} kafka_stream;

/* kafka_nudge.c: has librdkafka look again at queues that were full. topic and partition name the broker to ask. */
typedef struct kafka_nudge {
    rd_kafka_t *rk;
    uint64_t share_bytes; /* of the bound, for each stream */
    uint64_t asked_ns;
    pthread_t thread;
    sem_t wanted;
    bool runs;
    atomic_bool stop;
    const char *_Atomic topic; /* of the options */
    atomic_int partition;
} kafka_nudge;

typedef struct kafka_feed {
    ride_feed base;
    kafka_client client;
    ride_kafka_options options; /* strings are borrowed */
    ride_feed_events events;
    rd_kafka_queue_t *commits;                /* answers to commits that we wait for */
    rd_kafka_topic_partition_list_t *waiting; /* given to us, not taken yet: their offsets are not known */
    uint64_t try_ns;                          /* when to ask for them again */
    bool joined;                              /* the group has given us our share, which may be none */
    bool has_group;                           /* its committed offsets can be asked for */
    bool closing;                             /* no event is told any more */
    bool polling;                             /* within poll: it is not entered from an event */
    uint32_t ends_seen;                       /* streams with end_seen */
    uint32_t turn;                            /* slot that is next, when any stream will do */
    uint64_t given_ns;                        /* when offsets were last given to librdkafka */
    uint64_t stats_count;                     /* of the client, when lags were last told */
    uint64_t commit_count;
    uint64_t counted_changes; /* when `assigned` was counted */
    uint64_t changes;         /* of the streams, told to the engine: a poll that told one brings no messages */
    struct kafka_topic {
        bool missing;
        uint32_t partitions; /* 0 = not known */
        uint32_t assigned;   /* streams of it, as of counted_changes */
        uint8_t told;        /* what topic_health told last; 0 = nothing yet */
    } * topics;              /* by source */
    char trouble[KAFKA_WHY_BYTES];
    kafka_stream slots[RIDE_STREAMS_MAX];
    uint32_t slots_count;
    uint16_t slot_of[RIDE_STREAMS_MAX];          /* by the engine's number */
    rd_kafka_queue_t *retired[RIDE_STREAMS_MAX]; /* of partitions that were given away */
    uint32_t retired_count;
    rd_kafka_message_t *taken[KAFKA_TAKE];
    kafka_nudge nudge;
    ride_metric *metric_assigned, *metric_revoked, *metric_lost;
} kafka_feed;

/* kafka_assign.c */
void kafka_on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *partitions,
                        void *opaque);
void kafka_take_waiting(kafka_feed *feed); /* when there is something and its time has come */
void kafka_drop_slots(kafka_feed *feed);   /* at close, when the group was left */
void kafka_wait_for_all(kafka_feed *feed); /* a reader gives itself all partitions, once they are known */

/* kafka_nudge.c */
ride_status kafka_nudge_open(kafka_nudge *nudge, rd_kafka_t *rk, uint64_t share_bytes, ride_error *err);
void kafka_nudge_close(kafka_nudge *nudge); /* before the client's */
/* After messages of the stream were taken. */
void kafka_nudge_taken(kafka_nudge *nudge, kafka_stream *slot, const char *topic, uint64_t bytes, uint32_t messages,
                       uint64_t now_ns);

/* kafka_feed.c */
uint32_t kafka_find_slot(const kafka_feed *feed, const char *topic, int32_t partition); /* or KAFKA_NO_SLOT */
const char *kafka_topic_of(const kafka_feed *feed, const kafka_stream *slot);
ride_status kafka_commit(kafka_feed *feed, uint64_t timeout_ns, ride_error *err);

#endif
