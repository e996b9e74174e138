/* models/convert.h: a model of any format as one JSON document that loads again with equal bits (docs/models.md). */
#ifndef RIDE_MODELS_CONVERT_H
#define RIDE_MODELS_CONVERT_H
#include "models/ensemble.h"

/* Zero-terminated, freed by the caller. RIDE_E_UNSUPPORTED for an ensemble of several members. */
ride_status ride_model_convert(const ride_ensemble *model, char **out, ride_error *err);

#endif
