/* tests/support/record_backend.c: a plugin that calls itself cuda, lets the cpu backend do the work, and writes the rows that it is
 * given to the file that RIDE_RECORD names: rows as the engine hands them to a device, for tests and measurements that have no engine.
 *
 * The file: "RIDEROWS", u32 version (1), u32 rows, then tiles of the plan's input layout, all full but the last. What no row
 * says (padding, unused rows) is zero. One program, one queue. */
#include "base/assert.h"
#include "ride/backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_FILE_VERSION = 1 };

static ride_backend_ops ops;
static const ride_backend_ops *cpu;
static ride_tile_layout in;
static uint8_t *tiles;
static uint32_t rows_count;

static ride_status record_upload(ride_device *device, const ride_bundle *bundle, ride_program_dev **out,
                                 ride_error *err) {
    ride_plan_layout_in(bundle, &in);
    return cpu->program_upload(device, bundle, out, err);
}

static void row_keep(const uint8_t *tile, uint32_t row) {
    const uint32_t to = rows_count % RIDE_TILE_ROWS;
    if (to == 0) {
        tiles = realloc(tiles, (size_t)(rows_count / RIDE_TILE_ROWS + 1) * in.tile_bytes);
        RIDE_ASSERT(tiles != NULL);
        memset(tiles + (size_t)(rows_count / RIDE_TILE_ROWS) * in.tile_bytes, 0, in.tile_bytes);
    }
    uint8_t *kept = tiles + (size_t)(rows_count / RIDE_TILE_ROWS) * in.tile_bytes;
    const uint64_t sequence = ride_tile_head_const(tile)->sequence_first + row;
    if (to == 0) ride_tile_head(kept)->sequence_first = sequence;
    RIDE_ASSERT(ride_tile_head(kept)->sequence_first + to == sequence);
    ride_tile_head(kept)->rows_count = to + 1;
    for (uint32_t c = 0; c < in.columns_count; c++) {
        const uint32_t bytes = ride_type_bytes(in.columns[c].type);
        const uint8_t *bits = ride_tile_validity_const(&in, tile, c);
        if (!ride_valid(bits, row)) continue;
        if (bits != NULL) ride_bit_set(ride_tile_validity(&in, kept, c), to);
        memcpy((uint8_t *)ride_tile_values(&in, kept, c) + (size_t)to * bytes,
               (const uint8_t *)ride_tile_values_const(&in, tile, c) + (size_t)row * bytes, bytes);
    }
    rows_count++;
}

static ride_status record_submit(ride_queue *queue, const ride_program_dev *program, ride_state *state,
                                 const ride_work *work, ride_ticket *out) {
    for (uint32_t row = 0; row < work->rows_count && (work->stages & RIDE_STAGE_FEATURES) != 0; row++)
        row_keep(work->in_tiles + (size_t)(row / RIDE_TILE_ROWS) * in.tile_bytes, row % RIDE_TILE_ROWS);
    return cpu->submit(queue, program, state, work, out);
}

static void record_queue_destroy(ride_queue *queue) {
    const char *path = getenv("RIDE_RECORD");
    const uint32_t head[2] = {ROWS_FILE_VERSION, rows_count};
    const size_t bytes = (size_t)((rows_count + RIDE_TILE_ROWS - 1) / RIDE_TILE_ROWS) * in.tile_bytes;
    FILE *file = fopen(path != NULL ? path : "/dev/null", "wb");
    RIDE_ASSERT(file != NULL);
    int written = fwrite("RIDEROWS", 1, 8, file) == 8 && fwrite(head, sizeof head, 1, file) == 1 &&
                  fwrite(tiles, 1, bytes, file) == bytes;
    written = fclose(file) == 0 && written;
    RIDE_ASSERT(written);
    free(tiles);
    tiles = NULL;
    cpu->queue_destroy(queue);
}

__attribute__((visibility("default"))) const ride_backend_ops *
ride_backend_entry(uint32_t abi, const ride_backend_services *services, ride_error *err) {
    cpu = ride_backend_cpu(abi, services, err);
    if (cpu == NULL) return NULL;
    ops = *cpu;
    ops.name = "cuda";
    ops.program_upload = record_upload;
    ops.submit = record_submit;
    ops.queue_destroy = record_queue_destroy;
    return &ops;
}
