/* support/log_check.h: what must hold of the results that a fake log has, whatever happened while they were made. */
#ifndef RIDE_TESTS_LOG_CHECK_H
#define RIDE_TESTS_LOG_CHECK_H
#include "log_case.h"

#include <criterion/criterion.h>

/* Every message has a result; its repeats have the same bytes; first results of a partition are in its order. Returns the repeats. */
static inline uint64_t check_results(const fake_log *log, const char *what) {
    uint64_t repeats = 0, firsts = 0;
    const fake_result **first[FAKE_PARTITIONS_MAX] = {0};
    int64_t last[FAKE_PARTITIONS_MAX];
    for (uint32_t p = 0; p < log->partitions; p++) {
        first[p] = calloc((size_t)log->counts[p] + 1, sizeof *first[p]);
        last[p] = -1;
    }
    for (uint64_t i = 0; i < log->results_count; i++) {
        const fake_result *r = &log->results[i];
        if (r->target != RIDE_TARGET_DECISIONS) continue;
        cr_assert(r->partition < log->partitions && r->offset < log->counts[r->partition], "%s: invented", what);
        const fake_result **f = &first[r->partition][r->offset];
        if (*f == NULL) {
            cr_assert_eq(r->offset, last[r->partition] + 1, "%s: %u/%lld came out of order", what, r->partition,
                         (long long)r->offset);
            last[r->partition] = r->offset;
            *f = r;
            firsts++;
            continue;
        }
        repeats++;
        cr_assert(r->bytes == (*f)->bytes && memcmp(r->value, (*f)->value, r->bytes) == 0,
                  "%s: %u/%lld was repeated with other bytes:\n%s\n%s", what, r->partition, (long long)r->offset,
                  (*f)->value, r->value);
    }
    for (uint32_t p = 0; p < log->partitions; p++) {
        cr_assert_eq(last[p] + 1, log->counts[p], "%s: %u misses results from %lld on", what, p,
                     (long long)last[p] + 1);
        free(first[p]);
    }
    return repeats;
}

/* The journal alone gives every result again. */
static inline void check_replay(log_case *c, const char *what) {
    fake_log served = c->log;
    c->log.results = NULL;
    c->log.results_count = c->log.results_room = 0;
    c->log.full_every = c->log.rebalance_every = 0;
    c->options.replay = true;
    const uint32_t batch = c->options.run.batch_rows_max;
    c->options.run.batch_rows_max = 333;
    cr_assert_eq(log_case_serve(c, 1, 0), RIDE_OK, "%s: %s", what, c->run.err.what);
    c->options.replay = false;
    c->options.run.batch_rows_max = batch;
    check_results(&c->log, "replay");
    for (uint64_t i = 0; i < c->log.results_count; i++) {
        const fake_result *r = &c->log.results[i];
        if (r->target != RIDE_TARGET_DECISIONS) continue;
        const fake_result *f = log_case_first_of(&served, r->partition, r->offset);
        cr_assert(f != NULL && f->bytes == r->bytes && memcmp(f->value, r->value, r->bytes) == 0,
                  "%s: a replay of %u/%lld differs:\n%s\n%s", what, r->partition, (long long)r->offset, f->value,
                  r->value);
    }
    fake_results_free(&c->log);
    c->log = served;
}

#endif
