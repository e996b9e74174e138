/* state/idmap.c: open addressing, linear probing, at most half full. Every new id looks at a few slots for what has expired, so
 * a stream in its steady state never grows the table: no allocation, no long pause, no second table beside the first. */
#include "state/idmap.h"

#include "base/assert.h"
#include "base/huge.h"

#include <stdlib.h>
#include <string.h>

typedef struct slot {
    ride_key128 id;
    int64_t time_us; /* INT64_MIN: empty (event times are within the years 1 … 9999) */
} slot;

enum { SWEEP_SLOTS = 8 }; /* per new id; a lap of an at most half full table takes an eighth of its slots in new ids */

struct ride_idmap {
    uint8_t *slots;
    uint32_t slot_bytes, payload_bytes;
    uint64_t mask, used, sweep_at;
    int64_t horizon_us, keep_us, clock_us; /* the greatest clock of all puts */
    int64_t hold_us;                       /* what is swept goes by no greater one; INT64_MAX: by clock_us */
};

static slot *slot_at(const ride_idmap *map, uint64_t i) {
    return (slot *)(map->slots + (i & map->mask) * map->slot_bytes);
}

static bool alloc_slots(ride_idmap *map, uint64_t slots) {
    map->mask = slots - 1;
    map->sweep_at = 0;
    if (ride_huge_alloc(slots * map->slot_bytes, (void **)&map->slots, NULL) != RIDE_OK) return false;
    for (uint64_t i = 0; i < slots; i++) slot_at(map, i)->time_us = INT64_MIN;
    map->used = 0;
    return true;
}

ride_status ride_idmap_create(uint32_t payload_bytes, int64_t horizon_us, int64_t keep_us, uint64_t ids_expected,
                              ride_idmap **out, ride_error *err) {
    RIDE_ASSERT(keep_us >= horizon_us);
    ride_idmap *map = calloc(1, sizeof *map);
    if (map == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a map of event ids");
    map->payload_bytes = payload_bytes;
    map->slot_bytes = (uint32_t)sizeof(slot) + payload_bytes;
    map->horizon_us = horizon_us;
    map->keep_us = keep_us;
    map->clock_us = INT64_MIN / 2;
    map->hold_us = INT64_MAX;
    uint64_t slots = 4096;
    while (slots < 2 * ids_expected) slots *= 2;
    if (!alloc_slots(map, slots)) {
        free(map);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for a map of %llu event ids", (unsigned long long)ids_expected);
    }
    *out = map;
    return RIDE_OK;
}

void ride_idmap_destroy(ride_idmap *map) {
    if (map == NULL) return;
    ride_huge_free(map->slots, (map->mask + 1) * map->slot_bytes);
    free(map);
}

static uint64_t home_of(const ride_idmap *map, ride_key128 id) {
    uint64_t h = (id.lo ^ id.hi * 0xff51afd7ed558ccdull) * 0x9e3779b97f4a7c15ull;
    return (h ^ h >> 29) & map->mask;
}

void ride_idmap_prefetch(const ride_idmap *map, ride_key128 id) {
    __builtin_prefetch(slot_at(map, home_of(map, id)), 1);
}

static slot *free_slot(const ride_idmap *map, ride_key128 id) {
    for (uint64_t i = home_of(map, id);; i++) {
        slot *s = slot_at(map, i);
        if (s->time_us == INT64_MIN) return s;
    }
}

/* a - b for a >= b, as far as an int64 goes. */
static int64_t apart(int64_t a, int64_t b) {
    uint64_t distance = (uint64_t)a - (uint64_t)b;
    return distance > INT64_MAX ? INT64_MAX : (int64_t)distance;
}

static bool expired(const ride_idmap *map, int64_t time_us, int64_t clock_us) {
    return clock_us > time_us && apart(clock_us, time_us) > map->keep_us;
}

/* Of the id's events that are within the horizon the nearest, of equally near ones the earlier; NULL: none. */
static slot *nearest_slot(const ride_idmap *map, ride_key128 id, int64_t time_us, int64_t clock_us) {
    slot *best = NULL;
    int64_t best_apart = map->horizon_us;
    for (uint64_t i = home_of(map, id);; i++) {
        slot *s = slot_at(map, i);
        if (s->time_us == INT64_MIN) return best;
        if (s->id.lo != id.lo || s->id.hi != id.hi || expired(map, s->time_us, clock_us)) continue;
        int64_t distance = time_us > s->time_us ? apart(time_us, s->time_us) : apart(s->time_us, time_us);
        if (distance > best_apart || (best != NULL && distance == best_apart && s->time_us > best->time_us)) continue;
        best = s;
        best_apart = distance;
    }
}

void *ride_idmap_find(ride_idmap *map, ride_key128 id, int64_t time_us, int64_t clock_us, int64_t *out_time_us) {
    slot *s = nearest_slot(map, id, time_us, clock_us);
    if (s == NULL) return NULL;
    if (out_time_us != NULL) *out_time_us = s->time_us;
    return s + 1;
}

/* Empties slot i and moves up what was put behind its home because of it. */
static void remove_slot(ride_idmap *map, uint64_t i) {
    for (uint64_t hole = i & map->mask, at = hole;;) {
        at = (at + 1) & map->mask;
        const slot *next = slot_at(map, at);
        if (next->time_us == INT64_MIN) {
            slot_at(map, hole)->time_us = INT64_MIN;
            map->used--;
            return;
        }
        uint64_t from_home = (at - home_of(map, next->id)) & map->mask;
        if (from_home < ((at - hole) & map->mask)) continue; /* its home lies behind the hole */
        memcpy(slot_at(map, hole), next, map->slot_bytes);
        hole = at;
    }
}

static int64_t swept_by(const ride_idmap *map) { return map->clock_us < map->hold_us ? map->clock_us : map->hold_us; }

static void sweep(ride_idmap *map) {
    const int64_t clock_us = swept_by(map);
    for (unsigned i = 0; i < SWEEP_SLOTS; i++) {
        const slot *s = slot_at(map, map->sweep_at);
        if (s->time_us != INT64_MIN && expired(map, s->time_us, clock_us)) remove_slot(map, map->sweep_at);
        else map->sweep_at = (map->sweep_at + 1) & map->mask; /* else what moved here is looked at next */
    }
}

static bool grow(ride_idmap *map, int64_t clock_us) {
    ride_idmap old = *map;
    uint64_t alive = 0, slots = 4096;
    for (uint64_t i = 0; i <= old.mask; i++)
        alive += slot_at(&old, i)->time_us != INT64_MIN && !expired(map, slot_at(&old, i)->time_us, clock_us);
    while (slots < 4 * (alive + 1)) slots *= 2;
    if (!alloc_slots(map, slots)) {
        *map = old;
        return false;
    }
    for (uint64_t i = 0; i <= old.mask; i++) {
        const slot *from = slot_at(&old, i);
        if (from->time_us == INT64_MIN || expired(map, from->time_us, clock_us)) continue;
        memcpy(free_slot(map, from->id), from, map->slot_bytes);
        map->used++;
    }
    ride_huge_free(old.slots, (old.mask + 1) * old.slot_bytes);
    return true;
}

void *ride_idmap_put(ride_idmap *map, ride_key128 id, int64_t time_us, int64_t clock_us) {
    if (clock_us > map->clock_us) map->clock_us = clock_us;
    if (map->hold_us != INT64_MAX && clock_us < map->hold_us) map->hold_us = clock_us;
    slot *s = nearest_slot(map, id, time_us, clock_us);
    if (s == NULL) {
        sweep(map);
        if (2 * (map->used + 1) > map->mask + 1 && !grow(map, swept_by(map))) return NULL;
        s = free_slot(map, id);
        map->used++;
    }
    s->id = id;
    s->time_us = time_us;
    memset(s + 1, 0, map->payload_bytes);
    return s + 1;
}

void ride_idmap_hold(ride_idmap *map, int64_t clock_us) { map->hold_us = clock_us; }

uint64_t ride_idmap_count(const ride_idmap *map) { return map->used; }
uint64_t ride_idmap_bytes(const ride_idmap *map) { return (map->mask + 1) * map->slot_bytes; }

static int slot_compare(const void *a_, const void *b_) {
    const slot *a = *(slot *const *)a_, *b = *(slot *const *)b_;
    if (a->id.hi != b->id.hi) return a->id.hi < b->id.hi ? -1 : 1;
    if (a->id.lo != b->id.lo) return a->id.lo < b->id.lo ? -1 : 1;
    return a->time_us < b->time_us ? -1 : a->time_us > b->time_us;
}

ride_status ride_idmap_each(const ride_idmap *map, int64_t clock_us,
                            ride_status (*each)(void *context, ride_key128 id, int64_t time_us, const void *payload),
                            void *context) {
    slot **order = malloc((map->used + 1) * sizeof *order);
    uint64_t count = 0;
    ride_status st = RIDE_OK;
    if (order == NULL) return RIDE_E_MEMORY;
    for (uint64_t i = 0; i <= map->mask; i++)
        if (slot_at(map, i)->time_us != INT64_MIN && !expired(map, slot_at(map, i)->time_us, clock_us))
            order[count++] = slot_at(map, i);
    qsort(order, count, sizeof(slot *), slot_compare);
    for (uint64_t i = 0; i < count && st == RIDE_OK; i++)
        st = each(context, order[i]->id, order[i]->time_us, order[i] + 1);
    free(order);
    return st;
}
