/* support/steady_alloc.h: counts what is allocated in the middle of a steady stream (steady_stream.h), from a third of its events to nearly its end:
 * what grows by doubling has grown by then. As alloc_count.h, which it includes, for one source of a program. */
#ifndef RIDE_TESTS_STEADY_ALLOC_H
#define RIDE_TESTS_STEADY_ALLOC_H
#include "alloc_count.h"

#include <stdbool.h>
#include <stdio.h>

enum {
    STEADY_EVENTS = 300000,
    STEADY_COUNT_FROM = STEADY_EVENTS / 3,
    STEADY_COUNT_TO = STEADY_EVENTS - STEADY_EVENTS / 50
};

static alloc_count steady_counted;
static int steady_counting; /* 0 not yet, 1 now, 2 done */

/* Before a stream: nothing of it is counted yet. */
static inline void steady_alloc_begin(void) { steady_counting = 0; }

/* Called again and again in the stream, with the events so far. */
static inline void steady_alloc_watch(uint64_t received) {
    if (steady_counting == 0 && received >= STEADY_COUNT_FROM) {
        steady_counting = 1;
        alloc_count_begin();
    } else if (steady_counting == 1 && received >= STEADY_COUNT_TO) {
        steady_counted = alloc_count_end();
        steady_counting = 2;
    }
}

/* After a stream: it was counted, to the end of what is counted. */
static inline bool steady_alloc_is_done(void) { return steady_counting == 2; }

/* True when nothing was allocated, mapped or freed; else says what, of which stream. */
static inline bool steady_alloc_is_nothing(const char *name, const char *how) {
    const alloc_count c = steady_counted;
    if (c.allocations == 0 && c.maps == 0 && c.frees == 0) return true;
    fprintf(
        stderr,
        "%s%s: %llu allocations, %llu maps, %llu frees, %llu bytes in the steady stream (RIDE_ALLOC_TRAP=1 tells the "
        "first)\n",
        name, how, (unsigned long long)c.allocations, (unsigned long long)c.maps, (unsigned long long)c.frees,
        (unsigned long long)c.bytes);
    return false;
}

#endif
