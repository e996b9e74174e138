/* tests/conformance/states_test.c: saved states travel between backends. All backends but the reference share one file format: the
 * same history gives the same bytes on each, and what one saved another goes on from. */
#include "backends.h"
#include "trial.h"

/* Rows [first, end) in batches of about `batch`. */
static void run_part(session *s, const trial *t, uint32_t first, uint32_t end, uint32_t batch, outputs *got) {
    while (first < end) {
        const uint32_t count = rows_of_batch(&t->plan, t->rows, end, first, batch);
        session_batch(s, t->rows, first, count, got);
        first += count;
    }
}

/* Half of the rows on one backend, the rest on another. */
static void change(ride_backend_entry_fn from, ride_backend_entry_fn to, const trial *t, uint32_t cut, uint32_t batch,
                   const memory_stream *whole, const char *what) {
    session s;
    outputs got;
    outputs_make(&t->plan, t->rows_count, &got);
    session_open(&s, from, &t->plan, &t->bundle);
    run_part(&s, t, 0, cut, batch, &got);
    memory_stream half = session_save(&s);
    session_close(&s);
    session_open(&s, to, &t->plan, &t->bundle);
    session_restore(&s, &half);
    run_part(&s, t, cut, t->rows_count, batch, &got);
    compare(&t->plan, t->rows, t->rows_count, &t->expected, &got, what);
    memory_stream end = session_save(&s);
    CHECK(t->plan.many_clocks || streams_equal(&end, whole), "%s: the state at the end is another", what);
    session_close(&s);
    free(end.data);
    free(half.data);
    free(got.words);
}

static void same_bytes(const backend_use *use) {
    ride_backend_entry_fn entry = use->backend->entry;
    for (uint64_t seed; check_rounds(backend_rounds(use, 60), &seed);) {
        rnd r = {seed * 13 + 7};
        trial *t = trial_make(seed, rnd_below(&r, 800));
        const uint32_t batch = 1 + rnd_below(&r, 300);
        const uint32_t cut = t->rows_count == 0
                                 ? 0
                                 : rows_of_batch(&t->plan, t->rows, t->rows_count, 0, 1 + rnd_below(&r, t->rows_count));
        session s;
        outputs got;
        session_open(&s, cpu_portable, &t->plan, &t->bundle);
        session_run(&s, t->rows, t->rows_count, 100, 0, &got);
        memory_stream whole = session_save(&s);
        session_close(&s);
        free(got.words);
        session_open(&s, entry, &t->plan, &t->bundle);
        session_run(&s, t->rows, t->rows_count, batch, 0, &got);
        memory_stream own = session_save(&s);
        CHECK(t->plan.many_clocks || streams_equal(&own, &whole), "%zu bytes of a state, not those %zu that cpu saves",
              own.bytes, whole.bytes);
        session_close(&s);
        free(got.words);
        change(entry, cpu_portable, t, cut, batch, &whole, "from it to cpu");
        change(cpu_portable, entry, t, cut, batch, &whole, "from cpu to it");
        free(own.data);
        free(whole.data);
        trial_free(t);
    }
}

int main(int argc, char **argv) {
    setenv("RIDE_EMU_ORDER", "backward:2", 0);
    backends_add("saved_states_travel", BACKENDS_WITHOUT_REFERENCE, 1, 1, same_bytes);
    return check_main(argc, argv);
}
