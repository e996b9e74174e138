/* cli/cli.h: the verbs of the `ride` program. Each has a file of its own and one entry in main.c, which finds it by name.
 * Only this folder prints and decides the exit code. */
#ifndef RIDE_CLI_CLI_H
#define RIDE_CLI_CLI_H
#include "base/error.h"

#include <signal.h>

#define CLI_VERSION "0.1.0" /* as in CMakeLists.txt; a test compares */

typedef struct cli_verb {
    const char *name, *summary;
    int (*run)(int argc, char **argv); /* argv[0] is the verb; returns the exit code */
    const char *help;                  /* printed by `ride VERB --help` */
} cli_verb;

int cli_doctor(int argc, char **argv);
extern const char cli_doctor_help[];
int cli_features(int argc, char **argv);
extern const char cli_features_help[];
int cli_generate(int argc, char **argv);
extern const char cli_generate_help[];
int cli_model(int argc, char **argv);
extern const char cli_model_help[];
int cli_score(int argc, char **argv);
extern const char cli_score_help[];
int cli_verify(int argc, char **argv);
extern const char cli_verify_help[];
int cli_version(int argc, char **argv);
extern const char cli_version_help[];

/* Prints "ride VERB: message" to stderr and returns 64. */
int cli_usage(const char *verb, const char *format, ...) RIDE_PRINTF(2, 3);
/* The same for a verb's own word ("features rnu"): what there is, and what was nearly said. */
int cli_unknown_word(const char *verb, const char *word, const char *const *words, size_t words_count);
/* Prints the error and returns its exit code. */
int cli_failed(const char *verb, const ride_error *err);
/* Prints every finding as `file:line:col: message (advice)`, frees the list and returns the exit code of its first. */
int cli_findings(ride_diagnostics *findings);
/* Prints text to stdout. 0, or 74 when it cannot be written. */
int cli_print(const char *text);

/* From here on SIGINT and SIGTERM set the flag, and a second one ends the program as usual. */
volatile sig_atomic_t *cli_stop(void);

#endif
