/* stats/drift.c: two samples compared exactly: both are sorted, then walked together. */
#include "stats/drift.h"

#include "stats/bins.h"
#include "stats/distributions.h"
#include "stats/samples.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct sample {
    double *values; /* ascending, not NaN */
    uint64_t count; /* of values */
    uint64_t missing;
} sample;

/* The two distribution functions are steps; between two neighbouring values of both samples their distance is constant. It is taken from
 * the two quotients as everyone does, so that D, to whose rounding the p-value is sensitive, is scipy's to the bit. */
static void walk(const sample *ref, const sample *cur, ride_drift *out) {
    const double n_ref = (double)ref->count, n_cur = (double)cur->count;
    uint64_t i = 0, j = 0;
    double ks = 0, last = 0, distance = 0;
    long double area = 0;
    while (i < ref->count || j < cur->count) {
        double value =
            j == cur->count || (i < ref->count && ref->values[i] <= cur->values[j]) ? ref->values[i] : cur->values[j];
        if (distance > 0) area += (long double)distance * ((long double)value - last);
        while (i < ref->count && ref->values[i] == value) i++;
        while (j < cur->count && cur->values[j] == value) j++;
        distance = fabs((double)i / n_ref - (double)j / n_cur);
        if (distance > ks) ks = distance;
        last = value;
    }
    const double ends[4] = {ref->values[0], ref->values[ref->count - 1], cur->values[0], cur->values[cur->count - 1]};
    bool finite = isfinite(ends[0]) && isfinite(ends[1]) && isfinite(ends[2]) && isfinite(ends[3]);
    out->ks = ks;
    out->ks_pvalue = ride_kstwo_sf(ks, (uint64_t)nearbyint(n_ref * n_cur / (n_ref + n_cur)));
    out->wasserstein = finite ? (double)area : NAN;
    out->ks_error = 0;
    out->wasserstein_error = finite ? 0 : NAN;
}

static void bin_numbers(const sample *ref, const sample *cur, ride_drift *out) {
    double edges[9];
    uint32_t edges_count = ride_samples_deciles(ref->values, ref->count, edges);
    uint64_t ref_below = 0, cur_below = 0;
    ride_bins bins;
    ride_bins_begin(&bins, ref->count, cur->count);
    for (uint32_t i = 0; i <= edges_count; i++) {
        uint64_t r = i < edges_count ? ride_samples_up_to(ref->values, ref->count, edges[i]) : ref->count;
        uint64_t c = i < edges_count ? ride_samples_up_to(cur->values, cur->count, edges[i]) : cur->count;
        ride_bins_add(&bins, r - ref_below, c - cur_below);
        ref_below = r;
        cur_below = c;
    }
    ride_bins_finish(&bins, out);
}

static uint64_t run_of(const sample *s, uint64_t at, double value) {
    uint64_t end = at;
    while (end < s->count && s->values[end] == value) end++;
    return end - at;
}

/* Returns how many current values no reference value equals; those are one bin together. bins may be NULL. */
static uint64_t bin_categories(const sample *ref, const sample *cur, ride_bins *bins) {
    uint64_t unknown = 0, j = 0;
    for (uint64_t i = 0; i < ref->count;) {
        double value = ref->values[i];
        for (; j < cur->count && cur->values[j] < value; j++) unknown++;
        uint64_t r = run_of(ref, i, value), c = run_of(cur, j, value);
        if (bins != NULL) ride_bins_add(bins, r, c);
        i += r;
        j += c;
    }
    unknown += cur->count - j;
    if (bins != NULL && unknown > 0) ride_bins_add(bins, 0, unknown);
    return unknown;
}

static ride_status take(const double *values, uint64_t count, sample *out, ride_error *err) {
    *out = (sample){.values = malloc(count > 0 ? count * sizeof(double) : 1)};
    if (out->values == NULL)
        return ride_fail(err, RIDE_E_MEMORY, "no memory to compare %llu values", (unsigned long long)count);
    if (count > 0) memcpy(out->values, values, count * sizeof(double));
    RIDE_TRY(ride_samples_sort(out->values, count, &out->count, err));
    out->missing = count - out->count;
    return RIDE_OK;
}

ride_status ride_drift_from_samples(const double *reference, uint64_t reference_count, const double *current,
                                    uint64_t current_count, bool is_category, ride_drift *out, ride_error *err) {
    sample ref = {0}, cur = {0};
    double mean, std_pop;
    ride_status st = take(reference, reference_count, &ref, err);
    if (st == RIDE_OK) st = take(current, current_count, &cur, err);
    if (st != RIDE_OK) goto done;
    uint64_t unknown = is_category ? bin_categories(&ref, &cur, NULL) : 0;
    ride_drift_begin(out, ref.count, ref.missing, cur.count, cur.missing, is_category, unknown);
    if (ref.count == 0 || cur.count == 0) goto done;
    if (is_category) {
        ride_bins bins;
        ride_bins_begin(&bins, ref.count, cur.count);
        bin_categories(&ref, &cur, &bins);
        ride_bins_finish(&bins, out);
    } else {
        bin_numbers(&ref, &cur, out);
        walk(&ref, &cur, out);
        ride_samples_moments(ref.values, ref.count, &mean, &std_pop);
        if (std_pop > 0) out->wasserstein_normed = out->wasserstein / std_pop;
    }
done:
    free(ref.values);
    free(cur.values);
    return st;
}

const char *const ride_drift_value_names[RIDE_DRIFT_VALUES] = {
    "n_ref",
    "n_cur",
    "bins",
    "psi",
    "js_distance",
    "l_infinity",
    "ks",
    "ks_pvalue",
    "wasserstein",
    "wasserstein_normed",
    "chi2",
    "dof",
    "chi2_pvalue",
    "missing_rate",
    "new_category_rate",
    "ks_error",
    "wasserstein_error",
};

void ride_drift_values(const ride_drift *drift, double out[RIDE_DRIFT_VALUES]) {
    bool compared = drift->n_ref > 0 && drift->n_cur > 0;
    const double values[] = {
        (double)drift->n_ref,
        (double)drift->n_cur,
        compared ? drift->bins : NAN,
        drift->psi,
        drift->js_distance,
        drift->l_infinity,
        drift->ks,
        drift->ks_pvalue,
        drift->wasserstein,
        drift->wasserstein_normed,
        drift->chi2,
        compared ? drift->dof : NAN,
        drift->chi2_pvalue,
        drift->missing_rate,
        drift->new_category_rate,
        drift->ks_error,
        drift->wasserstein_error,
    };
    RIDE_STATIC_ASSERT(sizeof values / sizeof values[0] == RIDE_DRIFT_VALUES, "as many as there are names");
    memcpy(out, values, sizeof values);
}
