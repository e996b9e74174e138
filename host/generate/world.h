/* generate/world.h: what does not change while the stream runs: places, trades, terminals and cardholders. Internal to
 * this folder; immutable after world_create, so any number of readers. */
#ifndef RIDE_GENERATE_WORLD_H
#define RIDE_GENERATE_WORLD_H
#include "generate/generate.h"
#include "generate/random.h"

typedef struct world_city {
    char country[3], currency[4];
    uint8_t is_home;  /* cardholders live here; the others are where they travel and where some fraud comes from */
    uint8_t weight;   /* people and terminals, in proportion */
    int8_t utc_hours; /* standard time; no daylight saving, so that a clock is a constant */
    int32_t lat_e5, lon_e5;
} world_city;
enum { WORLD_CITIES = 48 };
extern const world_city world_cities[WORLD_CITIES];

typedef struct world_trade {
    uint16_t mcc;
    uint16_t weight_pos, weight_ecom; /* how many terminals are of this trade */
    int32_t median_minor;             /* a usual amount, in cents */
    int32_t sigma_q16;                /* spread of the amount's log2 */
    bool is_resold;                   /* what thieves like to buy */
} world_trade;
enum { WORLD_TRADES = 19, WORLD_MCC_ATM = 6011 };
extern const world_trade world_trades[WORLD_TRADES];

/* When people shop: thousandths of a day's shopping in each local hour. */
enum { WORLD_RHYTHMS = 4, WORLD_HOURS = 24 };
extern const uint16_t world_rhythms[2][WORLD_RHYTHMS][WORLD_HOURS]; /* [weekend] */

typedef struct world_terminal {
    int32_t lat_e5, lon_e5;
    int32_t level_q16; /* dear or cheap: log2 of the factor on amounts */
    uint8_t city, trade, channel, reserved;
} world_terminal;

typedef struct world_customer {
    uint16_t rate_q8; /* transactions a day, in 1/256 */
    uint8_t rhythm, city;
} world_customer;

typedef struct world {
    uint64_t seed;
    uint32_t customers_count, terminals_count;
    uint32_t cities_count; /* the first of world_cities that have terminals */
    uint32_t homes_count;  /* of these, where people live */
    uint8_t homes[WORLD_CITIES];
    uint32_t city_first[WORLD_CITIES + 1]; /* terminals of city c: city_first[c] … city_first[c + 1] - 1 */
    uint32_t shops_count;                  /* physical terminals; the web shops follow */
    world_terminal *terminals;             /* [terminals_count] */
    world_customer *customers;             /* [customers_count] */
    random_exp2 exp2;
} world;

/* The caller owns *out's arrays until world_free. */
ride_status world_create(uint64_t seed, uint32_t customers, uint32_t terminals, world *out, ride_error *err);
void world_free(world *w);

/* Who draws what: the key of each subject's hashes. */
enum {
    WORLD_KEY_CUSTOMER = 1,
    WORLD_KEY_TERMINAL,
    WORLD_KEY_FAVOURITE,
    WORLD_KEY_HOUR,
    WORLD_KEY_TRAVEL,
    WORLD_KEY_COMPROMISE,
    WORLD_KEY_LATE,
    WORLD_KEY_DUPLICATE,
    WORLD_KEY_LABEL,
    WORLD_KEY_DRIFT,
};
static inline uint64_t world_hash(const world *w, uint64_t subject, uint64_t a, uint64_t b) {
    return random_hash(w->seed ^ (subject << 56), a, b);
}
/* A web shop if there is one, else any terminal. */
static inline uint32_t world_shop_online(const world *w, uint64_t r) {
    uint32_t count = w->terminals_count - w->shops_count;
    return count != 0 ? w->shops_count + (uint32_t)random_below(r, count)
                      : (uint32_t)random_below(r, w->terminals_count);
}
/* A terminal in a city; the first ones are busier (two draws, the smaller wins). */
static inline uint32_t world_shop_in(const world *w, uint32_t city, uint64_t r) {
    uint32_t first = w->city_first[city], count = w->city_first[city + 1] - first;
    uint32_t a = (uint32_t)random_below(r << 32, count),
             b = (uint32_t)random_below(r & UINT64_C(0xffffffff00000000), count);
    return first + (a < b ? a : b);
}
/* The k-th of a cardholder's habitual terminals. */
uint32_t world_favourite(const world *w, uint32_t customer, uint32_t k);

#endif
