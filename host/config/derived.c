/* config/derived.c: defaults that no row of the table holds, since they follow from other values. `show` prints what came of them. */
#include "config/config_internal.h"

#include <string.h>

static config_setting *setting(config_builder *b, const char *key) {
    return (config_setting *)config_setting_by_key(b, key); /* one of b's own, which are not const */
}

/* Of a topic: its messages are JSON unless something else is said. */
static void derive_formats(config_builder *b) {
    const config_option *topic = config_find_option(CONFIG_INPUT ".topic"),
                        *format = config_find_option(CONFIG_INPUT ".format");
    config_private *p = b->priv;
    for (uint32_t i = 0; i < p->sources_count; i++) {
        const config_setting *named = config_setting_of(p, topic, p->sources[i]);
        const config_setting *given = config_setting_of(p, format, p->sources[i]);
        if (named == NULL || !named->value.is_set || (given != NULL && given->value.is_set)) continue;
        config_setting *made = (config_setting *)given;
        if (made == NULL) {
            RIDE_ASSERT(p->settings_count < p->settings_max);
            made = &p->settings[p->settings_count++];
        }
        *made = (config_setting){.option = format,
                                 .source = p->sources[i],
                                 .value = {.is_set = true, .number = RIDE_FORMAT_NDJSON},
                                 .origin = {RIDE_CONFIG_DEFAULT, "default", 0, 0}};
    }
    config_setting *decisions = setting(b, "outputs.decisions.format");
    bool to_topic = setting(b, "outputs.decisions.topic")->value.is_set;
    if (!decisions->value.is_set && !decisions->is_wrong)
        *decisions =
            (config_setting){.option = decisions->option,
                             .value = {.is_set = true, .number = to_topic ? RIDE_FORMAT_NDJSON : RIDE_FORMAT_CSV},
                             .origin = {RIDE_CONFIG_DEFAULT, "default", 0, 0}};
}

static bool is_service(const config_builder *b) {
    for (uint32_t i = 0; i < b->priv->settings_count; i++) {
        const config_setting *s = &b->priv->settings[i];
        if (s->value.is_set && (s->option->type == CONFIG_TOPIC || strcmp(s->option->key, "http.listen") == 0))
            return true;
    }
    return false;
}

static void derive_journal(config_builder *b) {
    static const char name[] = "/journal.ride";
    config_setting *path = setting(b, "journal.path");
    const config_setting *state = setting(b, "state.dir");
    if (path->value.is_set || path->is_wrong || !state->value.is_set || !is_service(b)) return;
    size_t bytes = strlen(state->value.text);
    char *text = ride_arena_alloc(b->priv->arena, bytes + sizeof name, 1);
    if (text == NULL) {
        b->no_memory = true;
        return;
    }
    memcpy(text, state->value.text, bytes);
    memcpy(text + bytes, name, sizeof name);
    path->value = (config_value){.is_set = true, .text = text};
    path->origin = (ride_config_origin){RIDE_CONFIG_DEFAULT, "default", 0, 0};
}

void config_derive(config_builder *b) {
    if (b->no_memory) return;
    derive_formats(b);
    derive_journal(b);
}
