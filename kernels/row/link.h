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

/* LightGBM's: of doubles, without a bound. exp of what is too large is infinity, and the answer 0. */
RIDE_HD static inline double ride_logistic_f64(double x, double scale) {
    return 1.0 / (1.0 + ride_exp_row(-scale * x));
}

/* ONNX Runtime's, of floats whatever the sum is. What is lost in 1 - p is part of it. */
RIDE_HD static inline float ride_logistic_folded_f32(float x) {
    const float p = 1.0f / (1.0f + ride_exp_f32(x < 0.0f ? x : -x));
    return x < 0.0f ? 1.0f - p : p;
}

/* log(1 + exp(x)); what 1 + e has lost of e is made up for by the ratio. */
RIDE_HD static inline double ride_softplus_f64(double x) {
    const double e = ride_exp_row(x), sum = 1.0 + e;
    if (sum == 1.0) return e;
    if (sum - sum != 0.0) return sum; /* exp(x) is infinite, and so is the trainers' answer */
    return ride_log_row(sum) * (e / (sum - 1.0));
}

RIDE_HD static inline void ride_softmax_f32(double *values, uint32_t count) {
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

RIDE_HD static inline void ride_softmax_f64(double *values, uint32_t count) {
    double greatest = values[0], sum = 0.0;
    for (uint32_t i = 1; i < count; i++)
        if (values[i] > greatest) greatest = values[i];
    for (uint32_t i = 0; i < count; i++) {
        values[i] = ride_exp_row(values[i] - greatest);
        sum += values[i];
    }
    for (uint32_t i = 0; i < count; i++) values[i] /= sum;
}

/* ONNX: what is within 1e-7 of zero is no member of the softmax, and only scaled as the others are. All zeros stay zeros. ONNX Runtime computes it in
 * floats, whatever the sum is. */
RIDE_HD static inline void ride_softmax_zero_f32(double *values, uint32_t count) {
    float greatest = (float)values[0], sum = 0.0f;
    for (uint32_t i = 1; i < count; i++)
        if ((float)values[i] > greatest) greatest = (float)values[i];
    const float scale = ride_exp_f32(-greatest);
    for (uint32_t i = 0; i < count; i++) {
        const float x = (float)values[i];
        const int is_zero = x <= 0.0000001f && x >= -0.0000001f;
        const float y = is_zero ? x * scale : ride_exp_f32(x - greatest);
        if (!is_zero) sum += y;
        values[i] = (double)y;
    }
    for (uint32_t i = 0; i < count && sum != 0.0f; i++) values[i] = (double)((float)values[i] / sum);
}

/* sqrt 2 times the inverse error function of 2x - 1 by Winitzki's formula, in floats, as ONNX Runtime has it: good to 2 digits. NaN
 * outside of (0, 1). */
RIDE_HD static inline float ride_probit_f32(float x) {
    float y = 2.0f * x - 1.0f;
    const float sign = y < 0.0f ? -1.0f : 1.0f;
    y = (1.0f - y) * (1.0f + y);
    const float log = (float)ride_log_row((double)y);
    const float v = 2.0f / (3.14159f * 0.147f) + 0.5f * log;
    const float w = 1.0f / 0.147f * log;
    const float u = -v + (float)ride_sqrt_row((double)(v * v - w));
    return 1.41421356f * (sign * (float)ride_sqrt_row((double)u));
}

/* How margins become answers: ride_forest_header's words of the same names, which a network's header has too. */
typedef struct ride_link {
    uint32_t link, number, outputs_count, mean_of;
    double scale;
} ride_link;

RIDE_HD static inline double ride_link_mean(double x, const ride_link *l) {
    if (l->mean_of <= 1) return x;
    return l->number == RIDE_FOREST_F32 ? (double)((float)x / (float)l->mean_of) : x / (double)l->mean_of;
}

/* In place over a row's margins, all outputs of it. A margin that is NaN stays NaN. */
RIDE_HD static inline void ride_link_apply(double *values, const ride_link *l) {
    const uint32_t count = l->outputs_count;
    const int is_float = l->number == RIDE_FOREST_F32;
    for (uint32_t i = 0; i < count; i++) values[i] = ride_link_mean(values[i], l);
    switch (l->link) {
    case RIDE_FOREST_LINK_SOFTMAX:
        if (is_float) ride_softmax_f32(values, count);
        else ride_softmax_f64(values, count);
        return;
    case RIDE_FOREST_LINK_SOFTMAX_ZERO: ride_softmax_zero_f32(values, count); return;
    default: break;
    }
    for (uint32_t i = 0; i < count; i++) {
        const double x = values[i];
        switch (l->link) {
        case RIDE_FOREST_LINK_SIGMOID:
            values[i] = is_float ? (double)ride_sigmoid_f32((float)x) : ride_sigmoid_f64(x);
            break;
        case RIDE_FOREST_LINK_LOGISTIC: values[i] = ride_logistic_f64(x, l->scale); break;
        case RIDE_FOREST_LINK_LOGISTIC_FOLDED: values[i] = (double)ride_logistic_folded_f32((float)x); break;
        case RIDE_FOREST_LINK_EXP: values[i] = is_float ? (double)ride_exp_f32((float)x) : ride_exp_row(x); break;
        case RIDE_FOREST_LINK_SIGNED_SQUARE: values[i] = x < 0.0 ? -(x * x) : x * x; break;
        case RIDE_FOREST_LINK_SOFTPLUS: values[i] = ride_softplus_f64(x); break;
        case RIDE_FOREST_LINK_ISOLATION: values[i] = ride_pow_row(2.0, -x / l->scale); break;
        case RIDE_FOREST_LINK_STEP: values[i] = x > 0.0 ? 1.0 : x == x ? 0.0 : x; break;
        case RIDE_FOREST_LINK_PROBIT: values[i] = (double)ride_probit_f32((float)x); break;
        default: break;
        }
    }
}

RIDE_HD static inline ride_link ride_link_of(const ride_forest_header *h) {
    ride_link l;
    l.link = h->link;
    l.number = h->sum_number;
    l.outputs_count = h->outputs_count;
    l.mean_of = h->mean_of;
    l.scale = h->link_scale;
    return l;
}

RIDE_HD static inline void ride_link_row(double *values, const ride_forest_header *h) {
    const ride_link l = ride_link_of(h);
    ride_link_apply(values, &l);
}

#endif
