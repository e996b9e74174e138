/* state/journal_start.c: where along the arrival journal a rebuild begins: behind everything that no window reaches any more. */
#include "state/journal.h"

#include <stdlib.h>

/* The clock of the first run that is not all done; of the last one when all are. */
static ride_status clock_of_all(ride_journal *j, const int64_t *committed, int64_t *out, ride_error *err) {
    ride_journal_run run;
    ride_status st;
    *out = INT64_MIN;
    for (uint64_t at = 0; (st = ride_journal_read(j, &at, &run, err)) == RIDE_OK;) {
        *out = run.clock_us;
        if (run.offset_last >= committed[run.stream]) break;
    }
    return st == RIDE_END ? RIDE_OK : st;
}

static int64_t needed_of(int64_t clock_us, int64_t retention_us) {
    return clock_us < INT64_MIN + retention_us ? INT64_MIN : clock_us - retention_us;
}

/* Each stream has a clock of its own. needed_us[stream]: the events up to it are in no window of its first run that is not done, or of what
 * comes behind its last; INT64_MAX where there are none before. *limit: the place of the first of those runs. */
static ride_status needed_of_each(ride_journal *j, const int64_t *committed, int64_t retention_us, int64_t *needed_us,
                                  uint64_t *limit, int64_t *least_us, ride_error *err) {
    ride_journal_run run;
    ride_status st;
    const int64_t unknown = INT64_MIN / 2 - 1; /* no run has it */
    for (uint32_t i = 0; i < ride_journal_streams(j); i++)
        needed_us[i] = committed[i] == INT64_MAX ? INT64_MAX : unknown;
    for (uint64_t at = 0, before = 0; (st = ride_journal_read(j, &at, &run, err)) == RIDE_OK; before = at) {
        if (needed_us[run.stream] != unknown || run.offset_last < committed[run.stream]) continue;
        needed_us[run.stream] = run.clock_us > INT64_MIN / 2 ? run.clock_us : INT64_MAX;
        if (before < *limit) *limit = before;
    }
    *least_us = INT64_MAX;
    for (uint32_t i = 0; i < ride_journal_streams(j); i++) {
        const ride_journal_stream *stream = ride_journal_stream_at(j, i);
        if (needed_us[i] == unknown) needed_us[i] = stream->has_runs ? stream->stream_us : INT64_MAX;
        if (needed_us[i] < *least_us) *least_us = needed_us[i];
        if (needed_us[i] != INT64_MAX) needed_us[i] = needed_of(needed_us[i], retention_us);
    }
    return st == RIDE_END ? RIDE_OK : st;
}

static ride_status find_start_apart(ride_journal *j, const int64_t *committed, int64_t retention_us, uint64_t *place,
                                    int64_t *least_us, ride_error *err) {
    ride_journal_run run;
    uint64_t limit = UINT64_MAX;
    int64_t *needed_us = malloc((ride_journal_streams(j) + 1) * sizeof *needed_us);
    if (needed_us == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the streams of the arrival journal");
    ride_status st = needed_of_each(j, committed, retention_us, needed_us, &limit, least_us, err);
    *place = 0;
    for (uint64_t at = 0, before = 0;
         st == RIDE_OK && before < limit && (st = ride_journal_read(j, &at, &run, err)) == RIDE_OK; before = at) {
        *place = before;
        if (run.stream_end_us > needed_us[run.stream]) break;
    }
    free(needed_us);
    return st == RIDE_END ? RIDE_OK : st;
}

ride_status ride_journal_find_start(ride_journal *j, const int64_t *committed, int64_t retention_us, bool own_clocks,
                                    uint64_t *place, int64_t *out_clock_us, ride_error *err) {
    ride_journal_run run;
    ride_status st = RIDE_OK;
    if (own_clocks) return find_start_apart(j, committed, retention_us, place, out_clock_us, err);
    RIDE_TRY(clock_of_all(j, committed, out_clock_us, err));
    const int64_t needed_us = needed_of(*out_clock_us, retention_us);
    *place = 0;
    for (uint64_t at = 0, before = 0; (st = ride_journal_read(j, &at, &run, err)) == RIDE_OK; before = at) {
        if (run.newest_us > needed_us) break;
        if (run.newest_us != INT64_MIN) *place = before;
        if (run.stream_end_us > needed_us) break; /* a label of it may wait for an event that comes behind it */
    }
    return st == RIDE_OK || st == RIDE_END ? RIDE_OK : st;
}
