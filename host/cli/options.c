/* cli/options.c: reads a verb's arguments by its table. */
#include "cli/options.h"
#include "base/assert.h"
#include "cli/cli.h"
#include "engine/engine.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

enum { OPTIONS_MAX = 32 };

bool cli_read_number(const char *text, uint64_t max, uint64_t *out) {
    uint64_t value = 0;
    const char *p = text;
    for (; isdigit((unsigned char)*p) || (*p == '_' && p != text); p++) {
        if (*p == '_') continue;
        uint64_t digit = (uint64_t)(*p - '0');
        if (value > (UINT64_MAX - digit) / 10) return false;
        value = value * 10 + digit;
    }
    if (p == text || *p != 0 || value > max) return false;
    *out = value;
    return true;
}

static bool read_format(const char *text, ride_format *out) {
    if (strcmp(text, "csv") == 0) *out = RIDE_FORMAT_CSV;
    else if (strcmp(text, "ndjson") == 0) *out = RIDE_FORMAT_NDJSON;
    else if (strcmp(text, "binary") == 0) *out = RIDE_FORMAT_BINARY;
    else return false;
    return true;
}

/* A file whose name has a `=` is that file; otherwise what stands before the `=` names the source. */
static bool read_input(char *text, cli_inputs *out) {
    if (out->count == RIDE_SOURCES_MAX) return false;
    ride_input_option *input = &out->items[out->count++];
    char *equals = strchr(text, '=');
    if (equals == NULL || equals == text || access(text, F_OK) == 0) {
        *input = (ride_input_option){.path = text};
        return true;
    }
    *equals = '\0';
    *input = (ride_input_option){.name = text, .path = equals + 1};
    return *input->path != '\0';
}

static int read_value(const char *verb, const cli_option *option, char *value) {
    uint64_t number;
    cli_sets *sets = option->out;
    switch (option->kind) {
    case CLI_TEXT:
    case CLI_MAYBE:
    case CLI_KEY:
        if (*value == '\0') return cli_usage(verb, "%s is empty", option->name);
        *(const char **)option->out = value;
        return 0;
    case CLI_COUNT:
        if (!cli_read_number(value, option->max, &number) || number == 0)
            return cli_usage(verb, "%s takes 1 … %llu, not `%s`", option->name, (unsigned long long)option->max, value);
        *(uint32_t *)option->out = (uint32_t)number;
        return 0;
    case CLI_NUMBER:
        if (cli_read_number(value, option->max, option->out)) return 0;
        return cli_usage(verb, "%s takes 0 … %llu, not `%s`", option->name, (unsigned long long)option->max, value);
    case CLI_CONVERTED:
        if (option->convert(value, option->out)) return 0;
        return cli_usage(verb, "`%s` is not a value of %s", value, option->name);
    case CLI_SETS:
    case CLI_LIST:
        if (sets->count == CLI_SETS_MAX) return cli_usage(verb, "more than %d of %s", CLI_SETS_MAX, option->name);
        sets->items[sets->count++] = value;
        return 0;
    case CLI_FORMAT:
        if (read_format(value, option->out)) return 0;
        return cli_usage(verb, "%s is csv, ndjson or binary, not `%s`", option->name, value);
    case CLI_INPUTS:
        if (read_input(value, option->out)) return 0;
        return cli_usage(verb, "%s: no file, or more than %d of them", option->name, RIDE_SOURCES_MAX);
    case CLI_SWITCH: break;
    }
    return cli_usage(verb, "%s takes no value", option->name);
}

static int unknown(const char *verb, const char *argument, const cli_option *options, uint32_t options_count) {
    const char *names[OPTIONS_MAX];
    for (uint32_t i = 0; i < options_count; i++) names[i] = options[i].name;
    const char *near = ride_nearest(argument, names, options_count);
    return cli_usage(verb, "unknown option `%s`%s%s%s", argument, near != NULL ? "; did you mean `" : "",
                     near != NULL ? near : "", near != NULL ? "`?" : "");
}

int cli_options_read(const char *verb, int argc, char **argv, const cli_option *options, uint32_t options_count) {
    bool given[OPTIONS_MAX] = {false};
    RIDE_ASSERT(options_count <= OPTIONS_MAX);
    for (int i = 1; i < argc; i++) {
        char *equals = argv[i][0] == '-' ? strchr(argv[i], '=') : NULL;
        bool bare = argv[i][0] != '-' || argv[i][1] == '\0';
        uint32_t which = 0;
        if (equals != NULL) *equals = '\0';
        while (which < options_count &&
               (bare ? options[which].name[0] == '-' : strcmp(options[which].name, argv[i]) != 0))
            which++;
        if (which == options_count) return unknown(verb, argv[i], options, options_count);
        const cli_option *option = &options[which];
        bool again = option->kind == CLI_SWITCH || option->kind == CLI_INPUTS || option->kind == CLI_SETS ||
                     option->kind == CLI_LIST;
        if (given[which] && !again) return cli_usage(verb, "%s is given twice", option->name);
        given[which] = true;
        if (option->kind == CLI_SWITCH && equals == NULL) {
            *(bool *)option->out = true;
            continue;
        }
        if (option->kind == CLI_MAYBE && equals == NULL && (i + 1 == argc || argv[i + 1][0] == '-')) {
            *(const char **)option->out = "";
            continue;
        }
        char *value = bare ? argv[i] : equals != NULL ? equals + 1 : i + 1 < argc ? argv[++i] : NULL;
        if (value == NULL) return cli_usage(verb, "%s needs a value", option->name);
        int wrong = read_value(verb, option, value);
        if (wrong != 0) return wrong;
    }
    for (uint32_t i = 0; i < options_count; i++)
        if (options[i].required && !given[i]) return cli_usage(verb, "%s is missing", options[i].name);
    return 0;
}
