/* kernels/row/combine.h: from the members' answers of one row to the ensemble's margin and answer (kernels/layout/ensemble.h). One source for every
 * backend (C17, C++17, CUDA). All arithmetic is of doubles, in the order written. A missing number (NaN) that takes part makes the result NaN. */
#ifndef RIDE_KERNELS_ROW_COMBINE_H
#define RIDE_KERNELS_ROW_COMBINE_H
#include "kernels/layout/ensemble.h"
#include "kernels/row/math.h"

/* The straight line between two points: x_0 ≤ … ≤ x_{n-1}, then their y. Level beyond the ends; of points with one x the last counts. */
RIDE_HD static inline double ride_curve_row(const double *points, uint32_t count, double x) {
    const double *y = points + count;
    if (x != x) return x;
    if (x < points[0]) return y[0];
    uint32_t low = 0, high = count; /* points[low] <= x, and x < points[high] where that exists */
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        if (points[middle] <= x) low = middle;
        else high = middle;
    }
    if (low == count - 1 || points[low] == x) return y[low];
    const double slope = (y[low + 1] - y[low]) / (points[low + 1] - points[low]);
    const double rise = slope * (x - points[low]);
    return rise + y[low];
}

RIDE_HD static inline double ride_calibrate_row(const ride_calibration *calibration, const double *numbers,
                                                double margin, double answer) {
    const double x = calibration->of_margin ? margin : answer;
    if (calibration->kind == RIDE_CALIBRATION_PLATT) {
        const double product = calibration->a * x;
        return 1.0 / (1.0 + ride_exp_row(product + calibration->b));
    }
    if (calibration->kind == RIDE_CALIBRATION_CURVE)
        return ride_curve_row(numbers + calibration->first, calibration->points_count, x);
    return answer;
}

/* log(p / (1 - p)), with p kept 1e-15 away from 0 and 1. */
RIDE_HD static inline double ride_logit_row(double p) {
    if (p != p) return p;
    p = p < 1e-15 ? 1e-15 : p;
    p = p > 1.0 - 1e-15 ? 1.0 - 1e-15 : p;
    return ride_log_row(p / (1.0 - p));
}

/* The member that the value of the segment's input chooses. */
RIDE_HD static inline uint32_t ride_segment_row(const ride_ensemble_view *ensemble, double value) {
    const ride_ensemble_header *h = ensemble->header;
    const double *values = ensemble->numbers + h->segments_first;
    for (uint32_t low = 0, high = h->segments_count; low < high;) {
        const uint32_t middle = low + (high - low) / 2;
        if (values[middle] == value) return (uint32_t)values[h->segments_count + middle];
        if (values[middle] < value) low = middle + 1;
        else high = middle;
    }
    return h->segment_otherwise;
}

/* CASCADE: the other members are asked, because the first one's answer is within the band, or missing. */
RIDE_HD static inline int ride_cascade_asks(const ride_ensemble_header *h, double first) {
    return !(first < h->low) && !(first > h->high);
}

/* Which of the outputs is the greatest, the first of equal ones; count when one is NaN. */
RIDE_HD static inline uint32_t ride_greatest_row(const double *answers, uint32_t count) {
    uint32_t best = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (answers[i] != answers[i]) return count;
        if (answers[i] > answers[best]) best = i;
    }
    return best;
}

/* What one member brings to the weighted mean of output `output`. answers: the member's, calibrated. */
RIDE_HD static inline double ride_contribution_row(const ride_ensemble_view *ensemble,
                                                   const ride_ensemble_member *member, const double *answers,
                                                   uint32_t output) {
    const uint32_t outputs = ensemble->header->outputs_count;
    const double x = answers[output];
    uint32_t best;
    switch (ensemble->header->combine) {
    case RIDE_COMBINE_LOGIT_MEAN: return ride_logit_row(x);
    case RIDE_COMBINE_RANK_MEAN:
        return ride_curve_row(ensemble->numbers + member->rank.first, member->rank.points_count, x);
    case RIDE_COMBINE_VOTE:
        if (outputs == 1) return x != x ? x : x >= member->threshold ? 1.0 : 0.0;
        best = ride_greatest_row(answers, outputs);
        return best == outputs ? ride_f64_null() : best == output ? 1.0 : 0.0;
    default: return x;
    }
}

/* The end of a combination, in place: margins[outputs_count] are what it gave; answers from it, then the result's calibration. */
RIDE_HD static inline void ride_combine_end(const ride_ensemble_view *ensemble, const double *margins,
                                            double *answers) {
    const ride_ensemble_header *h = ensemble->header;
    if (h->combine == RIDE_COMBINE_LOGIT_MEAN) answers[0] = 1.0 / (1.0 + ride_exp_row(-margins[0]));
    if (h->calibration.kind != RIDE_CALIBRATION_NONE)
        answers[0] = ride_calibrate_row(&h->calibration, ensemble->numbers, margins[0], answers[0]);
}

/* The members' answers of one row, one member after the other, each with its outputs, to margins and answers of the ensemble. Of SEGMENT
 * segment_value is the input's value; member_margins are as answers, before links and calibrations. Not for STACK, whose margins and answers are the
 * stacker's, to be ended by ride_combine_end. */
RIDE_HD static inline void ride_combine_row(const ride_ensemble_view *ensemble, const double *member_margins,
                                            const double *member_answers, double segment_value, double *margins,
                                            double *answers) {
    const ride_ensemble_header *h = ensemble->header;
    const uint32_t outputs = h->outputs_count;
    const int is_cascade = h->combine == RIDE_COMBINE_CASCADE;
    if (h->combine == RIDE_COMBINE_ONE || h->combine == RIDE_COMBINE_SEGMENT) {
        const uint32_t m = h->combine == RIDE_COMBINE_ONE ? 0 : ride_segment_row(ensemble, segment_value);
        for (uint32_t o = 0; o < outputs; o++) {
            margins[o] = member_margins[m * outputs + o];
            answers[o] = member_answers[m * outputs + o];
        }
    } else if (is_cascade && !ride_cascade_asks(h, member_answers[0])) margins[0] = answers[0] = member_answers[0];
    else {
        for (uint32_t o = 0; o < outputs; o++) {
            double sum = 0.0;
            for (uint32_t m = (uint32_t)is_cascade; m < h->members_count; m++) {
                const ride_ensemble_member *member = &ensemble->members[m];
                const double product =
                    member->weight * ride_contribution_row(ensemble, member, member_answers + (size_t)m * outputs, o);
                sum += product;
            }
            margins[o] = answers[o] = sum / h->weights_sum;
        }
    }
    ride_combine_end(ensemble, margins, answers);
}

#endif
