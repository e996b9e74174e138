/* kernels/reference/save.c: the whole history of the keys of a range of vnodes, of one state or several, as bytes.
 *
 * Little-endian 64-bit words: magic, version, spec hash (4), first vnode, vnodes; per entity: keys, and per key, in order of the
 * key's bits: hi, lo, entries; per entry: time, arrival number, label, patches, facts (lo, hi, valid each), patches (known, value each). At the
 * end a sum of all words before it, which no change of a single word leaves as it was. Order of appearance and of batches leave no trace. */
#include "kernels/reference/state.h"
#include "kernels/row/key.h"

#include <stdlib.h>
#include <string.h>

static const uint64_t magic = 0x4645524544495200u, version = 2; /* "\0RIDEREF" */

typedef struct stream {
    ride_write_fn write;
    ride_read_fn read;
    void *context;
    uint64_t sum;
    ride_status status; /* first failure; later words are skipped */
} stream;

static void add_to_sum(stream *s, uint64_t word) {
    s->sum = (s->sum ^ word) * 0x9e3779b97f4a7c15u; /* odd: both steps can be undone */
    s->sum ^= s->sum >> 32;
}
static void put(stream *s, uint64_t word) {
    add_to_sum(s, word);
    if (s->status == RIDE_OK) s->status = s->write(s->context, &word, sizeof word);
}
static uint64_t get(stream *s) {
    uint64_t word = 0;
    if (s->status == RIDE_OK) s->status = s->read(s->context, &word, sizeof word);
    add_to_sum(s, word);
    return s->status == RIDE_OK ? word : 0;
}

static int by_key(const void *a, const void *b) {
    const ride_key128 x = (*(const ref_key *const *)a)->key, y = (*(const ref_key *const *)b)->key;
    if (x.hi != y.hi) return x.hi < y.hi ? -1 : 1;
    return x.lo < y.lo ? -1 : x.lo > y.lo;
}

static void put_entry(stream *s, const ref_entry *entry, uint32_t facts_count) {
    put(s, (uint64_t)entry->time_us);
    put(s, entry->sequence);
    put(s, entry->label);
    put(s, entry->patches_count);
    for (uint32_t f = 0; f < facts_count; f++) {
        put(s, entry->facts[f].lo);
        put(s, entry->facts[f].hi);
        put(s, entry->facts[f].valid);
    }
    for (uint32_t p = 0; p < entry->patches_count; p++) {
        put(s, (uint64_t)entry->patches[p].known_us);
        put(s, entry->patches[p].value);
    }
}

/* An entity's keys of all states together. */
static ride_status put_tables(stream *s, ride_state *const *states, uint32_t states_count, uint32_t entity,
                              uint32_t vnode_first, uint32_t vnodes_count) {
    uint64_t keys_max = 0, count = 0;
    for (uint32_t i = 0; i < states_count; i++) keys_max += states[i]->tables[entity].keys_count;
    const ref_key **keys = malloc((keys_max + 1) * sizeof *keys);
    if (keys == NULL) return RIDE_E_MEMORY;
    for (uint32_t i = 0; i < states_count; i++) {
        const ref_table *table = &states[i]->tables[entity];
        for (uint32_t k = 0; k < table->keys_count; k++)
            if (ride_key_vnode(table->keys[k].key) - vnode_first < vnodes_count) keys[count++] = &table->keys[k];
    }
    qsort(keys, count, sizeof *keys, by_key);
    put(s, count);
    for (uint64_t i = 0; i < count; i++) {
        put(s, keys[i]->key.hi);
        put(s, keys[i]->key.lo);
        put(s, keys[i]->entries_count);
        for (uint32_t j = 0; j < keys[i]->entries_count; j++)
            put_entry(s, keys[i]->entries[j], states[0]->program->facts_count);
    }
    free(keys);
    return RIDE_OK;
}

static void spec_hash_words(const ride_program_dev *program, uint64_t words[4]) {
    memcpy(words, program->bundle.plan->spec_hash, 4 * sizeof *words);
}

ride_status ref_state_save(ride_state *const *states, uint32_t states_count, uint32_t vnode_first,
                           uint32_t vnodes_count, ride_write_fn write, void *context, ride_error *err) {
    stream s = {.write = write, .context = context, .status = RIDE_OK};
    uint64_t hash[4];
    spec_hash_words(states[0]->program, hash);
    put(&s, magic);
    put(&s, version);
    for (int i = 0; i < 4; i++) put(&s, hash[i]);
    put(&s, vnode_first);
    put(&s, vnodes_count);
    for (uint32_t e = 0; e < states[0]->program->bundle.plan->entities_count; e++)
        if (put_tables(&s, states, states_count, e, vnode_first, vnodes_count) != RIDE_OK)
            return ride_fail(err, RIDE_E_MEMORY, "no memory to save the state");
    const uint64_t sum = s.sum;
    put(&s, sum);
    return s.status == RIDE_OK ? RIDE_OK : ride_fail(err, s.status, "the state could not be written");
}

static void get_entry(stream *s, ride_state *state, uint32_t entity, ride_key128 key, ref_fact *facts) {
    ref_entry event = {.time_us = (int64_t)get(s)};
    event.sequence = get(s);
    event.label = (uint32_t)get(s);
    const uint64_t patches_count = get(s);
    for (uint32_t f = 0; f < state->program->facts_count; f++) {
        facts[f].lo = get(s);
        facts[f].hi = get(s);
        facts[f].valid = get(s);
    }
    if (s->status == RIDE_OK) s->status = ref_state_enter(state, entity, key, &event, facts);
    if (s->status != RIDE_OK) return;
    ref_key *of = ref_table_find(&state->tables[entity], key);
    ref_entry *entry = of->entries[of->entries_count - 1];
    if (entry->time_us != event.time_us) { /* not in order of time: never written so */
        s->status = RIDE_E_CORRUPT;
        return;
    }
    for (uint64_t p = 0; p < patches_count && s->status == RIDE_OK; p++) {
        ref_patch *patches = realloc(entry->patches, (entry->patches_count + 1) * sizeof *patches);
        if (patches == NULL) {
            s->status = RIDE_E_MEMORY;
            return;
        }
        entry->patches = patches;
        patches[entry->patches_count].known_us = (int64_t)get(s);
        patches[entry->patches_count++].value = get(s);
        state->bytes += sizeof *patches;
    }
}

static ride_state *owner_of(ride_state *const *states, uint32_t states_count, ride_key128 key) {
    for (uint32_t i = 0; i < states_count; i++)
        if (ride_key_vnode(key) - states[i]->options.vnode_first < states[i]->options.vnodes_count) return states[i];
    return NULL;
}

static void get_table(stream *s, ride_state *const *states, uint32_t states_count, uint32_t entity, ref_fact *facts) {
    const uint64_t keys_count = get(s);
    for (uint64_t k = 0; k < keys_count && s->status == RIDE_OK; k++) {
        ride_key128 key;
        key.hi = get(s);
        key.lo = get(s);
        const uint64_t entries_count = get(s);
        if (s->status != RIDE_OK) return;
        ride_state *state = owner_of(states, states_count, key);
        if (state == NULL || ref_table_find(&state->tables[entity], key) != NULL) {
            s->status = RIDE_E_CORRUPT;
            return;
        }
        for (uint64_t i = 0; i < entries_count && s->status == RIDE_OK; i++) get_entry(s, state, entity, key, facts);
    }
}

ride_status ref_state_restore(ride_state *const *states, uint32_t states_count, ride_read_fn read, void *context,
                              ride_error *err) {
    const ride_program_dev *program = states[0]->program;
    stream s = {.read = read, .context = context, .status = RIDE_OK};
    uint64_t hash[4];
    spec_hash_words(program, hash);
    if (get(&s) != magic && s.status == RIDE_OK)
        return ride_fail(err, RIDE_E_CORRUPT, "not a saved state of this backend");
    if (get(&s) != version && s.status == RIDE_OK)
        return ride_fail(err, RIDE_E_VERSION, "a saved state of another version");
    for (int i = 0; i < 4; i++)
        if (get(&s) != hash[i] && s.status == RIDE_OK)
            return ride_fail(err, RIDE_E_VERSION, "the state was saved under another feature spec");
    get(&s); /* the range is told by the keys */
    get(&s);
    ref_fact *facts = calloc(program->facts_count + 1, sizeof *facts);
    if (facts == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory to restore the state");
    for (uint32_t e = 0; e < program->bundle.plan->entities_count && s.status == RIDE_OK; e++)
        get_table(&s, states, states_count, e, facts);
    free(facts);
    const uint64_t sum = s.sum;
    if (get(&s) != sum && s.status == RIDE_OK) s.status = RIDE_E_CORRUPT;
    return s.status == RIDE_OK ? RIDE_OK : ride_fail(err, s.status, "the saved state is damaged or cut short");
}
