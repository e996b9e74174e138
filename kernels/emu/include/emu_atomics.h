/* emu_atomics.h: CUDA's atomics. Relaxed, as CUDA's are: they order nothing else, which ThreadSanitizer is told too. Types are
 * CUDA's: there is no overload for unsigned long. Part of the emulator's cuda_runtime.h. */
#ifndef RIDE_EMU_ATOMICS_H
#define RIDE_EMU_ATOMICS_H
#include "emu_device.h"

#define RIDE_EMU_FETCH(name, operation, T)                                                                             \
    static inline T name(T *p, T value) {                                                                              \
        ride_emu_tick();                                                                                               \
        return operation(p, value, __ATOMIC_RELAXED);                                                                  \
    }
#define RIDE_EMU_FETCH_ALL(name, operation)                                                                            \
    RIDE_EMU_FETCH(name, operation, int)                                                                               \
    RIDE_EMU_FETCH(name, operation, unsigned)                                                                          \
    RIDE_EMU_FETCH(name, operation, unsigned long long)
RIDE_EMU_FETCH_ALL(atomicAdd, __atomic_fetch_add)
RIDE_EMU_FETCH_ALL(atomicAnd, __atomic_fetch_and)
RIDE_EMU_FETCH_ALL(atomicOr, __atomic_fetch_or)
RIDE_EMU_FETCH_ALL(atomicXor, __atomic_fetch_xor)
RIDE_EMU_FETCH_ALL(atomicExch, __atomic_exchange_n)
RIDE_EMU_FETCH(atomicSub, __atomic_fetch_sub, int)
RIDE_EMU_FETCH(atomicSub, __atomic_fetch_sub, unsigned)
#undef RIDE_EMU_FETCH_ALL
#undef RIDE_EMU_FETCH

/* Exchanges *p for change(*p) and returns what it was; Word is the integer that holds T's bits. */
template <typename Word, typename T, typename Change> static inline T ride_emu_exchange(T *p, Change change) {
    ride_emu_tick();
    Word *word = reinterpret_cast<Word *>(p), before = __atomic_load_n(word, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(word, &before, ride_emu_bits<Word>(change(ride_emu_bits<T>(before))), false,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
    return ride_emu_bits<T>(before);
}
static inline float atomicAdd(float *p, float value) {
    return ride_emu_exchange<uint32_t>(p, [value](float x) { return x + value; });
}
static inline double atomicAdd(double *p, double value) {
    return ride_emu_exchange<uint64_t>(p, [value](double x) { return x + value; });
}
static inline float atomicExch(float *p, float value) {
    return ride_emu_exchange<uint32_t>(p, [value](float) { return value; });
}
static inline unsigned atomicInc(unsigned *p, unsigned bound) {
    return ride_emu_exchange<uint32_t>(p, [bound](unsigned x) { return x >= bound ? 0u : x + 1; });
}
#define RIDE_EMU_MIN_MAX(T)                                                                                            \
    static inline T atomicMin(T *p, T value) {                                                                         \
        return ride_emu_exchange<T>(p, [value](T x) { return value < x ? value : x; });                                \
    }                                                                                                                  \
    static inline T atomicMax(T *p, T value) {                                                                         \
        return ride_emu_exchange<T>(p, [value](T x) { return x < value ? value : x; });                                \
    }
RIDE_EMU_MIN_MAX(int)
RIDE_EMU_MIN_MAX(unsigned)
RIDE_EMU_MIN_MAX(long long)
RIDE_EMU_MIN_MAX(unsigned long long)
#undef RIDE_EMU_MIN_MAX

#define RIDE_EMU_CAS(T)                                                                                                \
    static inline T atomicCAS(T *p, T expected, T value) {                                                             \
        ride_emu_tick();                                                                                               \
        __atomic_compare_exchange_n(p, &expected, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);                   \
        return expected;                                                                                               \
    }
RIDE_EMU_CAS(int)
RIDE_EMU_CAS(unsigned)
RIDE_EMU_CAS(unsigned long long)
#undef RIDE_EMU_CAS

#endif
