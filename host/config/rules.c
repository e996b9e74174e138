/* config/rules.c: `rules`: ids, conditions with their places, decisions. The conditions compile later, against the spec. */
#include "config/config_internal.h"

#include <stdlib.h>
#include <string.h>

static const char *copy(config_builder *b, const char *text) {
    const char *made = ride_arena_text(b->priv->arena, text, strlen(text));
    if (made == NULL) b->no_memory = true;
    return made;
}

/* The member's scalar, checked against its row of the table; NULL when it was told. */
static const ride_yaml_node *member(config_builder *b, const ride_yaml_node *rule, const char *what, const char *name,
                                    config_value *value) {
    char key[CONFIG_KEY_BYTES], shown[CONFIG_KEY_BYTES];
    config_fault wrong;
    const ride_yaml_node *node = ride_yaml_get(rule, name);
    snprintf(key, sizeof key, CONFIG_RULE ".%s", name);
    snprintf(shown, sizeof shown, "`%s` of %s", name, what);
    if (node == NULL) {
        ride_yaml_fault(&b->reader, rule, NULL, "%s has no `%s`", what, name);
        return NULL;
    }
    if (ride_yaml_need(&b->reader, node, shown, RIDE_YAML_SCALAR) != RIDE_OK) return NULL;
    const config_option *option = config_find_option(key);
    if (option->type == CONFIG_TEXT) return node;
    if (config_value_read(option, node->text, node->quoted, value, &wrong)) return node;
    ride_yaml_fault(&b->reader, node, wrong.advice[0] != '\0' ? wrong.advice : NULL, "%s %s", shown, wrong.message);
    return NULL;
}

static void read_rule(config_builder *b, const ride_yaml_node *node, uint32_t number) {
    static const char *const names[] = {"id", "when", "decision"};
    char what[64];
    config_value id = {0}, decision = {0}, none;
    snprintf(what, sizeof what, "rule %u", number);
    if (ride_yaml_need(&b->reader, node, what, RIDE_YAML_MAPPING) != RIDE_OK) return;
    ride_yaml_check_keys(&b->reader, node, what, names, 3);
    const ride_yaml_node *id_node = member(b, node, what, "id", &id);
    const ride_yaml_node *when = member(b, node, what, "when", &none);
    const ride_yaml_node *decision_node = member(b, node, what, "decision", &decision);
    if (when != NULL && when->text[strspn(when->text, " \t\n")] == '\0') {
        ride_yaml_fault(&b->reader, when, NULL, "`when` of %s is empty", what);
        when = NULL;
    }
    if (id_node == NULL || when == NULL || decision_node == NULL) return;
    ride_rule_spec *rule = &b->config->rules[b->config->rules_count++];
    *rule = (ride_rule_spec){.id = copy(b, id_node->text),
                             .when = copy(b, when->text),
                             .decision = (ride_decision)decision.number,
                             .file = b->config->path,
                             .line = when->text_line,
                             .column = when->text_column};
}

/* By hash, so that a long list costs no square: a table of the places of ids. */
static void check_ids(config_builder *b, const ride_yaml_node *list) {
    enum { SLOTS = 4 * RIDE_CONFIG_RULES_MAX };
    const ride_yaml_node **slots = calloc(SLOTS, sizeof *slots);
    if (slots == NULL) {
        b->no_memory = true;
        return;
    }
    for (uint32_t i = 0; i < list->count && i < RIDE_CONFIG_RULES_MAX; i++) {
        const ride_yaml_node *id = ride_yaml_get(list->items[i], "id");
        if (id == NULL || id->kind != RIDE_YAML_SCALAR || id->text[0] == '\0') continue;
        uint32_t hash = 2166136261u; /* FNV-1a */
        for (const char *p = id->text; *p != '\0'; p++) hash = (hash ^ (unsigned char)*p) * 16777619u;
        uint32_t at = hash % SLOTS;
        while (slots[at] != NULL && strcmp(slots[at]->text, id->text) != 0) at = (at + 1) % SLOTS;
        if (slots[at] != NULL)
            ride_yaml_fault(&b->reader, id, NULL, "two rules have the id `%.80s` (first at line %u)", id->text,
                            slots[at]->line);
        else slots[at] = id;
    }
    free(slots);
}

void config_read_rules(config_builder *b, const ride_yaml_node *node) {
    if (ride_yaml_is_null(node)) return;
    if (ride_yaml_need(&b->reader, node, "`rules`", RIDE_YAML_SEQUENCE) != RIDE_OK) return;
    uint32_t count = node->count;
    if (count > RIDE_CONFIG_RULES_MAX) {
        ride_yaml_fault(&b->reader, node, NULL, "%u rules, at most %d", count, RIDE_CONFIG_RULES_MAX);
        count = RIDE_CONFIG_RULES_MAX;
    }
    b->config->rules = ride_arena_new(b->priv->arena, ride_rule_spec, count + 1);
    if (b->config->rules == NULL) {
        b->no_memory = true;
        return;
    }
    for (uint32_t i = 0; i < count; i++) read_rule(b, node->items[i], i + 1);
    check_ids(b, node);
}
