/* Drift statistics: the degenerate cases, the definitions recomputed the long way, tails against exact values, and profiles: what is
 * built opens, what is damaged does not, and counts agree with samples within the bounds that they tell. */
#include "kernels/row/profile.h"
#include "stats/distributions.h"
#include "stats/drift.h"
#include "stats/samples.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 20000 };

static uint64_t seed = 1;
static double uniform(void) { /* (0, 1) */
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return ((double)(seed >> 12) + 0.5) / (double)(UINT64_C(1) << 52);
}
static double normal(void) { return sqrt(-2 * log(uniform())) * cos(6.283185307179586 * uniform()); }

static ride_drift compare(const double *a, uint64_t a_count, const double *b, uint64_t b_count, bool is_category) {
    ride_drift d;
    ride_error err;
    memset(&d, 0xAA, sizeof d);
    cr_assert_eq(ride_drift_from_samples(a, a_count, b, b_count, is_category, &d, &err), RIDE_OK);
    return d;
}

static bool near(double a, double b, double relative) { return fabs(a - b) <= relative * fmax(fabs(a), fabs(b)); }

static void no_values(const ride_drift *d) {
    double values[RIDE_DRIFT_VALUES];
    ride_drift_values(d, values);
    for (uint32_t i = 2; i < RIDE_DRIFT_VALUES; i++) {
        if (strcmp(ride_drift_value_names[i], "missing_rate") == 0) continue;
        if (strcmp(ride_drift_value_names[i], "new_category_rate") == 0) continue;
        cr_assert(isnan(values[i]), "%s is %g", ride_drift_value_names[i], values[i]);
    }
}

Test(drift, nothing_on_one_side_gives_nulls) {
    const double some[3] = {1, NAN, 3}, missing[2] = {NAN, NAN};
    for (int category = 0; category < 2; category++) {
        ride_drift d = compare(some, 3, NULL, 0, category);
        no_values(&d);
        cr_assert(d.n_ref == 2 && d.missing_ref == 1 && d.n_cur == 0 && d.missing == 0 && isnan(d.missing_rate));
        d = compare(some, 3, missing, 2, category);
        no_values(&d);
        cr_assert(d.n_cur == 0 && d.missing == 2 && d.missing_rate == 1);
        d = compare(missing, 2, some, 3, category);
        no_values(&d);
        cr_assert(d.n_ref == 0 && d.missing_ref == 2 && near(d.missing_rate, 1.0 / 3, 1e-15));
        cr_assert(category ? near(d.new_category_rate, 2.0 / 3, 1e-15) : isnan(d.new_category_rate));
        d = compare(NULL, 0, NULL, 0, category);
        no_values(&d);
    }
}

Test(drift, equal_samples_do_not_drift) {
    static double a[N];
    for (int i = 0; i < N; i++) a[i] = i % 7 == 0 ? NAN : floor(100 * normal());
    for (int category = 0; category < 2; category++) {
        ride_drift d = compare(a, N, a, N, category);
        cr_assert(d.psi == 0 && d.js_distance == 0 && d.l_infinity == 0 && d.chi2 == 0 && d.chi2_pvalue == 1);
        cr_assert(category ? isnan(d.ks) && isnan(d.wasserstein) : d.ks == 0 && d.ks_pvalue == 1 && d.wasserstein == 0);
        cr_assert(d.bins >= 10 && d.dof <= d.bins - 1);
    }
}

Test(drift, constants_and_single_rows) {
    const double c[5] = {0.1, 0.1, 0.1, 0.1, 0.1}, one[1] = {0.3}, zero[2] = {-0.0, 0.0};
    ride_drift d = compare(c, 5, c, 3, false); /* one edge: (-inf, 0.1] and (0.1, inf) */
    cr_assert(d.bins == 2 && d.dof == 0 && d.psi == 0 && d.chi2_pvalue == 1 && d.ks == 0 && d.wasserstein == 0);
    cr_assert(isnan(d.wasserstein_normed), "a constant reference has no deviation");
    d = compare(c, 5, one, 1, false);
    cr_assert(d.ks == 1 && d.ks_pvalue == 0 && near(d.wasserstein, 0.3 - 0.1, 1e-15) && d.dof == 1);
    cr_assert(near(d.psi, 2 * (1 - 1e-4) * log(1 / 1e-4), 1e-15));
    cr_assert(near(d.js_distance, sqrt(log(2)), 1e-15) && d.l_infinity == 1 && d.chi2 == 6);
    d = compare(one, 1, c, 1, false); /* n = round(1/2) = 0: there is no such distribution */
    cr_assert(d.ks == 1 && isnan(d.ks_pvalue));
    d = compare(zero, 2, zero, 1, true);
    cr_assert(d.bins == 1 && d.psi == 0, "zero has one value");
}

Test(drift, infinite_values_have_no_distance) {
    const double a[4] = {1, 2, 3, INFINITY}, b[4] = {-INFINITY, 1, 2, 3};
    ride_drift d = compare(a, 4, b, 4, false);
    cr_assert(d.ks == 0.25 && isnan(d.wasserstein) && isnan(d.wasserstein_normed) && isfinite(d.psi));
}

Test(drift, new_categories_are_one_more_bin) {
    const double a[6] = {3, 1, 3, NAN, 1, 3}, b[8] = {1, 7, 3, 8, 8, NAN, 0, 3};
    ride_drift d = compare(a, 6, b, 8, true);
    const double p[3] = {0.4, 0.6, 0}, q[3] = {1 / 7.0, 2 / 7.0, 4 / 7.0};
    double psi = 0, js = 0;
    for (int i = 0; i < 3; i++) {
        double pp = p[i] > 0 ? p[i] : 1e-4, m = (p[i] + q[i]) / 2;
        psi += (q[i] - pp) * log(q[i] / pp);
        js += (p[i] > 0 ? p[i] * log(p[i] / m) : 0) / 2 + q[i] * log(q[i] / m) / 2;
    }
    cr_assert(d.bins == 3 && d.dof == 2 && near(d.psi, psi, 1e-14) && near(d.js_distance, sqrt(js), 1e-14));
    cr_assert(near(d.l_infinity, 4 / 7.0, 1e-15) && near(d.new_category_rate, 0.5, 1e-15) &&
              near(d.missing_rate, 0.125, 1e-15));
    d = compare(a, 6, a, 6, true);
    cr_assert(d.bins == 2 && d.new_category_rate == 0);
}

/* The definitions, slow: counting for every value. */
Test(drift, ks_and_wasserstein_by_their_definitions) {
    static double a[301], b[203], all[504];
    for (int kind = 0; kind < 4; kind++) {
        for (int i = 0; i < 301; i++) a[i] = kind < 2 ? normal() : floor(3 * normal());
        for (int i = 0; i < 203; i++) b[i] = kind % 2 ? normal() + 0.3 : floor(4 * normal());
        memcpy(all, a, sizeof a);
        memcpy(all + 301, b, sizeof b);
        uint64_t kept;
        cr_assert_eq(ride_samples_sort(all, 504, &kept, NULL), RIDE_OK);
        double ks = 0, area = 0;
        for (int v = 0; v < 504; v++) {
            double f = 0, g = 0;
            cr_assert(v == 0 || all[v] >= all[v - 1]);
            for (int i = 0; i < 301; i++) f += a[i] <= all[v];
            for (int i = 0; i < 203; i++) g += b[i] <= all[v];
            double gap = fabs(f / 301 - g / 203);
            if (gap > ks) ks = gap;
            if (v < 503) area += gap * (all[v + 1] - all[v]);
        }
        ride_drift d = compare(a, 301, b, 203, false);
        cr_assert(d.ks == ks && near(d.wasserstein, area, 1e-13) && d.ks_error == 0 && d.wasserstein_error == 0);
    }
}

Test(drift, sorting_is_what_qsort_does) {
    static double values[3000];
    for (int i = 0; i < 3000; i++)
        values[i] = i % 5 == 0 ? NAN : i % 7 == 0 ? floor(normal()) : normal() * exp(300 * normal());
    values[1] = INFINITY, values[2] = -INFINITY, values[3] = -0.0, values[4] = 5e-324;
    uint64_t kept;
    cr_assert_eq(ride_samples_sort(values, 3000, &kept, NULL), RIDE_OK);
    cr_assert_eq(kept, 2400);
    cr_assert(isinf(values[0]) && values[0] < 0 && isinf(values[kept - 1]) && values[kept - 1] > 0);
    for (uint64_t i = 1; i < kept; i++) cr_assert(values[i - 1] <= values[i]);
}

/* What numpy 2.2.6 gives, to the bit: at most of these the two usual forms of the interpolation differ in the last place. */
Test(drift, quantiles_are_numpys) {
    const double sorted[] = {0.158, 0.59, 0.6, 0.742, 0.908, 0.945, 1.035, 1.768, 1.975, 2.11, 3.403, 3.895, 4.79};
    static const struct {
        uint32_t i;
        double value;
    } cases[] = {
        {0, 0.158},
        {1, 0.178736},
        {2, 0.19947199999999998},
        {5, 0.26167999999999997},
        {7, 0.303152},
        {8, 0.32388799999999995},
        {45, 0.62272},
        {82, 0.8973760000000001},
        {126, 1.070184},
        {144, 1.7034959999999992},
        {208, 3.382312},
        {224, 3.7729840000000006},
        {0, 0.158},
        {25, 0.592},
        {125, 1.035},
        {250, 4.79},
    };
    for (uint32_t k = 0; k < sizeof cases / sizeof cases[0]; k++)
        cr_assert(ride_samples_quantile(sorted, 13, cases[k].i) == cases[k].value, "quantile %u/250", cases[k].i);
}

/* Closed forms: dof 2 is an exponential, dof 1 an error function, dof 4 (1 + x) e^-x; the tail goes down to the smallest double. */
Test(drift, chi2_tail_against_closed_forms) {
    for (double chi2 = 1e-8; chi2 < 1400; chi2 *= 1.7) {
        double x = chi2 / 2;
        cr_assert(near(ride_chi2_sf(chi2, 2), exp(-x), 1e-13), "%g", chi2);
        cr_assert(near(ride_chi2_sf(chi2, 1), erfc(sqrt(x)), 1e-13), "%g", chi2);
        cr_assert(near(ride_chi2_sf(chi2, 4), (1 + x) * exp(-x), 1e-13), "%g", chi2);
    }
    cr_assert(ride_chi2_sf(0, 3) == 1 && ride_chi2_sf(5, 0) == 1 && ride_chi2_sf(1e6, 10) == 0);
    cr_assert(ride_chi2_sf(INFINITY, 10) == 0 && isnan(ride_chi2_sf(NAN, 10)) && ride_chi2_sf(1e-300, 100000) == 1);
    for (uint32_t dof = 1; dof < 300; dof++) { /* no jump where the two forms meet */
        double below = ride_chi2_sf(nextafter(dof, 0), dof), above = ride_chi2_sf(dof, dof);
        cr_assert(near(below, above, 1e-13) && above > 0.3 && above < 0.6, "dof %u", dof);
    }
}

/* n = 1: 2 - 2d from 1/2 on. n = 2: 1 - 2(2d - 1/2)² below 1/2, 2(1 - d)² above. And a distribution falls. */
Test(drift, kstwo_tail_against_closed_forms) {
    for (double d = 0.26; d < 1; d += 0.01) {
        if (d > 0.5) cr_assert(near(ride_kstwo_sf(d, 1), 2 - 2 * d, 1e-13), "%g", d);
        double two = d < 0.5 ? 1 - 2 * (2 * d - 0.5) * (2 * d - 0.5) : 2 * (1 - d) * (1 - d);
        cr_assert(near(ride_kstwo_sf(d, 2), two, 1e-13), "%g", d);
    }
    cr_assert(isnan(ride_kstwo_sf(0.5, 0)) && isnan(ride_kstwo_sf(NAN, 5)));
    cr_assert(ride_kstwo_sf(0, 9) == 1 && ride_kstwo_sf(1, 9) == 0 && ride_kstwo_sf(1e-9, 1000000000) == 1);
    const uint64_t sizes[] = {3, 10, 140, 141, 2048, 2050, 100000, 100001, 1000000, 1000001, 4000000000000};
    for (uint32_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        double last = 1;
        for (double z = 0.05; z < 21; z *= 1.05) {
            double p = ride_kstwo_sf(z / sqrt((double)sizes[s]), sizes[s]);
            cr_assert(p >= 0 && p <= last + 1e-15, "n %llu z %g: %g after %g", (unsigned long long)sizes[s], z, p,
                      last);
            last = p;
        }
    }
}

/* What scipy 1.15.3 gives: kstwo.sf(d, n), d = z / sqrt(n). */
Test(drift, kstwo_tail_is_scipys) {
    static const struct {
        uint64_t n;
        double d, p;
    } cases[] = {
        {20, 0.13416407864998736, 0.8184093562059918},
        {20, 0.2683281572999747, 0.09223025450588529},
        {20, 0.35777087639996635, 0.008489188319532603},
        {1000, 0.018973665961010275, 0.8573684410456419},
        {1000, 0.03794733192202055, 0.10941541429803348},
        {1000, 0.05059644256269407, 0.011534825282457833},
        {1000, 0.15811388300841897, 2.647229538840343e-22},
        {1000, 0.37947331922020555, 6.232762170731516e-130},
        {100000, 0.0018973665961010274, 0.8635855357589762},
        {100000, 0.003794733192202055, 0.11196588953063102},
        {100000, 0.005059644256269407, 0.01191158659878191},
        {100000, 0.015811388300841896, 3.8068818361729104e-22},
        {100000, 0.03794733192202055, 1.4909053261393303e-125},
        {100001, 0.0018973571093391975, 0.8635855392420047},
        {100001, 0.003794714218678395, 0.11196589094928922},
        {100001, 0.005059618958237861, 0.011911586801793524},
        {100001, 0.015811309244493314, 3.8068821384025157e-22},
        {100001, 0.03794714218678395, 1.4909068815472587e-125},
        {1000000, 0.0006, 0.8640621548370526},
        {1000000, 0.0012, 0.11215991901443556},
        {1000000, 0.0016, 0.011939282537735608},
        {1000000, 0.005, 3.8436375474778123e-22},
        {1000000, 0.012, 1.6472887079450959e-125},
        {1000001, 0.0005999997000002249, 0.8640621549473331},
        {1000001, 0.0011999994000004499, 0.11215991905930711},
        {1000001, 0.0015999992000006, 0.011939303081211992},
        {1000001, 0.004999997500001875, 3.8446625631856733e-22},
        {1000001, 0.0119999940000045, 1.6624355955192296e-125},
        {5000000, 0.0002683281572999747, 0.8641840973247861},
        {5000000, 0.0005366563145999494, 0.11220952920875138},
        {5000000, 0.0007155417527999327, 0.011946345558406284},
        {5000000, 0.0022360679774997894, 3.8517535160835007e-22},
        {5000000, 0.005366563145999495, 1.6698037172507275e-125},
        {10000000, 0.00018973665961010273, 0.8642129979242605},
        {10000000, 0.00037947331922020546, 0.11222128501614115},
        {10000000, 0.0005059644256269407, 0.011948014863507382},
        {10000000, 0.0015811388300841895, 3.8534356551183e-22},
        {10000000, 0.003794733192202055, 1.6715544086350544e-125},
    };
    for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double p = ride_kstwo_sf(cases[i].d, cases[i].n);
        cr_assert(near(p, cases[i].p, 1e-12), "n %llu d %.17g: %.17g, scipy %.17g", (unsigned long long)cases[i].n,
                  cases[i].d, p, cases[i].p);
    }
}

/* One built profile, opened. */
typedef struct profile_case {
    uint8_t *image;
    ride_bundle bundle;
    ride_profile profile;
} profile_case;

static const uint8_t hash[32] = {1};

static profile_case build(const double *values, uint64_t count, ride_profile_kind kind) {
    profile_case c;
    ride_profile_builder *builder;
    ride_bundle_builder *bundle;
    ride_error err;
    uint64_t bytes;
    double *copy = malloc((count + 1) * sizeof *copy);
    if (count > 0) memcpy(copy, values, count * sizeof *copy);
    cr_assert_eq(ride_profile_builder_create(&builder, &err), RIDE_OK);
    cr_assert_eq(ride_bundle_builder_create(&bundle, &err), RIDE_OK);
    cr_assert_eq(ride_profile_builder_column(builder, RIDE_PROFILE_VECTOR, 0, kind, "amount", copy, count, &err),
                 RIDE_OK, "%s", err.what);
    if (count > 0) memcpy(copy, values, count * sizeof *copy);
    cr_assert_eq(ride_profile_builder_column(builder, RIDE_PROFILE_MARGIN, 0, RIDE_PROFILE_NUMBER, "margin", copy,
                                             count, &err),
                 RIDE_OK);
    cr_assert_eq(ride_profile_builder_finish(builder, hash, hash, bundle, &err), RIDE_OK);
    cr_assert_eq(ride_bundle_builder_build(bundle, &c.image, &bytes, &err), RIDE_OK);
    cr_assert_eq(ride_bundle_open(c.image, bytes, &c.bundle, &err), RIDE_OK);
    cr_assert_eq(ride_profile_open(&c.bundle, &c.profile, &err), RIDE_OK, "%s", err.what);
    ride_profile_builder_destroy(builder);
    ride_bundle_builder_destroy(bundle);
    free(copy);
    return c;
}

static void count_cells(const ride_profile *p, uint32_t column, const double *values, uint64_t count, uint64_t *cells) {
    const ride_profile_column *c = &p->columns[column];
    memset(cells, 0, c->cells_count * sizeof *cells);
    for (uint64_t i = 0; i < count; i++) cells[ride_profile_cell(c, p->edges + c->edges_first, values[i])]++;
}

/* Kinds of columns; ties, missing values and values out of the reference's range included. */
static void fill(double *values, uint64_t count, int kind, double shift) {
    for (uint64_t i = 0; i < count; i++) {
        double x = normal() + shift;
        switch (kind) {
        case 0: values[i] = x; break;
        case 1: values[i] = uniform() < 0.6 ? 0 : exp(x); break;
        case 2: values[i] = floor(2 * x); break;
        case 3: values[i] = uniform() < 0.3 ? NAN : fmax(-1, fmin(1, x)); break;
        case 4: values[i] = 0.1; break;
        default: values[i] = round(x * 100) / 100; break;
        }
    }
}

static void compare_counts(const double *a, uint64_t a_count, const double *b, uint64_t b_count, int kind) {
    static uint64_t cells[512];
    profile_case c = build(a, a_count, RIDE_PROFILE_NUMBER);
    const ride_profile_column *column = &c.profile.columns[0];
    cr_assert(column->edges_count <= 252);
    count_cells(&c.profile, 0, a, a_count, cells);
    cr_assert_arr_eq(cells, c.profile.counts + column->cells_first, column->cells_count * sizeof *cells,
                     "the reference is counted as everything else is");
    count_cells(&c.profile, 0, b, b_count, cells);
    ride_drift counted, exact = compare(a, a_count, b, b_count, false);
    ride_drift_from_counts(&c.profile, 0, cells, &counted);
    double got[RIDE_DRIFT_VALUES], want[RIDE_DRIFT_VALUES];
    ride_drift_values(&counted, got);
    ride_drift_values(&exact, want);
    for (uint32_t i = 0; i < RIDE_DRIFT_VALUES; i++) {
        const char *name = ride_drift_value_names[i];
        if (strncmp(name, "ks", 2) == 0 || strncmp(name, "wasserstein", 11) == 0) continue;
        cr_assert(got[i] == want[i] || (isnan(got[i]) && isnan(want[i])), "kind %d: %s %g, %g", kind, name, got[i],
                  want[i]);
    }
    if (exact.n_ref == 0 || exact.n_cur == 0) {
        no_values(&counted);
        ride_bundle_image_free(c.image);
        return;
    }
    cr_assert(counted.ks <= exact.ks && exact.ks <= counted.ks + counted.ks_error + 1e-15,
              "kind %d: ks %g, counted %g + %g", kind, exact.ks, counted.ks, counted.ks_error);
    cr_assert(fabs(counted.wasserstein - exact.wasserstein) <= counted.wasserstein_error * (1 + 1e-12) + 1e-15,
              "kind %d: w1 %g, counted %g +- %g", kind, exact.wasserstein, counted.wasserstein,
              counted.wasserstein_error);
    if (a == b) cr_assert(isfinite(counted.wasserstein_error) && counted.ks == 0 && counted.wasserstein == 0);
    if (kind == 4 || (kind == 2 && a == b && a_count == N))
        cr_assert(counted.ks_error < 0.01, "frequent values have cells of their own: %g", counted.ks_error);
    if (kind == 0 && a_count == N) cr_assert(counted.ks_error < 0.02 && counted.ks_error > 0);
    ride_bundle_image_free(c.image);
}

Test(drift, counts_agree_with_samples_within_their_bounds) {
    static double a[N], b[N];
    const uint64_t counts[] = {1, 2, 9, 100, 1001, N};
    for (int kind = 0; kind < 6; kind++)
        for (uint32_t r = 0; r < 6; r++)
            for (uint32_t k = 0; k < 6; k++) {
                fill(a, counts[r], kind, 0);
                fill(b, counts[k], kind, 0.2 * r);
                compare_counts(a, counts[r], b, counts[k], kind);
                compare_counts(a, counts[r], a, counts[r], kind);
            }
}

Test(drift, counts_of_categories_are_exact) {
    static double a[N], b[N];
    uint64_t cells[512];
    fill(a, N, 2, 0);
    fill(b, N, 2, 3);
    b[7] = NAN;
    profile_case c = build(a, N, RIDE_PROFILE_CATEGORY);
    ride_drift counted, exact = compare(a, N, b, N, true);
    count_cells(&c.profile, 0, b, N, cells);
    ride_drift_from_counts(&c.profile, 0, cells, &counted);
    cr_assert(cells[RIDE_PROFILE_CELL_NEW] > 0 && counted.new_category_rate == exact.new_category_rate);
    cr_assert(counted.bins == exact.bins && counted.psi == exact.psi && counted.chi2 == exact.chi2 &&
              isnan(counted.ks));
    ride_bundle_image_free(c.image);
}

Test(drift, profiles_of_nothing_and_of_extremes_open) {
    const double missing[3] = {NAN, NAN, NAN},
                 extreme[4] = {-INFINITY, -1.7976931348623157e308, 1.7976931348623157e308, INFINITY};
    uint64_t cells[512] = {0};
    ride_drift d;
    profile_case c = build(missing, 3, RIDE_PROFILE_NUMBER);
    cr_assert(c.profile.columns[0].edges_count == 0 && isnan(c.profile.columns[0].mean));
    cells[RIDE_PROFILE_CELL_BINS] = 5;
    ride_drift_from_counts(&c.profile, 0, cells, &d);
    no_values(&d);
    ride_bundle_image_free(c.image);
    c = build(NULL, 0, RIDE_PROFILE_CATEGORY);
    cr_assert(c.profile.columns[0].edges_count == 0 && c.profile.header->rows_count == 0);
    ride_bundle_image_free(c.image);
    c = build(extreme, 4, RIDE_PROFILE_NUMBER);
    count_cells(&c.profile, 0, extreme, 4, cells);
    ride_drift_from_counts(&c.profile, 0, cells, &d);
    cr_assert(d.ks == 0 && d.psi == 0);
    ride_bundle_image_free(c.image);
}

Test(drift, too_many_categories_are_refused_with_advice) {
    double values[RIDE_PROFILE_EDGES_MAX + 1];
    ride_profile_builder *builder;
    ride_error err;
    for (int i = 0; i <= RIDE_PROFILE_EDGES_MAX; i++) values[i] = i;
    cr_assert_eq(ride_profile_builder_create(&builder, &err), RIDE_OK);
    cr_assert_eq(ride_profile_builder_column(builder, RIDE_PROFILE_VECTOR, 0, RIDE_PROFILE_CATEGORY, "city", values,
                                             RIDE_PROFILE_EDGES_MAX + 1, &err),
                 RIDE_E_DATA);
    cr_assert(strstr(err.what, "city has more than 256") != NULL && err.advice[0] != '\0');
    cr_assert_eq(ride_profile_builder_column(builder, RIDE_PROFILE_VECTOR, 0, RIDE_PROFILE_CATEGORY, "city", values,
                                             RIDE_PROFILE_EDGES_MAX, &err),
                 RIDE_OK);
    ride_profile_builder_destroy(builder);
}

/* Every single damage is refused: backends index by what is in here. */
Test(drift, damaged_profiles_are_refused) {
    double values[100];
    for (int i = 0; i < 100; i++) values[i] = i % 10 == 0 ? NAN : i;
    profile_case c = build(values, 100, RIDE_PROFILE_NUMBER);
    ride_profile_header *h = (ride_profile_header *)(uintptr_t)c.profile.header;
    ride_profile_column *columns = (ride_profile_column *)(uintptr_t)c.profile.columns;
    double *edges = (double *)(uintptr_t)c.profile.edges;
    uint8_t *coarse = (uint8_t *)(uintptr_t)c.profile.coarse;
    uint64_t *counts = (uint64_t *)(uintptr_t)c.profile.counts;
    ride_profile profile;
    ride_error err;
#define REFUSED(field, value, want)                                                                                    \
    do {                                                                                                               \
        __typeof__(field) kept_ = (field);                                                                             \
        (field) = (value);                                                                                             \
        cr_assert_eq(ride_profile_open(&c.bundle, &profile, &err), (want), #field " = " #value);                       \
        cr_assert_null(profile.header);                                                                                \
        (field) = kept_;                                                                                               \
        cr_assert_eq(ride_profile_open(&c.bundle, &profile, &err), RIDE_OK);                                           \
    } while (0)
    REFUSED(h->profile_version, 2, RIDE_E_VERSION);
    REFUSED(h->columns_count, 0, RIDE_E_CORRUPT);
    REFUSED(h->columns_count, 1, RIDE_E_CORRUPT);
    REFUSED(h->columns_count, 0xffffffff, RIDE_E_CORRUPT);
    REFUSED(h->edges_count, h->edges_count - 1, RIDE_E_CORRUPT);
    REFUSED(h->cells_count, h->cells_count + 1, RIDE_E_CORRUPT);
    REFUSED(h->rows_count, 99, RIDE_E_CORRUPT);
    REFUSED(h->rows_count, 101, RIDE_E_CORRUPT);
    REFUSED(h->reserved[1], 1, RIDE_E_CORRUPT);
    REFUSED(h->model_hash[0], 0, RIDE_E_CORRUPT); /* there is a margin */
    REFUSED(columns[0].source, 0, RIDE_E_CORRUPT);
    REFUSED(columns[0].source, 4, RIDE_E_CORRUPT);
    REFUSED(columns[0].source, RIDE_PROFILE_MARGIN, RIDE_E_CORRUPT); /* twice */
    REFUSED(columns[1].index, 1, RIDE_E_CORRUPT);
    REFUSED(columns[0].kind, 0, RIDE_E_CORRUPT);
    REFUSED(columns[0].kind, RIDE_PROFILE_CATEGORY, RIDE_E_CORRUPT); /* one cell too many */
    REFUSED(columns[0].name_offset, 0x7fffffff, RIDE_E_CORRUPT);
    REFUSED(columns[1].edges_first, 0, RIDE_E_CORRUPT);
    REFUSED(columns[0].edges_count, columns[0].edges_count + 1, RIDE_E_CORRUPT);
    REFUSED(columns[1].edges_count, 0xfffffff0, RIDE_E_CORRUPT);
    REFUSED(columns[0].cells_first, 1, RIDE_E_CORRUPT);
    REFUSED(columns[1].cells_count, columns[1].cells_count + 1, RIDE_E_CORRUPT);
    REFUSED(columns[0].mean, INFINITY, RIDE_E_CORRUPT);
    REFUSED(columns[0].std_pop, -1, RIDE_E_CORRUPT);
    REFUSED(edges[0], NAN, RIDE_E_CORRUPT);
    REFUSED(edges[0], edges[1], RIDE_E_CORRUPT);
    REFUSED(edges[3], INFINITY, RIDE_E_CORRUPT);
    REFUSED(coarse[2], 2, RIDE_E_CORRUPT);
    REFUSED(counts[0], counts[0] + 1, RIDE_E_CORRUPT);
    REFUSED(counts[5], UINT64_MAX, RIDE_E_CORRUPT);
    REFUSED(counts[RIDE_PROFILE_CELL_NEW], 1, RIDE_E_CORRUPT);
    REFUSED(c.bundle.sections_bytes[RIDE_SECTION_PROFILE], 95, RIDE_E_CORRUPT);
    REFUSED(c.bundle.sections[RIDE_SECTION_PROFILE_COARSE], NULL, RIDE_E_CORRUPT);
    REFUSED(c.bundle.sections[RIDE_SECTION_PROFILE], NULL, RIDE_E_MODEL);
    ride_bundle_image_free(c.image);
}
