/* generate/world.c: the tables of places and trades, and the making of terminals and cardholders from the seed.
 *
 * Terminals: the first four fifths are physical, city by city in the order of the table and in proportion to its weight;
 * the rest are web shops. With few terminals only the first cities of the table are used, so that each used city has a
 * handful; that is why homes and far places alternate in it. */
#include "generate/world.h"

#include <stdlib.h>
#include <string.h>

/* country, currency, home, weight, hours from UTC, latitude, longitude */
const world_city world_cities[WORLD_CITIES] = {
    {"DE", "EUR", 1, 60, 1, 5252000, 1340500},    {"FR", "EUR", 1, 70, 1, 4885700, 235200},
    {"US", "USD", 0, 20, -5, 4071300, -7400600},  {"ES", "EUR", 1, 50, 1, 4041700, -370400},
    {"IT", "EUR", 1, 50, 1, 4190300, 1249600},    {"GB", "GBP", 0, 24, 0, 5150700, -12800},
    {"NL", "EUR", 1, 30, 1, 5236800, 490400},     {"BE", "EUR", 1, 24, 1, 5085000, 435200},
    {"TH", "THB", 0, 8, 7, 1375600, 10050200},    {"AT", "EUR", 1, 28, 1, 4820800, 1637400},
    {"PT", "EUR", 1, 22, 0, 3872200, -913900},    {"AE", "AED", 0, 8, 4, 2520500, 5527100},
    {"DE", "EUR", 1, 34, 1, 4813500, 1158200},    {"FR", "EUR", 1, 24, 1, 4576400, 483600},
    {"TR", "TRY", 0, 10, 3, 4100800, 2897800},    {"IT", "EUR", 1, 30, 1, 4546400, 919000},
    {"IE", "EUR", 1, 18, 0, 5335000, -626000},    {"BR", "BRL", 0, 6, -3, -2355100, -4663300},
    {"FI", "EUR", 1, 16, 2, 6016900, 2493800},    {"GR", "EUR", 1, 20, 2, 3798400, 2372800},
    {"CH", "CHF", 0, 10, 1, 4737700, 854200},     {"ES", "EUR", 1, 34, 1, 4138500, 217300},
    {"DE", "EUR", 1, 36, 1, 5355100, 999400},     {"JP", "JPY", 0, 8, 9, 3568900, 13969200},
    {"PL", "PLN", 0, 10, 1, 5223000, 2101200},    {"FR", "EUR", 1, 22, 1, 4329600, 537000},
    {"DE", "EUR", 1, 22, 1, 5094100, 695800},     {"SG", "SGD", 0, 6, 8, 135200, 10382000},
    {"CZ", "CZK", 0, 10, 1, 5007600, 1443800},    {"IT", "EUR", 1, 24, 1, 4085200, 1426800},
    {"SK", "EUR", 1, 10, 1, 4814900, 1710700},    {"NG", "NGN", 0, 4, 1, 652400, 337900},
    {"US", "USD", 0, 12, -8, 3405200, -11824400}, {"LU", "EUR", 1, 6, 1, 4961200, 613000},
    {"SE", "SEK", 0, 8, 1, 5932900, 1806900},     {"ES", "EUR", 1, 18, 1, 3946900, -37700},
    {"DK", "DKK", 0, 8, 1, 5567600, 1256800},     {"MX", "MXN", 0, 6, -6, 1943300, -9913300},
    {"SI", "EUR", 1, 8, 1, 4605700, 1450600},     {"NO", "NOK", 0, 6, 1, 5991400, 1075200},
    {"IN", "INR", 0, 6, 5, 1907600, 7287800},     {"EE", "EUR", 1, 8, 2, 5943700, 2475400},
    {"HU", "HUF", 0, 8, 1, 4749800, 1904000},     {"ZA", "ZAR", 0, 5, 2, -3392500, 1842400},
    {"AU", "AUD", 0, 6, 10, -3386900, 15120900},  {"HR", "EUR", 1, 10, 1, 4581500, 1598200},
    {"EG", "EGP", 0, 5, 2, 3004400, 3123600},     {"MA", "MAD", 0, 6, 1, 3162900, -798100},
};

/* mcc, weight of terminals, of web shops, median in cents, spread of log2, resold */
const world_trade world_trades[WORLD_TRADES] = {
    {5411, 220, 30, 2600, 65000, false}, {5812, 150, 0, 3100, 55000, false},  {5814, 130, 50, 1150, 45000, false},
    {5541, 70, 0, 5200, 42000, false},   {5912, 60, 30, 1700, 60000, false},  {5311, 40, 80, 4800, 80000, true},
    {5651, 60, 130, 5400, 68000, true},  {5732, 25, 110, 14000, 95000, true}, {5999, 70, 170, 2900, 90000, false},
    {4111, 45, 60, 650, 70000, false},   {7011, 20, 40, 14500, 60000, false}, {5944, 8, 15, 21000, 95000, true},
    {7995, 4, 30, 3500, 110000, false},  {4829, 6, 20, 16000, 90000, true},   {6011, 62, 0, 8000, 60000, false},
    {5815, 0, 160, 900, 50000, false},   {4511, 4, 25, 22000, 75000, false},  {7832, 14, 12, 1900, 40000, false},
    {5942, 12, 38, 1800, 55000, false},
};

/* office, day, evening, night; each row adds up to 1000 */
const uint16_t world_rhythms[2][WORLD_RHYTHMS][WORLD_HOURS] = {
    {{2, 1, 0, 0, 1, 4, 18, 62, 70, 34, 28, 44, 118, 92, 40, 36, 50, 104, 118, 86, 46, 26, 14, 6},
     {1, 0, 0, 0, 0, 2, 10, 28, 62, 98, 118, 112, 84, 66, 78, 92, 88, 70, 44, 24, 12, 7, 3, 1},
     {16, 6, 2, 1, 0, 1, 3, 8, 16, 22, 30, 44, 62, 56, 50, 54, 62, 84, 104, 112, 104, 82, 52, 29},
     {74, 60, 44, 34, 26, 26, 40, 52, 34, 18, 10, 8, 14, 26, 42, 56, 58, 54, 52, 50, 52, 56, 58, 56}},
    {{12, 6, 2, 1, 0, 1, 4, 10, 28, 62, 92, 100, 86, 78, 78, 80, 76, 70, 62, 52, 40, 28, 20, 12},
     {2, 1, 0, 0, 0, 1, 4, 14, 44, 92, 124, 122, 96, 76, 84, 92, 84, 64, 44, 28, 14, 8, 4, 2},
     {40, 26, 12, 4, 1, 0, 1, 4, 10, 22, 36, 52, 62, 64, 62, 60, 62, 68, 78, 84, 82, 70, 56, 44},
     {90, 76, 58, 40, 26, 18, 20, 26, 24, 20, 18, 20, 26, 34, 44, 50, 50, 48, 48, 50, 52, 54, 54, 54}},
};

const char ride_generate_source_yaml[] = "sources:\n"
                                         "  tx:\n"
                                         "    format: csv\n"
                                         "    event_time: {field: ts, unit: ms}\n"
                                         "    event_id: tx_id\n"
                                         "    label: is_fraud\n"
                                         "    fields:\n"
                                         "      tx_id: u64\n"
                                         "      ts: {type: timestamp, unit: ms}\n"
                                         "      card: string\n"
                                         "      terminal: u64\n"
                                         "      amount: {type: decimal, scale: 2}\n"
                                         "      currency: string\n"
                                         "      mcc: u16\n"
                                         "      channel: {type: string, category: [pos, ecom, atm]}\n"
                                         "      country: string\n"
                                         "      lat: {type: f64, nullable: true}\n"
                                         "      lon: {type: f64, nullable: true}\n"
                                         "      is_fraud: bool\n";

const char *ride_fraud_kind_name(uint32_t kind) {
    static const char *const names[RIDE_FRAUD_KINDS] = {"none", "terminal", "stolen", "testing", "takeover", "quiet"};
    return kind < RIDE_FRAUD_KINDS ? names[kind] : "unknown";
}

const char *ride_channel_name(uint32_t channel) {
    static const char *const names[RIDE_CHANNELS] = {"pos", "ecom", "atm"};
    return channel < RIDE_CHANNELS ? names[channel] : "unknown";
}

static void place_cities(world *w) {
    w->shops_count = w->terminals_count - w->terminals_count / 5;
    w->cities_count = w->shops_count / 16;
    if (w->cities_count < 1) w->cities_count = 1;
    if (w->cities_count > WORLD_CITIES) w->cities_count = WORLD_CITIES;
    uint64_t total = 0, before = 0;
    for (uint32_t c = 0; c < w->cities_count; c++) total += world_cities[c].weight;
    /* Each city has one terminal for certain; the rest is shared by weight. */
    for (uint32_t c = 0; c <= w->cities_count; c++) {
        // cppcheck-suppress zerodiv ; there is at least one city, and each has a weight
        w->city_first[c] = c + (uint32_t)(before * (w->shops_count - w->cities_count) / total);
        if (c < w->cities_count) {
            before += world_cities[c].weight;
            if (world_cities[c].is_home) w->homes[w->homes_count++] = (uint8_t)c;
        }
    }
}

static uint8_t pick_trade(uint64_t r, bool online) {
    uint32_t total = 0;
    for (uint32_t i = 0; i < WORLD_TRADES; i++)
        total += online ? world_trades[i].weight_ecom : world_trades[i].weight_pos;
    uint32_t at = (uint32_t)random_below(r, total);
    for (uint32_t i = 0;; i++) {
        uint32_t weight = online ? world_trades[i].weight_ecom : world_trades[i].weight_pos;
        if (at < weight) return (uint8_t)i;
        at -= weight;
    }
}

static uint8_t pick_home(const world *w, uint64_t r) {
    uint32_t total = 0;
    for (uint32_t i = 0; i < w->homes_count; i++) total += world_cities[w->homes[i]].weight;
    uint32_t at = (uint32_t)random_below(r, total);
    for (uint32_t i = 0;; i++) {
        uint32_t weight = world_cities[w->homes[i]].weight;
        if (at < weight) return w->homes[i];
        at -= weight;
    }
}

static void make_terminals(world *w) {
    uint32_t city = 0;
    for (uint32_t t = 0; t < w->terminals_count; t++) {
        uint64_t s = world_hash(w, WORLD_KEY_TERMINAL, t, 0);
        world_terminal *terminal = &w->terminals[t];
        bool online = t >= w->shops_count;
        terminal->trade = pick_trade(random_next(&s), online);
        terminal->level_q16 = (int32_t)(random_normal_q16(random_next(&s)) * 3 / 8);
        if (online) {
            /* Most web shops sell from home; their country is all that is known of their place. */
            uint64_t r = random_next(&s);
            terminal->city =
                random_ppm(random_next(&s), 750000) ? pick_home(w, r) : (uint8_t)random_below(r, w->cities_count);
            terminal->channel = RIDE_CHANNEL_ECOM;
            continue;
        }
        while (t >= w->city_first[city + 1]) city++;
        terminal->city = (uint8_t)city;
        terminal->channel = world_trades[terminal->trade].mcc == WORLD_MCC_ATM ? RIDE_CHANNEL_ATM : RIDE_CHANNEL_POS;
        /* Around the centre, some 6 km across. */
        terminal->lat_e5 = world_cities[city].lat_e5 + (int32_t)(random_normal_q16(random_next(&s)) * 5000 / 65536);
        terminal->lon_e5 = world_cities[city].lon_e5 + (int32_t)(random_normal_q16(random_next(&s)) * 7500 / 65536);
    }
}

static void make_customers(world *w) {
    for (uint32_t c = 0; c < w->customers_count; c++) {
        uint64_t s = world_hash(w, WORLD_KEY_CUSTOMER, c, 0);
        world_customer *customer = &w->customers[c];
        int64_t rate = random_scale(&w->exp2, 640, random_normal_q16(random_next(&s)) * 4 / 5);
        if (rate < 26) rate = 26;
        if (rate > 3584) rate = 3584;
        customer->rate_q8 = (uint16_t)rate;
        uint64_t kind = random_below(random_next(&s), 100);
        customer->rhythm = kind < 46 ? 0 : kind < 72 ? 1 : kind < 95 ? 2 : 3;
        customer->city = pick_home(w, random_next(&s));
    }
}

uint32_t world_favourite(const world *w, uint32_t customer, uint32_t k) {
    uint64_t s = world_hash(w, WORLD_KEY_FAVOURITE, customer, k);
    uint32_t city = w->customers[customer].city;
    uint64_t a = random_next(&s), b = random_next(&s);
    /* Of two candidates the one of the trade group that this cardholder prefers, if either is. */
    uint32_t first = k % 4 == 3 ? world_shop_online(w, a) : world_shop_in(w, city, a);
    uint32_t second = k % 4 == 3 ? world_shop_online(w, b) : world_shop_in(w, city, b);
    return w->terminals[second].trade % 4 == customer % 4 ? second : first;
}

ride_status world_create(uint64_t seed, uint32_t customers, uint32_t terminals, world *out, ride_error *err) {
    memset(out, 0, sizeof *out);
    out->seed = random_mix(seed ^ UINT64_C(0x52494445)); /* neighbouring seeds share nothing */
    out->customers_count = customers;
    out->terminals_count = terminals;
    random_exp2_init(&out->exp2);
    out->terminals = calloc(terminals, sizeof *out->terminals);
    out->customers = calloc(customers, sizeof *out->customers);
    if (out->terminals == NULL || out->customers == NULL) {
        world_free(out);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for %u cardholders and %u terminals", customers, terminals);
    }
    place_cities(out);
    make_terminals(out);
    make_customers(out);
    return RIDE_OK;
}

void world_free(world *w) {
    free(w->terminals);
    free(w->customers);
    memset(w, 0, sizeof *w);
}
