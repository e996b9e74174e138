/* kernels/cpu/network_neon.c: AArch64: 4 floats or 2 doubles a register. */
#include "kernels/cpu/network_internal.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#define NUMBER       float
#define IS_FLOAT     1
#define NAME(f)      f##_floats
#define VECTOR       float32x4_t
#define LANES        4
#define LOAD(p)      vld1q_f32(p)
#define STORE(p, v)  vst1q_f32(p, v)
#define SPREAD(x)    vdupq_n_f32(x)
#define FMA(a, b, c) vfmaq_f32(c, a, b)
#define ABOVE_0(a)   vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(a), vcltzq_f32(a)))
#include "kernels/cpu/network_loops.h"

#define NUMBER       double
#define IS_FLOAT     0
#define NAME(f)      f##_doubles
#define VECTOR       float64x2_t
#define LANES        2
#define LOAD(p)      vld1q_f64(p)
#define STORE(p, v)  vst1q_f64(p, v)
#define SPREAD(x)    vdupq_n_f64(x)
#define FMA(a, b, c) vfmaq_f64(c, a, b)
#define ABOVE_0(a)   vreinterpretq_f64_u64(vbicq_u64(vreinterpretq_u64_f64(a), vcltzq_f64(a)))
#include "kernels/cpu/network_loops.h"

void network_step_neon(const network_step *step, void *x, void *y, uint32_t rows_count) {
    if (step->layout.number == RIDE_FOREST_F32) step_floats(step, x, y, rows_count);
    else step_doubles(step, x, y, rows_count);
}
#else
void network_step_neon(const network_step *step, void *x, void *y, uint32_t rows_count) {
    network_step_portable(step, x, y, rows_count);
}
#endif
