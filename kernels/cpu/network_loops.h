/* kernels/cpu/network_loops.h: one step over columns of NETWORK_ROWS rows; included once for floats and once for doubles by the file of each instruction
 * set, which says before (and all of it is taken back at the end):
 *   NUMBER            float or double
 *   IS_FLOAT          1 or 0: RIDE_FOREST_F32 or _F64 below
 *   NAME(f)           the function's name in this variant
 *   VECTOR, LANES     a register of NUMBER, and how many it holds
 *   LOAD STORE SPREAD FMA ABOVE_0   on it; FMA(a, b, c) is a * b + c, rounded once; ABOVE_0(a) is 0 where a < 0, else a, NaN too */
#include "kernels/cpu/network_internal.h"
#include "kernels/row/network.h"

#include <string.h>

#ifdef NUMBER
#if IS_FLOAT
#define KIND RIDE_FOREST_F32
#else
#define KIND RIDE_FOREST_F64
#endif

/* One group of outputs over REGISTERS registers of rows: 16 sums that do not wait for each other. */
#define DENSE_GROUP(REGISTERS)                                                                                         \
    do {                                                                                                               \
        VECTOR sums[NETWORK_GROUP][REGISTERS];                                                                         \
        for (int k = 0; k < NETWORK_GROUP; k++)                                                                        \
            for (int v = 0; v < (REGISTERS); v++) sums[k][v] = SPREAD(bias[k]);                                        \
        const NUMBER *w = weights;                                                                                     \
        for (uint32_t i = 0; i < inputs; i++, w += NETWORK_GROUP) {                                                    \
            VECTOR values[REGISTERS];                                                                                  \
            for (int v = 0; v < (REGISTERS); v++) values[v] = LOAD(x + (size_t)i * NETWORK_ROWS + r + v * LANES);      \
            for (int k = 0; k < NETWORK_GROUP; k++) {                                                                  \
                const VECTOR weight = SPREAD(w[k]);                                                                    \
                for (int v = 0; v < (REGISTERS); v++) sums[k][v] = FMA(weight, values[v], sums[k][v]);                 \
            }                                                                                                          \
        }                                                                                                              \
        for (int k = 0; k < NETWORK_GROUP; k++)                                                                        \
            for (int v = 0; v < (REGISTERS); v++)                                                                      \
                STORE(y + (size_t)(o + k) * NETWORK_ROWS + r + v * LANES, is_relu ? ABOVE_0(sums[k][v]) : sums[k][v]); \
    } while (0)

static void NAME(dense)(const network_step *step, const NUMBER *x, NUMBER *y, uint32_t rows_count) {
    const uint32_t inputs = step->layout.inputs, outputs = step->layout.outputs;
    const int is_relu = step->layout.activation == RIDE_ACTIVATION_RELU;
    for (uint32_t o = 0; o < outputs; o += NETWORK_GROUP) {
        const NUMBER *weights = (const NUMBER *)step->a + (size_t)o * inputs, *bias = (const NUMBER *)step->b + o;
        uint32_t r = 0;
        for (; r + 4 * LANES <= rows_count; r += 4 * LANES) DENSE_GROUP(4);
        for (; r < rows_count; r += LANES) DENSE_GROUP(1);
    }
}
#undef DENSE_GROUP

/* y = f(x) of each output, in place: SIGMOID and TANH. */
static void NAME(activate)(const network_step *step, NUMBER *y, uint32_t rows_count) {
    for (uint32_t o = 0; o < step->layout.outputs; o++) {
        NUMBER *column = y + (size_t)o * NETWORK_ROWS;
        switch (step->layout.activation) {
        case RIDE_ACTIVATION_SIGMOID:
            for (uint32_t r = 0; r < rows_count; r++) column[r] = (NUMBER)ride_activation_sigmoid((double)column[r]);
            break;
        case RIDE_ACTIVATION_TANH:
            for (uint32_t r = 0; r < rows_count; r++) column[r] = (NUMBER)ride_activation_tanh((double)column[r]);
            break;
        default: return;
        }
    }
}

/* As ride_softmax_f32 and _f64, for all rows abreast. */
static void NAME(softmax)(NUMBER *y, uint32_t outputs, uint32_t rows_count) {
    NUMBER greatest[NETWORK_ROWS];
    double sums[NETWORK_ROWS];
    for (uint32_t r = 0; r < rows_count; r++) greatest[r] = y[r];
    for (uint32_t r = 0; r < rows_count; r++) sums[r] = 0.0;
    for (uint32_t o = 1; o < outputs; o++) {
        const NUMBER *column = y + (size_t)o * NETWORK_ROWS;
        for (uint32_t r = 0; r < rows_count; r++) greatest[r] = column[r] > greatest[r] ? column[r] : greatest[r];
    }
    for (uint32_t o = 0; o < outputs; o++) {
        NUMBER *column = y + (size_t)o * NETWORK_ROWS;
        for (uint32_t r = 0; r < rows_count; r++) {
            column[r] = (NUMBER)ride_exp_row((double)(NUMBER)(column[r] - greatest[r]));
            sums[r] += (double)column[r];
        }
    }
    for (uint32_t o = 0; o < outputs; o++) {
        NUMBER *column = y + (size_t)o * NETWORK_ROWS;
        for (uint32_t r = 0; r < rows_count; r++) column[r] /= (NUMBER)sums[r];
    }
}

static void NAME(normalize)(const network_step *step, const NUMBER *x, NUMBER *y, uint32_t rows_count) {
    double norms[NETWORK_ROWS];
    const uint32_t kind = step->layout.kind;
    for (uint32_t r = 0; r < rows_count; r++) norms[r] = ride_norm_begin(kind, KIND);
    for (uint32_t i = 0; i < step->layout.inputs; i++)
        for (uint32_t r = 0; r < rows_count; r++)
            norms[r] = ride_norm_take(norms[r], (double)x[(size_t)i * NETWORK_ROWS + r], kind, KIND);
    for (uint32_t r = 0; r < rows_count; r++) norms[r] = ride_norm_end(norms[r], kind, KIND);
    for (uint32_t i = 0; i < step->layout.inputs; i++)
        for (uint32_t r = 0; r < rows_count; r++)
            y[(size_t)i * NETWORK_ROWS + r] = x[(size_t)i * NETWORK_ROWS + r] / (NUMBER)norms[r];
}

#define EACH(expression)                                                                                               \
    for (uint32_t i = 0; i < inputs; i++) {                                                                            \
        const NUMBER *from = x + (size_t)i * NETWORK_ROWS;                                                             \
        NUMBER *to = y + (size_t)i * NETWORK_ROWS;                                                                     \
        for (uint32_t r = 0; r < rows_count; r++) to[r] = (expression);                                                \
    }                                                                                                                  \
    break

static void NAME(step)(const network_step *step, const NUMBER *x, NUMBER *y, uint32_t rows_count) {
    const uint32_t inputs = step->layout.inputs;
    const NUMBER *a = step->a, *b = step->b;
    const int has_b = step->layout.has_b != 0;
    switch (step->layout.kind) {
    case RIDE_STEP_IMPUTE: EACH(from[r] != from[r] || (has_b && from[r] == b[0]) ? a[i] : from[r]);
    case RIDE_STEP_SHIFT_SCALE: EACH((from[r] - a[i]) * b[i]);
    case RIDE_STEP_SHIFT_DIVIDE: EACH((from[r] - a[i]) / b[i]);
    case RIDE_STEP_SCALE_SHIFT: EACH(from[r] * a[i] + b[i]);
    case RIDE_STEP_NORMALIZE_TOP:
    case RIDE_STEP_NORMALIZE_MAX:
    case RIDE_STEP_NORMALIZE_L1:
    case RIDE_STEP_NORMALIZE_L2: NAME(normalize)(step, x, y, rows_count); break;
    case RIDE_STEP_DENSE:
        NAME(dense)(step, x, y, rows_count);
        if (step->layout.activation == RIDE_ACTIVATION_SOFTMAX) NAME(softmax)(y, step->layout.outputs, rows_count);
        else NAME(activate)(step, y, rows_count);
        break;
    case RIDE_STEP_SELECT:
        for (uint32_t o = 0; o < step->layout.outputs; o++)
            memcpy(y + (size_t)o * NETWORK_ROWS, x + (size_t)step->columns[o] * NETWORK_ROWS, rows_count * sizeof *y);
        break;
    default: break;
    }
}
#undef EACH
#undef KIND

#undef NUMBER
#undef IS_FLOAT
#undef NAME
#undef VECTOR
#undef LANES
#undef LOAD
#undef STORE
#undef SPREAD
#undef FMA
#undef ABOVE_0
#endif
