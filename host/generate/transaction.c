/* generate/transaction.c: what one draw looks like as a transaction: where, how much, and whether the terminal was
 * compromised. A function of the world and the draw alone.
 *
 * Honest and fraudulent draws overlap on purpose: people travel, buy a television, shop online at night; thieves buy
 * ordinary things near the owner's home. A model can be good on this stream, not perfect. */
#include "generate/behaviour.h"

#include <string.h>

enum { DAY_MS = 86400000 };

static int64_t customer_level(const world *w, uint32_t customer) {
    return random_normal_q16(world_hash(w, WORLD_KEY_CUSTOMER, customer, 1)) * 5 / 8;
}
static int64_t spread(const world_terminal *terminal, uint64_t r) {
    return random_normal_q16(r) * world_trades[terminal->trade].sigma_q16 / 65536 + terminal->level_q16;
}
static uint32_t any_city(const world *w, uint64_t r) { return (uint32_t)random_below(r, w->cities_count); }

static uint32_t honest_terminal(const world *w, const draw *d, uint64_t *s) {
    uint32_t home = w->customers[d->customer].city, city = behaviour_city(w, d->customer, d->ts_ms / DAY_MS);
    uint64_t what = random_below(random_next(s), 100), r = random_next(s);
    if (city != home) return what < 82 ? world_shop_in(w, city, r) : world_shop_online(w, r);
    if (what < 66) { /* habits: the first favourites most */
        uint32_t a = (uint32_t)random_below(r << 32, 14), b = (uint32_t)random_below(r, 14);
        return world_favourite(w, d->customer, a < b ? a : b);
    }
    if (what < 80) return world_shop_in(w, home, r);
    if (what < 97) return world_shop_online(w, r);
    return world_shop_in(w, w->homes[random_below(random_next(s), w->homes_count)], r);
}

/* A shop whose goods are easily sold on, if three tries find one. */
static uint32_t resale_terminal(const world *w, uint32_t city, uint64_t *s) {
    uint32_t terminal = 0;
    for (int i = 0; i < 3; i++) {
        uint64_t where = random_next(s), r = random_next(s);
        terminal = random_ppm(where, 300000) ? world_shop_online(w, r) : world_shop_in(w, city, r);
        if (world_trades[w->terminals[terminal].trade].is_resold) break;
    }
    return terminal;
}

/* Prices end in 99, 50 or 00 more often than chance; cash comes in tens, up to the machine's limit. */
static int64_t price(int64_t amount, uint8_t channel, uint64_t r) {
    if (channel == RIDE_CHANNEL_ATM)
        return amount < 1500 ? 2000 : amount > 60000 ? 60000 : (amount + 500) / 1000 * 1000;
    if (amount > 2000000) amount = 2000000; /* no shop here takes more by card */
    uint64_t habit = random_below(r, 10);
    if (amount >= 300 && habit < 3) amount = amount / 100 * 100 + 99;
    else if (amount >= 300 && habit < 5) amount = amount / 50 * 50;
    return amount > 0 ? amount : 1;
}

/* The planted drift draws from a hash of its own: without it, and before it, every row is the same. */
static uint32_t drift_terminal(const world *w, const draw *d, const ride_generate_drift *drift, uint32_t terminal) {
    uint64_t s = world_hash(w, WORLD_KEY_DRIFT, d->hash, 0), r = random_next(&s);
    if (w->terminals[terminal].channel == RIDE_CHANNEL_ECOM || !random_ppm(r, drift->online_ppm)) return terminal;
    return world_shop_online(w, random_next(&s));
}

void transaction_make(const world *w, const draw *d, const ride_generate_drift *drift, ride_generated *row) {
    uint64_t s = d->hash, episode = random_mix(d->episode);
    uint32_t home = w->customers[d->customer].city, t = 0;
    int64_t x_q16 = 0, amount = 0; /* log2 of the factor on the trade's usual amount; or the amount itself */
    uint8_t kind = d->kind;
    switch (kind) {
    case RIDE_FRAUD_STOLEN: {
        uint32_t city = episode % 100 < 60 ? home : any_city(w, episode);
        t = resale_terminal(w, city, &s);
        x_q16 = spread(&w->terminals[t], random_next(&s)) + (int64_t)random_below(random_next(&s), 131072) + 50000;
        break;
    }
    case RIDE_FRAUD_TESTING:
        t = world_shop_online(w, random_next(&s));
        if (d->step == 0) amount = 10 + (int64_t)random_below(random_next(&s), 290);
        else amount = random_scale(&w->exp2, 24000, random_normal_q16(random_next(&s)));
        break;
    case RIDE_FRAUD_TAKEOVER: {
        uint32_t city = any_city(w, episode);
        uint64_t where = random_next(&s), r = random_next(&s);
        t = random_ppm(where, 550000) ? world_shop_online(w, r) : world_shop_in(w, city, r);
        x_q16 = spread(&w->terminals[t], random_next(&s)) + (int64_t)random_below(random_next(&s), 110000);
        break;
    }
    case RIDE_FRAUD_QUIET:
        t = world_shop_in(w, home, random_next(&s));
        x_q16 = spread(&w->terminals[t], random_next(&s)) + 20000;
        break;
    default:
        t = honest_terminal(w, d, &s);
        if (drift != NULL) t = drift_terminal(w, d, drift, t);
        x_q16 = spread(&w->terminals[t], random_next(&s)) + customer_level(w, d->customer);
        if (random_ppm(random_next(&s), 9000)) x_q16 += 100000 + (int64_t)random_below(random_next(&s), 120000);
        if (behaviour_compromised(w, t, d->ts_ms / DAY_MS) && random_ppm(random_next(&s), 700000)) {
            kind = RIDE_FRAUD_TERMINAL;
            x_q16 += (int64_t)random_below(random_next(&s), 100000);
        }
        break;
    }
    const world_terminal *terminal = &w->terminals[t];
    const world_city *city = &world_cities[terminal->city];
    if (amount == 0) amount = random_scale(&w->exp2, world_trades[terminal->trade].median_minor, x_q16);
    if (drift != NULL && drift->amount_factor != 0)
        amount = (int64_t)((unsigned __int128)(uint64_t)amount * drift->amount_factor / RIDE_GENERATE_MILLION);
    memset(row, 0, sizeof *row);
    row->ts_ms = d->ts_ms;
    row->terminal = t;
    row->amount_minor = price(amount, terminal->channel, random_next(&s));
    row->customer = d->customer;
    row->mcc = world_trades[terminal->trade].mcc;
    row->channel = terminal->channel;
    row->has_place = terminal->channel != RIDE_CHANNEL_ECOM;
    row->lat_e5 = terminal->lat_e5;
    row->lon_e5 = terminal->lon_e5;
    row->is_fraud = kind != RIDE_FRAUD_NONE;
    row->fraud_kind = kind;
    row->is_late = d->delay_ms != 0;
    memcpy(row->country, city->country, sizeof row->country);
    memcpy(row->currency, city->currency, sizeof row->currency);
}
