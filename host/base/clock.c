/* base/clock.c: the real and the virtual clock. */
#include "base/clock.h"

#include <errno.h>
#include <time.h>

static uint64_t real_now_ns(void *context) {
    (void)context;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int64_t real_wall_us(void *context) {
    (void)context;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void real_sleep_until_ns(void *context, uint64_t deadline_ns) {
    (void)context;
    struct timespec deadline = {.tv_sec = (time_t)(deadline_ns / 1000000000u),
                                .tv_nsec = (long)(deadline_ns % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, NULL) == EINTR) {
    }
}

const ride_clock *ride_clock_real(void) {
    static const ride_clock real = {.now_ns = real_now_ns,
                                    .wall_us = real_wall_us,
                                    .sleep_until_ns = real_sleep_until_ns};
    return &real;
}

/* The compiler's atomics and not <stdatomic.h>: the struct is in a header that C++ reads too. */
static uint64_t virtual_now_ns(void *context) {
    ride_clock_virtual *clock = context;
    return __atomic_load_n(&clock->now_ns, __ATOMIC_ACQUIRE);
}

static int64_t virtual_wall_us(void *context) {
    ride_clock_virtual *clock = context;
    return clock->wall_us_at_zero + (int64_t)(virtual_now_ns(clock) / 1000);
}

static void virtual_sleep_until_ns(void *context, uint64_t deadline_ns) {
    ride_clock_virtual_advance_to(context, deadline_ns);
}

void ride_clock_virtual_init(ride_clock_virtual *virtual_clock, int64_t wall_us_at_zero) {
    *virtual_clock = (ride_clock_virtual){
        .clock = {.context = virtual_clock,
                  .now_ns = virtual_now_ns,
                  .wall_us = virtual_wall_us,
                  .sleep_until_ns = virtual_sleep_until_ns},
        .wall_us_at_zero = wall_us_at_zero,
    };
}

void ride_clock_virtual_advance(ride_clock_virtual *virtual_clock, uint64_t by_ns) {
    __atomic_fetch_add(&virtual_clock->now_ns, by_ns, __ATOMIC_ACQ_REL);
}

void ride_clock_virtual_advance_to(ride_clock_virtual *virtual_clock, uint64_t to_ns) {
    uint64_t now_ns = __atomic_load_n(&virtual_clock->now_ns, __ATOMIC_ACQUIRE);
    while (now_ns < to_ns && !__atomic_compare_exchange_n(&virtual_clock->now_ns, &now_ns, to_ns, 1, __ATOMIC_ACQ_REL,
                                                          __ATOMIC_ACQUIRE)) {
    }
}
