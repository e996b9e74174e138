/* kernels/cpu/entity.h: one entity's window state on the CPU: records, rings, key table, and the work of one block of rows.
 *
 * Rows are worked in blocks of 64. Per block and entity: prefetch the key slots, find the records, prefetch the ring lines
 * that will be read, then row by row move the edges that have expired, note positions and prefixes, append. The
 * aggregates are finished column by column afterwards. The row loop exists twice from one source (form_body.h): narrow words and
 * wide words (state_layout.h). Private to kernels/cpu; one thread at a time. */
#ifndef RIDE_KERNELS_CPU_ENTITY_H
#define RIDE_KERNELS_CPU_ENTITY_H
#include "kernels/cpu/isa.h"
#include "kernels/cpu/keytable.h"
#include "kernels/cpu/slab.h"
#include "kernels/layout/state_layout.h"
#include "kernels/row/window.h"
#include "ride/backend.h"

enum {
    RIDE_BLOCK_ROWS = 64,
    RIDE_NO_RECORD = UINT32_MAX, /* null key */
    RIDE_WORDS_MAX = 2 * RIDE_STATE_LANES_MAX + 1,
    RIDE_NARROW_LIMIT =
        1 << 30, /* a narrow table keeps (entries of the busiest key) * (largest value) below twice this */
};

typedef struct ride_record {
    ride_key128 key;
    int64_t last_us; /* time of the newest entry; INT64_MIN: none yet */
    uint32_t ties;   /* newest tie note of this key + 1; 0 = none */
    uint32_t group;  /* peers: entries of the running timestamp group whose rows are still to be read */
    uint32_t n;      /* position the next entry gets; the slot exists and its time word is the maximum */
    uint32_t first;  /* position of the oldest kept entry */
    uint32_t ring;   /* slab line of the ring, 0 = none */
    uint32_t newest; /* slab line of the block that n stands in */
    uint32_t ring_blocks;
    uint32_t base_block; /* block l lies at ring index l - base_block, less ring_blocks when past the end */
    uint32_t patches;    /* label patch of this key that became known last + 1; 0 = none */
    uint16_t ring_class;
    uint16_t epoch; /* last block of rows that touched it (form_vector.h) */
} ride_record;
RIDE_STATIC_ASSERT(sizeof(ride_record) == RIDE_STATE_RECORD_HEAD_BYTES, "head of a record is one line");

/* Notes beside the entries of a key, in two lists. Only plans with a label source have any. An entry is named by its time and
 * its place among the entries of that time, which late events of the same time only join behind.
 * patch: the entry's label changes by `delta` at known_us; an event before that must not see it. Ordered by known_us, latest first.
 * tie: the arrival number of an entry that is not the first of its time, so that a label finds it. Newest first. */
typedef struct ride_note {
    int64_t entry_us;
    union {
        int64_t known_us;  /* patch */
        uint64_t sequence; /* tie */
    };
    uint64_t lanes;   /* patch: bit l: lane l changes */
    uint32_t ordinal; /* of the entry among those of its time */
    int32_t delta;    /* patch */
    uint32_t next;    /* + 1; 0 = end */
    uint32_t reserved;
} ride_note;

/* since_first: where the chain begins that the newest of the counted events belongs to. A chain is events no further apart than the
 * lookback. What of it has been dropped from the ring is summed up in the last two. INT64_MIN: none. */
typedef struct ride_chain {
    int64_t last_us, start_us;           /* newest counted entry, and the first of its chain */
    int64_t gone_last_us, gone_start_us; /* the same of the entries before record->first */
} ride_chain;
RIDE_STATIC_ASSERT(sizeof(ride_chain) == RIDE_STATE_CHAIN_BYTES, "the layout makes room for it");

/* min, max: the value of the entries [from, covered) of a record and which of them has it, the newest of equal ones. It holds until
 * that entry leaves the window; entries that came since are looked at when the value is asked for. */
typedef struct ride_extreme {
    int64_t value;
    uint32_t best;          /* position; RIDE_NO_RECORD: none of them counts */
    uint32_t from, covered; /* covered 0: nothing is known */
    uint32_t reserved;
} ride_extreme;
RIDE_STATIC_ASSERT(sizeof(ride_extreme) == RIDE_STATE_EXTREME_BYTES, "the layout makes room for it");

/* What the finish needs of an aggregate, in terms of the layout. slot -1 = newest entry. */
typedef struct ride_cpu_aggregate {
    const ride_plan_aggregate *plan;
    int32_t slot_lo, slot_hi;
    int32_t word_count, word_sum, word_sumsq; /* cumulative words, -1 = none */
    int32_t word_value;                       /* own word of VALUE/HASH, -1 = none */
    int32_t lane_value;                       /* presence bit */
    uint32_t is_u64;
    double divisor;  /* 10^scale */
    bool scans;      /* reads entries, not prefixes */
    uint32_t chain;  /* since_first: which */
    int32_t extreme; /* min, max: which of the record's, or -1 */
} ride_cpu_aggregate;

struct ride_cpu_form;

typedef struct ride_cpu_entity {
    const ride_bundle *bundle;
    const ride_plan_entity *plan;
    const ride_plan_lane *lanes;
    const ride_plan_edge *edges;
    const ride_plan_zone *zone;
    uint32_t zone_count;
    ride_state_layout layout;
    ride_cpu_aggregate *aggregates;
    uint32_t aggregates_count;
    bool any_scan, any_peers;
    bool sums_watched;       /* wide: some window's sum could leave 64 bits, so sums are made row by row (`scans`) */
    bool labels_from_source; /* and a lane counts them */
    int32_t label_count_word
        [RIDE_STATE_LANES_MAX];       /* for LABEL lane l: the COUNT word of its condition, -1 = every entry */
    bool word_is_low[RIDE_WORDS_MAX]; /* cumulative word w and w + 1 are one 128-bit number */
    bool out_of_memory;
    uint32_t form_epoch;  /* counts rewritings */
    uint16_t block_epoch; /* counts blocks of rows; may wrap: a key taken for touched only waits */
    const struct ride_cpu_form *narrow_form;
    int64_t need_us, retention_us, lookback_us;
    int64_t offset_max_us; /* of the edges that stand a fixed time behind the event */

    ride_keytable table;
    uint8_t *records;
    uint64_t records_bytes_reserved;
    uint32_t records_used, records_max, records_free, sweep_at;
    uint32_t free_record; /* index + 1 of a free record, chained through ring; 0 = none */
    ride_slab slab;
    ride_note *notes;
    uint32_t notes_used, notes_max, notes_free;
    int64_t largest;   /* largest |value| of a SUM lane so far; INT64_MAX also for INT64_MIN */
    uint32_t live_max; /* narrow: most entries that any key has held */
    int64_t clock_us;  /* greatest clock seen */
    int64_t expire_us; /* what the host says of it (ride_work.many_clocks); INT64_MAX: clock_us is what counts */
    ride_state_stats stats;
    uint64_t *distinct_set;               /* scratch of distinct: pairs */
    uint64_t distinct_max, distinct_mask; /* pairs there is room for; of the set at hand, less 1 */
} ride_cpu_entity;

/* The rows of a block as one entity sees them. `WORD` arrays hold int32 in the narrow form, int64 in the wide one. */
typedef struct ride_cpu_rows {
    uint32_t rows_count;
    const int64_t *time_us, *clock_us;
    const uint32_t *flags;
    const ride_key128 *keys;
    uint32_t *record;                 /* [64]; RIDE_NO_RECORD = null key or a row to pass over */
    ride_record *at[RIDE_BLOCK_ROWS]; /* the same after prefetch (form_vector.h only), NULL = none */
    uint64_t key_word_bits;           /* has_key that key_word was made from */
    uint64_t *present; /* [lanes]: bit per row: the row has the lane's column and meets its condition (and has a key) */
    uint64_t *valid;   /* [lanes]: bit per row: the lane's column is not null, whatever key and condition say */
    void *own;         /* WORD [cumulative_words][64]: what each row adds; 0 when not present */
    int64_t *sum_value; /* [lanes][64]: the values of SUM lanes before they are narrowed */
    int64_t *own_value; /* [own_words][64]: values and hash halves */
    void *time_word;    /* WORD [64] */
    void *key_word;     /* WORD [64]: 1 where has_key */
    bool is_peers;      /* finish: the peers aggregates, with the row's own entry already in state */
    void *threshold;    /* WORD [64][edges_padded] */
    void *
        raw; /* WORD [1 + cumulative_words][edges_padded + 1][64]: position, then prefixes, at each edge; the last edge is the newest entry */
    void *notes; /* WORD [1 + cumulative_words][64][edges_padded]: as raw, row by row (form_vector.h) */
    int64_t label[RIDE_BLOCK_ROWS]; /* label rows: 0 or 1 */
    const uint64_t *about;          /* label rows: the arrival number of the event */
    uint64_t sequence_first;        /* arrival number of row 0 */
    const uint64_t *sequence;       /* gathered rows (own.h): of each; NULL: they follow each other */
    const int64_t *seen_us;         /* gathered rows: greatest clock of all events up to the row; NULL: by the rows */
    uint64_t has_key;               /* bit per row: an event with a key (before fill: any row with a key) */
    uint64_t is_event;              /* bit per row: neither a label nor passed over */
    uint32_t form_epoch;            /* of the entity when thresholds were made */
    uint64_t approx;                /* out: bit per row */
    double **features;              /* [aggregate of the entity]: where row 0's result goes */
} ride_cpu_rows;

/* What exists per form. */
typedef struct ride_cpu_form {
    void (*record_init)(ride_cpu_entity *entity, ride_record *record);
    void (*thresholds)(const ride_cpu_entity *entity, ride_cpu_rows *rows);
    /* Records were found by tag: makes sure of the keys, and prefetches the lines that the rows will read. */
    void (*prefetch)(ride_cpu_entity *entity, ride_cpu_rows *rows);
    /* Narrow: the block's rows fit (times, values, bound of sums); updates the bounds. Wide: always. After thresholds. */
    bool (*fits)(ride_cpu_entity *entity, const ride_cpu_rows *rows);
    /* Values into words: after the fit was checked. */
    void (*words)(const ride_cpu_entity *entity, ride_cpu_rows *rows);
    /* ahead: rows of the next block, to be prefetched on the way, or NULL. */
    void (*apply)(ride_cpu_entity *entity, ride_cpu_rows *rows, ride_cpu_rows *ahead);
    void (*finish)(const ride_cpu_entity *entity, const ride_cpu_rows *rows);
    void (*peers_count)(ride_cpu_entity *entity, const ride_cpu_rows *rows);
    void (*peers)(ride_cpu_entity *entity, ride_cpu_rows *rows);
    /* One kept entry, oldest first from record->first: its time, what it adds to each cumulative word, its own words. */
    void (*entry_read)(const ride_cpu_entity *entity, const ride_record *record, uint32_t position, int64_t *time_us,
                       int64_t *added, int64_t *own);
    void (*entry_append)(ride_cpu_entity *entity, ride_record *record, int64_t time_us, const int64_t *added,
                         const int64_t *own);
    void (*edges_refresh)(ride_cpu_entity *entity, ride_record *record);
} ride_cpu_form;
extern const ride_cpu_form ride_cpu_form_narrow, ride_cpu_form_wide;
#if defined(__x86_64__)
extern const ride_cpu_form ride_cpu_form_narrow_avx2, ride_cpu_form_narrow_avx512;
#endif

static inline const ride_cpu_form *ride_cpu_entity_form(const ride_cpu_entity *entity) {
    return entity->layout.wide ? &ride_cpu_form_wide : entity->narrow_form;
}
static inline ride_record *ride_cpu_record(const ride_cpu_entity *entity, uint32_t index) {
    return (ride_record *)(entity->records + (uint64_t)index * entity->layout.record_bytes);
}

/* bytes_max: bound of records and rings together; the key table comes on top. */
ride_status ride_cpu_entity_create(ride_cpu_entity *entity, const ride_bundle *bundle, uint32_t entity_index,
                                   uint64_t bytes_max, uint64_t reserve_keys, ride_cpu_isa isa, ride_error *err);
void ride_cpu_entity_destroy(ride_cpu_entity *entity);
/* Record of a key by tag only: may be another key's (verify then corrects it), or a new record. RIDE_NO_RECORD: out of memory. */
uint32_t ride_cpu_entity_find_slow(ride_cpu_entity *entity, ride_key128 key, uint64_t hash);
static inline uint32_t ride_cpu_entity_find(ride_cpu_entity *entity, ride_key128 key, uint64_t hash) {
    uint32_t index = ride_keytable_find_near(&entity->table, hash);
    return RIDE_LIKELY(index != UINT32_MAX) ? index : ride_cpu_entity_find_slow(entity, key, hash);
}
uint32_t ride_cpu_entity_find_exact(ride_cpu_entity *entity, ride_key128 key, uint64_t hash);
/* Rewrites a narrow table as wide; record indexes stay. */
ride_status ride_cpu_entity_widen(ride_cpu_entity *entity, ride_error *err);
/* Wide: notes the block's greatest values; from when on sums could overflow, they are watched. */
void ride_cpu_entity_watch_sums(ride_cpu_entity *entity, const ride_cpu_rows *rows);
static inline bool ride_cpu_sum_can_overflow(const ride_cpu_entity *entity, uint64_t entries) {
    return (ride_u128)entries * ((uint64_t)entity->largest + 1) > INT64_MAX;
}
static inline bool ride_cpu_op_sums(uint16_t op) { return op >= RIDE_AGG_SUM && op <= RIDE_AGG_STD_POP; }
/* Frees keys whose entries have all expired; looks at `records_count` records and goes on there next time. */
void ride_cpu_entity_sweep(ride_cpu_entity *entity, uint32_t records_count);
uint64_t ride_cpu_entity_bytes(const ride_cpu_entity *entity);
/* Puts a note at the head of a list, or in its place by known_us among patches; forgets those of expired entries. */
void ride_cpu_tie_add(ride_cpu_entity *entity, ride_record *record, const ride_note *note);
void ride_cpu_patch_add(ride_cpu_entity *entity, ride_record *record, const ride_note *note);
/* Takes out the entry's patches that are known at known_us or later; returns the sum of their deltas. */
int32_t ride_cpu_patches_cut(ride_cpu_entity *entity, ride_record *record, int64_t entry_us, uint32_t ordinal,
                             int64_t known_us);
/* The clock that entries expire by. */
static inline int64_t ride_cpu_entity_clock(const ride_cpu_entity *entity) {
    return entity->clock_us < entity->expire_us ? entity->clock_us : entity->expire_us;
}
/* Time before or at which no reader sees an entry any more. */
static inline int64_t ride_cpu_entity_cut(const ride_cpu_entity *entity) {
    return ride_time_sub(ride_cpu_entity_clock(entity), entity->retention_us);
}
static inline ride_extreme *ride_cpu_extremes(const ride_cpu_entity *entity, const ride_record *record) {
    return (ride_extreme *)((uint8_t *)record + entity->layout.offset_extreme);
}
static inline ride_chain *ride_cpu_chains(const ride_cpu_entity *entity, const ride_record *record) {
    return (ride_chain *)((uint8_t *)record + entity->layout.offset_chain);
}

#endif
