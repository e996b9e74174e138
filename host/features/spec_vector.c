/* features/spec_vector.c: `vector:`: names and wildcards → the model's input columns in order. */
#include "features/spec_internal.h"

#include <fnmatch.h>
#include <string.h>

static bool in_vector(const ride_spec *spec, const char *name) {
    for (uint32_t i = 0; i < spec->vector_count; i++)
        if (strcmp(spec->vector_names[i], name) == 0) return true;
    return false;
}

static void add(spec_builder *b, const char *name, bool is_feature, uint32_t index) {
    if (b->spec->vector_count == RIDE_TILE_COLUMNS_MAX) {
        b->vector_full = true;
        return;
    }
    b->priv->vector[b->spec->vector_count] = (ride_plan_vector){.is_feature = is_feature, .index = index};
    b->spec->vector_names[b->spec->vector_count++] = name;
}

static void add_name(spec_builder *b, const ride_yaml_node *node, const char *name) {
    const ride_source_spec *events = spec_events(b);
    ride_spec *spec = b->spec;
    if (in_vector(spec, name)) {
        ride_yaml_fault(&b->reader, node, NULL, "`vector` names `%.200s` twice", name);
        return;
    }
    for (uint32_t i = 0; i < spec->features_count; i++)
        if (strcmp(spec->features[i].name, name) == 0) {
            add(b, spec->features[i].name, true, i);
            return;
        }
    int32_t f = spec_find_field(events, name);
    if (f >= 0) {
        const ride_field *field = &events->fields[f];
        if (f == events->field_label)
            ride_yaml_fault(&b->reader, node, NULL, "`%s` is the label: it would leak the answer", name);
        else if (field->tile_type == RIDE_TYPE_STRING)
            ride_yaml_fault(&b->reader, node, "declare it as a category",
                            "`%s` is a string and cannot be in the vector", name);
        else if (field->column != RIDE_COLUMN_NONE) add(b, field->name, false, field->column);
        return;
    }
    static const char *known[SPEC_FEATURES_MAX + RIDE_FIELDS_MAX];
    size_t count = 0;
    for (uint32_t i = 0; i < spec->features_count; i++) known[count++] = spec->features[i].name;
    count += spec_field_names(events, known + count);
    spec_unknown(b, node, "feature or field", known, count);
}

static void read_vector(spec_builder *b, const ride_yaml_node *vector) {
    ride_spec *spec = b->spec;
    spec->vector_names = ride_arena_new(b->priv->arena, const char *, RIDE_TILE_COLUMNS_MAX);
    if (spec->vector_names == NULL) {
        b->no_memory = true;
        return;
    }
    if (vector == NULL) { /* every feature, as declared */
        for (uint32_t i = 0; i < spec->features_count; i++) add(b, spec->features[i].name, true, i);
        return;
    }
    if (ride_yaml_need(&b->reader, vector, "`vector`", RIDE_YAML_SEQUENCE) != RIDE_OK) return;
    for (uint32_t v = 0; v < vector->count; v++) {
        const char *name;
        if (ride_yaml_read_string(&b->reader, vector->items[v], "an entry of `vector`", &name) != RIDE_OK) continue;
        if (strchr(name, '*') == NULL) {
            add_name(b, vector->items[v], name);
            continue;
        }
        uint32_t before = spec->vector_count;
        bool any = false;
        for (uint32_t i = 0; i < spec->features_count; i++) {
            if (fnmatch(name, spec->features[i].name, 0) != 0) continue;
            any = true;
            if (!in_vector(spec, spec->features[i].name)) add(b, spec->features[i].name, true, i);
        }
        if (!any && before == spec->vector_count)
            ride_yaml_fault(&b->reader, vector->items[v], NULL, "`%.80s` matches no feature", name);
    }
}

void spec_read_vector(spec_builder *b, const ride_yaml_node *vector, uint32_t line) {
    (void)line;
    read_vector(b, vector);
    if (b->vector_full)
        ride_yaml_fault(&b->reader, vector != NULL ? vector : b->root, "name those that the model needs",
                        "the vector has more than %d entries", RIDE_TILE_COLUMNS_MAX);
}
