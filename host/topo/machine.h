/* topo/machine.h: a machine as plain numbers: what placement decides by, what `ride topology` prints, what a test makes up. Filled by
 * topo.h from hwloc, or by hand. Immutable once filled; any thread.
 *
 * Two numberings: indices into the arrays below, and the system's own (os), which is what people know and what the kernel takes.
 * A core is counted when this process may use one of its hardware threads; a node is listed when it has memory that may be used, also
 * one without cores (memory of a device, CXL). */
#ifndef RIDE_TOPO_MACHINE_H
#define RIDE_TOPO_MACHINE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RIDE_CPUS_MAX = 4096, /* os numbers below this */
    RIDE_CORES_MAX = 2048,
    RIDE_NODES_MAX = 64,
    RIDE_PCI_DEVICES_MAX = 64,
    RIDE_CORE_CPUS_MAX = 8,
};
#define RIDE_NODE_NONE UINT32_MAX

/* A set of hardware threads by os number. */
typedef struct ride_cpus {
    uint64_t bits[RIDE_CPUS_MAX / 64];
} ride_cpus;

static inline void ride_cpus_add(ride_cpus *set, uint32_t cpu) { set->bits[cpu / 64] |= UINT64_C(1) << cpu % 64; }
static inline bool ride_cpus_has(const ride_cpus *set, uint32_t cpu) {
    return cpu < RIDE_CPUS_MAX && (set->bits[cpu / 64] >> cpu % 64 & 1) != 0;
}
uint32_t ride_cpus_count(const ride_cpus *set);
void ride_cpus_join(ride_cpus *set, const ride_cpus *other);
bool ride_cpus_same(const ride_cpus *one, const ride_cpus *two);
/* "0-3,8": cut with "…" at text_bytes_max. Returns text. */
char *ride_cpus_text(const ride_cpus *set, char *text, size_t text_bytes_max);

typedef struct ride_core {
    uint32_t node;    /* index, RIDE_NODE_NONE = none is its own */
    uint32_t package; /* index */
    uint32_t cache;   /* which last-level cache it shares */
    uint32_t speed;   /* rank of its kind: greater is faster (hybrid processors); 0 where all are alike */
    uint32_t cpus_count;
    uint32_t cpus[RIDE_CORE_CPUS_MAX]; /* os numbers of its usable hardware threads, ascending */
} ride_core;

typedef struct ride_node {
    uint32_t os;
    uint64_t memory_bytes;
    uint64_t huge_bytes, huge_free_bytes; /* reserved huge pages of 2 MiB; free: 0 where not known */
    uint32_t cores_count;                 /* usable */
    ride_cpus cpus;                       /* usable */
} ride_node;

typedef enum ride_pci_kind { RIDE_PCI_GPU = 1, RIDE_PCI_NETWORK } ride_pci_kind;
typedef struct ride_pci_device {
    ride_pci_kind kind;
    char bus[16];  /* "0000:3b:00.0" */
    char name[32]; /* of the system: "eth0"; "" = none */
    uint16_t vendor, device;
    uint32_t node; /* index, RIDE_NODE_NONE = near none more than others */
} ride_pci_device;

typedef struct ride_machine {
    bool is_this;     /* the machine that runs this process: threads and memory can be bound */
    char origin[256]; /* "this machine", "synthetic: …", a file */
    uint32_t packages_count;
    uint32_t cores_all, cpus_all; /* of the whole machine; what this process may use is below */
    uint32_t cores_count, cpus_count, nodes_count, devices_count;
    uint32_t devices_more; /* past RIDE_PCI_DEVICES_MAX */
    ride_core cores[RIDE_CORES_MAX];
    ride_node nodes[RIDE_NODES_MAX];
    ride_pci_device devices[RIDE_PCI_DEVICES_MAX];
    ride_cpus cpus;                                          /* usable */
    uint64_t memory_bytes;                                   /* of all nodes */
    uint64_t memory_limit_bytes;                             /* of the container, 0 = none */
    uint32_t cpu_quota_milli;                                /* of the container, thousandths of a core; 0 = none */
    uint64_t cache_l1_bytes, cache_l2_bytes, cache_l3_bytes; /* one of each; 0 = not known */
    uint32_t caches_count;                                   /* last-level ones */
    char huge_mode[16]; /* transparent huge pages: "always", "madvise", "never", "" = not known */
} ride_machine;

/* What may be used: the memory, or less where the container has a limit. */
uint64_t ride_machine_memory(const ride_machine *machine);
/* Cores that may be busy at once: the usable ones, or fewer where the container has a quota; at least 1. */
uint32_t ride_machine_cores(const ride_machine *machine);
/* The index of the node with this os number, or RIDE_NODE_NONE. */
uint32_t ride_machine_node(const ride_machine *machine, int64_t os);

#endif
