/* serve/json_text.c: see json_text.h. */
#include "serve/json_text.h"

#include <stdint.h>
#include <string.h>

/* Bytes of the UTF-8 character at text, or 0 when there is none. */
static size_t character(const uint8_t *text, size_t bytes) {
    uint8_t c = text[0];
    if (c < 0x80) return 1;
    size_t n = c >= 0xc2 && c < 0xe0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
    if (n == 0 || n > bytes) return 0;
    for (size_t i = 1; i < n; i++)
        if ((text[i] & 0xc0) != 0x80) return 0;
    if ((c == 0xe0 && text[1] < 0xa0) || (c == 0xed && text[1] > 0x9f) || (c == 0xf0 && text[1] < 0x90) ||
        (c == 0xf4 && text[1] > 0x8f))
        return 0;
    return n;
}

bool ride_json_is_utf8(const char *text, size_t bytes) {
    for (size_t i = 0, n; i < bytes; i += n)
        if ((n = character((const uint8_t *)text + i, bytes - i)) == 0) return false;
    return true;
}

/* One character as JSON writes it; returns its bytes, *used is what it took. */
static size_t escape(const char *text, size_t bytes, char to[8], size_t *used) {
    static const char hex[] = "0123456789abcdef";
    uint8_t c = (uint8_t)text[0];
    *used = 1;
    if (c == '"' || c == '\\') {
        to[0] = '\\';
        to[1] = (char)c;
        return 2;
    }
    if (c < 0x20 || c == 0x7f) {
        memcpy(to, "\\u00", 4);
        to[4] = hex[c >> 4];
        to[5] = hex[c & 15];
        return 6;
    }
    size_t n = character((const uint8_t *)text, bytes);
    if (n == 0) {
        memcpy(to, "\xef\xbf\xbd", 3);
        return 3;
    }
    memcpy(to, text, n);
    *used = n;
    return n;
}

size_t ride_json_write_string(char *to, size_t room, const char *text, size_t bytes) {
    if (room < 2) return 0;
    size_t at = 0;
    to[at++] = '"';
    for (size_t i = 0, used; i < bytes; i += used) {
        char escaped[8];
        size_t n = escape(text + i, bytes - i, escaped, &used);
        if (at + n + 1 > room) break;
        memcpy(to + at, escaped, n);
        at += n;
    }
    to[at++] = '"';
    return at;
}

/* `,"name":"value"`, or nothing when that does not fit with `}` behind it. */
static size_t member(char *to, size_t room, const char *name, const char *value) {
    size_t name_bytes = strlen(name), head = name_bytes + 4;
    if (value == NULL || room < head + 2 + 16) return 0;
    to[0] = ',';
    to[1] = '"';
    memcpy(to + 2, name, name_bytes);
    to[2 + name_bytes] = '"';
    to[3 + name_bytes] = ':';
    return head + ride_json_write_string(to + head, room - head - 1, value, strlen(value));
}

size_t ride_json_write_error(char *to, size_t room, const char *error, const char *reason, const char *field) {
    size_t at = member(to, room, "error", error);
    if (at == 0) return 0;
    to[0] = '{';
    at += member(to + at, room - at, "reason", reason);
    at += member(to + at, room - at, "field", field);
    to[at++] = '}';
    return at;
}
