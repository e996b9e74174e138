/* kernels/cuda/device.cu: devices and buffers. */
#include "kernels/cuda/device.h"

#include "kernels/cuda/probe.h"

#include <new>
#include <stdio.h>
#include <string.h>

ride_status ride_cuda_told(ride_device *device, cudaError_t code, const char *what, ride_error *err) {
    if (code == cudaSuccess) return RIDE_OK;
    const ride_status st = ride_cuda_fail(err, code, what);
    if (st == RIDE_E_DEVICE_LOST) device->lost = true;
    return st;
}

ride_status ride_cuda_use(ride_device *device, ride_error *err) {
    if (device->lost) return ride_fail(err, RIDE_E_DEVICE_LOST, "the GPU number %d is lost", device->ordinal);
    return ride_cuda_told(device, cudaSetDevice(device->ordinal), "the GPU does not answer", err);
}

void ride_cuda_free(ride_device *device, void *memory) {
    if (memory == NULL) return;
    (void)cudaSetDevice(device->ordinal);
    (void)cudaFree(memory);
    (void)cudaGetLastError();
}

ride_status ride_cuda_clear(ride_device *device, void *memory, size_t bytes, const char *what, ride_error *err) {
    RIDE_TRY(ride_cuda_told(device, cudaMemset(memory, 0, bytes), what, err));
    return ride_cuda_told(device, cudaStreamSynchronize(NULL), what, err); /* other streams do not wait for this one */
}

ride_status ride_cuda_put(ride_device *device, void *to, const void *from, size_t bytes, const char *what,
                          ride_error *err) {
    RIDE_TRY(ride_cuda_told(device, cudaMemcpy(to, from, bytes, cudaMemcpyHostToDevice), what, err));
    return ride_cuda_told(device, cudaStreamSynchronize(NULL), what, err);
}

/* The NUMA node that the device is near, by its place on the bus; -1 = unknown. */
static int32_t numa_node_of(int ordinal) {
    char bus[32] = "", path[128];
    if (cudaDeviceGetPCIBusId(bus, sizeof bus, ordinal) != cudaSuccess) {
        (void)cudaGetLastError();
        return -1;
    }
    for (char *c = bus; *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'F') *c = (char)(*c - 'A' + 'a');
    snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/numa_node", bus);
    FILE *file = fopen(path, "r");
    int node = -1;
    if (file != NULL) {
        if (fscanf(file, "%d", &node) != 1) node = -1;
        fclose(file);
    }
    return node;
}

ride_status ride_cuda_device_props(uint32_t device_index, ride_device_props *out, ride_error *err) {
    if (device_index >= ride_cuda_device_count())
        return ride_fail(err, RIDE_E_CONFIG, "the cuda backend has %u devices, not number %u", ride_cuda_device_count(),
                         device_index);
    const int ordinal = ride_cuda_device_ordinal(device_index);
    cudaDeviceProp props;
    RIDE_CUDA_TRY(err, "the properties of a GPU could not be read", cudaGetDeviceProperties(&props, ordinal));
    memset(out, 0, sizeof *out);
    snprintf(out->name, sizeof out->name, "%.63s", props.name);
    snprintf(out->kind, sizeof out->kind, "cuda");
    out->memory_bytes = props.totalGlobalMem;
    out->numa_node = numa_node_of(ordinal);
    out->asynchronous = 1;
    out->cores = (uint32_t)props.multiProcessorCount;
    return RIDE_OK;
}

ride_status ride_cuda_device_open(uint32_t device_index, ride_device **out, ride_error *err) {
    if (device_index >= ride_cuda_device_count())
        return ride_fail(err, RIDE_E_CONFIG, "the cuda backend has %u devices, not number %u", ride_cuda_device_count(),
                         device_index);
    ride_device *device = new (std::nothrow) ride_device();
    if (device == NULL) return ride_fail(err, RIDE_E_MEMORY, "no memory for a device");
    device->ordinal = ride_cuda_device_ordinal(device_index);
    ride_status st = ride_cuda_use(device, err);
    if (st == RIDE_OK) /* makes the context, now and not in the data path */
        st = ride_cuda_told(device, cudaFree(NULL), "the GPU could not be opened", err);
    if (st != RIDE_OK) {
        delete device;
        return st;
    }
    *out = device;
    return RIDE_OK;
}

void ride_cuda_device_close(ride_device *device) { delete device; }

ride_status ride_cuda_buffer_alloc(ride_device *device, ride_buffer_kind kind, uint64_t bytes, void **out,
                                   ride_error *err) {
    *out = NULL;
    if (bytes == 0) return RIDE_OK;
    RIDE_TRY(ride_cuda_use(device, err));
    if (kind == RIDE_BUFFER_DEVICE)
        return ride_cuda_told(device, cudaMalloc(out, bytes), "no GPU memory for a buffer", err);
    return ride_cuda_told(device, cudaHostAlloc(out, bytes, cudaHostAllocPortable), "no pinned memory for a buffer",
                          err);
}

void ride_cuda_buffer_free(ride_device *device, ride_buffer_kind kind, void *buffer) {
    if (buffer == NULL) return;
    (void)cudaSetDevice(device->ordinal); /* pinned memory is given back although the device is lost */
    if (kind == RIDE_BUFFER_DEVICE) (void)cudaFree(buffer);
    else (void)cudaFreeHost(buffer);
    (void)cudaGetLastError();
}
