/* features/spec.c: loading a spec step by step, and writing it into a bundle. */
#include "features/spec.h"

#include "features/spec_internal.h"

#include <stdlib.h>
#include <string.h>

static void read_top(spec_builder *b) {
    static const char *const names[] = {"version",  "zone",     "order",  "memory", "sources",
                                        "entities", "features", "vector", NULL};
    static const char *const later[] = {"patterns", "quality", "drift", "explanations", NULL};
    static const char *const orders[] = {"arrival", "event_time"};
    const ride_yaml_node *root = b->root, *node;
    uint64_t version = 0;
    const char *zone = "UTC";
    size_t word;
    if (ride_yaml_need(&b->reader, root, "a feature spec", RIDE_YAML_MAPPING) != RIDE_OK) return;
    spec_check_keys(b, root, "the spec", names, later);
    if ((node = ride_yaml_get(root, "version")) == NULL)
        ride_yaml_fault(&b->reader, root, "version: 1", "the spec has no `version`");
    else ride_yaml_read_u64(&b->reader, node, "`version`", 1, 1, &version);
    if ((node = ride_yaml_get(root, "zone")) != NULL) ride_yaml_read_string(&b->reader, node, "`zone`", &zone);
    snprintf(b->spec->zone, sizeof b->spec->zone, "%s", zone);
    ride_error err = {0};
    if (ride_zone_open(zone, &b->spec->zone_table, &err) != RIDE_OK)
        ride_yaml_fault(&b->reader, node != NULL ? node : root, NULL, "%s", err.what);
    if ((node = ride_yaml_get(root, "order")) != NULL &&
        ride_yaml_read_word(&b->reader, node, "`order`", orders, 2, &word) == RIDE_OK)
        b->order = (ride_order)(word + 1);
    if ((node = ride_yaml_get(root, "memory")) != NULL)
        spec_read_bytes(b, node, "`memory`", &b->spec->memory_bytes_max);
}

static void read_sections(spec_builder *b) {
    const ride_yaml_node *sources = ride_yaml_get(b->root, "sources"), *entities = ride_yaml_get(b->root, "entities");
    const ride_yaml_node *features = ride_yaml_get(b->root, "features");
    if (sources == NULL) ride_yaml_fault(&b->reader, b->root, NULL, "the spec has no `sources`");
    if (sources == NULL || ride_yaml_need(&b->reader, sources, "`sources`", RIDE_YAML_MAPPING) != RIDE_OK) return;
    spec_read_sources(b, sources);
    if (b->spec->sources_count == 0) return;
    if (entities != NULL && ride_yaml_need(&b->reader, entities, "`entities`", RIDE_YAML_MAPPING) == RIDE_OK)
        spec_read_entities(b, entities);
    spec_assign_columns(b); /* also after findings: one load tells those of the features too */
    b->spec->features = ride_arena_new(b->priv->arena, ride_feature_spec, SPEC_FEATURES_MAX);
    if (b->spec->features == NULL) {
        b->no_memory = true;
        return;
    }
    if (features != NULL && ride_yaml_need(&b->reader, features, "`features`", RIDE_YAML_SEQUENCE) == RIDE_OK)
        spec_read_features(b, features);
    spec_plan_features(b);
    spec_bound_sums(b);
    spec_compile_expressions(b);
    if (b->reader.findings->count > 0) return;
    spec_read_vector(b, ride_yaml_get(b->root, "vector"), 0);
    if (b->reader.findings->count > 0 || b->no_memory) return;
    spec_hash(b);
    spec_check_memory(b);
}

static ride_status load(const char *path, ride_yaml *yaml, ride_spec **out, ride_diagnostics *findings) {
    ride_error err = {0};
    ride_arena *arena = NULL;
    ride_status st = ride_arena_create(1 << 20, 0, &arena, &err);
    ride_spec *spec = st == RIDE_OK ? ride_arena_new(arena, ride_spec, 1) : NULL;
    spec_private *priv = st == RIDE_OK ? ride_arena_new(arena, spec_private, 1) : NULL;
    spec_builder *b = st == RIDE_OK ? ride_arena_new(arena, spec_builder, 1) : NULL;
    if (spec == NULL || priv == NULL || b == NULL) {
        ride_arena_destroy(arena);
        return ride_diagnose(findings, RIDE_E_MEMORY, path, 0, 0, NULL, "no memory for the spec");
    }
    priv->arena = arena;
    spec->private_data = priv;
    *b = (spec_builder){.spec = spec,
                        .priv = priv,
                        .reader = {.path = path, .status = RIDE_E_SPEC, .findings = findings},
                        .root = ride_yaml_root(yaml)};
    spec->path = ride_arena_text(arena, path, strlen(path));
    read_top(b);
    if (b->root->kind == RIDE_YAML_MAPPING) read_sections(b);
    if (b->no_memory) ride_diagnose(findings, RIDE_E_MEMORY, path, 0, 0, NULL, "no memory for the spec");
    if (findings->count > 0) {
        ride_spec_destroy(spec);
        return ride_diagnostics_status(findings);
    }
    *out = spec;
    return RIDE_OK;
}

ride_status ride_spec_load(const char *path, ride_spec **out, ride_diagnostics *findings) {
    ride_yaml_reader reader = {.path = path, .status = RIDE_E_SPEC, .findings = findings};
    ride_yaml *yaml = NULL;
    *out = NULL;
    RIDE_TRY(ride_yaml_load(&reader, &yaml));
    ride_status st = load(path, yaml, out, findings);
    ride_yaml_destroy(yaml);
    return st;
}

ride_status ride_spec_parse(const char *path, const char *text, size_t text_bytes, ride_spec **out,
                            ride_diagnostics *findings) {
    ride_yaml_reader reader = {.path = path, .status = RIDE_E_SPEC, .findings = findings};
    ride_yaml *yaml = NULL;
    *out = NULL;
    RIDE_TRY(ride_yaml_parse(&reader, text, text_bytes, &yaml));
    ride_status st = load(path, yaml, out, findings);
    ride_yaml_destroy(yaml);
    return st;
}

void ride_spec_destroy(ride_spec *spec) {
    if (spec == NULL) return;
    spec_private *priv = spec->private_data;
    ride_zone_close(&spec->zone_table);
    ride_expr_sections_free(&priv->sections);
    ride_arena_destroy(priv->arena); /* the spec itself lies in it */
}

uint32_t ride_spec_hash_columns(const ride_spec *spec, const ride_bundle *bundle, ride_hash_column *out) {
    const ride_source_spec *events = &spec->sources[spec->source_events];
    const spec_private *p = spec_private_of(spec);
    uint32_t count = 0;
    for (uint32_t i = 0; i < p->hashes_count; i++) out[count++] = p->hashes[i];
    /* rules may have added columns behind the spec's own: they carry the field's name */
    const ride_plan_column *columns = ride_bundle_array(bundle, RIDE_SECTION_COLUMNS, ride_plan_column);
    for (uint32_t c = p->columns_count; c < bundle->plan->columns_count && count < RIDE_FIELDS_MAX; c++) {
        int32_t field = spec_find_field(events, ride_bundle_string(bundle, columns[c].name_offset));
        if (field >= 0) out[count++] = (ride_hash_column){.field = (uint32_t)field, .column = c};
    }
    return count;
}
