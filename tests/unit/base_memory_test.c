/* Arenas, huge regions, the checksum and clocks. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/crc32c.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

Test(arena, pieces_are_aligned_zeroed_and_apart) {
    ride_arena *arena = NULL;
    cr_assert_eq(ride_arena_create(100, 0, &arena, NULL), RIDE_OK);
    uint8_t *last = NULL;
    size_t last_bytes = 0;
    for (size_t i = 1; i < 2000; i++) {
        size_t align = (size_t)1 << i % 13, bytes = i % 97;
        uint8_t *piece = ride_arena_alloc(arena, bytes, align);
        cr_assert(piece != NULL && (uintptr_t)piece % align == 0);
        for (size_t j = 0; j < bytes; j++) cr_assert_eq(piece[j], 0);
        for (size_t j = 0; j < last_bytes; j++) cr_assert_eq(last[j], 0xab); /* untouched by this one */
        memset(piece, 0xab, bytes);
        last = piece, last_bytes = bytes;
    }
    ride_arena_destroy(arena);
    ride_arena_destroy(NULL);
}

Test(arena, a_fixed_arena_ends_where_it_was_told) {
    ride_arena *arena = NULL;
    cr_assert_eq(ride_arena_create(1000, 1000, &arena, NULL), RIDE_OK);
    cr_assert_not_null(ride_arena_alloc(arena, 600, 1));
    cr_assert_null(ride_arena_alloc(arena, 600, 1));
    cr_assert_not_null(ride_arena_alloc(arena, 300, 1));
    ride_arena_reset(arena);
    cr_assert_eq(ride_arena_used(arena), 0);
    cr_assert_not_null(ride_arena_alloc(arena, 1000, 1));
    ride_arena_destroy(arena);
}

Test(arena, growth_is_bounded_and_stops_when_sealed) {
    ride_arena *arena = NULL;
    cr_assert_eq(ride_arena_create(64, 10000, &arena, NULL), RIDE_OK);
    size_t got = 0;
    while (ride_arena_alloc(arena, 100, 1) != NULL) got += 100;
    cr_assert(got > 5000 && got <= 10000, "%zu", got);
    ride_arena_reset(arena); /* the blocks stay */
    size_t again = 0;
    while (ride_arena_alloc(arena, 100, 1) != NULL) again += 100;
    cr_assert_eq(again, got);
    ride_arena_destroy(arena);

    cr_assert_eq(ride_arena_create(64, 0, &arena, NULL), RIDE_OK);
    cr_assert_not_null(ride_arena_alloc(arena, 1000, 8));
    ride_arena_seal(arena);
    cr_assert_null(ride_arena_alloc(arena, 1 << 20, 8));
    ride_arena_destroy(arena);
}

Test(arena, adopted_memory_goes_with_it_or_before) {
    ride_arena *arena = NULL;
    ride_error err;
    cr_assert_eq(ride_arena_create(256, 4096, &arena, &err), RIDE_OK);
    void *kept = malloc(100), *released = malloc(200), *large = malloc(4000);
    cr_assert(kept != NULL && released != NULL && large != NULL);
    cr_assert(ride_arena_adopt(arena, kept, 100));
    cr_assert(ride_arena_adopt(arena, released, 200));
    cr_assert(!ride_arena_adopt(arena, large, 4000), "beyond its bytes_max");
    free(large);
    memset(kept, 1, 100);
    cr_assert(ride_arena_release(arena, released));
    cr_assert(!ride_arena_release(arena, arena));
    cr_assert_not_null(ride_arena_alloc(arena, 200, 8));
    cr_assert_not_null(ride_arena_alloc(arena, 3000, 8));
    cr_assert(!ride_arena_release(arena, ride_arena_alloc(arena, 8, 8)), "a piece is not adopted memory");
    cr_assert_eq(((char *)kept)[99], 1);
    ride_arena_destroy(arena);
}

Test(arena, sizes_that_overflow_are_refused) {
    ride_arena *arena = NULL;
    cr_assert_eq(ride_arena_create(64, 0, &arena, NULL), RIDE_OK);
    cr_assert_null(ride_arena_new(arena, uint64_t, SIZE_MAX / 4));
    cr_assert_null(ride_arena_alloc(arena, SIZE_MAX, 8));
    char *copy = ride_arena_text(arena, "card", 3);
    cr_assert_str_eq(copy, "car");
    ride_arena_destroy(arena);
}

Test(crc32c, gives_the_published_check_values) {
    /* RFC 3720, appendix B.4: 32 bytes of zeros, of ones, rising, falling; and the catalogue's check string. */
    uint8_t bytes[32];
    cr_assert_eq(ride_crc32c(0, "123456789", 9), 0xe3069283u);
    cr_assert_eq(ride_crc32c(0, memset(bytes, 0, 32), 32), 0x8a9136aau);
    cr_assert_eq(ride_crc32c(0, memset(bytes, 0xff, 32), 32), 0x62a8ab43u);
    for (int i = 0; i < 32; i++) bytes[i] = (uint8_t)i;
    cr_assert_eq(ride_crc32c(0, bytes, 32), 0x46dd794eu);
    for (int i = 0; i < 32; i++) bytes[i] = (uint8_t)(31 - i);
    cr_assert_eq(ride_crc32c(0, bytes, 32), 0x113fdb5cu);
}

Test(crc32c, instruction_and_table_agree_on_any_cut) {
    uint8_t bytes[257];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 37 + i / 7);
    for (size_t length = 0; length <= sizeof bytes; length++)
        cr_assert_eq(ride_crc32c(0, bytes, length), ride_crc32c_table(0, bytes, length));
    uint32_t whole = ride_crc32c(0, bytes, sizeof bytes);
    for (size_t cut = 0; cut <= sizeof bytes; cut++)
        cr_assert_eq(ride_crc32c(ride_crc32c(0, bytes, cut), bytes + cut, sizeof bytes - cut), whole);
}

Test(clock, virtual_time_moves_only_when_told) {
    ride_clock_virtual v;
    ride_clock_virtual_init(&v, 1700000000000000);
    cr_assert_eq(ride_clock_now_ns(&v.clock), 0);
    cr_assert_eq(ride_clock_wall_us(&v.clock), 1700000000000000);
    ride_clock_virtual_advance(&v, 5000);
    ride_clock_sleep_until_ns(&v.clock, 3000); /* has passed */
    cr_assert_eq(ride_clock_now_ns(&v.clock), 5000);
    ride_clock_sleep_until_ns(&v.clock, 3600000000000); /* an hour, at once */
    cr_assert_eq(ride_clock_now_ns(&v.clock), 3600000000000);
    cr_assert_eq(ride_clock_wall_us(&v.clock), 1700003600000000);
}

Test(clock, real_time_sleeps_at_least_until_the_deadline) {
    const ride_clock *real = ride_clock_real();
    uint64_t deadline = ride_clock_now_ns(real) + 2000000;
    ride_clock_sleep_until_ns(real, deadline);
    uint64_t after = ride_clock_now_ns(real);
    cr_assert_geq(after, deadline);
    ride_clock_sleep_until_ns(real, 1); /* long ago: at once */
    cr_assert(ride_clock_wall_us(real) > 1700000000000000);
}
