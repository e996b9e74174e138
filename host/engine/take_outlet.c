/* engine/take_outlet.c: see take_outlet.h. */
#include "engine/take_outlet.h"

#include <stdlib.h>

typedef struct take_outlet {
    ride_outlet base;
    ride_outlet_ops ops; /* with the taker's name */
    ride_outlet_events events;
    const take_outlet_options *options;
} take_outlet;

static ride_status take_send(ride_outlet *base, const ride_result *result, ride_error *err) {
    take_outlet *outlet = (take_outlet *)base;
    outlet->events.delivered(outlet->events.context, result->ticket, RIDE_OK, NULL);
    return outlet->options->take(outlet->options->context, result, err);
}

static ride_status take_poll(ride_outlet *base, ride_error *err) {
    (void)base;
    (void)err;
    return RIDE_OK;
}
static ride_status take_flush(ride_outlet *base, uint64_t timeout_ns, ride_error *err) {
    (void)timeout_ns;
    return take_poll(base, err);
}
static void take_close(ride_outlet *base) { free(base); }

ride_status take_outlet_open(void *options, const ride_outlet_events *events, ride_waker *waker, ride_outlet **out,
                             ride_error *err) {
    take_outlet *outlet = calloc(1, sizeof *outlet);
    (void)waker;
    if (outlet == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory to look at results");
    outlet->options = options;
    outlet->ops = (ride_outlet_ops){
        .name = outlet->options->name, .send = take_send, .poll = take_poll, .flush = take_flush, .close = take_close};
    outlet->base.ops = &outlet->ops;
    outlet->events = *events;
    *out = &outlet->base;
    return RIDE_OK;
}
