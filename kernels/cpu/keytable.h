/* kernels/cpu/keytable.h: from a 128-bit key to the index of its record: open addressing, linear probing, 8-byte slots
 * {tag, index + 1}, at most half full. The table does not hold the keys: it compares tags, the caller compares the record's
 * key (that line is fetched anyway). Grows by doubling. Not thread safe. */
#ifndef RIDE_KERNELS_CPU_KEYTABLE_H
#define RIDE_KERNELS_CPU_KEYTABLE_H
#include "base/error.h"
#include "kernels/row/key.h"

typedef struct ride_keyslot {
    uint32_t tag;
    uint32_t index_plus_1; /* 0 = empty */
} ride_keyslot;

typedef struct ride_keytable {
    ride_keyslot *slots;
    uint32_t shift; /* slot of hash h = h >> shift */
    uint64_t mask;  /* slots - 1 */
    uint64_t used;
} ride_keytable;

ride_status ride_keytable_create(ride_keytable *table, uint64_t keys_expected, ride_error *err);
void ride_keytable_destroy(ride_keytable *table);

static inline uint32_t ride_keytable_tag(uint64_t hash) { return (uint32_t)hash; }
static inline void ride_keytable_prefetch(const ride_keytable *table, uint64_t hash) {
    __builtin_prefetch(&table->slots[hash >> table->shift]);
}
/* First index whose tag matches, from slot position *at on; UINT32_MAX at an empty slot. *at is left where it
 * stopped, so that the caller goes on behind a false match with ++*at. */
static inline uint32_t ride_keytable_probe(const ride_keytable *table, uint64_t hash, uint64_t *at) {
    for (uint32_t tag = ride_keytable_tag(hash);; (*at)++) {
        const ride_keyslot *slot = &table->slots[*at & table->mask];
        if (slot->index_plus_1 == 0) return UINT32_MAX;
        if (slot->tag == tag) return slot->index_plus_1 - 1;
    }
}
/* Puts a key that is not there. Slots move when it grows. RIDE_E_MEMORY when it cannot. */
ride_status ride_keytable_insert(ride_keytable *table, uint64_t hash, uint32_t index, const uint8_t *records,
                                 uint64_t record_bytes);
/* Takes out the slot that holds `index`; later slots of its run move up. records: for the hashes of those. */
void ride_keytable_remove(ride_keytable *table, uint64_t hash, uint32_t index, const uint8_t *records,
                          uint64_t record_bytes);
static inline uint64_t ride_keytable_bytes(const ride_keytable *table) {
    return (table->mask + 1) * sizeof(ride_keyslot);
}

#endif
