/* base/pan.h: finds what may be a card number (PAN) in text, so that it is not shown. Any thread. */
#ifndef RIDE_BASE_PAN_H
#define RIDE_BASE_PAN_H
#include <stddef.h>

/* Bytes of the card number that begins at text, 0 when none does: 13 to 19 digits beginning with 2 to 6, single blanks or dashes
 * between them allowed, with a right check digit (Luhn), and no letter or digit right before (`before`, '\0' at the start) or behind. */
size_t ride_pan_bytes(const char *text, char before);

#endif
