/* kernels/emu/memory.cc: device memory and pinned memory, and the copies between them and the host's.
 *
 * A buffer is as long as was asked, not a byte more. Under AddressSanitizer it comes from malloc, whose red zones name the line of
 * a wrong access. Without it, it ends as close to an inaccessible page as CUDA's alignment allows; the bytes between
 * are filled with a pattern that is looked at after every kernel and at the end. New memory holds a pattern of the seed. */
#include "kernels/emu/runtime.h"

#include <algorithm>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

namespace ride_emu {

constexpr size_t alignment = 256; // CUDA promises at least that
constexpr size_t pattern_bytes = 1 << 20;
constexpr unsigned char guard_byte = 0xa7;

void poison(void *start, size_t bytes, uint64_t salt) {
    Random random{world().seed * 0x2545f4914f6cdd1dULL + salt};
    volatile unsigned char *at = static_cast<unsigned char *>(start); // volatile: no memset, which sanitizers watch
    uint64_t word = random.next() | 0x8080808080808080ULL;            // never zero, as a whole or in any byte
    while (bytes > 0 && ((uintptr_t)at & 7) != 0) *at++ = (unsigned char)word, bytes--;
    volatile uint64_t *words = reinterpret_cast<volatile uint64_t *>(at);
    for (; bytes >= 8; bytes -= 8) {
        *words++ = word;
        word = (word * 0x5851f42d4c957f2dULL + 1) | 0x8080808080808080ULL;
    }
    at = reinterpret_cast<volatile unsigned char *>(words);
    while (bytes > 0) *at++ = (unsigned char)word, word >>= 8, bytes--;
}

static size_t page_bytes() {
    static const size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
    return bytes;
}

/* The slack of a guarded buffer: [from, to) before and behind it. */
static char *slack_start(const Buffer &b) { return static_cast<char *>(b.region) + page_bytes(); }
static char *slack_end(const Buffer &b) { return static_cast<char *>(b.region) + b.region_bytes - page_bytes(); }

/* Lays the pattern of the seed over [start, start + bytes), whole pages, without writing it: private pages of one file. Most of a large
 * buffer is never touched, and filling it was most of the time of a test. False: it has to be written. */
static bool lay_pattern(char *start, size_t bytes) {
    static int file = -1;
    static uint64_t seed;
    if (file < 0 || seed != world().seed) {
        if (file >= 0) close(file);
        std::vector<char> pattern(pattern_bytes);
        poison(pattern.data(), pattern_bytes, 0x6d656d);
        file = memfd_create("ride_emu_pattern", MFD_CLOEXEC);
        if (file < 0 || write(file, pattern.data(), pattern_bytes) != (ssize_t)pattern_bytes) return false;
        seed = world().seed;
    }
    for (size_t at = 0; at < bytes; at += pattern_bytes)
        if (mmap(start + at, std::min(pattern_bytes, bytes - at), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, file,
                 0) == MAP_FAILED)
            return false;
    return true;
}

static bool map_buffer(size_t bytes, Buffer *out) {
    size_t page = page_bytes(), room = (bytes + alignment - 1) / alignment * alignment;
    size_t pages = (room + page - 1) / page * page;
    void *region = mmap(nullptr, pages + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (region == MAP_FAILED) return false;
    mprotect(region, page, PROT_NONE);
    mprotect(static_cast<char *>(region) + page + pages, page, PROT_NONE);
    out->region = region;
    out->region_bytes = pages + 2 * page;
    out->start = static_cast<char *>(region) + page + pages - room;
    if (pages < pattern_bytes || !lay_pattern(static_cast<char *>(region) + page, pages))
        poison(out->start, bytes, 0x6d656d); // not by address: two runs of one seed are alike
    for (char *p = slack_start(*out); p < out->start; p++) *p = (char)guard_byte;
    for (char *p = out->start + bytes; p < slack_end(*out); p++) *p = (char)guard_byte;
    return true;
}

static char *allocate(size_t bytes, int device) {
    Buffer buffer{nullptr, bytes, device, nullptr, 0};
    if (under_asan) {
        void *memory;
        if (posix_memalign(&memory, alignment, bytes) != 0) return nullptr;
        buffer.start = static_cast<char *>(memory);
        poison(buffer.start, bytes, 0x6d656d);
    } else if (!map_buffer(bytes, &buffer)) return nullptr;
    world().buffers[(uintptr_t)buffer.start] = buffer;
    return buffer.start;
}

static bool is_guard(const char *bytes, size_t count) {
    for (size_t i = 0; under_tsan && i < count;
         i++) // which watches memcmp, and what broke a guard is told in other words
        if ((unsigned char)bytes[i] != guard_byte) return false;
    if (under_tsan) return true;
    return count == 0 || ((unsigned char)bytes[0] == guard_byte && memcmp(bytes, bytes + 1, count - 1) == 0);
}

static bool slack_broken(Buffer &b, std::string *where) {
    if (b.region == nullptr) return false;
    const char *end = b.start + b.bytes;
    if (is_guard(slack_start(b), (size_t)(b.start - slack_start(b))) && is_guard(end, (size_t)(slack_end(b) - end)))
        return false; /* looked at after every kernel: the usual case is quick */
    for (char *p = slack_start(b); p < slack_end(b); p++) {
        if (p == b.start) p += b.bytes;
        if (p >= slack_end(b)) break;
        if ((unsigned char)*p == guard_byte) continue;
        char text[160];
        if (p < b.start)
            snprintf(text, sizeof text, "wrote %td bytes before a buffer of %zu bytes", b.start - p, b.bytes);
        else
            snprintf(text, sizeof text, "wrote %td bytes behind the end of a buffer of %zu bytes",
                     p - (b.start + b.bytes), b.bytes);
        *where = text;
        for (char *q = slack_start(b); q < b.start; q++) *q = (char)guard_byte;
        for (char *q = b.start + b.bytes; q < slack_end(b); q++) *q = (char)guard_byte;
        return true;
    }
    return false;
}

bool guards_broken(std::string *where) {
    for (auto &entry : world().buffers)
        if (slack_broken(entry.second, where)) return true;
    return false;
}

const Buffer *buffer_at(const void *pointer) {
    auto next = world().buffers.upper_bound((uintptr_t)pointer);
    if (next == world().buffers.begin()) return nullptr;
    const Buffer &b = std::prev(next)->second;
    return static_cast<const char *>(pointer) < b.start + b.bytes ? &b : nullptr;
}

std::string describe_address(const void *address) {
    const char *at = static_cast<const char *>(address);
    char text[160];
    for (auto &entry : world().buffers) {
        const Buffer &b = entry.second;
        const char *region = static_cast<const char *>(b.region);
        if (region == nullptr || at < region || at >= region + b.region_bytes) continue;
        if (at < b.start) snprintf(text, sizeof text, "%td bytes before a buffer of %zu bytes", b.start - at, b.bytes);
        else
            snprintf(text, sizeof text, "%td bytes behind the end of a buffer of %zu bytes", at - (b.start + b.bytes),
                     b.bytes);
        return text;
    }
    snprintf(text, sizeof text, "%p, where no buffer is", address);
    return text;
}

static cudaError_t give_back(void *pointer, bool device_memory) {
    World &w = world();
    auto entry = w.buffers.find((uintptr_t)pointer);
    if (entry == w.buffers.end() || (entry->second.device >= 0) != device_memory) return cudaErrorInvalidValue;
    wait_for_all(); // CUDA waits too: nobody may still be using it
    Buffer buffer = entry->second;
    std::string where;
    bool broken = slack_broken(buffer, &where);
    w.buffers.erase(entry);
    if (device_memory) w.devices[(size_t)buffer.device].used_bytes -= buffer.bytes;
    if (buffer.region != nullptr) munmap(buffer.region, buffer.region_bytes);
    else free(buffer.start);
    if (!broken) return cudaSuccess;
    tell_finding("somebody " + where + ", found when it was freed");
    return cudaErrorIllegalAddress;
}

/* Whether [pointer, pointer + bytes) is what a kind of copy says: one buffer of a device, or memory of the host. */
static bool range_is(const void *pointer, size_t bytes, bool device_memory) {
    const Buffer *b = buffer_at(pointer);
    if (b == nullptr) return !device_memory && pointer != nullptr;
    return (b->device >= 0) == device_memory &&
           bytes <= (size_t)(b->start + b->bytes - static_cast<const char *>(pointer));
}

static bool is_device(const void *pointer) {
    const Buffer *b = buffer_at(pointer);
    return b != nullptr && b->device >= 0;
}

static bool copy_is_right(void *to, const void *from, size_t bytes, cudaMemcpyKind kind) {
    switch (kind) {
    case cudaMemcpyHostToHost: return range_is(to, bytes, false) && range_is(from, bytes, false);
    case cudaMemcpyHostToDevice: return range_is(to, bytes, true) && range_is(from, bytes, false);
    case cudaMemcpyDeviceToHost: return range_is(to, bytes, false) && range_is(from, bytes, true);
    case cudaMemcpyDeviceToDevice: return range_is(to, bytes, true) && range_is(from, bytes, true);
    case cudaMemcpyDefault: return range_is(to, bytes, is_device(to)) && range_is(from, bytes, is_device(from));
    }
    return false;
}

template <typename F> static cudaError_t enqueue_work(CUstream_st *stream, F work) {
    Work w;
    w.call.reset(new ride_emu_host_call<F>(work));
    return enqueue(stream, std::move(w));
}

static cudaError_t copy(CUstream_st *stream, void *to, const void *from, size_t bytes, cudaMemcpyKind kind) {
    if (bytes == 0) return cudaSuccess;
    if (!copy_is_right(to, from, bytes, kind)) return cudaErrorInvalidValue;
    return enqueue_work(stream, [=] { memmove(to, from, bytes); });
}

/* What CUDA does with memory that is not pinned: it is read within the call, into memory of the driver's, and written on the device
 * some time after it. Only what follows in the stream, and who waits for the stream, finds it there. */
static cudaError_t copy_staged(CUstream_st *stream, void *to, const void *from, size_t bytes) {
    const char *first = static_cast<const char *>(from);
    auto stage = std::make_shared<std::vector<char>>(first, first + bytes);
    return enqueue_work(stream, [=] { memmove(to, stage->data(), bytes); });
}

static void wait_for_now(CUstream_st *stream) {
    Work mark;
    MomentRef moment = mark.moment = std::make_shared<Moment>();
    enqueue(stream, std::move(mark));
    wait_for(moment);
}

static cudaError_t set(CUstream_st *stream, void *pointer, int value, size_t bytes) {
    if (bytes == 0) return cudaSuccess;
    if (!range_is(pointer, bytes, true)) return cudaErrorInvalidValue;
    return enqueue_work(stream, [=] { memset(pointer, value, bytes); });
}

} // namespace ride_emu

using namespace ride_emu;

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total_bytes) {
    Call call("cudaMemGetInfo");
    if (call.refused()) return call.end();
    World &w = world();
    *total_bytes = w.memory_bytes;
    *free_bytes = w.memory_bytes - w.devices[(size_t)current_device()].used_bytes;
    return call.end();
}

cudaError_t cudaMalloc(void **pointer, size_t bytes) {
    Call call("cudaMalloc", Call::allocates);
    if (call.refused()) return call.end();
    if (pointer == nullptr) return call.end(cudaErrorInvalidValue);
    *pointer = nullptr;
    if (bytes == 0) return call.end();
    World &w = world();
    Device &device = w.devices[(size_t)current_device()];
    if (bytes > w.memory_bytes - device.used_bytes) return call.end(cudaErrorMemoryAllocation);
    *pointer = allocate(bytes, current_device());
    if (*pointer == nullptr) return call.end(cudaErrorMemoryAllocation);
    device.used_bytes += bytes;
    return call.end();
}

cudaError_t cudaFree(void *pointer) {
    Call call("cudaFree", Call::releases);
    return call.end(pointer == nullptr ? cudaSuccess : give_back(pointer, true));
}

cudaError_t cudaHostAlloc(void **pointer, size_t bytes, unsigned flags) {
    Call call("cudaHostAlloc", Call::allocates);
    if (call.refused()) return call.end();
    if (pointer == nullptr || flags > 7) return call.end(cudaErrorInvalidValue);
    *pointer = bytes == 0 ? nullptr : allocate(bytes, -1);
    return call.end(bytes > 0 && *pointer == nullptr ? cudaErrorMemoryAllocation : cudaSuccess);
}

cudaError_t cudaFreeHost(void *pointer) {
    Call call("cudaFreeHost", Call::releases);
    return call.end(pointer == nullptr ? cudaSuccess : give_back(pointer, false));
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes *attributes, const void *pointer) {
    Call call("cudaPointerGetAttributes");
    if (call.refused()) return call.end();
    const Buffer *b = buffer_at(pointer);
    void *p = const_cast<void *>(pointer);
    if (b == nullptr) *attributes = {cudaMemoryTypeUnregistered, -1, nullptr, p};
    else if (b->device < 0) *attributes = {cudaMemoryTypeHost, current_device(), p, p};
    else *attributes = {cudaMemoryTypeDevice, b->device, p, nullptr};
    return call.end();
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind kind) {
    Call call("cudaMemcpy");
    CUstream_st *stream = call.stream(nullptr);
    if (call.refused()) return call.end();
    if (bytes > 0 && !copy_is_right(to, from, bytes, kind)) return call.end(cudaErrorInvalidValue);
    const bool staged = bytes > 0 && is_device(to) && buffer_at(from) == nullptr;
    cudaError_t error = staged ? cudaSuccess : copy(stream, to, from, bytes, kind);
    if (error == cudaSuccess) wait_for_now(stream);
    if (error == cudaSuccess && staged) error = copy_staged(stream, to, from, bytes);
    const cudaError_t dead = world().devices[(size_t)current_device()].dead;
    return call.end(error != cudaSuccess ? error : dead);
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t handle) {
    Call call("cudaMemcpyAsync");
    CUstream_st *stream = call.stream(handle);
    return call.end(call.refused() ? cudaSuccess : copy(stream, to, from, bytes, kind));
}

cudaError_t cudaMemset(void *pointer, int value, size_t bytes) {
    Call call("cudaMemset");
    CUstream_st *stream = call.stream(nullptr);
    return call.end(call.refused() ? cudaSuccess : set(stream, pointer, value, bytes));
}

cudaError_t cudaMemsetAsync(void *pointer, int value, size_t bytes, cudaStream_t handle) {
    Call call("cudaMemsetAsync");
    CUstream_st *stream = call.stream(handle);
    return call.end(call.refused() ? cudaSuccess : set(stream, pointer, value, bytes));
}
