/* kernels/cpu/network_portable.c: a row at a time, where there is nothing better. Fused multiply-adds are the C library's: slow, and right. */
#include "kernels/cpu/network_internal.h"

#define NUMBER       float
#define IS_FLOAT     1
#define NAME(f)      f##_floats
#define VECTOR       float
#define LANES        1
#define LOAD(p)      (*(p))
#define STORE(p, v)  (*(p) = (v))
#define SPREAD(x)    (x)
#define FMA(a, b, c) __builtin_fmaf(a, b, c)
#define ABOVE_0(a)   ((a) < 0 ? 0 : (a))
#include "kernels/cpu/network_loops.h"

#define NUMBER       double
#define IS_FLOAT     0
#define NAME(f)      f##_doubles
#define VECTOR       double
#define LANES        1
#define LOAD(p)      (*(p))
#define STORE(p, v)  (*(p) = (v))
#define SPREAD(x)    (x)
#define FMA(a, b, c) __builtin_fma(a, b, c)
#define ABOVE_0(a)   ((a) < 0 ? 0 : (a))
#include "kernels/cpu/network_loops.h"

void network_step_portable(const network_step *step, void *x, void *y, uint32_t rows_count) {
    if (step->layout.number == RIDE_FOREST_F32) step_floats(step, x, y, rows_count);
    else step_doubles(step, x, y, rows_count);
}
