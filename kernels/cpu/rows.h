/* kernels/cpu/rows.h: the columns of a block of rows as an entity's row loop wants them: which rows have a key, what
 * each row adds to every cumulative word, its own values. Private to kernels/cpu. */
#ifndef RIDE_KERNELS_CPU_ROWS_H
#define RIDE_KERNELS_CPU_ROWS_H
#include "kernels/cpu/entity.h"

/* A block: up to 64 consecutive rows of one tile: of the batch, or of one that rows were gathered into (own.h). */
typedef struct ride_cpu_block {
    const uint8_t *in_tile;
    uint8_t *out_tile;
    uint32_t tile_index, row_first, rows_count;
    const uint32_t *gathered; /* which rows of the batch they are; NULL: those of the batch's tile tile_index */
} ride_cpu_block;

/* Allocates the arrays for an entity (for its widest form). */
ride_status ride_cpu_rows_create(ride_cpu_rows *rows, const ride_cpu_entity *entity, ride_error *err);
void ride_cpu_rows_destroy(ride_cpu_rows *rows);
/* Points the rows at a block: times, flags, keys and key bits. */
void ride_cpu_rows_point(ride_cpu_rows *rows, const ride_cpu_entity *entity, const ride_tile_layout *in_layout,
                         const ride_cpu_block *block);
/* Values and presence; conditions[i] is the tile's 32-byte bitmap of condition i. */
void ride_cpu_rows_fill(ride_cpu_rows *rows, const ride_cpu_entity *entity, const ride_tile_layout *in_layout,
                        const ride_cpu_block *block, uint8_t (*conditions)[RIDE_TILE_VALIDITY_BYTES]);
/* Values into the words of the wide form. */
void ride_cpu_rows_words_wide(ride_cpu_rows *rows, const ride_cpu_entity *entity);

#endif
