/* cli/score.c: `ride score`. */
#include "cli/cli.h"
#include "cli/load.h"
#include "engine/score_file.h"

const char cli_score_help[] =
    "usage: ride score --model FILE --input FILE|- --output FILE|- [--raw] [--members]\n"
    "Scores every row: one line out per row in, no header; several outputs are separated by commas.\n"
    "  --model FILE     a model, or the manifest of several (docs/models.md)\n"
    "  --input FILE|-   CSV with a header of names, or libsvm: a label, then index:value from index 0 on; absent "
    "values\n"
    "                   are missing. Plain, .gz or .zst\n"
    "  --output FILE|-  where the lines go\n"
    "  --raw            margins; without it the model's answer, such as a probability\n"
    "  --members        the answers of an ensemble's members behind it, empty where one was not asked\n" CLI_LOAD_HELP
    "Example: ride score --model model.json --input rows.csv --output margins.txt --raw\n";

static const char *model_path, *input, *output;
static bool raw, members;
static const cli_option options[] = {
    {"--model", CLI_TEXT, &model_path, .required = true},
    {"--input", CLI_TEXT, &input, .required = true},
    {"--output", CLI_TEXT, &output, .required = true},
    {"--raw", CLI_SWITCH, &raw},
    {"--members", CLI_SWITCH, &members},
    CLI_LOAD_OPTIONS,
};
const cli_word cli_score_words[] = {{"", CLI_OPTIONS(options)}, {0}};

int cli_score(int argc, char **argv) {
    int wrong = cli_word_read("score", &cli_score_words[0], argc, argv);
    if (wrong != 0) return wrong;
    static ride_diagnostics findings;
    ride_ensemble *model = NULL;
    ride_error err = {.status = RIDE_OK};
    ride_diagnostics_init(&findings);
    cli_load.watch = cli_load_watch();
    ride_status st = ride_ensemble_load(model_path, &cli_load, &model, &findings);
    if (st != RIDE_OK) {
        int code = cli_findings(&findings);
        return code != 0 ? code : ride_status_exit_code(st);
    }
    st = ride_score_file(model, input, output, raw, members, NULL, &err);
    ride_ensemble_destroy(model);
    return st != RIDE_OK ? cli_failed("score", &err) : 0;
}
