/* kernels/emu/fiber.cc: see fiber.h. Under ThreadSanitizer and AddressSanitizer every switch is announced. */
#include "kernels/emu/fiber.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#if !defined(__x86_64__) || defined(RIDE_EMU_UCONTEXT)
#define USE_UCONTEXT 1
#include <ucontext.h>
#else
#define USE_UCONTEXT 0
#endif

namespace ride_emu {

#if USE_UCONTEXT
typedef ucontext_t Context;
static void context_switch(Context *from, Context *to) { swapcontext(from, to); }
static void context_make(Context *context, char *stack, size_t bytes, void (*entry)()) {
    getcontext(context);
    context->uc_stack.ss_sp = stack;
    context->uc_stack.ss_size = bytes;
    context->uc_link = nullptr;
    makecontext(context, entry, 0);
}
#else
typedef void *Context; // the stack pointer; everything else lies on the stack
extern "C" void ride_emu_context_switch(Context *from, Context to);
__asm__(R"(
    .text
    .p2align 4
    .globl ride_emu_context_switch
    .hidden ride_emu_context_switch
    .type ride_emu_context_switch, @function
ride_emu_context_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    popq %rcx
    jmp *%rcx
    .size ride_emu_context_switch, . - ride_emu_context_switch
)");
static void context_switch(Context *from, Context *to) { ride_emu_context_switch(from, *to); }
static void context_make(Context *context, char *stack, size_t bytes, void (*entry)()) {
    void **sp = reinterpret_cast<void **>(stack + bytes);
    *--sp = nullptr; // where entry would return to; keeps the alignment that a call leaves
    *--sp = reinterpret_cast<void *>(entry);
    for (int i = 0; i < 6; i++) *--sp = nullptr;
    *context = sp;
}
#endif

struct Fiber {
    Context context;
    char *stack; // lowest usable byte; the guard page is below
    FiberBody body;
    void *fake_stack; // AddressSanitizer's
    void *tsan;
    bool made, finished;
};

static Fiber fibers[fibers_max + 1];
static Fiber *running;
static Context scheduler;
static void *scheduler_fake, *scheduler_tsan;
static const void *scheduler_bottom;
static size_t scheduler_bytes;

constexpr size_t guard_bytes = 64 << 10; // a frame larger than that could step over it

static void leave(Fiber *self, bool finished) {
    self->finished = finished;
    tsan_switch(scheduler_tsan);
    // Kept when it is finished too: AddressSanitizer's stack of its own for each fiber was most of the time of a test.
    asan_leave(&self->fake_stack, scheduler_bottom, scheduler_bytes);
    context_switch(&self->context, &scheduler);
    asan_arrive(self->fake_stack, &scheduler_bottom, &scheduler_bytes);
}

static void fiber_entry() {
    asan_arrive(nullptr, &scheduler_bottom, &scheduler_bytes);
    for (;;) { // the fiber is used again and again: a new frame costs more than this loop
        running->body();
        leave(running, true);
    }
}

Fiber *fiber_get(unsigned slot, FiberBody body) {
    Fiber *fiber = &fibers[slot];
    if (fiber->stack == nullptr) {
        void *region = mmap(nullptr, fiber_stack_bytes + guard_bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (region == MAP_FAILED) return nullptr;
        mprotect(region, guard_bytes, PROT_NONE);
        fiber->stack = static_cast<char *>(region) + guard_bytes;
    }
    if (fiber->tsan == nullptr) fiber->tsan = tsan_create();
    if (!fiber->made) {
        // Not all tops at the same place of their pages: they would share a few lines of the cache.
        context_make(&fiber->context, fiber->stack, fiber_stack_bytes - slot * 192 % 8192, fiber_entry);
        fiber->made = true;
    }
    fiber->body = body;
    return fiber;
}

bool fiber_resume(Fiber *fiber) {
    running = fiber;
    scheduler_tsan = tsan_self();
    tsan_switch(fiber->tsan);
    asan_leave(&scheduler_fake, fiber->stack, fiber_stack_bytes);
    context_switch(&scheduler, &fiber->context);
    asan_arrive(scheduler_fake, nullptr, nullptr);
    running = nullptr;
    return fiber->finished;
}

void fiber_suspend() { leave(running, false); }

void fiber_discard(Fiber *fiber, void *token) {
    asan_forget(fiber->stack, fiber_stack_bytes);
    if (fiber->tsan != nullptr) {
        void *self = tsan_self();
        tsan_switch(fiber->tsan);
        release(token);
        tsan_switch(self);
        tsan_destroy(fiber->tsan); // it believes in calls that will not return
    }
    fiber->tsan = nullptr;
    fiber->made = false;
}

void *fiber_tsan(const Fiber *fiber) { return fiber->tsan; }

void *fiber_stack_top(const Fiber *fiber) { return fiber->stack + fiber_stack_bytes; }

bool fiber_guards(const Fiber *fiber, const void *address) {
    uintptr_t at = (uintptr_t)address, bottom = (uintptr_t)fiber->stack;
    return at < bottom && at >= bottom - guard_bytes;
}

} // namespace ride_emu
