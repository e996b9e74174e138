/* cli/run.c: `ride run`: the configuration, the run, and what a person is told of it. */
#include "base/clock.h"
#include "cli/cli.h"
#include "cli/config_read.h"
#include "cli/run_report.h"
#include "engine/placed.h"
#include "engine/service_config.h"
#include "engine/summary.h"

#include <stdio.h>
#include <unistd.h>

const char cli_run_help[] =
    "usage: ride run --config FILE [--set KEY=VALUE]… [options]\n"
    "Reads events, computes their features, scores them, decides, and writes one decision per event in input order.\n"
    "From files: to their end, or until Ctrl-C or SIGTERM, which end it cleanly; with state.dir the next run goes on "
    "from "
    "there.\n"
    "From topics of Kafka or by HTTP: a service, until Ctrl-C or SIGTERM: then no more is taken, what is in hand is "
    "finished, "
    "and\n"
    "results are waited for, at most runtime.drain_timeout. A second signal ends it at once. SIGHUP reads the "
    "configuration again\n"
    "and takes all of it, or, with the reason in the log, nothing.\n"
    "  --config FILE      what to run (YAML; docs/CONFIGURATION.md, `ride config reference`)\n"
    "  --set KEY=VALUE    changes one option; stronger than the environment (RIDE__SCHEDULER__MAX_BATCH=1024) and the "
    "file\n"
    "  --strict           exit 65 when a row was rejected\n"
    "  --quiet            no summary; --progress: a progress line even without a terminal\n"
    "Exit: 0 done or stopped, 64 wrong use, 65 bad data or model, 66 no input or topic, 69 no port, broker or backend, "
    "71 not\n"
    "enough memory, 74 input/output failed, 75 stopped before all results were acknowledged (the message says which: "
    "their events\n"
    "are worked again at the next start), 78 bad configuration or spec; ended by a second signal: 130, 143\n"
    "Examples:\n"
    "  ride run --config examples/card-fraud/ride.yaml\n"
    "  ride run --config ride.yaml --set inputs.tx.path=today.csv.zst --set outputs.decisions.path=- --quiet\n";

enum { LOG_REPEATS_MAX = 50 }; /* a service's lines of one message within ten seconds */

static const char *path;
static cli_sets sets;
static bool strict, quiet, progress;
static const cli_option options[] = {
    {"--config", CLI_TEXT, &path, .required = true},
    {"--set", CLI_SETS, &sets},
    {"--strict", CLI_SWITCH, &strict},
    {"--quiet", CLI_SWITCH, &quiet},
    {"--progress", CLI_SWITCH, &progress},
};
const cli_word cli_run_words[] = {{"", CLI_OPTIONS(options)}, {0}};

static ride_status load_again(void *context, ride_config **out, ride_diagnostics *findings) {
    (void)context;
    return ride_config_load(path, sets.items, sets.count, (const char *const *)environ, out, findings);
}

static ride_status serve(const ride_config *config, const ride_run_options *run, ride_run_summary *summary,
                         ride_diagnostics *findings, ride_error *err) {
    static ride_waker waker;
    RIDE_TRY(ride_waker_open(&waker, err));
    cli_signals_wake(&waker);
    const ride_service_process process = {.waker = &waker, .reload = cli_reload(), .load = load_again};
    ride_status st = ride_service_run_config(config, run, &process, summary, findings, err);
    cli_signals_wake(NULL);
    ride_waker_close(&waker);
    return st;
}

/* On this machine's cores and memory, as far as they are known. */
static ride_status run_placed(const ride_config *config, ride_run_options *run, ride_run_summary *summary,
                              ride_diagnostics *findings, ride_error *err) {
    static ride_placed placed;
    ride_status st = ride_placed_open(&placed, config, err);
    if (st == RIDE_OK) {
        ride_placed_apply(&placed, run);
        st = ride_config_is_service(config) ? serve(config, run, summary, findings, err)
                                            : ride_run(run, summary, findings, err);
    }
    ride_placed_close(&placed);
    return st;
}

static int run_config(const ride_config *config) {
    bool shown = progress || (!quiet && isatty(STDERR_FILENO));
    static ride_run_summary summary;
    static ride_diagnostics findings;
    static const char *rule_ids[RIDE_CONFIG_RULES_MAX];
    static ride_decision rule_decisions[RIDE_CONFIG_RULES_MAX];
    ride_input_option inputs[RIDE_SOURCES_MAX];
    ride_run_options run;
    ride_error err = {.status = RIDE_OK};
    for (uint32_t r = 0; r < config->rules_count; r++) {
        rule_ids[r] = config->rules[r].id;
        rule_decisions[r] = config->rules[r].decision;
    }
    cli_config_run(config, inputs, &run);
    run.progress = shown ? cli_progress : NULL;
    if (quiet) run.model_load.watch = NULL;
    ride_summary_facts facts = {.program = "ride " CLI_VERSION,
                                .config = config->path,
                                .started_us = ride_clock_wall_us(ride_clock_real()),
                                .rule_ids = rule_ids,
                                .rule_decisions = rule_decisions,
                                .rules_count = config->rules_count};
    ride_diagnostics_init(&findings);
    ride_status st = run_placed(config, &run, &summary, &findings, &err);
    if (shown) cli_progress_end();
    int code = 0;
    facts.interrupted = st == RIDE_INTERRUPTED;
    if (findings.count > 0) code = cli_findings(&findings);
    else if (st != RIDE_OK && st != RIDE_INTERRUPTED) code = cli_failed("run", &err);
    else {
        if (!quiet) cli_run_report(&summary, &facts);
        if (strict && summary.rejected + summary.labels_rejected > 0) code = ride_status_exit_code(RIDE_E_DATA);
        if (config->summary != NULL && ride_summary_write(&summary, &facts, config->summary, &err) != RIDE_OK)
            code = cli_failed("run", &err);
    }
    ride_run_summary_free(&summary);
    return code;
}

int cli_run(int argc, char **argv) {
    int wrong = cli_word_read("run", &cli_run_words[0], argc, argv);
    if (wrong != 0) return wrong;
    ride_config *config = NULL;
    int code = cli_config_read(path, &sets, &config);
    if (code != 0) return code;
    ride_log_setup(&(ride_log_options){.level_min = config->log_level,
                                       .format = config->log_format,
                                       .fd = STDERR_FILENO,
                                       .repeats_max = ride_config_is_service(config) ? LOG_REPEATS_MAX : 0});
    code = run_config(config);
    ride_log_tell_held();
    ride_config_destroy(config);
    return code;
}
