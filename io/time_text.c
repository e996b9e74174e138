/* io/time_text.c: ISO 8601 dates and times. */
#include "io/time_text.h"

#include <string.h>

/* Counting years from March puts the leap day at a year's end, so that a month's first day is a linear formula. */
int64_t ride_days_from_date(int32_t year, uint32_t month, uint32_t day) {
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t month_from_march = (int64_t)month + (month > 2 ? -3 : 9);
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static void date_from_days(int64_t days, int32_t *year, uint32_t *month, uint32_t *day) {
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    *day = (uint32_t)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    *month = (uint32_t)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    *year = (int32_t)(year_of_era + era * 400 + (*month <= 2));
}

static bool number(const char *text, size_t digits, uint32_t *out) {
    uint32_t value = 0;
    for (size_t i = 0; i < digits; i++) {
        unsigned digit = (unsigned char)text[i] - '0';
        if (digit > 9) return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

static bool date_exists(uint32_t year, uint32_t month, uint32_t day) {
    static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (month < 1 || month > 12 || day < 1) return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return day <= days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

bool ride_time_from_iso8601(const char *text, size_t bytes, int64_t *local_us, bool *has_offset, int64_t *offset_us) {
    const char *end = text + bytes;
    uint32_t year, month, day, hour = 0, minute = 0, second = 0;
    *has_offset = false;
    *offset_us = 0;
    if (bytes < 10 || text[4] != '-' || text[7] != '-' || !number(text, 4, &year) || !number(text + 5, 2, &month) ||
        !number(text + 8, 2, &day) || !date_exists(year, month, day))
        return false;
    int64_t fraction_us = 0;
    if (bytes > 10) {
        if (bytes < 16 || (text[10] != 'T' && text[10] != 't' && text[10] != ' ') || text[13] != ':' ||
            !number(text + 11, 2, &hour) || !number(text + 14, 2, &minute) || hour > 23 || minute > 59)
            return false;
        const char *at = text + 16;
        if (at < end && *at == ':') {
            if (end - at < 3 || !number(at + 1, 2, &second) || second > 59) return false;
            at += 3;
            if (at < end && *at == '.') {
                int64_t unit = RIDE_US_PER_S / 10;
                const char *first = ++at;
                for (; at < end && *at >= '0' && *at <= '9'; at++, unit /= 10) fraction_us += (*at - '0') * unit;
                if (at == first) return false;
            }
        }
        if (at < end && (*at == 'Z' || *at == 'z')) {
            *has_offset = true;
            at++;
        } else if (at < end && (*at == '+' || *at == '-')) {
            int64_t sign = *at == '-' ? -1 : 1;
            uint32_t off_hour, off_minute = 0;
            if (end - at < 3 || !number(at + 1, 2, &off_hour)) return false;
            at += 3;
            if (at < end) {
                if (*at == ':') at++;
                if (end - at != 2 || !number(at, 2, &off_minute)) return false;
                at += 2;
            }
            if (off_hour > 23 || off_minute > 59) return false;
            *has_offset = true;
            *offset_us = sign * (int64_t)(off_hour * 3600 + off_minute * 60) * RIDE_US_PER_S;
        }
        if (at != end) return false;
    }
    *local_us = ride_days_from_date((int32_t)year, month, day) * RIDE_US_PER_DAY +
                (int64_t)(hour * 3600 + minute * 60 + second) * RIDE_US_PER_S + fraction_us;
    return true;
}

static char *put(char *to, uint32_t value, unsigned digits) {
    for (unsigned i = digits; i-- > 0; value /= 10) to[i] = (char)('0' + value % 10);
    return to + digits;
}

size_t ride_time_to_iso8601(int64_t time_us, char to[RIDE_TIME_BYTES]) {
    int64_t days = time_us / RIDE_US_PER_DAY, rest = time_us % RIDE_US_PER_DAY;
    if (rest < 0) {
        rest += RIDE_US_PER_DAY;
        days--;
    }
    int32_t year;
    uint32_t month, day, second = (uint32_t)(rest / RIDE_US_PER_S), micro = (uint32_t)(rest % RIDE_US_PER_S);
    date_from_days(days, &year, &month, &day);
    char *at = to;
    if (year < 0) *at++ = '-'; /* outside what a decoder accepts; computed times may get there */
    uint32_t size = (uint32_t)(year < 0 ? -year : year);
    at = put(at, size, size > 99999 ? 6 : size > 9999 ? 5 : 4);
    *at++ = '-';
    at = put(at, month, 2);
    *at++ = '-';
    at = put(at, day, 2);
    *at++ = 'T';
    at = put(at, second / 3600, 2);
    *at++ = ':';
    at = put(at, second / 60 % 60, 2);
    *at++ = ':';
    at = put(at, second % 60, 2);
    if (micro != 0) {
        *at++ = '.';
        at = micro % 1000 == 0 ? put(at, micro / 1000, 3) : put(at, micro, 6);
    }
    *at++ = 'Z';
    return (size_t)(at - to);
}
