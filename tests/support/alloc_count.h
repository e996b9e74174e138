/* tests/support/alloc_count.h: counts what a program allocates between two marks, to prove that a path allocates nothing.
 *
 * Include it in exactly one source of a test program: it defines malloc and its family, new and delete included (they call
 * malloc), and mmap, for the whole program with all its libraries, and hands them on to the C library. All threads count.
 *
 *     alloc_count_begin();                 // after warm-up
 *     … the path …
 *     alloc_count c = alloc_count_end();
 *     assert(c.allocations == 0);
 *
 * To find who allocates: run with RIDE_ALLOC_TRAP=1 under a debugger, or look at the backtrace it prints; the first
 * allocation between the marks then aborts. Sanitizers have their own malloc: there ALLOC_COUNT_WORKS is 0, the counts stay
 * 0 and a test should skip itself (exit 77) with that reason. */
#ifndef RIDE_TESTS_ALLOC_COUNT_H
#define RIDE_TESTS_ALLOC_COUNT_H
#include <stdint.h>

typedef struct alloc_count {
    uint64_t allocations; /* malloc, calloc, realloc, aligned_alloc, posix_memalign, memalign */
    uint64_t frees;       /* free of something */
    uint64_t maps;        /* mmap by the program itself (the C library's own for large blocks are in allocations) */
    uint64_t bytes;       /* asked for by allocations and maps */
} alloc_count;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ALLOC_COUNT_WORKS 0
static inline void alloc_count_begin(void) {}
static inline alloc_count alloc_count_end(void) { return (alloc_count){0}; }
#else
#define ALLOC_COUNT_WORKS 1
#include <errno.h>
#include <execinfo.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* glibc's own names of the functions that are replaced below. */
extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *memory, size_t bytes);
extern void *__libc_memalign(size_t align, size_t bytes);
extern void __libc_free(void *memory);

static struct {
    _Atomic bool counting, trap;
    _Atomic uint64_t allocations, frees, maps, bytes;
} alloc_counter;

static inline void alloc_count_trap(void) {
    if (!atomic_exchange(&alloc_counter.trap, false)) return;
    void *frames[32];
    backtrace_symbols_fd(frames, backtrace(frames, 32), 2);
    abort();
}
static inline void alloc_count_add(_Atomic uint64_t *counter, size_t bytes) {
    if (!atomic_load_explicit(&alloc_counter.counting, memory_order_relaxed)) return;
    atomic_fetch_add(counter, 1);
    atomic_fetch_add(&alloc_counter.bytes, bytes);
    alloc_count_trap();
}

void *malloc(size_t bytes) {
    alloc_count_add(&alloc_counter.allocations, bytes);
    return __libc_malloc(bytes);
}
void *calloc(size_t count, size_t bytes) {
    alloc_count_add(&alloc_counter.allocations, count * bytes);
    return __libc_calloc(count, bytes);
}
void *realloc(void *memory, size_t bytes) {
    alloc_count_add(&alloc_counter.allocations, bytes);
    return __libc_realloc(memory, bytes);
}
void *aligned_alloc(size_t align, size_t bytes) {
    alloc_count_add(&alloc_counter.allocations, bytes);
    return __libc_memalign(align, bytes);
}
void *memalign(size_t align, size_t bytes) {
    alloc_count_add(&alloc_counter.allocations, bytes);
    return __libc_memalign(align, bytes);
}
int posix_memalign(void **out, size_t align, size_t bytes) {
    alloc_count_add(&alloc_counter.allocations, bytes);
    void *memory = __libc_memalign(align, bytes);
    if (memory == NULL) return ENOMEM;
    *out = memory;
    return 0;
}
void free(void *memory) {
    if (memory != NULL && atomic_load_explicit(&alloc_counter.counting, memory_order_relaxed))
        atomic_fetch_add(&alloc_counter.frees, 1);
    __libc_free(memory);
}
void *mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset) {
    alloc_count_add(&alloc_counter.maps, bytes);
    return (void *)syscall(SYS_mmap, address, bytes, protection, flags, fd, offset);
}

static inline void alloc_count_begin(void) {
    void *frame[1];
    backtrace(frame, 1); /* its first call loads a library */
    const char *wish = getenv("RIDE_ALLOC_TRAP");
    atomic_store(&alloc_counter.trap, wish != NULL && wish[0] == '1');
    atomic_store(&alloc_counter.allocations, 0);
    atomic_store(&alloc_counter.frees, 0);
    atomic_store(&alloc_counter.maps, 0);
    atomic_store(&alloc_counter.bytes, 0);
    atomic_store(&alloc_counter.counting, true);
}
static inline alloc_count alloc_count_end(void) {
    atomic_store(&alloc_counter.counting, false);
    return (alloc_count){atomic_load(&alloc_counter.allocations), atomic_load(&alloc_counter.frees),
                         atomic_load(&alloc_counter.maps), atomic_load(&alloc_counter.bytes)};
}
#endif

#endif
