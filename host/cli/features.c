/* cli/features.c: `ride features run|explain`. */
#include "base/clock.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "engine/engine.h"
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
    "  --backend NAME          cpu, or reference: slow and obvious\n"
    "  --quiet                 no summary; --progress: a progress line even without a terminal\n"
    "explain tells what a spec costs: bytes per key, memory, each feature exact or approximate.\n"
    "Examples:\n"
    "  ride features run --spec examples/handbook/features.yaml --input tx.csv.zst --output features.csv\n"
    "  ride features explain --spec examples/card-fraud/features.yaml\n";

static void show_progress(void *context, const ride_features_summary *s) {
    static uint64_t last_ns, start_ns;
    (void)context;
    uint64_t now_ns = ride_clock_now_ns(ride_clock_real());
    if (start_ns == 0) start_ns = now_ns;
    if (now_ns - last_ns < 200000000) return;
    last_ns = now_ns;
    double seconds = (double)(now_ns - start_ns) / 1e9;
    fprintf(stderr, "\r%llu events, %.2f M/s, batch p50 %.0f us p99 %.0f us   ", (unsigned long long)s->accepted,
            seconds > 0 ? (double)s->accepted / seconds / 1e6 : 0.0,
            (double)ride_histogram_quantile(&s->batch_ns, 0.5) / 1e3,
            (double)ride_histogram_quantile(&s->batch_ns, 0.99) / 1e3);
}

static const char run_name[] = "features run";

static void print_summary(const ride_features_summary *s, bool interrupted) {
    double us = (double)s->elapsed_ns / 1e3;
    fprintf(stderr,
            "%s%llu events (%llu late, %llu of them too late), %llu rejected, %llu duplicates, %llu labels (%llu "
            "without their event) in %.2f s: %.2f M events/s\n",
            interrupted ? "interrupted: " : "", (unsigned long long)s->accepted, (unsigned long long)s->late,
            (unsigned long long)s->too_late, (unsigned long long)s->rejected, (unsigned long long)s->duplicates,
            (unsigned long long)s->labels, (unsigned long long)s->labels_unknown, us / 1e6,
            us > 0 ? (double)s->accepted / us : 0.0);
}

static int run(int argc, char **argv) {
    static ride_input_option items[RIDE_SOURCES_MAX];
    cli_inputs inputs = {.items = items};
    ride_features_options r = {.inputs = items};
    bool strict = false, quiet = false, progress = false;
    const cli_option options[] = {
        {"--spec", CLI_TEXT, &r.spec_path, true, 0},        {"--input", CLI_INPUTS, &inputs, true, 0},
        {"--output", CLI_TEXT, &r.output_path, true, 0},    {"--format", CLI_FORMAT, &r.format, false, 0},
        {"--rejects", CLI_TEXT, &r.rejects_path, false, 0}, {"--late", CLI_TEXT, &r.late_path, false, 0},
        {"--strict", CLI_SWITCH, &strict, false, 0},        {"--batch", CLI_COUNT, &r.batch_rows_max, false, 1u << 20},
        {"--backend", CLI_TEXT, &r.backend, false, 0},      {"--quiet", CLI_SWITCH, &quiet, false, 0},
        {"--progress", CLI_SWITCH, &progress, false, 0},
    };
    int wrong = cli_options_read(run_name, argc, argv, options, sizeof options / sizeof options[0]);
    if (wrong != 0) return wrong;
    r.inputs_count = inputs.count;
    r.stop = cli_stop();
    progress = progress || (!quiet && isatty(STDERR_FILENO));
    if (progress) r.progress = show_progress;
    static ride_features_summary summary;
    static ride_diagnostics findings;
    ride_error err = {.status = RIDE_OK};
    ride_diagnostics_init(&findings);
    ride_status st = ride_features_run(&r, &summary, &findings, &err);
    if (progress) fputs("\r\033[K", stderr);
    if (findings.count > 0) return cli_findings(&findings);
    if (st != RIDE_OK && st != RIDE_INTERRUPTED) return cli_failed(run_name, &err);
    if (!quiet) print_summary(&summary, st == RIDE_INTERRUPTED);
    return strict && summary.rejected > 0 ? ride_status_exit_code(RIDE_E_DATA) : 0;
}

static int explain(int argc, char **argv) {
    const char *path = NULL;
    const cli_option options[] = {{"--spec", CLI_TEXT, &path, true, 0}};
    int wrong = cli_options_read("features explain", argc, argv, options, 1);
    if (wrong != 0) return wrong;
    static ride_diagnostics findings;
    ride_spec *spec = NULL;
    ride_diagnostics_init(&findings);
    ride_status st = ride_spec_load(path, &spec, &findings);
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

int cli_features(int argc, char **argv) {
    static const char *const words[] = {"run", "explain"};
    const char *word = argc > 1 ? argv[1] : NULL;
    if (word != NULL && strcmp(word, "run") == 0) return run(argc - 1, argv + 1);
    if (word != NULL && strcmp(word, "explain") == 0) return explain(argc - 1, argv + 1);
    return cli_unknown_word("features", word, words, 2);
}
