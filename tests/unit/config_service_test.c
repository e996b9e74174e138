/* What config/config.h promises of services: topics, kafka, http, the journal, what goes together, and what a reload may change. */
#include "config/config_internal.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define SERVICE "spec: f\ninputs: {tx: {topic: t}}\noutputs: {decisions: {topic: d}}\nkafka: 'b:9092'\nstate: st\n"

static ride_diagnostics findings;

static ride_config *load_with(const char *text, const char *const *sets, uint32_t sets_count) {
    ride_config *config = NULL;
    ride_diagnostics_free(&findings);
    ride_status st = ride_config_parse("conf/r.yaml", text, strlen(text), sets, sets_count, NULL, &config, &findings);
    cr_assert_eq(st, RIDE_OK, "%s: %s", text, findings.count > 0 ? findings.items[0].message : "");
    return config;
}
static ride_config *load(const char *text) { return load_with(text, NULL, 0); }

/* Exactly one finding: "line:column: message" as far as given. */
static void refuse(const char *text, const char *expected, const char *advice) {
    ride_config *config = NULL;
    char got[1400];
    ride_diagnostics_free(&findings);
    cr_assert_eq(ride_config_parse("r.yaml", text, strlen(text), NULL, 0, NULL, &config, &findings), RIDE_E_CONFIG,
                 "accepted: %s", text);
    cr_assert_eq(findings.count, 1, "%u findings for %s: %s; %s", findings.count, text, findings.items[0].message,
                 findings.items[1].message);
    const ride_diagnostic *d = &findings.items[0];
    snprintf(got, sizeof got, "%u:%u: %s", d->line, d->column, d->message);
    cr_assert_eq(strncmp(got, expected, strlen(expected)), 0, "expected %s\n     got %s", expected, got);
    cr_assert_str_eq(d->advice != NULL ? d->advice : "", advice);
}

Test(config_service, every_option_reaches_its_field) {
    ride_config *c = load(
        "spec: f\ninputs:\n  tx: {topic: tx.v1}\n  labels: {topic: labels, format: csv}\n"
        "outputs:\n  decisions: {topic: d}\n  alerts: {topic: a}\n  rejects: {topic: r}\n  late: {topic: l}\n"
        "kafka:\n  brokers: b1:9092,b2:9092\n  group: g\n  client_id: c\n  start: latest\n  security: sasl_ssl\n"
        "  ca: ca.pem\n  certificate: cert.pem\n  key: key.pem\n  key_password_file: kp\n"
        "  sasl: {mechanism: scram-sha-512, user: u, password_file: pw}\n"
        "  raw: {fetch.wait.max.ms: 5, debug: 'broker,topic', socket.keepalive.enable: true}\n"
        "http: {listen: '0.0.0.0:8080', certificate: hc, key: hk, token_file: tok, body_max: 2MiB, header_max: 8KiB,\n"
        "       connections_max: 7, idle_timeout: 5s, queue: 99, model_name: fraud, log_topic: http}\n"
        "admin: {listen: '[::1]:9090'}\nruntime: {mode: inline, shards: 4, drain_timeout: 3s}\n"
        "journal: {path: j, sync: true}\nscheduler: {policy: fixed, max_delay: 2ms}\n");
    cr_assert(ride_config_is_service(c));
    cr_assert_eq(c->inputs_count, 2);
    cr_assert_null(c->inputs[0].path);
    cr_assert_str_eq(c->inputs[0].topic, "tx.v1");
    cr_assert_eq(c->inputs[0].format, RIDE_FORMAT_NDJSON);
    cr_assert_eq(c->inputs[1].format, RIDE_FORMAT_CSV);
    cr_assert_str_eq(c->decisions.topic, "d");
    cr_assert_null(c->decisions.path);
    cr_assert_eq(c->decisions.format, RIDE_FORMAT_NDJSON);
    cr_assert_str_eq(c->alerts.topic, "a");
    cr_assert_str_eq(c->rejects_topic, "r");
    cr_assert_str_eq(c->late_topic, "l");
    cr_assert_str_eq(c->kafka.brokers, "b1:9092,b2:9092");
    cr_assert_str_eq(c->kafka.group, "g");
    cr_assert_str_eq(c->kafka.client_id, "c");
    cr_assert_eq(c->kafka.start, RIDE_CONFIG_LATEST);
    cr_assert_eq(c->kafka.security, RIDE_CONFIG_SASL_SSL);
    cr_assert_str_eq(c->kafka.ca, "conf/ca.pem");
    cr_assert_str_eq(c->kafka.certificate, "conf/cert.pem");
    cr_assert_str_eq(c->kafka.key, "conf/key.pem");
    cr_assert_str_eq(c->kafka.key_password_file, "conf/kp");
    cr_assert_eq(c->kafka.sasl.mechanism, RIDE_CONFIG_SCRAM_SHA_512);
    cr_assert_str_eq(c->kafka.sasl.user, "u");
    cr_assert_str_eq(c->kafka.sasl.password_file, "conf/pw");
    cr_assert_eq(c->kafka.raw_count, 3);
    cr_assert_str_eq(c->kafka.raw[0].name, "fetch.wait.max.ms");
    cr_assert_str_eq(c->kafka.raw[0].value, "5");
    cr_assert_str_eq(c->kafka.raw[1].value, "broker,topic");
    cr_assert_str_eq(c->kafka.raw[2].value, "true");
    cr_assert_str_eq(c->http.listen, "0.0.0.0:8080");
    cr_assert_str_eq(c->http.certificate, "conf/hc");
    cr_assert_str_eq(c->http.key, "conf/hk");
    cr_assert_str_eq(c->http.token_file, "conf/tok");
    cr_assert_eq(c->http.body_max, 2 << 20);
    cr_assert_eq(c->http.header_max, 8 << 10);
    cr_assert_eq(c->http.connections_max, 7);
    cr_assert_eq(c->http.idle_timeout_us, 5000000);
    cr_assert_eq(c->http.queue, 99);
    cr_assert_str_eq(c->http.model_name, "fraud");
    cr_assert_str_eq(c->http.log_topic, "http");
    cr_assert_str_eq(c->admin.listen, "[::1]:9090");
    cr_assert_eq(c->runtime.mode, RIDE_CONFIG_INLINE);
    cr_assert_eq(c->runtime.shards, 4);
    cr_assert_eq(c->runtime.drain_timeout_us, 3000000);
    cr_assert_str_eq(c->journal.path, "conf/j");
    cr_assert(c->journal.sync);
    cr_assert_eq(c->policy, RIDE_CONFIG_FIXED);
    cr_assert_eq(c->max_delay_us, 2000);
    cr_assert_str_eq(ride_config_word(c, "kafka.security"), "sasl_ssl");
    cr_assert_str_eq(ride_config_word(c, "kafka.sasl.mechanism"), "scram-sha-512");
    ride_config_destroy(c);
}

Test(config_service, defaults_of_a_service) {
    ride_config *c = load(SERVICE);
    cr_assert_str_eq(c->kafka.group, "ride");
    cr_assert_str_eq(c->kafka.client_id, "ride");
    cr_assert_eq(c->kafka.start, RIDE_CONFIG_EARLIEST);
    cr_assert_eq(c->kafka.security, RIDE_CONFIG_PLAINTEXT);
    cr_assert_eq(c->kafka.sasl.mechanism, 0);
    cr_assert_null(ride_config_word(c, "kafka.sasl.mechanism"));
    cr_assert_eq(c->http.memory, 64 << 20);
    cr_assert_eq(c->kafka.raw_count, 0);
    cr_assert_null(c->http.listen);
    cr_assert_null(c->http.log_topic);
    cr_assert_null(c->admin.listen);
    cr_assert_eq(c->http.body_max, 1 << 20);
    cr_assert_eq(c->http.header_max, 16 << 10);
    cr_assert_eq(c->http.connections_max, 1024);
    cr_assert_eq(c->http.queue, 16384);
    cr_assert_eq(c->http.idle_timeout_us, 60000000);
    cr_assert_str_eq(c->http.model_name, "ride");
    cr_assert_eq(c->runtime.mode, RIDE_CONFIG_AUTO);
    cr_assert_eq(c->runtime.shards, 1);
    cr_assert_eq(c->runtime.drain_timeout_us, 30000000);
    cr_assert_str_eq(c->journal.path, "conf/st/journal.ride");
    cr_assert_eq(ride_config_origin_of(c, "journal.path").layer, RIDE_CONFIG_DEFAULT);
    cr_assert_not(c->journal.sync);
    cr_assert_eq(c->policy, RIDE_CONFIG_GREEDY);
    cr_assert_eq(c->max_delay_us, 0);
    ride_config_destroy(c);
    c = load("spec: f\ninputs: {tx: t.csv}\noutputs: {decisions: d}\nstate: st\n");
    cr_assert_not(ride_config_is_service(c));
    cr_assert_null(c->journal.path, "a run over files keeps no journal");
    cr_assert_eq(c->decisions.format, RIDE_FORMAT_CSV);
    ride_config_destroy(c);
    c = load("spec: f\nhttp: '127.0.0.1:0'\n"); /* HTTP alone: no inputs, no outputs */
    cr_assert(ride_config_is_service(c));
    cr_assert_eq(c->inputs_count, 0);
    ride_config_destroy(c);
    const char *sets[] = {"kafka.raw.socket.timeout.ms=9000", "kafka.raw.debug=all",
                          "kafka.raw.debug=", "http.listen=localhost:80"};
    c = load_with(SERVICE, sets, 4);
    cr_assert_eq(c->kafka.raw_count, 1);
    cr_assert_str_eq(c->kafka.raw[0].name, "socket.timeout.ms");
    cr_assert_str_eq(c->kafka.raw[0].value, "9000");
    ride_config_destroy(c);
}

Test(config_service, what_does_not_go_together_is_told) {
    refuse("spec: f\ninputs: {tx: {topic: t, path: x}}\noutputs: {decisions: {topic: d}}\nkafka: b\nstate: s\n",
           "2:22: `inputs.tx.path` and its `topic` are both given", "a source reads one of them");
    refuse("spec: f\ninputs: {tx: {topic: t}, l: l.csv}\noutputs: {decisions: {topic: d}}\nkafka: b\nstate: s\n",
           "2:29: `inputs.l.path` is a file, and this is a service", "a run reads files, or serves topics and HTTP");
    refuse("spec: f\ninputs: {tx: t.csv}\noutputs: {decisions: d}\nhttp: 'h:1'\n",
           "2:14: `inputs.tx.path` is a file, and this is a service", "a run reads files, or serves topics and HTTP");
    refuse("spec: f\ninputs: {tx: {topic: t}}\noutputs: {decisions: {topic: d}}\nstate: s\n",
           "2:22: `inputs.tx.topic` needs `kafka.brokers`", "kafka: HOST:PORT");
    refuse("spec: f\nhttp: 'h:1'\noutputs: {late: {topic: l}}\n", "3:25: `outputs.late.topic` needs `kafka.brokers`",
           "kafka: HOST:PORT");
    refuse("spec: f\ninputs: {tx: {topic: t}}\noutputs: {decisions: {topic: d}}\nkafka: b\n",
           "2:22: `inputs.tx.topic` needs `state.dir` or `journal.path`", "state: FOLDER");
    refuse("spec: f\ninputs: {tx: {topic: t}}\nkafka: b\nstate: s\n", "0:0: `outputs.decisions.path` is missing",
           "outputs: {decisions: {topic: TOPIC}}");
    refuse("spec: f\ninputs: {tx: {topic: t}}\nkafka: b\nstate: s\nhttp: 'h:1'\n",
           "0:0: `outputs.decisions.path` is missing", "outputs: {decisions: {topic: TOPIC}}");
    refuse(SERVICE "journal: {topic: k}\n", "6:18: `journal.topic` is not supported yet",
           config_find_option("journal.topic")->unavailable);
    refuse("spec: f\ninputs: {tx: t}\noutputs: {decisions: d, alerts: a}\njournal: j\n",
           "4:10: `journal.path` is of a service", "");
    refuse(SERVICE "scheduler: {max_delay: 1ms}\n", "6:24: `scheduler.max_delay` has no effect",
           "scheduler.policy: fixed");
    refuse(SERVICE "scheduler: {policy: slo}\n", "6:21: `scheduler.policy` cannot be `slo` yet",
           config_find_option("scheduler.slo")->unavailable);
    refuse(SERVICE "scheduler: {policy: greedily}\n", "6:21: `scheduler.policy` must be greedy | fixed, not `greedily`",
           "did you mean `greedy`?");
    refuse(SERVICE "http: {listen: 'h:1', certificate: c}\n", "6:36: `http.certificate` needs `http.key`", "");
}

Test(config_service, the_log_of_http_events_is_a_topic_of_its_own) {
    ride_config *c = load("spec: f\nhttp: {listen: 'h:1', log_topic: c}\nkafka: b\nstate: s\n"); /* HTTP alone */
    cr_assert_str_eq(c->http.log_topic, "c");
    cr_assert(ride_config_is_service(c));
    ride_config_destroy(c);
    c = load(SERVICE "http: {listen: 'h:1', log_topic: c}\n");
    cr_assert_str_eq(c->http.log_topic, "c");
    ride_config_destroy(c);
    refuse(SERVICE "http: {log_topic: c}\n", "6:19: `http.log_topic` needs `http.listen`", "");
    refuse("spec: f\nhttp: {listen: 'h:1', log_topic: c}\nstate: s\n", "2:34: `http.log_topic` needs `kafka.brokers`",
           "kafka: HOST:PORT");
    refuse("spec: f\nhttp: {listen: 'h:1', log_topic: c}\nkafka: b\n",
           "2:34: `http.log_topic` needs `state.dir` or `journal.path`", "state: FOLDER");
    refuse(SERVICE "http: {listen: 'h:1', log_topic: t}\n",
           "6:34: `http.log_topic` is the topic of `inputs.tx.topic` too", "a topic of its own");
    refuse(SERVICE "http: {listen: 'h:1', log_topic: d}\n",
           "6:34: `http.log_topic` is the topic of `outputs.decisions.topic` too", "a topic of its own");
}

#define KAFKA(text)                                                                                                    \
    "spec: f\ninputs: {tx: {topic: t}}\noutputs: {decisions: {topic: d}}\nstate: st\nkafka: {brokers: b, " text "}\n"

Test(config_service, security_is_whole) {
    refuse(KAFKA("ca: c"), "5:25: `kafka.ca` has no effect: `kafka.security` is plaintext", "kafka.security: ssl");
    refuse(KAFKA("security: ssl, key: k"), "5:41: `kafka.key` needs `kafka.certificate`", "");
    refuse(KAFKA("security: ssl, sasl: {user: u}"), "5:49: `kafka.sasl.user` has no effect: `kafka.security` is ssl",
           "kafka.security: sasl_ssl");
    refuse(KAFKA("security: sasl_ssl, sasl: {user: u, mechanism: plain}"),
           "5:31: `kafka.security` sasl_ssl needs `kafka.sasl.password_file`", "");
    refuse(KAFKA("security: tls"), "5:31: `kafka.security` must be plaintext | ssl | sasl_plaintext | sasl_ssl", "");
    refuse(KAFKA("sasl: {mechanism: SCRAM-SHA-512}"), "5:39: `kafka.sasl.mechanism` must be plain", "");
    ride_config_destroy(load(KAFKA("security: sasl_plaintext, sasl: {user: 1, mechanism: plain, password_file: p}")));
}

Test(config_service, raw_options_pass_but_not_those_that_are_ours) {
    refuse(KAFKA("raw: {bootstrap.servers: x}"), "5:46: `kafka.raw.bootstrap.servers` is not for `kafka.raw`",
           "kafka.brokers");
    refuse(KAFKA("raw: {sasl.password: x}"), "5:42: `kafka.raw.sasl.password` is not", "kafka.sasl.password_file");
    refuse(KAFKA("raw: {enable.auto.commit: true}"), "5:47: `kafka.raw.enable.auto.commit` is not",
           "the delivery guarantees rest on it");
    refuse(KAFKA("raw: {'a b': x}"), "5:27: `a b` is no name of an option of librdkafka", "");
    refuse(KAFKA("raw: {debug: [x]}"), "5:34: `kafka.raw.debug` must be a value, not a list", "");
    refuse(KAFKA("raw: x"), "5:26: `kafka.raw` must be a mapping, not a value", "");
    refuse(KAFKA("raws: x"), "5:21: unknown key `raws` in `kafka`", "did you mean `raw`?");
    char text[8192];
    size_t used = (size_t)sprintf(text, SERVICE "journal: j\n");
    used = (size_t)sprintf(text, "%s", "spec: f\nhttp: 'h:1'\nkafka:\n  raw:\n");
    for (int i = 0; i <= RIDE_CONFIG_RAW_MAX; i++) used += (size_t)sprintf(text + used, "    a.%d: x\n", i);
    refuse(text, "69:11: `kafka.raw` has more than 64 options", "");
}

Test(config_service, a_mode_that_nothing_follows_is_refused) {
#define FILES "spec: f\ninputs: {tx: t}\noutputs: {decisions: d}\n"
    refuse(FILES "runtime: {mode: pipeline}\n", "4:17: `runtime.mode` pipeline needs several `runtime.shards`",
           "runtime.shards: 0, or 2 and more");
    ride_config_destroy(load(FILES "runtime: {mode: pipeline, shards: 0}\n"));
    ride_config_destroy(load(SERVICE "runtime: {mode: inline, shards: 2}\n"));
    ride_config_destroy(load(SERVICE "runtime: {mode: pipeline, shards: 1}\n"));
}

Test(config_service, what_a_topic_is_partitioned_by_is_said_of_all_or_none) {
    ride_config *c = load("spec: f\ninputs: {tx: {topic: t, partition_key: card}}\noutputs: {decisions: {topic: d}}\n"
                          "kafka: 'b:9092'\nstate: st\n");
    cr_assert_str_eq(ride_config_partition_key(c, "tx"), "card");
    cr_assert_null(ride_config_partition_key(c, "labels"));
    ride_config_destroy(c);
    refuse("spec: f\ninputs: {tx: {topic: t, partition_key: card}, b: {topic: u}}\noutputs: {decisions: {topic: d}}\n"
           "kafka: 'b:9092'\nstate: st\n",
           "2:58: `inputs.b.partition_key` is missing: `inputs.tx` has one", "");
    refuse("spec: f\ninputs: {tx: {path: t, partition_key: card}}\noutputs: {decisions: d}\n",
           "2:39: `inputs.tx.partition_key` needs `inputs.tx.topic`", "");
    refuse("spec: f\ninputs: {tx: {topic: t, partition_key: card}}\noutputs: {decisions: {topic: d}}\n"
           "kafka: 'b:9092'\nstate: st\nhttp: 'h:1'\n",
           "6:7: `http.listen` and `inputs.tx.partition_key` are both given", "one of them");
}

/* Findings of the check against this spec. */
static void partitioned_by(const char *field, const char *keys_of_b, const char *labels, const char *expected) {
    char config[512], spec_text[1024];
    ride_spec *spec = NULL;
    snprintf(config, sizeof config,
             "spec: f\ninputs: {tx: {topic: t, partition_key: %s}}\noutputs: {decisions: {topic: d}}\n"
             "kafka: 'b:9092'\nstate: st\n",
             field);
    snprintf(spec_text, sizeof spec_text,
             "version: 1\nsources:\n  tx:\n    format: csv\n    event_time: {field: ts, unit: s}\n    event_id: id\n"
             "    fields: {id: u64, card: u64, shop: u64}\n%s"
             "entities:\n  a: {keys: [card]}\n  b: {keys: [%s]}\n"
             "features:\n  - {entity: a, agg: [count], windows: [1h]}\n  - {entity: b, agg: [count], windows: [1h]}\n",
             labels, keys_of_b);
    ride_config *c = load(config);
    ride_status st = ride_spec_parse("spec.yaml", spec_text, strlen(spec_text), &spec, &findings);
    cr_assert_eq(st, RIDE_OK, "%s", findings.count > 0 ? findings.items[0].message : "");
    st = ride_config_check_partitions(c, spec, &findings);
    cr_assert_eq(st, expected == NULL ? RIDE_OK : RIDE_E_CONFIG);
    cr_assert_eq(findings.count, expected != NULL, "%u findings", findings.count);
    if (expected != NULL) {
        cr_assert_not_null(strstr(findings.items[0].message, expected), "%s", findings.items[0].message);
        cr_assert_eq(findings.items[0].line, 2);
    }
    ride_spec_destroy(spec);
    ride_config_destroy(c);
}

Test(config_service, windows_stay_within_a_partition) {
    static const char labels[] = "  back:\n    format: csv\n    event_time: {field: at, unit: s}\n"
                                 "    labels: {source: tx, key: id, value: bad}\n    fields: {id: u64, bad: bool}\n";
    partitioned_by("card", "card", "", NULL);
    partitioned_by("card", "shop, card", "", NULL);
    partitioned_by("card", "shop", "", "the keys of the entity `b` lack `card`");
    partitioned_by("kard", "card", "", "the source has no field `kard`");
    partitioned_by("card", "card", labels, "labels find their events in one process only");
}

Test(config_service, topics_and_addresses_are_checked) {
    static const char *const no_topics[] = {"", "a b", "a/b", ".", "..", "t\xc3\xbc"};
    static const char *const no_addresses[] = {"",      "8080",    ":8080", "h:",          "h:x",  "h:65536", "::1:80",
                                               "[::1]", "[::1:80", "h h:1", "http://h:80", "h:-1", "h:1 "};
    static const char *const addresses[] = {"h:0", "127.0.0.1:65535", "[::]:80", "localhost:1"};
    config_value got;
    config_fault wrong;
    const config_option *topic = config_find_option("outputs.late.topic"), *listen = config_find_option("http.listen");
    for (size_t i = 0; i < sizeof no_topics / sizeof no_topics[0]; i++)
        cr_assert_not(config_value_read(topic, no_topics[i], true, &got, &wrong), "%s", no_topics[i]);
    char name[251];
    memset(name, 'a', 250);
    name[250] = '\0';
    cr_assert_not(config_value_read(topic, name, true, &got, &wrong));
    cr_assert(config_value_read(topic, name + 1, true, &got, &wrong));
    for (size_t i = 0; i < sizeof no_addresses / sizeof no_addresses[0]; i++)
        cr_assert_not(config_value_read(listen, no_addresses[i], true, &got, &wrong), "%s", no_addresses[i]);
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++)
        cr_assert(config_value_read(listen, addresses[i], true, &got, &wrong), "%s", addresses[i]);
}

Test(config_service, show_loads_again_without_secrets) {
    ride_error err;
    char *shown = NULL, *second = NULL;
    ride_config *c = load(KAFKA("raw: {debug: broker, ssl.keystore.password: hunter2, fetch.wait.max.ms: 5}")), *again;
    cr_assert_eq(ride_config_show(c, false, &shown, &err), RIDE_OK);
    cr_assert_null(strstr(shown, "hunter2"), "%s", shown);
    cr_assert_not_null(strstr(shown, "    # ssl.keystore.password: given, not shown\n"), "%s", shown);
    cr_assert_not_null(strstr(shown, "    fetch.wait.max.ms: \"5\"\n"), "%s", shown);
    ride_config_destroy(c);
    c = load(KAFKA("raw: {debug: broker, fetch.wait.max.ms: 5}"));
    free(shown);
    cr_assert_eq(ride_config_show(c, false, &shown, &err), RIDE_OK);
    ride_diagnostics_free(&findings);
    cr_assert_eq(ride_config_parse("again.yaml", shown, strlen(shown), NULL, 0, NULL, &again, &findings), RIDE_OK,
                 "%s\n%s", shown, findings.items[0].message);
    cr_assert_eq(ride_config_show(again, false, &second, &err), RIDE_OK);
    cr_assert_str_eq(second, shown);
    ride_config_destroy(again);
    ride_config_destroy(c);
    free(shown);
    free(second);
    c = load("spec: f\nhttp: 'h:1'\n");
    cr_assert_eq(ride_config_show(c, false, &shown, &err), RIDE_OK);
    again = load(shown);
    ride_config_destroy(again);
    ride_config_destroy(c);
    free(shown);
}

static void reload(const char *next_text, uint32_t expected, const char *first) {
    ride_config *begun = load(SERVICE "rules: [{id: a, when: x, decision: review}]\n"), *next = load(next_text);
    ride_diagnostics_free(&findings);
    ride_status st = ride_config_reload_check(begun, next, &findings);
    cr_assert_eq(findings.count, expected, "%s: %u findings, first %s", next_text, findings.count,
                 findings.count > 0 ? findings.items[0].message : "");
    cr_assert_eq(st, expected > 0 ? RIDE_E_CONFIG : RIDE_OK);
    if (expected > 0)
        cr_assert_eq(strncmp(findings.items[0].message, first, strlen(first)), 0, "%s", findings.items[0].message);
    ride_config_destroy(begun);
    ride_config_destroy(next);
}

Test(config_service, a_reload_takes_all_or_names_what_needs_a_restart) {
#define RULES "rules: [{id: a, when: x, decision: review}]\n"
    reload(SERVICE RULES, 0, "");
    reload(SERVICE RULES "log: {level: debug}\nscheduler: {max_batch: 512, policy: fixed, max_delay: 1ms}\n"
                         "runtime: {drain_timeout: 1s}\n",
           0, "");
    reload(SERVICE RULES "scheduler: {max_batch: 1025}\n", 1, "`scheduler.max_batch` cannot grow while a run goes on");
    reload(SERVICE, 1, "`rules` cannot change while a run goes on");
    reload(SERVICE "rules: [{id: a, when: y, decision: review}]\n", 1, "`rules` cannot change");
    reload(SERVICE RULES "model: m\nlog: {level: debug}\nhttp: 'h:1'\n", 2,
           "`model.path` cannot change while a run goes on");
    reload("spec: f\ninputs: {tx: {topic: t2}, labels: {topic: l}}\noutputs: {decisions: {topic: d}}\nkafka: 'b:9092'\n"
           "state: st\n" RULES,
           3, "`inputs.tx.topic` cannot change");
    reload("spec: f\ninputs: {labels: {topic: t}}\noutputs: {decisions: {topic: d}}\nkafka: {brokers: 'b:9092', raw: "
           "{debug: x}}\n"
           "state: st\n" RULES,
           5, "`inputs.tx.topic` cannot change");
}
