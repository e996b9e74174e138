/* features/zone.h: time zones of the spec: `UTC`, a fixed offset (`+02:00`) or a name of the IANA data base, as the plan's
 * table of transitions. Names are read from the system's TZif files (RFC 8536, version 2 and later); the rule in their
 * footer is written out to the year 2100, after which the last offset stays.
 *
 * kernels/row/window.h converts UTC to local with the same table; the other direction, for input without an offset, is here.
 * A table is immutable after open; any thread may read it. */
#ifndef RIDE_FEATURES_ZONE_H
#define RIDE_FEATURES_ZONE_H
#include "base/error.h"
#include "kernels/layout/plan.h"

#include <stdbool.h>

enum { RIDE_ZONE_TRANSITIONS_MAX = 4096 };

typedef struct ride_zone {
    ride_plan_zone *transitions; /* owned; sorted; the first at INT64_MIN. NULL and 0 = UTC */
    uint32_t count;
} ride_zone;

/* Reads `name`. RIDE_E_SPEC: no zone of that name, a damaged file. *out is empty on failure. */
ride_status ride_zone_open(const char *name, ride_zone *out, ride_error *err);
void ride_zone_close(ride_zone *zone); /* frees and empties; an empty one is fine */

/* Reads one TZif image, as ride_zone_open does with a file's bytes. For tests and fuzzing. */
ride_status ride_zone_parse(const uint8_t *data, size_t bytes, ride_zone *out, ride_error *err);

/* Wall-clock time → UTC. A time that occurs twice is taken as its first occurrence; one that the clock skips, as if the
 * clock had not been set yet (Python's fold=0). The first argument is a const ride_zone *, so that it fits
 * ride_decoder_options.local_to_utc. */
int64_t ride_zone_local_to_utc(const void *zone, int64_t local_us);
/* Greatest change of the offset in one transition since 1970, absolute: how much longer than nominal a local period can be. */
int64_t ride_zone_shift_max(const ride_zone *zone);

#endif
