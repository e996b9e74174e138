/* cli/main.c: finds the verb and answers --help; all else is the verb's. */
#include "cli/cli.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

const cli_verb cli_verbs[] = {
    {"compile", "compile spec, rules, model and profile to one bundle file", cli_compile, cli_compile_help,
     cli_compile_words},
    {"completion", "print the shell's completion of this program", cli_completion, cli_completion_help,
     cli_completion_words},
    {"config", "check, show and explain the configuration of a run", cli_config, cli_config_help, cli_config_words},
    {"doctor", "tell what this machine can run", cli_doctor, cli_doctor_help, NULL},
    {"drift", "compare the columns of two files: what has changed, how far", cli_drift, cli_drift_help,
     cli_drift_words},
    {"features", "compute the features of events, or explain a spec", cli_features, cli_features_help,
     cli_features_words},
    {"generate", "make a reproducible stream of card transactions", cli_generate, cli_generate_help,
     cli_generate_words},
    {"metrics", "print the reference of what a service counts and measures", cli_metrics, cli_metrics_help,
     cli_metrics_words},
    {"model", "tell what a model file holds, or check it", cli_model, cli_model_help, cli_model_words},
    {"profile", "make or show the reference profile that drift is measured against", cli_profile, cli_profile_help,
     cli_profile_words},
    {"replay", "compute one decision again, from the log and the journal", cli_replay, cli_replay_help,
     cli_replay_words},
    {"run", "read events, score them and decide", cli_run, cli_run_help, cli_run_words},
    {"score", "score the rows of a file with a model", cli_score, cli_score_help, cli_score_words},
    {"state", "show the windows of one key of a running service", cli_state, cli_state_help, cli_state_words},
    {"top", "show a running service live: rates, latency, lag, queues", cli_top, cli_top_help, cli_top_words},
    {"topology", "show the machine and which thread would run where", cli_topology_verb, cli_topology_help,
     cli_topology_words},
    {"verify", "compare the fast path with the slow reference", cli_verify, cli_verify_help, cli_verify_words},
    {"version", "print the version", cli_version, cli_version_help, NULL},
};
enum { VERBS = sizeof cli_verbs / sizeof cli_verbs[0] };
const uint32_t cli_verbs_count = VERBS;

const char cli_version_help[] = "usage: ride version\n"
                                "Prints the program's version.\n"
                                "Example: ride version\n";

int cli_version(int argc, char **argv) {
    if (argc > 1) return cli_usage("version", "takes no argument, not `%s`", argv[1]);
    return cli_print("ride " CLI_VERSION "\n");
}

static void print_verbs(FILE *to) {
    fputs("usage: ride VERB [options]\n\n", to);
    for (size_t i = 0; i < VERBS; i++) fprintf(to, "  %-12s %s\n", cli_verbs[i].name, cli_verbs[i].summary);
    fputs(
        "\nExamples:\n"
        "  ride generate --events 100000 --output tx.csv\n"
        "  ride run --config examples/card-fraud/ride.yaml --set inputs.tx.path=tx.csv --set outputs.decisions.path=-\n"
        "\n`ride VERB --help` tells more.\n",
        to);
}

static bool asks_for_help(const char *argument) {
    return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is a failed write, told and counted like any other */
    if (argc < 2) {
        print_verbs(stderr);
        return ride_status_exit_code(RIDE_E_USAGE);
    }
    if (asks_for_help(argv[1]) || strcmp(argv[1], "help") == 0) {
        print_verbs(stdout);
        return cli_print("");
    }
    if (strcmp(argv[1], "--version") == 0) return cli_version(1, argv);
    const char *names[VERBS];
    for (size_t i = 0; i < VERBS; i++) {
        names[i] = cli_verbs[i].name;
        if (strcmp(argv[1], cli_verbs[i].name) != 0) continue;
        for (int a = 2; a < argc; a++)
            if (asks_for_help(argv[a])) return cli_print(cli_verbs[i].help);
        return cli_verbs[i].run(argc - 1, argv + 1);
    }
    const char *near = ride_nearest(argv[1], names, VERBS);
    fprintf(stderr, "ride: there is no verb `%s`%s%s%s (ride --help)\n", argv[1],
            near != NULL ? "; did you mean `" : "", near != NULL ? near : "", near != NULL ? "`?" : "");
    return ride_status_exit_code(RIDE_E_USAGE);
}
