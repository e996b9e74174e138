/* state/snapshot_internal.h: the file format and the folder, for snapshot.c and snapshot_read.c. */
#ifndef RIDE_STATE_SNAPSHOT_INTERNAL_H
#define RIDE_STATE_SNAPSHOT_INTERNAL_H
#include "lib/hash.h"
#include "state/snapshot.h"

enum {
    SNAPSHOT_VERSION = 1,
    SNAPSHOT_BLOCK_BYTES = 1 << 20,
    SNAPSHOT_NAME_BYTES = 48,
    SNAPSHOT_GENERATIONS_MAX = 64, /* looked at in a folder; two are kept */
    SNAPSHOT_GENERATIONS_KEPT = 2,
};
#define SNAPSHOT_HALF ".tmp" /* while it is being written */

typedef struct snapshot_head {
    char magic[8];
    uint32_t version, reserved;
    uint64_t generation;
} snapshot_head;
RIDE_STATIC_ASSERT(sizeof(snapshot_head) == 24, "as written in the file");

static const char snapshot_magic[8] = {'R', 'I', 'D', 'E', 'S', 'N', 'A', 'P'};

struct ride_snapshot_dir {
    char *path;
    int fd;
};

void snapshot_name(uint64_t generation, const char *suffix, char *name); /* SNAPSHOT_NAME_BYTES */
/* Generations in the folder, newest first; how many. remove_halves: what a crash left is removed. */
uint32_t snapshot_generations(ride_snapshot_dir *dir, uint64_t *out, bool remove_halves);

#endif
