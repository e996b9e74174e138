/* emu_launch.h: how a kernel and its arguments reach the emulator. Part of the emulator's cuda_runtime.h. */
#ifndef RIDE_EMU_LAUNCH_H
#define RIDE_EMU_LAUNCH_H
#include "emu_types.h"
#include <tuple>
#include <utility>

/* A piece of queued work. run is called once for every CUDA thread of a launch, or once for work of the host's side. */
struct ride_emu_call {
    virtual void run() const = 0;
    virtual ~ride_emu_call() = default;
};

/* Queue it; the call is owned from here on, whatever is returned. */
cudaError_t ride_emu_launch(const cudaLaunchConfig_t *config, const void *kernel, ride_emu_call *call);
cudaError_t ride_emu_enqueue(cudaStream_t stream, ride_emu_call *call);
cudaError_t ride_emu_function_attributes(cudaFuncAttributes *attributes, const void *kernel);

template <typename... P> struct ride_emu_kernel_call final : ride_emu_call {
    template <typename... A>
    explicit ride_emu_kernel_call(void (*k)(P...), A &&...a) : kernel(k), arguments(static_cast<P>(a)...) {}
    void run() const override { std::apply(kernel, arguments); }
    void (*kernel)(P...);
    std::tuple<P...> arguments; // copied when the kernel is launched, as CUDA does
};

template <typename... P, typename... A>
static inline cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t *config, void (*kernel)(P...), A &&...arguments) {
    return ride_emu_launch(config, reinterpret_cast<const void *>(kernel),
                           new ride_emu_kernel_call<P...>(kernel, std::forward<A>(arguments)...));
}

template <typename F> struct ride_emu_host_call final : ride_emu_call {
    explicit ride_emu_host_call(F f) : function(std::move(f)) {}
    void run() const override { function(); }
    F function;
};

template <typename T> static inline cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *attributes, T *kernel) {
    return ride_emu_function_attributes(attributes, reinterpret_cast<const void *>(kernel));
}

#endif
