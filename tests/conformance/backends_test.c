/* Every backend against the slow reference: the same random plans over the same random rows must give the same bytes, however
 * the rows are cut into batches and wherever the state is saved and restored.
 *
 * RIDE_CONFORMANCE_ROUNDS sets how many seeds are tried (a long run: 100000), RIDE_CONFORMANCE_SEED where they begin. A failure
 * prints the seed that repeats it. */
#include "kernels/cpu/isa.h"
#include "kernels/row/key.h"
#include "session.h"

/* The cpu backend asks for the instruction set when a device is opened, which follows at once. */
static const ride_backend_ops *cpu_portable(uint32_t abi, const ride_backend_services *given, ride_error *err) {
    ride_cpu_isa_limit(RIDE_CPU_PORTABLE);
    return ride_backend_cpu(abi, given, err);
}
static const ride_backend_ops *cpu_avx2(uint32_t abi, const ride_backend_services *given, ride_error *err) {
    ride_cpu_isa_limit(RIDE_CPU_AVX2);
    return ride_backend_cpu(abi, given, err);
}
static const ride_backend_ops *cpu_best(uint32_t abi, const ride_backend_services *given, ride_error *err) {
    ride_cpu_isa_limit(RIDE_CPU_AVX512);
    return ride_backend_cpu(abi, given, err);
}

static const struct backend_case {
    const char *name;
    ride_backend_entry_fn entry;
} backends[] = {
    {"reference", ride_backend_reference},
    {"cpu", cpu_best}, /* the best that this machine has */
    {"cpu with AVX2", cpu_avx2},
    {"cpu, portable", cpu_portable},
};
enum { BACKENDS = sizeof backends / sizeof *backends };

/* The rows of an entity's keys divided between two states by vnode, as between two devices: together they give every row's bytes, and
 * together the state of one. Null keys go to the first. */
static void run_divided(const random_plan *plan, const ride_bundle *bundle, const random_row *rows, uint32_t rows_count,
                        uint32_t cut, const struct backend_case *backend, const outputs *expected,
                        const uint64_t *expected_counts, memory_stream *whole) {
    outputs got;
    session parts[2];
    memory_stream saved[2];
    random_row *mine = calloc(rows_count + 1, sizeof *mine);
    uint64_t *first_counts = NULL;
    outputs_make(plan, rows_count, &got);
    for (uint32_t i = 0; i < 2; i++) {
        for (uint32_t row = 0; row < rows_count; row++) {
            mine[row] = rows[row];
            const uint32_t owner = (rows[row].nulls & 1) == 0 && ride_key_vnode(rows[row].keys[0]) >= cut;
            if (owner == i) continue;
            if ((mine[row].flags & RIDE_ROW_LABEL) != 0) mine[row].clock_us = mine[row - 1].clock_us; /* an event's */
            mine[row].flags = RIDE_ROW_SKIP;
        }
        session_open_part(&parts[i], backend->entry, plan, bundle, i == 0 ? 0 : cut, i == 0 ? cut : RIDE_VNODES - cut);
        for (uint32_t first = 0, count; first < rows_count; first += count) {
            count = rows_of_batch(plan, rows, rows_count, first, 100);
            session_batch(&parts[i], mine, first, count, &got);
        }
        saved[i] = session_save(&parts[i]);
        session *s = &parts[i];
        ride_error err = {0};
        MUST(session_take(s));
        if (i == 0) first_counts = counts_copy(s);
        for (uint32_t cell = 0; i == 1 && cell < s->cells_count; cell++) s->counted[cell] += first_counts[cell];
        if (i == 1) compare_counts(s, expected_counts, "two parts");
        session_close(s);
    }
    free(first_counts);
    compare(plan, rows, rows_count, expected, &got, backend->name);
    session_open(&parts[0], backend->entry, plan, bundle);
    for (uint32_t i = 0; i < 2; i++) session_restore(&parts[0], &saved[i]);
    memory_stream again = session_save(&parts[0]);
    cr_assert(streams_equal(&again, whole), "seed %llu, %s: two parts together are not the whole state",
              (unsigned long long)plan->seed, backend->name);
    session_close(&parts[0]);
    free(again.data);
    for (uint32_t i = 0; i < 2; i++) free(saved[i].data);
    free(mine);
    free(got.words);
}

static void run_seed(uint64_t seed) {
    static const uint32_t batches[] = {1, 7, 256, 0, 4096};
    random_plan *plan = calloc(1, sizeof *plan);
    ride_bundle bundle;
    uint8_t *image = NULL;
    random_plan_make(seed, plan);
    random_model_make(seed, plan);
    random_plan_bundle(plan, &image, &bundle);
    rnd r = {seed * 3 + 1};
    const uint32_t rows_count = rnd_one_in(&r, 8) ? 1200 + rnd_below(&r, ROWS_MAX - 1200) : rnd_below(&r, 400);
    random_row *rows = random_rows_make(plan, seed, rows_count);
    session s;
    outputs expected, got;
    session_open(&s, ride_backend_reference, plan, &bundle);
    session_run(&s, rows, rows_count, 256, 0, &expected);
    uint64_t *expected_counts = counts_copy(&s);
    session_close(&s);
    for (uint32_t b = 0; b < BACKENDS; b++) {
        memory_stream whole = {0};
        for (uint32_t variant = 0; variant < 3; variant++) { /* two batch sizes, then cuts between small batches */
            const uint32_t batch = variant == 2 ? 7 + rnd_below(&r, 60) : RND_PICK(&r, batches);
            const uint32_t cut_every = variant == 2 ? (rows_count < 400 ? 1 : 9) : 0;
            char what[96];
            snprintf(what, sizeof what, "%s, batches of %u%s", backends[b].name, batch,
                     cut_every > 0 ? ", resumed" : "");
            session_open(&s, backends[b].entry, plan, &bundle);
            session_run(&s, rows, rows_count, batch, cut_every, &got);
            compare(plan, rows, rows_count, &expected, &got, what);
            compare_counts(&s, expected_counts, what);
            memory_stream saved = session_save(&s);
            if (variant == 0) whole = saved;
            else {
                cr_assert(streams_equal(&saved, &whole), "seed %llu, %s: the saved state depends on the batches",
                          (unsigned long long)seed, what);
                free(saved.data);
            }
            free(got.words);
            session_close(&s);
        }
        if (plan->entities_count == 1 && !plan->peers)
            run_divided(plan, &bundle, rows, rows_count, 1 + rnd_below(&r, RIDE_VNODES - 1), &backends[b], &expected,
                        expected_counts, &whole);
        free(whole.data);
    }
    free(expected_counts);
    free(expected.words);
    free(rows);
    free(plan);
    ride_bundle_image_free(image);
}

Test(backends, agree_with_the_reference_byte_for_byte) {
    const uint64_t first = environment_number("RIDE_CONFORMANCE_SEED", 1),
                   rounds = environment_number("RIDE_CONFORMANCE_ROUNDS", 200);
    for (uint64_t seed = first; seed < first + rounds; seed++) run_seed(seed);
}

Test(backends, refuse_a_damaged_state) {
    random_plan *plan = calloc(1, sizeof *plan);
    ride_bundle bundle;
    uint8_t *image = NULL;
    random_plan_make(5, plan);
    random_model_make(5, plan);
    random_plan_bundle(plan, &image, &bundle);
    random_row *rows = random_rows_make(plan, 5, 300);
    for (uint32_t b = 0; b < BACKENDS; b++) {
        session s;
        outputs got;
        ride_error err = {0};
        session_open(&s, backends[b].entry, plan, &bundle);
        session_run(&s, rows, 300, 64, 0, &got);
        memory_stream saved = session_save(&s);
        cr_assert_gt(saved.bytes, 64);
        rnd r = {99};
        for (int round = 0; round < 200; round++) {
            s.ops->state_destroy(s.state);
            session_state(&s);
            memory_stream bad = {.data = malloc(saved.bytes), .bytes = saved.bytes};
            memcpy(bad.data, saved.data, saved.bytes);
            if (round % 2 == 0) bad.bytes = rnd_below(&r, (uint32_t)saved.bytes);
            else bad.data[rnd_below(&r, (uint32_t)saved.bytes)] ^= (uint8_t)(1 + rnd_below(&r, 255));
            cr_assert_neq(s.ops->state_restore(s.state, memory_read, &bad, &err), RIDE_OK,
                          "%s: round %d: a damaged state was restored", s.ops->name, round);
            free(bad.data);
        }
        free(saved.data);
        free(got.words);
        session_close(&s);
    }
    free(rows);
    free(plan);
    ride_bundle_image_free(image);
}
