/* models/onnx_lists.h: the lists of TreeEnsembleRegressor and -Classifier, an entry for each node of all trees and for each weight of a leaf, as windows:
 * arrays of one tree after the other. A list of a large file is never an array as a whole, because eight of them would be several times the file.
 * That goes where trees are numbered 0, 1 … and so are the nodes of each, all in order, and the weights stand in the order of their trees, as exporters
 * write them. A file that is otherwise is one window with all trees. Internal to models/. */
#ifndef RIDE_MODELS_ONNX_LISTS_H
#define RIDE_MODELS_ONNX_LISTS_H
#include "models/onnx_ensemble.h"

typedef struct onnx_key {
    int64_t tree, node;
    uint32_t index;
} onnx_key;

enum {
    ONNX_LIST_TREE,
    ONNX_LIST_NODE,
    ONNX_LIST_FEATURE,
    ONNX_LIST_YES,
    ONNX_LIST_NO,
    ONNX_LIST_TRACKS,
    ONNX_LISTS_OF_NODES, /* the whole numbers of nodes */
    ONNX_LIST_WEIGHT_TREE = ONNX_LISTS_OF_NODES,
    ONNX_LIST_WEIGHT_NODE,
    ONNX_LIST_WEIGHT_OUTPUT,
    ONNX_LISTS_OF_INTS,
};

typedef struct onnx_cursors {
    onnx_cursor ints[ONNX_LISTS_OF_INTS], modes, values, weights;
} onnx_cursors;

typedef struct onnx_lists {
    const onnx_ensemble *e;
    /* The window. */
    uint32_t nodes_count, weights_count;
    int64_t *ints[ONNX_LISTS_OF_INTS]; /* TRACKS: NULL without that list */
    ride_message *modes;
    double *values, *weights;
    /* The whole. */
    uint32_t all_nodes, all_weights;
    uint32_t nodes_most, weights_most; /* of a window */
    onnx_reals base;
    bool has_order;        /* windows of one tree */
    uint32_t trees_count;  /* with has_order */
    uint32_t *nodes_first; /* of each tree, and the end */
    uint32_t *weights_end; /* of each tree */
    uint32_t window;       /* the next one */
    onnx_key *keys;        /* without order: the nodes by tree and node */
    onnx_cursors front, now;
} onnx_lists;

/* Counts the lists, compares their lengths, finds the order, and makes room for the largest window. */
ride_status ride_onnx_lists_open(const onnx_ensemble *e, bool is_classifier, onnx_lists *out);
/* Before the first window. */
void ride_onnx_lists_rewind(onnx_lists *lists);
/* Fills the next window; *more is false behind the last one. */
ride_status ride_onnx_lists_next(onnx_lists *lists, bool *more);
/* The node of that tree and number, as an index into the window; false: it is not there. */
bool ride_onnx_lists_find(const onnx_lists *lists, int64_t tree, int64_t node, uint32_t *out);

#endif
