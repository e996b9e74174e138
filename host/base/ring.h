/* base/ring.h: bounded queues of pointers between threads, without locks. Neither ever waits: push says when it is
 * full, pop gives NULL when it is empty; how to wait is the caller's choice. NULL is not an item. What a thread wrote
 * before push is seen by the one that pops.
 *
 * ride_spsc: one pushing and one popping thread. Each end keeps a copy of the other's place and looks at the real one only
 *   when the copy says full or empty, so a busy ring moves one cache line per many items.
 * ride_mpsc: any pushing threads, one popping thread. Each cell carries the turn it is good for (Vyukov's bounded queue).
 *   Items of one pusher come out in their order.
 *
 * Capacities are powers of two. C only (C11 atomics). */
#ifndef RIDE_BASE_RING_H
#define RIDE_BASE_RING_H
#include "base/error.h"

#include <stdalign.h>
#include <stdatomic.h>

enum { RIDE_CACHE_LINE = 128 }; /* two 64-byte lines: x86 prefetches them in pairs */

typedef struct ride_spsc {
    alignas(RIDE_CACHE_LINE) _Atomic uint64_t tail; /* the pusher's: next to write */
    uint64_t head_seen;
    alignas(RIDE_CACHE_LINE) _Atomic uint64_t head; /* the popper's: next to read */
    uint64_t tail_seen;
    alignas(RIDE_CACHE_LINE) uint64_t mask; /* read only from here on */
    void **items;
} ride_spsc;

typedef struct ride_mpsc_cell {
    _Atomic uint64_t turn; /* = position: free for it; = position + 1: holds its item */
    void *item;
} ride_mpsc_cell;

typedef struct ride_mpsc {
    alignas(RIDE_CACHE_LINE) _Atomic uint64_t tail;
    alignas(RIDE_CACHE_LINE) uint64_t head; /* the popper's own */
    alignas(RIDE_CACHE_LINE) uint64_t mask;
    ride_mpsc_cell *cells;
} ride_mpsc;

/* items_count_max: a power of two, 2 … 2^30; else RIDE_E_INTERNAL. The caller owns *out. destroy: no thread uses it any
 * more; items left inside are not freed. NULL is fine. */
ride_status ride_spsc_create(uint32_t items_count_max, ride_spsc **out, ride_error *err);
void ride_spsc_destroy(ride_spsc *ring);
ride_status ride_mpsc_create(uint32_t items_count_max, ride_mpsc **out, ride_error *err);
void ride_mpsc_destroy(ride_mpsc *ring);

/* false: full, nothing was taken. The pushing thread only. */
static inline bool ride_spsc_push(ride_spsc *ring, void *item) {
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (tail - ring->head_seen > ring->mask) {
        ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (tail - ring->head_seen > ring->mask) return false;
    }
    ring->items[tail & ring->mask] = item;
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
    return true;
}

/* NULL: empty. The popping thread only. */
static inline void *ride_spsc_pop(ride_spsc *ring) {
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (head == ring->tail_seen) {
        ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (head == ring->tail_seen) return NULL;
    }
    void *item = ring->items[head & ring->mask];
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    return item;
}

/* Items inside, as of a moment ago. Any thread. */
static inline uint64_t ride_spsc_count(const ride_spsc *ring) {
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire); /* first: the tail only grows */
    return atomic_load_explicit(&ring->tail, memory_order_acquire) - head;
}

/* false: full, nothing was taken. Any thread. */
static inline bool ride_mpsc_push(ride_mpsc *ring, void *item) {
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    for (;;) {
        ride_mpsc_cell *cell = &ring->cells[tail & ring->mask];
        int64_t ahead = (int64_t)(atomic_load_explicit(&cell->turn, memory_order_acquire) - tail);
        if (ahead < 0) return false; /* still holds the item of a round ago */
        if (ahead > 0) {             /* another pusher was quicker */
            tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
        } else if (atomic_compare_exchange_weak_explicit(&ring->tail, &tail, tail + 1, memory_order_relaxed,
                                                         memory_order_relaxed)) {
            cell->item = item;
            atomic_store_explicit(&cell->turn, tail + 1, memory_order_release);
            return true;
        }
    }
}

/* NULL: empty, or the next item is still being written. The popping thread only. */
static inline void *ride_mpsc_pop(ride_mpsc *ring) {
    ride_mpsc_cell *cell = &ring->cells[ring->head & ring->mask];
    if (atomic_load_explicit(&cell->turn, memory_order_acquire) != ring->head + 1) return NULL;
    void *item = cell->item;
    atomic_store_explicit(&cell->turn, ring->head + ring->mask + 1, memory_order_release);
    ring->head++;
    return item;
}

#endif
