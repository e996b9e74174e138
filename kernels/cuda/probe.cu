/* cuda/probe.cu: looks at the driver and the devices once, and turns each way in which that fails into words and advice. The
 * runtime's own texts name calls; a person needs to know what to do. */
#include "kernels/cuda/probe.h"

#include "base/assert.h"
#include "kernels/cuda/cuda.h"
#include "kernels/cuda/libraries.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The machines this plugin was built for, by the build: sm90 = code of sm_90, ptx90 = PTX that later machines compile. */
#ifndef RIDE_CUDA_CODE
#define RIDE_CUDA_CODE sm80_sm90_sm100_ptx90
#endif
#define TEXT_OF(x) #x
#define TEXT(x)    TEXT_OF(x)
static const char code[] = TEXT(RIDE_CUDA_CODE); /* parts are separated by '_' */

enum { DEVICES_MAX = 64, NAME_BYTES = 64 };

typedef struct found_device {
    int ordinal, capability;
    bool usable;
    unsigned long long memory_bytes;
    char name[NAME_BYTES];
} found_device;

static struct {
    ride_status status;
    ride_error error;    /* why, when status is not RIDE_OK */
    int driver, runtime; /* 13000 = 13.0; 0 = none */
    found_device devices[DEVICES_MAX];
    uint32_t devices_count, usable_count, usable[DEVICES_MAX]; /* usable: indexes of devices */
} seen;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* What the runtime answers, what that means, what to do. 35 (cudaErrorInsufficientDriver) and 100 (NoDevice) say more below. */
static const struct {
    cudaError_t answer;
    const char *what, *advice;
} refusals[] = {
    {cudaErrorStubLibrary, "libcuda.so.1 is the toolkit's stub, not a driver",
     "take the stubs folder off LD_LIBRARY_PATH"},
    {cudaErrorSystemDriverMismatch, "the NVIDIA driver's kernel module and its libraries are of different versions",
     "reboot after a driver update"},
    {cudaErrorSystemNotReady, "the NVIDIA driver waits for its fabric manager or another service",
     "systemctl status nvidia-fabricmanager"},
    {cudaErrorCompatNotSupportedOnDevice, "the cuda-compat driver libraries do not support this device",
     "remove cuda-compat, update the NVIDIA driver"},
    {cudaErrorMpsConnectionFailed, "the MPS server cannot be reached", "start nvidia-cuda-mps-control, or end MPS"},
    {cudaErrorMpsServerNotReady, "the MPS server takes no new client now", "wait, or restart nvidia-cuda-mps-control"},
    {cudaErrorMpsMaxClientsReached, "the MPS server has all the clients it can have", "end one of its clients"},
    {cudaErrorDevicesUnavailable, "every device is busy or forbidden",
     "nvidia-smi -q -d COMPUTE shows the compute mode"},
    {cudaErrorOperatingSystem, "the NVIDIA driver cannot use its device files",
     "may this user open /dev/nvidia*? containers: --gpus"},
    {cudaErrorNotPermitted, "this user or container may not use the NVIDIA driver", "containers need --gpus all"},
    {cudaErrorInitializationError, "the NVIDIA driver does not start", "nvidia-smi and dmesg tell more"},
    {cudaErrorMemoryAllocation, "the NVIDIA driver finds no memory to start", "nvidia-smi shows who holds it"},
    {cudaErrorUnknown, "the NVIDIA driver fails and gives no reason", "is nvidia_uvm loaded? see lsmod and dmesg"},
};

static ride_status refuse(ride_error *err, const char *what, const char *advice) {
    ride_fail(err, RIDE_E_UNAVAILABLE, "%s", what);
    ride_error_advice(err, "%s", advice);
    return RIDE_E_UNAVAILABLE;
}

static ride_status explain(cudaError_t answer, ride_error *err) {
    if (answer == cudaErrorInsufficientDriver && seen.driver == 0)
        return refuse(err, "there is no NVIDIA driver (libcuda.so.1 cannot be loaded)",
                      "install the NVIDIA driver, 580 or newer");
    if (answer == cudaErrorInsufficientDriver && seen.driver >= seen.runtime)
        return refuse(err, "the NVIDIA driver lacks what this plugin needs", "install the NVIDIA driver again");
    if (answer == cudaErrorInsufficientDriver) {
        ride_fail(err, RIDE_E_UNAVAILABLE, "the NVIDIA driver is for CUDA %d.%d, this plugin needs one for %d.%d",
                  seen.driver / 1000, seen.driver % 1000 / 10, seen.runtime / 1000, seen.runtime % 1000 / 10);
        ride_error_advice(err, "update the NVIDIA driver (580 or newer)");
        return RIDE_E_UNAVAILABLE;
    }
    if (answer == cudaErrorNoDevice)
        return refuse(err, "the NVIDIA driver finds no device",
                      getenv("CUDA_VISIBLE_DEVICES") != NULL ? "CUDA_VISIBLE_DEVICES is set: does it name one?"
                                                             : "does nvidia-smi list one? containers: --gpus");
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
        if (refusals[i].answer == answer) return refuse(err, refusals[i].what, refusals[i].advice);
    ride_fail(err, RIDE_E_UNAVAILABLE, "CUDA does not start: %.60s (%d)", cudaGetErrorName(answer), (int)answer);
    ride_error_advice(err, "nvidia-smi and dmesg tell more");
    return RIDE_E_UNAVAILABLE;
}

/* "sm80 sm90 ptx90" */
static const char *code_text(char text[sizeof code]) {
    for (size_t i = 0; i < sizeof code; i++) text[i] = code[i] == '_' ? ' ' : code[i];
    return text;
}

/* Whether `code` has something for a machine: code runs on later minor versions, PTX is compiled for any later machine. */
static bool has_code_for(int capability) {
    for (const char *at = code; at != NULL; at = strchr(at, '_'), at += at != NULL) {
        const int machine = atoi(at + strcspn(at, "0123456789"));
        if (capability >= machine && (*at == 'p' || capability / 10 == machine / 10)) return true;
    }
    return false;
}

static cudaError_t look_at_device(int ordinal, found_device *device) {
    cudaDeviceProp about;
    cudaError_t answer = cudaGetDeviceProperties(&about, ordinal);
    if (answer != cudaSuccess) return answer;
    device->ordinal = ordinal;
    device->capability = about.major * 10 + about.minor;
    device->usable = has_code_for(device->capability);
    device->memory_bytes = about.totalGlobalMem;
    snprintf(device->name, sizeof device->name, "%.*s", NAME_BYTES - 1, about.name);
    return cudaSuccess;
}

static ride_status look(ride_error *err) {
    int count = 0;
    if (cudaRuntimeGetVersion(&seen.runtime) != cudaSuccess) seen.runtime = 0;
    if (cudaDriverGetVersion(&seen.driver) != cudaSuccess) seen.driver = 0;
    cudaError_t answer = cudaGetDeviceCount(&count);
    if (answer != cudaSuccess) return explain(answer, err);
    if (count <= 0) return explain(cudaErrorNoDevice, err);
    for (int ordinal = 0; ordinal < count && ordinal < DEVICES_MAX; ordinal++) {
        found_device *device = &seen.devices[seen.devices_count];
        answer = look_at_device(ordinal, device);
        if (answer != cudaSuccess) return explain(answer, err);
        if (device->usable) seen.usable[seen.usable_count++] = seen.devices_count;
        seen.devices_count++;
    }
    if (seen.usable_count > 0) return RIDE_OK;
    char machines[sizeof code];
    ride_fail(err, RIDE_E_UNAVAILABLE, "%.40s has compute capability %d.%d, this plugin has code for %s",
              seen.devices[0].name, seen.devices[0].capability / 10, seen.devices[0].capability % 10,
              code_text(machines));
    ride_error_advice(err, "8.0 (A100) or newer, or build with its sm_ number");
    return RIDE_E_UNAVAILABLE;
}

static void look_once(void) {
    seen.status = look(&seen.error);
    if (seen.status != RIDE_OK) seen.usable_count = 0;
    (void)cudaGetLastError(); /* a refusal was told; it must not be found again by the next call that asks */
}

ride_status ride_cuda_probe(ride_error *err) {
    pthread_once(&once, look_once);
    if (seen.status != RIDE_OK && err != NULL) *err = seen.error;
    return seen.status;
}

uint32_t ride_cuda_device_count(void) {
    pthread_once(&once, look_once);
    return seen.usable_count;
}

static const found_device *usable_device(uint32_t device_index) {
    pthread_once(&once, look_once);
    RIDE_ASSERT(device_index < seen.usable_count);
    return &seen.devices[seen.usable[device_index]];
}
int ride_cuda_device_ordinal(uint32_t device_index) { return usable_device(device_index)->ordinal; }
const char *ride_cuda_device_name(uint32_t device_index) { return usable_device(device_index)->name; }
int ride_cuda_device_capability(uint32_t device_index) { return usable_device(device_index)->capability; }

void ride_cuda_describe(void (*line)(void *context, const char *text), void *context) {
    char text[256], version[16], machines[sizeof code];
    pthread_once(&once, look_once);
    int bytes = snprintf(text, sizeof text, "CUDA runtime %d.%d, code for %s, driver ", seen.runtime / 1000,
                         seen.runtime % 1000 / 10, code_text(machines));
    if (seen.driver == 0) snprintf(text + bytes, sizeof text - (size_t)bytes, "none");
    else
        snprintf(text + bytes, sizeof text - (size_t)bytes, "for CUDA %d.%d", seen.driver / 1000,
                 seen.driver % 1000 / 10);
    line(context, text);
    for (uint32_t i = 0; i < seen.devices_count; i++) {
        const found_device *device = &seen.devices[i];
        snprintf(text, sizeof text, "device %d: %s, compute capability %d.%d, %.1f GiB%s", device->ordinal,
                 device->name, device->capability / 10, device->capability % 10,
                 (double)device->memory_bytes / (1 << 30), device->usable ? "" : " (not used: no code for it)");
        line(context, text);
    }
    for (int i = 0; i < RIDE_CUDA_LIBRARIES_COUNT && seen.devices_count > 0; i++) {
        void *handle;
        ride_error err = {};
        if (ride_cuda_library_open((ride_cuda_library)i, &handle, version, &err) == RIDE_OK)
            snprintf(text, sizeof text, "%s %s", ride_cuda_library_name((ride_cuda_library)i), version);
        else snprintf(text, sizeof text, "%s (optional; %s)", err.what, err.advice);
        line(context, text);
    }
}
