/* models/tree.c: breadth first over a tree that may be anything. */
#include "models/tree.h"

#include "base/assert.h"

#include <stdlib.h>

ride_status ride_model_walk_create(ride_model_reader *reader, uint32_t nodes_max, ride_model_walk *out) {
    const size_t room = (size_t)nodes_max + 1;
    *out = (ride_model_walk){.nodes_max = nodes_max,
                             .queue = malloc(room * sizeof *out->queue),
                             .depth = malloc(room * sizeof *out->depth)};
    if (out->queue != NULL && out->depth != NULL) return RIDE_OK;
    return ride_model_finding(reader, NULL, "no memory for a tree of %u nodes", nodes_max);
}

void ride_model_walk_destroy(ride_model_walk *walk) {
    free(walk->queue);
    free(walk->depth);
    *walk = (ride_model_walk){0};
}

ride_status ride_model_walk_tree(ride_model_reader *reader, const char *place, const ride_model_node *nodes,
                                 uint32_t nodes_count, ride_model_walk *walk) {
    ride_model *model = reader->model;
    uint32_t tail = 1;
    RIDE_ASSERT(nodes_count > 0 && nodes_count <= walk->nodes_max);
    for (uint32_t i = 0; i < nodes_count; i++) walk->depth[i] = ride_model_walk_none;
    walk->queue[0] = walk->depth[0] = 0;
    for (uint32_t head = 0; head < tail; head++) {
        const uint32_t i = walk->queue[head], depth = walk->depth[i];
        if (nodes[i].input & RIDE_NODE_LEAF) {
            model->leaves_count++;
            if (depth > model->depth_max) model->depth_max = depth;
            continue;
        }
        if (depth == RIDE_FOREST_DEPTH_MAX)
            return ride_model_finding(reader, NULL, "%s is more than %d deep", place, RIDE_FOREST_DEPTH_MAX);
        for (int side = 0; side < 2; side++) {
            const uint32_t child = side ? nodes[i].right : nodes[i].left;
            if (child >= nodes_count)
                return ride_model_finding(reader, NULL, "%s: the %s child of node %u is not there", place,
                                          side ? "right" : "left", i);
            if (walk->depth[child] != ride_model_walk_none)
                return ride_model_finding(reader, NULL, "%s: node %u is reached twice (a cycle, or two parents)", place,
                                          child);
            walk->depth[child] = depth + 1;
            walk->queue[tail++] = child;
        }
    }
    model->nodes_unreachable += nodes_count - tail;
    return RIDE_OK;
}
