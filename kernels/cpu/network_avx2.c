/* kernels/cpu/network_avx2.c: 8 floats or 4 doubles a register. */
#include "kernels/cpu/network_internal.h"

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>

#define NUMBER       float
#define IS_FLOAT     1
#define NAME(f)      f##_floats
#define VECTOR       __m256
#define LANES        8
#define LOAD(p)      _mm256_load_ps(p)
#define STORE(p, v)  _mm256_store_ps(p, v)
#define SPREAD(x)    _mm256_set1_ps(x)
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define ABOVE_0(a)   _mm256_max_ps(_mm256_setzero_ps(), a)
#include "kernels/cpu/network_loops.h"

#define NUMBER       double
#define IS_FLOAT     0
#define NAME(f)      f##_doubles
#define VECTOR       __m256d
#define LANES        4
#define LOAD(p)      _mm256_load_pd(p)
#define STORE(p, v)  _mm256_store_pd(p, v)
#define SPREAD(x)    _mm256_set1_pd(x)
#define FMA(a, b, c) _mm256_fmadd_pd(a, b, c)
#define ABOVE_0(a)   _mm256_max_pd(_mm256_setzero_pd(), a)
#include "kernels/cpu/network_loops.h"

void network_step_avx2(const network_step *step, void *x, void *y, uint32_t rows_count) {
    if (step->layout.number == RIDE_FOREST_F32) step_floats(step, x, y, rows_count);
    else step_doubles(step, x, y, rows_count);
}
#else
void network_step_avx2(const network_step *step, void *x, void *y, uint32_t rows_count) {
    network_step_portable(step, x, y, rows_count);
}
#endif
