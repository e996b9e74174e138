/* support/slurp.h: a whole file in memory, for tests of what reads bytes. */
#ifndef RIDE_TESTS_SLURP_H
#define RIDE_TESTS_SLURP_H
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* The bytes of a file and a null behind them, which *bytes does not count; the caller frees them. A file that cannot be read fails the test. */
static inline char *slurp(const char *path, size_t *bytes) {
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s", path);
    fseek(file, 0, SEEK_END);
    *bytes = (size_t)ftell(file);
    rewind(file);
    char *data = malloc(*bytes + 1);
    cr_assert(data != NULL && fread(data, 1, *bytes, file) == *bytes);
    data[*bytes] = '\0';
    fclose(file);
    return data;
}

#endif
