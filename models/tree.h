/* models/tree.h: the check of a tree that a parser has filled: what the root reaches, each node once. Internal to models/. */
#ifndef RIDE_MODELS_TREE_H
#define RIDE_MODELS_TREE_H
#include "models/reader.h"

/* Room for trees of so many nodes. */
typedef struct ride_model_walk {
    uint32_t nodes_max;
    uint32_t *queue;
    uint32_t *depth; /* by node, after a walk: edges from the root; none for what is not reached */
} ride_model_walk;
static const uint32_t ride_model_walk_none = UINT32_MAX;

/* A finding when there is no memory. destroy in either case. */
ride_status ride_model_walk_create(ride_model_reader *reader, uint32_t nodes_max, ride_model_walk *out);
void ride_model_walk_destroy(ride_model_walk *walk);

/* Follows left and right of the inner nodes from node 0. A child that is not there, a node that is reached twice (a cycle, or two parents)
 * and a tree beyond RIDE_FOREST_DEPTH_MAX are findings about `place`. Adds to the model's leaves_count, nodes_unreachable and
 * depth_max. nodes_count is at most nodes_max. */
ride_status ride_model_walk_tree(ride_model_reader *reader, const char *place, const ride_model_node *nodes,
                                 uint32_t nodes_count, ride_model_walk *walk);

#endif
