/* backend/fake.h: the script of the fake backend: any number of devices whose delays, failures and losses a test decides.
 *
 * It runs on the host's clock (services.now_ns), so under the virtual clock hours pass in milliseconds and every run is
 * the same. A queue works through what was submitted one by one: a work begins when it is submitted or when the one before
 * it is done, whichever is later, and takes delay_ns + rows * delay_ns_per_row. Inputs are read and outputs written when it is
 * done, and outputs are filled with 0xA5 at submit: who reads too early or changes a borrowed tile gets wrong results.
 *
 * Results say which row it was and where it was done (s = the row's arrival number, from the tile's header):
 *   feature column f        s * 1024 + f          (exact below 2^43)
 *   margin                  index of the device
 *   probability             (s % 1000) / 1000
 *   rule                    s % (rules_count + 1) (rules_count = none)
 *   flags                   0
 * Rows flagged LABEL or SKIP keep the 0xA5. A row's vnode is s % RIDE_VNODES (keys are not looked at): a state of a part writes the
 * features of its rows only, leaves flags and other rows as they are, and counts those of its rows that enter. Counts of a profile stay zero.
 *
 * With `real` in the script another backend does the works when they are due and keeps the states, so that results, counts and saved states
 * are that backend's while delays, failures and losses are the script's: what a host does about them must not show in a byte. */
#ifndef RIDE_BACKEND_FAKE_H
#define RIDE_BACKEND_FAKE_H
#include "ride/backend.h"

typedef enum ride_fake_action {
    RIDE_FAKE_FAIL = 1, /* it is taken, takes its time, and its ticket ends with `status` */
    RIDE_FAKE_REFUSE =
        2, /* submit returns `status` (RIDE_FULL, RIDE_E_MEMORY …) and takes nothing; it counts as a work here */
    RIDE_FAKE_DELAY = 3, /* it takes delay_ns longer */
    RIDE_FAKE_LOSE = 4,  /* the device is lost delay_ns after this work was submitted */
} ride_fake_action;

/* What happens to one work: the work_index-th submit (from 0) on the device, over all its queues. */
typedef struct ride_fake_event {
    uint32_t device_index;
    uint32_t action; /* ride_fake_action */
    uint64_t work_index;
    uint64_t delay_ns;
    ride_status status;
} ride_fake_event;

enum { RIDE_FAKE_DEVICES_MAX = 64 };

typedef struct ride_fake_script {
    uint32_t devices_count; /* 1 … RIDE_FAKE_DEVICES_MAX */
    uint32_t queues_max;    /* as told in the props; 0 = no limit */
    uint64_t delay_ns, delay_ns_per_row;
    uint64_t memory_bytes;         /* as told in the props */
    ride_status probe_status;      /* what probe says; RIDE_OK = it can run */
    const ride_fake_event *events; /* borrowed until the next set */
    uint32_t events_count;
    ride_backend_entry_fn real; /* NULL: results as said above; needs a host's services */
} ride_fake_script;

/* Sets the script and forgets all losses and counts. While no device is open. NULL: one device, no delay, no events. */
void ride_fake_set(const ride_fake_script *script);
/* The device is lost from at_ns on (0 = now). Any thread. */
void ride_fake_lose(uint32_t device_index, uint64_t at_ns);
/* Submits that the device has seen, refused ones too. Any thread. */
uint64_t ride_fake_works(uint32_t device_index);

static inline double ride_fake_feature(uint64_t sequence, uint32_t feature) {
    return (double)(sequence * 1024 + feature);
}
static inline double ride_fake_probability(uint64_t sequence) { return (double)(sequence % 1000) / 1000; }
static inline uint32_t ride_fake_rule(uint64_t sequence, uint32_t rules_count) {
    return (uint32_t)(sequence % (rules_count + 1));
}

#endif
