/* kernels/emu/fiber.h: fibers, each with a stack of its own and a guard page below it. Kept for the process's life and used again.
 *
 * One fiber runs at a time, and only between fiber_resume and the fiber's own fiber_suspend; callers hold the emulator's lock.
 * x86-64 switches in a few instructions (about 10 ns); elsewhere ucontext does it. */
#ifndef RIDE_KERNELS_EMU_FIBER_H
#define RIDE_KERNELS_EMU_FIBER_H
#include "kernels/emu/sanitize.h"
#include <stddef.h>

namespace ride_emu {

constexpr size_t fiber_stack_bytes = under_asan ? 512 << 10 : 128 << 10;
constexpr unsigned fibers_max = 1024 + 64;     // more than a block has threads, see block.cc
constexpr unsigned fiber_of_host = fibers_max; // one more: work of the host's side that a stream does, see stream.cc

struct Fiber;
typedef void (*FiberBody)();

/* The fiber of a slot. It runs the body once per resume-until-finished. NULL: no memory for its stack. */
Fiber *fiber_get(unsigned slot, FiberBody body);
/* Runs it until it suspends or its body returns; true: returned. */
bool fiber_resume(Fiber *fiber);
/* From within the running fiber: back to whoever resumed it. */
void fiber_suspend();
/* A suspended fiber will not be resumed: what is on its stack is forgotten; who acquires the token knows what it did before. */
void fiber_discard(Fiber *fiber, void *token);
/* ThreadSanitizer's name of it. */
void *fiber_tsan(const Fiber *fiber);
/* The running fiber's stack, and whether an address lies in its guard page. */
void *fiber_stack_top(const Fiber *fiber);
bool fiber_guards(const Fiber *fiber, const void *address);

} // namespace ride_emu
#endif
