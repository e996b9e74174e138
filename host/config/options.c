/* config/options.c: the option table: everything that can be configured, once. The parser, the environment, --set, `ride config`,
 * the schema and docs/CONFIGURATION.md come from these rows. */
#include "config/config_internal.h"

#include <string.h>

#define AT(member)       .at = offsetof(ride_config, member)
#define AT_INPUT(member) .at = offsetof(ride_config_input, member)
#define NO_SLO           "the scheduler does not hold a latency bound yet; batches close at scheduler.max_batch"

static const char *const formats[] = {"csv", "ndjson", "binary", NULL};
static const char *const decisions[] = {"approve", "review", "decline", NULL};
static const char *const levels[] = {"debug", "info", "warn", "error", "off", NULL};
static const char *const log_formats[] = {"auto", "human", "json", NULL};
static const char *const policies[] = {"greedy", "fixed", NULL};
static const char *const policies_later[] = {"slo", "economy", NULL};
static const char *const overloads[] = {"block", "reject", "degrade", "drop_oldest", NULL};
static const char *const starts[] = {"earliest", "latest", NULL};
static const char *const securities[] = {"plaintext", "ssl", "sasl_plaintext", "sasl_ssl", NULL};
static const char *const mechanisms[] = {"plain", "scram-sha-256", "scram-sha-512", NULL};
static const char *const modes[] = {"auto", "inline", "pipeline", NULL};
static const char *const whens[] = {"none", "alerts", "all", NULL};
static const char *const sides[] = {"both", "raise", NULL};
static const char *const splits[] = {"auto", "cpu", "gpu", NULL};

const config_group config_groups[] = {
    {"spec", "path", "The feature spec."},
    {"model", "path", "The model that scores. Without one the rules alone decide."},
    {CONFIG_RULE, NULL,
     "A list of decision rules, in order: the first that holds decides; none holds: approve. Given in the file only."},
    {"reasons", "when", "Why the model gave its score: the inputs that moved the margin most, with each decision."},
    {CONFIG_TEXTS, NULL,
     "Your words for inputs, by the name of the vector's entry or a pattern with `*`: `texts: {amount: \"unusual "
     "amount\", card_*: \"use of the card\"}`. The exact name wins, else the first pattern that fits."},
    {"inputs", NULL, "Where each source of the spec reads from, by the source's name."},
    {CONFIG_INPUT, "path", "One source."},
    {"outputs", NULL, "Where results go."},
    {"outputs.decisions", "path", "One record per accepted event."},
    {"outputs.alerts", "path", "The decisions that are not `approve`, once more, for those who act on them."},
    {"outputs.rejects", "path", "Dead letters: rows that could not be read."},
    {"outputs.late", "path", "Events too late for the windows."},
    {"outputs.summary", "path", "One JSON object at the end of the run."},
    {"outputs.drift", "path", "Drift of each interval."},
    {"backend", "name", "What computes."},
    {"drift", "profile", "Whether the events still look like those that the model was made with."},
    {"state", "dir", "What is kept from one run to the next."},
    {"kafka", "brokers", "The brokers of all topics, and how to talk to them."},
    {"kafka.sasl", NULL, "Who we are to the brokers, with `kafka.security` sasl_plaintext or sasl_ssl."},
    {CONFIG_RAW, NULL,
     "Any other option of librdkafka, by its own name: `raw: {fetch.wait.max.ms: 5}`. Those that have an option here, "
     "and those "
     "that the delivery guarantees rest on, are refused."},
    {"http", "listen", "Scoring over HTTP."},
    {"admin", "listen", "Metrics, health and the console, apart from what clients reach."},
    {"runtime", NULL, "Threads."},
    {"journal", "path",
     "The arrival journal of a service: in which order the records of several partitions were met, for a restart and "
     "for an audit."},
    {"scheduler", NULL, "How events are grouped."},
    {"log", NULL, "What the program says while it runs."},
};
const uint32_t config_groups_count = sizeof config_groups / sizeof config_groups[0];

const config_option config_options[] = {
    {"spec.path", CONFIG_PATH, AT(spec), .required = true, .text = "feature spec (YAML)"},
    {"model.path", CONFIG_PATH, AT(model),
     .text = "model file, or a manifest of several (docs/models.md); without one there is no `probability`"},
    {"model.best_iteration", CONFIG_BOOL, AT(model_best_iteration), .default_text = "false",
     .text =
         "score with the trees up to the file's best iteration only, of XGBoost; refused for LightGBM, whose files do "
         "not say it"},
    {"model.bytes_max", CONFIG_SIZE, AT(model_bytes_max), .min = 1 << 20, .max = UINT64_C(1) << 36,
     .default_text = "1GiB", .text = "a larger model file, or a manifest's files together, is refused"},
    {"model.trees_max", CONFIG_COUNT, "trees", 1, 10000000, "100000", AT(model_trees_max),
     .text = "a model of more trees is refused"},
    {"model.nodes_max", CONFIG_COUNT, "nodes", 1, 1000000000, "50000000", AT(model_nodes_max),
     .text = "a model of more nodes in all its trees is refused"},
    {CONFIG_RULE ".id", CONFIG_NAME, .required = true, .text = "name of the rule, unique; told with each decision"},
    {CONFIG_RULE ".when", CONFIG_TEXT, .required = true,
     .text = "condition over fields, features, `margin` and `probability`"},
    {CONFIG_RULE ".decision", CONFIG_WORD, .words = decisions, .required = true, .text = "what the rule decides"},
    {"reasons.when", CONFIG_WORD, AT(reasons.when), .words = whens, .words_first = RIDE_REASONS_NONE,
     .default_text = "none",
     .text = "which decisions have reasons: `alerts` are those that are not `approve`; needs `model`"},
    {"reasons.top", CONFIG_COUNT, "reasons", 1, RIDE_REASONS_TOP_MAX, "3", AT(reasons.top),
     .text = "reasons of a decision at most, the greatest first"},
    {"reasons.side", CONFIG_WORD, AT(reasons.side), .words = sides, .words_first = RIDE_REASON_BOTH,
     .default_text = "raise", .text = "`raise`: only what raises the answer is a reason; `both`: what lowers it too"},
    {"reasons.memory", CONFIG_SIZE, AT(reasons.memory_bytes), .min = 1 << 20, .max = UINT64_C(1) << 40,
     .default_text = "256MiB",
     .text = "bound of what explains the model, while it is made too (where it is less than 16MiB: of its tables, and "
             "all takes at most 16MiB); "
             "with less of it each row takes longer, and a model that needs more is refused"},
    {"reasons.background", CONFIG_PATH, AT(reasons.background),
     .text = "rows that stand for what is not known of an event, 1,024 of them evenly from a CSV file with the "
             "vector's columns (`ride features run`); not set: "
             "as the training rows went, where the model file says so (docs/explanations.md)"},
    {CONFIG_TEXTS ".<name>", CONFIG_LINE, "bytes", 1, RIDE_REASON_TEXT_MAX,
     .text = "what is said of the input where it is a reason"},
    {CONFIG_INPUT ".path", CONFIG_STREAM, AT_INPUT(path),
     .text = "file (plain, .gz or .zst), or `-` for the standard input; either this or `topic`"},
    {CONFIG_INPUT ".topic", CONFIG_TOPIC, AT_INPUT(topic), .text = "topic of Kafka"},
    {CONFIG_INPUT ".format", CONFIG_WORD, AT_INPUT(format), .words = formats, .words_first = RIDE_FORMAT_CSV,
     .text = "format of the rows; not set: as the spec says, of a topic `ndjson`"},
    {CONFIG_INPUT ".partition_key", CONFIG_NAME, AT_INPUT(partition_key),
     .text = "field that the topic is partitioned by; every entity of the spec must have it among its keys. Then "
             "several processes may share `kafka.group`, and each partition has a clock of its own"},
    {"outputs.decisions.path", CONFIG_STREAM, AT(decisions.path),
     .text = "where decisions go, or `-` for the standard output; either this or `topic`. Only a service that has no "
             "`inputs` "
             "(HTTP alone) may do without"},
    {"outputs.decisions.topic", CONFIG_TOPIC, AT(decisions.topic), .text = "topic of Kafka"},
    {"outputs.decisions.format", CONFIG_WORD, AT(decisions.format), .words = formats, .words_first = RIDE_FORMAT_CSV,
     .text = "format of the records; not set: `csv`, of a topic `ndjson`"},
    {"outputs.decisions.vector", CONFIG_BOOL, AT(decisions.vector), .default_text = "false",
     .text = "also write the features behind each decision"},
    {"outputs.alerts.path", CONFIG_STREAM, AT(alerts.path),
     .text = "file of the records, in the format of `outputs.decisions`; either this or `topic`; of a service only"},
    {"outputs.alerts.topic", CONFIG_TOPIC, AT(alerts.topic), .text = "topic of Kafka"},
    {"outputs.rejects.path", CONFIG_STREAM, AT(rejects),
     .text = "one JSON line per rejected row, with reason and place; not set: they are only counted"},
    {"outputs.rejects.topic", CONFIG_TOPIC, AT(rejects_topic), .text = "topic of Kafka; either this or `path`"},
    {"outputs.late.path", CONFIG_STREAM, AT(late), .text = "events too late for the windows; not set: only counted"},
    {"outputs.late.topic", CONFIG_TOPIC, AT(late_topic), .text = "topic of Kafka; either this or `path`"},
    {"outputs.summary.path", CONFIG_STREAM, AT(summary), .text = "figures of the whole run, as JSON"},
    {"outputs.drift.path", CONFIG_STREAM, AT(drift),
     .text = "one JSON line for each column of `drift.profile` when an interval ends; not set: in the summary only"},
    {"backend.name", CONFIG_NAME, AT(backend), .default_text = "auto",
     .text = "`auto` takes the first that can run here (`ride doctor` tells); or a backend's name"},
    {"backend.path", CONFIG_PATH, AT(backend_path), .text = "folder or plugin file that is searched first"},
    {"backend.memory", CONFIG_SIZE, AT(backend_memory), .min = UINT64_C(1) << 20, .max = UINT64_C(1) << 50,
     .text = "bound of the window state; not set: the machine's memory"},
    {"drift.profile", CONFIG_PATH, AT(drift_profile),
     .text = "reference profile, made by `ride profile build`; not set: drift is not looked at"},
    {"drift.interval", CONFIG_DURATION, .min = 1000000, .max = UINT64_C(366) * 86400000000, .default_text = "1d",
     AT(drift_interval_us), .text = "length of the intervals of event time that are compared, aligned to 1970 in UTC"},
    {"drift.psi_alert", CONFIG_DECIMAL, .min = 1, .max = 1000000000, .default_text = "0.25", AT(drift_psi_alert),
     .text = "population stability index from which on a column is told as drifted"},
    {"state.dir", CONFIG_PATH, AT(state_dir), .text = "folder of saved state; not set: nothing is kept"},
    {"kafka.brokers", CONFIG_LINE, AT(kafka.brokers),
     .text = "some of the brokers: `HOST:PORT,HOST:PORT`; the others are found"},
    {"kafka.group", CONFIG_LINE, AT(kafka.group), .default_text = "ride",
     .text = "consumer group; its stored offsets say where a start goes on"},
    {"kafka.client_id", CONFIG_LINE, AT(kafka.client_id), .default_text = "ride",
     .text = "name in the broker's logs and quotas"},
    {"kafka.start", CONFIG_WORD, AT(kafka.start), .words = starts, .words_first = RIDE_CONFIG_EARLIEST,
     .default_text = "earliest", .text = "where a group begins that has no stored offsets"},
    {"kafka.security", CONFIG_WORD, AT(kafka.security), .words = securities, .words_first = RIDE_CONFIG_PLAINTEXT,
     .default_text = "plaintext", .text = "what the connections to the brokers are"},
    {"kafka.ca", CONFIG_PATH, AT(kafka.ca),
     .text = "certificates (PEM) that the brokers' are checked against; not set: the system's"},
    {"kafka.certificate", CONFIG_PATH, AT(kafka.certificate),
     .text = "our own certificate (PEM), where brokers ask for one"},
    {"kafka.key", CONFIG_PATH, AT(kafka.key), .text = "its private key (PEM)"},
    {"kafka.key_password_file", CONFIG_PATH, AT(kafka.key_password_file),
     .text = "file whose first line is the key's password"},
    {"kafka.sasl.mechanism", CONFIG_WORD, AT(kafka.sasl.mechanism), .words = mechanisms,
     .words_first = RIDE_CONFIG_PLAIN, .text = "how the password is proved"},
    {"kafka.sasl.user", CONFIG_LINE, AT(kafka.sasl.user), .text = "user name"},
    {"kafka.sasl.password_file", CONFIG_PATH, AT(kafka.sasl.password_file),
     .text = "file whose first line is the password"},
    {CONFIG_RAW ".<name>", CONFIG_LINE, .text = "option of librdkafka, as its own documentation says"},
    {"http.listen", CONFIG_ADDRESS, AT(http.listen),
     .text = "`HOST:PORT` (`0.0.0.0:8080`, `[::]:8080`; port 0: a free one); not set: off"},
    {"http.certificate", CONFIG_PATH, AT(http.certificate),
     .text = "certificate chain (PEM) for TLS; not set: plain HTTP"},
    {"http.key", CONFIG_PATH, AT(http.key), .text = "its private key (PEM)"},
    {"http.token_file", CONFIG_PATH, AT(http.token_file),
     .text = "file of bearer tokens, one a line, of which clients must send one; read again by a reload; not set: none "
             "is asked for"},
    {"http.log_topic", CONFIG_TOPIC, AT(http.log_topic),
     .text = "topic of Kafka that HTTP events are written to before they are answered, and read from like those of "
             "`inputs`: they outlive the process; it is begun at its begin, whatever "
             "`kafka.start` says; not set: they do not"},
    {"http.body_max", CONFIG_SIZE, AT(http.body_max), .min = 1024, .max = UINT64_C(1) << 30, .default_text = "1MiB",
     .text = "longest body; over it: 413"},
    {"http.header_max", CONFIG_SIZE, AT(http.header_max), .min = 1024, .max = 1 << 20, .default_text = "16KiB",
     .text = "longest header; over it: 431"},
    {"http.memory", CONFIG_SIZE, AT(http.memory), .min = 1 << 20, .max = UINT64_C(1) << 40, .default_text = "64MiB",
     .text = "bodies and answers of all requests together; over it: 429 with Retry-After"},
    {"http.connections_max", CONFIG_COUNT, "connections", 1, 65536, "1024", AT(http.connections_max),
     .text =
         "connections at once; at the limit the one idle longest, if longer than a second, makes room, else new ones "
         "wait"},
    {"http.idle_timeout", CONFIG_DURATION, .min = 1000000, .max = UINT64_C(3600000000), .default_text = "60s",
     AT(http.idle_timeout_us), .text = "after which a connection that sends nothing is closed, in whole seconds"},
    {"http.queue", CONFIG_COUNT, "events", 1, 1 << 20, "16384", AT(http.queue),
     .text = "events that wait to be scored; over it: 429 with Retry-After"},
    {"http.model_name", CONFIG_NAME, AT(http.model_name), .default_text = "ride", .text = "name in `/v2/models/NAME`"},
    {"admin.listen", CONFIG_ADDRESS, AT(admin.listen),
     .text =
         "`HOST:PORT` of /metrics, /healthz and /readyz; not set: a service takes 127.0.0.1:9100 when that is free"},
    {"runtime.mode", CONFIG_WORD, AT(runtime.mode), .words = modes, .words_first = RIDE_CONFIG_AUTO,
     .default_text = "auto",
     .text =
         "`inline`: a batch is written before the next one is read. `pipeline`: the next is read and the last one "
         "written meanwhile; over files by the first shard, with `runtime.shards` above 1, in a service by two more "
         "threads. `auto`: `pipeline` where that can be, and in a service where there are four cores or more, one for "
         "each shard and two beside them. The results are the same bytes"},
    {"runtime.shards", CONFIG_COUNT, "shards", 0, RIDE_CONFIG_SHARDS_MAX, "1", AT(runtime.shards),
     .text = "parts of the key space, one core each; 0: by the machine's cores; changes speed, never results"},
    {"runtime.drain_timeout", CONFIG_DURATION, .min = 0, .max = UINT64_C(3600000000), .default_text = "30s",
     AT(runtime.drain_timeout_us), .hot_reloadable = true,
     .text = "how long a stop waits for results to arrive; what has not by then is read again after the next start"},
    {"journal.path", CONFIG_PATH, AT(journal.path),
     .text = "file; not set: `journal.ride` in `state.dir`, when that is set"},
    {"journal.topic", CONFIG_TOPIC, .unavailable = "the arrival journal is a file, journal.path",
     .text = "topic of Kafka with one partition"},
    {"journal.sync", CONFIG_BOOL, AT(journal.sync), .default_text = "false",
     .text = "force the file to the disk before results go out: the order survives a crash of the machine, not only of "
             "the process"},
    {"scheduler.max_batch", CONFIG_COUNT, "rows", 1, 1 << 20, "1024", AT(max_batch), .hot_reloadable = true,
     .text = "rows per batch at most; changes speed, never results"},
    {"scheduler.policy", CONFIG_WORD, AT(policy), .words = policies, .words_first = RIDE_CONFIG_GREEDY,
     .default_text = "greedy", .words_later = policies_later, .words_why = NO_SLO, .hot_reloadable = true,
     .text = "`greedy`: a batch closes when it is full, or the device is free; `fixed`: when it is full, or its oldest "
             "row is "
             "scheduler.max_delay old"},
    {"scheduler.max_delay", CONFIG_DURATION, .min = 0, .max = 60000000, .default_text = "0s", AT(max_delay_us),
     .hot_reloadable = true, .text = "how long a row waits for others, with scheduler.policy fixed"},
    {"scheduler.slo", CONFIG_DURATION, .min = 1, .max = 60000000, .unavailable = NO_SLO,
     .text = "worst time from an event's arrival to its result"},
    {"scheduler.safety", CONFIG_SHARE, .min = 1, .max = 1000000, .unavailable = NO_SLO,
     .text = "share of scheduler.slo that is planned with"},
    {"scheduler.buckets", CONFIG_COUNTS, .unit = "rows", .min = 1, .max = 1 << 20,
     .unavailable = "batches are not padded to sizes", .text = "batch sizes that are prepared for"},
    {"scheduler.on_overload", CONFIG_WORD, .words = overloads,
     .unavailable = "topics are held back and HTTP is answered 429, nothing else yet",
     .text = "what happens to events over capacity"},
    {"scheduler.cpu_gpu_split", CONFIG_WORD, .words = splits, .unavailable = "a run uses one backend, backend.name",
     .text = "which device takes which batch"},
    {"log.level", CONFIG_WORD, AT(log_level), .words = levels, .words_first = RIDE_LOG_DEBUG, .default_text = "info",
     .hot_reloadable = true, .text = "least level that is told"},
    {"log.format", CONFIG_WORD, AT(log_format), .words = log_formats, .words_first = RIDE_LOG_AUTO,
     .default_text = "auto", .text = "`auto`: human on a terminal, else json"},
};
const uint32_t config_options_count = sizeof config_options / sizeof config_options[0];
