/* features/zone.c: TZif files and the rule in their footer (RFC 8536 section 3.3; POSIX.1 section 8.3 for the rule). */
#include "features/zone.h"

#include "features/duration.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_BYTES_MAX = 1 << 18, YEAR_LAST = 2100 };

static ride_status add(ride_zone *zone, int64_t utc_us, int64_t offset_us, ride_error *err) {
    if (zone->count > 0 && zone->transitions[zone->count - 1].offset_us == offset_us) return RIDE_OK;
    if (zone->count > 0 && zone->transitions[zone->count - 1].utc_us >= utc_us)
        return ride_fail(err, RIDE_E_SPEC, "the zone's transitions are not in order");
    if (zone->count == RIDE_ZONE_TRANSITIONS_MAX)
        return ride_fail(err, RIDE_E_SPEC, "the zone has more than %d transitions", RIDE_ZONE_TRANSITIONS_MAX);
    zone->transitions[zone->count++] = (ride_plan_zone){.utc_us = utc_us, .offset_us = offset_us};
    return RIDE_OK;
}

/* ---- the footer: "CET-1CEST,M3.5.0,M10.5.0/3" ---- */

typedef struct rule_day {
    char kind; /* 'M' month.week.day, 'J' 1 … 365 without February 29, 'N' 0 … 365 */
    int month, week, day;
    int64_t seconds; /* of the day; may be negative or above 24 h */
} rule_day;

typedef struct rule {
    int64_t std_s, dst_s; /* UTC offsets, east positive */
    bool has_dst;
    rule_day start, end;
} rule;

static bool rule_number(const char **p, int64_t max, int64_t *out) {
    if (!isdigit((unsigned char)**p)) return false;
    int64_t value = 0;
    for (; isdigit((unsigned char)**p); (*p)++) {
        value = value * 10 + (**p - '0');
        if (value > max) return false;
    }
    *out = value;
    return true;
}

/* [+-]hh[:mm[:ss]] */
static bool rule_time(const char **p, int64_t *out_s) {
    int64_t sign = 1, part, total = 0;
    if (**p == '-' || **p == '+') sign = *(*p)++ == '-' ? -1 : 1;
    if (!rule_number(p, 167, &part)) return false;
    total = part * 3600;
    for (int64_t unit = 60; unit >= 1 && **p == ':'; unit /= 60) {
        (*p)++;
        if (!rule_number(p, 59, &part)) return false;
        total += part * unit;
    }
    *out_s = sign * total;
    return true;
}

static bool rule_name(const char **p) {
    const char *start = *p;
    if (**p == '<') {
        while (**p != '\0' && **p != '>') (*p)++;
        return *(*p)++ == '>';
    }
    while (isalpha((unsigned char)**p)) (*p)++;
    return *p - start >= 3;
}

static bool rule_date(const char **p, rule_day *out) {
    int64_t a = 0, b = 0, c = 0;
    if (*(*p)++ != ',') return false;
    out->kind = 'N';
    if (**p == 'M' || **p == 'J') out->kind = *(*p)++;
    if (out->kind == 'M') {
        if (!rule_number(p, 12, &a) || a < 1 || *(*p)++ != '.' || !rule_number(p, 5, &b) || b < 1 || *(*p)++ != '.' ||
            !rule_number(p, 6, &c))
            return false;
        out->month = (int)a, out->week = (int)b, out->day = (int)c;
    } else {
        if (!rule_number(p, 365, &a) || (out->kind == 'J' && a < 1)) return false;
        out->day = (int)a;
    }
    out->seconds = 7200;
    if (**p != '/') return true;
    (*p)++;
    return rule_time(p, &out->seconds);
}

static bool rule_parse(const char *p, rule *out) {
    *out = (rule){0};
    if (!rule_name(&p) || !rule_time(&p, &out->std_s)) return false;
    out->std_s = -out->std_s; /* POSIX counts west */
    if (*p == '\0') return true;
    out->has_dst = true;
    out->dst_s = out->std_s + 3600;
    if (!rule_name(&p)) return false;
    if (*p != ',') {
        if (!rule_time(&p, &out->dst_s)) return false;
        out->dst_s = -out->dst_s;
    }
    return rule_date(&p, &out->start) && rule_date(&p, &out->end) && *p == '\0';
}

/* Days since the epoch of a date of the proleptic Gregorian calendar (days of the eras of 400 years, March first). */
static int64_t days_of(int64_t year, int month, int day) {
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int64_t rule_moment(const rule_day *on, int64_t year, int64_t offset_s) {
    int64_t day;
    if (on->kind == 'M') {
        int64_t first = days_of(year, on->month, 1);
        int64_t next = on->month == 12 ? days_of(year + 1, 1, 1) : days_of(year, on->month + 1, 1);
        int64_t weekday = (first + 4) % 7; /* Sunday = 0; day 0 was a Thursday; years here are after 1970 */
        day = first + (on->day - weekday + 7) % 7 + (on->week - 1) * 7;
        if (day >= next) day -= 7;
    } else if (on->kind == 'J') {
        bool leap = days_of(year, 3, 1) - days_of(year, 2, 1) == 29;
        day = days_of(year, 1, 1) + on->day - 1 + (leap && on->day >= 60);
    } else day = days_of(year, 1, 1) + on->day;
    return (day * 86400 + on->seconds - offset_s) * RIDE_US_PER_S;
}

static ride_status extend_by_rule(ride_zone *zone, const char *text, ride_error *err) {
    rule r;
    if (text[0] == '\0') return RIDE_OK;
    if (!rule_parse(text, &r)) return ride_fail(err, RIDE_E_SPEC, "the zone's rule cannot be read");
    ride_plan_zone *last = &zone->transitions[zone->count - 1];
    if (!r.has_dst) return RIDE_OK; /* the last transition of the file already has this offset */
    int64_t from_us = last->utc_us, year = 1970;
    if (from_us > 0) year += from_us / (366 * RIDE_US_PER_D); /* never beyond the year of the last transition */
    for (; year <= YEAR_LAST; year++) {
        int64_t start = rule_moment(&r.start, year, r.std_s), end = rule_moment(&r.end, year, r.dst_s);
        struct {
            int64_t at, offset_s;
        } moments[2] = {{start, r.dst_s}, {end, r.std_s}};
        int first = start < end ? 0 : 1;
        for (int i = 0; i < 2; i++) {
            int64_t at = moments[first ^ i].at;
            if (at <= zone->transitions[zone->count - 1].utc_us || at <= from_us) continue;
            RIDE_TRY(add(zone, at, moments[first ^ i].offset_s * RIDE_US_PER_S, err));
        }
    }
    return RIDE_OK;
}

/* ---- the file ---- */

static uint64_t big_endian(const uint8_t *p, int bytes) {
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) value = value << 8 | p[i];
    return value;
}

enum { HEADER_BYTES = 44, TYPE_BYTES = 6 };
typedef struct block {
    uint64_t utc_flags, wall_flags, leaps, times, types, letters;
} block;

static bool block_header(const uint8_t *data, size_t bytes, block *out) {
    if (bytes < HEADER_BYTES || memcmp(data, "TZif", 4) != 0) return false;
    uint64_t *fields[] = {&out->utc_flags, &out->wall_flags, &out->leaps, &out->times, &out->types, &out->letters};
    for (int i = 0; i < 6; i++) *fields[i] = big_endian(data + 20 + 4 * i, 4);
    // cppcheck-suppress uninitvar ; all six are set through `fields`
    return out->times <= RIDE_ZONE_TRANSITIONS_MAX && out->types >= 1 && out->types <= 256 && out->leaps <= 1000 &&
           out->letters <= 10000 && out->utc_flags <= 256 && out->wall_flags <= 256;
}

static size_t block_bytes(const block *b, size_t time_bytes) {
    return b->times * (time_bytes + 1) + b->types * TYPE_BYTES + b->letters + b->leaps * (time_bytes + 4) +
           b->wall_flags + b->utc_flags;
}

static ride_status read_block(const uint8_t *p, const block *b, ride_zone *zone, ride_error *err) {
    const uint8_t *indexes = p + b->times * 8, *types = indexes + b->times;
    RIDE_TRY(add(zone, INT64_MIN, (int32_t)big_endian(types, 4) * RIDE_US_PER_S, err));
    for (uint64_t i = 0; i < b->times; i++) {
        int64_t at_s = (int64_t)big_endian(p + i * 8, 8);
        if (indexes[i] >= b->types) return ride_fail(err, RIDE_E_SPEC, "the zone's file is damaged");
        int64_t offset_s = (int32_t)big_endian(types + indexes[i] * TYPE_BYTES, 4);
        if (offset_s < -26 * 3600 || offset_s > 26 * 3600)
            return ride_fail(err, RIDE_E_SPEC, "the zone's file has an offset of %lld s", (long long)offset_s);
        if (at_s < -(INT64_C(1) << 42) || at_s > (INT64_C(1) << 42)) continue; /* some writers mark "for ever" so */
        RIDE_TRY(add(zone, at_s * RIDE_US_PER_S, offset_s * RIDE_US_PER_S, err));
    }
    return RIDE_OK;
}

ride_status ride_zone_parse(const uint8_t *data, size_t bytes, ride_zone *out, ride_error *err) {
    block b;
    char footer[128] = "";
    *out = (ride_zone){0};
    if (!block_header(data, bytes, &b) || data[4] < '2') goto damaged;
    size_t first_bytes = HEADER_BYTES + block_bytes(&b, 4); /* the block for 32-bit readers is passed over */
    if (first_bytes > bytes || !block_header(data + first_bytes, bytes - first_bytes, &b)) goto damaged;
    const uint8_t *body = data + first_bytes + HEADER_BYTES;
    size_t rest = bytes - first_bytes - HEADER_BYTES, body_bytes = block_bytes(&b, 8);
    if (body_bytes + 2 > rest || body[body_bytes] != '\n') goto damaged;
    const uint8_t *text = body + body_bytes + 1, *end = memchr(text, '\n', rest - body_bytes - 1);
    if (end == NULL || (size_t)(end - text) >= sizeof footer) goto damaged;
    memcpy(footer, text, (size_t)(end - text));
    out->transitions = malloc(RIDE_ZONE_TRANSITIONS_MAX * sizeof *out->transitions);
    if (out->transitions == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a time zone");
    ride_status st = read_block(body, &b, out, err);
    if (st == RIDE_OK) st = extend_by_rule(out, footer, err);
    if (st != RIDE_OK || (out->count == 1 && out->transitions[0].offset_us == 0)) ride_zone_close(out);
    return st;
damaged:
    return ride_fail(err, RIDE_E_SPEC, "the zone's file is damaged");
}

/* `+02:00`, `-03:30`; false when the name is no such offset. */
static bool fixed_offset(const char *name, int64_t *out_us) {
    if ((name[0] != '+' && name[0] != '-') || strlen(name) != 6 || name[3] != ':') return false;
    for (int i = 1; i < 6; i++)
        if (i != 3 && !isdigit((unsigned char)name[i])) return false;
    int64_t hours = (name[1] - '0') * 10 + name[2] - '0', minutes = (name[4] - '0') * 10 + name[5] - '0';
    if (hours > 18 || minutes > 59) return false;
    *out_us = (hours * 60 + minutes) * RIDE_US_PER_M * (name[0] == '-' ? -1 : 1);
    return true;
}

static bool name_is_safe(const char *name) {
    size_t length = strlen(name);
    if (length == 0 || length > 60 || name[0] == '/' || strstr(name, "..") != NULL) return false;
    for (const char *p = name; *p != '\0'; p++)
        if (!isalnum((unsigned char)*p) && strchr("_+-/", *p) == NULL) return false;
    return true;
}

ride_status ride_zone_open(const char *name, ride_zone *out, ride_error *err) {
    *out = (ride_zone){0};
    int64_t offset_us;
    if (strcmp(name, "UTC") == 0) return RIDE_OK;
    if (fixed_offset(name, &offset_us)) {
        if (offset_us == 0) return RIDE_OK;
        out->transitions = malloc(sizeof *out->transitions);
        if (out->transitions == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a time zone");
        out->transitions[0] = (ride_plan_zone){.utc_us = INT64_MIN, .offset_us = offset_us};
        out->count = 1;
        return RIDE_OK;
    }
    char path[128];
    snprintf(path, sizeof path, "/usr/share/zoneinfo/%.60s", name);
    FILE *file = name_is_safe(name) ? fopen(path, "rb") : NULL;
    if (file == NULL) {
        ride_fail(err, RIDE_E_SPEC, "no time zone `%.60s`", name);
        ride_error_advice(err, "UTC, +02:00 or an IANA name (tzdata)");
        return RIDE_E_SPEC;
    }
    uint8_t *data = malloc(FILE_BYTES_MAX);
    size_t bytes = data != NULL ? fread(data, 1, FILE_BYTES_MAX, file) : 0;
    fclose(file);
    ride_status st = data != NULL ? ride_zone_parse(data, bytes, out, err)
                                  : ride_fail(err, RIDE_E_MEMORY, "no memory for a time zone");
    free(data);
    return st;
}

void ride_zone_close(ride_zone *zone) {
    free(zone->transitions);
    *zone = (ride_zone){0};
}

int64_t ride_zone_local_to_utc(const void *zone_pointer, int64_t local_us) {
    const ride_zone *zone = zone_pointer;
    if (zone->count == 0) return local_us;
    /* Transition i is past on the wall clock once local >= its moment + the greater of the two offsets around it. */
    uint32_t lo = 0, hi = zone->count - 1;
    while (lo < hi) {
        uint32_t middle = lo + (hi - lo + 1) / 2;
        const ride_plan_zone *t = &zone->transitions[middle];
        int64_t greater = t->offset_us > t[-1].offset_us ? t->offset_us : t[-1].offset_us;
        if (local_us >= t->utc_us + greater) lo = middle;
        else hi = middle - 1;
    }
    return local_us - zone->transitions[lo].offset_us;
}

int64_t ride_zone_shift_max(const ride_zone *zone) {
    int64_t max = 0;
    for (uint32_t i = 1; i < zone->count; i++) {
        if (zone->transitions[i].utc_us < 0) continue; /* before 1970: local mean times and moved date lines */
        int64_t shift = zone->transitions[i].offset_us - zone->transitions[i - 1].offset_us;
        if (shift < 0) shift = -shift;
        if (shift > max) max = shift;
    }
    return max;
}
