/* kernels/cpu/stages.c: the pipeline over blocks of rows: of a batch where it lies, all entities together; or of the rows that belong to a
 * state of a part of the vnodes, gathered, one entity after the other (own.h).
 *
 * Memory is the cost, so a block passes four stages while three others are ahead of it: prefetch the key slots; find the
 * records and prefetch them; check the keys, make the thresholds and prefetch the ring lines that will be read; work. Rows
 * are worked strictly in arrival order within an entity, so results do not depend on how rows fall into blocks or batches. */
#include "kernels/cpu/state.h"

#include "base/assert.h"

enum { SWEEP_RECORDS_PER_BLOCK = 4 };

/* What the stages work on: the blocks of a range of rows, for the entities [entity_first, entity_end): all of them where the rows
 * are worked where they are, one where they are gathered. */
typedef struct range {
    const ride_work *work;
    ride_cpu_program_scratch *scratch;
    uint32_t entity_first, entity_end;
    uint32_t next, end;   /* rows, or places in the list */
    const uint32_t *list; /* rows to be gathered; NULL: the rows from next on */
    uint32_t blocks;      /* made so far */
} range;

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

static void stage_slots(ride_state *state, const range *r, const ride_cpu_block *block, uint32_t number) {
    for (uint32_t e = r->entity_first; e < r->entity_end; e++) {
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

static void stage_records(ride_state *state, const range *r, const ride_cpu_block *block, uint32_t number) {
    for (uint32_t e = r->entity_first; e < r->entity_end; e++) {
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

static void rows_point(const ride_state *state, uint32_t e, const ride_cpu_block *block, ride_cpu_rows *rows) {
    ride_cpu_rows_point(rows, &state->entities[e], &state->program->in_layout, block);
    if (block->gathered != NULL) ride_cpu_own_point(state->own, block, rows);
}

static void stage_lines(ride_state *state, const range *r, const ride_cpu_block *block, uint32_t number) {
    for (uint32_t e = r->entity_first; e < r->entity_end; e++) {
        ride_cpu_entity *entity = &state->entities[e];
        ride_cpu_rows *rows = &state->rows[2 * e + number % 2];
        rows_point(state, e, block, rows);
        rows->record = found_at(state, e, number);
        ride_cpu_entity_form(entity)->thresholds(entity, rows);
        rows->form_epoch = entity->form_epoch;
    }
}

static void stage_prefetch(ride_state *state, const range *r, uint32_t number) {
    for (uint32_t e = r->entity_first; e < r->entity_end; e++)
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

/* The conditions of a tile of the batch, computed where they are not there yet. */
static ride_cpu_conditions conditions_of(ride_state *state, const range *r, uint32_t tile) {
    const uint32_t count = state->program->bundle.plan->conditions_count, place = tile % RIDE_CHUNK_TILES;
    ride_cpu_conditions out = state->conditions + (size_t)place * count;
    if (state->conditions_tiles[place] == tile) return out;
    state->conditions_tiles[place] = tile;
    const ride_plan_condition *conditions =
        ride_bundle_array(&state->program->bundle, RIDE_SECTION_CONDITIONS, ride_plan_condition);
    const uint8_t *in_tile = r->work->in_tiles + (uint64_t)tile * state->program->in_layout.tile_bytes;
    ride_cpu_program_inputs inputs = {.in_layout = &state->program->in_layout,
                                      .in_tile = in_tile,
                                      .rows_count = ride_tile_head_const(in_tile)->rows_count};
    for (uint32_t c = 0; c < count; c++) ride_cpu_program_condition(r->scratch, conditions[c].program, &inputs, out[c]);
    return out;
}
static ride_cpu_conditions block_conditions(ride_state *state, const range *r, const ride_cpu_block *block) {
    return block->gathered != NULL ? state->own->conditions : conditions_of(state, r, block->tile_index);
}

/* The results of a block's rows are where they belong, and its approximate rows are flagged. */
static void outputs_end(const ride_state *state, const range *r, const ride_cpu_entity *entity,
                        const ride_cpu_block *block, const ride_cpu_rows *rows) {
    if (block->gathered == NULL) approx_flag(state, block, rows->approx);
    else ride_cpu_own_scatter(state->own, entity, r->work, block, rows);
}

/* has_ahead: the next block has passed stage_lines and is prefetched on the way. */
static ride_status stage_work(ride_state *state, const range *r, const ride_cpu_block *block, uint32_t number,
                              bool has_ahead) {
    const ride_cpu_conditions conditions = block_conditions(state, r, block);
    for (uint32_t e = r->entity_first; e < r->entity_end; e++) {
        ride_cpu_entity *entity = &state->entities[e];
        ride_cpu_rows *rows = &state->rows[2 * e + number % 2];
        ride_cpu_rows_fill(rows, entity, &state->program->in_layout, block, conditions);
        RIDE_TRY(form_check(entity, rows));
        ride_cpu_entity_form(entity)->words(entity, rows);
        outputs_point(state, rows, entity, block);
        rows->is_peers = false;
        ride_cpu_rows *ahead = has_ahead ? &state->rows[2 * e + (number + 1) % 2] : NULL;
        if (ahead != NULL) form_follow(entity, ahead);
        ride_cpu_entity_form(entity)->apply(entity, rows, ahead);
        ride_cpu_entity_form(entity)->finish(entity, rows);
        outputs_end(state, r, entity, block, rows);
        if (entity->out_of_memory) return RIDE_E_MEMORY;
    }
    return RIDE_OK;
}

/* ---- ranges of rows ---- */

/* The next block of a range, at most 64 rows: of one tile, or of the list, gathered. */
static bool range_block(ride_state *state, range *r, ride_cpu_block *block) {
    if (r->next == r->end) return false;
    if (r->list != NULL) {
        const uint32_t *rows = r->list + r->next;
        const uint32_t left = r->end - r->next, count = left < RIDE_BLOCK_ROWS ? left : RIDE_BLOCK_ROWS;
        for (uint32_t tile = rows[0] / RIDE_TILE_ROWS; tile <= rows[count - 1] / RIDE_TILE_ROWS; tile++)
            if (state->own->entities[r->entity_first].conditions_count > 0) conditions_of(state, r, tile);
        ride_cpu_own_gather(state->own, r->entity_first, r->work, rows, count, r->blocks++, state->conditions, block);
        r->next += count;
        return true;
    }
    uint32_t tile = r->next / RIDE_TILE_ROWS, first = r->next % RIDE_TILE_ROWS;
    uint32_t count = RIDE_BLOCK_ROWS - first % RIDE_BLOCK_ROWS;
    if (count > r->end - r->next) count = r->end - r->next;
    *block = (ride_cpu_block){.in_tile = r->work->in_tiles + (uint64_t)tile * state->program->in_layout.tile_bytes,
                              .out_tile = r->work->out_tiles + (uint64_t)tile * state->program->out_layout.tile_bytes,
                              .tile_index = tile,
                              .row_first = first,
                              .rows_count = count};
    r->next += count;
    return true;
}

static ride_status blocks_run(ride_state *state, range r) {
    ride_cpu_block flight[RIDE_FLIGHT];
    uint32_t blocks = UINT32_MAX;
    for (uint32_t b = 0; b < blocks || b < blocks + RIDE_FLIGHT - 1; b++) {
        if (b < blocks) {
            if (range_block(state, &r, &flight[b % RIDE_FLIGHT])) stage_slots(state, &r, &flight[b % RIDE_FLIGHT], b);
            else blocks = b;
        }
        if (b >= 1 && b - 1 < blocks) stage_records(state, &r, &flight[(b - 1) % RIDE_FLIGHT], b - 1);
        bool has_lines = b >= 2 && b - 2 < blocks;
        if (has_lines) stage_lines(state, &r, &flight[(b - 2) % RIDE_FLIGHT], b - 2);
        if (b == 2 && has_lines) stage_prefetch(state, &r, 0);
        if (b >= 3 && b - 3 < blocks) RIDE_TRY(stage_work(state, &r, &flight[(b - 3) % RIDE_FLIGHT], b - 3, has_lines));
        if (blocks != UINT32_MAX && b + 1 >= blocks + RIDE_FLIGHT - 1) break;
    }
    return RIDE_OK;
}

/* The block as an entity sees it, for rows that have been worked: they make no key. */
static ride_cpu_rows *rows_again(ride_state *state, uint32_t e, const ride_cpu_block *block) {
    ride_cpu_rows *rows = &state->rows[2 * e];
    rows_point(state, e, block, rows);
    rows->record = found_at(state, e, 0);
    for (uint32_t row = 0; row < block->rows_count; row++)
        if (rows->record[row] != RIDE_NO_RECORD)
            rows->record[row] = find_only(&state->entities[e], rows->keys[row], hash_at(state, e, 0)[row]);
    return rows;
}

/* How many entries of each key are the group's, before its rows are read. */
static ride_status peers_count(ride_state *state, range r) {
    ride_cpu_block block;
    while (range_block(state, &r, &block)) {
        stage_slots(state, &r, &block, 0);
        stage_records(state, &r, &block, 0);
        for (uint32_t e = r.entity_first; e < r.entity_end; e++)
            if (state->entities[e].any_peers)
                ride_cpu_entity_form(&state->entities[e])
                    ->peers_count(&state->entities[e], rows_again(state, e, &block));
    }
    return RIDE_OK;
}

/* The peers aggregates of a group's rows, now that all of the group is in state. */
static ride_status peers_run(ride_state *state, range r) {
    ride_cpu_block block;
    while (range_block(state, &r, &block)) {
        stage_slots(state, &r, &block, 0);
        stage_records(state, &r, &block, 0);
        const ride_cpu_conditions conditions = block_conditions(state, &r, &block);
        for (uint32_t e = r.entity_first; e < r.entity_end; e++) {
            ride_cpu_entity *entity = &state->entities[e];
            if (!entity->any_peers) continue;
            ride_cpu_rows *rows = rows_again(state, e, &block);
            ride_cpu_rows_fill(rows, entity, &state->program->in_layout, &block, conditions);
            ride_cpu_entity_form(entity)->words(entity, rows);
            outputs_point(state, rows, entity, &block);
            rows->is_peers = true;
            ride_cpu_entity_form(entity)->peers(entity, rows);
            ride_cpu_entity_form(entity)->finish(entity, rows);
            outputs_end(state, &r, entity, &block, rows);
            if (entity->out_of_memory) return RIDE_E_MEMORY;
        }
    }
    return RIDE_OK;
}

/* Rows [begin, end) through `run`: as they are, or chunk by chunk and entity by entity those that are ours. */
static ride_status rows_run(ride_state *state, ride_cpu_program_scratch *scratch, const ride_work *work, uint32_t begin,
                            uint32_t end, ride_status (*run)(ride_state *state, range r)) {
    range r = {.work = work, .scratch = scratch, .entity_end = state->entities_count, .next = begin, .end = end};
    if (state->own == NULL) return run(state, r);
    for (uint32_t first = begin; first < end;) {
        uint32_t last = (first / RIDE_TILE_ROWS + RIDE_CHUNK_TILES) * RIDE_TILE_ROWS;
        if (last > end) last = end;
        ride_cpu_own_chunk(state->own, work, first, last);
        for (uint32_t e = 0; e < state->entities_count; e++) {
            r.entity_first = e;
            r.entity_end = e + 1;
            r.list = state->own->list;
            r.next = 0;
            r.end = ride_cpu_own_list(state->own, &state->entities[e], work, first, last);
            RIDE_TRY(run(state, r));
        }
        first = last;
    }
    return RIDE_OK;
}

static uint32_t row_flags(const ride_state *state, const ride_work *work, uint32_t row) {
    const uint8_t *tile = work->in_tiles + (uint64_t)(row / RIDE_TILE_ROWS) * state->program->in_layout.tile_bytes;
    return ((const uint32_t *)ride_tile_values_const(&state->program->in_layout, tile,
                                                     RIDE_COLUMN_FLAGS))[row % RIDE_TILE_ROWS];
}

ride_status ride_cpu_state_apply(ride_state *state, ride_cpu_program_scratch *scratch, const ride_work *work) {
    if (state->broken) return RIDE_E_MEMORY;
    ride_status st = RIDE_OK;
    bool any_peers = false;
    for (uint32_t e = 0; e < state->entities_count; e++) any_peers = any_peers || state->entities[e].any_peers;
    for (uint32_t e = 0; e < state->entities_count; e++)
        state->entities[e].expire_us = work->many_clocks ? work->expire_us : INT64_MAX;
    for (uint32_t t = 0; t < RIDE_CHUNK_TILES; t++) state->conditions_tiles[t] = UINT32_MAX;
    if (state->own == NULL) ride_out_flags_clear(&state->program->out_layout, work->out_tiles, work->rows_count);
    if (!any_peers) st = rows_run(state, scratch, work, 0, work->rows_count, blocks_run);
    for (uint32_t begin = 0, row = 0; any_peers && st == RIDE_OK && row < work->rows_count; row++) {
        if (!(row_flags(state, work, row) & RIDE_ROW_PEERS) && row + 1 < work->rows_count) continue;
        st = rows_run(state, scratch, work, begin, row + 1, blocks_run);
        if (st == RIDE_OK) st = rows_run(state, scratch, work, begin, row + 1, peers_count);
        if (st == RIDE_OK) st = rows_run(state, scratch, work, begin, row + 1, peers_run);
        begin = row + 1;
    }
    uint64_t bytes = 0;
    for (uint32_t e = 0; e < state->entities_count; e++) {
        ride_cpu_entity *entity = &state->entities[e];
        if (state->own != NULL && state->own->clock_us > entity->clock_us) entity->clock_us = state->own->clock_us;
        ride_cpu_entity_sweep(entity, SWEEP_RECORDS_PER_BLOCK * (work->rows_count / RIDE_BLOCK_ROWS + 1));
        bytes += ride_cpu_entity_bytes(entity);
    }
    if (st == RIDE_OK && state->options.memory_bytes_max != 0 && bytes > state->options.memory_bytes_max)
        st = RIDE_E_MEMORY;
    state->broken = st != RIDE_OK;
    return st;
}
