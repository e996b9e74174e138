/* bench/gpu/floors.cu: what this GPU cannot do faster: a launch, a graph launch, a copy of so many bytes, reading and writing its memory,
 * adding to one or to many counters. The times of our kernels are read beside these.
 *
 * A line per figure: NAME VALUE UNIT. Medians of repeats; host times are from call to the end of the synchronise. */
#include "kernels/cuda/launch.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

enum : uint32_t { REPEATS = 31, GRAPH_NODES = 16, BLOCK = 256 };
static const size_t memory_bytes = (size_t)1 << 30;

extern "C" __global__ void ride_bench_nothing(uint32_t *out) {
    if (out != nullptr && threadIdx.x == 0xffffffffu) *out = 1;
}
extern "C" __global__ void ride_bench_read(const uint4 *in, uint64_t count, uint32_t *out) {
    uint32_t sum = 0;
    for (uint64_t i = (uint64_t)blockIdx.x * blockDim.x + threadIdx.x; i < count;
         i += (uint64_t)gridDim.x * blockDim.x) {
        const uint4 v = in[i];
        sum += v.x ^ v.y ^ v.z ^ v.w;
    }
    if (sum == 0x12345678u) *out = sum;
}
extern "C" __global__ void ride_bench_write(uint4 *out, uint64_t count) {
    for (uint64_t i = (uint64_t)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += (uint64_t)gridDim.x * blockDim.x)
        out[i] = make_uint4((uint32_t)i, 1, 2, 3);
}
extern "C" __global__ void ride_bench_add(unsigned long long *counters, uint32_t mask, uint32_t each) {
    const uint32_t thread = blockIdx.x * blockDim.x + threadIdx.x;
    for (uint32_t i = 0; i < each; i++) atomicAdd(&counters[(thread * 2654435761u + i * 97) & mask], 1ull);
}

static void must(cudaError_t code, const char *doing) {
    if (code == cudaSuccess) return;
    fprintf(stderr, "floors: %s: %s\n", doing, cudaGetErrorString(code));
    exit(1);
}
static double now_us() {
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
static void tell(const char *name, double value, const char *unit) {
    printf("%s %.6g %s\n", name, value, unit);
    fflush(stdout);
}

/* Median host time of `work` and a synchronise, in microseconds. */
template <typename F> static double host_us(cudaStream_t stream, F work) {
    std::vector<double> times;
    for (uint32_t i = 0; i < REPEATS + 3; i++) {
        const double begin = now_us();
        work();
        must(cudaStreamSynchronize(stream), "synchronise");
        if (i >= 3) times.push_back(now_us() - begin);
    }
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
}
/* Median time on the device between two events, in microseconds. */
template <typename F> static double device_us(cudaStream_t stream, F work) {
    cudaEvent_t begin, end;
    must(cudaEventCreateWithFlags(&begin, cudaEventDefault), "event");
    must(cudaEventCreateWithFlags(&end, cudaEventDefault), "event");
    std::vector<double> times;
    for (uint32_t i = 0; i < REPEATS + 3; i++) {
        float ms = 0;
        must(cudaEventRecord(begin, stream), "record");
        work();
        must(cudaEventRecord(end, stream), "record");
        must(cudaStreamSynchronize(stream), "synchronise");
        must(cudaEventElapsedTime(&ms, begin, end), "elapsed");
        if (i >= 3) times.push_back(ms * 1e3);
    }
    must(cudaEventDestroy(begin), "event");
    must(cudaEventDestroy(end), "event");
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
}

static void launch_nothing(cudaStream_t stream) {
    must(ride_cuda_launch(stream, "ride_bench_nothing", ride_bench_nothing, 32, 1, 32, (uint32_t *)nullptr), "launch");
}

static void launches(cudaStream_t stream) {
    cudaGraph_t graph;
    cudaGraphExec_t ready;
    tell("launch_and_wait", host_us(stream, [&] { launch_nothing(stream); }), "us");
    tell("launch_of_many",
         device_us(stream,
                   [&] {
                       for (uint32_t i = 0; i < GRAPH_NODES; i++) launch_nothing(stream);
                   }) /
             GRAPH_NODES,
         "us");
    must(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "capture");
    for (uint32_t i = 0; i < GRAPH_NODES; i++) launch_nothing(stream);
    must(cudaStreamEndCapture(stream, &graph), "capture");
    must(cudaGraphInstantiate(&ready, graph, 0), "graph");
    tell("graph_of_16_and_wait", host_us(stream, [&] { must(cudaGraphLaunch(ready, stream), "graph launch"); }), "us");
    tell("graph_of_16_per_kernel",
         device_us(stream, [&] { must(cudaGraphLaunch(ready, stream), "graph launch"); }) / GRAPH_NODES, "us");
    must(cudaGraphExecDestroy(ready), "graph");
    must(cudaGraphDestroy(graph), "graph");
}

static void copies(cudaStream_t stream, uint8_t *device) {
    static const size_t sizes[] = {64, 4096, 65536, 1 << 20, 16 << 20, 64 << 20};
    const size_t most = sizes[sizeof sizes / sizeof *sizes - 1];
    uint8_t *pinned = nullptr, *pageable = (uint8_t *)calloc(1, most);
    must(cudaHostAlloc((void **)&pinned, most, cudaHostAllocDefault), "pinned memory");
    if (pageable == nullptr) must(cudaErrorMemoryAllocation, "memory");
    for (const size_t bytes : sizes) {
        const struct {
            const char *name;
            void *to;
            const void *from;
            cudaMemcpyKind kind;
        } ways[] = {{"h2d_pinned", device, pinned, cudaMemcpyHostToDevice},
                    {"d2h_pinned", pinned, device, cudaMemcpyDeviceToHost},
                    {"h2d_pageable", device, pageable, cudaMemcpyHostToDevice},
                    {"d2h_pageable", pageable, device, cudaMemcpyDeviceToHost}};
        for (const auto &way : ways) {
            char name[64];
            const double us =
                host_us(stream, [&] { must(cudaMemcpyAsync(way.to, way.from, bytes, way.kind, stream), "copy"); });
            snprintf(name, sizeof name, "%s_%zu", way.name, bytes);
            tell(name, us, "us");
            snprintf(name, sizeof name, "%s_%zu_rate", way.name, bytes);
            tell(name, (double)bytes / us / 1e3, "GB/s");
        }
    }
    free(pageable);
    must(cudaFreeHost(pinned), "pinned memory");
}

static void memory(cudaStream_t stream, uint8_t *device, int processors) {
    const uint64_t vectors = memory_bytes / sizeof(uint4), threads = (uint64_t)processors * 8 * BLOCK;
    uint32_t *out = (uint32_t *)(device + memory_bytes);
    const double read = device_us(stream, [&] {
        must(ride_cuda_launch(stream, "ride_bench_read", ride_bench_read, threads, 1, BLOCK, (const uint4 *)device,
                              vectors, out),
             "read");
    });
    const double write = device_us(stream, [&] {
        must(ride_cuda_launch(stream, "ride_bench_write", ride_bench_write, threads, 1, BLOCK, (uint4 *)device,
                              vectors),
             "write");
    });
    const double fill = device_us(stream, [&] { must(cudaMemsetAsync(device, 0, memory_bytes, stream), "fill"); });
    tell("device_read", (double)memory_bytes / read / 1e3, "GB/s");
    tell("device_write", (double)memory_bytes / write / 1e3, "GB/s");
    tell("device_fill", (double)memory_bytes / fill / 1e3, "GB/s");
}

static void atomics(cudaStream_t stream, uint8_t *device, int processors) {
    static const uint32_t counters[] = {1, 64, 4096, 1 << 20};
    const uint64_t threads = (uint64_t)processors * 4 * BLOCK;
    const uint32_t each = 64;
    for (const uint32_t count : counters) {
        char name[64];
        const double us = device_us(stream, [&] {
            must(ride_cuda_launch(stream, "ride_bench_add", ride_bench_add, threads, 1, BLOCK,
                                  (unsigned long long *)device, count - 1, each),
                 "atomics");
        });
        snprintf(name, sizeof name, "atomic_add_%u_counters", count);
        tell(name, (double)threads * each / us / 1e3, "G/s");
    }
}

int main() {
    cudaStream_t stream;
    cudaDeviceProp about;
    uint8_t *device = nullptr;
    must(cudaGetDeviceProperties(&about, 0), "device");
    must(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "stream");
    must(cudaMalloc((void **)&device, memory_bytes + 4096), "memory");
    must(cudaMemset(device, 0, memory_bytes + 4096), "memory");
    tell("multiprocessors", about.multiProcessorCount, "");
    launches(stream);
    copies(stream, device);
    memory(stream, device, about.multiProcessorCount);
    atomics(stream, device, about.multiProcessorCount);
    must(cudaFree(device), "memory");
    must(cudaStreamDestroy(stream), "stream");
    return 0;
}
