/* features/keys.c: see the header. The common case (one integer field) is a loop of its own. */
#include "features/keys.h"

#include "base/assert.h"
#include "lib/hash.h"

#include <string.h>

void ride_key_plan_init(ride_key_plan *plan, const ride_spec *spec, const ride_bundle *bundle) {
    plan->spec = spec;
    plan->hashes_count = ride_spec_hash_columns(spec, bundle, plan->hashes);
}

bool ride_key_of_value(const ride_field *field, const ride_tile_layout *layout, const void *tile, uint32_t row,
                       const char *arena, ride_key128 *out) {
    const void *values = ride_tile_values_const(layout, tile, field->column);
    *out = (ride_key128){0, 0};
    if (!ride_valid(ride_tile_validity_const(layout, tile, field->column), row)) return false;
    switch (field->tile_type) {
    case RIDE_TYPE_BOOL: out->lo = ((const uint8_t *)values)[row]; break;
    case RIDE_TYPE_STRING: {
        ride_slice slice = ((const ride_slice *)values)[row];
        *out = ride_hash_bytes(arena + slice.offset, slice.bytes);
        break;
    }
    default:
        RIDE_ASSERT(ride_type_bytes(field->tile_type) == 8);
        memcpy(&out->lo, (const uint64_t *)values + row, sizeof out->lo);
        break;
    }
    return true;
}

static bool key_of_entity(const ride_source_spec *source, const ride_entity_spec *entity,
                          const ride_tile_layout *layout, const void *tile, uint32_t row, const char *arena,
                          ride_key128 *out) {
    ride_key128 parts[RIDE_KEYS_MAX];
    bool valid = true;
    for (uint32_t k = 0; k < entity->keys_count; k++)
        valid = ride_key_of_value(&source->fields[entity->keys[k]], layout, tile, row, arena, &parts[k]) && valid;
    *out = entity->keys_count == 1 ? parts[0] : ride_hash_bytes(parts, entity->keys_count * sizeof parts[0]);
    if (!valid) *out = (ride_key128){0, 0};
    return valid;
}

void ride_keys_fill(const ride_key_plan *plan, ride_batch *batch, uint32_t row_first, uint32_t rows_count) {
    const ride_source_spec *source = &plan->spec->sources[plan->spec->source_events];
    const ride_tile_layout *layout = batch->layout;
    for (uint32_t done = 0; done < rows_count;) {
        uint32_t row = (row_first + done) % RIDE_TILE_ROWS, n = RIDE_TILE_ROWS - row;
        uint8_t *tile = ride_batch_tile(batch, (row_first + done) / RIDE_TILE_ROWS);
        if (n > rows_count - done) n = rows_count - done;
        for (uint32_t e = 0; e < plan->spec->entities_count; e++) {
            const ride_entity_spec *entity = &plan->spec->entities[e];
            ride_key128 *keys = ride_tile_values(layout, tile, entity->key_column);
            uint8_t *validity = ride_tile_validity(layout, tile, entity->key_column);
            const ride_field *only = &source->fields[entity->keys[0]];
            if (entity->keys_count == 1 && ride_type_bytes(only->tile_type) == 8 &&
                only->tile_type != RIDE_TYPE_STRING && layout->columns[only->column].validity_offset == 0) {
                const uint64_t *values = ride_tile_values_const(layout, tile, only->column);
                for (uint32_t i = row; i < row + n; i++) keys[i] = (ride_key128){values[i], 0};
                if (validity != NULL)
                    for (uint32_t i = row; i < row + n; i++) ride_bit_set(validity, i);
                continue;
            }
            for (uint32_t i = row; i < row + n; i++) {
                bool valid = key_of_entity(source, entity, layout, tile, i, batch->arena, &keys[i]);
                if (validity != NULL) ride_bit_put(validity, i, valid);
                else RIDE_ASSERT(valid);
            }
        }
        for (uint32_t h = 0; h < plan->hashes_count; h++) {
            ride_key128 *keys = ride_tile_values(layout, tile, plan->hashes[h].column);
            uint8_t *validity = ride_tile_validity(layout, tile, plan->hashes[h].column);
            for (uint32_t i = row; i < row + n; i++) {
                bool valid =
                    ride_key_of_value(&source->fields[plan->hashes[h].field], layout, tile, i, batch->arena, &keys[i]);
                if (validity != NULL) ride_bit_put(validity, i, valid);
            }
        }
        done += n;
    }
}
