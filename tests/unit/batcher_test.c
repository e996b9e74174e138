/* What scheduler/batcher.h promises: single looks, and whole loads on a virtual clock whose every row's wait is measured. */
#include "base/clock.h"
#include "scheduler/batcher.h"

#include <criterion/criterion.h>
#include <math.h>

static ride_batcher_step look(ride_batcher_policy policy, uint64_t delay_ns, ride_batcher_view view) {
    ride_batcher b;
    ride_batcher_init(&b, &(ride_batcher_options){policy, 100, delay_ns});
    ride_batcher_step step = ride_batcher_next(&b, &view);
    uint64_t closed = 0;
    for (int r = 0; r < RIDE_BATCHER_REASONS; r++) closed += b.closed[r];
    cr_assert_eq(closed, step.rows_count > 0);
    return step;
}

Test(batcher, greedy_gives_what_waits_when_a_device_is_free) {
    cr_assert_eq(look(RIDE_BATCHER_GREEDY, 0, (ride_batcher_view){50, 1, 50, true}).rows_count, 1);
    cr_assert_eq(look(RIDE_BATCHER_GREEDY, 0, (ride_batcher_view){50, 99, 10, true}).rows_count, 99);
    cr_assert_eq(look(RIDE_BATCHER_GREEDY, 0, (ride_batcher_view){50, 250, 10, true}).rows_count, 100);
    ride_batcher_step busy = look(RIDE_BATCHER_GREEDY, 0, (ride_batcher_view){50, 100, 10, false});
    cr_assert(busy.rows_count == 0 && busy.wait_until_ns == RIDE_BATCHER_NEVER);
    ride_batcher_step none = look(RIDE_BATCHER_GREEDY, 0, (ride_batcher_view){50, 0, 0, true});
    cr_assert(none.rows_count == 0 && none.wait_until_ns == RIDE_BATCHER_NEVER);
}

Test(batcher, fixed_closes_when_full_or_old_enough_and_not_a_nanosecond_before) {
    ride_batcher_step young = look(RIDE_BATCHER_FIXED, 1000, (ride_batcher_view){1499, 99, 500, true});
    cr_assert(young.rows_count == 0 && young.wait_until_ns == 1500);
    cr_assert_eq(look(RIDE_BATCHER_FIXED, 1000, (ride_batcher_view){1500, 1, 500, true}).rows_count, 1);
    cr_assert_eq(look(RIDE_BATCHER_FIXED, 1000, (ride_batcher_view){501, 100, 500, true}).rows_count, 100);
    cr_assert_eq(look(RIDE_BATCHER_FIXED, 1000, (ride_batcher_view){9999, 100, 500, false}).rows_count, 0);
    cr_assert_eq(look(RIDE_BATCHER_FIXED, 0, (ride_batcher_view){500, 1, 500, true}).rows_count, 1);
    ride_batcher_step far = look(RIDE_BATCHER_FIXED, UINT64_MAX, (ride_batcher_view){500, 1, 500, true});
    cr_assert(far.rows_count == 0 && far.wait_until_ns == RIDE_BATCHER_NEVER, "a sum that overflows is never");
}

Test(batcher, flush_asks_no_policy_and_set_changes_it) {
    ride_batcher b;
    ride_batcher_view view = {10, 130, 10, true};
    ride_batcher_init(&b, &(ride_batcher_options){RIDE_BATCHER_FIXED, 100, 1000});
    cr_assert_eq(ride_batcher_flush(&b, &view).rows_count, 100);
    view.rows_count = 30;
    cr_assert_eq(ride_batcher_next(&b, &view).rows_count, 0);
    cr_assert_eq(ride_batcher_flush(&b, &view).rows_count, 30);
    cr_assert_eq(b.closed[RIDE_BATCHER_FLUSH], 2);
    ride_batcher_set(&b, &(ride_batcher_options){RIDE_BATCHER_GREEDY, 20, 0});
    cr_assert_eq(ride_batcher_next(&b, &view).rows_count, 20);
    cr_assert_eq(b.closed[RIDE_BATCHER_FULL], 1);
    cr_assert_eq(b.closed[RIDE_BATCHER_FLUSH], 2, "counts outlive a reload");
    ride_batcher_done(&b, 20, 5);
}

/* A load on a virtual clock: rows come with exponential gaps, one device works a batch of n rows in fixed_ns + n * row_ns. A row comes
 * into the batch when it has room, else it waits before (admission) and comes in when there is. */
enum { ROWS = 20000 };
typedef struct load {
    double gap_ns; /* mean */
    uint64_t fixed_ns, row_ns;
} load;
typedef struct outcome {
    uint64_t wait_ns_max;    /* from let in to given */
    uint64_t service_ns_max; /* longest batch */
    uint64_t batches, early; /* early: not full, and younger than the delay */
    double rows_mean;
    ride_batcher batcher;
} outcome;

static uint64_t random_state;
static double random_unit(void) { /* xorshift64*, in (0, 1] */
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (double)((random_state * UINT64_C(2685821657736338717) >> 11) + 1) / 9007199254740992.0;
}

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

static outcome simulate(const ride_batcher_options *options, const load *l) {
    static uint64_t arrival_ns[ROWS], let_in_ns[ROWS];
    ride_clock_virtual v;
    outcome o = {0};
    double at = 0;
    random_state = 88172645463325252u;
    for (int i = 0; i < ROWS; i++) arrival_ns[i] = (uint64_t)(at -= log(random_unit()) * l->gap_ns);
    ride_clock_virtual_init(&v, 0);
    ride_batcher_init(&o.batcher, options);
    uint64_t device_until_ns = 0, given_at_ns = 0;
    uint32_t in = 0, out = 0, running = 0; /* rows let in, rows given, rows of the batch at work */
    for (;;) {
        uint64_t now = ride_clock_now_ns(&v.clock);
        if (running > 0 && now >= device_until_ns) {
            ride_batcher_done(&o.batcher, running, now - given_at_ns);
            running = 0;
            if (out == ROWS) break;
        }
        for (; in < ROWS && arrival_ns[in] <= now && in - out < options->rows_count_max; in++) let_in_ns[in] = now;
        ride_batcher_view view = {now, in - out, in > out ? let_in_ns[out] : 0, running == 0};
        ride_batcher_step step = ride_batcher_next(&o.batcher, &view);
        if (step.rows_count > 0) {
            bool is_full = step.rows_count == options->rows_count_max;
            o.early +=
                !is_full && options->policy == RIDE_BATCHER_FIXED && now - let_in_ns[out] < options->delay_ns_max;
            for (uint32_t i = 0; i < step.rows_count; i++)
                if (now - let_in_ns[out + i] > o.wait_ns_max) o.wait_ns_max = now - let_in_ns[out + i];
            out += step.rows_count;
            running = step.rows_count;
            given_at_ns = now;
            device_until_ns = now + l->fixed_ns + running * l->row_ns;
            if (device_until_ns - now > o.service_ns_max) o.service_ns_max = device_until_ns - now;
            o.batches++;
            continue;
        }
        uint64_t next = step.wait_until_ns;
        if (running > 0) next = least(next, device_until_ns);
        if (in < ROWS && in - out < options->rows_count_max) next = least(next, arrival_ns[in]);
        cr_assert_neq(next, RIDE_BATCHER_NEVER, "rows wait, and nothing will wake their thread");
        cr_assert_gt(next, now, "a step that waits until now is a busy loop");
        ride_clock_sleep_until_ns(&v.clock, next);
    }
    o.rows_mean = (double)ROWS / (double)o.batches;
    return o;
}

static const load loads[] = {
    {1000000, 20000, 500}, /* 1 k/s: idle */
    {10000, 20000, 500},   /* 100 k/s: a batch is full of what came during the last one */
    {700, 20000, 500},     /* 1.4 M/s: near what the device can at full batches (1.8 M/s) */
    {300, 20000, 500},     /* 3.3 M/s: overload */
};
enum { LOADS = sizeof loads / sizeof loads[0] };

Test(batcher, no_row_waits_longer_than_the_delay_and_the_batch_in_progress) {
    static const uint64_t delays[] = {0, 50000, 2000000};
    static const uint32_t sizes[] = {1, 7, 1024};
    for (int i = 0; i < LOADS; i++)
        for (int s = 0; s < 3; s++) {
            outcome greedy = simulate(&(ride_batcher_options){RIDE_BATCHER_GREEDY, sizes[s], 0}, &loads[i]);
            cr_assert_leq(greedy.wait_ns_max, greedy.service_ns_max, "load %d, batches of %u", i, sizes[s]);
            for (int d = 0; d < 3; d++) {
                outcome fixed = simulate(&(ride_batcher_options){RIDE_BATCHER_FIXED, sizes[s], delays[d]}, &loads[i]);
                cr_assert_leq(fixed.wait_ns_max, delays[d] + fixed.service_ns_max, "load %d, batches of %u, delay %lu",
                              i, sizes[s], (unsigned long)delays[d]);
                cr_assert_eq(fixed.early, 0);
            }
        }
}

Test(batcher, greedy_batches_grow_with_the_load_and_fixed_ones_with_the_delay) {
    double before = 0;
    for (int i = 0; i < LOADS; i++) {
        outcome o = simulate(&(ride_batcher_options){RIDE_BATCHER_GREEDY, 1024, 0}, &loads[i]);
        cr_assert_gt(o.rows_mean, before, "load %d: %.1f rows a batch", i, o.rows_mean);
        before = o.rows_mean;
        if (i == 0) cr_assert_lt(o.rows_mean, 1.1, "an idle device waits for nobody: %.2f", o.rows_mean);
        if (i + 1 == LOADS) cr_assert_gt(o.batcher.closed[RIDE_BATCHER_FULL], 0);
    }
    outcome greedy = simulate(&(ride_batcher_options){RIDE_BATCHER_GREEDY, 1024, 0}, &loads[1]);
    outcome fixed = simulate(&(ride_batcher_options){RIDE_BATCHER_FIXED, 1024, 2000000}, &loads[1]);
    cr_assert_gt(fixed.rows_mean, 20 * greedy.rows_mean, "%.1f against %.1f", fixed.rows_mean, greedy.rows_mean);
    cr_assert_gt(fixed.wait_ns_max, greedy.wait_ns_max);
}

Test(batcher, the_same_load_gives_the_same_batches) {
    ride_batcher_options options = {RIDE_BATCHER_FIXED, 64, 100000};
    outcome one = simulate(&options, &loads[2]), two = simulate(&options, &loads[2]);
    cr_assert_eq(one.batches, two.batches);
    cr_assert_eq(one.wait_ns_max, two.wait_ns_max);
    for (int r = 0; r < RIDE_BATCHER_REASONS; r++) cr_assert_eq(one.batcher.closed[r], two.batcher.closed[r]);
}
