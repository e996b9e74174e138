/* bench/tool.h: what the programs here have in common. */
#ifndef RIDE_BENCH_TOOL_H
#define RIDE_BENCH_TOOL_H
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static inline void die(const char *what) {
    fprintf(stderr, "%s: %s\n", program_invocation_short_name, what);
    exit(1);
}

static inline void *need(void *memory) {
    if (memory == NULL) die("no memory");
    return memory;
}

/* xorshift: the same numbers in every run. */
static inline uint64_t draw(uint64_t *state) {
    *state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
    return *state;
}

#endif
