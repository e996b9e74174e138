/* cli/options.h: the options of a verb, declared as a table and read in one place: `--name value` and `--name=value`,
 * presence, bounds, "did you mean". generate.c alone reads its own: rates and times have forms of their own. */
#ifndef RIDE_CLI_OPTIONS_H
#define RIDE_CLI_OPTIONS_H
#include "features/schema.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum cli_kind {
    CLI_SWITCH = 1, /* bool *out; takes no value */
    CLI_TEXT,       /* const char **out; not empty */
    CLI_COUNT,      /* uint32_t *out; 1 … max */
    CLI_FORMAT,     /* ride_format *out */
    CLI_INPUTS,     /* cli_inputs *out; [NAME=]FILE, may be given again */
} cli_kind;

typedef struct cli_inputs {
    struct ride_input_option *items; /* room for RIDE_SOURCES_MAX */
    uint32_t count;
} cli_inputs;

typedef struct cli_option {
    const char *name; /* "--spec"; without dashes it is the verb's one bare argument, CLI_TEXT */
    cli_kind kind;
    void *out;
    bool required;
    uint32_t max; /* of CLI_COUNT */
} cli_option;

/* Reads argv[1 …]. `verb` is for messages ("features run"). The strings of argv are kept, and cut at NAME=. An option other
 * than a switch or CLI_INPUTS is given once. 0, or 64 after telling what is wrong. */
int cli_options_read(const char *verb, int argc, char **argv, const cli_option *options, uint32_t options_count);

#endif
