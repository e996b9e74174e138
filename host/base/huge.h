/* base/huge.h: large zeroed regions of address space for state and pools.
 *
 * A region is reserved, not committed: pages cost memory when they are first touched, on huge pages where the system gives
 * them. So a region may be reserved for the bound and grow without any call. Any thread. */
#ifndef RIDE_BASE_HUGE_H
#define RIDE_BASE_HUGE_H
#include "base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* *out is 2 MiB aligned and zeroed. bytes 0 gives NULL. */
ride_status ride_huge_alloc(uint64_t bytes, void **out, ride_error *err);
void ride_huge_free(void *region, uint64_t bytes); /* the same bytes as given to alloc; NULL is fine */

#ifdef __cplusplus
}
#endif

#endif
