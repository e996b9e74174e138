/* models/json.c: JSON text → document. RFC 8259 but for three words that trainers write as numbers: NaN, Infinity and
 * -Infinity. Recursion is bounded by RIDE_DOCUMENT_DEPTH_MAX. Why not the library that decodes events: it hands out doubles,
 * and refuses those words. */
#include "models/document.h"
#include "models/reader.h"

#include <stdlib.h>
#include <string.h>

typedef struct reader {
    const char *at, *end, *begin;
    ride_arena *arena;
    ride_value_stack stack;
    const ride_load_watch *watch;
    const char *told; /* how far it was when that was said last */
    ride_error *err;
} reader;

enum { TELL_BYTES = 4 << 20 };
static void tell(reader *r) {
    if (r->watch == NULL || r->at - r->told < TELL_BYTES) return;
    r->told = r->at;
    ride_load_tell(r->watch, "parsing", (uint64_t)(r->at - r->begin), (uint64_t)(r->end - r->begin));
}

static ride_status bad(reader *r, const char *what) { return ride_fail(r->err, RIDE_E_MODEL, "%s", what); }

static void skip_space(reader *r) {
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t')) r->at++;
}

static bool take_word(reader *r, const char *word) {
    size_t bytes = strlen(word);
    if ((size_t)(r->end - r->at) < bytes || memcmp(r->at, word, bytes) != 0) return false;
    r->at += bytes;
    return true;
}

static bool is_digit(const reader *r) { return r->at < r->end && *r->at >= '0' && *r->at <= '9'; }

static ride_status read_number(reader *r, ride_value *out) {
    const char *start = r->at;
    if (take_word(r, "NaN") || take_word(r, "Infinity") || take_word(r, "-Infinity")) goto done;
    if (*r->at == '-') r->at++;
    if (!is_digit(r)) return bad(r, "a value was expected");
    if (*r->at == '0') r->at++;
    else
        while (is_digit(r)) r->at++;
    if (r->at < r->end && *r->at == '.') {
        r->at++;
        if (!is_digit(r)) return bad(r, "a digit was expected after the point");
        while (is_digit(r)) r->at++;
    }
    if (r->at < r->end && (*r->at == 'e' || *r->at == 'E')) {
        r->at++;
        if (r->at < r->end && (*r->at == '+' || *r->at == '-')) r->at++;
        if (!is_digit(r)) return bad(r, "a digit was expected in the exponent");
        while (is_digit(r)) r->at++;
    }
done:
    if (r->at - start > 64) return bad(r, "a number of more than 64 characters");
    *out = (ride_value){.kind = RIDE_VALUE_TEXT_NUMBER, .count = (uint32_t)(r->at - start), .u.text = start};
    return RIDE_OK;
}

/* Bytes of the well-formed UTF-8 character at `at` (Unicode, table 3-7), 0 = not one. */
static size_t utf8_bytes(const uint8_t *at, size_t left) {
    uint8_t a = at[0];
    if (a < 0x80) return 1;
    size_t bytes = a >= 0xc2 && a <= 0xdf ? 2 : (a & 0xf0) == 0xe0 ? 3 : a >= 0xf0 && a <= 0xf4 ? 4 : 0;
    if (bytes == 0 || bytes > left) return 0;
    for (size_t i = 1; i < bytes; i++)
        if ((at[i] & 0xc0) != 0x80) return 0;
    if ((a == 0xe0 && at[1] < 0xa0) || (a == 0xed && at[1] > 0x9f) || (a == 0xf0 && at[1] < 0x90) ||
        (a == 0xf4 && at[1] > 0x8f))
        return 0;
    return bytes;
}

static bool hex4(const char *at, uint32_t *out) {
    *out = 0;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : 16;
        if (digit == 16) return false;
        *out = *out << 4 | digit;
    }
    return true;
}

static char *put_utf8(char *to, uint32_t c) {
    if (c < 0x80) *to++ = (char)c;
    else if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        *to++ = (char)(0xe0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 63));
        *to++ = (char)(0x80 | (c & 63));
    } else {
        *to++ = (char)(0xf0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 63));
        *to++ = (char)(0x80 | (c >> 6 & 63));
        *to++ = (char)(0x80 | (c & 63));
    }
    return to;
}

/* Copies [from, to) without its escapes; the text never grows by that. */
static ride_status unescape(reader *r, const char *from, const char *to, ride_value *out) {
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    char *text = ride_arena_alloc(r->arena, (size_t)(to - from), 1), *end = text;
    if (text == NULL) return bad(r, "more values than memory was allowed for");
    while (from < to) {
        if (*from != '\\') {
            *end++ = *from++;
            continue;
        }
        char c = from[1]; /* the scan saw that something follows */
        const char *letter = c != '\0' ? strchr(letters, c) : NULL;
        if (letter != NULL) {
            *end++ = meanings[letter - letters];
            from += 2;
            continue;
        }
        uint32_t unit, low;
        if (c != 'u' || to - from < 6 || !hex4(from + 2, &unit)) return bad(r, "a bad escape in a string");
        from += 6;
        if (unit >= 0xd800 && unit < 0xdc00) {
            if (to - from < 6 || from[0] != '\\' || from[1] != 'u' || !hex4(from + 2, &low) || low < 0xdc00 ||
                low > 0xdfff)
                return bad(r, "half a surrogate pair in a string");
            unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            from += 6;
        } else if (unit >= 0xdc00 && unit < 0xe000) return bad(r, "half a surrogate pair in a string");
        end = put_utf8(end, unit);
    }
    *out = (ride_value){.kind = RIDE_VALUE_STRING, .count = (uint32_t)(end - text), .u.text = text};
    return RIDE_OK;
}

static ride_status read_string(reader *r, ride_value *out) {
    const char *start = ++r->at;
    bool escaped = false;
    while (r->at < r->end && *r->at != '"') {
        if ((uint8_t)*r->at < 0x20) return bad(r, "a control character in a string");
        if (*r->at == '\\') {
            escaped = true;
            if (++r->at == r->end) break;
        }
        size_t bytes = utf8_bytes((const uint8_t *)r->at, (size_t)(r->end - r->at));
        if (bytes == 0) return bad(r, "a string that is not UTF-8");
        r->at += bytes;
    }
    if (r->at == r->end) return bad(r, "the file ends within a string");
    const char *end = r->at++;
    if (end - start > INT32_MAX) return bad(r, "a string of more than 2 GiB");
    if (escaped) return unescape(r, start, end, out);
    *out = (ride_value){.kind = RIDE_VALUE_STRING, .count = (uint32_t)(end - start), .u.text = start};
    return RIDE_OK;
}

static ride_status read_value(reader *r, int depth, ride_value *out);

static ride_status read_members(reader *r, int depth, char close, ride_value *out) {
    size_t first = r->stack.count;
    r->at++;
    skip_space(r);
    if (r->at < r->end && *r->at == close) r->at++;
    else {
        for (;;) {
            ride_value value;
            if (close == '}') {
                skip_space(r);
                if (r->at == r->end || *r->at != '"') return bad(r, "a key was expected");
                RIDE_TRY(read_string(r, &value));
                RIDE_TRY(ride_value_push(&r->stack, value, r->err));
                skip_space(r);
                if (r->at == r->end || *r->at != ':') return bad(r, "a colon was expected");
                r->at++;
            }
            RIDE_TRY(read_value(r, depth + 1, &value));
            RIDE_TRY(ride_value_push(&r->stack, value, r->err));
            skip_space(r);
            if (r->at == r->end) return bad(r, "the file ends within an array or object");
            char c = *r->at;
            if (c != ',' && c != close) return bad(r, "a comma or the end of the array or object was expected");
            r->at++;
            if (c == close) break;
        }
    }
    tell(r);
    return ride_value_close(&r->stack, first, close == '}' ? RIDE_VALUE_OBJECT : RIDE_VALUE_ARRAY, r->arena, out,
                            r->err);
}

static ride_status read_value(reader *r, int depth, ride_value *out) {
    skip_space(r);
    if (r->at == r->end) return bad(r, "the file ends where a value was expected");
    if (depth > RIDE_DOCUMENT_DEPTH_MAX) return bad(r, "arrays and objects nested too deep");
    *out = (ride_value){.kind = RIDE_VALUE_NULL};
    switch (*r->at) {
    case '{': return read_members(r, depth, '}', out);
    case '[': return read_members(r, depth, ']', out);
    case '"': return read_string(r, out);
    case 't':
    case 'f':
    case 'n':
        out->u.integer = *r->at == 't';
        if (*r->at != 'n') out->kind = RIDE_VALUE_BOOL;
        if (take_word(r, "true") || take_word(r, "false") || take_word(r, "null")) return RIDE_OK;
        return bad(r, "a value was expected");
    default: return read_number(r, out);
    }
}

ride_status ride_document_json(const void *data, size_t bytes, ride_arena *arena, const ride_load_watch *watch,
                               ride_value *out, size_t *offset, ride_error *err) {
    reader r = {.at = data,
                .begin = data,
                .end = (const char *)data + bytes,
                .arena = arena,
                .watch = watch,
                .told = data,
                .err = err};
    r.stack.bytes_max = 32 * bytes + 65536; /* a value takes two bytes at least; the stack grows by doubling */
    ride_status st = read_value(&r, 0, out);
    if (st == RIDE_OK) {
        skip_space(&r);
        if (r.at != r.end) st = bad(&r, "something follows the document");
    }
    *offset = (size_t)(r.at - r.begin);
    free(r.stack.values);
    return st;
}
