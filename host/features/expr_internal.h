/* features/expr_internal.h: the parts of the expression compiler: text → tokens (expr_lex.c) → tree (expr_parse.c) →
 * types and folded constants (expr_type.c) → instructions (expr_code.c); expr.c is the entry. One context per compile, on the
 * heap, bounded: nothing here grows. */
#ifndef RIDE_FEATURES_EXPR_INTERNAL_H
#define RIDE_FEATURES_EXPR_INTERNAL_H
#include "features/expr.h"

typedef enum expr_token_kind {
    TOKEN_END,
    TOKEN_ERROR, /* already reported */
    TOKEN_NUMBER,
    TOKEN_STRING,
    TOKEN_NAME,   /* a name or a word of the language */
    TOKEN_QUOTED, /* a name in backticks */
    TOKEN_MARK,   /* an operator, a comma or a bracket: mark */
} expr_token_kind;

/* One- and two-character operators as a number: 'a' or 'a' * 256 + 'b'. */
#define MARK2(a, b) ((uint32_t)(a)*256u + (uint32_t)(b))

typedef struct expr_token {
    expr_token_kind kind;
    uint32_t mark;
    uint32_t offset, bytes; /* in the text, quotes included */
} expr_token;

typedef enum expr_node_kind {
    NODE_NUMBER, /* a constant: m, scale, f (type says which counts) */
    NODE_BOOL,   /* m is 0 or 1 */
    NODE_NULL,
    NODE_STRING, /* offset, bytes of the content in ctx->strings */
    NODE_SYMBOL, /* symbol: index in the scope */
    NODE_TIME,   /* ts */
    NODE_NEGATE, /* a */
    NODE_NOT,
    NODE_ARITHMETIC, /* mark: + - * / % over a, b */
    NODE_COMPARE,    /* mark: == != < <= > >= over a, b */
    NODE_AND,
    NODE_OR,
    NODE_IN,      /* a in the list that starts at b (next) */
    NODE_IS_NULL, /* a */
    NODE_CALL,    /* function; arguments from a (next) */
} expr_node_kind;

typedef enum expr_type {
    TYPE_ERROR, /* already reported: silences what follows from it */
    TYPE_NULL,
    TYPE_EXACT, /* i64 minor units of `scale`: integers have scale 0 */
    TYPE_U64,
    TYPE_F64,
    TYPE_BOOL,
    TYPE_TIME,
    TYPE_STRING,
    TYPE_CATEGORY,
} expr_type;

typedef enum expr_function {
    FUNCTION_IF,
    FUNCTION_COALESCE,
    FUNCTION_MIN,
    FUNCTION_MAX,
    FUNCTION_ABS,
    FUNCTION_SQRT,
    FUNCTION_LOG,
    FUNCTION_EXP,
    FUNCTION_POW,
    FUNCTION_FLOOR,
    FUNCTION_CEIL,
    FUNCTION_ROUND,
    FUNCTION_HOUR,
    FUNCTION_MINUTE,
    FUNCTION_WEEKDAY,
    FUNCTION_WEEKEND,
    FUNCTION_DAY_OF_MONTH,
    FUNCTIONS_COUNT,
} expr_function;
typedef struct expr_function_info {
    const char *name;
    uint32_t arguments_min, arguments_max;
} expr_function_info;
extern const expr_function_info expr_functions[FUNCTIONS_COUNT];

enum { NO_NODE = UINT32_MAX };

typedef struct expr_node {
    expr_node_kind kind;
    expr_type type;
    uint32_t offset; /* in the text, for messages */
    uint32_t a, b;   /* children, or NO_NODE */
    uint32_t next;   /* in a list of arguments, or NO_NODE */
    uint32_t mark, symbol, bytes;
    uint32_t string; /* NODE_STRING: offset in ctx->strings */
    expr_function function;
    int32_t scale; /* TYPE_EXACT */
    __int128 m;    /* a constant's minor units: within int64 for TYPE_EXACT, uint64 for TYPE_U64; 0/1 for BOOL */
    double f;      /* a number constant as a double, rounded once from its text */
} expr_node;

typedef struct expr_context {
    const char *text;
    uint32_t text_bytes;
    ride_expr_want want;
    const ride_expr_place *place;
    const ride_expr_scope *scope;
    ride_diagnostics *findings;
    uint32_t findings_count; /* of this expression */
    /* lexer and parser */
    expr_token token; /* the next one */
    uint32_t position, depth;
    expr_node nodes[RIDE_EXPR_NODES_MAX];
    uint32_t nodes_count;
    char strings[RIDE_EXPR_TEXT_BYTES_MAX]; /* contents of string literals */
    uint32_t strings_bytes;
    /* code */
    ride_instruction code[RIDE_PROGRAM_CODE_MAX];
    ride_constant constants[RIDE_EXPR_NODES_MAX * 2];
    uint32_t code_count, constants_count, registers_count, reads;
    bool code_full;
} expr_context;

/* A finding at a byte offset of the text. advice may be NULL. */
void expr_report(expr_context *ctx, uint32_t offset, const char *advice, const char *format, ...) RIDE_PRINTF(4, 5);

/* Reads the next token into ctx->token. */
void expr_lex(expr_context *ctx);
/* Value of a number token: type, m, scale, f. false: reported. */
bool expr_lex_number(expr_context *ctx, const expr_token *token, expr_node *out);

/* The whole text as a tree; NO_NODE when something was reported. */
uint32_t expr_parse(expr_context *ctx);
/* Sets the types below and of `index` and folds constants. Reports everything that is wrong. */
void expr_type_node(expr_context *ctx, uint32_t index);
/* The common type of a list of nodes (arguments from `first`, `count` of them); numbers only unless said. */
expr_type expr_type_unify(expr_context *ctx, const uint32_t *list, uint32_t count, int32_t *scale);
bool expr_is_constant(const expr_node *node);

/* Writes instructions for the checked tree; the result is in register 0 with this class. false: reported. */
bool expr_code(expr_context *ctx, uint32_t root, ride_class *out_class);

#endif
