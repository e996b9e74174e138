/* kernels/cpu/program_avx2.c: the loops of program_step.h compiled for AVX2. Same source, same bits: no fused multiply-add, no
 * other order of additions. Chosen by cpuid in program.c. */
#include "kernels/cpu/program_internal.h"

#if defined(__x86_64__)
#pragma GCC push_options
#pragma GCC target("avx2")
#include "kernels/cpu/program_step.h"

void ride_cpu_program_eval_avx2(const ride_cpu_program_run *run) { program_eval(run); }
#pragma GCC pop_options
#endif
