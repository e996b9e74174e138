/* features/duration.h: durations of the spec language: an integer and a unit, `us ms s m h d w` ("30d", "0s"). */
#ifndef RIDE_FEATURES_DURATION_H
#define RIDE_FEATURES_DURATION_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RIDE_US_PER_S     INT64_C(1000000)
#define RIDE_US_PER_M     (60 * RIDE_US_PER_S)
#define RIDE_US_PER_H     (60 * RIDE_US_PER_M)
#define RIDE_US_PER_D     (24 * RIDE_US_PER_H)
#define RIDE_US_PER_W     (7 * RIDE_US_PER_D)
#define RIDE_DURATION_MAX (36525 * RIDE_US_PER_D) /* 100 years: sums of several stay far from overflow */

/* True and *out in microseconds when text is a duration of at most RIDE_DURATION_MAX. `_` may stand between digits. */
bool ride_duration_parse(const char *text, int64_t *out_us);
/* In the largest unit up to days that divides it: "7d", "90m". text_bytes_max of 32 is enough. Returns text. */
char *ride_duration_text(int64_t us, char *text, size_t text_bytes_max);

#endif
