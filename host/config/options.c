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
static const char *const policies[] = {"slo", "economy", "fixed", NULL};
static const char *const overloads[] = {"block", "reject", "degrade", "drop_oldest", NULL};
static const char *const splits[] = {"auto", "cpu", "gpu", NULL};

const config_group config_groups[] = {
    {"spec", "path", "The feature spec."},
    {"model", "path", "The model that scores. Without one the rules alone decide."},
    {CONFIG_RULE, NULL,
     "A list of decision rules, in order: the first that holds decides; none holds: approve. Given in the file only."},
    {"inputs", NULL, "Where each source of the spec reads from, by the source's name."},
    {CONFIG_INPUT, "path", "One source."},
    {"outputs", NULL, "Where results go."},
    {"outputs.decisions", "path", "One record per accepted event."},
    {"outputs.rejects", "path", "Dead letters: rows that could not be read."},
    {"outputs.late", "path", "Events too late for the windows."},
    {"outputs.summary", "path", "One JSON object at the end of the run."},
    {"outputs.drift", "path", "Drift of each interval."},
    {"backend", "name", "What computes."},
    {"drift", "profile", "Whether the events still look like those that the model was made with."},
    {"state", "dir", "What is kept from one run to the next."},
    {"scheduler", NULL, "How events are grouped."},
    {"log", NULL, "What the program says while it runs."},
};
const uint32_t config_groups_count = sizeof config_groups / sizeof config_groups[0];

const config_option config_options[] = {
    {"spec.path", CONFIG_PATH, AT(spec), .required = true, .text = "feature spec (YAML)"},
    {"model.path", CONFIG_PATH, AT(model), .text = "model file; without one there is no `probability`"},
    {"model.best_iteration", CONFIG_BOOL, AT(model_best_iteration), .default_text = "false",
     .text = "score with the trees up to the file's best iteration only"},
    {CONFIG_RULE ".id", CONFIG_NAME, .required = true, .text = "name of the rule, unique; told with each decision"},
    {CONFIG_RULE ".when", CONFIG_TEXT, .required = true,
     .text = "condition over fields, features, `margin` and `probability`"},
    {CONFIG_RULE ".decision", CONFIG_WORD, .words = decisions, .required = true, .text = "what the rule decides"},
    {CONFIG_INPUT ".path", CONFIG_STREAM, AT_INPUT(path), .required = true,
     .text = "file (plain, .gz or .zst), or `-` for the standard input"},
    {CONFIG_INPUT ".format", CONFIG_WORD, AT_INPUT(format), .words = formats, .words_first = RIDE_FORMAT_CSV,
     .text = "format of the rows; not set: as the spec says"},
    {"outputs.decisions.path", CONFIG_STREAM, AT(decisions.path), .required = true,
     .text = "where decisions go, or `-` for the standard output"},
    {"outputs.decisions.format", CONFIG_WORD, AT(decisions.format), .words = formats, .words_first = RIDE_FORMAT_CSV,
     .default_text = "csv", .text = "format of the records"},
    {"outputs.decisions.vector", CONFIG_BOOL, AT(decisions.vector), .default_text = "false",
     .text = "also write the features behind each decision"},
    {"outputs.rejects.path", CONFIG_STREAM, AT(rejects),
     .text = "one JSON line per rejected row, with reason and place; not set: they are only counted"},
    {"outputs.late.path", CONFIG_STREAM, AT(late), .text = "events too late for the windows; not set: only counted"},
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
    {"scheduler.max_batch", CONFIG_COUNT, "rows", 1, 1 << 20, "1024", AT(max_batch),
     .text = "rows per batch at most; changes speed, never results"},
    {"scheduler.slo", CONFIG_DURATION, .min = 1, .max = 60000000, .unavailable = NO_SLO,
     .text = "worst time from an event's arrival to its result"},
    {"scheduler.safety", CONFIG_SHARE, .min = 1, .max = 1000000, .unavailable = NO_SLO,
     .text = "share of scheduler.slo that is planned with"},
    {"scheduler.policy", CONFIG_WORD, .words = policies,
     .unavailable = "there is one policy: a batch closes when it is full or no more input is at hand",
     .text = "how batches are closed"},
    {"scheduler.buckets", CONFIG_COUNTS, .unit = "rows", .min = 1, .max = 1 << 20,
     .unavailable = "batches are not padded to sizes", .text = "batch sizes that are prepared for"},
    {"scheduler.on_overload", CONFIG_WORD, .words = overloads,
     .unavailable = "overload always holds the input back (block)", .text = "what happens to events over capacity"},
    {"scheduler.cpu_gpu_split", CONFIG_WORD, .words = splits, .unavailable = "a run uses one backend, backend.name",
     .text = "which device takes which batch"},
    {"log.level", CONFIG_WORD, AT(log_level), .words = levels, .words_first = RIDE_LOG_DEBUG, .default_text = "info",
     .text = "least level that is told"},
    {"log.format", CONFIG_WORD, AT(log_format), .words = log_formats, .words_first = RIDE_LOG_AUTO,
     .default_text = "auto", .text = "`auto`: human on a terminal, else json"},
};
const uint32_t config_options_count = sizeof config_options / sizeof config_options[0];
