/* models/sklearn.h: scikit-learn's models as python/ride/export.py writes them (docs/models-sklearn.md) → ride_model. Internal to models/. */
#ifndef RIDE_MODELS_SKLEARN_H
#define RIDE_MODELS_SKLEARN_H
#include "models/document.h"
#include "models/ensemble.h"
#include "models/reader.h"

/* Is this document one of ours at all? (Its `format` is ride-sklearn, or ride-model: what `ride model convert` writes.) */
bool ride_sklearn_recognises(const ride_value *document);
/* Fills reader->model; findings say what is wrong. */
ride_status ride_sklearn_read(ride_model_reader *reader, const ride_value *document);

/* sklearn_ensemble.c: is it several estimators that answer as one? */
bool ride_sklearn_is_ensemble(const ride_value *document);
/* Each member is a model of its own in the ensemble's memory, which bounds all of them together by the file's size; reader->model is only asked for
 * the file's hash and size. The caller owns *out. */
ride_status ride_sklearn_read_ensemble(ride_model_reader *reader, const ride_value *document, ride_ensemble **out);
/* One member, or the whole document: fills reader->model. columns: the object that has `features` and `names`. like: a model already read with the
 * same columns, which lives as long as this one and whose names serve both, or NULL. */
ride_status ride_sklearn_read_member(ride_model_reader *reader, const ride_value *document, const ride_value *columns,
                                     const ride_value *member, const ride_model *like);

/* What kind of trees: which rules are theirs. */
typedef enum sklearn_trees {
    SKLEARN_FOREST,    /* a tree serves all outputs, an answer is the mean of the trees */
    SKLEARN_BOOSTING,  /* a tree serves one output; the learning rate weighs it */
    SKLEARN_HIST,      /* the same with doubles as inputs and categories, and the rate in the leaves */
    SKLEARN_ISOLATION, /* no values: a leaf counts its samples */
} sklearn_trees;

/* sklearn_trees.c: `trees` of a member; the model's inputs and outputs are known. weight: of every leaf. */
ride_status ride_sklearn_read_trees(ride_model_reader *reader, const ride_value *member, sklearn_trees kind,
                                    double weight);
/* sklearn_steps.c: `steps` of a member. Leaves in *values how many values a row has after them. */
ride_status ride_sklearn_read_steps(ride_model_reader *reader, const ride_value *member, uint32_t *values);

/* sklearn_plain.c: the rest of a member of kind `plain`, whose rows have so many values before the trees. */
ride_status ride_sklearn_read_plain(ride_model_reader *reader, const ride_value *member, uint32_t values);

/* A whole number from least to most; `missing` where there is none and missing >= least. A finding otherwise. */
ride_status ride_sklearn_count(ride_model_reader *reader, const ride_value *object, const char *key, int64_t missing,
                               int64_t least, int64_t most, uint32_t *out);
/* `count` finite numbers in memory of the model; NaN too where may_nan. */
ride_status ride_sklearn_numbers(ride_model_reader *reader, const ride_value *object, const char *place,
                                 const char *key, uint64_t count, bool may_nan, const double **out);
/* c(n): the mean path length of a search that fails in a random search tree of n keys. */
double ride_sklearn_path_length(double n);

#endif
