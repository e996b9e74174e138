/* kernels/cpu/isa.c */
#include "kernels/cpu/isa.h"

static ride_cpu_isa limit = RIDE_CPU_AVX512_BYTES;

ride_cpu_isa ride_cpu_isa_best(void) {
    ride_cpu_isa best = RIDE_CPU_PORTABLE;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
        __builtin_cpu_supports("popcnt") && __builtin_cpu_supports("fma")) {
        best = RIDE_CPU_AVX2;
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
            __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq"))
            best = __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("gfni") ? RIDE_CPU_AVX512_BYTES
                                                                                          : RIDE_CPU_AVX512;
    }
#endif
    return best < limit ? best : limit;
}

void ride_cpu_isa_limit(ride_cpu_isa most) { limit = most; }
