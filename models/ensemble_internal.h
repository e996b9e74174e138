/* models/ensemble_internal.h: what makes an ensemble, whoever read it. Internal to models/. */
#ifndef RIDE_MODELS_ENSEMBLE_INTERNAL_H
#define RIDE_MODELS_ENSEMBLE_INTERNAL_H
#include "models/ensemble.h"

/* An empty ensemble with an arena of at most arena_bytes_max (0 = the machine's memory). *out is NULL on failure. */
ride_status ride_ensemble_create(const char *path, size_t arena_bytes_max, ride_ensemble **out,
                                 ride_diagnostics *findings);

/* Members, combination and calibrations are there: checks what one member asks of the others (outputs, names, weights) and fills in inputs,
 * outputs_count, number and, from `text`, the hash. All findings are told. */
ride_status ride_ensemble_finish(ride_ensemble *ensemble, const void *text, size_t bytes, ride_diagnostics *findings);

/* Which of the members' answers, all in a row, a stacker's input of that name is: NAME of a member with one, NAME.0, NAME.1 … of one with several;
 * RIDE_ENSEMBLE_NO_ANSWER when it is none and so an input of the ensemble. */
uint32_t ride_ensemble_find_answer(const ride_ensemble *ensemble, const char *name);
#define RIDE_ENSEMBLE_NO_ANSWER UINT32_MAX

/* Is this a manifest? (Its first line that says anything begins with `ensemble:`.) */
bool ride_manifest_recognises(const void *data, size_t bytes);
ride_status ride_manifest_read(const char *path, const void *data, size_t bytes, const ride_model_options *options,
                               ride_ensemble **out, ride_diagnostics *findings);

#endif
