/* Any bytes cut as an object and as an array, the last byte of them standing behind the text: pieces lie in order within the text, each is JSON by itself, and the pieces put together again
 * are cut the same way. */
#include "lib/json.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 1 << 16, PIECES_MAX = 4096 };

typedef struct cutting {
    ride_json_piece pieces[PIECES_MAX];
    uint32_t count, end, bytes;
} cutting;

static ride_json_parser *outer, *inner;
static char text[TEXT_MAX + RIDE_JSON_PADDING], again[2 * TEXT_MAX + PIECES_MAX + RIDE_JSON_PADDING];

static void check(bool right) {
    if (!right) abort();
}

static bool on_piece(void *context, const ride_json_piece *piece) {
    cutting *c = context;
    check(piece->offset >= c->end && piece->bytes > 0 && piece->offset + piece->bytes <= c->bytes);
    c->end = piece->offset + piece->bytes;
    if (c->count < PIECES_MAX) c->pieces[c->count] = *piece;
    return ++c->count < PIECES_MAX;
}

/* The piece alone in an array is one element, all of it. */
static void check_alone(const ride_json_piece *piece) {
    static char alone[TEXT_MAX + 2 + RIDE_JSON_PADDING];
    static cutting c;
    alone[0] = '[';
    memcpy(alone + 1, text + piece->offset, piece->bytes);
    alone[1 + piece->bytes] = ']';
    c = (cutting){.bytes = piece->bytes + 2};
    ride_json_result result = ride_json_elements(inner, alone, piece->bytes + 2, on_piece, &c);
    check(result == RIDE_JSON_OK && c.count == 1 && c.pieces[0].offset == 1 && c.pieces[0].bytes == piece->bytes &&
          c.pieces[0].type == piece->type);
}

static void check_again(const cutting *c) {
    static cutting second;
    uint32_t at = 0;
    again[at++] = '[';
    for (uint32_t i = 0; i < c->count; i++) {
        if (i > 0) again[at++] = ',';
        memcpy(again + at, text + c->pieces[i].offset, c->pieces[i].bytes);
        at += c->pieces[i].bytes;
    }
    again[at++] = ']';
    second = (cutting){.bytes = at};
    check(ride_json_elements(inner, again, at, on_piece, &second) == RIDE_JSON_OK && second.count == c->count);
    for (uint32_t i = 0; i < c->count; i++)
        check(second.pieces[i].bytes == c->pieces[i].bytes &&
              memcmp(again + second.pieces[i].offset, text + c->pieces[i].offset, c->pieces[i].bytes) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static cutting c;
    if (size == 0 || size > TEXT_MAX) return 0;
    if (outer == NULL)
        check(ride_json_parser_create(TEXT_MAX, &outer, NULL) == RIDE_OK &&
              ride_json_parser_create(2 * TEXT_MAX, &inner, NULL) == RIDE_OK);
    size--;
    memcpy(text, data, size);
    memset(text + size, data[size], RIDE_JSON_PADDING);
    for (int array = 0; array < 2; array++) {
        c = (cutting){.bytes = (uint32_t)size};
        ride_json_result result = array ? ride_json_elements(outer, text, size, on_piece, &c)
                                        : ride_json_members(outer, text, size, on_piece, &c);
        if (c.count >= PIECES_MAX) continue;
        for (uint32_t i = 0; i < c.count; i++) check_alone(&c.pieces[i]);
        if (result == RIDE_JSON_OK) check_again(&c);
    }
    return 0;
}
