/* models/onnx.h: ONNX models of traditional machine learning (ai.onnx.ml) and small networks → ride_model. Internal to models/.
 *
 * A graph is read backwards from the output that holds scores to the input that holds a row: what lies on that way is a chain, and each of
 * its nodes becomes a step, the trees or the link. What hangs beside it (the branch of labels) is not looked at. */
#ifndef RIDE_MODELS_ONNX_H
#define RIDE_MODELS_ONNX_H
#include "models/protobuf.h"
#include "models/reader.h"

/* Element types of tensors that are read here. */
typedef enum onnx_type {
    ONNX_FLOAT = 1,
    ONNX_UINT8 = 2,
    ONNX_INT32 = 6,
    ONNX_INT64 = 7,
    ONNX_STRING = 8,
    ONNX_DOUBLE = 11,
} onnx_type;

typedef struct onnx_node {
    ride_message message, op;
    const ride_message *inputs, *outputs; /* their names */
    uint32_t inputs_count, outputs_count;
    uint32_t index;
} onnx_node;

typedef struct onnx_constant {
    ride_message name, tensor;
    uint32_t index; /* in the file */
} onnx_constant;

/* What a node gives. */
typedef struct onnx_given {
    ride_message name;
    uint32_t node, output; /* indices */
} onnx_given;

typedef struct onnx_file {
    ride_model_reader *reader;
    ride_arena *values; /* memory for what is needed while it reads */
    ride_message graph;
    int64_t opset, opset_ml; /* -1: not imported */
    onnx_node *nodes;
    uint32_t nodes_count;
    onnx_constant *constants; /* initializers and what Constant nodes give, by name */
    uint32_t constants_count;
    onnx_given *given; /* by all nodes, by name */
    uint32_t given_count;
} onnx_file;

/* Numbers of an attribute or a tensor; count 0: not there. */
typedef struct onnx_reals {
    const double *at;
    uint32_t count;
    onnx_type type; /* FLOAT or DOUBLE */
} onnx_reals;
typedef struct onnx_ints {
    const int64_t *at;
    uint32_t count;
} onnx_ints;
typedef struct onnx_texts {
    const ride_message *at;
    uint32_t count;
} onnx_texts;

enum { ONNX_RANK_MAX = 4 };
typedef struct onnx_shape {
    int64_t dims[ONNX_RANK_MAX];
    uint32_t rank;
} onnx_shape;

/* Is this an ONNX file at all? (All of it is fields of a message, and a graph is one of them; or it begins like one.) */
bool ride_onnx_recognises(const void *data, size_t bytes);
/* Fills reader->model; findings say what is wrong, and where. */
ride_status ride_onnx_read(ride_model_reader *reader, const void *data, size_t bytes, ride_arena *values);

/* ---- onnx_file.c ---- */
ride_status ride_onnx_open(onnx_file *file, const void *data, size_t bytes);
/* "node 7 `scaler` (Scaler): …". Returns RIDE_E_MODEL. */
ride_status ride_onnx_finding(const onnx_file *file, const onnx_node *node, const char *advice, const char *format, ...)
    RIDE_PRINTF(4, 5);
/* The index-th input or output's name; false: it has not as many. */
bool ride_onnx_input(const onnx_node *node, uint32_t index, ride_message *name);
bool ride_onnx_output(const onnx_node *node, uint32_t index, ride_message *name);
bool ride_onnx_same(ride_message a, ride_message b);
/* The node that gives a value, and as which of its outputs; the first in the file. NULL: none. */
const onnx_node *ride_onnx_producer(const onnx_file *file, ride_message name, uint32_t *output);

/* A list in the file, read from its front. */
typedef struct onnx_cursor {
    ride_values values; /* of numbers */
    ride_message texts; /* of texts */
    uint32_t count;     /* of the whole list; 0: not there */
    onnx_type type;     /* of reals */
} onnx_cursor;
/* Counted, and known to be whole: `count` values can be taken. reals: under the name, or as a tensor under NAME_as_tensor. */
ride_status ride_onnx_ints_cursor(const onnx_file *file, const onnx_node *node, const char *name, onnx_cursor *out);
ride_status ride_onnx_reals_cursor(const onnx_file *file, const onnx_node *node, const char *name, onnx_cursor *out);
ride_status ride_onnx_texts_cursor(const onnx_file *file, const onnx_node *node, const char *name, onnx_cursor *out);
bool ride_onnx_texts_next(onnx_cursor *cursor, ride_message *out);
double ride_onnx_real_of(uint64_t bits, onnx_type type);

/* Attributes; what is not there is `missing`, or of count 0. */
ride_status ride_onnx_int(const onnx_file *file, const onnx_node *node, const char *name, int64_t missing,
                          int64_t *out);
ride_status ride_onnx_float(const onnx_file *file, const onnx_node *node, const char *name, double missing,
                            double *out);
ride_message ride_onnx_text(const onnx_node *node, const char *name);
ride_status ride_onnx_ints(const onnx_file *file, const onnx_node *node, const char *name, onnx_ints *out);
ride_status ride_onnx_floats(const onnx_file *file, const onnx_node *node, const char *name, onnx_reals *out);
/* As ride_onnx_reals_cursor, as an array. */
ride_status ride_onnx_reals(const onnx_file *file, const onnx_node *node, const char *name, onnx_reals *out);
ride_status ride_onnx_texts(const onnx_file *file, const onnx_node *node, const char *name, onnx_texts *out);
/* The tensor of an attribute. */
ride_status ride_onnx_tensor_reals(const onnx_file *file, const onnx_node *node, const char *name, onnx_reals *out);
ride_status ride_onnx_tensor_ints(const onnx_file *file, const onnx_node *node, const char *name, onnx_ints *out);

/* Is the name an initializer, or what a Constant node gives? */
bool ride_onnx_is_constant(const onnx_file *file, ride_message name);
/* Its numbers and shape; `node` is the one that uses it, for findings. */
ride_status ride_onnx_constant_reals(const onnx_file *file, const onnx_node *node, ride_message name, onnx_reals *out,
                                     onnx_shape *shape);
ride_status ride_onnx_constant_ints(const onnx_file *file, const onnx_node *node, ride_message name, onnx_ints *out);

/* ---- onnx_trees.c ---- */
/* number: of the tensor that comes in. TreeEnsembleClassifier, TreeEnsembleRegressor and TreeEnsemble; fills trees, outputs and link.
 * *is_pair: the node gives [1 - p, p], and the model p; *is_second: it gives two scores, and the model the second. */
ride_status ride_onnx_read_trees(const onnx_file *file, const onnx_node *node, ride_forest_number number, bool *is_pair,
                                 bool *is_second);
/* The greatest input that the trees test, plus one. */
ride_status ride_onnx_trees_width(const onnx_file *file, const onnx_node *node, uint32_t *out);

#endif
