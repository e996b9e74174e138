/* cli/drift.c: `ride drift`. */
#include "base/clock.h"
#include "base/number.h"
#include "cli/cli.h"
#include "cli/drift_report.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_DRIFTED = 10, LIMITS_MAX = 2 * RIDE_DRIFT_VALUES };

const char cli_drift_help[] =
    "usage: ride drift --reference FILE|- --current FILE|- [options]\n"
    "Compares the columns that two CSV files have in common: PSI, Jensen-Shannon distance, KS, Wasserstein, "
    "chi-square,\n"
    "missing values, new categories. The table is sorted by PSI: below 0.1 little has changed, above 0.25 much.\n"
    "  --reference FILE|-   what is normal, such as the training data; with a header line, plain, .gz or .zst\n"
    "  --current FILE|-     what is compared with it\n"
    "  --columns A,B…       only these; without it all that both have, but for texts of more than 256 values\n"
    "  --categories A,B…    numbers that are codes: every value is a bin. Texts always are\n"
    "  --json               JSON on the standard output in place of the table\n"
    "  --output FILE        JSON into a file as well\n"
    "  --fail-above NAME=X[,NAME=X…]   exit 10 when that value of some column is above X (psi, ks, missing_rate …)\n"
    "  --quiet              no progress and no notes\n"
    "docs/drift.md has the formulas and how to read them.\n"
    "Examples:\n"
    "  ride drift --reference april.csv --current may.csv\n"
    "  ride drift --reference train.csv.zst --current today.csv --columns amount,mcc --categories mcc --json\n"
    "  ride drift --reference train.csv --current today.csv --fail-above psi=0.2,missing_rate=0.05 --output "
    "drift.json\n";

typedef struct limit {
    uint32_t value; /* of ride_drift_values */
    double most;
} limit;
typedef struct limits {
    limit items[LIMITS_MAX];
    uint32_t count;
} limits;

/* "psi=0.2,ks=0.1" */
static bool read_limits(const char *text, void *out) {
    limits *to = out;
    while (to->count < LIMITS_MAX) {
        const char *equals = strchr(text, '=');
        limit *item = &to->items[to->count++];
        if (equals == NULL) return false;
        const size_t name_bytes = (size_t)(equals - text), bytes = strcspn(equals + 1, ",");
        for (item->value = 0; item->value < RIDE_DRIFT_VALUES; item->value++)
            if (ride_text_is((ride_text){text, name_bytes}, ride_drift_value_names[item->value])) break;
        if (item->value == RIDE_DRIFT_VALUES || !ride_text_to_double(equals + 1, bytes, &item->most)) return false;
        text = equals + 1 + bytes;
        if (*text == '\0') return true;
        text++;
    }
    return false;
}

static ride_drift_files_options files;
static const char *output;
static bool json, quiet;
static limits fail_above;
static const cli_option options[] = {
    {"--reference", CLI_TEXT, &files.reference, .required = true},
    {"--current", CLI_TEXT, &files.current, .required = true},
    {"--columns", CLI_TEXT, &files.columns},
    {"--categories", CLI_TEXT, &files.categories},
    {"--json", CLI_SWITCH, &json},
    {"--output", CLI_TEXT, &output},
    {"--fail-above", CLI_CONVERTED, &fail_above, .convert = read_limits},
    {"--quiet", CLI_SWITCH, &quiet},
};
const cli_word cli_drift_words[] = {{"", CLI_OPTIONS(options)}, {0}};

static bool progress_is_shown;

/* Nothing in the first second: most files are done by then. */
static void show_progress(void *context, const char *what, uint64_t done, uint64_t total) {
    static uint64_t start_ns, last_ns;
    const uint64_t second_ns = 1000000000, now_ns = ride_clock_now_ns(ride_clock_real());
    (void)context;
    if (start_ns == 0) start_ns = now_ns;
    if (now_ns - start_ns < second_ns || now_ns - last_ns < second_ns / 5) return;
    last_ns = now_ns;
    progress_is_shown = true;
    if (total > 0) fprintf(stderr, "\r\033[K%3.0f %%  %.60s", 100.0 * (double)done / (double)total, what);
    else fprintf(stderr, "\r\033[K%llu MB  %.60s", (unsigned long long)(done / 1000000), what);
}

static ride_status write_json(const ride_drift_comparison *report, const char *path, ride_error *err) {
    bool to_stdout = strcmp(path, "-") == 0;
    FILE *to = to_stdout ? stdout : fopen(path, "w");
    bool failed = to == NULL;
    if (to != NULL) {
        cli_drift_json(report, &files, to);
        failed = fflush(to) != 0 || ferror(to) != 0;
        if (!to_stdout) failed |= fclose(to) != 0;
    }
    if (!failed) return RIDE_OK;
    ride_fail(err, RIDE_E_IO, "cannot write the output: %s", strerror(errno));
    ride_error_where(err, "%s", path);
    return RIDE_E_IO;
}

/* Every value above its limit is told. */
static int judge(const ride_drift_comparison *report) {
    uint32_t found = 0;
    for (uint32_t i = 0; i < report->features_count; i++) {
        double values[RIDE_DRIFT_VALUES];
        ride_drift_values(&report->features[i].drift, values);
        for (uint32_t k = 0; k < fail_above.count; k++) {
            const limit *l = &fail_above.items[k];
            if (!(values[l->value] > l->most)) continue; /* no value is not above */
            fprintf(stderr, "ride drift: %s of %.60s is %.6g, above %.6g\n", ride_drift_value_names[l->value],
                    report->features[i].name, values[l->value], l->most);
            found++;
        }
    }
    return found > 0 ? EXIT_DRIFTED : 0;
}

int cli_drift(int argc, char **argv) {
    int wrong = cli_word_read("drift", &cli_drift_words[0], argc, argv);
    if (wrong != 0) return wrong;
    if (strcmp(files.reference, "-") == 0 && strcmp(files.current, "-") == 0)
        return cli_usage("drift", "the standard input cannot be both files");
    if (!quiet && isatty(STDERR_FILENO)) files.progress = show_progress;
    static ride_drift_comparison report;
    ride_error err = {.status = RIDE_OK};
    ride_status st = ride_drift_files(&files, &report, &err);
    if (progress_is_shown) fputs("\r\033[K", stderr);
    bool json_to_stdout = json || (output != NULL && strcmp(output, "-") == 0);
    if (st == RIDE_OK && json_to_stdout) st = write_json(&report, "-", &err);
    if (st == RIDE_OK && output != NULL && strcmp(output, "-") != 0) st = write_json(&report, output, &err);
    int code = st != RIDE_OK ? cli_failed("drift", &err) : 0;
    if (code == 0 && !json_to_stdout) cli_drift_table(&report);
    if (code == 0 && !quiet) cli_drift_notes(&report);
    if (code == 0) code = cli_print(""); /* a standard output that cannot be written */
    if (code == 0) code = judge(&report);
    ride_drift_comparison_destroy(&report);
    return code;
}
