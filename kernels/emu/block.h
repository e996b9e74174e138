/* kernels/emu/block.h: the block that is running, shared by its scheduler (block.cc), the warp functions (warp.cc) and the
 * handler of wrong accesses (fault.cc). There is one at a time. */
#ifndef RIDE_KERNELS_EMU_BLOCK_H
#define RIDE_KERNELS_EMU_BLOCK_H
#include "kernels/emu/fiber.h"
#include "kernels/emu/runtime.h"

namespace ride_emu {

enum class State : unsigned char { ready, at_barrier, at_warp, finished };

struct Thread {
    Fiber *fiber;
    uint3 index;
    unsigned number; // within the block; its warp is number / 32
    State state;
    ride_emu_place place; // where it waits
    int block_kind, predicate;
    ride_emu_warp_kind warp_kind;
    unsigned mask, lane;
    int width;
    uint64_t value, result;
};

struct Warp {
    unsigned live, waiting; // lanes that have not returned; lanes that wait in a warp function
};

struct Block {
    const char *kernel;
    const Work *work;
    std::vector<Thread> threads; // as many as the launch's blocks have
    std::vector<Warp> warps;
    unsigned short ready[1024]; // ring of the numbers of threads that may run
    unsigned ready_first, ready_count;
    unsigned live, at_barrier;
    Thread *self;      // who runs; NULL: none
    cudaError_t error; // what ended the block early
    char finding[1024];
    int credit;            // atomics until another thread may come first
    uint64_t idle_atomics; // atomics since a thread last returned or passed a barrier
};
extern Block block;

/* What is wrong, with kernel, block and thread; the block ends as soon as the running thread gives way. */
void block_fail(cudaError_t error, const Thread &thread, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* As block_fail, for the running thread, which does not come back. */
[[noreturn]] void block_give_up();
/* From the running thread, after its state was set. Back when the state is ready. */
void block_suspend();
void make_ready(Thread &thread);
/* Makes those of [first, first + count) ready that are in `which` (bit i: thread first + i), in the order of the run. */
void make_ready(unsigned first, unsigned count, unsigned which);

/* For ThreadSanitizer: what each of these threads did is known to all of them. */
void join(Thread *const *threads, unsigned count);

/* warp.cc. A lane's return may be what others waited for. */
void warp_check(unsigned warp);
/* Nobody can run: lanes that ask who is with them are answered. True: somebody can run now. */
bool warp_answer_active();

/* fault.cc: catches wrong accesses of the thread that runs, between begin and end. */
void fault_begin();
void fault_end();

} // namespace ride_emu
#endif
