/* kernels/cpu/profile_avx2.c: the loops of profile_loops.h compiled for AVX2 and POPCNT: CMakeLists.txt gives this file the
 * compiler's options, isa.c tells where it may run. */
#if defined(__x86_64__)
#define PROFILE_TABLE ride_cpu_profile_loops_avx2
#include "kernels/cpu/profile_loops.h"
#endif
