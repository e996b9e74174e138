/* kernels/layout/plan.c: the tile layouts of a plan. One place, so that every backend and the engine agree. */
#include "base/assert.h"
#include "ride/backend.h"

#include <string.h>

void ride_plan_layout_in(const ride_bundle *bundle, ride_tile_layout *out) {
    RIDE_ASSERT(bundle->plan != NULL);
    const ride_plan_column *columns = ride_bundle_array(bundle, RIDE_SECTION_COLUMNS, ride_plan_column);
    ride_tile_layout_begin(out);
    for (uint32_t i = 0; i < bundle->plan->columns_count; i++)
        ride_tile_layout_add(out, (ride_type)columns[i].type, columns[i].nullable != 0);
    ride_tile_layout_finish(out);
}

void ride_plan_layout_out(const ride_bundle *bundle, ride_tile_layout *out) {
    RIDE_ASSERT(bundle->plan != NULL);
    static const ride_type tail[RIDE_OUT_COUNT] = {
        [RIDE_OUT_MARGIN] = RIDE_TYPE_F64,
        [RIDE_OUT_PROBABILITY] = RIDE_TYPE_F64,
        [RIDE_OUT_RULE] = RIDE_TYPE_U32,
        [RIDE_OUT_FLAGS] = RIDE_TYPE_U32,
    };
    ride_tile_layout_begin(out);
    for (uint32_t i = 0; i < bundle->plan->features_count; i++) ride_tile_layout_add(out, RIDE_TYPE_F64, 0);
    for (uint32_t i = 0; i < RIDE_OUT_COUNT; i++) ride_tile_layout_add(out, tail[i], 0);
    ride_tile_layout_finish(out);
}

void ride_out_flags_clear(const ride_tile_layout *out_layout, uint8_t *out_tiles, uint32_t rows_count) {
    const uint32_t column = out_layout->columns_count - RIDE_OUT_COUNT + RIDE_OUT_FLAGS;
    for (uint32_t row = 0; row < rows_count; row += RIDE_TILE_ROWS) {
        uint8_t *tile = out_tiles + (size_t)(row / RIDE_TILE_ROWS) * out_layout->tile_bytes;
        memset(ride_tile_values(out_layout, tile, column), 0, RIDE_TILE_ROWS * sizeof(uint32_t));
    }
}
