/* kernels/cuda/enter.h: what an event and a label change: entries are added (a late one in its place), labels corrected, rings
 * grow. One thread works on a key at a time. Device code. */
#ifndef RIDE_KERNELS_CUDA_ENTER_H
#define RIDE_KERNELS_CUDA_ENTER_H
#include "kernels/cuda/row.h"

/* Drops what no reader may see any more; what since_first needs of it is kept in the chains. */
__device__ static inline void ride_cuda_drop(ride_cuda_pool *pool, const ride_cuda_entity *entity, ride_cuda_key *key,
                                             int64_t cut_us) {
    ride_cuda_chain *chains = ride_cuda_chains(entity, key);
    while (key->count > 0) {
        const uint64_t *entry = ride_cuda_entry(pool, entity, key, 0);
        if ((int64_t)entry[0] > cut_us) return;
        for (uint32_t c = 0; c < entity->chains_count; c++)
            if (ride_cuda_entry_has(entity, entry, entity->chain_lane[c]))
                ride_cuda_chain_join(&chains[c], (int64_t)entry[0], entity->plan->lookback_us);
        key->first = key->first + 1 == key->ring_entries ? 0 : key->first + 1;
        key->count--;
    }
}

/* A ring of at least twice the room; the entries move to its beginning in order. 0 when the memory is out. */
__device__ static inline uint32_t ride_cuda_ring_grow(ride_cuda_pool *pool, const ride_cuda_entity *entity,
                                                      ride_cuda_key *key) {
    const uint64_t wanted = key->ring == 0 ? (uint64_t)RIDE_CUDA_RING_ENTRIES_MIN : UINT64_C(2) * key->ring_entries;
    const uint32_t ring_class = ride_cuda_class_of(wanted * entity->entry_words * 8);
    if (key->ring_entries == RIDE_CUDA_RING_ENTRIES_MAX) atomicExch(&pool->failed, (uint32_t)RIDE_E_MEMORY);
    const uint32_t ring = key->ring_entries < RIDE_CUDA_RING_ENTRIES_MAX ? ride_cuda_take(pool, ring_class) : 0;
    if (ring == 0) return 0;
    uint64_t *to = (uint64_t *)(ride_cuda_line(pool, ring) + RIDE_CUDA_BLOCK_HEAD);
    for (uint32_t p = 0; p < key->count; p++) {
        const uint64_t *from = ride_cuda_entry(pool, entity, key, p);
        for (uint32_t w = 0; w < entity->entry_words; w++) *to++ = from[w];
    }
    ride_cuda_give(pool, key->ring);
    key->ring = ring;
    key->ring_entries = ride_cuda_ring_entries(entity, ring_class);
    key->first = 0;
    return 1;
}

/* The event becomes an entry: behind all that are not later than it. */
__device__ static inline void ride_cuda_enter(ride_cuda_pool *pool, const ride_cuda_row *row, ride_cuda_key *key) {
    const ride_cuda_entity *entity = row->entity;
    uint64_t added[RIDE_CUDA_SUMS_MAX], *totals = ride_cuda_totals(entity, key);
    if (key->count == key->ring_entries) ride_cuda_drop(pool, entity, key, row->cut_us);
    if (key->count == key->ring_entries && !ride_cuda_ring_grow(pool, entity, key)) return;
    for (uint32_t l = 0; l < entity->lanes_count; l++) {
        uint64_t words[3];
        const uint32_t kind = entity->lanes[l].kind;
        if (kind != RIDE_LANE_COUNT && kind != RIDE_LANE_SUM && kind != RIDE_LANE_SUMSQ && kind != RIDE_LANE_LABEL)
            continue;
        ride_cuda_lane_adds(row, l, words);
        const uint32_t count = kind == RIDE_LANE_SUM ? 2 : kind == RIDE_LANE_SUMSQ ? 3 : 1;
        for (uint32_t w = 0; w < count; w++) added[(uint32_t)entity->lane_word[l] + w] = words[w];
    }
    const bool late = key->last_us != INT64_MIN && row->time_us < key->last_us;
    const uint32_t at = late ? ride_cuda_passed(pool, entity, key, row->time_us) : key->count;
    key->count++;
    for (uint32_t p = key->count - 1; p > at; p--) { /* a later one moves up, and has this event before it now */
        uint64_t *to = ride_cuda_entry(pool, entity, key, p);
        const uint64_t *from = ride_cuda_entry(pool, entity, key, p - 1);
        for (uint32_t w = 0; w < entity->entry_words; w++) to[w] = from[w];
        ride_cuda_sums_add(entity, to + entity->sums_first, added);
    }
    uint64_t *entry = ride_cuda_entry(pool, entity, key, at);
    if (at == key->count - 1) /* the newest: before it is everything */
        for (uint32_t w = 0; w < entity->sums_count; w++) entry[entity->sums_first + w] = totals[w];
    ride_cuda_sums_add(entity, totals, added); /* a late one keeps the totals that stood in its place */
    entry[0] = (uint64_t)row->time_us;
    if (entity->sequence_word >= 0) entry[entity->sequence_word] = row->sequence;
    uint64_t present = 0;
    for (uint32_t l = 0; l < entity->lanes_count; l++) {
        const ride_plan_lane *lane = &entity->lanes[l];
        present |= (uint64_t)ride_cuda_lane_present(row, lane) << l;
        if (lane->kind != RIDE_LANE_VALUE && lane->kind != RIDE_LANE_HASH) continue;
        uint64_t own[2];
        ride_cuda_lane_own(row, lane, own);
        uint64_t *words = entry + entity->own_first + (uint32_t)entity->lane_word[l];
        words[0] = own[0];
        if (lane->kind == RIDE_LANE_HASH) words[1] = own[1];
    }
    if (entity->presence_word >= 0) entry[entity->own_first + (uint32_t)entity->presence_word] = present;
    if (late) atomicAdd(&pool->late_inserts, 1ull);
    else key->last_us = row->time_us;
}

/* ---- labels ---- */

/* Position of the entry that the label row is about, and its place among those of its time; count: it is not there. The first of a time
 * is the one that no other has the number of. */
__device__ static inline uint32_t ride_cuda_label_find(ride_cuda_pool *pool, const ride_cuda_entity *entity,
                                                       const ride_cuda_key *key, int64_t t, uint64_t sequence,
                                                       uint32_t *place) {
    const uint32_t end = ride_cuda_passed(pool, entity, key, t);
    uint32_t start = end;
    while (start > 0 && ride_cuda_entry_us(pool, entity, key, start - 1) == t) start--;
    *place = 0;
    for (uint32_t p = start + 1; p < end; p++)
        if (ride_cuda_entry(pool, entity, key, p)[entity->sequence_word] == sequence) *place = p - start;
    return start < end ? start + *place : key->count;
}

/* Label lanes that count the entry. */
__device__ static inline uint64_t ride_cuda_label_lanes(ride_cuda_pool *pool, const ride_cuda_entity *entity,
                                                        ride_cuda_key *key, uint32_t position) {
    const uint64_t *before = ride_cuda_prefix(pool, entity, key, position),
                   *after = ride_cuda_prefix(pool, entity, key, position + 1);
    uint64_t lanes = 0;
    for (uint32_t l = 0; l < entity->lanes_count; l++) {
        const int32_t count = entity->label_count[l];
        if (entity->lanes[l].kind == RIDE_LANE_LABEL && (count < 0 || before[count] != after[count]))
            lanes |= UINT64_C(1) << l;
    }
    return lanes;
}

/* Takes away the entry's notes of known_us and later; returns what they changed together. */
__device__ static inline int64_t ride_cuda_notes_cut(ride_cuda_note *notes, ride_cuda_key *key, int64_t entry_us,
                                                     uint32_t place, int64_t known_us) {
    int64_t sum = 0;
    for (uint32_t i = 0; i < key->notes_count;) {
        if (notes[i].entry_us != entry_us || notes[i].place != place || notes[i].known_us < known_us) i++;
        else {
            sum += notes[i].delta;
            notes[i] = notes[--key->notes_count];
        }
    }
    return sum;
}

__device__ static inline uint32_t ride_cuda_notes_room(const ride_cuda_pool *pool, const ride_cuda_key *key) {
    const ride_cuda_block *block = (const ride_cuda_block *)ride_cuda_line(pool, key->notes);
    return (uint32_t)((((uint64_t)RIDE_CUDA_LINE_BYTES << block->block_class) - RIDE_CUDA_BLOCK_HEAD) /
                      sizeof(ride_cuda_note));
}

__device__ static inline void ride_cuda_note_add(ride_cuda_pool *pool, ride_cuda_key *key, const ride_cuda_note *note,
                                                 int64_t cut_us) {
    ride_cuda_note *notes = ride_cuda_notes(pool, key);
    for (uint32_t i = 0; i < key->notes_count;) /* nothing can read as of before what has expired */
        if (notes[i].entry_us <= cut_us) notes[i] = notes[--key->notes_count];
        else i++;
    if (key->notes == 0 || key->notes_count == ride_cuda_notes_room(pool, key)) {
        const uint32_t wanted = key->notes == 0 ? 3 : 2 * key->notes_count;
        const uint32_t block = ride_cuda_take(pool, ride_cuda_class_of((uint64_t)wanted * sizeof *notes));
        if (block == 0) return;
        ride_cuda_note *to = (ride_cuda_note *)(ride_cuda_line(pool, block) + RIDE_CUDA_BLOCK_HEAD);
        for (uint32_t i = 0; i < key->notes_count; i++) to[i] = notes[i];
        ride_cuda_give(pool, key->notes);
        key->notes = block;
        notes = to;
    }
    notes[key->notes_count++] = *note;
}

/* A label became known at the row's clock. From then on the entry's label is the row's; what it was before, as a function of the time of
 * the event that asks, is what the words say less the notes that are not known yet. */
__device__ static inline void ride_cuda_label(ride_cuda_pool *pool, const ride_cuda_row *row, ride_cuda_key *key) {
    const ride_cuda_entity *entity = row->entity;
    if (!entity->labels_from_source || key->count == 0) return;
    const uint32_t about_column = row->program->plan->column_sequence,
                   label_column = (uint32_t)row->program->plan->column_label;
    const uint64_t about =
        ((const uint64_t *)ride_tile_values_const(row->program->in, row->tile, about_column))[row->row];
    uint32_t place;
    const uint32_t at = ride_cuda_label_find(pool, entity, key, row->time_us, about, &place);
    const uint64_t lanes = at != key->count ? ride_cuda_label_lanes(pool, entity, key, at) : 0;
    if (lanes == 0) return;
    const uint32_t word = (uint32_t)entity->lane_word[__ffsll((long long)lanes) - 1];
    const int64_t now =
        (int64_t)(ride_cuda_prefix(pool, entity, key, at + 1)[word] - ride_cuda_prefix(pool, entity, key, at)[word]);
    const int64_t before =
        now - ride_cuda_notes_cut(ride_cuda_notes(pool, key), key, row->time_us, place, row->clock_us);
    const int64_t value = ride_cuda_column_valid(row, label_column) && ride_cuda_column_i64(row, label_column) != 0;
    uint64_t *totals = ride_cuda_totals(entity, key);
    for (uint64_t rest = value != now ? lanes : 0; rest != 0; rest &= rest - 1) {
        const uint32_t w = (uint32_t)entity->lane_word[__ffsll((long long)rest) - 1];
        for (uint32_t p = at + 1; p < key->count; p++)
            ride_cuda_entry(pool, entity, key, p)[entity->sums_first + w] += (uint64_t)(value - now);
        totals[w] += (uint64_t)(value - now);
    }
    if (value == before) return;
    const ride_cuda_note note = {row->time_us, row->clock_us, lanes, place, (int32_t)(value - before)};
    /* a label row's clock says when it became known; what has expired for all rows of the batch goes by the stream's before it */
    ride_cuda_note_add(pool, key, &note, ride_time_sub(pool->clock_before_us, entity->plan->retention_us));
}

#endif
