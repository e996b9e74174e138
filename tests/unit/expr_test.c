/* Expressions: findings with their place, exact comparisons, and random expressions against a slow tree walker that knows
 * nothing of programs, against the row interpreter, and against both loop variants. */
#include "tests/support/expr_bench.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

static double value(ground *g, const char *text, uint32_t row) {
    ride_diagnostics findings;
    ride_expr_result result;
    ride_diagnostics_init(&findings);
    ride_status st = ground_compile(g, text, RIDE_EXPR_WANT_NUMBER, &result, &findings);
    cr_assert_eq(st, RIDE_OK, "%s: %s", text, findings.count ? findings.items[0].message : "check");
    ride_diagnostics_free(&findings);
    double values[RIDE_TILE_ROWS];
    uint8_t bits[32];
    ground_run_tile(g, NULL, values, bits);
    double slow = ground_run_row(g, row);
    cr_assert_eq(ride_bits_of_f64(slow), ride_bits_of_f64(values[row]), "%s", text);
    return slow;
}
static void set_i64(ground *g, uint32_t column, uint32_t row, int64_t x) {
    ((int64_t *)ground_cells(g, column))[row] = x;
    uint8_t *valid = ride_tile_validity(&g->in_layout, g->in_tile, column);
    if (valid != NULL) ride_bit_set(valid, row);
}
static void set_null(ground *g, uint32_t column, uint32_t row) {
    ride_bit_clear(ride_tile_validity(&g->in_layout, g->in_tile, column), row);
}

Test(expr, decimals_compare_in_minor_units) {
    ground *g = ground_create(1);
    g->rows_count = 1;
    static const struct {
        int64_t minor;
        const char *text;
        double wanted;
    } cases[] = {
        {10000, "amount > 100", 0},
        {10001, "amount > 100", 1},
        {10000, "amount >= 100.00", 1},
        {10000, "amount > 99.999", 1},
        {10000, "amount < 100.001", 1},
        {10000, "amount == 100.001", 0},
        {10000, "amount != 100.001", 1},
        {-10000, "amount >= -100.001", 1},
        {-10000, "amount <= -100.001", 0},
        {29, "amount == 0.29", 1},
        {29, "0.29 <= amount", 1},
        {57, "amount in (0.56, 0.57)", 1},
        {INT64_MAX, "amount < 1e17", 1},
        {INT64_MAX, "amount < 1e16", 0},
        {INT64_MIN, "amount > -1e30", 1},
        {INT64_MAX, "amount == 1e25", 0},
        {INT64_MAX, "amount + amount is null", 1},
        {30, "amount == 0.1 + 0.2", 1},
        {30, "amount * 3 == 0.9", 1},
        {1999, "floor(amount) == 19", 1},
        {-1999, "floor(amount) == -20", 1},
        {-1950, "round(amount) == -20", 1},
        {1949, "round(amount)", 19},
        {-1, "ceil(amount)", 0},
        {8565, "amount", 85.65},
        {1003, "amount % 0.25", 0.03},
        {-1003, "amount % 0.25", -0.03},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        set_i64(g, G_AMOUNT, 0, cases[i].minor);
        cr_assert_eq(value(g, cases[i].text, 0), cases[i].wanted, "%s of %lld", cases[i].text,
                     (long long)cases[i].minor);
    }
    ground_destroy(g);
}

Test(expr, u64_and_i64_compare_by_value) {
    ground *g = ground_create(2);
    set_i64(g, G_ID, 0, -1); /* 2^64 - 1 */
    set_i64(g, G_N, 0, -1);
    cr_assert_eq(value(g, "id > n", 0), 1);
    cr_assert_eq(value(g, "id == n", 0), 0);
    cr_assert_eq(value(g, "n < id and n <= id and not n >= id and not id <= n", 0), 1);
    cr_assert_eq(value(g, "id == 18446744073709551615", 0), 1);
    cr_assert_eq(value(g, "id > -1 and id >= 0.5 and id != 3.5", 0), 1);
    cr_assert_eq(value(g, "id % 10", 0), 5);
    ground_destroy(g);
}

Test(expr, null_logic_has_three_values) {
    ground *g = ground_create(3);
    set_null(g, G_N, 0);
    set_i64(g, G_AMOUNT, 0, 100);
    cr_assert(isnan(value(g, "n > 1", 0)));
    cr_assert(isnan(value(g, "not n > 1", 0)));
    cr_assert(isnan(value(g, "n > 1 and amount == 1", 0)));
    cr_assert_eq(value(g, "n > 1 and amount == 2", 0), 0);
    cr_assert_eq(value(g, "n > 1 or amount == 1", 0), 1);
    cr_assert(isnan(value(g, "n > 1 or amount == 2", 0)));
    cr_assert(isnan(value(g, "n not in (1, 2)", 0)));
    cr_assert(isnan(value(g, "if(n > 1, 1, 0)", 0)));
    cr_assert(isnan(value(g, "n + 1", 0)));
    cr_assert(isnan(value(g, "max(n, 1)", 0)));
    cr_assert(isnan(value(g, "amount / 0", 0)));
    cr_assert(isnan(value(g, "amount / (amount - 1)", 0)));
    cr_assert(isnan(value(g, "amount % 0", 0)));
    cr_assert(isnan(value(g, "sqrt(0 - amount)", 0)));
    cr_assert(isnan(value(g, "log(amount - 1)", 0)));
    cr_assert(isnan(value(g, "exp(710)", 0)), "an overflow is null");
    cr_assert_eq(value(g, "coalesce(n, 7)", 0), 7);
    cr_assert_eq(value(g, "n is null", 0), 1);
    cr_assert_eq(value(g, "`odd name-1` is not null", 0), 0);
    double null = value(g, "0 * (amount / 0)", 0);
    cr_assert_eq(ride_bits_of_f64(null), RIDE_NAN_BITS);
    cr_assert_eq(ride_bits_of_f64(value(g, "(amount - 1) * -1.5", 0)), 0, "zero is positive");
    ground_destroy(g);
}

Test(expr, strings_and_categories) {
    ground *g = ground_create(4);
    ((ride_key128 *)ground_cells(g, G_TYPE_HASH))[0] = ride_hash_bytes("atm", 3);
    ride_bit_set(ride_tile_validity(&g->in_layout, g->in_tile, G_TYPE_HASH), 0);
    ride_bit_set(ride_tile_validity(&g->in_layout, g->in_tile, G_TYPE), 0);
    set_i64(g, G_COLOUR, 0, 2);
    cr_assert_eq(value(g, "type == 'atm'", 0), 1);
    cr_assert_eq(value(g, "type != \"atm\"", 0), 0);
    cr_assert_eq(value(g, "type in ('shop', 'atm')", 0), 1);
    cr_assert_eq(value(g, "type not in ('shop', 'it''s')", 0), 1);
    cr_assert_eq(value(g, "type == type", 0), 1);
    cr_assert_eq(value(g, "colour == 'blue' and colour not in ('red', 'green')", 0), 1);
    set_null(g, G_TYPE_HASH, 0);
    set_null(g, G_TYPE, 0);
    cr_assert(isnan(value(g, "type == 'atm'", 0)));
    cr_assert_eq(value(g, "type is null", 0), 1);
    ground_destroy(g);
}

Test(expr, the_calendar_follows_the_zone) {
    ground *g = ground_create(5);
    g->rows_count = 3;
    const int64_t second = 1000000, day = 86400 * second;
    set_i64(g, G_TIME, 0, 0);                            /* Thu 1970-01-01 00:00 */
    set_i64(g, G_TIME, 1, -second);                      /* Wed 1969-12-31 23:59 */
    set_i64(g, G_TIME, 2, INT64_C(1709210096) * second); /* Thu 2024-02-29 12:34:56 */
    cr_assert_eq(value(g, "weekday(ts)", 0), 3);
    cr_assert_eq(value(g, "weekday(ts) * 10000 + hour(ts) * 100 + minute(ts)", 1), 22359);
    cr_assert_eq(value(g, "day_of_month(ts)", 1), 31);
    cr_assert_eq(value(g, "day_of_month(ts) * 10000 + hour(ts) * 100 + minute(ts)", 2), 291234);
    cr_assert_eq(value(g, "weekend(ts)", 2), 0);
    g->zone_count = 2; /* two hours ahead until 1970-01-02, then fourteen */
    g->zone[0] = (ride_plan_zone){INT64_MIN, 7200 * second};
    g->zone[1] = (ride_plan_zone){day, 14 * 3600 * second};
    cr_assert_eq(value(g, "hour(ts)", 0), 2);
    cr_assert_eq(value(g, "hour(ts)", 1), 1);
    cr_assert_eq(value(g, "day_of_month(ts) * 100 + hour(ts)", 2), 102);
    set_i64(g, G_TIME, 2, 2 * day); /* Saturday */
    cr_assert_eq(value(g, "weekend(ts)", 2), 1);
    ground_destroy(g);
}

Test(expr, the_calendar_is_the_same_in_loops_and_rows_at_every_time) {
    static const char *const texts[] = {"hour(ts)", "minute(ts)", "weekday(ts)", "weekend(ts)", "day_of_month(ts)"};
    static const int64_t step[] = {1, 60000000, 3600000000, 86400000000, 604800000000};
    ground *g = ground_create(11);
    g->rows_count = RIDE_TILE_ROWS;
    for (uint32_t round = 0; round < 400; round++) {
        for (uint32_t row = 0; row < RIDE_TILE_ROWS; row++) { /* a step before, at and after borders; and anywhere */
            uint64_t z = ground_random(g);
            int64_t border = ((int64_t)(z >> 8) % 20000 - 10000) * step[z % 5];
            set_i64(g, G_TIME, row, round % 40 == 39 ? (int64_t)z : border + (int64_t)(z >> 40) % 3 - 1);
        }
        g->zone_count = round % 3;
        g->zone[0] = (ride_plan_zone){INT64_MIN, 20700 * INT64_C(1000000)};
        g->zone[1] = (ride_plan_zone){INT64_C(1000000000000000), -3600 * INT64_C(1000000)};
        for (uint32_t i = 0; i < 5; i++)
            for (uint32_t row = 0; row < RIDE_TILE_ROWS; row += 255) (void)value(g, texts[i], row);
        for (uint32_t i = 0; i < 5; i++) {
            double fast[RIDE_TILE_ROWS], plain[RIDE_TILE_ROWS];
            uint8_t bits[32];
            (void)value(g, texts[i], 0);
            ground_run_tile(g, NULL, fast, bits);
            ground_run_tile(g, ride_cpu_program_eval_baseline, plain, bits);
            for (uint32_t row = 0; row < RIDE_TILE_ROWS; row++) {
                double slow = ground_run_row(g, row);
                cr_assert(slow == fast[row] && slow == plain[row], "%s of %ld: %g %g %g", texts[i],
                          ((int64_t *)ground_cells(g, G_TIME))[row], slow, fast[row], plain[row]);
            }
        }
    }
    ground_destroy(g);
}

Test(expr, findings_say_where_and_what_to_write) {
    static const struct {
        const char *text;
        ride_expr_want want;
        uint32_t line, column;
        const char *part; /* of message or advice */
    } cases[] = {
        {"amont > 3", 1, 3, 7, "did you mean `amount`"},
        {"1 < n < 3", 1, 3, 13, "a < b and b < c"},
        {"n = 3", 1, 3, 9, "=="},
        {"n && n", 1, 3, 9, "and"},
        {"n <> 3", 1, 3, 9, "!="},
        {"n ** 2", 2, 3, 9, "pow"},
        {"label", 1, 3, 7, "is the label"},
        {"n", 1, 3, 7, "condition"},
        {"ts", 2, 3, 7, "timestamp"},
        {"type", 2, 3, 7, "string"},
        {"n == null", 1, 3, 9, "is null"},
        {"colour == 'bleu'", 1, 3, 17, "did you mean 'blue'"},
        {"type < 'a'", 1, 3, 12, "=="},
        {"amount == '3'", 1, 3, 14, "quotes"},
        {"n +\n  'a' * 2", 2, 4, 3, "string"},
        {"sqr(2)", 2, 3, 7, "did you mean `sqrt`"},
        {"pow(2)", 2, 3, 7, "2 arguments"},
        {"(n", 2, 3, 9, "`)`"},
        {"n n", 2, 3, 9, "operator"},
        {"", 2, 3, 7, "empty"},
        {"'abc", 2, 3, 7, "never closed"},
        {"7d", 2, 3, 7, "not a number"},
        {"n in ()", 1, 3, 9, "at least one"},
        {"n in (n)", 1, 3, 13, "written values"},
        {"flag < true", 1, 3, 12, "=="},
        {"if(n, 1, 2)", 2, 3, 10, "compare it"},
        {"hour(n)", 2, 3, 12, "timestamp"},
        {"coalesce(null, null)", 2, 3, 7, "every choice"},
        {"1e999", 2, 3, 7, "range"},
        {"n # 3", 2, 3, 9, "no meaning"},
    };
    ground *g = ground_create(6);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ride_diagnostics findings;
        ride_expr_result result;
        ride_diagnostics_init(&findings);
        ride_status st = ground_compile(g, cases[i].text, cases[i].want, &result, &findings);
        cr_assert_eq(st, RIDE_E_SPEC, "%s", cases[i].text);
        cr_assert_eq(findings.count, 1, "%s: %u findings", cases[i].text, findings.count);
        const ride_diagnostic *d = &findings.items[0];
        cr_assert(d->line == cases[i].line && d->column == cases[i].column, "%s: %u:%u %s", cases[i].text, d->line,
                  d->column, d->message);
        cr_assert(strstr(d->message, cases[i].part) != NULL || (d->advice != NULL && strstr(d->advice, cases[i].part)),
                  "%s: %s; %s", cases[i].text, d->message, d->advice ? d->advice : "");
        cr_assert_eq(g->sections.programs_count, 0, "nothing is appended");
        ride_diagnostics_free(&findings);
    }
    ground_destroy(g);
}

Test(expr, depth_and_size_are_bounded) {
    ground *g = ground_create(7);
    char text[RIDE_EXPR_TEXT_BYTES_MAX + 2];
    static const char *const pieces[] = {"(", "-", "not ", "1+", "abs(", "n-(", "n in (1,"};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        for (uint32_t count = 1; count < 4000; count = count * 3 + 1) {
            uint32_t used = 0;
            for (uint32_t k = 0; k < count && used + 10 < sizeof text; k++)
                used += (uint32_t)sprintf(text + used, "%s", pieces[i]);
            ride_diagnostics findings;
            ride_expr_result result;
            ride_diagnostics_init(&findings);
            ride_status st = ground_compile(g, text, RIDE_EXPR_WANT_NUMBER, &result, &findings);
            cr_assert(st == RIDE_OK || findings.count > 0);
            ride_diagnostics_free(&findings);
        }
    ground_destroy(g);
}

/* --- random expressions against a slow walker ------------------------------------------------------------------------ */
typedef enum kind { EXACT, DOUBLE, BOOL } kind;
typedef struct result {
    bool null;
    __int128 m; /* EXACT: units of 10^-scale; BOOL */
    double f;
} result;
typedef struct tree {
    char
        op; /* n literal, v variable, + - * / % < l(<=) e(==) & | ! ? m(min) M(max) c(coalesce) i(is null) f(floor) q(sqrt) */
    kind kind;
    int scale, variable;
    __int128 m;
    struct tree *a, *b, *c;
} tree;
typedef struct builder {
    ground *g;
    tree nodes[400];
    uint32_t count;
} builder;

static tree *node(builder *b, char op, kind k, int scale, tree *x, tree *y, tree *z) {
    b->nodes[b->count] = (tree){.op = op, .kind = k, .scale = scale, .a = x, .b = y, .c = z};
    return &b->nodes[b->count++];
}
static uint32_t pick(builder *b, uint32_t n) { return (uint32_t)(ground_random(b->g) % n); }
static tree *any(builder *b, uint32_t depth, bool condition);

static tree *leaf(builder *b, bool condition) {
    tree *t;
    if (condition) {
        t = node(b, 'v', BOOL, 0, NULL, NULL, NULL);
        t->variable = pick(b, 2) ? G_FLAG : 100 + G_NIGHT;
        return t;
    }
    if (pick(b, 3) == 0) {
        t = node(b, 'n', EXACT, (int)pick(b, 4), NULL, NULL, NULL);
        t->m = pick(b, 5000);
        while (t->scale > 0 && t->m % 10 == 0) t->m /= 10, t->scale--;
        return t;
    }
    static const int variables[] = {G_N, G_AMOUNT, G_FINE, G_LAT, 100 + G_MEAN};
    static const int scales[] = {0, 2, 5, 0, 0};
    uint32_t i = pick(b, 5);
    t = node(b, 'v', i < 3 ? EXACT : DOUBLE, scales[i], NULL, NULL, NULL);
    t->variable = variables[i];
    return t;
}
static bool has_variable(const tree *t) {
    return t != NULL && (t->op == 'v' || has_variable(t->a) || has_variable(t->b) || has_variable(t->c));
}
static tree *number(builder *b, uint32_t depth) { return any(b, depth, false); }
static tree *any(builder *b, uint32_t depth, bool condition) {
    if (depth == 0) return leaf(b, condition);
    tree *x, *y;
    if (condition) switch (pick(b, 7)) {
        case 0: return node(b, '&', BOOL, 0, any(b, depth - 1, true), any(b, depth - 1, true), NULL);
        case 1: return node(b, '|', BOOL, 0, any(b, depth - 1, true), any(b, depth - 1, true), NULL);
        case 2: return node(b, '!', BOOL, 0, any(b, depth - 1, true), NULL, NULL);
        case 3:
            x = any(b, depth - 1, false);
            return !has_variable(x) ? leaf(b, true) : node(b, 'i', BOOL, 0, x, NULL, NULL);
        default:
            x = number(b, depth - 1), y = number(b, depth - 1);
            return node(b, "<leN"[pick(b, 4)], BOOL, 0, x, y, NULL);
        }
    switch (pick(b, 8)) {
    case 0: x = number(b, depth - 1), y = number(b, depth - 1); return node(b, '/', DOUBLE, 0, x, y, NULL);
    case 1: return node(b, 'q', DOUBLE, 0, number(b, depth - 1), NULL, NULL);
    case 2: x = number(b, depth - 1); return node(b, 'f', x->kind == BOOL ? EXACT : x->kind, 0, x, NULL, NULL);
    default: break;
    }
    char op = "+-*mMc?+-"[pick(b, 9)];
    tree *c = op == '?' ? any(b, depth - 1, true) : NULL;
    x = number(b, depth - 1), y = number(b, depth - 1);
    bool doubles = x->kind == DOUBLE || y->kind == DOUBLE;
    int scale = x->scale > y->scale ? x->scale : y->scale;
    if (op == '*') scale = x->scale + y->scale;
    if (scale > 18) doubles = true;
    return node(b, op, doubles ? DOUBLE : EXACT, doubles ? 0 : scale, x, y, c);
}

static void print(const tree *t, char *out) {
    char a[4096] = "", b[4096] = "", c[4096] = "";
    if (t->a) print(t->a, a);
    if (t->b) print(t->b, b);
    if (t->c) print(t->c, c);
    static const char *const names[] = {
        [G_N] = "n", [G_AMOUNT] = "amount", [G_FINE] = "fine", [G_LAT] = "lat", [G_FLAG] = "flag"};
    switch (t->op) {
    case 'n': {
        char digits[32];
        snprintf(digits, sizeof digits, "%0*lld", t->scale + 1, (long long)t->m);
        size_t whole = strlen(digits) - (size_t)t->scale;
        sprintf(out, "%.*s%s%s", (int)whole, digits, t->scale ? "." : "", digits + whole);
        break;
    }
    case 'v':
        strcpy(out, t->variable >= 100 ? (t->variable == 100 + G_MEAN ? "mean" : "night") : names[t->variable]);
        break;
    case 'm': snprintf(out, 4096, "min(%.1900s, %.1900s)", a, b); break;
    case 'M': snprintf(out, 4096, "max(%.1900s, %.1900s)", a, b); break;
    case 'c': snprintf(out, 4096, "coalesce(%.1900s, %.1900s)", a, b); break;
    case '?': snprintf(out, 4096, "if(%.1300s, %.1300s, %.1300s)", c, a, b); break;
    case 'f': snprintf(out, 4096, "floor(%.4000s)", a); break;
    case 'q': snprintf(out, 4096, "sqrt(%.4000s)", a); break;
    case '!': snprintf(out, 4096, "(not %.4000s)", a); break;
    case 'i': snprintf(out, 4096, "((%.4000s) is null)", a); break;
    default: {
        const char *sign = t->op == 'l'   ? "<="
                           : t->op == 'e' ? "=="
                           : t->op == 'N' ? "!="
                           : t->op == '&' ? "and"
                           : t->op == '|' ? "or"
                                          : "";
        snprintf(out, 4096, "(%.1900s %s%s %.1900s)", a, sign, *sign ? "" : (char[]){t->op, 0}, b);
    }
    }
}

static const result nothing = {.null = true};
static result fit(__int128 m) { return m > INT64_MAX || m < INT64_MIN ? nothing : (result){.m = m}; }
static result settle(double f) { return isfinite(f) ? (result){.f = f} : nothing; }
static __int128 tens(int n) {
    __int128 p = 1;
    while (n-- > 0) p *= 10;
    return p;
}
static result as(const tree *t, result v, kind k, int scale) {
    if (v.null) return nothing;
    if (k == DOUBLE && t->kind != DOUBLE) return settle((double)(int64_t)v.m / (double)(int64_t)tens(t->scale));
    if (k == EXACT) return fit(v.m * tens(scale - t->scale));
    return v;
}
static result walk(ground *g, const tree *t, uint32_t row);
static result walk_variable(ground *g, int variable, uint32_t row) {
    if (variable >= 100) {
        double f = ((double *)(g->out_tile + g->out_layout.columns[variable - 100].values_offset))[row];
        return isnan(f) ? nothing : (result){.f = f, .m = f != 0};
    }
    if (!ride_valid(ride_tile_validity_const(&g->in_layout, g->in_tile, (uint32_t)variable), row)) return nothing;
    if (variable == G_LAT) return (result){.f = ((double *)ground_cells(g, G_LAT))[row]};
    if (variable == G_FLAG) return (result){.m = ((uint8_t *)ground_cells(g, G_FLAG))[row] != 0};
    return (result){.m = ((int64_t *)ground_cells(g, (uint32_t)variable))[row]};
}
/* Written numbers, and sums and products of them, are one exact constant. */
static bool is_constant(const tree *t) {
    return t->op == 'n' || (strchr("+-*", t->op) != NULL && t->kind == EXACT && is_constant(t->a) && is_constant(t->b));
}
static result walk_compare(ground *g, const tree *t, uint32_t row) {
    result a = walk(g, t->a, row), b = walk(g, t->b, row);
    int order;
    if (t->a->kind == DOUBLE || t->b->kind == DOUBLE) {
        a = as(t->a, a, DOUBLE, 0), b = as(t->b, b, DOUBLE, 0);
        if (a.null || b.null) return nothing;
        order = a.f < b.f ? -1 : a.f > b.f;
    } else {
        int scale = t->a->scale > t->b->scale ? t->a->scale : t->b->scale;
        if (a.null || b.null) return nothing;
        __int128 x = a.m * tens(scale - t->a->scale), y = b.m * tens(scale - t->b->scale);
        bool written = is_constant(t->a) || is_constant(t->b); /* then always exact; else both must fit once aligned */
        if (!written && (fit(x).null || fit(y).null)) return nothing;
        order = x < y ? -1 : x > y;
    }
    return (result){.m = t->op == '<' ? order < 0 : t->op == 'l' ? order <= 0 : t->op == 'e' ? order == 0 : order != 0};
}
static result walk(ground *g, const tree *t, uint32_t row) {
    result a, b, c;
    switch (t->op) {
    case 'n': return (result){.m = t->m};
    case 'v': return walk_variable(g, t->variable, row);
    case '<':
    case 'l':
    case 'e':
    case 'N': return walk_compare(g, t, row);
    case '&':
    case '|': {
        a = walk(g, t->a, row), b = walk(g, t->b, row);
        bool decides = t->op == '|'; /* the value that decides alone */
        if ((!a.null && a.m == decides) || (!b.null && b.m == decides)) return (result){.m = decides};
        return a.null || b.null ? nothing : (result){.m = !decides};
    }
    case '!': a = walk(g, t->a, row); return a.null ? nothing : (result){.m = !a.m};
    case 'i': return (result){.m = walk(g, t->a, row).null};
    case 'q': a = as(t->a, walk(g, t->a, row), DOUBLE, 0); return a.null ? nothing : settle(sqrt(a.f));
    case 'f': {
        a = walk(g, t->a, row);
        if (a.null) return nothing;
        if (t->kind == DOUBLE) return settle(floor(a.f));
        __int128 p = tens(t->a->scale), q = a.m / p;
        return fit(q - (a.m % p < 0));
    }
    case '/': {
        a = as(t->a, walk(g, t->a, row), DOUBLE, 0), b = as(t->b, walk(g, t->b, row), DOUBLE, 0);
        return a.null || b.null ? nothing : settle(a.f / b.f);
    }
    case '*':
        if (t->kind == EXACT) {
            a = walk(g, t->a, row), b = walk(g, t->b, row);
            return a.null || b.null ? nothing : fit(a.m * b.m);
        }
    }
    a = as(t->a, walk(g, t->a, row), t->kind, t->scale), b = as(t->b, walk(g, t->b, row), t->kind, t->scale);
    if (t->op == 'c') return a.null ? b : a;
    if (t->op == '?') {
        c = walk(g, t->c, row);
        return c.null ? nothing : c.m ? a : b;
    }
    if (a.null || b.null) return nothing;
    if (t->kind == DOUBLE) switch (t->op) {
        case '+': return settle(a.f + b.f);
        case '-': return settle(a.f - b.f);
        case '*': return settle(a.f * b.f);
        case 'm': return a.f < b.f ? a : b;
        default: return a.f > b.f ? a : b;
        }
    switch (t->op) {
    case '+': return fit(a.m + b.m);
    case '-': return fit(a.m - b.m);
    case 'm': return a.m < b.m ? a : b;
    default: return a.m > b.m ? a : b;
    }
}

Test(expr, random_expressions_equal_a_slow_walker_in_every_engine, .timeout = 300) {
    ground *g = ground_create(8);
    builder *b = malloc(sizeof *b);
    b->g = g;
    uint64_t compared = 0, nulls = 0;
    for (uint32_t round = 0; round < 6000; round++) {
        if (round % 50 == 0) ground_fill(g);
        b->count = 0;
        tree *t = any(b, 1 + pick(b, 4), pick(b, 2));
        char text[4096];
        print(t, text);
        ride_diagnostics findings;
        ride_expr_result out;
        ride_diagnostics_init(&findings);
        ride_status st = ground_compile(g, text, RIDE_EXPR_WANT_NUMBER, &out, &findings);
        cr_assert_eq(st, RIDE_OK, "%s: %s", text, findings.count ? findings.items[0].message : "the check refuses it");
        ride_diagnostics_free(&findings);
        double fast[RIDE_TILE_ROWS], plain[RIDE_TILE_ROWS];
        uint8_t bits[32] = {0}, bits_plain[32] = {0};
        ground_run_tile(g, NULL, fast, bits);
        ground_run_tile(g, ride_cpu_program_eval_baseline, plain, bits_plain);
        cr_assert_arr_eq(bits, bits_plain, 32);
        for (uint32_t row = 0; row < g->rows_count; row++) {
            result slow = as(t, walk(g, t, row), DOUBLE, 0);
            double wanted = slow.null ? ride_f64_null() : slow.f + 0.0;
            double values[] = {ground_run_row(g, row), fast[row], plain[row]};
            for (int k = 0; k < 3; k++)
                cr_assert_eq(ride_bits_of_f64(values[k]), ride_bits_of_f64(wanted),
                             "%s row %u engine %d: %.17g, not %.17g", text, row, k, values[k], wanted);
            if (t->kind == BOOL) cr_assert_eq(ride_bit_get(bits, row), wanted == 1.0, "%s row %u", text, row);
            compared++, nulls += slow.null;
        }
        if (t->kind == BOOL)
            for (uint32_t row = g->rows_count; row < RIDE_TILE_ROWS; row++) cr_assert_eq(ride_bit_get(bits, row), 0);
    }
    cr_assert(compared > 500000 && nulls > compared / 50 && nulls < compared * 9 / 10, "%lu of %lu null", nulls,
              compared);
    free(b);
    ground_destroy(g);
}

Test(expr, hostile_programs_are_refused) {
    ground *g = ground_create(9);
    ride_expr_result out;
    ride_diagnostics findings;
    ride_diagnostics_init(&findings);
    cr_assert_eq(ground_compile(g, "if(type == 'a' and hour(ts) < 6, amount * 1.5, mean)", RIDE_EXPR_WANT_NUMBER, &out,
                                &findings),
                 RIDE_OK);
    const ride_program_bounds bounds = {.columns = g->columns,
                                        .columns_count = G_COLUMNS,
                                        .features_count = G_FEATURES,
                                        .code = g->sections.code,
                                        .code_count = g->sections.code_count,
                                        .constants = g->sections.constants,
                                        .constants_count = g->sections.constants_count};
    uint32_t refused = 0;
    for (uint32_t round = 0; round < 20000; round++) { /* one byte flipped: refused, or it runs without harm */
        ride_program program = g->sections.programs[0];
        size_t bytes = g->sections.code_count * sizeof(ride_instruction),
               at = ground_random(g) % (bytes + sizeof program);
        uint8_t *byte =
            at < bytes ? (uint8_t *)g->sections.code + at : (uint8_t *)&g->sections.programs[0] + (at - bytes);
        uint8_t old = *byte;
        *byte ^= (uint8_t)(1u << ground_random(g) % 8);
        if (ride_program_check(&g->sections.programs[0], &bounds, NULL) != RIDE_OK) refused++;
        else {
            double values[RIDE_TILE_ROWS];
            uint8_t bits[32];
            ground_run_tile(g, NULL, values, bits);
            for (uint32_t row = 0; row < g->rows_count; row++) (void)ground_run_row(g, row);
        }
        *byte = old;
    }
    cr_assert(refused > 5000, "%u", refused);
    ride_diagnostics_free(&findings);
    ground_destroy(g);
}
