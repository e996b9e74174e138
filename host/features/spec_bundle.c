/* features/spec_bundle.c: a checked spec and decision rules → the sections of a bundle. */
#include "features/spec_internal.h"

#include <stdlib.h>
#include <string.h>

/* What a bundle is made from: copies of what rules add to. */
typedef struct bundle_parts {
    spec_column *columns;
    uint32_t columns_count;
    ride_hash_column *hashes;
    uint32_t hashes_count;
    ride_expr_sections sections;
    ride_plan_rule *rules;
} bundle_parts;

static bool copy_sections(const ride_expr_sections *from, ride_expr_sections *to) {
    *to = *from;
    to->programs = malloc((from->programs_count + 1) * sizeof *to->programs);
    to->code = malloc((from->code_count + 1) * sizeof *to->code);
    to->constants = malloc((from->constants_count + 1) * sizeof *to->constants);
    if (to->programs == NULL || to->code == NULL || to->constants == NULL) return false;
    to->programs_count_max = from->programs_count + 1;
    to->code_count_max = from->code_count + 1;
    to->constants_count_max = from->constants_count + 1;
    if (from->programs_count > 0) memcpy(to->programs, from->programs, from->programs_count * sizeof *to->programs);
    if (from->code_count > 0) memcpy(to->code, from->code, from->code_count * sizeof *to->code);
    if (from->constants_count > 0)
        memcpy(to->constants, from->constants, from->constants_count * sizeof *to->constants);
    return true;
}

static ride_status compile_rules(const ride_spec *spec, const ride_rule_spec *rules, uint32_t rules_count,
                                 bundle_parts *parts, ride_bundle_builder *builder, ride_diagnostics *findings) {
    ride_expr_symbol *symbols = calloc(SPEC_SYMBOLS_MAX, sizeof *symbols);
    uint32_t *symbol_fields = calloc(SPEC_SYMBOLS_MAX, sizeof *symbol_fields);
    ride_status st = symbols != NULL && symbol_fields != NULL ? RIDE_OK : RIDE_E_MEMORY;
    for (uint32_t i = 0; i < rules_count && st == RIDE_OK; i++) {
        spec_scope scope = {.symbols = symbols,
                            .symbol_fields = symbol_fields,
                            .events = &spec->sources[spec->source_events],
                            .columns = parts->columns,
                            .columns_count = &parts->columns_count,
                            .hashes = parts->hashes,
                            .hashes_count = &parts->hashes_count};
        spec_scope_make(spec, &scope, spec->features_count, spec->features_count, true);
        ride_expr_place place = {.file = rules[i].file,
                                 .line = rules[i].line,
                                 .column = rules[i].column,
                                 .status = RIDE_E_CONFIG};
        ride_expr_result result = {0};
        ride_error err;
        parts->rules[i].decision = rules[i].decision;
        st = ride_bundle_builder_string(builder, rules[i].id, &parts->rules[i].name_offset, &err);
        if (ride_expr_compile(rules[i].when, strlen(rules[i].when), RIDE_EXPR_WANT_BOOL, &place, &scope.scope,
                              &parts->sections, &result, findings) == RIDE_OK)
            parts->rules[i].program = result.program;
    }
    free(symbols);
    free(symbol_fields);
    return st == RIDE_OK ? ride_diagnostics_status(findings) : st;
}

static ride_status add(ride_bundle_builder *builder, ride_section section, const void *data, uint64_t bytes,
                       ride_error *err) {
    return bytes == 0 ? RIDE_OK : ride_bundle_builder_add(builder, section, data, bytes, err);
}

/* Lanes and edges of all entities one behind the other. */
static ride_status add_entities(const ride_spec *spec, ride_bundle_builder *builder, ride_plan_header *plan,
                                ride_error *err) {
    const spec_private *p = spec_private_of(spec);
    uint32_t n = spec->entities_count, lanes_count = 0, edges_count = 0, aggregates_count = 0;
    ride_plan_entity *entities = calloc(n + 1, sizeof *entities);
    ride_plan_lane *lanes = calloc((size_t)n * RIDE_STATE_LANES_MAX + 1, sizeof *lanes);
    ride_plan_edge *edges = calloc((size_t)n * RIDE_STATE_EDGES_MAX + 1, sizeof *edges);
    ride_status st = entities != NULL && lanes != NULL && edges != NULL
                         ? RIDE_OK
                         : ride_fail(err, RIDE_E_MEMORY, "no memory for a plan");
    for (uint32_t e = 0; e < n && st == RIDE_OK; e++) {
        entities[e] = p->entities[e];
        entities[e].lanes_first = lanes_count;
        entities[e].edges_first = edges_count;
        entities[e].aggregates_first = aggregates_count;
        memcpy(lanes + lanes_count, p->lanes[e], entities[e].lanes_count * sizeof *lanes);
        memcpy(edges + edges_count, p->edges[e], entities[e].edges_count * sizeof *edges);
        lanes_count += entities[e].lanes_count;
        edges_count += entities[e].edges_count;
        aggregates_count += entities[e].aggregates_count;
        st = ride_bundle_builder_string(builder, spec->entities[e].name, &entities[e].name_offset, err);
    }
    plan->lanes_count = lanes_count;
    plan->edges_count = edges_count;
    if (st == RIDE_OK) st = add(builder, RIDE_SECTION_ENTITIES, entities, n * sizeof *entities, err);
    if (st == RIDE_OK) st = add(builder, RIDE_SECTION_LANES, lanes, lanes_count * sizeof *lanes, err);
    if (st == RIDE_OK) st = add(builder, RIDE_SECTION_EDGES, edges, edges_count * sizeof *edges, err);
    free(entities);
    free(lanes);
    free(edges);
    return st;
}

static ride_status add_columns(const bundle_parts *parts, ride_bundle_builder *builder, ride_error *err) {
    ride_plan_column *columns = calloc(parts->columns_count + 1, sizeof *columns);
    ride_status st = columns != NULL ? RIDE_OK : ride_fail(err, RIDE_E_MEMORY, "no memory for a plan");
    for (uint32_t c = 0; c < parts->columns_count && st == RIDE_OK; c++) {
        columns[c] = parts->columns[c].plan;
        st = ride_bundle_builder_string(builder, parts->columns[c].name, &columns[c].name_offset, err);
    }
    if (st == RIDE_OK) st = add(builder, RIDE_SECTION_COLUMNS, columns, parts->columns_count * sizeof *columns, err);
    free(columns);
    return st;
}

static ride_status add_vector(const ride_spec *spec, ride_bundle_builder *builder, ride_error *err) {
    ride_plan_vector *vector = calloc(spec->vector_count + 1, sizeof *vector);
    ride_status st = vector != NULL ? RIDE_OK : ride_fail(err, RIDE_E_MEMORY, "no memory for a plan");
    for (uint32_t v = 0; v < spec->vector_count && st == RIDE_OK; v++) {
        vector[v] = spec_private_of(spec)->vector[v];
        st = ride_bundle_builder_string(builder, spec->vector_names[v], &vector[v].name_offset, err);
    }
    if (st == RIDE_OK) st = add(builder, RIDE_SECTION_VECTOR, vector, spec->vector_count * sizeof *vector, err);
    free(vector);
    return st;
}

static ride_status add_all(const ride_spec *spec, const bundle_parts *parts, uint32_t rules_count,
                           ride_bundle_builder *builder, ride_error *err) {
    const spec_private *p = spec_private_of(spec);
    ride_plan_header plan = {.plan_version = RIDE_PLAN_VERSION,
                             .columns_count = parts->columns_count,
                             .entities_count = spec->entities_count,
                             .aggregates_count = p->aggregates_count,
                             .conditions_count = p->conditions_count,
                             .expressions_count = p->expressions_count,
                             .features_count = spec->features_count,
                             .vector_count = spec->vector_count,
                             .column_label = p->label_column,
                             .column_sequence = spec->column_sequence,
                             .label_kind = p->label_kind,
                             .zone_transitions_count = spec->zone_table.count,
                             .rules_count = rules_count};
    memcpy(plan.spec_hash, spec->hash, sizeof plan.spec_hash);
    RIDE_TRY(add_columns(parts, builder, err));
    RIDE_TRY(add_entities(spec, builder, &plan, err));
    RIDE_TRY(add_vector(spec, builder, err));
    RIDE_TRY(add(builder, RIDE_SECTION_AGGREGATES, p->aggregates, p->aggregates_count * sizeof *p->aggregates, err));
    RIDE_TRY(add(builder, RIDE_SECTION_CONDITIONS, p->conditions, p->conditions_count * sizeof *p->conditions, err));
    RIDE_TRY(
        add(builder, RIDE_SECTION_EXPRESSIONS, p->expressions, p->expressions_count * sizeof *p->expressions, err));
    RIDE_TRY(add(builder, RIDE_SECTION_ZONE, spec->zone_table.transitions,
                 spec->zone_table.count * sizeof *spec->zone_table.transitions, err));
    RIDE_TRY(add(builder, RIDE_SECTION_RULES, parts->rules, rules_count * sizeof *parts->rules, err));
    RIDE_TRY(add(builder, RIDE_SECTION_PROGRAMS, parts->sections.programs,
                 parts->sections.programs_count * sizeof *parts->sections.programs, err));
    RIDE_TRY(add(builder, RIDE_SECTION_PROGRAM_CODE, parts->sections.code,
                 parts->sections.code_count * sizeof *parts->sections.code, err));
    RIDE_TRY(add(builder, RIDE_SECTION_PROGRAM_CONSTANTS, parts->sections.constants,
                 parts->sections.constants_count * sizeof *parts->sections.constants, err));
    RIDE_TRY(ride_bundle_builder_add(builder, RIDE_SECTION_PLAN, &plan, sizeof plan, err));
    ride_bundle_builder_hashes(builder, spec->hash, NULL);
    return RIDE_OK;
}

ride_status ride_spec_to_bundle(const ride_spec *spec, const ride_rule_spec *rules, uint32_t rules_count,
                                ride_bundle_builder *builder, ride_diagnostics *findings) {
    const spec_private *p = spec_private_of(spec);
    bundle_parts parts = {.columns = malloc(sizeof p->columns),
                          .columns_count = p->columns_count,
                          .hashes = malloc(sizeof p->hashes),
                          .hashes_count = p->hashes_count,
                          .rules = calloc(rules_count + 1, sizeof *parts.rules)};
    ride_error err = {0};
    ride_status st = RIDE_OK;
    if (parts.columns == NULL || parts.hashes == NULL || parts.rules == NULL ||
        !copy_sections(&p->sections, &parts.sections))
        st = ride_fail(&err, RIDE_E_MEMORY, "no memory for a bundle");
    if (st == RIDE_OK) {
        memcpy(parts.columns, p->columns, sizeof p->columns);
        memcpy(parts.hashes, p->hashes, sizeof p->hashes);
        st = compile_rules(spec, rules, rules_count, &parts, builder, findings);
        if (st == RIDE_OK) st = add_all(spec, &parts, rules_count, builder, &err);
    }
    if (st != RIDE_OK && findings->count == 0) ride_diagnose(findings, st, spec->path, 0, 0, NULL, "%s", err.what);
    free(parts.columns);
    free(parts.hashes);
    free(parts.rules);
    ride_expr_sections_free(&parts.sections);
    return st;
}
