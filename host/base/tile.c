/* base/tile.c: where the columns of a tile lie. */
#include "base/tile.h"

#include "base/assert.h"

static uint32_t align_up(uint32_t n) { return (n + RIDE_TILE_ALIGN - 1) / RIDE_TILE_ALIGN * RIDE_TILE_ALIGN; }

void ride_tile_layout_begin(ride_tile_layout *layout) {
    layout->columns_count = 0;
    layout->tile_bytes = RIDE_TILE_HEADER_BYTES;
}

uint32_t ride_tile_layout_add(ride_tile_layout *layout, ride_type type, int nullable) {
    RIDE_ASSERT(layout->columns_count < RIDE_TILE_COLUMNS_MAX);
    RIDE_ASSERT(ride_type_bytes(type) != 0);
    ride_tile_column *column = &layout->columns[layout->columns_count];
    column->type = type;
    column->values_offset = layout->tile_bytes;
    column->validity_offset = nullable ? 1 : 0; /* placed by finish */
    column->reserved = 0;
    layout->tile_bytes += align_up(ride_type_bytes(type) * RIDE_TILE_ROWS);
    return layout->columns_count++;
}

void ride_tile_layout_finish(ride_tile_layout *layout) {
    for (uint32_t i = 0; i < layout->columns_count; i++) {
        if (layout->columns[i].validity_offset == 0) continue;
        layout->columns[i].validity_offset = layout->tile_bytes;
        layout->tile_bytes += RIDE_TILE_VALIDITY_BYTES;
    }
    layout->tile_bytes = align_up(layout->tile_bytes);
}
