/* cli/features.c: `ride features run`. */
#include "base/clock.h"
#include "cli/cli.h"
#include "engine/engine.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char cli_features_help[] =
    "usage: ride features run --spec FILE --input [NAME=]FILE|- --output FILE|- [options]\n"
    "Computes the features of every event: a header line, then one row per accepted event in input order.\n"
    "  --spec FILE             feature spec (YAML)\n"
    "  --input [NAME=]FILE|-   input of the source NAME (default: the source of events); repeat it for label sources;\n"
    "                          plain, .gz or .zst\n"
    "  --output FILE|-         where the rows go\n"
    "  --format csv|ndjson|binary   of the output (csv)\n"
    "  --rejects FILE          dead letters: one JSON line per row that could not be read\n"
    "  --late FILE             rows that came too late to enter the windows\n"
    "  --strict                exit 65 when a row was rejected\n"
    "  --batch ROWS            rows per batch (4096); changes speed, never the output\n"
    "  --backend NAME          cpu, or reference: slow and obvious\n"
    "  --quiet                 no summary; --progress: a progress line even without a terminal\n"
    "Example: ride features run --spec examples/handbook/features.yaml --input tx.csv.zst --output features.csv\n";

static volatile sig_atomic_t stop_requested;
static void on_signal(int signal_number) {
    (void)signal_number;
    stop_requested = 1;
}

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

static void print_findings(const ride_diagnostics *findings) {
    for (uint32_t i = 0; i < findings->count; i++) {
        const ride_diagnostic *d = &findings->items[i];
        if (d->line > 0) fprintf(stderr, "%s:%u:%u: ", d->file, d->line, d->column);
        else if (d->file != NULL) fprintf(stderr, "%s: ", d->file);
        fprintf(stderr, "%s%s%s%s\n", d->message, d->advice != NULL ? " (" : "", d->advice != NULL ? d->advice : "",
                d->advice != NULL ? ")" : "");
    }
    if (findings->dropped > 0) fprintf(stderr, "… and %u more\n", findings->dropped);
}

static bool parse_format(const char *text, ride_format *out) {
    if (strcmp(text, "csv") == 0) *out = RIDE_FORMAT_CSV;
    else if (strcmp(text, "ndjson") == 0) *out = RIDE_FORMAT_NDJSON;
    else if (strcmp(text, "binary") == 0) *out = RIDE_FORMAT_BINARY;
    else return false;
    return true;
}

int cli_features(int argc, char **argv) {
    static ride_input_option inputs[RIDE_SOURCES_MAX];
    ride_features_options options = {.inputs = inputs, .stop = &stop_requested};
    bool strict = false, quiet = false, progress = isatty(STDERR_FILENO);
    if (argc < 2 || strcmp(argv[1], "run") != 0) return cli_usage("features", "say what: `ride features run`");
    for (int i = 2; i < argc; i++) {
        const char *flag = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(flag, "--strict") == 0) strict = true;
        else if (strcmp(flag, "--quiet") == 0) quiet = true, progress = false;
        else if (strcmp(flag, "--progress") == 0) progress = true;
        else if (value == NULL) return cli_usage("features", "`%s` is no flag, or lacks its value", flag);
        else {
            i++;
            if (strcmp(flag, "--spec") == 0) options.spec_path = value;
            else if (strcmp(flag, "--output") == 0) options.output_path = value;
            else if (strcmp(flag, "--rejects") == 0) options.rejects_path = value;
            else if (strcmp(flag, "--late") == 0) options.late_path = value;
            else if (strcmp(flag, "--backend") == 0) options.backend = value;
            else if (strcmp(flag, "--batch") == 0) {
                options.batch_rows_max = (uint32_t)strtoul(value, NULL, 10);
                if (options.batch_rows_max == 0 || options.batch_rows_max > 1u << 20)
                    return cli_usage("features", "--batch takes 1 … 1048576, not `%s`", value);
            } else if (strcmp(flag, "--format") == 0) {
                if (!parse_format(value, &options.format))
                    return cli_usage("features", "--format is csv, ndjson or binary, not `%s`", value);
            } else if (strcmp(flag, "--input") == 0) {
                if (options.inputs_count == RIDE_SOURCES_MAX)
                    return cli_usage("features", "more than %d inputs", RIDE_SOURCES_MAX);
                char *equals = strchr(argv[i], '=');
                ride_input_option *input = &inputs[options.inputs_count++];
                input->path = value;
                if (equals == NULL || access(value, F_OK) == 0) continue;
                *equals = '\0';
                input->name = value;
                input->path = equals + 1;
            } else return cli_usage("features", "unknown flag `%s`", flag);
        }
    }
    if (options.spec_path == NULL || options.output_path == NULL || options.inputs_count == 0)
        return cli_usage("features", "needs --spec, --input and --output");
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    if (progress) options.progress = show_progress;
    static ride_features_summary summary;
    static ride_diagnostics findings;
    ride_error err = {0};
    ride_status st = ride_features_run(&options, &summary, &findings, &err);
    if (progress) fprintf(stderr, "\r\033[K");
    if (findings.count > 0) {
        print_findings(&findings);
        return ride_status_exit_code(ride_diagnostics_status(&findings));
    }
    if (st != RIDE_OK && st != RIDE_INTERRUPTED) return cli_failed("features run", &err);
    if (!quiet)
        fprintf(stderr,
                "%s%llu events (%llu late, %llu of them too late), %llu rejected, %llu duplicates, %llu labels (%llu "
                "without their event) in %.2f s: %.2f M "
                "events/s\n",
                st == RIDE_INTERRUPTED ? "interrupted: " : "", (unsigned long long)summary.accepted,
                (unsigned long long)summary.late, (unsigned long long)summary.too_late,
                (unsigned long long)summary.rejected, (unsigned long long)summary.duplicates,
                (unsigned long long)summary.labels, (unsigned long long)summary.labels_unknown,
                (double)summary.elapsed_ns / 1e9, (double)summary.accepted / ((double)summary.elapsed_ns / 1e3));
    return strict && summary.rejected > 0 ? ride_status_exit_code(RIDE_E_DATA) : 0;
}
