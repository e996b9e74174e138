/* models/rules.c: see rules.h. A test is a list of cuts on the number line: below the first cut one child, between the first and the second the
 * other, and so on. `x <= t` is one cut at the number after t, `x == t` two. A tree is walked from its root with the interval that each
 * input is in by then; a test whose cuts lie outside is decided, another becomes a test at its middle cut and itself again on either side. */
#include "models/rules.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const uint32_t none = UINT32_MAX;
enum { STEPS_OF_A_NODE = 64 };
typedef enum reach { NOT_MET, OPEN, OPEN_NO, OPEN_BOTH, DONE } reach; /* OPEN_NO: the yes side was looked at */

/* What one input is on a path: lo <= x < hi (no hi: up to infinity and with it), NaN, or either. */
typedef struct interval {
    uint32_t parent; /* the one before on the path, or none */
    uint32_t input;
    double lo, hi;
    bool has_hi, maybe_number, maybe_nan;
} interval;

typedef struct job {
    uint32_t from, to; /* a node of the tree, and of the new tree */
    uint32_t path;     /* its last interval, or none */
    uint32_t depth;
} job;

typedef struct span {
    uint32_t first, count; /* in cuts */
    bool begins_yes;       /* what is below the first cut takes the yes child */
} span;

struct ride_rules {
    ride_model_reader *reader;
    ride_model_node *nodes;
    ride_model_tree *trees;
    uint32_t nodes_count, nodes_room, nodes_most, trees_count, trees_room, trees_added;
    uint64_t steps_left; /* of all trees: tests met on the way, decided ones too, and intervals looked at */
    /* of the tree under way */
    uint32_t tree_room;
    bool is_plain; /* each test is one cut */
    bool is_same;  /* each test stayed one so far */
    span *spans;
    uint32_t *stack;
    uint8_t *reached; /* reach, by node */
    double *cuts;
    size_t cuts_count, cuts_room;
    job *jobs;
    size_t jobs_count, jobs_room;
    interval *path;
    size_t path_count, path_room;
    bool *has_output; /* of the model's outputs */
};

static ride_status no_memory(ride_rules *r, const char *place) {
    return ride_model_finding(r->reader, NULL, "%s: no memory", place);
}

/* A decided test makes no node, so the limit of nodes does not bound the work: shared nodes are met once for each path that leads to them. */
static uint64_t steps_most(const ride_rules *r) { return (uint64_t)STEPS_OF_A_NODE * r->nodes_most; }

/* Room for one more. */
static bool grow(void **array, size_t count, size_t *room, size_t element_bytes) {
    if (count < *room) return true;
    const size_t more = *room == 0 ? 256 : 2 * *room;
    void *bigger = realloc(*array, ride_arena_array_bytes(more, element_bytes));
    if (bigger == NULL) return false;
    *array = bigger;
    *room = more;
    return true;
}

ride_status ride_rules_create(ride_model_reader *reader, ride_rules **out) {
    ride_rules *r = calloc(1, sizeof *r);
    *out = r;
    if (r == NULL) return ride_model_finding(reader, NULL, "no memory for trees");
    r->reader = reader;
    r->has_output = calloc(reader->model->outputs_count, sizeof *r->has_output);
    if (r->has_output == NULL) return no_memory(r, "trees");
    /* Half of what the model may need for its file (see load.c). */
    const uint64_t most = (64 * reader->model->file_bytes + (1 << 19)) / sizeof(ride_model_node);
    r->nodes_most = most < reader->options->nodes_max ? (uint32_t)most : reader->options->nodes_max;
    r->steps_left = steps_most(r);
    return RIDE_OK;
}

void ride_rules_destroy(ride_rules *r) {
    if (r == NULL) return;
    free(r->nodes);
    free(r->trees);
    free(r->spans);
    free(r->stack);
    free(r->reached);
    free(r->cuts);
    free(r->jobs);
    free(r->path);
    free(r->has_output);
    free(r);
}

/* ---- the tree as it comes ---- */

static ride_status bad(ride_rules *r, const ride_rule_tree *tree, uint32_t node, const char *what) {
    return ride_model_finding(r->reader, NULL, "%s: node %u: %s", tree->place, node, what);
}

static ride_status check_leaf(ride_rules *r, const ride_rule_tree *tree, uint32_t i) {
    const ride_rule_node *node = &tree->nodes[i];
    const ride_rule_weight *weights = &tree->weights[node->first];
    if (node->count == 0) return bad(r, tree, i, "a leaf without a weight");
    for (uint32_t k = 0; k < node->count; k++) {
        if (!isfinite(weights[k].value)) return bad(r, tree, i, "a leaf without a finite value");
        if (weights[k].output >= r->reader->model->outputs_count)
            return bad(r, tree, i, "a leaf's weight for an output that is not there");
        for (uint32_t before = 0; before < k; before++)
            if (weights[before].output == weights[k].output)
                return bad(r, tree, i, "a leaf with two weights for one output");
    }
    if (r->reader->model->aggregate != RIDE_FOREST_SUM && node->count != r->reader->model->outputs_count)
        return bad(r, tree, i,
                   "a leaf without a weight for each output, where the least or greatest leaf is asked for");
    return RIDE_OK;
}

static ride_status check_test(ride_rules *r, const ride_rule_tree *tree, uint32_t i) {
    const ride_rule_node *node = &tree->nodes[i];
    if ((node->input & RIDE_NODE_INPUT_MASK) >= r->reader->model->inputs_count)
        return bad(r, tree, i, "it tests an input that the model has not");
    const bool has_value =
        node->rule != RIDE_RULE_SET && node->rule != RIDE_RULE_MEMBER && node->rule != RIDE_RULE_WHOLE;
    if (has_value && isnan(node->value)) return bad(r, tree, i, "a threshold that is no number");
    if (node->yes >= tree->nodes_count || node->no >= tree->nodes_count)
        return bad(r, tree, i, "a child that is not there");
    return RIDE_OK;
}

/* Depth first from the root, each node once. A node that is met again while it is open is below itself. */
static ride_status check_tree(ride_rules *r, const ride_rule_tree *tree) {
    uint32_t open = 1;
    memset(r->reached, 0, tree->nodes_count * sizeof *r->reached);
    r->stack[0] = 0;
    r->reached[0] = OPEN;
    RIDE_TRY(tree->nodes[0].rule == RIDE_RULE_LEAF ? check_leaf(r, tree, 0) : check_test(r, tree, 0));
    while (open > 0) {
        const uint32_t i = r->stack[open - 1];
        const ride_rule_node *node = &tree->nodes[i];
        if (node->rule == RIDE_RULE_LEAF || r->reached[i] == OPEN_BOTH) {
            r->reached[i] = DONE;
            open--;
            continue;
        }
        const uint32_t child = r->reached[i] == OPEN ? node->yes : node->no;
        r->reached[i]++;
        if (r->reached[child] == DONE && tree->may_share) continue;
        if (r->reached[child] != NOT_MET) return bad(r, tree, child, "it is reached twice (a cycle, or two parents)");
        RIDE_TRY(tree->nodes[child].rule == RIDE_RULE_LEAF ? check_leaf(r, tree, child) : check_test(r, tree, child));
        r->reached[child] = OPEN;
        r->stack[open++] = child;
    }
    return RIDE_OK;
}

/* ---- cuts ---- */

static bool add_cut(ride_rules *r, double at) {
    if (!grow((void **)&r->cuts, r->cuts_count, &r->cuts_room, sizeof *r->cuts)) return false;
    r->cuts[r->cuts_count++] = at;
    return true;
}

static double number_after(const ride_rules *r, double t) {
    return r->reader->model->input_number == RIDE_FOREST_F32 ? (double)nextafterf((float)t, INFINITY)
                                                             : nextafter(t, (double)INFINITY);
}

/* From `at` on the other child; infinity has no number after it. */
static bool cut_after(ride_rules *r, double t) { return t == (double)INFINITY ? true : add_cut(r, number_after(r, t)); }

/* [from, to), after others; intervals that touch are one. No `to`: up to infinity. */
static bool cut_out(ride_rules *r, size_t first, double from, double to, bool has_to) {
    if (r->cuts_count > first && r->cuts[r->cuts_count - 1] == from) r->cuts_count--;
    else if (!add_cut(r, from)) return false;
    return !has_to || add_cut(r, to);
}

/* Each member alone: [t, number after t). */
static bool cut_members(ride_rules *r, const double *members, uint32_t count, size_t first) {
    for (uint32_t i = 0; i < count; i++) {
        const bool has_after = members[i] != (double)INFINITY;
        if (!cut_out(r, first, members[i], has_after ? number_after(r, members[i]) : 0.0, has_after)) return false;
    }
    return true;
}

/* All that is truncated to the member: [2, 3), (-1, 1), (-3, -2]. */
static bool cut_whole(ride_rules *r, const double *members, uint32_t count, size_t first) {
    for (uint32_t i = 0; i < count; i++) {
        const double m = members[i], after = number_after(r, m);
        const double from = m > 0.0 ? m : fmin(m, number_after(r, m - 1.0)); /* far below 0 m - 1 may be rounded to m */
        if (!cut_out(r, first, from, m >= 0.0 && m + 1.0 > after ? m + 1.0 : after, true)) return false;
    }
    return true;
}

static ride_status cut_tree(ride_rules *r, const ride_rule_tree *tree) {
    r->cuts_count = 0;
    r->is_plain = true;
    for (uint32_t i = 0; i < tree->nodes_count; i++) {
        const ride_rule_node *node = &tree->nodes[i];
        const size_t first = r->cuts_count;
        bool ok = true, begins_yes = false;
        if (!r->reached[i]) continue;
        switch (node->rule) {
        case RIDE_RULE_LESS:
        case RIDE_RULE_GREATER_EQUAL: ok = add_cut(r, node->value); break;
        case RIDE_RULE_LESS_EQUAL:
        case RIDE_RULE_GREATER: ok = cut_after(r, node->value); break;
        case RIDE_RULE_EQUAL:
        case RIDE_RULE_NOT_EQUAL: ok = cut_members(r, &node->value, 1, first); break;
        case RIDE_RULE_MEMBER: ok = cut_members(r, tree->members + node->first, node->count, first); break;
        case RIDE_RULE_WHOLE: ok = cut_whole(r, tree->members + node->first, node->count, first); break;
        default: break;
        }
        begins_yes =
            node->rule == RIDE_RULE_LESS || node->rule == RIDE_RULE_LESS_EQUAL || node->rule == RIDE_RULE_NOT_EQUAL;
        if (!ok || r->cuts_count > UINT32_MAX) return no_memory(r, tree->place);
        const bool is_test = node->rule != RIDE_RULE_LEAF && node->rule != RIDE_RULE_SET;
        r->is_plain = r->is_plain && (!is_test || r->cuts_count - first == 1);
        r->spans[i] = (span){(uint32_t)first, (uint32_t)(r->cuts_count - first), begins_yes};
    }
    return RIDE_OK;
}

/* ---- the new tree ---- */

static ride_status add_nodes(ride_rules *r, const ride_rule_tree *tree, uint32_t count) {
    if (r->nodes_most - r->nodes_count < count)
        return ride_model_finding(r->reader, "tests of equality and leaves of several outputs make many",
                                  "%s: more than %u nodes once every test is one threshold", tree->place,
                                  r->nodes_most);
    while (r->nodes_room - r->nodes_count < count) {
        const uint32_t room = r->nodes_room == 0 ? 1024 : r->nodes_room * 2; /* at most twice 50 million */
        ride_model_node *more = realloc(r->nodes, room * sizeof *more);
        if (more == NULL) return no_memory(r, tree->place);
        r->nodes = more;
        r->nodes_room = room;
    }
    memset(r->nodes + r->nodes_count, 0, count * sizeof *r->nodes);
    r->nodes_count += count;
    return RIDE_OK;
}

static ride_status push(ride_rules *r, const ride_rule_tree *tree, job what) {
    if (!grow((void **)&r->jobs, r->jobs_count, &r->jobs_room, sizeof *r->jobs)) return no_memory(r, tree->place);
    r->jobs[r->jobs_count++] = what;
    return RIDE_OK;
}

static ride_status take_step(ride_rules *r, const ride_rule_tree *tree) {
    if (r->steps_left > 0) {
        r->steps_left--;
        return RIDE_OK;
    }
    return ride_model_finding(r->reader, "many paths lead through the same nodes",
                              "%s: more than %llu steps until every test is one threshold", tree->place,
                              (unsigned long long)steps_most(r));
}

static ride_status interval_of(ride_rules *r, const ride_rule_tree *tree, uint32_t path, uint32_t input,
                               interval *out) {
    for (; path != none; path = r->path[path].parent) {
        RIDE_TRY(take_step(r, tree));
        *out = r->path[path];
        if (out->input == input) return RIDE_OK;
    }
    *out = (interval){.input = input, .lo = -(double)INFINITY, .maybe_number = true, .maybe_nan = true};
    return RIDE_OK;
}

/* One child of a new inner node: the old node `from` again or its child, with what is known of the input there. */
static ride_status branch(ride_rules *r, const ride_rule_tree *tree, job parent, uint32_t from, uint32_t to,
                          const interval *known) {
    job next = {.from = from, .to = to, .path = parent.path, .depth = parent.depth + 1};
    if (known != NULL) {
        if (!grow((void **)&r->path, r->path_count, &r->path_room, sizeof *r->path) || r->path_count == none)
            return no_memory(r, tree->place);
        r->path[r->path_count] = *known;
        r->path[r->path_count].parent = parent.path;
        next.path = (uint32_t)r->path_count++;
    }
    return push(r, tree, next);
}

/* Two new nodes side by side, children of `to`. */
static ride_status fork_node(ride_rules *r, const ride_rule_tree *tree, uint32_t nodes_first, job j, uint32_t *left) {
    if (j.depth == RIDE_FOREST_DEPTH_MAX)
        return ride_model_finding(r->reader, NULL, "%s: too deep once every test is one threshold", tree->place);
    *left = r->nodes_count - nodes_first;
    RIDE_TRY(add_nodes(r, tree, 2));
    r->nodes[nodes_first + j.to].left = *left;
    r->nodes[nodes_first + j.to].right = *left + 1;
    return RIDE_OK;
}

/* Cuts of `s` within the interval: [*first, *last). */
static void clip(const ride_rules *r, span s, const interval *known, uint32_t *first, uint32_t *last) {
    const double *cuts = r->cuts + s.first;
    uint32_t low = 0, high = s.count;
    while (low < high) { /* the first above lo */
        const uint32_t mid = low + (high - low) / 2;
        if (cuts[mid] > known->lo) high = mid;
        else low = mid + 1;
    }
    *first = low;
    for (high = s.count; known->has_hi && low < high;) { /* the first not below hi */
        const uint32_t mid = low + (high - low) / 2;
        if (cuts[mid] < known->hi) low = mid + 1;
        else high = mid;
    }
    *last = high;
}

/* One cut, in a tree that has no other tests: nothing is decided on the way, so nothing is remembered. */
static ride_status keep(ride_rules *r, const ride_rule_tree *tree, uint32_t nodes_first, job j) {
    const ride_rule_node *node = &tree->nodes[j.from];
    const span s = r->spans[j.from];
    const uint32_t below = s.begins_yes ? node->yes : node->no, above = s.begins_yes ? node->no : node->yes;
    uint32_t left = 0;
    RIDE_TRY(fork_node(r, tree, nodes_first, j, &left));
    ride_model_node *to = &r->nodes[nodes_first + j.to];
    to->input = node->input | (node->missing_yes == s.begins_yes ? RIDE_NODE_DEFAULT_LEFT : 0);
    to->value = r->cuts[s.first];
    RIDE_TRY(branch(r, tree, j, below, left, NULL));
    return branch(r, tree, j, above, left + 1, NULL);
}

static ride_status split(ride_rules *r, const ride_rule_tree *tree, uint32_t nodes_first, job j) {
    const ride_rule_node *node = &tree->nodes[j.from];
    const span s = r->spans[j.from];
    const uint32_t children[2] = {s.begins_yes ? node->yes : node->no, s.begins_yes ? node->no : node->yes};
    const uint32_t of_nan = node->missing_yes ? node->yes : node->no;
    interval known;
    uint32_t first = 0, last = 0, left = 0;
    RIDE_TRY(interval_of(r, tree, j.path, node->input, &known));
    clip(r, s, &known, &first, &last);
    r->is_same = r->is_same && s.count == 1 && first == 0 && last == 1;
    if (!known.maybe_number || (first == last && (!known.maybe_nan || children[first % 2] == of_nan))) {
        j.from = known.maybe_number ? children[first % 2] : of_nan; /* decided */
        return push(r, tree, j);
    }
    RIDE_TRY(fork_node(r, tree, nodes_first, j, &left));
    ride_model_node *to = &r->nodes[nodes_first + j.to];
    interval below = known, above = known;
    if (first == last) { /* only NaN goes elsewhere */
        to->input = node->input | RIDE_NODE_ONLY_MISSING;
        to->value = (double)INFINITY;
        below.maybe_nan = above.maybe_number = false;
        RIDE_TRY(branch(r, tree, j, children[first % 2], left, &below));
        return branch(r, tree, j, of_nan, left + 1, &above);
    }
    const uint32_t mid = first + (last - first) / 2;
    const bool nan_left = known.maybe_nan && (first < mid || children[first % 2] == of_nan);
    to->input = node->input | (nan_left ? RIDE_NODE_DEFAULT_LEFT : 0);
    to->value = below.hi = above.lo = r->cuts[s.first + mid];
    below.has_hi = true;
    below.maybe_nan = nan_left;
    above.maybe_nan = known.maybe_nan && !nan_left;
    RIDE_TRY(branch(r, tree, j, j.from, left, &below));
    return branch(r, tree, j, j.from, left + 1, &above);
}

static ride_status add_set(ride_rules *r, const ride_rule_tree *tree, uint32_t nodes_first, job j) {
    const ride_rule_node *node = &tree->nodes[j.from];
    uint32_t left = 0;
    RIDE_TRY(fork_node(r, tree, nodes_first, j, &left));
    ride_model_node *to = &r->nodes[nodes_first + j.to];
    to->input = node->input | RIDE_NODE_SET | (node->missing_yes ? RIDE_NODE_DEFAULT_LEFT : 0);
    to->set = node->first;
    RIDE_TRY(branch(r, tree, j, node->yes, left, NULL));
    return branch(r, tree, j, node->no, left + 1, NULL);
}

static void add_leaf(ride_rules *r, const ride_rule_tree *tree, uint32_t nodes_first, job j, uint32_t output) {
    const ride_rule_node *node = &tree->nodes[j.from];
    ride_model_node *to = &r->nodes[nodes_first + j.to];
    to->input = RIDE_NODE_LEAF;
    for (uint32_t k = 0; k < node->count; k++)
        if (tree->weights[node->first + k].output == output) to->value = tree->weights[node->first + k].value;
    if (j.depth > r->reader->model->depth_max) r->reader->model->depth_max = j.depth;
    r->reader->model->leaves_count++;
}

static ride_status add_output(ride_rules *r, const ride_rule_tree *tree, uint32_t output) {
    size_t room = r->trees_room;
    const uint32_t nodes_first = r->nodes_count;
    if (r->trees_count == r->reader->options->trees_max)
        return ride_model_finding(r->reader, RIDE_RAISE, "more than %u trees", r->reader->options->trees_max);
    if (!grow((void **)&r->trees, r->trees_count, &room, sizeof *r->trees)) return no_memory(r, tree->place);
    r->trees_room = (uint32_t)room;
    r->jobs_count = r->path_count = 0;
    r->is_same = true;
    RIDE_TRY(add_nodes(r, tree, 1));
    RIDE_TRY(push(r, tree, (job){.path = none}));
    while (r->jobs_count > 0) {
        const job j = r->jobs[--r->jobs_count];
        RIDE_TRY(take_step(r, tree));
        const ride_rule rule = tree->nodes[j.from].rule;
        r->nodes[nodes_first + j.to].cover = tree->nodes[j.from].cover;
        if (rule == RIDE_RULE_LEAF) add_leaf(r, tree, nodes_first, j, output);
        else if (rule == RIDE_RULE_SET) RIDE_TRY(add_set(r, tree, nodes_first, j));
        else if (r->is_plain) RIDE_TRY(keep(r, tree, nodes_first, j));
        else RIDE_TRY(split(r, tree, nodes_first, j));
    }
    for (uint32_t i = nodes_first; i < r->nodes_count && !r->is_same; i++) r->nodes[i].cover = 0.0;
    r->trees[r->trees_count++] = (ride_model_tree){.nodes_first = nodes_first,
                                                   .nodes_count = r->nodes_count - nodes_first,
                                                   .output = output,
                                                   .weight = tree->weight};
    return RIDE_OK;
}

static ride_status make_room(ride_rules *r, const ride_rule_tree *tree) {
    if (tree->nodes_count <= r->tree_room) return RIDE_OK;
    free(r->spans);
    free(r->stack);
    free(r->reached);
    r->tree_room = 0;
    r->spans = calloc(tree->nodes_count, sizeof *r->spans);
    r->stack = calloc(tree->nodes_count, sizeof *r->stack);
    r->reached = calloc(tree->nodes_count, sizeof *r->reached);
    if (r->spans == NULL || r->stack == NULL || r->reached == NULL) return no_memory(r, tree->place);
    r->tree_room = tree->nodes_count;
    return RIDE_OK;
}

ride_status ride_rules_add(ride_rules *r, const ride_rule_tree *tree) {
    const uint32_t outputs = r->reader->model->outputs_count;
    if (tree->nodes_count == 0) return ride_model_finding(r->reader, NULL, "%s: no nodes", tree->place);
    RIDE_TRY(make_room(r, tree));
    RIDE_TRY(check_tree(r, tree));
    RIDE_TRY(cut_tree(r, tree));
    memset(r->has_output, 0, outputs * sizeof *r->has_output);
    for (uint32_t i = 0; i < tree->nodes_count; i++)
        for (uint32_t k = 0; r->reached[i] && tree->nodes[i].rule == RIDE_RULE_LEAF && k < tree->nodes[i].count; k++)
            r->has_output[tree->weights[tree->nodes[i].first + k].output] = true;
    for (uint32_t output = 0; output < outputs; output++)
        if (r->has_output[output]) RIDE_TRY(add_output(r, tree, output));
    r->trees_added++;
    return RIDE_OK;
}

ride_status ride_rules_finish(ride_rules *r) {
    ride_model *model = r->reader->model;
    const size_t bytes = ((size_t)r->nodes_count + 1) * sizeof *r->nodes;
    model->trees = ride_arena_new(model->arena, ride_model_tree, r->trees_count + 1);
    ride_model_node *nodes = realloc(r->nodes, bytes);
    if (nodes != NULL) r->nodes = nodes;
    if (model->trees == NULL || nodes == NULL || !ride_arena_adopt(model->arena, nodes, bytes))
        return no_memory(r, "trees");
    model->nodes = nodes;
    r->nodes = NULL;
    r->nodes_room = 0;
    if (r->trees_count > 0) memcpy(model->trees, r->trees, r->trees_count * sizeof *r->trees);
    model->trees_count = r->trees_count;
    model->trees_in_file = r->trees_added;
    model->nodes_count = r->nodes_count;
    return RIDE_OK;
}
