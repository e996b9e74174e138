/* models/sklearn_plain.c: kind `plain` of the exporter's documents: what `ride model convert` writes: a model as models/ir.h has it, trainer's rules already
 * worked in. Everything that the rest relies on is checked. */
#include "models/sklearn.h"
#include "models/tree.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    NODE_BITS = RIDE_NODE_INPUT_MASK | RIDE_NODE_LEAF | RIDE_NODE_DEFAULT_LEFT | RIDE_NODE_SET | RIDE_NODE_SET_LEFT |
                RIDE_NODE_SET_FROM_MINUS_1 | RIDE_NODE_ZERO_MISSING | RIDE_NODE_ONLY_MISSING
};

static ride_status read_number(ride_model_reader *reader, const ride_value *document, const char *key,
                               ride_forest_number *out) {
    const ride_value *value = ride_value_get(document, key);
    *out = ride_value_is(value, "f32") ? RIDE_FOREST_F32 : RIDE_FOREST_F64;
    return *out == RIDE_FOREST_F32 || ride_value_is(value, "f64")
               ? RIDE_OK
               : ride_model_finding(reader, NULL, "%s: f32 or f64 was expected", key);
}

static ride_status read_head(ride_model_reader *reader, const ride_value *document) {
    ride_model *model = reader->model;
    uint32_t link, aggregate, last, best;
    RIDE_TRY(read_number(reader, document, "input_number", &model->input_number));
    RIDE_TRY(read_number(reader, document, "sum_number", &model->sum_number));
    RIDE_TRY(ride_sklearn_count(reader, document, "link", -1, 1, RIDE_FOREST_LINKS - 1, &link));
    RIDE_TRY(ride_sklearn_count(reader, document, "mean_of", -1, 0, UINT32_MAX, &model->mean_of));
    RIDE_TRY(ride_sklearn_count(reader, document, "aggregate", -1, 0, RIDE_FOREST_MAX, &aggregate));
    RIDE_TRY(ride_sklearn_count(reader, document, "base_last", -1, 0, 1, &last));
    RIDE_TRY(ride_sklearn_count(reader, document, "trees_in_file", -1, 0, INT32_MAX, &model->trees_in_file));
    if (!ride_value_double(ride_value_get(document, "link_scale"), &model->link_scale) || !isfinite(model->link_scale))
        return ride_model_finding(reader, NULL, "link_scale: a finite number was expected");
    model->link = (ride_forest_link)link;
    const bool scaled = link == RIDE_FOREST_LINK_LOGISTIC || link == RIDE_FOREST_LINK_ISOLATION;
    if (scaled ? !(model->link_scale > 0.0) : model->link_scale != 0.0)
        return ride_model_finding(reader, NULL, "link_scale: above 0 for the links that have one, else 0");
    const bool of_doubles =
        link >= RIDE_FOREST_LINK_LOGISTIC && link <= RIDE_FOREST_LINK_ISOLATION && link != RIDE_FOREST_LINK_EXP;
    if (of_doubles && model->sum_number == RIDE_FOREST_F32)
        return ride_model_finding(reader, NULL, "link: of doubles only");
    model->aggregate = (ride_forest_aggregate)aggregate;
    model->base_last = last != 0;
    const ride_value *iteration = ride_value_get(document, "best_iteration");
    int64_t number = -1;
    if (iteration != NULL && ride_value_i64(iteration, &number) && number >= 0) {
        RIDE_TRY(ride_sklearn_count(reader, document, "best_iteration", -1, 0, INT32_MAX, &best));
        model->best_iteration = best;
    }
    if (model->sum_number == RIDE_FOREST_F32)
        for (uint32_t o = 0; o < model->outputs_count; o++)
            if ((double)(float)model->base_margins[o] != model->base_margins[o])
                return ride_model_finding(reader, NULL, "base[%u]: no float", o);
    return RIDE_OK;
}

static ride_status read_sets(ride_model_reader *reader, const ride_value *document) {
    ride_model *model = reader->model;
    const ride_value *sets = ride_value_get(document, "sets");
    uint64_t members = 0;
    model->sets_count = ride_value_length(sets);
    for (uint32_t s = 0; s < model->sets_count; s++) members += ride_value_length(ride_value_at(sets, s));
    model->sets = ride_arena_new(model->arena, ride_model_set, (size_t)model->sets_count + 1);
    model->set_members = ride_arena_new(model->arena, uint32_t, members + 1);
    if (model->sets == NULL || model->set_members == NULL) return ride_model_finding(reader, NULL, "sets: no memory");
    for (uint32_t s = 0; s < model->sets_count; s++) {
        const ride_value *list = ride_value_at(sets, s);
        int64_t before = -1, code;
        model->sets[s] = (ride_model_set){model->set_members_count, ride_value_length(list)};
        for (uint32_t i = 0; i < ride_value_length(list); i++, before = code) {
            if (!ride_value_i64_at(list, i, &code) || code <= before || code >= RIDE_FOREST_CATEGORY_MAX)
                return ride_model_finding(reader, NULL, "sets[%u][%u]: a code above the one before was expected", s, i);
            model->set_members[model->set_members_count++] = (uint32_t)code;
        }
    }
    return RIDE_OK;
}

static ride_status read_line(ride_model_reader *reader, const ride_value *value, uint32_t at, uint32_t features) {
    ride_model *model = reader->model;
    const ride_value *inputs = ride_value_get(value, "inputs"), *numbers = ride_value_get(value, "coefficients");
    ride_forest_line *line = &model->lines[at];
    *line = (ride_forest_line){.terms_first = model->terms_count, .terms_count = ride_value_length(inputs)};
    if (!ride_value_double(ride_value_get(value, "constant"), &line->constant) || !isfinite(line->constant) ||
        ride_value_length(numbers) != line->terms_count)
        return ride_model_finding(reader, NULL,
                                  "lines[%u]: a finite constant, as many coefficients as inputs were expected", at);
    for (uint32_t i = 0; i < line->terms_count; i++) {
        ride_forest_term *term = &model->terms[model->terms_count++];
        int64_t input;
        if (!ride_value_i64_at(inputs, i, &input) || input < 0 || input >= features ||
            !ride_value_double_at(numbers, i, &term->coefficient) || !isfinite(term->coefficient))
            return ride_model_finding(reader, NULL,
                                      "lines[%u]: term %u: one of %u inputs, a finite number were expected", at, i,
                                      features);
        term->input = (uint32_t)input;
    }
    return RIDE_OK;
}

/* Absent: none. */
static ride_status read_lines(ride_model_reader *reader, const ride_value *document, uint32_t features) {
    ride_model *model = reader->model;
    const ride_value *lines = ride_value_get(document, "lines");
    uint64_t terms = 0;
    model->lines_count = ride_value_length(lines);
    if (model->lines_count == 0) return RIDE_OK;
    if (model->input_number != RIDE_FOREST_F64 || model->sum_number != RIDE_FOREST_F64 ||
        model->aggregate != RIDE_FOREST_SUM)
        return ride_model_finding(reader, NULL, "lines: of sums of doubles only");
    for (uint32_t i = 0; i < model->lines_count; i++)
        terms += ride_value_length(ride_value_get(ride_value_at(lines, i), "inputs"));
    model->lines = ride_arena_new(model->arena, ride_forest_line, model->lines_count);
    model->terms = ride_arena_new(model->arena, ride_forest_term, terms + 1);
    if (model->lines == NULL || model->terms == NULL) return ride_model_finding(reader, NULL, "lines: no memory");
    for (uint32_t i = 0; i < model->lines_count; i++) RIDE_TRY(read_line(reader, ride_value_at(lines, i), i, features));
    return RIDE_OK;
}

static ride_status read_node(ride_model_reader *reader, const ride_value *const lists[6], const char *place, uint32_t i,
                             uint32_t features, uint32_t nodes_count, ride_model_node *node) {
    const ride_model *model = reader->model;
    int64_t whole[4];
    for (int k = 0; k < 4; k++)
        if (!ride_value_i64_at(lists[k], i, &whole[k]) || whole[k] < 0 || whole[k] > INT32_MAX)
            return ride_model_finding(reader, NULL, "%s: node %u: a whole number was expected", place, i);
    *node = (ride_model_node){.input = (uint32_t)whole[0],
                              .left = (uint32_t)whole[1],
                              .right = (uint32_t)whole[2],
                              .set = (uint32_t)whole[3]};
    if (!ride_value_double_at(lists[4], i, &node->value) || isnan(node->value))
        return ride_model_finding(reader, NULL, "%s.value[%u]: a number was expected", place, i);
    if (!ride_value_double_at(lists[5], i, &node->cover) || !isfinite(node->cover) || node->cover < 0.0)
        return ride_model_finding(reader, NULL, "%s.cover[%u]: a number from 0 was expected", place, i);
    const bool is_leaf = (node->input & RIDE_NODE_LEAF) != 0, is_set = (node->input & RIDE_NODE_SET) != 0;
    if ((node->input & ~(uint32_t)NODE_BITS) != 0 || (is_leaf && node->input != RIDE_NODE_LEAF) ||
        (is_set && (node->input & (RIDE_NODE_ZERO_MISSING | RIDE_NODE_ONLY_MISSING)) != 0) ||
        (!is_set && (node->input & (RIDE_NODE_SET_LEFT | RIDE_NODE_SET_FROM_MINUS_1)) != 0))
        return ride_model_finding(reader, NULL, "%s.input[%u]: bits that mean nothing together", place, i);
    if (is_leaf)
        return isfinite(node->value)
                   ? RIDE_OK
                   : ride_model_finding(reader, NULL, "%s.value[%u]: a leaf that is not finite", place, i);
    if ((node->input & RIDE_NODE_INPUT_MASK) >= features)
        return ride_model_finding(reader, NULL, "%s.input[%u]: none of the %u", place, i, features);
    if (is_set && node->set >= model->sets_count)
        return ride_model_finding(reader, NULL, "%s.set[%u]: none of the %u sets", place, i, model->sets_count);
    if (node->left >= nodes_count || node->right >= nodes_count)
        return ride_model_finding(reader, NULL, "%s: node %u has a child that is not there", place, i);
    return RIDE_OK;
}

static ride_status read_tree(ride_model_reader *reader, const ride_value *value, uint32_t t, uint32_t features,
                             ride_model_walk *walk) {
    static const char *const keys[] = {"input", "left", "right", "set", "value", "cover"};
    ride_model *model = reader->model;
    ride_model_tree *tree = &model->trees[t];
    const ride_value *lists[6];
    char place[32];
    snprintf(place, sizeof place, "trees[%u]", t);
    *tree = (ride_model_tree){.nodes_first = model->nodes_count};
    for (int k = 0; k < 6; k++) {
        lists[k] = ride_value_get(value, keys[k]);
        if (k == 0) tree->nodes_count = ride_value_length(lists[0]);
        if (ride_value_length(lists[k]) != tree->nodes_count)
            return ride_model_finding(reader, NULL, "%s.%s: %u numbers, %u were expected", place, keys[k],
                                      ride_value_length(lists[k]), tree->nodes_count);
    }
    RIDE_TRY(ride_sklearn_count(reader, value, "output", -1, 0, (int64_t)model->outputs_count - 1, &tree->output));
    if (!ride_value_double(ride_value_get(value, "weight"), &tree->weight) || !isfinite(tree->weight))
        return ride_model_finding(reader, NULL, "%s.weight: a finite number was expected", place);
    if (model->lines_count > 0 && tree->weight != 1.0)
        return ride_model_finding(reader, NULL, "%s.weight: 1 where there are lines", place);
    ride_model_node *nodes = &model->nodes[model->nodes_count];
    for (uint32_t i = 0; i < tree->nodes_count; i++)
        RIDE_TRY(read_node(reader, lists, place, i, features, tree->nodes_count, &nodes[i]));
    model->nodes_count += tree->nodes_count;
    return ride_model_walk_tree(reader, place, nodes, tree->nodes_count, walk);
}

/* Each line is of one leaf, in the order of the leaves: so what they become is bounded by the file. */
static ride_status check_lines(ride_model_reader *reader) {
    const ride_model *model = reader->model;
    uint32_t met = 0;
    for (uint32_t i = 0; i < model->nodes_count; i++) {
        const ride_model_node *node = &model->nodes[i];
        if ((node->input & RIDE_NODE_LEAF) == 0 || node->set == 0) continue;
        if (node->set != ++met || met > model->lines_count)
            return ride_model_finding(reader, NULL, "trees: a leaf's set is line %u of %u, and the next line is %u",
                                      node->set, model->lines_count, met);
    }
    if (met < model->lines_count)
        return ride_model_finding(reader, NULL, "lines: %u, and leaves name only the first %u", model->lines_count,
                                  met);
    return RIDE_OK;
}

ride_status ride_sklearn_read_plain(ride_model_reader *reader, const ride_value *document, uint32_t values) {
    ride_model *model = reader->model;
    const ride_value *trees = ride_value_get(document, "trees");
    uint64_t nodes = 0;
    uint32_t most = 0;
    RIDE_TRY(read_head(reader, document));
    model->trees_count = ride_value_length(trees);
    if (model->trees_count == 0 && (model->steps_count == 0 || values != model->outputs_count))
        return ride_model_finding(reader, NULL, "trees: none, and no steps that end with the outputs");
    if (model->trees_count > reader->options->trees_max)
        return ride_model_finding(reader, RIDE_RAISE, "trees: %u, at most %u", model->trees_count,
                                  reader->options->trees_max);
    for (uint32_t t = 0; t < model->trees_count; t++) {
        const uint32_t length = ride_value_length(ride_value_get(ride_value_at(trees, t), "input"));
        if (length == 0) return ride_model_finding(reader, NULL, "trees[%u].input is missing or empty", t);
        nodes += length;
        if (length > most) most = length;
    }
    if (nodes > reader->options->nodes_max)
        return ride_model_finding(reader, RIDE_RAISE, "trees: %llu nodes, at most %u", (unsigned long long)nodes,
                                  reader->options->nodes_max);
    model->trees = ride_arena_new(model->arena, ride_model_tree, (size_t)model->trees_count + 1);
    model->nodes = ride_model_nodes(reader, nodes);
    if (model->trees == NULL || model->nodes == NULL) return ride_model_finding(reader, NULL, "trees: no memory");
    RIDE_TRY(read_sets(reader, document));
    RIDE_TRY(read_lines(reader, document, values));
    ride_model_walk walk;
    ride_status st = ride_model_walk_create(reader, most, &walk);
    for (uint32_t t = 0; st == RIDE_OK && t < model->trees_count; t++)
        st = read_tree(reader, ride_value_at(trees, t), t, values, &walk);
    ride_model_walk_destroy(&walk);
    return st == RIDE_OK ? check_lines(reader) : st;
}
