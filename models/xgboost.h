/* models/xgboost.h: XGBoost's JSON and UBJSON models (written by 1.0 to 3.x) → ride_model. Internal to models/. */
#ifndef RIDE_MODELS_XGBOOST_H
#define RIDE_MODELS_XGBOOST_H
#include "models/document.h"
#include "models/reader.h"

/* Is this document an XGBoost model at all? (It has a `learner`.) */
bool ride_xgboost_recognises(const ride_value *document);
/* Fills reader->model; findings say what is wrong. */
ride_status ride_xgboost_read(ride_model_reader *reader, const ride_value *document);

/* xgboost_trees.c: the trees of `gbtree_model` (the object with `trees` and `tree_info`); weights may be NULL. */
ride_status ride_xgboost_read_trees(ride_model_reader *reader, const ride_value *gbtree_model,
                                    const ride_value *weights, const char *place);
/* xgboost_linear.c: the weights of gblinear's `model`. */
ride_status ride_xgboost_read_linear(ride_model_reader *reader, const ride_value *linear_model);
/* xgboost_categories.c: names of categories (`cats`, from 3.1 on), where the file has them. */
ride_status ride_xgboost_read_categories(ride_model_reader *reader, const ride_value *categories, const char *place);

#endif
