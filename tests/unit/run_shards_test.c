/* Runs with several shards: the bytes of one, whatever the batches and wherever the run is cut; one file of state for any number of
 * shards; what is refused, and what fails. */
#include "backend/fake.h"
#include "engine/drift.h"
#include "engine/profile.h"
#include "tests/support/run_case.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <sched.h>

static run_case cases[2];

/* Not inlined: with the case's index known to be variable, gcc 12 suspects that its members overlap. */
__attribute__((noinline)) static void begin(run_case *c) { cr_assert(run_case_begin(c)); }

static void same_files(const char *a, const char *b, const char *what) {
    size_t a_bytes = 0, b_bytes = 0;
    char *x = run_case_file(a, &a_bytes), *y = run_case_file(b, &b_bytes);
    cr_assert(x != NULL && y != NULL, "%s: %s", what, b);
    cr_assert(a_bytes == b_bytes && memcmp(x, y, a_bytes) == 0, "%s: %s and %s differ", what, a, b);
    free(x);
    free(y);
}

static void same_outcome(const run_case *a, const run_case *b, const char *what) {
    const ride_run_summary *x = &a->summary, *y = &b->summary;
    same_files(a->output, b->output, what);
    same_files(a->late, b->late, what);
    same_files(a->rejects, b->rejects, what);
    cr_assert(x->received == y->received && x->accepted == y->accepted && x->rejected == y->rejected &&
                  x->duplicates == y->duplicates && x->late == y->late && x->too_late == y->too_late,
              "%s: the summary counts others", what);
    cr_assert_eq(memcmp(x->decisions, y->decisions, sizeof x->decisions), 0, "%s", what);
    cr_assert_eq(memcmp(x->rules, y->rules, sizeof x->rules), 0, "%s", what);
    cr_assert_eq(x->alerts_count, y->alerts_count, "%s", what);
    for (uint32_t i = 0; i < x->alerts_count; i++) {
        cr_assert_eq(x->alerts[i].sequence, y->alerts[i].sequence, "%s", what);
        cr_assert_eq(x->alerts[i].features[0].value, y->alerts[i].features[0].value, "%s", what);
        cr_assert_eq(x->alerts[i].features[0].deviations, y->alerts[i].features[0].deviations, "%s", what);
    }
}

Test(run_shards, any_number_of_them_and_any_batch_give_the_bytes_of_one, .timeout = 300) {
    static const uint32_t shards[] = {2, 3, 4, 9}, batches[] = {1, 7, 33, 256, 1000, 4000};
    run_case *one = &cases[0], *many = &cases[1];
    char what[64];
    begin(one);
    cr_assert_eq(run_case_run(one), RIDE_OK);
    for (size_t s = 0; s < sizeof shards / sizeof *shards; s++)
        for (size_t b = s % 2; b < sizeof batches / sizeof *batches; b += s < 2 ? 1 : 2) {
            begin(many);
            many->options.shards = shards[s];
            many->options.batch_rows_max = batches[b];
            snprintf(what, sizeof what, "%u shards, batches of %u", shards[s], batches[b]);
            cr_assert_eq(run_case_run(many), RIDE_OK, "%s: %s", what, many->err.what);
            same_outcome(one, many, what);
            run_case_end(many);
        }
    run_case_end(one);
}

Test(run_shards, features_too_without_a_model) {
    run_case *one = &cases[0], *many = &cases[1];
    begin(one);
    one->options.record = RIDE_RECORD_FEATURES;
    one->options.model_path = NULL;
    one->options.rules_count = 0;
    begin(many);
    many->options.record = RIDE_RECORD_FEATURES;
    many->options.model_path = NULL;
    many->options.rules_count = 0;
    many->options.shards = 3;
    many->options.batch_rows_max = 500;
    cr_assert_eq(run_case_run(one), RIDE_OK);
    cr_assert_eq(run_case_run(many), RIDE_OK, "%s", many->err.what);
    same_files(one->output, many->output, "features");
    run_case_end(many);
    run_case_end(one);
}

/* The newest generation of a folder of saved state. */
static char *saved_state(const run_case *c, size_t *bytes) {
    char newest[512] = "";
    DIR *list = opendir(c->state);
    for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
        char path[512];
        if (strncmp(entry->d_name, "state-", 6) != 0) continue;
        snprintf(path, sizeof path, "%s/%.100s", c->state, entry->d_name);
        if (strcmp(path, newest) > 0) strcpy(newest, path);
    }
    if (list != NULL) closedir(list);
    char *data = run_case_file(newest, bytes);
    cr_assert_not_null(data);
    return data;
}

/* A run of the case's own files, cut where it is told, that leaves its state. */
static char *state_after(run_case *c, uint32_t shards, size_t *bytes) {
    char command[600];
    snprintf(command, sizeof command, "rm -rf %s %s %s %s", c->state, c->output, c->late, c->rejects);
    cr_assert_eq(system(command), 0);
    c->options.state_dir = c->state;
    c->options.shards = shards;
    c->options.batch_rows_max = 100;
    c->stop_after = 1700;
    cr_assert_eq(run_case_run(c), RIDE_INTERRUPTED, "%s", c->err.what);
    return saved_state(c, bytes);
}

Test(run_shards, the_saved_state_is_the_file_that_one_saves) {
    run_case *c = &cases[0];
    size_t one_bytes = 0, bytes = 0;
    begin(c);
    char *one = state_after(c, 1, &one_bytes);
    for (uint32_t shards = 2; shards <= 5; shards++) {
        char *many = state_after(c, shards, &bytes);
        cr_assert(bytes == one_bytes && memcmp(one, many, bytes) == 0, "%u shards save other bytes", shards);
        free(many);
    }
    free(one);
    run_case_end(c);
}

Test(run_shards, a_run_goes_on_with_another_number_of_them, .timeout = 300) {
    static const uint32_t shards[] = {2, 1, 3, 8, 2}, batches[] = {64, 7, 1000, 300};
    static const uint64_t cuts[] = {90, 700, 2000};
    run_case *whole = &cases[0], *cut = &cases[1];
    begin(whole);
    cr_assert_eq(run_case_run(whole), RIDE_OK);
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        ride_status st = RIDE_INTERRUPTED;
        begin(cut);
        cut->options.state_dir = cut->state;
        cut->stop_after = cuts[i];
        for (uint32_t run = 0; st == RIDE_INTERRUPTED; run++) {
            cut->options.shards = shards[run % 5];
            cut->options.batch_rows_max = batches[run % 4];
            st = run_case_run(cut);
            cr_assert(st == RIDE_OK || st == RIDE_INTERRUPTED, "run %u: %s", run, cut->err.what);
        }
        same_files(whole->output, cut->output, "resumed");
        same_files(whole->late, cut->late, "resumed");
        cr_assert_eq(whole->summary.received, cut->summary.received);
        cr_assert_eq(memcmp(whole->summary.rules, cut->summary.rules, sizeof whole->summary.rules), 0);
        run_case_end(cut);
    }
    run_case_end(whole);
}

/* Intervals that end within a batch: each thread counts what it scores, the parts of a batch are counted by the caller. */
Test(run_shards, drift_is_that_of_one, .timeout = 300) {
    run_case *c = &cases[0];
    ride_profile_built built;
    char profile[128], lines[2][128];
    begin(c);
    snprintf(profile, sizeof profile, "%s/golden.profile", c->folder);
    const ride_profile_build_options build = {.run = &c->options,
                                              .output_path = profile,
                                              .from_us = INT64_MIN,
                                              .to_us = INT64_MAX};
    ride_diagnostics_init(&c->findings);
    cr_assert_eq(ride_profile_build(&build, &built, &c->findings, &c->err), RIDE_OK, "%s", c->err.what);
    c->options.profile_path = profile;
    c->options.drift_interval_us = INT64_C(6) * 3600 * 1000000;
    for (uint32_t shards = 1; shards <= 4; shards++)
        for (uint32_t batch = 50; batch <= 2000; batch *= 6) {
            const int first = shards == 1 && batch == 50;
            char *to = lines[!first];
            snprintf(to, sizeof lines[0], "%s/drift-%d.ndjson", c->folder, !first);
            c->options.drift_path = to;
            c->options.shards = shards;
            c->options.batch_rows_max = batch;
            cr_assert_eq(run_case_run(c), RIDE_OK, "%s", c->err.what);
            cr_assert_gt(c->summary.drift->intervals_count, 20);
            same_files(lines[0], to, "drift");
        }
    run_case_end(c);
}

/* A profile is built from a run, which may have shards too. */
Test(run_shards, a_profile_is_that_of_one) {
    run_case *c = &cases[0];
    ride_profile_built built;
    char paths[2][128];
    begin(c);
    for (int i = 0; i < 2; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/%d.profile", c->folder, i);
        c->options.shards = i == 0 ? 1 : 3;
        const ride_profile_build_options build = {.run = &c->options,
                                                  .output_path = paths[i],
                                                  .from_us = INT64_MIN,
                                                  .to_us = INT64_MAX};
        ride_diagnostics_init(&c->findings);
        cr_assert_eq(ride_profile_build(&build, &built, &c->findings, &c->err), RIDE_OK, "%s", c->err.what);
    }
    same_files(paths[0], paths[1], "profile");
    run_case_end(c);
}

Test(run_shards, the_reference_backend_has_them_too) {
    run_case *one = &cases[0], *many = &cases[1];
    begin(one);
    begin(many);
    cr_assert_eq(run_case_run(one), RIDE_OK);
    many->options.backend = "reference";
    many->options.shards = 2;
    cr_assert_eq(run_case_run(many), RIDE_OK, "%s", many->err.what);
    same_outcome(one, many, "reference");
    run_case_end(many);
    run_case_end(one);
}

Test(run_shards, a_shard_whose_memory_is_out_ends_the_run_with_the_reason) {
    run_case *c = &cases[0];
    begin(c);
    c->options.shards = 3;
    c->options.backend_memory = 1 << 19; /* the keys alone need more */
    cr_assert_eq(run_case_run(c), RIDE_E_MEMORY, "%s", c->err.what);
    cr_assert_not_null(strstr(c->err.what, "outgrown"), "%s", c->err.what);
    run_case_end(c);
}

Test(run_shards, more_than_there_may_be_are_refused) {
    run_case *c = &cases[0];
    begin(c);
    c->options.shards = RIDE_SHARDS_MAX + 1;
    cr_assert_eq(run_case_run(c), RIDE_E_CONFIG);
    run_case_end(c);
}

static int cpu_here(int which) {
    cpu_set_t set;
    cr_assert_eq(sched_getaffinity(0, sizeof set, &set), 0);
    for (int cpu = 0, found = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET((size_t)cpu, &set) && found++ == which) return cpu;
    return -1;
}

Test(run_shards, are_bound_to_the_cpus_that_they_were_given_and_the_caller_is_let_go) {
    run_case *one = &cases[0], *c = &cases[1];
    int cpus[3] = {cpu_here(0), cpu_here(1), -1};
    cpu_set_t before, after;
    begin(one);
    cr_assert_eq(run_case_run(one), RIDE_OK);
    begin(c);
    cr_assert_eq(sched_getaffinity(0, sizeof before, &before), 0);
    c->options.shards = 3;
    c->options.shard_cpus = cpus;
    cr_assert_eq(run_case_run(c), RIDE_OK, "%s", c->err.what);
    same_outcome(one, c, "bound");
    cr_assert_eq(sched_getaffinity(0, sizeof after, &after), 0);
    cr_assert(CPU_EQUAL(&before, &after));
    for (int shard = 0; shard < 2; shard++) { /* a cpu that no machine has */
        cpus[shard] = 1000000;
        cr_assert_eq(run_case_run(c), RIDE_E_CONFIG);
        cr_assert_not_null(strstr(c->err.what, "cannot be bound to cpu 1000000"), "%s", c->err.what);
        cpus[shard] = cpu_here(0);
    }
    run_case_end(c);
    run_case_end(one);
}

/* The cpu's works, done when the script says. */
static void begin_fake(run_case *c, const ride_fake_event *events, uint32_t events_count) {
    ride_fake_set(&(ride_fake_script){.devices_count = 1,
                                      .delay_ns = 20000,
                                      .events = events,
                                      .events_count = events_count,
                                      .real = ride_backend_cpu});
    begin(c);
    c->options.backend = "fake";
    c->options.shards = 3;
    c->options.batch_rows_max = 300;
}

Test(run_shards, work_that_takes_its_time_gives_the_same_bytes) {
    run_case *one = &cases[0], *many = &cases[1];
    const ride_fake_event slow[] = {{.action = RIDE_FAKE_DELAY, .work_index = 11, .delay_ns = 20000000},
                                    {.action = RIDE_FAKE_DELAY, .work_index = 40, .delay_ns = 20000000}};
    begin(one);
    cr_assert_eq(run_case_run(one), RIDE_OK);
    begin_fake(many, slow, 2);
    cr_assert_eq(run_case_run(many), RIDE_OK, "%s", many->err.what);
    same_outcome(one, many, "slow");
    run_case_end(many);
    run_case_end(one);
    ride_fake_set(NULL);
}

/* Whichever piece it is, of windows or of rows, and whoever does it. */
Test(run_shards, a_piece_that_fails_and_a_device_that_is_lost_end_the_run_with_their_status, .timeout = 120) {
    run_case *c = &cases[0];
    for (uint64_t work = 3; work < 40; work++) { /* 0 … 2: the queues' first */
        const ride_fake_event fails = {.action = RIDE_FAKE_FAIL, .work_index = work, .status = RIDE_E_UNAVAILABLE};
        const ride_fake_event lost = {.action = RIDE_FAKE_LOSE, .work_index = work};
        begin_fake(c, &fails, 1);
        cr_assert_eq(run_case_run(c), RIDE_E_UNAVAILABLE, "work %llu: %s", (unsigned long long)work, c->err.what);
        cr_assert_not_null(strstr(c->err.what, "the backend `fake` failed"), "%s", c->err.what);
        run_case_end(c);
        begin_fake(c, &lost, 1);
        cr_assert_eq(run_case_run(c), RIDE_E_DEVICE_LOST, "work %llu: %s", (unsigned long long)work, c->err.what);
        run_case_end(c);
    }
    ride_fake_set(NULL);
}
