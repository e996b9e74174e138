/* kernels/cpu/score.h: the CPU's scorer: vector out of the tiles, the engine of a forest (forest.h) or an ensemble (ensemble.h) over a block of
 * rows, margin and probability into the output tiles. */
#ifndef RIDE_KERNELS_CPU_SCORE_H
#define RIDE_KERNELS_CPU_SCORE_H
#include "base/error.h"
#include "base/tile.h"
#include "kernels/cpu/ensemble.h"

typedef struct ride_cpu_scorer ride_cpu_scorer; /* immutable after create: any number of threads */

/* What scores: one plain forest by its engine, or an ensemble. */
typedef struct ride_cpu_model {
    ride_cpu_isa isa;
    ride_forest forest;          /* with engine */
    ride_cpu_forest *engine;     /* NULL: an ensemble */
    ride_cpu_ensemble *ensemble; /* NULL: one plain forest */
} ride_cpu_model;
static inline bool ride_cpu_model_is(const ride_cpu_model *model) {
    return model->engine != NULL || model->ensemble != NULL;
}
/* Opens the bundle's model, which is borrowed and must outlive *out; without one *out is nothing. */
ride_status ride_cpu_model_create(const ride_bundle *bundle, ride_cpu_isa isa, ride_cpu_model *out, ride_error *err);
void ride_cpu_model_destroy(ride_cpu_model *model);

/* For a bundle with a plan and a model of one output. in and out are the plan's tile layouts (ride_plan_layout_in, _out).
 * Bundle and model are borrowed and must outlive the scorer; the rest is copied from. The caller owns *scorer.
 * RIDE_E_MODEL / RIDE_E_UNSUPPORTED with what is wrong. */
ride_status ride_cpu_scorer_create(const ride_bundle *bundle, const ride_cpu_model *model, const ride_tile_layout *in,
                                   const ride_tile_layout *out, ride_cpu_scorer **scorer, ride_error *err);
void ride_cpu_scorer_destroy(ride_cpu_scorer *scorer); /* NULL is fine */

/* Bytes of scratch that one thread needs; 64-byte aligned memory of the caller. */
size_t ride_cpu_scorer_scratch_bytes(const ride_cpu_scorer *scorer);

/* Rows that one call takes at most: two tiles. */
enum { RIDE_CPU_SCORE_ROWS = 2 * RIDE_TILE_ROWS };

/* Scores rows 0 … rows_count-1 of one or two tiles that lie one after the other, each tile_bytes of its layout: fills the margin and
 * probability columns of the output tiles, whose feature columns are read where the vector names features. Every row is
 * scored, also those whose result nobody reads. Allocates nothing. */
void ride_cpu_score_tiles(const ride_cpu_scorer *scorer, void *scratch, const uint8_t *in_tiles, uint8_t *out_tiles,
                          uint32_t rows_count);

#endif
