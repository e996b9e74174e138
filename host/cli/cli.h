/* cli/cli.h: the verbs of the `ride` program. Each has a file of its own and one entry here; main.c finds it by name.
 * Only this folder prints and decides the exit code. */
#ifndef RIDE_CLI_CLI_H
#define RIDE_CLI_CLI_H
#include "base/error.h"

typedef struct cli_verb {
    const char *name, *summary;
    int (*run)(int argc, char **argv); /* argv[0] is the verb; returns the exit code */
    const char *help;                  /* printed by `ride VERB --help` */
} cli_verb;

extern const cli_verb cli_verbs[]; /* ends with a NULL name */

int cli_features(int argc, char **argv);
extern const char cli_features_help[];
int cli_generate(int argc, char **argv);
extern const char cli_generate_help[];
int cli_version(int argc, char **argv);
extern const char cli_version_help[];

/* Prints "ride VERB: message" to stderr and returns 64. */
int cli_usage(const char *verb, const char *format, ...) RIDE_PRINTF(2, 3);
/* Prints the error and returns its exit code. */
int cli_failed(const char *verb, const ride_error *err);

#endif
