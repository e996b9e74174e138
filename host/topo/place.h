/* topo/place.h: which thread runs where. A pure function of a machine, the wish of the configuration and the devices: the same input
 * gives the same placement, so it is tested on machines that nobody here has.
 *
 * Shards come first: each gets a core of its own on the node of its device, or, without one, cores of one node as long as they
 * suffice (shards exchange rows), else of all nodes evenly. Ingest and emit threads (pipeline only) stand on the node of the shards that
 * they feed, one of each per eight shards. Everything else (Kafka's, HTTP's, the log's threads) takes the cores that are left.
 * When cores run out: the second hardware threads of cores, then sharing. A process with fewer than four cores, or more threads than
 * cores, does not bind to cores: the system's scheduler does better there; memory is bound to nodes in any case. */
#ifndef RIDE_TOPO_PLACE_H
#define RIDE_TOPO_PLACE_H
#include "topo/machine.h"

enum {
    RIDE_PLACE_SHARDS_MAX = 64,
    RIDE_PLACE_THREADS_MAX = 3 * RIDE_PLACE_SHARDS_MAX,
    RIDE_PLACE_SHARDS_PER_PAIR = 8, /* shards that one ingest and one emit thread serve; not measured yet */
    RIDE_PLACE_NOTES_MAX = 8,
    RIDE_PLACE_NOTE_BYTES = 160,
};
#define RIDE_DEVICE_NONE UINT32_MAX

typedef enum ride_place_mode { RIDE_PLACE_AUTO = 1, RIDE_PLACE_INLINE, RIDE_PLACE_PIPELINE } ride_place_mode;

typedef struct ride_place_wish {
    uint32_t shards; /* 0 … RIDE_PLACE_SHARDS_MAX; 0 = choose */
    ride_place_mode mode;
    const int32_t
        *device_nodes;      /* os number of the node near each device (ride_device_props.numa_node), -1 = not known */
    uint32_t devices_count; /* 0: the CPU computes */
} ride_place_wish;

typedef enum ride_place_role { RIDE_PLACE_SHARD = 1, RIDE_PLACE_INGEST, RIDE_PLACE_EMIT } ride_place_role;

typedef struct ride_place_thread {
    ride_place_role role;
    uint32_t index;  /* the shard; of ingest and emit threads: 0, 1, … of their role */
    uint32_t node;   /* index of the node that its memory comes from */
    uint32_t device; /* of a shard: index of its device, RIDE_DEVICE_NONE = the CPU */
    uint32_t core;   /* index of the core that was chosen for it */
    bool is_alone;   /* nobody else of ours is on that core */
    ride_cpus cpus;  /* what it is bound to, where the placement binds */
} ride_place_thread;

typedef struct ride_placement {
    ride_place_mode mode; /* never AUTO */
    bool binds;           /* threads are bound to their cpus; else the system places them */
    uint32_t shards_count, ingest_count, emit_count, threads_count;
    ride_place_thread threads[RIDE_PLACE_THREADS_MAX]; /* shards first, then ingest, then emit */
    ride_cpus rest;                                    /* for all other threads; never empty */
    uint64_t pool_nodes;                               /* bit n: node n (index) gets a pool */
    uint32_t pool_shards[RIDE_NODES_MAX];              /* shards whose rows lie in the pool of that node */
    char notes[RIDE_PLACE_NOTES_MAX]
              [RIDE_PLACE_NOTE_BYTES]; /* what an operator should know: "two shards share a core" */
    uint32_t notes_count;
} ride_placement;

void ride_topo_place(const ride_machine *machine, const ride_place_wish *wish, ride_placement *out);
const char *ride_place_role_name(ride_place_role role); /* "shard", "ingest", "emit" */
/* The ingest (or emit) thread that serves a shard, by the shards' nodes: an index of its role; 0 when there is none. */
uint32_t ride_place_server(const ride_placement *placement, ride_place_role role, uint32_t shard);

#endif
