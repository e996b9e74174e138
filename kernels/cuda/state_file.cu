/* kernels/cuda/state_file.cu: a state as bytes, in the format of kernels/layout/state_file.h. The used part of the pool comes to
 * the host whole; saving reads it there, restoring adds to it there and sends it back. */
#include "base/huge.h"
#include "kernels/cuda/host.h"
#include "kernels/layout/state_file.h"

#include <stdlib.h>
#include <string.h>

/* The host's copy of a pool; room for all of it, read as far as it is used. */
static ride_status pool_fetch(const ride_state *state, ride_cuda_pool **out, ride_error *err) {
    ride_device *device = state->program->device;
    ride_cuda_pool head;
    RIDE_TRY(ride_cuda_use(device, err));
    RIDE_TRY(ride_cuda_told(device, cudaMemcpy(&head, state->pool, sizeof head, cudaMemcpyDeviceToHost),
                            "a state could not be read", err));
    const uint64_t lines = head.lines_used < head.lines_max ? head.lines_used : head.lines_max;
    RIDE_TRY(ride_huge_alloc(state->pool_bytes, (void **)out, err)); /* pages that are not touched cost nothing */
    const ride_status st =
        ride_cuda_told(device, cudaMemcpy(*out, state->pool, lines * RIDE_CUDA_LINE_BYTES, cudaMemcpyDeviceToHost),
                       "a state could not be read", err);
    if (st != RIDE_OK) ride_huge_free(*out, state->pool_bytes);
    return st;
}

static void pools_free(ride_state *const *states, uint32_t states_count, ride_cuda_pool **pools) {
    for (uint32_t i = 0; pools != NULL && i < states_count; i++)
        if (pools[i] != NULL) ride_huge_free(pools[i], states[i]->pool_bytes);
    free(pools);
}

/* The pools of all states. */
static ride_status pools_fetch(ride_state *const *states, uint32_t states_count, ride_cuda_pool ***out,
                               ride_error *err) {
    for (uint32_t i = 0; i < states_count; i++)
        if (states[i]->broken != RIDE_OK)
            return ride_fail(err, states[i]->broken, "the state is of no use: a batch was worked in part");
    ride_cuda_pool **pools = (ride_cuda_pool **)calloc(states_count, sizeof *pools);
    if (pools == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the states of %u parts", states_count);
    for (uint32_t i = 0; i < states_count; i++) {
        const ride_status st = pool_fetch(states[i], &pools[i], err);
        if (st == RIDE_OK) continue;
        pools[i] = NULL;
        pools_free(states, states_count, pools);
        return st;
    }
    *out = pools;
    return RIDE_OK;
}

/* ---- save ---- */

/* What a chain has before the entry `first`, or nothing where no event can reach it any more: equal for every way in which entries were
 * dropped. */
static ride_cuda_chain chain_before(ride_cuda_pool *pool, const ride_cuda_entity *entity, ride_cuda_key *key,
                                    uint32_t c, uint32_t first, int64_t cut_us) {
    ride_cuda_chain chain = ride_cuda_chains(entity, key)[c];
    const ride_cuda_chain none = {INT64_MIN, INT64_MIN};
    for (uint32_t p = 0; p < key->count; p++) {
        const uint64_t *entry = ride_cuda_entry(pool, entity, key, p);
        if (!ride_cuda_entry_has(entity, entry, entity->chain_lane[c])) continue;
        const bool near =
            chain.last_us != INT64_MIN && ride_time_sub((int64_t)entry[0], chain.last_us) <= entity->plan->lookback_us;
        if (p >= first && near) return chain; /* the first that is kept goes on with it */
        if (p >= first) break;
        ride_cuda_chain_join(&chain, (int64_t)entry[0], entity->plan->lookback_us);
    }
    return chain.last_us < cut_us ? none : chain;
}

static void entry_save(ride_state_stream *s, ride_cuda_pool *pool, const ride_cuda_entity *entity, ride_cuda_key *key,
                       uint32_t position) {
    const uint64_t *entry = ride_cuda_entry(pool, entity, key, position);
    const uint64_t *before = ride_cuda_prefix(pool, entity, key, position),
                   *after = ride_cuda_prefix(pool, entity, key, position + 1);
    ride_state_put_i64(s, (int64_t)entry[0]);
    for (uint32_t l = 0; l < entity->lanes_count; l++) {
        const uint32_t kind = entity->lanes[l].kind;
        if (kind == RIDE_LANE_VALUE || kind == RIDE_LANE_HASH || kind == RIDE_LANE_PRESENT) continue;
        const int32_t w = entity->lane_word[l];
        const uint64_t low = after[w] - before[w];
        ride_state_put_i64(s, (int64_t)low);
        if (kind == RIDE_LANE_SUMSQ)
            ride_state_put_i64(s, (int64_t)(after[w + 1] - before[w + 1] - (uint64_t)(after[w] < before[w])));
    }
    ride_state_put(s, entry + entity->own_first, entity->own_count * sizeof *entry);
}

/* Entries after `first` whose time an entry before them has: labels name them by their arrival number. NULL: counts them. */
static uint32_t ties_of(ride_cuda_pool *pool, const ride_cuda_entity *entity, ride_cuda_key *key, uint32_t first,
                        ride_state_note *out) {
    uint32_t count = 0, place = 0;
    for (uint32_t p = first + 1; p < key->count && entity->labels_from_source; p++) {
        const uint64_t *entry = ride_cuda_entry(pool, entity, key, p);
        const bool tie = ride_cuda_entry_us(pool, entity, key, p - 1) == (int64_t)entry[0];
        place = tie ? place + 1 : 0;
        if (!tie) continue;
        if (out != NULL) out[count] = {(int64_t)entry[0], place, (int64_t)entry[entity->sequence_word], 0, 0};
        count++;
    }
    return count;
}

static uint32_t patches_of(ride_cuda_pool *pool, ride_cuda_key *key, int64_t cut_us, ride_state_note *out) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < key->notes_count; i++) {
        const ride_cuda_note *note = &ride_cuda_notes(pool, key)[i];
        if (note->entry_us <= cut_us) continue;
        if (out != NULL) out[count] = {note->entry_us, note->place, note->known_us, note->delta, (int64_t)note->lanes};
        count++;
    }
    if (out != NULL) ride_state_notes_sort(out, count);
    return count;
}

static ride_status key_save(ride_state_stream *s, ride_cuda_pool *pool, const ride_cuda_entity *entity,
                            ride_cuda_key *key, int64_t cut_us) {
    const uint32_t first = ride_cuda_passed(pool, entity, key, cut_us);
    const uint32_t patches = patches_of(pool, key, cut_us, NULL), ties = ties_of(pool, entity, key, first, NULL);
    ride_state_note *notes = (ride_state_note *)malloc(((size_t)patches + ties + 1) * sizeof *notes);
    if (notes == NULL) return RIDE_E_MEMORY;
    patches_of(pool, key, cut_us, notes);
    ties_of(pool, entity, key, first, notes + patches);
    ride_state_put(s, &key->key, sizeof key->key);
    ride_state_put_i64(s, key->last_us);
    ride_state_put_u32(s, key->count - first);
    ride_state_put_u32(s, patches);
    ride_state_put_u32(s, ties);
    ride_state_put_u32(s, 0);
    for (uint32_t c = 0; c < entity->chains_count; c++) {
        const ride_cuda_chain chain = chain_before(pool, entity, key, c, first, cut_us);
        ride_state_put_i64(s, chain.last_us);
        ride_state_put_i64(s, chain.start_us);
    }
    for (uint32_t p = first; p < key->count; p++) entry_save(s, pool, entity, key, p);
    for (uint32_t i = 0; i < patches; i++) ride_state_put_patch(s, &notes[i]);
    for (uint32_t i = patches; i < patches + ties; i++) ride_state_put_tie(s, &notes[i]);
    free(notes);
    return RIDE_OK;
}

/* Indexes of the keys of one pool's entity, in the order of the file; the caller frees them. */
static ride_status keys_list(ride_cuda_pool *pool, const ride_cuda_entity *entity, uint32_t e, int64_t cut_us,
                             uint32_t vnode_first, uint32_t vnodes_count, ride_state_key **out, uint64_t *out_count,
                             ride_error *err) {
    const ride_cuda_table *table = &pool->tables[e];
    ride_state_key *keys = (ride_state_key *)malloc((table->keys_used + 1) * sizeof *keys);
    if (keys == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory to order %u keys for saving", table->keys_used);
    uint64_t count = 0;
    for (uint32_t i = 0; i < table->keys_used; i++) {
        const ride_cuda_key *key = ride_cuda_key_at(pool, entity, table, i);
        if (!key->is_used || key->last_us < cut_us || key->last_us == INT64_MIN) continue;
        const uint32_t vnode = ride_key_vnode(key->key);
        if (vnode < vnode_first || vnode - vnode_first >= vnodes_count) continue;
        keys[count++] = {key->key, vnode, i};
    }
    ride_state_keys_sort(keys, count);
    *out = keys;
    *out_count = count;
    return RIDE_OK;
}

/* What is saved: states whose ranges follow each other, so do their keys. */
typedef struct saving {
    ride_state *const *states;
    ride_cuda_pool **pools;
    ride_state_key **keys; /* of the entity at hand */
    uint64_t *counts;
    uint32_t states_count, vnode_first, vnodes_count;
    int64_t clock_us;
} saving;

static ride_status entity_save(ride_state_stream *s, const saving *of, uint32_t e, ride_error *err) {
    const ride_cuda_entity *entities = &of->states[0]->program->entities[e];
    const int64_t cut_us = ride_time_sub(of->clock_us, entities->plan->retention_us);
    uint64_t count = 0;
    ride_status st = RIDE_OK;
    for (uint32_t i = 0; i < of->states_count && st == RIDE_OK; i++) {
        st = keys_list(of->pools[i], &of->states[i]->program->entities[e], e, cut_us, of->vnode_first, of->vnodes_count,
                       &of->keys[i], &of->counts[i], err);
        if (st == RIDE_OK) count += of->counts[i];
    }
    if (st == RIDE_OK) {
        ride_state_put_i64(s, of->clock_us);
        ride_state_put_i64(s, (int64_t)count);
    }
    for (uint32_t i = 0; i < of->states_count && st == RIDE_OK; i++) {
        ride_cuda_pool *pool = of->pools[i];
        const ride_cuda_entity *entity = &of->states[i]->program->entities[e];
        for (uint64_t k = 0; k < of->counts[i] && st == RIDE_OK && s->status == RIDE_OK; k++) {
            ride_cuda_key *key = ride_cuda_key_at(pool, entity, &pool->tables[e], of->keys[i][k].index);
            if (key_save(s, pool, entity, key, cut_us) != RIDE_OK)
                st = ride_fail(err, RIDE_E_MEMORY, "no memory to save a key");
        }
    }
    for (uint32_t i = 0; i < of->states_count; i++) {
        free(of->keys[i]);
        of->keys[i] = NULL;
    }
    return st;
}

ride_status ride_cuda_state_save(ride_state *const *states, uint32_t states_count, uint32_t vnode_first,
                                 uint32_t vnodes_count, ride_write_fn write, void *context, ride_error *err) {
    const ride_plan_header *plan = states[0]->program->bundle.plan;
    ride_state_stream *s;
    saving of = {};
    of.states = states;
    of.states_count = states_count;
    of.vnode_first = vnode_first;
    of.vnodes_count = vnodes_count;
    of.clock_us = INT64_MIN;
    RIDE_TRY(pools_fetch(states, states_count, &of.pools, err));
    of.keys = (ride_state_key **)calloc(states_count, sizeof *of.keys);
    of.counts = (uint64_t *)calloc(states_count, sizeof *of.counts);
    ride_status st =
        of.keys != NULL && of.counts != NULL ? RIDE_OK : ride_fail(err, RIDE_E_MEMORY, "no memory for a save");
    if (st == RIDE_OK) st = ride_state_write_begin(plan, vnode_first, vnodes_count, write, context, &s, err);
    if (st == RIDE_OK) {
        for (uint32_t i = 0; i < states_count; i++)
            if (of.pools[i]->clock_us > of.clock_us) of.clock_us = of.pools[i]->clock_us;
        for (uint32_t e = 0; e < plan->entities_count && st == RIDE_OK; e++) st = entity_save(s, &of, e, err);
        st = ride_state_write_end(s, st, err);
    }
    pools_free(states, states_count, of.pools);
    free(of.keys);
    free(of.counts);
    return st;
}

/* ---- restore ---- */

/* Lines from the unused end; 0 when there are none. */
static uint32_t lines_take(ride_cuda_pool *pool, uint64_t lines) {
    if (pool->lines_used + lines > pool->lines_max) return 0;
    pool->lines_used += lines;
    return (uint32_t)(pool->lines_used - lines);
}
static uint32_t block_take(ride_cuda_pool *pool, uint32_t block_class) {
    const uint32_t line = lines_take(pool, UINT64_C(1) << block_class);
    if (line != 0) *(ride_cuda_block *)ride_cuda_line(pool, line) = {0, block_class, 0};
    return line;
}

static void slot_put(ride_cuda_pool *pool, const ride_cuda_entity *entity, ride_cuda_table *table, uint32_t index) {
    ride_cuda_key *key = ride_cuda_key_at(pool, entity, table, index);
    const uint64_t tag = ride_key_hash(key->key) >> 33 << 32;
    uint64_t *slots = ride_cuda_slots(pool, table);
    uint32_t at = ride_cuda_slot_first(tag, table->slots_count);
    while (slots[at] != 0) at = (at + 1) & (table->slots_count - 1);
    slots[at] = tag | (index + 1);
    key->slot = at;
    table->slots_filled++;
}

/* Room for one more slot, at most half of them filled. */
static bool slots_fit(ride_cuda_pool *pool, const ride_cuda_entity *entity, ride_cuda_table *table) {
    if (2 * ((uint64_t)table->slots_filled + 1) <= table->slots_count) return true;
    const uint32_t slots_class = ride_cuda_slots_class(2 * table->slots_count), block = block_take(pool, slots_class);
    if (block == 0) return false;
    table->slots = block; /* the old block is left: restoring is rare */
    table->slots_count *= 2;
    table->slots_filled = 0;
    memset(ride_cuda_slots(pool, table), 0, table->slots_count * sizeof(uint64_t));
    for (uint32_t i = 0; i < table->keys_used; i++)
        if (ride_cuda_key_at(pool, entity, table, i)->is_used) slot_put(pool, entity, table, i);
    return true;
}

static bool key_known(ride_cuda_pool *pool, const ride_cuda_entity *entity, const ride_cuda_table *table,
                      ride_key128 key) {
    const uint64_t tag = ride_key_hash(key) >> 33 << 32, *slots = ride_cuda_slots(pool, (ride_cuda_table *)table);
    for (uint32_t at = ride_cuda_slot_first(tag, table->slots_count); slots[at] != 0;
         at = (at + 1) & (table->slots_count - 1))
        if (slots[at] != RIDE_CUDA_SLOT_GONE && (slots[at] >> 32 << 32) == tag &&
            ride_key_equal(ride_cuda_key_at(pool, entity, table, (uint32_t)slots[at] - 1)->key, key))
            return true;
    return false;
}

/* A new record with a ring for `entries`; NULL: no memory. */
static ride_cuda_key *key_make(ride_cuda_pool *pool, const ride_cuda_entity *entity, ride_cuda_table *table,
                               ride_key128 value, uint32_t entries, uint32_t patches) {
    if (!slots_fit(pool, entity, table)) return NULL;
    if (table->keys_used == table->chunks_count * RIDE_CUDA_CHUNK_KEYS) {
        const uint32_t chunk =
            table->chunks_count < RIDE_CUDA_CHUNKS_MAX ? lines_take(pool, ride_cuda_chunk_lines(entity)) : 0;
        if (chunk == 0) return NULL;
        ((uint32_t *)ride_cuda_line(pool, table->directory))[table->chunks_count++] = chunk;
    }
    const uint32_t index = table->keys_used++;
    ride_cuda_key *key = ride_cuda_key_at(pool, entity, table, index);
    memset(key, 0, entity->key_bytes);
    key->key = value;
    key->is_used = 1;
    slot_put(pool, entity, table, index);
    if (entries > 0) {
        const uint32_t ring_class = ride_cuda_class_of((uint64_t)entries * entity->entry_words * 8);
        if (entries > RIDE_CUDA_RING_ENTRIES_MAX || ring_class >= RIDE_CUDA_CLASSES) return NULL;
        if ((key->ring = block_take(pool, ring_class)) == 0) return NULL;
        key->ring_entries = ride_cuda_ring_entries(entity, ring_class);
    }
    if (patches > 0) {
        const uint32_t notes_class = ride_cuda_class_of((uint64_t)patches * sizeof(ride_cuda_note));
        if (notes_class >= RIDE_CUDA_CLASSES || (key->notes = block_take(pool, notes_class)) == 0) return NULL;
    }
    return key;
}

static void entry_restore(ride_state_stream *s, ride_cuda_pool *pool, const ride_cuda_entity *entity,
                          ride_cuda_key *key) {
    uint64_t added[RIDE_CUDA_SUMS_MAX], *totals = ride_cuda_totals(entity, key);
    key->count++;
    uint64_t *entry = ride_cuda_entry(pool, entity, key, key->count - 1);
    entry[0] = (uint64_t)ride_state_get_i64(s);
    for (uint32_t l = 0; l < entity->lanes_count; l++) {
        const uint32_t kind = entity->lanes[l].kind;
        if (kind == RIDE_LANE_VALUE || kind == RIDE_LANE_HASH || kind == RIDE_LANE_PRESENT) continue;
        uint64_t *to = added + entity->lane_word[l];
        to[0] = (uint64_t)ride_state_get_i64(s);
        if (kind == RIDE_LANE_SUM) to[1] = (int64_t)to[0] < 0 ? UINT64_MAX : 0;
        if (kind == RIDE_LANE_SUMSQ) {
            to[1] = (uint64_t)ride_state_get_i64(s);
            to[2] = 0;
        }
    }
    ride_state_get(s, entry + entity->own_first, entity->own_count * sizeof *entry);
    if (entity->sequence_word >= 0) entry[entity->sequence_word] = RIDE_CUDA_SEQUENCE_UNKNOWN;
    memcpy(entry + entity->sums_first, totals, entity->sums_count * sizeof *entry);
    ride_cuda_sums_add(entity, totals, added);
}

static ride_status notes_restore(ride_state_stream *s, ride_cuda_pool *pool, const ride_cuda_entity *entity,
                                 ride_cuda_key *key, uint32_t patches, uint32_t ties, ride_error *err) {
    for (uint32_t i = 0; i < patches && s->status == RIDE_OK; i++) {
        ride_state_note note;
        RIDE_TRY(ride_state_get_patch(s, entity->lanes, entity->lanes_count, &note, err));
        ride_cuda_notes(pool, key)[key->notes_count++] = {note.entry_us, note.known_us, (uint64_t)note.lanes,
                                                          (uint32_t)note.place, (int32_t)note.delta};
    }
    for (uint32_t i = 0; i < ties && s->status == RIDE_OK; i++) {
        ride_state_note note;
        ride_state_get_tie(s, &note);
        if (s->status != RIDE_OK) break;
        const uint32_t end = ride_cuda_passed(pool, entity, key, note.entry_us);
        uint32_t start = end;
        while (start > 0 && ride_cuda_entry_us(pool, entity, key, start - 1) == note.entry_us) start--;
        if (entity->sequence_word < 0 || note.place < 1 || note.place >= (int64_t)(end - start))
            return ride_fail(err, RIDE_E_CORRUPT, "the saved state numbers an event that it does not have");
        ride_cuda_entry(pool, entity, key, start + (uint32_t)note.place)[entity->sequence_word] =
            (uint64_t)note.known_us;
    }
    return s->status;
}

static ride_status key_restore(ride_state_stream *s, ride_state *const *states, uint32_t states_count,
                               ride_cuda_pool **pools, uint32_t e, ride_error *err) {
    ride_key128 value;
    ride_state_get(s, &value, sizeof value);
    const int64_t last_us = ride_state_get_i64(s);
    const uint32_t entries = ride_state_get_u32(s), patches = ride_state_get_u32(s), ties = ride_state_get_u32(s);
    const uint32_t vnode = ride_key_vnode(value);
    ride_state_get_u32(s);
    if (s->status != RIDE_OK) return s->status;
    uint32_t owner = 0;
    while (owner < states_count && vnode - states[owner]->options.vnode_first >= states[owner]->options.vnodes_count)
        owner++;
    if (owner == states_count)
        return ride_fail(err, RIDE_E_CORRUPT, "the saved state has a key of vnode %u, which is not ours", vnode);
    ride_cuda_pool *pool = pools[owner];
    const ride_cuda_entity *entity = &states[owner]->program->entities[e];
    ride_cuda_table *table = &pool->tables[e];
    if (key_known(pool, entity, table, value)) return ride_fail(err, RIDE_E_CORRUPT, "the saved state has a key twice");
    ride_cuda_key *key = key_make(pool, entity, table, value, entries, patches);
    if (key == NULL) return ride_fail(err, RIDE_E_MEMORY, "no GPU memory for the saved state");
    for (uint32_t c = 0; c < entity->chains_count; c++) {
        ride_cuda_chains(entity, key)[c].last_us = ride_state_get_i64(s);
        ride_cuda_chains(entity, key)[c].start_us = ride_state_get_i64(s);
    }
    for (uint32_t i = 0; i < entries; i++) {
        entry_restore(s, pool, entity, key);
        if (s->status != RIDE_OK) return s->status;
        const int64_t time_us = ride_cuda_entry_us(pool, entity, key, i);
        if (time_us > last_us || (i > 0 && time_us < ride_cuda_entry_us(pool, entity, key, i - 1)))
            return ride_fail(err, RIDE_E_CORRUPT, "the saved state has entries out of order");
    }
    key->last_us = last_us;
    return notes_restore(s, pool, entity, key, patches, ties, err);
}

static ride_status all_restore(ride_state *const *states, uint32_t states_count, ride_cuda_pool **pools,
                               ride_read_fn read, void *context, ride_error *err) {
    const ride_plan_header *plan = states[0]->program->bundle.plan;
    ride_state_stream *s;
    RIDE_TRY(ride_state_read_begin(plan, read, context, &s, err));
    ride_status st = RIDE_OK;
    for (uint32_t e = 0; e < plan->entities_count && st == RIDE_OK && s->status == RIDE_OK; e++) {
        const int64_t clock_us = ride_state_get_i64(s), keys = ride_state_get_i64(s);
        for (int64_t i = 0; i < keys && st == RIDE_OK && s->status == RIDE_OK; i++)
            st = key_restore(s, states, states_count, pools, e, err);
        for (uint32_t i = 0; i < states_count; i++)
            if (clock_us > pools[i]->clock_us) pools[i]->clock_us = clock_us;
    }
    return ride_state_read_end(s, st, err);
}

ride_status ride_cuda_state_restore(ride_state *const *states, uint32_t states_count, ride_read_fn read, void *context,
                                    ride_error *err) {
    ride_cuda_pool **pools;
    RIDE_TRY(pools_fetch(states, states_count, &pools, err));
    ride_status st = all_restore(states, states_count, pools, read, context, err);
    for (uint32_t i = 0; i < states_count && st == RIDE_OK; i++) {
        st = ride_cuda_use(states[i]->program->device, err);
        if (st == RIDE_OK)
            st = ride_cuda_put(states[i]->program->device, states[i]->pool, pools[i],
                               pools[i]->lines_used * RIDE_CUDA_LINE_BYTES, "a state could not be written", err);
    }
    for (uint32_t i = 0; i < states_count && st != RIDE_OK; i++)
        states[i]->broken = st; /* as on every backend: what was read in part is of no use */
    pools_free(states, states_count, pools);
    return st;
}
