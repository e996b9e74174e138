/* kernels/cpu/form_scan.h: aggregates that read entries: min, max, last, since_*, first_seen, distinct. */
#ifndef RIDE_KERNELS_CPU_FORM_SCAN_H
#define RIDE_KERNELS_CPU_FORM_SCAN_H
#include "kernels/cpu/form_entry.h"

/* ---- aggregates that read entries ---- */

static inline double value_to_f64(const ride_cpu_aggregate *aggregate, int64_t value) {
    if (aggregate->plan->is_decimal) return ride_decimal_to_f64(value, aggregate->plan->scale);
    return aggregate->is_u64 ? (double)(uint64_t)value : (double)value;
}

static inline bool value_less(const ride_cpu_aggregate *aggregate, int64_t a, int64_t b) {
    return aggregate->is_u64 ? (uint64_t)a < (uint64_t)b : a < b;
}

/* Adds a pair to the scratch set of `distinct`; the set has room for twice the window. */
static inline bool set_add(ride_cpu_entity *entity, uint64_t lo, uint64_t hi) {
    uint64_t mask = entity->distinct_mask, at = ride_key_hash((ride_key128){lo, hi}) >> 20;
    for (;; at++) {
        uint64_t *pair = &entity->distinct_set[3 * (at & mask)];
        if (pair[2] == 0) {
            pair[0] = lo, pair[1] = hi, pair[2] = 1;
            return true;
        }
        if (pair[0] == lo && pair[1] == hi) return false;
    }
}

static inline bool set_reset(ride_cpu_entity *entity, uint64_t entries) {
    uint64_t wanted = 64;
    while (wanted < 2 * entries + 2) wanted *= 2;
    if (wanted > entity->distinct_max) { /* a window longer than any before: grows once, then stays */
        uint64_t *set = realloc(entity->distinct_set, 3 * wanted * sizeof *set);
        if (set == NULL) {
            entity->out_of_memory = true;
            return false;
        }
        entity->distinct_set = set;
        entity->distinct_max = wanted;
    }
    entity->distinct_mask = wanted - 1; /* clearing costs what this window holds, not what the busiest key once held */
    memset(entity->distinct_set, 0, 3 * wanted * sizeof(uint64_t));
    return true;
}

/* peers: 1 when the row's own entry, by now in state, lies in the aggregate's window. */
static inline int own_entry_counted(const ride_cpu_entity *entity, const ride_cpu_rows *rows, uint32_t row,
                                    const ride_cpu_aggregate *a) {
    int64_t t = rows->time_us[row];
    if (!(rows->flags[row] & RIDE_ROW_ENTERS)) return 0;
    bool passed_lo = a->plan->edge_lo >= 0 &&
                     t <= ride_edge_threshold(&entity->edges[a->plan->edge_lo], t, entity->zone, entity->zone_count);
    bool passed_hi = a->plan->edge_hi < 0 ||
                     t <= ride_edge_threshold(&entity->edges[a->plan->edge_hi], t, entity->zone, entity->zone_count);
    return passed_hi && !passed_lo && t > ride_time_sub(rows->clock_us[row], entity->retention_us);
}

/* Seconds since the first event of the chain that the window's newest event belongs to. own_at: an entry to pass over. */
static inline double since_first(ride_cpu_entity *entity, const ride_cpu_rows *rows, uint32_t row,
                                 const ride_record *record, const ride_cpu_aggregate *a, uint32_t lo, uint32_t hi,
                                 int64_t own_at) {
    uint64_t n = 0, enough = a->plan->min_count > 1 ? a->plan->min_count : 1;
    uint32_t newest = hi;
    for (uint32_t p = hi; p != lo && n < enough; p--) {
        if ((int64_t)p - 1 == own_at || !present_at(entity, record, p - 1, a->lane_value)) continue;
        if (n++ == 0) newest = p - 1;
    }
    double value = ride_null_f64();
    if (n > 0) {
        int64_t t = rows->time_us[row], newest_us = word_to_time(time_at(entity, record, newest)),
                start_us = ride_cpu_chains(entity, record)[a->chain].start_us;
        if (newest_us < start_us) start_us = chain_walk(entity, record, a->chain, newest); /* an older chain */
        if (ride_time_sub(t, newest_us) <= entity->lookback_us) value = ride_seconds(ride_time_sub(t, start_us));
    }
    bool has_own = (a->lane_value >= 0 ? rows->present[a->lane_value] : rows->has_key) >> row & 1;
    return ride_window_finish(a->plan, n + (a->plan->current && has_own), value);
}

/* True when `entry` takes the place of `best` as the extreme. */
static inline bool value_beats(const ride_cpu_aggregate *a, int64_t entry, int64_t best) {
    return a->plan->op == RIDE_AGG_MIN ? value_less(a, entry, best) : value_less(a, best, entry);
}

/* min or max of the entries [lo, hi), from what the record remembers and the entries that came since; all of them are looked at
 * only when the one that had it has left. Rows in order only: their windows never move back. false: no entry counts. */
static inline bool extreme_of(const ride_cpu_entity *entity, ride_record *record, const ride_cpu_aggregate *a,
                              uint32_t lo, uint32_t hi, int64_t *value) {
    ride_extreme *known = &ride_cpu_extremes(entity, record)[a->extreme];
    bool holds = known->covered != 0 && known->from <= lo && known->covered <= hi &&
                 (known->best == RIDE_NO_RECORD || known->best >= lo);
    uint32_t from = holds && known->covered > lo ? known->covered : lo, mask = (1u << SHIFT) - 1,
             best_at = holds ? known->best : RIDE_NO_RECORD;
    int64_t best = known->value;
    bool first = true;
    for (uint32_t p = hi; p != from; p--) { /* newest first: of equal ones it lasts longest */
        const WORD *block = block_at(entity, record, (p - 1) >> SHIFT);
        uint32_t slot = (p - 1) & mask;
        if (!entry_present(entity, block, slot, a->lane_value)) continue;
        int64_t entry = (int64_t)block[((1 + WORDS + (uint32_t)a->word_value) << SHIFT) + slot];
        bool takes = best_at == RIDE_NO_RECORD || value_beats(a, entry, best) || (first && entry == best);
        first = first && !takes;
        if (takes) best = entry, best_at = p - 1;
    }
    *known = (ride_extreme){.value = best, .best = best_at, .from = holds ? known->from : lo, .covered = hi};
    *value = best;
    return best_at != RIDE_NO_RECORD;
}

/* own_at: position of the row's own entry when that is in state already (peers); else -1. remembers: the record when
 * the row is in order, else NULL. */
static inline void scan_row(ride_cpu_entity *entity, const ride_cpu_rows *rows, uint32_t row, const ride_record *record,
                            const ride_cpu_aggregate *a, int64_t own_at, ride_record *remembers) {
    const ride_plan_aggregate *plan = a->plan;
    int64_t t = rows->time_us[row];
    bool has_own = rows->has_key >> row & 1, own_counted = own_at >= 0 && own_entry_counted(entity, rows, row, a),
         skip_own;
    if (plan->op == RIDE_AGG_FIRST_SEEN ||
        plan->op == RIDE_AGG_SINCE_LAST) { /* the event is never its own predecessor */
        skip_own = own_counted;
        own_counted = false;
    } else skip_own = own_counted && !plan->current;
    if (a->lane_value >= 0) has_own = rows->present[a->lane_value] >> row & 1;
    int64_t own = a->word_value >= 0 ? rows->own_value[(uint32_t)a->word_value * RIDE_BLOCK_ROWS + row] : 0;
    int64_t own_hi = plan->op == RIDE_AGG_DISTINCT || plan->op == RIDE_AGG_FIRST_SEEN
                         ? rows->own_value[((uint32_t)a->word_value + 1) * RIDE_BLOCK_ROWS + row]
                         : 0;
    uint32_t lo = (uint32_t)raw_at(entity, rows, 0, a->slot_lo < 0 ? EDGES : (uint32_t)a->slot_lo)[row];
    uint32_t hi = (uint32_t)raw_at(entity, rows, 0, a->slot_hi < 0 ? EDGES : (uint32_t)a->slot_hi)[row];
    uint64_t n = 0, distinct = 0;
    int64_t best = 0, newest_us = INT64_MIN;
    bool seen = false,
         take_all = plan->min_count > 1 ||
                    (plan->op != RIDE_AGG_LAST && plan->op != RIDE_AGG_SINCE_LAST && plan->op != RIDE_AGG_FIRST_SEEN);
    double value = ride_null_f64();
    if (record == NULL || (int32_t)(hi - lo) < 0) hi = lo;
    if (plan->op == RIDE_AGG_SINCE_FIRST) {
        rows->features[a - entity->aggregates][row] = since_first(entity, rows, row, record, a, lo, hi, own_at);
        return;
    }
    if (remembers != NULL && a->extreme >= 0) { /* n: only whether there is one */
        n = lo != hi && extreme_of(entity, remembers, a, lo, hi, &best);
        hi = lo;
    }
    if (plan->op == RIDE_AGG_DISTINCT && !set_reset(entity, hi - lo)) return;
    uint32_t mask = (1u << SHIFT) - 1;
    for (uint32_t p = hi; p != lo && (take_all || n == 0 || (plan->op == RIDE_AGG_FIRST_SEEN && !seen)); p--) {
        if (skip_own && (int64_t)p - 1 == own_at) continue;
        const WORD *block = block_at(entity, record, (p - 1) >> SHIFT);
        uint32_t slot = (p - 1) & mask;
        if (!entry_present(entity, block, slot, a->lane_value)) continue;
        int64_t entry =
            a->word_value >= 0 ? (int64_t)block[((1 + WORDS + (uint32_t)a->word_value) << SHIFT) + slot] : 0;
        int64_t entry_us = word_to_time(block[slot]);
        int64_t entry_hi = 0;
        if (plan->op == RIDE_AGG_DISTINCT || plan->op == RIDE_AGG_FIRST_SEEN)
            entry_hi = (int64_t)block[((2 + WORDS + (uint32_t)a->word_value) << SHIFT) + slot];
        if (n == 0) newest_us = entry_us;
        switch (plan->op) {
        case RIDE_AGG_MIN: best = n == 0 || value_less(a, entry, best) ? entry : best; break;
        case RIDE_AGG_MAX: best = n == 0 || value_less(a, best, entry) ? entry : best; break;
        case RIDE_AGG_LAST: best = n == 0 ? entry : best; break;
        case RIDE_AGG_FIRST_SEEN: seen = seen || (entry == own && entry_hi == own_hi); break;
        case RIDE_AGG_DISTINCT: distinct += set_add(entity, (uint64_t)entry, (uint64_t)entry_hi); break;
        default: break;
        }
        n++;
    }
    if (plan->current && has_own && !own_counted) {
        switch (plan->op) {
        case RIDE_AGG_MIN: best = n == 0 || value_less(a, own, best) ? own : best; break;
        case RIDE_AGG_MAX: best = n == 0 || value_less(a, best, own) ? own : best; break;
        case RIDE_AGG_LAST: best = own; break;
        case RIDE_AGG_DISTINCT: distinct += set_add(entity, (uint64_t)own, (uint64_t)own_hi); break;
        default: break;
        }
        n++;
    }
    switch (plan->op) {
    case RIDE_AGG_MIN:
    case RIDE_AGG_MAX:
    case RIDE_AGG_LAST: value = n > 0 ? value_to_f64(a, best) : value; break;
    case RIDE_AGG_SINCE_LAST: value = newest_us != INT64_MIN ? ride_seconds(ride_time_sub(t, newest_us)) : value; break;
    case RIDE_AGG_FIRST_SEEN:
        if (rows->valid[a->lane_value] >> row & 1) value = seen ? 0.0 : 1.0;
        break;
    case RIDE_AGG_DISTINCT: value = (double)distinct; break;
    default: break;
    }
    rows->features[a - entity->aggregates][row] = ride_window_finish(plan, n, value);
}

#endif
