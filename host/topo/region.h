/* topo/region.h: memory of pools: bound to a node, on huge pages when they can be had, and what was had of that.
 *
 * Reserved huge pages (hugetlb) are taken when they are wanted and enough of them are free on the node; else transparent ones, which the
 * system gives as it can; else plain pages. Less than what was wished for is no failure: it is told. Zeroed; pages cost memory when they are
 * first touched (reserved huge ones: when they are taken). Allocation is of the start; any thread. */
#ifndef RIDE_TOPO_REGION_H
#define RIDE_TOPO_REGION_H
#include "topo/topo.h"

typedef enum ride_pages {
    RIDE_PAGES_PLAIN = 1,
    RIDE_PAGES_TRANSPARENT, /* asked for; how many came is known once they were touched */
    RIDE_PAGES_RESERVED,
} ride_pages;

typedef struct ride_region {
    void *base; /* 2 MiB aligned unless plain */
    uint64_t bytes;
    ride_pages pages; /* what was had */
    uint32_t node;    /* index of the node that it is bound to, RIDE_NODE_NONE = not bound */
    char why[96];     /* why it is less than what was wished for; "" = it is not */
} ride_region;

/* topo NULL, or of another machine: not bound. node: an index, RIDE_NODE_NONE = no wish. RIDE_E_MEMORY when there is no room at all. */
ride_status ride_region_alloc(const ride_topo *topo, uint32_t node, uint64_t bytes, ride_pages wish, ride_region *out,
                              ride_error *err);
void ride_region_free(ride_region *region); /* a zeroed one is fine */

/* What a touched region is on: bytes that are in memory, and of these on huge pages (/proc/self/smaps). False when not known. */
bool ride_region_measure(const ride_region *region, uint64_t *resident_bytes, uint64_t *huge_bytes);
const char *ride_pages_text(ride_pages pages); /* "plain pages", "transparent huge pages", "reserved huge pages" */

#endif
