/* models/lightgbm_trees.c: the trees of a LightGBM model. Inner nodes are numbered from 0, leaves from 0 on too: a child c >= 0 is an inner node,
 * c < 0 the leaf -c - 1. Here inner nodes keep their numbers and leaves follow behind them.
 *
 * decision_type of a node: bit 0 a test of categories, bit 1 what is missing goes left, bits 2 and 3 what missing means: 0 nothing is, NaN
 * counts as 0; 1 zero (and NaN, which counts as 0); 2 NaN. A number goes left when x <= threshold. Members of a set of categories go left,
 * what is missing right; a set is a bit set, cat_boundaries[k] to cat_boundaries[k + 1] of the words of cat_threshold, and k is the
 * node's threshold. */
#include "base/number.h"
#include "models/lightgbm.h"

#include <math.h>
#include <stdlib.h>

enum { IS_CATEGORY = 1, DEFAULT_LEFT = 2, MISSING_SHIFT = 2, MISSING_ZERO = 1, MISSING_NAN = 2, MISSING_KINDS = 3 };

/* Room for one tree. */
typedef struct scratch {
    uint32_t *queue, *depth;
    bool *reached;
    int64_t *left, *right;
    uint32_t sets_first; /* of the tree, in the model's */
    uint32_t sets_count;
    uint32_t sets_named; /* by the nodes so far: each set is of one node, in their order */
} scratch;

static bool next_i64(lightgbm_text *rest, int64_t *out) {
    lightgbm_text word;
    return ride_lightgbm_word(rest, &word) && ride_text_to_i64(word.at, word.bytes, out);
}
static bool next_f64(lightgbm_text *rest, double *out) {
    lightgbm_text word;
    if (!ride_lightgbm_word(rest, &word)) return false;
    if (ride_lightgbm_is(word, "inf") || ride_lightgbm_is(word, "-inf")) {
        *out = *word.at == '-' ? -INFINITY : INFINITY;
        return true;
    }
    return ride_text_to_double(word.at, word.bytes, out);
}
static bool is_done(lightgbm_text rest) {
    lightgbm_text word;
    return !ride_lightgbm_word(&rest, &word);
}
static uint64_t words_of(lightgbm_text rest) {
    lightgbm_text word;
    uint64_t count = 0;
    while (ride_lightgbm_word(&rest, &word)) count++;
    return count;
}

static ride_status bad(ride_model_reader *reader, const lightgbm_tree *t, const char *what) {
    return ride_lightgbm_finding(reader, t->line, NULL, "the tree that begins here: %s", what);
}

static ride_status count_leaves(ride_model_reader *reader, const lightgbm_tree *t, uint32_t *out) {
    int64_t leaves;
    if (!ride_text_to_i64(t->num_leaves.at, t->num_leaves.bytes, &leaves) || leaves < 1 || leaves > INT32_MAX / 2)
        return bad(reader, t, "num_leaves is no number of leaves");
    /* so what the tree claims is bounded by the file */
    if (words_of(t->leaf_value) != (uint64_t)leaves) return bad(reader, t, "leaf_value has not num_leaves entries");
    *out = (uint32_t)leaves;
    return RIDE_OK;
}

/* ---- categories ---- */

static uint64_t count_bits(lightgbm_text words) {
    int64_t word;
    uint64_t bits = 0;
    while (next_i64(&words, &word)) bits += (uint64_t)__builtin_popcountll((uint64_t)word & UINT32_MAX);
    return bits;
}

static ride_status read_sets(ride_model_reader *reader, const lightgbm_tree *t, scratch *s) {
    ride_model *model = reader->model;
    lightgbm_text boundaries = t->cat_boundaries, words = t->cat_threshold;
    int64_t count = 0, value, word;
    s->sets_first = model->sets_count;
    s->sets_count = s->sets_named = 0;
    if (t->num_cat.bytes > 0 && !ride_text_to_i64(t->num_cat.at, t->num_cat.bytes, &count))
        return bad(reader, t, "num_cat is no number");
    if (count == 0) return RIDE_OK;
    if (count < 0 || words_of(boundaries) != (uint64_t)count + 1)
        return bad(reader, t, "cat_boundaries has not num_cat + 1 entries");
    if (!next_i64(&boundaries, &value) || value != 0) return bad(reader, t, "cat_boundaries does not begin at 0");
    for (int64_t k = 0, at = 0; k < count; k++) {
        ride_model_set *set = &model->sets[model->sets_count];
        *set = (ride_model_set){.members_first = model->set_members_count};
        if (!next_i64(&boundaries, &value) || value < at || value - at > RIDE_FOREST_CATEGORY_MAX / 32)
            return bad(reader, t, "cat_boundaries do not ascend, or a set is too large");
        for (int64_t i = 0; at < value; at++, i++) {
            if (!next_i64(&words, &word) || word < 0 || word > UINT32_MAX)
                return bad(reader, t, "cat_threshold is cut short, or no word of 32 bits");
            for (uint32_t bits = (uint32_t)word; bits != 0; bits &= bits - 1)
                model->set_members[model->set_members_count++] = (uint32_t)(32 * i) + (uint32_t)__builtin_ctz(bits);
        }
        set->members_count = model->set_members_count - set->members_first;
        model->sets_count++;
    }
    s->sets_count = (uint32_t)count;
    return is_done(words) ? RIDE_OK : bad(reader, t, "cat_threshold has more words than its boundaries");
}

/* ---- nodes ---- */

static ride_status read_test(ride_model_reader *reader, const lightgbm_tree *t, scratch *s, int64_t input, int64_t type,
                             double threshold, ride_model_node *node) {
    ride_model *model = reader->model;
    if (input < 0 || input >= model->inputs_count) return bad(reader, t, "split_feature names no feature");
    if (type < 0 || type >> MISSING_SHIFT >= MISSING_KINDS) return bad(reader, t, "decision_type is none");
    const int64_t missing = type >> MISSING_SHIFT;
    node->input = (uint32_t)input;
    if (type & IS_CATEGORY) {
        if (!(threshold >= (double)s->sets_named && threshold < (double)s->sets_count) || threshold != floor(threshold))
            return bad(reader, t, "a node names no set of its categories");
        s->sets_named = (uint32_t)threshold + 1;
        node->input |= RIDE_NODE_SET | RIDE_NODE_SET_LEFT | RIDE_NODE_SET_FROM_MINUS_1;
        node->set = s->sets_first + (uint32_t)threshold;
        model->inputs[input].is_category = true;
        return RIDE_OK;
    }
    if (isnan(threshold)) return bad(reader, t, "a threshold is no number");
    node->value = nextafter(threshold, INFINITY);
    if (threshold == (double)INFINITY) node->input |= RIDE_NODE_ONLY_MISSING; /* infinity itself goes left */
    const bool left = missing == 0 ? 0.0 <= threshold : (type & DEFAULT_LEFT) != 0;
    if (left) node->input |= RIDE_NODE_DEFAULT_LEFT;
    if (missing == MISSING_ZERO) node->input |= RIDE_NODE_ZERO_MISSING;
    return RIDE_OK;
}

static ride_status read_inner(ride_model_reader *reader, const lightgbm_tree *t, uint32_t inner, scratch *s,
                              ride_model_node *nodes) {
    lightgbm_text features = t->split_feature, thresholds = t->threshold, types = t->decision_type,
                  left = t->left_child, right = t->right_child;
    for (uint32_t i = 0; i < inner; i++) {
        int64_t input, type;
        double threshold;
        if (!next_i64(&features, &input) || !next_f64(&thresholds, &threshold) || !next_i64(&types, &type) ||
            !next_i64(&left, &s->left[i]) || !next_i64(&right, &s->right[i]))
            return bad(reader, t,
                       "split_feature, threshold, decision_type, left_child or right_child is cut short, or no number");
        RIDE_TRY(read_test(reader, t, s, input, type, threshold, &nodes[i]));
    }
    if (!is_done(features) || !is_done(thresholds) || !is_done(types) || !is_done(left) || !is_done(right))
        return bad(reader, t, "a list is longer than the tree");
    return RIDE_OK;
}

static ride_status read_leaves(ride_model_reader *reader, const lightgbm_tree *t, uint32_t leaves,
                               ride_model_node *nodes) {
    lightgbm_text values = t->leaf_value;
    for (uint32_t i = 0; i < leaves; i++) {
        double value;
        if (!next_f64(&values, &value) || !isfinite(value)) return bad(reader, t, "a leaf without a finite value");
        nodes[i] = (ride_model_node){.value = value, .input = RIDE_NODE_LEAF};
    }
    return RIDE_OK;
}

/* Is it a tree whose leaves are linear? Only a literal 1 says so; files of before 3.2 do not have the line. */
static ride_status is_linear(ride_model_reader *reader, const lightgbm_tree *t, bool *out) {
    *out = ride_lightgbm_is(t->is_linear, "1");
    return *out || t->is_linear.bytes == 0 || ride_lightgbm_is(t->is_linear, "0")
               ? RIDE_OK
               : bad(reader, t, "is_linear is neither 0 nor 1");
}

/* What leaves with terms give; one without any is a plain leaf of its constant. leaf_value is for where an input of a term is NaN. */
static ride_status read_lines(ride_model_reader *reader, const lightgbm_tree *t, uint32_t leaves,
                              ride_model_node *nodes) {
    ride_model *model = reader->model;
    lightgbm_text constants = t->leaf_const, counts = t->num_features, features = t->leaf_features,
                  coefficients = t->leaf_coeff;
    bool linear;
    RIDE_TRY(is_linear(reader, t, &linear));
    for (uint32_t i = 0; linear && i < leaves; i++) {
        ride_forest_line line = {.terms_first = model->terms_count};
        int64_t count, feature;
        if (!next_f64(&constants, &line.constant) || !isfinite(line.constant))
            return bad(reader, t, "leaf_const is cut short, or not finite");
        if (!next_i64(&counts, &count) || count < 0 || count > model->inputs_count)
            return bad(reader, t, "num_features is cut short, or no number of features");
        for (int64_t k = 0; k < count; k++) {
            ride_forest_term term = {0};
            if (!next_i64(&features, &feature) || feature < 0 || feature >= model->inputs_count)
                return bad(reader, t, "leaf_features is cut short, or names no feature");
            if (!next_f64(&coefficients, &term.coefficient) || !isfinite(term.coefficient))
                return bad(reader, t, "leaf_coeff is cut short, or not finite");
            term.input = (uint32_t)feature;
            model->terms[model->terms_count++] = term;
        }
        line.terms_count = (uint32_t)count;
        if (count == 0) nodes[i].value = line.constant;
        else {
            model->lines[model->lines_count++] = line;
            nodes[i].set = model->lines_count;
        }
    }
    return !linear || (is_done(constants) && is_done(counts) && is_done(features) && is_done(coefficients))
               ? RIDE_OK
               : bad(reader, t, "leaf_const, num_features, leaf_features or leaf_coeff is longer than the tree");
}

/* How many training rows came to each node; a file may leave it out. */
static ride_status read_covers(ride_model_reader *reader, const lightgbm_tree *t, uint32_t leaves,
                               ride_model_node *nodes) {
    lightgbm_text of_inner = t->internal_count, of_leaves = t->leaf_count;
    if (leaves == 1 || of_inner.bytes == 0 || of_leaves.bytes == 0) return RIDE_OK;
    for (uint32_t i = 0; i < 2 * leaves - 1; i++) {
        int64_t count;
        if (!next_i64(i < leaves - 1 ? &of_inner : &of_leaves, &count) || count < 0)
            return bad(reader, t, "internal_count or leaf_count is cut short, or no number of rows");
        nodes[i].cover = (double)count;
    }
    return is_done(of_inner) && is_done(of_leaves) ? RIDE_OK : bad(reader, t, "a list is longer than the tree");
}

/* Breadth first from the root: every node at most once, so cycles and shared subtrees end it; all must be met. */
static ride_status walk(ride_model_reader *reader, const lightgbm_tree *t, uint32_t leaves, scratch *s,
                        ride_model_node *nodes) {
    ride_model *model = reader->model;
    const uint32_t inner = leaves - 1;
    uint32_t tail = 1;
    memset(s->reached, 0, (size_t)(inner + leaves) * sizeof *s->reached);
    s->queue[0] = s->depth[0] = 0;
    s->reached[0] = true;
    for (uint32_t head = 0; head < tail; head++) {
        const uint32_t i = s->queue[head];
        if (s->depth[head] > model->depth_max) model->depth_max = s->depth[head];
        if (i >= inner) continue;
        if (s->depth[head] == RIDE_FOREST_DEPTH_MAX) return bad(reader, t, "it is too deep");
        for (int side = 0; side < 2; side++) {
            const int64_t child = side ? s->right[i] : s->left[i];
            if (child >= (int64_t)inner || child < -(int64_t)leaves) return bad(reader, t, "a child that is not there");
            const uint32_t to = child >= 0 ? (uint32_t)child : inner + (uint32_t)(-child - 1);
            if (s->reached[to]) return bad(reader, t, "a node is reached twice (a cycle, or two parents)");
            s->reached[to] = true;
            s->queue[tail] = to;
            s->depth[tail++] = s->depth[head] + 1;
            if (side) nodes[i].right = to;
            else nodes[i].left = to;
        }
    }
    model->leaves_count += leaves;
    return tail == inner + leaves ? RIDE_OK : bad(reader, t, "a node that nothing reaches");
}

static ride_status read_tree(ride_model_reader *reader, const lightgbm_tree *t, uint32_t leaves, scratch *s,
                             ride_model_tree *tree) {
    ride_model *model = reader->model;
    ride_model_node *nodes = &model->nodes[model->nodes_count];
    *tree = (ride_model_tree){.nodes_first = model->nodes_count, .nodes_count = 2 * leaves - 1, .weight = 1.0};
    RIDE_TRY(read_sets(reader, t, s));
    RIDE_TRY(read_inner(reader, t, leaves - 1, s, nodes));
    RIDE_TRY(read_leaves(reader, t, leaves, nodes + leaves - 1));
    RIDE_TRY(read_lines(reader, t, leaves, nodes + leaves - 1));
    RIDE_TRY(read_covers(reader, t, leaves, nodes));
    RIDE_TRY(walk(reader, t, leaves, s, nodes));
    model->nodes_count += tree->nodes_count;
    return RIDE_OK;
}

/* ---- all ---- */

/* How much there is, so that every array of the model is allocated once. */
static ride_status count_all(ride_model_reader *reader, const lightgbm_tree *trees, uint32_t count,
                             uint32_t *leaves_most) {
    ride_model *model = reader->model;
    uint64_t nodes = 0, sets = 0, members = 0, lines = 0, terms = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t leaves;
        RIDE_TRY(count_leaves(reader, &trees[i], &leaves));
        if (leaves > *leaves_most) *leaves_most = leaves;
        nodes += 2 * (uint64_t)leaves - 1;
        sets += words_of(trees[i].cat_boundaries);
        members += count_bits(trees[i].cat_threshold);
        if (trees[i].leaf_coeff.bytes == 0) continue;
        lines += leaves;
        terms += words_of(trees[i].leaf_coeff);
    }
    if (nodes > reader->options->nodes_max)
        return ride_model_finding(reader, RIDE_RAISE, "%llu nodes, at most %u", (unsigned long long)nodes,
                                  reader->options->nodes_max);
    if (members > UINT32_MAX / 2)
        return ride_model_finding(reader, NULL, "category sets with more than two billion members");
    if (terms > UINT32_MAX / 2)
        return ride_model_finding(reader, NULL, "linear leaves with more than two billion terms");
    model->trees = ride_arena_new(model->arena, ride_model_tree, count);
    model->nodes = ride_model_nodes(reader, nodes);
    model->sets = ride_arena_new(model->arena, ride_model_set, sets + 1);
    model->set_members = ride_arena_new(model->arena, uint32_t, members + 1);
    model->lines = ride_arena_new(model->arena, ride_forest_line, lines + 1);
    model->terms = ride_arena_new(model->arena, ride_forest_term, terms + 1);
    if (model->lines == NULL || model->terms == NULL || model->trees == NULL || model->nodes == NULL ||
        model->sets == NULL || model->set_members == NULL)
        return ride_model_finding(reader, NULL, "no memory for %llu nodes", (unsigned long long)nodes);
    return RIDE_OK;
}

ride_status ride_lightgbm_read_trees(ride_model_reader *reader, const lightgbm_tree *trees, uint32_t count) {
    ride_model *model = reader->model;
    uint32_t most = 0;
    model->trees_in_file = model->trees_count = count;
    RIDE_TRY(count_all(reader, trees, count, &most));
    const size_t nodes = 2 * (size_t)most;
    scratch s = {.queue = malloc(nodes * sizeof *s.queue),
                 .depth = malloc(nodes * sizeof *s.depth),
                 .reached = malloc(nodes * sizeof *s.reached),
                 .left = malloc(nodes * sizeof *s.left),
                 .right = malloc(nodes * sizeof *s.right)};
    ride_status st = RIDE_OK;
    if (s.queue == NULL || s.depth == NULL || s.reached == NULL || s.left == NULL || s.right == NULL)
        st = ride_model_finding(reader, NULL, "no memory for a tree of %u leaves", most);
    for (uint32_t i = 0; i < count && st == RIDE_OK; i++) {
        uint32_t leaves;
        if (i % TELL_TREES == 0) ride_load_tell(reader->options->watch, "reading trees", i, count);
        st = count_leaves(reader, &trees[i], &leaves);
        if (st == RIDE_OK) st = read_tree(reader, &trees[i], leaves, &s, &model->trees[i]);
        model->trees[i].output = i % model->outputs_count;
    }
    free(s.queue);
    free(s.depth);
    free(s.reached);
    free(s.left);
    free(s.right);
    return st;
}
