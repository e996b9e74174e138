/* state/journal_exact.c: from where results along a journal are exact when the log has forgotten its begin. */
#include "state/journal.h"

#include <stdlib.h>

/* No later event is in the run, or is what a label of it is about. Labels, and events that are the first of their stream, have no time of the
 * stream before them: what they may be about is as new as anything that came before, or as what waits. */
static int64_t newest_of(const ride_journal_run *run) {
    if (run->stream_us > INT64_MIN / 2) return run->stream_end_us;
    return run->stream_end_us > run->newest_us ? run->stream_end_us : run->newest_us;
}

static int64_t minus(int64_t a, int64_t b) { return a < INT64_MIN + b ? INT64_MIN : a - b; } /* b >= 0 */

/* lost_us[stream]: greatest event time of what is gone; INT64_MIN = nothing is. */
static ride_status find_lost(ride_journal *journal, const int64_t *begins, bool apart, int64_t *lost_us,
                             ride_error *err) {
    const uint32_t count = ride_journal_streams(journal);
    ride_journal_run run;
    ride_status st = RIDE_OK;
    for (uint32_t i = 0; i < count; i++) lost_us[i] = INT64_MIN;
    for (uint64_t at = 0; (st = ride_journal_read(journal, &at, &run, err)) == RIDE_OK;) {
        if (run.offset_first >= begins[run.stream]) continue;
        const int64_t newest_us = newest_of(&run);
        for (uint32_t i = apart ? run.stream : 0; i < (apart ? run.stream + 1 : count); i++)
            if (newest_us > lost_us[i]) lost_us[i] = newest_us;
    }
    return st == RIDE_END ? RIDE_OK : st;
}

ride_status ride_journal_find_exact(ride_journal *journal, const int64_t *begins, int64_t retention_us, bool apart,
                                    int64_t *exact, ride_error *err) {
    const uint32_t count = ride_journal_streams(journal);
    int64_t *lost_us = malloc((count + 1) * sizeof *lost_us);
    ride_journal_run run;
    if (lost_us == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory to look through the arrival journal");
    ride_status st = find_lost(journal, begins, apart, lost_us, err);
    for (uint32_t i = 0; i < count; i++) exact[i] = ride_journal_stream_at(journal, i)->offset_end;
    for (uint64_t at = 0; st == RIDE_OK;) {
        st = ride_journal_read(journal, &at, &run, err);
        if (st != RIDE_OK || exact[run.stream] <= run.offset_first) continue;
        if (lost_us[run.stream] != INT64_MIN && minus(run.clock_us, retention_us) < lost_us[run.stream]) continue;
        exact[run.stream] = run.offset_first > begins[run.stream] ? run.offset_first : begins[run.stream];
    }
    free(lost_us);
    return st == RIDE_END ? RIDE_OK : st;
}
