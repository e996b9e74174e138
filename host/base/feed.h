/* base/feed.h: messages in and results out: where Kafka, HTTP and whatever else brings single events meet the engine.
 *
 * A byte stream (io/source.h) is read from its start to its end and then over. A feed is never over: it has streams (a partition of a
 * topic; the requests of a server), each an ordered log of messages with offsets; streams come and go (a rebalance); what was worked
 * is stored as the place to go on from. An outlet takes results and tells later which of them have arrived.
 *
 * Threads: the feeds belong to one thread of the engine, the outlet to one, which may be another: it alone calls them, and they call it back
 * from within poll, flush, commit and close only. Threads of their own (librdkafka's, the HTTP server's) wake it through the waker that
 * they were opened with.
 *
 * Bounds: a feed holds a bounded number of messages and bytes that were not polled yet; an engine that does not poll is its
 * back-pressure. An outlet that is full says RIDE_FULL and takes nothing. */
#ifndef RIDE_BASE_FEED_H
#define RIDE_BASE_FEED_H
#include "base/error.h"

#include <stdbool.h>

enum { RIDE_STREAMS_MAX = 4096, RIDE_TOPIC_BYTES = 256 };
#define RIDE_STREAM_ANY  UINT32_MAX
#define RIDE_OFFSET_NONE INT64_C(-1)

typedef struct ride_feed ride_feed;
typedef struct ride_outlet ride_outlet;

/* What somebody waits for who sent a message. */
typedef enum ride_wait {
    RIDE_WAIT_NONE = 0,
    RIDE_WAIT_TAKEN,  /* that it was taken: nobody asks for its result, the engine answers nothing */
    RIDE_WAIT_RESULT, /* its result: the engine answers */
} ride_wait;

/* One message. All pointers are the feed's, until the message is released. */
typedef struct ride_message {
    const char *value; /* NULL: none, a tombstone */
    const char *key;   /* NULL: none */
    uint32_t value_bytes, key_bytes;
    uint32_t stream;    /* the engine's number of the stream: ride_stream_info.stream */
    int64_t offset;     /* in its stream, ascending, gaps allowed */
    int64_t arrival_us; /* when it was put into the log, by the log; INT64_MIN = not known */
    uint64_t polled_ns; /* monotonic: when its bytes came to this process */
    ride_wait wait;
    void *handle; /* the feed's own */
} ride_message;

/* A stream that is assigned to this process. */
typedef struct ride_stream_info {
    const char *source; /* of the spec; borrowed from the feed's options */
    char topic[RIDE_TOPIC_BYTES];
    int32_t partition;
    uint32_t partitions_count; /* of the topic, all members' together; 0 = not known */
    bool is_log;               /* has offsets that can be read again; false: requests, which come once */
    bool is_json;              /* its messages are JSON, whatever format the input has: they are or were requests */
    int64_t committed;         /* next offset by what was stored before, RIDE_OFFSET_NONE = nothing was */
    int64_t
        log_begin; /* the log's first offset and the one behind its last, at the time of the assignment; -1 = not known */
    int64_t log_end;
    int64_t start;   /* in: where the feed would read from (committed, or as `start:` says); the engine may change it */
    uint32_t stream; /* out: the engine's number of it */
} ride_stream_info;

/* What a feed tells its engine, on the thread that polls it. */
typedef struct ride_feed_events {
    void *context;
    /* Streams that come: the engine numbers them and may move their start. A failure fails the poll. */
    ride_status (*assigned)(void *context, ride_stream_info *streams, uint32_t count, ride_error *err);
    /* Streams that go, before they are given away: the engine ends what is in flight of them and stores it. lost: they are another's
     * already, nothing can be stored. No message of them is polled afterwards. */
    void (*revoked)(void *context, const uint32_t *streams, uint32_t count, bool lost);
    /* The stream was read to the end of its log: it is idle until its next message. */
    void (*at_end)(void *context, uint32_t stream);
    /* ready: everything it needs is there. Else `why` in words of a person: "no broker at 127.0.0.1:9092 answers". */
    void (*health)(void *context, bool ready, const char *why);
    /* The same of one topic of a feed that has several: it is there, and streams of it are assigned. NULL: nobody wants to know. */
    void (*topic_health)(void *context, const char *topic, bool ready, const char *why);
} ride_feed_events;

/* How a message ended, for those whose sender waits for the result. */
typedef struct ride_answer {
    ride_status
        status; /* RIDE_OK: text is the result; RIDE_E_DATA: rejected; RIDE_E_UNAVAILABLE: not ready, or going down */
    const char *reason; /* of one without a result: a word ("below_min"), and the field, or NULL */
    const char *field;
    const char *why;  /* that in words of a person; NULL: as the status says */
    const char *text; /* the record of the result in the format of the answers, no line end; borrowed during the call */
    uint32_t text_bytes;
} ride_answer;

typedef struct ride_header {
    const char *name;
    const void *value;
    uint32_t value_bytes;
} ride_header;

typedef struct ride_feed_ops {
    const char *name; /* "kafka", "http", "fake" */
    /* Takes up to messages_max messages that are at hand, of one stream or of any (in turn, some of each at a time), and serves what else the
     * feed has to tell. Never waits. *count = 0 with RIDE_OK: nothing now; the waker wakes when there is. A poll that told of streams that come or go
     * brings no messages: the engine may have to rebuild first. A failure is final:
     * what the operator must mend (a topic that is not there, a wrong password), said in words. A broker that is away is no failure:
     * health tells it, and the feed goes on by itself. */
    ride_status (*poll)(ride_feed *feed, uint32_t stream, ride_message *messages, uint32_t messages_max,
                        uint32_t *count, ride_error *err);
    void (*release)(ride_feed *feed, ride_message *messages, uint32_t count);
    /* The headers of a message that is not released, in their order; returns how many there are, headers_max at most. NULL where no message
     * has any. */
    uint32_t (*headers)(ride_feed *feed, const ride_message *message, ride_header *headers, uint32_t headers_max);
    /* Of messages with RIDE_WAIT_RESULT, before their release, once for each. NULL where there are none. */
    void (*answer)(ride_feed *feed, const ride_message *message, const ride_answer *answer);
    /* Everything before `next` of the stream is done. Told to the log now and then by itself, and by commit at once. NULL where
     * there is no log. */
    void (*store)(ride_feed *feed, uint32_t stream, int64_t next);
    /* Tells the log what was stored and waits for it, at most timeout_ns. */
    ride_status (*commit)(ride_feed *feed, uint64_t timeout_ns, ride_error *err);
    /* Before a stop: takes no new requests. true: answers of those it took depend on messages that are still to be polled. NULL: none do. */
    bool (*settle)(ride_feed *feed);
    /* Takes no more: leaves the group, answers waiting requests with RIDE_E_UNAVAILABLE, frees. Messages polled before must
     * have been released. */
    void (*close)(ride_feed *feed);
} ride_feed_ops;
/* The head of every feed: what a feed is to the engine. */
struct ride_feed {
    const ride_feed_ops *ops;
};

typedef struct ride_result {
    uint32_t target; /* index of a topic of the outlet's options */
    const void *key, *value;
    uint32_t key_bytes, value_bytes; /* key NULL: none; what is sent is copied */
    const ride_header *headers;
    uint32_t headers_count;
    uint64_t ticket; /* the engine's, told again when it has arrived */
} ride_result;

typedef struct ride_outlet_events {
    void *context;
    /* The result has arrived for good (RIDE_OK), or never will (anything else: the message names why). */
    void (*delivered)(void *context, uint64_t ticket, ride_status status, const char *why);
    void (*health)(void *context, bool ready, const char *why);
} ride_outlet_events;

typedef struct ride_outlet_ops {
    const char *name;
    /* RIDE_FULL: no room now, nothing was taken. Results of one key of one target arrive in the order of their sends. Other failures are
     * final. */
    ride_status (*send)(ride_outlet *outlet, const ride_result *result, ride_error *err);
    /* Tells what has arrived. Never waits; the waker wakes when there is something to tell. */
    ride_status (*poll)(ride_outlet *outlet, ride_error *err);
    /* Waits until everything sent was told, at most timeout_ns: then RIDE_PENDING. */
    ride_status (*flush)(ride_outlet *outlet, uint64_t timeout_ns, ride_error *err);
    void (*close)(ride_outlet *outlet); /* what has not arrived is given up */
} ride_outlet_ops;
struct ride_outlet {
    const ride_outlet_ops *ops;
};

#endif
