/* kernels/cpu/link_avx2.c: CMakeLists.txt gives this file the compiler's options, isa.c tells where it may run. */
#if defined(__x86_64__)
#define LINK_ROWS link_rows_avx2
#include "kernels/cpu/link_loops.h"
#endif
