/* support/check_exit.h: for programs that are one test: what does not hold ends them, with its place. CHECK_NOW, where it is defined before, is
 * a string that says what the program was at. */
#ifndef RIDE_TESTS_CHECK_EXIT_H
#define RIDE_TESTS_CHECK_EXIT_H
#include <stdio.h>
#include <stdlib.h>

#if !defined(CHECK_NOW)
#define CHECK_NOW "CHECK"
#endif
#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, CHECK_NOW, #condition);                             \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

#endif
