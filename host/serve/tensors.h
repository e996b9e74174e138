/* serve/tensors.h: an inference request read: its tensors as pieces of the body, and what they are as events' texts or as rows of numbers.
 * Knows no server. One thread at a time. */
#ifndef RIDE_SERVE_TENSORS_H
#define RIDE_SERVE_TENSORS_H
#include "serve/blocks.h"
#include "serve/body.h"
#include "serve/infer.h"

typedef enum ride_datatype {
    RIDE_DATA_BOOL = 1,
    RIDE_DATA_INT8,
    RIDE_DATA_INT16,
    RIDE_DATA_INT32,
    RIDE_DATA_INT64,
    RIDE_DATA_UINT8,
    RIDE_DATA_UINT16,
    RIDE_DATA_UINT32,
    RIDE_DATA_UINT64,
    RIDE_DATA_FP32,
    RIDE_DATA_FP64,
    RIDE_DATA_BYTES,
} ride_datatype;

typedef struct ride_tensor {
    uint32_t name_offset, name_bytes; /* of the body: a JSON string, with its quotes */
    ride_datatype datatype;
    uint64_t rows, columns; /* shape [rows] is [rows, 1] */
    uint32_t dimensions;
    bool is_binary;
    uint32_t data_offset, data_bytes; /* of the body: the JSON array, or the binary data */
    ride_body_range *elements;        /* of JSON data and of binary BYTES: each element of the body; a block */
} ride_tensor;

typedef enum ride_output {
    RIDE_OUTPUT_PROBABILITY,
    RIDE_OUTPUT_MARGIN,
    RIDE_OUTPUT_DECISION,
    RIDE_OUTPUT_RULE,
    RIDE_OUTPUT_EVENT_ID, /* from here on: where they are asked for */
    RIDE_OUTPUT_REASONS,
    RIDE_OUTPUTS,
} ride_output;

typedef struct ride_infer_request {
    ride_tensor tensors[RIDE_INFER_INPUTS_MAX];
    uint32_t tensors_count;
    uint32_t rows;
    bool is_vector;
    uint32_t id_offset, id_bytes; /* the request's id, a JSON string of the body; 0 bytes: none */
    ride_output outputs[RIDE_INFER_OUTPUTS_MAX];
    bool outputs_binary[RIDE_INFER_OUTPUTS_MAX];
    uint32_t outputs_count;
    bool outputs_named; /* by the request; else they are the usual ones */
} ride_infer_request;

extern const char *const ride_output_names[RIDE_OUTPUTS];

/* Reads a body whose first json_bytes are the JSON part. body[bytes] and RIDE_JSON_PADDING bytes behind it are readable. On failure
 * *fault is filled and nothing is held; else ride_infer_free. The model says which outputs may be asked for. */
bool ride_infer_read(ride_json_parser *parser, ride_blocks *blocks, const char *body, size_t bytes, size_t json_bytes,
                     uint32_t rows_max, const ride_infer_model *model, ride_infer_request *request,
                     ride_body_fault *fault);
bool ride_infer_has_output(const ride_infer_model *model, ride_output output);
void ride_infer_free(ride_blocks *blocks, ride_infer_request *request);

/* The rows as JSON objects, one behind the other, in a block (the caller's); ranges[0, rows) says where. */
bool ride_infer_events(ride_blocks *blocks, const char *body, const ride_infer_request *request, char **text,
                       ride_body_range *ranges, ride_body_fault *fault);
/* The rows of `vector` as numbers. */
bool ride_infer_vectors(const char *body, const ride_infer_request *request, double *rows, ride_body_fault *fault);

#endif
