/* cli/features.c: `ride features run|explain`. */
#include "cli/cli.h"
#include "cli/run_report.h"
#include "features/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char cli_features_help[] =
    "usage: ride features run --spec FILE --input [NAME=]FILE|- --output FILE|- [options]\n"
    "       ride features explain --spec FILE\n"
    "run computes the features of every event: a header line, then one row per accepted event in input order.\n"
    "  --spec FILE             feature spec (YAML)\n"
    "  --input [NAME=]FILE|-   input of the source NAME (default: the source of events); repeat it for label sources;\n"
    "                          plain, .gz or .zst\n"
    "  --output FILE|-         where the rows go\n"
    "  --format csv|ndjson|binary   of the output (csv)\n"
    "  --rejects FILE          dead letters: one JSON line per row that could not be read\n"
    "  --late FILE             rows that came too late to enter the windows\n"
    "  --strict                exit 65 when a row was rejected\n"
    "  --batch ROWS            rows per batch (1024); changes speed, never the output\n"
    "  --backend NAME          cpu, cuda, auto, or reference: slow and obvious\n"
    "  --backend-path PATH     folder or file of the backend's plugin, looked at first\n"
    "  --quiet                 no summary; --progress: a progress line even without a terminal\n"
    "explain tells what a spec costs: bytes per key, memory, each feature exact or approximate.\n"
    "Examples:\n"
    "  ride features run --spec examples/handbook/features.yaml --input tx.csv.zst --output features.csv\n"
    "  ride features explain --spec examples/card-fraud/features.yaml\n";

static const char run_name[] = "features run";

static ride_input_option items[RIDE_SOURCES_MAX];
static cli_inputs inputs = {.items = items};
static ride_run_options r = {.inputs = items};
static bool strict, quiet, progress;
static const cli_option run_options[] = {
    {"--spec", CLI_TEXT, &r.spec_path, .required = true},
    {"--input", CLI_INPUTS, &inputs, .required = true},
    {"--output", CLI_TEXT, &r.output_path, .required = true},
    {"--format", CLI_FORMAT, &r.format},
    {"--rejects", CLI_TEXT, &r.rejects_path},
    {"--late", CLI_TEXT, &r.late_path},
    {"--strict", CLI_SWITCH, &strict},
    {"--batch", CLI_COUNT, &r.batch_rows_max, .max = 1u << 20},
    {"--backend", CLI_TEXT, &r.backend},
    {"--backend-path", CLI_TEXT, &r.backend_path},
    {"--quiet", CLI_SWITCH, &quiet},
    {"--progress", CLI_SWITCH, &progress},
};

static int run(void) {
    r.inputs_count = inputs.count;
    r.stop = cli_stop();
    progress = progress || (!quiet && isatty(STDERR_FILENO));
    if (progress) r.progress = cli_progress;
    static ride_run_summary summary;
    static ride_diagnostics findings;
    ride_error err = {.status = RIDE_OK};
    ride_diagnostics_init(&findings);
    ride_status st = ride_run(&r, &summary, &findings, &err);
    if (progress) cli_progress_end();
    if (findings.count > 0) return cli_findings(&findings);
    if (st != RIDE_OK && st != RIDE_INTERRUPTED) return cli_failed(run_name, &err);
    if (!quiet) cli_features_report(&summary, st == RIDE_INTERRUPTED);
    return strict && summary.rejected + summary.labels_rejected > 0 ? ride_status_exit_code(RIDE_E_DATA) : 0;
}

static const cli_option explain_options[] = {{"--spec", CLI_TEXT, &r.spec_path, .required = true}};

static int explain(void) {
    static ride_diagnostics findings;
    ride_spec *spec = NULL;
    ride_diagnostics_init(&findings);
    ride_status st = ride_spec_load(r.spec_path, &spec, &findings);
    if (st != RIDE_OK) {
        int code = cli_findings(&findings);
        return code != 0 ? code : ride_status_exit_code(st);
    }
    ride_error err = {.status = RIDE_OK};
    char *text = NULL;
    st = ride_explain_text(spec, &text, &err);
    int code = st == RIDE_OK ? cli_print(text) : cli_failed("features explain", &err);
    free(text);
    ride_spec_destroy(spec);
    return code;
}

const cli_word cli_features_words[] = {{"run", CLI_OPTIONS(run_options)},
                                       {"explain", CLI_OPTIONS(explain_options)},
                                       {0}};

int cli_features(int argc, char **argv) {
    const cli_word *word = cli_find_word("features", cli_features_words, argc, argv);
    if (word == NULL) return ride_status_exit_code(RIDE_E_USAGE);
    bool is_run = word->options == run_options;
    int wrong = cli_word_read(is_run ? run_name : "features explain", word, argc - 1, argv + 1);
    return wrong != 0 ? wrong : is_run ? run() : explain();
}
