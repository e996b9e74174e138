/* cli/model.c: `ride model info|check`. */
#include "cli/cli.h"
#include "cli/options.h"
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

int cli_model(int argc, char **argv) {
    static const char *const words[] = {"info", "check"};
    const char *word = argc > 1 ? argv[1] : NULL, *path = NULL;
    bool info = word != NULL && strcmp(word, "info") == 0, json = false;
    if (!info && (word == NULL || strcmp(word, "check") != 0)) return cli_unknown_word("model", word, words, 2);
    const cli_option options[] = {{"FILE", CLI_TEXT, &path, true, 0}, {"--json", CLI_SWITCH, &json, false, 0}};
    int wrong = cli_options_read(info ? "model info" : "model check", argc - 1, argv + 1, options, info ? 2 : 1);
    if (wrong != 0) return wrong;
    static ride_diagnostics findings;
    ride_model *model = NULL;
    ride_diagnostics_init(&findings);
    ride_status st = ride_model_load(path, NULL, &model, &findings);
    if (st != RIDE_OK) {
        int code = cli_findings(&findings);
        return code != 0 ? code : ride_status_exit_code(st);
    }
    char *text = info ? ride_model_info(model, json ? RIDE_INFO_JSON : RIDE_INFO_TEXT) : NULL;
    ride_model_destroy(model);
    if (info && text == NULL) {
        ride_error err;
        ride_fail(&err, RIDE_E_MEMORY, "the description does not fit into memory");
        return cli_failed("model info", &err);
    }
    int code = cli_print(info ? text : "the model is good\n");
    free(text);
    return code;
}
