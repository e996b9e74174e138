/* engine/placed.h: a configuration on this machine: how many shards, on which cpus, from which node its memory, and whether all of it fits.
 * `ride run` does what is decided here, `ride topology` shows it.
 *
 *     static ride_placed placed;                               // large; one per process
 *     RIDE_TRY(ride_placed_open(&placed, config, err));
 *     ride_placed_apply(&placed, &run);                        // shards, cpus, memory, the check of the budget
 *     … ride_run or ride_service_run_config …
 *     ride_placed_close(&placed);
 *
 * A service with cores enough, or with `runtime.mode: pipeline`, reads and sends on threads of their own (RIDE_PLACE_PIPELINE); in all
 * else the first shard's thread is the one that reads, writes and calls. */
#ifndef RIDE_ENGINE_PLACED_H
#define RIDE_ENGINE_PLACED_H
#include "config/budget.h"
#include "engine/engine.h"
#include "topo/place.h"
#include "topo/region.h"

enum { RIDE_PLACED_DEVICES_MAX = RIDE_PCI_DEVICES_MAX, RIDE_PLACED_REGIONS_MAX = 32 };

/* What the backend that will run has of devices; the CPU is no device here: its cores are placed themselves. */
typedef struct ride_placed_devices {
    int32_t nodes[RIDE_PLACED_DEVICES_MAX]; /* os number of the node near each, -1 = not known */
    uint32_t count;
    bool one_shard; /* its batches are worked as a whole */
    char backend[48];
} ride_placed_devices;

typedef struct ride_placed {
    const ride_config *config;
    ride_topo *topo; /* NULL: the machine is not known, nothing is bound */
    ride_placed_devices devices;
    ride_placement placement;
    int cpus[RIDE_SHARDS_MAX]; /* of each shard, -1 = not bound */
    int stage_cpus[2];         /* of who reads and who sends */
    ride_host_memory memory;
    ride_region regions[RIDE_PLACED_REGIONS_MAX]; /* what memory has given out */
    ride_budget budget;                           /* filled when the spec was compiled */
} ride_placed;

/* name, path: as backend.name and backend.path. Fails when that backend cannot run here. */
ride_status ride_placed_find_devices(const char *name, const char *path, ride_placed_devices *out, ride_error *err);
/* As runtime.mode says of a service; a run over files is INLINE. */
ride_place_mode ride_placed_mode(const ride_config *config);
/* Whether it would be PIPELINE on this machine, the CPU computing. */
bool ride_placed_is_pipelined(const ride_config *config);
/* shards 0: as many as the machine carries. At most one thread reads and one sends. */
void ride_placed_choose(const ride_machine *machine, uint32_t shards, ride_place_mode mode,
                        const ride_placed_devices *devices, ride_placement *out);

/* The cpu that each shard is bound to, -1 = to none. A run over files with one shard is placed by the system: it is not alone on
 * the machine for long. */
void ride_placed_cpus(const ride_placement *placement, bool is_service, int cpus[RIDE_SHARDS_MAX]);
/* The same of who reads and who sends. */
void ride_placed_stage_cpus(const ride_placement *placement, int cpus[2]);

/* Decides. The calling thread will be the first shard's; until its run binds it, it, and the threads that it makes, run on the cores
 * that are left to others. */
ride_status ride_placed_open(ride_placed *placed, const ride_config *config, ride_error *err);
/* Borrows placed until its close. */
void ride_placed_apply(ride_placed *placed, ride_run_options *run);
void ride_placed_close(ride_placed *placed);

#endif
