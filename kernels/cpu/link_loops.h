/* kernels/cpu/link_loops.h: ride_link_apply over rows of one output, with what is decided for all rows decided before the loop, so that the compiler
 * takes several rows at a time. Included once by the file of each instruction set, which says LINK_ROWS, the function's name. */
#include "kernels/cpu/link.h"

#ifdef LINK_ROWS

#define EACH(expression)                                                                                               \
    do {                                                                                                               \
        for (uint32_t r = 0; r < rows_count; r++) {                                                                    \
            const double x = values[r];                                                                                \
            values[r] = (expression);                                                                                  \
        }                                                                                                              \
    } while (0)

/* 2^y; of NaN NaN. */
static inline double power_of_two(double y) {
    const double power = ride_pow_positive(2.0, y);
    return y == y ? power : ride_f64_null();
}

void LINK_ROWS(const ride_link *link, double *values, uint32_t rows_count) {
    if (link->outputs_count != 1) {
        for (uint32_t r = 0; r < rows_count; r++) ride_link_apply(values + (size_t)r * link->outputs_count, link);
        return;
    }
    const int is_float = link->number == RIDE_FOREST_F32;
    const double scale = link->scale;
    if (link->mean_of > 1) {
        const ride_link l = *link;
        EACH(ride_link_mean(x, &l));
    }
    switch (link->link) {
    case RIDE_FOREST_LINK_SIGMOID:
        if (is_float) EACH((double)ride_sigmoid_f32((float)x));
        else EACH(ride_sigmoid_f64(x));
        break;
    case RIDE_FOREST_LINK_LOGISTIC: EACH(ride_logistic_f64(x, scale)); break;
    case RIDE_FOREST_LINK_LOGISTIC_FOLDED: EACH((double)ride_logistic_folded_f32((float)x)); break;
    case RIDE_FOREST_LINK_EXP:
        if (is_float) EACH((double)ride_exp_f32((float)x));
        else EACH(ride_exp_row(x));
        break;
    case RIDE_FOREST_LINK_ISOLATION: EACH(power_of_two(-x / scale)); break;
    default: {
        ride_link l = *link;
        l.mean_of = 1;
        for (uint32_t r = 0; r < rows_count; r++) ride_link_apply(&values[r], &l);
    }
    }
}
#undef EACH
#undef LINK_ROWS
#endif
