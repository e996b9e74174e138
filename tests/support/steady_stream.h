/* support/steady_stream.h: a stream whose keys, ids and labels reach a steady number, for tests that count what a steady path allocates: one event a
 * second; windows, the horizon of the ids and the delay of labels see two hours of it. Some events come twice, late, too late, or not readable. */
#ifndef RIDE_TESTS_STEADY_STREAM_H
#define RIDE_TESTS_STEADY_STREAM_H
#include "features/spec.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum {
    STEADY_CARDS = 500,
    STEADY_SHOPS = 50,
    STEADY_BEGIN_S = 1767225600,
    STEADY_LABEL_S = 2400,
    STEADY_EVENT_BYTES = 160
};

/* Formats of the events, what tells their labels, the source of labels, and features. */
static const char steady_spec_form[] =
    "version: 1\n"
    "sources:\n"
    "  tx:\n"
    "    format: %s\n"
    "    event_time: {field: ts, unit: s}\n"
    "    event_id: id\n"
    "    dedup: 2h\n"
    "    %s\n"
    "    watermark: {bound: 30s, allowed_lateness: 10m}\n"
    "    fields: {id: u64, ts: {type: timestamp, unit: s}, card: string, shop: u32, amount: {type: decimal, scale: 2, "
    "min: "
    "0, max: 100000}, kind: {type: string, category: [chip, web]}, fraud: bool}\n"
    "%s"
    "entities:\n"
    "  card: {keys: [card], horizon: 2h, expected_keys: 2000}\n"
    "%s"
    "features:\n"
    "  - {entity: card, column: amount, agg: [count, sum, mean, std, min, max, last], windows: [10m, 1h]}\n"
    "  - {entity: card, column: shop, agg: [distinct, first_seen], windows: [1h]}\n"
    "  - {entity: card, agg: [since_last, since_first]}\n"
    "  - {name: web_1h, entity: card, agg: [count], windows: [1h], where: \"kind == 'web'\"}\n"
    "%s"
    "  - {name: ratio, expr: \"amount / coalesce(card_amount_mean_1h, 1)\"}\n";
static const char steady_labels_form[] = "  backs:\n"
                                         "    format: csv\n"
                                         "    event_time: {field: ts, unit: s}\n"
                                         "    labels: {source: tx, key: id, value: fraud}\n"
                                         "    fields: {id: u64, fraud: bool}\n";
static const char steady_shop_entity[] = "  shop: {keys: [shop], horizon: 2h, expected_keys: 200}\n";
static const char steady_shop_features[] =
    "  - {entity: shop, agg: [count, risk], windows: [1h], delay: 30m, labels: fixed}\n";

static const ride_rule_spec steady_rules[] = {
    {.id = "much",
     .when = "amount > 50 and ratio > 2",
     .decision = RIDE_DECISION_DECLINE,
     .file = "t",
     .line = 1,
     .column = 1},
    {.id = "web", .when = "web_1h > 3", .decision = RIDE_DECISION_REVIEW, .file = "t", .line = 2, .column = 1},
};

/* labels: from a source of their own, else within the event. shops: a second entity, whose risk needs labels. */
static inline bool steady_spec_write(const char *path, const char *format, bool labels, bool shops) {
    FILE *file = fopen(path, "w");
    if (file == NULL) return false;
    fprintf(file, steady_spec_form, format, labels || !shops ? "" : "label: fraud", labels ? steady_labels_form : "",
            shops ? steady_shop_entity : "", shops ? steady_shop_features : "");
    return fclose(file) == 0;
}

static inline uint32_t steady_below(uint32_t below) {
    static uint64_t state = 1;
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((state >> 33) % below);
}

/* The i-th event; *card: its card's number. */
static inline uint32_t steady_event(uint32_t i, bool is_json, char text[STEADY_EVENT_BYTES], uint32_t *card) {
    uint32_t chance = steady_below(1000), id = chance < 10 && i > 100 ? i - steady_below(100) : i; /* 1 % twice */
    uint32_t back = chance >= 10 && chance < 30 ? steady_below(600) : chance == 30 ? 4000 : 0;     /* late, too late */
    const char *bad = chance == 31 ? "x" : "";                                                     /* no number */
    uint32_t ts = (uint32_t)STEADY_BEGIN_S + i - (back < i ? back : 0), cents = steady_below(10000);
    const char *form = is_json ? "{\"id\":%u,\"ts\":%u,\"card\":\"card-%u\",\"shop\":%u,\"amount\":\"%u.%02u%s\","
                                 "\"kind\":\"%s\",\"fraud\":%u}"
                               : "%u,%u,card-%u,%u,%u.%02u%s,%s,%u";
    *card = steady_below(STEADY_CARDS);
    const uint32_t shop = steady_below(STEADY_SHOPS);
    return (uint32_t)snprintf(text, STEADY_EVENT_BYTES, form, id, ts, *card, shop, cents / 100, cents % 100, bad,
                              steady_below(2) ? "web" : "chip", steady_below(50) == 0);
}

/* Of every twentieth event i, STEADY_LABEL_S after it; some for events that never were, some just before their event. */
static inline uint32_t steady_label(uint32_t i, uint32_t events, bool is_json, char text[STEADY_EVENT_BYTES]) {
    return (uint32_t)snprintf(text, STEADY_EVENT_BYTES, is_json ? "{\"id\":%u,\"ts\":%u,\"fraud\":%u}" : "%u,%u,%u",
                              i % 400 == 0 ? i + events : i, (uint32_t)STEADY_BEGIN_S + i + STEADY_LABEL_S, i % 3 == 0);
}

#endif
