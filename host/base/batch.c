/* base/batch.c: memory of a batch: allocated once, never grown. */
#include "base/batch.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

ride_status ride_batch_create(const ride_tile_layout *layout, uint32_t rows_count_max, uint32_t arena_bytes_max,
                              ride_batch **out, ride_error *err) {
    ride_batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a batch of %u rows", rows_count_max);
    batch->layout = layout;
    batch->tiles_count_max = (rows_count_max + RIDE_TILE_ROWS - 1) / RIDE_TILE_ROWS;
    batch->arena_bytes_max = arena_bytes_max;
    size_t bytes = ((size_t)batch->tiles_count_max * layout->tile_bytes + 4095) / 4096 * 4096;
    batch->tiles = aligned_alloc(4096, bytes);
    batch->arena = malloc(arena_bytes_max > 0 ? arena_bytes_max : 1);
    if (batch->tiles == NULL || batch->arena == NULL) {
        ride_batch_destroy(batch);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for a batch of %u rows (%zu bytes)", rows_count_max,
                         bytes + arena_bytes_max);
    }
    memset(batch->tiles, 0, bytes);
    *out = batch;
    return RIDE_OK;
}

void ride_batch_destroy(ride_batch *batch) {
    if (batch == NULL) return;
    free(batch->tiles);
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
