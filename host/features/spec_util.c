/* features/spec_util.c: the small reads that all parts of the spec parser share. */
#include "features/duration.h"
#include "features/spec_internal.h"

#include <ctype.h>
#include <string.h>

int32_t spec_find_field(const ride_source_spec *source, const char *name) {
    for (uint32_t i = 0; i < source->fields_count; i++)
        if (strcmp(source->fields[i].name, name) == 0) return (int32_t)i;
    return -1;
}

size_t spec_field_names(const ride_source_spec *source, const char **out) {
    size_t count = 0;
    for (uint32_t i = 0; i < source->fields_count; i++)
        if (!source->fields[i].hidden) out[count++] = source->fields[i].name;
    return count;
}

const char *spec_field_type_name(uint32_t type) {
    static const char *const names[] = {"?",   "u8",  "u16", "u32",  "u64",     "i8",     "i16",       "i32",
                                        "i64", "f32", "f64", "bool", "decimal", "string", "timestamp", "category"};
    return type < sizeof names / sizeof names[0] ? names[type] : "?";
}

const char *spec_op_name(ride_aggregate_op op) {
    static const char *const names[] = {"?",          "count",       "sum",        "mean",    "var",  "std",
                                        "var_pop",    "std_pop",     "min",        "max",     "risk", "last",
                                        "since_last", "since_first", "first_seen", "distinct"};
    return (size_t)op < sizeof names / sizeof names[0] ? names[op] : "?";
}

const char *spec_text(spec_builder *b, const char *text) {
    const char *copy = ride_arena_text(b->priv->arena, text, strlen(text));
    if (copy == NULL) b->no_memory = true;
    return copy;
}

bool spec_name(spec_builder *b, const ride_yaml_reader *reader, uint32_t line, uint32_t column, const char *what,
               const char *text, char *out, size_t name_bytes_max) {
    (void)b;
    size_t bytes = strlen(text);
    const char *wrong = NULL;
    if (bytes == 0) wrong = "is empty";
    else if (bytes >= name_bytes_max) wrong = "is too long";
    for (size_t i = 0; i < bytes && wrong == NULL; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) wrong = "holds a control character";
        else if (text[i] == '`' || text[i] == '*') wrong = "holds a ` or a *";
    if (wrong != NULL) {
        ride_diagnose(reader->findings, reader->status, reader->path, line, column, NULL,
                      "%s `%.80s` %s (at most %zu bytes)", what, text, wrong, name_bytes_max - 1);
        return false;
    }
    memcpy(out, text, bytes + 1);
    return true;
}

static size_t count_names(const char *const *names) {
    size_t count = 0;
    while (names != NULL && names[count] != NULL) count++;
    return count;
}

void spec_check_keys(spec_builder *b, const ride_yaml_node *mapping, const char *what, const char *const *names,
                     const char *const *later) {
    const char *all[64];
    size_t names_count = count_names(names), later_count = count_names(later), all_count = 0;
    for (size_t i = 0; i < names_count; i++) all[all_count++] = names[i];
    for (size_t i = 0; i < later_count; i++) all[all_count++] = later[i];
    ride_yaml_check_keys(&b->reader, mapping, what, all, all_count);
    for (uint32_t i = 0; i < mapping->count; i++)
        for (size_t k = 0; k < later_count; k++)
            if (strcmp(mapping->pairs[i].key, later[k]) == 0)
                ride_yaml_fault_key(&b->reader, &mapping->pairs[i], NULL, "`%s` in %s is not supported yet", later[k],
                                    what);
}

bool spec_read_duration(spec_builder *b, const ride_yaml_node *node, const char *what, int64_t *out_us) {
    const char *text;
    if (ride_yaml_read_string(&b->reader, node, what, &text) != RIDE_OK) return false;
    if (ride_duration_parse(text, out_us)) return true;
    ride_yaml_fault(&b->reader, node, "an integer and us, ms, s, m, h, d or w: 30s, 7d",
                    "%s must be a duration, not `%.80s`", what, text);
    return false;
}

bool spec_read_bytes(spec_builder *b, const ride_yaml_node *node, const char *what, uint64_t *out) {
    static const struct {
        const char *name;
        uint64_t bytes;
    } units[] = {{"B", 1},     {"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {"GiB", 1ull << 30},  {"TiB", 1ull << 40},
                 {"kB", 1000}, {"MB", 1000000},     {"GB", 1000000000},  {"TB", 1000000000000}};
    const char *text, *p;
    uint64_t value = 0;
    if (ride_yaml_read_string(&b->reader, node, what, &text) != RIDE_OK) return false;
    for (p = text; isdigit((unsigned char)*p) && value < (1ull << 40); p++) value = value * 10 + (uint64_t)(*p - '0');
    for (size_t i = 0; i < sizeof units / sizeof units[0] && p != text; i++)
        if (strcmp(p, units[i].name) == 0 && value > 0 && value <= (1ull << 60) / units[i].bytes) {
            *out = value * units[i].bytes;
            return true;
        }
    ride_yaml_fault(&b->reader, node, "an integer and B, KiB, MiB, GiB or TiB: 512MiB",
                    "%s must be a size, not `%.80s`", what, text);
    return false;
}

void spec_unknown(spec_builder *b, const ride_yaml_node *node, const char *what, const char *const *names,
                  size_t names_count) {
    char advice[128];
    const char *near = ride_nearest(node->text, names, names_count);
    if (near != NULL) snprintf(advice, sizeof advice, "did you mean `%.90s`?", near);
    ride_yaml_fault(&b->reader, node, near != NULL ? advice : NULL, "no %s `%.80s`", what, node->text);
}
