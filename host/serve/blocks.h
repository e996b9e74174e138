/* serve/blocks.h: the memory of requests: bodies, events and answers that are on their way. One region, its size declared at start, cut into
 * blocks of powers of two (a buddy system): contiguous, never fragmented for good, and what is not there is refused, so memory
 * has the bound that the config says. Pages that were never used cost nothing. Any thread. */
#ifndef RIDE_SERVE_BLOCKS_H
#define RIDE_SERVE_BLOCKS_H
#include "base/error.h"

enum { RIDE_BLOCK_BYTES_MIN = 1024 };

typedef struct ride_blocks ride_blocks;

/* bytes_max is rounded down to a multiple of the smallest block, at least one of it. */
ride_status ride_blocks_create(size_t bytes_max, ride_blocks **out, ride_error *err);
void ride_blocks_destroy(ride_blocks *blocks); /* NULL is fine; no block is used any more */

/* A block of at least `bytes`, not zeroed; *room (may be NULL) is what it really holds. NULL: no room now. */
void *ride_blocks_take(ride_blocks *blocks, size_t bytes, size_t *room);
/* A block of at least `bytes` that begins with the first `used` bytes of `block`, which is given back. NULL: no room, `block` stays. */
void *ride_blocks_grow(ride_blocks *blocks, void *block, size_t used, size_t bytes, size_t *room);
void ride_blocks_give(ride_blocks *blocks, void *block); /* NULL is fine */

size_t ride_blocks_used(ride_blocks *blocks); /* bytes that are given out now */
size_t ride_blocks_bytes(const ride_blocks *blocks);

#endif
