/* kernels/cuda/cuda.h: the CUDA runtime has its home here, with the way from its codes to ours. C++17.
 *
 * Everything of this folder goes through the runtime API (static cudart), nothing links libcuda. Names of kernels are extern "C", so
 * that they read the same in profiles, in kernels.budget and in the reports. */
#ifndef RIDE_KERNELS_CUDA_CUDA_H
#define RIDE_KERNELS_CUDA_CUDA_H
#include "base/error.h"

#include <cuda_runtime.h>

enum { RIDE_CUDA_BLOCK = 128 }; /* threads of a block where a kernel has no reason for another number */

/* A failure while `what` was done. Memory: RIDE_E_MEMORY. What a device does not come back from: RIDE_E_DEVICE_LOST. */
ride_status ride_cuda_fail(ride_error *err, cudaError_t code, const char *what);
ride_status ride_cuda_status(cudaError_t code);

#define RIDE_CUDA_TRY(err, what, call)                                                                                 \
    do {                                                                                                               \
        const cudaError_t ride_cuda_code_ = (call);                                                                    \
        if (ride_cuda_code_ != cudaSuccess) return ride_cuda_fail(err, ride_cuda_code_, what);                         \
    } while (0)
#define RIDE_CUDA_GOTO(st, err, what, call, label)                                                                     \
    do {                                                                                                               \
        const cudaError_t ride_cuda_code_ = (call);                                                                    \
        if (ride_cuda_code_ != cudaSuccess) {                                                                          \
            (st) = ride_cuda_fail(err, ride_cuda_code_, what);                                                         \
            goto label;                                                                                                \
        }                                                                                                              \
    } while (0)

#endif
