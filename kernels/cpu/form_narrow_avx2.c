/* kernels/cpu/form_narrow_avx2.c: the form of int32 words compiled for AVX2, BMI, BMI2 and POPCNT: CMakeLists.txt gives this file
 * the compiler's options, isa.c tells where it may run. */
#if defined(__x86_64__)
#define FORM_VECTOR
#define FORM_TABLE ride_cpu_form_narrow_avx2
#include "kernels/cpu/form_body.h"
#endif
