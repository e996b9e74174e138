/* base/batch.c: memory of a batch: allocated once, never grown. */
#include "base/batch.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

uint64_t ride_batch_tiles_bytes(const ride_tile_layout *layout, uint32_t rows_count_max) {
    return ((uint64_t)rows_count_max + RIDE_TILE_ROWS - 1) / RIDE_TILE_ROWS * layout->tile_bytes;
}

ride_status ride_batch_create_over(const ride_tile_layout *layout, uint32_t rows_count_max, void *tiles,
                                   uint32_t arena_bytes_max, ride_batch **out, ride_error *err) {
    ride_batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a batch of %u rows", rows_count_max);
    batch->layout = layout;
    batch->tiles_count_max = (rows_count_max + RIDE_TILE_ROWS - 1) / RIDE_TILE_ROWS;
    batch->arena_bytes_max = arena_bytes_max;
    batch->tiles = tiles;
    batch->arena = malloc(arena_bytes_max > 0 ? arena_bytes_max : 1);
    if (batch->arena == NULL) {
        free(batch);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for %u bytes of strings", arena_bytes_max);
    }
    memset(batch->tiles, 0, ride_batch_tiles_bytes(layout, rows_count_max));
    *out = batch;
    return RIDE_OK;
}

ride_status ride_batch_create(const ride_tile_layout *layout, uint32_t rows_count_max, uint32_t arena_bytes_max,
                              ride_batch **out, ride_error *err) {
    const uint64_t bytes = (ride_batch_tiles_bytes(layout, rows_count_max) + 4095) / 4096 * 4096;
    void *tiles = aligned_alloc(4096, bytes);
    if (tiles == NULL)
        return ride_fail(err, RIDE_E_MEMORY, "no memory for a batch of %u rows (%llu bytes)", rows_count_max,
                         (unsigned long long)bytes);
    const ride_status st = ride_batch_create_over(layout, rows_count_max, tiles, arena_bytes_max, out, err);
    if (st == RIDE_OK) (*out)->tiles_owned = tiles;
    else free(tiles);
    return st;
}

void ride_batch_destroy(ride_batch *batch) {
    if (batch == NULL) return;
    free(batch->tiles_owned);
    free(batch->arena);
    free(batch);
}

void ride_batch_clear(ride_batch *batch) {
    batch->rows_count = 0;
    batch->arena_bytes = 0;
}

void ride_batch_set_rows(ride_batch *batch, uint32_t rows_count, uint64_t sequence_first) {
    RIDE_ASSERT(rows_count <= ride_batch_rows_count_max(batch));
    batch->rows_count = rows_count;
    for (uint32_t tile = 0; tile < ride_batch_tiles_count(batch); tile++) {
        ride_tile_header *header = ride_tile_head(ride_batch_tile(batch, tile));
        uint32_t row = tile * RIDE_TILE_ROWS;
        header->sequence_first = sequence_first + row;
        header->rows_count = rows_count - row < RIDE_TILE_ROWS ? rows_count - row : RIDE_TILE_ROWS;
        header->flags = 0;
    }
}
