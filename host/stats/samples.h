/* stats/samples.h: sorted samples and what is read off them. Internal to host/stats. Any thread. */
#ifndef RIDE_STATS_SAMPLES_H
#define RIDE_STATS_SAMPLES_H
#include "base/error.h"

/* Moves the values that are not NaN to the front, ascending; the rest of the array is then undefined. Returns how many there are in *out_count.
 * Takes as much memory again while it runs. RIDE_E_MEMORY only. */
ride_status ride_samples_sort(double *values, uint64_t count, uint64_t *out_count, ride_error *err);

/* Mean and population standard deviation; 0 exactly for a constant. NaN when there is no value or an infinite one. */
void ride_samples_moments(const double *sorted, uint64_t count, double *mean, double *std_pop);

/* How many are <= x. */
uint64_t ride_samples_up_to(const double *sorted, uint64_t count, double x);

enum { RIDE_QUANTILES = 250, RIDE_DECILE_STEP = RIDE_QUANTILES / 10 };
/* The quantile share = i / RIDE_QUANTILES (0 … RIDE_QUANTILES), linear interpolation as numpy's default does it, bit for bit. count > 0. */
double ride_samples_quantile(const double *sorted, uint64_t count, uint32_t i);
/* The inner edges of the reported bins: the deciles, duplicates dropped. Returns how many; 0 when there is no value. */
uint32_t ride_samples_deciles(const double *sorted, uint64_t count, double edges[9]);

#endif
