/* generate/generate.c: the stream: hours from behaviour.c, sorted by arrival, made into rows, numbered, some repeated,
 * with the labels that become known meanwhile.
 *
 * Order inside an hour: by millisecond of arrival; equal ones in the order in which they were drawn (a radix sort is
 * stable), which does not depend on the machine either. */
#include "generate/generate.h"
#include "generate/behaviour.h"

#include <stdlib.h>
#include <string.h>

enum { REPEATS = 512 }; /* a ring: a duplicate is due at most 200 + REPEATS / 2 rows later; power of two */

struct ride_generate {
    ride_generate_options options;
    world world;
    behaviour behaviour;
    draw_list hour;                /* what arrives in the hour at hand … */
    uint64_t *order, *order_spare; /* … sorted: arrival within the hour << 32 | index into hour.items */
    size_t order_room, hour_next;
    uint64_t events_given, clock; /* clock: rows given, gaps at the very end included */
    ride_generated repeats[REPEATS];
    bool repeat_is_due[REPEATS];
    uint32_t repeats_count;
    ride_generated_label *labels; /* min-heap by (reported_ms, tx_id) */
    size_t labels_count, labels_room;
    int64_t now_ms; /* arrival of the last row */
    bool ended;
};

void ride_generate_options_init(ride_generate_options *options) {
    *options = (ride_generate_options){
        .events = 1000000, .seed = 1, .customers = 10000, .terminals = 2000, .start_ms = RIDE_GENERATE_START_MS};
}

static ride_status check(const ride_generate_options *o, ride_error *err) {
    if (o->events > RIDE_GENERATE_EVENTS_MAX) return ride_fail(err, RIDE_E_USAGE, "events: at most 100,000,000,000");
    if (o->customers < 1 || o->customers > RIDE_GENERATE_CUSTOMERS_MAX)
        return ride_fail(err, RIDE_E_USAGE, "customers: 1 to 10,000,000, not %u", o->customers);
    if (o->terminals < 1 || o->terminals > RIDE_GENERATE_TERMINALS_MAX)
        return ride_fail(err, RIDE_E_USAGE, "terminals: 1 to 10,000,000, not %u", o->terminals);
    if (o->late_ppm > RIDE_GENERATE_MILLION) return ride_fail(err, RIDE_E_USAGE, "late rate: 0 to 1");
    if (o->duplicate_ppm > RIDE_GENERATE_MILLION) return ride_fail(err, RIDE_E_USAGE, "duplicate rate: 0 to 1");
    if (o->start_ms < 0 || o->start_ms > INT64_C(7258118400000))
        return ride_fail(err, RIDE_E_USAGE, "start: 1970 to 2200");
    if (o->drift.at_ppm > RIDE_GENERATE_MILLION) return ride_fail(err, RIDE_E_USAGE, "drift at: 0 to 1");
    if (o->drift.amount_factor > 100 * RIDE_GENERATE_MILLION)
        return ride_fail(err, RIDE_E_USAGE, "drift: amounts of at most 100 times");
    if (o->drift.hours_later < -12 || o->drift.hours_later > 12)
        return ride_fail(err, RIDE_E_USAGE, "drift: -12 to 12 hours");
    if (o->drift.online_ppm > RIDE_GENERATE_MILLION) return ride_fail(err, RIDE_E_USAGE, "drift online: 0 to 1");
    if (o->events / o->customers > 100000)
        return ride_fail(err, RIDE_E_USAGE, "more than 100,000 events for each of %u customers: that is a century",
                         o->customers);
    return RIDE_OK;
}

ride_status ride_generate_create(const ride_generate_options *options, ride_generate **out, ride_error *err) {
    *out = NULL;
    RIDE_TRY(check(options, err));
    ride_generate *g = calloc(1, sizeof *g);
    if (g == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the generator");
    ride_status st = world_create(options->seed, options->customers, options->terminals, &g->world, err);
    if (st != RIDE_OK) {
        free(g);
        return st;
    }
    g->options = *options;
    g->now_ms = options->start_ms;
    behaviour_init(&g->behaviour, &g->world, options);
    *out = g;
    return RIDE_OK;
}

void ride_generate_destroy(ride_generate *g) {
    if (g == NULL) return;
    behaviour_free(&g->behaviour);
    world_free(&g->world);
    free(g->hour.items);
    free(g->order);
    free(g->order_spare);
    free(g->labels);
    free(g);
}

/* Two passes of 11 bits over the 22 that a millisecond of an hour needs. */
static void sort_by_arrival(uint64_t *keys, uint64_t *spare, size_t count) {
    for (int pass = 0; pass < 2; pass++) {
        int shift = 32 + pass * 11;
        size_t starts[2048] = {0}, sum = 0;
        for (size_t i = 0; i < count; i++) starts[keys[i] >> shift & 2047]++;
        for (size_t b = 0; b < 2048; b++) {
            size_t n = starts[b];
            starts[b] = sum;
            sum += n;
        }
        for (size_t i = 0; i < count; i++) spare[starts[keys[i] >> shift & 2047]++] = keys[i];
        uint64_t *swap = keys;
        keys = spare;
        spare = swap;
    }
}

/* The share of the events after which the drift begins has been given. */
static bool drift_is_due(const ride_generate *g) {
    const uint32_t at_ppm = g->options.drift.at_ppm;
    return at_ppm != 0 && g->behaviour.drift_ms == INT64_MAX &&
           (unsigned __int128)g->events_given * RIDE_GENERATE_MILLION >= (unsigned __int128)g->options.events * at_ppm;
}

static bool next_hour(ride_generate *g) {
    int64_t hour_ms = g->behaviour.hour * BEHAVIOUR_HOUR_MS;
    if (drift_is_due(g)) g->behaviour.drift_ms = hour_ms;
    if (!behaviour_hour(&g->behaviour, &g->hour)) return false;
    size_t count = g->hour.count;
    if (count > g->order_room) {
        free(g->order);
        free(g->order_spare);
        g->order_room = g->hour.room;
        g->order = malloc(g->order_room * sizeof *g->order);
        g->order_spare = malloc(g->order_room * sizeof *g->order_spare);
        if (g->order == NULL || g->order_spare == NULL) {
            g->order_room = 0;
            return false;
        }
    }
    for (size_t i = 0; i < count; i++) {
        const draw *d = &g->hour.items[i];
        g->order[i] = (uint64_t)(d->ts_ms + d->delay_ms - hour_ms) << 32 | i;
    }
    if (count != 0) sort_by_arrival(g->order, g->order_spare, count);
    g->hour_next = 0;
    return true;
}

static bool label_before(const ride_generated_label *a, const ride_generated_label *b) {
    return a->reported_ms != b->reported_ms ? a->reported_ms < b->reported_ms : a->tx_id < b->tx_id;
}

static bool label_push(ride_generate *g, ride_generated_label label) {
    if (g->labels_count == g->labels_room) {
        size_t room = g->labels_room != 0 ? g->labels_room * 2 : 256;
        ride_generated_label *labels = realloc(g->labels, room * sizeof *labels);
        if (labels == NULL) return false;
        g->labels = labels;
        g->labels_room = room;
    }
    size_t i = g->labels_count++;
    for (; i > 0 && label_before(&label, &g->labels[(i - 1) / 2]); i = (i - 1) / 2)
        g->labels[i] = g->labels[(i - 1) / 2];
    g->labels[i] = label;
    return true;
}

static ride_generated_label label_pop(ride_generate *g) {
    ride_generated_label top = g->labels[0], last = g->labels[--g->labels_count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= g->labels_count) break;
        if (child + 1 < g->labels_count && label_before(&g->labels[child + 1], &g->labels[child])) child++;
        if (!label_before(&g->labels[child], &last)) break;
        g->labels[i] = g->labels[child];
        i = child;
    }
    g->labels[i] = last;
    return top;
}

/* Most fraud is charged back, 12 hours to 21 days later; a few honest transactions are disputed and cleared. */
static bool label_make(ride_generate *g, const ride_generated *row) {
    uint64_t s = world_hash(&g->world, WORLD_KEY_LABEL, row->tx_id, 0);
    if (!random_ppm(random_next(&s), row->is_fraud ? 970000 : 2000)) return true;
    int64_t seconds =
        random_scale(&g->world.exp2, 43200, (int64_t)random_below(random_next(&s), 353000)); /* 2^(0 … 5.39) */
    return label_push(g, (ride_generated_label){.tx_id = row->tx_id,
                                                .reported_ms = row->ts_ms + seconds * 1000,
                                                .is_fraud = row->is_fraud,
                                                .fraud_kind = row->fraud_kind});
}

static void repeat_later(ride_generate *g, const ride_generated *row) {
    uint64_t s = world_hash(&g->world, WORLD_KEY_DUPLICATE, row->tx_id, 0);
    if (!random_ppm(random_next(&s), g->options.duplicate_ppm) || g->repeats_count >= REPEATS / 2) return;
    uint64_t slot = g->clock + random_below(random_next(&s), 200);
    while (g->repeat_is_due[slot % REPEATS]) slot++;
    g->repeats[slot % REPEATS] = *row;
    g->repeats[slot % REPEATS].is_duplicate = true;
    g->repeat_is_due[slot % REPEATS] = true;
    g->repeats_count++;
}

ride_status ride_generate_next(ride_generate *g, ride_generated *rows, uint32_t rows_count_max, uint32_t *rows_count) {
    *rows_count = 0;
    while (*rows_count < rows_count_max) {
        uint64_t slot = g->clock % REPEATS;
        if (g->repeat_is_due[slot]) {
            rows[(*rows_count)++] = g->repeats[slot];
            g->repeat_is_due[slot] = false;
            g->repeats_count--;
            g->clock++;
            continue;
        }
        if (g->events_given == g->options.events) {
            if (g->repeats_count == 0) break;
            g->clock++;
            continue;
        }
        while (g->hour_next == g->hour.count)
            if (!next_hour(g)) return RIDE_E_MEMORY;
        const draw *d = &g->hour.items[(uint32_t)g->order[g->hour_next++]];
        if (g->hour_next + 8 < g->hour.count) __builtin_prefetch(&g->hour.items[(uint32_t)g->order[g->hour_next + 8]]);
        ride_generated *row = &rows[(*rows_count)++];
        transaction_make(&g->world, d, d->ts_ms >= g->behaviour.drift_ms ? &g->options.drift : NULL, row);
        row->tx_id = ++g->events_given;
        g->now_ms = d->ts_ms + d->delay_ms;
        g->clock++;
        if (g->options.labels && !label_make(g, row)) return RIDE_E_MEMORY;
        if (g->options.duplicate_ppm != 0) repeat_later(g, row);
    }
    if (*rows_count != 0 || rows_count_max == 0) return RIDE_OK;
    g->ended = true;
    return RIDE_END;
}

int64_t ride_generate_drift_ms(const ride_generate *g) { return g->behaviour.drift_ms; }

uint32_t ride_generate_labels(ride_generate *g, ride_generated_label *labels, uint32_t labels_count_max) {
    uint32_t count = 0;
    while (count < labels_count_max && g->labels_count != 0 && (g->ended || g->labels[0].reported_ms <= g->now_ms))
        labels[count++] = label_pop(g);
    return count;
}
