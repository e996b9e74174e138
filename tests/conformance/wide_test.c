/* tests/conformance/wide_test.c: a model of more inputs than a grid of CUDA has places in y. Its tests read the last of them, which are
 * the first once more, so it gives what the narrow model gives.
 * ride-test: release-only (42 million emulated threads take ten minutes under a sanitizer) */
#include "backends.h"
#include "trial.h"

enum { ROWS = 600, FIRST = PLAN_INPUTS_MAX - PLAN_VECTOR_MAX };

static void widen(random_plan *p) {
    ride_forest_header *h = &p->forest.header;
    for (uint32_t i = h->inputs_count; i < PLAN_INPUTS_MAX; i++)
        p->forest_inputs[i] = i < FIRST ? i % p->vector_count : p->forest_inputs[(i - FIRST) % h->inputs_count];
    h->inputs_count = PLAN_INPUTS_MAX;
    for (uint32_t i = 0; i < h->nodes_count; i++)
        if ((p->nodes[i].input & RIDE_NODE_LEAF) == 0) p->nodes[i].input += FIRST;
}

static void many_inputs(const backend_use *use) {
    for (uint64_t seed; check_rounds(1, &seed);) {
        trial *t = trial_make(seed, ROWS);
        for (uint64_t next = seed; !t->plan.has_forest || t->plan.forest.header.depth_max == 0;) {
            trial_free(t);
            t = trial_make(++next, ROWS);
        }
        ride_bundle bundle;
        uint8_t *image = NULL;
        session s;
        outputs got;
        widen(&t->plan);
        random_plan_bundle(&t->plan, &image, &bundle);
        session_open(&s, use->backend->entry, &t->plan, &bundle);
        session_run(&s, t->rows, t->rows_count, 200, 0, &got);
        session_close(&s);
        compare(&t->plan, t->rows, t->rows_count, &t->expected, &got, "with many inputs");
        free(got.words);
        ride_bundle_image_free(image);
        trial_free(t);
    }
}

int main(int argc, char **argv) {
    setenv("RIDE_EMU_MEMORY", "500000000", 0); /* a state takes half; inputs of 256 rows 150 MB */
    backends_add("many_inputs", BACKENDS_ALL, 1, 1, many_inputs);
    return check_main(argc, argv);
}
