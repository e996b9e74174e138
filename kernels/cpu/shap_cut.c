/* kernels/cpu/shap_cut.c: where trees are cut into groups. What lies under a node can be a group if the inputs of the path to it and the tests below
 * fit into 10 bits together; a leaf can always be deep. From the leaves up, the cheaper of one group and the best of both sides is taken. */
#include "kernels/cpu/shap_internal.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

static const uint32_t none = UINT32_MAX;

static bool is_leaf(const ride_forest_node *node) { return (node->input & RIDE_NODE_LEAF) != 0; }
static uint32_t input_of(const ride_forest_node *node) { return node->input & RIDE_NODE_INPUT_MASK; }

/* The share of a node's training rows that went to its child; where none came, half of them. */
double shap_share(const ride_forest *forest, const ride_forest_tree *tree, uint32_t node, uint32_t child) {
    if (forest->covers == NULL) return 0.5; /* with a background nobody asks */
    const double *covers = forest->covers + tree->nodes_first;
    if (!(covers[node] > 0.0)) return 0.5;
    const double share = covers[child] / covers[node];
    return share < 1.0 ? share : 1.0;
}

/* ---- cuts ---- */

static ride_status cut_add(shap_maker *m, shap_cut cut, ride_error *err) {
    if (m->cuts_count == m->cuts_room) {
        const uint32_t room = m->cuts_room + m->cuts_room / 2 + 1024;
        shap_cut *cuts = realloc(m->cuts, (size_t)room * sizeof *cuts);
        if (cuts == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for %u parts of trees", room);
        m->cuts = cuts;
        m->cuts_room = room;
    }
    m->cuts[m->cuts_count++] = cut;
    return RIDE_OK;
}

/* The way down to a node, and how often each input is tested on it; then of each node of the tree what was found. */
typedef struct walk {
    uint32_t *nodes, *turns; /* by level */
    uint32_t *tests;         /* by input */
    uint32_t *inner;         /* inner nodes under the node, itself included */
    uint32_t *distinct;      /* inputs of the way to it */
    uint32_t *inputs;        /* with those below, if it can be a group */
    uint64_t *costs;         /* of the best that can be done below */
    bool *whole;             /* it is one group, or a leaf */
    uint32_t on_way;         /* different inputs */
} walk;

/* Of a look-up for 64 rows, by the bits of the group; and of a deep leaf: measured. In quarters of a cycle. */
static uint64_t group_cost(uint32_t bits, uint32_t inputs) {
    static const uint8_t of_table[SHAP_BITS + 1] = {11, 11, 11, 11, 11, 11, 11, 12, 22, 38, 70};
    return (uint64_t)inputs * of_table[bits];
}
static uint64_t deep_cost(uint64_t inputs) { return inputs * ((inputs + 1) / 2) * 48; }

/* Inputs that are tested under `node` and not on the way to it. */
static uint32_t inputs_below(const ride_forest_node *nodes, uint32_t node, const walk *w, uint32_t found[SHAP_BITS],
                             uint32_t count) {
    if (is_leaf(&nodes[node])) return count;
    const uint32_t input = input_of(&nodes[node]);
    bool is_new = w->tests[input] == 0;
    for (uint32_t i = 0; is_new && i < count; i++) is_new = found[i] != input;
    if (is_new) found[count++] = input;
    count = inputs_below(nodes, nodes[node].left, w, found, count);
    return inputs_below(nodes, nodes[node].left + 1, w, found, count);
}

static bool fits(const walk *w, uint32_t node) { return w->distinct[node] + w->inner[node] <= SHAP_BITS; }

/* Down every path: the inputs of each node's way, and of what may become a group. false: a path has more than `most`. */
static bool ways_count(const ride_forest_node *nodes, uint32_t most, walk *w) {
    uint32_t level = 0;
    w->nodes[0] = w->turns[0] = 0;
    w->on_way = 0;
    for (;;) {
        const uint32_t node = w->nodes[level];
        if (w->turns[level] == 0) {
            uint32_t found[SHAP_BITS];
            w->distinct[node] = w->inputs[node] = w->on_way;
            if (fits(w, node)) w->inputs[node] += inputs_below(nodes, node, w, found, 0);
            if (is_leaf(&nodes[node])) w->turns[level] = 2;
        }
        if (w->turns[level] == 2) { /* both sides are done */
            if (level == 0) return true;
            level--;
            if (--w->tests[input_of(&nodes[w->nodes[level]])] == 0) w->on_way--;
            continue;
        }
        if (w->tests[input_of(&nodes[node])]++ == 0) w->on_way++;
        if (w->on_way > most) return false;
        w->nodes[level + 1] = nodes[node].left + w->turns[level]++;
        w->turns[++level] = 0;
    }
}

static ride_status cut_tree(shap_maker *m, uint32_t tree_index, walk *w, ride_error *err) {
    const ride_forest_tree *tree = &m->forest->trees[tree_index];
    const ride_forest_node *nodes = m->forest->nodes + tree->nodes_first;
    uint32_t *parents = m->parents + tree->nodes_first;
    const uint32_t inputs_most = m->background != NULL ? 64 : RIDE_SHAP_INPUTS_MAX;
    for (uint32_t i = tree->nodes_count; i-- > 0;) {
        w->inner[i] = is_leaf(&nodes[i]) ? 0 : 1 + w->inner[nodes[i].left] + w->inner[nodes[i].left + 1];
        if (!is_leaf(&nodes[i])) parents[nodes[i].left] = parents[nodes[i].left + 1] = i;
    }
    parents[0] = none;
    if (w->inner[0] == 0) return RIDE_OK; /* it depends on nothing */
    if (!ways_count(nodes, inputs_most, w))
        return ride_fail(err, RIDE_E_UNSUPPORTED, "tree %u tests more than %u inputs on a path: it cannot be explained",
                         tree_index, inputs_most);
    for (uint32_t i = tree->nodes_count; i-- > 0;) {
        uint64_t whole = UINT64_MAX, split = UINT64_MAX;
        if (fits(w, i)) whole = group_cost(w->distinct[i] + w->inner[i], w->inputs[i]);
        else if (is_leaf(&nodes[i])) whole = deep_cost(w->distinct[i]);
        if (!is_leaf(&nodes[i])) split = w->costs[nodes[i].left] + w->costs[nodes[i].left + 1];
        w->whole[i] = whole <= split;
        w->costs[i] = w->whole[i] ? whole : split;
    }
    uint32_t left = 1; /* on the stack */
    w->nodes[0] = 0;
    while (left > 0) {
        const uint32_t node = w->nodes[--left];
        if (!w->whole[node]) {
            w->nodes[left++] = nodes[node].left + 1;
            w->nodes[left++] = nodes[node].left;
            continue;
        }
        const shap_cut cut = {tree_index,         node,          w->distinct[node] + w->inner[node], w->inputs[node],
                              w->inner[node] + 1, !fits(w, node)};
        RIDE_TRY(cut_add(m, cut, err));
    }
    return RIDE_OK;
}

static uint64_t table_bytes(const shap_cut *cut) {
    const uint64_t units = cut->bits < SHAP_INDEX_BITS ? 1 : UINT64_C(2) << (cut->bits - SHAP_INDEX_BITS);
    const uint64_t line = cut->inputs_count <= SHAP_LINE_ENTRIES ? 1 : 2;
    return cut->inputs_count * units * SHAP_TABLE_UNIT + (line * SHAP_LINE_UNIT << cut->bits);
}

/* At most what a group takes beside its table, while it is made. */
enum { GROUP_BYTES = 384 };

uint32_t shap_cut_tests(const shap_maker *m, const shap_cut *cut) {
    const uint32_t *parents = m->parents + m->forest->trees[cut->tree].nodes_first;
    uint32_t tests = cut->leaves_count - 1;
    for (uint32_t i = cut->root; parents[i] != none; i = parents[i]) tests++;
    return tests;
}

/* At most what the leaves of a cut take as deep ones. */
static uint64_t deep_bytes(const shap_maker *m, const shap_cut *cut) {
    const uint64_t tests = shap_cut_tests(m, cut);
    uint64_t masks = m->background_rows;
    if (cut->inputs_count < 12 && masks >> cut->inputs_count > 0) masks = UINT64_C(1) << cut->inputs_count;
    return cut->leaves_count * (sizeof(shap_deep) + cut->inputs_count * sizeof(shap_deep_input) +
                                tests * sizeof(shap_edge) + masks * sizeof(shap_mask));
}

typedef struct priced {
    uint64_t bytes_per_leaf;
    uint32_t cut;
} priced;

static int compare_priced(const void *a, const void *b) {
    const priced *l = a, *r = b;
    if (l->bytes_per_leaf != r->bytes_per_leaf) return l->bytes_per_leaf < r->bytes_per_leaf ? -1 : 1;
    return (l->cut > r->cut) - (l->cut < r->cut);
}

/* Where there is no room for all tables, those go first that explain the most leaves by the byte. */
static void tables_fit(shap_maker *m, priced *all) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < m->cuts_count; i++)
        all[i] = (priced){table_bytes(&m->cuts[i]) / m->cuts[i].leaves_count, i};
    qsort(all, m->cuts_count, sizeof *all, compare_priced);
    for (uint32_t i = 0; i < m->cuts_count; i++) {
        shap_cut *cut = &m->cuts[all[i].cut];
        if (cut->is_deep) continue;
        bytes += table_bytes(cut);
        cut->is_deep = bytes > m->tables_bytes_max;
    }
}

/* Where there is no room for all together, groups become deep leaves that take less, those first that spare the most by the leaf. */
static void whole_fit(shap_maker *m, priced *all, uint64_t fixed) {
    uint64_t bytes = fixed;
    uint32_t count = 0;
    for (uint32_t i = 0; i < m->cuts_count; i++) {
        const shap_cut *cut = &m->cuts[i];
        const uint64_t deep = deep_bytes(m, cut), group = table_bytes(cut) + GROUP_BYTES;
        bytes += cut->is_deep ? deep : group;
        if (!cut->is_deep && deep < group) all[count++] = (priced){(group - deep) / cut->leaves_count, i};
    }
    if (bytes <= m->bytes_max) return;
    qsort(all, count, sizeof *all, compare_priced);
    while (count > 0 && bytes > m->bytes_max) {
        shap_cut *cut = &m->cuts[all[--count].cut];
        bytes -= table_bytes(cut) + GROUP_BYTES - deep_bytes(m, cut);
        cut->is_deep = true;
    }
}

static ride_status cuts_fit(shap_maker *m, ride_error *err) {
    uint64_t tables = 0;
    for (uint32_t i = 0; i < m->cuts_count; i++) tables += m->cuts[i].is_deep ? 0 : table_bytes(&m->cuts[i]);
    priced *all = malloc((size_t)m->cuts_count * sizeof *all + 1);
    if (all == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for %u parts of trees", m->cuts_count);
    if (tables > m->tables_bytes_max && m->tables_bytes_max < m->bytes_max) tables_fit(m, all);
    whole_fit(m, all, shap_bytes(m));
    free(all);
    return RIDE_OK;
}

static ride_status cut_all(shap_maker *m, walk *w, ride_error *err) {
    const ride_forest_header *h = m->forest->header;
    for (uint32_t output = 0; output < h->outputs_count; output++) {
        m->cuts_first[output] = m->cuts_count;
        for (uint32_t t = 0; t < h->trees_count; t++)
            if (m->forest->trees[t].output == output) RIDE_TRY(cut_tree(m, t, w, err));
    }
    m->cuts_first[h->outputs_count] = m->cuts_count;
    return cuts_fit(m, err);
}

ride_status shap_cuts_make(shap_maker *m, ride_error *err) {
    const ride_forest_header *h = m->forest->header;
    const size_t levels = (size_t)h->depth_max + 2;
    walk w = {.nodes = calloc(levels, sizeof *w.nodes),
              .turns = calloc(levels, sizeof *w.turns),
              .tests = calloc((size_t)h->inputs_count + 1, sizeof *w.tests),
              .inner = calloc(h->nodes_count, sizeof *w.inner),
              .distinct = calloc(h->nodes_count, sizeof *w.distinct),
              .inputs = calloc(h->nodes_count, sizeof *w.inputs),
              .costs = calloc(h->nodes_count, sizeof *w.costs),
              .whole = calloc(h->nodes_count, sizeof *w.whole)};
    m->parents = calloc(h->nodes_count, sizeof *m->parents);
    m->cuts_first = calloc((size_t)h->outputs_count + 1, sizeof *m->cuts_first);
    ride_status st = w.nodes != NULL && w.turns != NULL && w.tests != NULL && w.inner != NULL && w.distinct != NULL &&
                             w.inputs != NULL && w.costs != NULL && w.whole != NULL && m->parents != NULL &&
                             m->cuts_first != NULL
                         ? cut_all(m, &w, err)
                         : ride_fail(err, RIDE_E_MEMORY, "no memory for the paths of %u nodes", h->nodes_count);
    free(w.nodes);
    free(w.turns);
    free(w.tests);
    free(w.inner);
    free(w.distinct);
    free(w.inputs);
    free(w.costs);
    free(w.whole);
    return st;
}

/* ---- gates ---- */

static uint32_t gate_hash(const shap_gate *g) {
    const uint64_t mixed =
        ((uint64_t)(2 * g->a + g->not_a) << 32 | (2 * g->b + g->not_b)) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(mixed >> 32);
}
static bool is_same(const shap_gate *a, const shap_gate *b) {
    return a->a == b->a && a->b == b->b && a->not_a == b->not_a && a->not_b == b->not_b;
}

static ride_status gates_grow(shap_maker *m, ride_error *err) {
    ride_shap *s = m->shap;
    const uint32_t room = 2 * m->gates_room + 512;
    shap_gate *gates = realloc(s->gates, room * sizeof *gates);
    if (gates != NULL) s->gates = gates;
    uint32_t *at = gates != NULL ? calloc((size_t)4 * room, sizeof *at) : NULL;
    if (at == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for %u gates", room);
    uint32_t count = 1;
    while (count < 2 * room) count *= 2;
    for (uint32_t g = 0; g < s->gates_count; g++) {
        uint32_t i = gate_hash(&s->gates[g]) & (count - 1);
        while (at[i] != 0) i = (i + 1) & (count - 1);
        at[i] = g + 1;
    }
    free(m->gates_at);
    m->gates_at = at;
    m->gates_at_count = count;
    m->gates_room = room;
    return RIDE_OK;
}

/* The plane of the AND of two; each AND once. */
static ride_status gate_plane(shap_maker *m, shap_gate gate, uint32_t *plane, ride_error *err) {
    ride_shap *s = m->shap;
    if (s->gates_count == m->gates_room) RIDE_TRY(gates_grow(m, err));
    uint32_t i = gate_hash(&gate) & (m->gates_at_count - 1);
    for (; m->gates_at[i] != 0; i = (i + 1) & (m->gates_at_count - 1))
        if (is_same(&s->gates[m->gates_at[i] - 1], &gate)) break;
    if (m->gates_at[i] == 0) {
        s->gates[s->gates_count++] = gate;
        m->gates_at[i] = s->gates_count;
    }
    *plane = s->conditions_count + m->gates_at[i];
    return RIDE_OK;
}

uint64_t shap_background_word(const shap_maker *m, uint32_t plane, uint32_t word) {
    const ride_shap *s = m->shap;
    if (plane == 0) return 0;
    if (plane <= s->conditions_count) return m->background[(size_t)(plane - 1) * m->background_words + word];
    const shap_gate *gate = &s->gates[plane - 1 - s->conditions_count];
    const uint64_t a = shap_background_word(m, gate->a, word), b = shap_background_word(m, gate->b, word);
    return (gate->not_a ? ~a : a) & (gate->not_b ? ~b : b);
}

/* ---- forms ---- */

/* Where a path's input stands: its bit so far, and which way it must be. */
typedef struct path_bit {
    uint32_t input, plane;
    bool inverted;
    double z;
} path_bit;

uint32_t shap_climb(const shap_maker *m, const ride_forest_tree *tree, uint32_t node, uint32_t *way) {
    const uint32_t *parents = m->parents + tree->nodes_first;
    uint32_t count = 0;
    for (uint32_t i = node; parents[i] != none; i = parents[i]) count++;
    uint32_t at = count;
    for (uint32_t i = node; parents[i] != none; i = parents[i]) way[--at] = i;
    return count;
}

static uint32_t plane_of(const shap_maker *m, const ride_forest_tree *tree, uint32_t node) {
    return 1 + m->of_node[tree->nodes_first + node];
}

/* The bits of the path to a group: one for each input. */
static ride_status path_bits(shap_maker *m, const shap_cut *cut, path_bit bits[SHAP_BITS], uint32_t *count,
                             ride_error *err) {
    const ride_forest_tree *tree = &m->forest->trees[cut->tree];
    const ride_forest_node *nodes = m->forest->nodes + tree->nodes_first;
    uint32_t *way = malloc(((size_t)tree->depth + 1) * sizeof *way);
    if (way == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a path");
    const uint32_t length = shap_climb(m, tree, cut->root, way);
    ride_status st = RIDE_OK;
    *count = 0;
    for (uint32_t i = 0, from = 0; i < length && st == RIDE_OK; from = way[i++]) {
        const uint32_t input = input_of(&nodes[from]), plane = plane_of(m, tree, from);
        const bool inverted = way[i] == nodes[from].left;
        uint32_t k = 0;
        while (k < *count && bits[k].input != input) k++;
        if (k == *count) {
            RIDE_ASSERT(k < SHAP_BITS);
            bits[(*count)++] = (path_bit){input, plane, inverted, 1.0};
        } else if (bits[k].plane != plane || bits[k].inverted != inverted) {
            st = gate_plane(m, (shap_gate){bits[k].plane, plane, bits[k].inverted, inverted}, &bits[k].plane, err);
            bits[k].inverted = false;
        }
        bits[k].z *= shap_share(m->forest, tree, from, way[i]);
    }
    free(way);
    return st;
}

static uint32_t find_or_add(uint32_t *all, uint32_t *count, uint32_t what) {
    uint32_t i = 0;
    while (i < *count && all[i] != what) i++;
    if (i == *count) {
        RIDE_ASSERT(i < SHAP_BITS);
        all[(*count)++] = what;
    }
    return i;
}

/* All leaves under `node`; so_far: the leaf as the way to the node leaves it. */
static void form_below(const shap_maker *m, const ride_forest_tree *tree, uint32_t node, const shap_leaf *so_far,
                       shap_form *form) {
    const ride_forest_node *nodes = m->forest->nodes + tree->nodes_first;
    if (is_leaf(&nodes[node])) {
        RIDE_ASSERT(form->leaves_count < SHAP_LEAVES);
        form->leaves[form->leaves_count] = *so_far;
        form->leaves[form->leaves_count++].value = nodes[node].u.leaf;
        return;
    }
    const uint32_t bit = find_or_add(form->planes, &form->bits, plane_of(m, tree, node));
    const uint32_t j = find_or_add(form->inputs, &form->inputs_count, input_of(&nodes[node]));
    for (uint32_t side = 0; side < 2; side++) {
        const uint32_t child = nodes[node].left + side;
        shap_leaf leaf = *so_far;
        leaf.z[j] *= shap_share(m->forest, tree, node, child);
        if (side) leaf.on[j] |= (uint16_t)(1u << bit);
        else leaf.off[j] |= (uint16_t)(1u << bit);
        form_below(m, tree, child, &leaf, form);
    }
}

/* Inputs ascending: so are the slots of the group. */
static void inputs_sort(shap_form *form) {
    for (uint32_t i = 1; i < form->inputs_count; i++)
        for (uint32_t j = i; j > 0 && form->inputs[j - 1] > form->inputs[j]; j--) {
            const uint32_t input = form->inputs[j];
            form->inputs[j] = form->inputs[j - 1];
            form->inputs[j - 1] = input;
            for (uint32_t l = 0; l < form->leaves_count; l++) {
                shap_leaf *leaf = &form->leaves[l];
                const double z = leaf->z[j];
                const uint16_t on = leaf->on[j], off = leaf->off[j];
                leaf->z[j] = leaf->z[j - 1], leaf->on[j] = leaf->on[j - 1], leaf->off[j] = leaf->off[j - 1];
                leaf->z[j - 1] = z, leaf->on[j - 1] = on, leaf->off[j - 1] = off;
            }
        }
}

ride_status shap_form_make(shap_maker *m, const shap_cut *cut, shap_form *form, ride_error *err) {
    path_bit bits[SHAP_BITS];
    uint32_t count = 0;
    shap_leaf leaf = {0};
    memset(form, 0, sizeof *form);
    for (uint32_t j = 0; j < SHAP_BITS; j++) leaf.z[j] = 1.0;
    RIDE_TRY(path_bits(m, cut, bits, &count, err));
    for (uint32_t k = 0; k < count; k++) {
        const uint32_t bit = find_or_add(form->planes, &form->bits, bits[k].plane);
        const uint32_t j = find_or_add(form->inputs, &form->inputs_count, bits[k].input);
        leaf.z[j] = bits[k].z;
        if (bits[k].inverted) leaf.off[j] |= (uint16_t)(1u << bit);
        else leaf.on[j] |= (uint16_t)(1u << bit);
    }
    form_below(m, &m->forest->trees[cut->tree], cut->root, &leaf, form);
    inputs_sort(form);
    return RIDE_OK;
}
