/* Numbers as text: read back bit for bit, and never longer than what the C library needs. */
#include "base/number.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char text[RIDE_NUMBER_BYTES + 1];
static const char *of_double(double v) { return text[ride_double_to_text(v, text)] = '\0', text; }
static const char *of_decimal(int64_t v, uint32_t scale) {
    return text[ride_decimal_to_text(v, scale, text)] = '\0', text;
}

static uint64_t random_state = 7;
static uint64_t random_next(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}
static double of_bits(uint64_t bits) {
    double v;
    memcpy(&v, &bits, 8);
    return v;
}
static uint64_t bits_of(double v) {
    uint64_t bits;
    memcpy(&bits, &v, 8);
    return bits;
}

Test(number, doubles_as_people_write_them) {
    const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {-1, "-1"},
        {42, "42"},
        {100, "100"},
        {1000000, "1000000"},
        {9007199254740991, "9007199254740991"},
        {-9007199254740991, "-9007199254740991"},
        {0.1, "0.1"},
        {-0.1, "-0.1"},
        {85.65, "85.65"},
        {85.64999999999999, "85.64999999999999"},
        {0.5, "0.5"},
        {0.01, "0.01"},
        {-0.01, "-0.01"},
        {0.05, "0.05"},
        {99.99, "99.99"},
        {1234567.89, "1234567.89"},
        {0.30000000000000004, "0.30000000000000004"},
        {1.0 / 3, "0.3333333333333333"},
        {5e-324, "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {1e22, "1e+22"},
        {1e-7, "1e-07"},
        {123456.789, "123456.789"},
        {0.001, "0.001"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_assert_str_eq(of_double(cases[i].value), cases[i].text);
}

/* Digits that count, of a number's text. */
static int digits_of(const char *number) {
    char digits[64];
    int n = 0;
    for (; *number != '\0' && *number != 'e'; number++)
        if (*number >= '0' && *number <= '9' && (n > 0 || *number != '0')) digits[n++] = *number;
    while (n > 0 && digits[n - 1] == '0') n--;
    return n;
}

static void check_shortest(double v) {
    double back;
    size_t bytes = ride_double_to_text(v, text);
    text[bytes] = '\0';
    cr_assert_leq(bytes, RIDE_NUMBER_BYTES);
    cr_assert_eq(bits_of(strtod(text, NULL)), bits_of(v), "%.17g became %s", v, text); /* another's reader */
    cr_assert(ride_text_to_double(text, bytes, &back) && bits_of(back) == bits_of(v));
    if (fabs(v) < 9007199254740992.0 && v == floor(v)) return; /* integers are written out */
    int told = digits_of(text);
    for (int precision = told - 1; precision > 0 && precision >= told - 2; precision--) { /* no fewer digits do */
        char shorter[400];
        snprintf(shorter, sizeof shorter, "%.*g", precision, v);
        if (strlen(shorter) < bytes)
            cr_assert_neq(bits_of(strtod(shorter, NULL)), bits_of(v), "%s is longer than %s", text, shorter);
    }
}

Test(number, doubles_are_shortest_and_read_back) {
    for (int i = 0; i < 200000; i++) {
        double v = of_bits(random_next());
        if (isfinite(v)) check_shortest(v);
        int64_t cents = (int64_t)(random_next() >> (10 + random_next() % 53)) * (i % 2 ? 1 : -1);
        check_shortest((double)cents / 100);  /* amounts */
        check_shortest((double)cents / 1000); /* means that end early */
        check_shortest((double)cents / 300);
        check_shortest(nextafter((double)cents / 100, INFINITY)); /* beside an amount: must not become it */
        check_shortest((double)cents);
    }
}

Test(number, floats_read_back_as_floats) {
    for (int i = 0; i < 200000; i++) {
        uint32_t bits = (uint32_t)random_next(), back_bits;
        float v, back;
        memcpy(&v, &bits, 4);
        if (!isfinite(v)) continue;
        text[ride_float_to_text(v, text)] = '\0';
        back = strtof(text, NULL);
        memcpy(&back_bits, &back, 4);
        cr_assert_eq(bits, back_bits, "%s", text);
    }
    text[ride_float_to_text(0.1f, text)] = '\0';
    cr_assert_str_eq(text, "0.1");
    text[ride_float_to_text(-3.0f, text)] = '\0';
    cr_assert_str_eq(text, "-3");
}

Test(number, integers_at_their_ends) {
    char expected[64];
    const int64_t values[] = {0, 1, -1, 9, 10, 99, 100, -100, 12345678901, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        int64_t back;
        size_t bytes = ride_i64_to_text(values[i], text);
        text[bytes] = '\0';
        snprintf(expected, sizeof expected, "%lld", (long long)values[i]);
        cr_assert_str_eq(text, expected);
        cr_assert(ride_text_to_i64(text, bytes, &back) && back == values[i]);
    }
    text[ride_u64_to_text(UINT64_MAX, text)] = '\0';
    cr_assert_str_eq(text, "18446744073709551615");
}

Test(number, decimals_exact_without_needless_zeros) {
    cr_assert_str_eq(of_decimal(8565, 2), "85.65");
    cr_assert_str_eq(of_decimal(8500, 2), "85");
    cr_assert_str_eq(of_decimal(8510, 2), "85.1");
    cr_assert_str_eq(of_decimal(-5, 2), "-0.05");
    cr_assert_str_eq(of_decimal(0, 2), "0");
    cr_assert_str_eq(of_decimal(7, 0), "7");
    cr_assert_str_eq(of_decimal(1, 18), "0.000000000000000001");
    cr_assert_str_eq(of_decimal(INT64_MIN, 18), "-9.223372036854775808");
    cr_assert_str_eq(of_decimal(1000, 2), "10");
}

Test(number, what_is_not_a_number_is_refused) {
    double d = 5;
    int64_t i = 5;
    uint64_t u = 5;
    const char *bad[] = {"",    " ",    "1 ",    " 1",     "+1",   "1x", "--1", "inf",
                         "nan", "-inf", "1e999", "1e-999", "0x10", ".",  "e5"};
    for (size_t n = 0; n < sizeof bad / sizeof bad[0]; n++) {
        cr_assert(!ride_text_to_double(bad[n], strlen(bad[n]), &d) && d == 5, "'%s' gave %g", bad[n], d);
        cr_assert(!ride_text_to_i64(bad[n], strlen(bad[n]), &i) && i == 5);
        cr_assert(!ride_text_to_u64(bad[n], strlen(bad[n]), &u) && u == 5);
    }
    cr_assert(!ride_text_to_i64("9223372036854775808", 19, &i) && !ride_text_to_u64("18446744073709551616", 20, &u));
    cr_assert(!ride_text_to_u64("-1", 2, &u) && !ride_text_to_i64("1.0", 3, &i));
    cr_assert(ride_text_to_double("1.5e3junk", 5, &d) && d == 1500); /* only the bytes given */
}
