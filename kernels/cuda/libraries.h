/* cuda/libraries.h: NVIDIA's optional libraries, opened when something needs them. The plugin is not linked with them: cuBLAS alone
 * costs 0.1 s and 150 MB to load, and a machine without it can run everything that does not multiply matrices. */
#ifndef RIDE_CUDA_LIBRARIES_H
#define RIDE_CUDA_LIBRARIES_H
#include "base/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ride_cuda_library {
    RIDE_CUDA_CUBLAS, /* libcublas.so.13: matrix products */
    RIDE_CUDA_NCCL,   /* libnccl.so.2: sums over several devices */
    RIDE_CUDA_LIBRARIES_COUNT
} ride_cuda_library;

const char *ride_cuda_library_name(ride_cuda_library library); /* "cuBLAS" */
/* Opens the library, for good; *handle is for dlsym. version gets "13.1.0". Call it only where a device was found: NVIDIA's
 * libraries start the driver. RIDE_E_UNAVAILABLE when it is not there, cannot be loaded or is another one. Any thread. */
ride_status ride_cuda_library_open(ride_cuda_library library, void **handle, char version[16], ride_error *err);

#ifdef __cplusplus
}
#endif
#endif
