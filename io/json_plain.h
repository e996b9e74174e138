/* io/json_plain.h: plain JSON tokens, which are what nearly every sender sends: numbers, true, false, null, and strings without
 * escapes. Of what is not plain nothing is said but that: it may be right or wrong, and lib/json.h knows. A token is looked for
 * from `at`; up to 7 bytes behind `end` are read, and one that begins in the text and ends in the padding may be found: the caller
 * compares. Internal to io. */
#ifndef RIDE_IO_JSON_PLAIN_H
#define RIDE_IO_JSON_PLAIN_H
#include "base/hd.h"
#include "io/value.h"
#include "lib/json.h"

#include <string.h>

static inline const char *ride_plain_skip(const char *at, const char *end) {
    while (at < end && RIDE_UNLIKELY((uint8_t)*at <= ' ') && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

/* The quote that ends the string whose first byte is *at, or NULL. Eight bytes at a time: of the bits that tell a quote, a
 * backslash or a control character the lowest one is exact. */
static inline const char *ride_plain_string(const char *at, const char *end) {
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones << 7;
    const char *first = at;
    uint64_t high = 0; /* bytes that are not ASCII, here or a little behind */
    for (; at < end; at += 8) {
        uint64_t word, quotes, slashes;
        memcpy(&word, at, sizeof word); /* little-endian */
        quotes = word ^ ones * '"';
        slashes = word ^ ones * '\\';
        uint64_t found = ((quotes - ones) & ~quotes) | ((slashes - ones) & ~slashes) | ((word - ones * 0x20) & ~word);
        found &= highs;
        high |= word & highs;
        if (found == 0) continue;
        at += (unsigned)__builtin_ctzll(found) / 8;
        if (at >= end || *at != '"') return NULL;
        return RIDE_LIKELY(high == 0) || ride_utf8_valid(first, (size_t)(at - first)) ? at : NULL;
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

typedef struct ride_plain_token {
    ride_json_type type; /* never NESTED */
    const char *text;    /* of a string without its quotes */
    uint32_t bytes;
} ride_plain_token;

/* The end of the value at `at`, or NULL when it is not plain. */
static inline const char *ride_plain_value(const char *at, const char *end, ride_plain_token *out) {
    const char *stop = NULL;
    out->text = at;
    if (at == end) return NULL;
    switch (*at) {
    case '"':
        out->type = RIDE_JSON_STRING;
        stop = ride_plain_string(at + 1, end);
        if (stop == NULL) return NULL;
        out->text = at + 1;
        out->bytes = (uint32_t)(stop - at) - 1;
        return stop + 1;
    case 't':
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
    if (stop != NULL) out->bytes = (uint32_t)(stop - at);
    return stop;
}

/* The digits, 1 to 8, at `at`: how many, 0 when it is none, and what they spell. Eight at once: bytes are digits below ten, those behind the first other
 * byte are shifted out, and neighbours are joined to numbers of two, four, eight digits. */
static inline unsigned ride_plain_digits(const char *at, uint32_t *out) {
    uint64_t word;
    memcpy(&word, at, sizeof word); /* little-endian */
    word ^= UINT64_C(0x3030303030303030);
    const uint64_t others = (word | (word + UINT64_C(0x7676767676767676))) & UINT64_C(0x8080808080808080);
    const unsigned count = others != 0 ? (unsigned)__builtin_ctzll(others) / 8 : 8;
    if (count == 0) return 0;
    word <<= 64 - 8 * count;
    word = (word * 10 + (word >> 8)) & UINT64_C(0x00FF00FF00FF00FF);
    word = (word * 100 + (word >> 16)) & UINT64_C(0x0000FFFF0000FFFF);
    *out = (uint32_t)(word * 10000 + (word >> 32));
    return count;
}

#endif
