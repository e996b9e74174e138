/* kernels/emu/stream.cc: streams and events. Work is queued and runs when somebody waits for it, as late as the order
 * allows: forward runs only what is waited for, backward runs everything else first, random anything that may run.
 *
 * What runs belongs to its stream: ThreadSanitizer sees each stream as a thread that learns of the host by the call that queued the
 * work, and that the host and other streams learn of by waiting. A wait that is missing is a race it names. */
#include "kernels/emu/fiber.h"
#include "kernels/emu/runtime.h"

#include <algorithm>
#include <stdlib.h>
#include <time.h>

struct CUstream_st {
    int device;
    unsigned flags;
    std::deque<ride_emu::Work> queue;
    ride_emu::MomentRef last; // of what was queued last; NULL: nothing yet
    void *tsan;
    bool destroyed;
};

struct CUevent_st {
    int device;
    unsigned flags;
    ride_emu::MomentRef recorded; // NULL: never
};

namespace ride_emu {

static int64_t now_ns() {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

CUstream_st *make_stream(World *w, int device, unsigned flags) {
    CUstream_st *stream = new CUstream_st{device, flags, {}, nullptr, tsan_create(), false};
    w->queues.push_back(stream);
    return stream;
}

static void forget_if_done(CUstream_st *stream) {
    if (!stream->destroyed || !stream->queue.empty()) return;
    auto &queues = world().queues;
    queues.erase(std::find(queues.begin(), queues.end(), stream));
    if (stream->tsan != nullptr) tsan_destroy(stream->tsan);
    delete stream;
}

/* CUDA's rule of the null stream: it waits for every blocking stream of its device, and they for it. */
static void join_null_stream(CUstream_st *stream, Work *work) {
    Device &device = world().devices[(size_t)stream->device];
    if (stream != device.null_stream) {
        if ((stream->flags & cudaStreamNonBlocking) == 0 && device.null_stream->last)
            work->after.push_back(device.null_stream->last);
        return;
    }
    for (CUstream_st *other : world().queues)
        if (other->device == stream->device && (other->flags & cudaStreamNonBlocking) == 0 && other != stream &&
            other->last)
            work->after.push_back(other->last);
}

cudaError_t enqueue(CUstream_st *stream, Work &&work) {
    if (!work.moment) work.moment = std::make_shared<Moment>();
    work.moment->stream = stream;
    join_null_stream(stream, &work);
    release(&work.moment->queued);
    stream->last = work.moment;
    stream->queue.push_back(std::move(work));
    return cudaSuccess;
}

static void call_kernel(const Work &work, Device &device) {
    const std::string &name = kernel_name(work.kernel);
    note_executed(name);
    std::string finding, where;
    cudaError_t error = run_kernel(work, name.c_str(), &finding);
    if (guards_broken(&where)) {
        finding += (finding.empty() ? "kernel " + name + ": " : "; it ") + where;
        error = cudaErrorIllegalAddress;
    }
    if (error == cudaSuccess) return;
    tell_finding(finding);
    device.dead = error;
}

/* Work of the host's side on a stack of its own: the stream is another thread to ThreadSanitizer, and what both had on one stack would
 * be taken for shared. */
static const Work *host_work;

static void host_body() {
    acquire(&host_work->moment->launched);
    host_work->call->run();
    release(&host_work->moment->ended);
}

static void call_host(const Work &work) {
    Fiber *fiber = fiber_get(fiber_of_host, host_body);
    host_work = &work;
    if (fiber == nullptr) abort(); // no memory for one stack
    while (!fiber_resume(fiber)) {
    }
}

/* Runs the first piece of work of a stream. On a dead device work is dropped, as CUDA drops it. The emulator's own doings stay the
 * host's thread's: only what the work itself does belongs to the stream, and what a kernel does to its threads. */
static void run_head(CUstream_st *stream) {
    Work work = std::move(stream->queue.front());
    stream->queue.pop_front();
    Device &device = world().devices[(size_t)stream->device];
    bool runs = work.call && device.dead == cudaSuccess;
    void *self = tsan_self();
    tsan_switch(stream->tsan);
    acquire(&work.moment->queued);
    for (const MomentRef &earlier : work.after) acquire(&earlier->reached);
    if (runs) {
        release(&work.moment->launched);
        tsan_switch(self);
        if (work.kernel != nullptr) call_kernel(work, device);
        else call_host(work);
        tsan_switch(stream->tsan);
        acquire(&work.moment->ended);
    }
    work.call.reset();
    release(&work.moment->reached);
    tsan_switch(self);
    work.moment->time_ns = now_ns();
    work.moment->done = true;
    forget_if_done(stream);
}

static bool may_run(const CUstream_st *stream) {
    if (stream->queue.empty()) return false;
    for (const MomentRef &earlier : stream->queue.front().after)
        if (!earlier->done) return false;
    return true;
}

/* A stream on the way to a moment that is not done: its first work waits for nothing. There is one, since work only waits for
 * what was queued before it. */
static CUstream_st *way_to(const MomentRef &target) {
    CUstream_st *stream = target->stream;
    for (bool found = true; found;) {
        found = false;
        for (const MomentRef &earlier : stream->queue.front().after)
            if (!earlier->done) {
                stream = earlier->stream;
                found = true;
                break;
            }
    }
    return stream;
}

static void step(const MomentRef &target) {
    World &w = world();
    std::vector<CUstream_st *> choice;
    if (w.order != Order::forward)
        for (CUstream_st *stream : w.queues)
            if (may_run(stream)) choice.push_back(stream);
    CUstream_st *way = way_to(target);
    if (w.order == Order::random) way = choice[w.random.below((unsigned)choice.size())];
    if (w.order == Order::backward && choice.back() == way && choice.size() > 1) choice.pop_back();
    if (w.order == Order::backward) way = choice.back();
    run_head(way);
}

void wait_for(const MomentRef &moment) {
    while (!moment->done) step(moment);
    acquire(&moment->reached);
}

static void wait_for_stream(CUstream_st *stream) {
    MomentRef last = stream->last; // the stream may go with its last work
    if (last) wait_for(last);
}

void wait_for_device(int device) {
    std::vector<MomentRef> moments;
    for (CUstream_st *stream : world().queues)
        if (stream->device == device && stream->last) moments.push_back(stream->last);
    for (const MomentRef &moment : moments) wait_for(moment);
}

void wait_for_all() {
    for (size_t i = 0; i < world().devices.size(); i++) wait_for_device((int)i);
}

static cudaError_t ask(const MomentRef &moment) {
    if (!moment || moment->done) {
        if (moment) acquire(&moment->reached);
        return cudaSuccess;
    }
    step(moment); // so that asking again and again comes to an end
    return cudaErrorNotReady;
}

static cudaError_t dead(int device) { return world().devices[(size_t)device].dead; }

CUstream_st *Call::stream(cudaStream_t handle) {
    if (refused()) return nullptr;
    World &w = world();
    if (handle == nullptr) return w.devices[(size_t)current_device()].null_stream;
    if (w.streams.count(handle) == 0) error = cudaErrorInvalidResourceHandle;
    else error = dead(handle->device);
    return refused() ? nullptr : handle;
}

CUevent_st *Call::event(cudaEvent_t handle) {
    if (refused()) return nullptr;
    if (handle == nullptr || world().events.count(handle) == 0) error = cudaErrorInvalidResourceHandle;
    else error = dead(handle->device);
    return refused() ? nullptr : handle;
}

} // namespace ride_emu

using namespace ride_emu;

cudaError_t ride_emu_enqueue(cudaStream_t handle, ride_emu_call *function) {
    Work work;
    work.call.reset(function);
    Call call("a function of a library");
    CUstream_st *stream = call.stream(handle);
    return call.end(call.refused() ? cudaSuccess : enqueue(stream, std::move(work)));
}

static bool launchable(const cudaLaunchConfig_t *config) {
    const dim3 &g = config->gridDim, &b = config->blockDim;
    if (g.x == 0 || g.y == 0 || g.z == 0 || g.x > 0x7fffffffu || g.y > 65535 || g.z > 65535) return false;
    if (b.x == 0 || b.y == 0 || b.z == 0 || b.x > 1024 || b.y > 1024 || b.z > 64) return false;
    return (uint64_t)b.x * b.y * b.z <= 1024;
}

cudaError_t ride_emu_launch(const cudaLaunchConfig_t *config, const void *kernel, ride_emu_call *function) {
    Work work;
    work.call.reset(function);
    Call call("cudaLaunchKernelEx");
    CUstream_st *stream = call.stream(config->stream);
    if (call.refused()) return call.end();
    if (stream->device != current_device()) return call.end(cudaErrorInvalidResourceHandle);
    if (!launchable(config)) return call.end(cudaErrorInvalidConfiguration);
    if (config->dynamicSmemBytes > 0) return call.end(cudaErrorNotSupported); // no kernel here has any
    for (unsigned i = 0; i < config->numAttrs; i++) {
        cudaLaunchAttributeID id = config->attrs[i].id;
        if (id != cudaLaunchAttributeIgnore && id != cudaLaunchAttributePriority)
            return call.end(cudaErrorNotSupported);
    }
    work.kernel = kernel;
    work.grid = config->gridDim;
    work.block = config->blockDim;
    return call.end(enqueue(stream, std::move(work)));
}

cudaError_t cudaDeviceSynchronize(void) {
    Call call("cudaDeviceSynchronize");
    if (call.refused()) return call.end();
    wait_for_device(current_device());
    return call.end(dead(current_device()));
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned flags) {
    Call call("cudaStreamCreateWithFlags");
    if (call.refused()) return call.end();
    if (out == nullptr || flags > cudaStreamNonBlocking) return call.end(cudaErrorInvalidValue);
    *out = make_stream(&world(), current_device(), flags);
    world().streams.insert(*out);
    return call.end();
}

cudaError_t cudaStreamDestroy(cudaStream_t handle) {
    Call call("cudaStreamDestroy", Call::releases);
    if (world().streams.erase(handle) == 0) return call.end(cudaErrorInvalidResourceHandle);
    handle->destroyed = true; // what is queued still runs
    forget_if_done(handle);
    return call.end();
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
    Call call("cudaStreamSynchronize");
    CUstream_st *stream = call.stream(handle);
    if (call.refused()) return call.end();
    wait_for_stream(stream);
    return call.end(dead(stream->device));
}

cudaError_t cudaStreamQuery(cudaStream_t handle) {
    Call call("cudaStreamQuery");
    CUstream_st *stream = call.stream(handle);
    if (call.refused()) return call.end();
    cudaError_t answer = ask(stream->last);
    return call.end(dead(stream->device) != cudaSuccess ? dead(stream->device) : answer);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event_handle, unsigned flags) {
    Call call("cudaStreamWaitEvent");
    CUstream_st *stream = call.stream(handle);
    CUevent_st *event = call.event(event_handle);
    if (call.refused()) return call.end();
    if (flags != 0) return call.end(cudaErrorInvalidValue);
    if (!event->recorded) return call.end(); // as CUDA: there is nothing to wait for
    Work wait;
    wait.after.push_back(event->recorded);
    return call.end(enqueue(stream, std::move(wait)));
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned flags) {
    Call call("cudaEventCreateWithFlags");
    if (call.refused()) return call.end();
    if (out == nullptr || flags > 3) return call.end(cudaErrorInvalidValue);
    *out = new CUevent_st{current_device(), flags, nullptr};
    world().events.insert(*out);
    return call.end();
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
    Call call("cudaEventDestroy", Call::releases);
    if (world().events.erase(event) == 0) return call.end(cudaErrorInvalidResourceHandle);
    delete event;
    return call.end();
}

cudaError_t cudaEventRecord(cudaEvent_t event_handle, cudaStream_t handle) {
    Call call("cudaEventRecord");
    CUevent_st *event = call.event(event_handle);
    CUstream_st *stream = call.stream(handle);
    if (call.refused()) return call.end();
    if (stream->device != event->device) return call.end(cudaErrorInvalidResourceHandle);
    Work mark;
    event->recorded = mark.moment = std::make_shared<Moment>();
    return call.end(enqueue(stream, std::move(mark)));
}

cudaError_t cudaEventQuery(cudaEvent_t handle) {
    Call call("cudaEventQuery");
    CUevent_st *event = call.event(handle);
    if (call.refused()) return call.end();
    cudaError_t answer = ask(event->recorded);
    return call.end(dead(event->device) != cudaSuccess ? dead(event->device) : answer);
}

cudaError_t cudaEventSynchronize(cudaEvent_t handle) {
    Call call("cudaEventSynchronize");
    CUevent_st *event = call.event(handle);
    if (call.refused()) return call.end();
    if (event->recorded) wait_for(event->recorded);
    return call.end(dead(event->device));
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t start_handle, cudaEvent_t end_handle) {
    Call call("cudaEventElapsedTime");
    CUevent_st *start = call.event(start_handle), *end = call.event(end_handle);
    if (call.refused()) return call.end();
    if (((start->flags | end->flags) & cudaEventDisableTiming) != 0 || !start->recorded || !end->recorded)
        return call.end(cudaErrorInvalidResourceHandle);
    if (!start->recorded->done || !end->recorded->done) return call.end(cudaErrorNotReady);
    *ms = (float)(end->recorded->time_ns - start->recorded->time_ns) * 1e-6f;
    return call.end();
}
