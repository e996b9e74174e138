/* state/idmap.h: a map from event ids (128-bit identities) to what the engine remembers of the event: its time and its
 * entity keys. Serves deduplication (was this id seen within the horizon) and labels (which entry does this label mean).
 *
 * Decided by timestamps at look-up, never by when something was swept: an id is found iff the two event times are no
 * further apart than the horizon and it is no further behind the greatest event time than `keep`, swept or not. Where keep is the
 * horizon and the lateness allowed, the second never decides about an event that enters state. Every put of a new id sweeps a
 * few slots; the table grows by doubling when it is half full of ids that are kept, which a stream in its steady state does not do.
 * One thread at a time. */
#ifndef RIDE_STATE_IDMAP_H
#define RIDE_STATE_IDMAP_H
#include "base/error.h"
#include "base/tile.h"

#include <stdbool.h>

typedef struct ride_idmap ride_idmap;

/* payload_bytes: kept with each id (multiple of 8). keep_us >= horizon_us: ids with time < clock - keep are gone. */
ride_status ride_idmap_create(uint32_t payload_bytes, int64_t horizon_us, int64_t keep_us, uint64_t ids_expected,
                              ride_idmap **out, ride_error *err);
void ride_idmap_destroy(ride_idmap *map); /* NULL is fine */

/* The id's payload when it is there and not further than the horizon from time_us on either side; else NULL. An id may have events
 * further apart than the horizon: each has its own payload, and the nearest is found (of equally near ones the earlier). Valid until
 * the next put. clock_us: greatest event time so far, this event's included. */
void *ride_idmap_find(ride_idmap *map, ride_key128 id, int64_t time_us, int64_t clock_us, int64_t *out_time_us);
/* Asks for the memory where the id would be: some events before it is looked for. */
void ride_idmap_prefetch(const ride_idmap *map, ride_key128 id);
/* Puts, or replaces the one that a find gives; returns the payload (zeroed), NULL when memory is out. clock_us: as above. */
void *ride_idmap_put(ride_idmap *map, ride_key128 id, int64_t time_us, int64_t clock_us);
/* Several streams with a clock each, and ids of one stream: puts and finds give their stream's clock, and what is swept goes by the least
 * of all, which is told here; a put of a stream that begins behind it lowers it. */
void ride_idmap_hold(ride_idmap *map, int64_t clock_us);
uint64_t ride_idmap_count(const ride_idmap *map);
uint64_t ride_idmap_bytes(const ride_idmap *map);
/* Calls `each` for all ids that have not expired, in the order of ids and times; stops at a status other than RIDE_OK. */
ride_status ride_idmap_each(const ride_idmap *map, int64_t clock_us,
                            ride_status (*each)(void *context, ride_key128 id, int64_t time_us, const void *payload),
                            void *context);

#endif
