/* topic: a Kafka client of its own for the fault tests, so that what goes in and what came out is not told by what is tested.
 *
 *   topic create BROKERS TOPIC PARTITIONS [NAME=VALUE…]   makes a topic (an existing one is fine)
 *   topic produce BROKERS TOPIC [RATE]   sends the records of stdin, at most RATE a second, whatever becomes of the broker; prints
 *                                        "index partition offset" of each that was acknowledged
 *   topic dump BROKERS TOPIC             writes all records, partition by partition, up to the ends as they are now
 *   topic lag BROKERS TOPIC GROUP        prints how many records lie behind what the group has committed
 *   topic relay BROKERS IN OUT GROUP PHASE [early|state|skip|twist]
 *       a stand-in for the engine: each record's answer goes to OUT, at least once; what it is at is in the file PHASE as the engine
 *       writes it. The last word plants a fault: it stores before the results have arrived; its results depend on what
 *       this process saw; it leaves out one record in 997; it exchanges the answers of two neighbours.
 *
 * Records are those of records.py. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { BYTES_MAX = 16 << 20, BATCH = 64, WAIT_MS = 60000 };

typedef struct record_head { /* as in records.py */
    int32_t partition;
    int64_t offset, time_ms;
    int32_t key_bytes, value_bytes; /* -1: none */
    uint16_t headers_count, reserved;
} __attribute__((packed)) record_head;

static volatile sig_atomic_t stopped;
static void on_signal(int number) {
    (void)number;
    stopped = 1;
}

static void fail(const char *what, const char *why) {
    fprintf(stderr, "topic: %s: %s\n", what, why);
    exit(1);
}

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static rd_kafka_t *client(rd_kafka_type_t type, const char *brokers, const char *const *options,
                          void (*delivered)(rd_kafka_t *, const rd_kafka_message_t *, void *)) {
    char why[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, sizeof why) != RD_KAFKA_CONF_OK)
        fail("bootstrap.servers", why);
    rd_kafka_conf_set(conf, "log_level", "2", NULL, 0); /* a broker that is away is what is tested */
    rd_kafka_conf_set(conf, "reconnect.backoff.max.ms", "500", NULL, 0);
    for (; *options != NULL; options += 2)
        if (rd_kafka_conf_set(conf, options[0], options[1], why, sizeof why) != RD_KAFKA_CONF_OK) fail(options[0], why);
    if (delivered != NULL) rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    rd_kafka_t *kafka = rd_kafka_new(type, conf, why, sizeof why);
    if (kafka == NULL) fail("client", why);
    return kafka;
}

static const char *const producing[] = {
    "enable.idempotence",           "true",   "message.timeout.ms", "0",        "linger.ms", "2",
    "queue.buffering.max.messages", "100000", "message.max.bytes",  "16000000", NULL};
static rd_kafka_t *producer(const char *brokers, void (*delivered)(rd_kafka_t *, const rd_kafka_message_t *, void *)) {
    return client(RD_KAFKA_PRODUCER, brokers, producing, delivered);
}

/* ---- create ---- */

static int create(const char *brokers, const char *topic, int partitions, char **options, int options_count) {
    char why[512];
    rd_kafka_t *kafka = producer(brokers, NULL);
    rd_kafka_NewTopic_t *made = rd_kafka_NewTopic_new(topic, partitions, 1, why, sizeof why);
    if (made == NULL) fail(topic, why);
    for (int i = 0; i < options_count; i++) {
        char *value = strchr(options[i], '=');
        if (value == NULL) fail(options[i], "NAME=VALUE");
        *value = '\0';
        rd_kafka_NewTopic_set_config(made, options[i], value + 1);
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka);
    rd_kafka_CreateTopics(kafka, &made, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, WAIT_MS);
    if (event == NULL || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        fail(topic, event != NULL ? rd_kafka_event_error_string(event) : "no answer");
    size_t count;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[0]);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        fail(topic, rd_kafka_topic_result_error_string(results[0]));
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(made);
    rd_kafka_destroy(kafka);
    return 0;
}

/* ---- produce ---- */

static void on_acknowledged(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque) {
    (void)kafka, (void)opaque;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        fprintf(stderr, "topic: record %" PRIuPTR " was not taken: %s\n", (uintptr_t)message->_private,
                rd_kafka_err2str(message->err));
    else
        printf("%" PRIuPTR " %" PRId32 " %" PRId64 "\n", (uintptr_t)message->_private, message->partition,
               message->offset);
}

static void read_all(void *to, size_t bytes) {
    if (bytes > 0 && fread(to, 1, bytes, stdin) != bytes) fail("stdin", "ends within a record");
}

static int produce(const char *brokers, const char *topic, double rate) {
    rd_kafka_t *kafka = producer(brokers, on_acknowledged);
    char *room = malloc(BYTES_MAX);
    if (room == NULL) fail("produce", "no memory");
    record_head head;
    const double began_s = now_s();
    uintptr_t index = 0;
    for (; !stopped && fread(&head, 1, sizeof head, stdin) == sizeof head; index++) {
        size_t key_bytes = head.key_bytes > 0 ? (size_t)head.key_bytes : 0;
        size_t value_bytes = head.value_bytes > 0 ? (size_t)head.value_bytes : 0;
        if (key_bytes + value_bytes > BYTES_MAX || head.headers_count > 0) fail("stdin", "no record that can be sent");
        read_all(room, key_bytes + value_bytes);
        char *key = head.key_bytes >= 0 ? room : NULL, *value = head.value_bytes >= 0 ? room + key_bytes : NULL;
        while (rate > 0 && (now_s() - began_s) * rate < (double)index && !stopped) rd_kafka_poll(kafka, 1);
        for (;;) {
            rd_kafka_resp_err_t code =
                rd_kafka_producev(kafka, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(head.partition),
                                  RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key, key_bytes),
                                  RD_KAFKA_V_VALUE(value, value_bytes), RD_KAFKA_V_OPAQUE((void *)index),
                                  RD_KAFKA_V_END);
            if (code == RD_KAFKA_RESP_ERR_NO_ERROR) break;
            if (code == RD_KAFKA_RESP_ERR__FATAL) { /* a killed broker has forgotten where this producer was */
                rd_kafka_flush(kafka, 1000);        /* what was on its way is told as not taken, and not sent again */
                rd_kafka_destroy(kafka);
                kafka = producer(brokers, on_acknowledged);
                continue;
            }
            if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) fail(topic, rd_kafka_err2str(code));
            rd_kafka_poll(kafka, 10);
        }
        rd_kafka_poll(kafka, 0);
    }
    while (rd_kafka_outq_len(kafka) > 0) rd_kafka_flush(kafka, 1000);
    rd_kafka_destroy(kafka);
    free(room);
    return fflush(stdout) == 0 ? 0 : 1;
}

/* ---- dump ---- */

static void write_record(const rd_kafka_message_t *message) {
    rd_kafka_headers_t *headers = NULL;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) headers = NULL;
    const size_t count = headers != NULL ? rd_kafka_header_cnt(headers) : 0;
    record_head head = {.partition = message->partition,
                        .offset = message->offset,
                        .time_ms = rd_kafka_message_timestamp(message, NULL),
                        .key_bytes = message->key != NULL ? (int32_t)message->key_len : -1,
                        .value_bytes = message->payload != NULL ? (int32_t)message->len : -1,
                        .headers_count = (uint16_t)count};
    fwrite(&head, sizeof head, 1, stdout);
    if (message->key_len > 0) fwrite(message->key, message->key_len, 1, stdout);
    if (message->len > 0) fwrite(message->payload, message->len, 1, stdout);
    for (size_t i = 0; i < count; i++) {
        const char *name;
        const void *value;
        size_t bytes;
        rd_kafka_header_get_all(headers, i, &name, &value, &bytes);
        const uint16_t name_bytes = (uint16_t)strlen(name);
        const int32_t value_bytes = value != NULL ? (int32_t)bytes : -1;
        fwrite(&name_bytes, sizeof name_bytes, 1, stdout);
        fwrite(&value_bytes, sizeof value_bytes, 1, stdout);
        fwrite(name, name_bytes, 1, stdout);
        if (value_bytes > 0) fwrite(value, bytes, 1, stdout);
    }
}

static int partitions_of(rd_kafka_t *kafka, const char *topic) {
    const rd_kafka_metadata_t *all;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(kafka, topic, NULL);
    rd_kafka_resp_err_t code = rd_kafka_metadata(kafka, 0, handle, &all, WAIT_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) fail(topic, rd_kafka_err2str(code));
    int count = all->topics[0].partition_cnt;
    if (all->topics[0].err != RD_KAFKA_RESP_ERR_NO_ERROR) fail(topic, rd_kafka_err2str(all->topics[0].err));
    rd_kafka_metadata_destroy(all);
    rd_kafka_topic_destroy(handle);
    return count;
}

static int dump(const char *brokers, const char *topic) {
    static const char *const options[] = {
        "group.id", "dump", "enable.auto.commit", "false", "enable.partition.eof", "true", "auto.offset.reset",
        "error",    NULL};
    rd_kafka_t *kafka = client(RD_KAFKA_CONSUMER, brokers, options, NULL);
    rd_kafka_poll_set_consumer(kafka);
    const int partitions = partitions_of(kafka, topic);
    for (int partition = 0; partition < partitions; partition++) {
        int64_t low, high;
        rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(kafka, topic, partition, &low, &high, WAIT_MS);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) fail(topic, rd_kafka_err2str(code));
        rd_kafka_topic_partition_list_t *one = rd_kafka_topic_partition_list_new(1);
        rd_kafka_topic_partition_list_add(one, topic, partition)->offset = low;
        rd_kafka_assign(kafka, one);
        rd_kafka_topic_partition_list_destroy(one);
        for (int64_t next = low; next < high;) {
            rd_kafka_message_t *message = rd_kafka_consumer_poll(kafka, WAIT_MS);
            if (message == NULL) fail(topic, "nothing came for a minute");
            if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
                if (message->offset < high) write_record(message);
                next = message->offset + 1;
            } else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
                next = message->offset;
            } else if (message->err != RD_KAFKA_RESP_ERR__TRANSPORT) {
                fail(topic, rd_kafka_message_errstr(message));
            }
            rd_kafka_message_destroy(message);
        }
    }
    rd_kafka_consumer_close(kafka);
    rd_kafka_destroy(kafka);
    return fflush(stdout) == 0 ? 0 : 1;
}

/* ---- lag ---- */

static int lag(const char *brokers, const char *topic, const char *group) {
    const char *options[] = {"group.id", group, "enable.auto.commit", "false", NULL};
    rd_kafka_t *kafka = client(RD_KAFKA_CONSUMER, brokers, options, NULL);
    const int partitions = partitions_of(kafka, topic);
    rd_kafka_topic_partition_list_t *places = rd_kafka_topic_partition_list_new(partitions);
    for (int i = 0; i < partitions; i++) rd_kafka_topic_partition_list_add(places, topic, i);
    rd_kafka_resp_err_t code = rd_kafka_committed(kafka, places, WAIT_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) fail(group, rd_kafka_err2str(code));
    int64_t behind = 0;
    for (int i = 0; i < partitions; i++) {
        int64_t low, high;
        code = rd_kafka_query_watermark_offsets(kafka, topic, i, &low, &high, WAIT_MS);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) fail(topic, rd_kafka_err2str(code));
        behind += high - (places->elems[i].offset >= 0 ? places->elems[i].offset : low);
    }
    printf("%" PRId64 "\n", behind);
    rd_kafka_topic_partition_list_destroy(places);
    rd_kafka_destroy(kafka);
    return 0;
}

/* ---- relay ---- */

enum { IDLE, CONSUMED, SCORED, PRODUCED, DELIVERED, PHASES };
static struct { _Atomic uint64_t now, reached[PHASES], on_their_way, done; } * phase_file;

static void phase_open(const char *path) {
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof *phase_file) != 0) fail(path, strerror(errno));
    phase_file = mmap(NULL, sizeof *phase_file, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (phase_file == MAP_FAILED) fail(path, strerror(errno));
    close(fd);
}
static void phase_set(unsigned phase) {
    atomic_store(&phase_file->now, phase);
    atomic_fetch_add(&phase_file->reached[phase], 1);
}

static unsigned undelivered;
static void on_delivered(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque) {
    (void)kafka, (void)opaque;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) fail("result", rd_kafka_err2str(message->err));
    undelivered--;
}

/* The answer of a record: its bytes' hash. */
static size_t answer(const rd_kafka_message_t *message, uint64_t salt, char *to, size_t room) {
    uint64_t hash = UINT64_C(14695981039346656037) ^ salt;
    for (size_t i = 0; i < message->len; i++)
        hash = (hash ^ ((const uint8_t *)message->payload)[i]) * UINT64_C(1099511628211);
    return (size_t)snprintf(to, room, "{\"score\":\"%016" PRIx64 "\"}", hash);
}

static void send_answer(rd_kafka_t *kafka, const char *topic, const rd_kafka_message_t *message,
                        const rd_kafka_message_t *of, uint64_t salt) {
    char text[64], partition[16], offset[24];
    const size_t bytes = answer(of, salt, text, sizeof text);
    snprintf(partition, sizeof partition, "%" PRId32, message->partition);
    snprintf(offset, sizeof offset, "%" PRId64, message->offset);
    for (;;) {
        rd_kafka_resp_err_t code =
            rd_kafka_producev(kafka, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                              RD_KAFKA_V_PARTITION(message->partition), RD_KAFKA_V_KEY(message->key, message->key_len),
                              RD_KAFKA_V_VALUE(text, bytes),
                              RD_KAFKA_V_HEADER("source_topic", rd_kafka_topic_name(message->rkt), -1),
                              RD_KAFKA_V_HEADER("source_partition", partition, -1),
                              RD_KAFKA_V_HEADER("source_offset", offset, -1), RD_KAFKA_V_END);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) break;
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) fail(topic, rd_kafka_err2str(code));
        rd_kafka_poll(kafka, 10);
    }
    undelivered++;
}

static uint32_t fill(rd_kafka_queue_t *queue, rd_kafka_message_t **batch) {
    ssize_t n = rd_kafka_consume_batch_queue(queue, 20, batch, BATCH);
    uint32_t count = 0;
    for (ssize_t i = 0; i < n; i++) {
        if (batch[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR) batch[count++] = batch[i];
        else rd_kafka_message_destroy(batch[i]);
    }
    return count;
}

static void store(rd_kafka_t *kafka, rd_kafka_message_t **batch, uint32_t count) {
    rd_kafka_topic_partition_list_t *places = rd_kafka_topic_partition_list_new(8);
    for (uint32_t i = 0; i < count; i++) {
        const char *topic = rd_kafka_topic_name(batch[i]->rkt);
        rd_kafka_topic_partition_t *place = rd_kafka_topic_partition_list_find(places, topic, batch[i]->partition);
        if (place == NULL) place = rd_kafka_topic_partition_list_add(places, topic, batch[i]->partition);
        place->offset = batch[i]->offset + 1;
    }
    rd_kafka_commit(kafka, places, 0); /* refused in a rebalance: the records come again */
    rd_kafka_topic_partition_list_destroy(places);
}

static int relay(const char *brokers, const char *in, const char *out, const char *group, const char *phase,
                 const char *fault) {
    const char *options[] = {"group.id",
                             group,
                             "enable.auto.commit",
                             "false",
                             "auto.offset.reset",
                             "earliest",
                             "session.timeout.ms",
                             "1500",
                             "heartbeat.interval.ms",
                             "300",
                             "topic.metadata.refresh.interval.ms",
                             "1000",
                             NULL};
    rd_kafka_t *consumer = client(RD_KAFKA_CONSUMER, brokers, options, NULL);
    rd_kafka_t *sender = producer(brokers, on_delivered);
    rd_kafka_message_t *batch[BATCH];
    uint64_t seen = 0;
    phase_open(phase);
    rd_kafka_poll_set_consumer(consumer);
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, in, RD_KAFKA_PARTITION_UA);
    rd_kafka_subscribe(consumer, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(consumer);
    while (!stopped) {
        phase_set(IDLE);
        const uint32_t count = fill(queue, batch);
        if (count == 0) continue;
        phase_set(CONSUMED);
        if (strcmp(fault, "early") == 0) store(consumer, batch, count);
        usleep(1000); /* takes its time where the engine computes */
        phase_set(SCORED);
        for (uint32_t i = 0; i < count; i++, seen++) {
            uint32_t of = i;
            if (strcmp(fault, "skip") == 0 && batch[i]->offset % 997 == 500) continue;
            if (strcmp(fault, "twist") == 0 && i + 1 < count && batch[i]->offset % 997 == 500) of = i + 1;
            send_answer(sender, out, batch[i], batch[of], strcmp(fault, "state") == 0 ? seen / 100 : 0);
        }
        phase_set(PRODUCED);
        while (undelivered > 0) rd_kafka_poll(sender, 10);
        phase_set(DELIVERED);
        usleep(5000);
        if (strcmp(fault, "early") != 0) store(consumer, batch, count);
        for (uint32_t i = 0; i < count; i++) rd_kafka_message_destroy(batch[i]);
    }
    phase_set(IDLE);
    rd_kafka_queue_destroy(queue);
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
    rd_kafka_destroy(sender);
    return 0;
}

int main(int argc, char **argv) {
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    signal(SIGPIPE, SIG_IGN);
    const char *command = argc > 1 ? argv[1] : "";
    if (strcmp(command, "create") == 0 && argc >= 5) return create(argv[2], argv[3], atoi(argv[4]), argv + 5, argc - 5);
    if (strcmp(command, "produce") == 0 && argc >= 4) return produce(argv[2], argv[3], argc > 4 ? atof(argv[4]) : 0);
    if (strcmp(command, "dump") == 0 && argc == 4) return dump(argv[2], argv[3]);
    if (strcmp(command, "lag") == 0 && argc == 5) return lag(argv[2], argv[3], argv[4]);
    if (strcmp(command, "relay") == 0 && argc >= 7)
        return relay(argv[2], argv[3], argv[4], argv[5], argv[6], argc > 7 ? argv[7] : "");
    fprintf(stderr, "usage: topic create|produce|dump|lag|relay BROKERS TOPIC …: see its first lines\n");
    return 2;
}
