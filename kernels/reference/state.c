/* kernels/reference/state.c: keys, their sorted events, and labels that arrive later. */
#include "kernels/reference/state.h"

#include "base/assert.h"
#include "kernels/row/key.h"

#include <stdlib.h>
#include <string.h>

static size_t entry_bytes(const ride_state *state) {
    return sizeof(ref_entry) + state->program->facts_count * sizeof(ref_fact);
}

static bool within_memory(const ride_state *state, uint64_t more) {
    return state->options.memory_bytes_max == 0 || state->bytes + more <= state->options.memory_bytes_max;
}

ref_key *ref_table_find(const ref_table *table, ride_key128 key) {
    if (table->buckets_count == 0) return NULL;
    uint32_t index = table->buckets[ride_key_hash(key) & (table->buckets_count - 1)];
    while (index != 0 && !ride_key_equal(table->keys[index - 1].key, key)) index = table->keys[index - 1].next;
    return index != 0 ? &table->keys[index - 1] : NULL;
}

static ride_status grow_keys(ref_table *table) {
    const uint32_t keys_max = table->keys_count_max == 0 ? 64 : table->keys_count_max * 2;
    ref_key *keys = realloc(table->keys, keys_max * sizeof *keys);
    if (keys == NULL) return RIDE_E_MEMORY;
    table->keys = keys;
    uint32_t *buckets = calloc(keys_max, sizeof *buckets);
    if (buckets == NULL) return RIDE_E_MEMORY;
    free(table->buckets);
    table->buckets = buckets;
    table->buckets_count = table->keys_count_max = keys_max;
    for (uint32_t i = 0; i < table->keys_count; i++) {
        uint32_t *bucket = &buckets[ride_key_hash(keys[i].key) & (keys_max - 1)];
        keys[i].next = *bucket;
        *bucket = i + 1;
    }
    return RIDE_OK;
}

static ride_status find_or_add(ride_state *state, uint32_t entity, ride_key128 key, ref_key **out) {
    ref_table *table = &state->tables[entity];
    *out = ref_table_find(table, key);
    if (*out != NULL) return RIDE_OK;
    if (!within_memory(state, sizeof **out + sizeof(uint32_t))) return RIDE_E_MEMORY;
    if (table->keys_count == table->keys_count_max) RIDE_TRY(grow_keys(table));
    uint32_t *bucket = &table->buckets[ride_key_hash(key) & (table->buckets_count - 1)];
    *out = &table->keys[table->keys_count++];
    **out = (ref_key){.key = key, .next = *bucket};
    *bucket = table->keys_count;
    state->bytes += sizeof **out + sizeof(uint32_t);
    return RIDE_OK;
}

ride_status ref_state_enter(ride_state *state, uint32_t entity, ride_key128 key, const ref_entry *event,
                            const ref_fact *facts) {
    const size_t bytes = entry_bytes(state) + sizeof(ref_entry *);
    ref_key *of;
    if (!within_memory(state, bytes)) return RIDE_E_MEMORY;
    RIDE_TRY(find_or_add(state, entity, key, &of));
    if (of->entries_count == of->entries_count_max) {
        const uint32_t count_max = of->entries_count_max == 0 ? 4 : of->entries_count_max * 2;
        ref_entry **entries = realloc(of->entries, count_max * sizeof *entries);
        if (entries == NULL) return RIDE_E_MEMORY;
        of->entries = entries;
        of->entries_count_max = count_max;
    }
    ref_entry *entry = malloc(entry_bytes(state));
    if (entry == NULL) return RIDE_E_MEMORY;
    *entry = *event;
    memcpy(entry->facts, facts, state->program->facts_count * sizeof *facts);
    uint32_t place = of->entries_count;
    while (place > 0 && of->entries[place - 1]->time_us > event->time_us) {
        of->entries[place] = of->entries[place - 1];
        place--;
    }
    of->entries[place] = entry;
    of->entries_count++;
    state->entries_count++;
    state->bytes += bytes;
    return RIDE_OK;
}

ride_status ref_state_label(ride_state *state, uint32_t entity, ride_key128 key, int64_t time_us, uint64_t sequence,
                            int64_t known_us, uint32_t value) {
    const ref_key *of = ref_table_find(&state->tables[entity], key);
    for (uint32_t i = 0; of != NULL && i < of->entries_count; i++) {
        ref_entry *entry = of->entries[i];
        if (entry->time_us != time_us || entry->sequence != sequence) continue;
        if (!within_memory(state, sizeof *entry->patches)) return RIDE_E_MEMORY;
        ref_patch *patches = realloc(entry->patches, (entry->patches_count + 1) * sizeof *patches);
        if (patches == NULL) return RIDE_E_MEMORY;
        entry->patches = patches;
        patches[entry->patches_count++] = (ref_patch){.known_us = known_us, .value = value};
        state->bytes += sizeof *patches;
        return RIDE_OK;
    }
    return RIDE_OK; /* expired or never entered: nothing to label */
}

void ref_state_clear(ride_state *state) {
    const uint32_t entities_count = state->program->bundle.plan->entities_count;
    for (uint32_t e = 0; e < entities_count; e++) {
        ref_table *table = &state->tables[e];
        for (uint32_t k = 0; k < table->keys_count; k++) {
            for (uint32_t i = 0; i < table->keys[k].entries_count; i++) {
                free(table->keys[k].entries[i]->patches);
                free(table->keys[k].entries[i]);
            }
            free(table->keys[k].entries);
        }
        free(table->keys);
        free(table->buckets);
        *table = (ref_table){0};
    }
    state->entries_count = state->bytes = 0;
}
