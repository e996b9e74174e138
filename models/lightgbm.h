/* models/lightgbm.h: LightGBM's text models (v2 to v4, as Booster.save_model writes them) → ride_model. Internal to models/. */
#ifndef RIDE_MODELS_LIGHTGBM_H
#define RIDE_MODELS_LIGHTGBM_H
#include "models/reader.h"

#include <string.h>

/* A stretch of the file; not terminated. */
typedef struct lightgbm_text {
    const char *at;
    size_t bytes;
} lightgbm_text;

enum { TELL_TREES = 64 }; /* to the one who watches */

/* The lines of one tree. bytes 0: not there. */
typedef struct lightgbm_tree {
    uint64_t line; /* of `Tree=` */
    lightgbm_text num_leaves, num_cat, split_feature, threshold, decision_type, left_child, right_child, leaf_value,
        cat_boundaries, cat_threshold, is_linear, internal_count, leaf_count, leaf_const, num_features, leaf_features,
        leaf_coeff;
} lightgbm_tree;

/* Is this LightGBM's text at all? (Its first line is `tree`.) */
bool ride_lightgbm_recognises(const void *data, size_t bytes);
/* Fills reader->model; findings say what is wrong, and where. values: memory for what is needed while it reads. */
ride_status ride_lightgbm_read(ride_model_reader *reader, const void *data, size_t bytes, ride_arena *values);

/* lightgbm_trees.c: the trees; the model's outputs and inputs are known. */
ride_status ride_lightgbm_read_trees(ride_model_reader *reader, const lightgbm_tree *trees, uint32_t count);

/* A finding about a line. Returns RIDE_E_MODEL. */
ride_status ride_lightgbm_finding(ride_model_reader *reader, uint64_t line, const char *advice, const char *format, ...)
    RIDE_PRINTF(4, 5);
/* The next word, up to a blank; false: none is left. */
bool ride_lightgbm_word(lightgbm_text *rest, lightgbm_text *word);
static inline bool ride_lightgbm_is(lightgbm_text text, const char *what) {
    return text.bytes == strlen(what) && memcmp(text.at, what, text.bytes) == 0;
}

#endif
