/* tests/kafka/kafka_tool.c: a broker by librdkafka alone: a witness that shares no line with io/kafka_*.c.
 *
 *   kafka_tool BROKERS create TOPIC PARTITIONS [NAME=VALUE…]   with the topic's options
 *   kafka_tool BROKERS delete TOPIC
 *   kafka_tool BROKERS trim TOPIC PARTITION OFFSET             forgets what is before the offset
 *   kafka_tool BROKERS produce TOPIC FILE [partition]          lines: key, value; with `partition`: partition, key, value; parted by
 *                                                              tabs. \N is no key or no value. Keys choose partitions as Java's do
 *   kafka_tool BROKERS consume TOPIC [isolation]               everything up to the present end as JSON lines: partition, offset, ts, key,
 *                                                              value, headers; bytes above 126 and below 32 as \u00XX, one for each byte
 *   kafka_tool BROKERS copy FROM TO [PARTITION OFFSET HOW]…    all messages to the same partitions of another topic, with their headers; the one
 *                                                              at that place as HOW says: `drop` it, `flip:N` the lowest bit of byte N of its
 *                                                              value, `again:N` the same in a second copy behind it
 *   kafka_tool BROKERS offsets TOPIC [GROUP]                   JSON lines: partition, begin, end, committed
 *   kafka_tool BROKERS commit GROUP TOPIC PARTITION OFFSET     for a group without members */
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES_MAX = 8 << 20, WAIT_MS = 30000, PARTITIONS_MAX = 1024 };

static const char *brokers;
static uint64_t failed;

static void die(const char *doing, const char *why) {
    fprintf(stderr, "kafka_tool: %s: %s\n", doing, why);
    exit(1);
}

static void must(rd_kafka_resp_err_t code, const char *doing) {
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) die(doing, rd_kafka_err2str(code));
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
    char why[256];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) != RD_KAFKA_CONF_OK) die(name, why);
}

static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque) {
    (void)rk;
    (void)opaque;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) return;
    if (failed++ == 0) fprintf(stderr, "kafka_tool: produce: %s\n", rd_kafka_err2str(message->err));
}

static rd_kafka_t *client(rd_kafka_type_t type, const char *group, const char *isolation) {
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", brokers);
    if (type == RD_KAFKA_CONSUMER) {
        set(conf, "group.id", group);
        set(conf, "enable.auto.commit", "false");
        set(conf, "enable.partition.eof", "true");
        set(conf, "auto.offset.reset", "error");
        set(conf, "isolation.level", isolation);
    } else {
        set(conf, "enable.idempotence", "true");
        set(conf, "partitioner", "murmur2_random");
        set(conf, "message.max.bytes", "8388608");
        rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    }
    rd_kafka_t *rk = rd_kafka_new(type, conf, why, sizeof why);
    if (rk == NULL) die("open", why);
    return rk;
}

/* --- admin ------------------------------------------------------------------------------------------------------------ */

static void admin_result(rd_kafka_queue_t *queue, const char *doing) {
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, WAIT_MS);
    if (event == NULL) die(doing, "no answer");
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) die(doing, rd_kafka_event_error_string(event));
    size_t count = 0;
    const rd_kafka_topic_result_t **results = NULL;
    if (rd_kafka_event_CreateTopics_result(event) != NULL)
        results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    else if (rd_kafka_event_DeleteTopics_result(event) != NULL)
        results = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count);
    for (size_t i = 0; i < count; i++)
        if (rd_kafka_topic_result_error(results[i]) != RD_KAFKA_RESP_ERR_NO_ERROR)
            die(doing, rd_kafka_topic_result_error_string(results[i]));
    rd_kafka_event_destroy(event);
}

static void create(rd_kafka_t *rk, rd_kafka_queue_t *queue, int argc, char **argv) {
    char why[256];
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(argv[0], atoi(argv[1]), 1, why, sizeof why);
    if (topic == NULL) die("create", why);
    for (int i = 2; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (value == NULL) die("create", argv[i]);
        *value++ = '\0';
        must(rd_kafka_NewTopic_set_config(topic, argv[i], value), "create");
    }
    rd_kafka_CreateTopics(rk, &topic, 1, NULL, queue);
    admin_result(queue, "create");
    rd_kafka_NewTopic_destroy(topic);
}

static void admin(int argc, char **argv) {
    const char *command = argv[0], *topic = argv[1];
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, NULL, NULL);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    if (strcmp(command, "create") == 0) {
        create(rk, queue, argc - 1, argv + 1);
    } else if (strcmp(command, "delete") == 0) {
        rd_kafka_DeleteTopic_t *gone = rd_kafka_DeleteTopic_new(topic);
        rd_kafka_DeleteTopics(rk, &gone, 1, NULL, queue);
        admin_result(queue, command);
        rd_kafka_DeleteTopic_destroy(gone);
    } else {
        rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
        rd_kafka_topic_partition_list_add(list, topic, atoi(argv[2]))->offset = atoll(argv[3]);
        rd_kafka_DeleteRecords_t *gone = rd_kafka_DeleteRecords_new(list);
        rd_kafka_DeleteRecords(rk, &gone, 1, NULL, queue);
        admin_result(queue, command);
        rd_kafka_DeleteRecords_destroy(gone);
        rd_kafka_topic_partition_list_destroy(list);
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(rk);
}

/* --- messages --------------------------------------------------------------------------------------------------------- */

static void produce(const char *topic, const char *path, bool with_partition) {
    static char line[LINE_BYTES_MAX];
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, NULL, NULL);
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    if (file == NULL) die("produce", path);
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *rest = line;
        int32_t partition = with_partition ? atoi(strsep(&rest, "\t")) : RD_KAFKA_PARTITION_UA;
        char *key = strsep(&rest, "\t"), *value = rest != NULL ? rest : key;
        if (rest == NULL || strcmp(key, "\\N") == 0) key = NULL;
        if (strcmp(value, "\\N") == 0) value = NULL;
        size_t key_bytes = key != NULL ? strlen(key) : 0, value_bytes = value != NULL ? strlen(value) : 0;
        rd_kafka_resp_err_t code;
        while ((code = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
                                         RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_VALUE(value, value_bytes),
                                         RD_KAFKA_V_KEY(key, key_bytes), RD_KAFKA_V_END)) ==
               RD_KAFKA_RESP_ERR__QUEUE_FULL)
            rd_kafka_poll(rk, 100);
        must(code, "produce");
        rd_kafka_poll(rk, 0);
    }
    must(rd_kafka_flush(rk, WAIT_MS * 4), "produce");
    rd_kafka_destroy(rk);
    if (failed > 0) exit(1);
}

static void print_bytes(const void *bytes, size_t count) {
    const unsigned char *at = bytes;
    if (bytes == NULL) {
        fputs("null", stdout);
        return;
    }
    putchar('"');
    for (size_t i = 0; i < count; i++) {
        if (at[i] == '"' || at[i] == '\\') putchar('\\');
        if (at[i] < 32 || at[i] > 126) printf("\\u%04x", at[i]);
        else putchar(at[i]);
    }
    putchar('"');
}

static void print_message(const rd_kafka_message_t *message) {
    rd_kafka_timestamp_type_t type;
    rd_kafka_headers_t *headers = NULL;
    printf("{\"partition\":%" PRId32 ",\"offset\":%" PRId64 ",\"ts\":%" PRId64 ",\"key\":", message->partition,
           message->offset, rd_kafka_message_timestamp(message, &type));
    print_bytes(message->key, message->key_len);
    fputs(",\"value\":", stdout);
    print_bytes(message->payload, message->len);
    fputs(",\"headers\":{", stdout);
    if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const char *name;
        const void *value;
        size_t bytes;
        for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &bytes) == RD_KAFKA_RESP_ERR_NO_ERROR;
             i++) {
            if (i > 0) putchar(',');
            print_bytes(name, strlen(name));
            putchar(':');
            print_bytes(value, bytes);
        }
    }
    puts("}}");
}

static int partitions_of(rd_kafka_t *rk, const char *topic) {
    const rd_kafka_metadata_t *metadata = NULL;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(rk, topic, NULL);
    must(rd_kafka_metadata(rk, 0, handle, &metadata, WAIT_MS), topic);
    must(metadata->topics[0].err, topic);
    int count = metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
    return count < PARTITIONS_MAX ? count : PARTITIONS_MAX;
}

static void each(const char *topic, const char *isolation, void (*take)(void *context, rd_kafka_message_t *message),
                 void *context) {
    rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, "kafka_tool", isolation);
    int count = partitions_of(rk, topic), left = count;
    bool done[PARTITIONS_MAX] = {false};
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
    for (int i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    must(rd_kafka_assign(rk, list), "consume");
    while (left > 0) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, WAIT_MS);
        if (message == NULL) die("consume", "no answer");
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            left -= !done[message->partition];
            done[message->partition] = true;
        } else if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            die("consume", rd_kafka_message_errstr(message));
        } else {
            take(context, message);
        }
        rd_kafka_message_destroy(message);
    }
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
}

static void take_print(void *context, rd_kafka_message_t *message) {
    (void)context;
    print_message(message);
}

static void consume(const char *topic, const char *isolation) { each(topic, isolation, take_print, NULL); }

typedef struct copying {
    rd_kafka_t *rk;
    const char *to;
    char **changes; /* PARTITION OFFSET HOW … */
    int changes_count;
} copying;

static void send_again(const copying *c, const rd_kafka_message_t *m) {
    rd_kafka_headers_t *headers = NULL;
    headers = rd_kafka_message_headers(m, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR ? rd_kafka_headers_copy(headers)
                                                                                  : rd_kafka_headers_new(0);
    rd_kafka_resp_err_t code;
    while ((code = rd_kafka_producev(c->rk, RD_KAFKA_V_TOPIC(c->to), RD_KAFKA_V_PARTITION(m->partition),
                                     RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_VALUE(m->payload, m->len),
                                     RD_KAFKA_V_KEY(m->key, m->key_len), RD_KAFKA_V_HEADERS(headers),
                                     RD_KAFKA_V_END)) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        rd_kafka_poll(c->rk, 100);
    must(code, "copy");
}

static void flip(rd_kafka_message_t *m, const char *where) {
    const size_t at = strtoull(where, NULL, 10);
    if (at >= m->len) die("copy", "the value is shorter");
    ((char *)m->payload)[at] ^= 1;
}

static void take_copy(void *context, rd_kafka_message_t *m) {
    const copying *c = context;
    const char *how = "";
    for (int i = 0; i + 2 < c->changes_count; i += 3)
        if (atoi(c->changes[i]) == m->partition && atoll(c->changes[i + 1]) == m->offset) how = c->changes[i + 2];
    if (strcmp(how, "drop") == 0) return;
    if (strncmp(how, "flip:", 5) == 0) flip(m, how + 5);
    send_again(c, m);
    if (strncmp(how, "again:", 6) != 0) return;
    flip(m, how + 6);
    send_again(c, m);
}

static void copy(const char *from, const char *to, char **changes, int changes_count) {
    copying c = {client(RD_KAFKA_PRODUCER, NULL, NULL), to, changes, changes_count};
    each(from, "read_committed", take_copy, &c);
    must(rd_kafka_flush(c.rk, WAIT_MS * 4), "copy");
    rd_kafka_destroy(c.rk);
    if (failed > 0) exit(1);
}

static void offsets(const char *topic, const char *group) {
    rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, group != NULL ? group : "kafka_tool", "read_uncommitted");
    int count = partitions_of(rk, topic);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
    for (int i = 0; i < count; i++) rd_kafka_topic_partition_list_add(list, topic, i);
    if (group != NULL) must(rd_kafka_committed(rk, list, WAIT_MS), "offsets");
    for (int i = 0; i < count; i++) {
        int64_t begin, end;
        must(rd_kafka_query_watermark_offsets(rk, topic, i, &begin, &end, WAIT_MS), "offsets");
        printf("{\"partition\":%d,\"begin\":%" PRId64 ",\"end\":%" PRId64 ",\"committed\":%" PRId64 "}\n", i, begin,
               end, list->elems[i].offset >= 0 && group != NULL ? list->elems[i].offset : -1);
    }
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(rk);
}

static void commit(const char *group, const char *topic, int32_t partition, int64_t offset) {
    rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, group, "read_uncommitted");
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = offset;
    must(rd_kafka_commit(rk, list, 0), "commit");
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(rk);
}

int main(int argc, char **argv) {
    if (argc < 4) return fprintf(stderr, "usage: see the head of kafka_tool.c\n"), 64;
    brokers = argv[1];
    const char *command = argv[2], *extra = argc > 4 ? argv[4] : NULL;
    if (strcmp(command, "create") == 0 && argc > 4) admin(argc - 2, argv + 2);
    else if (strcmp(command, "delete") == 0) admin(argc - 2, argv + 2);
    else if (strcmp(command, "trim") == 0 && argc == 6) admin(argc - 2, argv + 2);
    else if (strcmp(command, "produce") == 0 && argc > 4) produce(argv[3], argv[4], argc > 5);
    else if (strcmp(command, "consume") == 0) consume(argv[3], extra != NULL ? extra : "read_committed");
    else if (strcmp(command, "copy") == 0 && argc > 4) copy(argv[3], argv[4], argv + 5, argc - 5);
    else if (strcmp(command, "offsets") == 0) offsets(argv[3], extra);
    else if (strcmp(command, "commit") == 0 && argc == 7) commit(argv[3], argv[4], atoi(argv[5]), atoll(argv[6]));
    else return fprintf(stderr, "usage: see the head of kafka_tool.c\n"), 64;
    return 0;
}
