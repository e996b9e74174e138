/* models/ir.h: a model between its file format and the bundle: what every parser produces and the compiler reads. A parser
 * knows its trainer's file and arithmetic and nothing of layouts; the compiler knows layouts and no trainer.
 *
 * A model owns everything it points to; immutable after load; then any thread. */
#ifndef RIDE_MODELS_IR_H
#define RIDE_MODELS_IR_H
#include "base/arena.h"
#include "base/error.h"
#include "kernels/layout/network.h"

/* One node of a tree, in the file's own numbering of the tree. */
typedef struct ride_model_node {
    double value; /* threshold (x < value goes left), or a leaf's value before its tree's weight */
    double
        cover; /* weight of the training rows that came here, for explanations: XGBoost's sum_hessian, LightGBM's counts,
                           * scikit-learn's weighted_n_node_samples. 0 in all nodes of a tree whose file does not say */
    uint32_t input;       /* of the test; bits as in ride_forest_node.input */
    uint32_t left, right; /* of the tree's nodes; 0 in a leaf */
    uint32_t set;         /* with RIDE_NODE_SET: index into sets. Of a leaf: 0, or 1 + the index into lines */
} ride_model_node;

/* Members of one category test, ascending, distinct. */
typedef struct ride_model_set {
    uint32_t members_first, members_count; /* in set_members */
} ride_model_set;

typedef struct ride_model_tree {
    uint32_t nodes_first,
        nodes_count; /* in nodes; node 0 is the root. Some may be unreachable: pruned by the trainer */
    uint32_t output;
    double weight; /* of its leaves: 1, or DART's */
} ride_model_tree;

/* See kernels/layout/network.h for what each kind does. */
typedef struct ride_model_step {
    ride_step_kind kind;
    ride_forest_number number;
    ride_activation activation; /* of DENSE */
    uint32_t inputs, outputs;   /* equal but for DENSE and SELECT */
    const double *a, *b;        /* as the kind says; a float is held exactly */
    const uint32_t *columns;    /* of SELECT, outputs of them */
} ride_model_step;

typedef struct ride_model_input {
    const char *name;              /* NULL when the file has no names */
    const char *type;              /* the trainer's word ("float", "int", "i", "c" …), NULL when not given */
    bool is_category;              /* the trees test it as a category, or the file says so */
    const char *const *categories; /* names by code, where the file has them; else NULL */
    uint32_t categories_count;
} ride_model_input;

typedef struct ride_model {
    char format[16];     /* "xgboost" */
    char encoding[16];   /* "json", "ubjson" */
    char written_by[24]; /* "3.2.0", "" when the file does not say */
    char objective[40];  /* "binary:logistic" */
    char booster[16];    /* "gbtree", "dart" */
    uint8_t hash[32];    /* SHA-256 of the file */
    uint64_t file_bytes;
    ride_forest_number input_number, sum_number;
    ride_forest_link link;
    double link_scale; /* as in ride_forest_header */
    uint32_t mean_of;
    ride_forest_aggregate aggregate; /* of a row's leaves; 0 = SUM */
    bool base_last;                  /* the base margin is added after the trees (ONNX), not before */
    const ride_model_step
        *steps; /* in order; the trees' inputs are the last one's outputs. Without trees, so are the margins */
    uint32_t steps_count;
    ride_model_input *inputs;
    uint32_t inputs_count;
    bool has_names;
    double *base_margins; /* outputs_count */
    double *base_scores;  /* as the file says, before the inverse link */
    uint32_t outputs_count;
    ride_model_tree *trees; /* those that score: see best_iteration */
    uint32_t trees_count;
    uint32_t trees_in_file;
    int64_t best_iteration; /* as the file says, -1 = does not */
    ride_model_node *nodes;
    uint32_t nodes_count;
    uint32_t nodes_unreachable; /* pruned nodes that the file still holds */
    uint32_t depth_max;
    uint32_t leaves_count;
    ride_model_set *sets;
    uint32_t sets_count;
    uint32_t *set_members;
    uint32_t set_members_count;
    ride_forest_line
        *lines; /* of leaves with linear terms, whose trees have the weight 1; inputs and sums are doubles then */
    uint32_t lines_count;
    ride_forest_term *terms;
    uint32_t terms_count;
    ride_arena *arena; /* all of the above; NULL: it lies in an ensemble's */
} ride_model;

/* Told while a model is loaded, often and in the caller's thread: what is done, and how much of it; NULL: the file is read, for better or worse. */
typedef struct ride_load_watch {
    void (*tell)(void *context, const char *what, uint64_t done, uint64_t total);
    void *context;
} ride_load_watch;

/* What a load accepts. Zero means the default. */
typedef struct ride_model_options {
    uint64_t bytes_max; /* of the file: 1 GiB */
    uint32_t trees_max; /* 100,000 */
    uint32_t nodes_max; /* of all trees: 50 million */
    bool
        best_iteration; /* score with the trees up to the file's best iteration only; all trees by default, as XGBoost's
                               * own Booster.predict does (its scikit-learn wrapper does the other) */
    bool no_files;      /* a manifest may not name files: what comes from memory opens none */
    const ride_load_watch *watch; /* NULL: nobody is told */
} ride_model_options;

/* Reads a model file. All findings are told at once, by path within the file ("learner.objective.name"); the first 100 of
 * them. On any finding *out is NULL and the status RIDE_E_MODEL (RIDE_E_NO_INPUT, RIDE_E_IO when it cannot be read). options may
 * be NULL. The caller owns *out. */
ride_status ride_model_load(const char *path, const ride_model_options *options, ride_model **out,
                            ride_diagnostics *findings);
/* The same from memory; path is only for messages, data is not kept. */
ride_status ride_model_parse(const char *path, const void *data, size_t bytes, const ride_model_options *options,
                             ride_model **out, ride_diagnostics *findings);
void ride_model_destroy(ride_model *model); /* NULL is fine */
/* The nodes of its trees go, most of a model's memory, and everything else stays: for one that is compiled and whose names are still asked for. arena:
 * what the model lies in. */
void ride_model_drop_nodes(ride_model *model, ride_arena *arena);

#endif
