/* base/pan.c: see pan.h. One in ten numbers of that length has a right check digit by chance: a time in microseconds may be taken for a
 * card, a card never for a time. */
#include "base/pan.h"

#include <stdbool.h>
#include <stdint.h>

enum { DIGITS_MIN = 13, DIGITS_MAX = 19 };

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_word(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

static bool luhn(const uint8_t *digits, size_t count) {
    uint32_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t digit = digits[count - 1 - i];
        if (i % 2 == 1) digit = digit > 4 ? digit * 2 - 9 : digit * 2;
        sum += digit;
    }
    return sum % 10 == 0;
}

size_t ride_pan_bytes(const char *text, char before) {
    uint8_t digits[DIGITS_MAX];
    size_t count = 0, bytes = 0;
    if (text[0] < '2' || text[0] > '6' || is_word(before)) return 0;
    for (size_t i = 0;; i++) {
        bool separator = (text[i] == ' ' || text[i] == '-') && is_digit(text[i + 1]);
        if (separator) continue; /* a digit is next, or the loop would have ended */
        if (!is_digit(text[i])) break;
        if (count == DIGITS_MAX) return 0;
        digits[count++] = (uint8_t)(text[i] - '0');
        bytes = i + 1;
    }
    if (count < DIGITS_MIN || is_word(text[bytes])) return 0;
    return luhn(digits, count) ? bytes : 0;
}
