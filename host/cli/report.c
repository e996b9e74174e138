/* cli/report.c: how errors and findings are told. */
#include "base/assert.h"
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { CLI_WORDS_MAX = 16 };

int cli_usage(const char *verb, const char *format, ...) {
    va_list args;
    fprintf(stderr, "ride %s: ", verb);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    size_t first = 0;
    while (verb[first] != '\0' && verb[first] != ' ') first++;
    fprintf(stderr, " (ride %.*s --help)\n", (int)first, verb);
    return ride_status_exit_code(RIDE_E_USAGE);
}

const cli_word *cli_find_word(const char *verb, const cli_word *words, int argc, char **argv) {
    const char *names[CLI_WORDS_MAX];
    size_t count = 0;
    for (; words[count].name != NULL; count++) {
        RIDE_ASSERT(count < CLI_WORDS_MAX);
        names[count] = words[count].name;
        if (argc > 1 && strcmp(argv[1], names[count]) == 0) return &words[count];
    }
    RIDE_ASSERT(count > 0);
    if (argc < 2) {
        cli_usage(verb, "say what: `ride %s %s`", verb, names[0]);
        return NULL;
    }
    const char *near = ride_nearest(argv[1], names, count);
    cli_usage(verb, "there is no `%s`%s%s%s", argv[1], near != NULL ? "; did you mean `" : "", near != NULL ? near : "",
              near != NULL ? "`?" : "");
    return NULL;
}

int cli_word_read(const char *verb, const cli_word *word, int argc, char **argv) {
    return cli_options_read(verb, argc, argv, word->options, word->options_count);
}

int cli_failed(const char *verb, const ride_error *err) {
    char text[512];
    fprintf(stderr, "ride %s: %s\n", verb, ride_error_text(err, text, sizeof text));
    return ride_status_exit_code(err->status);
}

int cli_findings(ride_diagnostics *findings) {
    for (uint32_t i = 0; i < findings->count; i++) {
        const ride_diagnostic *d = &findings->items[i];
        if (d->line > 0) fprintf(stderr, "%s:%u:%u: ", d->file != NULL ? d->file : "", d->line, d->column);
        else if (d->file != NULL) fprintf(stderr, "%s: ", d->file);
        fprintf(stderr, "%s%s%s%s\n", d->message, d->advice != NULL ? " (" : "", d->advice != NULL ? d->advice : "",
                d->advice != NULL ? ")" : "");
    }
    if (findings->dropped > 0) fprintf(stderr, "… and %u more\n", findings->dropped);
    int code = ride_status_exit_code(ride_diagnostics_status(findings));
    ride_diagnostics_free(findings);
    return code;
}

int cli_print(const char *text) {
    if (fputs(text, stdout) >= 0 && fflush(stdout) == 0) return 0;
    fputs("ride: the standard output cannot be written\n", stderr);
    return ride_status_exit_code(RIDE_E_IO);
}
