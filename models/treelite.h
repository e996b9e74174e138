/* models/treelite.h: checkpoints of treelite 4 (Model.serialize) → ride_model. Internal to models/. */
#ifndef RIDE_MODELS_TREELITE_H
#define RIDE_MODELS_TREELITE_H
#include "models/reader.h"

/* Is this a checkpoint at all? (Three numbers of a version, then two kinds of numbers.) */
bool ride_treelite_recognises(const void *data, size_t bytes);
/* Fills reader->model; findings say what is wrong, and where. values: memory for what is needed while it reads. */
ride_status ride_treelite_read(ride_model_reader *reader, const void *data, size_t bytes, ride_arena *values);

#endif
