/* topo/limits.h: what the system grants beyond the bare hardware: limits of the container (cgroup v1 and v2), the mode of transparent
 * huge pages, free huge pages. Read from files; what is not there is "no limit" or "not known". Any thread. */
#ifndef RIDE_TOPO_LIMITS_H
#define RIDE_TOPO_LIMITS_H
#include <stdint.h>

typedef struct ride_limits {
    uint64_t memory_bytes;    /* the least of the process's cgroup and those above it, 0 = none */
    uint32_t cpu_quota_milli; /* likewise, thousandths of a core, 0 = none */
    char huge_mode[16];
} ride_limits;

/* root: "" for this system; a folder with the same tree for tests. */
void ride_limits_read(const char *root, ride_limits *out);
/* Free huge pages of 2 MiB of a node, in bytes; 0 = none or not known. */
uint64_t ride_limits_huge_free(const char *root, uint32_t node_os);

#endif
