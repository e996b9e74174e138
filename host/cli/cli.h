/* cli/cli.h: the verbs of the `ride` program. Each has a file of its own and one entry in main.c, which finds it by name.
 * Only this folder prints and decides the exit code. */
#ifndef RIDE_CLI_CLI_H
#define RIDE_CLI_CLI_H
#include "base/error.h"
#include "base/version.h"
#include "base/waker.h"
#include "cli/options.h"

#include <signal.h>

#define CLI_VERSION RIDE_VERSION

/* A verb's own word ("features run") with its options; name "" is a verb without words. */
typedef struct cli_word {
    const char *name; /* NULL ends the list */
    const cli_option *options;
    uint32_t options_count;
} cli_word;
#define CLI_OPTIONS(table) (table), sizeof(table) / sizeof(table)[0]

typedef struct cli_verb {
    const char *name, *summary;
    int (*run)(int argc, char **argv); /* argv[0] is the verb; returns the exit code */
    const char *help;                  /* printed by `ride VERB --help` */
    const cli_word *words;             /* for shell completion; NULL: takes nothing */
} cli_verb;
extern const cli_verb cli_verbs[]; /* by name */
extern const uint32_t cli_verbs_count;

int cli_compile(int argc, char **argv);
extern const char cli_compile_help[];
extern const cli_word cli_compile_words[];
int cli_completion(int argc, char **argv);
extern const char cli_completion_help[];
extern const cli_word cli_completion_words[];
int cli_config(int argc, char **argv);
extern const char cli_config_help[];
extern const cli_word cli_config_words[];
int cli_doctor(int argc, char **argv);
extern const char cli_doctor_help[];
int cli_drift(int argc, char **argv);
extern const char cli_drift_help[];
extern const cli_word cli_drift_words[];
int cli_features(int argc, char **argv);
extern const char cli_features_help[];
extern const cli_word cli_features_words[];
int cli_generate(int argc, char **argv);
extern const char cli_generate_help[];
extern const cli_word cli_generate_words[];
int cli_metrics(int argc, char **argv);
extern const char cli_metrics_help[];
extern const cli_word cli_metrics_words[];
int cli_model(int argc, char **argv);
extern const char cli_model_help[];
extern const cli_word cli_model_words[];
int cli_profile(int argc, char **argv);
extern const char cli_profile_help[];
extern const cli_word cli_profile_words[];
int cli_replay(int argc, char **argv);
extern const char cli_replay_help[];
extern const cli_word cli_replay_words[];
int cli_run(int argc, char **argv);
extern const char cli_run_help[];
extern const cli_word cli_run_words[];
int cli_score(int argc, char **argv);
extern const char cli_score_help[];
extern const cli_word cli_score_words[];
int cli_state(int argc, char **argv);
extern const char cli_state_help[];
extern const cli_word cli_state_words[];
int cli_top(int argc, char **argv);
extern const char cli_top_help[];
extern const cli_word cli_top_words[];
int cli_topology_section(void); /* of `ride doctor`: this machine, without a configuration */
int cli_topology_verb(int argc, char **argv);
extern const char cli_topology_help[];
extern const cli_word cli_topology_words[];
int cli_verify(int argc, char **argv);
extern const char cli_verify_help[];
extern const cli_word cli_verify_words[];
int cli_version(int argc, char **argv);
extern const char cli_version_help[];

/* Prints "ride VERB: message" to stderr and returns 64. */
int cli_usage(const char *verb, const char *format, ...) RIDE_PRINTF(2, 3);
/* The verb's word that argv[1] is; NULL after telling what there is and what was nearly said: exit 64. */
const cli_word *cli_find_word(const char *verb, const cli_word *words, int argc, char **argv);
/* Reads the options of a word; `verb` is for messages. 0, or 64 after telling what is wrong. */
int cli_word_read(const char *verb, const cli_word *word, int argc, char **argv);
/* Prints the error and returns its exit code. */
int cli_failed(const char *verb, const ride_error *err);
/* Prints every finding as `file:line:col: message (advice)`, frees the list and returns the exit code of its first. */
int cli_findings(ride_diagnostics *findings);
/* Prints text to stdout. 0, or 74 when it cannot be written. */
int cli_print(const char *text);

/* From here on SIGINT and SIGTERM set the flag, and a second one, of either, ends the program as usual. */
volatile sig_atomic_t *cli_stop(void);
/* From here on SIGHUP sets the flag; who reads it clears it. */
volatile sig_atomic_t *cli_reload(void);
/* Those signals also wake who sleeps there; NULL: nobody any more. */
void cli_signals_wake(ride_waker *waker);

#endif
