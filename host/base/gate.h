/* base/gate.h: a number that one thread sets and others wait for to change, as often as there are batches. Waiting spins for a while, since a
 * sleeping thread is woken in tens of microseconds and a spinning one in less than one; a waiter whose spinning was in vain
 * spins half as long next time, down to nothing, and one that need not have slept spins longer again. So threads
 * that have a core each meet quickly, and on a busy machine nobody burns what others could use.
 *
 * What a thread wrote before ride_gate_set is seen by those that see the number. Any threads. */
#ifndef RIDE_BASE_GATE_H
#define RIDE_BASE_GATE_H
#include <stdatomic.h>
#include <stdint.h>

typedef struct ride_gate {
    _Atomic uint32_t value, sleepers;
} ride_gate;

/* A waiter's own. */
typedef struct ride_gate_wait {
    uint32_t spins, spins_max; /* spins_max 0: it always sleeps */
    uint64_t waits, sleeps;    /* how often it waited, and slept */
} ride_gate_wait;

/* For a thread that shares its core with nobody (`alone`), or may. */
void ride_gate_wait_init(ride_gate_wait *wait, int alone);
static inline uint32_t ride_gate_value(const ride_gate *gate) {
    return atomic_load_explicit(&gate->value, memory_order_acquire);
}
void ride_gate_set(ride_gate *gate, uint32_t value);
/* Returns a value other than `seen`. */
uint32_t ride_gate_wait_change(ride_gate *gate, uint32_t seen, ride_gate_wait *wait);

#endif
