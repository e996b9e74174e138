/* io/value_glance.h: the texts that nearly all fields have, read at a glance: short integers, decimals that need no rounding, times
 * in UTC to the second or finer. Never refuses: of what is not known at a glance, value.h's careful reading says what it
 * is. Internal to io. */
#ifndef RIDE_IO_VALUE_GLANCE_H
#define RIDE_IO_VALUE_GLANCE_H
#include "io/time_text.h"
#include "io/value.h"

#include <string.h>

enum { RIDE_GLANCE_DIGITS = 18 /* fit into 64 bits, whatever they are */ };

/* The date that was read last: events of one time have the same. */
typedef struct ride_glance {
    char date[10];
    bool known;
    int64_t date_us;
} ride_glance;

static inline bool ride_glance_digits(const char *text, size_t count, int64_t *out) {
    int64_t value = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned digit = (unsigned char)text[i] - '0';
        if (digit > 9) return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

static inline bool ride_glance_integer(const char *text, size_t bytes, int64_t *out) {
    bool negative = bytes > 0 && *text == '-';
    text += negative;
    bytes -= negative;
    if (bytes == 0 || bytes > RIDE_GLANCE_DIGITS || !ride_glance_digits(text, bytes, out)) return false;
    if (negative) *out = -*out;
    return true;
}

static inline bool ride_glance_decimal(const char *text, size_t bytes, int32_t scale, int64_t *out) {
    static const int64_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000};
    bool negative = bytes > 0 && *text == '-';
    text += negative;
    bytes -= negative;
    size_t before = 0;
    int64_t whole, part = 0;
    while (before < bytes && text[before] != '.') before++;
    size_t after = before < bytes ? bytes - before - 1 : 0;
    if (before == 0 || before > RIDE_GLANCE_DIGITS - 6 || scale > 6 || after > (size_t)scale) return false;
    if (!ride_glance_digits(text, before, &whole)) return false;
    if (before < bytes && (after == 0 || !ride_glance_digits(text + before + 1, after, &part))) return false;
    *out = whole * powers[scale] + part * powers[(size_t)scale - after];
    if (negative) *out = -*out;
    return true;
}

/* 2018-04-01T00:00:31Z, with a fraction of up to 6 digits or without. */
static inline bool ride_glance_time(ride_glance *glance, const char *text, size_t bytes, int64_t *out) {
    static const int64_t units[] = {0, 100000, 10000, 1000, 100, 10, 1};
    if (bytes < 20 || bytes > 27 || text[bytes - 1] != 'Z') return false;
    if (!glance->known || memcmp(glance->date, text, sizeof glance->date) != 0) {
        bool has_offset;
        int64_t offset_us;
        glance->known = ride_time_from_iso8601(text, sizeof glance->date, &glance->date_us, &has_offset, &offset_us);
        if (!glance->known) return false;
        memcpy(glance->date, text, sizeof glance->date);
    }
    int64_t hour, minute, second, fraction = 0;
    if ((text[10] != 'T' && text[10] != ' ') || text[13] != ':' || text[16] != ':' ||
        !ride_glance_digits(text + 11, 2, &hour) || !ride_glance_digits(text + 14, 2, &minute) ||
        !ride_glance_digits(text + 17, 2, &second) || hour > 23 || minute > 59 || second > 59)
        return false;
    if (bytes > 20) {
        size_t digits = bytes - 21;
        if (text[19] != '.' || digits == 0 || !ride_glance_digits(text + 20, digits, &fraction)) return false;
        fraction *= units[digits];
    }
    *out = glance->date_us + ((hour * 60 + minute) * 60 + second) * INT64_C(1000000) + fraction;
    return true;
}

static inline bool ride_glance_category(const ride_field *field, const char *text, size_t bytes, int64_t *out) {
    for (uint32_t i = 0; i < field->categories_count && bytes > 0; i++) {
        const char *name = field->categories[i];
        if (*name != *text || strncmp(name, text, bytes) != 0 || name[bytes] != '\0') continue;
        *out = i;
        return true;
    }
    return false;
}

/* True: *out is the value, good for the step. */
static inline bool ride_value_glance(ride_glance *glance, const ride_step *step, const char *text, size_t bytes,
                                     ride_value *out) {
    bool known = false;
    switch (step->type) {
    case RIDE_FIELD_U8:
    case RIDE_FIELD_U16:
    case RIDE_FIELD_U32:
    case RIDE_FIELD_U64:
    case RIDE_FIELD_I8:
    case RIDE_FIELD_I16:
    case RIDE_FIELD_I32:
    case RIDE_FIELD_I64: known = ride_glance_integer(text, bytes, &out->i); break;
    case RIDE_FIELD_DECIMAL: known = ride_glance_decimal(text, bytes, step->field->scale, &out->i); break;
    case RIDE_FIELD_TIMESTAMP:
        if (step->unit == RIDE_UNIT_ISO8601) known = ride_glance_time(glance, text, bytes, &out->i);
        else if (step->unit == RIDE_UNIT_US) known = ride_glance_integer(text, bytes, &out->i);
        break;
    case RIDE_FIELD_BOOL:
        out->i = *text == 't';
        known = (bytes == 4 && memcmp(text, "true", 4) == 0) || (bytes == 5 && memcmp(text, "false", 5) == 0);
        break;
    case RIDE_FIELD_CATEGORY: known = ride_glance_category(step->field, text, bytes, &out->i); break;
    default: break;
    }
    return known && out->i >= step->lo && out->i <= step->hi;
}

#endif
