/* kernels/cuda/entity.h: how one entity's window state lies in a pool: what a key's record and an entry are made of.
 *
 * A key has a record and a ring: a block of entries sorted by (time, arrival), the oldest at `first`. An entry is 64-bit words: its
 * time; with a label source its arrival number; the cumulative words, each the total before the entry; its own words, those of
 * kernels/layout/state_layout.h. A window's sum is a difference of two entries. Sums have 128 bits and sums of squares 192, so a
 * difference is exact whatever came before the window, and a sum that leaves 64 bits (128 of squares) is seen.
 *
 * A label that became known changes the cumulative words and leaves a note: what an event before that moment must not see. */
#ifndef RIDE_KERNELS_CUDA_ENTITY_H
#define RIDE_KERNELS_CUDA_ENTITY_H
#include "base/tile.h"
#include "kernels/cuda/pool.h"
#include "kernels/layout/state_layout.h"

enum {
    RIDE_CUDA_SUMS_MAX = 3 * RIDE_STATE_LANES_MAX,
    RIDE_CUDA_OWN_MAX = 2 * RIDE_STATE_LANES_MAX + 1,
    RIDE_CUDA_RING_ENTRIES_MIN = 4,
    RIDE_CUDA_RING_ENTRIES_MAX = 1 << 30, /* two places of a ring add up in 32 bits */
};
#define RIDE_CUDA_SEQUENCE_UNKNOWN UINT64_MAX

/* Of a program, for one entity. Pointers are the device's (or, in a copy made for it, the host's). */
typedef struct ride_cuda_entity {
    const ride_plan_entity *plan;
    const ride_plan_lane *lanes;
    const ride_plan_edge *edges;
    const ride_plan_aggregate *aggregates;
    uint32_t lanes_count;
    uint32_t any_peers, labels_from_source;
    uint32_t entry_words, sums_first, sums_count, own_first, own_count; /* words of an entry */
    int32_t sequence_word, presence_word;                               /* presence: within the own words */
    int32_t lane_word[RIDE_STATE_LANES_MAX]; /* within the sums, or within the own words of VALUE and HASH; -1 = none */
    int32_t label_count[RIDE_STATE_LANES_MAX]; /* LABEL: the COUNT word of the events it counts, -1 = all */
    uint32_t chains_count;
    int32_t chain_lane[RIDE_STATE_CHAINS_MAX];  /* whose presence says which events; -1 = all */
    uint32_t key_bytes, key_totals, key_chains; /* of a key's record; offsets in it */
} ride_cuda_entity;

typedef struct ride_cuda_key {
    ride_key128 key;
    int64_t last_us;             /* time of the newest entry; INT64_MIN: none came yet */
    uint32_t ring;               /* block, 0 = none */
    uint32_t ring_entries;       /* it holds */
    uint32_t first, count;       /* place of the oldest entry in it; entries kept */
    uint32_t notes, notes_count; /* block of ride_cuda_note */
    uint32_t is_used, next_free; /* next_free: index + 1, among free records */
    uint32_t slot;               /* of the table */
    uint32_t reserved;
} ride_cuda_key; /* then uint64_t totals[sums_count], then ride_cuda_chain[chains_count] */
RIDE_STATIC_ASSERT(sizeof(ride_cuda_key) == 64, "a line, then the totals");

/* since_first: newest and first time of the chain that the dropped entries ended with; INT64_MIN: none. */
typedef struct ride_cuda_chain {
    int64_t last_us, start_us;
} ride_cuda_chain;

/* The label of the entry at (entry_us, place among its time) changes by delta at known_us, in the lanes. */
typedef struct ride_cuda_note {
    int64_t entry_us, known_us;
    uint64_t lanes;
    uint32_t place;
    int32_t delta;
} ride_cuda_note;
RIDE_STATIC_ASSERT(sizeof(ride_cuda_note) == 32, "two in a line");

RIDE_HD static inline ride_cuda_key *ride_cuda_key_at(ride_cuda_pool *pool, const ride_cuda_entity *entity,
                                                      const ride_cuda_table *table, uint32_t index) {
    const uint32_t *directory = (const uint32_t *)ride_cuda_line(pool, table->directory);
    return (ride_cuda_key *)(ride_cuda_line(pool, directory[index / RIDE_CUDA_CHUNK_KEYS]) +
                             (uint64_t)(index % RIDE_CUDA_CHUNK_KEYS) * entity->key_bytes);
}
RIDE_HD static inline uint64_t *ride_cuda_totals(const ride_cuda_entity *entity, ride_cuda_key *key) {
    return (uint64_t *)((uint8_t *)key + entity->key_totals);
}
RIDE_HD static inline ride_cuda_chain *ride_cuda_chains(const ride_cuda_entity *entity, ride_cuda_key *key) {
    return (ride_cuda_chain *)((uint8_t *)key + entity->key_chains);
}
RIDE_HD static inline ride_cuda_note *ride_cuda_notes(ride_cuda_pool *pool, const ride_cuda_key *key) {
    return (ride_cuda_note *)(ride_cuda_line(pool, key->notes) + RIDE_CUDA_BLOCK_HEAD);
}
/* Lines of a chunk of keys. */
RIDE_HD static inline uint64_t ride_cuda_chunk_lines(const ride_cuda_entity *entity) {
    return (uint64_t)RIDE_CUDA_CHUNK_KEYS * entity->key_bytes / RIDE_CUDA_LINE_BYTES;
}
RIDE_HD static inline uint32_t ride_cuda_ring_entries(const ride_cuda_entity *entity, uint32_t ring_class) {
    const uint64_t entries =
        (((uint64_t)RIDE_CUDA_LINE_BYTES << ring_class) - RIDE_CUDA_BLOCK_HEAD) / (8 * entity->entry_words);
    if (entries > RIDE_CUDA_RING_ENTRIES_MAX) return RIDE_CUDA_RING_ENTRIES_MAX;
    return (uint32_t)entries;
}

/* Words of the entry at `position` (0 = oldest) of a key that has a ring. */
RIDE_HD static inline uint64_t *ride_cuda_entry(ride_cuda_pool *pool, const ride_cuda_entity *entity,
                                                const ride_cuda_key *key, uint32_t position) {
    uint32_t place = key->first + position;
    if (place >= key->ring_entries) place -= key->ring_entries;
    return (uint64_t *)(ride_cuda_line(pool, key->ring) + RIDE_CUDA_BLOCK_HEAD) + (uint64_t)place * entity->entry_words;
}
RIDE_HD static inline int64_t ride_cuda_entry_us(ride_cuda_pool *pool, const ride_cuda_entity *entity,
                                                 const ride_cuda_key *key, uint32_t position) {
    return (int64_t)ride_cuda_entry(pool, entity, key, position)[0];
}
/* Cumulative words at `position` <= count: the totals before it. */
RIDE_HD static inline const uint64_t *ride_cuda_prefix(ride_cuda_pool *pool, const ride_cuda_entity *entity,
                                                       ride_cuda_key *key, uint32_t position) {
    return position == key->count ? ride_cuda_totals(entity, key)
                                  : ride_cuda_entry(pool, entity, key, position) + entity->sums_first;
}
/* Does the entry count for the lane (-1: every entry does)? */
RIDE_HD static inline uint32_t ride_cuda_entry_has(const ride_cuda_entity *entity, const uint64_t *entry,
                                                   int32_t lane) {
    if (lane < 0 || entity->presence_word < 0) return 1;
    return (uint32_t)(entry[entity->own_first + (uint32_t)entity->presence_word] >> lane & 1);
}
/* How many entries have time <= until_us: they are the first ones. */
RIDE_HD static inline uint32_t ride_cuda_passed(ride_cuda_pool *pool, const ride_cuda_entity *entity,
                                                const ride_cuda_key *key, int64_t until_us) {
    uint32_t lo = 0, hi = key->count;
    while (lo < hi) {
        const uint32_t middle = lo + (hi - lo) / 2;
        if (ride_cuda_entry_us(pool, entity, key, middle) <= until_us) lo = middle + 1;
        else hi = middle;
    }
    return lo;
}

/* sums += added, lane by lane: sums of a SUM lane are 128-bit, of a SUMSQ lane 192-bit numbers. */
RIDE_HD static inline void ride_cuda_sums_add(const ride_cuda_entity *entity, uint64_t *sums, const uint64_t *added) {
    for (uint32_t l = 0; l < entity->lanes_count; l++) {
        const uint32_t kind = entity->lanes[l].kind;
        const uint32_t words = kind == RIDE_LANE_SUM ? 2 : kind == RIDE_LANE_SUMSQ ? 3 : 1;
        if (kind != RIDE_LANE_COUNT && kind != RIDE_LANE_LABEL && words == 1) continue;
        uint64_t carry = 0;
        for (uint32_t w = (uint32_t)entity->lane_word[l]; w < (uint32_t)entity->lane_word[l] + words; w++) {
            const uint64_t part = sums[w] + carry, sum = part + added[w];
            carry = (uint64_t)(part < carry) + (uint64_t)(sum < part);
            sums[w] = sum;
        }
    }
}

/* A step of a chain: an event at t, the newest before it at chain->last_us. */
RIDE_HD static inline void ride_cuda_chain_join(ride_cuda_chain *chain, int64_t t, int64_t lookback_us) {
    if (chain->last_us == INT64_MIN || ride_time_sub(t, chain->last_us) > lookback_us) chain->start_us = t;
    chain->last_us = t;
}

#ifdef __cplusplus
extern "C" {
#endif
/* Of the bundle that lies at plan sections on the host; `device` is where the same image lies on the device. RIDE_E_UNSUPPORTED as
 * ride_state_layout_make says. */
ride_status ride_cuda_entity_make(const ride_bundle *bundle, uint32_t entity, const uint8_t *device,
                                  ride_cuda_entity *out, ride_error *err);
#ifdef __cplusplus
}
#endif

#endif
