/* kernels/emu/world.cc: the emulated machine as the environment describes it, calls that are made to fail, errors. */
#include "kernels/emu/emu.h"
#include "kernels/emu/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

namespace ride_emu {

uint64_t Random::next() {
    uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

static bool parse_order(World *w, const char *text) {
    static const struct {
        const char *name;
        Order order;
    } names[] = {{"forward", Order::forward}, {"backward", Order::backward}, {"random", Order::random}};
    for (const auto &n : names) {
        size_t length = strlen(n.name);
        if (strncmp(text, n.name, length) != 0 || (text[length] != 0 && text[length] != ':')) continue;
        char *end = const_cast<char *>(text + length);
        uint64_t seed = 0;
        if (*end == ':') {
            if (end[1] < '0' || end[1] > '9') return false;
            seed = strtoull(end + 1, &end, 10);
        }
        if (*end != 0) return false;
        w->order = n.order;
        w->seed = seed;
        w->random = Random{seed};
        return true;
    }
    return false;
}

/* A number of the environment; what is not one stops the program, since a test would else run as if nothing was asked. */
static uint64_t number(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    if (text == nullptr || *text == 0) return otherwise;
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    if (*end == 0 && *text >= '0' && *text <= '9') return value;
    fprintf(stderr, "emulator: %s=%s is not a number\n", name, text);
    abort();
}

static World *make_world() {
    World *w = new World;
    w->memory_bytes = (size_t)number("RIDE_EMU_MEMORY", 256 << 20);
    w->devices.resize((size_t)number("RIDE_EMU_DEVICES", 1));
    w->fail_at = number("RIDE_EMU_FAIL", 0);
    w->fail_sticky = number("RIDE_EMU_FAIL_STICKY", 0) != 0;
    const char *order = getenv("RIDE_EMU_ORDER");
    if (order != nullptr && *order != 0 && !parse_order(w, order)) {
        fprintf(stderr, "emulator: RIDE_EMU_ORDER=%s: forward, backward or random, with :SEED\n", order);
        abort();
    }
    for (size_t i = 0; i < w->devices.size(); i++)
        w->devices[i].null_stream = make_stream(w, (int)i, cudaStreamDefault);
    return w;
}

World &world() { // never destroyed: threads may still call when the program ends
    static World *the_world = make_world();
    return *the_world;
}

static thread_local int device_now;
static thread_local cudaError_t last_error;

int current_device() { return device_now; }
void set_last_error(cudaError_t error) { last_error = error; }

Call::Call(const char *name, Kind kind) : guard(world().lock) {
    World &w = world();
    w.calls++;
    if (w.devices.empty()) {
        if (kind != anywhere) error = cudaErrorNoDevice;
        return;
    }
    Device &device = w.devices[(size_t)device_now];
    if (w.fail_at != 0 && --w.fail_at == 0) {
        w.failed_call = name;
        error = kind == allocates ? cudaErrorMemoryAllocation : cudaErrorUnknown;
        if (w.fail_sticky) error = device.dead = cudaErrorLaunchFailure;
    }
    if (device.dead != cudaSuccess && kind != anywhere) error = device.dead;
}

cudaError_t Call::end(cudaError_t result) {
    if (refused()) result = error;
    if (result != cudaSuccess) set_last_error(result);
    return result;
}

void tell_finding(const std::string &text) {
    world().finding = text;
    fprintf(stderr, "emulator: %s\n", text.c_str());
}

} // namespace ride_emu

using namespace ride_emu;

cudaError_t cudaPeekAtLastError(void) {
    std::lock_guard<std::mutex> guard(world().lock);
    World &w = world();
    if (!w.devices.empty() && w.devices[(size_t)device_now].dead != cudaSuccess)
        return w.devices[(size_t)device_now].dead;
    return last_error;
}

cudaError_t cudaGetLastError(void) {
    cudaError_t error = cudaPeekAtLastError();
    last_error = cudaSuccess; // a dead device answers with its error all the same
    return error;
}

const char *cudaGetErrorName(cudaError_t error) {
    switch (error) {
#define X(name, value, text)                                                                                           \
    case name: return #name;
        RIDE_EMU_ERRORS(X)
#undef X
    }
    return "unrecognized error code";
}

const char *cudaGetErrorString(cudaError_t error) {
    switch (error) {
#define X(name, value, text)                                                                                           \
    case name: return text;
        RIDE_EMU_ERRORS(X)
#undef X
    }
    return "unrecognized error code";
}

cudaError_t cudaSetDevice(int device) {
    Call call("cudaSetDevice", Call::anywhere);
    if (device < 0 || (size_t)device >= world().devices.size())
        return call.end(world().devices.empty() ? cudaErrorNoDevice : cudaErrorInvalidDevice);
    if (call.refused()) return call.end();
    device_now = device; // also away from a dead device
    return call.end(world().devices[(size_t)device].dead);
}

extern "C" {

int ride_emu_order(const char *order) {
    std::lock_guard<std::mutex> guard(world().lock);
    return parse_order(&world(), order) ? 0 : -1;
}

void ride_emu_fail_at(uint64_t n, int sticky) {
    std::lock_guard<std::mutex> guard(world().lock);
    World &w = world();
    w.calls = 0;
    w.fail_at = n;
    w.fail_sticky = sticky != 0;
    w.failed_call.clear();
}

uint64_t ride_emu_calls(void) {
    std::lock_guard<std::mutex> guard(world().lock);
    return world().calls;
}

const char *ride_emu_failed_call(void) {
    std::lock_guard<std::mutex> guard(world().lock);
    return world().failed_call.c_str();
}

const char *ride_emu_finding(void) {
    std::lock_guard<std::mutex> guard(world().lock);
    return world().finding.c_str();
}

void ride_emu_get_held(ride_emu_held *out) {
    std::lock_guard<std::mutex> guard(world().lock);
    World &w = world();
    *out = {};
    for (const auto &entry : w.buffers) {
        const Buffer &b = entry.second;
        (b.device >= 0 ? out->device_bytes : out->host_bytes) += b.bytes;
        (b.device >= 0 ? out->device_buffers : out->host_buffers)++;
    }
    out->streams = w.streams.size();
    out->events = w.events.size();
}

void ride_emu_revive(void) {
    std::lock_guard<std::mutex> guard(world().lock);
    for (Device &device : world().devices) device.dead = cudaSuccess;
    world().finding.clear();
    set_last_error(cudaSuccess);
}
}
