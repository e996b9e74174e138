/* stats/distributions.h: tail probabilities, the p-values of the tests. Internal to host/stats. Any thread. */
#ifndef RIDE_STATS_DISTRIBUTIONS_H
#define RIDE_STATS_DISTRIBUTIONS_H
#include <stdint.h>

/* P(chi-square with dof degrees of freedom > chi2), chi2 >= 0. 1 for dof 0, whose chi2 is always 0. */
double ride_chi2_sf(double chi2, uint32_t dof);

/* P(D_n > d) of the two-sided one-sample Kolmogorov–Smirnov statistic of n observations. NaN for n = 0. Up to 60 ms where n is near
 * 100,000 and d tiny, 5 ms where n <= 140, else below one. */
double ride_kstwo_sf(double d, uint64_t n);

#endif
