/* kernels/cpu/isa.h: which instruction set the loops with variants use. All variants give the same bytes. */
#ifndef RIDE_KERNELS_CPU_ISA_H
#define RIDE_KERNELS_CPU_ISA_H
#include <stdbool.h>

/* Those of x86 in their order: each has what is below it. NEON is below all of them, so that "AVX2 or better" is a comparison. */
typedef enum ride_cpu_isa {
    RIDE_CPU_PORTABLE = 0,
    RIDE_CPU_NEON = 1,         /* of AArch64, whose every processor has it */
    RIDE_CPU_AVX2 = 2,         /* with BMI, BMI2, POPCNT, FMA */
    RIDE_CPU_AVX512 = 3,       /* F, VL, BW, DQ */
    RIDE_CPU_AVX512_BYTES = 4, /* with VBMI and GFNI */
    RIDE_CPU_ISAS,
} ride_cpu_isa;
const char *ride_cpu_isa_name(ride_cpu_isa isa); /* "AVX2" */

/* The best that this machine has and the limit allows. Asked when a device is opened. The environment's RIDE_CPU_ISA (portable, neon, avx2, avx512) is a
 * limit too: to measure and to compare, since the results are the same. Another word is none. */
ride_cpu_isa ride_cpu_isa_best(void);
/* Whether the machine has it and the limit allows it. */
bool ride_cpu_isa_has(ride_cpu_isa isa);
/* No more than this for devices opened from now on: for tests and measurements, before threads exist. */
void ride_cpu_isa_limit(ride_cpu_isa most);

#endif
