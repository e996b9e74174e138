/* models/onnx_file.c: what of onnx.proto is needed, looked up where it lies. Numbers of fields are those of onnx.proto. */
#include "models/onnx.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MODEL_PRODUCER = 2,
    MODEL_PRODUCER_VERSION = 3,
    MODEL_GRAPH = 7,
    MODEL_OPSET = 8,
    OPSET_DOMAIN = 1,
    OPSET_VERSION = 2,
    GRAPH_NODE = 1,
    GRAPH_INITIALIZER = 5,
    NODE_INPUT = 1,
    NODE_OUTPUT = 2,
    NODE_NAME = 3,
    NODE_OP = 4,
    NODE_ATTRIBUTE = 5,
    ATTRIBUTE_NAME = 1,
    ATTRIBUTE_FLOAT = 2,
    ATTRIBUTE_INT = 3,
    ATTRIBUTE_TEXT = 4,
    ATTRIBUTE_TENSOR = 5,
    ATTRIBUTE_FLOATS = 7,
    ATTRIBUTE_INTS = 8,
    ATTRIBUTE_TEXTS = 9,
    TENSOR_DIMS = 1,
    TENSOR_TYPE = 2,
    TENSOR_FLOATS = 4,
    TENSOR_INT32S = 5,
    TENSOR_INT64S = 7,
    TENSOR_NAME = 8,
    TENSOR_RAW = 9,
    TENSOR_DOUBLES = 10,
    TENSOR_EXTERNAL = 13,
    TENSOR_LOCATION = 14,
    /* A graph that is a chain has some tens. */
    NODES_MAX = 2048,
    CONSTANTS_MAX = 4096,
    NODE_INPUTS_MAX = 1 << 16, /* of a node: columns that a Concat joins; all together have at most twice as many */
    NODE_OUTPUTS_MAX = 64,
};

ride_status ride_onnx_finding(const onnx_file *file, const onnx_node *node, const char *advice, const char *format,
                              ...) {
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const ride_message name = ride_message_bytes_of(node->message, NODE_NAME);
    const int name_bytes = (int)(ride_message_bytes(name) < 60 ? ride_message_bytes(name) : 60);
    const int op_bytes = (int)(ride_message_bytes(node->op) < 40 ? ride_message_bytes(node->op) : 40);
    return ride_model_finding(file->reader, advice, "node %u%s%.*s%s (%.*s): %s", node->index,
                              name_bytes > 0 ? " `" : "", name_bytes, name_bytes > 0 ? (const char *)name.at : "",
                              name_bytes > 0 ? "`" : "", op_bytes, op_bytes > 0 ? (const char *)node->op.at : "", text);
}

bool ride_onnx_recognises(const void *data, size_t bytes) {
    const uint8_t *at = data;
    ride_message rest = ride_message_of(data, bytes);
    ride_field field;
    bool has_graph = false;
    if (bytes < 2) return false;
    if (at[0] == 0x08 && at[1] > 0 && at[1] < 0x40) return true; /* ir_version first, as everybody writes it */
    while (ride_message_next(&rest, &field)) has_graph |= field.number == MODEL_GRAPH && field.wire == RIDE_WIRE_BYTES;
    return has_graph && !rest.is_bad;
}

bool ride_onnx_same(ride_message a, ride_message b) {
    const size_t bytes = ride_message_bytes(a);
    return bytes == ride_message_bytes(b) && (bytes == 0 || memcmp(a.at, b.at, bytes) == 0);
}

/* ---- the file ---- */

/* How many fields of that number; damage is a finding. */
static ride_status count_fields(onnx_file *file, ride_message m, uint32_t number, uint32_t most, const char *what,
                                uint32_t *out) {
    ride_field field;
    *out = 0;
    while (ride_message_next(&m, &field))
        if (field.number == number && field.wire == RIDE_WIRE_BYTES && ++*out > most)
            return ride_model_finding(file->reader, NULL, "graph: more than %u %s", most, what);
    return m.is_bad ? ride_model_finding(file->reader, "the file seems cut short", "graph: damaged") : RIDE_OK;
}

static void read_opsets(onnx_file *file, ride_message model) {
    ride_field field;
    file->opset = file->opset_ml = -1;
    while (ride_message_find(&model, MODEL_OPSET, &field)) {
        const ride_message domain = ride_message_bytes_of(field.bytes, OPSET_DOMAIN);
        const int64_t version = ride_message_i64(field.bytes, OPSET_VERSION, 0);
        if (ride_message_is(domain, "") || ride_message_is(domain, "ai.onnx")) file->opset = version;
        else if (ride_message_is(domain, "ai.onnx.ml")) file->opset_ml = version;
    }
}

static void read_producer(onnx_file *file, ride_message model) {
    const ride_message name = ride_message_bytes_of(model, MODEL_PRODUCER),
                       version = ride_message_bytes_of(model, MODEL_PRODUCER_VERSION);
    char text[64];
    snprintf(text, sizeof text, "%.*s %.*s", (int)(ride_message_bytes(name) < 40 ? ride_message_bytes(name) : 40),
             name.at != NULL ? (const char *)name.at : "",
             (int)(ride_message_bytes(version) < 16 ? ride_message_bytes(version) : 16),
             version.at != NULL ? (const char *)version.at : "");
    for (char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e) *c = '?';
    snprintf(file->reader->model->written_by, sizeof file->reader->model->written_by, "%.23s", text);
}

static bool attribute(const onnx_node *node, const char *name, ride_message *out) {
    ride_message rest = node->message;
    ride_field field, given;
    while (ride_message_find(&rest, NODE_ATTRIBUTE, &field)) {
        /* the first name, which stands before a list: the whole of a long one is not walked for it */
        ride_message attribute = field.bytes;
        if (field.wire != RIDE_WIRE_BYTES || !ride_message_find(&attribute, ATTRIBUTE_NAME, &given) ||
            given.wire != RIDE_WIRE_BYTES || !ride_message_is(given.bytes, name))
            continue;
        *out = field.bytes;
        return true;
    }
    return false;
}

/* Names of a node's inputs and outputs, once: they are asked for by number. */
static ride_status read_names(onnx_file *file, onnx_node *node, uint32_t *inputs_left) {
    ride_message rest = node->message;
    ride_field field;
    uint32_t inputs = 0, outputs = 0;
    while (ride_message_next(&rest, &field)) {
        if (field.wire != RIDE_WIRE_BYTES) continue;
        if (field.number == NODE_INPUT) inputs++;
        if (field.number == NODE_OUTPUT) outputs++;
        if (inputs > NODE_INPUTS_MAX || inputs > *inputs_left)
            return ride_onnx_finding(file, node, "export it with one input of all columns",
                                     "more than %d inputs, or nodes with more than %d together", NODE_INPUTS_MAX,
                                     2 * NODE_INPUTS_MAX);
        if (outputs > NODE_OUTPUTS_MAX)
            return ride_onnx_finding(file, node, NULL, "more than %d outputs", NODE_OUTPUTS_MAX);
    }
    if (rest.is_bad) return ride_onnx_finding(file, node, NULL, "damaged");
    ride_message *names = ride_arena_new(file->values, ride_message, (size_t)inputs + outputs + 1);
    if (names == NULL) return ride_onnx_finding(file, node, NULL, "no memory for %u names", inputs + outputs);
    node->inputs = names;
    node->outputs = names + inputs;
    *inputs_left -= inputs;
    for (rest = node->message; ride_message_next(&rest, &field);) {
        if (field.wire != RIDE_WIRE_BYTES) continue;
        if (field.number == NODE_INPUT) names[node->inputs_count++] = field.bytes;
        if (field.number == NODE_OUTPUT) names[inputs + node->outputs_count++] = field.bytes;
    }
    return RIDE_OK;
}

static int compare_names(ride_message a, ride_message b) {
    const size_t bytes = ride_message_bytes(a), other = ride_message_bytes(b);
    if (bytes != other) return bytes < other ? -1 : 1;
    return bytes == 0 ? 0 : memcmp(a.at, b.at, bytes);
}

/* By name; of one name, as they stand in the file. */
static int compare_constants(const void *a, const void *b) {
    const onnx_constant *one = a, *other = b;
    const int order = compare_names(one->name, other->name);
    return order != 0 ? order : one->index < other->index ? -1 : one->index > other->index;
}

/* By name; of one name, as they stand in the file. */
static int compare_given(const void *a, const void *b) {
    const onnx_given *one = a, *other = b;
    const int order = compare_names(one->name, other->name);
    if (order != 0) return order;
    if (one->node != other->node) return one->node < other->node ? -1 : 1;
    return (one->output > other->output) - (one->output < other->output);
}

static ride_status sort_given(onnx_file *file) {
    size_t count = 0;
    for (uint32_t n = 0; n < file->nodes_count; n++) count += file->nodes[n].outputs_count;
    file->given = ride_arena_new(file->values, onnx_given, count + 1);
    if (file->given == NULL) return ride_model_finding(file->reader, NULL, "no memory for %zu names", count);
    for (uint32_t n = 0; n < file->nodes_count; n++)
        for (uint32_t i = 0; i < file->nodes[n].outputs_count; i++)
            file->given[file->given_count++] = (onnx_given){file->nodes[n].outputs[i], n, i};
    qsort(file->given, file->given_count, sizeof *file->given, compare_given);
    return RIDE_OK;
}

const onnx_node *ride_onnx_producer(const onnx_file *file, ride_message name, uint32_t *output) {
    uint32_t low = 0, high = file->given_count;
    while (low < high) {
        const uint32_t mid = low + (high - low) / 2;
        if (compare_names(file->given[mid].name, name) < 0) low = mid + 1;
        else high = mid;
    }
    if (low == file->given_count || !ride_onnx_same(file->given[low].name, name)) return NULL;
    *output = file->given[low].output;
    return &file->nodes[file->given[low].node];
}

ride_status ride_onnx_open(onnx_file *file, const void *data, size_t bytes) {
    ride_message model = ride_message_of(data, bytes), rest = model, graph, value;
    ride_field field;
    uint32_t n = 0, initializers = 0, inputs_left = 2 * NODE_INPUTS_MAX;
    while (ride_message_next(&rest, &field)) continue;
    if (rest.is_bad) return ride_model_finding(file->reader, "the file seems cut short", "no whole ONNX file");
    file->graph = graph = ride_message_bytes_of(model, MODEL_GRAPH);
    if (graph.at == NULL) return ride_model_finding(file->reader, NULL, "an ONNX file without a graph");
    read_opsets(file, model);
    read_producer(file, model);
    RIDE_TRY(count_fields(file, graph, GRAPH_NODE, NODES_MAX, "nodes", &file->nodes_count));
    RIDE_TRY(count_fields(file, graph, GRAPH_INITIALIZER, CONSTANTS_MAX, "initializers", &file->constants_count));
    file->nodes = ride_arena_new(file->values, onnx_node, file->nodes_count + 1);
    file->constants = ride_arena_new(file->values, onnx_constant, file->constants_count + file->nodes_count + 1);
    if (file->nodes == NULL || file->constants == NULL)
        return ride_model_finding(file->reader, NULL, "no memory for a graph");
    for (rest = graph; ride_message_find(&rest, GRAPH_INITIALIZER, &field);)
        if (field.wire == RIDE_WIRE_BYTES)
            file->constants[initializers++] =
                (onnx_constant){.name = ride_message_bytes_of(field.bytes, TENSOR_NAME), .tensor = field.bytes};
    for (rest = graph; ride_message_find(&rest, GRAPH_NODE, &field);) {
        if (field.wire != RIDE_WIRE_BYTES) continue;
        onnx_node *node = &file->nodes[n];
        *node = (onnx_node){.message = field.bytes, .op = ride_message_bytes_of(field.bytes, NODE_OP), .index = n++};
        RIDE_TRY(read_names(file, node, &inputs_left));
        if (!ride_message_is(node->op, "Constant") || node->outputs_count == 0 || !attribute(node, "value", &value))
            continue;
        file->constants[file->constants_count++] =
            (onnx_constant){.name = node->outputs[0], .tensor = ride_message_bytes_of(value, ATTRIBUTE_TENSOR)};
    }
    for (uint32_t i = 0; i < file->constants_count; i++) file->constants[i].index = i;
    qsort(file->constants, file->constants_count, sizeof *file->constants, compare_constants);
    return sort_given(file);
}

bool ride_onnx_input(const onnx_node *node, uint32_t index, ride_message *name) {
    if (index >= node->inputs_count) return false;
    *name = node->inputs[index];
    return true;
}
bool ride_onnx_output(const onnx_node *node, uint32_t index, ride_message *name) {
    if (index >= node->outputs_count) return false;
    *name = node->outputs[index];
    return true;
}

/* ---- lists of numbers ---- */

double ride_onnx_real_of(uint64_t bits, onnx_type type) {
    if (type == ONNX_DOUBLE) {
        double value;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    const uint32_t half = (uint32_t)bits;
    float value;
    memcpy(&value, &half, sizeof value);
    return value;
}

static ride_status too_many(const onnx_file *file, const onnx_node *node, const char *name) {
    return ride_onnx_finding(file, node, NULL, "%s: damaged, or no memory for it", name);
}

static ride_status read_reals(const onnx_file *file, const onnx_node *node, const char *name, ride_values values,
                              onnx_type type, onnx_reals *out) {
    const uint64_t count = ride_values_count(values);
    double *to = count <= UINT32_MAX ? ride_arena_new(file->values, double, count + 1) : NULL;
    uint64_t bits;
    if (to == NULL) return too_many(file, node, name);
    *out = (onnx_reals){.at = to, .type = type};
    while (ride_values_next(&values, &bits)) to[out->count++] = ride_onnx_real_of(bits, type);
    return values.rest.is_bad ? too_many(file, node, name) : RIDE_OK;
}

static ride_status read_ints(const onnx_file *file, const onnx_node *node, const char *name, ride_values values,
                             onnx_ints *out) {
    const uint64_t count = ride_values_count(values);
    int64_t *to = count <= UINT32_MAX ? ride_arena_new(file->values, int64_t, count + 1) : NULL;
    uint64_t bits;
    if (to == NULL) return too_many(file, node, name);
    *out = (onnx_ints){.at = to};
    while (ride_values_next(&values, &bits)) to[out->count++] = (int64_t)bits;
    return values.rest.is_bad ? too_many(file, node, name) : RIDE_OK;
}

/* ---- tensors ---- */

static ride_status read_shape(const onnx_file *file, const onnx_node *node, const char *name, ride_message tensor,
                              onnx_shape *shape, uint64_t *elements) {
    ride_values dims = ride_values_of(tensor, TENSOR_DIMS, RIDE_WIRE_VARINT);
    uint64_t dim;
    *shape = (onnx_shape){0};
    *elements = 1;
    while (ride_values_next(&dims, &dim)) {
        if (shape->rank == ONNX_RANK_MAX || dim > UINT32_MAX || *elements * dim > UINT32_MAX)
            return ride_onnx_finding(file, node, NULL, "%s: a tensor of a shape that is not read here", name);
        shape->dims[shape->rank++] = (int64_t)dim;
        *elements *= dim;
    }
    if (ride_message_has(tensor, TENSOR_EXTERNAL) || ride_message_i64(tensor, TENSOR_LOCATION, 0) != 0)
        return ride_onnx_finding(file, node, "save the model as one file", "%s: its numbers are in another file", name);
    return dims.rest.is_bad ? too_many(file, node, name) : RIDE_OK;
}

static ride_status wrong_count(const onnx_file *file, const onnx_node *node, const char *name, uint64_t want) {
    return ride_onnx_finding(file, node, NULL, "%s: its shape says %llu numbers, and it has others", name,
                             (unsigned long long)want);
}

/* A tensor's values, which have their number. */
static ride_status tensor_values(const onnx_file *file, const onnx_node *node, const char *name, ride_message tensor,
                                 onnx_cursor *out, onnx_shape *shape) {
    const onnx_type type = (onnx_type)ride_message_i64(tensor, TENSOR_TYPE, 0);
    const uint32_t bytes = type == ONNX_DOUBLE ? 8 : 4;
    const ride_message raw = ride_message_bytes_of(tensor, TENSOR_RAW);
    uint64_t elements;
    *out = (onnx_cursor){.type = type};
    if (type != ONNX_FLOAT && type != ONNX_DOUBLE)
        return ride_onnx_finding(file, node, NULL, "%s: a tensor of floats or doubles was expected", name);
    RIDE_TRY(read_shape(file, node, name, tensor, shape, &elements));
    const uint32_t number = type == ONNX_DOUBLE ? TENSOR_DOUBLES : TENSOR_FLOATS;
    ride_values values = ride_values_of(tensor, number, type == ONNX_DOUBLE ? RIDE_WIRE_64 : RIDE_WIRE_32);
    if (raw.at != NULL) {
        if (ride_message_bytes(raw) != elements * bytes) return wrong_count(file, node, name, elements);
        values.rest = (ride_message){0};
        values.packed = raw;
    }
    out->values = values;
    out->count = (uint32_t)elements; /* read_shape bounds it */
    return ride_values_count(values) == elements ? RIDE_OK : wrong_count(file, node, name, elements);
}

static ride_status tensor_reals(const onnx_file *file, const onnx_node *node, const char *name, ride_message tensor,
                                onnx_reals *out, onnx_shape *shape) {
    onnx_cursor cursor;
    *out = (onnx_reals){0};
    RIDE_TRY(tensor_values(file, node, name, tensor, &cursor, shape));
    return read_reals(file, node, name, cursor.values, cursor.type, out);
}

/* int64, int32 or bytes. */
static ride_status tensor_ints(const onnx_file *file, const onnx_node *node, const char *name, ride_message tensor,
                               onnx_ints *out) {
    const onnx_type type = (onnx_type)ride_message_i64(tensor, TENSOR_TYPE, 0);
    const uint32_t bytes = type == ONNX_INT64 ? 8 : type == ONNX_INT32 ? 4 : 1;
    const ride_message raw = ride_message_bytes_of(tensor, TENSOR_RAW);
    onnx_shape shape;
    uint64_t elements;
    *out = (onnx_ints){0};
    if (type != ONNX_INT64 && type != ONNX_INT32 && type != ONNX_UINT8)
        return ride_onnx_finding(file, node, NULL, "%s: a tensor of whole numbers was expected", name);
    RIDE_TRY(read_shape(file, node, name, tensor, &shape, &elements));
    if (raw.at == NULL) {
        const uint32_t number = type == ONNX_INT64 ? TENSOR_INT64S : TENSOR_INT32S;
        RIDE_TRY(read_ints(file, node, name, ride_values_of(tensor, number, RIDE_WIRE_VARINT), out));
        return out->count == elements ? RIDE_OK : wrong_count(file, node, name, elements);
    }
    int64_t *to = ride_arena_new(file->values, int64_t, elements + 1);
    if (ride_message_bytes(raw) != elements * bytes) return wrong_count(file, node, name, elements);
    if (to == NULL) return too_many(file, node, name);
    for (uint64_t i = 0; i < elements; i++) {
        uint64_t value = 0;
        for (uint32_t k = 0; k < bytes; k++) value |= (uint64_t)raw.at[i * bytes + k] << (8 * k);
        to[i] = type == ONNX_INT32 ? (int64_t)(int32_t)(uint32_t)value : (int64_t)value;
    }
    *out = (onnx_ints){.at = to, .count = (uint32_t)elements};
    return RIDE_OK;
}

/* ---- attributes ---- */

ride_status ride_onnx_int(const onnx_file *file, const onnx_node *node, const char *name, int64_t missing,
                          int64_t *out) {
    ride_message found;
    *out = missing;
    if (!attribute(node, name, &found)) return RIDE_OK;
    if (!ride_message_has(found, ATTRIBUTE_INT))
        return ride_onnx_finding(file, node, NULL, "%s: a whole number was expected", name);
    *out = ride_message_i64(found, ATTRIBUTE_INT, missing);
    return RIDE_OK;
}

ride_status ride_onnx_float(const onnx_file *file, const onnx_node *node, const char *name, double missing,
                            double *out) {
    ride_message found;
    ride_field field;
    *out = missing;
    if (!attribute(node, name, &found)) return RIDE_OK;
    if (!ride_message_find(&found, ATTRIBUTE_FLOAT, &field) || field.wire != RIDE_WIRE_32)
        return ride_onnx_finding(file, node, NULL, "%s: a number was expected", name);
    *out = ride_onnx_real_of(field.value, ONNX_FLOAT);
    return RIDE_OK;
}

ride_message ride_onnx_text(const onnx_node *node, const char *name) {
    ride_message found;
    return attribute(node, name, &found) ? ride_message_bytes_of(found, ATTRIBUTE_TEXT) : (ride_message){0};
}

ride_status ride_onnx_ints(const onnx_file *file, const onnx_node *node, const char *name, onnx_ints *out) {
    ride_message found;
    *out = (onnx_ints){0};
    if (!attribute(node, name, &found)) return RIDE_OK;
    return read_ints(file, node, name, ride_values_of(found, ATTRIBUTE_INTS, RIDE_WIRE_VARINT), out);
}

ride_status ride_onnx_floats(const onnx_file *file, const onnx_node *node, const char *name, onnx_reals *out) {
    ride_message found;
    *out = (onnx_reals){.type = ONNX_FLOAT};
    if (!attribute(node, name, &found)) return RIDE_OK;
    return read_reals(file, node, name, ride_values_of(found, ATTRIBUTE_FLOATS, RIDE_WIRE_32), ONNX_FLOAT, out);
}

/* How many there are, up to the end or damage. */
static ride_status count_values(const onnx_file *file, const onnx_node *node, const char *name, onnx_cursor *cursor) {
    ride_values rest = cursor->values;
    uint64_t bits, count = 0;
    while (ride_values_next(&rest, &bits)) count++;
    cursor->count = (uint32_t)count;
    return count <= UINT32_MAX && !rest.rest.is_bad ? RIDE_OK : too_many(file, node, name);
}

ride_status ride_onnx_ints_cursor(const onnx_file *file, const onnx_node *node, const char *name, onnx_cursor *out) {
    ride_message found;
    *out = (onnx_cursor){0};
    if (!attribute(node, name, &found)) return RIDE_OK;
    out->values = ride_values_of(found, ATTRIBUTE_INTS, RIDE_WIRE_VARINT);
    return count_values(file, node, name, out);
}

ride_status ride_onnx_reals_cursor(const onnx_file *file, const onnx_node *node, const char *name, onnx_cursor *out) {
    char tensor[64];
    ride_message found;
    onnx_cursor other;
    onnx_shape shape;
    *out = (onnx_cursor){.type = ONNX_FLOAT};
    if (attribute(node, name, &found)) {
        out->values = ride_values_of(found, ATTRIBUTE_FLOATS, RIDE_WIRE_32);
        RIDE_TRY(count_values(file, node, name, out));
    }
    snprintf(tensor, sizeof tensor, "%s_as_tensor", name);
    if (!attribute(node, tensor, &found)) return RIDE_OK;
    RIDE_TRY(tensor_values(file, node, tensor, ride_message_bytes_of(found, ATTRIBUTE_TENSOR), &other, &shape));
    if (out->count > 0 && other.count > 0)
        return ride_onnx_finding(file, node, NULL, "%s and %s at once", name, tensor);
    if (other.count > 0) *out = other;
    return RIDE_OK;
}

ride_status ride_onnx_reals(const onnx_file *file, const onnx_node *node, const char *name, onnx_reals *out) {
    onnx_cursor cursor;
    *out = (onnx_reals){0};
    RIDE_TRY(ride_onnx_reals_cursor(file, node, name, &cursor));
    return cursor.count > 0 ? read_reals(file, node, name, cursor.values, cursor.type, out) : RIDE_OK;
}

ride_status ride_onnx_texts_cursor(const onnx_file *file, const onnx_node *node, const char *name, onnx_cursor *out) {
    ride_message rest;
    ride_field field;
    *out = (onnx_cursor){0};
    if (!attribute(node, name, &out->texts)) return RIDE_OK;
    for (rest = out->texts; ride_message_find(&rest, ATTRIBUTE_TEXTS, &field);) out->count++;
    return rest.is_bad ? too_many(file, node, name) : RIDE_OK;
}

bool ride_onnx_texts_next(onnx_cursor *cursor, ride_message *out) {
    ride_field field;
    if (!ride_message_find(&cursor->texts, ATTRIBUTE_TEXTS, &field)) return false;
    *out = field.bytes;
    return true;
}

ride_status ride_onnx_texts(const onnx_file *file, const onnx_node *node, const char *name, onnx_texts *out) {
    ride_message found, rest;
    ride_field field;
    uint32_t count = 0;
    *out = (onnx_texts){0};
    if (!attribute(node, name, &found)) return RIDE_OK;
    for (rest = found; ride_message_find(&rest, ATTRIBUTE_TEXTS, &field);) count++;
    ride_message *to = ride_arena_new(file->values, ride_message, (size_t)count + 1);
    if (to == NULL || rest.is_bad) return too_many(file, node, name);
    for (rest = found; ride_message_find(&rest, ATTRIBUTE_TEXTS, &field);) to[out->count++] = field.bytes;
    out->at = to;
    return RIDE_OK;
}

ride_status ride_onnx_tensor_reals(const onnx_file *file, const onnx_node *node, const char *name, onnx_reals *out) {
    ride_message found;
    onnx_shape shape;
    *out = (onnx_reals){0};
    if (!attribute(node, name, &found)) return RIDE_OK;
    return tensor_reals(file, node, name, ride_message_bytes_of(found, ATTRIBUTE_TENSOR), out, &shape);
}

ride_status ride_onnx_tensor_ints(const onnx_file *file, const onnx_node *node, const char *name, onnx_ints *out) {
    ride_message found;
    *out = (onnx_ints){0};
    if (!attribute(node, name, &found)) return RIDE_OK;
    return tensor_ints(file, node, name, ride_message_bytes_of(found, ATTRIBUTE_TENSOR), out);
}

/* ---- constants ---- */

/* The first of that name. */
static bool find_constant(const onnx_file *file, ride_message name, ride_message *tensor) {
    uint32_t low = 0, high = file->constants_count;
    while (low < high) {
        const uint32_t mid = low + (high - low) / 2;
        if (compare_names(file->constants[mid].name, name) < 0) low = mid + 1;
        else high = mid;
    }
    if (low == file->constants_count || !ride_onnx_same(file->constants[low].name, name)) return false;
    *tensor = file->constants[low].tensor;
    return true;
}

bool ride_onnx_is_constant(const onnx_file *file, ride_message name) {
    ride_message tensor;
    return find_constant(file, name, &tensor);
}

ride_status ride_onnx_constant_reals(const onnx_file *file, const onnx_node *node, ride_message name, onnx_reals *out,
                                     onnx_shape *shape) {
    ride_message tensor;
    if (!find_constant(file, name, &tensor)) return ride_onnx_finding(file, node, NULL, "an input that is no constant");
    return tensor_reals(file, node, "a constant", tensor, out, shape);
}

ride_status ride_onnx_constant_ints(const onnx_file *file, const onnx_node *node, ride_message name, onnx_ints *out) {
    ride_message tensor;
    if (!find_constant(file, name, &tensor)) return ride_onnx_finding(file, node, NULL, "an input that is no constant");
    return tensor_ints(file, node, "a constant", tensor, out);
}
