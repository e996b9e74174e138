/* config/check_spec.c: what a configuration says that only the spec can tell right from wrong: how topics are partitioned, and what the
 * operator's words are about. */
#include "config/config.h"

#include <stdio.h>
#include <string.h>

const char *ride_config_partition_key(const ride_config *config, const char *source) {
    for (uint32_t i = 0; i < config->inputs_count; i++)
        if (strcmp(config->inputs[i].source, source) == 0) return config->inputs[i].partition_key;
    return NULL;
}

static void fault(const ride_config *config, const char *source, const char *advice, const char *message,
                  ride_diagnostics *findings) {
    char key[RIDE_NAME_BYTES + 32];
    snprintf(key, sizeof key, "inputs.%s.partition_key", source);
    const ride_config_origin at = ride_config_origin_of(config, key);
    ride_diagnose(findings, RIDE_E_CONFIG, at.name, at.line, at.column, advice, "`%s`: %s", key, message);
}

static bool has_key(const ride_source_spec *events, const ride_entity_spec *entity, const char *field) {
    for (uint32_t k = 0; k < entity->keys_count; k++)
        if (strcmp(events->fields[entity->keys[k]].name, field) == 0) return true;
    return false;
}

ride_status ride_config_check_partitions(const ride_config *config, const ride_spec *spec, ride_diagnostics *findings) {
    const ride_source_spec *events = &spec->sources[spec->source_events];
    const char *field = ride_config_partition_key(config, events->name), *names[RIDE_FIELDS_MAX];
    const uint32_t before = findings->count + findings->dropped;
    char message[256], advice[RIDE_NAME_BYTES + 32];
    bool known = false;
    if (field == NULL) return RIDE_OK;
    for (uint32_t f = 0; f < events->fields_count; f++) {
        names[f] = events->fields[f].name;
        known = known || strcmp(names[f], field) == 0;
    }
    if (!known) {
        const char *near = ride_nearest(field, names, events->fields_count);
        snprintf(message, sizeof message, "the source has no field `%.64s`", field);
        snprintf(advice, sizeof advice, "did you mean `%.64s`?", near != NULL ? near : "");
        fault(config, events->name, near != NULL ? advice : NULL, message, findings);
        return RIDE_E_CONFIG;
    }
    for (uint32_t e = 0; e < spec->entities_count; e++) {
        if (has_key(events, &spec->entities[e], field)) continue;
        snprintf(message, sizeof message,
                 "the keys of the entity `%.64s` lack `%.64s`: its windows are over events of several "
                 "partitions",
                 spec->entities[e].name, field);
        fault(config, events->name, "leave it out, and run one process per kafka.group", message, findings);
    }
    if (spec->source_labels >= 0)
        fault(config, events->name, "leave it out, and run one process per kafka.group",
              "labels find their events in one process only, and the spec has a source of labels", findings);
    return findings->count + findings->dropped > before ? RIDE_E_CONFIG : RIDE_OK;
}

ride_status ride_config_check_reasons(const ride_config *config, const ride_spec *spec, ride_diagnostics *findings) {
    const ride_reasons_options *reasons = &config->reasons;
    const uint32_t before = findings->count + findings->dropped;
    for (uint32_t i = 0; i < reasons->texts_count; i++) {
        const char *pattern = reasons->texts[i].pattern;
        char key[RIDE_NAME_BYTES + 32], advice[RIDE_NAME_BYTES + 32];
        bool fits = false;
        for (uint32_t v = 0; v < spec->vector_count && !fits; v++)
            fits = ride_reason_fits(pattern, spec->vector_names[v]);
        if (fits) continue;
        snprintf(key, sizeof key, "reasons.texts.%s", pattern);
        const ride_config_origin at = ride_config_origin_of(config, key);
        const char *near = ride_nearest(pattern, spec->vector_names, spec->vector_count);
        snprintf(advice, sizeof advice, "did you mean `%.64s`?", near != NULL ? near : "");
        ride_diagnose(findings, RIDE_E_CONFIG, at.name, at.line, at.column,
                      near != NULL ? advice : "`ride features explain` tells what the vector has",
                      "`%s`: the vector has no such entry", key);
    }
    return findings->count + findings->dropped > before ? RIDE_E_CONFIG : RIDE_OK;
}
