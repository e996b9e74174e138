/* features/spec_source.c: `sources:`: the one source of events and, perhaps, the one of labels. */
#include "features/duration.h"
#include "features/spec_internal.h"

#include <string.h>

static const char *const units[] = {"s", "ms", "us", "ns", "iso8601"};
static const char *const later_source[] = {"http",     "tcp",    "mqtt",       "kafka",   "file",
                                           "registry", "schema", "partitions", "quality", NULL};

static bool is_listed(const ride_source_spec *source, int32_t field) {
    return field >= 0 && !source->fields[field].hidden;
}

/* The field of that name, or a hidden one of the type, made now: names that the spec uses without listing them. */
static int32_t field_or_hidden(ride_source_spec *source, const char *name, uint32_t type, ride_type tile_type) {
    int32_t found = spec_find_field(source, name);
    if (found >= 0) return found;
    RIDE_ASSERT(source->fields_count < RIDE_FIELDS_MAX);
    ride_field *field = &source->fields[source->fields_count];
    *field = (ride_field){.type = type, .tile_type = tile_type, .hidden = true};
    snprintf(field->name, sizeof field->name, "%s", name);
    return (int32_t)source->fields_count++;
}

/* Reads a field's name from a node, checked as a name; false when it was reported. */
static bool read_field_name(spec_builder *b, const ride_yaml_node *node, const char *what, char *name) {
    const char *text;
    if (ride_yaml_read_string(&b->reader, node, what, &text) != RIDE_OK) return false;
    return spec_name(b, &b->reader, node->line, node->column, what, text, name, RIDE_NAME_BYTES);
}

static void read_event_time(spec_builder *b, ride_source_spec *source, const ride_yaml_node *node) {
    static const char *const names[] = {"field", "unit", "max_future", NULL};
    const char *what = "`event_time`";
    char name[RIDE_NAME_BYTES];
    size_t word;
    if (ride_yaml_need(&b->reader, node, what, RIDE_YAML_MAPPING) != RIDE_OK) return;
    spec_check_keys(b, node, what, names, NULL);
    const ride_yaml_node *field_node = ride_yaml_get(node, "field"), *unit = ride_yaml_get(node, "unit");
    const ride_yaml_node *max_future = ride_yaml_get(node, "max_future");
    if (unit == NULL)
        ride_yaml_fault(&b->reader, node, "unit: s | ms | us | ns | iso8601", "`event_time` has no `unit`");
    else if (ride_yaml_read_word(&b->reader, unit, "`unit` of `event_time`", units, 5, &word) == RIDE_OK)
        source->time_unit = (ride_time_unit)(word + 1);
    if (max_future != NULL) spec_read_duration(b, max_future, "`max_future`", &source->max_future_us);
    if (field_node == NULL) {
        ride_yaml_fault(&b->reader, node, NULL, "`event_time` has no `field`");
        return;
    }
    if (!read_field_name(b, field_node, "`field` of `event_time`", name)) return;
    source->field_time = field_or_hidden(source, name, RIDE_FIELD_TIMESTAMP, RIDE_TYPE_TIMESTAMP);
    ride_field *field = &source->fields[source->field_time];
    if (field->type != RIDE_FIELD_TIMESTAMP)
        ride_yaml_fault(&b->reader, field_node, "list it as `timestamp`, or not at all",
                        "the event time `%s` is listed as %s", name, spec_field_type_name(field->type));
    else if (field->nullable)
        ride_yaml_fault(&b->reader, field_node, NULL, "the event time `%s` cannot be nullable", name);
    else if (field->unit != 0 && field->unit != source->time_unit)
        ride_yaml_fault(&b->reader, field_node, NULL, "`%s` has two units: in `fields` and in `event_time`", name);
    field->unit = source->time_unit;
}

static void read_event_id(spec_builder *b, ride_source_spec *source, const ride_yaml_node *node) {
    char name[RIDE_NAME_BYTES];
    if (!read_field_name(b, node, "`event_id`", name)) return;
    source->field_id = field_or_hidden(source, name, RIDE_FIELD_STRING, RIDE_TYPE_STRING);
    const ride_field *field = &source->fields[source->field_id];
    bool integer = field->type >= RIDE_FIELD_U8 && field->type <= RIDE_FIELD_I64;
    if (!integer && field->type != RIDE_FIELD_STRING)
        ride_yaml_fault(&b->reader, node, NULL, "the event id `%s` is a %s; it must be an integer or a string", name,
                        spec_field_type_name(field->type));
    if (field->nullable) ride_yaml_fault(&b->reader, node, NULL, "the event id `%s` cannot be nullable", name);
}

static void read_label(spec_builder *b, ride_source_spec *source, const ride_yaml_node *node) {
    char name[RIDE_NAME_BYTES];
    if (!read_field_name(b, node, "`label`", name)) return;
    source->field_label = field_or_hidden(source, name, RIDE_FIELD_BOOL, RIDE_TYPE_BOOL);
    const ride_field *field = &source->fields[source->field_label];
    if (field->type != RIDE_FIELD_BOOL)
        ride_yaml_fault(&b->reader, node, NULL, "the label `%s` is a %s; it must be a bool", name,
                        spec_field_type_name(field->type));
}

static void read_watermark(spec_builder *b, ride_source_spec *source, const ride_yaml_node *node) {
    static const char *const names[] = {"bound", "idle", "allowed_lateness", "late", NULL};
    static const char *const idles[] = {"log_end"};
    static const char *const lates[] = {"side_output", "none"};
    size_t word;
    if (ride_yaml_need(&b->reader, node, "`watermark`", RIDE_YAML_MAPPING) != RIDE_OK) return;
    spec_check_keys(b, node, "`watermark`", names, NULL);
    const ride_yaml_node *bound = ride_yaml_get(node, "bound"), *idle = ride_yaml_get(node, "idle");
    const ride_yaml_node *lateness = ride_yaml_get(node, "allowed_lateness"), *late = ride_yaml_get(node, "late");
    if (bound != NULL) spec_read_duration(b, bound, "`bound`", &source->bound_us);
    if (lateness != NULL) spec_read_duration(b, lateness, "`allowed_lateness`", &source->allowed_lateness_us);
    if (idle != NULL) ride_yaml_read_word(&b->reader, idle, "`idle`", idles, 1, &word);
    if (late != NULL && ride_yaml_read_word(&b->reader, late, "`late`", lates, 2, &word) == RIDE_OK)
        source->late = word == 0 ? RIDE_LATE_SIDE_OUTPUT : RIDE_LATE_DROP_FROM_SIDE;
}

static void read_format(spec_builder *b, ride_source_spec *source, const ride_yaml_node *node) {
    static const char *const formats[] = {"csv", "json", "ndjson", "binary"};
    static const ride_format values[] = {RIDE_FORMAT_CSV, RIDE_FORMAT_NDJSON, RIDE_FORMAT_NDJSON, RIDE_FORMAT_BINARY};
    size_t word;
    if (ride_yaml_is(node, "avro") || ride_yaml_is(node, "protobuf"))
        ride_yaml_fault(&b->reader, node, NULL, "format `%s` is not supported yet", node->text);
    else if (ride_yaml_read_word(&b->reader, node, "`format`", formats, 4, &word) == RIDE_OK)
        source->format = values[word];
}

static void read_order(spec_builder *b, const ride_yaml_node *node, ride_order *out) {
    static const char *const orders[] = {"arrival", "event_time"};
    size_t word;
    if (ride_yaml_read_word(&b->reader, node, "`order`", orders, 2, &word) == RIDE_OK) *out = (ride_order)(word + 1);
}

/* Every listed timestamp needs a unit: the event time has it from `event_time`. */
static void check_timestamps(spec_builder *b, const ride_source_spec *source, const ride_yaml_node *fields) {
    for (uint32_t i = 0; i < source->fields_count; i++) {
        const ride_field *field = &source->fields[i];
        if (field->hidden || field->type != RIDE_FIELD_TIMESTAMP || field->unit != 0 ||
            (int32_t)i == source->field_time)
            continue;
        const ride_yaml_pair *pair = ride_yaml_find(fields, field->name);
        if (pair != NULL)
            ride_yaml_fault_key(&b->reader, pair, "{type: timestamp, unit: ms}", "timestamp `%s` has no `unit`",
                                field->name);
    }
}

static void read_source(spec_builder *b, ride_source_spec *source, const ride_yaml_pair *pair) {
    static const char *const names[] = {"topic", "format",    "event_time", "event_id", "label", "dedup",
                                        "order", "watermark", "fields",     "labels",   NULL};
    static const char *const label_names[] = {"topic", "format", "event_time", "fields", "labels", NULL};
    const ride_yaml_node *node = pair->value, *value;
    char what[128];
    snprintf(what, sizeof what, "source `%s`", source->name);
    source->field_time = source->field_id = source->field_label = -1;
    source->field_label_key = source->field_label_value = -1;
    source->max_future_us = 5 * RIDE_US_PER_M;
    source->late = RIDE_LATE_SIDE_OUTPUT;
    if (ride_yaml_need(&b->reader, node, what, RIDE_YAML_MAPPING) != RIDE_OK) return;
    source->is_labels = ride_yaml_get(node, "labels") != NULL;
    if (source->is_labels) snprintf(what, sizeof what, "label source `%s`", source->name);
    spec_check_keys(b, node, what, source->is_labels ? label_names : names, later_source);
    if ((value = ride_yaml_get(node, "topic")) != NULL) {
        const char *topic;
        if (ride_yaml_read_string(&b->reader, value, "`topic`", &topic) == RIDE_OK) {
            if (strlen(topic) >= sizeof source->topic) ride_yaml_fault(&b->reader, value, NULL, "`topic` is too long");
            else snprintf(source->topic, sizeof source->topic, "%s", topic);
        }
    }
    if ((value = ride_yaml_get(node, "format")) != NULL) read_format(b, source, value);
    if ((value = ride_yaml_get(node, "fields")) != NULL) spec_read_fields(b, source, value);
    else if (!source->is_labels) ride_yaml_fault_key(&b->reader, pair, NULL, "%s has no `fields`", what);
    if ((value = ride_yaml_get(node, "event_time")) != NULL) read_event_time(b, source, value);
    else ride_yaml_fault_key(&b->reader, pair, "event_time: {field: ts, unit: ms}", "%s has no `event_time`", what);
    check_timestamps(b, source, ride_yaml_get(node, "fields"));
    if (source->is_labels) return;
    if ((value = ride_yaml_get(node, "event_id")) != NULL) read_event_id(b, source, value);
    if ((value = ride_yaml_get(node, "label")) != NULL) read_label(b, source, value);
    if ((value = ride_yaml_get(node, "watermark")) != NULL) read_watermark(b, source, value);
    if ((value = ride_yaml_get(node, "dedup")) != NULL) {
        spec_read_duration(b, value, "`dedup`", &source->dedup_us);
        if (source->field_id < 0)
            ride_yaml_fault(&b->reader, value, NULL,
                            "`dedup` needs an `event_id`: duplicates are known by their id only");
    }
    if ((value = ride_yaml_get(node, "order")) != NULL) {
        read_order(b, value, &source->order);
        if (b->order != 0 && source->order != 0 && source->order != b->order)
            ride_yaml_fault(&b->reader, value, NULL, "`order` of source `%s` differs from the one at the top",
                            source->name);
    }
    if (source->order == 0) source->order = b->order != 0 ? b->order : RIDE_ORDER_ARRIVAL;
}

/* labels: {source: tx, key: tx_id, value: is_fraud} */
static void read_labels(spec_builder *b, ride_source_spec *source, const ride_yaml_node *node) {
    static const char *const names[] = {"source", "key", "value", NULL};
    char name[RIDE_NAME_BYTES];
    if (ride_yaml_need(&b->reader, node, "`labels`", RIDE_YAML_MAPPING) != RIDE_OK) return;
    spec_check_keys(b, node, "`labels`", names, NULL);
    const ride_source_spec *events = spec_events(b);
    const ride_yaml_node *from = ride_yaml_get(node, "source"), *key = ride_yaml_get(node, "key");
    const ride_yaml_node *value = ride_yaml_get(node, "value");
    source->labels_source = b->spec->source_events;
    if (from == NULL || key == NULL || value == NULL) {
        ride_yaml_fault(&b->reader, node, "labels: {source: tx, key: tx_id, value: is_fraud}",
                        "`labels` needs `source`, `key` and `value`");
        return;
    }
    if (!ride_yaml_is(from, events->name)) {
        const char *known[] = {events->name};
        if (ride_yaml_need(&b->reader, from, "`source` of `labels`", RIDE_YAML_SCALAR) == RIDE_OK)
            spec_unknown(b, from, "event source", known, 1);
    }
    if (events->field_id < 0)
        ride_yaml_fault(&b->reader, node, NULL, "labels are joined on the event id, and `%s` has no `event_id`",
                        events->name);
    if (events->field_label >= 0)
        ride_yaml_fault(&b->reader, node, NULL, "`%s` has a `label` of its own: labels can come from one place only",
                        events->name);
    if (read_field_name(b, key, "`key` of `labels`", name)) {
        const ride_field *id = events->field_id >= 0 ? &events->fields[events->field_id] : NULL;
        source->field_label_key = field_or_hidden(source, name, id != NULL ? id->type : RIDE_FIELD_STRING,
                                                  id != NULL ? id->tile_type : RIDE_TYPE_STRING);
        const ride_field *field = &source->fields[source->field_label_key];
        if (id != NULL && field->type != id->type)
            ride_yaml_fault(&b->reader, key, NULL, "`%s` is a %s, the event id `%s` is a %s: they cannot be joined",
                            name, spec_field_type_name(field->type), id->name, spec_field_type_name(id->type));
    }
    if (read_field_name(b, value, "`value` of `labels`", name)) {
        source->field_label_value = field_or_hidden(source, name, RIDE_FIELD_BOOL, RIDE_TYPE_BOOL);
        const ride_field *field = &source->fields[source->field_label_value];
        if (field->type != RIDE_FIELD_BOOL)
            ride_yaml_fault(&b->reader, value, NULL, "the label `%s` is a %s; it must be a bool", name,
                            spec_field_type_name(field->type));
    }
    for (uint32_t i = 0; i < source->fields_count; i++) source->fields[i].column = RIDE_COLUMNS_SYSTEM + i;
    if (source->field_time >= 0 && !is_listed(source, source->field_time))
        source->fields[source->field_time].column = RIDE_COLUMN_NONE;
}

void spec_read_sources(spec_builder *b, const ride_yaml_node *sources) {
    ride_spec *spec = b->spec;
    int32_t events = -1;
    spec->source_labels = -1;
    spec->sources = ride_arena_new(b->priv->arena, ride_source_spec, sources->count > 0 ? sources->count : 1);
    if (spec->sources == NULL) {
        b->no_memory = true;
        return;
    }
    for (uint32_t i = 0; i < sources->count; i++) {
        const ride_yaml_pair *pair = &sources->pairs[i];
        if (i == RIDE_SOURCES_MAX) {
            ride_yaml_fault_key(&b->reader, pair, NULL, "more than %d sources", RIDE_SOURCES_MAX);
            break;
        }
        ride_source_spec *source = &spec->sources[spec->sources_count];
        if (!spec_name(b, &b->reader, pair->key_line, pair->key_column, "source name", pair->key, source->name,
                       sizeof source->name))
            continue;
        b->source_nodes[spec->sources_count] = pair->value;
        read_source(b, source, pair);
        if (source->is_labels && spec->source_labels >= 0)
            ride_yaml_fault_key(&b->reader, pair, NULL, "more than one label source is not supported yet");
        else if (!source->is_labels && events >= 0)
            ride_yaml_fault_key(&b->reader, pair, NULL, "more than one event source is not supported yet");
        else if (source->is_labels) spec->source_labels = (int32_t)spec->sources_count;
        else events = (int32_t)spec->sources_count;
        spec->sources_count++;
    }
    if (events < 0) {
        ride_yaml_fault(&b->reader, sources, NULL, "`sources` has no source of events");
        spec->sources_count = 0; /* nothing further can be read */
        return;
    }
    spec->source_events = (uint32_t)events;
    if (spec->sources[events].format == 0) spec->sources[events].format = RIDE_FORMAT_CSV;
    for (uint32_t i = 0; i < spec->sources_count; i++) {
        ride_source_spec *source = &spec->sources[i];
        if (source->format == 0) source->format = spec->sources[events].format;
        if (source->is_labels) read_labels(b, source, ride_yaml_get(b->source_nodes[i], "labels"));
    }
}
