/* kernels/reference/state.h: window state kept the slow and obvious way, and what the files of this backend share.
 *
 * Per entity a list of all events of each key, sorted by (time, arrival), with their raw values. Nothing is summed ahead
 * and nothing is thrown away: retention is a comparison at reading. Every window scans its events. This backend is what
 * the others are checked against, so it shares no code with them but kernels/row. It allocates while it runs.
 * Private to kernels/reference; one thread at a time. */
#ifndef RIDE_KERNELS_REFERENCE_STATE_H
#define RIDE_KERNELS_REFERENCE_STATE_H
#include "kernels/layout/ensemble.h"
#include "kernels/layout/profile.h"
#include "kernels/layout/program.h"
#include "kernels/row/window.h"
#include "ride/backend.h"

#include <stdbool.h>

/* One value of a row: of an input column, or whether a condition is true. Integers and bools in lo; a key in both. */
typedef struct ref_fact {
    uint64_t lo, hi;
    uint64_t valid;
} ref_fact;

/* The label of an entry became `value`; an event older than known_us does not know it. */
typedef struct ref_patch {
    int64_t known_us;
    uint64_t value;
} ref_patch;

/* An event in state: raw values of the columns that the plan aggregates, then one result per condition. */
typedef struct ref_entry {
    int64_t time_us;
    uint64_t row;      /* number of its row, from 1: tells an event its own entry; 0 after a restore */
    uint64_t sequence; /* its arrival number: what labels name it by */
    ref_patch *patches;
    uint32_t patches_count;
    uint32_t label; /* the label that came with the event */
    ref_fact facts[];
} ref_entry;

typedef struct ref_key {
    ride_key128 key;
    ref_entry **entries; /* owned; sorted by time, equal times by arrival */
    uint32_t entries_count, entries_count_max;
    uint32_t next; /* index + 1 of the next key of its bucket, 0 = end */
} ref_key;

typedef struct ref_table {
    ref_key *keys; /* in order of first appearance */
    uint32_t keys_count, keys_count_max;
    uint32_t *buckets;      /* index + 1 into keys, 0 = empty */
    uint32_t buckets_count; /* power of two */
} ref_table;

struct ride_program_dev {
    uint8_t *image; /* own copy of the bundle */
    ride_bundle bundle;
    ride_tile_layout in, out;
    int32_t *fact_of_column;            /* columns_count: which fact of an entry holds the column, or -1 */
    uint32_t columns_used, facts_count; /* the conditions' facts follow those of the columns */
    ride_forest forest;                 /* of one plain forest */
    ride_ensemble_parts ensemble;       /* else; members NULL = one plain forest */
    ride_member_view *members;          /* its room */
    ride_profile profile;
    bool has_model, has_profile;
};

struct ride_counts {
    uint32_t cells_count;
    uint64_t cells[];
};

struct ride_state {
    const ride_program_dev *program;
    ride_state_options options;
    ref_table *tables; /* one per entity */
    uint64_t rows_applied, entries_count, bytes;
};

/* Typed access to the plan. */
#define REF_PLAN(program, section, type) ride_bundle_array(&(program)->bundle, section, type)

/* Column not null (if one is given) and condition true (if one is given). */
static inline bool ref_present(const ride_program_dev *program, const ref_fact *facts, int32_t column,
                               int32_t condition) {
    if (column >= 0 && facts[program->fact_of_column[column]].valid == 0) return false;
    if (condition < 0) return true;
    return facts[program->columns_used + (uint32_t)condition].lo != 0;
}

ref_key *ref_table_find(const ref_table *table, ride_key128 key); /* NULL: never seen */
/* Inserts behind every entry with the same or an earlier time. RIDE_E_MEMORY when there is none or too much. */
ride_status ref_state_enter(ride_state *state, uint32_t entity, ride_key128 key, const ref_entry *event,
                            const ref_fact *facts);
/* Label `value` for the event of that key, time and arrival number; none: nothing happens. */
ride_status ref_state_label(ride_state *state, uint32_t entity, ride_key128 key, int64_t time_us, uint64_t sequence,
                            int64_t known_us, uint32_t value);
void ref_state_clear(ride_state *state);

ride_status ref_state_save(ride_state *const *states, uint32_t states_count, uint32_t vnode_first,
                           uint32_t vnodes_count, ride_write_fn write, void *context, ride_error *err);
ride_status ref_state_restore(ride_state *const *states, uint32_t states_count, ride_read_fn read, void *context,
                              ride_error *err);

/* The event that asks. key NULL: the entity's key is null. */
typedef struct ref_event {
    const ref_key *key; /* NULL: nothing in state */
    bool has_key;
    int64_t time_us, clock_us;
    uint64_t row;
    const ref_fact *facts;
} ref_event;
/* The value of one aggregate for the event. *overflow becomes true when its sum does not fit in 64 bits: it is null then. */
double ref_aggregate(const ride_program_dev *program, const ride_plan_aggregate *aggregate, const ref_event *event,
                     bool *overflow);

/* One batch: conditions, aggregates, state, expressions; then score; then rules; then counts, as the work's stages say. */
ride_status ref_apply(const ride_program_dev *program, ride_state *state, const ride_work *work);

/* Rows of a matrix (rows.c). */
ride_status ref_rows_shape(const ride_program_dev *program, ride_rows_shape *out, ride_error *err);
ride_status ref_rows_score(const ride_program_dev *program, const ride_rows *rows, void *scratch);

/* One row of a tile. The condition: its program is true (null is not). */
bool ref_row_condition(const ride_program_dev *program, uint32_t program_index, const uint8_t *in_tile,
                       const uint8_t *out_tile, uint32_t row);
void ref_row_expressions(const ride_program_dev *program, const uint8_t *in_tile, uint8_t *out_tile, uint32_t row);
ride_status ref_row_score(const ride_program_dev *program, const uint8_t *in_tile, uint8_t *out_tile, uint32_t row);
void ref_row_count(const ride_program_dev *program, const uint8_t *in_tile, uint8_t *out_tile, uint32_t row,
                   ride_counts *counts);
void ref_row_rules(const ride_program_dev *program, const uint8_t *in_tile, uint8_t *out_tile, uint32_t row);

#endif
