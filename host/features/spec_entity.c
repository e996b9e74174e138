/* features/spec_entity.c: `entities:`: keys, horizon and bounds; and the columns of the input tile. */
#include "features/duration.h"
#include "features/spec_internal.h"

#include <string.h>

static void read_keys(spec_builder *b, ride_entity_spec *entity, const ride_yaml_node *node) {
    const ride_source_spec *events = spec_events(b);
    const char *known[RIDE_FIELDS_MAX];
    size_t known_count = spec_field_names(events, known);
    char what[128];
    snprintf(what, sizeof what, "`keys` of entity `%s`", entity->name);
    const ride_yaml_node *const *items = node->kind == RIDE_YAML_SEQUENCE ? node->items : &node;
    uint32_t count = node->kind == RIDE_YAML_SEQUENCE ? node->count : 1;
    if (count == 0 || count > RIDE_KEYS_MAX) {
        ride_yaml_fault(&b->reader, node, NULL, "%s must name 1 … %d fields", what, RIDE_KEYS_MAX);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        const char *name;
        if (ride_yaml_read_string(&b->reader, items[i], what, &name) != RIDE_OK) continue;
        int32_t index = spec_find_field(events, name);
        if (index < 0 || events->fields[index].hidden) {
            spec_unknown(b, items[i], "field", known, known_count);
            continue;
        }
        const ride_field *field = &events->fields[index];
        if (field->type == RIDE_FIELD_F32 || field->type == RIDE_FIELD_F64)
            ride_yaml_fault(&b->reader, items[i], "declare it as a decimal with a scale",
                            "`%s` is a float and cannot be a key", name);
        else if (index == events->field_label)
            ride_yaml_fault(&b->reader, items[i], NULL, "`%s` is the label and cannot be a key", name);
        for (uint32_t k = 0; k < entity->keys_count; k++)
            if (entity->keys[k] == (uint32_t)index)
                ride_yaml_fault(&b->reader, items[i], NULL, "%s names `%s` twice", what, name);
        entity->keys[entity->keys_count++] = (uint32_t)index;
    }
}

static void read_entity(spec_builder *b, uint32_t index, const ride_yaml_pair *pair) {
    static const char *const names[] = {"keys", "horizon", "expected_keys", "max_events", "memory", NULL};
    static const char *const later[] = {"over", "panes", "tiles", NULL};
    ride_entity_spec *entity = &b->spec->entities[index];
    ride_plan_entity *plan = &b->priv->entities[index];
    const ride_yaml_node *node = pair->value, *value;
    uint64_t number;
    char what[128];
    snprintf(what, sizeof what, "entity `%s`", entity->name);
    if (ride_yaml_need(&b->reader, node, what, RIDE_YAML_MAPPING) != RIDE_OK) return;
    spec_check_keys(b, node, what, names, later);
    if ((value = ride_yaml_get(node, "keys")) != NULL) read_keys(b, entity, value);
    else ride_yaml_fault_key(&b->reader, pair, "keys: [card]", "%s has no `keys`", what);
    if ((value = ride_yaml_get(node, "horizon")) != NULL &&
        spec_read_duration(b, value, "`horizon`", &b->horizon_us[index]))
        b->entity_horizons[index] = value;
    if ((value = ride_yaml_get(node, "expected_keys")) != NULL &&
        ride_yaml_read_u64(&b->reader, value, "`expected_keys`", 1, 1000000000000ull, &number) == RIDE_OK)
        plan->expected_keys = number;
    if ((value = ride_yaml_get(node, "max_events")) != NULL &&
        ride_yaml_read_u64(&b->reader, value, "`max_events`", 1, 1u << 30, &number) == RIDE_OK)
        plan->max_events = (uint32_t)number;
    if ((value = ride_yaml_get(node, "memory")) != NULL)
        spec_read_bytes(b, value, "`memory`", &b->priv->entity_memory_max[index]);
}

void spec_read_entities(spec_builder *b, const ride_yaml_node *entities) {
    for (uint32_t i = 0; i < entities->count; i++) {
        const ride_yaml_pair *pair = &entities->pairs[i];
        if (b->spec->entities_count == RIDE_ENTITIES_MAX) {
            ride_yaml_fault_key(&b->reader, pair, NULL, "more than %d entities", RIDE_ENTITIES_MAX);
            return;
        }
        uint32_t index = b->spec->entities_count;
        ride_entity_spec *entity = &b->spec->entities[index];
        if (!spec_name(b, &b->reader, pair->key_line, pair->key_column, "entity name", pair->key, entity->name,
                       sizeof entity->name))
            continue;
        b->entity_nodes[index] = pair->value;
        b->spec->entities_count++;
        read_entity(b, index, pair);
    }
}

static uint32_t add_column(spec_private *p, ride_type type, bool nullable, int32_t scale, const char *name) {
    RIDE_ASSERT(p->columns_count < RIDE_TILE_COLUMNS_MAX);
    p->columns[p->columns_count] =
        (spec_column){.plan = {.type = type, .nullable = nullable, .scale = scale}, .name = name};
    return p->columns_count++;
}

/* System columns, a key per entity, the event source's fields, the hidden label. Hash columns follow as expressions and
 * aggregates ask for them. 3 + 32 + 256 + 1 + 256 columns always fit. */
void spec_assign_columns(spec_builder *b) {
    spec_private *p = b->priv;
    ride_spec *spec = b->spec;
    ride_source_spec *events = spec_events(b);
    add_column(p, RIDE_TYPE_TIMESTAMP, false, 0, "ts");
    add_column(p, RIDE_TYPE_TIMESTAMP, false, 0, "");
    add_column(p, RIDE_TYPE_U32, false, 0, "");
    for (uint32_t i = 0; i < spec->entities_count; i++) {
        ride_entity_spec *entity = &spec->entities[i];
        bool nullable = false;
        for (uint32_t k = 0; k < entity->keys_count; k++) nullable |= events->fields[entity->keys[k]].nullable;
        entity->key_column = add_column(p, RIDE_TYPE_KEY128, nullable, 0, entity->name);
        p->entities[i].key_column = entity->key_column;
    }
    for (uint32_t i = 0; i < events->fields_count; i++) {
        ride_field *field = &events->fields[i];
        field->column = RIDE_COLUMN_NONE;
        if ((int32_t)i == events->field_time && field->hidden) continue;
        field->column = add_column(p, field->tile_type, field->nullable, field->scale, field->name);
    }
    spec->column_label = p->label_column = -1;
    spec->column_sequence = 0;
    p->label_kind = RIDE_LABEL_NONE;
    if (spec->source_labels >= 0) {
        p->label_kind = RIDE_LABEL_SOURCE;
        spec->column_label = p->label_column = (int32_t)add_column(p, RIDE_TYPE_BOOL, false, 0, "");
        spec->column_sequence = add_column(p, RIDE_TYPE_U64, false, 0, "");
    } else if (events->field_label >= 0) {
        p->label_kind = RIDE_LABEL_IN_EVENT;
        p->label_column = (int32_t)events->fields[events->field_label].column;
    }
}

int32_t spec_hash_column(const ride_source_spec *events, uint32_t field, spec_column *columns, uint32_t *columns_count,
                         ride_hash_column *hashes, uint32_t *hashes_count) {
    for (uint32_t i = 0; i < *hashes_count; i++)
        if (hashes[i].field == field) return (int32_t)hashes[i].column;
    if (*columns_count == RIDE_TILE_COLUMNS_MAX || *hashes_count == RIDE_FIELDS_MAX) return -1;
    const ride_field *from = &events->fields[field];
    columns[*columns_count] =
        (spec_column){.plan = {.type = RIDE_TYPE_KEY128, .nullable = from->nullable}, .name = from->name};
    hashes[(*hashes_count)++] = (ride_hash_column){.field = field, .column = *columns_count};
    return (int32_t)(*columns_count)++;
}
