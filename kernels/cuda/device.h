/* kernels/cuda/device.h: devices and buffers of the backend table. Host code. */
#ifndef RIDE_KERNELS_CUDA_DEVICE_H
#define RIDE_KERNELS_CUDA_DEVICE_H
#include "kernels/cuda/host.h"

ride_status ride_cuda_device_props(uint32_t device_index, ride_device_props *out, ride_error *err);
ride_status ride_cuda_device_open(uint32_t device_index, ride_device **out, ride_error *err);
void ride_cuda_device_close(ride_device *device);
ride_status ride_cuda_buffer_alloc(ride_device *device, ride_buffer_kind kind, uint64_t bytes, void **out,
                                   ride_error *err);
void ride_cuda_buffer_free(ride_device *device, ride_buffer_kind kind, void *buffer);

#endif
