/* config/find.c: from a key as it is written to the table's row, and what was perhaps meant. */
#include "config/config_internal.h"

#include <ctype.h>
#include <string.h>

static const char inputs_dot[] = "inputs.";
static const char *const open_groups[] = {CONFIG_RAW, CONFIG_TEXTS};
enum { OPEN_GROUPS = sizeof open_groups / sizeof open_groups[0] };

const config_option *config_find_option(const char *key) {
    for (uint32_t i = 0; i < config_options_count; i++)
        if (strcmp(config_options[i].key, key) == 0) return &config_options[i];
    return NULL;
}

const config_group *config_find_group(const char *key) {
    for (uint32_t i = 0; i < config_groups_count; i++)
        if (strcmp(config_groups[i].key, key) == 0) return &config_groups[i];
    return NULL;
}

const char *config_last_name(const char *key) {
    const char *dot = strrchr(key, '.');
    return dot != NULL ? dot + 1 : key;
}

bool config_is_below(const char *key, const char *group) {
    size_t bytes = strlen(group);
    if (bytes == 0) return strchr(key, '.') == NULL;
    return strncmp(key, group, bytes) == 0 && key[bytes] == '.' && strchr(key + bytes + 1, '.') == NULL;
}

bool config_is_open(const char *group) {
    for (int i = 0; i < OPEN_GROUPS; i++)
        if (strcmp(group, open_groups[i]) == 0) return true;
    return false;
}

const char *config_open_group(const char *key) {
    for (int i = 0; i < OPEN_GROUPS; i++) {
        const size_t bytes = strlen(open_groups[i]);
        if (strncmp(key, open_groups[i], bytes) == 0 && key[bytes] == '.') return open_groups[i];
    }
    return NULL;
}

bool config_open_is_good(const char *group, const char *name) {
    if (strcmp(group, CONFIG_RAW) == 0) return config_raw_is_good(name);
    const size_t bytes = strlen(name);
    if (bytes == 0 || bytes >= RIDE_NAME_BYTES) return false;
    for (size_t i = 0; i < bytes; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f || name[i] == '`') return false;
    return true;
}

void config_key_of(const config_option *option, const char *source, char out[CONFIG_KEY_BYTES]) {
    if (source == NULL) snprintf(out, CONFIG_KEY_BYTES, "%s", option->key);
    else if (config_open_group(option->key) != NULL)
        snprintf(out, CONFIG_KEY_BYTES, "%s.%s", config_open_group(option->key), source);
    else snprintf(out, CONFIG_KEY_BYTES, "%s%s.%s", inputs_dot, source, config_last_name(option->key));
}

bool config_source_is_good(const char *name) {
    size_t bytes = strlen(name);
    if (bytes == 0 || bytes >= RIDE_NAME_BYTES) return false;
    for (size_t i = 0; i < bytes; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f || name[i] == '`' || name[i] == '*') return false;
    return true;
}

static const config_option *option_or_main(const char *key) {
    const config_option *option = config_find_option(key);
    const config_group *group = option == NULL ? config_find_group(key) : NULL;
    if (group == NULL || group->main == NULL) return option;
    char member[CONFIG_KEY_BYTES];
    snprintf(member, sizeof member, "%s.%s", group->key, group->main);
    return config_find_option(member);
}

/* "tx.path" → "tx" and "path"; "tx" → "tx" and "". Source names may hold dots, so only a member's name ends one. */
static bool split_input(const char *rest, char source[RIDE_NAME_BYTES], const char **member) {
    char key[CONFIG_KEY_BYTES];
    const char *dot = strrchr(rest, '.');
    size_t bytes = strlen(rest);
    *member = "";
    if (dot != NULL) {
        snprintf(key, sizeof key, CONFIG_INPUT ".%.64s", dot + 1);
        if (config_find_option(key) == NULL) return false;
        bytes = (size_t)(dot - rest);
        *member = dot + 1;
    }
    if (bytes >= RIDE_NAME_BYTES) return false;
    memcpy(source, rest, bytes);
    source[bytes] = '\0';
    return config_source_is_good(source);
}

const config_option *config_resolve(const char *key, char source[RIDE_NAME_BYTES]) {
    char pattern[CONFIG_KEY_BYTES];
    const char *member;
    source[0] = '\0';
    if (strncmp(key, "rules", 5) == 0) return NULL;
    const char *open = config_open_group(key);
    if (open != NULL) {
        const char *name = key + strlen(open) + 1; /* with its dots */
        if (!config_open_is_good(open, name)) return NULL;
        memcpy(source, name, strlen(name) + 1);
        snprintf(pattern, sizeof pattern, "%s.<name>", open);
        return config_find_option(pattern);
    }
    if (strncmp(key, inputs_dot, strlen(inputs_dot)) != 0) return option_or_main(key);
    if (!split_input(key + strlen(inputs_dot), source, &member)) return NULL;
    snprintf(pattern, sizeof pattern, CONFIG_INPUT "%s%s", *member != '\0' ? "." : "", member);
    return option_or_main(pattern);
}

void config_suggest(const char *key, char out[CONFIG_KEY_BYTES]) {
    const char *names[256];
    size_t count = 0;
    out[0] = '\0';
    const char *dot = strrchr(key, '.');
    if (strncmp(key, inputs_dot, strlen(inputs_dot)) == 0 && dot > key + strlen(inputs_dot)) {
        static const char *const members[] = {"path", "topic", "format", "partition_key"};
        const char *near = ride_nearest(dot + 1, members, 4);
        if (near != NULL && dot - key < CONFIG_NAME_BYTES_MAX + 8)
            snprintf(out, CONFIG_KEY_BYTES, "%.*s.%s", (int)(dot - key), key, near);
        return;
    }
    for (uint32_t i = 0; i < config_options_count; i++) /* the name alone, without its groups */
        if (strcmp(config_last_name(config_options[i].key), key) == 0) {
            snprintf(out, CONFIG_KEY_BYTES, "%s", config_options[i].key);
            return;
        }
    for (uint32_t i = 0; i < config_options_count && count < 256; i++) names[count++] = config_options[i].key;
    for (uint32_t i = 0; i < config_groups_count && count < 256; i++) names[count++] = config_groups[i].key;
    const char *near = ride_nearest(key, names, count);
    if (near != NULL) snprintf(out, CONFIG_KEY_BYTES, "%s", near);
}

const char *ride_config_key(uint32_t index, const char *const **words) {
    uint32_t at = 0;
    for (uint32_t i = 0; i < config_options_count; i++) {
        const config_option *option = &config_options[i];
        if (option->unavailable != NULL || strncmp(option->key, CONFIG_RULE, strlen(CONFIG_RULE)) == 0) continue;
        bool of_input = strncmp(option->key, inputs_dot, strlen(inputs_dot)) == 0;
        if (of_input && strcmp(config_last_name(option->key), "path") != 0) continue; /* `inputs.` once */
        static const char *const bools[] = {"true", "false", NULL};
        if (at++ < index) continue;
        *words = option->type == CONFIG_BOOL ? bools : option->words;
        if (of_input) return inputs_dot;
        const char *open = config_open_group(option->key);
        return open == NULL ? option->key : strcmp(open, CONFIG_RAW) == 0 ? CONFIG_RAW "." : CONFIG_TEXTS ".";
    }
    return NULL;
}
