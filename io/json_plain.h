/* io/json_plain.h: the plain JSON object, which is what nearly every sender sends: members that are numbers, true, false, null, and
 * strings of ASCII without escapes. It is read in one pass and told member by member as lib/json.h would tell it. Of what is not
 * plain nothing is said but that: it may be right or wrong, and lib/json.h knows. Internal to io. */
#ifndef RIDE_IO_JSON_PLAIN_H
#define RIDE_IO_JSON_PLAIN_H
#include "base/hd.h"
#include "lib/json.h"

#include <string.h>

static inline const char *ride_plain_skip(const char *at, const char *end) {
    while (at < end && RIDE_UNLIKELY((uint8_t)*at <= ' ') && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

/* The quote that ends the string whose first byte is *at, or NULL. Eight bytes at a time: of the bits that tell a quote, a
 * backslash, a control character or a byte that is not ASCII the lowest one is exact. */
static inline const char *ride_plain_string(const char *at, const char *end) {
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
    for (; at < end; at += 8) {
        uint64_t word, quotes, slashes;
        memcpy(&word, at, sizeof word); /* little-endian; up to 7 bytes of the padding */
        quotes = word ^ ones * '"';
        slashes = word ^ ones * '\\';
        uint64_t found =
            ((quotes - ones) & ~quotes) | ((slashes - ones) & ~slashes) | ((word - ones * 0x20) & ~word) | word;
        found &= highs;
        if (found == 0) continue;
        at += (unsigned)__builtin_ctzll(found) / 8;
        return at < end && *at == '"' ? at : NULL;
    }
    return NULL;
}

static inline bool ride_plain_is_digit(char c) { return (unsigned char)(c - '0') < 10; }

/* The end of the number that begins at `at` (RFC 8259), or NULL. */
static inline const char *ride_plain_number(const char *at, const char *end) {
    if (at < end && *at == '-') at++;
    const char *first = at;
    while (at < end && ride_plain_is_digit(*at)) at++;
    if (at == first || (*first == '0' && at - first > 1)) return NULL;
    if (at < end && *at == '.') {
        first = ++at;
        while (at < end && ride_plain_is_digit(*at)) at++;
        if (at == first) return NULL;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-')) at++;
        first = at;
        while (at < end && ride_plain_is_digit(*at)) at++;
        if (at == first) return NULL;
    }
    return at;
}

/* The end of the value at `at`, of which the member's type, text and place are filled in; NULL when it is not plain. */
static inline const char *ride_plain_value(const char *text, const char *at, const char *end, ride_json_member *out) {
    const char *stop = NULL;
    out->offset = (uint32_t)(at - text);
    out->text = at;
    if (at == end) return NULL;
    switch (*at) {
    case '"':
        out->type = RIDE_JSON_STRING;
        stop = ride_plain_string(at + 1, end);
        if (stop == NULL) return NULL;
        out->text = at + 1;
        out->bytes = (uint32_t)(stop - at) - 1;
        out->raw_bytes = out->bytes + 2;
        return stop + 1;
    case 't': /* a word that ends in the padding is found too long by the caller */
        out->type = RIDE_JSON_BOOL;
        if (memcmp(at, "true", 4) == 0) stop = at + 4;
        break;
    case 'f':
        out->type = RIDE_JSON_BOOL;
        if (memcmp(at, "false", 5) == 0) stop = at + 5;
        break;
    case 'n':
        out->type = RIDE_JSON_NULL;
        if (memcmp(at, "null", 4) == 0) stop = at + 4;
        break;
    default:
        out->type = RIDE_JSON_NUMBER;
        stop = ride_plain_number(at, end);
        break;
    }
    if (stop != NULL) out->bytes = out->raw_bytes = (uint32_t)(stop - at);
    return stop;
}

/* True: the object is plain, right, and told. False: it is not plain; some of it may have been told. guess may know the key that begins
 * at `key` without looking for its end: it returns the quote behind it, or NULL. RIDE_JSON_PADDING bytes behind the text must
 * be readable, as for ride_json_object. */
RIDE_INLINE bool ride_json_plain(const char *text, size_t bytes,
                                 const char *(*guess)(void *context, const char *key, const char *end),
                                 ride_json_member_fn member, void *context) {
    const char *end = text + bytes, *at = ride_plain_skip(text, end);
    ride_json_member found;
    if (at == end || *at != '{') return false;
    do {
        at = ride_plain_skip(at + 1, end);
        if (at == end || *at != '"') return false;
        const char *quote = guess(context, at + 1, end);
        if (RIDE_UNLIKELY(quote == NULL)) quote = ride_plain_string(at + 1, end);
        if (quote == NULL) return false;
        found.key = at + 1;
        found.key_bytes = (uint32_t)(quote - at) - 1;
        at = ride_plain_skip(quote + 1, end);
        if (at == end || *at != ':') return false;
        at = ride_plain_value(text, ride_plain_skip(at + 1, end), end, &found);
        if (at == NULL) return false;
        member(context, &found);
        at = ride_plain_skip(at, end);
    } while (at < end && *at == ',');
    return at < end && *at == '}' && ride_plain_skip(at + 1, end) == end;
}

#endif
