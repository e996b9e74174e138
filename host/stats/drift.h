/* stats/drift.h: how far current data has drifted from a reference, and the reference profile itself (docs/drift.md).
 *
 * p: reference shares, q: current shares over the same bins. Missing values (NaN) are left out of both and reported as missing_rate. A
 * number's bins are cut at the deciles of the reference, duplicates dropped; a category's are its values in the reference, and what
 * the reference does not have is one more bin where there is any.
 *   psi            Σ (q - p) ln(q / p); shares of zero count as 1e-4 and nothing is renormalised
 *   js_distance    √ of the Jensen–Shannon divergence to base e, 0 ln 0 = 0
 *   l_infinity     max |p - q|
 *   chi2           of the 2 × bins contingency table without Yates' correction; bins empty on both sides are left out, dof = those
 *                  left - 1; 0 with p-value 1 when only one is left
 *   ks             two-sample Kolmogorov–Smirnov, two-sided; ks_pvalue asymptotic: the survival function of kstwo with
 *                  n = round(n_ref n_cur / (n_ref + n_cur)) (scipy's ks_2samp(method="asymp")); NaN for n = 0
 *   wasserstein    W1 of the two empirical distributions; wasserstein_normed = W1 / population standard deviation of the reference
 * Everything is NaN (null in JSON) where it has no value: no data on one side, ks and wasserstein of categories, wasserstein_normed of a
 * constant reference, wasserstein of infinite values, new_category_rate of numbers.
 *
 * From samples all of it is exact. From counts (a profile's cells) ks and wasserstein are those of the histograms; ks_error and
 * wasserstein_error bound how far they can be from the exact ones: ks is at most ks_error too small, wasserstein at most wasserstein_error
 * too small or too large, which is infinite (null in JSON) when a value lies outside the reference's range, as nothing says how far. Both are
 * 0 from samples.
 * Pure functions of their arguments; any thread. */
#ifndef RIDE_STATS_DRIFT_H
#define RIDE_STATS_DRIFT_H
#include "base/error.h"
#include "kernels/layout/profile.h"

typedef struct ride_drift {
    uint64_t n_ref, n_cur;         /* values that are not missing */
    uint64_t missing_ref, missing; /* missing values */
    uint32_t bins;                 /* of psi, js_distance, l_infinity and chi2 */
    uint32_t dof;                  /* 0 when nothing could be compared */
    double psi, js_distance, l_infinity;
    double ks, ks_pvalue, ks_error;
    double wasserstein, wasserstein_normed, wasserstein_error;
    double chi2, chi2_pvalue;
    double missing_rate, new_category_rate; /* of the current rows; NaN when there is none */
} ride_drift;

/* One column of a profile against counts of its cells (cells: the column's first). */
void ride_drift_from_counts(const ride_profile *profile, uint32_t column, const uint64_t *cells, ride_drift *out);

/* Two samples; NaN is missing. is_category: bins are the distinct values of the reference. RIDE_E_MEMORY only. */
ride_status ride_drift_from_samples(const double *reference, uint64_t reference_count, const double *current,
                                    uint64_t current_count, bool is_category, ride_drift *out, ride_error *err);

/* The names of the values in output order, for JSON and tables: "psi", "js_distance" … Integers are in as doubles; what is not finite is
 * null there, bins and dof too where nothing could be compared. */
enum { RIDE_DRIFT_VALUES = 17 };
extern const char *const ride_drift_value_names[RIDE_DRIFT_VALUES];
void ride_drift_values(const ride_drift *drift, double out[RIDE_DRIFT_VALUES]);

/* Builds a profile column by column from whole samples, as sections of a bundle builder. The values are sorted in place, and what is missing
 * is lost: they are of no use afterwards. rows_count of all columns must be equal (missing values are rows, too); at least one column.
 * RIDE_E_DATA: a category with more than RIDE_PROFILE_EDGES_MAX values or an infinite one, or too many columns; RIDE_E_MEMORY. */
typedef struct ride_profile_builder ride_profile_builder;
ride_status ride_profile_builder_create(ride_profile_builder **out, ride_error *err);
void ride_profile_builder_destroy(ride_profile_builder *builder);
ride_status ride_profile_builder_column(ride_profile_builder *builder, ride_profile_source source, uint32_t index,
                                        ride_profile_kind kind, const char *name, double *values, uint64_t rows_count,
                                        ride_error *err);
/* Adds the profile's sections. A hash may be NULL: zero. The builder is only good for destroying afterwards. */
ride_status ride_profile_builder_finish(ride_profile_builder *builder, const uint8_t spec_hash[32],
                                        const uint8_t model_hash[32], ride_bundle_builder *bundle, ride_error *err);

#endif
