/* backend/fake_state.c: counts per vnode, saved as a header, the counts and a checksum of both. */
#include "backend/fake_state.h"

#include "base/assert.h"
#include "base/crc32c.h"

#include <stdlib.h>
#include <string.h>

struct ride_state {
    ride_device *device;
    ride_state *real; /* another backend's */
    uint32_t vnode_first, vnodes_count;
    uint8_t spec_hash[32];
    uint64_t rows[RIDE_VNODES];
};

typedef struct save_header {
    char magic[8];
    uint32_t version, vnode_first, vnodes_count, reserved;
    uint8_t spec_hash[32];
} save_header;
RIDE_STATIC_ASSERT(sizeof(save_header) == 56, "written as it is");
static const char magic[8] = "RIDEFAKE";
enum { SAVE_VERSION = 1 };

ride_status fake_state_create(ride_device *device, const uint8_t spec_hash[32], const ride_state_options *options,
                              ride_state **out, ride_error *err) {
    RIDE_ASSERT(options->vnodes_count > 0 && options->vnode_first < RIDE_VNODES &&
                options->vnodes_count <= RIDE_VNODES - options->vnode_first);
    ride_state *state = calloc(1, sizeof *state);
    if (state == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a state");
    state->device = device;
    state->vnode_first = options->vnode_first;
    state->vnodes_count = options->vnodes_count;
    memcpy(state->spec_hash, spec_hash, 32);
    *out = state;
    return RIDE_OK;
}

void fake_state_destroy(ride_state *state) { free(state); }
ride_device *fake_state_device(const ride_state *state) { return state->device; }
void fake_state_set_real(ride_state *state, ride_state *real) { state->real = real; }
ride_state *fake_state_real(const ride_state *state) { return state->real; }

/* The state of a vnode, NULL = none. */
static ride_state *owner_of(ride_state *const *states, uint32_t states_count, uint32_t vnode) {
    for (uint32_t i = 0; i < states_count; i++)
        if (vnode - states[i]->vnode_first < states[i]->vnodes_count) return states[i];
    return NULL;
}
static bool own_all(ride_state *const *states, uint32_t states_count, uint32_t vnode_first, uint32_t vnodes_count) {
    for (uint32_t i = 0; i < vnodes_count; i++)
        if (owner_of(states, states_count, vnode_first + i) == NULL) return false;
    return vnodes_count > 0;
}

bool fake_state_owns(const ride_state *state, uint64_t sequence) {
    return (uint32_t)(sequence % RIDE_VNODES) - state->vnode_first < state->vnodes_count;
}
bool fake_state_is_part(const ride_state *state) { return state->vnodes_count < RIDE_VNODES; }

void fake_state_enter(ride_state *state, uint64_t sequence) { state->rows[sequence % RIDE_VNODES]++; }

void fake_state_stats(const ride_state *state, ride_state_stats *out) {
    *out = (ride_state_stats){.bytes = sizeof *state};
    for (uint32_t i = 0; i < RIDE_VNODES; i++) {
        out->keys += state->rows[i] > 0;
        out->entries += state->rows[i];
    }
}

ride_status fake_state_save(ride_state *const *states, uint32_t states_count, uint32_t vnode_first,
                            uint32_t vnodes_count, ride_write_fn write, void *context, ride_error *err) {
    uint64_t rows[RIDE_VNODES];
    if (vnodes_count > RIDE_VNODES || !own_all(states, states_count, vnode_first, vnodes_count))
        return ride_fail(err, RIDE_E_INTERNAL, "the state does not own vnodes %u to %u", vnode_first,
                         vnode_first + vnodes_count);
    for (uint32_t i = 0; i < vnodes_count; i++)
        rows[i] = owner_of(states, states_count, vnode_first + i)->rows[vnode_first + i];
    save_header header = {.version = SAVE_VERSION, .vnode_first = vnode_first, .vnodes_count = vnodes_count};
    memcpy(header.magic, magic, sizeof magic);
    memcpy(header.spec_hash, states[0]->spec_hash, 32);
    uint64_t rows_bytes = vnodes_count * sizeof rows[0];
    uint32_t crc = ride_crc32c(ride_crc32c(0, &header, sizeof header), rows, rows_bytes);
    ride_status st = write(context, &header, sizeof header);
    if (st == RIDE_OK) st = write(context, rows, rows_bytes);
    if (st == RIDE_OK) st = write(context, &crc, sizeof crc);
    return st == RIDE_OK ? st : ride_fail(err, st, "the state could not be written");
}

static ride_status read_bytes(ride_read_fn read, void *context, void *data, size_t bytes, ride_error *err) {
    ride_status st = read(context, data, bytes);
    return st == RIDE_OK ? st : ride_fail(err, st, "the saved state ends early");
}

ride_status fake_state_restore(ride_state *const *states, uint32_t states_count, ride_read_fn read, void *context,
                               ride_error *err) {
    save_header header;
    uint64_t rows[RIDE_VNODES];
    uint32_t crc;
    RIDE_TRY(read_bytes(read, context, &header, sizeof header, err));
    if (memcmp(header.magic, magic, sizeof magic) != 0) return ride_fail(err, RIDE_E_CORRUPT, "not a saved fake state");
    if (header.version != SAVE_VERSION) return ride_fail(err, RIDE_E_VERSION, "saved state version %u", header.version);
    if (header.vnodes_count > RIDE_VNODES) return ride_fail(err, RIDE_E_CORRUPT, "%u vnodes", header.vnodes_count);
    RIDE_TRY(read_bytes(read, context, rows, header.vnodes_count * sizeof rows[0], err));
    RIDE_TRY(read_bytes(read, context, &crc, sizeof crc, err));
    if (crc != ride_crc32c(ride_crc32c(0, &header, sizeof header), rows, header.vnodes_count * sizeof rows[0]))
        return ride_fail(err, RIDE_E_CORRUPT, "the saved state's checksum is wrong");
    if (memcmp(header.spec_hash, states[0]->spec_hash, 32) != 0)
        return ride_fail(err, RIDE_E_VERSION, "the saved state belongs to another spec");
    if (!own_all(states, states_count, header.vnode_first, header.vnodes_count))
        return ride_fail(err, RIDE_E_CONFIG, "the saved vnodes lie outside the state's range");
    for (uint32_t i = 0, vnode = header.vnode_first; i < header.vnodes_count; i++, vnode++)
        if (owner_of(states, states_count, vnode)->rows[vnode] != 0)
            return ride_fail(err, RIDE_E_CONFIG, "vnode %u is not empty", vnode);
    for (uint32_t i = 0, vnode = header.vnode_first; i < header.vnodes_count; i++, vnode++)
        owner_of(states, states_count, vnode)->rows[vnode] = rows[i];
    return RIDE_OK;
}
