/* kernels/cuda/sort.cu: CUB's stable radix sort of (key index, row), in a unit of its own: it is most of the compile time, and one of
 * its kernels spills. */
#include "kernels/cuda/sort.h"

#include <cub/device/device_radix_sort.cuh>

cudaError_t ride_cuda_sort_bytes(uint32_t count_max, size_t *bytes) {
    *bytes = 0;
    return cub::DeviceRadixSort::SortPairs(nullptr, *bytes, (const uint32_t *)nullptr, (uint32_t *)nullptr,
                                           (const uint32_t *)nullptr, (uint32_t *)nullptr, (int)count_max, 0, 32);
}

cudaError_t ride_cuda_sort(void *scratch, size_t bytes, const uint32_t *keys, uint32_t *keys_out,
                           const uint32_t *values, uint32_t *values_out, uint32_t count, cudaStream_t stream) {
    return cub::DeviceRadixSort::SortPairs(scratch, bytes, keys, keys_out, values, values_out, (int)count, 0, 32,
                                           stream);
}
