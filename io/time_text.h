/* io/time_text.h: event times as text: ISO 8601 and back, and the calendar arithmetic under it (proleptic Gregorian, no
 * leap seconds). Pure functions; any thread. */
#ifndef RIDE_IO_TIME_TEXT_H
#define RIDE_IO_TIME_TEXT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RIDE_TIME_MIN_US INT64_C(-62135596800000000) /* 0001-01-01T00:00:00Z */
#define RIDE_TIME_MAX_US INT64_C(253402300799999999) /* 9999-12-31T23:59:59.999999Z */
#define RIDE_US_PER_S    INT64_C(1000000)
#define RIDE_US_PER_DAY  (INT64_C(86400) * RIDE_US_PER_S)

enum { RIDE_TIME_BYTES = 32 };

/* Days since 1970-01-01 of a date that is known to exist. */
int64_t ride_days_from_date(int32_t year, uint32_t month, uint32_t day);
/* YYYY-MM-DD, then nothing or [T or space]HH:MM[:SS[.digits]][Z or ±HH[:MM] or ±HHMM]. The wall-clock µs go to *local_us (digits
 * beyond µs are cut, which is a floor); *has_offset and *offset_us tell the zone behind it. False: not such a text, or
 * no such date. */
bool ride_time_from_iso8601(const char *text, size_t bytes, int64_t *local_us, bool *has_offset, int64_t *offset_us);
/* "2018-04-01T00:00:31Z", with as many digits of the fraction as are needed (3 or 6 or none). Returns its bytes, no terminating zero. */
size_t ride_time_to_iso8601(int64_t time_us, char to[RIDE_TIME_BYTES]);

#endif
