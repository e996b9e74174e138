/* engine/take_outlet.h: an outlet whose results go to a function at once, and are then delivered: for who computes results in order to look at
 * them (ride verify, ride replay). Private to host/engine. */
#ifndef RIDE_ENGINE_TAKE_OUTLET_H
#define RIDE_ENGINE_TAKE_OUTLET_H
#include "base/feed.h"
#include "base/waker.h"

typedef struct take_outlet_options {
    const char *name;
    ride_status (*take)(void *context, const ride_result *result, ride_error *err); /* a failure is the send's */
    void *context;
} take_outlet_options;

/* A ride_outlet_open_fn; context: take_outlet_options, which outlive the outlet. */
ride_status take_outlet_open(void *options, const ride_outlet_events *events, ride_waker *waker, ride_outlet **out,
                             ride_error *err);

#endif
