/* serve/idempotency.c: see idempotency.h. Slots are chained by the hash of their key, and in a list by age: unused ones first, then
 * the kept from the oldest to the newest. Busy ones are in no list. */
#include "serve/idempotency.h"

#include "base/assert.h"
#include "lib/hash.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

typedef enum state { UNUSED, BUSY, KEPT } state;

typedef struct entry {
    char key[RIDE_IDEMPOTENCY_KEY_BYTES];
    uint8_t key_bytes;
    state state;
    uint32_t chain, older, newer;
    uint32_t bucket;
    ride_key128 digest;
    uint64_t kept_ns;
    ride_kept answer;
    char *block;
} entry;

struct ride_idempotency {
    entry *entries;
    uint32_t *buckets;
    uint32_t count, mask, oldest, newest;
    size_t answer_bytes_max;
    uint64_t keep_ns;
    ride_blocks *blocks;
};

static void unlist(ride_idempotency *t, uint32_t i) {
    entry *e = &t->entries[i];
    *(e->older != NONE ? &t->entries[e->older].newer : &t->oldest) = e->newer;
    *(e->newer != NONE ? &t->entries[e->newer].older : &t->newest) = e->older;
    e->older = e->newer = NONE;
}

static void list(ride_idempotency *t, uint32_t i, bool first) {
    entry *e = &t->entries[i];
    uint32_t *end = first ? &t->oldest : &t->newest;
    e->older = first ? NONE : t->newest;
    e->newer = first ? t->oldest : NONE;
    if (*end != NONE) *(first ? &t->entries[*end].older : &t->entries[*end].newer) = i;
    else *(first ? &t->newest : &t->oldest) = i;
    *end = i;
}

ride_status ride_idempotency_create(uint32_t entries_max, size_t bytes_max, uint64_t keep_ns, ride_idempotency **out,
                                    ride_error *err) {
    ride_idempotency *t = calloc(1, sizeof *t);
    uint32_t buckets = 1;
    while (buckets < entries_max) buckets *= 2;
    if (t != NULL) {
        t->entries = calloc(entries_max, sizeof *t->entries);
        t->buckets = malloc(buckets * sizeof *t->buckets);
    }
    if (t == NULL || t->entries == NULL || t->buckets == NULL ||
        ride_blocks_create(bytes_max, &t->blocks, err) != RIDE_OK) {
        ride_idempotency_destroy(t);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for %u kept answers", entries_max);
    }
    memset(t->buckets, 0xff, buckets * sizeof *t->buckets);
    t->count = entries_max;
    t->mask = buckets - 1;
    t->oldest = t->newest = NONE;
    t->keep_ns = keep_ns;
    t->answer_bytes_max = bytes_max / 8;
    for (uint32_t i = 0; i < entries_max; i++) list(t, i, false);
    *out = t;
    return RIDE_OK;
}

void ride_idempotency_destroy(ride_idempotency *t) {
    if (t == NULL) return;
    ride_blocks_destroy(t->blocks);
    free(t->entries);
    free(t->buckets);
    free(t);
}

/* Out of its chain and its block, not of a list. */
static void clear(ride_idempotency *t, uint32_t i) {
    entry *e = &t->entries[i];
    if (e->state == UNUSED) return;
    uint32_t *link = &t->buckets[e->bucket];
    while (*link != i) link = &t->entries[*link].chain;
    *link = e->chain;
    ride_blocks_give(t->blocks, e->block);
    e->block = NULL;
    e->state = UNUSED;
}

static void expire(ride_idempotency *t, uint32_t i) {
    unlist(t, i);
    clear(t, i);
    list(t, i, true);
}

static bool is_old(const ride_idempotency *t, const entry *e, uint64_t now_ns) {
    return e->state == KEPT && now_ns - e->kept_ns >= t->keep_ns;
}

ride_idempotency_result ride_idempotency_begin(ride_idempotency *t, const char *key, size_t key_bytes,
                                               ride_key128 digest, uint64_t now_ns, uint32_t *slot, ride_kept *kept) {
    RIDE_ASSERT(key_bytes >= 1 && key_bytes <= RIDE_IDEMPOTENCY_KEY_BYTES);
    uint32_t bucket = (uint32_t)ride_hash_bytes(key, key_bytes).lo & t->mask, i = t->buckets[bucket];
    while (i != NONE && (t->entries[i].key_bytes != key_bytes || memcmp(t->entries[i].key, key, key_bytes) != 0))
        i = t->entries[i].chain;
    if (i != NONE && !is_old(t, &t->entries[i], now_ns)) {
        entry *e = &t->entries[i];
        if (e->digest.lo != digest.lo || e->digest.hi != digest.hi) return RIDE_IDEMPOTENCY_OTHER;
        if (e->state == BUSY) return RIDE_IDEMPOTENCY_BUSY;
        *kept = e->answer;
        return RIDE_IDEMPOTENCY_KEPT;
    }
    if (i != NONE) expire(t, i);
    i = t->oldest; /* an unused one, while there are some */
    if (i == NONE) return RIDE_IDEMPOTENCY_NO_ROOM;
    unlist(t, i);
    clear(t, i);
    entry *e = &t->entries[i];
    memcpy(e->key, key, key_bytes);
    e->key_bytes = (uint8_t)key_bytes;
    e->digest = digest;
    e->state = BUSY;
    e->bucket = bucket;
    e->chain = t->buckets[bucket];
    t->buckets[bucket] = i;
    *slot = i;
    return RIDE_IDEMPOTENCY_NEW;
}

void ride_idempotency_forget(ride_idempotency *t, uint32_t i) {
    RIDE_ASSERT(i < t->count && t->entries[i].state == BUSY);
    clear(t, i);
    list(t, i, true);
}

/* The oldest answer that is kept goes; false: there is none. */
static bool make_room(ride_idempotency *t) {
    uint32_t i = t->oldest;
    while (i != NONE && t->entries[i].block == NULL) i = t->entries[i].newer;
    if (i == NONE) return false;
    expire(t, i);
    return true;
}

void ride_idempotency_store(ride_idempotency *t, uint32_t i, const ride_kept *answer, uint64_t now_ns) {
    RIDE_ASSERT(i < t->count && t->entries[i].state == BUSY);
    entry *e = &t->entries[i];
    char *block = NULL;
    if (answer->bytes <= t->answer_bytes_max)
        while ((block = ride_blocks_take(t->blocks, answer->bytes, NULL)) == NULL && make_room(t)) continue;
    if (block == NULL) {
        ride_idempotency_forget(t, i);
        return;
    }
    memcpy(block, answer->text, answer->bytes);
    e->block = block;
    e->answer = *answer;
    e->answer.text = block;
    e->kept_ns = now_ns;
    e->state = KEPT;
    list(t, i, false);
}
