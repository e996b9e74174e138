/* features/expr.c: the entry of the expression compiler, its growing sections, and listings of programs. */
#include "features/expr_internal.h"

#include "base/number.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void expr_report(expr_context *ctx, uint32_t offset, const char *advice, const char *format, ...) {
    char message[512];
    uint32_t line = ctx->place->line, column = ctx->place->column;
    for (uint32_t i = 0; i < offset && i < ctx->text_bytes; i++) {
        column++;
        if (ctx->text[i] == '\n') line++, column = 1;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    ctx->findings_count++;
    ride_diagnose(ctx->findings, ctx->place->status, ctx->place->file, line, column, advice, "%s", message);
}

/* Room for `more` items; false when memory is out. */
static bool reserve(void **items, uint32_t *count_max, uint32_t count, uint32_t more, size_t item_bytes) {
    uint64_t wanted = (uint64_t)count + more, room = *count_max;
    if (wanted <= room) return true;
    if (wanted > UINT32_MAX / 2) return false;
    while (room < wanted) room = room == 0 ? 64 : room * 2;
    void *grown = realloc(*items, room * item_bytes);
    if (grown == NULL) return false;
    *items = grown;
    *count_max = (uint32_t)room;
    return true;
}

static bool append(const expr_context *ctx, ride_class class, ride_expr_sections *to) {
    if (!reserve((void **)&to->programs, &to->programs_count_max, to->programs_count, 1, sizeof *to->programs) ||
        !reserve((void **)&to->code, &to->code_count_max, to->code_count, ctx->code_count, sizeof *to->code) ||
        !reserve((void **)&to->constants, &to->constants_count_max, to->constants_count, ctx->constants_count,
                 sizeof *to->constants))
        return false;
    to->programs[to->programs_count++] = (ride_program){
        .code_first = to->code_count,
        .code_count = ctx->code_count,
        .constants_first = to->constants_count,
        .constants_count = ctx->constants_count,
        .registers_count = ctx->registers_count,
        .result_register = 0,
        .result_class = class,
        .reads = ctx->reads,
    };
    memcpy(to->code + to->code_count, ctx->code, ctx->code_count * sizeof *to->code);
    to->code_count += ctx->code_count;
    if (ctx->constants_count > 0)
        memcpy(to->constants + to->constants_count, ctx->constants, ctx->constants_count * sizeof *to->constants);
    to->constants_count += ctx->constants_count;
    return true;
}

void ride_expr_sections_free(ride_expr_sections *sections) {
    free(sections->programs);
    free(sections->code);
    free(sections->constants);
    *sections = (ride_expr_sections){0};
}

/* Does the kind of value fit what is wanted? */
static void check_wanted(expr_context *ctx, uint32_t root) {
    const expr_node *node = &ctx->nodes[root];
    const char *advice = NULL, *is = NULL;
    if (node->type == TYPE_NULL) is = "null";
    else if (node->type == TYPE_TIME) is = "a timestamp", advice = "take hour(ts), or subtract another timestamp";
    else if (node->type == TYPE_STRING || node->type == TYPE_CATEGORY)
        is = "a string", advice = "compare it, as in x == 'a'";
    else if (ctx->want == RIDE_EXPR_WANT_BOOL && node->type != TYPE_BOOL && node->type != TYPE_ERROR)
        is = "a number", advice = "compare it, as in `x > 0`";
    if (is != NULL)
        expr_report(ctx, node->offset, advice, "the expression must give %s, but it is %s",
                    ctx->want == RIDE_EXPR_WANT_BOOL ? "a condition" : "a number", is);
}

ride_status ride_expr_compile(const char *text, size_t text_bytes, ride_expr_want want, const ride_expr_place *place,
                              const ride_expr_scope *scope, ride_expr_sections *sections, ride_expr_result *out,
                              ride_diagnostics *findings) {
    if (text_bytes > RIDE_EXPR_TEXT_BYTES_MAX)
        return ride_diagnose(findings, place->status, place->file, place->line, place->column,
                             "split it into several features", "the expression is longer than %d bytes",
                             RIDE_EXPR_TEXT_BYTES_MAX);
    expr_context *ctx = calloc(1, sizeof *ctx);
    if (ctx == NULL)
        return ride_diagnose(findings, RIDE_E_MEMORY, place->file, place->line, place->column, NULL, "out of memory");
    ctx->text = text;
    ctx->text_bytes = (uint32_t)text_bytes;
    ctx->want = want;
    ctx->place = place;
    ctx->scope = scope;
    ctx->findings = findings;

    ride_status st = place->status;
    ride_class class = RIDE_CLASS_NONE;
    uint32_t root = expr_parse(ctx);
    if (root != NO_NODE) expr_type_node(ctx, root);
    if (root != NO_NODE && ctx->findings_count == 0) check_wanted(ctx, root);
    if (root != NO_NODE && ctx->findings_count == 0 && expr_code(ctx, root, &class)) {
        st = RIDE_OK;
        if (append(ctx, class, sections)) {
            out->program = sections->programs_count - 1;
            out->is_bool = class == RIDE_CLASS_BOOL;
            out->reads = ctx->reads;
        } else
            st = ride_diagnose(findings, RIDE_E_MEMORY, place->file, place->line, place->column, NULL, "out of memory");
    }
    free(ctx);
    return st;
}

static void put(char *text, size_t text_bytes_max, size_t *used, const char *format, ...) RIDE_PRINTF(4, 5);
static void put(char *text, size_t text_bytes_max, size_t *used, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const size_t room = *used < text_bytes_max ? text_bytes_max - *used : 0;
    int n = vsnprintf(room > 0 ? text + *used : NULL, room, format, args);
    va_end(args);
    if (n > 0) *used += (size_t)n;
}

static void put_operand(char *text, size_t text_bytes_max, size_t *used, uint32_t operand, uint32_t class,
                        const ride_constant *constants) {
    if (class == RIDE_CLASS_NONE) return;
    if ((operand & RIDE_OPERAND_CONSTANT) == 0) {
        put(text, text_bytes_max, used, " r%u", operand);
        return;
    }
    const uint64_t *bits = constants[operand & ~(uint32_t)RIDE_OPERAND_CONSTANT].bits;
    double x;
    memcpy(&x, bits, sizeof x);
    if (class == RIDE_CLASS_KEY)
        put(text, text_bytes_max, used, " key:%016llx%016llx", (unsigned long long)bits[1],
            (unsigned long long)bits[0]);
    else if (class == RIDE_CLASS_F64 ? x != x : bits[1] == 0) put(text, text_bytes_max, used, " null");
    else if (class == RIDE_CLASS_F64) {
        char number[RIDE_NUMBER_BYTES + 1];
        number[ride_double_to_text(x, number)] = '\0';
        put(text, text_bytes_max, used, " %s", number);
    } else if (class == RIDE_CLASS_I64) put(text, text_bytes_max, used, " %lld", (long long)bits[0]);
    else put(text, text_bytes_max, used, " %llu", (unsigned long long)bits[0]);
}

size_t ride_expr_disassemble(const ride_program *program, const ride_instruction *code, const ride_constant *constants,
                             char *text, size_t text_bytes_max) {
    size_t used = 0;
    for (uint32_t i = 0; i < program->code_count; i++) {
        const ride_instruction *step = &code[program->code_first + i];
        const ride_op_info *info = ride_op_info_get(step->op);
        const ride_constant *own = constants + program->constants_first;
        put(text, text_bytes_max, &used, "r%u = %s", step->out, info->name);
        put_operand(text, text_bytes_max, &used, step->a, info->a, own);
        put_operand(text, text_bytes_max, &used, step->b, info->b, own);
        put_operand(text, text_bytes_max, &used, step->c, info->c, own);
        if (info->index == RIDE_INDEX_SCALE) put(text, text_bytes_max, &used, " 10^%u", step->index);
        else if (info->index != RIDE_INDEX_NONE) put(text, text_bytes_max, &used, " [%u]", step->index);
        put(text, text_bytes_max, &used, "\n");
    }
    return used;
}
