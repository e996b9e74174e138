/* kernels/cpu/state_file.c: a state as bytes, in the format of kernels/layout/state_file.h. */
#include "kernels/layout/state_file.h"

#include "kernels/cpu/state.h"

#include <stdlib.h>
#include <string.h>

/* ---- save ---- */

/* Copies a list's notes of kept entries, in order; counts them when there is no room. */
static uint32_t notes_of(const ride_cpu_entity *entity, uint32_t list, int64_t cut, ride_state_note *out) {
    uint32_t count = 0;
    for (uint32_t i = list; i != 0; i = entity->notes[i - 1].next) {
        const ride_note *note = &entity->notes[i - 1];
        if (note->entry_us <= cut) continue;
        if (out != NULL) /* of a tie: the arrival number in known_us */
            out[count] =
                (ride_state_note){note->entry_us, note->ordinal, note->known_us, note->delta, (int64_t)note->lanes};
        count++;
    }
    if (out != NULL) ride_state_notes_sort(out, count); /* the list's own order depends on how it came to be */
    return count;
}

/* What a chain has before position `first`, or nothing where no event can reach it any more: equal for every way in which entries
 * were dropped. */
static ride_chain chain_before(const ride_cpu_entity *entity, const ride_record *record, uint32_t c, uint32_t first,
                               int64_t cut) {
    const ride_cpu_form *form = ride_cpu_entity_form(entity);
    ride_chain chain = ride_cpu_chains(entity, record)[c];
    int64_t time_us, added[RIDE_WORDS_MAX], own[RIDE_WORDS_MAX];
    for (uint32_t p = record->first; p != record->n; p++) {
        form->entry_read(entity, record, p, &time_us, added, own);
        int32_t lane = entity->layout.chain_lane[c], presence = entity->layout.presence_word;
        if (lane >= 0 && !((uint64_t)own[presence] >> lane & 1)) continue;
        bool near =
            chain.gone_last_us != INT64_MIN && ride_time_sub(time_us, chain.gone_last_us) <= entity->lookback_us;
        if ((int32_t)(p - first) >= 0 && near) return chain; /* the first that is kept goes on with it */
        if ((int32_t)(p - first) >= 0) break;
        if (!near) chain.gone_start_us = time_us;
        chain.gone_last_us = time_us;
    }
    if (chain.gone_last_us < cut) chain.gone_last_us = chain.gone_start_us = INT64_MIN;
    return chain;
}

static ride_status record_save(ride_state_stream *s, const ride_cpu_entity *entity, const ride_record *record,
                               int64_t cut) {
    const ride_cpu_form *form = ride_cpu_entity_form(entity);
    int64_t time_us, added[RIDE_WORDS_MAX], own[RIDE_WORDS_MAX];
    uint32_t first = record->first;
    for (; first != record->n; first++) {
        form->entry_read(entity, record, first, &time_us, added, own);
        if (time_us > cut) break;
    }
    uint32_t patches = notes_of(entity, record->patches, cut, NULL), ties = notes_of(entity, record->ties, cut, NULL);
    ride_state_note *notes = malloc(((size_t)patches + ties + 1) * sizeof *notes);
    if (notes == NULL) return RIDE_E_MEMORY;
    notes_of(entity, record->patches, cut, notes);
    notes_of(entity, record->ties, cut, notes + patches);
    ride_state_put(s, &record->key, sizeof record->key);
    ride_state_put_i64(s, record->last_us);
    ride_state_put_u32(s, record->n - first);
    ride_state_put_u32(s, patches);
    ride_state_put_u32(s, ties);
    ride_state_put_u32(s, 0);
    for (uint32_t c = 0; c < entity->layout.chains_count; c++) {
        ride_chain chain = chain_before(entity, record, c, first, cut);
        ride_state_put_i64(s, chain.gone_last_us);
        ride_state_put_i64(s, chain.gone_start_us);
    }
    for (uint32_t p = first; p != record->n; p++) {
        form->entry_read(entity, record, p, &time_us, added, own);
        ride_state_put_i64(s, time_us);
        ride_state_put(s, added, entity->layout.cumulative_words * sizeof *added);
        ride_state_put(s, own, entity->layout.own_words * sizeof *own);
    }
    for (uint32_t i = 0; i < patches; i++) ride_state_put_patch(s, &notes[i]);
    for (uint32_t i = patches; i < patches + ties; i++) ride_state_put_tie(s, &notes[i]);
    free(notes);
    return RIDE_OK;
}

/* The keys of one state's entity, in the order of the file; the caller frees them. */
static ride_status keys_list(const ride_cpu_entity *entity, uint32_t vnode_first, uint32_t vnodes_count, int64_t cut,
                             ride_state_key **out, uint64_t *out_count, ride_error *err) {
    ride_state_key *keys = malloc((entity->records_used + 1) * sizeof *keys);
    uint64_t count = 0;
    if (keys == NULL)
        return ride_fail(err, RIDE_E_MEMORY, "no memory to order %u keys for saving", entity->records_used);
    for (uint32_t i = 0; i < entity->records_used; i++) {
        const ride_record *record = ride_cpu_record(entity, i);
        uint32_t vnode = ride_key_vnode(record->key);
        if (record->ring_blocks == 0 || record->last_us < cut || record->last_us == INT64_MIN) continue;
        if (vnode < vnode_first || vnode - vnode_first >= vnodes_count) continue;
        keys[count++] = (ride_state_key){record->key, vnode, i};
    }
    ride_state_keys_sort(keys, count);
    *out = keys;
    *out_count = count;
    return RIDE_OK;
}

/* One entity of all states: their ranges follow each other, so do their keys. */
static ride_status entity_save(ride_state_stream *s, ride_state *const *states, uint32_t states_count, uint32_t e,
                               uint32_t vnode_first, uint32_t vnodes_count, ride_error *err) {
    ride_state_key **keys = calloc(states_count, sizeof *keys);
    uint64_t *counts = calloc(states_count, sizeof *counts), count = 0;
    int64_t clock_us = INT64_MIN;
    ride_status st = keys != NULL && counts != NULL ? RIDE_OK : ride_fail(err, RIDE_E_MEMORY, "no memory for a save");
    for (uint32_t i = 0; i < states_count; i++)
        if (ride_cpu_entity_clock(&states[i]->entities[e]) > clock_us)
            clock_us = ride_cpu_entity_clock(&states[i]->entities[e]);
    const int64_t cut = ride_time_sub(clock_us, states[0]->entities[e].retention_us);
    for (uint32_t i = 0; i < states_count && st == RIDE_OK; i++) {
        st = keys_list(&states[i]->entities[e], vnode_first, vnodes_count, cut, &keys[i], &counts[i], err);
        count += counts[i];
    }
    if (st == RIDE_OK) {
        ride_state_put_i64(s, clock_us);
        ride_state_put_i64(s, (int64_t)count);
    }
    for (uint32_t i = 0; i < states_count && st == RIDE_OK; i++) {
        const ride_cpu_entity *entity = &states[i]->entities[e];
        for (uint64_t k = 0; k < counts[i] && st == RIDE_OK && s->status == RIDE_OK; k++)
            if (record_save(s, entity, ride_cpu_record(entity, keys[i][k].index), cut) != RIDE_OK)
                st = ride_fail(err, RIDE_E_MEMORY, "no memory to save a key");
    }
    for (uint32_t i = 0; keys != NULL && i < states_count; i++) free(keys[i]);
    free(keys);
    free(counts);
    return st;
}

ride_status ride_cpu_state_save(ride_state *const *states, uint32_t states_count, uint32_t vnode_first,
                                uint32_t vnodes_count, ride_write_fn write, void *context, ride_error *err) {
    ride_state_stream *s;
    RIDE_TRY(
        ride_state_write_begin(states[0]->program->bundle.plan, vnode_first, vnodes_count, write, context, &s, err));
    ride_status st = RIDE_OK;
    for (uint32_t e = 0; e < states[0]->entities_count && st == RIDE_OK; e++)
        st = entity_save(s, states, states_count, e, vnode_first, vnodes_count, err);
    return ride_state_write_end(s, st, err);
}

/* ---- restore ---- */

/* The entry counts in the bounds of sums; false when a narrow table cannot hold it. */
static bool entry_bounds(ride_cpu_entity *entity, int64_t t, const int64_t *added, uint32_t entries) {
    for (uint32_t l = 0; l < entity->layout.lanes_count; l++) {
        if (entity->lanes[l].kind != RIDE_LANE_SUM) continue;
        int64_t value = added[entity->layout.lane_word[l]],
                magnitude = value < 0 ? -(value + (value == INT64_MIN)) : value;
        if (magnitude > entity->largest) entity->largest = magnitude;
    }
    if (entries > entity->live_max) entity->live_max = entries;
    if (t % 1000000 != 0 || t < (INT64_C(1) << 28) * 1000000 || t >= (int64_t)(UINT32_MAX - 1) * 1000000) return false;
    return entity->largest < RIDE_NARROW_LIMIT &&
           (entity->live_max + UINT64_C(96)) * (uint64_t)entity->largest < RIDE_NARROW_LIMIT;
}

static ride_status record_restore(ride_state_stream *s, ride_state *const *states, uint32_t states_count, uint32_t e,
                                  ride_error *err) {
    ride_key128 key;
    ride_state_get(s, &key, sizeof key);
    int64_t last_us = ride_state_get_i64(s);
    uint32_t entries = ride_state_get_u32(s), patches = ride_state_get_u32(s), ties = ride_state_get_u32(s),
             vnode = ride_key_vnode(key);
    ride_state_get_u32(s);
    if (s->status != RIDE_OK) return s->status;
    ride_cpu_entity *entity = NULL;
    for (uint32_t i = 0; i < states_count; i++)
        if (vnode - states[i]->options.vnode_first < states[i]->options.vnodes_count) entity = &states[i]->entities[e];
    if (entity == NULL)
        return ride_fail(err, RIDE_E_CORRUPT, "the saved state has a key of vnode %u, which is not ours", vnode);
    uint64_t at = ride_key_hash(key) >> entity->table.shift;
    uint32_t known = ride_keytable_probe(&entity->table, ride_key_hash(key), &at);
    uint32_t index = ride_cpu_entity_find_exact(entity, key, ride_key_hash(key));
    if (index == RIDE_NO_RECORD) return ride_fail(err, RIDE_E_MEMORY, "no memory for the saved state");
    if (known == index) return ride_fail(err, RIDE_E_CORRUPT, "the saved state has a key twice");
    int64_t before_us = INT64_MIN;
    ride_cpu_record(entity, index)->last_us = last_us; /* expiry while the ring grows must not take the key for empty */
    for (uint32_t c = 0; c < entity->layout.chains_count; c++) {
        ride_chain *chain = &ride_cpu_chains(entity, ride_cpu_record(entity, index))[c];
        chain->gone_last_us = chain->last_us = ride_state_get_i64(s);
        chain->gone_start_us = chain->start_us = ride_state_get_i64(s);
    }
    for (uint32_t i = 0; i < entries; i++) {
        int64_t added[RIDE_WORDS_MAX], own[RIDE_WORDS_MAX], time_us = ride_state_get_i64(s);
        ride_state_get(s, added, entity->layout.cumulative_words * sizeof *added);
        ride_state_get(s, own, entity->layout.own_words * sizeof *own);
        if (s->status != RIDE_OK) return s->status;
        if (time_us < before_us || time_us > last_us)
            return ride_fail(err, RIDE_E_CORRUPT, "the saved state has entries out of order");
        before_us = time_us;
        if (!entry_bounds(entity, time_us, added, entries) && !entity->layout.wide) {
            RIDE_TRY(ride_cpu_entity_widen(entity, err));
            entity->form_epoch++;
        }
        ride_cpu_entity_form(entity)->entry_append(entity, ride_cpu_record(entity, index), time_us, added, own);
        if (entity->out_of_memory) return ride_fail(err, RIDE_E_MEMORY, "no memory for the saved state");
    }
    ride_record *record = ride_cpu_record(entity, index);
    for (uint32_t i = 0; i < patches + ties && s->status == RIDE_OK; i++) {
        ride_state_note saved = {0};
        if (i < patches) RIDE_TRY(ride_state_get_patch(s, entity->lanes, entity->layout.lanes_count, &saved, err));
        else ride_state_get_tie(s, &saved);
        const ride_note note = {.entry_us = saved.entry_us,
                                .known_us = saved.known_us,
                                .lanes = (uint64_t)saved.lanes,
                                .ordinal = (uint32_t)saved.place,
                                .delta = (int32_t)saved.delta};
        if (s->status != RIDE_OK) break;
        if (i < patches) ride_cpu_patch_add(entity, record, &note);
        else ride_cpu_tie_add(entity, record, &note);
    }
    record->last_us = last_us;
    ride_cpu_entity_form(entity)->edges_refresh(entity, record);
    return s->status;
}

static ride_status entity_restore(ride_state_stream *s, ride_state *const *states, uint32_t states_count, uint32_t e,
                                  ride_error *err) {
    int64_t clock_us = ride_state_get_i64(s), count = ride_state_get_i64(s);
    for (int64_t i = 0; i < count && s->status == RIDE_OK; i++)
        RIDE_TRY(record_restore(s, states, states_count, e, err));
    for (uint32_t i = 0; i < states_count; i++)
        if (clock_us > states[i]->entities[e].clock_us) states[i]->entities[e].clock_us = clock_us;
    return s->status;
}

ride_status ride_cpu_state_restore(ride_state *const *states, uint32_t states_count, ride_read_fn read, void *context,
                                   ride_error *err) {
    ride_state_stream *s;
    ride_status st = ride_state_read_begin(states[0]->program->bundle.plan, read, context, &s, err);
    for (uint32_t e = 0; e < states[0]->entities_count && st == RIDE_OK && s->status == RIDE_OK; e++)
        st = entity_restore(s, states, states_count, e, err);
    if (s != NULL) st = ride_state_read_end(s, st, err);
    for (uint32_t i = 0; i < states_count; i++)
        if (st != RIDE_OK) states[i]->broken = true;
    return st;
}
