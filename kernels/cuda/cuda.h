/* cuda/cuda.h: the one place that includes CUDA's runtime. */
#ifndef RIDE_CUDA_CUDA_H
#define RIDE_CUDA_CUDA_H
#include <cuda_runtime.h>

#endif
