/* kernels/cpu/isa.c */
#include "kernels/cpu/isa.h"

#include <stdlib.h>
#include <string.h>

static ride_cpu_isa limit = RIDE_CPU_AVX512_BYTES;

static ride_cpu_isa wished(void) {
    static const char *const words[] = {"portable", "neon", "avx2", "avx512"};
    const char *wish = getenv("RIDE_CPU_ISA");
    for (int i = 0; wish != NULL && i < 4; i++)
        if (strcmp(wish, words[i]) == 0) return (ride_cpu_isa)i;
    return RIDE_CPU_AVX512_BYTES;
}

const char *ride_cpu_isa_name(ride_cpu_isa isa) {
    static const char *const names[RIDE_CPU_ISAS] = {"portable", "NEON", "AVX2", "AVX-512", "AVX-512 bytes"};
    return (unsigned)isa < RIDE_CPU_ISAS ? names[isa] : "?";
}

bool ride_cpu_isa_has(ride_cpu_isa isa) {
    if (isa > limit || isa > wished()) return false;
    switch (isa) {
    case RIDE_CPU_PORTABLE: return true;
#if defined(__aarch64__)
    case RIDE_CPU_NEON: return true;
#elif defined(__x86_64__)
    case RIDE_CPU_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
               __builtin_cpu_supports("popcnt") && __builtin_cpu_supports("fma");
    case RIDE_CPU_AVX512:
        return ride_cpu_isa_has(RIDE_CPU_AVX2) && __builtin_cpu_supports("avx512f") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq");
    case RIDE_CPU_AVX512_BYTES:
        return ride_cpu_isa_has(RIDE_CPU_AVX512) && __builtin_cpu_supports("avx512vbmi") &&
               __builtin_cpu_supports("gfni");
#endif
    default: return false;
    }
}

ride_cpu_isa ride_cpu_isa_best(void) {
    ride_cpu_isa best = RIDE_CPU_AVX512_BYTES;
    while (!ride_cpu_isa_has(best)) best--;
    return best;
}

void ride_cpu_isa_limit(ride_cpu_isa most) { limit = most; }
