/* kernels/cpu/isa.c */
#include "kernels/cpu/isa.h"

#include <stdlib.h>
#include <string.h>

static ride_cpu_isa limit = RIDE_CPU_AVX512_BYTES;

static ride_cpu_isa wished(void) {
    static const char *const words[] = {"portable", "avx2", "avx512"};
    const char *wish = getenv("RIDE_CPU_ISA");
    for (int i = 0; wish != NULL && i < 3; i++)
        if (strcmp(wish, words[i]) == 0) return (ride_cpu_isa)i;
    return RIDE_CPU_AVX512_BYTES;
}

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
    if (best > limit) best = limit;
    const ride_cpu_isa wish = wished();
    return best < wish ? best : wish;
}

void ride_cpu_isa_limit(ride_cpu_isa most) { limit = most; }
