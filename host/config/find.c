/* config/find.c: from a key as it is written to the table's row, and what was perhaps meant. */
#include "config/config_internal.h"

#include <ctype.h>
#include <string.h>

static const char inputs_dot[] = "inputs.", raw_dot[] = CONFIG_RAW ".";

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

void config_key_of(const config_option *option, const char *source, char out[CONFIG_KEY_BYTES]) {
    if (source == NULL) snprintf(out, CONFIG_KEY_BYTES, "%s", option->key);
    else if (config_is_below(option->key, CONFIG_RAW)) snprintf(out, CONFIG_KEY_BYTES, "%s%s", raw_dot, source);
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
    if (strncmp(key, raw_dot, strlen(raw_dot)) == 0) {
        const char *name = key + strlen(raw_dot); /* with its dots */
        if (!config_raw_is_good(name)) return NULL;
        memcpy(source, name, strlen(name) + 1);
        return config_find_option(CONFIG_RAW ".<name>");
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
        return of_input ? inputs_dot : config_is_below(option->key, CONFIG_RAW) ? raw_dot : option->key;
    }
    return NULL;
}
