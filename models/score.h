/* models/score.h: rows scored one by one by the obvious loops of kernels/row: what tests compare the engines with. Nothing else uses it;
 * models are scored by a backend (ride/backend.h). */
#ifndef RIDE_MODELS_SCORE_H
#define RIDE_MODELS_SCORE_H
#include "models/ensemble.h"

typedef struct ride_model_scorer ride_model_scorer; /* one thread at a time: it holds a row */

/* Compiles the model for rows whose column i is input i. The scorer keeps nothing of the model. The caller owns *out. */
ride_status ride_model_scorer_create(const ride_model *model, ride_model_scorer **out, ride_diagnostics *findings);
ride_status ride_ensemble_scorer_create(const ride_ensemble *ensemble, ride_model_scorer **out,
                                        ride_diagnostics *findings);
void ride_model_scorer_destroy(ride_model_scorer *scorer);                    /* NULL is fine */
const ride_forest *ride_model_scorer_forest(const ride_model_scorer *scorer); /* of one plain forest */
/* x: inputs_count values, NaN = missing. out: outputs_count margins, or answers (probabilities) when not raw. */
void ride_model_score_row(ride_model_scorer *scorer, const double *x, bool raw, double *out);
/* The members' answers of the row scored last, calibrated, one member after the other; *count of them. NULL for one plain forest. */
const double *ride_model_scorer_answers(const ride_model_scorer *scorer, uint32_t *count);

#endif
