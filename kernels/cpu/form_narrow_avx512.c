/* kernels/cpu/form_narrow_avx512.c: the form of int32 words compiled for AVX-512 (F, VL, BW, DQ): CMakeLists.txt gives this file
 * the compiler's options, isa.c tells where it may run. */
#if defined(__x86_64__)
#define FORM_VECTOR
#define FORM_TABLE ride_cpu_form_narrow_avx512
#include "kernels/cpu/form_body.h"
#endif
