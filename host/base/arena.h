/* base/arena.h: memory that is given out piece by piece and given back all at once.
 *
 * An arena grows while something is loaded (a spec, a model, a config), never past bytes_max, and not at all after
 * ride_arena_seal: from then on it only gives out what is left. With bytes_first = bytes_max it never grows. Pieces
 * are zeroed and stay where they are until reset or destroy. One thread at a time. */
#ifndef RIDE_BASE_ARENA_H
#define RIDE_BASE_ARENA_H
#include "base/error.h"

#include <stdbool.h>

typedef struct ride_arena ride_arena;

/* bytes_first is allocated now; bytes_max bounds all blocks together (0 = the machine's memory). The caller owns *out. */
ride_status ride_arena_create(size_t bytes_first, size_t bytes_max, ride_arena **out, ride_error *err);
void ride_arena_destroy(ride_arena *arena); /* NULL is fine */

/* `bytes` zero bytes at a multiple of `align` (a power of two up to 4096), or NULL when there is no room. */
void *ride_arena_alloc(ride_arena *arena, size_t bytes, size_t align);
/* Memory of malloc becomes the arena's, as a block with nothing left in it: what grew by realloc need not be copied. False, and it is still
 * the caller's: the arena has no room for it. */
bool ride_arena_adopt(ride_arena *arena, void *memory, size_t bytes);
/* Frees adopted memory before the arena goes; false: it is none. */
bool ride_arena_release(ride_arena *arena, const void *memory);
/* A zero-terminated copy of text_bytes bytes of text, or NULL. */
char *ride_arena_text(ride_arena *arena, const char *text, size_t text_bytes);
/* No more growth from now on. */
void ride_arena_seal(ride_arena *arena);
/* Takes everything back; the blocks stay for what comes next. */
void ride_arena_reset(ride_arena *arena);
/* Bytes given out, padding included. */
size_t ride_arena_used(const ride_arena *arena);

#define ride_arena_new(arena, type, count)                                                                             \
    ((type *)ride_arena_alloc((arena), ride_arena_array_bytes((count), sizeof(type)), _Alignof(type)))
/* count * element_bytes, or SIZE_MAX (which no arena has) when that overflows. */
static inline size_t ride_arena_array_bytes(size_t count, size_t element_bytes) {
    size_t bytes;
    return __builtin_mul_overflow(count, element_bytes, &bytes) ? SIZE_MAX : bytes;
}

#endif
