/* config/check_record.c: names of a decision record's columns. The columns themselves are made by host/engine/outputs.c. */
#include "config/config.h"

#include <stdio.h>
#include <string.h>

/* reason_1, reason_1_share, reason_1_text, … up to top, and the list of NDJSON. */
static bool is_of_reasons(const ride_config *config, const char *name) {
    static const char *const endings[] = {"", "_share", "_text"};
    if (config->reasons.when == RIDE_REASONS_NONE) return false;
    if (strcmp(name, "reasons") == 0) return true;
    for (uint32_t k = 1; k <= config->reasons.top; k++)
        for (size_t i = 0; i < (config->reasons.texts_count > 0 ? 3 : 2); i++) {
            char own[32];
            snprintf(own, sizeof own, "reason_%u%s", k, endings[i]);
            if (strcmp(name, own) == 0) return true;
        }
    return false;
}

static bool is_of_keys(const ride_spec *spec, const char *name) {
    const ride_source_spec *events = &spec->sources[spec->source_events];
    const ride_entity_spec *entity = &spec->entities[0];
    for (uint32_t k = 0; spec->entities_count > 0 && k < entity->keys_count; k++) {
        const ride_field *field = &events->fields[entity->keys[k]];
        if (field->column == RIDE_COLUMN_NONE) continue;
        if (entity->keys_count == 1 ? strcmp(name, "key") == 0
                                    : strncmp(name, "key_", 4) == 0 && strcmp(name + 4, field->name) == 0)
            return true;
    }
    return false;
}

static bool is_column(const ride_config *config, const ride_spec *spec, const char *name) {
    static const char *const always[] = {"event_time", "margin", "probability", "decision",   "rule",
                                         "end",        "approx", "late",        "model_hash", "spec_hash"};
    const bool has_late = config->late != NULL || config->late_topic != NULL;
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        if (strcmp(name, always[i]) == 0) return true;
    if (has_late && (strcmp(name, "reason") == 0 || strcmp(name, "clock") == 0)) return true;
    return is_of_reasons(config, name) || is_of_keys(spec, name);
}

ride_status ride_config_check_record(const ride_config *config, const ride_spec *spec, ride_diagnostics *findings) {
    const ride_source_spec *events = &spec->sources[spec->source_events];
    const uint32_t before = findings->count + findings->dropped;
    const char *id = events->field_id >= 0 ? events->fields[events->field_id].name : NULL;
    if (id != NULL && is_column(config, spec, id)) {
        const ride_config_origin at = ride_config_origin_of(config, "spec.path");
        ride_diagnose(
            findings, RIDE_E_CONFIG, at.name, at.line, at.column, "give the field another name in the spec",
            "the event id `%.64s` of the source `%.64s` has the name of another column of the decision record", id,
            events->name);
    }
    for (uint32_t v = 0; config->decisions.vector && v < spec->vector_count; v++) {
        if (!is_column(config, spec, spec->vector_names[v])) continue;
        const ride_config_origin at = ride_config_origin_of(config, "outputs.decisions.vector");
        ride_diagnose(findings, RIDE_E_CONFIG, at.name, at.line, at.column,
                      "give the entry another name in the spec, or leave `vector` out",
                      "`outputs.decisions.vector`: the entry `%.200s` has the name of another column of the record",
                      spec->vector_names[v]);
    }
    return findings->count + findings->dropped > before ? RIDE_E_CONFIG : RIDE_OK;
}
