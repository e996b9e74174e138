/* cli/signals.c: what signals ask for, as flags that loops look at, and a waker for who sleeps. */
#include "cli/cli.h"

static volatile sig_atomic_t stop_requested, reload_requested;
static ride_waker *volatile waker_now;

static void wake(void) {
    if (waker_now != NULL) ride_waker_wake(waker_now);
}

/* The first is a request; any second one, of whichever kind, ends the program as if we did not listen. */
static void on_stop(int number) {
    if (stop_requested) {
        signal(number, SIG_DFL);
        raise(number); /* it comes when this handler returns */
        return;
    }
    stop_requested = 1;
    wake();
}

static void on_reload(int number) {
    (void)number;
    reload_requested = 1;
    wake();
}

void cli_signals_wake(ride_waker *waker) { waker_now = waker; }

volatile sig_atomic_t *cli_stop(void) {
    signal(SIGINT, on_stop);
    signal(SIGTERM, on_stop);
    return &stop_requested;
}

volatile sig_atomic_t *cli_reload(void) {
    signal(SIGHUP, on_reload);
    return &reload_requested;
}
