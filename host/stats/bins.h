/* stats/bins.h: the measures of binned counts, bin by bin: begin, add every bin, finish. Internal to host/stats. */
#ifndef RIDE_STATS_BINS_H
#define RIDE_STATS_BINS_H
#include "stats/drift.h"

typedef struct ride_bins {
    long double n_ref, n_cur, psi, js, l_infinity, chi2;
    uint32_t count, used; /* used: not empty on both sides */
} ride_bins;

void ride_bins_begin(ride_bins *bins, uint64_t n_ref, uint64_t n_cur); /* both > 0 */
void ride_bins_add(ride_bins *bins, uint64_t ref, uint64_t cur);
/* Sets bins, dof, psi, js_distance, l_infinity, chi2 and chi2_pvalue. */
void ride_bins_finish(const ride_bins *bins, ride_drift *out);

/* Everything NaN and zero, with the counts and the rates that they give; new is of CATEGORY columns. */
void ride_drift_begin(ride_drift *out, uint64_t n_ref, uint64_t missing_ref, uint64_t n_cur, uint64_t missing,
                      bool is_category, uint64_t new_count);

#endif
