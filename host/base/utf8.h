/* base/utf8.h: the length of one UTF-8 character. Any thread. */
#ifndef RIDE_BASE_UTF8_H
#define RIDE_BASE_UTF8_H
#include <stddef.h>

/* Bytes of the valid character at text, a string's end or inside, 0 when there is none. Overlong forms, surrogates and what is
 * above U+10FFFF are invalid (RFC 3629). Control characters are characters; the zero at the end is not. */
static inline size_t ride_utf8_bytes(const char *text_start) {
    const unsigned char *text = (const unsigned char *)text_start;
    unsigned char c = text[0];
    if (c < 0x80) return c != '\0';
    size_t more = c >= 0xc2 && c <= 0xdf ? 1 : (c & 0xf0) == 0xe0 ? 2 : c >= 0xf0 && c <= 0xf4 ? 3 : 0;
    if (more == 0) return 0;
    for (size_t i = 1; i <= more; i++)
        if ((text[i] & 0xc0) != 0x80) return 0; /* also stops at the terminating zero */
    if ((c == 0xe0 && text[1] < 0xa0) || (c == 0xed && text[1] > 0x9f) || (c == 0xf0 && text[1] < 0x90) ||
        (c == 0xf4 && text[1] > 0x8f))
        return 0;
    return more + 1;
}

#endif
