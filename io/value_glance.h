/* io/value_glance.h: texts that nearly all senders send, read at a glance: times to the second or finer, categories by their name. Never
 * refuses: of what is not known at a glance, value.h's careful reading says what it is. Internal to io. */
#ifndef RIDE_IO_VALUE_GLANCE_H
#define RIDE_IO_VALUE_GLANCE_H
#include "io/time_text.h"
#include "io/value.h"

#include <string.h>

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

/* 2018-04-01T00:00:31Z, with a fraction of up to 6 digits or without; or the same without the Z, in the zone. */
static inline bool ride_glance_time(ride_glance *glance, const ride_zone_rule *zone, const char *text, size_t bytes,
                                    int64_t *out) {
    static const int64_t units[] = {0, 100000, 10000, 1000, 100, 10, 1};
    if (bytes < 19) return false;
    const bool utc = text[bytes - 1] == 'Z';
    bytes -= utc;
    if (bytes < 19 || bytes > 26) return false;
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
    if (bytes > 19) {
        size_t digits = bytes - 20;
        if (text[19] != '.' || digits == 0 || !ride_glance_digits(text + 20, digits, &fraction)) return false;
        fraction *= units[digits];
    }
    *out = glance->date_us + ((hour * 60 + minute) * 60 + second) * INT64_C(1000000) + fraction;
    if (utc) return true;
    *out = zone->local_to_utc != NULL ? zone->local_to_utc(zone->zone, *out) : *out - zone->offset_us;
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

#endif
