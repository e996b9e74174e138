/* lib/sha256.c: SHA-256 (FIPS 180-4), with the processor's own instructions where it has them. Written here, since a library of hashes is a
 * heavy thing to ask of a program that embeds us. */
#include "lib/hash.h"

#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

enum { BLOCK_BYTES = 64 };

struct ride_sha256_stream {
    uint32_t state[8];
    uint64_t bytes;             /* added so far */
    uint8_t block[BLOCK_BYTES]; /* of which bytes % 64 are there */
};

static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t turned(uint32_t x, int bits) { return x >> bits | x << (32 - bits); }
static uint32_t big_endian(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void blocks_portable(uint32_t state[8], const uint8_t *data, size_t blocks_count) {
    for (; blocks_count > 0; blocks_count--, data += BLOCK_BYTES) {
        uint32_t w[64], s[8];
        for (int i = 0; i < 16; i++) w[i] = big_endian(data + 4 * i);
        for (int i = 16; i < 64; i++) {
            const uint32_t a = w[i - 15], b = w[i - 2];
            w[i] = w[i - 16] + (turned(a, 7) ^ turned(a, 18) ^ a >> 3) + w[i - 7] +
                   (turned(b, 17) ^ turned(b, 19) ^ b >> 10);
        }
        memcpy(s, state, sizeof s);
        for (int i = 0; i < 64; i++) {
            const uint32_t e = s[4], a = s[0];
            const uint32_t t1 = s[7] + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + ((e & s[5]) ^ (~e & s[6])) +
                                round_constants[i] + w[i];
            const uint32_t t2 =
                (turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
            memmove(s + 1, s, 7 * sizeof *s);
            s[4] += t1;
            s[0] = t1 + t2;
        }
        for (int i = 0; i < 8; i++) state[i] += s[i];
    }
}

#if defined(__x86_64__)
/* The instructions hold the state as two registers, ABEF and CDGH; each does two rounds. */
__attribute__((target("sha,sse4.1"))) static void blocks_sha(uint32_t state[8], const uint8_t *data,
                                                             size_t blocks_count) {
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    const __m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xB1);
    const __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1B);
    __m128i abef = _mm_alignr_epi8(cdab, efgh, 8), cdgh = _mm_blend_epi16(efgh, cdab, 0xF0);
    for (; blocks_count > 0; blocks_count--, data += BLOCK_BYTES) {
        const __m128i abef_before = abef, cdgh_before = cdgh;
        __m128i w[4];
        for (int i = 0; i < 16; i++) { /* four rounds each */
            __m128i *now = &w[i % 4];
            if (i < 4) {
                *now = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(data + 16 * i)), swap);
            } else {
                const __m128i back_7 = _mm_alignr_epi8(w[(i + 3) % 4], w[(i + 2) % 4], 4);
                *now = _mm_add_epi32(_mm_sha256msg1_epu32(*now, w[(i + 1) % 4]), back_7);
                *now = _mm_sha256msg2_epu32(*now, w[(i + 3) % 4]);
            }
            const __m128i words = _mm_add_epi32(*now, _mm_loadu_si128((const __m128i *)(round_constants + 4 * i)));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, words);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(words, 0x0E));
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    const __m128i feba = _mm_shuffle_epi32(abef, 0x1B), dchg = _mm_shuffle_epi32(cdgh, 0xB1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xF0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

/* Bit 29 of register b of leaf 7, which the compiler's own question does not know. Asked once: a virtual machine answers slowly. */
static int has_sha(void) {
    static _Atomic int known; /* 0: not yet */
    uint32_t a = 0, b = 0, c = 0, d = 0;
    int is = known;
    if (is == 0)
        known = is =
            __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1) && __builtin_cpu_supports("sse4.1") ? 1 : -1;
    return is > 0;
}
#endif

static void blocks(uint32_t state[8], const uint8_t *data, size_t blocks_count) {
#if defined(__x86_64__)
    if (has_sha()) {
        blocks_sha(state, data, blocks_count);
        return;
    }
#endif
    blocks_portable(state, data, blocks_count);
}

static void begin(ride_sha256_stream *stream) {
    static const uint32_t first[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(stream->state, first, sizeof first);
    stream->bytes = 0;
}

static void add(ride_sha256_stream *stream, const uint8_t *data, size_t bytes) {
    const size_t have = stream->bytes % BLOCK_BYTES, room = BLOCK_BYTES - have;
    if (bytes == 0) return;
    stream->bytes += bytes;
    if (have > 0) {
        const size_t first = bytes < room ? bytes : room;
        memcpy(stream->block + have, data, first);
        if (first < room) return;
        blocks(stream->state, stream->block, 1);
        data += first;
        bytes -= first;
    }
    blocks(stream->state, data, bytes / BLOCK_BYTES);
    memcpy(stream->block, data + bytes / BLOCK_BYTES * BLOCK_BYTES, bytes % BLOCK_BYTES);
}

/* A one, zeros up to the last eight bytes of a block, and how many bits there were. */
static void finish(ride_sha256_stream *stream, uint8_t out[RIDE_SHA256_BYTES]) {
    const uint64_t bits = stream->bytes * 8;
    uint8_t tail[2 * BLOCK_BYTES] = {0x80};
    const size_t have = stream->bytes % BLOCK_BYTES, tail_bytes = have < 56 ? 64 - have : 128 - have;
    for (int i = 0; i < 8; i++) tail[tail_bytes - 1 - (size_t)i] = (uint8_t)(bits >> (8 * i));
    add(stream, tail, tail_bytes);
    for (int i = 0; i < RIDE_SHA256_BYTES; i++) out[i] = (uint8_t)(stream->state[i / 4] >> (24 - 8 * (i % 4)));
}

void ride_sha256(const void *data, size_t bytes, uint8_t out[RIDE_SHA256_BYTES]) {
    ride_sha256_stream stream;
    begin(&stream);
    add(&stream, data, bytes);
    finish(&stream, out);
}

ride_sha256_stream *ride_sha256_create(void) {
    ride_sha256_stream *stream = malloc(sizeof *stream);
    if (stream != NULL) begin(stream);
    return stream;
}

void ride_sha256_add(ride_sha256_stream *stream, const void *data, size_t bytes) {
    if (stream != NULL) add(stream, data, bytes);
}

void ride_sha256_finish(ride_sha256_stream *stream, uint8_t out[RIDE_SHA256_BYTES]) {
    memset(out, 0, RIDE_SHA256_BYTES);
    if (stream == NULL) return;
    finish(stream, out);
    free(stream);
}
