/* features/expr_type.c: types of the tree, and constants folded. All type errors are told: a wrong part becomes
 * TYPE_ERROR, which silences what is built on it.
 *
 * Numbers are exact (int64 minor units with a scale: integers and decimals), u64, or double. Exact with exact stays exact under
 * + - * % and comparisons; `/` and whatever touches a double is double, in the major unit. */
#include "features/expr_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const type_names[] = {
    [TYPE_ERROR] = "an error",   [TYPE_NULL] = "null",       [TYPE_EXACT] = "a number",
    [TYPE_U64] = "a number",     [TYPE_F64] = "a number",    [TYPE_BOOL] = "a condition",
    [TYPE_TIME] = "a timestamp", [TYPE_STRING] = "a string", [TYPE_CATEGORY] = "a category",
};

bool expr_is_constant(const expr_node *node) { return node->kind == NODE_NUMBER; }

static bool is_number(expr_type type) {
    return type == TYPE_EXACT || type == TYPE_U64 || type == TYPE_F64 || type == TYPE_BOOL;
}

/* Must be a number (a condition counts as 0 or 1). */
static bool need_number(expr_context *ctx, uint32_t index, const char *where) {
    const expr_node *node = &ctx->nodes[index];
    if (is_number(node->type)) return true;
    const char *advice = node->type == TYPE_NULL   ? "test with `x is null`, replace with coalesce(x, y)"
                         : node->type == TYPE_TIME ? "subtract another timestamp, or take hour(ts)"
                                                   : NULL;
    if (node->type != TYPE_ERROR)
        expr_report(ctx, node->offset, advice, "%s needs a number, this is %s", where, type_names[node->type]);
    return false;
}
static bool need_bool(expr_context *ctx, uint32_t index, const char *where) {
    const expr_node *node = &ctx->nodes[index];
    if (node->type == TYPE_BOOL) return true;
    if (node->type != TYPE_ERROR)
        expr_report(ctx, node->offset, is_number(node->type) ? "compare it, as in `x != 0`" : NULL,
                    "%s needs a condition, this is %s", where, type_names[node->type]);
    return false;
}

static int64_t ten_to(int32_t n) {
    int64_t p = 1;
    while (n-- > 0) p *= 10;
    return p;
}
/* Turns a node into a constant when it fits; else it stays as it is (and is null at run time, as an overflow is). */
static void fold_exact(expr_node *node, __int128 m, int32_t scale) {
    if (m > INT64_MAX || m < INT64_MIN) return;
    node->kind = NODE_NUMBER;
    node->m = m;
    node->f = (double)(int64_t)m / (double)ten_to(scale);
    node->type = TYPE_EXACT;
    node->scale = scale;
}
static void fold_double(expr_node *node, double f) {
    if (!isfinite(f)) return;
    node->kind = NODE_NUMBER;
    node->f = f;
    node->type = TYPE_F64;
}

static void type_symbol(expr_context *ctx, expr_node *node) {
    const ride_expr_symbol *symbol = &ctx->scope->symbols[node->symbol];
    if (symbol->refusal != NULL) {
        expr_report(ctx, node->offset, NULL, "`%s` %s", symbol->name, symbol->refusal);
        return;
    }
    if (symbol->categories != NULL) {
        node->type = TYPE_CATEGORY;
        return;
    }
    switch (symbol->type) {
    case RIDE_TYPE_BOOL: node->type = TYPE_BOOL; break;
    case RIDE_TYPE_I64: node->type = TYPE_EXACT; break;
    case RIDE_TYPE_DECIMAL:
        node->type = TYPE_EXACT;
        node->scale = symbol->scale;
        break;
    case RIDE_TYPE_U64: node->type = TYPE_U64; break;
    case RIDE_TYPE_F64: node->type = TYPE_F64; break;
    case RIDE_TYPE_TIMESTAMP: node->type = TYPE_TIME; break;
    case RIDE_TYPE_STRING: node->type = TYPE_STRING; break;
    default: expr_report(ctx, node->offset, NULL, "`%s` has no type that expressions know", symbol->name); break;
    }
}

static void type_arithmetic(expr_context *ctx, expr_node *node) {
    const expr_node *a = &ctx->nodes[node->a], *b = &ctx->nodes[node->b];
    const char name[2] = {(char)node->mark, '\0'};
    if (a->type == TYPE_TIME && b->type == TYPE_TIME && node->mark == '-') { /* microseconds: seconds with 6 digits */
        node->type = TYPE_EXACT;
        node->scale = 6;
        return;
    }
    bool good = need_number(ctx, node->a, name);
    good &= need_number(ctx, node->b, name);
    if (!good) return;
    const bool folds = expr_is_constant(a) && expr_is_constant(b);
    const bool doubles = a->type == TYPE_F64 || b->type == TYPE_F64 || node->mark == '/';
    const int32_t sa = a->type == TYPE_EXACT ? a->scale : 0, sb = b->type == TYPE_EXACT ? b->scale : 0;
    if (doubles || (node->mark == '*' && sa + sb > RIDE_SCALE_MAX)) {
        node->type = TYPE_F64;
        if (!folds) return;
        switch (node->mark) {
        case '+': fold_double(node, a->f + b->f); break;
        case '-': fold_double(node, a->f - b->f); break;
        case '*': fold_double(node, a->f * b->f); break;
        case '/': fold_double(node, b->f == 0.0 ? (double)INFINITY : a->f / b->f); break;
        }
        return;
    }
    if (node->mark == '%' && a->type == TYPE_U64 &&
        (b->type == TYPE_U64 || (expr_is_constant(b) && sb == 0 && b->m >= 0))) {
        node->type = TYPE_U64;
        return;
    }
    node->type = TYPE_EXACT;
    node->scale = node->mark == '*' ? sa + sb : sa > sb ? sa : sb;
    if (!folds || a->type != TYPE_EXACT || b->type != TYPE_EXACT) return;
    const __int128 x = a->m * ten_to(node->mark == '*' ? 0 : node->scale - sa);
    const __int128 y = b->m * ten_to(node->mark == '*' ? 0 : node->scale - sb);
    switch (node->mark) {
    case '+': fold_exact(node, x + y, node->scale); break;
    case '-': fold_exact(node, x - y, node->scale); break;
    case '*': fold_exact(node, x * y, node->scale); break;
    }
}

static bool check_category(expr_context *ctx, const expr_node *category, const expr_node *text) {
    const ride_expr_symbol *symbol = &ctx->scope->symbols[category->symbol];
    char word[RIDE_EXPR_TEXT_BYTES_MAX + 1], advice[320] = "";
    memcpy(word, ctx->strings + text->string, text->bytes);
    word[text->bytes] = '\0';
    for (uint32_t i = 0; i < symbol->categories_count; i++)
        if (strlen(symbol->categories[i]) == text->bytes && memcmp(symbol->categories[i], word, text->bytes) == 0)
            return true;
    word[text->bytes > 60 ? 60 : text->bytes] = '\0';
    const char *near = ride_nearest(word, symbol->categories, symbol->categories_count);
    if (near != NULL) snprintf(advice, sizeof advice, "did you mean '%.256s'?", near);
    expr_report(ctx, text->offset, near != NULL ? advice : NULL, "'%s' is not a category of `%s`", word, symbol->name);
    return false;
}

/* Can these two be compared with `mark`? Reports. */
static bool check_comparison(expr_context *ctx, uint32_t left, uint32_t right, uint32_t mark, uint32_t offset) {
    const expr_node *a = &ctx->nodes[left], *b = &ctx->nodes[right];
    const bool equality = mark == MARK2('=', '=') || mark == MARK2('!', '=');
    if (a->type == TYPE_ERROR || b->type == TYPE_ERROR) return false;
    if (a->type == TYPE_NULL || b->type == TYPE_NULL) {
        expr_report(ctx, offset, "write `x is null` or `x is not null`", "a comparison with null is always null");
        return false;
    }
    const bool text_a = a->type == TYPE_STRING || a->type == TYPE_CATEGORY;
    const bool text_b = b->type == TYPE_STRING || b->type == TYPE_CATEGORY;
    if (text_a && text_b) {
        if (!equality) {
            expr_report(ctx, offset, NULL, "strings know == and != only");
            return false;
        }
        if (a->kind == NODE_STRING && b->kind == NODE_STRING) {
            expr_report(ctx, offset, NULL, "both sides are quoted strings; a field's name is not quoted");
            return false;
        }
        if (a->type == TYPE_CATEGORY && b->kind == NODE_STRING) return check_category(ctx, a, b);
        if (b->type == TYPE_CATEGORY && a->kind == NODE_STRING) return check_category(ctx, b, a);
        if (a->type == TYPE_STRING && b->type == TYPE_STRING) {
            const expr_node *field = a->kind == NODE_STRING ? b : a;
            if (ctx->scope->hash_column != NULL && ctx->scope->hash_text != NULL) return true;
            expr_report(ctx, field->offset, NULL, "strings cannot be compared here");
            return false;
        }
        expr_report(ctx, offset, "compare with a quoted value", "a category is compared with another field");
        return false;
    }
    if ((a->type == TYPE_TIME && b->type == TYPE_TIME) || (is_number(a->type) && is_number(b->type))) {
        if (equality || a->type != TYPE_BOOL || b->type != TYPE_BOOL) return true;
        expr_report(ctx, offset, NULL, "conditions know == and != only");
        return false;
    }
    expr_report(ctx, offset,
                text_a != text_b                               ? "numbers are written without quotes, strings with"
                : a->type == TYPE_TIME || b->type == TYPE_TIME ? "take hour(ts) or subtract another timestamp"
                                                               : NULL,
                "%s is compared with %s", type_names[a->type], type_names[b->type]);
    return false;
}

expr_type expr_type_unify(expr_context *ctx, const uint32_t *list, uint32_t count, int32_t *scale) {
    uint32_t nulls = 0, bools = 0, doubles = 0, unsigneds = 0, naturals = 0, times = 0;
    *scale = 0;
    for (uint32_t i = 0; i < count; i++) {
        const expr_node *node = &ctx->nodes[list[i]];
        nulls += node->type == TYPE_NULL;
        bools += node->type == TYPE_BOOL;
        doubles += node->type == TYPE_F64;
        unsigneds += node->type == TYPE_U64;
        naturals += node->type == TYPE_EXACT && expr_is_constant(node) && node->scale == 0 && node->m >= 0;
        times += node->type == TYPE_TIME;
        if (node->type == TYPE_EXACT && node->scale > *scale) *scale = node->scale;
    }
    if (nulls == count) return TYPE_NULL;
    if (bools + nulls == count) return TYPE_BOOL;
    if (times + nulls == count) return TYPE_TIME;
    if (doubles > 0) return TYPE_F64;
    if (unsigneds > 0 && unsigneds + naturals + nulls == count) return TYPE_U64;
    return TYPE_EXACT;
}

static void type_call(expr_context *ctx, expr_node *node) {
    uint32_t list[16] = {0}, count = 0;
    const char *name = expr_functions[node->function].name;
    bool good = true;
    for (uint32_t i = node->a; i != NO_NODE; i = ctx->nodes[i].next) {
        expr_type_node(ctx, i);
        list[count++] = i;
        good &= ctx->nodes[i].type != TYPE_ERROR;
    }
    if (!good) return;
    const uint32_t skip = node->function == FUNCTION_IF ? 1 : 0;
    switch (node->function) {
    case FUNCTION_IF:
        if (!need_bool(ctx, list[0], "the first part of if")) return;
        __attribute__((fallthrough));
    case FUNCTION_COALESCE: {
        node->type = expr_type_unify(ctx, list + skip, count - skip, &node->scale);
        if (node->type == TYPE_NULL) {
            expr_report(ctx, node->offset, NULL, "%s: every choice is null", name);
            node->type = TYPE_ERROR;
            return;
        }
        for (uint32_t i = skip; i < count; i++) {
            const expr_node *item = &ctx->nodes[list[i]];
            if (item->type == TYPE_NULL || item->type == node->type) {
                if (item->type != TYPE_STRING && item->type != TYPE_CATEGORY) continue;
            } else if (is_number(item->type) && node->type != TYPE_TIME) continue;
            expr_report(ctx, item->offset, NULL, "%s cannot mix or choose %s here", name, type_names[item->type]);
            node->type = TYPE_ERROR;
            return;
        }
        return;
    }
    case FUNCTION_MIN:
    case FUNCTION_MAX:
        node->type = expr_type_unify(ctx, list, count, &node->scale);
        if (node->type == TYPE_TIME) return;
        for (uint32_t i = 0; i < count; i++) good &= need_number(ctx, list[i], name);
        if (!good) node->type = TYPE_ERROR;
        else if (node->type == TYPE_BOOL) node->type = TYPE_EXACT;
        return;
    case FUNCTION_HOUR:
    case FUNCTION_MINUTE:
    case FUNCTION_WEEKDAY:
    case FUNCTION_WEEKEND:
    case FUNCTION_DAY_OF_MONTH:
        if (ctx->nodes[list[0]].type != TYPE_TIME) {
            expr_report(ctx, ctx->nodes[list[0]].offset, "write it as in hour(ts)", "%s needs a timestamp, this is %s",
                        name, type_names[ctx->nodes[list[0]].type]);
            return;
        }
        node->type = node->function == FUNCTION_WEEKEND ? TYPE_BOOL : TYPE_EXACT;
        return;
    default: break;
    }
    for (uint32_t i = 0; i < count; i++) good &= need_number(ctx, list[i], name);
    if (!good) return;
    const expr_node *x = &ctx->nodes[list[0]];
    switch (node->function) {
    case FUNCTION_ABS:
        node->type = x->type == TYPE_BOOL ? TYPE_EXACT : x->type;
        node->scale = x->type == TYPE_EXACT ? x->scale : 0;
        return;
    case FUNCTION_FLOOR:
    case FUNCTION_CEIL:
    case FUNCTION_ROUND: node->type = x->type == TYPE_BOOL ? TYPE_EXACT : x->type; return;
    default: node->type = TYPE_F64; return; /* sqrt log exp pow */
    }
}

void expr_type_node(expr_context *ctx, uint32_t index) {
    expr_node *node = &ctx->nodes[index];
    switch (node->kind) {
    case NODE_NUMBER: return; /* set by the lexer */
    case NODE_BOOL: node->type = TYPE_BOOL; return;
    case NODE_NULL: node->type = TYPE_NULL; return;
    case NODE_STRING: node->type = TYPE_STRING; return;
    case NODE_TIME: node->type = TYPE_TIME; return;
    case NODE_SYMBOL: type_symbol(ctx, node); return;
    case NODE_CALL: type_call(ctx, node); return;
    default: break;
    }
    expr_type_node(ctx, node->a);
    const expr_node *a = &ctx->nodes[node->a];
    switch (node->kind) {
    case NODE_NEGATE:
        if (!need_number(ctx, node->a, "a minus sign")) return;
        node->type = a->type == TYPE_F64 ? TYPE_F64 : TYPE_EXACT;
        node->scale = a->type == TYPE_EXACT ? a->scale : 0;
        if (!expr_is_constant(a)) return;
        if (a->type == TYPE_F64) fold_double(node, -a->f);
        else {
            const double f = -a->f; /* of the text, not of the folded number */
            fold_exact(node, -a->m, node->scale);
            node->f = f;
        }
        return;
    case NODE_NOT:
        if (need_bool(ctx, node->a, "not")) node->type = TYPE_BOOL;
        return;
    case NODE_IS_NULL:
        if (a->type == TYPE_ERROR) return;
        node->type = TYPE_BOOL;
        if (a->kind != NODE_STRING && a->type != TYPE_NULL && a->kind != NODE_NUMBER && a->kind != NODE_BOOL) return;
        expr_report(ctx, a->offset, NULL, "is null needs a field, a feature or a computed value");
        node->type = TYPE_ERROR;
        return;
    case NODE_IN: {
        bool good = a->type != TYPE_ERROR;
        for (uint32_t i = node->b; i != NO_NODE; i = ctx->nodes[i].next) {
            expr_type_node(ctx, i);
            const expr_node *item = &ctx->nodes[i];
            if (item->type == TYPE_ERROR) good = false;
            else if (item->kind != NODE_NUMBER && item->kind != NODE_STRING && item->kind != NODE_BOOL &&
                     item->kind != NODE_NULL) {
                expr_report(ctx, item->offset, "compare with `==` and `or`", "`in` takes written values only");
                good = false;
            } else if (a->type != TYPE_ERROR) good &= check_comparison(ctx, node->a, i, MARK2('=', '='), item->offset);
        }
        if (good) node->type = TYPE_BOOL;
        return;
    }
    default: break;
    }
    expr_type_node(ctx, node->b);
    switch (node->kind) {
    case NODE_ARITHMETIC: type_arithmetic(ctx, node); return;
    case NODE_COMPARE:
        if (check_comparison(ctx, node->a, node->b, node->mark, node->offset)) node->type = TYPE_BOOL;
        return;
    default: { /* and, or */
        const char *word = node->kind == NODE_AND ? "and" : "or";
        bool good = need_bool(ctx, node->a, word);
        good &= need_bool(ctx, node->b, word);
        if (good) node->type = TYPE_BOOL;
    }
    }
}
