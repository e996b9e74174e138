/* kernels/cpu/network_avx512.c: 16 floats or 8 doubles a register. */
#include "kernels/cpu/network_internal.h"

#if defined(__AVX512F__)
#include <immintrin.h>

#define NUMBER       float
#define IS_FLOAT     1
#define NAME(f)      f##_floats
#define VECTOR       __m512
#define LANES        16
#define LOAD(p)      _mm512_load_ps(p)
#define STORE(p, v)  _mm512_store_ps(p, v)
#define SPREAD(x)    _mm512_set1_ps(x)
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define ABOVE_0(a)   _mm512_max_ps(_mm512_setzero_ps(), a)
#include "kernels/cpu/network_loops.h"

#define NUMBER       double
#define IS_FLOAT     0
#define NAME(f)      f##_doubles
#define VECTOR       __m512d
#define LANES        8
#define LOAD(p)      _mm512_load_pd(p)
#define STORE(p, v)  _mm512_store_pd(p, v)
#define SPREAD(x)    _mm512_set1_pd(x)
#define FMA(a, b, c) _mm512_fmadd_pd(a, b, c)
#define ABOVE_0(a)   _mm512_max_pd(_mm512_setzero_pd(), a)
#include "kernels/cpu/network_loops.h"

void network_step_avx512(const network_step *step, void *x, void *y, uint32_t rows_count) {
    if (step->layout.number == RIDE_FOREST_F32) step_floats(step, x, y, rows_count);
    else step_doubles(step, x, y, rows_count);
}
#else
void network_step_avx512(const network_step *step, void *x, void *y, uint32_t rows_count) {
    network_step_portable(step, x, y, rows_count);
}
#endif
