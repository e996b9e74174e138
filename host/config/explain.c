/* config/explain.c: what one option or group is, for people. */
#include "config/config_internal.h"

#include <ctype.h>
#include <string.h>

static void put_variable(const char *key, FILE *to) {
    fputs("RIDE__", to);
    for (; *key != '\0'; key++)
        if (*key == '.') fputs("__", to);
        else fputc(toupper((unsigned char)*key), to);
}

static void put_option(const config_option *option, const char *key, FILE *to) {
    char type[256];
    fprintf(to, "%s\n  %s\n  type     %s\n  default  %s\n", key, option->text,
            config_type_text(option, type, sizeof type),
            option->default_text != NULL ? option->default_text
            : option->required           ? "none: it must be given"
                                         : "none");
    if (option->unavailable != NULL) fprintf(to, "  not supported yet: %s\n", option->unavailable);
    else if (strncmp(option->key, CONFIG_RULE, strlen(CONFIG_RULE)) == 0) fputs("  set in   the file only\n", to);
    else {
        fprintf(to, "  set by   --set %s=VALUE, or ", key);
        put_variable(key, to);
        fprintf(to, " in the environment, or in the file\n  changes  %s\n",
                option->hot_reloadable ? "while a run goes on" : "with the next run");
    }
}

static void put_group(const config_group *group, FILE *to) {
    fprintf(to, "%s\n  %s\n", group->key, group->text);
    if (group->main != NULL) fprintf(to, "  `%s: VALUE` is short for its `%s`.\n", group->key, group->main);
    size_t bytes = strcmp(group->key, "inputs") == 0 ? strlen("inputs") : strlen(group->key);
    for (uint32_t i = 0; i < config_options_count; i++) {
        const config_option *option = &config_options[i];
        if (strncmp(option->key, group->key, bytes) != 0 || option->key[bytes] != '.') continue;
        fprintf(to, "  %-26s %s%s\n", option->key, option->text,
                option->unavailable != NULL ? " (not supported yet)" : "");
    }
}

ride_status ride_config_explain(const char *key, char **out_text, ride_error *err) {
    char source[RIDE_NAME_BYTES], near[CONFIG_KEY_BYTES];
    size_t bytes = 0;
    const config_group *group = config_find_group(strcmp(key, "rules") == 0 ? CONFIG_RULE : key);
    const config_option *option = config_find_option(key);
    *out_text = NULL;
    if (option == NULL && group == NULL) option = config_resolve(key, source);
    if (option == NULL && group == NULL) {
        config_suggest(key, near);
        ride_fail(err, RIDE_E_USAGE, "there is no option `%.80s`", key);
        if (near[0] != '\0') ride_error_advice(err, "did you mean `%.40s`?", near);
        return RIDE_E_USAGE;
    }
    FILE *to = open_memstream(out_text, &bytes);
    if (to != NULL && group != NULL) put_group(group, to);
    else if (to != NULL) put_option(option, strchr(key, '.') != NULL ? key : option->key, to);
    return config_text_finish(to, out_text, err);
}
