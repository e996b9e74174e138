/* tests/emu/check.h: what the emulator's tests share: plain programs that print what was wrong and exit 1. */
#ifndef RIDE_TESTS_EMU_CHECK_H
#define RIDE_TESTS_EMU_CHECK_H
#include "kernels/emu/emu.h"
#include "kernels/emu/include/cuda_runtime.h"
#include "tests/support/check_exit.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define OK(call)                                                                                                       \
    do {                                                                                                               \
        cudaError_t error_ = (call);                                                                                   \
        if (error_ != cudaSuccess) {                                                                                   \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, cudaGetErrorName(error_));                   \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)
#define FAILS(error, call)                                                                                             \
    do {                                                                                                               \
        cudaError_t error_ = (call);                                                                                   \
        if (error_ != error) {                                                                                         \
            fprintf(stderr, "%s:%d: %s: %s, not %s\n", __FILE__, __LINE__, #call, cudaGetErrorName(error_), #error);   \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static const char *const check_orders[] = {"forward",  "backward", "random:1", "random:2",
                                           "random:3", "random:4", "random:5", "random:6"};

static inline cudaLaunchConfig_t on(cudaStream_t stream, dim3 grid, dim3 block) {
    return {grid, block, 0, stream, nullptr, 0};
}

/* Device memory with a copy of count values, or of zeros. Ends with its scope. */
template <typename T> struct OnDevice {
    explicit OnDevice(size_t n, const T *values = nullptr) : count(n) {
        OK(cudaMalloc(&p, n * sizeof(T)));
        if (values != nullptr) OK(cudaMemcpy(p, values, n * sizeof(T), cudaMemcpyHostToDevice));
        else OK(cudaMemset(p, 0, n * sizeof(T)));
        OK(cudaDeviceSynchronize()); // neither is done when it returns
    }
    ~OnDevice() { cudaFree(p); }
    OnDevice(const OnDevice &) = delete;
    OnDevice &operator=(const OnDevice &) = delete;
    void read(T *out) const {
        OK(cudaDeviceSynchronize());
        OK(cudaMemcpy(out, p, count * sizeof(T), cudaMemcpyDeviceToHost));
    }
    T *p = nullptr;
    size_t count;
};

#endif
