/* kernels/layout/state_file.h: window state as bytes: one format for every fast backend, so that a state saved by one is
 * restored by another.
 *
 * Little-endian: magic "RIDEVNOD", u32 version, u32 entities, spec hash (32), u32 first vnode, u32 vnodes; per entity: i64
 * clock, i64 keys, then the keys in order of (vnode, hi, lo): key (lo, hi), i64 newest time, u32 entries, u32 label patches,
 * u32 ties, u32 0; per chain of since_first i64 newest and i64 first time of what came before the entries (INT64_MIN: nothing
 * that an event can still reach); the entries: i64 time, what it adds to every cumulative word of the wide layout
 * (state_layout.h; a sum of squares is two words), its own words; the patches: i64 entry time, i64 place among the entries of that time, i64 known,
 * i64 change, i64 lanes, in order of (time, place, known); the ties: i64 entry time, i64 place, i64 arrival number, in order of (time, place). At the end the
 * CRC-32C of everything before.
 *
 * What has expired (time <= clock - retention) is not written, sums are written as what each entry adds, and nothing of a
 * layout in memory shows: equal histories give equal bytes, whatever the backend, the batches and the sweeps.
 *
 * One thread; a failure of the caller's function is kept, and everything after it does nothing. */
#ifndef RIDE_KERNELS_LAYOUT_STATE_FILE_H
#define RIDE_KERNELS_LAYOUT_STATE_FILE_H
#include "ride/backend.h"

enum { RIDE_STATE_FILE_VERSION = 2, RIDE_STATE_FILE_BUFFER_BYTES = 1 << 16 };

typedef struct ride_state_stream {
    ride_write_fn write; /* NULL when reading */
    ride_read_fn read;
    void *context;
    uint32_t crc;
    ride_status status; /* first failure */
    size_t used;
    uint8_t buffer[RIDE_STATE_FILE_BUFFER_BYTES];
} ride_state_stream;

#ifdef __cplusplus
extern "C" {
#endif

void ride_state_put(ride_state_stream *s, const void *data, size_t bytes);
static inline void ride_state_put_u32(ride_state_stream *s, uint32_t value) { ride_state_put(s, &value, sizeof value); }
static inline void ride_state_put_i64(ride_state_stream *s, int64_t value) { ride_state_put(s, &value, sizeof value); }
/* After a failure the values are zero. */
void ride_state_get(ride_state_stream *s, void *data, size_t bytes);
static inline uint32_t ride_state_get_u32(ride_state_stream *s) {
    uint32_t value;
    ride_state_get(s, &value, sizeof value);
    return value;
}
static inline int64_t ride_state_get_i64(ride_state_stream *s) {
    int64_t value;
    ride_state_get(s, &value, sizeof value);
    return value;
}

/* Head and end of a file. begin allocates the stream, end frees it in any case; st: how the part between them went (err holds why when it is
 * not RIDE_OK). A read checks magic, version, spec and number of entities first and the checksum last: what was read may be
 * used only when end says RIDE_OK. */
ride_status ride_state_write_begin(const ride_plan_header *plan, uint32_t vnode_first, uint32_t vnodes_count,
                                   ride_write_fn write, void *context, ride_state_stream **out, ride_error *err);
ride_status ride_state_write_end(ride_state_stream *s, ride_status st, ride_error *err);
ride_status ride_state_read_begin(const ride_plan_header *plan, ride_read_fn read, void *context,
                                  ride_state_stream **out, ride_error *err);
ride_status ride_state_read_end(ride_state_stream *s, ride_status st, ride_error *err);

/* Keys in the order of the file. */
typedef struct ride_state_key {
    ride_key128 key;
    uint32_t vnode, index; /* index: the backend's own */
} ride_state_key;
void ride_state_keys_sort(ride_state_key *keys, uint64_t keys_count);

/* A label patch or a tie of an entry; ties have delta 0 and lanes 0, and their arrival number in place of known_us. */
typedef struct ride_state_note {
    int64_t entry_us, place, known_us, delta, lanes;
} ride_state_note;
void ride_state_notes_sort(ride_state_note *notes, uint64_t notes_count);
void ride_state_put_patch(ride_state_stream *s, const ride_state_note *note);
void ride_state_put_tie(ride_state_stream *s, const ride_state_note *note);
/* RIDE_E_CORRUPT for lanes that are no LABEL lanes of the entity. */
ride_status ride_state_get_patch(ride_state_stream *s, const ride_plan_lane *lanes, uint32_t lanes_count,
                                 ride_state_note *out, ride_error *err);
void ride_state_get_tie(ride_state_stream *s, ride_state_note *out);

#ifdef __cplusplus
}
#endif

#endif
