/* cli/main.c: finds the verb and answers --help; all else is the verb's. */
#include "cli/cli.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const cli_verb cli_verbs[] = {
    {"features", "compute the features of events", cli_features, cli_features_help},
    {"generate", "make a reproducible stream of card transactions", cli_generate, cli_generate_help},
    {"version", "print the version", cli_version, cli_version_help},
    {NULL, NULL, NULL, NULL},
};

const char cli_version_help[] = "usage: ride version\n"
                                "Prints the program's version. Example: ride version\n";

int cli_version(int argc, char **argv) {
    if (argc > 1) return cli_usage("version", "takes no argument, not `%s`", argv[1]);
    return puts("ride 0.1.0") < 0 ? ride_status_exit_code(RIDE_E_IO) : 0;
}

int cli_usage(const char *verb, const char *format, ...) {
    va_list args;
    fprintf(stderr, "ride %s: ", verb);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, " (ride %s --help)\n", verb);
    return ride_status_exit_code(RIDE_E_USAGE);
}

int cli_failed(const char *verb, const ride_error *err) {
    char text[512];
    fprintf(stderr, "ride %s: %s\n", verb, ride_error_text(err, text, sizeof text));
    return ride_status_exit_code(err->status);
}

static void print_verbs(FILE *to) {
    fputs("usage: ride VERB [options]\n\n", to);
    for (const cli_verb *verb = cli_verbs; verb->name != NULL; verb++)
        fprintf(to, "  %-12s %s\n", verb->name, verb->summary);
    fputs("\n`ride VERB --help` tells more.\n", to);
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is a failed write, told and counted like any other */
    if (argc < 2) {
        print_verbs(stderr);
        return ride_status_exit_code(RIDE_E_USAGE);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_verbs(stdout);
        return 0;
    }
    const char *names[64];
    size_t count = 0;
    for (const cli_verb *verb = cli_verbs; verb->name != NULL; verb++) {
        names[count++] = verb->name;
        if (strcmp(argv[1], verb->name) != 0) continue;
        for (int i = 2; i < argc; i++)
            if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
                return fputs(verb->help, stdout) < 0 ? 74 : 0;
        return verb->run(argc - 1, argv + 1);
    }
    const char *near = ride_nearest(argv[1], names, count);
    fprintf(stderr, "ride: there is no verb `%s`%s%s%s (ride --help)\n", argv[1],
            near != NULL ? "; did you mean `" : "", near != NULL ? near : "", near != NULL ? "`?" : "");
    return ride_status_exit_code(RIDE_E_USAGE);
}
