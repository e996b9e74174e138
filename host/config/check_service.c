/* config/check_service.c: what goes together in a service: topics and brokers, TLS and its files, HTTP, journal, batches. */
#include "config/config_internal.h"

#include <string.h>

bool ride_config_is_service(const ride_config *config) {
    bool topic = config->decisions.topic != NULL || config->alerts.topic != NULL || config->rejects_topic != NULL ||
                 config->late_topic != NULL;
    for (uint32_t i = 0; i < config->inputs_count; i++) topic = topic || config->inputs[i].topic != NULL;
    return topic || config->http.listen != NULL;
}

static bool given(const config_setting *s) { return s->origin.layer != RIDE_CONFIG_DEFAULT && s->value.is_set; }
static bool by_key(const config_builder *b, const char *key) { return given(config_setting_by_key(b, key)); }

/* `key` is set, and nothing says `needed`. */
static void need(config_builder *b, const char *key, const char *needed) {
    const config_setting *have = config_setting_by_key(b, key), *lack = config_setting_by_key(b, needed);
    if (given(have) && !lack->value.is_set && !lack->is_wrong)
        config_fault_at(b, have, NULL, "`%s` needs `%s`", key, needed);
}

static void check_files_or_service(config_builder *b) {
    const config_option *path = config_find_option(CONFIG_INPUT ".path"),
                        *topic = config_find_option(CONFIG_INPUT ".topic");
    char key[CONFIG_KEY_BYTES];
    if (!ride_config_is_service(b->config)) {
        /* options without a default: `ride config show` prints the others, and what it prints is a configuration */
        static const char *const of_service[] = {"journal.path", "kafka.brokers", "admin.listen", "http.token_file"};
        for (size_t i = 0; i < sizeof of_service / sizeof of_service[0]; i++)
            if (by_key(b, of_service[i]) && b->config->inputs_count > 0)
                config_fault_at(b, config_setting_by_key(b, of_service[i]), NULL,
                                "`%s` is of a service (topics or HTTP): a run over files does nothing with it",
                                of_service[i]);
        return;
    }
    for (uint32_t i = 0; i < b->priv->sources_count; i++) {
        const config_setting *s = config_setting_of(b->priv, path, b->priv->sources[i]);
        const config_setting *named = config_setting_of(b->priv, topic, b->priv->sources[i]);
        bool both = named != NULL && named->value.is_set; /* told already */
        if (s == NULL || !s->value.is_set || both) continue;
        config_key_of(path, b->priv->sources[i], key);
        config_fault_at(b, s, "a run reads files, or serves topics and HTTP", "`%s` is a file, and this is a service",
                        key);
        return;
    }
}

/* Every topic needs brokers; the first of the file is told. */
static void check_brokers(config_builder *b) {
    const config_setting *brokers = config_setting_by_key(b, "kafka.brokers"), *first = NULL;
    char key[CONFIG_KEY_BYTES];
    if (brokers->value.is_set || brokers->is_wrong) return;
    for (uint32_t i = 0; i < b->priv->settings_count; i++) {
        const config_setting *s = &b->priv->settings[i];
        if (s->option->type != CONFIG_TOPIC || !s->value.is_set) continue;
        if (first == NULL || s->origin.line < first->origin.line) first = s;
    }
    if (first == NULL) return;
    config_key_of(first->option, first->source, key);
    config_fault_at(b, first, "kafka: HOST:PORT", "`%s` needs `kafka.brokers`", key);
}

static void check_security(config_builder *b) {
    static const char *const of_sasl[] = {"kafka.sasl.mechanism", "kafka.sasl.user", "kafka.sasl.password_file"};
    static const char *const of_tls[] = {"kafka.ca", "kafka.certificate", "kafka.key", "kafka.key_password_file"};
    const config_setting *security = config_setting_by_key(b, "kafka.security");
    ride_config_security is = b->config->kafka.security;
    bool tls = is == RIDE_CONFIG_SSL || is == RIDE_CONFIG_SASL_SSL;
    bool sasl = is == RIDE_CONFIG_SASL_PLAINTEXT || is == RIDE_CONFIG_SASL_SSL;
    if (security->is_wrong) return;
    const char *word = security->option->words[is - RIDE_CONFIG_PLAINTEXT];
    for (size_t i = 0; i < 3; i++) {
        const config_setting *s = config_setting_by_key(b, of_sasl[i]);
        if (sasl && !s->value.is_set && !s->is_wrong)
            config_fault_at(b, security, NULL, "`kafka.security` %s needs `%s`", word, of_sasl[i]);
        if (!sasl && given(s))
            config_fault_at(b, s, "kafka.security: sasl_ssl", "`%s` has no effect: `kafka.security` is %s", of_sasl[i],
                            word);
    }
    for (size_t i = 0; i < 4 && !tls; i++)
        if (by_key(b, of_tls[i]))
            config_fault_at(b, config_setting_by_key(b, of_tls[i]),
                            sasl ? "kafka.security: sasl_ssl" : "kafka.security: ssl",
                            "`%s` has no effect: `kafka.security` is %s", of_tls[i], word);
    need(b, "kafka.certificate", "kafka.key");
    need(b, "kafka.key", "kafka.certificate");
    need(b, "kafka.key_password_file", "kafka.key");
}

/* What was met in which order must be known after a restart. */
static void check_journal(config_builder *b) {
    const ride_config *c = b->config;
    const config_option *topic = config_find_option(CONFIG_INPUT ".topic");
    bool has = c->state_dir != NULL || c->journal.path != NULL;
    if (has || config_setting_by_key(b, "state.dir")->is_wrong || config_setting_by_key(b, "journal.path")->is_wrong)
        return;
    for (uint32_t i = 0; i < b->priv->sources_count; i++) {
        const config_setting *s = config_setting_of(b->priv, topic, b->priv->sources[i]);
        if (s == NULL || !s->value.is_set) continue;
        config_fault_at(
            b, s, "state: FOLDER",
            "`inputs.%s.topic` needs `state.dir` or `journal.path`: the order of arrival must outlive the process",
            b->priv->sources[i]);
        return;
    }
    if (by_key(b, "http.log_topic"))
        config_fault_at(
            b, config_setting_by_key(b, "http.log_topic"), "state: FOLDER",
            "`http.log_topic` needs `state.dir` or `journal.path`: the order of arrival must outlive the process");
}

/* What is read from it must be what HTTP wrote, or what others write for it. */
static void check_log_topic(config_builder *b) {
    const config_setting *log = config_setting_by_key(b, "http.log_topic");
    char key[CONFIG_KEY_BYTES];
    if (!given(log)) return;
    need(b, "http.log_topic", "http.listen");
    for (uint32_t i = 0; i < b->priv->settings_count; i++) {
        const config_setting *s = &b->priv->settings[i];
        if (s == log || s->option->type != CONFIG_TOPIC || !s->value.is_set ||
            strcmp(s->value.text, log->value.text) != 0)
            continue;
        config_key_of(s->option, s->source, key);
        config_fault_at(b, log, "a topic of its own", "`http.log_topic` is the topic of `%s` too", key);
        return;
    }
}

static void check_scheduler(config_builder *b) {
    const config_setting *delay = config_setting_by_key(b, "scheduler.max_delay");
    if (b->config->max_delay_us > 0 && b->config->policy != RIDE_CONFIG_FIXED &&
        !config_setting_by_key(b, "scheduler.policy")->is_wrong)
        config_fault_at(b, delay, "scheduler.policy: fixed",
                        "`scheduler.max_delay` has no effect: `scheduler.policy` is greedy");
}

/* A key that says how a topic is partitioned, on every topic or on none; what has no partition does not go with it. */
static void check_partition_keys(config_builder *b) {
    const config_option *option = config_find_option(CONFIG_INPUT ".partition_key"),
                        *topic = config_find_option(CONFIG_INPUT ".topic");
    const config_setting *first = NULL, *lacks = NULL, *http = config_setting_by_key(b, "http.listen");
    for (uint32_t i = 0; i < b->priv->sources_count; i++) {
        const config_setting *key = config_setting_of(b->priv, option, b->priv->sources[i]),
                             *named = config_setting_of(b->priv, topic, b->priv->sources[i]);
        const bool has_topic = named != NULL && (named->value.is_set || named->is_wrong);
        const bool has_key = key != NULL && (key->value.is_set || key->is_wrong);
        if (has_key && !has_topic)
            config_fault_at(b, key, NULL, "`inputs.%s.partition_key` needs `inputs.%s.topic`", b->priv->sources[i],
                            b->priv->sources[i]);
        else if (has_key && first == NULL) first = key;
        else if (has_topic && !has_key) lacks = named;
    }
    if (first != NULL && lacks != NULL)
        config_fault_at(b, lacks, NULL, "`inputs.%s.partition_key` is missing: `inputs.%s` has one", lacks->source,
                        first->source);
    if (first != NULL && given(http))
        config_fault_at(b, http, "one of them",
                        "`http.listen` and `inputs.%s.partition_key` are both given: events by "
                        "HTTP are of no partition",
                        first->source);
}

static void check_runtime(config_builder *b) {
    const config_setting *mode = config_setting_by_key(b, "runtime.mode"),
                         *shards = config_setting_by_key(b, "runtime.shards");
    if (b->config->runtime.mode != RIDE_CONFIG_PIPELINE || mode->is_wrong || shards->is_wrong) return;
    if (!ride_config_is_service(b->config) && b->config->runtime.shards == 1)
        config_fault_at(b, mode, "runtime.shards: 0, or 2 and more",
                        "`runtime.mode` pipeline needs several `runtime.shards`: what reads and writes computes too");
}

void config_check_service(config_builder *b) {
    check_files_or_service(b);
    check_brokers(b);
    check_security(b);
    need(b, "http.certificate", "http.key");
    need(b, "http.key", "http.certificate");
    check_journal(b);
    check_log_topic(b);
    check_scheduler(b);
    check_partition_keys(b);
    check_runtime(b);
}
