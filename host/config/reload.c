/* config/reload.c: what of a changed configuration a process can take while it runs. All or nothing: one option that needs a restart,
 * and none is taken. */
#include "config/config_internal.h"

#include <string.h>

static const config_value *value_of(const ride_config *config, const config_option *option, const char *source) {
    static const config_value nothing;
    const config_setting *s = config_setting_of(config->private_data, option, source);
    return s != NULL ? &s->value : &nothing;
}

static bool same_text(const char *one, const char *two) {
    return one == two || (one != NULL && two != NULL && strcmp(one, two) == 0);
}

static bool same(const config_value *one, const config_value *two) {
    return one->is_set == two->is_set && one->number == two->number && same_text(one->text, two->text);
}

static void told(const ride_config *next, const config_option *option, const char *source, const char *advice,
                 const char *why, ride_diagnostics *findings) {
    char key[CONFIG_KEY_BYTES];
    config_key_of(option, source, key);
    ride_config_origin at = ride_config_origin_of(next, key);
    if (at.layer == RIDE_CONFIG_DEFAULT) at.name = next->path;
    ride_diagnose(findings, RIDE_E_CONFIG, at.name, at.line, at.column, advice, "`%s` %s", key, why);
}

static void compare(const ride_config *begun, const ride_config *next, const config_option *option, const char *source,
                    ride_diagnostics *findings) {
    if (same(value_of(begun, option, source), value_of(next, option, source))) return;
    if (!option->hot_reloadable)
        told(next, option, source, "restart to change it", "cannot change while a run goes on", findings);
}

/* Names of either side, each once. */
static void compare_named(const ride_config *begun, const ride_config *next, const config_option *option,
                          const char *const *ones, uint32_t ones_count, const char *const *twos, uint32_t twos_count,
                          ride_diagnostics *findings) {
    for (uint32_t i = 0; i < ones_count; i++) compare(begun, next, option, ones[i], findings);
    for (uint32_t i = 0; i < twos_count; i++) {
        bool met = false;
        for (uint32_t k = 0; k < ones_count; k++) met = met || strcmp(ones[k], twos[i]) == 0;
        if (!met) compare(begun, next, option, twos[i], findings);
    }
}

static bool same_rules(const ride_config *one, const ride_config *two) {
    bool all = one->rules_count == two->rules_count;
    for (uint32_t i = 0; i < one->rules_count && all; i++)
        all = strcmp(one->rules[i].id, two->rules[i].id) == 0 && strcmp(one->rules[i].when, two->rules[i].when) == 0 &&
              one->rules[i].decision == two->rules[i].decision;
    return all;
}

ride_status ride_config_reload_check(const ride_config *begun, const ride_config *next, ride_diagnostics *findings) {
    const config_private *one = begun->private_data, *two = next->private_data;
    uint32_t before = findings->count + findings->dropped;
    for (uint32_t i = 0; i < config_options_count; i++) {
        const config_option *option = &config_options[i];
        if (option->unavailable != NULL || config_is_below(option->key, CONFIG_RULE)) continue;
        if (config_is_below(option->key, CONFIG_INPUT))
            compare_named(begun, next, option, one->sources, one->sources_count, two->sources, two->sources_count,
                          findings);
        else if (config_is_below(option->key, CONFIG_RAW))
            compare_named(begun, next, option, one->raws, one->raws_count, two->raws, two->raws_count, findings);
        else if (config_is_below(option->key, CONFIG_TEXTS))
            compare_named(begun, next, option, one->texts, one->texts_count, two->texts, two->texts_count, findings);
        else compare(begun, next, option, NULL, findings);
    }
    if (next->max_batch > begun->max_batch)
        told(next, config_find_option("scheduler.max_batch"), NULL, "restart to change it",
             "cannot grow while a run goes on: its buffers are made", findings);
    if (!same_rules(begun, next))
        ride_diagnose(findings, RIDE_E_CONFIG, next->path, 0, 0, "restart to change them",
                      "`rules` cannot change while a run goes on");
    return findings->count + findings->dropped > before ? RIDE_E_CONFIG : RIDE_OK;
}
