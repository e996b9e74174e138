/* features/expr_code.c: the checked tree → instructions. Registers are a stack: a node leaves its value in register
 * `base` or is a constant operand; its children use the registers from base on. */
#include "features/expr_internal.h"

static void emit(expr_context *ctx, uint32_t op, uint32_t out, uint32_t a, uint32_t b, uint32_t c, uint32_t index) {
    if (out >= RIDE_PROGRAM_REGISTERS_MAX || ctx->code_count == RIDE_PROGRAM_CODE_MAX) {
        ctx->code_full = true;
        return;
    }
    if (out >= ctx->registers_count) ctx->registers_count = out + 1;
    ctx->code[ctx->code_count++] = (ride_instruction){
        .op = (uint16_t)op, .out = (uint16_t)out, .a = (uint16_t)a, .b = (uint16_t)b, .c = (uint16_t)c, .index = index};
}

static uint32_t constant(expr_context *ctx, uint64_t lo, uint64_t hi) {
    for (uint32_t i = 0; i < ctx->constants_count; i++)
        if (ctx->constants[i].bits[0] == lo && ctx->constants[i].bits[1] == hi) return i | RIDE_OPERAND_CONSTANT;
    if (ctx->constants_count == RIDE_EXPR_NODES_MAX * 2) {
        ctx->code_full = true;
        return RIDE_OPERAND_CONSTANT;
    }
    ctx->constants[ctx->constants_count] = (ride_constant){{lo, hi}};
    return ctx->constants_count++ | RIDE_OPERAND_CONSTANT;
}
static uint32_t constant_double(expr_context *ctx, double x) {
    union {
        double x;
        uint64_t bits;
    } u = {.x = x};
    return constant(ctx, u.bits, 0);
}
static uint32_t constant_null(expr_context *ctx, ride_class class) {
    return class == RIDE_CLASS_F64 ? constant(ctx, UINT64_C(0x7ff8000000000000), 0) : constant(ctx, 0, 0);
}
static bool is_constant_operand(uint32_t operand) { return (operand & RIDE_OPERAND_CONSTANT) != 0; }

static ride_class class_of(expr_type type) {
    switch (type) {
    case TYPE_U64: return RIDE_CLASS_U64;
    case TYPE_F64: return RIDE_CLASS_F64;
    case TYPE_BOOL: return RIDE_CLASS_BOOL;
    default: return RIDE_CLASS_I64;
    }
}
static int32_t scale_of(const expr_node *node) { return node->type == TYPE_EXACT ? node->scale : 0; }
static __int128 scaled(__int128 m, int32_t by) {
    while (by-- > 0) m *= 10; /* |m| < 2^64 and by <= 18: fits */
    return m;
}

/* IS_NULL, MOVE, SELECT, COALESCE have one operation per class, in this order. */
static uint32_t op_of(uint32_t op_i64, ride_class class) {
    return op_i64 + (class == RIDE_CLASS_U64 ? 1 : class == RIDE_CLASS_F64 ? 2 : class == RIDE_CLASS_BOOL ? 3 : 0);
}
RIDE_STATIC_ASSERT(RIDE_OP_MOVE_BOOL == RIDE_OP_MOVE_I64 + 3 && RIDE_OP_SELECT_BOOL == RIDE_OP_SELECT_I64 + 3 &&
                       RIDE_OP_COALESCE_BOOL == RIDE_OP_COALESCE_I64 + 3 &&
                       RIDE_OP_IS_NULL_BOOL == RIDE_OP_IS_NULL_I64 + 3 &&
                       RIDE_OP_SELECT_F64 == RIDE_OP_SELECT_I64 + 2 && RIDE_OP_MOVE_F64 == RIDE_OP_MOVE_I64 + 2,
                   "op_of counts on the order I64, U64, F64, BOOL");
RIDE_STATIC_ASSERT(RIDE_OP_LE_I64 == RIDE_OP_EQ_I64 + 3 && RIDE_OP_LE_U64 == RIDE_OP_EQ_U64 + 3 &&
                       RIDE_OP_LE_F64 == RIDE_OP_EQ_F64 + 3,
                   "comparisons come as EQ, NE, LT, LE");

static uint32_t gen(expr_context *ctx, uint32_t index, uint32_t base);

static uint32_t to_register(expr_context *ctx, uint32_t operand, ride_class class, uint32_t base) {
    if (!is_constant_operand(operand)) return operand;
    emit(ctx, op_of(RIDE_OP_MOVE_I64, class), base, operand, 0, 0, 0);
    return base;
}

/* A value of one class and scale as another, in `base`. */
static uint32_t convert(expr_context *ctx, uint32_t operand, const expr_node *node, ride_class class, int32_t scale,
                        uint32_t base) {
    const ride_class from = class_of(node->type);
    const int32_t up = scale - scale_of(node);
    if (class == RIDE_CLASS_F64) {
        if (from == RIDE_CLASS_F64) return operand;
        if (from == RIDE_CLASS_I64) emit(ctx, RIDE_OP_F64_OF_I64, base, operand, 0, 0, (uint32_t)scale_of(node));
        else emit(ctx, from == RIDE_CLASS_U64 ? RIDE_OP_F64_OF_U64 : RIDE_OP_F64_OF_BOOL, base, operand, 0, 0, 0);
        return base;
    }
    if (class != RIDE_CLASS_I64) return operand;
    if (from != RIDE_CLASS_I64) {
        emit(ctx, from == RIDE_CLASS_U64 ? RIDE_OP_I64_OF_U64 : RIDE_OP_I64_OF_BOOL, base, operand, 0, 0, 0);
        operand = base;
    }
    if (up <= 0) return operand;
    emit(ctx, RIDE_OP_SCALE_I64, base, operand, 0, 0, (uint32_t)up);
    return base;
}

static uint32_t load_symbol(expr_context *ctx, const expr_node *node, bool as_double, uint32_t base) {
    const ride_expr_symbol *symbol = &ctx->scope->symbols[node->symbol];
    if (symbol->kind != RIDE_EXPR_FIELD) {
        ctx->reads |= symbol->kind == RIDE_EXPR_SCORE ? RIDE_PROGRAM_READS_SCORE : RIDE_PROGRAM_READS_FEATURES;
        emit(ctx, RIDE_OP_LOAD_OUT, base, 0, 0, 0, symbol->index);
        if (node->type == TYPE_BOOL && !as_double) emit(ctx, RIDE_OP_BOOL_OF_F64, base, base, 0, 0, 0);
        return base;
    }
    const uint32_t op = node->type == TYPE_U64    ? RIDE_OP_LOAD_U64
                        : node->type == TYPE_F64  ? RIDE_OP_LOAD_F64
                        : node->type == TYPE_BOOL ? RIDE_OP_LOAD_BOOL
                                                  : RIDE_OP_LOAD_I64;
    emit(ctx, op, base, 0, 0, 0, symbol->index);
    return base;
}

/* The node as a value of `class`, scale for I64. */
static uint32_t gen_as(expr_context *ctx, uint32_t index, ride_class class, int32_t scale, uint32_t base) {
    const expr_node *node = &ctx->nodes[index];
    if (node->kind == NODE_NULL) return constant_null(ctx, class);
    if (node->kind == NODE_NUMBER || node->kind == NODE_BOOL) {
        if (class == RIDE_CLASS_F64)
            return constant_double(ctx, node->kind == NODE_BOOL ? (double)(int)node->m : node->f);
        const __int128 m = scaled(node->m, class == RIDE_CLASS_I64 ? scale - scale_of(node) : 0);
        if (class == RIDE_CLASS_I64 && (m > INT64_MAX || m < INT64_MIN)) return constant_null(ctx, class);
        return constant(ctx, (uint64_t)m, 1);
    }
    if (node->kind == NODE_SYMBOL && class == RIDE_CLASS_F64 && node->type == TYPE_BOOL &&
        ctx->scope->symbols[node->symbol].kind != RIDE_EXPR_FIELD)
        return load_symbol(ctx, node, true, base); /* 0 and 1 already */
    return convert(ctx, gen(ctx, index, base), node, class, scale, base);
}

static uint32_t gen_register(expr_context *ctx, uint32_t index, ride_class class, int32_t scale, uint32_t base) {
    return to_register(ctx, gen_as(ctx, index, class, scale, base), class, base);
}

/* a op b, both of one class. */
static uint32_t gen_binary(expr_context *ctx, uint32_t op, uint32_t left, uint32_t right, ride_class class,
                           int32_t scale_left, int32_t scale_right, uint32_t base) {
    uint32_t a = gen_as(ctx, left, class, scale_left, base);
    uint32_t b = gen_as(ctx, right, class, scale_right, is_constant_operand(a) ? base : base + 1);
    if (is_constant_operand(a) && is_constant_operand(b)) a = to_register(ctx, a, class, base);
    emit(ctx, op, base, a, b, 0, 0);
    return base;
}

static uint32_t gen_arithmetic(expr_context *ctx, const expr_node *node, uint32_t base) {
    const expr_node *a = &ctx->nodes[node->a], *b = &ctx->nodes[node->b];
    const uint32_t at = node->mark == '+' ? 0 : node->mark == '-' ? 1 : node->mark == '*' ? 2 : 3;
    static const uint16_t exact[] = {RIDE_OP_ADD_I64, RIDE_OP_SUB_I64, RIDE_OP_MUL_I64, RIDE_OP_MOD_I64};
    static const uint16_t doubles[] = {RIDE_OP_ADD_F64, RIDE_OP_SUB_F64, RIDE_OP_MUL_F64, RIDE_OP_MOD_F64};
    if (node->type == TYPE_F64) {
        const uint32_t op = node->mark == '/' ? (uint32_t)RIDE_OP_DIV_F64 : doubles[at];
        return gen_binary(ctx, op, node->a, node->b, RIDE_CLASS_F64, 0, 0, base);
    }
    if (node->type == TYPE_U64) return gen_binary(ctx, RIDE_OP_MOD_U64, node->a, node->b, RIDE_CLASS_U64, 0, 0, base);
    if (a->type == TYPE_TIME) return gen_binary(ctx, RIDE_OP_SUB_I64, node->a, node->b, RIDE_CLASS_I64, 0, 0, base);
    const bool product = node->mark == '*';
    return gen_binary(ctx, exact[at], node->a, node->b, RIDE_CLASS_I64, product ? scale_of(a) : node->scale,
                      product ? scale_of(b) : node->scale, base);
}

/* x rel y in one family of comparisons, into out. */
static void emit_compare(expr_context *ctx, uint32_t family, uint32_t mark, uint32_t x, uint32_t y, uint32_t out) {
    switch (mark) {
    case MARK2('=', '='): emit(ctx, family, out, x, y, 0, 0); break;
    case MARK2('!', '='): emit(ctx, family + 1, out, x, y, 0, 0); break;
    case '<': emit(ctx, family + 2, out, x, y, 0, 0); break;
    case MARK2('<', '='): emit(ctx, family + 3, out, x, y, 0, 0); break;
    case '>': emit(ctx, family + 2, out, y, x, 0, 0); break;
    default: emit(ctx, family + 3, out, y, x, 0, 0); break;
    }
}
static void emit_not_if(expr_context *ctx, bool negate, uint32_t out) {
    if (negate) emit(ctx, RIDE_OP_NOT, out, out, 0, 0, 0);
}

/* An integer register (minor units of `scale`) against the written number m / 10^digits, exactly: the number is brought to the
 * register's units; one that lies between two units or outside the type is replaced by a bound with the same answer. */
static void compare_exact(expr_context *ctx, uint32_t x, bool is_u64, int32_t scale, uint32_t mark, __int128 m,
                          int32_t digits, uint32_t out) {
    const uint32_t family = is_u64 ? RIDE_OP_EQ_U64 : RIDE_OP_EQ_I64;
    const __int128 least = is_u64 ? 0 : INT64_MIN, most = is_u64 ? (__int128)UINT64_MAX : INT64_MAX;
    const bool equality = mark == MARK2('=', '=') || mark == MARK2('!', '=');
    bool between = false;
    m = scaled(m, scale - digits);
    for (int32_t k = digits - scale; k > 0; k--) { /* floor, digit by digit */
        between |= m % 10 != 0;
        m = m / 10 - (m % 10 < 0);
    }
    if (between && !equality) mark = mark == '<' || mark == MARK2('<', '=') ? MARK2('<', '=') : '>';
    if ((between && equality) || m < least || m > most) { /* the same answer for every x */
        bool answer = mark == MARK2('!', '=');
        if (!equality) answer = (mark == '<' || mark == MARK2('<', '=')) == (m > most);
        const uint32_t bound = constant(ctx, (uint64_t)least, 1);
        emit_compare(ctx, family, answer ? MARK2('>', '=') : '<', x, bound, out);
        return;
    }
    emit_compare(ctx, family, mark, x, constant(ctx, (uint64_t)m, 1), out);
}

/* A string field or a category against a written string. */
static void compare_text(expr_context *ctx, const expr_node *field, const expr_node *text, bool negate, uint32_t out) {
    const ride_expr_symbol *symbol = &ctx->scope->symbols[field->symbol];
    const char *content = ctx->strings + text->string;
    if (field->type == TYPE_CATEGORY) {
        uint32_t code = 0;
        for (uint32_t i = 0; i < symbol->categories_count; i++) {
            const char *name = symbol->categories[i];
            uint32_t k = 0;
            while (k < text->bytes && name[k] == content[k] && name[k] != '\0') k++;
            if (k == text->bytes && name[k] == '\0') code = i;
        }
        emit(ctx, RIDE_OP_LOAD_I64, out, 0, 0, 0, symbol->index);
        emit(ctx, negate ? RIDE_OP_NE_I64 : RIDE_OP_EQ_I64, out, out, constant(ctx, code, 1), 0, 0);
        return;
    }
    const int32_t column = ctx->scope->hash_column(ctx->scope->context, field->symbol);
    if (column < 0) {
        expr_report(ctx, field->offset, NULL, "the content of `%s` cannot be compared here", symbol->name);
        return;
    }
    const ride_key128 key = ctx->scope->hash_text(ctx->scope->context, content, text->bytes);
    emit(ctx, RIDE_OP_EQ_KEY, out, constant(ctx, key.lo, key.hi), 0, 0, (uint32_t)column);
    emit_not_if(ctx, negate, out);
}

/* The value of `node`, already in x (strings: not loaded), against a written value, into out. */
static void compare_literal(expr_context *ctx, uint32_t x, const expr_node *node, uint32_t mark,
                            const expr_node *literal, uint32_t out) {
    if (literal->kind == NODE_STRING) {
        compare_text(ctx, node, literal, mark == MARK2('!', '='), out);
        return;
    }
    if (node->type == TYPE_BOOL && literal->kind == NODE_BOOL) {
        emit(ctx, RIDE_OP_EQ_BOOL, out, x, constant(ctx, (uint64_t)literal->m, 1), 0, 0);
        emit_not_if(ctx, mark == MARK2('!', '='), out);
        return;
    }
    if (node->type == TYPE_F64 || literal->type == TYPE_F64) {
        x = convert(ctx, x, node, RIDE_CLASS_F64, 0, out);
        const double f = literal->kind == NODE_BOOL ? (double)(int)literal->m : literal->f;
        emit_compare(ctx, RIDE_OP_EQ_F64, mark, x, constant_double(ctx, f), out);
        return;
    }
    if (node->type == TYPE_BOOL) x = convert(ctx, x, node, RIDE_CLASS_I64, 0, out);
    compare_exact(ctx, x, node->type == TYPE_U64, scale_of(node), mark, literal->m,
                  literal->kind == NODE_BOOL ? 0 : scale_of(literal), out);
}

static bool is_text(const expr_node *node) { return node->type == TYPE_STRING || node->type == TYPE_CATEGORY; }
static bool is_literal(const expr_node *node) {
    return node->kind == NODE_NUMBER || node->kind == NODE_BOOL || node->kind == NODE_STRING;
}
/* Any node into a register, in its own class. Text has none. */
static uint32_t gen_plain(expr_context *ctx, uint32_t index, uint32_t base) {
    const expr_node *node = &ctx->nodes[index];
    if (is_text(node)) return 0;
    return gen_register(ctx, index, class_of(node->type), scale_of(node), base);
}

static uint32_t gen_compare(expr_context *ctx, const expr_node *node, uint32_t base) {
    uint32_t left = node->a, right = node->b, mark = node->mark;
    const bool negate = mark == MARK2('!', '=');
    if (is_literal(&ctx->nodes[left]) && !is_literal(&ctx->nodes[right])) { /* 3 < x is x > 3 */
        left = node->b, right = node->a;
        mark = mark == '<'               ? '>'
               : mark == '>'             ? '<'
               : mark == MARK2('<', '=') ? MARK2('>', '=')
               : mark == MARK2('>', '=') ? MARK2('<', '=')
                                         : mark;
    }
    const expr_node *a = &ctx->nodes[left], *b = &ctx->nodes[right];
    if (is_literal(b)) {
        compare_literal(ctx, gen_plain(ctx, left, base), a, mark, b, base);
        return base;
    }
    if (is_text(a)) {
        const int32_t x = ctx->scope->hash_column(ctx->scope->context, a->symbol);
        const int32_t y = ctx->scope->hash_column(ctx->scope->context, b->symbol);
        if (x < 0 || y < 0) expr_report(ctx, node->offset, NULL, "these strings cannot be compared here");
        else emit(ctx, RIDE_OP_EQ_KEYS, base, 0, 0, 0, (uint32_t)x | (uint32_t)y << 16);
        emit_not_if(ctx, negate, base);
        return base;
    }
    if (a->type == TYPE_BOOL && b->type == TYPE_BOOL) {
        gen_binary(ctx, RIDE_OP_EQ_BOOL, left, right, RIDE_CLASS_BOOL, 0, 0, base);
        emit_not_if(ctx, negate, base);
        return base;
    }
    const bool mixed = a->type != b->type && (a->type == TYPE_U64 || b->type == TYPE_U64);
    const int32_t scale = scale_of(a) > scale_of(b) ? scale_of(a) : scale_of(b);
    ride_class class = RIDE_CLASS_I64;
    if (a->type == TYPE_F64 || b->type == TYPE_F64) class = RIDE_CLASS_F64;
    else if (a->type == TYPE_U64 && b->type == TYPE_U64) class = RIDE_CLASS_U64;
    else if (mixed && scale == 0) { /* by value: u < i, u <= i, u == i, and their opposites */
        const bool swapped = a->type != TYPE_U64;
        const uint32_t x = gen_register(ctx, swapped ? right : left, RIDE_CLASS_U64, 0, base);
        const uint32_t y = gen_register(ctx, swapped ? left : right, RIDE_CLASS_I64, 0, base + 1);
        const bool less = mark == '<' || mark == MARK2('<', '='), strict = mark == '<' || mark == '>';
        if (mark == MARK2('=', '=') || negate) {
            emit(ctx, RIDE_OP_EQ_U64_I64, base, x, y, 0, 0);
            emit_not_if(ctx, negate, base);
        } else if (less != swapped) emit(ctx, strict ? RIDE_OP_LT_U64_I64 : RIDE_OP_LE_U64_I64, base, x, y, 0, 0);
        else { /* u > i is not u <= i */ emit(ctx, strict ? RIDE_OP_LE_U64_I64 : RIDE_OP_LT_U64_I64, base, x, y, 0, 0);
            emit_not_if(ctx, true, base);
        }
        return base;
    }
    const uint32_t x = gen_as(ctx, left, class, scale, base), y = gen_as(ctx, right, class, scale, base + 1);
    const uint32_t family = class == RIDE_CLASS_F64   ? RIDE_OP_EQ_F64
                            : class == RIDE_CLASS_U64 ? RIDE_OP_EQ_U64
                                                      : RIDE_OP_EQ_I64;
    emit_compare(ctx, family, mark, x, y, base);
    return base;
}

static uint32_t gen_in(expr_context *ctx, const expr_node *node, uint32_t base) {
    const uint32_t x = gen_plain(ctx, node->a, base); /* once; the answers gather in base + 1 */
    uint32_t out = base + 1;
    for (uint32_t i = node->b; i != NO_NODE; i = ctx->nodes[i].next) {
        compare_literal(ctx, x, &ctx->nodes[node->a], MARK2('=', '='), &ctx->nodes[i], out);
        if (out == base + 2) emit(ctx, RIDE_OP_OR, base + 1, base + 1, base + 2, 0, 0);
        out = base + 2;
    }
    emit(ctx, RIDE_OP_MOVE_BOOL, base, base + 1, 0, 0, 0);
    return base;
}

/* min, max, coalesce: a op b op c …, or if(c, a, b). */
static uint32_t gen_choice(expr_context *ctx, const expr_node *node, uint32_t base) {
    const ride_class class = class_of(node->type);
    const int32_t scale = scale_of(node);
    if (node->function == FUNCTION_IF) {
        const uint32_t second = ctx->nodes[node->a].next, third = ctx->nodes[second].next;
        const uint32_t c = gen_register(ctx, node->a, RIDE_CLASS_BOOL, 0, base);
        uint32_t a = gen_as(ctx, second, class, scale, base + 1);
        const uint32_t b = gen_as(ctx, third, class, scale, is_constant_operand(a) ? base + 1 : base + 2);
        if (is_constant_operand(a) && is_constant_operand(b)) a = to_register(ctx, a, class, base + 1);
        emit(ctx, op_of(RIDE_OP_SELECT_I64, class), base, a, b, c, 0);
        return base;
    }
    uint32_t op = op_of(RIDE_OP_COALESCE_I64, class);
    if (node->function == FUNCTION_MIN)
        op = class == RIDE_CLASS_F64 ? RIDE_OP_MIN_F64 : class == RIDE_CLASS_U64 ? RIDE_OP_MIN_U64 : RIDE_OP_MIN_I64;
    if (node->function == FUNCTION_MAX)
        op = class == RIDE_CLASS_F64 ? RIDE_OP_MAX_F64 : class == RIDE_CLASS_U64 ? RIDE_OP_MAX_U64 : RIDE_OP_MAX_I64;
    gen_register(ctx, node->a, class, scale, base);
    for (uint32_t i = ctx->nodes[node->a].next; i != NO_NODE; i = ctx->nodes[i].next)
        emit(ctx, op, base, base, gen_as(ctx, i, class, scale, base + 1), 0, 0);
    return base;
}

static uint32_t gen_call(expr_context *ctx, const expr_node *node, uint32_t base) {
    const expr_node *x = &ctx->nodes[node->a];
    uint32_t op = 0;
    switch (node->function) {
    case FUNCTION_IF:
    case FUNCTION_COALESCE:
    case FUNCTION_MIN:
    case FUNCTION_MAX: return gen_choice(ctx, node, base);
    case FUNCTION_POW: return gen_binary(ctx, RIDE_OP_POW_F64, node->a, x->next, RIDE_CLASS_F64, 0, 0, base);
    case FUNCTION_SQRT: op = RIDE_OP_SQRT_F64; break;
    case FUNCTION_LOG: op = RIDE_OP_LOG_F64; break;
    case FUNCTION_EXP: op = RIDE_OP_EXP_F64; break;
    case FUNCTION_HOUR: op = RIDE_OP_HOUR; break;
    case FUNCTION_MINUTE: op = RIDE_OP_MINUTE; break;
    case FUNCTION_WEEKDAY: op = RIDE_OP_WEEKDAY; break;
    case FUNCTION_WEEKEND: op = RIDE_OP_WEEKEND; break;
    case FUNCTION_DAY_OF_MONTH: op = RIDE_OP_DAY_OF_MONTH; break;
    case FUNCTION_ABS: op = node->type == TYPE_F64 ? RIDE_OP_ABS_F64 : RIDE_OP_ABS_I64; break;
    case FUNCTION_FLOOR: op = node->type == TYPE_F64 ? RIDE_OP_FLOOR_F64 : RIDE_OP_FLOOR_I64; break;
    case FUNCTION_CEIL: op = node->type == TYPE_F64 ? RIDE_OP_CEIL_F64 : RIDE_OP_CEIL_I64; break;
    default: op = node->type == TYPE_F64 ? RIDE_OP_ROUND_F64 : RIDE_OP_ROUND_I64; break;
    }
    const bool rounds =
        node->function == FUNCTION_FLOOR || node->function == FUNCTION_CEIL || node->function == FUNCTION_ROUND;
    const bool sqrt_log_exp =
        node->function == FUNCTION_SQRT || node->function == FUNCTION_LOG || node->function == FUNCTION_EXP;
    const ride_class class = sqrt_log_exp || node->type == TYPE_F64 ? RIDE_CLASS_F64
                             : node->type == TYPE_U64               ? RIDE_CLASS_U64
                                                                    : RIDE_CLASS_I64;
    const uint32_t operand = gen_register(ctx, node->a, class, scale_of(x), base);
    if (class == RIDE_CLASS_U64 || (rounds && class == RIDE_CLASS_I64 && scale_of(x) == 0))
        return operand; /* as it is */
    emit(ctx, op, base, operand, 0, 0, rounds && class == RIDE_CLASS_I64 ? (uint32_t)scale_of(x) : 0);
    return base;
}

static uint32_t gen_is_null(expr_context *ctx, const expr_node *node, uint32_t base) {
    const expr_node *a = &ctx->nodes[node->a];
    if (a->kind == NODE_SYMBOL && ctx->scope->symbols[a->symbol].kind == RIDE_EXPR_FIELD) {
        emit(ctx, RIDE_OP_IS_NULL_COLUMN, base, 0, 0, 0, ctx->scope->symbols[a->symbol].index);
        return base;
    }
    const uint32_t x = gen_plain(ctx, node->a, base);
    emit(ctx, op_of(RIDE_OP_IS_NULL_I64, class_of(a->type)), base, x, 0, 0, 0);
    return base;
}

/* The node in its own class. */
static uint32_t gen(expr_context *ctx, uint32_t index, uint32_t base) {
    const expr_node *node = &ctx->nodes[index];
    if (base >= RIDE_PROGRAM_REGISTERS_MAX) {
        ctx->code_full = true;
        return 0;
    }
    switch (node->kind) {
    case NODE_SYMBOL: return load_symbol(ctx, node, false, base);
    case NODE_TIME: emit(ctx, RIDE_OP_LOAD_I64, base, 0, 0, 0, ctx->scope->time_column); return base;
    case NODE_NEGATE: {
        const ride_class class = class_of(node->type);
        const uint32_t x = gen_register(ctx, node->a, class, node->scale, base);
        emit(ctx, class == RIDE_CLASS_F64 ? RIDE_OP_NEG_F64 : RIDE_OP_NEG_I64, base, x, 0, 0, 0);
        return base;
    }
    case NODE_NOT:
        emit(ctx, RIDE_OP_NOT, base, gen_register(ctx, node->a, RIDE_CLASS_BOOL, 0, base), 0, 0, 0);
        return base;
    case NODE_ARITHMETIC: return gen_arithmetic(ctx, node, base);
    case NODE_COMPARE: return gen_compare(ctx, node, base);
    case NODE_AND:
    case NODE_OR:
        return gen_binary(ctx, node->kind == NODE_AND ? RIDE_OP_AND : RIDE_OP_OR, node->a, node->b, RIDE_CLASS_BOOL, 0,
                          0, base);
    case NODE_IN: return gen_in(ctx, node, base);
    case NODE_IS_NULL: return gen_is_null(ctx, node, base);
    case NODE_CALL: return gen_call(ctx, node, base);
    default: return gen_as(ctx, index, class_of(node->type), scale_of(node), base); /* constants */
    }
}

bool expr_code(expr_context *ctx, uint32_t root, ride_class *out_class) {
    const expr_node *node = &ctx->nodes[root];
    *out_class = node->type == TYPE_BOOL ? RIDE_CLASS_BOOL : RIDE_CLASS_F64;
    gen_register(ctx, root, *out_class, 0, 0);
    if (ctx->code_full)
        expr_report(ctx, node->offset, "split it into several features", "the expression is too large or too deep");
    return ctx->findings_count == 0;
}
