/* io/kafka_assign.c: partitions that come and go.
 *
 * The group gives partitions in the rebalance callback. They are taken in two steps: first where each begins is resolved (committed
 * offset, begin and end of its log), which needs an answer of the broker, then the engine is told, and only then reading begins. While
 * the broker does not answer they wait, within librdkafka's rebalance, and are tried again every second.
 *
 * A partition's queue is taken out of the consumer's queue before the assignment, which librdkafka promises to keep so: no message ever
 * comes by the consumer's queue, and one stream can be read alone. */
#include "io/kafka_feed.h"

#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRY_MS     1000
#define AGAIN_NS   UINT64_C(1000000000)
#define GIVE_UP_NS UINT64_C(5000000000) /* for the commit before partitions are given away */

static bool is_cooperative(rd_kafka_t *rk) {
    const char *protocol = rd_kafka_rebalance_protocol(rk);
    return protocol != NULL && strcmp(protocol, "COOPERATIVE") == 0;
}

static uint32_t source_of(const kafka_feed *feed, const char *topic) {
    uint32_t i = 0;
    while (i < feed->options.sources_count && strcmp(feed->options.sources[i].topic, topic) != 0) i++;
    return i;
}

/* --- taking ----------------------------------------------------------------------------------------------------------- */

/* The offsets of one partition. RIDE_PENDING: the broker does not say now. */
static ride_status resolve(kafka_feed *feed, rd_kafka_topic_partition_t *part, uint64_t deadline_ns,
                           ride_stream_info *info) {
    kafka_client *client = &feed->client;
    uint32_t source = source_of(feed, part->topic);
    if (source == feed->options.sources_count || strlen(part->topic) >= sizeof info->topic)
        return kafka_client_fail(client, RIDE_E_INTERNAL, "", "the group gives the topic %.60s, which nobody asked for",
                                 part->topic);
    if (part->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        kafka_client_error(client, part->err, part->topic, NULL);
        return client->failed != RIDE_OK ? client->failed : RIDE_PENDING;
    }
    *info = (ride_stream_info){.source = feed->options.sources[source].source,
                               .partition = part->partition,
                               .partitions_count = feed->topics[source].partitions,
                               .is_log = true,
                               .is_json = feed->options.sources[source].is_json,
                               .committed = part->offset >= 0 ? part->offset : RIDE_OFFSET_NONE,
                               .log_begin = -1,
                               .log_end = -1};
    memcpy(info->topic, part->topic, strlen(part->topic) + 1);
    int64_t begin = 0, end = 0;
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(client->rk, part->topic, part->partition, &begin, &end,
                                                                kafka_left_ms(deadline_ns));
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        info->log_begin = begin;
        info->log_end = end;
    } else if (info->committed == RIDE_OFFSET_NONE || feed->options.reader) {
        return RIDE_PENDING; /* it cannot be said where to begin */
    }
    if (feed->options.reader) { /* nobody goes on from there */
        info->start = begin;
        return RIDE_OK;
    }
    const bool latest = feed->options.start_latest && !feed->options.sources[source].is_earliest;
    info->start = info->committed != RIDE_OFFSET_NONE ? info->committed : latest ? end : begin;
    if (info->log_begin >= 0 && info->committed != RIDE_OFFSET_NONE && info->committed < info->log_begin)
        return kafka_client_fail(client, RIDE_E_DATA, "lost for good: set the group's offset to go on",
                                 "%.60s [%" PRId32 "]: offset %" PRId64 " is next, but the log begins at %" PRId64,
                                 part->topic, part->partition, info->committed, info->log_begin);
    if (info->log_end >= 0 && info->committed > info->log_end)
        return kafka_client_fail(client, RIDE_E_DATA, "a new topic? set the group's offset to go on",
                                 "%.60s [%" PRId32 "]: offset %" PRId64 " is next, but the log ends at %" PRId64,
                                 part->topic, part->partition, info->committed, info->log_end);
    return RIDE_OK;
}

/* How many partitions the topics have, and which of them are not there. No answer: what was known stays. */
static void look_at_topics(kafka_feed *feed) {
    const rd_kafka_metadata_t *metadata = NULL;
    if (rd_kafka_metadata(feed->client.rk, 0, NULL, &metadata, TRY_MS) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
    for (int i = 0; i < metadata->topic_cnt; i++) {
        const rd_kafka_metadata_topic_t *topic = &metadata->topics[i];
        uint32_t source = source_of(feed, topic->topic);
        if (source == feed->options.sources_count) continue;
        feed->topics[source].missing = topic->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
        if (topic->err == RD_KAFKA_RESP_ERR_NO_ERROR) feed->topics[source].partitions = (uint32_t)topic->partition_cnt;
    }
    rd_kafka_metadata_destroy(metadata);
}

void kafka_wait_for_all(kafka_feed *feed) {
    if (feed->joined || feed->waiting != NULL || kafka_now_ns() < feed->try_ns) return;
    feed->try_ns = kafka_now_ns() + AGAIN_NS;
    look_at_topics(feed);
    uint32_t count = 0;
    for (uint32_t i = 0; i < feed->options.sources_count; i++) {
        if (feed->topics[i].missing || feed->topics[i].partitions == 0) return; /* no answer, or no topic: again */
        count += feed->topics[i].partitions;
    }
    feed->waiting = rd_kafka_topic_partition_list_new((int)count);
    for (uint32_t i = 0; i < feed->options.sources_count; i++)
        rd_kafka_topic_partition_list_add_range(feed->waiting, feed->options.sources[i].topic, 0,
                                                (int32_t)feed->topics[i].partitions - 1);
    feed->try_ns = 0;
}

static ride_status resolve_all(kafka_feed *feed, ride_stream_info *infos) {
    kafka_client *client = &feed->client;
    rd_kafka_topic_partition_list_t *asked = rd_kafka_topic_partition_list_copy(feed->waiting);
    uint64_t deadline = kafka_now_ns() + UINT64_C(1000000) * TRY_MS;
    ride_status st = RIDE_OK;
    rd_kafka_resp_err_t code =
        feed->has_group ? rd_kafka_committed(client->rk, asked, TRY_MS) : RD_KAFKA_RESP_ERR_NO_ERROR;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        kafka_client_error(client, code, NULL, NULL);
        st = client->failed != RIDE_OK ? client->failed : RIDE_PENDING;
    }
    for (int i = 0; i < asked->cnt && st == RIDE_OK; i++) st = resolve(feed, &asked->elems[i], deadline, &infos[i]);
    rd_kafka_topic_partition_list_destroy(asked);
    return st;
}

/* Empties the queues of partitions that were given away: what lies there is of no use to anybody, and librdkafka leaves a last note in the
 * queue of a partition that it stops, which would hold the partition of a deleted topic, and with it the broker, for ever. */
static void empty_retired(kafka_feed *feed) {
    for (uint32_t i = 0; i < feed->retired_count; i++) {
        ssize_t count;
        while ((count = rd_kafka_consume_batch_queue(feed->retired[i], 0, feed->taken, KAFKA_TAKE)) > 0)
            for (ssize_t k = 0; k < count; k++) rd_kafka_message_destroy(feed->taken[k]);
    }
}

static void close_retired(kafka_feed *feed) {
    empty_retired(feed);
    while (feed->retired_count > 0) rd_kafka_queue_destroy(feed->retired[--feed->retired_count]);
}

static void open_slot(kafka_feed *feed, const ride_stream_info *info) {
    uint16_t at = (uint16_t)feed->slots_count++;
    kafka_stream *slot = &feed->slots[at];
    char labels[RIDE_TOPIC_BYTES + 64] = "", number[16];
    *slot = (kafka_stream){.stream = info->stream,
                           .source = source_of(feed, info->topic),
                           .partition = info->partition,
                           .next = info->start,
                           .stored = RIDE_OFFSET_NONE,
                           .given = info->committed,
                           .sent = info->committed};
    /* with `latest` nothing before the log's end is ours: kept, or what comes before the next assignment would not be met */
    if (feed->options.start_latest && !feed->options.sources[slot->source].is_earliest && !feed->options.reader &&
        info->committed == RIDE_OFFSET_NONE && info->log_end >= 0 && info->start == info->log_end)
        slot->stored = info->log_end;
    feed->slot_of[info->stream] = at;
    slot->queue = rd_kafka_queue_get_partition(feed->client.rk, info->topic, info->partition);
    rd_kafka_queue_forward(slot->queue, NULL);
    kafka_wake_by(slot->queue, feed->options.waker);
    snprintf(number, sizeof number, "%" PRId32, info->partition);
    ride_metrics_label(labels, sizeof labels, "topic", info->topic);
    ride_metrics_label(labels, sizeof labels, "partition", number);
    slot->metric_lag = ride_metrics_series(feed->options.metrics, RIDE_METRIC_LAG, labels);
    slot->metric_stored = ride_metrics_series(feed->options.metrics, RIDE_METRIC_STORED, labels);
    if (info->log_end >= 0) ride_metric_set(slot->metric_lag, (double)(info->log_end - info->start));
    if (info->committed >= 0) ride_metric_set(slot->metric_stored, (double)info->committed);
}

static ride_status assign(kafka_feed *feed, ride_stream_info *infos) {
    kafka_client *client = &feed->client;
    rd_kafka_topic_partition_list_t *list = feed->waiting;
    uint32_t count = (uint32_t)list->cnt;
    ride_error err = {0};
    if (feed->events.assigned(feed->events.context, infos, count, &err) != RIDE_OK) {
        client->failed = err.status;
        client->failure = err;
        return err.status;
    }
    feed->changes++;
    close_retired(feed); /* partitions may come back: nothing of before is in their queues */
    for (uint32_t i = 0; i < count; i++) {
        if (infos[i].stream >= RIDE_STREAMS_MAX || feed->slot_of[infos[i].stream] != KAFKA_NO_SLOT)
            return kafka_client_fail(client, RIDE_E_INTERNAL, "", "stream number %u is not free", infos[i].stream);
        open_slot(feed, &infos[i]);
        list->elems[i].offset = infos[i].start;
    }
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (is_cooperative(client->rk)) {
        rd_kafka_error_t *error = rd_kafka_incremental_assign(client->rk, list);
        if (error != NULL) code = rd_kafka_error_code(error);
        rd_kafka_error_destroy(error);
    } else {
        code = rd_kafka_assign(client->rk, list);
    }
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return kafka_client_fail(client, RIDE_E_INTERNAL, "", "the assignment failed: %s", rd_kafka_err2str(code));
    ride_log_info("partitions taken", ride_log_text("group", feed->options.group), ride_log_u64("count", count));
    return RIDE_OK;
}

void kafka_take_waiting(kafka_feed *feed) {
    if (feed->waiting == NULL || feed->client.failed != RIDE_OK || kafka_now_ns() < feed->try_ns) return;
    uint32_t count = (uint32_t)feed->waiting->cnt;
    ride_stream_info *infos = calloc(count + 1, sizeof *infos);
    ride_status st = RIDE_OK;
    if (infos == NULL) st = kafka_client_fail(&feed->client, RIDE_E_MEMORY, "", "no memory for %u streams", count);
    else if (feed->slots_count + count > RIDE_STREAMS_MAX)
        st = kafka_client_fail(&feed->client, RIDE_E_UNSUPPORTED, "run more processes in the group",
                               "%u partitions, %d at most", feed->slots_count + count, RIDE_STREAMS_MAX);
    else {
        look_at_topics(feed);
        if (count > 0) st = resolve_all(feed, infos);
    }
    if (st == RIDE_OK && infos != NULL) st = assign(feed, infos);
    free(infos);
    if (st == RIDE_PENDING) {
        feed->try_ns = kafka_now_ns() + AGAIN_NS;
        return;
    }
    rd_kafka_topic_partition_list_destroy(feed->waiting);
    feed->waiting = NULL;
    if (st != RIDE_OK) return;
    ride_metric_add(feed->metric_assigned, 1);
    feed->joined = true;
}

/* --- giving ----------------------------------------------------------------------------------------------------------- */

static void close_slot(kafka_feed *feed, uint32_t at) {
    kafka_stream *slot = &feed->slots[at];
    kafka_wake_by(slot->queue, NULL);
    if (feed->retired_count == RIDE_STREAMS_MAX) close_retired(feed);
    feed->retired[feed->retired_count++] = slot->queue;
    ride_metrics_remove(feed->options.metrics, slot->metric_lag);
    ride_metrics_remove(feed->options.metrics, slot->metric_stored);
    feed->ends_seen -= slot->end_seen;
    feed->slot_of[slot->stream] = KAFKA_NO_SLOT;
    if (at != --feed->slots_count) {
        *slot = feed->slots[feed->slots_count];
        feed->slot_of[slot->stream] = (uint16_t)at;
    }
}

void kafka_drop_slots(kafka_feed *feed) {
    while (feed->slots_count > 0) close_slot(feed, feed->slots_count - 1);
    close_retired(feed);
}

static void revoke(kafka_feed *feed, const rd_kafka_topic_partition_list_t *list) {
    static const char *const words[] = {"partitions given away", "partitions lost"};
    bool lost = rd_kafka_assignment_lost(feed->client.rk) != 0;
    uint32_t *streams = calloc((size_t)list->cnt + 1, sizeof *streams), count = 0;
    if (streams == NULL) {
        kafka_client_fail(&feed->client, RIDE_E_MEMORY, "", "no memory for %d streams", list->cnt);
        return;
    }
    for (int i = 0; i < list->cnt; i++) {
        uint32_t at = kafka_find_slot(feed, list->elems[i].topic, list->elems[i].partition);
        if (at != KAFKA_NO_SLOT) streams[count++] = feed->slots[at].stream;
        if (feed->waiting != NULL)
            rd_kafka_topic_partition_list_del(feed->waiting, list->elems[i].topic, list->elems[i].partition);
    }
    if (count > 0 && !feed->closing) feed->events.revoked(feed->events.context, streams, count, lost);
    feed->changes++;
    if (count > 0 && !lost) {
        ride_error err = {0};
        if (kafka_commit(feed, GIVE_UP_NS, &err) != RIDE_OK)
            ride_log_warn("offsets not committed: what they cover is read again by the next member",
                          ride_log_text("why", err.what));
    }
    for (uint32_t i = 0; i < count; i++) close_slot(feed, feed->slot_of[streams[i]]);
    free(streams);
    ride_metric_add(lost ? feed->metric_lost : feed->metric_revoked, 1);
    if (count > 0)
        ride_log_info(words[lost], ride_log_text("group", feed->options.group), ride_log_u64("count", count));
}

void kafka_on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *partitions,
                        void *opaque) {
    kafka_feed *feed = (kafka_feed *)((char *)opaque - offsetof(kafka_feed, client));
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && !feed->closing) {
        if (feed->waiting != NULL) rd_kafka_topic_partition_list_destroy(feed->waiting);
        feed->waiting = rd_kafka_topic_partition_list_copy(partitions);
        feed->try_ns = 0;
        return; /* taken by the poll that we are in */
    }
    if (code == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) revoke(feed, partitions);
    if (is_cooperative(rk) && code == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
        rd_kafka_error_destroy(rd_kafka_incremental_unassign(rk, partitions));
        empty_retired(feed);
        return;
    }
    if (feed->waiting != NULL) rd_kafka_topic_partition_list_destroy(feed->waiting);
    feed->waiting = NULL;
    feed->joined = false;
    rd_kafka_assign(rk, NULL);
    empty_retired(feed);
}
