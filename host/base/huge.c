/* base/huge.c: mmap with room to align, the ends given back. */
#include "base/huge.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

static const uint64_t huge_page_bytes = UINT64_C(2) << 20;

static uint64_t region_bytes(uint64_t bytes) {
    return (bytes + huge_page_bytes - 1) / huge_page_bytes * huge_page_bytes;
}

ride_status ride_huge_alloc(uint64_t bytes, void **out, ride_error *err) {
    *out = NULL;
    if (bytes == 0) return RIDE_OK;
    uint64_t wanted = region_bytes(bytes), mapped = wanted + huge_page_bytes;
    uint8_t *start = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED)
        return ride_fail(err, RIDE_E_MEMORY, "cannot reserve %llu MiB: %s", (unsigned long long)(wanted >> 20),
                         strerror(errno));
    uint64_t before = (huge_page_bytes - (uintptr_t)start % huge_page_bytes) % huge_page_bytes;
    if (before > 0) munmap(start, before);
    if (huge_page_bytes - before > 0) munmap(start + before + wanted, huge_page_bytes - before);
    madvise(start + before, wanted, MADV_HUGEPAGE); /* a wish: without it everything works, slower */
    *out = start + before;
    return RIDE_OK;
}

void ride_huge_free(void *region, uint64_t bytes) {
    if (region != NULL) munmap(region, region_bytes(bytes));
}
