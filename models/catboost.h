/* models/catboost.h: CatBoost's models, JSON and cbm, with numeric and one-hot tests → ride_model. Internal to models/.
 *
 * Both forms hold the same: features with the borders that tests use, trees of such tests, leaves, a bias. */
#ifndef RIDE_MODELS_CATBOOST_H
#define RIDE_MODELS_CATBOOST_H
#include "models/document.h"
#include "models/reader.h"

enum { CATBOOST_DEPTH_MAX = 16 }; /* of an oblivious tree; CatBoost's own limit */

/* A value that one-hot tests of a categorical feature look for. */
typedef struct catboost_value {
    int32_t hash;   /* what the tests hold */
    uint32_t input; /* flat index */
    uint32_t code;  /* found by ride_catboost_codes */
} catboost_value;

/* A category of any feature whose text the file has. */
typedef struct catboost_text {
    int32_t hash;
    uint32_t bytes;
    const char *at; /* not terminated */
} catboost_text;

typedef struct catboost {
    ride_model_reader *reader;
    catboost_value *values; /* of all features together; sorted by ride_catboost_codes */
    uint32_t values_count;
    catboost_text *texts; /* sorted by ride_catboost_codes */
    uint32_t texts_count;
    uint32_t dimension; /* values of a leaf */
} catboost;

/* ---- catboost.c: JSON ---- */
bool ride_catboost_recognises(const ride_value *document);
ride_status ride_catboost_read(ride_model_reader *reader, const ride_value *document);
/* ---- catboost_cbm.c ---- */
bool ride_catboost_is_cbm(const void *data, size_t bytes);
ride_status ride_catboost_read_cbm(ride_model_reader *reader, const void *data, size_t bytes, ride_arena *values);

/* ---- catboost_build.c: what both need ---- */
/* Format, numbers, and inputs_count inputs without names. */
ride_status ride_catboost_begin(catboost *c, uint32_t inputs_count, uint32_t dimension);
/* A name of an input; an empty one is none. */
ride_status ride_catboost_name(catboost *c, uint32_t input, const char *text, size_t bytes);
/* All names or none; distinct. */
ride_status ride_catboost_names(catboost *c);
/* The link of a loss function, and what is told of it. */
ride_status ride_catboost_loss(catboost *c, const char *name, size_t bytes);
/* scale, and one bias or one for each output. */
ride_status ride_catboost_bias(catboost *c, double scale, const double *biases, uint32_t count);
/* Gives every value its code. Without texts: the number of up to six digits whose hash it is. With texts: the number that it is, where all
 * values of its feature are whole numbers, else its place in the list of all texts, which are then the names of its feature's categories. */
ride_status ride_catboost_codes(catboost *c);
/* Room for the trees, and one set for each value. */
ride_status ride_catboost_reserve(catboost *c, uint32_t trees_count, uint64_t nodes_count);

/* Tests, as nodes without children: what is above the border goes right; the category with that hash goes right. */
ride_status ride_catboost_float_test(catboost *c, const char *place, uint32_t input, float border, bool nan_right,
                                     ride_model_node *out);
ride_status ride_catboost_value_test(catboost *c, const char *place, uint32_t input, int32_t hash,
                                     ride_model_node *out);
/* An oblivious tree: test k is bit k of a leaf's number. leaves[leaf * dimension + output]; weights (of leaves) may be NULL. */
ride_status ride_catboost_oblivious(catboost *c, const ride_model_node *tests, uint32_t depth, const double *leaves,
                                    const double *weights);
/* One more tree of each output over nodes that stand behind the model's nodes_count: count of them for output 0, then for 1 … */
void ride_catboost_add_tree(catboost *c, uint32_t count);

#endif
