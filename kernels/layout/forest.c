/* kernels/layout/forest.c: the checks of a forest that came from a file. A bundle's checksum proves that it is as written, not
 * that it was written well: the scorers index without tests, so nothing is taken on trust here. */
#include "kernels/layout/forest.h"

#include "kernels/layout/check.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* What all forests of a bundle need of each section. */
typedef struct totals {
    uint64_t outputs, trees, nodes, words, inputs, covers, lines, terms;
} totals;

/* Also for networks, whose answers have the same links. */
ride_status ride_forest_link_check(const char *what, uint32_t link, uint32_t number, double scale, ride_error *err) {
    if (link < RIDE_FOREST_LINK_NONE || link >= RIDE_FOREST_LINKS)
        return ride_fail(err, RIDE_E_CORRUPT, "%s: link %u", what, link);
    const bool of_doubles =
        link >= RIDE_FOREST_LINK_LOGISTIC && link <= RIDE_FOREST_LINK_ISOLATION && link != RIDE_FOREST_LINK_EXP;
    if (of_doubles && number != RIDE_FOREST_F64)
        return ride_fail(err, RIDE_E_CORRUPT, "%s: link %u of floats", what, link);
    const bool has_scale = link == RIDE_FOREST_LINK_LOGISTIC || link == RIDE_FOREST_LINK_ISOLATION;
    if (!isfinite(scale) || (has_scale ? scale <= 0.0 : scale != 0.0))
        return ride_fail(err, RIDE_E_CORRUPT, "%s: link scale %g", what, scale);
    return RIDE_OK;
}

ride_status ride_section_check(const ride_bundle *bundle, ride_section section, const char *what, uint64_t count,
                               uint64_t entry_bytes, ride_error *err) {
    uint64_t have = bundle->sections[section] != NULL ? bundle->sections_bytes[section] : 0;
    if (have == count * entry_bytes) return RIDE_OK;
    return ride_fail(err, RIDE_E_CORRUPT, "%s has %llu bytes, %llu needed", what, (unsigned long long)have,
                     (unsigned long long)(count * entry_bytes));
}

static ride_status check_header(const ride_forest_header *h, uint32_t forests_count, ride_error *err) {
    if (h->forest_version != RIDE_FOREST_VERSION)
        return ride_fail(err, RIDE_E_VERSION, "forest version %u, this program reads %u", h->forest_version,
                         (unsigned)RIDE_FOREST_VERSION);
    if (h->forests_count != forests_count || forests_count == 0 || forests_count > RIDE_FORESTS_MAX)
        return ride_fail(err, RIDE_E_CORRUPT, "forest: %u forests, the first says %u", h->forests_count, forests_count);
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
    RIDE_TRY(ride_forest_link_check("forest", h->link, h->sum_number, h->link_scale, err));
    const uint32_t known = RIDE_FOREST_BASE_LAST | RIDE_FOREST_BEHIND_NETWORK | RIDE_FOREST_HAS_COVERS;
    const bool base_last = (h->flags & RIDE_FOREST_BASE_LAST) != 0;
    if ((h->flags & ~known) != 0 || h->aggregate > RIDE_FOREST_MAX || (h->aggregate != RIDE_FOREST_SUM && !base_last))
        return ride_fail(err, RIDE_E_CORRUPT, "forest: flags %#x, aggregate %u", h->flags, h->aggregate);
    if (h->lines_count > h->nodes_count || (h->lines_count == 0 && h->terms_count > 0) ||
        (h->lines_count > 0 &&
         (h->input_number != RIDE_FOREST_F64 || h->sum_number != RIDE_FOREST_F64 || h->aggregate != RIDE_FOREST_SUM)))
        return ride_fail(err, RIDE_E_CORRUPT, "forest: %u lines of %u terms", h->lines_count, h->terms_count);
    if (memchr(h->format, 0, sizeof h->format) == NULL || memchr(h->objective, 0, sizeof h->objective) == NULL)
        return ride_fail(err, RIDE_E_CORRUPT, "forest: a name is not terminated");
    return RIDE_OK;
}

/* Inputs of a forest that FOREST_INPUTS has. */
static uint32_t inputs_of(const ride_bundle *bundle, const ride_forest_header *h) {
    const bool has = bundle->plan != NULL || bundle->sections[RIDE_SECTION_ENSEMBLE] != NULL;
    return has && (h->flags & RIDE_FOREST_BEHIND_NETWORK) == 0 ? h->inputs_count : 0;
}

static void add_to(totals *t, const ride_bundle *bundle, const ride_forest_header *h) {
    t->outputs += h->outputs_count;
    t->trees += h->trees_count;
    t->nodes += h->nodes_count;
    t->words += h->category_words_count;
    t->inputs += inputs_of(bundle, h);
    t->covers += (h->flags & RIDE_FOREST_HAS_COVERS) != 0 ? h->nodes_count : 0;
    t->lines += h->lines_count;
    t->terms += h->terms_count;
}

static ride_status check_sections(const ride_bundle *bundle, const ride_forest_header *headers, uint64_t bytes,
                                  uint32_t count, ride_error *err) {
    totals all = {0};
    for (uint32_t i = 0; i < count; i++) {
        RIDE_TRY(check_header(&headers[i], count, err));
        add_to(&all, bundle, &headers[i]);
    }
    if (bytes != count * sizeof *headers + all.outputs * sizeof(double))
        return ride_fail(err, RIDE_E_CORRUPT, "forest: base margins cut short");
    RIDE_TRY(ride_section_check(bundle, RIDE_SECTION_FOREST_TREES, "forest: trees", all.trees, sizeof(ride_forest_tree),
                                err));
    RIDE_TRY(ride_section_check(bundle, RIDE_SECTION_FOREST_NODES, "forest: nodes", all.nodes, sizeof(ride_forest_node),
                                err));
    RIDE_TRY(ride_section_check(bundle, RIDE_SECTION_FOREST_CATEGORIES, "forest: categories", all.words,
                                sizeof(uint32_t), err));
    RIDE_TRY(ride_section_check(bundle, RIDE_SECTION_FOREST_LEAVES, "forest: leaves", all.lines,
                                sizeof(ride_forest_line), err));
    RIDE_TRY(ride_section_check(bundle, RIDE_SECTION_FOREST_TERMS, "forest: terms", all.terms, sizeof(ride_forest_term),
                                err));
    RIDE_TRY(ride_section_check(bundle, RIDE_SECTION_FOREST_COVERS, "forest: covers", all.covers, sizeof(double), err));
    return ride_section_check(bundle, RIDE_SECTION_FOREST_INPUTS, "forest: inputs", all.inputs, sizeof(uint32_t), err);
}

/* A number of the forest's sum type: adding it must not round differently from what the trainer did. */
static int is_number(double value, uint32_t number) {
    return isfinite(value) && (number == RIDE_FOREST_F64 || (double)(float)value == value);
}

/* Lines and terms met so far: they lie in the order of the leaves, each once. */
typedef struct lines_met {
    uint32_t lines, terms;
} lines_met;

static ride_status check_line(const ride_forest *forest, const ride_forest_node *leaf, lines_met *met,
                              ride_error *err) {
    const ride_forest_header *h = forest->header;
    if (leaf->left == 0) return RIDE_OK;
    if (leaf->left != met->lines + 1 || met->lines == h->lines_count)
        return ride_fail(err, RIDE_E_CORRUPT, "forest: a leaf has line %u of %u, %u was expected", leaf->left - 1,
                         h->lines_count, met->lines);
    const ride_forest_line *line = &forest->lines[met->lines++];
    if (line->terms_first != met->terms || line->terms_count > h->terms_count - met->terms)
        return ride_fail(err, RIDE_E_CORRUPT, "forest: line %u has terms %u + %u of %u", met->lines - 1,
                         line->terms_first, line->terms_count, h->terms_count);
    if (!isfinite(line->constant))
        return ride_fail(err, RIDE_E_CORRUPT, "forest: line %u begins with %g", met->lines - 1, line->constant);
    for (uint32_t i = 0; i < line->terms_count; i++, met->terms++) {
        const ride_forest_term *term = &forest->terms[met->terms];
        if (!isfinite(term->coefficient) || term->input >= h->inputs_count || term->unused != 0)
            return ride_fail(err, RIDE_E_CORRUPT, "forest: term %u is %g of input %u of %u", met->terms,
                             term->coefficient, term->input, h->inputs_count);
    }
    return RIDE_OK;
}

static ride_status check_node(const ride_forest *forest, const ride_forest_node *node, uint32_t tree_index,
                              uint32_t node_index, lines_met *met, ride_error *err) {
    const ride_forest_header *h = forest->header;
    uint32_t bits = node->input & ~(uint32_t)RIDE_NODE_INPUT_MASK, input = node->input & RIDE_NODE_INPUT_MASK;
    if (bits & ~(uint32_t)(RIDE_NODE_LEAF | RIDE_NODE_DEFAULT_LEFT | RIDE_NODE_SET | RIDE_NODE_SET_LEFT |
                           RIDE_NODE_SET_FROM_MINUS_1 | RIDE_NODE_ZERO_MISSING | RIDE_NODE_ONLY_MISSING))
        return ride_fail(err, RIDE_E_CORRUPT, "forest: tree %u node %u has unknown bits %#x", tree_index, node_index,
                         bits);
    if (bits & RIDE_NODE_LEAF) {
        if (node->input != RIDE_NODE_LEAF)
            return ride_fail(err, RIDE_E_CORRUPT, "forest: tree %u leaf %u has a test", tree_index, node_index);
        if (!is_number(node->u.leaf, h->sum_number))
            return ride_fail(err, RIDE_E_CORRUPT, "forest: tree %u leaf %u is %g", tree_index, node_index,
                             node->u.leaf);
        return check_line(forest, node, met, err);
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
static ride_status check_tree(const ride_forest *forest, uint32_t tree_index, uint32_t nodes_first, lines_met *met,
                              ride_error *err) {
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
        RIDE_TRY(check_node(forest, node, tree_index, i, met, err));
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

uint32_t ride_forests_count(const ride_bundle *bundle) {
    const ride_forest_header *headers = bundle->sections[RIDE_SECTION_FOREST];
    const uint64_t bytes = bundle->sections_bytes[RIDE_SECTION_FOREST];
    return headers != NULL && bytes >= sizeof *headers ? headers->forests_count : 0;
}

void ride_forest_view(const ride_bundle *bundle, uint32_t index, ride_forest *out) {
    const ride_forest_header *headers = bundle->sections[RIDE_SECTION_FOREST];
    totals before = {0};
    for (uint32_t i = 0; i < index; i++) add_to(&before, bundle, &headers[i]);
    const uint32_t *inputs = bundle->sections[RIDE_SECTION_FOREST_INPUTS];
    const uint32_t *words = bundle->sections[RIDE_SECTION_FOREST_CATEGORIES];
    const double *covers = bundle->sections[RIDE_SECTION_FOREST_COVERS];
    const ride_forest_line *lines = bundle->sections[RIDE_SECTION_FOREST_LEAVES];
    const ride_forest_term *terms = bundle->sections[RIDE_SECTION_FOREST_TERMS];
    *out = (ride_forest){
        .header = &headers[index],
        .base_margins = (const double *)(headers + headers->forests_count) + before.outputs,
        .trees = ride_bundle_array(bundle, RIDE_SECTION_FOREST_TREES, ride_forest_tree) + before.trees,
        .nodes = ride_bundle_array(bundle, RIDE_SECTION_FOREST_NODES, ride_forest_node) + before.nodes,
        .category_words = words != NULL ? words + before.words : NULL,
        .inputs = inputs_of(bundle, &headers[index]) > 0 ? inputs + before.inputs : NULL,
        .covers = (headers[index].flags & RIDE_FOREST_HAS_COVERS) != 0 ? covers + before.covers : NULL,
        .lines = headers[index].lines_count > 0 ? lines + before.lines : NULL,
        .terms = headers[index].terms_count > 0 ? terms + before.terms : NULL,
    };
}

ride_status ride_forest_open(const ride_bundle *bundle, uint32_t index, ride_forest *out, ride_error *err) {
    memset(out, 0, sizeof *out);
    const ride_forest_header *headers = bundle->sections[RIDE_SECTION_FOREST];
    const uint64_t bytes = bundle->sections_bytes[RIDE_SECTION_FOREST];
    if (headers == NULL) return ride_fail(err, RIDE_E_MODEL, "the bundle holds no forest");
    if (bytes < sizeof *headers) return ride_fail(err, RIDE_E_CORRUPT, "forest: header cut short");
    if (headers->forest_version != RIDE_FOREST_VERSION)
        return ride_fail(err, RIDE_E_VERSION, "forest version %u, this program reads %u", headers->forest_version,
                         (unsigned)RIDE_FOREST_VERSION);
    const uint32_t count = headers->forests_count;
    if (count == 0 || bytes / sizeof *headers < count)
        return ride_fail(err, RIDE_E_CORRUPT, "forest: headers cut short");
    if (index >= count) return ride_fail(err, RIDE_E_MODEL, "the bundle holds %u forests", count);
    RIDE_TRY(check_sections(bundle, headers, bytes, count, err));
    const bool is_alone = bundle->sections[RIDE_SECTION_ENSEMBLE] == NULL;
    if (is_alone && (count != 1 || (headers->flags & RIDE_FOREST_BEHIND_NETWORK) != 0))
        return ride_fail(err, RIDE_E_CORRUPT, "forest: nothing says what %u forests are for", count);
    ride_forest forest;
    ride_forest_view(bundle, index, &forest);
    const ride_forest_header *h = forest.header;
    for (uint32_t i = 0; i < h->outputs_count; i++)
        if (!is_number(forest.base_margins[i], h->sum_number))
            return ride_fail(err, RIDE_E_CORRUPT, "forest: base margin %u is %g", i, forest.base_margins[i]);
    for (uint32_t i = 0; is_alone && forest.inputs != NULL && i < h->inputs_count; i++)
        if (forest.inputs[i] >= bundle->plan->vector_count)
            return ride_fail(err, RIDE_E_CORRUPT, "forest: input %u reads vector entry %u of %u", i, forest.inputs[i],
                             bundle->plan->vector_count);
    for (uint32_t i = 0; forest.covers != NULL && i < h->nodes_count; i++)
        if (!(forest.covers[i] >= 0.0) || !isfinite(forest.covers[i]))
            return ride_fail(err, RIDE_E_CORRUPT, "forest: cover %u is %g", i, forest.covers[i]);
    uint32_t nodes_first = 0, depth_max = 0;
    lines_met met = {0};
    for (uint32_t i = 0; i < h->trees_count; i++) {
        RIDE_TRY(check_tree(&forest, i, nodes_first, &met, err));
        nodes_first += forest.trees[i].nodes_count;
        if (forest.trees[i].depth > depth_max) depth_max = forest.trees[i].depth;
    }
    if (nodes_first != h->nodes_count || depth_max != h->depth_max)
        return ride_fail(err, RIDE_E_CORRUPT, "forest: trees hold %u of %u nodes, depth %u of %u", nodes_first,
                         h->nodes_count, depth_max, h->depth_max);
    if (met.lines != h->lines_count || met.terms != h->terms_count)
        return ride_fail(err, RIDE_E_CORRUPT, "forest: %u of %u lines, %u of %u terms are of no leaf", met.lines,
                         h->lines_count, met.terms, h->terms_count);
    *out = forest;
    return RIDE_OK;
}
