/* support/alloc_watch_preload.c: counts who allocates in a program that this is preloaded into, mmap included: apart for librdkafka and
 * libmicrohttpd, which allocate as they like, and for all others, which are ours: the program, and what its libraries do for it.
 *
 * RIDE_ALLOC_WATCH=FILE: the counts, in memory that others may map while the program runs (alloc_watch below, little-endian). A site is the
 * first return address within the program, less its base: what addr2line takes. What the C library allocates is of whom it was called by. */
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *memory, size_t bytes);
extern void *__libc_memalign(size_t align, size_t bytes);

enum { SITES = 510, MODULES = 64, FRAMES = 24 };
typedef struct alloc_watch {
    _Atomic uint64_t ours, theirs; /* allocations */
    _Atomic uint64_t lost;         /* of ours, whose site there was no room for */
    uint64_t unused;
    struct {
        _Atomic uint64_t site, count; /* site 0: none yet; 1: not within the program */
    } sites[SITES];
} alloc_watch;

typedef enum kind { PROGRAM, CLIENT, LIBC, OTHER } kind;
static struct {
    uintptr_t begin, end, base;
    kind kind;
} modules[MODULES];
static uint32_t modules_count;
static alloc_watch *_Atomic watch;
static _Thread_local bool inside;

static int add_module(struct dl_phdr_info *info, size_t size, void *unused) {
    (void)size, (void)unused;
    if (modules_count == MODULES) return 0;
    const char *slash = strrchr(info->dlpi_name, '/'), *name = slash != NULL ? slash + 1 : info->dlpi_name;
    uintptr_t begin = UINTPTR_MAX, end = 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        const uintptr_t at = info->dlpi_addr + p->p_vaddr;
        if (p->p_type != PT_LOAD) continue;
        if (at < begin) begin = at;
        if (at + p->p_memsz > end) end = at + p->p_memsz;
    }
    const kind k =
        name[0] == '\0'                                                                   ? PROGRAM
        : strncmp(name, "librdkafka", 10) == 0 || strncmp(name, "libmicrohttpd", 13) == 0 ? CLIENT
        : strncmp(name, "libc.", 5) == 0 || strncmp(name, "libstdc++", 9) == 0 || strncmp(name, "alloc_watch", 11) == 0
            ? LIBC
            : OTHER;
    modules[modules_count].begin = begin;
    modules[modules_count].end = end;
    modules[modules_count].base = info->dlpi_addr;
    modules[modules_count++].kind = k;
    return 0;
}

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("RIDE_ALLOC_WATCH");
    void *frame[1];
    if (path == NULL) return;
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(alloc_watch)) != 0) abort();
    alloc_watch *made = mmap(NULL, sizeof *made, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (made == MAP_FAILED) abort();
    close(fd);
    dl_iterate_phdr(add_module, NULL);
    backtrace(frame, 1); /* its first call loads a library */
    atomic_store(&watch, made);
}

static uint32_t module_of(uintptr_t at) {
    for (uint32_t i = 0; i < modules_count; i++)
        if (at >= modules[i].begin && at < modules[i].end) return i;
    return MODULES;
}
static kind kind_of(uint32_t module) { return module < MODULES ? modules[module].kind : OTHER; }

static void count_site(alloc_watch *w, uint64_t site) {
    for (uint32_t i = 0; i < SITES; i++) {
        uint64_t known = atomic_load(&w->sites[i].site);
        if (known == 0 && atomic_compare_exchange_strong(&w->sites[i].site, &known, site)) known = site;
        if (known != site) continue;
        atomic_fetch_add(&w->sites[i].count, 1);
        return;
    }
    atomic_fetch_add(&w->lost, 1);
}

/* Who is behind the C library, or which part of the program is behind another library. */
static void look_back(alloc_watch *w) {
    void *frames[FRAMES];
    const int count = backtrace(frames, FRAMES);
    bool known = false;
    for (int i = 0; i < count; i++) {
        const uint32_t module = module_of((uintptr_t)frames[i]);
        const kind k = kind_of(module);
        if (k == CLIENT && !known) {
            atomic_fetch_add(&w->theirs, 1);
            return;
        }
        known = known || k != LIBC;
        if (k != PROGRAM) continue;
        atomic_fetch_add(&w->ours, 1);
        count_site(w, (uintptr_t)frames[i] - modules[module].base);
        return;
    }
    atomic_fetch_add(&w->ours, 1);
    count_site(w, 1);
}

static void note(void *caller) {
    alloc_watch *w = atomic_load_explicit(&watch, memory_order_acquire);
    if (w == NULL || inside) return;
    const uint32_t module = module_of((uintptr_t)caller);
    inside = true;
    if (kind_of(module) == CLIENT) atomic_fetch_add_explicit(&w->theirs, 1, memory_order_relaxed);
    else look_back(w);
    inside = false;
}

#define NOTE note(__builtin_extract_return_addr(__builtin_return_address(0)))
void *malloc(size_t bytes) {
    NOTE;
    return __libc_malloc(bytes);
}
void *calloc(size_t count, size_t bytes) {
    NOTE;
    return __libc_calloc(count, bytes);
}
void *realloc(void *memory, size_t bytes) {
    NOTE;
    return __libc_realloc(memory, bytes);
}
void *aligned_alloc(size_t align, size_t bytes) {
    NOTE;
    return __libc_memalign(align, bytes);
}
void *memalign(size_t align, size_t bytes) {
    NOTE;
    return __libc_memalign(align, bytes);
}
/* Of the C library's own allocator there is nothing here: it calls no function that could be replaced. */
void *mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset) {
    NOTE;
    return (void *)syscall(SYS_mmap, address, bytes, protection, flags, fd, offset);
}
int posix_memalign(void **out, size_t align, size_t bytes) {
    NOTE;
    void *memory = __libc_memalign(align, bytes);
    if (memory == NULL) return ENOMEM;
    *out = memory;
    return 0;
}
