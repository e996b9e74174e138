/* stats/counts.c: a column of a profile against counts of its cells.
 *
 * What is binned by the reported bins (all but KS and W1) is exact, because every decile is an edge of the cells. KS and W1 only know the two
 * distribution functions at the edges. In between each rises from its value at one edge to that at the next, somehow:
 *   - KS is the greatest distance at an edge. Inside a cell it is at most max(F(right) - G(left), G(right) - F(left)).
 *   - W1 spreads a cell's values evenly. Each function is at most half a cell's rise times its width away from that.
 * The profile puts an edge right below a value that is frequent, so that a frequent value has a cell of no width in which nothing is
 * unknown. The first and the last cell are open. The reference has no value there; where the current data has one, nothing
 * bounds how far out it is, and the bound of W1 is infinite. */
#include "stats/bins.h"
#include "stats/distributions.h"

#include <math.h>

/* ∫ |line from a to b| over a width of 1. */
static long double area(long double a, long double b) {
    long double size = fabsl(a) + fabsl(b);
    if (size == 0) return 0;
    return (a < 0) == (b < 0) ? size / 2 : (a * a + b * b) / (2 * size);
}

static void walk(const double *edges, uint32_t edges_count, const uint64_t *ref, const uint64_t *cur, ride_drift *out) {
    const double n_ref = (double)out->n_ref, n_cur = (double)out->n_cur;
    uint64_t ref_sum = 0, cur_sum = 0;
    double f = 0, g = 0, ks = 0, most = 0; /* the functions at the left edge of the cell */
    long double distance = 0, error = 0;
    for (uint32_t i = 0; i <= edges_count; i++) {
        ref_sum += ref[i];
        cur_sum += cur[i];
        double f_right = (double)ref_sum / n_ref, g_right = (double)cur_sum / n_cur, gap = fabs(f_right - g_right);
        bool is_open = i == 0 || i == edges_count,
             is_point = !is_open && nextafter(edges[i], -INFINITY) <= edges[i - 1];
        if (gap > ks) ks = gap;
        if (!is_point) most = fmax(most, fmax(f_right - g, g_right - f));
        if (is_open && ref[i] + cur[i] > 0) error = INFINITY;
        if (!is_open) {
            long double width = (long double)edges[i] - edges[i - 1];
            distance += width * area((long double)f - g, (long double)f_right - g_right);
            if (!is_point) error += width * ((f_right - f) + (g_right - g)) / 2;
        }
        f = f_right;
        g = g_right;
    }
    out->ks = ks;
    out->ks_error = most > ks ? most - ks : 0;
    out->ks_pvalue = ride_kstwo_sf(ks, (uint64_t)nearbyint(n_ref * n_cur / (n_ref + n_cur)));
    out->wasserstein = (double)distance;
    out->wasserstein_error = (double)error;
}

void ride_drift_from_counts(const ride_profile *profile, uint32_t column, const uint64_t *cells, ride_drift *out) {
    const ride_profile_column *c = &profile->columns[column];
    const uint64_t *reference = profile->counts + c->cells_first;
    const uint64_t *ref = reference + RIDE_PROFILE_CELL_BINS, *cur = cells + RIDE_PROFILE_CELL_BINS;
    const uint32_t cells_count = c->cells_count - RIDE_PROFILE_CELL_BINS;
    const bool is_category = c->kind == RIDE_PROFILE_CATEGORY;
    const uint64_t unknown = cells[RIDE_PROFILE_CELL_NEW];
    uint64_t n_ref = 0, n_cur = unknown, in_ref = 0, in_cur = 0;
    for (uint32_t i = 0; i < cells_count; i++) n_ref += ref[i], n_cur += cur[i];
    ride_drift_begin(out, n_ref, reference[RIDE_PROFILE_CELL_MISSING], n_cur, cells[RIDE_PROFILE_CELL_MISSING],
                     is_category, unknown);
    if (n_ref == 0 || n_cur == 0) return;
    ride_bins bins;
    ride_bins_begin(&bins, n_ref, n_cur);
    for (uint32_t i = 0; i < cells_count; i++) { /* cell i of a number ends at edge i */
        in_ref += ref[i];
        in_cur += cur[i];
        if (!is_category && i < c->edges_count && !profile->coarse[c->edges_first + i]) continue;
        ride_bins_add(&bins, in_ref, in_cur);
        in_ref = in_cur = 0;
    }
    if (is_category && unknown > 0) ride_bins_add(&bins, 0, unknown);
    ride_bins_finish(&bins, out);
    if (is_category) return;
    walk(profile->edges + c->edges_first, c->edges_count, ref, cur, out);
    if (c->std_pop > 0) out->wasserstein_normed = out->wasserstein / c->std_pop;
}
