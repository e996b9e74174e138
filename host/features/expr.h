/* features/expr.h: the expression language: text → register program (kernels/layout/program.h). One language for `expr`
 * features, `where` conditions and decision rules; docs/expressions.md is its manual.
 *
 * Who compiles what: the spec parser gives every expression a *scope* (the names it may use) and the place of its text;
 * programs, code and constants are appended to one growing ride_expr_sections, which later become three bundle
 * sections. Findings go to a ride_diagnostics with file:line:column. Nothing here runs an expression. Not thread safe. */
#ifndef RIDE_FEATURES_EXPR_H
#define RIDE_FEATURES_EXPR_H
#include "base/error.h"
#include "base/tile.h"
#include "kernels/layout/program.h"

#include <stdbool.h>

enum {
    RIDE_EXPR_TEXT_BYTES_MAX = 4096,
    RIDE_EXPR_NODES_MAX = 1024,
    RIDE_EXPR_DEPTH_MAX = 64,
    RIDE_EXPR_IN_LIST_MAX = 256,
};

typedef enum ride_expr_symbol_kind {
    RIDE_EXPR_FIELD = 1,   /* index = column of the input tile */
    RIDE_EXPR_FEATURE = 2, /* index = column of the output tile below features_count */
    RIDE_EXPR_SCORE = 3,   /* index = features_count + RIDE_OUT_MARGIN or RIDE_OUT_PROBABILITY */
} ride_expr_symbol_kind;

/* One name. All pointers are borrowed for the call. */
typedef struct ride_expr_symbol {
    const char *name; /* exactly as written in the spec: may hold dots and other odd characters */
    ride_expr_symbol_kind kind;
    uint32_t index;
    ride_type type; /* of a field: its tile type. Of a feature or score: F64, or BOOL for one whose expression was a
                       condition (ride_expr_result.is_bool), so that `night and weekend` can be written */
    int32_t scale;  /* DECIMAL */
    bool nullable;
    const char *const *categories; /* category field: type I64, the column holds the code; NULL otherwise */
    uint32_t categories_count;
    const char *refusal; /* NULL = may be used; else why not: "is the label: it would leak the answer" */
} ride_expr_symbol;

typedef struct ride_expr_scope {
    const ride_expr_symbol *symbols;
    uint32_t symbols_count;
    /* KEY128 column of the input tile with the keyed hash of string field symbols[symbol_index]; the callee adds the hidden
     * column on first request (same nullability as the field). Negative = cannot. Called only for fields whose content is
     * compared (`x == 'a'`, `x in (…)`). NULL = strings cannot be compared in this scope. */
    int32_t (*hash_column)(void *context, uint32_t symbol_index);
    /* The keyed hash of a string literal: the same as the column holds (lib/hash.h). */
    ride_key128 (*hash_text)(void *context, const char *text, size_t bytes);
    void *context;
    uint32_t time_column; /* what `ts` reads: RIDE_COLUMN_TIME */
    bool no_time;         /* true: `ts` is not available here */
} ride_expr_scope;

typedef enum ride_expr_want {
    RIDE_EXPR_WANT_BOOL = 1,   /* a condition: where, rule */
    RIDE_EXPR_WANT_NUMBER = 2, /* a feature: number, or a condition read as 0/1 */
} ride_expr_want;

/* Where the text stands. line and column are those of its first character (after an opening quote); columns count
 * bytes. status is what a finding carries (RIDE_E_SPEC, RIDE_E_CONFIG). */
typedef struct ride_expr_place {
    const char *file; /* may be NULL */
    uint32_t line, column;
    ride_status status;
} ride_expr_place;

/* Growable arrays, owned by this struct. Zero-initialise, free once. */
typedef struct ride_expr_sections {
    ride_program *programs;
    ride_instruction *code;
    ride_constant *constants;
    uint32_t programs_count, programs_count_max;
    uint32_t code_count, code_count_max;
    uint32_t constants_count, constants_count_max;
} ride_expr_sections;
void ride_expr_sections_free(ride_expr_sections *sections);

typedef struct ride_expr_result {
    uint32_t program; /* index in sections->programs */
    bool is_bool;     /* the expression is a condition (for WANT_NUMBER: the feature is 0, 1 or null) */
    uint32_t reads;   /* ride_program_reads bits */
} ride_expr_result;

/* Compiles text (text_bytes, need not be terminated) and appends one program. On a finding nothing is appended and the first
 * finding's status is returned; type errors are all told at once. */
ride_status ride_expr_compile(const char *text, size_t text_bytes, ride_expr_want want, const ride_expr_place *place,
                              const ride_expr_scope *scope, ride_expr_sections *sections, ride_expr_result *out,
                              ride_diagnostics *findings);

/* True when `name` can be written in an expression without backticks (and is no word of the language). */
bool ride_expr_name_is_plain(const char *name);

/* One line per instruction ("r1 = LE_I64 r1 #0"), for `ride features explain` and tests. Returns the bytes needed, as snprintf. */
size_t ride_expr_disassemble(const ride_program *program, const ride_instruction *code, const ride_constant *constants,
                             char *text, size_t text_bytes_max);

#endif
