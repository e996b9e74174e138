/* kernels/cpu/form_finish.h: aggregates that are differences of prefixes, finished column by column. */
#ifndef RIDE_KERNELS_CPU_FORM_FINISH_H
#define RIDE_KERNELS_CPU_FORM_FINISH_H
#include "kernels/cpu/form_scan.h"

/* ---- aggregates that are differences of prefixes ---- */

static inline UWORD window_word(const ride_cpu_entity *entity, const ride_cpu_rows *rows, uint32_t w,
                                const ride_cpu_aggregate *a, uint32_t row) {
    const WORD *lo = raw_at(entity, rows, w, a->slot_lo < 0 ? EDGES : (uint32_t)a->slot_lo);
    const WORD *hi = raw_at(entity, rows, w, a->slot_hi < 0 ? EDGES : (uint32_t)a->slot_hi);
    return (UWORD)hi[row] - (UWORD)lo[row];
}

static inline void finish_row(const ride_cpu_entity *entity, const ride_cpu_rows *rows, uint32_t row,
                              const ride_cpu_aggregate *a, int own_times) {
    const WORD *own = rows->own;
    uint64_t n = a->word_count < 0 ? (uint64_t)(uint32_t)window_word(entity, rows, 0, a, row)
                                   : (uint64_t)window_word(entity, rows, 1 + (uint32_t)a->word_count, a, row);
    n += (uint64_t)(int64_t)own_times * (a->word_count < 0
                                             ? (rows->has_key >> row & 1)
                                             : (uint64_t)own[(uint32_t)a->word_count * RIDE_BLOCK_ROWS + row]);
    int64_t sum = 0;
    ride_u128 sumsq = 0;
    if (a->word_sum >= 0) {
        sum = (int64_t)(WORD)window_word(entity, rows, 1 + (uint32_t)a->word_sum, a, row);
        if (a->plan->op != RIDE_AGG_RISK)
            sum += own_times * (int64_t)own[(uint32_t)a->word_sum * RIDE_BLOCK_ROWS + row];
        else if (a->plan->peers && own_entry_counted(entity, rows, row, a))
            sum -= (int64_t)own[(uint32_t)a->word_sum * RIDE_BLOCK_ROWS + row];
    }
    if (a->word_sumsq >= 0 && sizeof(WORD) == 8) {
        uint32_t w = (uint32_t)a->word_sumsq;
        const WORD *lo = raw_at(entity, rows, 1 + w, a->slot_lo < 0 ? EDGES : (uint32_t)a->slot_lo);
        const WORD *hi = raw_at(entity, rows, 1 + w, a->slot_hi < 0 ? EDGES : (uint32_t)a->slot_hi);
        uint32_t next = (EDGES + 1) * RIDE_BLOCK_ROWS;
        ride_u128 upper = ((ride_u128)(uint64_t)hi[next + row] << 64) + (uint64_t)hi[row];
        ride_u128 lower = ((ride_u128)(uint64_t)lo[next + row] << 64) + (uint64_t)lo[row];
        ride_u128 mine = ((ride_u128)(uint64_t)own[(w + 1) * RIDE_BLOCK_ROWS + row] << 64) +
                         (uint64_t)own[w * RIDE_BLOCK_ROWS + row];
        sumsq = upper - lower + (own_times > 0 ? mine : 0) - (own_times < 0 ? mine : 0);
    }
    rows->features[a - entity->aggregates][row] = ride_window_of_sums(a->plan, n, sum, sumsq);
}

static inline ride_u128 word_pair(UWORD low, UWORD high) { return ((ride_u128)(uint64_t)high << 64) + (uint64_t)low; }

/* What the entries before `position` add to the 128-bit words w and w + 1. */
static inline ride_u128 prefix_pair(const ride_cpu_entity *entity, const ride_record *record, uint32_t position,
                                    uint32_t w) {
    return word_pair((UWORD)prefix_at(entity, record, position, w), (UWORD)prefix_at(entity, record, position, w + 1));
}

/* A sum whose window could leave 64 bits, by adding up the window's entries in 128. One that does is null and approximate. */
static inline void sum_row(ride_cpu_entity *entity, ride_cpu_rows *rows, uint32_t row, const ride_record *record,
                           const ride_cpu_aggregate *a, int64_t own_at) {
    bool counted = own_at >= 0 && own_entry_counted(entity, rows, row, a), overflow = false;
    int own_times = (int)a->plan->current - (int)counted;
    uint32_t lo = (uint32_t)raw_at(entity, rows, 0, a->slot_lo < 0 ? EDGES : (uint32_t)a->slot_lo)[row];
    uint32_t hi = (uint32_t)raw_at(entity, rows, 0, a->slot_hi < 0 ? EDGES : (uint32_t)a->slot_hi)[row];
    if (record == NULL || (int32_t)(hi - lo) < 0) hi = lo;
    if (!ride_cpu_sum_can_overflow(entity, (uint64_t)(hi - lo) + 1)) {
        finish_row(entity, rows, row, a, own_times);
        return;
    }
    const WORD *own = (const WORD *)rows->own + row;
    uint32_t w = (uint32_t)a->word_sum, w2 = (uint32_t)a->word_sumsq;
    bool squares = a->word_sumsq >= 0;
    ride_i128 sum = own_times > 0 ? own[w * RIDE_BLOCK_ROWS] : 0;
    ride_u128 sumsq = own_times > 0 && squares
                          ? word_pair((UWORD)own[w2 * RIDE_BLOCK_ROWS], (UWORD)own[(w2 + 1) * RIDE_BLOCK_ROWS])
                          : 0;
    for (uint32_t p = lo; p != hi; p++) {
        if (own_times < 0 && (int64_t)p == own_at) continue;
        sum += (WORD)((UWORD)prefix_at(entity, record, p + 1, w) - (UWORD)prefix_at(entity, record, p, w));
        if (!squares) continue;
        ride_u128 square = prefix_pair(entity, record, p + 1, w2) - prefix_pair(entity, record, p, w2);
        overflow = __builtin_add_overflow(sumsq, square, &sumsq) || overflow;
    }
    uint64_t n = a->word_count < 0 ? hi - lo : (uint64_t)window_word(entity, rows, 1 + (uint32_t)a->word_count, a, row);
    n += (uint64_t)own_times *
         (a->word_count < 0 ? (rows->has_key >> row & 1) : (uint64_t)own[(uint32_t)a->word_count * RIDE_BLOCK_ROWS]);
    overflow = overflow || sum != (int64_t)sum;
    if (overflow) rows->approx |= UINT64_C(1) << row;
    rows->features[a - entity->aggregates][row] = overflow ? ride_window_finish(a->plan, n, ride_null_f64())
                                                           : ride_window_of_sums(a->plan, n, (int64_t)sum, sumsq);
}

/* own_at: position of the row's own entry when that is in state already (peers); else -1. */
static inline void scan_all(ride_cpu_entity *entity, ride_cpu_rows *rows, uint32_t row, const ride_record *record,
                            bool peers, int64_t own_at, ride_record *remembers) {
    for (uint32_t i = 0; i < entity->aggregates_count; i++) {
        const ride_cpu_aggregate *a = &entity->aggregates[i];
        if (!a->scans || (a->plan->peers != 0) != peers) continue;
        if (sizeof(WORD) == 8 && ride_cpu_op_sums(a->plan->op)) sum_row(entity, rows, row, record, a, own_at);
        else scan_row(entity, rows, row, record, a, own_at, remembers);
    }
}

/* count, mean and risk of whole columns at once: the divisions are exact-integer divisions that fit 53 bits, rounded once. */
static inline bool finish_column(const ride_cpu_entity *entity, const ride_cpu_rows *rows,
                                 const ride_cpu_aggregate *a) {
    const ride_plan_aggregate *plan = a->plan;
    if (plan->min_count > 0 || sizeof(WORD) == 8) return false;
    if (plan->op != RIDE_AGG_COUNT && plan->op != RIDE_AGG_MEAN && plan->op != RIDE_AGG_RISK) return false;
    if (plan->op == RIDE_AGG_MEAN && plan->is_decimal && plan->scale > 6) return false;
    double *restrict out = rows->features[a - entity->aggregates];
    const WORD *own = rows->own;
    uint32_t lo = a->slot_lo < 0 ? EDGES : (uint32_t)a->slot_lo, hi = a->slot_hi < 0 ? EDGES : (uint32_t)a->slot_hi;
    const WORD *n_lo = raw_at(entity, rows, (uint32_t)(a->word_count + 1), lo),
               *n_hi = raw_at(entity, rows, (uint32_t)(a->word_count + 1), hi);
    int32_t n[RIDE_BLOCK_ROWS];
    for (uint32_t row = 0; row < RIDE_BLOCK_ROWS; row++) n[row] = (int32_t)((UWORD)n_hi[row] - (UWORD)n_lo[row]);
    if (plan->current) {
        const WORD *one =
            a->word_count < 0 ? (const WORD *)rows->key_word : own + (uint32_t)a->word_count * RIDE_BLOCK_ROWS;
        for (uint32_t row = 0; row < RIDE_BLOCK_ROWS; row++) n[row] += (int32_t)one[row];
    }
    uint32_t rows_count = rows->rows_count;
    if (plan->op == RIDE_AGG_COUNT) {
        for (uint32_t row = 0; row < rows_count; row++) out[row] = (double)n[row];
        return true;
    }
    const WORD *s_lo = raw_at(entity, rows, (uint32_t)(a->word_sum + 1), lo),
               *s_hi = raw_at(entity, rows, (uint32_t)(a->word_sum + 1), hi);
    int32_t sum[RIDE_BLOCK_ROWS];
    for (uint32_t row = 0; row < RIDE_BLOCK_ROWS; row++) sum[row] = (int32_t)((UWORD)s_hi[row] - (UWORD)s_lo[row]);
    if (plan->current && plan->op == RIDE_AGG_MEAN) {
        const WORD *mine = own + (uint32_t)a->word_sum * RIDE_BLOCK_ROWS;
        for (uint32_t row = 0; row < RIDE_BLOCK_ROWS; row++) sum[row] += (int32_t)mine[row];
    }
    double divisor = plan->op == RIDE_AGG_MEAN ? a->divisor : 1.0,
           empty = plan->has_empty ? plan->empty : ride_null_f64();
    /* no branch in the loop: it is to become vectors. Rows past the end have numbers too, and are not stored. */
    double value[RIDE_BLOCK_ROWS];
    for (uint32_t row = 0; row < RIDE_BLOCK_ROWS; row++) {
        double denominator = (double)(n[row] + (n[row] == 0)) * divisor;
        value[row] = (double)sum[row] / denominator;
    }
    uint64_t empty_bits;
    memcpy(&empty_bits, &empty, sizeof empty_bits);
    for (uint32_t row = 0; row < RIDE_BLOCK_ROWS; row++) {
        uint64_t bits, is_empty = 0 - (uint64_t)(n[row] == 0);
        memcpy(&bits, &value[row], sizeof bits);
        bits = (bits & ~is_empty) | (empty_bits & is_empty);
        memcpy(&value[row], &bits, sizeof bits);
    }
    memcpy(out, value, rows_count * sizeof *out);
    return true;
}

static inline void finish(const ride_cpu_entity *entity, const ride_cpu_rows *rows) {
    for (uint32_t i = 0; i < entity->aggregates_count; i++) {
        const ride_cpu_aggregate *a = &entity->aggregates[i];
        if (a->scans || (a->plan->peers != 0) != rows->is_peers) continue;
        if (!rows->is_peers && finish_column(entity, rows, a)) continue;
        for (uint32_t row = 0; row < rows->rows_count; row++) {
            if (rows->flags[row] & (RIDE_ROW_LABEL | RIDE_ROW_SKIP)) continue;
            int times = a->plan->current;
            if (rows->is_peers) times -= own_entry_counted(entity, rows, row, a); /* its entry is in state already */
            finish_row(entity, rows, row, a, times);
        }
    }
}

#endif
