/* bench/kafka_floor.c: what librdkafka alone does on this machine with this broker: the floor beside ours in the Kafka benchmarks.
 *
 *   kafka_floor consume BROKERS TOPIC [N] [NAME=VALUE…]         takes N messages, or all, and looks at none
 *   kafka_floor echo BROKERS TOPIC OUT [N] [NAME=VALUE…]        and gives each back: its key, as many bytes of value, six headers;
 *                                                               offsets are stored when everything before them has arrived, and
 *                                                               committed every second and at the end
 * N = 0: all. NAME=VALUE: options of librdkafka, over those below; value_bytes=B: bytes of value given back (default: as many as came).
 * Prints one JSON object. The time is from the first message to the last (echo: to the last report and the commit), joining the group not
 * counted; cpu_s is that of the whole process, librdkafka's threads with it.
 *
 * echo has the shape of the engine's loop and nothing else: a batch is consumed, produced, forgotten; the reports count it down, and
 * batches are stored in their order. */
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { BATCH = 4096, BATCHES_MAX = 256, PARTITIONS_MAX = 1024, OPTIONS_MAX = 32, VALUE_BYTES_MAX = 1 << 20 };

typedef struct batch {
    uint32_t left; /* reports */
    uint32_t count;
    int32_t partition[PARTITIONS_MAX]; /* what it covers */
    int64_t next[PARTITIONS_MAX];
} batch;

static const char *brokers, *topic;
static char *options[OPTIONS_MAX];
static int options_count;
static uint64_t wanted, value_bytes, failed;
static batch batches[BATCHES_MAX];
static uint64_t begun, stored; /* batches, ever */

static void die(const char *doing, const char *why) {
    fprintf(stderr, "kafka_floor: %s: %s\n", doing, why);
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double cpu(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           1e-6 * (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
    char why[256];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) != RD_KAFKA_CONF_OK) die(name, why);
}

static rd_kafka_t *client(rd_kafka_type_t type, rd_kafka_conf_t *conf) {
    char why[256];
    set(conf, "bootstrap.servers", brokers);
    for (int i = 0; i < options_count; i++) {
        char *value = strchr(options[i], '=');
        *value = '\0';
        if (strcmp(options[i], "value_bytes") == 0) value_bytes = strtoull(value + 1, NULL, 10);
        else set(conf, options[i], value + 1);
        *value = '=';
    }
    rd_kafka_t *rk = rd_kafka_new(type, conf, why, sizeof why);
    if (rk == NULL) die("open", why);
    return rk;
}

static rd_kafka_t *consumer(void) {
    char group[48];
    snprintf(group, sizeof group, "floor-%" PRIu64, (uint64_t)(now() * 1e6));
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "group.id", group);
    set(conf, "auto.offset.reset", "earliest");
    set(conf, "enable.auto.offset.store", "false");
    set(conf, "auto.commit.interval.ms", "1000");
    set(conf, "enable.partition.eof", "true");
    set(conf, "queued.min.messages", "10000000");
    set(conf, "queued.max.messages.kbytes", "1048576");
    set(conf, "fetch.message.max.bytes", "4194304");
    set(conf, "fetch.wait.max.ms", "100");
    rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, conf);
    rd_kafka_poll_set_consumer(rk);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, RD_KAFKA_PARTITION_UA);
    if (rd_kafka_subscribe(rk, list) != RD_KAFKA_RESP_ERR_NO_ERROR) die("subscribe", topic);
    rd_kafka_topic_partition_list_destroy(list);
    return rk;
}

static int partitions_of(rd_kafka_t *rk, const char *name) {
    const rd_kafka_metadata_t *metadata = NULL;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(rk, name, NULL);
    rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 0, handle, &metadata, 30000);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) die(name, rd_kafka_err2str(code));
    if (metadata->topics[0].err != RD_KAFKA_RESP_ERR_NO_ERROR) die(name, rd_kafka_err2str(metadata->topics[0].err));
    int count = metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
    if (count > PARTITIONS_MAX) die(name, "too many partitions");
    return count;
}

/* Takes what is there, at most BATCH; ends counts partitions at their end. */
static uint32_t take(rd_kafka_queue_t *queue, rd_kafka_message_t **messages, uint32_t max, uint64_t *bytes, int *ends,
                     bool *ended) {
    ssize_t taken = rd_kafka_consume_batch_queue(queue, 100, messages, max);
    uint32_t count = 0;
    for (ssize_t i = 0; i < taken; i++) {
        rd_kafka_message_t *m = messages[i];
        if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            *bytes += m->len + m->key_len;
            messages[count++] = m;
            continue;
        }
        if (m->err != RD_KAFKA_RESP_ERR__PARTITION_EOF) die("consume", rd_kafka_message_errstr(m));
        *ends += !ended[m->partition];
        ended[m->partition] = true;
        rd_kafka_message_destroy(m);
    }
    return count;
}

static void print(const char *mode, uint64_t messages, uint64_t bytes, double seconds, double cpu_s, double join_s) {
    printf("{\"mode\":\"%s\",\"librdkafka\":\"%s\",\"messages\":%" PRIu64 ",\"bytes\":%" PRIu64
           ",\"seconds\":%.4f,\"messages_per_s\":%.0f,"
           "\"ns_per_message\":%.1f,\"cpu_s\":%.3f,\"join_s\":%.3f,\"failed\":%" PRIu64 "}\n",
           mode, rd_kafka_version_str(), messages, bytes, seconds, (double)messages / seconds,
           1e9 * seconds / (double)messages, cpu_s, join_s, failed);
}

static void consume(void) {
    static rd_kafka_message_t *messages[BATCH];
    static bool ended[PARTITIONS_MAX];
    rd_kafka_t *rk = consumer();
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(rk);
    int partitions = partitions_of(rk, topic), ends = 0;
    uint64_t count = 0, bytes = 0;
    double begin = now(), first = 0, cpu_first = 0;
    while (ends < partitions && (wanted == 0 || count < wanted)) {
        uint32_t max = wanted != 0 && wanted - count < BATCH ? (uint32_t)(wanted - count) : BATCH;
        uint32_t n = take(queue, messages, max, &bytes, &ends, ended);
        if (n > 0 && count == 0) {
            first = now();
            cpu_first = cpu();
        }
        for (uint32_t i = 0; i < n; i++) rd_kafka_message_destroy(messages[i]);
        count += n;
    }
    if (count == 0) die(topic, "is empty");
    print("consume", count, bytes, now() - first, cpu() - cpu_first, first - begin);
    rd_kafka_queue_destroy(queue);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
}

static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque) {
    (void)rk;
    (void)opaque;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) failed++;
    ((batch *)message->_private)->left--;
}

/* Stores batches that have arrived, in their order. */
static void store(rd_kafka_t *rk) {
    while (stored < begun && batches[stored % BATCHES_MAX].left == 0) {
        batch *b = &batches[stored++ % BATCHES_MAX];
        rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)b->count);
        for (uint32_t i = 0; i < b->count; i++)
            rd_kafka_topic_partition_list_add(list, topic, b->partition[i])->offset = b->next[i];
        rd_kafka_offsets_store(rk, list);
        rd_kafka_topic_partition_list_destroy(list);
    }
}

static void cover(batch *b, const rd_kafka_message_t *m) {
    uint32_t i = 0;
    while (i < b->count && b->partition[i] != m->partition) i++;
    if (i == b->count) b->partition[b->count++] = m->partition;
    b->next[i] = m->offset + 1;
}

static void give_back(rd_kafka_t *producer, rd_kafka_topic_t *out, batch *b, const rd_kafka_message_t *m) {
    static char value[VALUE_BYTES_MAX];
    static const char hash[64] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde";
    rd_kafka_headers_t *headers = rd_kafka_headers_new(6);
    rd_kafka_header_add(headers, "event_id", -1, m->key, (ssize_t)m->key_len);
    rd_kafka_header_add(headers, "topic", -1, topic, -1);
    rd_kafka_header_add(headers, "partition", -1, &m->partition, sizeof m->partition);
    rd_kafka_header_add(headers, "offset", -1, &m->offset, sizeof m->offset);
    rd_kafka_header_add(headers, "model_hash", -1, hash, sizeof hash);
    rd_kafka_header_add(headers, "spec_hash", -1, hash, sizeof hash);
    size_t bytes = value_bytes != 0 ? value_bytes : m->len;
    rd_kafka_vu_t parts[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = out},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {value_bytes != 0 ? value : m->payload, bytes}},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {m->key, m->key_len}},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = b},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
    };
    rd_kafka_error_t *error;
    while ((error = rd_kafka_produceva(producer, parts, 6)) != NULL) {
        if (rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR__QUEUE_FULL) die("produce", rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        rd_kafka_poll(producer, 10);
    }
}

static void echo(const char *out_topic) {
    static rd_kafka_message_t *messages[BATCH];
    static bool ended[PARTITIONS_MAX];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "enable.idempotence", "true");
    set(conf, "linger.ms", "5");
    set(conf, "batch.num.messages", "10000");
    set(conf, "queue.buffering.max.messages", "200000");
    set(conf, "partitioner", "murmur2_random");
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    rd_kafka_t *producer = client(RD_KAFKA_PRODUCER, conf), *rk = consumer();
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(rk);
    int partitions = partitions_of(rk, topic), ends = 0;
    partitions_of(producer, out_topic);
    rd_kafka_topic_t *out = rd_kafka_topic_new(producer, out_topic, NULL);
    uint64_t count = 0, bytes = 0;
    double begin = now(), first = 0, cpu_first = 0;
    while (ends < partitions && (wanted == 0 || count < wanted)) {
        uint32_t max = wanted != 0 && wanted - count < BATCH ? (uint32_t)(wanted - count) : BATCH;
        uint32_t n = take(queue, messages, max, &bytes, &ends, ended);
        if (n > 0 && count == 0) {
            first = now();
            cpu_first = cpu();
        }
        if (n > 0) {
            while (begun - stored == BATCHES_MAX) {
                rd_kafka_poll(producer, 10);
                store(rk);
            }
            batch *b = &batches[begun++ % BATCHES_MAX];
            b->left = n;
            b->count = 0;
            for (uint32_t i = 0; i < n; i++) {
                cover(b, messages[i]);
                give_back(producer, out, b, messages[i]);
                rd_kafka_message_destroy(messages[i]);
            }
        }
        count += n;
        rd_kafka_poll(producer, 0);
        store(rk);
    }
    if (count == 0) die(topic, "is empty");
    while (stored < begun) {
        rd_kafka_flush(producer, 1000);
        store(rk);
    }
    rd_kafka_resp_err_t code = rd_kafka_commit(rk, NULL, 0);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR__NO_OFFSET)
        die("commit", rd_kafka_err2str(code));
    print("echo", count, bytes, now() - first, cpu() - cpu_first, first - begin);
    rd_kafka_topic_destroy(out);
    rd_kafka_destroy(producer);
    rd_kafka_queue_destroy(queue);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
}

int main(int argc, char **argv) {
    bool is_echo = argc > 4 && strcmp(argv[1], "echo") == 0;
    if (argc < 4 || (!is_echo && strcmp(argv[1], "consume") != 0)) {
        fprintf(stderr, "usage: kafka_floor consume BROKERS TOPIC [N] [NAME=VALUE...] | echo BROKERS TOPIC OUT [N] "
                        "[NAME=VALUE...]\n");
        return 2;
    }
    brokers = argv[2];
    topic = argv[3];
    for (int i = is_echo ? 5 : 4; i < argc; i++) {
        if (strchr(argv[i], '=') == NULL) wanted = strtoull(argv[i], NULL, 10);
        else if (options_count < OPTIONS_MAX) options[options_count++] = argv[i];
    }
    if (is_echo) echo(argv[4]);
    else consume();
    return failed > 0;
}
