/* kernels/cpu/state_file.c: a state as bytes.
 *
 * Little-endian: magic "RIDEVNOD", u32 version, u32 entities, spec hash (32), u32 first vnode, u32 vnodes; per entity: i64
 * clock, u64 keys, then the keys in order of (vnode, hi, lo): key, i64 newest time, u32 entries, u32 label patches, u32 ties,
 * u32 0, per chain of since_first i64 newest and i64 first time of what came before the entries, the entries (i64 time, what
 * it adds to every cumulative word, its own words), the patches (i64 entry, u64 place among its time, i64 known, i64 change, u64
 * lanes) and the ties (i64 entry, u64 place, u64 arrival number); at the end the CRC-32C of everything before. What has expired is not written, sums are written as what each entry adds, and nothing
 * of the layout in memory shows: equal histories give equal bytes. */
#include "kernels/cpu/state.h"

#include "base/crc32c.h"

#include <stdlib.h>
#include <string.h>

enum { STATE_FILE_VERSION = 2, BUFFER_BYTES = 1 << 16 };
static const char magic[8] = {'R', 'I', 'D', 'E', 'V', 'N', 'O', 'D'};

typedef struct stream {
    ride_write_fn write;
    ride_read_fn read;
    void *context;
    uint32_t crc;
    ride_status status; /* sticky */
    size_t used;
    uint8_t buffer[BUFFER_BYTES];
} stream;

static void stream_flush(stream *s) {
    if (s->status == RIDE_OK && s->used > 0) s->status = s->write(s->context, s->buffer, s->used);
    s->used = 0;
}

static void put(stream *s, const void *data, size_t bytes) {
    s->crc = ride_crc32c(s->crc, data, bytes);
    if (s->used + bytes > BUFFER_BYTES) stream_flush(s);
    memcpy(s->buffer + s->used, data, bytes);
    s->used += bytes;
}
static void put_u32(stream *s, uint32_t value) { put(s, &value, sizeof value); }
static void put_i64(stream *s, int64_t value) { put(s, &value, sizeof value); }

static void get(stream *s, void *data, size_t bytes) {
    memset(data, 0, bytes);
    if (s->status == RIDE_OK) s->status = s->read(s->context, data, bytes);
    if (s->status == RIDE_OK) s->crc = ride_crc32c(s->crc, data, bytes);
}
static uint32_t get_u32(stream *s) {
    uint32_t value;
    get(s, &value, sizeof value);
    return value;
}
static int64_t get_i64(stream *s) {
    int64_t value;
    get(s, &value, sizeof value);
    return value;
}

/* ---- save ---- */

typedef struct saved_key {
    ride_key128 key;
    uint32_t vnode, index;
} saved_key;

static int saved_key_compare(const void *a_, const void *b_) {
    const saved_key *a = a_, *b = b_;
    if (a->vnode != b->vnode) return a->vnode < b->vnode ? -1 : 1;
    if (a->key.hi != b->key.hi) return a->key.hi < b->key.hi ? -1 : 1;
    return a->key.lo < b->key.lo ? -1 : a->key.lo > b->key.lo;
}

static int note_compare(const void *a_, const void *b_) {
    const ride_note *a = a_, *b = b_;
    if (a->entry_us != b->entry_us) return a->entry_us < b->entry_us ? -1 : 1;
    if (a->ordinal != b->ordinal) return a->ordinal < b->ordinal ? -1 : 1;
    return a->known_us < b->known_us ? -1 : a->known_us > b->known_us;
}

/* Copies a list's notes of kept entries, in order; counts them when there is no room. */
static uint32_t notes_of(const ride_cpu_entity *entity, uint32_t list, int64_t cut, ride_note *out) {
    uint32_t count = 0;
    for (uint32_t i = list; i != 0; i = entity->notes[i - 1].next) {
        if (entity->notes[i - 1].entry_us <= cut) continue;
        if (out != NULL) out[count] = entity->notes[i - 1];
        count++;
    }
    if (out != NULL)
        qsort(out, count, sizeof *out, note_compare); /* the list's own order depends on how it came to be */
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

static ride_status record_save(stream *s, const ride_cpu_entity *entity, const ride_record *record, int64_t cut) {
    const ride_cpu_form *form = ride_cpu_entity_form(entity);
    int64_t time_us, added[RIDE_WORDS_MAX], own[RIDE_WORDS_MAX];
    uint32_t first = record->first;
    for (; first != record->n; first++) {
        form->entry_read(entity, record, first, &time_us, added, own);
        if (time_us > cut) break;
    }
    uint32_t patches = notes_of(entity, record->patches, cut, NULL), ties = notes_of(entity, record->ties, cut, NULL);
    ride_note *notes = malloc(((size_t)patches + ties + 1) * sizeof *notes);
    if (notes == NULL) return RIDE_E_MEMORY;
    notes_of(entity, record->patches, cut, notes);
    notes_of(entity, record->ties, cut, notes + patches);
    put(s, &record->key, sizeof record->key);
    put_i64(s, record->last_us);
    put_u32(s, record->n - first);
    put_u32(s, patches);
    put_u32(s, ties);
    put_u32(s, 0);
    for (uint32_t c = 0; c < entity->layout.chains_count; c++) {
        ride_chain chain = chain_before(entity, record, c, first, cut);
        put_i64(s, chain.gone_last_us);
        put_i64(s, chain.gone_start_us);
    }
    for (uint32_t p = first; p != record->n; p++) {
        form->entry_read(entity, record, p, &time_us, added, own);
        put_i64(s, time_us);
        put(s, added, entity->layout.cumulative_words * sizeof *added);
        put(s, own, entity->layout.own_words * sizeof *own);
    }
    for (uint32_t i = 0; i < patches + ties; i++) {
        put_i64(s, notes[i].entry_us);
        put_i64(s, notes[i].ordinal);
        put_i64(s, notes[i].known_us); /* or the arrival number: the same eight bytes */
        if (i >= patches) continue;
        put_i64(s, notes[i].delta);
        put_i64(s, (int64_t)notes[i].lanes);
    }
    free(notes);
    return RIDE_OK;
}

static ride_status entity_save(stream *s, const ride_cpu_entity *entity, uint32_t vnode_first, uint32_t vnodes_count,
                               ride_error *err) {
    int64_t cut = ride_time_sub(entity->clock_us, entity->retention_us);
    saved_key *keys = malloc((entity->records_used + 1) * sizeof *keys);
    if (keys == NULL)
        return ride_fail(err, RIDE_E_MEMORY, "no memory to order %u keys for saving", entity->records_used);
    uint64_t count = 0;
    for (uint32_t i = 0; i < entity->records_used; i++) {
        const ride_record *record = ride_cpu_record(entity, i);
        uint32_t vnode = ride_key_vnode(record->key);
        if (record->ring_blocks == 0 || record->last_us < cut || record->last_us == INT64_MIN) continue;
        if (vnode < vnode_first || vnode - vnode_first >= vnodes_count) continue;
        keys[count++] = (saved_key){record->key, vnode, i};
    }
    qsort(keys, count, sizeof *keys, saved_key_compare);
    put_i64(s, entity->clock_us);
    put_i64(s, (int64_t)count);
    ride_status st = RIDE_OK;
    for (uint64_t i = 0; i < count && st == RIDE_OK && s->status == RIDE_OK; i++)
        st = record_save(s, entity, ride_cpu_record(entity, keys[i].index), cut);
    free(keys);
    return st == RIDE_OK ? RIDE_OK : ride_fail(err, st, "no memory to save a key");
}

ride_status ride_cpu_state_save(ride_state *state, uint32_t vnode_first, uint32_t vnodes_count, ride_write_fn write,
                                void *context, ride_error *err) {
    stream *s = malloc(sizeof *s);
    if (s == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory to save a state");
    *s = (stream){.write = write, .context = context};
    put(s, magic, sizeof magic);
    put_u32(s, STATE_FILE_VERSION);
    put_u32(s, state->entities_count);
    put(s, state->program->bundle.plan->spec_hash, 32);
    put_u32(s, vnode_first);
    put_u32(s, vnodes_count);
    ride_status st = RIDE_OK;
    for (uint32_t e = 0; e < state->entities_count && st == RIDE_OK; e++)
        st = entity_save(s, &state->entities[e], vnode_first, vnodes_count, err);
    put_u32(s, s->crc);
    stream_flush(s);
    if (st == RIDE_OK && s->status != RIDE_OK) st = ride_fail(err, s->status, "the state could not be written");
    free(s);
    return st;
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

static ride_status record_restore(stream *s, ride_cpu_entity *entity, const ride_state_options *options,
                                  ride_error *err) {
    ride_key128 key;
    get(s, &key, sizeof key);
    int64_t last_us = get_i64(s);
    uint32_t entries = get_u32(s), patches = get_u32(s), ties = get_u32(s), vnode = ride_key_vnode(key);
    get_u32(s);
    if (s->status != RIDE_OK) return s->status;
    uint64_t at = ride_key_hash(key) >> entity->table.shift;
    uint32_t known = ride_keytable_probe(&entity->table, ride_key_hash(key), &at);
    if (vnode < options->vnode_first || vnode - options->vnode_first >= options->vnodes_count)
        return ride_fail(err, RIDE_E_CORRUPT, "the saved state has a key of vnode %u, which is not ours", vnode);
    uint32_t index = ride_cpu_entity_find_exact(entity, key, ride_key_hash(key));
    if (index == RIDE_NO_RECORD) return ride_fail(err, RIDE_E_MEMORY, "no memory for the saved state");
    if (known == index) return ride_fail(err, RIDE_E_CORRUPT, "the saved state has a key twice");
    int64_t before_us = INT64_MIN;
    ride_cpu_record(entity, index)->last_us = last_us; /* expiry while the ring grows must not take the key for empty */
    for (uint32_t c = 0; c < entity->layout.chains_count; c++) {
        ride_chain *chain = &ride_cpu_chains(entity, ride_cpu_record(entity, index))[c];
        chain->gone_last_us = chain->last_us = get_i64(s);
        chain->gone_start_us = chain->start_us = get_i64(s);
    }
    for (uint32_t i = 0; i < entries; i++) {
        int64_t added[RIDE_WORDS_MAX], own[RIDE_WORDS_MAX], time_us = get_i64(s);
        get(s, added, entity->layout.cumulative_words * sizeof *added);
        get(s, own, entity->layout.own_words * sizeof *own);
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
        ride_note note = {.entry_us = get_i64(s)};
        note.ordinal = (uint32_t)get_i64(s);
        note.known_us = get_i64(s);
        if (i < patches) note.delta = (int32_t)get_i64(s);
        if (i < patches) note.lanes = (uint64_t)get_i64(s);
        if (s->status != RIDE_OK) break;
        for (uint32_t l = 0; l < 64; l++)
            if ((note.lanes >> l & 1) != 0 &&
                (l >= entity->layout.lanes_count || entity->lanes[l].kind != RIDE_LANE_LABEL))
                return ride_fail(err, RIDE_E_CORRUPT, "the saved state has a label for what counts none");
        if (i < patches) ride_cpu_patch_add(entity, record, &note);
        else ride_cpu_tie_add(entity, record, &note);
    }
    record->last_us = last_us;
    ride_cpu_entity_form(entity)->edges_refresh(entity, record);
    return s->status;
}

static ride_status entity_restore(stream *s, ride_cpu_entity *entity, const ride_state_options *options,
                                  ride_error *err) {
    int64_t clock_us = get_i64(s), count = get_i64(s);
    for (int64_t i = 0; i < count && s->status == RIDE_OK; i++) RIDE_TRY(record_restore(s, entity, options, err));
    if (clock_us > entity->clock_us) entity->clock_us = clock_us;
    return s->status;
}

ride_status ride_cpu_state_restore(ride_state *state, ride_read_fn read, void *context, ride_error *err) {
    stream *s = malloc(sizeof *s);
    if (s == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory to restore a state");
    *s = (stream){.read = read, .context = context};
    char found_magic[8];
    uint8_t spec_hash[32];
    ride_status st = RIDE_OK;
    get(s, found_magic, sizeof found_magic);
    uint32_t version = get_u32(s), entities = get_u32(s);
    get(s, spec_hash, sizeof spec_hash);
    get_u32(s); /* the vnodes of the file: each key says its own */
    get_u32(s);
    if (s->status == RIDE_OK && memcmp(found_magic, magic, sizeof magic) != 0)
        st = ride_fail(err, RIDE_E_CORRUPT, "not a saved state");
    else if (s->status == RIDE_OK && version != STATE_FILE_VERSION)
        st = ride_fail(err, RIDE_E_VERSION, "saved state of version %u, this program reads %d", version,
                       STATE_FILE_VERSION);
    else if (s->status == RIDE_OK &&
             (entities != state->entities_count || memcmp(spec_hash, state->program->bundle.plan->spec_hash, 32) != 0))
        st = ride_fail(err, RIDE_E_CORRUPT, "the saved state belongs to another feature spec");
    for (uint32_t e = 0; e < state->entities_count && st == RIDE_OK && s->status == RIDE_OK; e++)
        st = entity_restore(s, &state->entities[e], &state->options, err);
    uint32_t crc = s->crc, crc_found = get_u32(s);
    if (st == RIDE_OK && s->status != RIDE_OK) st = ride_fail(err, s->status, "the saved state ends too early");
    if (st == RIDE_OK && crc != crc_found)
        st = ride_fail(err, RIDE_E_CORRUPT, "saved state: checksum %08x, expected %08x", crc, crc_found);
    if (st != RIDE_OK) state->broken = true;
    free(s);
    return st;
}
