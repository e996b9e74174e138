/* kernels/reference/apply.c: one batch, row after row in order of arrival.
 *
 * Each event first reads, then enters. Windows with `peers` are read when the last row of their timestamp group has
 * entered; what follows the aggregates (expressions, score, rules) is done at the end, when all of them are known. */
#include "base/assert.h"
#include "kernels/reference/state.h"
#include "kernels/row/key.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

typedef struct batch {
    const ride_program_dev *program;
    ride_state *state;
    const ride_work *work;
    uint64_t row_first; /* number of row 0 */
    ref_fact *facts;    /* rows_count * facts_count */
} batch;

static const uint8_t *in_tile(const batch *b, uint32_t row) {
    return b->work->in_tiles + (size_t)(row / RIDE_TILE_ROWS) * b->program->in.tile_bytes;
}
static uint8_t *out_tile(const batch *b, uint32_t row) {
    return b->work->out_tiles + (size_t)(row / RIDE_TILE_ROWS) * b->program->out.tile_bytes;
}

static ref_fact column_fact(const batch *b, uint32_t column, uint32_t row) {
    const uint32_t r = row % RIDE_TILE_ROWS;
    const uint8_t *tile = in_tile(b, row);
    const uint8_t *values = ride_tile_values_const(&b->program->in, tile, column);
    const uint32_t bytes = ride_type_bytes(b->program->in.columns[column].type);
    ref_fact fact = {0};
    if (!ride_valid(ride_tile_validity_const(&b->program->in, tile, column), r)) return fact;
    fact.valid = 1;
    if (b->program->in.columns[column].type == RIDE_TYPE_STRING)
        return fact;                                  /* where its bytes lie means nothing later */
    memcpy(&fact, values + (size_t)r * bytes, bytes); /* little-endian; a value is at most lo and hi */
    if (b->program->in.columns[column].type == RIDE_TYPE_F64) {
        double x;
        memcpy(&x, &fact.lo, sizeof x);
        if (x != x) fact = (ref_fact){0}; /* NaN is null */
    }
    return fact;
}

static const ref_fact *facts_of(const batch *b, uint32_t row) {
    return &b->facts[(size_t)row * b->program->facts_count];
}

static void gather_facts(const batch *b, uint32_t row) {
    const ride_program_dev *program = b->program;
    const ride_plan_header *plan = program->bundle.plan;
    const ride_plan_condition *conditions = REF_PLAN(program, RIDE_SECTION_CONDITIONS, ride_plan_condition);
    ref_fact *facts = &b->facts[(size_t)row * program->facts_count];
    for (uint32_t c = 0; c < plan->columns_count; c++)
        if (program->fact_of_column[c] >= 0) facts[program->fact_of_column[c]] = column_fact(b, c, row);
    for (uint32_t i = 0; i < plan->conditions_count; i++)
        facts[program->columns_used + i] =
            (ref_fact){.lo = ref_row_condition(program, conditions[i].program, in_tile(b, row), out_tile(b, row),
                                               row % RIDE_TILE_ROWS),
                       .valid = 1};
}

static uint32_t flags_of(const batch *b, uint32_t row) { return (uint32_t)column_fact(b, RIDE_COLUMN_FLAGS, row).lo; }
static int64_t time_of(const batch *b, uint32_t row) { return (int64_t)column_fact(b, RIDE_COLUMN_TIME, row).lo; }
static uint64_t sequence_of(const batch *b, uint32_t row) {
    return ((const ride_tile_header *)in_tile(b, row))->sequence_first + row % RIDE_TILE_ROWS;
}
static int64_t clock_of(const batch *b, uint32_t row) { return (int64_t)column_fact(b, RIDE_COLUMN_CLOCK, row).lo; }

static void put_f64(const batch *b, uint32_t column, uint32_t row, double value) {
    double *values = ride_tile_values(&b->program->out, out_tile(b, row), column);
    values[row % RIDE_TILE_ROWS] = value;
}

/* States of other vnodes may flag the same row at the same time. */
static void flag_approx(const batch *b, uint32_t row) {
    const uint32_t column = b->program->bundle.plan->features_count + RIDE_OUT_FLAGS;
    _Atomic uint32_t *flags = ride_tile_values(&b->program->out, out_tile(b, row), column);
    atomic_fetch_or_explicit(&flags[row % RIDE_TILE_ROWS], RIDE_OUT_APPROX, memory_order_relaxed);
}

/* The row's key of the entity, and whether its vnode is the state's; a null key's is 0. */
static bool key_ours(const batch *b, const ride_plan_entity *entity, uint32_t row, ref_fact *key) {
    *key = column_fact(b, entity->key_column, row);
    const uint32_t vnode = key->valid ? ride_key_vnode((ride_key128){key->lo, key->hi}) : 0;
    return vnode - b->state->options.vnode_first < b->state->options.vnodes_count;
}

/* Aggregates of one event, of those with peers or of those without. */
static void read_aggregates(const batch *b, uint32_t row, bool peers) {
    const ride_plan_header *plan = b->program->bundle.plan;
    const ride_plan_entity *entities = REF_PLAN(b->program, RIDE_SECTION_ENTITIES, ride_plan_entity);
    const ride_plan_aggregate *aggregates = REF_PLAN(b->program, RIDE_SECTION_AGGREGATES, ride_plan_aggregate);
    bool overflow = false;
    for (uint32_t i = 0; i < plan->aggregates_count; i++) {
        const ride_plan_aggregate *a = &aggregates[i];
        ref_fact key;
        if (!key_ours(b, &entities[a->entity], row, &key)) continue;
        const ride_key128 key128 = {key.lo, key.hi};
        const ref_event event = {.key = key.valid ? ref_table_find(&b->state->tables[a->entity], key128) : NULL,
                                 .has_key = key.valid != 0,
                                 .time_us = time_of(b, row),
                                 .clock_us = clock_of(b, row),
                                 .row = b->row_first + row,
                                 .facts = facts_of(b, row)};
        if (peers && !a->peers) continue;
        bool left_64_bits = false;
        put_f64(b, a->feature, row, ref_aggregate(b->program, a, &event, &left_64_bits));
        overflow =
            overflow || (left_64_bits && (peers || !a->peers)); /* a peers window is not final before its group is */
    }
    if (overflow) flag_approx(b, row);
}

static void flag_old(const batch *b, uint32_t row) {
    const ride_plan_header *plan = b->program->bundle.plan;
    const ride_plan_entity *entities = REF_PLAN(b->program, RIDE_SECTION_ENTITIES, ride_plan_entity);
    for (uint32_t e = 0; e < plan->entities_count; e++) {
        ref_fact key;
        if (entities[e].aggregates_count == 0 || !key_ours(b, &entities[e], row, &key) || !key.valid) continue;
        if (ride_time_sub(time_of(b, row), entities[e].need_us) <
            ride_time_sub(clock_of(b, row), entities[e].retention_us))
            flag_approx(b, row);
    }
}

static ride_status enter(const batch *b, uint32_t row) {
    const ride_plan_header *plan = b->program->bundle.plan;
    const ride_plan_entity *entities = REF_PLAN(b->program, RIDE_SECTION_ENTITIES, ride_plan_entity);
    uint32_t label = 0;
    if (plan->label_kind == RIDE_LABEL_IN_EVENT) {
        const ref_fact fact = column_fact(b, (uint32_t)plan->column_label, row);
        label = fact.valid && fact.lo != 0;
    }
    const ref_entry event = {.time_us = time_of(b, row),
                             .row = b->row_first + row,
                             .sequence = sequence_of(b, row),
                             .label = label};
    for (uint32_t e = 0; e < plan->entities_count; e++) {
        ref_fact key;
        if (!key_ours(b, &entities[e], row, &key) || !key.valid) continue;
        if (time_of(b, row) <= ride_time_sub(clock_of(b, row), entities[e].retention_us)) continue; /* gone at once */
        RIDE_TRY(ref_state_enter(b->state, e, (ride_key128){key.lo, key.hi}, &event, facts_of(b, row)));
    }
    return RIDE_OK;
}

static ride_status label(const batch *b, uint32_t row) {
    const ride_plan_header *plan = b->program->bundle.plan;
    const ride_plan_entity *entities = REF_PLAN(b->program, RIDE_SECTION_ENTITIES, ride_plan_entity);
    if (plan->label_kind != RIDE_LABEL_SOURCE) return RIDE_OK;
    const ref_fact value = column_fact(b, (uint32_t)plan->column_label, row),
                   about = column_fact(b, plan->column_sequence, row);
    for (uint32_t e = 0; e < plan->entities_count; e++) {
        ref_fact key;
        if (!key_ours(b, &entities[e], row, &key) || !key.valid) continue;
        RIDE_TRY(ref_state_label(b->state, e, (ride_key128){key.lo, key.hi}, time_of(b, row), about.lo,
                                 clock_of(b, row), value.valid && value.lo != 0));
    }
    return RIDE_OK;
}

/* The group that ends at `last`: the events before it, back to another time or to the end of another group. */
static void read_peers(const batch *b, uint32_t last) {
    for (uint32_t row = last;; row--) {
        const uint32_t flags = flags_of(b, row);
        if ((flags & (RIDE_ROW_SKIP | RIDE_ROW_LABEL)) == 0) {
            if (time_of(b, row) != time_of(b, last) || (row != last && (flags & RIDE_ROW_PEERS) != 0)) break;
            read_aggregates(b, row, true);
        }
        if (row == 0) break;
    }
}

static ride_status apply_windows(batch *b) {
    const uint32_t rows_count = b->work->rows_count;
    for (uint32_t row = 0; row < rows_count; row++) {
        const uint32_t flags = flags_of(b, row);
        if ((flags & RIDE_ROW_SKIP) != 0) continue;
        if ((flags & RIDE_ROW_LABEL) != 0) {
            RIDE_TRY(label(b, row));
            continue;
        }
        gather_facts(b, row);
        flag_old(b, row);
        read_aggregates(b, row, false);
        if ((flags & RIDE_ROW_ENTERS) != 0) RIDE_TRY(enter(b, row));
        if ((flags & RIDE_ROW_PEERS) != 0) read_peers(b, row);
    }
    return RIDE_OK;
}

static ride_status run(batch *b) {
    const ride_work *work = b->work;
    if ((work->stages & RIDE_STAGE_WINDOWS) != 0) RIDE_TRY(apply_windows(b));
    if ((work->stages & ~(uint32_t)RIDE_STAGE_WINDOWS) == 0) return RIDE_OK;
    for (uint32_t row = 0; row < work->rows_count; row++) {
        const uint8_t *in = in_tile(b, row);
        uint8_t *out = out_tile(b, row);
        const uint32_t r = row % RIDE_TILE_ROWS;
        if ((flags_of(b, row) & (RIDE_ROW_SKIP | RIDE_ROW_LABEL)) != 0) continue;
        if ((work->stages & RIDE_STAGE_EXPRESSIONS) != 0) ref_row_expressions(b->program, in, out, r);
        if ((work->stages & RIDE_STAGE_SCORE) != 0) RIDE_TRY(ref_row_score(b->program, in, out, r));
        if ((work->stages & RIDE_STAGE_RULES) != 0) ref_row_rules(b->program, in, out, r);
        if ((work->stages & RIDE_STAGE_PROFILE) != 0) ref_row_count(b->program, in, out, r, work->counts);
    }
    return RIDE_OK;
}

ride_status ref_apply(const ride_program_dev *program, ride_state *state, const ride_work *work) {
    batch b = {.program = program, .state = state, .work = work};
    RIDE_ASSERT((work->stages & RIDE_STAGE_SCORE) == 0 || program->has_model);
    RIDE_ASSERT((work->stages & RIDE_STAGE_PROFILE) == 0 || (program->has_profile && work->counts != NULL));
    if (work->rows_count == 0) return RIDE_OK;
    if ((work->stages & RIDE_STAGE_WINDOWS) != 0) {
        RIDE_ASSERT(state != NULL && state->program == program);
        b.row_first = state->rows_applied + 1;
        b.facts = calloc((size_t)work->rows_count * program->facts_count + 1, sizeof *b.facts);
        if (b.facts == NULL) return RIDE_E_MEMORY;
        state->rows_applied += work->rows_count;
        if (state->options.vnodes_count == RIDE_VNODES)
            ride_out_flags_clear(&program->out, work->out_tiles, work->rows_count);
    }
    const bool is_part =
        b.facts != NULL && state->options.vnodes_count < RIDE_VNODES; /* the tiles may be others' too */
    for (uint32_t tile = 0; !is_part && tile * RIDE_TILE_ROWS < work->rows_count;
         tile++) /* the host reads the rows from it */
        memcpy(out_tile(&b, tile * RIDE_TILE_ROWS), in_tile(&b, tile * RIDE_TILE_ROWS), RIDE_TILE_HEADER_BYTES);
    ride_status st = run(&b);
    free(b.facts);
    return st;
}
