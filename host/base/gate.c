/* base/gate.c: see gate.h. Linux futexes: the number is what the kernel compares, so that a change between looking and sleeping is not
 * slept through. */
#include "base/gate.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SPINS_MAX = 2000, SPINS_LEAST = 32 }; /* about 40 µs, and less than one */

static inline void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

void ride_gate_wait_init(ride_gate_wait *wait, int alone) {
    *wait = (ride_gate_wait){.spins_max = alone ? SPINS_MAX : 0};
    wait->spins = wait->spins_max;
}

void ride_gate_set(ride_gate *gate, uint32_t value) {
    atomic_store(&gate->value,
                 value); /* sequentially consistent, as the sleeper's count: one of the two sees the other */
    if (atomic_load(&gate->sleepers) > 0) syscall(SYS_futex, &gate->value, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

uint32_t ride_gate_wait_change(ride_gate *gate, uint32_t seen, ride_gate_wait *wait) {
    uint32_t value = ride_gate_value(gate);
    if (value != seen) return value;
    wait->waits++;
    for (uint32_t i = 0; i < wait->spins; i++) {
        relax();
        if ((value = ride_gate_value(gate)) == seen) continue;
        wait->spins = 2 * wait->spins < wait->spins_max ? 2 * wait->spins : wait->spins_max;
        return value;
    }
    wait->spins /= 2;
    wait->sleeps++;
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    atomic_fetch_add(&gate->sleepers, 1);
    while ((value = atomic_load(&gate->value)) == seen)
        syscall(SYS_futex, &gate->value, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0); /* may end for no reason */
    atomic_fetch_sub(&gate->sleepers, 1);
    clock_gettime(CLOCK_MONOTONIC, &end);
    const int64_t slept_ns = (int64_t)(end.tv_sec - start.tv_sec) * 1000000000 + (end.tv_nsec - start.tv_nsec);
    if (slept_ns < 20000) { /* a little more patience would have done */
        wait->spins = wait->spins < SPINS_LEAST ? SPINS_LEAST : 4 * wait->spins;
        if (wait->spins > wait->spins_max) wait->spins = wait->spins_max;
    }
    return value;
}
