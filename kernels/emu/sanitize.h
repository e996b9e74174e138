/* kernels/emu/sanitize.h: what AddressSanitizer and ThreadSanitizer have to be told, empty without them.
 *
 * The runtime itself is compiled without instrumentation, so the build says which sanitizer the rest has. ThreadSanitizer sees one
 * "thread" per CUDA thread and one per stream; they know of each other only what acquire and release below say. */
#ifndef RIDE_KERNELS_EMU_SANITIZE_H
#define RIDE_KERNELS_EMU_SANITIZE_H
#include <stddef.h>

#ifdef RIDE_EMU_ASAN
extern "C" {
void __sanitizer_start_switch_fiber(void **fake_stack, const void *bottom, size_t size);
void __sanitizer_finish_switch_fiber(void *fake_stack, const void **bottom, size_t *size);
void __asan_unpoison_memory_region(const volatile void *address, size_t size);
}
#endif
#ifdef RIDE_EMU_TSAN
extern "C" {
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
void __tsan_acquire(void *address);
void __tsan_release(void *address);
void __tsan_java_alloc(unsigned long address, unsigned long size);
void __tsan_java_free(unsigned long address, unsigned long size);
}
#endif

namespace ride_emu {

#ifdef RIDE_EMU_ASAN
constexpr bool under_asan = true;
static inline void asan_leave(void **fake, const void *bottom, size_t size) {
    __sanitizer_start_switch_fiber(fake, bottom, size);
}
static inline void asan_arrive(void *fake, const void **bottom, size_t *size) {
    __sanitizer_finish_switch_fiber(fake, bottom, size);
}
static inline void asan_forget(const void *address, size_t size) { __asan_unpoison_memory_region(address, size); }
#else
constexpr bool under_asan = false;
static inline void asan_leave(void **, const void *, size_t) {}
static inline void asan_arrive(void *, const void **, size_t *) {}
static inline void asan_forget(const void *, size_t) {}
#endif

#ifdef RIDE_EMU_TSAN
constexpr bool under_tsan = true;
static inline void *tsan_self() { return __tsan_get_current_fiber(); }
static inline void *tsan_create() { return __tsan_create_fiber(0); }
static inline void tsan_destroy(void *fiber) { __tsan_destroy_fiber(fiber); }
static inline void tsan_switch(void *fiber) { __tsan_switch_to_fiber(fiber, 1); } // 1: the switch orders nothing
static inline void acquire(void *token) { __tsan_acquire(token); }
static inline void release(void *token) { __tsan_release(token); }
/* Earlier accesses to this memory race with nothing that comes: it is new memory, as far as anybody can know. */
static inline void tsan_renew(void *address, size_t size) {
    __tsan_java_free((unsigned long)address, size);
    __tsan_java_alloc((unsigned long)address, size);
}
#else
constexpr bool under_tsan = false;
static inline void *tsan_self() { return nullptr; }
static inline void *tsan_create() { return nullptr; }
static inline void tsan_destroy(void *) {}
static inline void tsan_switch(void *) {}
static inline void acquire(void *) {}
static inline void release(void *) {}
static inline void tsan_renew(void *, size_t) {}
#endif

} // namespace ride_emu
#endif
