/* lib/hash.c: thin covers of EVP and XXH3. */
#include "lib/hash.h"

#include "base/assert.h"

#include <openssl/evp.h>
#include <string.h>
#include <xxhash.h>

/* The key of the keyed hash. Part of the saved state's format: changing it makes old snapshots unreadable. */
#define RIDE_HASH_SEED 0x7269646520763031ull /* "ride v01" */

void ride_sha256(const void *data, size_t bytes, uint8_t out[RIDE_SHA256_BYTES]) {
    RIDE_ASSERT(EVP_Digest(data, bytes, out, NULL, EVP_sha256(), NULL) == 1);
}

ride_sha256_stream *ride_sha256_create(void) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(context);
        context = NULL;
    }
    return (ride_sha256_stream *)context;
}

void ride_sha256_add(ride_sha256_stream *stream, const void *data, size_t bytes) {
    if (stream != NULL) RIDE_ASSERT(EVP_DigestUpdate((EVP_MD_CTX *)stream, data, bytes) == 1);
}

void ride_sha256_finish(ride_sha256_stream *stream, uint8_t out[RIDE_SHA256_BYTES]) {
    memset(out, 0, RIDE_SHA256_BYTES);
    if (stream == NULL) return;
    RIDE_ASSERT(EVP_DigestFinal_ex((EVP_MD_CTX *)stream, out, NULL) == 1);
    EVP_MD_CTX_free((EVP_MD_CTX *)stream);
}

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
