/* SHA-256: published vectors, what Python's hashlib says of other lengths, any division into pieces, and the processor's instructions against the
 * plain loop. */
#include "lib/sha256.c" /* both ways are static */

#include <criterion/criterion.h>

static void expect(const uint8_t digest[32], const char *want) {
    char text[65];
    cr_assert_str_eq(ride_hex(digest, 32, text), want);
}

Test(sha256, gives_the_published_vectors) { /* FIPS 180-2, appendix B */
    uint8_t digest[RIDE_SHA256_BYTES];
    ride_sha256("abc", 3, digest);
    expect(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    ride_sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, digest);
    expect(digest, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    ride_sha256_stream *stream = ride_sha256_create();
    for (int i = 0; i < 1000; i++) {
        char piece[1000];
        memset(piece, 'a', sizeof piece);
        ride_sha256_add(stream, piece, sizeof piece);
    }
    ride_sha256_finish(stream, digest);
    expect(digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* hashlib.sha256(bytes((7 * i + 3) & 255 for i in range(n))) */
Test(sha256, gives_what_hashlib_gives_in_any_pieces) {
    static const struct {
        size_t bytes;
        const char *digest;
    } known[] = {
        {0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {1, "084fed08b978af4d7d196a7446a86b58009e636b611db16211b65a9aadff29c5"},
        {55, "e7313d333c272e639f790978283f9eb392e843d0f29b7016828bb1daa4aac70b"},
        {56, "4324d65f3c103567f5589c710bc08f8523f929a9272e3af36fc968e52abc6c27"},
        {63, "81c80242132f230c3bd41b3e63bbcff16107339549214a99614ff26664625055"},
        {64, "39e3d7b6b5d075d37d053ad89b24b41bef4f3c29760c84447cab3f3be1882241"},
        {65, "aacca6ff74fdbb296d165a45cecfa04e5127bc008770fbbdd48006f2d2fae95e"},
        {119, "9ce7368e4daf32341631b492e80359dc9f594b48453cd0dd5bf0b19279cc177e"},
        {120, "7836b787757e95e58b3ca5aec90b1b004e8deba1e50e9675af9cabf1a13a04b5"},
        {127, "a8d23e75d936f303d248888d9b165ee543f4cbafcad3c9dd2a79bd84faa11d07"},
        {128, "d2742f1f4ac6bb7ca2b239ee18402ba8b3f9f8e652d2a72973c2b9ba11c08cf6"},
        {1000, "1e9bc38cbf860b9ec31918b065f9b52476c549a782e0e7990bed8ce3868d2371"},
        {65537, "ad8b370d36508e55e3c9cd44667a6e36e35955d0ff9f8fe59805bb18c2db5dd8"},
    };
    uint8_t *data = malloc(65537), digest[RIDE_SHA256_BYTES];
    for (size_t i = 0; i < 65537; i++) data[i] = (uint8_t)(7 * i + 3);
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        ride_sha256(data, known[k].bytes, digest);
        expect(digest, known[k].digest);
        for (size_t piece = 1; piece < 200; piece += 31) {
            ride_sha256_stream *stream = ride_sha256_create();
            for (size_t at = 0; at < known[k].bytes; at += piece)
                ride_sha256_add(stream, data + at, known[k].bytes - at < piece ? known[k].bytes - at : piece);
            ride_sha256_finish(stream, digest);
            expect(digest, known[k].digest);
        }
    }
    free(data);
}

#if defined(__x86_64__)
Test(sha256, the_instructions_give_what_the_plain_loop_gives) {
    uint8_t data[64 * 9];
    uint64_t state = 88172645463325252u;
    if (!has_sha()) cr_skip_test("this processor has no SHA instructions");
    for (int round = 0; round < 1000; round++) {
        uint32_t a[8], b[8];
        for (size_t i = 0; i < sizeof data; i++)
            data[i] = (uint8_t)(state ^= state << 13, state ^= state >> 7, state ^= state << 17);
        memcpy(a, data + 5, sizeof a);
        memcpy(b, a, sizeof b);
        blocks_portable(a, data, (size_t)round % 9 + 1);
        blocks_sha(b, data, (size_t)round % 9 + 1);
        cr_assert_arr_eq(a, b, sizeof a);
    }
}
#endif
