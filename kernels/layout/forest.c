/* kernels/layout/forest.c: the checks of a forest that came from a file. A bundle's checksum proves that it is as written, not
 * that it was written well: the scorers index without tests, so nothing is taken on trust here. */
#include "kernels/layout/forest.h"

#include <math.h>
#include <string.h>

/* A section must have exactly `count` entries of `entry_bytes`; absent counts as none. */
static ride_status check_section(const ride_bundle *bundle, ride_section section, const char *name, uint64_t count,
                                 uint64_t entry_bytes, ride_error *err) {
    uint64_t have = bundle->sections[section] != NULL ? bundle->sections_bytes[section] : 0;
    if (have == count * entry_bytes) return RIDE_OK;
    return ride_fail(err, RIDE_E_CORRUPT, "forest: %s has %llu bytes, %llu needed", name, (unsigned long long)have,
                     (unsigned long long)(count * entry_bytes));
}

static ride_status check_header(const ride_bundle *bundle, const ride_forest_header *h, ride_error *err) {
    if (h->forest_version != RIDE_FOREST_VERSION)
        return ride_fail(err, RIDE_E_VERSION, "forest version %u, this program reads %u", h->forest_version,
                         (unsigned)RIDE_FOREST_VERSION);
    if (h->trees_count == 0 || h->nodes_count < h->trees_count)
        return ride_fail(err, RIDE_E_CORRUPT, "forest: %u trees with %u nodes", h->trees_count, h->nodes_count);
    if (h->outputs_count == 0 || h->outputs_count > RIDE_FOREST_OUTPUTS_MAX)
        return ride_fail(err, RIDE_E_CORRUPT, "forest: %u outputs", h->outputs_count);
    if (h->inputs_count > RIDE_FOREST_INPUTS_MAX)
        return ride_fail(err, RIDE_E_CORRUPT, "forest: %u inputs", h->inputs_count);
    if (h->depth_max > RIDE_FOREST_DEPTH_MAX) return ride_fail(err, RIDE_E_CORRUPT, "forest: depth %u", h->depth_max);
    if ((h->input_number != RIDE_FOREST_F32 && h->input_number != RIDE_FOREST_F64) ||
        (h->sum_number != RIDE_FOREST_F32 && h->sum_number != RIDE_FOREST_F64))
        return ride_fail(err, RIDE_E_CORRUPT, "forest: number types %u, %u", h->input_number, h->sum_number);
    if (h->link < RIDE_FOREST_LINK_NONE || h->link >= RIDE_FOREST_LINKS || h->flags != 0)
        return ride_fail(err, RIDE_E_CORRUPT, "forest: link %u, flags %#x", h->link, h->flags);
    const int of_doubles = h->link >= RIDE_FOREST_LINK_LOGISTIC && h->link != RIDE_FOREST_LINK_LOGISTIC_FOLDED;
    if (of_doubles && h->sum_number != RIDE_FOREST_F64)
        return ride_fail(err, RIDE_E_CORRUPT, "forest: link %u of floats", h->link);
    const int has_scale = h->link == RIDE_FOREST_LINK_LOGISTIC;
    if (!isfinite(h->link_scale) || (has_scale ? h->link_scale <= 0.0 : h->link_scale != 0.0))
        return ride_fail(err, RIDE_E_CORRUPT, "forest: link scale %g", h->link_scale);
    for (size_t i = 0; i < sizeof h->reserved / sizeof h->reserved[0]; i++)
        if (h->reserved[i] != 0) return ride_fail(err, RIDE_E_CORRUPT, "forest: reserved word %zu is set", i);
    if (memchr(h->format, 0, sizeof h->format) == NULL || memchr(h->objective, 0, sizeof h->objective) == NULL)
        return ride_fail(err, RIDE_E_CORRUPT, "forest: a name is not terminated");
    RIDE_TRY(check_section(bundle, RIDE_SECTION_FOREST_TREES, "trees", h->trees_count, sizeof(ride_forest_tree), err));
    RIDE_TRY(check_section(bundle, RIDE_SECTION_FOREST_NODES, "nodes", h->nodes_count, sizeof(ride_forest_node), err));
    RIDE_TRY(check_section(bundle, RIDE_SECTION_FOREST_CATEGORIES, "categories", h->category_words_count,
                           sizeof(uint32_t), err));
    RIDE_TRY(check_section(bundle, RIDE_SECTION_FOREST_LEAVES, "leaves", 0, 1, err));
    if (bundle->sections[RIDE_SECTION_FOREST_COVERS] != NULL)
        RIDE_TRY(check_section(bundle, RIDE_SECTION_FOREST_COVERS, "covers", h->nodes_count, sizeof(double), err));
    return check_section(bundle, RIDE_SECTION_FOREST_INPUTS, "inputs", bundle->plan != NULL ? h->inputs_count : 0,
                         sizeof(uint32_t), err);
}

/* A number of the forest's sum type: adding it must not round differently from what the trainer did. */
static int is_number(double value, uint32_t number) {
    return isfinite(value) && (number == RIDE_FOREST_F64 || (double)(float)value == value);
}

static ride_status check_node(const ride_forest *forest, const ride_forest_node *node, uint32_t tree_index,
                              uint32_t node_index, ride_error *err) {
    const ride_forest_header *h = forest->header;
    uint32_t bits = node->input & ~(uint32_t)RIDE_NODE_INPUT_MASK, input = node->input & RIDE_NODE_INPUT_MASK;
    if (bits & ~(uint32_t)(RIDE_NODE_LEAF | RIDE_NODE_DEFAULT_LEFT | RIDE_NODE_SET | RIDE_NODE_SET_LEFT |
                           RIDE_NODE_SET_FROM_MINUS_1 | RIDE_NODE_ZERO_MISSING | RIDE_NODE_ONLY_MISSING))
        return ride_fail(err, RIDE_E_CORRUPT, "forest: tree %u node %u has unknown bits %#x", tree_index, node_index,
                         bits);
    if (bits & RIDE_NODE_LEAF) {
        if (node->input != RIDE_NODE_LEAF || node->left != 0)
            return ride_fail(err, RIDE_E_CORRUPT, "forest: tree %u leaf %u has a test", tree_index, node_index);
        if (!is_number(node->u.leaf, h->sum_number))
            return ride_fail(err, RIDE_E_CORRUPT, "forest: tree %u leaf %u is %g", tree_index, node_index,
                             node->u.leaf);
        return RIDE_OK;
    }
    if (input >= h->inputs_count)
        return ride_fail(err, RIDE_E_CORRUPT, "forest: tree %u node %u reads input %u of %u", tree_index, node_index,
                         input, h->inputs_count);
    if ((bits & (RIDE_NODE_ZERO_MISSING | RIDE_NODE_ONLY_MISSING)) && (bits & RIDE_NODE_SET))
        return ride_fail(err, RIDE_E_CORRUPT, "forest: tree %u node %u has a bad test", tree_index, node_index);
    if (bits & RIDE_NODE_SET) {
        ride_forest_set set = node->u.set;
        if (set.words_first > h->category_words_count || set.words_count > h->category_words_count - set.words_first ||
            set.words_count > RIDE_FOREST_CATEGORY_MAX / 32)
            return ride_fail(err, RIDE_E_CORRUPT, "forest: tree %u node %u: category set out of range", tree_index,
                             node_index);
        return RIDE_OK;
    }
    if ((bits & (RIDE_NODE_SET_LEFT | RIDE_NODE_SET_FROM_MINUS_1)) || isnan(node->u.threshold))
        return ride_fail(err, RIDE_E_CORRUPT, "forest: tree %u node %u has a bad test", tree_index, node_index);
    return RIDE_OK;
}

/* Breadth-first order means: reading nodes in order, each inner node's children are the next two not yet given out. Then every
 * node but the root has exactly one parent, before it: reached once, and no cycle. Levels end where the children given
 * out so far end. */
static ride_status check_tree(const ride_forest *forest, uint32_t tree_index, uint32_t nodes_first, ride_error *err) {
    const ride_forest_header *h = forest->header;
    const ride_forest_tree *tree = &forest->trees[tree_index];
    if (tree->nodes_first != nodes_first || tree->nodes_count == 0 || tree->nodes_count > h->nodes_count - nodes_first)
        return ride_fail(err, RIDE_E_CORRUPT, "forest: tree %u has nodes %u + %u of %u", tree_index, tree->nodes_first,
                         tree->nodes_count, h->nodes_count);
    if (tree->output >= h->outputs_count)
        return ride_fail(err, RIDE_E_CORRUPT, "forest: tree %u adds to output %u of %u", tree_index, tree->output,
                         h->outputs_count);
    uint32_t next = 1, level_end = 1, depth = 0;
    for (uint32_t i = 0; i < tree->nodes_count; i++) {
        if (i == level_end) {
            level_end = next;
            depth++;
        }
        const ride_forest_node *node = &forest->nodes[nodes_first + i];
        RIDE_TRY(check_node(forest, node, tree_index, i, err));
        if (node->input & RIDE_NODE_LEAF) continue;
        if (node->left != next || tree->nodes_count - next < 2)
            return ride_fail(err, RIDE_E_CORRUPT, "forest: tree %u node %u has child %u, %u expected", tree_index, i,
                             node->left, next);
        next += 2;
    }
    if (next != tree->nodes_count)
        return ride_fail(err, RIDE_E_CORRUPT, "forest: tree %u has %u nodes that nothing reaches", tree_index,
                         tree->nodes_count - next);
    if (depth != tree->depth || depth > h->depth_max)
        return ride_fail(err, RIDE_E_CORRUPT, "forest: tree %u is %u deep and says %u", tree_index, depth, tree->depth);
    return RIDE_OK;
}

ride_status ride_forest_open(const ride_bundle *bundle, ride_forest *out, ride_error *err) {
    memset(out, 0, sizeof *out);
    const ride_forest_header *h = bundle->sections[RIDE_SECTION_FOREST];
    uint64_t bytes = bundle->sections_bytes[RIDE_SECTION_FOREST];
    if (h == NULL) return ride_fail(err, RIDE_E_MODEL, "the bundle holds no model");
    if (bytes < sizeof *h) return ride_fail(err, RIDE_E_CORRUPT, "forest: header cut short");
    RIDE_TRY(check_header(bundle, h, err));
    if (bytes != sizeof *h + h->outputs_count * sizeof(double))
        return ride_fail(err, RIDE_E_CORRUPT, "forest: base margins cut short");
    ride_forest forest = {
        .header = h,
        .base_margins = (const double *)(h + 1),
        .trees = bundle->sections[RIDE_SECTION_FOREST_TREES],
        .nodes = bundle->sections[RIDE_SECTION_FOREST_NODES],
        .category_words = bundle->sections[RIDE_SECTION_FOREST_CATEGORIES],
        .inputs = bundle->sections[RIDE_SECTION_FOREST_INPUTS],
        .covers = bundle->sections[RIDE_SECTION_FOREST_COVERS],
    };
    for (uint32_t i = 0; i < h->outputs_count; i++)
        if (!is_number(forest.base_margins[i], h->sum_number))
            return ride_fail(err, RIDE_E_CORRUPT, "forest: base margin %u is %g", i, forest.base_margins[i]);
    for (uint32_t i = 0; forest.inputs != NULL && i < h->inputs_count; i++)
        if (forest.inputs[i] >= bundle->plan->vector_count)
            return ride_fail(err, RIDE_E_CORRUPT, "forest: input %u reads vector entry %u of %u", i, forest.inputs[i],
                             bundle->plan->vector_count);
    for (uint32_t i = 0; forest.covers != NULL && i < h->nodes_count; i++)
        if (!(forest.covers[i] >= 0.0) || !isfinite(forest.covers[i]))
            return ride_fail(err, RIDE_E_CORRUPT, "forest: cover %u is %g", i, forest.covers[i]);
    uint32_t nodes_first = 0, depth_max = 0;
    for (uint32_t i = 0; i < h->trees_count; i++) {
        RIDE_TRY(check_tree(&forest, i, nodes_first, err));
        nodes_first += forest.trees[i].nodes_count;
        if (forest.trees[i].depth > depth_max) depth_max = forest.trees[i].depth;
    }
    if (nodes_first != h->nodes_count || depth_max != h->depth_max)
        return ride_fail(err, RIDE_E_CORRUPT, "forest: trees hold %u of %u nodes, depth %u of %u", nodes_first,
                         h->nodes_count, depth_max, h->depth_max);
    *out = forest;
    return RIDE_OK;
}

ride_status ride_forest_check(const ride_bundle *bundle, ride_error *err) {
    ride_forest forest;
    return ride_forest_open(bundle, &forest, err);
}
