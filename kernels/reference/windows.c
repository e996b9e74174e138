/* kernels/reference/windows.c: one aggregate for one event, by looking at every event of the key.
 *
 * The definitions of kernels/layout/plan.h, one after the other, without any of the shortcuts that a fast backend takes:
 * an entry is visible iff it is not older than the retention, it is in the window iff it lies between the edges, and
 * the sums are added up from the raw values each time. */
#include "kernels/reference/state.h"

/* What one pass over the window found. */
typedef struct tally {
    uint64_t n;                       /* events that have the aggregate's column and condition */
    ride_i128 sum;                    /* of the SUM lane's column, or the number of labels */
    ride_u128 sumsq;                  /* of the SUMSQ lane's column */
    bool overflow;                    /* it left 128 bits */
    bool any;                         /* some event has the VALUE or PRESENT lane */
    uint64_t smallest, largest, last; /* bits of values */
    uint64_t distinct;
    bool seen; /* the current event's identity was there */
} tally;

typedef struct reader {
    const ride_program_dev *program;
    const ride_plan_aggregate *aggregate;
    const ride_plan_lane *lanes; /* of the entity */
    const ref_event *event;
    int64_t after_us, until_us; /* the window: after < time <= until */
} reader;

static const ref_fact *fact(const reader *r, const ref_fact *facts, int32_t column) {
    return &facts[r->program->fact_of_column[column]];
}

static const ride_plan_lane *lane_of(const reader *r, int32_t lane) { return lane >= 0 ? &r->lanes[lane] : NULL; }

static bool lane_present(const reader *r, const ride_plan_lane *lane, const ref_fact *facts) {
    return ref_present(r->program, facts, lane->column, lane->condition);
}

/* The label of the entry as an event at t knows it: the last change that was known by then. */
static uint64_t label_at(const ref_entry *entry, int64_t t) {
    uint64_t label = entry->label;
    for (uint32_t i = 0; i < entry->patches_count; i++)
        if (entry->patches[i].known_us <= t) label = entry->patches[i].value;
    return label;
}

static bool in_window(const reader *r, const ref_entry *entry) {
    const ride_plan_entity *entity =
        &REF_PLAN(r->program, RIDE_SECTION_ENTITIES, ride_plan_entity)[r->aggregate->entity];
    return entry->row != r->event->row && entry->time_us > ride_time_sub(r->event->clock_us, entity->retention_us) &&
           entry->time_us > r->after_us && entry->time_us <= r->until_us;
}

static bool value_less(const ride_plan_lane *lane, uint64_t a, uint64_t b) {
    return lane->is_u64 ? a < b : (int64_t)a < (int64_t)b;
}

/* Counts one event of the window: an entry of the state, or the current event (label 0: it never sees its own). */
static void count_event(const reader *r, tally *t, const ref_fact *facts, uint64_t label) {
    const ride_plan_aggregate *a = r->aggregate;
    const ride_plan_lane *count = lane_of(r, a->lane_count), *sum = lane_of(r, a->lane_sum),
                         *sumsq = lane_of(r, a->lane_sumsq), *value = lane_of(r, a->lane_value);
    if (count != NULL ? lane_present(r, count, facts) : ref_present(r->program, facts, a->column, a->condition)) t->n++;
    if (sum != NULL && lane_present(r, sum, facts)) {
        if (sum->kind == RIDE_LANE_LABEL) t->sum += label;
        else t->sum += (int64_t)fact(r, facts, sum->column)->lo;
    }
    if (sumsq != NULL && lane_present(r, sumsq, facts)) {
        const ref_fact *x = fact(r, facts, sumsq->column);
        const bool is_u64 =
            REF_PLAN(r->program, RIDE_SECTION_COLUMNS, ride_plan_column)[sumsq->column].type == RIDE_TYPE_U64;
        const uint64_t magnitude = is_u64 ? x->lo : ride_magnitude_i64((int64_t)x->lo);
        t->overflow = __builtin_add_overflow(t->sumsq, (ride_u128)magnitude * magnitude, &t->sumsq) || t->overflow;
    }
    if (value != NULL && value->kind == RIDE_LANE_VALUE && lane_present(r, value, facts)) {
        const uint64_t x = fact(r, facts, value->column)->lo;
        if (!t->any || value_less(value, x, t->smallest)) t->smallest = x;
        if (!t->any || value_less(value, t->largest, x)) t->largest = x;
        t->last = x; /* events come in order of (time, arrival) */
        t->any = true;
    }
}

static bool same_identity(const ref_fact *a, const ref_fact *b) { return a->lo == b->lo && a->hi == b->hi; }

/* The entry's identity does not occur among the entries of the window before it. */
static bool is_first_of_identity(const reader *r, const ride_plan_lane *value, uint32_t index) {
    const ref_key *key = r->event->key;
    const ref_fact *mine = fact(r, key->entries[index]->facts, value->column);
    for (uint32_t i = 0; i < index; i++)
        if (in_window(r, key->entries[i]) && lane_present(r, value, key->entries[i]->facts) &&
            same_identity(fact(r, key->entries[i]->facts, value->column), mine))
            return false;
    return true;
}

static tally scan(const reader *r) {
    tally t = {0};
    const ref_key *key = r->event->key;
    const ride_plan_lane *value = lane_of(r, r->aggregate->lane_value);
    const bool identities = value != NULL && value->kind == RIDE_LANE_HASH;
    for (uint32_t i = 0; key != NULL && i < key->entries_count; i++) {
        const ref_entry *entry = key->entries[i];
        if (entry->row == r->event->row && r->aggregate->current) count_event(r, &t, r->event->facts, 0);
        if (!in_window(r, entry)) continue;
        count_event(r, &t, entry->facts, label_at(entry, r->event->time_us));
        if (!identities || !lane_present(r, value, entry->facts)) continue;
        t.seen |= same_identity(fact(r, entry->facts, value->column), fact(r, r->event->facts, value->column));
        if (r->aggregate->op == RIDE_AGG_DISTINCT) t.distinct += is_first_of_identity(r, value, i);
    }
    return t;
}

/* Its entry is in state already: it was counted in its place. */
static bool own_entry_in_state(const ref_event *event) {
    for (uint32_t i = 0; event->key != NULL && i < event->key->entries_count; i++)
        if (event->key->entries[i]->row == event->row) return true;
    return false;
}

static bool chained(const reader *r, const ref_entry *entry) {
    const ride_plan_lane *lane = lane_of(r, r->aggregate->lane_value);
    return entry->row != r->event->row && (lane == NULL || lane_present(r, lane, entry->facts));
}

/* Newest event of the window that the PRESENT lane admits, or -1. */
static int64_t newest(const reader *r) {
    const ref_key *key = r->event->key;
    for (int64_t i = key != NULL ? (int64_t)key->entries_count - 1 : -1; i >= 0; i--)
        if (chained(r, key->entries[i]) && in_window(r, key->entries[i])) return i;
    return -1;
}

static double since_last(const reader *r) {
    const int64_t i = newest(r);
    return i < 0 ? ride_null_f64() : ride_seconds(r->event->time_us - r->event->key->entries[i]->time_us);
}

/* From the newest event back over all that ever entered, as long as no two neighbours are further apart than the lookback. */
static double since_first(const reader *r) {
    const int64_t lookback =
        REF_PLAN(r->program, RIDE_SECTION_ENTITIES, ride_plan_entity)[r->aggregate->entity].lookback_us;
    const int64_t i = newest(r);
    if (i < 0) return ride_null_f64();
    int64_t first = r->event->key->entries[i]->time_us;
    if (r->event->time_us - first > lookback) return ride_null_f64();
    for (int64_t j = i - 1; j >= 0; j--) {
        const ref_entry *entry = r->event->key->entries[j];
        if (!chained(r, entry)) continue;
        if (first - entry->time_us > lookback) break;
        first = entry->time_us;
    }
    return ride_seconds(r->event->time_us - first);
}

static double value_of(const reader *r, uint64_t bits) {
    if (r->aggregate->is_decimal) return ride_decimal_to_f64((int64_t)bits, r->aggregate->scale);
    return r->lanes[r->aggregate->lane_value].is_u64 ? (double)bits : (double)(int64_t)bits;
}

double ref_aggregate(const ride_program_dev *program, const ride_plan_aggregate *a, const ref_event *event,
                     bool *overflow) {
    const ride_plan_header *plan = program->bundle.plan;
    const ride_plan_entity *entity = &REF_PLAN(program, RIDE_SECTION_ENTITIES, ride_plan_entity)[a->entity];
    const ride_plan_edge *edges = REF_PLAN(program, RIDE_SECTION_EDGES, ride_plan_edge) + entity->edges_first;
    const ride_plan_zone *zone = REF_PLAN(program, RIDE_SECTION_ZONE, ride_plan_zone);
    const uint32_t zones = plan->zone_transitions_count;
    reader r = {.program = program,
                .aggregate = a,
                .lanes = REF_PLAN(program, RIDE_SECTION_LANES, ride_plan_lane) + entity->lanes_first,
                .event = event,
                .after_us = INT64_MIN,
                .until_us = event->time_us};
    if (a->edge_lo >= 0) r.after_us = ride_edge_threshold(&edges[a->edge_lo], event->time_us, zone, zones);
    if (a->edge_hi >= 0) r.until_us = ride_edge_threshold(&edges[a->edge_hi], event->time_us, zone, zones);

    tally t = scan(&r);
    const ride_plan_lane *value = lane_of(&r, a->lane_value);
    if (a->current && event->has_key) {
        if (!own_entry_in_state(event)) count_event(&r, &t, event->facts, 0);
        if (a->op == RIDE_AGG_DISTINCT && lane_present(&r, value, event->facts) && !t.seen) t.distinct++;
    }

    const int32_t scale = a->is_decimal ? a->scale : 0;
    const int64_t sum = (int64_t)(uint64_t)t.sum;
    double result = ride_null_f64();
    if (a->op >= RIDE_AGG_SUM && a->op <= RIDE_AGG_STD_POP && (t.overflow || t.sum != sum)) {
        *overflow = true;
        return ride_window_finish(a, t.n, result);
    }
    switch (a->op) {
    case RIDE_AGG_COUNT: result = (double)t.n; break;
    case RIDE_AGG_SUM: result = ride_decimal_to_f64(sum, scale); break;
    case RIDE_AGG_MEAN: result = ride_window_mean(t.n, sum, scale); break;
    case RIDE_AGG_VAR: result = ride_window_var(t.n, sum, t.sumsq, scale, 0); break;
    case RIDE_AGG_STD: result = ride_window_std(t.n, sum, t.sumsq, scale, 0); break;
    case RIDE_AGG_VAR_POP: result = ride_window_var(t.n, sum, t.sumsq, scale, 1); break;
    case RIDE_AGG_STD_POP: result = ride_window_std(t.n, sum, t.sumsq, scale, 1); break;
    case RIDE_AGG_MIN: result = t.any ? value_of(&r, t.smallest) : result; break;
    case RIDE_AGG_MAX: result = t.any ? value_of(&r, t.largest) : result; break;
    case RIDE_AGG_LAST: result = t.any ? value_of(&r, t.last) : result; break;
    case RIDE_AGG_RISK: result = ride_window_risk(t.n, (uint64_t)t.sum); break;
    case RIDE_AGG_SINCE_LAST: result = since_last(&r); break;
    case RIDE_AGG_SINCE_FIRST: result = since_first(&r); break;
    case RIDE_AGG_FIRST_SEEN:
        if (fact(&r, event->facts, value->column)->valid) result = t.seen ? 0.0 : 1.0;
        break;
    case RIDE_AGG_DISTINCT: result = (double)t.distinct; break;
    default: break; /* the bundle's check lets no other in */
    }
    return ride_window_finish(a, t.n, result);
}
