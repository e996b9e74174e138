/* Services that share a group because every window is over events of one partition (partition_keyed): each partition gives the results that
 * it gives alone, however far the clocks of the others are ahead, and whichever process has it when.
 * No test here has a `.timeout`: Criterion's timers of long tests that run side by side leak, and LeakSanitizer says so: all of
 * them together have what the longest of them had alone.
 * ride-test: timeout=300 */
#include "../support/log_case.h"

#include <criterion/criterion.h>

enum { PARTITIONS = 4, EVENTS = 2000, PROCESSES = 2 };

/* Every tenth message of a partition comes once more, a little later: its verdict is remembered as long as its own clock says. */
static void repeat_some(fake_log *log) {
    for (uint32_t p = 0; p < log->partitions; p++) {
        fake_message *once = log->messages[p];
        const int64_t count = log->counts[p];
        log->messages[p] = NULL;
        log->counts[p] = 0;
        for (int64_t i = 0; i < count; i++) {
            fake_append(log, p, once[i].key, once[i].key_bytes, once[i].value, once[i].value_bytes);
            const fake_message *again = &once[i - 6];
            if (i % 10 == 9) fake_append(log, p, again->key, again->key_bytes, again->value, again->value_bytes);
        }
        free(once);
    }
}

/* Features of cards alone, over windows that are short beside the stream. */
static void begin(log_case *c, char spec[160], bool pipelined) {
    static const char features[] = "\nentities:\n  card: {keys: [card], horizon: 2d}\nfeatures:\n"
                                   "  - {entity: card, agg: [count], windows: [1h, 1d, 2d]}\n"
                                   "  - {entity: card, column: amount, agg: [mean, max], windows: [2d]}\n"
                                   "  - {entity: card, column: country, agg: [first_seen]}\n"
                                   "  - {entity: card, agg: [since_last]}\n";
    static const ride_rule_spec big = {
        .id = "big", .when = "amount > 20", .decision = RIDE_DECISION_REVIEW, .file = "test", .line = 1, .column = 1};
    size_t bytes = 0;
    cr_assert(log_case_begin(c, PARTITIONS, EVENTS));
    repeat_some(&c->log);
    char *text = run_case_file(c->run.spec, &bytes);
    *strstr(text, "\nentities:") = '\0';
    snprintf(spec, 160, "%s/cards.yaml", c->run.folder);
    FILE *file = fopen(spec, "w");
    fprintf(file, "%s%s", text, features);
    fclose(file);
    free(text);
    ride_run_options *run = &c->options.run;
    run->spec_path = spec;
    run->model_path = NULL;
    run->rules = &big;
    run->rules_count = 1;
    c->options.partition_keyed = true;
    c->options.run.pipelined = pipelined;
}

/* Each partition alone, by a process that knows of no other. The caller frees the results. */
static fake_log alone(log_case *c) {
    for (uint32_t p = 0; p < PARTITIONS; p++) {
        c->log.others = ~(1u << p);
        remove(c->journal);
        cr_assert_eq(log_case_serve(c, p, 0), RIDE_INTERRUPTED, "%s", c->run.err.what);
        cr_assert_eq(c->log.committed[p], c->log.counts[p]);
        c->log.committed[p] = RIDE_OFFSET_NONE;
    }
    fake_log results = c->log;
    cr_assert_gt(c->run.summary.duplicates, 20);
    remove(c->journal);
    c->log.others = 0;
    c->log.results = NULL;
    c->log.results_count = c->log.results_room = 0;
    return results;
}

/* Every message has its result, as it is alone, and so have repeats. Returns the repeats. */
static uint64_t check_results(const log_case *c, const fake_log *expected, const char *what) {
    uint64_t results = 0, messages = 0;
    for (uint64_t i = 0; i < c->log.results_count; i++) {
        const fake_result *r = &c->log.results[i];
        if (r->target != RIDE_TARGET_DECISIONS) continue;
        const fake_result *e = log_case_first_of(expected, r->partition, r->offset);
        cr_assert(e != NULL && e->bytes == r->bytes && memcmp(e->value, r->value, r->bytes) == 0,
                  "%s: %u/%lld is\n%s, alone\n%s", what, r->partition, (long long)r->offset, r->value,
                  e != NULL ? e->value : "not there");
        results++;
    }
    for (uint32_t p = 0; p < PARTITIONS; p++) {
        for (int64_t offset = 0; offset < c->log.counts[p]; offset++)
            cr_assert_not_null(log_case_first_of(&c->log, p, offset), "%s: %u/%lld is missing", what, p,
                               (long long)offset);
        messages += (uint64_t)c->log.counts[p];
    }
    return results - messages;
}

static void a_partition_gives_what_it_gives_alone_wherever_the_clocks_of_others_are(bool pipelined) {
    static log_case c;
    char spec[160];
    begin(&c, spec, pipelined);
    fake_log expected = alone(&c);
    for (uint32_t batch = 1; batch <= 512; batch *= 8)
        for (int in_turn = 0; in_turn < 2; in_turn++) {
            c.log.in_turn = in_turn;
            c.options.run.batch_rows_max = batch;
            for (uint32_t p = 0; p < PARTITIONS; p++) c.log.committed[p] = RIDE_OFFSET_NONE;
            remove(c.journal);
            cr_assert_eq(log_case_serve(&c, batch, 0), RIDE_INTERRUPTED, "%s", c.run.err.what);
            cr_assert_eq(check_results(&c, &expected, in_turn ? "in turn" : "mixed"), 0);
            fake_results_free(&c.log);
        }
    fake_results_free(&expected);
    log_case_end(&c);
}

static void partitions_go_from_process_to_process_and_nothing_is_lost_or_changed(bool pipelined) {
    static log_case c;
    char spec[160], journals[PROCESSES][160];
    uint64_t repeats = 0, crashes = 0, moves = 0;
    begin(&c, spec, pipelined);
    fake_log expected = alone(&c);
    for (uint64_t seed = 1; seed <= 8; seed++) {
        char what[32];
        fake_log chance = {.random = seed * 71};
        snprintf(what, sizeof what, "seed %llu", (unsigned long long)seed);
        for (uint32_t i = 0; i < PROCESSES; i++) {
            snprintf(journals[i], sizeof journals[i], "%s/journal-%u.ride", c.run.folder, i);
            remove(journals[i]);
        }
        for (uint32_t p = 0; p < PARTITIONS; p++) c.log.committed[p] = RIDE_OFFSET_NONE;
        c.options.run.batch_rows_max = 1 + (uint32_t)(fake_random(&chance) % 200);
        c.log.burst_max = 40;
        c.log.full_every = 50;
        c.log.rebalance_every = seed % 2 == 0 ? 40 : 0;
        for (uint32_t attempt = 0;;
             attempt++) { /* one after the other has the floor, with other partitions each time */
            bool done = true;
            for (uint32_t p = 0; p < PARTITIONS; p++) done = done && c.log.committed[p] == c.log.counts[p];
            if (done) break;
            cr_assert_lt(attempt, 200, "%s: it does not come to an end", what);
            const uint32_t others = attempt > 30 ? 0 : (uint32_t)(fake_random(&chance) % 15);
            moves += others != c.log.others;
            c.log.others = others;
            c.options.journal_path = journals[attempt % PROCESSES];
            const ride_status st =
                log_case_serve(&c, seed * 77 + attempt, attempt < 30 ? 20 + fake_random(&chance) % 300 : 0);
            cr_assert(st == RIDE_INTERRUPTED || (st == RIDE_E_IO && strcmp(c.run.err.what, "crash") == 0), "%s: %s",
                      what, c.run.err.what);
            crashes += st == RIDE_E_IO;
        }
        repeats += check_results(&c, &expected, what);
        fake_results_free(&c.log);
    }
    cr_assert_gt(crashes, 50);
    cr_assert_gt(moves, 50);
    cr_assert_gt(repeats, 100, "nothing was hit: the test would see no change");
    fake_results_free(&expected);
    log_case_end(&c);
}

/* Where windows cross partitions the same is refused: at once by who comes second, and who has nothing waits. */
static void without_it_a_second_process_is_refused(bool pipelined) {
    static log_case c;
    cr_assert(log_case_begin(&c, PARTITIONS, 100));
    c.options.run.pipelined = pipelined;
    c.log.others = 1;
    cr_assert_eq(log_case_serve(&c, 1, 0), RIDE_E_CONFIG);
    cr_assert_not_null(strstr(c.run.err.what, "another member of the group has partitions of `events`"), "%s",
                       c.run.err.what);
    log_case_end(&c);
}

/* Each of them by one thread, and by stages on three. */
Test(service_keyed, a_partition_gives_what_it_gives_alone_wherever_the_clocks_of_others_are) {
    a_partition_gives_what_it_gives_alone_wherever_the_clocks_of_others_are(false);
}
Test(service_keyed_pipelined, a_partition_gives_what_it_gives_alone_wherever_the_clocks_of_others_are) {
    a_partition_gives_what_it_gives_alone_wherever_the_clocks_of_others_are(true);
}
Test(service_keyed, partitions_go_from_process_to_process_and_nothing_is_lost_or_changed) {
    partitions_go_from_process_to_process_and_nothing_is_lost_or_changed(false);
}
Test(service_keyed_pipelined, partitions_go_from_process_to_process_and_nothing_is_lost_or_changed) {
    partitions_go_from_process_to_process_and_nothing_is_lost_or_changed(true);
}
Test(service_keyed, without_it_a_second_process_is_refused) { without_it_a_second_process_is_refused(false); }
Test(service_keyed_pipelined, without_it_a_second_process_is_refused) { without_it_a_second_process_is_refused(true); }
