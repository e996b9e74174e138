/* Planted bugs: each must be found, by the sanitizer that is for it at its line, or else by results that differ or an error.
 *
 * emu_planted NAME runs the bug in a process of its own and exits 0 when it was found. Every PLANTED below is a test of its own. */
#undef NDEBUG // some builds would leave the assertion of a kernel out
#include "tests/emu/check.h"

#include <string.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__has_feature) // clang's way to say it; its AddressSanitizer leaves variables in a section alone
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#elif __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#define SHARED_RED_ZONES "nobody"
#else
#define SHARED_RED_ZONES "ASan"
#endif
#if defined(__SANITIZE_ADDRESS__)
#define UNDER "ASan"
#elif defined(__SANITIZE_THREAD__)
#define UNDER "TSan"
#else
#define UNDER ""
#endif

/* One bug. run returns true when the results or an error show it. by: the sanitizer that must report `text` with the line `line` of
 * this file (0: no line), NULL: none. */
struct Bug {
    const char *name, *by, *text;
    int line;
    bool (*run)();
};
static Bug bugs[64];
static int bugs_count;
struct Register {
    Register(const char *name, const char *by, const char *text, int line, bool (*run)()) {
        bugs[bugs_count++] = {name, by, text, line, run};
    }
};
#define PLANTED(name, by, text, line)                                                                                  \
    static bool name();                                                                                                \
    static const Register registered_##name(#name, by, text, line, name);                                              \
    static bool name()

enum { N = 64 };

/* Whether a launch gives different results by order or seed. */
template <typename Launch> static bool differs(const char *const *orders, int count, Launch launch) {
    unsigned first[N], got[N];
    bool different = false;
    for (int i = 0; i < count; i++) {
        CHECK(ride_emu_order(orders[i]) == 0);
        OnDevice<unsigned> out(N);
        launch(out.p);
        out.read(got);
        if (i == 0) memcpy(first, got, sizeof got);
        different = different || memcmp(first, got, sizeof got) != 0;
    }
    return different;
}
static const char *const orders[] = {"forward", "backward", "random:1", "random:2"};
static const char *const seeds[] = {"forward:1", "forward:2"};

template <typename K>
static bool differs(const char *const *by, int count, K kernel, unsigned blocks, unsigned threads) {
    return differs(by, count, [&](unsigned *out) {
        cudaLaunchConfig_t config = on(nullptr, blocks, threads);
        OK(cudaLaunchKernelEx(&config, kernel, out));
    });
}

enum { missing_syncthreads_line = __LINE__ + 5 };
extern "C" __global__ void planted_missing_syncthreads(unsigned *out) {
    __shared__ unsigned row[N];
    unsigned t = threadIdx.x;
    row[t] = t; // and no barrier
    out[t] = row[N - 1 - t];
}
PLANTED(missing_syncthreads, "TSan", "data race", missing_syncthreads_line) {
    return differs(orders, 4, planted_missing_syncthreads, 1, N);
}

enum { missing_second_barrier_line = __LINE__ + 7 };
extern "C" __global__ void planted_missing_second_barrier(unsigned *out) {
    __shared__ unsigned row[N];
    unsigned t = threadIdx.x;
    row[t] = t;
    __syncthreads();
    unsigned got = row[N - 1 - t]; // and no barrier before the row is used again
    row[t] = got + 100;
    __syncthreads();
    out[t] = row[t] + got;
}
PLANTED(missing_second_barrier, "TSan", "data race", missing_second_barrier_line) {
    return differs(orders, 4, planted_missing_second_barrier, 1, N);
}

enum { missing_syncwarp_line = __LINE__ + 5 };
extern "C" __global__ void planted_missing_syncwarp(unsigned *out) {
    __shared__ unsigned row[N];
    unsigned t = threadIdx.x;
    row[t] = t; // and no barrier of the warp
    out[t] = row[t ^ 1];
}
PLANTED(missing_syncwarp, "TSan", "data race", missing_syncwarp_line) {
    return differs(orders, 4, planted_missing_syncwarp, 1, N);
}

/* A shuffle is no barrier for memory. Here it happens to work in every order: only ThreadSanitizer sees it. */
enum { shuffle_as_barrier_line = __LINE__ + 6 };
extern "C" __global__ void planted_shuffle_as_barrier(unsigned *out) {
    __shared__ unsigned row[N];
    unsigned t = threadIdx.x;
    row[t] = t;
    unsigned other = __shfl_xor_sync(0xffffffffu, t, 1);
    out[t] = row[other];
}
PLANTED(shuffle_as_barrier, "TSan", "data race", shuffle_as_barrier_line) {
    return differs(orders, 4, planted_shuffle_as_barrier, 1, N);
}

/* Two blocks add to one word without an atomic. */
enum { race_of_blocks_line = __LINE__ + 2 };
extern "C" __global__ void planted_race_of_blocks(unsigned *out) {
    if (threadIdx.x == 0) out[0] = out[0] * 3 + blockIdx.x;
}
PLANTED(race_of_blocks, "TSan", "data race", race_of_blocks_line) {
    return differs(orders, 4, planted_race_of_blocks, 4, 32);
}

extern "C" __global__ void planted_unwritten_shared(unsigned *out) {
    __shared__ unsigned row[N];
    if (threadIdx.x > 0) row[threadIdx.x] = 1;
    __syncthreads();
    out[threadIdx.x] = row[N - 1 - threadIdx.x];
}
PLANTED(unwritten_shared, nullptr, "", 0) { return differs(seeds, 2, planted_unwritten_shared, 1, N); }

extern "C" __global__ void planted_copy(const unsigned *in, unsigned *out) { out[threadIdx.x] = in[threadIdx.x]; }
PLANTED(unwritten_global, nullptr, "", 0) {
    return differs(seeds, 2, [](unsigned *out) {
        unsigned *in;
        OK(cudaMalloc(&in, N * sizeof *in));
        cudaLaunchConfig_t config = on(nullptr, 1, N);
        OK(cudaLaunchKernelEx(&config, planted_copy, in, out));
        OK(cudaFree(in));
    });
}

extern "C" __global__ void planted_inactive_lane(unsigned *out) {
    unsigned t = threadIdx.x;
    if (t % 2 == 0) out[t] = __shfl_sync(0x55555555u, t, 1); // lane 1 takes no part
}
PLANTED(inactive_lane, nullptr, "", 0) { return differs(seeds, 2, planted_inactive_lane, 1, N); }

/* Whether the launch ends with the error and the finding has the text; the device must stay dead. */
template <typename Launch> static bool fails(cudaError_t error, const char *text, Launch launch) {
    for (const char *order : orders) {
        CHECK(ride_emu_order(order) == 0);
        unsigned *out;
        OK(cudaMalloc(&out, (N - 3) * sizeof *out));
        launch(out);
        cudaError_t got = cudaDeviceSynchronize();
        if (got != error || strstr(ride_emu_finding(), text) == nullptr) {
            fprintf(stderr, "%s: %s: %s\n", order, cudaGetErrorName(got), ride_emu_finding());
            return false;
        }
        FAILS(error, cudaGetLastError());
        FAILS(error, cudaGetLastError());
        FAILS(error, cudaFree(out));
        FAILS(error, cudaMalloc(&out, 1));
        ride_emu_revive();
    }
    return true;
}
template <typename K> static bool fails(cudaError_t error, const char *text, K kernel, unsigned threads) {
    return fails(error, text, [&](unsigned *out) {
        cudaLaunchConfig_t config = on(nullptr, 1, threads);
        OK(cudaLaunchKernelEx(&config, kernel, out));
    });
}

enum { store_behind_line = __LINE__ + 2 };
extern "C" __global__ void planted_store_behind(unsigned *out) {
    out[threadIdx.x] = 1; // the buffer has N - 3
}
PLANTED(store_behind, "ASan", "heap-buffer-overflow", store_behind_line) {
    return fails(cudaErrorIllegalAddress,
                 "kernel planted_store_behind: wrote 0 bytes behind the end of a buffer of 244", planted_store_behind,
                 N);
}

enum { store_before_line = __LINE__ + 2 };
extern "C" __global__ void planted_store_before(unsigned *out) {
    if (threadIdx.x == 5) out[-1] = 1;
}
PLANTED(store_before, "ASan", "heap-buffer-overflow", store_before_line) {
    return fails(cudaErrorIllegalAddress, "wrote 4 bytes before a buffer of 244", planted_store_before, N);
}

enum { load_far_line = __LINE__ + 2 };
extern "C" __global__ void planted_load_far(unsigned *out) {
    out[threadIdx.x] = threadIdx.x == 7 ? out[N] : 0; // 12 bytes too far, in the page behind
}
PLANTED(load_far, "ASan", "heap-buffer-overflow", load_far_line) {
    return fails(cudaErrorIllegalAddress, "thread (7,0,0): touched memory 12 bytes behind the end of a buffer of 244",
                 planted_load_far, N - 3);
}

extern "C" __global__ void planted_use_after_free(unsigned *freed, unsigned *out) {
    out[threadIdx.x] = freed[threadIdx.x];
}
PLANTED(use_after_free, "ASan", "in planted_use_after_free", 0) {
    return fails(cudaErrorIllegalAddress, "where no buffer is", [](unsigned *out) {
        unsigned *freed;
        OK(cudaMalloc(&freed, N * sizeof *freed));
        OK(cudaFree(freed));
        cudaLaunchConfig_t config = on(nullptr, 1, 8);
        OK(cudaLaunchKernelEx(&config, planted_use_after_free, freed, out));
    });
}

enum { shared_behind_line = __LINE__ + 5 };
extern "C" __global__ void planted_shared_behind(unsigned *out) {
    __shared__ unsigned row[N], next[N];
    unsigned t = threadIdx.x, *volatile start = row; // no compiler sees that it is too far
    next[t] = 0;
    start[t + (t == N - 1)] = t;
    __syncthreads();
    out[t] = row[t] + next[t];
}
PLANTED(shared_behind, SHARED_RED_ZONES, "global-buffer-overflow", shared_behind_line) {
    return differs(orders, 4, planted_shared_behind, 1, N) || differs(seeds, 2, planted_shared_behind, 1, N);
}

extern "C" __global__ void planted_divergent_barrier(unsigned *) {
    if (threadIdx.x < 40) __syncthreads();
    else __syncthreads();
}
PLANTED(divergent_barrier, nullptr, "", 0) {
    return fails(cudaErrorLaunchFailure, "divergent __syncthreads", planted_divergent_barrier, N);
}

extern "C" __global__ void planted_barrier_against_warp(unsigned *) {
    if (threadIdx.x % 32 == 3) __syncthreads();
    else __syncwarp();
    __syncthreads();
}
PLANTED(barrier_against_warp, nullptr, "", 0) {
    return fails(cudaErrorLaunchFailure, "waits for lane 3, which is at", planted_barrier_against_warp, N);
}

extern "C" __global__ void planted_masks(unsigned *out) {
    unsigned mask = threadIdx.x < 16 ? 0xffffffffu : 0xffff0000u;
    out[threadIdx.x] = __ballot_sync(mask, 1);
    __syncthreads();
}
PLANTED(masks, nullptr, "", 0) {
    return fails(cudaErrorLaunchFailure, "waits for lane 16, which is at", planted_masks, 32);
}

extern "C" __global__ void planted_not_in_mask(unsigned *out) { out[threadIdx.x] = __ballot_sync(1u, 1); }
PLANTED(not_in_mask, nullptr, "", 0) {
    return fails(cudaErrorLaunchFailure, "lacks the calling lane", planted_not_in_mask, 32);
}

extern "C" __global__ void planted_two_functions(unsigned *out) {
    out[threadIdx.x] = threadIdx.x % 2 != 0 ? __ballot_sync(0xffffffffu, 1) : (unsigned)__any_sync(0xffffffffu, 1);
}
PLANTED(two_functions, nullptr, "", 0) {
    return fails(cudaErrorLaunchFailure, "with another mask or function", planted_two_functions, 32);
}

extern "C" __global__ void planted_trap(unsigned *) {
    if (threadIdx.x == 9) __trap();
    __syncthreads();
}
PLANTED(trap, nullptr, "", 0) { return fails(cudaErrorLaunchFailure, "thread (9,0,0): __trap at", planted_trap, N); }

extern "C" __global__ void planted_assert(unsigned *) { assert(threadIdx.x != 11); }
PLANTED(device_assert, nullptr, "", 0) {
    return fails(cudaErrorAssert, "thread (11,0,0): assertion failed", planted_assert, N);
}

extern "C" __global__ void planted_spins(unsigned *flag) {
    while (atomicAdd(flag, 0u) != 0x12345678u) {
    }
}
PLANTED(spins, nullptr, "", 0) {
    CHECK(ride_emu_order("forward") == 0);
    OnDevice<unsigned> flag(1);
    cudaLaunchConfig_t config = on(nullptr, 1, 2);
    OK(cudaLaunchKernelEx(&config, planted_spins, flag.p));
    return cudaDeviceSynchronize() == cudaErrorLaunchTimeout;
}

static int deep(volatile char *above, int levels) {
    volatile char frame[2048];
    frame[0] = above[0];
    return levels == 0 ? frame[0] : deep(frame, levels - 1) + frame[0];
}
extern "C" __global__ void planted_stack(unsigned *out) {
    volatile char first = 1;
    out[0] = (unsigned)deep(&first, 1000);
}
PLANTED(stack, "ASan", "stack-overflow", 0) {
    return fails(cudaErrorLaunchFailure, "its stack is full", planted_stack, 1);
}

/* The host's mistakes: pinned memory is read and written by work that is still queued. */
template <typename Host> static bool host_goes_wrong(Host host) {
    bool wrong = false;
    cudaStream_t stream;
    unsigned *pinned, *device;
    OK(cudaHostAlloc(&pinned, N * sizeof *pinned, cudaHostAllocDefault));
    OK(cudaMalloc(&device, N * sizeof *device));
    OK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    for (const char *order : orders) {
        CHECK(ride_emu_order(order) == 0);
        wrong = host(pinned, device, stream) || wrong;
        OK(cudaDeviceSynchronize());
    }
    OK(cudaStreamDestroy(stream));
    OK(cudaFree(device));
    OK(cudaFreeHost(pinned));
    return wrong;
}

enum { read_too_early_line = __LINE__ + 5 };
static unsigned read_too_early_in(unsigned *pinned, unsigned *device, cudaStream_t stream) {
    pinned[3] = 0;
    OK(cudaMemsetAsync(device, 1, N * sizeof *device, stream));
    OK(cudaMemcpyAsync(pinned, device, N * sizeof *device, cudaMemcpyDeviceToHost, stream));
    return *(volatile unsigned *)&pinned[3];
}
PLANTED(read_too_early, "TSan", "data race", read_too_early_line) {
    return host_goes_wrong([](unsigned *pinned, unsigned *device, cudaStream_t stream) {
        return read_too_early_in(pinned, device, stream) != 0x01010101;
    });
}

enum { written_too_early_line = __LINE__ + 4 };
static void written_too_early_in(unsigned *pinned, unsigned *device, cudaStream_t stream) {
    pinned[3] = 17;
    OK(cudaMemcpyAsync(device, pinned, N * sizeof *device, cudaMemcpyHostToDevice, stream));
    pinned[3] = 18;
}
PLANTED(written_too_early, "TSan", "data race", written_too_early_line) {
    return host_goes_wrong([](unsigned *pinned, unsigned *device, cudaStream_t stream) {
        unsigned got[N];
        written_too_early_in(pinned, device, stream);
        OK(cudaStreamSynchronize(stream));
        OK(cudaMemcpy(got, device, sizeof got, cudaMemcpyDeviceToHost));
        return got[3] != 17;
    });
}

/* A second stream uses what the first makes, and nobody said that it waits. */
enum { missing_event_line = __LINE__ + 1 };
extern "C" __global__ void planted_after(const unsigned *in, unsigned *out) { out[threadIdx.x] = in[threadIdx.x] + 1; }
PLANTED(missing_event, "TSan", "data race", missing_event_line) {
    return host_goes_wrong([](unsigned *pinned, unsigned *device, cudaStream_t stream) {
        cudaStream_t other;
        OnDevice<unsigned> made(N);
        OK(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking));
        OK(cudaMemsetAsync(made.p, 2, N * sizeof *made.p, stream));
        cudaLaunchConfig_t config = on(other, 1, N);
        OK(cudaLaunchKernelEx(&config, planted_after, (const unsigned *)made.p, device));
        OK(cudaMemcpyAsync(pinned, device, N * sizeof *device, cudaMemcpyDeviceToHost, other));
        OK(cudaStreamSynchronize(other));
        bool wrong = pinned[0] != 0x02020203;
        OK(cudaStreamDestroy(other));
        return wrong;
    });
}

/* Runs the bug in a child; what it printed and how it ended. */
static int run_child(const char *self, const char *name, std::string *printed) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        dup2(ends[1], 1);
        dup2(ends[1], 2);
        close(ends[0]);
        close(ends[1]);
        execl(self, self, "--in-process", name, (char *)nullptr);
        _exit(127);
    }
    close(ends[1]);
    char part[4096];
    for (ssize_t n; (n = read(ends[0], part, sizeof part)) > 0;) printed->append(part, (size_t)n);
    close(ends[0]);
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    return status;
}

enum { SHOWN = 3 }; // the child's exit status: the results show the bug

int main(int argc, char **argv) {
    const Bug *bug = nullptr;
    for (const Bug &b : bugs)
        if (b.name != nullptr && argc > 1 && strcmp(b.name, argv[argc - 1]) == 0) bug = &b;
    if (bug == nullptr) {
        fprintf(stderr, "emu_planted NAME, one of:\n");
        for (int i = 0; i < bugs_count; i++) fprintf(stderr, "  %s\n", bugs[i].name);
        return 2;
    }
    if (argc == 3) return bug->run() ? SHOWN : 0;
    if (strcmp(bug->name, "shuffle_as_barrier") == 0 && strcmp(UNDER, bug->by) != 0) {
        printf("only ThreadSanitizer sees a shuffle that stands for a barrier\n");
        return 77;
    }
    std::string printed;
    int status = run_child(argv[0], bug->name, &printed);
    bool reported = bug->by != nullptr && strcmp(bug->by, UNDER) == 0;
    bool found = WIFEXITED(status) && WEXITSTATUS(status) == SHOWN;
    if (reported) {
        std::string line = bug->line > 0 ? "planted.cu:" + std::to_string(bug->line) : "";
        found = printed.find(bug->text) != std::string::npos && printed.find(line) != std::string::npos;
        printf("%s: %s by %s%s%s\n", bug->name, found ? "found" : "NOT FOUND", UNDER, bug->line > 0 ? " at " : "",
               line.c_str());
    } else printf("%s: %s\n", bug->name, found ? "found" : "NOT FOUND");
    if (!found) printf("status %x; it printed:\n%s\n", (unsigned)status, printed.c_str());
    return found ? 0 : 1;
}
