/* engine/reasons_sense.c: see the header. */
#include "engine/reasons_sense.h"

#include "kernels/row/ensemble.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- which way ---- */

/* All other links rise, as their scales are above 0. */
static double link_sign(const ride_link *link) { return link->link == RIDE_FOREST_LINK_ISOLATION ? -1.0 : 1.0; }

/* A curve between its first and its last point. */
static ride_status curve_sign(const double *y, uint32_t count, double *sign, ride_error *err) {
    uint32_t rises = 0, falls = 0;
    for (uint32_t i = 1; i < count; i++) {
        rises += y[i] > y[i - 1];
        falls += y[i] < y[i - 1];
    }
    if (rises > 0 && falls > 0)
        return ride_fail(err, RIDE_E_UNSUPPORTED,
                         "its isotonic calibration rises and falls: no input has a share that raises the answer");
    *sign = rises > 0 ? 1.0 : falls > 0 ? -1.0 : 0.0;
    return RIDE_OK;
}

/* Behind the calibration; *sign is the link's. */
static ride_status calibrate_sign(const ride_calibration *calibration, const double *numbers, double *sign,
                                  ride_error *err) {
    double own = 1.0;
    if (calibration->kind == RIDE_CALIBRATION_NONE) return RIDE_OK;
    if (calibration->kind == RIDE_CALIBRATION_PLATT)
        own = calibration->a < 0.0 ? 1.0 : calibration->a > 0.0 ? -1.0 : 0.0; /* 1 / (1 + exp(a * x + b)) */
    else {
        const uint32_t count = calibration->points_count;
        RIDE_TRY(curve_sign(numbers + calibration->first + count, count, &own, err));
    }
    if (own == 0.0)
        return ride_fail(err, RIDE_E_UNSUPPORTED,
                         "its calibration gives every row the same answer: nothing is a reason for it");
    *sign = calibration->of_margin ? own : own * *sign;
    return RIDE_OK;
}

/* ---- of a model ---- */

static double unit_of(const ride_link *link) {
    const bool is_path = link->link == RIDE_FOREST_LINK_ISOLATION && link->mean_of > 1;
    return is_path ? 1.0 / (double)link->mean_of : 1.0;
}

static ride_status member_fail(const ride_bundle *bundle, const ride_ensemble_view *view, uint32_t m, ride_error *err) {
    char what[sizeof err->what];
    if (ride_ensemble_parts_count(view) == 1) return err->status;
    const char *name = ride_bundle_string(bundle, view->members[m].name_offset);
    const int begin = snprintf(what, sizeof what, "member %.40s: ", name);
    snprintf(what + begin, sizeof what - (size_t)begin, "%.*s", (int)sizeof what - begin - 1, err->what);
    memcpy(err->what, what, sizeof what);
    return err->status;
}

/* The margin is that of part m, with its link and calibration, and the result's. */
static ride_status part_factor(const ride_bundle *bundle, const ride_ensemble_view *view, uint32_t m, double *factor,
                               ride_error *err) {
    ride_member_view part;
    ride_member_view_of(bundle, &view->members[m], &part);
    const ride_link link =
        part.forest.header != NULL ? ride_link_of(part.forest.header) : ride_link_of_network(part.network.header);
    double sign = link_sign(&link);
    if (calibrate_sign(&view->members[m].calibration, view->numbers, &sign, err) != RIDE_OK)
        return member_fail(bundle, view, m, err);
    RIDE_TRY(calibrate_sign(&view->header->calibration, view->numbers, &sign, err));
    *factor = sign * unit_of(&link);
    return RIDE_OK;
}

static bool is_segmented(const reasons_sense *s) {
    return s->view.header != NULL && s->view.header->combine == RIDE_COMBINE_SEGMENT;
}

static ride_status factors_make(const ride_bundle *bundle, reasons_sense *s, ride_error *err) {
    const ride_ensemble_header *h = s->view.header;
    if (h == NULL) {
        ride_forest forest;
        RIDE_TRY(ride_forest_open(bundle, 0, &forest, err));
        const ride_link link = ride_link_of(forest.header);
        s->factors[0] = link_sign(&link) * unit_of(&link);
        return RIDE_OK;
    }
    if (h->combine == RIDE_COMBINE_ONE) return part_factor(bundle, &s->view, 0, &s->factors[0], err);
    if (h->has_stacker) return part_factor(bundle, &s->view, h->members_count, &s->factors[0], err);
    for (uint32_t m = 0; is_segmented(s) && m < h->members_count; m++)
        RIDE_TRY(part_factor(bundle, &s->view, m, &s->factors[m], err));
    if (is_segmented(s)) return RIDE_OK;
    s->factors[0] = 1.0; /* a mean of answers is the margin, and explained as such */
    return calibrate_sign(&h->calibration, s->view.numbers, &s->factors[0], err);
}

ride_status reasons_sense_open(const ride_bundle *bundle, reasons_sense *out, ride_error *err) {
    *out = (reasons_sense){.factors = NULL};
    if (ride_bundle_has_ensemble(bundle)) RIDE_TRY(ride_ensemble_open(bundle, &out->view, err));
    out->factors = calloc(out->view.header != NULL ? out->view.header->members_count + 1 : 1, sizeof *out->factors);
    if (out->factors == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for the members of a model");
    return factors_make(bundle, out, err);
}

void reasons_sense_close(reasons_sense *s) {
    free(s->factors);
    *s = (reasons_sense){.factors = NULL};
}

double reasons_sense_of_row(const reasons_sense *s, const double *x) {
    if (!is_segmented(s)) return s->factors[0];
    return s->factors[ride_segment_row(&s->view, x[s->view.header->segment_input])];
}
