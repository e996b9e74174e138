/* base/clock.h: where time comes from. Everything that waits or measures takes a clock, so that a simulation can run
 * hours in milliseconds and give the same result each time.
 *
 * Two kinds: the real one (monotonic nanoseconds, wall-clock microseconds, a sleep that sleeps), and a virtual one that
 * moves only when it is told to; sleeping on it *is* moving it. Event time never comes from here. Any thread. */
#ifndef RIDE_BASE_CLOCK_H
#define RIDE_BASE_CLOCK_H
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ride_clock {
    void *context;
    uint64_t (*now_ns)(void *context); /* monotonic; its zero means nothing */
    int64_t (*wall_us)(void *context); /* microseconds since the epoch, UTC */
    /* Returns at or after the deadline (monotonic ns); at once when it has passed. */
    void (*sleep_until_ns)(void *context, uint64_t deadline_ns);
} ride_clock;

const ride_clock *ride_clock_real(void);

static inline uint64_t ride_clock_now_ns(const ride_clock *clock) { return clock->now_ns(clock->context); }
static inline int64_t ride_clock_wall_us(const ride_clock *clock) { return clock->wall_us(clock->context); }
static inline void ride_clock_sleep_until_ns(const ride_clock *clock, uint64_t deadline_ns) {
    clock->sleep_until_ns(clock->context, deadline_ns);
}

/* The virtual clock. The caller owns the struct; it must not move while its `clock` is in use. now_ns begins at 0 and
 * never goes back; wall_us = wall_us_at_zero + now_ns / 1000. */
typedef struct ride_clock_virtual {
    ride_clock clock;
    uint64_t now_ns; /* read and written atomically */
    int64_t wall_us_at_zero;
} ride_clock_virtual;

void ride_clock_virtual_init(ride_clock_virtual *virtual_clock, int64_t wall_us_at_zero);
/* Moves it forward by / to; to a time that has passed: nothing happens. */
void ride_clock_virtual_advance(ride_clock_virtual *virtual_clock, uint64_t by_ns);
void ride_clock_virtual_advance_to(ride_clock_virtual *virtual_clock, uint64_t to_ns);

#ifdef __cplusplus
}
#endif
#endif
