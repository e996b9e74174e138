/* cli/verify.c: `ride verify`: the same events through the fast backend and through the reference, byte for byte. Each run
 * writes CSV into a folder of its own that is removed afterwards. With --config: verify_log.c. */
#include "cli/cli.h"
#include "cli/verify_log.h"
#include "engine/engine.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char cli_verify_help[] =
    "usage: ride verify --spec FILE --input [NAME=]FILE [--backend NAME [--backend-path PATH]]\n"
    "       ride verify --config FILE [--journal [PATH]] [--first N] [--backend NAME [--backend-path PATH]]\n"
    "Computes the features twice, with the fast backend and with the reference (slow and obvious), and compares the "
    "rows\n"
    "byte for byte. Prints how many rows are equal, or the first difference. Exit 70 when they differ.\n"
    "  --spec FILE            feature spec (YAML)\n"
    "  --input [NAME=]FILE    as in `ride features run`, but not the standard input: it is read twice\n"
    "  --backend NAME         what is compared with the reference (cpu)\n"
    "  --backend-path PATH    folder or file of its plugin, looked at first\n"
    "\nWith --config: is what a service has published what its log and its arrival journal give? Reads the input "
    "topics along\n"
    "the journal, computes every result anew with the reference, and compares it with every copy in the results "
    "topic. Joins no\n"
    "group and stores nothing: the service may run meanwhile. Tells what differs, is missing or was invented, and "
    "counts.\n"
    "  --config FILE          of the service, with --set KEY=VALUE as for `ride run`\n"
    "  --journal [PATH]       its arrival journal, where it is not the configuration's\n"
    "  --first N              how many findings are told (10); all are counted\n"
    "  --backend NAME         what computes (reference)\n"
    "Exit: 0 all that could be judged is equal, 65 something is not, or the journal is of another spec, 66 nothing "
    "could be judged\n"
    "Examples:\n"
    "  ride verify --spec examples/card-fraud/features.yaml --input tx.csv\n"
    "  ride verify --config ride.yaml --journal\n";

static char *cell(char **row) { return strsep(row, ","); }

/* Prints the first cell in which two lines differ; they are cut in place. */
static void tell_difference(uint64_t line, char *header, char *fast, char *slow) {
    char *names = header, *a = fast, *b = slow;
    for (uint32_t column = 1; a != NULL || b != NULL; column++) {
        const char *name = cell(&names), *fast_cell = cell(&a), *slow_cell = cell(&b);
        if (fast_cell != NULL && slow_cell != NULL && strcmp(fast_cell, slow_cell) == 0) continue;
        printf("first difference: line %llu, column %u (%s): `%s`, the reference has `%s`\n", (unsigned long long)line,
               column, name != NULL ? name : "past the header", fast_cell != NULL ? fast_cell : "nothing",
               slow_cell != NULL ? slow_cell : "nothing");
        return;
    }
}

/* 1: equal, 0: told how they differ, -1: a file cannot be read. Lines hold a final LF or are the last. */
static int compare(FILE *fast, FILE *slow, uint64_t *rows) {
    char *header = NULL, *a = NULL, *b = NULL;
    size_t header_room = 0, a_room = 0, b_room = 0;
    int result = 1;
    for (uint64_t line = 1; result == 1; line++) {
        errno = 0;
        ssize_t a_bytes = getline(&a, &a_room, fast), b_bytes = getline(&b, &b_room, slow);
        if (a_bytes < 0 && b_bytes < 0) break;
        if (a_bytes == b_bytes && memcmp(a, b, (size_t)a_bytes) == 0) {
            if (line == 1 && (header = strdup(a)) == NULL) result = -1;
            header_room = header != NULL ? strlen(header) : 0;
            if (header_room > 0 && header[header_room - 1] == '\n') header[header_room - 1] = '\0';
            *rows += line > 1;
            continue;
        }
        if (a_bytes < 0 || b_bytes < 0)
            printf("first difference: line %llu: only %s has it\n", (unsigned long long)line,
                   a_bytes < 0 ? "the reference" : "the fast path");
        else {
            a[strcspn(a, "\n")] = b[strcspn(b, "\n")] = '\0';
            tell_difference(line, header, a, b);
        }
        result = 0;
    }
    if (ferror(fast) || ferror(slow)) result = -1;
    free(header);
    free(a);
    free(b);
    return result;
}

static int compare_files(const char *fast_path, const char *slow_path) {
    FILE *fast = fopen(fast_path, "r"), *slow = fopen(slow_path, "r");
    uint64_t rows = 0;
    int result = fast != NULL && slow != NULL ? compare(fast, slow, &rows) : -1;
    if (fast != NULL) fclose(fast);
    if (slow != NULL) fclose(slow);
    if (result < 0) {
        fprintf(stderr, "ride verify: what was computed cannot be read back: %s\n", strerror(errno));
        return ride_status_exit_code(RIDE_E_IO);
    }
    if (result == 1) printf("%llu rows are equal, byte for byte\n", (unsigned long long)rows);
    int written = cli_print("");
    return written != 0 ? written : result == 1 ? 0 : ride_status_exit_code(RIDE_E_INTERNAL);
}

/* One run into `path`; 0 or the exit code of what was told. */
static int run_once(ride_run_options *run, const char *backend, const char *path) {
    static ride_run_summary summary;
    static ride_diagnostics findings;
    ride_error err = {.status = RIDE_OK};
    run->backend = backend;
    run->output_path = path;
    ride_diagnostics_init(&findings);
    ride_status st = ride_run(run, &summary, &findings, &err);
    if (findings.count > 0) return cli_findings(&findings);
    if (st == RIDE_INTERRUPTED) {
        fputs("ride verify: interrupted\n", stderr);
        return 128 + SIGINT;
    }
    return st != RIDE_OK ? cli_failed("verify", &err) : 0;
}

static ride_input_option items[RIDE_SOURCES_MAX];
static cli_inputs inputs = {.items = items};
static const char *spec_path, *backend_name, *backend_path, *config_path, *journal_path;
enum { FIRST_FINDINGS = 10 };
static uint32_t first = UINT32_MAX; /* not given */
static cli_sets sets;
static const cli_option options[] = {
    {"--spec", CLI_TEXT, &spec_path},        {"--input", CLI_INPUTS, &inputs},
    {"--backend", CLI_TEXT, &backend_name},  {"--backend-path", CLI_TEXT, &backend_path},
    {"--config", CLI_TEXT, &config_path},    {"--set", CLI_SETS, &sets},
    {"--journal", CLI_MAYBE, &journal_path}, {"--first", CLI_COUNT, &first, .max = 1000000},
};
const cli_word cli_verify_words[] = {{"", CLI_OPTIONS(options)}, {0}};

int cli_verify(int argc, char **argv) {
    ride_run_options run = {.inputs = items};
    int wrong = cli_word_read("verify", &cli_verify_words[0], argc, argv);
    if (wrong != 0) return wrong;
    if (config_path != NULL) {
        if (spec_path != NULL || inputs.count > 0)
            return cli_usage("verify", "--config has its own spec and inputs: %s is for files",
                             spec_path != NULL ? "--spec" : "--input");
        const cli_verify_asked asked = {config_path,  &sets,        backend_name != NULL ? backend_name : "reference",
                                        backend_path, journal_path, first != UINT32_MAX ? first : FIRST_FINDINGS};
        return cli_verify_log(&asked);
    }
    if (spec_path == NULL) return cli_usage("verify", "--spec is missing (or --config)");
    if (inputs.count == 0) return cli_usage("verify", "--input is missing");
    if (journal_path != NULL || sets.count > 0 || first != UINT32_MAX)
        return cli_usage("verify", "--journal, --first and --set go with --config");
    if (backend_name == NULL) backend_name = "cpu";
    run.spec_path = spec_path;
    run.backend_path = backend_path;
    for (uint32_t i = 0; i < inputs.count; i++)
        if (strcmp(items[i].path, "-") == 0) return cli_usage("verify", "--input is read twice: a file, not `-`");
    run.inputs_count = inputs.count;
    run.stop = cli_stop();
    const char *parent = getenv("TMPDIR");
    char folder[PATH_MAX - 16], fast[PATH_MAX], slow[PATH_MAX];
    int length = snprintf(folder, sizeof folder, "%s/ride-verify-XXXXXX", parent != NULL && *parent ? parent : "/tmp");
    if (length < 0 || (size_t)length >= sizeof folder || mkdtemp(folder) == NULL) {
        ride_error err;
        ride_fail(&err, RIDE_E_IO, "cannot make a folder for the two runs");
        ride_error_advice(&err, "set TMPDIR");
        return cli_failed("verify", &err);
    }
    snprintf(fast, sizeof fast, "%s/fast.csv", folder);
    snprintf(slow, sizeof slow, "%s/slow.csv", folder);
    int code = run_once(&run, backend_name, fast);
    if (code == 0) code = run_once(&run, "reference", slow);
    if (code == 0) code = compare_files(fast, slow);
    unlink(fast);
    unlink(slow);
    rmdir(folder);
    return code;
}
