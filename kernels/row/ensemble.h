/* kernels/row/ensemble.h: one row through all members of an ensemble and their combination: the truth that the fast paths are compared with. One
 * source for every backend (C17, C++17, CUDA). */
#ifndef RIDE_KERNELS_ROW_ENSEMBLE_H
#define RIDE_KERNELS_ROW_ENSEMBLE_H
#include "kernels/row/combine.h"
#include "kernels/row/network.h"
#include "kernels/row/tree.h"

/* Every missing number has the same bits, whichever way it came about. */
RIDE_HD static inline double ride_one_nan(double x) { return x == x ? x : ride_f64_null(); }

/* A member's margins to its answers, and one answer through its calibration. */
RIDE_HD static inline void ride_member_end(const ride_link *link, const ride_calibration *calibration,
                                           const double *numbers, double *margins, double *answers) {
    for (uint32_t i = 0; i < link->outputs_count; i++) answers[i] = margins[i] = ride_one_nan(margins[i]);
    ride_link_apply(answers, link);
    if (calibration->kind != RIDE_CALIBRATION_NONE)
        answers[0] = ride_calibrate_row(calibration, numbers, margins[0], answers[0]);
    for (uint32_t i = 0; i < link->outputs_count; i++) answers[i] = ride_one_nan(answers[i]);
}

/* The margins of one member: row holds its inputs; row and other have width_max numbers and are written to. */
RIDE_HD static inline ride_link ride_member_margins(const ride_member_view *member, double *row, double *other,
                                                    double *margins) {
    if (member->network.header != NULL) row = ride_network_row(&member->network, row, other);
    if (member->forest.header != NULL) {
        const ride_forest_header *h = member->forest.header;
        for (uint32_t i = 0; i < h->inputs_count; i++) row[i] = ride_forest_input(row[i], h->input_number);
        ride_forest_row(&member->forest, row, 1, margins);
        return ride_link_of(h);
    }
    const ride_link link = ride_link_of_network(member->network.header);
    for (uint32_t i = 0; i < link.outputs_count; i++) margins[i] = ride_forest_input(row[i], link.number);
    return link;
}

/* F32 when all values of a row are rounded to floats before anything looks at them; and when margins and answers are floats. */
static inline uint32_t ride_ensemble_in_number(const ride_ensemble_parts *parts) {
    if (parts->view.header->combine == RIDE_COMBINE_SEGMENT) return RIDE_FOREST_F64;
    for (uint32_t m = 0; m < ride_ensemble_parts_count(&parts->view); m++) {
        const ride_member_view *member = &parts->members[m];
        const uint32_t number =
            member->network.header != NULL ? member->network.steps[0].number : member->forest.header->input_number;
        if (number != RIDE_FOREST_F32) return RIDE_FOREST_F64;
    }
    return RIDE_FOREST_F32;
}
static inline uint32_t ride_ensemble_out_number(const ride_ensemble_parts *parts) {
    const ride_ensemble_header *h = parts->view.header;
    const ride_member_view *only = &parts->members[0];
    if (h->combine != RIDE_COMBINE_ONE || h->calibration.kind != RIDE_CALIBRATION_NONE ||
        parts->view.members[0].calibration.kind != RIDE_CALIBRATION_NONE)
        return RIDE_FOREST_F64;
    return only->forest.header != NULL ? only->forest.header->sum_number : only->network.header->number;
}

/* Numbers of scratch that a row needs. */
static inline size_t ride_ensemble_row_scratch(const ride_ensemble_parts *parts) {
    return 2 * (size_t)parts->width_max + 2 * (size_t)parts->view.header->answers_count;
}

/* The answers of members that the row did not need are NaN: a cascade's that were not asked, a segment's that were not chosen. */
RIDE_HD static inline void ride_ensemble_unasked(const ride_ensemble_view *view, double segment_value,
                                                 double *member_answers) {
    const ride_ensemble_header *h = view->header;
    if (h->combine == RIDE_COMBINE_CASCADE && !ride_cascade_asks(h, member_answers[0]))
        for (uint32_t m = 1; m < h->members_count; m++) member_answers[m] = ride_f64_null();
    if (h->combine != RIDE_COMBINE_SEGMENT) return;
    const uint32_t chosen = ride_segment_row(view, segment_value);
    for (uint32_t m = 0; m < h->members_count; m++)
        if (m != chosen) member_answers[m] = ride_f64_null();
}

RIDE_HD static inline void ride_ensemble_end(uint32_t outputs_count, double *margins, double *answers) {
    for (uint32_t o = 0; o < outputs_count; o++) {
        margins[o] = ride_one_nan(margins[o]);
        answers[o] = ride_one_nan(answers[o]);
    }
}

/* A row to the ensemble's margins and answers. x: the vector's entries or the row's columns. scratch: as said above; afterwards its first
 * answers_count numbers are the members' answers, one member after the other, calibrated. */
RIDE_HD static inline void ride_ensemble_row(const ride_ensemble_parts *parts, const double *x, double *scratch,
                                             double *margins, double *answers) {
    const ride_ensemble_header *h = parts->view.header;
    double *member_answers = scratch, *member_margins = scratch + h->answers_count;
    double *row = member_margins + h->answers_count, *other = row + parts->width_max;
    uint32_t first = 0;
    for (uint32_t m = 0; m < h->members_count + h->has_stacker; m++) {
        const ride_member_view *member = &parts->members[m];
        const int is_stacker = m == h->members_count;
        double *to_margins = is_stacker ? margins : member_margins + first;
        double *to_answers = is_stacker ? answers : member_answers + first;
        for (uint32_t i = 0; i < member->inputs_count; i++) {
            const uint32_t from = member->inputs[i];
            row[i] = !is_stacker               ? x[from]
                     : from < h->answers_count ? member_answers[from]
                                               : x[from - h->answers_count];
        }
        const ride_link link = ride_member_margins(member, row, other, to_margins);
        ride_member_end(&link, &parts->view.members[m].calibration, parts->view.numbers, to_margins, to_answers);
        first += member->outputs_count;
    }
    const double segment_value = h->combine == RIDE_COMBINE_SEGMENT ? x[h->segment_input] : 0.0;
    if (h->has_stacker) ride_combine_end(&parts->view, margins, answers);
    else ride_combine_row(&parts->view, member_margins, member_answers, segment_value, margins, answers);
    ride_ensemble_unasked(&parts->view, segment_value, member_answers);
    ride_ensemble_end(h->outputs_count, margins, answers);
}

#endif
