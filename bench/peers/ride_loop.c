/* bench/peers/ride_loop.c: calls of the C API in a C loop, for bench/peers/engines.py: ns per row without what a call from Python costs.
 *
 *     cc -O2 -shared -fPIC -Ihost/include -o FOLDER/ride_loop.so bench/peers/ride_loop.c -Lbuild/release/lib -lride */
#include "ride/ride.h"

#include <time.h>

static double now_ns(int wall) {
    struct timespec t;
    clock_gettime(wall ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Margins of rows_count rows of `columns` floats, `batch` at a time, again and again from row *at on, until least_ns are over. Returns ns per row; -1 when a
 * call fails. phi: explanations instead. wall: by the wall's clock, else CPU time. */
double ride_loop(ride_context *context, const ride_predictor *model, const float *rows, uint32_t columns,
                 uint64_t rows_count, uint64_t batch, double least_ns, uint64_t *at, void *out, int number, int phi,
                 int wall);
double ride_loop(ride_context *context, const ride_predictor *model, const float *rows, uint32_t columns,
                 uint64_t rows_count, uint64_t batch, double least_ns, uint64_t *at, void *out, int number, int phi,
                 int wall) {
    const double begin_ns = now_ns(wall);
    double end_ns;
    uint64_t done = 0;
    do {
        if (*at + batch > rows_count) *at = 0;
        const ride_matrix matrix = {rows + *at * columns, RIDE_NUMBER_F32, columns, batch, columns, 1};
        const ride_scores scores = {.margins = out, .number = (ride_number)number};
        const ride_explanation why = {out, (ride_number)number};
        if ((phi ? ride_explain(context, model, &matrix, &why) : ride_predict(context, model, &matrix, &scores)) !=
            RIDE_RESULT_OK)
            return -1;
        *at += batch;
        done += batch;
        end_ns = now_ns(wall);
    } while (end_ns - begin_ns < least_ns);
    return (end_ns - begin_ns) / (double)done;
}
