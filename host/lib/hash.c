/* lib/hash.c: a thin cover of XXH3. */
#include "lib/hash.h"

#include <xxhash.h>

/* The key of the keyed hash. Part of the saved state's format: changing it makes old snapshots unreadable. */
#define RIDE_HASH_SEED 0x7269646520763031ull /* "ride v01" */

char *ride_hex(const uint8_t *data, size_t bytes, char *text) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes; i++) {
        text[2 * i] = digits[data[i] >> 4];
        text[2 * i + 1] = digits[data[i] & 15];
    }
    text[2 * bytes] = '\0';
    return text;
}

ride_key128 ride_hash_bytes(const void *data, size_t bytes) {
    XXH128_hash_t hash = XXH3_128bits_withSeed(data, bytes, RIDE_HASH_SEED);
    return (ride_key128){.lo = hash.low64, .hi = hash.high64};
}
