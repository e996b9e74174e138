/* kernels/emu/fault.cc: a wrong access of a kernel fails the launch instead of ending the program. Buffers and stacks have
 * inaccessible pages round them; the signal of touching one is answered by leaving the thread where it is. AddressSanitizer has
 * reports of its own, and other processors no such exit: there the signal is left alone. */
#include "kernels/emu/block.h"

#include <signal.h>
#include <string.h>

#if defined(__x86_64__)
#include <ucontext.h>
#endif

namespace ride_emu {

#if defined(__x86_64__) && !defined(RIDE_EMU_ASAN)

static struct sigaction before_segv, before_bus;
static stack_t before_stack;
static thread_local bool guarded; // this thread of the host runs the kernel
static const void *fault_address;

/* Runs on the stack of the thread that failed, from its top: what was on it is given up. */
static void leave_thread() {
    Thread &self = *block.self;
    if (fiber_guards(self.fiber, fault_address))
        block_fail(cudaErrorLaunchFailure, self, "its stack is full (%zu bytes)", fiber_stack_bytes);
    else block_fail(cudaErrorIllegalAddress, self, "touched memory %s", describe_address(fault_address).c_str());
    block_give_up();
}

static void on_fault(int signal, siginfo_t *info, void *context) {
    if (!guarded || block.self == nullptr) { // not a kernel's: happens again, with what was there before
        sigaction(signal, signal == SIGSEGV ? &before_segv : &before_bus, nullptr);
        return;
    }
    fault_address = info->si_addr;
    ucontext_t *to = static_cast<ucontext_t *>(context);
    to->uc_mcontext.gregs[REG_RSP] = (greg_t)((uintptr_t)fiber_stack_top(block.self->fiber) - 8); // as after a call
    to->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)leave_thread;
    to->uc_mcontext.gregs[REG_EFL] &= ~0x400; // the direction flag, as the ABI wants it at a function's entry
}

void fault_begin() {
    static char stack[64 << 10]; // one kernel runs at a time
    stack_t handler_stack = {};
    handler_stack.ss_sp = stack;
    handler_stack.ss_size = sizeof stack;
    sigaltstack(&handler_stack, &before_stack);
    struct sigaction action = {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(SIGSEGV, &action, &before_segv);
    sigaction(SIGBUS, &action, &before_bus);
    guarded = true;
}

void fault_end() {
    guarded = false;
    sigaction(SIGSEGV, &before_segv, nullptr);
    sigaction(SIGBUS, &before_bus, nullptr);
    sigaltstack(&before_stack, nullptr);
}

#else
void fault_begin() {}
void fault_end() {}
#endif

} // namespace ride_emu
