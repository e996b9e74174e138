/* engine/reasons.h: reasons of decisions: the inputs that moved a row's answer most. Private to host/engine.
 *
 * When a row's score and rule are there, whoever computed it explains it, if the options want that: its vector becomes a row of a matrix, the
 * explainer says what each input adds to the margin (ride/backend.h: rows_explain), which is turned to what raises the answer (reasons_sense.h), and the greatest go into tiles of the engine's own beside the
 * batch's: for reason k the vector's entry (RIDE_REASON_NO_INPUT: there is none) and its share. A row's reasons do not depend on the rows beside
 * it, so they are the same bytes for any batch size and number of shards. Labels and repeated events have none.
 *
 * The run's backend explains, or, where it cannot, this process's cpu backend; its margins are the same. */
#ifndef RIDE_ENGINE_REASONS_H
#define RIDE_ENGINE_REASONS_H
#include "engine/pipeline.h"

#define RIDE_REASON_NO_INPUT UINT32_MAX

/* Makes what explains the model, which takes a while. Nothing, and p->reasons stays NULL, where the options want no reasons or there is
 * no model. RIDE_E_UNSUPPORTED and why when the model cannot be explained. */
ride_status reasons_open(pipeline *p, ride_error *err);
void reasons_close(pipeline *p);
/* Tiles of the batch that p holds: p->reason_tiles. */
ride_status reasons_batch_open(pipeline *p, ride_error *err);

const ride_tile_layout *reasons_layout(const pipeline *p); /* NULL: no reasons */
uint32_t reasons_top(const pipeline *p);
const char *const *reasons_texts(const pipeline *p); /* by the vector's entry; NULL: no texts were given */

/* Rows of a work that is done but for its reasons: whole tiles from to on. shard: whose room is used. Allocates nothing. */
ride_status reasons_make(const pipeline *p, uint32_t shard, const ride_work *work, uint8_t *to);
/* Reason k of a row of the batch: false: it has not so many. */
bool reasons_read(const pipeline *p, uint32_t row, uint32_t k, uint32_t *vector_index, double *share);
/* Is a row with this decision explained? */
bool reasons_wants(const pipeline *p, uint32_t decision);

#endif
