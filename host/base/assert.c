/* base/assert.c */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void ride_assert_failed(const char *condition, const char *file, int line) {
    fprintf(stderr, "ride: internal error: %s:%d: %s\nThis is a bug in RIDE: please report it with this line.\n", file,
            line, condition);
    abort();
}
