/* topo/region.c: see the header. Reserved pages are tried without NORESERVE: then the system promises them at once, and no page that
 * lacks kills the process when it is touched. */
#include "topo/region.h"
#include "base/huge.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static const uint64_t huge_page_bytes = UINT64_C(2) << 20;

#ifndef MAP_HUGE_2MB
#define MAP_HUGE_2MB (21 << 26)
#endif

static uint64_t rounded(uint64_t bytes) { return (bytes + huge_page_bytes - 1) / huge_page_bytes * huge_page_bytes; }

static void tell(ride_region *region, const char *why) {
    size_t used = strlen(region->why);
    snprintf(region->why + used, sizeof region->why - used, "%s%s", used > 0 ? "; " : "", why);
}

static bool take_reserved(const ride_topo *topo, uint32_t node, ride_region *out) {
    const ride_machine *m = topo != NULL ? ride_topo_machine(topo) : NULL;
    if (m != NULL && m->is_this && node < m->nodes_count && m->nodes[node].huge_free_bytes < rounded(out->bytes)) {
        char why[80];
        snprintf(why, sizeof why, "%" PRIu64 " MiB of huge pages are free on node %u",
                 m->nodes[node].huge_free_bytes >> 20, m->nodes[node].os);
        tell(out, why);
        return false; /* a mapping might succeed and then fail to find pages on the node */
    }
    void *base = mmap(NULL, rounded(out->bytes), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB, -1, 0);
    if (base == MAP_FAILED) {
        tell(out, "no reserved huge pages are free");
        return false;
    }
    out->base = base;
    out->pages = RIDE_PAGES_RESERVED;
    return true;
}

static ride_status take_plain(ride_region *out, ride_error *err) {
    out->base =
        mmap(NULL, rounded(out->bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (out->base != MAP_FAILED) return RIDE_OK;
    out->base = NULL;
    return ride_fail(err, RIDE_E_MEMORY, "cannot reserve %" PRIu64 " MiB: %s", rounded(out->bytes) >> 20,
                     strerror(errno));
}

ride_status ride_region_alloc(const ride_topo *topo, uint32_t node, uint64_t bytes, ride_pages wish, ride_region *out,
                              ride_error *err) {
    *out = (ride_region){.bytes = bytes, .pages = wish, .node = RIDE_NODE_NONE};
    if (bytes == 0) return RIDE_OK;
    if (bytes > UINT64_MAX / 4) return ride_fail(err, RIDE_E_MEMORY, "cannot reserve %" PRIu64 " MiB", bytes >> 20);
    bool never = topo != NULL && strcmp(ride_topo_machine(topo)->huge_mode, "never") == 0;
    if (wish == RIDE_PAGES_PLAIN) RIDE_TRY(take_plain(out, err));
    else if (wish != RIDE_PAGES_RESERVED || !take_reserved(topo, node, out)) {
        RIDE_TRY(ride_huge_alloc(bytes, &out->base, err));
        out->pages = never ? RIDE_PAGES_PLAIN : RIDE_PAGES_TRANSPARENT;
        if (never) tell(out, "transparent huge pages are switched off");
    }
    ride_error why = {.status = RIDE_OK};
    if (topo == NULL || node == RIDE_NODE_NONE) return RIDE_OK;
    if (ride_topo_bind_memory(topo, out->base, rounded(bytes), node, &why) == RIDE_OK) out->node = node;
    else tell(out, why.what);
    return RIDE_OK;
}

void ride_region_free(ride_region *region) {
    ride_huge_free(region->base, region->bytes); /* all kinds are mapped in whole huge pages */
    *region = (ride_region){.node = RIDE_NODE_NONE};
}

/* The head of a mapping, "7f…-7f… rw-p …": does it lie in the region? False for any other line, with *is_head saying which. */
static bool head_inside(const char *line, uint64_t base, uint64_t end, bool *is_head) {
    char *dash = NULL, *blank = NULL;
    uint64_t from = strtoull(line, &dash, 16), to = *dash == '-' ? strtoull(dash + 1, &blank, 16) : 0;
    *is_head = dash > line && blank != NULL && *blank == ' ';
    return *is_head && from < end && to > base;
}

/* "Rss:   1024 kB" in bytes; 0 when the line is another one. */
static uint64_t bytes_of(const char *line, const char *name) {
    size_t bytes = strlen(name);
    return strncmp(line, name, bytes) == 0 && line[bytes] == ':' ? strtoull(line + bytes + 1, NULL, 10) << 10 : 0;
}

bool ride_region_measure(const ride_region *region, uint64_t *resident_bytes, uint64_t *huge_bytes) {
    char line[512];
    uint64_t base = (uintptr_t)region->base, end = base + rounded(region->bytes);
    bool inside = false, found = false, is_head;
    *resident_bytes = *huge_bytes = 0;
    FILE *file = fopen("/proc/self/smaps", "re");
    if (file == NULL) return false;
    while (fgets(line, sizeof line, file) != NULL) { /* neighbours may have been joined to one mapping */
        bool head = head_inside(line, base, end, &is_head);
        if (is_head) inside = head;
        found = found || inside;
        if (is_head || !inside) continue;
        uint64_t reserved = bytes_of(line, "Private_Hugetlb"); /* not in Rss */
        *resident_bytes += bytes_of(line, "Rss") + reserved;
        *huge_bytes += bytes_of(line, "AnonHugePages") + reserved;
    }
    fclose(file);
    return found;
}

const char *ride_pages_text(ride_pages pages) {
    static const char *const texts[] = {"", "plain pages", "transparent huge pages", "reserved huge pages"};
    return texts[pages];
}
