/* cli/model.c: `ride model info|check|convert`. */
#include "base/number.h"
#include "cli/cli.h"
#include "cli/load.h"
#include "engine/golden_file.h"
#include "engine/model_report.h"
#include "io/sink.h"
#include "models/convert.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char cli_model_help[] =
    "usage: ride model info FILE [--json] [--quick]\n"
    "       ride model check FILE [--golden ROWS.csv [--ulp N] [--answer-ulp N] [--bound X]]\n"
    "       ride model check FILE --golden ROWS.csv --write [--input FILE|-] [--rows N]\n"
    "       ride model convert FILE --output FILE|-\n"
    "info tells what a model file holds (trainer, objective, inputs, trees, sizes) and what this machine makes of it: "
    "how\n"
    "each part is scored for how many rows and why, memory, time; --quick tells of the file alone. check reads it as a "
    "run\n"
    "would and tells everything that is wrong, all at once. Exit 65 when the model cannot be used, 66 when there is no "
    "such file.\n"
    "  --golden ROWS.csv  rows with what they are to give: columns of the inputs, then margin0 … or answer0 …, of the\n"
    "                     trainer's own predictor or of --write. Exit 65 when a result differs\n"
    "  --ulp N            margins may differ by N units in the last place (0: the same bits)\n"
    "  --answer-ulp N     answers likewise (2)\n"
    "  --bound X          instead of both: by X of the larger of 1 and the result, for models that are good to a "
    "bound\n"
    "  --write            writes the file with what this machine gives now: of the rows of --input, or of --rows N "
    "(256)\n"
    "                     rows made from what the model tests\n"
    "convert writes a model of any format as one JSON file that scores with the same bits.\n" CLI_LOAD_HELP
    "Examples:\n"
    "  ride model info examples/card-fraud/model/model.json\n"
    "  ride model check examples/card-fraud/model/model.json\n"
    "  ride model check model.txt --golden trainer-predictions.csv\n"
    "  ride model check model.json --golden golden.csv --write && ride model check model.json --golden golden.csv\n"
    "  ride model convert model.cbm --output model.json\n";

static const char *path, *golden, *input, *output;
static bool json, quick, writes;
static uint64_t ulp, answer_ulp = 2;
static uint32_t rows = 256;
static double bound;

static bool read_bound(const char *text, void *out) {
    double *value = out;
    return ride_text_to_double(text, strlen(text), value) && *value > 0.0;
}

static const cli_option info_options[] = {{"FILE", CLI_TEXT, &path, .required = true},
                                          {"--json", CLI_SWITCH, &json},
                                          {"--quick", CLI_SWITCH, &quick},
                                          CLI_LOAD_OPTIONS};
static const cli_option check_options[] = {{"FILE", CLI_TEXT, &path, .required = true},
                                           {"--golden", CLI_TEXT, &golden},
                                           {"--ulp", CLI_NUMBER, &ulp, .max = UINT32_MAX},
                                           {"--answer-ulp", CLI_NUMBER, &answer_ulp, .max = UINT32_MAX},
                                           {"--bound", CLI_CONVERTED, &bound, .convert = read_bound},
                                           {"--write", CLI_SWITCH, &writes},
                                           {"--input", CLI_TEXT, &input},
                                           {"--rows", CLI_COUNT, &rows, .max = 10000000},
                                           CLI_LOAD_OPTIONS};
static const cli_option convert_options[] = {{"FILE", CLI_TEXT, &path, .required = true},
                                             {"--output", CLI_TEXT, &output, .required = true},
                                             CLI_LOAD_OPTIONS};
const cli_word cli_model_words[] = {{"info", CLI_OPTIONS(info_options)},
                                    {"check", CLI_OPTIONS(check_options)},
                                    {"convert", CLI_OPTIONS(convert_options)},
                                    {0}};

static int tell_info(const ride_ensemble *model, ride_diagnostics *findings) {
    char *text;
    const ride_status st = ride_model_report(model, json ? RIDE_INFO_JSON : RIDE_INFO_TEXT, quick, &text, findings);
    if (st != RIDE_OK) {
        const int told = cli_findings(findings);
        return told != 0 ? told : ride_status_exit_code(st);
    }
    const int code = cli_print(text);
    free(text);
    return code;
}

/* "12 margins are the same bits", "… within 2 ulp of double". */
static void tell_kind(const ride_golden_result *found, const char *what, uint64_t count, uint64_t ulps) {
    if (count == 0) return;
    if (ulps == 0) printf(", %" PRIu64 " %s with the same bits", count, what);
    else if (ulps == UINT64_MAX) printf(", %" PRIu64 " %s, some no number", count, what);
    else
        printf(", %" PRIu64 " %s within %" PRIu64 " ulp of %s", count, what, ulps,
               found->is_float ? "float" : "double");
}

static int check_golden(const ride_ensemble *model) {
    static ride_golden_result found;
    ride_error err = {.status = RIDE_OK};
    const ride_golden_options options = {(uint32_t)ulp, (uint32_t)answer_ulp, bound};
    if (ride_golden_check(model, golden, &options, &found, &err) != RIDE_OK) return cli_failed("model check", &err);
    printf("%" PRIu64 " rows", found.rows);
    tell_kind(&found, "margins", found.margins, found.margin_ulps);
    tell_kind(&found, "answers", found.answers, found.answer_ulps);
    printf("; greatest difference %.3g\n", found.difference);
    for (uint64_t i = 0; i < found.misses && i < RIDE_GOLDEN_SHOWN; i++) {
        const ride_golden_miss *miss = &found.shown[i];
        fprintf(stderr, "%s:%" PRIu64 ": %s%u is %.17g, %.17g was expected\n", golden, miss->line,
                miss->is_answer ? "answer" : "margin", miss->output, miss->found, miss->expected);
    }
    if (found.misses == 0) return cli_print("the model is good\n");
    fflush(stdout);
    fprintf(stderr, "ride model check: %" PRIu64 " results differ from %s\n", found.misses, golden);
    return ride_status_exit_code(RIDE_E_DATA);
}

static int check(const ride_ensemble *model) {
    if (golden == NULL) return cli_print("the model is good\n");
    if (!writes) return check_golden(model);
    ride_error err = {.status = RIDE_OK};
    uint64_t written = 0;
    if (ride_golden_write(model, input, rows, golden, &written, &err) != RIDE_OK)
        return cli_failed("model check", &err);
    if (strcmp(golden, "-") != 0) printf("%" PRIu64 " rows written to %s\n", written, golden);
    return cli_print("");
}

static int convert(const ride_ensemble *model) {
    ride_error err = {.status = RIDE_OK};
    ride_sink *sink = NULL;
    char *text;
    ride_status st = ride_model_convert(model, &text, &err);
    if (st == RIDE_OK) st = ride_sink_open(output, NULL, &sink, &err);
    if (st == RIDE_OK) {
        ride_sink_write(sink, text, strlen(text)); /* what fails is told by the close */
        st = ride_sink_close(sink, &err);
    }
    free(text);
    return st == RIDE_OK ? 0 : cli_failed("model convert", &err);
}

/* Options that mean nothing without another. */
static int check_together(void) {
    if (golden == NULL && (writes || input != NULL)) return cli_usage("model check", "--golden says which file");
    if (!writes && input != NULL) return cli_usage("model check", "--input is for --write");
    return 0;
}

int cli_model(int argc, char **argv) {
    const cli_word *word = cli_find_word("model", cli_model_words, argc, argv);
    if (word == NULL) return ride_status_exit_code(RIDE_E_USAGE);
    const bool info = word->options == info_options, converts = word->options == convert_options;
    const char *name = info ? "model info" : converts ? "model convert" : "model check";
    int wrong = cli_word_read(name, word, argc - 1, argv + 1);
    if (wrong == 0) wrong = check_together();
    if (wrong != 0) return wrong;
    static ride_diagnostics findings;
    ride_ensemble *model = NULL;
    ride_diagnostics_init(&findings);
    cli_load.watch = cli_load_watch();
    ride_status st = ride_ensemble_load(path, &cli_load, &model, &findings);
    if (st != RIDE_OK) {
        int code = cli_findings(&findings);
        return code != 0 ? code : ride_status_exit_code(st);
    }
    const int code = info ? tell_info(model, &findings) : converts ? convert(model) : check(model);
    ride_ensemble_destroy(model);
    return code;
}
