/* engine/record_diff.c: see record_diff.h. */
#include "engine/record_diff.h"

#include <stdio.h>
#include <string.h>

typedef struct piece {
    const char *text; /* NULL: there is none */
    uint32_t bytes;
} piece;

static void put(char to[RECORD_DIFF_BYTES], piece from) {
    uint32_t n = from.bytes < RECORD_DIFF_BYTES - 1 ? from.bytes : RECORD_DIFF_BYTES - 1;
    if (from.text == NULL) {
        snprintf(to, RECORD_DIFF_BYTES, "nothing");
        return;
    }
    for (uint32_t i = 0; i < n; i++) to[i] = (unsigned char)from.text[i] < 32 ? '?' : from.text[i];
    to[n] = '\0';
}

static bool same(piece a, piece b) {
    return (a.text == NULL) == (b.text == NULL) && a.bytes == b.bytes &&
           (a.bytes == 0 || memcmp(a.text, b.text, a.bytes) == 0);
}

/* The next cell, quotes and all; *at is behind its comma, NULL behind the last one. */
static piece next_cell(const char **at, const char *end) {
    piece cell = {*at, 0};
    bool quoted = false;
    if (*at == NULL) return cell;
    while (*at < end && (quoted || **at != ',')) {
        if (**at == '"') quoted = !quoted;
        (*at)++;
    }
    cell.bytes = (uint32_t)(*at - cell.text);
    *at = *at < end ? *at + 1 : NULL;
    return cell;
}

static bool find_cell(const char *names, uint32_t names_count, const char *a, uint32_t a_bytes, const char *b,
                      uint32_t b_bytes, record_diff *out) {
    const char *a_at = a, *b_at = b, *name = names;
    for (uint32_t column = 0; a_at != NULL || b_at != NULL; column++) {
        const piece x = next_cell(&a_at, a + a_bytes), y = next_cell(&b_at, b + b_bytes);
        if (!same(x, y)) {
            if (column < names_count && names != NULL) snprintf(out->field, sizeof out->field, "%s", name);
            else snprintf(out->field, sizeof out->field, "column %u", column + 1);
            put(out->a, x);
            put(out->b, y);
            return true;
        }
        if (column < names_count && names != NULL) name += strlen(name) + 1;
    }
    return false;
}

static const char *string_end(const char *at, const char *end) { /* at its opening quote → behind its closing one */
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\') at++;
    return at < end ? at + 1 : end;
}

/* The next member of an object: its name with the quotes, its value, which may be a list or an object. False at the end, or where it is none. */
static bool next_member(const char **at, const char *end, piece *name, piece *value) {
    const char *p = *at;
    while (p < end && (*p == '{' || *p == ',' || *p == ' ')) p++;
    if (p >= end || *p != '"') return false;
    const char *name_end = string_end(p, end);
    *name = (piece){p, (uint32_t)(name_end - p)};
    p = name_end;
    while (p < end && (*p == ':' || *p == ' ')) p++;
    const char *begin = p;
    for (uint32_t depth = 0; p < end && (depth > 0 || (*p != ',' && *p != '}'));) {
        if (*p == '[' || *p == '{') depth++;
        else if ((*p == ']' || *p == '}') && depth > 0) depth--;
        p = *p == '"' ? string_end(p, end) : p + 1;
    }
    *value = (piece){begin, (uint32_t)(p - begin)};
    *at = p;
    return true;
}

bool record_member_next(const char **at, const char *end, record_member *out) {
    piece name, value;
    if (!next_member(at, end, &name, &value) || name.bytes < 2) return false;
    *out = (record_member){name.text + 1, value.text, name.bytes - 2, value.bytes};
    return true;
}

static bool find_member(const char *a, uint32_t a_bytes, const char *b, uint32_t b_bytes, record_diff *out) {
    const char *a_at = a, *b_at = b;
    for (;;) {
        piece a_name = {NULL, 0}, a_value = {NULL, 0}, b_name = {NULL, 0}, b_value = {NULL, 0};
        const bool in_a = next_member(&a_at, a + a_bytes, &a_name, &a_value),
                   in_b = next_member(&b_at, b + b_bytes, &b_name, &b_value);
        if (!in_a && !in_b) return false;
        if (same(a_name, b_name) && same(a_value, b_value)) continue;
        const piece name = in_b ? b_name : a_name;
        put(out->field, name.bytes >= 2 ? (piece){name.text + 1, name.bytes - 2} : name);
        put(out->a, !in_b || same(a_name, b_name) ? a_value : (piece){NULL, 0}); /* another member is there */
        put(out->b, b_value);
        return true;
    }
}

static void find_byte(const char *a, uint32_t a_bytes, const char *b, uint32_t b_bytes, record_diff *out) {
    uint32_t at = 0;
    while (at < a_bytes && at < b_bytes && a[at] == b[at]) at++;
    snprintf(out->field, sizeof out->field, "byte %u", at);
    if (at < a_bytes) snprintf(out->a, sizeof out->a, "0x%02x", (unsigned char)a[at]);
    else put(out->a, (piece){NULL, 0});
    if (at < b_bytes) snprintf(out->b, sizeof out->b, "0x%02x", (unsigned char)b[at]);
    else put(out->b, (piece){NULL, 0});
}

void record_diff_find(ride_format format, const char *names, uint32_t names_count, const char *a, uint32_t a_bytes,
                      const char *b, uint32_t b_bytes, record_diff *out) {
    bool found = false;
    if (format == RIDE_FORMAT_CSV) found = find_cell(names, names_count, a, a_bytes, b, b_bytes, out);
    if (format == RIDE_FORMAT_NDJSON) found = find_member(a, a_bytes, b, b_bytes, out);
    if (!found) find_byte(a, a_bytes, b, b_bytes, out);
}
