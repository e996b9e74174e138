/* generate/behaviour.h: who does what when. Makes the draws of one hour after the other; what a draw looks like as a
 * transaction is decided later (transaction.c), so a draw is 32 bytes. Internal to this folder. */
#ifndef RIDE_GENERATE_BEHAVIOUR_H
#define RIDE_GENERATE_BEHAVIOUR_H
#include "generate/world.h"

enum { BEHAVIOUR_HOUR_MS = 3600000, BEHAVIOUR_RING_HOURS = 256 };

typedef struct draw {
    int64_t ts_ms;
    uint64_t hash; /* all further draws of this transaction start here */
    uint32_t customer;
    uint32_t delay_ms; /* arrival after ts_ms */
    uint32_t episode;  /* shared by the transactions of one attack */
    uint8_t kind;      /* ride_fraud_kind */
    uint8_t step;      /* testing: 1 = the big one at the end */
    uint8_t reserved[2];
} draw;

typedef struct draw_list {
    draw *items;
    size_t count, room;
} draw_list;

/* The hours to come: a ring of lists by hour of arrival. An attack lasts at most 6 days, a shopping trip hours. */
typedef struct behaviour {
    const world *world; /* borrowed */
    int64_t start_ms;
    uint32_t late_ppm;
    int64_t hour;              /* the next hour to make, since the epoch */
    ride_generate_drift drift; /* of draws from drift_ms on */
    int64_t drift_ms;          /* INT64_MAX: not yet */
    draw_list ring[BEHAVIOUR_RING_HOURS];
} behaviour;

void behaviour_init(behaviour *b, const world *w, const ride_generate_options *options);
void behaviour_free(behaviour *b);
/* Makes b->hour and goes one on: `out` is emptied and gets all draws that arrive in it, in no order.
 * false: out of memory. */
bool behaviour_hour(behaviour *b, draw_list *out);

/* Where a cardholder is on a day: home, or on a journey. */
uint32_t behaviour_city(const world *w, uint32_t customer, int64_t day);
/* Is the terminal compromised on that day? */
bool behaviour_compromised(const world *w, uint32_t terminal, int64_t day);

/* transaction.c: turns a draw into a row; tx_id and is_duplicate are left to the caller. drift: NULL before it begins. */
void transaction_make(const world *w, const draw *d, const ride_generate_drift *drift, ride_generated *row);

#endif
