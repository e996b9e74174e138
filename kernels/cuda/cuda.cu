/* kernels/cuda/cuda.cu: codes of the CUDA runtime as statuses. */
#include "kernels/cuda/cuda.h"

ride_status ride_cuda_status(cudaError_t code) {
    switch (code) {
    case cudaSuccess: return RIDE_OK;
    case cudaErrorNotReady: return RIDE_PENDING;
    case cudaErrorMemoryAllocation: return RIDE_E_MEMORY;
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorAssert:
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorContained:
    case cudaErrorTensorMemoryLeak:
    case cudaErrorDevicesUnavailable: return RIDE_E_DEVICE_LOST;
    default: return RIDE_E_INTERNAL;
    }
}

ride_status ride_cuda_fail(ride_error *err, cudaError_t code, const char *what) {
    (void)cudaGetLastError(); /* told once: the next call must not tell it again */
    const ride_status st = ride_cuda_status(code);
    ride_fail(err, st, "%s: %s (%s)", what, cudaGetErrorString(code), cudaGetErrorName(code));
    if (st == RIDE_E_DEVICE_LOST) ride_error_advice(err, "see the kernel log for NVRM: Xid");
    return st;
}
