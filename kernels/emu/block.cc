/* kernels/emu/block.cc: runs a launch: blocks one after another, the threads of a block as fibers that run until they wait.
 *
 * Order of the threads: forward and backward keep a queue that barriers fill in rising or falling order; random draws who is next,
 * and now and then lets another thread come before an atomic. A barrier opens when every thread that has not returned is
 * there; when nobody can run and none opens, the kernel is wrong and the launch fails. */
#include "kernels/emu/block.h"

#include <algorithm>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

// The shared variables of all kernels of this plugin or program; the linker knows where they begin and end.
extern "C" {
extern char shared_start[] __asm__("__start_ride_emu_shared") __attribute__((weak, visibility("hidden")));
extern char shared_stop[] __asm__("__stop_ride_emu_shared") __attribute__((weak, visibility("hidden")));
}

static struct {
    uint3 thread, block;
    dim3 block_size, grid_size;
} now;
const uint3 &threadIdx = now.thread, &blockIdx = now.block;
const dim3 &blockDim = now.block_size, &gridDim = now.grid_size;

namespace ride_emu {

constexpr uint64_t idle_atomics_max = under_asan || under_tsan ? 10000000 : 200000000; // then nothing will come
constexpr int credit_plain = 4096;

Block block;

static int draw_credit() {
    World &w = world();
    return w.order == Order::random ? (int)w.random.below(16) : credit_plain;
}

void block_fail(cudaError_t error, const Thread &thread, const char *format, ...) {
    if (block.error != cudaSuccess) return; // what follows is only a consequence
    int n =
        snprintf(block.finding, sizeof block.finding, "kernel %s, block (%u,%u,%u), thread (%u,%u,%u): ", block.kernel,
                 now.block.x, now.block.y, now.block.z, thread.index.x, thread.index.y, thread.index.z);
    va_list arguments;
    va_start(arguments, format);
    if (n > 0 && n < (int)sizeof block.finding)
        vsnprintf(block.finding + n, sizeof block.finding - (size_t)n, format, arguments);
    va_end(arguments);
    block.error = error;
    release(&block.work->moment->ended); // who reads the finding has to know of it
}

void block_suspend() { fiber_suspend(); }

void block_give_up() {
    fiber_suspend();
    abort(); // it is never resumed
}

void make_ready(Thread &thread) {
    thread.state = State::ready;
    block.ready[(block.ready_first + block.ready_count++) % 1024] = (unsigned short)thread.number;
}

void make_ready(unsigned first, unsigned count, unsigned which) {
    bool falling = world().order == Order::backward;
    for (unsigned i = 0; i < count; i++) {
        unsigned at = falling ? count - 1 - i : i;
        if ((which >> at & 1) != 0) make_ready(block.threads[first + at]);
    }
}

static unsigned take_ready() {
    World &w = world();
    if (w.order == Order::random) {
        unsigned at = (block.ready_first + w.random.below(block.ready_count)) % 1024;
        std::swap(block.ready[at], block.ready[block.ready_first]);
    }
    unsigned number = block.ready[block.ready_first];
    block.ready_first = (block.ready_first + 1) % 1024;
    block.ready_count--;
    return number;
}

/* Done for all when a barrier opens, before one of them runs on: what that one does next is not known to the others. */
void join(Thread *const *threads, unsigned count) {
    if (!under_tsan) return;
    alignas(16) static char token[16];
    void *self = tsan_self();
    tsan_renew(token, sizeof token);
    for (unsigned i = 0; i < count; i++) {
        tsan_switch(fiber_tsan(threads[i]->fiber));
        release(token);
    }
    for (unsigned i = 0; i < count; i++) {
        tsan_switch(fiber_tsan(threads[i]->fiber));
        acquire(token);
    }
    tsan_switch(self);
}

/* The barrier opens when all live threads are there, and fails when they are at different ones. */
static void barrier_check() {
    if (block.live == 0 || block.at_barrier < block.live) return;
    const Thread *first = nullptr;
    int count = 0;
    for (const Thread &t : block.threads) {
        if (t.state != State::at_barrier) continue;
        if (first == nullptr) first = &t;
        if (t.block_kind != first->block_kind || t.place.line != first->place.line ||
            t.place.file != first->place.file) {
            block_fail(cudaErrorLaunchFailure, t,
                       "divergent __syncthreads: it is at %s:%d, thread (%u,%u,%u) is at %s:%d", t.place.file,
                       t.place.line, first->index.x, first->index.y, first->index.z, first->place.file,
                       first->place.line);
            return;
        }
        count += t.predicate;
    }
    int answer = first->block_kind == RIDE_EMU_BARRIER_COUNT ? count
                 : first->block_kind == RIDE_EMU_BARRIER_AND ? count == (int)block.live
                                                             : count > 0;
    static Thread *waiting[1024];
    unsigned n = 0;
    for (Thread &t : block.threads)
        if (t.state == State::at_barrier) waiting[n++] = &t;
    join(waiting, n);
    block.at_barrier = 0;
    block.idle_atomics = 0;
    for (unsigned i = 0; i < n; i++) {
        Thread &t = *waiting[world().order == Order::backward ? n - 1 - i : i];
        t.result = (uint64_t)answer;
        make_ready(t);
    }
}

static void thread_body() {
    Moment *moment = block.work->moment.get();
    acquire(&moment->launched);
    block.work->call->run();
    release(&moment->ended);
}

static void resume(Thread &t) {
    block.self = &t;
    now.thread = t.index;
    block.credit = draw_credit();
    bool returned = fiber_resume(t.fiber);
    block.self = nullptr;
    if (!returned) return;
    t.state = State::finished;
    block.live--;
    block.idle_atomics = 0;
    block.warps[t.number / 32].live &= ~(1u << t.number % 32);
    if (block.warps[t.number / 32].waiting != 0) warp_check(t.number / 32);
    barrier_check();
}

static const char *kind_name(ride_emu_warp_kind kind) {
    static const char *const names[] = {"__syncwarp",       "__shfl_sync",     "__shfl_up_sync",
                                        "__shfl_down_sync", "__shfl_xor_sync", "__ballot_sync",
                                        "__any_sync",       "__all_sync",      "__activemask"};
    return names[kind];
}

/* Nobody can run and no barrier opens: say who waits for whom, by one thread of each kind. */
static void tell_stuck() {
    for (const Thread &t : block.threads) {
        if (t.state != State::at_warp) continue;
        unsigned missing = t.mask & block.warps[t.number / 32].live;
        for (unsigned i = 0; i < 32; i++) {
            if ((missing >> i & 1) == 0) continue;
            const Thread &other = block.threads[t.number / 32 * 32 + i];
            if (other.state == State::at_warp && other.mask == t.mask && other.warp_kind == t.warp_kind) continue;
            block_fail(cudaErrorLaunchFailure, t, "%s(0x%08x) at %s:%d waits for lane %u, which is at %s:%d%s",
                       kind_name(t.warp_kind), t.mask, t.place.file, t.place.line, i, other.place.file,
                       other.place.line,
                       other.state == State::at_warp ? " with another mask or function" : " (__syncthreads)");
            return;
        }
    }
    for (const Thread &t : block.threads)
        if (t.state == State::at_barrier) {
            block_fail(cudaErrorLaunchFailure, t, "divergent __syncthreads: %u of %u threads wait at %s:%d",
                       block.at_barrier, block.live, t.place.file, t.place.line);
            return;
        }
}

static bool start_threads(uint64_t block_number) {
    unsigned count = (unsigned)block.threads.size();
    // Under ThreadSanitizer one fiber's accesses never race with its own: another one for the same thread of the next block.
    unsigned shift = under_tsan ? (unsigned)(block_number * 37 % fibers_max) : 0;
    for (Thread &t : block.threads) {
        t.fiber = fiber_get((t.number + shift) % fibers_max, thread_body);
        if (t.fiber == nullptr) return false;
        t.state = State::finished;
    }
    block.live = count;
    block.at_barrier = 0;
    block.idle_atomics = 0;
    block.ready_first = block.ready_count = 0;
    for (size_t i = 0; i < block.warps.size(); i++) {
        unsigned lanes = std::min(32u, count - 32 * (unsigned)i);
        block.warps[i] = {lanes == 32 ? ~0u : (1u << lanes) - 1, 0};
    }
    for (unsigned i = 0; i < count; i++)
        make_ready(block.threads[world().order == Order::backward ? count - 1 - i : i]);
    return true;
}

static void run_block(uint64_t number) {
    const dim3 &grid = now.grid_size;
    now.block = {(unsigned)(number % grid.x), (unsigned)(number / grid.x % grid.y),
                 (unsigned)(number / ((uint64_t)grid.x * grid.y))};
    if (shared_start != nullptr) {
        const size_t bytes = (uintptr_t)shared_stop - (uintptr_t)shared_start;
        tsan_renew(shared_start, bytes);
        poison(shared_start, bytes, number + 1);
    }
    if (!start_threads(number)) {
        block.error = cudaErrorLaunchOutOfResources;
        snprintf(block.finding, sizeof block.finding, "kernel %s: no memory for the stacks of its threads",
                 block.kernel);
        return;
    }
    while (block.error == cudaSuccess && block.live > 0) {
        if (block.ready_count > 0) resume(block.threads[take_ready()]);
        else if (!warp_answer_active()) tell_stuck();
    }
    for (Thread &t : block.threads)
        if (t.state != State::finished) fiber_discard(t.fiber, &block.work->moment->ended);
}

static void shape_block(const dim3 &size) {
    block.threads.resize((size_t)size.x * size.y * size.z);
    block.warps.resize((block.threads.size() + 31) / 32);
    for (unsigned i = 0; i < block.threads.size(); i++) {
        Thread &t = block.threads[i];
        t.number = i;
        t.index = {i % size.x, i / size.x % size.y, i / (size.x * size.y)};
    }
}

cudaError_t run_kernel(const Work &work, const char *name, std::string *finding) {
    World &w = world();
    block.kernel = name;
    block.work = &work;
    block.error = cudaSuccess;
    block.finding[0] = 0;
    now.block_size = work.block;
    now.grid_size = work.grid;
    shape_block(work.block);
    uint64_t count = (uint64_t)work.grid.x * work.grid.y * work.grid.z;
    std::vector<uint32_t> drawn; // random: a permutation of the blocks
    if (w.order == Order::random && count <= UINT32_MAX) {
        drawn.resize(count);
        for (uint64_t i = 0; i < count; i++) {
            unsigned j = w.random.below((unsigned)i + 1);
            drawn[i] = drawn[j];
            drawn[j] = (uint32_t)i;
        }
    }
    fault_begin();
    for (uint64_t i = 0; i < count && block.error == cudaSuccess; i++)
        run_block(!drawn.empty() ? drawn[i] : w.order == Order::backward ? count - 1 - i : i);
    fault_end();
    if (block.error != cudaSuccess) acquire(&work.moment->ended);
    *finding = block.finding;
    return block.error;
}

} // namespace ride_emu

using namespace ride_emu;

int ride_emu_block(ride_emu_block_kind kind, int predicate, ride_emu_place place) {
    Thread &self = *block.self;
    self.block_kind = kind;
    self.predicate = predicate != 0;
    self.place = place;
    self.state = State::at_barrier;
    block.at_barrier++;
    barrier_check();
    block_suspend();
    return (int)self.result;
}

void ride_emu_fence(void) {
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!under_tsan || block.self == nullptr) return;
    acquire(&block.work->moment->fence);
    release(&block.work->moment->fence);
}

void ride_emu_tick(void) {
    if (block.self == nullptr) return; // the host may use these functions too
    Thread &self = *block.self;
    if (++block.idle_atomics > idle_atomics_max) {
        block_fail(cudaErrorLaunchTimeout, self, "no thread gets on: it waits in a loop of atomics");
        block_give_up();
    }
    if (--block.credit >= 0) return;
    make_ready(self);
    block_suspend();
}

void ride_emu_trap(ride_emu_place place) {
    if (block.self == nullptr) abort();
    block_fail(cudaErrorLaunchFailure, *block.self, "__trap at %s:%d", place.file, place.line);
    block_give_up();
}

/* What assert calls, for kernels and host alike: the definition of the C library is behind this one. */
extern "C" void __assert_fail(const char *condition, const char *file, unsigned line, const char *function) noexcept {
    if (block.self != nullptr) {
        block_fail(cudaErrorAssert, *block.self, "assertion failed at %s:%u: %s", file, line, condition);
        block_give_up();
    }
    fprintf(stderr, "%s:%u: %s: Assertion `%s' failed.\n", file, line, function, condition);
    abort();
}
