/* tests/conformance/trial.h: a random plan, its bundle, rows for it and what the slow reference says about them. */
#ifndef RIDE_TESTS_TRIAL_H
#define RIDE_TESTS_TRIAL_H
#include "session.h"

typedef struct trial {
    random_plan plan;
    ride_bundle bundle;
    uint8_t *image;
    random_row *rows;
    uint32_t rows_count;
    outputs expected;          /* by the reference */
    uint64_t *expected_counts; /* likewise */
    uint32_t cells_count;
} trial;

static inline trial *trial_make(uint64_t seed, uint32_t rows_count) {
    trial *t = calloc(1, sizeof *t);
    session s;
    RIDE_ASSERT(t != NULL);
    random_plan_make(seed, &t->plan);
    random_model_make(seed, &t->plan);
    random_plan_bundle(&t->plan, &t->image, &t->bundle);
    t->rows_count = rows_count;
    t->rows = random_rows_make(&t->plan, seed, rows_count);
    session_open(&s, ride_backend_reference, &t->plan, &t->bundle);
    session_run(&s, t->rows, rows_count, 256, 0, &t->expected);
    t->expected_counts = counts_copy(&s);
    t->cells_count = s.cells_count;
    session_close(&s);
    return t;
}
static inline void trial_free(trial *t) {
    free(t->expected_counts);
    free(t->expected.words);
    free(t->rows);
    ride_bundle_image_free(t->image);
    free(t);
}

#endif
