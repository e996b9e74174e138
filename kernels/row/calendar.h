/* kernels/row/calendar.h: hour, weekday and day of an event time, in a zone. Timestamps are int64 microseconds since the
 * epoch; local time is UTC plus the offset in force. Every function is total: any int64 gives a value in range. */
#ifndef RIDE_KERNELS_ROW_CALENDAR_H
#define RIDE_KERNELS_ROW_CALENDAR_H
#include "base/hd.h"
#include "kernels/layout/plan.h"

#include <stdint.h>

/* a / b rounded down, b > 0. With a constant b this is a multiplication, no division. */
RIDE_HD RIDE_INLINE int64_t ride_floor_div(int64_t a, int64_t b) {
    int64_t q = a / b;
    return q - (a % b < 0);
}
RIDE_HD RIDE_INLINE int64_t ride_floor_mod(int64_t a, int64_t b) {
    int64_t r = a % b;
    return r < 0 ? r + b : r;
}

/* Offset of local time at utc_us: the last transition at or before it. The first entry starts at INT64_MIN, so there always is one;
 * no entries = UTC. */
RIDE_HD static inline int64_t ride_zone_offset_row(const ride_plan_zone *zone, uint32_t zone_count, int64_t utc_us) {
    if (zone_count == 0) return 0;
    uint32_t first = 0, count = zone_count; /* zone[first] is at or before utc_us */
    while (count > 1) {
        uint32_t half = count / 2;
        if (zone[first + half].utc_us <= utc_us) {
            first += half;
            count -= half;
        } else count = half;
    }
    return zone[first].offset_us;
}
/* Wraps at the ends of time instead of overflowing. */
RIDE_HD RIDE_INLINE int64_t ride_local_us(int64_t utc_us, int64_t offset_us) {
    return (int64_t)((uint64_t)utc_us + (uint64_t)offset_us);
}

RIDE_HD RIDE_INLINE int64_t ride_hour_row(int64_t local_us) {
    return ride_floor_mod(ride_floor_div(local_us, INT64_C(3600000000)), 24);
}
RIDE_HD RIDE_INLINE int64_t ride_minute_row(int64_t local_us) {
    return ride_floor_mod(ride_floor_div(local_us, INT64_C(60000000)), 60);
}
/* Monday = 0. The epoch was a Thursday. */
RIDE_HD RIDE_INLINE int64_t ride_weekday_row(int64_t local_us) {
    return ride_floor_mod(ride_floor_div(local_us, INT64_C(86400000000)) + 3, 7);
}
RIDE_HD RIDE_INLINE int ride_weekend_row(int64_t local_us) { return ride_weekday_row(local_us) >= 5; }

/* 1 … 31, proleptic Gregorian. Years are counted from March, so that the leap day is the last of its year: then a year's
 * months have 31, 30, 31, 30, 31 days in turn, and (153 m + 2) / 5 is the first day of month m. */
RIDE_HD RIDE_INLINE int64_t ride_day_of_month_row(int64_t local_us) {
    int64_t day = ride_floor_div(local_us, INT64_C(86400000000)) + 719468; /* since 0000-03-01 */
    int64_t in_era = ride_floor_mod(day, 146097);                          /* 400 years */
    int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * in_year + 2) / 153;
    return in_year - (153 * month + 2) / 5 + 1;
}

#endif
