/* kernels/row/link.h: from a row's margins to its answer, in the arithmetic of the trainer. */
#ifndef RIDE_KERNELS_ROW_LINK_H
#define RIDE_KERNELS_ROW_LINK_H
#include "base/hd.h"
#include "kernels/layout/forest.h"
#include "kernels/row/math.h"

/* exp of a float, to the nearest float. */
RIDE_HD static inline float ride_exp_f32(float x) { return (float)ride_exp_row((double)x); }

/* XGBoost's sigmoid: the bound on -x keeps the float exp finite; 1e-16 vanishes in float and is kept for the letter. Within
 * 2 ulp of the trainer's, whose exp is another one. */
RIDE_HD static inline float ride_sigmoid_f32(float x) {
    float negative = -x;
    if (negative > 88.7f) negative = 88.7f;
    float denominator = ride_exp_f32(negative) + 1.0f + 1e-16f;
    return 1.0f / denominator;
}
RIDE_HD static inline double ride_sigmoid_f64(double x) {
    double negative = -x;
    if (negative > 709.0) negative = 709.0;
    return 1.0 / (ride_exp_row(negative) + 1.0 + 1e-16);
}

/* In place over a row's margins; count 1 for all links but the softmax. A margin that is NaN stays NaN. */
RIDE_HD static inline void ride_link_row(double *values, uint32_t count, uint32_t link, uint32_t number) {
    if (link == RIDE_FOREST_LINK_SIGMOID) {
        for (uint32_t i = 0; i < count; i++)
            values[i] =
                number == RIDE_FOREST_F32 ? (double)ride_sigmoid_f32((float)values[i]) : ride_sigmoid_f64(values[i]);
    } else if (link == RIDE_FOREST_LINK_SOFTMAX) {
        float greatest = (float)values[0];
        for (uint32_t i = 1; i < count; i++)
            if ((float)values[i] > greatest) greatest = (float)values[i];
        double sum = 0.0;
        for (uint32_t i = 0; i < count; i++) {
            values[i] = (double)ride_exp_f32((float)values[i] - greatest);
            sum += values[i];
        }
        float divisor = (float)sum;
        for (uint32_t i = 0; i < count; i++) values[i] = (double)((float)values[i] / divisor);
    }
}

#endif
