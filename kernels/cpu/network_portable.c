/* kernels/cpu/network_portable.c: for any machine: two floats at a time, held as doubles; doubles one by one. Without an instruction for fused multiply-adds
 * those of floats are made of doubles; those of doubles are the C library's: slow, and right. */
#include "kernels/cpu/network_internal.h"

#include <string.h>

typedef float floats2 __attribute__((vector_size(8)));
typedef double doubles2 __attribute__((vector_size(16)));
typedef int64_t words2 __attribute__((vector_size(16)));

/* To floats, and held as doubles again. */
static inline doubles2 rounded(doubles2 v) {
    return __builtin_convertvector(__builtin_convertvector(v, floats2), doubles2);
}

/* a * b + c of floats, rounded once. The product of two floats is exact as a double; the sum is rounded to odd: where it is not exact, and its last bit is
 * zero, it becomes the neighbour on the side of what was lost. So no sum comes to lie in the middle of two floats that did not lie there,
 * and rounding it again is as good as rounding once: a double has more than two bits beyond a float's. */
static inline doubles2 fma2(doubles2 a, doubles2 b, doubles2 c) {
#if defined(__FP_FAST_FMAF)
    return (doubles2){(double)__builtin_fmaf((float)a[0], (float)b[0], (float)c[0]),
                      (double)__builtin_fmaf((float)a[1], (float)b[1], (float)c[1])};
#else
    const doubles2 product = a * b, sum = product + c;
    const doubles2 part = sum - product, lost = (product - (sum - part)) + (c - part); /* exactly */
    words2 bits = (words2)sum;
    const words2 away = (words2)(lost > 0.0) ^ (words2)(sum < 0.0); /* from zero: the next greater word */
    const words2 moves = ((words2)(lost > 0.0) | (words2)(lost < 0.0)) & ~-(bits & 1); /* NaN does not */
    bits += moves & (~away | 1);                                                       /* 1 or -1 */
    return rounded((doubles2)bits);
#endif
}

static inline doubles2 load2(const float *from) {
    floats2 v;
    memcpy(&v, from, sizeof v);
    return __builtin_convertvector(v, doubles2);
}
static inline void store2(float *to, doubles2 v) {
    const floats2 rounded = __builtin_convertvector(v, floats2);
    memcpy(to, &rounded, sizeof rounded);
}
static inline doubles2 spread2(float x) { return (doubles2){(double)x, (double)x}; }
static inline doubles2 above_0(doubles2 a) { return (doubles2)((words2)a & ~(words2)(a < 0.0)); }

#define NUMBER       float
#define IS_FLOAT     1
#define NAME(f)      f##_floats
#define VECTOR       doubles2
#define LANES        2
#define LOAD(p)      load2(p)
#define STORE(p, v)  store2(p, v)
#define SPREAD(x)    spread2(x)
#define FMA(a, b, c) fma2(a, b, c)
#define ABOVE_0(a)   above_0(a)
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
