/* The service over a log in memory: nothing lost, repeats with the same bytes, order kept, over crashes at any call, rebalances, full
 * outlets and late acknowledgements; and everything equal to what a replay of the journal gives.
 * No test here has a `.timeout`: Criterion's timers of long tests that run side by side leak, and LeakSanitizer says so: all of
 * them together have what the longest of them had alone.
 * ride-test: timeout=300 */
#include "../support/log_check.h"
#include "state/journal.h"

#include <criterion/criterion.h>

static void begin(log_case *c, uint32_t partitions, uint32_t events_max, bool pipelined) {
    cr_assert(log_case_begin(c, partitions, events_max));
    c->options.run.pipelined = pipelined;
}

static void one_partition_gives_the_bytes_of_a_run_over_the_file(bool pipelined) {
    static log_case c;
    begin(&c, 1, UINT32_MAX, pipelined);
    run_case *r = &c.run;
    cr_assert_eq(run_case_run(r), RIDE_OK);
    size_t bytes = 0;
    char *file = run_case_file(r->output, &bytes);
    c.options.run.vector = true;
    cr_assert_eq(log_case_serve(&c, 7, 0), RIDE_INTERRUPTED, "%s", r->err.what);
    const char *line = strchr(file, '\n') + 1;
    uint64_t count = 0;
    for (uint64_t i = 0; i < c.log.results_count; i++) {
        const fake_result *result = &c.log.results[i];
        if (result->target != RIDE_TARGET_DECISIONS) continue;
        cr_assert_eq(strncmp(line, result->value, result->bytes), 0, "row %llu:\n%s\n%.300s", (unsigned long long)count,
                     result->value, line);
        cr_assert_eq(line[result->bytes], '\n');
        line += result->bytes + 1;
        count++;
    }
    cr_assert_eq(*line, '\0', "all of the file");
    cr_assert_eq(c.log.committed[0], c.log.counts[0], "everything is stored after a clean stop");
    free(file);
    log_case_end(&c);
}

static void nothing_is_lost_and_repeats_are_equal_over_crashes(bool pipelined) {
    static log_case c;
    uint64_t repeats = 0, rebalances = 0, crashes = 0;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        char what[64];
        snprintf(what, sizeof what, "seed %llu", (unsigned long long)seed);
        begin(&c, seed % 4 == 1 ? 1 : 2 + (uint32_t)(seed % 4), 2400, pipelined);
        c.options.run.batch_rows_max = seed % 3 == 0 ? 1 : seed % 3 == 1 ? 64 : 1024;
        c.log.full_every = 50;
        c.log.burst_max = seed % 2 == 1 ? 150 : 40;      /* long runs: the clocks of the partitions are far apart */
        c.log.rebalance_every = seed % 2 == 0 ? 400 : 0; /* rarer than the polls of a rebuild, or it never ends */
        uint64_t attempts = 0;
        for (ride_status st = RIDE_E_IO; st != RIDE_INTERRUPTED; attempts++) {
            cr_assert_lt(attempts, 60, "%s: it does not come to an end", what);
            fake_log chance = {.random = seed * 1000 + attempts};
            c.options.run.shards = 1 + (uint32_t)((seed + attempts) % 3);
            st = log_case_serve(&c, seed * 77 + attempts, attempts < 8 ? 20 + fake_random(&chance) % 1500 : 0);
            cr_assert(st == RIDE_INTERRUPTED || (st == RIDE_E_IO && strcmp(c.run.err.what, "crash") == 0), "%s: %s",
                      what, c.run.err.what);
            crashes += st != RIDE_INTERRUPTED;
        }
        repeats += check_results(&c.log, what);
        rebalances += c.log.rebalances;
        check_replay(&c, what);
        log_case_end(&c);
    }
    cr_assert_gt(crashes, 60);
    cr_assert_gt(repeats, 100, "nothing was hit: the test would see no loss");
    cr_assert_gt(rebalances, 10);
}

/* A stop while nothing is acknowledged: when all was sent, and when the window is full. */
static void a_stop_does_not_wait_longer_than_the_drain_timeout_and_says_what_is_missing(bool pipelined) {
    static log_case c;
    for (uint32_t batch = 1; batch <= 512; batch *= 512) {
        begin(&c, 2, 600, pipelined);
        c.options.run.batch_rows_max = batch;
        c.options.drain_timeout_ns = 50000000;
        c.log.is_away = true;
        c.log.polls_left = 300;
        cr_assert_eq(log_case_serve(&c, 5, 0), RIDE_PENDING);
        ride_error *err = &c.run.err;
        cr_assert_not_null(strstr(err->what, " were not acknowledged within 0.1 s"), "%s", err->what);
        cr_assert_not_null(strstr(err->what, batch == 1 ? " of 64 batches" : " batches"), "%s", err->what);
        cr_assert_not_null(strstr(err->where, "events/"), "%s", err->where);
        cr_assert_not_null(strstr(err->where, " before offset "), "%s", err->where);
        for (uint32_t p = 0; p < 2; p++) cr_assert_eq(c.log.committed[p], RIDE_OFFSET_NONE, "nothing is stored");
        cr_assert_gt(c.log.results_count, 0);
        c.log.is_away = false; /* the broker is back, and nothing is in a hurry */
        c.options.drain_timeout_ns = UINT64_C(30000000000);
        cr_assert_eq(log_case_serve(&c, 6, 0), RIDE_INTERRUPTED, "%s", err->what);
        cr_assert_gt(check_results(&c.log, "after the broker is back"), 0, "results were repeated");
        log_case_end(&c);
    }
}

static uint32_t rows_largest;
static void look(void *context, ride_service_tuning *tuning) {
    *(uint32_t *)context += 1;
    tuning->batch_rows_max = rows_largest;
}

static void a_reload_is_taken_between_two_batches(bool pipelined) {
    static log_case c;
    volatile sig_atomic_t reload = 1;
    uint32_t reloads = 0;
    begin(&c, 1, 3000, pipelined);
    c.options.reload = &reload;
    c.options.reloaded = look;
    c.options.reloaded_context = &reloads;
    for (rows_largest = 1; rows_largest <= 1024; rows_largest *= 32) {
        reload = 1;
        c.log.committed[0] = RIDE_OFFSET_NONE;
        fake_results_free(&c.log);
        remove(c.journal);
        cr_assert_eq(log_case_serve(&c, 1, 0), RIDE_INTERRUPTED, "%s", c.run.err.what);
        cr_assert_eq(reload, 0);
        check_results(&c.log, "reloaded");
        uint64_t batches = c.run.summary.batch_ns.count;
        cr_assert_geq(batches, 3000 / rows_largest, "%llu batches", (unsigned long long)batches);
    }
    cr_assert_eq(reloads, 3);
    log_case_end(&c);
}

/* What a result would repeat, or carry as its key, beyond what a log takes: rejected, and the service goes on. */
static void events_too_long_for_a_result_are_rejected(bool pipelined) {
    static log_case c;
    static char line[200000], key[3 << 20];
    begin(&c, 1, 50, pipelined);
    const fake_message *whole = &c.log.messages[0][0];
    const char *card = strchr(strchr(whole->value, ',') + 1, ','), *rest = strchr(card + 1, ',');
    int head = (int)(card + 1 - whole->value), n = snprintf(line, sizeof line, "%.*s", head, whole->value);
    line[0] = '9'; /* an id of its own */
    memset(line + n, 'x', 100000);
    n += 100000;
    n += snprintf(line + n, sizeof line - (size_t)n, "%.*s", (int)(whole->value + whole->value_bytes - rest), rest);
    memset(key, 'k', sizeof key);
    fake_append(&c.log, 0, "k", 1, line, (uint32_t)n);
    fake_append(&c.log, 0, key, sizeof key, whole->value, whole->value_bytes);
    fake_append(&c.log, 0, whole->key, whole->key_bytes, whole->value, whole->value_bytes);
    cr_assert_eq(log_case_serve(&c, 3, 0), RIDE_INTERRUPTED, "%s", c.run.err.what);
    uint64_t rejects = 0, last = 0;
    for (uint64_t i = 0; i < c.log.results_count; i++) {
        const fake_result *r = &c.log.results[i];
        rejects += r->target == RIDE_TARGET_REJECTS;
        last += r->target == RIDE_TARGET_DECISIONS && r->offset == c.log.counts[0] - 1;
        if (r->target == RIDE_TARGET_REJECTS && r->offset == 50)
            cr_assert(strstr(r->value, "\"string_too_long\"") != NULL, "%s", r->value);
        if (r->target == RIDE_TARGET_REJECTS && r->offset == 51)
            cr_assert(strstr(r->value, "\"overlong_line\"") != NULL, "%s", r->value);
    }
    cr_assert_eq(rejects, 2);
    cr_assert_eq(last, 1, "what comes behind them is answered");
    cr_assert_eq(c.log.committed[0], c.log.counts[0]);
    log_case_end(&c);
}

/* Each of them by one thread, and by stages on three. */
Test(service, one_partition_gives_the_bytes_of_a_run_over_the_file) {
    one_partition_gives_the_bytes_of_a_run_over_the_file(false);
}
Test(service_pipelined, one_partition_gives_the_bytes_of_a_run_over_the_file) {
    one_partition_gives_the_bytes_of_a_run_over_the_file(true);
}
Test(service, nothing_is_lost_and_repeats_are_equal_over_crashes) {
    nothing_is_lost_and_repeats_are_equal_over_crashes(false);
}
Test(service_pipelined, nothing_is_lost_and_repeats_are_equal_over_crashes) {
    nothing_is_lost_and_repeats_are_equal_over_crashes(true);
}
Test(service, a_stop_does_not_wait_longer_than_the_drain_timeout_and_says_what_is_missing) {
    a_stop_does_not_wait_longer_than_the_drain_timeout_and_says_what_is_missing(false);
}
Test(service_pipelined, a_stop_does_not_wait_longer_than_the_drain_timeout_and_says_what_is_missing) {
    a_stop_does_not_wait_longer_than_the_drain_timeout_and_says_what_is_missing(true);
}
Test(service, a_reload_is_taken_between_two_batches) { a_reload_is_taken_between_two_batches(false); }
Test(service_pipelined, a_reload_is_taken_between_two_batches) { a_reload_is_taken_between_two_batches(true); }
Test(service, events_too_long_for_a_result_are_rejected) { events_too_long_for_a_result_are_rejected(false); }
Test(service_pipelined, events_too_long_for_a_result_are_rejected) { events_too_long_for_a_result_are_rejected(true); }

/* `kafka.start: latest`: the end of the log was stored before anything of the partition came. */
Test(service, a_partition_of_which_nothing_came_before_a_restart_goes_on) {
    static log_case c;
    begin(&c, 2, 900, false);
    const int64_t all = c.log.counts[1];
    c.log.begins[1] = c.log.counts[1] = all / 2;
    cr_assert_eq(log_case_serve(&c, 1, 0), RIDE_INTERRUPTED, "%s", c.run.err.what);
    c.log.committed[1] = all / 2;
    c.log.counts[1] = all;
    cr_assert_eq(log_case_serve(&c, 2, 0), RIDE_INTERRUPTED, "%s", c.run.err.what);
    cr_assert_eq(c.log.committed[1], all);
    for (int64_t i = all / 2; i < all; i++) cr_assert_not_null(log_case_first_of(&c.log, 1, i), "%lld", (long long)i);
    remove(c.journal); /* another journal: what is stored is not its own */
    cr_assert_eq(log_case_serve(&c, 3, 0), RIDE_E_DATA);
    cr_assert_eq(log_case_serve(&c, 3, 0), RIDE_E_DATA, "nor is it the second time");
    log_case_end(&c);
}

static void copy_file(const char *from, const char *to) {
    size_t bytes = 0;
    char *data = run_case_file(from, &bytes);
    FILE *file = fopen(to, "wb");
    cr_assert(data != NULL && file != NULL && fwrite(data, 1, bytes, file) == bytes && fclose(file) == 0);
    free(data);
}

static uint64_t calls_when_ready;
static void note_ready(void *context, const char *part, bool ready, const char *why) {
    (void)why;
    if (ready && strcmp(part, "state") == 0) calls_when_ready = ((log_case *)context)->log.calls;
}

/* An older copy, which names the partition and has no run of it: what it lacks is read from the topic. */
Test(service, a_journal_from_before_the_first_event_still_gives_the_windows) {
    static log_case c;
    char older[192];
    size_t bytes = 0;
    begin(&c, 1, 1500, false);
    cr_assert_eq(run_case_run(&c.run), RIDE_OK);
    char *file = run_case_file(c.run.output, &bytes), *line = strchr(file, '\n') + 1;
    const int64_t all = c.log.counts[0];
    snprintf(older, sizeof older, "%s.older", c.journal);
    c.options.run.vector = true;
    c.log.counts[0] = 0;
    cr_assert_eq(log_case_serve(&c, 1, 0), RIDE_INTERRUPTED, "%s", c.run.err.what);
    copy_file(c.journal, older);
    c.log.counts[0] = all - 100;
    cr_assert_eq(log_case_serve(&c, 2, 0), RIDE_INTERRUPTED, "%s", c.run.err.what);
    copy_file(older, c.journal);
    fake_results_free(&c.log);
    c.log.counts[0] = all;
    c.options.ready = note_ready;
    c.options.ready_context = &c;
    cr_assert_eq(log_case_serve(&c, 3, 0), RIDE_INTERRUPTED, "%s", c.run.err.what);
    cr_assert_gt(calls_when_ready, 5, "it is not ready while 1,400 events are read again, in chunks of 256");
    for (int64_t i = 0; i < all; i++, line = strchr(line, '\n') + 1) {
        const fake_result *r = log_case_first_of(&c.log, 0, i);
        cr_assert_eq(r != NULL, i >= all - 100, "%lld", (long long)i);
        if (r != NULL) cr_assert_eq(strncmp(line, r->value, r->bytes), 0, "%lld:\n%s", (long long)i, r->value);
    }
    free(file);
    log_case_end(&c);
}
