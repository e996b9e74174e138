/* kernels/row/key.h: hashing of entity keys. A key is a 128-bit value: an integer itself (hi = 0), or a keyed hash of
 * strings and tuples. The vnode decides which shard or device owns it and never changes: it is part of saved states. */
#ifndef RIDE_KERNELS_ROW_KEY_H
#define RIDE_KERNELS_ROW_KEY_H
#include "base/hd.h"
#include "base/tile.h"

/* 64 well mixed bits; the multiplier is 2^64 / golden ratio (Knuth, TAOCP 6.4), the second round from MurmurHash3's finaliser. */
RIDE_HD static inline uint64_t ride_key_hash(ride_key128 key) {
    uint64_t h = (key.lo ^ (key.hi * 0xff51afd7ed558ccdull)) * 0x9e3779b97f4a7c15ull;
    return h ^ (h >> 32);
}

/* 0 … 1023. Independent of the bits that a hash table of the same keys uses first. */
RIDE_HD static inline uint32_t ride_key_vnode(ride_key128 key) {
    uint64_t h = ride_key_hash(key) * 0xc4ceb9fe1a85ec53ull;
    return (uint32_t)(h >> 54);
}

RIDE_HD static inline int ride_key_equal(ride_key128 a, ride_key128 b) { return a.lo == b.lo && a.hi == b.hi; }

#endif
