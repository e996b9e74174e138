/* config/check.c: what no single value shows: what lacks, and two uses of one file. */
#include "config/config_internal.h"

#include <stdarg.h>
#include <string.h>

const config_setting *config_setting_by_key(const config_builder *b, const char *key) {
    const config_setting *setting = config_setting_of(b->priv, config_find_option(key), NULL);
    RIDE_ASSERT(setting != NULL);
    return setting;
}

static bool is_wrong(const config_builder *b, const char *key) { return config_setting_by_key(b, key)->is_wrong; }

void config_fault_at(config_builder *b, const config_setting *setting, const char *advice, const char *format, ...) {
    char message[512];
    ride_config_origin at = {RIDE_CONFIG_FILE, b->reader.path, 0, 0};
    if (setting != NULL && setting->origin.layer != RIDE_CONFIG_DEFAULT) at = setting->origin;
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    ride_diagnose(b->reader.findings, RIDE_E_CONFIG, at.name, at.line, at.column, advice, "%s", message);
}

static void lacks(config_builder *b, const char *key, const char *advice) {
    ride_diagnose(b->reader.findings, RIDE_E_CONFIG, b->reader.path, 0, 0, advice, "`%s` is missing", key);
}

/* A source that has anything needs a path or a topic; the place is that of what it has. */
static void check_inputs(config_builder *b) {
    char key[CONFIG_KEY_BYTES];
    bool any = false;
    const config_option *path = config_find_option(CONFIG_INPUT ".path"),
                        *topic = config_find_option(CONFIG_INPUT ".topic");
    for (uint32_t i = 0; i < b->priv->sources_count; i++) {
        const char *source = b->priv->sources[i];
        const config_setting *given = NULL, *file = config_setting_of(b->priv, path, source),
                             *named = config_setting_of(b->priv, topic, source);
        for (uint32_t k = 0; k < b->priv->settings_count; k++)
            if (b->priv->settings[k].source == source &&
                (b->priv->settings[k].value.is_set || b->priv->settings[k].is_wrong))
                given = &b->priv->settings[k];
        any = any || given != NULL;
        bool has_file = file != NULL && (file->value.is_set || file->is_wrong),
             has_topic = named != NULL && (named->value.is_set || named->is_wrong);
        config_key_of(path, source, key);
        if (has_file && has_topic && !file->is_wrong && !named->is_wrong)
            config_fault_at(b, named, "a source reads one of them", "`%s` and its `topic` are both given", key);
        if (given == NULL || has_file || has_topic) continue;
        config_fault_at(b, given, "or its `topic`", "`%s` is missing", key);
    }
    if (!any && b->config->http.listen == NULL && !is_wrong(b, "http.listen"))
        lacks(b, "inputs", "inputs: {SOURCE: FILE}, by the names of the spec's sources");
}

/* A file or a topic, not both. */
static void check_output(config_builder *b, const char *path, const char *topic) {
    const config_setting *file = config_setting_by_key(b, path), *named = config_setting_by_key(b, topic);
    if (file->value.is_set && named->value.is_set)
        config_fault_at(b, named, "one of them", "`%s` and `%s` are both given", path, topic);
}

static void check_outputs(config_builder *b) {
    const ride_config *c = b->config;
    check_output(b, "outputs.decisions.path", "outputs.decisions.topic");
    check_output(b, "outputs.alerts.path", "outputs.alerts.topic");
    check_output(b, "outputs.rejects.path", "outputs.rejects.topic");
    check_output(b, "outputs.late.path", "outputs.late.topic");
    bool http_alone = c->http.listen != NULL && b->priv->sources_count == 0;
    if (c->decisions.path == NULL && c->decisions.topic == NULL && !http_alone && !is_wrong(b, "http.listen") &&
        !is_wrong(b, "outputs.decisions.path") && !is_wrong(b, "outputs.decisions.topic"))
        lacks(b, "outputs.decisions.path",
              c->kafka.brokers != NULL ? "outputs: {decisions: {topic: TOPIC}}" : "outputs: {decisions: FILE}");
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

/* What `reasons` says where nothing asks for them; `when: none` does so on purpose. */
static void check_reasons_unused(config_builder *b) {
    const config_private *p = b->priv;
    const config_setting *when = config_setting_by_key(b, "reasons.when");
    char key[CONFIG_KEY_BYTES];
    if (when->value.is_set && when->origin.layer != RIDE_CONFIG_DEFAULT) return;
    for (uint32_t i = 0; i < p->settings_count && !when->is_wrong; i++) {
        const config_setting *s = &p->settings[i];
        if (strncmp(s->option->key, "reasons.", 8) != 0 || !s->value.is_set || s->is_wrong ||
            s->origin.layer == RIDE_CONFIG_DEFAULT)
            continue;
        config_key_of(s->option, s->source, key);
        config_fault_at(b, s, "reasons: {when: alerts} or {when: all}; {when: none} if they are not wanted now",
                        "`%s` has no effect: `reasons.when` is not given", key);
        return; /* one is enough */
    }
}

static void check_reasons(config_builder *b) {
    const ride_config *c = b->config;
    if (c->reasons.when != RIDE_REASONS_NONE && c->model == NULL && !is_wrong(b, "model.path"))
        config_fault_at(b, config_setting_by_key(b, "reasons.when"), "model: FILE", "`reasons.when` needs `model`");
    if (c->reasons.when == RIDE_REASONS_ALERTS && c->rules_count == 0)
        config_fault_at(b, config_setting_by_key(b, "reasons.when"), "reasons: all",
                        "`reasons.when` alerts has no effect: without `rules` every decision is approve");
    if (c->reasons.background != NULL && strcmp(c->reasons.background, "-") == 0)
        config_fault_at(b, config_setting_by_key(b, "reasons.background"), "write the rows to a file",
                        "`reasons.background` is read twice, and cannot be the standard input");
    check_reasons_unused(b);
}

void config_check(config_builder *b) {
    if (b->no_memory) return;
    if (b->config->spec == NULL && !is_wrong(b, "spec.path")) lacks(b, "spec", "spec: FILE");
    check_inputs(b);
    check_outputs(b);
    if (b->config->drift != NULL && b->config->drift_profile == NULL && !is_wrong(b, "drift.profile")) {
        config_fault_at(b, config_setting_by_key(b, "outputs.drift.path"),
                        "drift: PROFILE, made by `ride profile build`", "`outputs.drift.path` needs `drift.profile`");
    }
    check_reasons(b);
    config_check_service(b);
    check_streams(b);
}
