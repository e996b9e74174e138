/* serve/blocks.c: see blocks.h. Every block begins at a multiple of its size in the region, so its buddy is one bit away. A byte per
 * smallest block says what begins there: a free block of an order, a taken one, or nothing. Free blocks hold their list's links. */
#include "serve/blocks.h"

#include "base/assert.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define HIDE(at, bytes) ASAN_POISON_MEMORY_REGION((at), (bytes))
#define SHOW(at, bytes) ASAN_UNPOISON_MEMORY_REGION((at), (bytes))
#else
#define HIDE(at, bytes) ((void)0)
#define SHOW(at, bytes) ((void)0)
#endif

enum { ORDERS = 40, NOTHING = 0xff, FREE = 0x80 };

typedef struct node {
    struct node *next, *prev;
} node;

struct ride_blocks {
    pthread_mutex_t lock;
    char *region;
    uint8_t *begins; /* per smallest block: NOTHING, order, or FREE | order */
    size_t bytes, used;
    uint64_t orders_free; /* bit i: there is a free block of order i */
    node *free[ORDERS];
};

static size_t order_bytes(uint32_t order) { return (size_t)RIDE_BLOCK_BYTES_MIN << order; }

static void push(ride_blocks *b, char *at, uint32_t order) {
    node *n = (node *)(void *)at;
    SHOW(n, sizeof *n);
    *n = (node){.next = b->free[order]};
    if (n->next != NULL) n->next->prev = n;
    b->free[order] = n;
    b->orders_free |= UINT64_C(1) << order;
    b->begins[(size_t)(at - b->region) / RIDE_BLOCK_BYTES_MIN] = (uint8_t)(FREE | order);
    HIDE(at + sizeof *n, order_bytes(order) - sizeof *n);
}

static void drop(ride_blocks *b, node *n, uint32_t order) {
    if (n->next != NULL) n->next->prev = n->prev;
    if (n->prev != NULL) n->prev->next = n->next;
    else b->free[order] = n->next;
    if (b->free[order] == NULL) b->orders_free &= ~(UINT64_C(1) << order);
    b->begins[(size_t)((char *)n - b->region) / RIDE_BLOCK_BYTES_MIN] = NOTHING;
}

ride_status ride_blocks_create(size_t bytes_max, ride_blocks **out, ride_error *err) {
    size_t count = bytes_max / RIDE_BLOCK_BYTES_MIN;
    if (count == 0) count = 1;
    ride_blocks *b = calloc(1, sizeof *b);
    if (b != NULL) {
        b->bytes = count * RIDE_BLOCK_BYTES_MIN;
        b->begins = malloc(count);
        b->region = mmap(NULL, b->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    }
    if (b == NULL || b->begins == NULL || b->region == MAP_FAILED) {
        if (b != NULL) free(b->begins);
        free(b);
        return ride_fail(err, RIDE_E_MEMORY, "no memory for %zu bytes of requests", bytes_max);
    }
    memset(b->begins, NOTHING, count);
    pthread_mutex_init(&b->lock, NULL);
    size_t at = 0;
    for (int order = ORDERS - 1; order >= 0; order--) /* greatest first: each is then at a multiple of its size */
        if ((count >> order & 1) != 0) {
            push(b, b->region + at, (uint32_t)order);
            at += order_bytes((uint32_t)order);
        }
    *out = b;
    return RIDE_OK;
}

void ride_blocks_destroy(ride_blocks *b) {
    if (b == NULL) return;
    SHOW(b->region, b->bytes);
    munmap(b->region, b->bytes);
    pthread_mutex_destroy(&b->lock);
    free(b->begins);
    free(b);
}

static uint32_t order_of(size_t bytes) {
    uint32_t order = 0;
    while (order < ORDERS - 1 && order_bytes(order) < bytes) order++;
    return order;
}

static void *take(ride_blocks *b, uint32_t order) {
    uint64_t fit = b->orders_free & (~UINT64_C(0) << order);
    if (fit == 0) return NULL;
    uint32_t from = (uint32_t)__builtin_ctzll(fit);
    char *at = (char *)b->free[from];
    drop(b, b->free[from], from);
    while (from > order) { /* the upper halves stay free */
        from--;
        push(b, at + order_bytes(from), from);
    }
    SHOW(at, order_bytes(order));
    b->begins[(size_t)(at - b->region) / RIDE_BLOCK_BYTES_MIN] = (uint8_t)order;
    b->used += order_bytes(order);
    return at;
}

void *ride_blocks_take(ride_blocks *b, size_t bytes, size_t *room) {
    if (bytes > b->bytes) return NULL;
    uint32_t order = order_of(bytes);
    pthread_mutex_lock(&b->lock);
    void *block = take(b, order);
    pthread_mutex_unlock(&b->lock);
    if (room != NULL) *room = order_bytes(order);
    return block;
}

static void give(ride_blocks *b, char *at) {
    size_t index = (size_t)(at - b->region) / RIDE_BLOCK_BYTES_MIN, count = b->bytes / RIDE_BLOCK_BYTES_MIN;
    RIDE_ASSERT(at >= b->region && index < count && b->region + index * RIDE_BLOCK_BYTES_MIN == at);
    uint32_t order = b->begins[index];
    RIDE_ASSERT(order < ORDERS); /* else given back twice, or never given out */
    b->used -= order_bytes(order);
    b->begins[index] = NOTHING;
    for (;;) { /* with its buddy, if that is free as a whole, it is one block again */
        size_t buddy = index ^ ((size_t)1 << order);
        if (buddy >= count || b->begins[buddy] != (FREE | order)) break;
        drop(b, (node *)(void *)(b->region + buddy * RIDE_BLOCK_BYTES_MIN), order);
        if (buddy < index) index = buddy;
        order++;
    }
    push(b, b->region + index * RIDE_BLOCK_BYTES_MIN, order);
}

void ride_blocks_give(ride_blocks *b, void *block) {
    if (block == NULL) return;
    pthread_mutex_lock(&b->lock);
    give(b, block);
    pthread_mutex_unlock(&b->lock);
}

void *ride_blocks_grow(ride_blocks *b, void *block, size_t used, size_t bytes, size_t *room) {
    void *larger = ride_blocks_take(b, bytes, room);
    if (larger == NULL) return NULL;
    memcpy(larger, block, used);
    ride_blocks_give(b, block);
    return larger;
}

size_t ride_blocks_used(ride_blocks *b) {
    pthread_mutex_lock(&b->lock);
    size_t used = b->used;
    pthread_mutex_unlock(&b->lock);
    return used;
}

size_t ride_blocks_bytes(const ride_blocks *b) { return b->bytes; }
