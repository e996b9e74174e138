/* criterion/criterion.h of builds that have no Criterion: what the unit tests of kernels/ use of it, over check.h. Cases run in one process. */
#ifndef RIDE_TESTS_CRITERION_H
#define RIDE_TESTS_CRITERION_H
#define check criterion_check /* tests have functions of this name */
#include "tests/support/check.h"
#undef check

#include <math.h>

typedef struct criterion_options {
    int disabled;
} criterion_options;

#define Test(suite, name, ...)                                                                                         \
    static void suite##_##name(void);                                                                                  \
    static void suite##_##name##_run(const void *argument) {                                                           \
        (void)argument;                                                                                                \
        suite##_##name();                                                                                              \
    }                                                                                                                  \
    __attribute__((constructor)) static void suite##_##name##_add(void) {                                              \
        const criterion_options options = {__VA_ARGS__};                                                               \
        if (!options.disabled) check_add(#suite, #name, suite##_##name##_run, NULL);                                   \
    }                                                                                                                  \
    static void suite##_##name(void)

/* The message is optional. */
#define cr_assert_(condition, text, ...)                                                                               \
    do {                                                                                                               \
        if (condition) break;                                                                                          \
        printf("%s\n", text);                                                                                          \
        check_fail(__FILE__, __LINE__, " " __VA_ARGS__);                                                               \
    } while (0)
#define cr_assert(condition, ...)            cr_assert_(condition, #condition, ##__VA_ARGS__)
#define cr_assert_eq(a, b, ...)              cr_assert_((a) == (b), #a " is not " #b, ##__VA_ARGS__)
#define cr_assert_neq(a, b, ...)             cr_assert_((a) != (b), #a " is " #b, ##__VA_ARGS__)
#define cr_assert_lt(a, b, ...)              cr_assert_((a) < (b), #a " is not below " #b, ##__VA_ARGS__)
#define cr_assert_leq(a, b, ...)             cr_assert_((a) <= (b), #a " is above " #b, ##__VA_ARGS__)
#define cr_assert_gt(a, b, ...)              cr_assert_((a) > (b), #a " is not above " #b, ##__VA_ARGS__)
#define cr_assert_geq(a, b, ...)             cr_assert_((a) >= (b), #a " is below " #b, ##__VA_ARGS__)
#define cr_assert_not(a, ...)                cr_assert_(!(a), #a " holds", ##__VA_ARGS__)
#define cr_assert_null(a, ...)               cr_assert_((a) == NULL, #a " is not NULL", ##__VA_ARGS__)
#define cr_assert_not_null(a, ...)           cr_assert_((a) != NULL, #a " is NULL", ##__VA_ARGS__)
#define cr_assert_str_eq(a, b, ...)          cr_assert_(strcmp(a, b) == 0, #a " is not " #b, ##__VA_ARGS__)
#define cr_assert_float_eq(a, b, close, ...) cr_assert_(fabs((a) - (b)) <= (close), #a " is not " #b, ##__VA_ARGS__)
#define cr_assert_arr_eq(a, b, bytes, ...)   cr_assert_(memcmp(a, b, bytes) == 0, #a " is not " #b, ##__VA_ARGS__)
#define cr_skip_test(...)                    check_skip(__VA_ARGS__)

int main(int argc, char **argv) { return check_main(argc, argv); }

#endif
