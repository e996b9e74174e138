/* base/batch.h: a batch is a run of tiles of one layout with one byte arena for their strings.
 *
 * Ownership: a batch is created with room for rows_count_max rows and arena_bytes_max bytes and never grows; stages
 * fill and borrow it. One thread at a time. Nothing here allocates after create. */
#ifndef RIDE_BASE_BATCH_H
#define RIDE_BASE_BATCH_H
#include "base/error.h"
#include "base/tile.h"

typedef struct ride_batch {
    const ride_tile_layout *layout; /* borrowed; must outlive the batch */
    uint8_t *tiles;                 /* tiles_count_max * layout->tile_bytes, 4 KiB aligned; tile i at i * tile_bytes */
    uint32_t tiles_count_max;
    uint32_t rows_count; /* rows in all tiles: all tiles full but the last */
    char *arena;         /* string bytes of this batch */
    uint32_t arena_bytes, arena_bytes_max;
    void *tiles_owned; /* tiles, when destroy is to free them */
} ride_batch;

/* Creates a batch with room for at least rows_count_max rows. The caller owns *out and destroys it. */
ride_status ride_batch_create(const ride_tile_layout *layout, uint32_t rows_count_max, uint32_t arena_bytes_max,
                              ride_batch **out, ride_error *err);
/* The same over tiles of the caller's, which stay the caller's and outlive the batch: a backend's buffer (ride/backend.h), so that they
 * cross to a device without another copy. They have ride_batch_tiles_bytes and are 128-byte aligned; create clears them. */
ride_status ride_batch_create_over(const ride_tile_layout *layout, uint32_t rows_count_max, void *tiles,
                                   uint32_t arena_bytes_max, ride_batch **out, ride_error *err);
uint64_t ride_batch_tiles_bytes(const ride_tile_layout *layout, uint32_t rows_count_max);
void ride_batch_destroy(ride_batch *batch); /* NULL is fine */
/* Empties it: no rows, no string bytes. Values are left as they are. */
void ride_batch_clear(ride_batch *batch);

static inline uint32_t ride_batch_rows_count_max(const ride_batch *batch) {
    return batch->tiles_count_max * RIDE_TILE_ROWS;
}
static inline uint32_t ride_batch_tiles_count(const ride_batch *batch) {
    return (batch->rows_count + RIDE_TILE_ROWS - 1) / RIDE_TILE_ROWS;
}
static inline void *ride_batch_tile(const ride_batch *batch, uint32_t tile_index) {
    return batch->tiles + (size_t)tile_index * batch->layout->tile_bytes;
}
/* Sets rows_count and every tile header's rows_count and sequence_first. */
void ride_batch_set_rows(ride_batch *batch, uint32_t rows_count, uint64_t sequence_first);

#endif
