/* kernels/cuda/window.h: the value of one aggregate for one event, from its key's entries. Device code.
 *
 * Sums are differences of two entries; min, max, last, since_*, first_seen and distinct look at the entries of the window. */
#ifndef RIDE_KERNELS_CUDA_WINDOW_H
#define RIDE_KERNELS_CUDA_WINDOW_H
#include "kernels/cuda/row.h"

enum { RIDE_CUDA_EDGE_NONE = -1 };

/* An event that reads. Entries [0, at[e]) have passed edge e; past_cut: how many are gone; until: how many have time <= its own. */
typedef struct ride_cuda_reader {
    ride_cuda_pool *pool;
    ride_cuda_row row;
    ride_cuda_key *key; /* NULL: nothing in state */
    int64_t own_at;     /* position of its own entry when that is in state already (peers); else -1 */
    uint32_t past_cut, until;
    uint32_t at[RIDE_STATE_EDGES_MAX];
} ride_cuda_reader;

__device__ static inline int64_t ride_cuda_threshold(const ride_cuda_row *row, int32_t edge) {
    return ride_edge_threshold(&row->entity->edges[edge], row->time_us, row->program->zone,
                               row->program->plan->zone_transitions_count);
}

__device__ static inline void ride_cuda_reader_find(ride_cuda_reader *r) {
    const ride_cuda_entity *entity = r->row.entity;
    const bool none = r->key == NULL || r->key->count == 0;
    r->past_cut = none ? 0 : ride_cuda_passed(r->pool, entity, r->key, r->row.cut_us);
    r->until = none ? 0 : ride_cuda_passed(r->pool, entity, r->key, r->row.time_us);
    if (r->until < r->past_cut) r->until = r->past_cut;
    for (uint32_t e = 0; e < entity->plan->edges_count; e++) {
        uint32_t at = none ? 0 : ride_cuda_passed(r->pool, entity, r->key, ride_cuda_threshold(&r->row, (int32_t)e));
        r->at[e] = at < r->past_cut ? r->past_cut : at;
    }
}

/* The window's entries: [lo, hi). */
typedef struct ride_cuda_span {
    uint32_t lo, hi;
    uint32_t own_counted; /* the event's own entry is one of them */
} ride_cuda_span;

__device__ static inline ride_cuda_span ride_cuda_span_of(const ride_cuda_reader *r, const ride_plan_aggregate *a) {
    ride_cuda_span span;
    span.lo = a->edge_lo >= 0 ? r->at[a->edge_lo] : r->past_cut;
    span.hi = a->edge_hi >= 0 ? r->at[a->edge_hi] : r->until;
    if (span.lo > span.hi) span.lo = span.hi;
    span.own_counted = r->own_at >= (int64_t)span.lo && r->own_at < (int64_t)span.hi;
    return span;
}

/* ---- aggregates that are made of sums ---- */

/* upper - lower over three words, those past `words` being 0. */
__device__ static inline void ride_cuda_difference(const uint64_t *upper, const uint64_t *lower, uint32_t words,
                                                   uint64_t out[3]) {
    uint64_t borrow = 0;
    for (uint32_t w = 0; w < 3; w++) {
        if (w >= words) {
            out[w] = 0;
            continue;
        }
        const uint64_t part = upper[w] - lower[w];
        out[w] = part - borrow;
        borrow = (uint64_t)((upper[w] < lower[w]) | (part < borrow));
    }
}

/* Labels in the window that were not known yet at the event's time. */
__device__ static inline int64_t ride_cuda_labels_unknown(const ride_cuda_reader *r, const ride_plan_aggregate *a) {
    if (r->key->notes_count == 0) return 0;
    int64_t after_us = r->row.cut_us, until_us = r->row.time_us, sum = 0;
    if (a->edge_lo >= 0) {
        const int64_t threshold = ride_cuda_threshold(&r->row, a->edge_lo);
        if (threshold > after_us) after_us = threshold;
    }
    if (a->edge_hi >= 0) until_us = ride_cuda_threshold(&r->row, a->edge_hi);
    const ride_cuda_note *notes = ride_cuda_notes(r->pool, r->key);
    for (uint32_t i = 0; i < r->key->notes_count; i++)
        if (notes[i].known_us > r->row.time_us && notes[i].entry_us > after_us && notes[i].entry_us <= until_us &&
            (notes[i].lanes >> a->lane_sum & 1) != 0)
            sum += notes[i].delta;
    return sum;
}

/* What the window's entries add to a lane, into three words. */
__device__ static inline void ride_cuda_window_words(const ride_cuda_reader *r, int32_t lane, uint32_t words,
                                                     ride_cuda_span span, uint64_t out[3]) {
    out[0] = out[1] = out[2] = 0;
    if (span.lo == span.hi) return;
    const uint32_t word = (uint32_t)r->row.entity->lane_word[lane];
    ride_cuda_difference(ride_cuda_prefix(r->pool, r->row.entity, r->key, span.hi) + word,
                         ride_cuda_prefix(r->pool, r->row.entity, r->key, span.lo) + word, words, out);
}

/* Events of the window that have the column and meet the condition. own_times: 1 the event itself is to be added, -1 taken out. */
__device__ static inline uint64_t ride_cuda_window_count(const ride_cuda_reader *r, const ride_plan_aggregate *a,
                                                         ride_cuda_span span, int64_t own_times) {
    if (a->lane_count < 0) return (uint64_t)(span.hi - span.lo) + (uint64_t)(own_times * (int64_t)r->row.has_key);
    uint64_t words[3];
    ride_cuda_window_words(r, a->lane_count, 1, span, words);
    return words[0] +
           (uint64_t)(own_times * (int64_t)ride_cuda_lane_present(&r->row, &r->row.entity->lanes[a->lane_count]));
}

__device__ static inline double ride_cuda_of_sums(const ride_cuda_reader *r, const ride_plan_aggregate *a,
                                                  uint32_t *overflow) {
    uint32_t left = 0; /* a sum left its bits */
    const ride_cuda_span span = ride_cuda_span_of(r, a);
    const int64_t own_times = (int64_t)a->current - (int64_t)span.own_counted;
    const uint64_t n = ride_cuda_window_count(r, a, span, own_times);
    uint64_t sum[3] = {0, 0, 0}, squares[3] = {0, 0, 0}, own[3];
    if (a->op == RIDE_AGG_RISK) { /* labels: the event never sees its own */
        ride_cuda_window_words(r, a->lane_sum, 1, span, sum);
        if (span.lo != span.hi) sum[0] -= (uint64_t)ride_cuda_labels_unknown(r, a);
        ride_cuda_lane_adds(&r->row, (uint32_t)a->lane_sum, own);
        if (span.own_counted) sum[0] -= own[0];
    } else if (a->lane_sum >= 0) {
        ride_cuda_window_words(r, a->lane_sum, 2, span, sum);
        ride_cuda_lane_adds(&r->row, (uint32_t)a->lane_sum, own);
        const ride_u128 mine = ((ride_u128)own[1] << 64 | own[0]) * (ride_u128)(ride_i128)own_times;
        const ride_u128 all = ((ride_u128)sum[1] << 64 | sum[0]) + mine;
        sum[0] = (uint64_t)all;
        left |= (ride_i128)all != (ride_i128)(int64_t)sum[0];
    }
    if (a->lane_sumsq >= 0) {
        uint64_t all[3];
        const uint64_t none[3] = {0, 0, 0};
        ride_cuda_window_words(r, a->lane_sumsq, 3, span, all);
        ride_cuda_lane_adds(&r->row, (uint32_t)a->lane_sumsq, own);
        if (own_times > 0) {
            uint64_t less[3];
            ride_cuda_difference(none, own, 3, less);
            ride_cuda_difference(all, less, 3, squares);
        } else ride_cuda_difference(all, own_times < 0 ? own : none, 3, squares);
        left |= squares[2] != 0;
    }
    *overflow |= left;
    if (left) return ride_window_finish(a, n, ride_null_f64());
    return ride_window_of_sums(a, n, (int64_t)sum[0], (ride_u128)squares[1] << 64 | squares[0]);
}

/* ---- aggregates that look at entries ---- */

__device__ static inline double ride_cuda_value(const ride_plan_aggregate *a, const ride_plan_lane *lane,
                                                uint64_t bits) {
    if (a->is_decimal) return ride_decimal_to_f64((int64_t)bits, a->scale);
    return lane->is_u64 ? (double)bits : (double)(int64_t)bits;
}
__device__ static inline bool ride_cuda_less(const ride_plan_lane *lane, uint64_t a, uint64_t b) {
    return lane->is_u64 ? a < b : (int64_t)a < (int64_t)b;
}

/* First time of the chain that the counted entry at `position` belongs to, by going back from it. */
__device__ static inline int64_t ride_cuda_chain_start(const ride_cuda_reader *r, int32_t lane, uint32_t position) {
    const ride_cuda_entity *entity = r->row.entity;
    const int64_t lookback_us = entity->plan->lookback_us;
    uint32_t c = 0;
    while (entity->chain_lane[c] != lane) c++;
    const ride_cuda_chain *gone = &ride_cuda_chains(entity, r->key)[c];
    int64_t start_us = ride_cuda_entry_us(r->pool, entity, r->key, position);
    for (uint32_t p = position; p-- > 0;) {
        const uint64_t *entry = ride_cuda_entry(r->pool, entity, r->key, p);
        if (!ride_cuda_entry_has(entity, entry, lane)) continue;
        if (ride_time_sub(start_us, (int64_t)entry[0]) > lookback_us) return start_us;
        start_us = (int64_t)entry[0];
    }
    if (gone->last_us == INT64_MIN || ride_time_sub(start_us, gone->last_us) > lookback_us) return start_us;
    return gone->start_us;
}

/* Is the identity (lo, hi) among the entries [first, end) of those that count? */
__device__ static inline bool ride_cuda_identity_seen(const ride_cuda_reader *r, int32_t lane, uint32_t first,
                                                      uint32_t end, bool skip_own, uint64_t lo, uint64_t hi) {
    const ride_cuda_entity *entity = r->row.entity;
    const uint32_t word = entity->own_first + (uint32_t)entity->lane_word[lane];
    for (uint32_t p = first; p < end; p++) {
        if (skip_own && (int64_t)p == r->own_at) continue;
        const uint64_t *entry = ride_cuda_entry(r->pool, entity, r->key, p);
        if (ride_cuda_entry_has(entity, entry, lane) && entry[word] == lo && entry[word + 1] == hi) return true;
    }
    return false;
}

/* What a pass over the window's counted entries, from the newest on, found. */
typedef struct ride_cuda_found {
    uint64_t n, distinct, best;
    uint32_t newest; /* position, where n > 0 */
} ride_cuda_found;

__device__ static inline ride_cuda_found ride_cuda_scan(const ride_cuda_reader *r, const ride_plan_aggregate *a,
                                                        ride_cuda_span span, bool skip_own) {
    const ride_cuda_entity *entity = r->row.entity;
    const bool newest_only = a->min_count <= 1 && (a->op == RIDE_AGG_LAST || a->op == RIDE_AGG_SINCE_LAST ||
                                                   a->op == RIDE_AGG_SINCE_FIRST || a->op == RIDE_AGG_FIRST_SEEN);
    ride_cuda_found found = {0, 0, 0, 0};
    for (uint32_t p = span.hi; p-- > span.lo;) {
        if (skip_own && (int64_t)p == r->own_at) continue;
        const uint64_t *entry = ride_cuda_entry(r->pool, entity, r->key, p);
        if (!ride_cuda_entry_has(entity, entry, a->lane_value)) continue;
        if (a->op == RIDE_AGG_MIN || a->op == RIDE_AGG_MAX || a->op == RIDE_AGG_LAST) {
            const ride_plan_lane *lane = &entity->lanes[a->lane_value];
            const uint64_t value = entry[entity->own_first + (uint32_t)entity->lane_word[a->lane_value]];
            const bool takes = found.n == 0 || (a->op == RIDE_AGG_MIN && ride_cuda_less(lane, value, found.best)) ||
                               (a->op == RIDE_AGG_MAX && ride_cuda_less(lane, found.best, value));
            if (takes) found.best = value;
        } else if (a->op == RIDE_AGG_DISTINCT) {
            const uint32_t word = entity->own_first + (uint32_t)entity->lane_word[a->lane_value];
            found.distinct +=
                !ride_cuda_identity_seen(r, a->lane_value, p + 1, span.hi, skip_own, entry[word], entry[word + 1]);
        }
        if (found.n++ == 0) found.newest = p;
        if (newest_only) break;
    }
    return found;
}

__device__ static inline double ride_cuda_of_entries(const ride_cuda_reader *r, const ride_plan_aggregate *a) {
    const ride_cuda_entity *entity = r->row.entity;
    const ride_cuda_span span = ride_cuda_span_of(r, a);
    const ride_plan_lane *lane = a->lane_value >= 0 ? &entity->lanes[a->lane_value] : NULL;
    const bool predecessors = a->op == RIDE_AGG_FIRST_SEEN || a->op == RIDE_AGG_SINCE_LAST ||
                              a->op == RIDE_AGG_SINCE_FIRST; /* the event is never its own */
    const bool skip_own = span.own_counted && (predecessors || !a->current);
    const bool has_own = lane != NULL ? ride_cuda_lane_present(&r->row, lane) : r->row.has_key != 0;
    const bool add_own = a->current && has_own && (skip_own || !span.own_counted);
    ride_cuda_found found = ride_cuda_scan(r, a, span, skip_own);
    uint64_t own[2] = {0, 0};
    double value = ride_null_f64();
    if (lane != NULL) ride_cuda_lane_own(&r->row, lane, own);
    const int64_t newest_us = found.n > 0 ? ride_cuda_entry_us(r->pool, entity, r->key, found.newest) : 0;
    const bool add_value = add_own && !predecessors;
    switch (a->op) {
    case RIDE_AGG_MIN:
    case RIDE_AGG_MAX:
    case RIDE_AGG_LAST:
        if (add_value && (found.n == 0 || a->op == RIDE_AGG_LAST ||
                          (a->op == RIDE_AGG_MIN ? ride_cuda_less(lane, own[0], found.best)
                                                 : ride_cuda_less(lane, found.best, own[0]))))
            found.best = own[0];
        if (found.n > 0 || add_value) value = ride_cuda_value(a, lane, found.best);
        break;
    case RIDE_AGG_SINCE_LAST:
        if (found.n > 0) value = ride_seconds(ride_time_sub(r->row.time_us, newest_us));
        break;
    case RIDE_AGG_SINCE_FIRST:
        if (found.n > 0 && ride_time_sub(r->row.time_us, newest_us) <= entity->plan->lookback_us)
            value = ride_seconds(ride_time_sub(r->row.time_us, ride_cuda_chain_start(r, a->lane_value, found.newest)));
        break;
    case RIDE_AGG_FIRST_SEEN:
        if (ride_cuda_lane_valid(&r->row, lane))
            value = ride_cuda_identity_seen(r, a->lane_value, span.lo, span.hi, skip_own, own[0], own[1]) ? 0.0 : 1.0;
        break;
    case RIDE_AGG_DISTINCT:
        if (add_value && !ride_cuda_identity_seen(r, a->lane_value, span.lo, span.hi, skip_own, own[0], own[1]))
            found.distinct++;
        value = (double)found.distinct;
        break;
    default: break;
    }
    return ride_window_finish(a, found.n + add_own, value);
}

__device__ static inline double ride_cuda_aggregate(const ride_cuda_reader *r, const ride_plan_aggregate *a,
                                                    uint32_t *overflow) {
    switch (a->op) {
    case RIDE_AGG_MIN:
    case RIDE_AGG_MAX:
    case RIDE_AGG_LAST:
    case RIDE_AGG_SINCE_LAST:
    case RIDE_AGG_SINCE_FIRST:
    case RIDE_AGG_FIRST_SEEN:
    case RIDE_AGG_DISTINCT: return ride_cuda_of_entries(r, a);
    default: return ride_cuda_of_sums(r, a, overflow);
    }
}

#endif
