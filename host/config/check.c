/* config/check.c: what no single value shows: what lacks, and two uses of one file. */
#include "config/config_internal.h"

#include <string.h>

static bool is_wrong(const config_builder *b, const char *key) {
    const config_setting *setting = config_setting_of(b->priv, config_find_option(key), NULL);
    return setting != NULL && setting->is_wrong;
}

static void lacks(config_builder *b, const char *key, const char *advice) {
    ride_diagnose(b->reader.findings, RIDE_E_CONFIG, b->reader.path, 0, 0, advice, "`%s` is missing", key);
}

/* A source that has anything needs its path; the place is that of what it has. */
static void check_inputs(config_builder *b) {
    char key[CONFIG_KEY_BYTES];
    bool any = false;
    const config_option *path = config_find_option(CONFIG_INPUT ".path");
    for (uint32_t i = 0; i < b->priv->sources_count; i++) {
        const char *source = b->priv->sources[i];
        const config_setting *given = NULL, *named = config_setting_of(b->priv, path, source);
        for (uint32_t k = 0; k < b->priv->settings_count; k++)
            if (b->priv->settings[k].source == source &&
                (b->priv->settings[k].value.is_set || b->priv->settings[k].is_wrong))
                given = &b->priv->settings[k];
        any = any || given != NULL;
        if (given == NULL || (named != NULL && (named->value.is_set || named->is_wrong))) continue;
        config_key_of(path, source, key);
        ride_diagnose(b->reader.findings, RIDE_E_CONFIG, given->origin.name, given->origin.line, given->origin.column,
                      NULL, "`%s` is missing", key);
    }
    if (!any) lacks(b, "inputs", "inputs: {SOURCE: FILE}, by the names of the spec's sources");
}

static bool is_output(const config_setting *s) { return strncmp(s->option->key, "outputs.", 8) == 0; }

/* One file is written once, and not read by the same run. Two names of one file are not found here. */
static void check_streams(config_builder *b) {
    const config_private *p = b->priv;
    char key[CONFIG_KEY_BYTES], other[CONFIG_KEY_BYTES];
    for (uint32_t i = 0; i < p->settings_count; i++) {
        const config_setting *one = &p->settings[i];
        if (one->option->type != CONFIG_STREAM || !one->value.is_set) continue;
        bool standard = strcmp(one->value.text, "-") == 0;
        for (uint32_t k = 0; k < i; k++) {
            const config_setting *two = &p->settings[k];
            if (two->option->type != CONFIG_STREAM || !two->value.is_set) continue;
            if (strcmp(one->value.text, two->value.text) != 0) continue;
            if (!is_output(one) && !is_output(two) && !standard) continue; /* read twice is fine */
            if (is_output(one) != is_output(two) && standard) continue;    /* input and output */
            if (strcmp(one->value.text, "/dev/null") == 0) continue;
            bool two_is_later = two->origin.layer != one->origin.layer ? two->origin.layer > one->origin.layer
                                                                       : two->origin.line > one->origin.line;
            const config_setting *late = two_is_later ? two : one;
            config_key_of(one->option, one->source, key);
            config_key_of(two->option, two->source, other);
            ride_diagnose(b->reader.findings, RIDE_E_CONFIG, late->origin.name, late->origin.line, late->origin.column,
                          NULL, "`%s` and `%s` are the same: %.200s", other, key,
                          standard ? "the standard stream" : one->value.text);
        }
    }
}

void config_check(config_builder *b) {
    if (b->no_memory) return;
    if (b->config->spec == NULL && !is_wrong(b, "spec.path")) lacks(b, "spec", "spec: FILE");
    check_inputs(b);
    if (b->config->decisions.path == NULL && !is_wrong(b, "outputs.decisions.path"))
        lacks(b, "outputs.decisions.path", "outputs: {decisions: FILE}");
    if (b->config->drift != NULL && b->config->drift_profile == NULL && !is_wrong(b, "drift.profile")) {
        const config_setting *given = config_setting_of(b->priv, config_find_option("outputs.drift.path"), NULL);
        ride_diagnose(b->reader.findings, RIDE_E_CONFIG, given->origin.name, given->origin.line, given->origin.column,
                      "drift: PROFILE, made by `ride profile build`", "`outputs.drift.path` needs `drift.profile`");
    }
    check_streams(b);
}
