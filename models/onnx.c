/* models/onnx.c: from a graph to a chain, and along the chain into the model. See onnx.h. */
#include "models/onnx_chain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    GRAPH_INPUT = 11,
    GRAPH_OUTPUT = 12,
    VALUE_NAME = 1,
    VALUE_TYPE = 2,
    TYPE_TENSOR = 1,
    TYPE_SEQUENCE = 4,
    TENSOR_ELEMENT = 1,
    TENSOR_SHAPE = 2,
    SHAPE_DIM = 1,
    DIM_VALUE = 1,
    WALKED_NODES_MAX = 8192,
    WALKED_INPUTS_MAX = 1 << 20,
};

static bool next_value(ride_message *rest, uint32_t number, onnx_value *out) {
    ride_field field;
    while (ride_message_find(rest, number, &field)) {
        if (field.wire != RIDE_WIRE_BYTES) continue;
        const ride_message type = ride_message_bytes_of(field.bytes, VALUE_TYPE);
        *out = (onnx_value){.name = ride_message_bytes_of(field.bytes, VALUE_NAME),
                            .tensor = ride_message_bytes_of(type, TYPE_TENSOR),
                            .is_sequence = ride_message_has(type, TYPE_SEQUENCE)};
        out->element = ride_message_i64(out->tensor, TENSOR_ELEMENT, 0);
        return true;
    }
    return false;
}

static int compare_names(ride_message a, ride_message b) {
    const size_t bytes = ride_message_bytes(a), other = ride_message_bytes(b);
    if (bytes != other) return bytes < other ? -1 : 1;
    return bytes == 0 ? 0 : memcmp(a.at, b.at, bytes);
}

/* By name; of one name, as they stand in the file. */
static int compare_values(const void *a, const void *b) {
    const onnx_value *one = a, *other = b;
    const int order = compare_names(one->name, other->name);
    return order != 0 ? order : one->index < other->index ? -1 : one->index > other->index;
}

/* All inputs of the graph by name: a Concat may join as many as there are. */
static ride_status read_inputs(onnx_chain *c) {
    uint32_t count = 0;
    onnx_value found;
    for (ride_message rest = c->file.graph; next_value(&rest, GRAPH_INPUT, &found);)
        if (++count > RIDE_FOREST_INPUTS_MAX)
            return ride_model_finding(c->file.reader, NULL, "graph: more than %d inputs", RIDE_FOREST_INPUTS_MAX);
    c->inputs = ride_arena_new(c->file.values, onnx_value, (size_t)count + 1);
    if (c->inputs == NULL) return ride_model_finding(c->file.reader, NULL, "no memory for %u inputs", count);
    for (ride_message rest = c->file.graph; next_value(&rest, GRAPH_INPUT, &found); c->inputs_count++) {
        c->inputs[c->inputs_count] = found;
        c->inputs[c->inputs_count].index = c->inputs_count;
    }
    qsort(c->inputs, c->inputs_count, sizeof *c->inputs, compare_values);
    return RIDE_OK;
}

bool ride_onnx_graph_input(const onnx_chain *c, ride_message name, onnx_value *out) {
    uint32_t low = 0, high = c->inputs_count;
    while (low < high) {
        const uint32_t mid = low + (high - low) / 2;
        if (compare_names(c->inputs[mid].name, name) < 0) low = mid + 1;
        else high = mid;
    }
    if (low == c->inputs_count || !ride_onnx_same(c->inputs[low].name, name)) return false;
    *out = c->inputs[low];
    return true;
}

static int bytes_shown(ride_message text) {
    return (int)(ride_message_bytes(text) < 60 ? ride_message_bytes(text) : 60);
}
static const char *shown(ride_message text) { return text.at != NULL ? (const char *)text.at : ""; }

/* The one output that holds scores: floats, or ZipMap's sequence of maps. Labels are whole numbers or text. */
static ride_status find_output(const onnx_file *file, ride_message *out) {
    onnx_value found, first = {0};
    uint32_t count = 0;
    for (ride_message rest = file->graph; next_value(&rest, GRAPH_OUTPUT, &found);) {
        const bool has_scores = found.is_sequence || found.element == ONNX_FLOAT || found.element == ONNX_DOUBLE;
        if (has_scores && count++ == 0) first = found;
        if (has_scores && count > 1)
            return ride_model_finding(file->reader, "export one of them",
                                      "graph: two outputs of scores, `%.*s` and `%.*s`", bytes_shown(first.name),
                                      shown(first.name), bytes_shown(found.name), shown(found.name));
    }
    if (count == 0)
        return ride_model_finding(file->reader, "export the probabilities too", "graph: no output of scores");
    *out = first.name;
    return RIDE_OK;
}

/* ---- backwards ---- */

/* [1 - p, p]: is `first` made of `second`? */
static bool is_complement(const onnx_file *file, ride_message first, ride_message second) {
    uint32_t output;
    ride_message a, b;
    onnx_reals one;
    onnx_shape shape;
    const onnx_node *node = ride_onnx_producer(file, first, &output);
    return node != NULL && ride_message_is(node->op, "Sub") && ride_onnx_input(node, 0, &a) &&
           ride_onnx_input(node, 1, &b) && ride_onnx_same(b, second) && ride_onnx_is_constant(file, a) &&
           ride_onnx_constant_reals(file, node, a, &one, &shape) == RIDE_OK && one.count == 1 && one.at[0] == 1.0;
}

/* Which input of the node holds the row. *name: what it is called. A Concat may hold parts of it: of the graph's inputs, or of what is computed. */
static ride_status row_input(const onnx_chain *c, onnx_link *link, ride_message *name, bool *is_source,
                             bool *has_parts) {
    const onnx_file *file = &c->file;
    ride_message input, other = {0};
    uint32_t rows = 0, of_graph = 0;
    onnx_value from;
    const bool is_concat = ride_message_is(link->node->op, "Concat");
    *is_source = *has_parts = false;
    for (uint32_t i = 0; ride_onnx_input(link->node, i, &input); i++) {
        if (ride_message_bytes(input) == 0 || ride_onnx_is_constant(file, input)) continue;
        of_graph += is_concat && ride_onnx_graph_input(c, input, &from);
        if (rows++ == 0) link->input = i, *name = input;
        else other = input;
    }
    if (rows == 0) return ride_onnx_finding(file, link->node, NULL, "it has no input that holds a row");
    if (rows == 1) return RIDE_OK;
    if (is_concat) {
        if (rows == 2 && is_complement(file, *name, other)) {
            link->is_complement = true;
            *name = other;
            return RIDE_OK;
        }
        *is_source = true;
        *has_parts = of_graph < link->node->inputs_count;
        return RIDE_OK;
    }
    return ride_onnx_finding(file, link->node, "export the parts by themselves, and join them in an ensemble",
                             "it joins `%.*s` and `%.*s`; only a chain is read", bytes_shown(*name), shown(*name),
                             bytes_shown(other), shown(other));
}

ride_status ride_onnx_take(const onnx_chain *c, const onnx_node *node) {
    if (c->budget->nodes == 0)
        return ride_model_finding(c->file.reader, NULL, "graph: its parts have more than %d nodes together",
                                  WALKED_NODES_MAX);
    if (c->budget->inputs < node->inputs_count)
        return ride_model_finding(c->file.reader, NULL, "graph: its parts have nodes with more than %d inputs together",
                                  WALKED_INPUTS_MAX);
    c->budget->nodes--;
    c->budget->inputs -= node->inputs_count;
    return RIDE_OK;
}

ride_status ride_onnx_walk_back(onnx_chain *c, ride_message name, onnx_value *source, const onnx_node **joined,
                                bool *has_parts) {
    const onnx_file *file = &c->file;
    uint32_t at = file->nodes_count;
    *joined = NULL;
    *has_parts = false;
    for (;;) {
        bool is_source;
        onnx_link link = {0};
        if (!ride_onnx_is_constant(file, name) && ride_onnx_graph_input(c, name, source)) break;
        link.node = ride_onnx_producer(file, name, &link.output);
        if (link.node == NULL)
            return ride_model_finding(file->reader, NULL, "graph: nothing gives `%.*s`", bytes_shown(name),
                                      shown(name));
        if (at == 0) return ride_model_finding(file->reader, NULL, "graph: a cycle");
        RIDE_TRY(ride_onnx_take(c, link.node));
        RIDE_TRY(row_input(c, &link, &name, &is_source, has_parts));
        if (is_source) {
            *joined = link.node;
            break;
        }
        c->links[--at] = link;
    }
    c->links_count = file->nodes_count - at;
    memmove(c->links, c->links + at, c->links_count * sizeof *c->links);
    return RIDE_OK;
}

/* ---- the source ---- */

/* Columns of a tensor [rows, columns]; 0: not said. */
ride_status ride_onnx_columns(const onnx_file *file, onnx_value source, uint32_t *out) {
    ride_message shape = ride_message_bytes_of(source.tensor, TENSOR_SHAPE);
    ride_field dim;
    uint32_t rank = 0;
    int64_t columns = 0;
    *out = 0;
    if (source.element != ONNX_FLOAT && source.element != ONNX_DOUBLE && source.element != ONNX_INT64 &&
        source.element != ONNX_INT32)
        return ride_model_finding(file->reader, "encode text before, and export what comes after",
                                  "graph: the input `%.*s` is no tensor of numbers", bytes_shown(source.name),
                                  shown(source.name));
    while (ride_message_find(&shape, SHAPE_DIM, &dim)) {
        if (++rank == 2 && dim.wire == RIDE_WIRE_BYTES) columns = ride_message_i64(dim.bytes, DIM_VALUE, 0);
    }
    if (rank != 0 && rank != 2)
        return ride_model_finding(file->reader, NULL, "graph: the input `%.*s` has %u dimensions, not rows and columns",
                                  bytes_shown(source.name), shown(source.name), rank);
    if (columns < 0 || columns > RIDE_FOREST_INPUTS_MAX)
        return ride_model_finding(file->reader, NULL, "graph: the input `%.*s` has %lld columns",
                                  bytes_shown(source.name), shown(source.name), (long long)columns);
    *out = (uint32_t)columns;
    return RIDE_OK;
}

/* One tensor with all columns, which have no names then. */
static ride_status read_source(onnx_chain *c, onnx_value source) {
    ride_model *model = c->file.reader->model;
    c->number = source.element == ONNX_DOUBLE ? RIDE_FOREST_F64 : RIDE_FOREST_F32;
    RIDE_TRY(ride_onnx_columns(&c->file, source, &c->width));
    for (uint32_t i = 0; i < c->links_count && c->width == 0; i++) {
        const ride_message op = c->links[i].node->op;
        if (ride_message_is(op, "TreeEnsemble") || ride_message_is(op, "TreeEnsembleRegressor") ||
            ride_message_is(op, "TreeEnsembleClassifier"))
            RIDE_TRY(ride_onnx_trees_width(&c->file, c->links[i].node, &c->width));
        else RIDE_TRY(ride_onnx_step_width(c, &c->links[i], &c->width));
    }
    if (c->width == 0 || c->width > RIDE_FOREST_INPUTS_MAX)
        return ride_model_finding(c->file.reader, "export it with a fixed number of columns",
                                  "graph: nothing says how many columns the input has");
    model->inputs_count = c->width;
    model->inputs = ride_arena_new(model->arena, ride_model_input, c->width);
    return model->inputs != NULL ? RIDE_OK
                                 : ride_model_finding(c->file.reader, NULL, "no memory for %u inputs", c->width);
}

/* Inputs of one column each, put together by a Concat: their names are the model's. */
static ride_status read_joined(onnx_chain *c, const onnx_node *node) {
    ride_model *model = c->file.reader->model;
    ride_message name;
    onnx_value source;
    uint32_t columns;
    const uint32_t count = node->inputs_count;
    int64_t axis, element = 0;
    RIDE_TRY(ride_onnx_int(&c->file, node, "axis", 1, &axis));
    if (axis != 1 && axis != -1) return ride_onnx_finding(&c->file, node, NULL, "axis: only columns are joined");
    model->inputs = ride_arena_new(model->arena, ride_model_input, count);
    if (model->inputs == NULL) return ride_onnx_finding(&c->file, node, NULL, "no memory for %u inputs", count);
    for (uint32_t i = 0; i < count && ride_onnx_input(node, i, &name); i++) {
        if (!ride_onnx_graph_input(c, name, &source))
            return ride_onnx_finding(&c->file, node, "only inputs of the graph are joined", "`%.*s` is none",
                                     bytes_shown(name), shown(name));
        RIDE_TRY(ride_onnx_columns(&c->file, source, &columns));
        if (columns != 1)
            return ride_onnx_finding(&c->file, node, "export it with one input of all columns",
                                     "the input `%.*s` has not one column", bytes_shown(name), shown(name));
        if (i == 0) element = source.element;
        if (source.element != element) return ride_onnx_finding(&c->file, node, NULL, "inputs of several types");
        if (name.at == NULL || memchr(name.at, 0, ride_message_bytes(name)) != NULL)
            return ride_onnx_finding(&c->file, node, NULL, "an input without a name");
        model->inputs[i].name = ride_arena_text(model->arena, shown(name), ride_message_bytes(name));
        if (model->inputs[i].name == NULL) return ride_onnx_finding(&c->file, node, NULL, "no memory for names");
    }
    c->number = element == ONNX_DOUBLE ? RIDE_FOREST_F64 : RIDE_FOREST_F32;
    c->width = model->inputs_count = count;
    model->has_names = true;
    return ride_model_check_names(c->file.reader, "graph");
}

/* ---- forwards ---- */

static ride_status apply(onnx_chain *c, const onnx_link *link) {
    ride_model *model = c->file.reader->model;
    const ride_message op = link->node->op;
    const bool is_classifier = ride_message_is(op, "TreeEnsembleClassifier");
    const bool is_trees =
        is_classifier || ride_message_is(op, "TreeEnsembleRegressor") || ride_message_is(op, "TreeEnsemble");
    const bool has_labels = is_classifier || ride_message_is(op, "LinearClassifier");
    if (link->output != (has_labels ? 1 : 0))
        return ride_onnx_finding(&c->file, link->node, "export the scores", "its output %u are no scores",
                                 link->output);
    if (!is_trees) {
        const uint32_t before = c->steps_count;
        RIDE_TRY(ride_onnx_step(c, link));
        if (c->steps_count > before && !c->has_trees) /* the last of them tells what the model is */
            snprintf(model->objective, sizeof model->objective, "%.*s", bytes_shown(op) < 47 ? bytes_shown(op) : 47,
                     shown(op));
        return RIDE_OK;
    }
    if (c->has_trees) return ride_onnx_finding(&c->file, link->node, NULL, "trees behind trees");
    if (c->is_pair || c->is_second)
        return ride_onnx_finding(&c->file, link->node, NULL, "trees behind scores of two classes");
    model->inputs_count = c->width; /* of the trees, while they are read */
    snprintf(model->objective, sizeof model->objective, "%.*s", bytes_shown(op) < 47 ? bytes_shown(op) : 47, shown(op));
    RIDE_TRY(ride_onnx_read_trees(&c->file, link->node, c->number, &c->is_pair, &c->is_second));
    c->has_trees = c->is_answer = true;
    c->width = model->outputs_count;
    return RIDE_OK;
}

/* The last layer's activation is the link, so that there is a margin. Two classes of a softmax have one margin: the difference. */
static ride_status end_network(onnx_chain *c) {
    ride_model *model = c->file.reader->model;
    ride_model_step *last = c->steps_count > 0 ? &c->steps[c->steps_count - 1] : NULL;
    if (last == NULL) return ride_model_finding(c->file.reader, NULL, "graph: there is no model in it");
    model->input_number = c->steps[0].number;
    model->sum_number = last->number;
    model->link = RIDE_FOREST_LINK_NONE;
    if (last->activation == RIDE_ACTIVATION_SIGMOID) {
        model->link = model->sum_number == RIDE_FOREST_F32 ? RIDE_FOREST_LINK_SIGMOID : RIDE_FOREST_LINK_LOGISTIC;
        model->link_scale = model->link == RIDE_FOREST_LINK_LOGISTIC ? 1.0 : 0.0;
        last->activation = RIDE_ACTIVATION_NONE;
    } else if (last->activation == RIDE_ACTIVATION_SOFTMAX) {
        model->link = RIDE_FOREST_LINK_SOFTMAX;
        last->activation = RIDE_ACTIVATION_NONE;
    }
    model->outputs_count = last->outputs;
    if (model->outputs_count > RIDE_FOREST_OUTPUTS_MAX)
        return ride_model_finding(c->file.reader, NULL, "graph: %u outputs, at most %d", model->outputs_count,
                                  RIDE_FOREST_OUTPUTS_MAX);
    model->base_margins = ride_arena_new(model->arena, double, model->outputs_count);
    model->base_scores = ride_arena_new(model->arena, double, model->outputs_count);
    return model->base_margins != NULL && model->base_scores != NULL
               ? RIDE_OK
               : ride_model_finding(c->file.reader, NULL, "no memory for %u outputs", model->outputs_count);
}

ride_status ride_onnx_read_chain(onnx_chain *c, ride_message output) {
    ride_model *model = c->file.reader->model;
    onnx_value source;
    const onnx_node *joined;
    bool has_parts;
    RIDE_TRY(ride_onnx_walk_back(c, output, &source, &joined, &has_parts));
    if (has_parts) RIDE_TRY(ride_onnx_front(c, joined, c->links_count));
    else if (joined != NULL) RIDE_TRY(read_joined(c, joined));
    else RIDE_TRY(read_source(c, source));
    const uint32_t inputs = has_parts ? model->inputs_count : c->width;
    if (!has_parts) {
        c->steps_room = c->links_count + 1;
        c->steps = ride_arena_new(model->arena, ride_model_step, c->steps_room);
    }
    if (c->steps == NULL) return ride_model_finding(c->file.reader, NULL, "no memory for %u steps", c->steps_room);
    for (uint32_t i = 0; i < c->links_count; i++) RIDE_TRY(apply(c, &c->links[i]));
    model->inputs_count = inputs;
    if (!c->has_trees) RIDE_TRY(end_network(c));
    model->steps = c->steps_count > 0 ? c->steps : NULL;
    model->steps_count = c->steps_count;
    snprintf(model->booster, sizeof model->booster, "%s",
             c->has_trees         ? "trees"
             : c->steps_count > 1 ? "network"
                                  : "linear");
    return RIDE_OK;
}

ride_status ride_onnx_read(ride_model_reader *reader, const void *data, size_t bytes, ride_arena *values) {
    onnx_budget budget = {WALKED_NODES_MAX, WALKED_INPUTS_MAX};
    onnx_chain c = {.file = {.reader = reader, .values = values}, .budget = &budget};
    snprintf(reader->model->format, sizeof reader->model->format, "onnx");
    snprintf(reader->model->encoding, sizeof reader->model->encoding, "protobuf");
    if (reader->options->best_iteration)
        return ride_model_finding(reader, "export the iterations that are wanted",
                                  "ONNX does not say which iteration was the best");
    RIDE_TRY(ride_onnx_open(&c.file, data, bytes));
    c.links = ride_arena_new(values, onnx_link, (size_t)c.file.nodes_count + 1);
    if (c.links == NULL) return ride_model_finding(reader, NULL, "no memory for %u nodes", c.file.nodes_count);
    ride_message output;
    bool is_ensemble;
    RIDE_TRY(find_output(&c.file, &output));
    RIDE_TRY(read_inputs(&c));
    RIDE_TRY(ride_onnx_votes(&c, output, &is_ensemble));
    if (!is_ensemble) RIDE_TRY(ride_onnx_read_chain(&c, output));
    return ride_diagnostics_status(reader->findings);
}
