/* features/spec_field.c: `fields:` of a source: types and their options. */
#include "features/spec_internal.h"

#include <ctype.h>
#include <string.h>

static const char *const types[] = {"u8",  "u16", "u32", "u64",  "i8",      "i16",    "i32",
                                    "i64", "f32", "f64", "bool", "decimal", "string", "timestamp"};
static const char *const units[] = {"s", "ms", "us", "ns", "iso8601"};

static ride_type tile_type(uint32_t type) {
    switch (type) {
    case RIDE_FIELD_U64: return RIDE_TYPE_U64;
    case RIDE_FIELD_F32:
    case RIDE_FIELD_F64: return RIDE_TYPE_F64;
    case RIDE_FIELD_BOOL: return RIDE_TYPE_BOOL;
    case RIDE_FIELD_DECIMAL: return RIDE_TYPE_DECIMAL;
    case RIDE_FIELD_STRING: return RIDE_TYPE_STRING;
    case RIDE_FIELD_TIMESTAMP: return RIDE_TYPE_TIMESTAMP;
    default: return RIDE_TYPE_I64;
    }
}

static bool is_float(uint32_t type) { return type == RIDE_FIELD_F32 || type == RIDE_FIELD_F64; }
static bool is_integer(uint32_t type) { return type >= RIDE_FIELD_U8 && type <= RIDE_FIELD_I64; }

/* "-12.34" at scale 2 -> -1234, exactly, or false. */
static bool parse_decimal(const char *p, int32_t scale, int64_t *out) {
    bool negative = *p == '-', digits = false;
    int64_t value = 0;
    int32_t fraction = -1; /* digits after the point so far; -1 = before it */
    if (*p == '-' || *p == '+') p++;
    for (; *p != '\0'; p++) {
        if (*p == '.' && fraction < 0) {
            fraction = 0;
            continue;
        }
        if (*p == '_' && isdigit((unsigned char)p[1])) continue;
        if (!isdigit((unsigned char)*p)) return false;
        digits = true;
        if (fraction == scale) {
            if (*p != '0') return false;
            continue;
        }
        if (fraction >= 0) fraction++;
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *p - '0', &value)) return false;
    }
    for (int32_t i = fraction < 0 ? 0 : fraction; i < scale; i++)
        if (__builtin_mul_overflow(value, 10, &value)) return false;
    *out = negative ? -value : value;
    return digits;
}

static bool read_limit(spec_builder *b, const ride_yaml_node *node, const char *key, ride_field *field, int64_t *out,
                       double *out_real) {
    char what[128];
    snprintf(what, sizeof what, "`%s` of `%s`", key, field->name);
    if (is_float(field->type)) return ride_yaml_read_f64(&b->reader, node, what, out_real) == RIDE_OK;
    if (ride_yaml_need(&b->reader, node, what, RIDE_YAML_SCALAR) != RIDE_OK) return false;
    if (!node->quoted && parse_decimal(node->text, field->scale, out)) return true;
    ride_yaml_fault(&b->reader, node, NULL, "%s must be a number with at most %d digits after the point, not `%.80s`",
                    what, field->scale, node->text);
    return false;
}

static void read_limits(spec_builder *b, const ride_yaml_node *options, ride_field *field) {
    const ride_yaml_node *min = ride_yaml_get(options, "min"), *max = ride_yaml_get(options, "max");
    if (min == NULL && max == NULL) return;
    if (!is_integer(field->type) && !is_float(field->type) && field->type != RIDE_FIELD_DECIMAL) {
        ride_yaml_fault(&b->reader, min != NULL ? min : max, NULL, "`%s` is a %s: it has no min or max", field->name,
                        spec_field_type_name(field->type));
        return;
    }
    if (min != NULL) field->has_min = read_limit(b, min, "min", field, &field->min, &field->min_real);
    if (max != NULL) field->has_max = read_limit(b, max, "max", field, &field->max, &field->max_real);
    if (field->has_min && field->has_max &&
        (is_float(field->type) ? field->min_real > field->max_real : field->min > field->max))
        ride_yaml_fault(&b->reader, max, NULL, "`max` of `%s` is below its `min`", field->name);
}

static void read_categories(spec_builder *b, const ride_yaml_node *list, ride_field *field) {
    char what[128];
    snprintf(what, sizeof what, "`category` of `%s`", field->name);
    if (field->type != 0 && field->type != RIDE_FIELD_STRING)
        ride_yaml_fault(&b->reader, list, NULL, "`category` is for strings; `%s` is a %s", field->name,
                        spec_field_type_name(field->type));
    field->type = RIDE_FIELD_CATEGORY;
    if (ride_yaml_need(&b->reader, list, what, RIDE_YAML_SEQUENCE) != RIDE_OK) return;
    if (list->count == 0 || list->count > 65536)
        ride_yaml_fault(&b->reader, list, NULL, "%s must list 1 … 65536 words", what);
    const char **words = ride_arena_new(b->priv->arena, const char *, list->count > 0 ? list->count : 1);
    if (words == NULL) {
        b->no_memory = true;
        return;
    }
    for (uint32_t i = 0; i < list->count; i++) {
        const char *word;
        if (ride_yaml_read_string(&b->reader, list->items[i], what, &word) != RIDE_OK) continue;
        for (uint32_t k = 0; k < field->categories_count; k++)
            if (strcmp(words[k], word) == 0)
                ride_yaml_fault(&b->reader, list->items[i], NULL, "%s lists `%.80s` twice", what, word);
        words[field->categories_count] = spec_text(b, word);
        if (words[field->categories_count] == NULL) return;
        field->categories_count++;
    }
    field->categories = words;
}

/* Options that belong to one type only. */
static void check_option(spec_builder *b, const ride_yaml_node *options, const char *key, const ride_field *field,
                         uint32_t type) {
    const ride_yaml_pair *pair = ride_yaml_find(options, key);
    if (pair != NULL && field->type != type)
        ride_yaml_fault_key(&b->reader, pair, NULL, "`%s` is for a %s; `%s` is a %s", key, spec_field_type_name(type),
                            field->name, spec_field_type_name(field->type));
}

static void read_decimal(spec_builder *b, const ride_yaml_node *at, const ride_yaml_node *options, ride_field *field) {
    static const char *const roundings[] = {"half_away", "error"};
    const ride_yaml_node *scale = ride_yaml_get(options, "scale"), *rounding = ride_yaml_get(options, "rounding");
    char what[128];
    int64_t value = 0;
    size_t word;
    snprintf(what, sizeof what, "`scale` of `%s`", field->name);
    if (scale == NULL)
        ride_yaml_fault(&b->reader, at, "{type: decimal, scale: 2}", "`%s` is a decimal: it needs a `scale`",
                        field->name);
    else if (ride_yaml_read_i64(&b->reader, scale, what, 0, RIDE_SCALE_MAX, &value) == RIDE_OK)
        field->scale = (int32_t)value;
    snprintf(what, sizeof what, "`rounding` of `%s`", field->name);
    if (rounding != NULL && ride_yaml_read_word(&b->reader, rounding, what, roundings, 2, &word) == RIDE_OK)
        field->rounding_error = word == 1;
}

static void read_options(spec_builder *b, const ride_yaml_node *options, ride_field *field) {
    static const char *const names[] = {"type",     "scale", "nullable", "rounding", "sensitive",
                                        "category", "min",   "max",      "unit",     NULL};
    char what[128];
    size_t word;
    snprintf(what, sizeof what, "field `%s`", field->name);
    spec_check_keys(b, options, what, names, NULL);
    const ride_yaml_node *type = ride_yaml_get(options, "type"), *category = ride_yaml_get(options, "category");
    const ride_yaml_node *nullable = ride_yaml_get(options, "nullable"),
                         *sensitive = ride_yaml_get(options, "sensitive");
    const ride_yaml_node *unit = ride_yaml_get(options, "unit");
    snprintf(what, sizeof what, "the type of `%s`", field->name);
    if (type != NULL) {
        if (ride_yaml_read_word(&b->reader, type, what, types, sizeof types / sizeof types[0], &word) == RIDE_OK)
            field->type = (uint32_t)word + 1;
    } else if (category == NULL) ride_yaml_fault(&b->reader, options, NULL, "field `%s` has no `type`", field->name);
    if (category != NULL) read_categories(b, category, field);
    if (field->type == 0) field->type = RIDE_FIELD_STRING; /* reported above; something to go on with */
    snprintf(what, sizeof what, "`nullable` of `%s`", field->name);
    if (nullable != NULL) ride_yaml_read_bool(&b->reader, nullable, what, &field->nullable);
    snprintf(what, sizeof what, "`sensitive` of `%s`", field->name);
    if (sensitive != NULL) ride_yaml_read_bool(&b->reader, sensitive, what, &field->sensitive);
    check_option(b, options, "scale", field, RIDE_FIELD_DECIMAL);
    check_option(b, options, "rounding", field, RIDE_FIELD_DECIMAL);
    check_option(b, options, "unit", field, RIDE_FIELD_TIMESTAMP);
    if (field->type == RIDE_FIELD_DECIMAL) read_decimal(b, options, options, field);
    snprintf(what, sizeof what, "`unit` of `%s`", field->name);
    if (unit != NULL && ride_yaml_read_word(&b->reader, unit, what, units, 5, &word) == RIDE_OK)
        field->unit = (ride_time_unit)(word + 1);
    read_limits(b, options, field);
}

void spec_read_fields(spec_builder *b, ride_source_spec *source, const ride_yaml_node *fields) {
    char what[128];
    size_t word;
    snprintf(what, sizeof what, "`fields` of source `%s`", source->name);
    if (ride_yaml_need(&b->reader, fields, what, RIDE_YAML_MAPPING) != RIDE_OK) return;
    for (uint32_t i = 0; i < fields->count; i++) {
        const ride_yaml_pair *pair = &fields->pairs[i];
        if (source->fields_count == RIDE_FIELDS_MAX - 4) { /* room for the hidden ones */
            ride_yaml_fault_key(&b->reader, pair, NULL, "more than %d fields in a source", RIDE_FIELDS_MAX - 4);
            return;
        }
        ride_field *field = &source->fields[source->fields_count];
        *field = (ride_field){0};
        if (!spec_name(b, &b->reader, pair->key_line, pair->key_column, "field name", pair->key, field->name,
                       sizeof field->name))
            continue;
        snprintf(what, sizeof what, "the type of `%s`", field->name);
        if (pair->value->kind == RIDE_YAML_MAPPING) read_options(b, pair->value, field);
        else if (ride_yaml_read_word(&b->reader, pair->value, what, types, sizeof types / sizeof types[0], &word) ==
                 RIDE_OK) {
            field->type = (uint32_t)word + 1;
            if (field->type == RIDE_FIELD_DECIMAL) read_decimal(b, pair->value, NULL, field);
        } else field->type = RIDE_FIELD_STRING;
        field->tile_type = tile_type(field->type);
        source->fields_count++;
    }
}
