/* cli/profile.c: `ride profile build|show`: the reference that drift is measured against. */
#include "engine/profile.h"
#include "cli/cli.h"
#include "cli/config_read.h"
#include "cli/run_report.h"
#include "io/time_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char cli_profile_help[] =
    "usage: ride profile build --config FILE [--set KEY=VALUE]… [--input [NAME=]FILE]… --output FILE|- [options]\n"
    "       ride profile build --spec FILE [--model FILE] --input [NAME=]FILE… --output FILE|- [options]\n"
    "       ride profile show FILE\n"
    "build computes features and scores of past events, normally those that the model was trained on, and keeps how "
    "each\n"
    "is distributed: what `ride run` with drift.profile compares with. The values are held in memory meanwhile, 8 "
    "bytes for\n"
    "each row and column.\n"
    "  --config FILE          a run's configuration: its spec, model and, without --input, its inputs\n"
    "  --spec FILE            a feature spec; --model FILE with a model, whose scores are then profiled too\n"
    "  --input [NAME=]FILE|-  input of the source NAME (default: the source of events); repeat it for label sources\n"
    "  --from T, --to T       only events with from <= time < to: 2025-02-01, or an ISO 8601 time. Earlier ones still "
    "fill\n"
    "                         the windows: leave out the first days, in which the windows are not full\n"
    "  --output FILE|-        the profile\n"
    "  --quiet                no line at the end; --progress: a progress line even without a terminal\n"
    "show prints a profile as a table: per column the rows, missing values, mean, deviation, quantiles or values.\n"
    "Examples:\n"
    "  ride profile build --config examples/card-fraud/ride.yaml --input train.csv --from 2025-02-01 --output "
    "model.profile\n"
    "  ride profile show model.profile\n";

static const char build_name[] = "profile build", show_name[] = "profile show";

static ride_input_option items[RIDE_SOURCES_MAX];
static cli_inputs inputs = {.items = items};
static cli_sets sets;
static ride_run_options run;
static ride_profile_build_options b = {.run = &run, .from_us = INT64_MIN, .to_us = INT64_MAX};
static const char *config_path, *show_path;
static bool quiet, progress;

static bool read_time(const char *text, void *out) {
    int64_t local_us, offset_us = 0;
    bool has_offset = false;
    if (!ride_time_from_iso8601(text, strlen(text), &local_us, &has_offset, &offset_us)) return false;
    *(int64_t *)out = local_us - (has_offset ? offset_us : 0);
    return true;
}

static const cli_option build_options[] = {
    {"--config", CLI_TEXT, &config_path},
    {"--set", CLI_SETS, &sets},
    {"--spec", CLI_TEXT, &run.spec_path},
    {"--model", CLI_TEXT, &run.model_path},
    {"--input", CLI_INPUTS, &inputs},
    {"--from", CLI_CONVERTED, &b.from_us, .convert = read_time},
    {"--to", CLI_CONVERTED, &b.to_us, .convert = read_time},
    {"--output", CLI_TEXT, &b.output_path, .required = true},
    {"--quiet", CLI_SWITCH, &quiet},
    {"--progress", CLI_SWITCH, &progress},
};
static const cli_option show_options[] = {{"FILE", CLI_TEXT, &show_path, .required = true}};
const cli_word cli_profile_words[] = {{"build", CLI_OPTIONS(build_options)}, {"show", CLI_OPTIONS(show_options)}, {0}};

static int build_run(void) {
    static ride_diagnostics findings;
    ride_error err = {.status = RIDE_OK};
    ride_profile_built built;
    progress = progress || (!quiet && isatty(STDERR_FILENO));
    if (progress) run.progress = cli_progress;
    run.stop = cli_stop();
    run.inputs = items;
    run.inputs_count = inputs.count;
    ride_diagnostics_init(&findings);
    ride_status st = ride_profile_build(&b, &built, &findings, &err);
    if (progress) cli_progress_end();
    if (findings.count > 0) return cli_findings(&findings);
    if (st == RIDE_INTERRUPTED) {
        fputs("ride profile build: interrupted: nothing is written\n", stderr);
        return ride_status_exit_code(st);
    }
    if (st != RIDE_OK) return cli_failed(build_name, &err);
    if (!quiet)
        fprintf(stderr, "profile of %" PRIu64 " of %" PRIu64 " rows, %u columns, %.1f KiB\n", built.rows_count,
                built.rows_read, built.columns_count, (double)built.bytes / 1024);
    return 0;
}

static int build(void) {
    if ((config_path != NULL) == (run.spec_path != NULL)) return cli_usage(build_name, "give --config or --spec");
    if (b.from_us >= b.to_us) return cli_usage(build_name, "--from is not before --to");
    if (config_path == NULL) {
        if (sets.count > 0) return cli_usage(build_name, "--set changes a --config");
        if (inputs.count == 0) return cli_usage(build_name, "--input is missing");
        return build_run();
    }
    if (run.model_path != NULL)
        return cli_usage(build_name, "the model is the configuration's: --set model.path=%s", run.model_path);
    ride_config *config = NULL;
    int code = cli_config_read(config_path, &sets, &config);
    if (code != 0) return code;
    ride_log_setup(
        &(ride_log_options){.level_min = config->log_level, .format = config->log_format, .fd = STDERR_FILENO});
    run.spec_path = config->spec;
    run.model_path = config->model;
    run.model_load = cli_config_model(config);
    if (quiet) run.model_load.watch = NULL;
    run.batch_rows_max = config->max_batch;
    run.backend = config->backend;
    run.backend_path = config->backend_path;
    run.backend_memory = config->backend_memory;
    if (inputs.count == 0 && ride_config_is_service(config)) {
        ride_config_destroy(config);
        return cli_usage(build_name, "the configuration reads topics, not files: give --input");
    }
    for (uint32_t i = 0; inputs.count == 0 && i < config->inputs_count; i++)
        items[i] = (ride_input_option){config->inputs[i].source, config->inputs[i].path, config->inputs[i].format};
    if (inputs.count == 0) inputs.count = config->inputs_count;
    code = build_run();
    ride_config_destroy(config);
    return code;
}

static const char *source_text(uint32_t source) { return source == RIDE_PROFILE_VECTOR ? "feature" : "score"; }

/* The edge up to which a share q of the reference's values lies, by its own counts; 0: the least value. */
static double quantile(const ride_profile_file *file, const ride_profile_column *column, uint64_t values, double q) {
    const uint64_t *bins = file->profile.counts + column->cells_first + RIDE_PROFILE_CELL_BINS;
    const double *edges = file->profile.edges + column->edges_first;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < column->edges_count; i++) {
        sum += bins[i];
        if (sum > 0 && (double)sum >= q * (double)values) return edges[i];
    }
    return column->edges_count > 0 ? edges[column->edges_count - 1] : NAN;
}

static void print_categories(const ride_profile_file *file, const ride_profile_column *column, uint64_t values) {
    const uint64_t *bins = file->profile.counts + column->cells_first + RIDE_PROFILE_CELL_BINS;
    for (uint32_t i = 0; i < column->edges_count && i < 8; i++)
        printf(" %g: %.1f%%", file->profile.edges[column->edges_first + i],
               values > 0 ? 100 * (double)bins[i] / (double)values : 0.0);
    if (column->edges_count > 8) printf(" and %u more", column->edges_count - 8);
}

static void print_column(const ride_profile_file *file, uint32_t index) {
    static const double shares[] = {0, 0.1, 0.5, 0.9, 1};
    const ride_profile_column *column = &file->profile.columns[index];
    const uint64_t missing = file->profile.counts[column->cells_first + RIDE_PROFILE_CELL_MISSING],
                   rows = file->profile.header->rows_count, values = rows - missing;
    uint32_t bins = 1;
    for (uint32_t i = 0; i < column->edges_count; i++) bins += file->profile.coarse[column->edges_first + i];
    printf("%-28s %-8s %-8s %7.2f%%", ride_profile_name(file, index), source_text(column->source),
           column->kind == RIDE_PROFILE_NUMBER ? "number" : "category", 100 * (double)missing / (double)rows);
    if (column->kind == RIDE_PROFILE_CATEGORY) {
        printf(" %5u ", column->edges_count);
        print_categories(file, column, values);
    } else {
        printf(" %5u %12.5g %12.5g", bins, column->mean, column->std_pop);
        for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++)
            printf(" %11.5g", quantile(file, column, values, shares[i]));
    }
    putchar('\n');
}

static void print_hash(const char *what, const uint8_t hash[32]) {
    printf("%-12s ", what);
    for (int i = 0; i < 32; i++) printf("%02x", hash[i]);
    putchar('\n');
}

static int show(void) {
    ride_profile_file file;
    ride_error err = {.status = RIDE_OK};
    ride_status st = ride_profile_file_open(show_path, &file, &err);
    if (st == RIDE_OK) {
        const ride_profile_header *h = file.profile.header;
        printf("%-12s %" PRIu64 "\n%-12s %u\n", "rows", h->rows_count, "columns", h->columns_count);
        print_hash("spec", h->spec_hash);
        print_hash("model", h->model_hash);
        printf("\n%-28s %-8s %-8s %8s %5s %12s %12s %11s %11s %11s %11s %11s\n", "column", "what", "kind", "missing",
               "bins", "mean", "std", "least", "10 %", "50 %", "90 %", "greatest");
        for (uint32_t i = 0; i < h->columns_count; i++) print_column(&file, i);
    }
    ride_profile_file_close(&file);
    return st == RIDE_OK ? cli_print("") : cli_failed(show_name, &err);
}

int cli_profile(int argc, char **argv) {
    const cli_word *word = cli_find_word("profile", cli_profile_words, argc, argv);
    if (word == NULL) return ride_status_exit_code(RIDE_E_USAGE);
    bool is_build = word->options == build_options;
    int wrong = cli_word_read(is_build ? build_name : show_name, word, argc - 1, argv + 1);
    return wrong != 0 ? wrong : is_build ? build() : show();
}
