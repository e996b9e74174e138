/* models/compile_forest.c: a model's trees → the layout of forest.h. Each tree is laid breadth first (which drops what the trainer pruned), its weight
 * is put into its leaves with one product as DART does, and category sets become bits. */
#include "models/compile_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CATEGORY_WORDS_MAX = 1 << 24 };

/* The words of a set as it was laid last, and for which input: its codes are that input's, and nodes that ask the same share them. */
typedef struct laid {
    uint32_t input_and_one; /* 0: not yet */
    ride_forest_set set;
} laid;

typedef struct layer {
    ride_compiler *c;
    const ride_model *model;
    bool has_covers;
    uint32_t *queue; /* old index of each new node of a tree */
    laid *laid;      /* of each of the model's sets */
    uint32_t nodes_count, words_count, depth_max, lines_count, terms_count;
} layer;

static ride_status add_set(layer *l, const ride_model_node *node, ride_forest_set *out) {
    const ride_model_set *set = &l->model->sets[node->set];
    const uint32_t *members = &l->model->set_members[set->members_first];
    uint32_t input = node->input & RIDE_NODE_INPUT_MASK, greatest = 0, *words = NULL;
    const uint32_t *codes = l->model->steps_count == 0 ? l->c->codes[input] : NULL; /* else see match_categories */
    laid *last = &l->laid[node->set];
    if (last->input_and_one == input + 1) {
        *out = last->set;
        return RIDE_OK;
    }
    *out = (ride_forest_set){.words_first = l->words_count};
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < set->members_count; i++) {
            uint32_t code = members[i];
            if (codes != NULL) {
                code = code < l->model->inputs[input].categories_count ? codes[code] : RIDE_COMPILE_NONE;
                if (code == RIDE_COMPILE_NONE) continue; /* the vector never gives it */
            }
            if (pass == 0 && code / 32 + 1 > greatest) greatest = code / 32 + 1;
            if (pass == 1) words[code / 32] |= 1u << (code % 32);
        }
        if (pass == 1 || greatest == 0) break;
        if (greatest > CATEGORY_WORDS_MAX - l->words_count)
            return ride_compile_fault(l->c, NULL, "category sets of more than %u MiB", CATEGORY_WORDS_MAX / (1 << 18));
        words = RIDE_COMPILE_ADD(l->c, FOREST_CATEGORIES, uint32_t, greatest);
        if (words == NULL) return ride_compile_no_memory(l->c);
        out->words_count = greatest;
        l->words_count += greatest;
    }
    *last = (laid){input + 1, *out};
    return RIDE_OK;
}

/* Is it said of all trees that test anything how much came to each node? */
static bool has_covers(const ride_model *model) {
    for (uint32_t t = 0; t < model->trees_count; t++) {
        const ride_model_node *nodes = &model->nodes[model->trees[t].nodes_first];
        if ((nodes[0].input & RIDE_NODE_LEAF) == 0 && !(nodes[0].cover > 0.0)) return false;
        for (uint32_t i = 0; i < model->trees[t].nodes_count; i++)
            if (!(nodes[i].cover >= 0.0) || !isfinite(nodes[i].cover)) return false;
    }
    return true;
}

/* A leaf's line, as the next one. */
static ride_status lay_line(layer *l, uint32_t line_index, ride_forest_node *node) {
    const ride_forest_line *old = &l->model->lines[line_index];
    ride_forest_line *line = RIDE_COMPILE_ADD(l->c, FOREST_LEAVES, ride_forest_line, 1);
    ride_forest_term *terms =
        old->terms_count > 0 ? RIDE_COMPILE_ADD(l->c, FOREST_TERMS, ride_forest_term, old->terms_count) : NULL;
    if (line == NULL || (terms == NULL && old->terms_count > 0)) return ride_compile_no_memory(l->c);
    *line = (ride_forest_line){old->constant, l->terms_count, old->terms_count};
    for (uint32_t i = 0; i < old->terms_count; i++) {
        terms[i] = l->model->terms[old->terms_first + i];
        if (l->model->steps_count == 0 && l->c->codes[terms[i].input] != NULL)
            return ride_compile_fault(l->c, NULL, "a linear leaf multiplies input %u, whose categories are translated",
                                      terms[i].input);
    }
    l->terms_count += old->terms_count;
    node->left = ++l->lines_count;
    return RIDE_OK;
}

static ride_status lay_node(layer *l, uint32_t tree_index, const ride_model_node *old, ride_forest_node *node,
                            uint32_t *tail) {
    const ride_model_tree *tree = &l->model->trees[tree_index];
    node->input = old->input;
    if (old->input & RIDE_NODE_LEAF) {
        node->u.leaf = l->model->sum_number == RIDE_FOREST_F32 ? (double)((float)old->value * (float)tree->weight)
                                                               : old->value * tree->weight;
        if (isfinite(node->u.leaf)) return old->set > 0 ? lay_line(l, old->set - 1, node) : RIDE_OK;
        return ride_compile_fault(l->c, NULL, "tree %u: a weighted leaf overflows", tree_index);
    }
    if (old->input & RIDE_NODE_SET) RIDE_TRY(add_set(l, old, &node->u.set));
    else node->u.threshold = old->value;
    node->left = *tail;
    l->queue[(*tail)++] = old->left;
    l->queue[(*tail)++] = old->right;
    return RIDE_OK;
}

static ride_status lay_tree(layer *l, uint32_t tree_index) {
    const ride_model_tree *tree = &l->model->trees[tree_index];
    const ride_model_node *old_nodes = &l->model->nodes[tree->nodes_first];
    uint32_t tail = 1, level_end = 1, depth = 0;
    l->queue[0] = 0;
    for (uint32_t i = 0; i < tail; i++) {
        if (i == level_end) {
            level_end = tail;
            depth++;
        }
        ride_forest_node *node = RIDE_COMPILE_ADD(l->c, FOREST_NODES, ride_forest_node, 1);
        double *cover = l->has_covers ? RIDE_COMPILE_ADD(l->c, FOREST_COVERS, double, 1) : NULL;
        if (node == NULL || (l->has_covers && cover == NULL)) return ride_compile_no_memory(l->c);
        if (cover != NULL) *cover = old_nodes[l->queue[i]].cover;
        RIDE_TRY(lay_node(l, tree_index, &old_nodes[l->queue[i]], node, &tail));
    }
    ride_forest_tree *out = RIDE_COMPILE_ADD(l->c, FOREST_TREES, ride_forest_tree, 1);
    if (out == NULL) return ride_compile_no_memory(l->c);
    *out =
        (ride_forest_tree){.nodes_first = l->nodes_count, .nodes_count = tail, .output = tree->output, .depth = depth};
    l->nodes_count += tail;
    if (depth > l->depth_max) l->depth_max = depth;
    return RIDE_OK;
}

static ride_status add_header(layer *l) {
    ride_compiler *c = l->c;
    const ride_model *model = l->model;
    const bool is_behind = model->steps_count > 0;
    const uint32_t inputs = is_behind ? model->steps[model->steps_count - 1].outputs : model->inputs_count;
    ride_forest_header *header = RIDE_COMPILE_ADD(c, FOREST, ride_forest_header, 1);
    double *margins = ride_compile_add(&c->base_margins, model->outputs_count * sizeof *margins);
    if (header == NULL || margins == NULL) return ride_compile_no_memory(c);
    *header = (ride_forest_header){
        .forest_version = RIDE_FOREST_VERSION,
        .trees_count = model->trees_count,
        .nodes_count = l->nodes_count,
        .inputs_count = inputs,
        .outputs_count = model->outputs_count,
        .category_words_count = l->words_count,
        .lines_count = l->lines_count,
        .terms_count = l->terms_count,
        .input_number = model->input_number,
        .sum_number = model->sum_number,
        .link = model->link,
        .link_scale = model->link_scale,
        .mean_of = model->mean_of,
        .aggregate = model->aggregate,
        .flags = (model->base_last || model->aggregate != RIDE_FOREST_SUM ? RIDE_FOREST_BASE_LAST : 0u) |
                 (is_behind ? RIDE_FOREST_BEHIND_NETWORK : 0u) | (l->has_covers ? RIDE_FOREST_HAS_COVERS : 0u),
        .depth_max = l->depth_max,
    };
    snprintf(header->format, sizeof header->format, "%s", model->format);
    snprintf(header->objective, sizeof header->objective, "%s", model->objective);
    memcpy(margins, model->base_margins, model->outputs_count * sizeof *margins);
    c->forests_count++;
    if (is_behind || c->vector == NULL || inputs == 0) return RIDE_OK;
    uint32_t *sources = RIDE_COMPILE_ADD(c, FOREST_INPUTS, uint32_t, inputs);
    if (sources == NULL) return ride_compile_no_memory(c);
    memcpy(sources, c->inputs, inputs * sizeof *sources);
    return RIDE_OK;
}

ride_status ride_compile_forest(ride_compiler *c) {
    layer l = {.c = c, .model = c->member->model, .has_covers = has_covers(c->member->model)};
    uint32_t nodes_most = 0;
    for (uint32_t t = 0; t < l.model->trees_count; t++)
        if (l.model->trees[t].nodes_count > nodes_most) nodes_most = l.model->trees[t].nodes_count;
    l.queue = calloc((size_t)nodes_most + 2, sizeof *l.queue);
    l.laid = calloc((size_t)l.model->sets_count + 1, sizeof *l.laid);
    const uint64_t nodes = l.model->nodes_count - l.model->nodes_unreachable;
    bool ok =
        l.queue != NULL && l.laid != NULL &&
        ride_compile_reserve(&c->parts[RIDE_SECTION_FOREST_NODES], nodes * sizeof(ride_forest_node)) &&
        ride_compile_reserve(&c->parts[RIDE_SECTION_FOREST_COVERS], l.has_covers ? nodes * sizeof(double) : 0) &&
        ride_compile_reserve(&c->parts[RIDE_SECTION_FOREST_LEAVES], l.model->lines_count * sizeof(ride_forest_line)) &&
        ride_compile_reserve(&c->parts[RIDE_SECTION_FOREST_TERMS], l.model->terms_count * sizeof(ride_forest_term)) &&
        ride_compile_reserve(&c->parts[RIDE_SECTION_FOREST_TREES], l.model->trees_count * sizeof(ride_forest_tree));
    ride_status st = ok ? RIDE_OK : ride_compile_no_memory(c);
    for (uint32_t t = 0; st == RIDE_OK && t < l.model->trees_count; t++) st = lay_tree(&l, t);
    if (st == RIDE_OK) st = add_header(&l);
    free(l.laid);
    free(l.queue);
    return st;
}
