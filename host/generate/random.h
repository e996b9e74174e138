/* generate/random.h: chance without state and without floating point.
 *
 * Counter-based: a draw is a hash of what it is for (seed, cardholder, hour, n-th draw), so any hour of any cardholder
 * can be made on its own and nothing about ten million cardholders has to be kept. Everything is 64-bit integers:
 * libm's log, exp and pow differ in the last bit between C libraries and processors, and one such bit moves an amount by a
 * cent and with it every byte after it. Bell curves come from sums of 16-bit draws, exponentials from a table
 * that integer square roots fill. */
#ifndef RIDE_GENERATE_RANDOM_H
#define RIDE_GENERATE_RANDOM_H
#include <stdbool.h>
#include <stdint.h>

/* 64 bits in, 64 well mixed bits out (the finalizer of SplitMix64). A bijection. */
static inline uint64_t random_mix(uint64_t x) {
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}
/* One hash of three words. */
static inline uint64_t random_hash(uint64_t key, uint64_t a, uint64_t b) {
    return random_mix(random_mix(key + a * UINT64_C(0x9e3779b97f4a7c15)) + b * UINT64_C(0xd1b54a32d192ed03));
}
/* A sequence of draws from one hash. */
static inline uint64_t random_next(uint64_t *state) {
    *state += UINT64_C(0x9e3779b97f4a7c15);
    return random_mix(*state);
}
/* 0 … n-1, without a division; the bias is below n / 2^64. */
static inline uint64_t random_below(uint64_t r, uint64_t n) { return (uint64_t)(((unsigned __int128)r * n) >> 64); }
static inline bool random_ppm(uint64_t r, uint32_t ppm) { return random_below(r, 1000000) < ppm; }
/* Standard normal in 1/65536, from four 16-bit draws: within ±3.46, exact variance 1. */
static inline int64_t random_normal_q16(uint64_t r) {
    int64_t sum =
        (int64_t)(r & 0xffff) + (int64_t)(r >> 16 & 0xffff) + (int64_t)(r >> 32 & 0xffff) + (int64_t)(r >> 48);
    return (sum - 131070) * 113512 / 65536; /* 65536 / (65536 * sqrt(4 / 12)) = 113512 / 65536 */
}

typedef struct random_exp2 {
    uint64_t table_q32[257]; /* 2^(k/256), k = 0 … 256 */
} random_exp2;
void random_exp2_init(random_exp2 *table);
/* value * 2^(x / 65536) for x in ±20 * 65536 and value below 2^26; rounded down. */
static inline int64_t random_scale(const random_exp2 *table, int64_t value, int64_t x_q16) {
    if (x_q16 < -20 * 65536) x_q16 = -20 * 65536;
    if (x_q16 > 20 * 65536) x_q16 = 20 * 65536;
    uint64_t x = (uint64_t)(x_q16 + 32 * 65536); /* never negative, so shifts and masks mean what they say */
    uint64_t k = x >> 8 & 0xff, rest = x & 0xff, whole = x >> 16;
    uint64_t f = table->table_q32[k] + (((table->table_q32[k + 1] - table->table_q32[k]) * rest) >> 8);
    unsigned __int128 product = (unsigned __int128)(uint64_t)value * f;
    return (int64_t)(uint64_t)(product >> (64 - whole)); /* whole is 12 … 52 */
}

#endif
