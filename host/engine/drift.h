/* engine/drift.h: drift of a run: what each interval of event time looked like beside the reference profile.
 *
 * An interval is [from, to) by the run's clock, the greatest event time so far, aligned to the epoch in UTC: an event is in the
 * interval in which it came, also when its own time is older. So intervals end one after the other, and what is in them depends on
 * the events alone, never on batches. Duplicates and labels are not counted. Intervals without an event are one record together,
 * of no rows and null values. At most RIDE_DRIFT_INTERVALS_MAX records are kept; then the oldest is dropped and counted.
 *
 * The last record may be of an interval that is still open: a run with a state goes on with it. */
#ifndef RIDE_ENGINE_DRIFT_H
#define RIDE_ENGINE_DRIFT_H
#include "engine/engine.h"
#include "kernels/layout/profile.h"
#include "stats/drift.h"

#include <stdio.h>

enum { RIDE_DRIFT_INTERVALS_MAX = 400, RIDE_DRIFT_ALERT_VALUES_PER_BIN = 50 };

typedef struct ride_run_drift_interval {
    int64_t from_us, to_us;
    uint64_t rows;
    bool is_open;
    const ride_drift *columns; /* [columns_count] */
} ride_run_drift_interval;

typedef struct ride_run_drift {
    char *profile_path;
    uint8_t profile_hash[32]; /* of its content */
    int64_t interval_us;
    double psi_alert;
    uint32_t columns_count, cells_count;
    char (*names)[RIDE_NAME_BYTES * 4]; /* [columns_count] */
    ride_run_drift_interval *intervals; /* [RIDE_DRIFT_INTERVALS_MAX], oldest first */
    uint32_t intervals_count;
    uint64_t intervals_dropped;
    ride_drift *values; /* room of the intervals' columns */
    /* Histograms of the reference and of the newest interval that has rows and is not open (or, when there is none, of the open
     * one): profile's cells. The profile borrows from `image`, a copy that lives as long as the report. */
    ride_profile profile;
    uint64_t *latest_cells; /* [cells_count]; all zero: there was no event */
    uint32_t latest;        /* its record; UINT32_MAX: none */
    uint8_t *image;
} ride_run_drift;

void ride_run_drift_destroy(ride_run_drift *report); /* NULL is fine */

/* The interval has values enough to say something of the column: with fewer than RIDE_DRIFT_ALERT_VALUES_PER_BIN for each bin a
 * psi is mostly chance. */
static inline bool ride_drift_tells(const ride_drift *drift) {
    return drift->n_cur > 0 && drift->n_cur >= (uint64_t)RIDE_DRIFT_ALERT_VALUES_PER_BIN * drift->bins;
}
/* It does, and the column's psi has passed the alert. */
static inline bool ride_drift_is_alert(const ride_run_drift *report, const ride_drift *drift) {
    return ride_drift_tells(drift) && drift->psi >= report->psi_alert;
}
/* The newest of the first `count` intervals that tells something of the column, or -1. */
int32_t ride_drift_newest(const ride_run_drift *report, uint32_t count, uint32_t column);

/* JSON as docs/run-summary.md names it: the summary's member, and the line of one column and interval with its LF (its bytes). */
enum { RIDE_DRIFT_LINE_BYTES = 4096 };
void ride_drift_put(FILE *to, const ride_run_drift *report);
size_t ride_drift_line(const ride_run_drift *report, const ride_run_drift_interval *interval, uint32_t column,
                       char text[RIDE_DRIFT_LINE_BYTES]);

#endif
