/* kernels/cpu/own.h: the rows of a batch that belong to a state of a part of the vnodes.
 *
 * A shard's rows of one entity are every so many of the batch, at random places. Worked where they are, each block of 64 would cost what 64
 * rows cost for the few that are ours. So they are listed, and gathered 64 at a time: what the entity needs of the
 * input is copied, side by side, into a tile of the state's own, the row loop works on that tile as on any other, and
 * its results are copied to the rows' cells. The tile holds as many blocks as are in the pipeline at once.
 *
 * Private to kernels/cpu; one thread at a time, as the state. */
#ifndef RIDE_KERNELS_CPU_OWN_H
#define RIDE_KERNELS_CPU_OWN_H
#include "kernels/cpu/rows.h"

enum {
    RIDE_CHUNK_TILES = 8, /* tiles that are listed at once, and whose conditions are kept */
    RIDE_CHUNK_ROWS = RIDE_CHUNK_TILES * RIDE_TILE_ROWS,
};

/* Bitmaps of the conditions of the tiles of a chunk: [tile % RIDE_CHUNK_TILES][condition]. */
typedef uint8_t (*ride_cpu_conditions)[RIDE_TILE_VALIDITY_BYTES];

/* A column that is gathered for an entity. */
typedef struct ride_cpu_own_column {
    uint32_t column, value_bytes;
} ride_cpu_own_column;

typedef struct ride_cpu_own_entity {
    ride_cpu_own_column *columns;
    uint32_t columns_count;
    uint32_t *conditions; /* that some lane asks for */
    uint32_t conditions_count;
} ride_cpu_own_entity;

typedef struct ride_cpu_own {
    uint32_t vnode_first, vnodes_count;
    const ride_tile_layout *in_layout, *out_layout;
    ride_cpu_own_entity *entities;
    uint32_t entities_count, conditions_all;
    uint8_t *in_tile, *out_tile;       /* gathered */
    ride_cpu_conditions conditions;    /* of the gathered rows */
    uint64_t sequence[RIDE_TILE_ROWS]; /* of the gathered rows */
    int64_t seen_gathered[RIDE_TILE_ROWS];
    uint32_t chunk_first;             /* row of the batch that the chunk begins with */
    int64_t seen_us[RIDE_CHUNK_ROWS]; /* of the chunk's rows: the greatest clock of all events so far */
    int64_t clock_us;                 /* of all events so far */
    uint32_t list[RIDE_CHUNK_ROWS];   /* rows of the batch */
} ride_cpu_own;

ride_status ride_cpu_own_create(const ride_bundle *bundle, const ride_state_options *options,
                                const ride_cpu_entity *entities, const ride_tile_layout *in_layout,
                                const ride_tile_layout *out_layout, ride_cpu_own **out, ride_error *err);
void ride_cpu_own_destroy(ride_cpu_own *own);
/* Clocks of rows [begin, end), at most a chunk: before the lists of its entities. */
void ride_cpu_own_chunk(ride_cpu_own *own, const ride_work *work, uint32_t begin, uint32_t end);
/* Lists the rows among them that are ours for the entity; returns how many. */
uint32_t ride_cpu_own_list(ride_cpu_own *own, const ride_cpu_entity *entity, const ride_work *work, uint32_t begin,
                           uint32_t end);
/* Gathers rows_count rows, to be block `number` of the pipeline. conditions: of the batch's tiles. */
void ride_cpu_own_gather(ride_cpu_own *own, uint32_t entity_index, const ride_work *work, const uint32_t *rows,
                         uint32_t rows_count, uint32_t number, ride_cpu_conditions conditions, ride_cpu_block *block);
/* Says of a block's rows what they cannot say themselves: their numbers and clocks. */
void ride_cpu_own_point(const ride_cpu_own *own, const ride_cpu_block *block, ride_cpu_rows *rows);
/* The block's aggregates, those with peers or those without, and approximate rows, to their cells. */
void ride_cpu_own_scatter(const ride_cpu_own *own, const ride_cpu_entity *entity, const ride_work *work,
                          const ride_cpu_block *block, const ride_cpu_rows *rows);

#endif
