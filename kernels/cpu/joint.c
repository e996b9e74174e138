/* kernels/cpu/joint.c: trees, nodes, sets and base margins of the members one behind the other, inputs renumbered. */
#include "kernels/cpu/joint.h"

#include <stdlib.h>
#include <string.h>

struct ride_cpu_joint {
    ride_cpu_forest *engine;
    ride_forest_header header;
    double *base_margins;
    ride_forest_tree *trees;
    ride_forest_node *nodes;
    uint32_t *words;
};

static bool is_always;
void ride_cpu_joint_always(bool always) { is_always = always; }

static bool is_plain(const ride_forest *f) {
    return f->header->aggregate == RIDE_FOREST_SUM && f->header->lines_count == 0;
}

bool ride_cpu_joint_fits(const ride_forest *a, const ride_forest *b) {
    return is_plain(a) && is_plain(b) && a->header->input_number == b->header->input_number &&
           a->header->sum_number == b->header->sum_number &&
           ((a->header->flags ^ b->header->flags) & RIDE_FOREST_BASE_LAST) == 0;
}

/* Sizes of all together. False: more than a forest can have. */
static bool sizes_add(const ride_joint_member *members, uint32_t members_count, ride_forest_header *h) {
    uint64_t trees = 0, nodes = 0, outputs = 0, words = 0;
    for (uint32_t m = 0; m < members_count; m++) {
        const ride_forest_header *of = members[m].forest->header;
        trees += of->trees_count;
        nodes += of->nodes_count;
        outputs += of->outputs_count;
        words += of->category_words_count;
        if (of->depth_max > h->depth_max) h->depth_max = of->depth_max;
    }
    h->trees_count = (uint32_t)trees;
    h->nodes_count = (uint32_t)nodes;
    h->outputs_count = (uint32_t)outputs;
    h->category_words_count = (uint32_t)words;
    return trees <= UINT32_MAX && nodes <= UINT32_MAX / 2 && outputs <= RIDE_FOREST_OUTPUTS_MAX && words <= UINT32_MAX;
}

static void member_add(ride_cpu_joint *j, const ride_joint_member *member, ride_forest_header *at) {
    const ride_forest *f = member->forest;
    const ride_forest_header *h = f->header;
    memcpy(j->base_margins + at->outputs_count, f->base_margins, h->outputs_count * sizeof *j->base_margins);
    if (h->category_words_count > 0)
        memcpy(j->words + at->category_words_count, f->category_words, h->category_words_count * sizeof *j->words);
    for (uint32_t t = 0; t < h->trees_count; t++) {
        ride_forest_tree *tree = &j->trees[at->trees_count + t];
        *tree = f->trees[t];
        tree->nodes_first += at->nodes_count;
        tree->output += at->outputs_count;
    }
    for (uint32_t n = 0; n < h->nodes_count; n++) {
        ride_forest_node *node = &j->nodes[at->nodes_count + n];
        *node = f->nodes[n];
        if (node->input & RIDE_NODE_LEAF) continue;
        node->input =
            (node->input & ~(uint32_t)RIDE_NODE_INPUT_MASK) | member->columns[node->input & RIDE_NODE_INPUT_MASK];
        if (node->input & RIDE_NODE_SET) node->u.set.words_first += at->category_words_count;
    }
    at->trees_count += h->trees_count;
    at->nodes_count += h->nodes_count;
    at->outputs_count += h->outputs_count;
    at->category_words_count += h->category_words_count;
}

static double block_ns(const ride_cpu_forest *forest) {
    ride_cpu_forest_report report;
    ride_cpu_forest_describe(forest, &report);
    return report.sizes[RIDE_CPU_FOREST_TOLD - 1].ns_per_row;
}

static bool is_faster(const ride_cpu_joint *j, const ride_joint_member *members, uint32_t members_count) {
    double apart = 0;
    for (uint32_t m = 0; m < members_count; m++) apart += block_ns(members[m].own);
    return block_ns(j->engine) < apart;
}

ride_status ride_cpu_joint_create(const ride_joint_member *members, uint32_t members_count, uint32_t columns_count,
                                  ride_cpu_isa isa, ride_cpu_joint **out, ride_error *err) {
    *out = NULL;
    ride_cpu_joint *j = calloc(1, sizeof *j);
    if (j == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a forest of %u members", members_count);
    j->header = *members[0].forest->header;
    j->header.inputs_count = columns_count;
    j->header.flags &= RIDE_FOREST_BASE_LAST;
    if (!sizes_add(members, members_count, &j->header)) {
        free(j);
        return RIDE_OK;
    }
    const ride_forest_header *h = &j->header;
    j->base_margins = malloc(((size_t)h->outputs_count + 1) * sizeof *j->base_margins);
    j->trees = malloc(((size_t)h->trees_count + 1) * sizeof *j->trees);
    j->nodes = malloc(((size_t)h->nodes_count + 1) * sizeof *j->nodes);
    j->words = malloc(((size_t)h->category_words_count + 1) * sizeof *j->words);
    ride_status st = RIDE_OK;
    if (j->base_margins == NULL || j->trees == NULL || j->nodes == NULL || j->words == NULL)
        st = ride_fail(err, RIDE_E_MEMORY, "no memory for a forest of %u nodes", h->nodes_count);
    if (st == RIDE_OK) {
        ride_forest_header at = {0};
        for (uint32_t m = 0; m < members_count; m++) member_add(j, &members[m], &at);
        const ride_forest forest = {.header = h,
                                    .base_margins = j->base_margins,
                                    .trees = j->trees,
                                    .nodes = j->nodes,
                                    .category_words = h->category_words_count > 0 ? j->words : NULL};
        st = ride_cpu_forest_create(&forest, isa, &j->engine, err);
    }
    if (st == RIDE_OK && (is_always || is_faster(j, members, members_count))) *out = j;
    else ride_cpu_joint_destroy(j);
    return st;
}

void ride_cpu_joint_destroy(ride_cpu_joint *j) {
    if (j == NULL) return;
    ride_cpu_forest_destroy(j->engine);
    free(j->base_margins);
    free(j->trees);
    free(j->nodes);
    free(j->words);
    free(j);
}

const ride_cpu_forest *ride_cpu_joint_forest(const ride_cpu_joint *j) { return j->engine; }
const ride_forest_header *ride_cpu_joint_header(const ride_cpu_joint *j) { return &j->header; }
