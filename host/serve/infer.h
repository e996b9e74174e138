/* serve/infer.h: the Open Inference Protocol, version 2, over HTTP (https://github.com/kserve/open-inference-protocol), with the binary tensor
 * extension:
 *
 *   POST /v2/models/NAME/infer, /v2/models/NAME/versions/V/infer
 *   GET  /v2, /v2/health/live, /v2/health/ready, /v2/models/NAME[/versions/V], …/ready
 *
 * Tensors named by the source's fields, each of shape [n] or [n,1], are n events: they become JSON texts (integers and the texts of JSON numbers
 * exactly, binary floats by the shortest text that reads back to the same bits, NaN and infinities as null) and go the way of /v1/score:
 * features updated, scored, answered in order. One floating tensor `vector` of shape [n, features] is scored without any state. Output
 * tensors of shape [n]: probability, margin (FP64), decision, rule (BYTES; "" where no rule held), and where asked for the event's id and the reasons
 * (BYTES: the record's list as JSON text). A
 * rejected event fails the request with 422 and its number; the others of the request were worked, and a repeat finds them by their
 * ids. */
#ifndef RIDE_SERVE_INFER_H
#define RIDE_SERVE_INFER_H
#include "base/error.h"

#include <stdbool.h>

enum { RIDE_INFER_INPUTS_MAX = 256, RIDE_INFER_OUTPUTS_MAX = 16 };

typedef struct ride_infer_tensor {
    const char *name, *datatype; /* "amount", "FP64" */
} ride_infer_tensor;

typedef struct ride_infer_model {
    const char *name, *version;      /* "ride", "1"; paths must name them */
    const ride_infer_tensor *inputs; /* the source's fields, for the metadata */
    uint32_t inputs_count;
    const char *event_id;  /* the field whose value is the output event_id; NULL: there is none */
    bool has_reasons;      /* records have a list `reasons` */
    uint32_t vector_count; /* features of `vector` */
    /* Scores rows[n * vector_count]; in the server's thread, which waits. NULL: `vector` is answered with 422. */
    ride_status (*score_vectors)(void *context, const double *rows, uint32_t rows_count, double *margin,
                                 double *probability, ride_error *err);
    void *context;
} ride_infer_model;

#endif
