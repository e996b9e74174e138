/* kernels/cpu/isa.h: which instruction set the loops with variants use. All variants give the same bytes. */
#ifndef RIDE_KERNELS_CPU_ISA_H
#define RIDE_KERNELS_CPU_ISA_H

typedef enum ride_cpu_isa {
    RIDE_CPU_PORTABLE = 0,
    RIDE_CPU_AVX2 = 1,         /* with BMI, BMI2, POPCNT, FMA */
    RIDE_CPU_AVX512 = 2,       /* F, VL, BW, DQ */
    RIDE_CPU_AVX512_BYTES = 3, /* with VBMI and GFNI */
} ride_cpu_isa;

/* The best that this machine has and the limit allows. Asked when a device is opened. The environment's RIDE_CPU_ISA (portable, avx2, avx512) is a
 * limit too: to measure and to compare, since the results are the same. Another word is none. */
ride_cpu_isa ride_cpu_isa_best(void);
/* No more than this for devices opened from now on: for tests and measurements, before threads exist. */
void ride_cpu_isa_limit(ride_cpu_isa most);

#endif
