/* lib/yaml.h: YAML text -> an immutable tree of nodes that knows where everything stood. The one home of libyaml.
 *
 * What is read is the plain part of YAML: scalars, sequences and mappings in block or flow style, one document. Anchors,
 * aliases, tags, merge keys, keys that are not scalars and a key given twice are findings, so no input can grow while
 * it is read. Size, depth and node count are bounded.
 *
 * A spec or a config is then read with the helpers below. Each reports what is wrong as a finding with file:line:column
 * and goes on, so that one load tells all findings.
 *
 *     ride_yaml_reader reader = {.path = path, .status = RIDE_E_CONFIG, .findings = findings};
 *     ride_yaml *yaml;
 *     RIDE_TRY(ride_yaml_parse(&reader, text, text_bytes, &yaml));
 *     const ride_yaml_node *batch = ride_yaml_get(ride_yaml_root(yaml), "max_batch");
 *     if (batch != NULL) ride_yaml_read_i64(&reader, batch, "max_batch", 1, 65536, &max_batch);
 *
 * Ownership: the tree owns its strings; nodes are borrowed until ride_yaml_destroy. Lines and columns are 1-based;
 * columns count characters. Threads: a tree may be read by any; a reader belongs to one. */
#ifndef RIDE_LIB_YAML_H
#define RIDE_LIB_YAML_H
#include "base/error.h"

#include <stdbool.h>

enum {
    RIDE_YAML_TEXT_BYTES_MAX = 4 << 20,
    RIDE_YAML_DEPTH_MAX = 32,
    RIDE_YAML_NODES_COUNT_MAX = 200000,
};

typedef enum ride_yaml_kind { RIDE_YAML_SCALAR = 1, RIDE_YAML_SEQUENCE, RIDE_YAML_MAPPING } ride_yaml_kind;

typedef struct ride_yaml_node ride_yaml_node;
typedef struct ride_yaml_pair {
    const char *key;
    uint32_t key_line, key_column;
    const ride_yaml_node *value; /* never NULL: `key:` has a null scalar */
} ride_yaml_pair;

struct ride_yaml_node {
    ride_yaml_kind kind;
    uint32_t line, column;
    bool quoted;                     /* scalar in quotes or a block scalar: always a string */
    uint32_t text_line, text_column; /* scalar: where its first character stands (after a quote or a block's indent) */
    const char *text;                /* scalar: zero-terminated, without zero bytes inside */
    uint32_t count;                  /* items or pairs */
    const ride_yaml_node *const *items; /* sequence */
    const ride_yaml_pair *pairs;        /* mapping, in the order of the text */
};

typedef struct ride_yaml ride_yaml;

/* Where findings go, and as what. */
typedef struct ride_yaml_reader {
    const char *path;           /* for messages */
    ride_status status;         /* of findings: RIDE_E_SPEC, RIDE_E_CONFIG, … */
    ride_diagnostics *findings; /* borrowed */
} ride_yaml_reader;

/* Parses. On any finding returns reader->status (RIDE_E_MEMORY when memory is out) and *out is NULL. */
ride_status ride_yaml_parse(const ride_yaml_reader *reader, const char *text, size_t text_bytes, ride_yaml **out);
/* The same from the file reader->path. A file that cannot be read is a finding of status RIDE_E_NO_INPUT. */
ride_status ride_yaml_load(const ride_yaml_reader *reader, ride_yaml **out);
void ride_yaml_destroy(ride_yaml *yaml);                     /* NULL is fine */
const ride_yaml_node *ride_yaml_root(const ride_yaml *yaml); /* of an empty text: a null scalar */

/* The pair or value of `key` in a mapping; NULL when absent or when the node is no mapping. */
const ride_yaml_pair *ride_yaml_find(const ride_yaml_node *mapping, const char *key);
const ride_yaml_node *ride_yaml_get(const ride_yaml_node *mapping, const char *key);
/* `key:`, `key: null`, `key: ~`. */
bool ride_yaml_is_null(const ride_yaml_node *node);
/* Plain or quoted, the scalar's text is `text`. */
bool ride_yaml_is(const ride_yaml_node *node, const char *text);
const char *ride_yaml_kind_name(const ride_yaml_node *node); /* "a mapping", "a list", "a value", "nothing" */

/* One finding at a node (its first character) or at a pair's key. Return reader->status. */
ride_status ride_yaml_fault(const ride_yaml_reader *reader, const ride_yaml_node *node, const char *advice,
                            const char *format, ...) RIDE_PRINTF(4, 5);
ride_status ride_yaml_fault_key(const ride_yaml_reader *reader, const ride_yaml_pair *pair, const char *advice,
                                const char *format, ...) RIDE_PRINTF(4, 5);

/* Every key of the mapping must be one of `names`: a finding with "did you mean" for each that is not. `what` names the
 * mapping ("source `tx`"). RIDE_OK when all are known. */
ride_status ride_yaml_check_keys(const ride_yaml_reader *reader, const ride_yaml_node *mapping, const char *what,
                                 const char *const *names, size_t names_count);

/* Typed reads of a node. `what` names the value in the finding. *out is written on success only.
 * string: any scalar that is not null. bool: true | false. integers: decimal digits, `_` between digits allowed, within
 * [min, max]. f64: a finite decimal number. quoted text is no number and no bool. */
ride_status ride_yaml_need(const ride_yaml_reader *reader, const ride_yaml_node *node, const char *what,
                           ride_yaml_kind kind); /* RIDE_OK when it is of that kind */
ride_status ride_yaml_read_string(const ride_yaml_reader *reader, const ride_yaml_node *node, const char *what,
                                  const char **out);
ride_status ride_yaml_read_bool(const ride_yaml_reader *reader, const ride_yaml_node *node, const char *what,
                                bool *out);
ride_status ride_yaml_read_i64(const ride_yaml_reader *reader, const ride_yaml_node *node, const char *what,
                               int64_t min, int64_t max, int64_t *out);
ride_status ride_yaml_read_u64(const ride_yaml_reader *reader, const ride_yaml_node *node, const char *what,
                               uint64_t min, uint64_t max, uint64_t *out);
ride_status ride_yaml_read_f64(const ride_yaml_reader *reader, const ride_yaml_node *node, const char *what,
                               double *out);
/* One of `names`; *out is its index. Otherwise a finding that lists them. */
ride_status ride_yaml_read_word(const ride_yaml_reader *reader, const ride_yaml_node *node, const char *what,
                                const char *const *names, size_t names_count, size_t *out);

#endif
