/* kernels/cpu/keytable.c. A record begins with its key: that is all this file knows of records. */
#include "kernels/cpu/keytable.h"

#include "base/assert.h"
#include "base/huge.h"

#include <string.h>

static ride_status alloc_slots(ride_keytable *table, uint32_t bits, ride_error *err) {
    table->shift = 64 - bits;
    table->mask = (UINT64_C(1) << bits) - 1;
    return ride_huge_alloc(ride_keytable_bytes(table), (void **)&table->slots, err);
}

ride_status ride_keytable_create(ride_keytable *table, uint64_t keys_expected, ride_error *err) {
    uint32_t bits = 6;
    while ((UINT64_C(1) << bits) < 2 * keys_expected && bits < 33) bits++;
    memset(table, 0, sizeof *table);
    return alloc_slots(table, bits, err);
}

void ride_keytable_destroy(ride_keytable *table) {
    ride_huge_free(table->slots, ride_keytable_bytes(table));
    table->slots = NULL;
}

static uint64_t record_hash(const uint8_t *records, uint64_t record_bytes, uint32_t index) {
    ride_key128 key;
    memcpy(&key, records + index * record_bytes, sizeof key);
    return ride_key_hash(key);
}

static void put(ride_keytable *table, uint64_t hash, uint32_t index) {
    uint64_t at = hash >> table->shift;
    while (table->slots[at & table->mask].index_plus_1 != 0) at++;
    table->slots[at & table->mask] = (ride_keyslot){ride_keytable_tag(hash), index + 1};
}

ride_status ride_keytable_insert(ride_keytable *table, uint64_t hash, uint32_t index, const uint8_t *records,
                                 uint64_t record_bytes) {
    if (2 * (table->used + 1) > table->mask + 1) {
        ride_keytable old = *table;
        ride_status st = alloc_slots(table, 64 - old.shift + 1, NULL);
        if (st != RIDE_OK) {
            *table = old;
            return st;
        }
        for (uint64_t i = 0; i <= old.mask; i++)
            if (old.slots[i].index_plus_1 != 0)
                put(table, record_hash(records, record_bytes, old.slots[i].index_plus_1 - 1),
                    old.slots[i].index_plus_1 - 1);
        ride_keytable_destroy(&old);
    }
    put(table, hash, index);
    table->used++;
    return RIDE_OK;
}

void ride_keytable_remove(ride_keytable *table, uint64_t hash, uint32_t index, const uint8_t *records,
                          uint64_t record_bytes) {
    uint64_t at = hash >> table->shift;
    while (table->slots[at & table->mask].index_plus_1 != index + 1) {
        RIDE_ASSERT(table->slots[at & table->mask].index_plus_1 != 0);
        at++;
    }
    uint64_t hole = at;
    for (uint64_t next = at + 1;; next++) { /* backward shift: a slot moves up when its home is not behind the hole */
        ride_keyslot slot = table->slots[next & table->mask];
        if (slot.index_plus_1 == 0) break;
        uint64_t home = record_hash(records, record_bytes, slot.index_plus_1 - 1) >> table->shift;
        uint64_t distance_home = (next - home) & table->mask, distance_hole = (next - hole) & table->mask;
        if (distance_home >= distance_hole) {
            table->slots[hole & table->mask] = slot;
            hole = next;
        }
    }
    table->slots[hole & table->mask] = (ride_keyslot){0, 0};
    table->used--;
}
