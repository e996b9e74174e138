/* emu_device.h: what device code may use. Every CUDA thread is a fiber of its own; a barrier or a warp function gives way to the
 * others and returns when all whom it concerns have come. Part of the emulator's cuda_runtime.h.
 *
 * Where CUDA leaves a value undefined (a shuffle from a lane that takes no part, shared memory before its first store), the
 * value here depends on the seed. Votes and shuffles order no memory, as in CUDA: only __syncwarp and __syncthreads do. */
#ifndef RIDE_EMU_DEVICE_H
#define RIDE_EMU_DEVICE_H
#include "emu_types.h"
#include <string.h>

// Kernels are visible by name, so that reports and statistics can name them.
#define __global__ __attribute__((visibility("default")))
#define __device__
#define __host__
#define __constant__
// One block runs at a time, so its shared memory may be static; the section is what is poisoned before every block.
#define __shared__      static __attribute__((section("ride_emu_shared")))
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(bytes) alignas(bytes)
#define __grid_constant__

extern const uint3 &threadIdx, &blockIdx;
extern const dim3 &blockDim, &gridDim;
enum { warpSize = 32 };

/* The runtime's side. Place: where the source calls, for the reports. */
struct ride_emu_place {
    const char *file;
    int line;
};
enum ride_emu_block_kind { RIDE_EMU_BARRIER, RIDE_EMU_BARRIER_COUNT, RIDE_EMU_BARRIER_AND, RIDE_EMU_BARRIER_OR };
enum ride_emu_warp_kind {
    RIDE_EMU_SYNCWARP,
    RIDE_EMU_SHFL,
    RIDE_EMU_SHFL_UP,
    RIDE_EMU_SHFL_DOWN,
    RIDE_EMU_SHFL_XOR,
    RIDE_EMU_BALLOT,
    RIDE_EMU_ANY,
    RIDE_EMU_ALL,
    RIDE_EMU_ACTIVE
};
int ride_emu_block(ride_emu_block_kind kind, int predicate, ride_emu_place place);
uint64_t ride_emu_warp(ride_emu_warp_kind kind, unsigned mask, uint64_t value, unsigned lane, int width,
                       ride_emu_place place);
void ride_emu_fence(void);
void ride_emu_tick(void); // before every atomic: another thread may come first
[[noreturn]] void ride_emu_trap(ride_emu_place place);

#define RIDE_EMU_PLACE const char *file = __builtin_FILE(), int line = __builtin_LINE()

static inline void __syncthreads(RIDE_EMU_PLACE) { ride_emu_block(RIDE_EMU_BARRIER, 0, {file, line}); }
static inline int __syncthreads_count(int predicate, RIDE_EMU_PLACE) {
    return ride_emu_block(RIDE_EMU_BARRIER_COUNT, predicate, {file, line});
}
static inline int __syncthreads_and(int predicate, RIDE_EMU_PLACE) {
    return ride_emu_block(RIDE_EMU_BARRIER_AND, predicate, {file, line});
}
static inline int __syncthreads_or(int predicate, RIDE_EMU_PLACE) {
    return ride_emu_block(RIDE_EMU_BARRIER_OR, predicate, {file, line});
}
static inline void __syncwarp(unsigned mask = 0xffffffffu, RIDE_EMU_PLACE) {
    ride_emu_warp(RIDE_EMU_SYNCWARP, mask, 0, 0, 0, {file, line});
}
static inline unsigned __activemask(RIDE_EMU_PLACE) {
    return (unsigned)ride_emu_warp(RIDE_EMU_ACTIVE, 0, 0, 0, 0, {file, line});
}
static inline unsigned __ballot_sync(unsigned mask, int predicate, RIDE_EMU_PLACE) {
    return (unsigned)ride_emu_warp(RIDE_EMU_BALLOT, mask, predicate != 0, 0, 0, {file, line});
}
static inline int __any_sync(unsigned mask, int predicate, RIDE_EMU_PLACE) {
    return (int)ride_emu_warp(RIDE_EMU_ANY, mask, predicate != 0, 0, 0, {file, line});
}
static inline int __all_sync(unsigned mask, int predicate, RIDE_EMU_PLACE) {
    return (int)ride_emu_warp(RIDE_EMU_ALL, mask, predicate != 0, 0, 0, {file, line});
}

template <typename T>
static inline T ride_emu_shuffle(ride_emu_warp_kind kind, unsigned mask, T value, unsigned lane, int width,
                                 ride_emu_place place) {
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof value);
    bits = ride_emu_warp(kind, mask, bits, lane, width, place);
    memcpy(&value, &bits, sizeof value);
    return value;
}
#define RIDE_EMU_SHUFFLES(T)                                                                                           \
    static inline T __shfl_sync(unsigned mask, T value, int lane, int width = warpSize, RIDE_EMU_PLACE) {              \
        return ride_emu_shuffle(RIDE_EMU_SHFL, mask, value, (unsigned)lane, width, {file, line});                      \
    }                                                                                                                  \
    static inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = warpSize, RIDE_EMU_PLACE) {     \
        return ride_emu_shuffle(RIDE_EMU_SHFL_UP, mask, value, delta, width, {file, line});                            \
    }                                                                                                                  \
    static inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = warpSize, RIDE_EMU_PLACE) {   \
        return ride_emu_shuffle(RIDE_EMU_SHFL_DOWN, mask, value, delta, width, {file, line});                          \
    }                                                                                                                  \
    static inline T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = warpSize, RIDE_EMU_PLACE) {         \
        return ride_emu_shuffle(RIDE_EMU_SHFL_XOR, mask, value, (unsigned)lanes, width, {file, line});                 \
    }
RIDE_EMU_SHUFFLES(int)
RIDE_EMU_SHUFFLES(unsigned)
RIDE_EMU_SHUFFLES(long)
RIDE_EMU_SHUFFLES(unsigned long)
RIDE_EMU_SHUFFLES(long long)
RIDE_EMU_SHUFFLES(unsigned long long)
RIDE_EMU_SHUFFLES(float)
RIDE_EMU_SHUFFLES(double)
#undef RIDE_EMU_SHUFFLES

static inline void __threadfence(void) { ride_emu_fence(); }
static inline void __threadfence_block(void) { ride_emu_fence(); }
static inline void __threadfence_system(void) { ride_emu_fence(); }
#define __trap() ride_emu_trap({__FILE__, __LINE__})

static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline int __ffsll(long long x) { return __builtin_ffsll(x); }
static inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz((unsigned)x); }
static inline int __clzll(long long x) { return x == 0 ? 64 : __builtin_clzll((unsigned long long)x); }
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)(((uint64_t)a * b) >> 32); }
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned long long)(((unsigned __int128)a * b) >> 64);
}
template <typename T> static inline T __ldg(const T *p) { return *p; }

template <typename To, typename From> static inline To ride_emu_bits(From from) {
    static_assert(sizeof(To) == sizeof(From), "a change of type, not of bits");
    To to;
    memcpy(&to, &from, sizeof to);
    return to;
}
static inline int __float_as_int(float x) { return ride_emu_bits<int>(x); }
static inline unsigned __float_as_uint(float x) { return ride_emu_bits<unsigned>(x); }
static inline float __int_as_float(int x) { return ride_emu_bits<float>(x); }
static inline float __uint_as_float(unsigned x) { return ride_emu_bits<float>(x); }
static inline long long __double_as_longlong(double x) { return ride_emu_bits<long long>(x); }
static inline double __longlong_as_double(long long x) { return ride_emu_bits<double>(x); }

#define RIDE_EMU_MIN_MAX(T)                                                                                            \
    static inline T min(T a, T b) { return b < a ? b : a; }                                                            \
    static inline T max(T a, T b) { return a < b ? b : a; }
RIDE_EMU_MIN_MAX(int)
RIDE_EMU_MIN_MAX(unsigned)
RIDE_EMU_MIN_MAX(long)
RIDE_EMU_MIN_MAX(unsigned long)
RIDE_EMU_MIN_MAX(long long)
RIDE_EMU_MIN_MAX(unsigned long long)
#undef RIDE_EMU_MIN_MAX

#include "emu_atomics.h"
#endif
