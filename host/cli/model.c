/* cli/model.c: `ride model info|check`. */
#include "cli/cli.h"
#include "models/info.h"

#include <stdlib.h>
#include <string.h>

const char cli_model_help[] =
    "usage: ride model info FILE [--json]\n"
    "       ride model check FILE\n"
    "info tells what a model file holds: trainer, objective, inputs, trees, sizes. check reads it as a run would and "
    "tells\n"
    "everything that is wrong, all at once. Exit 65 when the model cannot be used, 66 when there is no such file.\n"
    "Examples:\n"
    "  ride model info examples/card-fraud/model/model.json\n"
    "  ride model check examples/card-fraud/model/model.json\n";

static const char *path;
static bool json;
static const cli_option info_options[] = {{"FILE", CLI_TEXT, &path, .required = true}, {"--json", CLI_SWITCH, &json}};
static const cli_option check_options[] = {{"FILE", CLI_TEXT, &path, .required = true}};
const cli_word cli_model_words[] = {{"info", CLI_OPTIONS(info_options)}, {"check", CLI_OPTIONS(check_options)}, {0}};

int cli_model(int argc, char **argv) {
    const cli_word *word = cli_find_word("model", cli_model_words, argc, argv);
    if (word == NULL) return ride_status_exit_code(RIDE_E_USAGE);
    bool info = word->options == info_options;
    int wrong = cli_word_read(info ? "model info" : "model check", word, argc - 1, argv + 1);
    if (wrong != 0) return wrong;
    static ride_diagnostics findings;
    ride_ensemble *model = NULL;
    ride_diagnostics_init(&findings);
    ride_status st = ride_ensemble_load(path, NULL, &model, &findings);
    if (st != RIDE_OK) {
        int code = cli_findings(&findings);
        return code != 0 ? code : ride_status_exit_code(st);
    }
    char *text = info ? ride_ensemble_info(model, json ? RIDE_INFO_JSON : RIDE_INFO_TEXT) : NULL;
    ride_ensemble_destroy(model);
    if (info && text == NULL) {
        ride_error err;
        ride_fail(&err, RIDE_E_MEMORY, "the description does not fit into memory");
        return cli_failed("model info", &err);
    }
    int code = cli_print(info ? text : "the model is good\n");
    free(text);
    return code;
}
