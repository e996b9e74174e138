/* The emulator's host side: copies are checked, work runs late and in an order that its dependencies allow, every call can be made
 * to fail, what is held is counted. */
#include "tests/emu/check.h"

#include "kernels/emu/include/cub/device/device_radix_sort.cuh"

#include <pthread.h>
#include <string.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

enum { N = 100 };

static ride_emu_held held() {
    ride_emu_held h;
    ride_emu_get_held(&h);
    return h;
}

static void copies_are_what_they_say() {
    unsigned host[N] = {0}, *device, *pinned;
    OK(cudaMalloc(&device, sizeof host));
    OK(cudaHostAlloc(&pinned, sizeof host, cudaHostAllocDefault));
    OK(cudaMemcpy(device, host, sizeof host, cudaMemcpyHostToDevice));
    OK(cudaMemcpy(pinned, device, sizeof host, cudaMemcpyDeviceToHost));
    OK(cudaMemcpy(device + 50, device, 50 * sizeof *device, cudaMemcpyDeviceToDevice));
    OK(cudaMemcpy(host, device, sizeof host, cudaMemcpyDefault));
    FAILS(cudaErrorInvalidValue, cudaMemcpy(device, host, sizeof host, cudaMemcpyDeviceToHost));
    FAILS(cudaErrorInvalidValue, cudaMemcpy(host, device, sizeof host, cudaMemcpyHostToDevice));
    FAILS(cudaErrorInvalidValue, cudaMemcpy(host, device, sizeof host, cudaMemcpyHostToHost));
    FAILS(cudaErrorInvalidValue, cudaMemcpy(pinned, host, sizeof host, cudaMemcpyHostToDevice));
    FAILS(cudaErrorInvalidValue, cudaMemcpy(host, pinned, sizeof host, cudaMemcpyDeviceToHost));
    FAILS(cudaErrorInvalidValue, cudaMemcpy(device + 1, host, sizeof host, cudaMemcpyHostToDevice));
    FAILS(cudaErrorInvalidValue, cudaMemcpyAsync(host, device + 1, sizeof host, cudaMemcpyDeviceToHost));
    FAILS(cudaErrorInvalidValue, cudaMemset(host, 0, sizeof host));
    FAILS(cudaErrorInvalidValue, cudaMemsetAsync(device, 0, sizeof host + 1));
    FAILS(cudaErrorInvalidValue, cudaGetLastError());
    OK(cudaGetLastError());
    FAILS(cudaErrorInvalidValue, cudaFree(host));
    FAILS(cudaErrorInvalidValue, cudaFree(pinned));
    FAILS(cudaErrorInvalidValue, cudaFreeHost(device));
    FAILS(cudaErrorInvalidValue, cudaFree(device + 1));
    OK(cudaFree(device));
    OK(cudaFree(nullptr));
    FAILS(cudaErrorInvalidValue, cudaFree(device));
    OK(cudaFreeHost(pinned));
    (void)cudaGetLastError();
}

/* The budget is in the environment, see main: 4 MiB for each of two devices. */
static void memory_has_an_end() {
    void *large, *small;
    size_t free_bytes, total_bytes;
    OK(cudaMemGetInfo(&free_bytes, &total_bytes));
    CHECK(free_bytes == 4 << 20 && total_bytes == 4 << 20);
    FAILS(cudaErrorMemoryAllocation, cudaMalloc(&large, (4 << 20) + 1));
    OK(cudaMalloc(&large, (4 << 20) - 100));
    FAILS(cudaErrorMemoryAllocation, cudaMalloc(&small, 101));
    OK(cudaMalloc(&small, 100));
    OK(cudaMemGetInfo(&free_bytes, &total_bytes));
    CHECK(free_bytes == 0 && held().device_bytes == 4 << 20 && held().device_buffers == 2);
    OK(cudaSetDevice(1)); // has its own
    void *other;
    OK(cudaMalloc(&other, 1000));
    OK(cudaSetDevice(0));
    OK(cudaFree(other));
    OK(cudaFree(large));
    OK(cudaFree(small));
    FAILS(cudaErrorInvalidDevice, cudaSetDevice(2));
    FAILS(cudaErrorMemoryAllocation, cudaMalloc(&large, (size_t)-1));
    (void)cudaGetLastError();
}

extern "C" __global__ void runtime_add(unsigned *values, unsigned n, unsigned what) {
    unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) values[i] = values[i] * 3 + what;
}

static cudaError_t add(cudaStream_t stream, unsigned *values, unsigned what) {
    cudaLaunchConfig_t config = on(stream, 2, 64);
    return cudaLaunchKernelEx(&config, runtime_add, values, (unsigned)N, what);
}

extern "C" __global__ void runtime_read(const unsigned *values, size_t at, unsigned *out) { *out = values[at]; }

/* Large buffers hold the seed's pattern too, at both ends, and their own bytes once written. */
static void large_memory_is_unwritten() {
    const size_t n = 3000000 / sizeof(unsigned);
    unsigned seen[2][3], *large, *out;
    OK(cudaMalloc(&out, sizeof *out));
    for (int seed = 0; seed < 2; seed++) {
        CHECK(ride_emu_order(seed == 0 ? "forward:1" : "forward:2") == 0);
        OK(cudaMalloc(&large, n * sizeof *large));
        cudaLaunchConfig_t config = on(nullptr, 1, 1);
        for (int i = 0; i < 3; i++) {
            OK(cudaLaunchKernelEx(&config, runtime_read, (const unsigned *)large, i * (n - 1) / 2, out));
            OK(cudaMemcpy(&seen[seed][i], out, sizeof *out, cudaMemcpyDeviceToHost));
            CHECK(seen[seed][i] != 0);
        }
        OK(cudaFree(large));
    }
    for (int i = 0; i < 3; i++) CHECK(seen[0][i] != seen[1][i]);
    OK(cudaFree(out));
}

static void wrong_launches_are_refused() {
    unsigned *values;
    OK(cudaMalloc(&values, N * sizeof *values));
    static const struct {
        dim3 grid, block;
        size_t shared;
        cudaError_t error;
    } wrong[] = {{dim3(0), dim3(32), 0, cudaErrorInvalidConfiguration},
                 {dim3(1), dim3(1025), 0, cudaErrorInvalidConfiguration},
                 {dim3(1), dim3(32, 33), 0, cudaErrorInvalidConfiguration},
                 {dim3(1), dim3(1, 1, 65), 0, cudaErrorInvalidConfiguration},
                 {dim3(1, 65536), dim3(32), 0, cudaErrorInvalidConfiguration},
                 {dim3(1), dim3(32), 16, cudaErrorNotSupported}};
    for (const auto &w : wrong) {
        cudaLaunchConfig_t config = on(nullptr, w.grid, w.block);
        config.dynamicSmemBytes = w.shared;
        FAILS(w.error, cudaLaunchKernelEx(&config, runtime_add, values, (unsigned)N, 1u));
    }
    cudaStream_t elsewhere;
    OK(cudaSetDevice(1));
    OK(cudaStreamCreateWithFlags(&elsewhere, cudaStreamNonBlocking));
    OK(cudaSetDevice(0));
    FAILS(cudaErrorInvalidResourceHandle, add(elsewhere, values, 1));
    OK(cudaStreamDestroy(elsewhere));
    FAILS(cudaErrorInvalidResourceHandle, cudaStreamSynchronize(elsewhere));
    FAILS(cudaErrorInvalidResourceHandle, cudaStreamDestroy(elsewhere));
    OK(cudaFree(values));
    (void)cudaGetLastError();
}

/* Two streams, one after the other by an event; asking comes to an end, and not before the work has run. */
static void events_order_streams(const char *order) {
    CHECK(ride_emu_order(order) == 0);
    cudaStream_t a, b;
    cudaEvent_t first, made, copied;
    unsigned *values, *pinned;
    OK(cudaStreamCreateWithFlags(&a, cudaStreamNonBlocking));
    OK(cudaStreamCreateWithFlags(&b, cudaStreamNonBlocking));
    OK(cudaEventCreateWithFlags(&first, cudaEventDefault));
    OK(cudaEventCreateWithFlags(&made, cudaEventDisableTiming));
    OK(cudaEventCreateWithFlags(&copied, cudaEventDefault));
    OK(cudaMalloc(&values, N * sizeof *values));
    OK(cudaHostAlloc(&pinned, N * sizeof *pinned, cudaHostAllocDefault));
    OK(cudaEventQuery(made)); // never recorded: as CUDA, nothing to wait for
    OK(cudaStreamWaitEvent(b, made));
    memset(pinned, 0, N * sizeof *pinned);
    OK(cudaEventRecord(first, a));
    OK(cudaMemcpyAsync(values, pinned, N * sizeof *values, cudaMemcpyHostToDevice, a));
    OK(add(a, values, 1));
    OK(add(a, values, 2));
    OK(cudaEventRecord(made, a));
    OK(add(a, values, 3));
    OK(cudaEventRecord(made, a)); // a later record is what counts
    OK(cudaStreamWaitEvent(b, made));
    OK(cudaMemcpyAsync(pinned, values, N * sizeof *values, cudaMemcpyDeviceToHost, b));
    OK(cudaEventRecord(copied, b));
    FAILS(cudaErrorNotReady, cudaEventQuery(copied));
    float ms = -1;
    cudaError_t answer = cudaEventElapsedTime(&ms, first, copied);
    CHECK(answer == cudaErrorNotReady);
    int asked = 0;
    while ((answer = cudaEventQuery(copied)) == cudaErrorNotReady) asked++;
    CHECK(answer == cudaSuccess && asked > 1);
    CHECK(pinned[0] == 18 && pinned[N - 1] == 18); // ((0*3+1)*3+2)*3+3
    OK(cudaEventElapsedTime(&ms, first, copied));
    CHECK(ms >= 0);
    FAILS(cudaErrorInvalidResourceHandle, cudaEventElapsedTime(&ms, made, copied));
    OK(add(a, values, 4));
    OK(cudaStreamDestroy(a)); // what is queued still runs
    OK(cudaStreamSynchronize(b));
    OK(cudaStreamQuery(b));
    OK(cudaDeviceSynchronize());
    unsigned got[N];
    OK(cudaMemcpy(got, values, sizeof got, cudaMemcpyDeviceToHost));
    CHECK(got[5] == 18 * 3 + 4);
    CHECK(held().streams == 1 && held().events == 3 && held().host_bytes == sizeof got && held().host_buffers == 1);
    OK(cudaStreamDestroy(b));
    OK(cudaEventDestroy(first));
    OK(cudaEventDestroy(made));
    OK(cudaEventDestroy(copied));
    FAILS(cudaErrorInvalidResourceHandle, cudaEventDestroy(copied));
    OK(cudaFree(values));
    OK(cudaFreeHost(pinned));
    (void)cudaGetLastError();
}

/* A blocking stream and the null stream wait for each other; one that does not block is not waited for. */
static void null_stream_joins(const char *order) {
    CHECK(ride_emu_order(order) == 0);
    cudaStream_t blocking;
    unsigned *values, got[N];
    OK(cudaStreamCreateWithFlags(&blocking, cudaStreamDefault));
    OK(cudaMalloc(&values, sizeof got));
    OK(cudaMemset(values, 0, sizeof got));
    OK(add(blocking, values, 1));
    OK(add(nullptr, values, 2));
    OK(add(blocking, values, 3));
    OK(cudaMemcpy(got, values, sizeof got, cudaMemcpyDeviceToHost));
    CHECK(got[7] == 18);
    OK(cudaStreamDestroy(blocking));
    OK(cudaFree(values));
}

static void late_without_waiting() {
    CHECK(ride_emu_order("forward") == 0);
    cudaStream_t stream;
    unsigned *values, got[N], again[N];
    OK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    OK(cudaMalloc(&values, sizeof got));
    OK(cudaMemsetAsync(values, 0, sizeof got, stream));
    OK(add(stream, values, 5));
    OK(cudaStreamSynchronize(stream));
    OK(add(stream, values, 6));
    OK(cudaStreamSynchronize(stream));
    OK(cudaMemcpy(again, values, sizeof again, cudaMemcpyDeviceToHost));
    OK(add(stream, values, 7));   // nobody waits for this one before the copy of another stream
#if !defined(__SANITIZE_THREAD__) // a race, and said so there: tests/emu/planted.cu
    OK(cudaMemcpy(got, values, sizeof got, cudaMemcpyDeviceToHost));
    CHECK(again[3] == 5 * 3 + 6 && got[3] == again[3]);
#endif
    OK(cudaStreamDestroy(stream));
    OK(cudaFree(values));
}

/* From memory that is not pinned: read within the call, there when the null stream has been waited for. */
static void a_copy_of_pageable_memory_is_staged() {
    CHECK(ride_emu_order("forward") == 0);
    cudaStream_t stream;
    unsigned *values, *pinned, host[N] = {4};
    OK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    OK(cudaMalloc(&values, sizeof host));
    OK(cudaHostAlloc(&pinned, sizeof host, cudaHostAllocDefault));
    OK(cudaMemset(values, 0, sizeof host));
    OK(cudaStreamSynchronize(nullptr));
    OK(cudaMemcpy(values, host, sizeof host, cudaMemcpyHostToDevice));
    host[0] = 5;
#if !defined(__SANITIZE_THREAD__) // a race, and said so there
    OK(cudaMemcpyAsync(pinned, values, sizeof host, cudaMemcpyDeviceToHost, stream));
    OK(cudaStreamSynchronize(stream));
    CHECK(pinned[0] == 0);
#endif
    OK(cudaStreamSynchronize(nullptr));
    OK(cudaMemcpyAsync(pinned, values, sizeof host, cudaMemcpyDeviceToHost, stream));
    OK(cudaStreamSynchronize(stream));
    CHECK(pinned[0] == 4);
    pinned[0] = 6; // pinned: done when it returns
    OK(cudaMemcpy(values, pinned, sizeof host, cudaMemcpyHostToDevice));
    pinned[0] = 7;
    OK(cudaMemcpyAsync(pinned, values, sizeof host, cudaMemcpyDeviceToHost, stream));
    OK(cudaStreamSynchronize(stream));
    CHECK(pinned[0] == 6);
    OK(cudaStreamDestroy(stream));
    OK(cudaFree(values));
    OK(cudaFreeHost(pinned));
}

/* A small program of the host that gives everything back whatever fails; the error of its first call that failed. */
static cudaError_t small_program(std::string *answer) {
    unsigned *values = nullptr, *pinned = nullptr;
    cudaStream_t stream = nullptr;
    cudaEvent_t event = nullptr;
    cudaError_t error = cudaSetDevice(0), last;
    auto then = [&](cudaError_t next) { error = error == cudaSuccess ? next : error; };
    if (error == cudaSuccess) then(cudaMalloc(&values, N * sizeof *values));
    if (error == cudaSuccess) then(cudaHostAlloc(&pinned, N * sizeof *pinned, cudaHostAllocPortable));
    if (error == cudaSuccess) then(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    if (error == cudaSuccess) then(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    if (error == cudaSuccess) memset(pinned, 0, N * sizeof *pinned);
    if (error == cudaSuccess) then(cudaMemcpyAsync(values, pinned, N * sizeof *values, cudaMemcpyHostToDevice, stream));
    if (error == cudaSuccess) then(add(stream, values, 9));
    if (error == cudaSuccess) then(cudaMemcpyAsync(pinned, values, N * sizeof *values, cudaMemcpyDeviceToHost, stream));
    if (error == cudaSuccess) then(cudaEventRecord(event, stream));
    if (error == cudaSuccess) then(cudaEventSynchronize(event));
    if (error == cudaSuccess && pinned[1] != 9) *answer = "wrong";
    if (event != nullptr) then(cudaEventDestroy(event));
    if (stream != nullptr) then(cudaStreamSynchronize(stream));
    if (stream != nullptr) then(cudaStreamDestroy(stream));
    if (pinned != nullptr) then(cudaFreeHost(pinned));
    if (values != nullptr) then(cudaFree(values));
    last = cudaGetLastError();
    if (last != error) *answer = cudaGetErrorName(last);
    return error;
}

static void every_call_fails_once(int sticky) {
    std::string answer = "right";
    ride_emu_fail_at(0, 0);
    OK(small_program(&answer));
    CHECK(answer == "right");
    uint64_t calls = ride_emu_calls();
    CHECK(calls == 15);
    std::string names;
    for (uint64_t n = 1; n <= calls; n++) {
        ride_emu_fail_at(n, sticky);
        cudaError_t error = small_program(&answer);
        std::string name = ride_emu_failed_call();
        names += name + " ";
        bool allocates = name == "cudaMalloc" || name == "cudaHostAlloc";
        CHECK(error == (sticky ? cudaErrorLaunchFailure : allocates ? cudaErrorMemoryAllocation : cudaErrorUnknown));
        CHECK(answer == "right");
        if (sticky) {
            int *p;
            FAILS(cudaErrorLaunchFailure, cudaMalloc(&p, 1));
            FAILS(cudaErrorLaunchFailure, cudaDeviceSynchronize());
            ride_emu_revive();
        }
        ride_emu_held h = held();
        CHECK(h.device_bytes == 0 && h.host_bytes == 0 && h.streams == 0 && h.events == 0);
    }
    ride_emu_fail_at(0, 0);
    CHECK(names == "cudaSetDevice cudaMalloc cudaHostAlloc cudaStreamCreateWithFlags cudaEventCreateWithFlags "
                   "cudaMemcpyAsync cudaLaunchKernelEx cudaMemcpyAsync cudaEventRecord cudaEventSynchronize "
                   "cudaEventDestroy cudaStreamSynchronize cudaStreamDestroy cudaFreeHost cudaFree ");
}

/* A lost device takes nobody with it. */
static void one_device_dies_alone() {
    std::string answer = "right";
    OK(cudaSetDevice(1));
    ride_emu_fail_at(1, 1);
    int *p;
    FAILS(cudaErrorLaunchFailure, cudaMalloc(&p, 1));
    FAILS(cudaErrorLaunchFailure, cudaGetLastError());
    OK(cudaSetDevice(0));
    (void)cudaGetLastError();
    OK(small_program(&answer));
    FAILS(cudaErrorLaunchFailure, cudaSetDevice(1));
    ride_emu_revive();
    OK(cudaSetDevice(0));
    CHECK(answer == "right");
}

static void sort_is_stable(const char *order) {
    CHECK(ride_emu_order(order) == 0);
    enum { KEYS = 3000 };
    std::vector<uint32_t> keys(KEYS), values(KEYS), keys_got(KEYS), values_got(KEYS);
    for (uint32_t i = 0; i < KEYS; i++) keys[i] = i * 2654435761u >> 7, values[i] = i;
    OnDevice<uint32_t> k(KEYS, keys.data()), v(KEYS, values.data()), ko(KEYS), vo(KEYS);
    cudaStream_t stream;
    OK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    size_t bytes = 0;
    for (int bits = 0; bits <= 32; bits += 8) {
        OK(cub::DeviceRadixSort::SortPairs(nullptr, bytes, k.p, ko.p, v.p, vo.p, KEYS, 0, bits, stream));
        OnDevice<unsigned char> temp(bytes);
        size_t less = bytes - 1;
        FAILS(cudaErrorInvalidValue,
              cub::DeviceRadixSort::SortPairs(temp.p, less, k.p, ko.p, v.p, vo.p, KEYS, 0, bits, stream));
        OK(cub::DeviceRadixSort::SortPairs(temp.p, bytes, k.p, ko.p, v.p, vo.p, KEYS, 0, bits, stream));
        ko.read(keys_got.data());
        vo.read(values_got.data());
        uint32_t mask = bits == 32 ? ~0u : (1u << bits) - 1;
        for (uint32_t i = 0; i < KEYS; i++) {
            CHECK(keys_got[i] == keys[values_got[i]]);
            uint32_t before = i > 0 ? keys_got[i - 1] & mask : 0, now = keys_got[i] & mask;
            CHECK(i == 0 || before < now || (before == now && values_got[i - 1] < values_got[i]));
        }
    }
    OK(cudaStreamDestroy(stream));
}

/* Several threads of the host, each with its stream and its memory. */
static void *one_thread(void *argument) {
    unsigned number = *static_cast<unsigned *>(argument);
    OK(cudaSetDevice((int)(number % 2)));
    cudaStream_t stream;
    unsigned *values, *pinned;
    OK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    OK(cudaMalloc(&values, N * sizeof *values));
    OK(cudaHostAlloc(&pinned, N * sizeof *pinned, cudaHostAllocDefault));
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < N; i++) pinned[i] = number + i + round;
        OK(cudaMemcpyAsync(values, pinned, N * sizeof *values, cudaMemcpyHostToDevice, stream));
        OK(add(stream, values, number));
        OK(cudaMemcpyAsync(pinned, values, N * sizeof *values, cudaMemcpyDeviceToHost, stream));
        cudaError_t answer;
        while ((answer = cudaStreamQuery(stream)) == cudaErrorNotReady) {
        }
        OK(answer);
        for (unsigned i = 0; i < N; i++) CHECK(pinned[i] == (number + i + round) * 3 + number);
    }
    OK(cudaStreamDestroy(stream));
    OK(cudaFree(values));
    OK(cudaFreeHost(pinned));
    return argument;
}

static void threads_have_their_streams(const char *order) {
    CHECK(ride_emu_order(order) == 0);
    pthread_t threads[4];
    unsigned numbers[4] = {1, 2, 3, 4};
    for (int i = 0; i < 4; i++) CHECK(pthread_create(&threads[i], nullptr, one_thread, &numbers[i]) == 0);
    for (pthread_t thread : threads) CHECK(pthread_join(thread, nullptr) == 0);
}

static std::string read_file(const char *path) {
    std::string text;
    char part[512];
    FILE *file = fopen(path, "r");
    if (file == nullptr) return text;
    for (size_t n; (n = fread(part, 1, sizeof part, file)) > 0;) text.append(part, n);
    fclose(file);
    return text;
}

static void executed_kernels_are_written_once(const char *path) {
    CHECK(read_file(path) == "runtime_read\nruntime_add\n");
}

static void orders_are_read() {
    CHECK(ride_emu_order("backward:12") == 0 && ride_emu_order("random:18446744073709551615") == 0);
    for (const char *wrong : {"", "forwards", "random:", "random:x", "backward:1x", "forward:-1", "random 1"})
        CHECK(ride_emu_order(wrong) == -1);
}

/* Starts this program again with the environment that the tests below are about; argv[1] is the file of executed kernels. */
static int in_environment(const char *self) {
    char path[] = "/tmp/ride_emu_executed_XXXXXX";
    int file = mkstemp(path);
    CHECK(file >= 0);
    close(file);
    setenv("RIDE_EMU_DEVICES", "2", 1);
    setenv("RIDE_EMU_MEMORY", "4194304", 1);
    setenv("RIDE_EMU_ORDER", "backward:7", 1);
    setenv("RIDE_EMU_FAIL", "3", 1);
    setenv("RIDE_EMU_EXECUTED", path, 1);
    int status = 0;
    for (int times = 0; times < 2 && status == 0; times++) { // the second finds the names that the first wrote
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            execl(self, self, path, (char *)nullptr);
            _exit(127);
        }
        CHECK(waitpid(child, &status, 0) == child);
    }
    unlink(path);
    return status == 0 ? 0 : 1;
}

int main(int argc, char **argv) {
    if (argc == 1) return in_environment(argv[0]);
    int count, device;
    OK(cudaGetDeviceCount(&count));
    OK(cudaGetDevice(&device));
    FAILS(cudaErrorUnknown, cudaGetDevice(&device)); // RIDE_EMU_FAIL=3
    FAILS(cudaErrorUnknown, cudaGetLastError());
    CHECK(count == 2 && device == 0);
    copies_are_what_they_say();
    memory_has_an_end();
    large_memory_is_unwritten();
    wrong_launches_are_refused();
    for (const char *order : check_orders) {
        events_order_streams(order);
        null_stream_joins(order);
        sort_is_stable(order);
        threads_have_their_streams(order);
    }
    late_without_waiting();
    a_copy_of_pageable_memory_is_staged();
    every_call_fails_once(0);
    every_call_fails_once(1);
    one_device_dies_alone();
    executed_kernels_are_written_once(argv[1]);
    orders_are_read();
    ride_emu_held h = held();
    CHECK(h.device_buffers == 0 && h.host_buffers == 0 && h.streams == 0 && h.events == 0);
    return 0;
}
