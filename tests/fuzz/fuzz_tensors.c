/* Any bytes as an inference request; the first two say how long its JSON part is. What is read becomes events that are JSON objects, or
 * rows of numbers, and all memory comes back. */
#include "serve/tensors.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 1 << 16, ROWS_MAX = 256 };

static void check(bool right) {
    if (!right) abort();
}

static void count_member(void *context, const ride_json_member *member) {
    (void)member;
    ++*(uint32_t *)context;
}

static ride_json_parser *parser;
static ride_blocks *blocks;
static ride_infer_request request;

static void check_events(const char *body) {
    static ride_body_range ranges[ROWS_MAX];
    ride_body_fault fault = {0};
    char *text = NULL;
    if (!ride_infer_events(blocks, body, &request, &text, ranges, &fault)) {
        check(fault.code == 422 || fault.code == 429);
        return;
    }
    for (uint32_t i = 0; i < request.rows; i++) {
        uint32_t members = 0;
        check(ride_json_object(parser, text + ranges[i].offset, ranges[i].bytes, count_member, &members) ==
              RIDE_JSON_OK);
        check(members == request.tensors_count);
    }
    ride_blocks_give(blocks, text);
}

static void check_vectors(const char *body) {
    ride_body_fault fault = {0};
    uint64_t numbers = request.tensors[0].rows * request.tensors[0].columns;
    if (numbers > TEXT_MAX) return;
    double *rows = malloc((size_t)numbers * sizeof *rows + 1);
    check(rows != NULL);
    if (!ride_infer_vectors(body, &request, rows, &fault)) check(fault.code == 422);
    free(rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2 || size > TEXT_MAX) return 0;
    if (parser == NULL)
        check(ride_json_parser_create(1 << 22, &parser, NULL) == RIDE_OK &&
              ride_blocks_create(8 << 20, &blocks, NULL) == RIDE_OK);
    size_t bytes = size - 2, json_bytes = (size_t)data[0] | (size_t)data[1] << 8;
    if (json_bytes > bytes) json_bytes = bytes;
    char *body = calloc(1, bytes + RIDE_JSON_PADDING + 1);
    check(body != NULL);
    memcpy(body, data + 2, bytes);
    ride_body_fault fault = {0};
    const ride_infer_model model = {.event_id = (json_bytes & 1) != 0 ? "id" : NULL,
                                    .has_reasons = (json_bytes & 2) != 0};
    if (ride_infer_read(parser, blocks, body, bytes, json_bytes, ROWS_MAX, &model, &request, &fault)) {
        check(request.rows >= 1 && request.rows <= ROWS_MAX && request.outputs_count <= RIDE_INFER_OUTPUTS_MAX);
        if (request.is_vector) check_vectors(body);
        else check_events(body);
        ride_infer_free(blocks, &request);
    } else {
        check(fault.code >= 400 && fault.code < 500 && fault.text[0] != '\0');
    }
    check(ride_blocks_used(blocks) == 0);
    free(body);
    return 0;
}
