/* config/raw.c: `kafka.raw`: options of librdkafka by its own names. Two kinds are refused: those that have an option of ours, so that
 * nothing is said twice and no password stands in a configuration; and those that the delivery guarantees rest on. */
#include "config/config_internal.h"

#include <string.h>

#define GUARANTEE "the delivery guarantees rest on it"

static const struct {
    const char *name, *owner;
} owned[] = {
    {"bootstrap.servers", "kafka.brokers"},
    {"metadata.broker.list", "kafka.brokers"},
    {"group.id", "kafka.group"},
    {"client.id", "kafka.client_id"},
    {"auto.offset.reset", "kafka.start"},
    {"security.protocol", "kafka.security"},
    {"ssl.ca.location", "kafka.ca"},
    {"ssl.certificate.location", "kafka.certificate"},
    {"ssl.key.location", "kafka.key"},
    {"ssl.key.password", "kafka.key_password_file"},
    {"sasl.mechanism", "kafka.sasl.mechanism"},
    {"sasl.mechanisms", "kafka.sasl.mechanism"},
    {"sasl.username", "kafka.sasl.user"},
    {"sasl.password", "kafka.sasl.password_file"},
    {"enable.auto.commit", GUARANTEE},
    {"enable.auto.offset.store", GUARANTEE},
    {"enable.idempotence", GUARANTEE},
    {"enable.partition.eof", GUARANTEE},
    {"acks", GUARANTEE},
    {"request.required.acks", GUARANTEE},
    {"message.timeout.ms", GUARANTEE},
    {"delivery.timeout.ms", GUARANTEE},
    {"delivery.report.only.error", GUARANTEE},
    {"transactional.id", GUARANTEE},
    {"statistics.interval.ms", "the metrics rest on it"},
};

bool config_raw_is_good(const char *name) {
    size_t bytes = strlen(name);
    return bytes > 0 && bytes < RIDE_NAME_BYTES && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == bytes;
}

const char *config_raw_owner(const char *name) {
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        if (strcmp(owned[i].name, name) == 0) return owned[i].owner;
    return NULL;
}

bool config_raw_is_secret(const char *name) {
    static const char *const parts[] = {"password", "secret", ".pem", "oauthbearer.config"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strstr(name, parts[i]) != NULL) return true;
    return false;
}
