/* serve/body.h: from a request's body to the events in it: pieces of the same bytes, nothing is copied. Any thread. */
#ifndef RIDE_SERVE_BODY_H
#define RIDE_SERVE_BODY_H
#include "lib/json.h"

typedef enum ride_body_kind {
    RIDE_BODY_SINGLE,      /* one event, whatever it is: its reader says */
    RIDE_BODY_JSON,        /* one, or an array of events */
    RIDE_BODY_LINES,       /* one a line; empty lines are none */
    RIDE_BODY_CLOUD,       /* a CloudEvent 1.0 in structured mode: its data is the event */
    RIDE_BODY_CLOUD_BATCH, /* an array of those */
} ride_body_kind;

typedef struct ride_body_range {
    uint32_t offset, bytes;
} ride_body_range;

/* What is wrong with a request, in the words of its answer. */
typedef struct ride_body_fault {
    uint32_t code;
    const char *reason, *field; /* literals; field may be NULL */
    char text[160];
} ride_body_fault;

/* Fills ranges[0, *count), at most ranges_max (>= 1). *is_array: the answers should be an array too. body[bytes] and RIDE_JSON_PADDING
 * bytes behind it are readable; data_base64 of a CloudEvent is decoded where it stands. false: *fault says why. */
bool ride_body_cut(ride_json_parser *parser, ride_body_kind kind, char *body, size_t bytes, ride_body_range *ranges,
                   uint32_t ranges_max, uint32_t *count, bool *is_array, ride_body_fault *fault);
/* false, and *fault filled: for whoever reads bodies. */
bool ride_body_fail(ride_body_fault *fault, uint32_t code, const char *reason, const char *field, const char *format,
                    ...) RIDE_PRINTF(5, 6);
bool ride_body_fail_json(ride_body_fault *fault, ride_json_result result);

#endif
