/* Every backend against the slow reference: the same random plans over the same random rows must give the same bytes, however
 * the rows are cut into batches, wherever the state is saved and restored, and over however many devices the keys are divided.
 * Seeds and rounds: tests/support/check.h. */
#include "backends.h"
#include "kernels/row/key.h"
#include "trial.h"

static void agree(const backend_use *use) {
    static const uint32_t batches[] = {1, 7, 256, 0, 4096};
    for (uint64_t seed; check_rounds(backend_rounds(use, 200), &seed);) {
        rnd r = {seed * 3 + 1};
        const int is_long = rnd_one_in(&r, 8) && use->backend->slower < 5;
        trial *t = trial_make(seed, is_long ? 1200 + rnd_below(&r, ROWS_MAX - 1200) : rnd_below(&r, 400));
        memory_stream whole = {0};
        for (uint32_t variant = 0; variant < 3; variant++) { /* two batch sizes, then cuts between small batches */
            const uint32_t batch = variant == 2 ? 7 + rnd_below(&r, 60) : RND_PICK(&r, batches);
            const uint32_t cut_every = variant == 2 ? (t->rows_count < 400 ? 1 : 9) : 0;
            char what[96];
            session s;
            outputs got;
            snprintf(what, sizeof what, "batches of %u%s", batch, cut_every > 0 ? ", resumed" : "");
            session_open(&s, use->backend->entry, &t->plan, &t->bundle);
            session_run(&s, t->rows, t->rows_count, batch, cut_every, &got);
            compare(&t->plan, t->rows, t->rows_count, &t->expected, &got, what);
            compare_counts(&s, t->expected_counts, what);
            memory_stream saved = session_save(&s);
            if (variant == 0) whole = saved;
            else {
                CHECK(t->plan.many_clocks || streams_equal(&saved, &whole),
                      "%s: the saved state depends on the batches", what);
                free(saved.data);
            }
            free(got.words);
            session_close(&s);
        }
        free(whole.data);
        trial_free(t);
    }
}

/* The rows of an entity's keys divided by vnode between several states, as between as many devices: together they give every row's
 * bytes, and together the state of one. Null keys go to the first. */
static void divide(const backend_use *use, const trial *t, const uint32_t *cuts, const memory_stream *whole) {
    outputs got;
    session one;
    memory_stream saved[BACKEND_DEVICES_MAX];
    random_row *mine = calloc(t->rows_count + 1, sizeof *mine);
    outputs_make(&t->plan, t->rows_count, &got);
    uint64_t *counted = calloc(t->cells_count + 1, sizeof *counted);
    for (uint32_t i = 0; i < use->parts_count; i++) {
        for (uint32_t row = 0; row < t->rows_count; row++) {
            mine[row] = t->rows[row];
            const uint32_t vnode = (t->rows[row].nulls & 1) != 0 ? 0 : ride_key_vnode(t->rows[row].keys[0]);
            if (vnode >= cuts[i] && vnode < cuts[i + 1]) continue;
            if ((mine[row].flags & RIDE_ROW_LABEL) != 0) mine[row].clock_us = mine[row - 1].clock_us; /* an event's */
            mine[row].flags = RIDE_ROW_SKIP;
        }
        session_open_part(&one, use->backend->entry, &t->plan, &t->bundle, cuts[i], cuts[i + 1] - cuts[i], i);
        for (uint32_t first = 0, count; first < t->rows_count; first += count) {
            count = rows_of_batch(&t->plan, t->rows, t->rows_count, first, 100);
            session_batch(&one, mine, first, count, &got);
        }
        saved[i] = session_save(&one);
        session *s = &one;
        ride_error err = {0};
        MUST(session_take(s));
        for (uint32_t cell = 0; cell < t->cells_count; cell++) counted[cell] += one.counted[cell];
        session_close(&one);
    }
    for (uint32_t cell = 0; cell < t->cells_count; cell++)
        CHECK(counted[cell] == t->expected_counts[cell], "divided: cell %u", cell);
    free(counted);
    compare(&t->plan, t->rows, t->rows_count, &t->expected, &got, "divided");
    session_open(&one, use->backend->entry, &t->plan, &t->bundle);
    for (uint32_t i = 0; i < use->parts_count; i++) session_restore(&one, &saved[i]);
    memory_stream again = session_save(&one);
    CHECK(t->plan.many_clocks || streams_equal(&again, whole), "the parts together are not the whole state");
    session_close(&one);
    free(again.data);
    for (uint32_t i = 0; i < use->parts_count; i++) free(saved[i].data);
    free(mine);
    free(got.words);
}

static void divided(const backend_use *use) {
    uint32_t divided_count = 0;
    for (uint64_t seed; check_rounds(backend_rounds(use, 150), &seed);) {
        random_plan plan;
        random_plan_make(seed, &plan);
        if (plan.entities_count != 1 || plan.peers) continue; /* rows of one group must not part */
        divided_count++;
        rnd r = {seed * 7 + 3};
        trial *t = trial_make(seed, rnd_below(&r, 1500));
        uint32_t cuts[BACKEND_DEVICES_MAX + 1] = {0};
        for (uint32_t i = 1; i < use->parts_count; i++) { /* ascending, none empty */
            const uint32_t left = use->parts_count - i, least = cuts[i - 1] + 1;
            cuts[i] = least + rnd_below(&r, RIDE_VNODES - left - least + 1);
        }
        cuts[use->parts_count] = RIDE_VNODES;
        session s;
        outputs got;
        session_open(&s, use->backend->entry, &t->plan, &t->bundle);
        session_run(&s, t->rows, t->rows_count, 128, 0, &got);
        memory_stream whole = session_save(&s);
        session_close(&s);
        divide(use, t, cuts, &whole);
        free(whole.data);
        free(got.words);
        trial_free(t);
    }
    CHECK(check.rounds < 15 || divided_count > 0, "no plan could be divided");
}

static void refuse_a_damaged_state(const backend_use *use) {
    trial *t = trial_make(5, 300);
    session s;
    outputs got;
    ride_error err = {0};
    session_open(&s, use->backend->entry, &t->plan, &t->bundle);
    session_run(&s, t->rows, 300, 64, 0, &got);
    memory_stream saved = session_save(&s);
    CHECK(saved.bytes > 64, "a state of %zu bytes", saved.bytes);
    rnd r = {99};
    for (int round = 0, rounds = (int)backend_rounds(use, 400); round < rounds; round++) {
        s.ops->state_destroy(s.state);
        session_state(&s);
        memory_stream bad = {.data = malloc(saved.bytes), .bytes = saved.bytes};
        memcpy(bad.data, saved.data, saved.bytes);
        if (round % 2 == 0) bad.bytes = rnd_below(&r, (uint32_t)saved.bytes);
        else bad.data[rnd_below(&r, (uint32_t)saved.bytes)] ^= (uint8_t)(1 + rnd_below(&r, 255));
        CHECK(s.ops->state_restore(&s.state, 1, memory_read, &bad, &err) != RIDE_OK,
              "round %d: a damaged state was restored", round);
        CHECK(err.what[0] != 0, "round %d: no message", round);
        free(bad.data);
    }
    free(saved.data);
    free(got.words);
    session_close(&s);
    trial_free(t);
}

int main(int argc, char **argv) {
    backends_add("agree_with_the_reference", BACKENDS_ALL, 1, 1, agree);
    backends_add("agree_divided", BACKENDS_ALL, 2, 4, divided);
    backends_add("refuse_a_damaged_state", BACKENDS_ALL, 1, 1, refuse_a_damaged_state);
    return check_main(argc, argv);
}
