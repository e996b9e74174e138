/* features/expr_lex.c: text → tokens, and what a number means. Every message says what to write instead: the signs of
 * other languages (=, &&, <>, **) are the usual mistakes. */
#include "features/expr_internal.h"

#include "base/number.h"

#include <string.h>

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_name_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}
static bool is_name_part(char c) { return is_name_start(c) || is_digit(c) || c == '.'; }

static char at(const expr_context *ctx, uint32_t position) {
    return position < ctx->text_bytes ? ctx->text[position] : '\0';
}

static void finish(expr_context *ctx, expr_token_kind kind, uint32_t first, uint32_t end) {
    ctx->token.kind = kind;
    ctx->token.offset = first;
    ctx->token.bytes = end - first;
    ctx->position = end;
}

static void refuse(expr_context *ctx, uint32_t offset, const char *advice, const char *what) {
    expr_report(ctx, offset, advice, "%s", what);
    finish(ctx, TOKEN_ERROR, offset, ctx->text_bytes);
}

/* A quoted text; a doubled quote stands for one. */
static void lex_quoted(expr_context *ctx, char quote, expr_token_kind kind) {
    uint32_t first = ctx->position, p = first + 1;
    for (;; p++) {
        if (p >= ctx->text_bytes) {
            refuse(ctx, first, NULL, "this quote is never closed");
            return;
        }
        if (ctx->text[p] != quote) continue;
        if (at(ctx, p + 1) != quote) break;
        p++;
    }
    finish(ctx, kind, first, p + 1);
}

static void lex_number(expr_context *ctx) {
    uint32_t first = ctx->position, p = first;
    while (is_digit(at(ctx, p)) || at(ctx, p) == '_') p++;
    if (at(ctx, p) == '.')
        for (p++; is_digit(at(ctx, p)) || at(ctx, p) == '_';) p++;
    if (at(ctx, p) == 'e' || at(ctx, p) == 'E') {
        p++;
        if (at(ctx, p) == '+' || at(ctx, p) == '-') p++;
        if (!is_digit(at(ctx, p))) {
            refuse(ctx, first, NULL, "a number ends in the middle of its exponent");
            return;
        }
        while (is_digit(at(ctx, p))) p++;
    }
    if (is_name_part(at(ctx, p))) refuse(ctx, first, "write plain numbers, as 12 or 0.5", "this is not a number");
    else finish(ctx, TOKEN_NUMBER, first, p);
}

static void lex_mark(expr_context *ctx) {
    uint32_t first = ctx->position;
    char c = at(ctx, first), d = at(ctx, first + 1);
    ctx->token.mark = (unsigned char)c;
    if ((c == '=' || c == '!' || c == '<' || c == '>') && d == '=') {
        ctx->token.mark = MARK2(c, d);
        finish(ctx, TOKEN_MARK, first, first + 2);
    } else if (c == '<' && d == '>') refuse(ctx, first, "write !=", "`<>` is not an operator here");
    else if (c == '=') refuse(ctx, first, "write == to compare", "`=` is not an operator here");
    else if (c == '&') refuse(ctx, first, "write `and`", "`&` is not an operator here");
    else if (c == '|') refuse(ctx, first, "write `or`", "`|` is not an operator here");
    else if (c == '!') refuse(ctx, first, "write `not`", "`!` is not an operator here");
    else if (c == '^' || (c == '*' && d == '*')) refuse(ctx, first, "write pow(x, y)", "there is no power operator");
    else if (c == '?') refuse(ctx, first, "write if(condition, a, b)", "`?` is not an operator here");
    else if (c != '\0' && strchr("+-*/%<>(),", c) != NULL) finish(ctx, TOKEN_MARK, first, first + 1);
    else if (c > ' ' && c < 127) {
        expr_report(ctx, first, "quote odd names with backticks", "`%c` has no meaning here", c);
        finish(ctx, TOKEN_ERROR, first, ctx->text_bytes);
    } else refuse(ctx, first, NULL, "an unprintable character");
}

void expr_lex(expr_context *ctx) {
    if (ctx->token.kind == TOKEN_ERROR) return; /* nothing follows an error */
    while (ctx->position < ctx->text_bytes && strchr(" \t\r\n", ctx->text[ctx->position]) != NULL &&
           ctx->text[ctx->position] != '\0')
        ctx->position++;
    uint32_t p = ctx->position;
    char c = at(ctx, p);
    if (p >= ctx->text_bytes) finish(ctx, TOKEN_END, p, p);
    else if (c == '\'' || c == '"') lex_quoted(ctx, c, TOKEN_STRING);
    else if (c == '`') lex_quoted(ctx, c, TOKEN_QUOTED);
    else if (is_digit(c) || (c == '.' && is_digit(at(ctx, p + 1)))) lex_number(ctx);
    else if (is_name_start(c)) {
        uint32_t end = p + 1;
        while (is_name_part(at(ctx, end))) end++;
        while (at(ctx, end - 1) == '.') end--; /* a dot belongs to a name only inside it */
        finish(ctx, TOKEN_NAME, p, end);
    } else lex_mark(ctx);
}

/* A decimal literal stays exact: m * 10^-scale with m in 64 bits and scale 0 … 18. What does not fit is a double. */
bool expr_lex_number(expr_context *ctx, const expr_token *token, expr_node *out) {
    char digits[128];
    uint32_t bytes = 0, i;
    for (i = 0; i < token->bytes; i++) {
        char c = ctx->text[token->offset + i];
        if (c == '_') continue;
        if (bytes + 2 >= sizeof digits) {
            expr_report(ctx, token->offset, NULL, "a number of more than 120 characters");
            return false;
        }
        if (c == '.' && (bytes == 0 || !is_digit(digits[bytes - 1]))) digits[bytes++] = '0'; /* .5 */
        digits[bytes++] = c;
    }
    /* Digits, point, exponent. Zeros at the end of the fraction carry nothing. */
    __int128 m = 0;
    int32_t scale = 0, exponent = 0, zeros = 0;
    bool fraction = false, exact = true;
    for (i = 0; i < bytes && digits[i] != 'e' && digits[i] != 'E'; i++) {
        if (digits[i] == '.') {
            fraction = true;
            continue;
        }
        if (fraction && digits[i] == '0') {
            zeros++;
            continue;
        }
        for (int32_t k = 0; exact && k < zeros + 1; k++) {
            m *= 10;
            exact = m < ((__int128)1 << 100);
        }
        scale += fraction ? zeros + 1 : 0;
        zeros = 0;
        m += digits[i] - '0';
    }
    if (i < bytes) {
        bool down = i + 1 < bytes && digits[i + 1] == '-';
        for (uint32_t k = i + 1; k < bytes; k++)
            if (is_digit(digits[k]) && exponent < 10000) exponent = exponent * 10 + (digits[k] - '0');
        scale += down ? exponent : -exponent;
    }
    for (; exact && scale < 0 && m != 0; scale++) {
        m *= 10;
        exact = m < ((__int128)1 << 100);
    }
    if (m == 0 && exact) scale = 0;
    for (; exact && scale > 0 && m % 10 == 0 && m != 0; scale--) m /= 10;
    size_t text_bytes = bytes > 0 && digits[bytes - 1] == '.' ? bytes - 1 : bytes;
    bool has_double = ride_text_to_double(digits, text_bytes, &out->f);
    if (m == 0 && exact) out->f = 0.0, has_double = true;
    if (!has_double) {
        expr_report(ctx, token->offset, NULL, "a number outside the range of double");
        return false;
    }
    out->scale = 0;
    out->m = 0;
    if (exact && scale <= RIDE_SCALE_MAX && m <= INT64_MAX) {
        out->type = TYPE_EXACT;
        out->m = m;
        out->scale = scale;
    } else if (exact && scale == 0 && m <= (__int128)UINT64_MAX) {
        out->type = TYPE_U64;
        out->m = m;
    } else out->type = TYPE_F64;
    return true;
}
