/* config/schema.c: the table as JSON Schema (draft 2020-12), for editors and checks before a rollout. */
#include "config/config_internal.h"

#include <inttypes.h>
#include <string.h>

static void put_limits(const config_option *option, FILE *to) {
    switch (option->type) {
    case CONFIG_BOOL: fputs("\"type\": [\"boolean\", \"null\"]", to); return;
    case CONFIG_COUNT:
        fprintf(to, "\"type\": [\"integer\", \"null\"], \"minimum\": %" PRIu64 ", \"maximum\": %" PRIu64, option->min,
                option->max);
        return;
    case CONFIG_DECIMAL:
        fprintf(to, "\"type\": [\"number\", \"null\"], \"minimum\": %g, \"maximum\": %g", (double)option->min / 1e6,
                (double)option->max / 1e6);
        return;
    case CONFIG_TOPIC: fputs("\"type\": [\"string\", \"null\"], \"pattern\": \"^[A-Za-z0-9._-]{1,249}$\"", to); return;
    case CONFIG_ADDRESS:
        fputs("\"type\": [\"string\", \"null\"], \"pattern\": \"^([^:/@ ]+|\\\\[[^]/@ ]+\\\\]):[0-9]+$\"", to);
        return;
    case CONFIG_LINE: fputs("\"type\": [\"string\", \"number\", \"boolean\", \"null\"], \"minLength\": 1", to); return;
    case CONFIG_SIZE:
        fputs("\"type\": [\"string\", \"null\"], \"pattern\": \"^[0-9][0-9_]*(B|KiB|MiB|GiB|TiB)$\"", to);
        return;
    case CONFIG_WORD:
        fputs("\"enum\": [", to);
        for (size_t i = 0; option->words[i] != NULL; i++) fprintf(to, "%s\"%s\"", i > 0 ? ", " : "", option->words[i]);
        fputs(option->required ? "]" : ", null]", to);
        return;
    default:
        fputs(option->required ? "\"type\": \"string\", \"minLength\": 1"
                               : "\"type\": [\"string\", \"null\"], \"minLength\": 1",
              to);
    }
}

static void put_option(const config_option *option, FILE *to) {
    char description[256];
    snprintf(description, sizeof description, "%s%s%s", option->text,
             option->unavailable != NULL ? "; not supported yet: " : "",
             option->unavailable != NULL ? option->unavailable : "");
    fputs("{\"description\": ", to);
    config_json_put(description, to);
    fputs(", ", to);
    if (option->unavailable != NULL) fputs("\"type\": \"null\"", to);
    else put_limits(option, to);
    if (option->default_text != NULL) {
        bool text = option->type != CONFIG_BOOL && option->type != CONFIG_COUNT && option->type != CONFIG_DECIMAL;
        fprintf(to, ", \"default\": %s%s%s", text ? "\"" : "", option->default_text, text ? "\"" : "");
    }
    fputc('}', to);
}

static void put_group(const char *key, int depth, FILE *to);

static void put_members(const char *key, int depth, FILE *to) {
    bool first = true;
    char list[256] = "";
    size_t used = 0;
    fprintf(to, "\"additionalProperties\": false,\n%*s\"properties\": {", depth, "");
    for (uint32_t i = 0; i < config_options_count; i++) {
        const config_option *option = &config_options[i];
        if (!config_is_below(option->key, key)) continue;
        fprintf(to, "%s\n%*s\"%s\": ", first ? "" : ",", depth + 1, "", config_last_name(option->key));
        put_option(option, to);
        first = false;
        if (option->required && strcmp(key, CONFIG_RULE) == 0 && used < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s\"%s\"", used > 0 ? ", " : "",
                                     config_last_name(option->key));
    }
    for (uint32_t i = 0; i < config_groups_count; i++) {
        const char *group = config_groups[i].key;
        if (!config_is_below(group, key) || strcmp(group, CONFIG_RULE) == 0) continue;
        fprintf(to, "%s\n%*s\"%s\": ", first ? "" : ",", depth + 1, "", config_last_name(group));
        put_group(group, depth + 1, to);
        first = false;
    }
    if (key[0] == '\0') {
        fprintf(to, ",\n%*s\"rules\": {\"type\": [\"array\", \"null\"], \"maxItems\": %d, \"items\": ", depth + 1, "",
                RIDE_CONFIG_RULES_MAX);
        put_group(CONFIG_RULE, depth + 1, to);
        fputc('}', to);
    }
    fputc('}', to);
    if (used > 0) fprintf(to, ", \"required\": [%s]", list); /* of others: another layer may give it */
}

static void put_group(const char *key, int depth, FILE *to) {
    const config_group *group = config_find_group(key);
    bool is_map = strcmp(key, "inputs") == 0, is_open = config_is_open(key);
    fputs("{\"description\": ", to);
    config_json_put(group->text, to);
    fprintf(to, ", \"type\": [\"object\"%s%s], ", group->main != NULL ? ", \"string\"" : "",
            strcmp(key, CONFIG_RULE) == 0 ? "" : ", \"null\"");
    if (is_open)
        fprintf(to,
                "\"maxProperties\": %d, \"additionalProperties\": {\"type\": [\"string\", \"number\", \"boolean\", "
                "\"null\"]}",
                strcmp(key, CONFIG_RAW) == 0 ? RIDE_CONFIG_RAW_MAX : RIDE_CONFIG_TEXTS_MAX);
    else if (is_map) {
        fprintf(to, "\"maxProperties\": %d, \"additionalProperties\": ", RIDE_SOURCES_MAX);
        put_group(CONFIG_INPUT, depth, to);
    } else put_members(key, depth, to);
    fputc('}', to);
}

ride_status ride_config_schema(char **out_text, ride_error *err) {
    size_t bytes = 0;
    *out_text = NULL;
    FILE *to = open_memstream(out_text, &bytes);
    if (to != NULL) {
        fputs("{\"$schema\": \"https://json-schema.org/draft/2020-12/schema\", \"title\": \"RIDE configuration\",\n"
              " \"type\": [\"object\", \"null\"], ",
              to);
        put_members("", 1, to);
        fputs("}\n", to);
    }
    return config_text_finish(to, out_text, err);
}
