/* kernels/cuda/launch.h: the one way in which kernels are started: a grid of whole blocks over `threads` threads (times `rows` in
 * y), no dynamic shared memory. */
#ifndef RIDE_KERNELS_CUDA_LAUNCH_H
#define RIDE_KERNELS_CUDA_LAUNCH_H
#include "kernels/cuda/watch.h"

#include <stdint.h>

template <typename... P>
static inline cudaError_t ride_cuda_launch(cudaStream_t stream, const char *name, void (*kernel)(P...),
                                           uint64_t threads, uint32_t rows, uint32_t block, P... arguments) {
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3((uint32_t)((threads + block - 1) / block), rows, 1);
    config.blockDim = dim3(block, 1, 1);
    config.dynamicSmemBytes = 0;
    config.stream = stream;
    if (!ride_cuda_watched()) return cudaLaunchKernelEx(&config, kernel, arguments...);
    ride_cuda_watch watch;
    cudaError_t code = ride_cuda_watch_begin(&watch, stream);
    if (code == cudaSuccess) code = cudaLaunchKernelEx(&config, kernel, arguments...);
    const cudaError_t ended = ride_cuda_watch_end(&watch, stream, name);
    return code != cudaSuccess ? code : ended;
}

#endif
