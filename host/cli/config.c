/* cli/config.c: `ride config`: check, show, explain, schema, reference. */
#include "config/config.h"
#include "cli/cli.h"
#include "cli/config_check.h"
#include "cli/config_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char cli_config_help[] =
    "usage: ride config check --config FILE [--set KEY=VALUE]...\n"
    "       ride config show --config FILE [--set KEY=VALUE]... [--origin]\n"
    "       ride config explain KEY\n"
    "       ride config schema | reference\n"
    "check reads the configuration and the spec and model that it names, compiles the rules and tells everything that "
    "is\n"
    "wrong, all at once; then what memory is bounded to. show prints every option with its value, as YAML. explain "
    "tells\n"
    "what one option is, or a group of them. schema is a JSON Schema for editors; reference is docs/CONFIGURATION.md.\n"
    "  --config FILE      the configuration (YAML)\n"
    "  --set KEY=VALUE    over the file and over RIDE__KEY variables of the environment; repeat it; empty unsets\n"
    "  --origin           also where each value comes from\n"
    "Exit 78 for a bad configuration or spec, 65 for a bad model, 66 when a file is not there.\n"
    "Examples:\n"
    "  ride config check --config ride.yaml --set scheduler.max_batch=8192\n"
    "  ride config explain scheduler.max_batch\n";

static const char *path, *key;
static cli_sets sets;
static bool origin;
static const cli_option check_options[] = {
    {"--config", CLI_TEXT, &path, .required = true},
    {"--set", CLI_SETS, &sets},
};
static const cli_option show_options[] = {
    {"--config", CLI_TEXT, &path, .required = true},
    {"--set", CLI_SETS, &sets},
    {"--origin", CLI_SWITCH, &origin},
};
static const cli_option explain_options[] = {{"KEY", CLI_KEY, &key, .required = true}};

enum { CHECK, SHOW, EXPLAIN, SCHEMA, REFERENCE };
const cli_word cli_config_words[] = {
    [CHECK] = {"check", CLI_OPTIONS(check_options)},
    [SHOW] = {"show", CLI_OPTIONS(show_options)},
    [EXPLAIN] = {"explain", CLI_OPTIONS(explain_options)},
    [SCHEMA] = {"schema", NULL, 0},
    [REFERENCE] = {"reference", NULL, 0},
    {NULL},
};
static const char *const names[] = {"config check", "config show", "config explain", "config schema",
                                    "config reference"};

static int with_config(int word) {
    ride_config *config = NULL;
    ride_error err = {.status = RIDE_OK};
    char *text = NULL;
    int code = cli_config_read(path, &sets, &config);
    if (code != 0) return code;
    if (word == CHECK) code = cli_config_check(config);
    else {
        ride_status st = ride_config_show(config, origin, &text, &err);
        code = st == RIDE_OK ? cli_print(text) : cli_failed(names[word], &err);
    }
    free(text);
    ride_config_destroy(config);
    return code;
}

int cli_config(int argc, char **argv) {
    const cli_word *word = cli_find_word("config", cli_config_words, argc, argv);
    if (word == NULL) return ride_status_exit_code(RIDE_E_USAGE);
    int which = (int)(word - cli_config_words);
    int wrong = cli_word_read(names[which], word, argc - 1, argv + 1);
    if (wrong != 0) return wrong;
    if (which == CHECK || which == SHOW) return with_config(which);
    ride_error err = {.status = RIDE_OK};
    char *text = NULL;
    ride_status st = which == EXPLAIN  ? ride_config_explain(key, &text, &err)
                     : which == SCHEMA ? ride_config_schema(&text, &err)
                                       : ride_config_reference(&text, &err);
    int code = st == RIDE_OK ? cli_print(text) : cli_failed(names[which], &err);
    free(text);
    return code;
}
