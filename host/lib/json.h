/* lib/json.h: JSON texts, strictly checked; the one home of simdjson. An object of a line member by member, with its strings read; or
 * an object or array cut into its raw pieces, to any depth by cutting again. Numbers are given as their text, so that a decimal
 * stays exact. The parser is made once for texts up to a size and allocates nothing later. One thread at a time. */
#ifndef RIDE_LIB_JSON_H
#define RIDE_LIB_JSON_H
#include "base/error.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { RIDE_JSON_PADDING = 64, RIDE_JSON_DEPTH_MAX = 64 };

typedef enum ride_json_type {
    RIDE_JSON_NULL = 1,
    RIDE_JSON_BOOL,   /* text is "true" or "false" */
    RIDE_JSON_NUMBER, /* text is the number as written */
    RIDE_JSON_STRING, /* text is the string without escapes; it may hold zero bytes */
    RIDE_JSON_NESTED, /* an object or array; text is NULL */
} ride_json_type;

/* Strings live until the next call with the same parser, and no longer than the text. */
typedef struct ride_json_member {
    ride_json_type type;
    const char *key, *text;
    uint32_t key_bytes, bytes;
    uint32_t offset, raw_bytes; /* of the value in the text as written; raw_bytes is 0 for NESTED */
} ride_json_member;
typedef void (*ride_json_member_fn)(void *context, const ride_json_member *member);

typedef enum ride_json_result {
    RIDE_JSON_OK = 0,
    RIDE_JSON_BAD,        /* not JSON, or nested too deep */
    RIDE_JSON_NOT_OBJECT, /* JSON perhaps, but no object */
    RIDE_JSON_BAD_UTF8,
    RIDE_JSON_NOT_ARRAY, /* JSON perhaps, but no array */
    RIDE_JSON_STOPPED,   /* by the function that was told the pieces */
} ride_json_result;

typedef struct ride_json_parser ride_json_parser;

ride_status ride_json_parser_create(size_t text_bytes_max, ride_json_parser **out, ride_error *err);
void ride_json_parser_destroy(ride_json_parser *parser); /* NULL is fine */
/* Reads the object that text[0, bytes) is, white space around it allowed. RIDE_JSON_PADDING bytes behind the text must be
 * readable. Members are told in their order as they are met: a bad object is known only at the end. */
ride_json_result ride_json_object(ride_json_parser *parser, const char *text, size_t bytes, ride_json_member_fn member,
                                  void *context);

/* A member of an object or an element of an array, as it is written: text + offset, bytes, no white space around it. */
typedef struct ride_json_piece {
    ride_json_type type;
    const char *key; /* without escapes, until the next piece's; NULL in an array */
    uint32_t key_bytes;
    uint32_t offset, bytes;
} ride_json_piece;
typedef bool (*ride_json_piece_fn)(void *context, const ride_json_piece *piece); /* false: stop */

/* Cuts the object, or the array, that text[0, bytes) is; white space around it allowed, RIDE_JSON_PADDING bytes behind the text
 * must be readable. Every piece is checked, all of it, before it is told; what stands behind a piece is known later. */
ride_json_result ride_json_members(ride_json_parser *parser, const char *text, size_t bytes, ride_json_piece_fn piece,
                                   void *context);
ride_json_result ride_json_elements(ride_json_parser *parser, const char *text, size_t bytes, ride_json_piece_fn piece,
                                    void *context);
/* A piece that is a string, without its escapes: into to, *bytes of it; false: it does not fit into to_bytes_max. */
bool ride_json_string(ride_json_parser *parser, const char *text, size_t text_bytes, char *to, size_t to_bytes_max,
                      size_t *bytes);

/* ride_json_object for everything inside too, depth first: what the object holds has depth 1, what those hold depth 2, and so on. A NESTED value is
 * told before what it holds; key is NULL in an array. */
typedef void (*ride_json_walk_fn)(void *context, unsigned depth, const ride_json_member *member);
ride_json_result ride_json_walk(ride_json_parser *parser, const char *text, size_t bytes, ride_json_walk_fn member,
                                void *context);

#ifdef __cplusplus
}
#endif
#endif
