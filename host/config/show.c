/* config/show.c: a loaded configuration as YAML that loads again, with where each value comes from. */
#include "config/config_internal.h"

#include <stdlib.h>
#include <string.h>

typedef struct writer {
    const ride_config *config;
    const config_private *priv;
    FILE *to;
    bool with_origin;
} writer;

static void indent(writer *w, int depth) { fprintf(w->to, "%*s", depth * 2, ""); }

/* A path in a comment must not end it. */
static void put_plain(writer *w, const char *text) {
    for (; *text != '\0'; text++) fputc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text, w->to);
}

static void put_origin(writer *w, const ride_config_origin *origin) {
    if (w->with_origin) {
        fputs("  # ", w->to);
        put_plain(w, origin->name != NULL ? origin->name : "default");
        if (origin->line > 0) fprintf(w->to, ":%u:%u", origin->line, origin->column);
    }
    fputc('\n', w->to);
}

static void put_options(writer *w, const char *group, const char *source, int depth) {
    static const config_setting nothing = {.origin = {RIDE_CONFIG_DEFAULT, "default", 0, 0}};
    for (uint32_t i = 0; i < config_options_count; i++) {
        const config_option *option = &config_options[i];
        if (!config_is_below(option->key, group)) continue;
        indent(w, depth);
        if (option->unavailable != NULL) {
            fprintf(w->to, "# %s: not supported yet\n", config_last_name(option->key));
            continue;
        }
        const config_setting *setting = config_setting_of(w->priv, option, source);
        if (setting == NULL) setting = &nothing;
        fprintf(w->to, "%s: ", config_last_name(option->key));
        config_value_put(option, &setting->value, w->to);
        put_origin(w, &setting->origin);
    }
}

/* A group whose members have names of their own: those of its `count` names that have a value. */
static void put_open(writer *w, const char *group, const char *const *names, uint32_t count) {
    char key[CONFIG_KEY_BYTES];
    bool any = false;
    snprintf(key, sizeof key, "%s.<name>", group);
    const config_option *option = config_find_option(key);
    indent(w, 1);
    fprintf(w->to, "%s:", config_last_name(group));
    for (uint32_t i = 0; i < count; i++) {
        const config_setting *setting = config_setting_of(w->priv, option, names[i]);
        if (setting == NULL || !setting->value.is_set) continue;
        if (!any) fputc('\n', w->to);
        any = true;
        indent(w, 2);
        if (strcmp(group, CONFIG_RAW) == 0 && config_raw_is_secret(setting->source)) {
            fprintf(w->to, "# %s: given, not shown\n", setting->source);
            continue;
        }
        config_text_put(setting->source, w->to);
        fputs(": ", w->to);
        config_value_put(option, &setting->value, w->to);
        put_origin(w, &setting->origin);
    }
    if (!any) fputs(" {}\n", w->to);
}

static void put_rules(writer *w) {
    const config_option *decision = config_find_option(CONFIG_RULE ".decision");
    fputs(w->config->rules_count > 0 ? "rules:\n" : "rules: []\n", w->to);
    for (uint32_t i = 0; i < w->config->rules_count; i++) {
        const ride_rule_spec *rule = &w->config->rules[i];
        ride_config_origin origin = {RIDE_CONFIG_FILE, rule->file, rule->line, rule->column};
        fputs("  - {id: ", w->to);
        config_text_put(rule->id, w->to);
        fputs(", when: ", w->to);
        config_json_put(rule->when, w->to);
        fprintf(w->to, ", decision: %s}", decision->words[rule->decision]);
        put_origin(w, &origin);
    }
}

static void put_inputs(writer *w) {
    fputs(w->config->inputs_count > 0 ? "inputs:\n" : "inputs: {}\n", w->to);
    for (uint32_t i = 0; i < w->config->inputs_count; i++) {
        fputs("  ", w->to);
        config_text_put(w->config->inputs[i].source, w->to);
        fputs(":\n", w->to);
        put_options(w, CONFIG_INPUT, w->config->inputs[i].source, 2);
    }
}

ride_status ride_config_show(const ride_config *config, bool with_origin, char **out_text, ride_error *err) {
    size_t bytes = 0;
    *out_text = NULL;
    writer w = {config, config->private_data, open_memstream(out_text, &bytes), with_origin};
    for (uint32_t i = 0; i < config_groups_count && w.to != NULL; i++) {
        const char *key = config_groups[i].key;
        int depth = strchr(key, '.') != NULL;
        if (strcmp(key, CONFIG_RULE) == 0) put_rules(&w);
        else if (strcmp(key, "inputs") == 0) put_inputs(&w);
        else if (strcmp(key, CONFIG_RAW) == 0) put_open(&w, key, w.priv->raws, w.priv->raws_count);
        else if (strcmp(key, CONFIG_TEXTS) == 0) put_open(&w, key, w.priv->texts, w.priv->texts_count);
        else if (strcmp(key, CONFIG_INPUT) != 0) {
            indent(&w, depth);
            fprintf(w.to, "%s:\n", config_last_name(key));
            put_options(&w, key, NULL, depth + 1);
        }
    }
    return config_text_finish(w.to, out_text, err);
}
