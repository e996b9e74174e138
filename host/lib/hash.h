/* lib/hash.h: the two hashes: SHA-256 (sha256.c), and XXH3, whose one home is hash.c.
 *
 * SHA-256 names things for people and other machines (spec, model, files). The 128-bit keyed hash (XXH3) is the identity of
 * string keys and strings inside the engine: the same on every machine and in every run, because saved state holds it.
 * It is no defence against somebody who searches for collisions knowing the secret, which is in this source.
 * All functions: any thread. */
#ifndef RIDE_LIB_HASH_H
#define RIDE_LIB_HASH_H
#include "base/tile.h"

enum { RIDE_SHA256_BYTES = 32 };

/* Of one piece of memory. */
void ride_sha256(const void *data, size_t bytes, uint8_t out[RIDE_SHA256_BYTES]);

/* In pieces. create returns NULL when memory is out; finish fills out, frees the hash and accepts NULL (zeros then). */
typedef struct ride_sha256_stream ride_sha256_stream;
ride_sha256_stream *ride_sha256_create(void);
void ride_sha256_add(ride_sha256_stream *stream, const void *data, size_t bytes);
void ride_sha256_finish(ride_sha256_stream *stream, uint8_t out[RIDE_SHA256_BYTES]);
/* Lower-case hexadecimal with a terminating zero: text has 2 * bytes + 1 bytes. Returns text. */
char *ride_hex(const uint8_t *data, size_t bytes, char *text);

/* The 128-bit identity of a byte string. */
ride_key128 ride_hash_bytes(const void *data, size_t bytes);

#endif
