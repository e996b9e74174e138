/* tests/support/alloc_peak.h: how much memory a program holds at most between two marks, to prove that a cap holds.
 *
 * Include it in exactly one source of a test program. Without a sanitizer it defines malloc and its family for the whole program; AddressSanitizer's own
 * are watched by its hooks. Under ThreadSanitizer ALLOC_PEAK_WORKS is 0 and the peak stays 0. One thread. */
#ifndef RIDE_TESTS_ALLOC_PEAK_H
#define RIDE_TESTS_ALLOC_PEAK_H
#include <stdint.h>
#include <stdlib.h>

static int64_t alloc_peak_held, alloc_peak_most; /* bytes since the last mark; may be below 0 */

static inline void alloc_peak_add(size_t bytes) {
    alloc_peak_held += (int64_t)bytes;
    if (alloc_peak_held > alloc_peak_most) alloc_peak_most = alloc_peak_held;
}
static inline void alloc_peak_take(size_t bytes) { alloc_peak_held -= (int64_t)bytes; }

#if defined(__SANITIZE_ADDRESS__)
/* As sanitizer/allocator_interface.h has them, which not every compiler brings. */
extern int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                                     void (*on_free)(const volatile void *));
extern size_t __sanitizer_get_allocated_size(const volatile void *memory);
#define ALLOC_PEAK_WORKS 1
static inline void alloc_peak_on_malloc(const volatile void *memory, size_t bytes) {
    (void)memory;
    alloc_peak_add(bytes);
}
static inline void alloc_peak_on_free(const volatile void *memory) {
    if (memory != NULL) alloc_peak_take(__sanitizer_get_allocated_size(memory));
}
static inline void alloc_peak_install(void) {
    static int installed;
    if (!installed++) __sanitizer_install_malloc_and_free_hooks(alloc_peak_on_malloc, alloc_peak_on_free);
}
#elif defined(__SANITIZE_THREAD__)
#define ALLOC_PEAK_WORKS 0
static inline void alloc_peak_install(void) {}
#else
#include <errno.h>
#include <malloc.h>
#define ALLOC_PEAK_WORKS 1
extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *memory, size_t bytes);
extern void *__libc_memalign(size_t align, size_t bytes);
extern void __libc_free(void *memory);

static inline void *alloc_peak_seen(void *memory) {
    if (memory != NULL) alloc_peak_add(malloc_usable_size(memory));
    return memory;
}
void *malloc(size_t bytes) { return alloc_peak_seen(__libc_malloc(bytes)); }
void *calloc(size_t count, size_t bytes) { return alloc_peak_seen(__libc_calloc(count, bytes)); }
void *realloc(void *memory, size_t bytes) {
    const size_t before = memory != NULL ? malloc_usable_size(memory) : 0;
    void *after = __libc_realloc(memory, bytes);
    if (after == NULL && bytes > 0) return NULL; /* the old one is still there */
    alloc_peak_take(before);
    return alloc_peak_seen(after);
}
void *aligned_alloc(size_t align, size_t bytes) { return alloc_peak_seen(__libc_memalign(align, bytes)); }
void *memalign(size_t align, size_t bytes) { return alloc_peak_seen(__libc_memalign(align, bytes)); }
int posix_memalign(void **out, size_t align, size_t bytes) {
    void *memory = alloc_peak_seen(__libc_memalign(align, bytes));
    if (memory == NULL) return ENOMEM;
    *out = memory;
    return 0;
}
void free(void *memory) {
    if (memory != NULL) alloc_peak_take(malloc_usable_size(memory));
    __libc_free(memory);
}
static inline void alloc_peak_install(void) {}
#endif

static inline void alloc_peak_begin(void) {
    alloc_peak_install();
    alloc_peak_held = alloc_peak_most = 0;
}
/* Bytes more than at the mark, at most. */
static inline uint64_t alloc_peak_end(void) { return (uint64_t)alloc_peak_most; }

#endif
