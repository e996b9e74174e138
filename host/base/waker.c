/* base/waker.c: see waker.h. */
#include "base/waker.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

ride_status ride_waker_open(ride_waker *waker, ride_error *err) {
    waker->watch = -1;
    waker->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (waker->fd < 0) return ride_fail(err, RIDE_E_IO, "no event descriptor: %s", strerror(errno));
    return RIDE_OK;
}

void ride_waker_close(ride_waker *waker) {
    if (waker->fd >= 0) close(waker->fd);
    waker->fd = -1;
}

void ride_waker_wake(ride_waker *waker) {
    const uint64_t one = 1;
    int saved = errno;
    ssize_t n = write(waker->fd, &one, sizeof one); /* full: it is awake already */
    (void)n;
    errno = saved;
}

bool ride_waker_wait(ride_waker *waker, uint64_t timeout_ns) {
    const struct timespec timeout = {.tv_sec = (time_t)(timeout_ns / 1000000000),
                                     .tv_nsec = (long)(timeout_ns % 1000000000)};
    struct pollfd ready[] = {{.fd = waker->fd, .events = POLLIN}, {.fd = waker->watch, .events = POLLIN}};
    int ended = ppoll(ready, waker->watch >= 0 ? 2 : 1, &timeout, NULL);
    waker->watch = -1;
    if (ended <= 0) return false;
    if (ready[0].revents == 0) return true; /* what is watched */
    uint64_t count;
    return read(waker->fd, &count, sizeof count) == (ssize_t)sizeof count;
}
