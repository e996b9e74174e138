/* features/keys.h: fills the KEY128 columns of a batch: entity keys and the hashes of string fields.
 *
 * A key of one integer, decimal, timestamp or bool field is the value itself (hi = 0); a string is its 128-bit keyed hash
 * (lib/hash.h); several fields are the hash of their parts in order. A key with a null part is null. Immutable after
 * init, any thread; allocates nothing. */
#ifndef RIDE_FEATURES_KEYS_H
#define RIDE_FEATURES_KEYS_H
#include "base/batch.h"
#include "features/spec.h"

typedef struct ride_key_plan {
    const ride_spec *spec; /* borrowed */
    ride_hash_column hashes[RIDE_FIELDS_MAX];
    uint32_t hashes_count;
} ride_key_plan;

void ride_key_plan_init(ride_key_plan *plan, const ride_spec *spec, const ride_bundle *bundle);
/* Rows row_first … row_first + rows_count - 1 of the batch. */
void ride_keys_fill(const ride_key_plan *plan, ride_batch *batch, uint32_t row_first, uint32_t rows_count);
/* Identity of one value: field of the event source, or of a label source (its own layout). false = null. */
bool ride_key_of_value(const ride_field *field, const ride_tile_layout *layout, const void *tile, uint32_t row_in_tile,
                       const char *arena, ride_key128 *out);

#endif
