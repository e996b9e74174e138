/* kernels/cpu/form_entry.h: the life of an entry in one form (form_words.h): blocks and rings, expiry, edges, reading as
 * of a time, append, late insert, labels. */
#ifndef RIDE_KERNELS_CPU_FORM_ENTRY_H
#define RIDE_KERNELS_CPU_FORM_ENTRY_H
#include "kernels/cpu/form_words.h"

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

static inline bool entry_present(const ride_cpu_entity *entity, const WORD *block, uint32_t slot, int32_t lane) {
    if (lane < 0 || entity->layout.presence_word < 0) return true;
    return (uint64_t)block[((1 + WORDS + (uint32_t)entity->layout.presence_word) << SHIFT) + slot] >> lane & 1;
}
static inline bool present_at(const ride_cpu_entity *entity, const ride_record *record, uint32_t position,
                              int32_t lane) {
    return entry_present(entity, block_at(entity, record, position >> SHIFT), position & ((1u << SHIFT) - 1), lane);
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

/* ---- chains: since_first ---- */

static inline void chain_join(const ride_cpu_entity *entity, int64_t t, int64_t *last_us, int64_t *start_us) {
    if (*last_us == INT64_MIN || ride_time_sub(t, *last_us) > entity->lookback_us) *start_us = t;
    *last_us = t;
}

/* The entry in the slot that is filled next, its own words written, joins the chains. */
static inline void chain_extend(const ride_cpu_entity *entity, ride_record *record, int64_t t) {
    for (uint32_t c = 0; c < entity->layout.chains_count; c++) {
        ride_chain *chain = &ride_cpu_chains(entity, record)[c];
        if (present_at(entity, record, record->n, entity->layout.chain_lane[c]))
            chain_join(entity, t, &chain->last_us, &chain->start_us);
    }
}

/* Sums up the entries before position `to`, which are about to be dropped. */
static inline void chains_fold(const ride_cpu_entity *entity, ride_record *record, uint32_t to) {
    for (uint32_t c = 0; c < entity->layout.chains_count; c++) {
        ride_chain *chain = &ride_cpu_chains(entity, record)[c];
        for (uint32_t p = record->first; p != to; p++)
            if (present_at(entity, record, p, entity->layout.chain_lane[c]))
                chain_join(entity, word_to_time(time_at(entity, record, p)), &chain->gone_last_us,
                           &chain->gone_start_us);
    }
}

/* First time of the chain that the counted entry at `position` belongs to, by going back from it. */
static inline int64_t chain_walk(const ride_cpu_entity *entity, const ride_record *record, uint32_t c,
                                 uint32_t position) {
    const ride_chain *chain = &ride_cpu_chains(entity, record)[c];
    int64_t start = word_to_time(time_at(entity, record, position));
    for (uint32_t p = position; p != record->first; p--) {
        if (!present_at(entity, record, p - 1, entity->layout.chain_lane[c])) continue;
        int64_t before = word_to_time(time_at(entity, record, p - 1));
        if (ride_time_sub(start, before) > entity->lookback_us) return start;
        start = before;
    }
    if (chain->gone_last_us == INT64_MIN || ride_time_sub(start, chain->gone_last_us) > entity->lookback_us)
        return start;
    return chain->gone_start_us;
}

/* A late entry is in its place: it may be the newest that counts, or begin the newest chain and join an older one to it. */
static inline void chains_insert(const ride_cpu_entity *entity, ride_record *record, uint32_t position) {
    int64_t t = word_to_time(time_at(entity, record, position));
    for (uint32_t c = 0; c < entity->layout.chains_count; c++) {
        ride_chain *chain = &ride_cpu_chains(entity, record)[c];
        if (!present_at(entity, record, position, entity->layout.chain_lane[c])) continue;
        if (chain->last_us == INT64_MIN || t >= chain->last_us)
            chain_join(entity, t, &chain->last_us, &chain->start_us);
        else if (t < chain->start_us && ride_time_sub(chain->start_us, t) <= entity->lookback_us)
            chain->start_us = chain_walk(entity, record, c, position);
    }
}

/* Entries have moved: what is remembered of them by position means nothing any more. */
static inline void extremes_forget(const ride_cpu_entity *entity, ride_record *record) {
    for (uint32_t x = 0; x < entity->layout.extremes_count; x++) ride_cpu_extremes(entity, record)[x].covered = 0;
}

/* ---- expiry and growth ---- */

/* Moves `first` past entries that no reader may see any more. */
static inline void drop_expired(ride_cpu_entity *entity, ride_record *record) {
    const uint32_t *position = record_positions(entity, record);
    int64_t cut = ride_cpu_entity_cut(entity);
    uint32_t oldest_read = record->n, first = record->first;
    for (uint32_t e = 0; e < entity->layout.edges_count; e++)
        if ((int32_t)(position[e] - oldest_read) < 0) oldest_read = position[e];
    if (ride_time_sub(record->last_us, entity->offset_max_us) <=
        cut) { /* what the longest window has left is gone: no look needed */
        if ((int32_t)(oldest_read - first) > 0) first = oldest_read;
    } else {
        WORD cut_word = time_to_word(cut);
        while ((first >> SHIFT) < (oldest_read >> SHIFT)) {
            uint32_t block = first >> SHIFT;
            if (block_at(entity, record, block)[(1u << SHIFT) - 1] > cut_word) break;
            first = (block + 1) << SHIFT;
        }
    }
    if (entity->layout.chains_count > 0) chains_fold(entity, record, first);
    record->first = first;
}

/* A ring with one more class of room; blocks move to its beginning in order. */
static inline bool ring_grow(ride_cpu_entity *entity, ride_record *record, uint32_t blocks_kept) {
    uint32_t ring_class = record->ring == 0 ? 0 : record->ring_class + 1;
    uint32_t line = ride_slab_take(&entity->slab, ring_class);
    if (line == 0) return false;
    uint32_t block_bytes = entity->layout.block_lines * RIDE_STATE_LINE_BYTES, first_block = record->first >> SHIFT;
    uint8_t *to = entity->slab.base + (uint64_t)line * RIDE_STATE_LINE_BYTES;
    for (uint32_t b = 0; b < blocks_kept; b++)
        memcpy(to + (uint64_t)b * block_bytes, block_at(entity, record, first_block + b), block_bytes);
    ride_slab_give(&entity->slab, record->ring, record->ring_class);
    record->ring = line;
    record->ring_class = (uint16_t)ring_class;
    record->ring_blocks = ride_state_ring_blocks(ring_class);
    record->base_block = first_block;
    return true;
}

/* Positions are 32 bits: long before they wrap, all of a key's are moved down together. */
static inline void positions_rebase(ride_cpu_entity *entity, ride_record *record) {
    extremes_forget(entity, record);
    uint32_t *position = record_positions(entity, record);
    uint32_t down = record->base_block << SHIFT;
    record->n -= down;
    record->first -= down;
    record->base_block = 0;
    for (uint32_t e = 0; e < entity->layout.edges_count; e++) position[e] -= down;
}

/* n stands at the start of a block: makes it exist, empty, with the totals as the first slot's prefixes. */
static inline void block_open(ride_cpu_entity *entity, ride_record *record) {
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
    record->newest = (uint32_t)((uint64_t)((uint8_t *)block - entity->slab.base) / RIDE_STATE_LINE_BYTES);
    for (uint32_t j = 0; j < 1u << SHIFT; j++) block[j] = WORD_END;
    for (uint32_t w = 0; w < WORDS; w++) block[(1 + w) << SHIFT] = total[w];
}

static inline void record_init(ride_cpu_entity *entity, ride_record *record) {
    WORD *word = record_words(record, entity->layout.offset_word);
    for (uint32_t e = 0; e < EDGES; e++) word[e] = WORD_END;
    record->last_us = INT64_MIN;
    for (uint32_t c = 0; c < entity->layout.chains_count; c++)
        ride_cpu_chains(entity, record)[c] = (ride_chain){INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN};
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
static inline uint32_t position_search(const ride_cpu_entity *entity, const ride_record *record, WORD threshold) {
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

static inline void edge_set(const ride_cpu_entity *entity, ride_record *record, uint32_t e, uint32_t position) {
    WORD *prefix = record_words(record, entity->layout.offset_prefix);
    record_positions(entity, record)[e] = position;
    record_words(record, entity->layout.offset_word)[e] = time_at(entity, record, position);
    for (uint32_t w = 0; w < WORDS; w++) prefix[w * EDGES + e] = prefix_at(entity, record, position, w);
}

/* All edges anew, as the newest entry left them. */
static inline void edges_refresh(ride_cpu_entity *entity, ride_record *record) {
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

static inline void raw_zero(const ride_cpu_entity *entity, ride_cpu_rows *rows, uint32_t row) {
    for (uint32_t w = 0; w <= WORDS; w++)
        for (uint32_t e = 0; e <= EDGES; e++) raw_at(entity, rows, w, e)[row] = 0;
}

static inline void raw_search(ride_cpu_entity *entity, ride_cpu_rows *rows, uint32_t row, const ride_record *record) {
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
             i = entity->notes[i - 1].next) { /* labels that were not known at t */
            const ride_note *patch = &entity->notes[i - 1];
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

/* The event's time is known to the key already: labels must be able to tell the entries of that time apart. */
static inline void tie_add(ride_cpu_entity *entity, const ride_cpu_rows *rows, uint32_t row, ride_record *record) {
    int64_t t = rows->time_us[row];
    WORD time_word = time_to_word(t);
    uint32_t end = position_search(entity, record, time_word), ordinal = 1;
    if (end == record->first || time_at(entity, record, end - 1) != time_word) return;
    for (uint32_t i = record->ties; i != 0; i = entity->notes[i - 1].next)
        if (entity->notes[i - 1].entry_us == t) {
            ordinal = entity->notes[i - 1].ordinal + 1;
            break;
        }
    const uint64_t sequence = rows->sequence != NULL ? rows->sequence[row] : rows->sequence_first + row;
    ride_cpu_tie_add(entity, record, &(ride_note){.entry_us = t, .sequence = sequence, .ordinal = ordinal});
}

/* A late event: appended, then moved down to its place; entries behind it get its amounts into their prefixes. */
static inline void insert_late(ride_cpu_entity *entity, ride_cpu_rows *rows, uint32_t row, ride_record *record) {
    extremes_forget(entity, record);
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
    chains_insert(entity, record, at);
    edges_refresh(entity, record);
    entity->stats.late_inserts++;
}

/* Position of the entry that a label row is about, and its place among those of its time; n: it is not there. */
static inline uint32_t label_find(const ride_cpu_entity *entity, const ride_record *record, int64_t t,
                                  uint64_t sequence, uint32_t *ordinal) {
    WORD time_word = time_to_word(t);
    *ordinal = 0;
    if (word_to_time(time_word) != t || record->last_us == INT64_MIN || t <= ride_cpu_entity_cut(entity))
        return record->n;
    uint32_t end = position_search(entity, record, time_word), start = end;
    while (start != record->first && time_at(entity, record, start - 1) == time_word) start--;
    for (uint32_t i = record->ties; i != 0; i = entity->notes[i - 1].next)
        if (entity->notes[i - 1].entry_us == t && entity->notes[i - 1].sequence == sequence)
            *ordinal = entity->notes[i - 1].ordinal;
    return start + *ordinal < end ? start + *ordinal : record->n;
}

/* Label lanes that count the entry. */
static inline uint64_t label_lanes(const ride_cpu_entity *entity, const ride_record *record, uint32_t position) {
    uint64_t lanes = 0;
    for (uint32_t l = 0; l < entity->layout.lanes_count; l++) {
        int32_t count = entity->label_count_word[l];
        if (entity->lanes[l].kind == RIDE_LANE_LABEL &&
            (count < 0 || prefix_at(entity, record, position + 1, (uint32_t)count) !=
                              prefix_at(entity, record, position, (uint32_t)count)))
            lanes |= UINT64_C(1) << l;
    }
    return lanes;
}

/* A label became known. The entry's label as a function of time is what the prefixes say, less the patches that are not
 * known yet; from known_us on it is now the label row's. */
static inline void label_apply(ride_cpu_entity *entity, ride_cpu_rows *rows, uint32_t row, ride_record *record) {
    int64_t t = rows->time_us[row], known_us = rows->clock_us[row];
    uint32_t ordinal, at = label_find(entity, record, t, rows->about[row], &ordinal), mask = (1u << SHIFT) - 1;
    uint64_t lanes = at != record->n ? label_lanes(entity, record, at) : 0;
    if (lanes == 0) return;
    uint32_t word = (uint32_t)entity->layout.lane_word[__builtin_ctzll(lanes)];
    int32_t now = prefix_at(entity, record, at + 1, word) != prefix_at(entity, record, at, word);
    int32_t before = now - ride_cpu_patches_cut(entity, record, t, ordinal, known_us);
    int32_t value = rows->label[row] != 0, change = value - now;
    WORD *prefix = record_words(record, entity->layout.offset_prefix),
         *total = record_words(record, entity->layout.offset_total);
    const uint32_t *position = record_positions(entity, record);
    for (uint64_t rest = change != 0 ? lanes : 0; rest != 0; rest &= rest - 1) {
        uint32_t w = (uint32_t)entity->layout.lane_word[__builtin_ctzll(rest)];
        for (uint32_t q = at + 1; q != record->n + 1; q++)
            block_at(entity, record, q >> SHIFT)[((1 + w) << SHIFT) + (q & mask)] += (WORD)change;
        total[w] += (WORD)change;
        for (uint32_t e = 0; e < entity->layout.edges_count; e++)
            if ((int32_t)(position[e] - at) > 0) prefix[w * EDGES + e] += (WORD)change;
    }
    if (value != before)
        ride_cpu_patch_add(entity, record,
                           &(ride_note){.entry_us = t,
                                        .known_us = known_us,
                                        .lanes = lanes,
                                        .ordinal = ordinal,
                                        .delta = value - before});
}

#endif
