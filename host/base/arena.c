/* base/arena.c: a list of blocks; the current one is bumped. Unused bytes are poisoned under ASan, so that writing past
 * what was given out is found at its line. */
#include "base/arena.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define POISON(at, bytes)   ASAN_POISON_MEMORY_REGION(at, bytes)
#define UNPOISON(at, bytes) ASAN_UNPOISON_MEMORY_REGION(at, bytes)
enum { GAP_BYTES = 8 }; /* between pieces, so that an overrun meets poison */
#else
#define POISON(at, bytes)   ((void)(at), (void)(bytes))
#define UNPOISON(at, bytes) ((void)(at), (void)(bytes))
enum { GAP_BYTES = 0 };
#endif

enum { ALIGN_MAX = 4096 };

typedef struct block {
    struct block *next;
    size_t bytes, used;
    uint8_t *memory;
    int is_adopted;
} block;

struct ride_arena {
    block *first, *current;
    size_t bytes_total, bytes_max;
    int sealed;
};

static block *block_create(size_t bytes) {
    block *fresh = malloc(sizeof *fresh);
    uint8_t *memory = malloc(bytes > 0 ? bytes : 1);
    if (fresh == NULL || memory == NULL) {
        free(fresh);
        free(memory);
        return NULL;
    }
    *fresh = (block){.bytes = bytes, .memory = memory};
    POISON(memory, bytes);
    return fresh;
}

ride_status ride_arena_create(size_t bytes_first, size_t bytes_max, ride_arena **out, ride_error *err) {
    ride_arena *arena = calloc(1, sizeof *arena);
    block *first = arena != NULL ? block_create(bytes_first) : NULL;
    if (first == NULL) {
        free(arena);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for an arena of %zu bytes", bytes_first);
    }
    *arena = (ride_arena){.first = first,
                          .current = first,
                          .bytes_total = bytes_first,
                          .bytes_max = bytes_max > 0 ? bytes_max : SIZE_MAX / 2};
    *out = arena;
    return RIDE_OK;
}

void ride_arena_destroy(ride_arena *arena) {
    if (arena == NULL) return;
    for (block *at = arena->first, *next; at != NULL; at = next) {
        next = at->next;
        UNPOISON(at->memory, at->bytes);
        free(at->memory);
        free(at);
    }
    free(arena);
}

static void *block_take(block *from, size_t bytes, size_t align) {
    uintptr_t base = (uintptr_t)from->memory;
    uintptr_t start = (base + from->used + align - 1) / align * align;
    size_t offset = start - base;
    if (offset > from->bytes || bytes > from->bytes - offset) return NULL;
    from->used = offset + bytes;
    if (from->bytes - from->used > GAP_BYTES) from->used += GAP_BYTES;
    UNPOISON((void *)start, bytes);
    return memset((void *)start, 0, bytes);
}

void *ride_arena_alloc(ride_arena *arena, size_t bytes, size_t align) {
    RIDE_ASSERT(align > 0 && (align & (align - 1)) == 0 && align <= ALIGN_MAX);
    void *piece = block_take(arena->current, bytes, align);
    while (piece == NULL && arena->current->next != NULL) { /* blocks kept by a reset */
        arena->current = arena->current->next;
        piece = block_take(arena->current, bytes, align);
    }
    if (piece != NULL || arena->sealed || bytes > SIZE_MAX / 4) return piece;
    size_t room = arena->bytes_max > arena->bytes_total ? arena->bytes_max - arena->bytes_total : 0;
    size_t wanted = bytes + align + GAP_BYTES, doubled = arena->bytes_total;
    size_t fresh_bytes = doubled > wanted ? doubled : wanted;
    if (fresh_bytes > room) fresh_bytes = room;
    if (fresh_bytes < bytes) return NULL;
    block *fresh = block_create(fresh_bytes);
    if (fresh == NULL) return NULL;
    arena->bytes_total += fresh_bytes;
    arena->current->next = fresh;
    arena->current = fresh;
    return block_take(fresh, bytes, align);
}

bool ride_arena_adopt(ride_arena *arena, void *memory, size_t bytes) {
    RIDE_ASSERT(memory != NULL);
    if (arena->sealed || bytes > arena->bytes_max || arena->bytes_total > arena->bytes_max - bytes) return false;
    block *adopted = malloc(sizeof *adopted);
    if (adopted == NULL) return false;
    *adopted = (block){.next = arena->first, .bytes = bytes, .used = bytes, .memory = memory, .is_adopted = 1};
    arena->first = adopted; /* before the current one: nothing is given out of it until a reset */
    arena->bytes_total += bytes;
    return true;
}

bool ride_arena_release(ride_arena *arena, const void *memory) {
    for (block **at = &arena->first; *at != arena->current; at = &(*at)->next) { /* adopted ones are before it */
        block *found = *at;
        if (!found->is_adopted || found->memory != memory) continue;
        *at = found->next;
        arena->bytes_total -= found->bytes;
        UNPOISON(found->memory, found->bytes);
        free(found->memory);
        free(found);
        return true;
    }
    return false;
}

char *ride_arena_text(ride_arena *arena, const char *text, size_t text_bytes) {
    char *copy = ride_arena_alloc(arena, text_bytes + 1, 1);
    if (copy != NULL && text_bytes > 0) memcpy(copy, text, text_bytes);
    return copy;
}

void ride_arena_seal(ride_arena *arena) { arena->sealed = 1; }

void ride_arena_reset(ride_arena *arena) {
    for (block *at = arena->first; at != NULL; at = at->next) {
        at->used = 0;
        POISON(at->memory, at->bytes);
    }
    arena->current = arena->first;
}

size_t ride_arena_used(const ride_arena *arena) {
    size_t used = 0;
    for (const block *at = arena->first; at != NULL; at = at->next) used += at->used;
    return used;
}
