/* The forest's check: a good forest opens, and every single damage is refused (scorers index without tests). */
#include "kernels/layout/forest.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

typedef struct parts {
    struct {
        ride_forest_header header;
        double base;
    } head;
    ride_forest_tree tree;
    ride_forest_node nodes[5];
    uint32_t words[1];
    double covers[5];
    uint64_t covers_bytes;   /* 0: there are none */
    ride_forest_line *lines; /* 2, or NULL */
    ride_forest_term *terms; /* 1 */
} parts;

/* 0 tests input 1; 1 is a leaf; 2 tests a category set; 3 and 4 are leaves. */
static parts good(void) {
    parts p;
    memset(&p, 0, sizeof p);
    p.head.header = (ride_forest_header){.forest_version = RIDE_FOREST_VERSION,
                                         .forests_count = 1,
                                         .trees_count = 1,
                                         .nodes_count = 5,
                                         .inputs_count = 2,
                                         .outputs_count = 1,
                                         .category_words_count = 1,
                                         .input_number = RIDE_FOREST_F32,
                                         .sum_number = RIDE_FOREST_F32,
                                         .link = RIDE_FOREST_LINK_SIGMOID,
                                         .depth_max = 2};
    p.head.base = 0.5;
    p.tree = (ride_forest_tree){.nodes_count = 5, .depth = 2};
    p.nodes[0] = (ride_forest_node){.u.threshold = 1.5, .input = 1, .left = 1};
    p.nodes[1] = (ride_forest_node){.u.leaf = 0.25, .input = RIDE_NODE_LEAF};
    p.nodes[2] = (ride_forest_node){.u.set = {0, 1}, .input = RIDE_NODE_SET, .left = 3};
    p.nodes[3] = p.nodes[4] = p.nodes[1];
    p.head.header.flags = RIDE_FOREST_HAS_COVERS;
    p.covers[0] = 3.5;
    p.covers[1] = 1.5;
    p.covers_bytes = sizeof p.covers;
    return p;
}

static ride_status open_parts(const parts *p) {
    ride_bundle bundle;
    ride_forest forest;
    ride_error err;
    memset(&bundle, 0, sizeof bundle);
    bundle.sections[RIDE_SECTION_FOREST] = &p->head;
    bundle.sections_bytes[RIDE_SECTION_FOREST] = sizeof p->head;
    bundle.sections[RIDE_SECTION_FOREST_TREES] = &p->tree;
    bundle.sections_bytes[RIDE_SECTION_FOREST_TREES] = sizeof p->tree;
    bundle.sections[RIDE_SECTION_FOREST_NODES] = p->nodes;
    bundle.sections_bytes[RIDE_SECTION_FOREST_NODES] = sizeof p->nodes;
    bundle.sections[RIDE_SECTION_FOREST_CATEGORIES] = p->words;
    bundle.sections_bytes[RIDE_SECTION_FOREST_CATEGORIES] = sizeof p->words;
    bundle.sections[RIDE_SECTION_FOREST_COVERS] = p->covers_bytes > 0 ? p->covers : NULL;
    bundle.sections_bytes[RIDE_SECTION_FOREST_COVERS] = p->covers_bytes;
    bundle.sections[RIDE_SECTION_FOREST_LEAVES] = p->lines;
    bundle.sections_bytes[RIDE_SECTION_FOREST_LEAVES] = p->lines != NULL ? 2 * sizeof *p->lines : 0;
    bundle.sections[RIDE_SECTION_FOREST_TERMS] = p->terms;
    bundle.sections_bytes[RIDE_SECTION_FOREST_TERMS] = p->terms != NULL ? sizeof *p->terms : 0;
    const ride_status st = ride_forest_open(&bundle, 0, &forest, &err);
    if (st == RIDE_OK) cr_assert_eq(forest.covers, p->covers_bytes > 0 ? p->covers : NULL);
    return st;
}

/* The same, of doubles, with lines in its first two leaves: one term, and none. */
static parts linear(ride_forest_line *lines, ride_forest_term *terms) {
    parts p = good();
    p.head.header.input_number = p.head.header.sum_number = RIDE_FOREST_F64;
    p.head.header.lines_count = 2;
    p.head.header.terms_count = 1;
    p.nodes[1].left = 1;
    p.nodes[3].left = 2;
    lines[0] = (ride_forest_line){0.1, 0, 1};
    lines[1] = (ride_forest_line){-2.5, 1, 0};
    terms[0] = (ride_forest_term){.coefficient = 0.3, .input = 1};
    p.lines = lines;
    p.terms = terms;
    return p;
}

#define REFUSED(change)                                                                                                \
    do {                                                                                                               \
        parts p = good();                                                                                              \
        change;                                                                                                        \
        cr_assert_eq(open_parts(&p), RIDE_E_CORRUPT, #change);                                                         \
    } while (0)

Test(forest, a_good_one_opens_and_every_damage_is_refused) {
    parts fine = good();
    cr_assert_eq(open_parts(&fine), RIDE_OK);
    fine.covers_bytes = 0;
    cr_assert_eq(open_parts(&fine), RIDE_E_CORRUPT); /* the flag says that there are */
    fine.head.header.flags = 0;
    cr_assert_eq(open_parts(&fine), RIDE_OK);
    fine.head.header.forest_version++;
    cr_assert_eq(open_parts(&fine), RIDE_E_VERSION);
    REFUSED(p.head.header.trees_count = 2);
    REFUSED(p.head.header.nodes_count = 4);
    REFUSED(p.head.header.outputs_count = 0);
    REFUSED(p.head.header.outputs_count = 2);
    REFUSED(p.head.header.depth_max = 3);
    REFUSED(p.head.header.link = RIDE_FOREST_LINKS);
    REFUSED(p.head.header.link = RIDE_FOREST_LINK_ISOLATION); /* of floats */
    REFUSED(p.head.header.flags = 8);
    REFUSED(p.head.header.flags = RIDE_FOREST_BEHIND_NETWORK); /* and there is none */
    REFUSED(p.head.header.forests_count = 0);
    REFUSED(p.head.header.forests_count = 2);
    REFUSED(p.head.header.aggregate = RIDE_FOREST_MIN); /* without the base last */
    REFUSED((p.head.header.aggregate = 3, p.head.header.flags = RIDE_FOREST_BASE_LAST));
    REFUSED(p.head.header.link_scale = 1.0);                 /* of no link that has one */
    REFUSED(p.head.header.link = RIDE_FOREST_LINK_LOGISTIC); /* of floats, and without a scale */
    REFUSED(p.head.header.category_words_count = 0);
    REFUSED(memset(p.head.header.format, 'x', sizeof p.head.header.format));
    REFUSED(p.head.base = NAN);
    REFUSED(p.head.base = 0.1); /* no float */
    REFUSED(p.tree.nodes_first = 1);
    REFUSED(p.tree.nodes_count = 3);
    REFUSED(p.tree.output = 1);
    REFUSED(p.tree.depth = 1);
    REFUSED(p.nodes[0].left = 0); /* a cycle */
    REFUSED(p.nodes[2].left = 1); /* shared children */
    REFUSED(p.nodes[2].left = 4);
    REFUSED(p.nodes[2].input = RIDE_NODE_LEAF); /* two nodes that nothing reaches */
    REFUSED(p.nodes[4].input = 0);              /* children beyond the tree */
    REFUSED(p.nodes[0].input = 2);
    REFUSED(p.nodes[0].input |= 0x80000000u);
    REFUSED(p.nodes[0].input |= RIDE_NODE_SET_LEFT);
    REFUSED(p.nodes[0].input |= RIDE_NODE_SET_FROM_MINUS_1);
    REFUSED(p.nodes[2].input |= RIDE_NODE_ZERO_MISSING);
    REFUSED(p.nodes[2].input |= RIDE_NODE_ONLY_MISSING);
    REFUSED(p.nodes[0].u.threshold = NAN);
    REFUSED(p.nodes[1].u.leaf = INFINITY);
    REFUSED(p.nodes[1].left = 1);
    REFUSED(p.nodes[2].u.set.words_count = 2);
    REFUSED(p.nodes[2].u.set.words_first = UINT32_MAX);
    REFUSED(p.covers_bytes -= sizeof(double));
    REFUSED(p.head.header.flags = 0);
    REFUSED(p.covers[4] = -1.0);
    REFUSED(p.covers[4] = NAN);
    REFUSED(p.covers[0] = INFINITY);
}

Test(forest, lines_are_each_of_one_leaf_and_in_order) {
    ride_forest_line lines[2];
    ride_forest_term terms[1];
    parts fine = linear(lines, terms);
    cr_assert_eq(open_parts(&fine), RIDE_OK);
#define LINES_REFUSED(change)                                                                                          \
    do {                                                                                                               \
        parts p = linear(lines, terms);                                                                                \
        change;                                                                                                        \
        cr_assert_eq(open_parts(&p), RIDE_E_CORRUPT, #change);                                                         \
    } while (0)
    LINES_REFUSED(p.head.header.lines_count = 1);
    LINES_REFUSED(p.head.header.lines_count = 0);
    LINES_REFUSED(p.head.header.terms_count = 0);
    LINES_REFUSED(p.head.header.terms_count = 2);
    LINES_REFUSED(p.lines = NULL);
    LINES_REFUSED(p.terms = NULL);
    LINES_REFUSED(p.nodes[1].left = 2); /* whose the other is */
    LINES_REFUSED(p.nodes[3].left = 1);
    LINES_REFUSED(p.nodes[3].left = 0);
    LINES_REFUSED(p.nodes[4].left = 3);
    LINES_REFUSED(lines[0].terms_first = 1);
    LINES_REFUSED(lines[0].terms_count = 0);
    LINES_REFUSED(lines[0].terms_count = UINT32_MAX);
    LINES_REFUSED(lines[1].terms_count = 1);
    LINES_REFUSED(lines[0].constant = INFINITY);
    LINES_REFUSED(terms[0].coefficient = NAN);
    LINES_REFUSED(terms[0].input = 2);
    LINES_REFUSED(terms[0].unused = 1);
    LINES_REFUSED(p.head.header.sum_number = RIDE_FOREST_F32);
    LINES_REFUSED((p.head.header.input_number = RIDE_FOREST_F32, p.head.base = 0.5));
    LINES_REFUSED((p.head.header.aggregate = RIDE_FOREST_MIN, p.head.header.flags |= RIDE_FOREST_BASE_LAST));
}
