/* tests/conformance/programs_test.c: a queue outlives programs: one is released, another is uploaded, maybe at the same address, and
 * the queue works with it. */
#include "backends.h"
#include "trial.h"

enum { PROGRAMS = 4 };

static void program_change(session *s, const trial *t) {
    ride_error err = {0};
    s->ops->counts_destroy(s->counts);
    s->ops->state_destroy(s->state);
    s->ops->program_release(s->program);
    s->ops->buffer_free(s->device, RIDE_BUFFER_HOST, s->out_buffer);
    s->ops->buffer_free(s->device, RIDE_BUFFER_HOST, s->in_buffer);
    free(s->counted);
    session next = {.ops = s->ops,
                    .plan = &t->plan,
                    .device = s->device,
                    .queue = s->queue,
                    .vnodes_count = RIDE_VNODES,
                    .batch_rows_max = s->batch_rows_max};
    *s = next;
    MUST(s->ops->program_upload(s->device, &t->bundle, &s->program, &err));
    session_state(s);
    session_counts(s, &t->bundle);
    session_buffers(s, &t->bundle);
}

static void a_queue_outlives_programs(const backend_use *use) {
    for (uint64_t seed; check_rounds(backend_rounds(use, 40), &seed);) {
        rnd r = {seed * 3 + 1};
        trial *t[PROGRAMS];
        session s;
        for (uint32_t i = 0; i < PROGRAMS; i++) {
            outputs got;
            t[i] = trial_make(seed * PROGRAMS + i, 1 + rnd_below(&r, 400));
            if (i == 0) session_open(&s, use->backend->entry, &t[i]->plan, &t[i]->bundle);
            else program_change(&s, t[i]);
            session_run(&s, t[i]->rows, t[i]->rows_count, 150, 0, &got);
            compare(&t[i]->plan, t[i]->rows, t[i]->rows_count, &t[i]->expected, &got, "a queue's next program");
            compare_counts(&s, t[i]->expected_counts, "a queue's next program");
            free(got.words);
        }
        session_close(&s);
        for (uint32_t i = 0; i < PROGRAMS; i++) trial_free(t[i]);
    }
}

int main(int argc, char **argv) {
    backends_add("a_queue_outlives_programs", BACKENDS_ALL, 1, 1, a_queue_outlives_programs);
    return check_main(argc, argv);
}
