/* From where results along a journal are exact when a log has forgotten its begin, and where a rebuild begins when labels wait. */
#include "state/journal.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

static char path[64];
static ride_journal *journal;
static ride_error err;
static const uint8_t spec[32] = {7};

static void begin(void) {
    uint32_t number;
    snprintf(path, sizeof path, "/tmp/ride_journal_exact_%d", (int)getpid());
    unlink(path);
    cr_assert_eq(ride_journal_open(path, spec, false, false, &journal, &err), RIDE_OK);
    cr_assert_eq(ride_journal_stream_number(journal, "tx", "tx", 0, true, 0, &number, &err), RIDE_OK);
    cr_assert_eq(ride_journal_stream_number(journal, "tx", "tx", 1, true, 0, &number, &err), RIDE_OK);
    cr_assert_eq(ride_journal_stream_number(journal, "labels", "cb", 0, true, 0, &number, &err), RIDE_OK);
}
static void end(void) {
    ride_journal_close(journal);
    unlink(path);
}

static void run(uint32_t stream, int64_t first, int64_t last, int64_t clock_us, int64_t end_us, int64_t newest_us) {
    const ride_journal_run r = {.stream = stream,
                                .messages = (uint32_t)(last - first + 1),
                                .offset_first = first,
                                .offset_last = last,
                                .clock_us = clock_us,
                                .floor_us = INT64_MAX,
                                .stream_us = end_us == INT64_MIN ? INT64_MIN / 2 : clock_us,
                                .stream_end_us = end_us,
                                .newest_us = newest_us};
    cr_assert_eq(ride_journal_append(journal, &r, 1, &err), RIDE_OK);
}

static int64_t exact[3];
static void find(int64_t begin_0, int64_t begin_1, int64_t begin_labels, int64_t retention_us, bool apart) {
    const int64_t begins[3] = {begin_0, begin_1, begin_labels};
    cr_assert_eq(ride_journal_find_exact(journal, begins, retention_us, apart, exact, &err), RIDE_OK);
}

Test(journal_exact, what_is_gone_spoils_results_for_as_long_as_it_is_remembered, .init = begin, .fini = end) {
    run(0, 0, 9, INT64_MIN / 2, 100, INT64_MIN);
    run(1, 0, 4, 0, 110, 100);
    run(0, 10, 19, 100, 200, 110);
    run(1, 5, 9, 110, 210, 200);
    run(0, 20, 29, 200, 300, 210);
    run(1, 10, 14, 210, 310, 300);
    find(INT64_MIN, INT64_MIN, INT64_MIN, 50, false);
    cr_assert(exact[0] == 0 && exact[1] == 0, "all is there");
    find(0, 0, 0, 50, false);
    cr_assert(exact[0] == 0 && exact[1] == 0);
    find(10, 0, 0, 50, false); /* times up to 100 are gone: exact where the clock is 150 */
    cr_assert(exact[0] == 20 && exact[1] == 10);
    find(12, 0, 0, 50, false); /* of the run that is cut, all of it may be: 200 + 50 */
    cr_assert(exact[0] == 30 && exact[1] == 15, "no result: the end");
    find(12, 0, 0, 0, false); /* nothing is remembered */
    cr_assert(exact[0] == 20 && exact[1] == 10);
    find(12, 0, 0, 0, true); /* streams apart: the other one lacks nothing */
    cr_assert(exact[0] == 20 && exact[1] == 0);
    find(10, 0, 0, INT64_MAX, false); /* for ever */
    cr_assert(exact[0] == 30 && exact[1] == 15);
    find(0, 0, 0, INT64_MAX, false);
    cr_assert(exact[0] == 0 && exact[1] == 0);
    cr_assert_eq(ride_journal_stream_at(journal, 1)->offset_first, 0);
    cr_assert_eq(ride_journal_stream_at(journal, 1)->offset_end, 15);
}

Test(journal_exact, a_label_that_is_gone_counts_as_new_as_what_came_before_it, .init = begin, .fini = end) {
    run(0, 0, 9, INT64_MIN / 2, 100, INT64_MIN);
    run(2, 0, 3, 100, INT64_MIN, 100);
    run(0, 10, 19, 100, 200, 100);
    run(0, 20, 29, 200, 300, 200);
    find(0, 0, 4, 50, false);
    cr_assert_eq(exact[0], 20);
    find(0, 0, 0, 50, false);
    cr_assert_eq(exact[0], 0);
}

static uint64_t start(int64_t committed_0, int64_t retention_us) {
    const int64_t committed[3] = {committed_0, INT64_MAX, INT64_MAX};
    uint64_t place = 0;
    int64_t clock_us = 0;
    ride_journal_run first;
    cr_assert_eq(ride_journal_find_start(journal, committed, retention_us, false, &place, &clock_us, &err), RIDE_OK);
    cr_assert_eq(ride_journal_read(journal, &place, &first, &err), RIDE_OK);
    return (uint64_t)first.stream * 1000 + (uint64_t)first.offset_first;
}

/* A label that was met before its event waits for it, over a restart too: the rebuild must begin before the label. */
Test(journal_exact, a_rebuild_begins_before_labels_that_may_wait, .init = begin, .fini = end) {
    run(0, 0, 9, INT64_MIN / 2, 100, INT64_MIN);
    run(2, 0, 3, 100, INT64_MIN, 100); /* all found their events */
    run(0, 10, 19, 100, 200, 100);
    run(0, 20, 29, 200, 300, 200);
    cr_assert_eq(start(30, 150), 0, "the clock is 200, 50 is needed, and that may be in the first run");
    cr_assert_eq(start(30, 50), 10, "150 is needed: not behind the run that came to 200");
    end();
    begin();
    run(0, 0, 9, INT64_MIN / 2, 100, INT64_MIN);
    run(2, 0, 3, 100, 260, 100); /* one is about an event up to 260 */
    run(0, 10, 19, 100, 200, 100);
    run(0, 20, 29, 200, 300, 200);
    run(0, 30, 39, 300, 400, 300);
    cr_assert_eq(start(30, 50), 2000, "the clock is 300: an event at 255 may still come back");
    cr_assert_eq(start(40, 20), 20, "280 is needed: no label waits for that");
}
