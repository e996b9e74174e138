/* base/log_repeats.c: a fixed table of windows, by hash of level and message, four slots for a hash: the one whose window began first gives way to
 * a new message. Every call either admits its line or counts
 * it as held, exactly once; how many lines a window lets through may be off by the threads that race at its edge. */
#include "base/log_repeats.h"

#include <stdatomic.h>

enum { SLOTS = 256, WAYS = 4 };

typedef struct slot {
    _Atomic uint64_t hash, began_ns;
    _Atomic uint32_t lines;
    _Atomic uint64_t held; /* and not told yet */
} slot;

static slot slots[SLOTS];
static _Atomic uint64_t untold; /* of messages that lost their slot */
static _Atomic uint64_t total;

static uint64_t hash_of(ride_log_level level, const char *message) { /* FNV-1a; never 0, which is an empty slot */
    uint64_t hash = 0xcbf29ce484222325 ^ (uint64_t)level;
    for (; *message != '\0'; message++) hash = (hash ^ (unsigned char)*message) * 0x100000001b3;
    hash = (hash ^ hash >> 32) * 0x9e3779b97f4a7c15; /* the high bits of short messages are alike */
    return hash | 1;
}

static slot *slot_of(uint64_t hash) {
    slot *set = &slots[(hash >> 32) % (SLOTS / WAYS) * WAYS], *oldest = set;
    for (int way = 0; way < WAYS; way++) {
        uint64_t met = atomic_load(&set[way].hash);
        if (met == hash || met == 0) return &set[way];
        if (atomic_load(&set[way].began_ns) < atomic_load(&oldest->began_ns)) oldest = &set[way];
    }
    return oldest;
}

bool ride_log_repeats_admit(ride_log_level level, const char *message, uint64_t now_ns, uint32_t lines_max,
                            uint64_t window_ns, uint64_t *held) {
    uint64_t hash = hash_of(level, message);
    slot *one = slot_of(hash);
    *held = 0;
    uint64_t met = atomic_load(&one->hash), began_ns = atomic_load(&one->began_ns);
    bool other = met != hash && atomic_compare_exchange_strong(&one->hash, &met, hash);
    bool over = met == hash && now_ns - began_ns >= window_ns && now_ns >= began_ns &&
                atomic_compare_exchange_strong(&one->began_ns, &began_ns, now_ns);
    if (other) {
        atomic_fetch_add(&untold, atomic_exchange(&one->held, 0));
        atomic_store(&one->began_ns, now_ns);
    }
    if (other || over) {
        atomic_store(&one->lines, 1);
        *held = atomic_exchange(&one->held, 0);
        return true;
    }
    if (atomic_fetch_add(&one->lines, 1) < lines_max) return true;
    atomic_fetch_add(&one->held, 1);
    atomic_fetch_add(&total, 1);
    return false;
}

uint64_t ride_log_repeats_take(void) {
    uint64_t taken = atomic_exchange(&untold, 0);
    for (int i = 0; i < SLOTS; i++) taken += atomic_exchange(&slots[i].held, 0);
    return taken;
}

uint64_t ride_log_repeats_total(void) { return atomic_load(&total); }
