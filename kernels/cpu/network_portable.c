/* kernels/cpu/network_portable.c: for any machine: four floats at a time as the compiler divides them up, doubles one by one. Without an instruction for
 * fused multiply-adds those of floats are made of doubles; those of doubles are the C library's: slow, and right. */
#include "kernels/cpu/network_internal.h"

#include <string.h>

typedef float floats4 __attribute__((vector_size(16)));
typedef double doubles4 __attribute__((vector_size(32)));
typedef int64_t words4 __attribute__((vector_size(32)));

/* a * b + c of floats, rounded once. The product of two floats is exact as a double; the sum is rounded to odd: where it is not exact, and its last bit is
 * zero, it becomes the neighbour on the side of what was lost. So no sum comes to lie in the middle of two floats that did not lie there,
 * and rounding it again is as good as rounding once: a double has more than two bits beyond a float's. */
static inline floats4 fma4(floats4 a, floats4 b, floats4 c) {
    const doubles4 product = __builtin_convertvector(a, doubles4) * __builtin_convertvector(b, doubles4),
                   added = __builtin_convertvector(c, doubles4), sum = product + added;
    const doubles4 part = sum - product, lost = (product - (sum - part)) + (added - part); /* exactly */
    words4 bits = (words4)sum;
    const words4 away = (words4)(lost > 0.0) ^ (words4)(sum < 0.0); /* from zero: the next greater word */
    const words4 moves = ((words4)(lost > 0.0) | (words4)(lost < 0.0)) & ~-(bits & 1); /* NaN does not */
    bits += moves & (~away | 1);                                                       /* 1 or -1 */
    return __builtin_convertvector((doubles4)bits, floats4);
}

static inline floats4 load4(const float *from) {
    floats4 v;
    memcpy(&v, from, sizeof v);
    return v;
}
static inline void store4(float *to, floats4 v) { memcpy(to, &v, sizeof v); }
static inline floats4 spread4(float x) { return (floats4){x, x, x, x}; }
static inline floats4 above_0(floats4 a) {
    typedef int32_t words __attribute__((vector_size(16)));
    return (floats4)((words)a & ~(words)(a < 0.0f));
}

#define NUMBER       float
#define IS_FLOAT     1
#define NAME(f)      f##_floats
#define VECTOR       floats4
#define LANES        4
#define LOAD(p)      load4(p)
#define STORE(p, v)  store4(p, v)
#define SPREAD(x)    spread4(x)
#define FMA(a, b, c) fma4(a, b, c)
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
