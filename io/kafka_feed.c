/* io/kafka_feed.c: a consumer group as a feed. See kafka.h and kafka_assign.c. */
#include "io/kafka_feed.h"

#include "base/assert.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GIVE_NS  UINT64_C(100000000)  /* between two times that stored offsets are given to librdkafka's committer */
#define CLOSE_NS UINT64_C(5000000000) /* for leaving the group */

const char *kafka_topic_of(const kafka_feed *feed, const kafka_stream *slot) {
    return feed->options.sources[slot->source].topic;
}

uint32_t kafka_find_slot(const kafka_feed *feed, const char *topic, int32_t partition) {
    for (uint32_t i = 0; i < feed->slots_count; i++)
        if (feed->slots[i].partition == partition && strcmp(kafka_topic_of(feed, &feed->slots[i]), topic) == 0)
            return i;
    return KAFKA_NO_SLOT;
}

/* --- offsets ---------------------------------------------------------------------------------------------------------- */

static void feed_store(ride_feed *base, uint32_t stream, int64_t next) {
    kafka_feed *feed = (kafka_feed *)base;
    RIDE_ASSERT(stream < RIDE_STREAMS_MAX);
    uint32_t at = feed->slot_of[stream];
    if (at == KAFKA_NO_SLOT || feed->options.reader) return; /* it was lost meanwhile: nothing can be stored */
    kafka_stream *slot = &feed->slots[at];
    /* An engine that rebuilds its state reads offsets that are done: they stay done. */
    if (next > slot->stored && next > slot->given) slot->stored = next;
}

/* Stored offsets to librdkafka, whose committer sends them every second, and once more when a partition is given away. */
static void give(kafka_feed *feed) {
    rd_kafka_topic_partition_list_t *list = NULL;
    for (uint32_t i = 0; i < feed->slots_count; i++) {
        kafka_stream *slot = &feed->slots[i];
        if (slot->stored <= slot->given) continue;
        if (list == NULL) list = rd_kafka_topic_partition_list_new((int)feed->slots_count);
        rd_kafka_topic_partition_list_add(list, kafka_topic_of(feed, slot), slot->partition)->offset = slot->stored;
        slot->given = slot->stored;
        ride_metric_set(slot->metric_stored, (double)slot->stored);
    }
    if (list == NULL) return;
    rd_kafka_offsets_store(feed->client.rk, list); /* a partition that is being lost is refused: it is another's */
    rd_kafka_topic_partition_list_destroy(list);
}

/* Each partition has an outcome of its own: that of a topic which vanished fails. */
static void note_committed(kafka_feed *feed, const rd_kafka_topic_partition_list_t *result, rd_kafka_resp_err_t *code) {
    for (int i = 0; result != NULL && i < result->cnt; i++) {
        const rd_kafka_topic_partition_t *part = &result->elems[i];
        uint32_t at = kafka_find_slot(feed, part->topic, part->partition);
        if (part->err != RD_KAFKA_RESP_ERR_NO_ERROR) *code = part->err;
        else if (*code == RD_KAFKA_RESP_ERR_NO_ERROR && at != KAFKA_NO_SLOT) feed->slots[at].sent = part->offset;
    }
}

ride_status kafka_commit(kafka_feed *feed, uint64_t timeout_ns, ride_error *err) {
    uint64_t deadline = kafka_now_ns() + timeout_ns;
    give(feed); /* first: its committer would go back to what it was given last */
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)feed->slots_count + 1);
    for (uint32_t i = 0; i < feed->slots_count; i++) {
        const kafka_stream *slot = &feed->slots[i];
        if (slot->stored > slot->sent)
            rd_kafka_topic_partition_list_add(list, kafka_topic_of(feed, slot), slot->partition)->offset = slot->stored;
    }
    ride_status st = RIDE_OK;
    if (list->cnt == 0) goto done;
    uintptr_t number = ++feed->commit_count;
    rd_kafka_resp_err_t code = rd_kafka_commit_queue(feed->client.rk, list, feed->commits, NULL, (void *)number);
    bool answered = false;
    while (code == RD_KAFKA_RESP_ERR_NO_ERROR && !answered) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(feed->commits, kafka_left_ms(deadline));
        if (event == NULL) break;
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_OFFSET_COMMIT &&
            (uintptr_t)rd_kafka_event_opaque(event) == number) {
            answered = true;
            code = rd_kafka_event_error(event);
            note_committed(feed, rd_kafka_event_topic_partition_list(event), &code);
        }
        rd_kafka_event_destroy(event);
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        st = ride_fail(err, RIDE_E_UNAVAILABLE, "kafka: the offsets of group %.60s were not committed: %s",
                       feed->options.group, rd_kafka_err2str(code));
    } else if (!answered) {
        st = ride_fail(err, RIDE_PENDING, "kafka: no answer in time to the commit of group %.60s", feed->options.group);
    }
done:
    rd_kafka_topic_partition_list_destroy(list);
    return st;
}

static ride_status feed_commit(ride_feed *base, uint64_t timeout_ns, ride_error *err) {
    return kafka_commit((kafka_feed *)base, timeout_ns, err); /* of a reader, nothing was stored */
}

/* --- polling ---------------------------------------------------------------------------------------------------------- */

static void topic_missing(kafka_feed *feed, const char *topic) {
    for (uint32_t i = 0; i < feed->options.sources_count; i++)
        if (topic != NULL && strcmp(feed->options.sources[i].topic, topic) == 0) feed->topics[i].missing = true;
}

/* An error that came as a message: of the group, a topic or a partition. */
static void on_error_message(kafka_feed *feed, const rd_kafka_message_t *message, const kafka_stream *slot) {
    const char *topic = message->rkt != NULL ? rd_kafka_topic_name(message->rkt) : NULL;
    switch ((int)message->err) {
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case KAFKA_UNKNOWN_TOPIC_ID:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION: topic_missing(feed, topic); return;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
        kafka_client_fail(&feed->client, RIDE_E_DATA, "set the group's offset to go on",
                          "%.60s [%" PRId32 "]: offset %" PRId64 " is next, but the log does not have it",
                          topic != NULL ? topic : "?", message->partition, slot != NULL ? slot->next : message->offset);
        return;
    default: kafka_client_error(&feed->client, message->err, topic, rd_kafka_message_errstr(message)); return;
    }
}

/* Callbacks, rebalances, errors of the group. */
static void serve(kafka_feed *feed) {
    rd_kafka_message_t *message;
    while (feed->client.failed == RIDE_OK && (message = rd_kafka_consumer_poll(feed->client.rk, 0)) != NULL) {
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) on_error_message(feed, message, NULL);
        else /* see kafka_assign.c: it would be out of its order */
            kafka_client_fail(&feed->client, RIDE_E_INTERNAL, "", "a message came past the queue of its partition");
        rd_kafka_message_destroy(message);
    }
}

static void tell_ends(kafka_feed *feed) {
    for (uint32_t i = 0; i < feed->slots_count && feed->ends_seen > 0; i++) {
        if (!feed->slots[i].end_seen) continue;
        feed->slots[i].end_seen = false;
        feed->ends_seen--;
        if (feed->events.at_end != NULL) feed->events.at_end(feed->events.context, feed->slots[i].stream);
    }
}

static void tell_lags(kafka_feed *feed) {
    if (feed->stats_count == feed->client.stats_count) return;
    feed->stats_count = feed->client.stats_count;
    for (uint32_t i = 0; i < feed->slots_count; i++) {
        kafka_stream *slot = &feed->slots[i];
        int64_t begin, end;
        if (rd_kafka_get_watermark_offsets(feed->client.rk, kafka_topic_of(feed, slot), slot->partition, &begin,
                                           &end) == RD_KAFKA_RESP_ERR_NO_ERROR &&
            end >= 0)
            ride_metric_set(slot->metric_lag, end > slot->next ? (double)(end - slot->next) : 0);
    }
}

static void tell_health(kafka_feed *feed) {
    feed->trouble[0] = '\0';
    for (uint32_t i = 0; i < feed->options.sources_count && feed->trouble[0] == '\0'; i++)
        if (feed->topics[i].missing)
            snprintf(feed->trouble, sizeof feed->trouble, "the topic %s is not there: create the topic",
                     feed->options.sources[i].topic);
    if (feed->trouble[0] == '\0' && !feed->joined) {
        if (feed->client.why[0] != '\0') snprintf(feed->trouble, sizeof feed->trouble, "%s", feed->client.why);
        else
            snprintf(feed->trouble, sizeof feed->trouble, "group %.100s has no partitions for us yet",
                     feed->options.group);
    }
    kafka_client_tell(&feed->client, feed->trouble, feed->events.health, feed->events.context);
}

/* What topic_health tells of a topic. */
enum { TOLD_NOTHING = 0, TOLD_READY, TOLD_AWAY, TOLD_MISSING, TOLD_JOINING, TOLD_OTHERS };
static const char *const told_why[] = {[TOLD_AWAY] = "no broker answers",
                                       [TOLD_MISSING] = "the topic is not there: create it",
                                       [TOLD_JOINING] = "its partitions are not given out yet",
                                       [TOLD_OTHERS] = "other members of the group have its partitions"};

static void tell_topics(kafka_feed *feed) {
    if (feed->events.topic_health == NULL || feed->client.failed != RIDE_OK) return;
    if (feed->counted_changes != feed->changes) {
        feed->counted_changes = feed->changes;
        for (uint32_t i = 0; i < feed->options.sources_count; i++) feed->topics[i].assigned = 0;
        for (uint32_t i = 0; i < feed->slots_count; i++) feed->topics[feed->slots[i].source].assigned++;
    }
    for (uint32_t i = 0; i < feed->options.sources_count; i++) {
        struct kafka_topic *topic = &feed->topics[i];
        const uint8_t now = feed->client.down     ? TOLD_AWAY
                            : topic->missing      ? TOLD_MISSING
                            : topic->assigned > 0 ? TOLD_READY
                            : feed->joined        ? TOLD_OTHERS
                                                  : TOLD_JOINING;
        if (topic->told == now) continue;
        topic->told = now;
        feed->events.topic_health(feed->events.context, feed->options.sources[i].topic, now == TOLD_READY,
                                  told_why[now]);
    }
}

static void fill(ride_message *out, rd_kafka_message_t *message, uint32_t stream, uint64_t now_ns) {
    rd_kafka_timestamp_type_t type;
    const int64_t ms = rd_kafka_message_timestamp(message, &type);
    /* a producer may have put anything there: what is behind the year 9999 is no time */
    const bool is_known = type != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE && ms >= 0 && ms <= INT64_C(253402300799999);
    *out = (ride_message){.value = message->payload,
                          .key = message->key,
                          .value_bytes = (uint32_t)message->len,
                          .key_bytes = (uint32_t)message->key_len,
                          .stream = stream,
                          .offset = message->offset,
                          .arrival_us = is_known ? ms * 1000 : INT64_MIN,
                          .polled_ns = now_ns,
                          .handle = message};
}

/* Takes at most `room` messages of one stream. */
static uint32_t take(kafka_feed *feed, kafka_stream *slot, ride_message *messages, uint32_t room, uint64_t now_ns) {
    if (room > KAFKA_TAKE) room = KAFKA_TAKE;
    ssize_t taken = rd_kafka_consume_batch_queue(slot->queue, 0, feed->taken, room);
    uint32_t count = 0;
    uint64_t bytes = 0;
    for (ssize_t i = 0; i < taken; i++) {
        rd_kafka_message_t *message = feed->taken[i];
        bytes += message->len + message->key_len;
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR && message->offset >= slot->next) {
            slot->next = message->offset + 1;
            feed->topics[slot->source].missing = false;
            feed->ends_seen -= slot->end_seen; /* it was no end after all */
            slot->end_seen = false;
            fill(&messages[count++], message, slot->stream, now_ns);
            continue;
        }
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            feed->ends_seen += !slot->end_seen;
            slot->end_seen = true;
        } else if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            on_error_message(feed, message, slot);
        }
        rd_kafka_message_destroy(message);
    }
    kafka_nudge_taken(&feed->nudge, slot, kafka_topic_of(feed, slot), bytes, count, now_ns);
    return count;
}

static uint32_t take_any(kafka_feed *feed, ride_message *messages, uint32_t room, uint64_t now_ns) {
    uint32_t count = 0, idle = 0;
    while (count < room && idle < feed->slots_count) {
        if (feed->turn >= feed->slots_count) feed->turn = 0;
        uint32_t n = take(feed, &feed->slots[feed->turn++], messages + count, room - count, now_ns);
        count += n;
        idle = n == 0 ? idle + 1 : 0;
    }
    return count;
}

static ride_status feed_poll(ride_feed *base, uint32_t stream, ride_message *messages, uint32_t messages_max,
                             uint32_t *count, ride_error *err) {
    kafka_feed *feed = (kafka_feed *)base;
    *count = 0;
    RIDE_ASSERT(!feed->polling);
    feed->polling = true;
    const uint64_t changes = feed->changes;
    if (feed->ends_seen > 0) tell_ends(feed);
    serve(feed);
    if (feed->options.reader) kafka_wait_for_all(feed);
    kafka_take_waiting(feed);
    uint64_t now = kafka_now_ns();
    if (now - feed->given_ns >= GIVE_NS) {
        feed->given_ns = now;
        give(feed);
    }
    tell_lags(feed);
    tell_health(feed);
    tell_topics(feed);
    if (feed->client.failed == RIDE_OK && messages_max > 0 && feed->changes == changes) {
        if (stream == RIDE_STREAM_ANY) {
            *count = take_any(feed, messages, messages_max, now);
        } else {
            RIDE_ASSERT(stream < RIDE_STREAMS_MAX);
            uint32_t n = 1;
            while (n > 0 && *count < messages_max && feed->slot_of[stream] != KAFKA_NO_SLOT) {
                n = take(feed, &feed->slots[feed->slot_of[stream]], messages + *count, messages_max - *count, now);
                *count += n;
            }
        }
        /* Messages that came before a failure are given first; it is told by the next poll. */
    }
    if (*count == 0 && feed->ends_seen > 0) tell_ends(feed);
    feed->polling = false;
    return *count > 0 ? RIDE_OK : kafka_client_failure(&feed->client, err);
}

static void feed_release(ride_feed *base, ride_message *messages, uint32_t count) {
    (void)base;
    for (uint32_t i = 0; i < count; i++) rd_kafka_message_destroy(messages[i].handle);
}

static uint32_t feed_headers(ride_feed *base, const ride_message *message, ride_header *out, uint32_t headers_max) {
    rd_kafka_headers_t *headers = NULL;
    uint32_t count = 0;
    size_t bytes = 0;
    (void)base;
    if (rd_kafka_message_headers(message->handle, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return 0;
    for (; count < headers_max; count++) {
        if (rd_kafka_header_get_all(headers, count, &out[count].name, &out[count].value, &bytes) !=
            RD_KAFKA_RESP_ERR_NO_ERROR)
            break;
        out[count].value_bytes = (uint32_t)bytes;
    }
    return count;
}

/* --- open and close --------------------------------------------------------------------------------------------------- */

/* Leaves the group, for at most CLOSE_NS: a broker that is away must not hold up the end. */
static void leave(kafka_feed *feed) {
    uint64_t deadline = kafka_now_ns() + CLOSE_NS;
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(feed->client.rk);
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(feed->client.rk, queue);
    rd_kafka_queue_destroy(queue);
    while (error == NULL && !rd_kafka_consumer_closed(feed->client.rk) && kafka_left_ms(deadline) > 0) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(feed->client.rk, 10);
        if (message != NULL) rd_kafka_message_destroy(message);
    }
    rd_kafka_error_destroy(error);
}

static void feed_close(ride_feed *base) {
    kafka_feed *feed = (kafka_feed *)base;
    int flags = 0;
    if (feed->client.rk != NULL) {
        feed->closing = true;
        kafka_nudge_close(&feed->nudge);
        leave(feed);
        if (!rd_kafka_consumer_closed(feed->client.rk)) flags = RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE;
        kafka_drop_slots(feed);
        if (feed->waiting != NULL) rd_kafka_topic_partition_list_destroy(feed->waiting);
        if (feed->commits != NULL) rd_kafka_queue_destroy(feed->commits);
    }
    kafka_client_close(&feed->client, flags);
    ride_metrics_remove(feed->options.metrics, feed->metric_assigned);
    ride_metrics_remove(feed->options.metrics, feed->metric_revoked);
    ride_metrics_remove(feed->options.metrics, feed->metric_lost);
    free(feed->topics);
    free(feed);
}

static const ride_feed_ops feed_ops = {.name = "kafka",
                                       .poll = feed_poll,
                                       .release = feed_release,
                                       .headers = feed_headers,
                                       .store = feed_store,
                                       .commit = feed_commit,
                                       .close = feed_close};

static ride_status subscribe(kafka_feed *feed, ride_error *err) {
    rd_kafka_t *rk = feed->client.rk;
    rd_kafka_poll_set_consumer(rk);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(rk);
    kafka_wake_by(queue, feed->options.waker);
    rd_kafka_queue_destroy(queue);
    if (feed->options.reader) return RIDE_OK;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)feed->options.sources_count);
    for (uint32_t i = 0; i < feed->options.sources_count; i++)
        rd_kafka_topic_partition_list_add(list, feed->options.sources[i].topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return RIDE_OK;
    return ride_fail(err, RIDE_E_CONFIG, "kafka: cannot subscribe: %s", rd_kafka_err2str(code));
}

static ride_status check(const ride_kafka_options *options, ride_error *err) {
    const char *lacks = options->brokers == NULL || options->brokers[0] == '\0'                     ? "brokers"
                        : !options->reader && (options->group == NULL || options->group[0] == '\0') ? "group"
                        : options->sources_count == 0 ? "a source with a topic"
                                                      : NULL;
    if (lacks != NULL) return ride_fail(err, RIDE_E_CONFIG, "kafka: %s is needed", lacks);
    for (uint32_t i = 0; i < options->sources_count; i++)
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(options->sources[i].topic, options->sources[k].topic) == 0)
                return ride_fail(err, RIDE_E_CONFIG, "kafka: the topic %s is that of two sources, %s and %s",
                                 options->sources[i].topic, options->sources[k].source, options->sources[i].source);
    return RIDE_OK;
}

static ride_status open_client(kafka_feed *feed, ride_error *err) {
    const char *topics[RIDE_STREAMS_MAX];
    uint32_t partitions = 0;
    kafka_client probe = {0};
    for (uint32_t i = 0; i < feed->options.sources_count; i++) topics[i] = feed->options.sources[i].topic;
    RIDE_TRY(kafka_probe(&feed->options, topics, feed->options.sources_count, &partitions, &probe, err));
    rd_kafka_conf_t *conf = NULL;
    RIDE_TRY(kafka_conf(&feed->options, KAFKA_FEED, partitions, &conf, err));
    rd_kafka_conf_set_rebalance_cb(conf, kafka_on_rebalance);
    RIDE_TRY(kafka_client_open(&feed->client, &feed->options, KAFKA_FEED, conf, err));
    feed->client.down = probe.down;
    feed->client.was_up = partitions > 0;
    memcpy(feed->client.why, probe.why, sizeof probe.why);
    if (partitions > 0) feed->client.why[0] = '\0';
    feed->commits = rd_kafka_queue_new(feed->client.rk);
    RIDE_TRY(kafka_nudge_open(&feed->nudge, feed->client.rk, kafka_share_bytes(&feed->options, partitions), err));
    return subscribe(feed, err);
}

ride_status ride_kafka_feed_open(const ride_kafka_options *options, const ride_feed_events *events, ride_feed **out,
                                 ride_error *err) {
    *out = NULL;
    RIDE_TRY(check(options, err));
    if (options->sources_count > RIDE_STREAMS_MAX)
        return ride_fail(err, RIDE_E_CONFIG, "kafka: %u topics, %d at most", options->sources_count, RIDE_STREAMS_MAX);
    kafka_feed *feed = calloc(1, sizeof *feed);
    if (feed == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the Kafka feed");
    feed->base.ops = &feed_ops;
    feed->options = *options;
    feed->has_group = options->group != NULL && options->group[0] != '\0';
    if (!feed->has_group) feed->options.group = "ride-reader"; /* librdkafka wants some name, and joins nothing */
    feed->events = *events;
    memset(feed->slot_of, 0xff, sizeof feed->slot_of);
    feed->topics = calloc(options->sources_count, sizeof *feed->topics);
    ride_status st =
        feed->topics != NULL ? open_client(feed, err) : ride_fail(err, RIDE_E_MEMORY, "no memory for the Kafka feed");
    if (st != RIDE_OK) {
        feed_close(&feed->base);
        return st;
    }
    feed->metric_assigned = ride_metrics_series(options->metrics, RIDE_METRIC_REBALANCES, "kind=\"assign\"");
    feed->metric_revoked = ride_metrics_series(options->metrics, RIDE_METRIC_REBALANCES, "kind=\"revoke\"");
    feed->metric_lost = ride_metrics_series(options->metrics, RIDE_METRIC_REBALANCES, "kind=\"lost\"");
    *out = &feed->base;
    return RIDE_OK;
}
