/* kernels/row/network.h: one row through the steps of a network (kernels/layout/network.h). One source for every backend (C17, C++17, CUDA).
 *
 * A step of floats rounds its inputs to float and computes in float; activations go through doubles and are rounded once. A layer's output is a
 * chain of fused multiply-adds in the order of the inputs, beginning with its bias: one rounding a step, so lanes that are rows give the same bits
 * at any width. Rows are doubles; a float is held exactly. */
#ifndef RIDE_KERNELS_ROW_NETWORK_H
#define RIDE_KERNELS_ROW_NETWORK_H
#include "kernels/layout/network.h"
#include "kernels/row/link.h"
#include "kernels/row/math.h"
#include "kernels/row/tree.h"

/* 1 / (1 + exp(-x)). */
RIDE_HD RIDE_INLINE double ride_activation_sigmoid(double x) { return 1.0 / (1.0 + ride_exp_row(-x)); }

/* Near zero by Lambert's continued fraction, written as x less a quotient (error below 1e-18 up to 0.55); else 1 - 2 / (e^2x + 1). Within 2
 * units of the last place. */
RIDE_HD RIDE_INLINE double ride_activation_tanh(double x) {
    const double a = ride_f64_abs(x), z = a * a;
    const double p = ((z + 594.0) * z + 45045.0) * z + 675675.0;
    const double q = (((z + 630.0) * z + 51975.0) * z + 945945.0) * z + 2027025.0;
    const double low = a - a * (z * (p / q)), high = 1.0 - 2.0 / (ride_exp_row(a + a) + 1.0);
    const double y = a < 0.55 ? low : high;
    return ride_f64_copysign(y, x);
}

/* Not SOFTMAX. */
RIDE_HD RIDE_INLINE double ride_activation_row(double x, uint32_t activation, uint32_t number) {
    double y = x;
    if (activation == RIDE_ACTIVATION_RELU) y = x < 0.0 ? 0.0 : x;
    else if (activation == RIDE_ACTIVATION_SIGMOID) y = ride_activation_sigmoid(x);
    else if (activation == RIDE_ACTIVATION_TANH) y = ride_activation_tanh(x);
    return number == RIDE_FOREST_F32 ? (double)(float)y : y;
}

RIDE_HD RIDE_INLINE int ride_impute_is_missing(double x, int has_b, double b) { return x != x || (has_b && x == b); }

RIDE_HD RIDE_INLINE double ride_shift_scale(double x, double a, double b, uint32_t number) {
    return number == RIDE_FOREST_F32 ? (double)(((float)x - (float)a) * (float)b) : (x - a) * b;
}
RIDE_HD RIDE_INLINE double ride_shift_divide(double x, double a, double b, uint32_t number) {
    return number == RIDE_FOREST_F32 ? (double)(((float)x - (float)a) / (float)b) : (x - a) / b;
}
RIDE_HD RIDE_INLINE double ride_scale_shift(double x, double a, double b, uint32_t number) {
    if (number == RIDE_FOREST_F32) {
        const float product = (float)x * (float)a;
        return (double)(product + (float)b);
    }
    const double product = x * a;
    return product + b;
}
RIDE_HD RIDE_INLINE double ride_quotient(double x, double by, uint32_t number) {
    return number == RIDE_FOREST_F32 ? (double)((float)x / (float)by) : x / by;
}

/* A norm of no elements. */
RIDE_HD RIDE_INLINE double ride_norm_begin(uint32_t kind, uint32_t number) {
    if (kind != RIDE_STEP_NORMALIZE_TOP) return 0.0;
    return number == RIDE_FOREST_F32 ? -(double)__FLT_MAX__ : -__DBL_MAX__;
}
/* One more element of a norm: its greatest magnitude, sum of magnitudes or of squares so far. */
RIDE_HD RIDE_INLINE double ride_norm_take(double norm, double x, uint32_t kind, uint32_t number) {
    const double a = ride_f64_abs(x);
    if (kind == RIDE_STEP_NORMALIZE_TOP) return x > norm ? x : norm;
    if (kind == RIDE_STEP_NORMALIZE_MAX) return a > norm ? a : norm;
    if (number == RIDE_FOREST_F32) {
        const float more = kind == RIDE_STEP_NORMALIZE_L2 ? (float)x * (float)x : (float)a;
        return (double)((float)norm + more);
    }
    const double more = kind == RIDE_STEP_NORMALIZE_L2 ? x * x : a;
    return norm + more;
}
/* What the elements are divided by; 1 for a row of zeros. */
RIDE_HD RIDE_INLINE double ride_norm_end(double norm, uint32_t kind, uint32_t number) {
    if (kind == RIDE_STEP_NORMALIZE_L2) {
        norm = ride_sqrt_row(norm);
        if (number == RIDE_FOREST_F32) norm = (double)(float)norm;
    }
    return norm == 0.0 ? 1.0 : norm;
}

/* One output of a layer before its activation. a: the output's weights. */
RIDE_HD static inline double ride_dense_row(const double *a, double bias, const double *x, uint32_t count,
                                            uint32_t number) {
    if (number == RIDE_FOREST_F32) {
        float sum = (float)bias;
        for (uint32_t i = 0; i < count; i++) sum = __builtin_fmaf((float)a[i], (float)x[i], sum);
        return (double)sum;
    }
    double sum = bias;
    for (uint32_t i = 0; i < count; i++) sum = __builtin_fma(a[i], x[i], sum);
    return sum;
}

/* One step: x (inputs) → y (outputs); the two do not overlap. x is rounded in place first. */
RIDE_HD static inline void ride_step_row(const ride_network *network, const ride_network_step *step, double *x,
                                         double *y) {
    const double *a = network->numbers + step->a_first, *b = network->numbers + step->b_first;
    const uint32_t number = step->number, inputs = step->inputs, outputs = step->outputs;
    double norm = ride_norm_begin(step->kind, number);
    for (uint32_t i = 0; i < inputs; i++) x[i] = ride_forest_input(x[i], number);
    switch (step->kind) {
    case RIDE_STEP_IMPUTE:
        for (uint32_t i = 0; i < inputs; i++)
            y[i] = ride_impute_is_missing(x[i], (int)step->has_b, step->has_b ? b[0] : 0.0) ? a[i] : x[i];
        break;
    case RIDE_STEP_SHIFT_SCALE:
        for (uint32_t i = 0; i < inputs; i++) y[i] = ride_shift_scale(x[i], a[i], b[i], number);
        break;
    case RIDE_STEP_SHIFT_DIVIDE:
        for (uint32_t i = 0; i < inputs; i++) y[i] = ride_shift_divide(x[i], a[i], b[i], number);
        break;
    case RIDE_STEP_SCALE_SHIFT:
        for (uint32_t i = 0; i < inputs; i++) y[i] = ride_scale_shift(x[i], a[i], b[i], number);
        break;
    case RIDE_STEP_NORMALIZE_TOP:
    case RIDE_STEP_NORMALIZE_MAX:
    case RIDE_STEP_NORMALIZE_L1:
    case RIDE_STEP_NORMALIZE_L2:
        for (uint32_t i = 0; i < inputs; i++) norm = ride_norm_take(norm, x[i], step->kind, number);
        norm = ride_norm_end(norm, step->kind, number);
        for (uint32_t i = 0; i < inputs; i++) y[i] = ride_quotient(x[i], norm, number);
        break;
    case RIDE_STEP_DENSE:
        for (uint32_t o = 0; o < outputs; o++) {
            const double sum = ride_dense_row(a + (size_t)o * inputs, step->has_b ? b[o] : 0.0, x, inputs, number);
            y[o] = ride_activation_row(sum, step->activation, number);
        }
        if (step->activation == RIDE_ACTIVATION_SOFTMAX) {
            if (number == RIDE_FOREST_F32) ride_softmax_f32(y, outputs);
            else ride_softmax_f64(y, outputs);
        }
        break;
    case RIDE_STEP_SELECT:
        for (uint32_t o = 0; o < outputs; o++) y[o] = x[network->columns[step->columns_first + o]];
        break;
    default: break;
    }
}

/* A row through all steps. row holds the inputs; it and other have width_max numbers and are written to. Returns the one that holds
 * the outputs. */
RIDE_HD static inline double *ride_network_row(const ride_network *network, double *row, double *other) {
    for (uint32_t i = 0; i < network->header->steps_count; i++) {
        double *was = row;
        ride_step_row(network, &network->steps[i], row, other);
        row = other;
        other = was;
    }
    return row;
}

RIDE_HD static inline ride_link ride_link_of_network(const ride_network_header *h) {
    ride_link l;
    l.link = h->link;
    l.number = h->number;
    l.outputs_count = h->outputs_count;
    l.mean_of = h->mean_of;
    l.scale = h->link_scale;
    return l;
}

#endif
