/* kernels/cpu/profile_avx512.c: the loops of profile_loops.h compiled for AVX-512: CMakeLists.txt gives this file the compiler's
 * options, isa.c tells where it may run. */
#if defined(__x86_64__)
#define PROFILE_TABLE ride_cpu_profile_loops_avx512
#include "kernels/cpu/profile_loops.h"
#endif
