/* Any bytes as a body of events, the kind by the first of them: events lie within the body, are as many as are told, and
 * those of an array and of CloudEvents are JSON. */
#include "serve/body.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 1 << 16, EVENTS_MAX = 64 };

static void check(bool right) {
    if (!right) abort();
}

static bool one_piece(void *context, const ride_json_piece *piece) {
    (void)piece;
    return ++*(uint32_t *)context == 1;
}

static bool is_json(ride_json_parser *parser, const char *body, ride_body_range range) {
    static char alone[TEXT_MAX + 2 + RIDE_JSON_PADDING];
    uint32_t count = 0;
    alone[0] = '[';
    memcpy(alone + 1, body + range.offset, range.bytes);
    alone[1 + range.bytes] = ']';
    return ride_json_elements(parser, alone, range.bytes + 2, one_piece, &count) == RIDE_JSON_OK && count == 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static ride_json_parser *parser;
    if (size == 0 || size > TEXT_MAX) return 0;
    if (parser == NULL) check(ride_json_parser_create(TEXT_MAX + 2, &parser, NULL) == RIDE_OK);
    ride_body_kind kind = (ride_body_kind)(data[0] % (RIDE_BODY_CLOUD_BATCH + 1));
    size_t bytes = size - 1;
    char *body = calloc(1, bytes + RIDE_JSON_PADDING + 1); /* of its size, so that ASan sees what is read beyond */
    check(body != NULL);
    memcpy(body, data + 1, bytes);
    ride_body_range ranges[EVENTS_MAX];
    ride_body_fault fault = {0};
    uint32_t count = 0;
    bool is_array = false;
    if (ride_body_cut(parser, kind, body, bytes, ranges, EVENTS_MAX, &count, &is_array, &fault)) {
        check(count >= 1 && count <= EVENTS_MAX && fault.code == 0);
        for (uint32_t i = 0; i < count; i++) {
            check(ranges[i].bytes > 0 && (size_t)ranges[i].offset + ranges[i].bytes <= bytes);
            if (is_array && kind == RIDE_BODY_JSON) check(is_json(parser, body, ranges[i]));
        }
    } else {
        check(fault.code >= 400 && fault.code < 500 && fault.reason != NULL && fault.text[0] != '\0');
    }
    free(body);
    return 0;
}
