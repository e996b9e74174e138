/* features/expr_parse.c: tokens → tree, by recursive descent. The first error of the text ends the parse: what follows
 * a missing bracket is noise. From loosest to tightest: or · and · not · comparisons, in, is · + - · * / % · minus sign. */
#include "features/expr_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const expr_function_info expr_functions[FUNCTIONS_COUNT] = {
    [FUNCTION_IF] = {"if", 3, 3},
    [FUNCTION_COALESCE] = {"coalesce", 2, 16},
    [FUNCTION_MIN] = {"min", 2, 16},
    [FUNCTION_MAX] = {"max", 2, 16},
    [FUNCTION_ABS] = {"abs", 1, 1},
    [FUNCTION_SQRT] = {"sqrt", 1, 1},
    [FUNCTION_LOG] = {"log", 1, 1},
    [FUNCTION_EXP] = {"exp", 1, 1},
    [FUNCTION_POW] = {"pow", 2, 2},
    [FUNCTION_FLOOR] = {"floor", 1, 1},
    [FUNCTION_CEIL] = {"ceil", 1, 1},
    [FUNCTION_ROUND] = {"round", 1, 1},
    [FUNCTION_HOUR] = {"hour", 1, 1},
    [FUNCTION_MINUTE] = {"minute", 1, 1},
    [FUNCTION_WEEKDAY] = {"weekday", 1, 1},
    [FUNCTION_WEEKEND] = {"weekend", 1, 1},
    [FUNCTION_DAY_OF_MONTH] = {"day_of_month", 1, 1},
};
static const char *const words[] = {"and", "or", "not", "in", "is", "null", "true", "false"};
enum { WORDS_COUNT = sizeof words / sizeof words[0] };

static uint32_t parse_or(expr_context *ctx);
static uint32_t parse_unary(expr_context *ctx);

static bool token_is_word(const expr_context *ctx, const char *word) {
    const expr_token *t = &ctx->token;
    return t->kind == TOKEN_NAME && strlen(word) == t->bytes && memcmp(ctx->text + t->offset, word, t->bytes) == 0;
}
static bool token_is_mark(const expr_context *ctx, uint32_t mark) {
    return ctx->token.kind == TOKEN_MARK && ctx->token.mark == mark;
}
static bool take_word(expr_context *ctx, const char *word) {
    if (!token_is_word(ctx, word)) return false;
    expr_lex(ctx);
    return true;
}

/* What was found instead of what belongs here. */
static uint32_t unexpected(expr_context *ctx, const char *wanted) {
    const expr_token *t = &ctx->token;
    int shown = t->bytes > 40 ? 40 : (int)t->bytes;
    if (t->kind == TOKEN_END) expr_report(ctx, t->offset, NULL, "the expression ends where %s is expected", wanted);
    else if (t->kind != TOKEN_ERROR)
        expr_report(ctx, t->offset, NULL, "`%.*s` stands where %s is expected", shown, ctx->text + t->offset, wanted);
    ctx->token.kind = TOKEN_ERROR;
    return NO_NODE;
}

static uint32_t node_add(expr_context *ctx, expr_node_kind kind, uint32_t offset, uint32_t a, uint32_t b) {
    if (ctx->nodes_count == RIDE_EXPR_NODES_MAX) {
        if (ctx->token.kind != TOKEN_ERROR)
            expr_report(ctx, offset, "split it into several features", "the expression has more than %d parts",
                        RIDE_EXPR_NODES_MAX);
        ctx->token.kind = TOKEN_ERROR;
        return NO_NODE;
    }
    expr_node *node = &ctx->nodes[ctx->nodes_count];
    *node = (expr_node){.kind = kind, .type = TYPE_ERROR, .offset = offset, .a = a, .b = b, .next = NO_NODE};
    return ctx->nodes_count++;
}

static bool deeper(expr_context *ctx) {
    if (ctx->depth++ < RIDE_EXPR_DEPTH_MAX) return true;
    if (ctx->token.kind != TOKEN_ERROR)
        expr_report(ctx, ctx->token.offset, "split it into several features", "nested more than %d deep",
                    RIDE_EXPR_DEPTH_MAX);
    ctx->token.kind = TOKEN_ERROR;
    return false;
}

/* `( item, item … )` into a list; count_max guards the caller. Returns the first, NO_NODE on error or when empty. */
static uint32_t parse_list(expr_context *ctx, uint32_t count_max, uint32_t *count) {
    uint32_t first = NO_NODE, last = NO_NODE;
    *count = 0;
    expr_lex(ctx); /* ( */
    if (token_is_mark(ctx, ')')) {
        expr_lex(ctx);
        return NO_NODE;
    }
    for (;;) {
        uint32_t item = parse_or(ctx);
        if (item == NO_NODE) return NO_NODE;
        if (last == NO_NODE) first = item;
        else ctx->nodes[last].next = item;
        last = item;
        if (++*count > count_max) {
            expr_report(ctx, ctx->nodes[item].offset, NULL, "more than %u items in this list", count_max);
            ctx->token.kind = TOKEN_ERROR;
            return NO_NODE;
        }
        if (token_is_mark(ctx, ',')) {
            expr_lex(ctx);
            continue;
        }
        if (!token_is_mark(ctx, ')')) return unexpected(ctx, "`,` or `)`");
        expr_lex(ctx);
        return first;
    }
}

static uint32_t parse_call(expr_context *ctx, uint32_t function, uint32_t offset) {
    const expr_function_info *info = &expr_functions[function];
    uint32_t count, first = parse_list(ctx, info->arguments_max < 16 ? 16 : info->arguments_max, &count);
    if (ctx->token.kind == TOKEN_ERROR) return NO_NODE;
    if (count < info->arguments_min || count > info->arguments_max) {
        if (info->arguments_min == info->arguments_max)
            expr_report(ctx, offset, NULL, "%s takes %u argument%s, here are %u", info->name, info->arguments_min,
                        info->arguments_min == 1 ? "" : "s", count);
        else
            expr_report(ctx, offset, NULL, "%s takes %u to %u arguments, here are %u", info->name, info->arguments_min,
                        info->arguments_max, count);
        ctx->token.kind = TOKEN_ERROR;
        return NO_NODE;
    }
    uint32_t node = node_add(ctx, NODE_CALL, offset, first, NO_NODE);
    if (node != NO_NODE) ctx->nodes[node].function = (expr_function)function;
    return node;
}

static uint32_t unknown_name(expr_context *ctx, const char *name, uint32_t offset, bool call) {
    const ride_expr_scope *scope = ctx->scope;
    uint32_t room = scope->symbols_count + FUNCTIONS_COUNT + 1, count = 0;
    const char **names = malloc(room * sizeof *names);
    char advice[320] = "";
    if (names != NULL) {
        if (call)
            for (uint32_t i = 0; i < FUNCTIONS_COUNT; i++) names[count++] = expr_functions[i].name;
        else {
            for (uint32_t i = 0; i < scope->symbols_count; i++)
                if (scope->symbols[i].refusal == NULL) names[count++] = scope->symbols[i].name;
            if (!scope->no_time) names[count++] = "ts";
        }
        const char *near = ride_nearest(name, names, count);
        if (near != NULL) snprintf(advice, sizeof advice, "did you mean `%.256s`?", near);
        free(names);
    }
    expr_report(ctx, offset, advice[0] != '\0' ? advice : NULL,
                call ? "there is no function `%s`" : "unknown name `%s`", name);
    ctx->token.kind = TOKEN_ERROR;
    return NO_NODE;
}

static uint32_t parse_name(expr_context *ctx) {
    expr_token t = ctx->token;
    char name[512];
    uint32_t bytes = 0;
    const bool quoted = t.kind == TOKEN_QUOTED;
    for (uint32_t i = quoted ? 1 : 0; i < t.bytes - (quoted ? 1 : 0); i++) {
        char c = ctx->text[t.offset + i];
        if (bytes + 1 >= sizeof name || c == '\0') {
            expr_report(ctx, t.offset, NULL, "a name of more than %zu bytes, or with a zero in it", sizeof name - 1);
            ctx->token.kind = TOKEN_ERROR;
            return NO_NODE;
        }
        name[bytes++] = c;
        if (quoted && c == '`') i++;
    }
    name[bytes] = '\0';
    expr_lex(ctx);
    if (!quoted && token_is_mark(ctx, '(')) {
        for (uint32_t i = 0; i < FUNCTIONS_COUNT; i++)
            if (strcmp(name, expr_functions[i].name) == 0) return parse_call(ctx, i, t.offset);
        return unknown_name(ctx, name, t.offset, true);
    }
    if (!quoted && strcmp(name, "ts") == 0 && !ctx->scope->no_time)
        return node_add(ctx, NODE_TIME, t.offset, NO_NODE, NO_NODE);
    for (uint32_t i = 0; i < ctx->scope->symbols_count; i++) {
        if (strcmp(name, ctx->scope->symbols[i].name) != 0) continue;
        uint32_t node = node_add(ctx, NODE_SYMBOL, t.offset, NO_NODE, NO_NODE);
        if (node != NO_NODE) ctx->nodes[node].symbol = i;
        return node;
    }
    if (ctx->token.kind == TOKEN_ERROR) return NO_NODE;
    return unknown_name(ctx, name, t.offset, false);
}

static uint32_t parse_string(expr_context *ctx) {
    expr_token t = ctx->token;
    uint32_t node = node_add(ctx, NODE_STRING, t.offset, NO_NODE, NO_NODE);
    if (node == NO_NODE) return NO_NODE;
    ctx->nodes[node].string = ctx->strings_bytes;
    char quote = ctx->text[t.offset];
    for (uint32_t i = 1; i + 1 < t.bytes; i++) { /* no longer than the text: always room */
        ctx->strings[ctx->strings_bytes++] = ctx->text[t.offset + i];
        if (ctx->text[t.offset + i] == quote) i++;
    }
    ctx->nodes[node].bytes = ctx->strings_bytes - ctx->nodes[node].string;
    expr_lex(ctx);
    return node;
}

static uint32_t parse_primary(expr_context *ctx) {
    expr_token t = ctx->token;
    uint32_t node;
    if (t.kind == TOKEN_STRING) return parse_string(ctx);
    if (t.kind == TOKEN_QUOTED) return parse_name(ctx);
    if (t.kind == TOKEN_NUMBER) {
        node = node_add(ctx, NODE_NUMBER, t.offset, NO_NODE, NO_NODE);
        if (node == NO_NODE) return NO_NODE;
        if (!expr_lex_number(ctx, &t, &ctx->nodes[node])) {
            ctx->token.kind = TOKEN_ERROR;
            return NO_NODE;
        }
        expr_lex(ctx);
        return node;
    }
    if (token_is_mark(ctx, '(')) {
        expr_lex(ctx);
        node = parse_or(ctx);
        if (node == NO_NODE) return NO_NODE;
        if (!token_is_mark(ctx, ')')) return unexpected(ctx, "`)`");
        expr_lex(ctx);
        return node;
    }
    if (t.kind != TOKEN_NAME) return unexpected(ctx, "a value");
    if (token_is_word(ctx, "true") || token_is_word(ctx, "false")) {
        node = node_add(ctx, NODE_BOOL, t.offset, NO_NODE, NO_NODE);
        if (node != NO_NODE) ctx->nodes[node].m = token_is_word(ctx, "true");
        expr_lex(ctx);
        return node;
    }
    if (take_word(ctx, "null")) return node_add(ctx, NODE_NULL, t.offset, NO_NODE, NO_NODE);
    for (uint32_t i = 0; i < WORDS_COUNT; i++)
        if (token_is_word(ctx, words[i])) return unexpected(ctx, "a value");
    return parse_name(ctx);
}

static uint32_t parse_unary(expr_context *ctx) {
    uint32_t offset = ctx->token.offset, node;
    if (!deeper(ctx)) return NO_NODE;
    if (token_is_mark(ctx, '-')) {
        expr_lex(ctx);
        node = parse_unary(ctx);
        if (node != NO_NODE) node = node_add(ctx, NODE_NEGATE, offset, node, NO_NODE);
    } else node = parse_primary(ctx);
    ctx->depth--;
    return node;
}

static uint32_t parse_binary(expr_context *ctx, const char *marks, uint32_t (*parse)(expr_context *)) {
    uint32_t left = parse(ctx);
    while (left != NO_NODE && ctx->token.kind == TOKEN_MARK && ctx->token.mark < 256 &&
           strchr(marks, (int)ctx->token.mark) != NULL) {
        uint32_t mark = ctx->token.mark, offset = ctx->token.offset;
        expr_lex(ctx);
        uint32_t right = parse(ctx);
        if (right == NO_NODE) return NO_NODE;
        left = node_add(ctx, NODE_ARITHMETIC, offset, left, right);
        if (left != NO_NODE) ctx->nodes[left].mark = mark;
    }
    return left;
}
static uint32_t parse_product(expr_context *ctx) { return parse_binary(ctx, "*/%", parse_unary); }
static uint32_t parse_sum(expr_context *ctx) { return parse_binary(ctx, "+-", parse_product); }

static bool token_is_comparison(const expr_context *ctx) {
    uint32_t m = ctx->token.mark;
    return ctx->token.kind == TOKEN_MARK && (m == '<' || m == '>' || m > 255);
}

static uint32_t parse_in(expr_context *ctx, uint32_t left, bool negated, uint32_t offset) {
    uint32_t count;
    if (!token_is_mark(ctx, '(')) return unexpected(ctx, "`(` and a list of values");
    uint32_t first = parse_list(ctx, RIDE_EXPR_IN_LIST_MAX, &count);
    if (ctx->token.kind == TOKEN_ERROR) return NO_NODE;
    if (count == 0) {
        expr_report(ctx, offset, NULL, "`in` needs at least one value");
        ctx->token.kind = TOKEN_ERROR;
        return NO_NODE;
    }
    uint32_t node = node_add(ctx, NODE_IN, offset, left, first);
    return negated && node != NO_NODE ? node_add(ctx, NODE_NOT, offset, node, NO_NODE) : node;
}

static uint32_t parse_comparison(expr_context *ctx) {
    uint32_t left = parse_sum(ctx), offset = ctx->token.offset;
    if (left == NO_NODE) return NO_NODE;
    if (token_is_comparison(ctx)) {
        uint32_t mark = ctx->token.mark;
        expr_lex(ctx);
        uint32_t right = parse_sum(ctx);
        if (right == NO_NODE) return NO_NODE;
        left = node_add(ctx, NODE_COMPARE, offset, left, right);
        if (left != NO_NODE) ctx->nodes[left].mark = mark;
    } else if (take_word(ctx, "in")) left = parse_in(ctx, left, false, offset);
    else if (take_word(ctx, "is")) {
        bool negated = take_word(ctx, "not");
        if (!take_word(ctx, "null")) return unexpected(ctx, "`null` (as in `x is null`)");
        left = node_add(ctx, NODE_IS_NULL, offset, left, NO_NODE);
        if (negated && left != NO_NODE) left = node_add(ctx, NODE_NOT, offset, left, NO_NODE);
    } else if (take_word(ctx, "not")) {
        if (!take_word(ctx, "in")) return unexpected(ctx, "`in` (as in `x not in (1, 2)`)");
        left = parse_in(ctx, left, true, offset);
    }
    if (left != NO_NODE && (token_is_comparison(ctx) || token_is_word(ctx, "in") || token_is_word(ctx, "is"))) {
        expr_report(ctx, ctx->token.offset, "write `a < b and b < c`, or use brackets", "comparisons do not chain");
        ctx->token.kind = TOKEN_ERROR;
        return NO_NODE;
    }
    return left;
}

static uint32_t parse_not(expr_context *ctx) {
    uint32_t offset = ctx->token.offset, node;
    if (!deeper(ctx)) return NO_NODE;
    if (take_word(ctx, "not")) {
        node = parse_not(ctx);
        if (node != NO_NODE) node = node_add(ctx, NODE_NOT, offset, node, NO_NODE);
    } else node = parse_comparison(ctx);
    ctx->depth--;
    return node;
}

static uint32_t parse_logic(expr_context *ctx, const char *word, expr_node_kind kind,
                            uint32_t (*parse)(expr_context *)) {
    uint32_t left = parse(ctx);
    for (uint32_t offset = ctx->token.offset; left != NO_NODE && take_word(ctx, word); offset = ctx->token.offset) {
        uint32_t right = parse(ctx);
        left = right == NO_NODE ? NO_NODE : node_add(ctx, kind, offset, left, right);
    }
    return left;
}
static uint32_t parse_and(expr_context *ctx) { return parse_logic(ctx, "and", NODE_AND, parse_not); }
static uint32_t parse_or(expr_context *ctx) { return parse_logic(ctx, "or", NODE_OR, parse_and); }

uint32_t expr_parse(expr_context *ctx) {
    expr_lex(ctx);
    if (ctx->token.kind == TOKEN_END) {
        expr_report(ctx, 0, NULL, "the expression is empty");
        return NO_NODE;
    }
    uint32_t root = parse_or(ctx);
    if (root == NO_NODE) return NO_NODE;
    return ctx->token.kind == TOKEN_END ? root : unexpected(ctx, "an operator or the end");
}

bool ride_expr_name_is_plain(const char *name) {
    size_t bytes = strlen(name);
    if (bytes == 0 || strcmp(name, "ts") == 0) return false;
    for (uint32_t i = 0; i < WORDS_COUNT; i++)
        if (strcmp(name, words[i]) == 0) return false;
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)name[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
        if (!letter && (i == 0 || (!(c >= '0' && c <= '9') && c != '.'))) return false;
    }
    return name[bytes - 1] != '.';
}
