/* base/waker.h: a thread sleeps until others have something for it, or until a time. Any thread wakes; one thread waits. A wake
 * between two waits is not lost: the next wait returns at once. */
#ifndef RIDE_BASE_WAKER_H
#define RIDE_BASE_WAKER_H
#include "base/error.h"

#include <stdbool.h>

typedef struct ride_waker {
    int fd;    /* an eventfd: whoever writes a uint64_t 1 to it wakes (librdkafka's queues do) */
    int watch; /* the waiting thread's: a descriptor that ends its next wait too when it can be read; -1: none */
} ride_waker;

ride_status ride_waker_open(ride_waker *waker, ride_error *err);
void ride_waker_close(ride_waker *waker);
void ride_waker_wake(ride_waker *waker); /* also from a signal handler */
/* Waits at most timeout_ns, and forgets what is watched; true when it was woken. A signal ends the wait early (false). */
bool ride_waker_wait(ride_waker *waker, uint64_t timeout_ns);

#endif
