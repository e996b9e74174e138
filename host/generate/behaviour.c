/* generate/behaviour.c: the hour by hour scan over the cardholders.
 *
 * One hash per cardholder and hour decides both whether a shopping trip starts (its upper half against the
 * cardholder's rate at this local hour) and whether an attack on the card starts (its lower half). Nearly all hashes
 * say no, and a no costs a few nanoseconds without any memory but four bytes of the cardholder: that is what makes ten
 * million cardholders in time order affordable without a queue of ten million next events.
 * Trips and attacks that go on later leave draws in the ring. */
#include "generate/behaviour.h"

#include <stdlib.h>
#include <string.h>

/* Attacks started per cardholder and hour, as a share of 2^32. Parts per million and day. */
#define PER_DAY(ppm) ((uint32_t)(((uint64_t)(ppm) << 32) / (24 * 1000000)))
static const uint32_t attack_up_to[RIDE_FRAUD_KINDS] = {
    [RIDE_FRAUD_STOLEN] = PER_DAY(650),
    [RIDE_FRAUD_TESTING] = PER_DAY(650 + 350),
    [RIDE_FRAUD_TAKEOVER] = PER_DAY(650 + 350 + 650),
    [RIDE_FRAUD_QUIET] = PER_DAY(650 + 350 + 650 + 1200),
};

static bool list_add(draw_list *list, const draw *d) {
    if (list->count == list->room) {
        size_t room = list->room != 0 ? list->room * 2 : 64;
        draw *items = realloc(list->items, room * sizeof *items);
        if (items == NULL) return false;
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = *d;
    return true;
}

void behaviour_init(behaviour *b, const world *w, const ride_generate_options *options) {
    memset(b, 0, sizeof *b);
    b->world = w;
    b->start_ms = options->start_ms;
    b->late_ppm = options->late_ppm;
    b->hour = options->start_ms / BEHAVIOUR_HOUR_MS;
    b->drift = options->drift;
    b->drift_ms = INT64_MAX;
}

void behaviour_free(behaviour *b) {
    for (uint32_t i = 0; i < BEHAVIOUR_RING_HOURS; i++) free(b->ring[i].items);
    memset(b, 0, sizeof *b);
}

/* Journeys and compromises lie within periods of days; each subject's periods begin on its own day, so that the world
 * has no day on which everything starts. */
static uint64_t period_day(uint64_t subject, int64_t day) { return (uint64_t)day + random_mix(subject) % 1024; }

uint32_t behaviour_city(const world *w, uint32_t customer, int64_t day) {
    /* Every 16 days one journey in eight, 2 to 7 days long, inside the 16. */
    uint64_t now = period_day(customer, day), s = world_hash(w, WORLD_KEY_TRAVEL, customer, now / 16);
    if (s >> 61 != 0) return w->customers[customer].city;
    uint64_t first = random_below(random_next(&s), 10), days = 2 + random_below(random_next(&s), 6);
    if (now % 16 < first || now % 16 >= first + days) return w->customers[customer].city;
    return (uint32_t)random_below(random_next(&s), w->cities_count);
}

bool behaviour_compromised(const world *w, uint32_t terminal, int64_t day) {
    uint64_t now = period_day(terminal, day), s = world_hash(w, WORLD_KEY_COMPROMISE, terminal, now / 32);
    if (!random_ppm(s, 7500)) return false;
    uint64_t days = 10 + random_below(random_next(&s), 19), first = random_below(random_next(&s), 32 - days + 1);
    return now % 32 >= first && now % 32 < first + days;
}

/* Puts one transaction of a cardholder where it will arrive. `out` is the list of the hour being made. */
static bool add(behaviour *b, draw_list *out, draw *d) {
    if (d->ts_ms < b->start_ms) return true;
    d->delay_ms = 0;
    if (b->late_ppm != 0) {
        uint64_t s = world_hash(b->world, WORLD_KEY_LATE, d->hash, 0);
        if (random_ppm(random_next(&s), b->late_ppm)) /* 2^1 … 2^12 seconds, evenly in the exponent */
            d->delay_ms = (uint32_t)random_scale(&b->world->exp2, 1000,
                                                 65536 + (int64_t)random_below(random_next(&s), 11 * 65536));
    }
    int64_t hour = (d->ts_ms + d->delay_ms) / BEHAVIOUR_HOUR_MS;
    if (hour <= b->hour) return list_add(out, d);
    return list_add(&b->ring[(uint64_t)hour % BEHAVIOUR_RING_HOURS], d);
}

static bool trip(behaviour *b, draw_list *out, uint32_t customer, uint64_t hash) {
    uint64_t s = hash;
    draw d = {.customer = customer,
              .ts_ms = b->hour * BEHAVIOUR_HOUR_MS + (int64_t)random_below(random_next(&s), BEHAVIOUR_HOUR_MS)};
    for (uint32_t stops = 1;; stops++) {
        d.hash = random_next(&s);
        if (!add(b, out, &d)) return false;
        if (stops == 12 || !random_ppm(random_next(&s), 220000)) return true;
        d.ts_ms += 60000 + (int64_t)random_below(random_next(&s), 24 * 60000);
    }
}

static bool attack(behaviour *b, draw_list *out, uint32_t customer, uint64_t hash, ride_fraud_kind kind) {
    uint64_t s = ~hash; /* apart from the trip that the same hash may have started */
    draw d = {.customer = customer, .kind = (uint8_t)kind, .episode = (uint32_t)random_next(&s)};
    d.ts_ms = b->hour * BEHAVIOUR_HOUR_MS + (int64_t)random_below(random_next(&s), BEHAVIOUR_HOUR_MS);
    uint32_t count = 1, nights = 1;
    switch (kind) {
    case RIDE_FRAUD_STOLEN: count = 3 + (uint32_t)random_below(random_next(&s), 7); break;
    case RIDE_FRAUD_TESTING: count = 5 + (uint32_t)random_below(random_next(&s), 9); break;
    case RIDE_FRAUD_TAKEOVER: {
        /* Wait for one of the hours 1 … 4 at the cardholder's home. */
        int64_t local = (b->hour + world_cities[b->world->customers[customer].city].utc_hours) % 24;
        d.ts_ms += (((int64_t)(25 + random_below(random_next(&s), 4)) - local) % 24) * BEHAVIOUR_HOUR_MS;
        nights = 2 + (uint32_t)random_below(random_next(&s), 3);
        break;
    }
    default: count = 1 + (uint32_t)random_below(random_next(&s), 2); break;
    }
    for (uint32_t night = 0; night < nights; night++) {
        int64_t dawn = d.ts_ms + 24 * BEHAVIOUR_HOUR_MS;
        if (kind == RIDE_FRAUD_TAKEOVER) count = 1 + (uint32_t)random_below(random_next(&s), 3);
        for (uint32_t i = 0; i < count; i++) {
            d.hash = random_next(&s);
            d.step = kind == RIDE_FRAUD_TESTING && i + 1 == count;
            if (!add(b, out, &d)) return false;
            uint64_t r = random_next(&s);
            switch (kind) {
            case RIDE_FRAUD_TESTING: /* a script: seconds apart; the big one after a pause */
                d.ts_ms += i + 2 == count ? 120000 + (int64_t)random_below(r, 40 * 60000)
                                          : 4000 + (int64_t)random_below(r, 90000);
                break;
            case RIDE_FRAUD_QUIET: d.ts_ms += 1800000 + (int64_t)random_below(r, 5 * BEHAVIOUR_HOUR_MS); break;
            default: d.ts_ms += 60000 + (int64_t)random_below(r, 14 * 60000); break;
            }
        }
        d.ts_ms = dawn + (int64_t)random_below(random_next(&s), BEHAVIOUR_HOUR_MS);
    }
    return true;
}

/* Trips per hour as a share of 2^32, per unit of rate_q8, for each rhythm and city at this hour. A trip has
 * 1 / (1 - 0.22) stops on average. */
static void hour_shares(const world *w, int64_t hour, uint32_t shares[WORLD_RHYTHMS][WORLD_CITIES]) {
    for (uint32_t c = 0; c < w->cities_count; c++) {
        int64_t local = hour + world_cities[c].utc_hours + 24; /* never negative */
        uint32_t weekend = (local / 24 + 2) % 7 >= 5;          /* day 1 of this count (1970-01-01) was a Thursday */
        for (uint32_t r = 0; r < WORLD_RHYTHMS; r++)
            shares[r][c] = (uint32_t)(world_rhythms[weekend][r][local % 24] * UINT64_C(13086));
    }
}

bool behaviour_hour(behaviour *b, draw_list *out) {
    const world *w = b->world;
    draw_list *due = &b->ring[(uint64_t)b->hour % BEHAVIOUR_RING_HOURS];
    out->count = 0;
    for (size_t i = 0; i < due->count; i++)
        if (!list_add(out, &due->items[i])) return false;
    free(due->items); /* lists of past hours would add up to many hours' worth */
    *due = (draw_list){0};

    uint32_t shares[WORLD_RHYTHMS][WORLD_CITIES];
    const bool drifted = b->hour >= b->drift_ms / BEHAVIOUR_HOUR_MS; /* who shops later lives by an earlier hour */
    hour_shares(w, drifted ? b->hour - b->drift.hours_later : b->hour, shares);
    uint64_t key = world_hash(w, WORLD_KEY_HOUR, (uint64_t)b->hour, 0);
    for (uint32_t c = 0; c < w->customers_count; c++) {
        uint64_t hash = random_mix(key + c * UINT64_C(0x9e3779b97f4a7c15));
        const world_customer *customer = &w->customers[c];
        uint64_t chance = (uint64_t)customer->rate_q8 * shares[customer->rhythm][customer->city];
        if (hash >> 32 < chance && !trip(b, out, c, hash)) return false;
        if ((uint32_t)hash < attack_up_to[RIDE_FRAUD_QUIET]) {
            ride_fraud_kind kind = RIDE_FRAUD_STOLEN;
            while ((uint32_t)hash >= attack_up_to[kind]) kind++;
            if (!attack(b, out, c, hash, kind)) return false;
        }
    }
    b->hour++;
    return true;
}
