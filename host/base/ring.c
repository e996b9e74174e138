/* base/ring.c: making and freeing of rings; the rest is inline in the header. */
#include "base/ring.h"

#include <stdlib.h>
#include <string.h>

static ride_status check_count(uint32_t items_count_max, ride_error *err) {
    if (items_count_max < 2 || items_count_max > 1u << 30 || (items_count_max & (items_count_max - 1)) != 0)
        return ride_fail(err, RIDE_E_INTERNAL, "a ring of %u items: not a power of two from 2 to 2^30",
                         items_count_max);
    return RIDE_OK;
}

static void *zeroed_lines(size_t bytes) {
    size_t rounded = (bytes + RIDE_CACHE_LINE - 1) / RIDE_CACHE_LINE * RIDE_CACHE_LINE;
    void *memory = aligned_alloc(RIDE_CACHE_LINE, rounded);
    return memory != NULL ? memset(memory, 0, rounded) : NULL;
}

ride_status ride_spsc_create(uint32_t items_count_max, ride_spsc **out, ride_error *err) {
    RIDE_TRY(check_count(items_count_max, err));
    ride_spsc *ring = zeroed_lines(sizeof *ring);
    if (ring != NULL) ring->items = zeroed_lines(items_count_max * sizeof *ring->items);
    if (ring == NULL || ring->items == NULL) {
        ride_spsc_destroy(ring);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for a ring of %u items", items_count_max);
    }
    ring->mask = items_count_max - 1;
    *out = ring;
    return RIDE_OK;
}

void ride_spsc_destroy(ride_spsc *ring) {
    if (ring == NULL) return;
    free(ring->items);
    free(ring);
}

ride_status ride_mpsc_create(uint32_t items_count_max, ride_mpsc **out, ride_error *err) {
    RIDE_TRY(check_count(items_count_max, err));
    ride_mpsc *ring = zeroed_lines(sizeof *ring);
    if (ring != NULL) ring->cells = zeroed_lines(items_count_max * sizeof *ring->cells);
    if (ring == NULL || ring->cells == NULL) {
        ride_mpsc_destroy(ring);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for a ring of %u items", items_count_max);
    }
    for (uint32_t i = 0; i < items_count_max; i++) atomic_init(&ring->cells[i].turn, i);
    ring->mask = items_count_max - 1;
    *out = ring;
    return RIDE_OK;
}

void ride_mpsc_destroy(ride_mpsc *ring) {
    if (ring == NULL) return;
    free(ring->cells);
    free(ring);
}
