/* The feed and the outlet against librdkafka's made-up broker: what a real one does not do on demand. What it does is tested in
 * tests/integration/test_kafka_io.py. */
#include "base/clock.h"
#include "io/kafka.h"

#include <criterion/criterion.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PARTITIONS = 4,
    MESSAGES_MAX = 20000,
    PRODUCE = 0,
    FETCH = 1,
    METADATA = 3,
    OFFSET_COMMIT = 8,
    OFFSET_FETCH = 9
};
#define LONG UINT64_C(30000000000) /* nothing takes as long; a test that waits so long has failed */

static rd_kafka_t *owner;
static rd_kafka_mock_cluster_t *cluster;
static ride_kafka_options options;
static const ride_kafka_source source = {"tx", "tx"};
static const char *const topics[] = {"tx", "other"};
static ride_waker waker;
static ride_error err;

/* What a feed has told. */
typedef struct told {
    uint32_t assigned, revoked, ends, healths;
    bool ready, has[64];
    char why[256];
    int64_t start[64], committed[64], next[64];
    int32_t partition[64];
    int64_t move; /* the start, by as much */
    uint32_t numbers;
} told;
/* What an outlet has told. */
typedef struct reports {
    uint64_t delivered, failed, last_failed;
    ride_status status;
    char why[256];
    bool ready;
    uint32_t healths;
} reports;

static told a, b;
static reports r;
static ride_message messages[MESSAGES_MAX];

static ride_status on_assigned(void *context, ride_stream_info *streams, uint32_t count, ride_error *failure) {
    told *t = context;
    (void)failure;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t n = streams[i].stream = t->numbers++;
        cr_assert_lt(n, 64u);
        cr_expect_eq(streams[i].partitions_count, (uint32_t)PARTITIONS);
        cr_expect_str_eq(streams[i].source, "tx");
        streams[i].start += t->move;
        t->start[n] = t->next[n] = streams[i].start;
        t->committed[n] = streams[i].committed;
        t->partition[n] = streams[i].partition;
        t->has[n] = true;
    }
    t->assigned++;
    return RIDE_OK;
}
static void on_revoked(void *context, const uint32_t *streams, uint32_t count, bool lost) {
    told *t = context;
    (void)lost;
    for (uint32_t i = 0; i < count; i++) t->has[streams[i]] = false;
    t->revoked++;
}
static void on_end(void *context, uint32_t stream) {
    told *t = context;
    cr_expect(t->has[stream]);
    t->ends++;
}
static void on_health(void *context, bool ready, const char *why) {
    told *t = context;
    t->ready = ready;
    t->healths++;
    snprintf(t->why, sizeof t->why, "%s", why);
}
static void on_delivered(void *context, uint64_t ticket, ride_status status, const char *why) {
    reports *report = context;
    if (status == RIDE_OK) {
        report->delivered++;
        return;
    }
    report->failed++;
    report->last_failed = ticket;
    report->status = status;
    snprintf(report->why, sizeof report->why, "%s", why);
}
static void on_outlet_health(void *context, bool ready, const char *why) {
    reports *report = context;
    (void)why;
    report->ready = ready;
    report->healths++;
}

static void setup(void) {
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, NULL);
    owner = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    cluster = rd_kafka_mock_cluster_new(owner, 1);
    rd_kafka_mock_topic_create(cluster, "tx", PARTITIONS, 1);
    rd_kafka_mock_topic_create(cluster, "other", PARTITIONS, 1);
    cr_assert_eq(ride_waker_open(&waker, &err), RIDE_OK);
    options = (ride_kafka_options){.brokers = rd_kafka_mock_cluster_bootstraps(cluster),
                                   .group = "group",
                                   .sources = &source,
                                   .sources_count = 1,
                                   .waker = &waker};
}
static void teardown(void) {
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(owner);
    ride_waker_close(&waker);
}
TestSuite(kafka_mock, .init = setup, .fini = teardown, .timeout = 300);

static uint64_t now(void) { return ride_clock_now_ns(ride_clock_real()); }

static ride_feed *open_feed(told *t) {
    ride_feed *feed = NULL;
    const ride_feed_events events = {
        .context = t, .assigned = on_assigned, .revoked = on_revoked, .at_end = on_end, .health = on_health};
    cr_assert_eq(ride_kafka_feed_open(&options, &events, &feed, &err), RIDE_OK, "%s", err.what);
    return feed;
}

static ride_outlet *open_outlet(void) {
    ride_outlet *outlet = NULL;
    const ride_outlet_events events = {.context = &r, .delivered = on_delivered, .health = on_outlet_health};
    cr_assert_eq(ride_kafka_outlet_open(&options, topics, 2, &events, &outlet, &err), RIDE_OK, "%s", err.what);
    return outlet;
}

/* Sends `count` results with tickets from `first`; what was taken. */
static uint64_t put(ride_outlet *outlet, uint64_t first, uint64_t count) {
    char key[24], value[48];
    uint64_t sent = 0;
    while (sent < count) {
        uint64_t ticket = first + sent;
        int key_bytes = snprintf(key, sizeof key, "k%d", (int)(ticket % 97)),
            value_bytes = snprintf(value, sizeof value, "%llu", (unsigned long long)ticket);
        const ride_header header = {"ticket", value, (uint32_t)value_bytes};
        const ride_result result = {.key = key,
                                    .value = value,
                                    .key_bytes = (uint32_t)key_bytes,
                                    .value_bytes = (uint32_t)value_bytes,
                                    .headers = &header,
                                    .headers_count = 1,
                                    .ticket = ticket};
        ride_status st = outlet->ops->send(outlet, &result, &err);
        if (st == RIDE_FULL) break;
        cr_assert_eq(st, RIDE_OK, "%s", err.what);
        sent++;
    }
    return sent;
}

static void fill(uint64_t count) {
    ride_outlet *outlet = open_outlet();
    cr_assert_eq(put(outlet, 0, count), count);
    cr_assert_eq(outlet->ops->flush(outlet, LONG, &err), RIDE_OK, "%s", err.what);
    cr_assert_eq(r.delivered, count);
    outlet->ops->close(outlet);
}

/* One poll; messages are looked at and released, when they are to be. */
static ride_status take(ride_feed *feed, told *t, uint32_t stream, uint32_t max, uint32_t *count) {
    ride_status st = feed->ops->poll(feed, stream, messages, max, count, &err);
    for (uint32_t i = 0; i < *count; i++) {
        const ride_message *m = &messages[i];
        cr_expect(t->has[m->stream], "a message of a stream that is not ours");
        cr_expect(m->offset == t->next[m->stream], "stream %u: offset %lld, not %lld", m->stream, (long long)m->offset,
                  (long long)t->next[m->stream]);
        t->next[m->stream] = m->offset + 1;
    }
    feed->ops->release(feed, messages, *count);
    return st;
}

static uint64_t total;

/* Polls until the condition holds, and counts. */
#define UNTIL(feed, t, condition)                                                                                      \
    do {                                                                                                               \
        uint64_t end_ = now() + LONG;                                                                                  \
        while (!(condition)) {                                                                                         \
            uint32_t count_;                                                                                           \
            cr_assert_lt(now(), end_, "never: %s", #condition);                                                        \
            cr_assert_eq(take(feed, t, RIDE_STREAM_ANY, MESSAGES_MAX, &count_), RIDE_OK, "%s", err.what);              \
            total += count_;                                                                                           \
            if (count_ == 0) ride_waker_wait(&waker, 20000000);                                                        \
        }                                                                                                              \
    } while (0)

Test(kafka_mock, what_is_sent_comes_in_order_once) {
    fill(5000);
    ride_feed *feed = open_feed(&a);
    UNTIL(feed, &a, total == 5000 && a.ends == PARTITIONS);
    cr_expect_eq(a.assigned, 1u);
    cr_expect(a.ready);
    feed->ops->close(feed);
    cr_expect_eq(a.revoked, 0u, "close tells nothing");
}

Test(kafka_mock, a_poll_takes_from_each_stream_in_turn) {
    fill(8000);
    ride_feed *feed = open_feed(&a);
    uint32_t count = 0, by_stream[PARTITIONS] = {0};
    while (a.assigned == 0) take(feed, &a, RIDE_STREAM_ANY, 0, &count);
    for (uint32_t s = 0; s < PARTITIONS; s++) { /* what was sent as one batch is at hand as a whole once its first is */
        for (count = 0; count == 0;) {
            cr_assert_eq(take(feed, &a, s, 1, &count), RIDE_OK);
            if (count == 0) ride_waker_wait(&waker, 20000000);
        }
        cr_expect_eq(messages[0].stream, s);
    }
    cr_assert_eq(feed->ops->poll(feed, RIDE_STREAM_ANY, messages, 2048, &count, &err), RIDE_OK);
    for (uint32_t i = 0; i < count; i++) by_stream[messages[i].stream]++;
    for (uint32_t s = 0; s < PARTITIONS; s++) cr_expect_gt(by_stream[s], 0u, "stream %u had to wait", s);
    feed->ops->release(feed, messages, count);
    feed->ops->close(feed);
}

Test(kafka_mock, one_stream_is_read_alone) {
    fill(5000);
    ride_feed *feed = open_feed(&a);
    uint32_t count, others = 0;
    uint64_t end = now() + LONG;
    while (a.ends < 1 || a.next[2] == 0) {
        cr_assert_lt(now(), end);
        cr_assert_eq(take(feed, &a, a.assigned ? 2 : RIDE_STREAM_ANY, a.assigned ? 100 : 0, &count), RIDE_OK);
        for (uint32_t i = 0; i < count; i++) others += messages[i].stream != 2;
        if (count == 0) ride_waker_wait(&waker, 20000000);
    }
    cr_expect_eq(others, 0u);
    UNTIL(feed, &a, a.ends == PARTITIONS);
    feed->ops->close(feed);
}

Test(kafka_mock, an_end_is_told_behind_its_last_message) {
    fill(4000);
    ride_feed *feed = open_feed(&a);
    uint32_t count, ends_before;
    uint64_t end = now() + LONG;
    do {
        cr_assert_lt(now(), end);
        ends_before = a.ends;
        cr_assert_eq(feed->ops->poll(feed, RIDE_STREAM_ANY, messages, MESSAGES_MAX, &count, &err), RIDE_OK);
        total += count;
        cr_expect(count == 0 || a.ends == ends_before || total < 4000, "an end came with messages of the same poll");
        feed->ops->release(feed, messages, count);
        if (count == 0) ride_waker_wait(&waker, 20000000);
    } while (a.ends < PARTITIONS);
    cr_expect_eq(total, 4000u);
    feed->ops->close(feed);
}

Test(kafka_mock, a_commit_is_tried_again_and_stored_offsets_come_back) {
    fill(1000);
    ride_feed *feed = open_feed(&a);
    UNTIL(feed, &a, total == 1000);
    for (uint32_t s = 0; s < PARTITIONS; s++) feed->ops->store(feed, s, a.next[s]);
    rd_kafka_mock_push_request_errors(cluster, OFFSET_COMMIT, 2, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
                                      RD_KAFKA_RESP_ERR_NOT_COORDINATOR);
    ride_status st = RIDE_PENDING;
    for (uint64_t end = now() + LONG; st != RIDE_OK && now() < end;) st = feed->ops->commit(feed, LONG, &err);
    cr_expect_eq(st, RIDE_OK, "%s", err.what);
    feed->ops->store(feed, 0, 1); /* a rebuild is behind what is done */
    cr_expect_eq(feed->ops->commit(feed, LONG, &err), RIDE_OK);
    feed->ops->close(feed);
    b.move = -10;
    feed = open_feed(&b);
    while (b.assigned == 0) {
        uint32_t count;
        cr_assert_eq(take(feed, &b, RIDE_STREAM_ANY, 0, &count), RIDE_OK);
    }
    for (uint32_t s = 0; s < PARTITIONS; s++) cr_expect_eq(b.committed[s], a.next[s]);
    total = 0;
    UNTIL(feed, &b, total == 10 * PARTITIONS);
    feed->ops->close(feed);
}

Test(kafka_mock, a_commit_that_is_refused_or_not_answered_says_so) {
    fill(100);
    ride_feed *feed = open_feed(&a);
    UNTIL(feed, &a, total == 100);
    feed->ops->store(feed, 0, a.next[0]);
    rd_kafka_mock_push_request_errors(cluster, OFFSET_COMMIT, 1, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED);
    cr_expect_eq(feed->ops->commit(feed, LONG, &err), RIDE_E_UNAVAILABLE);
    cr_expect(strstr(err.what, "group group were not committed") != NULL, "%s", err.what);
    rd_kafka_mock_broker_push_request_error_rtts(cluster, 1, OFFSET_COMMIT, 1, RD_KAFKA_RESP_ERR_NO_ERROR, 1500);
    cr_expect_eq(feed->ops->commit(feed, 100000000, &err), RIDE_PENDING);
    cr_expect_eq(feed->ops->commit(feed, LONG, &err), RIDE_OK, "%s", err.what);
    feed->ops->close(feed);
}

Test(kafka_mock, an_assignment_waits_for_its_offsets) {
    fill(100);
    /* The first answers come too late for the tries. */
    rd_kafka_mock_broker_push_request_error_rtts(cluster, 1, OFFSET_FETCH, 2, RD_KAFKA_RESP_ERR_NO_ERROR, 1500,
                                                 RD_KAFKA_RESP_ERR_NO_ERROR, 1500);
    ride_feed *feed = open_feed(&a);
    UNTIL(feed, &a, total == 100);
    cr_expect_eq(a.assigned, 1u);
    cr_expect(a.ready);
    feed->ops->close(feed);
}

static uint32_t share(const told *t) {
    uint32_t count = 0;
    for (uint32_t s = 0; s < 64; s++) count += t->has[s];
    return count;
}

Test(kafka_mock, two_members_share_and_nothing_is_lost) {
    fill(10000);
    ride_feed *first = open_feed(&a);
    uint64_t end = now() + LONG, got = 0;
    uint32_t count;
    while (a.ends < PARTITIONS) {
        take(first, &a, RIDE_STREAM_ANY, 500, &count);
        got += count;
        for (uint32_t s = 0; s < a.numbers; s++)
            if (a.has[s]) first->ops->store(first, s, a.next[s]);
        cr_assert_lt(now(), end);
    }
    cr_expect_eq(got, 10000u);
    /* Before: unlike a real broker, this one takes no offsets while a second member joins. */
    cr_assert_eq(first->ops->commit(first, LONG, &err), RIDE_OK, "%s", err.what);
    ride_feed *second = open_feed(&b);
    end = now() + LONG;
    while (share(&a) != 2 || share(&b) != 2) {
        take(first, &a, RIDE_STREAM_ANY, 500, &count);
        cr_expect_eq(count, 0u, "what was stored came again");
        take(second, &b, RIDE_STREAM_ANY, 500, &count);
        cr_expect_eq(count, 0u, "what was stored came again");
        ride_waker_wait(&waker, 5000000);
        cr_assert_lt(now(), end);
    }
    second->ops->close(second);
    first->ops->close(first);
}

Test(kafka_mock, results_outlive_errors_of_the_broker) {
    ride_outlet *outlet = open_outlet();
    rd_kafka_mock_push_request_errors(cluster, PRODUCE, 4, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
                                      RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR__TRANSPORT,
                                      RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT);
    cr_assert_eq(put(outlet, 0, 3000), 3000u);
    cr_assert_eq(outlet->ops->flush(outlet, LONG, &err), RIDE_OK, "%s", err.what);
    cr_expect_eq(r.delivered, 3000u);
    cr_expect_eq(r.failed, 0u);
    outlet->ops->close(outlet);
    ride_feed *feed = open_feed(&a);
    UNTIL(feed, &a, total == 3000 && a.ends == PARTITIONS);
    feed->ops->close(feed);
}

Test(kafka_mock, a_result_that_is_too_large_ends_alone) {
    static char large[2000000];
    ride_outlet *outlet = open_outlet();
    const ride_result result = {.target = 1, .value = large, .value_bytes = sizeof large, .ticket = 7};
    cr_assert_eq(outlet->ops->send(outlet, &result, &err), RIDE_OK);
    cr_expect_eq(r.failed, 0u, "told by poll only");
    cr_assert_eq(outlet->ops->poll(outlet, &err), RIDE_OK);
    cr_expect_eq(r.failed, 1u);
    cr_expect_eq(r.last_failed, 7u);
    cr_expect_eq(r.status, RIDE_E_DATA);
    cr_expect_str_eq(r.why, "too large for the topic other");
    cr_assert_eq(put(outlet, 0, 10), 10u);
    cr_assert_eq(outlet->ops->flush(outlet, LONG, &err), RIDE_OK);
    cr_expect_eq(r.delivered, 10u);
    outlet->ops->close(outlet);
}

Test(kafka_mock, an_outlet_without_a_broker_fills_and_goes_on) {
    options.outlet_messages = 1000;
    ride_outlet *outlet = open_outlet();
    cr_assert_eq(put(outlet, 0, 10), 10u);
    cr_assert_eq(outlet->ops->flush(outlet, LONG, &err), RIDE_OK);
    rd_kafka_mock_broker_set_down(cluster, 1);
    cr_expect_eq(put(outlet, 10, 5000), 1000u, "its bound");
    cr_expect_eq(outlet->ops->flush(outlet, 50000000, &err), RIDE_PENDING);
    for (uint64_t end = now() + LONG; r.ready || r.healths == 0;) {
        cr_assert_lt(now(), end);
        cr_assert_eq(outlet->ops->poll(outlet, &err), RIDE_OK);
        ride_waker_wait(&waker, 20000000);
    }
    cr_expect_eq(r.delivered, 10u);
    rd_kafka_mock_broker_set_up(cluster, 1);
    cr_expect_eq(outlet->ops->flush(outlet, LONG, &err), RIDE_OK, "%s", err.what);
    cr_expect_eq(r.delivered, 1010u);
    for (uint64_t end = now() + LONG; !r.ready;) {
        cr_assert_lt(now(), end);
        cr_assert_eq(outlet->ops->poll(outlet, &err), RIDE_OK);
        ride_waker_wait(&waker, 20000000);
    }
    outlet->ops->close(outlet);
}

Test(kafka_mock, what_has_not_arrived_is_given_up_by_close) {
    ride_outlet *outlet = open_outlet();
    rd_kafka_mock_broker_set_down(cluster, 1);
    cr_assert_eq(put(outlet, 0, 100), 100u);
    outlet->ops->close(outlet);
    cr_expect_eq(r.delivered + r.failed, 0u);
}

Test(kafka_mock, a_sequence_that_cannot_go_on_is_final) {
    ride_outlet *outlet = open_outlet();
    rd_kafka_mock_push_request_errors(cluster, PRODUCE, 1, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    cr_assert_eq(put(outlet, 0, 10), 10u);
    ride_status st = outlet->ops->flush(outlet, LONG, &err);
    cr_expect_eq(st, RIDE_E_UNAVAILABLE);
    cr_expect(strstr(err.what, "librdkafka gave up") != NULL, "%s", err.what);
    const ride_result result = {.value = "x", .value_bytes = 1};
    cr_expect_eq(outlet->ops->send(outlet, &result, &err), RIDE_E_UNAVAILABLE, "and stays so");
    cr_expect_eq(outlet->ops->poll(outlet, &err), RIDE_E_UNAVAILABLE);
    outlet->ops->close(outlet);
}

Test(kafka_mock, metrics_of_brokers_streams_and_topics) {
    ride_metrics *metrics = NULL;
    char *text = NULL;
    size_t bytes;
    cr_assert_eq(ride_metrics_create(&metrics, &err), RIDE_OK);
    options.metrics = metrics;
    ride_outlet *outlet = open_outlet();
    cr_assert_eq(put(outlet, 0, 1000), 1000u);
    cr_assert_eq(outlet->ops->flush(outlet, LONG, &err), RIDE_OK);
    ride_feed *feed = open_feed(&a);
    UNTIL(feed, &a, total == 1000);
    for (uint32_t s = 0; s < PARTITIONS; s++) feed->ops->store(feed, s, a.next[s]);
    cr_assert_eq(feed->ops->commit(feed, LONG, &err), RIDE_OK);
    char stored[96];
    snprintf(stored, sizeof stored, "ride_kafka_stored_offset{topic=\"tx\",partition=\"%d\"} %lld", (int)a.partition[3],
             (long long)a.next[3]);
    const char *const lines[] = {"ride_kafka_brokers_up{client=\"consumer\"} 1",
                                 "ride_kafka_brokers_up{client=\"producer\"} 1",
                                 "ride_kafka_delivered_total{topic=\"tx\"} 1000",
                                 "ride_kafka_delivery_failed_total{topic=\"tx\"} 0",
                                 "ride_kafka_lag_messages{topic=\"tx\",partition=\"3\"} 0",
                                 "ride_kafka_rebalances_total{kind=\"assign\"} 1",
                                 "ride_kafka_broker_rtt_seconds{client=\"consumer\",broker=\"127.0.0.1:",
                                 stored};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        bool found = false;
        for (uint64_t end = now() + LONG; !found;) {
            uint32_t count;
            cr_assert_lt(now(), end, "never: %s in\n%s", lines[i], text);
            cr_assert_eq(take(feed, &a, RIDE_STREAM_ANY, 10, &count), RIDE_OK);
            cr_assert_eq(outlet->ops->poll(outlet, &err), RIDE_OK);
            free(text);
            cr_assert_eq(ride_metrics_render(metrics, &text, &bytes, &err), RIDE_OK);
            found = strstr(text, lines[i]) != NULL;
            if (!found) ride_waker_wait(&waker, 20000000);
        }
    }
    feed->ops->close(feed);
    outlet->ops->close(outlet);
    free(text);
    cr_assert_eq(ride_metrics_render(metrics, &text, &bytes, &err), RIDE_OK);
    cr_expect(strstr(text, "ride_kafka_") == NULL || strstr(text, "topic=\"tx\"") == NULL, "%s", text);
    free(text);
    ride_metrics_destroy(metrics);
}

Test(kafka_mock, wrong_options_are_named) {
    ride_feed *feed = NULL;
    ride_outlet *outlet = NULL;
    const ride_feed_events events = {.assigned = on_assigned};
    const ride_outlet_events outlet_events = {.delivered = on_delivered};
    const ride_kafka_source twice[] = {{"a", "tx"}, {"b", "tx"}};
    const ride_kafka_options good = options;
    const struct {
        ride_kafka_options o;
        const char *words;
    } cases[] = {
        {{.group = "g", .sources = twice, .sources_count = 1}, "brokers is needed"},
        {{.brokers = good.brokers, .sources = twice, .sources_count = 1}, "group is needed"},
        {{.brokers = good.brokers, .group = "g"}, "a source with a topic is needed"},
        {{.brokers = good.brokers, .group = "g", .sources = twice, .sources_count = 2},
         "the topic tx is that of two sources, a and b"},
        {{.brokers = good.brokers, .group = "g", .sources = twice, .sources_count = 1, .security = "tls"},
         "security.protocol"},
        {{.brokers = good.brokers, .group = "g", .sources = twice, .sources_count = 1, .ca = "/nowhere/ca.pem"},
         "cannot read /nowhere/ca.pem"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_expect_eq(ride_kafka_feed_open(&cases[i].o, &events, &feed, &err), RIDE_E_CONFIG);
        cr_expect(strstr(err.what, cases[i].words) != NULL, "%s", err.what);
        cr_expect_null(feed);
    }
    const ride_kafka_options none = {0};
    cr_expect_eq(ride_kafka_outlet_open(&none, topics, 2, &outlet_events, &outlet, &err), RIDE_E_CONFIG);
    cr_expect_eq(ride_kafka_outlet_open(&good, topics, 0, &outlet_events, &outlet, &err), RIDE_E_CONFIG);
    cr_expect_null(outlet);
}
