/* cli/options.h: the options of a verb, declared as a table and read in one place: `--name value` and `--name=value`,
 * presence, bounds, "did you mean". The tables also are what shell completion is made from (completion.c), so they are
 * static and point at static values: the program runs one verb. */
#ifndef RIDE_CLI_OPTIONS_H
#define RIDE_CLI_OPTIONS_H
#include "features/schema.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum cli_kind {
    CLI_SWITCH = 1, /* bool *out; takes no value */
    CLI_TEXT,       /* const char **out; not empty. Completed as a file */
    CLI_MAYBE,      /* const char **out; "" where no value follows (the end, or another option) */
    CLI_COUNT,      /* uint32_t *out; 1 … max; `_` may stand between digits */
    CLI_NUMBER,     /* uint64_t *out; 0 … max; likewise */
    CLI_FORMAT,     /* ride_format *out */
    CLI_INPUTS,     /* cli_inputs *out; [NAME=]FILE, may be given again */
    CLI_SETS,       /* cli_sets *out; KEY=VALUE of the configuration, may be given again */
    CLI_LIST,       /* cli_sets *out; any text, may be given again */
    CLI_KEY,        /* const char **out; a key of the configuration */
    CLI_CONVERTED,  /* out as `convert` writes it */
} cli_kind;

typedef struct cli_inputs {
    struct ride_input_option *items; /* room for RIDE_SOURCES_MAX */
    uint32_t count;
} cli_inputs;

enum { CLI_SETS_MAX = 256 };
typedef struct cli_sets {
    const char *items[CLI_SETS_MAX];
    uint32_t count;
} cli_sets;

typedef struct cli_option {
    const char *name; /* "--spec"; without dashes it is the verb's one bare argument, CLI_TEXT or CLI_KEY */
    cli_kind kind;
    void *out;
    bool required;
    uint64_t max;                                 /* of CLI_COUNT and CLI_NUMBER */
    bool (*convert)(const char *text, void *out); /* of CLI_CONVERTED; false: not such a value */
} cli_option;

/* Reads argv[1 …]. `verb` is for messages ("features run"). The strings of argv are kept, and cut at NAME=. An option other
 * than a switch, CLI_INPUTS and CLI_SETS is given once. 0, or 64 after telling what is wrong. */
int cli_options_read(const char *verb, int argc, char **argv, const cli_option *options, uint32_t options_count);
/* Decimal digits, `_` between them; false when it is none or greater than max. */
bool cli_read_number(const char *text, uint64_t max, uint64_t *out);

#endif
