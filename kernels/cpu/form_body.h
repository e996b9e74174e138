/* kernels/cpu/form_body.h: the row loop of an entity, included once per form by form_narrow.c and form_wide.c, which
 * define WORD (the word type), UWORD (its unsigned twin), WORD_END (the time word of a slot not yet filled) and
 * FORM(name). What is here is the whole life of an entry: append, late insert, edges, labels, expiry. */

static inline WORD time_to_word(int64_t us);
static inline int64_t word_to_time(WORD word);

#define SHIFT (entity->layout.block_shift)
#define WORDS (entity->layout.cumulative_words)
#define EDGES (entity->layout.edges_padded)

static inline WORD *block_at(const ride_cpu_entity *entity, const ride_record *record, uint32_t block) {
    uint32_t i = block - record->base_block;
    i -= i >= record->ring_blocks ? record->ring_blocks : 0;
    return (WORD *)(entity->slab.base +
                    ((uint64_t)record->ring + (uint64_t)i * entity->layout.block_lines) * RIDE_STATE_LINE_BYTES);
}
static inline WORD *record_words(const ride_record *record, uint32_t offset) {
    return (WORD *)((uint8_t *)record + offset);
}
static inline uint32_t *record_positions(const ride_cpu_entity *entity, const ride_record *record) {
    return (uint32_t *)((uint8_t *)record + entity->layout.offset_position);
}

/* Cumulative word w of the slot at `position` (<= n): the total before it. */
static inline WORD prefix_at(const ride_cpu_entity *entity, const ride_record *record, uint32_t position, uint32_t w) {
    return block_at(entity, record, position >> SHIFT)[((1 + w) << SHIFT) + (position & ((1u << SHIFT) - 1))];
}
static inline WORD time_at(const ride_cpu_entity *entity, const ride_record *record, uint32_t position) {
    return block_at(entity, record, position >> SHIFT)[position & ((1u << SHIFT) - 1)];
}

/* total += added, with carries between the halves of 128-bit words. */
static inline void words_add(const ride_cpu_entity *entity, WORD *total, uint32_t total_stride, const WORD *added,
                             uint32_t added_stride, uint32_t words) {
    for (uint32_t w = 0; w < words; w++) {
        UWORD sum = (UWORD)total[w * total_stride] + (UWORD)added[w * added_stride];
        if (sizeof(WORD) == 8 && entity->word_is_low[w]) {
            UWORD carry = sum < (UWORD)added[w * added_stride];
            total[(w + 1) * total_stride] = (WORD)((UWORD)total[(w + 1) * total_stride] + carry);
        }
        total[w * total_stride] = (WORD)sum;
    }
}

/* ---- expiry and growth ---- */

/* Moves `first` past entries that no reader may see any more. */
static void drop_expired(ride_cpu_entity *entity, ride_record *record) {
    const uint32_t *position = record_positions(entity, record);
    int64_t cut = ride_time_sub(entity->clock_us, entity->retention_us);
    uint32_t oldest_read = record->n;
    for (uint32_t e = 0; e < entity->layout.edges_count; e++)
        if ((int32_t)(position[e] - oldest_read) < 0) oldest_read = position[e];
    if (ride_time_sub(record->last_us, entity->need_us) <=
        cut) { /* what the longest window has left is gone: no look needed */
        if ((int32_t)(oldest_read - record->first) > 0) record->first = oldest_read;
        return;
    }
    WORD cut_word = time_to_word(cut);
    while ((record->first >> SHIFT) < (oldest_read >> SHIFT)) {
        uint32_t block = record->first >> SHIFT;
        if (block_at(entity, record, block)[(1u << SHIFT) - 1] > cut_word) break;
        record->first = (block + 1) << SHIFT;
    }
}

/* A ring with one more class of room; blocks move to its beginning in order. */
static bool ring_grow(ride_cpu_entity *entity, ride_record *record, uint32_t blocks_kept) {
    uint32_t ring_class = record->ring == 0 ? 0 : record->ring_class + 1;
    uint32_t line = ride_slab_take(&entity->slab, ring_class);
    if (line == 0) return false;
    uint32_t block_bytes = entity->layout.block_lines * RIDE_STATE_LINE_BYTES, first_block = record->first >> SHIFT;
    uint8_t *to = entity->slab.base + (uint64_t)line * RIDE_STATE_LINE_BYTES;
    for (uint32_t b = 0; b < blocks_kept; b++)
        memcpy(to + (uint64_t)b * block_bytes, block_at(entity, record, first_block + b), block_bytes);
    ride_slab_give(&entity->slab, record->ring, record->ring_class);
    record->ring = line;
    record->ring_class = ring_class;
    record->ring_blocks = ride_state_ring_blocks(ring_class);
    record->base_block = first_block;
    return true;
}

/* Positions are 32 bits: long before they wrap, all of a key's are moved down together. */
static void positions_rebase(ride_cpu_entity *entity, ride_record *record) {
    uint32_t *position = record_positions(entity, record);
    uint32_t down = record->base_block << SHIFT;
    record->n -= down;
    record->first -= down;
    record->base_block = 0;
    for (uint32_t e = 0; e < entity->layout.edges_count; e++) position[e] -= down;
}

/* n stands at the start of a block: makes it exist, empty, with the totals as the first slot's prefixes. */
static void block_open(ride_cpu_entity *entity, ride_record *record) {
    if (record->ring != 0) {
        if ((record->n >> SHIFT) - (record->first >> SHIFT) >= record->ring_blocks) drop_expired(entity, record);
        uint32_t live = record->n - record->first;
        if (live > entity->live_max) entity->live_max = live;
        if ((record->first >> SHIFT) - record->base_block >= record->ring_blocks)
            record->base_block += record->ring_blocks;
        if (record->n >= UINT32_C(1) << 31) positions_rebase(entity, record);
    }
    uint32_t blocks_kept = (record->n >> SHIFT) - (record->first >> SHIFT);
    if (record->ring == 0 || blocks_kept >= record->ring_blocks) {
        if (!ring_grow(entity, record, record->ring == 0 ? 0 : blocks_kept)) {
            entity->out_of_memory = true; /* submit fails with RIDE_E_MEMORY; stay inside the ring until then */
            record->first += 1u << SHIFT;
            if ((record->first >> SHIFT) - record->base_block >= record->ring_blocks)
                record->base_block += record->ring_blocks;
            if (record->ring == 0) return;
        }
    }
    WORD *block = block_at(entity, record, record->n >> SHIFT);
    const WORD *total = record_words(record, entity->layout.offset_total);
    for (uint32_t j = 0; j < 1u << SHIFT; j++) block[j] = WORD_END;
    for (uint32_t w = 0; w < WORDS; w++) block[(1 + w) << SHIFT] = total[w];
}

static void record_init(ride_cpu_entity *entity, ride_record *record) {
    WORD *word = record_words(record, entity->layout.offset_word);
    for (uint32_t e = 0; e < EDGES; e++) word[e] = WORD_END;
    record->last_us = INT64_MIN;
    block_open(entity, record);
}

/* The newest entry: its own words are already in the slot; now time, totals and the next slot. */
static inline void slot_fill(ride_cpu_entity *entity, ride_record *record, WORD time_word, const WORD *added,
                             uint32_t added_stride, const uint32_t shift, const uint32_t words) {
    uint32_t mask = (1u << shift) - 1;
    WORD *block = block_at(entity, record, record->n >> shift),
         *total = record_words(record, entity->layout.offset_total);
    block[record->n & mask] = time_word;
    words_add(entity, total, 1, added, added_stride, words);
    record->n++;
    if ((record->n & mask) != 0)
        for (uint32_t w = 0; w < words; w++) block[((1 + w) << shift) + (record->n & mask)] = total[w];
    else block_open(entity, record);
}

/* ---- edges ---- */

/* First kept position whose time is past the threshold. */
static uint32_t position_search(const ride_cpu_entity *entity, const ride_record *record, WORD threshold) {
    uint32_t lo = record->first >> SHIFT, hi = (record->n >> SHIFT) + 1; /* last block whose first time <= threshold */
    while (lo < hi) {
        uint32_t middle = lo + (hi - lo) / 2;
        if (block_at(entity, record, middle)[0] <= threshold) lo = middle + 1;
        else hi = middle;
    }
    if (lo == record->first >> SHIFT) return record->first;
    const WORD *block = block_at(entity, record, lo - 1);
    uint32_t passed = 0;
    for (uint32_t j = 0; j < 1u << SHIFT; j++) passed += block[j] <= threshold;
    uint32_t position = ((lo - 1) << SHIFT) + passed;
    return position < record->first ? record->first : position;
}

static void edge_set(const ride_cpu_entity *entity, ride_record *record, uint32_t e, uint32_t position) {
    WORD *prefix = record_words(record, entity->layout.offset_prefix);
    record_positions(entity, record)[e] = position;
    record_words(record, entity->layout.offset_word)[e] = time_at(entity, record, position);
    for (uint32_t w = 0; w < WORDS; w++) prefix[w * EDGES + e] = prefix_at(entity, record, position, w);
}

/* All edges anew, as the newest entry left them. */
static void edges_refresh(ride_cpu_entity *entity, ride_record *record) {
    for (uint32_t p = 0; p < entity->plan->edges_count; p++) {
        int32_t slot = entity->layout.edge_slot[p];
        if (slot < 0) continue;
        WORD threshold =
            time_to_word(ride_edge_threshold(&entity->edges[p], record->last_us, entity->zone, entity->zone_count));
        edge_set(entity, record, (uint32_t)slot,
                 record->last_us == INT64_MIN ? record->n : position_search(entity, record, threshold));
    }
}

/* The entry at edge e has expired: on to the first that has not. The block is sorted and its empty slots hold the greatest
 * time, so the number of passed entries is the new slot. */
static inline void edge_move(const ride_cpu_entity *entity, ride_record *record, uint32_t e, WORD threshold,
                             const uint32_t shift, const uint32_t words) {
    uint32_t *position = record_positions(entity, record);
    for (uint32_t b = (position[e] + 1) >> shift;; b++) {
        const WORD *block = block_at(entity, record, b);
        uint32_t passed = 0;
        for (uint32_t j = 0; j < 1u << shift; j++) passed += block[j] <= threshold;
        if (passed == 1u << shift) continue;
        WORD *prefix = record_words(record, entity->layout.offset_prefix);
        position[e] = (b << shift) + passed;
        record_words(record, entity->layout.offset_word)[e] = block[passed];
        for (uint32_t w = 0; w < words; w++) prefix[w * EDGES + e] = block[((1 + w) << shift) + passed];
        return;
    }
}

/* ---- a row read as of its own time: late rows, rows that do not enter, peers ---- */

static inline WORD *raw_at(const ride_cpu_entity *entity, const ride_cpu_rows *rows, uint32_t w, uint32_t edge) {
    return (WORD *)rows->raw + ((uint64_t)w * (EDGES + 1) + edge) * RIDE_BLOCK_ROWS;
}

static void raw_zero(const ride_cpu_entity *entity, ride_cpu_rows *rows, uint32_t row) {
    for (uint32_t w = 0; w <= WORDS; w++)
        for (uint32_t e = 0; e <= EDGES; e++) raw_at(entity, rows, w, e)[row] = 0;
}

static void raw_search(ride_cpu_entity *entity, ride_cpu_rows *rows, uint32_t row, const ride_record *record) {
    int64_t t = rows->time_us[row], cut = ride_time_sub(rows->clock_us[row], entity->retention_us);
    for (uint32_t p = 0; p < entity->plan->edges_count + 1; p++) {
        bool newest =
            p == entity->plan->edges_count; /* upper end at t itself, always there for aggregates without an edge */
        int32_t slot = newest ? -1 : entity->layout.edge_slot[p];
        if (slot < 0 && !newest) continue;
        uint32_t e = newest ? EDGES : (uint32_t)slot;
        int64_t threshold = newest ? t : ride_edge_threshold(&entity->edges[p], t, entity->zone, entity->zone_count);
        if (threshold < cut) threshold = cut;
        uint32_t position = position_search(entity, record, time_to_word(threshold));
        raw_at(entity, rows, 0, e)[row] = (WORD)position;
        for (uint32_t w = 0; w < WORDS; w++)
            raw_at(entity, rows, 1 + w, e)[row] = prefix_at(entity, record, position, w);
        for (uint32_t i = record->patches; i != 0;
             i = entity->patches[i - 1].next) { /* labels that were not known at t */
            const ride_label_patch *patch = &entity->patches[i - 1];
            if (patch->known_us <= t || patch->entry_us > threshold || patch->entry_us <= cut) continue;
            for (uint32_t l = 0; l < entity->layout.lanes_count; l++)
                if (patch->lanes >> l & 1)
                    raw_at(entity, rows, 1 + (uint32_t)entity->layout.lane_word[l], e)[row] -= (WORD)patch->delta;
        }
    }
}

/* ---- entering ---- */

static inline void own_words_write(const ride_cpu_entity *entity, ride_record *record, const ride_cpu_rows *rows,
                                   uint32_t row) {
    if (entity->layout.own_words == 0) return;
    WORD *block = block_at(entity, record, record->n >> SHIFT);
    uint32_t slot = record->n & ((1u << SHIFT) - 1);
    for (uint32_t w = 0; w < entity->layout.own_words; w++)
        block[((1 + WORDS + w) << SHIFT) + slot] = (WORD)rows->own_value[w * RIDE_BLOCK_ROWS + row];
}

static void chain_extend(const ride_cpu_entity *entity, ride_record *record, int64_t t) {
    if (record->last_us == INT64_MIN || ride_time_sub(t, record->last_us) > entity->lookback_us) record->chain_us = t;
}

/* A late event: appended, then moved down to its place; entries behind it get its amounts into their prefixes. */
static void insert_late(ride_cpu_entity *entity, ride_cpu_rows *rows, uint32_t row, ride_record *record) {
    int64_t t = rows->time_us[row];
    WORD time_word = time_to_word(t);
    const WORD *added = (const WORD *)rows->own + row;
    uint32_t at = position_search(entity, record, time_word), mask = (1u << SHIFT) - 1;
    own_words_write(entity, record, rows, row);
    slot_fill(entity, record, time_word, added, RIDE_BLOCK_ROWS, SHIFT, WORDS);
    if ((int32_t)(at - record->first) < 0) at = record->first; /* slot_fill may have dropped expired blocks */
    uint32_t newest = record->n - 1, own = entity->layout.own_words;
    WORD own_saved[RIDE_WORDS_MAX];
    for (uint32_t w = 0; w < own; w++)
        own_saved[w] = block_at(entity, record, newest >> SHIFT)[((1 + WORDS + w) << SHIFT) + (newest & mask)];
    for (uint32_t p = newest; p != at; p--) { /* slot p becomes what p - 1 was, after the new entry */
        WORD *to = block_at(entity, record, p >> SHIFT) + (p & mask),
             *from = block_at(entity, record, (p - 1) >> SHIFT) + ((p - 1) & mask);
        to[0] = from[0];
        for (uint32_t w = 0; w < WORDS + own; w++) to[(1 + w) << SHIFT] = from[(1 + w) << SHIFT];
        words_add(entity, to + (1u << SHIFT), 1u << SHIFT, added, RIDE_BLOCK_ROWS, WORDS);
    }
    WORD *slot = block_at(entity, record, at >> SHIFT) + (at & mask);
    slot[0] = time_word;
    for (uint32_t w = 0; w < own; w++) slot[(1 + WORDS + w) << SHIFT] = own_saved[w];
    if (t < record->chain_us) { /* becomes the first of the chain; an older chain may reach it */
        int64_t chain = t;
        for (uint32_t p = at; p != record->first; p--) {
            int64_t before = word_to_time(time_at(entity, record, p - 1));
            if (ride_time_sub(chain, before) > entity->lookback_us) break;
            chain = before;
        }
        if (ride_time_sub(record->chain_us, t) <= entity->lookback_us) record->chain_us = chain;
    }
    edges_refresh(entity, record);
    entity->stats.late_inserts++;
}

/* A label became known: the earliest entry of that time that does not have it yet. */
static void label_apply(ride_cpu_entity *entity, ride_cpu_rows *rows, uint32_t row, ride_record *record) {
    int64_t t = rows->time_us[row];
    WORD time_word = time_to_word(t);
    if (word_to_time(time_word) != t || record->last_us == INT64_MIN) return;
    uint32_t end = position_search(entity, record, time_word), start = end, mask = (1u << SHIFT) - 1;
    while (start != record->first && time_at(entity, record, start - 1) == time_word) start--;
    WORD *prefix = record_words(record, entity->layout.offset_prefix),
         *total = record_words(record, entity->layout.offset_total);
    const uint32_t *position = record_positions(entity, record);
    int32_t delta = rows->label[row] != 0 ? 1 : -1;
    uint64_t changed = 0;
    for (uint32_t l = 0; l < entity->layout.lanes_count; l++) {
        if (entity->lanes[l].kind != RIDE_LANE_LABEL) continue;
        uint32_t w = (uint32_t)entity->layout.lane_word[l];
        int32_t condition = entity->label_count_word[l];
        uint32_t p = start;
        for (; p != end; p++) {
            bool meets = condition < 0 || prefix_at(entity, record, p + 1, (uint32_t)condition) !=
                                              prefix_at(entity, record, p, (uint32_t)condition);
            bool has = prefix_at(entity, record, p + 1, w) != prefix_at(entity, record, p, w);
            if (meets && has == (delta < 0)) break;
        }
        if (p == end) continue;
        changed |= UINT64_C(1) << l;
        for (uint32_t q = p + 1; q != record->n + 1; q++)
            block_at(entity, record, q >> SHIFT)[((1 + w) << SHIFT) + (q & mask)] += (WORD)delta;
        total[w] += (WORD)delta;
        for (uint32_t e = 0; e < entity->layout.edges_count; e++)
            if ((int32_t)(position[e] - p) > 0) prefix[w * EDGES + e] += (WORD)delta;
    }
    if (changed != 0) record->patches = ride_cpu_patch_add(entity, record, t, rows->clock_us[row], delta, changed);
}

/* ---- aggregates that read entries ---- */

static inline bool entry_present(const ride_cpu_entity *entity, const WORD *block, uint32_t slot, int32_t lane) {
    if (lane < 0 || entity->layout.presence_word < 0) return true;
    return (uint64_t)block[((1 + WORDS + (uint32_t)entity->layout.presence_word) << SHIFT) + slot] >> lane & 1;
}

static double value_to_f64(const ride_cpu_aggregate *aggregate, int64_t value) {
    if (aggregate->plan->is_decimal) return ride_decimal_to_f64(value, aggregate->plan->scale);
    return aggregate->is_u64 ? (double)(uint64_t)value : (double)value;
}

static inline bool value_less(const ride_cpu_aggregate *aggregate, int64_t a, int64_t b) {
    return aggregate->is_u64 ? (uint64_t)a < (uint64_t)b : a < b;
}

/* Adds a pair to the scratch set of `distinct`; the set has room for twice the window. */
static bool set_add(ride_cpu_entity *entity, uint64_t lo, uint64_t hi) {
    uint64_t mask = entity->distinct_max - 1, at = ride_key_hash((ride_key128){lo, hi}) >> 20;
    for (;; at++) {
        uint64_t *pair = &entity->distinct_set[3 * (at & mask)];
        if (pair[2] == 0) {
            pair[0] = lo, pair[1] = hi, pair[2] = 1;
            return true;
        }
        if (pair[0] == lo && pair[1] == hi) return false;
    }
}

static bool set_reset(ride_cpu_entity *entity, uint64_t entries) {
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
    memset(entity->distinct_set, 0, 3 * entity->distinct_max * sizeof(uint64_t));
    return true;
}

/* peers: 1 when the row's own entry, by now in state, lies in the aggregate's window. */
static int own_entry_counted(const ride_cpu_entity *entity, const ride_cpu_rows *rows, uint32_t row,
                             const ride_cpu_aggregate *a) {
    int64_t t = rows->time_us[row];
    if (!(rows->flags[row] & RIDE_ROW_ENTERS)) return 0;
    bool passed_lo = a->plan->edge_lo >= 0 &&
                     t <= ride_edge_threshold(&entity->edges[a->plan->edge_lo], t, entity->zone, entity->zone_count);
    bool passed_hi = a->plan->edge_hi < 0 ||
                     t <= ride_edge_threshold(&entity->edges[a->plan->edge_hi], t, entity->zone, entity->zone_count);
    return passed_hi && !passed_lo && t > ride_time_sub(rows->clock_us[row], entity->retention_us);
}

static void scan_row(ride_cpu_entity *entity, const ride_cpu_rows *rows, uint32_t row, const ride_record *record,
                     const ride_cpu_aggregate *a, bool own_is_in_state) {
    const ride_plan_aggregate *plan = a->plan;
    int64_t t = rows->time_us[row];
    bool has_own = rows->has_key >> row & 1, own_counted = own_is_in_state && own_entry_counted(entity, rows, row, a),
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
    if (plan->op ==
        RIDE_AGG_SINCE_FIRST) { /* the chain of the window's newest entry may be older than the ring: the record knows it */
        if (hi != lo) {
            int64_t newest = word_to_time(time_at(entity, record, hi - 1)), chain = record->chain_us;
            if (newest < chain) { /* an older chain: walk it */
                chain = newest;
                for (uint32_t p = hi - 1; p != record->first; p--) {
                    int64_t before = word_to_time(time_at(entity, record, p - 1));
                    if (ride_time_sub(chain, before) > entity->lookback_us) break;
                    chain = before;
                }
            }
            if (ride_time_sub(t, newest) <= entity->lookback_us) value = ride_seconds(ride_time_sub(t, chain));
        }
        rows->features[a - entity->aggregates][row] =
            ride_window_finish(plan, hi - lo + (plan->current && has_own), value);
        return;
    }
    if (plan->op == RIDE_AGG_DISTINCT && !set_reset(entity, hi - lo)) return;
    uint32_t mask = (1u << SHIFT) - 1;
    for (uint32_t p = hi; p != lo && (take_all || n == 0 || (plan->op == RIDE_AGG_FIRST_SEEN && !seen)); p--) {
        const WORD *block = block_at(entity, record, (p - 1) >> SHIFT);
        uint32_t slot = (p - 1) & mask;
        if (!entry_present(entity, block, slot, a->lane_value)) continue;
        int64_t entry =
            a->word_value >= 0 ? (int64_t)block[((1 + WORDS + (uint32_t)a->word_value) << SHIFT) + slot] : 0;
        int64_t entry_us = word_to_time(block[slot]);
        int64_t entry_hi = 0;
        if (plan->op == RIDE_AGG_DISTINCT || plan->op == RIDE_AGG_FIRST_SEEN)
            entry_hi = (int64_t)block[((2 + WORDS + (uint32_t)a->word_value) << SHIFT) + slot];
        if (skip_own && has_own && entry_us == t && entry == own &&
            entry_hi == own_hi) { /* peers: any one equal to it stands for it */
            skip_own = false;
            continue;
        }
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

static void scan_all(ride_cpu_entity *entity, const ride_cpu_rows *rows, uint32_t row, const ride_record *record,
                     bool peers) {
    for (uint32_t i = 0; i < entity->aggregates_count; i++) {
        const ride_cpu_aggregate *a = &entity->aggregates[i];
        if (a->scans && (a->plan->peers != 0) == peers) scan_row(entity, rows, row, record, a, peers);
    }
}

/* ---- the row loop ---- */

/* Bit per stored edge whose entry the threshold has passed. */
static inline uint64_t edges_passed(const WORD *word, const WORD *threshold, uint32_t edges) {
    uint64_t passed = 0;
    for (uint32_t e = 0; e < edges; e++) passed |= (uint64_t)(word[e] <= threshold[e]) << e;
    return passed;
}

static inline bool is_plain(const ride_cpu_entity *entity, const ride_cpu_rows *rows, uint32_t row,
                            const ride_record *record) {
    int64_t t = rows->time_us[row];
    if (!(rows->flags[row] & RIDE_ROW_ENTERS) || t < record->last_us) return false;
    if (record->patches != 0 && entity->patches[record->patches - 1].known_us > t) return false;
    return ride_time_sub(t, entity->need_us) >= ride_time_sub(rows->clock_us[row], entity->retention_us);
}

RIDE_INLINE void row_plain(ride_cpu_entity *entity, ride_cpu_rows *rows, uint32_t row, ride_record *record,
                           const uint32_t shift, const uint32_t words, const uint32_t edges) {
    const WORD *threshold = (const WORD *)rows->threshold + (uint64_t)row * edges;
    WORD *word = record_words(record, entity->layout.offset_word),
         *prefix = record_words(record, entity->layout.offset_prefix);
    const WORD *total = record_words(record, entity->layout.offset_total);
    const uint32_t *position = record_positions(entity, record);
    for (uint64_t passed = edges_passed(word, threshold, edges); passed != 0; passed &= passed - 1) {
        uint32_t e = (uint32_t)__builtin_ctzll(passed);
        edge_move(entity, record, e, threshold[e], shift, words);
    }
    WORD *raw = (WORD *)rows->raw + row;
    for (uint32_t e = 0; e < edges; e++) raw[e * RIDE_BLOCK_ROWS] = (WORD)position[e];
    raw[edges * RIDE_BLOCK_ROWS] = (WORD)record->n;
    for (uint32_t w = 0; w < words; w++) {
        raw += (edges + 1) * RIDE_BLOCK_ROWS;
        for (uint32_t e = 0; e < edges; e++) raw[e * RIDE_BLOCK_ROWS] = prefix[w * edges + e];
        raw[edges * RIDE_BLOCK_ROWS] = total[w];
    }
    if (entity->any_scan) scan_all(entity, rows, row, record, false);
    WORD time_word = ((const WORD *)rows->time_word)[row];
    for (uint32_t e = 0; e < edges; e++)
        word[e] = word[e] == WORD_END ? time_word : word[e]; /* an edge at the end meets the entry */
    own_words_write(entity, record, rows, row);
    chain_extend(entity, record, rows->time_us[row]);
    record->last_us = rows->time_us[row];
    slot_fill(entity, record, time_word, (const WORD *)rows->own + row, RIDE_BLOCK_ROWS, shift, words);
}

static void row_other(ride_cpu_entity *entity, ride_cpu_rows *rows, uint32_t row, ride_record *record) {
    if (rows->flags[row] & RIDE_ROW_LABEL) {
        if (record != NULL && entity->labels_from_source) label_apply(entity, rows, row, record);
        return;
    }
    if (rows->flags[row] & RIDE_ROW_SKIP) return;
    int64_t cut = ride_time_sub(rows->clock_us[row], entity->retention_us);
    if ((rows->has_key >> row & 1) && ride_time_sub(rows->time_us[row], entity->need_us) < cut)
        rows->approx |= UINT64_C(1) << row;
    if (record == NULL) {
        raw_zero(entity, rows, row);
        if (entity->any_scan) scan_all(entity, rows, row, NULL, false);
        return;
    }
    raw_search(entity, rows, row, record);
    if (entity->any_scan) scan_all(entity, rows, row, record, false);
    if (!(rows->flags[row] & RIDE_ROW_ENTERS)) return;
    if (rows->time_us[row] < record->last_us) {
        insert_late(entity, rows, row, record);
        return;
    }
    own_words_write(entity, record, rows, row);
    chain_extend(entity, record, rows->time_us[row]);
    record->last_us = rows->time_us[row];
    slot_fill(entity, record, ((const WORD *)rows->time_word)[row], (const WORD *)rows->own + row, RIDE_BLOCK_ROWS,
              SHIFT, WORDS);
    edges_refresh(entity, record);
}

RIDE_INLINE void rows_apply(ride_cpu_entity *entity, ride_cpu_rows *rows, const uint32_t shift, const uint32_t words,
                            const uint32_t edges) {
    for (uint32_t row = 0; row < rows->rows_count; row++) {
        ride_record *record = rows->record[row] == RIDE_NO_RECORD ? NULL : ride_cpu_record(entity, rows->record[row]);
        if (!(rows->flags[row] & RIDE_ROW_LABEL) && rows->clock_us[row] > entity->clock_us)
            entity->clock_us = rows->clock_us[row];
        if (RIDE_LIKELY(record != NULL && is_plain(entity, rows, row, record)))
            row_plain(entity, rows, row, record, shift, words, edges);
        else row_other(entity, rows, row, record);
    }
}

/* The common shapes get their own copy of the loop, with the shape known to the compiler. */
static void apply(ride_cpu_entity *entity, ride_cpu_rows *rows) {
    if (EDGES == 4 && WORDS == 1 && SHIFT == FORM_SHIFT_1) rows_apply(entity, rows, FORM_SHIFT_1, 1, 4);
    else if (EDGES == 4 && WORDS == 0 && SHIFT == FORM_SHIFT_0) rows_apply(entity, rows, FORM_SHIFT_0, 0, 4);
    else if (EDGES == 4 && WORDS == 2 && SHIFT == FORM_SHIFT_2) rows_apply(entity, rows, FORM_SHIFT_2, 2, 4);
    else if (EDGES == 8 && WORDS == 1 && SHIFT == FORM_SHIFT_1) rows_apply(entity, rows, FORM_SHIFT_1, 1, 8);
    else rows_apply(entity, rows, SHIFT, WORDS, EDGES);
}

/* Reads peers aggregates of rows whose whole group is in state. */
static void peers(ride_cpu_entity *entity, ride_cpu_rows *rows) {
    for (uint32_t row = 0; row < rows->rows_count; row++) {
        if (rows->flags[row] & (RIDE_ROW_LABEL | RIDE_ROW_SKIP)) continue;
        ride_record *record = rows->record[row] == RIDE_NO_RECORD ? NULL : ride_cpu_record(entity, rows->record[row]);
        if (record != NULL) raw_search(entity, rows, row, record);
        else raw_zero(entity, rows, row);
        scan_all(entity, rows, row, record, true);
    }
}

static void prefetch(const ride_cpu_entity *entity, const ride_cpu_rows *rows) {
    for (uint32_t row = 0; row < rows->rows_count; row++) {
        if (rows->record[row] == RIDE_NO_RECORD) continue;
        const ride_record *record = ride_cpu_record(entity, rows->record[row]);
        if (record->ring == 0) continue;
        const WORD *word = record_words(record, entity->layout.offset_word);
        const uint32_t *position = record_positions(entity, record);
        uint32_t newest = record->n >> SHIFT;
        __builtin_prefetch(block_at(entity, record, newest), 1);
        for (uint64_t passed = edges_passed(word, (const WORD *)rows->threshold + (uint64_t)row * EDGES, EDGES);
             passed != 0; passed &= passed - 1) {
            uint32_t block = (position[__builtin_ctzll(passed)] + 1) >> SHIFT;
            if (block != newest) __builtin_prefetch(block_at(entity, record, block));
        }
    }
}

static void thresholds(const ride_cpu_entity *entity, ride_cpu_rows *rows) {
    WORD *threshold = rows->threshold, *time_word = rows->time_word;
    uint32_t n = rows->rows_count;
    for (uint32_t row = 0; row < n; row++) time_word[row] = time_to_word(rows->time_us[row]);
    for (uint32_t e = entity->layout.edges_count; e < EDGES; e++)
        for (uint32_t row = 0; row < n; row++) threshold[row * EDGES + e] = WORD_NONE; /* a padding edge never moves */
    for (uint32_t p = 0; p < entity->plan->edges_count; p++) {
        int32_t slot = entity->layout.edge_slot[p];
        const ride_plan_edge *edge = &entity->edges[p];
        if (slot < 0) continue;
        if (edge->kind == RIDE_EDGE_OFFSET && WORD_IS_LINEAR) {
            WORD offset = OFFSET_TO_WORD(edge->offset_us);
            for (uint32_t row = 0; row < n; row++) threshold[row * EDGES + (uint32_t)slot] = time_word[row] - offset;
        } else {
            for (uint32_t row = 0; row < n; row++)
                threshold[row * EDGES + (uint32_t)slot] =
                    time_to_word(ride_edge_threshold(edge, rows->time_us[row], entity->zone, entity->zone_count));
        }
    }
}

/* ---- aggregates that are differences of prefixes ---- */

static double finish_value(const ride_cpu_aggregate *a, uint64_t n, int64_t sum, ride_u128 sumsq) {
    const ride_plan_aggregate *plan = a->plan;
    double value = ride_null_f64();
    switch (plan->op) {
    case RIDE_AGG_COUNT: value = (double)n; break;
    case RIDE_AGG_SUM: value = ride_decimal_to_f64(sum, plan->is_decimal ? plan->scale : 0); break;
    case RIDE_AGG_MEAN: value = ride_window_mean(n, sum, plan->is_decimal ? plan->scale : 0); break;
    case RIDE_AGG_RISK: value = ride_window_risk(n, (uint64_t)sum); break;
    case RIDE_AGG_VAR:
    case RIDE_AGG_VAR_POP:
        value = ride_window_var(n, sum, sumsq, plan->is_decimal ? plan->scale : 0, plan->op == RIDE_AGG_VAR_POP);
        break;
    case RIDE_AGG_STD:
    case RIDE_AGG_STD_POP:
        value = ride_window_std(n, sum, sumsq, plan->is_decimal ? plan->scale : 0, plan->op == RIDE_AGG_STD_POP);
        break;
    default: break;
    }
    return ride_window_finish(plan, n, value);
}

static inline UWORD window_word(const ride_cpu_entity *entity, const ride_cpu_rows *rows, uint32_t w,
                                const ride_cpu_aggregate *a, uint32_t row) {
    const WORD *lo = raw_at(entity, rows, w, a->slot_lo < 0 ? EDGES : (uint32_t)a->slot_lo);
    const WORD *hi = raw_at(entity, rows, w, a->slot_hi < 0 ? EDGES : (uint32_t)a->slot_hi);
    return (UWORD)hi[row] - (UWORD)lo[row];
}

static void finish_row(const ride_cpu_entity *entity, const ride_cpu_rows *rows, uint32_t row,
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
    rows->features[a - entity->aggregates][row] = finish_value(a, n, sum, sumsq);
}

/* count, mean and risk of whole columns at once: the divisions are exact-integer divisions that fit 53 bits, rounded once. */
static bool finish_column(const ride_cpu_entity *entity, const ride_cpu_rows *rows, const ride_cpu_aggregate *a) {
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
    for (uint32_t row = 0; row < rows_count; row++) {
        double denominator = (double)n[row] * divisor, quotient = (double)sum[row] / (n[row] == 0 ? 1.0 : denominator);
        out[row] = n[row] == 0 ? empty : quotient;
    }
    return true;
}

static void finish(const ride_cpu_entity *entity, const ride_cpu_rows *rows) {
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

/* ---- whole entries, for rewriting and saving ---- */

static void entry_read(const ride_cpu_entity *entity, const ride_record *record, uint32_t position, int64_t *time_us,
                       int64_t *added, int64_t *own) {
    const WORD *slot = block_at(entity, record, position >> SHIFT) + (position & ((1u << SHIFT) - 1));
    *time_us = word_to_time(slot[0]);
    for (uint32_t w = 0; w < WORDS; w++) {
        UWORD before = (UWORD)slot[(1 + w) << SHIFT], after = (UWORD)prefix_at(entity, record, position + 1, w);
        added[w] = (int64_t)(WORD)(after - before);
        if (sizeof(WORD) == 8 && w > 0 && entity->word_is_low[w - 1]) { /* upper half: take the borrow of the lower */
            UWORD low_before = (UWORD)slot[w << SHIFT],
                  low_after = (UWORD)prefix_at(entity, record, position + 1, w - 1);
            added[w] -= low_after < low_before;
        }
    }
    for (uint32_t w = 0; w < entity->layout.own_words; w++) own[w] = (int64_t)slot[(1 + WORDS + w) << SHIFT];
}

static void entry_append(ride_cpu_entity *entity, ride_record *record, int64_t time_us, const int64_t *added,
                         const int64_t *own) {
    WORD words[RIDE_WORDS_MAX];
    WORD *block = block_at(entity, record, record->n >> SHIFT);
    for (uint32_t w = 0; w < WORDS; w++) words[w] = (WORD)added[w];
    for (uint32_t w = 0; w < entity->layout.own_words; w++)
        block[((1 + WORDS + w) << SHIFT) + (record->n & ((1u << SHIFT) - 1))] = (WORD)own[w];
    slot_fill(entity, record, time_to_word(time_us), words, 1, SHIFT, WORDS);
}

const ride_cpu_form FORM_TABLE = {
    .record_init = record_init,
    .thresholds = thresholds,
    .prefetch = prefetch,
    .apply = apply,
    .finish = finish,
    .peers = peers,
    .entry_read = entry_read,
    .entry_append = entry_append,
    .edges_refresh = edges_refresh,
};
