/* kernels/emu/device.cc: what an emulated device says about itself: a small machine of compute capability 9.0, so that grids
 * sized by its multiprocessors have several blocks and loops over them. */
#include "kernels/emu/runtime.h"

#include <stdio.h>
#include <string.h>

using namespace ride_emu;

enum { MULTIPROCESSORS = 4, SHARED_BYTES = 48 << 10, SHARED_OPTIN_BYTES = 227 << 10, REGISTERS = 64 << 10 };

static bool device_exists(int device) { return device >= 0 && (size_t)device < world().devices.size(); }

cudaError_t cudaGetDeviceCount(int *count) {
    Call call("cudaGetDeviceCount", Call::anywhere);
    *count = (int)world().devices.size();
    return call.end(*count == 0 ? cudaErrorNoDevice : cudaSuccess);
}

cudaError_t cudaGetDevice(int *device) {
    Call call("cudaGetDevice", Call::anywhere);
    *device = current_device();
    return call.end();
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *prop, int device) {
    Call call("cudaGetDeviceProperties");
    if (call.refused()) return call.end();
    if (!device_exists(device)) return call.end(cudaErrorInvalidDevice);
    *prop = {};
    snprintf(prop->name, sizeof prop->name, "RIDE emulated device");
    memcpy(prop->uuid.bytes, "ride-emulated-", 14);
    prop->uuid.bytes[15] = (char)device;
    prop->totalGlobalMem = world().memory_bytes;
    prop->sharedMemPerBlock = SHARED_BYTES;
    prop->sharedMemPerBlockOptin = SHARED_OPTIN_BYTES;
    prop->sharedMemPerMultiprocessor = SHARED_OPTIN_BYTES + 1024;
    prop->regsPerBlock = prop->regsPerMultiprocessor = REGISTERS;
    prop->warpSize = warpSize;
    prop->maxThreadsPerBlock = prop->maxThreadsDim[0] = prop->maxThreadsDim[1] = 1024;
    prop->maxThreadsDim[2] = 64;
    prop->maxGridSize[0] = 0x7fffffff;
    prop->maxGridSize[1] = prop->maxGridSize[2] = 65535;
    prop->totalConstMem = 64 << 10;
    prop->major = 9;
    prop->multiProcessorCount = MULTIPROCESSORS;
    prop->canMapHostMemory = prop->concurrentKernels = prop->unifiedAddressing = 1;
    prop->pciBusID = device + 1;
    prop->pciDomainID = 0xeeee;
    prop->asyncEngineCount = 2;
    prop->memoryBusWidth = 64;
    prop->l2CacheSize = 1 << 20;
    prop->maxThreadsPerMultiProcessor = 2048;
    prop->maxBlocksPerMultiProcessor = 32;
    return call.end();
}

cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attr, int device) {
    Call call("cudaDeviceGetAttribute");
    if (call.refused()) return call.end();
    if (!device_exists(device)) return call.end(cudaErrorInvalidDevice);
    switch (attr) {
    case cudaDevAttrMaxThreadsPerBlock: *value = 1024; break;
    case cudaDevAttrMaxSharedMemoryPerBlock: *value = SHARED_BYTES; break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = SHARED_OPTIN_BYTES; break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor: *value = SHARED_OPTIN_BYTES + 1024; break;
    case cudaDevAttrMaxRegistersPerMultiprocessor: *value = REGISTERS; break;
    case cudaDevAttrWarpSize: *value = warpSize; break;
    case cudaDevAttrClockRate: *value = 1000000; break; // kHz
    case cudaDevAttrMemoryClockRate: *value = 1000000; break;
    case cudaDevAttrGlobalMemoryBusWidth: *value = 64; break;
    case cudaDevAttrMultiProcessorCount: *value = MULTIPROCESSORS; break;
    case cudaDevAttrIntegrated: *value = 0; break;
    case cudaDevAttrCanMapHostMemory: *value = 1; break;
    case cudaDevAttrComputeMode: *value = 0; break;
    case cudaDevAttrConcurrentKernels: *value = 1; break;
    case cudaDevAttrEccEnabled: *value = 0; break;
    case cudaDevAttrPciBusId: *value = device + 1; break;
    case cudaDevAttrPciDeviceId: *value = 0; break;
    case cudaDevAttrPciDomainId: *value = 0xeeee; break;
    case cudaDevAttrL2CacheSize: *value = 1 << 20; break;
    case cudaDevAttrMaxThreadsPerMultiProcessor: *value = 2048; break;
    case cudaDevAttrAsyncEngineCount: *value = 2; break;
    case cudaDevAttrUnifiedAddressing: *value = 1; break;
    case cudaDevAttrComputeCapabilityMajor: *value = 9; break;
    case cudaDevAttrComputeCapabilityMinor: *value = 0; break;
    default: return call.end(cudaErrorInvalidValue);
    }
    return call.end();
}

cudaError_t cudaDeviceGetPCIBusId(char *text, int length, int device) {
    Call call("cudaDeviceGetPCIBusId");
    if (call.refused()) return call.end();
    if (!device_exists(device)) return call.end(cudaErrorInvalidDevice);
    int needed = snprintf(text, (size_t)length, "eeee:%02x:00.0", device + 1); // a domain that no machine has
    return call.end(needed < length ? cudaSuccess : cudaErrorInvalidValue);
}

cudaError_t cudaDriverGetVersion(int *version) {
    Call call("cudaDriverGetVersion", Call::anywhere);
    *version = CUDART_VERSION;
    return call.end();
}

cudaError_t cudaRuntimeGetVersion(int *version) {
    Call call("cudaRuntimeGetVersion", Call::anywhere);
    *version = CUDART_VERSION;
    return call.end();
}
