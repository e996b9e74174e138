/* io/kafka_conf.c: our options as librdkafka's. The table in docs/kafka.md says the same. */
#include "io/kafka_internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECRET_BYTES = 1024, PARTITIONS_GUESSED = 64 };

/* What `raw` may not set: each would break a promise of kafka.h in silence. */
static const char *const ours[] = {"enable.auto.commit",    "enable.auto.offset.store",   "auto.offset.reset",
                                   "enable.partition.eof",  "enable.idempotence",         "acks",
                                   "request.required.acks", "message.timeout.ms",         "delivery.timeout.ms",
                                   "transactional.id",      "delivery.report.only.error", "statistics.interval.ms"};
/* What librdkafka gave as the library's own and RIDE has a key for. */
static const struct {
    const char *raw, *key;
} keys[] = {{"bootstrap.servers", "brokers"},
            {"metadata.broker.list", "brokers"},
            {"group.id", "group"},
            {"client.id", "client_id"},
            {"security.protocol", "security"},
            {"ssl.ca.location", "ca"},
            {"ssl.certificate.location", "certificate"},
            {"ssl.key.location", "key"},
            {"ssl.key.password", "key_password_file"},
            {"sasl.mechanism", "sasl.mechanism"},
            {"sasl.mechanisms", "sasl.mechanism"},
            {"sasl.username", "sasl.user"},
            {"sasl.password", "sasl.password_file"}};

typedef struct builder {
    rd_kafka_conf_t *conf;
    ride_status status; /* the first failure; later calls do nothing */
    ride_error *err;
} builder;

static void set(builder *b, const char *name, const char *value) {
    char why[512];
    if (b->status != RIDE_OK || value == NULL) return;
    rd_kafka_conf_res_t result = rd_kafka_conf_set(b->conf, name, value, why, sizeof why);
    if (result == RD_KAFKA_CONF_OK) return;
    b->status = ride_fail(b->err, RIDE_E_CONFIG, "kafka: %s: %s", name, why);
    if (result == RD_KAFKA_CONF_UNKNOWN) ride_error_advice(b->err, "librdkafka %s", rd_kafka_version_str());
}

static void set_number(builder *b, const char *name, uint64_t value) {
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    set(b, name, text);
}

/* An option of newer versions: left out where it is not known. */
static void set_if_known(builder *b, const char *name, const char *value) {
    if (b->status == RIDE_OK) rd_kafka_conf_set(b->conf, name, value, NULL, 0);
}

/* The first line of a file that holds a password. The text is wiped when it was handed over. */
static void set_secret(builder *b, const char *name, const char *path, const char *key) {
    char secret[SECRET_BYTES], buffer[SECRET_BYTES]; /* the file's own buffer would keep it */
    if (b->status != RIDE_OK || path == NULL) return;
    FILE *file = fopen(path, "re");
    if (file != NULL) setvbuf(file, buffer, _IOFBF, sizeof buffer);
    if (file == NULL || fgets(secret, sizeof secret, file) == NULL) {
        b->status = ride_fail(b->err, RIDE_E_CONFIG, "kafka: cannot read the password in %s: %s", path,
                              file == NULL ? strerror(errno) : "it is empty");
        ride_error_advice(b->err, "check kafka.%s", key);
    } else if (strlen(secret) == sizeof secret - 1 && secret[sizeof secret - 2] != '\n') {
        b->status = ride_fail(b->err, RIDE_E_CONFIG, "kafka: the password in %s is longer than %d bytes", path,
                              SECRET_BYTES - 2);
        ride_error_advice(b->err, "check kafka.%s", key);
    } else {
        secret[strcspn(secret, "\r\n")] = '\0';
        set(b, name, secret);
    }
    explicit_bzero(secret, sizeof secret);
    if (file != NULL) fclose(file);
    explicit_bzero(buffer, sizeof buffer);
}

/* librdkafka names OpenSSL's error for a file that is not there; a person wants the path and the key. */
static void set_file(builder *b, const char *name, const char *path, const char *key) {
    if (b->status != RIDE_OK || path == NULL) return;
    if (access(path, R_OK) != 0) {
        b->status = ride_fail(b->err, RIDE_E_CONFIG, "kafka: cannot read %s: %s", path, strerror(errno));
        ride_error_advice(b->err, "check kafka.%s", key);
        return;
    }
    set(b, name, path);
}

/* librdkafka knows the mechanisms in capitals only. */
static void set_mechanism(builder *b, const char *mechanism) {
    char name[32];
    size_t i = 0;
    if (mechanism == NULL) return;
    for (; i < sizeof name - 1 && mechanism[i] != '\0'; i++) name[i] = (char)toupper((unsigned char)mechanism[i]);
    name[i] = '\0';
    set(b, "sasl.mechanism", name);
}

static void set_security(builder *b, const ride_kafka_options *o) {
    set(b, "security.protocol", o->security);
    set_file(b, "ssl.ca.location", o->ca, "ca");
    set_file(b, "ssl.certificate.location", o->certificate, "certificate");
    set_secret(b, "ssl.key.password", o->key_password_file, "key_password_file");
    set_file(b, "ssl.key.location", o->key, "key");
    set_mechanism(b, o->sasl_mechanism);
    set(b, "sasl.username", o->sasl_user);
    set_secret(b, "sasl.password", o->sasl_password_file, "sasl.password_file");
}

/* The bound on what was fetched is one per partition in librdkafka, since each has its own queue here; the number of messages does
 * not bound. */
uint64_t kafka_share_bytes(const ride_kafka_options *o, uint32_t partitions) {
    uint64_t all = o->queue_bytes != 0 ? o->queue_bytes : UINT64_C(64) << 20;
    uint64_t share = all / (partitions != 0 ? partitions : PARTITIONS_GUESSED);
    return share < 65536 ? 65536 : share / 1024 > 2097151 ? UINT64_C(2097151) * 1024 : share;
}

static void set_feed(builder *b, const ride_kafka_options *o, uint32_t partitions) {
    uint64_t share = kafka_share_bytes(o, partitions);
    uint64_t fetch = share < (UINT64_C(4) << 20) ? share : UINT64_C(4) << 20;
    set(b, "group.id", o->group);
    set(b, "enable.auto.commit", o->reader ? "false" : "true"); /* of what was stored, and only the engine stores */
    set(b, "auto.commit.interval.ms", "1000");
    set(b, "enable.auto.offset.store", "false");
    set(b, "auto.offset.reset", "error"); /* starts are resolved at the assignment */
    set(b, "enable.partition.eof", "true");
    set(b, "allow.auto.create.topics", "false");
    set(b, "queued.min.messages", "10000000");
    set_number(b, "queued.max.messages.kbytes", share / 1024);
    set_number(b, "fetch.message.max.bytes", fetch);
    set(b, "fetch.wait.max.ms", "100"); /* so late the end of a log is seen */
    set_if_known(b, "fetch.queue.backoff.ms", "5");
    /* A member that was killed holds its partitions until the broker takes it for dead; 6 s is the least brokers allow as they come. */
    set(b, "session.timeout.ms", "6000");
    set(b, "heartbeat.interval.ms", "2000");
    /* New partitions and topics that come back are seen after this. */
    set(b, "topic.metadata.refresh.interval.ms", "10000");
    /* Before 2.10 a cooperative member can lose its assignment without being told. Several topics are assigned by range in any version:
     * it gives partition N of each of them to one member, where a label must find its event. */
    bool cooperative = rd_kafka_version() >= 0x020a0000 && o->sources_count == 1 && !o->eager;
    set(b, "partition.assignment.strategy", cooperative ? "cooperative-sticky" : "range");
}

static void set_outlet(builder *b, const ride_kafka_options *o) {
    uint64_t kbytes = (o->outlet_bytes != 0 ? o->outlet_bytes : UINT64_C(64) << 20) / 1024;
    set(b, "enable.idempotence", "true"); /* and so acks=all, five requests in flight, in order */
    set_number(b, "message.timeout.ms", o->outlet_timeout_ns / 1000000); /* 0: a broker that is away is waited for */
    set(b, "linger.ms", o->outlet_at_once ? "0" : "5");
    set(b, "batch.num.messages", "10000");
    set_number(b, "queue.buffering.max.messages", o->outlet_messages != 0 ? o->outlet_messages : 200000);
    set_number(b, "queue.buffering.max.kbytes", kbytes < 1 ? 1 : kbytes > 2147483647 ? 2147483647 : kbytes);
    set(b, "partitioner", "murmur2_random"); /* the partition that Java's producers choose for the key */
}

static void set_raw(builder *b, const ride_kafka_options *o) {
    for (uint32_t i = 0; i < o->raw_count && b->status == RIDE_OK; i++) {
        const char *name = o->raw[i].name;
        for (size_t k = 0; k < sizeof ours / sizeof *ours; k++) {
            if (strcmp(name, ours[k]) != 0) continue;
            b->status =
                ride_fail(b->err, RIDE_E_CONFIG,
                          "kafka.raw: %s is not free: what is promised about loss needs RIDE's own value", name);
            ride_error_advice(b->err, "remove it");
            return;
        }
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
            if (strcmp(name, keys[k].raw) != 0) continue;
            b->status = ride_fail(b->err, RIDE_E_CONFIG, "kafka.raw: %s has a key of its own", name);
            ride_error_advice(b->err, "write kafka.%s", keys[k].key);
            return;
        }
        set(b, name, o->raw[i].value);
        if (b->status != RIDE_OK) ride_error_where(b->err, "kafka.raw");
    }
}

ride_status kafka_conf(const ride_kafka_options *options, kafka_role role, uint32_t partitions, rd_kafka_conf_t **out,
                       ride_error *err) {
    builder b = {.conf = rd_kafka_conf_new(), .status = RIDE_OK, .err = err};
    if (b.conf == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the options of Kafka");
    set(&b, "bootstrap.servers", options->brokers);
    set(&b, "client.id", options->client_id != NULL ? options->client_id : "ride");
    set(&b, "statistics.interval.ms", role == KAFKA_PROBE ? "0" : "1000");
    set(&b, "reconnect.backoff.ms", "100");
    set(&b, "reconnect.backoff.max.ms", "2000"); /* a broker that is back is found within this */
    set(&b, "socket.keepalive.enable", "true");
    set(&b, "log.queue", "true");
    set_security(&b, options);
    if (role == KAFKA_FEED) set_feed(&b, options, partitions);
    if (role == KAFKA_OUTLET) set_outlet(&b, options);
    set_raw(&b, options);
    if (b.status != RIDE_OK) {
        rd_kafka_conf_destroy(b.conf);
        return b.status;
    }
    *out = b.conf;
    return RIDE_OK;
}
