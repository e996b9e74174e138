/* models/info.h: what a model is, for people and for programs (`ride model info`). */
#ifndef RIDE_MODELS_INFO_H
#define RIDE_MODELS_INFO_H
#include "models/ensemble.h"

typedef enum ride_info_form { RIDE_INFO_TEXT = 1, RIDE_INFO_JSON } ride_info_form;

/* The description as a zero-terminated string that the caller frees, or NULL when memory is out. */
char *ride_model_info(const ride_model *model, ride_info_form form);
/* Of a plain model the same; of a manifest the combination and each member. */
char *ride_ensemble_info(const ride_ensemble *ensemble, ride_info_form form);

#endif
