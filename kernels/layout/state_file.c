/* kernels/layout/state_file.c: see the header. */
#include "kernels/layout/state_file.h"

#include "base/crc32c.h"

#include <stdlib.h>
#include <string.h>

static const char magic[8] = {'R', 'I', 'D', 'E', 'V', 'N', 'O', 'D'};

static void flush(ride_state_stream *s) {
    if (s->status == RIDE_OK && s->used > 0) s->status = s->write(s->context, s->buffer, s->used);
    s->used = 0;
}

void ride_state_put(ride_state_stream *s, const void *data, size_t bytes) {
    s->crc = ride_crc32c(s->crc, data, bytes);
    if (s->used + bytes > RIDE_STATE_FILE_BUFFER_BYTES) flush(s);
    memcpy(s->buffer + s->used, data, bytes);
    s->used += bytes;
}

void ride_state_get(ride_state_stream *s, void *data, size_t bytes) {
    memset(data, 0, bytes);
    if (s->status == RIDE_OK) s->status = s->read(s->context, data, bytes);
    if (s->status == RIDE_OK) s->crc = ride_crc32c(s->crc, data, bytes);
}

static ride_status stream_make(ride_state_stream **out, ride_error *err) {
    *out = malloc(sizeof **out);
    if (*out == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the bytes of a state");
    memset(*out, 0, offsetof(ride_state_stream, buffer));
    return RIDE_OK;
}

ride_status ride_state_write_begin(const ride_plan_header *plan, uint32_t vnode_first, uint32_t vnodes_count,
                                   ride_write_fn write, void *context, ride_state_stream **out, ride_error *err) {
    RIDE_TRY(stream_make(out, err));
    ride_state_stream *s = *out;
    s->write = write;
    s->context = context;
    ride_state_put(s, magic, sizeof magic);
    ride_state_put_u32(s, RIDE_STATE_FILE_VERSION);
    ride_state_put_u32(s, plan->entities_count);
    ride_state_put(s, plan->spec_hash, sizeof plan->spec_hash);
    ride_state_put_u32(s, vnode_first);
    ride_state_put_u32(s, vnodes_count);
    return RIDE_OK;
}

ride_status ride_state_write_end(ride_state_stream *s, ride_status st, ride_error *err) {
    ride_state_put_u32(s, s->crc);
    flush(s);
    if (st == RIDE_OK && s->status != RIDE_OK) st = ride_fail(err, s->status, "the state could not be written");
    free(s);
    return st;
}

ride_status ride_state_read_begin(const ride_plan_header *plan, ride_read_fn read, void *context,
                                  ride_state_stream **out, ride_error *err) {
    char found[8];
    uint8_t spec_hash[32];
    RIDE_TRY(stream_make(out, err));
    ride_state_stream *s = *out;
    s->read = read;
    s->context = context;
    ride_state_get(s, found, sizeof found);
    const uint32_t version = ride_state_get_u32(s), entities = ride_state_get_u32(s);
    ride_state_get(s, spec_hash, sizeof spec_hash);
    ride_state_get_u32(s); /* the vnodes of the file: each key says its own */
    ride_state_get_u32(s);
    ride_status st = s->status;
    if (st != RIDE_OK) ride_fail(err, st, "the saved state ends too early");
    else if (memcmp(found, magic, sizeof magic) != 0) st = ride_fail(err, RIDE_E_CORRUPT, "not a saved state");
    else if (version != RIDE_STATE_FILE_VERSION)
        st = ride_fail(err, RIDE_E_VERSION, "saved state of version %u, this program reads %d", version,
                       RIDE_STATE_FILE_VERSION);
    else if (entities != plan->entities_count || memcmp(spec_hash, plan->spec_hash, sizeof spec_hash) != 0)
        st = ride_fail(err, RIDE_E_CORRUPT, "the saved state belongs to another feature spec");
    if (st == RIDE_OK) return RIDE_OK;
    free(s);
    *out = NULL;
    return st;
}

ride_status ride_state_read_end(ride_state_stream *s, ride_status st, ride_error *err) {
    const uint32_t crc = s->crc, found = ride_state_get_u32(s);
    if (s->status != RIDE_OK && (st == RIDE_OK || st == s->status))
        st = ride_fail(err, s->status, "the saved state ends too early");
    if (st == RIDE_OK && crc != found)
        st = ride_fail(err, RIDE_E_CORRUPT, "saved state: checksum %08x, expected %08x", crc, found);
    free(s);
    return st;
}

static int key_compare(const void *a_, const void *b_) {
    const ride_state_key *a = a_, *b = b_;
    if (a->vnode != b->vnode) return a->vnode < b->vnode ? -1 : 1;
    if (a->key.hi != b->key.hi) return a->key.hi < b->key.hi ? -1 : 1;
    return a->key.lo < b->key.lo ? -1 : a->key.lo > b->key.lo;
}

void ride_state_keys_sort(ride_state_key *keys, uint64_t keys_count) {
    qsort(keys, keys_count, sizeof *keys, key_compare);
}

static int note_compare(const void *a_, const void *b_) {
    const ride_state_note *a = a_, *b = b_;
    if (a->entry_us != b->entry_us) return a->entry_us < b->entry_us ? -1 : 1;
    if (a->place != b->place) return a->place < b->place ? -1 : 1;
    return a->known_us < b->known_us ? -1 : a->known_us > b->known_us;
}

void ride_state_notes_sort(ride_state_note *notes, uint64_t notes_count) {
    qsort(notes, notes_count, sizeof *notes, note_compare);
}

void ride_state_put_tie(ride_state_stream *s, const ride_state_note *note) {
    ride_state_put_i64(s, note->entry_us);
    ride_state_put_i64(s, note->place);
    ride_state_put_i64(s, note->known_us);
}

void ride_state_put_patch(ride_state_stream *s, const ride_state_note *note) {
    ride_state_put_tie(s, note);
    ride_state_put_i64(s, note->delta);
    ride_state_put_i64(s, note->lanes);
}

void ride_state_get_tie(ride_state_stream *s, ride_state_note *out) {
    *out = (ride_state_note){.entry_us = ride_state_get_i64(s)};
    out->place = ride_state_get_i64(s);
    out->known_us = ride_state_get_i64(s);
}

ride_status ride_state_get_patch(ride_state_stream *s, const ride_plan_lane *lanes, uint32_t lanes_count,
                                 ride_state_note *out, ride_error *err) {
    ride_state_get_tie(s, out);
    out->delta = ride_state_get_i64(s);
    out->lanes = ride_state_get_i64(s);
    for (uint32_t l = 0; l < 64; l++)
        if (((uint64_t)out->lanes >> l & 1) != 0 && (l >= lanes_count || lanes[l].kind != RIDE_LANE_LABEL))
            return ride_fail(err, RIDE_E_CORRUPT, "the saved state has a label for what counts none");
    return RIDE_OK;
}
