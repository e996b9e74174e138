/* tests/conformance/batches_test.c: batches of unusual sizes: none, one row, one more or less than a tile, 70,000 rows at once. */
#include "backends.h"
#include "trial.h"

static void empty_batch(session *s) {
    outputs none = {0};
    ride_state_stats before, after;
    s->ops->state_stats(s->state, &before);
    memory_stream saved = session_save(s);
    session_batch(s, NULL, 0, 0, &none);
    memory_stream again = session_save(s);
    s->ops->state_stats(s->state, &after);
    CHECK(streams_equal(&saved, &again), "an empty batch changed the state");
    CHECK(after.keys <= before.keys && after.entries <= before.entries,
          "an empty batch added something"); /* it may sweep */
    free(again.data);
    free(saved.data);
}

static void sizes_around_a_tile(const backend_use *use) {
    static const uint32_t sizes[] = {1, 2, 31, 32, 33, 63, 64, 65, 127, 255, 256, 257, 511, 513, 1023};
    for (uint64_t seed; check_rounds(backend_rounds(use, 20), &seed);) {
        rnd r = {seed * 17 + 9};
        trial *t = trial_make(seed, 1800);
        session s;
        outputs got;
        outputs_make(&t->plan, t->rows_count, &got);
        session_open(&s, use->backend->entry, &t->plan, &t->bundle);
        empty_batch(&s); /* of a state that has seen nothing */
        for (uint32_t first = 0, count; first < t->rows_count; first += count) {
            count = rows_of_batch(&t->plan, t->rows, t->rows_count, first, RND_PICK(&r, sizes));
            session_batch(&s, t->rows, first, count, &got);
            if (rnd_one_in(&r, 3)) empty_batch(&s);
        }
        compare(&t->plan, t->rows, t->rows_count, &t->expected, &got, "sizes around a tile");
        session_close(&s);
        free(got.words);
        trial_free(t);
    }
}

/* The slow reference would need minutes: cpu's plain loop in small batches, which agrees with it (backends_test.c), speaks for it. */
static void huge(const backend_use *use) {
    for (uint64_t seed; check_rounds(backend_rounds(use, 5), &seed);) {
        random_plan *plan = calloc(1, sizeof *plan);
        ride_bundle bundle;
        uint8_t *image = NULL;
        session s;
        outputs expected, got;
        RIDE_ASSERT(plan != NULL);
        random_plan_make(seed, plan);
        random_model_make(seed, plan);
        random_plan_bundle(plan, &image, &bundle);
        random_row *rows = random_rows_make(plan, seed, HUGE_ROWS);
        session_open(&s, cpu_portable, plan, &bundle);
        session_run(&s, rows, HUGE_ROWS, 256, 0, &expected);
        memory_stream whole = session_save(&s);
        session_close(&s);
        session_open_large(&s, use->backend->entry, plan, &bundle, HUGE_ROWS);
        session_run(&s, rows, HUGE_ROWS, HUGE_ROWS, 0, &got);
        memory_stream saved = session_save(&s);
        compare(plan, rows, HUGE_ROWS, &expected, &got, "all rows at once");
        CHECK(plan->many_clocks || streams_equal(&saved, &whole), "all rows at once: another state");
        session_close(&s);
        free(saved.data);
        free(whole.data);
        free(got.words);
        free(expected.words);
        free(rows);
        free(plan);
        ride_bundle_image_free(image);
    }
}

int main(int argc, char **argv) {
    setenv("RIDE_EMU_ORDER", "backward:3", 0);
    setenv("RIDE_EMU_MEMORY", "250000000", 0); /* for 70,000 rows */
    backends_add("sizes_around_a_tile", BACKENDS_ALL, 1, 1, sizes_around_a_tile);
    backends_add("seventy_thousand_rows_at_once", BACKENDS_WITHOUT_REFERENCE, 1, 1, huge);
    return check_main(argc, argv);
}
