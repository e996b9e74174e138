/* kernels/cpu/state.c: the pipeline over blocks of rows, all entities together.
 *
 * Memory is the cost, so a block passes four stages while three others are ahead of it: prefetch the key slots; find the
 * records and prefetch them; check the keys, make the thresholds and prefetch the ring lines that will be read; work. Rows
 * are worked strictly in arrival order within an entity, so results do not depend on how rows fall into blocks or batches. */
#include "kernels/cpu/state.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SWEEP_RECORDS_PER_BLOCK = 4 };

static uint64_t machine_bytes(void) {
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : UINT64_C(8) << 30;
}

ride_status ride_cpu_state_create(ride_device *device, const ride_program_dev *program,
                                  const ride_state_options *options, ride_state **out, ride_error *err) {
    ride_status st = RIDE_OK;
    ride_state *state = calloc(1, sizeof *state);
    if (state == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a state");
    const ride_plan_header *plan = program->bundle.plan;
    uint32_t n = plan->entities_count;
    state->program = program;
    state->options = *options;
    state->entities = calloc(n + 1, sizeof *state->entities);
    state->rows = calloc(2 * n + 1, sizeof *state->rows);
    state->found = calloc((size_t)n * RIDE_FLIGHT + 1, RIDE_BLOCK_ROWS * sizeof *state->found);
    state->hash = calloc((size_t)n * RIDE_FLIGHT + 1, RIDE_BLOCK_ROWS * sizeof *state->hash);
    state->conditions = calloc(plan->conditions_count + 1, sizeof *state->conditions);
    if (state->entities == NULL || state->rows == NULL || state->found == NULL || state->hash == NULL ||
        state->conditions == NULL) {
        st = ride_fail(err, RIDE_E_MEMORY, "no memory for a state of %u entities", n);
        goto fail;
    }
    uint64_t bytes_max = options->memory_bytes_max != 0 ? options->memory_bytes_max : machine_bytes();
    for (uint32_t e = 0; e < n; e++) {
        RIDE_TRY_GOTO(st,
                      ride_cpu_entity_create(&state->entities[e], &program->bundle, e, bytes_max, options->reserve_keys,
                                             device->isa, err),
                      fail);
        state->entities_count = e + 1;
        RIDE_TRY_GOTO(st, ride_cpu_rows_create(&state->rows[2 * e], &state->entities[e], err), fail);
        RIDE_TRY_GOTO(st, ride_cpu_rows_create(&state->rows[2 * e + 1], &state->entities[e], err), fail);
    }
    *out = state;
    return RIDE_OK;
fail:
    ride_cpu_state_destroy(state);
    return st;
}

void ride_cpu_state_destroy(ride_state *state) {
    if (state == NULL) return;
    for (uint32_t e = 0; state->entities != NULL && e < state->entities_count; e++) {
        ride_cpu_entity_destroy(&state->entities[e]);
        ride_cpu_rows_destroy(&state->rows[2 * e]);
        ride_cpu_rows_destroy(&state->rows[2 * e + 1]);
    }
    free(state->entities);
    free(state->rows);
    free(state->found);
    free(state->hash);
    free(state->conditions);
    free(state);
}

void ride_cpu_state_stats(const ride_state *state, ride_state_stats *out) {
    memset(out, 0, sizeof *out);
    for (uint32_t e = 0; e < state->entities_count; e++) {
        const ride_cpu_entity *entity = &state->entities[e];
        out->keys += entity->records_used - entity->records_free;
        out->bytes += ride_cpu_entity_bytes(entity);
        out->evicted_entries += entity->stats.evicted_entries;
        out->late_inserts += entity->stats.late_inserts;
        for (uint32_t i = 0; i < entity->records_used; i++)
            out->entries += ride_cpu_record(entity, i)->n - ride_cpu_record(entity, i)->first;
    }
}

/* ---- the four stages ---- */

static uint32_t *found_at(const ride_state *state, uint32_t e, uint32_t block) {
    return state->found + ((size_t)e * RIDE_FLIGHT + block % RIDE_FLIGHT) * RIDE_BLOCK_ROWS;
}
static uint64_t *hash_at(const ride_state *state, uint32_t e, uint32_t block) {
    return state->hash + ((size_t)e * RIDE_FLIGHT + block % RIDE_FLIGHT) * RIDE_BLOCK_ROWS;
}

typedef struct key_view {
    const ride_key128 *keys;
    const uint8_t *validity;
    const uint32_t *flags;
} key_view;

static key_view keys_of(const ride_state *state, uint32_t e, const ride_cpu_block *block) {
    const ride_tile_layout *layout = &state->program->in_layout;
    uint32_t column = state->entities[e].plan->key_column;
    return (key_view){(const ride_key128 *)ride_tile_values_const(layout, block->in_tile, column) + block->row_first,
                      ride_tile_validity_const(layout, block->in_tile, column),
                      (const uint32_t *)ride_tile_values_const(layout, block->in_tile, RIDE_COLUMN_FLAGS) +
                          block->row_first};
}

static void stage_slots(ride_state *state, const ride_cpu_block *block, uint32_t number) {
    for (uint32_t e = 0; e < state->entities_count; e++) {
        key_view view = keys_of(state, e, block);
        uint64_t *hash = hash_at(state, e, number);
        for (uint32_t row = 0; row < block->rows_count; row++) {
            hash[row] = ride_key_hash(view.keys[row]);
            ride_keytable_prefetch(&state->entities[e].table, hash[row]);
        }
    }
}

/* Only a row that will enter makes a key; others look and may find nothing. */
static uint32_t find_only(const ride_cpu_entity *entity, ride_key128 key, uint64_t hash) {
    for (uint64_t at = hash >> entity->table.shift;; at++) {
        uint32_t index = ride_keytable_probe(&entity->table, hash, &at);
        if (index == UINT32_MAX || ride_key_equal(ride_cpu_record(entity, index)->key, key))
            return index == UINT32_MAX ? RIDE_NO_RECORD : index;
    }
}

/* True when all rows enter and have a key: nothing to ask row by row. */
static bool all_enter(const key_view *view, uint32_t rows_count) {
    uint32_t both = UINT32_MAX, any = 0;
    for (uint32_t row = 0; row < rows_count; row++) both &= view->flags[row], any |= view->flags[row];
    return view->validity == NULL && (both & RIDE_ROW_ENTERS) && !(any & (RIDE_ROW_LABEL | RIDE_ROW_SKIP));
}

static void stage_records(ride_state *state, const ride_cpu_block *block, uint32_t number) {
    for (uint32_t e = 0; e < state->entities_count; e++) {
        ride_cpu_entity *entity = &state->entities[e];
        key_view view = keys_of(state, e, block);
        const uint64_t *hash = hash_at(state, e, number);
        uint32_t *found = found_at(state, e, number), record_bytes = entity->layout.record_bytes;
        const bool plain = all_enter(&view, block->rows_count);
        for (uint32_t row = 0; row < block->rows_count; row++) {
            if (!plain) {
                found[row] = RIDE_NO_RECORD;
                if (!ride_valid(view.validity, block->row_first + row) || (view.flags[row] & RIDE_ROW_SKIP)) continue;
                if ((view.flags[row] & (RIDE_ROW_ENTERS | RIDE_ROW_LABEL)) != RIDE_ROW_ENTERS) {
                    found[row] = find_only(entity, view.keys[row], hash[row]);
                    continue;
                }
            }
            found[row] = ride_cpu_entity_find(entity, view.keys[row], hash[row]);
            if (RIDE_UNLIKELY(found[row] == RIDE_NO_RECORD)) continue;
            const uint8_t *record = (const uint8_t *)ride_cpu_record(entity, found[row]);
            __builtin_prefetch(record, 1);
            __builtin_prefetch(record + RIDE_STATE_LINE_BYTES, 1);
            for (uint32_t line = 2 * RIDE_STATE_LINE_BYTES; line < record_bytes; line += RIDE_STATE_LINE_BYTES)
                __builtin_prefetch(record + line, 1);
        }
    }
}

static void stage_lines(ride_state *state, const ride_cpu_block *block, uint32_t number) {
    for (uint32_t e = 0; e < state->entities_count; e++) {
        ride_cpu_entity *entity = &state->entities[e];
        ride_cpu_rows *rows = &state->rows[2 * e + number % 2];
        ride_cpu_rows_point(rows, entity, &state->program->in_layout, block);
        rows->record = found_at(state, e, number);
        ride_cpu_entity_form(entity)->thresholds(entity, rows);
        rows->form_epoch = entity->form_epoch;
    }
}

static void stage_prefetch(ride_state *state, uint32_t number) {
    for (uint32_t e = 0; e < state->entities_count; e++)
        ride_cpu_entity_form(&state->entities[e])->prefetch(&state->entities[e], &state->rows[2 * e + number % 2]);
}

/* Thresholds anew when the table has been rewritten since they were made. */
static void form_follow(const ride_cpu_entity *entity, ride_cpu_rows *rows) {
    if (rows->form_epoch == entity->form_epoch) return;
    ride_cpu_entity_form(entity)->thresholds(entity, rows);
    rows->form_epoch = entity->form_epoch;
}

static ride_status form_check(ride_cpu_entity *entity, ride_cpu_rows *rows) {
    if (!ride_cpu_entity_form(entity)->fits(entity, rows)) {
        RIDE_TRY(ride_cpu_entity_widen(entity, NULL));
        entity->form_epoch++;
    }
    if (entity->layout.wide) ride_cpu_entity_watch_sums(entity, rows);
    form_follow(entity, rows);
    return RIDE_OK;
}

static void outputs_point(const ride_state *state, ride_cpu_rows *rows, const ride_cpu_entity *entity,
                          const ride_cpu_block *block) {
    for (uint32_t a = 0; a < entity->aggregates_count; a++)
        rows->features[a] = (double *)ride_tile_values(&state->program->out_layout, block->out_tile,
                                                       entity->aggregates[a].plan->feature) +
                            block->row_first;
}

static void approx_flag(const ride_state *state, const ride_cpu_block *block, uint64_t approx) {
    uint32_t *flags = (uint32_t *)ride_tile_values(&state->program->out_layout, block->out_tile,
                                                   state->program->bundle.plan->features_count + RIDE_OUT_FLAGS) +
                      block->row_first;
    for (; approx != 0; approx &= approx - 1) flags[__builtin_ctzll(approx)] |= RIDE_OUT_APPROX;
}

static void conditions_run(ride_state *state, ride_cpu_program_scratch *scratch, const ride_cpu_block *block) {
    const ride_plan_header *plan = state->program->bundle.plan;
    if (state->conditions_tile == block->tile_index) return;
    state->conditions_tile = block->tile_index;
    const ride_plan_condition *conditions =
        ride_bundle_array(&state->program->bundle, RIDE_SECTION_CONDITIONS, ride_plan_condition);
    ride_cpu_program_inputs inputs = {.in_layout = &state->program->in_layout,
                                      .in_tile = block->in_tile,
                                      .rows_count = ride_tile_head_const(block->in_tile)->rows_count};
    for (uint32_t c = 0; c < plan->conditions_count; c++)
        ride_cpu_program_condition(scratch, conditions[c].program, &inputs, state->conditions[c]);
}

/* has_ahead: the next block has passed stage_lines and is prefetched on the way. */
static ride_status stage_work(ride_state *state, ride_cpu_program_scratch *scratch, const ride_cpu_block *block,
                              uint32_t number, bool has_ahead) {
    conditions_run(state, scratch, block);
    for (uint32_t e = 0; e < state->entities_count; e++) {
        ride_cpu_entity *entity = &state->entities[e];
        ride_cpu_rows *rows = &state->rows[2 * e + number % 2];
        ride_cpu_rows_fill(rows, entity, &state->program->in_layout, block, state->conditions);
        RIDE_TRY(form_check(entity, rows));
        ride_cpu_entity_form(entity)->words(entity, rows);
        outputs_point(state, rows, entity, block);
        rows->is_peers = false;
        ride_cpu_rows *ahead = has_ahead ? &state->rows[2 * e + (number + 1) % 2] : NULL;
        if (ahead != NULL) form_follow(entity, ahead);
        ride_cpu_entity_form(entity)->apply(entity, rows, ahead);
        ride_cpu_entity_form(entity)->finish(entity, rows);
        approx_flag(state, block, rows->approx);
        if (entity->out_of_memory) return RIDE_E_MEMORY;
    }
    return RIDE_OK;
}

/* ---- ranges of rows ---- */

/* Block `number` of a range that begins at row `begin`: blocks do not cross tiles. */
typedef struct range {
    const ride_work *work;
    uint32_t in_bytes, out_bytes;
    uint32_t next, end; /* rows */
} range;

static bool range_block(range *r, ride_cpu_block *block) {
    if (r->next == r->end) return false;
    uint32_t tile = r->next / RIDE_TILE_ROWS, first = r->next % RIDE_TILE_ROWS;
    uint32_t count = RIDE_BLOCK_ROWS - first % RIDE_BLOCK_ROWS;
    if (count > r->end - r->next) count = r->end - r->next;
    *block = (ride_cpu_block){.in_tile = r->work->in_tiles + (uint64_t)tile * r->in_bytes,
                              .out_tile = r->work->out_tiles + (uint64_t)tile * r->out_bytes,
                              .tile_index = tile,
                              .row_first = first,
                              .rows_count = count};
    r->next += count;
    return true;
}

static ride_status rows_run(ride_state *state, ride_cpu_program_scratch *scratch, range r) {
    ride_cpu_block flight[RIDE_FLIGHT];
    uint32_t blocks = UINT32_MAX;
    for (uint32_t b = 0; b < blocks || b < blocks + RIDE_FLIGHT - 1; b++) {
        if (b < blocks) {
            if (range_block(&r, &flight[b % RIDE_FLIGHT])) stage_slots(state, &flight[b % RIDE_FLIGHT], b);
            else blocks = b;
        }
        if (b >= 1 && b - 1 < blocks) stage_records(state, &flight[(b - 1) % RIDE_FLIGHT], b - 1);
        bool has_lines = b >= 2 && b - 2 < blocks;
        if (has_lines) stage_lines(state, &flight[(b - 2) % RIDE_FLIGHT], b - 2);
        if (b == 2 && has_lines) stage_prefetch(state, 0);
        if (b >= 3 && b - 3 < blocks)
            RIDE_TRY(stage_work(state, scratch, &flight[(b - 3) % RIDE_FLIGHT], b - 3, has_lines));
        if (blocks != UINT32_MAX && b + 1 >= blocks + RIDE_FLIGHT - 1) break;
    }
    return RIDE_OK;
}

/* The block as an entity sees it, for rows that have been worked: they make no key. */
static ride_cpu_rows *rows_again(ride_state *state, uint32_t e, const ride_cpu_block *block) {
    ride_cpu_rows *rows = &state->rows[2 * e];
    ride_cpu_rows_point(rows, &state->entities[e], &state->program->in_layout, block);
    rows->record = found_at(state, e, 0);
    for (uint32_t row = 0; row < block->rows_count; row++)
        if (rows->record[row] != RIDE_NO_RECORD)
            rows->record[row] = find_only(&state->entities[e], rows->keys[row], hash_at(state, e, 0)[row]);
    return rows;
}

/* The peers aggregates of a group's rows, now that all of the group is in state. */
static ride_status peers_run(ride_state *state, ride_cpu_program_scratch *scratch, range r) {
    ride_cpu_block block;
    for (range all = r; range_block(&all, &block);) {
        stage_slots(state, &block, 0);
        stage_records(state, &block, 0);
        for (uint32_t e = 0; e < state->entities_count; e++)
            if (state->entities[e].any_peers)
                ride_cpu_entity_form(&state->entities[e])
                    ->peers_count(&state->entities[e], rows_again(state, e, &block));
    }
    while (range_block(&r, &block)) {
        stage_slots(state, &block, 0);
        stage_records(state, &block, 0);
        conditions_run(state, scratch, &block);
        for (uint32_t e = 0; e < state->entities_count; e++) {
            ride_cpu_entity *entity = &state->entities[e];
            if (!entity->any_peers) continue;
            ride_cpu_rows *rows = rows_again(state, e, &block);
            ride_cpu_rows_fill(rows, entity, &state->program->in_layout, &block, state->conditions);
            ride_cpu_entity_form(entity)->words(entity, rows);
            outputs_point(state, rows, entity, &block);
            rows->is_peers = true;
            ride_cpu_entity_form(entity)->peers(entity, rows);
            ride_cpu_entity_form(entity)->finish(entity, rows);
            approx_flag(state, &block, rows->approx);
            if (entity->out_of_memory) return RIDE_E_MEMORY;
        }
    }
    return RIDE_OK;
}

static uint32_t row_flags(const ride_state *state, const ride_work *work, uint32_t row) {
    const uint8_t *tile = work->in_tiles + (uint64_t)(row / RIDE_TILE_ROWS) * state->program->in_layout.tile_bytes;
    return ((const uint32_t *)ride_tile_values_const(&state->program->in_layout, tile,
                                                     RIDE_COLUMN_FLAGS))[row % RIDE_TILE_ROWS];
}

static void flags_clear(const ride_state *state, const ride_work *work) {
    uint32_t column = state->program->bundle.plan->features_count + RIDE_OUT_FLAGS;
    for (uint32_t row = 0; row < work->rows_count; row += RIDE_TILE_ROWS) {
        uint8_t *tile = work->out_tiles + (uint64_t)(row / RIDE_TILE_ROWS) * state->program->out_layout.tile_bytes;
        memset(ride_tile_values(&state->program->out_layout, tile, column), 0, RIDE_TILE_ROWS * sizeof(uint32_t));
    }
}

ride_status ride_cpu_state_apply(ride_state *state, ride_cpu_program_scratch *scratch, const ride_work *work) {
    if (state->broken) return RIDE_E_MEMORY;
    ride_status st = RIDE_OK;
    range all = {work, state->program->in_layout.tile_bytes, state->program->out_layout.tile_bytes, 0,
                 work->rows_count};
    bool any_peers = false;
    for (uint32_t e = 0; e < state->entities_count; e++) any_peers = any_peers || state->entities[e].any_peers;
    state->conditions_tile = UINT32_MAX;
    flags_clear(state, work);
    if (!any_peers) st = rows_run(state, scratch, all);
    for (uint32_t begin = 0, row = 0; any_peers && st == RIDE_OK && row < work->rows_count; row++) {
        if (!(row_flags(state, work, row) & RIDE_ROW_PEERS) && row + 1 < work->rows_count) continue;
        range group = all;
        group.next = begin;
        group.end = begin = row + 1;
        st = rows_run(state, scratch, group);
        if (st == RIDE_OK) st = peers_run(state, scratch, group);
    }
    uint64_t bytes = 0;
    for (uint32_t e = 0; e < state->entities_count; e++) {
        ride_cpu_entity_sweep(&state->entities[e], SWEEP_RECORDS_PER_BLOCK * (work->rows_count / RIDE_BLOCK_ROWS + 1));
        bytes += ride_cpu_entity_bytes(&state->entities[e]);
    }
    if (st == RIDE_OK && state->options.memory_bytes_max != 0 && bytes > state->options.memory_bytes_max)
        st = RIDE_E_MEMORY;
    state->broken = st != RIDE_OK;
    return st;
}
