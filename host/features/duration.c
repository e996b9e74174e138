/* features/duration.c: see the header. */
#include "features/duration.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int64_t us;
} units[] = {{"w", RIDE_US_PER_W},
             {"d", RIDE_US_PER_D},
             {"h", RIDE_US_PER_H},
             {"m", RIDE_US_PER_M},
             {"s", RIDE_US_PER_S},
             {"ms", 1000},
             {"us", 1}};
enum { UNITS = sizeof units / sizeof units[0] };

bool ride_duration_parse(const char *text, int64_t *out_us) {
    int64_t value = 0;
    const char *p = text;
    if (!isdigit((unsigned char)*p)) return false;
    for (; isdigit((unsigned char)*p) || (*p == '_' && isdigit((unsigned char)p[1])); p++) {
        if (*p == '_') continue;
        value = value * 10 + (*p - '0');
        if (value > RIDE_DURATION_MAX) return false;
    }
    for (int i = 0; i < UNITS; i++) {
        if (strcmp(p, units[i].name) != 0) continue;
        if (value > RIDE_DURATION_MAX / units[i].us) return false;
        *out_us = value * units[i].us;
        return true;
    }
    return false;
}

char *ride_duration_text(int64_t us, char *text, size_t text_bytes_max) {
    int i = us == 0 ? 4 : 0;
    while (us % units[i].us != 0) i++;
    if (i == 0) i = 1; /* days read better than weeks: 7d, 14d */
    snprintf(text, text_bytes_max, "%" PRId64 "%s", us / units[i].us, units[i].name);
    return text;
}
