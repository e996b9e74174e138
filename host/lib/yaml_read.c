/* lib/yaml_read.c: typed reads of a tree's nodes, with findings. Knows nothing of libyaml. */
#include "lib/yaml.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const ride_yaml_pair *ride_yaml_find(const ride_yaml_node *mapping, const char *key) {
    if (mapping == NULL || mapping->kind != RIDE_YAML_MAPPING) return NULL;
    for (uint32_t i = 0; i < mapping->count; i++)
        if (strcmp(mapping->pairs[i].key, key) == 0) return &mapping->pairs[i];
    return NULL;
}

const ride_yaml_node *ride_yaml_get(const ride_yaml_node *mapping, const char *key) {
    const ride_yaml_pair *pair = ride_yaml_find(mapping, key);
    return pair != NULL ? pair->value : NULL;
}

bool ride_yaml_is_null(const ride_yaml_node *node) {
    return node->kind == RIDE_YAML_SCALAR && !node->quoted &&
           (node->text[0] == '\0' || strcmp(node->text, "null") == 0 || strcmp(node->text, "~") == 0);
}

bool ride_yaml_is(const ride_yaml_node *node, const char *text) {
    return node->kind == RIDE_YAML_SCALAR && strcmp(node->text, text) == 0;
}

const char *ride_yaml_kind_name(const ride_yaml_node *node) {
    if (ride_yaml_is_null(node)) return "nothing";
    if (node->kind == RIDE_YAML_MAPPING) return "a mapping";
    return node->kind == RIDE_YAML_SEQUENCE ? "a list" : "a value";
}

static ride_status fault_at(const ride_yaml_reader *reader, uint32_t line, uint32_t column, const char *advice,
                            const char *format, va_list args) {
    char message[768];
    vsnprintf(message, sizeof message, format, args);
    return ride_diagnose(reader->findings, reader->status, reader->path, line, column, advice, "%s", message);
}

ride_status ride_yaml_fault(const ride_yaml_reader *reader, const ride_yaml_node *node, const char *advice,
                            const char *format, ...) {
    va_list args;
    va_start(args, format);
    ride_status st = fault_at(reader, node->line, node->column, advice, format, args);
    va_end(args);
    return st;
}

ride_status ride_yaml_fault_key(const ride_yaml_reader *reader, const ride_yaml_pair *pair, const char *advice,
                                const char *format, ...) {
    va_list args;
    va_start(args, format);
    ride_status st = fault_at(reader, pair->key_line, pair->key_column, advice, format, args);
    va_end(args);
    return st;
}

ride_status ride_yaml_check_keys(const ride_yaml_reader *reader, const ride_yaml_node *mapping, const char *what,
                                 const char *const *names, size_t names_count) {
    ride_status st = RIDE_OK;
    for (uint32_t i = 0; i < mapping->count && mapping->kind == RIDE_YAML_MAPPING; i++) {
        const ride_yaml_pair *pair = &mapping->pairs[i];
        bool known = false;
        for (size_t k = 0; k < names_count && !known; k++) known = strcmp(pair->key, names[k]) == 0;
        if (known) continue;
        const char *near = ride_nearest(pair->key, names, names_count);
        char advice[128];
        if (near != NULL) snprintf(advice, sizeof advice, "did you mean `%s`?", near);
        st = ride_yaml_fault_key(reader, pair, near != NULL ? advice : NULL, "unknown key `%.200s` in %s", pair->key,
                                 what);
    }
    return st;
}

ride_status ride_yaml_need(const ride_yaml_reader *reader, const ride_yaml_node *node, const char *what,
                           ride_yaml_kind kind) {
    if (node->kind == kind && (kind != RIDE_YAML_SCALAR || !ride_yaml_is_null(node))) return RIDE_OK;
    static const char *const names[] = {"", "a value", "a list", "a mapping"};
    return ride_yaml_fault(reader, node, NULL, "%s must be %s, not %s", what, names[kind], ride_yaml_kind_name(node));
}

ride_status ride_yaml_read_string(const ride_yaml_reader *reader, const ride_yaml_node *node, const char *what,
                                  const char **out) {
    RIDE_TRY(ride_yaml_need(reader, node, what, RIDE_YAML_SCALAR));
    *out = node->text;
    return RIDE_OK;
}

ride_status ride_yaml_read_bool(const ride_yaml_reader *reader, const ride_yaml_node *node, const char *what,
                                bool *out) {
    RIDE_TRY(ride_yaml_need(reader, node, what, RIDE_YAML_SCALAR));
    bool yes = strcmp(node->text, "true") == 0;
    if (node->quoted || (!yes && strcmp(node->text, "false") != 0))
        return ride_yaml_fault(reader, node, NULL, "%s must be true or false, not `%.80s`", what, node->text);
    *out = yes;
    return RIDE_OK;
}

/* Digits with `_` between digits, a sign in front. Magnitude saturates; false when it is no integer. */
static bool parse_integer(const char *p, bool *negative, uint64_t *magnitude, bool *overflow) {
    *negative = *p == '-';
    if (*p == '-' || *p == '+') p++;
    if (!isdigit((unsigned char)*p)) return false;
    uint64_t value = 0;
    *overflow = false;
    for (; *p != '\0'; p++) {
        if (*p == '_' && isdigit((unsigned char)p[1])) continue;
        if (!isdigit((unsigned char)*p)) return false;
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
            *overflow = true;
    }
    *magnitude = value;
    return true;
}

ride_status ride_yaml_read_i64(const ride_yaml_reader *reader, const ride_yaml_node *node, const char *what,
                               int64_t min, int64_t max, int64_t *out) {
    RIDE_TRY(ride_yaml_need(reader, node, what, RIDE_YAML_SCALAR));
    bool negative, overflow;
    uint64_t magnitude;
    if (node->quoted || !parse_integer(node->text, &negative, &magnitude, &overflow))
        return ride_yaml_fault(reader, node, NULL, "%s must be an integer, not `%.80s`", what, node->text);
    uint64_t limit = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    int64_t value = 0;
    if (magnitude > limit) overflow = true;
    if (!overflow) value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    if (overflow || value < min || value > max)
        return ride_yaml_fault(reader, node, NULL, "%s must lie in %" PRId64 " … %" PRId64 ", not %.80s", what, min,
                               max, node->text);
    *out = value;
    return RIDE_OK;
}

ride_status ride_yaml_read_u64(const ride_yaml_reader *reader, const ride_yaml_node *node, const char *what,
                               uint64_t min, uint64_t max, uint64_t *out) {
    RIDE_TRY(ride_yaml_need(reader, node, what, RIDE_YAML_SCALAR));
    bool negative, overflow;
    uint64_t magnitude;
    if (node->quoted || !parse_integer(node->text, &negative, &magnitude, &overflow))
        return ride_yaml_fault(reader, node, NULL, "%s must be an integer, not `%.80s`", what, node->text);
    if (overflow || (negative && magnitude > 0) || magnitude < min || magnitude > max)
        return ride_yaml_fault(reader, node, NULL, "%s must lie in %" PRIu64 " … %" PRIu64 ", not %.80s", what, min,
                               max, node->text);
    *out = magnitude;
    return RIDE_OK;
}

ride_status ride_yaml_read_f64(const ride_yaml_reader *reader, const ride_yaml_node *node, const char *what,
                               double *out) {
    RIDE_TRY(ride_yaml_need(reader, node, what, RIDE_YAML_SCALAR));
    char *end = NULL;
    double value = 0.0;
    /* strtod also takes hexadecimal, inf and nan: those are no numbers of a config */
    bool decimal = node->text[0] != '\0' && strspn(node->text, "+-0123456789.eE") == strlen(node->text);
    if (decimal) value = strtod(node->text, &end);
    if (node->quoted || !decimal || end == node->text || *end != '\0')
        return ride_yaml_fault(reader, node, NULL, "%s must be a number, not `%.80s`", what, node->text);
    if (!isfinite(value)) return ride_yaml_fault(reader, node, NULL, "%s is too large: %.80s", what, node->text);
    *out = value;
    return RIDE_OK;
}

ride_status ride_yaml_read_word(const ride_yaml_reader *reader, const ride_yaml_node *node, const char *what,
                                const char *const *names, size_t names_count, size_t *out) {
    RIDE_TRY(ride_yaml_need(reader, node, what, RIDE_YAML_SCALAR));
    for (size_t i = 0; i < names_count; i++)
        if (strcmp(node->text, names[i]) == 0) {
            *out = i;
            return RIDE_OK;
        }
    char list[512] = "", advice[128];
    size_t used = 0;
    for (size_t i = 0; i < names_count && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i > 0 ? " | " : "", names[i]);
    const char *near = ride_nearest(node->text, names, names_count);
    if (near != NULL) snprintf(advice, sizeof advice, "did you mean `%s`?", near);
    return ride_yaml_fault(reader, node, near != NULL ? advice : NULL, "%s must be %s, not `%.80s`", what, list,
                           node->text);
}
