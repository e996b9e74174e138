/* kernels/cuda/sort.h: a stable sort of pairs of 32-bit numbers on a device. */
#ifndef RIDE_KERNELS_CUDA_SORT_H
#define RIDE_KERNELS_CUDA_SORT_H
#include "kernels/cuda/cuda.h"

#include <stddef.h>
#include <stdint.h>

/* Scratch for up to count_max pairs. */
cudaError_t ride_cuda_sort_bytes(uint32_t count_max, size_t *bytes);
/* By key, ascending; equal keys keep their order. Queued on the stream. */
cudaError_t ride_cuda_sort(void *scratch, size_t bytes, const uint32_t *keys, uint32_t *keys_out,
                           const uint32_t *values, uint32_t *values_out, uint32_t count, cudaStream_t stream);

#endif
