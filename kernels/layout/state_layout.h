/* kernels/layout/state_layout.h: how one entity's window state lies in memory, from the plan alone. The CPU backend builds
 * it, `ride features explain` prices it with the same function.
 *
 * Per key: one record (header, then per window edge its position, time word and prefixes) and a ring of blocks. A block is
 * one or more 64-byte lines and holds 2^block_shift entries, field by field: the time words, then one array per word
 * of the entry. An entry's cumulative words are the totals *before* it, so a window's sum is the difference of two entries.
 *
 * Two forms. Narrow: all words are int32 (time in whole seconds, sums modulo 2^32, exact while every window's sum fits in 31
 * bits, which the backend watches). Wide: all words are int64 (time in microseconds; 128-bit sums take two). A table starts
 * narrow where its lanes allow it and is rewritten once, as a whole, when an event does not fit. */
#ifndef RIDE_KERNELS_LAYOUT_STATE_LAYOUT_H
#define RIDE_KERNELS_LAYOUT_STATE_LAYOUT_H
#include "kernels/layout/bundle.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    RIDE_STATE_LANES_MAX = 48,
    RIDE_STATE_EDGES_MAX = 64,
    RIDE_STATE_LINE_BYTES = 64,
    RIDE_STATE_RECORD_HEAD_BYTES = 64,
    RIDE_STATE_CHAINS_MAX = RIDE_STATE_LANES_MAX + 1,
    RIDE_STATE_CHAIN_BYTES = 32,
    RIDE_STATE_EXTREMES_MAX = 16,
    RIDE_STATE_EXTREME_BYTES = 24,
};

typedef struct ride_state_layout {
    uint32_t wide;       /* 0 narrow, 1 wide */
    uint32_t word_bytes; /* 4 or 8 */
    uint32_t lanes_count;
    int32_t lane_word
        [RIDE_STATE_LANES_MAX]; /* first word of the lane among the cumulative words (sums) or the own words (values); -1 = none */
    uint8_t lane_is_own[RIDE_STATE_LANES_MAX]; /* 1: VALUE, HASH: the entry's own value, not a prefix */
    uint32_t cumulative_words;                 /* per entry */
    uint32_t own_words;                        /* per entry, presence bits included (the last one) */
    int32_t presence_word;                     /* among the own words, or -1: bit l = lane l is present */
    uint32_t edges_count;                    /* stored edges: all but an edge that always stands at the newest entry */
    uint32_t edges_padded;                   /* multiple of 4 */
    int32_t edge_slot[RIDE_STATE_EDGES_MAX]; /* plan edge of the entity -> stored edge, or -1 = the newest entry */
    uint32_t block_shift;                    /* entries per block = 1 << block_shift */
    uint32_t block_lines;                    /* 64-byte lines per block */
    uint32_t record_bytes;                   /* multiple of 64 */
    uint32_t offset_position, offset_word, offset_prefix, offset_total; /* within a record */
    uint32_t chains_count;                     /* since_first: one per set of events that it counts */
    int32_t chain_lane[RIDE_STATE_CHAINS_MAX]; /* the lane whose presence says which events; -1 = all */
    uint32_t offset_chain;
    uint32_t
        extremes_count; /* min and max whose present value a record remembers, so that it is not looked for each time */
    uint32_t extreme_aggregate[RIDE_STATE_EXTREMES_MAX]; /* within the entity's aggregates */
    uint32_t offset_extreme;
} ride_state_layout;

/* 1 when the entity's lanes fit the narrow form. */
int ride_state_can_be_narrow(const ride_bundle *bundle, uint32_t entity);
/* RIDE_E_UNSUPPORTED when the plan needs more lanes or edges than the limits above. */
ride_status ride_state_layout_make(const ride_bundle *bundle, uint32_t entity, int wide, ride_state_layout *out,
                                   ride_error *err);

/* Capacities of rings, in blocks: 1 … 8, then four steps per doubling, so that at most a fifth of a ring is unused. */
uint32_t ride_state_ring_class(uint32_t blocks); /* smallest class with at least that many blocks */
uint32_t ride_state_ring_blocks(uint32_t ring_class);

/* Bytes that one key with `entries` retained entries takes, everything included (record, ring, slots of the key table). */
uint64_t ride_state_key_bytes(const ride_state_layout *layout, uint64_t entries);
enum { RIDE_STATE_SLOT_BYTES_PER_KEY = 16 }; /* 8-byte slots, at most half full on average */

#ifdef __cplusplus
}
#endif

#endif
