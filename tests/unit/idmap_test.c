/* What is remembered of an id is decided by event times alone: not by when the map grew and swept. */
#include "state/idmap.h"

#include <criterion/criterion.h>

enum { HORIZON = 100, KEEP = 130 };

static ride_key128 id_of(uint64_t n) { return (ride_key128){n, n * 7}; }

Test(idmap, an_id_is_found_within_the_horizon_on_either_side) {
    ride_idmap *map;
    int64_t at = 0;
    cr_assert_eq(ride_idmap_create(8, HORIZON, KEEP, 10, &map, NULL), RIDE_OK);
    uint64_t *payload = ride_idmap_put(map, id_of(1), 1000, 1000);
    *payload = 42;
    for (int side = -1; side <= 1; side += 2) {
        const uint64_t *found = ride_idmap_find(map, id_of(1), 1000 + side * HORIZON, 1100, &at);
        cr_assert(found != NULL && *found == 42 && at == 1000);
        cr_assert_null(ride_idmap_find(map, id_of(1), 1000 + side * (HORIZON + 1), 1101, NULL));
    }
    cr_assert_null(ride_idmap_find(map, id_of(2), 1000, 1000, NULL));
    cr_assert_not_null(ride_idmap_find(map, id_of(1), 1000, 1000 + KEEP, NULL));        /* a late repetition */
    cr_assert_null(ride_idmap_find(map, id_of(1), 1000, 1001 + KEEP, NULL));            /* too late: forgotten */
    cr_assert_null(ride_idmap_find(map, id_of(1), INT64_MIN + 2, INT64_MIN + 2, NULL)); /* nothing overflows */
    ride_idmap_destroy(map);
}

Test(idmap, growing_decides_nothing) {
    enum { IDS = 20000 };
    ride_idmap *small, *large; /* one grows many times, the other never */
    cr_assert_eq(ride_idmap_create(0, HORIZON, KEEP, 1, &small, NULL), RIDE_OK);
    cr_assert_eq(ride_idmap_create(0, HORIZON, KEEP, 4 * IDS, &large, NULL), RIDE_OK);
    uint32_t found = 0, forgotten = 0;
    for (uint64_t i = 0; i < IDS; i++) {
        const int64_t t = (int64_t)i / 40, clock = t;
        cr_assert_not_null(ride_idmap_put(small, id_of(i), t, clock));
        cr_assert_not_null(ride_idmap_put(large, id_of(i), t, clock));
        for (uint64_t back = 0; back < 40 * 200; back += 777) { /* repetitions, up to KEEP late */
            if (back > i) break;
            const int64_t again = (int64_t)((i - back) / 40) + (int64_t)(i % 3) * 50;
            const bool is_there = ride_idmap_find(large, id_of(i - back), again, clock, NULL) != NULL;
            cr_assert_eq(ride_idmap_find(small, id_of(i - back), again, clock, NULL) != NULL, is_there);
            found += is_there, forgotten += !is_there;
        }
    }
    cr_assert(found > 1000 && forgotten > 1000);
    cr_assert_lt(ride_idmap_count(small), ride_idmap_count(large));
    ride_idmap_destroy(small);
    ride_idmap_destroy(large);
}
