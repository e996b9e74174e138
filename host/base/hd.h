/* base/hd.h: how single-source per-row functions are marked. kernels/row is C17, C++17 and CUDA at once. */
#ifndef RIDE_BASE_HD_H
#define RIDE_BASE_HD_H

#if defined(__CUDACC__)
#define RIDE_HD __host__ __device__
#else
#define RIDE_HD
#endif

#if defined(__GNUC__) && !defined(__CUDACC__)
#define RIDE_LIKELY(x)   __builtin_expect(!!(x), 1)
#define RIDE_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define RIDE_INLINE      static inline __attribute__((always_inline))
#else
#define RIDE_LIKELY(x)   (x)
#define RIDE_UNLIKELY(x) (x)
#define RIDE_INLINE      static inline
#endif

/* static_assert is a keyword in C++ and a macro of <assert.h> in C17: this works in both. */
#if defined(__cplusplus)
#define RIDE_STATIC_ASSERT(condition, text) static_assert(condition, text)
#else
#define RIDE_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#endif

#endif
