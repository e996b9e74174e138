/* kernels/cpu/keytable.h: from a 128-bit key to the index of its record: open addressing, linear probing, 8-byte slots
 * {tag, index + 1}, at most half full. The table does not hold the keys: it compares tags, the caller compares the record's
 * key (that line is fetched anyway). Grows by doubling. Not thread safe. */
#ifndef RIDE_KERNELS_CPU_KEYTABLE_H
#define RIDE_KERNELS_CPU_KEYTABLE_H
#include "base/error.h"
#include "kernels/row/key.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

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
/* The same from the hash's own slot on, for the four slots that nearly every key is in: one comparison and no branch that depends
 * on which. UINT32_MAX: not there, or the slots wrap around; ask ride_keytable_probe. */
static inline uint32_t ride_keytable_find_near(const ride_keytable *table, uint64_t hash) {
    uint64_t at = hash >> table->shift;
#if defined(__SSE2__)
    if (RIDE_UNLIKELY(at + 4 > table->mask + 1)) return UINT32_MAX;
    const ride_keyslot *slots = &table->slots[at];
    __m128 lo = _mm_loadu_ps((const float *)slots), hi = _mm_loadu_ps((const float *)(slots + 2));
    __m128i tags = _mm_castps_si128(_mm_shuffle_ps(lo, hi, _MM_SHUFFLE(2, 0, 2, 0)));
    uint32_t equal = (uint32_t)_mm_movemask_ps(
        _mm_castsi128_ps(_mm_cmpeq_epi32(tags, _mm_set1_epi32((int)ride_keytable_tag(hash)))));
    if (RIDE_UNLIKELY(equal == 0)) return UINT32_MAX;
    /* an empty slot's tag is 0, as a key's may be: then index_plus_1 is 0, and this UINT32_MAX. A match behind an empty slot is
     * another key's: as any match by tag, it is only a guess until the keys are compared */
    return slots[__builtin_ctz(equal)].index_plus_1 - 1;
#else
    const ride_keyslot *slot = &table->slots[at];
    return slot->index_plus_1 != 0 && slot->tag == ride_keytable_tag(hash) ? slot->index_plus_1 - 1 : UINT32_MAX;
#endif
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
